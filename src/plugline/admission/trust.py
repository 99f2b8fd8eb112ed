"""Plugin folders and files as they are now to the lock that would trust them, and what that changes.

What ``plugline trust`` does, without its options and its printing.
"""

import _ast
import os

from plugline.admission import LOCK_NAME
from plugline.admission.lock import Lock, LockDiff, Locked, diff_locks, locked_file_findings, read_lock, write_lock
from plugline.admission.policy import declared_permissions, files_below, lock_path
from plugline.discovery.candidates import FileCandidate
from plugline.discovery.finders import File
from plugline.discovery.folder import ARCHIVES, finder_for
from plugline.discovery.source import parse_source
from plugline.discovery.spec import read_file
from plugline.discovery.trees import Tree, real_path
from plugline.files import SourceFile, read_source
from plugline.findings import Finding
from plugline.typed import Sequence
from plugline.values import Value

_IMPORTABLE = (".py", ".so", ".pyd", ".dll", ".dylib")


class Proposal(Value):
    """What trusting would change in one lock file.

    Attributes:
        old: The lock as it is; ``None`` where there is none, or none that can be read.
        findings: What cannot be trusted because it cannot be read, and what is wrong with the old lock.
    """

    __slots__ = ("diff", "findings", "new", "old")
    old: Lock | None
    new: Lock
    diff: LockDiff
    findings: tuple[Finding, ...]

    def __init__(self, old: Lock | None, new: Lock, diff: LockDiff, findings: tuple[Finding, ...]) -> None:
        self._set(old=old, new=new, diff=diff, findings=findings)

    def to_data(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "lock": self.new.path,
            "plugins": [
                {
                    "name": change.name,
                    "change": change.kind,
                    "file": (change.new or change.old).file if change.new or change.old else None,  # type: ignore[union-attr]
                    "version": change.new.version if change.new is not None else None,
                    "trusted_version": change.old.version if change.old is not None else None,
                    "asks_more": change.more.to_data(),
                    "asks_fewer": change.fewer.to_data(),
                }
                for change in self.diff.plugins
            ],
            "files": [
                {"file": path, "change": "added" if old is None else "removed" if new is None else "changed"}
                for path, old, new in self.diff.files
            ],
        }


def propose(paths: Sequence[str], lock: str | None = LOCK_NAME) -> tuple[Proposal, ...]:
    """Return what trusting plugins as they are now would change, a proposal for each lock file; writes nothing.

    A folder is taken whole, and so is an archive: what is no longer in it is no longer trusted. Of a single plugin only its own entry
    changes, and the files below its folder if it is a package.

    Args:
        paths: Folders, ``.py`` files, packages and archives.
        lock: As :class:`~plugline.admission.policy.Policy` takes it.
    """
    return tuple(_propose(path, places) for path, places in by_lock(paths, lock).items())


def by_lock(paths: Sequence[str], lock: str | None = LOCK_NAME) -> dict[str, list[str]]:
    """Return the lock files that paths are trusted in, each with its paths; as :func:`propose` takes them."""
    grouped: dict[str, list[str]] = {}
    for path in map(archive_of, paths):
        folder = path if is_folder_of_plugins(path) else os.path.dirname(os.path.abspath(path))
        grouped.setdefault(lock_path(lock or LOCK_NAME, folder) or "", []).append(path)
    return grouped


def changed_files(folder: str, lock: str | None = LOCK_NAME) -> tuple[Finding, ...]:
    """Return the files that plugins of a folder import and that are not what was trusted (``T303``); nothing without a lock.

    A load tells that of what it imports; this tells it without one.

    Args:
        lock: As :class:`~plugline.admission.policy.Policy` takes it.
    """
    path = lock_path(lock, folder)
    known = read_lock(path) if path is not None else None
    tree = finder_for(folder).tree
    if not isinstance(known, Lock) or tree is None:
        return ()
    findings: list[Finding] = []
    for relative in files_below(tree, "", _IMPORTABLE):
        real = real_path(tree, relative)
        source = tree.read(relative) if known.relative(real) in known.files else None
        if isinstance(source, SourceFile):
            findings += locked_file_findings(known, real, source)
    return tuple(findings)


def accept(proposal: Proposal) -> None:
    """Write the lock of a proposal.

    Raises:
        OSError: It cannot be written; the old lock is as it was.
    """
    write_lock(proposal.new)


def is_folder_of_plugins(path: str) -> bool:
    """Whether a path is a folder with plugins in it, or an archive of one, and not a package that is one.

    An ``__init__.py`` in which nothing stands makes no plugin of a folder: many editors put one into each.
    """
    if os.path.isfile(path):
        return path.endswith(ARCHIVES)
    init = os.path.join(path, "__init__.py")
    return os.path.isdir(path) and (not os.path.isfile(init) or _says_nothing(init))


def _says_nothing(path: str) -> bool:
    source = read_source(path)
    tree = parse_source(source) if isinstance(source, SourceFile) else source
    return not isinstance(tree, Finding) and all(isinstance(one, _ast.Expr) for one in tree.body)


def archive_of(path: str) -> str:
    """Return the archive that a path leads into, as findings name what it holds: it is trusted as a whole; else the path."""
    above = path
    while above and not os.path.lexists(above) and above != os.path.dirname(above):
        above = os.path.dirname(above)
    return above if above.endswith(ARCHIVES) and os.path.isfile(above) else path


def _propose(path: str, places: Sequence[str]) -> Proposal:
    found = read_lock(path, folder=next((place for place in places if is_folder_of_plugins(place)), None))
    findings = list(found) if isinstance(found, tuple) else []
    old = found if isinstance(found, Lock) else None
    empty = Lock(path)
    plugins = dict(old.plugins) if old is not None else {}
    files = dict(old.files) if old is not None else {}
    for place in places:
        whole = is_folder_of_plugins(place)
        if not os.path.lexists(place):
            # What is gone is trusted no more, also by its own path.
            _forget(empty.relative(place), plugins, files)
            continue
        finder = finder_for(place) if whole or place.endswith(".py") else _package(place)
        looked = finder.find()
        findings += [finding for _, finding in looked.refused]
        tree = finder.tree
        assert tree is not None  # noqa: S101 - finders of paths have one
        if whole:
            _forget(empty.relative(place), plugins, files)
        entries = set()
        for candidate in looked.candidates:
            if isinstance(candidate, FileCandidate):
                entries.add(candidate.entry)
                findings += _trust(candidate, empty, plugins)
        below = _other_files(tree, looked.candidates, whole=whole)
        # An archive whose plugins are in a folder of it is trusted all the same.
        findings += looked.findings if looked.candidates or not below else ()
        for relative in below:
            if relative in entries:
                continue
            source = tree.read(relative)
            if isinstance(source, Finding):
                findings.append(source)
            elif not (whole and b"permissions" in source.content and _trust_asking(tree, relative, empty, plugins)):
                files[empty.relative(real_path(tree, relative))] = source.digest
    new = Lock(path, plugins, files)
    return Proposal(old, new, diff_locks(old, new), tuple(findings))


def _package(path: str) -> File:
    return File(path.rstrip("/"))


def _forget(prefix: str, plugins: dict[str, Locked], files: dict[str, str]) -> None:
    for name in [name for name, locked in plugins.items() if _is_below(locked.file, prefix)]:
        del plugins[name]
    for path in [path for path in files if _is_below(path, prefix)]:
        del files[path]


def _is_below(path: str, prefix: str) -> bool:
    return prefix in (".", path) or path.startswith(f"{prefix}/")


def _trust(candidate: FileCandidate, lock: Lock, plugins: dict[str, Locked]) -> tuple[Finding, ...]:
    source = candidate.tree.read(candidate.entry)
    read = read_file(candidate, source)
    # What has no name that a plugin can have is never loaded, and its name need not be one that a lock can hold.
    if read.spec is None or isinstance(source, Finding) or any(finding.code == "P109" for finding in read.findings):
        return read.findings
    permissions, wrong = declared_permissions(read.spec)
    file = lock.relative(real_path(candidate.tree, candidate.entry))
    # One file is one plugin: under an old name it is trusted no more.
    for name in [name for name, locked in plugins.items() if locked.file == file]:
        del plugins[name]
    known = plugins.get(read.spec.name)
    is_taken = known is not None and os.path.lexists(archive_of(os.path.join(os.path.dirname(lock.path), known.file)))
    # Folders side by side have one lock, and may each have a plugin of the name.
    plugins[file if is_taken else read.spec.name] = Locked(file, read.spec.version, source.digest, permissions)
    return (*read.findings, *wrong)


def _trust_asking(tree: Tree, relative: str, lock: Lock, plugins: dict[str, Locked]) -> bool:
    """Trust a file below a plugin folder under its own path if it asks for permissions; whether it does.

    Hosts that look into folders may have a plugin of it.
    """
    asking: dict[str, Locked] = {}
    _trust(FileCandidate(relative.replace("/", "."), tree, relative, ""), lock, asking)
    mine = {one.file: one for one in asking.values() if one.permissions}
    plugins.update(mine)
    return bool(mine)


def _other_files(tree: Tree, candidates: Sequence[object], *, whole: bool) -> list[str]:
    if whole:
        return files_below(tree, "", _IMPORTABLE)
    entries = [one.entry for one in candidates if isinstance(one, FileCandidate)]
    packages = [entry.rpartition("/")[0] for entry in entries if entry.endswith("/__init__.py")]
    return [path for package in packages for path in files_below(tree, package, _IMPORTABLE)]
