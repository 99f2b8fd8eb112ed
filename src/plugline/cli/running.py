"""A configuration to a run, and to what is said of it; without the parser of command lines, which costs more than a short run."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from types import FrameType

from plugline.cli import FAULTS, MISUSED, OK, STOPPED, render
from plugline.cli.guard import Invocation, applied, guarded, settled
from plugline.cli.seeing import ProgressLine, Seeing
from plugline.discovery.known import ParsedOnce
from plugline.errors import ConfigurationError, RunStopped
from plugline.findings import Finding
from plugline.pipeline.config import PipelineConfig, load_config
from plugline.pipeline.plan import Plan, make_plan
from plugline.pipeline.report import RunReport
from plugline.pipeline.run import run_plan, unhurried

TYPE_CHECKING = False
if TYPE_CHECKING:  # for who follows edits
    from plugline.pipeline.swapping import Watch

_STANDARD = "-"
_QUIET = frozenset({"-q", "--quiet"})
_RESUME = "--resume"


def quick_run(words: Sequence[str]) -> int | None:
    """Do what ``plugline run`` with these words does where they are a pipeline file and little else; return its exit code.

    ``None`` where they are anything else, before anything was done.
    """
    files = [word for word in words if word not in _QUIET and word != _RESUME]
    if len(files) != 1 or files[0].startswith("-") or not files[0].endswith(".toml"):
        return None
    path = files[0]
    invocation = Invocation()

    def command() -> int:
        settings = settled()
        if settings is None:
            return MISUSED
        with applied(settings):
            return run_configured(
                lambda: (load_config(path, list(settings.overrides(os.path.dirname(path)))), os.path.dirname(path)),
                invocation,
                title=path,
                resume=_RESUME in words,
                quiet=not _QUIET.isdisjoint(words),
            )

    return guarded(command, invocation)


def run_configured(
    configured: Callable[[], tuple[PipelineConfig, str]],
    invocation: Invocation,
    *,
    title: str,
    page_path: str | None = None,
    resume: bool = False,
    letters: str | None = None,
    follow: bool = False,
    watch: bool = False,
    profiled: bool = False,
    quiet: bool = False,
    no_plugins: bool = False,
    only: tuple[str, ...] = (),
    as_json: bool = False,
) -> int:
    """Run a pipeline, say what became of it, and return the exit code.

    Args:
        configured: Returns the configuration, and the folder that its paths are relative to.
        invocation: Is told of the signal that ended it.
        letters: Dead letters to feed through again.
        follow: Whether to go on with what is appended or arrives.
        watch: Whether to take plugins that are edited while it goes on.
        quiet: Whether to say nothing where nothing went wrong.
        no_plugins: Whether to leave out all plugins but those that are shipped.
        only: The plugins beside those to use; none: all.
    """
    to_stdout = False
    stop: RunStopped | None = None
    try:
        with ParsedOnce():
            config, base = configured()
            to_stdout = config.sink.path == _STANDARD
            _check_streams(config)
            make = partial(make_plan, config, base, plugins=not no_plugins, only=only or None, follows=follow)
            if letters is not None:
                make = partial(make, retries=True)
            plan = _plan(make, letters)
            bar = ProgressLine.for_terminal(quiet=quiet or as_json, to_stdout=to_stdout)
            seeing = Seeing(plan, bar, page_path=page_path, profiled=profiled, title=title)
            with signals(invocation), _clean_output(), bar, hidden_variables(config):
                if follow:
                    report, stop = _follow(seeing, make)
                else:
                    watching = _watch(make, letters) if watch else None
                    report, stop = _run(seeing, watching, resume=resume, quiet=quiet or as_json)
    except ConfigurationError as error:
        render.tell_refusal(error.findings, as_json=as_json, talk=to_stdout, complete=False)
        return MISUSED
    with unhurried():
        _log("run ended" if stop is None else "run stopped", report)
        written = seeing.write_page(report, stop)
        if as_json:
            findings = [stop.finding] if stop is not None else []
            from plugline.cli.summary import report_data  # where something is to be said

            render.tell_json({**report_data(report), "findings": findings, **seeing.data(report)}, talk=to_stdout)
        else:
            if stop is not None:
                render.say_findings([stop.finding])
            if not quiet or report.failed or stop is not None:
                from plugline.cli.summary import summary

                render.say(summary(report))
            seeing.say(report)
            if invocation.verbose:
                from plugline.cli.tracebacks import say_tracebacks  # where they are wanted

                say_tracebacks((f"{key}\n", text) for key, text in report.tracebacks.items())
        if stop is not None or follow:
            return _stop_code(stop, invocation)
        return FAULTS if report.failed or not written else OK


@contextmanager
def hidden_variables(config: PipelineConfig) -> Iterator[None]:
    """Keep the variables that a pipeline declares out of the environment, which its plugins and their programs see.

    A value that is meant for a plugin is in its settings. This is no wall: code in this process can read what the process
    was started with.
    """
    held = {name: os.environ.pop(name) for name in config.variables if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(held)


def _plan(make: Callable[[], Plan], letters: str | None) -> Plan:
    plan = make()
    if letters is None:
        return plan
    from plugline.pipeline.retry import retried  # where it is asked for

    return retried(plan, letters)


def _tell(finding: Finding) -> None:
    render.say_findings([finding])


def _follow(seeing: Seeing, make: Callable[[], Plan]) -> tuple[RunReport, RunStopped | None]:
    from plugline.pipeline.follow import follow_plan  # where it is asked for
    from plugline.pipeline.following import Replanning

    changed = Replanning(make, _tell)
    return _reported(
        lambda: follow_plan(seeing.plan, progress=seeing.progress, beat=seeing.beat, tell=_tell, changed=changed)
    )


def _watch(make: Callable[[], Plan], letters: str | None) -> "Watch":
    from plugline.pipeline.following import Replanning
    from plugline.pipeline.swapping import Watch

    return Watch(changed=Replanning(partial(_plan, make, letters), _tell), tell=_tell)


def _run(seeing: Seeing, watch: "Watch | None", *, resume: bool, quiet: bool) -> tuple[RunReport, RunStopped | None]:
    tell = None if quiet else _tell_dashboard
    return _reported(
        lambda: run_plan(
            seeing.plan,
            progress=seeing.progress,
            beat=seeing.beat,
            resume=resume,
            tell_dashboard=tell,
            watch=watch,
        )
    )


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
    import logging

    counts = report.records_in, report.records_out, report.failed
    extra = dict(zip(("records_in", "records_out", "records_failed"), counts, strict=True))
    logging.getLogger("plugline.cli.run").info(
        "%s: %d in, %d out, %d failed", what, *counts, extra={**extra, "output": report.output}
    )


def _stop_code(stop: RunStopped | None, invocation: Invocation) -> int:
    if stop is not None and not stop.interrupted:
        return STOPPED
    return invocation.code


def _check_streams(config: PipelineConfig) -> None:
    findings = []
    if config.source.path == _STANDARD and sys.stdin is None:
        findings.append(
            Finding("C109", "standard input is closed", config.place(("source", "path")), "give it one, or name a file")
        )
    if config.sink.path == _STANDARD and sys.stdout is None:
        findings.append(
            Finding("C109", "standard output is closed", config.place(("sink", "path")), "name a file: -o out.ndjson")
        )
    if findings:
        raise ConfigurationError(findings)


# ----------------------------------------------------------------------------- around a run


@contextmanager
def signals(invocation: Invocation) -> Iterator[None]:
    """Let SIGTERM, and a terminal that is closed, end what is run as Ctrl-C does: cleaned up. What held before holds again afterwards."""

    def end(number: int, frame: FrameType | None) -> None:
        # A second one is the same; which came first says how the command ends.
        invocation.signal = signal.Signals(number)
        # Python's own handler, so that plugins' failures and the user's interrupt stay told apart.
        signal.default_int_handler(number, frame)

    numbers = [signal.SIGTERM]
    # Under nohup it is passed over; Windows has none.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    try:
        before = [(number, signal.signal(number, end)) for number in numbers]
    except ValueError:
        # Not in the main thread, where signals are none of our business.
        yield
        return
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


class _Output:
    """Standard output during a run, for records and JSON: what is printed goes to standard error, as talk."""

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
def _clean_output() -> Iterator[None]:
    if not hasattr(sys.stdout, "buffer"):
        yield
        return
    with redirect_stdout(_Output()):
        yield
