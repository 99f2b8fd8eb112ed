"""Undecoded records to encoded ones, by way of all steps, with every failure set aside.

Invariants that the tests name by their numbers:

1. At every stage ``entered + created = out + dropped + failed``, and what leaves one enters the next.
2. What is appended to ``out`` is as many as left the sink. A fan-out counts as a whole: when one of its records
   fails, none of them is written, and the record that came in is one failure, at the stage where that happened,
   having passed the stages before it singly.
3. No exception is kept, and so no frame and no record that it passed.
4. Nothing that a step raises ends the run, the user's own interrupt apart.
"""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import length_hint
from typing import Literal, TypeAlias, cast

from plugline.blame import ErrorText, describe_error, traceback_of, traceback_text, users_own_interrupt
from plugline.clock import monotonic_seconds
from plugline.dispatch.copies import structural_copy
from plugline.dispatch.generated import compile_functions
from plugline.records.values import Record, StepCounts

OnError: TypeAlias = Literal["dead-letter", "drop", "pass", "stop"]
"""What becomes of a record on which a step fails; DESIGN.md section 7 tells."""

_TIMED_EVERY = 32  # a batch in so many is timed, which costs about half a percent of the whole
_MAX_TRACEBACKS = 20  # "full tracebacks for the first 20 distinct errors"
_MAX_DISTINCT_ERRORS = 1_000  # a step can make up kinds and files without end
_OTHER_ERRORS = "other errors"
_SHORT_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """One step as the loop sees it.

    Attributes:
        name: The step's name, for people.
        call: The processor's ``transform``.
        on_error: What becomes of a record on which it fails.
        file: The plugin's file, so that errors lead to its line of it.
        shown: The file as messages show it, where that is another: a plan's paths are its user's, not this machine's.
    """

    name: str
    call: Callable[[Record], object]
    on_error: OnError = "dead-letter"
    file: str | None = None
    shown: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One record that is to become a dead letter.

    Attributes:
        index: Its place in the batch, from 0.
        stage: Where it failed: 0 is the source, 1 the first step, and the last is the sink.
        name: The name of that stage.
        error: What was raised.
        traceback: The whole traceback, for the first record with this error and the first 20 errors only.
    """

    index: int
    stage: int
    name: str
    error: ErrorText
    traceback: str | None = None


class StopRun(Exception):
    """A step with ``on_error = "stop"`` failed. What the batch had written before is in its ``out``."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return f"step {self.failure.name!r}: {self.failure.error}"


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
    """

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
        self._encode = encode
        self._calls = [self._guarded(stage, step) for stage, step in enumerate(steps, 1)]
        self.errors: dict[str, int] = {}
        self.tracebacks: dict[str, str] = {}
        self._error_keys: dict[tuple[int, str, str | None, int | None], str] = {}

        self._entered = 0
        self._written = 0
        self._created = [0] * (self._sink + 1)
        self._dropped = [0] * (self._sink + 1)
        self._failed = [0] * (self._sink + 1)
        self._blamed = 0  # the stage that the general code is in
        self._stopped: Failure | None = None
        self._clock = _StageClock(self._sink + 1)

        source_text, self._stages = _write_loops(self._names)
        functions = compile_functions(
            "record loop",
            source_text,
            {"decoded": _decoded, "finish": self._finish, "failed": self._fail, "now": monotonic_seconds},
        )
        self._plain, self._timed = functions["plain"], functions["timed"]

    def run(self, raws: list[object], out: list[object], failures: list[Failure]) -> None:
        """Pass one batch through.

        Args:
            raws: What ``decode`` takes, one a record.
            out: Takes what ``encode`` returned, in order.
            failures: Takes the records that are to become dead letters, in order.

        Raises:
            StopRun: A step with ``on_error = "stop"`` failed; the records after it were not looked at, and it is
                counted, but not in ``failures``.
            KeyboardInterrupt: The user's own. The record that was in hand is nowhere and not counted.
        """
        records = iter(raws)
        written = len(out)
        function = self._timed if self._clock.begin_batch() else self._plain
        try:
            function(
                records,
                len(raws),
                out,
                failures,
                self._dropped,
                self._clock.spent,
                self._decode,
                self._calls,
                self._encode,
            )
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

    def replace_step(self, step: int, call: Callable[[Record], object], file: str | None = None) -> None:
        """Use ``call`` for the step with the number ``step``, from 0, from the next batch on.

        Args:
            step: Which one; its name and its ``on_error`` stay.
            call: The new generation's ``transform``.
            file: The new generation's file, if it is another.
        """
        replaced = self._steps[step]
        self._steps[step] = replace(replaced, call=call, file=file or replaced.file)
        self._calls[step] = self._guarded(step + 1, self._steps[step])

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
                return _records(value)
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
        return None

    def _fan_out(
        self, stage: int, value: object, encoded: list[object], created: list[int], dropped: list[int]
    ) -> None:
        self._blamed = stage
        began = monotonic_seconds()
        records = _records(value)
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
        if users_own_interrupt(error):
            raise  # noqa: PLE0704 (the caller handles it)
        entry = traceback_of(error)  # the outermost: the generated function's own
        stage = self._stages[entry.tb_lineno] if entry is not None else 0
        if stage == _GENERAL:
            stage = self._blamed
        elif began is not None:
            self._clock.add(stage, monotonic_seconds() - began)
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

    def _note(self, stage: int, error: BaseException) -> tuple[ErrorText, str | None]:
        """Turn ``error`` into strings. Returns its traceback too if it is one of the first kinds."""
        step = self._steps[stage - 1] if 0 < stage < self._sink else None
        text = describe_error(error, step.file if step is not None else None)
        if step is not None and step.shown is not None and text.path == step.file:
            text = ErrorText(text.kind, text.message, step.shown, text.line)
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
        if len(self.tracebacks) >= _MAX_TRACEBACKS or key in self.tracebacks:
            return text, None
        traceback = self.tracebacks[key] = traceback_text(error)
        return text, traceback


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
        self.spent: list[float] | None = None

    def begin_batch(self) -> bool:
        """Say whether the batch that begins is to be timed."""
        number = self._batches
        self._batches += 1
        timed = number == 1 or number % _TIMED_EVERY == 0
        self.spent = (self._first if number == 0 else self._later) if timed else None
        self._began = monotonic_seconds()
        return timed

    def add(self, stage: int, seconds: float) -> None:
        """Add what a stage took, if this batch is timed."""
        if self.spent is not None:
            self.spent[stage] += seconds

    def end_batch(self) -> None:
        """Take the time of a batch whose stages were not timed."""
        if self.spent is None:
            self._untimed_seconds += monotonic_seconds() - self._began

    def seconds(self, stage: int) -> float:
        """Estimate what a stage took for all records."""
        timed = sum(self._later)
        share = self._later[stage] / timed if timed else 0.0
        return self._first[stage] + self._later[stage] + share * self._untimed_seconds


_GENERAL = -1  # a line that calls the general code, which knows for itself where it is


def _write_loops(names: Sequence[str]) -> tuple[str, list[int]]:
    """Write the loop twice, without and with the clock, and say which stage each of its lines belongs to."""
    lines: list[str] = []
    stages = [0]  # lines count from 1
    for function in ("plain", "timed"):
        for stage, line in _write_loop(function, names):
            lines.append(line)
            stages.append(stage)
    return "\n".join(lines), stages


def _write_loop(function: str, names: Sequence[str]) -> Iterator[tuple[int, str]]:
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
    yield sink, f"            append(encode(record))  # {names[sink]!a}"
    yield from _write_clock(sink, timed)
    yield 0, "        except BaseException as error:"
    yield 0, f"            if failed(error, records, count, failures, {'began' if timed else None}):"
    yield 0, "                break"


def _write_clock(stage: int, timed: bool) -> Iterator[tuple[int, str]]:  # noqa: FBT001
    if timed:
        yield stage, "            ended = now()"
        yield stage, f"            spent[{stage}] += ended - began"
        yield stage, "            began = ended"


def _decoded(value: object) -> Record:
    """Check what a decoder returned where it is not exactly a dict."""
    if isinstance(value, dict):
        return value
    message = f"expected an object, got {_JSON_NAMES.get(type(value)) or _shown(value)}"
    raise ValueError(message)


_JSON_NAMES = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
_RECORDS_EXPECTED = "expected a dict, None or an iterable of dicts"


def _records(value: object) -> list[Record]:
    """Make a list of what a step returned where it is neither ``None`` nor a dict."""
    if isinstance(value, Coroutine):
        value.close()  # otherwise Python warns that nobody awaited it
        message = f"returned a coroutine, {_RECORDS_EXPECTED}; a step cannot be an async function"
        raise TypeError(message)
    if isinstance(value, (str, bytes, bytearray, memoryview, Mapping)) or not isinstance(value, Iterable):
        message = f"returned {_shown(value)}, {_RECORDS_EXPECTED}"
        raise TypeError(message)
    if isinstance(value, (list, tuple)):
        records = [_checked(index, item) for index, item in enumerate(value)]
        if len(set(map(id, records))) < len(records):
            # [record] * 3 means three records, and the next step may change each of them in place.
            return [cast("Record", structural_copy(record)) for record in records]
        return records
    # A generator may yield one dict again and again, changed in between.
    return [
        item.copy() if item.__class__ is dict else item
        for item in (_checked(index, item) for index, item in enumerate(value))
    ]


def _checked(index: int, item: object) -> Record:
    if isinstance(item, dict):
        return item
    message = f"returned an iterable whose item {index} is {_shown(item)}, expected a dict"
    raise TypeError(message)


def _shown(value: object) -> str:
    """Show a foreign value; only those are asked for their ``repr`` that we know."""
    kind = type(value)
    if kind in (str, bytes, int, float, bool, type(None)):
        text = repr(value[:_SHORT_CHARACTERS] if isinstance(value, (str, bytes)) else value)
        return f"{text[:_SHORT_CHARACTERS]} ({kind.__name__})" if value is not None else "None"
    return f"an object of type {kind.__qualname__!r}"
