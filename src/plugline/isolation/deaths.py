"""How a worker ended to what it means. Decisions are functions of history; doing is elsewhere."""

import signal
from dataclasses import replace

from plugline.frozen import frozen

MAX_DEATHS = 3  # in a row: one may be bad luck, two a bad record after another


@frozen()
class Death:
    """How a worker ended.

    Attributes:
        what: What happened, to stand after "the worker of plugin 'x'".
        timed_out: Whether it was killed because it took too long.
        forged: Whether it was killed because of what it sent, which it may have sent a while ago.
    """

    what: str
    hint: str | None = None
    timed_out: bool = False
    forged: bool = False


def death_by_status(status: int | None, *, answered: str = "") -> Death:
    """Return what an exit status means.

    Args:
        status: As :mod:`subprocess` has it, negative for signals; ``None`` where nobody knows.
        answered: What it had done until then, to stand at the end: ``"after 41 records"``.
    """
    after = f" {answered}" if answered else ""
    if status is None:
        return Death(f"ended{after}, nobody knows how", "something else in this program waits for child processes")
    if status >= 0:
        hint = "the plugin, or a library of its, ended the process itself; it is to raise an exception instead"
        return Death(f"ended with exit code {status}{after}", hint)
    try:
        name = signal.Signals(-status).name
    except ValueError:
        return Death(f"ended with signal {-status}{after}")
    return Death(f"ended with signal {-status} ({name}){after}", _HINTS.get(name))


# By name: not every system has all of them.
_HINTS: dict[str, str] = {
    "SIGKILL": "signal 9 is often the kernel's out-of-memory killer; see memory_bytes of plugline's Sandbox",
    "SIGSEGV": "native code of a library that the plugin uses read or wrote where it must not; update or report it",
    "SIGABRT": "native code of a library that the plugin uses gave up; its last words are in the log",
    "SIGXCPU": "it used up the processor time that it may; see cpu_seconds of plugline's Sandbox",
    "SIGSYS": "it asked the kernel for what its sandbox denies",
}


@frozen()
class History:
    """What the workers of one plugin have come to.

    Attributes:
        in_a_row: How many ended since a request was last answered.
        total: How many ended in all.
        lost_state: Whether the last of them had what no other can have.
    """

    in_a_row: int = 0
    last: Death | None = None
    total: int = 0
    lost_state: bool = False

    def after_death(self, death: Death) -> "History":
        """Return the history with one death more."""
        return History(self.in_a_row + 1, death, self.total + 1)

    def after_answer(self) -> "History":
        """Return the history after a request that was answered."""
        return self if self.in_a_row == 0 else replace(self, in_a_row=0)

    @property
    def quarantined(self) -> bool:
        """Whether the plugin is to be set aside."""
        return self.in_a_row >= MAX_DEATHS or self.lost_state

    def after_loss(self) -> "History":
        """Return the history of a plugin whose next worker would not know what the last one knew."""
        return replace(self, lost_state=True)
