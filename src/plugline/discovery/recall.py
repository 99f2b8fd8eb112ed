"""A folder's index on disk to what it says, as long as the folder and its files are as they were.

Everything here is for the listing, or the one plugin, of which all is remembered, and light to import: what reads sources,
judges plugins and writes indexes is elsewhere, and is imported where something has changed. Where anything is not plain, the
answer is ``None``, and :class:`plugline.discovery.index.FolderIndex` is asked.

An index is one file a folder, in the user's cache folder, beside the bundle of compiled code::

    magic, length and check of the head | head | rows | names | helpers

The *head* says what the finder looked at and where the rest is. A *row* is a candidate (:mod:`plugline.discovery.rows`), and
rows stand together in pieces, each of them one marshalled list, so that a listing reads many at once. *Names* are fixed records sorted by the hash
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

import marshal
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER  # importlib.util is 3 ms, importlib 0.2

from plugline.discovery.cache import cache_folder, check_of, open_ours, read_at
from plugline.typed import Final

# Not imported: the façade stands above us.
__version__: str = sys.modules["plugline"].__version__

MAGIC = b"plugidx\x0e"
PREFIX_BYTES: Final = 24
RECORD_BYTES: Final = 32
_FIRST_READ_BYTES = 4096  # the head of most folders, in one read
_SETTLED_NANOSECONDS = 2_000_000_000  # FAT stamps files every two seconds; other file systems are finer

FEW: Final = 4
"""So many files that were edited a moment ago are read at each listing, rather than all of the index written anew."""

Status = tuple[int, int, int, int]
"""mtime_ns, ctime_ns, size and inode; all zero for what has to be looked at again."""

UNSETTLED: Status = (0, 0, 0, 0)

Owner = tuple[int, int, int]
"""User, group and mode."""

Encoded = tuple[str, str, str | None, int | None, int | None, str | None, str | None, str]
"""Code, message, path (``None`` for the candidate's own), line, column, hint, source line, severity."""

Row = tuple[str, int, int, int, int, str | None, str | None, str, int, bytes]
"""Path in the folder; mtime_ns, ctime_ns, size and inode of the file when it was read; name, version and summary of the plugin
(no name where there is no spec); for which hosts it is one plugin of that name, one bit each; the rest, see
:class:`plugline.discovery.rows.Rest`."""

ENTRY: Final = 0
MODIFIED: Final = 1
CHANGED: Final = 2
SIZE: Final = 3
INODE: Final = 4
NAME: Final = 5
VERSION: Final = 6
SUMMARY: Final = 7
FITS: Final = 8
REST: Final = 9

ORDERED: Final = 1
"""The bit of :data:`FITS` of a plugin that says something of its place among others; the next ones are those of hosts."""


def bit_of(number: int) -> int:
    """Return the bit in :data:`FITS` of the circumstances of this number."""
    return 2 << number


def status_at(path: str) -> Status | None:
    """Return what of a file's status shows that it changed, ``None`` where there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return status_of(found)


def owner_at(path: str) -> Owner | None:
    """Return the owner of what is there, of a link that of the link itself; ``None`` where nothing is."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return owner_of(found)


def status_of(found: os.stat_result) -> Status:
    """Return what of a file's status shows that it changed."""
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def owner_of(found: os.stat_result) -> Owner:
    """Return what of a file's status says who may write to it."""
    return found.st_uid, found.st_gid, found.st_mode


def settled(status: Status | None, began: int) -> Status:
    """Return a status that can be trusted later; zeros for that of a file that may be changed again unseen."""
    latest = began - _SETTLED_NANOSECONDS
    return status if status is not None and status[0] < latest and status[1] < latest else UNSETTLED


def located(*about: str) -> tuple[str, str | None]:
    """Return what decides what is remembered of something, and where that is, without the end of its name: ``None`` to work without.

    Args:
        about: What it is; the version of plugline and the Python that runs decide too.
    """
    scope = "\n".join((*about, __version__, sys.version, MAGIC_NUMBER.hex(), str(sys.flags.optimize)))
    folder = cache_folder()
    return scope, f"{folder}/{check_of(scope.encode('utf-8', 'surrogateescape')).hex()}" if folder is not None else None


Refused = tuple[str, str, Encoded]
"""The name of what can be no plugin, the path of it in the folder, and why."""


class Head:
    """What stands first in an index.

    Attributes:
        scope: What the index is for.
        folders: The folders whose entries the finder took, with their status.
        files: The paths at which it asked for a file, with the answer.
        inner: Who owns the folders below the root that hold plugins.
        refused: What bears a plugin's name and can be none.
        circumstances: The texts that the bits of rows are about.
        rows: Offset and length of the rows, counted from the end of the head, as for the other two.
        pieces: The length of each piece of the rows, and its digest.
        names: Of the records that lead from a name to its row.
        helpers: Of those that lead from a digest to code.
        live: How many bytes of the bundle were of use when that was counted last.
    """

    __slots__ = (
        "circumstances",
        "end",
        "files",
        "folders",
        "helpers",
        "inner",
        "live",
        "names",
        "pieces",
        "refused",
        "rows",
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
        pieces: tuple[tuple[int, bytes], ...] = (),
        names: tuple[int, int] = (0, 0),
        helpers: tuple[int, int] = (0, 0),
        live: int = 0,
    ) -> None:
        self.scope, self.folders, self.files, self.inner, self.refused = scope, folders, files, inner, refused
        self.circumstances, self.rows, self.pieces = circumstances, rows, pieces
        self.names, self.helpers, self.live = names, helpers, live
        self.end = 0

    def dump(self) -> bytes:
        """Return it as it stands in the file."""
        front = (self.scope, self.folders, self.files, self.inner, self.refused, self.circumstances)
        # Version 2: since version 3, marshal refers to what came before, and equal heads need not be equal bytes.
        return marshal.dumps((*front, self.rows, self.pieces, self.names, self.helpers, self.live), 2)


class Recall:
    """What is on disk of one folder.

    Attributes:
        real: The folder's absolute path.
        path: Where the index and the bundle are, without the end of their names; ``None`` to work without.
        scope: What else decides what is found there.
        head: What was read of the index, ``None`` before that.
        seen: What :meth:`look` told of files a moment ago, for who is asked next; ``None`` where they are to be looked at.
    """

    __slots__ = ("_is_located", "_listed", "_rows", "head", "path", "real", "scope", "seen")

    def __init__(self, real: str, scope: str = "") -> None:
        self.real = real
        self.scope = scope
        self.path: str | None = None
        self._is_located = False
        self.head: Head | None = None
        self._rows: dict[str, Row] = {}
        self._listed: list[Row] = []  # as they were read, until somebody asks for one by its path
        self.seen: list[Row] | None = None

    @property
    def rows(self) -> dict[str, Row]:
        """What was read of each candidate, by its path in the folder."""
        if self._listed:
            self._rows, self._listed = {row[0]: row for row in self._listed}, []
        return self._rows

    @rows.setter
    def rows(self, rows: dict[str, Row]) -> None:
        self._rows, self._listed = rows, []

    def locate(self) -> None:
        """Find out where on disk it is; not before it is used, since a host looks at nothing before that."""
        if self._is_located:
            return
        self._is_located = True
        self.scope, self.path = located(os.path.realpath(self.real), self.scope)

    def look(self, text: str) -> tuple[list[Row], int, bool, list[Row]] | None:
        """Return the rows of a folder that holds what it held, each of them one plugin for hosts of these circumstances.

        With the number of the circumstances, whether one of the plugins says something of its place among others, and those of
        the rows whose files are not as they were. ``None`` where anything else is the case.
        """
        self.locate()
        if self.head is None:
            self.read()
        head = self.head
        if head is None or text not in head.circumstances or head.refused or not self.is_found_unchanged(head):
            return None
        number = head.circumstances.index(text)
        rows = self._listed or list(self._rows.values())
        every, some = bit_of(number), 0
        for row in rows:
            fits = row[8]
            every &= fits
            some |= fits
        return (rows, number, bool(some & ORDERED), self.stale_rows()) if every else None

    def replace_rows(self, rows: list[Row]) -> None:
        """Take other rows in the place of those that :meth:`look` has returned, and whose files are as these say."""
        self._rows, self._listed = {}, rows

    def find_one(self, name: str, text: str) -> tuple[Row, int] | None:
        """Return the row of the one plugin of this name, with the number of these circumstances.

        ``None`` where only a listing can tell. Its file is as it was, and the folder has the entries that it had. Other files
        are not looked at: that one of them has been given the same name since is seen at the next listing.
        """
        self.locate()
        descriptor = open_ours(f"{self.path}.index") if self.path is not None and self.head is None else None
        if descriptor is None:
            return None
        try:
            head = self.read_head(descriptor)
            if head is None or text not in head.circumstances or not self.is_found_unchanged(head):
                return None
            row = _find_row(descriptor, head, name)
        finally:
            os.close(descriptor)
        number = head.circumstances.index(text)
        if row is None or row[NAME] != name or row[FITS] & (ORDERED | bit_of(number)) != bit_of(number):
            return None
        if not row[CHANGED] or status_at(f"{self.real}/{row[ENTRY]}") != row[MODIFIED : INODE + 1]:
            return None
        return row, number

    def stale_rows(self) -> list[Row]:
        """Return the rows of files that are not as they were."""
        stale = []
        # By their paths: from the open folder it is a sixth quicker, and who watches what is opened would take it for reading.
        prefix = f"{self.real}/"
        stat = os.stat
        for row in self._listed or self._rows.values():
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

    def is_found_unchanged(self, head: Head) -> bool:
        """Whether the finder would find the same again."""
        for folder, status in head.folders.items():
            if status == UNSETTLED or status_at(self._at(folder)) != status:
                return False
        for file, found in head.files.items():
            path = self._at(file)
            if (os.path.lexists(path) and not os.path.isdir(path)) != found:
                return False
        return all(owner_at(self._at(folder)) == owner for folder, owner in head.inner.items())

    def _at(self, relative: str) -> str:
        return f"{self.real}/{relative}" if relative else self.real

    def read(self) -> None:
        """Take from disk what is there."""
        descriptor = open_ours(f"{self.path}.index") if self.path is not None else None
        if descriptor is None:
            return
        try:
            head = self.read_head(descriptor)
            listed = _read_rows(descriptor, head) if head is not None else None
        finally:
            os.close(descriptor)
        if listed is not None:
            self._rows, self._listed, self.head = {}, listed, head

    def read_head(self, descriptor: int) -> Head | None:
        """Return the head of an index that is open, ``None`` where it is damaged or somebody else's."""
        first = read_at(descriptor, 0, _FIRST_READ_BYTES)
        if first[:8] != MAGIC or len(first) < PREFIX_BYTES:
            return None
        length = int.from_bytes(first[8:16], "little")
        content = first[PREFIX_BYTES : PREFIX_BYTES + length]
        if len(content) < length:
            content += read_at(descriptor, len(first), PREFIX_BYTES + length - len(first))
        if len(content) != length or check_of(content) != first[16:24]:
            return None
        head = Head(*marshal.loads(content))  # noqa: S302 - from a file that only we can write, with its digest checked
        head.end = PREFIX_BYTES + length
        return head if head.scope == self.scope else None


def _read_rows(descriptor: int, head: Head) -> list[Row] | None:
    """Return all rows, ``None`` where something is damaged."""
    rows: list[Row] = []
    at = head.end + head.rows[0]
    for length, check in head.pieces:
        content = read_at(descriptor, at, length)
        if len(content) != length or check_of(content) != check:
            return None
        rows += marshal.loads(content)  # noqa: S302 - from a file that only we can write, with its digest checked
        at += length
    return rows


def running_part(row: Row) -> tuple[str, bytes, tuple[int, int], tuple[Owner, ...], dict[int, object]]:
    """Return what loading an unchanged file needs: its module, digest, place in the bundle, owners and verdicts."""
    rest = marshal.loads(row[REST])  # noqa: S302 - from a file that only we can write, with its digest checked
    return rest[1], rest[2], rest[3], rest[-2], rest[-1]


def place_in(record: bytes) -> tuple[int, int]:
    """Return the offset and the length that a record holds."""
    return int.from_bytes(record[8:16], "little"), int.from_bytes(record[16:24], "little")


def find_record(descriptor: int, head: Head, part: tuple[int, int], key: bytes) -> bytes | None:
    """Return the one record with this key; ``None`` where there is none, or are several."""
    count = part[1] // RECORD_BYTES
    # Keys are hashes, so a key's place among the sorted ones is known to within the square root of their number. What
    # lies more than six standard deviations off is taken for missing, which costs a listing.
    guess = int.from_bytes(key, "big") * count >> 64
    spread = 3 * int(count**0.5) + 4
    first, last = max(guess - spread, 0), min(guess + spread, count)
    content = read_at(descriptor, head.end + part[0] + first * RECORD_BYTES, (last - first) * RECORD_BYTES)
    at = content.find(key)
    while at >= 0 and at % RECORD_BYTES:
        at = content.find(key, at + 1)
    if at < 0 or content[at + RECORD_BYTES : at + RECORD_BYTES + 8] == key:
        return None
    return content[at : at + RECORD_BYTES]


def _find_row(descriptor: int, head: Head, name: str) -> Row | None:
    record = find_record(descriptor, head, head.names, check_of(name.encode("utf-8", "surrogatepass")))
    if record is None:
        return None
    offset, length = place_in(record)
    content = read_at(descriptor, head.end + head.rows[0] + offset, length)
    if len(content) != length or check_of(content) != record[24:]:
        return None
    row: Row = marshal.loads(content)  # noqa: S302 - from a file that only we can write, with its digest checked
    return row
