"""Finders to what they hold: every candidate read and checked, replaced as a whole when the host looks again."""

import sys
from collections.abc import Sequence

from plugline.admission.policy import Gate
from plugline.contract.interface import Interface
from plugline.contract.version import api_version_problem
from plugline.discovery.candidates import Candidate, FileCandidate, ModuleCandidate
from plugline.discovery.classes import spec_of_file, split_by_class
from plugline.discovery.finders import Finder
from plugline.discovery.fit import source_findings
from plugline.discovery.spec import PluginSpec, Read, read_file, read_module
from plugline.files import SourceFile
from plugline.findings import Finding, Place
from plugline.values import Value


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


def inspect_places(
    finders: Sequence[Finder], interfaces: Sequence[Interface], api_version: str | None, gate: Gate | None = None
) -> Inspection:
    """Look at all places now. Runs no plugin code; what is wrong with one plugin leaves the others as they are."""
    accepted: dict[str, Entry] = {}
    rejected: list[tuple[str, Entry]] = []
    findings: list[Finding] = []
    for index, finder in enumerate(finders):
        found = finder.find()
        findings += found.findings
        rejected += [(name, Entry(None, None, (finding,), index)) for name, finding in found.refused]
        for entry in (
            one
            for candidate in found.candidates
            for one in split_entry(read_candidate(candidate, interfaces, api_version, index, gate), interfaces)
        ):
            candidate = entry.candidate
            assert candidate is not None  # noqa: S101 - it was read from one
            name = entry.spec.name if entry.spec is not None else candidate.name
            if not entry.findings and name in accepted:
                clash = _clash(name, entry, accepted[name])
                rejected.append((name, Entry(candidate, entry.spec, (clash,), index)))
            elif entry.findings:
                rejected.append((name, entry))
            else:
                accepted[name] = entry
    in_order = {name: accepted[name] for name in sorted(accepted)}
    rejected.sort(key=lambda pair: (pair[1].finder, str(pair[1].place)))
    return Inspection(in_order, tuple(rejected), tuple(findings))


def class_name_of(entry: Entry) -> str:
    """Return the class that an entry means, empty where it means a file."""
    return entry.candidate.class_name if entry.candidate is not None else ""


def split_entry(entry: Entry, interfaces: Sequence[Interface]) -> list[Entry]:
    """Return an entry for each plugin that the file holds: more than one only where they are classes of the host's."""
    if entry.spec is None or entry.candidate is None or all(interface.base is None for interface in interfaces):
        return [entry]
    if entry.findings:
        return [entry]  # what is wrong with a file is told once
    return [
        Entry(candidate, spec, (), entry.finder, entry.warnings)
        for candidate, spec in split_by_class(entry.candidate, entry.spec, interfaces)
    ]


def _clash(name: str, entry: Entry, first: Entry) -> Finding:
    message = f"is named {name!r}, as is {first.place.path}, which comes first"
    hint = "rename one of them, or give it another PLUGIN_NAME"
    return Finding("P107", message, Place(entry.place.path), hint=hint)


def read_candidate(
    candidate: Candidate,
    interfaces: Sequence[Interface],
    api_version: str | None,
    finder: int,
    gate: Gate | None = None,
) -> Entry:
    """Read one candidate, check what its source shows, and whether it may be loaded."""
    if not isinstance(candidate, FileCandidate):
        return check_read(candidate, read_module(candidate), interfaces, api_version, finder)
    source = candidate.tree.read(candidate.entry)
    entry = check_read(candidate, read_file(candidate, source), interfaces, api_version, finder)
    return entry if isinstance(source, Finding) or gate is None else admitted(entry, source, gate)


def admitted(entry: Entry, source: SourceFile, gate: Gate) -> Entry:
    """Add to an entry what speaks against loading it, made of these bytes."""
    if entry.spec is None:
        return entry
    # A file is trusted as a whole, whichever of its classes is meant.
    found = gate.admit(entry.candidate, spec_of_file(entry.spec), source)
    errors = tuple(finding for finding in found if finding.is_error)
    warnings = tuple(finding for finding in found if not finding.is_error)
    return Entry(entry.candidate, entry.spec, (*entry.findings, *errors), entry.finder, warnings)


def check_read(
    candidate: Candidate, read: Read, interfaces: Sequence[Interface], api_version: str | None, finder: int
) -> Entry:
    """Hold what was read against the host's interface and API version; all findings at once."""
    spec = read.spec
    if spec is None:
        return Entry(candidate, None, read.findings, finder)
    findings = list(read.findings)
    if spec.api is not None and api_version is not None:
        findings += _api_findings(spec, api_version)
    if spec.requires_python is not None:
        findings += _python_findings(spec)
    if spec.facts is not None and not (isinstance(candidate, ModuleCandidate) and candidate.attribute):
        own_only = isinstance(candidate, FileCandidate)
        findings += source_findings(interfaces, spec.facts, spec.place.path, own_only=own_only)
    return Entry(candidate, spec, tuple(findings), finder)


def _api_findings(spec: PluginSpec, api_version: str) -> list[Finding]:
    assert spec.api is not None  # noqa: S101 - the caller asked
    line = spec.facts.constant_lines.get("REQUIRED_API_VERSION") if spec.facts is not None else None
    if spec.facts is not None and "api" in spec.settings:
        line = spec.facts.block_line
    place = Place(spec.place.path, line)
    try:
        problem = api_version_problem(spec.api, api_version)
    except ValueError as error:
        return [Finding("P211", str(error), place)]
    hint = "take a version of the plugin for this host, or a newer host"
    return [Finding("P210", problem, place, hint=hint)] if problem is not None else []


def _python_findings(spec: PluginSpec) -> list[Finding]:
    # packaging is imported only for plugins that state a range, as in contract.version.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415

    running = ".".join(str(part) for part in sys.version_info[:3])
    place = Place(spec.place.path, spec.facts.block_line if spec.facts is not None else None)
    try:
        fits = SpecifierSet(spec.requires_python or "").contains(running, prereleases=True)
    except InvalidSpecifier:
        message = f"requires-python is {spec.requires_python!r}, a range such as '>=3.11' was expected"
        return [Finding("P109", message, place)]
    if fits:
        return []
    return [Finding("P111", f"requires Python {spec.requires_python}, this is {running}", place)]
