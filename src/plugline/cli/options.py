"""Options that several commands have."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from plugline.cli.app import Invocation

F = TypeVar("F", bound=Callable[..., Any])


def _be_verbose(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value and isinstance(context.obj, Invocation):
        context.obj.verbose = True


def common(function: F) -> F:
    """Add ``--json`` and ``-v``."""
    verbose = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_be_verbose,
        help="Show the traceback of a bug in plugline.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    return as_json(verbose(function))
