"""Modules that threads were making which a fork left behind to modules that are made anew."""

import sys


def forget_half_made(survivor: int) -> None:
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
