"""An accepted entry to a loaded plugin, through the private packages of one host."""

import os
import sys
from _weakref import ref

from plugline.clock import monotonic_seconds, unix_seconds
from plugline.discovery.candidates import FileCandidate, ModuleCandidate
from plugline.discovery.recall import ENTRY, Row, running_part
from plugline.discovery.trees import DiskTree, MemoryTree, real_path
from plugline.files import SourceFile, digest_of, read_plain
from plugline.findings import Finding, Place, apart, short_repr
from plugline.host.circumstances import Circumstances
from plugline.host.entries import Entry, Inspection, Memory, ReadEntry, RememberedEntry, as_entry, is_plain
from plugline.host.holding import LoadLock, mind_forks
from plugline.loading.collisions import COLLISIONS, without_collisions
from plugline.loading.making import define_module, make_module
from plugline.loading.modules import Undo, forget_modules
from plugline.loading.namespace import (
    Compiler,
    InertLoader,
    Namespace,
    PrivateLoader,
    TopNamespace,
    empty,
    release,
    reserve,
    share,
    stand_at_top,
    stand_first,
)
from plugline.loading.target import Declined, Faulty, Target, Vanished, quick_target
from plugline.loading.traces import Trace, trace_of
from plugline.loading.watching import Told, Watch
from plugline.typed import (
    TYPE_CHECKING,
    Callable,
    CodeType,
    Container,
    Mapping,
    ModuleType,
    Sequence,
    cast,
)
from plugline.values import Value

if TYPE_CHECKING:
    # What runs and binds plugins is imported where one is run.
    from plugline.contract.permissions import Permissions
    from plugline.contract.settings import Problem
    from plugline.discovery.bundle import Bundle, Running
    from plugline.discovery.finders import Finder
    from plugline.discovery.index import FolderIndex
    from plugline.discovery.inert import Needs
    from plugline.discovery.known import PluginSpec
    from plugline.host.dispatching import Dispatching
    from plugline.host.isolating import Isolator
    from plugline.host.plugin import Plugin
    from plugline.isolation.environments import Environment
    from plugline.isolation.isolated import IsolatedPlugin
    from plugline.isolation.levels import Confinement
    from plugline.loading.patches import Snapshot
    from plugline.worker.limits import Sandbox


mind_forks()


class Loaded(Value):
    """A plugin whose code was run and which provides the interface.

    Attributes:
        is_loaded: What no other outcome has: who tells them apart by it need not import them.
        entry: What was run; newer than what was listed where the file had changed since.
        target: What of it provides the interface.
        warnings: What is to be told of how it was loaded.
    """

    __slots__ = ("entry", "seconds", "target", "warnings")
    is_loaded = True
    entry: Entry
    target: Target
    seconds: float
    warnings: tuple[Finding, ...]

    def __init__(self, entry: Entry, target: Target, seconds: float, warnings: tuple[Finding, ...] = ()) -> None:
        put = object.__setattr__  # one is made for each plugin that is loaded
        put(self, "entry", entry)
        put(self, "target", target)
        put(self, "seconds", seconds)
        put(self, "warnings", warnings)


_BLOCK = b"/// script"
_NEVER_INERT = frozenset(("available", "on_load", "__getattr__"))  # what is called, or asked, while a plugin is loaded

Judging = Callable[["Plugin[object]", object], Sequence[Finding]]
"""What says of a plugin's new version, by its handle and what provides the interface, what speaks against it."""

Outcome = Loaded | Declined | Vanished | tuple[Finding, ...]


def are_there(needs: "Needs") -> bool:
    """Whether what an inert module imports is loaded, so that importing it runs nothing; what Python brings is loaded now."""
    modules = sys.modules
    for name, taken in needs:
        module = modules.get(name)
        if module is None and name.partition(".")[0] in sys.stdlib_module_names - _TALKING:
            try:
                __import__(name)
            except Exception:  # noqa: BLE001 - not on this machine; the plugin is told so when it is run
                return False
            module = modules.get(name)
        if type(module) is not ModuleType or (taken and not module.__dict__.keys() >= set(taken)):
            return False
    return True


_TALKING = frozenset(("antigravity", "idlelib", "site", "this", "turtledemo"))  # do something when they are imported


def _imported(entry: Entry) -> frozenset[str]:
    facts = entry.spec.facts if entry.spec is not None else None
    return frozenset(name for one in facts.imports for name in one.names) if facts is not None else frozenset()


class _Staged:
    """What is about to be run: the bytes that were checked, their digest, and what the index knows of them."""

    __slots__ = ("digest", "row", "source")

    def __init__(self, source: SourceFile, digest: bytes, row: Row | None) -> None:
        self.source, self.digest, self.row = source, digest, row


class _Ready:
    """What is run as it is: the code of bytes that were read and hashed just now, admitted when they were listed."""

    __slots__ = ("code", "content", "functions", "name", "namespace", "needs", "path")

    def __init__(
        self,
        name: str,
        path: str,
        content: bytes,
        code: CodeType,
        namespace: Namespace,
        needs: "Needs | None",
        functions: tuple[CodeType, ...],
    ) -> None:
        self.name, self.path, self.content, self.code, self.namespace = name, path, content, code, namespace
        self.needs, self.functions = needs, functions  # what it imports, and has in it, where it is inert


class _Bound:
    """The names that a plugin's own source binds, of which only those are looked up that are asked for."""

    __slots__ = ("_entry",)

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._entry.binds(name)


class Loader:
    """Runs plugins for one host.

    Threads: one load at a time, under :attr:`lock`, which is re-entrant so that a plugin may ask for another one.
    """

    def __init__(
        self,
        finders: "Sequence[Finder]",
        around: Circumstances,
        namespace: str | None,
        *,
        memories: Mapping[int, Memory] | None = None,
        package: str | None = None,
        injected: Mapping[str, object] | None = None,
        compiler: Compiler | None = None,
        quarantine_after: int | None = None,
        slow_load_seconds: float | None = None,
        isolator: "Isolator | None" = None,
        required: "Callable[[PluginSpec], tuple[Finding, ...]]" = lambda _: (),
    ) -> None:
        """Reserve the private packages.

        Raises:
            ValueError: ``namespace`` is taken, or ``package`` is none.
        """
        self.injected = dict(injected or {})
        self.compiler = compiler
        self.required = required  # loads what an edited plugin requires, and returns what cannot be used of it
        self.followers: tuple[Callable[[], object], ...] = ()  # who is told that plugins came, went or are new
        self.judges: tuple[Judging, ...] = ()  # who is asked before a version takes the place of another
        self.lock: LoadLock = LoadLock()
        self._watch = Watch(slow_load_seconds)
        self.isolator = isolator  # of a host that has plugins run elsewhere
        self._around = around
        self._memories = memories or {}
        self._depth = 0  # of loads within loads, and of batches
        self._unused: set[int] = set()  # places of which plugins were unloaded, until nothing is being loaded
        self._batches = 0
        self._known_modules = 0  # before the batch
        self._began = 0.0  # the batch, in seconds since 1970
        self._texts: dict[int, str | None] = {}  # the circumstances at the beginning of the batch, by finder
        self._staged: dict[tuple[str, str], _Staged] = {}
        self._at_hand: tuple[Entry, _Ready | None] | None = None  # what was read for the next load
        self._namespaces: dict[int, Namespace] = {}
        self._declared: dict[tuple[str, str], Permissions] = {}  # of packages, by namespace and folder
        self._failures: dict[tuple[int, str], tuple[str, Declined | tuple[Finding, ...]]] = {}
        self.handles: list[ref[Plugin[object]]] = []  # of all plugins that were loaded
        self.begun: dict[str, ModuleType] = {}  # of plugins that may own something, by their names
        self._loaded: dict[
            int, Entry
        ] = {}  # of plugins that are loaded, by their ids: hashing one costs more than that
        self.known_family: dict[
            ref[ModuleType], set[str]
        ] = {}  # the module that was bound last, with the names of its classes
        self._reread: tuple[object, Entry, Sequence[Entry]] = None, ReadEntry(None, None, (), 0), ()  # the last file
        self._quarantine_after = quarantine_after
        self._dispatching: Dispatching | None = None
        self.appeared: list[
            tuple[Entry, str]
        ] = []  # a plugin, and another class that running its file showed; for the host
        for index, finder in enumerate(finders):
            wanted = namespace or finder.namespace
            if package is not None and finder.tree is not None:
                self._namespaces[index] = share(package, finder.tree, self)
            elif namespace == "" and finder.tree is not None:
                self._namespaces[index] = stand_at_top(finder.tree, self)
            elif wanted is not None and finder.tree is not None:
                exact = namespace is not None and not self._namespaces
                self._namespaces[index] = reserve(wanted, finder.tree, self, exact=exact)

    @property
    def is_dispatching(self) -> bool:
        """Whether there are functions that call plugins."""
        return self._dispatching is not None

    @property
    def dispatching(self) -> "Dispatching":
        """The functions that call plugins."""
        if self._dispatching is None:
            from plugline.host.dispatching import Dispatching  # a listing calls nothing

            self._dispatching = Dispatching(self._quarantine_after)
        return self._dispatching

    def follow(self, follower: Callable[[], object], judge: "Judging | None") -> None:
        """See :meth:`plugline.Host.follow`."""
        self.followers = (*self.followers, follower)
        if judge is not None:
            self.judges = (*self.judges, judge)

    def unfollow(self, follower: Callable[[], object], judge: "Judging | None") -> None:
        """Tell somebody no more, and ask no more."""
        self.followers = tuple(one for one in self.followers if one is not follower)
        self.judges = tuple(one for one in self.judges if one is not judge)

    def tell(self) -> None:
        """Tell those who follow that plugins came, went or are new."""
        for follower in self.followers:
            follower()

    def close(self) -> None:
        """Let the plugins close what they own, last first, end the workers, and give the private packages back."""
        for name in reversed(list(self.begun)):
            self.end(name)
        if self.isolator is not None:
            self.isolator.close()
        for namespace in self._namespaces.values():
            release(namespace)
        self._namespaces.clear()
        for memory in self._memories.values():
            memory.close()

    def serves(self, namespace: Namespace) -> bool:
        """Whether a private package is one of this host's."""
        return any(namespace is one for one in self._namespaces.values())

    def module_names(self) -> list[str]:
        """Return the names of the modules below the private packages of this host, in the order in which they were imported."""
        namespaces = self._namespaces.values()
        names = list(sys.modules)
        if all(type(namespace) is Namespace for namespace in namespaces):
            prefixes = tuple(f"{namespace.name}." for namespace in namespaces)
            return [name for name in names if name.startswith(prefixes)]
        return [name for name in names if any(namespace.owns(name) for namespace in namespaces)]

    def folders(self) -> list[str]:
        """Return the folders on disk that its plugins are in."""
        trees = (namespace.tree for namespace in self._namespaces.values())
        return list(dict.fromkeys(tree.real for tree in trees if isinstance(tree, DiskTree)))

    def living_handles(self) -> "list[Plugin[object]]":
        """Return the plugins that were loaded and that somebody still holds."""
        self.handles = [handle for handle in self.handles if handle() is not None]
        return [one for handle in self.handles if (one := handle()) is not None]

    def forget_failures(self) -> None:
        """Let files that failed be tried again."""
        self._failures.clear()
        for namespace in self._namespaces.values():
            if namespace.left:
                namespace.forget_left()

    def end(self, name: str) -> None:
        """Let a plugin close what it owns, and undo what it left; what its ``on_unload`` raises is told to the log."""
        module = self.begun.pop(name, None)
        if module is None:
            return
        from plugline.loading.moments import end_quietly  # few plugins own anything

        end_quietly(module.__dict__, name)
        trace = trace_of(module)
        if trace is not None:
            trace.undo_effects()

    def expect(self, inspection: Inspection) -> Inspection:
        """Take note of what was found: which file is behind a module's name where two could be.

        Returns:
            The same, without what cannot have the name that it needs.
        """
        self.forget_failures()
        inspection = self._claim_names(inspection)
        for known in inspection.accepted.values():
            if isinstance(known, tuple) and is_plain(*known):
                continue  # its module's name leads to its file anyway
            entry = as_entry(known)
            if isinstance(entry.candidate, FileCandidate) and entry.finder in self._namespaces:
                self._namespaces[entry.finder].stems[entry.candidate.module] = entry.candidate.entry

        return inspection

    def _claim_names(self, inspection: Inspection) -> Inspection:
        """Take the names of what stands at the top level; who wants somebody else's is rejected."""
        if not any(isinstance(namespace, TopNamespace) for namespace in self._namespaces.values()):
            return inspection
        refused = {}
        for name, known in inspection.accepted.items():
            entry = as_entry(known)
            namespace = self._namespaces.get(entry.finder)
            if isinstance(namespace, TopNamespace) and isinstance(entry.candidate, FileCandidate):
                whose = namespace.claim(entry.candidate.module, entry.candidate.entry)
                if whose is not None:
                    message = f"cannot be the top-level module {entry.candidate.module!r}: {whose}"
                    finding = Finding("P400", message, entry.place, hint="rename its file or folder")
                    refused[name] = ReadEntry(entry.candidate, entry.spec, (finding,), entry.finder)
        if not refused:
            return inspection
        accepted = {name: entry for name, entry in inspection.accepted.items() if name not in refused}
        rejected = (*inspection.rejected, *refused.items())
        return Inspection(accepted, rejected, inspection.findings, is_ordered=inspection.is_ordered)

    def provide(self, namespace: Namespace, relative: str) -> SourceFile | Finding:
        """See :class:`plugline.loading.namespace.Provider`."""
        staged = self._staged.get((namespace.name, relative))
        # A neighbour need be no plugin: what cannot be one may still be what the others share.
        return staged.source if staged is not None else self._neighbour(namespace, relative)

    def _neighbour(self, namespace: Namespace, relative: str) -> SourceFile | Finding:
        """Read a file that is no plugin that is being loaded: its bytes are admitted as they will be run."""
        source = namespace.tree.read(relative)
        if isinstance(source, Finding):
            return source
        refused = self.admit_neighbour(namespace, relative, source)
        return refused if refused is not None else source

    def renew(self) -> None:
        """Look at folders and lock files again."""
        self._around.renew()

    def admit_neighbour(self, namespace: Namespace, relative: str, source: SourceFile) -> Finding | None:
        """Return what keeps a file that is no plugin itself from being run."""
        found = self._around.gate.admit_file(namespace.tree, relative, source, self._declared_by(namespace, relative))
        return next((finding for finding in found if finding.is_error), None)

    def admit_native(self, namespace: Namespace, relative: str) -> Finding | None:
        """See :class:`plugline.loading.namespace.Provider`."""
        found = self._around.gate.admit_native(namespace.tree, relative)
        return next((finding for finding in found if finding.is_error), None)

    def _declared_by(self, namespace: Namespace, relative: str) -> "Permissions | None":
        """Return what the package that a file is in asks for; ``None`` for a file that is in none."""
        folder = relative.rpartition("/")[0]
        while folder and (namespace.name, folder) not in self._declared:
            folder = folder.rpartition("/")[0]
        return self._declared.get((namespace.name, folder))

    def compiled(self, content: bytes, path: str) -> CodeType:
        """Return what the host's compiler, where it has one of its own, makes of a source."""
        if self.compiler is None:
            from plugline.discovery.compiling import compile_source  # most often it is remembered

            return compile_source(content, path)
        code: object = self.compiler(content, path)
        if not isinstance(code, CodeType):
            raise TypeError(f"the compiler of the host returned {short_repr(code)}, code was expected")
        return code

    def compile(self, namespace: Namespace, relative: str, source: SourceFile) -> tuple[CodeType, object]:
        """See :class:`plugline.loading.namespace.Provider`."""
        index = self._index_of(namespace) if self.compiler is None else None
        if index is None:
            tree = namespace.tree
            if self.compiler is None and isinstance(tree, MemoryTree) and (looked_at := tree.codes.pop(relative, None)):
                return looked_at, source
            return self.compiled(source.content, real_path(tree, relative)), source
        staged = self._staged.get((namespace.name, relative))
        digest = staged.digest if staged is not None else digest_of(source.content)
        code = index.find_code(digest, relative, staged.row if staged is not None else None)
        if code is None:
            code = self.compiled(source.content, real_path(namespace.tree, relative))
            if not index.keep_code(digest, relative, code, source.content):
                return code, source
            self._write_between_loads(index)
        return code, digest

    def _write_between_loads(self, index: "FolderIndex") -> None:
        """Write down the code of what is imported while nothing is loaded: nobody comes after it who would."""
        if self._depth == 0 and not self.lock.is_taken:
            with self.lock:
                if self._depth == 0:
                    index.flush()

    def text(self, namespace: Namespace, relative: str, ran: object) -> bytes | None:
        """See :class:`plugline.loading.namespace.Provider`: what was run is known by its row, or by its digest."""
        index = self._index_of(namespace)
        digest, where = running_part(ran)[1:3] if isinstance(ran, tuple) else (ran, None)
        if index is None or not isinstance(digest, bytes):
            return None
        remembered = index.find_source(digest, relative, where)
        if remembered is not None:
            return remembered
        found = namespace.tree.read(relative)
        return found.content if isinstance(found, SourceFile) and digest_of(found.content) == digest else None

    def recall(self, namespace: Namespace, relative: str, ran: object) -> CodeType | None:
        """See :class:`plugline.loading.namespace.Provider`: what was run is known by its row."""
        index = self._index_of(namespace)
        if index is None or not isinstance(ran, tuple):
            return None
        digest, where = running_part(ran)[1:3]
        return index.code_at(digest, where, real_path(namespace.tree, relative))

    def _index_of(self, namespace: Namespace) -> "FolderIndex | None":
        for number, memory in self._memories.items():
            if self._namespaces.get(number) is namespace:
                return memory.index
        return None

    def __enter__(self) -> None:
        """Begin to load many."""
        if self._depth == 0:
            self._known_modules = len(sys.modules)
            self._began = unix_seconds()
            self._texts = {finder: self._around.text(memory.recall.real) for finder, memory in self._memories.items()}
        self._depth += 1
        self._batches += 1
        self._watch.open()
        for memory in self._memories.values():
            memory.read_all_code()

    def __exit__(self, *_: object) -> None:
        self._watch.close()
        self._end(1)

    def _end(self, batches: int = 0) -> None:
        self._depth -= 1
        self._batches -= batches
        if self._depth == 0:
            for memory in self._memories.values():
                memory.flush()
            if self._unused:
                self._empty_unused()

    def path_of(self, entry: Entry) -> str | None:
        """Return the file as tracebacks name it."""
        if isinstance(entry, RememberedEntry):
            return real_path(entry.listed.tree, entry.row[ENTRY])
        match entry.candidate:
            case FileCandidate() as candidate:
                return real_path(candidate.tree, candidate.entry)
            case _:
                path = entry.place.path
                return path if path.endswith(".py") else None

    def read_seconds(self, entry: Entry) -> float | None:
        """Return how long reading the entry's file took, ``None`` where it was remembered."""
        return self._around.read_seconds.get((entry.finder, entry.place.path))

    def module_name(self, entry: Entry) -> str:
        """Return the full name of the entry's module in ``sys.modules``."""
        namespace = self._namespaces.get(entry.finder)
        if isinstance(entry, RememberedEntry):
            module = running_part(entry.row)[0]
        else:
            assert entry.candidate is not None  # noqa: S101 - only a candidate becomes a plugin
            module = entry.candidate.module
        return namespace.module_name(module) if namespace is not None else module

    def load(self, entry: Entry, slow: Told) -> Outcome:
        """Run a plugin and bind it, or say everything that keeps it from being a plugin. Leaves nothing of a failure.

        Args:
            slow: Told, by another thread, if that takes long.
        """
        inert = self.load_inert(entry)
        if inert is not None:
            return inert
        self._depth += 1
        self._watch.open()
        self._watch.begin(slow)
        try:
            apart = self._runs_apart(entry)
            outcome = self._outcome_of(entry, apart=apart)
            if apart and isinstance(outcome, Loaded) and not cast("Isolator", self.isolator).has(outcome.target.value):
                raise AssertionError(f"plugin {entry.name!r} was to run in a worker, and was run here")
            if isinstance(outcome, Loaded):
                self._loaded[id(outcome.entry)] = outcome.entry
        finally:
            self._watch.end()
            self._watch.close()
            self._end()
        return outcome

    def _outcome_of(self, entry: Entry, *, apart: bool) -> Outcome:
        if isinstance(entry, RememberedEntry) and not apart:
            ready = self._ready(entry)
            if ready is not None:
                collisions = COLLISIONS.count
                found = self._load_ready(entry, ready)
                if isinstance(found, Loaded) or COLLISIONS.count == collisions:
                    return found
        # A file with several plugins that fails or declines does so once, and not once for each of them.
        key = (entry.finder, entry.place.path)
        digest, known = self._failures.get(key, ("", None))
        if known is not None and digest == entry.digest:
            return Vanished(known, whole_file=True) if isinstance(known, tuple) else known
        outcome = without_collisions(lambda: self._load_keeping_the_process(entry), lambda one: isinstance(one, Loaded))
        if isinstance(outcome, Faulty):
            return outcome.findings
        if not isinstance(outcome, (Loaded, Vanished)) and entry.class_name:
            self._failures[key] = (entry.digest, outcome)
        return outcome

    def _runs_apart(self, entry: Entry) -> bool:
        return self.isolator is not None and self.isolator.confinement_of(entry) is not None

    def _ready(self, entry: RememberedEntry) -> _Ready | None:
        """Return what is to be run where file and circumstances are those of the listing, so that nothing is to be judged.

        ``None`` where there is any doubt, and for what is not plain: then it is read, checked and found as any other.
        """
        at_hand, self._at_hand = self._at_hand, None
        if at_hand is not None and at_hand[0] is entry:
            return at_hand[1]
        if self._around.has_own_policy:
            return None
        listed = entry.listed
        namespace = self._namespaces.get(listed.finder)
        relative = entry.row[ENTRY]
        if type(namespace) not in (Namespace, TopNamespace) or namespace is None or "/" in relative:
            return None
        real = listed.memory.recall.real
        path = f"{real}/{relative}"
        text = self._texts.get(listed.finder) if self._batches else self._around.text(real)
        found = read_plain(path) if text == listed.text else None
        if found is None:
            return None
        content, status = found
        if _BLOCK in content:
            return None  # where it runs may depend on what it needs
        module, digest, where, owners, verdicts = running_part(entry.row)
        if owners != ((status.st_uid, status.st_gid, status.st_mode),) or verdicts.get(listed.number):
            return None
        name = namespace.module_name(module)
        if name in sys.modules or name in namespace.left or "." in module:
            return None
        running = self._running(listed.memory.bundle, content, path, digest, where)
        if running is None:
            return None
        code, needs, functions = running
        if namespace.name and namespace.name not in sys.modules:
            __import__(namespace.name)
        inert = needs is not None and not self.injected and _NEVER_INERT.isdisjoint(code.co_names)
        # Its code has the path already: one text for all who name it.
        return _Ready(name, code.co_filename, content, code, namespace, needs if inert else None, functions)

    def _running(
        self, bundle: "Bundle | None", content: bytes, path: str, digest: bytes, where: tuple[int, int]
    ) -> "Running | None":
        """Return the code of a source, and more where it is inert; ``None`` where it is to be judged or compiled.

        Args:
            content: The source as it was read now.
            digest: Of the source as it was when it was listed.
            where: The place in the bundle of what it was compiled to then.
        """
        if self.compiler is None:
            if bundle is None:
                return None
            bundle.hold()  # for who wants to see later what was run
            return bundle.find_running(path, digest, where, content)
        if digest_of(content) != digest:
            return None
        try:
            return self.compiled(content, path), None, ()
        except Exception:  # noqa: BLE001 - whoever compiles it next is told
            return None

    def load_inert(self, entry: Entry) -> Loaded | None:
        """Load a plugin that can do nothing while it is loaded but define, so that nobody need watch it.

        ``None``, with nothing left behind, where it is no such plugin, or anything is to be told of it: then :meth:`load` is asked.
        """
        if type(entry) is not RememberedEntry or self.isolator is not None:
            return None
        ready = self._ready(entry)
        self._at_hand = (entry, ready)
        if ready is None or ready.needs is None or not are_there(ready.needs):
            return None
        start = monotonic_seconds()
        loader = InertLoader(ready.namespace, entry.row[ENTRY], ready.name, entry.row)
        began = self._began if self._batches else unix_seconds()
        module = define_module(loader, ready.path, ready.code, ready.functions, began)
        seconds = monotonic_seconds() - start
        if module is None:
            return None
        target: object = quick_target(module, self._around.interfaces, ready.name)
        if target is None:
            undo = Undo(None, {})
            target = self.bind(entry, module, "", ready.path, undo, private=True)
        if not isinstance(target, Target):
            forget_modules([ready.name])
            self._at_hand = None
            return None
        if "on_unload" in module.__dict__ or "on_reload" in module.__dict__:
            self.begun[ready.name] = module
        self._at_hand = None
        self._loaded[id(entry)] = entry
        return Loaded(entry, target, seconds)

    def _load_ready(self, entry: RememberedEntry, ready: _Ready) -> Outcome:
        """Run and bind, and put back what belongs to the whole process and was changed meanwhile."""
        from plugline.loading.patches import Snapshot  # a listing does without

        stand_first()
        ready.namespace.prepare()
        snapshot = Snapshot()
        known = self._known_modules if self._batches else len(snapshot.modules)
        place = Place(entry.place.path)
        patched: tuple[Finding, ...] = ()
        intact = False
        try:
            start = monotonic_seconds()
            found, intact = self._run_ready(entry, ready, snapshot)
            seconds = monotonic_seconds() - start
        finally:
            if not intact or not snapshot.is_intact(known):
                patched = snapshot.undo(ready.name, place)
        match found:
            case Target():
                return Loaded(entry, found, seconds, patched)
            case Faulty():
                return (*found.findings, *patched)
            case tuple():
                return (*found, *patched)
            case _:
                return found

    def _run_ready(
        self, entry: RememberedEntry, ready: _Ready, snapshot: "Snapshot"
    ) -> tuple[Target | Declined | Vanished | Faulty | tuple[Finding, ...], bool]:
        """Return what came of running and binding it, and whether nothing of the plugin's has run since builtins were looked at."""
        undo = Undo(self._owner_of_unloaded(ready.namespace), snapshot.modules, ready.name, ready.namespace.left)
        collisions = COLLISIONS.count
        try:
            loader = PrivateLoader(ready.namespace, entry.row[ENTRY], ready.name, entry.row)
            module = make_module(loader, Trace(ready.name, ready.path, ready.content, ready.code), self.injected)
        except BaseException as error:  # noqa: BLE001 - whatever a plugin raises is its own; Ctrl-C passes there
            snapshot.put_back_builtins()
            undo()  # first of all: a plugin may have emptied sys.modules, and the next line imports something
            from plugline.loading.running import failure_of  # few plugins fail

            return failure_of(error, ready.path, entry.place.path, undo, collisions), False
        intact = snapshot.put_back_builtins()
        target = quick_target(module, self._around.interfaces, ready.name)
        if target is not None and "on_load" not in module.__dict__:
            self._at_work(ready.name, module)
            return target, intact
        loaded = False
        try:
            found = target if target is not None else self.bind(entry, module, "", ready.path, undo, private=True)
            if isinstance(found, Target):
                found = self._begin(entry, module, found, ready.path, undo)
            loaded = isinstance(found, (Target, Vanished, Faulty))
        finally:
            if not loaded:
                undo(ran=True)
        return found, False

    def _load_keeping_the_process(self, entry: Entry) -> Outcome | Faulty:
        """Load, and put back what belongs to the whole process and was changed by it."""
        if not isinstance(entry.candidate, FileCandidate):
            return self._load(entry)
        from plugline.loading.patches import Snapshot  # a listing does without

        namespace = self._namespaces.get(entry.finder)
        if namespace is not None:
            namespace.prepare()
        snapshot = Snapshot()
        patched: tuple[Finding, ...] = ()
        try:
            outcome = self._load(entry)
        finally:
            patched = snapshot.undo(self.module_name(entry), Place(entry.place.path))
        match outcome:
            case Loaded():
                return Loaded(outcome.entry, outcome.target, outcome.seconds, (*outcome.entry.warnings, *patched))
            case Faulty():
                return Faulty((*outcome.findings, *patched))
            case tuple():
                return (*outcome, *patched)
            case _:
                return outcome

    def _load(self, entry: Entry) -> Outcome | Faulty:
        match entry.candidate:
            case FileCandidate() as candidate:
                return self._load_file(entry, candidate)
            case ModuleCandidate() as candidate:
                return self._load_module(entry, candidate)
            case None:
                return entry.findings

    def _load_file(self, entry: Entry, candidate: FileCandidate) -> Outcome | Faulty:
        source = candidate.tree.read(candidate.entry)
        if isinstance(source, Finding):
            return (source,)
        digest = digest_of(source.content)
        entry = self.recheck(entry, candidate, source, digest)
        if entry.findings:
            return entry.findings
        namespace = self._namespaces.get(entry.finder)
        if namespace is None:
            hint = "load it while its host is open"
            return (Finding("P301", "was not loaded before its host was closed", entry.place, hint=hint),)
        key = (namespace.name, candidate.entry)
        if entry.spec is not None and candidate.entry.endswith("/__init__.py"):
            from plugline.admission.policy import declared_permissions  # the gate has imported it

            package = (namespace.name, candidate.entry.rpartition("/")[0])
            self._declared[package] = declared_permissions(entry.spec)[0]
        self._staged[key] = _Staged(source, digest, entry.row if isinstance(entry, RememberedEntry) else None)
        stand_first()
        try:
            elsewhere = self._elsewhere(entry, namespace)
            if elsewhere is not None:
                return elsewhere
            return self._run(entry, namespace.module_name(candidate.module), namespace=namespace)
        finally:
            self._staged.pop(key, None)  # a plugin that loads itself was here before

    def recheck(
        self, entry: Entry, candidate: FileCandidate, source: SourceFile, digest: bytes, code: CodeType | None = None
    ) -> Entry:
        """Hold bytes against all that is asked of a plugin before it is run; what is wrong is in the entry's findings.

        What an edited one requires is loaded.

        Args:
            entry: What was known of the plugin.
            code: What they were compiled to, where that was done already.
        """
        is_edited = digest.hex() != entry.digest
        if is_edited:
            # It changed since it was listed: what is run is what was checked, so it is checked again, once for all its classes.
            what = candidate.tree, candidate.entry, digest
            is_class = entry.spec is not None and entry.name.endswith(f":{candidate.class_name}")
            if self._reread[0] != what:
                from plugline.discovery.reading import read_and_forget, read_code  # it seldom has
                from plugline.host.registry import check_read, split_entry  # most often all is remembered

                whole = FileCandidate(candidate.name, candidate.tree, candidate.entry, candidate.module)
                if code is None:
                    read = read_and_forget(whole, source)
                else:
                    read = read_code(whole, source, digest, code, self._around.interfaces)
                entry = check_read(whole, read, self._around, entry.finder)
                if entry.findings:
                    return entry
                self._reread = what, entry, split_entry(entry, self._around.interfaces)
            _, entry, parts = self._reread
            # The class may be gone from it, or be its only one now, and keeps its name; that shows once the file was run.
            named: Entry = ReadEntry(candidate, entry.spec, (), entry.finder)
            if is_class:
                from plugline.host.registry import entry_beside

                named = entry_beside(named, candidate.class_name)
            entry = next((one for one in parts if one.candidate == candidate), named)
        entry = self.readmit(entry, source)
        unusable = self.required(entry.spec) if is_edited and entry.spec is not None and not entry.findings else ()
        return ReadEntry(entry.candidate, entry.spec, unusable, entry.finder, entry.warnings) if unusable else entry

    def readmit(self, entry: Entry, source: SourceFile) -> Entry:
        """Ask the policy again of the very bytes that are run, and of the owners as they are now."""
        from plugline.host.registry import admitted  # most often all is remembered

        self.renew()
        return admitted(entry, source, self._around.gate)

    def _load_module(self, entry: Entry, candidate: ModuleCandidate) -> Outcome | Faulty:
        elsewhere = self._elsewhere(entry, None)
        if elsewhere is not None:
            return elsewhere
        return self._run(entry, candidate.module, attribute=candidate.attribute)

    def allowed(self, entry: Entry, limits: "Sandbox") -> "Sandbox":
        """Return what a plugin may do in a sandbox with these limits: what it declares, as far as it is granted."""
        from plugline.admission.policy import declared_permissions  # for isolated plugins
        from plugline.isolation.grants import allowed

        spec = entry.spec
        assert spec is not None  # noqa: S101 - only what has a spec becomes a plugin
        locked, grant = self._around.gate.grants_of(entry.candidate, spec)
        declared = declared_permissions(spec)[0] if "permissions" in spec.settings else None
        folder = os.path.dirname(self.path_of(entry) or "/nowhere/")
        return allowed(limits, declared=declared, locked=locked, grant=grant, folder=folder)

    def _elsewhere(self, entry: Entry, namespace: Namespace | None) -> Outcome | None:
        """Load a plugin in a worker, where it is to run there; ``None`` where it is to run here."""
        confinement = self.isolator.confinement_of(entry) if self.isolator is not None else None
        environment = None
        if namespace is not None and entry.spec is not None and _may_be_elsewhere(entry.spec):
            from plugline.host.isolating import Isolator, environment_for  # few need something

            found = environment_for(entry)
            if isinstance(found, tuple):
                return found
            environment = found
            if environment is not None and self.isolator is None:
                self.isolator = Isolator("none")
        if confinement is None and environment is None:
            return None
        assert self.isolator is not None  # noqa: S101 - one of them is there because of it
        return self._run_isolated(entry, self.isolator, confinement, environment, namespace)

    def renew_isolated(
        self, entry: Entry, target: object, source: SourceFile, digest: bytes
    ) -> bool | tuple[Finding, ...]:
        """Reload a plugin that runs in a worker; ``entry`` was rechecked. See :meth:`Isolator.renew`."""
        namespace, candidate = self._namespaces.get(entry.finder), entry.candidate
        assert self.isolator is not None  # noqa: S101 - it loaded the target
        assert isinstance(candidate, FileCandidate)  # noqa: S101 - nothing else is reloaded
        if namespace is None or not self.isolator.has(target):
            return False
        key = (namespace.name, candidate.entry)
        self._staged[key] = _Staged(source, digest, None)
        try:
            found = self.isolator.renew(
                target,
                entry,
                self._around.interfaces,
                namespace=namespace,
                provide=lambda relative: self.provide(namespace, relative),
                injected=self.injected,
            )
        finally:
            self._staged.pop(key, None)
        if found is True and self._reread[0] == (candidate.tree, candidate.entry, digest):
            others = {one.class_name for one in self._reread[2]}.difference(("", target.alone))
            self.appeared += [(entry, name) for name in others]
        return found

    def _run_isolated(
        self,
        entry: Entry,
        isolator: "Isolator",
        confinement: "Confinement | None",
        environment: "Environment | None",
        namespace: Namespace | None,
    ) -> Outcome:
        from plugline.isolation.levels import Confinement
        from plugline.worker.limits import Sandbox

        def provide(relative: str) -> SourceFile | Finding:
            assert namespace is not None  # noqa: S101 - only a file of a tree has neighbours
            return self.provide(namespace, relative)

        start = monotonic_seconds()
        interfaces = self._around.interfaces
        level, limits = (confinement.level, confinement.limits) if confinement is not None else ("process", Sandbox())
        outcome = isolator.load(
            entry,
            Confinement(level, self.allowed(entry, limits)),
            interfaces,
            namespace=namespace,
            provide=provide,
            injected=self.injected,
            environment=environment,
        )
        seconds = monotonic_seconds() - start
        return Loaded(entry, outcome, seconds) if isinstance(outcome, Target) else outcome

    def _run(
        self, entry: Entry, name: str, *, attribute: str = "", namespace: Namespace | None = None
    ) -> Outcome | Faulty:
        # What runs plugins, for those who do more than list.
        from plugline.loading.running import run_module

        path = self.path_of(entry) or ""
        undo = Undo(None)
        if namespace is not None:
            undo = Undo(self._owner_of_unloaded(namespace), name=name, left=namespace.left)
        loaded = False
        try:
            start = monotonic_seconds()
            module = run_module(name, path, entry.place.path, undo)
            seconds = monotonic_seconds() - start
            if isinstance(module, tuple):
                return module
            wanted = f"{name}:{attribute}" if attribute else ""
            outcome = self.bind(entry, module, wanted, path, undo, private=namespace is not None)
            if isinstance(outcome, Target) and namespace is not None:
                outcome = self._begin(entry, module, outcome, path, undo)
            loaded = isinstance(outcome, (Target, Vanished, Faulty))
            trace = trace_of(module) if isinstance(outcome, Vanished) else None
            if trace is not None and digest_of(trace.content).hex() != entry.digest:
                message = f"{entry.class_name} is not in the version of its file that is loaded"
                hint = f"host.reload({entry.name!r})"
                return Faulty((Finding("P201", message, Place(entry.place.path), hint),))
            return Loaded(entry, outcome, seconds) if isinstance(outcome, Target) else outcome
        finally:
            if not loaded:
                undo(ran=True)

    def _at_work(self, name: str, module: ModuleType) -> None:
        """Take note of a plugin that may own something: it is told when it is to end."""
        trace = trace_of(module)
        if (
            "on_unload" in module.__dict__
            or "on_load" in module.__dict__
            or "on_reload" in module.__dict__
            or (trace is not None and trace.effects is not None and trace.effects.all)
        ):
            self.begun[name] = module

    def _begin(
        self, entry: Entry, module: ModuleType, target: Target, path: str, undo: Undo
    ) -> Target | tuple[Finding, ...]:
        """Let a plugin open what it owns; of several in one file it is the first that does."""
        key = self.module_name(entry)
        names = getattr(module, "__dict__", {})
        if key in self.begun or not isinstance(module, ModuleType):
            return target
        if "on_load" in names:
            from plugline.loading.moments import LoadContext, begin  # few plugins have one

            try:
                begin(names, LoadContext(entry.name, 1, "load"))
            except BaseException as error:
                undo()
                from plugline.blame import users_own_interrupt  # few plugins fail
                from plugline.loading.running import failure

                if users_own_interrupt(error):
                    raise
                return (failure(error, path, entry.place.path, "in on_load()"),)
        self._at_work(key, module)
        return target

    def _owner_of_unloaded(self, namespace: Namespace) -> Callable[[str], bool]:
        """Return what tells of a module's name whether it is to go if the load fails: a plugin that it loaded stays."""

        def owns(name: str) -> bool:
            if not namespace.owns(name):
                return False
            kept = [self.module_name(entry) for entry in self._loaded.values()]
            return not any(name == one or name.startswith(f"{one}.") for one in kept)

        return owns

    def bind(
        self, entry: Entry, module: object, wanted: str, path: str, undo: Undo, *, private: bool, alone: str = ""
    ) -> Target | Declined | Vanished | Faulty | tuple[Finding, ...]:
        """Return what of a module that was run provides the interface, or what keeps it from doing so.

        Args:
            wanted: The object in it that is meant, after its name and a colon; empty for the module.
            path: The file, as in tracebacks.
            undo: What is called where looking at it fails.
            private: Whether it is a file of a plugin folder.
            alone: The class that has had the file's name so far, if one has.
        """
        from plugline.errors import NameMissing  # as below
        from plugline.loading.binding import ask_available, find_target, has_several  # as in _run

        place = Place(entry.place.path)
        try:
            value = self._object(wanted) if wanted else module
            answer = ask_available(module, path, place)
            if isinstance(answer, Finding):
                return (answer,)
            if answer is not None:
                return answer
            defined: Container[str] | None = _Bound(entry) if private else None
            interfaces = self._around.interfaces
            if wanted or not self._takes_classes(entry):
                found = find_target(value, interfaces, place, defined=defined)
                if wanted or not has_several(module, interfaces, found):
                    return found
            return self._class_in(module, entry, defined, alone)
        except NameMissing as error:
            said, hint = apart(str(error))
            return (Finding("P201", said, place, hint or "mend the name after the ':'"),)
        except BaseException as error:
            # Asking an object for a name runs its code: a module's __getattr__, a property, a metaclass.
            undo()
            from plugline.blame import users_own_interrupt  # few plugins fail
            from plugline.loading.running import failure

            if users_own_interrupt(error):
                raise
            return (failure(error, path, place.path, "while it was checked"),)

    def _takes_classes(self, entry: Entry) -> bool:
        """Whether nothing but a class will do: where all that is asked for are base classes, or one was seen."""
        return entry.class_name != "" or all(one.base is not None for one in self._around.interfaces)

    def _class_in(
        self, module: object, entry: Entry, defined: Container[str] | None, alone: str
    ) -> Target | Vanished | Faulty | tuple[Finding, ...]:
        from plugline.loading.binding import find_plugin, find_target  # as in _run

        interfaces, place, name = self._around.interfaces, Place(entry.place.path), entry.class_name
        if isinstance(module, ModuleType) and name in self.known_family.get(ref(module), ()):
            known = find_target(vars(module).get(name), interfaces, place, defined=None)
            if isinstance(known, Target):
                return known

        found, family = find_plugin(
            module,
            interfaces,
            place,
            named=lambda: entry.named_apart(interfaces),
            class_name=name,
            defined=defined,
            imported=lambda: _imported(entry),
            alone=lambda: alone or entry.class_shown(interfaces, ran=True),
        )
        if family:
            self.known_family = {ref(cast(ModuleType, module)): set(family)}
        self.appeared += [(entry, name) for name, other in family.items() if other is not found]
        return Faulty(found) if isinstance(found, tuple) and len(family) > 1 else found

    def _object(self, name: str) -> object:
        from plugline.imports import import_object  # for installed modules only

        return import_object(name)

    def forget(self, entry: Entry) -> None:
        """Let go of a plugin's private module, so that it is run anew; with the last one of a place, of what they shared."""
        before = len(self._loaded)
        if self._loaded.pop(id(entry), None) is None:
            where = (entry.finder, entry.place.path)
            self._loaded = {key: one for key, one in self._loaded.items() if (one.finder, one.place.path) != where}
        if self.isolator is not None:
            self.isolator.forget(entry)
        namespace = self._namespaces.get(entry.finder)
        if namespace is not None:
            name = self.module_name(entry)
            self.end(name)
            below = [key for key in tuple(sys.modules) if key == name or key.startswith(f"{name}.")]
            forget_modules([key for key in below if namespace.owns(key)])
            if len(self._loaded) < before:
                self._unused.add(entry.finder)
                if self._depth == 0:
                    self._empty_unused()

    def _empty_unused(self) -> None:
        for finder in self._unused.difference([one.finder for one in self._loaded.values()]):
            empty(self._namespaces[finder])
        self._unused.clear()

    def unload(self, entry: Entry, made: object) -> tuple[Finding, ...]:
        """Let a plugin end what it began, and let go of its modules.

        Args:
            made: The instance that was made of it without settings, if one was.

        Returns:
            What it raised.
        """
        from plugline.loading.moments import end  # as in _run
        from plugline.loading.running import end_of

        module = self.begun.pop(self.module_name(entry), None)
        path = self.path_of(entry) or ""
        findings = []
        end_instance = getattr(type(made), "on_unload", None)
        if callable(end_instance) and not isinstance(made, ModuleType):
            findings.append(end_of(lambda: end_instance(made), path, entry.place.path))
        if module is not None:
            findings.append(end_of(lambda: end(module.__dict__), path, entry.place.path))
            trace = trace_of(module)
            if trace is not None:
                trace.undo_effects()
        self.forget(entry)
        return tuple(finding for finding in findings if finding is not None)

    def isolated(self, value: object) -> "IsolatedPlugin | None":
        """Return what provides an interface, if that is a plugin in a worker."""
        return value if self.isolator is not None and self.isolator.has(value) else None

    def instance(self, entry: Entry, loaded: Loaded, settings: Mapping[str, object]) -> object:
        """Return the object that provides the interface, made with ``settings`` where it is a class.

        Raises:
            SettingsRefused: The settings do not fit, or making the instance raised.
        """
        value = loaded.target.value
        name = entry.name
        from plugline.errors import LoadError, SettingsRefused  # for who makes instances

        if self.isolator is not None and self.isolator.has(value):
            return self.isolator.instance(value, settings)
        if not isinstance(value, type):
            if settings:
                message = f"is a module with functions and has no settings, {', '.join(sorted(settings))} was given"
                raise SettingsRefused(name, [Finding("C101", message, entry.place, hint="load it without")], [()])
            return value
        # Settings need dataclasses and typing's introspection; a listing needs neither.
        from plugline.contract.settings import construct

        made, problems = construct(value, settings)
        if problems:
            # What the host's own class asks its instances for is no setting, and nothing that a user could give.
            asked = _parameters(loaded.target.interface.base)
            findings = [
                Finding(
                    problem.code,
                    problem.message,
                    entry.place,
                    _hint(problem, asked) if not settings else problem.hint,
                )
                for problem in problems
            ]
            raise SettingsRefused(name, findings, [problem.path for problem in problems])
        lacking = [m.name for m in loaded.target.interface.members if not m.is_function and not hasattr(made, m.name)]
        if lacking:
            message = f"an instance of {value.__name__} is missing attributes {lacking}"
            raise LoadError(name, [Finding("P201", message, entry.place)])
        return made


_MADE_BY_PROGRAM = (
    "the program's own class asks for it: it makes the instances of Plugin.load_type(), or gives it to load()"
)


_MAY_FAIL = "mend its constructor; where the plugin does not apply here, its available() is the place to say so"


def _hint(problem: "Problem", asked: Sequence[str]) -> str | None:
    """Return what to do about an instance that could not be made without any settings.

    Args:
        asked: What the constructor of the host's base class takes.
    """
    if problem.code == "C102" and problem.path[-1] in asked:
        return _MADE_BY_PROGRAM
    return _MAY_FAIL if problem.code == "C104" and not problem.path else problem.hint


def _parameters(base: type | None) -> tuple[str, ...]:
    """Return the names that the constructor of a host's base class takes."""
    code = getattr(getattr(base, "__init__", None), "__code__", None)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code is not None else ()


def _may_be_elsewhere(spec: "PluginSpec") -> bool:
    """Whether a plugin asks for anything that this program's environment may not have."""
    if spec.dependencies:
        return True
    if spec.requires_python is None:
        return False
    from plugline.contract.version import runs_here  # for plugins that say what they require

    return not runs_here(spec.requires_python)
