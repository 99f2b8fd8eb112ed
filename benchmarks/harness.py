"""Two or more ways of doing the same thing to the ratio of their times, with the machine that it was measured on.

The sides take turns, so that a machine that gets slower slows all of them, and a ratio is the median of
the ratios of single rounds. Times are CPU seconds: others may be using the machine.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNS = Path(__file__).parent / "runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What was measured and what is claimed of it.

    Attributes:
        name: What it is about, for people.
        side: The side that the claim is about.
        base: The side that it is compared with.
        limit: The claim: ``side`` takes at most this many times as long as ``base``.
        seconds: The CPU seconds of each side, by round.
        wall_seconds: The same on the clock on the wall, where that was measured.
    """

    name: str
    side: str
    base: str
    limit: float
    seconds: Mapping[str, Sequence[float]]
    wall_seconds: Mapping[str, Sequence[float]] | None = None

    @property
    def ratio(self) -> float:
        """The median over the rounds of ``side`` divided by ``base``."""
        return statistics.median(ours / theirs for ours, theirs in zip(*self._sides(), strict=True))

    @property
    def holds(self) -> bool:
        """Whether the ratio is within the limit."""
        return self.ratio <= self.limit

    def _sides(self) -> tuple[Sequence[float], Sequence[float]]:
        return self.seconds[self.side], self.seconds[self.base]


def measure_calls(sides: Mapping[str, Callable[[], object]], *, rounds: int = 31) -> dict[str, list[float]]:
    """Call each side once a round, in turn, after one round that does not count. Returns CPU seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for number in range(-1, rounds):
        for name in order:
            began = time.thread_time_ns()
            sides[name]()
            ended = time.thread_time_ns()
            if number >= 0:
                seconds[name].append((ended - began) / 1e9)
        order.append(order.pop(0))  # nobody is always the first
    return seconds


def measure_commands(
    sides: Mapping[str, Sequence[str]], *, rounds: int = 15
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Run each command once a round, in turn, after one round that does not count.

    Returns CPU seconds (user and system, with the processes it waited for) and wall seconds.
    """
    cpu: dict[str, list[float]] = {name: [] for name in sides}
    wall: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for number in range(-1, rounds):
        for name in order:
            began = time.perf_counter()
            process = subprocess.Popen(sides[name], stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            ended = time.perf_counter()
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                sys.exit(f"{name}: {sides[name]} ended with {process.returncode}")
            if number >= 0:
                cpu[name].append(usage.ru_utime + usage.ru_stime)
                wall[name].append(ended - began)
        order.append(order.pop(0))
    return cpu, wall


def machine_label() -> str:
    """Name the kind of machine, not the machine: ``linux-x86_64-2cpu``."""
    return f"{platform.system()}-{platform.machine()}-{_processors()}cpu".lower()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def report(name: str, claims: Sequence[Claim], argv: Sequence[str] | None = None) -> int:
    """Print each claim with its numbers; with ``--save`` keep the raw ones too.

    Args:
        name: The name of the benchmark, and of its file of raw numbers.
        claims: What was measured.
        argv: The command line, by default the program's.

    Returns:
        The exit code: 1 when a claim does not hold.
    """
    parser = argparse.ArgumentParser(description="Measure, print, and compare with what we claim.")
    parser.add_argument("--save", action="store_true", help="keep the raw numbers in benchmarks/runs/")
    arguments = parser.parse_args(argv)
    print(f"{name}: {_cpu_model()}, {machine_label()}, Python {platform.python_version()}")
    printed: list[object] = []
    for claim in claims:
        print(f"  {claim.name}")
        for side, seconds in claim.seconds.items():
            if any(seconds is other for other in printed):
                continue  # several claims may be about one measurement
            printed.append(seconds)
            spread = f"{min(seconds) * 1e3:.2f} to {max(seconds) * 1e3:.2f}"
            print(f"    {side:<24} {statistics.median(seconds) * 1e3:10.2f} ms ({spread}, {len(seconds)} rounds)")
        verdict = "holds" if claim.holds else "DOES NOT HOLD"
        print(f"    {claim.side} / {claim.base} = {claim.ratio:.3f}, claimed at most {claim.limit:.2f}: {verdict}")
    if arguments.save:
        print(f"  raw numbers: {_save(name, claims)}")
    return 0 if all(claim.holds for claim in claims) else 1


def _save(name: str, claims: Sequence[Claim]) -> Path:
    today = datetime.datetime.now(tz=datetime.UTC).date()
    folder = RUNS / f"{today}-{machine_label()}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    content = {
        "benchmark": name,
        "cpu": _cpu_model(),
        "machine": machine_label(),
        "python": platform.python_version(),
        "claims": [
            {
                "name": claim.name,
                "side": claim.side,
                "base": claim.base,
                "limit": claim.limit,
                "ratio": claim.ratio,
                "holds": claim.holds,
                "cpu_seconds": dict(claim.seconds),
                "wall_seconds": dict(claim.wall_seconds) if claim.wall_seconds is not None else None,
            }
            for claim in claims
        ],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
