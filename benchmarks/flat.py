"""Claim: what a record costs does not depend on how many there are: the CPU of each within 10 %, the memory within 5 MiB.

NDJSON to NDJSON through trim and upper, from 100 thousand records to 20 million, in one process and in two split processes,
after what a run of one record costs was taken off. Memory is the largest resident set of the process that the run is, read
while it runs from ``/proc``, with its split processes each for themselves. Run: ``python benchmarks/flat.py SIZE...``;
without sizes 100 thousand, 1 and 2 million, for the whole claim ``python benchmarks/flat.py 100000 1000000 5000000 20000000``,
which needs 12 GB in ``--folder``.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from data import order_lines
from harness import machine_label
from run_ndjson import write_pipeline

_SIZES = (100_000, 1_000_000, 2_000_000)
_SPREAD = 0.10
_GROWTH_BYTES = 5 * 2**20
_ORDERS_A_PIECE = 10_000


@dataclass(frozen=True, slots=True)
class _Run:
    """What one run took.

    Attributes:
        cpu_seconds: User and system, of all its processes.
        peaks: The largest resident set of the run itself, and of the largest of its split processes, in bytes.
    """

    cpu_seconds: float
    peaks: tuple[int, int]


def _write_orders(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for start in range(0, count, _ORDERS_A_PIECE):
            stream.writelines(order_lines(start, min(start + _ORDERS_A_PIECE, count)))


def _peak_of(pid: int) -> int:
    """Return the largest resident set of a process so far, without what it shares with others where that is not its own."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else 0


def _children_of(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _run(pipeline: Path) -> _Run:
    process = subprocess.Popen([sys.executable, "-m", "plugline", "run", "--quiet", str(pipeline)])
    own = split = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        own = max(own, _peak_of(process.pid))
        split = max([split, *map(_peak_of, _children_of(process.pid))])
        time.sleep(0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"the run ended with {process.returncode}"
    return _Run(usage.ru_utime + usage.ru_stime, (own, split))


def _measured(folder: Path, count: int, processes: int, rounds: int) -> list[_Run]:
    source = folder / f"orders-{count}.ndjson"
    if not source.exists():
        _write_orders(source, count)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        pipeline = write_pipeline(Path(name), source)
        text = pipeline.read_text(encoding="utf-8")
        pipeline.write_text(f"{text}\n[run]\nprocesses = {processes}\n", encoding="utf-8")
        return [_run(pipeline) for _ in range(rounds)]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=_SIZES)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where there is room; default: that for temporary files"
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as in run_ndjson.py
    holds = True
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        print(f"flat: {machine_label()}, load {os.getloadavg()[0]:.1f}")
        for processes in (1, 2):
            start = statistics.median(one.cpu_seconds for one in _measured(folder, 1, processes, options.rounds))
            costs: list[float] = []
            peaks: list[tuple[int, int]] = []
            for count in options.sizes:
                runs = _measured(folder, count, processes, options.rounds)
                costs.append((statistics.median(one.cpu_seconds for one in runs) - start) / count)
                peaks.append((max(one.peaks[0] for one in runs), max(one.peaks[1] for one in runs)))
                shown = " and ".join(f"{peak / 2**20:.1f} MiB" for peak in peaks[-1] if peak)
                print(f"    {processes} process(es) {count:>12,} records {costs[-1] * 1e6:6.2f} us each, {shown}")
                if processes == 2:
                    (folder / f"orders-{count}.ndjson").unlink()  # the largest need not lie beside each other
            middle = statistics.median(costs)
            flat = all(abs(cost / middle - 1) <= _SPREAD for cost in costs)
            grown = max(max(one) - min(one) for one in zip(*peaks, strict=True))
            holds = holds and flat and grown <= _GROWTH_BYTES
            print(
                f"    CPU from {min(costs) / middle - 1:+.1%} to {max(costs) / middle - 1:+.1%} of the median, claimed 10 %: "
                f"{'holds' if flat else 'DOES NOT HOLD'}; memory grows by {grown / 2**20:.1f} MiB, claimed at most "
                f"{_GROWTH_BYTES / 2**20:.0f}: {'holds' if grown <= _GROWTH_BYTES else 'DOES NOT HOLD'}"
            )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
