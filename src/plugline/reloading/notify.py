"""Folders to what changed in them, as the operating system tells it.

Linux tells by inotify, which is asked directly: it wakes whoever waits within a fraction of a millisecond, says
when a file was closed, and so spares half-written ones. Elsewhere watchfiles is asked, where it is installed. Neither hears
of everything (a network drive, a link that is turned elsewhere, a queue that overflows): whoever uses them looks for
himself, too, from time to time.
"""

import os
import select
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from typing import Literal, Protocol, TypeAlias

Method: TypeAlias = Literal["inotify", "watchfiles", "polling"]

_MOST_WATCHES = 4_096  # half of what a user may have on an old system


class Notifier(Protocol):
    """Waits for changes below some folders."""

    def wait(self, timeout_seconds: float) -> set[str] | None:
        """Return the paths of files and folders that changed; empty when nothing did in time, ``None`` when it was too much to tell."""

    def wake(self) -> None:
        """Let a :meth:`wait` in another thread, or the next one, return at once."""

    def close(self) -> None:
        """Give back what it holds."""


def notifier_for(folders: Iterable[str], method: Method | None = None) -> tuple[Method, Notifier]:
    """Return the best that there is, or the one that is asked for, with its name.

    Raises:
        ValueError: There is none of this name here.
    """
    folders = list(folders)
    if method is None:
        method = "inotify" if sys.platform == "linux" else "watchfiles" if find_spec("watchfiles") else "polling"
    match method:
        case "inotify" if sys.platform == "linux":
            try:
                return method, Inotify(folders)
            except OSError:  # none are left: other programs have them
                return "polling", Polling()
        case "watchfiles" if find_spec("watchfiles") is not None:
            return method, Watchfiles(folders)
        case "polling":
            return method, Polling()
        case _:
            message = f"method is {method!r}, which is not to be had here; expected 'inotify' (Linux), 'watchfiles' (where it is installed) or 'polling'"
            raise ValueError(message)


class _Waker:
    """A descriptor that becomes readable when another thread says so."""

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe()
        if sys.platform != "win32":
            os.set_blocking(self.read_end, False)
            os.set_blocking(self._write_end, False)

    def wake(self) -> None:
        try:
            os.write(self._write_end, b"\0")
        except (BlockingIOError, OSError):  # it is awake, or closed
            return

    def clear(self) -> None:
        try:
            os.read(self.read_end, 4096)
        except BlockingIOError:
            return

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self._write_end)


class Polling:
    """Hears of nothing: only waits."""

    def __init__(self) -> None:
        import threading  # for those who watch

        self._awake = threading.Event()

    def wait(self, timeout_seconds: float) -> set[str] | None:
        """See :class:`Notifier`."""
        self._awake.wait(timeout_seconds)
        self._awake.clear()
        return set()

    def wake(self) -> None:
        """See :class:`Notifier`."""
        self._awake.set()

    def close(self) -> None:
        """See :class:`Notifier`."""


class Inotify:
    """Linux's own."""

    _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x08, 0x40, 0x80, 0x100, 0x200
    _OVERFLOW, _IGNORED, _IS_FOLDER, _ONLY_FOLDER = 0x4000, 0x8000, 0x40000000, 0x01000000
    _EVENT = struct.Struct("iIII")

    def __init__(self, folders: Iterable[str]) -> None:
        """Begin to listen.

        Raises:
            OSError: This user has no more of them.
        """
        import ctypes  # for those who watch

        self._libc = ctypes.CDLL(None, use_errno=True)
        self._errno = ctypes.get_errno
        self._descriptor = self._libc.inotify_init1(getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        if self._descriptor < 0:
            raise OSError(self._errno(), os.strerror(self._errno()))
        self._waker = _Waker()
        self._folders: dict[int, str] = {}
        try:
            for folder in folders:
                self._add(folder)
        except OSError:
            self.close()
            raise

    def _add(self, folder: str) -> None:
        """Listen to a folder and those below it."""
        mask = self._CLOSE_WRITE | self._MOVED_FROM | self._MOVED_TO | self._CREATE | self._DELETE | self._ONLY_FOLDER
        for path, names, _ in os.walk(folder):
            names[:] = [name for name in names if name != "__pycache__" and not name.startswith(".")]
            number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), mask)
            if number >= 0:
                self._folders[number] = path
            elif self._errno() == 28:  # ENOSPC: the user's watches are all in use
                raise OSError(self._errno(), os.strerror(self._errno()), path)
            if len(self._folders) > _MOST_WATCHES:
                return

    def wait(self, timeout_seconds: float) -> set[str] | None:
        """See :class:`Notifier`."""
        ready, _, _ = select.select([self._descriptor, self._waker.read_end], [], [], timeout_seconds)
        if self._waker.read_end in ready:
            self._waker.clear()
        return self._read() if self._descriptor in ready else set()

    def _read(self) -> set[str] | None:
        found: set[str] = set()
        complete = True
        while True:
            try:
                events = os.read(self._descriptor, 65_536)
            except BlockingIOError:
                return found if complete else None
            at = 0
            while at < len(events):
                number, mask, _, length = self._EVENT.unpack_from(events, at)
                at += self._EVENT.size
                name = os.fsdecode(events[at : at + length].rstrip(b"\0"))
                at += length
                complete &= not mask & self._OVERFLOW
                folder = self._folders.get(number)
                if mask & self._IGNORED:
                    self._folders.pop(number, None)
                elif folder is not None:
                    self._note(found, os.path.join(folder, name), mask)

    def _note(self, found: set[str], path: str, mask: int) -> None:
        if mask & self._IS_FOLDER and mask & (self._CREATE | self._MOVED_TO):
            with suppress(OSError):  # it is looked at from time to time all the same
                self._add(path)
        # A file that was created is being written; when that is done it is closed. A link is never closed.
        if mask & self._CREATE and not mask & self._IS_FOLDER and not os.path.islink(path):
            return
        found.add(path)

    def wake(self) -> None:
        """See :class:`Notifier`."""
        self._waker.wake()

    def close(self) -> None:
        """See :class:`Notifier`."""
        os.close(self._descriptor)
        self._waker.close()


class Watchfiles:
    """The package of that name, which asks each operating system in its own way."""

    _STEP_MILLISECONDS = 5  # how often it looks whether anything was told; less costs more than it gains

    def __init__(self, folders: Iterable[str]) -> None:
        import threading  # for those who watch

        from watchfiles._rust_notify import RustNotify  # an extra

        self._notify = RustNotify(list(folders), False, False, 300, True, True)
        self._stop = threading.Event()

    def wait(self, timeout_seconds: float) -> set[str] | None:
        """See :class:`Notifier`."""
        step = self._STEP_MILLISECONDS
        found = self._notify.watch(4 * step, step, max(int(timeout_seconds * 1000), step), self._stop)
        self._stop.clear()
        return {path for _, path in found} if isinstance(found, set) else set()

    def wake(self) -> None:
        """See :class:`Notifier`."""
        self._stop.set()

    def close(self) -> None:
        """See :class:`Notifier`."""
        self._notify.close()
