"""A process that is nothing but one command, begun and ended without what takes longer than many a run.

The collector need not look through what is imported, since all of that stays; and what a process holds when it ends is the
system's to take back: Python's own way of taking it apart, object by object, is a fifth of a short run.
"""

import atexit
import gc
import os
import sys

_state: dict[str, int] = {}


def begin() -> None:
    """Begin: to be called once, before anything is imported that takes time."""
    if gc.isenabled():
        gc.disable()
        _state["collects"] = 1
    # The first that is registered is the last that is called: threads have been joined by then, and all others were called.
    # Where somebody was first, say what measures coverage, it is left to Python.
    if getattr(atexit, "_ncallbacks", lambda: 1)() == 0:
        _state["process"] = os.getpid()
        atexit.register(_end)


def begun() -> None:
    """Collect from here on, what is there now apart: the command is imported."""
    if _state.pop("collects", 0):
        from plugline.host.holding import freeze  # most commands have imported it by now

        freeze()
        gc.enable()


def ends(code: int) -> int:
    """Note that nothing is left to be done but to end, with this exit code, which is returned."""
    _state["code"] = code
    return code


def _end() -> None:
    code = _state.get("code")
    if code is None or os.getpid() != _state.get("process"):
        return  # on its way out with an exception, or a child that somebody forked
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        return  # Python tells it
    # Where nobody listens to talk, nothing happens: Python would end with 120 for it.
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except (OSError, ValueError):
        pass
    os._exit(code)
