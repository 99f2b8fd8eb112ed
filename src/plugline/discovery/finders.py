"""Which candidates a place holds: a folder, a file, a package, a mapping, entry points."""

import os

from plugline.discovery.trees import DiskTree, Tree, real_path, shown_path
from plugline.typed import TYPE_CHECKING, Mapping, Protocol, Sequence

if TYPE_CHECKING:
    # What is found is imported where something is looked for: most often it is remembered.
    from plugline.discovery.candidates import Found


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

    def find(self) -> "Found":
        """Look at the place as it is now."""


class Carried:
    """Plugins that travel as data in a :class:`~plugline.discovery.trees.MemoryTree`."""

    def __init__(self, tree: Tree, namespace: str) -> None:
        self.tree: Tree | None = tree
        self.namespace: str | None = namespace

    def find(self) -> "Found":
        """See :class:`Finder`."""
        assert self.tree is not None  # noqa: S101 - it was given one
        return find_in_tree(self.tree)


def find_in_tree(tree: Tree, *, nested: bool = False, packages: bool = True) -> "Found":
    """Return the candidates at the root of a tree, and in its folders where these are asked for."""
    from plugline.discovery.candidates import Found

    found = _find_below(tree, "", "", "", packages=packages)
    if not nested:
        return found
    from plugline.files import leads_out
    from plugline.findings import Place

    candidates, findings, refused = list(found.candidates), list(found.findings), list(found.refused)
    todo = _plain_folders(tree, "", "", "", packages=packages)
    root = os.path.realpath(tree.real)
    seen = {root}
    while todo:
        # What a link leads to is found under its own name where that is in the tree as well.
        at = next((at for at, one in enumerate(todo) if not os.path.islink(real_path(tree, one[0]))), 0)
        folder, name, module = todo.pop(at)
        real = os.path.realpath(real_path(tree, folder))
        if real in seen:
            continue  # a link that leads back
        seen.add(real)
        below = _find_below(tree, folder, f"{name}.", f"{module}.", packages=packages)
        if not real.startswith(os.path.join(root, "")):
            # Nothing in it could be used, and all that is below may be the whole disk.
            if below.candidates:
                refused.append((name, leads_out(real, Place(shown_path(tree, folder)), "folder")))
            continue
        candidates += below.candidates
        findings += below.findings
        refused += below.refused
        todo += _plain_folders(tree, folder, f"{name}.", f"{module}.", packages=packages)
    candidates.sort(key=lambda candidate: candidate.name)
    return Found(tuple(candidates), tuple(findings), tuple(refused))


def _plain_folders(tree: Tree, folder: str, name: str, module: str, *, packages: bool) -> list[tuple[str, str, str]]:
    """Return the folders in a folder that are no plugins, each with what its plugins' names and modules begin with."""
    from plugline.findings import Finding
    from plugline.names import is_plugin_file_name, module_part

    names = tree.names(folder)
    if isinstance(names, Finding):
        return []
    before = f"{folder}/" if folder else ""
    return [
        (f"{before}{one}", f"{name}{one}", f"{module}{module_part(one)}")
        for one, is_folder in names
        if is_folder
        and is_plugin_file_name(one)
        and not one.endswith(".py")
        and not (packages and tree.is_file(f"{before}{one}/__init__.py"))
    ]


def _find_below(tree: Tree, folder: str, before: str, module: str, *, packages: bool) -> "Found":
    """Return the candidates in one folder of a tree, whose names begin with ``before``."""
    from plugline.discovery.candidates import FileCandidate, Found
    from plugline.findings import Finding, Place
    from plugline.names import is_plugin_file_name, module_part

    names = tree.names(folder)
    if isinstance(names, Finding):
        return Found(findings=(names,))
    candidates = []
    refused = []
    path = f"{folder}/" if folder else ""
    # A file's own name goes before one that only becomes it: a_b.py before a.b.py.
    taken = {stem for stem in (name.removesuffix(".py") for name, _ in names) if "." not in stem}
    for name, is_folder in names:
        if not is_plugin_file_name(name):
            continue
        part = module + module_part(name if is_folder else name.removesuffix(".py"), taken)
        if is_folder and packages and tree.is_file(f"{path}{name}/__init__.py"):
            candidates.append(FileCandidate(before + name, tree, f"{path}{name}/__init__.py", part))
        elif name.endswith(".py") and is_folder:
            hint = "rename it, or give it an __init__.py to make it a package"
            place = Place(shown_path(tree, path + name))
            finding = Finding("P102", "is a directory, a regular file was expected", place, hint=hint)
            refused.append((before + name[:-3], finding))
        elif name.endswith(".py") and len(name) > len(".py"):
            candidates.append(FileCandidate(before + name[:-3], tree, path + name, part))
    return Found(tuple(candidates), (), tuple(refused))


_SEPARATORS = f"/{os.sep}"


class File:
    """One plugin by its path: a ``.py`` file, or a package folder.

    Its private module name is ``plugins.<stem>``. It may import its neighbours relatively.
    """

    namespace: str | None = "plugins"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        folder, self._name = os.path.split(self.path.rstrip(_SEPARATORS))
        if self._name == "__init__.py":
            folder = folder.rstrip(_SEPARATORS)
            named = os.path.basename(folder) not in ("", os.curdir, os.pardir)
            folder, self._name = os.path.split(folder if named else os.path.abspath(folder))
        self.tree: Tree | None = DiskTree(folder)

    def __repr__(self) -> str:
        return f"File({self.path!r})"

    def find(self) -> "Found":
        """See :class:`Finder`."""
        from plugline.discovery.candidates import FileCandidate, Found
        from plugline.findings import Finding, Place
        from plugline.names import module_part

        assert self.tree is not None  # noqa: S101 - a file always has one
        name = self._name
        if os.path.isdir(real_path(self.tree, name)):
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
            raise ValueError(f"pattern {pattern!r} was expected to hold '{{}}' once, for the plugin's name")
        if "." in pattern:
            message = (
                f"pattern {pattern!r} has a dot, the name of a module in {name!r} was expected: no '.py', no package"
            )
            raise ValueError(message)
        if not all(name.split(".")):
            raise ValueError(f"{name!r} is not the dotted name of a package")
        self.name = name
        self.pattern = pattern

    def __repr__(self) -> str:
        return f"Package({self.name!r}, pattern={self.pattern!r})"

    def find(self) -> "Found":
        """See :class:`Finder`."""
        from plugline.discovery.candidates import Found, ModuleCandidate
        from plugline.findings import Finding, Place
        from plugline.lookup import find_module, folders_of, modules_in
        from plugline.names import is_plugin_file_name, shell_word

        spec = find_module(self.name)
        folders = folders_of(spec) if spec is not None else None
        if folders is None:
            what, hint = "is a module, a package was expected", f"name it with plugline.Modules([{self.name!r}])"
            if spec is None:
                from plugline.imports import distribution_of  # few packages are missing

                what, hint = (
                    "is not installed",
                    f"mend its name, or pip install {shell_word(distribution_of(self.name))}",
                )
            return Found(findings=(Finding("P110", f"the package {self.name!r} {what}", Place(self.name), hint=hint),))
        before, _, after = self.pattern.partition("{}")
        names = [
            name
            for name in modules_in(folders)
            if is_plugin_file_name(name) and name.startswith(before) and name.endswith(after)
        ]
        short = [(name[len(before) : len(name) - len(after)], name) for name in names]
        return Found(tuple(ModuleCandidate(key, f"{self.name}.{name}") for key, name in short if key))


class Modules:
    """Installed modules, or objects in them, by names of the host's choice.

    ``Modules({"json": "json", "fast": "orjson", "table": "reports.table:Table"})``; ``Modules(["json", "os.path"])``
    takes modules under their own names.
    """

    namespace: str | None = None
    tree: Tree | None = None

    def __init__(self, names: Mapping[str, str] | Sequence[str]) -> None:
        from plugline.names import plugin_name

        if isinstance(names, str):
            raise TypeError(f"{names!r} is a string, a list or a mapping was expected: Modules([{names!r}])")
        self.names = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
        for name, target in self.names.items():
            if not _are_texts(name, target):
                message = f"{name!r}: {target!r} were given, two strings were expected: a name and 'package.module'"
                raise TypeError(message)
            plugin_name(name)
            if not all(part.isidentifier() for part in target.replace(":", ".", 1).split(".")):
                raise ValueError(f"{name!r} is {target!r}, 'package.module' or 'package.module:object' was expected")

    def __repr__(self) -> str:
        return f"Modules({self.names!r})"

    def find(self) -> "Found":
        """See :class:`Finder`."""
        from plugline.discovery.candidates import Found, ModuleCandidate

        candidates = []
        for name, target in self.names.items():
            module, _, attribute = target.partition(":")
            candidates.append(ModuleCandidate(name, module, attribute))
        return Found(tuple(candidates))


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


class EntryPoints:
    """What installed distributions offer under an entry point group, with their names and versions."""

    namespace: str | None = None
    tree: Tree | None = None

    def __init__(self, group: str) -> None:
        self.group = group

    def __repr__(self) -> str:
        return f"EntryPoints({self.group!r})"

    def find(self) -> "Found":
        """See :class:`Finder`."""
        from plugline.discovery.candidates import Found, ModuleCandidate
        from plugline.discovery.installed import entry_points_of  # for this finder only
        from plugline.findings import Finding, Place

        points = entry_points_of(self.group)
        findings: tuple[Finding, ...] = ()
        if points is None:
            # importlib.metadata costs three interpreter starts to import.
            from plugline.discovery.metadata import read_entry_points

            points, findings = read_entry_points(self.group)
        candidates = []
        refused = []
        for name, value, distribution, version in sorted(points, key=lambda point: point[:2]):
            module, _, attribute = (part.strip() for part in value.partition("[")[0].partition(":"))
            if not all(part.isidentifier() for part in [*module.split("."), *(attribute or "x").split(".")]):
                message = f"is the entry point {value!r}, 'package.module:object' was expected"
                hint = "its distribution has to mend that" if distribution is not None else None
                refused.append((name, Finding("P109", message, Place(distribution or self.group), hint=hint)))
                continue
            candidates.append(ModuleCandidate(name, module, attribute, distribution, version))
        return Found(tuple(candidates), findings, tuple(refused))
