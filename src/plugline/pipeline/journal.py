"""What is done of a run, in a file that outlives the process.

A line for each split whose output and dead letters are written, appended after both. A process that is killed leaves
a last line that is whole or not; whatever is behind the last whole one was never committed, and is cut off. What the
machine itself had not brought to disk when it lost power is told by marks that are written every few seconds, each
after everything before it is on disk.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Self
from zlib import crc32

import orjson

from plugline.clock import monotonic_seconds
from plugline.descriptors import AS_BYTES, lock_at_once, read_at, sync_data

_BETWEEN_SYNCS_SECONDS = 5.0
_READ_BYTES = 2**20
_open_here: set[str] = set()  # a lock of POSIX keeps out other processes only


class JournalTaken(OSError):
    """Another run holds the journal."""


class Journal:
    """The journal of one run, open and locked."""

    def __init__(self, path: str, descriptor: int) -> None:
        """Do not call: see :meth:`open`."""
        self.path = path
        self._descriptor = descriptor
        self._synced_seconds = monotonic_seconds()

    @classmethod
    def open(cls, path: str) -> Self:
        """Open and lock a journal; made where there is none.

        Raises:
            JournalTaken: Another run has it.
            OSError: It cannot be opened.
        """
        if path in _open_here:
            raise JournalTaken(path)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | AS_BYTES, 0o666)
            try:
                lock_at_once(descriptor)
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    break
            except FileNotFoundError:
                pass  # the run that had it ended and removed it between the two calls: make another
            except OSError as error:
                os.close(descriptor)
                raise JournalTaken(path) from error
            os.close(descriptor)
        _open_here.add(path)
        return cls(path, descriptor)

    def entries(self) -> Iterator[tuple[dict[str, object], int]]:
        """Yield the entries that are whole, each with the byte behind it. A run may have millions: they are read as they come."""
        at, end, held = 0, 0, b""
        # By the descriptor that holds the lock: with any other of this process on the file a lock of POSIX ends.
        while data := read_at(self._descriptor, _READ_BYTES, at):
            at += len(data)
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                end += len(line) + 1
                entry = _entry(line)
                if entry is None:
                    return
                yield entry, end

    def cut(self, end: int) -> None:
        """Forget what is behind a byte."""
        os.ftruncate(self._descriptor, end)

    def append(self, entry: Mapping[str, object]) -> None:
        """Add an entry.

        Raises:
            OSError: It could not be written, and is no part of the journal.
        """
        try:
            text = orjson.dumps(entry)
        except TypeError:
            # Half a character, as the name of a file may have: orjson takes none, and json escapes it.
            text = json.dumps(entry).encode("ascii")
        line = b"%08x " % crc32(text) + text + b"\n"
        written = os.write(self._descriptor, line)
        if written != len(line):
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
            raise OSError(28, os.strerror(28), self.path)

    def sync_is_due(self) -> bool:
        """Whether so much time has passed that what was written is to be brought to disk."""
        return monotonic_seconds() - self._synced_seconds > _BETWEEN_SYNCS_SECONDS

    def mark_synced(self) -> None:
        """Note that all that the entries so far tell of is on disk, and bring the journal there."""
        self.append({"synced": True})
        sync_data(self._descriptor)
        self._synced_seconds = monotonic_seconds()

    def close(self, *, remove: bool) -> None:
        """Let go of it."""
        if remove and sys.platform != "win32" and os.path.exists(self.path):
            os.unlink(self.path)  # while it is locked, so that it is not another run's
        os.close(self._descriptor)
        if remove and sys.platform == "win32":
            # What is open cannot be removed there; and if another run has opened it meanwhile, it is that run's.
            with suppress(FileNotFoundError, PermissionError):
                os.unlink(self.path)
        _open_here.discard(self.path)


def _entry(line: bytes) -> dict[str, object] | None:
    check, _, text = line.partition(b" ")
    try:
        entry = _loaded(text) if int(check, 16) == crc32(text) else None
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _loaded(text: bytes) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)  # see append()


def machine_start() -> str:
    """Return a name for the time since which this machine has been running; nothing where the system does not tell.

    What was written since then is there.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""
