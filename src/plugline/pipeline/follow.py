"""A plan to a run that goes on until it is told to end."""

import os
from collections.abc import Callable

from plugline.errors import ConfigurationError
from plugline.findings import Finding
from plugline.pipeline.cutting import byte_cuts
from plugline.pipeline.following import Following, TellCall
from plugline.pipeline.parts import Committer
from plugline.pipeline.plan import Plan
from plugline.pipeline.remote import has_scheme
from plugline.pipeline.report import RunReport
from plugline.pipeline.run import PlanRun, UnhurriedStack, bound_runner, entered, identity_of_use
from plugline.pipeline.split import ProgressCall
from plugline.pipeline.streams import compression_of
from plugline.records import Format


def follow_plan(
    plan: Plan,
    *,
    progress: ProgressCall | None = None,
    beat: ProgressCall | None = None,
    tell: TellCall = lambda finding: None,
    changed: Callable[[Plan], Plan | None] = lambda plan: None,
) -> RunReport:
    """Run a plan on files that grow, or on a folder where files arrive, until the user interrupts it.

    Each record is read once, also over a restart: how far each file was read is in a journal beside the output. Output and dead
    letters are written in their places as it goes.

    Args:
        progress: As for :func:`run_plan`.
        beat: Likewise.
        tell: Told of files that were rotated or cut off.
        changed: Asked several times a second for another plan in the place of this one, because a plugin was edited. What
            is in hand is done by the old one, everything after by the new one.

    Raises:
        ConfigurationError: As for :func:`run_plan`; or there is no following this source into this sink.
        RunStopped: As for :func:`run_plan`.
    """
    refuse_following(plan)
    before: Plan | None = None
    while True:
        following = _Follow(plan, changed)
        with UnhurriedStack() as stack:
            try:
                run = _begun(stack, plan, following, progress, beat, tell)
            except ConfigurationError as error:
                if before is None:
                    raise
                # The edit can be planned and not be taken: the plugins before it, which the plan holds, go on.
                for finding in error.findings:
                    tell(finding)
                plan, before = before, None
                continue
            report = run.follow()
        if following.next is None:
            return report
        plan, before = following.next, plan


def _begun(
    stack: UnhurriedStack,
    plan: Plan,
    following: "_Follow",
    progress: ProgressCall | None,
    beat: ProgressCall | None,
    tell: TellCall,
) -> PlanRun:
    """Return the run of a plan, with all that it needs open until the stack ends.

    Raises:
        ConfigurationError: As for :func:`follow_plan`.
    """
    runner, bound, engine = bound_runner(plan, stack)
    _refuse_what_ends(plan, bound.reader)
    committer = Committer(plan, bound, _followed_identity(plan), resume=True, ordered=True, follows=True)
    entered(stack, committer, plan)
    source = Following(plan, bound.reader, committer.places, tell=tell, ends=following.ends)
    stack.callback(source.close)
    return PlanRun(plan, engine, runner, source, committer, progress, beat)


class _Follow:
    """Asks whether there is another plan, and keeps it."""

    def __init__(self, plan: Plan, changed: Callable[[Plan], Plan | None]) -> None:
        self._plan = plan
        self._changed = changed
        self.next: Plan | None = None

    def ends(self) -> bool:
        if self.next is None:
            self.next = self._changed(self._plan)
        return self.next is not None


def refuse_following(plan: Plan) -> None:
    """Refuse a source that cannot be followed.

    Raises:
        ConfigurationError: It is standard input, an address or a database.
    """
    if plan.source == "-" or has_scheme(plan.source) or plan.source.startswith("package:"):
        message = f"{plan.source!r} cannot be followed, expected a file, a folder or a pattern"
        hint = "without --follow standard input is read as it comes, too"
        raise ConfigurationError([Finding("C114", message, plan.config.place(("source", "path")), hint)])


def _refuse_what_ends(plan: Plan, form: Format) -> None:
    """Refuse a file that can only be read when it is whole: nobody would ever know that it is, and not read it twice.

    Raises:
        ConfigurationError: It is one. In a folder, where such files arrive, each is read once.
    """
    if os.path.isfile(plan.located(plan.source)) and (byte_cuts(form) is None or compression_of(plan.source)):
        what = "a compressed file" if compression_of(plan.source) else f"a file of the format {plan.reader.name!r}"
        message = f"{plan.source!r} cannot be followed: {what} is only read when it is whole"
        hint = "follow the folder where such files arrive, or run it without --follow"
        raise ConfigurationError([Finding("C114", message, plan.config.place(("source", "path")), hint)])


def _followed_identity(plan: Plan) -> dict[str, object]:
    """Return what may not change where files are followed: plugins may."""
    return {
        "the source": plan.source,
        "the source's format": identity_of_use(plan.reader),
        "the sink's format": identity_of_use(plan.writer),
        "the sink": plan.sink,
        "the name of the dead letters": plan.dead_letters,
    }
