"""Findings to findings that show the line that they are about."""

from collections.abc import Sequence

from plugline.files import read_source
from plugline.findings import Finding, Place

# What findings that name the beginning of a plugin's block are about: keys of it. That of P109 stands in its message.
_KEYS = {
    "P111": ("requires-python",),
    "P112": ("requires",),
    "P113": ("requires",),
    "P114": ("requires", "after"),
    "P210": ("api",),
    "P211": ("api",),
    "P365": ("dependencies",),
    "T401": ("permissions",),
    "T402": ("permissions",),
}


def with_source_lines(findings: Sequence[Finding]) -> list[Finding]:
    """Add source lines where places have a line, and a file that can still be read."""
    files: dict[str, list[str]] = {}
    shown = []
    for finding in findings:
        place = finding.place
        if finding.source_line is not None or place.line is None:
            shown.append(finding)
            continue
        if place.path not in files:
            files[place.path] = _lines(place.path)
        lines = files[place.path]
        line = lines[place.line - 1].rstrip() if place.line <= len(lines) else None
        if line == "# /// script":
            place = _place_of_key(finding, lines)
            line = lines[(place.line or 1) - 1].rstrip()
        shown.append(Finding(finding.code, finding.message, place, finding.hint, line or None, finding.severity))
    return shown


def _place_of_key(finding: Finding, lines: Sequence[str]) -> Place:
    """Return where in the block that begins at the finding's place the key is that it is about."""
    place = finding.place
    named = finding.message.removeprefix("unknown key ")
    keys = _KEYS.get(finding.code, (named.split("'")[1],) if named.startswith("'") else ())
    for at in range(place.line or 0, len(lines)):
        text = lines[at].removeprefix("#")
        if lines[at].rstrip() == "# ///" or text == lines[at]:
            break
        if text.partition("=")[0].strip(" \"'") in keys:
            return Place(place.path, at + 1, len(lines[at]) - len(text.lstrip()) + 1)
    return place


def _lines(path: str) -> list[str]:
    source = read_source(path)
    if isinstance(source, Finding):
        return []
    # Lines as compile() counts them: str.splitlines() knows more ends of lines than Python's grammar.
    text = source.content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
