"""Whether anything changed in a folder since one looked, at a cost that a request can bear.

On Linux the kernel tells at once (inotify(7), by ctypes), and whether it did is one look into memory. Elsewhere, and where
the folder is not there, the folder itself is looked at, at most five times a second.
"""

import contextlib
import ctypes
import os
import sys
import time
import weakref

from plugline.clock import monotonic_seconds
from plugline.integrations.readiness import Readiness, Told

_LOOK_AGAIN_SECONDS = 0.2

# <sys/inotify.h>
_IN_MODIFY = 0x2
_IN_ATTRIB = 0x4
_IN_CLOSE_WRITE = 0x8
_IN_MOVED_FROM = 0x40
_IN_MOVED_TO = 0x80
_IN_CREATE = 0x100
_IN_DELETE = 0x200
_IN_DELETE_SELF = 0x400
_IN_MOVE_SELF = 0x800
_IN_ONLYDIR = 0x1000000
_IN_DONT_FOLLOW = 0x2000000
_EVENTS = (
    _IN_MODIFY | _IN_ATTRIB | _IN_CLOSE_WRITE | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE
    | _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_ONLYDIR
)  # fmt: skip
_MOVES = _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_DONT_FOLLOW
_EVENT_MAX_BYTES = 64 * 2**10


class _Due:
    """Told once it is time to look again."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = monotonic_seconds()

    def __getitem__(self, at: int, /) -> bool:
        return monotonic_seconds() - self._since > _LOOK_AGAIN_SECONDS


class Changes:
    """The changes of a folder and of those below it. For one thread at a time, but any may look at :attr:`told`.

    Attributes:
        told: ``told[0]`` is true once :meth:`take` is worth calling; another one after each.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
        self.told: Told
        self._is_forked = False
        self._begin()
        self._known = self._look()

    def _begin(self) -> None:
        self._descriptor = self._start()
        self._readiness = None
        if self._descriptor >= 0:
            self._close = weakref.finalize(self, os.close, self._descriptor)
            self._readiness = Readiness(self._descriptor)
        self._watches: set[int] = set()
        self._watched = self._watch()
        self._listen()

    def close(self) -> None:
        """Watch no more."""
        if self._descriptor >= 0:
            self._close()
            self._descriptor = -1
        self._readiness = None
        self._watched = False

    def forked(self) -> None:
        """Be told for oneself from the next :meth:`take` on, in a process that was forked: what one reads the other misses."""
        self._is_forked = True
        self.told = (True,)

    def _start(self) -> int:
        if self._library is None:
            return -1
        made: int = self._library.inotify_init1(getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        return made  # -1 where the user has too many of them

    def _watch(self) -> bool:
        """Ask to be told of the folder, of those below it, and of when the way to it changes; asking again is no harm."""
        if self._descriptor < 0 or self._library is None or not os.path.isdir(self._folder):
            return False
        # First, since of what is asked for twice the last counts. Some may not be asked about, and the folder can be told of still.
        watches = {
            self._add(path, _MOVES | (_IN_ATTRIB if os.path.islink(path) else 0)) for path in _way_to(self._folder)
        }
        for above, folders, _ in os.walk(self._folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            watch = self._add(above, _EVENTS)
            if watch < 0:
                return False
            watches.add(watch)
        for watch in self._watches - watches:
            self._library.inotify_rm_watch(self._descriptor, watch)
        self._watches = watches - {-1}
        return True

    def _add(self, path: str, events: int) -> int:
        added: int = self._library.inotify_add_watch(self._descriptor, os.fsencode(path), events)  # type: ignore[union-attr]
        return added

    def _listen(self) -> None:
        if self._watched and self._readiness is not None:
            self._readiness.listen()
            self.told = self._readiness.told
        else:
            self.told = _Due()

    def wait(self, seconds: float) -> bool:
        """Wait until something changes, and tell whether it did."""
        if self._watched and self._readiness is not None:
            return self._readiness.wait(seconds)
        if self._library is not None:
            return False  # the folder itself is not there
        time.sleep(seconds)
        return self._look() != self._known

    def take(self) -> bool:
        """Whether something changed since the last call."""
        if self._is_forked:
            self._is_forked = False
            self.close()
            self._begin()
            return True
        try:
            return self._take()
        finally:
            self._listen()

    def _take(self) -> bool:
        told = False
        if self._watched:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._descriptor, _EVENT_MAX_BYTES):
                    told = True
            if told:
                self._watched = self._watch()  # a folder may be new, or gone
            return told
        self._watched = self._watch()
        known, self._known = self._known, self._look()
        return known != self._known or self._watched

    def _look(self) -> frozenset[tuple[str, int, int, int]]:
        found = set()
        for above, _, files in os.walk(self._folder):
            for name in files:
                path = os.path.join(above, name)
                with contextlib.suppress(OSError):
                    status = os.stat(path)
                    found.add((path, status.st_mtime_ns, status.st_size, status.st_ino))
        return frozenset(found)


def _way_to(folder: str) -> set[str]:
    """Return all folders above one, and links that lead to it: where one of them is moved or replaced, another folder is meant."""
    way: set[str] = set()
    left = [folder]
    while left:
        path = left.pop()
        while path != os.path.dirname(path) and path not in way:
            way.add(path)
            if os.path.islink(path):
                with contextlib.suppress(OSError):
                    left.append(os.path.abspath(os.path.join(os.path.dirname(path), os.readlink(path))))
            path = os.path.dirname(path)
    return way
