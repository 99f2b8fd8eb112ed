"""One suite for every engine: what a new one has to pass, once it is in the list."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from plugline.errors import RunStopped
from plugline.pipeline.report import RunReport
from tests.builders import Pipeline, ndjson, pipeline, processor

# An engine as a stranger would write it, in a file of the plugin folder: one thread, two splits ahead.
AHEAD = '''
"""Runs splits in a thread, while the parts before them are put in place."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

VERSION = "0.1"


class Ahead:
    splits: int = 2

    def run(self, runner, splits, /):
        waiting = deque()
        with ThreadPoolExecutor(1) as pool:
            try:
                for split in splits:
                    waiting.append(pool.submit(runner, split))
                    if len(waiting) > self.splits:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for one in waiting:
                    one.cancel()
'''

# Another: interpreters that share nothing with this one, and get the plan by value.
POOL = '''
"""Runs splits in a pool of interpreters."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, resource_tracker

VERSION = "0.1"


def run(runner, splits, /):
    try:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            yield from pool.map(runner, splits)
    finally:
        resource_tracker._resource_tracker._stop()  # a process that would stay as long as this one
'''

ENGINES: dict[str, dict[str, str]] = {
    "local": {},
    "ahead": {"ahead.py": AHEAD},
    "pool": {"pool.py": POOL},
    "dask": {},
    "ray": {},
    "spark": {},
}
MODULES = {"dask": "distributed", "ray": "ray", "spark": "pyspark"}  # of engines that are not installed with the tool
every_engine = pytest.mark.parametrize(
    "engine",
    [
        pytest.param(
            engine,
            marks=[pytest.mark.slow, pytest.mark.foreign, pytest.mark.timeout(300)]
            if engine == "pool" or (engine in MODULES and find_spec(MODULES[engine]))
            else pytest.mark.skipif(engine in MODULES, reason="not installed: tests/engines/run installs it"),
        )
        for engine in ENGINES
    ],
)

UPPER = processor("return {'a': record['a'] * 10}")
FAIL = processor("if record['a'] == 3: raise ValueError\nreturn record")
SOURCE = {f"{number}.ndjson": ndjson({"a": number}, {"a": number + 0.5}) for number in range(6)}


def job(
    folder: Path,
    engine: str,
    *,
    steps: tuple[str, ...] = ("upper",),
    run: str = "",
    sink: str = "out.ndjson",
    sink_more: str = "",
) -> Pipeline:
    plugins = {"upper.py": UPPER, "fail.py": FAIL, **ENGINES[engine]}
    run = f'engine = "{engine}"\n{run}'
    return pipeline(
        folder,
        plugins=plugins,
        source=SOURCE,
        source_path="?.ndjson",
        steps=steps,
        sink=sink,
        sink_more=sink_more,
        run=run,
    )


@every_engine
def test_parts_come_in_the_order_of_the_splits(engine: str, tmp_path: Path) -> None:
    made = job(tmp_path, engine)
    report = made.run()
    assert made.records == [{"a": number * 5.0 if number % 2 else number * 5} for number in range(12)]
    assert (report.records_in, report.records_out) == (12, 12)
    assert report.balanced


@every_engine
def test_dead_letters_come_in_the_order_of_the_splits(engine: str, tmp_path: Path) -> None:
    made = job(tmp_path, engine, steps=("fail",))
    assert made.run().failed == 1
    assert [letter["record"] for letter in made.dead_letters] == [{"a": 3}]


@every_engine
def test_a_table_has_one_header(engine: str, tmp_path: Path) -> None:
    made = job(tmp_path, engine, sink="out.csv")
    made.run()
    assert made.output.split()[:3] == [b"a", b"0", b"5.0"]
    assert made.output.split().count(b"a") == 1


@every_engine
def test_what_a_runner_raises_passes_through_and_nothing_is_left(engine: str, tmp_path: Path) -> None:
    made = job(tmp_path, engine, steps=('use = "fail"\non_error = "stop"',))
    with pytest.raises(RunStopped) as caught:
        made.run()
    assert caught.value.finding.code == "R105"
    assert isinstance(caught.value.report, RunReport)
    assert made.files == [*sorted(SOURCE), "out.errors.ndjson", "pipeline.toml"]


@every_engine
def test_an_output_in_parts_is_whole_and_in_order(engine: str, tmp_path: Path) -> None:
    made = job(tmp_path, engine, sink="out.csv", sink_more="parts = true")
    report = made.run()
    manifest = json.loads((tmp_path / "out.csv" / "_manifest.json").read_bytes())
    assert [part["path"] for part in manifest["parts"]] == [f"part-{number:06}.csv" for number in range(6)]
    assert [part["records"] for part in manifest["parts"]] == [2] * 6
    assert (tmp_path / "out.csv" / "part-000005.csv").read_bytes().split() == [b"a", b"50", b"55.0"]
    assert sorted(path.name for path in (tmp_path / "out.csv").iterdir())[6:] == ["part-000005.csv"]
    assert report.parts == 6


@every_engine
def test_no_input_is_no_output(engine: str, tmp_path: Path) -> None:
    made = pipeline(tmp_path, plugins=ENGINES[engine], source=b"", run=f'engine = "{engine}"', sink="out.json")
    made.run()
    assert made.output == b"[]\n"
