"""What it costs to run a plugin in a worker: to start one, to pass records through one, and to be held in a sandbox.

Claims in microseconds are held against their own number, which is the second side of such a claim; all others are ratios
of two things that took turns in one run. Starts and passes are measured by the clock on the wall, because two processes work
at once: run it on a machine with two cores that are free, or, where others work on it as well, before them: ``chrt -f 5 python
benchmarks/isolation.py`` takes fifteen seconds of two cores.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from harness import Claim, report

from plugline import Host
from plugline.cli import main
from plugline.isolation.batches import IsolatedBatch
from plugline.isolation.levels import Level

ROUNDS = 15
RECORDS = 20_000
BATCH = 1_000
ROWS = 10_000
PLUGINS = {
    "echo": "def transform(record):\n    return record\n",
    "table": "def transform(table):\n    return table\n",
    # About two microseconds of honest work.
    "busy": "def transform(record):\n    for _ in range(40):\n        record['count'] += 1\n    return record\n",
}


def record(number: int) -> dict[str, object]:
    return {
        "id": number,
        "name": f"Alice {number}",
        "city": "Berlin",
        "price": number * 1.5,
        "active": True,
        "note": None,
        "email": f"a{number}@example.com",
        "count": number % 7,
    }


def write_plugins(folder: Path) -> Path:
    plugins = folder / "plugins"
    plugins.mkdir(mode=0o755)
    for name, body in PLUGINS.items():
        (plugins / f"{name}.py").write_text(f"{body}\n\ndef describe():\n    return {name!r}\n", encoding="utf-8")
    return plugins


def host(plugins: Path, level: Level, preload: Sequence[str] = ()) -> Host[object]:
    return Host(str(plugins), interface=["transform", "describe"], isolation=level, preload=preload)


def take_turns(
    sides: Mapping[str, Callable[[], object]], rounds: int = ROUNDS
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Call each side once a round, in turn, after one round that does not count. Returns wall and own CPU seconds."""
    wall: dict[str, list[float]] = {name: [] for name in sides}
    cpu: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for number in range(-1, rounds):
        for name in order:
            began, began_cpu = time.perf_counter(), time.process_time()
            sides[name]()
            ended, ended_cpu = time.perf_counter(), time.process_time()
            if number >= 0:
                wall[name].append(ended - began)
                cpu[name].append(ended_cpu - began_cpu)
        order.append(order.pop(0))
    return wall, cpu


def starts(plugins: Path) -> list[Claim]:
    def bare() -> None:
        subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)

    def from_nothing() -> float:
        with host(plugins, "sandbox") as made:
            handle = made["echo"]
            _ = handle.spec
            began = time.perf_counter()
            handle.load().transform({"n": 1})  # type: ignore[attr-defined]
            return time.perf_counter() - began

    def again(made: Host[object]) -> float:
        plugin = made["echo"].load()
        plugin._plugin._life.kill()  # type: ignore[attr-defined]  # noqa: SLF001 - as a fault does
        began = time.perf_counter()
        plugin.transform({"n": 1})  # type: ignore[attr-defined]
        return time.perf_counter() - began

    sides: dict[str, list[float]] = {
        "python -I -S -c pass": [],
        "from nothing": [],
        "forked": [],
        "forked, pyarrow": [],
    }
    with ExitStack() as stack:
        forked = stack.enter_context(host(plugins, "sandbox", ["json"]))
        heavy = stack.enter_context(host(plugins, "sandbox", ["pyarrow"]))
        for number in range(-1, ROUNDS):
            began = time.perf_counter()
            bare()
            found = (time.perf_counter() - began, from_nothing(), again(forked), again(heavy))
            if number >= 0:
                for side, seconds in zip(sides.values(), found, strict=True):
                    side.append(seconds)
    base = "python -I -S -c pass"
    return [
        Claim(name="a sandboxed worker's first answer", side="from nothing", base=base, limit=5.0, seconds=sides),
        Claim(name="the same, from the zygote", side="forked", base=base, limit=0.3, seconds=sides),
        Claim(name="the same, with pyarrow", side="forked, pyarrow", base=base, limit=0.6, seconds=sides),
    ]


def fixed(microseconds: float, count: int) -> list[float]:
    return [microseconds * count / 1e6] * ROUNDS


def echoes(plugins: Path) -> list[Claim]:
    records = [record(number) for number in range(RECORDS)]
    batches = [records[at : at + BATCH] for at in range(0, RECORDS, BATCH)]
    encode, decode = msgspec.msgpack.encode, msgspec.msgpack.decode

    def codecs() -> None:
        for batch in batches:
            decode(encode(decode(encode(batch))))

    with ExitStack() as stack:
        hosts = {level: stack.enter_context(host(plugins, level)) for level in ("process", "sandbox")}
        steps = {level: IsolatedBatch(one["echo"].load()) for level, one in hosts.items()}
        assert steps["sandbox"](records) == records
        sides: dict[str, Callable[[], object]] = {
            level: (lambda step=step: step(records))
            for level, step in steps.items()  # type: ignore[misc]
        }
        wall, cpu = take_turns({**sides, "codecs alone": codecs})
    wall |= {"1.3 µs a record": fixed(1.3, RECORDS)}
    cpu |= {"0.8 µs a record": fixed(0.8, RECORDS)}
    return [
        Claim(name="echo, by the wall", side="process", base="1.3 µs a record", limit=1.0, seconds=wall),
        Claim(name="echo against the codecs it takes", side="process", base="codecs alone", limit=1.67, seconds=wall),
        Claim(name="sandbox against process", side="sandbox", base="process", limit=1.05, seconds=wall),
        Claim(name="echo, CPU of the host", side="process", base="0.8 µs a record", limit=1.0, seconds=cpu),
    ]


def tables(plugins: Path) -> list[Claim]:
    import pyarrow as pa

    table = pa.Table.from_pylist([record(number) for number in range(ROWS)])
    with host(plugins, "sandbox", ["pyarrow"]) as made:
        plugin = made["table"].load()
        assert plugin.transform(table).equals(table)  # type: ignore[attr-defined]
        wall, _ = take_turns({"sandbox": lambda: plugin.transform(table)})  # type: ignore[attr-defined]
    wall |= {"0.1 µs a row": fixed(0.1, ROWS)}
    return [Claim(name="an Arrow table there and back", side="sandbox", base="0.1 µs a row", limit=1.0, seconds=wall)]


def pipelines(folder: Path) -> list[Claim]:
    with (folder / "in.ndjson").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record(number)) + "\n" for number in range(200_000))
    for level in ("none", "process"):
        text = (
            f'plugins = ["plugins"]\n[source]\npath = "in.ndjson"\n[[steps]]\nuse = "busy"\nisolation = "{level}"\n'
            # One process beside its worker, against one alone: two of both would take turns on two cores.
            f'[sink]\npath = "{level}.ndjson"\n[run]\nprocesses = 1\n'
        )
        (folder / f"{level}.toml").write_text(text, encoding="utf-8")

    def run(level: str) -> None:
        assert main(["run", str(folder / f"{level}.toml"), "-q"]) == 0

    wall, _ = take_turns({level: (lambda level=level: run(level)) for level in ("none", "process")}, rounds=5)  # type: ignore[misc]
    assert (folder / "none.ndjson").read_bytes() == (folder / "process.ndjson").read_bytes()
    return [
        Claim(name="a pipeline of one 2-µs step", side="process", base="none", limit=1.4, seconds=wall),
    ]


def run(argv: list[str] | None = None) -> int:
    os.environ.setdefault("PLUGLINE_LOG_LEVEL", "off")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plugins = write_plugins(folder)
        claims = [*starts(plugins), *echoes(plugins), *tables(plugins), *pipelines(folder)]
    return report("isolation", claims, argv)


if __name__ == "__main__":
    sys.exit(run())
