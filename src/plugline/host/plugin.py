"""The stable handle of one plugin.

States::

    found ──load──▶ loaded
      │               (load again gives the same object)
      ├──────load──▶ declined   its available() said no
      └──────load──▶ failed     its code raised, or lacks what the interface asks for

    rejected                    a plugin that it requires cannot be used, which its own source does not tell; the host
                                says so when it looks, and takes it back when that plugin can be used again
"""

from _weakref import ref

from plugline.typed import TYPE_CHECKING, Generic, Literal, Mapping, TypeVar, cast
from plugline.values import Value

if TYPE_CHECKING:
    # A listing makes a handle of each plugin, and loads, calls and reports none: what does is imported where it is done.
    from plugline.discovery.candidates import Candidate
    from plugline.discovery.known import PluginSpec
    from plugline.errors import LoadError
    from plugline.findings import Finding, Place
    from plugline.host.entries import Entry
    from plugline.host.loader import Loaded, Loader, Outcome
    from plugline.reloading.report import ReloadReport

T_co = TypeVar("T_co", covariant=True)

State = Literal["found", "loaded", "declined", "failed", "rejected"]


class Aside(Value):
    """Why a plugin is not used, whatever it is like itself.

    Attributes:
        state: What its state is for as long as that holds.
        findings: The reason.
    """

    __slots__ = ("findings", "state")
    state: Literal["rejected"]
    findings: "tuple[Finding, ...]"

    def __init__(self, state: Literal["rejected"], findings: "tuple[Finding, ...]") -> None:
        self._set(state=state, findings=findings)


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

    __slots__ = ("__weakref__", "_aside", "_default", "_entry", "_generation", "_loader", "_needs", "_outcome")

    def __init__(self, entry: "Entry", loader: "Loader") -> None:
        """Made by a host."""
        self._entry = entry
        self._loader = loader
        self._outcome: Outcome | None = None
        self._generation = 0
        self._default: object = None  # an instance made without settings, or the error that making it gave
        self._aside: Aside | None = None
        self._needs: tuple[Plugin[object], ...] = ()  # what is loaded before it

    def __repr__(self) -> str:
        return f"<Plugin {self.name!r} {self.state} at {self.place}>"

    def __str__(self) -> str:
        return f"{self.name} ({self.version})" if self.version is not None else self.name

    @property
    def spec(self) -> "PluginSpec":
        """All that is known of it without running it."""
        spec = self._entry.spec
        assert spec is not None  # noqa: S101 - only what has a spec becomes a plugin
        return spec

    @property
    def name(self) -> str:
        """What configurations call it."""
        return self._entry.name

    @property
    def version(self) -> str | None:
        """What it says, ``"built in"`` for a module of the standard library that does not, else ``None``."""
        return self._entry.version

    @property
    def summary(self) -> str:
        """One line that says what it does; may be empty."""
        return self._entry.summary

    @property
    def place(self) -> "Place":
        """Its file."""
        return self._entry.place

    @property
    def state(self) -> State:
        """Where in its life it is."""
        if self._aside is not None:
            return self._aside.state
        if self._outcome is None:
            return "found"
        if self._success is not None:
            return "loaded"
        return "declined" if self.declined is not None else "failed"

    @property
    def _success(self) -> "Loaded | None":
        """What came of loading it, where that is a plugin."""
        if self._outcome is None:
            return None
        from plugline.host.loader import Loaded  # noqa: PLC0415 - the loader was made to load it

        return self._outcome if isinstance(self._outcome, Loaded) else None

    @property
    def generation(self) -> int:
        """How many successful loads there were; 0 before the first one."""
        return self._generation

    @property
    def findings(self) -> "tuple[Finding, ...]":
        """What keeps it from being loaded, or, where it needs settings, from being used without them."""
        if self._aside is not None:
            return self._aside.findings
        failure = self._default_failure
        if failure is not None:
            return failure.findings
        return self._outcome if isinstance(self._outcome, tuple) else ()

    @property
    def warnings(self) -> "tuple[Finding, ...]":
        """What is to be told of it and does not keep it from being used: its file's owner, what it changed while it was loaded."""
        success = self._success
        return success.warnings if success is not None else self._entry.warnings

    @property
    def declined(self) -> str | None:
        """Its own reason not to apply here; ``None`` unless its state is ``declined``."""
        if self._outcome is None:
            return None
        from plugline.loading.target import Declined  # noqa: PLC0415 - the loader has imported it

        return self._outcome.reason if isinstance(self._outcome, Declined) else None

    @property
    def load_seconds(self) -> float | None:
        """How long its code ran while it was loaded; ``None`` before that."""
        success = self._success
        return success.seconds if success is not None else None

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

        The code runs at the first call, after that of the plugins that it requires. Without ``settings`` every call gives the same object; with them a
        class gives a new instance each time.

        Raises:
            LoadError: The code raised or lacks something, or the settings do not fit; asking again gives the same error.
            PluginDeclined: Its ``available()`` said that it does not apply here.
            PluginRejected: A plugin that it requires cannot be used.
        """
        with self._loader.lock:
            return cast(T_co, self._bound(self._loaded(), settings))

    def load_type(self) -> type[T_co]:
        """Return the class that provides the interface, for a host that makes its instances itself.

        Raises:
            LoadError, PluginDeclined, PluginRejected: As :meth:`load`.
            TypeError: It is a module with functions.
        """
        with self._loader.lock:
            value = self._loaded().target.value
        if not isinstance(value, type):
            message = f"plugin {self.name!r} is no class"
            raise TypeError(message)
        return value

    def _loaded(self) -> "Loaded":
        if self._aside is not None:
            from plugline.errors import PluginRejected  # noqa: PLC0415 - few plugins are

            raise PluginRejected(self.name, self._aside.findings)
        if self._outcome is None:
            self._outcome = (self._load_needs() if self._needs else ()) or self._loader.load(self._entry)
            success = self._success
            if success is not None:
                self._generation += 1
                self._loader.handles.append(ref(self))
                if success.entry.name == self.name:
                    self._entry = success.entry  # its file may be newer than the listing
        success = self._success
        if success is not None:
            return success
        from plugline.errors import LoadError, PluginDeclined  # noqa: PLC0415 - few plugins fail
        from plugline.loading.target import Declined, Vanished  # noqa: PLC0415 - likewise

        match self._outcome:
            case Declined() as declined:
                raise PluginDeclined(self.name, declined.reason)
            case Vanished() as vanished:
                raise LoadError(self.name, vanished.findings)
            case findings:
                raise LoadError(self.name, cast("tuple[Finding, ...]", findings))

    def _load_needs(self) -> "tuple[Finding, ...]":
        """Load what it requires, and return what keeps it from being loaded itself."""
        from plugline.errors import LoadError, PluginDeclined, PluginRejected  # noqa: PLC0415 - few require another
        from plugline.host.order import unusable_finding  # noqa: PLC0415 - likewise

        found = []
        for needed in self._needs:
            try:
                needed._loaded()  # noqa: SLF001 - another handle of the same host
            except (LoadError, PluginDeclined, PluginRejected):
                why = f"declined: {needed.declined}" if needed.state == "declined" else "could not be loaded"
                found.append(unusable_finding(self.spec, needed.name, why))
        return tuple(found)

    def _settle(self, aside: Aside | None, needs: "tuple[Plugin[object], ...]") -> None:
        """Take note of what other plugins mean for this one; where they kept it from being loaded, it gets another try."""
        self._aside, self._needs = aside, needs
        if isinstance(self._outcome, tuple) and any(finding.code == "P113" for finding in self._outcome):
            self._outcome = None

    def _bound(self, loaded: "Loaded", settings: Mapping[str, object] | None) -> object:
        if settings is not None:
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
        if not isinstance(value, type):
            return value  # a module is its own instance
        from plugline.errors import LoadError  # noqa: PLC0415 - see above

        try:
            return self._loader.instance(self._entry, loaded, {})
        except LoadError as error:
            return error.with_traceback(None)

    @property
    def _default_failure(self) -> "LoadError | None":
        """The error that making an instance without settings gave."""
        if not isinstance(self._default, Exception):
            return None
        from plugline.errors import LoadError  # noqa: PLC0415 - see above

        return self._default if isinstance(self._default, LoadError) else None

    def _renew(self, entry: "Entry") -> None:
        """Take note that the host has looked again: what is loaded stays, anything else gets another try."""
        if self._success is not None:
            if self._entry.place == entry.place:
                return
            self._loader.forget(self._entry)
        self._entry, self._outcome, self._default = entry, None, None

    def reload(self) -> "ReloadReport":
        """Take the plugin's files as they are now: see :meth:`Host.reload <plugline.Host.reload>`."""
        # What a reload needs is imported when there is one.
        from plugline.host.reloads import reload_plugins  # noqa: PLC0415

        with self._loader.lock:
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
            return
        self._outcome = loaded
        if loaded.entry.name == self.name:
            self._entry = loaded.entry
        target = loaded.target.value
        stays = isinstance(self._default, target) if isinstance(target, type) else self._default is target
        if not stays:
            self._default = None

    @property
    def _told_elsewhere(self) -> "tuple[Finding, ...]":
        """What keeps its whole file from being loaded, where another plugin in it has that finding."""
        from plugline.loading.target import Vanished  # noqa: PLC0415 - few plugins fail

        outcome = self._outcome
        return outcome.findings if isinstance(outcome, Vanished) and outcome.whole_file else ()

    @property
    def _appeared(self) -> bool:
        """Whether it is a class that only running its file has shown."""
        name, facts = self.candidate.class_name, self.spec.facts
        return name != "" and facts is not None and all(one.name != name for one in facts.classes)

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
