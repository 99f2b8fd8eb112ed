import copy
import gc
import json
import os
import pickle
import signal
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.blame import describe_error
from plugline.records import outcomes
from plugline.records.loop import Failure, OnError, RecordLoop, Regrouped, StepCall, StopRun
from plugline.records.outcomes import StagedBatch
from plugline.records.values import StepCounts

Record = dict[str, object]
Transform = Callable[[Record], object]
Call = Callable[[list[Record]], list[object]]


def step(call: Transform, name: str = "step", on_error: OnError = "dead-letter", file: str | None = None) -> StepCall:
    return StepCall(name=name, call=call, on_error=on_error, file=file)


def run(loop: RecordLoop, *raws: object) -> tuple[list[object], list[Failure]]:
    out: list[object] = []
    failures: list[Failure] = []
    loop.run(list(raws), out, failures)
    return out, failures


def loop_of(*steps: StepCall | Transform) -> RecordLoop:
    """Return a loop that copies records on their way in and out."""
    calls = [given if isinstance(given, StepCall) else step(given) for given in steps]
    return RecordLoop(copy.deepcopy, calls, copy.deepcopy)


def summary(counts: StepCounts) -> tuple[int, int, int, int, int]:
    assert counts.balanced
    return counts.entered, counts.created, counts.out, counts.dropped, counts.failed


def summaries(loop: RecordLoop) -> list[tuple[int, int, int, int, int]]:
    return [summary(counts) for counts in loop.counts()]


def keep(record: Record) -> Record:
    return record


def drop(_record: Record) -> None:
    return None


def twice(record: Record) -> Iterator[Record]:
    yield {**record, "copy": 1}
    yield {**record, "copy": 2}


def fail(record: Record) -> Record:
    raise ValueError(f"no {record['n']}")


def fail_on(*numbers: int) -> Transform:
    return lambda record: fail(record) if record["n"] in numbers else record


def press_control_c(record: Record) -> Record:
    if record["n"] == 2:
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            pass
    return record


def numbered(count: int) -> list[Record]:
    return [{"n": number} for number in range(count)]


# ---------------------------------------------------------------------------- what a step returns


def test_records_pass_through_the_steps_in_order() -> None:
    loop = RecordLoop(
        json.loads,
        [step(lambda record: {**record, "b": 1}, "first"), step(lambda record: {**record, "c": len(record)}, "second")],
        json.dumps,
    )
    assert run(loop, '{"a": 0}') == (['{"a": 0, "b": 1, "c": 2}'], [])
    assert [(counts.name, summary(counts)) for counts in loop.counts()] == [
        ("source", (1, 0, 1, 0, 0)),
        ("first", (1, 0, 1, 0, 0)),
        ("second", (1, 0, 1, 0, 0)),
        ("sink", (1, 0, 1, 0, 0)),
    ]


def test_a_loop_without_steps_decodes_and_encodes() -> None:
    loop = RecordLoop(json.loads, [], json.dumps, source="in.ndjson", sink="out.ndjson")
    assert run(loop, "{}")[0] == ["{}"]
    assert [counts.name for counts in loop.counts()] == ["in.ndjson", "out.ndjson"]


def test_an_empty_batch_counts_nothing() -> None:
    loop = loop_of(keep)
    assert run(loop) == ([], [])
    assert summaries(loop) == [(0, 0, 0, 0, 0)] * 3


def test_none_drops_the_record() -> None:
    loop = loop_of(drop, fail)
    assert run(loop, *numbered(3)) == ([], [])
    assert summaries(loop) == [(3, 0, 3, 0, 0), (3, 0, 0, 3, 0), (0, 0, 0, 0, 0), (0, 0, 0, 0, 0)]


def test_an_iterable_fans_out_in_order() -> None:
    loop = loop_of(twice, keep)
    out, failures = run(loop, *numbered(2))
    assert out == [{"n": 0, "copy": 1}, {"n": 0, "copy": 2}, {"n": 1, "copy": 1}, {"n": 1, "copy": 2}]
    assert not failures
    assert summaries(loop) == [(2, 0, 2, 0, 0), (2, 2, 4, 0, 0), (4, 0, 4, 0, 0), (4, 0, 4, 0, 0)]


def test_a_fan_out_of_fan_outs_keeps_the_order_and_counts_each_level() -> None:
    def deeper(record: Record) -> list[Record]:
        return [{"n": f"{record['n']}{branch}"} for branch in "abc"]

    loop = loop_of(deeper, deeper, keep)
    out, _ = run(loop, {"n": ""})
    assert out == [{"n": left + right} for left in "abc" for right in "abc"]
    assert summaries(loop) == [(1, 0, 1, 0, 0), (1, 2, 3, 0, 0), (3, 6, 9, 0, 0), (9, 0, 9, 0, 0), (9, 0, 9, 0, 0)]


@pytest.mark.parametrize("empty", [[], (), iter(())], ids=["list", "tuple", "iterator"])
def test_an_empty_iterable_drops_the_record(empty: object) -> None:
    loop = loop_of(lambda _record: empty, fail)
    assert run(loop, {"n": 1}) == ([], [])
    assert summaries(loop)[1] == (1, 0, 0, 1, 0)


def test_a_subclass_of_dict_is_a_record() -> None:
    loop = loop_of(OrderedDict, keep)
    assert run(loop, {"n": 1}) == ([{"n": 1}], [])
    assert run(RecordLoop(OrderedDict, [], dict), {"n": 1}) == ([{"n": 1}], [])


def test_one_record_returned_many_times_is_as_many_records() -> None:
    def grow(record: Record) -> Record:
        record["tags"].append("x")  # type: ignore[attr-defined]
        record["n"] = str(record["n"]) + "!"
        return record

    out, _ = run(loop_of(lambda record: [record] * 2, grow), {"n": 1, "tags": []})
    assert out == [{"n": "1!", "tags": ["x"]}] * 2


def test_one_record_yielded_again_and_again_is_as_many_records() -> None:
    def reuse(record: Record) -> Iterator[Record]:
        for number in range(3):
            record["n"] = number
            yield record

    assert run(loop_of(reuse), {})[0] == numbered(3)


async def _coroutine(record: Record) -> Record:
    return record


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("text", "returned 'text' (str), expected a dict, None or an iterable of dicts"),
        ("", "returned '' (str), expected a dict, None or an iterable of dicts"),
        (b"bytes", "returned b'bytes' (bytes), expected a dict, None or an iterable of dicts"),
        (True, "returned True (bool), expected a dict, None or an iterable of dicts"),
        (object(), "returned an object of type 'object', expected a dict, None or an iterable of dicts"),
        (
            MappingProxyType({}),
            "returned an object of type 'mappingproxy', expected a dict, None or an iterable of dicts",
        ),
        ([{}, "x"], "returned an iterable whose item 1 is 'x' (str), expected a dict"),
        ([None], "returned an iterable whose item 0 is None, expected a dict"),
        (range(5, 6), "returned an iterable whose item 0 is 5 (int), expected a dict"),
        ("y" * 10_000, f"returned '{'y' * 59} (str), expected a dict, None or an iterable of dicts"),
    ],
    ids=["str", "empty str", "bytes", "bool", "object", "mapping", "list", "none", "range", "long"],
)
@pytest.mark.parametrize("on_error", ["dead-letter", "drop", "pass"])
def test_what_is_no_record_is_an_error_that_says_what_it_is(returned: object, message: str, on_error: OnError) -> None:
    loop = loop_of(step(lambda _record: returned, "odd", on_error, "odd.py"))
    out, failures = run(loop, {"n": 1})
    assert list(loop.errors.items()) == [("odd: TypeError (odd.py)", 1)]
    if on_error == "dead-letter":
        assert [(failure.error.kind, failure.error.message) for failure in failures] == [("TypeError", message)]
    assert out == ([{"n": 1}] if on_error == "pass" else [])


def test_an_async_transform_is_an_error_that_says_so() -> None:
    _, (failure,) = run(loop_of(_coroutine), {"n": 1})
    assert failure.error.message.endswith("a step cannot be an async function")


# ---------------------------------------------------------------------------- who failed


@pytest.mark.parametrize("stage", range(1, 6))
@pytest.mark.parametrize("batches", [1, 3], ids=["timed", "untimed"])
def test_a_failure_names_record_stage_and_line(stage: int, batches: int) -> None:
    calls: list[Transform] = [keep] * 5
    calls[stage - 1] = fail_on(2)
    loop = loop_of(*(step(call, f"step {number}", file=__file__) for number, call in enumerate(calls, 1)))
    for _ in range(batches - 1):
        run(loop, *numbered(4))
    out, (failure,) = run(loop, *numbered(4))
    assert out == [{"n": 0}, {"n": 1}, {"n": 3}]
    assert (failure.index, failure.stage, failure.name) == (2, stage, f"step {stage}")
    assert (failure.error.kind, failure.error.message) == ("ValueError", "no 2")
    assert (failure.error.path, failure.error.line) == (__file__, fail.__code__.co_firstlineno + 1)
    assert summaries(loop)[stage] == (4 * batches, 0, 3 * batches, 0, batches)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("[1]", "expected an object, got a list"),
        ('"text"', "expected an object, got a string"),
        ("5", "expected an object, got a number"),
        ("null", "expected an object, got null"),
        ("true", "expected an object, got true or false"),
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ],
)
def test_a_raw_that_is_no_record_is_the_sources_failure(raw: str, message: str) -> None:
    loop = RecordLoop(json.loads, [step(keep)], json.dumps)
    out, (failure,) = run(loop, "{}", raw, "{}")
    assert out == ["{}", "{}"]
    assert (failure.index, failure.stage, failure.name, failure.error.message) == (1, 0, "source", message)
    assert summaries(loop) == [(3, 0, 2, 0, 1), (2, 0, 2, 0, 0), (2, 0, 2, 0, 0)]


def test_a_record_that_cannot_be_written_is_the_sinks_failure() -> None:
    loop = RecordLoop(copy.copy, [step(keep)], json.dumps)
    out, (failure,) = run(loop, {"n": 1}, {"n": {1}})
    assert out == ['{"n": 1}']
    assert (failure.index, failure.stage, failure.name) == (1, 2, "sink")
    assert summaries(loop) == [(2, 0, 2, 0, 0), (2, 0, 2, 0, 0), (2, 0, 1, 0, 1)]


def test_a_fan_out_counts_only_as_a_whole() -> None:
    def second_fails(record: Record) -> Record:
        return fail(record) if record["copy"] == 2 else record

    loop = loop_of(step(twice, "twice"), step(keep, "keep"), step(second_fails, "picky"))
    out, (failure,) = run(loop, {"n": 7})
    assert out == []
    assert (failure.index, failure.stage, failure.name, failure.error.message) == (0, 3, "picky", "no 7")
    assert summaries(loop) == [(1, 0, 1, 0, 0), (1, 0, 1, 0, 0), (1, 0, 1, 0, 0), (1, 0, 0, 0, 1), (0, 0, 0, 0, 0)]


def test_a_generator_that_fails_midway_is_its_own_steps_failure() -> None:
    def breaks(record: Record) -> Iterator[Record]:
        yield record
        fail(record)

    out, (failure,) = run(loop_of(keep, step(breaks, "breaks"), keep), {"n": 1})
    assert out == []
    assert (failure.stage, failure.name, failure.error.message) == (2, "breaks", "no 1")


def test_a_fan_out_that_cannot_be_written_is_the_sinks_failure() -> None:
    loop = RecordLoop(copy.copy, [step(lambda record: [record, {"n": {1}}])], json.dumps)
    out, (failure,) = run(loop, {"n": 1})
    assert (out, failure.name) == ([], "sink")


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, KeyboardInterrupt, RecursionError, StopIteration])
@pytest.mark.parametrize("on_error", ["dead-letter", "drop", "pass"])
def test_nothing_that_a_step_raises_ends_the_run(kind: type[BaseException], on_error: OnError) -> None:
    def raising(_record: Record) -> Record:
        raise kind

    loop = loop_of(step(raising, "odd", on_error, __file__))
    out, failures = run(loop, {"n": 1}, {"n": 2})
    assert [failure.error.kind for failure in failures] == [kind.__name__] * (2 if on_error == "dead-letter" else 0)
    assert len(out) == (2 if on_error == "pass" else 0)
    assert loop.errors == {f"odd: {kind.__name__} ({__file__}:{raising.__code__.co_firstlineno + 1})": 2}


# ---------------------------------------------------------------------------- what becomes of it


def test_on_error_drop_counts_the_record_as_dropped() -> None:
    loop = loop_of(step(fail_on(1), on_error="drop"))
    assert run(loop, *numbered(3)) == ([{"n": 0}, {"n": 2}], [])
    assert summaries(loop)[1] == (3, 0, 2, 1, 0)
    assert list(loop.errors.values()) == [1]


def test_on_error_pass_hands_on_the_record_as_it_was() -> None:
    def spoil(record: Record) -> Record:
        record["list"].append({"deep": 1})  # type: ignore[attr-defined]
        record["map"]["key"] = 1  # type: ignore[index]
        del record["n"]
        raise ValueError

    record = {"n": 1, "list": [], "map": {}}
    loop = loop_of(step(spoil, on_error="pass"), lambda record: {**record, "after": True})
    assert run(loop, record) == ([{**record, "after": True}], [])
    assert summaries(loop)[1] == (1, 0, 1, 0, 0)


def test_on_error_pass_covers_a_generator_that_fails_midway() -> None:
    def breaks(record: Record) -> Iterator[Record]:
        record["n"] = 99
        yield record
        fail(record)

    assert run(loop_of(step(breaks, on_error="pass")), {"n": 1}) == ([{"n": 1}], [])


def test_on_error_pass_does_not_cover_the_steps_after_it() -> None:
    loop = loop_of(step(twice, "twice", on_error="pass"), step(fail, "bad"))
    _, (failure,) = run(loop, {"n": 1})
    assert failure.name == "bad"


def test_on_error_stop_ends_the_run_and_keeps_what_was_before() -> None:
    loop = loop_of(step(fail_on(2), "strict", "stop"))
    out: list[object] = []
    failures: list[Failure] = []
    with pytest.raises(StopRun) as stopped:
        loop.run(list(numbered(5)), out, failures)
    failure = stopped.value.failure
    assert (out, failures) == ([{"n": 0}, {"n": 1}], [])
    assert (failure.index, failure.name, failure.error.message) == (2, "strict", "no 2")
    assert str(stopped.value).startswith("step 'strict': ValueError: no 2")
    assert stopped.value.__context__ is None
    assert summaries(loop) == [(3, 0, 3, 0, 0), (3, 0, 2, 0, 1), (2, 0, 2, 0, 0)]
    again = pickle.loads(pickle.dumps(stopped.value))  # noqa: S301
    assert again.failure == failure


def test_a_stopped_loop_can_be_run_again() -> None:
    loop = loop_of(step(fail_on(0), on_error="stop"))
    with pytest.raises(StopRun):
        run(loop, {"n": 0})
    assert run(loop, {"n": 1}) == ([{"n": 1}], [])
    assert summaries(loop)[0] == (2, 0, 2, 0, 0)


@pytest.mark.parametrize("on_error", ["dead-letter", "drop", "pass", "stop"])
@pytest.mark.parametrize("before", [keep, twice], ids=["alone", "in a fan-out"])
def test_the_users_own_interrupt_ends_the_run_and_the_counts_agree(on_error: OnError, before: Transform) -> None:
    loop = loop_of(before, step(press_control_c, on_error=on_error))
    out: list[object] = []
    failures: list[Failure] = []
    with pytest.raises(KeyboardInterrupt):
        loop.run(list(numbered(5)), out, failures)
    assert failures == []
    assert {record["n"] for record in out if isinstance(record, dict)} == {0, 1}
    assert summaries(loop)[0] == (2, 0, 2, 0, 0)
    assert loop.counts()[-1].out == len(out)
    assert not loop.errors


def test_the_users_own_interrupt_while_decoding_passes() -> None:
    def decode(_raw: object) -> Record:
        return press_control_c({"n": 2})

    loop = RecordLoop(decode, [], copy.copy)
    with pytest.raises(KeyboardInterrupt):
        run(loop, 1)
    assert summaries(loop)[0] == (0, 0, 0, 0, 0)


# ---------------------------------------------------------------------------- what is kept


@pytest.mark.parametrize("on_error", ["dead-letter", "drop", "pass", "stop"])
def test_no_exception_and_no_frame_is_kept(on_error: OnError) -> None:
    class Pinned:
        pass

    pins: list[weakref.ref[Pinned]] = []

    def failing(_record: Record) -> Record:
        pinned = Pinned()
        pins.append(weakref.ref(pinned))
        raise ValueError(pinned)

    fanned = loop_of(lambda record: [record, {}], step(failing, on_error=on_error))
    plain = loop_of(step(failing, on_error=on_error))
    gc.disable()
    try:
        for loop in (plain, fanned):
            failures: list[Failure] = []
            try:
                loop.run([{}], [], failures)
            except StopRun as stopped:
                failures.append(stopped.failure)
        assert pins
        assert {pin() for pin in pins} == {None}
    finally:
        gc.enable()


def test_a_traceback_is_kept_for_the_first_of_each_error_only() -> None:
    def failing(record: Record) -> Record:
        if record["n"] == 3:
            raise KeyError("other")
        return fail(record)

    loop = loop_of(step(failing, "odd"))
    _, failures = run(loop, *numbered(5))
    assert [failure.traceback is not None for failure in failures] == [True, False, False, True, False]
    assert "in fail\n" in (failures[0].traceback or "")
    assert sorted(loop.errors.values()) == [1, 4]
    assert list(loop.tracebacks.values()) == [failures[0].traceback, failures[3].traceback]
    assert loop.errors.keys() == loop.tracebacks.keys()


def test_only_twenty_tracebacks_and_a_thousand_kinds_of_errors_are_kept() -> None:
    def failing(record: Record) -> Record:
        raise type(f"Error{record['n']}", (Exception,), {})

    loop = loop_of(failing)
    _, failures = run(loop, *numbered(1_200))
    assert len(failures) == 1_200
    assert sum(failure.traceback is not None for failure in failures) == len(loop.tracebacks) == 20
    assert len(loop.errors) == 1_001
    assert loop.errors["other errors"] == 200


def test_a_failure_pickles() -> None:
    _, (failure,) = run(loop_of(fail), {"n": 1})
    assert pickle.loads(pickle.dumps(failure)) == failure  # noqa: S301


# ---------------------------------------------------------------------------- a run of many batches


def test_the_time_of_a_step_is_estimated_from_some_of_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    now = 0.0

    def tick() -> float:
        nonlocal now
        now += 0.000_001
        return now

    monkeypatch.setattr("plugline.records.loop.monotonic_seconds", tick)

    def busy(record: Record) -> Record:
        nonlocal now
        calls.append(record)
        now += 0.001
        return record

    def busy_twice(record: Record) -> list[Record]:
        return [busy(record), {}]

    loop = loop_of(step(busy, "busy"), step(busy_twice, "twice"), step(keep, "quick"))
    for _ in range(10):
        run(loop, {"n": 1})
    source, once, twice, quick, sink = (counts.seconds for counts in loop.counts())
    assert len(calls) == 20
    assert once >= 0.0099
    assert once < 1
    assert all(seconds > 0 for seconds in (source, twice, quick, sink))
    assert quick < once


def test_time_spent_before_an_error_counts() -> None:
    def busy(record: Record) -> Record:
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        return fail(record)

    loop = loop_of(busy)
    run(loop, {"n": 1})
    assert loop.counts()[1].seconds >= 0.002


# ---------------------------------------------------------------------------- the law

ACTIONS = ("keep", "sub", "drop", "none", "fan 1", "fan 2", "fan 3", "fan bad", "fail", "spoil", "text")


@dataclass(frozen=True)
class Plan:
    """What a step does with a record, by the record's number."""

    actions: tuple[str, ...]
    on_error: OnError

    def __call__(self, record: Record) -> object:
        number = record["n"]
        assert isinstance(number, int)
        action = self.actions[number % len(self.actions)]
        if action == "keep":
            record["seen"] = [*record.get("seen", []), len(self.actions)]  # type: ignore[misc]
            return record
        if action == "spoil":
            record["seen"] = "spoilt"
        if action.startswith("fan"):
            return fan(number, action)
        return {"sub": OrderedDict(record), "drop": None, "none": [], "text": "text"}[action]  # "fail" is a KeyError


def fan(number: int, action: str) -> Iterator[Record]:
    for index in range(2 if action == "fan bad" else int(action[-1])):
        yield {"n": number * 5 + index}
    if action == "fan bad":
        raise ValueError


def decode(raw: object) -> Record:
    assert isinstance(raw, int)
    if raw % 13 == 12:
        raise ValueError
    return [raw] if raw % 17 == 16 else {"n": raw}  # type: ignore[return-value]


def encode(record: Record) -> object:
    number = record["n"]
    assert isinstance(number, int)
    if number % 11 == 10:
        raise TypeError
    return json.dumps(record)


class Failed(Exception):
    def __init__(self, stage: int) -> None:
        self.stage = stage


@dataclass
class Expected:
    """What a naive reading of the rules gives."""

    out: list[object] = field(default_factory=list)
    failures: list[tuple[int, int]] = field(default_factory=list)
    counts: list[list[int]] = field(default_factory=list)
    stopped: int | None = None


def expect(raws: list[int], plans: list[Plan]) -> Expected:
    sink = len(plans) + 1
    expected = Expected(counts=[[0, 0, 0, 0, 0] for _ in range(sink + 1)])
    for index, raw in enumerate(raws):
        counts = [[0, 0, 0, 0, 0] for _ in range(sink + 1)]
        try:
            out = expect_one(raw, plans, counts)
        except Failed as failed:
            # It passed the stages before singly, whatever it was there.
            counts = [[1, 0, 1, 0, 0] if stage < failed.stage else [0] * 5 for stage in range(sink + 1)]
            counts[failed.stage] = [1, 0, 0, 0, 1]
            out = []
            stops = 0 < failed.stage < sink and plans[failed.stage - 1].on_error == "stop"
            if stops:
                expected.stopped = index
            else:
                expected.failures.append((index, failed.stage))
        expected.out += out
        for total, single in zip(expected.counts, counts, strict=True):
            total[:] = [left + right for left, right in zip(total, single, strict=True)]
        if expected.stopped is not None:
            break
    return expected


def expect_one(raw: int, plans: list[Plan], counts: list[list[int]]) -> list[object]:
    sink = len(plans) + 1

    def at(stage: int, record: Record) -> list[object]:
        counts[stage][0] += 1
        if stage == sink:
            try:
                encoded = encode(record)
            except TypeError:
                raise Failed(stage) from None
            counts[stage][2] += 1
            return [encoded]
        plan = plans[stage - 1]
        before = copy.deepcopy(record)
        try:
            value = plan(record)
            records = [] if value is None else [value] if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
            records = [{**each} for each in records]  # a TypeError if it is none
        except (ValueError, KeyError, TypeError):
            if plan.on_error in ("dead-letter", "stop"):
                raise Failed(stage) from None
            records = [before] if plan.on_error == "pass" else []
        if not records:
            counts[stage][3] += 1
            return []
        counts[stage][1] += len(records) - 1
        counts[stage][2] += len(records)
        return [encoded for record in records for encoded in at(stage + 1, record)]

    counts[0][0] += 1
    try:
        record = decode(raw)
    except ValueError:
        raise Failed(0) from None
    if not isinstance(record, dict):
        raise Failed(0)
    counts[0][2] += 1
    return at(1, record)


plans = st.builds(
    Plan,
    st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=7).map(tuple),
    st.sampled_from(["dead-letter", "dead-letter", "drop", "pass", "stop"]),
)


@given(st.lists(st.lists(st.integers(0, 300), max_size=8), max_size=5), st.lists(plans, max_size=5))
def test_the_loop_does_what_a_naive_reading_of_the_rules_does(batches: list[list[int]], plans: list[Plan]) -> None:
    loop = RecordLoop(
        decode, [step(plan, f"step {number}", plan.on_error) for number, plan in enumerate(plans)], encode
    )
    expected = expect([raw for batch in batches for raw in batch], plans)
    out: list[object] = []
    failures: list[tuple[int, int]] = []
    stopped: int | None = None
    begin = 0
    for batch in batches:
        found: list[Failure] = []
        try:
            loop.run(list(batch), out, found)
        except StopRun as stop:
            stopped = begin + stop.failure.index
        failures += [(begin + failure.index, failure.stage) for failure in found]
        if stopped is not None:
            break
        begin += len(batch)
    assert out == expected.out
    assert failures == expected.failures
    assert stopped == expected.stopped
    assert [list(each) for each in summaries(loop)] == expected.counts
    counts = loop.counts()
    assert [each.out for each in counts[:-1]] == [each.entered for each in counts[1:]]


def test_a_failure_names_the_file_as_it_is_shown() -> None:
    def fails(_record: Record) -> Record:
        raise ValueError("no")

    loop = loop_of(StepCall(name="fails", call=fails, file=__file__, shown="plugins/fails.py"))

    _, failures = run(loop, {"a": 1})

    assert failures[0].error.path == "plugins/fails.py"
    assert failures[0].error.line == fails.__code__.co_firstlineno + 1
    assert [key.count("plugins/fails.py") for key in loop.errors] == [1]


def test_the_times_of_the_stages_never_add_up_to_more_than_the_loop_took() -> None:
    loop = loop_of(
        step(lambda record: dict(sorted(record.items())), "sorts"), step(lambda record: {**record}, "copies")
    )
    raws = [{"b": 1, "a": 2} for _ in range(200)]
    began = time.perf_counter()
    for _ in range(100):
        run(loop, *raws)
    elapsed = time.perf_counter() - began

    assert 0 < sum(counts.seconds for counts in loop.counts()) <= elapsed


# ----------------------------------------------------------------------------- batch steps


def in_batches(call: Transform, on_error: OnError = "dead-letter") -> StepCall:
    """Return a step that does to many records at once what ``call`` does to each."""

    def outcome(record: Record) -> object:
        try:
            value = call(record)
            return value if value is None or isinstance(value, dict) else list(value)  # type: ignore[call-overload]
        except ValueError as error:
            return outcomes.Failed(describe_error(error))

    return StepCall(name="step", batch=lambda records: [outcome(record) for record in records], on_error=on_error)


def act(record: Record) -> object:
    actions = record["act"]
    assert isinstance(actions, list)
    action = actions.pop(0)
    if action == "fail":
        raise ValueError("no")
    if isinstance(action, int):
        return [dict(record, act=list(actions), copy=number) for number in range(action)]
    return record if action == "keep" else None


@given(
    raws=st.lists(
        st.lists(st.sampled_from(["keep", "keep", "drop", "fail", 0, 1, 3]), min_size=3, max_size=3).map(
            lambda actions: {"act": actions}
        )
        | st.just("no record")
    ),
    on_error=st.lists(st.sampled_from(["dead-letter", "drop", "pass", "stop"]), min_size=3, max_size=3),
    batched=st.sampled_from([(True, False, False), (False, True, False), (False, True, True), (True, True, True)]),
)
def test_a_batch_step_gives_what_the_same_step_gives_one_by_one(
    raws: list[object], on_error: list[OnError], batched: tuple[bool, bool, bool]
) -> None:
    singly = loop_of(*(step(act, on_error=each) for each in on_error))
    steps = zip(on_error, batched, strict=True)
    at_once = loop_of(*(in_batches(act, on_error=each) if batch else step(act, on_error=each) for each, batch in steps))
    found: list[object] = []
    for loop in (singly, at_once):
        out: list[object] = []
        failures: list[Failure] = []
        try:
            loop.run(copy.deepcopy(raws), out, failures)
            stopped = None
        except StopRun as stop:
            stopped = (stop.failure.index, stop.failure.stage)
        # Where an act changes its own list, "pass" copies for a single step and not for one that is far away.
        shown = [{key: value for key, value in one.items() if key != "act"} for one in out if isinstance(one, dict)]
        found.append((shown, [(one.index, one.stage) for one in failures], stopped, summaries(loop)))
    if "pass" not in on_error:
        assert found[0] == found[1]


def test_what_a_batch_step_raises_is_the_failure_of_each_of_its_records() -> None:
    def call(records: list[Record]) -> list[object]:
        raise RuntimeError(f"{len(records)} at once")

    loop = loop_of(StepCall(name="far", batch=call))
    out, failures = run(loop, {"n": 1}, {"n": 2})
    assert out == []
    assert [(one.index, one.name, one.error.message) for one in failures] == [
        (0, "far", "2 at once"),
        (1, "far", "2 at once"),
    ]
    assert list(loop.errors.values()) == [2]


@pytest.mark.parametrize(("answer", "said"), [([{}], "1 outcomes for 2"), ([{}, 7], "7 (int)")])
def test_a_batch_step_that_answers_nonsense_has_failed(answer: list[object], said: str) -> None:
    out, failures = run(loop_of(StepCall(name="far", batch=lambda records: answer)), {"n": 1}, {"n": 2})
    assert len(out) + len(failures) == 2
    assert said in failures[-1].error.message


def test_a_regrouped_batch_counts_what_is_more_and_what_is_missing() -> None:
    more = StepCall(name="more", batch=lambda records: Regrouped([*records, {"n": 7}]))
    fewer = StepCall(name="fewer", batch=lambda records: Regrouped(records[1:]))
    loop = loop_of(twice, more, fewer, fail_on(7))
    out, failures = run(loop, {"n": 1}, {"n": 2})
    assert len(out) == 3
    (failure,) = failures
    assert (failure.index, failure.record) == (-1, {"n": 7})
    assert summaries(loop)[1:] == [(2, 2, 4, 0, 0), (4, 1, 5, 0, 0), (5, 0, 4, 1, 0), (4, 0, 3, 0, 1), (3, 0, 3, 0, 0)]


def test_another_split_begins_with_counts_and_errors_of_zero() -> None:
    loop = loop_of(fail_on(1))
    run(loop, {"n": 1}, {"n": 2})
    loop.begin(copy.deepcopy, copy.deepcopy)
    assert summaries(loop) == [(0, 0, 0, 0, 0)] * 3
    _, failures = run(loop, {"n": 1})
    assert failures[0].traceback is not None
    assert list(loop.errors.values()) == [1]


class Ahead:
    """A batch step that may be begun, and notes what is asked of it."""

    def __init__(self, call: Callable[[list[Record]], list[object]], *, begins: bool = True) -> None:
        self.call = call
        self.begins = begins
        self.log: list[tuple[str, object]] = []

    def __call__(self, records: list[Record]) -> list[object]:
        self.log.append(("called", records[0]["n"]))
        return self.call(records)

    def begin(self, records: list[Record]) -> Callable[[], list[object]]:
        number = records[0]["n"]
        self.log.append(("begun", number))
        if not self.begins:
            raise RuntimeError("not now")

        def wait() -> list[object]:
            self.log.append(("waited for", number))
            return self.call(records)

        return wait

    def abandon(self) -> None:
        self.log.append(("abandoned", None))


def test_a_batch_is_begun_before_the_one_before_it_is_finished() -> None:
    far = Ahead(list)
    loop = loop_of(StepCall(name="far", batch=far))
    out: list[object] = []
    first, second = loop.begin_ahead([{"n": 1}]), loop.begin_ahead([{"n": 2}])
    assert first is not None
    assert second is not None
    loop.finish(first, out, [])
    assert out == [{"n": 1}]
    loop.finish(second, out, [])
    loop.abandon()
    expected = [("begun", 1), ("begun", 2), ("waited for", 1), ("waited for", 2), ("abandoned", None)]
    assert far.log == expected
    assert out == [{"n": 1}, {"n": 2}]
    assert summaries(loop) == [(2, 0, 2, 0, 0)] * 3


def test_what_cannot_be_begun_is_called_when_the_batch_is_finished() -> None:
    far = Ahead(list, begins=False)
    loop = loop_of(StepCall(name="far", batch=far))
    out: list[object] = []
    passing = loop.begin_ahead([{"n": 1}])
    assert passing is not None
    loop.finish(passing, out, [])
    assert far.log == [("begun", 1), ("called", 1)]
    assert out == [{"n": 1}]


def test_steps_of_which_none_works_by_itself_are_not_begun() -> None:
    assert loop_of(keep, StepCall(name="far", batch=lambda records: records)).begin_ahead([{"n": 1}]) is None


@given(
    batches=st.lists(
        st.lists(
            st.lists(st.sampled_from(["keep", "keep", "drop", "fail", 0, 1, 3]), min_size=3, max_size=3).map(
                lambda actions: {"act": actions, "n": 0}
            )
            | st.just("no record")
        ),
        max_size=4,
    ),
    on_error=st.lists(st.sampled_from(["dead-letter", "drop", "pass", "stop"]), min_size=3, max_size=3),
    ahead=st.integers(0, 2),
)
def test_batches_that_are_begun_ahead_become_what_they_become_one_after_the_other(
    batches: list[list[object]], on_error: list[OnError], ahead: int
) -> None:
    steps = [
        in_batches(act, on_error=each) if at == ahead else step(act, on_error=each) for at, each in enumerate(on_error)
    ]
    beginning = [
        StepCall(name="step", batch=Ahead(cast("Call", one.batch)), on_error=one.on_error) if one.batch else one
        for one in steps
    ]
    found: list[object] = []
    for begins in (False, True):
        loop = loop_of(*(beginning if begins else steps))
        out: list[object] = []
        failures: list[Failure] = []
        stopped = None
        try:
            waiting = []
            for raws in copy.deepcopy(batches):
                if not begins:
                    loop.run(raws, out, failures)
                    continue
                waiting.append(loop.begin_ahead(raws))
                if len(waiting) > 1:
                    loop.finish(cast("StagedBatch", waiting.pop(0)), out, failures)
            for passing in waiting:
                loop.finish(cast("StagedBatch", passing), out, failures)
        except StopRun as stop:
            stopped = (stop.failure.index, stop.failure.stage)
        errors = {} if stopped else loop.errors  # those of a batch that was begun are known, although nobody gets to it
        found.append((out, [(one.index, one.stage) for one in failures], stopped, summaries(loop), errors))
    assert found[0] == found[1]


def held_while_fanning_out(fan: int, raws: list[object]) -> tuple[list[int], list[object], list[Failure], RecordLoop]:
    """Pass records through a step that makes ``fan`` of each; return also how many were in ``out`` each time it was drained."""

    def many(record: Record) -> Iterator[Record]:
        for number in range(fan):
            if record["id"] == "broken" and number == fan - 1:
                raise ValueError(number)
            yield {**record, "number": number}

    loop = loop_of(many)
    held: list[int] = []
    written: list[object] = []

    def drain(out: list[object]) -> None:
        held.append(len(out))
        written.extend(out)

    out: list[object] = []
    failures: list[Failure] = []
    loop.run(raws, out, failures, drain)
    return held, written + out, failures, loop


def test_of_a_batch_that_fans_out_only_some_thousand_records_are_held_at_once() -> None:
    raws: list[object] = [{"id": number if number != 30 else "broken"} for number in range(50)]
    held, made, failures, loop = held_while_fanning_out(1_000, raws)
    assert made == [{"id": raw, "number": number} for raw in [*range(30), *range(31, 50)] for number in range(1_000)]
    assert [failure.index for failure in failures] == [30]
    assert len(held) >= 5
    assert max(held) < 10_000
    assert summaries(loop) == [(50, 0, 50, 0, 0), (50, 49 * 999, 49_000, 0, 1), (49_000, 0, 49_000, 0, 0)]


def test_a_batch_that_fans_out_a_little_is_handed_over_as_a_whole() -> None:
    held, made, _, _ = held_while_fanning_out(2, [{"id": number} for number in range(100)])
    assert held == []
    assert len(made) == 200


def test_what_the_drain_raises_comes_out_with_counts_that_agree() -> None:
    def full(_out: list[object]) -> None:
        raise OSError(28, "No space left on device")

    loop = loop_of(lambda record: ({**record, "number": number} for number in range(5_000)))
    with pytest.raises(OSError, match="No space"):
        loop.run([{"id": 1}, {"id": 2}], [], [], full)
    assert summaries(loop) == [(1, 0, 1, 0, 0), (1, 4_999, 5_000, 0, 0), (5_000, 0, 5_000, 0, 0)]


def test_a_step_that_stops_the_run_behind_a_drained_fan_out_is_told_with_its_index() -> None:
    def many(record: Record) -> Iterator[Record]:
        if record["id"] == 3:
            raise ValueError
        return (dict(record) for _ in range(5_000))

    loop = loop_of(step(many, on_error="stop"))
    out: list[object] = []
    drained: list[object] = []
    with pytest.raises(StopRun) as stopped:
        loop.run([{"id": number} for number in range(6)], out, [], drained.extend)
    assert stopped.value.failure.index == 3
    assert len(drained) + len(out) == 15_000
    assert [counts.entered for counts in loop.counts()] == [4, 4, 15_000]


class _Slow:
    """A step that takes a while for some records, by a clock that only it moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("plugline.records.loop.monotonic_seconds", lambda: self.now)

    def __call__(self, record: Record) -> Record:
        self.now += cast("float", record["seconds"])
        if record.get("fails"):
            raise ValueError("fails")
        return record


def test_there_are_beats_within_a_batch_as_often_as_its_records_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, told = loop_of(_Slow(monkeypatch)), list[int]()
    loop.beat = told.append
    run(loop, *[{"seconds": 1.0}] * 3)
    assert told == [1, 2]
    told.clear()
    run(loop, *[{"seconds": 0.01}] * 50)
    assert told == [1, 5, 15, 25, 35, 45]
    told.clear()
    run(loop, *[{"seconds": 0.0}] * 50)
    assert told == [10]
    run(loop, *[{"seconds": 0.0}] * 50)
    assert told == [10]


@given(st.lists(st.sampled_from(["keeps", "fails", "drops", "fans"]), max_size=40), st.booleans())
def test_a_batch_with_beats_becomes_what_it_becomes_without(kinds: list[str], stops: bool) -> None:  # noqa: FBT001
    def passes(record: Record) -> object:
        if record["kind"] == "fails":
            raise ValueError(record["kind"])
        return {"keeps": record, "drops": None, "fans": [record] * 3}[cast("str", record["kind"])]

    def outcome(loop: RecordLoop) -> object:
        out: list[object] = []
        failures: list[Failure] = []
        stopped = None
        try:
            loop.run([{"kind": kind, "at": at} for at, kind in enumerate(kinds)], out, failures)
        except StopRun as stop:
            stopped = stop.failure.index
        return out, [failure.index for failure in failures], stopped, summaries(loop)

    loop, told = loop_of(step(passes, on_error="stop" if stops else "dead-letter")), list[int]()
    loop.beat = told.append
    assert outcome(loop) == outcome(loop_of(step(passes, on_error="stop" if stops else "dead-letter")))
    assert told == sorted(told)


def test_what_a_large_fan_out_makes_is_handed_on_within_a_batch_with_beats() -> None:
    loop, drained, out = loop_of(lambda record: [record] * 3_000), list[int](), list[object]()
    loop.beat = lambda done: None
    loop.run([{"a": 1}] * 10, out, [], lambda ready: drained.append(len(ready)))
    assert sum(drained) + len(out) == 30_000
    assert max(drained) < 30_000
    assert summaries(loop)[-1] == (30_000, 0, 30_000, 0, 0)
