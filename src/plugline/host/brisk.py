"""A program whose threads are busy to one whose threads pass the interpreter's lock on soon, for as long as a reload lasts."""

import sys
from _thread import allocate_lock

_SECONDS = 0.0002


class _Brisk:
    """Lets threads that are busy pass the interpreter's lock on sooner, while somebody is in it.

    Reading a file gives it away some twenty times, and where eight threads compute, each time costs eight switch
    intervals until it is ours again: more than all else that a reload does. Importing what a first reload needs reads
    a hundred files.

    Threads: may be entered by several; the last that leaves puts the interval back, unless the program has set another.
    """

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._inside = 0
        self._before = self._ours = 0.0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(self._before, _SECONDS))
                self._ours = sys.getswitchinterval()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and sys.getswitchinterval() == self._ours:
                sys.setswitchinterval(self._before)


brisk = _Brisk()
