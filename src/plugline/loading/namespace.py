"""Private packages in ``sys.modules``, and the importer that fills them with bytes that were checked.

One meta path finder (:mod:`plugline.metapath`) serves all hosts of a process, because ``sys.modules`` and ``sys.meta_path`` belong to the
process. It stands first, answers only for names below a private package, and leaves when the last of these is released.

Invariants:
    1. A module below a private package is made of bytes that its host provided, never of a file that the
       path finder found by itself, and never of a ``__pycache__``.
    2. A name that somebody else has, loaded or importable, is never taken.

Threads: reserving and releasing lock; importing is guarded by the import system's own lock a module.
"""

import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import PathFinder
from _imp import extension_suffixes
from _thread import allocate_lock  # threading and weakref cost half a listing to import
from _weakref import ref

from plugline.discovery.trees import Tree, real_path
from plugline.files import SourceFile
from plugline.findings import Finding
from plugline.loading.modules import forget_modules, holds
from plugline.loading.traces import InertTrace, Trace, forget_functions, run_traced, with_functions
from plugline.lookup import find_module
from plugline.metapath import FINDER, numbered
from plugline.typed import Callable, CodeType, Mapping, ModuleType, Protocol, Sequence

Compiler = Callable[[bytes, str], CodeType]


class Provider(Protocol):
    """Who says which bytes a private module is made of: a host.

    Attributes:
        injected: Names that a module has before it runs.
    """

    @property
    def injected(self) -> Mapping[str, object]:
        """See the class."""

    def provide(self, namespace: "Namespace", relative: str) -> SourceFile | Finding:
        """Return the checked source of one file, or why it may not be run."""

    def compile(self, namespace: "Namespace", relative: str, source: SourceFile) -> tuple[CodeType, object]:
        """Return the code of that source, remembered or made now, and what :meth:`text` wants to see for it later.

        Raises what compiling raises.
        """

    def text(self, namespace: "Namespace", relative: str, ran: object) -> bytes | None:
        """Return the bytes that a file had when it was run, where they are remembered or still there."""

    def admit_native(self, namespace: "Namespace", relative: str) -> Finding | None:
        """Return what keeps a file of native code from being imported, which Python's own importer does."""

    def recall(self, namespace: "Namespace", relative: str, ran: object) -> CodeType | None:
        """Return a copy of the code that was run, where that is remembered."""


class Namespace:
    """One private package and the files behind it.

    Attributes:
        name: The dotted name of the package.
        tree: Where its modules come from.
        stems: For module parts that are not a file's own stem, the path of the file.
        left: What loads that failed have left, see :class:`~plugline.loading.modules.Undo`; given back to who imports it.
    """

    __slots__ = ("__weakref__", "_provider", "left", "name", "stems", "tree")

    def __init__(self, name: str, tree: Tree, provider: Provider) -> None:
        self.name = name
        self.tree = tree
        self.stems: dict[str, str] = {}
        self.left: dict[str, tuple[ModuleType, bool]] = {}
        # Weak, so that a host that nobody holds any more can go although it was never closed.
        self._provider = ref(provider)

    @property
    def abandoned(self) -> bool:
        """Whether its host is gone and none of its modules is loaded."""
        prefix = f"{self.name}."
        return self._provider() is None and not any(name.startswith(prefix) for name in list(sys.modules))

    def module_name(self, part: str) -> str:
        """Return the full name of the module with this last part."""
        return f"{self.name}.{part}"

    def owns(self, name: str) -> bool:
        """Whether a module of this name is one of its own."""
        return name.startswith(f"{self.name}.")

    def made(self, name: str) -> None:
        """Take note that a module of this name was made here."""

    def prepare(self) -> None:
        """Do what has to be done before any of its modules is run."""

    def give_back(self, name: str) -> ModuleType | None:
        """Return a module that was left, with what it has of others in ``sys.modules`` again, where all are what they would be now."""
        left = self.left
        if name not in left or self._forget_edited():
            return None
        given = [name]
        for one in given:
            given += [other for other in left if other not in given and holds(left[one][0], {other})]
        module = left.pop(name)[0]
        for one in given[1:]:
            parent, _, last = one.rpartition(".")
            sys.modules[one] = other = left.pop(one)[0]
            sys.modules.get(parent, other).__dict__[last] = other
        return module

    def forget_left(self) -> None:
        """Forget what was left where any of it is to run again: it was edited, or is a plugin that is asked again itself."""
        if not self._forget_edited() and any(is_plugin for _, is_plugin in self.left.values()):
            self.left.clear()

    def _forget_edited(self) -> bool:
        for module, _ in self.left.values():
            loader = module.__dict__.get("__loader__")
            if not isinstance(loader, PrivateLoader) or loader.trace is None:
                continue
            if self.text(loader.relative, None) != loader.trace.content:
                self.left.clear()
                return True
        return False

    def locate(self, parts: Sequence[str]) -> tuple[str, bool] | None:
        """Return the file for a module's name below the package, with whether it is a package itself."""
        for length in range(len(parts), 0, -1):
            entry = self.stems.get(".".join(parts[:length]))
            # What is plain, and was another file before, is not noted anew.
            if entry is None or (not self.tree.is_file(entry) and self._file_at("/".join(parts[:length]))):
                continue
            if length == len(parts):
                return entry, entry.endswith("/__init__.py")
            if not entry.endswith("/__init__.py"):
                return None
            return self._file_at("/".join([entry.rpartition("/")[0], *parts[length:]]))
        above = self.folder(parts[:-1])
        found = self._file_at("/".join([above, parts[-1]] if above else [parts[-1]]))
        return found if found is not None else self._locate_odd(parts)

    def locate_anew(self, name: str, gone: str) -> str | None:
        """Return the file that a module's has become: a file is a package now, or a package a file.

        Args:
            name: The module's full name.
            gone: The file that it was made of, which is there no more.
        """
        part = name[len(self.name) + 1 :]
        if self.tree.is_file(gone):
            return None
        # What is noted of it is noted of the file that is gone.
        is_noted = self.stems.get(part) == gone
        stem = gone.removesuffix("/__init__.py").removesuffix(".py")
        located = self._file_at(stem) if is_noted else self.locate(part.split("."))
        return located[0] if located is not None and located[0] != gone else None

    def lead_to(self, name: str, relative: str) -> None:
        """Let a module's full name lead to another file, where it is noted to which one it leads."""
        part = name[len(self.name) + 1 :]
        if part in self.stems:
            self.stems[part] = relative

    def _file_at(self, path: str) -> tuple[str, bool] | None:
        if self.tree.is_file(f"{path}/__init__.py"):
            return f"{path}/__init__.py", True
        return (f"{path}.py", False) if self.tree.is_file(f"{path}.py") else None

    def find_compiled(self, parts: Sequence[str]) -> str | None:
        """Return the file by which Python would import a module that has no source here: native or compiled code."""
        above = self.folder(parts[:-1])
        path = "/".join([above, parts[-1]] if above else [parts[-1]])
        found = (path + suffix for suffix in (*extension_suffixes(), ".pyc"))
        return next(filter(self.tree.is_file, found), None)

    def admit_compiled(self, relative: str, fullname: str) -> None:
        """Ask whether such a file may be imported, which Python's own importer does.

        Raises:
            PluginRejected: It is native code, and may not.
            ImportError: Nobody can look into it, and neither lock file nor audit says anything of it.
        """
        if relative.endswith(".pyc"):
            path = real_path(self.tree, relative)
            message = f"{path!r} is compiled code without its source, and cannot be checked: put the .py file beside it"
            raise ImportError(message, name=fullname, path=path)
        provider = self._provider()
        found = provider.admit_native(self, relative) if provider is not None else None
        if found is not None:
            from plugline.errors import PluginRejected  # as in source()

            raise PluginRejected(relative, (found,))

    def has_folder(self, parts: Sequence[str]) -> bool:
        """Whether a name below the package is that of a folder without ``__init__.py``."""
        names = self.tree.names(self.folder(parts))
        return not isinstance(names, Finding) and bool(names)

    def real_folder(self, parts: Sequence[str]) -> str:
        """Return the absolute path of the folder for a dotted name."""
        return real_path(self.tree, self.folder(parts))

    def folder(self, parts: Sequence[str]) -> str:
        """Return the folder for a dotted name: that of a plugin in it which is known, else the one of that very name."""
        before = ".".join([*parts, ""])
        known = next((entry for stem, entry in self.stems.items() if parts and stem.startswith(before)), None)
        return "/".join(known.split("/")[: len(parts)] if known is not None else parts)

    def _locate_odd(self, parts: Sequence[str]) -> tuple[str, bool] | None:
        """Look for a file whose name has dots, when nobody has listed the folder yet: a pickle may come first."""
        from plugline.discovery.candidates import FileCandidate  # few names have dots
        from plugline.discovery.finders import find_in_tree

        name = ".".join(parts)
        for candidate in find_in_tree(self.tree, nested=len(parts) > 1).candidates:
            if isinstance(candidate, FileCandidate) and candidate.module == name != candidate.name:
                self.stems[name] = candidate.entry
                return self.locate(parts)
        return None

    @property
    def injected(self) -> Mapping[str, object]:
        """The names that its modules have before they run."""
        provider = self._provider()
        return provider.injected if provider is not None else {}

    def source(self, relative: str) -> SourceFile:
        """Return the bytes of a file that may be run.

        Raises:
            ImportError: The host is gone.
            PluginRejected: The file may not be run, or cannot be read.
        """
        provider = self._provider()
        if provider is None:
            raise ImportError(f"the host of {self.name!r} is closed")
        found = provider.provide(self, relative)
        if isinstance(found, Finding):
            from plugline.errors import PluginRejected  # twenty classes, and few plugins are refused so late

            raise PluginRejected(relative, (found,))
        return found

    def code(self, relative: str, source: SourceFile) -> tuple[CodeType, object]:
        """Return what is run for a source that :meth:`source` returned, and what :meth:`text` wants to see for it."""
        provider = self._provider()
        if provider is None:
            from plugline.discovery.compiling import compile_source  # most often the host has it

            return compile_source(source.content, real_path(self.tree, relative)), source
        return provider.compile(self, relative, source)

    def text(self, relative: str, ran: object) -> bytes | None:
        """Return the bytes of a file that were run, be it gone or another by now; ``None`` where nobody has them.

        Args:
            ran: The bytes, or what the host knows them by; ``None`` where nothing was run yet.
        """
        if isinstance(ran, SourceFile):
            return ran.content
        if ran is None:
            found = self.tree.read(relative)
            return found.content if isinstance(found, SourceFile) else None
        provider = self._provider()
        return provider.text(self, relative, ran) if provider is not None else None

    def recall(self, relative: str, ran: object) -> CodeType | None:
        """Return a copy of the code of a file that was run, which the host knows by ``ran``."""
        provider = self._provider()
        return provider.recall(self, relative, ran) if provider is not None else None


def reader_of(tree: Tree, folder: str, loader: object) -> object:
    """Return what ``importlib.resources`` reads the data files of a package with.

    Args:
        folder: The package's folder in the tree.
        loader: Has the ``path`` of a file in that folder.
    """
    resources = getattr(tree, "resources", None)
    if resources is not None:
        found: object = resources(folder)
        return found
    from importlib.readers import FileReader  # half of the standard library, seldom wanted

    return FileReader(loader)  # type: ignore[arg-type]  # its path is all that is asked for


class RootLoader:
    """Makes a package that has no file: the private one itself, or a folder in it.

    Args:
        folder: Where its files are in the tree of that.
    """

    __slots__ = ("_folder", "_namespace")

    def __init__(self, namespace: Namespace, folder: str = "") -> None:
        self._namespace = namespace
        self._folder = folder

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is run in it."""
        self._namespace.made(module.__name__)

    def get_resource_reader(self, fullname: str) -> object:
        """Return what ``importlib.resources`` reads the data files beside its plugins with."""
        return reader_of(self._namespace.tree, self._folder, self)

    @property
    def path(self) -> str:
        """A file that would be in it, for :meth:`get_resource_reader`."""
        return real_path(self._namespace.tree, f"{self._folder}/__init__.py" if self._folder else "__init__.py")


class PrivateLoader:
    """Runs one private module.

    ``inspect.getsource`` and tracebacks find its text through :meth:`get_source` where the file is gone.

    Attributes:
        relative: Its file, in the tree of that package.
        name: The module's full name, as any loader of a file has it.
    """

    __slots__ = ("__weakref__", "_ran", "_trace", "name", "namespace", "relative")

    def __init__(self, namespace: Namespace, relative: str, name: str, ran: object = None) -> None:
        self.namespace = namespace
        self.relative = relative
        self.name = name
        self._trace: Trace | None = None
        self._ran = ran

    @property
    def trace(self) -> Trace | None:
        """What running it did; ``None`` before that."""
        if self._trace is None:
            self._trace = self._find_trace()
        return self._trace

    @trace.setter
    def trace(self, trace: Trace) -> None:
        self._trace = trace

    @property
    def has_run(self) -> bool:
        """Whether it has run to its end."""
        return self._trace is not None

    def _find_trace(self) -> Trace | None:
        return None

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the bytes that the host provides; what they raise passes."""
        source = self.namespace.source(self.relative)
        self.namespace.made(module.__name__)
        code, self._ran = self.namespace.code(self.relative, source)
        self.run(module, Trace(module.__name__, self.path, source.content, code))

    def run(self, module: ModuleType, trace: Trace) -> None:
        """Run code in a module; what it raises passes, and then it has left nothing."""
        names = module.__dict__
        names.update(self.namespace.injected)
        run_traced(trace, names)
        self.trace = trace

    def get_source(self, fullname: str) -> str | None:
        """Return the text of the module as it was run, for ``linecache``; ``None`` where that is not known."""
        from importlib.util import decode_source  # for tracebacks and people only

        found = self._content()
        if found is None:
            return None
        try:
            return decode_source(found)
        except (SyntaxError, UnicodeDecodeError):
            return found.decode("utf-8", "replace")

    def _content(self) -> bytes | None:
        return self._trace.content if self._trace is not None else self.namespace.text(self.relative, self._ran)

    def get_resource_reader(self, fullname: str) -> object:
        """Return what ``importlib.resources`` reads a package plugin's data files with."""
        return reader_of(self.namespace.tree, self.relative.rpartition("/")[0], self)

    def get_data(self, path: str) -> bytes:
        """Return the content of a data file beside the module, for :func:`pkgutil.get_data`."""
        packed = getattr(self.namespace.tree, "data", None)
        if packed is not None:
            found: bytes = packed(path)
            return found
        with open(path, "rb") as file:
            return file.read()

    @property
    def path(self) -> str:
        """The file, for :meth:`get_resource_reader`."""
        return real_path(self.namespace.tree, self.relative)

    def get_code(self, fullname: str) -> CodeType:
        """Return the code that running the module now would run, for ``runpy``; the host looks at it as ever.

        Raises:
            ImportError: The host is gone.
            PluginRejected: The file may not be run, or cannot be read.
        """
        return self.namespace.code(self.relative, self.namespace.source(self.relative))[0]

    def is_package(self, fullname: str) -> bool:
        """Whether the module is a package, for ``runpy`` and ``pkgutil``."""
        return self.relative.endswith("__init__.py")


class _Returner:
    """Gives back a module that ran before."""

    __slots__ = ("_module", "_spec")

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Leave it as it is."""
        module.__spec__ = self._spec


class InertLoader(PrivateLoader):
    """Tells of one inert module that was run, of which neither text nor code was kept: both are remembered on disk.

    What running it did is put together when it is first asked for, which few programs ever do.

    Attributes:
        began: When it began to run, in seconds since 1970.
        functions: The code of its functions, as :func:`~plugline.discovery.bundle.outer_functions` returns it.
    """

    __slots__ = ("began", "functions")

    def __init__(self, namespace: Namespace, relative: str, name: str, ran: object) -> None:
        super().__init__(namespace, relative, name, ran)
        self.began = 0.0  # it has not run yet
        self.functions: tuple[CodeType, ...] = ()

    def __del__(self) -> None:
        forget_functions(self.functions)

    @property
    def has_run(self) -> bool:
        """See :class:`PrivateLoader`."""
        return self.began > 0

    def _find_trace(self) -> Trace | None:
        functions = self.functions
        if self._trace is not None or not self.began:
            return self._trace  # another thread was first, or nothing has run
        trace = InertTrace(self.name, self.path, self._content() or b"", self._code(functions))
        trace.began = self.began
        self._trace = trace
        self.functions = ()  # they are its own now, and not let go of before it is there
        return trace

    def _code(self, functions: tuple[CodeType, ...]) -> CodeType:
        """Return the code that was run, in which its living functions have the places of their own."""
        remembered = self.namespace.recall(self.relative, self._ran)
        if remembered is None:
            # The disk has lost it: then all of the next version is new.
            remembered = compile("...", self.path, "exec")
            return remembered.replace(co_consts=functions)
        return with_functions(remembered, iter(functions))


class _PrivateFinder:
    """Finds the modules of all private packages of the process, for :data:`plugline.metapath.FINDER`."""

    def __init__(self) -> None:
        self.namespaces: dict[str, Namespace] = {}
        self.shared: tuple[SharedNamespace, ...] = ()
        self.top: tuple[TopNamespace, ...] = ()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for name, namespace in self.namespaces.items():
            if fullname == name:
                return root_spec(namespace)
            if fullname.startswith(f"{name}."):
                return spec_below(namespace, fullname)
        for shared in self.shared:
            if fullname.startswith(f"{shared.name}.") and shared.answers(fullname, target):
                spec = spec_below(shared, fullname)
                if spec is not None:
                    return spec
        for top in self.top:
            if top.owns(fullname):
                return spec_below(top, fullname)
        return None


def root_spec(namespace: Namespace) -> ModuleSpec:
    """Return the import specification of a private package itself: that of a package without a file, in the folder of its plugins."""
    spec = ModuleSpec(namespace.name, RootLoader(namespace), is_package=True)  # type: ignore[arg-type]
    # Who asks where a plugin's files are (Flask, for its templates) asks this.
    spec.submodule_search_locations = [namespace.real_folder(())]
    return spec


def spec_below(namespace: Namespace, fullname: str) -> ModuleSpec | None:
    """Return the import specification of a module of a namespace, ``None`` where it has no such file."""
    parts = fullname.removeprefix(namespace.name).removeprefix(".").split(".")
    located = namespace.locate(parts)
    if located is None:
        # As Python has it, a folder comes last: one of stubs often lies beside native code of its name.
        compiled = namespace.find_compiled(parts)
        if compiled is not None:
            namespace.admit_compiled(compiled, fullname)
            return None
        if not namespace.has_folder(parts):
            return None
        root = RootLoader(namespace, namespace.folder(parts))
        spec = ModuleSpec(fullname, root, is_package=True)  # type: ignore[arg-type]
        # As for a package, and as Python has it: who looks for what is in it looks there.
        spec.submodule_search_locations = [namespace.real_folder(parts)]
        return spec
    left = namespace.give_back(fullname) if namespace.left else None
    return spec_of(namespace, fullname, located, _Returner(left) if left is not None else None)


def spec_of(namespace: Namespace, fullname: str, located: tuple[str, bool], loader: object = None) -> ModuleSpec:
    """Return the import specification of a module that is made of a file of a namespace, be it there or gone."""
    relative, is_package = located
    origin = real_path(namespace.tree, relative)
    loader = loader or PrivateLoader(namespace, relative, fullname)
    spec = ModuleSpec(fullname, loader, origin=origin, is_package=is_package)  # type: ignore[arg-type]
    spec.has_location = True
    if is_package:
        # The real folder: extension modules and data files of a package plugin are found there as usual.
        spec.submodule_search_locations = [real_path(namespace.tree, relative.rpartition("/")[0])]
    return spec


_finder = _PrivateFinder()

_lock = allocate_lock()


def reserve(wanted: str, tree: Tree, provider: Provider, *, exact: bool) -> Namespace:
    """Take a private package name, ``wanted`` or, where that is taken, ``wanted_2`` and so on.

    Args:
        provider: Who says which bytes are run; held weakly.
        exact: Whether only ``wanted`` itself will do.

    Raises:
        ValueError: ``exact``, and the name is taken or is no name.
    """
    if exact and not all(part.isidentifier() for part in wanted.split(".")):
        raise ValueError(f"namespace {wanted!r} is not a dotted name")
    parent = wanted.rpartition(".")[0]
    if parent and getattr(find_module(parent), "submodule_search_locations", None) is None:
        raise ValueError(f"namespace {wanted!r} is below {parent!r}, which is no package")
    with _lock:
        # Hosts that were dropped without being closed, and left nothing loaded, hold their names no longer.
        _finder.namespaces = {key: known for key, known in _finder.namespaces.items() if not known.abandoned}
        name = wanted
        number = 1
        while _is_taken(name, tree):
            if exact:
                raise ValueError(f"namespace {wanted!r} is taken by another module or host")
            number += 1
            name = f"{wanted}_{number}"
        namespace = Namespace(name, tree, provider)
        _finder.namespaces = {**_finder.namespaces, name: namespace}
        numbered.pop(name, None)  # of a host that was dropped
        if name != wanted:
            numbered[name] = wanted
        stand_first()
        return namespace


class SharedNamespace(Namespace):
    """Plugins of a folder that stand below a real package, which belongs to somebody else.

    The package, and what it has by itself, is imported as by anybody. A name that it has is never taken: the plugin's
    module gets a number. Where the folder is the package's own, what was imported before stays as it is.
    """

    __slots__ = ("_made", "_parts")

    def __init__(self, name: str, tree: Tree, provider: Provider) -> None:
        super().__init__(name, tree, provider)
        self._made: set[str] = set()
        self._parts: dict[str, str] = {}

    @property
    def abandoned(self) -> bool:
        """See :class:`Namespace`."""
        return self._provider() is None and self._made.isdisjoint(sys.modules)

    def owns(self, name: str) -> bool:
        """See :class:`Namespace`: only what was made here."""
        return name in self._made

    def made(self, name: str) -> None:
        """See :class:`Namespace`."""
        self._made.add(name)

    def prepare(self) -> None:
        """See :class:`Namespace`: import the package, whose doing is none of its plugins'."""
        if self.name not in sys.modules:
            try:
                __import__(self.name)
            except (Exception, SystemExit):  # noqa: BLE001 - it will fail for the plugin again, and be told as its failure
                return

    def admit_compiled(self, relative: str, fullname: str) -> None:
        """See :class:`Namespace`; what a real package has is its own affair."""

    def module_name(self, part: str) -> str:
        """See :class:`Namespace`; the part gets a number where somebody else has it."""
        if part not in self._parts:
            free = part
            number = 1
            while self._is_others(free, part):
                number += 1
                free = f"{part}_{number}"
            located = self.locate(part.split("."))
            if free != part and located is not None:
                self.stems[free] = located[0]
            self._parts[part] = free
        return super().module_name(self._parts[part])

    def answers(self, fullname: str, target: ModuleType | None) -> bool:
        """Whether the import of a name is this namespace's to answer."""
        package = sys.modules.get(self.name)
        # What the package imports while it is imported itself is its own affair, and so is a reload of what it has.
        if getattr(getattr(package, "__spec__", None), "_initializing", False):
            return False
        if target is not None and fullname not in self._made:
            return False
        part = fullname[len(self.name) + 1 :]
        return part in self._parts.values() or not self._is_others(part, part)

    def _is_others(self, free: str, part: str) -> bool:
        name = f"{self.name}.{free}"
        if name in self._made:
            return False
        located = self.locate(part.split("."))
        own = os.path.realpath(real_path(self.tree, located[0])) if located is not None else ""
        if any(other.owns(name) for other in _finder.shared if other is not self):
            return True
        if name in sys.modules:
            return os.path.realpath(getattr(sys.modules[name], "__file__", None) or "") != own
        spec = find_module(self.name)
        folders = list(getattr(spec, "submodule_search_locations", None) or ())
        if [os.path.realpath(folder) for folder in folders] == [os.path.realpath(self.tree.real)]:
            return False
        if any(other.has(free) for other in self._others()):
            return True
        if "." in free:
            return False
        if free in getattr(sys.modules.get(self.name), "__dict__", {}):
            return True  # a function of the package's, say
        found = PathFinder.find_spec(name, folders)
        return found is not None and os.path.realpath(found.origin or "") != own

    def _others(self) -> "list[SharedNamespace]":
        """Return those that came before this one."""
        before = _finder.shared[: _finder.shared.index(self)] if self in _finder.shared else ()
        return [other for other in before if other.name == self.name and other.tree.real != self.tree.real]

    def has(self, part: str) -> bool:
        """Whether a module of this name below the package is this namespace's."""
        return part in self._parts.values() or self.locate(part.split(".")) is not None


class TopNamespace(Namespace):
    """Plugins of a folder that stand at the top level, each under its own name.

    For programs whose plugins import themselves by their own name, as installed ones do. Answers only for the names that
    were claimed, and a name that anybody else has is not given away.
    """

    __slots__ = ("_claimed",)

    def __init__(self, tree: Tree, provider: Provider) -> None:
        super().__init__("", tree, provider)
        self._claimed: set[str] = set()

    @property
    def abandoned(self) -> bool:
        """See :class:`Namespace`."""
        return self._provider() is None and self._claimed.isdisjoint(sys.modules)

    def owns(self, name: str) -> bool:
        """See :class:`Namespace`."""
        return name.partition(".")[0] in self._claimed

    def module_name(self, part: str) -> str:
        """See :class:`Namespace`; there is nothing before it."""
        return part

    def claim(self, part: str, entry: str) -> str | None:
        """Take the name of a file of the tree, or say who has it."""
        top = part.partition(".")[0]
        if top in self._claimed:
            return None
        if not all(piece.isidentifier() for piece in part.split(".")):
            return "it is no name that can be imported"
        spec = find_module(top)
        if spec is None and top in sys.modules:
            return f"{top!r} is loaded already"
        if spec is not None and not self._is_own(spec.origin, entry):
            return f"{top!r} is {_whose(spec)}"
        self._claimed.add(top)
        return None

    def _is_own(self, origin: str | None, entry: str) -> bool:
        return os.path.realpath(origin or "") == os.path.realpath(real_path(self.tree, entry))


def _whose(spec: ModuleSpec) -> str:
    if spec.name in sys.stdlib_module_names:
        return "a module of the standard library"
    return f"the module at {spec.origin}" if spec.origin is not None else "a package elsewhere"


def stand_at_top(tree: Tree, provider: Provider) -> TopNamespace:
    """Let the files of a tree stand at the top level, each under a name that it claims."""
    with _lock:
        namespace = TopNamespace(tree, provider)
        _finder.top = (*(known for known in _finder.top if not known.abandoned), namespace)
        stand_first()
        return namespace


def share(package: str, tree: Tree, provider: Provider) -> SharedNamespace:
    """Let the files of a tree stand below a real package.

    Raises:
        ValueError: There is no such package.
    """
    # str: who gives the package itself is told, too, that a name was expected.
    spec = find_module(package) if all(part.isidentifier() for part in str(package).split(".")) else None
    if spec is None or spec.submodule_search_locations is None:
        raise ValueError(f"package {package!r} is not a package that can be imported")
    with _lock:
        namespace = SharedNamespace(package, tree, provider)
        _finder.shared = (*(known for known in _finder.shared if not known.abandoned), namespace)
        stand_first()
        return namespace


def stand_first() -> None:
    """Make sure that imports ask our finder, which a plugin or a test may have taken out."""
    FINDER.find = _finder.find_spec
    FINDER.stand_first()


def _is_taken(name: str, tree: Tree) -> bool:
    if name in _finder.namespaces or name in sys.modules:
        return True
    spec = find_module(name)
    if spec is None:
        return False
    # A folder beside the program is importable as a namespace package; when it is the plugin folder
    # itself, that is the very name that people expect.
    locations = list(spec.submodule_search_locations or ())
    return spec.origin is not None or locations != [tree.real]


def release(namespace: Namespace) -> None:
    """Give a private package back: its modules leave ``sys.modules``, and the finder goes with the last one."""
    with _lock:
        root = ""
        namespace.left.clear()
        if _finder.namespaces.get(namespace.name) is namespace:
            root = namespace.name
            _finder.namespaces = {name: ns for name, ns in _finder.namespaces.items() if ns is not namespace}
            numbered.pop(root, None)
        _finder.shared = tuple(shared for shared in _finder.shared if shared is not namespace)
        _finder.top = tuple(top for top in _finder.top if top is not namespace)
        forget_modules([key for key in tuple(sys.modules) if (root and key == root) or namespace.owns(key)])
        if not _finder.namespaces and not _finder.shared and not _finder.top:
            FINDER.find = None
            FINDER.leave()


def empty(namespace: Namespace) -> None:
    """Let go of all modules of a namespace, which stays reserved; the private package itself is made again on use."""
    with _lock:
        namespace.left.clear()
        root = namespace.name if _finder.namespaces.get(namespace.name) is namespace else ""
        forget_modules([key for key in tuple(sys.modules) if (root and key == root) or namespace.owns(key)])


def namespaces() -> tuple[Namespace, ...]:
    """Return all private packages of the process, and what stands in packages of programs."""
    return (*_finder.namespaces.values(), *_finder.shared, *_finder.top)
