"""What a host's user does not want, to the findings that set plugins aside."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from plugline.discovery.spec import PluginSpec
from plugline.findings import Finding, Place
from plugline.host.host import STORE_NAME
from plugline.host.store import FileStore, Kept, Store
from plugline.names import did_you_mean, shell_word
from plugline.values import Value

_USUAL_FOLDER = "plugins"  # in which "plugline enable" looks where none is named


class Disabled(Value):
    """What is not to be used.

    Attributes:
        plugins: By the name of each plugin that is there, the reason.
        unknown: By each name that no plugin has, what is to be told of it.
    """

    __slots__ = ("plugins", "unknown")
    plugins: Mapping[str, Finding]
    unknown: Mapping[str, Finding]

    def __init__(self, plugins: Mapping[str, Finding], unknown: Mapping[str, Finding]) -> None:
        self._set(plugins=plugins, unknown=unknown)


def find_disabled(
    specs: Mapping[str, PluginSpec],
    rejected: Mapping[str, Place],
    kept: Kept | None,
    plugins: bool,  # noqa: FBT001 - of a host, as are both
    only: Sequence[str] | None,
) -> Disabled:
    """Return the plugins that are not to be used, each with a finding ``P116``.

    Args:
        specs: Plugins that no check rejected, by name.
        rejected: The places of those that a check rejected: who disables one need not hear of what is wrong with it.
        kept: What the host's store says; ``None`` where it says nothing.
        plugins: Whether the host is to use any.
        only: Which ones it is to use, with what they require; ``None`` for all.
    """
    kept = kept if kept is not None else Kept({})
    places = {**rejected, **{name: spec.place for name, spec in specs.items()}}
    none = not plugins or not kept.known
    wanted = set() if none else _with_needed(specs, places, only) if only is not None else places.keys()
    why, hint = _why_left_out(kept, plugins, only)
    found = {
        name: Finding("P116", f"{name!r} {why}", Place(place.path), hint.format(shell_word(name)))
        for name, place in places.items()
        if name not in wanted
    }
    unknown = _unknown_only(only, places) if only is not None else {}
    for wanted_name, place in kept.names.items():
        members = _members(wanted_name, places)
        for name in members:
            found[name] = _disabled(name, wanted_name, place, places[name])
        if not members and (place is None or not _is_in_a_folder_beside(wanted_name, place.path)):
            unknown[wanted_name] = _unknown(wanted_name, place, places)
    return Disabled(found, unknown)


def _why_left_out(kept: Kept, plugins: bool, only: Sequence[str] | None) -> tuple[str, str]:  # noqa: FBT001 - as above
    """Return the reason, and what to do, with ``{}`` for the name of the plugin."""
    if not plugins:
        return "is left out: this host was opened without plugins", "leave out --no-plugins, or plugins=False"
    if not kept.known:
        broken = kept.findings[0].place
        return f"is not used: it may be disabled in {broken.path}", _braced(f"mend {shell_word(broken.path)}")
    shown = ", ".join(repr(one) for one in only or ()) or "none"
    return f"is left out: of all plugins only {shown} is to be used", "name it too: --only {}, or only=[...]"


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _disabled(name: str, kept: str, place: Place | None, plugin: Place) -> Finding:
    if place is None:
        hint = f"host.enable({kept!r})"
        return Finding("P116", f"{name!r} is disabled by the host's own settings", plugin, hint)
    return Finding("P116", f"{name!r} is disabled", place, _how_to_enable(kept, place.path, plugin.path))


def _how_to_enable(name: str, kept_in: str, plugin: str) -> str:
    """Return the command that takes a name out of the file that disables it, as it is to be typed in the current folder."""
    if os.path.basename(kept_in) != STORE_NAME:
        return f"take its name out of {shell_word(kept_in)}, or host.enable({name!r})"
    command = f"plugline enable {shell_word(name)}"
    beside = os.path.dirname(os.path.abspath(kept_in))
    if not os.path.abspath(plugin).startswith(beside + os.sep):
        return command
    folder = os.path.join(os.path.dirname(kept_in), os.path.relpath(plugin, beside).partition(os.sep)[0])
    return command if folder == _USUAL_FOLDER else f"{command} --plugins {shell_word(folder)}"


def _unknown(name: str, place: Place | None, known: Iterable[str]) -> Finding:
    message = f"disables {name!r}, which no plugin is named"
    return Finding(
        "P117", message, place or Place("disabled plugins"), did_you_mean(name, known, kind="plugins"), None, "warning"
    )


def _is_in_a_folder_beside(name: str, kept_in: str) -> bool:
    """Whether a file of disabled plugins may mean one of another folder that it is beside, which this host has not."""
    stem = name.partition(":")[0]
    if not stem or os.sep in stem:
        return False
    try:
        with os.scandir(os.path.dirname(os.path.abspath(kept_in))) as entries:
            folders = [entry.path for entry in entries if entry.is_dir()]
    except OSError:
        return False
    ends = (f"{stem}.py", os.path.join(stem, "__init__.py"))
    return any(os.path.isfile(os.path.join(folder, end)) for folder in folders for end in ends)


def _unknown_only(only: Collection[str], places: Mapping[str, Place]) -> dict[str, Finding]:
    return {
        name: Finding(
            "P117",
            f"{name!r} is to be used alone, and no plugin is named so",
            Place("only"),
            did_you_mean(name, places, kind="plugins"),
        )
        for name in only
        if not _members(name, places)
    }


def _members(name: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the plugins that a name means: that of the name, else all classes of a file of the name."""
    return (name,) if name in known else tuple(one for one in known if ":" in one and one.rpartition(":")[0] == name)


def switch(store: Store, name: str, known: Collection[str], *, disabled: bool, beside: str | None = None) -> None:
    """Let a store say of a plugin, or of all classes of a file, that it is disabled, or that it is not.

    Of a file that is disabled as a whole, the classes beside the one that is enabled stay so.
    """
    put = partial(store.set_disabled, beside=beside) if isinstance(store, FileStore) else store.set_disabled
    kept, file = set(store.disabled()), name.rpartition(":")[0]
    members = _members(file, known) if file in kept else ()
    others = [one for one in members if one != name] if name in members else []
    if disabled and name not in members:
        put(name, disabled=True)
    if disabled:
        return
    for one in (name, *kept.intersection(_members(name, known)), *([file] if name in members else [])):
        put(one, disabled=False)
    for one in others:
        put(one, disabled=True)


def _with_needed(specs: Mapping[str, PluginSpec], known: Collection[str], only: Iterable[str]) -> set[str]:
    """Return the plugins of these names, and what they require."""
    wanted: set[str] = set()
    todo = list(only)
    while todo:
        for name in _members(todo.pop(), known):
            if name not in wanted:
                wanted.add(name)
                todo += specs[name].requires if name in specs else ()
    return wanted
