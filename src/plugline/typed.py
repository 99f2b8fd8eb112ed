"""Names of :mod:`typing` for type checkers, and stand-ins of the same names for Python.

Importing ``typing`` costs 1.7 bare interpreter starts (it brings ``re``, ``contextlib`` and ``functools``), more than
all else that a listing of a thousand plugins does. Modules on the path of a listing take these names from here. Where
``typing`` has been imported already, they are the real ones.

A stand-in can be written wherever the real name can, and has no other use: nobody but documentation introspects the
kernel's own annotations, and documentation imports ``typing`` first.
"""

# isort: skip_file
# ruff: noqa: D103, F401
# mypy: no-warn-unreachable, implicit-reexport

import sys

TYPE_CHECKING = False
if TYPE_CHECKING or "typing" in sys.modules:
    from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, MutableSet, Sequence
    from types import CodeType, FunctionType, MethodType, ModuleType, TracebackType
    from typing import (
        Any,
        ClassVar,
        Final,
        Generic,
        Literal,
        Protocol,
        Self,
        TypeGuard,
        TypeVar,
        cast,
        overload,
    )
else:
    # collections.abc is this module, and a package around it.
    from _collections_abc import Callable, Collection, Container, Iterable, Iterator, Mapping, MutableSet, Sequence

    class _StandIn:
        """Takes parameters in brackets, in a call and on either side of ``|``, and stays what it is."""

        def __init__(self, *arguments, **keywords):
            pass

        def __class_getitem__(cls, parameters):
            return cls

        def __or__(self, other):
            return _StandIn

        __ror__ = __or__

        def method(self):
            pass

    class Generic:
        __slots__ = ()

        def __class_getitem__(cls, parameters):
            return cls

    class Protocol(Generic):
        pass

    Any = ClassVar = Final = Literal = Self = TracebackType = TypeGuard = TypeVar = _StandIn
    FunctionType = type(_StandIn.method)
    CodeType = type(_StandIn.method.__code__)
    MethodType = type(_StandIn().method)
    ModuleType = type(sys)

    def cast(kind, value):
        return value

    def overload(function):
        return function
