"""``sys.modules`` to what it was before."""

import sys

from plugline.typed import Callable, ModuleType


class Undo:
    """Puts ``sys.modules`` back to what it is now, after a load that failed.

    The private modules that have come since go, and what was replaced or removed is there again. Modules from elsewhere
    that were imported meanwhile stay. May be called again.

    Args:
        owns: Whether a module of some name is private; ``None`` where none is.
        before: What it is to be put back to, where somebody has taken that down already.
    """

    __slots__ = ("_before", "_owns")

    def __init__(self, owns: Callable[[str], bool] | None, before: dict[str, ModuleType] | None = None) -> None:
        self._owns = owns
        self._before = before if before is not None else sys.modules.copy()

    def __call__(self) -> None:
        """Do it."""
        before, owns = self._before, self._owns
        if owns is not None:
            # What is being run now is another thread's: the load that failed runs nothing any more.
            living = sys.modules.copy()
            forget_modules(
                [key for key in living if key not in before and owns(key) and not is_initializing(living[key])]
            )
        for key, module in before.items():
            if sys.modules.get(key, _ABSENT) is not module and not has_failed(module):
                sys.modules[key] = module


_ABSENT = object()


def is_initializing(module: object) -> bool:
    """Whether a module is being run; runs no code of what may stand in its place."""
    if not issubclass(type(module), ModuleType):
        return False
    return getattr(_attributes_of(module).get("__spec__"), "_initializing", False) is True


def has_failed(module: object) -> bool:
    """Whether a private module was being run by another thread, which took it out of ``sys.modules`` when that failed."""
    if not issubclass(type(module), ModuleType) or is_initializing(module):
        return False
    return getattr(_attributes_of(module).get("__loader__"), "has_run", True) is False


_attributes_of: Callable[[object], dict[str, object]] = vars(ModuleType)["__dict__"].__get__


def forget_modules(names: list[str]) -> None:
    """Remove modules from ``sys.modules``, from the attributes of their parents, and what is kept of their files."""
    linecache = sys.modules.get("linecache")  # there if a traceback was shown
    for name in names:
        module = sys.modules.pop(name, None)  # another thread may have been first
        # Through the dict: the module may be an object of the plugin's own, which answers anything.
        kept = getattr(module, "__dict__", None)
        kept = kept if isinstance(kept, dict) else {}
        for folder in kept.get("__path__") or ():
            sys.path_importer_cache.pop(folder, None)
        if linecache is not None:
            linecache.cache.pop(kept.get("__file__"), None)
        parent, _, last = name.rpartition(".")
        attributes = getattr(sys.modules.get(parent), "__dict__", {})
        if attributes.get(last) is module:
            del attributes[last]
