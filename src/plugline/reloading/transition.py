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
from math import inf
from sys import _getframe
from threading import RLock
from time import sleep
from types import CodeType, FrameType, FunctionType

from plugline.clock import monotonic_seconds
from plugline.kinds import is_a
from plugline.reloading.memory import clone_function
from plugline.reloading.plan import Plan

_MOST_SECONDS = 1.0
_PAUSE_SECONDS = 0.0005
_LOOKED_EVERY = 32  # calls: looking at the stacks of all threads costs some microseconds

_open: "list[Transition]" = []
_ending = RLock()


class Transition:
    """From a commit in the middle of calls to the end of these calls.

    Args:
        plan: The commit. It tells which calls were running in that moment.
        namespaces: The dicts of the modules as they were: by these such calls are known.
    """

    def __init__(self, plan: Plan, namespaces: list[dict[str, object]]) -> None:
        self._plan: Plan | None = plan
        self._namespaces = {id(one) for one in namespaces}
        self._found: list[FrameType] | None = None
        self._keys: set[int] = set()
        self._deadline = inf  # until the commit is made
        self._routed: list[tuple[FunctionType, FunctionType]] = []
        self._at_end: list[Callable[[], None]] = []
        self._lent: list[tuple[dict[str, object], str, object, FunctionType]] = []
        self._calls = 0
        self._over = False

    def frames(self) -> list[FrameType]:
        """Return the outermost frame of each call that was running when the commit was made."""
        found, plan = self._found, self._plan
        tops = plan.tops if found is None and plan is not None else None
        if tops is not None:
            found = [one for top in tops.values() if (one := self._outermost(top)) is not None]
            self._keys = {id(frame) for frame in found}
            self._found = found
        return found or []

    def _outermost(self, top: FrameType) -> FrameType | None:
        outermost = None
        frame: FrameType | None = top
        while frame is not None:
            # What leads to a version is as good as in it.
            if id(frame.f_globals) in self._namespaces or frame.f_code is _leading_code:
                outermost = frame
            frame = frame.f_back
        return outermost

    def begin(self) -> list[FrameType]:
        """Take note that the commit was made. Returns the calls that were running; where there were none, it is over."""
        with _ending:  # a call that comes to its end may be ending this by now
            frames = list(self.frames())
            self._plan = None
            self._deadline = monotonic_seconds() + _MOST_SECONDS
            if not frames:
                self.end()
            elif not self._over:
                _open.append(self)
        return frames

    def route(self, function: FunctionType, old: FunctionType, new: FunctionType) -> None:
        """Let a function lead to ``old`` from inside the calls, and to ``new`` from elsewhere; in the end it is ``new``."""
        plan = self._plan
        assert plan is not None  # noqa: S101 - only before the commit
        plan.exchange_functions(function, self._leading(old, new))
        self._routed.append((function, new))

    def route_name(self, names: dict[str, object], name: str, old: FunctionType, new: FunctionType) -> None:
        """Let the old version's own name for a function lead to the new one once the calls that see it last too long."""
        plan = self._plan
        assert plan is not None  # noqa: S101 - only before the commit
        kept = clone_function(old)
        lead = self._leading(kept, new, only_inside=True)
        plan.set_item(names, name, lead)
        self._lent.append((names, name, kept, lead))

    def _leading(self, old: FunctionType, new: FunctionType, *, only_inside: bool = False) -> FunctionType:
        """Return a function that leads to ``old`` from inside the calls, and to ``new`` from elsewhere, or when they last too long.

        Args:
            old: The old version.
            new: The new version.
            only_inside: Whether nobody but the calls can reach it.
        """

        def lead(*arguments: object, **keywords: object) -> object:
            if not self._is_over() and (only_inside or self._is_inside(_getframe(1))):
                return old(*arguments, **keywords)
            return new(*arguments, **keywords)

        router: FunctionType = lead  # type: ignore[assignment]
        router.__name__, router.__qualname__, router.__module__ = new.__name__, new.__qualname__, new.__module__
        router.__doc__, router.__wrapped__ = new.__doc__, new  # type: ignore[attr-defined]
        return router

    def at_end(self, action: Callable[[], None]) -> None:
        """Do something when the calls are over."""
        self._at_end.append(action)

    def _is_inside(self, frame: FrameType | None) -> bool:
        self.frames()
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
        # Who is just passing by does not wait for another one that ends it.
        if not self._over and (monotonic_seconds() > self._deadline or not self._running()) and _ending.acquire(False):
            try:
                self.end()
            finally:
                _ending.release()
        return self._over

    def _running(self) -> bool:
        return any(map(self._is_inside, sys._current_frames().values()))  # noqa: SLF001 - documented, for looking at threads

    def end(self) -> None:
        """Make all functions plain. When it returns they are, whoever has done it."""
        with _ending:
            if not self._over:
                self._end()

    def _end(self) -> None:
        plan = Plan()
        for function, new in self._routed:
            # With another one: what is still about to call ``new`` is not to meet itself there.
            plan.exchange_functions(function, clone_function(new))
        plan.run()
        plan.drop()
        for action in self._at_end:
            action()
        if monotonic_seconds() <= self._deadline:
            self._give_back_names()
        self._routed.clear()
        self._lent.clear()
        self._at_end.clear()
        self._found = []
        self._over = True
        if self in _open:
            _open.remove(self)

    def _give_back_names(self) -> None:
        """Let the old version be whole again, for generators that sleep in it: nobody else is left there."""
        for names, name, kept, lead in self._lent:
            if names.get(name) is lead:
                names[name] = kept


_leading_code = next(
    constant
    for constant in Transition._leading.__code__.co_consts  # noqa: SLF001 - it is in this module
    if is_a(constant, CodeType) and constant.co_name == "lead"
)


def end_all() -> None:
    """End all transitions, because another reload begins, when their calls are over or have had their time."""
    while not end_those_that_are_done():
        sleep(_PAUSE_SECONDS)
    with _ending:
        for transition in tuple(_open):
            transition.end()


def end_those_that_are_done() -> bool:
    """End the transitions whose calls are over. Returns whether there are none left."""
    for transition in tuple(_open):
        transition.end_when_done()
    return not _open
