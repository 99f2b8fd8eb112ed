"""``plugline doctor``: what plugline can do on this machine, and for the plugins of a folder; no plugin is run."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import click

import plugline
from plugline.cli import FAULTS, OK, health, render
from plugline.cli.check import told_of_places
from plugline.cli.health import Check
from plugline.cli.listing import usual_folders
from plugline.cli.named import not_there, place_of
from plugline.cli.options import common
from plugline.cli.render import counted
from plugline.discovery.needs import missing_modules
from plugline.findings import Finding
from plugline.host.host import Host
from plugline.isolation.environments import Needs, find_environment, needs_of, unsatisfied
from plugline.names import shell_word
from plugline.pipeline.catalogue import Catalogue


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
            raise not_there(path)
    checks = [*health.look(), *look_into([*map(place_of, paths)] or usual_folders())]
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


_SHIPPED = ("processors", "formats", "engines")


def look_into(paths: Sequence[str]) -> list[Check]:
    """Look at the plugins of folders, or at single ones: for what more than one file has to do with."""
    if not paths:
        hint = "name a folder, or make the first plugin: plugline new NAME"
        return [Check(name="folders", state="missing", said="there are no plugins here", hint=hint)]
    with Catalogue(()) as catalogue, Host(*paths) as host:
        rejected = [finding for one in host.rejected for finding in one.findings]
        names = {plugin.name: catalogue.kinds_of(plugin) for plugin in host}
        findings = told_of_places(host, paths)
        folders = _folders(paths, len(names), len(host.rejected), findings)
        if findings and not names:
            return [folders]
        return [
            folders,
            _duplicates([one for one in rejected if one.code == "P107"]),
            _shadowed(names),
            _libraries([*_lacking(host)]),
        ]


def _folders(paths: Sequence[str], usable: int, unusable: int, findings: Sequence[Finding]) -> Check:
    found = [f"{finding.place}: {finding.message}" for finding in findings]
    said = f"{', '.join(paths)}: {counted(usable + unusable, 'plugin')}"
    said += f", of which {unusable} cannot be used" if unusable else ""
    if found:
        return Check(name="folders", state="wrong", said=said, hint=findings[0].advice, more={"found": found})
    if unusable:
        return Check(
            name="folders", state="wrong", said=said, hint=f"plugline check {' '.join(map(shell_word, paths))}"
        )
    return Check(name="folders", state="ok", said=said)


def _duplicates(findings: Sequence[Finding]) -> Check:
    if not findings:
        return Check(name="duplicates", state="ok", said="no two plugins have one name")
    found = [f"{finding.place}: {finding.message}" for finding in findings]
    said = f"{counted(len(findings), 'plugin')} cannot be used, since another has the name"
    return Check(name="duplicates", state="wrong", said=said, hint=findings[0].advice, more={"found": found})


def _shadowed(names: Mapping[str, Sequence[str]]) -> Check:
    """Tell which names are those of other things, too: nothing is wrong with that, and it is good to know."""
    root = Path(plugline.__file__).parent
    shipped = {file.stem: kind[:-1] for kind in _SHIPPED for file in (root / kind).glob("[!_]*.py")}
    found = []
    for name, kinds in names.items():
        # A processor called csv is in nobody's way: where a format is meant, that of the name is taken.
        if shipped.get(name) in kinds:
            found.append(f"{name}: is used in place of the shipped {shipped[name]}")
        if _is_module(name):
            found.append(f"{name}: an import of the module {name!r} still gives the module")
    if not found:
        return Check(name="shadowed", state="ok", said="no plugin has the name of a module, or of what is shipped")
    said = "plugins with the name of something else"
    hint = "rename the file of one that is not meant to have that name"
    return Check(name="shadowed", state="ok", said=said, hint=hint, more={"found": found})


def _is_module(name: str) -> bool:
    if name in sys.stdlib_module_names:
        return True
    try:
        return "." not in name and find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _libraries(lacking: Sequence[tuple[str, str]]) -> Check:
    if not lacking:
        said = "what the plugins need is installed; whether it works is told by plugline check --load"
        return Check(name="libraries", state="ok", said=said)
    found = [said for said, _ in lacking]
    said = f"{counted(len(found), 'plugin')} cannot be loaded without what is missing"
    return Check(name="libraries", state="wrong", said=said, hint=lacking[0][1], more={"found": found})


def _lacking(host: Host[object]) -> Iterator[tuple[str, str]]:
    """Yield what each plugin lacks, with what to do about it."""
    for plugin in host:
        path = plugin.place.path
        needs = needs_of(plugin.spec.dependencies, plugin.spec.requires_python, plugin.place)
        missing = unsatisfied(needs.requirements) if isinstance(needs, Needs) else ()
        if isinstance(needs, Needs) and missing:
            if find_environment(needs) is None:
                yield f"{path}: needs {' and '.join(missing)}", f"plugline sync {shell_word(path)}"
        elif plugin.spec.facts is not None:
            for finding in missing_modules(plugin.spec.facts, path):
                yield f"{finding.place}: {finding.message}", finding.advice
