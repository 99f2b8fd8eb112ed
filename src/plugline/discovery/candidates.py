"""What a finder yields: a place that may hold a plugin, of which nothing was read yet."""

from plugline.discovery.trees import Tree, shown_path
from plugline.findings import Finding, Place
from plugline.values import Value


class FileCandidate(Value):
    """A file or a package folder of a tree.

    Attributes:
        name: What it is called unless its source says otherwise.
        entry: The file to read: ``upper.py`` or ``upper/__init__.py``.
        module: The last part of its private module name.
        class_name: The class in it that is meant; empty where its source shows none, or any thing in it will do.
    """

    __slots__ = ("class_name", "entry", "module", "name", "tree")
    name: str
    tree: Tree
    entry: str
    module: str
    class_name: str

    def __init__(self, name: str, tree: Tree, entry: str, module: str, class_name: str = "") -> None:
        put = object.__setattr__  # as _set does, in half the time: one is made for each plugin
        put(self, "name", name)
        put(self, "tree", tree)
        put(self, "entry", entry)
        put(self, "module", module)
        put(self, "class_name", class_name)

    @property
    def place(self) -> Place:
        """The file, as messages show it."""
        return Place(shown_path(self.tree, self.entry))


class ModuleCandidate(Value):
    """An installed module, or an object in one.

    Attributes:
        module: Its dotted name, under which it is imported as by anybody else.
        attribute: The dotted name of the object in it; empty for the module itself.
        distribution: The installed distribution that brought it, where that is known.
        class_name: As for a file; the class is found by looking, where ``attribute`` was given by somebody.
    """

    __slots__ = ("attribute", "class_name", "distribution", "module", "name", "version")
    name: str
    module: str
    attribute: str
    distribution: str | None
    version: str | None
    class_name: str

    def __init__(
        self,
        name: str,
        module: str,
        attribute: str = "",
        distribution: str | None = None,
        version: str | None = None,
        class_name: str = "",
    ) -> None:
        self._set(
            name=name,
            module=module,
            attribute=attribute,
            distribution=distribution,
            version=version,
            class_name=class_name,
        )

    @property
    def place(self) -> Place:
        """The module, as messages show it."""
        return Place(f"{self.module}:{self.attribute}" if self.attribute else self.module)


Candidate = FileCandidate | ModuleCandidate


def of_class(candidate: Candidate, name: str) -> Candidate:
    """Return a candidate that means one class of the file; empty means the file."""
    if not name:
        return candidate
    if isinstance(candidate, FileCandidate):
        return FileCandidate(candidate.name, candidate.tree, candidate.entry, candidate.module, name)
    return ModuleCandidate(candidate.name, candidate.module, "", candidate.distribution, candidate.version, name)


class Found(Value):
    """What one finder found.

    Attributes:
        candidates: In a fixed order.
        findings: What is wrong with the place as a whole.
        refused: What bears a plugin's name and can be none, each with its finding.
    """

    __slots__ = ("candidates", "findings", "refused")
    candidates: tuple[Candidate, ...]
    findings: tuple[Finding, ...]
    refused: tuple[tuple[str, Finding], ...]

    def __init__(
        self,
        candidates: tuple[Candidate, ...] = (),
        findings: tuple[Finding, ...] = (),
        refused: tuple[tuple[str, Finding], ...] = (),
    ) -> None:
        self._set(candidates=candidates, findings=findings, refused=refused)
