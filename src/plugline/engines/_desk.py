"""Parts of workers on this machine to the program that drives the run, past the engine between them.

What an engine carries it pickles, copies and sends, several times over. A worker that can reach the desk writes its parts to
memory that has no name and sends the descriptor of that, which ends with the processes that hold it. All others, those
of other machines first of all, find nobody there, and let the engine carry the parts.
"""

import os
import select
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from mmap import MAP_SHARED, PROT_READ, mmap

_TOKEN_BYTES = 16
_LEAST_BYTES = 2**16  # below, carrying is cheaper
_MOST_WAITING = 1024  # workers that have not been let in yet
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: see unix(7)
_MAP_POPULATE = 0x8000 if os.name == "posix" and os.uname().sysname == "Linux" else 0


@dataclass(frozen=True, slots=True)
class Handed:
    """What has gone to the desk.

    Attributes:
        token: Under what.
        lengths: How many bytes of it each part has.
    """

    token: bytes
    lengths: tuple[int, ...]


# ----------------------------------------------------------------------------- on workers

_desks: dict[str, socket.socket | None] = {}  # by address; ``None`` where nobody is there


def hand_over(address: str, contents: Sequence[Sequence[bytes | memoryview]]) -> Handed | None:
    """Give the contents of some parts to the desk with an address: all at once, since descriptors are few.

    Returns:
        What stands for them; ``None`` where an engine has to carry them.
    """
    lengths = tuple(sum(map(len, pieces)) for pieces in contents)
    if sum(lengths) < _LEAST_BYTES:
        return None
    desk = _desk(address)
    if desk is None:
        return None
    token = os.urandom(_TOKEN_BYTES)
    try:
        descriptor = os.memfd_create("plugline")
        try:
            for pieces in contents:
                _write(descriptor, pieces)
            socket.send_fds(desk, [token], [descriptor])
        finally:
            os.close(descriptor)
    except (
        OSError
    ):  # there is no memory or descriptor left; or the desk has too many that nobody has looked at, or is gone
        return None
    return Handed(token, lengths)


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
    try:
        desk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        return None
    desk.setblocking(False)
    with suppress(OSError):
        desk.connect(f"\0{address}")
        if _is_ours(desk):
            return desk
    desk.close()
    return None


def _is_ours(desk: socket.socket) -> bool:
    """Whether the other end belongs to the same user: the address is no secret on a machine. Both ends ask."""
    told = desk.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(told)[1]
    return uid == os.getuid()


def _write(descriptor: int, pieces: Sequence[bytes | memoryview]) -> None:
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]


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
        address = f"plugline-{os.urandom(_TOKEN_BYTES).hex()}"
        try:
            listening = self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            listening.setblocking(False)
            listening.bind(f"\0{address}")
            listening.listen(_MOST_WAITING)
        except OSError:  # not here, or not now: engines carry all then
            return
        self.address = address
        self._poll = select.poll()
        self._poll.register(listening, select.POLLIN)

    @contextmanager
    def taken(self, handed: Handed) -> Iterator[list[memoryview]]:
        """Give the content of each part, as long as the block runs.

        Raises:
            ConnectionError: It is not there.
        """
        if handed.token not in self._there:
            self._receive()
        descriptor = self._there.pop(handed.token, None)
        if descriptor is None:
            raise ConnectionError("parts did not arrive that a worker on this machine had made")
        try:
            memory = mmap(descriptor, sum(handed.lengths), MAP_SHARED | _MAP_POPULATE, PROT_READ)
        finally:
            os.close(descriptor)
        whole = memoryview(memory)
        views = [
            whole[end - length : end] for end, length in zip(accumulate(handed.lengths), handed.lengths, strict=True)
        ]
        try:
            yield views
        finally:
            for view in (*views, whole):
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
        if not _is_ours(worker):
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
