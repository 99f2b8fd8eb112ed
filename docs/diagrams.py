"""Draw the diagrams of the explanation: ``python docs/diagrams.py``. Needs nothing but Python.

Text that is drawn stands here and nowhere else; each page says the same in words for those who cannot see.
"""

from html import escape
from pathlib import Path

STATIC = Path(__file__).parent / "_static"
FONT = "font-family='system-ui, sans-serif'"
INK, QUIET, LINE = "#1d2530", "#5b6675", "#8a96a6"
COLOURS = {"kernel": "#e3edff", "data": "#e2f4e6", "door": "#fdeccf", "ground": "#eceff3", "bad": "#fbdedd"}


def box(x: int, y: int, wide: int, high: int, title: str, kind: str, more: str = "") -> str:
    """Return a box with a title, and with one line more under it."""
    middle, line = x + wide // 2, y + high // 2 + (5 if not more else -3)
    parts = [
        f"<rect x='{x}' y='{y}' width='{wide}' height='{high}' rx='6' fill='{COLOURS[kind]}' stroke='{LINE}'/>",
        f"<text x='{middle}' y='{line}' text-anchor='middle' font-size='14' font-weight='600' fill='{INK}'>{escape(title)}</text>",
    ]
    if more:
        parts.append(
            f"<text x='{middle}' y='{line + 17}' text-anchor='middle' font-size='11' fill='{QUIET}'>{escape(more)}</text>"
        )
    return "".join(parts)


def arrow(points: list[tuple[int, int]], said: str = "", *, dashed: bool = False) -> str:
    """Return an arrow along points, with a word above its middle."""
    path = " ".join(f"{x},{y}" for x, y in points)
    style = " stroke-dasharray='5 4'" if dashed else ""
    text = ""
    if said:
        (x1, y1), (x2, y2) = points[0], points[-1]
        text = f"<text x='{(x1 + x2) // 2}' y='{min(y1, y2) - 6}' text-anchor='middle' font-size='11' fill='{QUIET}'>{escape(said)}</text>"
    return (
        f"<polyline points='{path}' fill='none' stroke='{INK}' stroke-width='1.4'{style} marker-end='url(#end)'/>{text}"
    )


def words(x: int, y: int, text: str, *, size: int = 12, anchor: str = "start") -> str:
    """Return a line of text."""
    return f"<text x='{x}' y='{y}' font-size='{size}' fill='{QUIET}' text-anchor='{anchor}'>{escape(text)}</text>"


def save(name: str, wide: int, high: int, title: str, parts: list[str]) -> None:
    """Write a drawing."""
    marker = (
        "<defs><marker id='end' viewBox='0 0 10 10' refX='9' refY='5' markerWidth='7' markerHeight='7' orient='auto'>"
        f"<path d='M0 0L10 5L0 10z' fill='{INK}'/></marker></defs>"
    )
    # A ground of its own, so that it can be read on a dark page too.
    ground = f"<rect width='{wide}' height='{high}' rx='8' fill='#ffffff'/>"
    text = "\n".join([ground, marker, *parts])
    (STATIC / name).write_text(
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {wide} {high}' {FONT} role='img'>"
        f"<title>{escape(title)}</title>\n{text}\n</svg>\n",
        encoding="utf-8",
    )


def layers() -> None:
    """Draw which part may import which."""
    rows: list[tuple[list[tuple[str, str]], str]] = [
        ([("cli", "the command"), ("integrations", "frameworks"), ("testing", "for authors")], "door"),
        ([("pipeline", "configuration, plan, run, report")], "data"),
        ([("formats", "shipped"), ("processors", "shipped"), ("engines", "shipped")], "data"),
        ([("host", "Host and Plugin: what changes")], "kernel"),
        ([("isolation", "the near side"), ("reloading", "generations")], "kernel"),
        ([("worker", "the far side")], "kernel"),
        ([("records", "what a plugin for the tool imports")], "data"),
        ([("dispatch", "calls")], "kernel"),
        ([("loading", "bytes to modules")], "kernel"),
        ([("admission", "may it be loaded?")], "kernel"),
        ([("discovery", "what is there?")], "kernel"),
        ([("contract", "what was agreed?")], "kernel"),
        ([("errors, findings, names, imports, files, clock", "the ground: the standard library only")], "ground"),
    ]
    parts, y = [], 16
    for row, kind in rows:
        wide = (640 - 10 * (len(row) - 1)) // len(row)
        parts += [box(20 + at * (wide + 10), y, wide, 42, name, kind, more) for at, (name, more) in enumerate(row)]
        y += 50
    parts.append(arrow([(690, 30), (690, y - 20)]))
    parts.append(words(702, y // 2, "imports"))
    parts.append(words(702, y // 2 + 16, "point down"))
    save(
        "layers.svg",
        790,
        y + 8,
        "The layers of plugline, from the command at the top to the ground; imports point down",
        parts,
    )


def plugin() -> None:
    """Draw the stages of a plugin's life."""
    stages = [
        ("find", "a candidate"),
        ("read", "a spec"),
        ("admit", "may be loaded"),
        ("load", "a module"),
        ("bind", "a plugin"),
    ]
    parts = []
    for at, (name, more) in enumerate(stages):
        x = 20 + at * 150
        parts.append(box(x, 40, 110, 50, name, "kernel", more))
        if at:
            parts.append(arrow([(x - 38, 65), (x - 3, 65)]))
        parts.append(arrow([(x + 55, 92), (x + 55, 136)], dashed=True))
    parts += [
        box(20, 140, 710, 40, "findings on this plugin; its neighbours go on", "bad"),
        words(20, 26, "nothing of the plugin is run"),
        words(470, 26, "its code runs"),
        f"<line x1='455' x2='455' y1='14' y2='104' stroke='{LINE}' stroke-dasharray='3 3'/>",
        arrow([(735, 55), (770, 55), (770, 20), (675, 20), (675, 36)]),
        words(700, 14, "reload"),
    ]
    save(
        "life-of-a-plugin.svg",
        800,
        200,
        "A plugin is found, read, admitted, loaded and bound; what fails becomes findings",
        parts,
    )


def record() -> None:
    """Draw the way of a record."""
    stages = [
        ("source", "a split of bytes", "data"),
        ("decode", "a dict", "data"),
        ("step 1", "transform", "kernel"),
        ("step 2", "transform", "kernel"),
        ("encode", "bytes", "data"),
        ("part", "in order", "data"),
    ]
    parts = []
    for at, (name, more, kind) in enumerate(stages):
        x = 20 + at * 130
        parts.append(box(x, 50, 100, 50, name, kind, more))
        if at:
            parts.append(arrow([(x - 28, 75), (x - 3, 75)]))
        if 1 <= at <= 4:
            parts.append(arrow([(x + 50, 102), (x + 50, 146)], dashed=True))
    parts += [
        box(
            150, 150, 490, 44, "dead letters", "bad", "the record as it came in, with position, step, error and digest"
        ),
        f"<rect x='140' y='30' width='510' height='82' rx='8' fill='none' stroke='{LINE}' stroke-dasharray='4 4'/>",
        words(395, 24, "one generated function, one try around a record", anchor="middle"),
        words(20, 225, "in + created = out + dropped + failed, at every step", size=13),
        words(680, 120, "renamed into place", size=11),
        words(680, 134, "when all is there", size=11),
    ]
    save(
        "life-of-a-record.svg",
        810,
        240,
        "A record is read, decoded, passed through the steps and encoded; one that fails is set aside whole",
        parts,
    )


layers()
plugin()
record()
