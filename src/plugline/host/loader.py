"""An accepted entry to a loaded plugin, through the private packages of one host."""

import sys
import threading
from collections.abc import Mapping, Sequence

from plugline.admission.policy import Gate, declared_permissions
from plugline.clock import monotonic_seconds
from plugline.contract.interface import Interface
from plugline.contract.permissions import NOTHING, Permissions
from plugline.discovery.candidates import FileCandidate, ModuleCandidate
from plugline.discovery.finders import Finder
from plugline.discovery.spec import read_file
from plugline.discovery.trees import real_path
from plugline.errors import NameMissing, SettingsRefused
from plugline.files import SourceFile
from plugline.findings import Finding, Place
from plugline.host.registry import Entry, Inspection, admitted, check_read
from plugline.imports import import_object
from plugline.loading.binding import Declined, Target, ask_available, find_target
from plugline.loading.namespace import Namespace, release, reserve
from plugline.loading.patches import Snapshot
from plugline.loading.running import run_module
from plugline.values import Value


class Loaded(Value):
    """A plugin whose code was run and which provides the interface.

    Attributes:
        entry: What was run; newer than what was listed where the file had changed since.
        target: What of it provides the interface.
        seconds: How long running it took.
        warnings: What is to be told of how it was loaded.
    """

    __slots__ = ("entry", "seconds", "target", "warnings")
    entry: Entry
    target: Target
    seconds: float
    warnings: tuple[Finding, ...]

    def __init__(self, entry: Entry, target: Target, seconds: float, warnings: tuple[Finding, ...] = ()) -> None:
        self._set(entry=entry, target=target, seconds=seconds, warnings=warnings)


class Loader:
    """Runs plugins for one host.

    Threads: one load at a time, under :attr:`lock`, which is re-entrant so that a plugin may ask for another one.
    """

    def __init__(
        self,
        finders: Sequence[Finder],
        interfaces: Sequence[Interface],
        api_version: str | None,
        namespace: str | None,
        gate: Gate | None = None,
    ) -> None:
        """Reserve the private packages.

        Raises:
            ValueError: ``namespace`` is taken.
        """
        self.lock = threading.RLock()
        self._interfaces = interfaces
        self._api_version = api_version
        self._staged: dict[tuple[str, str], SourceFile] = {}
        self._refused: dict[tuple[str, str], Finding] = {}
        self._namespaces: dict[int, Namespace] = {}
        self._gate = gate
        self._declared: dict[tuple[str, str], Permissions] = {}  # of packages, by namespace and folder
        for index, finder in enumerate(finders):
            wanted = namespace or finder.namespace
            if wanted is not None and finder.tree is not None:
                exact = namespace is not None and not self._namespaces
                self._namespaces[index] = reserve(wanted, finder.tree, self, exact=exact)

    def close(self) -> None:
        """Give the private packages back."""
        for namespace in self._namespaces.values():
            release(namespace)
        self._namespaces.clear()

    def expect(self, inspection: Inspection) -> None:
        """Take note of what was found: odd file names, and files that may not be run."""
        self._refused = {}
        for entry in inspection.accepted.values():
            if isinstance(entry.candidate, FileCandidate) and entry.finder in self._namespaces:
                self._namespaces[entry.finder].stems[entry.candidate.module] = entry.candidate.entry
        for _, entry in inspection.rejected:
            if isinstance(entry.candidate, FileCandidate) and entry.finder in self._namespaces:
                key = (self._namespaces[entry.finder].name, entry.candidate.entry)
                self._refused[key] = entry.findings[0]

    def provide(self, namespace: Namespace, relative: str) -> SourceFile | Finding:
        """See :class:`plugline.loading.namespace.Provider`."""
        key = (namespace.name, relative)
        staged = self._staged.get(key)
        if staged is not None:
            return staged
        return self._refused.get(key) or self._neighbour(namespace, relative)

    def _neighbour(self, namespace: Namespace, relative: str) -> SourceFile | Finding:
        """Read a file that is no plugin that is being loaded: its bytes are admitted as they will be run."""
        source = namespace.tree.read(relative)
        if isinstance(source, Finding) or self._gate is None:
            return source
        declared = self._declared.get((namespace.name, relative.partition("/")[0]), NOTHING)
        found = self._gate.admit_file(namespace.tree, relative, source, declared)
        return next((finding for finding in found if finding.is_error), source)

    def path_of(self, entry: Entry) -> str | None:
        """Return the file as tracebacks name it."""
        match entry.candidate:
            case FileCandidate() as candidate:
                return real_path(candidate.tree, candidate.entry)
            case _:
                path = entry.place.path
                return path if path.endswith(".py") else None

    def module_name(self, entry: Entry) -> str:
        """Return the full name of the entry's module in ``sys.modules``."""
        assert entry.spec is not None  # noqa: S101 - only what has a spec becomes a plugin
        namespace = self._namespaces.get(entry.finder)
        return namespace.module_name(entry.spec.module) if namespace is not None else entry.spec.module

    def load(self, entry: Entry) -> Loaded | Declined | tuple[Finding, ...]:
        """Run a plugin and bind it, or say everything that keeps it from being a plugin. Leaves nothing of a failure."""
        if not isinstance(entry.candidate, FileCandidate):
            return self._load(entry)
        snapshot = Snapshot()
        patched: tuple[Finding, ...] = ()
        try:
            outcome = self._load(entry)
        finally:
            patched = snapshot.undo(self.module_name(entry), Place(entry.place.path))
        if isinstance(outcome, Loaded):
            return Loaded(outcome.entry, outcome.target, outcome.seconds, (*outcome.entry.warnings, *patched))
        return (*outcome, *patched) if isinstance(outcome, tuple) else outcome

    def _load(self, entry: Entry) -> Loaded | Declined | tuple[Finding, ...]:
        match entry.candidate:
            case FileCandidate() as candidate:
                return self._load_file(entry, candidate)
            case ModuleCandidate() as candidate:
                return self._load_module(entry, candidate)
            case None:
                return entry.findings

    def _load_file(self, entry: Entry, candidate: FileCandidate) -> Loaded | Declined | tuple[Finding, ...]:
        source = candidate.tree.read(candidate.entry)
        if isinstance(source, Finding):
            return (source,)
        if entry.spec is None or source.digest != entry.spec.digest:
            # It changed since it was listed: what is run is what was checked, so it is checked again.
            read = read_file(candidate, source)
            entry = check_read(candidate, read, self._interfaces, self._api_version, entry.finder)
            if entry.findings:
                return entry.findings
        if self._gate is not None:
            # Asked again of the very bytes that are run, and of the owners as they are now.
            self._gate.renew()
            entry = admitted(entry, source, self._gate)
            if entry.findings:
                return entry.findings
        namespace = self._namespaces.get(entry.finder)
        if namespace is None:
            return (Finding("P301", "its host is closed", entry.place),)
        key = (namespace.name, candidate.entry)
        if entry.spec is not None and "/" in candidate.entry:
            package = (namespace.name, candidate.entry.partition("/")[0])
            self._declared[package] = declared_permissions(entry.spec)[0]
        self._staged[key] = source
        try:
            return self._run(entry, namespace.module_name(candidate.module), own_only=True)
        finally:
            del self._staged[key]

    def _load_module(self, entry: Entry, candidate: ModuleCandidate) -> Loaded | Declined | tuple[Finding, ...]:
        return self._run(entry, candidate.module, attribute=candidate.attribute, own_only=False)

    def _run(
        self, entry: Entry, name: str, *, attribute: str = "", own_only: bool
    ) -> Loaded | Declined | tuple[Finding, ...]:
        path = self.path_of(entry) or ""
        known = set(sys.modules)
        start = monotonic_seconds()
        module = run_module(name, path, entry.place.path, private=own_only)
        seconds = monotonic_seconds() - start
        if isinstance(module, tuple):
            return module
        value: object = module
        if attribute:
            try:
                value = import_object(f"{name}:{attribute}")
            except NameMissing as error:
                return (Finding("P201", str(error).splitlines()[0], entry.place),)
        outcome = self._bind(entry, value, module, path, own_only=own_only)
        if isinstance(outcome, Target):
            return Loaded(entry, outcome, seconds)
        if own_only:
            self._forget(name, known)
        return outcome

    def _bind(
        self, entry: Entry, value: object, module: object, path: str, *, own_only: bool
    ) -> Target | Declined | tuple[Finding, ...]:
        answer = ask_available(module, path, Place(entry.place.path))
        if isinstance(answer, Finding):
            return (answer,)
        if answer is not None:
            return answer
        return find_target(value, self._interfaces, Place(entry.place.path), own_only=own_only)

    def _forget(self, name: str, known: set[str]) -> None:
        # forget_modules, but not for what was there before this load began.
        for key in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            if key not in known:
                del sys.modules[key]

    def instance(self, entry: Entry, loaded: Loaded, settings: Mapping[str, object]) -> object:
        """Return the object that provides the interface, made with ``settings`` where it is a class.

        Raises:
            SettingsRefused: The settings do not fit, or making the instance raised.
        """
        value = loaded.target.value
        name = entry.spec.name if entry.spec is not None else ""
        if not isinstance(value, type):
            if settings:
                message = f"is a module with functions and has no settings, {', '.join(sorted(settings))} was given"
                raise SettingsRefused(name, [Finding("C101", message, entry.place)], [()])
            return value
        # Settings need dataclasses and typing's introspection; a listing needs neither.
        from plugline.contract.settings import construct  # noqa: PLC0415

        made, problems = construct(value, settings)
        if problems:
            findings = [Finding(problem.code, problem.message, entry.place, problem.hint) for problem in problems]
            raise SettingsRefused(name, findings, [problem.path for problem in problems])
        return made
