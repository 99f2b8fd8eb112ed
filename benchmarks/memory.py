"""Claim: the peak memory of a run does not grow with its input: within 5 MiB from 100 thousand to 5 million records.

The peak is the largest resident set that the kernel saw of the whole process. One record in a hundred is broken, so
that dead letters are part of it. Run: ``python benchmarks/memory.py FOLDER``, with room for 0.6 GB in the folder, or
``--full`` for all 5 million records and 3 GB.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from data import order_lines
from harness import machine_label
from run_ndjson import write_pipeline

_SIZES = (100_000, 1_000_000)
_FULL_SIZES = (100_000, 1_000_000, 5_000_000)
_LIMIT_BYTES = 5 * 2**20
_ROUNDS = 3
_ORDERS_A_PIECE = 1_000  # small, so that this process stays smaller than what it measures


def _write_orders(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for start in range(0, count, _ORDERS_A_PIECE):
            lines = list(order_lines(start, min(start + _ORDERS_A_PIECE, count)))
            lines[::100] = ["{broken}\n"] * len(lines[::100])
            stream.writelines(lines)


def _peak_bytes(pipeline: Path) -> int:
    command = [sys.executable, "-m", "plugline", "run", "--quiet", str(pipeline)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 1, f"expected an end with dead letters, got {process.returncode}"
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _peaks(folder: Path, count: int) -> list[int]:
    source = folder / f"orders-{count}.ndjson"
    _write_orders(source, count)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            pipeline = write_pipeline(Path(name), source)
            peaks = [_peak_bytes(pipeline) for _ in range(_ROUNDS)]
            with (Path(name) / "ours.ndjson").open("rb") as stream:
                arrived = sum(1 for _ in stream)
            assert arrived == count - count // 100, f"{arrived:,} records of {count:,} arrived"
            return peaks
    finally:
        source.unlink()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(tempfile.gettempdir()))
    parser.add_argument("--full", action="store_true", help="up to 5 million records")
    options = parser.parse_args(argv)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as in run_ndjson.py
    print(f"memory: {machine_label()}")
    peaks = []
    for count in _FULL_SIZES if options.full else _SIZES:
        rounds = _peaks(options.folder, count)
        peaks.append(max(rounds))
        shown = ", ".join(f"{peak / 2**20:.1f}" for peak in rounds)
        print(f"    {count:>9,} records {max(rounds) / 2**20:8.1f} MiB ({shown})")
    grown = max(peaks) - min(peaks)
    verdict = "holds" if grown <= _LIMIT_BYTES else "DOES NOT HOLD"
    print(f"    difference {grown / 2**20:.1f} MiB, claimed at most {_LIMIT_BYTES / 2**20:.0f} MiB: {verdict}")
    return 0 if grown <= _LIMIT_BYTES else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
