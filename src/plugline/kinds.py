"""What a value really is, whatever it says of itself.

``isinstance`` and class patterns believe a value's ``__class__``: that of a lazy object (Django's settings, a proxy of a request)
may read a file, or raise. What plugins have in their modules is only asked for its type.
"""

# mypy: implicit-reexport

from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from builtins import isinstance as is_a  # narrows types as that does
else:

    def is_a(value: object, kinds: type | tuple[type, ...]) -> bool:
        """Return whether the type of a value is one of these, or made from one; nothing of the value's own runs."""
        return issubclass(type(value), kinds)


_classes_above = type.__dict__["__mro__"].__get__
_names_of = type.__dict__["__dict__"].__get__
_OPAQUE = object()
_OF_C = object.__getattribute__


def honest(value: T) -> T:
    """Return a value that may be asked for its class: itself, or an empty object in place of one that answers with code of its own.

    For what is matched against class patterns.
    """
    kind = type(value)
    if kind.__flags__ & _HEAP and not issubclass(kind, type):
        for one in _classes_above(kind):
            if one is object:
                break
            names = _names_of(one)
            # What is written in C (defaultdict, deque) has one that is no code of anybody's.
            if "__class__" in names or type(names.get("__getattribute__", _OF_C)) is not type(_OF_C):
                return _OPAQUE  # type: ignore[return-value]  # of no class that anybody looks for
    return value


_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, or as if


def built_of(value: object) -> Any:
    """Return the class written in C that a value's is made of, such as ``dict``: its methods run no code of the value's own."""
    return next(one for one in _classes_above(type(value)) if one.__flags__ & (_HEAP | _FIXED) != _HEAP)


_FIXED = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE, as some of C's that are made as if by a class statement


def attributes_of(value: object) -> dict[object, object] | None:
    """Return the dict of an instance, without asking the code that its class may answer with."""
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except Exception:  # noqa: BLE001 - a property of that name may raise anything
        return None
    return attributes if type(attributes) is dict else None
