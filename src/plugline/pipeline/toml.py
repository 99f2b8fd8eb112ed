"""TOML text to its data with the place of every key and value.

``tomllib`` alone decides what is valid and what it means, but tells no places. So a scanner goes over text that
``tomllib`` has accepted, and needs to understand only as much of it as tells where things begin.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from plugline.contract.settings import KeyPath, Problem
from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place

_MAX_SHOWN_COLUMNS = 160  # what a wide terminal shows in one row


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """TOML as it was read. It pickles.

    Attributes:
        path: The file's name, for places.
        data: What ``tomllib`` made of it.
        lines: The text, for showing a line of it.
    """

    path: str
    data: Mapping[str, object]
    lines: tuple[str, ...] = ()
    _keys: Mapping[KeyPath, tuple[int, int]] = field(default_factory=dict, repr=False)
    _values: Mapping[KeyPath, tuple[int, int]] = field(default_factory=dict, repr=False)

    def place(self, path: KeyPath, *, on_key: bool = False) -> Place:
        """Return where the value at ``path`` begins, or its key.

        An item of a list has no key: its place is the value's, or the header ``[[…]]`` that begins it. So is the
        header that of a table that has one. What is not there has the place of what it would be in.
        """
        found = (self._keys if on_key else self._values).get(path)
        while found is None and path:
            path = path[:-1]
            found = self._keys.get(path)
        return Place(self.path) if found is None else Place(self.path, *found)

    def finding(self, problem: Problem) -> Finding:
        """Put a problem in its place, with the line that it is on."""
        place = self.place(problem.path, on_key=problem.on_key)
        return Finding(problem.code, problem.message, place, problem.hint, _shown_line(self.lines, place.line))

    def paths(self) -> frozenset[KeyPath]:
        """Return the paths of all keys and items that have a place."""
        return frozenset(self._keys)


def parse(source: str | bytes, path: str) -> Document:
    """Read TOML.

    Args:
        source: The text, or the bytes of a file in UTF-8. A byte order mark is passed over and counts for no column.
        path: What to call it in places.

    Raises:
        ConfigurationError: It is not UTF-8 or not TOML (``C105``), with the line and column of the first thing wrong.
    """
    text = (_decoded(source, path) if isinstance(source, bytes) else source).removeprefix("\ufeff")
    text = text.replace("\r\n", "\n")
    lines = tuple(text.split("\n"))
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise ConfigurationError([_invalid(str(error), path, lines)]) from error
    except RecursionError as error:
        finding = Finding("C105", "not valid TOML: lists or tables are nested too deeply", Place(path))
        raise ConfigurationError([finding]) from error
    scanner = _Scanner(text)
    scanner.scan()
    return Document(path=path, data=data, lines=lines, _keys=scanner.keys, _values=scanner.values)


def _decoded(source: bytes, path: str) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        before = source[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"byte 0x{source[error.start]:02x} is not UTF-8, which TOML is written in"
        finding = Finding("C105", message, Place(path, line, column), "save the file as UTF-8")
        raise ConfigurationError([finding]) from error


def _invalid(said: str, path: str, lines: tuple[str, ...]) -> Finding:
    at = re.fullmatch(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", said)
    reason = said if at is None else at[1]
    message = f"not valid TOML: {reason[:1].lower()}{reason[1:]}"
    if at is None:
        return Finding("C105", message, Place(path))
    line, column = (int(at[2]), int(at[3])) if at[2] else (len(lines), len(lines[-1]) + 1)
    return Finding("C105", message, Place(path, line, column), source_line=_shown_line(lines, line))


def _shown_line(lines: tuple[str, ...], line: int | None) -> str | None:
    # A line that wraps has its caret anywhere, and may be the whole of a generated file.
    text = "" if line is None else lines[line - 1]
    return text if text.strip() and len(text) <= _MAX_SHOWN_COLUMNS else None


# What tomllib has accepted needs no more than this to be told apart.
_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
# A string of several lines may end with two quotes more than the three that close it.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?""""{0,2}'
    r"|'''.*?''''{0,2}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)


class _Scanner:
    """Goes once over valid TOML and notes where keys and values begin.

    Invariant: ``at`` is the offset of what is looked at next, and only grows. Should it ever meet what it does
    not understand, it stops, and what it has not seen has the place of what it is in.
    """

    def __init__(self, text: str) -> None:
        self.keys: dict[KeyPath, tuple[int, int]] = {}
        self.values: dict[KeyPath, tuple[int, int]] = {}
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lengths: dict[KeyPath, int] = {}  # of the lists that [[headers]] make

    def scan(self) -> None:
        try:
            self._document()
        except (IndexError, ValueError, RecursionError):
            return

    def _document(self) -> None:
        table: KeyPath = ()
        self._pass(_BLANK_LINES)
        while self._at < len(self._text):
            table = self._header() if self._next() == "[" else self._pair(table)
            self._pass(_BLANK_LINES)

    def _header(self) -> KeyPath:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        parts = list(self._key())
        self._at += brackets
        path: KeyPath = ()
        for part, begin in parts[:-1]:
            path = self._last_item((*path, part), begin)
        part, begin = parts[-1]
        path = (*path, part)
        if brackets == 1:
            # This is where the table is, also if a header of a table in it came before.
            self._note_again(path, begin)
            return path
        self._note(path, begin)
        number = self._lengths.get(path, 0)
        self._lengths[path] = number + 1
        self._note((*path, number), begin)
        return (*path, number)

    def _last_item(self, path: KeyPath, begin: int) -> KeyPath:
        self._note(path, begin)
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    def _pair(self, table: KeyPath) -> KeyPath:
        path = table
        for part, begin in self._key():
            path = (*path, part)
            self._note(path, begin)
        self._at += 1  # =
        self._pass(_BLANK)
        self._value(path)
        return table

    def _key(self) -> Iterator[tuple[str, int]]:
        while True:
            self._pass(_BLANK)
            begin = self._at
            raw = self._pass(_STRING if self._next() in "\"'" else _BARE_KEY)
            # tomllib undoes the escapes.
            yield raw if raw[0] not in "\"'" else tomllib.loads(f"key = {raw}")["key"], begin
            self._pass(_BLANK)
            if self._next() != ".":
                return
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        self.values[path] = self._place(self._at)
        match self._next():
            case "[":
                self._list(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._pass(_STRING)
            case _:
                self._pass(_SCALAR)

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        number = 0
        self._pass(_BLANK_LINES)
        while self._next() != "]":
            self.keys[*path, number] = self._place(self._at)
            self._value((*path, number))
            number += 1
            self._pass_comma()
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._pass(_BLANK_LINES)
        while self._next() != "}":
            self._pair(path)
            self._pass_comma()
        self._at += 1

    def _pass_comma(self) -> None:
        self._pass(_BLANK_LINES)
        if self._next() == ",":
            self._at += 1
            self._pass(_BLANK_LINES)

    def _next(self) -> str:
        return self._text[self._at]

    def _pass(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(self._at)
        self._at = found.end()
        return found.group()

    def _note(self, path: KeyPath, begin: int) -> None:
        if path not in self.keys:
            self._note_again(path, begin)

    def _note_again(self, path: KeyPath, begin: int) -> None:
        # A value that is not a table comes right after its key, and takes its own place then.
        self.keys[path] = self.values[path] = self._place(begin)

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1
