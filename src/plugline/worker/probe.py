"""A process that puts itself into a sandbox that grants nothing, to what it is then denied: what ``plugline doctor`` shows."""

import os
import sys

from plugline.errors import SandboxUnavailable
from plugline.typed import Callable
from plugline.worker.limits import Sandbox
from plugline.worker.sandbox import apply

_DENIED = (1, 13)  # EPERM, EACCES


def main() -> None:
    """Print lines of what was tried, a tab, and what became of it; the first says whether there is a sandbox."""
    parent = os.getppid()
    start = _milliseconds()
    try:
        apply(Sandbox(), keep_fds=(1, 2))
    except SandboxUnavailable as error:
        sys.stdout.write(f"unavailable\t{error.what}\t{error.hint}\n")
        return
    sys.stdout.write(f"applied\t{_milliseconds() - start:.2f}\n")
    for what, trial in _trials(parent):
        sys.stdout.write(f"{what}\t{_outcome(trial)}\n")


def _milliseconds() -> float:
    import time  # a builtin module

    return time.perf_counter() * 1000


def _outcome(trial: Callable[[], object]) -> str:
    try:
        trial()
    except OSError as error:
        return "denied" if error.errno in _DENIED else f"failed otherwise: {error.strerror}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return f"failed otherwise: {error}"
    return "allowed"


def _trials(parent: int) -> list[tuple[str, Callable[[], object]]]:
    import _socket  # for this process only

    return [
        ("read a file of the system", lambda: open("/etc/passwd", "rb").close()),
        ("see the processes of the machine", lambda: os.listdir("/proc")),
        ("list the root of the disk", lambda: os.listdir("/")),
        ("write to the common folder for temporary files", lambda: open("/tmp/.plugline-probe", "x").close()),  # noqa: S108
        ("change its own source", lambda: open(__file__, "ab").close()),
        ("change the mode of a file", lambda: os.chmod(__file__, 0o644)),
        ("open a connection", lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).close()),
        ("open a local socket", lambda: _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM).close()),
        ("start a process", _forking),
        ("become another program", lambda: os.execv("/bin/true", ["true"])),  # noqa: S606 - it is to fail
        ("signal its parent", lambda: os.kill(parent, 0)),
        ("read its parent's environment", lambda: open(f"/proc/{parent}/environ", "rb").close()),
        ("read its parent's memory", lambda: open(f"/proc/{parent}/mem", "rb").close()),
        ("read its own first environment", lambda: open("/proc/self/environ", "rb").close()),
        ("take another user's rights", lambda: os.setuid(os.getuid())),
    ]


def _forking() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


if __name__ == "__main__":
    main()
