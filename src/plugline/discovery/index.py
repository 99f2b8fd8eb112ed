"""A folder's plugins to what is known of them: remembered, or read again where anything changed.

What is remembered is read by :mod:`plugline.discovery.recall`, which tells how it is kept and when it is trusted.
"""

import marshal
import os
import stat

from plugline.clock import unix_seconds
from plugline.contract.interface import Interface
from plugline.discovery.bundle import Bundle, Where, entry_of
from plugline.discovery.cache import check_of, open_ours, read_at, remove, write_whole
from plugline.discovery.candidates import FileCandidate, Found
from plugline.discovery.known import Read
from plugline.discovery.recall import (
    ENTRY,
    FITS,
    MAGIC,
    NAME,
    PREFIX_BYTES,
    RECORD_BYTES,
    REST,
    Head,
    Owner,
    Recall,
    Row,
    bit_of,
    find_record,
    place_in,
)
from plugline.discovery.rest import Rest, rest_of
from plugline.discovery.rows import MARSHAL_VERSION, Verdict, candidate_of, decode, spec_of
from plugline.discovery.trees import DiskTree, real_path, shown_path
from plugline.files import SourceFile
from plugline.findings import Finding
from plugline.typed import Callable, CodeType, Sequence

_SPARE_BUNDLE_BYTES = 2**20
_LIST_BYTES = 5  # what stands before the items of a marshalled list
# What the allocator of C takes out of memory that it has; for more it asks the system, page by page.
_PIECE_BYTES = 2**16

Judge = Callable[[FileCandidate, Read, SourceFile | None, Owner | None], Verdict]
"""What a host makes of a file: of what reading it gave, of its bytes where it could be read, and of who owned these, if that is known."""

Circumstances = Callable[[], str | None]
"""A text that is the same wherever a host makes the same of every file; ``None`` for a host that is asked each time."""


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
        find: What says which candidates it holds.
        bundle: The code that is remembered, where somebody has it open.

    Threads: used by one at a time, under its host's lock.
    """

    def __init__(
        self, tree: DiskTree, find: Callable[[], Found], recall: Recall | None = None, bundle: Bundle | None = None
    ) -> None:
        self.tree = tree
        self.find = find
        self.recall = recall if recall is not None else Recall(tree.real)
        self._known_bundle = bundle
        self.unremembered: dict[str, Read] = {}
        self.read_seconds: dict[str, float] = {}  # of files that this process has read, by their paths in the folder
        """What cannot be remembered, and is read again each time: files that cannot be read, odd settings."""
        self._kept: dict[bytes, tuple[str, CodeType, bytes]] = {}

    @property
    def scope(self) -> str:
        """What the index is for."""
        return self.recall.scope

    @property
    def head(self) -> Head | None:
        """What was read of the index, or is to be written."""
        return self.recall.head

    @property
    def rows(self) -> dict[str, Row]:
        """What is known of each candidate, by its path in the folder."""
        return self.recall.rows

    @rows.setter
    def rows(self, rows: dict[str, Row]) -> None:
        self.recall.rows = rows

    @property
    def _bundle(self) -> Bundle | None:
        self.recall.locate()
        if self._known_bundle is None and self.recall.path is not None:
            self._known_bundle = Bundle(f"{self.recall.path}.bundle")
        return self._known_bundle

    # ------------------------------------------------------------------------- listing

    def look(self, circumstances: Circumstances, judge: Judge, interfaces: Sequence[Interface] = ()) -> Listing:
        """Return the folder as it is now; writes down what was not known before.

        Args:
            judge: Says what the host makes of a file; asked once a file and circumstances.
            interfaces: What the host asks for; where that is one interface, a file that is read now and provides it is not
                looked into any further.
        """
        self.recall.locate()
        if self.head is None:
            self.recall.read()
        head = self.head
        text = circumstances()
        seen, self.recall.seen = self.recall.seen, None
        stale: list[Row] | None = None
        if head is not None and self.recall.is_found_unchanged(head):
            stale = seen if seen is not None else self.recall.stale_rows()
            if not stale and text in head.circumstances:
                number = head.circumstances.index(text)
                verdicts = self._recall_verdicts(number)
                if verdicts is not None:
                    return Listing(list(self.rows.values()), number, text, verdicts, self.refused(head))
        # What reads sources is imported where one is to be read.
        from plugline.discovery.update import Update

        update = Update(self, text, judge, interfaces)
        listing = update.run(stale)
        if text is not None and circumstances() != text:
            # They changed meanwhile: what was found is told, and kept under neither text.
            self.recall.head, self.rows = None, {}
        elif update.changed:
            self._write(update.head)
        return listing

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
        if self._bundle is None:
            return None
        kept = self._bundle.find_outline(rest.digest, rest.where)
        code = self._bundle.find_code(rest.digest, rest.where) if kept is None else None
        if code is None:
            return kept
        from plugline.discovery.outline import outline_of  # a host's answers are remembered

        return outline_of(code)

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
        return self._bundle.find_code_for(path, digest, where) if self._bundle is not None else None

    def _find_helper(self, digest: bytes) -> Where | None:
        descriptor = open_ours(f"{self.recall.path}.index")
        if descriptor is None:
            return None
        try:
            head = self.head or self.recall.read_head(descriptor)
            record = find_record(descriptor, head, head.helpers, digest[:8]) if head is not None else None
        finally:
            os.close(descriptor)
        return place_in(record) if record is not None else None

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
            if self.head is None:
                self.recall.read()
            entries = {
                digest: entry
                for digest, (_, code, source) in kept.items()
                if (entry := entry_of(digest, None, code, source)) is not None
            }
            kept = {digest: one for digest, one in kept.items() if digest in entries}
            places = self._bundle.append(list(entries.values()))
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
        self.recall.head = head
        if self.recall.path is None:
            return
        records = {} if self._compact(head) else self._helper_records(head)
        for digest, where in (helpers or {}).items():
            records[digest[:8]] = _record(digest[:8], where, bytes(8))
        path = f"{self.recall.path}.index"
        is_new = not os.path.lexists(path)
        write_whole(path, _encode_index(head, self.rows, records))
        if is_new:
            _sweep(os.path.dirname(path))

    def _compact(self, head: Head) -> bool:
        """Write the bundle anew where more than half of it is of use to nobody; says whether it did."""
        assert self._bundle is not None  # noqa: S101 - there is a path, so there is a bundle
        size = self._bundle.size()
        if head.live and size <= 2 * head.live + _SPARE_BUNDLE_BYTES:
            return False
        rests = {entry: rest_of(row) for entry, row in self.rows.items()}
        live = sum(rest.where[1] for rest in rests.values())
        head.live = live
        if size <= 2 * live + _SPARE_BUNDLE_BYTES:
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
        descriptor = open_ours(f"{self.recall.path}.index")
        if descriptor is None:
            return {}
        try:
            content = read_at(descriptor, head.end + head.helpers[0], head.helpers[1])
        finally:
            os.close(descriptor)
        whole = len(content) - len(content) % RECORD_BYTES
        return {content[at : at + 8]: content[at : at + RECORD_BYTES] for at in range(0, whole, RECORD_BYTES)}


def _encode_index(head: Head, rows: dict[str, Row], helpers: dict[bytes, bytes]) -> bytes:
    """Return the content of an index; sets in ``head`` where its parts are."""
    names = []
    pieces = []
    piece: list[bytes] = []
    begin, at = 0, _LIST_BYTES
    for row in rows.values():
        blob = marshal.dumps(row, MARSHAL_VERSION)
        if piece and at + len(blob) - begin > _PIECE_BYTES:
            pieces.append(_listed(piece))
            piece, begin, at = [], at, at + _LIST_BYTES
        piece.append(blob)
        if row[NAME] is not None:
            names.append(_record(check_of(row[NAME].encode("utf-8", "surrogatepass")), (at, len(blob)), check_of(blob)))
        at += len(blob)
    pieces.append(_listed(piece))
    listed = b"".join(pieces)
    sorted_names = b"".join(sorted(names))
    sorted_helpers = b"".join(sorted(helpers.values()))
    head.pieces = tuple((len(one), check_of(one)) for one in pieces)
    # From the end of the head, because its length depends on them.
    head.rows = (0, len(listed))
    head.names = (len(listed), len(sorted_names))
    head.helpers = (len(listed) + len(sorted_names), len(sorted_helpers))
    dumped = head.dump()
    head.end = PREFIX_BYTES + len(dumped)
    prefix = b"".join((MAGIC, len(dumped).to_bytes(8, "little"), check_of(dumped)))
    return b"".join((prefix, dumped, listed, sorted_names, sorted_helpers))


def _listed(rows: list[bytes]) -> bytes:
    # Without references between its items (marshal has them since version 3) a list is its items, one after the other.
    return b"".join((b"[", len(rows).to_bytes(4, "little"), *rows))


def _record(key: bytes, where: Where, check: bytes) -> bytes:
    return b"".join((key, where[0].to_bytes(8, "little"), where[1].to_bytes(8, "little"), check))


_DAY_SECONDS = 24 * 3600
_ENDS = (".index", ".bundle", ".modules", ".top")
_BEGINNING = "pytest-"


def _sweep(folder: str) -> None:
    """Delete what is remembered of folders that nobody has looked into for 90 days, once a week.

    What is deleted though it is of use is made again. When a file was read last is known where the file system keeps that
    (Linux does, to the day); elsewhere it counts when it was written.
    """
    now = unix_seconds()
    mark = os.path.join(folder, "swept")
    try:
        if 0 <= now - os.stat(mark).st_mtime < 7 * _DAY_SECONDS:
            return
    except FileNotFoundError:
        pass
    except OSError:
        return
    # Marked first: of several processes one is enough, and it does no harm if two do it.
    if not write_whole(mark, b""):
        return
    try:
        with os.scandir(folder) as entries:
            old = [entry.path for entry in entries if _is_unused(entry, now - 90 * _DAY_SECONDS)]
    except OSError:
        return
    for path in old:
        remove(path)


def _is_unused(entry: "os.DirEntry[str]", since: float) -> bool:
    # A file that is being written has more behind its end; what a killed process left of one is as old as the rest one day.
    if not entry.name.startswith(_BEGINNING) and not any(f"{end}." in f"{entry.name}." for end in _ENDS):
        return False
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and max(status.st_atime, status.st_mtime) < since
