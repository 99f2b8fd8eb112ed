"""What a plugin changed in the process while it was loaded, undone, to findings.

A snapshot is compared after each load: ``builtins``, ``sys.path``, ``sys.meta_path``, the modules that were there and the
current folder.
Only what the plugin did is undone, as far as that can be told: what an installed library that it imports adds for
itself (a folder of its own on ``sys.path``, a finder, a name in ``builtins``) stays, or the library would break.

Not seen: changes inside of other modules and objects; what another thread did meanwhile is taken for the plugin's.
"""

import builtins
import os
import sys
from _operator import is_
from _thread import get_ident
from itertools import islice

from plugline.findings import Finding, Place
from plugline.loading.modules import has_failed
from plugline.typed import Callable, ModuleType, Sequence, TypeVar

A = TypeVar("A")
T = TypeVar("T")

_FEW = 50  # modules that one plugin brings; where it is more, each is looked at

_HINT = (
    "use imports relative to the plugin (from . import x), paths from its __file__ on, names of its own, and what the "
    "host passes"
)


def run_keeping_builtins(function: Callable[[A], T], argument: A) -> T:
    """Call what runs a plugin's code, and put back the builtins that it replaced before anything else is done.

    What handles the plugin's error calls ``len`` and ``isinstance`` itself. The next :meth:`Snapshot.undo` in this
    thread tells what was replaced.
    """
    before = vars(builtins).copy()
    try:
        return function(argument)
    finally:
        _put_back(before)


def _put_back(before: dict[str, object]) -> bool:
    """Put back the builtins that were replaced; whether there was nothing to."""
    living = vars(builtins)
    # By methods, and by names that were taken before: the rest may be the plugin's own until this is done.
    if _len(living) == _len(before) and _all(_map(is_, before.values(), living.values())):
        return True
    after = living.copy()
    living.update(before)
    if len(after) != len(before) or not all(map(is_, before.values(), after.values())):
        found = _replaced.setdefault(get_ident(), set())
        found.update(key for key in before if key not in after or after[key] is not before[key])
    return False


_all, _len, _map = all, len, map
_replaced: dict[int, set[str]] = {}


class Snapshot:
    """The state that is the whole process's, as it was before a load."""

    __slots__ = ("_builtins", "_folder", "_living", "_meta_path", "_path", "_path_list", "modules")

    def __init__(self) -> None:
        self._living = vars(builtins)
        self._builtins = self._living.copy()
        self._path_list = sys.path
        self._path = tuple(sys.path)
        self._meta_path = tuple(sys.meta_path)
        self._folder = _current_folder()
        self.modules = sys.modules.copy()

    def put_back_builtins(self) -> bool:
        """Put back the builtins that were replaced, before anything else is done; whether there was nothing to."""
        return _put_back(self._builtins) and get_ident() not in _replaced

    def is_intact(self, known: int) -> bool:
        """Whether nothing was changed that :meth:`undo` would put back, builtins apart.

        Args:
            known: How many modules had been there before the first plugin of a batch was loaded. What came since is
                compared by ``==``, which is by identity first, and by identity alone for any module.
        """
        before = list(self.modules.values())
        now = list(sys.modules.values())
        count = len(before)
        if len(now) - count > _FEW or sys.path is not self._path_list or tuple(self._path_list) != self._path:
            return False
        return (
            len(sys.meta_path) == len(self._meta_path)
            and _current_folder() == self._folder
            and all(map(is_, self._meta_path, sys.meta_path))
            and all(map(is_, before[:known], now))
            and before[known:] == now[known:count]
            and not any(type(module) is not ModuleType for module in now[count:])
        )

    def undo(self, name: str, place: Place) -> tuple[Finding, ...]:
        """Put back what was changed, and return a warning (``P306``) for each kind of change.

        Args:
            name: The full name of the plugin's module: what is below it is its own.
        """
        changes = [
            *self._undo_builtins(name),
            *self._undo_path(),
            *self._undo_meta_path(name),
            *self._undo_modules(name),
            *self._undo_folder(),
        ]
        return tuple(
            Finding("P306", f"{change} while it was loaded; {undone}", place, hint=_HINT, severity="warning")
            for change, undone in changes
        )

    def _undo_builtins(self, name: str) -> list[tuple[str, str]]:
        now = self._living.copy()
        self._living.update(self._builtins)  # what was done since, as by available()
        known = _replaced.pop(get_ident(), set())
        if not known and len(now) == len(self._builtins) and all(map(is_, self._builtins.values(), now.values())):
            return []
        before = self._builtins.items()
        replaced = sorted(key for key, value in before if key in known or key not in now or now[key] is not value)
        added = [key for key in now if key not in self._builtins]
        # "_" is what the interactive interpreter and gettext set.
        own = [key for key in added if key != "_" and not _is_of_library(now[key], name)]
        own = [key for key in own if not self._is_set_by_library(key, name)]
        for key in own:
            del self._living[key]
        found = [(f"changed builtins: {_listed(replaced)}", "undone")] if replaced else []
        if own:
            found.append((f"added to builtins: {_listed(own)}", "taken out again"))
        return found

    def _is_set_by_library(self, key: str, name: str) -> bool:
        """Whether an installed module that was imported meanwhile speaks of ``builtins`` and of this name (Salt's own do)."""
        return any(
            b"builtins" in content and key.encode("utf-8", "replace") in content
            for content in map(_library_source, _added(self.modules, name))
        )

    def _undo_path(self) -> list[tuple[str, str]]:
        if sys.path is self._path_list and tuple(self._path_list) == self._path:
            return []
        current: object = sys.path  # it may be anything now
        now: list[object] = list(current) if isinstance(current, (list, tuple)) else []
        added = [entry for entry in now if entry not in self._path]
        of_libraries = [entry for entry in added if isinstance(entry, str) and _is_library_folder(entry)]
        own = [entry for entry in added if entry not in of_libraries]
        removed = [entry for entry in self._path if entry not in now]
        moved = not added and not removed and tuple(now) != self._path
        self._path_list[:] = [*self._path, *of_libraries]
        sys.path = self._path_list
        found = [(f"put on sys.path: {_listed(own)}", "taken off again")] if own else []
        if removed:
            found.append((f"took off sys.path: {_listed(removed)}", "put back"))
        if moved:
            found.append(("changed the order of sys.path", "undone"))
        return found

    def _undo_meta_path(self, name: str) -> list[tuple[str, str]]:
        now = tuple(sys.meta_path)
        if len(now) == len(self._meta_path) and all(map(is_, now, self._meta_path)):
            return []
        own = [finder for finder in now if not _is_in(finder, self._meta_path) and _is_of_plugin(finder, name)]
        removed = [finder for finder in self._meta_path if not _is_in(finder, now)]
        kept = [finder for finder in now if not _is_in(finder, own)]
        sys.meta_path[:] = (
            kept if not removed else [*(one for one in kept if not _is_in(one, self._meta_path)), *self._meta_path]
        )
        found = (
            [(f"put a finder on sys.meta_path: {_listed([_kind(one) for one in own])}", "taken off again")]
            if own
            else []
        )
        if removed:
            found.append((f"took off sys.meta_path: {_listed([_kind(one) for one in removed])}", "put back"))
        return found

    def _undo_modules(self, name: str) -> list[tuple[str, str]]:
        before, living = self.modules.values(), sys.modules
        # In one call, as the copy is made: other threads import meanwhile.
        if len(living) == len(before) and all(map(is_, before, tuple(living.values()))):
            return []
        modules = living.copy()
        added = list(islice(reversed(modules), max(0, len(modules) - len(self.modules))))
        # None too: it makes an import fail.
        fakes = [key for key in added if key in sys.stdlib_module_names and _is_no_module(modules.get(key))]
        for key in fakes:
            del sys.modules[key]
        found = [(f"put in the place of a module: {_listed(fakes)}", "taken out again")] if fakes else []
        if all(map(is_, self.modules.values(), modules.values())):
            return found
        prefix = f"{name}."
        changed = [
            key
            for key, module in self.modules.items()
            if sys.modules.get(key) is not module
            and key != name
            and not key.startswith(prefix)
            and not has_failed(module)
        ]
        for key in changed:
            sys.modules[key] = self.modules[key]
        return [*found, (f"replaced in sys.modules: {_listed(changed)}", "put back")] if changed else found

    def _undo_folder(self) -> list[tuple[str, str]]:
        now = _current_folder()
        if now == self._folder or self._folder is None:
            return []
        try:
            os.chdir(self._folder)
        except OSError:
            return []  # it is gone: nobody can go back there
        return [(f"changed the current folder to {now!r}", "undone")]


def _current_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _added(before: dict[str, ModuleType], name: str) -> list[ModuleType]:
    """Return the modules that are there since, but for those of the plugin."""
    return [
        module
        for key, module in list(sys.modules.items())
        if key not in before and key != name and not key.startswith(f"{name}.") and type(module) is ModuleType
    ]


def _library_source(module: ModuleType) -> bytes:
    path = module.__dict__.get("__file__")
    if not isinstance(path, str) or not path.endswith(".py") or not _is_library_folder(path):
        return b""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _is_of_plugin(value: object, name: str) -> bool:
    # Through the type, because the value is foreign and may answer anything, or raise.
    found = type.__dict__["__dict__"].__get__(value if isinstance(value, type) else type(value))
    module = found.get("__module__")
    return module == name or (isinstance(module, str) and module.startswith(f"{name}."))


def _is_of_library(value: object, name: str) -> bool:
    module = getattr(value, "__module__", None) if callable(value) else None
    return (
        isinstance(module, str)
        and module in sys.modules
        and module != name
        and not module.startswith((f"{name}.", "builtins"))
        and module.partition(".")[0] not in sys.stdlib_module_names
        and module.partition(".")[0] != name.partition(".")[0]
    )


def _is_library_folder(entry: str) -> bool:
    parts = entry.replace("\\", "/").split("/")
    return "site-packages" in parts or "dist-packages" in parts


def _is_in(one: object, several: Sequence[object]) -> bool:
    return any(one is other for other in several)


def _is_no_module(value: object) -> bool:
    return not isinstance(value, ModuleType)


def _kind(value: object) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__


def _listed(names: Sequence[object]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
