"""``plugline disable`` and ``plugline enable``: names of plugins to what ``plugline.toml`` says of them."""

from collections.abc import Sequence

import click

from plugline.cli import FAULTS, MISUSED, OK, render
from plugline.cli.listing import usual_folders
from plugline.cli.options import common, plugin_folders
from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place
from plugline.host.aside import switch
from plugline.host.store import shown
from plugline.names import did_you_mean
from plugline.pipeline.catalogue import Catalogue, store_of

_names = click.argument("names", nargs=-1, required=True, metavar="NAME...")


@click.command("disable", short_help="Use plugins no more: note it in plugline.toml.")
@_names
@plugin_folders
@common
def disable(*, names: tuple[str, ...], folders: tuple[str, ...], as_json: bool) -> int:
    """Use the plugins of these names no more: what is rejected for its faults, too, is told of no more.

    They stay listed, as disabled. The names are kept in plugline.toml beside the plugin folder, which holds for every
    program that takes plugins from there.

    \b
    plugline disable clean
    plugline disable clean --plugins more_plugins

    Exit codes: 0 done; 1 done, and no plugin has that name; 2 wrong use.
    """
    return _switch(names, folders, disabled=True, as_json=as_json)


@click.command("enable", short_help="Use plugins again that were disabled.")
@_names
@plugin_folders
@common
def enable(*, names: tuple[str, ...], folders: tuple[str, ...], as_json: bool) -> int:
    """Use the plugins of these names again.

    \b
    plugline enable clean

    Exit codes: 0 done; 1 no plugin has that name; 2 wrong use.
    """
    return _switch(names, folders, disabled=False, as_json=as_json)


def _switch(names: Sequence[str], folders: Sequence[str], *, disabled: bool, as_json: bool) -> int:
    """Disable or enable plugins, tell what changed, and return the exit code.

    A name that no plugin has is kept or taken out all the same, and told: its plugin may come back.
    """
    named = folders
    folders = folders or usual_folders()
    store = store_of(folders)
    with Catalogue(folders) as catalogue:
        unseen = [finding for finding in catalogue.findings if named and finding.code == "P110"]
        if unseen:
            render.tell_refusal(unseen, as_json=as_json, changed=[])
            return MISUSED
        known = {plugin.name: plugin.origin for _, plugin in (*catalogue.listing(), *catalogue.set_aside())}
        known |= dict.fromkeys((one.name for one in catalogue.rejected), None)  # type: ignore[arg-type]
        known |= dict.fromkeys(catalogue.disabled, None)  # type: ignore[arg-type]
    before = set(store.disabled())
    changed = []
    try:
        for name in dict.fromkeys(names):
            earlier = set(store.disabled())
            switch(store, name, known, disabled=disabled, beside=known.get(name))
            changed += [name] if set(store.disabled()) != earlier else []
    except ConfigurationError as error:
        render.tell_refusal(error.findings, as_json=as_json, changed=[])
        return MISUSED
    findings = [
        _unknown(name, known, store.paths[0], disabled=disabled)
        for name in dict.fromkeys(names)
        if name not in known
        and not any(one.startswith(f"{name}:") for one in known)
        and (disabled or name not in before)
    ]
    if as_json:
        kept = sorted(store.disabled())
        render.tell_json({"changed": changed, "disabled": kept, "files": list(store.paths), "findings": findings})
    else:
        word = "disabled" if disabled else "enabled"
        for name in dict.fromkeys(names):
            render.tell(
                f"{render.plain(name)}: {word}" if name in changed else f"{render.plain(name)}: was {word} before"
            )
        if findings:
            render.say_findings(findings)
    return FAULTS if findings else OK


def _unknown(name: str, known: dict[str, str], path: str, *, disabled: bool) -> Finding:
    kept = "its name is kept, in case that it comes back" if disabled else "nothing was to be changed"
    message = f"no plugin is named {name!r}; {kept}"
    return Finding("P117", message, Place(shown(path)), did_you_mean(name, known, kind="plugins"), severity="warning")
