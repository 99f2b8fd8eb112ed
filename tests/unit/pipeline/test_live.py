"""How far a run is, as told within its splits."""

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import cast

import pytest

from plugline.pipeline.run import run_plan
from plugline.pipeline.split import Progress
from tests.builders import Pipeline, ndjson, pipeline, processor

COUNT = 100
SOURCE = ndjson(*({"a": number} for number in range(COUNT)))
FAILS = processor("if record['a'] % 10 == 3: raise ValueError(record['a'])\nreturn record")
# Waits at record 50 until something is written to the pipe; the look at the clock lets a worker answer before it waits.
WAITS = processor(
    "if record['a'] == 50:\n"
    "    with open({pipe!r}, 'rb') as pipe: pipe.read(1)\n"
    "end = time.monotonic() + 0.002\n"
    "while time.monotonic() < end: pass\n"
    "return record",
    top="import time",
)


class Gate:
    """A pipe at which a step waits until it is opened."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.mkfifo(path)
        self.descriptor = os.open(path, os.O_RDWR)
        self.is_open = False

    def open(self) -> None:
        os.write(self.descriptor, b"" if self.is_open else b"1")
        self.is_open = True


@pytest.fixture
def gates(tmp_path: Path) -> Iterator[list[Gate]]:
    made = [Gate(str(tmp_path / name)) for name in ("first", "second")]
    yield made
    for gate in made:
        os.close(gate.descriptor)


def grows(told: list[Progress]) -> bool:
    return all(
        one.records_in <= following.records_in
        and one.bytes_read <= following.bytes_read
        and one.failed <= following.failed
        for one, following in pairwise(told)
    )


def beats(job: Pipeline) -> list[Progress]:
    told: list[Progress] = []
    run_plan(job.plan(), beat=told.append)
    return told


def test_a_run_in_one_process_tells_within_its_split_how_far_it_is(tmp_path: Path) -> None:
    job = pipeline(tmp_path, plugins={"f.py": FAILS}, source=SOURCE, steps=["f"], run='engine = "local"\nprocesses = 1')
    told = beats(job)
    assert (told[0].records_in, told[-1].records_in) == (1, COUNT)
    assert len(told) > 3
    assert [one.failed for one in told] == [(one.records_in + 6) // 10 for one in told]
    assert [one.bytes_read for one in told] == [int(one.records_in / COUNT * len(SOURCE)) for one in told]
    assert told[-1].bytes_total == len(SOURCE)
    assert grows(told)
    rows = [cast("dict[str, int]", letter["position"])["row"] for letter in job.dead_letters]
    assert rows == [number + 1 for number in range(3, COUNT, 10)]


@pytest.mark.parametrize("more", ["processes = 1", "processes = 2"])
@pytest.mark.parametrize("step", ["wait", 'use = "wait"\nisolation = "process"'])
@pytest.mark.slow
def test_what_a_slow_step_has_done_is_told_while_it_works(
    more: str, step: str, tmp_path: Path, gates: list[Gate]
) -> None:
    plugins = {"wait.py": WAITS.format(pipe=gates[0].path)}
    job = pipeline(tmp_path, plugins=plugins, source=SOURCE, steps=[step], run=f'engine = "local"\n{more}')
    told: list[Progress] = []

    def beat(progress: Progress) -> None:
        told.append(progress)
        if 0 < progress.records_in <= 50 and 0 < progress.bytes_read < len(SOURCE):
            gates[0].open()

    report = run_plan(job.plan(), beat=beat)
    assert (report.records_in, report.records_out) == (COUNT, COUNT)
    assert grows(told)
    assert (told[-1].records_in, told[-1].bytes_read) == (COUNT, len(SOURCE))


@pytest.mark.slow
def test_a_process_that_is_an_interpreter_of_its_own_tells_too(tmp_path: Path, gates: list[Gate]) -> None:
    plugins = {"wait.py": WAITS.format(pipe=gates[0].path)}
    job = pipeline(tmp_path, plugins=plugins, source=SOURCE, steps=["wait"], run='engine = "local"\nprocesses = 2')
    told: list[Progress] = []

    def beat(progress: Progress) -> None:
        told.append(progress)
        if 0 < progress.records_in <= 50:
            gates[0].open()

    ended = Event()
    thread = Thread(target=ended.wait)
    thread.start()
    try:
        report = run_plan(job.plan(), beat=beat)
    finally:
        ended.set()
        thread.join()
    assert (report.records_in, told[-1].records_in) == (COUNT, COUNT)
    assert grows(told)


@pytest.mark.slow
def test_splits_that_are_done_before_others_count_once(tmp_path: Path, gates: list[Gate]) -> None:
    lines = SOURCE.splitlines(keepends=True)
    # The first split waits for the second to be done and told.
    source = {"1.ndjson": b"".join(lines[50:]), "2.ndjson": b"".join(lines[:50])}
    job = pipeline(
        tmp_path,
        plugins={"wait.py": WAITS.format(pipe=gates[0].path)},
        source=source,
        source_path="?.ndjson",
        steps=["wait"],
        run='engine = "local"\nprocesses = 2',
    )

    told: list[Progress] = []

    def beat(progress: Progress) -> None:
        told.append(progress)
        if progress.records_in == 50:
            gates[0].open()

    run_plan(job.plan(), beat=beat)
    assert grows(told)
    assert (told[-1].records_in, told[-1].bytes_read) == (COUNT, len(SOURCE))


@pytest.mark.slow
def test_the_split_of_a_process_that_died_counts_again_from_its_beginning(tmp_path: Path, gates: list[Gate]) -> None:
    # The first process waits at record 30 and dies of it; the second waits at record 3.
    dies = processor(
        f"first = not os.path.exists('seen')\n"
        f"if first and record['a'] == 30:\n"
        f"    open({gates[0].path!r}, 'rb').read(1)\n"
        f"    open('seen', 'wb').close()\n"
        f"    os._exit(7)\n"
        f"if not first and record['a'] == 3: open({gates[1].path!r}, 'rb').read(1)\n"
        f"return record".replace("'seen'", repr(str(tmp_path / "seen"))),
        top="import os",
    )
    job = pipeline(
        tmp_path, plugins={"dies.py": dies}, source=SOURCE, steps=["dies"], run='engine = "local"\nprocesses = 2'
    )
    told: list[int] = []

    def beat(progress: Progress) -> None:
        told.append(progress.records_in)
        if told[-1] >= 8:  # as many as are told at least, however long a record takes
            gates[0].open()
        elif gates[0].is_open and told[-1] == 3:
            gates[1].open()

    report = run_plan(job.plan(), beat=beat)
    assert (report.records_in, report.records_out) == (COUNT, COUNT)
    again = max(at for at, records in enumerate(told) if records == 3)
    assert 8 <= max(told[:again]) <= 30
    assert told[again:] == sorted(told[again:])
    assert told[-1] == COUNT


def test_a_run_that_is_gone_on_with_tells_all_that_is_done(tmp_path: Path) -> None:
    source = {f"{number}.ndjson": SOURCE for number in range(3)}
    job = pipeline(
        tmp_path,
        plugins={"f.py": FAILS},
        source=source,
        source_path="?.ndjson",
        steps=["f"],
        run='engine = "local"\nprocesses = 1\nmax_errors = "none"',
    )

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Exception, match="interrupted"):
        job.run(interrupt)
    told: list[Progress] = []
    run_plan(job.plan(), beat=told.append, resume=True)
    assert told[0].records_in == COUNT + 1
    assert {one.records_before for one in told} == {COUNT}
    assert grows(told)
    assert (told[-1].records_in, told[-1].bytes_read) == (3 * COUNT, 3 * len(SOURCE))


def test_an_engine_that_runs_splits_in_a_thread_tells_when_they_are_done(tmp_path: Path) -> None:
    engine = (
        "from concurrent.futures import ThreadPoolExecutor\n\n"
        "def run(runner, splits, /):\n    with ThreadPoolExecutor(1) as pool:\n        yield from pool.map(runner, splits)\n"
    )
    plugins = {"f.py": FAILS, "threads.py": engine}
    source = {"1.ndjson": SOURCE, "2.ndjson": SOURCE}
    run = 'engine = "threads"\nmax_errors = "none"'
    job = pipeline(tmp_path, plugins=plugins, source=source, source_path="?.ndjson", steps=["f"], run=run)
    assert [one.records_in for one in beats(job)] == [COUNT, 2 * COUNT]
