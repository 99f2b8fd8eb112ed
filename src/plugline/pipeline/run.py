"""A plan to its output and a report: an engine runs the splits, their parts are committed in order."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from plugline.blame import describe_error, users_own_interrupt
from plugline.clock import monotonic_seconds
from plugline.errors import PluglineError, RunStopped
from plugline.findings import Finding, Place
from plugline.pipeline.bound import BoundPlan, bound_engine
from plugline.pipeline.parts import Committer
from plugline.pipeline.plan import Plan
from plugline.pipeline.report import RunReport, added, tallied
from plugline.pipeline.split import Before, ProgressCall, run_split
from plugline.pipeline.streams import size_of
from plugline.records import Engine, Part, Split, StepCounts


class PlanRunner:
    """The :class:`~plugline.records.SplitRunner` of a plan. It pickles as the plan, and binds it where it runs first."""

    def __init__(self, plan: Plan, progress: ProgressCall | None = None) -> None:
        self._plan = plan
        self._progress = progress
        self._bound: BoundPlan | None = None
        self._before = Before()
        self._made: list[Part] = []
        self.raised: BaseException | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return PlanRunner, (self._plan,)

    def __call__(self, split: Split, /) -> Part:
        """See :class:`~plugline.records.SplitRunner`."""
        try:
            part = run_split(self._plan, self.bind(), split, before=self._before, progress=self._progress)
        except BaseException as error:
            self.raised = error
            raise
        self._made.append(part)
        first, last = part.counts[0], part.counts[-1]
        self._before = Before(
            records=self._before.records + first.entered,
            failed=self._before.failed + sum(count.failed for count in part.counts),
            written=self._before.written + last.out,
            bytes_read=self._before.bytes_read + (size_of(self._plan.located(split.path)) or 0),
            columns=part.columns if part.columns is not None else self._before.columns,
        )
        return part

    def bind(self) -> BoundPlan:
        """Load the plan's plugins, the first time.

        Raises:
            ConfigurationError: Some cannot be loaded, or refuse their settings.
        """
        if self._bound is None:
            self._bound = BoundPlan(self._plan)
        return self._bound

    def discard(self) -> None:
        """Remove the parts that nobody took: an engine may have been ahead of the split that ended the run."""
        for path in (path for part in self._made for path in (part.path, part.dead_letters_path)):
            if path is not None and os.path.exists(path):
                os.unlink(path)


def run_plan(plan: Plan, *, progress: ProgressCall | None = None) -> RunReport:
    """Run a plan to its end.

    Output and dead letters appear under their final names only when all of it is done (standard output apart).

    Args:
        plan: What to do.
        progress: Told after each batch how far it is.

    Raises:
        ConfigurationError: A plugin cannot be loaded or refuses its settings; nothing was read or written.
        RunStopped: It ended before its end; ``report`` says what had been done. The output is not in place; dead
            letters are, unless the user interrupted it.
    """
    start = monotonic_seconds()
    runner = PlanRunner(plan, progress)
    done: list[Part] = []
    with ExitStack() as stack:
        bound = stack.enter_context(runner.bind())
        engine = stack.enter_context(bound_engine(plan))
        stack.callback(runner.discard)
        committer = stack.enter_context(Committer(plan, bound.separator))
        try:
            for part in _parts(plan, engine, runner):
                committer.add(part)
                done.append(part)
            report = _report(plan, done, monotonic_seconds() - start)
            if not report.balanced:
                message = f"the counts of the run do not add up, which is a bug in plugline: {report.counts}"
                raise AssertionError(message)
            return replace(report, removed=committer.commit())
        except KeyboardInterrupt:
            stop = RunStopped(Finding("R110", "interrupted", Place(plan.sink)), interrupted=True)
            raise _stopped(stop, plan, done, committer, monotonic_seconds() - start) from None
        except RunStopped as stop:
            raise _stopped(stop, plan, done, committer, monotonic_seconds() - start) from stop.__cause__


def _parts(plan: Plan, engine: Engine, runner: PlanRunner) -> Iterator[Part]:
    """Pass on an engine's parts as long as they are those of the splits in order, and close it whatever happens.

    An engine may be a stranger's: that a part is missing must not be taken for the end.
    """
    parts: object = None
    expected = 0
    try:
        parts = engine.run(runner, plan.splits)
        for part in parts:
            _check_order(plan, part, expected)
            yield part
            expected += 1
    except (PluglineError, GeneratorExit):
        raise
    except BaseException as error:
        if error is runner.raised or users_own_interrupt(error):
            raise
        raise _engine_stop(plan, f"failed: {describe_error(error)}") from error
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    if expected < len(plan.splits):
        raise _engine_stop(plan, f"ended after {expected} of {len(plan.splits)} parts")


def _check_order(plan: Plan, part: Part, expected: int) -> None:
    if part.split.index != expected:
        raise _engine_stop(plan, f"gave part {part.split.index}, expected part {expected}")


def _engine_stop(plan: Plan, what: str) -> RunStopped:
    return RunStopped(Finding("R106", f"the engine {plan.engine.name!r} {what}", plan.engine.place))


def _report(plan: Plan, done: list[Part], seconds: float) -> RunReport:
    counts: tuple[StepCounts, ...] = ()
    for part in done:
        counts = added(counts, part.counts)
    failed = any(count.failed for count in counts)
    return RunReport(
        counts=counts,
        seconds=seconds,
        output=plan.sink,
        dead_letters=plan.dead_letters if failed else None,
        errors=tallied(part.errors for part in done),
    )


def _stopped(stop: RunStopped, plan: Plan, done: list[Part], committer: Committer, seconds: float) -> RunStopped:
    """Return the stop with a report on the whole run, the split that it ended in included."""
    report = replace(_report(plan, done, seconds), complete=False)
    last = None
    if isinstance(stop.report, RunReport):
        last = stop.report.dead_letters
        counts, errors = added(report.counts, stop.report.counts), tallied([report.errors, stop.report.errors])
        report = replace(report, counts=counts, errors=errors)
    kept = None if stop.interrupted else committer.keep_dead_letters(last)
    return RunStopped(stop.finding, replace(report, dead_letters=kept), interrupted=stop.interrupted)
