"""Parts of workers on this machine to the program that drives the run, past the engine between them.

What an engine carries it pickles, copies and sends, several times over. A worker that can reach the desk writes its parts to
memory that has no name, a *tray*, and sends the descriptor of that. A tray that was emptied goes back to its worker: new memory
costs more than what is done with it. It ends with the processes that hold it. All others, those of other machines first of all,
find nobody at the desk, and let the engine carry the parts.
"""

import os
import select
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import accumulate
from mmap import mmap

_TOKEN_BYTES = 16
_LEAST_BYTES = 2**16  # below, carrying is cheaper
_MOST_LENT = (
    3  # trays of a worker at a time: one that is emptied, one that waits, and one more for what is lost or late
)
_MOST_KEPT_BYTES = 32 * 2**20  # of a tray: larger ones are for once
_MOST_WAITING = 1024  # workers that have not been let in yet
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: see unix(7)
_LETTER = struct.Struct(f"<{_TOKEN_BYTES}sq?")  # under what, in which tray, and whether that is to come back
_NUMBER = struct.Struct("<q")
_MAP_POPULATE = 0x8000 if sys.platform == "linux" else 0

Content = Sequence[bytes | memoryview]


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


class Load:
    """The contents of some parts, which go to the desk all at once, since descriptors are few.

    They are written as they come: a worker that keeps them until the last is there uses other memory for each.
    """

    def __init__(self, address: str) -> None:
        self._lengths: list[int] = []
        self._held: list[Content] = []  # the last ones, which are not written
        self._way = _way_to(address)
        self._tray: _Tray | None = None

    def add(self, content: Content) -> None:
        """Take the content of the next part."""
        self._held.append(content if self._way is not None else (b"".join(content),))
        self._lengths.append(sum(map(len, content)))
        if self._way is None or sum(self._lengths) < _LEAST_BYTES:
            return
        try:
            if self._tray is None:
                self._tray = self._way.tray()
            for one in self._held:
                self._tray.write(one)
        except OSError:  # there is no memory or descriptor left
            self._unload()
        else:
            self._held.clear()

    def hand_over(self) -> Handed | None:
        """Give all of it to the desk.

        Returns:
            What stands for it; ``None`` where an engine has to carry the contents.
        """
        if self._way is None or self._tray is None:
            return None
        try:
            token = self._way.send(self._tray, sum(self._lengths))
        except OSError:  # the desk has too many that nobody has looked at, or is gone
            self._unload()
            return None
        self._tray = None
        return Handed(token, tuple(self._lengths))

    def contents(self) -> list[bytes]:
        """Return the contents of parts that were not handed over."""
        return [b"".join(content) for content in self._held]

    def _unload(self) -> None:
        written = self._lengths[: len(self._lengths) - len(self._held)]
        if self._tray is not None:
            ends = accumulate(written)
            self._held[:0] = [
                (self._tray.read(length, end - length),) for end, length in zip(ends, written, strict=True)
            ]
        self.close()

    def close(self) -> None:
        """Let go of what was not handed over."""
        if self._way is not None and self._tray is not None:
            self._way.put_back(self._tray)
        self._way = self._tray = None


class _Tray:
    """Memory without a name, as who writes it sees it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.known = False  # where the run is driven
        self.descriptor = os.memfd_create("plugline")

    def write(self, content: Content) -> None:
        for piece in content:
            view = memoryview(piece)
            while view:
                view = view[os.write(self.descriptor, view) :]

    def read(self, length: int, at: int) -> bytes:
        return os.pread(self.descriptor, length, at)

    def empty(self) -> None:
        os.lseek(self.descriptor, 0, os.SEEK_SET)

    def close(self) -> None:
        os.close(self.descriptor)


class _Way:
    """The way of a worker to a desk, and what has gone there."""

    def __init__(self, desk: socket.socket) -> None:
        self._desk = desk
        self._made = 0
        self._lent: dict[int, _Tray] = {}
        self._free: list[_Tray] = []

    def tray(self) -> _Tray:
        """Return one that is empty.

        Raises:
            OSError: There is none, and none to be had.
        """
        with suppress(OSError):  # there is nothing more for the moment, or nobody there
            while number := self._desk.recv(_NUMBER.size):
                self._free.append(self._lent.pop(_NUMBER.unpack(number)[0]))
        if self._free:
            tray = self._free.pop()
            tray.empty()
            return tray
        self._made += 1
        return _Tray(self._made)

    def send(self, tray: _Tray, size: int) -> bytes:
        """Send a tray with so many bytes, and return under what.

        Raises:
            OSError: It could not be sent.
        """
        token = os.urandom(_TOKEN_BYTES)
        comes_back = size <= _MOST_KEPT_BYTES and len(self._lent) < _MOST_LENT
        letter = _LETTER.pack(token, tray.number, comes_back)
        socket.send_fds(self._desk, [letter], [] if tray.known else [tray.descriptor])
        if comes_back:
            tray.known = True
            self._lent[tray.number] = tray
        else:
            tray.close()
        return token

    def put_back(self, tray: _Tray) -> None:
        self._free.append(tray)

    def close(self) -> None:
        self._desk.close()
        for tray in (*self._free, *self._lent.values()):
            tray.close()
        self._free.clear()
        self._lent.clear()


_ways: dict[str, _Way | None] = {}  # by address; ``None`` where nobody is there


def _way_to(address: str) -> _Way | None:
    if not address or not hasattr(os, "memfd_create"):
        return None
    if address not in _ways:
        for old in list(_ways.values()):  # of runs that are over
            if old is not None:
                old.close()
        _ways.clear()
        desk = _connected(address)
        _ways[address] = None if desk is None else _Way(desk)
    return _ways[address]


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


# ----------------------------------------------------------------------------- where the run is driven


class _Lent:
    """A tray, as who empties it sees it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def content(self, length: int) -> mmap:
        """Return the first bytes.

        Raises:
            ValueError: There are not so many.
        """
        from mmap import MAP_SHARED, PROT_READ  # not there on Windows

        return mmap(self._descriptor, length, MAP_SHARED | _MAP_POPULATE, PROT_READ)

    def empty(self) -> None:
        """Let go of what it holds, where its worker may have it still. Nobody may look at it."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass(slots=True)
class _Worker:
    """A worker at the desk.

    Attributes:
        trays: What it has lent, by its numbers; not one that somebody looks at.
        gone: Whether it has.
    """

    line: socket.socket
    trays: dict[int, _Lent] = field(default_factory=dict)
    gone: bool = False

    def give_back(self, number: int) -> bool:
        """Send a tray back, and return whether that was possible."""
        if not self.gone:
            with suppress(OSError):
                self.line.send(_NUMBER.pack(number))
                return True
        return False


@dataclass(frozen=True, slots=True)
class _Letter:
    """What was handed over under a token."""

    worker: _Worker
    number: int
    comes_back: bool


class Desk:
    """Takes what workers hand over. Used by one thread.

    Attributes:
        address: Where workers find it; empty where there is no such thing.
    """

    def __init__(self) -> None:
        self.address = ""
        self._listening: socket.socket | None = None
        self._workers: dict[int, _Worker] = {}
        self._there: dict[bytes, _Letter] = {}
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
        letter = self._there.pop(handed.token, None)
        if letter is None:
            raise ConnectionError("parts did not arrive that a worker on this machine had made")
        worker, number = letter.worker, letter.number
        tray = worker.trays.pop(number)
        is_free = False
        try:
            memory = tray.content(sum(handed.lengths))
            whole = memoryview(memory)
            views = [
                whole[end - length : end]
                for end, length in zip(accumulate(handed.lengths), handed.lengths, strict=True)
            ]
            try:
                yield views
            finally:
                is_free = _released(memory, [*views, whole])
        finally:
            if is_free and letter.comes_back and worker.give_back(number):
                worker.trays[number] = tray
            else:
                tray.close()

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
        self._workers[worker.fileno()] = _Worker(worker)
        self._poll.register(worker, select.POLLIN)

    def _receive_from(self, worker: _Worker) -> None:
        data, descriptors = b"", list[int]()
        with suppress(ConnectionError):  # it ended while something was on its way to it
            data, descriptors, _, _ = socket.recv_fds(worker.line, _LETTER.size, 1)
        if len(data) == _LETTER.size:
            token, number, comes_back = _LETTER.unpack(data)
            if descriptors and number not in worker.trays:
                worker.trays[number] = _Lent(descriptors.pop())
            if number in worker.trays:
                self._there.setdefault(token, _Letter(worker, number, comes_back))
        for descriptor in descriptors:  # with something that no worker of ours says
            os.close(descriptor)
        if not data:
            self._see_out(worker)

    def _see_out(self, worker: _Worker) -> None:
        """Let go of a worker that has ended; what it has handed over stays."""
        self._poll.unregister(worker.line)
        del self._workers[worker.line.fileno()]
        worker.line.close()
        worker.gone = True
        left = {letter.number for letter in self._there.values() if letter.worker is worker}
        for number in worker.trays.keys() - left:
            worker.trays.pop(number).close()

    def close(self) -> None:
        """Let go of everything, what nobody has asked for as well."""
        workers = {id(letter.worker): letter.worker for letter in self._there.values()}
        for worker in (*self._workers.values(), *(one for one in workers.values() if one.gone)):
            for tray in worker.trays.values():
                tray.empty()
                tray.close()
            worker.trays.clear()
            worker.line.close()
        self._there.clear()
        self._workers.clear()
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()


def _released(memory: mmap, views: Sequence[memoryview]) -> bool:
    """Let go of memory and of views of it, and return whether nobody looks at it any more."""
    try:
        for view in views:
            view.release()
        memory.close()
    except BufferError:  # it goes with whoever looks at it still
        return False
    return True
