"""A process with what its user may do to one that can win nothing more, use up no more than its limits and hold nothing that it does not need."""

import math
import os

from plugline.typed import Iterable
from plugline.worker.machine import Machine
from plugline.worker.native import Buffer, call, error_of

_PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 4, 24
_PR_SET_SECUREBITS, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL = 28, 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
# NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE with their locks, and KEEP_CAPS locked: user 0 is as any other.
_SECUREBITS = 0b11_10_11_11
_MOST_CAPABILITIES = 64
_LAST_DESCRIPTOR = 2**31 - 1
_MOST_READ = 2**16


def win_nothing() -> None:
    """Let no program that is started have more rights, and no core of this process be kept.

    A limit of 0 for cores does not keep a program that takes them by a pipe from being run, which is slow.
    """
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def drop_capabilities(machine: Machine, *, run: bool) -> None:
    """Drop every capability, of root too, and the way back to them.

    Args:
        run: Whether programs may be started, which is the only way back: what they could be given goes as well.

    Raises:
        OSError: The kernel refused.
    """
    # Who may not change these holds nothing that is worth it.
    if error_of("prctl", _PR_SET_SECUREBITS, _SECUREBITS, 0, 0, 0) == 0 and run:
        for capability in range(_MOST_CAPABILITIES):
            if error_of("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0):
                break  # the kernel has no more
    call("prctl", _PR_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = _CAPABILITY_VERSION_3.to_bytes(4, "little") + bytes(4)
    call("syscall", machine.numbers["capset"], header, bytes(24))


def close_descriptors(keep: Iterable[int]) -> None:
    """Close all but some; of 0, 1 and 2 those that are not kept are led to nowhere instead.

    A number that is free would be the next that is opened, and then be taken for standard output.
    """
    kept = sorted({*keep, 0, 1, 2})
    for one, following in zip(kept, [*kept[1:], _LAST_DESCRIPTOR], strict=True):
        if following > one + 1:
            os.closerange(one + 1, following)
    missing = {0, 1, 2}.difference(keep)
    if not missing:
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    for one in missing:
        os.dup2(nowhere, one, inheritable=True)
    if nowhere > 2:
        os.close(nowhere)


def clear_environment(keep: Iterable[str]) -> None:
    """Take all variables but some out of the environment, and out of the memory in which the process got it.

    Otherwise ``/proc/self/environ``, or a pointer, still had what was removed.
    """
    names = tuple(keep)
    kept = {name: os.environ[name] for name in (os.environ if "*" in names else names) if name in os.environ}
    found = read_proc("environ", _MOST_READ)
    blank = not found.strip(b"\0") and len(found) < _MOST_READ
    if blank and not kept and not os.environ:
        return  # it was started without any, or somebody has done this before
    os.environ.clear()
    call("clearenv")
    if not blank:
        # After the name, which may hold anything, the third field is the first; env_start and env_end are 50 and 51.
        fields = read_proc("stat").rpartition(b")")[2].split()
        begin, end = int(fields[47]), int(fields[48])
        call("memset", begin, 0, end - begin)
    os.environ.update(kept)


def read_proc(name: str, most: int = 4096) -> bytes:
    """Return what the kernel says of this process, without the cost of a stream."""
    descriptor = os.open(f"/proc/self/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


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
