"""``plugline run``: a pipeline, or flags in its place, to an output and a report."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from types import FrameType

import click

from plugline.cli import render
from plugline.cli.app import FAULTS, INTERRUPTED, MISUSED, OK, STOPPED, Invocation, Misuse
from plugline.cli.check import DEFAULT_PIPELINE, load_config
from plugline.cli.options import common
from plugline.cli.progress import ProgressLine
from plugline.cli.summary import report_data, summary
from plugline.errors import ConfigurationError, RunStopped
from plugline.findings import Finding, Place
from plugline.pipeline.config import PipelineConfig, config_from_flags
from plugline.pipeline.plan import make_plan
from plugline.pipeline.report import RunReport
from plugline.pipeline.run import run_plan

_STANDARD = "-"
_STANDARD_FORMAT = "ndjson"  # of a pipe, which has no name that could tell
_FLAGS_OF_PIPELINES = {
    "plugins": "plugins",
    "sink": "path in [sink]",
    "source_format": "format in [source]",
    "sink_format": "format in [sink]",
    "engine": "engine in [run]",
    "dead_letters": "dead_letters in [run]",
    "max_errors": "max_errors in [run]",
    "on_error": "on_error in [[steps]]",
    "use": "[[steps]]",
    "settings": "with in [[steps]]",
}


class _RunCommand(click.Command):
    """Keeps the order of ``--use`` and ``--with``, of which click tells only each for itself."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["plugline.steps"] = list(self._in_order(args))
        return super().parse_args(ctx, args)

    def _in_order(self, args: Sequence[str]) -> Iterator[tuple[str, str]]:
        takes_value = {
            name
            for parameter in self.params
            if isinstance(parameter, click.Option) and not parameter.is_flag
            for name in parameter.opts
        }
        rest = iter(args)
        for word in rest:
            if word == "--":
                return
            name, equals, value = word.partition("=")
            if name.startswith("--") and equals:
                given = value
            elif word in takes_value or (word[:1] == "-" and word[1:2] != "-" and f"-{word[-1]}" in takes_value):
                given = next(rest, "")
            else:
                continue
            if name in ("--use", "--with"):
                yield name, given


@click.command("run", cls=_RunCommand, short_help="Pass records through plugins, from a source to a sink.")
@click.argument("source", required=False, metavar="[PIPELINE.toml|INPUT]")
@click.option("--plugins", multiple=True, metavar="FOLDER", help="A plugin folder; default: plugins, if it is there.")
@click.option("--use", multiple=True, metavar="NAME", help="A processor; several pass records on in this order.")
@click.option(
    "--with", "settings", multiple=True, metavar="KEY=VALUE", help="Settings, in TOML, of the --use before it."
)
@click.option("-o", "--output", "sink", metavar="PATH", help="Where records go; '-', the default, is standard output.")
@click.option(
    "--from", "source_format", metavar="FORMAT", help="The input's format; default: by its name, ndjson for '-'."
)
@click.option(
    "--to", "sink_format", metavar="FORMAT", help="The output's format; default: by its name, ndjson for '-'."
)
@click.option("--max-errors", metavar="LIMIT", help="How many records may fail: 5%, 100 or none; default: 5%.")
@click.option("--dead-letters", metavar="PATH", help="Where failed records go; default: beside the output.")
@click.option("--on-error", metavar="WHAT", help="For a record that fails: dead-letter (default), drop, pass or stop.")
@click.option("--engine", metavar="NAME", help="What executes the run; default: local.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing where nothing went wrong.")
@common
@click.pass_context
def command(  # click gives every option by its name
    context: click.Context,
    /,
    source: str | None,
    *,
    quiet: bool,
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

    Exit codes: 0 done; 1 done, with dead letters; 2 wrong use; 4 stopped, output not in place; 130 Ctrl-C.
    """  # noqa: D301 - click's mark for lines that are not to be filled
    invocation = context.find_object(Invocation) or Invocation()
    to_stdout = False
    try:
        config, base = _configuration(source, given, context.meta["plugline.steps"])
        to_stdout = config.sink.path == _STANDARD
        _check_streams(config)
        plan = make_plan(config, base)
        progress = ProgressLine.for_terminal(quiet=quiet or as_json)
        with _signals(invocation), _clean_output(to_stdout=to_stdout), progress:
            report = run_plan(plan, progress=progress.update if progress.wanted else None)
    except ConfigurationError as error:
        if as_json:
            data = [render.finding_data(finding) for finding in error.findings]
            render.tell_json({"complete": False, "findings": data}, talk=to_stdout)
        else:
            render.say_findings(error.findings)
        return MISUSED
    except RunStopped as stop:
        return _tell_stop(stop, invocation, as_json=as_json, to_stdout=to_stdout)
    if as_json:
        render.tell_json({**report_data(report), "findings": []}, talk=to_stdout)
    elif not quiet or report.failed:
        render.say(summary(report))
    return FAULTS if report.failed else OK


def _tell_stop(stop: RunStopped, invocation: Invocation, *, as_json: bool, to_stdout: bool) -> int:
    report = stop.report
    assert isinstance(report, RunReport)  # noqa: S101 - a run always gives one
    if as_json:
        render.tell_json({**report_data(report), "findings": [render.finding_data(stop.finding)]}, talk=to_stdout)
    else:
        render.say_findings([stop.finding])
        render.say(summary(report))
    if not stop.interrupted:
        return STOPPED
    return INTERRUPTED if invocation.signal == signal.SIGINT else 128 + int(invocation.signal)


# ----------------------------------------------------------------------------- configuration


def _configuration(
    source: str | None, given: dict[str, object], steps: Sequence[tuple[str, str]]
) -> tuple[PipelineConfig, str]:
    flags = {name: value for name, value in given.items() if value}
    if source is None and not flags and os.path.exists(DEFAULT_PIPELINE):
        source = DEFAULT_PIPELINE
    if source is None:
        raise Misuse("there is nothing to read", "name a pipeline file, an input, or '-' for standard input")
    if source.endswith(".toml"):
        _refuse_flags(source, flags)
        return load_config(source), os.path.dirname(source)
    return _from_flags(source, given, steps), ""


def _refuse_flags(path: str, flags: dict[str, object]) -> None:
    places = ", ".join(_FLAGS_OF_PIPELINES[name] for name in flags)
    if places:
        options = {"sink": "--output", "source_format": "--from", "sink_format": "--to", "settings": "--with"}
        named = ", ".join(options.get(name, f"--{name.replace('_', '-')}") for name in flags)
        raise Misuse(f"{path!r} is a pipeline file, beside which {named} cannot be given", f"write it there: {places}")


def _from_flags(source: str, given: dict[str, object], steps: Sequence[tuple[str, str]]) -> PipelineConfig:
    use: list[str] = []
    settings: list[dict[str, object]] = []
    for option, value in steps:
        if option == "--use":
            use.append(value)
            settings.append({})
        elif not use:
            raise Misuse(
                f"--with {value!r} has no --use before it", "name the processor first: --use NAME --with KEY=VALUE"
            )
        else:
            settings[-1].update(_setting(value))

    def text(name: str) -> str | None:
        value = given[name]
        return value if isinstance(value, str) else None

    sink = text("sink") or _STANDARD
    plugins = given["plugins"]
    return config_from_flags(
        source=source,
        sink=sink,
        use=use,
        with_=settings,
        plugins=list(plugins) if isinstance(plugins, tuple) and plugins else None,
        source_format=text("source_format") or (_STANDARD_FORMAT if source == _STANDARD else None),
        sink_format=text("sink_format") or (_STANDARD_FORMAT if sink == _STANDARD else None),
        engine=text("engine"),
        dead_letters=text("dead_letters"),
        max_errors=text("max_errors"),
        on_error=text("on_error"),
    )


def _setting(text: str) -> dict[str, object]:
    """Read ``fields=["name"]``, or several such with commas between, in TOML."""
    import tomllib  # noqa: PLC0415 - an interpreter's start, for one option

    try:
        table = tomllib.loads(f"with = {{ {text} }}") if "\n" not in text else {}
    except tomllib.TOMLDecodeError:
        table = {}
    found = table.get("with")
    if set(table) != {"with"} or not isinstance(found, dict) or not found:
        key = text.partition("=")[0].strip() or "KEY"
        hint = f"texts stand in quotes: --with '{key}=\"text\"', --with '{key}=[\"one\", \"two\"]', --with '{key}=3'"
        raise ConfigurationError(
            [Finding("C105", f"{text!r} is not KEY=VALUE with a value in TOML", Place("--with"), hint)]
        )
    return found


def _check_streams(config: PipelineConfig) -> None:
    findings = []
    if config.source.path == _STANDARD and sys.stdin is None:
        findings.append(Finding("C109", "standard input is closed", config.place(("source", "path"))))
    if config.sink.path == _STANDARD and sys.stdout is None:
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
