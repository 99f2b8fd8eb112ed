"""What is held back while plugins are found and loaded: other loads, by a lock, and the collector of garbage.

The lock does not wait for itself by way of the import system, or of another such lock.

Python takes a lock for each module that it imports, and resolves what threads wait for each other there. It knows nothing of
our lock: one thread loads a plugin through a host and waits for a module that another thread is importing (to unpickle what it
defines, say), and that module's code asks the same host for a plugin. So who waits here looks whether the holder waits for him,
through any number of these locks and of Python's. If it does, it stands still until he is done, and he may go on in its place.

A process that is forked while another thread loads has that thread's locks, and not the thread: there they are free again, and
what it had begun is begun anew by who asks for it.

Not seen: waiting by other means, such as a plugin that starts a thread while it is loaded, and joins it.

Threads: that is what it is for. ``_deciding`` guards who holds what whenever that follows from who waits.
"""

import gc
import os
import sys
from _thread import allocate_lock, get_ident

from plugline.typed import Iterator

MAX_WAIT_SECONDS = 120.0  # a plugin that fetches a model may take minutes; nobody else should wait longer for it
_MANY = 1_500  # objects that were made and kept: two for each of some hundred plugins that are listed
_FIRST_LOOK_SECONDS, _LATER_LOOKS_SECONDS = 0.005, 0.25

_deciding = allocate_lock()
_waiting: "dict[int, LoadLock]" = {}


# How often this process, and those that it comes from, were forked, and the one thread that went on in it.
_forks = 0
_survivor: int | None = None


def _note_fork() -> None:
    global _deciding, _forks, _survivor  # noqa: PLW0603 - a lock cannot be set free by who does not know whether it is held
    _deciding = allocate_lock()
    _waiting.clear()
    _survivor = get_ident()
    _forks += 1


def mind_forks() -> None:
    """Take note of forks from now on: once, by who is about to load; a listing holds its lock for a moment, and does without."""
    if hasattr(os, "register_at_fork"):  # where there is fork()
        os.register_at_fork(after_in_child=_note_fork)


class LoadLock:
    """A re-entrant lock.

    Attributes:
        losses: How often it was taken from a thread that held it, which a fork had left behind.
    """

    __slots__ = ("_forks", "count", "lent", "lock", "losses", "owner")

    def __init__(self) -> None:
        self.lock = allocate_lock()
        self.owner: int | None = None
        self.count = 0
        self.lent: list[tuple[int | None, int]] = []  # who holds it in truth, and stands still
        self._forks = _forks
        self.losses = 0

    def __enter__(self) -> None:
        me = get_ident()
        if self._forks != _forks:
            # Few programs fork, and those that do mostly do it before.
            from plugline.host.forked import leave_to_survivor  # noqa: PLC0415

            leave_to_survivor(self, _survivor)
            self._forks = _forks
        if self.owner == me:
            self.count += 1
        elif self.lock.acquire(False):
            self.owner, self.count = me, 1
        else:
            self._wait(me)

    def __exit__(self, *_: object) -> None:
        self.count -= 1
        if self.count:
            return
        if self.lent:
            self.owner, self.count = self.lent.pop()
            return
        self.owner = None
        self.lock.release()

    @property
    def is_taken(self) -> bool:
        """Whether another thread holds it; that may change at any time."""
        return self.owner not in (None, get_ident())

    def _wait(self, me: int) -> None:
        """Wait until it is free, or until its holder is seen to wait for this thread.

        Raises:
            StillLoading: Neither has come to be.
        """
        # Who only lists plugins has a lock, and waits for nobody.
        from plugline.clock import monotonic_seconds  # noqa: PLC0415

        end = monotonic_seconds() + MAX_WAIT_SECONDS
        look = _FIRST_LOOK_SECONDS
        _waiting[me] = self
        try:
            while not self.lock.acquire(timeout=look):
                with _deciding:
                    if self.owner is not None and me in _waited_for(self.owner):
                        self.lent.append((self.owner, self.count))
                        self.owner, self.count = me, 1
                        del _waiting[me]
                        return
                if monotonic_seconds() > end:
                    from plugline.errors import StillLoading  # noqa: PLC0415 - nobody should ever have to wait so long

                    raise StillLoading(MAX_WAIT_SECONDS)
                look = min(2 * look, _LATER_LOOKS_SECONDS)
            self.owner, self.count = me, 1
        finally:
            _waiting.pop(me, None)


def _waited_for(thread: int) -> Iterator[int]:
    """Yield the threads that a thread waits for, directly or not, as far as they hold our locks or Python's."""
    seen = {thread}
    todo = [thread]
    while todo:
        current = todo.pop()
        lock = _waiting.get(current)
        holders = [lock.owner] if lock is not None else []
        for holder in (*holders, *_importers_before(current)):
            if holder is not None and holder not in seen:
                seen.add(holder)
                todo.append(holder)
                yield holder


def _importers_before(thread: int) -> Iterator[int | None]:
    """Yield the threads that are importing what a thread waits to import."""
    # What Python finds its own deadlocks by: a lock in 3.11, a list of them since 3.12. Where a later version has it
    # otherwise, waiting ends with StillLoading.
    blocking = getattr(sys.modules["_frozen_importlib"], "_blocking_on", {}).get(thread)
    locks = blocking if isinstance(blocking, list) else [blocking] if blocking is not None else []
    for lock in tuple(locks):
        yield getattr(lock, "owner", None)


class PausedCollector:
    """Pauses the garbage collector from ``__enter__`` to ``__exit__``, unless somebody has paused it already.

    Specs, handles and modules made in their thousands all stay, and none of them is garbage; the collector looks through all
    of them again and again, which takes a third of the time of loading a thousand plugins.

    Threads: it is paused for all of them; of several batches at once the first one to end lets it go on.
    """

    __slots__ = ("_paused",)

    def __enter__(self) -> None:
        self._paused = gc.isenabled()
        if self._paused:
            gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._paused:
            if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
                # Puts all objects with the old ones, without a look at any. The collector would look through all that was made now,
                # find no garbage, and do the same. Not where somebody has frozen some, as Python 3.12 has itself.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
