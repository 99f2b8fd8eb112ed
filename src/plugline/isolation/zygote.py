"""The near side of a zygote: started, asked for workers, and ended."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence

from plugline.isolation.process import Pipes, Process, package_root
from plugline.worker.packing import Malformed, pack, unpack

_COMMAND = (
    "import sys; sys.path.append(sys.argv[1]); from plugline.worker.zygote import main; main(*map(int, sys.argv[2:]))"
)
_MESSAGE_BYTES = 2**16
_START_SECONDS = 60.0  # what it imports may be large
_FORK_SECONDS = 10.0

# Libraries that start threads when they are imported do without: whoever forks has one.
_ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


class ZygoteGone(Exception):
    """It has ended, or does not answer."""


class Zygote:
    """A running zygote. Threads: may be asked by several; they wait for each other.

    Args:
        python: The interpreter.
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
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs_lifeline, self._lifeline = os.pipe2(os.O_CLOEXEC)
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
            os.close(self._lifeline)
            raise
        finally:
            theirs.close()
            os.close(theirs_lifeline)
        self._socket = ours
        self.alive = True
        ours.send(pack(["preload", list(path), root is not None, list(preload)]))

    def is_ready(self) -> bool:
        """Whether it would fork at once, without waiting for its imports."""
        with self._lock:
            if not self._ready and self.alive:
                with contextlib.suppress(ZygoteGone, TimeoutError, BlockingIOError):
                    self._wait_until_ready(0.0)
            return self._ready and self.alive

    def _wait_until_ready(self, seconds: float) -> None:
        """Wait for its imports. Raises :class:`TimeoutError` or :class:`BlockingIOError` where they take longer."""
        tag, failed = self._receive(seconds)[0]
        if tag != "ready":
            raise self._gone()
        self._ready = True
        for one in failed if isinstance(failed, list) else []:
            logging.getLogger(__name__).warning("a zygote could not import %s", one)

    def _receive(self, seconds: float) -> tuple[list[object], list[int]]:
        self._socket.settimeout(seconds)
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, _MESSAGE_BYTES, 1)
        except (TimeoutError, BlockingIOError):
            raise
        except OSError:
            raise self._gone() from None
        try:
            message = unpack(data) if data else None
        except Malformed:
            message = None
        if not isinstance(message, list) or len(message) < 2:
            for descriptor in descriptors:
                os.close(descriptor)
            raise self._gone()
        return message, descriptors

    def _gone(self) -> ZygoteGone:
        self._end()
        return ZygoteGone()

    def start(self, pipes: Pipes) -> Process:
        """Fork a worker with these descriptors; the worker's ends are closed here.

        Raises:
            ZygoteGone: It has ended; the pipes are as they were.
        """
        with self._lock:
            if not self.alive or self._owner != os.getpid():
                raise ZygoteGone
            try:
                if not self._ready:
                    self._wait_until_ready(_START_SECONDS)
                self._socket.settimeout(_FORK_SECONDS)
                theirs = [*pipes.theirs, pipes.theirs_output, pipes.theirs_errors]
                socket.send_fds(self._socket, [pack(["fork", 0])], theirs)
                (tag, process), descriptors = self._receive(_FORK_SECONDS)
            except (OSError, ValueError):
                raise self._gone() from None
        if tag != "forked" or not isinstance(process, int) or len(descriptors) != 1:
            raise self._gone()
        pipes.close_theirs()
        return _Forked(self, process, descriptors[0])

    def reap(self, process: int) -> int | None:
        """Return the status of a worker that was killed; ``None`` where that is lost."""
        with self._lock:
            if not self.alive:
                return None
            try:
                self._socket.settimeout(_FORK_SECONDS)
                self._socket.send(pack(["reap", process]))
                (tag, status), _ = self._receive(_FORK_SECONDS)
            except (OSError, ValueError, ZygoteGone):
                self._end()
                return None
        return status if tag == "status" and isinstance(status, int) else None

    def close(self) -> None:
        """End it, and the workers that are left of it. May be called again."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if not self.alive:
            return
        self.alive = False
        self._socket.close()
        os.close(self._lifeline)
        if self._owner == os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        else:
            self._process.returncode = 0  # the process that this is a fork of waits for it


class _Forked:
    """A worker that a zygote forked: see :class:`plugline.isolation.process.Process`."""

    def __init__(self, zygote: Zygote, pid: int, pidfd: int) -> None:
        self._zygote = zygote
        self.pid = pid
        self.pidfd = pidfd
        self._reaped = False
        self._status: int | None = None

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

    A host with one worker never pays for a zygote, and nobody waits for one, unless it was asked to import something.

    Args:
        python: The interpreter.
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
            if self._owner != os.getpid():
                return None  # a fork of the host: the zygote is its parent's
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
