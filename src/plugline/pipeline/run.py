"""A plan to its output and a report: an engine runs the splits, their parts are committed."""

import os
import platform
import signal
import stat
from _thread import get_ident
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from types import FrameType, TracebackType
from typing import Protocol, cast

from plugline.blame import describe_error, users_own_interrupt
from plugline.clock import monotonic_seconds
from plugline.discovery.known import ParsedOnce
from plugline.errors import ConfigurationError, PluglineError, RunStopped
from plugline.findings import Finding, Place
from plugline.pipeline.bound import BoundPlan, bound_engine
from plugline.pipeline.cutting import Cut, Input, Mark
from plugline.pipeline.parts import MOST_TRACEBACKS, Committer
from plugline.pipeline.plan import Plan, PluginUse, StepPlan, goes_straight
from plugline.pipeline.remote import bucket_of, is_missing, without_secret
from plugline.pipeline.report import RunReport, Swap, added, tallied
from plugline.pipeline.split import Progress, ProgressCall, SplitWork
from plugline.pipeline.streams import size_of
from plugline.records import Engine, Part, Split, SplitRunner

TYPE_CHECKING = False
if TYPE_CHECKING:  # for who follows edits, or watches
    from logging import Handler

    from plugline.pipeline.live import TellCall
    from plugline.pipeline.swapping import Swapping, Watch

_INTERRUPTED = "R110"
_FINAL = ("R101", "R105", "R111")  # going on would need another input or plugin, and so be another run


class PlanRunner:
    """The :class:`~plugline.records.SplitRunner` of a plan. It pickles as the plan, and binds it where it runs first.

    Attributes:
        tell: Where there is one, told several times a second how far a split is. Not pickled.
    """

    tell: "TellCall | None" = None

    def __init__(self, plan: Plan, inputs: Sequence[str] = ()) -> None:
        self._plan = plan
        self._inputs = inputs
        self._bound: BoundPlan | None = None
        self._work: SplitWork | None = None
        self.raised: BaseException | None = None

    def __reduce__(self) -> tuple[object, ...]:
        from plugline.isolation.talk import listeners  # logging costs more than a small run

        return _runner_elsewhere, (self._plan, self._inputs, listeners())

    def looks_for(self, inputs: Sequence[str]) -> None:
        """Say which inputs have to be there where splits are run."""
        self._inputs = tuple(inputs)

    def __call__(self, split: Split, /) -> Part:
        """See :class:`~plugline.records.SplitRunner`."""
        return self._run(lambda work: work.run(split))

    def into(self, split: Split, memory: memoryview, /) -> Part:
        """Run a split, and write its part to memory where it fits: then the part's content is a view of that."""
        return self._run(lambda work: work.run(split, memory=memory))

    def carefully(
        self, split: Split, note: Callable[[int, int], None], killers: Mapping[int, tuple[int, str]], /
    ) -> Part:
        """See :class:`~plugline.records.CarefulRunner`."""
        return self._run(lambda work: work.run_carefully(split, note, killers))

    def again(self, split: Split, refused: Mapping[str, str]) -> Part:
        """Run a split once more, without rows that the sink refuses."""
        with SplitWork(self._plan, self.bind(), tapes=self._work.tapes if self._work is not None else None) as work:
            return work.run(split, refused=refused)

    def _run(self, action: Callable[[SplitWork], Part]) -> Part:
        try:
            if self._work is None:
                self._work = SplitWork(self._plan, self.bind())
            self._work.tell = self.tell
            return action(self._work)
        except BaseException as error:
            self.raised = error
            raise

    def bind(self) -> BoundPlan:
        """Load the plan's plugins, the first time.

        Raises:
            ConfigurationError: Some cannot be loaded, or refuse their settings.
        """
        if self._bound is None:
            self._bound = BoundPlan(self._plan)
        return self._bound

    def prepare(self, splits: Sequence[Split] = ()) -> None:
        """See :class:`~plugline.records.PreparedRunner`."""
        self.bind()
        findings = []
        for path in self._inputs:
            located = self._plan.located(path)
            if size_of(located) is None and not os.path.exists(located):
                message = f"the input {path!r} is not there for a worker on {platform.node()!r}"
                hint = "put it where every worker can read it under that path, or at an address such as s3://"
                findings.append(Finding("C150", message, self._plan.config.place(("source", "path")), hint))
        folder = self._plan.part_folder
        if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
            message = f"the folder of the output, {self._plan.sink!r}, is not there for a worker on {platform.node()!r}"
            hint = "put it where every worker can write under that path; or leave out parts in [sink], and the one that drives the run writes one file"
            findings.append(Finding("C151", message, self._plan.config.place(("sink", "path")), hint))
        if findings:
            raise ConfigurationError(self._plan.config.veiled(findings))

    def close(self) -> None:
        """Close what the last split left open."""
        if self._work is not None:
            self._work.close()


def _runner_elsewhere(plan: Plan, inputs: Sequence[str], listeners: "Sequence[Handler]") -> PlanRunner:
    if listeners:
        from plugline.isolation.talk import listen_as_there

        listen_as_there(listeners)
    return PlanRunner(plan, inputs)


def run_plan(
    plan: Plan,
    *,
    progress: ProgressCall | None = None,
    beat: ProgressCall | None = None,
    resume: bool = False,
    tell_dashboard: Callable[[str], None] | None = None,
    watch: "Watch | None" = None,
) -> RunReport:
    """Run a plan to its end.

    Output and dead letters appear under their final names only when all of it is done (standard output apart).

    Args:
        progress: Told after each split how far it is, by the splits that are done.
        beat: Told that too, and several times a second, with what is known of the splits that are not done.
        resume: Go on with a run that was not finished, if there is one: what it has written is not made again, and the
            output is the same as that of a run that nothing disturbed.
        tell_dashboard: Told the address of the engine's own page on what it does, once, where it has one.
        watch: How to learn of plugins that are edited while it goes on, and are to be taken; left out, edits do not count.

    Raises:
        ConfigurationError: A plugin cannot be loaded or refuses its settings; or another run writes the same output, or
            what there is to resume is of another pipeline or input. Nothing was read or written.
        RunStopped: It ended before its end; ``report`` says what had been done. The output is not in place; dead
            letters are, unless the user interrupted it.
    """
    ended: RunReport | RunStopped | None = None
    try:
        with UnhurriedStack() as stack:
            run = _opened(
                plan, stack, progress=progress, beat=beat, resume=resume, tell_dashboard=tell_dashboard, watch=watch
            )
            try:
                ended = run.run()
            except RunStopped as stop:
                ended = stop
                raise
    except KeyboardInterrupt:
        # It came, not for the first time, while what the run had opened was closed.
        if ended is None:
            raise
    if isinstance(ended, RunStopped):
        raise ended from ended.__cause__
    return ended


def _opened(
    plan: Plan,
    stack: ExitStack,
    *,
    progress: ProgressCall | None,
    beat: ProgressCall | None,
    resume: bool,
    tell_dashboard: Callable[[str], None] | None,
    watch: "Watch | None",
) -> "PlanRun":
    """Return a run that is ready to begin; ``stack`` closes what it has opened."""
    runner, bound, engine = bound_runner(plan, stack)
    source = Input(plan, bound.reader, streaming=getattr(engine, "streaming", False))
    runner.looks_for(source.files_of_workers())
    ordered = plan.ordered or bool(bound.stateful)
    # What a stateful step has seen is gone with its process, and what came by a pipe is gone too: such a run begins anew.
    is_pipe = len(plan.splits) == 1 and goes_straight(plan.located(plan.splits[0].path))
    repeats = not bound.stateful and not is_pipe
    if watch is not None:
        from plugline.pipeline.swapping import Swapping  # where plugins are edited

        Swapping.refuse(plan, engine, bound)
    identity = identity_of(plan, source)
    committer = Committer(
        plan,
        bound,
        identity,
        resume=resume and repeats,
        repeats=repeats,
        ordered=ordered,
        takes_edits=watch is not None,
    )
    entered(stack, committer, plan)
    if committer.edited:
        committer.take_over(identity, _swaps_of_edited(plan, committer))
    numbered = _with_generations(plan, committer.done.swaps)
    if numbered is not plan:
        plan, runner = numbered, PlanRunner(numbered)
        stack.enter_context(runner.bind())
        stack.callback(runner.close)
        runner.looks_for(source.files_of_workers())
    run = PlanRun(plan, engine, runner, source, committer, progress, beat, tell_dashboard)
    if watch is not None:
        run.watch(watch, stack)
    return run


def _swaps_of_edited(plan: Plan, committer: Committer) -> tuple[Swap, ...]:
    """Return the generations that a run which is gone on with takes of plugins that were edited since it ended."""
    known = {swap.step: swap.generation for swap in committer.done.swaps}
    record = committer.done.records + 1
    labels = [step.label for number, step in enumerate(plan.steps, 1) if number in committer.edited]
    return tuple(Swap(step=label, generation=known.get(label, 1) + 1, record=record) for label in labels)


def _with_generations(plan: Plan, swaps: Sequence[Swap]) -> Plan:
    """Return a plan whose steps go on counting where a run had come to; the same where nothing was taken in it."""
    known = {swap.step: swap.generation for swap in swaps}
    if not known:
        return plan
    return replace(plan, steps=tuple(replace(one, generation=known.get(one.label, 1)) for one in plan.steps))


def bound_runner(plan: Plan, stack: ExitStack) -> tuple[PlanRunner, BoundPlan, Engine]:
    """Return what runs the splits of a plan, its plugins and the engine, all of which ``stack`` closes."""
    runner = PlanRunner(plan)
    with ParsedOnce() as parsed:
        bound = stack.enter_context(runner.bind())
        stack.callback(runner.close)
        engine = stack.enter_context(bound_engine(plan)) if not bound.stateful else OneByOne()
        parsed.forget()
    return runner, bound, engine


def entered(stack: ExitStack, committer: Committer, plan: Plan) -> None:
    """Open the output; where that fails, the stop has a report like any other."""
    _refuse_missing_buckets(plan)
    try:
        stack.enter_context(committer)
    except ConfigurationError as error:
        raise ConfigurationError(plan.config.veiled(error.findings)) from error.__cause__
    except RunStopped as stop:
        report = RunReport(counts=(), seconds=0.0, output=without_secret(plan.sink), dead_letters=None, complete=False)
        (finding,) = plan.config.veiled([stop.finding])
        raise RunStopped(finding, report) from stop.__cause__


def _refuse_missing_buckets(plan: Plan) -> None:
    """Ask once for each bucket, and when all else is in order: a store that does not answer takes its time."""
    keys: dict[str, tuple[str, str]] = {}
    for path, key in ((plan.sink, ("sink", "path")), (plan.dead_letters, ("run", "dead_letters"))):
        if (bucket := bucket_of(path)) is not None:
            keys.setdefault(bucket, key)
    findings = [
        Finding("C111", f"the bucket {bucket!r} does not exist", plan.config.place(key), "create it, or name another")
        for bucket, key in keys.items()
        if is_missing(bucket)
    ]
    if findings:
        raise ConfigurationError(plan.config.veiled(findings))


class OneByOne:
    """Runs splits in this process, in order: for steps whose results depend on the records before."""

    streaming = True

    def run(self, runner: SplitRunner, splits: Iterable[Split | None], /) -> Iterator[Part]:
        """Yield the part of each split."""
        for split in splits:
            if split is not None:
                yield runner(split)


def identity_of(plan: Plan, source: "RunInput") -> dict[str, object]:
    """Return what must be the same for a run to be gone on with, each under words for people."""
    identity: dict[str, object] = {
        f"the input {path!r}": list(told) for path, told in sorted(source.identities().items())
    }
    identity["the list of inputs"] = [without_secret(split.path) for split in plan.splits]
    identity["the source's format"] = identity_of_use(plan.reader)
    identity["the number of steps"] = len(plan.steps)
    for number, step in enumerate(plan.steps, 1):
        told = f"step {number} ({step.label!r})"
        identity[told] = [*identity_of_use(step.use), step.on_error]
        for path, stamp in _files_of(plan, step.use):
            identity[f"{path!r}, which {told} reads,"] = stamp
    identity["the sink's format"] = identity_of_use(plan.writer)
    identity["the sink"] = without_secret(plan.sink)
    identity["the name of the dead letters"] = plan.dead_letters
    run = plan.config.run
    identity["'ordered', 'max_record_bytes' or 'split_bytes' in [run]"] = [
        plan.ordered,
        run.max_record_bytes,
        run.split_bytes,
    ]
    identity["'parts' in [sink]"] = plan.part_suffix
    return identity


def _files_of(plan: Plan, use: PluginUse) -> Iterator[tuple[str, list[int]]]:
    """Yield the files that the settings of a plugin name, each with what tells whether it is still the same."""
    for name, path in plan.settings_of(use).items():
        if name in use.files and isinstance(path, str):
            with suppress(OSError):
                found = os.stat(path)
                if stat.S_ISREG(found.st_mode):
                    yield str(use.settings[name]), [found.st_size, found.st_mtime_ns]


def identity_of_use(use: PluginUse) -> list[object]:
    """Return what tells one use of a plugin from another."""
    return [use.name, use.code, repr(sorted(use.settings.items(), key=lambda item: item[0]))]


class RunInput(Protocol):
    """Where the splits of a run come from."""

    @property
    def bytes_total(self) -> int | None:
        """How many bytes there are to read, as far as that is known."""

    def cuts(self, mark: Mark | None = None) -> Iterator[Cut | None]:
        """Yield the splits from ``mark`` on; ``None`` where there is nothing for the moment."""

    def identities(self) -> dict[str, tuple[int, int, int]]:
        """Return what tells of each file whether it is still the same."""

    def check_unchanged(self) -> None:
        """Raise ``RunStopped`` where what was read is not what is there."""


class PlanRun:
    """One run of a plan."""

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        runner: PlanRunner,
        source: RunInput,
        committer: Committer,
        progress: ProgressCall | None,
        beat: ProgressCall | None,
        tell_dashboard: Callable[[str], None] | None = None,
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._runner = runner
        self._source = source
        self._committer = committer
        self._progress = progress
        self._beat = beat
        self._tell = tell_dashboard
        self._start = monotonic_seconds()
        self._pending: dict[int, Cut] = {}
        self._stopped_in: Part | None = None
        self._records_before = committer.done.records
        self._bytes_read = 0
        self._bytes_cut: int | None = None
        self._sizes: dict[int, int] = {}  # how many bytes each split is that is not done
        self._live: dict[int, tuple[int, int, float]] = {}  # of those that told: records, failures, share
        self._thread = get_ident()
        self._swapping: Swapping | None = None
        self._runners: dict[int, PlanRunner] = {}  # of later generations, by the id of the plan
        self._dashboard: str | None = None

    def watch(self, watch: "Watch", stack: ExitStack) -> None:
        """Take plugins that are edited while it goes on.

        Args:
            stack: Closes what is opened for them when the run has ended.
        """

        def bind(plan: Plan) -> BoundPlan:
            runner = self._runners[id(plan)] = PlanRunner(plan)
            bound = stack.enter_context(runner.bind())
            stack.callback(runner.close)
            return bound

        from plugline.pipeline.swapping import Swapping

        self._swapping = Swapping(self._plan, watch, bind, stack)

    def run(self) -> RunReport:
        """Take all parts, and put what they made in place."""
        committer = self._committer
        ended: RunReport | None = None
        try:
            for part in self._parts():
                self._take(part)
            if not committer.all_done:
                self._source.check_unchanged()
            report = self._report()
            if not report.balanced:
                message = f"the counts of the run do not add up, which is a bug in plugline: {report.counts}"
                raise AssertionError(message)
            with unhurried():
                removed = committer.commit()
                ended = replace(report, removed=removed, parts=committer.parts_written)
        except KeyboardInterrupt:
            if ended is not None:
                return ended  # it came when all was in place
            finding = Finding(_INTERRUPTED, "interrupted", Place(self._path_in_hand()))
            raise self._stop(RunStopped(finding, interrupted=True)) from None
        except RunStopped as stop:
            raise self._stop(stop) from stop.__cause__
        return ended

    def follow(self) -> RunReport:
        """Take parts until the source ends, or the user ends it."""
        try:
            try:
                for part in self._parts():
                    self._take(part)
            except KeyboardInterrupt:
                pass  # the one way in which following ends
            self._committer.pause()
        except RunStopped as stop:
            if not stop.interrupted:
                raise self._stop(stop) from stop.__cause__
            self._committer.pause()
        return self._report()

    def _path_in_hand(self) -> str:
        if self._pending:
            return self._pending[min(self._pending)].split.path
        paths = [split.path for split in self._plan.splits]
        return paths[min(self._committer.done.mark.file, len(paths) - 1)] if paths else self._plan.sink

    def _take(self, part: Part) -> None:
        self._look_at_dashboard()
        cut = self._pending[part.split.index]
        stop = part.stop
        if stop is not None:
            self._stopped_in = part
            if stop.code == _INTERRUPTED:
                raise RunStopped(stop, interrupted=True)
            raise RunStopped(stop)
        self._stopped_in = part  # should it not be possible to write it
        with unhurried(only_later=True) if self._committer.in_place else nullcontext():
            self._committer.add(cut, part, self._again)
            self._stopped_in = None
            del self._pending[part.split.index]
        self._bytes_read = max(self._bytes_read, cut.bytes_read)
        self._check_limit(part)
        self._live.pop(part.split.index, None)
        self._sizes.pop(part.split.index, None)
        if self._progress is not None:
            self._progress(self._so_far())
        if self._beat is not None:
            self._beat(self._with_live())

    def _again(self, cut: Cut, part: Part, refused: Mapping[str, str]) -> Part | None:
        """Return a part without rows that the sink refuses; ``None`` where its split cannot be run again."""
        bound = self._runner.bind()
        # What a stateful step has seen it has seen; of one that takes many records at once nothing is noted.
        if any((step.batch or step.table) and step.name in bound.stateful for step in bound.steps):
            return None
        if any("ProcessDied" in error for error in part.errors):  # which would be this one
            return None
        made = self._runner.again(replace(part.split, content=cut.split.content, raws=cut.split.raws), refused)
        for path in (part.path, part.dead_letters_path):
            if path is not None:
                os.unlink(path)
        self._stopped_in = made
        if made.stop is not None:
            raise RunStopped(made.stop, interrupted=made.stop.code == _INTERRUPTED)
        return made

    def _check_limit(self, part: Part) -> None:
        done = self._committer.done
        if self._plan.limit.exceeded(done.failed, done.records):
            message = f"{done.failed:,} of {done.records:,} records failed, at most {self._plan.limit} may"
            hint = f"see {self._plan.dead_letters}, or raise max_errors in [run] (--max-errors)"
            raise RunStopped(Finding("R104", message, Place(without_secret(part.split.path)), hint))

    def _so_far(self) -> Progress:
        done = self._committer.done
        return Progress(
            records_in=done.records,
            records_out=done.counts[-1].out if done.counts else 0,
            failed=done.failed,
            bytes_read=self._bytes_read,
            bytes_total=self._source.bytes_total,
            seconds=monotonic_seconds() - self._start,
            records_before=self._records_before,
        )

    def _with_live(self) -> Progress:
        done = self._so_far()
        records, failed, read = done.records_in, done.failed, float(done.bytes_read)
        for index, (more, more_failed, share) in self._live.items():
            records, failed = records + more, failed + more_failed
            # Where parts come in any order, all bytes before one that is done count as read.
            if self._pending[index].bytes_read > done.bytes_read:
                read += self._sizes[index] * share
        return replace(done, records_in=records, failed=failed, bytes_read=int(read))

    def _heard(self, index: int, records: int, failed: int, share: float) -> None:
        """Take note of how far a split is that is being run; an engine's other threads are not listened to."""
        if self._beat is not None and index in self._pending and get_ident() == self._thread:
            self._live[index] = records, failed, share
            self._beat(self._with_live())

    # ------------------------------------------------------------------------- the engine

    def _parts(self) -> Iterator[Part]:
        """Yield the parts of all splits; those that fix the columns of all before the others are begun."""
        committer = self._committer
        if committer.all_done:
            return
        cuts = self._source.cuts(committer.done.mark)
        try:
            while committer.needs_columns:
                cut = self._next(cuts)
                if cut is None:
                    return
                split = replace(self._sent(cut), first=True)
                for part in self._run_engine([split]):
                    yield part
                    if committer.done.written:
                        committer.columns_are(part.columns)
            if self._swapping is not None:
                yield from self._parts_of_generations(cuts, self._swapping)
                return
            splits = (None if cut is None else self._sent(cut) for cut in cuts)
            if getattr(self._engine, "streaming", False):
                yield from self._run_engine(cast("Sequence[Split]", splits))
            else:
                known = [split for split in splits if split is not None]
                count = self._committer.done.mark.index + len(known)
                yield from self._run_engine([replace(split, count=count) for split in known])
        finally:
            close = getattr(cuts, "close", None)
            if close is not None:
                close()

    def _parts_of_generations(self, cuts: Iterator[Cut | None], swapping: "Swapping") -> Iterator[Part]:
        """Yield all parts, each made by the generation that was in force when its split was handed out."""
        while True:
            own = swapping.until_edited(cuts)
            splits = (None if cut is None else self._sent(cut) for cut in own)
            yield from self._run_engine(cast("Sequence[Split]", splits))
            following = swapping.take()
            if following is None:
                return
            # All parts so far are committed: whoever took the last one asked for more.
            before, self._plan, self._engine = self._plan, *following
            self._runner = self._runners.pop(id(self._plan))
            swaps = swapping.swaps(before, self._committer.done.records + 1)
            self._committer.take_over(identity_of(self._plan, self._source), swaps)

    @staticmethod
    def _next(cuts: Iterator[Cut | None]) -> Cut | None:
        """Return the next split, however long it takes; ``None`` at the end."""
        return next((cut for cut in cuts if cut is not None), None)

    def _sent(self, cut: Cut) -> Split:
        # An engine asks for its first split when its cluster is there, and so its dashboard.
        self._look_at_dashboard()
        # A database may refuse some of what it becomes, which then is made again.
        kept = (cut.split.content is None and cut.split.raws is None) or hasattr(
            self._runner.bind().writer, "open_sink"
        )
        self._pending[cut.split.index] = cut if kept else _slim(cut)
        if self._beat is not None:
            self._sizes[cut.split.index] = self._size_of(cut)
        columns = self._committer.done.columns
        return cut.split if cut.split.columns == columns else replace(cut.split, columns=columns)

    def _size_of(self, cut: Cut) -> int:
        """Return how many bytes a split is of the input as it is on disk; called in the order of the splits."""
        before, self._bytes_cut = self._bytes_cut, cut.bytes_read
        if before is None:
            # Of the first one of a run that is gone on with, nobody knows where it begins.
            before = self._bytes_read = cut.bytes_read if cut.split.index else 0
        return cut.bytes_read - before

    def _look_at_dashboard(self) -> None:
        if self._dashboard is None and (address := getattr(self._engine, "dashboard_url", None)):
            self._dashboard = str(address)
            if self._tell is not None:
                self._tell(self._dashboard)

    def _run_engine(self, splits: Sequence[Split]) -> Iterator[Part]:
        """Pass on an engine's parts as long as they are those of the splits, and close it whatever happens.

        An engine may be a stranger's: that a part is missing must not be taken for the end.
        """
        parts: object = None
        expected = min(self._pending, default=self._committer.done.mark.index)
        if self._beat is not None:
            self._runner.tell = self._heard
        try:
            parts = self._engine.run(self._runner, splits)
            for part in parts:
                self._check_order(part.split.index, expected)
                yield part
                expected += 1
        except (PluglineError, GeneratorExit):
            raise
        except BaseException as error:
            if error is self._runner.raised or users_own_interrupt(error):
                raise
            stage = getattr(error, "stage", None)
            if isinstance(stage, int) and 0 < stage <= len(self._plan.steps):
                raise self._killed_in(self._plan.steps[stage - 1], error) from error
            raise self._engine_stop(f"failed: {describe_error(error)}") from error
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        if self._pending:
            of = f" of {len(splits)}" if isinstance(splits, list) else ""
            done = len(splits) - len(self._pending) if isinstance(splits, list) else self._committer.done.parts
            raise self._engine_stop(f"ended after {done}{of} parts")

    def _check_order(self, index: int, expected: int) -> None:
        if (self._plan.ordered and index != expected) or index not in self._pending:
            raise self._engine_stop(f"gave part {index}, expected part {expected}")

    def _engine_stop(self, what: str) -> RunStopped:
        return RunStopped(Finding("R106", f"the engine {self._plan.engine.name!r} {what}", self._plan.engine.place))

    @staticmethod
    def _killed_in(step: StepPlan, error: BaseException) -> RunStopped:
        """Return the stop for a step that ends processes, which is not the engine's fault."""
        hint = "mend the plugin or the library that it calls, and run it again"
        return RunStopped(Finding("R106", f"the step {step.label!r} ends its processes: {error}", step.use.place, hint))

    # ------------------------------------------------------------------------- the end

    def _report(self) -> RunReport:
        done = self._committer.done
        return RunReport(
            counts=done.counts,
            seconds=monotonic_seconds() - self._start,
            output=without_secret(self._plan.sink),
            dead_letters=self._plan.dead_letters if done.failed else None,
            errors=tallied([done.errors]),
            tracebacks=done.tracebacks,
            resumed_parts=self._committer.resumed_parts,
            slowest=tuple(self._committer.slowest),
            parts=self._committer.parts_written,
            dashboard=self._dashboard,
            swaps=done.swaps,
        )

    def _stop(self, stop: RunStopped) -> RunStopped:
        """Return the stop with a report on the whole run, the split that it ended in included."""
        if stop.finding.code in _FINAL:
            self._committer.forget()
        resumable = self._committer.resumable
        in_place = "followed" if resumable and self._committer.follows else "added" if self._committer.adds else ""
        report = replace(self._report(), complete=False, resumable=resumable, in_place=in_place)
        last = self._stopped_in
        if last is not None:
            counts, errors = added(report.counts, last.counts), tallied([report.errors, last.errors])
            told = {**{key: text for key, (_, text) in last.tracebacks.items()}, **report.tracebacks}
            tracebacks = {key: told[key] for key in [*dict.fromkeys([*report.tracebacks, *told])][:MOST_TRACEBACKS]}
            report = replace(report, counts=counts, errors=errors, tracebacks=tracebacks)
        cut = self._pending.get(last.split.index) if last is not None else None
        kept = None if stop.interrupted else self._committer.keep_dead_letters(last, cut)
        (finding,) = self._plan.config.veiled([stop.finding])
        return RunStopped(finding, replace(report, dead_letters=kept), interrupted=stop.interrupted)


def _slim(cut: Cut) -> Cut:
    """Return a cut without the data that an engine has by now."""
    return replace(cut, split=replace(cut.split, content=None, raws=None))


@contextmanager
def unhurried(*, only_later: bool = False) -> Iterator[None]:
    """Pass over the first interrupt while the block runs. A second one is raised, for who does not want to wait.

    Args:
        only_later: Whether the first one comes when the block has come to its end, and is not forgotten.

    SIGTERM and SIGHUP count as interrupts where somebody made them such. Does nothing in a thread to which signals do not come.
    """
    before: dict[int, Callable[[int, FrameType | None], object]] = {}
    came: list[int] = []

    def put_back() -> None:
        while before:
            number, action = before.popitem()
            signal.signal(number, action)

    def pass_over(number: int, frame: FrameType | None) -> None:
        put_back()
        came.append(number)

    try:
        for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            action = signal.getsignal(number)
            if callable(action) and number not in before:
                signal.signal(number, pass_over)
                before[number] = action
    except ValueError:  # not the main thread
        before.clear()
    try:
        yield
    finally:
        put_back()
    if came and only_later:
        signal.raise_signal(came[0])


class UnhurriedStack(ExitStack):
    """An :class:`~contextlib.ExitStack` that closes what it holds as :func:`unhurried` says."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        with unhurried():
            return super().__exit__(kind, error, traceback)
