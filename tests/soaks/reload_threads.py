"""Eight threads call a plugin while it is reloaded: no call fails, none sees half of two versions, none waits for long.

Usage: python tests/soaks/reload_threads.py [RELOADS]

What a commit delays is measured as the processor time of the one slice in which no other thread runs, and of what
ends its transition: how long a call waits for the processor tells more of the machine.
"""

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plugline import Host
from plugline.reloading.plan import Plan

THREADS = 8
MOST_SLICE_SECONDS = 0.005

PLUGIN = '''
"""Version {version}."""
import functools
LIMIT = {top}

def first():
    return {version}

def logged(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)
    return wrapper

@logged
def second():
    return {version}

class Worker:
    def begin(self):
        return {version}

    @property
    def middle(self):
        return {version}

    @classmethod
    def end(cls):
        return {version}

    def work(self, count):
        found = [self.begin()]
        for number in range(count):
            found.append(first())
        found += [self.middle, second(), self.end(), self.begin()]
        return found

worker = Worker()

def transform(record):
    found = [first()]
    found += worker.work(record["count"])
    found.append(second())
    return found
'''


def write(folder: Path, version: int) -> None:
    # Every third edit is one of bodies only.
    (folder / "x.py").write_text(
        PLUGIN.replace('"""Version {version}."""\n', "").format(version=version, top=version // 3)
    )


@contextmanager
def measured_slices() -> Iterator[list[float]]:
    """Note how much processor time each slice takes in which nobody else runs."""
    slices: list[float] = []
    run = Plan.run

    def timed(self: Plan) -> None:
        start = time.thread_time()
        try:
            run(self)
        finally:
            slices.append(time.thread_time() - start)

    Plan.run = timed  # type: ignore[method-assign]
    try:
        yield slices
    finally:
        Plan.run = run  # type: ignore[method-assign]


def soak(folder: Path, reloads: int) -> tuple[int, Counter[str]]:
    """Return how many calls there were, and how many of them were not of one version, or failed."""
    write(folder, 0)
    faults: Counter[str] = Counter()
    counts = [0] * THREADS
    done = threading.Event()
    with Host(folder, interface=["transform"]) as host:
        module = host["x"].load()
        chain = host.chain("transform")
        transform, bound = module.transform, module.worker.work  # type: ignore[attr-defined]
        calls = [
            transform,
            lambda record: bound(record["count"]),
            chain,
            lambda record: host["x"].load().transform(record),  # type: ignore[attr-defined]
        ]

        def work(number: int) -> None:
            call = calls[number % len(calls)]
            while not done.is_set():
                try:
                    found = call({"count": number * 5})
                except Exception as error:  # noqa: BLE001 - what it is about
                    faults[f"raised {error!r}"] += 1
                else:
                    if len(set(found)) != 1:
                        faults[f"mixed: {found}"] += 1
                counts[number] += 1

        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            for version in range(1, reloads + 1):
                write(folder, version)
                report = host.reload("x")
                if report.how not in ("grafted", "adopted") or transform({"count": 1})[0] != version:
                    faults[f"not reloaded: {report}"] += 1
        finally:
            done.set()
            for thread in threads:
                thread.join()
    return sum(counts), faults


def main() -> None:
    """Run it, and say what came of it."""
    reloads = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        plugins = Path(folder) / "plugins"
        plugins.mkdir()
        with measured_slices() as slices:
            calls, faults = soak(plugins, reloads)
    print(f"{reloads} reloads, {calls:,} calls in {THREADS} threads, {time.perf_counter() - start:.0f} s")
    slices.sort()
    print(
        f"slices in which nobody else runs: median {slices[len(slices) // 2] * 1000:.2f}, longest {slices[-1] * 1000:.2f} ms"
    )
    if slices[-1] > MOST_SLICE_SECONDS:
        faults[f"a slice of {slices[-1] * 1000:.1f} ms"] += 1
    for fault, count in faults.most_common(20):
        print(f"{count} x {fault[:300]}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
