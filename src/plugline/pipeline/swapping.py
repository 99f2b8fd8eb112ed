"""A run that goes on, and plugins that are edited meanwhile, to the plan that makes the rest of it.

A split is made by one generation: where an edit is seen no more splits are handed out, those in hand are
made to their end and committed, and the next ones are the new generation's. So no record is lost or made twice, and the record from
which on the new generation works is known. A version that cannot be planned or loaded is told of, and changes nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.pipeline.bound import BoundPlan, bound_engine
from plugline.pipeline.cutting import Cut
from plugline.pipeline.plan import Plan, PluginUse
from plugline.pipeline.report import Swap
from plugline.records import Engine

ChangedCall = Callable[[Plan], Plan | None]
TellCall = Callable[[Finding], None]


@frozen(kw_only=True)
class Watch:
    """How a run learns of edits.

    Attributes:
        changed: Asked several times a second for another plan in the place of this one; ``None`` where nothing was edited.
        tell: Told what is wrong with an edit.
    """

    changed: ChangedCall
    tell: TellCall


class Swapping:
    """The generations of one run.

    Args:
        plan: The first.
        bind: Loads the plugins of a plan, for as long as the run lasts.
        stack: Holds what is open until the run ends: the first generation's formats read and write to its end.
    """

    def __init__(self, plan: Plan, watch: Watch, bind: Callable[[Plan], BoundPlan], stack: ExitStack) -> None:
        self._plan = plan
        self._watch = watch
        self._bind = bind
        self._stack = stack
        self._next: tuple[Plan, Engine] | None = None

    @staticmethod
    def refuse(plan: Plan, engine: Engine, bound: BoundPlan) -> None:
        """Refuse a run that cannot take other plugins while it goes on.

        Raises:
            ConfigurationError: Its engine takes all splits at once, or a step needs the records before.
        """
        place, hint = plan.engine.place, 'run it without --watch, or with engine = "local"'
        if bound.stateful:
            what = f"the step {bound.stateful[0]!r} keeps what it has seen, which another version would not know"
            place, hint = plan.config.place(("steps",)), "run it without --watch"
        elif not getattr(engine, "streaming", False):
            what = f"the engine {plan.engine.name!r} takes all splits at once"
        else:
            return
        message = f"edits cannot be taken into this run while it goes on: {what}"
        raise ConfigurationError([Finding("C114", message, place, hint)])

    def until_edited(self, cuts: Iterator[Cut | None]) -> Iterator[Cut | None]:
        """Yield the cuts that are this generation's."""
        while not self._is_edited():
            cut = next(cuts, _END)
            if cut is _END:
                return
            yield cut  # type: ignore[misc]

    def take(self) -> tuple[Plan, Engine] | None:
        """Return the next generation, once; ``None`` where there is none."""
        taken, self._next = self._next, None
        if taken is not None:
            self._plan = taken[0]
        return taken

    def swaps(self, before: Plan, record: int) -> tuple[Swap, ...]:
        """Return what is another generation in the plan in force, from a record on."""
        return tuple(
            Swap(step=new.label, generation=new.generation, record=record)
            for new, old in zip(self._plan.steps, before.steps, strict=True)
            if new.generation != old.generation
        )

    def _is_edited(self) -> bool:
        if self._next is None:
            plan = self._watch.changed(self._plan)
            if plan is not None:
                self._next = self._ready(replace(plan, slowest=self._plan.slowest))
        return self._next is not None

    def _ready(self, plan: Plan) -> tuple[Plan, Engine] | None:
        for new, old in (
            (plan.reader, self._plan.reader),
            (plan.writer, self._plan.writer),
            (plan.engine, self._plan.engine),
        ):
            if new.code != old.code:
                self._watch.tell(
                    _not_now(new, f"the {new.kind} {new.name!r} was edited, and this run has begun with it")
                )
                return None
        try:
            bound = self._bind(plan)
            if bound.stateful:
                said = f"the step {bound.stateful[0]!r} needs to see all records, and this run has begun without it"
                self._watch.tell(_not_now(plan.steps[0].use, said))
                return None
            return plan, self._stack.enter_context(bound_engine(plan))
        except ConfigurationError as error:
            for finding in error.findings:
                self._watch.tell(finding)
            return None


_END = object()


def _not_now(use: PluginUse, said: str) -> Finding:
    return Finding(
        "P331",
        f"{said}: the edit counts from the next run on",
        Place(use.place.path),
        "end the run and begin it anew, or let it end",
    )
