"""The stable handle of one plugin.

States::

    found ──load──▶ loading ──▶ loaded
      │                           (load again gives the same object)
      ├──────load──▶ declined   its available() said no
      └──────load──▶ failed     its code raised, or lacks what the interface asks for

Whatever it is like itself, it may be set aside, and is what it was when that ends::

    disabled                    its user switched it off ──host.enable──▶
    rejected                    what it requires cannot be used ──that can be used again──▶
    quarantined                 too many calls in a row failed ──host.release, host.unload──▶
"""

import sys
from _weakref import ref

from plugline.discovery.recall import NAME, SUMMARY, VERSION
from plugline.host.entries import RememberedEntry
from plugline.typed import TYPE_CHECKING, Generic, Literal, Mapping, TypeVar, cast
from plugline.values import Value

if TYPE_CHECKING:
    # A listing makes a handle of each plugin, and loads, calls and reports none: what does is imported where it is done.
    from plugline.discovery.candidates import Candidate
    from plugline.discovery.known import PluginSpec
    from plugline.dispatch.calls import GuardedFunction, Link
    from plugline.errors import LoadError, PluginRejected, StepFailed
    from plugline.findings import Finding, Place
    from plugline.host.dispatching import Streak
    from plugline.host.entries import Entry, Recalled
    from plugline.host.loader import Loaded, Loader, Outcome
    from plugline.isolation.isolated import IsolatedPlugin
    from plugline.reloading.report import ReloadReport
    from plugline.worker.limits import Sandbox

T_co = TypeVar("T_co", covariant=True)

State = Literal["found", "loading", "loaded", "declined", "failed", "rejected", "disabled", "quarantined"]


_ORDERING = ("requires", "after", "priority")


class Aside(Value):
    """Why a plugin is not used, whatever it is like itself.

    Attributes:
        state: What its state is for as long as that holds.
        findings: The reason.
    """

    __slots__ = ("findings", "state")
    state: Literal["rejected", "disabled", "quarantined"]
    findings: "tuple[Finding, ...]"

    def __init__(self, state: Literal["rejected", "disabled", "quarantined"], findings: "tuple[Finding, ...]") -> None:
        self._set(state=state, findings=findings)

    def error(self, name: str) -> "PluginRejected":
        """Return what to raise when the plugin is asked for."""
        from plugline.errors import PluginDisabled, PluginQuarantined, PluginRejected  # few are

        kinds = {"rejected": PluginRejected, "disabled": PluginDisabled, "quarantined": PluginQuarantined}
        return kinds[self.state](name, self.findings)


class _History:
    """What became of a plugin that was loaded once; a listing has none.

    Attributes:
        functions: What calls it, by method.
        streak: Its failures in a row.
        quarantine: Why it is set aside.
        warnings: That it takes long to load, and of what it did when it was unloaded.
        loading: 0 unless it is being loaded now; else one more than the losses of the lock that who loads it holds,
            so that nobody waits for a thread that a fork left behind.
    """

    __slots__ = ("functions", "loading", "quarantine", "streak", "warnings")

    def __init__(self) -> None:
        self.loading = 0
        self.functions: dict[str, GuardedFunction] = {}
        self.streak: Streak | None = None
        self.quarantine: Aside | None = None
        self.warnings: tuple[Finding, ...] = ()


class Rejected(Value):
    """A candidate that failed a check, or a plugin that failed to load, with everything that is wrong with it.

    Attributes:
        name: What it is or would be called.
        place: Its file.
        findings: At least one.
    """

    __slots__ = ("findings", "name", "place")
    name: str
    place: "Place"
    findings: "tuple[Finding, ...]"

    def __init__(self, name: str, place: "Place", findings: "tuple[Finding, ...]") -> None:
        self._set(name=name, place=place, findings=findings)

    def __str__(self) -> str:
        """Return all findings as people read them."""
        return "\n".join(str(finding) for finding in self.findings)


class Plugin(Generic[T_co]):
    """One plugin of a host, from before it is loaded to the end of the host.

    A handle is what a host program keeps; what :meth:`load` gives may be kept as well.

    Threads: :meth:`load` may be called from several at once; the code runs once.
    """

    __slots__ = (
        "__weakref__",
        "_aside",
        "_default",
        "_generation",
        "_history",
        "_known",
        "_loader",
        "_needs",
        "_outcome",
    )

    def __init__(self, entry: "Entry | Recalled", loader: "Loader") -> None:
        """Made by a host."""
        self._known = entry
        self._loader = loader
        self._outcome: Outcome | None = None
        self._generation = 0
        self._default: object = None  # an instance made without settings, or the error that making it gave
        self._aside: Aside | None = None
        self._history: _History | None = None
        self._needs: tuple[Plugin[object], ...] = ()  # what is loaded before it

    def __repr__(self) -> str:
        return f"<Plugin {self.name!r} {self.state} at {self.place}>"

    def __reduce__(self) -> str:
        message = f"the handle of plugin {self.name!r} cannot be copied or pickled; ask a host for it by its name"
        raise TypeError(message)

    def __str__(self) -> str:
        return f"{self.name} ({self.version})" if self.version is not None else self.name

    @property
    def _entry(self) -> "Entry":
        """What its host knows of it."""
        known = self._known
        if isinstance(known, tuple):
            known = self._known = RememberedEntry(*known)
        return known

    @property
    def spec(self) -> "PluginSpec":
        """All that is known of it without running it."""
        spec = self._entry.spec
        assert spec is not None  # noqa: S101 - only what has a spec becomes a plugin
        return spec

    @property
    def name(self) -> str:
        """What configurations call it."""
        known = self._known
        return known[0][NAME] or "" if isinstance(known, tuple) else known.name

    @property
    def version(self) -> str | None:
        """What it says, ``"built in"`` for a module of the standard library that does not, else ``None``."""
        known = self._known
        return known[0][VERSION] if isinstance(known, tuple) else known.version

    @property
    def summary(self) -> str:
        """One line that says what it does; may be empty."""
        known = self._known
        return known[0][SUMMARY] if isinstance(known, tuple) else known.summary

    @property
    def place(self) -> "Place":
        """Its file."""
        return self._entry.place

    @property
    def state(self) -> State:
        """Where in its life it is."""
        if self._aside is None and self._history is None:
            # As a listing finds a thousand of them, and a program loads them.
            if self._outcome is None:
                return "found"
            if getattr(self._outcome, "is_loaded", False):
                return "loaded"
        aside = self._set_aside
        if aside is not None:
            return aside.state
        if self._outcome is None:
            return "loading" if self._history is not None and self._history.loading else "found"
        if self._success is not None:
            return "loaded"
        return "declined" if self.declined is not None else "failed"

    @property
    def _success(self) -> "Loaded | None":
        """What came of loading it, where that is a plugin."""
        # An import in here would cost more than all else that telling the state of a thousand plugins does.
        return cast("Loaded", self._outcome) if getattr(self._outcome, "is_loaded", False) else None

    @property
    def generation(self) -> int:
        """How many successful loads there were; 0 before the first one."""
        return self._generation

    @property
    def findings(self) -> "tuple[Finding, ...]":
        """What keeps it from being loaded, or, where it needs settings, from being used without them."""
        aside = self._set_aside
        if aside is not None:
            return aside.findings
        failure = self._default_failure
        if failure is not None:
            return failure.findings
        return self._outcome if isinstance(self._outcome, tuple) else ()

    @property
    def warnings(self) -> "tuple[Finding, ...]":
        """What is to be told of it and does not keep it from being used: its file's owner, what it changed while it was loaded."""
        success = self._success
        found = success.warnings if success is not None else self._entry.warnings
        return (*found, *self._history.warnings) if self._history is not None else found

    @property
    def declined(self) -> str | None:
        """Its own reason not to apply here; ``None`` unless its state is ``declined``."""
        if self._outcome is None:
            return None
        from plugline.loading.target import Declined  # the loader has imported it

        return self._outcome.reason if isinstance(self._outcome, Declined) else None

    @property
    def load_seconds(self) -> float | None:
        """How long its code ran while it was loaded; ``None`` before that."""
        success = self._success
        return success.seconds if success is not None else None

    @property
    def read_seconds(self) -> float | None:
        """How long it took to read and check its source, all plugins in it; ``None`` where that was remembered."""
        return self._loader.read_seconds(self._entry)

    @property
    def origin(self) -> str:
        """Where it comes from: its folder or archive, else the distribution that brought it, else its top-level package."""
        return self._entry.origin

    @property
    def candidate(self) -> "Candidate":
        """Where it was found."""
        candidate = self._entry.candidate
        assert candidate is not None  # noqa: S101 - only a candidate becomes a plugin
        return candidate

    @property
    def needs(self) -> "tuple[Plugin[object], ...]":
        """The plugins that it requires, which are loaded before it."""
        return self._needs

    @property
    def path(self) -> str | None:
        """Its file as tracebacks name it; ``None`` for a module without one."""
        return self._loader.path_of(self._entry)

    def load(self, settings: Mapping[str, object] | None = None) -> T_co:
        """Return what provides the interface: the module itself, or an instance of its class.

        The code runs at the first call, after that of the plugins that it requires. Without ``settings`` every call gives
        the same object; with them a class gives a new instance each time.

        Raises:
            LoadError: The code raised or lacks something, or the settings do not fit; asking again gives the same error.
            PluginDeclined: Its ``available()`` said that it does not apply here.
            PluginRejected: It is set aside: a plugin that it requires cannot be used, or it is disabled
                (:class:`~plugline.errors.PluginDisabled`) or in quarantine (:class:`~plugline.errors.PluginQuarantined`).
            StillLoading: Another thread has not come to the end of loading a plugin for two minutes.
        """
        made = self._default
        if settings is None and made is not None and self._set_aside is None and self._default_failure is None:
            return cast(T_co, made)  # as it is most often: there is nothing to wait for
        with self._loader.lock:
            return cast(T_co, self._bound(self._loaded(), settings))

    def allowed(self, limits: "Sandbox") -> "Sandbox":
        """Return what it may touch and use up in a sandbox with these limits: what it declares, as far as it is granted."""
        return self._loader.allowed(self._entry, limits)

    def load_type(self) -> type[T_co]:
        """Return the class that provides the interface, for a host that makes its instances itself.

        Raises:
            LoadError, PluginDeclined, PluginRejected: As :meth:`load`.
            TypeError: It is a module with functions.
        """
        with self._loader.lock:
            value = self._loaded().target.value
        if not isinstance(value, type):
            raise TypeError(f"plugin {self.name!r} is no class")
        return value

    def _loaded(self) -> "Loaded":
        refusal = self.refusal
        if refusal is not None:
            raise refusal
        if self._outcome is None:
            self._load_now()
        success = self._success
        if success is not None:
            return success
        from plugline.errors import LoadError, PluginDeclined  # few plugins fail
        from plugline.loading.target import Declined, Vanished

        match self._outcome:
            case Declined() as declined:
                raise PluginDeclined(self.name, declined.reason)
            case Vanished() as vanished:
                raise LoadError(self.name, vanished.findings)
            case findings:
                raise LoadError(self.name, cast("tuple[Finding, ...]", findings))

    def _load_now(self) -> None:
        history = self._history = self._history if self._history is not None else _History()
        turn = self._loader.lock.losses + 1
        while history.loading == turn:
            if self._loader.lock.stand_back():
                continue  # another thread was loading it, and had to wait for this one
            from plugline.errors import LoadError  # few plugins fail
            from plugline.findings import Finding

            message = "asks for itself, or for one that leads back to it"
            raise LoadError(self.name, (Finding("P311", message, self.place),))
        if self._outcome is not None:
            return
        history.loading, history.warnings = turn, ()
        try:
            missing = self._load_needs(self.spec, self._needs) if self._needs else ()
            self._outcome = missing or self._loader.load(self._entry, self._tell_slow)
        finally:
            history.loading = 0
        success = self._success
        if success is None:
            return
        if success.entry.name == self.name:
            self._known = success.entry  # its file may be newer than the listing
        self._generation += 1
        if self._generation == 1:
            self._loader.handles.append(ref(self))
        else:
            self._loader.dispatching.take_in(self, self._link_if_any)

    def _load_inert(self, loader: "Loader") -> bool:
        """Load it in the quickest way, where it is such a plugin and was never loaded; whether it is ready to be used.

        Args:
            loader: Its own, in the middle of a batch.
        """
        if self._outcome is not None or self._aside is not None or self._history is not None or self._needs:
            return False
        loaded = loader.load_inert(self._entry)
        if loaded is None:
            return False
        self._outcome, self._generation = loaded, 1
        loader.handles.append(ref(self))
        if isinstance(loaded.target.value, type):
            return False  # an instance is to be made
        self._default = loaded.target.value
        return True

    def _tell_slow(self, seconds: float, thread: int) -> None:
        """Take note, in another thread, that it has been loading for so long."""
        from plugline.loading.watching import log_slow, slow_finding  # the loader has imported it

        finding = slow_finding(self.place.path, self.path, seconds, thread)
        assert self._history is not None  # noqa: S101 - it is being loaded
        self._history.warnings = (finding,)
        log_slow(self.name, finding)

    @staticmethod
    def _load_needs(spec: "PluginSpec", needs: "tuple[Plugin[object], ...]") -> "tuple[Finding, ...]":
        """Load what a plugin requires, and return what keeps it from being loaded itself."""
        from plugline.errors import LoadError, PluginDeclined, PluginRejected  # few require another
        from plugline.host.order import unusable_finding

        found = []
        for needed in needs:
            try:
                needed._loaded()  # noqa: SLF001 - another handle of the same host
            except (LoadError, PluginDeclined, PluginRejected):
                found.append(unusable_finding(spec, needed.name, needed._why_unusable))  # noqa: SLF001 - likewise
        return tuple(found)

    @property
    def _why_unusable(self) -> str:
        match self.state:
            case "declined":
                return f"declined: {self.declined}"
            case "quarantined":
                return "is in quarantine"
            case "disabled":
                return "is disabled"
            case _:
                return "could not be loaded"

    # ------------------------------------------------------------------ calls

    @property
    def _set_aside(self) -> Aside | None:
        if self._aside is not None or self._history is None:
            return self._aside
        apart = self._apart
        if apart is not None and apart.history.quarantined:
            return Aside("quarantined", apart.quarantined().findings)
        return self._history.quarantine

    @property
    def _apart(self) -> "IsolatedPlugin | None":
        """The plugin in its worker, where it runs in one."""
        success = self._success
        return self._loader.isolated(success.target.value) if success is not None else None

    @property
    def refusal(self) -> "PluginRejected | None":
        """What asking for it raises because it is set aside; ``None`` as long as it is not."""
        aside = self._set_aside
        return aside.error(self.name) if aside is not None else None

    @property
    def passed_over(self) -> bool:
        """Whether a chain goes on without it: its user does not want it, which is no failure."""
        return self._aside is not None

    @property
    def streak(self) -> "Streak":
        """Its failures in a row."""
        if self._history is None:
            self._history = _History()
        if self._history.streak is None:
            from plugline.host.dispatching import Streak  # a listing calls nothing

            name, dispatching = self.name, self._loader.dispatching
            self._history.streak = Streak(dispatching.limit, lambda: dispatching.renew(name), self._failed_too_often)
        return self._history.streak

    def function(self, method: str) -> "GuardedFunction":
        """Return a function that calls ``method`` of the plugin, loaded now, and names the plugin where that raises.

        Keep it and call it often: it costs hardly more than the call, and leads to the plugin as it is at any time.
        What the plugin raises becomes a :class:`~plugline.StepFailed`, and counts for its quarantine.

        Raises:
            LoadError, PluginDeclined, PluginRejected: As :meth:`load`.
            ValueError: It has no function ``method``.
        """
        known = self._history.functions.get(method) if self._history is not None else None
        if known is not None:
            return known
        with self._loader.lock:
            link = self.link(method)
            assert self._history is not None  # noqa: S101 - it is loaded now
            return self._history.functions.setdefault(method, self._loader.dispatching.one(method, self, link))

    def call(self, method: str, /, *arguments: object, **keywords: object) -> object:
        """Call ``method`` of the plugin, as the function that :meth:`function` returns."""
        return self.function(method)(*arguments, **keywords)

    def link(self, method: str) -> "Link":
        """Return ``method`` of the plugin, loaded now, for :func:`plugline.dispatch.calls.build_chain` and its like.

        Raises:
            LoadError, PluginDeclined, PluginRejected: As :meth:`load`.
            ValueError: It has no function ``method``.
        """
        from plugline.dispatch.calls import Link  # a listing calls nothing

        found = self.load()
        call = getattr(found, method, None)
        if not callable(call):
            from plugline.names import nearest  # a name is wrong

            near = nearest(method, (name for name in dir(found) if callable(getattr(found, name, None))))
            meant = f"did you mean {near!r}? else " if near is not None else ""
            message = f"plugin {self.name!r} has no function {method!r}; {meant}name it in the host's interface"
            raise ValueError(message)  # noqa: TRY004 - the name is wrong, not a type
        members = self._success.target.interface.members if self._success is not None else ()
        shape = next((member.shape for member in members if member.name == method), None)
        if shape is not None and shape.has_options:
            from plugline.contract.shape import fitted  # interfaces may grow, and few have

            call = fitted(call, shape)
        return Link(self.name, call, self.path)

    def _link_if_any(self, method: str) -> "Link | None":
        from plugline.errors import LoadError, PluginDeclined, PluginRejected  # few plugins fail

        try:
            return self.link(method)
        except (LoadError, PluginDeclined, PluginRejected, ValueError):
            return None  # whoever calls it is told

    def _failed_too_often(self, error: "StepFailed") -> None:
        from plugline.findings import Finding, Place  # few plugins fail

        limit = self._loader.dispatching.limit
        said = f"{error.kind}: {error.message}" if error.message else error.kind
        failed = f"{limit} calls in a row failed, the last" if limit != 1 else "a call failed"
        message = f"is in quarantine: {failed} with {said}"
        place = Place(self.place.path, error.line if error.path == self.path else None)
        hint = f"mend it and reload it, or let it go on: host.release({self.name!r})"
        finding = Finding("P310", message, place, hint)
        if self._history is not None:
            self._history.quarantine = Aside("quarantined", (finding,))
        self._loader.dispatching.renew(self.name)
        from plugline.logged import log_warning  # few plugins fail

        log_warning(__name__, "plugin %r is set aside:\n%s", self.name, finding)

    def _call_anew(self) -> None:
        """Let the functions that call it call what is in force now, and forget what it failed with before."""
        self._release()
        if self._loader.is_dispatching:
            self._loader.dispatching.take_in(self, self._link_if_any)

    def _release(self) -> None:
        """Begin to count anew."""
        apart = self._apart
        if apart is not None:
            apart.release()
        if self._history is not None:
            self._history.quarantine = None
            if self._history.streak is not None:
                self._history.streak.length = 0

    # ------------------------------------------------------------------ for its host

    def _unload(self) -> None:
        """Let go of its code: it ends what it began, and its private modules leave ``sys.modules``."""
        if self._success is None:
            return
        made = self._default
        self._loader.dispatching.let_go(self)
        self._outcome, self._default = None, None
        self._release()
        if self._history is None:
            self._history = _History()  # it was loaded in a batch, in the quickest way
        self._history.functions = {}
        self._history.warnings = self._loader.unload(self._entry, made)

    def _settle(self, aside: Aside | None, needs: "tuple[Plugin[object], ...]") -> None:
        """Take note of what other plugins mean for this one; where they kept it from being loaded, it gets another try."""
        self._aside, self._needs = aside, needs
        if isinstance(self._outcome, tuple) and any(finding.code == "P113" for finding in self._outcome):
            self._outcome = None

    def _bound(self, loaded: "Loaded", settings: Mapping[str, object] | None) -> object:
        if settings is not None:
            if not hasattr(settings, "items"):
                raise TypeError(f"settings is {settings!r}, a mapping was expected")
            return self._loader.instance(self._entry, loaded, settings)
        if self._default is None:
            self._default = self._made(loaded)
        failure = self._default_failure
        if failure is not None:
            raise type(failure)(*failure.args)
        return self._default

    def _made(self, loaded: "Loaded") -> object:
        """Return an instance made without settings, or the error that making it gave."""
        value = loaded.target.value
        if not isinstance(value, type) and self._apart is None:
            return value  # a module is its own instance
        from plugline.errors import LoadError

        try:
            return self._loader.instance(self._entry, loaded, {})
        except LoadError as error:
            return error.with_traceback(None)

    @property
    def _default_failure(self) -> "LoadError | None":
        """The error that making an instance without settings gave."""
        if not isinstance(self._default, Exception):
            return None
        from plugline.errors import LoadError

        return self._default if isinstance(self._default, LoadError) else None

    def _renew(self, entry: "Entry", *, anew: bool) -> None:
        """Take note that the host has looked: what is loaded stays, anything else gets another try.

        Args:
            entry: What was found.
            anew: Whether it has looked before; if not, what became of an earlier load stays, whatever it was.
        """
        if self._outcome is not None and (not anew or self._is_none_of(entry)):
            return  # what became of its file since is for a refresh or a reload, as where the look came before the load
        if self._success is not None:
            if self._entry.place == entry.place:
                return
            self._loader.forget(self._entry)
        self._known, self._outcome, self._default = entry, None, None

    def reload(self) -> "ReloadReport":
        """Take the plugin's files as they are now: see :meth:`Host.reload <plugline.Host.reload>`."""
        # What a reload needs is imported when there is one.
        from plugline.host.brisk import brisk

        with brisk, self._loader.lock:
            from plugline.host.reloads import reload_plugins

            return reload_plugins(self._loader, [self])[0]

    def _retry(self) -> None:
        """Take note that a load that failed is to be tried again."""
        if self._success is None:
            self._loader.forget_failures()
            self._outcome = self._default = None

    def _succeed(self, loaded: "Loaded | None") -> None:
        """Take note that another generation is in force: ``None`` where only bodies of functions were replaced."""
        self._generation += 1
        if loaded is None:
            self._call_anew()
            return
        self._outcome = loaded
        if loaded.entry.name == self.name:
            before, after = self.spec, loaded.entry.spec
            if after is not None and any(getattr(before, one) != getattr(after, one) for one in _ORDERING):
                self._loader.appeared.append((loaded.entry, ""))  # the host puts all in order again
            self._known = loaded.entry
        target = loaded.target.value
        # Not isinstance: who answers for the class, as that of a TypedDict does, may raise.
        stays = target in type(self._default).__mro__ if isinstance(target, type) else self._default is target
        if not stays:
            self._default = None
        self._call_anew()

    @property
    def _has_vanished(self) -> bool:
        """Whether running its file showed that it is none, which is told nowhere."""
        from plugline.loading.target import Vanished  # few plugins fail

        return isinstance(self._outcome, Vanished)

    def _is_none_of(self, entry: "Entry") -> bool:
        """Whether it has vanished, and what showed that is loaded as ever."""
        is_none = self._has_vanished and not self._told_elsewhere and self._entry.place == entry.place
        return is_none and self._loader.module_name(self._entry) in sys.modules

    @property
    def _told_elsewhere(self) -> "tuple[Finding, ...]":
        """What keeps its whole file from being loaded, where another plugin in it has that finding."""
        from plugline.loading.target import Vanished  # few plugins fail

        outcome = self._outcome
        return outcome.findings if isinstance(outcome, Vanished) and outcome.whole_file else ()

    @property
    def _is_touched(self) -> bool:
        """Whether there is anything of it that :meth:`_settle` could change."""
        return self._outcome is not None or self._aside is not None or self._needs != ()

    @property
    def _finder(self) -> int:
        return self._entry.finder

    def _forget(self) -> None:
        """Take note that its file is gone: its module leaves ``sys.modules``, what it gave out stays usable."""
        if self._success is not None or self._entry.class_name:
            self._loader.forget(self._entry)

    @property
    def loaded_type(self) -> type | None:
        """The class whose instances provide the interface; ``None`` before it is loaded, and for a module."""
        success = self._success
        target = success.target.value if success is not None else None
        return target if isinstance(target, type) else None
