"""``sys.modules`` to what it was before."""

import sys

from plugline.typed import Callable


class Undo:
    """Puts ``sys.modules`` back to what it is now, after a load that failed.

    The private modules that have come since go, and what was replaced or removed is there again. Modules from elsewhere
    that were imported meanwhile stay. May be called again.

    Args:
        owns: Whether a module of some name is private; ``None`` where none is.
    """

    # Two lists and not a dictionary: with a thousand modules loaded, copying the dictionary for each plugin costs more
    # than loading it.
    __slots__ = ("_modules", "_names", "_owns")

    def __init__(self, owns: Callable[[str], bool] | None) -> None:
        self._owns = owns
        while True:
            self._names, self._modules = list(sys.modules), list(sys.modules.values())
            if len(self._names) == len(self._modules):  # no other thread imported something in between
                return

    def __call__(self) -> None:
        """Do it."""
        before = dict(zip(self._names, self._modules, strict=True))
        owns = self._owns
        if owns is not None:
            forget_modules([key for key in sys.modules if key not in before and owns(key)])
        for key, module in before.items():
            if sys.modules.get(key, _ABSENT) is not module:
                sys.modules[key] = module


_ABSENT = object()


def forget_modules(names: list[str]) -> None:
    """Remove modules from ``sys.modules``, and from the attributes of their parents."""
    for name in names:
        module = sys.modules.pop(name)
        parent, _, last = name.rpartition(".")
        attributes = getattr(sys.modules.get(parent), "__dict__", {})
        if attributes.get(last) is module:
            del attributes[last]
