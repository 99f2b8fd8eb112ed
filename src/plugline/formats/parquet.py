"""Parquet: a table in columns, with types.

Reading and writing keep the types of values: whole numbers, floats, ``Decimal``, dates, dates with a time and a zone,
bytes, text, truth values, no value, lists and tables in tables. A value that its column cannot hold is an
error of its record, and never changed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

from plugline.formats._tables import (
    PartWriter,
    TableReader,
    check_fields,
    part_tables,
    schema_of,
    seekable,
    unowned,
)
from plugline.records import Reader, Writer

SUFFIXES = (".parquet", ".pq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parquet:
    """Parquet.

    Attributes:
        fields: Reading, the columns to read; all, unless set. Writing, the columns in order, which the first record
            fixes otherwise.
        types: Writing, the types of columns, which the first records fix otherwise: ``str``, ``int``, ``float``,
            ``bool``, ``decimal(12, 2)``, ``date``, ``datetime``, ``datetime(Europe/Lisbon)``, ``time``, ``bytes``,
            ``list(int)``, or a name that Arrow has, such as ``int32``.
        compression: How columns are compressed.
        row_group_rows: How many rows stand together in the file, which is the unit that readers share work in.
    """

    fields: list[str] | None = None
    types: dict[str, str] = field(default_factory=dict)
    compression: Literal["snappy", "zstd", "gzip", "lz4", "brotli", "none"] = "zstd"
    row_group_rows: int = 65_536

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
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
        return PartWriter(self.fields, self.types, writes=_refuse_empty_tables)

    def pieces(self, stream: BinaryIO, wanted_bytes: int, /) -> Iterable[tuple[int, int]]:
        """Yield runs of row groups of about ``wanted_bytes`` each."""
        import pyarrow.parquet  # noqa: PLC0415 - when the format is named: it costs more than a short run

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
        import pyarrow.parquet  # noqa: PLC0415

        schema = schema_of(columns, self.fields, self.types)
        compression = None if self.compression == "none" else self.compression
        with pyarrow.parquet.ParquetWriter(unowned(stream), schema, compression=compression) as writer:
            for table in part_tables(parts, self.row_group_rows):
                writer.write_table(table, self.row_group_rows)


def _refuse_empty_tables(name: str, kind: Any) -> None:
    """Refuse a column of tables that have got no field from any record.

    Raises:
        ValueError: It is one, or has one in it.
    """
    import pyarrow  # noqa: PLC0415

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
    import pyarrow.parquet  # noqa: PLC0415

    with seekable(stream) as whole, pyarrow.parquet.ParquetFile(whole) as file:
        check_fields(fields, file.schema_arrow.names, "file")
        groups = None if row_groups is None else list(row_groups)
        for batch in file.iter_batches(rows, row_groups=groups, columns=fields):
            # The file's own order comes out, whatever was asked for.
            yield batch if fields is None else batch.select(fields)
