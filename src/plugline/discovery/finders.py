"""Which candidates a place holds: a folder, a file, a package, a mapping, entry points."""

import os
from collections.abc import Mapping
from typing import Protocol

from plugline.discovery.candidates import FileCandidate, Found, ModuleCandidate
from plugline.discovery.trees import DiskTree, Tree, shown_path
from plugline.findings import Finding, Place
from plugline.imports import find_module
from plugline.names import is_plugin_file_name, module_part


class Finder(Protocol):
    """Says which candidates a place holds. Never runs a plugin, never raises because of one.

    Attributes:
        namespace: What the private package of the place's modules would like to be called; ``None`` for a
            finder of installed modules, which keep their own names.
        tree: The files of the place, ``None`` likewise.
    """

    @property
    def namespace(self) -> str | None:
        """See the class."""

    @property
    def tree(self) -> Tree | None:
        """See the class."""

    def find(self) -> Found:
        """Look at the place as it is now."""


class Folder:
    """The ``.py`` files and the packages of a folder, sorted by name.

    Names that begin with ``_`` or ``.`` are no plugins, but plugins may import them relatively. A folder without
    ``__init__.py`` is no plugin. File names need not be identifiers.

    Args:
        path: The folder; it need not exist yet.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.tree: Tree | None = DiskTree(self.path)

    @property
    def namespace(self) -> str | None:
        """The folder's name."""
        return module_part(os.path.basename(os.path.abspath(self.path))) or "plugins"

    def __repr__(self) -> str:
        return f"Folder({self.path!r})"

    def find(self) -> Found:
        """See :class:`Finder`."""
        assert self.tree is not None  # noqa: S101 - a folder always has one
        return find_in_tree(self.tree)


class Carried:
    """Plugins that travel as data in a :class:`~plugline.discovery.trees.MemoryTree`."""

    def __init__(self, tree: Tree, namespace: str) -> None:
        self.tree: Tree | None = tree
        self.namespace: str | None = namespace

    def find(self) -> Found:
        """See :class:`Finder`."""
        assert self.tree is not None  # noqa: S101 - it was given one
        return find_in_tree(self.tree)


def find_in_tree(tree: Tree) -> Found:
    """Return the candidates at the root of a tree."""
    names = tree.names()
    if isinstance(names, Finding):
        return Found(findings=(names,))
    candidates = []
    refused = []
    # A file's own name goes before one that only becomes it: a_b.py before a.b.py.
    taken = {stem for stem in (name.removesuffix(".py") for name, _ in names) if "." not in stem}
    for name, is_folder in names:
        if not is_plugin_file_name(name):
            continue
        part = module_part(name if is_folder else name.removesuffix(".py"), taken)
        if is_folder and tree.is_file(f"{name}/__init__.py"):
            candidates.append(FileCandidate(name, tree, f"{name}/__init__.py", part))
        elif name.endswith(".py") and is_folder:
            hint = "rename it, or give it an __init__.py to make it a package"
            place = Place(shown_path(tree, name))
            refused.append(
                (name[:-3], Finding("P102", "is a directory, a regular file was expected", place, hint=hint))
            )
        elif name.endswith(".py") and len(name) > len(".py"):
            candidates.append(FileCandidate(name[:-3], tree, name, part))
    return Found(tuple(candidates), (), tuple(refused))


class File:
    """One plugin by its path: a ``.py`` file, or a package folder.

    Its private module name is ``plugins.<stem>``. It may import its neighbours relatively.
    """

    namespace: str | None = "plugins"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        folder, self._name = os.path.split(self.path.rstrip("/"))
        self.tree: Tree | None = DiskTree(folder)

    def __repr__(self) -> str:
        return f"File({self.path!r})"

    def find(self) -> Found:
        """See :class:`Finder`."""
        assert self.tree is not None  # noqa: S101 - a file always has one
        name = self._name
        if os.path.isdir(self.path):
            entry, stem = f"{name}/__init__.py", name
            if not self.tree.is_file(entry):
                message = "is a directory without __init__.py, a file or a package was expected"
                return Found(refused=((name, Finding("P102", message, Place(self.path))),))
        else:
            entry, stem = name, name.removesuffix(".py")
        return Found((FileCandidate(stem, self.tree, entry, module_part(stem)),))


class Package:
    """The modules of an installed package whose names follow a pattern.

    ``Package("formatters", pattern="{}_formatter")`` makes ``json`` of ``formatters.json_formatter``. Nothing is
    imported to find them, the package itself included. The modules are imported under their own names.

    Args:
        name: The dotted name of the package.
        pattern: The module's name, with ``{}`` for the plugin's.
    """

    namespace: str | None = None
    tree: Tree | None = None

    def __init__(self, name: str, pattern: str = "{}") -> None:
        if pattern.count("{}") != 1:
            message = f"pattern {pattern!r} was expected to hold '{{}}' once, for the plugin's name"
            raise ValueError(message)
        self.name = name
        self.pattern = pattern

    def __repr__(self) -> str:
        return f"Package({self.name!r}, pattern={self.pattern!r})"

    def find(self) -> Found:
        """See :class:`Finder`."""
        spec = find_module(self.name)
        if spec is None or spec.submodule_search_locations is None:
            what = "is not installed" if spec is None else "is a module, a package was expected"
            return Found(findings=(Finding("P110", f"the package {self.name!r} {what}", Place(self.name)),))
        # pkgutil also lists packages in zip files; only this finder needs it.
        from pkgutil import iter_modules  # noqa: PLC0415

        before, _, after = self.pattern.partition("{}")
        names = sorted(
            module.name
            for module in iter_modules(list(spec.submodule_search_locations))
            if is_plugin_file_name(module.name) and module.name.startswith(before) and module.name.endswith(after)
        )
        short = [(name[len(before) : len(name) - len(after)], name) for name in names]
        return Found(tuple(ModuleCandidate(key, f"{self.name}.{name}") for key, name in short if key))


class Modules:
    """Installed modules, or objects in them, by names of the host's choice.

    ``Modules({"json": "json", "fast": "orjson", "table": "reports.table:Table"})``.
    """

    namespace: str | None = None
    tree: Tree | None = None

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        for name, target in self.names.items():
            if not all(part.isidentifier() for part in target.replace(":", ".", 1).split(".")):
                message = f"{name!r} is {target!r}, 'package.module' or 'package.module:object' was expected"
                raise ValueError(message)

    def __repr__(self) -> str:
        return f"Modules({self.names!r})"

    def find(self) -> Found:
        """See :class:`Finder`."""
        candidates = []
        for name, target in self.names.items():
            module, _, attribute = target.partition(":")
            candidates.append(ModuleCandidate(name, module, attribute))
        return Found(tuple(candidates))


class EntryPoints:
    """What installed distributions offer under an entry point group, with their names and versions."""

    namespace: str | None = None
    tree: Tree | None = None

    def __init__(self, group: str) -> None:
        self.group = group

    def __repr__(self) -> str:
        return f"EntryPoints({self.group!r})"

    def find(self) -> Found:
        """See :class:`Finder`."""
        # importlib.metadata costs three interpreter starts to import.
        from importlib.metadata import entry_points  # noqa: PLC0415

        candidates = []
        refused = []
        for point in sorted(entry_points(group=self.group), key=lambda point: (point.name, point.value)):
            distribution = point.dist.name if point.dist is not None else None
            module, _, attribute = (part.strip() for part in point.value.partition("[")[0].partition(":"))
            if not all(part.isidentifier() for part in [*module.split("."), *(attribute or "x").split(".")]):
                message = f"is the entry point {point.value!r}, 'package.module:object' was expected"
                refused.append((point.name, Finding("P109", message, Place(distribution or self.group))))
                continue
            version = point.dist.version if point.dist is not None else None
            candidates.append(ModuleCandidate(point.name, module, attribute, distribution, version))
        return Found(tuple(candidates), (), tuple(refused))


def finder_for(place: object) -> Finder:
    """Return the finder for what a host was given: a finder itself, or the path of a folder or a file.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(place, (str, os.PathLike)):
        path = os.fspath(place)
        if not isinstance(path, str):
            message = f"{place!r} is a path of bytes, one of text was expected"
            raise TypeError(message)
        # A path that ends in .py and is no folder is meant as a file, also when it is not there yet.
        return File(path) if path.endswith(".py") and not os.path.isdir(path) else Folder(path)
    if hasattr(place, "find") and hasattr(place, "namespace"):
        return place  # type: ignore[return-value]  # what others implement is checked by having it
    message = f"{place!r} is no place for plugins: a path or a finder such as plugline.Folder was expected"
    raise TypeError(message)
