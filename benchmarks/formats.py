"""Claim: CSV to CSV and Parquet to Parquet take at most 1.10 times the CPU of the pair of loops written by hand.

And a step that takes tables, from Parquet to Parquet, at most 1.10 times a bare loop of pyarrow. Whole processes, start and
end included, one process each, the same records out. The loops by hand (``hand_formats.py``) guard nothing and keep
nothing that fails. Run: ``python benchmarks/formats.py``.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from data import orders_file
from harness import Claim, measure_commands, report

_ORDERS = int(os.environ.get("ORDERS", "1000000"))
_ROUNDS = int(os.environ.get("ROUNDS", "9"))
_HERE = Path(__file__).parent

_STEP = '''"""{summary}."""


def transform(record):
    return {{key: value.{method}() if isinstance(value, str) else value for key, value in record.items()}}


def describe():
    return "{summary}"
'''

_TABLE_STEP = '''"""Upper case, by columns."""

import pyarrow
import pyarrow.compute


def transform_batch(table):
    for index, field in enumerate(table.schema):
        if pyarrow.types.is_string(field.type):
            column = pyarrow.compute.utf8_upper(pyarrow.compute.utf8_trim_whitespace(table.column(index)))
            table = table.set_column(index, field, column)
    return table


def describe():
    return "upper_columns: trims and upper-cases columns of text"
'''

_TYPES = 'types = { id = "int", total = "float", express = "bool" }'


def _prepare(folder: Path) -> None:
    """Write the inputs, without the nested field, which a table of text cannot hold, and the plugins."""
    import csv

    import orjson
    import pyarrow
    import pyarrow.parquet

    (folder / "plugins").mkdir()
    for name, method, summary in (("trim", "strip", "Strip white space"), ("upper", "upper", "Upper case")):
        (folder / "plugins" / f"{name}.py").write_text(_STEP.format(summary=summary, method=method), encoding="utf-8")
    (folder / "plugins" / "upper_columns.py").write_text(_TABLE_STEP, encoding="utf-8")
    source = orders_file(Path(tempfile.gettempdir()) / "plugline-benchmarks", _ORDERS)
    with source.open("rb") as lines:
        records = [orjson.loads(line) for line in lines]
    for record in records:
        del record["items"]
    with (folder / "orders.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(records[0])
        writer.writerows(
            [str(value).lower() if isinstance(value, bool) else value for value in record.values()]
            for record in records
        )
    table = pyarrow.Table.from_pylist(records)
    pyarrow.parquet.write_table(table, folder / "orders.parquet", compression="zstd", row_group_size=65_536)


def _pipeline(folder: Path, name: str, source: str, more: str, steps: tuple[str, ...], sink: str) -> list[str]:
    text = f'[source]\npath = "{source}"\n{more}\n'
    text += "".join(f'[[steps]]\nuse = "{step}"\n' for step in steps)
    text += f'[sink]\npath = "{sink}"\n[run]\nprocesses = 1\n'
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return [sys.executable, "-m", "plugline", "run", "--quiet", str(path)]


def _same_bytes(one: Path, other: Path) -> None:
    assert one.read_bytes() == other.read_bytes(), f"{one} and {other} differ"


def _same_table(one: Path, other: Path) -> None:
    import pyarrow.parquet

    assert pyarrow.parquet.read_table(one).equals(pyarrow.parquet.read_table(other)), f"{one} and {other} differ"


_CASES: tuple[tuple[str, str, str, tuple[str, ...], Callable[[Path, Path], None]], ...] = (
    ("csv", "csv", "", ("trim", "upper"), _same_bytes),
    ("typed csv", "csv", f"options = {{ {_TYPES} }}", ("trim", "upper"), _same_bytes),
    ("parquet", "parquet", "", ("trim", "upper"), _same_table),
    ("table step", "parquet", "", ("upper_columns",), _same_table),
)


def _claims() -> list[Claim]:
    # An installed package has its bytecode beside it; without, each start would compile all of plugline.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    claims = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder)
        chosen = os.environ.get("CASES", "").split(",") if os.environ.get("CASES") else [case[0] for case in _CASES]
        for what, suffix, more, steps, compare in (case for case in _CASES if case[0] in chosen):
            source, ours, by_hand = (folder / f"{stem}.{suffix}" for stem in ("orders", "ours", "by-hand"))
            sides = {
                "by hand": [sys.executable, str(_HERE / "hand_formats.py"), what, str(source), str(by_hand)],
                "plugline run": _pipeline(folder, what.replace(" ", "-"), source.name, more, steps, ours.name),
            }
            cpu, wall = measure_commands(sides, rounds=_ROUNDS)
            compare(ours, by_hand)
            title = f"{_ORDERS:,} orders, {what}, {' and '.join(steps)}, one process"
            claims.append(
                Claim(name=title, side="plugline run", base="by hand", limit=1.10, seconds=cpu, wall_seconds=wall)
            )
    return claims


if __name__ == "__main__":
    sys.exit(report("formats", _claims()))
