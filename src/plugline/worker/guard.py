"""A worker's end with its host: nothing may outlive the program that it works for, however that ends."""

import fcntl
import os
import sys
from _signal import SIGKILL  # type: ignore[import-not-found]  # signal itself imports enum
from _thread import start_new_thread

_SET_SIGNAL = 10  # F_SETSIG of Linux, which fcntl does not name
_PR_SET_PDEATHSIG = 1


def die_with_host(lifeline: int, parent: int, *, from_main_thread: bool) -> None:
    """See to it that this process, and all of its process group, is killed when the host ends.

    The kernel sends SIGKILL to the group when the other end of ``lifeline`` is closed, which nobody but the host
    holds: signal-driven input, with a signal of our choice (fcntl(2), F_SETSIG). Unlike the other way, the signal of
    the parent's death (prctl(2), PR_SET_PDEATHSIG), this reaches what the plugin has started, too. That other way is
    for a plugin that undoes the first; it fires when the *thread* that started the worker ends, so it is taken where
    that is the host's main thread.

    Elsewhere than on Linux a thread waits for the same end, and kills the group; it comes late where native code holds the
    interpreter's lock.

    Args:
        lifeline: One end of a pair of sockets.
        parent: The process that started this one.
        from_main_thread: Whether its main thread did.
    """
    if sys.platform != "linux":
        start_new_thread(_kill_at_end, (lifeline,))
        if os.getppid() != parent:
            os._exit(0)
        return
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, _SET_SIGNAL, SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    if from_main_thread:
        _set_parent_death_signal()
    # The host may have ended before: then no signal comes any more.
    try:
        ended = os.read(lifeline, 1) == b""
    except BlockingIOError:
        ended = False
    if ended or os.getppid() != parent:
        os._exit(0)


def _kill_at_end(lifeline: int) -> None:
    try:
        os.read(lifeline, 1)
    finally:
        os.killpg(os.getpgrp(), SIGKILL)


def _set_parent_death_signal() -> None:
    from plugline.worker.native import call  # where a host has workers start from its threads it is not needed

    call("prctl", _PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
