"""A plugin's spec, its bytes and its owners to whether it may be loaded.

A :class:`Policy` decides, from values alone; a :class:`Gate` gathers these values for one host. To change what is
decided, give the host a policy of your own: a subclass of :class:`Policy`, or anything with its two methods.
"""

import os

from plugline.admission import LOCK_NAME
from plugline.admission.ownership import OwnerFacts, Owners, ownership_findings
from plugline.contract.permissions import NOTHING, Permissions, parse_permissions
from plugline.discovery.candidates import FileCandidate
from plugline.discovery.known import PluginSpec
from plugline.discovery.recall import Owner
from plugline.discovery.trees import MemoryTree, Tree, real_path
from plugline.files import SourceFile
from plugline.findings import Finding, Place, short_repr
from plugline.typed import TYPE_CHECKING, Callable, Iterable, Literal, Protocol
from plugline.values import Value

if TYPE_CHECKING:
    from plugline.admission.lock import Lock  # what reads one is imported where there is one

Audit = Literal["off", "warn", "refuse"]


class Facts(Value):
    """What is known around a plugin, besides itself.

    Attributes:
        lock: What is trusted; ``None`` where there is no lock file.
        shared: Whether it is a file of several plugins, which has no permissions of its own.
        path: Its absolute path; of a file in an archive the one that it would have if the archive were a folder.
    """

    __slots__ = ("declared", "lock", "owner", "path", "shared")
    owner: OwnerFacts
    lock: "Lock | None"
    declared: Permissions
    shared: bool
    path: str | None

    def __init__(
        self,
        owner: OwnerFacts,
        lock: "Lock | None" = None,
        declared: Permissions = NOTHING,
        *,
        shared: bool = False,
        path: str | None = None,
    ) -> None:
        put = object.__setattr__  # as _set does, in half the time: one is made for each file that is judged
        put(self, "owner", owner)
        put(self, "lock", lock)
        put(self, "declared", declared)
        put(self, "shared", shared)
        put(self, "path", path)


class Admitting(Protocol):
    """What a host asks before it runs anything.

    Attributes:
        strict: Whether warnings about owners and modes are errors, those of the lock file's own path too.
        lock: The lock file: a bare name is looked for beside each plugin folder, a path is taken as it is, ``None``
            is for no lock at all.

    A policy may have an attribute ``remembered_as`` besides, a text: as long as it is the same, so is what the policy says of
    the same file with the same owners and the same lock file, whenever and in whatever process it is asked. What it said is
    then remembered from one listing to the next; before a plugin is run it is asked all the same. Without it, it is asked of
    every plugin at every listing.
    """

    @property
    def strict(self) -> bool:
        """See the class."""

    @property
    def lock(self) -> str | None:
        """See the class."""

    def admit(self, spec: PluginSpec, source: SourceFile, facts: Facts) -> tuple[Finding, ...]:
        """Return what speaks against loading a plugin; one error is enough to refuse it.

        Called when plugins are listed, and again before one is run, with the bytes that will be: whatever happens to
        the file in between or later, what was passed here is what is compiled. What it raises refuses the plugin, and
        leaves its neighbours as they are (``T306``).
        """

    def admit_file(self, source: SourceFile, path: str, facts: Facts) -> tuple[Finding, ...]:
        """Return what speaks against running another file of the folder, which a plugin imports.

        Args:
            source: The bytes that will be run.
            path: Its absolute path.
            facts: Around it; what is declared is that of the package it is in, nothing for a file of several plugins.
        """


class Policy:
    """Who may be loaded: owners and modes, then the lock file, then what is declared, then the audit.

    All findings are told at once. Without arguments a file that others could have written is refused, and where there
    is a lock file, what is not in it or differs from it.

    Args:
        strict: Whether what may be written to by a group, or belongs to somebody else, is refused and not warned of.
        lock: The lock file. A bare name is looked for beside the plugin folder, a path is taken as it is; ``None``
            turns it off.
        audit: What becomes of code that is seen to touch what its plugin does not declare. This is hygiene, and
            not a boundary: code that means to hide what it does is not seen.
        grant: The most that any plugin is granted; ``None`` for no limit.

    Raises:
        ValueError: ``audit`` is none of the three, or the path of the lock is empty.
    """

    def __init__(
        self,
        *,
        strict: bool = False,
        lock: str | os.PathLike[str] | None = LOCK_NAME,
        audit: Audit = "off",
        grant: Permissions | None = None,
    ) -> None:
        if audit not in ("off", "warn", "refuse"):
            raise ValueError(f"audit is {audit!r}, 'off', 'warn' or 'refuse' was expected")
        if lock is not None and not os.fspath(lock):
            # What a variable that is not set gives; the folder that the lock would be in is not what was meant by it.
            raise ValueError("the path of the lock is empty; None is for no lock at all")
        self.strict = strict
        self.lock: str | None = os.fspath(lock) if lock is not None else None
        self.audit = audit
        self.grant = grant

    def __repr__(self) -> str:
        return f"Policy(strict={self.strict}, lock={self.lock!r}, audit={self.audit!r}, grant={self.grant})"

    def admit(self, spec: PluginSpec, source: SourceFile, facts: Facts) -> tuple[Finding, ...]:
        """See :class:`Admitting`."""
        findings = list(ownership_findings(facts.owner, source.path, strict=self.strict))
        if facts.lock is not None:
            from plugline.admission.lock import locked_findings  # few hosts have a lock

            findings += locked_findings(facts.lock, spec, source.digest, facts.declared, facts.path, source.content)
        if self.grant is not None and (more := facts.declared.beyond(self.grant)):
            message = f"asks for {more.in_words()}, which this program grants no plugin"
            hint = f"take a plugin that needs less, or have it granted; this program grants at most {self.grant}"
            findings.append(Finding("T402", message, permissions_place(spec), hint=hint))
        return (*findings, *self.audited(source, facts.declared))

    def admit_file(self, source: SourceFile, path: str, facts: Facts) -> tuple[Finding, ...]:
        """See :class:`Admitting`. A file of several plugins has no permissions of its own, and is not audited."""
        findings = list(ownership_findings(facts.owner, source.path, strict=self.strict))
        if facts.lock is not None:
            from plugline.admission.lock import locked_file_findings

            findings += locked_file_findings(facts.lock, path, source)
        return tuple(findings) if facts.shared else (*findings, *self.audited(source, facts.declared))

    def audited(self, source: SourceFile, declared: Permissions) -> tuple[Finding, ...]:
        """Return the findings of the audit of some source; none where the policy has none."""
        if self.audit == "off":
            return ()
        # Only who asks for an audit pays for its tables.
        from plugline.admission.audit import audit_findings, find_uses
        from plugline.discovery.source import parse_source  # see there

        tree = parse_source(source)
        if isinstance(tree, Finding):
            return ()  # told by whoever reads it
        severity = "error" if self.audit == "refuse" else "warning"
        return audit_findings(find_uses(tree), declared, source.path, severity=severity)


def declared_permissions(spec: PluginSpec) -> tuple[Permissions, tuple[Finding, ...]]:
    """Return what a plugin declares, and what is wrong with the way it does."""
    declared = spec.settings.get("permissions")
    if declared is None:
        return NOTHING, ()
    return parse_permissions(declared, permissions_place(spec))


def permissions_place(spec: PluginSpec) -> Place:
    """Return where a plugin declares its permissions, as far as that is known: its block."""
    return Place(spec.place.path, spec.block_line)


def _on_disk(tree: Tree) -> str | None:
    """Return the archive that holds a tree's files, ``None`` where they are files of their own."""
    # By having it, and not by its class: zipfile costs more to import than all of this.
    archive = getattr(tree, "archive", None)
    return archive if isinstance(archive, str) else None


class Gate:
    """Gathers facts for a policy; between two calls of :meth:`renew` each folder is looked at once."""

    def __init__(self, policy: Admitting) -> None:
        self._policy = policy
        self._owners = Owners()
        self._verdicts: dict[str, Lock | None | tuple[Finding, ...]] = {}
        self._locks: dict[str, tuple[object, Lock | None | tuple[Finding, ...]]] = {}

    def renew(self) -> None:
        """Look at folders and lock files again: before each listing, and before each load."""
        self._owners.renew()
        self._verdicts = {}

    def admit(
        self, candidate: object, spec: PluginSpec, source: SourceFile, owner: Owner | None = None
    ) -> tuple[Finding, ...]:
        """Return what speaks against loading a candidate, made of these bytes.

        Only files on disk are held against the policy, those in an archive by the archive. An installed module is
        trusted like the program that runs, and what is carried in memory was admitted where it was packed.

        Args:
            owner: Who owned a file on disk when they were read, if it is no link; ``None`` to look at it now.
        """
        if not isinstance(candidate, FileCandidate) or isinstance(candidate.tree, MemoryTree):
            return ()
        declared, wrong = declared_permissions(spec)
        lock = self._lock_of(candidate.tree)
        if isinstance(lock, tuple):
            return (*wrong, *lock)
        path = real_path(candidate.tree, candidate.entry)
        facts = Facts(self._owners.look(_on_disk(candidate.tree) or path, owner), lock, declared, path=path)
        found = self._judged(lambda: self._policy.admit(spec, source, facts), source)
        # A folder that is wrong is so for each file in it.
        others = dict.fromkeys(one for one in self._package_findings(candidate, facts) if one not in found)
        return (*wrong, *found, *others)

    def grants_of(self, candidate: object, spec: PluginSpec) -> tuple[Permissions | None, Permissions | None]:
        """Return what the lock file and the policy grant an admitted plugin; ``None`` where there is no lock, or no limit."""
        grant = getattr(self._policy, "grant", None)  # a host's own policy may know no such thing
        if not isinstance(candidate, FileCandidate) or isinstance(candidate.tree, MemoryTree):
            return None, grant
        lock = self._lock_of(candidate.tree)
        if lock is None or isinstance(lock, tuple):
            return (NOTHING if isinstance(lock, tuple) else None), grant
        locked = lock.find(spec.name, real_path(candidate.tree, candidate.entry))
        return (locked.permissions if locked is not None else NOTHING), grant

    def is_lasting(self, candidate: object) -> bool:
        """Whether what :meth:`admit` returned depends on nothing but the candidate's file and its circumstances."""
        if not isinstance(candidate, FileCandidate) or not candidate.entry.endswith("/__init__.py"):
            return True
        # Other files of a package are held against a lock, and audited.
        return self._lock_of(candidate.tree) is None and not self._audits

    def admit_file(
        self, tree: Tree, relative: str, source: SourceFile, declared: Permissions | None = None
    ) -> tuple[Finding, ...]:
        """Return what speaks against running a file that is no plugin itself: a helper, or a module of a package.

        Args:
            declared: What the package that it is in asks for; ``None`` for a file that several plugins share.
        """
        if isinstance(tree, MemoryTree):
            return ()
        lock = self._lock_of(tree)
        if isinstance(lock, tuple):
            return lock
        path = real_path(tree, relative)
        owner = self._owners.look(_on_disk(tree) or path)
        asked = declared if declared is not None else NOTHING
        facts = Facts(owner, lock, asked, shared=declared is None, path=path)
        return self._judged(lambda: self._policy.admit_file(source, path, facts), source)

    def admit_native(self, tree: Tree, relative: str) -> tuple[Finding, ...]:
        """Return what speaks against native code: that it is not what the lock says, where there is a lock."""
        lock = self._lock_of(tree)
        if lock is None or isinstance(lock, tuple):
            return lock or ()
        source = tree.read(relative)
        if isinstance(source, Finding):
            return (source,)
        from plugline.admission.lock import locked_file_findings  # few hosts have a lock

        return locked_file_findings(lock, real_path(tree, relative), source)

    def _judged(self, ask: Callable[[], tuple[Finding, ...]], source: SourceFile) -> tuple[Finding, ...]:
        if type(self._policy) is Policy:
            return ask()
        return _judged(ask, source.path)

    @property
    def _audits(self) -> bool:
        return getattr(self._policy, "audit", "off") != "off"  # a host's own policy may know no such thing

    def _package_findings(self, candidate: FileCandidate, facts: Facts) -> tuple[Finding, ...]:
        """Hold the other files of a package against the lock and the audit.

        Its modules are asked about again when they are imported.
        """
        folder, _, name = candidate.entry.rpartition("/")
        if name != "__init__.py" or (facts.lock is None and not self._audits):
            return ()
        findings: list[Finding] = []
        for relative in files_below(candidate.tree, folder, (".py", *_NATIVE_SUFFIXES)):
            if relative != candidate.entry:
                findings += self._module_findings(candidate.tree, relative, facts)
        return tuple(findings)

    def _module_findings(self, tree: Tree, relative: str, facts: Facts) -> tuple[Finding, ...]:
        if not relative.endswith(".py"):
            return self.admit_native(tree, relative)
        source = tree.read(relative)
        # What is new or cannot be read is refused where it is imported: nobody may import it.
        known = facts.lock is None or facts.lock.relative(real_path(tree, relative)) in facts.lock.files
        if not known or isinstance(source, Finding):
            return ()
        return self.admit_file(tree, relative, source, facts.declared)

    def _lock_of(self, tree: Tree) -> "Lock | None | tuple[Finding, ...]":
        if tree.real not in self._verdicts:
            path = lock_path(self._policy.lock, _on_disk(tree) or tree.real)
            shown = _on_disk(tree) or tree.shown
            self._verdicts[tree.real] = self._checked_lock(path, shown) if path is not None else None
        return self._verdicts[tree.real]

    def _checked_lock(self, path: str, folder: str) -> "Lock | None | tuple[Finding, ...]":
        # Its status will do here: who can forge that can write to it, and so trust anything.
        status = _status(path)
        known = self._locks.get(path)
        if known is None or known[0] != status:
            known = self._locks[path] = (status, self._read(path, folder) if status is not None else None)
        lock = known[1]
        if lock is None or isinstance(lock, tuple):
            return lock
        found = ownership_findings(self._owners.look(path), lock.path, strict=self._policy.strict)
        return tuple(finding for finding in found if finding.is_error) or lock

    def _read(self, path: str, folder: str) -> "Lock | None | tuple[Finding, ...]":
        from plugline.admission.lock import read_lock

        return read_lock(path, folder=folder)


def _status(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None if not os.path.lexists(path) else ()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


_NATIVE_SUFFIXES = (".so", ".pyd", ".dll", ".dylib")


def lock_path(lock: str | None, folder: str) -> str | None:
    """Return the absolute path of the lock file for a plugin folder: a bare name is beside the folder."""
    if lock is None:
        return None
    if os.path.basename(lock) != lock:
        return os.path.abspath(lock)
    return os.path.join(os.path.dirname(os.path.abspath(folder)), lock)


def files_below(tree: Tree, folder: str, suffixes: tuple[str, ...]) -> list[str]:
    """Return the files of a folder of a tree, at any depth, that end in one of ``suffixes``, sorted."""
    found: list[str] = []
    seen: set[str] = set()
    todo = [folder]
    while todo:
        at = todo.pop()
        real = os.path.realpath(real_path(tree, at))
        names = tree.names(at) if real not in seen else []  # a link may lead round in a circle
        seen.add(real)
        for name, is_folder in [] if isinstance(names, Finding) else names:
            path = f"{at}/{name}" if at else name
            if is_folder and not name.startswith(".") and name != "__pycache__":
                todo.append(path)
            elif name.endswith(suffixes) and not is_folder:
                found.append(path)
    return sorted(found)


def _judged(ask: Callable[[], object], path: str) -> tuple[Finding, ...]:
    """Return what a host's own policy finds; one that raises, or returns anything else, refuses what it was asked about (``T306``)."""
    hint = "mend the policy: what it cannot judge is refused"
    try:
        found = ask()
        findings = tuple(found) if isinstance(found, Iterable) else (found,)
    except BaseException as error:
        from plugline.blame import describe_error, users_own_interrupt  # few policies raise

        if users_own_interrupt(error):
            raise
        text = describe_error(error)
        where = f" at {text.path}:{text.line}" if text.path is not None else ""
        return (Finding("T306", f"the host's policy raised {text.said}{where}", Place(path), hint),)
    if isinstance(found, str) or not all(isinstance(one, Finding) for one in findings):
        message = f"the host's policy returned {short_repr(found)}, a tuple of findings was expected"
        return (Finding("T306", message, Place(path), hint),)
    return findings
