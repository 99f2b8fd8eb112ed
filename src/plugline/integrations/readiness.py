"""Whether a descriptor can be read, told by one look into memory.

A system call in each request would cost more than all else that an integration does in it. What Linux's asynchronous input and
output (io_submit(2)) has done is written to memory that the kernel shares with the process, before whoever caused it goes on: where
a file that is watched was written to, that stands there once ``write`` returns. Programs may look there instead of asking;
libaio does, whose ``struct aio_ring`` this is.

Asked for is an epoll descriptor with the one in it that matters: inotify wakes those who wait without a word on why, and the
kernel would leave the writing to a thread of its own then (``aio_poll_wake`` in ``fs/aio.c``).
"""

import ctypes
import select
import struct
import weakref
from typing import Protocol

from plugline.worker.machine import this_machine

_ONE = ctypes.c_long(1)
_CONTROL_BLOCK = struct.Struct("=QIiHhIQQqQII")  # <linux/aio_abi.h>, struct iocb
_POLL = 5  # IOCB_CMD_POLL, since Linux 4.18
_HEADER = struct.Struct(
    "=8I"
)  # struct aio_ring: id, events, head, tail, magic, two words of features, bytes of this header
_MAGIC = 0xA10A10A1
_EVENT_BYTES = 32  # struct io_event; it begins with what its control block begins with
_MARK = 1  # not 0, which stands where nothing is written yet


class Told(Protocol):
    """``told[0]`` is true once there is something to read."""

    def __getitem__(self, at: int, /) -> object: ...


class Asked:
    """The same by a system call, for where there is no such memory."""

    __slots__ = ("_epoll",)

    def __init__(self, epoll: "select.epoll") -> None:
        self._epoll = epoll

    def __getitem__(self, at: int, /) -> bool:
        return self._epoll.poll(0, 1) != []


class Readiness:
    """What is told of one descriptor.

    Threads: any may look at :attr:`told`; the rest is for one at a time.

    Attributes:
        told: Another one after each :meth:`listen`. Memory is shared for as long as anybody holds one of them.
    """

    def __init__(self, descriptor: int) -> None:
        self._epoll = select.epoll()
        self._epoll.register(descriptor, select.EPOLLIN)
        self._ring = _ring()
        self.told: Told
        self.listen()

    def listen(self) -> None:
        """Be told of what comes from now on, and of what is there already."""
        told = self._ring.poll(self._epoll.fileno()) if self._ring is not None else None
        self.told = told if told is not None else Asked(self._epoll)

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to read, and tell whether there is."""
        return self._epoll.poll(seconds, 1) != []


class _Ring:
    """A context of asynchronous input and output, with one request in it at a time.

    Args:
        context: What io_setup(2) made of it: the address of the shared memory.
        events: How many the memory has room for.
        library: Its ``syscall`` is called.
        numbers: Of the system calls.
    """

    def __init__(self, context: int, events: int, library: ctypes.CDLL, numbers: dict[str, int]) -> None:
        self._context = ctypes.c_ulong(context)
        self._events = events
        self._library = library
        self._numbers = numbers
        shared = (ctypes.c_ubyte * (_HEADER.size + events * _EVENT_BYTES)).from_address(context)
        # Not at the interpreter's end: other threads may be looking then, and the kernel lets go of it soon after.
        weakref.finalize(shared, library.syscall, numbers["io_destroy"], self._context).atexit = False
        self._memory = memoryview(shared).cast("B")
        self._next = 0
        self._told: memoryview | None = None

    def poll(self, descriptor: int) -> memoryview | None:
        """Return the byte that will not be 0 once the descriptor can be read; ``None`` where the kernel refuses."""
        if self._told is not None:
            if not self._told[0]:
                return self._told
            event = ctypes.create_string_buffer(_EVENT_BYTES)
            self._call("io_getevents", ctypes.c_long(0), _ONE, event, None)  # so that there is room again
        at = _HEADER.size + self._next * _EVENT_BYTES
        self._memory[at] = 0
        self._told = self._memory[at : at + 1]
        block = _CONTROL_BLOCK.pack(_MARK, 0, 0, _POLL, 0, descriptor, select.EPOLLIN, 0, 0, 0, 0, 0)
        blocks = (ctypes.c_char_p * 1)(block)
        if self._call("io_submit", _ONE, blocks) != 1:
            self._told = None
            return None
        self._next = (self._next + 1) % self._events
        return self._told

    def _call(self, name: str, *arguments: object) -> int:
        done: int = self._library.syscall(self._numbers[name], self._context, *arguments)
        return done


def _ring() -> _Ring | None:
    """Return a new one, or ``None`` where there are no more of them, or where the shared memory is not as expected."""
    machine = this_machine()
    if machine is None:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    context = ctypes.c_ulong(0)
    if library.syscall(machine.numbers["io_setup"], _ONE, ctypes.byref(context)) != 0:
        return None
    _, events, _, tail, magic, _, incompatible, size = _HEADER.unpack(ctypes.string_at(context.value, _HEADER.size))
    if (magic, incompatible, size, tail) != (_MAGIC, 0, _HEADER.size, 0):
        library.syscall(machine.numbers["io_destroy"], context)
        return None
    return _Ring(context.value, events, library, dict(machine.numbers))
