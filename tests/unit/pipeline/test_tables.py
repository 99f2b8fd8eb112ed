"""Runs whose steps take tables."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.builders import ndjson, pipeline, processor

_DOUBLE = '''"""Double a column."""

import pyarrow.compute


def transform_batch(table):
    at = table.schema.get_field_index("n")
    return table.set_column(at, "n", pyarrow.compute.multiply(table.column("n"), 2))


def describe():
    return "double: doubles n"
'''

_NEGATIVE = '''"""Refuse tables with a negative number."""

from dataclasses import dataclass


@dataclass
class Positive:
    least: int = 0

    def transform_batch(self, table):
        smallest = min(table.column("n").to_pylist())
        if smallest < self.least:
            raise ValueError(f"{smallest} is less than {self.least}")
        return table

    def describe(self):
        return "positive"
'''


def parquet(path: Path, count: int) -> None:
    table = pyarrow.table({"n": range(count), "text": [f"row {n}" for n in range(count)]})
    pyarrow.parquet.write_table(table, path, row_group_size=1000)


def test_parquet_goes_through_a_table_step_into_parquet_with_all_its_types(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "n": pyarrow.array([1, 2, None], pyarrow.int32()),
            "at": pyarrow.array([1, 2, 3], pyarrow.timestamp("ns", "Europe/Lisbon")),
            "kind": pyarrow.array(["a", "b", "a"]).dictionary_encode(),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    job = pipeline(
        tmp_path, plugins={"double.py": _DOUBLE}, source_path="in.parquet", steps=["double"], sink="out.parquet"
    )
    report = job.run()
    assert (report.records_in, report.records_out) == (3, 3)
    found = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert found.column("n").to_pylist() == [2, 4, None]
    assert found.drop_columns("n").equals(table.drop_columns("n"))


def test_a_conversion_from_parquet_to_parquet_keeps_what_python_could_not_hold(tmp_path: Path) -> None:
    table = pyarrow.table({"at": pyarrow.array([1, 2, 3], pyarrow.timestamp("ns"))})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    pipeline(tmp_path, source_path="in.parquet", sink="out.parquet").run()
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").equals(table)
    job = pipeline(tmp_path, source_path="in.parquet", sink="out.ndjson", run='max_errors = "none"')
    assert job.run().failed == 3
    assert "Python cannot hold" in str(job.dead_letters[0]["error"])


def test_row_steps_and_table_steps_alternate_from_and_to_any_format(tmp_path: Path) -> None:
    job = pipeline(
        tmp_path,
        plugins={
            "double.py": _DOUBLE,
            "plus.py": processor('record["n"] += 1\nreturn record'),
            "positive.py": _NEGATIVE,
        },
        source=ndjson(*({"n": n} for n in (1, -5, 2, 3))),
        steps=["plus", "double", 'use = "positive"\nwith = { least = 1 }', "plus"],
        sink="out.csv",
    )
    report = job.run()
    assert job.output == b"n\n5\n7\n9\n"
    assert report.failed == 1
    (letter,) = job.dead_letters
    assert (letter["record"], letter["step"]["name"]) == ({"n": -8}, "positive")  # type: ignore[index]


def test_a_dead_letter_of_a_first_table_step_has_the_row_of_the_file(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"n": [1, -2, 3]}), tmp_path / "in.parquet")
    job = pipeline(
        tmp_path, plugins={"positive.py": _NEGATIVE}, source_path="in.parquet", steps=["positive"], sink="out.parquet"
    )
    job.run()
    (letter,) = job.dead_letters
    assert letter["record"] == {"n": -2}
    assert letter["position"]["row"] == 2  # type: ignore[index]
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pydict() == {"n": [1, 3]}


def test_settings_of_a_table_processor_are_checked_like_any_others(tmp_path: Path) -> None:
    from plugline.errors import ConfigurationError

    job = pipeline(
        tmp_path,
        plugins={"positive.py": _NEGATIVE},
        source=b"{}\n",
        steps=['use = "positive"\nwith = { leest = 1 }'],
    )
    with pytest.raises(ConfigurationError, match="unknown key 'leest'"):
        job.run()


_POLARS = '''"""Filter by Polars."""

import polars


def transform_batch(table):
    frame = polars.from_arrow(table).lazy()
    return frame.filter(polars.col("n") % 2 == 0).with_columns(text=polars.col("text").str.to_uppercase())


def describe():
    return "by_polars"
'''

_DUCKDB = '''"""Compute by DuckDB."""

import duckdb

connection = duckdb.connect()


def transform_batch(table):
    return connection.sql("SELECT n * 10 AS n, text || '!' AS text FROM \\"table\\" ORDER BY n")


def describe():
    return "by_duckdb"
'''


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_table_step_may_call_polars_and_another_one_duckdb(tmp_path: Path, processes: int) -> None:
    if find_spec("polars") is None or find_spec("duckdb") is None:
        pytest.skip("needs polars and duckdb")
    parquet(tmp_path / "in.parquet", 10_000)
    job = pipeline(
        tmp_path,
        plugins={"by_polars.py": _POLARS, "by_duckdb.py": _DUCKDB},
        source_path="in.parquet",
        steps=["by_polars", "by_duckdb"],
        sink="out.parquet",
        run=f"processes = {processes}",
    )
    # In a process of its own: both keep threads and files for good.
    command = [sys.executable, "-m", "plugline", "run", "-q", str(job.folder / "pipeline.toml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pydict()
    assert found == {"n": [n * 10 for n in range(0, 10_000, 2)], "text": [f"ROW {n}!" for n in range(0, 10_000, 2)]}
