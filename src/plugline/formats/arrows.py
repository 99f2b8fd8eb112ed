"""Arrow IPC streams: a table in columns as it is in memory, with types, written and read as it comes.

What ``parquet`` says of types holds here too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, BinaryIO

from plugline.formats._tables import PartWriter, TableReader, check_fields, schema_of
from plugline.records import Reader, Writer
from plugline.records.tables import with_inner

SUFFIXES = (".arrows",)

# What ends a stream: a message that continues none, of length 0.
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def available() -> bool | str:
    """Say what is missing where pyarrow is not installed."""
    return find_spec("pyarrow") is not None or "it needs the package 'pyarrow': pip install 'plugline[tool]'"


@dataclass(kw_only=True, eq=False, repr=False)
class Arrows:
    """Arrow IPC streams.

    Attributes:
        fields: Reading, the columns to read; all, unless set. Writing, the columns in order, which the first record
            fixes otherwise.
        types: Writing, the types of columns, which the first records fix otherwise; as for ``parquet``.
    """

    fields: list[str] | None = None
    types: dict[str, str] = field(default_factory=dict)

    def reader(self) -> Reader:
        """Return a reader of the stream."""
        return TableReader(lambda stream, rows: _tables(stream, rows, self.fields))

    def writer(self) -> Writer:
        """Return a writer of parts that can stand one after the other."""
        return _StreamWriter(self.fields, self.types)


def _tables(stream: BinaryIO, rows: int, fields: Sequence[str] | None) -> Iterator[Any]:
    import pyarrow  # when the format is named: it costs more than a short run

    with pyarrow.ipc.open_stream(stream) as reader:
        check_fields(fields, reader.schema.names, "stream")
        for batch in reader:
            for start in range(0, batch.num_rows, rows):
                piece = batch.slice(start, rows)
                yield piece if fields is None else piece.select(fields)


class _StreamWriter(PartWriter):
    """The schema before the first batch of the output, the end after the last."""

    def __init__(self, fields: Sequence[str] | None, types: Mapping[str, str]) -> None:
        super().__init__(fields, types)
        self._fields, self._declared = fields, types
        self._headed = False

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        super().open(stream, first=first, columns=columns)
        # Where no earlier part has fixed columns, none has written the schema: all of them were empty.
        self._headed = not first and columns is not None

    def encode_table(self, table: Any, /) -> object:
        import pyarrow

        # A message of a batch holds no categories, only their numbers.
        plain = [field.with_type(_plain(field.type)) for field in table.schema]
        return super().encode_table(table.cast(pyarrow.schema(plain)))

    def close(self, *, last: bool) -> None:
        """End the part, and with the last one the stream."""
        self._write_held()
        if last:
            if not self._headed:
                self._stream.write(memoryview(schema_of(self.columns, self._fields, self._declared).serialize()))
            self._stream.write(_END)

    def new_sink(self, stream: BinaryIO, schema: Any) -> Any:
        if not self._headed:
            self._headed = True
            stream.write(memoryview(schema.serialize()))
        return _Messages(stream)


def _plain(kind: Any) -> Any:
    """Return a type that holds the same without categories, wherever they stand."""
    return _plain(kind.value_type) if hasattr(kind, "index_type") else with_inner(kind, _plain)


class _Messages:
    """Writes batches as the messages of a stream that has begun."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, table: Any) -> None:
        for batch in table.to_batches() if hasattr(table, "to_batches") else [table]:
            self._stream.write(memoryview(batch.serialize()))
