"""One remembered candidate to a row of strings, numbers and bytes, and back."""

from plugline.discovery.candidates import FileCandidate
from plugline.discovery.known import PluginSpec, Read, Unread
from plugline.discovery.recall import ENTRY, NAME, ORDERED, SUMMARY, VERSION, Encoded, Row
from plugline.discovery.rest import EncodedVerdict, Owners, Part, Rest
from plugline.discovery.trees import DiskTree, shown_path
from plugline.findings import Finding, Place
from plugline.names import PluginName
from plugline.typed import Final, Sequence

# Since version 3, marshal refers to what came before; a row has to be readable by itself.
MARSHAL_VERSION = 2

_WHOLE: tuple[Part, ...] = (("", None, None),)


class Verdict:
    """What a host makes of a file that was read.

    Attributes:
        findings: What keeps it from being a plugin; then it has no parts.
        warnings: What does not.
        parts: The plugins in it, most often one.
        lasting: Whether a host of the same circumstances comes to the same as long as the file is what it is.
    """

    __slots__ = ("findings", "lasting", "parts", "warnings")

    def __init__(
        self,
        findings: tuple[Finding, ...] = (),
        warnings: tuple[Finding, ...] = (),
        parts: tuple[Part, ...] = _WHOLE,
        *,
        lasting: bool = True,
    ) -> None:
        self.findings, self.warnings, self.parts, self.lasting = findings, warnings, parts, lasting

    @property
    def is_plain(self) -> bool:
        """Whether the file is one plugin of the file's name."""
        return not self.findings and len(self.parts) == 1 and self.parts[0][1] is None

    def encode(self, path: str) -> EncodedVerdict:
        """Return what a row keeps of it; empty where nothing but that it is plain is to be kept."""
        if self.is_plain and not self.warnings and self.parts == _WHOLE:
            return ()
        return encode(self.findings, path), encode(self.warnings, path), self.parts

    @classmethod
    def decode(cls, encoded: EncodedVerdict, path: str) -> "Verdict":
        """Return it again."""
        if not encoded:
            return cls()
        findings, warnings, parts = encoded
        return cls(decode(findings, path), decode(warnings, path), parts)


_NO_ORDER: Final = ((), (), 0)


def new_row(
    candidate: FileCandidate,
    status: tuple[int, int, int, int],
    read: Read,
    digest: bytes,
    where: tuple[int, int],
    owners: Owners,
) -> Row | None:
    """Return the row for a candidate that was read, ``None`` where it cannot be remembered."""
    spec = read.spec
    findings = encode(read.findings, shown_path(candidate.tree, candidate.entry))
    rest = Rest(
        candidate.name,
        candidate.module,
        digest,
        where,
        spec.api if spec is not None else None,
        spec.requires_python if spec is not None else None,
        spec.dependencies if spec is not None else (),
        dict(spec.settings) if spec is not None else {},
        (spec.requires, spec.after, spec.priority) if spec is not None else _NO_ORDER,
        findings,
        owners,
        {},
    )
    name = str.__str__(spec.name) if spec is not None else None
    version, summary = (spec.version, spec.summary) if spec is not None else (None, "")
    try:
        return (
            candidate.entry,
            *status,
            name,
            version,
            summary,
            ORDERED if rest.order != _NO_ORDER else 0,
            rest.dump(),
        )
    except ValueError:
        return None


def candidate_of(row: Row, rest: Rest, tree: DiskTree, class_name: str = "") -> FileCandidate:
    """Return the candidate that the row is about, or a class in it."""
    return FileCandidate(rest.name, tree, row[ENTRY], rest.module, class_name)


def spec_of(row: Row, rest: Rest, tree: DiskTree, outline: object) -> PluginSpec | None:
    """Return the spec that the row was made of."""
    if row[NAME] is None:
        return None
    return PluginSpec(
        PluginName(row[NAME]),
        row[VERSION],
        row[SUMMARY],
        rest.api,
        rest.python,
        rest.dependencies,
        Place(shown_path(tree, row[ENTRY])),
        rest.digest.hex(),
        rest.module,
        None,
        rest.settings,
        Unread(candidate_of(row, rest, tree), outline),
        *rest.order,
    )


def encode(findings: Sequence[Finding], path: str) -> tuple[Encoded, ...]:
    """Return findings without the path of the file they are about, which hosts write in different ways."""
    return tuple(
        (
            one.code,
            one.message,
            one.place.path if one.place.path != path else None,
            one.place.line,
            one.place.column,
            one.hint,
            one.source_line,
            one.severity,
        )
        for one in findings
    )


def decode(encoded: Sequence[Encoded], path: str) -> tuple[Finding, ...]:
    """Return the findings again, about the file as this host writes it."""
    return tuple(
        Finding(code, message, Place(path if other is None else other, line, column), hint, source_line, severity)
        for code, message, other, line, column, hint, source_line, severity in encoded
    )
