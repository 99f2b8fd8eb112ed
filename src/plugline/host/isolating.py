"""An admitted plugin to its worker: what of it travels there, and what a host makes of what comes back."""

import os
import sys
from contextlib import suppress
from weakref import finalize

from plugline.contract.interface import Interface
from plugline.contract.version import running_python, runs_here
from plugline.discovery.candidates import FileCandidate, ModuleCandidate
from plugline.discovery.carried import carry
from plugline.discovery.needs import missing_modules
from plugline.discovery.trees import real_path
from plugline.findings import Finding, Place
from plugline.host.entries import Entry
from plugline.imports import require
from plugline.isolation.levels import Confinement, Levels
from plugline.loading.namespace import Namespace, SharedNamespace
from plugline.loading.target import Declined, Target
from plugline.names import shell_word
from plugline.typed import Callable, Mapping, Sequence, TypeGuard
from plugline.worker.limits import Sandbox

require("msgspec", reason="to talk to plugins that run in workers", install="pip install 'plugline[isolation]'")

from plugline.isolation.environments import (  # noqa: E402 - likewise
    Environment,
    Needs,
    find_environment,
    needs_of,
    unsatisfied,
)
from plugline.isolation.isolated import IsolatedPlugin, Unloadable  # noqa: E402 - needs msgspec
from plugline.isolation.process import Pipes, Process, has_workers, start_directly, this_python  # noqa: E402 - likewise
from plugline.isolation.proxies import make_proxy  # noqa: E402 - likewise
from plugline.isolation.zygote import Nursery, ZygoteGone  # noqa: E402 - likewise
from plugline.worker.binding import interface_to_data  # noqa: E402 - likewise
from plugline.worker.loaded import Sent  # noqa: E402 - likewise
from plugline.worker.packing import Unsendable, pack  # noqa: E402 - likewise

Provide = Callable[[str], object]


class Isolator:
    """Runs the plugins of one host that are not to run in its process.

    Args:
        isolation: What the host says, see :data:`plugline.isolation.levels.Isolation`.
        limits: For those of whom that says a level only.
        preload: Names of installed modules that workers have imported before they are asked for.
    """

    def __init__(self, isolation: object, limits: Sandbox | None = None, preload: Sequence[str] = ()) -> None:
        self._levels = Levels(isolation, limits)
        self._preload = preload
        self._nurseries: dict[str, Nursery] = {}  # by interpreter: an environment has a zygote of its own
        self._plugins: dict[tuple[int, str], IsolatedPlugin] = {}
        # A host that nobody holds any more may never have been closed.
        self._finalizer = finalize(self, _kill_all, self._plugins, self._nurseries)

    def confinement_of(self, entry: Entry) -> Confinement | None:
        """Return where a plugin runs; ``None``: in the host's process."""
        return self._levels.of(entry.name)

    def unknown_names(self, known: Sequence[str]) -> tuple[Finding, ...]:
        """Return a finding for each name in what the host says that no plugin has."""
        return tuple(
            Finding("P360", f"isolation names {name!r}, and no plugin is called that", Place("isolation"), hint=hint)
            for name, hint in self._levels.unknown(known)
        )

    def close(self) -> None:
        """End all workers."""
        while self._plugins:
            self._plugins.popitem()[1].close()
        while self._nurseries:
            self._nurseries.popitem()[1].close()

    def _nursery_of(self, environment: Environment | None) -> Nursery:
        key = environment.python if environment is not None else ""
        if key not in self._nurseries:
            self._nurseries[key] = (
                Nursery(this_python(), _import_path(), self._preload)
                if environment is None
                else Nursery(environment.python, [environment.libraries], root=environment.root)
            )
        return self._nurseries[key]

    def forget(self, entry: Entry) -> None:
        """End the worker of a plugin that is gone, or is loaded anew."""
        plugin = self._plugins.pop((entry.finder, entry.name), None)
        if plugin is not None:
            plugin.close()

    def load(
        self,
        entry: Entry,
        confinement: Confinement,
        interfaces: Sequence[Interface],
        *,
        namespace: Namespace | None,
        provide: Provide,
        injected: Mapping[str, object],
        environment: Environment | None = None,
    ) -> Target | Declined | tuple[Finding, ...]:
        """Start a worker and load a plugin in it.

        Args:
            namespace: Its private package; ``None`` for an installed module.
            provide: Gives the checked bytes of a file of its tree, or a finding that speaks against it.
            injected: Names that its modules have before they run.
            environment: Where its dependencies are; ``None`` for the one that runs this program.
        """
        if not has_workers():
            hint = "run it in the host's process if you trust it (isolation = 'none'), or on Linux or macOS"
            return (Finding("P362", "runs in a worker, and there are none on Windows", entry.place, hint),)
        try:
            sent = _sent(entry, interfaces, namespace, provide, injected)
        except Unsendable as error:
            message = f"cannot run in a worker: of the names that its host injects, {error}"
            hint = "inject plain values, or run it in the host's process"
            return (Finding("P361", message, entry.place, hint),)
        self.forget(entry)
        variables = _variables(confinement)
        nursery = self._nursery_of(environment)
        python = environment.python if environment is not None else this_python()
        root = environment.root if environment is not None else None

        def start(pipes: Pipes) -> Process:
            zygote = nursery.find()
            if zygote is not None:
                with suppress(ZygoteGone):
                    return zygote.start(pipes)
            return start_directly(pipes, python=python, environment=variables, root=root)

        logger = namespace.module_name(sent.module) if namespace is not None else sent.module
        plugin = IsolatedPlugin(
            sent,
            interfaces,
            confinement,
            start,
            path=_import_path() if environment is None else [environment.libraries],
            own_path=environment is not None,
            logger=logger,
            environment=variables,
        )
        try:
            plugin.load()
        except Unloadable as error:
            plugin.close()
            return Declined(error.declined) if error.declined is not None else error.findings
        except BaseException:
            plugin.kill()
            raise
        assert plugin.interface is not None  # noqa: S101 - it is loaded
        self._plugins[entry.finder, entry.name] = plugin
        return Target(plugin, plugin.interface)

    def renew(
        self,
        plugin: IsolatedPlugin,
        entry: Entry,
        interfaces: Sequence[Interface],
        *,
        namespace: Namespace,
        provide: Provide,
        injected: Mapping[str, object],
    ) -> bool | tuple[Finding, ...]:
        """Let a new worker take the place of a plugin's, with its files as they are now.

        Returns:
            Whether anything is other than before; findings where the old one goes on because the new one cannot.
        """
        try:
            return plugin.reload(_sent(entry, interfaces, namespace, provide, injected, plugin.alone))
        except Unloadable as error:
            if error.declined is not None:
                return (Finding("P330", f"declined: {error.declined}", entry.place),)
            return error.findings

    @staticmethod
    def has(value: object) -> TypeGuard[IsolatedPlugin]:
        """Whether what provides an interface is a plugin in a worker."""
        return isinstance(value, IsolatedPlugin)

    @staticmethod
    def instance(plugin: IsolatedPlugin, settings: Mapping[str, object]) -> object:
        """Return what stands in the host for an instance of the plugin, made with ``settings``.

        Raises:
            SettingsRefused: They do not fit.
        """
        return make_proxy(plugin, plugin.make(settings))


def _kill_all(plugins: dict[tuple[int, str], IsolatedPlugin], nurseries: dict[str, Nursery]) -> None:
    for plugin in plugins.values():
        plugin.kill()
    for nursery in nurseries.values():
        nursery.close()


def environment_for(entry: Entry) -> Environment | None | tuple[Finding, ...]:
    """Return where a plugin's Python and dependencies are; ``None`` where the environment that runs this program has them.

    Findings where they are nowhere: they are never looked for or installed on this path.
    """
    assert entry.spec is not None  # noqa: S101 - only what has a spec is loaded
    needs = needs_of(entry.spec.dependencies, entry.spec.requires_python, entry.place)
    if not isinstance(needs, Needs):
        return needs
    fits = runs_here(needs.requires_python) if needs.requires_python else True
    lacking = unsatisfied(needs.requirements) if fits else ()
    if fits and not lacking:
        return None
    environment = find_environment(needs)
    if environment is not None:
        return environment
    hint = f"plugline sync {shell_word(entry.place.path)}"
    facts = entry.spec.facts
    if not fits:
        message = f"requires Python {needs.requires_python}, this is {running_python()}"
        return (Finding("P111", message, Place(entry.place.path, entry.spec.block_line), hint),)
    missing = missing_modules(facts, entry.place.path) if facts is not None else ()
    if missing:
        return tuple(Finding(one.code, one.message, one.place, hint) for one in missing)
    message = f"needs {' and '.join(lacking)}"
    return (Finding("P365", message, Place(entry.place.path, facts.block_line if facts is not None else None), hint),)


def _variables(confinement: Confinement) -> dict[str, str]:
    if confinement.level == "process":
        return dict(os.environ)
    names = confinement.limits.env or ()
    return {name: value for name, value in os.environ.items() if name in names or "*" in names}


def _import_path() -> list[str]:
    """Return ``sys.path`` as it means the same in another process."""
    return [os.path.abspath(path) for path in sys.path]


def _sent(
    entry: Entry,
    interfaces: Sequence[Interface],
    namespace: Namespace | None,
    provide: Provide,
    injected: Mapping[str, object],
    alone: str = "",
) -> Sent:
    candidate = entry.candidate
    facts = entry.spec.facts if entry.spec is not None else None
    files: dict[str, bytes] = {}
    refused: dict[str, list[object]] = {}
    path, root, file = entry.place.path, "", ""
    if isinstance(candidate, FileCandidate) and namespace is not None:
        root, file = candidate.tree.real, candidate.entry
        path = real_path(candidate.tree, file)
        for relative in carry(candidate.tree, [file], namespace.name):
            found = provide(relative)
            if isinstance(found, Finding):
                files[relative] = b""
                refused[relative] = [found.code, found.message, found.place.path, found.place.line]
            else:
                files[relative] = found.content  # type: ignore[attr-defined]  # a SourceFile
        pack(dict(injected))  # so that it is known now whether they can cross
    return Sent(
        name=str(entry.name),  # a plain one: types of ours do not cross
        path=path,
        shown=entry.place.path,
        module=candidate.module if candidate is not None else "",
        attribute=candidate.attribute if isinstance(candidate, ModuleCandidate) else "",
        class_name=entry.class_shown(interfaces),
        alone=entry.class_shown(interfaces, ran=True) or alone,
        namespace=namespace.name if namespace is not None else "",
        shared=isinstance(namespace, SharedNamespace),
        entry=file,
        root=root,
        files=files,
        refused=refused,
        injected=dict(injected) if namespace is not None else {},
        bound=sorted(facts.bound) if facts is not None and namespace is not None else None,
        imported=sorted({name for one in facts.imports for name in one.names}) if facts is not None else [],
        interfaces=[interface_to_data(interface) for interface in interfaces],
    )
