"""Names in a configuration to plugins: the user's folders first, then what is shipped, then what is installed."""

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal, Self, cast

import plugline
from plugline.admission.policy import Facts
from plugline.contract.interface import interfaces_of
from plugline.discovery.candidates import FileCandidate
from plugline.discovery.finders import EntryPoints, Modules, Package
from plugline.discovery.folder import ARCHIVES, Folder, finder_for
from plugline.discovery.installed import declared_groups
from plugline.discovery.known import PluginSpec
from plugline.files import SourceFile
from plugline.findings import Finding
from plugline.host.host import STORE_NAME, Host
from plugline.host.plugin import Plugin, Rejected
from plugline.host.store import FileStore
from plugline.lookup import find_module
from plugline.names import composed, did_you_mean, is_plugin_file_name, shell_word
from plugline.records import Engine, Format, Processor, TableProcessor

Kind = Literal["processor", "format", "engine"]
Origin = Literal["folder", "shipped", "installed"]

API_VERSION = plugline.API_VERSION  # what plugins for the tool are written against
# Of several, a plugin provides at least one.
INTERFACES: dict[Kind, tuple[type, ...]] = {
    "processor": (Processor, TableProcessor),
    "format": (Format,),
    "engine": (Engine,),
}
ANY_INTERFACE: tuple[type, ...] = tuple(interface for interfaces in INTERFACES.values() for interface in interfaces)
ALONE = {kind: interfaces_of(interface) for kind, interface in INTERFACES.items()}

_NAMED_IN: dict[Kind, str] = {
    "processor": 'it is a processor: use = "{}" in [[steps]]',
    "format": 'it is a format: format = "{}" in [source] or [sink]',
    "engine": 'it is an engine: engine = "{}" in [run]',
}

_NOT_LOOKED: set[str] = set()

# Strings and not imports: what we ship is found as a stranger's plugins are.
SHIPPED: dict[Kind, str] = {
    "processor": "plugline.processors",
    "format": "plugline.formats",
    "engine": "plugline.engines",
}


def store_of(folders: Sequence[str]) -> FileStore:
    """Return what keeps the names of disabled plugins: beside the folders, or where there is none in the current folder."""
    beside = [os.path.dirname(os.path.abspath(folder)) for folder in folders] or [os.getcwd()]
    return FileStore([os.path.join(folder, STORE_NAME) for folder in beside])


class _Ours:
    """Admits what is shipped, which was installed with plugline itself, wherever that is."""

    strict = False
    lock: str | None = None
    remembered_as = "all"

    def admit(self, spec: PluginSpec, source: SourceFile, facts: Facts) -> tuple[Finding, ...]:
        return ()

    def admit_file(self, source: SourceFile, path: str, facts: Facts) -> tuple[Finding, ...]:
        return ()


class Catalogue:
    """The plugins that a pipeline may name.

    A name leads to a file of that name in one of the folders, or to ``<name>_plugin.py`` or ``<name>_<kind>.py``; then to one
    that plugline ships; then to an entry point of the group ``plugline.processors``, ``plugline.formats`` or
    ``plugline.engines``, which is looked for only then.

    Args:
        folders: Plugin folders; one that is missing is a finding.
        plugins: ``False`` leaves all out but those that are shipped.
        only: Names of those to use beside those that are shipped; ``None`` for all.
    """

    def __init__(self, folders: Sequence[str], *, plugins: bool = True, only: Sequence[str] | None = None) -> None:
        self._plugins, self._only = plugins, only
        self._own: Host[object] = Host(
            *(finder_for(folder) if folder.endswith(ARCHIVES) else Folder(folder) for folder in folders),
            interface=ANY_INTERFACE,
            api_version=API_VERSION,
            plugins=plugins,
            only=only,
        )
        self._store = store_of(folders)
        self._shipped: dict[Kind, Host[object]] = {
            kind: Host(Package(package), interface=INTERFACES[kind], api_version=API_VERSION, store=self._store)
            for kind, package in SHIPPED.items()
        }
        self._shelves: dict[Kind, Host[object]] = {}
        self._declared: set[str] | None = _NOT_LOOKED
        self._alone: dict[tuple[Kind, str], Host[object]] = {}
        self._installed: dict[Kind, Host[object]] = {}
        self._named: dict[tuple[str, str], Plugin[object] | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all hosts."""
        shipped = (*self._shipped.values(), *self._shelves.values())
        for host in (self._own, *shipped, *self._alone.values(), *self._installed.values()):
            host.close()

    @property
    def own(self) -> Host[object]:
        """The plugins of the user's folders, of any kind."""
        return self._own

    def find(self, kind: Kind, name: str) -> Plugin[object] | tuple[Finding, ...]:
        """Return the plugin that a configuration means, or what is wrong with what it names.

        A plugin of another kind is passed by as long as there is one of this kind further on: a processor ``local.py``
        does not stand in for the engine ``local``.
        """
        name = composed(name)
        of_another_kind: tuple[Finding, ...] = ()
        for variant in (name, f"{name}_plugin", f"{name}_{kind}"):
            found = self._own_of_kind(kind, variant)
            if isinstance(found, Plugin):
                return found
            if any(finding.code != "P201" for finding in found):
                return found
            of_another_kind = of_another_kind or found
        for host in self._others(kind, name):
            if name in host:
                return host[name]
            if name in host.disabled:
                return host.disabled[name].findings
            for rejected in host.rejected:
                if rejected.name == name:
                    return rejected.findings
        return of_another_kind

    def _own_of_kind(self, kind: Kind, name: str) -> Plugin[object] | tuple[Finding, ...]:
        if name in self._own:
            return self._of_kind(self._own[name], kind)
        classes = [one for one in self._own if one.name.rpartition(":")[0] == name and not _lacking(one, kind)]
        if len(classes) == 1:
            return classes[0]  # the others of its file are of another kind
        if name in self._own.disabled:
            handle = next((plugin for plugin in self._own.plugins if plugin.name == name), None)
            of_kind = self._of_kind(handle, kind) if handle is not None else None
            return of_kind if isinstance(of_kind, tuple) else self._own.disabled[name].findings
        return tuple(
            finding for rejected in self._own.rejected if rejected.name == name for finding in rejected.findings
        )

    def _others(self, kind: Kind, name: str) -> Iterator[Host[object]]:
        # A generator, so that entry points are looked for only when what is before them did not fit.
        yield self._shipped_alone(kind, name)
        yield self._entry_points(kind)

    def _shipped_alone(self, kind: Kind, name: str) -> Host[object]:
        """Return a host with one shipped plugin: reading all of them would be a third of what a short run takes."""
        if (kind, name) not in self._alone:
            module = f"{SHIPPED[kind]}.{name}"
            known = is_plugin_file_name(name) and name.isidentifier() and find_module(module) is not None
            self._alone[kind, name] = Host(
                Modules({name: module} if known else {}),
                interface=INTERFACES[kind],
                api_version=API_VERSION,
                store=self._store,
            )
        return self._alone[kind, name]

    def _of_kind(self, plugin: Plugin[object], kind: Kind) -> Plugin[object] | tuple[Finding, ...]:
        if not _class_of(plugin) and plugin.spec.fits_plainly(ALONE[kind]):
            return plugin  # without its syntax tree
        return _lacking(plugin, kind) or plugin

    def _entry_points(self, kind: Kind) -> Host[object]:
        if kind not in self._installed:
            group = f"plugline.{kind}s"
            if self._declared is _NOT_LOOKED:
                self._declared = declared_groups("plugline.")
            places = () if self._declared is not None and group not in self._declared else (EntryPoints(group),)
            self._installed[kind] = Host(
                *places,
                interface=INTERFACES[kind],
                api_version=API_VERSION,
                store=self._store,
                plugins=self._plugins,
                only=self._only,
            )
        return self._installed[kind]

    def unknown(self, kind: Kind, name: str) -> tuple[str, str]:
        """Return message and hint for a name that leads nowhere."""
        plugins = [(plugin.name.removesuffix("_plugin"), self.kinds_of(plugin)) for _, plugin in self.listing()]
        known = sorted({name.removesuffix(f"_{kind}") for name, kinds in plugins if kind in kinds})
        parts = [part.strip() for part in name.split(",")]
        if len(parts) > 1 and set(parts) <= set(known):
            flags = " ".join(f"--use {shell_word(part)}" for part in parts)
            return f"no {kind} is named {name!r}", f"name each by itself: {flags}, or a [[steps]] for each"
        for other, place in _NAMED_IN.items():
            if any(other in kinds and name in (one, one.removesuffix(f"_{other}")) for one, kinds in plugins):
                return f"no {kind} is named {name!r}", place.format(name)
        # Its file, where its name is asked for, is told with the name.
        stem = name.rpartition("/")[2].removesuffix(".py")
        return f"no {kind} is named {name!r}", did_you_mean(stem, known, kind=f"{kind}s")

    def listing(self, *, to_load: bool = False) -> Iterator[tuple[Origin, Plugin[object]]]:
        """Yield all plugins that can be named, each with where it comes from.

        Args:
            to_load: Whether those that are shipped are to be loaded; looking at them costs less otherwise.
        """
        for plugin in self._own:
            yield "folder", plugin
        for kind in self._shipped:
            for plugin in self._shelf(kind, to_load=to_load):
                yield "shipped", plugin
            for plugin in self._entry_points(kind):
                yield "installed", plugin

    def _shelf(self, kind: Kind, *, to_load: bool) -> Host[object]:
        """Return a host of what is shipped: a folder like any other to look at, of which is remembered what it holds."""
        folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), SHIPPED[kind].rpartition(".")[2])
        # There is no folder where plugline is in an archive that a program is packed in.
        if to_load or "PLUGLINE_ONLY" in os.environ or not os.path.isdir(folder):
            return self._shipped[kind]
        if kind not in self._shelves:
            self._shelves[kind] = Host(
                Folder(folder),
                interface=INTERFACES[kind],
                api_version=API_VERSION,
                store=self._store,
                policy=_Ours(),
            )
        return self._shelves[kind]

    def set_aside(self, *, to_load: bool = False) -> Iterator[tuple[Origin, Plugin[object]]]:
        """Yield the plugins that could be named if they were not disabled."""
        for plugin in self._own.plugins:
            if plugin.state == "disabled":
                yield "folder", plugin
        for kind in self._shipped:
            shelf = self._shelf(kind, to_load=to_load)
            for origin, one in (("shipped", shelf), ("installed", self._entry_points(kind))):
                for plugin in one.plugins:
                    if plugin.state == "disabled":
                        yield cast(Origin, origin), plugin

    def read_ahead(self) -> None:
        """Have all at hand that is remembered of the user's plugins: for who asks all of them for their kinds."""
        self._own._read_ahead()  # noqa: SLF001 - nobody else ever asks for so much

    @property
    def disabled(self) -> dict[str, Rejected]:
        """What is disabled of the user's folders, by name, those that a check would reject included."""
        return self._own.disabled

    def kinds_of(self, plugin: Plugin[object]) -> tuple[Kind, ...]:
        """Return what a plugin can be used as, as far as its source shows it."""
        # What a remembered outline proves need not be read again, which a thousand plugins would take seconds for.
        plain = tuple(kind for kind, interfaces in ALONE.items() if plugin.spec.fits_plainly(interfaces))
        if plain and not _class_of(plugin):
            return plain
        alone = ((kind, host) for (kind, _), host in self._alone.items())
        for kind, host in chain(alone, self._shipped.items(), self._installed.items()):
            if any(other is plugin for other in host.plugins):
                return (kind,)
        return tuple(kind for kind in ALONE if plugin.spec.facts is not None and not _lacking(plugin, kind))

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """What is wrong in the user's folders and with installed plugins."""
        return (*self._own.rejected, *(one for host in self._installed.values() for one in host.rejected))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the user's folders as a whole."""
        found = self._own.findings
        # Without folders of its own the host does not ask the file by which what is shipped may be disabled.
        found += tuple(finding for finding in self._store.look().findings if finding not in found)
        unknown = self._own.unknown
        if not unknown:
            return found
        # What is shipped or installed is disabled by the same file.
        others = {name for host in self._all_others() for name in (*(one.name for one in host.plugins), *host.disabled)}
        elsewhere = [finding for name, finding in unknown.items() if name in others]
        return tuple(finding for finding in found if finding not in elsewhere)

    def _all_others(self) -> Iterator[Host[object]]:
        for kind, host in self._shipped.items():
            yield host
            yield self._entry_points(kind)

    def format_for(self, suffix: str) -> Plugin[object] | None:
        """Return the format whose ``SUFFIXES`` name this suffix, the user's own first; ``None`` where none does."""
        return self._format_that_names("SUFFIXES", suffix, suffix[1:])

    def format_for_scheme(self, scheme: str) -> Plugin[object] | None:
        """Return the format whose ``SCHEMES`` name what an address begins with; ``None`` where none does."""
        return self._format_that_names("SCHEMES", scheme, scheme)

    def suffixes(self) -> list[str]:
        """Return the suffixes of all formats: for who wrote one that none has."""
        formats = chain((one for one in self._own if "format" in self.kinds_of(one)), *self._formats(""))
        named = (plugin.spec.constants.get("SUFFIXES") for plugin in formats)
        return [str(one) for suffixes in named if isinstance(suffixes, (list, tuple)) for one in suffixes]

    def _format_that_names(self, constant: str, wanted: str, likely: str) -> Plugin[object] | None:
        # Asked for the source and the sink, which often have the same.
        key = constant, wanted
        if key not in self._named:
            self._named[key] = self._look_for_format(constant, wanted, likely)
        return self._named[key]

    def _look_for_format(self, constant: str, wanted: str, likely: str) -> Plugin[object] | None:
        mentioning = (plugin for plugin in self._own if _mentions(plugin, constant.encode()))
        own = (plugin for plugin in mentioning if isinstance(self._of_kind(plugin, "format"), Plugin))
        for plugin in chain(own, chain.from_iterable(self._formats(likely))):
            named = plugin.spec.constants.get(constant, ())
            if isinstance(named, (list, tuple)) and wanted in named:
                return plugin
        return None

    def _formats(self, likely: str) -> Iterator[Host[object]]:
        yield self._shipped_alone("format", likely)  # most suffixes are the very name of their format
        yield self._shipped["format"]
        yield self._entry_points("format")


def _class_of(plugin: Plugin[object]) -> str:
    """Return the class that is meant, empty where it is the file: seen by its name, since most are."""
    return plugin.candidate.class_name if ":" in plugin.name else ""


def _lacking(plugin: Plugin[object], kind: Kind) -> tuple[Finding, ...]:
    """Return what keeps a plugin from being of a kind, as far as its source shows it."""
    facts, class_name = plugin.spec.facts, _class_of(plugin)
    if facts is None:
        return ()
    from plugline.discovery.fit import source_findings  # what is shipped, or shows it plainly, is not asked

    return source_findings(ALONE[kind], facts, plugin.place.path, own_only=True, class_name=class_name)


def waits_for_settings(findings: Sequence[Finding]) -> bool:
    """Whether a plugin that could not be loaded by itself has nothing wrong with it: a pipeline is to give it settings."""
    return bool(findings) and all(finding.code == "C102" for finding in findings)


def _mentions(plugin: Plugin[object], word: bytes) -> bool:
    """Whether a word may stand in a plugin's own file: most hold no format, and need no look at what they define."""
    candidate = plugin.candidate
    source = candidate.tree.read(candidate.entry) if isinstance(candidate, FileCandidate) else None
    return not isinstance(source, SourceFile) or word in source.content
