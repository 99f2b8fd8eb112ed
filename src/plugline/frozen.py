"""Frozen dataclasses that cost little to define: their methods are shared, or written when they are first needed.

``dataclasses.dataclass`` compiles six methods for each class, in half a millisecond. A run defines some sixty classes and
makes an instance of half of them.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import partial
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")

_set = object.__setattr__


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """Return what ``dataclass(frozen=True, slots=True)`` returns, at a twentieth of the price.

    The class is a dataclass to whoever asks: ``fields``, ``replace``, ``match``, pickling and ``inspect.signature`` work.
    What it does not have is ``__post_init__``.

    Args:
        kw_only: Whether fields are given by name only.
    """

    def decorate(kind: type[T]) -> type[T]:
        kind.__doc__ = kind.__doc__ or kind.__name__  # a dataclass without one is given its signature, which is costly
        made: Any = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(kind)
        own = vars(made)
        for name, method in _SHARED.items():
            if name not in own:
                setattr(made, name, method)
        made.__init__ = _Unwritten(made)
        return cast("type[T]", made)

    return decorate


_FEW = 3  # instances: most classes of a short run have no more, and writing a method takes as long as making a dozen


class _Unwritten:
    """Stands for the ``__init__`` of a class until somebody looks at it, or more than a few instances are made."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._made = 0

    def __get__(self, instance: object, owner: type) -> object:
        kind = self._kind
        # inspect of Python 3.13 gives the class for the instance.
        if self._made < _FEW and isinstance(instance, kind):
            self._made += 1
            return partial(_init_unwritten, kind, instance)
        return _init_of(kind).__get__(instance, owner)


def _init_of(kind: Any) -> Any:
    if vars(kind).get("__init__").__class__ is _Unwritten:
        kind.__init__ = _written_init(kind)
    return kind.__init__


def _init_unwritten(kind: Any, instance: object, /, *positional: object, **named: object) -> None:
    """Do what the method would do that is not written."""
    own = cast("tuple[Field[object], ...]", fields(kind))
    given = dict(zip((one.name for one in own if not one.kw_only), positional, strict=False))
    plain = len(given) == len(positional) and given.keys().isdisjoint(named) and all(one.init for one in own)
    given |= named
    for one in own:
        if one.name in given:
            _set(instance, one.name, given.pop(one.name))
        elif one.default is not MISSING:
            _set(instance, one.name, one.default)
        elif one.default_factory is not MISSING:
            _set(instance, one.name, one.default_factory())
        else:
            plain = False
    if given or not plain:
        _init_of(kind)(instance, *positional, **named)  # which says what is wrong as any function does


def _written_init(kind: Any) -> Callable[..., None]:
    own = [one for one in fields(kind) if one.init]
    known: dict[str, object] = {"_set": _set, "_missing": MISSING}
    positional, lines = ["self"], list[str]()
    by_name: list[str] = []
    for one in own:
        name, value = one.name, one.name
        parameter = name
        if one.default is not MISSING:
            known[f"_default_{name}"] = one.default
            parameter = f"{name}=_default_{name}"
        elif one.default_factory is not MISSING:
            known[f"_make_{name}"] = one.default_factory
            parameter = f"{name}=_missing"
            value = f"_make_{name}() if {name} is _missing else {name}"
        (by_name if one.kw_only else positional).append(parameter)
        lines.append(f" _set(self, {name!r}, {value})")
    parameters = ", ".join([*positional, *(["*", *by_name] if by_name else [])])
    exec("\n".join([f"def __init__({parameters}):", *lines, " pass"]), known)  # noqa: S102 - names of fields, nothing else
    init = cast("Any", known["__init__"])
    init.__qualname__ = f"{kind.__qualname__}.__init__"
    init.__module__ = kind.__module__
    init.__annotations__ = {one.name: one.type for one in own} | {"return": None}
    return cast("Callable[..., None]", init)


def _compared(value: Any) -> tuple[object, ...]:
    return tuple(getattr(value, one.name) for one in fields(value) if one.compare)


def _equal(self: object, other: object) -> object:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return _compared(self) == _compared(other)


def _hash(self: object) -> int:
    return hash(_compared(self))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{self.__class__.__qualname__}({shown})"


def _refuse_to_set(self: object, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, one.name) for one in fields(self)]


def _set_state(self: Any, state: list[object]) -> None:
    for one, value in zip(cast("tuple[Field[object], ...]", fields(self)), state, strict=True):
        _set(self, one.name, value)


_SHARED: dict[str, object] = {
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _state,
    "__setstate__": _set_state,
}
