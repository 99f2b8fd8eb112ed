"""One set of plugins of a program."""

import os
from _weakref import ref

from plugline.discovery.folder import Folder, finder_for
from plugline.host.circumstances import Circumstances
from plugline.host.entries import Inspection, as_entry, memories_of, recall_one, recall_places
from plugline.host.holding import PausedCollector
from plugline.host.plugin import Aside, Plugin, Rejected
from plugline.host.waiting import made, waiting_loader
from plugline.typed import (
    TYPE_CHECKING,
    Callable,
    CodeType,
    Generic,
    Iterator,
    Literal,
    Mapping,
    Self,
    Sequence,
    TypeVar,
    overload,
)
from plugline.values import Value

if TYPE_CHECKING:
    # They are made where they are asked for; a listing imports nothing of what judges or calls plugins.
    from plugline.admission.policy import Admitting
    from plugline.discovery.finders import Finder
    from plugline.discovery.known import PluginSpec
    from plugline.dispatch.calls import CallAllFunction, ChainFunction, FirstFunction, Results
    from plugline.errors import LoadError
    from plugline.findings import Finding
    from plugline.host.dispatching import Called
    from plugline.host.entries import Entry
    from plugline.host.isolating import Isolator
    from plugline.host.loader import Judging, Loader
    from plugline.host.store import Kept, Store
    from plugline.isolation.levels import Isolation
    from plugline.reloading.notify import Method
    from plugline.reloading.report import ReloadReport
    from plugline.reloading.watching import Watcher
    from plugline.worker.limits import Sandbox

T_co = TypeVar("T_co", covariant=True)

STORE_NAME = "plugline.toml"
QUARANTINE_AFTER = 10  # a plugin that is broken is soon seen to be, one that meets a few odd values in a row is not


SLOW_LOAD_SECONDS = 10.0  # long beyond any import that somebody would put up with at each start


class _Registry(Value):
    """What a host knows at one moment; replaced as a whole, never edited."""

    __slots__ = ("disabled", "findings", "inspection", "plugins", "unknown")
    inspection: Inspection
    plugins: dict[str, Plugin]  # type: ignore[type-arg]  # in the order in which they are used
    disabled: "Mapping[str, Finding]"
    findings: "tuple[Finding, ...]"
    unknown: "Mapping[str, Finding]"

    def __init__(
        self,
        inspection: Inspection,
        plugins: dict[str, Plugin],  # type: ignore[type-arg]
        disabled: "Mapping[str, Finding]",
        findings: "tuple[Finding, ...]",
        unknown: "Mapping[str, Finding]",
    ) -> None:
        self._set(inspection=inspection, plugins=plugins, disabled=disabled, findings=findings, unknown=unknown)


class Host(Generic[T_co]):
    """The plugins of a program: found, inspected, checked and loaded on use.

    A host never raises because of one plugin: what is wrong with it is kept, as data, in :attr:`rejected`,
    and its neighbours go on. Nothing is looked at before the first use, and nothing is run before a plugin is
    loaded, be it by :meth:`Plugin.load <plugline.Plugin.load>`, :meth:`chain` or :meth:`call_all`.

    Pickles of what plugins define can be loaded wherever a host for the same folder is open.

    Args:
        places: Folders, paths of single files, or finders such as :class:`plugline.Package`. Where two hold plugins
            of one name, the first place wins and the other plugin is rejected.
        interface: What a plugin must provide: a :class:`typing.Protocol`, a base class, a list of names of functions,
            a tuple of the former of which one is enough, or ``None``: any module. Several classes of a file that provide
            it are several plugins, ``file:Class``.
        api_version: What the host offers to plugins that state a ``REQUIRED_API_VERSION``.
        namespace: The private package under which a folder's plugins are registered in ``sys.modules``; by
            default it has the folder's name, with a number after it if that is taken. The empty string puts them at the top
            level instead, each under its own name, for plugins that import themselves as installed packages do; one whose
            name is somebody else's is rejected.
        policy: Who may be loaded: :class:`plugline.Policy`, or an object of your own with its methods. Without one a
            file that any user could have written is refused, and so is what differs from a ``plugline.lock`` beside
            the folder.

        package: A real package of the host's below which the plugins stand instead, so that ``from ..utils import x`` in
            one reaches the host. The package stays as it is: a plugin whose name it has gets a number in its module's name.
        inject: Names that the modules of dropped files have before they run. Installed modules do not get them.
        store: Where it is kept which plugins are disabled: a file, where a bare name (``plugline.toml``, the default) is
            beside each plugin folder; an object with the methods of :class:`plugline.host.store.Store`; or ``None``, for this
            host alone.
        plugins: ``False`` leaves all plugins out: a safe mode, in which they can still be looked at and disabled.
        only: Names of the plugins to use, with what they require; all others are left out.
        quarantine_after: After how many failed calls in a row, through :meth:`chain`, :meth:`call_all`, :meth:`first` and
            :meth:`Plugin.function <plugline.Plugin.function>`, a plugin is set aside; ``None`` for never.
        slow_load_seconds: How long a plugin may be loading before its host warns, as ``P307`` among the plugin's warnings and
            in the log; ``None`` for any time. Nothing is stopped: where a plugin may hang, isolate it.
        compiler: What makes code of the bytes and the path of a dropped file, for a host that changes it on the way, as
            pytest does with ``assert``; by default :func:`compile`.
        isolation: Where plugins run: ``"none"``, in this process, for code that is trusted; ``"process"``, each in a
            worker, so that a crash or a hang costs one call; ``"sandbox"``, and it touches only what it was granted.
            Or the :class:`~plugline.worker.limits.Sandbox` itself, or a mapping of plugins' names to either, with
            ``"*"`` for every other.
        limits: What workers may use up (and, in sandboxes, touch), where ``isolation`` says a level only.
        preload: Names of installed modules, such as ``"numpy"``, that a process imports once and all workers have.

    Raises:
        ValueError: ``namespace`` is taken, or is no dotted name; ``package`` is none, or is given together with it; a name
            to inject is no identifier; ``compiler`` is given together with ``isolation``; ``api_version`` is no version; there is no such level of isolation.
        TypeError: A place, the interface, the isolation or another argument is of none of these kinds.
        ModuleMissing: Plugins are to be isolated, and msgspec is not installed.

    Threads: may be used from several at once.
    """

    @overload
    def __init__(
        self: "Host[object]",
        *places: "str | os.PathLike[str] | Finder",
        interface: Sequence[str] | tuple[type, ...] | None = None,
        api_version: str | None = None,
        namespace: str | None = None,
        policy: "Admitting | None" = None,
        package: str | None = None,
        inject: Mapping[str, object] | None = None,
        compiler: Callable[[bytes, str], CodeType] | None = None,
        store: "Store | str | os.PathLike[str] | None" = STORE_NAME,
        plugins: bool = True,
        only: Sequence[str] | None = None,
        quarantine_after: int | None = QUARANTINE_AFTER,
        slow_load_seconds: float | None = SLOW_LOAD_SECONDS,
        isolation: "Isolation" = "none",
        limits: "Sandbox | None" = None,
        preload: Sequence[str] = (),
    ) -> None: ...

    @overload
    def __init__(
        self,
        *places: "str | os.PathLike[str] | Finder",
        # Callable and not type: mypy refuses a protocol or an abstract class for type[T_co].
        interface: Callable[..., T_co],
        api_version: str | None = None,
        namespace: str | None = None,
        policy: "Admitting | None" = None,
        package: str | None = None,
        inject: Mapping[str, object] | None = None,
        compiler: Callable[[bytes, str], CodeType] | None = None,
        store: "Store | str | os.PathLike[str] | None" = STORE_NAME,
        plugins: bool = True,
        only: Sequence[str] | None = None,
        quarantine_after: int | None = QUARANTINE_AFTER,
        slow_load_seconds: float | None = SLOW_LOAD_SECONDS,
        isolation: "Isolation" = "none",
        limits: "Sandbox | None" = None,
        preload: Sequence[str] = (),
    ) -> None: ...

    def __init__(
        self,
        *places: "str | os.PathLike[str] | Finder",
        interface: object = None,
        api_version: str | None = None,
        namespace: str | None = None,
        policy: "Admitting | None" = None,
        package: str | None = None,
        inject: Mapping[str, object] | None = None,
        compiler: Callable[[bytes, str], CodeType] | None = None,
        store: "Store | str | os.PathLike[str] | None" = STORE_NAME,
        plugins: bool = True,
        only: Sequence[str] | None = None,
        quarantine_after: int | None = QUARANTINE_AFTER,
        slow_load_seconds: float | None = SLOW_LOAD_SECONDS,
        isolation: "Isolation" = "none",
        limits: "Sandbox | None" = None,
        preload: Sequence[str] = (),
    ) -> None:
        if api_version is not None:
            _check_api_version(api_version)
        if package is not None and namespace is not None:
            message = f"package {package!r} and namespace {namespace!r} were given, at most one was expected"
            raise ValueError(message)
        check_names(inject or {})
        _check_kinds(namespace, policy, store, compiler, quarantine_after, slow_load_seconds)
        if quarantine_after is not None and quarantine_after < 1:
            message = f"quarantine_after is {quarantine_after!r}, 1 or more was expected, or None for never"
            raise ValueError(message)
        if not isinstance(plugins, bool):
            message = f"plugins is {plugins!r}, True or False was expected; only=[...] names those to use"  # type: ignore[unreachable]
            raise TypeError(message)
        self._wants = plugins, _names_of(only)
        self._isolator: Isolator | None = None
        if isolation != "none" or limits is not None:
            if compiler is not None:
                message = (
                    "compiler and isolation were given, at most one was expected: workers compile files as they are"
                )
                raise ValueError(message)
            from plugline.host.isolating import Isolator as Apart  # most hosts have no workers

            self._isolator = Apart(isolation, limits, _names_of(preload, "preload") or ())
        self._finders = tuple(finder_for(place) for place in places)
        self._around = Circumstances(interface, api_version, policy)
        self._memories = memories_of(self._finders)
        self._is_followed = False
        # What stands at the top level takes its name before anything is loaded, and that of others is refused.
        self._finds_early = namespace != ""
        this = ref(self)
        self._loader = waiting_loader(
            self._finders,
            self._around,
            namespace,
            memories=self._memories,
            package=package,
            injected=inject,
            compiler=compiler,
            quarantine_after=quarantine_after,
            slow_load_seconds=slow_load_seconds,
            isolator=self._isolator,
            required=lambda spec: () if (host := this()) is None else host._load_required(spec),  # noqa: SLF001 - itself
        )
        self._given_store = store
        self._store: Store | None = None
        self._all: dict[str, CallAllFunction] = {}
        self._first: dict[str, FirstFunction] = {}
        self._registry: _Registry | None = None
        self._early: dict[str, Plugin[T_co]] = {}  # asked for by name before anything was listed
        self._appeared: set[str] = set()  # names of classes that only running their files has shown

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Host({', '.join(repr(finder) for finder in self._finders)})"

    def __reduce__(self) -> str:
        message = "a host cannot be copied or pickled; make one of the same folders where it is needed"
        raise TypeError(message)

    def close(self) -> None:
        """Let go of all plugins: their private modules leave ``sys.modules``. What they gave out stays usable."""
        self._loader.close()

    def refresh(self) -> None:
        """Look at all places again.

        New plugins appear and deleted ones go. A plugin that is still there keeps its handle and, if it is loaded,
        its code; one that declined or failed to load gets another try.
        """
        self._look_again(None)

    def _look_again(self, deleted: "set[str] | None") -> None:
        """Look at all places again; of plugins that are loaded, only those with these files go, ``None`` for any."""
        with self._loader.lock, PausedCollector():
            self._refresh(deleted)

    def _refresh(self, deleted: "set[str] | None") -> None:
        old = self._registry.plugins if self._registry is not None else self._early
        self._around.renew()
        plugins: dict[str, Plugin[T_co]] = {}
        inspection = recall_places(self._finders, self._around, self._memories)
        if inspection is None:
            from plugline.host.registry import inspect_places  # most often all is remembered

            inspection = inspect_places(self._finders, self._around, self._memories)
        inspection = self._loader.expect(inspection)
        self._loader.appeared.clear()
        gone = old.keys() - inspection.accepted.keys()
        entries = map(as_entry, inspection.accepted.values()) if gone else ()
        files = {(entry.finder, entry.place.path): entry.digest for entry in entries}
        used = [old[name] for name in old.keys() - gone if old[name].generation] if gone else []
        in_use = {(plugin._finder, plugin.place.path) for plugin in used}  # noqa: SLF001 - a host owns its handles
        for name in gone:
            place = (old[name]._finder, old[name].place.path)  # noqa: SLF001 - likewise
            if deleted is not None and old[name].generation and old[name].path not in deleted:
                plugins[name] = old[name]  # an editor is about to put it back
            elif name in self._appeared and place in files and self._may_appear(old[name], inspection):
                plugins[name] = old[name]
            elif place not in in_use and files.get(place) != old[name]._entry.digest:  # noqa: SLF001 - likewise
                old[name]._forget()  # noqa: SLF001 - likewise
        loader = self._loader
        if old:
            is_first = self._registry is None
            for name, found in inspection.accepted.items():
                known = old.get(name)
                if known is not None:
                    known._renew(as_entry(found), anew=not is_first)  # noqa: SLF001 - likewise
                    plugins[name] = known
                else:
                    plugins[name] = Plugin(found, loader)
        else:
            plugins = {name: Plugin(found, loader) for name, found in inspection.accepted.items()}
        # What was accepted has its handles now.
        inspection = Inspection({}, inspection.rejected, inspection.findings, is_ordered=inspection.is_ordered)
        before = self._states_of(old)
        self._registry = self._settled(inspection, plugins)
        self._let_functions_know(before)
        if self._is_followed:
            self._loader.tell()

    def _may_appear(self, plugin: Plugin[T_co], inspection: Inspection) -> bool:
        """Whether a class that running its file has shown may still be one that its text does not show."""
        from plugline.discovery.fit import may_be_module  # few classes appear

        name, interfaces, file = plugin.candidate.class_name, self._around.interfaces, _file_of(plugin)
        entries = map(as_entry, inspection.accepted.values())
        beside = [one for one in entries if (one.finder, one.place.path) == file]
        facts = beside[0].spec.facts if beside and beside[0].spec is not None else None
        if facts is None or facts.dynamic or name not in facts.bound:
            return facts is not None and facts.dynamic
        shown = [one.class_shown(interfaces) for one in beside]
        own_only = self._finders[file[0]].tree is not None
        return name not in shown and not may_be_module(interfaces, facts, file[1] or "", own_only=own_only)

    def _states_of(self, plugins: "Mapping[str, Plugin[T_co]]") -> dict[str, str] | None:
        """Return what functions that were built have to follow; ``None`` where there are none."""
        return {name: plugin.state for name, plugin in plugins.items()} if self._loader.is_dispatching else None

    def _let_functions_know(self, before: "Mapping[str, str] | None") -> None:
        """Let functions that were built follow a look at all places.

        Args:
            before: The states that plugins had before it, by their names; ``None`` where there are no functions.
        """
        if before is None:
            return
        changed = []
        for plugin in self.plugins:
            if plugin.name not in before:
                self._loader.dispatching.let_go(plugin)  # it may have the name of one that was there once
            elif (before[plugin.name] in _ASIDE) != (plugin.state in _ASIDE):
                changed.append(plugin)
        self._let_functions_follow(changed)

    def _settled(self, inspection: Inspection, plugins: dict[str, Plugin[T_co]]) -> _Registry:
        """Put plugins in order, and set those aside that are not wanted, or whose requirements cannot be met."""
        self._all, self._first = {}, {}
        kept = self._kept()
        wants_all = kept is None and self._wants == (True, None)
        if wants_all and not inspection.is_ordered:
            if self._registry is None and not self._early:
                return _Registry(inspection, plugins, {}, inspection.findings, {})  # all are new, and in order
            for plugin in plugins.values():
                if plugin._is_touched:  # noqa: SLF001 - a host owns its handles
                    plugin._settle(None, ())  # noqa: SLF001 - likewise
            in_order = {name: plugins[name] for name in sorted(plugins)}
            return _Registry(inspection, in_order, {}, inspection.findings, {})
        # Few plugins say anything of others, and few are disabled.
        from plugline.host.aside import Disabled, find_disabled
        from plugline.host.order import put_in_order

        specs = {name: plugin.spec for name, plugin in plugins.items()}
        places = {name: entry.place for name, entry in inspection.rejected}
        disabled = Disabled({}, {}) if wants_all else find_disabled(specs, places, kept, *self._wants)
        unusable = {name: "was rejected" for name, _ in inspection.rejected if name not in plugins}
        unusable.update(dict.fromkeys(disabled.plugins, "is disabled"))
        wanted = {name: spec for name, spec in specs.items() if name not in disabled.plugins}
        order = put_in_order(wanted, unusable, lambda: _carried(plugins))
        for name, plugin in plugins.items():
            aside = None
            if name in disabled.plugins:
                aside = Aside("disabled", (disabled.plugins[name],))
            elif name in order.findings:
                aside = Aside("rejected", order.findings[name])
            plugin._settle(aside, tuple(plugins[one] for one in order.needs.get(name, ())))  # noqa: SLF001 - likewise
        names = (*order.names, *sorted(plugins.keys() - set(order.names)))
        findings = (*inspection.findings, *(kept.findings if kept is not None else ()))
        in_order = {name: plugins[name] for name in names}
        return _Registry(inspection, in_order, disabled.plugins, findings, disabled.unknown)

    def _kept(self) -> "Kept | None":
        """Return what the store says; ``None`` where it says nothing."""
        if self._store is None and isinstance(self._given_store, str) and not any(map(os.path.lexists, self._files())):
            return None
        from plugline.host.store import look_into  # most hosts have nothing disabled

        kept = look_into(self._stored())
        return kept if kept.names or kept.findings else None

    def _loading_many(self) -> "Loader":
        """Return what makes loading several plugins cheaper, between its ``__enter__`` and its ``__exit__``."""
        return made(self._loader)

    def _read_ahead(self) -> None:
        """Have all at hand that is remembered of sources, for who is going to ask for most of it."""
        self._look()
        for memory in self._memories.values():
            memory.read_all_code()

    def _files(self) -> list[str]:
        """Return the files that the store would be in."""
        name = self._given_store
        if not isinstance(name, (str, os.PathLike)):
            return []
        name = os.fspath(name)
        if os.path.basename(name) != name:
            return [os.path.abspath(name)]
        folders = [folder for folder in map(_folder_of, self._finders) if folder is not None]
        return [os.path.join(os.path.dirname(folder), name) for folder in folders]

    def _stored(self) -> "Store":
        if self._store is None:
            from plugline.host.store import store_for

            self._store = store_for(self._given_store, self._files())
        return self._store

    def _look(self) -> _Registry:
        if self._registry is None:
            with self._loader.lock:
                if self._registry is None:
                    # One that was asked for by its name, and is loaded, stays: it is not for a first look to unload it.
                    self._look_again(set())
        assert self._registry is not None  # noqa: S101 - refresh has set it
        if self._loader.appeared:
            with self._loader.lock:
                self._registry = self._with_appeared(self._registry)
        return self._registry

    def _with_appeared(self, registry: _Registry) -> _Registry:
        """Add the classes that running their files has shown, but for those that are known by now."""
        known = {
            (plugin._finder, plugin.place.path, name)  # noqa: SLF001 - a host owns its handles
            for plugin in registry.plugins.values()
            for name in (plugin.candidate.class_name, getattr(plugin.loaded_type, "__name__", ""))
        }
        plugins = dict(registry.plugins)
        self._all, self._first = {}, {}
        is_ordered_anew = False
        while self._loader.appeared:
            beside, class_name = self._loader.appeared.pop()
            where = (beside.finder, beside.place.path, class_name)
            is_ordered_anew |= not class_name
            if where in known or not class_name:
                continue
            known.add(where)
            from plugline.host.registry import entry_beside  # what a file's text shows is known already

            entry = entry_beside(beside, class_name)
            if entry.name not in plugins:
                plugins[entry.name] = Plugin(entry, self._loader)
                self._appeared.add(entry.name)
        if len(plugins) == len(registry.plugins) and not is_ordered_anew:
            return registry
        before = registry.inspection
        return self._settled(Inspection({}, before.rejected, before.findings, is_ordered=True), plugins)

    def reload(self, name: str) -> "ReloadReport":
        """Take the files of a plugin as they are now: its own, and those of the same folder that it imports.

        It is a transaction: what fails before the end (a syntax error, an exception, an interface that is not met, a
        policy that says no) leaves the generation that is in force exactly as it was. Where only bodies of functions
        were edited, they are replaced and nothing is run. Otherwise what was edited, and what imports it, is run
        beside what is in force, and takes its place: whoever holds a function, a class or an instance of the plugin holds the
        new one. Calls that are running finish on the code that they began with. Of several classes of a file, one that
        is gone from it is removed.

        A plugin that was not loaded yet, or could not be, is loaded.

        Returns:
            What was done, as data and, by ``str()``, as a line for people. A reload that was refused is a report too.

        Raises:
            UnknownPlugin: There is none of this name.

        Threads: may be called from any; other reloads and loads of this host wait.
        """
        from plugline.host.brisk import brisk  # see Plugin.reload

        with brisk, self._loader.lock:
            from plugline.host.reloads import reload_plugins

            plugin = self._look().plugins.get(name)
            if plugin is None or plugin.state == "rejected":
                # It may be another one than it was when it was looked at, or be new.
                self.refresh()
                plugin = self._look().plugins.get(name) or self._of_class(name)
            if plugin is None:
                return self._not_reloaded(name)
            report = reload_plugins(self._loader, [plugin])[0]
            self._look()  # it may require others now
            return report

    def follow(self, follower: Callable[[], object], *, judge: "Judging | None" = None) -> Callable[[], None]:
        """Have a function called whenever plugins came, went, were reloaded, enabled or disabled; return what ends that.

        For programs that hand plugins on to a dispatch of their own. It is called in the thread that made the change, after
        it, while other changes wait; what it raises passes to who made the change.

        Args:
            follower: The function.
            judge: Asked before a version of a plugin that ran anew is put in force: gets the plugin, and the module or class
                that is to provide the interface, and returns the findings that speak against it. With any, the reload is
                refused and all is as it was; what it raises refuses it too. It keeps nothing of what it gets.
        """
        with self._loader.lock:
            self._is_followed = True
            self._loader.follow(follower, judge)

        def stop() -> None:
            with self._loader.lock:
                self._loader.unfollow(follower, judge)

        return stop

    def watch(
        self,
        on_report: "Callable[[ReloadReport], object] | None" = None,
        *,
        method: "Method | None" = None,
        poll_seconds: float = 0.5,
    ) -> "Watcher":
        """Reload plugins as their files are saved, until the watcher that is returned is stopped.

        It begins at once, in a thread of its own, and ends with ``stop()`` or, used in a ``with`` statement, with that::

            with host.watch(print):
                serve()

        What is loaded is reloaded, whatever way an editor saves it; a helper that plugins share reloads all that import it.
        A plugin that could not be loaded is tried again when its file changes. One whose file is deleted is unloaded. New files
        are found, and loaded when somebody uses them; one that is rejected is told. What is in an archive is not watched: :meth:`reload` takes it as it is.

        Args:
            on_report: Gets the report of each reload, in the watcher's thread. What it raises is told to the log.
            method: How changes are heard of: ``"inotify"`` on Linux, ``"watchfiles"`` where it is installed,
                ``"polling"``. By default the first of these that there is.
            poll_seconds: How often the files are looked at besides, which is what finds changes on network drives.

        Raises:
            ValueError: There is no such method here, or ``poll_seconds`` is not above 0.
        """
        from plugline.host.watched import watch_host  # for those who watch

        if not poll_seconds > 0:
            message = f"poll_seconds is {poll_seconds!r}, a number above 0 was expected"
            raise ValueError(message)

        self._look()
        return watch_host(self, self._loader, on_report, method=method, poll_seconds=poll_seconds)

    def _not_reloaded(self, name: str) -> "ReloadReport":
        from plugline.errors import PluginRejected
        from plugline.reloading.report import ReloadReport  # see Plugin.reload

        try:
            self[name]
        except PluginRejected as error:
            return ReloadReport(plugin=name, generation=0, how="refused", refused=error.findings)
        raise AssertionError(name)  # it was not there a moment ago, and the lock is held

    def __iter__(self) -> Iterator[Plugin[T_co]]:
        """Yield the plugins that no check rejected and no load has failed, in the order in which they are used.

        That is after what they require and what they ask to come after, then by ``priority``, then by name.
        """
        return iter(
            [
                plugin
                for plugin in self._look().plugins.values()
                # Most were never loaded, nor set aside, which is told at a glance; asking for a state takes thrice as long.
                if (plugin._outcome is None and plugin._aside is None and plugin._history is None)  # noqa: SLF001 - a host owns its handles
                or plugin.state not in _UNUSABLE
            ]
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        plugin = self._look().plugins.get(_composed(name)) if isinstance(name, str) else None
        return plugin is not None and plugin.state not in _UNUSABLE

    def __getitem__(self, name: str) -> Plugin[T_co]:
        """Return the plugin of this name, be it disabled or in quarantine: its ``state`` says so, and ``load()`` raises.

        Raises:
            UnknownPlugin: There is none; names the nearest and the known ones.
            PluginRejected: There is one, but it failed a check or its load; carries all findings. A
                :class:`~plugline.errors.PluginDisabled` where it is disabled besides.
        """
        if not isinstance(name, str):
            message = f"{name!r} is no plugin's name, a string was expected"  # type: ignore[unreachable]
            raise TypeError(message)
        name = _composed(name)
        # One that was asked for before is there at once: another thread may be loading it, and may be long about it.
        early = (self._early.get(name) or self._find_early(name)) if self._registry is None else None
        if early is not None and early.state != "failed":
            return early
        registry = self._look()
        plugin = registry.plugins.get(name)
        if plugin is None or (plugin.state == "failed" and plugin._has_vanished):  # noqa: SLF001 - a host owns its handles
            plugin = self._of_class(name) or plugin
        if plugin is not None and plugin.state not in ("failed", "rejected"):
            return plugin
        findings = tuple(
            finding for rejected in self.rejected if rejected.name == name for finding in rejected.findings
        )
        if not findings and plugin is not None:
            findings = plugin._told_elsewhere  # noqa: SLF001 - a host owns its handles
        from plugline.errors import PluginDisabled, PluginRejected, UnknownPlugin

        if plugin is None and name in registry.disabled:
            raise PluginDisabled(name, (registry.disabled[name],))
        if findings:
            raise PluginRejected(name, findings)
        from plugline.names import did_you_mean  # for a message

        known = sorted(one for one, other in registry.plugins.items() if not other._has_vanished)  # noqa: SLF001 - likewise
        hint = did_you_mean(name, known, kind="plugins")
        # Mostly a relative path, and another current folder than was thought of, or a group that is misspelt.
        if not known and self._finders:
            hint = f"there are none in {', '.join(map(repr, self._finders))}"
            hint += "".join(f"; {finding.place}: {finding.message}" for finding in registry.findings)
            hint += f"; host.rejected has {len(self.rejected)}" if self.rejected else ""
        raise UnknownPlugin(name, known, hint)

    def _find_early(self, name: str) -> Plugin[T_co] | None:
        """Return one plugin without looking at the others, where its place remembers it and comes before all others."""
        with self._loader.lock:
            if self._registry is not None or 0 not in self._memories or not self._finds_early:
                return None
            if self._wants != (True, None) or self._kept() is not None:
                return None
            if name not in self._early:
                entry = recall_one(name, self._around, self._memories[0])
                if entry is None:
                    return None
                self._early[name] = Plugin(entry, self._loader)
            return self._early[name]

    def _of_class(self, name: str) -> Plugin[T_co] | None:
        """Find a class by a name that it has not: by ``file:Class`` or by its file's name, as far as that is clear.

        Runs the file where only that tells.
        """
        file, _, class_name = name.rpartition(":")
        plugin = self._look().plugins.get(file)
        if plugin is not None:
            shown = plugin._entry.class_shown(self._around.interfaces)  # noqa: SLF001 - a host owns its handles
            if shown != class_name:
                self._try_load(plugin, instances=False)
            apart = plugin._apart  # noqa: SLF001 - a host owns its handles
            shown = apart.alone if apart is not None else shown
            if getattr(plugin.loaded_type, "__name__", shown) == class_name:
                return plugin
            found = self._look().plugins.get(name)
            # One that is the only class of its file is that class, whatever it is called.
            may_be_other = self._isolator is not None and (apart is None or shown)
            return self._of_worker(plugin, class_name) if found is None and may_be_other else found
        for one in self._classes_of(name):
            self._try_load(one, instances=False)
        left = [one for one in self._classes_of(name) if one.state not in _UNUSABLE]
        return left[0] if len(left) == 1 else None

    def _of_worker(self, beside: Plugin[T_co], class_name: str) -> Plugin[T_co] | None:
        """Find a class that running its file in a worker may show, of which no other worker tells."""
        from plugline.errors import LoadError, PluginDeclined  # few ask
        from plugline.host.registry import entry_beside

        plugin: Plugin[T_co] = Plugin(entry_beside(beside._entry, class_name), self._loader)  # noqa: SLF001 - a host owns its handles
        try:
            plugin._loaded()  # noqa: SLF001 - likewise
        except (LoadError, PluginDeclined):
            return None
        with self._loader.lock:
            registry = self._look()
            self._registry = self._settled(registry.inspection, {**registry.plugins, plugin.name: plugin})
            self._appeared.add(plugin.name)
        return plugin

    def _classes_of(self, file: str) -> list[Plugin[T_co]]:
        plugins = self._look().plugins.values()
        return [one for one in plugins if one.candidate.class_name and one.name == f"{file}:{one.candidate.class_name}"]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the plugins that it yields."""
        return tuple(plugin.name for plugin in self)

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """Candidates that failed a check and are not disabled, in the order of their places, then plugins that failed to load."""
        registry = self._look()
        checked = [
            (entry.finder, _rejected(name, entry))
            for name, entry in registry.inspection.rejected
            if name not in registry.disabled
        ]
        loaded = []
        for plugin in registry.plugins.values():
            if not plugin.findings or plugin.state in ("disabled", "quarantined"):
                continue
            rejected = Rejected(plugin.name, plugin.place, plugin.findings)
            if plugin.state == "rejected":
                checked.append((plugin._finder, rejected))  # noqa: SLF001 - a host owns its handles
            else:
                loaded.append(rejected)
        checked.sort(key=lambda one: (one[0], str(one[1].place)))
        return (*(rejected for _, rejected in checked), *loaded)

    @property
    def findings(self) -> "tuple[Finding, ...]":
        """What is wrong with places as a whole, such as a folder that is not there or a ``plugline.toml`` that cannot be read."""
        registry = self._look()
        isolator = self._isolator
        unknown = isolator.unknown_names(list(registry.plugins)) if isolator is not None else ()
        return (*registry.findings, *registry.unknown.values(), *unknown)

    @property
    def declined(self) -> dict[str, str]:
        """The reason of each plugin that said itself that it does not apply here, by name."""
        return {plugin.name: plugin.declined for plugin in self._look().plugins.values() if plugin.declined is not None}

    @property
    def plugins(self) -> "tuple[Plugin[T_co], ...]":
        """The handles of all plugins that no check of their own rejected, whatever their state, in their order.

        Those that can be used come first. For showing them; who wants to use them iterates over the host.
        """
        return tuple(self._look().plugins.values())

    @property
    def disabled(self) -> dict[str, Rejected]:
        """The plugins that are not to be used, by name, each with where that is said: those too that a check rejected."""
        registry = self._look()
        places = {name: entry.place for name, entry in registry.inspection.rejected}
        places.update((name, plugin.place) for name, plugin in registry.plugins.items())
        return {name: Rejected(name, places[name], (finding,)) for name, finding in registry.disabled.items()}

    @property
    def unknown(self) -> "dict[str, Finding]":
        """The names that are disabled, or asked for by ``only=``, and that no plugin has; their findings are in :attr:`findings`."""
        return dict(self._look().unknown)

    @property
    def quarantined(self) -> "dict[str, tuple[Finding, ...]]":
        """The plugins that failed too often, by name, with what they failed with last."""
        return {plugin.name: plugin.findings for plugin in self.plugins if plugin.state == "quarantined"}

    # ------------------------------------------------------------------ what is used

    def disable(self, name: str) -> None:
        """Use a plugin no more, and keep that in the host's store.

        It stays listed, and what it gave out stays usable; functions of the host leave it out from the next call on.
        Plugins that require it cannot be used either. A name that no plugin has is kept too, and told in :attr:`findings`.

        Raises:
            ConfigurationError: The store's file cannot be understood or written.
        """
        self._set_disabled(name, disabled=True)

    def enable(self, name: str) -> None:
        """Use a plugin again that was disabled; it is loaded where a function of the host calls it.

        The name of a file means all of its classes. Where that is disabled, enabling one of them leaves the others so.

        Raises:
            ConfigurationError: The store's file cannot be understood or written.
        """
        self._set_disabled(name, disabled=False)

    def _set_disabled(self, name: str, *, disabled: bool) -> None:
        from plugline.host.aside import switch

        with self._loader.lock:
            registry = self._look()
            known = registry.plugins.get(name)
            finder = known._finder if known is not None else 0  # noqa: SLF001 - a host owns its handles
            tree = self._finders[finder].tree if self._finders else None
            beside = tree.real if tree is not None else None
            switch(self._stored(), name, registry.plugins, disabled=disabled, beside=beside)
            before = {name: plugin.state for name, plugin in registry.plugins.items()}
            self._registry = self._settled(registry.inspection, registry.plugins)
            self._let_functions_follow([plugin for plugin in self.plugins if plugin.state != before[plugin.name]])
            if self._is_followed:
                self._loader.tell()

    def _let_functions_follow(self, changed: "Sequence[Plugin[T_co]]") -> None:
        """Let functions that were built leave out plugins that are set aside now, and call those that are so no more."""
        for plugin in changed:
            self._loader.dispatching.renew(plugin.name)
            if plugin.state not in _UNUSABLE:
                # Chains call it again, or for the first time.
                order = tuple(self._look().plugins)
                self._loader.dispatching.take_in(plugin, plugin._link_if_any, order)  # noqa: SLF001 - a host owns its handles

    def release(self, name: str) -> None:
        """Let a plugin go on that is in quarantine; its failures are counted anew.

        Raises:
            UnknownPlugin, PluginRejected: As :meth:`__getitem__`.
        """
        with self._loader.lock:
            plugin = self[name]
            plugin._release()  # noqa: SLF001 - a host owns its handles
            self._all, self._first = {}, {}
            self._loader.dispatching.renew(name)

    def unload(self, name: str) -> None:
        """Let go of a plugin's code, and of that of the plugins that require it, which go first.

        Its ``on_unload()`` is called, where the module or the instance has one; its modules leave ``sys.modules``. Other
        classes of its file go with it. What it gave out stays usable, and whatever uses the plugin loads it again.

        Raises:
            UnknownPlugin, PluginRejected: As :meth:`__getitem__`.
        """
        with self._loader.lock:
            wanted = self[name]
            self._all, self._first = {}, {}
            going = more = {wanted}
            plugins = [one for one in self._look().plugins.values() if one._outcome is not None or one is wanted]  # noqa: SLF001 - a host owns its handles
            while more:
                files = {_file_of(one) for one in more}
                more = {
                    one
                    for one in plugins
                    if one not in going and (_file_of(one) in files or not more.isdisjoint(one.needs))
                }
                going = going | more
            for plugin in reversed(plugins):
                if plugin in going:
                    plugin._unload()  # noqa: SLF001 - likewise

    def load_all(self, *, instances: bool = True) -> list[Plugin[T_co]]:
        """Load every plugin and return those that could be, in their order. The others are in :attr:`rejected` and :attr:`declined`.

        Args:
            instances: Whether plugins that are classes are made an instance of, too; a host that does so
                itself takes :meth:`Plugin.load_type <plugline.Plugin.load_type>`.
        """
        loaded: set[Plugin[T_co]] = set()
        tried: set[Plugin[T_co]] = set()
        with self._loader.lock, PausedCollector(), self._loader:
            loader = made(self._loader)
            new = list(self)
            while new:
                registry = self._registry
                tried.update(new)
                for plugin in new:
                    # A host owns its handles.
                    if plugin._load_inert(loader) or self._try_load(plugin, instances=instances):  # noqa: SLF001
                        loaded.add(plugin)
                # Running a file may show classes that its source did not, and may have the folder looked at again.
                changed = bool(loader.appeared) or self._registry is not registry
                new = [plugin for plugin in self if plugin not in tried] if changed else []
        return [plugin for plugin in self if plugin in loaded]

    def _try_load(self, plugin: Plugin[T_co], *, instances: bool = True) -> bool:
        from plugline.errors import LoadError, PluginDeclined, PluginRejected

        known = plugin.findings
        try:
            if instances:
                plugin.load()
            else:
                plugin._loaded()  # noqa: SLF001 - a host owns its handles
        except (PluginDeclined, PluginRejected):
            return False
        except LoadError as error:
            # A class that turned out to be no plugin has none; its neighbours in the file are.
            if plugin.findings and not known:
                _log_left_out(error)
            return False
        return True

    def chain(
        self, method: str, *, on_error: Literal["raise", "skip"] = "raise", only: Sequence[str] | None = None
    ) -> "ChainFunction":
        """Return a function that passes a value through ``method`` of all plugins, in their order.

        All of them are loaded now. One that cannot be is left out, is in :attr:`rejected`, and is told to the
        log as a warning. It keeps to these plugins: those that come later, or go with their files, are in, or out of, the
        next chain that is built. :meth:`call_all` and :meth:`first` ask those that are there.

        Args:
            method: The name of a function of the interface. Where the interface says that it takes more than one
                argument, the chain takes them too, and gives all but the first to each plugin as they are.
            on_error: ``"raise"`` ends the call with :class:`~plugline.StepFailed`, which names the plugin; ``"skip"``
                hands on the value from before the plugin that failed and keeps the error in the function's ``errors``.
            only: Names of the plugins to use, in this order.

        Raises:
            UnknownPlugin, PluginRejected, LoadError, PluginDeclined: A plugin in ``only`` cannot be used.
            ValueError: A plugin has no function ``method``.
        """
        called = self._called(method, only)
        shapes = [one.shape for interface in self._around.interfaces for one in interface.members if one.name == method]
        more = any(shape is not None and shape.takes_more for shape in shapes)
        return self._loader.dispatching.chain(method, called, on_error, of_all=only is None, more=more)

    def call_all(self, method: str, /, *arguments: object, **keywords: object) -> "Results":
        """Call ``method`` of every plugin with the same arguments, and return results and errors by name, in their order.

        What one raises does not keep the others from being called.
        """
        function = self._all.get(method)
        if function is None or self._loader.appeared:
            with self._loader.lock:
                function = self._loader.dispatching.call_all(method, self._called(method, None))
                self._all[method] = function
        return function(*arguments, **keywords)

    def first(self, method: str, /, *arguments: object, **keywords: object) -> object:
        """Call ``method`` of the plugins in their order until one returns something other than ``None``.

        Raises:
            StepFailed: A plugin raised before one had an answer.
        """
        function = self._first.get(method)
        if function is None or self._loader.appeared:
            with self._loader.lock:
                function = self._loader.dispatching.first(method, self._called(method, None))
                self._first[method] = function
        return function(*arguments, **keywords)

    def _load_required(self, spec: "PluginSpec") -> "tuple[Finding, ...]":
        """Load what an edited plugin requires, of which the listing knows nothing yet."""
        needs = tuple(
            plugin
            for name, plugin in (self._look().plugins.items() if spec.requires else ())
            if not {name, name.rpartition(":")[0]}.isdisjoint(spec.requires) and plugin.place.path != spec.place.path
        )
        return Plugin._load_needs(spec, needs)  # noqa: SLF001 - a host owns its handles

    def _called(self, method: str, only: Sequence[str] | None) -> "list[Called]":
        from plugline.host.dispatching import loading_link  # a listing calls nothing

        names = _names_of(only)
        if names is not None:
            return [(plugin, plugin.link(method)) for plugin in [self[name] for name in names]]
        usable = self.load_all()
        interfaces = self._around.interfaces
        if len(interfaces) > 1 and any(one.asks_for(method) for one in interfaces):
            # It is of some of them: who provides another one need not have it.
            lacking = {plugin for plugin in usable if not callable(getattr(plugin.load(), method, None))}
        else:
            lacking = set()
        loaded = {plugin.name for plugin in usable}
        # What is in quarantine has its place: who releases it need not build anything again.
        return [
            (plugin, plugin.link(method) if plugin.name in loaded else loading_link(plugin, method))
            for plugin in self.plugins
            if plugin not in lacking and (plugin.name in loaded or plugin.state == "quarantined")
        ]


def _folder_of(finder: "Finder") -> str | None:
    """Return the folder on disk that a finder looks into, ``None`` where there is none."""
    if type(finder) is Folder:
        return finder.real
    from plugline.discovery.trees import DiskTree  # a folder knows that without its files

    return finder.tree.real if isinstance(finder.tree, DiskTree) else None


_ASIDE = ("rejected", "disabled")  # the states in which chains go on without a plugin
_UNUSABLE = ("failed", "rejected", "disabled", "quarantined")  # the states in which a plugin cannot be used


def _file_of(plugin: Plugin[object]) -> tuple[int, str | None]:
    return plugin._finder, plugin.place.path  # noqa: SLF001 - a host owns its handles


def _check_api_version(offered: object) -> None:
    """Check what a host offers, as :func:`plugline.contract.version.check_api_version` does, whose first case is here."""
    if isinstance(offered, str) and len(offered) < 10 and offered.isascii():
        parts = offered.split(".", 1)
        if all(part.isdigit() for part in parts):
            return  # "1.2", as nearly all hosts say
    from plugline.contract.version import check_api_version  # for the others, and for messages

    check_api_version(offered)


def _carried(plugins: Mapping[str, Plugin[object]]) -> set[str]:
    """Return the plugins that travel as data: what they require was looked for where they were packed."""
    from plugline.discovery.candidates import FileCandidate  # for plugins that say what they require
    from plugline.discovery.trees import MemoryTree

    found = set()
    for name, plugin in plugins.items():
        candidate = plugin.candidate
        if isinstance(candidate, FileCandidate) and isinstance(candidate.tree, MemoryTree):
            found.add(name)
    return found


def check_names(names: Mapping[str, object]) -> None:
    """Check the names that a host gives to its plugins.

    Raises:
        ValueError: One of them is not what a variable may be called.
    """
    from plugline.names import OF_EACH_MODULE  # few hosts inject any

    for name in names:
        # A statement that assigns to it cannot be compiled for a keyword; the module keyword is one import more.
        try:
            compile(f"{name} = 0", "", "exec")
        except SyntaxError:
            fits = False
        else:
            fits = name.isidentifier() and name not in OF_EACH_MODULE and name != "__doc__"
        if not fits:
            message = f"{name!r} cannot be injected, the name of a variable was expected, and none that each module has"
            raise ValueError(message)


def _rejected(name: str, entry: "Entry") -> Rejected:
    return Rejected(name, entry.place, entry.findings)


def _log_left_out(error: "LoadError") -> None:
    from plugline.logged import log_warning  # few plugins fail

    log_warning(__name__, "left out: %s", error)


def _check_kinds(
    namespace: object, policy: object, store: object, compiler: object, failures: object, seconds: object
) -> None:
    """Refuse what would only be found out where a plugin is loaded.

    Raises:
        TypeError: As it says.
    """
    if namespace is not None and not isinstance(namespace, str):
        message = f"namespace is {namespace!r}, a dotted name was expected"
        raise TypeError(message)
    lacking = None if policy is None else _lacking(policy, ("admit", "admit_file", "lock", "strict"))
    if lacking is not None:
        message = f"policy is {policy!r}{lacking}, plugline.Policy(...) was expected, or an object with its methods"
        raise TypeError(message)
    is_path = store is None or isinstance(store, (str, os.PathLike))
    lacking = None if is_path else _lacking(store, ("disabled", "set_disabled"))
    if lacking is not None:
        message = (
            f"store is {store!r}{lacking}, the path of a file was expected, or an object with the methods of a Store"
        )
        raise TypeError(message)
    if compiler is not None and not callable(compiler):
        message = f"compiler is {compiler!r}, a function of bytes and a path was expected"
        raise TypeError(message)
    for name, number, kind in (("quarantine_after", failures, int), ("slow_load_seconds", seconds, (int, float))):
        if number is not None and not isinstance(number, kind):
            message = f"{name} is {number!r}, a {'whole ' if kind is int else ''}number was expected, or None for never"
            raise TypeError(message)


def _lacking(given: object, names: tuple[str, ...]) -> str | None:
    """Return what to add to a message about an object without one of these attributes; ``None`` for one that has all."""
    if isinstance(given, type):
        return ""
    lacking = [name for name in names if not hasattr(given, name)]
    if not lacking:
        return None
    return f", which has no {' and no '.join(map(repr, lacking))}" if len(lacking) < len(names) else ""


def _names_of(only: Sequence[str] | None, what: str = "only") -> tuple[str, ...] | None:
    """Return the names that were asked for, be it by what yields them once.

    Raises:
        TypeError: It would be taken letter by letter, or holds what is no name.
    """
    if only is None:
        return None
    if isinstance(only, str):
        message = f"{what}={only!r} is a string, a list of names was expected: {what}=[{only!r}]"
        raise TypeError(message)
    names = tuple(only)
    for name in names:
        if not isinstance(name, str):
            message = f"{what}={names!r} holds {name!r}, a list of names was expected"  # type: ignore[unreachable]
            raise TypeError(message)
    return names


def _composed(name: str) -> str:
    if name.isascii():
        return name
    from plugline.names import composed  # few names need it

    return composed(name)
