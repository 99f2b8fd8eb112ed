"""``plugline check``: pipelines and plugins to all findings."""

import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from typing import Any

import click

from plugline.admission.policy import Policy
from plugline.admission.trust import changed_files, is_folder_of_plugins
from plugline.cli import FAULTS, OK, render
from plugline.cli.app import Misuse
from plugline.cli.complete import names_elsewhere
from plugline.cli.excerpts import with_source_lines
from plugline.cli.listing import place_hint
from plugline.cli.named import is_of, judged_in, place_of
from plugline.cli.options import common, safe_mode
from plugline.cli.settings import DEFAULT, Settings
from plugline.discovery.facts import SourceFacts
from plugline.discovery.needs import missing_modules, missing_neighbours
from plugline.discovery.source import parse_source, read_facts
from plugline.errors import ConfigurationError, LoadError, PluginDeclined, PluginRejected
from plugline.files import SourceFile, read_source
from plugline.findings import Finding, Place
from plugline.host.host import Host
from plugline.host.plugin import Plugin
from plugline.pipeline.bound import findings_of_shipped
from plugline.pipeline.catalogue import ANY_INTERFACE, API_VERSION, waits_for_settings
from plugline.pipeline.config import PipelineConfig, load_config
from plugline.pipeline.plan import DEFAULT_FOLDER, make_plan, plugin_folders, resolve, shown_fields

_MOST_LINES = 6  # that a broken plugin may cost, when it is not asked for by name


@dataclass(slots=True)
class Checked:
    """What was looked at, and everything that is wrong with it.

    Attributes:
        plugins: The files of all plugins.
        declined: Those that said themselves that they do not apply here.
        disabled: Names of those that are not to be used, of which nothing is told.
        findings: By the file that they are about, in the order in which they were found.
        unusable: The files of plugins that are not used, be it for what is wrong with their folder.
        named: Files that were asked for one by one, of which everything is shown.
    """

    pipelines: int = 0
    plugins: set[str] = field(default_factory=set)
    declined: set[str] = field(default_factory=set)
    disabled: set[str] = field(default_factory=set)
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    wants: dict[str, Any] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)

    def add(self, findings: Sequence[Finding]) -> None:
        """Add findings, each once: a pipeline and its folder tell the same of a plugin."""
        for finding in findings:
            known = self.findings.setdefault(finding.place.path, [])
            # Without the column, which a traceback does not tell and source does.
            if not any(_same(finding, one) for one in known):
                known.append(finding)

    @property
    def all(self) -> list[Finding]:
        """All findings, file by file."""
        return [finding for findings in self.findings.values() for finding in findings]


def _same(first: Finding, second: Finding) -> bool:
    return (first.code, first.message, first.place.line) == (second.code, second.message, second.place.line)


@click.command("check", short_help="Say all that is wrong with pipelines and plugins.")
@click.argument("paths", nargs=-1)
@click.option(
    "--load", is_flag=True, help="Load the plugins too, which runs their code and shows what only shows then."
)
@click.option(
    "--format", "layout", type=click.Choice(["text", "github"]), default="text", help="How to print findings."
)
@click.option("--audit", is_flag=True, help="Warn of what the plugins' code is seen to touch beyond what they declare.")
@safe_mode
@common
def command(
    *,
    paths: tuple[str, ...],
    load: bool,
    layout: str,
    audit: bool,
    no_plugins: bool,
    only: tuple[str, ...],
    as_json: bool,
) -> int:
    """Say everything that is wrong with pipelines (.toml), plugin folders and plugin files.

    Nothing is run, unless --load says so. Without PATHS: pipeline.toml and plugins/, where they are.

    \b
    plugline check
    plugline check pipeline.toml more_plugins plugins/upper.py
    plugline check --format github

    Exit codes: 0 nothing, or warnings only; 1 errors; 2 wrong use.
    """
    checked = check_paths(paths or _usual_paths(), load=load, audit=audit, plugins=not no_plugins, only=only or None)
    checked.add(list(Settings.load().findings()))
    if as_json:
        render.tell_json(
            {
                "plugins": len(checked.plugins),
                "pipelines": checked.pipelines,
                "declined": sorted(checked.declined),
                "disabled": sorted(checked.disabled),
                "findings": checked.all,
            }
        )
    elif layout == "github":
        for finding in checked.all:
            render.tell(render.annotation(finding))
    else:
        _tell(checked)
    return FAULTS if any(finding.is_error for finding in checked.all) else OK


def _usual_paths() -> tuple[str, ...]:
    settings = Settings.load()
    pipeline, (folders, asked) = settings.text("pipeline"), settings.folders()
    meant = {*(folders if asked else ()), *([pipeline] if settings["pipeline"].origin != DEFAULT else [])}
    paths = tuple(path for path in (pipeline, *folders) if path in meant or os.path.exists(path))
    if not paths:
        message = f"there is neither {pipeline} nor {'/, '.join(folders)}/ in the current folder"
        raise Misuse(message, "name what to check: plugline check PATH...")
    return paths


def check_paths(
    paths: Sequence[str],
    *,
    load: bool = False,
    audit: bool = False,
    plugins: bool = True,
    only: Sequence[str] | None = None,
) -> Checked:
    """Check pipelines, folders and files; what is wrong with one leaves the others as they are.

    Args:
        audit: Whether what their code touches is held against what they declare.
        plugins: ``False`` leaves all out but those that are shipped.
        only: Names of those to look at; ``None`` for all.
    """
    checked = Checked(wants={"plugins": plugins, "only": only}, policy=Policy(audit="warn" if audit else "off"))
    folders = []
    for path in paths:
        if path.endswith(".toml"):
            _check_pipeline(path, checked, load=load)
        elif is_folder_of_plugins(path):
            folders.append(os.path.normpath(path))
        elif path.endswith(".py") or os.path.isdir(path):
            checked.named.add(path)
            place = place_of(path)
            opened = judged_in(place)
            _check_places([opened], checked, load=load, of=place if opened != place else None)
        elif os.path.lexists(path):
            message = "is neither a pipeline (.toml), nor a plugin (.py), nor a folder"
            checked.add([Finding("C109", message, Place(path))])
        elif path not in checked.findings:  # a pipeline may have told of it
            checked.add([Finding("C109", "there is no such file or folder", Place(path), place_hint(path))])
    if folders:
        # Together, as a run takes them: what requires a plugin of another one, or has its name, shows only so.
        _check_places([*dict.fromkeys(folders)], checked, load=load)
    return checked


def _check_pipeline(path: str, checked: Checked, *, load: bool) -> None:
    checked.pipelines += 1
    base = os.path.dirname(path)
    folders = [folder] if os.path.isdir(folder := resolve(DEFAULT_FOLDER, base)) else []
    config = None
    try:
        config = load_config(path, list(Settings.load().overrides(base)))
        folders = plugin_folders(config, base)
        checked.add([*findings_of_shipped(make_plan(config, base, **checked.wants))])
    except ConfigurationError as error:
        checked.add(error.findings)
    if folders:
        _check_places(folders, checked, load=load, config=config)


def told_of_places(host: Host[object], places: Sequence[str]) -> list[Finding]:
    """Leave out that a file of disabled plugins names one that is not there, where that is elsewhere or may be (``P117``)."""
    unknown = {name: finding for name, finding in host.unknown.items() if not finding.is_error}
    if unknown and any(is_folder_of_plugins(place) for place in places):
        unknown = {name: unknown[name] for name in unknown.keys() & set(names_elsewhere())}
    return [finding for finding in host.findings if finding not in unknown.values()]


def _check_places(
    places: Sequence[str],
    checked: Checked,
    *,
    load: bool,
    config: PipelineConfig | None = None,
    of: str | None = None,
) -> None:
    """Check the plugins of places, or ``of`` them the one that was named."""
    with Host(
        *places, interface=ANY_INTERFACE, api_version=API_VERSION, policy=checked.policy, **checked.wants
    ) as host:
        found = told_of_places(host, places if of is None else [of])
        checked.add(found if config is None else config.veiled(found))
        usable = [plugin for plugin in host if of is None or is_of(plugin.place.path, of)]
        for plugin in usable:
            checked.plugins.add(plugin.place.path)
            checked.add(plugin.warnings)
            if plugin.spec.facts is not None:
                checked.add(missing_modules(plugin.spec.facts, plugin.place.path))
                checked.add(missing_neighbours(plugin.spec.facts, plugin.place.path))
                checked.add([*_without_return(plugin.spec.facts, plugin.place.path)])
        users = {name: plugin.name for plugin in host for name in _neighbours(plugin.spec.facts)}
        for rejected in host.rejected:
            if of is not None and not is_of(rejected.place.path, of):
                continue
            checked.plugins.add(rejected.place.path)
            checked.unusable.add(rejected.place.path)
            checked.add([_of_a_helper(finding, rejected.name, users) for finding in rejected.findings])
            checked.add(_missing_in(rejected.place.path))
        if of is None:
            checked.disabled.update(host.disabled)
            for place in filter(is_folder_of_plugins, places):
                checked.add(changed_files(place, checked.policy.lock))
        if load:
            _load(host, usable, checked)


def _neighbours(facts: SourceFacts | None) -> Iterator[str]:
    """Yield the names of what a plugin imports from beside it."""
    for one in facts.imports if facts is not None else ():
        if one.level == 1:
            yield from (one.module.partition(".")[0],) if one.module else one.names


def _of_a_helper(finding: Finding, name: str, users: Mapping[str, str]) -> Finding:
    """Return a finding with the hint for a file that is no plugin and has the name of one."""
    if finding.code != "P201" or name not in users:
        return finding
    hint = f"if it is only there for {users[name]} to import: call it _{name}.py; else {finding.advice}"
    return Finding(finding.code, finding.message, finding.place, hint, finding.source_line, finding.severity)


def _without_return(facts: SourceFacts, path: str) -> Iterator[Finding]:
    """Yield a warning for each function that drops all records, since nothing is returned in it."""
    methods = (method for one in facts.classes for method in one.methods)
    named = ("transform", "transform_batch")
    found = [one for one in (*facts.functions, *methods) if one.name in named and one.shape is not None]
    source = read_source(path) if found else None
    if not isinstance(source, SourceFile):
        return
    for one in found:
        text = source.content.decode("utf-8", "replace").split("\n", one.line)[-1]
        end = re.search(rf"^\s{{0,{one.column - 1}}}[^\s)]", text, re.MULTILINE)
        # Nearly every one is right, and is not parsed again. What raises, or does nothing yet, is meant so.
        seen = text[: end.start()] if end is not None else text
        if re.search(r"\b(?:return|yield|raise)\b", seen) is None and _returns_nothing(source, one.line):
            message = f"{one.name} returns nothing, which drops each record"
            hint = "return the table" if one.name == named[1] else "return record"
            yield Finding("P206", message, Place(path, one.line, one.column), hint, None, "warning")


def _returns_nothing(source: SourceFile, line: int) -> bool:
    """Whether the function on that line does something, and never returns, yields or raises."""
    tree = parse_source(source)
    for node in ast.walk(tree) if not isinstance(tree, Finding) else ():
        if isinstance(node, ast.FunctionDef) and node.lineno == line:
            inside = [type(one) for one in ast.walk(node)]
            ends = (ast.Return, ast.Yield, ast.YieldFrom, ast.Raise)
            return not set(inside).intersection(ends) and bool(
                {ast.Call, ast.Assign, ast.AugAssign, ast.Delete}.intersection(inside)
            )
    return False


def _missing_in(path: str) -> Sequence[Finding]:
    """Return the missing modules of a plugin that was rejected for something else."""
    source = read_source(path)
    if isinstance(source, Finding):
        return ()
    tree = parse_source(source)
    if isinstance(tree, Finding):
        return ()
    return missing_modules(read_facts(source, tree)[0], path)


def _load(host: Host[object], plugins: Sequence[Plugin[object]], checked: Checked) -> None:
    # What plugins print while they are loaded is talk: standard output holds the findings.
    with redirect_stdout(sys.stderr):
        for plugin in plugins:
            with suppress(LoadError, PluginDeclined, PluginRejected):  # the host keeps them
                plugin.load()
    tried = {plugin.place.path: plugin for plugin in plugins}
    for rejected in host.rejected:
        own = tried.get(rejected.place.path)
        if own is not None and not waits_for_settings(rejected.findings):
            checked.add([_without_settings(own, finding) for finding in rejected.findings])
    loaded = [plugin for plugin in host if plugin.place.path in tried]
    for plugin in loaded:
        checked.add(plugin.warnings)
    checked.declined.update(plugin.place.path for plugin in loaded if plugin.declined is not None)


def _without_settings(plugin: Plugin[object], finding: Finding) -> Finding:
    """Return a warning of what a constructor raised that may only be missing one of its settings."""
    if finding.code != "C104" or not shown_fields(plugin, "processor", "format", "engine")[0]:
        return finding
    hint = "it was made without settings; where a pipeline is to give some of them, nothing is wrong"
    return Finding(finding.code, finding.message, finding.place, hint, finding.source_line, "warning")


def _tell(checked: Checked) -> None:
    colours = render.coloured(sys.stdout)
    for path, findings in checked.findings.items():
        limited = path in checked.plugins and path not in checked.named
        shown = with_source_lines(findings)
        render.tell(render.findings_text(shown, colours=colours, most_lines=_MOST_LINES if limited else None))
    render.tell(f"{_summary(checked)}{_in_use(checked)}")


def _in_use(checked: Checked) -> str:
    """Say of a folder with broken plugins how many others that leaves as they are."""
    broken = {path for path, findings in checked.findings.items() if any(one.is_error for one in findings)}
    left = checked.plugins - broken - checked.unusable - checked.declined
    if not left or not (broken | checked.unusable) & checked.plugins:
        return ""
    return f"; {len(left)} other plugin{'s are' if len(left) != 1 else ' is'} in use"


def _summary(checked: Checked) -> str:
    counted = [render.counted(checked.pipelines, "pipeline")] if checked.pipelines else []
    counted += [render.counted(len(checked.plugins), "plugin")] if checked.plugins or not checked.pipelines else []
    broken = sum(1 for path in checked.findings if path in checked.plugins)
    others = len(checked.findings) - broken
    wrong = [f"{broken} with findings"] if broken else []
    wrong += [f"findings on {render.counted(others, 'other file')}"] if others else []
    aside = [f"{len(checked.declined)} declined"] if checked.declined else []
    aside += [f"{len(checked.disabled)} disabled"] if checked.disabled else []
    return ", ".join([" and ".join(counted), *(wrong or ["no findings"]), *aside])
