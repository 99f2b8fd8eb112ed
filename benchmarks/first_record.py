"""Claim: from the start of the process to the end of a run of one record takes at most 2.7 times as long as ``import orjson``.

Whole processes, with their bytecode written before: NDJSON to NDJSON by way of two plugins of a folder that has been looked at
before, in this process and, which is the default, in a split process. Run: ``python benchmarks/first_record.py``.
"""

import compileall
import itertools
import os
import sys
import tempfile
from pathlib import Path

from data import order_lines
from harness import Claim, measure_commands, report
from run_ndjson import write_pipeline

import plugline

_ROUNDS = int(os.environ.get("ROUNDS", "31"))


def _claims(folder: Path) -> list[Claim]:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(Path(plugline.__file__).parent, quiet=2)  # as an installer does
    (folder / "orders.ndjson").write_text("".join(itertools.islice(order_lines(0, 1), 1)), encoding="utf-8")
    pipeline = write_pipeline(folder, Path("orders.ndjson"))
    alone = folder / "alone.toml"
    alone.write_text(pipeline.read_text(encoding="utf-8") + "\n[run]\nprocesses = 1\n", encoding="utf-8")
    program = [sys.executable, "-m", "plugline", "run", "--quiet"]
    base = "import orjson"
    sides = {
        base: [sys.executable, "-c", base],
        "one process": [*program, str(alone)],
        "a split process": [*program, str(pipeline)],
    }
    cpu, wall = measure_commands(sides, rounds=_ROUNDS)
    return [
        Claim(name=f"one record, {side}", side=side, base=base, limit=2.7, seconds=cpu, wall_seconds=wall)
        for side in sides
        if side != base
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.exit(report("first_record", _claims(Path(made))))
