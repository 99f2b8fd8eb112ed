"""One worker from its start to its end: a process, its pipes and what it says; and what its end means, a function of its history."""

import signal
from collections.abc import Callable
from dataclasses import replace

from plugline.clock import monotonic_seconds
from plugline.errors import SandboxUnavailable
from plugline.frozen import frozen
from plugline.isolation.answers import Answer, Ready, Refused
from plugline.isolation.channel import Channel, Ended, Patience, TookTooLong, Watch
from plugline.isolation.process import Pipes, Process
from plugline.isolation.talk import Talk
from plugline.worker.codec import encode
from plugline.worker.frames import WIRE_VERSION, plugline_version
from plugline.worker.packing import Malformed, TooLarge

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


Starter = Callable[[Pipes], Process]

GRACE_SECONDS = 0.5  # for a worker that is told to end, to run what is registered for that


class Died(Exception):
    """The worker is gone."""

    def __init__(self, death: Death) -> None:
        super().__init__(death)
        self.death = death


class Life:
    """One running worker. One thread at a time.

    Whatever goes wrong with it raises :class:`Died`, after the process was killed, reaped, and its descriptors closed.
    """

    def __init__(self, starter: Starter, talk: Talk) -> None:
        """Start it; what it is to be follows with :meth:`begin`.

        Raises:
            OSError: No process, or no pipes, could be made.
        """
        self._pipes = Pipes()
        self._talk = talk
        try:
            self._process = starter(self._pipes)
        except BaseException:
            self._pipes.close()
            raise
        talk.assign(self._pipes.output, self._pipes.errors)
        self._channel = Channel(self._pipes, self._process.pidfd, talk, self._process.has_ended)
        self._sequence = 0
        self.answered = ""  # for the message of its death
        self.alive = True
        self._last_at = 0

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def encode(self, message: list[object], with_codec: Callable[[list[object]], bytes] = encode) -> bytes:
        """Return a request as it will be sent next, its number put in its place, the second.

        Raises:
            Unsendable: It holds something that cannot cross.
        """
        message[1] = self._sequence + 1
        return with_codec(message)

    def begin_encoded(self, content: bytes) -> int:
        """Send what :meth:`encode` gave last, and return its number, which its answers have."""
        self._sequence += 1
        self._channel.send(content)
        return self._sequence

    def send_start(self, start: dict[str, object], watch: Watch) -> Ready:
        """Send the start message and wait until the worker is ready.

        Raises:
            Died: It ended instead.
            SandboxUnavailable: It could not take on its limits.
        """
        self._channel.send(encode(["start", start]))
        answer = self.receive(0, watch)
        if isinstance(answer, Refused):
            self.kill()
            raise SandboxUnavailable(answer.what, answer.hint)
        if not isinstance(answer, Ready):
            raise self._misbehaved("said something else before it was ready")
        if answer.wire != WIRE_VERSION:
            raise self._misbehaved(f"speaks version {answer.wire} of the wire, version {WIRE_VERSION} was expected")
        if answer.plugline != plugline_version():
            raise self._misbehaved(
                f"runs plugline {answer.plugline}, the host runs {plugline_version()}; make its environment again: plugline sync"
            )
        return answer

    def receive(self, sequence: int, watch: Watch) -> Answer:
        """Return the next answer to the request with this number.

        Raises:
            Died: There is none.
        """
        try:
            answer = self._channel.receive(watch)
        except Ended:
            raise self._ended() from None
        except TookTooLong as error:
            raise Died(self.kill(Death(str(error), _TIMEOUT_HINT, timed_out=True))) from None
        except Malformed as error:
            hint = _TOO_LARGE_HINT if isinstance(error, TooLarge) else _FORGED_HINT
            raise self._misbehaved(str(error), hint) from None
        except BaseException:
            # The user's own Ctrl-C comes in the middle of an answer that nobody will wait for any more.
            self.kill()
            raise
        if answer.sequence != sequence:
            raise self._misbehaved(f"answered request {answer.sequence}, request {sequence} was asked")
        return answer

    def done(self) -> None:
        """Take note that the oldest request has had its last answer; what it printed is logged by then."""
        self._channel.answered()
        self._channel.hear()
        self._talk.between()

    def call(self, message: list[object], watch: Watch) -> Answer:
        """Send a request and return its one answer.

        Raises:
            Died: The worker ended instead.
            Unsendable: It holds something that cannot cross; nothing was sent.
        """
        answer = self.receive(self.begin_encoded(self.encode(message)), watch)
        self.done()
        return answer

    @property
    def last_at(self) -> int:
        """What the worker says it is at, or was at when it ended: the request's number, shifted by 32 bits, and the record's."""
        return self._pipes.at() if self.alive else self._last_at

    def misbehaved(self, answer: Answer) -> Died:
        """Return what to raise where an answer is of a kind that was not asked for."""
        return self._misbehaved(f"answered with {type(answer).__name__} to another request")

    def confused(self, what: str) -> Died:
        """Return what to raise where an answer does not fit its request."""
        return self._misbehaved(what)

    def _misbehaved(self, what: str, hint: str | None = None) -> Died:
        return Died(self.kill(Death(what, hint or _FORGED_HINT, forged=True)))

    def _ended(self) -> Died:
        return Died(self.kill())

    def kill(self, death: Death | None = None) -> Death:
        """End it at once, and everything that it has started. May be called again.

        Returns:
            ``death``, or where that is not given what its exit status means.
        """
        if not self.alive:
            return death or Death("was killed")
        self.alive = False
        self._process.kill()
        status = self._process.reap()
        self._channel.drain()
        self._last_at = self._pipes.at()
        self._pipes.close()
        return death or death_by_status(status, answered=self.answered)

    def end(self, seconds: float) -> None:
        """Let it end by itself, and see that it does, after so long at the latest."""
        if not self.alive:
            return
        try:
            self._channel.send(encode(["end", 0]))
            patience = Patience(seconds, "ending")
            while True:  # whoever goes on answering is waited for no longer than who says nothing
                self._channel.receive(patience)
                patience.check(monotonic_seconds(), 0)
        except (Ended, TookTooLong, Malformed):
            pass
        finally:
            self.kill()


_TIMEOUT_HINT = "give it more time: Sandbox(timeout_seconds=...), or timeout_seconds of the step's sandbox"
_TOO_LARGE_HINT = (
    "return fewer at a time, and of an Arrow table columns whose values stand for themselves, not for others"
)
_FORGED_HINT = "a plugin that writes to descriptors which are not its own does this; nothing that it sent was used"
