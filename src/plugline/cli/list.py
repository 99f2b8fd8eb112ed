"""``plugline list``: the plugins that can be named."""

import os

import click

from plugline.cli import render
from plugline.cli.app import FAULTS, OK
from plugline.cli.options import common
from plugline.cli.settings import Settings
from plugline.discovery.candidates import FileCandidate
from plugline.host.plugin import Plugin
from plugline.pipeline.catalogue import Catalogue, Origin


@click.command("list", short_help="List the plugins that can be named.")
@click.argument("folders", nargs=-1)
@common
def command(*, folders: tuple[str, ...], as_json: bool) -> int:
    """List the plugins that a pipeline can name: those of FOLDERS (or plugins/), those shipped, those installed.

    Nothing is run.

    \b
    plugline list
    plugline list my_plugins --json
    """  # noqa: D301 - click's mark for lines that are not to be filled
    with Catalogue(folders or usual_folders()) as catalogue:
        listed = [_entry(origin, plugin, catalogue) for origin, plugin in catalogue.listing()]
        listed += [
            {
                "name": rejected.name,
                "kinds": [],
                "version": None,
                "origin": os.path.dirname(rejected.place.path) or "installed",
                "path": rejected.place.path,
                "state": "rejected",
                "summary": "",
                "findings": [render.finding_data(finding) for finding in rejected.findings],
                "reason": rejected.findings[0].message,
            }
            for rejected in catalogue.rejected
        ]
        findings = catalogue.findings
        faults = bool(catalogue.rejected or findings)
    if as_json:
        plugins = [{key: value for key, value in one.items() if key != "reason"} for one in listed]
        render.tell_json({"plugins": plugins, "findings": [render.finding_data(finding) for finding in findings]})
    else:
        header = ("name", "kind", "version", "origin", "state", "summary")
        render.tell(render.table(header, [_row(one) for one in listed]))
        if findings:
            render.say_findings(findings)
    return FAULTS if faults else OK


def usual_folders() -> tuple[str, ...]:
    """Return the folders that are looked into when none are named: those of the settings, else ``plugins`` where it is."""
    folders, asked = Settings.load().folders()
    return tuple(folder for folder in folders if asked or os.path.isdir(folder))


def _entry(origin: Origin, plugin: Plugin[object], catalogue: Catalogue) -> dict[str, object]:
    candidate = plugin.candidate
    return {
        "name": plugin.name,
        "kinds": list(catalogue.kinds_of(plugin)),
        "version": plugin.version,
        "origin": candidate.tree.shown if isinstance(candidate, FileCandidate) else origin,
        "path": plugin.place.path,
        "state": plugin.state,
        "summary": plugin.summary,
        "findings": [],
    }


def _row(one: dict[str, object]) -> tuple[str, ...]:
    kinds = one["kinds"]
    assert isinstance(kinds, list)  # noqa: S101 - made above
    # The first finding stands where the summary would: a rejected plugin has none to be used by.
    about = one.get("reason") or one["summary"]
    return (
        str(one["name"]),
        "/".join(kinds) or "-",
        str(one["version"] or "-"),
        str(one["origin"]),
        str(one["state"]),
        str(about),
    )
