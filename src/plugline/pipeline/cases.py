"""The ``[[tests]]`` of a pipeline, and the examples in the docstrings of plugins, to what came of them."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from plugline.blame import ErrorText
from plugline.clock import monotonic_seconds
from plugline.dispatch.copies import structural_copy
from plugline.errors import LoadError, PluginDeclined
from plugline.files import SourceFile
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.host.plugin import Plugin
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.config import CaseConfig, FailureConfig, Override
from plugline.pipeline.plan import Plan, source_of
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


@frozen(kw_only=True)
class ExampleFailure:
    """One example that did not print what its docstring says."""

    place: Place
    source: str
    wanted: str
    got: str


@frozen(kw_only=True)
class DoctestOutcome:
    """What came of the examples of one plugin.

    Attributes:
        findings: What keeps the plugin from being loaded.
        declined: Why it does not apply here, so that nothing was run.
    """

    name: str
    place: Place
    examples: int = 0
    failures: tuple[ExampleFailure, ...] = ()
    findings: tuple[Finding, ...] = ()
    declined: str | None = None
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.failures and not self.findings


def has_examples(source: SourceFile | None) -> bool:
    """Whether a source may hold examples: only then is it run."""
    return source is not None and b">>>" in source.content


def run_doctests(plugin: Plugin[object]) -> DoctestOutcome | None:
    """Run the examples in a plugin's docstrings; ``None`` where it has none, and then it is not even loaded."""
    if not has_examples(source_of(plugin)):
        return None
    began = monotonic_seconds()
    try:
        module = _module_of(plugin)
    except LoadError as error:
        return DoctestOutcome(name=plugin.name, place=plugin.place, findings=error.findings)
    except PluginDeclined as error:
        return DoctestOutcome(name=plugin.name, place=plugin.place, declined=error.reason)
    examples, failures = _run_examples(module, plugin.place.path)
    if not examples:
        return None
    return DoctestOutcome(
        name=plugin.name,
        place=plugin.place,
        examples=examples,
        failures=tuple(failures),
        seconds=monotonic_seconds() - began,
    )


def _module_of(plugin: Plugin[object]) -> ModuleType:
    try:
        return sys.modules[plugin.load_type().__module__]
    except TypeError:
        module = plugin.load()
        assert isinstance(module, ModuleType)  # noqa: S101 - what is no class is the module
        return module


def _run_examples(module: ModuleType, shown: str) -> tuple[int, list[ExampleFailure]]:
    # doctest imports pdb and unittest: for those that have examples only.
    import doctest

    failures: list[ExampleFailure] = []

    class Runner(doctest.DocTestRunner):
        """Keeps what failed in place of printing it."""

        def report_start(self, out: Any, test: doctest.DocTest, example: doctest.Example) -> None:
            """Print nothing."""

        def report_success(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
            """Print nothing."""

        def report_failure(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
            self._keep(test, example, got)

        def report_unexpected_exception(
            self, out: Any, test: doctest.DocTest, example: doctest.Example, exc_info: Any
        ) -> None:
            kind, error, _ = exc_info
            self._keep(test, example, str(ErrorText(kind.__name__, str(error))))

        def _keep(self, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
            line = (test.lineno or 0) + example.lineno + 1
            place = Place(shown, line)
            failures.append(ExampleFailure(place=place, source=example.source, wanted=example.want, got=got))

    runner = Runner(verbose=False)
    for test in _tests(doctest.DocTestFinder(), module):
        runner.run(test, out=_say_nothing)
    return runner.tries, failures


def _tests(finder: Any, module: ModuleType) -> Iterator[Any]:
    yield from (test for test in finder.find(module, module.__name__, module=module) if test.examples)


def _say_nothing(text: str) -> None:
    """Print nothing: what failed is told by the caller."""
