"""A folder's plugins to what is remembered of them: listed without opening one, read again where anything changed.

The index is one file a folder, in the user's cache folder, beside the bundle of compiled code::

    magic, length and check of the head | head | rows | names | helpers

The *head* says what the finder looked at and where the rest is. A *row* is a candidate (:mod:`plugline.discovery.rows`), and
the rows together are one marshalled list, so that a listing reads them all at once. *Names* are fixed records sorted by the hash
of the plugin's name, each with the place of its row, so that one plugin is found among ten thousand with two reads. *Helpers* are
records of the same size for code of files that are no plugins.

Invariants:
    1. A file is trusted not to have changed only while size, mtime, ctime and inode are as they were when it was
       read, and if its stamps were at least two seconds old then: a second edit within the file system's
       granularity would leave them as they are (git's "racy" rule). Anything else is read again, and known by its digest.
    2. A folder is trusted by the same rule not to have gained or lost entries; never where there are links in it.
    3. What is in the index depends on the files alone. What a host makes of them is kept under the text of its
       circumstances: its interface, its policy, the lock file, who owns the folder.
    4. Nothing that cannot be read, is damaged, or was written for another folder, Python or plugline is used; it is
       made again, and nobody is told.
    5. Of several writers the last one wins; what the others had found is found again.
"""

import _imp
import marshal
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER  # importlib.util is 3 ms, importlib 0.2

from plugline.discovery.bundle import Bundle, Where, entry_of
from plugline.discovery.cache import cache_folder, open_ours, read_at, write_whole
from plugline.discovery.candidates import FileCandidate, Found
from plugline.discovery.known import Read
from plugline.discovery.rows import (
    CHANGED,
    ENTRY,
    FITS,
    INODE,
    MARSHAL_VERSION,
    MODIFIED,
    NAME,
    ORDERED,
    REST,
    Encoded,
    Rest,
    Row,
    Verdict,
    bit_of,
    candidate_of,
    decode,
    rest_of,
    spec_of,
)
from plugline.discovery.trees import DiskTree, real_path, shown_path
from plugline.files import SourceFile
from plugline.findings import Finding
from plugline.typed import Callable, CodeType

# Not imported: the façade stands above us.
__version__: str = sys.modules["plugline"].__version__

_MAGIC = b"plugidx\x02"
_FIRST_READ_BYTES = 4096  # the head of most folders, in one read
_PREFIX_BYTES = 24
_RECORD_BYTES = 32
_SETTLED_NANOSECONDS = 2_000_000_000  # FAT stamps files every two seconds; other file systems are finer
UNSETTLED = (0, 0, 0, 0)
_SPARE_BUNDLE_BYTES = 2**20

Status = tuple[int, int, int, int]
"""mtime_ns, ctime_ns, size and inode; all zero for what has to be looked at again."""

Owner = tuple[int, int, int]
"""User, group and mode."""

Refused = tuple[str, str, Encoded]
"""The name of what can be no plugin, the path of it in the folder, and why."""

Judge = Callable[[FileCandidate, Read, SourceFile | None], Verdict]
"""What a host makes of a file: of what reading it gave, and of its bytes where it could be read."""

Circumstances = Callable[[], str | None]
"""A text that is the same wherever a host makes the same of every file; ``None`` for a host that is asked each time."""


def _check(content: bytes) -> bytes:
    # SipHash, in the interpreter itself: 64 bits against accidents. Others cannot write here.
    return _imp.source_hash(0x706C7567, content)


def status_of(found: os.stat_result) -> Status:
    """Return what of a file's status shows that it changed."""
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _status_at(path: str) -> Status | None:
    try:
        return status_of(os.stat(path))
    except (OSError, ValueError):
        return None


def owner_of(found: os.stat_result) -> Owner:
    """Return what of a file's status says who may write to it."""
    return found.st_uid, found.st_gid, found.st_mode


def owner_at(path: str) -> Owner | None:
    """Return the owner of what is there, of a link that of the link itself; ``None`` where nothing is."""
    try:
        return owner_of(os.lstat(path))
    except (OSError, ValueError):
        return None


def settled(status: Status | None, began: int) -> Status:
    """Return a status that can be trusted later; zeros for that of a file that may be changed again unseen."""
    latest = began - _SETTLED_NANOSECONDS
    return status if status is not None and status[0] < latest and status[1] < latest else UNSETTLED


class Head:
    """What stands first in an index.

    Attributes:
        scope: What the index is for.
        folders: The folders whose entries the finder took, with their status.
        files: The paths at which it asked for a file, with the answer.
        refused: What bears a plugin's name and can be none.
        inner: Who owns the folders below the root that hold plugins.
        circumstances: The texts that the bits of rows are about.
        rows: Offset and length of the rows, counted from the end of the head, as for the other two.
        rows_check: The digest of them.
        names: Of the records that lead from a name to its row.
        helpers: Of those that lead from a digest to code.
        end: Where the head ends.
    """

    __slots__ = (
        "circumstances",
        "end",
        "files",
        "folders",
        "helpers",
        "inner",
        "names",
        "refused",
        "rows",
        "rows_check",
        "scope",
    )

    def __init__(
        self,
        scope: str,
        folders: dict[str, Status],
        files: dict[str, bool],
        inner: dict[str, Owner],
        refused: tuple[Refused, ...],
        circumstances: tuple[str, ...],
        rows: tuple[int, int] = (0, 0),
        rows_check: bytes = b"",
        names: tuple[int, int] = (0, 0),
        helpers: tuple[int, int] = (0, 0),
    ) -> None:
        self.scope, self.folders, self.files, self.inner, self.refused = scope, folders, files, inner, refused
        self.circumstances, self.rows, self.rows_check = circumstances, rows, rows_check
        self.names, self.helpers = names, helpers
        self.end = 0

    def dump(self) -> bytes:
        """Return it as it stands in the file."""
        front = (self.scope, self.folders, self.files, self.inner, self.refused, self.circumstances)
        return marshal.dumps((*front, self.rows, self.rows_check, self.names, self.helpers), MARSHAL_VERSION)


class Listing:
    """A folder as it is now.

    Attributes:
        rows: What is known of each candidate, in the finder's order.
        number: That of the host's circumstances, ``None`` where they are not to be remembered.
        text: These circumstances.
        verdicts: What the host makes of the files that lack their bit in :data:`~plugline.discovery.rows.FITS`.
        refused: What bears a plugin's name and can be none, each with its finding.
        findings: What is wrong with the folder as a whole.
    """

    __slots__ = ("findings", "number", "refused", "rows", "text", "verdicts")

    def __init__(
        self,
        rows: list[Row],
        number: int | None,
        text: str | None,
        verdicts: dict[str, Verdict],
        refused: tuple[tuple[str, Finding], ...] = (),
        findings: tuple[Finding, ...] = (),
    ) -> None:
        self.rows, self.number, self.text, self.verdicts = rows, number, text, verdicts
        self.refused, self.findings = refused, findings


class FolderIndex:
    """What is remembered of one folder, in memory and on disk.

    Args:
        tree: The folder.
        find: What says which candidates it holds.
        scope: What else decides what ``find`` finds.

    Threads: used by one at a time, under its host's lock.
    """

    def __init__(self, tree: DiskTree, find: Callable[[], Found], scope: str = "") -> None:
        self.tree = tree
        self.find = find
        self.scope = scope
        self._path: str | None = None
        self._bundle: Bundle | None = None
        self._is_located = False
        self.head: Head | None = None
        self.rows: dict[str, Row] = {}
        self.unremembered: dict[str, Read] = {}
        """What cannot be remembered, and is read again each time: files that cannot be read, odd settings."""
        self._kept: dict[bytes, tuple[str, CodeType, bytes]] = {}

    def _locate(self) -> None:
        """Find out where on disk it is; not before it is used, since a host looks at nothing before that."""
        if self._is_located:
            return
        self._is_located = True
        build = (sys.version, MAGIC_NUMBER.hex(), str(sys.flags.optimize))
        self.scope = "\n".join((os.path.realpath(self.tree.real), self.scope, __version__, *build))
        folder = cache_folder()
        if folder is not None:
            self._path = os.path.join(folder, _check(self.scope.encode("utf-8", "surrogateescape")).hex())
            self._bundle = Bundle(f"{self._path}.bundle")

    @property
    def has_packages(self) -> bool:
        """Whether there is a plugin that is a folder."""
        return bool(self.head is None or self.head.files)

    # ------------------------------------------------------------------------- listing

    def look(self, circumstances: Circumstances, judge: Judge) -> Listing:
        """Return the folder as it is now; writes down what was not known before.

        Args:
            circumstances: Those of the host.
            judge: Says what the host makes of a file; asked once a file and circumstances.
        """
        self._locate()
        if self.head is None:
            self._recall()
        head = self.head
        text = circumstances()
        stale: list[Row] | None = None
        if head is not None and self.is_found_unchanged(head):
            stale = self._stale_rows()
            if not stale and text in head.circumstances:
                number = head.circumstances.index(text)
                verdicts = self._recall_verdicts(number)
                if verdicts is not None:
                    return Listing(list(self.rows.values()), number, text, verdicts, self.refused(head))
        # What reads sources is imported where one is to be read.
        from plugline.discovery.update import Update  # noqa: PLC0415

        update = Update(self, text, judge)
        listing = update.run(stale)
        if text is not None and circumstances() != text:
            # They changed meanwhile: what was found is told, and kept under neither text.
            self.head, self.rows = None, {}
        elif update.changed:
            self._write(update.head)
        return listing

    def _stale_rows(self) -> list[Row]:
        """Return the rows of files that are not as they were."""
        prefix = real_path(self.tree, "")
        prefix = prefix if prefix.endswith(os.sep) else prefix + os.sep
        stat = os.stat
        stale = []
        for row in self.rows.values():
            try:
                found = stat(prefix + row[0])
            except (OSError, ValueError):
                stale.append(row)
                continue
            if (
                found.st_mtime_ns != row[1]
                or found.st_ctime_ns != row[2]
                or found.st_size != row[3]
                or found.st_ino != row[4]
            ):
                stale.append(row)
        return stale

    def _recall_verdicts(self, number: int) -> dict[str, Verdict] | None:
        """Return what a host makes of the files that are not plain, ``None`` where it is not known of all of them."""
        verdicts: dict[str, Verdict] = {}
        bit = bit_of(number)
        for entry, row in self.rows.items():
            if not row[FITS] & bit:
                encoded = rest_of(row).verdicts.get(number)
                if encoded is None:
                    return None
                verdicts[entry] = Verdict.decode(encoded, shown_path(self.tree, entry))
        return verdicts

    def refused(self, head: "Head") -> tuple[tuple[str, Finding], ...]:
        """Return what can be no plugin, as this host writes paths."""
        return tuple(
            (name, finding)
            for name, path, encoded in head.refused
            for finding in decode((encoded,), shown_path(self.tree, path))
        )

    def _recall(self) -> None:
        """Take from disk what is there."""
        descriptor = open_ours(f"{self._path}.index") if self._path is not None else None
        if descriptor is None:
            return
        try:
            head = self._read_head(descriptor)
            content = read_at(descriptor, head.end + head.rows[0], head.rows[1]) if head is not None else b""
        finally:
            os.close(descriptor)
        if head is not None and len(content) == head.rows[1] and _check(content) == head.rows_check:
            self.rows = {row[ENTRY]: row for row in marshal.loads(content)}  # noqa: S302 - from a file that only we can write, with its digest checked
            self.head = head

    def _read_head(self, descriptor: int) -> "Head | None":
        first = read_at(descriptor, 0, _FIRST_READ_BYTES)
        if first[:8] != _MAGIC or len(first) < _PREFIX_BYTES:
            return None
        length = int.from_bytes(first[8:16], "little")
        content = first[_PREFIX_BYTES : _PREFIX_BYTES + length]
        if len(content) < length:
            content += read_at(descriptor, len(first), _PREFIX_BYTES + length - len(first))
        if len(content) != length or _check(content) != first[16:24]:
            return None
        head = Head(*marshal.loads(content))  # noqa: S302 - from a file that only we can write, with its digest checked
        head.end = _PREFIX_BYTES + length
        return head if head.scope == self.scope else None

    def is_found_unchanged(self, head: "Head") -> bool:
        """Whether the finder would find the same again."""
        return (
            all(
                status != UNSETTLED and _status_at(real_path(self.tree, folder)) == status
                for folder, status in head.folders.items()
            )
            and all(self.tree.is_file(path) == found for path, found in head.files.items())
            and all(owner_at(real_path(self.tree, folder)) == owner for folder, owner in head.inner.items())
        )

    # ------------------------------------------------------------------------- one plugin

    def find_one(self, name: str, circumstances: Circumstances) -> tuple[Row, int, str] | None:
        """Return the row of the one plugin of this name, with the number of its host's circumstances, and these.

        ``None`` where only a listing can tell.

        Its file is as it was, and the folder has the entries that it had. Other files are not looked at: that one of
        them has been given the same name since is seen at the next listing.
        """
        self._locate()
        descriptor = open_ours(f"{self._path}.index") if self._path is not None and self.head is None else None
        if descriptor is None:
            return None
        try:
            head = self._read_head(descriptor)
            text = circumstances()
            if head is None or text is None or text not in head.circumstances or not self.is_found_unchanged(head):
                return None
            row = _find_row(descriptor, head, name)
        finally:
            os.close(descriptor)
        number = head.circumstances.index(text)
        if row is None or row[NAME] != name or row[FITS] & (ORDERED | bit_of(number)) != bit_of(number):
            return None
        if not row[CHANGED] or _status_at(real_path(self.tree, row[ENTRY])) != row[MODIFIED : INODE + 1]:
            return None
        return row, number, text

    # ------------------------------------------------------------------------- specs and code

    def candidate(self, row: Row, class_name: str = "") -> FileCandidate:
        """Return where the plugin of a row is."""
        return candidate_of(row, rest_of(row), self.tree, class_name)

    def read_of(self, row: Row) -> Read:
        """Return what reading the file of a row gave."""
        known = self.unremembered.get(row[ENTRY])
        if known is not None:
            return known
        rest = rest_of(row)
        spec = spec_of(row, rest, self.tree, lambda: self._outline(rest))
        return Read(spec, decode(rest.findings, shown_path(self.tree, row[ENTRY])))

    def _outline(self, rest: Rest) -> object:
        return self._bundle.find_outline(rest.digest, rest.where) if self._bundle is not None else None

    def find_code(self, digest: bytes, entry: str, row: Row | None = None) -> CodeType | None:
        """Return the code that was compiled from the source of this digest, if that is remembered.

        Args:
            digest: Of the source as it was read now.
            entry: Its path in the folder.
            row: Its row, where the whole index was not read.
        """
        if self._bundle is None:
            return None
        row = row if row is not None else self.rows.get(entry)
        rest = rest_of(row) if row is not None else None
        where = rest.where if rest is not None and rest.digest == digest else self._find_helper(digest)
        return self.code_at(digest, where, real_path(self.tree, entry)) if where is not None else None

    def code_at(self, digest: bytes, where: Where, path: str) -> CodeType | None:
        """Return the code that is remembered at a place in the bundle, as that of a file of this path."""
        code = self._bundle.find_code(digest, where) if self._bundle is not None and where[1] else None
        if code is not None and code.co_filename != path:
            _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]  # noqa: SLF001 - importlib does so; the folder is reached by another path than it was then
        return code

    def _find_helper(self, digest: bytes) -> Where | None:
        descriptor = open_ours(f"{self._path}.index")
        if descriptor is None:
            return None
        try:
            head = self.head or self._read_head(descriptor)
            record = _find_record(descriptor, head, head.helpers, digest[:8]) if head is not None else None
        finally:
            os.close(descriptor)
        return _place_in(record) if record is not None else None

    def find_source(self, digest: bytes, entry: str, where: Where | None = None) -> bytes | None:
        """Return the source of this digest, which was that of a file once, if that is remembered."""
        if self._bundle is None:
            return None
        if where is None:
            row = self.rows.get(entry)
            rest = rest_of(row) if row is not None else None
            where = rest.where if rest is not None and rest.digest == digest else self._find_helper(digest)
        return self._bundle.find_source(digest, where) if where is not None and where[1] else None

    def keep_code(self, digest: bytes, entry: str, code: CodeType, source: bytes) -> bool:
        """Take note of code that was not remembered, for :meth:`flush` to write it down; whether it can be."""
        if self._bundle is not None:
            self._kept[digest] = (entry, code, source)
        return self._bundle is not None

    def read_all_code(self) -> None:
        """Make ready for loading most of the plugins."""
        if self._bundle is not None:
            self._bundle.read_all()

    def flush(self) -> None:
        """Write down the code that was kept, and close the bundle."""
        kept, self._kept = self._kept, {}
        if self._bundle is None:
            return
        if kept:
            # Only where there is something to write down.
            from plugline.discovery.outline import outline_of  # noqa: PLC0415

            if self.head is None:
                self._recall()
            entries = [entry_of(digest, outline_of(code), code, source) for digest, (_, code, source) in kept.items()]
            places = self._bundle.append(entries)
            if self.head is not None and places is not None:
                self._write(self.head, self._place_kept(kept, places))
        self._bundle.forget()

    def _place_kept(self, kept: dict[bytes, tuple[str, CodeType, bytes]], places: list[Where]) -> dict[bytes, Where]:
        helpers: dict[bytes, Where] = {}
        for (digest, (entry, *_)), where in zip(kept.items(), places, strict=True):
            row = self.rows.get(entry)
            rest = rest_of(row) if row is not None else None
            if row is not None and rest is not None and rest.digest == digest:
                rest.where = where
                self.rows[entry] = (*row[:REST], rest.dump())
            else:
                helpers[digest] = where
        return helpers

    def append_code(self, entries: list[bytes]) -> list[Where] | None:
        """Write entries to the bundle; returns where they are, or ``None`` where that cannot be done."""
        return self._bundle.append(entries) if self._bundle is not None and entries else None

    # ------------------------------------------------------------------------- writing

    def _write(self, head: "Head", helpers: dict[bytes, Where] | None = None) -> None:
        self.head = head
        if self._path is None:
            return
        records = {} if self._compact() else self._helper_records(head)
        for digest, where in (helpers or {}).items():
            records[digest[:8]] = _record(digest[:8], where, bytes(8))
        write_whole(f"{self._path}.index", _encode_index(head, self.rows, records))

    def _compact(self) -> bool:
        """Write the bundle anew where more than half of it is of use to nobody; says whether it did."""
        assert self._bundle is not None  # noqa: S101 - there is a path, so there is a bundle
        rests = {entry: rest_of(row) for entry, row in self.rows.items()}
        live = sum(rest.where[1] for rest in rests.values())
        if self._bundle.size() <= 2 * live + _SPARE_BUNDLE_BYTES:
            return False
        # Others may still read by their old index: where that leads to is not what they look for, and is not used.
        places = self._bundle.rewrite([rest.where for rest in rests.values()])
        for (entry, rest), where in zip(rests.items(), places, strict=True):
            rest.where = where
            self.rows[entry] = (*self.rows[entry][:REST], rest.dump())
        return True

    def _helper_records(self, head: "Head") -> dict[bytes, bytes]:
        if not head.helpers[1]:
            return {}
        descriptor = open_ours(f"{self._path}.index")
        if descriptor is None:
            return {}
        try:
            content = read_at(descriptor, head.end + head.helpers[0], head.helpers[1])
        finally:
            os.close(descriptor)
        whole = len(content) - len(content) % _RECORD_BYTES
        return {content[at : at + 8]: content[at : at + _RECORD_BYTES] for at in range(0, whole, _RECORD_BYTES)}


def _encode_index(head: Head, rows: dict[str, Row], helpers: dict[bytes, bytes]) -> bytes:
    """Return the content of an index; sets in ``head`` where its parts are."""
    blobs = [marshal.dumps(row, MARSHAL_VERSION) for row in rows.values()]
    # Without references between its items (marshal has them since version 3) a list is its items, one after the other.
    listed = b"".join((b"[", len(blobs).to_bytes(4, "little"), *blobs))
    names = []
    at = 5
    for row, blob in zip(rows.values(), blobs, strict=True):
        if row[NAME] is not None:
            names.append(_record(_check(row[NAME].encode("utf-8", "surrogatepass")), (at, len(blob)), _check(blob)))
        at += len(blob)
    sorted_names = b"".join(sorted(names))
    sorted_helpers = b"".join(sorted(helpers.values()))
    head.rows_check = _check(listed)
    # From the end of the head, because its length depends on them.
    head.rows = (0, len(listed))
    head.names = (len(listed), len(sorted_names))
    head.helpers = (len(listed) + len(sorted_names), len(sorted_helpers))
    dumped = head.dump()
    head.end = _PREFIX_BYTES + len(dumped)
    prefix = b"".join((_MAGIC, len(dumped).to_bytes(8, "little"), _check(dumped)))
    return b"".join((prefix, dumped, listed, sorted_names, sorted_helpers))


def _record(key: bytes, where: Where, check: bytes) -> bytes:
    return b"".join((key, where[0].to_bytes(8, "little"), where[1].to_bytes(8, "little"), check))


def _place_in(record: bytes) -> Where:
    return int.from_bytes(record[8:16], "little"), int.from_bytes(record[16:24], "little")


def _find_record(descriptor: int, head: Head, part: tuple[int, int], key: bytes) -> bytes | None:
    """Return the one record with this key; ``None`` where there is none, or are several."""
    count = part[1] // _RECORD_BYTES
    # Keys are hashes, so a key's place among the sorted ones is known to within the square root of their number. What
    # lies more than six standard deviations off is taken for missing, which costs a listing.
    guess = int.from_bytes(key, "big") * count >> 64
    spread = 3 * int(count**0.5) + 4
    first, last = max(guess - spread, 0), min(guess + spread, count)
    content = read_at(descriptor, head.end + part[0] + first * _RECORD_BYTES, (last - first) * _RECORD_BYTES)
    at = content.find(key)
    while at >= 0 and at % _RECORD_BYTES:
        at = content.find(key, at + 1)
    if at < 0 or content[at + _RECORD_BYTES : at + _RECORD_BYTES + 8] == key:
        return None
    return content[at : at + _RECORD_BYTES]


def _find_row(descriptor: int, head: Head, name: str) -> Row | None:
    record = _find_record(descriptor, head, head.names, _check(name.encode("utf-8", "surrogatepass")))
    if record is None:
        return None
    offset, length = _place_in(record)
    content = read_at(descriptor, head.end + head.rows[0] + offset, length)
    if len(content) != length or _check(content) != record[24:]:
        return None
    row: Row = marshal.loads(content)  # noqa: S302 - from a file that only we can write, with its digest checked
    return row
