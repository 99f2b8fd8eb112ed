"""A run's report to what people and programs read of it."""

import os

import plugline
from plugline.cli.render import counted, plain, rate_text, shortened, table
from plugline.pipeline.report import RunReport

# What Python prints between an exception and the one that came of it.
_BETWEEN_CAUSES = (
    "\nThe above exception was the direct cause of the following exception:\n",
    "\nDuring handling of the above exception, another exception occurred:\n",
)
# Where data is refused in a format or processor of ours, no line of ours is what is to be looked at.
_OURS = f" ({os.path.dirname(plugline.__file__)}{os.sep}"
_MOST_SAID = 120  # characters of a message, which may hold a whole record
_MOST_ERRORS = 5


def summary(report: RunReport) -> str:
    """Return the table of steps and what is to be known besides."""
    lines = [_steps(report)] if report.counts else []
    rate = report.records_per_second
    took = seconds_text(report.seconds) + ("" if rate is None else f" ({rate_text(rate)} records/s)")
    counts = f"{counted(report.records_in, 'record')} in, {report.records_out:,} out, {report.failed:,} failed"
    if report.complete:
        lines.append(f"{counts} in {took}")
        files = "" if report.parts is None else f" ({counted(report.parts, 'part')})"
        lines.append(f"output: {_named(report.output)}{files}")
        lines += [
            f"{plain(one.name)} dropped all: plugline preview shows them, plugline check tells of a missing return"
            for one in report.counts
            if one.entered and one.dropped == one.entered
        ]
    else:
        how_far = f"the end: {counts} in {took}" if report.counts else f"a split was done, in {took}"
        lines.append(f"stopped before {how_far}")
        if report.in_place:
            way = "with --resume the same command" if report.in_place == "added" else "the same command"
            way = f": {way} goes on from there" if report.resumable else ", and comes again when it is run again"
            lines.append(f"what is done is in {plain(report.output)}{way}")
        elif report.output == "-":
            lines.append("what was written to standard output is not whole")
        else:
            lines.append(f"the output is not in place: {plain(report.output)}")
        if report.resumable and not report.in_place:
            lines.append("what is done is kept aside: with --resume the same command goes on from there")
    if report.resumed_parts:
        were = "was" if report.resumed_parts == 1 else "were"
        lines.append(f"gone on with after {counted(report.resumed_parts, 'split')} that {were} done")
    lines += [f"{plain(one.step)}: generation {one.generation} from record {one.record:,} on" for one in report.swaps]
    if report.dead_letters is not None:
        lines.append(f"dead letters: {plain(report.dead_letters)} ({report.failed:,})")
    shown = list(report.errors.items())[:_MOST_ERRORS]
    lines += [
        f"  {count:,} x {shortened(text.rpartition(_OURS)[0] or text)}{_said(text, report.tracebacks.get(text, ''), first_of=count)}"
        for text, count in shown
    ]
    if len(report.errors) > len(shown):
        lines.append(f"  and {len(report.errors) - len(shown):,} other errors")
    if report.removed is not None:
        lines.append(f"removed the dead letters of an earlier run: {plain(report.removed)}")
    return "\n".join(lines)


def _said(error: str, traceback: str, *, first_of: int) -> str:
    """Return what the first record with an error made its step say, which only the traceback of it has.

    Args:
        error: ``"number_total: ValueError (plugins/number_total.py:2)"``, or without a place.
        traceback: As Python prints it, or nothing.
        first_of: How many records have this error.
    """
    kind = (error.rpartition(" (")[0] or error).rpartition(": ")[2].rpartition(".")[2]
    for between in _BETWEEN_CAUSES:
        traceback = traceback.rpartition(between)[2]
    # A message may have further lines, and notes come after it.
    told = (line.partition(": ") for line in traceback.splitlines() if not line.startswith(" "))
    said = next((message for name, _, message in told if kind and name.rpartition(".")[2] == kind), "")
    if not said:
        return ""
    short = plain(said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]}...")
    return f": {short}" if first_of == 1 else f", the first: {short}"


def _steps(report: RunReport) -> str:
    header = ("step", "in", "created", "out", "dropped", "failed", "time")
    rows = [
        (
            one.name,
            *(f"{count:,}" for count in (one.entered, one.created, one.out, one.dropped, one.failed)),
            seconds_text(one.seconds),
        )
        for one in report.counts
    ]
    return table(header, rows, right=range(1, len(header)))


def _named(path: str) -> str:
    return "standard output" if path == "-" else plain(path)


def seconds_text(seconds: float) -> str:
    """Return a time as people read it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min"


def report_data(report: RunReport) -> dict[str, object]:
    """Return the report for JSON."""
    return {
        "complete": report.complete,
        "output": report.output,
        "parts": report.parts,
        "dashboard": report.dashboard,
        "dead_letters": report.dead_letters,
        "removed": report.removed,
        "resumable": report.resumable,
        "resumed_splits": report.resumed_parts,
        "seconds": report.seconds,
        "records": {
            "in": report.records_in,
            "created": report.created,
            "out": report.records_out,
            "dropped": report.dropped,
            "failed": report.failed,
        },
        "steps": [
            {
                "name": one.name,
                "in": one.entered,
                "created": one.created,
                "out": one.out,
                "dropped": one.dropped,
                "failed": one.failed,
                "seconds": one.seconds,
            }
            for one in report.counts
        ],
        "errors": dict(report.errors),
        "swaps": [{"step": one.step, "generation": one.generation, "record": one.record} for one in report.swaps],
    }
