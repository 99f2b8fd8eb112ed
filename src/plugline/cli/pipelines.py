"""The words of a command line to the configuration of a pipeline."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import click

from plugline.cli.app import Misuse
from plugline.cli.settings import DEFAULT, Settings
from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place
from plugline.pipeline.config import Override, PipelineConfig, config_from_flags, load_config

F = TypeVar("F", bound=Callable[..., Any])

STANDARD = "-"
_STANDARD_FORMAT = "ndjson"  # of a pipe, which has no name that could tell
_REFUSED_BESIDE_A_FILE = {"use": "[[steps]]", "settings": "with in [[steps]]", "on_error": "on_error in [[steps]]"}
_FLAGS = {
    "plugins": "--plugins",
    "sink": "--output",
    "source_format": "--from",
    "source_options": "--from-with",
    "sink_format": "--to",
    "sink_options": "--to-with",
    "settings": "--with",
    "use": "--use",
    "on_error": "--on-error",
    "engine": "--engine",
    "dead_letters": "--dead-letters",
    "max_errors": "--max-errors",
    "processes": "--processes",
}
_KEYS = {
    "plugins": ("plugins",),
    "source_format": ("source", "format"),
    "source_options": ("source", "options"),
    "sink": ("sink", "path"),
    "sink_format": ("sink", "format"),
    "sink_options": ("sink", "options"),
    "engine": ("run", "engine"),
    "dead_letters": ("run", "dead_letters"),
    "max_errors": ("run", "max_errors"),
    "processes": ("run", "processes"),
}
_PATHS = ("sink", "dead_letters")
_OPTIONS = ("source_options", "sink_options")


class PipelineCommand(click.Command):
    """Keeps the order of ``--use`` and ``--with``, of which click tells only each for itself."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:  # noqa: D102 - click's
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


def input_options(function: F) -> F:
    """Add what says where records come from and what they pass."""
    for add in reversed(
        (
            click.argument("source", required=False, metavar="[PIPELINE.toml|INPUT]"),
            click.option(
                "--plugins",
                multiple=True,
                metavar="FOLDER",
                help="A plugin folder; default: plugins, if it is there; may be repeated.",
            ),
            click.option(
                "--use", multiple=True, metavar="NAME", help="A processor; several pass records on in this order."
            ),
            click.option(
                "--with",
                "settings",
                multiple=True,
                metavar="KEY=VALUE",
                help="Settings, in TOML, of the --use before it.",
            ),
            click.option(
                "--from",
                "source_format",
                metavar="FORMAT",
                help="The input's format; default: by its name, ndjson for '-'.",
            ),
            click.option(
                "--from-with",
                "source_options",
                multiple=True,
                metavar="KEY=VALUE",
                help="Settings, in TOML, of the input's format; may be repeated.",
            ),
        )
    ):
        function = add(function)
    return function


def output_options(function: F) -> F:
    """Add what says where records go, and what becomes of those that fail."""
    for add in reversed(
        (
            click.option(
                "-o",
                "--output",
                "sink",
                metavar="PATH",
                help="Where records go; '-', the default, is standard output.",
            ),
            click.option(
                "--to",
                "sink_format",
                metavar="FORMAT",
                help="The output's format; default: by its name, ndjson for '-'.",
            ),
            click.option(
                "--to-with",
                "sink_options",
                multiple=True,
                metavar="KEY=VALUE",
                help="Settings, in TOML, of the output's format; may be repeated.",
            ),
            click.option(
                "--max-errors", metavar="LIMIT", help="How many records may fail: 5%, 100 or none; default: 5%."
            ),
            click.option("--dead-letters", metavar="PATH", help="Where failed records go; default: beside the output."),
            click.option(
                "--on-error", metavar="WHAT", help="For a record that fails: dead-letter (default), drop, pass or stop."
            ),
            click.option("--engine", metavar="NAME", help="What executes the run; default: local."),
            click.option("--processes", metavar="N", help="How many processes share the work; default: auto."),
        )
    ):
        function = add(function)
    return function


def configuration(source: str | None, given: dict[str, object], context: click.Context) -> tuple[PipelineConfig, str]:
    """Return the pipeline that the words mean, and the folder that its paths are relative to.

    Args:
        source: A pipeline file, or an input; ``None`` means ``pipeline.toml``, if nothing else is said.
        given: What the options of :func:`input_options` and :func:`output_options` were given.
        context: The context of a :class:`PipelineCommand`.

    Raises:
        Misuse: The words do not fit together.
        ConfigurationError: What they lead to is wrong.
    """
    given = {**given, **{name: _options(name, given.get(name)) for name in _OPTIONS}}
    flags = {name: value for name, value in given.items() if value}
    settings = Settings.load()
    if source is None and not flags.keys() - _KEYS.keys() and os.path.exists(settings.text("pipeline")):
        source = settings.text("pipeline")
    if source is None:
        named = settings["pipeline"]
        missing = f": {named.value!r} of {named.origin} is not there" if named.origin != DEFAULT and not flags else ""
        hint = "name a pipeline file, an input, or '-' for standard input"
        raise Misuse(f"there is nothing to read{missing}", hint)
    if source.endswith(".toml"):
        _refuse_steps(source, flags)
        base = os.path.dirname(source)
        above = [_override(name, value, base) for name, value in flags.items()]
        if flags.get("sink") == STANDARD and "sink_format" not in flags:
            # A pipe has no name that could tell; where the file names a format, it is meant.
            said = Override(path=_KEYS["sink_format"], value=_STANDARD_FORMAT, origin=Place(_FLAGS["sink"]), weak=True)
            above.append(said)
        return load_config(source, [*settings.overrides(base), *above]), base
    return _from_flags(source, given, context.meta["plugline.steps"], list(settings.overrides())), ""


def _refuse_steps(path: str, flags: dict[str, object]) -> None:
    refused = [name for name in flags if name in _REFUSED_BESIDE_A_FILE]
    if refused:
        named = ", ".join(_FLAGS[name] for name in refused)
        places = ", ".join(_REFUSED_BESIDE_A_FILE[name] for name in refused)
        raise Misuse(f"{path!r} is a pipeline file, beside which {named} cannot be given", f"write it there: {places}")


def _override(name: str, value: object, base: str) -> Override:
    # A path on a command line is relative to where the command is given, not to the folder of a file that it names.
    if name in _PATHS and isinstance(value, str) and value != STANDARD and base not in ("", "."):
        value = os.path.abspath(value)
    if name == "plugins" and isinstance(value, tuple):
        value = [os.path.abspath(folder) if base not in ("", ".") else folder for folder in value]
    return Override(path=_KEYS[name], value=value, origin=Place(_FLAGS[name]))


def _from_flags(
    source: str, given: dict[str, object], steps: Sequence[tuple[str, str]], overrides: Sequence[Override]
) -> PipelineConfig:
    use, settings = used_steps(steps)

    def text(name: str) -> str | None:
        value = given.get(name)
        return value if isinstance(value, str) else None

    sink = text("sink") or STANDARD
    plugins = given["plugins"]
    return config_from_flags(
        source=source,
        sink=sink,
        use=use,
        with_=settings,
        plugins=list(plugins) if isinstance(plugins, tuple) and plugins else None,
        source_format=text("source_format") or (_STANDARD_FORMAT if source == STANDARD else None),
        sink_format=text("sink_format") or (_STANDARD_FORMAT if sink == STANDARD else None),
        source_options=cast("dict[str, object] | None", given["source_options"]),
        sink_options=cast("dict[str, object] | None", given["sink_options"]),
        engine=text("engine"),
        dead_letters=text("dead_letters"),
        max_errors=text("max_errors"),
        on_error=text("on_error"),
        processes=text("processes"),
        overrides=overrides,
    )


def used_steps(given: Sequence[tuple[str, str]]) -> tuple[list[str], list[dict[str, object]]]:
    """Return the processors that ``--use`` names, and the settings of each that the ``--with`` after it gives.

    Raises:
        Misuse: A ``--with`` stands before the first ``--use``.
        ConfigurationError: One is no TOML.
    """
    use: list[str] = []
    settings: list[dict[str, object]] = []
    for option, value in given:
        if option == "--use":
            use.append(value)
            settings.append({})
        elif not use:
            raise Misuse(
                f"--with {value!r} has no --use before it",
                "name the processor first: --use NAME --with KEY=VALUE; settings of the input's format: --from-with",
            )
        else:
            settings[-1].update(_setting(option, value))
    return use, settings


def _options(name: str, texts: object) -> dict[str, object] | None:
    """Return the settings of a format that an option gave, as often as it was there; ``None`` where it was not."""
    if not isinstance(texts, tuple) or not texts:
        return None
    return {key: value for text in texts for key, value in _setting(_FLAGS[name], text).items()}


def _setting(option: str, text: str) -> dict[str, object]:
    """Read ``fields=["name"]``, or several such with commas between, in TOML."""
    import tomllib  # an interpreter's start, for one option

    try:
        table = tomllib.loads(f"with = {{ {text} }}") if "\n" not in text else {}
    except tomllib.TOMLDecodeError:
        table = {}
    found = table.get("with")
    if set(table) != {"with"} or not isinstance(found, dict) or not found:
        key = text.partition("=")[0].strip() or "KEY"
        hint = (
            f"texts stand in quotes: {option} '{key}=\"text\"', {option} '{key}=[\"one\", \"two\"]', {option} '{key}=3'"
        )
        raise ConfigurationError(
            [Finding("C105", f"{text!r} is not KEY=VALUE with a value in TOML", Place(option), hint)]
        )
    return found
