"""What is held back while plugins are found and loaded: other loads, by a lock, and the collector of garbage.

The lock does not wait for itself by way of the import system, or of another such lock.

Python takes a lock for each module that it imports, and resolves what threads wait for each other there. It knows nothing of
our lock: one thread loads a plugin through a host and waits for a module that another thread is importing (to unpickle what it
defines, say), and that module's code asks the same host for a plugin. So who waits here looks whether the holder waits for him,
through any number of these locks and of Python's. If it does, it stands still until he is done, and he may go on in its place.
Where he then wants just what the holder is loading, he stands back, and the holder goes on in his.

A process that is forked while another thread loads has that thread's locks, and not the thread: there they are free again,
garbage is collected again, and what it had begun is begun anew by who asks for it.

Not seen: waiting by other means, such as a plugin that starts a thread while it is loaded, and joins it.

Threads: that is what it is for. ``_deciding`` guards who holds what whenever that follows from who waits.
"""

import gc
import os
import sys
from _thread import allocate_lock, get_ident
from _weakref import ref

from plugline.typed import Iterator

MAX_WAIT_SECONDS = 120.0  # a plugin that fetches a model may take minutes; nobody else should wait longer for it
_MANY = 1_500  # objects that were made and kept: two for each of some hundred plugins that are listed
_FIRST_LOOK_SECONDS, _LATER_LOOKS_SECONDS = 0.005, 0.25

_deciding = allocate_lock()
_waiting: "dict[int, LoadLock]" = {}
_standing_back: "set[int]" = set()  # those of them who let the others go on first
_locks: "list[ref[LoadLock]]" = []
_pausing: int | None = None  # the thread that has put off the collector
_frozen = False  # known to hold objects that are not collected: Python counts them one by one, 2 ms for those of a run


def mind_forks() -> None:
    """Leave locks to who goes on after a fork, from now on: asked once, by who is about to load.

    A listing holds its lock for a moment, and does without.
    """
    if hasattr(os, "register_at_fork"):  # where there is fork()
        os.register_at_fork(after_in_child=_leave_to_survivor)


def _leave_to_survivor() -> None:
    # There and then, while the process has no other thread: one that is started later may hold a lock by right.
    global _deciding, _pausing  # noqa: PLW0603 - a lock cannot be set free by who does not know whether it is held
    survivor = get_ident()
    _deciding = allocate_lock()
    _waiting.clear()
    _standing_back.clear()
    for found in tuple(_locks):
        lock = found()
        if lock is not None:
            lock.leave_to(survivor)
    if _pausing not in (None, survivor):
        _pausing = None
        gc.enable()


class LoadLock:
    """A re-entrant lock.

    Attributes:
        losses: How often it was taken from a thread that held it, which a fork had left behind.
    """

    __slots__ = ("__weakref__", "_count", "_lent", "_lock", "_owner", "losses")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._owner: int | None = None
        self._count = 0
        self._lent: list[tuple[int | None, int]] = []  # who holds it in truth, and stands still
        self.losses = 0
        _locks.append(ref(self, _locks.remove))

    def __enter__(self) -> None:
        me = get_ident()
        if self._owner == me:
            self._count += 1
        elif self._lock.acquire(False):
            self._owner, self._count = me, 1
        else:
            self._wait(me)

    def __exit__(self, *_: object) -> None:
        if self._owner != get_ident():
            return  # this thread stood back, and waited too long
        self._count -= 1
        if self._count:
            return
        if self._lent:
            self._owner, self._count = self._lent.pop()
            return
        self._owner = None
        self._lock.release()

    @property
    def is_taken(self) -> bool:
        """Whether another thread holds it; that may change at any time."""
        return self._owner not in (None, get_ident())

    def stand_back(self) -> bool:
        """Let go of what was lent to this thread, and wait until whoever holds it is done: he may now go on in its place.

        Returns:
            Whether that came to be. Otherwise it goes on to hold the lock: it was not lent, or was taken more than once since,
            or all who wait for each other stand back.

        Raises:
            StillLoading: He is not done. This thread does not hold it any more.
        """
        me = get_ident()
        with _deciding:
            if self._owner != me or self._count != 1 or not self._lent or not _may_go_on(self._lent[-1][0], me):
                return False
            self._owner, self._count = self._lent.pop()
            _waiting[me] = self
            _standing_back.add(me)
        return not self._wait(me)

    def leave_to(self, survivor: int) -> None:
        """Take it from threads that a fork has left behind; what its survivor holds, that keeps."""
        if self._owner not in (None, survivor):
            self.losses += 1
            _forget_half_made(survivor)
        while self._owner not in (None, survivor):
            self._owner, self._count = self._lent.pop() if self._lent else (None, 0)
        if self._owner is None:
            self._lock = allocate_lock()
        self._lent = [one for one in self._lent if one[0] == survivor]

    def _wait(self, me: int) -> bool:
        """Wait until it is free, or until its holder is seen to wait for this thread; return whether it was lent.

        Raises:
            StillLoading: Neither has come to be.
        """
        # Who only lists plugins has a lock, and waits for nobody.
        from plugline.clock import monotonic_seconds

        end = monotonic_seconds() + MAX_WAIT_SECONDS
        look = _FIRST_LOOK_SECONDS
        _waiting[me] = self
        try:
            while not self._lock.acquire(timeout=look):
                with _deciding:
                    holder = self._owner
                    stands_back = me in _standing_back and _may_go_on(holder, me)
                    if holder is not None and me in _waited_for(holder) and not stands_back:
                        self._lent.append((holder, self._count))
                        self._owner, self._count = me, 1
                        del _waiting[me]
                        return True
                if monotonic_seconds() > end:
                    from plugline.errors import StillLoading  # nobody should ever have to wait so long

                    raise StillLoading(MAX_WAIT_SECONDS)
                look = min(2 * look, _LATER_LOOKS_SECONDS)
            self._owner, self._count = me, 1
        finally:
            _waiting.pop(me, None)
            _standing_back.discard(me)
        return False


def _waited_for(thread: int) -> Iterator[int]:
    """Yield the threads that a thread waits for, directly or not, as far as they hold our locks or Python's."""
    seen = {thread}
    todo = [thread]
    while todo:
        current = todo.pop()
        lock = _waiting.get(current)
        holders = [lock._owner] if lock is not None else []  # noqa: SLF001 - of its own kind
        for holder in (*holders, *_importers_before(current)):
            if holder is not None and holder not in seen:
                seen.add(holder)
                todo.append(holder)
                yield holder


def _may_go_on(thread: int | None, me: int) -> bool:
    """Whether somebody else, of those who wait for each other, looks for a place to go on in."""
    around = {thread, *_waited_for(thread)} if thread is not None else set()
    return not _standing_back.issuperset((around & _waiting.keys()) - {me})


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
        global _pausing  # noqa: PLW0603 - there is one collector
        self._paused = gc.isenabled()
        if self._paused:
            _pausing = get_ident()
            gc.disable()

    def __exit__(self, *_: object) -> None:
        global _pausing  # noqa: PLW0603 - as above
        if self._paused:
            if gc.get_count()[0] > _MANY and not (_frozen or gc.get_freeze_count()):
                # Puts all objects with the old ones, without a look at any. The collector would look through all that was made now,
                # find no garbage, and do the same. Not where somebody has frozen some, as Python 3.12 has itself.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
            _pausing = None


def freeze() -> None:
    """Keep all that there is from the collector for good, as :func:`gc.freeze` does, and know of it from here on."""
    global _frozen  # noqa: PLW0603 - there is one collector
    gc.freeze()
    _frozen = True


def _forget_half_made(survivor: int) -> None:
    """Take modules of plugins that other threads were running out of ``sys.modules``, and their locks from the import system.

    Args:
        survivor: The thread that forked.
    """
    # Python waits for its own modules of this kind for ever. Where a later version keeps its locks elsewhere, so do we.
    locks = getattr(sys.modules["_frozen_importlib"], "_module_locks", {})
    for name, found in tuple(locks.items()):
        spec = getattr(sys.modules.get(name), "__spec__", None)
        is_ours = type(getattr(spec, "loader", None)).__module__ == "plugline.loading.namespace"
        if is_ours and getattr(found(), "owner", None) not in (None, survivor):
            locks.pop(name, None)
            sys.modules.pop(name, None)
