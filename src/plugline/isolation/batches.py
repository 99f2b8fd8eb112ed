"""Many records at once through a worker, two frames under way at a time, and past every death to the last of them.

Invariants that the tests name by their numbers:

1. There is one outcome a record, in order, whatever the worker does.
2. A record on which a worker dies is named, by what the worker says it is at, and is not given to another worker.
3. What was not answered when a worker died goes to the next one, record by record, so that another death costs no more
   than its own record. Where a worker ends because of bytes that it sent, that is also how the record is found.
4. Three deaths without an answer between them end it: the plugin is in quarantine.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plugline.blame import ErrorText, describe_error
from plugline.clock import monotonic_seconds
from plugline.errors import PluginError
from plugline.isolation.answers import Batched
from plugline.isolation.channel import TookTooLong
from plugline.isolation.deaths import Death
from plugline.isolation.isolated import IsolatedPlugin, Unloadable
from plugline.isolation.life import Died, Life
from plugline.isolation.proxies import Proxy
from plugline.records.outcomes import Failed
from plugline.records.values import Record
from plugline.worker.codec import are_plain_records, encode, encode_plain
from plugline.worker.packing import Unsendable

OnQuarantine: TypeAlias = Literal["dead-letter", "bypass"]

_FRAME_RECORDS = 1_000  # the cost of a frame, about 40 microseconds in all, is 0.04 a record
_LEAST_FRAME_RECORDS = 500
_FRAME_BYTES = 2**20  # as much as a pipe takes without waiting
_UNDER_WAY = 2
_LOOK_SECONDS = 0.025  # how often to look at the clock while one record takes long


class RecordWatch:
    """A watch over each single record of the frames that are under way."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = -1
        self._since = 0.0
        self._end = 0.0

    def restart(self, records: int) -> None:
        """Begin to wait for answers to so many records."""
        self._at = -1
        # Whoever says that it is at the next record already, and the next, is believed this long.
        self._end = monotonic_seconds() + self._seconds * (records + 1)

    def check(self, now: float, at: int) -> float:
        """See :class:`plugline.isolation.channel.Watch`."""
        if at != self._at:
            self._at, self._since = at, now
        left = min(self._since + self._seconds, self._end) - now
        if left <= 0:
            raise TookTooLong(f"took longer than {self._seconds:g} s")
        return min(left, _LOOK_SECONDS)


@dataclass(slots=True)
class _Frame:
    """Records that were sent together.

    Attributes:
        indexes: Their places in the batch.
        sequence: The number of the request.
        careful: Whether it is one record, and no other frame is under way.
        answered: How many of them have an outcome.
    """

    indexes: range
    sequence: int
    careful: bool
    answered: int = 0


class IsolatedBatch:
    """A step's ``transform`` for many records at once: see :data:`plugline.records.outcomes.BatchCall`.

    Args:
        proxy: What loading the plugin gave.
        method: What to call.
        on_quarantine: What becomes of records once the plugin is set aside: they fail, or they go on as they are.
    """

    def __init__(self, proxy: object, method: str = "transform", on_quarantine: OnQuarantine = "dead-letter") -> None:
        if not isinstance(proxy, Proxy):
            message = f"{proxy!r} does not run in a worker"
            raise TypeError(message)
        self._proxy = proxy  # held, since the worker's instance goes with it
        self._plugin: IsolatedPlugin = proxy._plugin  # noqa: SLF001 - its other half
        self._number = proxy._number  # noqa: SLF001 - likewise
        self._method = method
        self._bypass = on_quarantine == "bypass"

    def __call__(self, records: list[Record]) -> list[object]:
        """Return the outcome of each record."""
        with self._plugin.lock:
            return _Run(self._plugin, self._number, self._method, records, bypass=self._bypass).run()


class _Run:
    """One batch on its way."""

    def __init__(
        self, plugin: IsolatedPlugin, number: int, method: str, records: list[Record], *, bypass: bool
    ) -> None:
        self._plugin = plugin
        self._number = number
        self._method = method
        self._records = records
        self._bypass = bypass
        self._outcomes: list[object] = [_NONE_YET] * len(records)
        self._todo: deque[range] = deque()
        self._careful = 0  # how many of these, from the first on, are to go one by one
        self._under_way: deque[_Frame] = deque()
        self._last_blamed = -1  # what came before it and is asked for again is no sign of health
        self._watch = RecordWatch(plugin.confinement.timeout_seconds)

    def run(self) -> list[object]:
        count = len(self._records)
        size = min(_FRAME_RECORDS, max(_LEAST_FRAME_RECORDS, -(-count // (2 * _UNDER_WAY))))
        self._todo.extend(range(at, min(at + size, count)) for at in range(0, count, size))
        while self._todo:
            try:
                life = self._plugin.living()
                self._plugin.ensure(life, self._number)
            except (PluginError, Unloadable) as error:
                if not self._go_on_after(error):
                    break
                continue
            self._pass_through(life)
        return self._outcomes

    def _go_on_after(self, error: Exception) -> bool:
        """Take that there is no worker. Returns whether to try for another."""
        if isinstance(error, Unloadable):
            said = str(error.findings[0].message) if error.findings else f"declined: {error.declined}"
            self._plugin.died(Death(f"could not load the plugin once more: {said}"))
        if not self._plugin.history.quarantined:
            return True
        self._give_up(self._plugin.quarantined())
        return False

    def _give_up(self, error: Exception) -> None:
        text = describe_error(error)
        failed = Failed(ErrorText(text.kind, text.message, self._plugin.shown, None))
        for index, outcome in enumerate(self._outcomes):
            if outcome is _NONE_YET:
                self._outcomes[index] = self._records[index] if self._bypass else failed
        self._todo.clear()

    def _pass_through(self, life: Life) -> None:
        """Send and receive until all is answered, or the worker died."""
        try:
            while self._todo or self._under_way:
                while self._todo and len(self._under_way) < (1 if self._careful else _UNDER_WAY):
                    self._send(life, self._todo.popleft())
                if self._under_way:
                    self._receive(life)
        except Died as died:
            self._after(died.death, life)
        except BaseException:
            life.kill()  # answers to what was sent would be taken for answers to the next batch
            raise

    def _send(self, life: Life, indexes: range) -> None:
        first = indexes[0]
        records = self._records[first : indexes[-1] + 1]
        careful, self._careful = self._careful > 0, max(0, self._careful - 1)
        message: list[object] = ["batch", 0, self._number, self._method, records]
        try:
            content = life.encode(message, encode_plain if are_plain_records(records) else encode)
        except Unsendable as error:
            if len(indexes) == 1:
                text = str(Unsendable(_within_record(error.where), error.said))
                told = ErrorText("TypeError", f"the record cannot cross to the worker: {text}", self._plugin.shown)
                self._outcomes[first] = Failed(told)
                return
            self._halve(indexes)
            return
        if len(content) > _FRAME_BYTES and len(indexes) > 1:
            self._halve(indexes)
            return
        sequence = life.begin_encoded(content)
        self._under_way.append(_Frame(indexes, sequence, careful))

    def _halve(self, indexes: range) -> None:
        middle = len(indexes) // 2
        self._todo.appendleft(indexes[middle:])
        self._todo.appendleft(indexes[:middle])

    def _receive(self, life: Life) -> None:
        frame = self._under_way[0]
        self._watch.restart(sum(len(one.indexes) for one in self._under_way))
        answer = life.receive(frame.sequence, self._watch)
        if not isinstance(answer, Batched):
            raise life.misbehaved(answer)
        count = len(answer.results)
        complete = frame.answered + count == len(frame.indexes)
        if answer.start != frame.answered or complete != answer.last or (not count and not answer.last):
            raise life.confused(f"answered with {count} results from record {answer.start} on, others were asked for")
        first = frame.indexes[0] + frame.answered
        self._outcomes[first : first + count] = answer.results
        for place, kind, message, path, line, traceback in answer.failures:
            if not frame.answered <= place < frame.answered + count:
                raise life.confused(f"answered with a failure of record {place}, others were asked for")
            error = ErrorText(kind, message, self._plugin.shown if path == self._plugin.path else path, line)
            self._outcomes[frame.indexes[place]] = Failed(error, traceback or None)
        frame.answered += count
        if count and frame.indexes[frame.answered - 1] > self._last_blamed:
            self._plugin.answered()
        if answer.last:
            self._under_way.popleft()
            life.done()

    def _after(self, death: Death, life: Life) -> None:
        """Name the record, and see to the others."""
        error = self._plugin.died(death)
        blamed = self._blamed(life.last_at, forged=death.forged)
        if blamed is not None:
            self._last_blamed = blamed
            text = describe_error(error)
            self._outcomes[blamed] = Failed(ErrorText(text.kind, text.message, self._plugin.shown, None))
        left = [index for frame in self._under_way for index in frame.indexes[frame.answered :] if index != blamed]
        # What of a frame was stored before its answer turned out to be confused is asked for again.
        for index in left:
            self._outcomes[index] = _NONE_YET
        self._under_way.clear()
        self._todo.extendleft(range(index, index + 1) for index in reversed(left))
        self._careful += len(left)
        if self._plugin.history.quarantined:
            self._give_up(self._plugin.quarantined())

    def _blamed(self, at: int, *, forged: bool) -> int | None:
        """Return the place of the record that the worker was at, as far as what it says can be."""
        for frame in self._under_way:
            if forged and not frame.careful:
                continue  # bytes are read a while after they were sent; record by record they tell
            if frame.careful and at >> 32 == frame.sequence & 0xFFFFFFFF:
                return frame.indexes[0]
            if at >> 32 == frame.sequence & 0xFFFFFFFF and frame.answered <= at & 0xFFFFFFFF < len(frame.indexes):
                return frame.indexes[at & 0xFFFFFFFF]
        return None


_NONE_YET = object()


def _within_record(where: str) -> str:
    """Return the way to a value from its record on: without the place in the message, and that in the batch."""
    return where.partition("]")[2].partition("]")[2]
