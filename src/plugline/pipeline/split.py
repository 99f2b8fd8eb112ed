"""One split of a plan to its part: the one function that does the work, on whatever engine."""

import os
from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import BinaryIO, Self, cast

from plugline.blame import ErrorText, users_own_interrupt
from plugline.descriptors import READING, WRITING
from plugline.dispatch.copies import structural_copy
from plugline.files import reason_of
from plugline.findings import Finding, Place, apart
from plugline.frozen import frozen
from plugline.names import shell_word
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.faults import DeadLetters, lines_in
from plugline.pipeline.plan import Plan, goes_straight
from plugline.pipeline.remote import has_scheme, without_secret
from plugline.pipeline.streams import (
    compresses_parts,
    compressing,
    folder_aside,
    open_source,
    plain_file,
    size_of,
    window,
)
from plugline.records import (
    Assembles,
    CutsPieces,
    Format,
    GivesTables,
    OpensSource,
    Part,
    Position,
    RawBatch,
    Reader,
    Record,
    Split,
    Writer,
)
from plugline.records.loop import BatchCall, Failure, RecordLoop, StepCall, StopRun, loop_for
from plugline.records.outcomes import StagedBatch, records_of

TYPE_CHECKING = False
if TYPE_CHECKING:  # imported where steps take tables, somebody watches, or slow records are asked for
    from plugline.pipeline.live import Live, TellCall
    from plugline.records.columns import TableBatch, TableLoop
    from plugline.records.slowest import Slowest, SlowestBatches

_MOST_PART_BYTES_IN_MEMORY = 4 * 2**20  # of one that goes to a file in any case
_MOST_BYTES_IN_MEMORY = 32 * 2**20  # of one part; larger ones come of row groups and of fan-outs
_SHOWN_BYTES = 1000  # of a record that is too long to be read


@frozen(kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        records_in: Records read so far.
        records_out: Records written so far.
        failed: Dead letters so far.
        bytes_read: Bytes read so far, of the files as they are on disk.
        bytes_total: Bytes that there are to read, ``None`` where that is not known.
        seconds: Time since the run began.
        records_before: How many of the records a run before this one had read, which this one goes on with.
    """

    records_in: int
    records_out: int
    failed: int
    bytes_read: int
    bytes_total: int | None
    seconds: float
    records_before: int = 0


ProgressCall = Callable[[Progress], None]


class SplitWork:
    """Runs splits of one plan in one process, one after the other: what can be used again is made once.

    Args:
        most_bytes: Parts that are larger go to a file.
        tapes: What each stateful step returned for the split in another one of these, to be taken in the place of asking it.

    Attributes:
        tell: Where there is one, told several times a second how far a split is.
        tapes: What each stateful step returned for the last split, where a sink may refuse some of what it became.
    """

    tell: "TellCall | None" = None

    def __init__(
        self,
        plan: Plan,
        bound: BoundPlan,
        *,
        most_bytes: int = _MOST_BYTES_IN_MEMORY,
        tapes: Sequence[list[object]] | None = None,
    ) -> None:
        self._plan = plan
        self._most_bytes = most_bytes
        self._part_folder = plan.part_folder
        self._bound = bound
        self._loop: RecordLoop | None = None
        self._slowest, self._slow_batches = _slowest(plan, bound)
        self._steps: Sequence[StepCall] = bound.steps
        self._plays = tapes is not None
        self.tapes = tapes or ()
        if bound.stateful and hasattr(bound.writer, "open_sink"):
            self.tapes = tapes or [[] for _ in bound.steps]
            self._steps = [
                replace(step, call=_taped(step.call, tape, plays=self._plays)) if step.name in bound.stateful else step
                for step, tape in zip(bound.steps, self.tapes, strict=True)
            ]
        self._file: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file that was read last."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file[1])

    def empty_part(self, columns: tuple[str, ...] | None) -> Part:
        """Return a part without records that has a file all the same, for an output in parts that has no other."""
        return self.run(Split(index=0, path=self._plan.source, raws=(), columns=columns), keeps_empty=True)

    def run(
        self,
        split: Split,
        *,
        keeps_empty: bool = False,
        memory: memoryview | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> Part:
        """Read, run the steps and write one split; a part of an output in parts has a file where it has records.

        Deterministic as far as the plugins are: the part depends on the plan and the split, and on nothing that ran before.
        Its one effect are its own files, which lie beside the output and are the caller's. What keeps it from being done to
        its end (the source cannot be read, a step asks for a stop, the user's interrupt) is ``stop`` of the part.

        Args:
            keeps_empty: Whether such a part has a file in any case.
            memory: Where the part is written if it fits: its content is a view of that.
            refused: The rows that the sink refuses, each with its reason, see :func:`row_names`.
        """
        reader, writer = self._reader(split), self._bound.writer.writer()
        decode, steps, encode, slowest = reader.decode, self._steps, writer.encode, self._slowest
        if not self._plays:
            for tape in self.tapes:
                tape.clear()
        encode_table = getattr(writer, "encode_table", None)
        if refused:
            encode, encode_table = _refusing(encode, refused), None
        if slowest is not None:
            decode, encode = slowest.decoding(decode), slowest.timed(len(steps) + 1, encode)  # type: ignore[assignment]
            steps = slowest.steps(steps) if self._loop is None else steps
        if self._loop is None:
            self._loop = loop_for(decode, steps, encode, encode_table, given_tables=hasattr(reader, "tables"))
        elif self._loop.in_tables:
            cast("TableLoop", self._loop).begin_tables(decode, encode, encode_table)
        else:
            self._loop.begin(decode, encode)
        self._loop.number = split.index
        tools = self._tools(reader, writer, self._loop)
        slow = slowest if slowest is not None else self._slow_batches
        live = self._live(split, self._loop)
        return _Running(self._plan, split, tools, slowest=slow, keeps_empty=keeps_empty, memory=memory, live=live).run()

    def run_carefully(
        self, split: Split, note: Callable[[int, int], None], killers: Mapping[int, tuple[int, str]]
    ) -> Part:
        """See :class:`~plugline.records.CarefulRunner`. Costs several times as much as :meth:`run`."""
        reader, writer = self._reader(split), self._bound.writer.writer()
        careful = _Careful(note, killers)
        steps = [careful.noted_step(stage, step) for stage, step in enumerate(self._bound.steps, 1)]
        encode = careful.noted(len(steps) + 1, writer.encode)
        loop = loop_for(careful.noted(0, reader.decode), steps, encode)
        return _Running(
            self._plan, split, self._tools(reader, writer, loop), careful, live=self._live(split, loop)
        ).run()

    def _live(self, split: Split, loop: RecordLoop) -> "Live | None":
        if self.tell is None:
            return None
        from plugline.pipeline.live import Live  # where somebody watches

        if split.content is not None:
            size = len(split.head) + len(split.content)
        elif split.end is None:
            size = size_of(self._plan.located(split.path)) or 0
        else:
            size = 0 if cuts_pieces(self._bound.reader) else len(split.head) + split.end - split.start
        return Live(self.tell, split.index, loop, size)

    def _tools(self, reader: Reader, writer: Writer, loop: RecordLoop) -> "_Tools":
        assemble = None
        if self._part_folder is not None and hasattr(self._bound.writer, "assemble"):
            assemble = cast("Assembles", self._bound.writer).assemble
        alone = self._part_folder is not None or writes_alone(self._bound.writer)
        in_lines = getattr(self._bound.reader, "record_delimiter", b"") == b"\n"
        return _Tools(reader, writer, loop, self._open, alone, in_lines, self._most_bytes, self._part_folder, assemble)

    def _reader(self, split: Split) -> Reader:
        if split.end is not None and cuts_pieces(self._bound.reader):
            return cast("CutsPieces", self._bound.reader).piece_reader(split.start, split.end)
        reader = self._bound.reader.reader()
        if split.start and hasattr(reader, "begins"):
            reader.begins = False
        limit_records(reader, self._plan)
        return reader

    def _open(self, split: Split, stack: ExitStack) -> BinaryIO:
        """Return the stream of a split, to be closed by ``stack``."""
        if split.content is not None:
            return BytesIO(split.head + split.content if split.head else split.content)
        path = self._plan.located(split.path)
        if hasattr(self._bound.reader, "open_source"):
            opened = cast("OpensSource", self._bound.reader).open_source(path)
            return cast("BinaryIO", stack.enter_context(opened))
        if split.end is None or cuts_pieces(self._bound.reader):
            return stack.enter_context(open_source(path))
        # Kept open for the next split, which is of the same file as a rule.
        if self._file is None or self._file[0] != split.path:
            self.close()
            self._file = split.path, os.open(plain_file(path) or path, READING)
        return window(self._file[1], split.start, split.end, split.head)


def row_names(skipped: Container[str] = ()) -> Callable[[object], str]:
    """Return what names the rows of a split, asked in their order: by what they are, and which of equal ones.

    Args:
        skipped: Names of rows that do not come.
    """
    from hashlib import sha256  # where a database refuses rows

    seen: dict[str, int] = {}

    def name(row: object) -> str:
        digest = sha256(repr(row).encode("utf-8", "surrogatepass")).hexdigest()[:24]
        number = seen.get(digest, 0) + 1
        while f"{digest}-{number}" in skipped:
            number += 1
        seen[digest] = number
        return f"{digest}-{number}"

    return name


def _taped(call: Callable[[Record], object], tape: list[object], *, plays: bool) -> Callable[[Record], object]:
    """Return a step that notes what it returned or raised, or that gives what was noted."""
    noted = iter(tape)

    def play(_: Record) -> object:
        made = next(noted)
        if isinstance(made, BaseException):
            raise made
        return structural_copy(made)  # a second time, too

    def note(record: Record) -> object:
        try:
            made = call(record)
            if made is not None and not isinstance(made, dict):
                made = records_of(made)
        except BaseException as error:
            tape.append(error)
            raise
        # Once more, since the steps behind it may change it, and do so again.
        tape.append(structural_copy(made))
        return made

    return play if plays else note


def _refusing(encode: Callable[[Record], object], refused: Mapping[str, str]) -> Callable[[Record], object]:
    name = row_names()

    def encode_row(record: Record) -> object:
        row = encode(record)
        reason = refused.get(name(row))
        if reason is not None:
            raise ValueError(reason)
        return row

    return encode_row


@frozen()
class _Tools:
    """What a split is run with.

    Attributes:
        open: Gives the stream of a split.
        alone: Whether the part stands for itself.
        in_lines: Whether a record is a line.
        most_bytes: Parts that are larger go to a file.
        part_folder: Where a part is written that is one of an output in parts.
        assemble: Makes such a part of what its writer wrote, where that is not done by itself.
    """

    reader: Reader
    writer: Writer
    loop: RecordLoop
    open: Callable[[Split, ExitStack], BinaryIO]
    alone: bool
    in_lines: bool
    most_bytes: int
    part_folder: str | None
    assemble: Callable[..., None] | None


def _slowest(plan: Plan, bound: BoundPlan) -> "tuple[Slowest | None, SlowestBatches | None]":
    """Return what finds the slowest records where they are asked for, or batches where steps take many records at once."""
    if not plan.slowest:
        return None, None
    from plugline.records.slowest import Slowest, SlowestBatches  # where it is asked for

    names = ["source", *(step.name for step in bound.steps), "sink"]
    if any(step.batch is not None or step.table is not None for step in bound.steps):
        return None, SlowestBatches(plan.slowest, names)
    return Slowest(plan.slowest, names), None


def unreadable(error: BaseException, path: str) -> Finding:
    """Return the finding for what reading a source raised."""
    advice = "mend the file, or cut it there"
    if isinstance(error, FileNotFoundError):
        advice = "put the file there again, and run it again"
    elif isinstance(error, PermissionError):
        advice = f"allow it: chmod u+r {shell_word(without_secret(path))}"
    elif has_scheme(path):
        advice = "see to what the message says, and run it again"
    return _fault("R101", "cannot be read any further", error, path, advice)


def _fault(code: str, what: str, error: BaseException, path: str, advice: str | None = None) -> Finding:
    said, hint = apart(reason_of(error))
    kind = "" if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: "
    return Finding(code, f"{what}: {kind}{said}", Place(without_secret(path)), hint or advice)


def _interrupted(interrupt: KeyboardInterrupt) -> str:
    from traceback import walk_tb  # an interrupt is rare

    from plugline.pipeline.live import plugin_in_hand

    place = plugin_in_hand(walk_tb(interrupt.__traceback__))
    return "interrupted" if place is None else f"interrupted at {place}"


def cuts_pieces(form: Format) -> bool:
    """Whether a format is one of :class:`~plugline.records.CutsPieces`."""
    return hasattr(form, "pieces") and hasattr(form, "piece_reader")


def limit_records(reader: Reader, plan: Plan) -> None:
    """Tell a reader how long records may be, if it asks: of an input that is not cut by bytes only it knows where one ends."""
    if hasattr(reader, "max_record_bytes"):
        reader.max_record_bytes = plan.max_record_bytes


def writes_alone(form: Format) -> bool:
    """Whether each part that a format writes stands for itself, since the output is not made by appending them."""
    return hasattr(form, "assemble") or hasattr(form, "open_sink")


class _Running:
    def __init__(
        self,
        plan: Plan,
        split: Split,
        tools: _Tools,
        careful: "_Careful | None" = None,
        slowest: "Slowest | SlowestBatches | None" = None,
        *,
        keeps_empty: bool = False,
        memory: memoryview | None = None,
        live: "Live | None" = None,
    ) -> None:
        self._plan = plan
        self._split = split
        self._tools = tools
        self._reader, self._writer, self._loop = tools.reader, tools.writer, tools.loop
        self._open, self._alone, most_bytes = tools.open, tools.alone, tools.most_bytes
        self._careful = careful
        self._slowest = slowest
        self._live = live
        self._process = os.getpid()
        self._loop.beat = live.beat if live is not None else None
        self._in_files = not most_bytes
        self._keeps_empty = keeps_empty
        self._letters = DeadLetters(plan, split)
        self._letter_lines = _Output(partial(_folder_aside, plan, plan.dead_letters), most_bytes)
        if tools.part_folder is not None and tools.assemble is None:
            self._output: _Output = _PartOutput(tools.part_folder, split.index)
        else:
            self._output = _Output(partial(_folder_aside, plan, plan.sink), most_bytes, memory)
        self._records = 0
        self._written = 0

    def run(self) -> Part:
        stop: Finding | None = None
        try:
            with ExitStack() as stack:
                self._pass_through(stack)
            self._guarded_sink(self._finish)
            self._guarded_sink(self._output.flush)
            self._guarded_letters(self._letter_lines.flush)
        except _Stopped as stopped:
            stop = stopped.finding
        except KeyboardInterrupt as interrupt:
            stop = Finding("R110", _interrupted(interrupt), Place(without_secret(self._split.path)))
        except BaseException:
            self._output.discard()
            self._letter_lines.discard()
            raise
        if stop is not None:
            self._output.discard()
        return self._part(stop)

    def _finish(self) -> None:
        folder, assemble = self._tools.part_folder, self._tools.assemble
        if folder is None:
            if self._in_files:
                self._output.spill()
            return
        if not self._written and not self._keeps_empty:
            self._output.discard()
            return
        if assemble is not None:
            written, self._output = self._output, _PartOutput(folder, self._split.index)
            with ExitStack() as stack:
                stack.callback(written.discard)
                stream = self._compressing(stack, self._output)
                columns = self._writer.columns or self._split.columns
                assemble(stack.enter_context(written.stored()), stream, columns=columns)
                stream.flush()
        self._output.spill()

    def _part(self, stop: Finding | None) -> Part:
        content, path = self._output.hand_over()
        letters, letters_path = self._letter_lines.hand_over()
        lines = getattr(self._reader, "lines", None)
        if self._split.too_long:  # which nobody has read
            lines = 1 + lines_in(self._split.head) if self._tools.in_lines else None
        return Part(
            split=replace(self._split, content=None, raws=None),
            content=content,
            path=path,
            digest=self._output.digest if path is not None else "",
            bytes_on_disk=self._output.bytes_on_disk if path is not None else 0,
            dead_letters=b"".join(letters),
            dead_letters_path=letters_path,
            counts=self._loop.counts(),
            columns=self._writer.columns,
            errors=self._loop.errors,
            tracebacks={key: (self._letters.number_of(text), text) for key, text in self._loop.tracebacks.items()},
            lines=lines - lines_in(self._split.head) if isinstance(lines, int) else None,
            stop=stop,
            slowest=self._slowest.take() if self._slowest is not None else (),
        )

    def _pass_through(self, stack: ExitStack) -> None:
        writer = self._writer
        alone = self._alone and (self._tools.part_folder is None or self._tools.assemble is not None)
        stream = cast("BinaryIO", self._output) if alone else self._compressing(stack, self._output)
        first = self._split.first or self._alone
        self._guarded_sink(lambda: writer.open(stream, first=first, columns=self._split.columns))
        stack.callback(self._loop.abandon)
        for batch, begun in self._begun_ahead(self._batches(stack)):
            encoded: list[object] = []
            failures: list[Failure] = []
            try:
                stop = self._run_loop(batch, begun, encoded, failures)
                if os.getpid() != self._process:
                    os._exit(1)  # a child that a step forked: what the run writes would be written twice
            except _Stopped:  # what a fan-out made cannot be written
                self._write_letters(batch, failures)
                raise
            self._write_letters(batch, failures)
            if encoded:
                self._write(encoded)
            if stop is not None:
                raise _Stopped(self._stop_finding(stop))
        self._guarded_sink(lambda: writer.close(last=self._alone))
        self._guarded_sink(stream.flush)

    def _write_letters(self, batch: RawBatch, failures: list[Failure]) -> None:
        if failures:
            lines = self._letters.lines(batch, failures, self._reader)
            self._guarded_letters(partial(self._letter_lines.write, lines))

    def _write(self, encoded: list[object]) -> None:
        self._guarded_sink(partial(self._writer.write, encoded))
        self._written += len(encoded)

    def _compressing(self, stack: ExitStack, output: "_Output") -> BinaryIO:
        if not compresses_parts(self._plan.sink):
            return cast("BinaryIO", output)
        stream = compressing(output.write, self._plan.sink)
        stack.callback(stream.close)
        return stream

    def _begun_ahead(self, batches: Iterator[RawBatch]) -> Iterator[tuple[RawBatch, StagedBatch | None]]:
        """Yield each batch after the one that follows was begun, as far as a step works on it by itself."""
        waiting: deque[tuple[RawBatch, StagedBatch | None]] = deque()
        ahead = not self._loop.in_tables and self._careful is None
        try:
            for batch in batches:
                if self._live is not None:
                    self._live.has_read()
                begun = self._loop.begin_ahead(batch.raws) if ahead else None
                waiting.append((batch, begun))
                if begun is None or len(waiting) > 1:
                    yield waiting.popleft()
        except _Stopped:
            yield from waiting  # what came before it is passed through
            raise
        yield from waiting

    def _run_loop(
        self, batch: RawBatch, begun: StagedBatch | None, encoded: list[object], failures: list[Failure]
    ) -> Failure | None:
        """Pass a batch through. Returns the failure that ends the run, a dead letter as well, if there is one."""
        loop = self._loop
        table = getattr(batch, "table", None) if loop.in_tables and self._careful is None else None
        slowest = self._slowest
        if loop.in_tables:
            cast("TableLoop", loop).passed = getattr(batch, "passed", 0)
        count = len(batch.raws) if table is None else table.num_rows
        if self._live is not None:
            self._live.count = count
        try:
            if begun is not None:
                loop.finish(begun, encoded, failures)
            elif table is not None:
                cast("TableLoop", loop).run_table(cast("TableBatch", batch), encoded, failures)
            elif self._careful is not None:
                self._careful.run(loop, self._records, batch.raws, encoded, failures)
            elif slowest is not None and not hasattr(slowest, "note"):
                self._run_timed(slowest, batch, batch.raws, encoded, failures)
            else:
                loop.run(batch.raws, encoded, failures, self._write)
        except StopRun as stop:
            failures.append(stop.failure)
            self._records += stop.failure.index + 1
            return stop.failure
        self._records += count
        if self._live is not None:
            self._live.end()
        if slowest is not None and hasattr(slowest, "note"):
            slowest.note(loop.batch_seconds, count, partial(self._letters.position, batch, 0), lambda: _first_of(batch))
        return None

    def _run_timed(
        self, slowest: "Slowest", batch: RawBatch, raws: list[object], encoded: list[object], failures: list[Failure]
    ) -> None:
        slowest.begin_batch()
        try:
            self._loop.run(raws, encoded, failures, self._write)
        finally:
            slowest.end_batch(raws, partial(self._letters.position, batch))

    def _stop_finding(self, failure: Failure) -> Finding:
        where = Place(failure.error.path or without_secret(self._split.path), failure.error.line)
        message = f"step {failure.name!r} failed and says on_error = 'stop': {failure.error}"
        hint = f"see {self._plan.dead_letters} for the record"
        return Finding("R105", message, where, hint)

    def _batches(self, stack: ExitStack) -> Iterator[RawBatch]:
        """Yield the source's batches; what goes wrong in reading is told apart from what goes wrong elsewhere."""
        split = self._split
        if split.broken is not None:
            raise _Stopped(split.broken)
        if split.raws is not None:
            yield _Raws(list(split.raws))
            return
        if split.too_long:
            self._set_too_long_aside(stack)
            return
        batches: Iterator[RawBatch] | None = None
        while True:
            try:
                if batches is None:
                    batches = iter(self._cut(self._open(split, stack)))
                batch = next(batches, None)
                if not self._in_tables:
                    _ = batch if batch is None else batch.raws  # a stranger's may lack them
            except BaseException as error:
                if users_own_interrupt(error):
                    raise
                raise _Stopped(self._source_finding(error)) from None
            if batch is None:
                return
            yield batch

    @property
    def _in_tables(self) -> bool:
        """Whether the reader is to give tables, since what comes first takes them."""
        loop = self._loop
        wanted = loop.in_tables and cast("TableLoop", loop).takes_tables and self._careful is None
        return wanted and hasattr(self._reader, "tables")

    def _cut(self, stream: BinaryIO) -> Iterator[RawBatch]:
        if self._live is not None:
            self._live.stream = stream
        return cast("GivesTables", self._reader).tables(stream) if self._in_tables else self._reader.batches(stream)

    def _set_too_long_aside(self, stack: ExitStack) -> None:
        split = self._split
        try:
            begin = split.content
            if begin is None:
                begin = self._open(split, stack).read(len(split.head) + _SHOWN_BYTES)[len(split.head) :]
        except OSError as error:
            raise _Stopped(self._source_finding(error)) from None
        size = (split.end or split.start) - split.start
        limit = self._plan.max_record_bytes
        reason = f"the record has {size:,} bytes, at most {limit:,} may be (max_record_bytes in [run])"
        batch = _TooLong([begin[:_SHOWN_BYTES]], len(split.head))
        self._write_letters(batch, [self._loop.set_aside(0, ErrorText("RecordTooLong", reason))])

    def _source_finding(self, error: BaseException) -> Finding:
        return unreadable(error, self._split.path)

    def _guarded_sink(self, action: Callable[[], object]) -> None:
        """Do something with the writer; what goes wrong ends the run."""
        try:
            action()
        except BaseException as error:
            if users_own_interrupt(error):
                raise
            raise _Stopped(_fault("R102", "cannot be written", error, self._plan.sink)) from None

    def _guarded_letters(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            raise _Stopped(letters_finding(self._plan, error)) from None


def _first_of(batch: RawBatch) -> object:
    table = getattr(batch, "table", None)
    return batch.raws[0] if table is None else table.slice(0, 1).to_pylist()[0]


def letters_finding(plan: Plan, error: OSError | ValueError) -> Finding:
    """Return what to say where dead letters cannot be written."""
    hint = "name another file: dead_letters in [run], or --dead-letters"
    return Finding("R103", f"dead letters cannot be written: {reason_of(error)}", Place(plan.dead_letters), hint)


class _Stopped(Exception):
    """The split cannot be done to its end."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding)
        self.finding = finding


@frozen()
class _TooLong:
    """A batch of one record that was not read; it stands at the beginning of its split."""

    raws: list[object]
    offset: int

    def position(self, index: int, /) -> Position:
        return Position(offset=self.offset, row=index + 1)


@frozen()
class _Raws:
    """A batch that some other process has cut; positions are those in the split."""

    raws: list[object]

    def position(self, index: int, /) -> Position:
        return Position(row=index + 1)


def _folder_aside(plan: Plan, path: str) -> str | None:
    return folder_aside(plan.located(path)) if not goes_straight(path) else None


class _Output:
    """What a part consists of: pieces in memory, and a file when they are too many, in the folder that is told then.

    In memory that was given for it, where there is some, as long as it fits: pieces that are kept leave the processor's cache,
    and would have to be copied there in the end.
    """

    digest = ""
    bytes_on_disk = 0

    def __init__(self, folder: Callable[[], str | None], most_bytes: int, given: memoryview | None = None) -> None:
        self._most_bytes = most_bytes
        self._folder = folder
        self._given = given
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._file: BinaryIO | None = None
        self._path: str | None = None

    def write(self, data: object, /) -> int:
        piece = data if isinstance(data, bytes) else bytes(cast("memoryview", data))
        if self._file is not None:
            return self._file.write(piece)
        begin, self._bytes = self._bytes, self._bytes + len(piece)
        if self._given is not None:
            if self._bytes <= len(self._given):
                self._given[begin : self._bytes] = piece
                return len(piece)
            self._leave_given(begin)
        self._pieces.append(piece)
        if self._bytes > self._most_bytes:
            self.spill()
        return len(piece)

    def _leave_given(self, filled: int) -> None:
        given, self._given = self._given, None
        if given is not None:
            self._pieces.append(bytes(given[:filled]))

    def spill(self) -> None:
        if self._file is not None or (self._path is not None):
            return
        self._leave_given(self._bytes)
        descriptor, self._path = self._new_file()
        self._file = os.fdopen(descriptor, "wb")
        self._file.writelines(self._pieces)
        self._pieces.clear()

    def _new_file(self) -> tuple[int, str]:
        from tempfile import mkstemp  # it brings random, shutil and all codecs

        return mkstemp(prefix=".plugline-", suffix=".tmp", dir=self._folder())

    def stored(self) -> BinaryIO:
        if self._file is None or self._path is None:
            self._leave_given(self._bytes)
            return BytesIO(b"".join(self._pieces))
        self._file.flush()
        return open(self._path, "rb")

    def flush(self) -> None:
        """Write what waits in a file's buffer: the disk may be full."""
        if self._file is not None:
            self._file.flush()

    def hand_over(self) -> tuple[tuple[bytes | memoryview, ...], str | None]:
        file, self._file = self._file, None
        if file is not None:
            file.close()
        if self._given is not None and self._bytes:
            return (self._given[: self._bytes],), None
        return tuple(self._pieces), self._path

    def discard(self) -> None:
        self._pieces.clear()
        self._given = None
        file, self._file = self._file, None
        path, self._path = self._path, None
        if file is not None:
            with suppress(OSError):  # what waits in its buffer may have no room, and is not wanted
                file.close()
        if path is not None:
            os.unlink(path)


class _PartOutput(_Output):
    """A part of an output in parts: always a file, in the folder of the parts."""

    def __init__(self, folder: str, index: int) -> None:
        from hashlib import sha256  # a small run has no use for it

        super().__init__(lambda: folder, _MOST_PART_BYTES_IN_MEMORY)
        self._index = index
        self._hash = sha256()

    def write(self, data: object, /) -> int:
        self._hash.update(cast("bytes", data))
        count = super().write(data)
        self.bytes_on_disk += count
        return count

    @property
    def digest(self) -> str:  # type: ignore[override]
        return self._hash.hexdigest()

    def _new_file(self) -> tuple[int, str]:
        # A name that nobody else has: an engine may run one split in two places at the same time.
        path = os.path.join(cast("str", self._folder()), f".part-{self._index}.{os.urandom(16).hex()}.tmp")
        # 0o666 less the umask, which the kernel sees to: what open() would give.
        return os.open(path, WRITING | os.O_CREAT | os.O_EXCL, 0o666), path


class _Careful:
    """Tells before each stage of each record which they are, and leaves out records that are known to kill."""

    def __init__(self, note: Callable[[int, int], None], killers: Mapping[int, tuple[int, str]]) -> None:
        self._note = note
        self._killers = killers
        self._record = 0

    def noted_step(self, stage: int, step: StepCall) -> StepCall:
        if step.table is not None:
            return replace(step, table=self.noted(stage, step.table))
        if step.batch is not None:
            return replace(step, batch=cast("BatchCall", self.noted(stage, step.batch)))
        return replace(step, call=self.noted(stage, step.call))

    def noted(self, stage: int, call: Callable[..., object]) -> Callable[..., object]:
        note = self._note

        def noting(value: object) -> object:
            note(self._record, stage)
            return call(value)

        return noting

    def run(
        self, loop: RecordLoop, before: int, raws: Sequence[object], encoded: list[object], failures: list[Failure]
    ) -> None:
        for index, raw in enumerate(raws):
            self._record = before + index
            found: list[Failure] = []
            killer = self._killers.get(self._record)
            try:
                if killer is None:
                    loop.run([raw], encoded, found)
                else:
                    found.append(loop.set_aside(killer[0], ErrorText("ProcessDied", killer[1])))
            except StopRun as stop:
                raise StopRun(replace(stop.failure, index=index)) from None
            failures += [replace(one, index=index) if one.record is None else one for one in found]
            if loop.beat is not None:
                loop.beat(index + 1)
