"""Locks and modules that threads held which a fork left behind, to what the one that went on can use."""

import sys
from _thread import allocate_lock

from plugline.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from plugline.host.holding import LoadLock


def leave_to_survivor(lock: "LoadLock", survivor: int | None) -> None:
    """Take a lock from threads that are not there; what the survivor of the fork holds it keeps.

    Args:
        lock: The lock.
        survivor: The thread that forked.
    """
    if lock.owner not in (None, survivor):
        lock.losses += 1
        _forget_half_made(survivor)
    while lock.owner not in (None, survivor):
        lock.owner, lock.count = lock.lent.pop() if lock.lent else (None, 0)
    if lock.owner is None:
        lock.lock = allocate_lock()
    lock.lent = [one for one in lock.lent if one[0] == survivor]


def _forget_half_made(survivor: int | None) -> None:
    """Take modules of plugins that other threads were running out of ``sys.modules``, and their locks from the import system."""
    # Python waits for its own modules of this kind for ever. Where a later version keeps its locks elsewhere, so do we.
    locks = getattr(sys.modules["_frozen_importlib"], "_module_locks", {})
    for name, found in tuple(locks.items()):
        spec = getattr(sys.modules.get(name), "__spec__", None)
        is_ours = type(getattr(spec, "loader", None)).__module__ == "plugline.loading.namespace"
        if is_ours and getattr(found(), "owner", None) not in (None, survivor):
            locks.pop(name, None)
            sys.modules.pop(name, None)
