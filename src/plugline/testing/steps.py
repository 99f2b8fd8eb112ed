"""One step on some records, as a run does it."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plugline.dispatch.copies import structural_copy
from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.cases import WITHOUT_FILES
from plugline.pipeline.config import Override, read_config
from plugline.pipeline.plan import make_plan
from plugline.records import Record
from plugline.records.loop import Failure, RecordLoop, StopRun


class StepRefused(ConfigurationError):
    """The plugin, or its settings, would be refused by a run; carries all findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """What a step made of some records.

    Attributes:
        records: Those that went on, in order.
        failures: One for each record that it failed on: ``index`` says which, from 0, ``error`` what it raised and where.
        dropped: How many it returned ``None`` or nothing for.
        created: How many more it made than it got, where it returned several for one.
    """

    records: list[Record]
    failures: list[Failure]
    dropped: int
    created: int


def class_in(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Return a path, and the class that is named behind it: ``plugins/upper.py:Twice``."""
    stem, found, class_name = os.fspath(path).rpartition(".py:")
    return (f"{stem}.py", class_name) if found else (class_name, "")


def run_plugin(
    path: str | os.PathLike[str],
    records: Iterable[Record],
    settings: Mapping[str, object] | None = None,
    *,
    on_error: str = "dead-letter",
) -> StepOutcome:
    """Run a processor on records as a pipeline would, with its checks and its copies; no file is read or written.

    Args:
        path: The plugin's file or folder, with a class where there are several (``plugins/upper.py:Twice``), or the name of one
            that plugline ships.
        records: Left as they are.
        settings: As under ``with`` of a step.
        on_error: As of a step.

    Raises:
        StepRefused: The plugin or its settings are refused.
    """
    is_path = not isinstance(path, str)
    path, class_name = class_in(path)
    file = os.path.abspath(path)
    if os.path.basename(file) == "__init__.py":
        file = os.path.dirname(file)
    folder, name = os.path.split(file)
    own = os.path.exists(file)
    if not own and (is_path or path.endswith(".py") or os.path.dirname(path)):
        hint = f"a path is relative to the working folder, which is {os.getcwd()}"
        raise StepRefused((Finding("P101", "cannot be read: there is no such file", Place(path), hint),))
    use = name.removesuffix(".py") if own else path
    step: dict[str, object] = {"use": f"{use}:{class_name}" if class_name else use, "on_error": on_error}
    if settings:
        step["with"] = dict(settings)
    overrides = (
        *WITHOUT_FILES,
        Override(path=("plugins",), value=[folder] if own else [], origin=Place("run_step")),
        Override(path=("steps",), value=[step], origin=Place("run_step")),
    )
    try:
        plan = make_plan(read_config("", "run_step", overrides), folder)
        with BoundPlan(plan) as bound:
            loop = RecordLoop(structural_copy, bound.steps, structural_copy)
            out: list[object] = []
            failures: list[Failure] = []
            try:
                loop.run(list(records), out, failures)
            except StopRun as stop:
                failures.append(stop.failure)
            counts = loop.counts()[1]
    except ConfigurationError as error:
        raise StepRefused(error.findings) from error
    return StepOutcome(
        records=[one for one in out if isinstance(one, dict)],
        failures=failures,
        dropped=counts.dropped,
        created=counts.created,
    )
