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
    """Bytes at an address that stays: what a structure for the kernel points to."""

    __slots__ = ("_kept", "address")

    def __init__(self, content: bytes) -> None:
        kind: type[Array[_Byte]] = type("_Bytes", (Array,), {"_type_": _Byte, "_length_": len(content)})
        self._kept = kind.from_buffer_copy(content)
        self.address = addressof(self._kept)

    def content(self) -> bytes:
        """Return the bytes as they are now."""
        return bytes(memoryview(self._kept))


# mallopt(3): from what size on the end of the heap, and single blocks, go back to the kernel.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST_KEPT_BYTES, _MOST_KEPT_BLOCK_BYTES = 32 * 2**20, 8 * 2**20  # a few times what is under way between two processes

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


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, up to a bound, and hand it out again, where else it would ask the kernel anew.

    Each page that the kernel hands out costs two microseconds, and a frame of records or a table has hundreds. Where
    the C library has no such switch, nothing is changed.
    """
    if _keeps:
        return
    _keeps.append(True)
    try:
        call("mallopt", _M_TRIM_THRESHOLD, _MOST_KEPT_BYTES)
        call("mallopt", _M_MMAP_THRESHOLD, _MOST_KEPT_BLOCK_BYTES)
    except OSError:
        pass  # musl has no mallopt; glibc's own answer of failure is 0


_keeps: list[bool] = []


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
