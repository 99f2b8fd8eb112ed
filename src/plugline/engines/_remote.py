"""What the engines of other makers share: the runner by value, once a process, and parts that travel.

Nothing is expected of a worker but an installed plugline: what a plan needs is in the runner, as data. Imported on
workers, so it imports nothing of an engine's.
"""

import hashlib
import os
import pickle
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, TypeVar

from plugline.engines._desk import Desk, Handed, Load
from plugline.records import Part, Split, SplitRunner

T = TypeVar("T")

_MOST_RUNNERS = 2  # a process keeps: those of the run before are seldom asked for again


@dataclass(frozen=True, slots=True)
class Shipped:
    """A runner as it travels.

    Attributes:
        digest: Of the rest; a process that has met it before need not make the runner again.
        content: The pickled runner.
        desk: Where parts are handed over on the machine that drives the run.
    """

    digest: str
    content: bytes
    desk: str = ""


@dataclass(frozen=True, slots=True)
class Raised:
    """What a runner raised, in place of its part: engines wrap exceptions in their own, or try again four times.

    Attributes:
        content: The pickled exception, or that of a :class:`RuntimeError` with its text.
    """

    content: bytes

    def error(self) -> BaseException:
        """Return what was raised."""
        error = pickle.loads(self.content)  # noqa: S301 - of a worker of the user's own cluster, which ran the user's code
        assert isinstance(error, BaseException)  # noqa: S101 - made below
        return error


Outcome: TypeAlias = Part | Raised


@dataclass(frozen=True, slots=True)
class Done:
    """What a task became.

    Attributes:
        outcomes: Of its splits, up to one that ends the run.
        seconds: How long it took; 0 where that is not known.
        handed: Stands for the contents of the parts, where they were handed over.
    """

    outcomes: Iterable[Outcome]
    seconds: float = 0.0
    handed: Handed | None = None


def ship(runner: SplitRunner, desk: Desk) -> Shipped:
    """Pack a runner, once a run."""
    content = pickle.dumps(runner, protocol=pickle.HIGHEST_PROTOCOL)
    return Shipped(hashlib.blake2b(content, digest_size=16).hexdigest(), content, desk.address)


# ----------------------------------------------------------------------------- on workers

_here = threading.local()  # a runner does one thing at a time, and a worker may have several threads


def _runner(shipped: Shipped) -> SplitRunner:
    known: OrderedDict[str, SplitRunner] = _here.__dict__.setdefault("runners", OrderedDict())
    runner = known.get(shipped.digest)
    if runner is None:
        runner = known[shipped.digest] = pickle.loads(shipped.content)  # noqa: S301 - from the program that drives the run
    known.move_to_end(shipped.digest)
    while len(known) > _MOST_RUNNERS:
        _, old = known.popitem(last=False)
        close = getattr(old, "close", None)
        if close is not None:
            close()
    return runner


def prepare(shipped: Shipped) -> Raised | None:
    """Find out, before the first record, whether a worker can do its work: plugins load, inputs are there."""
    try:
        ready = getattr(_runner(shipped), "prepare", None)
        if ready is not None:
            ready()
    except BaseException as error:  # noqa: BLE001 - it is raised where the run is driven
        return raised(error)
    return None


def _run_one(shipped: Shipped, split: Split) -> Outcome:
    try:
        return _without_files(_runner(shipped)(split))
    except BaseException as error:  # noqa: BLE001 - likewise
        return raised(error)


def run_all(shipped: Shipped, splits: Sequence[Split]) -> Done:
    """Run some splits, up to one that ends the run."""
    began = time.monotonic()
    outcomes: list[Outcome] = []
    with closing(Load(shipped.desk)) as load:
        for split in splits:
            outcome = _run_one(shipped, split)
            load.add(outcome.content if isinstance(outcome, Part) else ())
            outcomes.append(_with_content(outcome, b""))
            if isinstance(outcome, Raised) or outcome.stop is not None:
                break
        handed = load.hand_over()
        if handed is None:
            outcomes = [*map(_with_content, outcomes, load.contents())]
    return Done(outcomes, time.monotonic() - began, handed)


def _with_content(outcome: Outcome, content: bytes) -> Outcome:
    return replace(outcome, content=(content,) if content else ()) if isinstance(outcome, Part) else outcome


def run_watched(shipped: Shipped, split: Split) -> Outcome:
    """Run one split of which workers died: in a process of its own, so that the record which kills it is found."""
    from plugline.engines._crew import Crew  # only where something died

    try:
        crew = Crew(_runner(shipped), 1)
        try:
            (part,) = (_carried(part) for part in crew.parts(iter([split]), ordered=True))
        finally:
            crew.close()
    except BaseException as error:  # noqa: BLE001 - likewise
        return raised(error)
    return part


def _carried(part: Part) -> Part:
    """Return a part that holds all that it is made of, as it is pickled."""
    part = _without_files(part)
    content = b"".join(part.content)
    return replace(part, content=(content,) if content else ())


def _without_files(part: Part) -> Part:
    """Return a part that holds all that it is made of; its files are of this machine, and go.

    The file of an output in parts stays: it lies in a folder that all workers share.
    """
    content, letters, path = part.content, part.dead_letters, part.path if part.digest else None
    if part.path is not None and path is None:
        content = (*content, _taken(part.path))
    if part.dead_letters_path is not None:
        letters += _taken(part.dead_letters_path)
    return replace(part, content=content, path=path, dead_letters=letters, dead_letters_path=None)


def _taken(path: str) -> bytes:
    with open(path, "rb") as file:
        content = file.read()
    os.unlink(path)
    return content


def raised(error: BaseException) -> Raised:
    """Return what travels in place of an exception."""
    try:
        content = pickle.dumps(error.with_traceback(None))
        pickle.loads(content)  # noqa: S301 - made in the line before; not every exception that pickles comes back
    except Exception:  # noqa: BLE001 - whatever it is, its text is known
        content = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return Raised(content)


# ----------------------------------------------------------------------------- where the run is driven


def parts_of(done: Done, desk: Desk) -> Iterator[Part]:
    """Yield the parts of a task, or raise what there is in place of one. Each holds until the next is asked for."""
    if done.handed is None:
        yield from map(_taken_or_raised, done.outcomes)
        return
    with desk.taken(done.handed) as views:
        for outcome, view in zip(done.outcomes, views, strict=True):
            yield replace(_taken_or_raised(outcome), content=(view,) if view else ())


def _taken_or_raised(outcome: Outcome) -> Part:
    if isinstance(outcome, Raised):
        raise outcome.error()
    return outcome


def check_prepared(raised: Raised | None, where: str = "") -> None:
    """Raise what a preparation found to be missing, with a note on the worker that it is missing for."""
    if raised is not None:
        error = raised.error()
        if where:
            error.add_note(f"on {where}")
        raise error


class Splits:
    """The splits of a run, as they are asked for.

    Attributes:
        more: Whether there may be another one.

    Args:
        width: How many tasks there are at the same time.
    """

    def __init__(self, splits: Iterable[Split | None], width: int) -> None:
        self._splits = iter(splits)
        self._width = width
        self._ahead: deque[Split] = deque()
        self._ended = False
        self._taken = 0
        self.grouping = Grouping()

    @property
    def more(self) -> bool:
        return bool(self._ahead) or not self._ended

    def take(self) -> list[Split]:
        """Return the splits of the next task: none at the end, and where there is nothing for the moment."""
        # The first ones are short, so that all have something to do soon, and it is known how long a split takes.
        most = min(self.grouping.most, 4 ** min(self._taken // self._width, _MOST_GROWTH))
        self._look_ahead(most * self._width)
        if self._ended:
            # So that all of them end at the same time, none is given more than its share of what is left.
            most = min(most, 1 + len(self._ahead) // self._width)
        taken: list[Split] = []
        size = 0
        while self._ahead and len(taken) < most and size < _MOST_TASK_BYTES:
            split = self._ahead.popleft()
            taken.append(split)
            size += split.end - split.start if split.end is not None else _MOST_TASK_BYTES
        self._taken += bool(taken)
        return taken

    def _look_ahead(self, count: int) -> None:
        """Have so many splits at hand, fewer where they bring their content or there is nothing for the moment."""
        while not self._ended and len(self._ahead) < count:
            split = next(self._splits, _END)
            if isinstance(split, _End):
                self._ended = True
            if not isinstance(split, Split):
                return
            self._ahead.append(split)
            if split.content is not None or split.raws is not None:
                return


class _End:
    """What stands for the end of the splits, where ``None`` stands for a moment without one."""


_END = _End()


class Tasks(Protocol[T]):
    """How an engine is told what to do."""

    def start(self, splits: list[Split], /) -> T:
        """Have some splits run by :func:`run_all`, and return what stands for that."""

    def first_done(self, tasks: list[T], /) -> int:
        """Wait until one of some is done, and return which."""

    def done(self, task: T, splits: list[Split], /) -> Done:
        """Wait for one, and return what its splits became, those in which a worker died as well."""

    def cancel(self, tasks: list[T], /) -> None:
        """Nobody waits for these any more."""


class Grouping:
    """How many splits a task has: so many that what it costs its engine, some milliseconds, is little beside them."""

    def __init__(self) -> None:
        self.most = _MOST_SPLITS_UNKNOWN
        self._splits = 0.0
        self._seconds = 0.0

    def took(self, splits: int, seconds: float) -> None:
        """Take note of how long a task was."""
        if splits and seconds:
            # What was long ago counts less and less.
            self._splits = splits + self._splits / 2
            self._seconds = seconds + self._seconds / 2
            self.most = max(1, min(_MOST_SPLITS_A_TASK, int(_TASK_SECONDS * self._splits / self._seconds)))


def parts(tasks: Tasks[T], splits: Iterable[Split | None], desk: Desk, *, width: int, ordered: bool) -> Iterator[Part]:
    """Yield the parts of all splits.

    Args:
        width: How many tasks there are at the same time.
        ordered: Whether the parts come in the order of the splits.
    """
    left = Splits(splits, width)
    waiting: deque[tuple[T, list[Split]]] = deque()
    try:
        while waiting or left.more:
            while len(waiting) < width and (some := left.take()):
                waiting.append((tasks.start(some), some))
            if not waiting:
                continue
            if not ordered:
                waiting.rotate(-tasks.first_done([task for task, _ in waiting]))
            task, some = waiting.popleft()
            done = tasks.done(task, some)
            left.grouping.took(len(some), done.seconds)
            yield from parts_of(done, desk)
    finally:
        tasks.cancel([task for task, _ in waiting])


_MOST_SPLITS_UNKNOWN = 4  # as long as nobody knows how long one takes
_MOST_SPLITS_A_TASK = 128
_MOST_GROWTH = 4  # beyond which there are more than that
_MOST_TASK_BYTES = 16 * 2**20
_TASK_SECONDS = 0.4  # eighty times what a task costs Dask


def check_settings(processes: int, patience_seconds: float) -> None:
    """Refuse settings that no engine can work with.

    Raises:
        ValueError: One of them is out of its range.
    """
    if processes < 0:
        raise ValueError(f"{processes} is not a number of processes, expected 0, for one a processor, or more")
    if not patience_seconds > 0:
        raise ValueError(f"{patience_seconds:g} seconds is no time to wait, expected patience_seconds above 0")


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
