"""A folder of packages at the top level of imports, run by a host; or without one, where all is as it was the last time.

A host finds, judges and watches plugins, and to import what does that costs more than to run a few packages. So what ran is
written down when the process ends, if there was nothing to tell of it. The next process holds the folder against that, and where
nothing has changed it only runs what is there.

Invariants:
    1. What is run was read and hashed just now, and its code is remembered under that digest.
    2. Only a folder of which there was nothing to tell is remembered. It is recalled only where there can be nothing to tell
       now: the entries of it and of the folders below are as they were, nobody else may write to anything on the way, no lock
       file and no list of disabled plugins is beside it, and the names are free.
    3. Where anything else is the case, be it in the middle, a host takes over: it looks at the folder as it is, keeps what
       was run, and answers for every import from then on.

Threads: what is in the packages may be imported from any.
"""

import atexit
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec
from _thread import RLock

from plugline.clock import unix_nanoseconds
from plugline.findings import Finding, Place
from plugline.integrations.remembered import (
    Record,
    Row,
    contents_as_they_were,
    is_alone,
    is_plain_module,
    read_record,
    source_as_it_was,
)
from plugline.loading.effects import Effects, Mentions
from plugline.loading.effects import Watch as EffectsWatch
from plugline.loading.modules import Undo, forget_modules
from plugline.loading.patches import Snapshot, run_keeping_builtins
from plugline.loading.watching import Told, Watch, log_slow, slow_finding
from plugline.metapath import FINDER, without_import_lock
from plugline.typed import TYPE_CHECKING, Callable, CodeType, Iterator, ModuleType, Sequence

if TYPE_CHECKING:
    # Where nothing has changed there is none.
    from plugline.discovery.finders import Finder
    from plugline.host import Host

_SLOW_LOAD_SECONDS = 10.0  # as for a host

Ran = tuple[str, str, str]
"""What a package is called as a plugin, its module's name, and its file as messages show it."""


def _all(name: str) -> bool:
    return True


class TopLevel:
    """The packages of one folder, each at the top level of imports under its own name.

    Args:
        folder: Its absolute path.
        compiler: What makes code of bytes and a path; by default :func:`compile`.
        making: Names that, and all else that the code depends on beside Python and plugline.
        is_other: Whether the plugin of this name would be a file that is no plugin; by default all are.

    Attributes:
        host: Who has found and judged them; ``None`` where nobody needed to.
        recalled: What was remembered of them and is as it was, ``None`` where nothing is.
        began: When somebody first looked, in nanoseconds since 1970.
        alone: Whether nothing that says what may be run was beside the folder then.
    """

    def __init__(
        self,
        folder: str,
        *,
        compiler: Callable[[bytes, str], CodeType] | None = None,
        making: str = "",
        is_other: Callable[[str], bool] | None = None,
    ) -> None:
        self.folder = folder
        self.making = making
        self._compiler = compiler
        self._is_other = is_other
        self.host: Host[object] | None = None
        self.recalled: Recalled | None = None
        self.began = unix_nanoseconds()
        self.alone = is_alone(folder)
        self._process = os.getpid()
        self._told: list[Finding] = []
        self._lock = RLock()
        # Before anything of theirs is run: what they register themselves has an owner.
        atexit.register(self._remember)

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with those that cannot be run, and what is to be told of the others."""
        if self.host is None:
            return self._told
        host = self.host
        rejected = [finding for one in host.rejected for finding in one.findings]
        return [*self._told, *host.findings, *rejected, *(finding for one in host for finding in one.warnings)]

    def run(self, wanted: Callable[[str], bool] = _all) -> Iterator[Ran]:
        """Run one package after the other; yields those that could be.

        Args:
            wanted: Whether a plugin of this name is to be run.
        """
        done: set[str] = set()
        record = read_record(self.folder, self.making) if self.alone else None
        contents = contents_as_they_were(self.folder, record) if record is not None else None
        if record is not None and contents is not None:
            self.recalled = Recalled(self, record, contents)
            for ran in self.recalled.run(wanted):
                done.add(ran[1])
                yield ran
            if self.host is None and len(done) == sum(map(wanted, record[1].values())):
                return
        host = self.take_over()
        from plugline.errors import PluglineError  # the host has imported it

        with host._loading_many():  # noqa: SLF001 - between two of them something is made of the first
            for plugin in list(host):
                if not wanted(plugin.name):
                    continue
                try:
                    plugin.load()
                except PluglineError:
                    continue  # the host keeps why
                if plugin.spec.module not in done:
                    yield plugin.name, plugin.spec.module, plugin.place.path

    def take_over(self) -> "Host[object]":
        """Return the host, which looks at the folder as it is now, and answers for the imports from now on."""
        # Not to be waited for under it either: who opens the host imports what it is made of.
        without_import_lock(self._open)
        assert self.host is not None  # noqa: S101 - it was opened just now, or before
        return self.host

    def _open(self) -> None:
        with self._lock:
            if self.host is not None:
                return
            from plugline.host import Host  # where nothing has changed there is none

            host: Host[object] = Host(self._place(), namespace="", compiler=self._compiler)
            list(host)  # it takes the names
            self.host = host

    def _place(self) -> "str | Finder":
        if self._is_other is None:
            return self.folder
        is_other = self._is_other
        try:
            if not any(is_other(name.removesuffix(".py")) for name in os.listdir(self.folder)):
                return self.folder  # a host remembers more of a plain folder
        except OSError:
            return self.folder  # it says so itself when it is looked into
        from plugline.discovery.candidates import Found
        from plugline.discovery.folder import Folder

        class FolderWithout(Folder):
            def find(self) -> Found:
                found = super().find()
                candidates = tuple(one for one in found.candidates if not is_other(one.name))
                return Found(candidates, found.findings, found.refused)

        return FolderWithout(self.folder)

    def tell(self, findings: Sequence[Finding]) -> None:
        """Take note of what is to be told of a package that was run without the host."""
        self._told += findings

    def close(self) -> None:
        """Let go of all packages: their modules leave ``sys.modules``. What they gave out stays usable.

        What they left in the process is undone, but for what is to be called at exit: that is, then.
        """
        atexit.unregister(self._remember)
        self._remember()
        if self.host is not None:
            for plugin in self.host.plugins:
                _leave_exits(plugin.spec.module)
            self.host.close()
        if self.recalled is not None:
            self.recalled.close()

    def _remember(self) -> None:
        if self.host is None or not self.alone or os.getpid() != self._process:
            return
        from plugline.integrations.remembering import remember  # where something has changed

        remember(self)


def _leave_exits(name: str) -> None:
    from plugline.loading.traces import trace_of  # the host has imported it

    module = sys.modules.get(name)
    trace = trace_of(module) if isinstance(module, ModuleType) else None
    if trace is not None and trace.effects is not None:
        trace.effects.leave_exits()


class Recalled:
    """Runs packages as they are remembered, and their modules when they are imported; stands in ``sys.meta_path``."""

    def __init__(self, whose: TopLevel, record: Record, contents: dict[str, bytes]) -> None:
        self._whose = whose
        self._packages = record[1]
        self._contents = contents  # of packages that were not run yet, while they are
        self._effects: list[Effects] = []
        self.rows = record[2]

    def run(self, wanted: Callable[[str], bool]) -> Iterator[Ran]:
        """Run one package after the other; ends early where there is something that a host has to see."""
        sys.meta_path.insert(0, self)
        watch = Watch(_SLOW_LOAD_SECONDS)
        watch.open()
        try:
            for name, called in self._packages.items():
                if not wanted(called):
                    continue
                path = f"{self._whose.folder}/{self.rows[name][0]}"
                watch.begin(self._slow(called, path))
                try:
                    is_whole = self._run_one(name, Place(path))
                finally:
                    watch.end()
                if not is_whole:
                    return
                yield called, name, path
        finally:
            watch.close()
            self._contents = {}

    def _slow(self, name: str, path: str) -> Told:
        def tell(seconds: float, thread: int) -> None:
            finding = slow_finding(path, path, seconds, thread)
            self._whose.tell([finding])
            log_slow(name, finding)

        return tell

    def _run_one(self, name: str, place: Place) -> bool:
        """Whether it could be run, and has nothing that a host would ask."""
        snapshot = Snapshot()
        undo = Undo(self._owns, snapshot.modules)
        intact = False
        try:
            __import__(name)
            intact = snapshot.put_back_builtins() and snapshot.is_intact(len(snapshot.modules))
        except BaseException as error:
            snapshot.put_back_builtins()
            undo()
            from plugline.blame import users_own_interrupt  # few packages fail

            if users_own_interrupt(error):
                raise
            return False
        finally:
            if not intact:
                self._whose.tell(snapshot.undo(name, place))
        return self._whose.host is None and is_plain_module(sys.modules.get(name))

    def _owns(self, name: str) -> bool:
        return name.partition(".")[0] in self._packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See :class:`importlib.abc.MetaPathFinder`."""
        if self._whose.host is not None or not self._owns(fullname):
            return None
        row = self.rows.get(fullname)
        if row is not None:
            return self._spec(fullname, row)
        if not self._may_be(fullname):
            return None
        self._whose.take_over()
        return FINDER.find_spec(fullname, path, target)

    def _may_be(self, fullname: str) -> bool:
        """Whether there is anything that a host could make a module of."""
        wanted = f"{self._whose.folder}/{fullname.replace('.', '/')}"
        return any(os.path.lexists(f"{wanted}{suffix}") for suffix in ("", ".py", ".pyc"))

    def _spec(self, fullname: str, row: Row) -> ModuleSpec:
        relative, is_package, digest, *_ = row
        path = f"{self._whose.folder}/{relative}"
        loader = RememberedLoader(self, row, path)
        if not digest:
            spec = ModuleSpec(fullname, loader, is_package=True)  # type: ignore[arg-type]  # it has all that is asked of it
            spec.submodule_search_locations = [path]
            return spec
        spec = ModuleSpec(fullname, loader, origin=path, is_package=is_package)  # type: ignore[arg-type]  # likewise
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(path)]
        return spec

    def run_module(self, module: ModuleType, loader: "RememberedLoader") -> None:
        """Run the bytes that a file has now; what they raise passes, and then they have left nothing."""
        _, _, digest, marshalled, may_patch = loader.row
        if not digest:
            return
        content = self._content_for(module.__name__, loader) if marshalled and self._whose.host is None else None
        if content is None:
            self._run_other(module)
            return
        code: CodeType = marshal.loads(marshalled)  # noqa: S302 - from a file that only we can write, with its digest checked
        loader.content = content
        effects, watch = Effects(), EffectsWatch(code, Mentions(content), may_patch=may_patch)
        try:
            try:
                run_keeping_builtins(lambda one: exec(one, module.__dict__), code)  # noqa: S102 - this is where a package is run
            finally:
                watch.end(effects, module.__name__)
        except BaseException:
            effects.undo()
            raise
        if effects.all:
            self._effects.append(effects)

    def _content_for(self, name: str, loader: "RememberedLoader") -> bytes | None:
        read = self._contents.pop(name, None)
        return read if read is not None else source_as_it_was(loader.path, loader.row[2])

    def close(self) -> None:
        """Let go of the modules, undo what they left but for what is to be called at exit, and find no more."""
        for effects in reversed(self._effects):
            effects.leave_exits()
            effects.undo()
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        forget_modules([name for name in tuple(sys.modules) if self._owns(name)])

    def _run_other(self, module: ModuleType) -> None:
        """Run what the host makes of a module whose file is not as it was."""
        self._whose.take_over()
        name = module.__name__
        spec, found = module.__spec__, FINDER.find_spec(name)
        if spec is None or found is None or found.loader is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        spec.loader = module.__loader__ = found.loader
        found.loader.exec_module(module)


class RememberedLoader:
    """Runs one module as it is remembered.

    Attributes:
        row: What is remembered of it.
        path: Its file.
        content: The bytes that were run, ``None`` before that.
    """

    __slots__ = ("__weakref__", "_recalled", "content", "path", "row")

    def __init__(self, recalled: Recalled, row: Row, path: str) -> None:
        self._recalled = recalled
        self.row = row
        self.path = path
        self.content: bytes | None = None

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        self._recalled.run_module(module, self)

    def get_source(self, fullname: str) -> str | None:
        """Return the text of the module as it was run, for ``linecache``."""
        from importlib.util import decode_source  # for tracebacks and people only

        return decode_source(self.content) if self.content is not None else None

    def get_resource_reader(self, fullname: str) -> object:
        """Return what ``importlib.resources`` reads a package's data files with."""
        from importlib.readers import FileReader  # seldom wanted

        return FileReader(self)  # type: ignore[arg-type]  # its path is all that is asked for

    def get_data(self, path: str) -> bytes:
        """Return the content of a data file, for :func:`pkgutil.get_data`."""
        with open(path, "rb") as file:
            return file.read()

    def is_package(self, fullname: str) -> bool:
        """Whether the module is a package, for ``runpy`` and ``pkgutil``."""
        return self.row[1]
