"""A table for people to read on a terminal; it is only written.

What is too long for the terminal is cut, and shows that it was: to hand data on, take another format.
"""

import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import BinaryIO, cast

from plugline.records import Reader, Record, Writer

# Widths are those of the first rows; what is wider later is cut.
_LOOKED_AT_ROWS = 200
_NARROWEST = 4
_WIDEST = 10_000
_BETWEEN = "  "
_CUT = "…"
_NONE = "-"
_NUMBERS = (int, float, Decimal)


@dataclass(kw_only=True, eq=False, repr=False)
class Table:
    """A table for people.

    Attributes:
        fields: The columns in order, which the first record fixes otherwise.
        width: How many characters a line may have; those of the terminal, unless set.
        cell_width: How many characters a cell may have.
    """

    fields: list[str] | None = None
    width: int | None = None
    cell_width: int = 40

    def __post_init__(self) -> None:
        if self.cell_width < _NARROWEST:
            raise ValueError(f"cell_width {self.cell_width!r}: expected {_NARROWEST} or more")

    def reader(self) -> Reader:
        """Refuse: what was cut cannot be read back.

        Raises:
            ValueError: Always.
        """
        raise ValueError("the format 'table' is for people and only written: expected another one for a source")

    def writer(self) -> Writer:
        """Return a writer of one line a record."""
        return _Writer(self)


class _Writer:
    """A line a record, in columns as wide as the first rows need."""

    separator = b""

    def __init__(self, settings: Table) -> None:
        self._settings = settings
        self._names: tuple[str, ...] | None = None if settings.fields is None else tuple(settings.fields)
        self._widths: list[int] | None = None
        self._right: list[bool] = []
        self._held: list[tuple[tuple[str, ...], tuple[bool, ...]]] = []
        self._headed = False
        self.columns: tuple[str, ...] | None = None

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        """Begin a part; ``columns`` have their widths before them."""
        self._stream = stream
        self._headed = not first and columns is not None
        if columns is not None:
            parts = [one.split(":", 1) for one in columns]
            self._names = tuple(name for _, name in parts)
            self._right = [width.startswith(">") for width, _ in parts]
            self._widths = [int(width.lstrip(">")) for width, _ in parts]
            self.columns = tuple(columns)

    def encode(self, record: Record, /) -> tuple[tuple[str, ...], tuple[bool, ...]]:
        """Return the cells of a record, and which of them are numbers.

        Raises:
            ValueError: It has other fields than the columns.
        """
        if self._names is None:
            if not record:
                raise ValueError("the first record is empty: expected at least one field, since it fixes the columns")
            self._names = tuple(map(str, record))
        names = self._names
        if len(record) != len(names) or any(name not in record for name in names):
            raise ValueError(f"the record has the fields {list(record)!r}: expected the columns {list(names)!r}")
        values = [record[name] for name in names]
        cells = tuple([_cut(_shown(value), self._settings.cell_width) for value in values])
        return cells, tuple([value is None or type(value) in _NUMBERS for value in values])

    def write(self, encoded: list[object], /) -> None:
        """Write lines; the first 200 are held back until it is known how wide the columns are."""
        rows = cast("list[tuple[tuple[str, ...], tuple[bool, ...]]]", encoded)
        if self._widths is not None:
            self._write_lines([cells for cells, _ in rows])
            return
        self._held += rows
        if len(self._held) >= _LOOKED_AT_ROWS:
            self._settle()

    def close(self, *, last: bool) -> None:
        if self._widths is None and (self._held or (last and self._settings.fields is not None)):
            self._settle()

    def _settle(self) -> None:
        names = [_shown(name) for name in self._names or ()]
        rows = [cells for cells, _ in self._held[:_LOOKED_AT_ROWS]]
        widths = [max([_width(name), *(_width(row[at]) for row in rows)]) for at, name in enumerate(names)]
        self._right = [bool(rows) and all(numbers[at] for _, numbers in self._held) for at in range(len(names))]
        self._widths = _fitted(widths, self._line_width())
        self.columns = tuple(
            f"{'>' * right}{width}:{name}"
            for right, width, name in zip(self._right, self._widths, self._names or (), strict=True)
        )
        held, self._held = [cells for cells, _ in self._held], []
        self._write_lines(held)

    def _line_width(self) -> int:
        if self._settings.width is not None:
            return self._settings.width
        try:
            return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ is not None else 1).columns
        except (OSError, ValueError):
            return _WIDEST  # not a terminal: as wide as it takes

    def _write_lines(self, rows: Sequence[Sequence[str]]) -> None:
        lines = []
        if not self._headed:
            self._headed = True
            lines.append(self._line([_shown(name) for name in self._names or ()]))
            lines.append(_BETWEEN.join("-" * width for width in self._widths or ()))
        lines += map(self._line, rows)
        self._stream.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))

    def _line(self, cells: Sequence[str]) -> str:
        padded = []
        for cell, width, right in zip(cells, self._widths or (), self._right, strict=True):
            text = _cut(cell, width)
            space = " " * (width - _width(text))
            padded.append(space + text if right else text + space)
        return _BETWEEN.join(padded).rstrip()


def _shown(value: object) -> str:
    """Return a value as people read it, in one line and without what a terminal would obey."""
    match value:
        case None:
            return _NONE
        case bool():
            return "true" if value else "false"
        case list() | tuple() | dict():
            text = json.dumps(value, ensure_ascii=False, default=str)
        case bytes():
            text = f"{value[:40]!r}"
        case _:
            text = str(value)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def _width(text: str) -> int:
    """Return how many places of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def _cut(text: str, width: int) -> str:
    if len(text) <= width and _width(text) <= width:
        return text
    kept, used = "", 0
    for one in text:
        used += _width(one)
        if used > width - 1:
            break
        kept += one
    return kept + _CUT


def _fitted(widths: list[int], line: int) -> list[int]:
    """Return widths that fit into a line: the widest give first, none becomes narrower than 4."""
    fitted = list(widths)
    while sum(fitted) + len(_BETWEEN) * (len(fitted) - 1) > line and fitted and max(fitted) > _NARROWEST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted
