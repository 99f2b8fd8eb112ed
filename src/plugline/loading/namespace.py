"""Private packages in ``sys.modules``, and the importer that fills them with bytes that were checked.

One meta path finder serves all hosts of a process, because ``sys.modules`` and ``sys.meta_path`` belong to the
process. It stands first, answers only for names below a private package, and leaves when the last of these is released.

Invariants:
    1. A module below a private package is made of bytes that its host provided, never of a file that the
       path finder found by itself, and never of a ``__pycache__``.
    2. A name that somebody else has, loaded or importable, is never taken.

Threads: reserving and releasing lock; importing is guarded by the import system's own lock a module.
"""

import sys
from _thread import allocate_lock  # threading and weakref cost half a listing to import
from _weakref import ref
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Protocol

from plugline.discovery.candidates import FileCandidate
from plugline.discovery.finders import find_in_tree
from plugline.discovery.trees import Tree, real_path
from plugline.errors import PluginRejected
from plugline.files import SourceFile
from plugline.findings import Finding
from plugline.imports import find_module
from plugline.loading.running import forget_modules


class Provider(Protocol):
    """Who says which bytes a private module is made of: a host."""

    def provide(self, namespace: "Namespace", relative: str) -> SourceFile | Finding:
        """Return the checked source of one file, or why it may not be run."""


class Namespace:
    """One private package and the files behind it.

    Attributes:
        name: The dotted name of the package.
        tree: Where its modules come from.
        stems: For module parts that are not a file's own stem, the path of the file.
    """

    __slots__ = ("__weakref__", "_provider", "name", "stems", "tree")

    def __init__(self, name: str, tree: Tree, provider: Provider) -> None:
        self.name = name
        self.tree = tree
        self.stems: dict[str, str] = {}
        # Weak, so that a host that nobody holds any more can go although it was never closed.
        self._provider = ref(provider)

    @property
    def abandoned(self) -> bool:
        """Whether its host is gone and none of its modules is loaded."""
        prefix = f"{self.name}."
        return self._provider() is None and not any(name.startswith(prefix) for name in sys.modules)

    def module_name(self, part: str) -> str:
        """Return the full name of the module with this last part."""
        return f"{self.name}.{part}"

    def locate(self, parts: Sequence[str]) -> tuple[str, bool] | None:
        """Return the file for a module's name below the package, with whether it is a package itself."""
        first = self.stems.get(parts[0])
        if first is not None:
            if len(parts) == 1:
                return first, first.endswith("/__init__.py")
            path = "/".join([first.rpartition("/")[0], *parts[1:]])
        else:
            path = "/".join(parts)
        if self.tree.is_file(f"{path}/__init__.py"):
            return f"{path}/__init__.py", True
        if self.tree.is_file(f"{path}.py"):
            return f"{path}.py", False
        return self._locate_odd(parts) if first is None else None

    def _locate_odd(self, parts: Sequence[str]) -> tuple[str, bool] | None:
        """Look for a file whose name has dots, when nobody has listed the folder yet: a pickle may come first."""
        for candidate in find_in_tree(self.tree).candidates:
            if isinstance(candidate, FileCandidate) and candidate.module == parts[0] != candidate.name:
                self.stems[parts[0]] = candidate.entry
                return self.locate(parts)
        return None

    def source(self, relative: str) -> SourceFile:
        """Return the bytes of a file that may be run.

        Raises:
            ImportError: The host is gone.
            PluginRejected: The file may not be run, or cannot be read.
        """
        provider = self._provider()
        if provider is None:
            message = f"the host of {self.name!r} is closed"
            raise ImportError(message)
        found = provider.provide(self, relative)
        if isinstance(found, Finding):
            raise PluginRejected(relative, (found,))
        return found


class _RootLoader:
    """Makes the private package itself, which has no file."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is run in it."""


class PrivateLoader:
    """Runs one private module.

    ``inspect.getsource`` and tracebacks find its text through :meth:`get_source` where the file is gone.
    """

    def __init__(self, namespace: Namespace, relative: str) -> None:
        self._namespace = namespace
        self._relative = relative

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the bytes that the host provides; what they raise passes."""
        source = self._namespace.source(self._relative)
        exec(self._compile(source), module.__dict__)  # noqa: S102 - this is where a plugin is run

    def _compile(self, source: SourceFile) -> CodeType:
        return compile(source.content, self.path, "exec", dont_inherit=True)

    def get_source(self, fullname: str) -> str | None:
        """Return the text of the module as it is now, for ``linecache``."""
        found = self._namespace.tree.read(self._relative)
        return None if isinstance(found, Finding) else found.content.decode("utf-8", "replace")

    def get_resource_reader(self, fullname: str) -> object:
        """Return what ``importlib.resources`` reads a package plugin's data files with."""
        from importlib.readers import FileReader  # noqa: PLC0415 - half of the standard library, seldom wanted

        return FileReader(self)  # type: ignore[arg-type]  # its path is all that is asked for

    @property
    def path(self) -> str:
        """The file, for :meth:`get_resource_reader`."""
        return real_path(self._namespace.tree, self._relative)

    def is_package(self, fullname: str) -> bool:
        """Whether the module is a package, for ``runpy`` and ``pkgutil``."""
        return self._relative.endswith("__init__.py")


class _PrivateFinder:
    """The meta path finder for all private packages of the process."""

    def __init__(self) -> None:
        self.namespaces: dict[str, Namespace] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for name, namespace in self.namespaces.items():
            if fullname == name:
                return ModuleSpec(fullname, _RootLoader(), is_package=True)  # type: ignore[arg-type]
            if fullname.startswith(f"{name}."):
                return _spec_below(namespace, fullname, fullname[len(name) + 1 :].split("."))
        return None


def _spec_below(namespace: Namespace, fullname: str, parts: Sequence[str]) -> ModuleSpec | None:
    located = namespace.locate(parts)
    if located is None:
        return None
    relative, is_package = located
    origin = real_path(namespace.tree, relative)
    loader = PrivateLoader(namespace, relative)
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
        wanted: The name that is asked for.
        tree: The files behind it.
        provider: Who says which bytes are run; held weakly.
        exact: Whether only ``wanted`` itself will do.

    Raises:
        ValueError: ``exact``, and the name is taken or is no name.
    """
    if exact and not all(part.isidentifier() for part in wanted.split(".")):
        message = f"namespace {wanted!r} is not a dotted name"
        raise ValueError(message)
    parent = wanted.rpartition(".")[0]
    if parent and getattr(find_module(parent), "submodule_search_locations", None) is None:
        message = f"namespace {wanted!r} is below {parent!r}, which is no package"
        raise ValueError(message)
    with _lock:
        # Hosts that were dropped without being closed, and left nothing loaded, hold their names no longer.
        _finder.namespaces = {key: known for key, known in _finder.namespaces.items() if not known.abandoned}
        name = wanted
        number = 1
        while _is_taken(name, tree):
            if exact:
                message = f"namespace {wanted!r} is taken by another module or host"
                raise ValueError(message)
            number += 1
            name = f"{wanted}_{number}"
        namespace = Namespace(name, tree, provider)
        _finder.namespaces = {**_finder.namespaces, name: namespace}
        stand_first()
        return namespace


def stand_first() -> None:
    """Make sure that imports ask our finder, which a plugin or a test may have taken out."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


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
        if _finder.namespaces.get(namespace.name) is namespace:
            _finder.namespaces = {name: ns for name, ns in _finder.namespaces.items() if ns is not namespace}
        prefix = f"{namespace.name}."
        forget_modules([key for key in sys.modules if key == namespace.name or key.startswith(prefix)])
        if not _finder.namespaces and _finder in sys.meta_path:
            sys.meta_path.remove(_finder)


def private_names() -> tuple[str, ...]:
    """Return the names of all private packages of the process."""
    return tuple(_finder.namespaces)
