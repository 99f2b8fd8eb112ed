"""What a worker may use up to the limits that the kernel holds it to (``setrlimit(2)``)."""

import math
import os

from plugline.worker.native import Buffer, call
from plugline.worker.privileges import read_proc

_CPU, _FSIZE, _DATA, _CORE, _NPROC, _NOFILE, _AS = 0, 1, 2, 4, 6, 7, 9
_SIGPENDING, _MSGQUEUE, _NICE, _RTPRIO = 11, 12, 13, 14

_MOST_FILES = 256  # open at one time: what any library that we looked at needs ten times
_MOST_FILE_BYTES = 4 * 2**30  # of one file; the room that many of them take is for a quota to bound
_MOST_TASKS_MORE = 512  # threads and processes beyond those that there are; the kernel counts none of root's
_MOST_PENDING = 256  # of signals and timers, which all that the user runs share
# Address space without memory behind it: what the C library and allocators reserve for threads.
_RESERVED_BYTES = 2**30
_LEAST_DEFAULT_BYTES = 2**30


def set_bounds(*, memory_bytes: int | None, cpu_seconds: float | None, write: bool) -> None:
    """Bound what this process uses up from now on, for good.

    Args:
        memory_bytes: Beyond what it uses now; ``None`` is half of the machine's memory.
        cpu_seconds: In all.

    Raises:
        OSError: The kernel refused.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    pages = [int(field) for field in read_proc("statm").split()]
    if memory_bytes is None:
        memory_bytes = max(os.sysconf("SC_PHYS_PAGES") * page // 2, _LEAST_DEFAULT_BYTES)
    # DATA counts what is private and written to, AS what is shared between processes as well.
    _lower(_DATA, pages[5] * page + memory_bytes)
    _lower(_AS, pages[0] * page + memory_bytes + _RESERVED_BYTES)
    if cpu_seconds is not None:
        used = sum(os.times()[:2])
        _lower(_CPU, math.ceil(used + cpu_seconds), grace=1)  # SIGXCPU tells the host why, SIGKILL comes after
    _lower(_FSIZE, _MOST_FILE_BYTES if write else 0)
    _lower(_NOFILE, _MOST_FILES)
    for bound in (_CORE, _MSGQUEUE, _NICE, _RTPRIO):
        _lower(bound, 0)
    _lower(_NPROC, _tasks() + _MOST_TASKS_MORE)
    _lower(_SIGPENDING, _MOST_PENDING)
    _be_killed_first()


def rehearse() -> None:
    """Run what :func:`set_bounds` will run, as far as every worker is bounded so."""
    read_proc("statm")
    _tasks()
    _lower(_CORE, 0)


def _lower(bound: int, value: int, *, grace: int = 0) -> None:
    """Set both limits of a bound, the hard one higher by some grace; neither above what it was."""
    hard = value + grace
    try:
        call("setrlimit", bound, value.to_bytes(8, "little") + hard.to_bytes(8, "little"))
    except PermissionError:
        # The hard one is lower already.
        room = Buffer(bytes(16))
        call("getrlimit", bound, room.address)
        hard = min(hard, int.from_bytes(room.content()[8:], "little"))
        call("setrlimit", bound, min(value, hard).to_bytes(8, "little") + hard.to_bytes(8, "little"))


def _tasks() -> int:
    """Return about how many tasks there are: a limit on them counts all that the user has."""
    return int(read_proc("../loadavg").split()[3].partition(b"/")[2])


def _be_killed_first() -> None:
    """Let the kernel, where memory is out, end this process and not its host."""
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return  # a kindness, and no boundary
    try:
        os.write(descriptor, b"1000")
    finally:
        os.close(descriptor)
