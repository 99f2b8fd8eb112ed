"""Claim: a run from NDJSON to NDJSON by way of two plugins takes at most 1.10 times the CPU of the loop written by hand.

Whole processes, start and end included, one process each, the same bytes out. The hand-written loop (``hand_loop.py``)
guards nothing and keeps nothing that fails. Run: ``python benchmarks/run_ndjson.py``.
"""

import os
import sys
import tempfile
from pathlib import Path

from data import orders_file
from harness import Claim, measure_commands, report

_ORDERS = 400_000  # 115 MB: the start of the process is 3 % of what is measured
_ROUNDS = 9
_HERE = Path(__file__).parent

# The functions of hand_loop.py, as somebody would drop them into a folder.
_PLUGIN = '''"""{summary}."""

VERSION = "1.0"


def transform(record):
    return {{key: value.{method}() if isinstance(value, str) else value for key, value in record.items()}}


def describe():
    return "{summary}"
'''

_PIPELINE = """\
[source]
path = "{source}"

[[steps]]
use = "trim"

[[steps]]
use = "upper"

[sink]
path = "ours.ndjson"
"""


def write_pipeline(folder: Path, source: Path) -> Path:
    """Write the pipeline and its two plugins; returns the pipeline file."""
    (folder / "plugins").mkdir()
    for name, method, summary in (("trim", "strip", "Strip white space"), ("upper", "upper", "Upper case")):
        (folder / "plugins" / f"{name}.py").write_text(_PLUGIN.format(summary=summary, method=method), encoding="utf-8")
    pipeline = folder / "pipeline.toml"
    pipeline.write_text(_PIPELINE.format(source=source), encoding="utf-8")
    return pipeline


def _claims() -> list[Claim]:
    # An installed package has its bytecode beside it; without, each start would compile all of plugline.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    source = orders_file(Path(tempfile.gettempdir()) / "plugline-benchmarks", _ORDERS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipeline = write_pipeline(folder, source)
        by_hand = folder / "by-hand.ndjson"
        sides = {
            "by hand": [sys.executable, str(_HERE / "hand_loop.py"), str(source), str(by_hand)],
            "plugline run": [sys.executable, "-m", "plugline", "run", "--quiet", str(pipeline)],
        }
        cpu, wall = measure_commands(sides, rounds=_ROUNDS)
        assert (folder / "ours.ndjson").read_bytes() == by_hand.read_bytes(), "the two outputs differ"
    name = f"{_ORDERS:,} orders, trim and upper, one process"
    return [Claim(name=name, side="plugline run", base="by hand", limit=1.10, seconds=cpu, wall_seconds=wall)]


if __name__ == "__main__":
    sys.exit(report("run_ndjson", _claims()))
