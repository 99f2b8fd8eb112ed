"""JSON: an array of objects, read as a stream, at the top or where keys lead to it; or objects one after the other.

The text is cut at the ends of the array's elements, and each is decoded by itself: an element that is wrong in
itself (``NaN``, a byte that is not UTF-8, a colon that is missing) fails alone as long as its brackets and quotes are
in pairs. A fault in the array's own syntax ends the reading, since nobody can say where the next element would begin.

Writing, ``NaN`` and the infinities become ``null``, since JSON has no such numbers, or are refused.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder, loads
from typing import BinaryIO, ClassVar, Literal, cast

from plugline.formats._json import Encode, decoder
from plugline.formats._wide import refuse_wide
from plugline.records import Broken, Position, Reader, Record, Writer

SUFFIXES = (".json",)

# Measured with elements of 280 bytes: from 32 to 256 KiB the same.
_CHUNK_BYTES = 64 * 1024

# The longest thing that a cut in the text can leave half of at its end, besides a string: "-Infinity" has 9
# characters, a pair of escapes 12.
_LONGEST_HALF = 16

_LONGEST_MARK = 4  # by which UTF-32 is known
_WHITE = " \t\n\r"
_MOST_BYTES = 4  # of a character in UTF-8
_SHOWN_BYTES = 1000  # of a record that is too long to be one
_MOST_NAMES = 20  # that a message tells
_MOST_FAULTY = 16 * 2**20  # characters in which the end of an element that is no JSON is looked for

_STRING_OR_BRACKET = r'"[^"\\]*(?:\\.[^"\\]*)*"|["\[{\]}]'  # compiled where it is used: few arrays are broken
_CLOSING = {"[": "]", "{": "}"}
_NOT_YET, _NEVER = -1, -2


@dataclass(kw_only=True, eq=False, repr=False)
class Json:
    """An array of objects, or objects one after the other, of which there may be one.

    Attributes:
        records: Reading, where the array is: the keys that lead to it, with ``/`` between them (``data/items``).
        nan: What becomes of NaN and the infinities, which JSON does not have: ``null``, or an error.
        integers: What becomes of whole numbers beyond 64 bits: they are read as floats and not written, or ``exact``.
    """

    records: str | None = None
    nan: Literal["null", "error"] = "null"
    integers: Literal["64-bit", "exact"] = "64-bit"

    decodes_singly: ClassVar[bool] = True

    def reader(self) -> Reader:
        """Return a reader that cuts at the ends of elements."""
        return _Reader(decoder(self.integers), self.records.split("/") if self.records is not None else [])

    def writer(self) -> Writer:
        """Return a writer of an array, one line an element."""
        return _Writer(Encode(self.nan, self.integers))


class _Batch:
    """Some elements, and the text that they were cut from."""

    __slots__ = ("_begin", "_starts", "_text", "raws")

    def __init__(self, raws: list[object], text: str, starts: list[int], begin: "_Begin") -> None:
        self.raws = raws
        self._text = text
        self._starts = starts
        self._begin = begin

    def position(self, index: int, /) -> Position:
        """Count the lines and bytes before the element."""
        here = self._begin.after(self._text[: self._starts[index]])
        return Position(line=here.line, offset=here.offset, row=self._begin.row + index)


@dataclass(frozen=True, slots=True)
class _Begin:
    """Where a piece of text begins in the input; ``column`` in characters from 1, ``row`` that of its first element."""

    line: int
    column: int
    offset: int
    row: int

    def after(self, text: str, rows: int = 0) -> "_Begin":
        """Return where the text that follows ``text`` begins."""
        lines = text.count("\n")
        return _Begin(
            line=self.line + lines,
            column=len(text) - text.rfind("\n") if lines else self.column + len(text),
            offset=self.offset + len(text.encode("utf-8", "surrogateescape")),
            row=self.row + rows,
        )


# strict=False: control characters in strings are orjson's to refuse, one element at a time. Numbers are not made,
# since int() refuses more than 4300 digits, which is not a fault in the array; bool takes any text at little cost.
_scan = JSONDecoder(parse_float=bool, parse_int=bool, parse_constant=bool, strict=False).raw_decode


class _Reader:
    """Cuts at the ends of elements; one input, one use.

    Attributes:
        max_record_bytes: An element that is longer is no record; ``None`` where it may be of any length.
    """

    def __init__(self, decode: Callable[[object], Record], keys: Sequence[str]) -> None:
        self._decode = decode
        self._keys = keys
        self.max_record_bytes: int | None = None

    def decode(self, raw: object) -> Record:
        if isinstance(raw, Broken):
            raise ValueError(raw.reason)  # noqa: TRY004 - it is the input that is wrong
        return self._decode(raw)

    def batches(self, stream: BinaryIO, /) -> Iterator[_Batch]:
        """Yield the elements of about 64 KiB at a time, or of what has arrived, where that is less.

        An element that is larger is held whole. A raw is text, or the bytes as they came in where they are not UTF-8.

        Raises:
            ValueError: What follows is not JSON; the message names line, column and offset.
        """
        text = _Text(stream)
        text.skip_white()
        opening = text.peek()
        if self._keys:
            yield from self._below(text, self._keys)
        elif opening == "[":
            text.take(1)
            yield from self._elements(text)
        elif opening == "{":
            yield from self._elements(text, mark="{")
        else:
            raise text.fault(
                "expected an array or an object" if opening else "expected an array or an object, found nothing"
            )
        text.skip_white()
        if text.peek():
            raise text.fault(f"expected the end, after the {'array' if opening == '[' else 'object'}")

    def _below(self, text: "_Text", keys: Sequence[str]) -> Iterator[_Batch]:
        """Yield what the array holds that the keys lead to, then leave ``text`` after all that holds it.

        Raises:
            ValueError: They lead to none.
        """
        if not keys:
            text.expect("[", "the array of records")
            yield from self._elements(text)
            return
        text.expect("{", f"an object with the key {keys[0]!r}")
        text.skip_white()
        names: list[str] = []
        there = begun = False
        while text.peek() != "}" or begun:
            begun = True
            if text.peek() != '"':
                raise text.fault("expected a key")
            name = loads(text.take_value(), strict=False)
            text.skip_white()
            text.expect(":", "':' after a key")
            text.skip_white()
            if name != keys[0]:
                text.take_value()
                names = [*names, name] if len(names) < _MOST_NAMES else names
            elif there:
                raise text.fault(f"expected the key {keys[0]!r} once")
            else:
                there = True
                yield from self._below(text, keys[1:])
            text.skip_white()
            if text.peek() == "}":
                break
            text.expect(",", "',' or '}' after a member")
            text.skip_white()
        text.take(1)
        if not there:
            raise ValueError(
                f"no key is {keys[0]!r}, as 'records' says: there are {', '.join(map(repr, names)) or 'none'}\n"
                "  hint: let 'records' name the keys that lead to the array, with / between them"
            )

    def _batch(self, raws: list[object], starts: list[int], text: "_Text") -> _Batch:
        raws = _without_surrogates(raws, text.window)
        limit = self.max_record_bytes
        if limit is not None and len(text.window) * _MOST_BYTES > limit:  # most windows are far below
            raws = [_too_long(raw, limit) for raw in raws]
        return _Batch(raws, text.window, starts, text.begin)

    def _elements(self, text: "_Text", mark: str = ",") -> Iterator[_Batch]:
        """Yield what stands before the closing bracket, then leave ``text`` after that.

        Args:
            mark: What follows an element that is not the last; ``{`` begins the next itself, and no bracket closes the last.
        """
        text.skip_white()
        if text.peek() == "]":
            text.take(1)
            return
        while True:
            raws, starts, used, fault, ended = _cut(text.window, mark, complete=text.ended)
            if raws:
                yield self._batch(raws, starts, text)
            text.take(used, rows=len(raws))
            if ended:
                return
            if fault:
                raise text.fault(fault)
            if raws:
                text.read(1)
            else:
                # An element that is longer than what is there: read as much again, so that the cost of
                # scanning it anew stays in proportion to its length.
                text.read(max(1, len(text.window)))


def _cut(window: str, between: str, *, complete: bool) -> tuple[list[object], list[int], int, str, bool]:
    """Cut whole elements with the comma or bracket behind each; see :meth:`_Reader._elements` for what is between them.

    Returns:
        The elements, where each starts, how much of the window they take, what is wrong with what follows (or
        nothing, when more text is to be awaited), and whether the array has ended. On a fault, the third is
        where the fault is.
    """
    raws: list[object] = []
    starts: list[int] = []
    at = 0
    length = len(window)
    limit = length if complete else length - _LONGEST_HALF
    last = "]" if between == "," else ""
    while True:
        start = _after_white(window, at)
        fault, place = "", start
        try:
            _, end = _scan(window, start)
        except (JSONDecodeError, RecursionError) as error:
            fault, place = _fault_of(error, start)
            end = _end_of_no_json(window, start, error, complete=complete)
            if end == _NOT_YET:
                return raws, starts, at, "", False
            if end == _NEVER:
                return raws, starts, place, fault, False
        after = _after_white(window, end)
        if after >= limit and not complete:
            return raws, starts, at, "", False
        mark = window[after : after + 1]
        if mark not in {between, last}:
            if not fault:
                raws, starts = [*raws, window[start:end]], [*starts, start]
                fault, place = (
                    "expected ',' or ']' after an element" if last else "expected the end, or another object",
                    after,
                )
            return raws, starts, place, fault, False
        raws.append(window[start:end])
        starts.append(start)
        at = after + len(last)
        if mark == last:
            return raws, starts, at, "", True


def _fault_of(error: JSONDecodeError | RecursionError, start: int) -> tuple[str, int]:
    if isinstance(error, JSONDecodeError):
        return error.msg[0].lower() + error.msg[1:], error.pos
    return "nested too deeply to be cut", start


def _end_of_no_json(window: str, start: int, error: JSONDecodeError | RecursionError, *, complete: bool) -> int:
    """Return where an element ends that cannot be scanned; as :func:`_end_of_brackets`."""
    if not complete and isinstance(error, JSONDecodeError):
        # Nearer to the end than this nothing can be trusted, unless the end is that of the input.
        near = error.pos >= len(window) - _LONGEST_HALF
        if near or error.msg.startswith("Unterminated string"):
            return _NOT_YET
    end = _end_of_brackets(window, start)
    if end == _NOT_YET and (complete or len(window) - start >= _MOST_FAULTY):
        return _NEVER
    return end


def _end_of_brackets(window: str, start: int) -> int:
    """Return where what is opened at ``start`` is closed, whatever stands between; less than zero where it is not.

    That is ``_NOT_YET`` where more text may close it, and ``_NEVER`` where nothing can.
    """
    if window[start : start + 1] not in _CLOSING:
        return _NEVER
    awaited: list[str] = []
    for found in re.compile(_STRING_OR_BRACKET, re.DOTALL).finditer(window, start):
        mark = found[0]
        if mark == '"':
            break
        if mark in _CLOSING:
            awaited.append(_CLOSING[mark])
        elif mark in "]}":
            if mark != awaited.pop():
                return _NEVER
            if not awaited:
                return found.end()
    return _NOT_YET


def _too_long(raw: object, limit: int) -> object:
    """Put the beginning of an element in its place where the whole is longer than records may be."""
    content = raw.encode() if isinstance(raw, str) else cast("bytes", raw)
    if len(content) <= limit:
        return raw
    reason = f"the record has {len(content):,} bytes, at most {limit:,} may be (max_record_bytes in [run])"
    shown = content[:_SHOWN_BYTES]
    return Broken(shown.decode(errors="ignore") if isinstance(raw, str) else shown, reason)


def _without_surrogates(raws: list[object], window: str) -> list[object]:
    """Put bytes in the place of text that stands for bytes which are not UTF-8."""
    if window.isascii():
        return raws
    try:
        window.encode()
    except UnicodeEncodeError:
        return [cast("str", raw).encode("utf-8", "surrogateescape") for raw in raws]
    return raws


def _after_white(text: str, at: int) -> int:
    # Compact JSON has none, pretty-printed JSON a few characters an element: cheaper than a regular expression.
    while text[at : at + 1] in _WHITE and at < len(text):
        at += 1
    return at


def _shown(character: str) -> str:
    # A byte that is not UTF-8 is carried as half of a surrogate pair.
    return (
        f"byte 0x{ord(character) - 0xDC00:02x}, which is not UTF-8"
        if "\udc80" <= character <= "\udcff"
        else repr(character)
    )


class _Text:
    """A stream of bytes as a window of text, which knows where in the input it begins."""

    def __init__(self, stream: BinaryIO) -> None:
        self._read = cast("Callable[[int], bytes]", getattr(stream, "read1", stream.read))
        # A wrong byte must not cost the whole input: it is carried as a lone surrogate until its element is cut.
        self._decoder = getincrementaldecoder("utf-8")("surrogateescape")
        self.window = ""
        self.ended = False
        self.begin = _Begin(1, 1, 0, 1)
        self.read(_LONGEST_MARK)
        refuse_wide(self.window[:_LONGEST_MARK].encode("utf-8", "surrogateescape"))
        if self.window.startswith("\ufeff"):
            self.window = self.window[1:]
            self.begin = _Begin(1, 1, 3, 1)

    def read(self, wanted: int) -> None:
        """Append at least ``wanted`` characters, or all that is left."""
        pieces: list[str] = []
        while wanted > 0 and not self.ended:
            data = self._read(_CHUNK_BYTES)
            self.ended = not data
            pieces.append(self._decoder.decode(data, not data))
            wanted -= len(pieces[-1])
        self.window += "".join(pieces)

    def take(self, used: int, rows: int = 0) -> None:
        """Move on by ``used`` characters, in which ``rows`` elements ended."""
        self.begin = self.begin.after(self.window[:used], rows)
        self.window = self.window[used:]

    def peek(self) -> str:
        """Return the next character, or nothing at the end."""
        if not self.window:
            self.read(1)
        return self.window[:1]

    def skip_white(self) -> None:
        while self.peek() and self.window[0] in _WHITE:
            self.take(_after_white(self.window, 0))

    def find_end(self) -> int:
        """Return where the value at the beginning of the window ends, having read as much as it takes."""
        while True:
            try:
                return _scan(self.window, 0)[1]
            except (JSONDecodeError, RecursionError) as error:
                end = _end_of_no_json(self.window, 0, error, complete=self.ended)
                if end > 0 and isinstance(error, RecursionError):
                    return end
                if end != _NOT_YET:
                    fault, place = _fault_of(error, 0)
                    self.take(place)
                    raise self.fault(fault) from None
            self.read(len(self.window))

    def take_value(self) -> str:
        """Move on behind the value at the beginning of the window, and return it."""
        while (end := self.find_end()) + _LONGEST_HALF > len(self.window) and not self.ended:
            self.read(_LONGEST_HALF)
        value = self.window[:end]
        self.take(end)
        return value

    def expect(self, character: str, what: str) -> None:
        """Move on behind a character.

        Raises:
            ValueError: Another stands there.
        """
        if self.peek() != character:
            raise self.fault(f"expected {what}")
        self.take(1)

    def fault(self, what: str) -> ValueError:
        """Return the error for the place where the window begins."""
        begin = self.begin
        found = f", found {_shown(self.window[0])}" if self.window else ""
        return ValueError(f"no JSON at line {begin.line}, column {begin.column}, offset {begin.offset}: {what}{found}")


class _Writer:
    """An array, one line an element."""

    separator = b",\n"
    columns: tuple[str, ...] | None = None
    fixes_columns = False

    def __init__(self, encode: Encode) -> None:
        self.encode = encode

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        """Begin a part; the bracket follows with the first record, so that an output without any is ``[]``."""
        del columns
        self._stream = stream
        self._first = first
        self._empty = True

    def write(self, encoded: list[object], /) -> None:
        if encoded:
            before = self.separator if not self._empty else b"[\n" if self._first else b""
            self._empty = False
            self._stream.write(before + self.separator.join(cast("list[bytes]", encoded)))

    def close(self, *, last: bool) -> None:
        """End the part.

        Parts without records between others leave no trace, and one part alone without records is ``[]``;
        when there are many parts and none holds a record, the array is empty over three lines.
        """
        if self._empty and self._first:
            self._stream.write(b"[]\n" if last else b"[\n")
        elif last:
            self._stream.write(b"\n]\n")
