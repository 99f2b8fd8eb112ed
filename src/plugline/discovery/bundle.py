"""Digests of sources to compiled code: one file a folder, to which entries are only ever appended.

Invariants:
    1. Code comes out only under the BLAKE2b-256 digest of the source that it was compiled from; what is to be run at once, only for
       that very source, byte by byte.
    2. Nothing is unmarshalled whose check differs from what was written beside it: a torn or changed entry is as good
       as none. The check shows accidents, as others cannot write here, and is keyed with the source's digest, so that
       the code of one source cannot stand under that of another.
    3. An entry is one ``write`` with ``O_APPEND``, and its place is known from the descriptor's position after it. So
       several processes may append at once.

    4. Nothing is changed in place but an entry's note, which is empty until somebody runs its module and finds out whether it
       is inert (:mod:`plugline.discovery.inert`). All who do note the same; a torn note counts as empty.

An entry is the source's digest; the check of what comes after the note; the note, with a check of its own; the lengths of outline
and code; the outline (see :mod:`plugline.discovery.outline`), ``None`` where it was not made whole, and the code with its
functions, both marshalled; and the source itself. What is about to be run is held against that, which takes a tenth of hashing it; and when a plugin's file is gone,
tracebacks and ``inspect.getsource`` go on to show what is running.
"""

import _imp
import marshal
import os

from plugline.discovery.cache import open_ours, read_at, write_at, write_whole
from plugline.files import DIGEST_BYTES, digest_of
from plugline.typed import TYPE_CHECKING, Callable, CodeType

if TYPE_CHECKING:
    from plugline.discovery.inert import Needs

    Noted = tuple[Needs | None]
    Running = tuple[CodeType, Needs | None, tuple[CodeType, ...]]

_NOTE_AT = DIGEST_BYTES + 8
_NOTE_BYTES = 256  # enough for twenty imports; of a module with more, what it does is found out each time
_LENGTHS_AT = _NOTE_AT + _NOTE_BYTES
_HEAD_BYTES = _LENGTHS_AT + 8

# Some twenty small plugins; holes that larger pieces leave in the heap are a fiftieth of what plugins take.
_AHEAD_BYTES = 2**16

Where = tuple[int, int]
"""The offset of an entry and its length."""


class Bundle:
    """The code of one folder's plugins.

    Args:
        path: The file; it need not exist.

    Threads: reading is safe from several at once; appending is done by one.
    """

    __slots__ = ("_ahead", "_ahead_at", "_held", "_is_ahead", "_notes", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._is_ahead = False  # whether more is read than is asked for, and notes are written later
        self._ahead = b""
        self._ahead_at = 0
        self._held: int | None = None
        self._notes: list[tuple[int, bytes, bytes]] = []  # to be written: the place of an entry, its digest, its note

    def __del__(self) -> None:
        self.let_go()

    def hold(self) -> None:
        """Keep the file as it is at hand: what is in it now can be found later, also where others replace or delete it."""
        if self._held is None:
            self._held = open_ours(self.path)

    # The function is at hand also where the interpreter ends, and modules have lost theirs.
    def let_go(self, _close: Callable[[int], None] = os.close) -> None:
        """Close what :meth:`hold` keeps."""
        held, self._held = self._held, None
        if held is not None:
            _close(held)

    def read_all(self) -> None:
        """Read the file in large pieces, for those who are going to want most of it; :meth:`forget` ends that."""
        self._is_ahead = True

    def forget(self) -> None:
        """End :meth:`read_all`, and write down what was found out since."""
        self._is_ahead = False
        self._ahead = b""
        self._write_notes()

    def find_code(self, digest: bytes, where: Where) -> CodeType | None:
        """Return the code that was compiled from the source of this digest, or ``None`` on any doubt."""
        parts = self._checked(digest, where) if where[1] else None
        found = _unmarshal(parts[1]) if parts is not None else None
        return found[0] if isinstance(found, tuple) else None

    def find_code_for(self, path: str, digest: bytes, where: Where) -> CodeType | None:
        """Return the code that was compiled from the source of this digest, as that of a file of this path."""
        code = self.find_code(digest, where)
        return _renamed(code, path) if code is not None else None

    def find_running(self, path: str, digest: bytes, where: Where, source: bytes) -> "Running | None":
        """Return the same, with what it imports and its functions where it is inert (:mod:`plugline.discovery.inert`).

        Whether it is, is found out for who asks first, and noted for the others.

        Args:
            digest: Of the source as it was when it was listed.
            source: The source as it is now. For any other than that of the digest there is nothing.
        """
        parts = self._checked(digest, where) if where[1] else None
        if parts is None or parts[2] != source:
            return None
        found = _unmarshal(parts[1])
        if not isinstance(found, tuple):
            return None
        code, functions = found
        noted = _read_note(parts[3], digest)
        if noted is None:
            from plugline.discovery.inert import inert_needs

            noted = (inert_needs(code),)
            self._note(digest, where[0], noted)
        return _renamed(code, path), noted[0], functions if noted[0] is not None else ()

    def _note(self, digest: bytes, offset: int, noted: "Noted") -> None:
        content = marshal.dumps(noted).ljust(_NOTE_BYTES - 8, b"\0")
        if len(content) > _NOTE_BYTES - 8:
            return
        self._notes.append((offset, digest, _check(content, digest[8:]) + content))
        if not self._is_ahead:
            self._write_notes()

    def _write_notes(self) -> None:
        notes, self._notes = self._notes, []
        descriptor = open_ours(self.path, os.O_RDWR) if notes else None
        if descriptor is None:
            return
        try:
            for offset, digest, note in notes:
                if read_at(descriptor, offset, DIGEST_BYTES) == digest:  # somebody may have written the file anew
                    write_at(descriptor, offset + _NOTE_AT, note)
        finally:
            os.close(descriptor)

    def find_outline(self, digest: bytes, where: Where) -> object:
        """Return the outline of that source; ``None`` on any doubt, and where none is kept."""
        parts = self._checked(digest, where)
        return _unmarshal(parts[0]) if parts is not None else None

    def find_source(self, digest: bytes, where: Where) -> bytes | None:
        """Return the source of this digest, or ``None`` on any doubt."""
        parts = self._checked(digest, where)
        source = parts[2] if parts is not None else b""
        return source if digest_of(source) == digest else None

    def append(self, entries: list[bytes]) -> list[Where] | None:
        """Write entries made by :func:`entry_of`; returns where each is, or ``None`` where that failed."""
        descriptor = open_ours(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        if descriptor is None:
            return None
        try:
            content = b"".join(entries)
            if os.write(descriptor, content) != len(content):
                return None  # the disk is full: what was written is never referred to
            offset = os.lseek(descriptor, 0, os.SEEK_CUR) - len(content)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        places = []
        for entry in entries:
            places.append((offset, len(entry)))
            offset += len(entry)
        return places

    def size(self) -> int:
        """Return the length of the file, 0 where there is none."""
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0

    def rewrite(self, places: list[Where]) -> list[Where]:
        """Leave only these entries in the file; returns where each is now, with length 0 where that failed."""
        entries = [self._read(offset, length) if length else b"" for offset, length in places]
        self.forget()
        if not write_whole(self.path, b"".join(entries)):
            return [(0, 0)] * len(places)
        offset = 0
        moved = []
        for entry in entries:
            moved.append((offset, len(entry)))
            offset += len(entry)
        return moved

    def _checked(self, digest: bytes, where: Where) -> "_Parts | None":
        """Return the parts of an entry, ``None`` on any doubt about them."""
        offset, length = where
        parts = _parts(self._entry_ahead(offset, length), digest, length) if self._is_ahead else None
        if parts is None and self._held is not None:
            parts = _parts(read_at(self._held, offset, length), digest, length)
        if parts is None:
            parts = _parts(self._read(offset, length), digest, length)
        return parts

    def _entry_ahead(self, offset: int, length: int) -> bytes:
        # Most are asked for in the order in which they stand there. And no more at once than stays near the processor: a
        # buffer for the file as a whole is fresh memory, which costs more than the copy.
        start = offset - self._ahead_at
        if start < 0 or start + length > len(self._ahead):
            self._ahead_at, self._ahead, start = offset, self._read(offset, max(length, _AHEAD_BYTES)), 0
        return self._ahead[start : start + length]

    def _read(self, offset: int, length: int) -> bytes:
        descriptor = open_ours(self.path)
        if descriptor is None:
            return b""
        try:
            return read_at(descriptor, offset, length)
        finally:
            os.close(descriptor)


def entry_of(digest: bytes, outline: tuple[object, ...] | None, code: CodeType, source: bytes) -> bytes | None:
    """Return what :meth:`Bundle.append` writes; ``None`` for code that is nested too deeply to be written."""
    try:
        # marshal refers to what it has written before: these are the very functions of the code, also when it is read.
        marshalled = marshal.dumps(outline), marshal.dumps((code, outer_functions(code)))  # type: ignore[arg-type]  # tuples, strings, numbers
    except ValueError:
        return None  # marshal goes half as deep as the compiler
    payload = b"".join((*(len(part).to_bytes(4, "little") for part in marshalled), *marshalled, source))
    return b"".join((digest, _check(payload, digest), bytes(_NOTE_BYTES), payload))


def outer_functions(code: CodeType) -> tuple[CodeType, ...]:
    """Return the code of the functions of a module and of its classes, without those that are in other functions."""
    found: list[CodeType] = []
    for constant in code.co_consts:
        if constant.__class__ is CodeType:
            if constant.co_flags & _OPTIMIZED == _OPTIMIZED:
                found.append(constant)
            else:
                found += outer_functions(constant)
    return tuple(found)


_OPTIMIZED = 0x01 | 0x02  # inspect.CO_OPTIMIZED | inspect.CO_NEWLOCALS: a function, and no module or class body


def _check(payload: bytes, digest: bytes) -> bytes:
    return _imp.source_hash(int.from_bytes(digest[:8], "little", signed=True), payload)


_Parts = tuple[bytes, bytes, bytes, bytes]
"""Outline, code, source, note."""


def _parts(entry: bytes, digest: bytes, length: int) -> _Parts | None:
    if len(entry) != length or length < _HEAD_BYTES or entry[:DIGEST_BYTES] != digest:
        return None
    if _check(entry[_LENGTHS_AT:], digest) != entry[DIGEST_BYTES:_NOTE_AT]:
        return None
    lengths = int.from_bytes(entry[_LENGTHS_AT:_HEAD_BYTES], "little")
    middle = _HEAD_BYTES + (lengths & 0xFFFFFFFF)
    end = middle + (lengths >> 32)
    return entry[_HEAD_BYTES:middle], entry[middle:end], entry[end:], entry[_NOTE_AT:_LENGTHS_AT]


def _read_note(note: bytes, digest: bytes) -> "Noted | None":
    """Return what a note says, ``None`` where it is empty or damaged."""
    content = note[8:]
    # Under another part of the digest than the rest, for which it cannot be taken.
    if _check(content, digest[8:]) != note[:8]:
        return None
    noted = _unmarshal(content)
    return noted if isinstance(noted, tuple) else None


def _renamed(code: CodeType, path: str) -> CodeType:
    if code.co_filename != path:
        # As importlib does: the folder is reached by another path than it was then.
        _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]  # noqa: SLF001
    return code


def _unmarshal(content: bytes) -> object:
    try:
        value: object = marshal.loads(content)  # noqa: S302 - from a file that only we can write, with its digest checked
    except (ValueError, EOFError, TypeError):
        return None
    return value
