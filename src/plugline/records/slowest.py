"""A record loop's functions to the records that took longest, for those who ask.

Every stage is wrapped, which costs a call and two looks at the clock; a loop whose slowest records nobody wants is as it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heappush, heapreplace

from plugline.clock import monotonic_seconds
from plugline.records.loop import StepCall
from plugline.records.values import Position, SlowRecord

_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True, order=True)
class _Slow:
    seconds: float
    number: int  # which record of the split, so that no two are equal
    index: int
    stage: int
    stage_seconds: float


class _Kept:
    """The slowest so far.

    Args:
        keep: How many to keep.
    """

    def __init__(self, keep: int, names: Sequence[str]) -> None:
        self._keep = keep
        self._names = names
        self._kept: list[tuple[float, int, SlowRecord]] = []

    def take(self) -> tuple[SlowRecord, ...]:
        """Return the slowest, the slowest first, and begin anew."""
        kept, self._kept = sorted(self._kept, reverse=True), []
        return tuple(slow for _, _, slow in kept)

    def _push(self, number: int, slow: SlowRecord) -> None:
        entry = slow.seconds, -number, slow
        if len(self._kept) < self._keep:
            heappush(self._kept, entry)
        elif entry > self._kept[0]:
            heapreplace(self._kept, entry)


class Slowest(_Kept):
    """Notes which records of a split take longest, and in which stage.

    Only for loops that pass one record after the other through all stages.
    """

    def __init__(self, keep: int, names: Sequence[str]) -> None:
        super().__init__(keep, names)
        self._in_batch: list[_Slow] = []
        self._number = -1
        self._first = 0  # the number of the batch's first record
        self._seconds = self._stage_seconds = 0.0
        self._stage = 0

    def decoding(self, decode: Callable[..., object]) -> Callable[..., object]:
        """Return ``decode``, with which a record begins."""
        timed = self.timed(0, decode)

        def decoding(raw: object) -> object:
            self._end_record()
            self._number += 1
            return timed(raw)

        return decoding

    def steps(self, steps: Sequence[StepCall]) -> list[StepCall]:
        """Return the steps with their time taken."""
        return [replace(step, call=self.timed(stage, step.call)) for stage, step in enumerate(steps, 1)]

    def timed(self, stage: int, call: Callable[..., object]) -> Callable[..., object]:
        """Return ``call``, whose time is the stage's."""

        def timed(value: object) -> object:
            began = monotonic_seconds()
            try:
                return call(value)
            finally:
                took = monotonic_seconds() - began
                self._seconds += took
                if took > self._stage_seconds:
                    self._stage_seconds, self._stage = took, stage

        return timed

    def begin_batch(self) -> None:
        """Count from here."""
        self._in_batch = []
        self._first = self._number + 1

    def end_batch(self, raws: Sequence[object], position: Callable[[int], Position]) -> None:
        """Keep what is needed of the slow records of a batch, whose raws are gone afterwards."""
        self._end_record()
        for slow in self._in_batch:
            record = SlowRecord(
                seconds=slow.seconds,
                step=self._names[slow.stage],
                step_seconds=slow.stage_seconds,
                position=position(slow.index),
                shown=_shown(raws[slow.index]),
            )
            self._push(slow.number, record)

    def _end_record(self) -> None:
        seconds = self._seconds
        if not seconds:
            return
        slow = _Slow(seconds, self._number, self._number - self._first, self._stage, self._stage_seconds)
        self._seconds = self._stage_seconds = 0.0
        if len(self._in_batch) < self._keep:
            heappush(self._in_batch, slow)
        elif slow > self._in_batch[0]:
            heapreplace(self._in_batch, slow)


class SlowestBatches(_Kept):
    """Notes which batches take longest, where a step takes many records at once."""

    def __init__(self, keep: int, names: Sequence[str]) -> None:
        super().__init__(keep, names)
        self._number = 0

    def note(
        self, seconds: Sequence[float], count: int, position: Callable[[], Position], first: Callable[[], object]
    ) -> None:
        """Take note of a batch.

        Args:
            seconds: How long each stage took for all of it.
            count: How many records it has.
            position: Says where the first of them stands.
            first: Returns it as it came in.
        """
        self._number += 1
        if not count or not seconds:
            return
        total = sum(seconds)
        if len(self._kept) == self._keep and total <= self._kept[0][0]:
            return
        stage = max(range(len(seconds)), key=seconds.__getitem__)
        slow = SlowRecord(
            seconds=total,
            step=self._names[stage],
            step_seconds=seconds[stage],
            position=position(),
            shown=_shown(first()),
            count=count,
        )
        self._push(self._number, slow)


def _shown(raw: object) -> str:
    text = (
        bytes(raw[:_SHOWN_CHARACTERS]).decode("utf-8", "replace") if isinstance(raw, (bytes, bytearray)) else repr(raw)
    )
    text = text.rstrip("\r\n")
    return text if len(text) < _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
