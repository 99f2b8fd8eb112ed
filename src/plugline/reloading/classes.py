"""A class that everybody holds, and its new definition, to one class: the old object with the new content."""

import collections.abc
from _abc import _get_dump, _reset_caches, _reset_registry  # type: ignore[import-not-found]  # what abc is made of
from abc import ABCMeta, update_abstractmethods
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from functools import partial
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType, WrapperDescriptorType
from typing import cast

from plugline.kinds import honest, is_a
from plugline.loading.traces import getrefcount
from plugline.reloading.living import NO_CLASSES
from plugline.reloading.memory import (
    STAND_INS,
    assign_bases,
    base_restored,
    bases_assigned,
    class_assigned,
    clone_function,
    hide_stand_in,
    slots_of,
    solid_base,
)
from plugline.reloading.plan import Plan
from plugline.reloading.transition import Transition

# What a class statement may define, and nobody can assign: to assign __class__ gives the class another metaclass.
_OWN = frozenset({"__dict__", "__weakref__", "__mro__", "__class__"})
_MADE_BY_PYTHON = frozenset({GetSetDescriptorType, MemberDescriptorType})
_WRAPPED = frozenset({staticmethod, classmethod})
_ABSENT = object()


def pair_classes(old: dict[str, object], new: dict[str, object], module: str) -> Iterator[tuple[type, type]]:
    """Yield old and new object of each class that both versions of a module define under one name."""
    seen: set[int] = set()
    for name, value in new.items():
        before = old.get(name)
        if type(value) not in NO_CLASSES and is_a(value, type) and is_a(before, type) and before is not value:
            yield from _pair(before, value, module, seen)


def _pair(old: type, new: type, module: str, seen: set[int]) -> Iterator[tuple[type, type]]:
    if old.__module__ != module or new.__module__ != module or id(new) in seen or id(old) in seen:
        return
    if old.__qualname__ != new.__qualname__:
        return
    seen |= {id(new), id(old)}
    yield old, new
    olds = vars(old)
    for name, value in [item for item in vars(new).items() if type(item[1]) not in NO_CLASSES]:
        before = olds.get(name)
        if is_a(value, type) and is_a(before, type) and value.__qualname__.startswith(f"{new.__qualname__}."):
            yield from _pair(before, value, module, seen)


def same_shape(old: type, new: type, alike: Container[tuple[int, int]]) -> bool:
    """Whether instances of two classes have the same shape in memory, so that those of the one can be of the other.

    Args:
        alike: The ``id`` of both of each two classes that have.
    """
    if any(type(vars(one).get("__setattr__")) is WrapperDescriptorType for one in type.mro(type(old))[:-2]):
        return False  # a structure of ctypes, of which more is known in C than its attributes: nothing is put into it
    pairs = zip(old.__bases__, new.__bases__, strict=False)
    if (
        type(old) is type(new)
        and len(old.__bases__) == len(new.__bases__)
        and all(one is other or (id(one), id(other)) in alike for one, other in pairs)
        and "__slots__" not in vars(old)
        and "__slots__" not in vars(new)
    ):
        return True
    return (
        old.__basicsize__ == new.__basicsize__
        and old.__itemsize__ == new.__itemsize__
        and old.__dictoffset__ == new.__dictoffset__
        and old.__weakrefoffset__ == new.__weakrefoffset__
        and slots_of(old) == slots_of(new)
        and solid_base(old) is solid_base(new)
        and type(old).__basicsize__ == type(new).__basicsize__
    )


def adopt(
    old: type,
    new: type,
    canonical: Callable[[object], object],
    take_function: Callable[[FunctionType, FunctionType], bool],
    take_wrapped: Callable[[FunctionType, FunctionType], bool],
    plan: Plan,
    transition: Transition | None,
) -> None:
    """Plan to give an old class object the new definition.

    Args:
        old: What everybody holds; stays the class.
        new: Holds the definition; of no use to anybody afterwards.
        canonical: Tells what stands in the place of an object from now on.
        take_function: Gives an old function that somebody holds the content of the new one; false where nobody does.
        take_wrapped: The same for a function in a class method or a static method.
        plan: Takes the changes. Making them raises ``TypeError`` where Python refuses the new bases or metaclass.
        transition: Where calls may be running that have to see the old definition.
    """
    # Not copies, which would hold the functions that are asked whether somebody does.
    before, after = vars(old), vars(new)
    if type(old) is not type(new):
        _adopt_metaclass(old, cast(type, canonical(type(new))), plan)
    _adopt_bases(old, new, canonical, plan)
    for name, value in after.items():
        had = before.get(name, _ABSENT)
        kind = type(value)
        if (
            had is value
            or name in _OWN
            or (kind in _MADE_BY_PYTHON and had is not _ABSENT)
            or (kind is str and type(had) is str and had == value)
        ):
            continue
        if kind is FunctionType and type(had) is FunctionType and take_function(had, value):
            continue
        if transition is not None or kind in _WRAPPED:
            _follow_inside(had, value, take_wrapped, transition)
        plan.set_attribute(old, name, canonical(value))
    gone = before.keys() - after.keys() - _OWN
    for name in gone:
        had, inherited = before.get(name), _inherited(new, name)
        if type(had) is FunctionType and type(inherited) is FunctionType:
            take_function(had, inherited)  # for who holds it: that is what the name means now
    if gone:
        _delete_names(old, gone, plan, transition)
    if "_abc_impl" in after:
        _forget_answers(old, plan)


def _adopt_bases(old: type, new: type, canonical: Callable[[object], object], plan: Plan) -> None:
    bases = tuple(cast(type, canonical(base)) for base in new.__bases__)
    if old.__bases__ == bases or (old.__bases__ in STAND_INS and bases == (object,)):
        return
    *first, last = bases_assigned(old, bases, cast(type, canonical(new.__base__)), is_same_shape=True)
    for operation in first:
        plan.add(operation, base_restored(old))  # type: ignore[arg-type]
    back = partial(assign_bases, is_same_shape=True)
    plan.add(last, (back, old, old.__bases__), (hide_stand_in, old))  # type: ignore[arg-type]


class _Anchor(metaclass=ABCMeta):  # noqa: B024 - it is no base
    """Something is registered with it to let all abstract classes ask anew what is no subclass of theirs."""


def ask_anew(above: set[type], gone: set[str]) -> None:
    """Let abstract classes forget what they have answered of classes that are others now.

    Args:
        above: These classes, and those that they derived from.
        gone: Names that one of them has no more.
    """
    if not above:
        return
    # What was denied is asked of all of them anew when anything is registered anywhere.
    _reset_registry(_Anchor)
    _reset_caches(_Anchor)
    _Anchor.register(STAND_INS[0][0])
    if any(type(name) is str and name.startswith("__") for name in gone):
        above = {*above, *(getattr(collections.abc, name) for name in collections.abc.__all__)}
    for one in above:
        if "_abc_impl" in vars(one):
            _reset_caches(one)


def compiled_anew(owners: list[type]) -> Iterator[str]:
    """Let models of pydantic compile what checks them anew. Yields those that cannot.

    That is written in Rust, and made for the class object that the definition was made with: nobody can see that it holds it.
    """
    for owner in owners:
        if "__pydantic_validator__" in vars(owner) and "__pydantic_fields__" in vars(owner):
            try:
                owner.model_rebuild(force=True)  # type: ignore[attr-defined]
            except Exception:  # noqa: BLE001 - it is pydantic's, and runs what the model says
                yield f"{owner.__qualname__} as others check it"


def tell_abstract(olds: list[type]) -> None:
    """Let the classes of others that derive from abstract ones know what they have to define now."""
    pending: list[type] = []
    for old in olds:
        pending += type.__subclasses__(old)
    for one in pending:  # it grows, those that derive from others after these
        if "_abc_impl" in vars(one):
            update_abstractmethods(one)
            pending += type.__subclasses__(one)


def resolved(pairs: list[tuple[type, type]]) -> dict[tuple[type, str], FunctionType]:
    """Return the functions that old classes inherit and the new definitions may resolve to others, by class and name."""
    if all(
        vars(old).keys() == vars(new).keys() and [*map(_name_of, old.__bases__)] == [*map(_name_of, new.__bases__)]
        for old, new in pairs
    ):
        return {}
    found: dict[tuple[type, str], FunctionType] = {}
    for old, _ in pairs:
        own = vars(old)
        for above in old.__mro__[1:-1]:
            for name, value in vars(above).copy().items():
                if type(value) is FunctionType and name not in own:
                    found.setdefault((old, name), value)
    return found


def stranded(before: dict[tuple[type, str], FunctionType]) -> Iterator[str]:
    """Yield the methods that a class has from elsewhere now, as far as somebody may hold the ones from before."""
    for (owner, name), was in before.items():
        now = next((vars(one)[name] for one in owner.__mro__ if name in vars(one)), None)
        # Held by the class that it is in, the dict, the loop and the call.
        if type(now) is FunctionType and now is not was and getrefcount(was) > 4:
            yield f"{owner.__qualname__}.{name} as others hold it"


def _follow_inside(
    had: object, value: object, take: Callable[[FunctionType, FunctionType], bool], transition: Transition | None
) -> None:
    if transition is not None:
        _route(had, value, transition)
        return
    if type(had) is not type(value):
        return
    before, _, _ = _functions(had)
    after, _, _ = _functions(value)
    if before is not None and after is not None and before is not had:
        take(before, after)


def _name_of(owner: type) -> str:
    return owner.__qualname__


def _inherited(owner: type, name: str) -> object:
    return next((vars(one)[name] for one in owner.__mro__[1:-1] if name in vars(one)), None)


def _adopt_metaclass(old: type, kind: type, plan: Plan) -> None:
    before = type(old)
    if before is not kind:
        *first, last = class_assigned(old, kind)
        for operation in first:
            plan.add(operation)  # type: ignore[arg-type]
        plan.add(last, *class_assigned(old, before, kind))  # type: ignore[arg-type]


def _delete_names(owner: type, names: set[str], plan: Plan, transition: Transition | None) -> None:
    for name in names:
        if transition is not None:
            transition.at_end(partial(_delete, owner, name, vars(owner).get(name)))
        else:
            plan.delete_attribute(owner, name)


def _delete(owner: type, name: str, value: object) -> None:
    if vars(owner).get(name) is value:
        with suppress(AttributeError):  # another thread was quicker
            type.__delattr__(owner, name)


def _route(old: object, new: object, transition: Transition) -> None:
    """Let the functions in a new property, class method or static method lead to the old ones from running calls."""
    for before, after in zip(_functions(old), _functions(new), strict=False):
        if before is not None and after is not None and before is not after:
            transition.route(after, clone_function(before), clone_function(after))


def _functions(value: object) -> tuple[FunctionType | None, ...]:
    found: tuple[object, ...]
    value = honest(value)
    match value:
        case property():
            found = (value.fget, value.fset, value.fdel)
        case staticmethod() | classmethod():
            found = (value.__func__, None, None)
        case _:
            found = (value, None, None)
    return tuple(one if type(one) is FunctionType else None for one in found)


def _forget_answers(owner: type, plan: Plan) -> None:
    plan.add((_reset_caches, owner))


def registered_by_others(owner: type, module: str) -> list[type]:
    """Return the classes that are defined elsewhere and were registered with an abstract class of a module."""
    if "_abc_impl" not in vars(owner):
        return []
    registered = [one() for one in _get_dump(owner)[0]]
    return [one for one in registered if is_a(one, type) and one.__module__ != module]


def pair_members(old: type, new: type) -> Iterator[tuple[object, object]]:
    """Yield old and new object of each member of an enumeration that both versions have."""
    olds, news = vars(old).get("_member_map_"), vars(new).get("_member_map_")
    if not is_a(olds, dict) or not is_a(news, dict):
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


def keep_combined(old: type, new: type) -> None:
    """Let a set of flags have the combinations that somebody has made of the flags of an older version."""
    olds, news = vars(old).get("_value2member_map_"), vars(new).get("_value2member_map_")
    flags = vars(new).get("_flag_mask_")
    if is_a(olds, dict) and is_a(news, dict) and is_a(flags, int):
        known = {id(one) for one in vars(old)["_member_map_"].values()}
        news.update(
            (value, one)
            for value, one in olds.items()
            if value not in news and id(one) not in known and is_a(value, int) and not value & ~flags
        )


def adopt_member(old: object, new: object, plan: Plan) -> None:
    """Plan to give an old member of an enumeration the value of the new one."""
    names, after = old.__dict__, dict(new.__dict__)
    before = dict(names)
    if after.get("__objclass__") is type(new):
        after["__objclass__"] = type(old)
    plan.add((names.update, after), (names.clear,), (names.update, before))
