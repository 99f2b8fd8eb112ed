"""Arrow IPC files (Feather): a table in columns as it is in memory, with types, readable from any place.

What ``parquet`` says of types holds here too.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, BinaryIO, Literal

from plugline.formats._tables import (
    ROWS_A_TABLE,
    PartWriter,
    TableReader,
    check_fields,
    part_tables,
    schema_of,
    seekable,
    unowned,
)
from plugline.records import Reader, Writer

SUFFIXES = (".arrow", ".feather", ".ipc")


def available() -> bool | str:
    """Say what is missing where pyarrow is not installed."""
    return find_spec("pyarrow") is not None or "it needs the package 'pyarrow': pip install 'plugline[tool]'"


@dataclass(kw_only=True, eq=False, repr=False)
class Arrow:
    """Arrow IPC files.

    Attributes:
        fields: Reading, the columns to read; all, unless set. Writing, the columns in order, which the first record
            fixes otherwise.
        types: Writing, the types of columns, which the first records fix otherwise; as for ``parquet``.
        compression: How batches are compressed.
    """

    fields: list[str] | None = None
    types: dict[str, str] = field(default_factory=dict)
    compression: Literal["zstd", "lz4", "none"] = "none"

    def reader(self) -> Reader:
        """Return a reader of the whole file."""
        return TableReader(lambda stream, rows: _tables(stream, rows, self.fields, None))

    def writer(self) -> Writer:
        """Return a writer of parts, which :meth:`assemble` puts together."""
        return PartWriter(self.fields, self.types)

    def pieces(self, stream: BinaryIO, wanted_bytes: int, /) -> Iterable[tuple[int, int]]:
        """Yield runs of batches of about ``wanted_bytes`` each, as if all were of one size."""
        import pyarrow  # when the format is named: it costs more than a short run

        size = stream.seek(0, 2)
        with pyarrow.ipc.open_file(stream) as file:
            count = file.num_record_batches
        step = max(1, count * wanted_bytes // max(size, 1))
        for start in range(0, max(count, 1), step):
            yield start, min(start + step, count)

    def piece_reader(self, start: int, end: int, /) -> Reader:
        """Return a reader of the batches from ``start`` to before ``end``."""
        return TableReader(lambda stream, rows: _tables(stream, rows, self.fields, range(start, end)))

    def assemble(self, parts: BinaryIO, stream: BinaryIO, /, *, columns: Sequence[str] | None) -> None:
        """Write one file of all parts: it has one footer, over all of them."""
        import pyarrow

        schema = schema_of(columns, self.fields, self.types)
        options = pyarrow.ipc.IpcWriteOptions(compression=None if self.compression == "none" else self.compression)
        with pyarrow.ipc.new_file(unowned(stream), schema, options=options) as writer:
            tables: Iterable[Any] = part_tables(parts, ROWS_A_TABLE)
            if any(map(pyarrow.types.is_dictionary, schema.types)):
                # A file has one dictionary a column, and each part its own; rows stay where they lie in the parts.
                tables = [
                    table.unify_dictionaries() for table in [pyarrow.concat_tables([schema.empty_table(), *tables])]
                ]
            for table in tables:
                writer.write_table(table)


def _tables(stream: BinaryIO, rows: int, fields: Sequence[str] | None, numbers: Iterable[int] | None) -> Iterator[Any]:
    import pyarrow

    with seekable(stream) as whole, pyarrow.ipc.open_file(whole) as file:
        check_fields(fields, file.schema.names, "file")
        for number in numbers if numbers is not None else range(file.num_record_batches):
            batch = file.get_batch(number)
            for start in range(0, batch.num_rows, rows):
                piece = batch.slice(start, rows)
                yield piece if fields is None else piece.select(fields)
