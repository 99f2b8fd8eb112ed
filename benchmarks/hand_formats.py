"""The yardstick: what somebody who knows the libraries writes by hand to trim and upper-case CSV and Parquet.

One process, no plugin, no check of a record, nothing set aside. CSV: ``csv.reader`` and ``dict(zip)`` in, ``csv.writer`` out.
Parquet: columns to lists and ``zip`` in, an array of structs out. A table step: ``iter_batches`` in, ``write_table`` out.
"""

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from hand_loop import trim, upper

Record: TypeAlias = dict[str, Any]


def csv_pair(source: Path, target: Path) -> None:
    with (
        source.open(encoding="utf-8", newline="") as reader,
        target.open("w", encoding="utf-8", newline="") as writer,
    ):
        rows = csv.reader(reader)
        names = next(rows)
        out = csv.writer(writer, lineterminator="\n")
        out.writerow(names)
        out.writerows(upper(trim(dict(zip(names, row, strict=False)))).values() for row in rows)


_TRUTH = {"true": True, "false": False}
_TYPES: dict[str, Callable[[str], object]] = {"id": int, "total": float, "express": _TRUTH.__getitem__}


def typed_csv_pair(source: Path, target: Path) -> None:
    typed = list(_TYPES.items())
    with (
        source.open(encoding="utf-8", newline="") as reader,
        target.open("w", encoding="utf-8", newline="") as writer,
    ):
        rows = csv.reader(reader)
        names = next(rows)
        out = csv.writer(writer, lineterminator="\n")
        out.writerow(names)
        for row in rows:
            record: Record = dict(zip(names, row, strict=False))
            for name, convert in typed:
                text = record[name]
                record[name] = convert(text) if text else None
            record = upper(trim(record))
            # true and false as they came, and not as Python has them
            record["express"] = "true" if record["express"] else "false"
            out.writerow(record.values())


def parquet_pair(source: Path, target: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(source)
    kind = pyarrow.struct(list(file.schema_arrow))
    names = file.schema_arrow.names
    with pyarrow.parquet.ParquetWriter(target, file.schema_arrow, compression="zstd") as writer:
        for records in _records(file, names):
            made = [upper(trim(record)) for record in records]
            writer.write_batch(pyarrow.RecordBatch.from_struct_array(pyarrow.array(made, type=kind)))


def _records(file: Any, names: list[str]) -> Iterator[Iterator[Record]]:
    for batch in file.iter_batches():
        columns = [column.to_pylist() for column in batch.columns]
        yield (dict(zip(names, row, strict=False)) for row in zip(*columns, strict=False))


def table_step(source: Path, target: Path) -> None:
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(source)
    with pyarrow.parquet.ParquetWriter(target, file.schema_arrow, compression="zstd") as writer:
        for batch in file.iter_batches():
            table = pyarrow.Table.from_batches([batch])
            for index, field in enumerate(table.schema):
                if pyarrow.types.is_string(field.type):
                    column = pyarrow.compute.utf8_upper(pyarrow.compute.utf8_trim_whitespace(table.column(index)))
                    table = table.set_column(index, field, column)
            writer.write_table(table)


_PAIRS = {"csv": csv_pair, "typed csv": typed_csv_pair, "parquet": parquet_pair, "table step": table_step}

if __name__ == "__main__":
    _PAIRS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
