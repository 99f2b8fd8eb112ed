"""What a host knows of each plugin that it has found, as much of it as a listing shows."""

import os

from plugline.discovery.folder import Folder
from plugline.discovery.recall import ENTRY, FEW, FITS, NAME, ORDERED, SUMMARY, VERSION, Recall, Row, running_part
from plugline.typed import TYPE_CHECKING, Mapping, Sequence
from plugline.values import Value

if TYPE_CHECKING:
    # What more there is to know of a plugin is imported where it is asked for.
    from plugline.contract.interface import Interface
    from plugline.discovery.bundle import Bundle
    from plugline.discovery.candidates import Candidate, FileCandidate
    from plugline.discovery.finders import Finder
    from plugline.discovery.index import FolderIndex
    from plugline.discovery.known import PluginSpec
    from plugline.discovery.rows import Verdict
    from plugline.discovery.trees import Tree
    from plugline.findings import Finding, Place
    from plugline.host.circumstances import Circumstances


class Entry(Value):
    """One candidate that was read.

    Attributes:
        spec: What is known of it, ``None`` where it could not be read.
        findings: What is wrong with it; one finding is enough to reject it.
        finder: The index of the finder that found it.
        warnings: What is to be told of it, and does not reject it.
    """

    __slots__ = ()
    candidate: "Candidate | None"
    spec: "PluginSpec | None"
    findings: "tuple[Finding, ...]"
    finder: int
    warnings: "tuple[Finding, ...]"

    @property
    def place(self) -> "Place":
        """Where it is, for messages."""
        if self.spec is not None:
            return self.spec.place
        return self.candidate.place if self.candidate is not None else self.findings[0].place

    @property
    def name(self) -> str:
        """What a plugin that has a spec is called."""
        assert self.spec is not None  # noqa: S101 - only what has a spec becomes a plugin
        return self.spec.name

    @property
    def version(self) -> str | None:
        """Its version."""
        return self.spec.version if self.spec is not None else None

    @property
    def summary(self) -> str:
        """What it does."""
        return self.spec.summary if self.spec is not None else ""

    @property
    def digest(self) -> str:
        """The digest of its source, empty where there is none."""
        return self.spec.digest if self.spec is not None else ""

    @property
    def class_name(self) -> str:
        """The class that is meant, empty where it is the file."""
        return self.candidate.class_name if self.candidate is not None else ""

    def class_shown(self, interfaces: "Sequence[Interface]", *, ran: bool = False) -> str:
        """Return the class that is meant, or else the only one that its source shows to be a plugin; empty where there is none.

        Args:
            ran: Whether it was run, and is known not to be a plugin itself.
        """
        facts = self.spec.facts if self.spec is not None and not self.class_name else None
        if facts is None:
            return self.class_name
        from plugline.discovery.candidates import FileCandidate  # few ask
        from plugline.discovery.fit import classes_that_fit, may_be_module

        own_only = isinstance(self.candidate, FileCandidate)
        if not ran and may_be_module(interfaces, facts, self.place.path, own_only=own_only):
            return ""
        found = classes_that_fit(interfaces, facts)
        return found[0] if len(found) == 1 else ""

    def named_apart(self, interfaces: "Sequence[Interface]") -> str:
        """Return its name, with the class that is meant where its source shows several to be plugins."""
        assert self.spec is not None  # noqa: S101 - only what has a spec becomes a plugin
        assert self.candidate is not None  # noqa: S101 - as above
        if self.class_name and not self.name.endswith(f":{self.class_name}"):
            from plugline.discovery.fit import split_by_class  # few ask

            if len(split_by_class(self.candidate, self.spec, interfaces)) > 1:
                return f"{self.name}:{self.class_name}"
        return self.name

    @property
    def origin(self) -> str:
        """Where it comes from: its folder or archive, else the distribution that brought it, else its top-level package."""
        from plugline.discovery.candidates import FileCandidate  # its candidate is made now

        candidate = self.candidate
        assert candidate is not None  # noqa: S101 - only a candidate becomes a plugin
        if isinstance(candidate, FileCandidate):
            return candidate.tree.shown
        return candidate.distribution or candidate.module.partition(".")[0]

    @property
    def is_ordered(self) -> bool:
        """Whether it says something of its place among others."""
        spec = self.spec
        return spec is not None and (spec.requires, spec.after, spec.priority) != ((), (), 0)

    def binds(self, name: str) -> bool:
        """Whether its own source binds this name."""
        return self.spec is not None and self.spec.binds(name)


class ReadEntry(Entry):
    """One of which all is known."""

    __slots__ = ("candidate", "finder", "findings", "spec", "warnings")

    def __init__(
        self,
        candidate: "Candidate | None",
        spec: "PluginSpec | None",
        findings: "tuple[Finding, ...]",
        finder: int,
        warnings: "tuple[Finding, ...]" = (),
    ) -> None:
        put = object.__setattr__  # as _set does, in half the time: one is made for each file that is read
        put(self, "candidate", candidate)
        put(self, "spec", spec)
        put(self, "findings", findings)
        put(self, "finder", finder)
        put(self, "warnings", warnings)


class Memory:
    """What is remembered of the plugins of one folder.

    Attributes:
        recall: What of it is on disk.
    """

    __slots__ = ("_bundle", "_index", "folder", "recall")

    def __init__(self, folder: "Folder", real: str) -> None:
        self.folder = folder
        self.recall = Recall(real, f"{'nested' if folder.nested else ''}{'' if folder.packages else ' flat'}")
        self._bundle: Bundle | None = None
        self._index: FolderIndex | None = None

    @property
    def bundle(self) -> "Bundle | None":
        """The compiled code that is remembered, ``None`` where nothing can be."""
        if self._bundle is None:
            self.recall.locate()
            if self.recall.path is not None:
                from plugline.discovery.bundle import Bundle  # for who loads

                self._bundle = Bundle(f"{self.recall.path}.bundle")
        return self._bundle

    def read_all_code(self) -> None:
        """Make ready for loading most of the plugins."""
        if self.bundle is not None:
            self.bundle.read_all()

    def flush(self) -> None:
        """Write down code that was not remembered, and let go of what was read."""
        if self._index is not None:
            self._index.flush()
        elif self._bundle is not None:
            self._bundle.forget()

    def close(self) -> None:
        """Let go of the files that are open."""
        if self._bundle is not None:
            self._bundle.let_go()

    @property
    def index(self) -> "FolderIndex":
        """What finds out what is not remembered, and writes it down."""
        if self._index is None:
            # A listing of which all is remembered needs nothing else.
            from plugline.discovery.index import FolderIndex

            self._index = FolderIndex(self.folder.tree, self.folder.find, self.recall, self.bundle)
        return self._index


class Listed:
    """What the remembered entries of one listing have in common.

    Attributes:
        memory: Where they are remembered.
        number: That of the circumstances under which they were accepted.
        text: These circumstances.
        finder: The index of the finder that found them.
    """

    __slots__ = ("finder", "memory", "number", "text")

    def __init__(self, memory: Memory, number: int, text: str, finder: int) -> None:
        self.memory, self.number, self.text, self.finder = memory, number, text, finder

    @property
    def index(self) -> "FolderIndex":
        """See :class:`Memory`."""
        return self.memory.index

    @property
    def tree(self) -> "Tree":
        """The folder's files."""
        tree = self.memory.folder.tree
        assert tree is not None  # noqa: S101 - a folder has one
        return tree


class RememberedEntry(Entry):
    """An accepted entry of which only what a listing shows was taken from the index; the rest is when it is asked for."""

    __slots__ = ("_spec", "listed", "row")
    row: Row
    listed: Listed
    _spec: "PluginSpec | None"

    def __init__(self, row: Row, listed: Listed) -> None:
        put = object.__setattr__  # a thousand of them are made for one listing
        put(self, "row", row)
        put(self, "listed", listed)
        put(self, "_spec", None)

    @property
    def finder(self) -> int:  # type: ignore[override]  # read only, as all values
        """See :class:`Entry`."""
        return self.listed.finder

    @property
    def candidate(self) -> "FileCandidate":  # type: ignore[override]
        """See :class:`Entry`."""
        return self.listed.index.candidate(self.row, self.class_name)

    @property
    def spec(self) -> "PluginSpec | None":  # type: ignore[override]
        """See :class:`Entry`."""
        if self._spec is None:
            object.__setattr__(self, "_spec", self.listed.index.read_of(self.row).spec)
        return self._spec

    @property
    def findings(self) -> "tuple[Finding, ...]":  # type: ignore[override]
        """None: it was accepted."""
        return ()

    @property
    def warnings(self) -> "tuple[Finding, ...]":  # type: ignore[override]
        """See :class:`Entry`."""
        verdict = self._verdict
        return verdict.warnings if verdict is not None else ()

    @property
    def _verdict(self) -> "Verdict | None":
        """What the host made of it; ``None`` for most, where that is one plugin without a warning."""
        encoded = running_part(self.row)[-1].get(self.listed.number)
        if not encoded:
            return None
        from plugline.discovery.rows import Verdict  # a listing looks at no more than rows

        return Verdict.decode(encoded, self.place.path)  # type: ignore[arg-type]  # as it was encoded

    @property
    def place(self) -> "Place":
        """Where it is, for messages."""
        from plugline.discovery.trees import shown_path
        from plugline.findings import Place

        return Place(shown_path(self.listed.tree, self.row[ENTRY]))

    @property
    def name(self) -> str:
        """What it is called."""
        return self.row[NAME] or ""

    @property
    def version(self) -> str | None:
        """Its version."""
        return self.row[VERSION]

    @property
    def summary(self) -> str:
        """What it does."""
        return self.row[SUMMARY]

    @property
    def digest(self) -> str:
        """The digest of its source."""
        from plugline.discovery.rest import rest_of

        return rest_of(self.row).digest.hex()

    @property
    def class_name(self) -> str:
        """The class that is meant, empty where it is the file."""
        verdict = self._verdict
        return verdict.parts[0][0] if verdict is not None else ""

    @property
    def origin(self) -> str:
        """See :class:`Entry`."""
        return self.listed.tree.shown

    @property
    def is_ordered(self) -> bool:
        """See :class:`Entry`."""
        return bool(self.row[FITS] & ORDERED)

    def _fields(self) -> dict[str, object]:
        fields = {"candidate": self.candidate, "finder": self.finder, "findings": (), "spec": self.spec}
        return {**fields, "warnings": self.warnings}

    def __reduce__(self) -> tuple[object, ...]:
        return ReadEntry, (self.candidate, self.spec, (), self.finder, self.warnings)


Recalled = tuple[Row, Listed]
"""What a remembered entry is made of. A listing makes none: it shows what stands in the row."""


def as_entry(known: "Entry | Recalled") -> Entry:
    """Return the entry."""
    return RememberedEntry(*known) if isinstance(known, tuple) else known


def is_plain(row: Row, listed: Listed) -> bool:
    """Whether the name of an entry's module says which file it is: not ``a.b.py``, not one of ``x.py`` and ``x/``."""
    entry = row[ENTRY]
    recall = listed.memory.recall
    has_packages = recall.head is None or bool(recall.head.files)
    return entry.count(".") == 1 and not (
        has_packages and f"{entry.removesuffix('/__init__.py').removesuffix('.py')}/__init__.py" in recall.rows
    )


class Inspection(Value):
    """What the finders of a host hold.

    Attributes:
        accepted: Entries by plugin name, or what they are made of, sorted by it.
        rejected: Name and entry of each candidate that failed a check.
        findings: What is wrong with places as a whole.
        is_ordered: Whether one of those accepted says something of its place among others.
    """

    __slots__ = ("accepted", "findings", "is_ordered", "rejected")
    accepted: "Mapping[str, Entry | Recalled]"
    rejected: tuple[tuple[str, Entry], ...]
    findings: "tuple[Finding, ...]"
    is_ordered: bool

    def __init__(
        self,
        accepted: "Mapping[str, Entry | Recalled]",
        rejected: "tuple[tuple[str, Entry], ...]",
        findings: "tuple[Finding, ...]",
        *,
        is_ordered: bool,
    ) -> None:
        self._set(accepted=accepted, rejected=rejected, findings=findings, is_ordered=is_ordered)


def memories_of(finders: "Sequence[Finder]") -> dict[int, Memory]:
    """Return what is remembered of each finder whose plugins are worth it: those of a folder on disk."""
    if "PLUGLINE_ONLY" in os.environ:
        return {}  # somebody looks for a fault, and lets folders seem to hold less than they do
    return {number: Memory(finder, finder.real) for number, finder in enumerate(finders) if type(finder) is Folder}


def recall_one(name: str, around: "Circumstances", memory: Memory) -> RememberedEntry | None:
    """Return the one plugin of this name that the first finder of a host holds; ``None`` where only a listing can tell."""
    text = around.text(memory.recall.real)
    found = memory.recall.find_one(name, text) if text is not None else None
    if found is None or text is None:
        return None
    row, number = found
    if os.path.lexists(f"{memory.recall.real}/{row[ENTRY].removesuffix('.py')}/__init__.py"):
        return None  # which of the two is behind the name of their module
    return RememberedEntry(row, Listed(memory, number, text, 0))


def _reread(
    memory: Memory, stale: Sequence[Row], known: int, around: "Circumstances", finder: int
) -> "Mapping[str, Row] | None":
    """Return the rows of a few files that were edited, ``None`` where they are not plainly the plugins that they were."""
    if len(stale) > FEW or around.reads_code(memory.recall.real):
        return None
    from plugline.discovery.edited import reread  # most often none was

    seconds: dict[str, float] = {}
    rows = reread(memory.recall, stale, known, around.fits_plainly, seconds)
    for entry, taken in seconds.items():
        around.read_seconds[finder, os.path.join(memory.folder.path, entry)] = taken
    return rows


def recall_places(
    finders: "Sequence[Finder]", around: "Circumstances", memories: Mapping[int, Memory]
) -> Inspection | None:
    """Return what all finders hold, as :func:`~plugline.host.registry.inspect_places` would; ``None`` where that is to be asked."""
    if len(memories) != len(finders):
        return None
    for memory in memories.values():
        memory.recall.seen = None  # of a listing that did not come to its end
    accepted: dict[str, Recalled] = {}
    count = 0
    is_ordered = False
    for number, memory in memories.items():
        text = around.text(memory.recall.real)
        found = memory.recall.look(text) if text is not None else None
        if found is None or text is None:
            return None
        rows, known, has_ordered, stale = found
        if stale:
            edited = _reread(memory, stale, known, around, number)
            if edited is None:
                memory.recall.seen = stale
                return None
            rows = [edited.get(row[ENTRY], row) for row in rows]
            memory.recall.replace_rows(rows)
        packages = [row[ENTRY] for row in rows if row[ENTRY].endswith("/__init__.py")]
        if packages and not {f"{one[: -len('/__init__.py')]}.py" for one in packages}.isdisjoint(
            row[ENTRY] for row in rows
        ):
            return None  # two are of one module
        listed = Listed(memory, known, text, number)
        # By their names, which all have that fit.
        accepted.update({row[5]: (row, listed) for row in rows})  # type: ignore[misc]
        is_ordered |= has_ordered
        count += len(rows)
    if len(accepted) != count:
        return None  # two are of one name
    names = sorted(accepted)
    if names != list(accepted):  # most files are in the order of their plugins' names
        accepted = {name: accepted[name] for name in names}
    return Inspection(accepted, (), (), is_ordered=is_ordered)
