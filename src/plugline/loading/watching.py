"""Loads that take long to somebody who is told while they still do.

A thread sleeps while something is loaded, and looks only when the time has passed: loads that are quick pay for its start
and its end, those of a batch once together. It never touches the load itself.
"""

import sys
from _thread import LockType, allocate_lock, get_ident, start_new_thread

from plugline.clock import monotonic_seconds
from plugline.typed import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from plugline.findings import Finding

Told = Callable[[float, int], None]
"""Gets the seconds that were allowed, and the thread that is loading."""

_END_SECONDS = 1.0  # the thread wakes at once; if it cannot, because it is told of something, nobody waits for it


class Watch:
    """Watches the loads of one host.

    Args:
        seconds: How long one may take before it is told; ``None`` for any time.
    """

    __slots__ = ("_depth", "_done", "_loads", "_seconds", "_wake")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._loads: list[tuple[float, int, Told]] = []
        self._depth = 0
        self._wake = allocate_lock()
        self._done = allocate_lock()

    def open(self) -> None:
        """Begin to watch; each such call is to be followed by :meth:`close`."""
        self._depth += 1
        if self._depth > 1 or self._seconds is None:
            return
        self._wake, self._done = allocate_lock(), allocate_lock()
        self._wake.acquire()
        self._done.acquire()
        try:
            start_new_thread(self._watch, (self._wake, self._done, self._seconds))
        except RuntimeError:  # no threads here: nothing is told
            self._done.release()

    def close(self) -> None:
        """End what :meth:`open` began."""
        self._depth -= 1
        if self._depth == 0 and self._seconds is not None:
            self._wake.release()
            # Until it has ended: a program may fork next, and Python warns of who forks with threads.
            self._done.acquire(timeout=_END_SECONDS)

    def begin(self, told: Told) -> None:
        """Note that a plugin is being loaded now, by this thread."""
        self._loads.append((monotonic_seconds(), get_ident(), told))

    def end(self) -> None:
        """Note that the last one that was begun has ended."""
        self._loads.pop()

    def _watch(self, wake: LockType, done: LockType, seconds: float) -> None:
        told: object = None
        wait = seconds
        while not wake.acquire(timeout=wait):
            # One that loads another waits for it: the innermost is to blame.
            current = self._loads[-1:]
            if not current or current[0] is told:
                wait = seconds
                continue
            began, thread, tell = current[0]
            wait = began + seconds - monotonic_seconds()
            if wait <= 0:
                told, wait = current[0], seconds
                tell(seconds, thread)
        done.release()


def line_of(thread: int, path: str | None) -> int | None:
    """Return the line of a file that a thread is at, the innermost where there are several."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way, as faulthandler has it in C
    while frame is not None and frame.f_code.co_filename != path:
        frame = frame.f_back
    return frame.f_lineno if frame is not None else None


def slow_finding(shown: str, path: str | None, seconds: float, thread: int) -> "Finding":
    """Return the warning about a plugin that has been loading for so long.

    Args:
        seconds: How long it was allowed.
        thread: The one that is loading it, which is not this one.
    """
    from plugline.findings import Finding, Place  # needed only when something went wrong

    message = f"has been loading for more than {seconds:g} seconds, and may hang"
    hint = "do at the first call what takes long, and give what waits for others a timeout"
    return Finding("P307", message, Place(shown, line_of(thread, path)), hint, severity="warning")


def log_slow(name: str, finding: "Finding") -> None:
    """Log it."""
    from threading import Thread  # needed only when something went wrong

    from plugline.logged import log_warning

    # By a thread of the threading module's: logging asks that for the thread it is in, and it never forgets another.
    Thread(target=log_warning, args=(__name__, "plugin %r:\n%s", name, finding), daemon=True).start()
