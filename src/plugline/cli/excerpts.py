"""Findings to findings that show the line that they are about."""

from collections.abc import Sequence

from plugline.files import read_source
from plugline.findings import Finding


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
        shown.append(Finding(finding.code, finding.message, place, finding.hint, line or None, finding.severity))
    return shown


def _lines(path: str) -> list[str]:
    source = read_source(path)
    if isinstance(source, Finding):
        return []
    # Lines as compile() counts them: str.splitlines() knows more ends of lines than Python's grammar.
    text = source.content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
