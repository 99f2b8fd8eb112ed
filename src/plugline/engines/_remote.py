"""What the engines of other makers share: the runner by value, once a process, and parts that travel.

Nothing is expected of a worker but an installed plugline: what a plan needs is in the runner, as data. Imported on
workers, so it imports nothing of an engine's.
"""

import hashlib
import os
import pickle
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from plugline.records import Part, Split, SplitRunner

T = TypeVar("T")

_MOST_RUNNERS = 2  # a process keeps: those of the run before are seldom asked for again


@dataclass(frozen=True, slots=True)
class Shipped:
    """A runner as it travels.

    Attributes:
        digest: Of the rest; a process that has met it before need not make the runner again.
        content: The pickled runner.
    """

    digest: str
    content: bytes


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


def ship(runner: SplitRunner) -> Shipped:
    """Pack a runner, once a run."""
    content = pickle.dumps(runner, protocol=pickle.HIGHEST_PROTOCOL)
    return Shipped(hashlib.blake2b(content, digest_size=16).hexdigest(), content)


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
        return _raised(error)
    return None


def run(shipped: Shipped, split: Split) -> Part | Raised:
    """Run one split."""
    try:
        return travelling(_runner(shipped)(split))
    except BaseException as error:  # noqa: BLE001 - likewise
        return _raised(error)


def run_all(shipped: Shipped, splits: Sequence[Split]) -> list[Part | Raised]:
    """Run some splits, up to one that ends the run."""
    outcomes: list[Part | Raised] = []
    for split in splits:
        outcomes.append(run(shipped, split))
        if isinstance(outcomes[-1], Raised) or outcomes[-1].stop is not None:
            break
    return outcomes


def run_watched(shipped: Shipped, split: Split) -> Part | Raised:
    """Run one split of which workers died: in a process of its own, so that the record which kills it is found."""
    from plugline.engines._crew import Crew  # noqa: PLC0415 - only where something died

    try:
        crew = Crew(_runner(shipped), 1)
        try:
            (part,) = (travelling(part) for part in crew.parts(iter([split]), ordered=True))
        finally:
            crew.close()
    except BaseException as error:  # noqa: BLE001 - likewise
        return _raised(error)
    return part


def travelling(part: Part) -> Part:
    """Return a part that holds all that it is made of; its files are of this machine, and go.

    The file of an output in parts stays: it lies in a folder that all workers share.
    """
    content = b"".join(part.content)
    letters = part.dead_letters
    path = part.path if part.digest else None
    if part.path is not None and path is None:
        content += _taken(part.path)
    if part.dead_letters_path is not None:
        letters += _taken(part.dead_letters_path)
    return replace(part, content=(content,) if content else (), path=path, dead_letters=letters, dead_letters_path=None)


def _taken(path: str) -> bytes:
    with open(path, "rb") as file:
        content = file.read()
    os.unlink(path)
    return content


def _raised(error: BaseException) -> Raised:
    try:
        content = pickle.dumps(error.with_traceback(None))
        pickle.loads(content)  # noqa: S301 - made in the line before; not every exception that pickles comes back
    except Exception:  # noqa: BLE001 - whatever it is, its text is known
        content = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return Raised(content)


# ----------------------------------------------------------------------------- where the run is driven


def taken(outcome: Part | Raised | None) -> Part:
    """Return a part, or raise what there is in its place."""
    if isinstance(outcome, Raised):
        raise outcome.error()
    assert outcome is not None  # noqa: S101 - only a preparation has none
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
    """

    def __init__(self, splits: Iterable[Split | None]) -> None:
        self._splits = iter(splits)
        self.more = True

    def take(self, most: int) -> list[Split]:
        """Return up to ``most`` splits: fewer at the end, where they are large, and where there is nothing for the moment."""
        taken: list[Split] = []
        size = 0
        while len(taken) < most and size < _MOST_TASK_BYTES:
            split = next(self._splits, _END)
            if isinstance(split, _End):
                self.more = False
            if not isinstance(split, Split):
                break
            taken.append(split)
            size += split.end - split.start if split.end is not None else _MOST_TASK_BYTES
        return taken


class _End:
    """What stands for the end of the splits, where ``None`` stands for a moment without one."""


_END = _End()


class Tasks(Protocol[T]):
    """How an engine is told what to do."""

    def start(self, splits: list[Split], /) -> T:
        """Have some splits run by :func:`run_all`, and return what stands for that."""

    def first_done(self, tasks: list[T], /) -> int:
        """Wait until one of some is done, and return which."""

    def outcomes(self, task: T, splits: list[Split], /) -> Iterable[Part | Raised]:
        """Wait for one, and give what its splits became, those in which a worker died as well."""

    def cancel(self, tasks: list[T], /) -> None:
        """Nobody waits for these any more."""


def parts(tasks: Tasks[T], splits: Iterable[Split | None], *, width: int, ordered: bool) -> Iterator[Part]:
    """Yield the parts of all splits.

    Args:
        tasks: Does the work.
        splits: In order.
        width: How many tasks there are at the same time.
        ordered: Whether the parts come in the order of the splits.
    """
    left = Splits(splits)
    waiting: deque[tuple[T, list[Split]]] = deque()
    begun = 0
    try:
        while waiting or left.more:
            # One split in each of the first, so that all workers have something to do; then more, since a task costs its engine
            # some milliseconds.
            while len(waiting) < width and (some := left.take(min(1 + begun // width, _MOST_SPLITS_A_TASK))):
                waiting.append((tasks.start(some), some))
                begun += 1
            if not waiting:
                continue
            if not ordered:
                waiting.rotate(-tasks.first_done([task for task, _ in waiting]))
            for outcome in tasks.outcomes(*waiting.popleft()):
                yield taken(outcome)
    finally:
        tasks.cancel([task for task, _ in waiting])


_MOST_SPLITS_A_TASK = 4
_MOST_TASK_BYTES = 4 * 2**20


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
