"""A host's plugins in a program that dispatches by pluggy: datasette, llm, tox, and pytest's own kind.

::

    attachment = plugline.integrations.pluggy.attach(host, plugin_manager)

Plugins are validated against the program's hook specifications before anything of them is registered: a plugin is registered with all
of its hooks, or refused with a finding. A new version that they refuse is not put in force: the reload is refused, and the old
version goes on. After a reload a plugin's hooks are the new ones, in the place in the order of calls that the old ones had; what is
gone is unregistered.
"""

import contextlib
from collections.abc import Callable
from typing import Any, Self

from pluggy import HookCaller, HookImpl, PluginManager

from plugline.blame import describe_error
from plugline.errors import PluglineError
from plugline.findings import Finding, Place
from plugline.host import Host, Plugin
from plugline.host.waiting import made
from plugline.names import did_you_mean


class _Trial(PluginManager):
    """A manager of the same specifications, in which to register costs nothing."""

    def __init__(self, real: PluginManager) -> None:
        super().__init__(real.project_name)
        self._real = real
        namespaces = []
        for caller in callers_of(real):
            namespace = caller.spec.namespace if caller.spec is not None else None
            if namespace is not None and namespace not in namespaces:
                namespaces.append(namespace)
        for namespace in namespaces:
            self.add_hookspecs(namespace)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        return self._real.parse_hookimpl_opts(plugin, name)

    def parse_hookspec_opts(self, module_or_class: Any, name: str) -> Any:
        return self._real.parse_hookspec_opts(module_or_class, name)


def callers_of(manager: PluginManager) -> list[HookCaller]:
    """Return all hooks of a manager."""
    return [caller for caller in vars(manager.hook).values() if isinstance(caller, HookCaller)]


class Attachment:
    """The plugins of one host in one plugin manager.

    Attributes:
        findings: Why plugins of the host are not registered, or not in the version that their files have now, as of the last
            :meth:`sync`. What the host itself rejected is in :attr:`plugline.Host.rejected`.
    """

    def __init__(self, host: Host[Any], manager: PluginManager) -> None:
        self.findings: tuple[Finding, ...] = ()
        self._host = host
        self._manager = manager
        self._registered: dict[str, object] = {}
        self._refused: dict[str, tuple[Finding, frozenset[str] | None]] = {}  # with the modules that were edited
        self._stop: Callable[[], None] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The plugins that are registered, in the order in which they were."""
        return tuple(self._registered)

    def sync(self) -> Self:
        """Bring the manager to what the host has now.

        Called by itself after each reload, refresh, and change of what is enabled; a hook that is being called goes on as it
        began.
        """
        wanted: dict[str, object] = {}
        places: dict[str, Place] = {}
        for plugin in self._host:
            if plugin.name not in self._registered and self._manager.is_blocked(plugin.name):
                continue
            with contextlib.suppress(PluglineError):  # the host keeps why
                wanted[plugin.name] = plugin.load()
                places[plugin.name] = plugin.place
        for name in [name for name in self._registered if wanted.get(name) is not self._registered[name]]:
            self._manager.unregister(self._registered.pop(name))
        findings = []
        for name, module in wanted.items():
            finding = self._take(name, module, places[name])
            if finding is not None:
                findings.append(finding)
                if name in self._registered:
                    # The specifications are others than when it was registered, or it is another module.
                    self._manager.unregister(self._registered.pop(name))
        self._settle_refused()
        self.findings = (*findings, *(finding for finding, _ in self._refused.values()))
        return self

    def judge(self, plugin: Plugin[Any], value: object) -> tuple[Finding, ...]:
        """Return what the specifications have against a new version of a plugin that is registered; see :meth:`plugline.Host.follow`."""
        self._refused.pop(plugin.name, None)
        if plugin.name not in self._registered:
            return ()
        tried = self._try(plugin.name, value, plugin.place)
        if isinstance(tried, _Trial):
            return ()
        finding = Finding(tried.code, tried.message, tried.place, hint="mend it; the version before it goes on")
        self._refused[plugin.name] = finding, None
        return (finding,)

    def _settle_refused(self) -> None:
        """Forget refusals of versions that nobody's files have any more."""
        edited = self._edited() if self._refused else frozenset()
        for name, (finding, modules) in list(self._refused.items()):
            if name not in self._registered or (modules is not None and modules.isdisjoint(edited)):
                del self._refused[name]
            elif modules is None:
                self._refused[name] = finding, edited

    def _edited(self) -> frozenset[str]:
        """Return the host's modules whose files are not what runs."""
        from plugline.host.reloads import private_modules  # a reload has imported it

        found = []
        for name, module in private_modules(made(self._host._loader)).items():  # noqa: SLF001 - as a host does
            loader = module.__dict__["__loader__"]
            source = loader.namespace.tree.read(loader.relative)
            if isinstance(source, Finding) or source.content != loader.trace.content:
                found.append(name)
        return frozenset(found)

    def _take(self, name: str, plugin: object, place: Place) -> Finding | None:
        known = name in self._registered
        if not known and self._manager.has_plugin(name):
            message = f"is named {name!r}, as is a plugin that the program has already"
            return Finding("P404", message, place, hint="rename its file, or remove the other one")
        tried = self._try(name, plugin, place)
        if isinstance(tried, Finding):
            return tried
        try:
            if known:
                self._exchange(plugin, tried)
            else:
                self._manager.register(plugin, name)
                self._registered[name] = plugin
        except Exception as error:  # noqa: BLE001 - of a hook that is called at once, as those are that are told of the past
            if not known and self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
            return Finding("P404", f"raised {describe_error(error, place.path).said} as it was registered", place)
        return None

    def _try(self, name: str, plugin: object, place: Place) -> _Trial | Finding:
        """Register a plugin where that costs nothing; returns where, or why it cannot be registered."""
        trial = _Trial(self._manager)
        try:
            trial.register(plugin, name)
            self._check_known(trial)
        except Exception as error:  # noqa: BLE001 - whatever pluggy says of it, or the plugin's own attributes raise
            text = describe_error(error, place.path)
            return Finding("P404", f"is refused by pluggy: {text.message}", place)
        return trial

    def _check_known(self, trial: _Trial) -> None:
        """Refuse a hook that the program does not have, as pluggy's own ``check_pending`` does; say which is near."""
        known = [caller.name for caller in callers_of(self._manager) if caller.has_spec()]
        for caller in callers_of(trial):
            if not caller.has_spec() and any(not impl.optionalhook for impl in caller.get_hookimpls()):
                message = f"unknown hook {caller.name!r}"
                hint = did_you_mean(caller.name, known, kind="hooks")
                raise LookupError(f"{message}; {hint}" if hint else message)

    def _exchange(self, plugin: object, trial: _Trial) -> None:
        """Put the hooks of a plugin's new generation where those of the old one are."""
        new = {caller.name: caller.get_hookimpls() for caller in callers_of(trial)}
        for caller in callers_of(self._manager):
            old = [impl for impl in caller.get_hookimpls() if impl.plugin is plugin]
            fresh = [impl for impl in new.pop(caller.name, []) if impl.plugin is plugin]
            if [_kind(impl) for impl in old] == [_kind(impl) for impl in fresh]:
                # In place and at once: who calls meanwhile calls the old one or the new one. Of pluggy's own, as its
                # registration knows no position; the list has been called that since 0.7.
                implementations: list[HookImpl] = caller._hookimpls  # noqa: SLF001 - see above
                implementations[:] = [fresh[0] if fresh and impl.plugin is plugin else impl for impl in implementations]
                continue
            for _ in old:
                caller._remove_plugin(plugin)  # noqa: SLF001 - likewise; unregister would take all of its hooks
            for impl in fresh:
                caller._add_hookimpl(impl)  # noqa: SLF001 - likewise
                self._put_in_order(caller._hookimpls, _kind(impl))  # noqa: SLF001 - likewise
                if not old:
                    caller._maybe_apply_history(impl)  # noqa: SLF001 - likewise
        if any(new.values()):
            # A hook that the manager has not met before, without a specification: let pluggy make its caller.
            name = self._manager.get_name(plugin)
            self._manager.unregister(plugin)
            self._manager.register(plugin, name)

    def _put_in_order(self, implementations: list[HookImpl], kind: tuple[object, ...]) -> None:
        """Bring hooks of one kind to the order in which their plugins were registered, as pluggy has them then."""
        order = {id(plugin): number for number, (_, plugin) in enumerate(self._manager.list_name_plugin())}
        places = [number for number, impl in enumerate(implementations) if _kind(impl) == kind]
        alike = sorted((implementations[number] for number in places), key=lambda impl: order.get(id(impl.plugin), -1))
        if any(impl.trylast for impl in alike):
            alike.reverse()
        ordered = dict(enumerate(implementations)) | dict(zip(places, alike, strict=True))
        implementations[:] = ordered.values()  # at once: others may be calling

    def detach(self) -> None:
        """Unregister all of them, and follow the host no more."""
        if self._stop is not None:
            self._stop()
            self._stop = None
        for plugin in self._registered.values():
            self._manager.unregister(plugin)
        self._registered.clear()


def _kind(impl: HookImpl) -> tuple[object, ...]:
    return impl.wrapper, impl.hookwrapper, impl.tryfirst, impl.trylast


def attach(host: Host[Any], plugin_manager: PluginManager) -> Attachment:
    """Register a host's plugins with a plugin manager, now and as they change.

    Args:
        host: Its interface is best left out: the program's hook specifications are the interface.
        plugin_manager: The program's own. A name that it blocks is left out.

    Returns:
        What is registered, and what is refused and why.
    """
    attachment = Attachment(host, plugin_manager).sync()
    attachment._stop = host.follow(attachment.sync, judge=attachment.judge)  # noqa: SLF001 - made here
    return attachment
