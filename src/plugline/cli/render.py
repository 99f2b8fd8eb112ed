"""Findings, tables and data to standard output and standard error; nothing else in plugline prints.

What plugins say of themselves is shown with everything escaped that could move a cursor, set a colour, turn the
direction of writing or begin a line of its own: no plugin can forge what plugline says.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, takewhile
from typing import TextIO

from plugline.findings import Finding
from plugline.names import shell_word

JSON_VERSION = 1

_MOST_CHARACTERS = 2000  # of one message; a plugin may raise a novel
_LEAST_SOURCE_WIDTH = 40
_SOURCE_WIDTH = 110  # of a shown source line, so that its caret stays on the screen
_LEAST_LAST = 20  # columns for the last of a table that is to fit: with fewer it would say nothing
_RED, _CYAN, _BOLD, _END = "\x1b[1;31m", "\x1b[1;36m", "\x1b[1m", "\x1b[0m"


class OutputLost(Exception):
    """Standard output did not take what was to be printed."""


# ----------------------------------------------------------------------------- streams


def tell(text: str) -> None:
    """Print a line, or several, to standard output: data."""
    stream = sys.stdout
    if stream is None:
        raise OutputLost("it is closed")
    try:
        stream.write(_encodable(text, stream) + "\n")
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error.strerror or str(error)) from error


def say(text: str) -> None:
    """Print a line, or several, to standard error: talk. Where nobody listens, nothing happens."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        # In the order in which things were said, where both lead to one file.
        flush()
        stream.write(_encodable(text, stream) + "\n")
        stream.flush()
    except (OSError, OutputLost):
        return


def tell_json(value: Mapping[str, object], *, talk: bool = False) -> None:
    """Print a versioned JSON object, findings in it as :func:`finding_data`; to standard error where standard output holds records."""
    text = json_text({"version": JSON_VERSION, **value}, sys.stderr if talk else sys.stdout, indent=2)
    if talk:
        say(text)
    else:
        tell(text)


def json_text(value: object, stream: TextIO | None, indent: int | None = None) -> str:
    """Return JSON that any program can read from the stream: what is no number there (``NaN``) is text."""
    from json import dumps, loads  # an import that only --json needs

    value = loads(dumps(value, default=_json_value), parse_constant=str)
    # In other encodings `\xe4` and `\U0001f642` would stand for what they lack, and JSON is always UTF-8.
    ascii_only = getattr(stream, "encoding", None) not in {None, "utf-8", "UTF-8"}
    return dumps(value, ensure_ascii=ascii_only, indent=indent)


def _json_value(value: object) -> object:
    return finding_data(value) if isinstance(value, Finding) else str(value)


def tell_refusal(findings: Sequence[Finding], *, as_json: bool, talk: bool = False, **rest: object) -> None:
    """Say why a command ends early: as JSON together with ``rest``, or to people."""
    if as_json:
        tell_json({**rest, "findings": findings}, talk=talk)
    else:
        say_findings(findings)


def flush() -> None:
    """Hand on what standard output still holds.

    Raises:
        BrokenPipeError: Nobody reads it any more.
        OutputLost: It cannot be written.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise OutputLost(getattr(error, "strerror", None) or str(error)) from error


def forget_output() -> None:
    """Let standard output lead nowhere, so that the end of the process does not try again what did not go through."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


_colours = "auto"


def use_colours(when: str) -> None:
    """Use colours ``always``, ``never``, or as :func:`coloured` says (``auto``)."""
    global _colours  # noqa: PLW0603 - as the streams that it is about
    _colours = when


def coloured(stream: TextIO | None) -> bool:
    """Whether colours may be used: on a terminal, unless ``NO_COLOR``, ``FORCE_COLOR`` or ``TERM=dumb`` says otherwise."""
    if _colours != "auto":
        return _colours == "always"
    if stream is None or os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (os.environ.get("TERM") != "dumb" and stream.isatty())


# ----------------------------------------------------------------------------- text


def plain(text: str) -> str:
    """Return text in which whatever is not simply visible is shown as an escape; on one line."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def shortened(text: str) -> str:
    """Return ``plain`` text of a bearable length."""
    return plain(text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}...")


def error(message: str, hint: str | None = None) -> None:
    """Say what was wrong where no finding tells it."""
    word = f"{_RED}error{_END}" if coloured(sys.stderr) else "error"
    say(f"{word}: {shortened(message)}" + (f"\n  hint: {shortened(hint)}" if hint is not None else ""))


def counted(number: int, what: str) -> str:
    """Return how many there are of what, by the word for one."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def rate_text(per_second: float) -> str:
    """Return how many a second: of few, two digits."""
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"


def screen_columns(stream: TextIO | None, otherwise: int) -> int:
    """Return how wide the terminal is that a stream leads to; ``otherwise`` where it leads to none."""
    try:
        if stream is None or not stream.isatty():
            return otherwise
        return os.get_terminal_size(stream.fileno()).columns or otherwise
    except (OSError, ValueError):
        return otherwise


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), fits: bool = False
) -> str:
    """Return aligned columns; those in ``right`` are aligned on the right.

    Where it ``fits``, the last column ends where the terminal does that standard output leads to.
    """
    shown = [header, *([plain(cell) for cell in row] for row in rows)]
    widths = [max(width(row[column]) for row in shown) for column in range(len(header))]
    lines = []
    for row in shown:
        cells = [_padded(cell, widths[at], right=at in right) for at, cell in enumerate(row)]
        lines.append("  ".join(cells).rstrip())
    columns = screen_columns(sys.stdout, 0) if fits else 0
    if columns >= sum(widths[:-1]) + 2 * len(widths) + _LEAST_LAST:
        lines = [_cut(line, columns) for line in lines]
    return "\n".join(lines)


def _cut(line: str, columns: int) -> str:
    if width(line) <= columns:
        return line
    taken = accumulate(width(one) for one in line)
    shown = sum(1 for _ in takewhile(lambda so_far: so_far <= columns - 3, taken))
    return line[:shown].rstrip() + "..."


def _padded(cell: str, wanted: int, *, right: bool) -> str:
    blank = " " * (wanted - width(cell))
    return blank + cell if right else cell + blank


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # for text beyond ASCII only

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


# ----------------------------------------------------------------------------- findings


def finding_data(finding: Finding) -> dict[str, object]:
    """Return a finding for JSON."""
    place = finding.place
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "hint": finding.advice,
    }


def finding_text(finding: Finding, *, colours: bool = False, source: bool = True, hint: bool = True) -> str:
    """Return a finding as people read it: at most four lines."""
    red, cyan, bold, end = (_RED, _CYAN, _BOLD, _END) if colours else ("", "", "", "")
    place = shortened(str(finding.place))
    lines = [f"{red}{finding.severity}[{finding.code}]{end} {bold}{place}{end}: {shortened(finding.message)}"]
    if source:
        lines += _excerpt(finding, red, end)
    if hint:
        lines.append(f"  {cyan}hint:{end} {shortened(finding.advice)}")
    return "\n".join(lines)


def _excerpt(finding: Finding, red: str, end: str) -> Iterator[str]:
    line, column = finding.place.line, finding.column_to_show
    if finding.source_line is None or line is None:
        return
    text = finding.source_line.replace("\t", "    ")
    at = None
    if column <= len(finding.source_line) + 1:
        at = len(finding.source_line[: column - 1].replace("\t", "    "))
    most = _source_width(len(f"  | {line} | "))
    begin = max(0, at - most // 2) if at is not None and len(text) > most else 0
    shown = text[begin : begin + most]
    yield f"  | {line} | {plain(shown)}".rstrip()
    if at is not None:
        blank = " " * width(plain(text[begin:at]))
        yield f"  | {' ' * len(str(line))} | {blank}{red}^{end}"


def _source_width(before: int) -> int:
    """Return how much of a source line is shown, so that it and its caret do not break on a terminal."""
    columns = screen_columns(sys.stderr, 0) or screen_columns(sys.stdout, 0)
    return min(_SOURCE_WIDTH, max(columns - before, _LEAST_SOURCE_WIDTH)) if columns else _SOURCE_WIDTH


def findings_text(findings: Sequence[Finding], *, colours: bool = False, most_lines: int | None = None) -> str:
    """Return the findings on one thing, in at most so many lines.

    Every finding has its first line before one has a hint, and hints come before source lines. A hint that several
    findings share is told once, with the last of them.
    """
    if most_lines is None:
        most_lines = 4 * len(findings)
    shown, left = list(findings), 0
    telling = [
        at for at, finding in enumerate(shown) if all(later.advice != finding.advice for later in shown[at + 1 :])
    ]
    # The last line says what to do, or where that is said.
    refers = len(shown) + len(telling) > most_lines
    if len(shown) + refers > most_lines:
        shown, left = shown[: most_lines - 1], len(shown) - most_lines + 1
    spare = most_lines - len(shown) - refers
    hints, sources = set(telling[:spare]), set()
    spare -= len(hints)
    for at, finding in enumerate(shown):
        lines = len(list(_excerpt(finding, "", "")))
        if 0 < lines <= spare:
            sources.add(at)
            spare -= lines
    texts = [
        finding_text(finding, colours=colours, source=at in sources, hint=at in hints)
        for at, finding in enumerate(shown)
    ]
    if refers:
        command = f"plugline check {plain(shell_word(shown[0].place.path))}"
        texts.append(f"  and {left} more: {command}" if left else f"  hint: {command} tells what to do about each")
    return "\n".join(texts)


def say_findings(findings: Sequence[Finding]) -> None:
    """Say all findings, with the lines that they are about."""
    from plugline.cli.excerpts import with_source_lines  # reads files, which --help has no need of

    say(findings_text(with_source_lines(findings), colours=coloured(sys.stderr)))


def annotation(finding: Finding) -> str:
    """Return a finding as a workflow command of GitHub Actions."""
    place = finding.place
    where = [("file", place.path), ("line", place.line), ("col", place.column), ("title", finding.code)]
    properties = ",".join(f"{key}={_property(str(value))}" for key, value in where if value is not None)
    text = f"{finding.message}\nhint: {finding.advice}"
    return f"::{finding.severity} {properties}::{_command_data(text)}"


def _command_data(text: str) -> str:
    # https://docs.github.com/actions/reference/workflow-commands-for-github-actions; the three characters that its
    # toolkit escapes come first, so that only what is left over is shown as an escape of ours.
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return plain(escaped)


def _property(text: str) -> str:
    return _command_data(text).replace(":", "%3A").replace(",", "%2C")
