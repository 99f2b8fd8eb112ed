"""What is remembered of a folder to what is true of it now, reading only what changed."""

import os
import stat
import warnings

from plugline.clock import monotonic_seconds, unix_nanoseconds
from plugline.contract.interface import Interface
from plugline.discovery.bundle import Where, entry_of
from plugline.discovery.candidates import FileCandidate, Found
from plugline.discovery.index import FolderIndex, Judge, Listing
from plugline.discovery.known import Read
from plugline.discovery.reading import Compiled, compile_file, read_and_forget, read_compiled
from plugline.discovery.recall import (
    ENTRY,
    FEW,
    FITS,
    INODE,
    MODIFIED,
    NAME,
    ORDERED,
    REST,
    UNSETTLED,
    Head,
    Owner,
    Refused,
    Row,
    Status,
    bit_of,
    owner_at,
    owner_of,
    settled,
    status_of,
)
from plugline.discovery.rest import Owners, Rest, rest_of
from plugline.discovery.rows import Verdict, candidate_of, encode, new_row
from plugline.discovery.trees import Looked, real_path, shown_path
from plugline.files import SourceFile, digest_of, read_plain
from plugline.findings import Finding
from plugline.typed import Callable, Sequence

_MAX_CIRCUMSTANCES = 29  # what a number holds that is marshalled in five bytes
_NOT_COMPILED: Where = (0, 0)
_TOGETHER = 32

Plain = tuple[bytes, os.stat_result]
"""What :func:`plugline.files.read_plain` returns: the bytes of a file, and its status at that moment."""


class _Fresh:
    """A file that was read just now: its bytes, then its code, then what it says.

    Attributes:
        packed: What the bundle is to keep of it; ``None`` where nothing.
    """

    __slots__ = ("_compiled", "candidate", "digest", "is_understood", "owners", "packed", "read", "source", "status")

    def __init__(
        self,
        candidate: FileCandidate,
        status: Status,
        owners: Owners,
        digest: bytes,
        source: SourceFile | Finding,
    ) -> None:
        self.candidate, self.status, self.owners, self.digest = candidate, status, owners, digest
        self.source = source if isinstance(source, SourceFile) else None
        self.read = Read(None, (source,) if isinstance(source, Finding) else ())
        self.is_understood = False
        self.packed: bytes | None = None
        self._compiled: Compiled | None = None

    def compile(self, warned: list[object]) -> None:
        """Turn its bytes into code; warnings are counted in a list that takes them meanwhile."""
        if self.source is not None:
            self._compiled = compile_file(self.candidate, self.source, warned)

    def understand(self, interfaces: Sequence[Interface]) -> None:
        """Turn its code into what it says, as far as these ask for it, and into what is kept of it."""
        if self.source is None or self._compiled is None:
            return
        reading = read_compiled(self.candidate, self.source, self.digest, self._compiled, interfaces)
        self.read, self._compiled, self.is_understood = reading.read, None, True
        if reading.code is not None:
            self.packed = entry_of(self.digest, reading.outline, reading.code, self.source.content)


class Update:
    """One look at a folder of which something is not as it is remembered.

    Attributes:
        changed: Whether there is something to write down.
        head: The head of the index as it is to be.
    """

    def __init__(
        self, index: FolderIndex, circumstances: str | None, judge: Judge, interfaces: Sequence[Interface]
    ) -> None:
        self._index = index
        self._judge = judge
        self._interfaces = interfaces
        self._circumstances = circumstances
        self._began = unix_nanoseconds()
        self._fresh: dict[str, _Fresh] = {}  # by their path in the folder
        # A few that were edited a moment ago are read again next time whatever is written down, and compiling them costs
        # less than writing all of the index.
        self._postponed: set[str] = set()
        self.changed = index.head is None
        self.head = index.head or Head(index.scope, {}, {}, {}, (), ())

    def run(self, stale: Sequence[Row] | None) -> Listing:
        """Return the folder as it is now, and put it into the index.

        Args:
            stale: Rows of files that are not as they were; ``None`` where the folder itself may have changed.
        """
        index = self._index
        found = Found()
        if stale is None:
            looked = Looked()
            found = self._find(looked)
            candidates = [one for one in found.candidates if isinstance(one, FileCandidate)]
            self._take_found(found, looked, candidates)
        else:
            candidates = [candidate_of(row, rest_of(row), index.tree) for row in stale]
        rows = self._rows_of(candidates)
        if stale is None:
            self.changed |= list(rows) != list(index.rows)
            index.rows = rows
        else:
            index.rows.update(rows)
        number = self._number()
        verdicts = self._judge_all(number)
        # A folder that cannot be listed is not worth a file of its own; one that comes back is read again.
        self.changed &= not found.findings
        refused = found.refused or index.refused(self.head)
        return Listing(list(index.rows.values()), number, self._circumstances, verdicts, refused, found.findings)

    # ------------------------------------------------------------------------- the folder

    def _find(self, looked: Looked) -> Found:
        self._index.tree.looked = looked
        try:
            return self._index.find()
        finally:
            self._index.tree.looked = None

    def _take_found(self, found: Found, looked: Looked, candidates: Sequence[FileCandidate]) -> None:
        folders = {
            folder: UNSETTLED if looked.links else settled(status_of(status), self._began)
            for folder, status in looked.folders.items()
        }
        refused = self._refused(found)
        inner = self._inner(candidates)
        if refused is None or inner is None:
            folders = dict.fromkeys(folders, UNSETTLED)
        head = Head(
            self._index.scope,
            folders,
            looked.files,
            inner or {},
            refused or (),
            self.head.circumstances,
            self.head.rows,
            self.head.pieces,
            self.head.names,
            self.head.helpers,
            self.head.live,
        )
        head.end = self.head.end
        self.changed |= (folders, looked.files, head.inner, head.refused) != (
            self.head.folders,
            self.head.files,
            self.head.inner,
            self.head.refused,
        )
        self.head = head

    def _inner(self, candidates: Sequence[FileCandidate]) -> dict[str, Owner] | None:
        """Return who owns the folders between the root and the plugins, ``None`` where one of them is gone."""
        inner: dict[str, Owner] = {}
        for candidate in candidates:
            folder, _, _ = candidate.entry.rpartition("/")
            while folder and folder not in inner:
                owner = owner_at(real_path(self._index.tree, folder))
                if owner is None:
                    return None
                inner[folder] = owner
                folder, _, _ = folder.rpartition("/")
        return inner

    def _refused(self, found: Found) -> tuple[Refused, ...] | None:
        """Return what can be no plugin, as it is remembered; ``None`` where it cannot be."""
        refused: list[Refused] = []
        for name, finding in found.refused:
            before = shown_path(self._index.tree, "x")[:-1]
            path = finding.place.path
            if not path.startswith(before):
                return None
            refused.append((name, path[len(before) :], encode((finding,), path)[0]))
        return tuple(refused)

    # ------------------------------------------------------------------------- files

    def _rows_of(self, candidates: Sequence[FileCandidate]) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        fresh: list[_Fresh] = []
        known_rows, seconds = self._index.rows, self._index.read_seconds
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            for candidate in candidates:
                began = monotonic_seconds()
                row = known_rows.get(candidate.entry)
                # A new file is read anyway, and what it was then need not be asked for. One in a folder may be behind a link.
                is_new = row is None and "/" not in candidate.entry
                plain = read_plain(real_path(candidate.tree, candidate.entry)) if is_new else None
                status, owners = _status_of_plain(candidate, plain)
                if row is not None and row[MODIFIED : INODE + 1] == status:
                    rest = rest_of(row)
                    if not _renamed(rest, candidate):
                        rows[candidate.entry] = known = _owned(row, rest, owners)
                        self.changed |= known is not row
                        continue
                source = _read(candidate, owners, plain)
                read = self._reread(candidate, row, settled(status, self._began), owners, source)
                seconds[candidate.entry] = monotonic_seconds() - began
                if isinstance(read, _Fresh):
                    fresh.append(read)
                    rows[candidate.entry] = ("", 0, 0, 0, 0, None, None, "", 0, b"")  # it holds the place
                else:
                    self.changed |= read != row
                    rows[candidate.entry] = read
            postponed = not self.changed and len(fresh) <= FEW and all(one.status == UNSETTLED for one in fresh)
            places = self._understand(fresh, warned, keep=not postponed)  # type: ignore[arg-type]
        if self._index.head is None:
            self.head.live = sum(places.get(one.digest, _NOT_COMPILED)[1] for one in fresh)
        for one in fresh:
            entry = one.candidate.entry
            rows[entry] = self._new_row(one, places.get(one.digest, _NOT_COMPILED))
            if postponed:
                self._postponed.add(entry)
            else:
                self.changed |= rows[entry] != known_rows.get(entry)
        return rows

    def _understand(self, fresh: Sequence[_Fresh], warned: list[object], *, keep: bool) -> dict[bytes, Where]:
        """Turn files that were read into code, and that into what they say.

        Args:
            warned: Takes warnings meanwhile, which are counted.
            keep: Whether the code is put into the bundle.

        Returns:
            Where the code of each digest is in the bundle.
        """
        # Each step for some files: the compiler is a tenth slower where much else is done between two of them, and the code of a
        # thousand would take four times the memory.
        places: dict[bytes, Where] = {}
        steps: tuple[Callable[[_Fresh], None], ...] = (
            lambda one: one.compile(warned),
            lambda one: one.understand(self._interfaces),
        )
        for first in range(0, len(fresh), _TOGETHER):
            for step in steps:
                for one in fresh[first : first + _TOGETHER]:
                    began = monotonic_seconds()
                    step(one)
                    self._index.read_seconds[one.candidate.entry] += monotonic_seconds() - began
            if keep:
                self._keep(fresh[first : first + _TOGETHER], places)
        return places

    def _reread(
        self,
        candidate: FileCandidate,
        row: Row | None,
        status: Status,
        owners: Owners,
        source: SourceFile | Finding,
    ) -> "_Fresh | Row":
        if isinstance(source, Finding):
            return _Fresh(candidate, UNSETTLED, (), b"", source)
        digest = digest_of(source.content)
        rest = rest_of(row) if row is not None else None
        if row is not None and rest is not None and not _renamed(rest, candidate) and rest.digest == digest:
            return _owned((row[ENTRY], *status, *row[NAME:]), rest, owners)
        return _Fresh(candidate, status, owners, digest, source)

    def _keep(self, fresh: Sequence[_Fresh], places: dict[bytes, Where]) -> None:
        """Put code into the bundle, and its place to the others."""
        entries = {one.digest: one.packed for one in fresh if one.packed is not None and one.digest not in places}
        places.update(zip(entries, self._index.append_code(list(entries.values())) or (), strict=False))
        for one in fresh:
            one.packed = None

    def _new_row(self, one: _Fresh, where: Where) -> Row:
        index = self._index
        entry = one.candidate.entry
        self._fresh[entry] = one
        index.unremembered.pop(entry, None)
        row = None
        if one.is_understood:
            row = new_row(one.candidate, one.status, one.read, one.digest, where, one.owners)
        if row is not None:
            return row
        index.unremembered[entry] = one.read
        # Under no digest, so that it is read again by every process.
        row = new_row(one.candidate, UNSETTLED, Read(None, ()), b"", _NOT_COMPILED, ())
        assert row is not None  # noqa: S101 - nothing is in it that could not be remembered
        spec = one.read.spec
        return row if spec is None else (*row[:NAME], str.__str__(spec.name), spec.version, spec.summary, *row[FITS:])

    # ------------------------------------------------------------------------- verdicts

    def _number(self) -> int | None:
        text, head = self._circumstances, self.head
        if text is None:
            return None
        if text not in head.circumstances:
            if len(head.circumstances) >= _MAX_CIRCUMSTANCES:
                head.circumstances = ()
                for entry, row in self._index.rows.items():
                    self._index.rows[entry] = _unjudged(row)
            head.circumstances = (*head.circumstances, text)
            self.changed = True
        return head.circumstances.index(text)

    def _judge_all(self, number: int | None) -> dict[str, Verdict]:
        """Return what the host makes of the files that are not plain, or are not to be remembered."""
        verdicts: dict[str, Verdict] = {}
        bit = bit_of(number) if number is not None else 0
        rows = self._index.rows
        for entry, row in rows.items():
            if row[FITS] & bit:
                continue
            fresh = self._fresh.get(entry)
            if fresh is None:
                rest = rest_of(row)
                encoded = rest.verdicts.get(number) if number is not None else None
                if encoded is not None:
                    verdicts[entry] = Verdict.decode(encoded, shown_path(self._index.tree, entry))
                    continue
                verdict, owners = self._judged(row, rest), rest.owners
            else:
                owners = fresh.owners
                # Of a file in the folder itself as it was when it was read; of others it is looked at again.
                owner = owners[0] if len(owners) == 1 else None
                verdict = self._judge(fresh.candidate, fresh.read, fresh.source, owner)
            if number is None or not verdict.lasting or not owners:
                verdicts[entry] = verdict
                continue
            self.changed |= entry not in self._postponed
            if not verdict.is_plain:
                verdicts[entry] = verdict
            rows[entry] = _with_verdict(row, number, verdict, shown_path(self._index.tree, entry))
        return verdicts

    def _judged(self, row: Row, rest: Rest) -> Verdict:
        index = self._index
        candidate = candidate_of(row, rest, index.tree)
        source = candidate.tree.read(row[ENTRY])
        if isinstance(source, Finding):
            return _passing(self._judge(candidate, Read(None, (source,)), None, None))
        if digest_of(source.content) != rest.digest:
            # Changed since it was looked at, a moment ago: the next listing reads it again.
            return _passing(self._judge(candidate, read_and_forget(candidate, source), source, None))
        return self._judge(candidate, index.read_of(row), source, None)


def _with_verdict(row: Row, number: int, verdict: Verdict, path: str) -> Row:
    fits = row[FITS] | bit_of(number) if verdict.is_plain else row[FITS]
    encoded = verdict.encode(path)
    if not encoded:
        return (*row[:FITS], fits, row[REST])  # the bit says it all
    rest = rest_of(row)
    rest.verdicts[number] = encoded
    return (*row[:FITS], fits, rest.dump())


def _read(candidate: FileCandidate, owners: Owners, plain: Plain | None) -> SourceFile | Finding:
    """Read a file of which the owners are known if it is no link, and is behind none."""
    if len(owners) == 1:
        # Most files stand in the folder itself, and are what they were a moment ago.
        found = plain if plain is not None else read_plain(real_path(candidate.tree, candidate.entry))
        if found is not None:
            return SourceFile(shown_path(candidate.tree, candidate.entry), found[0])
    return candidate.tree.read(candidate.entry)


def _passing(verdict: Verdict) -> Verdict:
    return Verdict(verdict.findings, verdict.warnings, verdict.parts, lasting=False)


def _renamed(rest: Rest, candidate: FileCandidate) -> bool:
    return (rest.name, rest.module) != (candidate.name, candidate.module)


def _owned(row: Row, rest: Rest, owners: Owners) -> Row:
    """Return a row of a file that belongs to these: what hosts made of it when it belonged to others is forgotten."""
    if rest.owners == owners:
        return row
    rest.owners = owners
    return _unjudged((*row[:REST], rest.dump()))


def _unjudged(row: Row) -> Row:
    rest = rest_of(row)
    rest.verdicts = {}
    return (*row[:FITS], row[FITS] & ORDERED, rest.dump())


def _status_of_plain(candidate: FileCandidate, plain: Plain | None) -> tuple[Status | None, Owners]:
    """Return the status and the owners of a file that no link leads to.

    What is behind a link changes without a trace in its folder, so there is neither for it.

    Args:
        plain: What reading it gave, where it was read already: then these are of what was read.
    """
    if plain is not None:
        return status_of(plain[1]), (owner_of(plain[1]),)
    folder, _, _ = candidate.entry.rpartition("/")
    owners: list[Owner] = []
    try:
        while folder:
            inner = os.lstat(real_path(candidate.tree, folder))
            if stat.S_ISLNK(inner.st_mode):
                return None, ()
            owners.append(owner_of(inner))
            folder, _, _ = folder.rpartition("/")
        found = os.lstat(real_path(candidate.tree, candidate.entry))
    except (OSError, ValueError):
        return None, ()
    if not stat.S_ISREG(found.st_mode):
        return None, ()
    return status_of(found), (*owners, owner_of(found))
