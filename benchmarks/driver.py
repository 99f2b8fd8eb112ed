"""Claim: a split costs the program that drives a run at most 1 ms, and as much at 100,000 splits as at 10,000, in time and memory.

All that it does for a split is there: cutting, sending, taking, the journal, progress. The engine is simulated and runs nothing:
each part comes back at once, empty (``gathered``), or as a small file of an output in parts (``in parts``). So what is measured is
the floor of every engine. With the names of engines, those run instead, on a cluster of this machine: each split is one record then,
which is read and written, and what the engine's client, and Dask's scheduler, do in the driver's process is counted with it.
Run: ``python benchmarks/driver.py [SPLITS] [ENGINE ...]``; 100,000 by default.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import cast

from harness import machine_label

from plugline.findings import Place
from plugline.pipeline.config import Override, read_config
from plugline.pipeline.plan import make_plan
from plugline.pipeline.run import run_plan

_SPLIT_BYTES = 1024
_LINE = b'{"id": 1, "name": "somebody", "note": "' + b"x" * (_SPLIT_BYTES - 42) + b'"}\n'
_MOST_SECONDS = 0.001
_MOST_LATER = 1.2
_MOST_GROWTH_BYTES = 8 * 2**20  # from a tenth of the splits to all of them: what the allocator may keep
_ENGINE = '''"""Runs nothing: parts are empty, or a file of a few bytes."""

import os
from hashlib import sha256
from typing import ClassVar

from plugline.records import Part, StepCounts

VERSION = "1.0"
_CONTENT = b'{"a":1}\\n'


class Simulated:
    folder: str = ""
    processes: int = 2
    streaming: ClassVar[bool] = True

    def run(self, runner, splits, /):
        out = 1 if self.folder else 0
        source = StepCounts(name="source", entered=1, created=0, out=1, dropped=0, failed=0)
        sink = StepCounts(name="sink", entered=1, created=0, out=out, dropped=1 - out, failed=0)
        digest = sha256(_CONTENT).hexdigest()
        for split in splits:
            if not self.folder:
                yield Part(split=split, counts=(source, sink), lines=1)
                continue
            path = os.path.join(self.folder, f".part-{split.index}.0.tmp")
            with open(path, "wb") as file:
                file.write(_CONTENT)
            yield Part(
                split=split, counts=(source, sink), lines=1, path=path, digest=digest, bytes_on_disk=len(_CONTENT)
            )
'''
_PIPELINE = """\
[source]
path = "in.ndjson"

[sink]
path = "out.ndjson"
parts = {parts}

[run]
engine = "{engine}"
split_bytes = {split_bytes}
processes = 2
"""


def measure(folder: Path, splits: int, *, parts: bool, engine: str = "simulated") -> dict[str, list[float]]:
    """Run a pipeline of so many splits in a process of its own.

    Returns:
        After each tenth of them: ``seconds`` of CPU and ``bytes`` of memory so far.
    """
    (folder / "plugins").mkdir()
    (folder / "plugins" / "simulated.py").write_text(_ENGINE, encoding="utf-8")
    pipeline = folder / "pipeline.toml"
    pipeline.write_text(
        _PIPELINE.format(parts="true" if parts else "false", split_bytes=_SPLIT_BYTES, engine=engine), encoding="utf-8"
    )
    _write_input(folder / "in.ndjson", splits)
    command = [sys.executable, __file__, "--child", str(pipeline), str(splits)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return cast("dict[str, list[float]]", json.loads(done.stdout))


def _write_input(path: Path, splits: int) -> None:
    # A line is as long as a split, so that there are as many splits as are asked for.
    with path.open("wb") as file:
        for _ in range(splits):
            file.write(_LINE)


def _child(path: str, splits: int) -> None:
    folder = os.path.dirname(path)
    text = Path(path).read_text(encoding="utf-8")
    plan = make_plan(read_config(text, path), folder)
    if plan.part_folder is not None:
        option = Override(path=("run", "options"), value={"folder": plan.part_folder}, origin=Place("benchmark"))
        plan = make_plan(read_config(text, path, [option]), folder)
    told: dict[str, list[float]] = {"seconds": [], "bytes": [], "journal_bytes": []}
    taken = 0

    def progress(so_far: object) -> None:
        nonlocal taken
        taken += 1
        if taken % max(splits // 10, 1) == 0:
            told["seconds"].append(time.process_time())
            told["bytes"].append(_memory())
        if taken == splits:
            told["journal_bytes"].append(next(Path(folder).glob(".*.journal")).stat().st_size)

    run_plan(plan, progress=progress)
    assert taken == splits, f"{taken:,} splits, expected {splits:,}"
    print(json.dumps({"ended": [time.process_time()], **told}))


def _memory() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _told(name: str, told: Mapping[str, list[float]], splits: int) -> bool:
    """Print what was measured, and return whether the claims hold."""
    seconds, memory = told["seconds"], told["bytes"]
    each = [(after - before) / (splits / 10) for before, after in pairwise(seconds)]
    end = (told["ended"][0] - seconds[-1]) / splits
    most = max(each) + end
    later = statistics.median(each[-3:]) / statistics.median(each[:3])
    grown = memory[-1] - memory[0]
    journal = told["journal_bytes"][0] / splits
    print(f"  {splits:,} splits, {name}")
    print(
        f"    {statistics.median(each) * 1e6:.0f} us of CPU a split ({min(each) * 1e6:.0f} to {max(each) * 1e6:.0f})",
        end="",
    )
    print(f", and {end * 1e6:.1f} us at the end: {_verdict(holds=most <= _MOST_SECONDS)}")
    print(f"    the last three tenths / the first ones = {later:.2f}: {_verdict(holds=later <= _MOST_LATER)}")
    print(f"    memory {memory[0] / 2**20:.1f} MiB after a tenth, {memory[-1] / 2**20:.1f} MiB in the end", end="")
    print(f": {_verdict(holds=grown <= _MOST_GROWTH_BYTES)}")
    print(f"    {journal:.0f} bytes of journal a split")
    return most <= _MOST_SECONDS and later <= _MOST_LATER and grown <= _MOST_GROWTH_BYTES


def _verdict(*, holds: bool) -> str:
    return "holds" if holds else "DOES NOT HOLD"


def main(argv: list[str]) -> int:
    engines = [word for word in argv if not word.isdecimal()]
    splits = next((int(word) for word in argv if word.isdecimal()), 100_000)
    print(f"driver: {machine_label()}, at most {_MOST_SECONDS * 1e3:.0f} ms a split, {_MOST_LATER} later, 8 MiB more")
    held = []
    for engine in engines:
        with tempfile.TemporaryDirectory() as folder:
            held.append(_told(engine, measure(Path(folder), splits, parts=False, engine=engine), splits))
    for name, parts in (("gathered", False), ("in parts", True)) if not engines else ():
        with tempfile.TemporaryDirectory() as folder:
            held.append(_told(name, measure(Path(folder), splits, parts=parts), splits))
    return 0 if all(held) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], int(sys.argv[3]))
        sys.exit()
    sys.exit(main(sys.argv[1:]))
