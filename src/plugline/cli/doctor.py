"""``plugline doctor``: what plugline can do on this machine, and for the plugins of a folder."""

import os

import click

from plugline.cli import FAULTS, OK, health, places, render
from plugline.cli.app import Misuse
from plugline.cli.listing import place_hint, usual_folders
from plugline.cli.named import place_of
from plugline.cli.options import common


@click.command("doctor", short_help="Say what this machine can do for plugins, and what a sandbox denies.")
@click.argument("paths", nargs=-1)
@common
def command(*, paths: tuple[str, ...], as_json: bool) -> int:
    """Say what plugline finds on this machine and in PATHS (plugin folders or plugins; or those of the settings).

    Of the machine: its kernel, its sandbox, and what is installed. A probe is put into a sandbox that grants nothing, and
    tries what no plugin may do. Of the plugins, none of which is run: which cannot be used, have one name, have the name
    of something else, or lack a library.

    \b
    plugline doctor
    plugline doctor plugins/
    plugline doctor --json

    Exit codes: 0 nothing is wrong; 1 something is; 2 wrong use.
    """
    for path in paths:
        if not os.path.exists(path):
            message = f"{path!r} is not there"
            raise Misuse(message, place_hint(path) or "name a plugin folder or the file of a plugin")
    checks = [*health.look(), *places.look_into([*map(place_of, paths)] or usual_folders())]
    if as_json:
        render.tell_json({"checks": [check.to_data() for check in checks]})
    else:
        for check in checks:
            for line in _lines(check):
                render.tell(line)
    return FAULTS if any(check.state == "wrong" for check in checks) else OK


def _lines(check: health.Check) -> list[str]:
    lines = [f"{check.state:<8} {check.name:<11} {render.plain(check.said)}"]
    probe = check.more.get("probe")
    if isinstance(probe, dict):
        lines += [f"{'':<20} {outcome}: {what}" for what, outcome in probe.items()]
    found = check.more.get("found")
    if isinstance(found, list):
        lines += [f"{'':<20} {render.shortened(one)}" for one in found]
    if check.hint is not None:
        lines.append(f"{'':<20} hint: {render.plain(check.hint)}")
    return lines
