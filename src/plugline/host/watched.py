"""A host to what a watcher keeps up to date."""

import logging
from collections.abc import Callable, Mapping
from os.path import dirname, join
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugline.admission import LOCK_NAME
from plugline.clock import monotonic_seconds
from plugline.files import digest_of
from plugline.host.brisk import brisk
from plugline.host.loader import Loader
from plugline.host.reloads import (
    Handle,
    load_again,
    moved_modules,
    plugins_beside,
    private_modules,
    reload_modules,
    reload_plugins,
)
from plugline.loading.traces import trace_of
from plugline.reloading.notify import Method
from plugline.reloading.report import ReloadReport
from plugline.reloading.watching import Watcher

if TYPE_CHECKING:
    from plugline.findings import Finding
    from plugline.host.host import Host

_logger = logging.getLogger(__name__)

_OF_LOADS = frozenset(("P103", "P301"))

OnReport = Callable[[ReloadReport], object]


def watch_host(
    host: "Host[Any]", loader: Loader, on_report: OnReport | None, *, method: Method | None, poll_seconds: float
) -> Watcher:
    """Begin to watch a host's files."""
    folders = loader.folders()
    beside = [*host._files(), *(join(dirname(folder), LOCK_NAME) for folder in folders)]  # noqa: SLF001 - it is made by a host
    return Watcher(_HostFiles(host, loader, on_report), folders, beside, method=method, poll_seconds=poll_seconds)


class _HostFiles:
    """See :class:`plugline.reloading.watching.Watched`."""

    def __init__(self, host: "Host[Any]", loader: Loader, on_report: OnReport | None) -> None:
        self._host = host
        self._loader = loader
        self._on_report = on_report
        self._told: dict[str, tuple[object, ...]] = {}  # the last findings of each plugin that is not loaded
        self._known = _findings_of(host)
        self._beside: dict[str, tuple[str, bytes]] = {}  # the digest and the content of what runs elsewhere

    def files(self) -> Mapping[str, bytes]:
        """Return the path and the content of each file that runs."""
        found = {trace.path: trace.content for trace in self._traces().values()}
        for plugin in plugins_beside(self._loader):
            digest, path = plugin.spec.digest, plugin.path
            if path is None or path in found:
                continue
            if self._beside.get(path, ("", b""))[0] != digest:
                content = _content_at(path)
                # What is there is what runs, or an edit, which differs from nothing at all.
                self._beside[path] = (digest, content if digest_of(content).hex() == digest else b"")
            found[path] = self._beside[path][1]
        return found

    def _traces(self) -> dict[str, Any]:
        return {name: trace_of(module) for name, module in private_modules(self._loader).items()}

    def take(self, paths: set[str], *, final: bool) -> bool:
        """Take the files with these paths as they are now."""
        with brisk, self._loader.lock:
            names = [name for name, trace in self._traces().items() if trace.path in paths]
            reports = reload_modules(self._loader, names)
            beside = [plugin for plugin in plugins_beside(self._loader) if plugin.path in paths]
            reports += reload_plugins(self._loader, beside) if beside else []
        good = all(report.ok for report in reports)
        told = [report for report in reports if report.how != "unchanged"]
        # What is taken by one worker and refused by another is a file that runs, and is not tried again.
        if good or final or any(report.ok for report in told):
            for report in told:
                self._tell(report)
        if good and any(one.findings[0].code in _OF_LOADS for one in self._host.rejected):
            self.look_again(set())  # what failed may have been for want of what is there now
        return good

    def look_again(self, gone: set[str]) -> None:
        """Look for files that are new, or that could not be loaded and are others now."""
        with brisk, self._loader.lock:
            start = monotonic_seconds()
            moved = moved_modules(self._loader, gone)
            followed = reload_modules(self._loader, moved) if moved else []
            before: dict[str, Handle] = {plugin.name: plugin for plugin in self._loader.living_handles()}
            wanted = {rejected.name for rejected in self._host.rejected}
            self._host._look_again(gone)  # noqa: SLF001 - it is made by a host
            names = {plugin.name for plugin in self._host}
            reports = [
                ReloadReport(
                    plugin=name, generation=plugin.generation, how="removed", seconds=monotonic_seconds() - start
                )
                for name, plugin in before.items()
                if name not in names and plugin.path in gone
            ]
            reports += [load_again(self._host[name], start) for name in sorted(wanted & names)]
        for report in (*followed, *reports):
            findings = tuple(report.refused)
            if report.how == "removed" or self._told.get(report.plugin) != findings:
                self._told[report.plugin] = findings
                self._tell(report)

    def settle(self) -> None:
        """Tell of plugins that are rejected since the last time, or for something else."""
        found = _findings_of(self._host)
        for name, findings in found.items():
            if findings not in (self._known.get(name), self._told.get(name)):
                self._tell(ReloadReport(plugin=name, generation=0, how="refused", refused=findings))
        self._known = found
        self._told = {name: found[name] for name in self._told.keys() & found.keys()}

    def _tell(self, report: ReloadReport) -> None:
        if self._on_report is None:
            _logger.log(logging.INFO if report.ok else logging.WARNING, "%s", report)
            return
        try:
            self._on_report(report)
        except Exception:
            _logger.exception("the callback of watch() failed; watching goes on")


def _findings_of(host: "Host[Any]") -> "dict[str, tuple[Finding, ...]]":
    return {rejected.name: rejected.findings for rejected in host.rejected}


def _content_at(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
