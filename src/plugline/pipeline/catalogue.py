"""Names in a configuration to plugins: the user's folders first, then what is shipped, then what is installed."""

from collections.abc import Iterator, Sequence
from itertools import chain
from types import TracebackType
from typing import Literal, Self

from plugline.contract.interface import interfaces_of
from plugline.discovery.finders import EntryPoints, Folder, Package
from plugline.discovery.fit import source_findings
from plugline.findings import Finding
from plugline.host.host import Host
from plugline.host.plugin import Plugin, Rejected
from plugline.names import did_you_mean
from plugline.records import Engine, Format, Processor

Kind = Literal["processor", "format", "engine"]
Origin = Literal["folder", "shipped", "installed"]

INTERFACES: dict[Kind, type] = {"processor": Processor, "format": Format, "engine": Engine}
API_VERSION = "1.0"  # of records, the contract that plugins for the tool are written against

# Strings and not imports: what we ship is found as a stranger's plugins are.
_SHIPPED: dict[Kind, str] = {
    "processor": "plugline.processors",
    "format": "plugline.formats",
    "engine": "plugline.engines",
}


class Catalogue:
    """The plugins that a pipeline may name.

    A name leads to a file of that name in one of the folders, or to ``<name>_plugin.py`` or ``<name>_<kind>.py``; then to one
    that plugline ships; then to an entry point of the group ``plugline.processors``, ``plugline.formats`` or
    ``plugline.engines``, which is looked for only then.

    Args:
        folders: Plugin folders; one that is missing is a finding.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._own: Host[object] = Host(
            *(Folder(folder) for folder in folders), interface=tuple(INTERFACES.values()), api_version=API_VERSION
        )
        self._shipped: dict[Kind, Host[object]] = {
            kind: Host(Package(package), interface=(INTERFACES[kind],), api_version=API_VERSION)
            for kind, package in _SHIPPED.items()
        }
        self._installed: dict[Kind, Host[object]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all hosts."""
        for host in (self._own, *self._shipped.values(), *self._installed.values()):
            host.close()

    @property
    def own(self) -> Host[object]:
        """The plugins of the user's folders, of any kind."""
        return self._own

    def find(self, kind: Kind, name: str) -> Plugin[object] | tuple[Finding, ...]:
        """Return the plugin that a configuration means, or what is wrong with what it names."""
        for variant in (name, f"{name}_plugin", f"{name}_{kind}"):
            if variant in self._own:
                return self._of_kind(self._own[variant], kind)
            rejected = [rejected for rejected in self._own.rejected if rejected.name == variant]
            if rejected:
                return tuple(finding for one in rejected for finding in one.findings)
        for host in (self._shipped[kind], self._entry_points(kind)):
            if name in host:
                return host[name]
            for rejected_plugin in host.rejected:
                if rejected_plugin.name == name:
                    return rejected_plugin.findings
        return ()

    def _of_kind(self, plugin: Plugin[object], kind: Kind) -> Plugin[object] | tuple[Finding, ...]:
        facts = plugin.spec.facts
        wrong = (
            source_findings(interfaces_of(INTERFACES[kind]), facts, plugin.place.path, own_only=True)
            if facts is not None
            else ()
        )
        return wrong or plugin

    def _entry_points(self, kind: Kind) -> Host[object]:
        if kind not in self._installed:
            group = EntryPoints(f"plugline.{kind}s")
            self._installed[kind] = Host(group, interface=(INTERFACES[kind],), api_version=API_VERSION)
        return self._installed[kind]

    def unknown(self, kind: Kind, name: str) -> tuple[str, str]:
        """Return message and hint for a name that leads nowhere."""
        known = sorted({plugin.name for _, plugin in self.listing() if kind in self.kinds_of(plugin)})
        return f"no {kind} is named {name!r}", did_you_mean(name, known, kind=f"{kind}s")

    def listing(self) -> Iterator[tuple[Origin, Plugin[object]]]:
        """Yield all plugins that can be named, each with where it comes from."""
        for plugin in self._own:
            yield "folder", plugin
        for kind, host in self._shipped.items():
            for plugin in host:
                yield "shipped", plugin
            for plugin in self._entry_points(kind):
                yield "installed", plugin

    def kinds_of(self, plugin: Plugin[object]) -> tuple[Kind, ...]:
        """Return what a plugin can be used as, as far as its source shows it."""
        for kind, host in (*self._shipped.items(), *self._installed.items()):
            if any(other is plugin for other in host):
                return (kind,)
        facts = plugin.spec.facts
        if facts is None:
            return ()
        return tuple(
            kind
            for kind, interface in INTERFACES.items()
            if not source_findings(interfaces_of(interface), facts, plugin.place.path, own_only=True)
        )

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """What is wrong in the user's folders and with installed plugins."""
        return (*self._own.rejected, *(one for host in self._installed.values() for one in host.rejected))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the user's folders as a whole."""
        return self._own.findings

    def format_for(self, suffix: str) -> Plugin[object] | None:
        """Return the format whose ``SUFFIXES`` name this suffix, the user's own first; ``None`` where none does."""
        candidates = [plugin for plugin in self._own if "format" in self.kinds_of(plugin)]
        candidates += list(self._shipped["format"])
        for plugin in chain(candidates, self._lazily("format")):
            suffixes = plugin.spec.constants.get("SUFFIXES", ())
            if isinstance(suffixes, (list, tuple)) and suffix in suffixes:
                return plugin
        return None

    def _lazily(self, kind: Kind) -> Iterator[Plugin[object]]:
        # A generator, so that entry points are looked for only when what is before them did not fit.
        yield from self._entry_points(kind)
