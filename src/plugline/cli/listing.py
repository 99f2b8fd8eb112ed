"""The plugins that can be named, to a table or JSON; without the parser of command lines, which costs more than all this."""

import os
import sys
from collections.abc import Callable, Container, Sequence

from plugline.cli import FAULTS, OK, STOPPED, render
from plugline.cli.settings import Settings
from plugline.host.holding import PausedCollector
from plugline.host.plugin import Plugin, Rejected
from plugline.names import shell_word
from plugline.pipeline.catalogue import Catalogue, Origin, waits_for_settings


def quick_list(words: Sequence[str]) -> int | None:
    """Do what ``plugline list`` with these words and no options does, and return its exit code.

    ``None`` where anything is out of the ordinary, before anything was printed: the command itself tells of it.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        return None
    try:
        settings = Settings.load()
        if settings.text("log_level") != "off" or not settings.are_default:
            return None
        tell = prepare(words)
    except Exception:  # noqa: BLE001 - whatever it is, the command meets it again
        return None
    render.use_colours(settings.text("color"))
    try:
        code = tell()
        render.flush()
    except BrokenPipeError:
        render.forget_output()
        return OK
    except render.OutputLost as error:
        render.forget_output()
        render.error(f"standard output cannot be written: {error}")
        return STOPPED
    finally:
        render.use_colours("auto")
    return code


def prepare(
    folders: Sequence[str],
    *,
    timings: bool = False,
    plugins: bool = True,
    only: Sequence[str] | None = None,
    as_json: bool = False,
) -> Callable[[], int]:
    """Look at all plugins, and return what prints them and returns the exit code.

    Args:
        folders: The plugin folders; none means the usual ones.
        timings: Whether to load all plugins and show how long that takes.
        plugins: ``False`` leaves all out but those that are shipped.
        only: Names of those to use; ``None`` for all.
    """
    with PausedCollector(), Catalogue(folders or usual_folders(), plugins=plugins, only=only) as catalogue:
        catalogue.read_ahead()
        handles = [*catalogue.listing(to_load=timings), *catalogue.set_aside(to_load=timings)]
        if timings:
            _load([plugin for _, plugin in handles])
        shown = [(origin, plugin) for origin, plugin in handles if plugin.state not in _TOLD_BELOW]
        rejected = [one for one in catalogue.rejected if not waits_for_settings(one.findings)]
        names = {plugin.name for _, plugin in shown} | {one.name for one in rejected}
        own = {one.place.path for one in (*catalogue.own.rejected, *catalogue.own.disabled.values())}
        refused = [_Refused(one, "rejected", own) for one in rejected]
        refused += [_Refused(one, "disabled", own) for name, one in catalogue.disabled.items() if name not in names]
        if as_json:
            listed = [_data(origin, plugin, catalogue) for origin, plugin in shown]
            listed += [one.data() for one in refused]
        else:
            rows = [_row(origin, plugin, catalogue, timings=timings) for origin, plugin in shown]
            rows += [one.row(timings=timings) for one in refused]
        findings = catalogue.findings
        faults = bool(rejected or any(finding.is_error for finding in findings))
        warnings = [finding for _, plugin in handles for finding in plugin.warnings]

    def tell() -> int:
        if as_json:
            render.tell_json({"plugins": listed, "findings": findings})
        else:
            header = ("name", "kind", "version", "origin", "state", *(("read", "load") if timings else ()), "summary")
            render.tell(render.table(header, rows, right=(5, 6) if timings else (), fits=True))
            if findings or warnings:
                render.say_findings(list(dict.fromkeys((*findings, *warnings))))
        return FAULTS if faults else OK

    return tell


_TOLD_BELOW = ("failed", "rejected")  # with what is wrong with them


def _load(plugins: Sequence[Plugin[object]]) -> None:
    # What plugins print while they are loaded is talk: standard output holds the list.
    from contextlib import redirect_stdout, suppress  # for timings only

    from plugline.errors import LoadError, PluginDeclined, PluginRejected

    with redirect_stdout(sys.stderr):
        for plugin in plugins:
            # What keeps it from being loaded is shown by its state. No instance is made: a pipeline gives it settings.
            with suppress(LoadError, PluginDeclined, PluginRejected, TypeError):
                plugin.load_type()


def place_hint(said: str) -> str | None:
    """Return the hint on what is no place of plugins, where it is the name of one in the usual folders: its file."""
    for folder in ("", *usual_folders()):
        for end in (".py", ""):
            path = os.path.join(folder, said + end)
            if said and os.path.exists(path):
                return f"here a plugin is named by its file: {shell_word(path)}"
    return None


def usual_folders() -> tuple[str, ...]:
    """Return the folders that are looked into when none are named: those of the settings, else ``plugins`` where it is."""
    folders, asked = Settings.load().folders()
    return tuple(folder for folder in folders if asked or os.path.isdir(folder))


def _data(origin: Origin, plugin: Plugin[object], catalogue: Catalogue) -> dict[str, object]:
    found = () if waits_for_settings(plugin.findings) else plugin.findings
    return {
        "name": plugin.name,
        "kinds": list(catalogue.kinds_of(plugin)),
        "version": plugin.version,
        "origin": _origin(origin, plugin),
        "path": plugin.place.path,
        "state": plugin.state,
        "generation": plugin.generation,
        "read_seconds": plugin.read_seconds,
        "load_seconds": plugin.load_seconds,
        "summary": plugin.summary,
        "findings": (*found, *plugin.warnings),
    }


class _Refused:
    """A plugin of which there is no more to tell than what is wrong with it."""

    def __init__(self, one: Rejected, state: str, own: Container[str]) -> None:
        self._one, self._state, self._path = one, state, one.place.path
        self._origin = os.path.dirname(self._path) if self._path in own else "installed"

    def data(self) -> dict[str, object]:
        return {
            "name": self._one.name,
            "kinds": [],
            "version": None,
            "origin": self._origin,
            "path": self._path,
            "state": self._state,
            "generation": 0,
            "read_seconds": None,
            "load_seconds": None,
            "summary": "",
            "findings": self._one.findings,
        }

    def row(self, *, timings: bool) -> tuple[str, ...]:
        took = ("-", "-") if timings else ()
        return (self._one.name, "-", "-", self._origin, self._state, *took, self._one.findings[0].message)


def _row(origin: Origin, plugin: Plugin[object], catalogue: Catalogue, *, timings: bool) -> tuple[str, ...]:
    """Return what a table has room for; of a thousand plugins, asking for the rest takes as long as finding them."""
    # The first finding stands where the summary would: a plugin that declined or is disabled has none to be used by.
    found = plugin.findings
    about = plugin.declined or (found[0].message if found and not waits_for_settings(found) else plugin.summary)
    return (
        plugin.name,
        "/".join(catalogue.kinds_of(plugin)) or "-",
        plugin.version or "-",
        _origin(origin, plugin),
        plugin.state,
        *((_milliseconds(plugin.read_seconds), _milliseconds(plugin.load_seconds)) if timings else ()),
        about,
    )


def _origin(origin: Origin, plugin: Plugin[object]) -> str:
    return plugin.origin if origin == "folder" else origin


def _milliseconds(seconds: float | None) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds is not None else "-"
