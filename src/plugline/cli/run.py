"""``plugline run``: a pipeline, or flags in its place, to an output and a report."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from types import FrameType

import click

from plugline.cli import render
from plugline.cli.app import FAULTS, INTERRUPTED, MISUSED, OK, STOPPED, Invocation
from plugline.cli.options import common, safe_mode
from plugline.cli.pipelines import (
    STANDARD,
    PipelineCommand,
    configuration,
    hidden_variables,
    input_options,
    output_options,
)
from plugline.cli.progress import ProgressLine
from plugline.cli.seeing import Seeing
from plugline.cli.summary import report_data, summary
from plugline.discovery.source import ParsedOnce
from plugline.errors import ConfigurationError, RunStopped
from plugline.findings import Finding
from plugline.pipeline.config import PipelineConfig
from plugline.pipeline.plan import Plan, make_plan
from plugline.pipeline.report import RunReport
from plugline.pipeline.run import run_plan


@click.command("run", cls=PipelineCommand, short_help="Pass records through plugins, from a source to a sink.")
@input_options
@output_options
@click.option("--report", "page_path", metavar="PAGE.html", help="Write a page on what the run did, for a browser.")
@click.option("--resume", is_flag=True, help="Go on with a run that was not finished, if there is one.")
@click.option("--follow", is_flag=True, help="Go on with what is appended to the file, or arrives in the folder.")
@click.option("--retry", "letters", metavar="FILE", help="Feed the dead letters in FILE through again.")
@click.option("--profile", "profiled", is_flag=True, help="Say which plugin the time goes to.")
@safe_mode
@click.option("-q", "--quiet", is_flag=True, help="Say nothing where nothing went wrong.")
@common
@click.pass_context
def command(  # click gives every option by its name
    context: click.Context,
    /,
    source: str | None,
    *,
    page_path: str | None,
    resume: bool,
    letters: str | None,
    follow: bool,
    profiled: bool,
    quiet: bool,
    no_plugins: bool,
    only: tuple[str, ...],
    as_json: bool,
    **given: object,
) -> int:
    """Run a pipeline file, or pass an input through processors that are named here.

    '-' is standard input. Output appears under its final name only when it is whole.

    \b
    plugline run pipeline.toml
    plugline run --use trim --use upper orders.ndjson -o clean.csv
    plugline run --use upper --with 'fields=["name"]' orders.csv
    zcat orders.gz | plugline run --use trim - | head
    plugline run pipeline.toml --report report.html --profile

    Exit codes: 0 done; 1 done, with dead letters; 2 wrong use; 4 stopped, output not in place; 130 Ctrl-C.
    """  # noqa: D301 - click's mark for lines that are not to be filled
    invocation = context.find_object(Invocation) or Invocation()
    to_stdout = False
    stop: RunStopped | None = None
    try:
        with ParsedOnce():
            config, base = configuration(source, given, context)
            to_stdout = config.sink.path == STANDARD
            _check_streams(config)
            make = partial(make_plan, config, base, plugins=not no_plugins, only=only or None, follows=follow)
            plan = _plan(make, letters)
            bar = ProgressLine.for_terminal(quiet=quiet or as_json)
            seeing = Seeing(plan, bar, page_path=page_path, profiled=profiled, title=source or "pipeline.toml")
            with _signals(invocation), _clean_output(to_stdout=to_stdout), bar, hidden_variables(config):
                report, stop = _follow(seeing, make) if follow else _run(seeing, resume=resume, quiet=quiet or as_json)
    except ConfigurationError as error:
        if as_json:
            data = [render.finding_data(finding) for finding in error.findings]
            render.tell_json({"complete": False, "findings": data}, talk=to_stdout)
        else:
            render.say_findings(error.findings)
        return MISUSED
    _log("run ended" if stop is None else "run stopped", report)
    written = seeing.write_page(report)
    if as_json:
        findings = [render.finding_data(stop.finding)] if stop is not None else []
        render.tell_json({**report_data(report), "findings": findings, **seeing.data(report)}, talk=to_stdout)
    else:
        if stop is not None:
            render.say_findings([stop.finding])
        if not quiet or report.failed or stop is not None:
            render.say(summary(report))
        seeing.say(report)
        if invocation.verbose:
            _say_tracebacks(report)
    if stop is not None or follow:
        return _stop_code(stop, invocation)
    return FAULTS if report.failed or not written else OK


def _say_tracebacks(report: RunReport) -> None:
    """Say the tracebacks of the first records that failed, from the first frame that is no longer ours."""
    for key, text in report.tracebacks.items():
        lines = "\n".join(render.plain(line) for line in text.rstrip("\n").split("\n"))
        render.say(f"{render.plain(key)}\n{lines}")


def _plan(make: Callable[[], Plan], letters: str | None) -> Plan:
    plan = make()
    if letters is None:
        return plan
    from plugline.pipeline.retry import retried  # noqa: PLC0415 - where it is asked for

    return retried(plan, letters)


def _tell(finding: Finding) -> None:
    render.say_findings([finding])


def _follow(seeing: Seeing, make: Callable[[], Plan]) -> tuple[RunReport, RunStopped | None]:
    from plugline.pipeline.follow import follow_plan  # noqa: PLC0415 - where it is asked for
    from plugline.pipeline.following import Replanning  # noqa: PLC0415 - as above

    changed = Replanning(make, _tell)
    return _reported(lambda: follow_plan(seeing.plan, progress=seeing.progress, tell=_tell, changed=changed))


def _run(seeing: Seeing, *, resume: bool, quiet: bool) -> tuple[RunReport, RunStopped | None]:
    tell = None if quiet else _tell_dashboard
    return _reported(lambda: run_plan(seeing.plan, progress=seeing.progress, resume=resume, tell_dashboard=tell))


def _tell_dashboard(address: str) -> None:
    """Say where to look while the run goes on: a cluster that was started for it ends with it."""
    render.say(f"dashboard: {render.plain(address)}")


def _reported(run: Callable[[], RunReport]) -> tuple[RunReport, RunStopped | None]:
    try:
        return run(), None
    except RunStopped as stop:
        report = stop.report
        if not isinstance(report, RunReport):  # it always is; the error knows no report, being on the ground
            raise
        return report, stop


def _log(what: str, report: RunReport) -> None:
    # Imported only where somebody reads it: it costs as much as a small run.
    if "logging" not in sys.modules:
        return
    import logging  # noqa: PLC0415

    counts = report.records_in, report.records_out, report.failed
    extra = dict(zip(("records_in", "records_out", "records_failed"), counts, strict=True))
    logging.getLogger(__name__).info(
        "%s: %d in, %d out, %d failed", what, *counts, extra={**extra, "output": report.output}
    )


def _stop_code(stop: RunStopped | None, invocation: Invocation) -> int:
    if stop is not None and not stop.interrupted:
        return STOPPED
    return INTERRUPTED if invocation.signal == signal.SIGINT else 128 + int(invocation.signal)


def _check_streams(config: PipelineConfig) -> None:
    findings = []
    if config.source.path == STANDARD and sys.stdin is None:
        findings.append(Finding("C109", "standard input is closed", config.place(("source", "path"))))
    if config.sink.path == STANDARD and sys.stdout is None:
        findings.append(Finding("C109", "standard output is closed", config.place(("sink", "path"))))
    if findings:
        raise ConfigurationError(findings)


# ----------------------------------------------------------------------------- around a run


@contextmanager
def _signals(invocation: Invocation) -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: cleaned up. What held before holds again afterwards."""

    def end(number: int, frame: FrameType | None) -> None:
        # A second one is the same; which came first says how the command ends.
        invocation.signal = signal.Signals(number)
        # Python's own handler, so that plugins' failures and the user's interrupt stay told apart.
        signal.default_int_handler(number, frame)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:
        # Not in the main thread, where signals are none of our business.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Output:
    """Standard output while records are written to it: what is printed goes to standard error, as talk."""

    def __init__(self) -> None:
        # The sink takes the buffer, past what prints.
        self.buffer = sys.stdout.buffer
        self.encoding = "utf-8"
        self.errors = "backslashreplace"

    def write(self, text: str) -> int:
        return sys.stderr.write(text) if sys.stderr is not None else len(text)

    def flush(self) -> None:
        if sys.stderr is not None:
            sys.stderr.flush()

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return sys.stderr.fileno()


@contextmanager
def _clean_output(*, to_stdout: bool) -> Iterator[None]:
    if not to_stdout or not hasattr(sys.stdout, "buffer"):
        yield
        return
    with redirect_stdout(_Output()):
        yield
