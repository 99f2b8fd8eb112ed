"""``plugline doctor``: what plugline can do on this machine."""

import click

from plugline.cli import health, render
from plugline.cli.app import FAULTS, OK
from plugline.cli.options import common


@click.command("doctor", short_help="Say what this machine can do for plugins, and what a sandbox denies.")
@common
def command(*, as_json: bool) -> int:
    """Say what plugline finds on this machine: its kernel, its sandbox, and what is installed beside it.

    A probe is put into a sandbox that grants nothing, and tries what no plugin may do.

    \b
    plugline doctor
    plugline doctor --json
    """  # noqa: D301 - click's mark for lines that are not to be filled
    checks = health.look()
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
    if check.hint is not None:
        lines.append(f"{'':<20} hint: {render.plain(check.hint)}")
    return lines
