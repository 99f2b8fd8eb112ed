"""Parts of workers on this machine to the program that drives the run, past the engine between them.

What an engine carries it pickles, copies and sends, several times over. A worker that can reach the desk writes its part to
memory that has no name and sends the descriptor of that, which ends with the processes that hold it. All others, those
of other machines first of all, find nobody there, and let the engine carry the part.
"""

import os
import select
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from mmap import MAP_SHARED, PROT_READ, mmap

from plugline.records import Part

_TOKEN_BYTES = 16
_LEAST_BYTES = 2**16  # below, carrying is cheaper
_MOST_WAITING = 1024  # workers that have not been let in yet
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: see unix(7)
_MAP_POPULATE = 0x8000 if os.name == "posix" and os.uname().sysname == "Linux" else 0


@dataclass(frozen=True, slots=True)
class Handed:
    """A part whose content has gone to the desk.

    Attributes:
        part: The rest of it.
        token: Under what it went there.
        count: How many bytes.
    """

    part: Part
    token: bytes
    count: int


# ----------------------------------------------------------------------------- on workers

_desks: dict[str, socket.socket | None] = {}  # by address; ``None`` where nobody is there


def hand_over(address: str, part: Part) -> Handed | None:
    """Give the content of a part to the desk with an address.

    Returns:
        The rest of it; ``None`` where its engine has to carry all.
    """
    if part.path is not None or sum(map(len, part.content)) < _LEAST_BYTES:
        return None
    desk = _desk(address)
    if desk is None:
        return None
    token = os.urandom(_TOKEN_BYTES)
    descriptor = os.memfd_create("plugline")
    try:
        count = _write(descriptor, part.content)
        socket.send_fds(desk, [token], [descriptor])
    except OSError:  # it has too many that nobody has looked at yet, or is gone
        return None
    finally:
        os.close(descriptor)
    return Handed(replace(part, content=()), token, count)


def _desk(address: str) -> socket.socket | None:
    if not address or not hasattr(os, "memfd_create"):
        return None
    if address not in _desks:
        for old in list(_desks.values()):  # of runs that are over
            if old is not None:
                old.close()
        _desks.clear()
        _desks[address] = _connected(address)
    return _desks[address]


def _connected(address: str) -> socket.socket | None:
    desk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    desk.setblocking(False)
    try:
        desk.connect(f"\0{address}")
    except OSError:
        desk.close()
        return None
    return desk


def _write(descriptor: int, pieces: Sequence[bytes | memoryview]) -> int:
    count = 0
    for piece in pieces:
        view = memoryview(piece)
        count += len(view)
        while view:
            view = view[os.write(descriptor, view) :]
    return count


# ----------------------------------------------------------------------------- where the run is driven


class Desk:
    """Takes what workers hand over. Used by one thread.

    Attributes:
        address: Where workers find it; empty where there is no such thing.
    """

    def __init__(self) -> None:
        self.address = ""
        self._listening: socket.socket | None = None
        self._workers: dict[int, socket.socket] = {}
        self._there: dict[bytes, int] = {}
        if not hasattr(os, "memfd_create"):
            return
        self.address = f"plugline-{os.urandom(_TOKEN_BYTES).hex()}"
        listening = self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listening.setblocking(False)
        listening.bind(f"\0{self.address}")
        listening.listen(_MOST_WAITING)
        self._poll = select.poll()
        self._poll.register(listening, select.POLLIN)

    @contextmanager
    def taken(self, handed: Handed) -> Iterator[Part]:
        """Give the whole part, as long as the block runs.

        Raises:
            ConnectionError: It is not there.
        """
        if handed.token not in self._there:
            self._receive()
        descriptor = self._there.pop(handed.token, None)
        if descriptor is None:
            raise ConnectionError("a part did not arrive that a worker on this machine had made")
        try:
            memory = mmap(descriptor, handed.count, MAP_SHARED | _MAP_POPULATE, PROT_READ)
        finally:
            os.close(descriptor)
        view = memoryview(memory)
        try:
            yield replace(handed.part, content=(view,))
        finally:
            view.release()
            with suppress(BufferError):  # somebody looks at it still; it goes with that
                memory.close()

    def _receive(self) -> None:
        """Take all that has come: a worker hands over before its engine tells that it is done."""
        assert self._listening is not None  # noqa: S101 - else nobody could have handed over anything
        while ready := self._poll.poll(0):
            for number, _ in ready:
                if number == self._listening.fileno():
                    self._let_in(self._listening)
                else:
                    self._receive_from(self._workers[number])

    def _let_in(self, listening: socket.socket) -> None:
        worker, _ = listening.accept()
        worker.setblocking(False)
        told = worker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if _CREDENTIALS.unpack(told)[1] != os.getuid():  # the address is no secret on this machine
            worker.close()
            return
        self._workers[worker.fileno()] = worker
        self._poll.register(worker, select.POLLIN)

    def _receive_from(self, worker: socket.socket) -> None:
        token, descriptors, _, _ = socket.recv_fds(worker, _TOKEN_BYTES, 1)
        for descriptor in descriptors:
            self._there[token] = descriptor
        if not token:
            self._poll.unregister(worker)
            del self._workers[worker.fileno()]
            worker.close()

    def close(self) -> None:
        """Let go of everything, what nobody has asked for as well."""
        for descriptor in self._there.values():
            os.close(descriptor)
        self._there.clear()
        for one in (self._listening, *self._workers.values()):
            if one is not None:
                one.close()
        self._workers.clear()
        self._listening = None
