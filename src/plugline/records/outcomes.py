"""What steps returned to the records that go on: one record's, or those of a batch whose stages are passed one after the other."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias, cast

from plugline.blame import ErrorText
from plugline.dispatch.copies import structural_copy
from plugline.frozen import frozen
from plugline.records.protocols import Record

_SHORT_CHARACTERS = 60


BatchCall: TypeAlias = Callable[[list[Record]], "Sequence[object] | Regrouped"]
"""A step that takes many records at once, because each call of it is expensive: it runs in a worker, or on a table.

Takes records in order and returns one outcome for each of them, in the same order: what ``transform`` returns (a record,
``None``, an iterable of records), or a :class:`Failed`. Or it returns :class:`Regrouped`, where nobody can say
what became of which. The records may be kept and changed. What it raises itself counts as the failure of each
record of the batch.
"""


class BeginsBatches(Protocol):
    """A :data:`BatchCall` that works on one batch while its caller prepares the next.

    Attributes:
        beat: Where there is one, called with the share of a batch that is done while the batch is waited for.
    """

    beat: Callable[[float], object] | None = None

    def __call__(self, records: list[Record], /) -> "Sequence[object] | Regrouped":
        """See :data:`BatchCall`."""

    def begin(self, records: list[Record], /) -> "Callable[[], Sequence[object] | Regrouped]":
        """Begin with a batch, and return what waits for its outcomes.

        Several may be begun, by one thread; they are waited for in that order.
        """

    def abandon(self) -> None:
        """Forget all batches that were begun and not waited for, because an exception passes."""


@frozen()
class Failed:
    """The outcome of one record on which a batch step failed.

    Attributes:
        traceback: The whole traceback, where it is known.
    """

    error: ErrorText
    traceback: str | None = None


@frozen()
class Regrouped:
    """What became of a batch as a whole: other records, none of which comes from a certain one of them.

    As many as are missing count as dropped, as many as are more count as created. Where a later step fails on one, the dead
    letter holds it as it was after this step, since there is nothing that it came in as.
    """

    records: Sequence[Record]


def checked_decoded(value: object) -> Record:
    """Check what a decoder returned where it is not exactly a dict."""
    if isinstance(value, dict):
        return value
    raise ValueError(f"expected an object, got {_JSON_NAMES.get(type(value)) or _shown(value)}")


_JSON_NAMES = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
_RECORDS_EXPECTED = "expected a dict, None or an iterable of dicts"


def records_of(value: object) -> list[Record]:
    """Make a list of what a step returned where it is neither ``None`` nor a dict."""
    if isinstance(value, Coroutine):
        value.close()  # otherwise Python warns that nobody awaited it
        raise TypeError(f"returned a coroutine, {_RECORDS_EXPECTED}; a step cannot be an async function")
    if isinstance(value, (str, bytes, bytearray, memoryview, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"returned {_shown(value)}, {_RECORDS_EXPECTED}")
    if isinstance(value, (list, tuple)):
        records = [checked_record(index, item) for index, item in enumerate(value)]
        if len(set(map(id, records))) < len(records):
            # [record] * 3 means three records, and the next step may change each of them in place.
            return [cast("Record", structural_copy(record)) for record in records]
        return records
    # A generator may yield one dict again and again, changed in between.
    return [
        item.copy() if item.__class__ is dict else item
        for item in (checked_record(index, item) for index, item in enumerate(value))
    ]


def checked_record(index: int, item: object) -> Record:
    """Return an item of what a step returned, if it is a record."""
    if isinstance(item, dict):
        return item
    raise TypeError(f"returned an iterable whose item {index} is {_shown(item)}, expected a dict")


def _shown(value: object) -> str:
    """Show a foreign value; only those are asked for their ``repr`` that we know."""
    kind = type(value)
    if kind in (str, bytes, int, float, bool, type(None)):
        text = repr(value[:_SHORT_CHARACTERS] if isinstance(value, (str, bytes)) else value)
        return f"{text[:_SHORT_CHARACTERS]} ({kind.__name__})" if value is not None else "None"
    return f"an object of type {kind.__qualname__!r}"


@frozen(kw_only=True)
class Failure:
    """One record that is to become a dead letter.

    Attributes:
        index: Its place in the batch, from 0; -1 where it is not one of the batch, see :class:`Regrouped`.
        stage: Where it failed: 0 is the source, 1 the first step, and the last is the sink.
        name: The name of that stage.
        error: What was raised.
        traceback: The whole traceback, for the first record with this error and the first 20 errors only.
        record: The record itself, where it is not one of the batch.
    """

    index: int
    stage: int
    name: str
    error: ErrorText
    traceback: str | None = None
    record: Record | None = None


Waiting: TypeAlias = Callable[[], "Sequence[object] | Regrouped"]

ORPHANS = 2**60  # origins from here on are records that come from no certain one of the batch


class StagedBatch:
    """What becomes of a batch while its stages are passed one after the other.

    An origin is the place in the batch of the record that something was made of. Counts of origins that fanned out
    are held back until all of the batch is done: where one of their descendants fails, they passed singly.

    Origins and what they have become are two sequences side by side: as long as every record goes on as one, the first
    is a range, and a stage costs no object a record but what it makes.

    Args:
        raws: What comes in.
        stages: How many there are.

    Attributes:
        raws: What came in.
        stage: The next that is to be passed.
        begun: Where that was begun: what goes into it, and what waits for its outcomes.
        stopped: The failure that ends the run.
        origins: Of what is alive.
        values: What is made of them so far.
        failures: In the order in which they were found.
        lost: The origins that failed; what else was made of them is not to go on.
    """

    def __init__(self, raws: Sequence[object], stages: int) -> None:
        self.raws = raws
        self.stage = 0
        self.begun: tuple[Sequence[int], list[object], Waiting] | None = None
        self.stopped: Failure | None = None
        self.origins: Sequence[int] = range(len(raws)) if raws else []
        self.values: list[object] = list(raws)
        self.failures: list[Failure] = []
        self.lost: set[int] = set()
        self.seconds = [0.0] * stages
        self._stages = stages
        self._created = [0] * stages
        self._dropped: list[tuple[int, int, int]] = []  # origin, stage, how many
        self._fanned: dict[int, list[int]] = {}  # how many it created, by stage

    @property
    def has_fanned_out(self) -> bool:
        """Whether several may have come of one origin, so that one that fails takes others along."""
        return bool(self._fanned)

    def take_out(self) -> tuple[Sequence[int], list[object]]:
        """Return what is alive of origins that did not fail, with these; nothing is, until it was passed through a stage."""
        self._forget_lost()
        taken = self.origins, self.values
        self.origins, self.values = [], []
        return taken

    def _forget_lost(self) -> None:
        if self.lost:
            self._keep(lambda origin: origin not in self.lost)

    def _keep(self, keeps: Callable[[int], bool]) -> None:
        kept = [(origin, value) for origin, value in zip(self.origins, self.values, strict=True) if keeps(origin)]
        self.origins, self.values = [origin for origin, _ in kept], [value for _, value in kept]

    def go_on(self, origin: int, value: object) -> None:
        """Take what goes on of ``origin``, since all was taken out."""
        self.origins.append(origin)  # type: ignore[attr-defined]  # a list since then
        self.values.append(value)

    def take(self, stage: int, origin: int, value: object) -> None:
        """Take what a step returned for a record of ``origin``."""
        if isinstance(value, dict):
            self.go_on(origin, value)
            return
        records = records_of(value) if value is not None else []
        if not records:
            self.drop(stage, origin)
            return
        self._fanned.setdefault(origin, [0] * self._stages)[stage] += len(records) - 1
        for record in records:
            self.go_on(origin, record)

    def drop(self, stage: int, origin: int, count: int = 1) -> None:
        """Take that something of ``origin`` goes no further."""
        self._dropped.append((origin, stage, count))

    def fail(self, origin: int, failure: Failure) -> None:
        """Take that something of ``origin`` failed, and so all of it."""
        self.failures.append(failure)
        self.lost.add(origin)
        if self._fanned.pop(origin, None) is not None:
            self._dropped = [one for one in self._dropped if one[0] != origin]

    def regroup(self, stage: int, origins: list[int], records: Sequence[Record]) -> None:
        """Take what became of all ``origins`` together."""
        checked = [checked_record(index, record) for index, record in enumerate(records)]
        self.recount(stage, len(origins), len(checked))
        first = ORPHANS * (stage + 1)
        self.origins, self.values = range(first, first + len(checked)), list(checked)

    def recount(self, stage: int, before: int, after: int) -> None:
        """Take that so many records became so many others, none of which comes from a certain one of them."""
        self._settle_fanned()
        self._created[stage] += max(after - before, 0)
        if after < before:
            self.drop(stage, -1, before - after)

    def cut_after(self, last: int) -> None:
        """Forget all origins after ``last``: they were not looked at."""
        self._keep(lambda origin: origin <= last)
        self.failures = [one for one in self.failures if one.index <= last]
        self._dropped = [one for one in self._dropped if one[0] <= last]
        self._fanned = {origin: created for origin, created in self._fanned.items() if origin <= last}

    def settle(self, created: list[int], dropped: list[int], failed: list[int]) -> None:
        """Add to the counts what is certain now."""
        self._forget_lost()
        self._settle_fanned()
        for stage, count in enumerate(self._created):
            created[stage] += count
        for _, stage, count in self._dropped:
            dropped[stage] += count
        for failure in self.failures:
            failed[failure.stage] += 1

    def _settle_fanned(self) -> None:
        for counts in self._fanned.values():
            self._created = [one + two for one, two in zip(self._created, counts, strict=True)]
        self._fanned.clear()
