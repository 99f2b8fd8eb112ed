"""``plugline enable``: names of plugins to ``plugline.toml``, taken out of it."""

import click

from plugline.cli.options import common
from plugline.cli.switching import switch


@click.command("enable", short_help="Use plugins again that were disabled.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--plugins", "folders", multiple=True, metavar="FOLDER", help="A plugin folder; default: plugins; may be repeated."
)
@common
def command(*, names: tuple[str, ...], folders: tuple[str, ...], as_json: bool) -> int:
    """Use the plugins of these names again.

    \b
    plugline enable clean

    Exit codes: 0 done; 1 no plugin has that name; 2 wrong use.
    """
    return switch(names, folders, disabled=False, as_json=as_json)
