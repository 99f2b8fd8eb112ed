"""System calls by number, and the few functions of the C library that sandboxing takes.

By ``_ctypes`` alone: :mod:`ctypes` around it costs half a bare interpreter's start to import, and a worker's start is
on a budget (docs/decisions/0020). What is used of ``_ctypes`` has been the same since Python 2.5, and is all that
``ctypes`` itself makes its types of.
"""

import os
import sys
from _ctypes import (
    FUNCFLAG_CDECL,
    FUNCFLAG_USE_ERRNO,
    Array,
    CFuncPtr,
    _SimpleCData,
    addressof,
    dlopen,
    dlsym,
    get_errno,
)


class _Long(_SimpleCData):  # type: ignore[type-arg]  # not generic when it runs
    _type_ = "l"


class _Byte(_SimpleCData):  # type: ignore[type-arg]  # as above
    _type_ = "c"


class _Function(CFuncPtr):
    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = _Long


class Buffer:
    """Bytes at an address that stays: what a structure for the kernel points to.

    Args:
        content: What it holds.
    """

    __slots__ = ("_kept", "address")

    def __init__(self, content: bytes) -> None:
        kind: type[Array[_Byte]] = type("_Bytes", (Array,), {"_type_": _Byte, "_length_": len(content)})
        self._kept = kind.from_buffer_copy(content)
        self.address = addressof(self._kept)

    def content(self) -> bytes:
        """Return the bytes as they are now."""
        return bytes(memoryview(self._kept))


# None is the program itself, with all that it is linked with.
_LIBRARY = dlopen(None, 0) if sys.platform == "linux" else 0  # type: ignore[arg-type]
_FUNCTIONS: dict[str, _Function] = {}
_LONGS: dict[int, _Long] = {}  # a few numbers are passed again and again


def call(name: str, *arguments: int | bytes) -> int:
    """Call a function of the C library that tells failure by -1.

    Whole numbers are passed as ``long``, bytes by their address, which is good for the call only.

    Raises:
        OSError: It failed.
    """
    function = _FUNCTIONS.get(name)
    if function is None:
        function = _FUNCTIONS[name] = _Function(dlsym(_LIBRARY, name))
    result: int = function(*[one if isinstance(one, bytes) else _LONGS.get(one) or _long(one) for one in arguments])
    if result == -1:
        number = get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _long(number: int) -> _Long:
    made = _LONGS[number] = _Long(number)
    return made


def error_of(name: str, *arguments: int | bytes) -> int:
    """Call it, and return the number of its error, 0 where there was none."""
    try:
        call(name, *arguments)
    except OSError as error:
        return error.errno or 0
    return 0
