"""Comma-separated values: a table of text, with types by declaration.

A field is text unless ``types`` declares its column. What an empty field means follows from that: in a
text column it is the empty string, in any other it is no value, ``None``. ``null`` is what stands for no
value, the empty field unless set: columns with a declared type other than ``str`` read it as ``None``, and
``None`` is written as it, so a table cannot tell an empty string from ``None`` in a text column.

Blank lines are not records, a byte order mark is skipped, quoted fields may hold line breaks. A row that
is ragged, wrongly quoted, wrongly encoded or of a wrong type fails alone; a quote that is never closed
costs the line on which it opens, and reading goes on at the next line.
"""

import csv
from codecs import BOM_UTF8, BOM_UTF16_LE, BOM_UTF32_LE, getincrementaldecoder, lookup
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from io import BytesIO, StringIO
from operator import itemgetter
from types import FunctionType
from typing import Any, BinaryIO, Literal, NoReturn, Protocol, cast

from plugline.formats._wide import unmarked
from plugline.records import Broken, Position, Reader, Record, Writer
from plugline.records.moments import CONVERTERS, EXPECTED
from plugline.records.values import columns_of, other_fields

SUFFIXES = (".csv",)

# Rows of a chunk are many small objects that live together: with 32 KiB of text they fit in the processor's
# cache and the loop costs what a lazy one does; with 256 KiB it costs 13 to 16 % more (measured).
_CHUNK_CHARACTERS = 32 * 1024

# The longest field: ten times the largest that plain tables are seen to hold. It bounds what a quote that is never
# closed swallows before it is found out.
_MAX_FIELD_CHARACTERS = 8 * 1024 * 1024

# The name of code that is written for the columns, in tracebacks; in brackets, since they would show lines of this file with it.
_WRITTEN = "<plugline: written for the columns>"

# What every converter refuses.
_NOTHING = "no value"


# What begins an output in these encodings, and the encoding of everything after.
_BYTE_ORDER_MARKS = {
    "utf-8-sig": (BOM_UTF8, "utf-8"),
    "utf-16": (BOM_UTF16_LE, "utf-16-le"),
    "utf-32": (BOM_UTF32_LE, "utf-32-le"),
}


@dataclass(kw_only=True, eq=False, repr=False)
class Csv:
    r"""Comma-separated values.

    Attributes:
        delimiter: What stands between two fields, one character (``"\t"`` for TSV).
        header: Whether the first row names the columns.
        fields: The columns in order. Reading without a header needs them, and a header that is there must name
            the same; writing, they fix the columns, which the first record does otherwise.
        types: What the text in a column is. ``bool`` reads true, false, 1 and 0, whatever the case.
        quotechar: What encloses a field that holds a delimiter, a quote or a line break.
        encoding: The encoding of the text, by Python's name.
        null: The field that means no value, see above.
        skip_lines: Reading, how many lines stand before the header, or before the first record where there is none.
    """

    delimiter: str = ","
    header: bool = True
    fields: list[str] | None = None
    types: dict[str, Literal["str", "int", "float", "bool", "decimal", "date", "datetime"]] = field(
        default_factory=dict
    )
    quotechar: str = '"'
    encoding: str = "utf-8"
    null: str = ""
    skip_lines: int = 0

    def __post_init__(self) -> None:
        for name, value in (("delimiter", self.delimiter), ("quotechar", self.quotechar)):
            if len(value) != 1 or value in "\r\n":
                raise ValueError(f"{name} {value!r}: expected one character that is no line break")
        if self.delimiter == self.quotechar:
            raise ValueError(f"quotechar {self.quotechar!r}: expected another character than the delimiter")
        if self.skip_lines < 0:
            raise ValueError(f"skip_lines {self.skip_lines!r}: expected 0 or more")
        if self.fields is not None:
            if not self.fields:
                raise ValueError("fields []: expected at least one column")
            _refuse_duplicates("fields", self.fields)
        try:
            # What is not made of text (such as "base64") fails here as well.
            "".encode(self.encoding)
        except LookupError as error:
            raise ValueError(
                f"encoding {self.encoding!r}: expected the name of a text encoding, such as 'utf-8'"
            ) from error

    @property
    def record_end(self) -> Callable[[bytes], int]:
        """Find the ends of rows; not there in encodings of which only whole texts can be cut."""
        return self._cuts().record_end

    @property
    def header_end(self) -> Callable[[bytes], int]:
        """Find the end of the header; not there where :attr:`record_end` is not."""
        return self._cuts().header_end

    def _cuts(self) -> "_Cuts":
        # Nobody knows of the lines that are skipped what their quotes mean to a cut behind them.
        if self.skip_lines or not _can_cut(self.encoding, self.delimiter, self.quotechar):
            raise AttributeError(f"text in {self.encoding}, or below other lines, is read from its beginning")
        reader = _Reader(self)
        _raise_field_limit()
        return _Cuts(self.delimiter, self.quotechar, header=self.header, parse=reader.whole_rows)

    def reader(self) -> Reader:
        """Return a reader of rows.

        Raises:
            ValueError: Nothing names the columns.
        """
        if not self.header and self.fields is None:
            raise ValueError("header = false: expected 'fields' to name the columns")
        return _Reader(self)

    def writer(self) -> Writer:
        """Return a writer of rows."""
        return _Writer(self)


def _other_delimiter(header: str, quotechar: str) -> str | None:
    """Return the usual delimiter that makes several columns of a header, if one does."""
    for delimiter in ";\t|,":
        try:
            (row,) = csv.reader([header], delimiter=delimiter, quotechar=quotechar, strict=True)
        except (csv.Error, ValueError):
            continue
        if len(row) > 1:
            return delimiter
    return None


# In these, the bytes of a line break, a quote or a delimiter are never a part of another character.
_PLAIN_ENCODINGS = ("utf-8", "utf-8-sig", "ascii", "iso8859-", "cp125", "cp437", "cp850", "koi8-")


def _can_cut(encoding: str, delimiter: str, quotechar: str) -> bool:
    """Whether bytes in this encoding can be cut without decoding them."""
    return lookup(encoding).name.startswith(_PLAIN_ENCODINGS) and delimiter.isascii() and quotechar.isascii()


class _Cuts:
    """Finds the ends of rows.

    Args:
        delimiter: One ASCII character.
        quotechar: One ASCII character.
        parse: What the reader does with text: the rows and how many characters they take.
    """

    def __init__(
        self,
        delimiter: str,
        quotechar: str,
        *,
        header: bool,
        parse: Callable[[str], tuple[list[object], int]],
    ) -> None:
        self._delimiter = delimiter
        self._quotechar = quotechar
        self._header = header
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
        if not self._header:
            return 0
        start = len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0
        used = 0

        def lines() -> Iterator[str]:
            nonlocal used
            for line in StringIO(data[start:].decode("latin-1"), newline=""):
                used += len(line)
                yield line

        rows = csv.reader(lines(), delimiter=self._delimiter, quotechar=self._quotechar, strict=True)
        try:
            found = next((row for row in rows if row), None)
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


class _BrokenRow(Broken):
    """Lines that are no row, as the bytes that came in."""

    __slots__ = ("lines",)

    def __init__(self, raw: bytes, reason: str, lines: int) -> None:
        super().__init__(raw, reason)
        self.lines = lines


class _Batch:
    """The rows of one chunk; blank ones are among ``rows`` and not among ``raws``."""

    __slots__ = ("_line", "_row", "_rows", "raws")

    def __init__(self, raws: list[object], rows: list[object], line: int, row: int) -> None:
        self.raws = raws
        self._rows = rows
        self._line = line
        self._row = row

    def position(self, index: int, /) -> Position:
        """Count again, up to the record: a row has one line and one more for each line break in its fields."""
        before = index
        if len(self.raws) != len(self._rows):
            before = [at for at, row in enumerate(self._rows) if row != []][index]
        return Position(line=self._line + sum(map(_line_count, self._rows[:before])), row=self._row + index)


class _Reader:
    """Cuts at the ends of rows; one text, one header, one use."""

    def __init__(self, settings: Csv) -> None:
        self._settings = settings
        # decode holds this very list, which is filled when the header is read.
        self._names: list[str] = []
        self.lines = 0
        self._piece = ""
        typed = {name: kind for name, kind in settings.types.items() if kind != "str"}
        self._typed = typed
        self._decode = _new_decoder()
        self.decode = cast("Callable[[object], Record]", self._decode)

    @property
    def columns(self) -> list[str]:
        """The columns, once they are known; may be set where rows come without their header."""
        return self._names

    @columns.setter
    def columns(self, names: list[str]) -> None:
        if names != self._names:
            self._names[:] = names
            self._know_columns()

    def row_of(self, raw: str | bytes) -> object:
        """Return the row that stands by itself in a text, or in what such a text is encoded as, for :attr:`decode`.

        Raises:
            ValueError: It is not one row.
        """
        data, encoding = (raw.encode(), "utf-8") if isinstance(raw, str) else (raw, self._settings.encoding)
        text = _Text(BytesIO(data), encoding)
        text.fill(len(data) + 1)
        piece, _ = text.piece(len(data))
        rows, _ = self._parse(piece, final=True)
        if text.torn:
            rows = self._set_torn_aside(rows, piece)
        rows = [row for row in rows if row != []]
        if len(rows) != 1:
            raise ValueError(f"{_plural(len(rows), 'row')}: expected one")
        return rows[0]

    def batches(self, stream: BinaryIO, /) -> Iterator[_Batch]:
        """Yield the rows of about 32 KiB at a time, or of what has arrived, where that is less.

        Raises:
            ValueError: The header is broken, names a column twice, or lacks a declared one.
        """
        _raise_field_limit()
        line, row = 1 + self._settings.skip_lines, 1
        headed = False
        for rows, lines in self._rows(stream):
            raws = rows if all(rows) else [one for one in rows if one != []]
            first_line, kept = line, rows
            line += lines
            if raws and not headed:
                headed = True
                raws, skipped = self._head(raws, rows)
                first_line += sum(map(_line_count, rows[:skipped]))
                kept = rows[skipped:]
            if raws:
                yield _Batch(raws, kept, first_line, row)
            row += len(raws)
            self.lines = line - 1

    def _head(self, raws: list[object], rows: list[object]) -> tuple[list[object], int]:
        """Fix the columns; return the raws after the header, and how many of ``rows`` it ends."""
        settings = self._settings
        if not settings.header:
            self._names[:] = settings.fields or ()
            self._know_columns()
            return raws, 0
        if isinstance(raws[0], Broken):
            way = self._way_past(raws[0])
            raise ValueError(f"the header is broken: {raws[0].reason}{way}")  # noqa: TRY004 - a faulty file, no wrong argument
        header = cast("list[str]", raws[0])
        wide = unmarked(self._piece[:4].encode(errors="replace"))
        if wide is not None:
            raise ValueError(f'it is text in {wide}\n  hint: say so: options = {{ encoding = "{wide.lower()}" }}')
        ends = rows.index(header) + 1
        line = settings.skip_lines + sum(map(_line_count, rows[:ends]))
        if header[0].startswith("sep=") and header != settings.fields:
            delimiter = header[0][4:] or settings.delimiter
            raise ValueError(
                f"line {line} is no header, it says what stands between fields\n"
                f"  hint: options = {{ delimiter = {_toml_of(delimiter)}, skip_lines = {line} }}"
            )
        if (
            len(header) == 1
            and header != settings.fields
            and not self._piece.lstrip("\r\n").startswith(settings.quotechar)
        ):
            self._refuse_other_delimiter(header[0])
        way = f"name the columns: options = {{ header = false, skip_lines = {line}, fields = [...] }}"
        _refuse_duplicates("the header", header, f"\n  hint: {way}")
        if settings.fields is not None and set(settings.fields) != set(header):
            raise ValueError(f"the header is {header!r}: expected the declared fields {settings.fields!r}")
        self._names[:] = header
        self._know_columns()
        return raws[1:], ends

    def _way_past(self, header: Broken) -> str:
        """Return what to do about a broken header, if it is a setting that is missing."""
        if header.reason.startswith("byte "):
            return "\n  hint: say which encoding it has: options = { encoding = ... }"
        return self._delimiter_hint(cast("bytes", header.raw).decode(self._settings.encoding, "replace"))

    def _delimiter_hint(self, header: str) -> str:
        delimiter = _other_delimiter(header, self._settings.quotechar)
        if delimiter is None:
            return ""
        form = 'format = "csv", ' if self._settings.delimiter == "\t" else ""
        said = _toml_of(delimiter)
        way = f"{form}options = {{ delimiter = {said} }}, or --from-with 'delimiter={said}'"
        return f"\n  hint: say what stands between its fields: {way}"

    def _refuse_other_delimiter(self, name: str) -> None:
        if hint := self._delimiter_hint(name):
            raise ValueError(
                f"the header is one column, {name!r}: expected names with {self._settings.delimiter!r} between them"
                f"{hint}; one column of this name has it in quotes, or in 'fields'"
            )

    def _know_columns(self) -> None:
        unknown = sorted(set(self._settings.types).difference(self._names))
        if unknown:
            raise ValueError(f"types names {unknown!r}: expected only columns that are there, {self._names!r}")
        _become_decoder(self._decode, self._names, self._typed, self._settings.null)

    def _rows(self, stream: BinaryIO) -> Iterator[tuple[list[object], int]]:
        """Yield lists of whole rows, blank ones included, each with the number of lines that it takes."""
        text = _Text(stream, self._settings.encoding)
        text.skip(self._settings.skip_lines)
        wanted = 1
        while text.fill(wanted):
            piece, final = text.piece(wanted)
            rows: list[object] = []
            used = 0
            self._piece = piece
            if piece:
                rows, used = self._parse(piece, final=final)
                if text.torn:
                    rows = self._set_torn_aside(rows, piece)
                if rows:
                    yield rows, _line_breaks(piece[:used])
                text.advance(used)
            if used:
                # Whole rows may be there still; what is less than a chunk waits for more, if only for one read.
                wanted = 1 if text.available >= _CHUNK_CHARACTERS else text.available + 1
            else:
                # Twice as much for a long row, so that the cost of trying again stays in proportion.
                wanted = text.available + (1 if text.available < _CHUNK_CHARACTERS else text.available)

    def _csv_reader(self, lines: Iterator[str]) -> "_Rows":
        # strict: otherwise a quote that is never closed turns the rest of the file into one field, silently.
        settings = self._settings
        return csv.reader(lines, delimiter=settings.delimiter, quotechar=settings.quotechar, strict=True)

    def _parse(self, text: str, *, final: bool) -> tuple[list[object], int]:
        """Return the rows of ``text`` and how many characters they take; without ``final`` the last may be incomplete."""
        rows: list[object] = []
        try:
            # newline="" ends lines at \n, \r\n and \r, and nowhere else (str.splitlines would at \x0b or \u2028).
            rows.extend(self._csv_reader(StringIO(text, newline="")))
        except csv.Error:
            return self._parse_around(text, final=final)
        return rows, len(text)

    def whole_rows(self, text: str) -> tuple[list[object], int]:
        """Return the rows of a text that goes on after its end, and how many characters those that are whole take."""
        end = max(text.rfind("\n"), text.rfind("\r", 0, len(text) - 1)) + 1
        return self._parse(text[:end], final=False)

    def _parse_around(self, text: str, *, final: bool) -> tuple[list[object], int]:
        """Parse text that is known to hold a fault, setting aside one line a fault."""
        lines = list(StringIO(text, newline=""))
        rows: list[object] = []
        start = 0
        while start < len(lines):
            reader = self._csv_reader(_lines_from(lines, start))
            parsed: list[object] = []
            try:
                # extend keeps what came before the error.
                parsed.extend(reader)
            except csv.Error as error:
                reason = _fault_of(str(error), self._settings.quotechar)
            else:
                return rows + parsed, len(text)
            at_end = start + reader.line_num == len(lines)
            rows += parsed
            start += sum(map(_line_count, parsed))
            if at_end and not final:
                # Perhaps a quoted field that goes on in the next chunk.
                return rows, sum(map(len, lines[:start]))
            rows.append(_BrokenRow(self._bytes(lines[start]), f"no row of CSV: {reason}", 1))
            start += 1
        return rows, len(text)

    def _set_torn_aside(self, rows: list[object], text: str) -> list[object]:
        """Put a broken row in the place of each that holds bytes which the encoding does not know."""
        lines = list(StringIO(text, newline=""))
        kept: list[object] = []
        start = 0
        for row in rows:
            end = start + _line_count(row)
            source = "".join(lines[start:end])
            strange = _first_surrogate(source)
            if strange and not isinstance(row, Broken):
                reason = f"byte 0x{ord(strange) - 0xDC00:02x}: expected {self._settings.encoding} text"
                kept.append(_BrokenRow(self._bytes(source), reason, end - start))
            else:
                kept.append(row)
            start = end
        return kept

    def _bytes(self, text: str) -> bytes:
        _, encoding = _BYTE_ORDER_MARKS.get(lookup(self._settings.encoding).name, (b"", self._settings.encoding))
        return text.encode(encoding, "surrogateescape")


def _fault_of(said: str, quote: str) -> str:
    """Return why a line is no row; for a quote that is not closed one reason, whether there is more text behind it or not."""
    unclosed = said == "unexpected end of data" or " expected after " in said
    return f"a field that begins with {quote} does not end with {quote} and a delimiter" if unclosed else said


def _raise_field_limit() -> None:
    # The limit belongs to the process: only ever raised, so that nobody else's reader becomes stricter.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD_CHARACTERS))


class _Rows(Protocol):
    """What csv.reader returns, which has no public name."""

    @property
    def line_num(self) -> int: ...
    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


class _Text:
    """A stream of bytes as a window of text that moves on."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        # read1 hands on what a pipe has; read would wait until the whole chunk is there.
        self._read = cast("Callable[[int], bytes]", getattr(stream, "read1", stream.read))
        self._decoder = getincrementaldecoder(encoding)("strict")
        self._window = ""
        self._start = 0
        self._torn_until = 0
        self._begun = False
        self._ended = False

    @property
    def available(self) -> int:
        """How many characters are there and not used."""
        return len(self._window) - self._start

    @property
    def torn(self) -> bool:
        """Whether there may be bytes in the window that the encoding does not know."""
        return self._torn_until > self._start

    def fill(self, wanted: int) -> bool:
        """Read until ``wanted`` characters are there or nothing is left; whether any are there."""
        # Joined once, so that the cost of a long row is not the square of its length.
        pieces: list[str] = []
        there = self.available
        torn = max(0, self._torn_until - self._start)
        while there < wanted and not self._ended:
            data = self._read(_CHUNK_CHARACTERS)
            self._ended = not data
            text = self._decode(data)
            if text and not self._begun:
                self._begun = True
                text = text.removeprefix("\ufeff")
            pieces.append(text)
            there += len(text)
            if not text.isascii() and self._decoder.errors != "strict":
                torn = there
            self._decoder.errors = "strict"
        if pieces:
            self._window = self._window[self._start :] + "".join(pieces)
            self._start, self._torn_until = 0, torn
        return self.available > 0

    def _decode(self, data: bytes) -> str:
        try:
            return self._decoder.decode(data, not data)
        except UnicodeDecodeError:
            # One wrong byte must not cost the file: it is carried as a lone surrogate, by which its row is found.
            self._decoder.errors = "surrogateescape"
            return self._decoder.decode(data, not data)

    def piece(self, wanted: int) -> tuple[str, bool]:
        """Return whole lines, about a chunk or ``wanted`` characters; and whether nothing comes after them."""
        end = self._start + max(wanted, _CHUNK_CHARACTERS)
        if self._ended and end >= len(self._window):
            return self._window[self._start :], True
        cut = self._window.rfind("\n", self._start, end) + 1
        if not cut:
            # Lines that end with \r alone; the last may be half of \r\n.
            cut = self._window.rfind("\r", self._start, min(end, len(self._window)) - 1) + 1
        return self._window[self._start : cut], False

    def skip(self, lines: int) -> None:
        """Pass over so many lines, or all that there are."""
        wanted = 1
        while lines and self.fill(wanted):
            # The last character may be half of a line break.
            known = self._window[self._start : None if self._ended else -1]
            line = next(StringIO(known, newline=""), "")
            if line.endswith(("\n", "\r")) or self._ended:
                lines, wanted = lines - 1, 1
                self.advance(len(line) + (line[-1:] == "\r" and self._window.startswith("\n", self._start + len(line))))
            else:
                wanted = 2 * self.available

    def advance(self, used: int) -> None:
        self._start += used


def _lines_from(lines: list[str], start: int) -> Iterator[str]:
    for index in range(start, len(lines)):
        yield lines[index]


def _line_count(row: object) -> int:
    """Return how many lines of the file a row took."""
    if isinstance(row, _BrokenRow):
        return row.lines
    # Joined by a space, so that \r at the end of one field and \n at the beginning of the next are two.
    return 1 + _line_breaks(" ".join(cast("list[str]", row)))


def _line_breaks(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _first_surrogate(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return text[error.start]
    return ""


def _toml_of(delimiter: str) -> str:
    return r'"\t"' if delimiter == "\t" else f'"{delimiter}"'


def _refuse_duplicates(what: str, names: Sequence[str], hint: str = "") -> None:
    duplicates = sorted(name for name, count in Counter(names).items() if count > 1)
    if duplicates:
        raise ValueError(f"{what} names {duplicates!r} more than once: expected each column once{hint}")


def _new_decoder() -> FunctionType:
    """Return a function that becomes the decoder when the columns are known: the record loop holds it from before."""

    def decode(row: object) -> Record:
        # Only what is no row comes before the header.
        return _refuse(cast("Broken", row), [])

    return cast("FunctionType", decode)


def _become_decoder(decode: FunctionType, names: list[str], types: Mapping[str, str], null: str) -> None:
    """Give a function the code that makes records of rows with these columns."""
    made = _decoder_code(tuple(names), tuple(types.items()), null)
    decode.__code__ = made.__code__
    decode.__defaults__ = made.__defaults__


@lru_cache(maxsize=64)
def _decoder_code(names: tuple[str, ...], types: tuple[tuple[str, str], ...], null: str) -> FunctionType:
    """Write the function that makes records of rows with these columns.

    Taking a row apart into variables and putting them behind constant keys costs three quarters of
    ``dict(zip(names, row))``, and a converter in an expression half of one in a loop.
    """
    kinds = dict(types)
    cells = [f"c{at}" for at in range(len(names))]
    values = [_value_source(cell, kinds.get(name), null) for cell, name in zip(cells, names, strict=True)]
    lines = [
        f"def decode(row, names=names, typed=typed, int=int, float=float, {', '.join(_MAKERS)}):",
        f"    if type(row) is not list or len(row) != {len(names)}:",
        "        return _refuse(row, names)",
        f"    {', '.join(cells)}, = row" if cells else "    pass",
    ]
    record = ", ".join(f"{name!r}: {value}" for name, value in zip(names, values, strict=True))
    if types:
        lines += [
            "    try:",
            f"        return {{{record}}}",
            "    except (ValueError, ArithmeticError):",
            "        return _refuse_types(row, names, *typed)",
        ]
    else:
        lines.append(f"    return {{{record}}}")
    typed = ([(name, CONVERTERS[kind]) for name, kind in types], kinds, null)
    made: dict[str, FunctionType] = {}
    # Every name in it is the repr of a string or made here.
    exec(compile("\n".join(lines), _WRITTEN, "exec"), {"names": [*names], "typed": typed, **CONVERTERS}, made)  # noqa: S102
    return made["decode"]


# Converters that the written code takes as defaults, by the names that they have in it.
_MAKERS = ("bool=bool", "decimal=decimal", "date=date", "datetime=datetime")


def _value_source(cell: str, kind: str | None, null: str) -> str:
    if kind is None:
        return cell
    convert = f"{kind}({cell})"
    if kind in {"int", "float", "decimal"}:
        # They take "1_000" for a thousand, which is Python's spelling and nobody else's.
        convert = f'{kind}({cell} if "_" not in {cell} else {_NOTHING!r})'
    return f"None if {cell} == {null!r} else {convert}"


def _wrong_type(
    row: list[str],
    names: list[str],
    typed: list[tuple[str, Callable[[str], object]]],
    types: Mapping[str, str],
    null: str,
) -> ValueError:
    """Return the error for the first field that its converter refuses, tried again to find which it was."""
    cells = dict(zip(names, row, strict=True))
    for name, convert in typed:
        text = cells[name]
        try:
            if text != null:
                convert(text if "_" not in text else _NOTHING)
        except (ValueError, ArithmeticError):
            return ValueError(f"column {name!r} holds {text!r}: expected {EXPECTED[types[name]]}")
    raise AssertionError("a converter refused a field once and took it the next time")


# In functions, so that messages lead to lines of this file and not of the written code.
def _refuse(row: list[str] | Broken, names: list[str]) -> NoReturn:
    raise _fault(row, names)


def _refuse_types(row: list[str], names: list[str], *typed: Any) -> NoReturn:
    raise _wrong_type(row, names, *typed) from None


def _fault(row: list[str] | Broken, names: list[str]) -> ValueError:
    if isinstance(row, Broken):
        return (UnicodeError if row.reason.startswith("byte ") else ValueError)(row.reason)
    said = f"the row has {_plural(len(row))}: expected {len(names)}, as there are columns"
    # What stands above the header is often one cell.
    more = f"; if {names[0]!r} is no header, set skip_lines" if len(names) == 1 else ""
    return ValueError(said + more)


def _plural(count: int, what: str = "field") -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


class _Echo:
    """What csv.writer writes to: its ``writerow`` returns what ``write`` does, here the row itself."""

    write = staticmethod(str)


# The types that csv.writer writes as they are to be: floats by repr, the others by str.
_PLAIN = frozenset({str, int, float, Decimal, date, time})

# What the written code does with a value, by its type: how it is told, and what stands for it.
_MARKED: Mapping[type, str] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    Decimal: "Decimal",
    date: "date",
    datetime: "datetime",
    time: "time",
}


def _new_encoder(encode_any: Callable[[Record], bytes]) -> FunctionType:
    """Return a function that becomes quicker when the types of values are known: the record loop holds it from before."""

    def encode(record: Record, encode_any: Callable[[Record], bytes] = encode_any) -> bytes:
        return encode_any(record)

    return cast("FunctionType", encode)


@lru_cache(maxsize=64)
def _encoder_code(
    columns: tuple[str, ...], kinds: tuple[str, ...], delimiter: str, quote: str, null: str, encoding: str
) -> FunctionType:
    """Write the function that encodes records whose values have the types that the first ones had.

    It hands over to the general one whatever is different: other keys, other types, text that has to be quoted. A check a value
    and one expression for the row cost half of what csv.writer does with the same values, and two thirds of
    ``",".join(map(str, values))``.
    """
    textual = set(kinds) == {"str"} and len(columns) > 1
    special = " or ".join(f"{one!r} in text" for one in (quote, delimiter, "\n", "\r"))
    if textual:
        lines = [*_textual_source(special, encoding)]
    else:
        lines = [*_typed_source(columns, kinds, null)]
        plain = not any(one in _IN_NUMBERS or one in null for one in (quote, delimiter))
        texts = [f"{{c{at}}}" for at, kind in enumerate(kinds) if not plain or kind in _TEXTS]
        lines += (
            [f"    text = f{''.join(texts)!r}", f"    if {special}:", "        return encode_any(record)"]
            if texts
            else []
        )
        braced = delimiter.replace("{", "{{").replace("}", "}}")
        lines += [f"    text = f{braced.join(f'{{c{at}}}' for at in range(len(columns)))!r}"]
        lines += ["    if not text:", "        return encode_any(record)"] if len(columns) == 1 else []
        lines += [*_encoded_source("text", encoding)]
    made: dict[str, FunctionType] = {}
    names: dict[str, object] = {"Decimal": Decimal, "date": date, "datetime": datetime, "time": time}
    names |= {"values": itemgetter(*columns), "join": delimiter.join, "width": len(columns)}
    # Every name in it is the repr of a string or made here.
    exec(compile("\n".join(lines), _WRITTEN, "exec"), names, made)  # noqa: S102
    return made["encode"]


def _encoded_source(text: str, encoding: str) -> Iterator[str]:
    """Yield the code that makes bytes of a row, or has it said which column they are not to be had for."""
    yield "    try:"
    yield f"        return {text}.encode({encoding!r})"
    yield "    except UnicodeEncodeError:"
    yield "        return encode_any(record)"


def _textual_source(special: str, encoding: str) -> Iterator[str]:
    """Yield the code for records of nothing but text: calls in C.

    Looked through is the text without delimiters: to look for four characters that are not there takes less time than to count
    those that are.
    """
    yield "def encode(record, encode_any=None, values=values, together=''.join, join=join, width=width):"
    yield "    try:"
    yield "        row = values(record)"
    yield "        text = together(row)"
    yield "    except (KeyError, TypeError):"
    yield "        return encode_any(record)"
    yield f"    if len(record) != width or {special}:"
    yield "        return encode_any(record)"
    yield from _encoded_source("join(row)", encoding)


def _typed_source(columns: Sequence[str], kinds: Sequence[str], null: str) -> Iterator[str]:
    """Yield the code for records of values of several types."""
    cells = [f"c{at}" for at in range(len(columns))]
    yield "def encode(record, encode_any=None, Decimal=Decimal, date=date, datetime=datetime, time=time):"
    yield f"    if len(record) != {len(columns)}:"
    yield "        return encode_any(record)"
    yield "    try:"
    for cell, name in zip(cells, columns, strict=True):
        yield f"        {cell} = record[{name!r}]"
    yield "    except KeyError:"
    yield "        return encode_any(record)"
    for cell, kind in zip(cells, kinds, strict=True):
        yield f"    if {cell}.__class__ is not {kind or 'None'}:"
        yield f"        if {cell} is not None:"
        yield "            return encode_any(record)"
        yield f"        {cell} = {null!r}"
        if kind in _SPELT:
            yield "    else:"
            yield f"        {cell} = {_SPELT[kind].format(cell)}"


_IN_NUMBERS = frozenset(
    "0123456789+-.:_ abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)  # numbers, truth values, dates
_TEXTS = ("str", "(str)", "")
_TEXT_OR_NONE = "(str)"  # the same type, and not the kind that means nothing but text
_SPELT = {"bool": "'true' if {0} else 'false'", "datetime": "{0}.isoformat()"}


def _unknown(record: Record) -> tuple[object, ...]:
    """Stand for the columns until they are known."""
    raise KeyError


class _Writer:
    """A row a record; the columns are declared, or fixed by the part before or the first record."""

    separator = b""

    def __init__(self, settings: Csv) -> None:
        self._declared = settings.fields
        self._headed = settings.header
        self._null = settings.null
        self._quote = settings.quotechar
        self._delimiter = settings.delimiter
        name = lookup(settings.encoding).name
        self._mark, self._encoding = _BYTE_ORDER_MARKS.get(name, (b"", name))
        self._newline = "\n".encode(self._encoding)
        # csv.writer quotes the line breaks of its own line end and no other: with \r\n it quotes both, and encode
        # takes that line end off again.
        rows = csv.writer(_Echo(), delimiter=settings.delimiter, quotechar=settings.quotechar, lineterminator="\r\n")
        self._row = cast("Callable[[Sequence[object]], str]", rows.writerow)
        # csv.writer writes None as the empty field.
        self._plain = (_PLAIN | {type(None)} if settings.null == "" else _PLAIN).issuperset
        self._values: Callable[[Record], tuple[object, ...]] = _unknown
        self._kinds: list[str] = []
        self._written: list[str] = []  # those of the quicker way
        self._missed = self._due = 0  # records that were not its own, and of how many it is written anew
        self._encode = _new_encoder(self._encode_any)
        self.encode = cast("Callable[[Record], object]", self._encode)
        self._first = False
        self._begins = False
        self.columns: tuple[str, ...] | None = None

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        """Begin a part; the header is written at once where the columns are known, else before the first row.

        Raises:
            ValueError: The earlier part has other columns than the declared ones.
        """
        self._stream = stream
        self._begins = first and not self._headed
        # Where no earlier part has fixed columns, none has written a header: all of them were empty.
        self._first = first or (columns is None and self._declared is None)
        known = self._declared if columns is None else columns
        if known is None:
            return
        if self._declared is not None and [*known] != self._declared:
            raise ValueError(f"columns {[*known]!r}: expected the declared fields {self._declared!r}")
        self._fix(tuple(known))
        self._write_header()

    def _encode_any(self, record: Record, /) -> bytes:
        """Return the row of a record, without its line end; ``encode`` is this, and has a quicker way for most records.

        The first record that is encoded fixes the columns where nothing has before.

        Raises:
            ValueError: The record has other keys than the columns, or a value that no field can hold.
        """
        try:
            # One call in C that takes the values in the order of the columns and misses none; with the right
            # count there is none besides either.
            values = self._values(record)
        except KeyError:
            return self._encode_other(record)
        if len(record) != len(values):
            return self._encode_other(record)
        self._learn(values)
        return self._encode_values(values)

    def _learn(self, values: tuple[object, ...]) -> None:
        """Remember the types of values where none were known, and write the quicker way anew.

        Not for each column that gets its first value: where hundreds of them have few, that would take most of a run.
        """
        kinds = [known or _MARKED.get(type(value), "") for known, value in zip(self._kinds, values, strict=True)]
        if "" not in kinds and set(kinds) == {"str"} and None in values:
            # Text with gaps: asking whether all is text would cost an exception a gap.
            kinds = [_TEXT_OR_NONE] * len(kinds)
        self._kinds = kinds
        self._missed += 1
        if kinds != self._written and self._missed >= self._due:
            self._written = kinds
            self._due = 4 * self._missed
            made = _encoder_code(
                cast("tuple[str, ...]", self.columns),
                tuple(kinds),
                self._delimiter,
                self._quote,
                self._null,
                self._encoding,
            )
            self._encode.__code__ = made.__code__
            self._encode.__defaults__ = (self._encode_any, *(made.__defaults__ or ())[1:])

    def _encode_other(self, record: Record) -> bytes:
        if self.columns is not None:
            raise other_fields(record, self.columns)
        # Whole or nothing: a first record that cannot be written fixes nothing.
        values = tuple(record.values())
        encoded = self._encode_values(values, names=columns_of(record))
        self._fix(tuple(record))
        self._learn(values)
        return encoded

    def _fix(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._kinds = self._written = [""] * len(columns)
        # With one name itemgetter gives the value itself.
        self._values = itemgetter(*columns) if len(columns) > 1 else lambda record: (record[columns[0]],)

    def _encode_values(self, values: tuple[object, ...], *, names: tuple[str, ...] = ()) -> bytes:
        cells: Sequence[object] = values
        if not self._plain(map(type, values)):
            cells = [self._cell(name, value) for name, value in zip(names or self.columns or (), values, strict=True)]
        try:
            return self._row(cells)[:-2].encode(self._encoding)
        except UnicodeEncodeError:
            raise self._no_bytes(names or self.columns or (), cells) from None

    def _no_bytes(self, names: Sequence[str], cells: Sequence[object]) -> ValueError:
        """Return the error of a row with a character that the encoding does not have."""
        for name, cell in zip(names, cells, strict=True):
            try:
                str(cell).encode(self._encoding)
            except UnicodeEncodeError as error:
                strange = error.object[error.start]
                return ValueError(
                    f"column {name!r} holds the character {strange!a}: expected those that {self._encoding} has"
                )
        return ValueError(f"the columns {list(names)!r}: expected names in {self._encoding}")

    def _cell(self, name: str, value: object) -> object:
        if value is None:
            return self._null
        if type(value) in _PLAIN:
            return value
        match value:
            case bool():
                return "true" if value else "false"
            case datetime():
                return value.isoformat()
            # A subclass, such as a member of an enumeration: by its value, as JSON has it.
            case str():
                return str.__str__(value)
            case int():
                return int.__repr__(value)
            case float():
                return float.__repr__(value)
        raise ValueError(
            f"column {name!r} holds a {type(value).__name__}: expected text, a number, a truth value, a date, "
            "a time or None, since a field of CSV can hold nothing else"
        )

    def write(self, encoded: list[object], /) -> None:
        if encoded:
            rows = cast("list[bytes]", encoded)
            if self._begins:
                self._begins = False
                rows = [self._without_mark(rows[0].decode(self._encoding)).encode(self._encoding), *rows[1:]]
            self._write_header()
            self._stream.write(self._newline.join([*rows, b""]))

    def close(self, *, last: bool) -> None:
        """End the part: there is no footer, and an output without a record or declared fields is an empty file."""
        del last

    def _write_header(self) -> None:
        if not self._first:
            return
        self._first = False
        row = self._without_mark(self._row(self.columns or ())[:-2])
        if len(self.columns or ()) == 1 and row[0] != self._quote and _other_delimiter(row, self._quote) is not None:
            row = f"{self._quote}{row}{self._quote}"  # one column, as a reader is to know
        header = row.encode(self._encoding) + self._newline
        self._stream.write(self._mark + (header if self._headed else b""))

    def _without_mark(self, row: str) -> str:
        """Return what an output begins with; in quotes where it would be taken for a byte order mark, or for UTF-16."""
        if not row.startswith("\ufeff") and not unmarked(row[:4].encode(errors="replace")):
            return row
        cell, delimiter, rest = row.partition(self._delimiter)
        return f"{self._quote}{cell}{self._quote}{delimiter}{rest}"
