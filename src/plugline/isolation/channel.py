"""One worker's pipes to answers in time, without waiting for it anywhere else.

One loop does it all: it writes what is left of the requests, reads answers, takes what the plugin prints, and looks at the
clock. Nothing of it blocks, so two batches may be under way in either direction at once.
"""

import os
import select
import sys
from collections import deque
from collections.abc import Callable
from typing import Protocol

from plugline.clock import monotonic_seconds
from plugline.isolation.answers import Answer, decode_answer
from plugline.isolation.process import Pipes
from plugline.isolation.talk import Talk
from plugline.worker.frames import HEADER_BYTES, answer_cap
from plugline.worker.packing import Malformed

_MEMORY_BYTES = 2**18  # what answers are read into: two batches of a thousand records of eight fields
# What that grows to where answers are longer. Beyond it each has memory of its own, which costs a page fault per 4 KiB.
_MOST_MEMORY_BYTES = 2**21
# Elsewhere no descriptor tells for sure that a process has ended.
_MOST_WAIT_SECONDS = 60.0 if sys.platform == "linux" else 0.1


class Ended(Exception):
    """The worker has closed its pipe, or ended."""


class TookTooLong(Exception):
    """The worker has not answered in time. Its argument says what was waited for."""


class Watch(Protocol):
    """Says how long to wait for an answer."""

    def check(self, now: float, at: int) -> float:
        """Return in how many seconds to look again.

        Args:
            now: Of :func:`~plugline.clock.monotonic_seconds`.
            at: What the worker says it is at.

        Raises:
            TookTooLong: The time is over.
        """


class Patience:
    """A watch over one request: so many seconds, whatever it says."""

    def __init__(self, seconds: float, what: str) -> None:
        self._end = monotonic_seconds() + seconds
        self._what = f"took longer than {seconds:g} s {what}"

    def check(self, now: float, at: int) -> float:
        """See :class:`Watch`."""
        left = self._end - now
        if left <= 0:
            raise TookTooLong(self._what)
        return left


class Channel:
    """The host's end of one worker's pipes. One thread at a time."""

    def __init__(self, pipes: Pipes, pidfd: int, talk: Talk, has_ended: Callable[[], bool] = lambda: False) -> None:
        """Begin to listen.

        Args:
            pidfd: A descriptor that becomes readable when it has ended.
            talk: Takes what it prints.
            has_ended: Asked from time to time, where that descriptor does not tell for sure.
        """
        self._pipes = pipes
        self._pidfd = pidfd
        self._ask_ended = has_ended
        self._talk = talk
        self._outgoing: deque[memoryview] = deque()
        self._caps: deque[int] = deque()  # of the answers that are waited for
        self._memory = bytearray(_MEMORY_BYTES)
        self._view = memoryview(self._memory)
        self._start = self._end = 0  # what has come and was not looked at
        self._body: memoryview | None = None  # of an answer for which that memory is too small
        self._have = 0
        self._has_ended = False
        self._poll = select.poll()
        for descriptor in (pipes.answers, pidfd):
            self._poll.register(descriptor, select.POLLIN)
        for descriptor in (pipes.output, pipes.errors):
            self._poll.register(descriptor, select.POLLIN)

    def send(self, content: bytes) -> None:
        """Send a request, as far as the pipe takes it now; the rest leaves while an answer is waited for."""
        header = len(content).to_bytes(HEADER_BYTES, "little")
        self._caps.append(answer_cap(len(content)))
        if not self._outgoing:
            try:
                written = os.writev(self._pipes.requests, [header, content])
            except BlockingIOError:
                written = 0
            except BrokenPipeError:
                return  # how it ended is told where the answer is waited for
            if written == HEADER_BYTES + len(content):
                return
            if written >= HEADER_BYTES:
                self._queue(memoryview(content)[written - HEADER_BYTES :])
                return
            header = header[written:]
        self._queue(memoryview(header))
        self._queue(memoryview(content))

    def _queue(self, piece: memoryview) -> None:
        if not self._outgoing:
            self._poll.register(self._pipes.requests, select.POLLOUT)
        self._outgoing.append(piece)

    def answered(self) -> None:
        """Take note that the oldest request has had its last answer."""
        self._caps.popleft()

    def receive(self, watch: Watch) -> Answer:
        """Return the next answer.

        Raises:
            Malformed: What came is none.
            Ended: The worker has ended, and everything that it sent before was received.
            TookTooLong: As the watch says.
        """
        while True:
            found = self._read_answers()
            if found is not None:
                return found
            if self._has_ended:
                raise Ended
            seconds = watch.check(monotonic_seconds(), self._pipes.at())
            self._turn(min(seconds, _MOST_WAIT_SECONDS) * 1000 + 1)

    def _turn(self, milliseconds: float) -> None:
        """Wait until something can be done, so long at most, and do it; answers are read by who asked."""
        for descriptor, _ in self._poll.poll(milliseconds):
            if descriptor == self._pipes.requests:
                self._write()
            elif descriptor == self._pidfd:
                self._has_ended = True
            elif descriptor != self._pipes.answers and not self._talk.read(descriptor):
                self._poll.unregister(descriptor)
        if sys.platform != "linux" and self._ask_ended():
            self._has_ended = True

    def _write(self) -> None:
        while self._outgoing:
            try:
                written = os.write(self._pipes.requests, self._outgoing[0])
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._outgoing.clear()
                break
            rest = self._outgoing[0][written:]
            if rest:
                self._outgoing[0] = rest
            else:
                self._outgoing.popleft()
        self._poll.unregister(self._pipes.requests)

    def _read_answers(self) -> Answer | None:
        while True:
            content = self._whole_answer()
            if content is not None:
                return decode_answer(content)
            if not self._read_some():
                return None

    def _whole_answer(self) -> memoryview | None:
        """Return the bytes of the next answer, if all of them are there."""
        if self._body is None:
            begin = self._start + HEADER_BYTES
            if self._end < begin:
                return None
            length = self._announced(begin)
            if begin + length <= self._end:
                self._start = begin + length
                return self._view[begin : self._start]
            if HEADER_BYTES + length <= len(self._memory):
                return None
            if HEADER_BYTES + length <= _MOST_MEMORY_BYTES:
                self._grow(HEADER_BYTES + length)
                return None
            self._body = memoryview(bytearray(length))
            self._have = self._end - begin
            self._body[: self._have] = self._view[begin : self._end]
            self._start = self._end = 0
        if self._have < len(self._body):
            return None
        content, self._body = self._body, None
        return content

    def _grow(self, length: int) -> None:
        left = bytes(self._view[self._start : self._end])
        self._memory = bytearray(max(length, 2 * len(self._memory)))
        self._view = memoryview(self._memory)
        self._start, self._end = 0, len(left)
        self._view[: self._end] = left

    def _announced(self, begin: int) -> int:
        length = int.from_bytes(self._view[self._start : begin], "little")
        cap = self._caps[0] if self._caps else 0
        if length > cap:
            told = f"announced an answer of {length:,} bytes, at most {cap:,} were expected"
            raise Malformed(told if self._caps else "sent something that nobody had asked for")
        return length

    def _read_some(self) -> bool:
        """Read what there is, as far as there is room for it. Returns whether it was anything."""
        try:
            if self._body is not None:
                got = os.readv(self._pipes.answers, [self._body[self._have :]])
                self._have += got
            else:
                self._make_room()
                got = os.readv(self._pipes.answers, [self._view[self._end :]])
                self._end += got
        except BlockingIOError:
            return False
        if not got:
            self._has_ended = True
        return got > 0

    def _make_room(self) -> None:
        """Put what is left of the memory's content to its beginning: then any answer that is to fit into it does."""
        if self._start:
            left = self._end - self._start
            self._view[:left] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, left

    def hear(self) -> None:
        """Take what the plugin has printed so far, as much as a pipe holds: it leaves the worker before the answer does."""
        self._turn(0)

    def drain(self) -> None:
        """Take what the plugin has printed last."""
        self._talk.drain((self._pipes.output, self._pipes.errors))
