"""``plugline sync``: what plugins depend on to the environments that their workers run in."""

import os
from collections.abc import Iterator, Sequence
from typing import cast

import click

from plugline.cli import FAULTS, OK, render
from plugline.cli.app import Misuse
from plugline.cli.listing import usual_folders
from plugline.cli.named import folder_of, not_there, place_of
from plugline.cli.options import common
from plugline.discovery.block import read_block
from plugline.files import read_source
from plugline.findings import Finding, Place
from plugline.host.host import Host
from plugline.isolation.environments import (
    EnvironmentFailed,
    Made,
    Needs,
    Wishes,
    fits_this_python,
    make_environment,
    needs_of,
    unsatisfied,
)
from plugline.pipeline.plan import DEFAULT_FOLDER


@click.command("sync", short_help="Make the environments that plugins need.")
@click.argument("paths", nargs=-1)
@click.option("--python", "python", metavar="PYTHON", help="The Python to make them with: a version, or a path.")
@click.option("--upgrade", is_flag=True, help="Look for newer versions than those that are locked.")
@click.option("--offline", is_flag=True, help="Do without the network: from what uv has downloaded before.")
@click.option("--build", is_flag=True, help="Build what has no wheel from its sources, which runs their code.")
@click.option("--all", "everything", is_flag=True, help="Also for plugins whose needs are met where plugline runs.")
@common
def command(
    *,
    paths: tuple[str, ...],
    python: str | None,
    upgrade: bool,
    offline: bool,
    build: bool,
    everything: bool,
    as_json: bool,
) -> int:
    """Make the environments for the plugins in PATHS (plugin folders or files; or those of the settings) that need one.

    A plugin whose dependencies are not met where plugline runs, or that requires another Python, gets an environment of its own, made by uv, and runs in a
    worker of it. Versions are locked in plugline.environments/, beside the plugin folder. No plugin is run.

    \b
    plugline sync
    plugline sync plugins/fuzzy.py --python 3.12

    Exit codes: 0 fine; 1 an environment could not be made; 2 wrong use.
    """
    wishes = Wishes(python=python, upgrade=upgrade, offline=offline, build=build)
    made: list[tuple[Made, list[str]]] = []
    findings: list[Finding] = []
    for folder, wanted in _wanted(paths, findings, everything=everything):
        for needs, names in wanted.items():
            try:
                made.append((make_environment(needs, folder, names, wishes, _say), names))
            except EnvironmentFailed as error:
                # A finding is a line; what uv says is several.
                findings.append(Finding("P366", " ".join(error.what.split()), Place(folder), error.hint))
    if as_json:
        found = [{"plugins": names, "packages": list(one.packages), "lock": one.lock} for one, names in made]
        render.tell_json({"environments": found, "findings": findings})
    else:
        _tell(made)
        if findings:
            render.say_findings(findings)
        elif not made:
            render.tell("no plugin needs an environment of its own")
    return FAULTS if findings else OK


def _tell(made: Sequence[tuple[Made, list[str]]]) -> None:
    for one, names in made:
        state = "is there" if one.was_there else "made"
        render.tell(
            render.plain(f"{', '.join(names)}: {state}, Python {one.environment.version}, {', '.join(one.packages)}")
        )


def _say(text: str) -> None:
    render.say(render.plain(f"sync: {text}"))


def _wanted(
    paths: tuple[str, ...], findings: list[Finding], *, everything: bool
) -> Iterator[tuple[str, dict[Needs, list[str]]]]:
    """Yield each folder with the needs of its plugins, and the plugins that have them."""
    for path in paths or _default():
        if not os.path.exists(path):
            raise not_there(path)
        place = place_of(path)
        wanted: dict[Needs, list[str]] = {}
        with Host(place) as host:
            findings += (finding for finding in host.findings if finding.is_error)
            for plugin in host:
                needs = needs_of(plugin.spec.dependencies, plugin.spec.requires_python, plugin.place)
                if not isinstance(needs, Needs):
                    findings += needs
                elif not fits_this_python(needs) or (
                    needs.requirements and (everything or unsatisfied(needs.requirements))
                ):
                    wanted.setdefault(needs, []).append(plugin.name)
            for rejected in host.rejected:
                if all(finding.code == "P111" for finding in rejected.findings):
                    # There is nothing else wrong with it, so its block can be read.
                    wanted.setdefault(_needs_in(rejected.place), []).append(rejected.name)
                findings += [
                    finding
                    for finding in rejected.findings
                    if finding.code == "P109" and "dependencies" in finding.message
                ]
        yield folder_of(place), wanted


def _needs_in(place: Place) -> Needs:
    """Return what a plugin needs that has no spec, since it was rejected for the Python that it requires."""
    source = read_source(place.path)
    block = {} if isinstance(source, Finding) else read_block(source)[0]
    needs = needs_of(cast("list[str]", block.get("dependencies", [])), cast("str", block.get("requires-python")), place)
    assert isinstance(needs, Needs)  # noqa: S101 - else it was rejected for that
    return needs


def _default() -> tuple[str, ...]:
    if folders := usual_folders():
        return folders
    message = f"there is no {DEFAULT_FOLDER}/ in the current folder"
    raise Misuse(message, "name what to make environments for: plugline sync PATH...")
