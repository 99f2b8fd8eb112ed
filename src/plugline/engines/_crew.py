"""Splits to parts, by way of split processes.

A split process is forked from the one that has loaded all plugins, reads its own bytes, and answers with what it wrote in
memory that both share, and a message over a pipe. So nothing is pickled but the split and its counts, and parts are put in
place without another copy. It is told to end by the end of a pipe, and ends with this process however that ends.

Where this process has other threads, a fork could copy a lock that one of them holds: then each split process
is a new interpreter, which gets the runner by value and answers over the pipe alone.
"""

import gc
import os
import select
import signal
import sys
import time
from _pickle import dumps, loads  # pickle and struct are written in Python around these: 1 ms of a run of one record
from _struct import Struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from io import TextIOWrapper
from mmap import mmap
from types import FrameType
from typing import Protocol, cast

from plugline.records import CarefulRunner, Part, Split, SplitRunner

_SLOT_BYTES = 8 * 2**20  # of address space; memory is what has been written of it
_SLOTS = 3  # one that is being put in place, one that waits for it, one that is written
_INPUT_BYTES = 2 * 2**20  # of each slot, for a split that brings its content: twice as much as most have
_MOST_KILLERS = 100  # in one split: each costs a process and a part of the split again
_LENGTH = Struct("<Q")
_NOTE = Struct("<qq")
_NOTHING_NOTED = -1
_LIVE = Struct(
    "qqd"
)  # of each slot: records and failures so far, and the share of its input; native, so written word by word
_INTERRUPTED = 32  # in the first page: whether an interrupt is this run's end
_INTERRUPTED_SECONDS = 1.0  # in which a split process may say what it was doing
_LIVE_BEGIN = 64  # in the first page
_BEAT_SECONDS = 0.1
_PIPE_BYTES = 2**20  # what a user may have without asking
_PAGE_BYTES = 4096  # of the shared memory, before the slots: what is being done
_INPUT_BEGIN = _PAGE_BYTES + _SLOTS * _SLOT_BYTES
_MEMORY_BYTES = _INPUT_BEGIN + _SLOTS * _INPUT_BYTES


class SplitProcessDied(RuntimeError):
    """A split process ended again and again: while it was not in any record, or in more of them than are set aside.

    Attributes:
        stage: The step that ended it, counted from 1, where that is known: 0 is the source, and the last is the sink.
    """

    def __init__(self, message: str, stage: int | None = None) -> None:
        super().__init__(message, stage)
        self.stage = stage

    def __str__(self) -> str:
        return str(self.args[0])


def _is_single_threaded() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:  # not Linux
        return False


# ----------------------------------------------------------------------------- this side


class _End:
    """What stands for the end of the splits, where ``None`` stands for a moment without one."""


_END = _End()


class _Task:
    """A split that is with a process.

    Attributes:
        killers: The records in it that are known to kill, each with stage and reason.
        careful: Whether a process died in it, so that it is to be run record by record.
        suspect: The record that the process was in which died last.
        deaths: How many processes died in it since a record was blamed.
    """

    __slots__ = ("careful", "deaths", "killers", "split", "suspect")

    def __init__(self, split: Split) -> None:
        self.split = split
        self.killers: dict[int, tuple[int, str]] = {}
        self.careful = False
        self.suspect = _NOTHING_NOTED
        self.deaths = 0


class Crew:
    """Some split processes, and who does what."""

    def __init__(self, runner: SplitRunner, most: int) -> None:
        self._runner = runner
        self._most = most
        self._processes: list[_Process] = []
        self._poll = select.poll()
        self._tell: _TellCall | None = getattr(runner, "tell", None)
        self._beat_due = 0.0

    def parts(self, splits: Iterator[Split | None], *, ordered: bool) -> Iterator[Part]:
        """Yield the part of each split; see :meth:`~plugline.records.Engine.run`."""
        done: dict[int, tuple[_Process, Part, int]] = {}
        sequence: deque[int] = deque()  # the splits that are with somebody, in order
        more = True
        while True:
            starved = False
            while more and self._can_take():
                split = next(splits, _END)
                if split is None or isinstance(split, _End):
                    more = starved = split is None
                    break
                sequence.append(split.index)
                self._free().give(_Task(split))
            if not sequence:
                if more:
                    continue  # who makes the splits has waited a while for the input
                return
            index = self._next(done, sequence, ordered=ordered)
            if index is None:
                try:
                    for process, part, slot in self._answers(waits=not starved):
                        done[part.split.index] = process, part, slot
                except KeyboardInterrupt:
                    yield self._interrupted(sequence[0])
                    return
                # The next split may be a while in coming, and what is done does not wait for it.
                index = self._next(done, sequence, ordered=ordered) if starved else None
            if index is None:
                continue
            process, part, slot = done.pop(index)
            sequence.remove(index)
            yield part
            # Whoever took the part has written it by now.
            process.free_slot(slot)

    @staticmethod
    def _next(done: Mapping[int, object], sequence: "deque[int]", *, ordered: bool) -> int | None:
        if ordered:
            return sequence[0] if sequence[0] in done else None
        return next(iter(done), None)

    def _can_take(self) -> bool:
        """Whether there is, or may be, a process for another split."""
        if len(self._processes) < self._most:
            return True
        return any(process.slots and len(process.tasks) < 2 for process in self._processes)

    def _free(self) -> "_Process":
        """Return the process that takes the next split: one without work, else a new one, else one that will be done."""
        idle = [process for process in self._processes if process.slots]
        best = min(idle, key=lambda process: len(process.tasks), default=None)
        if best is None or (best.tasks and len(self._processes) < self._most):
            return self._start()
        return best

    def _start(self) -> "_Process":
        process = _Process(self._runner, [number for one in self._processes for number in one.descriptors])
        self._processes.append(process)
        self._poll.register(process.answers, select.POLLIN)
        return process

    def _answers(self, *, waits: bool) -> Iterator[tuple["_Process", Part, int]]:
        """Yield what was answered, and wait until something is unless there may be another split before."""
        waiting = [process for process in self._processes if process.outbox]
        for process in waiting:
            self._poll.register(process.orders, select.POLLOUT)
        ready = dict(self._poll.poll((None if self._tell is None else _BEAT_SECONDS * 1000) if waits else 0))
        if self._tell is not None:
            self._beat(self._tell)
        for process in waiting:
            self._poll.unregister(process.orders)
            process.send()
        for process in [*self._processes]:
            if process.answers in ready:
                yield from process.read()
                if process.ended:
                    self._replace(process)

    def _interrupted(self, index: int) -> Part:
        """Interrupt what is being done, and return how far a split came, which says where; raises where nobody answers."""
        for process in self._processes:
            process.interrupt()
        until = time.monotonic() + _INTERRUPTED_SECONDS
        while (left := until - time.monotonic()) > 0:
            ready = dict(self._poll.poll(left * 1000))
            for process in self._processes:
                for _, part, _ in process.read() if process.answers in ready and not process.ended else ():
                    if part.split.index == index and part.stop is not None:
                        return part
        raise KeyboardInterrupt

    def _beat(self, tell: "_TellCall") -> None:
        """Tell how far each split is that is with a process."""
        now = time.monotonic()
        if now >= self._beat_due:
            self._beat_due = now + _BEAT_SECONDS
            for process in self._processes:
                for index, live in process.live():
                    tell(index, *live)

    def _replace(self, process: "_Process") -> None:
        """Put a new process in the place of one that died, and give it what the other had not done."""
        self._poll.unregister(process.answers)
        self._processes.remove(process)
        noted, stage = process.noted()
        status = process.reap()
        tasks = [*process.tasks]
        if tasks:
            self._blame(tasks[0], status, noted, stage)
        new = self._start()
        for task in tasks:
            new.give(task)

    @staticmethod
    def _blame(task: _Task, status: str, noted: int, stage: int) -> None:
        """Take note of a process that died in a split. A record is to blame when two have died in it."""
        task.deaths += 1
        if task.careful and noted != _NOTHING_NOTED and noted == task.suspect and len(task.killers) < _MOST_KILLERS:
            task.killers[noted] = stage, f"the split process {status}"
            task.deaths = 0
        elif task.deaths > _MOST_DEATHS:
            known = f", after {len(task.killers)} records that killed one" if task.killers else ""
            where = f"split {task.split.index} of {task.split.path}"
            to_blame = next(reversed(task.killers.values()))[0] if task.killers else None
            raise SplitProcessDied(f"a split process {status}, again and again, in {where}{known}", to_blame)
        task.suspect = noted if task.careful else _NOTHING_NOTED
        task.careful = True

    def close(self) -> None:
        for process in self._processes:
            process.kill()
        self._processes.clear()


_MOST_DEATHS = 10  # in a row and without a record to blame: somebody else kills them, or the reader does


class _Process:
    """One split process, as this side sees it.

    Attributes:
        tasks: What it was given and has not answered, in order.
        slots: The numbers of the shared slots that nobody uses.
    """

    def __init__(self, runner: SplitRunner, others: list[int]) -> None:
        self.tasks: deque[_Task] = deque()
        self.outbox: deque[memoryview] = deque()
        self.slots = list(range(_SLOTS))
        self.ended = False
        self._inbox = bytearray()
        self._in_slots: dict[int, int] = {}  # which split is in which slot
        orders, self.orders = os.pipe()
        self.answers, answers = os.pipe()
        # Its writing end is open in this process only: when that ends, the kernel tells the other. A pipe for each of them,
        # since who is told belongs to the open pipe, and not to the process.
        life, self._life = os.pipe()
        if _is_single_threaded():
            self._memory = mmap(-1, _MEMORY_BYTES)
            closed = [*self.descriptors, *others]
            self._pid = self._fork(runner, orders, answers, life, closed)
        else:
            shared = _shared_memory()
            self._memory = mmap(shared, _MEMORY_BYTES)
            self._pid = _spawn(orders, answers, life, shared)
            os.close(shared)
            self._post(runner, getattr(runner, "tell", None) is not None)
        for descriptor in (orders, answers, life):
            os.close(descriptor)
        _widen(self.orders)
        os.set_blocking(self.orders, False)

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """What is open on this side, and may not stay open in another process."""
        return self.orders, self.answers, self._life

    def _fork(self, runner: SplitRunner, orders: int, answers: int, life: int, closed: list[int]) -> int:
        _flush_talk()
        pid = os.fork()
        if pid:
            return pid
        # What is there is not looked at again by the collector, so that its pages stay shared.
        gc.freeze()
        status = 1
        try:
            for descriptor in closed:
                os.close(descriptor)
            _die_with(life)
            told = getattr(runner, "tell", None) is not None
            _Serving(runner, orders, answers, self._memory, told=told).serve()
            status = 0
        except BaseException:  # noqa: BLE001 - nothing of the parent's stack may run here
            sys.excepthook(*sys.exc_info())
        finally:
            _flush_talk()
            os._exit(status)

    def give(self, task: _Task) -> None:
        self.tasks.append(task)
        split, slot = task.split, self.slots.pop()
        self._in_slots[slot] = split.index
        _LIVE.pack_into(self._memory, _live_begin(slot), 0, 0, 0.0)
        content = split.content
        size = -1
        if content is not None and len(content) <= _INPUT_BYTES:
            # A pipe would copy it twice, and pickle twice more.
            size = len(content)
            begin = _INPUT_BEGIN + slot * _INPUT_BYTES
            self._memory[begin : begin + size] = content
            split = replace(split, content=None)
        self._post(split, task.careful, task.killers, slot, size)

    def _post(self, *message: object) -> None:
        data = dumps(message, protocol=5)
        self.outbox += (memoryview(_LENGTH.pack(len(data))), memoryview(data))
        self.send()

    def send(self) -> None:
        """Send as much as the pipe takes. It must not block: the other side may be waiting for us to read."""
        while self.outbox:
            try:
                sent = os.write(self.orders, self.outbox[0])
            except BlockingIOError:
                return
            except BrokenPipeError:
                self.outbox.clear()  # its end is seen when its answers are read
                return
            if sent < len(self.outbox[0]):
                self.outbox[0] = self.outbox[0][sent:]
            else:
                self.outbox.popleft()

    def read(self) -> Iterator[tuple["_Process", Part, int]]:
        data = os.read(self.answers, 2**20)
        if not data:
            self.ended = True
            return
        self._inbox += data
        while len(self._inbox) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._inbox)
            if len(self._inbox) < _LENGTH.size + length:
                return
            message = bytes(self._inbox[_LENGTH.size : _LENGTH.size + length])
            del self._inbox[: _LENGTH.size + length]
            task = self.tasks.popleft()
            answer = loads(message)
            if isinstance(answer, BaseException):
                raise answer
            part, slot, written = answer
            content = part.content
            if written:
                begin = _slot_begin(slot)
                content = (memoryview(self._memory)[begin : begin + written],)
            yield self, replace(part, split=replace(task.split, content=None, raws=None), content=content), slot

    def free_slot(self, slot: int) -> None:
        """Let it write where it wrote before."""
        del self._in_slots[slot]
        self.slots.append(slot)

    def live(self) -> Iterator[tuple[int, tuple[int, int, float]]]:
        """Yield how far each split is that has a slot."""
        for slot, index in self._in_slots.items():
            yield index, _LIVE.unpack_from(self._memory, _live_begin(slot))

    def noted(self) -> tuple[int, int]:
        """Return the record and the stage that it was in, as far as it was careful."""
        record, stage = _NOTE.unpack_from(self._memory)
        return record, stage

    def interrupt(self) -> None:
        """Ask it to stop what it does, and to answer with what that came to."""
        if self.tasks and not self.ended:
            self._memory[_INTERRUPTED] = 1
            os.kill(self._pid, signal.SIGINT)

    def reap(self) -> str:
        """Wait for its end, which is there or near, and say how it came."""
        self._close()
        _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return f"ended with exit code {code}"
        try:
            name = f" ({signal.Signals(-code).name})"
        except ValueError:
            name = ""
        return f"was ended by signal {-code}{name}"

    def kill(self) -> None:
        # Not waited for yet, so the number is still its own.
        os.kill(self._pid, signal.SIGKILL)
        self.reap()

    def _close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        # Parts that nobody has taken yet hold the memory; it goes with the last of them.
        with suppress(BufferError):
            self._memory.close()


def _widen(pipe: int) -> None:
    """Let a pipe hold a split with its content, where the system allows it: fewer turns for each."""
    if sys.platform == "linux":
        import fcntl  # of Unix only

        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _slot_begin(slot: int) -> int:
    return _PAGE_BYTES + slot * _SLOT_BYTES


def _live_begin(slot: int) -> int:
    return _LIVE_BEGIN + slot * _LIVE.size


def _shared_memory() -> int:
    """Return the descriptor of memory that another program can share."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("plugline")
    else:
        from tempfile import TemporaryFile  # only where there is nothing better

        with TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, _MEMORY_BYTES)
    return descriptor


def _spawn(orders: int, answers: int, life: int, memory: int) -> int:
    """Start a new interpreter that serves."""
    program = f"import sys; sys.path[:] = {sys.path!r}; from plugline.engines._crew import serve; serve({orders}, {answers}, {life}, {memory})"
    descriptors = (orders, answers, life, memory)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    try:
        # What its plugins print is talk: standard output may be where the records go.
        talk = [(os.POSIX_SPAWN_DUP2, 2, 1)]
        return os.posix_spawn(sys.executable, [sys.executable, "-c", program], os.environ, file_actions=talk)
    finally:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)


# ----------------------------------------------------------------------------- the other side


def _die_with(life: int) -> None:
    """End when the process that holds the other end of a pipe ends, whatever is being done then.

    The kernel sends SIGIO where the last writer goes, which ends a process that has not asked for anything else. prctl would
    need ctypes, which costs more than the start of the process. Elsewhere than on Linux that signal is passed over, or never
    sent for pipes, and a thread waits.
    """
    if sys.platform != "linux":
        from _thread import start_new_thread  # elsewhere only

        start_new_thread(_exit_at_end, (life,))
        return
    import fcntl  # of Unix only

    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([life], [], [], 0)[0]:
        os._exit(1)  # it had ended before


def _exit_at_end(life: int) -> None:
    os.read(life, 1)
    os._exit(1)


def _flush_talk() -> None:
    """Write out what plugins printed."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):  # closed on the other side, or by a plugin
                stream.flush()


def _pass_over(number: int, frame: FrameType | None) -> None:
    """Do nothing about a signal."""


def serve(orders: int, answers: int, life: int, memory: int) -> None:
    """Serve as a split process that is an interpreter of its own."""
    _die_with(life)
    _Serving(None, orders, answers, mmap(memory, _MEMORY_BYTES)).serve()


class _RunsInto(Protocol):
    """A runner that writes a part to memory that is given for it, where it fits: the part's content is a view of that then."""

    def into(self, split: Split, memory: memoryview, /) -> Part: ...


_TellCall = Callable[[int, int, int, float], object]


class _Serving:
    """A split process, as it sees itself."""

    def __init__(
        self, runner: SplitRunner | None, orders: int, answers: int, memory: mmap, *, told: bool = False
    ) -> None:
        self._runner = runner
        self._orders = orders
        self._answers = answers
        self._memory = memory
        self._told = told
        self._runs = False

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._runs and self._memory[_INTERRUPTED]:
            self._runs = False
            raise KeyboardInterrupt

    def serve(self) -> None:
        # The parent ends us; Ctrl-C in a terminal is sent to all of us, and so is that it was closed.
        # A function and not SIG_IGN, which programs that a plugin starts would inherit.
        signal.signal(signal.SIGINT, self._interrupt)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, _pass_over)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(
                    line_buffering=True
                )  # lines of several processes come one after the other, and whole
        self._note(_NOTHING_NOTED, 0)
        if self._runner is None:
            message = self._receive()
            if message is None:
                return
            self._runner, self._told = cast("tuple[SplitRunner, bool]", message)
        while (message := self._receive()) is not None:
            split, careful, killers, slot, size = cast(
                "tuple[Split, bool, Mapping[int, tuple[int, str]], int, int]", message
            )
            if size >= 0:
                begin = _INPUT_BEGIN + slot * _INPUT_BYTES
                split = replace(split, content=self._memory[begin : begin + size])
            try:
                self._runs = True
                part = self._run(self._runner, split, slot, killers, careful=careful)
                self._runs = False
                answer: object = self._packed(part, slot)
            except BaseException as error:  # noqa: BLE001 - it is raised again where the run is
                answer = _portable(error)
            _flush_talk()  # before the parent, which may have all that it wants, ends us
            self._send(answer)

    def _run(
        self, runner: SplitRunner, split: Split, slot: int, killers: Mapping[int, tuple[int, str]], *, careful: bool
    ) -> Part:
        if self._told:
            runner.tell = lambda _, *live: _LIVE.pack_into(self._memory, _live_begin(slot), *live)  # type: ignore[attr-defined]
        if not careful or not hasattr(runner, "carefully"):
            if not hasattr(runner, "into"):
                return runner(split)
            begin = _slot_begin(slot)
            return cast("_RunsInto", runner).into(split, memoryview(self._memory)[begin : begin + _SLOT_BYTES])
        self._note(_NOTHING_NOTED, 0)
        part = cast("CarefulRunner", runner).carefully(split, self._note, killers)
        self._note(_NOTHING_NOTED, 0)
        return part

    def _note(self, record: int, stage: int) -> None:
        _NOTE.pack_into(self._memory, 0, record, stage)

    def _packed(self, part: Part, slot: int) -> tuple[Part, int, int]:
        """Put the content into shared memory where it fits, and is not there already."""
        split = Split(index=part.split.index, path="")  # which the other side knows
        size = sum(map(len, part.content))
        if size > _SLOT_BYTES:
            return replace(part, split=split), slot, 0
        at = _slot_begin(slot)
        for piece in part.content:
            if isinstance(piece, memoryview) and piece.obj is self._memory:
                break
            self._memory[at : at + len(piece)] = piece if isinstance(piece, bytes) else bytes(piece)
            at += len(piece)
        return replace(part, split=split, content=()), slot, size

    def _receive(self) -> tuple[object, ...] | None:
        header = self._read(_LENGTH.size)
        if header is None:
            return None
        data = self._read(_LENGTH.unpack(header)[0])
        return None if data is None else cast("tuple[object, ...]", loads(data))

    def _read(self, count: int) -> bytes | None:
        pieces: list[bytes] = []
        while count:
            piece = os.read(self._orders, min(count, 2**20))
            if not piece:
                return None
            pieces.append(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _send(self, answer: object) -> None:
        data = dumps(answer, protocol=5)
        view = memoryview(_LENGTH.pack(len(data)) + data)
        while view:
            view = view[os.write(self._answers, view) :]


def _portable(error: BaseException) -> BaseException:
    """Return an error that can be sent: what cannot be pickled is told in words."""
    try:
        loads(dumps(error))
    except Exception:  # noqa: BLE001 - whatever a stranger's exception does when it is pickled
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
