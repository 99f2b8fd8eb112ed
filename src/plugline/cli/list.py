"""``plugline list``: the plugins that can be named."""

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress

import click

from plugline.cli import render
from plugline.cli.app import FAULTS, OK
from plugline.cli.options import common, safe_mode
from plugline.cli.settings import Settings
from plugline.discovery.candidates import FileCandidate
from plugline.errors import LoadError, PluginDeclined, PluginRejected
from plugline.findings import Finding
from plugline.host.plugin import Plugin
from plugline.pipeline.catalogue import Catalogue, Origin


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
    """  # noqa: D301 - click's mark for lines that are not to be filled
    with Catalogue(folders or usual_folders(), plugins=not no_plugins, only=only or None) as catalogue:
        handles = [*catalogue.listing(), *catalogue.set_aside()]
        if timings:
            _load([plugin for _, plugin in handles])
        listed = [_entry(origin, plugin, catalogue) for origin, plugin in handles if plugin.state not in _TOLD_BELOW]
        listed += [_refused(one.name, one.place.path, "rejected", one.findings) for one in catalogue.rejected]
        known = {one["name"] for one in listed}
        listed += [
            _refused(name, one.place.path, "disabled", one.findings)
            for name, one in catalogue.disabled.items()
            if name not in known
        ]
        findings = catalogue.findings
        faults = bool(catalogue.rejected or any(finding.is_error for finding in findings))
    if as_json:
        plugins = [{key: value for key, value in one.items() if key != "reason"} for one in listed]
        render.tell_json({"plugins": plugins, "findings": [render.finding_data(finding) for finding in findings]})
    else:
        header = ("name", "kind", "version", "origin", "state", *(("read", "load") if timings else ()), "summary")
        rows = [_row(one, timings=timings) for one in listed]
        render.tell(render.table(header, rows, right=(5, 6) if timings else ()))
        warnings = [finding for _, plugin in handles for finding in plugin.warnings]
        if findings or warnings:
            render.say_findings(list(dict.fromkeys((*findings, *warnings))))
    return FAULTS if faults else OK


_TOLD_BELOW = ("failed", "rejected")  # with what is wrong with them


def _load(plugins: Sequence[Plugin[object]]) -> None:
    # What plugins print while they are loaded is talk: standard output holds the list.
    with redirect_stdout(sys.stderr):
        for plugin in plugins:
            with suppress(LoadError, PluginDeclined, PluginRejected):  # shown by its state
                plugin.load()


def usual_folders() -> tuple[str, ...]:
    """Return the folders that are looked into when none are named: those of the settings, else ``plugins`` where it is."""
    folders, asked = Settings.load().folders()
    return tuple(folder for folder in folders if asked or os.path.isdir(folder))


def _entry(origin: Origin, plugin: Plugin[object], catalogue: Catalogue) -> dict[str, object]:
    return {
        "name": plugin.name,
        "kinds": list(catalogue.kinds_of(plugin)),
        "version": plugin.version,
        "origin": plugin.origin if isinstance(plugin.candidate, FileCandidate) else origin,
        "path": plugin.place.path,
        "state": plugin.state,
        "generation": plugin.generation,
        "read_seconds": plugin.read_seconds,
        "load_seconds": plugin.load_seconds,
        "summary": plugin.summary,
        "findings": [render.finding_data(finding) for finding in (*plugin.findings, *plugin.warnings)],
        "reason": plugin.declined or (plugin.findings[0].message if plugin.findings else None),
    }


def _refused(name: str, path: str, state: str, findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "name": name,
        "kinds": [],
        "version": None,
        "origin": os.path.dirname(path) or "installed",
        "path": path,
        "state": state,
        "generation": 0,
        "read_seconds": None,
        "load_seconds": None,
        "summary": "",
        "findings": [render.finding_data(finding) for finding in findings],
        "reason": findings[0].message,
    }


def _row(one: dict[str, object], *, timings: bool) -> tuple[str, ...]:
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
        *((_milliseconds(one["read_seconds"]), _milliseconds(one["load_seconds"])) if timings else ()),
        str(about),
    )


def _milliseconds(seconds: object) -> str:
    return f"{seconds * 1e3:.2f} ms" if isinstance(seconds, float) else "-"
