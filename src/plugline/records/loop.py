"""Undecoded records to encoded ones, by way of all steps, with every failure set aside.

Invariants that the tests name by their numbers:

1. At every stage ``entered + created = out + dropped + failed``, and what leaves one enters the next.
2. What is appended to ``out`` is as many as left the sink. A fan-out counts as a whole: when one of its records
   fails, none of them is written, and the record that came in is one failure, at the stage where that happened,
   having passed the stages before it singly.
3. No exception is kept, and so no frame and no record that it passed.
4. Nothing that a step raises ends the run, the user's own interrupt apart.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import inf
from operator import length_hint
from typing import Any, Literal, TypeAlias, cast

from plugline.blame import ErrorText, describe_error, traceback_of, traceback_text, users_own_interrupt
from plugline.clock import monotonic_seconds
from plugline.dispatch.copies import structural_copy
from plugline.dispatch.generated import compile_functions
from plugline.frozen import frozen
from plugline.records.outcomes import (
    ORPHANS,
    BatchCall,
    BeginsBatches,
    Failed,
    Failure,
    Regrouped,
    StagedBatch,
    Waiting,
    checked_decoded,
    records_of,
)
from plugline.records.protocols import Record
from plugline.records.values import StepCounts

__all__ = ["BatchCall", "Failed", "Failure", "OnError", "RecordLoop", "Regrouped", "StepCall", "StopRun"]

OnError: TypeAlias = Literal["dead-letter", "drop", "pass", "stop"]
"""What becomes of a record on which a step fails; DESIGN.md section 7 tells."""

Drain: TypeAlias = Callable[[list[object]], object]
"""Takes encoded records that are ready before their batch is, which are then forgotten."""

_TIMED_EVERY = 128  # a batch in so many is timed, which takes about a tenth of a percent of the whole
_MAX_TRACEBACKS = 20  # "full tracebacks for the first 20 distinct errors"
_MAX_DISTINCT_ERRORS = 1_000  # a step can make up kinds and files without end
_BEAT_SECONDS = 0.1  # about what lies between two beats, where records take long
_MOST_HELD = 4_096  # encoded records, as soon as there is a fan-out: without one there are as many as the batch has
_LOST = object()  # stands for what was made of a record that failed
_DICT = {dict}
_OTHER_ERRORS = "other errors"


def _not_called(record: Record) -> object:
    raise AssertionError(f"a batch step was called with one record: {len(record)} fields")


@frozen(kw_only=True)
class StepCall:
    """One step as the loop sees it.

    Attributes:
        call: The processor's ``transform``; not called where there is a ``batch``.
        batch: What takes many records at once in its place. Such a step ends the run of steps that see one record after
            the other, and holds the records of a batch in memory.
        table: What takes an Arrow table in its place, see :mod:`plugline.records.columns`.
        file: The plugin's file, so that errors lead to its line of it.
        shown: The file as messages show it, where that is another: a plan's paths are its user's, not this machine's.
    """

    name: str
    call: Callable[[Record], object] = _not_called
    batch: BatchCall | None = None
    table: Callable[[Any], object] | None = None
    on_error: OnError = "dead-letter"
    file: str | None = None
    shown: str | None = None


class StopRun(Exception):
    """A step with ``on_error = "stop"`` failed. What the batch had written before is in its ``out``."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return f"step {self.failure.name!r}: {self.failure.error}"


class _Full(Exception):
    """A fan-out has made so much that it is handed on before the next record."""


class RecordLoop:
    """Passes batches through decode, steps and encode.

    The work is done by a generated function in which a step is one call and one check, with one ``try`` around
    a record; which stage failed is read from the line in the traceback, and which record from what is left in
    the iterator. All that is rare (a fan-out, a failure) goes through slow, general code. Only that
    touches counters: numbers that went well are what is left over.

    One thread at a time.

    Attributes:
        errors: How often each distinct error came, whatever became of the record, keyed by a line without
            the message (``upper: ValueError (plugins/upper.py:3)``). At most 1,000 and ``"other errors"``.
        tracebacks: The tracebacks of the first 20 of them, by the same key.
        in_tables: Whether it passes tables too.
        number: Which split the records are of. The traceback of an error that was told in one before is not told again.
        batch_seconds: How long each stage took for the batch that was in hand last, where all of its records pass one stage
            before the next; empty where one record passes all of them before the next.
        beat: Where there is one, called now and then within a batch, with how many of its records are done; where a step takes
            tables, not at all.
    """

    in_tables: bool = False
    beat: Callable[[int], object] | None = None

    def __init__(
        self,
        decode: Callable[..., object],
        steps: Sequence[StepCall],
        encode: Callable[[Record], object],
        *,
        source: str = "source",
        sink: str = "sink",
    ) -> None:
        """Make the loop; nothing is called yet.

        Args:
            decode: Makes a dict of a raw, or raises.
            steps: In order; may be empty.
            encode: Makes of a record what the sink writes, or raises.
            source: What counts and failures call the first stage.
            sink: What they call the last.
        """
        self._names = [source, *(step.name for step in steps), sink]
        self._steps = list(steps)
        self._sink = len(steps) + 1
        self._decode = decode
        self._encode, self._quick, named = encode, *_quick_form(encode)
        self._calls = [self._guarded(stage, step) for stage, step in enumerate(steps, 1)]
        self.errors: dict[str, int] = {}
        self.tracebacks: dict[str, str] = {}
        self._error_keys: dict[tuple[int, str, str | None, int | None], str] = {}
        self.number = 0
        self.batch_seconds: Sequence[float] = ()
        self._told_in: dict[str, int] = {}  # of each error with a traceback, the first split

        self._entered = 0
        self._written = 0
        self._created = [0] * (self._sink + 1)
        self._dropped = [0] * (self._sink + 1)
        self._failed = [0] * (self._sink + 1)
        self._blamed = 0  # the stage that the general code is in
        self._stopped: Failure | None = None
        self._most_held: float = inf
        self._is_full = False
        self._clock = _StageClock(self._sink + 1)
        self._piece = 1  # how many records there are between two beats

        self._batched = any(step.batch is not None for step in steps)
        source_text, self._stages = _write_loops(self._names, named)
        functions = compile_functions(
            "record loop",
            source_text,
            {
                "decoded": checked_decoded,
                "finish": self._finish,
                "failed": self._fail,
                "now": monotonic_seconds,
                **{f"{_NAMED}{name}": value for name, value in named.items()},
            },
        )
        self._plain, self._timed = functions["plain"], functions["timed"]

    def run(self, raws: list[object], out: list[object], failures: list[Failure], drain: Drain | None = None) -> None:
        """Pass one batch through.

        Args:
            raws: What ``decode`` takes, one a record.
            out: Takes what ``encode`` returned, in order.
            failures: Takes the records that are to become dead letters, in order.
            drain: Takes what is in ``out``, and it is emptied, whenever a fan-out has made thousands of records: what is held
                is what one record became, not what a batch became. Not called where a step takes many records at once.

        Raises:
            StopRun: A step with ``on_error = "stop"`` failed; the records after it were not looked at, and it is
                counted, but not in ``failures``.
            KeyboardInterrupt: The user's own. The record that was in hand is nowhere and not counted.
            BaseException: What ``drain`` raised.
        """
        if self._batched:
            self.finish(StagedBatch(raws, self._sink + 1), out, failures)
            return
        written = len(out)
        function = self._timed if self._clock.begin_batch() else self._plain
        self._most_held, self._is_full = inf if drain is None else _MOST_HELD, False
        try:
            for records, end in ((iter(raws), len(raws)),) if self.beat is None else self._pieces(raws, self.beat):
                while True:
                    function(
                        records,
                        end,
                        out,
                        failures,
                        self._dropped,
                        self._clock.spent,
                        self._decode,
                        self._calls,
                        self._quick,
                    )
                    if drain is None or not self._is_full:
                        break
                    self._is_full = False
                    self._written, written = self._written + len(out) - written, len(out)
                    drain(out)
                    out.clear()
                    written = 0
                if self._stopped is not None:
                    break
        except BaseException:
            self._written += len(out) - written
            # Which record it was in is not to be known at that moment; that the counts agree, is.
            self._entered = self._written + sum(self._dropped) + sum(self._failed) - sum(self._created)
            raise
        self._written += len(out) - written
        stopped, self._stopped = self._stopped, None
        came = len(raws) if stopped is None else stopped.index + 1
        self._entered += came
        self._clock.end_batch()
        if stopped is not None:
            raise StopRun(stopped)

    def _pieces(self, raws: list[object], beat: Callable[[int], object]) -> Iterator[tuple[Iterator[object], int]]:
        """Yield a batch in pieces, each with where it ends in the batch, and give a beat between them.

        So a record costs nothing more. How long records take is known from those before: a piece is at most four times as
        long as the last one.
        """
        begin = 0
        while begin < len(raws):
            end = min(begin + self._piece, len(raws))
            began = monotonic_seconds()
            yield iter(raws[begin:end]), end
            took = monotonic_seconds() - began
            if end - begin == self._piece or took > _BEAT_SECONDS:
                self._piece = max(1, int((end - begin) * min(4, _BEAT_SECONDS / took if took > 0 else 4)))
            begin = end
            if begin < len(raws):
                beat(begin)

    def _hear_steps(self, count: int, beat: Callable[[int], object]) -> None:
        """Have steps that work on many records at once give beats, one after the other."""
        steps = [cast("BeginsBatches", step.batch) for step in self._steps if hasattr(step.batch, "beat")]
        for at, step in enumerate(steps):
            step.beat = lambda share, at=at: beat(int(count * (at + share) / len(steps)))

    @property
    def failed(self) -> int:
        """How many records failed in this split, as far as that is known."""
        return sum(self._failed)

    def set_aside(self, stage: int, error: ErrorText) -> Failure:
        """Count a record that nothing is to be done with as one on which a stage failed."""
        error, traceback = self._note_text(stage, error, f"{error.kind}: {error.message}\n")
        self._entered += 1
        self._failed[stage] += 1
        return Failure(index=0, stage=stage, name=self._names[stage], error=error, traceback=traceback)

    def counts(self) -> tuple[StepCounts, ...]:
        """Return the counts of the source, each step and the sink, in that order, since the beginning.

        The last one's ``out`` is counted independently of the others, so that its ``balanced`` says something.
        """
        counted = []
        entered = self._entered
        for stage, name in enumerate(self._names):
            created, dropped, failed = self._created[stage], self._dropped[stage], self._failed[stage]
            out = entered + created - dropped - failed
            counted.append(
                StepCounts(
                    name=name,
                    entered=entered,
                    created=created,
                    out=out if stage < self._sink else self._written,
                    dropped=dropped,
                    failed=failed,
                    seconds=self._clock.seconds(stage),
                )
            )
            entered = out
        return tuple(counted)

    def begin_ahead(self, raws: list[object]) -> StagedBatch | None:
        """Begin with a batch, so that a step that many records pass at once works on it while another one is finished.

        Returns:
            What :meth:`finish` takes, in the order in which they were begun; ``None`` where no step works by itself, so that
            :meth:`run` is all there is.
        """
        if not any(hasattr(step.batch, "begin") for step in self._steps):
            return None
        passing = StagedBatch(raws, self._sink + 1)
        self._pass_stages(passing, ahead=True)
        return passing

    def finish(self, passing: StagedBatch, out: list[object], failures: list[Failure]) -> None:
        """Pass a batch through all stages that it has not passed: a batch step wants all its records at once.

        Takes and raises what :meth:`run` does.
        """
        self._clock.begin_staged_batch()
        if self.beat is not None:
            self._hear_steps(len(passing.raws), self.beat)
        # The user's own interrupt may come from here: nothing of the batch is written or counted then.
        self._pass_stages(passing, ahead=False)
        stopped = passing.stopped
        passing.settle(self._created, self._dropped, self._failed)
        out += passing.values
        self._written += len(passing.values)
        self._entered += len(passing.raws) if stopped is None or stopped.index < 0 else stopped.index + 1
        failures += sorted((one for one in passing.failures if one is not stopped), key=lambda one: one.index)
        if stopped is not None:
            raise StopRun(stopped)

    def abandon(self) -> None:
        """Forget what :meth:`begin_ahead` began, because an exception passes."""
        for step in self._steps:
            if hasattr(step.batch, "abandon"):
                cast("BeginsBatches", step.batch).abandon()

    def _pass_stages(self, passing: StagedBatch, *, ahead: bool) -> None:
        """Pass all records through all stages; ``ahead``, up to the first that can be begun and waited for later."""
        for stage in range(passing.stage, self._sink + 1):
            began = monotonic_seconds()
            step = self._steps[stage - 1] if 0 < stage < self._sink else None
            if ahead and step is not None and hasattr(step.batch, "begin"):
                self._begin_step(step, passing)
                passing.stage = stage
                self._add_staged(stage, monotonic_seconds() - began, passing)
                return
            if step is None or step.batch is None:
                self._pass_stage(stage, passing)
            else:
                self._pass_batch_step(stage, step, passing)
            self._add_staged(stage, monotonic_seconds() - began, passing)
            if step is not None and step.on_error == "stop":
                found = [one for one in passing.failures if one.stage == stage]
                if found:
                    # Those before it go on through the other stages, and one of them may stop the run even earlier.
                    passing.stopped = min(found, key=lambda one: one.index)
                    passing.cut_after(passing.stopped.index)
            passing.stage = stage + 1

    def _add_staged(self, stage: int, seconds: float, passing: StagedBatch) -> None:
        self._clock.add(stage, seconds)
        passing.seconds[stage] += seconds
        self.batch_seconds = passing.seconds

    def _begin_step(self, step: StepCall, passing: StagedBatch) -> None:
        origins, before = passing.take_out()
        try:
            waiting = cast("BeginsBatches", step.batch).begin(cast("list[Record]", list(before))) if before else None
        except BaseException as error:
            if users_own_interrupt(error):
                raise
            waiting = None  # it is called when the batch is finished, and raises that once more
        if waiting is None:
            passing.origins, passing.values = origins, before
        else:
            passing.begun = origins, before, waiting

    def _pass_stage(self, stage: int, passing: StagedBatch) -> None:
        """Pass records through one stage that sees one after the other."""
        made_by: Callable[..., object] = self._decode
        if stage:
            made_by = self._encode if stage == self._sink else self._calls[stage - 1]
        if not passing.has_fanned_out and stage in (0, self._sink):
            self._pass_in_bulk(stage, made_by, passing)
            return
        for origin, value in zip(*passing.take_out(), strict=True):
            if origin in passing.lost:
                continue
            try:
                made = made_by(value)
                if 0 < stage < self._sink:
                    passing.take(stage, origin, made)
                else:
                    passing.go_on(origin, made if stage else checked_decoded(made))
            except BaseException as error:
                if users_own_interrupt(error):
                    raise
                self._fail_staged(stage, origin, value, self._note(stage, error), passing)

    def _pass_in_bulk(self, stage: int, made_by: Callable[..., object], passing: StagedBatch) -> None:
        """Decode or encode records that each stand for themselves: in a loop that runs in C, from one failure to the next.

        Steps are called one after the other: what one returns may be a generator, which has to have run before the next.
        """
        origins, before = passing.take_out()
        made: list[object] = []
        values = iter(before)
        while len(made) < len(before):
            try:
                made.extend(map(made_by, values))  # what came before an exception stays in it
            except BaseException as error:
                if users_own_interrupt(error):
                    raise
                at = len(made)
                self._fail_staged(stage, origins[at], before[at], self._note(stage, error), passing)
                made.append(_LOST)
        passing.origins, passing.values = origins, made
        if stage == self._sink or set(map(type, made)) == _DICT:
            return  # what failed is lost, and with it what stands for it
        passing.origins, passing.values = [], []
        for origin, value, one in zip(origins, before, made, strict=True):
            if one is _LOST:
                continue
            try:
                passing.go_on(origin, checked_decoded(one))
            except ValueError as error:
                self._fail_staged(stage, origin, value, self._note(stage, error), passing)

    def _pass_batch_step(self, stage: int, step: StepCall, passing: StagedBatch) -> None:
        if passing.begun is not None:
            (origins, before, waiting), passing.begun = passing.begun, None
        else:
            origins, before = passing.take_out()
            if not before:
                return
            waiting = partial(cast("BatchCall", step.batch), cast("list[Record]", list(before)))
        outcomes = self._outcomes(step, len(before), waiting)
        if isinstance(outcomes, Regrouped):
            passing.regroup(stage, list(origins), outcomes.records)
        elif not passing.lost and set(map(type, outcomes)) == _DICT:
            passing.origins, passing.values = origins, list(outcomes)
        else:
            for origin, record, outcome in zip(origins, before, outcomes, strict=True):
                if origin not in passing.lost:
                    self._take_outcome(stage, step, origin, record, outcome, passing)

    def _take_outcome(
        self, stage: int, step: StepCall, origin: int, record: object, outcome: object, passing: StagedBatch
    ) -> None:
        if isinstance(outcome, Failed):
            noted = self._note_text(stage, outcome.error, outcome.traceback)
        else:
            try:
                passing.take(stage, origin, outcome)
            except Exception as error:  # noqa: BLE001 - it is no record, or iterating it raised
                noted = self._note(stage, error)
            else:
                return
        if step.on_error == "pass":
            passing.go_on(origin, record)
        elif step.on_error == "drop":
            passing.drop(stage, origin)
        else:
            self._fail_staged(stage, origin, record, noted, passing)

    def _outcomes(self, step: StepCall, count: int, waiting: Waiting) -> "Sequence[object] | Regrouped":
        try:
            outcomes = waiting()
            if isinstance(outcomes, Regrouped):
                records_of(list(outcomes.records))
            elif len(outcomes) != count:
                message = f"returned {len(outcomes)} outcomes for {count} records"
                raise ValueError(message)  # noqa: TRY301 - as much a failure of the step as what it raises
        except BaseException as error:
            if users_own_interrupt(error):
                raise
            text = describe_error(error, step.file)
            return [Failed(text, traceback_text(error) if index == 0 else None) for index in range(count)]
        return outcomes

    def _fail_staged(
        self, stage: int, origin: int, value: object, noted: tuple[ErrorText, str | None], passing: StagedBatch
    ) -> None:
        orphan = origin >= ORPHANS
        failure = Failure(
            index=-1 if orphan else origin,
            stage=stage,
            name=self._names[stage],
            error=noted[0],
            traceback=noted[1],
            record=cast("Record", value) if orphan else None,
        )
        passing.fail(origin, failure)

    def begin(self, decode: Callable[..., object], encode: Callable[[Record], object]) -> None:
        """Begin another split: other functions at both ends, and all counts and errors from zero.

        Where records were created and dropped is told of one split; how long stages take is learned over all of them.
        """
        self._decode, self._encode, self._quick = decode, encode, _quick_form(encode)[0]
        self.errors, self.tracebacks = {}, {}
        self._error_keys.clear()
        self._entered = self._written = 0
        for counts in (self._created, self._dropped, self._failed):
            counts[:] = [0] * (self._sink + 1)
        self._clock.begin_split()

    def _guarded(self, stage: int, step: StepCall) -> Callable[[Record], object]:
        """Return what the loop calls: for steps that go on after an error, a function that raises nothing."""
        call = step.call
        if step.on_error not in ("drop", "pass"):
            return call
        keeps = step.on_error == "pass"

        def guarded(record: Record) -> object:
            before = structural_copy(record if record.__class__ is dict else dict(record)) if keeps else None
            try:
                value = call(record)
                if value is None or isinstance(value, dict):
                    return value
                return records_of(value)
            except BaseException as error:
                if users_own_interrupt(error):
                    raise
                self._note(stage, error)
                return before

        return guarded

    def _finish(self, stage: int, value: object, out: list[object]) -> Record | None:
        """Take what step ``stage`` returned where it is neither ``None`` nor exactly a dict.

        Returns:
            The record to go on with; ``None`` when all is done.
        """
        if isinstance(value, dict):
            return value
        encoded: list[object] = []
        created = [0] * (self._sink + 1)
        dropped = [0] * (self._sink + 1)
        self._fan_out(stage, value, encoded, created, dropped)
        # Whole or nothing: an exception from above has left everything as it was.
        out.extend(encoded)
        for number in range(stage, self._sink):
            self._created[number] += created[number]
            self._dropped[number] += dropped[number]
        if len(out) >= self._most_held:
            raise _Full
        return None

    def _fan_out(
        self, stage: int, value: object, encoded: list[object], created: list[int], dropped: list[int]
    ) -> None:
        self._blamed = stage
        began = monotonic_seconds()
        records = records_of(value)
        self._clock.add(stage, monotonic_seconds() - began)
        if not records:
            dropped[stage] += 1
            return
        created[stage] += len(records) - 1
        for record in records:
            self._descend(stage + 1, record, encoded, created, dropped)

    def _descend(
        self, stage: int, record: Record, encoded: list[object], created: list[int], dropped: list[int]
    ) -> None:
        """Pass one record of a fan-out through the stages from ``stage`` on."""
        began = monotonic_seconds()
        for number in range(stage, self._sink):
            self._blamed = number
            value = self._calls[number - 1](record)
            ended = monotonic_seconds()
            self._clock.add(number, ended - began)
            began = ended
            if value is None:
                dropped[number] += 1
                return
            if not isinstance(value, dict):
                self._fan_out(number, value, encoded, created, dropped)
                return
            record = value
        self._blamed = self._sink
        encoded.append(self._encode(record))
        self._clock.add(self._sink, monotonic_seconds() - began)

    def _fail(
        self, error: BaseException, records: Iterator[object], count: int, failures: list[Failure], began: float | None
    ) -> bool:
        """Set the record aside in which ``error`` was raised. Returns whether to stop."""
        if error.__class__ is _Full:
            self._is_full = True
            return True
        if users_own_interrupt(error):
            raise  # noqa: PLE0704 (the caller handles it)
        entry = traceback_of(error)  # the outermost: the generated function's own
        stage = self._stages[entry.tb_lineno] if entry is not None else 0
        if stage == _GENERAL:
            stage = self._blamed
        else:
            if began is not None:
                self._clock.add(stage, monotonic_seconds() - began)
            if stage == self._sink and self._quick is not self._encode and entry is not None:
                error = self._told_by_encode(entry.tb_frame.f_locals["record"], error)
        text, traceback = self._note(stage, error)
        failure = Failure(
            index=count - 1 - length_hint(records),
            stage=stage,
            name=self._names[stage],
            error=text,
            traceback=traceback,
        )
        self._failed[stage] += 1
        if 0 < stage < self._sink and self._steps[stage - 1].on_error == "stop":
            self._stopped = failure
            return True
        failures.append(failure)
        return False

    def _told_by_encode(self, record: Record, error: BaseException) -> BaseException:
        """Return what ``encode`` itself has to say of a record that its quick form refused."""
        try:
            self._encode(record)
        except BaseException as said:
            if users_own_interrupt(said):
                raise
            return said
        return error

    def _note(self, stage: int, error: BaseException) -> tuple[ErrorText, str | None]:
        """Turn ``error`` into strings. Returns its traceback too if it is one of the first kinds."""
        step = self._steps[stage - 1] if 0 < stage < self._sink else None
        text = describe_error(error) if step is None else describe_error(error, step.file, step.shown)
        key = self._error_keys.get((stage, text.kind, text.path, text.line))
        if key is None:
            return self._note_text(stage, text, lambda: traceback_text(error))
        self.errors[key] += 1
        return text, None

    def _note_text(
        self, stage: int, text: ErrorText, traceback: str | Callable[[], str] | None
    ) -> tuple[ErrorText, str | None]:
        """Count an error; the traceback comes back if it is one of the first kinds, and is made only then."""
        distinct = (stage, text.kind, text.path, text.line)
        key = self._error_keys.get(distinct)
        if key is not None:
            self.errors[key] += 1
            return text, None
        if len(self._error_keys) >= _MAX_DISTINCT_ERRORS:
            self.errors[_OTHER_ERRORS] = self.errors.get(_OTHER_ERRORS, 0) + 1
            return text, None
        key = f"{self._names[stage]}: {ErrorText(text.kind, '', text.path, text.line)}"
        self._error_keys[distinct] = key
        self.errors[key] = self.errors.get(key, 0) + 1
        if len(self.tracebacks) >= _MAX_TRACEBACKS or key in self.tracebacks or traceback is None:
            return text, None
        # Making one takes a millisecond. Of two parts with the same error, the traceback of the first one counts; a split that
        # is run again, or after those behind it, tells all that it would have told.
        if self._told_in.get(key, self.number) < self.number:
            return text, None
        self._told_in[key] = self.number
        made = self.tracebacks[key] = traceback if isinstance(traceback, str) else traceback()
        return text, made


class _StageClock:
    """Which batches are timed, and how long each stage takes, from those to all.

    Every batch's own time is taken, and what the timed ones show of the stages' shares divides it up: stages never
    add up to more than the loop took. The first batch is timed, because there may be no other, but counts for
    itself only: the first call of a step may load a model. So the second one is timed too.
    """

    def __init__(self, stages: int) -> None:
        self._batches = 0
        self._first = [0.0] * stages
        self._later = [0.0] * stages
        self._untimed_seconds = 0.0
        self._began = 0.0
        self._told = [0.0] * stages
        self.spent: list[float] | None = None

    def begin_split(self) -> None:
        """Count what has been told so far to splits that ended."""
        self._told = [self._total(stage) for stage in range(len(self._told))]

    def begin_staged_batch(self) -> None:
        """Begin a batch whose stages are passed one after the other: the time of each is known exactly."""
        self.spent = self._first

    def begin_batch(self) -> bool:
        """Say whether the batch that begins is to be timed."""
        number = self._batches
        self._batches += 1
        timed = number == 1 or number % _TIMED_EVERY == 0
        self.spent = (self._first if number == 0 else self._later) if timed else None
        self._began = monotonic_seconds()
        return timed

    def add(self, stage: int, seconds: float) -> None:
        if self.spent is not None:
            self.spent[stage] += seconds

    def end_batch(self) -> None:
        """Take the time of a batch whose stages were not timed."""
        if self.spent is None:
            self._untimed_seconds += monotonic_seconds() - self._began

    def seconds(self, stage: int) -> float:
        """Estimate what a stage took for all records of the split."""
        return max(0.0, self._total(stage) - self._told[stage])

    def _total(self, stage: int) -> float:
        timed = sum(self._later)
        share = self._later[stage] / timed if timed else 0.0
        return self._first[stage] + self._later[stage] + share * self._untimed_seconds


_GENERAL = -1  # a line that calls the general code, which knows for itself where it is


_NAMED = "encode_"  # before the names of arguments


def _quick_form(encode: Callable[[Record], object]) -> tuple[Callable[..., object], Mapping[str, object]]:
    """Return what is called in the place of ``encode``, and with which named arguments."""
    quick = getattr(encode, "quick", None)
    return (quick.func, quick.keywords) if isinstance(quick, partial) and not quick.args else (encode, {})


def _write_loops(names: Sequence[str], named: Iterable[str]) -> tuple[str, list[int]]:
    """Write the loop twice, without and with the clock, and say which stage each of its lines belongs to."""
    lines: list[str] = []
    stages = [0]  # lines count from 1
    for function in ("plain", "timed"):
        for stage, line in _write_loop(function, names, named):
            lines.append(line)
            stages.append(stage)
    return "\n".join(lines), stages


def _write_loop(function: str, names: Sequence[str], named: Iterable[str]) -> Iterator[tuple[int, str]]:
    timed = function == "timed"
    sink = len(names) - 1
    yield 0, f"def {function}(records, count, out, failures, dropped, spent, decode, calls, encode):"
    yield 0, "    append = out.append"
    for stage in range(1, sink):
        yield 0, f"    call_{stage} = calls[{stage - 1}]"
    if timed:
        yield 0, "    began = None"
    yield 0, "    for raw in records:"
    yield 0, "        try:"
    if timed:
        yield 0, "            began = now()"
    yield 0, f"            record = decode(raw)  # {names[0]!a}"
    yield 0, "            if record.__class__ is not dict:"
    yield 0, "                record = decoded(record)"
    yield from _write_clock(0, timed)
    for stage in range(1, sink):
        yield stage, f"            record = call_{stage}(record)  # {names[stage]!a}"
        yield from _write_clock(stage, timed)
        yield stage, "            if record.__class__ is not dict:"
        yield stage, "                if record is None:"
        yield stage, f"                    dropped[{stage}] += 1"
        yield stage, "                    continue"
        yield _GENERAL, f"                record = finish({stage}, record, out)"
        yield stage, "                if record is None:"
        yield stage, "                    continue"
    given = "".join(f", {name}={_NAMED}{name}" for name in named)
    yield sink, f"            append(encode(record{given}))  # {names[sink]!a}"
    yield from _write_clock(sink, timed)
    yield 0, "        except BaseException as error:"
    yield 0, f"            if failed(error, records, count, failures, {'began' if timed else None}):"
    yield 0, "                break"


def _write_clock(stage: int, timed: bool) -> Iterator[tuple[int, str]]:  # noqa: FBT001
    if timed:
        yield stage, "            ended = now()"
        yield stage, f"            spent[{stage}] += ended - began"
        yield stage, "            began = ended"


def loop_for(
    decode: Callable[..., object],
    steps: Sequence[StepCall],
    encode: Callable[[Record], object],
    encode_table: Callable[[Any], object] | None = None,
    *,
    given_tables: bool = False,
) -> RecordLoop:
    """Return the loop that suits some steps: one that makes no tables, where none is asked for.

    Args:
        encode_table: As for :class:`~plugline.records.columns.TableLoop`.
        given_tables: Whether the source may give tables.
    """
    straight = not steps and encode_table is not None and given_tables
    if straight or any(step.table is not None for step in steps):
        from plugline.records.columns import TableLoop  # a third of a run's modules are for tables

        return TableLoop(decode, steps, encode, encode_table)
    return RecordLoop(decode, steps, encode)
