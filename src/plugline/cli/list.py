"""``plugline list``: the plugins that can be named."""

import click

from plugline.cli.listing import prepare
from plugline.cli.options import common, safe_mode


@click.command("list", short_help="List the plugins that can be named.")
@click.argument("folders", nargs=-1)
@click.option(
    "--timings",
    is_flag=True,
    help="Show how long each plugin took to read and to load, which loads it and runs its code.",
)
@safe_mode
@common
def command(*, folders: tuple[str, ...], timings: bool, no_plugins: bool, only: tuple[str, ...], as_json: bool) -> int:
    """List the plugins that a pipeline can name: those of FOLDERS (or plugins/), those shipped, those installed.

    Nothing is run, unless --timings says so.

    \b
    plugline list
    plugline list my_plugins --json
    plugline list --timings

    Exit codes: 0 fine; 1 some plugins were rejected, or a folder is not there; 2 wrong use.
    """
    tell = prepare(folders, timings=timings, plugins=not no_plugins, only=only or None, as_json=as_json)
    return tell()
