"""Who keeps what was parsed, for a while. Light to import: what parses is :mod:`plugline.discovery.source`."""

from plugline.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import _ast

    from plugline.discovery.facts import SourceFacts
    from plugline.files import SourceFile
    from plugline.findings import Finding

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
