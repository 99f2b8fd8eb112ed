"""``plugline preview``: a few records, before and after each step."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from itertools import takewhile

import click

from plugline.cli import FAULTS, MISUSED, OK, STOPPED, render
from plugline.cli.options import common
from plugline.cli.pipelines import PipelineCommand, configuration, input_options
from plugline.cli.running import hidden_variables
from plugline.errors import ConfigurationError, RunStopped
from plugline.findings import apart, short_repr
from plugline.pipeline.steps import MISSING, Change, Passage, PreviewedRecord, StepView, plan_preview, preview

_MOST_CHARACTERS = 100  # of one value
_CHARACTERS_BEFORE = 30  # where two values begin to differ


@click.command("preview", cls=PipelineCommand, short_help="Show a few records before and after each step.")
@input_options
@click.option("-n", "--limit", type=click.IntRange(1), default=10, show_default=True, help="How many records to read.")
@click.option("--full", is_flag=True, help="Show all fields at every step, not only those that differ.")
@common
@click.pass_context
def command(
    context: click.Context, /, source: str | None, *, limit: int, full: bool, as_json: bool, **given: object
) -> int:
    """Show the first records of a pipeline before and after each step, with the differences marked.

    Plugins are loaded and run; nothing is written. '~' marks a field that changed, '+' one that is new, '-' one that is gone.

    \b
    plugline preview pipeline.toml
    plugline preview --limit 3 --use trim --use upper orders.ndjson
    plugline preview pipeline.toml --json

    Exit codes: 0 fine; 1 some of these records would become dead letters; 2 wrong use.
    """
    shown: list[PreviewedRecord] = []
    colours = render.coloured(sys.stdout)
    try:
        config, base = configuration(source, given, context)
        plan = plan_preview(config, base)
        with hidden_variables(config):
            records = preview(plan, limit)
            while (one := _next(records)) is not None:
                shown.append(one)
                if not as_json:
                    render.tell(record_text(one, full=full, colours=colours))
    except ConfigurationError as error:
        render.tell_refusal(error.findings, as_json=as_json, records=[])
        return MISUSED
    except RunStopped as stop:
        render.tell_refusal([stop.finding], as_json=as_json, records=[record_data(one) for one in shown])
        return STOPPED
    failed = sum(one.error is not None for one in shown)
    if as_json:
        render.tell_json({"records": [record_data(one) for one in shown], "findings": []})
    else:
        render.say(counts_text(shown))
    return FAULTS if failed else OK


def counts_text(shown: Sequence[PreviewedRecord]) -> str:
    """Return how many records were read, and what would become of them."""
    written, failed = sum(len(one.out) for one in shown), sum(one.error is not None for one in shown)
    read = f"{render.counted(len(shown), 'record')} read"
    letters = f"{failed} would be {'dead letters' if failed != 1 else 'a dead letter'}"
    return f"{read}, {written} would be written, {letters}"


def _next(records: Iterator[PreviewedRecord]) -> PreviewedRecord | None:
    # What plugins print is talk: standard output holds the records.
    with redirect_stdout(sys.stderr):
        return next(records, None)


# ----------------------------------------------------------------------------- for people


class _Marks:
    """How differences are marked: by a sign always, by a colour on a terminal."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def line(self, sign: str, text: str) -> str:
        colour = {"+": "\x1b[32m", "-": "\x1b[31m", "~": "\x1b[33m", "!": "\x1b[1;31m"}.get(sign, "")
        line = f"  {sign} {text}".rstrip()
        return f"{colour}{line}\x1b[0m" if colour and self._colours else line

    def title(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._colours else text


def record_text(one: PreviewedRecord, *, full: bool = False, colours: bool = False) -> str:
    """Return what became of a record, for people."""
    return "\n".join(_lines(one, full=full, colours=colours))


def _lines(one: PreviewedRecord, *, full: bool, colours: bool) -> Iterator[str]:
    marks = _Marks(colours=colours)
    yield marks.title(f"record {one.number}, {_place(one.position)}")
    if one.record is not None:
        yield from _fields(one.record, marks)
    for step in one.steps:
        yield from _step_lines(step, marks, full=full)
    if one.failed_at in ("source", "sink"):
        yield marks.title(one.failed_at)
        yield from _error_lines(one.error or "", marks)
    if one.error is not None:
        yield marks.line("!", "would be a dead letter")
    if one.steps and one.error is None:
        yield marks.title("output" if one.out else "output: nothing")
        for record in one.out:
            yield "    " + render.plain(value_text(record, most=2000))
    yield ""


def _place(position: object) -> str:
    if not isinstance(position, Mapping):
        return ""
    said = [f"{key} {position[key]}" for key in ("line", "row") if key in position][:1]
    path = str(position.get("path", ""))
    return render.plain(" ".join(["standard input" if path == "-" else path, *said]))


def _fields(record: Mapping[str, object], marks: _Marks) -> Iterator[str]:
    wide = _widest(record)
    for key, value in record.items():
        yield marks.line(" ", f"{padded_field(key, wide)}  {render.plain(value_text(value))}")


def _widest(keys: Iterable[object]) -> int:
    return max((render.width(field_text(key)) for key in keys), default=0)


def padded_field(key: object, wide: int) -> str:
    """Return the name of a field, with spaces up to so many columns."""
    shown = field_text(key)
    return shown + " " * (wide - render.width(shown))


def field_text(key: object) -> str:
    """Return the name of a field, which a step may have made of anything: that it is no text is told."""
    return render.plain(key if type(key) is str else f"{short_repr(key)} ({type(key).__name__})")


def _step_lines(step: StepView, marks: _Marks, *, full: bool) -> Iterator[str]:
    name = step.name if step.name == step.plugin else f"{step.name} ({step.plugin})"
    for number, passage in enumerate(step.passages, 1):
        of = f", record {number} of {len(step.passages)}" if len(step.passages) > 1 else ""
        yield marks.title(f"{step.index}. {render.plain(name)}{of}: {_outcome(passage)}")
        yield from _passage_lines(passage, marks, full=full)


def _outcome(passage: Passage) -> str:
    match passage.outcome:
        case "changed":
            counts = {"~": 0, "+": 0, "-": 0}
            for change in passage.changes:
                counts[_sign(change)] += 1
            words = {"~": "changed", "+": "added", "-": "removed"}
            return ", ".join(f"{count} {words[sign]}" for sign, count in counts.items() if count)
        case "fanned out":
            return f"became {len(passage.after)} records"
        case "failed":
            does = {"pass": "passed on as it was", "drop": "dropped", "stop": "stops the run"}
            return f"failed, {does[passage.on_error]}" if passage.on_error in does else "failed"
    return passage.outcome


def _passage_lines(passage: Passage, marks: _Marks, *, full: bool) -> Iterator[str]:
    if passage.error is not None:
        yield from _error_lines(str(passage.error), marks)
    if passage.outcome == "fanned out":
        for record in passage.after:
            yield marks.line("+", render.plain(value_text(record, most=2000)))
        return
    changed = {change.field: change for change in passage.changes}
    names = [*passage.before, *(name for name in changed if name not in passage.before)]
    shown = names if full and passage.after else list(changed)
    wide = _widest(shown)
    for name in shown:
        change = changed.get(name)
        if change is None:
            yield marks.line(" ", f"{padded_field(name, wide)}  {render.plain(value_text(passage.before[name]))}")
        else:
            yield marks.line(_sign(change), f"{padded_field(name, wide)}  {_change_text(change)}")


def _error_lines(said: str, marks: "_Marks") -> Iterator[str]:
    """Tell an error, and the hint that errors of ours have on a line of their own."""
    message, hint = apart(said)
    yield marks.line("!", render.shortened(message))
    if hint is not None:
        yield marks.line("!", f"hint: {render.shortened(hint)}")


def _sign(change: Change) -> str:
    return "+" if change.before is MISSING else "-" if change.after is MISSING else "~"


def _change_text(change: Change) -> str:
    return " -> ".join(side for side in side_texts(change) if side is not None)


def side_texts(change: Change) -> tuple[str | None, str | None]:
    """Return the values of a field before and after, so that they can be told apart; ``None`` for one that is not there."""
    sides = (change.before, change.after)
    shown = [None if side is MISSING else value_text(side) for side in sides]
    if shown[0] == shown[1]:
        # They differ in the middle, or in their types.
        whole = [value_text(side, most=sys.maxsize) for side in sides]
        if whole[0] == whole[1]:
            whole = [
                f"{text} ({type(side).__name__}: {short_repr(side)})" for text, side in zip(whole, sides, strict=True)
            ]
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*whole, strict=False)))
        begin = max(0, alike - _CHARACTERS_BEFORE)
        shown = [f"{'... ' * (begin > 0)}{_cut(text[begin:], _MOST_CHARACTERS)}" for text in whole]
    before, after = (None if one is None else render.plain(one) for one in shown)
    return before, after


def value_text(value: object, *, most: int = _MOST_CHARACTERS) -> str:
    """Return a value as JSON where JSON can say it, else as Python does; shortened in the middle."""
    from json import dumps  # as render does

    try:
        text = dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        try:
            text = repr(value)
        except RecursionError:
            text = f"a value of type {type(value).__name__!r} that is nested too deeply to be shown"
    return _cut(text, most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 30]} ... {text[-25:]}"


# ----------------------------------------------------------------------------- for programs


def record_data(one: PreviewedRecord) -> dict[str, object]:
    """Return what became of a record, for JSON."""
    return {
        "number": one.number,
        "position": one.position,
        "record": None if one.record is None else _told(one.record),
        "steps": [_step_data(step) for step in one.steps],
        "out": [_told(record) for record in one.out],
        "error": one.error,
        "failed_at": one.failed_at,
    }


def _step_data(step: StepView) -> dict[str, object]:
    return {
        "index": step.index,
        "name": step.name,
        "plugin": step.plugin,
        "passages": [_passage_data(passage) for passage in step.passages],
    }


def _passage_data(passage: Passage) -> dict[str, object]:
    error = passage.error
    return {
        "outcome": passage.outcome,
        "before": _told(passage.before),
        "after": [_told(record) for record in passage.after],
        "changes": [change_data(change) for change in passage.changes],
        "error": None
        if error is None
        else {"type": error.kind, "message": error.message, "file": error.path, "line": error.line},
    }


def change_data(change: Change, before: str = "before", after: str = "after") -> dict[str, object]:
    """Return a change for JSON, with these names for its sides."""
    sides = {before: change.before, after: change.after}
    told = {side: value_data(value) for side, value in sides.items() if value is not MISSING}
    return {"field": str(change.field), **told}


def _told(record: Mapping[str, object]) -> dict[str, object]:
    return {str(name): value_data(value) for name, value in record.items()}


_LEVELS = 16  # that the JSON of a command has around a value, or fewer


def value_data(value: object) -> object:
    """Return a value that JSON can say, or else how people are shown it."""
    from json import dumps  # as render does

    surrounded = value
    for _ in range(_LEVELS):
        surrounded = [surrounded]
    try:
        dumps(surrounded, default=str, allow_nan=False, indent=2)
    except (TypeError, ValueError, RecursionError):
        return value_text(value)
    return value
