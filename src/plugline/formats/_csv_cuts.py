"""Bytes of CSV to where a row ends in them, without parsing what is plain."""

import csv
from codecs import BOM_UTF8, lookup
from collections.abc import Callable, Iterator
from io import StringIO

# In these, the bytes of a line break, a quote or a delimiter are never a part of another character.
_PLAIN_ENCODINGS = ("utf-8", "utf-8-sig", "ascii", "iso8859-", "cp125", "cp437", "cp850", "koi8-")


def can_cut(encoding: str, delimiter: str, quotechar: str) -> bool:
    """Whether bytes in this encoding can be cut without decoding them."""
    return lookup(encoding).name.startswith(_PLAIN_ENCODINGS) and delimiter.isascii() and quotechar.isascii()


class CsvCuts:
    """Finds the ends of rows.

    Args:
        delimiter: One ASCII character.
        quotechar: One ASCII character.
        header: Whether the first row is a header.
        skip_lines: How many lines stand before the first row.
        parse: What the reader does with text: the rows and how many characters they take.
    """

    def __init__(
        self,
        delimiter: str,
        quotechar: str,
        *,
        header: bool,
        skip_lines: int,
        parse: Callable[[str], tuple[list[object], int]],
    ) -> None:
        self._delimiter = delimiter
        self._quotechar = quotechar
        self._header = header
        self._skip_lines = skip_lines
        self._parse = parse

    def record_end(self, data: bytes) -> int:
        if data.startswith(BOM_UTF8):
            end = self.record_end(data[len(BOM_UTF8) :])
            return end and end + len(BOM_UTF8)
        quote = self._quotechar.encode()
        if quote not in data:
            end = data.rfind(b"\n") + 1
            # Without the last character, which may be half of a line break.
            return end or data.rfind(b"\r", 0, len(data) - 1) + 1
        if b"\n" in data and self._is_regular(data, quote):
            return _last_even(data, quote)
        # A quote that stands where none should: only the reader knows what it makes of that.
        _, used = self._parse(data.decode("latin-1"))
        return used

    def _is_regular(self, data: bytes, quote: bytes) -> bool:
        """Whether every quote opens a field or closes one, as far as its neighbours show."""
        # What is outside of quotes: between two of them, with a delimiter or a line break at both of its ends, or nothing
        # where two quotes stand for one. Six counts of pairs of bytes would cost eight times as much.
        pieces = data.split(quote)
        neighbours = b"\n\r" + self._delimiter.encode()
        first, *outside = pieces[::2]
        last = outside.pop() if len(pieces) % 2 and outside else b""  # nothing is quoted behind it
        return (
            (not first or len(pieces) == 1 or first[-1] in neighbours)
            and (not last or last[0] in neighbours)
            and all(not piece or (piece[0] in neighbours and piece[-1] in neighbours) for piece in outside)
        )

    def header_end(self, data: bytes) -> int:
        if not self._header and not self._skip_lines:
            return 0
        start = len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0
        used = 0

        def lines() -> Iterator[str]:
            nonlocal used
            for line in StringIO(data[start:].decode("latin-1"), newline=""):
                used += len(line)
                yield line

        following = lines()
        if any(next(following, None) is None for _ in range(self._skip_lines)):
            return -1
        rows = csv.reader(following, delimiter=self._delimiter, quotechar=self._quotechar, strict=True)
        try:
            found = next((row for row in rows if row), None) if self._header else ()
        except csv.Error:
            return -1  # the reader says what is wrong with it
        end = start + used
        return -1 if found is None or (end == len(data) and not data.endswith(b"\n")) else end


def _last_even(data: bytes, quote: bytes) -> int:
    """Return where the last line ends that is followed by no quoted field that goes on."""
    end = data.rfind(b"\n") + 1
    count = data.count(quote, 0, end)
    while end and count % 2:
        # All that follows the last quote is inside of a field, however many lines that are.
        before = data.rfind(b"\n", 0, data.rfind(quote, 0, end)) + 1
        count -= data.count(quote, before, end)
        end = before
    return end
