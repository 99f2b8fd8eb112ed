"""Objects that were made by a trial to the older objects that take their places, wherever they are held.

A class that the new version defines is, after the commit, the class that there was before, with the new definition. So
whatever the trial made that holds the new class object (a tuple, a default, an instance made at import, an
entry in somebody's registry) has to hold the old one instead. The garbage collector knows who holds what.
"""

import gc
from collections import deque
from collections.abc import Iterable
from types import CellType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any
from weakref import KeyedRef, getweakrefs, ref

from plugline.kinds import attributes_of, honest, is_a
from plugline.loading.traces import getrefcount, least_references, own_references
from plugline.reloading.living import NO_CLASSES, reachable_functions
from plugline.reloading.memory import assign_class, replace_words

_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement


class Young:
    """Marks a moment, so that what was made since can be looked through without looking through everything.

    Done by setting all older objects aside from the collector's own lists, which costs nothing. Where the program has
    done that itself before, it is left alone, and everything is looked through.

    Attributes:
        aside: Whether they are set aside now.
    """

    def __init__(self) -> None:
        self.aside = False

    def begin(self) -> None:
        """Mark it."""
        self.aside = gc.get_freeze_count() < _FROZEN_BY_PYTHON
        if self.aside:
            gc.freeze()

    def end(self) -> None:
        """Let the collector have the older objects again; may be called twice."""
        if self.aside:
            gc.unfreeze()
            self.aside = False


_FROZEN_BY_PYTHON = 1_000  # 3.12 sets some hundred objects aside when it starts; a program has many more


def replace_in_own(
    wanted: dict[int, object], classes: Iterable[type], namespaces: Iterable[dict[object, object]]
) -> None:
    """Let modules, and methods that know the class that they are in, hold other objects: most are held by nobody else.

    Args:
        wanted: What to hold instead, by the ``id`` of what is held.
        classes: Those in which there may be such methods.
    """
    for names in namespaces:
        _replace_in_dict(names, wanted)
    for owner in classes:
        inside = [one for one in tuple(vars(owner).values()) if type(one) is not FunctionType or one.__closure__]
        for function in reachable_functions(inside):
            if "__class__" in function.__code__.co_freevars:
                for cell in function.__closure__ or ():
                    replace_in(cell, wanted)


def replace_everywhere(
    wanted: dict[int, object], news: list[object], young: Young, spared: Iterable[object], held: int
) -> list[object]:
    """Let everybody else who holds one of ``news`` hold another object instead.

    Args:
        wanted: What to hold instead, by the ``id`` of what is held.
        news: What is held.
        young: Marks when they were made: older objects are looked at only where references are left over.
        spared: Objects that go on holding them.
        held: By how many of these each class is held, ``news`` among them.

    Returns:
        The older objects that held some: registries.
    """
    known = _held_by_classes(news)
    # By the loop and the call as well.
    left = [
        one
        for one in news
        if not is_a(one, type)
        or (
            getrefcount(one) > 2 + held + least_references(one)
            and getrefcount(one) > 2 + held + known.get(id(one), 0) + own_references(one, cell=False)
        )
    ]
    if not left:
        return []
    spared_ids = {id(one) for one in spared} | {id(news), id(left), id(wanted)}
    referrers = [one for one in gc.get_referrers(*left) if id(one) not in spared_ids and not _is_of_subclasses(one)]
    tuples: list[object] = [one for one in referrers if type(one) is tuple]
    if tuples and _held_elsewhere(tuples):  # older objects may have them as keys
        young.end()
    _renew_keys(tuples, wanted)
    for referrer in referrers:
        if type(referrer) is tuple:
            replace_words(referrer, wanted, items=len(referrer))
        else:
            replace_in(referrer, wanted)
    del tuples, referrers
    elsewhere = _held_elsewhere(left)
    if not elsewhere:
        return []
    young.end()
    registries = [one for one in gc.get_referrers(*elsewhere) if id(one) not in spared_ids and one is not elsewhere]
    return [one for one in registries if not _is_of_subclasses(one) and replace_in(one, wanted)]


def _is_of_subclasses(holder: object) -> bool:
    """Whether it is the dict in which a class has the classes that derive from it: by address, weakly."""
    if type(holder) is not dict or not holder:
        return False
    key, value = next(iter(holder.items()))
    return type(key) is int and type(value) is ref and (value() is None or id(value()) == key)


def weak_successors(pairs: Iterable[tuple[object, object]]) -> list[tuple[object, object]]:
    """Return the weak references that somebody has to objects that are not taken, each with one to what is.

    Args:
        pairs: Old and new objects, of which the old ones are what everybody holds.
    """
    found: list[tuple[object, object]] = []
    for old, new in pairs:
        # Each of its bases knows a class by the one that has no callback.
        known = len(new.__bases__) if is_a(new, type) else 0
        for one in getweakrefs(new):
            # Held by the list, the loop and the call, too.
            if one.__callback__ is None and getrefcount(one) <= 3 + known:
                continue
            again: object
            if type(one) is KeyedRef:
                again = KeyedRef(old, one.__callback__, one.key)
            else:
                again = type(one)(old, one.__callback__) if type(one) is ref else None
            if again is not None:
                found.append((one, again))
    return found


def _held_by_classes(news: list[object]) -> dict[int, int]:
    """Return how often each class among some is in the definition of another one of them, by its ``id``."""
    found: dict[int, int] = {}
    for owner in news:
        for value in tuple(vars(owner).values()) if is_a(owner, type) else ():
            if type(value) not in NO_CLASSES and is_a(value, type):
                found[id(value)] = found.get(id(value), 0) + 1
    return found


def _held_elsewhere(values: list[object]) -> list[object]:
    """Return the objects that have more references than the objects that can be seen now hold."""
    seen = dict.fromkeys(map(id, values), 0)
    asked = tuple(values)  # some versions of the interpreter return it, too
    for referrer in gc.get_referrers(*asked):
        if referrer is asked or referrer is values:
            continue
        for one in gc.get_referents(referrer):
            key = id(one)
            if key in seen:
                seen[key] += 1
    referrer = one = None  # they may hold one of the values themselves
    # These two, the loop and the call.
    return [one for one in values if getrefcount(one) > seen[id(one)] + 4]


def replace_in(holder: object, wanted: dict[int, object]) -> bool:
    """Let one object hold others instead. Returns whether it held any, and now does not."""
    instance = holder
    if type(holder).__flags__ & _HEAP:
        _replace_class(holder, wanted)
    holder = honest(holder)
    match holder:
        case dict():
            return _replace_in_dict(holder, wanted)
        case list() | deque():
            return _replace_in_sequence(holder, wanted)
        case set():
            return _replace_in_set(holder, wanted)
        case tuple():
            return _replace_in_tuple(holder, wanted)
        case CellType():
            content = wanted.get(id(holder.cell_contents))
            if content is None:
                return False
            holder.cell_contents = content
            return True
        case type():
            # Its own bases and order of resolution, and those of classes below it, are assigned as a whole.
            return False
        case GetSetDescriptorType() | MemberDescriptorType() | ModuleType() | FunctionType() | frozenset():
            return False
        case _:
            return _replace_in_instance(instance, wanted)


def _replace_class(holder: object, wanted: dict[int, object]) -> None:
    kind = wanted.get(id(type(holder)))
    if is_a(kind, type):
        assign_class(holder, kind)
    if is_a(holder, (dict, list, set, tuple, deque)):  # of other instances the attributes are looked at apart
        _replace_in_dict(attributes_of(holder) or {}, wanted)


def _replace_in_dict(holder: dict[object, object], wanted: dict[int, object]) -> bool:
    changed = False
    # Texts are what most keys are, and nobody wants one replaced.
    if not _TEXTS.issuperset(map(type, holder)) and any(id(key) in wanted or _holds(key, wanted) for key in holder):
        # Made first, since keys may fail to tell their hash; what is copied from a dict is not asked again.
        after = {_replaced_key(key, wanted): wanted.get(id(value), value) for key, value in holder.items()}
        holder.clear()
        holder.update(after)
        return True
    for key, value in list(holder.items()):
        new = wanted.get(id(value))
        if new is not None:
            dict.__setitem__(holder, key, new)  # a class of the program's may refuse it
            changed = True
    return changed


_TEXTS = frozenset({str})


def _holds(key: object, wanted: dict[int, object]) -> bool:
    return is_a(key, tuple) and any(id(part) in wanted or _holds(part, wanted) for part in key)


def _replaced_key(key: object, wanted: dict[int, object]) -> object:
    new = wanted.get(id(key))
    if new is not None:
        return new
    if _holds(key, wanted):
        return tuple(_replaced_key(part, wanted) for part in key)  # type: ignore[attr-defined]
    return key


def _replace_in_sequence(holder: list[object] | deque[object], wanted: dict[int, object]) -> bool:
    changed = False
    put: Any = list.__setitem__ if is_a(holder, list) else deque.__setitem__
    for index, value in enumerate(holder):
        new = wanted.get(id(value))
        if new is not None:
            put(holder, index, new)
            changed = True
    return changed


def _replace_in_set(holder: set[object], wanted: dict[int, object]) -> bool:
    if not any(id(value) in wanted or _holds(value, wanted) for value in holder):
        return False
    after = {_replaced_key(value, wanted) for value in holder}  # as above
    holder.clear()
    holder.update(after)
    return True


def _replace_in_tuple(holder: tuple[object, ...], wanted: dict[int, object]) -> bool:
    if not any(id(value) in wanted for value in holder):
        return False
    _renew_keys([holder], wanted)
    replace_words(holder, wanted, items=len(holder))
    return True


def _renew_keys(tuples: list[object], wanted: dict[int, object]) -> None:
    """Put those in order who have tuples as keys, which have another hash when they hold something else: all at one look."""
    keys = {id(one) for one in tuples}
    for owner in gc.get_referrers(*tuples) if tuples else ():
        if type(owner) in (dict, set) and not keys.isdisjoint(map(id, tuple(owner))):
            (_replace_in_dict if type(owner) is dict else _replace_in_set)(owner, wanted)


def _replace_in_instance(holder: object, wanted: dict[int, object]) -> bool:
    attributes = attributes_of(holder)
    changed = attributes is not None and _replace_in_dict(attributes, wanted)
    # Its fixed part: what slots and objects that are written in C hold. The word of the class is not in it.
    return replace_words(holder, wanted) > 0 or changed
