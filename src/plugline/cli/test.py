"""``plugline test``: pipelines and plugins to what came of their tests."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field

import click

from plugline.cli import FAULTS, MISUSED, OK, render
from plugline.cli.app import Misuse
from plugline.cli.excerpts import with_source_lines
from plugline.cli.listing import place_hint
from plugline.cli.named import place_of
from plugline.cli.options import common
from plugline.cli.preview import change_data, field_text, padded_field, side_texts
from plugline.cli.running import hidden_variables
from plugline.cli.settings import DEFAULT, Settings
from plugline.errors import ConfigurationError
from plugline.files import read_source
from plugline.findings import Finding, Place
from plugline.host.host import Host
from plugline.pipeline.cases import (
    WITHOUT_FILES,
    CaseOutcome,
    Difference,
    DoctestOutcome,
    has_examples,
    run_cases,
    run_doctests,
)
from plugline.pipeline.catalogue import ANY_INTERFACE, API_VERSION
from plugline.pipeline.config import load_config
from plugline.pipeline.plan import make_plan, plugin_folders


@dataclass(slots=True)
class _Results:
    cases: list[CaseOutcome] = field(default_factory=list)
    doctests: list[DoctestOutcome] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    misused: bool = False

    @property
    def passed(self) -> int:
        cases = sum(not one.differences for one in self.cases)
        return cases + sum(one.passed for one in self.doctests if one.declined is None)

    @property
    def failed(self) -> int:
        return sum(bool(one.differences) for one in self.cases) + sum(not one.passed for one in self.doctests)

    @property
    def skipped(self) -> int:
        return sum(one.declined is not None for one in self.doctests)

    @property
    def code(self) -> int:
        return MISUSED if self.misused else FAULTS if self.failed or self.has_errors else OK

    @property
    def has_errors(self) -> bool:
        return any(one.is_error for one in self.findings)


@click.command("test", short_help="Run the tests of pipelines, and the doctests of plugins.")
@click.argument("paths", nargs=-1)
@click.option("-k", "only", metavar="TEXT", help="Run only tests whose name has this text.")
@common
def command(*, paths: tuple[str, ...], only: str | None, as_json: bool) -> int:
    """Run the [[tests]] of pipelines (.toml), and the doctests of the plugins in their folders; or of plugin folders and files.

    Without PATHS: pipeline.toml, which brings its plugin folders along, else plugins/. Neither a pipeline's input nor its output is needed or touched.

    \b
    plugline test
    plugline test pipeline.toml -k upper
    plugline test plugins/upper.py --json

    Exit codes: 0 all passed, or there is none; 1 some failed; 2 a pipeline is wrong.
    """
    results = _Results()
    # What plugins print is talk: standard output holds the results.
    with redirect_stdout(sys.stderr):
        for path in paths or _usual_paths():
            _test(path, only, results)
    if as_json:
        render.tell_json(_data(results))
    else:
        _tell(results, only)
    return results.code


def _usual_paths() -> tuple[str, ...]:
    settings = Settings.load()
    pipeline, (folders, asked) = settings.text("pipeline"), settings.folders()
    # A pipeline brings its plugin folders along.
    if os.path.exists(pipeline) or settings["pipeline"].origin != DEFAULT:
        return (pipeline,)
    if asked or any(os.path.exists(folder) for folder in folders):
        return tuple(folders)
    message = f"there is neither {pipeline} nor {'/, '.join(folders)}/ in the current folder"
    raise Misuse(message, "name what to test: plugline test PATH...")


def _test(path: str, only: str | None, results: _Results) -> None:
    if not os.path.lexists(path) and not path.endswith(".toml"):
        results.findings.append(Finding("C109", "there is no such file or folder", Place(path), place_hint(path)))
        results.misused = True
        return
    if not path.endswith(".toml"):
        _test_plugins([place_of(path)], only, results)
        return
    folders: Sequence[str] = ()
    try:
        folders_said = [one for one in Settings.load().overrides(os.path.dirname(path)) if one.path == ("plugins",)]
        config = load_config(path, [*folders_said, *WITHOUT_FILES])
        folders = plugin_folders(config, os.path.dirname(path))
        with hidden_variables(config):
            plan = make_plan(config, os.path.dirname(path))
            results.cases += list(run_cases(plan, lambda name: _is_wanted(name, only)))
    except ConfigurationError as error:
        results.findings += error.findings
        results.misused = True
    if folders:
        _test_plugins(folders, only, results)


def _is_wanted(name: str, only: str | None) -> bool:
    return only is None or only.lower() in name.lower()


def _test_plugins(places: Sequence[str], only: str | None, results: _Results) -> None:
    known = {one.place.path for one in results.doctests}
    with Host(*places, interface=ANY_INTERFACE, api_version=API_VERSION) as host:
        results.findings += host.findings
        results.misused = results.misused or any(one.is_error for one in host.findings)
        for plugin in host:
            if plugin.place.path in known or not _is_wanted(plugin.name, only):
                continue
            outcome = run_doctests(plugin)
            if outcome is not None:
                results.doctests.append(outcome)
                known.update(
                    [plugin.place.path] if outcome.examples else []
                )  # those of a file are run with its first class
        for rejected in host.rejected:
            source = read_source(rejected.place.path)
            # Of a plugin without examples, check has to tell what is wrong.
            if rejected.place.path in known or isinstance(source, Finding) or not has_examples(source):
                continue
            if all(one.place.path != rejected.place.path for one in results.doctests):
                place, findings = rejected.place, rejected.findings
                results.doctests.append(DoctestOutcome(name=rejected.name, place=place, findings=findings))


# ----------------------------------------------------------------------------- for people


def _tell(results: _Results, only: str | None) -> None:
    colours = render.coloured(sys.stdout)
    for case in results.cases:
        if case.differences:
            render.tell("\n".join(_case_lines(case, colours=colours)))
    for doctest in results.doctests:
        if not doctest.passed:
            render.tell("\n".join(_doctest_lines(doctest, colours=colours)))
    if results.findings:
        render.say_findings(results.findings)
    if not results.cases and not results.doctests and not results.has_errors:
        if only is not None:
            render.tell(f"no test has {only!r} in its name")
        else:
            render.tell("there are no tests: write [[tests]] in the pipeline, or examples in the plugins' docstrings")
        return
    examples = render.counted(sum(one.examples for one in results.doctests), "example")
    counts = [f"{results.passed} passed", *([f"{results.failed} failed"] if results.failed else [])]
    counts += [f"{results.skipped} declined"] if results.skipped else []
    render.tell(
        f"{render.counted(len(results.cases), 'test')} and {examples} of {render.counted(len(results.doctests), 'plugin')}: {', '.join(counts)}"
    )


def _case_lines(case: CaseOutcome, *, colours: bool) -> Iterator[str]:
    finding = _case_finding(case)
    yield render.finding_text(finding, colours=colours, source=False, hint=False)
    for difference in case.differences:
        yield f"  {render.shortened(difference.what)}{' (- expected, + came):' if difference.changes else ''}"
        yield from _change_lines(difference, colours=colours)


def _change_lines(difference: Difference, *, colours: bool) -> Iterator[str]:
    wide = max((render.width(field_text(change.field)) for change in difference.changes), default=0)
    for change in difference.changes:
        for sign, colour, value in zip("-+", ("\x1b[31m", "\x1b[32m"), side_texts(change), strict=True):
            if value is None:
                continue
            line = f"    {sign} {padded_field(change.field, wide)}  {value}"
            yield f"{colour}{line}\x1b[0m" if colours else line


def _doctest_lines(doctest: DoctestOutcome, *, colours: bool) -> Iterator[str]:
    if doctest.findings:
        yield render.findings_text(with_source_lines(doctest.findings), colours=colours)
    for failure in doctest.failures:
        message = f"an example of {doctest.name!r} failed"
        yield render.finding_text(Finding("R161", message, failure.place), colours=colours, hint=False)
        yield from _block("  >>> ", failure.source)
        yield from _block("  - ", failure.wanted or "(nothing)")
        yield from _block("  + ", failure.got or "(nothing)")


def _block(sign: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.rstrip("\n").split("\n")):
        yield (sign if not number or sign.strip() in "+-" else "  ... ") + render.shortened(line)


def _case_finding(case: CaseOutcome) -> Finding:
    hint = "'-' is what the test expects, '+' is what came"
    return Finding("R160", f"the test {case.name!r} failed", case.place, hint)


# ----------------------------------------------------------------------------- for programs


def _data(results: _Results) -> dict[str, object]:
    findings = [_case_finding(case) for case in results.cases if case.differences]
    findings += [finding for one in results.doctests for finding in (*one.findings, *_example_findings(one))]
    findings += results.findings
    return {
        "passed": results.passed,
        "failed": results.failed,
        "declined": results.skipped,
        "tests": [_case_data(case) for case in results.cases],
        "doctests": [_doctest_data(one) for one in results.doctests],
        "findings": findings,
    }


def _example_findings(doctest: DoctestOutcome) -> Iterator[Finding]:
    for failure in doctest.failures:
        yield Finding("R161", f"an example of {doctest.name!r} failed", failure.place)


def _case_data(case: CaseOutcome) -> dict[str, object]:
    return {
        "name": case.name,
        "place": _place_data(case.place),
        "passed": not case.differences,
        "seconds": case.seconds,
        "differences": [
            {
                "message": difference.what,
                "record": difference.record,
                "fields": [change_data(change, "expected", "got") for change in difference.changes],
            }
            for difference in case.differences
        ],
    }


def _doctest_data(doctest: DoctestOutcome) -> dict[str, object]:
    return {
        "plugin": doctest.name,
        "place": _place_data(doctest.place),
        "passed": doctest.passed,
        "declined": doctest.declined,
        "examples": doctest.examples,
        "seconds": doctest.seconds,
        "failures": [
            {"place": _place_data(one.place), "source": one.source, "expected": one.wanted, "got": one.got}
            for one in doctest.failures
        ],
    }


def _place_data(place: Place) -> dict[str, object]:
    return {"path": place.path, "line": place.line, "column": place.column}
