"""``sys.modules`` to what it was before."""

import sys

from plugline.typed import Callable, FunctionType, ModuleType


class Undo:
    """Puts ``sys.modules`` back to what it is now, after a load that failed.

    The private modules that have come since go, and what was replaced or removed is there again. Modules from elsewhere
    that were imported meanwhile stay. May be called again.

    Args:
        owns: Whether a module of some name is private; ``None`` where none is.
        before: What it is to be put back to, where somebody has taken that down already.
        left: Takes what ran to its end and holds nothing of what failed, so that it does not run again for the next that
            imports it: the module, and whether it is the one that was loaded.
    """

    __slots__ = ("_before", "_name", "_owns", "left")

    def __init__(
        self,
        owns: Callable[[str], bool] | None,
        before: dict[str, ModuleType] | None = None,
        name: str = "",
        left: "dict[str, tuple[ModuleType, bool]] | None" = None,
    ) -> None:
        self._owns, self._name, self.left = owns, name, left
        self._before = before if before is not None else sys.modules.copy()

    def __call__(self, *, ran: bool = False) -> None:
        """Do it.

        Args:
            ran: Whether the module that was loaded has run to its end as well.
        """
        before, owns = self._before, self._owns
        if owns is not None:
            # What is being run now is another thread's: the load that failed runs nothing any more.
            living = sys.modules.copy()
            names = [key for key in living if key not in before and owns(key) and not is_initializing(living[key])]
            forget_modules(names)
            if self.left is not None:
                self._leave({key: living[key] for key in names}, self.left, ran=ran)
        for key, module in before.items():
            if sys.modules.get(key, _ABSENT) is not module and not has_failed(module):
                sys.modules[key] = module

    def _leave(self, new: dict[str, ModuleType], left: "dict[str, tuple[ModuleType, bool]]", *, ran: bool) -> None:
        below = f"{self._name}."
        gone = {name for name in new if has_failed(new[name]) or (not ran and f"{name}.".startswith(below))}
        gone |= set() if ran else {self._name}
        while more := {name for name in new.keys() - gone if holds(new[name], gone)}:
            gone |= more
        left.update((name, (new[name], name == self._name)) for name in new if name not in gone)


def holds(module: object, names: set[str]) -> bool:
    """Whether a module has one of these modules, or a function, a class or an object of one."""
    if not issubclass(type(module), ModuleType):
        return True  # nobody can tell
    for value in tuple(_attributes_of(module).values()):
        kind = type(value)
        home: object
        if kind is FunctionType:
            home = value.__module__
        elif issubclass(kind, ModuleType):
            home = _attributes_of(value).get("__name__")
        else:
            home = _home_of(value if issubclass(kind, type) else kind)
        if type(home) is str and home in names:
            return True
    return False


_home_of: Callable[[object], object] = vars(type)["__module__"].__get__


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
    # All of them first: what goes together keeps what it has of each other. Another thread may have been first.
    for name, module in [(name, sys.modules.pop(name, None)) for name in names]:
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
