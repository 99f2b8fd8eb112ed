"""Claim: on two workers of one machine, work takes at most 1.2 times that of ``local`` on Dask, 1.3 on Ray, 2.5 on Spark.

The same pipeline, NDJSON through trim and upper, the same bytes out. Work is what comes after the first split is asked for; all
before it is start-up, and told apart: the import of the engine, its cluster, plugins loaded by its workers. Told besides: CPU of
all processes together while they work, memory of all of them and of the one that drives the run, and what a split costs that.
Run: ``python benchmarks/engines.py [ENGINE ...]``, in an environment with ``plugline[dask,ray,spark]``; ``ORDERS=1000000`` and
``ROUNDS=5`` in the environment for the size of the claim.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from data import orders_file
from harness import machine_label
from run_ndjson import write_pipeline

from plugline.pipeline.config import read_config
from plugline.pipeline.plan import make_plan
from plugline.pipeline.run import PlanRun, run_plan

_ORDERS = int(os.environ.get("ORDERS", "200000"))
_ROUNDS = int(os.environ.get("ROUNDS", "3"))
_LIMITS = {"local": 1.0, "dask": 1.2, "ray": 1.3, "spark": 2.5}
_MODULES = {"dask": "distributed", "ray": "ray", "spark": "pyspark"}
_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLED_SECONDS = 0.5


# ----------------------------------------------------------------------------- one run, in a process of its own


def _tree() -> list[int]:
    """Return this process and all below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [os.getpid()]
    while todo:
        found.append(pid := todo.pop())
        todo += parents.get(pid, [])
    return found


def _cpu_seconds(pid: int | str) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:13])) / _TICKS


def _memory_bytes(pid: int | str) -> int:
    """Return its share of memory: what several processes use together is divided among them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


class _Watched:
    """Notes when work begins and ends, and the most memory in between."""

    def __init__(self) -> None:
        self.began = 0.0
        self.began_cpu = (0.0, 0.0)
        self.splits = 0
        self.most_bytes = 0
        self._sampled_cpu = (
            0.0  # what looking at memory costs, which is nobody's work: more, the more processes there are
        )
        self._over = threading.Event()
        self._sampling = threading.Thread(target=self._sample, daemon=True)

    def begin(self) -> None:
        if not self.began:
            self.began_cpu = self._cpu()
            self.began = time.perf_counter()
            self._sampling.start()

    def _cpu(self) -> tuple[float, float]:
        return sum(map(_cpu_seconds, _tree())), time.process_time()

    def _sample(self) -> None:
        while not self._over.wait(_SAMPLED_SECONDS):
            self.most_bytes = max(self.most_bytes, sum(map(_memory_bytes, _tree())))
            self._sampled_cpu = time.thread_time()

    def end(self) -> dict[str, float]:
        seconds = time.perf_counter() - self.began
        cpu, own = (after - before for after, before in zip(self._cpu(), self.began_cpu, strict=True))
        own, cpu = own - self._sampled_cpu, cpu - self._sampled_cpu
        self._over.set()
        self._sampling.join()
        self.most_bytes = max(self.most_bytes, sum(map(_memory_bytes, _tree())))
        return {
            "work": seconds,
            "cpu": cpu,
            "driver_cpu": own / max(self.splits, 1),
            "memory": self.most_bytes,
            "driver_memory": _memory_bytes("self"),
        }


def _child(path: str) -> None:
    """Run a pipeline and print what it took."""
    watched = _Watched()
    sent = PlanRun._sent  # noqa: SLF001 - called when an engine asks for a split

    def sent_first(run: PlanRun, cut: object) -> object:
        watched.begin()
        watched.splits += 1
        return sent(run, cut)  # type: ignore[arg-type]

    told: dict[str, float] = {}

    def progress(so_far: object) -> None:
        if so_far.bytes_read == so_far.bytes_total:  # type: ignore[attr-defined]
            told.update(watched.end())

    PlanRun._sent = sent_first  # type: ignore[method-assign,assignment]  # noqa: SLF001 - as above
    plan = make_plan(read_config(Path(path).read_text(encoding="utf-8"), path), os.path.dirname(path))
    began = time.perf_counter()
    run_plan(plan, progress=progress)
    print(json.dumps({"startup": watched.began - began, "splits": watched.splits, **told}))


# ----------------------------------------------------------------------------- all of them


def _measured(folder: Path, source: Path, engines: list[str]) -> dict[str, list[dict[str, float]]]:
    pipeline = write_pipeline(folder, source)
    text = pipeline.read_text(encoding="utf-8")
    found: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    expected = b""
    for _ in range(_ROUNDS):
        for engine in engines:
            path = folder / f"{engine}.toml"
            path.write_text(f'{text}\n[run]\nengine = "{engine}"\nprocesses = 2\n', encoding="utf-8")
            done = subprocess.run(
                [sys.executable, __file__, "--child", str(path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=True,
            )
            found[engine].append(json.loads(done.stdout.splitlines()[-1]))
            made = (folder / "ours.ndjson").read_bytes()
            assert made == (expected or made), f"the outputs differ: {engine}"
            expected = made
        engines.append(engines.pop(0))
    return found


def _rows(found: dict[str, list[dict[str, float]]]) -> Iterator[tuple[bool, str]]:
    local = found["local"]
    for engine, rounds in sorted(found.items(), key=lambda item: [*_LIMITS].index(item[0])):

        def middle(name: str, rounds: list[dict[str, float]] = rounds) -> float:
            return statistics.median(one[name] for one in rounds)

        work = statistics.median(one["work"] / base["work"] for one, base in zip(rounds, local, strict=True))
        cpu = statistics.median(one["cpu"] / base["cpu"] for one, base in zip(rounds, local, strict=True))
        holds = work <= _LIMITS[engine]
        yield (
            holds,
            (
                f"| `{engine}` | {_ORDERS / middle('work'):,.0f} | {work:.2f} (at most {_LIMITS[engine]}) | {cpu:.2f} | {middle('startup'):.1f} s "
                f"| {middle('memory') / 2**20:,.0f} MiB | {middle('driver_memory') / 2**20:,.0f} MiB | {middle('driver_cpu') * 1e3:.2f} ms |"
            ),
        )


def main(argv: list[str]) -> int:
    engines = argv or [engine for engine in _LIMITS if engine not in _MODULES or find_spec(_MODULES[engine])]
    engines = ["local", *(engine for engine in engines if engine != "local")]
    source = orders_file(Path(tempfile.gettempdir()) / "plugline-benchmarks", _ORDERS)
    with tempfile.TemporaryDirectory() as name:
        found = _measured(Path(name), source, engines)
    print(
        f"engines: {machine_label()}, {_ORDERS:,} orders, two workers, {_ROUNDS} rounds, load {os.getloadavg()[0]:.1f}"
    )
    print(
        "| engine | records a second | work, of `local` | CPU, of `local` | start-up | memory, all | memory, driver | driver, a split |"
    )
    print("|---|---|---|---|---|---|---|---|")
    rows = [*_rows(found)]
    for _, row in rows:
        print(row)
    return 0 if all(holds for holds, _ in rows) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2])
        sys.exit()
    sys.exit(main(sys.argv[1:]))
