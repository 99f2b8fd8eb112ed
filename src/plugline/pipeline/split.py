"""One split of a plan to its part: the one function that does the work, on whatever engine."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, TypeVar

from plugline.blame import users_own_interrupt
from plugline.clock import monotonic_seconds
from plugline.errors import RunStopped
from plugline.findings import Finding, Place
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.faults import DeadLetterFile
from plugline.pipeline.plan import Plan, goes_straight
from plugline.pipeline.report import RunReport
from plugline.pipeline.streams import SinkFile, bytes_read, open_source, size_of
from plugline.records import Part, RawBatch, Reader, Split, Writer
from plugline.records.loop import Failure, RecordLoop, StopRun

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        records_in: Records read so far.
        records_out: Records written so far.
        failed: Dead letters so far.
        bytes_read: Bytes read so far, of the files as they are on disk.
        bytes_total: Bytes that there are to read, ``None`` where that is not known.
        seconds: Time since the run began.
    """

    records_in: int
    records_out: int
    failed: int
    bytes_read: int
    bytes_total: int | None
    seconds: float


ProgressCall = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What earlier splits of the run leave to a later one.

    Attributes:
        records: How many records they read.
        failed: How many dead letters they made.
        written: How many records they wrote.
        bytes_read: How many bytes they read.
        columns: The fields that they fixed for a table-shaped sink.
    """

    records: int = 0
    failed: int = 0
    written: int = 0
    bytes_read: int = 0
    columns: tuple[str, ...] | None = None


def run_split(
    plan: Plan,
    bound: BoundPlan,
    split: Split,
    *,
    before: Before | None = None,
    progress: ProgressCall | None = None,
) -> Part:
    """Read, run the steps and write one split.

    Deterministic as far as the plugins are. Its one effect is its own part file and, where records fail, its own file
    of dead letters; both are written aside, and gone when it ends in any other way than by returning, except
    that the dead letters of a run that stopped for its faults are kept for whoever mends them.

    Raises:
        RunStopped: Source or sink failed, a step asked for a stop, too many records failed, or the user
            interrupted it; ``report`` says what had been done.
    """
    return _SplitRun(plan, bound, split, before or Before(), progress).run()


class _SplitRun:
    """One split while it runs."""

    def __init__(
        self, plan: Plan, bound: BoundPlan, split: Split, before: Before, progress: ProgressCall | None
    ) -> None:
        self._plan = plan
        self._split = split
        self._before = before
        self._progress = progress
        self._start = monotonic_seconds()
        self._reader: Reader = bound.reader.reader()
        self._writer: Writer = bound.writer.writer()
        self._loop = RecordLoop(self._reader.decode, bound.steps, self._writer.encode)
        self._letters = DeadLetterFile(plan, split)
        self._straight = goes_straight(plan.located(plan.sink))
        self._records = 0
        self._written = 0
        sizes = [size_of(plan.located(each.path)) for each in plan.splits] if progress is not None else [None]
        self._bytes_total = None if None in sizes else sum(size or 0 for size in sizes)

    def run(self) -> Part:
        try:
            with ExitStack() as stack:
                source = self._open_source(stack)
                sink = SinkFile(self._plan.located(self._plan.sink))
                self._guarded_sink(lambda: stack.enter_context(sink))
                self._pass_through(source, sink.stream)
                letters = self._guarded_letters(self._letters.close)
                path = self._guarded_sink(sink.hand_over)
        except KeyboardInterrupt:
            self._letters.discard()
            finding = Finding("R110", "interrupted", Place(self._split.path))
            raise RunStopped(finding, self._report(None), interrupted=True) from None
        except RunStopped:
            raise
        except BaseException:
            self._letters.discard()
            raise
        return Part(
            split=self._split,
            path=path,
            dead_letters_path=letters,
            counts=self._loop.counts(),
            columns=self._writer.columns,
            errors=self._loop.errors,
        )

    def _pass_through(self, source: BinaryIO, stream: BinaryIO) -> None:
        writer = self._writer
        first, last = self._split.index == 0, self._split.index + 1 == self._split.count
        self._guarded_sink(lambda: writer.open(stream, first=first, columns=self._before.columns))
        # What cannot be put in place part by part is written as it goes, and nobody joins it afterwards.
        separator = writer.separator if self._before.written and self._straight else b""
        for batch in self._batches(source):
            encoded: list[object] = []
            failures: list[Failure] = []
            stop = self._run_loop(batch, encoded, failures)
            if failures:
                self._guarded_letters(partial(self._letters.write, batch, failures, self._reader))
            if encoded:
                if separator:
                    self._guarded_sink(partial(stream.write, separator))
                    separator = b""
                self._guarded_sink(partial(writer.write, encoded))
                self._written += len(encoded)
            if stop is not None:
                raise self._stopped(self._stop_finding(stop)) from None
            if failures:
                self._check_limit()
            if self._progress is not None:
                self._tell(source)
        self._guarded_sink(lambda: writer.close(last=last))
        self._check_limit()

    def _run_loop(self, batch: RawBatch, encoded: list[object], failures: list[Failure]) -> Failure | None:
        """Pass a batch through. Returns the failure that ends the run, which is a dead letter as well, if there is one."""
        try:
            self._loop.run(batch.raws, encoded, failures)
        except StopRun as stop:
            failures.append(stop.failure)
            self._records += stop.failure.index + 1
            return stop.failure
        self._records += len(batch.raws)
        return None

    def _stop_finding(self, failure: Failure) -> Finding:
        where = Place(failure.error.path or self._split.path, failure.error.line)
        message = f"step {failure.name!r} failed and says on_error = 'stop': {failure.error}"
        hint = f"see {self._plan.dead_letters} for the record"
        return Finding("R105", message, where, hint)

    def _batches(self, source: BinaryIO) -> Iterator[RawBatch]:
        """Yield the source's batches; what goes wrong in reading is told apart from what goes wrong elsewhere."""
        batches = iter(self._reader.batches(source))
        while True:
            try:
                batch = next(batches, None)
                _ = batch if batch is None else batch.raws  # a stranger's may lack them
            except BaseException as error:
                if users_own_interrupt(error):
                    raise
                raise self._stopped(self._source_finding(error)) from error
            if batch is None:
                return
            yield batch

    def _source_finding(self, error: BaseException) -> Finding:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        kind = "" if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: "
        message = f"cannot be read any further: {kind}{said}"
        hint = f"{self._records:,} records were read before; mend the file, or cut it there"
        return Finding("R101", message, Place(self._split.path), hint)

    def _open_source(self, stack: ExitStack) -> BinaryIO:
        try:
            return stack.enter_context(open_source(self._plan.located(self._split.path)))
        except (OSError, ValueError) as error:
            raise self._stopped(self._source_finding(error)) from error

    def _guarded_sink(self, action: Callable[[], T]) -> T:
        """Do something with the sink; a closed pipe passes, anything else that goes wrong ends the run."""
        try:
            return action()
        except BrokenPipeError:
            raise
        except BaseException as error:
            if users_own_interrupt(error):
                raise
            raise self._stopped(self._sink_finding(error)) from error

    def _sink_finding(self, error: BaseException) -> Finding:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        kind = "" if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: "
        hint = f"{self._written:,} records had been written"
        if not self._straight:
            hint += " aside; what was in place before still is"
        return Finding("R102", f"cannot be written: {kind}{said}", Place(self._plan.sink), hint)

    def _guarded_letters(self, action: Callable[[], T]) -> T:
        """Do something with the dead letters; what goes wrong ends the run."""
        try:
            return action()
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            hint = "name another file: dead_letters in [run], or --dead-letters"
            finding = Finding("R103", f"dead letters cannot be written: {said}", Place(self._plan.dead_letters), hint)
            raise self._stopped(finding) from error

    def _check_limit(self) -> None:
        failed = self._before.failed + self._letters.count
        records = self._before.records + self._records
        if self._plan.limit.exceeded(failed, records):
            message = f"{failed:,} of {records:,} records failed, at most {self._plan.limit} may"
            hint = f"see {self._plan.dead_letters}, or raise max_errors in [run]"
            raise self._stopped(Finding("R104", message, Place(self._split.path), hint))

    def _tell(self, source: BinaryIO) -> None:
        assert self._progress is not None  # noqa: S101 - the caller asked
        self._progress(
            Progress(
                records_in=self._before.records + self._records,
                records_out=self._before.written + self._written,
                failed=self._before.failed + self._letters.count,
                bytes_read=self._before.bytes_read + bytes_read(source),
                bytes_total=self._bytes_total,
                seconds=monotonic_seconds() - self._start,
            )
        )

    def _stopped(self, finding: Finding) -> RunStopped:
        return RunStopped(finding, self._report(self._close_letters()))

    def _close_letters(self) -> str | None:
        try:
            return self._letters.close()
        except (OSError, ValueError):
            # What keeps dead letters from being written must not hide why the run is being stopped.
            self._letters.discard()
            return None

    def _report(self, dead_letters: str | None) -> RunReport:
        return RunReport(
            counts=self._loop.counts(),
            seconds=monotonic_seconds() - self._start,
            output=self._plan.sink,
            dead_letters=dead_letters,
            errors=self._loop.errors,
            complete=False,
        )
