"""Calls that are running while a new version is put in force, kept on the version that they began with.

A call that another thread is in the middle of has called some functions of the old version already; if those that it
calls next were the new ones, it would see half of each. So where a call is running, each function that it could call is,
for a while, one that looks who calls: from inside such a call it leads to the old version, from everywhere else to
the new one. When these calls are over the functions are plain again; while there are none, which is nearly always, nothing
of this is done.

A call that goes on for longer than a second is a loop that serves or waits, and not one piece of work: the next function
that it calls is the new one.
"""

import sys
from collections.abc import Callable
from sys import _getframe
from types import FrameType, FunctionType

from plugline.clock import monotonic_seconds
from plugline.reloading.memory import exchange_functions

_MOST_SECONDS = 1.0
_LOOKED_EVERY = 32  # calls: looking at the stacks of all threads costs some microseconds

Undo = Callable[[], None]
_open: "list[Transition]" = []


class Transition:
    """From a commit in the middle of calls to the end of these calls.

    Args:
        frames: The outermost frame of each of them.
    """

    def __init__(self, frames: list[FrameType]) -> None:
        self._frames = frames
        self._keys = {id(frame) for frame in frames}
        self._deadline = monotonic_seconds() + _MOST_SECONDS
        self._routed: list[tuple[FunctionType, FunctionType]] = []
        self._at_end: list[Callable[[], None]] = []
        self._calls = 0
        self._over = False

    def begin(self) -> None:
        """Count it among those that are to be ended."""
        _open.append(self)

    def route(self, function: FunctionType, old: FunctionType, new: FunctionType, log: list[Undo]) -> None:
        """Let a function lead to ``old`` from inside the calls, and to ``new`` from elsewhere; in the end it is ``new``."""
        self._put(function, self._leads(old, new), new, log)

    def route_later(self, function: FunctionType, old: FunctionType, new: FunctionType, log: list[Undo]) -> None:
        """Let a function that only the calls can reach be ``old``, and ``new`` if they go on for too long."""
        self._put(function, self._leads(old, new, only_inside=True), new, log)

    def at_end(self, action: Callable[[], None]) -> None:
        """Do something when the calls are over."""
        self._at_end.append(action)

    def _put(self, function: FunctionType, router: FunctionType, new: FunctionType, log: list[Undo]) -> None:
        router.__name__, router.__qualname__, router.__module__ = new.__name__, new.__qualname__, new.__module__
        router.__doc__, router.__wrapped__ = new.__doc__, new  # type: ignore[attr-defined]
        exchange_functions(function, router)
        log.append(lambda: exchange_functions(function, router))
        self._routed.append((function, new))

    def _leads(self, old: FunctionType, new: FunctionType, *, only_inside: bool = False) -> FunctionType:
        def lead(*arguments: object, **keywords: object) -> object:
            if not self._is_over() and (only_inside or self._is_inside(_getframe(1))):
                return old(*arguments, **keywords)
            return new(*arguments, **keywords)

        return lead  # type: ignore[return-value]

    def _is_inside(self, frame: FrameType | None) -> bool:
        keys = self._keys
        while frame is not None:
            if id(frame) in keys:
                return True
            frame = frame.f_back
        return False

    def _is_over(self) -> bool:
        if self._over:
            return True
        self._calls += 1
        if self._calls % _LOOKED_EVERY == 0 or monotonic_seconds() > self._deadline:
            self.end_when_done()
        return self._over

    def end_when_done(self) -> bool:
        """End it if the calls are over, or have had their time. Returns whether it is ended."""
        if not self._over and (monotonic_seconds() > self._deadline or not self._running()):
            self.end()
        return self._over

    def _running(self) -> bool:
        return any(map(self._is_inside, sys._current_frames().values()))  # noqa: SLF001 - documented, for looking at threads

    def end(self) -> None:
        """Make all functions plain."""
        if self._over:
            return
        self._over = True
        if self in _open:
            _open.remove(self)
        for function, new in self._routed:
            exchange_functions(function, new)
        for action in self._at_end:
            action()
        self._routed.clear()
        self._at_end.clear()
        self._frames.clear()


def end_all() -> None:
    """End all transitions, because another reload begins."""
    for transition in tuple(_open):
        transition.end()


def end_those_that_are_done() -> bool:
    """End the transitions whose calls are over. Returns whether there are none left."""
    for transition in tuple(_open):
        transition.end_when_done()
    return not _open
