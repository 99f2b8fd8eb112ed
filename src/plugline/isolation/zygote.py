"""The near side of a zygote: started, asked for workers, and ended."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import NamedTuple

from plugline.isolation.process import Pipes, Process, above_streams, holding, package_root
from plugline.worker.packing import Malformed, pack, unpack

_COMMAND = (
    "import sys; sys.path.append(sys.argv[1]); from plugline.worker.zygote import main; main(*map(int, sys.argv[2:]))"
)
_MESSAGE_BYTES = 2**16
_START_SECONDS = 60.0  # what it imports may be large
_FORK_SECONDS = 10.0
_TRIES = 3  # to find a worker among those that were forked beforehand

# Libraries that start threads when they are imported do without: whoever forks has one.
_ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


class ZygoteGone(Exception):
    """It has ended, or does not answer."""


class Zygote:
    """A running zygote. Threads: may be asked by several; they wait for each other.

    Args:
        path: Where modules are imported from.
        preload: The names of modules that it imports beforehand.
        root: The folder that its plugline is imported from; by default this one's.

    Raises:
        OSError: It could not be started.
    """

    def __init__(self, python: str, path: Sequence[str], preload: Sequence[str] = (), root: str | None = None) -> None:
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._ready = False
        self._spare: _Spare | None = None
        ours, theirs = (
            socket.socket(fileno=above_streams(one.detach()))
            for one in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        )
        self._lifeline = -1
        holding.add(self)
        theirs_lifeline, self._lifeline = map(above_streams, os.pipe2(os.O_CLOEXEC))
        numbers = (theirs.fileno(), theirs_lifeline, os.getpid())
        command = [python, "-I", "-S", "-X", "utf8", "-c", _COMMAND, root or package_root(), *map(str, numbers)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=numbers[:2],
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            self._close_lifeline()
            raise
        finally:
            theirs.close()
            os.close(theirs_lifeline)
        self._socket = ours
        self.alive = True
        ours.send(pack(["preload", list(path), root is not None, list(preload)]))

    def is_ready(self) -> bool:
        """Whether it would give a worker at once, without waiting for its imports."""
        with self._lock:
            if not self._ready and self.alive:
                with contextlib.suppress(ZygoteGone, TimeoutError, BlockingIOError):
                    self._wait_until_ready(0.0)
            return self._ready and self.alive

    def _wait_until_ready(self, seconds: float) -> None:
        """Wait for its imports. Raises :class:`TimeoutError` or :class:`BlockingIOError` where they take longer."""
        (failed,) = self._receive("ready", seconds)
        self._ready = True
        for one in failed if isinstance(failed, list) else []:
            logging.getLogger(__name__).warning("a zygote could not import %s", one)

    def _receive(self, wanted: str, seconds: float) -> list[object]:
        """Return what comes behind this tag; a worker that is announced before it is kept."""
        while True:
            self._socket.settimeout(seconds)
            try:
                data, descriptors, _, _ = socket.recv_fds(self._socket, _MESSAGE_BYTES, 2, socket.MSG_CMSG_CLOEXEC)
            except (TimeoutError, BlockingIOError):
                raise
            except OSError:
                raise self._gone() from None
            try:
                message = unpack(data) if data else None
            except Malformed:
                message = None
            match message:
                case ["spare", int(process)] if len(descriptors) == 2 and self._spare is None:
                    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptors[0])
                    self._spare = _Spare(process, descriptors[1], line)
                case [tag, _] if tag == wanted and not descriptors:
                    pass
                case _:
                    for descriptor in descriptors:
                        os.close(descriptor)
                    raise self._gone()
            if message[0] == wanted:
                return list(message[1:])

    def _gone(self) -> ZygoteGone:
        self._end()
        return ZygoteGone()

    def start(self, pipes: Pipes) -> Process:
        """Give a worker that was forked already these descriptors; the worker's ends are closed here.

        Raises:
            ZygoteGone: It has ended; the pipes are as they were.
        """
        with self._lock:
            if not self.alive or self._owner != os.getpid():
                raise ZygoteGone
            try:
                if not self._ready:
                    self._wait_until_ready(_START_SECONDS)
                spare = self._hand_over([*pipes.theirs, pipes.theirs_output, pipes.theirs_errors])
            except (OSError, ValueError):
                raise self._gone() from None
        pipes.close_theirs()
        return _Forked(self, spare.process, spare.pidfd)

    def _hand_over(self, descriptors: list[int]) -> "_Spare":
        for _ in range(_TRIES):
            spare = self._take_spare()
            with spare.line:
                try:
                    # First: of a zygote that has ended no worker is to have the pipes, since another one gets them then.
                    self._send(["taken", spare.process])
                    socket.send_fds(spare.line, [b"w"], descriptors)
                except BrokenPipeError:  # it has ended before anybody needed it, or the zygote has
                    os.close(spare.pidfd)
                    self._reap(spare.process)
                except BaseException:
                    os.close(spare.pidfd)
                    raise
                else:
                    return spare
        raise self._gone()

    def _take_spare(self) -> "_Spare":
        if self._spare is None:
            with contextlib.suppress(TimeoutError, BlockingIOError):
                self._receive("spare", 0.0)
        if self._spare is None:
            self._send(["wanted", 0])
            self._receive("spare", _FORK_SECONDS)
        spare, self._spare = self._spare, None
        assert spare is not None  # noqa: S101 - it was received
        return spare

    def _send(self, message: list[object]) -> None:
        self._socket.settimeout(_FORK_SECONDS)
        self._socket.send(pack(message))

    def reap(self, process: int) -> int | None:
        """Return the status of a worker that was killed; ``None`` where that is lost."""
        with self._lock:
            if not self.alive:
                return None
            try:
                return self._reap(process)
            except (OSError, ZygoteGone):
                self._end()
                return None

    def _reap(self, process: int) -> int | None:
        self._send(["reap", process])
        (status,) = self._receive("status", _FORK_SECONDS)
        return status if isinstance(status, int) else None

    def close(self) -> None:
        """End it, and the workers that are left of it. May be called again."""
        with self._lock:
            self._end()

    def let_go(self) -> None:
        """See :class:`plugline.isolation.process.HoldsLifeline`. The next worker that waits ends with its line."""
        self._close_lifeline()
        if self._spare is not None:
            self._spare.line.close()

    def _close_lifeline(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _end(self) -> None:
        if not self.alive:
            return
        self.alive = False
        self._socket.close()
        self._close_lifeline()
        if self._spare is not None:
            self._spare.line.close()
            os.close(self._spare.pidfd)
            self._spare = None
        if self._owner == os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        else:
            self._process.returncode = 0  # the process that this is a fork of waits for it


class _Spare(NamedTuple):
    """A worker that waits to be given its descriptors.

    Attributes:
        process: Its number.
        line: What it waits at, and ends with.
    """

    process: int
    pidfd: int
    line: socket.socket


class _Forked:
    """A worker that a zygote forked: see :class:`plugline.isolation.process.Process`."""

    def __init__(self, zygote: Zygote, pid: int, pidfd: int) -> None:
        self._zygote = zygote
        self.pid = pid
        self.pidfd = pidfd
        self._reaped = False
        self._status: int | None = None

    def has_ended(self) -> bool:
        """See :class:`plugline.isolation.process.Process`."""
        return False  # its descriptor tells

    def kill(self) -> None:
        if not self._reaped:
            # The zygote does not wait for it before it is told to, so the number is its own until then.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if self._zygote.alive:
                    os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> int | None:
        if not self._reaped:
            self._reaped = True
            self._status = self._zygote.reap(self.pid)
            os.close(self.pidfd)
        return self._status


class Nursery:
    """Starts the workers of one host: the first directly, those after it from a zygote, once there is one.

    A host with one worker never pays for a zygote, and nobody waits for one, unless it was asked to import something. There
    are zygotes on Linux only: elsewhere a fork of a process that has imported much is not safe (macOS), or not to be had.

    Args:
        path: Where modules are imported from.
        preload: The names of modules that are to be imported before a worker is asked for; with any, all workers
            come from the zygote.
        root: See :class:`Zygote`.
    """

    def __init__(self, python: str, path: Sequence[str], preload: Sequence[str] = (), root: str | None = None) -> None:
        self._python = python
        self._path = list(path)
        self._preload = list(preload)
        self._root = root
        self._zygote: Zygote | None = None
        self._started = 0
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def find(self) -> Zygote | None:
        """Return the zygote to start the next worker from; ``None`` where that is better started directly."""
        with self._lock:
            if sys.platform != "linux" or self._owner != os.getpid():
                return None  # in a fork of the host the zygote is its parent's
            self._started += 1
            if self._zygote is not None and not self._zygote.alive:
                self._zygote = None
            if self._zygote is None and (self._started > 1 or self._preload):
                try:
                    self._zygote = Zygote(self._python, self._path, self._preload, self._root)
                except OSError:
                    return None
            zygote = self._zygote
        return zygote if zygote is not None and (self._preload or zygote.is_ready()) else None

    def close(self) -> None:
        """End the zygote. May be called again."""
        with self._lock:
            zygote, self._zygote = self._zygote, None
            self._started = 0
        if zygote is not None:
            zygote.close()
