from collections.abc import Iterator

import pytest

from plugline.records.loop import Failure, RecordLoop, StepCall
from plugline.records.slowest import Slowest, SlowestBatches
from plugline.records.values import Position


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on only where a step says so."""
    now = [0.0]
    monkeypatch.setattr("plugline.records.slowest.monotonic_seconds", lambda: now[0])
    return now


def work(clock: list[float], *, keep: int = 2) -> tuple[RecordLoop, Slowest]:
    def first(record: dict[str, object]) -> object:
        clock[0] += float(str(record.get("first", 0)))
        if record.get("raise"):
            raise ValueError
        return None if record.get("drop") else [dict(record), dict(record)] if record.get("twice") else record

    def second(record: dict[str, object]) -> object:
        clock[0] += float(str(record.get("second", 0)))
        return record

    slowest = Slowest(keep, ["source", "first", "second", "sink"])
    steps = slowest.steps([StepCall(name="first", call=first), StepCall(name="second", call=second)])
    return RecordLoop(slowest.decoding(lambda raw: raw), steps, slowest.timed(3, lambda record: record)), slowest


def run(loop: RecordLoop, slowest: Slowest, *records: dict[str, object]) -> None:
    failures: list[Failure] = []
    slowest.begin_batch()
    loop.run(list(records), [], failures)
    slowest.end_batch(list(records), lambda index: Position(row=index + 1))


def told(slowest: Slowest) -> Iterator[tuple[float, str, float, int | None]]:
    for one in slowest.take():
        yield one.seconds, one.step, one.step_seconds, one.position.row


def test_the_slowest_of_all_batches_are_kept_with_the_step_that_took_most(clock: list[float]) -> None:
    loop, slowest = work(clock)
    run(loop, slowest, {"first": 1}, {"first": 1, "second": 3}, {})
    run(loop, slowest, {"second": 2}, {"first": 1})
    assert list(told(slowest)) == [(4, "second", 3, 2), (2, "second", 2, 1)]
    assert slowest.take() == ()


def test_records_that_fail_are_dropped_or_fan_out_are_timed_as_well(clock: list[float]) -> None:
    loop, slowest = work(clock, keep=3)
    run(
        loop, slowest, {"first": 5, "raise": True}, {"first": 4, "drop": True}, {"first": 1, "second": 1, "twice": True}
    )
    assert list(told(slowest)) == [(5, "first", 5, 1), (4, "first", 4, 2), (3, "first", 1, 3)]


def test_what_came_in_is_shown_shortened(clock: list[float]) -> None:
    slowest = Slowest(1, ["source", "sink"])

    def encode(record: object) -> object:
        clock[0] += 1
        return record

    loop = RecordLoop(slowest.decoding(lambda raw: {}), [], slowest.timed(1, encode))
    raws: list[object] = [b"x" * 1000]
    slowest.begin_batch()
    loop.run(raws, [], [])
    slowest.end_batch(raws, lambda index: Position())
    (one,) = slowest.take()
    assert (len(one.shown), one.shown[-1], one.step) == (200, "…", "sink")


def test_the_batches_that_took_longest_are_kept_with_their_size() -> None:
    slowest = SlowestBatches(2, ["source", "table", "sink"])
    for number, (seconds, count) in enumerate([((1, 2, 1), 100), ((0, 9, 0), 1000), ((0, 1, 2), 10), ((1, 1, 1), 0)]):
        slowest.note(seconds, count, lambda number=number: Position(row=number), lambda number=number: number)  # type: ignore[misc]
    told = [(one.seconds, one.count, one.step, one.step_seconds, one.position.row, one.shown) for one in slowest.take()]
    assert told == [(9, 1000, "table", 9, 1, "1"), (4, 100, "table", 2, 0, "0")]
    assert slowest.take() == ()
