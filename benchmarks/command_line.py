"""Claim: in bare interpreter starts, completion of a plugin's name among 1,000 takes at most 7, and ``plugline list`` of 1,000 at most 7.

Whole processes, with their bytecode written and the folder remembered before. The first listing, which remembers it, is
told beside. Run: ``python benchmarks/command_line.py``.
"""

import compileall
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import Claim, measure_commands, report

import plugline

_COUNT = 1_000
_PLUGIN = '''\
"""Plugin {number}: upper-case some fields."""

VERSION = "1.0"
FIELDS = ("name", "city")


def transform(record):
    return {{key: value.upper() if key in FIELDS and isinstance(value, str) else value for key, value in record.items()}}


def describe():
    return "upper: upper-cases name and city"
'''
_ROUNDS = 15


def _claims(folder: Path) -> list[Claim]:
    (folder / "plugins").mkdir()
    for number in range(_COUNT):
        (folder / f"plugins/plugin_{number:04}.py").write_text(_PLUGIN.format(number=number), encoding="utf-8")
    compileall.compile_dir(Path(plugline.__file__).parent, quiet=2)
    os.chdir(folder)
    os.environ["PLUGLINE_CACHE"] = str(folder / "cache")
    program = [sys.executable, "-m", "plugline"]
    sides = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "complete a name": [*program, "--complete", "processors", "run", "--use", "plugin_05"],
        "plugline list": [*program, "list"],
    }
    time.sleep(2.5)  # a file that was written just now is looked at again
    began = time.perf_counter()
    subprocess.run(sides["plugline list"], check=True, stdout=subprocess.DEVNULL)
    print(f"  the first listing took {time.perf_counter() - began:.2f} s on the clock")
    cpu, wall = measure_commands(sides, rounds=_ROUNDS)
    base = next(iter(sides))
    return [
        Claim(name=f"{side}, {_COUNT:,} plugins", side=side, base=base, limit=7, seconds=cpu, wall_seconds=wall)
        for side in list(sides)[1:]
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        code = report("command_line", _claims(Path(made)))
        os.chdir("/")
        sys.exit(code)
