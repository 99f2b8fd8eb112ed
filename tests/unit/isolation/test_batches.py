"""Many records at once; the numbers are those of the invariants of :mod:`plugline.isolation.batches`."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from plugline.isolation.batches import IsolatedBatch, RecordWatch
from plugline.isolation.levels import Level
from plugline.records.outcomes import Failed
from plugline.worker.limits import Sandbox
from tests.workers import LEVELS, batch_of, host_of, write_plugin

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("level", LEVELS)]

FAULTS = {
    "exit": "os._exit(0)",
    "kill": "os.kill(os.getpid(), 9)",
    "abort": "os.abort()",
    "segfault": "import ctypes; ctypes.string_at(0)",
    "recursion in C": "exec('a' + '()' * 0 + '=' + '(' * 90 + ')' * 90) or os._exit(1)",
}
SLOW = {
    "loop": "while True: pass",
    "regex": "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
    "stopped": "os.kill(os.getpid(), 19)",
    "sleep": "time.sleep(1000)",
    "str hangs": (
        "exec('class E(Exception):\\n  def __str__(self):\\n    while True: pass', globals()); raise globals()['E']()"
    ),
}


def faulty(folder: Path, statement: str) -> Path:
    return write_plugin(
        folder, f"if record['n'] in record.get('at', (1,)):\n    {statement}\nreturn {{**record, 'ok': 1}}"
    )


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 2500])
def test_one_outcome_a_record_in_order(tmp_path: Path, level: Level, count: int) -> None:
    """1."""
    folder = write_plugin(tmp_path, "return {**record, 'ok': 1}")
    with host_of(folder, level) as host:
        assert batch_of(host)([{"n": n} for n in range(count)]) == [{"n": n, "ok": 1} for n in range(count)]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_record_on_which_a_worker_dies_is_named_and_the_others_go_through(
    tmp_path: Path, level: Level, fault: str
) -> None:
    """2, 3."""
    folder = faulty(tmp_path, FAULTS[fault])
    with host_of(folder, level) as host:
        records: list[dict[str, object]] = [{"n": n, "at": [700, 1500]} for n in range(2000)]
        outcomes = batch_of(host)(records)
    failed = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, Failed)]
    assert failed == [700, 1500]
    assert all(outcomes[n] == {**record, "ok": 1} for n, record in enumerate(records) if n not in failed)
    first = outcomes[700]
    assert isinstance(first, Failed)
    assert first.error.kind == "plugline.errors.WorkerFailed"
    assert "worker of plugin 'subject' ended with" in first.error.message
    assert first.error.path == f"{folder}/subject.py"


@pytest.mark.parametrize("fault", SLOW)
def test_a_record_that_takes_too_long_is_named_in_time(tmp_path: Path, level: Level, fault: str) -> None:
    """2, 3."""
    folder = faulty(tmp_path, SLOW[fault])
    with host_of(folder, level, timeout_seconds=3) as host:
        batch = batch_of(host)
        batch([{"n": 0}])
        began = time.perf_counter()
        outcomes = batch([{"n": n, "at": [20]} for n in range(40)])
        seconds = time.perf_counter() - began
    assert [index for index, outcome in enumerate(outcomes) if isinstance(outcome, Failed)] == [20]
    told = outcomes[20]
    assert isinstance(told, Failed)
    assert told.error.kind == "plugline.errors.WorkerTimedOut"
    assert "took longer than 3 s" in told.error.message
    assert 3 <= seconds < 15


def test_a_worker_is_not_given_a_record_twice_on_which_one_died(tmp_path: Path, level: Level) -> None:
    """2: counted in a file that the plugin may write."""
    seen = tmp_path / "seen"
    seen.mkdir()
    body = (
        f"with open({str(seen / 'log')!r}, 'a') as file:\n    file.write(str(record['n']) + ' ')\n"
        "if record['n'] == 30:\n    os._exit(1)\nreturn record"
    )
    folder = write_plugin(tmp_path, body)
    with host_of(folder, Sandbox(write=[seen], timeout_seconds=10) if level == "sandbox" else level) as host:
        batch_of(host)([{"n": n} for n in range(60)])
    assert (seen / "log").read_text(encoding="utf-8").split().count("30") == 1


def test_three_deaths_in_a_row_set_the_plugin_aside_and_every_record_is_accounted_for(
    tmp_path: Path, level: Level
) -> None:
    """4."""
    folder = write_plugin(tmp_path, "if record['n'] >= 10:\n    os._exit(1)\nreturn record")
    with host_of(folder, level) as host:
        batch = batch_of(host)
        outcomes = batch([{"n": n} for n in range(50)])
        again = batch([{"n": 0}])
        kinds = [one.error.kind.rpartition(".")[2] if isinstance(one, Failed) else "" for one in outcomes]
        assert kinds == [""] * 10 + ["WorkerFailed"] * 3 + ["PluginQuarantined"] * 37
        assert isinstance(again[0], Failed)


def test_bypass_passes_records_on_as_they_were(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "os._exit(1)")
    with host_of(folder, level) as host:
        outcomes = batch_of(host, on_quarantine="bypass")([{"n": n} for n in range(6)])
    assert [isinstance(one, Failed) for one in outcomes] == [True, True, True, False, False, False]
    assert outcomes[3:] == [{"n": 3}, {"n": 4}, {"n": 5}]


def test_what_cannot_cross_is_one_records_failure_in_either_direction(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return {'o': object()} if record['n'] == 3 else record")
    with host_of(folder, level) as host:
        outcomes = batch_of(host)([{"n": n, "x": object() if n == 5 else n} for n in range(600)])
    assert [index for index, outcome in enumerate(outcomes) if isinstance(outcome, Failed)] == [3, 5]
    told = [one.error.message for one in outcomes if isinstance(one, Failed)]
    assert "returned what cannot cross: the value at ['o']" in told[0]
    assert "the record cannot cross to the worker: the value at ['x']" in told[1]


def test_an_oversized_result_is_one_records_failure_and_many_large_ones_are_none(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return {'n': record['n'], 'x': 'x' * record['size']}")
    with host_of(folder, level) as host:
        sizes = [3_000_000 if n == 7 else 30_000 for n in range(200)]
        outcomes = batch_of(host)([{"n": n, "size": size} for n, size in enumerate(sizes)])
    assert [index for index, outcome in enumerate(outcomes) if isinstance(outcome, Failed)] == [7]
    told = outcomes[7]
    assert isinstance(told, Failed)
    assert "returned 3,000," in told.error.message


def test_records_larger_than_a_pipe_pass(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return record")
    records: list[dict[str, object]] = [{"n": n, "x": "x" * 3_000_000} for n in range(6)]
    with host_of(folder, level) as host:
        assert batch_of(host)(records) == records


def test_what_a_step_may_return_is_what_it_may_return_here(tmp_path: Path, level: Level) -> None:
    body = (
        "n = record['n']\nif n == 0:\n    return None\nif n == 1:\n    return ({'i': i} for i in range(2))\n"
        "if n == 2:\n    return 5\nif n == 3:\n    return [record] * 2\nif n == 4:\n    raise ValueError('four')\n"
        "if n == 5:\n    import collections; return collections.OrderedDict(a=1)\n"
        "async def later(): ...\nreturn later()"
    )
    folder = write_plugin(tmp_path, body)
    with host_of(folder, level) as host:
        outcomes = batch_of(host)([{"n": n} for n in range(7)])
    assert outcomes[:4] == [None, [{"i": 0}, {"i": 1}], 5, [{"n": 3}, {"n": 3}]]
    four, six = outcomes[4], outcomes[6]
    assert isinstance(four, Failed)
    assert (four.error.kind, four.error.message) == ("ValueError", "four")
    assert four.traceback is not None
    assert "raise ValueError('four')" in four.traceback
    assert outcomes[5] == {"a": 1}
    assert isinstance(six, Failed)
    assert "coroutine" in six.error.message


def begun_and_finished(step: IsolatedBatch, batches: Sequence[list[dict[str, object]]]) -> list[list[object]]:
    """Begin each batch before the one before it is finished, as a pipeline does."""
    found, waiting = [], []
    for records in batches:
        waiting.append(step.begin(records))
        if len(waiting) > 1:
            found.append(waiting.pop(0)())
    return [*found, *(finish() for finish in waiting)]


def in_batches(count: int, each: int, **more: object) -> list[list[dict[str, object]]]:
    return [[{"n": n, **more} for n in range(at, at + each)] for at in range(0, count, each)]


def test_the_worker_works_on_a_batch_that_was_begun_while_nobody_waits_for_it(tmp_path: Path, level: Level) -> None:
    """5."""
    done = tmp_path / "done"
    done.mkdir()
    body = f"if record['n'] == 9:\n    open({str(done / 'file')!r}, 'w').close()\nreturn record"
    folder = write_plugin(tmp_path, body)
    with host_of(folder, Sandbox(write=[done], timeout_seconds=10) if level == "sandbox" else level) as host:
        finish = batch_of(host).begin([{"n": n} for n in range(10)])
        deadline = time.monotonic() + 20
        while not (done / "file").exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert finish() == [{"n": n} for n in range(10)]


@pytest.mark.parametrize("each", [1, 300, 1400])
def test_batches_that_are_begun_come_back_in_order_past_every_death(tmp_path: Path, level: Level, each: int) -> None:
    """1, 2, 3, 5."""
    killers = [5, 1399, 1400, 2700]
    folder = faulty(tmp_path, "os._exit(1)")
    batches = in_batches(2800, each, at=killers)
    with host_of(folder, level) as host:
        found = begun_and_finished(batch_of(host), batches)
    assert [len(one) for one in found] == [len(one) for one in batches]
    outcomes = [outcome for one in found for outcome in one]
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Failed)] == killers
    assert all(outcomes[n] == {"n": n, "at": killers, "ok": 1} for n in range(2800) if n not in killers)


def test_a_plugin_that_is_set_aside_gives_every_begun_record_its_outcome(tmp_path: Path, level: Level) -> None:
    """4, 5."""
    folder = write_plugin(tmp_path, "if record['n'] >= 10:\n    os._exit(1)\nreturn record")
    with host_of(folder, level) as host:
        found = begun_and_finished(batch_of(host), in_batches(60, 20))
    kinds = [one.error.kind.rpartition(".")[2] if isinstance(one, Failed) else "" for part in found for one in part]
    assert kinds == [""] * 10 + ["WorkerFailed"] * 3 + ["PluginQuarantined"] * 47


def test_what_cannot_cross_fails_alone_in_a_batch_that_was_begun(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return record")
    with host_of(folder, level) as host:
        found = begun_and_finished(batch_of(host), [[{"n": 1}, {"n": object()}], [{"n": 2}]])
    assert [[isinstance(one, Failed) for one in part] for part in found] == [[False, True], [False]]


def test_an_abandoned_batch_is_nobodys_and_the_next_one_is_answered(tmp_path: Path, level: Level) -> None:
    """5: and it counts as no death."""
    folder = write_plugin(tmp_path, "return {**record, 'pid': os.getpid()}")
    with host_of(folder, level) as host:
        step = batch_of(host)
        finish = step.begin([{"n": 1}])
        step.abandon()
        with pytest.raises(RuntimeError, match="abandoned"):
            finish()
        other_thread: list[object] = []
        thread = threading.Thread(target=lambda: other_thread.extend(step([{"n": 2}])))
        thread.start()
        thread.join(20)
        (found,) = other_thread
        assert isinstance(found, dict)
        assert found["n"] == 2
        assert host["subject"].load()._plugin.history.total == 0  # type: ignore[attr-defined]


def test_nothing_is_sent_ahead_of_who_comes_late(tmp_path: Path, level: Level) -> None:
    """So that a record which takes too long is noticed in time."""
    folder = write_plugin(tmp_path, "return record")
    with host_of(folder, level) as host:
        step = batch_of(host)
        first = step.begin([{"n": 1}])
        time.sleep(0.06)  # the caller's own work
        second = step.begin([{"n": 2}])
        assert [frame.indexes for frame in step._run._under_way] == [range(1)]
        assert [first(), second()] == [[{"n": 1}], [{"n": 2}]]


LOOKED_AT = """
class Kind(type):
    @property
    def __module__(cls):
        {then}
class Value(metaclass=Kind):
    pass
"""


@pytest.mark.parametrize("then", ["os._exit(3)", "raise SystemExit", "raise MemoryError", "return 1 / 0"])
def test_what_a_result_does_when_it_is_looked_at_costs_its_own_record_only(
    tmp_path: Path, level: Level, then: str
) -> None:
    """2, 3: results are looked at many at a time, when the records of all of them are through."""
    body = f"exec({LOOKED_AT.format(then=then)!r}, globals())\nreturn {{'x': Value()}} if record['n'] == 7 else record"
    with host_of(write_plugin(tmp_path, body), level) as host:
        outcomes = batch_of(host)([{"n": n} for n in range(60)])
    assert [index for index, outcome in enumerate(outcomes) if isinstance(outcome, Failed)] == [7]
    assert [outcome for outcome in outcomes if not isinstance(outcome, Failed)] == [
        {"n": n} for n in range(60) if n != 7
    ]


def test_a_result_that_a_thread_changes_meanwhile_costs_no_other_record(tmp_path: Path, level: Level) -> None:
    """1, 3."""
    body = """
import datetime, threading
kept = globals().setdefault('KEPT', {})
def change():
    for number in range(10**9):
        kept[str(number % 3000)] = datetime.date(2020, 1, 1)
        if number % 7 == 0:
            kept.pop(str(number * 13 % 3000), None)
if record['n'] == 1:
    threading.Thread(target=change, daemon=True).start()
return kept if record['n'] % 50 == 7 else record
"""
    with host_of(write_plugin(tmp_path, body), level) as host:
        outcomes = batch_of(host)([{"n": n} for n in range(200)])
    assert {index % 50 for index, outcome in enumerate(outcomes) if isinstance(outcome, Failed)} <= {7}


@pytest.mark.parametrize(
    "pace", ["page[0] += 1; time.sleep(0.005)", "page[0] += 1; time.sleep(0.29)", "page[0] ^= 2**40 - 1"]
)
def test_who_only_says_that_it_is_at_another_record_is_not_waited_for(tmp_path: Path, level: Level, pace: str) -> None:
    body = f"""
import mmap, threading
def forge():
    for number in range(3, 60):
        try:
            if 'memfd' in os.readlink(f'/proc/self/fd/{{number}}'):
                break
        except OSError:
            pass
    page = memoryview(mmap.mmap(number, 4096)).cast('Q')
    while True:
        {pace}
if record['n'] == 3:
    threading.Thread(target=forge, daemon=True).start()
    while True:
        time.sleep(0.001)
return record
"""
    with host_of(write_plugin(tmp_path, body), level) as host:
        batch = batch_of(host)
        batch([{"n": 0}])
        batch._run._watch = RecordWatch(0.3)  # of records alone: a busy machine may take longer to load the plugin
        began = time.perf_counter()
        outcomes = batch([{"n": n} for n in range(400)])
        seconds = time.perf_counter() - began
    assert isinstance(outcomes[3], Failed)
    assert seconds < 8  # of 120 that 400 records may take
