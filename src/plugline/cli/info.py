"""``plugline info``: all that is known of one plugin without running it."""

import inspect
import os
from collections.abc import Mapping
from typing import cast

import click

from plugline.cli import FAULTS, OK, render
from plugline.cli.app import Misuse
from plugline.cli.check import told_of_places
from plugline.cli.listing import usual_folders
from plugline.cli.named import is_of, judged_in, not_there, place_of
from plugline.cli.options import common, plugin_folders
from plugline.contract.fields import ANY_KEY, Field
from plugline.findings import Finding, Place
from plugline.host.host import Host
from plugline.host.plugin import Plugin
from plugline.names import did_you_mean, is_public
from plugline.pipeline.catalogue import ANY_INTERFACE, API_VERSION, INTERFACES, Catalogue, Kind
from plugline.pipeline.plan import shown_fields


@click.command("info", short_help="Tell all that is known of one plugin.")
@click.argument("plugin", metavar="NAME|FILE")
@plugin_folders
@common
def command(*, plugin: str, folders: tuple[str, ...], as_json: bool) -> int:
    """Tell all that is known of one plugin, by its name or its file. Nothing is run.

    \b
    plugline info csv
    plugline info plugins/upper.py --json

    Exit codes: 0 fine; 1 the plugin cannot be used; 2 no plugin has that name.
    """
    if plugin.endswith(".py") or os.sep in plugin or "/" in plugin:
        return _info_of_file(plugin, as_json=as_json)
    with Catalogue(folders or usual_folders()) as catalogue:
        found: list[Plugin[object]] = []
        for kind in INTERFACES:
            one = catalogue.find(kind, plugin)
            if isinstance(one, Plugin) and one not in found:
                found.append(one)
        found += [one for _, one in catalogue.set_aside() if one.name == plugin and one not in found]
        if not found and os.path.isdir(plugin):
            return _info_of_file(plugin, as_json=as_json)
        if not found:
            rejected = [
                finding
                for one in catalogue.rejected
                if one.name in (plugin, *(f"{plugin}_{suffix}" for suffix in ("plugin", *INTERFACES)))
                for finding in one.findings
            ]
            if plugin in catalogue.disabled:
                rejected += catalogue.disabled[plugin].findings
            # It may well be in a folder that nobody could look into.
            rejected = rejected or [finding for finding in catalogue.findings if finding.code == "P110"]
            if rejected:
                return _refuse(rejected, as_json=as_json)
            known = {one.name for _, one in catalogue.listing()} | {one.name for one in catalogue.rejected}
            raise Misuse(f"no plugin is named {plugin!r}", did_you_mean(plugin, known, kind="plugins"))
        told = [_told(one, catalogue.kinds_of(one)) for one in found]
    _show(told, as_json=as_json)
    return OK


def _info_of_file(path: str, *, as_json: bool) -> int:
    if not os.path.lexists(path):
        raise not_there(path, "name a plugin, or its file: plugline list")
    path = place_of(path)
    opened = judged_in(path)

    def is_meant(place: Place) -> bool:
        return opened == path or is_of(place.path, path)

    with Catalogue(()) as catalogue, Host(opened, interface=ANY_INTERFACE, api_version=API_VERSION) as host:
        findings = [
            *told_of_places(host, [path]),
            *(finding for one in host.rejected if is_meant(one.place) for finding in one.findings),
        ]
        if any(finding.is_error for finding in findings):
            return _refuse(findings, as_json=as_json)
        told = [_told(plugin, catalogue.kinds_of(plugin)) for plugin in host.plugins if is_meant(plugin.place)]
    if not told:
        raise Misuse(f"there is no plugin at {path!r}", "name a .py file, a package folder, or a plugin by its name")
    _show(told, as_json=as_json)
    return OK


def _refuse(findings: list[Finding], *, as_json: bool) -> int:
    render.tell_refusal(findings, as_json=as_json, plugins=[])
    return FAULTS


def _told(plugin: Plugin[object], kinds: tuple[Kind, ...]) -> dict[str, object]:
    spec = plugin.spec
    fields, closed = settings_shown(plugin, kinds)
    return {
        "name": plugin.name,
        "kinds": list(kinds),
        "version": plugin.version,
        "summary": plugin.summary,
        "path": plugin.place.path,
        "distribution": spec.distribution,
        "requires_api": spec.api,
        "requires_python": spec.requires_python,
        "dependencies": list(spec.dependencies),
        "requires": list(spec.requires),
        "after": list(spec.after),
        "priority": spec.priority,
        "state": plugin.state,
        "origin": plugin.origin,
        "permissions": spec.settings.get("permissions", {}),
        "suffixes": _suffixes(spec.constants) if "format" in kinds else [],
        "settings": [_field(field) for field in fields],
        "settings_all_known": closed,
        "functions": _functions(plugin),
        "digest": spec.digest,
        "findings": (*plugin.findings, *plugin.warnings),
    }


def _suffixes(constants: Mapping[str, object]) -> list[str]:
    suffixes = constants.get("SUFFIXES", ())
    return [str(suffix) for suffix in suffixes] if isinstance(suffixes, (list, tuple)) else []


def _functions(plugin: Plugin[object]) -> list[str]:
    facts = plugin.spec.facts
    if facts is None:
        return []
    meant = plugin.candidate.class_name
    functions = [one for one in facts.functions if not one.name.startswith("_") and not meant]
    told = [f"{one.name}{one.shape if one.shape is not None else '(...)'}" for one in functions]
    for kind in facts.classes:
        if not is_public(kind.name) or kind.name != (meant or kind.name):
            continue
        methods = [one for one in kind.methods if not one.name.startswith("_")]
        told += [f"{kind.name}.{one.name}{one.shape if one.shape is not None else '(...)'}" for one in methods]
    return told


def settings_shown(plugin: Plugin[object], kinds: tuple[Kind, ...]) -> tuple[tuple[Field, ...], bool]:
    """Return the settings that the source shows, and whether these are all."""
    fields, _ = shown_fields(plugin, *kinds)
    if fields is None:
        return (), False
    return tuple(field for field in fields if field.name != ANY_KEY), all(field.name != ANY_KEY for field in fields)


def _field(field: Field) -> dict[str, object]:
    told = {"name": field.name, "type": shown_type(field.type), "required": field.required, "summary": field.summary}
    return told if field.default is ... else {**told, "default": field.default}


def shown_type(form: object) -> str:
    """Return a type as an author writes it."""
    return "any" if form is object else inspect.formatannotation(form).replace("typing.", "")


def _show(told: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        render.tell_json({"plugins": told, "findings": []})
        return
    for index, one in enumerate(told):
        if index:
            render.tell("")
        render.tell(_text(one))


_PLAIN_LINES = {
    "version": "version",
    "path": "file",
    "distribution": "distribution",
    "requires_api": "needs API",
    "requires_python": "needs Python",
}


_LIST_LINES = {"dependencies": "needs", "suffixes": "files", "requires": "requires", "after": "comes after"}


def _text(one: dict[str, object]) -> str:
    kinds = cast("list[str]", one["kinds"])
    lines = [f"{one['name']} ({'/'.join(kinds) or 'plugin'}): {one['summary']}".rstrip(": ")]
    lines += [f"  {label}: {one[key]}" for key, label in _PLAIN_LINES.items() if one[key]]
    lines += [f"  {label}: {', '.join(cast('list[str]', one[key]))}" for key, label in _LIST_LINES.items() if one[key]]
    lines += [f"  {key}: {one[key]}" for key in ("priority",) if one[key]]
    lines += [f"  {key}: {one[key]}" for key in ("state",) if one[key] != "found"]
    permissions = one["permissions"]
    if permissions:
        pairs = permissions.items() if isinstance(permissions, Mapping) else [("declared", permissions)]
        lines.append("  permissions: " + ", ".join(f"{key} = {value!r}" for key, value in pairs))
    settings = cast("list[dict[str, object]]", one["settings"])
    if settings:
        lines.append("  settings:")
        lines += [_setting_line(field) for field in settings]
    if not one["settings_all_known"]:
        lines.append("  settings: more may be known only when it is loaded")
    if functions := cast("list[str]", one["functions"]):
        lines.append("  functions: " + ", ".join(functions))
    if one["digest"]:
        lines.append(f"  digest: {one['digest']}")
    for finding in cast("tuple[Finding, ...]", one["findings"]):
        hint = f" ({finding.hint})" if finding.hint else ""
        lines.append(f"  {finding.severity}[{finding.code}]: {finding.message}{hint}")
    return "\n".join(render.plain(line) for line in lines)


def _setting_line(field: Mapping[str, object]) -> str:
    default = f" = {field['default']!r}" if "default" in field else "" if field["required"] else " = ..."
    needed = ", required" if field["required"] else ""
    summary = f": {field['summary']}" if field["summary"] else ""
    return f"    {field['name']} ({field['type']}{default}{needed}){summary}"
