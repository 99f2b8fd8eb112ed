"""What a run did to one page of HTML that needs nothing else (no script, no font, no picture), and to a profile of its plugins."""

import html
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import plugline
from plugline.blame import ErrorText
from plugline.cli.preview import value_text
from plugline.cli.render import counted, rate_text, table
from plugline.cli.summary import seconds_text
from plugline.errors import RunStopped
from plugline.findings import printable_lines
from plugline.frozen import frozen
from plugline.pipeline.plan import Plan, PluginUse
from plugline.pipeline.report import RunReport
from plugline.pipeline.split import Progress
from plugline.records.values import SlowRecord

_MOST_EXAMPLES = 3  # of one error
_MOST_ERRORS = 200
_RECORD_CHARACTERS = 2_000
_WIDTH, _HEIGHT = 860, 200  # of the curve, in the units of its own drawing

Letter = Mapping[str, object]


@frozen(kw_only=True)
class Speed:
    """How fast a run was for a while.

    Attributes:
        begin: Seconds since the run began.
        end: Likewise.
    """

    begin: float
    end: float
    records_per_second: float


class Samples:
    """Takes note of how far a run is; costs a comparison a batch."""

    def __init__(self) -> None:
        self._taken: list[tuple[float, int]] = [(0.0, 0)]
        self._between_seconds = 0.02
        self._due = 0.0

    def update(self, progress: Progress) -> None:
        """Take note of how far the run is."""
        if progress.seconds < self._due:
            return
        self._due = progress.seconds + self._between_seconds
        self._taken[0] = 0.0, progress.records_before
        self._taken.append((progress.seconds, progress.records_in))
        if len(self._taken) > _MOST_SAMPLES:
            self._taken[:] = [*self._taken[::2]]
            self._between_seconds *= 2

    def speeds(self, seconds: float, records: int) -> list[Speed]:
        """Return the speed over time, in at most 60 pieces of one length.

        Args:
            seconds: How long the run took.
            records: How many records it read.
        """
        if seconds <= 0:
            return []
        taken = [one for one in self._taken if one[0] < seconds] + [(seconds, records)]
        bins = max(1, min(_MOST_BINS, len(taken) - 1))
        ends = [seconds * (number + 1) / bins for number in range(bins)]
        counts = [float(taken[0][1]), *(_records_at(end, taken) for end in ends)]
        wide = seconds / bins
        return [
            Speed(begin=end - wide, end=end, records_per_second=max(0.0, counts[at + 1] - counts[at]) / wide)
            for at, end in enumerate(ends)
        ]


def _records_at(moment: float, taken: list[tuple[float, int]]) -> float:
    """Return how many records had been read, between two samples as if at an even pace."""
    before = taken[0]
    for sample in taken[1:]:
        if sample[0] >= moment:
            took = sample[0] - before[0]
            share = (moment - before[0]) / took if took > 0 else 1.0
            return before[1] + share * (sample[1] - before[1])
        before = sample
    return before[1]


def page(plan: Plan, report: RunReport, speeds: Sequence[Speed], *, title: str, stop: RunStopped | None = None) -> str:
    """Return the page.

    Args:
        report: What it did; not being complete is told first of all.
    """
    body = "\n".join(
        [
            *_header(report, title),
            *_reason(stop),
            *_numbers(report),
            *_section("Throughput", _curve(speeds)),
            *_section("Time per step", _times(plan, report)),
            *_section("Records per step", _counts(report)),
            *_section("Failures", _failures(plan, report)),
            *_section("Slowest records", _slowest(report)),
            *_section("Plugins", _plugins(plan)),
        ]
    )
    return _PAGE.format(title=escape(f"{title} - plugline report"), style=_STYLE, body=body)


def escape(text: str) -> str:
    """Return a text for the page; what could hide some of it, or turn the direction of writing, is shown as an escape."""
    return html.escape(printable_lines(text))


def _section(heading: str, lines: Iterable[str]) -> Iterator[str]:
    shown = list(lines)
    if shown:
        yield f'<section id="{heading.lower().replace(" ", "-")}"><h2>{escape(heading)}</h2>'
        yield from shown
        yield "</section>"


def _header(report: RunReport, title: str) -> Iterator[str]:
    state, word = ("good", "complete") if report.complete else ("bad", "stopped before the end")
    if report.complete and report.failed:
        state, word = "fair", f"complete, {counted(report.failed, 'dead letter')}"
    yield f'<header><h1>{escape(title)}</h1><p class="state {state}">{escape(word)}</p>'
    ended = time.strftime("%Y-%m-%d %H:%M:%S %z")
    made = (
        f"plugline {plugline.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
    yield f'<p class="quiet">ended {ended} after {seconds_text(report.seconds)}; {escape(made)}</p></header>'


def _reason(stop: RunStopped | None) -> Iterator[str]:
    if stop is None:
        return
    finding = stop.finding
    yield f"<p><code>{finding.code}</code> {escape(finding.message)}"
    if finding.hint is not None:
        yield f'<br><span class="quiet">hint: {escape(finding.hint)}</span>'
    yield "</p>"


def _numbers(report: RunReport) -> Iterator[str]:
    rate = report.records_per_second
    numbers = {
        "records in": f"{report.records_in:,}",
        "out": f"{report.records_out:,}",
        "created": f"{report.created:,}",
        "dropped": f"{report.dropped:,}",
        "failed": f"{report.failed:,}",
    }
    if rate is not None:
        numbers["records/s"] = rate_text(rate)
    yield '<dl class="numbers">'
    yield from (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in numbers.items())
    yield "</dl>"
    places = {"output": "standard output" if report.output == "-" else report.output}
    if report.parts is not None:
        places = {"output": f"{places['output']} ({counted(report.parts, 'part')})"}
    if not report.complete and not report.in_place:
        places = {"output": f"{places['output']} (not in place)"}
    if report.dead_letters is not None:
        places["dead letters"] = report.dead_letters
    yield f"<p>{'<br>'.join(f'{name}: <code>{escape(path)}</code>' for name, path in places.items())}</p>"
    if report.dashboard is not None:
        link = escape(report.dashboard)
        # An engine may be a stranger's: nothing but a page is linked.
        shown = f'<a href="{link}">{link}</a>' if link.startswith(("http://", "https://")) else link
        yield f'<p class="quiet">dashboard of the engine, as long as its cluster runs: {shown}</p>'


# ----------------------------------------------------------------------------- drawings


def _curve(speeds: Sequence[Speed]) -> Iterator[str]:
    if not speeds:
        return
    top = _round_up(max(speed.records_per_second for speed in speeds))
    seconds = speeds[-1].end

    def x(moment: float) -> str:
        return f"{moment / seconds * _WIDTH:.1f}"

    def y(rate: float) -> str:
        return f"{_HEIGHT - rate / top * _HEIGHT:.1f}"

    corners = [f"{x(moment)},{y(one.records_per_second)}" for one in speeds for moment in (one.begin, one.end)]
    yield f'<svg class="curve" viewBox="-70 -12 {_WIDTH + 90} {_HEIGHT + 40}" role="img">'
    yield f"<title>Records per second over {seconds_text(seconds)}, at most {top:,.0f}</title>"
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        line = y(share * top)
        yield f'<line x1="0" x2="{_WIDTH}" y1="{line}" y2="{line}"/>'
        yield f'<text x="-8" y="{line}" class="y">{_short(share * top)}</text>'
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield f'<text x="{share * _WIDTH:.0f}" y="{_HEIGHT + 20}" class="x">{seconds_text(share * seconds)}</text>'
    yield f'<polygon points="0,{_HEIGHT} {" ".join(corners)} {_WIDTH},{_HEIGHT}"/>'
    yield f'<polyline points="{" ".join(corners)}"/></svg>'
    yield '<p class="quiet">records read per second</p>'


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    size = 10.0 ** (len(f"{value:.0f}") - 1)
    return next(step * size for step in (1, 2, 2.5, 4, 5, 8, 10) if step * size >= value)


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def _times(plan: Plan, report: RunReport) -> Iterator[str]:
    total = sum(one.seconds for one in report.counts)
    if not total:
        return
    uses = _uses(plan)
    longest = max(one.seconds for one in report.counts)
    yield '<table class="bars"><thead><tr><th>step</th><th>plugin</th><th class="wide"></th><th class="number">time</th>'
    yield '<th class="number">share</th><th class="number">per record</th></tr></thead><tbody>'
    for at, one in enumerate(report.counts):
        share = one.seconds / total
        wide = one.seconds / longest * 100
        each = seconds_per_record(one.seconds, one.entered)
        plugin = escape(uses[at].name) if at < len(uses) else ""
        yield (
            f"<tr><td>{escape(one.name)}</td><td>{plugin}</td>"
            f'<td class="wide"><div class="bar" style="width:{wide:.1f}%"></div></td>'
            f'<td class="number">{seconds_text(one.seconds)}</td><td class="number">{share:.0%}</td>'
            f'<td class="number">{each}</td></tr>'
        )
    yield "</tbody></table>"
    yield '<p class="quiet">estimated from a sample of the batches; of all processes together</p>'


def seconds_per_record(seconds: float, records: int) -> str:
    """Return what a step takes for one record, as people read it."""
    if not records:
        return "-"
    each = seconds / records
    for size, unit in ((1e-6, "ns"), (1e-3, "µs"), (1.0, "ms")):
        if each < size:
            return f"{each / size * 1000:.3g} {unit}"
    return f"{each:.3g} s"


# ----------------------------------------------------------------------------- tables


def _counts(report: RunReport) -> Iterator[str]:
    names = ("in", "created", "out", "dropped", "failed")
    heads = "".join(f'<th class="number">{name}</th>' for name in names)
    yield f"<table><thead><tr><th>step</th>{heads}</tr></thead><tbody>"
    for one in report.counts:
        cells = (one.entered, one.created, one.out, one.dropped, one.failed)
        numbers = "".join(f'<td class="number">{number:,}</td>' for number in cells)
        yield f"<tr><td>{escape(one.name)}</td>{numbers}</tr>"
    yield "</tbody></table>"
    yield '<p class="quiet">in + created = out + dropped + failed, at every step</p>'


def _failures(plan: Plan, report: RunReport) -> Iterator[str]:
    if not report.errors:
        yield "<p>none</p>"
        return
    examples = _examples(plan, report)
    yield '<table><thead><tr><th>step</th><th>error</th><th class="number">records</th><th>for example</th></tr></thead><tbody>'
    for key, count in list(report.errors.items())[:_MOST_ERRORS]:
        step, error = _parted(key, [one.name for one in report.counts])
        shown = "".join(_example(letter) for letter in examples.get(key, ()))
        yield (
            f'<tr><td>{escape(step)}</td><td><code>{escape(error)}</code></td><td class="number">{count:,}</td>'
            f"<td>{shown}</td></tr>"
        )
    yield "</tbody></table>"
    if len(report.errors) > _MOST_ERRORS:
        yield f"<p>and {len(report.errors) - _MOST_ERRORS:,} other errors</p>"


def _parted(key: str, steps: Iterable[str]) -> tuple[str, str]:
    """Return the step and the error of a key of the report; the name of a step may hold a colon too."""
    step = max((name for name in steps if key.startswith(f"{name}: ")), key=len, default=key.partition(": ")[0])
    return step, key[len(step) + 2 :]


def _examples(plan: Plan, report: RunReport) -> dict[str, list[Letter]]:
    """Return a few dead letters of each error; they are read until there is one of each."""
    if report.dead_letters is None:
        return {}
    import orjson  # comes with plugline[tool]

    found: dict[str, list[Letter]] = {}
    missing = set(report.errors)
    try:
        with open(plan.located(report.dead_letters), "rb") as stream:
            for line in stream:
                letter = orjson.loads(line)
                key = _key(letter)
                known = found.setdefault(key, [])
                if len(known) < _MOST_EXAMPLES:
                    known.append(letter)
                missing.discard(key)
                if not missing and all(len(one) == _MOST_EXAMPLES for one in found.values()):
                    break
    except (OSError, ValueError):
        return found  # they went to a pipe, or have been taken away
    return found


def _key(letter: Letter) -> str:
    """Return the key that a run's report has for the error of a dead letter."""
    step, error = letter.get("step"), letter.get("error")
    if not isinstance(step, Mapping) or not isinstance(error, Mapping):
        return ""
    return f"{step.get('name')}: {ErrorText(str(error.get('type')), '', error.get('file'), error.get('line'))}"


def _example(letter: Letter) -> str:
    error, position = letter.get("error"), letter.get("position")
    message = error.get("message") if isinstance(error, Mapping) else ""
    traceback = error.get("traceback") if isinstance(error, Mapping) else None
    record = letter.get("record") if letter.get("record") is not None else letter.get("raw")
    shown = value_text(record, most=_RECORD_CHARACTERS) if not isinstance(record, str) else record[:_RECORD_CHARACTERS]
    inner = f"<pre>{escape(shown)}</pre>"
    if isinstance(traceback, str):
        inner += f"<pre>{escape(traceback)}</pre>"
    return f"<details><summary>{escape(_place(position))}: {escape(str(message))}</summary>{inner}</details>"


def _place(position: object) -> str:
    if not isinstance(position, Mapping):
        return ""
    said = [f"{key} {position[key]:,}" for key in ("line", "row") if isinstance(position.get(key), int)][:1]
    return ", ".join([os.path.basename(str(position.get("path", ""))), *said])


def _slowest(report: RunReport) -> Iterator[str]:
    slow = report.slowest
    if not slow:
        return
    if any(one.count > 1 for one in slow):
        yield "<p>A step takes many records at once: these are the batches that took longest, with the time for each of their records and the first of them.</p>"
    yield '<table><thead><tr><th class="number">time</th><th>where</th><th>most of it in</th><th>record</th></tr></thead><tbody>'
    for one in slow:
        each = f"{seconds_per_record(one.seconds, one.count)}{' a record' if one.count > 1 else ''}"
        yield (
            f'<tr><td class="number">{each}</td><td>{escape(_place_of(one))}</td>'
            f"<td>{escape(one.step)} ({seconds_per_record(one.step_seconds, 1)})</td><td><code>{escape(one.shown)}</code></td></tr>"
        )
    yield "</tbody></table>"


def _place_of(slow: SlowRecord) -> str:
    row = slow.position.row
    if slow.count > 1:
        last = f" to {row + slow.count - 1:,}" if row is not None else ""
        return f"{_place({'path': slow.path, 'row': row})}{last} ({slow.count:,} records)"
    return _place({"path": slow.path, "line": slow.position.line, "row": row})


def _uses(plan: Plan) -> list[PluginUse]:
    return [plan.reader, *(step.use for step in plan.steps), plan.writer]


def _plugins(plan: Plan) -> Iterator[str]:
    used: dict[tuple[str, str], list[str]] = {}
    uses: dict[tuple[str, str], PluginUse] = {}
    labels = ["source", *(step.label for step in plan.steps), "sink"]
    for label, use in zip(labels, _uses(plan), strict=True):
        key = (use.name, use.digest)
        used.setdefault(key, []).append(label)
        uses.setdefault(key, use)
    yield "<table><thead><tr><th>plugin</th><th>kind</th><th>version</th><th>used as</th><th>file</th><th>digest</th></tr></thead><tbody>"
    for key, use in uses.items():
        yield (
            f"<tr><td>{escape(use.name)}</td><td>{use.kind}</td><td>{escape(use.version or '-')}</td>"
            f"<td>{escape(', '.join(used[key]))}</td><td><code>{escape(use.module or str(use.place))}</code></td>"
            f'<td><code class="digest">{escape(use.digest)}</code></td></tr>'
        )
    yield "</tbody></table>"


_STYLE = """
:root { color-scheme: light dark; --ink: #1d2530; --quiet: #667080; --line: #dfe4ea; --paper: #fff; --panel: #f6f8fa;
  --accent: #2f6fde; --good: #1a7f37; --fair: #9a6700; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --quiet: #98a2b0; --line: #333c48; --paper: #14181d;
  --panel: #1c222a; --accent: #6ea1ff; --good: #4ac26b; --fair: #d4a72c; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem; max-width: 70rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { margin: 0; font-size: 1.5rem; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.1rem; }
.state { display: inline-block; margin: .5rem 0 0; padding: .1rem .6rem; border: 1px solid; border-radius: 1rem; font-weight: 600; }
.good { color: var(--good); } .fair { color: var(--fair); } .bad { color: var(--bad); }
.quiet { color: var(--quiet); font-size: .85rem; margin: .4rem 0; }
.numbers { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0; }
.numbers div { flex: 1 1 8rem; padding: .7rem 1rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--panel); }
dt { color: var(--quiet); font-size: .8rem; } dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td code, summary { overflow-wrap: anywhere; }
th { color: var(--quiet); font-size: .8rem; font-weight: 600; overflow-wrap: normal; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.wide { width: 40%; } .bar { height: .8rem; margin-top: .35rem; min-width: 1px; border-radius: .2rem; background: var(--accent); }
code, pre { font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { margin: .4rem 0; padding: .6rem; border-radius: .4rem; background: var(--panel); white-space: pre-wrap; overflow-wrap: anywhere; }
.digest { font-size: 11px; } summary { cursor: pointer; }
.curve { width: 100%; height: auto; } .curve line { stroke: var(--line); } .curve polygon { fill: var(--accent); opacity: .15; }
.curve polyline { fill: none; stroke: var(--accent); stroke-width: 2; }
.curve text { fill: var(--quiet); font-size: 12px; } .curve .y { text-anchor: end; dominant-baseline: middle; }
.curve .x { text-anchor: middle; }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="plugline">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


@frozen(kw_only=True)
class PluginTime:
    """What one plugin took.

    Attributes:
        path: Its file; of an installed one the module.
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


_MOST_SAMPLES = 2_000  # then every second one goes; a curve on a screen has fewer points
_MOST_BINS = 60
