"""Valid TOML to the place of every key and value.

``tomllib`` alone decides what is valid and what it means, but tells no places. So a scanner goes over text that
``tomllib`` has accepted, and needs to understand only as much of it as tells where things begin.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache

from plugline.contract.settings import KeyPath

_Places = Mapping[KeyPath, tuple[int, int]]


@lru_cache(maxsize=8)
def places_in(text: str) -> tuple[_Places, _Places]:
    """Return line and column of each key, and of each value, both from 1."""
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.keys, scanner.values


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
