"""``plugline disable``: names of plugins to ``plugline.toml``."""

import click

from plugline.cli.options import common
from plugline.cli.switching import switch


@click.command("disable", short_help="Use plugins no more: note it in plugline.toml.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--plugins", "folders", multiple=True, metavar="FOLDER", help="A plugin folder; default: plugins; may be repeated."
)
@common
def command(*, names: tuple[str, ...], folders: tuple[str, ...], as_json: bool) -> int:
    """Use the plugins of these names no more: what is rejected for its faults, too, is told of no more.

    They stay listed, as disabled. The names are kept in plugline.toml beside the plugin folder, which holds for every
    program that takes plugins from there.

    \b
    plugline disable clean
    plugline disable clean --plugins more_plugins

    Exit codes: 0 done; 1 done, and no plugin has that name; 2 wrong use.
    """
    return switch(names, folders, disabled=True, as_json=as_json)
