"""The ``[[tests]]`` of a pipeline to what came of them."""

import os
from collections.abc import Callable, Iterator, Sequence

from plugline.clock import monotonic_seconds
from plugline.dispatch.copies import structural_copy
from plugline.findings import Place
from plugline.frozen import frozen
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.config import CaseConfig, FailureConfig, Override
from plugline.pipeline.plan import Plan
from plugline.pipeline.steps import MISSING, Change, changes_between
from plugline.records import Record
from plugline.records.loop import Failure, StopRun, loop_for

# A pipeline's tests need neither its input nor a place for its output.
WITHOUT_FILES = (
    Override(path=("source",), value={"path": os.devnull, "format": "ndjson"}, origin=Place("source")),
    Override(path=("sink",), value={"path": "-", "format": "ndjson"}, origin=Place("sink")),
    Override(path=("run",), value={"dead_letters": os.devnull}, origin=Place("run")),
)


@frozen(kw_only=True)
class Difference:
    """One thing that is not as a test expects it.

    Attributes:
        what: In words.
        record: Which record of the output it is about, from 1; ``None`` where it is about a failure.
        changes: The fields that differ: ``before`` is what was expected, ``after`` what came.
    """

    what: str
    record: int | None = None
    changes: tuple[Change, ...] = ()


@frozen(kw_only=True)
class CaseOutcome:
    """What came of one test.

    Attributes:
        name: Its name, or its number.
        place: Where it begins.
        differences: All that is not as it expects; none means that it passed.
        seconds: How long it took.
    """

    name: str
    place: Place
    differences: tuple[Difference, ...]
    seconds: float


def run_cases(plan: Plan, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[CaseOutcome]:
    """Run the tests of a pipeline in order, each with plugins of its own, so that none sees what another left.

    Args:
        plan: The pipeline.
        wanted: Whether the test of a name is to be run.

    Raises:
        ConfigurationError: A plugin cannot be loaded or refuses its settings.
    """
    for number, case in enumerate(plan.config.tests, 1):
        name = case.name or f"test {number}"
        if not wanted(name):
            continue
        began = monotonic_seconds()
        with BoundPlan(plan) as bound:
            out, failures = _run(case, bound)
        yield CaseOutcome(
            name=name,
            place=plan.config.place(("tests", number - 1)),
            differences=(*_output_differences(case, out), *_failure_differences(case.failures, failures)),
            seconds=monotonic_seconds() - began,
        )


def _run(case: CaseConfig, bound: BoundPlan) -> tuple[list[Record], list[Failure]]:
    loop = loop_for(structural_copy, bound.steps, structural_copy)
    out: list[object] = []
    failures: list[Failure] = []
    try:
        loop.run(list(case.input), out, failures)
    except StopRun as stop:
        failures.append(stop.failure)
    return [one for one in out if isinstance(one, dict)], failures


def _output_differences(case: CaseConfig, out: Sequence[Record]) -> Iterator[Difference]:
    if case.output is None:
        return
    for at, (wanted, got) in enumerate(zip(case.output, out, strict=False), 1):
        changes = tuple(changes_between(dict(wanted), got))
        if changes:
            yield Difference(what=f"record {at} of the output differs", record=at, changes=changes)
    for at, record in enumerate(case.output[len(out) :], len(out) + 1):
        changes = tuple(Change(field=field, before=value, after=MISSING) for field, value in record.items())
        yield Difference(what=f"record {at} of the output did not come", record=at, changes=changes)
    for at, got in enumerate(out[len(case.output) :], len(case.output) + 1):
        changes = tuple(Change(field=field, before=MISSING, after=value) for field, value in got.items())
        yield Difference(what=f"record {at} of the output was not expected", record=at, changes=changes)


def _failure_differences(wanted: Sequence[FailureConfig], failures: Sequence[Failure]) -> Iterator[Difference]:
    chosen = _pairs(wanted, failures)
    for at, one in enumerate(wanted):
        if at not in chosen.values():
            yield Difference(what=f"expected a failure{_shown(one)}, there was none")
    for number, failure in enumerate(failures):
        if number in chosen:
            continue
        where = f"record {failure.index + 1} of the input failed at step {failure.name!r}"
        yield Difference(what=f"{where}: {failure.error}")


def _pairs(wanted: Sequence[FailureConfig], failures: Sequence[Failure]) -> dict[int, int]:
    """Return which expectation each failure is taken for, by their indices: as many of them as can be (Kuhn 1955)."""
    chosen: dict[int, int] = {}

    def find(at: int, seen: set[int]) -> bool:
        for number, failure in enumerate(failures):
            if number in seen or not _matches(wanted[at], failure):
                continue
            seen.add(number)
            # One that took this failure may do with another.
            if number not in chosen or find(chosen[number], seen):
                chosen[number] = at
                return True
        return False

    # What says more of a failure chooses first.
    for at in sorted(range(len(wanted)), key=lambda at: -_words(wanted[at])):
        find(at, set())
    return chosen


def _words(wanted: FailureConfig) -> int:
    return sum(said is not None for said in (wanted.step, wanted.error, wanted.record))


def _matches(wanted: FailureConfig, failure: Failure) -> bool:
    said = f"{failure.error.kind}: {failure.error.message}"
    return (
        wanted.step in (None, failure.name)
        and wanted.record in (None, failure.index + 1)
        and (wanted.error is None or wanted.error in said)
    )


def _shown(wanted: FailureConfig) -> str:
    of = f" of record {wanted.record}" if wanted.record is not None else ""
    at = f" at step {wanted.step!r}" if wanted.step is not None else ""
    saying = f" that says {wanted.error!r}" if wanted.error is not None else ""
    return f"{of}{at}{saying}"
