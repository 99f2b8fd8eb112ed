"""Many records at once through a worker, some thousands under way at a time, and past every death to the last of them.

Invariants that the tests name by their numbers:

1. There is one outcome a record, in order, whatever the worker does.
2. A record on which a worker dies is named, by what the worker says it is at, and is not given to another worker.
3. What was not answered when a worker died goes to the next one, record by record, so that another death costs no more
   than its own record. Where a worker ends because of bytes that it sent, that is also how the record is found.
4. Three deaths without an answer between them end it: the plugin is in quarantine.
5. Several batches may be begun. They are finished in that order, or abandoned, which ends the worker.
6. A plugin that says ``STATEFUL = True`` is in quarantine after one death: the next worker would not know what it had seen.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plugline.blame import ErrorText, describe_error
from plugline.clock import monotonic_seconds
from plugline.errors import PluginError
from plugline.findings import printable_lines
from plugline.isolation.answers import Batched
from plugline.isolation.channel import TookTooLong
from plugline.isolation.isolated import IsolatedPlugin, Unloadable, way_within
from plugline.isolation.life import Death, Died, Life
from plugline.isolation.proxies import Proxy
from plugline.records.outcomes import Failed
from plugline.records.protocols import Record
from plugline.worker.codec import are_plain_records, encode, encode_plain
from plugline.worker.frames import MOST_UNANSWERED
from plugline.worker.packing import Unsendable

OnQuarantine: TypeAlias = Literal["dead-letter", "bypass"]

_FRAME_RECORDS = 1_000  # the cost of a frame, about 40 microseconds in all, is 0.04 a record
_LEAST_FRAME_RECORDS = 500
_FRAME_BYTES = 2**20  # as much as a pipe takes without waiting
_RECORDS_UNDER_WAY = 2_000
_LOOK_SECONDS = 0.025  # how often to look at the clock while one record takes long
# A record that takes too long is only noticed when its batch is waited for; so nothing is sent ahead of who comes late.
_MOST_AHEAD_SECONDS = 0.05


class RecordWatch:
    """A watch over each single record of the frames that are under way."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = -1
        self._last_at = 0
        self._since = 0.0
        self._end = 0.0

    def restart(self, records: int, last_at: int) -> None:
        """Begin to wait for an answer.

        Args:
            records: So many are under way.
            last_at: What the worker says when it is through with all of them.
        """
        now = monotonic_seconds()
        self._at, self._last_at, self._since = -1, last_at, now
        # Whoever says that it is at the next record already, and the next, is believed this long: where records take
        # long, an answer comes after each few of them.
        self._end = now + self._seconds * (min(records, MOST_UNANSWERED) + 1 if records > 1 else 1)

    def check(self, now: float, at: int) -> float:
        """See :class:`plugline.isolation.channel.Watch`."""
        if self._at < at <= self._last_at:
            self._at, self._since = at, now
        left = min(self._since + self._seconds, self._end) - now
        if left <= 0:
            raise TookTooLong(f"took longer than {self._seconds:g} s")
        return min(left, _LOOK_SECONDS)


class _Batch:
    """Records that are to have outcomes.

    Attributes:
        number: Later batches have higher ones.
        outcomes: Of each; :data:`_NONE_YET` where there is none.
        left: How many have none.
    """

    __slots__ = ("left", "number", "outcomes", "records")

    def __init__(self, number: int, records: list[Record]) -> None:
        self.number = number
        self.records = records
        self.outcomes: list[object] = [_NONE_YET] * len(records)
        self.left = len(records)

    def settle(self, index: int, outcome: object) -> None:
        self.outcomes[index] = outcome
        self.left -= 1

    def give_up(self, failed: Failed | None) -> None:
        """Let all that have no outcome fail; without ``failed`` they go on as they are."""
        for index, outcome in enumerate(self.outcomes):
            if outcome is _NONE_YET:
                self.outcomes[index] = failed if failed is not None else self.records[index]
        self.left = 0


@dataclass(slots=True)
class _Frame:
    """Records that were sent together.

    Attributes:
        indexes: The places of its records in the batch.
        sequence: The number of the request.
        careful: Whether it is one record, and no other frame is under way.
        answered: How many of them have an outcome.
    """

    batch: _Batch
    indexes: range
    sequence: int
    careful: bool
    answered: int = 0


class IsolatedBatch:
    """A step's ``transform`` for many records at once: see :class:`plugline.records.outcomes.BeginsBatches`.

    Args:
        proxy: What loading the plugin gave.
        on_quarantine: What becomes of records once the plugin is set aside: they fail, or they go on as they are.
    """

    beat: Callable[[float], object] | None = None

    def __init__(self, proxy: object, on_quarantine: OnQuarantine = "dead-letter") -> None:
        if not isinstance(proxy, Proxy):
            raise TypeError(f"{proxy!r} does not run in a worker")
        self._proxy = proxy  # held, since the worker's instance goes with it
        self._plugin: IsolatedPlugin = proxy._plugin  # noqa: SLF001 - its other half
        number = proxy._number  # noqa: SLF001 - likewise
        self._run = _Run(self._plugin, number, bypass=on_quarantine == "bypass")
        self._begun: deque[_Batch] = deque()
        self._seen_at = 0.0  # when it was last looked at what the worker does

    def __call__(self, records: list[Record]) -> list[object]:
        """Return the outcome of each record."""
        with self._plugin.lock:
            batch = self._run.add(records)
            try:
                self._run.finish(batch, self.beat)
            except BaseException:
                self.abandon()
                raise
        return batch.outcomes

    def begin(self, records: list[Record]) -> Callable[[], list[object]]:
        """Send what can be sent now, and return what waits for the outcomes.

        From here until it is finished or abandoned, the plugin belongs to the calling thread.
        """
        self._plugin.lock.acquire()
        is_late = bool(self._begun) and monotonic_seconds() - self._seen_at > _MOST_AHEAD_SECONDS
        batch = self._run.add(records)
        self._begun.append(batch)
        if not is_late:
            try:
                self._run.send_ahead()
            except BaseException:
                self.abandon()
                raise
        self._seen_at = monotonic_seconds()
        return lambda: self._finish(batch)

    def _finish(self, batch: _Batch) -> list[object]:
        if not self._begun or self._begun[0] is not batch:
            raise RuntimeError("this batch was abandoned, or another one was begun before it")
        try:
            self._run.finish(batch, self.beat)
        except BaseException:
            self.abandon()
            raise
        self._begun.popleft()
        self._seen_at = monotonic_seconds()
        self._plugin.lock.release()
        return batch.outcomes

    def abandon(self) -> None:
        """Forget all batches that were begun and not finished; the worker ends if it has any of them."""
        self._run.abandon()
        while self._begun:
            self._begun.popleft()
            self._plugin.lock.release()


class _Run:
    """Batches on their way, through one worker after the other."""

    def __init__(self, plugin: IsolatedPlugin, number: int, *, bypass: bool) -> None:
        self._plugin = plugin
        self._number = number
        self._bypass = bypass
        self._life: Life | None = None  # whose worker has what is under way
        self._knowing: Life | None = None  # whose worker alone knows what a stateful plugin has seen
        self._batches = 0
        self._todo: deque[tuple[_Batch, range]] = deque()
        self._careful = 0  # how many of these, from the first on, are to go one by one
        self._under_way: deque[_Frame] = deque()
        self._records_under_way = 0
        self._last_blamed = (0, -1)  # what came before it and is asked for again is no sign of health
        self._watch = RecordWatch(plugin.confinement.timeout_seconds)

    def add(self, records: list[Record]) -> _Batch:
        self._batches += 1
        batch = _Batch(self._batches, records)
        count = len(records)
        size = min(_FRAME_RECORDS, max(_LEAST_FRAME_RECORDS, -(-count // 4)))
        self._todo.extend((batch, range(at, min(at + size, count))) for at in range(0, count, size))
        return batch

    def send_ahead(self) -> None:
        """Send what may be under way; that there is no worker is found by who waits."""
        try:
            life = self._living()
        except (PluginError, Unloadable):
            return
        self._send_some(life)

    def _living(self) -> Life:
        if self._knowing is not None and not self._knowing.alive:
            self._plugin.history = self._plugin.history.after_loss()
        life = self._plugin.living()
        self._plugin.ensure(life, self._number)
        if self._plugin.is_stateful(self._number):
            self._knowing = life
        return life

    def finish(self, batch: _Batch, beat: Callable[[float], object] | None) -> None:
        """Wait until all records of a batch have an outcome."""
        while batch.left:
            try:
                life = self._life if self._life is not None and self._under_way else self._living()
            except (PluginError, Unloadable) as error:
                self._go_on_after(error)
                continue
            self._pass_through(life, batch, beat)

    def abandon(self) -> None:
        if self._life is not None and self._under_way:
            self._life.kill()  # answers to what was sent would be taken for answers to the next batch
        self._todo.clear()
        self._under_way.clear()
        self._records_under_way = self._careful = 0

    def _go_on_after(self, error: Exception) -> None:
        """Take that there is no worker: try for another, or give up."""
        if isinstance(error, Unloadable):
            said = str(error.findings[0].message) if error.findings else f"declined: {error.declined}"
            self._plugin.died(Death(f"could not load the plugin once more: {said}"))
        if self._plugin.history.quarantined:
            self._give_up(self._plugin.quarantined())

    def _give_up(self, error: Exception) -> None:
        text = describe_error(error)
        failed = None if self._bypass else Failed(ErrorText(text.kind, text.message, self._plugin.shown, None))
        for batch in {id(batch): batch for batch, _ in self._todo}.values():
            batch.give_up(failed)
        self._todo.clear()
        self._careful = 0

    def _pass_through(self, life: Life, batch: _Batch, beat: Callable[[float], object] | None) -> None:
        """Send and receive until all of a batch is answered, or the worker died."""
        try:
            while batch.left:
                self._send_some(life)
                if self._under_way:
                    self._receive(life)
                if beat is not None:
                    beat(1 - batch.left / len(batch.records))
        except Died as died:
            self._after(died.death, life)
        except BaseException:
            self.abandon()
            raise

    def _send_some(self, life: Life) -> None:
        self._life = life
        while self._todo and self._records_under_way < (1 if self._careful else _RECORDS_UNDER_WAY):
            self._send(life, *self._todo.popleft())

    def _send(self, life: Life, batch: _Batch, indexes: range) -> None:
        first = indexes[0]
        records = batch.records[first : indexes[-1] + 1]
        careful, self._careful = self._careful > 0, max(0, self._careful - 1)
        message: list[object] = ["batch", 0, self._number, "transform", records]
        try:
            content = life.encode(message, encode_plain if are_plain_records(records) else encode)
        except Unsendable as error:
            if len(indexes) == 1:
                text = str(Unsendable(way_within(error.where), error.said))
                told = ErrorText("TypeError", f"the record cannot cross to the worker: {text}", self._plugin.shown)
                batch.settle(first, Failed(told))
                return
            self._halve(batch, indexes)
            return
        if len(content) > _FRAME_BYTES and len(indexes) > 1:
            self._halve(batch, indexes)
            return
        sequence = life.begin_encoded(content)
        self._under_way.append(_Frame(batch, indexes, sequence, careful))
        self._records_under_way += len(indexes)

    def _halve(self, batch: _Batch, indexes: range) -> None:
        middle = len(indexes) // 2
        self._todo.appendleft((batch, indexes[middle:]))
        self._todo.appendleft((batch, indexes[:middle]))

    def _receive(self, life: Life) -> None:
        frame = self._under_way[0]
        batch = frame.batch
        last = self._under_way[-1]
        self._watch.restart(self._records_under_way, last.sequence << 32 | len(last.indexes))
        answer = life.receive(frame.sequence, self._watch)
        if not isinstance(answer, Batched):
            raise life.misbehaved(answer)
        count = len(answer.results)
        complete = frame.answered + count == len(frame.indexes)
        too_many = frame.answered + count > len(frame.indexes)
        if answer.start != frame.answered or complete != answer.last or too_many or not (count or answer.last):
            raise life.confused(f"answered with {count} results from record {answer.start} on, others were asked for")
        first = frame.indexes[0] + frame.answered
        batch.outcomes[first : first + count] = answer.results
        before = frame.answered - 1
        for place, kind, message, path, line, traceback in answer.failures:
            if not before < place < frame.answered + count:
                raise life.confused(f"answered with a failure of record {place}, others were asked for")
            before = place
            error = ErrorText(kind, message, self._plugin.shown if path == self._plugin.path else path, line)
            batch.outcomes[frame.indexes[place]] = Failed(error, printable_lines(traceback) or None)
        frame.answered += count
        batch.left -= count
        if count and (batch.number, frame.indexes[frame.answered - 1]) > self._last_blamed:
            self._plugin.answered()
        if answer.last:
            self._under_way.popleft()
            self._records_under_way -= len(frame.indexes)
            life.done()

    def _after(self, death: Death, life: Life) -> None:
        """Name the record, and see to the others."""
        error = self._plugin.died(death)
        blamed = self._blamed(life.last_at, forged=death.forged)
        left = [(frame.batch, index) for frame in self._under_way for index in frame.indexes[frame.answered :]]
        self._under_way.clear()
        self._records_under_way = 0
        # What of a frame was stored before its answer turned out to be confused is asked for again.
        for batch, index in left:
            batch.outcomes[index] = _NONE_YET
        if blamed is not None:
            batch, index = blamed
            self._last_blamed = batch.number, index
            text = describe_error(error)
            batch.settle(index, Failed(ErrorText(text.kind, text.message, self._plugin.shown, None)))
            left = [one for one in left if one != blamed]
        self._todo.extendleft((batch, range(index, index + 1)) for batch, index in reversed(left))
        self._careful += len(left)
        if self._plugin.history.quarantined:
            self._give_up(self._plugin.quarantined())

    def _blamed(self, at: int, *, forged: bool) -> tuple[_Batch, int] | None:
        """Return the place of the record that the worker was at, as far as what it says can be."""
        for frame in self._under_way:
            if forged and not frame.careful:
                continue  # bytes are read a while after they were sent; record by record they tell
            if frame.careful and at >> 32 == frame.sequence & 0xFFFFFFFF:
                return frame.batch, frame.indexes[0]
            if at >> 32 == frame.sequence & 0xFFFFFFFF and frame.answered <= at & 0xFFFFFFFF < len(frame.indexes):
                return frame.batch, frame.indexes[at & 0xFFFFFFFF]
        return None


_NONE_YET = object()
