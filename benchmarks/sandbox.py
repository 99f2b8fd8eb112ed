"""Claim: putting a process into a sandbox takes at most 2 ms, and a system call in it at most 1.3 times as long as outside.

Each round starts an interpreter as a worker is started, imports what a worker imports, and measures the one call.
Run: ``python benchmarks/sandbox.py``. An absolute claim: on a machine that is slow or busy it may not hold.
"""

import os
import subprocess
import sys
from pathlib import Path

from harness import Claim, report

import plugline

_ROUNDS = 41
_CALLS = 20_000
_APPLY = """
import os, sys, time
sys.path.append({root!r})
from plugline.worker import sandbox
from plugline.worker.limits import Sandbox
wall, cpu = time.perf_counter(), time.process_time()
sandbox.apply(Sandbox(), keep_fds=(1, 2))
print(time.process_time() - cpu, time.perf_counter() - wall)
"""
_CALL = """
import os, sys, time
sys.path.append({root!r})
from plugline.worker import sandbox
from plugline.worker.limits import Sandbox
reading, writing = os.pipe()
def calls():
    cpu = time.process_time()
    for _ in range({calls}):
        os.fstat(reading)
        os.getppid()
    return time.process_time() - cpu
calls()
outside = calls()
sandbox.apply(Sandbox(), keep_fds=(1, 2, reading))
print(outside, calls())
"""


def _measure(program: str) -> tuple[float, float]:
    root = str(Path(plugline.__file__).parents[1])
    program = program.format(root=root, calls=_CALLS)
    command = [sys.executable, "-I", "-S", "-c", program]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={}).stdout.split()
    return float(said[0]), float(said[1])


def _claims() -> list[Claim]:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    _measure(_APPLY)
    cold, called = [], []
    for _ in range(_ROUNDS):
        cold.append(_measure(_APPLY))
        called.append(_measure(_CALL))
    base, limit = "2 ms", [0.002] * _ROUNDS
    cpu = {
        base: limit,
        "apply, first in its process": [one[0] for one in cold],
    }
    wall = {
        base: limit,
        "apply, first in its process": [one[1] for one in cold],
    }
    calls = {"outside": [one[0] for one in called], "in a sandbox": [one[1] for one in called]}
    return [
        Claim(name=side, side=side, base=base, limit=1, seconds=cpu, wall_seconds=wall) for side in cpu if side != base
    ] + [Claim(name="forty thousand system calls", side="in a sandbox", base="outside", limit=1.3, seconds=calls)]


if __name__ == "__main__":
    sys.exit(report("sandbox", _claims()))
