"""What a run's steps took to which plugin the time goes to."""

from plugline.cli.page import seconds_per_record
from plugline.cli.render import table
from plugline.cli.summary import seconds_text
from plugline.frozen import frozen
from plugline.pipeline.plan import Plan
from plugline.pipeline.report import RunReport


@frozen(kw_only=True)
class PluginTime:
    """What one plugin took.

    Attributes:
        plugin: Its name.
        kind: What it is used as.
        path: Its file; of an installed one the module.
        steps: The steps that use it.
        seconds: Its time, of all processes together.
        share: The part of all plugins' time that this is.
        records: How many records came to its steps.
    """

    plugin: str
    kind: str
    path: str
    steps: tuple[str, ...]
    seconds: float
    share: float
    records: int


def profile(plan: Plan, report: RunReport) -> list[PluginTime]:
    """Return what each plugin took, the one that took most first."""
    uses = [plan.reader, *(step.use for step in plan.steps), plan.writer]
    total = sum(one.seconds for one in report.counts)
    found: dict[tuple[str, str, str], PluginTime] = {}
    for use, count in zip(uses, report.counts, strict=False):
        key = (use.kind, use.name, use.digest)
        before = found.get(key)
        seconds = count.seconds + (before.seconds if before is not None else 0.0)
        found[key] = PluginTime(
            plugin=use.name,
            kind=use.kind,
            path=use.module or use.place.path,
            steps=(*(before.steps if before is not None else ()), count.name),
            seconds=seconds,
            share=seconds / total if total else 0.0,
            records=count.entered + (before.records if before is not None else 0),
        )
    return sorted(found.values(), key=lambda one: -one.seconds)


def profile_text(times: list[PluginTime]) -> str:
    """Return the profile as people read it."""
    header = ("plugin", "time", "share", "per record", "steps", "file")
    rows = [
        (
            one.plugin,
            seconds_text(one.seconds),
            f"{one.share:.0%}",
            seconds_per_record(one.seconds, one.records),
            ", ".join(one.steps),
            one.path,
        )
        for one in times
    ]
    return table(header, rows, right=(1, 2, 3))


def profile_data(times: list[PluginTime]) -> list[dict[str, object]]:
    """Return the profile for JSON."""
    return [
        {
            "plugin": one.plugin,
            "kind": one.kind,
            "path": one.path,
            "steps": list(one.steps),
            "seconds": one.seconds,
            "share": one.share,
            "records": one.records,
        }
        for one in times
    ]
