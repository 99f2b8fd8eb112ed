"""Plugins to what came of the examples in their docstrings."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from plugline.blame import ErrorText
from plugline.clock import monotonic_seconds
from plugline.errors import LoadError, PluginDeclined
from plugline.files import SourceFile
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.host.plugin import Plugin
from plugline.pipeline.plan import source_of


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
    examples, failures = _run(module, plugin.place.path)
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


def _run(module: ModuleType, shown: str) -> tuple[int, list[ExampleFailure]]:
    # doctest imports pdb and unittest: for those that have examples only.
    import doctest  # noqa: PLC0415

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
