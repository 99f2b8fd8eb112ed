"""A process with what its user may do to one that can win nothing more, and holds nothing that it does not need."""

import os

from plugline.typed import Iterable
from plugline.worker.machine import Machine
from plugline.worker.native import call, error_of

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
