"""Finders to what they hold: every candidate read and checked, replaced as a whole when the host looks again."""

import os
import sys

from plugline.admission.circumstances import circumstances
from plugline.contract.interface import Interface
from plugline.discovery.candidates import Candidate, FileCandidate, Found, ModuleCandidate
from plugline.discovery.finders import Finder, Folder
from plugline.discovery.index import FolderIndex, Listing
from plugline.discovery.known import PluginSpec, Read
from plugline.discovery.rows import ENTRY, FITS, NAME, ORDERED, SUMMARY, VERSION, Row, Verdict, rest_of
from plugline.discovery.trees import DiskTree, shown_path
from plugline.files import SourceFile
from plugline.findings import Finding, Place
from plugline.typed import TYPE_CHECKING, Mapping, Sequence
from plugline.values import Value

if TYPE_CHECKING:
    # What judges is imported where something is to be judged.
    from plugline.admission.policy import Admitting, Gate


class Entry(Value):
    """One candidate that was read.

    Attributes:
        candidate: Where it is.
        spec: What is known of it, ``None`` where it could not be read.
        findings: What is wrong with it; one finding is enough to reject it.
        finder: The index of the finder that found it.
        warnings: What is to be told of it, and does not reject it.
    """

    __slots__ = ("candidate", "finder", "findings", "spec", "warnings")
    candidate: Candidate | None
    spec: PluginSpec | None
    findings: tuple[Finding, ...]
    finder: int
    warnings: tuple[Finding, ...]

    def __init__(
        self,
        candidate: Candidate | None,
        spec: PluginSpec | None,
        findings: tuple[Finding, ...],
        finder: int,
        warnings: tuple[Finding, ...] = (),
    ) -> None:
        self._set(candidate=candidate, spec=spec, findings=findings, finder=finder, warnings=warnings)

    @property
    def place(self) -> Place:
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

    @property
    def is_ordered(self) -> bool:
        """Whether it says something of its place among others."""
        spec = self.spec
        return spec is not None and (spec.requires, spec.after, spec.priority) != ((), (), 0)

    def binds(self, name: str) -> bool:
        """Whether its own source binds this name."""
        return self.spec is not None and self.spec.binds(name)


class Listed:
    """What the remembered entries of one listing have in common.

    Attributes:
        index: Where they are remembered.
        number: That of the circumstances under which they were accepted.
        text: These circumstances.
        finder: The index of the finder that found them.
    """

    __slots__ = ("finder", "index", "number", "text")

    def __init__(self, index: FolderIndex, number: int, text: str, finder: int) -> None:
        self.index, self.number, self.text, self.finder = index, number, text, finder


class RememberedEntry(Entry):
    """An accepted entry of which only what a listing shows was taken from the index; the rest is when it is asked for."""

    __slots__ = ("_spec", "listed", "row")
    row: Row
    listed: Listed
    _spec: PluginSpec | None

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
    def candidate(self) -> FileCandidate:  # type: ignore[override]
        """See :class:`Entry`."""
        return self.listed.index.candidate(self.row, self.class_name)

    @property
    def spec(self) -> PluginSpec | None:  # type: ignore[override]
        """See :class:`Entry`."""
        if self._spec is None:
            object.__setattr__(self, "_spec", self.listed.index.read_of(self.row).spec)
        return self._spec

    @property
    def findings(self) -> tuple[Finding, ...]:  # type: ignore[override]
        """None: it was accepted."""
        return ()

    @property
    def warnings(self) -> tuple[Finding, ...]:  # type: ignore[override]
        """See :class:`Entry`."""
        return self._verdict.warnings

    @property
    def _verdict(self) -> Verdict:
        return Verdict.decode(rest_of(self.row).verdicts.get(self.listed.number, ()), self.place.path)

    @property
    def place(self) -> Place:
        """Where it is, for messages."""
        return Place(shown_path(self.listed.index.tree, self.row[ENTRY]))

    @property
    def is_plain(self) -> bool:
        """Whether its module's name says which file it is: not ``a.b.py``, not one of ``x.py`` and ``x/``."""
        entry = self.row[ENTRY]
        return entry.count(".") == 1 and not (
            self.listed.index.has_packages
            and f"{entry.partition('/')[0].removesuffix('.py')}/__init__.py" in self.listed.index.rows
        )

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
        return rest_of(self.row).digest.hex()

    @property
    def class_name(self) -> str:
        """The class that is meant, empty where it is the file."""
        return self._verdict.parts[0][0]

    @property
    def is_ordered(self) -> bool:
        """See :class:`Entry`."""
        return bool(self.row[FITS] & ORDERED)

    def _fields(self) -> dict[str, object]:
        fields = {"candidate": self.candidate, "finder": self.finder, "findings": (), "spec": self.spec}
        return {**fields, "warnings": self.warnings}

    def __reduce__(self) -> tuple[object, ...]:
        return Entry, (self.candidate, self.spec, (), self.finder, self.warnings)


class Inspection(Value):
    """What the finders of a host hold.

    Attributes:
        accepted: Entries by plugin name, sorted by it.
        rejected: Name and entry of each candidate that failed a check.
        findings: What is wrong with places as a whole.
    """

    __slots__ = ("accepted", "findings", "rejected")
    accepted: dict[str, Entry]
    rejected: tuple[tuple[str, Entry], ...]
    findings: tuple[Finding, ...]

    def __init__(
        self, accepted: dict[str, Entry], rejected: tuple[tuple[str, Entry], ...], findings: tuple[Finding, ...]
    ) -> None:
        self._set(accepted=accepted, rejected=rejected, findings=findings)


class Circumstances:
    """What decides which plugins a host accepts, besides the plugins.

    Args:
        interfaces: What they must provide.
        api_version: What the host offers.
        policy: Who may be loaded; ``None`` for the usual one.
    """

    __slots__ = ("_gate", "_text", "api_version", "interfaces", "policy")

    def __init__(
        self, interfaces: Sequence[Interface], api_version: str | None, policy: "Admitting | None" = None
    ) -> None:
        self.interfaces = interfaces
        self.api_version = api_version
        self.policy = policy
        self._gate: Gate | None = None
        self._text = ""

    @property
    def gate(self) -> "Gate":
        """What asks the policy."""
        if self._gate is None:
            # A listing of which all is remembered asks nobody.
            from plugline.admission.policy import Gate, Policy  # noqa: PLC0415

            self._gate = Gate(self.policy if self.policy is not None else Policy())
        return self._gate

    def renew(self) -> None:
        """Look at folders and lock files again: before each listing, and before each load."""
        if self._gate is not None:
            self._gate.renew()

    def text(self, folder: str) -> str | None:
        """Return what is the same wherever the same plugins of a folder are accepted; ``None`` where nothing is."""
        admission = circumstances(self.policy, folder)
        if admission is None:
            return None
        if not self._text:
            self._text = repr((tuple(self.interfaces), self.api_version, sys.version_info[:3]))
        return self._text + admission


def indexes_of(finders: Sequence[Finder]) -> dict[int, FolderIndex]:
    """Return what remembers, for each finder whose plugins are worth it: those of a folder on disk, if all of it counts."""
    if "PLUGLINE_ONLY" in os.environ:
        return {}
    return {
        number: FolderIndex(finder.tree, finder.find, "nested" if finder.nested else "")
        for number, finder in enumerate(finders)
        if type(finder) is Folder and isinstance(finder.tree, DiskTree)
    }


def inspect_places(
    finders: Sequence[Finder], around: Circumstances, indexes: Mapping[int, FolderIndex] | None = None
) -> Inspection:
    """Look at all places now. Runs no plugin code; what is wrong with one plugin leaves the others as they are."""
    accepted: dict[str, Entry] = {}
    rejected: list[tuple[str, Entry]] = []
    findings: list[Finding] = []
    for number, finder in enumerate(finders):
        index = (indexes or {}).get(number)
        entries, found = _remembered(index, around, number) if index is not None else _read_now(finder, around, number)
        findings += found.findings
        rejected += [(name, Entry(None, None, (finding,), number)) for name, finding in found.refused]
        for entry in entries:
            if entry.findings:
                rejected.append((_name_of(entry), entry))
                continue
            name = entry.name
            if name in accepted:
                clash = _clash(name, entry, accepted[name])
                rejected.append((name, Entry(entry.candidate, entry.spec, (clash,), number)))
            else:
                accepted[name] = entry
    in_order = {name: accepted[name] for name in sorted(accepted)}
    rejected.sort(key=lambda pair: (pair[1].finder, str(pair[1].place)))
    return Inspection(in_order, tuple(rejected), tuple(findings))


def _remembered(index: FolderIndex, around: Circumstances, finder: int) -> tuple[list[Entry], Found | Listing]:
    def judge(candidate: FileCandidate, read: Read, source: SourceFile | None) -> Verdict:
        entry = check_read(candidate, read, around, finder)
        if source is not None:
            entry = admitted(entry, source, around.gate)
        lasting = source is None or around.gate.is_lasting(candidate)
        if entry.findings or entry.spec is None:
            return Verdict(entry.findings, entry.warnings, (), lasting=lasting)
        own = entry.spec
        parts = [
            (one.class_name, one.name, one.summary) if one.spec is not own else (one.class_name, None, None)
            for one in split_entry(entry, around.interfaces)
        ]
        return Verdict((), entry.warnings, tuple(parts), lasting=lasting)

    listing = index.look(lambda: around.text(index.tree.real), judge)
    number = listing.number
    listed = Listed(index, number or 0, listing.text or "", finder)
    if not listing.verdicts and number is not None:
        return [RememberedEntry(row, listed) for row in listing.rows], listing
    entries: list[Entry] = []
    for row in listing.rows:
        verdict = listing.verdicts.get(row[ENTRY])
        if verdict is None:
            entries.append(RememberedEntry(row, listed))
        else:
            entries += _entries_of(row, verdict, index, finder)
    return entries, listing


def _entries_of(row: Row, verdict: Verdict, index: FolderIndex, finder: int) -> list[Entry]:
    spec = index.read_of(row).spec
    if spec is None or verdict.findings:
        return [Entry(index.candidate(row), spec, verdict.findings, finder, verdict.warnings)]
    return [
        Entry(
            index.candidate(row, class_name),
            spec if name is None else spec.replaced(name=name, summary=summary),
            (),
            finder,
            verdict.warnings,
        )
        for class_name, name, summary in verdict.parts
    ]


def _read_now(finder: Finder, around: Circumstances, number: int) -> tuple[list[Entry], Found | Listing]:
    found = finder.find()
    entries = [
        one
        for candidate in found.candidates
        for one in split_entry(read_candidate(candidate, around, number), around.interfaces)
    ]
    return entries, found


def _name_of(entry: Entry) -> str:
    if entry.spec is not None:
        return entry.spec.name
    return entry.candidate.name if entry.candidate is not None else ""


def split_entry(entry: Entry, interfaces: Sequence[Interface]) -> list[Entry]:
    """Return an entry for each plugin that the file holds: more than one only where they are classes of the host's."""
    if entry.spec is None or entry.candidate is None or all(interface.base is None for interface in interfaces):
        return [entry]
    if entry.findings:
        return [entry]  # what is wrong with a file is told once
    # Asked once a file and interface; the answer is remembered.
    from plugline.discovery.classes import split_by_class  # noqa: PLC0415

    return [
        Entry(candidate, spec, (), entry.finder, entry.warnings)
        for candidate, spec in split_by_class(entry.candidate, entry.spec, interfaces)
    ]


def _clash(name: str, entry: Entry, first: Entry) -> Finding:
    message = f"is named {name!r}, as is {first.place.path}, which comes first"
    hint = "rename one of them, or give it another PLUGIN_NAME"
    return Finding("P107", message, Place(entry.place.path), hint=hint)


def read_candidate(candidate: Candidate, around: Circumstances, finder: int) -> Entry:
    """Read one candidate, check what its source shows, and whether it may be loaded."""
    # What reads sources is imported where one is read.
    if not isinstance(candidate, FileCandidate):
        from plugline.discovery.spec import read_module  # noqa: PLC0415

        return check_read(candidate, read_module(candidate), around, finder)
    from plugline.discovery.reading import read_and_forget  # noqa: PLC0415

    source = candidate.tree.read(candidate.entry)
    entry = check_read(candidate, read_and_forget(candidate, source), around, finder)
    return entry if isinstance(source, Finding) else admitted(entry, source, around.gate)


def admitted(entry: Entry, source: SourceFile, gate: "Gate") -> Entry:
    """Add to an entry what speaks against loading it, made of these bytes; an entry to which nothing is new stays."""
    if entry.spec is None:
        return entry
    # A file is trusted as a whole, whichever of its classes is meant.
    found = gate.admit(entry.candidate, _spec_of_file(entry.spec), source)
    errors = tuple(finding for finding in found if finding.is_error)
    warnings = tuple(finding for finding in found if not finding.is_error)
    if not errors and warnings == entry.warnings:
        return entry
    return Entry(entry.candidate, entry.spec, (*entry.findings, *errors), entry.finder, warnings)


def _spec_of_file(spec: PluginSpec) -> PluginSpec:
    if ":" not in spec.name:
        return spec
    from plugline.discovery.classes import spec_of_file  # noqa: PLC0415 - few plugins are one of several in a file

    return spec_of_file(spec)


def check_read(candidate: Candidate, read: Read, around: Circumstances, finder: int) -> Entry:
    """Hold what was read against the host's interface and API version; all findings at once."""
    spec = read.spec
    if spec is None:
        return Entry(candidate, None, read.findings, finder)
    findings = list(read.findings)
    if spec.api is not None and around.api_version is not None:
        findings += _api_findings(spec, around.api_version)
    if spec.requires_python is not None:
        findings += _python_findings(spec)
    is_object = isinstance(candidate, ModuleCandidate) and bool(candidate.attribute)
    if not is_object and not spec.fits_plainly(around.interfaces) and spec.facts is not None:
        # How source is held against an interface is imported where that has to be told.
        from plugline.discovery.fit import source_findings  # noqa: PLC0415

        own_only = isinstance(candidate, FileCandidate)
        findings += source_findings(around.interfaces, spec.facts, spec.place.path, own_only=own_only)
    return Entry(candidate, spec, tuple(findings), finder)


def _api_findings(spec: PluginSpec, api_version: str) -> list[Finding]:
    assert spec.api is not None  # noqa: S101 - the caller asked
    # Asked once a plugin; the answer is remembered.
    from plugline.contract.version import api_version_problem  # noqa: PLC0415

    try:
        problem = api_version_problem(spec.api, api_version)
    except ValueError as error:
        return [Finding("P211", str(error), _api_place(spec))]
    hint = "take a version of the plugin for this host, or a newer host"
    return [Finding("P210", problem, _api_place(spec), hint=hint)] if problem is not None else []


def _api_place(spec: PluginSpec) -> Place:
    if spec.facts is None:
        return Place(spec.place.path)
    if "api" in spec.settings:
        return Place(spec.place.path, spec.facts.block_line)
    return Place(spec.place.path, spec.facts.constant_lines.get("REQUIRED_API_VERSION"))


def _python_findings(spec: PluginSpec) -> list[Finding]:
    # packaging is imported only for plugins that state a range, as in contract.version.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415

    running = ".".join(str(part) for part in sys.version_info[:3])
    try:
        fits = SpecifierSet(spec.requires_python or "").contains(running, prereleases=True)
    except InvalidSpecifier:
        message = f"requires-python is {spec.requires_python!r}, a range such as '>=3.11' was expected"
        return [Finding("P109", message, _block_place(spec))]
    if fits:
        return []
    return [Finding("P111", f"requires Python {spec.requires_python}, this is {running}", _block_place(spec))]


def _block_place(spec: PluginSpec) -> Place:
    return Place(spec.place.path, spec.facts.block_line if spec.facts is not None else None)
