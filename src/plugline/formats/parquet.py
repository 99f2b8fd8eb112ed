"""Parquet: a table in columns, with types.

Reading and writing keep the types of values: whole numbers, floats, ``Decimal``, dates, dates with a time and a zone,
bytes, text, truth values, no value, lists and tables in tables. A value that its column cannot hold is an
error of its record, and never changed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, BinaryIO, Literal

from plugline.formats._footers import Joined
from plugline.formats._tables import (
    PartWriter,
    TableReader,
    check_fields,
    new_stream,
    part_pieces,
    schema_of,
    seekable,
    write_file,
)
from plugline.records import Reader, Writer

SUFFIXES = (".parquet", ".pq")


def available() -> bool | str:
    """Say what is missing where pyarrow is not installed."""
    return find_spec("pyarrow") is not None or "it needs the package 'pyarrow': pip install 'plugline[tool]'"


@dataclass(kw_only=True, eq=False, repr=False)
class Parquet:
    """Parquet.

    Attributes:
        fields: Reading, the columns to read; all, unless set. Writing, the columns in order, which the first record
            fixes otherwise.
        types: Writing, the types of columns, which the first records fix otherwise: ``str``, ``int``, ``float``,
            ``bool``, ``decimal(12, 2)``, ``date``, ``datetime``, ``datetime(Europe/Lisbon)``, ``time``, ``bytes``,
            ``list(int)``, or a name that Arrow has, such as ``int32``.
        compression: How columns are compressed.
        row_group_rows: About how many rows stand together in the file, which is the unit that readers share work in: half as
            many to half as many more; fewer where parts of the output are smaller, or where they take more than 64 MiB.
    """

    fields: list[str] | None = None
    types: dict[str, str] = field(default_factory=dict)
    compression: Literal["snappy", "zstd", "gzip", "lz4", "brotli", "none"] = "zstd"
    row_group_rows: int = 65_536

    def __post_init__(self) -> None:
        if self.row_group_rows < 1:
            raise ValueError(f"row_group_rows {self.row_group_rows!r}: expected 1 or more")

    def reader(self) -> Reader:
        """Return a reader of the whole file."""
        return TableReader(lambda stream, rows: _tables(stream, rows, self.fields, None))

    def writer(self) -> Writer:
        """Return a writer of parts, which :meth:`assemble` puts together.

        Raises:
            ValueError: A declared type is not known, or of a column that ``fields`` does not name.
        """
        return _PartWriter(self)

    def pieces(self, stream: BinaryIO, wanted_bytes: int, /) -> Iterable[tuple[int, int]]:
        """Yield runs of row groups of about ``wanted_bytes`` each."""
        import pyarrow.parquet  # when the format is named: it costs more than a short run

        metadata = pyarrow.parquet.ParquetFile(stream).metadata
        start, held = 0, 0
        for number in range(metadata.num_row_groups):
            held += metadata.row_group(number).total_byte_size
            if held >= wanted_bytes:
                yield start, number + 1
                start, held = number + 1, 0
        if start < metadata.num_row_groups or not metadata.num_row_groups:
            yield start, metadata.num_row_groups

    def piece_reader(self, start: int, end: int, /) -> Reader:
        """Return a reader of the row groups from ``start`` to before ``end``."""
        return TableReader(lambda stream, rows: _tables(stream, rows, self.fields, range(start, end)))

    def assemble(self, parts: BinaryIO, stream: BinaryIO, /, *, columns: Sequence[str] | None) -> None:
        """Write one file of all parts: it has one footer, over all of them."""
        schema = schema_of(columns, self.fields, self.types)
        joined = Joined(stream)
        held = _Held(self.row_group_rows)
        for piece in part_pieces(parts):
            if not isinstance(piece, memoryview):
                held.add(piece)
                for table in held.groups():
                    joined.add(self.encoded(table, schema))
                if held.size_bytes > _MOST_GROUP_BYTES:
                    joined.add(self.encoded(held.rest(), schema))
                continue
            if held.rows:
                joined.add(self.encoded(held.rest(), schema))
            joined.add(piece)
        if held.rows or joined.is_empty:
            joined.add(self.encoded(held.rest(), schema))
        joined.close()

    def encoded(self, table: Any, schema: Any) -> memoryview:
        """Return the file of a table, all of it one row group; or of none, without any."""
        import pyarrow.parquet

        compression = None if self.compression == "none" else self.compression
        sink = pyarrow.BufferOutputStream()
        # An index of pages could not be moved.
        with pyarrow.parquet.ParquetWriter(sink, schema, compression=compression, write_page_index=False) as writer:
            if table is not None:
                writer.write_table(table, table.num_rows)
        return memoryview(sink.getvalue())


class _Held:
    """Tables of which row groups are to be made."""

    def __init__(self, group_rows: int) -> None:
        self._group_rows = group_rows
        self._tables: list[Any] = []
        self.rows = self.size_bytes = 0

    def add(self, table: Any) -> None:
        import pyarrow

        self._tables.append(pyarrow.Table.from_batches([table]) if isinstance(table, pyarrow.RecordBatch) else table)
        self.rows += table.num_rows
        self.size_bytes += table.nbytes

    def groups(self) -> Iterator[Any]:
        """Yield the tables of row groups, as many as leave at least half of one."""
        while self.rows >= 1.5 * self._group_rows:
            whole = self.rest()
            self.add(whole.slice(self._group_rows))
            yield whole.slice(0, self._group_rows)

    def rest(self) -> Any:
        """Return what is held as one table, and hold it no more; ``None`` where it is nothing."""
        import pyarrow

        tables, self._tables = self._tables, []
        self.rows = self.size_bytes = 0
        return pyarrow.concat_tables(tables) if tables else None


class _PartWriter(PartWriter):
    """Writes parts that hold their row groups as Parquet already, where they have rows enough for any."""

    def __init__(self, form: Parquet) -> None:
        super().__init__(form.fields, form.types, writes=_refuse_empty_tables)
        self._form = form

    def new_sink(self, stream: BinaryIO, schema: Any) -> Any:
        return _Groups(self._form, stream, schema)


class _Groups:
    """Takes the tables of a part.

    Files of small row groups are read slowly, so a part with less than half of one becomes an Arrow stream, and the row groups
    are made when the parts are put together. So does what is left of one with wide rows, of which not too many are held.
    """

    def __init__(self, form: Parquet, stream: BinaryIO, schema: Any) -> None:
        self._form = form
        self._stream = stream
        self._schema = schema
        self._held = _Held(form.row_group_rows)
        self._arrow: Any = None

    def write(self, table: Any) -> None:
        if self._arrow is not None:
            self._arrow.write(table)
            return
        self._held.add(table)
        for group in self._held.groups():
            self._write_file(group)
        if self._held.size_bytes > _MOST_HELD_BYTES:
            self._write_arrow()

    def _write_file(self, table: Any) -> None:
        write_file(self._stream, self._form.encoded(table, self._schema))

    def _write_arrow(self) -> None:
        self._arrow = new_stream(self._stream, self._schema)
        table = self._held.rest()
        if table is not None:
            self._arrow.write(table)

    def close(self) -> None:
        if self._arrow is None and 2 * self._held.rows >= self._form.row_group_rows:
            self._write_file(self._held.rest())
            return
        if self._arrow is None:
            self._write_arrow()
        self._arrow.close()


_MOST_HELD_BYTES = 32 * 2**20
_MOST_GROUP_BYTES = 64 * 2**20  # as Arrow; wide rows of the usual number would be gigabytes


def _refuse_empty_tables(name: str, kind: Any) -> None:
    """Refuse a column of tables that have got no field from any record.

    Raises:
        ValueError: It is one, or has one in it.
    """
    import pyarrow

    if pyarrow.types.is_struct(kind) and not kind.num_fields:
        raise ValueError(
            f"column {name!r} holds tables without any field, which Parquet has no type for\n"
            "  hint: leave it out, as the processor 'select' does, or write 'arrow' or 'avro'"
        )
    for at in range(kind.num_fields):
        inner = kind.field(at)
        _refuse_empty_tables(f"{name}.{inner.name}" if pyarrow.types.is_struct(kind) else name, inner.type)


def _tables(
    stream: BinaryIO, rows: int, fields: Sequence[str] | None, row_groups: Iterable[int] | None
) -> Iterator[Any]:
    import pyarrow.parquet

    with seekable(stream) as whole, pyarrow.parquet.ParquetFile(whole) as file:
        check_fields(fields, file.schema_arrow.names, "file")
        groups = None if row_groups is None else list(row_groups)
        for batch in file.iter_batches(rows, row_groups=groups, columns=fields):
            # The file's own order comes out, whatever was asked for.
            yield batch if fields is None else batch.select(fields)
