"""What a run did, as data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from plugline.frozen import frozen
from plugline.records import StepCounts
from plugline.records.values import SlowRecord


@frozen(kw_only=True)
class Swap:
    """Another generation of a step's plugin, taken into a run that went on.

    Attributes:
        generation: Which one it is: 2 for the first edit.
        record: The number of the first record that it worked on, counted from 1.
    """

    step: str
    generation: int
    record: int


@frozen(kw_only=True)
class RunReport:
    """What a run did.

    Attributes:
        counts: One entry for the source, one a step, one for the sink.
        seconds: How long it took.
        output: The path of the output, ``"-"`` for standard output.
        dead_letters: The path of the dead letters, ``None`` when there are none.
        errors: How often each distinct error came, most frequent first.
        removed: A dead letter file of an earlier run that this one made obsolete and removed.
        complete: Whether it came to its end and the output is in place.
        tracebacks: The whole traceback of the first record with an error, for the first 20 distinct errors, by the same key.
        resumed_parts: How many splits had been done by a run before, which this one went on with.
        resumable: Whether what was done is kept, so that the run can be gone on with.
        in_place: Why what was done of a run that stopped is in the output's place: ``"followed"`` files, rows ``"added"``.
        slowest: The records that took longest, where they were asked for.
        parts: How many files an output in parts has; ``None`` where the output is one.
        dashboard: The address of the engine's own page on what it does, ``None`` where it has none.
        swaps: The generations that were taken while it went on, in order.
    """

    counts: tuple[StepCounts, ...]
    seconds: float
    output: str
    dead_letters: str | None
    errors: Mapping[str, int] = field(default_factory=dict)
    removed: str | None = None
    complete: bool = True
    tracebacks: Mapping[str, str] = field(default_factory=dict)
    resumed_parts: int = 0
    resumable: bool = False
    in_place: str = ""
    slowest: tuple[SlowRecord, ...] = ()
    parts: int | None = None
    dashboard: str | None = None
    swaps: tuple[Swap, ...] = ()

    @property
    def records_in(self) -> int:
        """How many records the source held, broken ones included."""
        return self.counts[0].entered if self.counts else 0

    @property
    def records_out(self) -> int:
        """How many were written."""
        return self.counts[-1].out if self.counts else 0

    @property
    def created(self) -> int:
        """How many more there were by fanning out."""
        return sum(count.created for count in self.counts)

    @property
    def dropped(self) -> int:
        """How many steps dropped."""
        return sum(count.dropped for count in self.counts)

    @property
    def failed(self) -> int:
        """How many became dead letters."""
        return sum(count.failed for count in self.counts)

    @property
    def records_per_second(self) -> float | None:
        """How many were read a second; ``None`` where a run before this one had read some of them."""
        return self.records_in / self.seconds if self.seconds > 0 and not self.resumed_parts else None

    @property
    def balanced(self) -> bool:
        """Whether ``in + created = out + dropped + failed`` holds at every step, from one to the next, and over all."""
        linked = all(before.out == after.entered for before, after in zip(self.counts, self.counts[1:], strict=False))
        whole = self.records_in + self.created == self.records_out + self.dropped + self.failed
        return linked and whole and all(count.balanced for count in self.counts)


def added(first: Sequence[StepCounts], second: Sequence[StepCounts]) -> tuple[StepCounts, ...]:
    """Return the counts of two splits together; either may be empty."""
    if not first or not second:
        return tuple(first or second)
    return tuple(
        StepCounts(
            name=one.name,
            entered=one.entered + two.entered,
            created=one.created + two.created,
            out=one.out + two.out,
            dropped=one.dropped + two.dropped,
            failed=one.failed + two.failed,
            seconds=one.seconds + two.seconds,
        )
        for one, two in zip(first, second, strict=True)
    )


def tallied(errors: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return error counts of several splits together, most frequent first."""
    total: dict[str, int] = {}
    for mapping in errors:
        for key, count in mapping.items():
            total[key] = total.get(key, 0) + count
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
