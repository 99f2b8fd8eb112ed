"""Digests of sources to compiled code: one file a folder, that is only ever appended to.

Invariants:
    1. Code comes out only under the BLAKE2b-256 digest of the source that it was compiled from.
    2. Nothing is unmarshalled whose check differs from what was written beside it: a torn or changed entry is as good
       as none. The check shows accidents, as others cannot write here, and is keyed with the source's digest, so that
       the code of one source cannot stand under that of another.
    3. An entry is one ``write`` with ``O_APPEND``, and its place is known from the descriptor's position after it. So
       several processes may append at once.

An entry is the source's digest, the check of what comes between it and the source, the lengths of outline and code, then the
outline (see :mod:`plugline.discovery.outline`), and the code with what it imports and its functions where it is inert, both
marshalled, and the source itself. The source is for
people: when a plugin's file is gone, tracebacks and ``inspect.getsource`` go on to show what is running.
"""

import _imp
import marshal
import os

from plugline.discovery.cache import open_ours, read_at, write_whole
from plugline.files import DIGEST_BYTES, digest_of
from plugline.typed import TYPE_CHECKING, CodeType

if TYPE_CHECKING:
    from plugline.discovery.inert import Needs

    Running = tuple[CodeType, Needs | None, tuple[CodeType, ...]]

_LENGTHS_AT = DIGEST_BYTES + 8
_HEAD_BYTES = _LENGTHS_AT + 8

Where = tuple[int, int]
"""The offset of an entry and its length."""


class Bundle:
    """The code of one folder's plugins.

    Args:
        path: The file; it need not exist.

    Threads: reading is safe from several at once; appending is done by one.
    """

    __slots__ = ("_held", "_whole", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._whole = memoryview(b"")
        self._held: int | None = None

    def __del__(self) -> None:
        self.let_go()

    def hold(self) -> None:
        """Keep the file as it is at hand: what is in it now can be found later, also where others replace or delete it."""
        if self._held is None:
            self._held = open_ours(self.path)

    def let_go(self) -> None:
        """Close what :meth:`hold` keeps."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held)

    def read_all(self) -> None:
        """Read the file at once, for those who are going to want most of it; :meth:`forget` lets go of it."""
        self._whole = memoryview(self._read(0, None))

    def forget(self) -> None:
        """Let go of what :meth:`read_all` read."""
        self._whole = memoryview(b"")

    def find_code(self, digest: bytes, where: Where) -> CodeType | None:
        """Return the code that was compiled from the source of this digest, or ``None`` on any doubt."""
        found = self._find(digest, where)
        return found[0] if found is not None else None

    def _find(self, digest: bytes, where: Where) -> "Running | None":
        parts = self._checked(digest, where)
        found = _unmarshal(parts[1]) if parts is not None else None
        return found if isinstance(found, tuple) else None

    def find_code_for(self, path: str, digest: bytes, where: Where) -> CodeType | None:
        """Return the code that was compiled from the source of this digest, as that of a file of this path."""
        found = self.find_running(path, digest, where)
        return found[0] if found is not None else None

    def find_running(self, path: str, digest: bytes, where: Where) -> "Running | None":
        """Return the same, with what it imports and its functions where it is inert (:mod:`plugline.discovery.inert`)."""
        found = self._find(digest, where) if where[1] else None
        if found is not None and found[0].co_filename != path:
            # As importlib does: the folder is reached by another path than it was then.
            _imp._fix_co_filename(found[0], path)  # type: ignore[attr-defined]  # noqa: SLF001
        return found

    def find_outline(self, digest: bytes, where: Where) -> object:
        """Return the outline of that source, or ``None`` on any doubt."""
        parts = self._checked(digest, where)
        return _unmarshal(parts[0]) if parts is not None else None

    def find_source(self, digest: bytes, where: Where) -> bytes | None:
        """Return the source of this digest, or ``None`` on any doubt."""
        parts = self._checked(digest, where)
        source = parts[2].tobytes() if parts is not None else b""
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

    def _checked(self, digest: bytes, where: Where) -> tuple[memoryview, memoryview, memoryview] | None:
        """Return outline, code and source of an entry, ``None`` on any doubt about the first two."""
        offset, length = where
        parts = _parts(self._whole[offset : offset + length], digest, length)
        if parts is None and self._held is not None:
            parts = _parts(memoryview(read_at(self._held, offset, length)), digest, length)
        if parts is None:
            parts = _parts(memoryview(self._read(offset, length)), digest, length)
        return parts

    def _read(self, offset: int, length: int | None) -> bytes:
        descriptor = open_ours(self.path)
        if descriptor is None:
            return b""
        try:
            return read_at(descriptor, offset, os.fstat(descriptor).st_size if length is None else length)
        finally:
            os.close(descriptor)


def entry_of(digest: bytes, outline: tuple[object, ...], code: CodeType, source: bytes) -> bytes | None:
    """Return what :meth:`Bundle.append` writes; ``None`` for code that is nested too deeply to be written."""
    from plugline.discovery.inert import inert_needs, outer_functions  # noqa: PLC0415 - for who writes

    needs = inert_needs(code)
    # marshal refers to what it has written before: these are the very functions of the code, also when it is read.
    functions = outer_functions(code) if needs is not None else ()
    try:
        marshalled = marshal.dumps(outline), marshal.dumps((code, needs, functions))  # type: ignore[arg-type]  # tuples, strings, numbers
    except ValueError:
        return None  # marshal goes half as deep as the compiler
    payload = b"".join((*(len(part).to_bytes(4, "little") for part in marshalled), *marshalled))
    return b"".join((digest, _check(payload, digest), payload, source))


def _check(payload: bytes | memoryview, digest: bytes) -> bytes:
    return _imp.source_hash(int.from_bytes(digest[:8], "little", signed=True), payload)


def _parts(entry: memoryview, digest: bytes, length: int) -> tuple[memoryview, memoryview, memoryview] | None:
    # As bytes: memoryviews are compared item by item.
    if len(entry) != length or length < _HEAD_BYTES or entry[:DIGEST_BYTES].tobytes() != digest:
        return None
    lengths = int.from_bytes(entry[_LENGTHS_AT:_HEAD_BYTES], "little")
    middle = _HEAD_BYTES + (lengths & 0xFFFFFFFF)
    end = middle + (lengths >> 32)
    if _check(entry[_LENGTHS_AT:end], digest) != entry[DIGEST_BYTES:_LENGTHS_AT].tobytes():
        return None
    return entry[_HEAD_BYTES:middle], entry[middle:end], entry[end:]


def _unmarshal(content: memoryview) -> object:
    try:
        value: object = marshal.loads(content)  # noqa: S302 - from a file that only we can write, with its digest checked
    except (ValueError, EOFError, TypeError):
        return None
    return value
