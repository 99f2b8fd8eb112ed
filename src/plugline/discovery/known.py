"""What is known of a plugin without running it, as values.

They are light to import: a listing that is remembered needs them, and nothing of what made them.
"""

from plugline.contract.interface import Interface
from plugline.discovery.candidates import FileCandidate
from plugline.findings import Finding, Place
from plugline.typed import TYPE_CHECKING, Mapping, Sequence
from plugline.values import Value

if TYPE_CHECKING:
    # What source shows beyond an outline; read, and imported, where it is asked for.
    import _ast

    from plugline.discovery.facts import SourceFacts
    from plugline.files import SourceFile

INSTALLED_MAX_BYTES = 16 * 2**20  # an installed module is trusted like the host itself

Said = tuple[str, str | None, str | None, str | None, str | None]
"""Summary, PLUGIN_NAME, VERSION, __version__, REQUIRED_API_VERSION."""

Parameters = tuple[tuple[str, ...], int, tuple[str, ...], tuple[str, ...], bool, bool, bool]
FunctionOutline = tuple[str, Parameters | None, bool]
"""Its name; how it may be called, at worst, ``None`` where nothing can be said; whether it is a literal, and so no function."""
ClassOutline = tuple[str, tuple[FunctionOutline, ...], tuple[str, ...]]
"""Its name, its plain methods as seen on an instance and as literals all else that it binds, names among its bases."""

Outline = tuple[Said | None, tuple[FunctionOutline, ...], tuple[ClassOutline, ...]]
"""What the source says of itself, ``None`` where that is not plain; names bound once at the top; classes there."""


class Unread:
    """Source whose syntax tree is read when it is first asked for, once for all classes of the file."""

    __slots__ = ("_candidate", "_facts", "_outline", "block_line")

    def __init__(self, candidate: FileCandidate, outline: object, block_line: int | None = None) -> None:
        """Note where it is.

        Args:
            outline: What its code shows, or what returns that when it is called.
            block_line: The line of its PEP 723 block, where that is known and there is one.
        """
        self._candidate = candidate
        self._facts: SourceFacts | None = None
        self._outline = outline
        self.block_line = block_line

    @property
    def outline(self) -> Outline:
        """What its code shows."""
        if callable(self._outline):
            self._outline = self._outline()
        return self._outline if isinstance(self._outline, tuple) else (None, (), ())

    def read(self) -> "SourceFacts | None":
        """Return what the source shows, ``None`` where it is gone or broken by now."""
        if self._facts is None:
            self._facts = self._read()
        return self._facts

    def _read(self) -> "SourceFacts | None":
        # The parser of syntax trees, for those who ask for more than a listing.
        from plugline.discovery.source import parse_source, read_facts

        source = self._source()
        tree = parse_source(source) if not isinstance(source, Finding) else source
        if isinstance(source, Finding) or isinstance(tree, Finding):
            return None
        return read_facts(source, tree)[0]

    def _source(self) -> "SourceFile | Finding":
        return self._candidate.tree.read(self._candidate.entry)

    @property
    def constants(self) -> "Mapping[str, object] | None":
        """Module-level names with literal values; ``None`` where the syntax tree is to be asked for them."""
        return None

    def edited(self, block_line: int | None) -> "Unread":
        """Return the same for a version with other bodies of functions."""
        return Unread(self._candidate, self._outline, block_line)

    def fits(self, interfaces: Sequence[Interface]) -> bool:
        """See :meth:`PluginSpec.fits_plainly`."""
        # Asked for each interface once; the answer is remembered.
        from plugline.discovery.outline import outline_fits

        return outline_fits(self.outline, interfaces)

    def binds(self, name: str) -> bool:
        """Whether its code shows plainly that the name is bound in the file itself; ``False`` says nothing."""
        return any(bound == name for bound, _, _ in self.outline[1])


class PluginSpec(Value):
    """What is known of a plugin without running it.

    Attributes:
        name: What it is called: ``name`` of its block, else ``PLUGIN_NAME``, else the file's stem.
        version: What it says, else its distribution's version; ``None`` when nothing says.
        summary: One line: its docstring's first, else what ``describe`` returns; may be empty.
        api: The API version that it requires, ``None`` when it does not say.
        requires_python: A PEP 440 range, ``None`` when it does not say.
        dependencies: PEP 508 requirements.
        place: Its file; for an installed module without one its name.
        digest: BLAKE2b of its source in hexadecimal, empty for a module without source.
        module: The last part of its private name, or an installed module's own name.
        distribution: The installed distribution that brought it.
        settings: The ``[tool.plugline]`` table of its block.
        requires: Names of plugins that it needs: they are loaded before it, and called before it.
        after: Names of plugins that are called before it, where they are there.
        priority: Of plugins between which nothing else says which comes first, the one with the higher number does.
    """

    __slots__ = (
        "_facts",
        "after",
        "api",
        "dependencies",
        "digest",
        "distribution",
        "module",
        "name",
        "place",
        "priority",
        "requires",
        "requires_python",
        "settings",
        "summary",
        "version",
    )
    name: str
    version: str | None
    summary: str
    api: str | None
    requires_python: str | None
    dependencies: tuple[str, ...]
    place: Place
    digest: str
    module: str
    distribution: str | None
    settings: Mapping[str, object]
    requires: tuple[str, ...]
    after: tuple[str, ...]
    priority: int
    _facts: "SourceFacts | Unread | None"

    def __init__(
        self,
        name: str,
        version: str | None,
        summary: str,
        api: str | None,
        requires_python: str | None,
        dependencies: tuple[str, ...],
        place: Place,
        digest: str,
        module: str,
        distribution: str | None,
        settings: Mapping[str, object],
        facts: "SourceFacts | Unread | None",
        requires: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
        priority: int = 0,
    ) -> None:
        put = object.__setattr__  # as _set does, in half the time: one is made for each file that is read
        put(self, "name", name)
        put(self, "version", version)
        put(self, "summary", summary)
        put(self, "api", api)
        put(self, "requires_python", requires_python)
        put(self, "dependencies", dependencies)
        put(self, "place", place)
        put(self, "digest", digest)
        put(self, "module", module)
        put(self, "distribution", distribution)
        put(self, "settings", settings)
        put(self, "requires", requires)
        put(self, "after", after)
        put(self, "priority", priority)
        put(self, "_facts", facts)

    @property
    def facts(self) -> "SourceFacts | None":
        """What its source shows; ``None`` for a module without source, or one that is gone.

        Read when it is first asked for, from the file as it is then.
        """
        if isinstance(self._facts, Unread):
            object.__setattr__(self, "_facts", self._facts.read())
        assert not isinstance(self._facts, Unread)  # noqa: S101 - it was read
        return self._facts

    @property
    def constants(self) -> Mapping[str, object]:
        """Module-level names with literal values."""
        known = self._facts.constants if isinstance(self._facts, Unread) else None
        if known is not None:
            return known
        return self.facts.constants if self.facts is not None else {}

    def __hash__(self) -> int:
        return hash((self.name, self.place, self.digest))  # its settings are a table, which has no hash

    def replaced(self, **fields: object) -> "PluginSpec":
        """Return a spec that differs in these fields."""
        known = {name: getattr(self, name) for name in self.__slots__ if name != "_facts"}
        # Facts that were not read yet are not read for this.
        return PluginSpec(**{**known, "facts": self._facts, **fields})

    def edited(self, candidate: FileCandidate, digest: str, block_line: int | None) -> "PluginSpec":
        """Return the spec of a version that differs in bodies of functions only.

        Args:
            candidate: Where the file is.
            digest: That of the version.
            block_line: Where its PEP 723 block is.
        """
        facts = self._facts.edited(block_line) if isinstance(self._facts, Unread) else None
        return self.replaced(digest=digest, facts=facts or Unread(candidate, (None, (), ()), block_line))

    @property
    def block_line(self) -> int | None:
        """The line on which its PEP 723 block begins."""
        if isinstance(self._facts, Unread) and self._facts.block_line is not None:
            return self._facts.block_line
        return self.facts.block_line if self.facts is not None else None

    def line_of(self, key: str, constant: str) -> int | None:
        """Return where the source says something: the line of its block where a key of it does, else a constant's."""
        if key in self.settings:
            return self.block_line
        return self.facts.constant_lines.get(constant) if self.facts is not None else None

    def fits_plainly(self, interfaces: Sequence[Interface]) -> bool:
        """Whether its code shows already that it provides one of ``interfaces``; ``False`` says nothing."""
        return isinstance(self._facts, Unread) and self._facts.fits(interfaces)

    def binds(self, name: str) -> bool:
        """Whether its own source binds this name, other than by an import from elsewhere."""
        if isinstance(self._facts, Unread) and self._facts.binds(name):
            return True
        return self.facts is not None and name in self.facts.bound

    def _fields(self) -> dict[str, object]:
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "_facts"}
        return {**fields, "facts": self.facts}


class Read(Value):
    """What reading one candidate gave: a spec unless there is none to have, and what is wrong with it."""

    __slots__ = ("findings", "spec")
    spec: PluginSpec | None
    findings: tuple[Finding, ...]

    def __init__(self, spec: PluginSpec | None, findings: tuple[Finding, ...]) -> None:
        put = object.__setattr__  # see PluginSpec
        put(self, "spec", spec)
        put(self, "findings", findings)


_MOST_KEPT_BYTES = 128 * 1024  # of all sources together: a tree is a hundred times as large


class ParsedOnce:
    """While it is entered, what was parsed is kept, for those who come to the same source by another way.

    A pipeline looks at each of its plugins as a candidate, for its imports and for its settings, and again where it is bound.

    Attributes:
        trees: The syntax tree of each source, or why it has none, by its path and bytes.
        facts: What a tree shows, with what is wrong with it; of trees that are kept.
    """

    def __init__(self) -> None:
        self.trees: dict[tuple[str, bytes], _ast.Module | Finding] = {}
        self.facts: dict[tuple[str, bytes], tuple[SourceFacts, tuple[Finding, ...]]] = {}
        self._bytes = 0
        self._around: ParsedOnce | None = None

    def __enter__(self) -> "ParsedOnce":  # noqa: PYI034 - not always this one
        """Keep from here on. Returns that of who has begun before, where somebody has."""
        global _kept
        self._around, _kept = _kept, _kept or self
        return _kept

    def __exit__(self, *_: object) -> None:
        global _kept  # noqa: PLW0603 - one at a time, however many hosts parse
        _kept = self._around

    def keep(self, source: "SourceFile", tree: "_ast.Module | Finding") -> None:
        """Keep a tree, while there is room."""
        self._bytes += len(source.content)
        if self._bytes <= _MOST_KEPT_BYTES:
            self.trees[source.path, source.content] = tree

    def forget(self) -> None:
        """Let go of all that was kept."""
        self.trees.clear()
        self.facts.clear()
        self._bytes = 0


_kept: ParsedOnce | None = None


def kept() -> ParsedOnce | None:
    """Return what is entered, ``None`` where nothing is."""
    return _kept
