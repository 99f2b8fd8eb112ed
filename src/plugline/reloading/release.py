"""A version that is no longer in force to nothing, where nobody holds any of it.

A module's dict and the functions in it hold each other, and so does a class and its parts: left alone they would be there until
the collector comes, which is seldom, and each reload would have to take memory that was not used before, which costs as
much as a fifth of it. What the counts of references do not explain is left to the collector.
"""

import builtins
import gc
from collections.abc import Iterable
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType, ModuleType
from weakref import ref

from plugline.kinds import is_a
from plugline.loading.namespace import PrivateLoader
from plugline.loading.traces import Trace, getrefcount, least_references, own_references
from plugline.reloading.memory import clear_class

_MOST = 2_000  # objects; to look through more costs more than what is left lying
_MOST_LEFT = 20  # versions, of some ten kilobytes each

_left: list[int] = [0]


def release_versions(
    retired: list[tuple[dict[str, object], dict[str, object]]], classes: Iterable[ref[type]]
) -> list[bool]:
    """Let go of versions that nobody holds. Returns of which that was so.

    Args:
        retired: The names of each, with those that are in force; emptied.
        classes: Classes that gave their definitions to older ones.
    """
    for held in reversed([*classes]):  # those that derive from others come after these
        owner = held()
        if owner is not None:
            _release_class(owner)
        del owner
    released = []
    while retired:
        names, living = retired.pop(0)
        released.append(_is_plain(names) or _is_alone(names, living))
        if released[-1]:
            gone = _classes_left(names, living)
            names.clear()
            while gone:  # or the classes that they derive from would know them until the collector comes
                owner = gone.pop()
                _release_class(owner)
                del owner
    _left[0] += released.count(False)
    if _left[0] > _MOST_LEFT:
        # Setting objects aside, as each reload does, keeps Python from seeing that it is time to collect.
        _left[0] = 0
        gc.collect()
    return released


def _classes_left(names: dict[str, object], living: dict[str, object]) -> list[type]:
    """Return the classes that only an old version of a module has."""
    module = names.get("__name__")
    found = {
        id(value): value
        for name, value in names.copy().items()
        if name not in living and is_a(value, type) and vars(value).get("__module__") == module
    }
    return sorted(found.values(), key=_depth_of)


def _depth_of(owner: type) -> int:
    return len(owner.__mro__)


def _release_class(owner: type) -> None:
    # Held by the caller, this parameter and the call.
    if getrefcount(owner) == 3 + least_references(owner) or getrefcount(owner) == 3 + own_references(owner):
        clear_class(owner)


def _is_plain(names: dict[str, object]) -> bool:
    """Whether nothing but the functions that are in a module's dict holds it, and nothing but it holds these."""
    functions = [one for one in tuple(names.values()) if type(one) is FunctionType and one.__globals__ is names]
    # Held by the caller, this parameter and the call; each function by the dict, the list, the loop and the call.
    return getrefcount(names) == 3 + len(functions) and all(getrefcount(one) == 4 for one in functions)


def _is_alone(names: dict[str, object], living: dict[str, object]) -> bool:
    """Whether nothing leads to a module's dict but what it leads to itself, as the collector finds it out."""
    met = _referents(names, living)
    if met is None:
        return False
    # Held by the tuple, the loop's variable and the call; the dict by the caller, and by a parameter of theirs, as well.
    reached = [key for key, (one, times) in met.items() if getrefcount(one) > times + 3 + 2 * (one is names)]
    seen = set(reached)
    for key in reached:  # it grows
        if met[key][0] is names:
            return False
        inside = {id(held) for held in gc.get_referents(met[key][0])} & met.keys() - seen
        seen |= inside
        reached += inside
    return True


def _referents(names: dict[str, object], living: dict[str, object]) -> dict[int, tuple[object, int]] | None:
    """Return what a module's dict leads to, each with how often it is held there, by its ``id``.

    Args:
        living: That of the version in force, which is not looked into.

    Returns:
        ``None`` where it is too much, or where code runs when it goes, which is for the collector.
    """
    met: dict[int, tuple[object, int]] = {id(names): (names, 0)}
    pending: list[object] = [names]
    while pending:
        for held in gc.get_referents(pending.pop()):
            key = id(held)
            if key in met:
                met[key] = (held, met[key][1] + 1)
            elif gc.is_tracked(held) and held is not living and not _is_elsewhere(held, names.get("__name__")):
                if len(met) > _MOST or is_a(held, _FINISHED_BY_CODE) or hasattr(type(held), "__del__"):
                    return None
                met[key] = (held, 1)
                pending.append(held)
    return met


def _is_elsewhere(value: object, module: object) -> bool:
    return (
        is_a(value, (ModuleType, PrivateLoader, Trace))
        or (is_a(value, type) and value.__module__ != module)
        or value is vars(builtins)
    )


_FINISHED_BY_CODE = (GeneratorType, CoroutineType, AsyncGeneratorType)
