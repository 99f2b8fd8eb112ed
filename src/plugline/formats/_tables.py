"""What Parquet and both forms of Arrow have in common: batches of columns to raws, and records to parts."""

import mmap
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import FunctionType
from typing import Any, BinaryIO, NoReturn, cast

from plugline.formats._rows import copied  # noqa: F401 - the written code calls it
from plugline.records import Broken, Position, Record
from plugline.records.tables import TableMaker, rows_of

# Rows of a batch are many small objects that live together. Measured with orders of 280 bytes: from 1,024 to 4,096 the
# same, 65,536 cost 20 % more.
ROWS_A_BATCH = 4096

# Of a table that stays one: as many as Parquet readers of others give.
ROWS_A_TABLE = 65_536

# As long as no more rows than these have come, columns without values may still get a type.
_HELD_ROWS = 65_536

_COPIED_BYTES = 2**20


@contextmanager
def seekable(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Give a stream that can be read from any place: itself, or a temporary file with all that it holds."""
    if stream.seekable():
        yield stream
        return
    from tempfile import TemporaryFile  # 5 ms, and most are files

    with TemporaryFile() as copy:
        while piece := stream.read(_COPIED_BYTES):
            copy.write(piece)
        copy.seek(0)
        yield cast("BinaryIO", copy)


class TableBatch:
    """Some rows of a table, not taken apart before somebody asks for them."""

    def __init__(self, table: Any, row: int) -> None:
        self.table = table
        self._row = row
        self._raws: list[object] | None = None

    @property
    def raws(self) -> list[object]:
        """The rows, each a tuple of values."""
        if self._raws is None:
            rows, wrong = rows_of(self.table)
            self._raws = cast("list[object]", rows)
            for at, reason in wrong.items():
                self._raws[at] = Broken(rows[at], reason)
        return self._raws

    def position(self, index: int, /) -> Position:
        """Count rows; there are no lines, and where in the file a row is stored nobody can say."""
        return Position(row=self._row + index)


class TableReader:
    """Cuts what ``open_tables`` yields of a stream, with at most so many rows each, into rows."""

    def __init__(self, open_tables: Callable[[BinaryIO, int], Iterable[Any]]) -> None:
        self._open = open_tables
        self._names: list[str] = []

        # Becomes the decoder of the columns when they are known: the record loop holds it from before.
        def decode(row: object) -> Record:
            return _refuse(cast("Broken", row))

        self._decode = cast("FunctionType", decode)
        self.decode = cast("Callable[[object], Record]", decode)

    def batches(self, stream: BinaryIO, /) -> Iterator[TableBatch]:
        """Yield about 4,096 rows at a time, to be taken apart.

        Raises:
            ValueError: It is no file of the format, or is broken.
        """
        return self._batches(stream, ROWS_A_BATCH)

    def tables(self, stream: BinaryIO, /) -> Iterator[TableBatch]:
        """Yield about 65,536 rows at a time, to stay in columns.

        Raises:
            ValueError: It is no file of the format, or is broken.
        """
        return self._batches(stream, ROWS_A_TABLE)

    def _batches(self, stream: BinaryIO, rows: int) -> Iterator[TableBatch]:
        import pyarrow  # when the format is named, see above

        row = 1
        try:
            for table in self._open(stream, rows):
                names = table.schema.names
                if names != self._names:
                    _refuse_twins(names)
                    self._names = names
                    nested = tuple(pyarrow.types.is_nested(kind) for kind in table.schema.types)
                    self._decode.__code__ = _decoder_code(tuple(names), nested).__code__
                yield TableBatch(table, row)
                row += table.num_rows
        except pyarrow.ArrowInvalid as error:
            raise ValueError(str(error)) from error


def _refuse_twins(names: Sequence[str]) -> None:
    """Refuse columns of one name, of which a record would hold the last only.

    Raises:
        ValueError: There are any.
    """
    twins = sorted(name for name, count in Counter(names).items() if count > 1)
    if twins:
        raise ValueError(
            f"it has several columns of the name {', '.join(map(repr, twins))}: expected each name once\n"
            "  hint: leave them out by naming the others, options = { fields = [...] }, or write the file anew"
        )


# A function, so that messages lead to a line of this file and not of the written code.
def _refuse(row: Broken) -> NoReturn:
    raise ValueError(row.reason)


@lru_cache(maxsize=64)
def _decoder_code(names: tuple[str, ...], nested: tuple[bool, ...]) -> FunctionType:
    """Write the function that makes records of rows with these columns: three quarters of ``dict(zip(names, row))``."""
    cells = [f"c{at}" for at in range(len(names))]
    # A step may change what is in a record, and a dead letter shows it as it came.
    values = [f"copied({cell})" if deep else cell for cell, deep in zip(cells, nested, strict=True)]
    record = ", ".join(f"{name!r}: {value}" for name, value in zip(names, values, strict=True))
    lines = [
        "def decode(row):",
        "    if type(row) is not tuple:",
        "        return _refuse(row)",
        f"    {', '.join(cells)}, = row" if cells else "    pass",
        f"    return {{{record}}}",
    ]
    made: dict[str, FunctionType] = {}
    # Every name in it is the repr of a string or made here.
    exec(compile("\n".join(lines), "plugline: written for the columns", "exec"), {}, made)  # noqa: S102
    return made["decode"]


class PartWriter:
    """Writes parts as Arrow streams; the schema is declared, or fixed by the part before or the first records."""

    separator = b""

    def __init__(
        self,
        fields: Sequence[str] | None,
        types: Mapping[str, str],
        *,
        holds: Callable[[str, Any], object] | None = None,
        writes: Callable[[str, Any], object] | None = None,
    ) -> None:
        self._maker = TableMaker(fields=fields, types=types, holds=holds)
        self._writes = writes
        self._held: list[Record] = []
        self._tables: list[Any] = []  # column form, as long as the schema is not written
        self._sink: Any = None
        self.columns: tuple[str, ...] | None = None
        self.encode: Callable[[Record], Record] = self._maker.accept

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        """Begin a part.

        Args:
            first: Says nothing here: the header is made when the parts are put together.
            columns: The schema that an earlier part fixed, as one text.
        """
        del first
        self._stream = stream
        if columns is not None:
            self._maker.restore(columns[0])
            self.columns = tuple(columns)

    def encode_table(self, table: Any, /) -> object:
        """Return what :meth:`write` takes for a whole table.

        Raises:
            ValueError: It has other columns than those before it.
        """
        return self._maker.conform(table)

    def write(self, encoded: list[object], /) -> None:
        """Write rows, and tables from :meth:`encode_table`, in their order."""
        for item in encoded:
            if type(item) is dict:
                self._held.append(item)
            else:
                self._write_held()
                self._write_tables(item)
        if self._maker.fixed or len(self._held) >= _HELD_ROWS:
            self._write_held()

    def close(self, *, last: bool) -> None:
        del last
        self._write_held()
        if self._sink is not None:
            self._sink.close()

    def _write_held(self) -> None:
        if not self._held:
            return
        rows, self._held = self._held, []
        self._begin()
        # As one batch for each write while the schema is open, they would be as many as there are writes anyway.
        for start in range(0, len(rows), _HELD_ROWS):
            self._sink.write(self._maker.batch(rows[start : start + _HELD_ROWS]))

    def _write_tables(self, table: Any) -> None:
        self._begin()
        self._sink.write(table)

    def _begin(self) -> None:
        if self._sink is None:
            self._maker.fix()
            if self._writes is not None:
                for column in self._maker.schema:
                    self._writes(column.name, column.type)
            self.columns = (self._maker.token,)
            self._sink = self.new_sink(self._stream, self._maker.schema)

    def new_sink(self, stream: BinaryIO, schema: Any) -> Any:
        """Return what takes the batches and tables of a part, when its schema is fixed."""
        return new_stream(stream, schema)


class _Unowned:
    """A stream that Arrow may close without closing it."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._written = 0

    def write(self, data: object) -> int:
        view = memoryview(cast("bytes", data))
        self._stream.write(view)
        self._written += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        pass

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def unowned(stream: BinaryIO) -> Any:
    """Return a stream for Arrow to write to, which stays open, and need not know how far it is."""
    return _Unowned(stream)


def new_stream(stream: BinaryIO, schema: Any) -> Any:
    """Return a writer of an Arrow stream."""
    import pyarrow

    return pyarrow.ipc.new_stream(_Unowned(stream), schema)


def write_file(stream: BinaryIO, content: memoryview) -> None:
    """Write a file of a format of its own to a part, in which Arrow streams may stand as well."""
    stream.write(_FILE_MARK + len(content).to_bytes(8, "little"))
    stream.write(content)
    stream.write(bytes(-len(content) % _ALIGNED))


_ALIGNED = 8
_FILE_MARK = b"a file: "  # Arrow streams begin otherwise
_FILE_HEAD_BYTES = len(_FILE_MARK) + 8


def part_pieces(parts: BinaryIO) -> Iterator[Any]:
    """Yield the batches and the files of parts that stand one after the other; files are memory, to be used at once."""
    import pyarrow

    try:
        # Arrow reads what is in it where it lies; copied, it takes a tenth of a run's time.
        memory: Any = mmap.mmap(parts.fileno(), 0, access=mmap.ACCESS_READ)
        begin = parts.tell()
    except (OSError, ValueError):  # no file, or one without anything in it
        memory, begin = parts.read(), 0
    view = memoryview(memory)
    stream = pyarrow.BufferReader(memory)
    stream.seek(begin)
    given = begin
    while (at := stream.tell()) < len(view):
        if view[at : at + len(_FILE_MARK)] == _FILE_MARK:
            begin = at + _FILE_HEAD_BYTES
            end = begin + int.from_bytes(view[at + len(_FILE_MARK) : begin], "little")
            yield view[begin:end]
            stream.seek(end + (begin - end) % _ALIGNED)
            given = _give_back(memory, given, end)
            continue
        with pyarrow.ipc.open_stream(stream) as reader:
            for batch in reader:
                yield batch
                given = _give_back(memory, given, stream.tell())


def _give_back(memory: Any, given: int, end: int) -> int:
    """Give back the memory of a mapped file up to a place: a process takes as much for a large file as for a small one.

    From its beginning, since what was held together with a later piece was looked at again.

    Returns:
        The place up to which that was done.
    """
    if end - given < _GIVEN_BYTES:
        return given
    if sys.platform != "win32" and hasattr(memory, "madvise"):
        memory.madvise(mmap.MADV_DONTNEED, 0, end // mmap.PAGESIZE * mmap.PAGESIZE)
    return end


_GIVEN_BYTES = 4 * 2**20


def part_tables(parts: BinaryIO, rows: int) -> Iterator[Any]:
    """Yield the tables of parts that stand one after the other, put together to about so many rows."""
    import pyarrow

    held: list[Any] = []
    count = 0
    for batch in part_pieces(parts):
        held.append(batch)
        count += batch.num_rows
        if count >= rows:
            yield pyarrow.Table.from_batches(held)
            held, count = [], 0
    if held:
        yield pyarrow.Table.from_batches(held)


def check_fields(fields: Sequence[str] | None, names: Sequence[str], where: str) -> None:
    """Refuse to read columns that are not there."""
    unknown = [name for name in fields or () if name not in names]
    if unknown:
        raise ValueError(f"fields names {unknown!r}: expected columns of the {where}, {names!r}")


def schema_of(columns: Sequence[str] | None, fields: Sequence[str] | None, types: Mapping[str, str]) -> Any:
    """Return the schema of an output: what a part fixed, or what is declared where no part holds a record."""
    maker = TableMaker(fields=fields, types=types if columns is None else None)
    if columns is not None:
        maker.restore(columns[0])
    return maker.schema
