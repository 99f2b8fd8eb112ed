"""A bound plan and a record to what becomes of it at every step.

Each step runs in the record loop, alone: what a fan-out is, what counts as a failure and what an error says is what a run
makes of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from plugline.blame import ErrorText
from plugline.dispatch.copies import structural_copy
from plugline.frozen import frozen
from plugline.pipeline.plan import Plan
from plugline.records import Record
from plugline.records.loop import Failure, OnError, StepCall, loop_for

Outcome = Literal["unchanged", "changed", "dropped", "fanned out", "failed"]

MISSING = ...
"""What a field is before it is added, and after it is removed."""


@frozen(kw_only=True)
class Change:
    """One field that a step changed: ``before`` is :data:`MISSING` where it was added, ``after`` where it was removed."""

    field: str
    before: object
    after: object


@frozen(kw_only=True)
class Passage:
    """One record's way through one step.

    Attributes:
        before: As it came.
        after: As it, or what it became, goes on; nothing where it was dropped or failed.
        error: What a step raised.
        on_error: What a run does with a record that fails here.
        changes: The fields that differ, where one record came out.
    """

    before: Record
    after: tuple[Record, ...]
    outcome: Outcome
    error: ErrorText | None = None
    on_error: OnError = "dead-letter"
    changes: tuple[Change, ...] = ()


@frozen(kw_only=True)
class StepView:
    """What became of a record at one step: a passage for each record that an earlier fan-out made of it."""

    index: int
    name: str
    plugin: str
    passages: tuple[Passage, ...]


@frozen(kw_only=True)
class Walk:
    """A record's way through all steps.

    Attributes:
        steps: As far as it went.
        out: What would be written.
        failure: The passage that makes the whole record a dead letter, if one does.
    """

    steps: tuple[StepView, ...]
    out: tuple[Record, ...]
    failure: Passage | None = None


class Walker:
    """Leads records through the steps of a plan, one step at a time."""

    def __init__(self, plan: Plan, steps: Sequence[StepCall]) -> None:
        self._plan = plan
        self._on_error = [step.on_error for step in steps]
        # Failures are to be seen here, whatever a run does with them.
        self._loops = [loop_for(_as_it_is, [replace(step, on_error="dead-letter")], structural_copy) for step in steps]

    def walk(self, record: Record) -> Walk:
        """Lead a record through the steps; it may be changed."""
        views: list[StepView] = []
        records = [record]
        for index, step in enumerate(self._plan.steps):
            passages = tuple(self._pass(index, one) for one in records)
            views.append(StepView(index=index + 1, name=step.label, plugin=step.use.name, passages=passages))
            ended = next((one for one in passages if one.error is not None and one.on_error in _ENDS), None)
            if ended is not None:
                return Walk(steps=tuple(views), out=(), failure=ended)
            records = [_copy(one) for passage in passages for one in passage.after]
            if not records:
                break
        return Walk(steps=tuple(views), out=tuple(records))

    def _pass(self, index: int, record: Record) -> Passage:
        before, on_error = _copy(record), self._on_error[index]
        out: list[object] = []
        failures: list[Failure] = []
        self._loops[index].run([record], out, failures)
        after = tuple(one for one in out if isinstance(one, dict))
        if failures:
            kept = (_copy(before),) if on_error == "pass" else ()
            return Passage(before=before, after=kept, outcome="failed", error=failures[0].error, on_error=on_error)
        if len(after) != 1:
            return Passage(before=before, after=after, outcome="fanned out" if after else "dropped", on_error=on_error)
        changes = tuple(changes_between(before, after[0]))
        outcome: Outcome = "changed" if changes else "unchanged"
        return Passage(before=before, after=after, outcome=outcome, on_error=on_error, changes=changes)


_ENDS: tuple[OnError, ...] = ("dead-letter", "stop")


def _as_it_is(record: object) -> object:
    return record


def _copy(record: Record) -> Record:
    copied = structural_copy(record)
    assert isinstance(copied, dict)  # noqa: S101 - the copy of a dict is one
    return copied


def changes_between(before: Record, after: Record) -> Iterator[Change]:
    """Yield the fields that differ: those that were, in their order, then those that are new."""
    for field, value in before.items():
        now = after.get(field, MISSING)
        if now is MISSING or not same(value, now):
            yield Change(field=field, before=value, after=now)
    for field, value in after.items():
        if field not in before:
            yield Change(field=field, before=MISSING, after=value)


def same(first: object, second: object) -> bool:
    """Whether two values are written alike: ``1``, ``1.0`` and ``True`` differ, a list and a tuple do not, NaN is NaN."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(value, second[key]) for key, value in first.items())
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(same(one, two) for one, two in zip(first, second, strict=True))
    if type(first) is not type(second):
        return False
    try:
        return bool(first == second) or (first != first and second != second)  # noqa: PLR0124 - NaN is told by that
    except Exception:  # noqa: BLE001 - a stranger's object; what cannot be compared is told as different
        return False
