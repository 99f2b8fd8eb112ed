"""A plan to its output and a report: an engine runs the splits, their parts are committed in order."""

from collections.abc import Iterator
from dataclasses import replace

from plugline.clock import monotonic_seconds
from plugline.errors import RunStopped
from plugline.pipeline.bound import BoundPlan, load_engine
from plugline.pipeline.parts import Committer
from plugline.pipeline.plan import Plan
from plugline.pipeline.report import RunReport, added, tallied
from plugline.pipeline.split import Before, ProgressCall, run_split
from plugline.pipeline.streams import size_of
from plugline.records import Part, Split, StepCounts


class PlanRunner:
    """The :class:`~plugline.records.SplitRunner` of a plan. It pickles as the plan, and binds it where it runs first."""

    def __init__(self, plan: Plan, progress: ProgressCall | None = None) -> None:
        self._plan = plan
        self._progress = progress
        self._bound: BoundPlan | None = None
        self._before = Before()

    def __reduce__(self) -> tuple[object, ...]:
        return PlanRunner, (self._plan,)

    def __call__(self, split: Split, /) -> Part:
        """See :class:`~plugline.records.SplitRunner`."""
        part = run_split(self._plan, self.bind(), split, before=self._before, progress=self._progress)
        first, last = part.counts[0], part.counts[-1]
        self._before = Before(
            records=self._before.records + first.entered,
            failed=self._before.failed + sum(count.failed for count in part.counts),
            written=self._before.written + last.out,
            bytes_read=self._before.bytes_read + (size_of(split.path) or 0),
            columns=part.columns,
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

    @property
    def separator(self) -> bytes:
        """What the sink's format puts between two parts."""
        return self.bind().writer.writer().separator


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
    engine = load_engine(plan)
    runner = PlanRunner(plan, progress)
    done: list[Part] = []
    with runner.bind(), Committer(plan, runner.separator) as committer:
        try:
            for part in _parts(engine.run(runner, plan.splits)):
                committer.add(part)
                done.append(part)
            report = _report(plan, done, committer, monotonic_seconds() - start)
            if not report.balanced:
                message = f"the counts of the run do not add up, which is a bug in plugline: {report.counts}"
                raise AssertionError(message)
            return replace(report, removed=committer.commit())
        except RunStopped as stop:
            report = _stopped_report(stop, done, committer, monotonic_seconds() - start)
            raise RunStopped(stop.finding, report, interrupted=stop.interrupted) from stop.__cause__


def _parts(parts: Iterator[Part]) -> Iterator[Part]:
    """Pass on an engine's parts, and close the engine whatever happens."""
    try:
        yield from parts
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()


def _report(plan: Plan, done: list[Part], committer: Committer, seconds: float) -> RunReport:
    counts: tuple[StepCounts, ...] = ()
    for part in done:
        counts = added(counts, part.counts)
    return RunReport(
        counts=counts,
        seconds=seconds,
        output=plan.sink,
        dead_letters=plan.dead_letters if committer.has_dead_letters else None,
        errors=tallied(part.errors for part in done),
    )


def _stopped_report(stop: RunStopped, done: list[Part], committer: Committer, seconds: float) -> RunReport:
    partial = stop.report
    assert isinstance(partial, RunReport)  # noqa: S101 - run_split always gives one
    counts = partial.counts
    for part in reversed(done):
        counts = added(part.counts, counts)
    kept = None if stop.interrupted else committer.keep_dead_letters(partial.dead_letters)
    errors = tallied([*(part.errors for part in done), partial.errors])
    return replace(partial, counts=counts, seconds=seconds, dead_letters=kept, errors=errors)
