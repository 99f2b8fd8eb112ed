"""A plugin that runs in workers, one after the other: started when it is needed, restarted when one died, set aside at last.

States::

    resting ──call──▶ running ──death──▶ resting
                         │ third death in a row
                         ▼
                    quarantined ──release──▶ resting
"""

import errno
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple, TypeAlias, cast

from plugline.contract.interface import Interface
from plugline.errors import (
    LoadError,
    PluginDeclined,
    PluginError,
    PluginQuarantined,
    SandboxUnavailable,
    SettingsRefused,
    WorkerFailed,
    WorkerTimedOut,
    plugin_raised,
)
from plugline.findings import Finding, Place
from plugline.isolation.answers import Answer, Declined, Done, Failed, Loaded, Made, Raised
from plugline.isolation.channel import Patience
from plugline.isolation.levels import Confinement
from plugline.isolation.life import GRACE_SECONDS, Death, Died, History, Life, Starter
from plugline.isolation.process import from_main_thread
from plugline.isolation.talk import Talk
from plugline.worker.loaded import Sent
from plugline.worker.packing import Unsendable

_START_SECONDS = 30.0  # until no plugin code has run: whatever is slow there is the machine


_START_HINT = "the machine, or a limit of this process, does not allow for another one"
_START_HINTS = dict.fromkeys(
    (errno.EMFILE, errno.ENFILE),
    "each worker takes some descriptors of its host: raise the limit (ulimit -n), or close hosts",
)
_CLOSING_SECONDS = 5.0  # for on_unload()

Reason: TypeAlias = Literal["load", "reload", "restore"]


class _Before(NamedTuple):
    """What a plugin in a worker goes back to where its next version cannot take its place."""

    sent: Sent
    life: Life | None
    history: History
    made: set[int]
    functions: tuple[str, ...]
    interface: Interface | None
    is_class: bool
    generation: int
    opens: bool
    closes: bool


class Unloadable(Exception):
    """The plugin cannot be loaded; its argument is the finding or findings, or why it declines."""

    def __init__(self, findings: tuple[Finding, ...] = (), declined: str | None = None) -> None:
        super().__init__(findings, declined)
        self.findings = findings
        self.declined = declined


class IsolatedPlugin:
    """One plugin on the far side of the boundary.

    Threads: calls from several wait for each other; the plugin sees one at a time.

    Attributes:
        interface: Which of the host's interfaces it provides, once it was loaded.
        is_class: Whether it has instances of its own.
        functions: The names of what can be called.
        seconds: How long starting the worker and loading the plugin took.
    """

    def __init__(
        self,
        sent: Sent,
        interfaces: Sequence[Interface],
        confinement: Confinement,
        starter: Starter,
        *,
        path: Sequence[str],
        logger: str,
        environment: Mapping[str, str],
        own_path: bool = False,
    ) -> None:
        """Make it; nothing is started yet."""
        self.name = sent.name
        self._sent = sent
        self._interfaces = interfaces
        self.confinement = confinement
        self._starter = starter
        self._path = list(path)
        self._own_path = own_path
        self._logger = logger
        self._environment = dict(environment)
        self.lock = threading.RLock()
        self.history = History()
        self._life: Life | None = None
        self._owner = 0
        self._instances: dict[int, dict[str, object]] = {}
        self._made: set[int] = set()
        self._stateful: set[int] = set()
        self._gone: list[int] = []  # instances that nobody holds any more, and the worker still does
        self._numbers = 0
        self.interface: Interface | None = None
        self.is_class = False
        self.functions: tuple[str, ...] = ()
        self.generation = 1
        self._opens = self._closes = False

    @property
    def alone(self) -> str:
        """The class of its file that has the file's name, where several fit."""
        return self._sent.alone

    @property
    def path(self) -> str:
        """Its file, as tracebacks have it."""
        return self._sent.path

    @property
    def shown(self) -> str:
        """Its file, as messages show it."""
        return self._sent.shown

    # ------------------------------------------------------------------ life

    def load(self) -> None:
        """Start a worker and load the plugin in it, unless one runs.

        Raises:
            Unloadable: It cannot be, or declines.
        """
        with self.lock:
            self._load("load")

    def living(self, reason: Reason | None = "load") -> Life:
        """Return a worker that runs, a new one if need be. The caller holds :attr:`lock`.

        Args:
            reason: What the plugin is told when it may open what it owns (:class:`plugline.loading.moments.LoadContext`);
                ``None`` where that is to come later.

        Raises:
            PluginQuarantined: There have been too many.
            WorkerFailed: A new one ended before it was ready.
            Unloadable: A new one could not load the plugin.
        """
        if self._life is not None and self._owner != os.getpid():
            self._life = None  # this is a fork of the host: the worker is the parent's
        if self._life is not None and self._life.alive:
            return self._life
        if self.history.quarantined:
            raise self.quarantined()
        self._made.clear()
        try:
            try:
                life = self._begun(reason)
            except Died as died:
                if died.death.forged or died.death.timed_out:
                    raise
                life = self._begun(reason)  # who forked it may have been killed; nothing of the plugin has run
        except Died as died:
            raise self.died(died.death) from None
        try:
            answer = life.receive(0, Patience(self.confinement.timeout_seconds, "to load the plugin"))
            life.done()
        except Died as died:
            raise self.died(died.death) from None
        except BaseException:
            life.kill()
            raise
        self._take(life, answer)
        self._life = life
        return life

    def _begun(self, reason: Reason | None) -> Life:
        """Return a worker that is ready, and is loading the plugin."""
        try:
            life = Life(self._starter, Talk(self._logger))
        except OSError as error:
            what = f"could not be started: {error.strerror or error}"
            raise WorkerFailed(self.name, what, _START_HINTS.get(error.errno or 0, _START_HINT)) from None
        self._owner = os.getpid()
        try:
            life.send_start(self._start(reason), Patience(_START_SECONDS, "to start"))
        except SandboxUnavailable as error:
            raise Unloadable((Finding("P362", error.what, Place(self._sent.shown), error.hint),)) from None
        except BaseException:
            life.kill()
            raise
        return life

    def _start(self, reason: Reason | None) -> dict[str, object]:
        import logging  # where there are workers it is loaded by now

        return {
            "level": self.confinement.level,
            "limits": self.confinement.limits.to_data(),
            "path": self._path,
            "own_path": self._own_path,
            "environment": self._environment,
            "log_level": logging.getLogger(self._logger).getEffectiveLevel(),
            "from_main_thread": from_main_thread(),
            "plugin": self._sent.to_data(),
            "open": None if reason is None else [self.generation, reason],
        }

    def _take(self, life: Life, answer: Answer) -> None:
        match answer:
            case Loaded():
                if answer.interface >= len(self._interfaces):
                    raise self.died(life.kill(Death("named an interface that there is not")))
                self.interface = self._interfaces[answer.interface]
                self.is_class = answer.is_class
                self._opens, self._closes = answer.opens, answer.closes
                # By the other names Python itself calls, and a proxy keeps what it is: a worker may say anything.
                self.functions = tuple(
                    name for name in answer.functions if name == "__call__" or (name.isidentifier() and name[0] != "_")
                )
            case Declined():
                life.end(GRACE_SECONDS)
                raise Unloadable(declined=answer.reason)
            case Failed():
                life.end(GRACE_SECONDS)
                raise Unloadable(tuple(_finding(*fields) for fields in answer.findings))
            case _:
                raise self.died(life.misbehaved(answer).death)

    def reload(self, sent: Sent) -> bool:
        """Let a new worker with other sources take the place of the one that runs, if it can be loaded.

        Instances are made again with their settings; what else they held is lost. A plugin in quarantine gets another try.

        Returns:
            Whether anything is other than before.

        Raises:
            Unloadable: The new one cannot be loaded; the old one goes on.
        """
        with self.lock:
            if sent == self._sent and not self.history.quarantined:
                return False
            before = self._remembered()
            closed = False
            self._sent, self._life, self.history = sent, None, History()
            self.generation += 1
            try:
                self._load(None)
                if self._opens or before.closes:
                    closed = self._end(before.life, closes=before.closes)
                    self._open("reload")
                self._make_again()
            except BaseException:
                new = cast("Life | None", self._life)
                self._recall(before)
                if new is not None:
                    new.kill()
                if closed:
                    self._life = None
                    self._made = set()
                    with suppress(PluginError, Unloadable):
                        self.living("restore")
                raise
            if not closed:
                self._end(before.life, closes=before.closes)
        return True

    def _load(self, reason: Reason | None) -> None:
        try:
            self.living(reason)
        except (WorkerFailed, PluginQuarantined) as error:
            raise self._unloadable(error) from None

    def _open(self, reason: Reason) -> None:
        """Let a plugin that was loaded open what it owns, now that nobody else has that."""
        if not self._opens:
            return
        life = self.living(None)
        watch = Patience(self.confinement.timeout_seconds, "in on_load()")
        try:
            answer = self._ask(life, ["open", 0, self.generation, reason], watch)
        except WorkerFailed as error:
            raise self._unloadable(error) from None
        match answer:
            case Done():
                pass
            case Failed():
                raise Unloadable(tuple(_finding(*fields) for fields in answer.findings))
            case _:
                raise self.died(life.misbehaved(answer).death)

    def _end(self, life: Life | None, *, closes: bool) -> bool:
        """Let a worker end by itself, if it is this process's. Returns whether there was one."""
        if life is None or self._owner != os.getpid():
            return False
        # Who has something to close may take longer, and whoever hangs is not waited for much longer either.
        life.end(min(_CLOSING_SECONDS, self.confinement.timeout_seconds) if closes else GRACE_SECONDS)
        return True

    def _remembered(self) -> "_Before":
        return _Before(
            self._sent,
            self._life,
            self.history,
            set(self._made),
            self.functions,
            self.interface,
            self.is_class,
            self.generation,
            self._opens,
            self._closes,
        )

    def _recall(self, before: "_Before") -> None:
        self._sent, self._life, self.history, self._made = before.sent, before.life, before.history, before.made
        self.functions, self.interface, self.is_class = before.functions, before.interface, before.is_class
        self.generation, self._opens, self._closes = before.generation, before.opens, before.closes

    def _make_again(self) -> None:
        try:
            life = self.living()
            for number in list(self._instances):
                self.ensure(life, number)
        except LoadError as error:
            raise Unloadable(error.findings) from None
        except PluginError as error:
            raise self._unloadable(error) from None

    def _unloadable(self, error: PluginError) -> Unloadable:
        said = str(error).partition("\n")[0]
        return Unloadable((Finding("P363", said, Place(self._sent.shown), _hint_of(error)),))

    def died(self, death: Death) -> WorkerFailed:
        """Take note of a death, and return the error that tells of it."""
        self._life = None
        self.history = self.history.after_death(death)
        return (WorkerTimedOut if death.timed_out else WorkerFailed)(self.name, death.what, death.hint)

    def answered(self) -> None:
        """Take note that a request was answered."""
        self.history = self.history.after_answer()

    def quarantined(self) -> PluginQuarantined:
        """Return the error for calls of a plugin that is set aside."""
        last = self.history.last
        what = last.what if last is not None else "ended"
        message = f"{self.history.in_a_row} workers in a row died; the last one {what}"
        if self.history.lost_state:
            message = f"its worker {what}, and what it had seen of the records went with it"
        hint = (
            f"mend it, then load it anew: host.reload({self.name!r}); or let it try again: host.release({self.name!r})"
        )
        return PluginQuarantined(self.name, (Finding("P364", message, Place(self._sent.shown), hint),))

    def release(self) -> None:
        """Let a plugin that is in quarantine try again."""
        with self.lock:
            self.history = History(0, self.history.last, self.history.total)

    def close(self) -> None:
        """End the worker. May be called again; a later call starts another one."""
        with self.lock:
            life, self._life = self._life, None
            self._end(life, closes=self._closes)

    def kill(self) -> None:
        """End the worker without asking it, for a host that was dropped."""
        life, self._life = self._life, None
        if life is not None and self._owner == os.getpid():
            life.kill()

    # ------------------------------------------------------------------ instances and calls

    def make(self, settings: Mapping[str, object]) -> int:
        """Make an instance with settings, and return its number.

        Raises:
            SettingsRefused: The settings do not fit.
            Unsendable: They hold something that cannot cross.
            WorkerFailed, PluginQuarantined: There is no worker.
        """
        with self.lock:
            self._numbers += 1
            number = self._numbers
            self._instances[number] = dict(settings)
            try:
                self.ensure(self._started(), number)
            except BaseException:
                self._instances.pop(number, None)
                raise
        return number

    def _started(self) -> Life:
        try:
            return self.living()
        except Unloadable as error:
            if error.declined is not None:
                raise PluginDeclined(self.name, error.declined) from None
            raise LoadError(self.name, error.findings) from None

    def ensure(self, life: Life, number: int) -> None:
        """Make the instance in this worker, if it has not been. The caller holds :attr:`lock`."""
        if number in self._made:
            return
        watch = Patience(self.confinement.timeout_seconds, "to make an instance")
        gone, self._gone = self._gone, []
        answer = self._ask(life, ["make", 0, number, self._instances[number], gone], watch)
        match answer:
            case Made():
                if answer.problems:
                    raise self._refused(answer)
                if answer.stateful:
                    self._stateful.add(number)
            case Raised():
                raise self._raised(answer)
            case _:
                raise self.died(life.misbehaved(answer).death)
        self._made.add(number)

    def _ask(self, life: Life, message: list[object], watch: Patience) -> Answer:
        try:
            return life.call(message, watch)
        except Died as died:
            raise self.died(died.death) from None

    def _refused(self, answer: Made) -> Exception:
        place = Place(self._sent.shown)
        findings = [Finding(code, message, place, hint) for _, code, message, hint in answer.problems]
        if any(finding.code == "P201" for finding in findings):
            return LoadError(self.name, findings)
        return SettingsRefused(self.name, findings, [tuple(path) for path, *_ in answer.problems])

    def _raised(self, answer: Raised) -> Exception:
        return plugin_raised(
            self.name, answer.kind, answer.message, answer.path, answer.line, answer.traceback, answer.bases
        )

    def is_stateful(self, number: int) -> bool:
        """Whether an instance, or its plugin's module, says that what it returns depends on what it was given before."""
        return number in self._stateful

    def drop(self, number: int) -> None:
        """Let an instance go that nobody holds any more. Never raises: a finalizer calls it."""
        self._instances.pop(number, None)
        self._stateful.discard(number)
        self._gone.append(number)

    def call(self, number: int, method: str, arguments: Sequence[object], keywords: Mapping[str, object]) -> object:
        """Call a function of an instance and return what it returns.

        Raises:
            PluginRaised: It raised.
            WorkerFailed: The worker died of it.
            PluginQuarantined: Too many did.
            Unsendable: An argument cannot cross.
        """
        return self._request(number, ["call", 0, number, method, list(arguments), dict(keywords)], f"in {method}()")

    def get(self, number: int, name: str) -> object:
        """Return the value of an attribute of an instance. Raises as :meth:`call`."""
        return self._request(number, ["get", 0, number, name], f"to read {name!r}")

    def _request(self, number: int, message: list[object], what: str) -> object:
        with self.lock:
            life = self._started()
            self.ensure(life, number)
            try:
                answer = self._ask(life, message, Patience(self.confinement.timeout_seconds, what))
            except Unsendable as error:
                raise Unsendable(way_within(error.where), error.said) from None
            match answer:
                case Done():
                    self.answered()
                    return answer.value
                case Raised():
                    self.answered()
                    raise self._raised(answer)
                case _:
                    raise self.died(life.misbehaved(answer).death)


def _finding(
    code: str, message: str, path: str, line: int | None, column: int | None, hint: str | None, source_line: str | None
) -> Finding:
    known = code if code[:1] in "PCT" and code[1:].isdigit() and len(code) == 4 else "P301"
    return Finding(known, message, Place(path, line, column), hint, source_line)


def way_within(where: str) -> str:
    """Return the way to a value from the argument, or the record, on that it is in: without its places in the message."""
    return where.partition("]")[2].partition("]")[2]


def _hint_of(error: Exception) -> str | None:
    return cast("str | None", getattr(error, "hint", None))
