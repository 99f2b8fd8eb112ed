"""Finders to what they hold: every candidate read and checked, replaced as a whole when the host looks again."""

import os

from plugline.clock import monotonic_seconds
from plugline.contract.interface import Interface
from plugline.discovery.candidates import Candidate, FileCandidate, Found, ModuleCandidate, of_class
from plugline.discovery.finders import EntryPoints, Finder, Modules, Package
from plugline.discovery.index import Listing
from plugline.discovery.known import PluginSpec, Read
from plugline.discovery.recall import ENTRY, FITS, NAME, ORDERED, Owner
from plugline.discovery.rows import Verdict
from plugline.discovery.trees import shown_path
from plugline.files import SourceFile
from plugline.findings import Finding, Place
from plugline.host.circumstances import Circumstances
from plugline.host.entries import Entry, Inspection, Listed, Memory, ReadEntry, Recalled, RememberedEntry, as_entry
from plugline.typed import TYPE_CHECKING, Callable, Mapping, Sequence

if TYPE_CHECKING:
    # What judges is imported where something is to be judged.
    from plugline.admission.policy import Gate
    from plugline.discovery.modules import ModuleIndex


def inspect_places(
    finders: Sequence[Finder], around: Circumstances, memories: Mapping[int, Memory] | None = None
) -> Inspection:
    """Look at all places now. Runs no plugin code; what is wrong with one plugin leaves the others as they are."""
    accepted: dict[str, Entry | Recalled] = {}
    files: dict[tuple[int, str], tuple[str, Entry | Recalled]] = {}
    rejected: list[tuple[str, Entry]] = []
    findings: list[Finding] = []
    for number, finder in enumerate(finders):
        memory = (memories or {}).get(number)
        entries: Sequence[Entry | Recalled]
        if memory is not None:
            entries, found = _remembered(memory, around, number)
        else:
            entries, found = _read_now(finder, around, number)
        findings += found.findings
        rejected += [(name, ReadEntry(None, None, (finding,), number)) for name, finding in found.refused]
        for known in entries:
            if not isinstance(known, tuple) and known.findings:
                rejected.append((_name_of(known), known))
                continue
            name = known[0][NAME] or "" if isinstance(known, tuple) else known.name
            file = _file_of(known)
            stem = file.removesuffix("/__init__.py").removesuffix(".py")
            if name in accepted:
                entry = as_entry(known)
                clash = _clash(name, entry, as_entry(accepted[name]))
                rejected.append((name, ReadEntry(entry.candidate, entry.spec, (clash,), number)))
            elif file and files.setdefault((number, stem), (file, known))[0] != file:
                entry = as_entry(known)
                clash = _same_module(stem, entry, as_entry(files[number, stem][1]))
                rejected.append((name, ReadEntry(entry.candidate, entry.spec, (clash,), number)))
            else:
                accepted[name] = known
    in_order = {name: accepted[name] for name in sorted(accepted)}
    rejected.sort(key=lambda pair: (pair[1].finder, str(pair[1].place)))
    ordered = any(
        known[0][FITS] & ORDERED if isinstance(known, tuple) else known.is_ordered for known in in_order.values()
    )
    return Inspection(in_order, tuple(rejected), tuple(findings), is_ordered=ordered)


def _remembered(
    memory: Memory, around: Circumstances, finder: int
) -> tuple[Sequence[Entry | Recalled], Found | Listing]:
    index = memory.index
    admit = _admitting(around, index.tree.real)

    def judge(candidate: FileCandidate, read: Read, source: SourceFile | None, owner: Owner | None) -> Verdict:
        entry = check_read(candidate, read, around, finder)
        if source is not None:
            entry = admit(entry, source, owner)
        return _verdict(entry, around, lasting=source is None or around.gate.is_lasting(candidate))

    listing = index.look(lambda: around.text(index.tree.real), judge, around.interfaces)
    for path, seconds in index.read_seconds.items():
        around.read_seconds[finder, shown_path(index.tree, path)] = seconds
    number = listing.number
    listed = Listed(memory, number or 0, listing.text or "", finder)
    if not listing.verdicts and number is not None:
        return [(row, listed) for row in listing.rows], listing
    entries: list[Entry] = []
    for row in listing.rows:
        verdict = listing.verdicts.get(row[ENTRY])
        if verdict is None:
            entries.append(RememberedEntry(row, listed))
        else:
            entries += _entries_of(index.candidate(row), index.read_of(row).spec, verdict, finder)
    return entries, listing


def _verdict(entry: Entry, around: Circumstances, *, lasting: bool = True) -> Verdict:
    """Return what a host makes of a file; ``lasting`` is whether it would be admitted again."""
    if entry.findings or entry.spec is None:
        # Whether there is an environment with another Python is not written in the file, nor why a policy raised.
        lasting = lasting and all(
            finding.code not in ("P111", "T306") and not _leads_elsewhere(finding) for finding in entry.findings
        )
        return Verdict(entry.findings, entry.warnings, (), lasting=lasting)
    own = entry.spec
    parts = [
        (one.class_name, one.name, one.summary) if one.spec is not own else (one.class_name, None, None)
        for one in split_entry(entry, around.interfaces)
    ]
    return Verdict((), entry.warnings, tuple(parts), lasting=lasting)


def _admitting(around: Circumstances, folder: str) -> Callable[[Entry, SourceFile, Owner | None], Entry]:
    """Return what does as :func:`admitted` for the files of a folder in one listing."""
    reads_code = around.reads_code(folder)
    # Nothing speaks against files that belong to these. Asked once: the files of a folder mostly have one owner, and one mode.
    sound: set[Owner] = set()

    def admit(entry: Entry, source: SourceFile, owner: Owner | None) -> Entry:
        if reads_code or owner is None or entry.spec is None or "permissions" in entry.spec.settings:
            return admitted(entry, source, around.gate, owner)
        if owner in sound:
            return entry
        judged = admitted(entry, source, around.gate, owner)
        if judged is entry:
            sound.add(owner)
        return judged

    return admit


def _leads_elsewhere(finding: Finding) -> bool:
    """Whether what to do is a command with a path that is right in the current folder only."""
    return "plugline " in (finding.hint or "") and not finding.place.path.startswith(os.sep)


def _entries_of(candidate: Candidate, spec: PluginSpec | None, verdict: Verdict, finder: int) -> list[Entry]:
    if spec is None or verdict.findings:
        return [ReadEntry(candidate, spec, verdict.findings, finder, verdict.warnings)]
    return [
        ReadEntry(
            of_class(candidate, class_name),
            spec if name is None else spec.replaced(name=name, summary=summary),
            (),
            finder,
            verdict.warnings,
        )
        for class_name, name, summary in verdict.parts
    ]


def _read_now(finder: Finder, around: Circumstances, number: int) -> tuple[list[Entry], Found | Listing]:
    found = finder.find()
    entries: list[Entry] = []
    index = _module_index(finder)
    for candidate in found.candidates:
        began = monotonic_seconds()
        if index is not None and isinstance(candidate, ModuleCandidate):
            read = _look_at_module(candidate, around, number, index)
        else:
            read = split_entry(read_candidate(candidate, around, number), around.interfaces)
        around.read_seconds[number, read[0].place.path] = monotonic_seconds() - began
        entries += read
    if index is not None:
        index.flush()
    return entries, found


def _module_index(finder: Finder) -> "ModuleIndex | None":
    """Return what is remembered of what a finder finds; ``None`` for one that does not tell all that it asks for by its ``repr``."""
    if type(finder) not in (Modules, Package, EntryPoints):
        return None
    from plugline.discovery.modules import ModuleIndex  # for hosts with installed plugins

    return ModuleIndex(repr(finder))


def _look_at_module(
    candidate: ModuleCandidate, around: Circumstances, number: int, index: "ModuleIndex"
) -> list[Entry]:
    def judge(read: Read) -> Verdict:
        return _verdict(check_read(candidate, read, around, number), around)

    read, verdict = index.look(candidate, around.asked, judge)
    return _entries_of(candidate, read.spec, verdict, number)


def _name_of(entry: Entry) -> str:
    if entry.spec is not None:
        return entry.spec.name
    return entry.candidate.name if entry.candidate is not None else ""


def split_entry(entry: Entry, interfaces: Sequence[Interface]) -> list[Entry]:
    """Return an entry for each plugin that the file holds: more than one only where they are classes."""
    if entry.spec is None or entry.candidate is None or not any(one.base or one.members for one in interfaces):
        return [entry]
    # What is wrong with a file is told once.
    if entry.findings or entry.spec.fits_plainly(interfaces):
        return [entry]
    # Asked once a file and interface; the answer is remembered.
    from plugline.discovery.fit import split_by_class

    return [
        ReadEntry(candidate, spec, (), entry.finder, entry.warnings)
        for candidate, spec in split_by_class(entry.candidate, entry.spec, interfaces)
    ]


def _brought(entry: Entry) -> tuple[str, bool]:
    """Return by which distribution a plugin was brought, for a message, and whether it was by any."""
    distribution = entry.spec.distribution if entry.spec is not None else None
    return (f" by {distribution}", True) if distribution is not None else ("", False)


def _clash(name: str, entry: Entry, first: Entry) -> Finding:
    by, brought = _brought(entry)
    message = f"is named {name!r}{by}, as is {first.place.path}{_brought(first)[0]}, which comes first"
    hint = "rename one of them, or give it another PLUGIN_NAME"
    if brought:
        hint = "uninstall one of them, or leave out the place that finds it"
    return Finding("P107", message, Place(entry.place.path), hint=hint)


def _file_of(known: Entry | Recalled) -> str:
    """Return the path of a plugin's file in its folder, empty where it is an installed module."""
    if isinstance(known, tuple):
        return known[0][ENTRY]
    if isinstance(known, RememberedEntry):
        return known.row[ENTRY]  # its candidate would be made for it
    candidate = known.candidate
    return candidate.entry if isinstance(candidate, FileCandidate) else ""


def _same_module(stem: str, entry: Entry, first: Entry) -> Finding:
    """Return why one of two plugins, ``x.py`` and ``x/``, is rejected: one of them would be run for both."""
    message = f"is the module {stem.replace('/', '.')!r}, as is {first.place.path}, which comes first"
    return Finding("P107", message, Place(entry.place.path), hint="rename the file or the folder")


def read_candidate(candidate: Candidate, around: Circumstances, finder: int) -> Entry:
    """Read one candidate, check what its source shows, and whether it may be loaded."""
    # What reads sources is imported where one is read.
    if not isinstance(candidate, FileCandidate):
        from plugline.discovery.spec import read_module

        return check_read(candidate, read_module(candidate), around, finder)
    from plugline.discovery.reading import read_and_forget

    source = candidate.tree.read(candidate.entry)
    entry = check_read(candidate, read_and_forget(candidate, source), around, finder)
    return entry if isinstance(source, Finding) else admitted(entry, source, around.gate)


def admitted(entry: Entry, source: SourceFile, gate: "Gate", owner: Owner | None = None) -> Entry:
    """Add to an entry what speaks against loading it, made of these bytes; an entry to which nothing is new stays.

    Args:
        owner: Who owned the file when the bytes were read; ``None`` to look at it now.
    """
    if entry.spec is None:
        return entry
    # A file is trusted as a whole, whichever of its classes is meant.
    found = gate.admit(entry.candidate, _spec_of_file(entry), source, owner)
    errors = tuple(finding for finding in found if finding.is_error)
    warnings = tuple(finding for finding in found if not finding.is_error)
    if not errors and warnings == entry.warnings:
        return entry
    return ReadEntry(entry.candidate, entry.spec, (*entry.findings, *errors), entry.finder, warnings)


def entry_beside(beside: Entry, class_name: str) -> Entry:
    """Return the entry of a class that only running its file showed.

    Args:
        beside: The file's, or that of another class in it.
    """
    from plugline.discovery.classes import spec_of_class  # as below

    assert beside.spec is not None  # noqa: S101 - it was loaded
    assert beside.candidate is not None  # noqa: S101 - likewise
    spec = spec_of_class(beside.spec, class_name, beside.class_name)
    return ReadEntry(of_class(beside.candidate, class_name), spec, (), beside.finder)


def _spec_of_file(entry: Entry) -> PluginSpec:
    assert entry.spec is not None  # noqa: S101 - the caller asked
    if not entry.class_name:
        return entry.spec
    from plugline.discovery.classes import spec_of_file  # few plugins are one of several in a file

    return spec_of_file(entry.spec, entry.class_name)


def check_read(candidate: Candidate, read: Read, around: Circumstances, finder: int) -> Entry:
    """Hold what was read against the host's interface and API version; all findings at once."""
    spec = read.spec
    if spec is None:
        return ReadEntry(candidate, None, read.findings, finder)
    findings = list(read.findings)
    if spec.api is not None and around.api_version is not None:
        findings += _api_findings(spec, around, around.api_version)
    if spec.requires_python is not None:
        findings += _python_findings(spec, candidate)
    is_object = isinstance(candidate, ModuleCandidate) and bool(candidate.attribute)
    interfaces = around.interfaces
    if interfaces and not is_object and not spec.fits_plainly(interfaces) and spec.facts is not None:
        # How source is held against an interface is imported where that has to be told.
        from plugline.discovery.fit import source_findings

        own_only = isinstance(candidate, FileCandidate)
        findings += source_findings(interfaces, spec.facts, spec.place.path, own_only=own_only)
    return ReadEntry(candidate, spec, tuple(findings), finder)


def _api_findings(spec: PluginSpec, around: Circumstances, api_version: str) -> list[Finding]:
    assert spec.api is not None  # noqa: S101 - the caller asked
    if spec.api not in around.api_problems:
        # Asked once a plugin; the answer is remembered.
        from plugline.contract.version import api_version_problem

        try:
            around.api_problems[spec.api] = api_version_problem(spec.api, api_version)
        except ValueError as error:
            return [Finding("P211", str(error), _api_place(spec))]
    problem = around.api_problems[spec.api]
    hint = "take a version of the plugin for this host, or a newer host"
    return [Finding("P210", problem, _api_place(spec), hint=hint)] if problem is not None else []


def _api_place(spec: PluginSpec) -> Place:
    if spec.facts is None:
        return Place(spec.place.path)
    if "api" in spec.settings:
        return Place(spec.place.path, spec.facts.block_line)
    return Place(spec.place.path, spec.facts.constant_lines.get("REQUIRED_API_VERSION"))


def _python_findings(spec: PluginSpec, candidate: Candidate) -> list[Finding]:
    from plugline.contract.version import running_python, runs_here  # for plugins that say so

    try:
        if runs_here(spec.requires_python or ""):
            return []
    except ValueError as error:
        return [Finding("P109", str(error), _block_place(spec))]
    hint = "run the program with such a Python, or take another version of the plugin"
    if isinstance(candidate, FileCandidate):
        # It runs in a worker of an environment that was made with such a Python, or not at all.
        from plugline.isolation.environments import Needs, find_environment, needs_of  # seldom needed
        from plugline.names import shell_word

        needs = needs_of(spec.dependencies, spec.requires_python, spec.place)
        if isinstance(needs, Needs) and find_environment(needs) is not None:
            return []
        hint = f"make an environment, if such a Python is here: plugline sync {shell_word(spec.place.path)}"
    message = f"requires Python {spec.requires_python}, this is {running_python()}"
    return [Finding("P111", message, _block_place(spec), hint=hint)]


def _block_place(spec: PluginSpec) -> Place:
    return Place(spec.place.path, spec.block_line)
