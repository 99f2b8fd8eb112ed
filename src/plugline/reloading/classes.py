"""A class that everybody holds, and its new definition, to one class: the old object with the new content."""

from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import cast

from plugline.reloading.memory import STAND_IN, assign_bases, assign_class, clone_function, forget_lookups
from plugline.reloading.transition import Transition

_OWN = frozenset({"__dict__", "__weakref__", "__mro__"})
_MADE_BY_PYTHON = (GetSetDescriptorType, MemberDescriptorType)
_ABSENT = object()

Undo = Callable[[], None]


def pair_classes(old: dict[str, object], new: dict[str, object], module: str) -> Iterator[tuple[type, type]]:
    """Yield old and new object of each class that both versions of a module define under one name."""
    seen: set[int] = set()
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, type) and isinstance(before, type) and before is not value:
            yield from _pair(before, value, module, seen)


def _pair(old: type, new: type, module: str, seen: set[int]) -> Iterator[tuple[type, type]]:
    if old.__module__ != module or new.__module__ != module or id(new) in seen or id(old) in seen:
        return
    if old.__qualname__ != new.__qualname__:
        return
    seen |= {id(new), id(old)}
    yield old, new
    olds = vars(old)
    for name, value in list(vars(new).items()):
        before = olds.get(name)
        if (
            isinstance(value, type)
            and isinstance(before, type)
            and value.__qualname__.startswith(f"{new.__qualname__}.")
        ):
            yield from _pair(before, value, module, seen)


def same_shape(old: type, new: type) -> bool:
    """Whether instances of two classes have the same shape in memory, so that those of the one can be of the other."""
    return (
        old.__basicsize__ == new.__basicsize__
        and old.__itemsize__ == new.__itemsize__
        and old.__dictoffset__ == new.__dictoffset__
        and old.__weakrefoffset__ == new.__weakrefoffset__
        and slots_of(old) == slots_of(new)
        and _solid(old) is _solid(new)
        and type(old).__basicsize__ == type(new).__basicsize__
    )


def slots_of(owner: type) -> list[str]:
    """Return the names of the slots of a class, in the order of their places."""
    return sorted(name for ancestor in owner.__mro__ for name, value in vars(ancestor).items() if _is_slot(value))


def _is_slot(value: object) -> bool:
    return isinstance(value, MemberDescriptorType) and bool(value.__objclass__.__flags__ & (1 << 9))


def _solid(owner: type) -> type:
    """Return the nearest ancestor that is written in C: what decides what an instance is made of."""
    return next(one for one in owner.__mro__ if not one.__flags__ & (1 << 9))


def adopt(
    old: type,
    new: type,
    canonical: Callable[[object], object],
    take_function: Callable[[FunctionType, FunctionType], bool],
    log: list[Undo],
    transition: Transition | None,
) -> None:
    """Give an old class object the new definition.

    Args:
        old: What everybody holds; stays the class.
        new: Holds the definition; of no use to anybody afterwards.
        canonical: Tells what stands in the place of an object from now on.
        take_function: Gives an old function that somebody holds the content of the new one; false where nobody does.
        log: Takes what undoes it, step by step.
        transition: Where calls are running that have to see the old definition.

    Raises:
        TypeError: Python refuses the new bases or metaclass for instances that there are.
    """
    _adopt_metaclass(old, cast(type, canonical(type(new))), log)
    bases = tuple(cast(type, canonical(base)) for base in new.__bases__)
    if old.__bases__ != bases and (old.__bases__, bases) != ((STAND_IN,), (object,)):
        before_bases = old.__bases__
        assign_bases(old, bases)
        log.append(lambda: assign_bases(old, before_bases))
    before = dict(vars(old))
    log.append(lambda: _restore(old, before))
    after = vars(new)
    for name, value in list(after.items()):
        had = before.get(name, _ABSENT)
        if had is value or name in _OWN or (isinstance(value, _MADE_BY_PYTHON) and had is not _ABSENT):
            continue
        if isinstance(had, FunctionType) and isinstance(value, FunctionType) and take_function(had, value):
            continue
        if transition is not None:
            _route(had, value, transition, log)
        _set(old, name, canonical(value))
    _delete_names(old, before.keys() - after.keys() - _OWN, transition)
    if "_abc_impl" in after:
        _forget_answers(old)


def _adopt_metaclass(old: type, kind: type, log: list[Undo]) -> None:
    before = type(old)
    if before is not kind:
        assign_class(old, kind)
        log.append(lambda: assign_class(old, before))


def _delete_names(owner: type, names: set[str], transition: Transition | None) -> None:
    for name in names:
        if transition is not None:
            transition.at_end(partial(_delete, owner, name))
        else:
            type.__delattr__(owner, name)


def _delete(owner: type, name: str) -> None:
    if name in vars(owner):
        type.__delattr__(owner, name)


def _route(old: object, new: object, transition: Transition, log: list[Undo]) -> None:
    """Let the functions in a new property, class method or static method lead to the old ones from running calls."""
    for before, after in zip(_functions(old), _functions(new), strict=False):
        if before is not None and after is not None and before is not after:
            transition.route(after, clone_function(before), clone_function(after), log)


def _functions(value: object) -> tuple[FunctionType | None, ...]:
    found: tuple[object, ...]
    match value:
        case property():
            found = (value.fget, value.fset, value.fdel)
        case staticmethod() | classmethod():
            found = (value.__func__, None, None)
        case _:
            found = (value, None, None)
    return tuple(one if isinstance(one, FunctionType) else None for one in found)


def _set(owner: type, name: str, value: object) -> None:
    try:
        type.__setattr__(owner, name, value)
    except (AttributeError, TypeError):
        # What Python makes for itself (a new slot's descriptor, 3.13's __static_attributes__) may be read-only.
        forget_lookups(owner)


def _restore(owner: type, names: dict[str, object]) -> None:
    now = dict(vars(owner))
    for name, value in names.items():
        if now.get(name, _ABSENT) is not value:
            _set(owner, name, value)
    for name in now:
        if name not in names:
            type.__delattr__(owner, name)


def _forget_answers(owner: type) -> None:
    from _abc import _reset_caches  # type: ignore[import-not-found]  # noqa: PLC0415 - for classes with ABCMeta only

    _reset_caches(owner)


def pair_members(old: type, new: type) -> Iterator[tuple[object, object]]:
    """Yield old and new object of each member of an enumeration that both versions have."""
    olds, news = vars(old).get("_member_map_"), vars(new).get("_member_map_")
    if not isinstance(olds, dict) or not isinstance(news, dict):
        return
    done: set[int] = set()
    for name, member in news.items():
        before = olds.get(name)
        # A member that is a number or a text itself cannot become another one.
        mixed_in = getattr(new, "_member_type_", object) is not object
        if before is None or id(before) in done or (mixed_in and before._value_ != member._value_):
            continue
        done.add(id(before))
        yield before, member


def adopt_member(old: object, new: object, log: list[Undo]) -> None:
    """Give an old member of an enumeration the value of the new one."""
    names, after = old.__dict__, dict(new.__dict__)
    before = dict(names)
    if after.get("__objclass__") is type(new):
        after["__objclass__"] = type(old)

    def restore() -> None:
        names.clear()
        names.update(before)

    log.append(restore)
    names.clear()
    names.update(after)
