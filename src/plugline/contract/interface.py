"""What a plugin must provide, as one value, whatever way the host wrote it down."""

import sys

from plugline.typed import TYPE_CHECKING, FunctionType, Mapping, Sequence
from plugline.values import Value

if TYPE_CHECKING:
    # How functions may be called is looked up for interfaces that say so; a list of names does not.
    from plugline.contract.shape import Shape

# What a class has for Python's sake, and not because the host calls it.
_NOT_MEMBERS = frozenset(
    {
        "__annotate__",
        "__annotate_func__",
        "__class_getitem__",
        "__init__",
        "__init_subclass__",
        "__new__",
        "__subclasshook__",
    }
)
# What Python itself, or a decorator of classes, gives to a module or a class: no source shows it.
_GIVEN = frozenset({*dir(type), *globals(), "__dataclass_fields__", "__match_args__", "__path__", "__slots__"})


class Member(Value):
    """One thing that the interface asks for.

    Attributes:
        shape: How the host calls it, ``None`` where the interface does not say.
        is_function: Whether it must be callable; else any attribute does.
        instance: What the interface calls the parameter that is not the host's to give; empty where it is ``self``, or alike.
        kind: The class of which an attribute is an instance, where the interface names one.
    """

    __slots__ = ("instance", "is_function", "kind", "name", "shape")
    name: str
    shape: "Shape | None"
    is_function: bool
    instance: str
    kind: type | None

    def __init__(
        self,
        name: str,
        shape: "Shape | None" = None,
        is_function: bool = True,  # noqa: FBT001, FBT002 - a field of a value
        instance: str = "",
        kind: type | None = None,
    ) -> None:
        self._set(name=name, shape=shape, is_function=is_function, instance=instance, kind=kind)

    @property
    def is_for_classes(self) -> bool:
        """Whether Python looks it up in the class of what is called, so that no module has it."""
        return self.name == "__call__" and self.shape is not None


class Interface(Value):
    """One way to be a plugin.

    Attributes:
        name: For messages.
        base: The class that a plugin must derive from; ``None`` where having the members is enough.
    """

    __slots__ = ("base", "members", "name")
    name: str
    members: tuple[Member, ...]
    base: type | None

    def __init__(self, name: str, members: tuple[Member, ...] = (), base: type | None = None) -> None:
        self._set(name=name, members=members, base=base)

    def asks_for(self, name: str) -> bool:
        """Whether what provides it has something of this name."""
        return any(member.name == name for member in self.members) or hasattr(self.base, name)


def interfaces_of(declared: object) -> tuple[Interface, ...]:
    """Return the ways to be a plugin that a host declared.

    Args:
        declared: ``None`` (anything is a plugin), a :class:`typing.Protocol`, a base class, a list of names
            of functions, or a tuple of the former, of which a plugin provides at least one.

    Raises:
        TypeError: It is none of these.
    """
    if declared is None:
        return (Interface("any module"),)
    if isinstance(declared, tuple) and declared and not all(isinstance(part, str) for part in declared):
        return tuple(interface for part in declared for interface in interfaces_of(part))
    declared = getattr(declared, "__origin__", declared)  # Processor[int], of a generic protocol
    if isinstance(declared, type):
        return (_interface_of_class(declared),)
    are_names = isinstance(declared, Sequence) and all(isinstance(one, str) and one.isidentifier() for one in declared)
    if isinstance(declared, Sequence) and are_names and not isinstance(declared, str):
        return (Interface(", ".join(declared), tuple(Member(name) for name in declared)),)
    message = f"{declared!r} is not an interface: a Protocol, a base class or a list of function names was expected"
    raise TypeError(message)


def _interface_of_class(declared: type) -> Interface:
    if getattr(declared, "_is_protocol", False):
        return Interface(declared.__name__, tuple(_protocol_members(declared)))
    abstract = sorted(getattr(declared, "__abstractmethods__", frozenset()) - _NOT_MEMBERS)
    asked = (_member_of(declared, name) for name in abstract)
    members = tuple(Member(one.name, _with(one.shape, "gives_all"), one.is_function) for one in asked)
    return Interface(declared.__name__, members, declared)


def _protocol_members(protocol: type) -> list[Member]:
    names: dict[str, None] = {}
    for ancestor in reversed(protocol.__mro__):
        if not getattr(ancestor, "_is_protocol", False) or ancestor.__module__ in ("typing", "typing_extensions"):
            continue
        annotated = own_annotations(ancestor)
        for name in [*vars(ancestor), *annotated]:
            # Of names with underscores only methods such as __call__, and attributes such as __version__, are for others.
            special = name.endswith("__") and (
                isinstance(vars(ancestor).get(name), FunctionType) or (name in annotated and name not in _GIVEN)
            )
            if not name.startswith("_") or (special and name not in _NOT_MEMBERS):
                names[name] = None
    return [_member_of(protocol, name) for name in names]


def _member_of(declared: type, name: str) -> Member:
    from plugline.contract.shape import shape_of

    value = next((vars(ancestor)[name] for ancestor in declared.__mro__ if name in vars(ancestor)), None)
    if isinstance(value, staticmethod):
        return Member(name, _with_awaiting(shape_of(value.__func__), value.__func__))
    if isinstance(value, classmethod):
        value = value.__func__
    if value is None or isinstance(value, property) or not callable(value):
        return Member(name, None, is_function=False, kind=_kind_of(declared, name) if value is None else None)
    shape = _with_awaiting(shape_of(value), value)
    if shape is None:
        return Member(name)
    first = shape.positional[0] if shape.positional else ""
    return Member(name, shape.without_first(), instance="" if first in ("self", "cls") or first[:1] == "_" else first)


def _kind_of(declared: type, name: str) -> type | None:
    for ancestor in declared.__mro__:
        said = own_annotations(ancestor).get(name)
        if isinstance(said, str):  # from __future__ import annotations
            said = getattr(sys.modules.get(ancestor.__module__), said, None)
        # A protocol cannot tell its instances, and what a metaclass shows of itself may differ each time.
        if isinstance(said, type) and type(said).__repr__ is type.__repr__ and not getattr(said, "_is_protocol", False):
            return said
        if said is not None:
            break
    return None


def _with_awaiting(shape: "Shape | None", function: object) -> "Shape | None":
    """Let a plugin's function be async where the interface does not say that a plain value comes back."""
    if shape is None or shape.is_async or not _may_be_awaited(own_annotations(function)):
        return shape
    return _with(shape, "is_async")


def _with(shape: "Shape | None", name: str) -> "Shape | None":
    return shape and type(shape)(**{**shape._fields(), name: True})  # type: ignore[arg-type]


def own_annotations(value: object) -> Mapping[str, object]:
    """Return what a class, and none of its bases, or a function annotates; where that cannot be evaluated, what of it can be.

    From Python 3.14 on annotations are code of the author's, which runs when somebody asks for them.
    """
    if sys.version_info >= (3, 14):
        found = _evaluated(value)
    else:
        found = (
            vars(value).get("__annotations__") if isinstance(value, type) else getattr(value, "__annotations__", None)
        )
    return found if isinstance(found, dict) else {}  # what a metaclass has of type's is none


if sys.version_info >= (3, 14):

    def _evaluated(value: object) -> object:
        try:
            return getattr(value, "__annotations__", None)
        except Exception:  # noqa: BLE001 - the author's code, which may raise anything
            from annotationlib import Format, get_annotations  # it brings ast, and names are defined as a rule

        try:
            return get_annotations(value, format=Format.FORWARDREF)
        except Exception:  # noqa: BLE001 - likewise
            return None


def _may_be_awaited(annotations: Mapping[str, object]) -> bool:
    if "return" not in annotations:
        return True
    said = annotations["return"]
    if type(said).__name__ == "TypeVar":
        return True  # of a generic protocol: it stands for anything
    text = said if isinstance(said, str) else getattr(said, "__qualname__", None) or repr(said)
    # By its text: names need not be defined where the interface is. Awaitable, Coroutine, AsyncIterator and the like.
    return text.rpartition(".")[2] in ("Any", "object") or any(
        word in repr(said) for word in ("Await", "Corout", "Async")
    )
