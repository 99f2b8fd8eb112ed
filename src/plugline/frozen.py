"""Frozen dataclasses that cost little to define: their methods are shared, or written when they are first needed.

``dataclasses.dataclass`` compiles six methods for each class, in half a millisecond. A run defines some sixty classes and
makes an instance of half of them.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import partial
from typing import Any, ClassVar, TypeVar, cast, dataclass_transform, get_origin

T = TypeVar("T")

_set = object.__setattr__


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """Return what ``dataclass(frozen=True, slots=True)`` returns, at a twentieth of the price.

    The class is a dataclass to whoever asks: ``fields``, ``replace``, ``match``, pickling and ``inspect.signature`` work.
    What it does not have is ``__post_init__``.
    """

    def decorate(kind: type[T]) -> type[T]:
        return cast("type[T]", _made(kind, kw_only=kw_only))

    return decorate


@dataclass(init=False, repr=False, eq=False, match_args=False)
class _Pattern:
    """What ``dataclass`` notes down of a class and of a field, to be noted down of others."""

    one: int


_ALIAS = ClassVar[int].__class__
_ITS_PARAMETERS = vars(_Pattern)["__dataclass_params__"]
_REPLACES = {name: value for name, value in vars(_Pattern).items() if name == "__replace__"}  # from Python 3.13 on
(_ITS_FIELD,) = fields(_Pattern)


def _made(kind: Any, *, kw_only: bool) -> Any:
    """Return the class as ``dataclass`` would make it anew for its slots, but in one go."""
    own = vars(kind)
    own_fields: dict[str, Field[object]] = {}
    hint: Any
    for name, hint in kind.__annotations__.items():
        if hint is ClassVar or (hint.__class__ is _ALIAS and get_origin(hint) is ClassVar):
            continue
        given = own.get(name, MISSING)
        one: Any = given if isinstance(given, Field) else field(default=given)
        one.name, one.type, one._field_type = name, hint, _ITS_FIELD._field_type  # type: ignore[attr-defined]  # noqa: SLF001 - by which fields() knows them
        one.kw_only = kw_only if one.kw_only is MISSING else one.kw_only
        own_fields[name] = one
    known = {
        name: one for base in reversed(kind.__mro__) for name, one in getattr(base, "__dataclass_fields__", {}).items()
    }
    slots = tuple(name for name in own_fields if name not in known)
    known |= own_fields
    init = _Unwritten()
    namespace = {
        **{name: method for name, method in _SHARED.items() if name not in own},
        **{name: value for name, value in own.items() if name not in own_fields and name not in _OF_THE_FIRST},
        **_REPLACES,
        "__qualname__": kind.__qualname__,
        "__slots__": slots,
        "__init__": init,
        "__match_args__": tuple(one.name for one in known.values() if one.init and not one.kw_only),
        "__dataclass_fields__": known,
        "__dataclass_params__": _ITS_PARAMETERS,
    }
    init.kind = made = type(kind)(kind.__name__, kind.__bases__, namespace)
    return made


_OF_THE_FIRST = ("__dict__", "__weakref__")  # which only a class without slots has


_FEW = 3  # instances: most classes of a short run have no more, and writing a method takes as long as making a dozen


class _Unwritten:
    """Stands for the ``__init__`` of a class until somebody looks at it, or more than a few instances are made."""

    def __init__(self) -> None:
        self.kind: Any = None
        self._made = 0

    def __get__(self, instance: object, owner: type) -> object:
        kind = self.kind
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
