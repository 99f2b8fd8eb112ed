"""A command to a running worker with its pipes, and back to nothing: every descriptor closed, every process reaped."""

import contextlib
import mmap
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from socket import socketpair
from typing import Protocol
from weakref import WeakSet

_PIPE_BYTES = 2**20  # as much as a user may have without being root; two batches fit

_COMMAND = (
    "import sys; sys.path.append(sys.argv[1]); from plugline.worker.main import main; main(*map(int, sys.argv[2:]))"
)


def package_root() -> str:
    """Return the folder that this plugline was imported from."""
    return str(Path(__file__).resolve().parents[2])


def has_workers() -> bool:
    """Whether this system has what a worker takes: pipes that can be waited for, and processes that get them."""
    return sys.platform != "win32"


class HoldsLifeline(Protocol):
    """Holds the end of a lifeline that is to be this process's alone."""

    def let_go(self) -> None:
        """Close that end, in a fork of this process: it must not keep alive what is the parent's."""


holding: WeakSet[HoldsLifeline] = WeakSet()


def _let_go() -> None:
    for one in list(holding):
        one.let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


class Pipes:
    """The descriptors of one worker: the host's ends, and, until it is started, the worker's.

    Attributes:
        requests: Where requests are written. Does not block.
        answers: Where answers are read. Does not block.
        output: Where what it prints is read. Does not block.
        errors: The same for its standard error.
        page: Eight bytes that it shares: the request and the record that it is at.
    """

    def __init__(self) -> None:
        self._open: list[int] = []
        self._lifeline = -1
        self._map: mmap.mmap | None = None
        self._record = -1
        holding.add(self)
        try:
            theirs_requests, self.requests = self._pipe()
            self.answers, theirs_answers = self._pipe()
            self.output, self.theirs_output = self._pipe()
            self.errors, self.theirs_errors = self._pipe()
            theirs_lifeline, self._lifeline = self._sockets()
            theirs_page = self._page()
        except BaseException:
            self._close(list(self._open))
            raise
        self.theirs = (theirs_requests, theirs_answers, theirs_page, theirs_lifeline)
        for descriptor in (self.requests, self.answers, self.output, self.errors):
            os.set_blocking(descriptor, False)
        for descriptor in (self.requests, self.answers):
            _enlarge(descriptor)

    def _pipe(self) -> tuple[int, int]:
        both = [above_streams(one) for one in os.pipe()]
        self._open += both
        return both[0], both[1]

    def _sockets(self) -> tuple[int, int]:
        # For the lifeline, since a pipe can be opened anew by /proc/self/fd, and held open from the other side.
        both = [above_streams(one.detach()) for one in socketpair()]
        self._open += both
        return both[0], both[1]

    def _page(self) -> int:
        """Make the page that is shared, and return the worker's descriptor of it."""
        if sys.platform == "linux":
            theirs = above_streams(os.memfd_create("plugline-record", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
            self._open.append(theirs)
            os.ftruncate(theirs, mmap.PAGESIZE)
            _seal_size(theirs)
            self._map = mmap.mmap(theirs, mmap.PAGESIZE)
        else:
            theirs, self._record = (above_streams(one) for one in _nameless_file())
            self._open += [theirs, self._record]
            os.ftruncate(theirs, mmap.PAGESIZE)
        return theirs

    def at(self) -> int:
        """Return what the worker says it is at. It may say anything."""
        if self._map is not None:
            return struct.unpack_from("=Q", self._map, 0)[0]  # type: ignore[no-any-return]
        # Not mapped: the worker could cut the file, which would kill whoever looks at the memory. A file of memory can be
        # kept from that by a seal, where there are any.
        found = os.pread(self._record, 8, 0)
        return int.from_bytes(found, sys.byteorder)

    def watch_end(self) -> int:
        """Return another descriptor of the lifeline: it becomes readable when nobody has the worker's end any more."""
        return os.dup(self._lifeline)

    def let_go(self) -> None:
        """See :class:`HoldsLifeline`."""
        self._close([self._lifeline])

    def close_theirs(self) -> None:
        """Close the worker's ends, once it has them."""
        self._close([*self.theirs, self.theirs_output, self.theirs_errors])

    def close(self) -> None:
        """Close everything. May be called again."""
        self._close(list(self._open))
        if self._map is not None:
            self._map.close()

    def _close(self, descriptors: Sequence[int]) -> None:
        for descriptor in descriptors:
            if descriptor in self._open:
                self._open.remove(descriptor)
                os.close(descriptor)


def above_streams(descriptor: int) -> int:
    """Return a descriptor for the same beyond 0, 1 and 2, which belong to the streams of whoever has it.

    In a program that has closed its own, as daemons do, these are the first that are given out.
    """
    if descriptor > 2:
        return descriptor
    import fcntl  # see below

    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(descriptor)


def _nameless_file() -> tuple[int, int]:
    """Return two descriptors of a file that has no name."""
    from tempfile import TemporaryFile  # only where there is nothing better

    with TemporaryFile() as file:
        return os.dup(file.fileno()), os.dup(file.fileno())


def _seal_size(descriptor: int) -> None:
    """Keep a file of memory as long as it is, for good: a worker that cut it would kill the host, which has it mapped."""
    if sys.platform == "linux":
        import fcntl  # see below

        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)


def _enlarge(descriptor: int) -> None:
    if sys.platform == "linux":
        import fcntl  # where there are no workers, it may not exist

        # Refused where the user has too many of them: then batches wait for each other more often.
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class Process(Protocol):
    """A running worker.

    Attributes:
        pid: Its process, and process group.
        pidfd: A descriptor that becomes readable when it has ended.
    """

    pid: int
    pidfd: int

    def has_ended(self) -> bool:
        """Whether it has ended, where the descriptor may not tell: what it has started may hold the other end still."""

    def kill(self) -> None:
        """End it, and what it has started, at once. May be called again, and after it has ended."""

    def reap(self) -> int | None:
        """Wait for its end, which is certain once it was killed, and return its status; ``None`` where that is lost."""


class ChildProcess:
    """A worker that was started directly."""

    def __init__(self, pid: int, pipes: Pipes) -> None:
        self.pid = pid
        if sys.platform == "linux":
            self.pidfd = os.pidfd_open(pid)
        else:
            self.pidfd = pipes.watch_end()
        self._status: int | None = None
        self._waited = self._reaped = False

    def has_ended(self) -> bool:
        """See :class:`Process`."""
        self._wait(os.WNOHANG)
        return self._waited

    def kill(self) -> None:
        """See :class:`Process`."""
        if not self._reaped:
            # Its number is not given to another process before it is waited for; what it has started keeps that of the group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            if not self._waited:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    if sys.platform == "linux":
                        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
                    else:
                        os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> int | None:
        """See :class:`Process`."""
        if not self._reaped:
            self._reaped = True
            self._wait(0)
            os.close(self.pidfd)
        return self._status

    def _wait(self, options: int) -> None:
        if self._waited:
            return
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:
            self._waited = True  # somebody else in this program has waited for it
            return
        if pid:
            self._waited = True
            self._status = os.waitstatus_to_exitcode(status)


def start_directly(pipes: Pipes, *, python: str, environment: Mapping[str, str], root: str | None = None) -> Process:
    """Start a worker as a process of its own.

    Args:
        pipes: Its descriptors; the worker's ends are closed here.
        environment: All of its environment variables.
        root: The folder that its plugline is imported from; by default this one's.

    Raises:
        OSError: It could not be started.
    """
    arguments = [*pipes.theirs, os.getpid()]
    command = [
        python, "-I", "-S", "-X", "utf8", "-c", _COMMAND, root or package_root(), *map(str, arguments),
    ]  # fmt: skip
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=pipes.theirs_output,
            stderr=pipes.theirs_errors,
            pass_fds=pipes.theirs,
            env=dict(environment),
            start_new_session=True,  # Ctrl-C is the host's; and the group can be killed as a whole
        )
    finally:
        pipes.close_theirs()
    try:
        child = ChildProcess(process.pid, pipes)
    except BaseException:  # there is no descriptor left for it
        process.kill()
        process.wait()
        raise
    process.returncode = 0  # it is waited for there; Popen would warn of it, in forks of this program too
    return child


def from_main_thread() -> bool:
    """Whether this is the program's main thread, whose end is the program's."""
    return threading.current_thread() is threading.main_thread()


def this_python() -> str:
    """Return the interpreter that runs this program.

    Raises:
        RuntimeError: Nobody knows: Python is part of another program.
    """
    if not sys.executable:
        raise RuntimeError("sys.executable is empty, so no worker can be started; set it to a Python interpreter")
    return sys.executable
