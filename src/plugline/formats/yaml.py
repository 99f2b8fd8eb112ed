r"""YAML: documents, or lists, of mappings.

A text is cut into records before it is parsed: at the lines ``---`` and ``...``, which stand in nothing else in YAML, and
where a document is a list over several lines, at the ``-`` of its items. So a record that is broken costs itself.

Types are those of YAML 1.2 (its core schema), whatever a ``%YAML`` line says: ``no``, ``on``, ``12:30:00``, ``1_000`` and
``=`` are text, and so is a date unless it has the tag ``!!timestamp``. Digits after a zero (``0123``) are text as well, since
YAML 1.1 reads other numbers in them than YAML 1.2 does.
What is written has quotes or tags wherever YAML 1.1 and 1.2 would read different things.

https://yaml.org/spec/1.2.2/ is what the words here are taken from.
"""

import re
from base64 import b64decode, b64encode
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from importlib.util import find_spec
from math import isfinite, isinf, isnan
from typing import Any, BinaryIO, ClassVar, Self, TypeAlias, cast

import orjson

from plugline.formats._rows import Refused, copied, refused, shown
from plugline.records import Position, Reader, Record, Writer

SUFFIXES = (".yaml", ".yml")

_CHUNK_BYTES = 64 * 1024  # a record of YAML takes so long to parse that larger ones save nothing
_DEEPEST = 200  # what JSON is written of may be nested 254 deep
_MOST_REPEATED = 100_000  # values that the aliases of a record stand for, all in all
_MOST_KEPT = 1_000_000  # values with anchors in a list, which later records may want to have


def available() -> bool | str:
    """Say what is missing where PyYAML is not installed."""
    if find_spec("yaml") is None:
        return "it needs the package 'pyyaml': pip install 'plugline[yaml]'"
    return True


@dataclass(kw_only=True, eq=False, repr=False)
class Yaml:
    """YAML.

    Attributes:
        documents: Writing, whether each record is a document of its own; otherwise the output is one list. Both are read.
        timestamps: Whether a date or a moment stands without a tag; reading, text without quotes that looks like one is one.
    """

    documents: bool = False
    timestamps: bool = False

    decodes_singly: ClassVar[bool] = True

    def reader(self) -> Reader:
        """Return a reader that cuts documents and the items of lists."""
        return _Reader(timestamps=self.timestamps)

    def writer(self) -> Writer:
        """Return a writer of a list, or of documents."""
        return _Writer(documents=self.documents, timestamps=self.timestamps)


# ----------------------------------------------------------------------------- cutting

_Found: TypeAlias = tuple[int, bytes]  # where a record begins, and its text

# All of these are asked at the beginning of a line.
_END_OF_LINE = rb"[ \t]*\r?(?:\n|\Z)"
_WORD_ENDS = rb"(?=[ \t\r\n]|\Z)"
_MARK = re.compile(rb"^(?:---|\.\.\.)" + _WORD_ENDS, re.MULTILINE)
_BLANK = re.compile(rb"(?:[ \t\r]*(?:#[^\n]*)?(?:\n|\Z))*")
_NO_RECORD = re.compile(rb"\.\.\.[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)|%YAML[^\n]*(?:\n|\Z)")
# A list may have an anchor, and the tag that says that it is one; neither changes anything.
_BARE_MARK = re.compile(rb"---((?:[ \t]+(?:&[^\s,\[\]{}]+|!!seq))*)(?:[ \t]+#[^\n]*)?" + _END_OF_LINE)
_ITEM = re.compile(rb"( *)-" + _WORD_ENDS)
_FLOW_LIST = re.compile(rb"(?:---(?=[ \t]))?[ \t]*\[")
_ANCHOR = re.compile(rb"(?:^|[\s,\[{:-])&[^\s,\[\]{}]")
_ALIAS = re.compile(rb"(?:^|[\s,\[{:-])\*([^\s,\[\]{}]+)")


class _Referring(bytes):
    """A record with aliases of anchors that stand in records before it.

    Attributes:
        anchors: The values of these.
    """

    anchors: Mapping[str, object]

    def __new__(cls, raw: bytes, anchors: Mapping[str, object]) -> Self:
        made = super().__new__(cls, raw)
        made.anchors = anchors
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return _Referring, (bytes(self), self.anchors)


class _Batch:
    """Some records, and the text that they were cut from."""

    __slots__ = ("_line", "_offset", "_row", "_starts", "_text", "raws")

    def __init__(
        self, raws: list[object], starts: list[int], text: bytes, *, line: int, offset: int | None, row: int
    ) -> None:
        self.raws = raws
        self._starts = starts
        self._text = text
        self._line = line
        self._offset = offset
        self._row = row

    def position(self, index: int, /) -> Position:
        """Count the lines before the record."""
        start = self._starts[index]
        line = self._line + self._text.count(b"\n", 0, start)
        offset = None if self._offset is None else self._offset + start
        return Position(line=line, offset=offset, row=self._row + index)


class _Reader:
    """Cuts documents and items of lists; one input, one use."""

    def __init__(self, *, timestamps: bool) -> None:
        self._values = _Values(timestamps=timestamps)
        self._column: int | None = None  # of the items of the list that is being read
        self._anchors: dict[str, object] = {}
        self._kept = 0

    def batches(self, stream: BinaryIO, /) -> Iterator[_Batch]:
        """Yield the records of about 64 KiB at a time, or of what has arrived, where that is less.

        A record that is larger is held whole, and so is a list in brackets.

        Raises:
            ValueError: It is text in UTF-16 or UTF-32 that is broken.
        """
        text = _Text(stream)
        line, offset, row = 1, text.mark_bytes, 1
        wanted = 1
        while text.read(wanted):
            window = text.window
            raws, starts, used = self._cut(window, final=text.ended)
            if raws:
                place = offset if text.is_utf8 else None
                yield _Batch(raws, starts, window, line=line, offset=place, row=row)
            line += window.count(b"\n", 0, used)
            offset += used
            row += len(raws)
            text.window = window[used:]
            # Twice as much for a long record, so that the cost of looking through it again stays in proportion.
            wanted = 1 if used else len(window)

    def _cut(self, window: bytes, *, final: bool) -> tuple[list[object], list[int], int]:
        """Return the whole records of a text that begins a line, where each begins, and how much of it they take."""
        end = len(window) if final else window.rfind(b"\n") + 1
        raws: list[object] = []
        starts: list[int] = []
        at = 0
        while at < end:
            column, begin = self._column, at
            cut = self._document if column is None else self._items
            found, at = cut(window, begin, end, final=final)
            for start, raw in found:
                starts.append(start)
                raws.append(self._with_anchors(raw))
            if at == begin and column == self._column:
                break  # more has to be there
        return raws, starts, at

    def _document(self, window: bytes, at: int, end: int, *, final: bool) -> tuple[list[_Found], int]:
        """Cut a document, up to its end; of a list only what stands before the first item."""
        begin = _end_of(_BLANK, window, at, end)
        skipped = _end_of(_NO_RECORD, window, begin, end)
        if skipped > begin or begin == end:
            return [], skipped
        mark = _BARE_MARK.match(window, begin, end)
        content = begin if mark is None else _end_of(_BLANK, window, mark.end(), end)
        if content == end:
            return [], end if final else at
        self._anchors, self._kept = {}, 0
        item = _ITEM.match(window, content, end)
        if item is not None:
            self._column = len(item[1])
            return [], content
        if mark is not None and _MARK.match(window, content, end):
            return [], content  # a document with nothing in it
        if mark is not None and mark[1]:
            content = begin  # what is not of a list is of the value
        after = content + 1
        if window[content : content + 1] == b"%":
            own = _MARK.search(window, after, end)  # the mark that stands behind directives
            after = end if own is None else own.end()
        following = _MARK.search(window, after, end)
        if following is None and not final:
            return [], at
        stop = end if following is None else following.start()
        return [(content + start, raw) for start, raw in _flow_items(window[content:stop])], stop

    def _items(self, window: bytes, at: int, end: int, *, final: bool) -> tuple[list[_Found], int]:
        """Cut items of a list, up to its end, or to the last that is whole; the text begins with one."""
        boundary = re.compile(rb"^(?: {%d}-|(---|\.\.\.))%b" % (cast("int", self._column), _WORD_ENDS), re.MULTILINE)
        found: list[_Found] = []
        for following in boundary.finditer(window, at + 1, end):
            found.append((at, window[at : following.start()]))
            at = following.start()
            if following[1]:
                self._column = None
                return found, at
        if final:
            self._column = None
            return [*found, (at, window[at:end])], end
        return found, at

    def _with_anchors(self, raw: bytes) -> bytes:
        """Return a raw with the values of the anchors that it may refer to, having noted its own."""
        if self._anchors and b"*" in raw:
            names = {name.decode("utf-8", "replace") for name in _ALIAS.findall(raw)}
            wanted = {name: self._anchors[name] for name in names if name in self._anchors}
            raw = _Referring(raw, wanted) if wanted else raw
        if b"&" in raw and self._kept < _MOST_KEPT and _ANCHOR.search(raw):
            # What is wrong with it is told when it is decoded.
            with suppress(ValueError):
                self._values.only(raw)
            self._anchors.update(self._values.anchors)
            self._kept += sum(map(_size, self._values.anchors.values()))
        return raw

    def decode(self, raw: object, /) -> Record:
        """Return the mapping that a document or an item is.

        Raises:
            ValueError: It is no YAML, or has something that is not taken; the message says on which line of it.
        """
        return cast("Record", self._values.only(cast("bytes", raw)))


def _end_of(pattern: re.Pattern[bytes], window: bytes, at: int, end: int) -> int:
    found = pattern.match(window, at, end)
    return at if found is None else found.end()


def _flow_items(document: bytes) -> list[_Found]:
    """Cut the items of a list in brackets; what is none stays one piece, and so does one that is broken."""
    import yaml  # when the format is named, as all imports of it

    if not _FLOW_LIST.match(document):
        return [(0, document)]
    found: list[_Found] = []
    try:
        text = document.decode()
        next_event = _loader(text).get_event
        next_event()  # the beginning of the stream
        next_event()  # of the document
        event = next_event()
        if event.tag is not None or event.anchor is not None:
            return [(0, document)]
        depth, begin, done, done_bytes = 0, 0, 0, 0
        while depth >= 0:
            event = next_event()
            if depth == 0:
                begin = event.start_mark.index
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth == 0:
                done_bytes += len(text[done:begin].encode())
                done = begin
                found.append((done_bytes, text[begin : event.end_mark.index].encode()))
        next_event()  # the end of the document
        event = next_event()
    except (yaml.YAMLError, UnicodeDecodeError):
        return [(0, document)]
    return found if isinstance(event, yaml.StreamEndEvent) else [(0, document)]


# The encodings that YAML may have, by what they begin with; the first characters are ASCII where there is no mark.
_BEGINNINGS = (
    (re.compile(rb"\xff\xfe\0\0|[^\0]\0\0\0", re.DOTALL), "utf-32-le"),
    (re.compile(rb"\0\0\xfe\xff|\0\0\0", re.DOTALL), "utf-32-be"),
    (re.compile(rb"\xff\xfe|[^\0]\0", re.DOTALL), "utf-16-le"),
    (re.compile(rb"\xfe\xff|\0", re.DOTALL), "utf-16-be"),
)
_ALONE = re.compile(rb"\r(?!\n)")


class _Text:
    """A stream as a window of UTF-8 whose lines end with a line feed, or with a carriage return before one.

    Attributes:
        window: What has been read and not been taken; whoever takes something of it sets the rest.
        ended: Whether there is no more.
        is_utf8: Whether its bytes are those of the stream.
        mark_bytes: How long the byte order mark is.
    """

    def __init__(self, stream: BinaryIO) -> None:
        # read1 hands on what a pipe has; read would wait until a whole chunk is there.
        self._read = cast("Callable[[int], bytes]", getattr(stream, "read1", stream.read))
        self.ended = False
        self.window = b""
        begin = b""
        while len(begin) < 4 and not self.ended:
            piece = self._read(_CHUNK_BYTES)
            self.ended = not piece
            begin += piece
        encoding = next((name for pattern, name in _BEGINNINGS if pattern.match(begin)), "utf-8")
        self.is_utf8 = encoding == "utf-8"
        self._decoder = None if self.is_utf8 else getincrementaldecoder(encoding)()
        begin = self._converted(begin)
        self.mark_bytes = len(BOM_UTF8) if begin.startswith(BOM_UTF8) else 0
        self._half = b""
        self._add(begin[self.mark_bytes :])

    def read(self, wanted: int) -> bool:
        """Append at least ``wanted`` bytes, or all that is left. Returns whether there is anything."""
        pieces = [self.window]
        self.window = b""
        while wanted > 0 and not self.ended:
            piece = self._read(_CHUNK_BYTES)
            self.ended = not piece
            self._add(self._converted(piece))
            wanted -= len(self.window)
            pieces.append(self.window)
            self.window = b""
        self.window = b"".join(pieces)
        return bool(self.window)

    def _converted(self, piece: bytes) -> bytes:
        return piece if self._decoder is None else self._decoder.decode(piece, self.ended).encode()

    def _add(self, piece: bytes) -> None:
        piece = self._half + piece
        self._half = b"\r" if piece.endswith(b"\r") and not self.ended else b""
        piece = piece.removesuffix(self._half) if self._half else piece
        self.window += _ALONE.sub(b"\n", piece) if b"\r" in piece else piece


# ----------------------------------------------------------------------------- values

_TAG = "tag:yaml.org,2002:"
_WORDS: Mapping[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: float(f"{sign}inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_FIRST = frozenset("0123456789+-.~nNtTfF")  # of what may be something else than text
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
# Not digits alone, which are an integer or begin with a zero.
_FLOAT = re.compile(r"(?![-+]?[0-9]+\Z)[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?"
    r"(?:[ \t]*(Z|([-+])([0-9]{1,2})(?::?([0-9]{2}))?))?"
)
# What YAML 1.1, and with it libyaml, takes for line breaks, and YAML 1.2 does not.
_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")


class _Values:
    """Makes values of YAML; for one text after the other.

    Attributes:
        anchors: The values of the anchors that were in the last one, as far as it could be read.
    """

    def __init__(self, *, timestamps: bool) -> None:
        import yaml

        self._yaml = yaml
        self._scalar_event, self._end_event = yaml.ScalarEvent, yaml.CollectionEndEvent
        self._timestamps = timestamps
        self.anchors: dict[str, object] = {}

    def only(self, raw: bytes) -> object:
        """Return the only document of a text, or its only item where it is one of a list.

        Raises:
            ValueError: There is none, or more than one, or something in it that is not taken.
        """
        self.anchors = dict(getattr(raw, "anchors", ()))
        self._left = _MOST_REPEATED
        text = raw.decode()
        strange = None if text.isascii() else _OTHER_BREAKS.search(text)
        if strange is not None:
            raise ValueError(
                f"U+{ord(strange[0]):04X} ends a line in YAML 1.1 and does not in 1.2: expected it escaped, between double quotes"
            )
        try:
            value = self._document(text)
        except self._yaml.YAMLError as error:
            raise ValueError(_fault_of(error)) from None
        if _ITEM.match(raw):
            if not isinstance(value, list) or len(value) != 1:
                raise ValueError("expected one item of a list")
            return value[0]
        return value

    def _document(self, text: str) -> object:
        self._next = _loader(text).get_event
        self._next()
        if isinstance(self._next(), self._yaml.StreamEndEvent):
            raise ValueError("there is no value")  # noqa: TRY004 - a faulty record
        value = self._value(self._next(), 0)
        self._next()
        event = self._next()
        if not isinstance(event, self._yaml.StreamEndEvent):
            raise _fault(event, "expected the end, after the document")
        return value

    def _value(self, event: Any, depth: int) -> object:
        if event.__class__ is self._scalar_event:
            value = self._scalar(event)
        elif depth > _DEEPEST:
            raise _fault(event, f"expected nothing that is nested more than {_DEEPEST} deep")
        elif isinstance(event, self._yaml.MappingStartEvent):
            value = self._mapping(event, depth)
        elif isinstance(event, self._yaml.SequenceStartEvent):
            value = self._sequence(event, depth)
        else:
            return self._aliased(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def _sequence(self, event: Any, depth: int) -> list[object]:
        _check_tag(event, "seq")
        made: list[object] = []
        while not isinstance(inner := self._next(), self._end_event):
            made.append(self._value(inner, depth + 1))
        return made

    def _mapping(self, event: Any, depth: int) -> dict[str, object]:
        _check_tag(event, "map")
        made: dict[str, object] = {}
        merged: dict[str, object] | None = None
        while not isinstance(inner := self._next(), self._end_event):
            if inner.__class__ is not self._scalar_event:
                raise _fault(inner, "a key that is no text: expected text")
            _check_tag(inner, "str")
            # The text as it stands, whatever a value like it would be.
            key = inner.value
            if inner.anchor is not None:
                self.anchors[inner.anchor] = key
            value = self._value(self._next(), depth + 1)
            if key == "<<" and inner.implicit[0] and inner.tag is None:
                if merged is not None:
                    raise _fault(inner, "key '<<' stands here twice")
                merged = _merged(inner, value)
            elif key in made:
                raise _fault(inner, f"key {key!r} stands here twice")
            else:
                made[key] = value
        return made if merged is None else {**merged, **made}

    def _aliased(self, event: Any) -> object:
        if event.anchor not in self.anchors:
            raise _fault(event, f"alias {event.anchor!r}: no anchor of this name stands before it")
        value = self.anchors[event.anchor]
        self._left -= _size(value)
        if self._left < 0:
            raise _fault(event, f"aliases stand for more than {_MOST_REPEATED:,} values")
        return copied(value)

    def _scalar(self, event: Any) -> object:
        text: str = event.value
        if event.tag is None:
            if not event.implicit[0] or (text and text[0] not in _FIRST):
                return text
            try:
                return self._plain(text)
            except ValueError as error:
                raise _fault(event, f"{shown(text)}: {error}") from None
        if event.tag == "!":
            return text
        make = _TAGGED.get(event.tag.removeprefix(_TAG))
        if make is None or not event.tag.startswith(_TAG):
            raise _fault(event, _tag_message(event.tag))
        try:
            return make(text)
        except ValueError as error:
            raise _fault(event, f"{shown(text)} with the tag !!{event.tag.removeprefix(_TAG)}: {error}") from None

    def _plain(self, text: str) -> object:
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return _integer_of(text)
        if _FLOAT.fullmatch(text):
            return _float_of(text)
        if self._timestamps and (_DATE.fullmatch(text) or _MOMENT.fullmatch(text)):
            return _timestamp_of(text)
        return text


def _loader(text: str) -> Any:
    import yaml

    # The loaders with the fewest types: of them only the events are asked for. Wheels have libyaml, which is fifteen times as quick.
    return getattr(yaml, "CBaseLoader", yaml.BaseLoader)(text)


def _fault(event: Any, what: str) -> ValueError:
    return ValueError(f"line {event.start_mark.line + 1} of the record: {what}")


def _fault_of(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"no YAML: {' '.join(str(error).split())}"
    context = f", {error.context}" if error.context else ""
    return f"no YAML at line {mark.line + 1} of the record, column {mark.column + 1}: {error.problem}{context}"


def _check_tag(event: Any, name: str) -> None:
    if event.tag not in {None, "!", _TAG + name}:
        raise _fault(event, _tag_message(event.tag))


def _tag_message(tag: str) -> str:
    shown = tag.replace(_TAG, "!!") if tag.startswith(_TAG) else tag
    return f"tag {shown!r}: expected none, or one of {', '.join('!!' + name for name in (*_TAGGED, 'map', 'seq'))} where it fits"


def _merged(event: Any, value: object) -> dict[str, object]:
    """Return what ``<<`` adds to a mapping: of several the first that has a key."""
    made: dict[str, object] = {}
    for one in reversed(value if isinstance(value, list) else [value]):
        if not isinstance(one, dict):
            raise _fault(event, "'<<' holds something else: expected a mapping, or a list of mappings")
        made |= one
    return made


def _size(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _float_of(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise ValueError("expected what a float of 64 bits holds")
    return value


def _timestamp_of(text: str) -> date:
    if _DATE.fullmatch(text):
        return date.fromisoformat(text)
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("expected a date or a moment")
    fraction = found[7] or ""
    if fraction[6:].strip("0"):
        raise ValueError("expected at most six digits of a second")
    zone = None
    if found[8]:
        minutes = int(found[10] or 0) * 60 + int(found[11] or 0)
        zone = timezone(timedelta(minutes=-minutes if found[9] == "-" else minutes))
    return datetime(*(int(found[at]) for at in range(1, 7)), int(fraction[:6].ljust(6, "0")), tzinfo=zone)  # type: ignore[misc,arg-type]


def _integer_of(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("expected a whole number, as YAML 1.2 writes it")
    return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)


def _number_of(text: str) -> float:
    word = _WORDS.get(text)
    if isinstance(word, float):
        return word
    if not _FLOAT.fullmatch(text):
        return float(_integer_of(text))
    return _float_of(text)


def _truth_of(text: str) -> bool:
    word = _WORDS.get(text)
    if not isinstance(word, bool):
        raise ValueError("expected true or false")  # noqa: TRY004 - a faulty record
    return word


def _nothing_of(text: str) -> None:
    if _WORDS.get(text, text) is not None:
        raise ValueError("expected null, or nothing")


def _bytes_of(text: str) -> bytes:
    return b64decode("".join(text.split()), validate=True)


_TAGGED: Mapping[str, Callable[[str], object]] = {
    "str": str,
    "int": _integer_of,
    "float": _number_of,
    "bool": _truth_of,
    "null": _nothing_of,
    "timestamp": _timestamp_of,
    "binary": _bytes_of,
}


# ----------------------------------------------------------------------------- writing


class _Writer:
    """A list, an item a record, or a document a record."""

    separator = b""
    columns: tuple[str, ...] | None = None
    fixes_columns = False

    def __init__(self, *, documents: bool, timestamps: bool) -> None:
        self._mark = "---" if documents else "-"
        self._documents = documents
        self._block = _Blocks(timestamps=timestamps)

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        del columns
        self._stream = stream
        self._empty = first

    def encode(self, record: Record, /) -> bytes:
        """Return the lines of a record.

        Raises:
            ValueError: It has a value that YAML cannot hold; the message says in which field.
        """
        try:
            text = self._block.value(record, "") if self._documents else self._block.item(record, "  ")
        except Refused as error:
            raise ValueError(str(error)) from None
        return f"{self._mark}{text}\n".encode()

    def write(self, encoded: list[object], /) -> None:
        if encoded:
            self._empty = False
            self._stream.write(b"".join(cast("list[bytes]", encoded)))

    def close(self, *, last: bool) -> None:
        """End the part; a whole output without records is an empty list, or no document."""
        if last and self._empty and not self._documents:
            self._stream.write(b"[]\n")


# Text that is the same without quotes in every version of YAML, if it is none of the words.
_BARE = re.compile(r"[^\W\d](?:[\w ,./@+-]*[\w.+])?")
_SPOKEN_FOR = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
# What double quotes need an escape for, besides what JSON does.
_TO_ESCAPE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_NOT_IN_LINES = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_AWKWARD_LINES = re.compile(r"\A[ \t\n]|[ \t](?:\n|\Z)|\n\t|\n\n\Z")
_LONG_KEY = 1000  # characters; libyaml takes what is longer for a key only where a '?' stands before it


class _Blocks:
    """Makes the text of values, one line for each that is no list, mapping or text over lines."""

    def __init__(self, *, timestamps: bool) -> None:
        self._timestamp = "" if timestamps else "!!timestamp "
        self._key = lru_cache(maxsize=1024)(_key)

    def value(self, value: object, pad: str) -> str:
        """Return what stands behind a key and its colon; ``pad`` is what stands before lines that follow."""
        if isinstance(value, dict):
            return self._mapping(value, pad) if value else " {}"
        if isinstance(value, (list, tuple)):
            return self._sequence(value, pad) if value else " []"
        if isinstance(value, str) and "\n" in value and _fits_lines(value):
            lines = value.removesuffix("\n").split("\n")
            mark = "|" if value.endswith("\n") else "|-"
            return f" {mark}" + "".join(f"\n{pad}{line}" if line else "\n" for line in lines)
        return f" {self._scalar(value)}"

    def item(self, value: object, pad: str) -> str:
        """Return what stands behind the dash of an item: what is in lines begins beside it."""
        text = self.value(value, pad)
        return f" {text[len(pad) + 1 :]}" if isinstance(value, (dict, list, tuple)) and text[0] == "\n" else text

    def _mapping(self, value: dict[object, object], pad: str) -> str:
        pieces: list[str] = []
        key: object = None
        try:
            for key, inner in value.items():
                text = self._key(key)
                if len(text) > _LONG_KEY:
                    text = f"? {text[:-1]}\n{pad}:"
                pieces += ("\n", pad, text, self.value(inner, _deeper(pad)))
        except Refused as error:
            error.where.append(key)
            raise
        return "".join(pieces)

    def _sequence(self, value: Sequence[object], pad: str) -> str:
        pieces: list[str] = []
        try:
            for inner in value:
                pieces += ("\n", pad, "-", self.item(inner, _deeper(pad)))
        except Refused as error:
            error.where.append(len(pieces) // 4)
            raise
        return "".join(pieces)

    def _scalar(self, value: object) -> str:
        match value:
            case None:
                return "null"
            case bool():
                return "true" if value else "false"
            case str():
                return _text(value)
            case int():
                return int.__repr__(value)
            case float():
                return _number(value)
            case bytes():
                return f"!!binary {_quoted(b64encode(value).decode())}"
            case datetime():
                offset = value.utcoffset()
                if offset is not None and offset.total_seconds() % 60:
                    raise refused(value, "an offset of whole minutes")
                return self._timestamp + value.isoformat()
            case date():
                return self._timestamp + value.isoformat()
        expected = "text, a number, a truth value, a date, a moment, bytes, None, a list or a mapping"
        raise refused(value, f"{expected}; cast it before")


def _deeper(pad: str) -> str:
    if len(pad) >= 2 * _DEEPEST:
        raise Refused(f"something that is nested more than {_DEEPEST} deep")
    return pad + "  "


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise refused(key, "text for a key")
    return f"{_text(key)}:"


def _number(value: float) -> str:
    if isnan(value):
        return ".nan"
    if not isfinite(value):
        return ".inf" if value > 0 else "-.inf"
    text = float.__repr__(value)
    # YAML 1.1 takes 1e+16 for text.
    return text if "." in text or "e" not in text else text.replace("e", ".0e")


def _text(text: str) -> str:
    if _BARE.fullmatch(text) and text.lower() not in _SPOKEN_FOR:
        return str.__str__(text)
    return _quoted(text)


def _quoted(text: str) -> str:
    """Return text between double quotes, which in YAML stand for what they stand for in JSON."""
    try:
        made = orjson.dumps(str.__str__(text)).decode()
    except TypeError:
        raise refused(text, "text without half of a surrogate pair") from None
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found[0]):04x}", made)


def _fits_lines(text: str) -> bool:
    return not _NOT_IN_LINES.search(text) and not _AWKWARD_LINES.search(text)
