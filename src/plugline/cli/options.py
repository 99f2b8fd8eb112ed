"""Options that several commands have, and the settings that hold for all of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import click

from plugline.cli import MISUSED
from plugline.cli.app import Misuse
from plugline.cli.guard import Invocation, applied, settled

F = TypeVar("F", bound=Callable[..., Any])


def _be_verbose(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value and isinstance(context.obj, Invocation):
        context.obj.verbose = True


plugin_folders = click.option(
    "--plugins", "folders", multiple=True, metavar="FOLDER", help="A plugin folder; default: plugins; may be repeated."
)
_TELL_OF_SETTINGS = ("check", "config")  # commands that say themselves what is wrong with them


def common(function: F) -> F:
    """Add ``--json`` and ``-v``."""
    verbose = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_be_verbose,
        help="Show tracebacks: of plugins that fail, and of a bug in plugline.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    return as_json(verbose(_with_settings(function)))


def _with_settings(function: F) -> F:
    """Apply the settings of the tool for as long as a command runs."""

    @wraps(function)
    def command(*arguments: object, **options: object) -> object:
        _refuse_empty(click.get_current_context())
        told_elsewhere = options.get("as_json") or function.__module__.rpartition(".")[2] in _TELL_OF_SETTINGS
        settings = settled(warns=not told_elsewhere)
        if settings is None:
            return MISUSED
        with applied(settings), _tracebacks():
            return function(*arguments, **options)

    return command  # type: ignore[return-value]  # of the same signature


def _refuse_empty(context: click.Context) -> None:
    """Refuse an empty word, but among those of a command to be run."""
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if "" in (value if isinstance(value, tuple) else (value,)) and parameter.name != "words":
            message = f"{parameter.get_error_hint(context)} is empty"
            raise Misuse(message, f"is a variable of the shell not set? see {context.command_path} --help")


@contextmanager
def _tracebacks() -> Iterator[None]:
    """Say the tracebacks of plugins that fail to load, if they are wanted, after all that is said of them."""
    invocation = click.get_current_context().find_object(Invocation)
    if invocation is None or not invocation.verbose:
        yield
        return
    from plugline.blame import Tracebacks  # where they are wanted

    with Tracebacks() as tracebacks:
        yield
    if tracebacks.kept:
        from plugline.cli.tracebacks import say_tracebacks  # where there are some

        say_tracebacks((f"{path}: ", text) for path, text in tracebacks.kept.items())


def safe_mode(function: F) -> F:
    """Add ``--no-plugins`` and ``--only``."""
    none = click.option(
        "--no-plugins", is_flag=True, help="Leave out all plugins but those that are shipped with plugline."
    )
    only = click.option(
        "--only",
        multiple=True,
        metavar="NAME",
        help="Leave out all plugins but this one and what it requires; may be repeated.",
    )
    return none(only(function))
