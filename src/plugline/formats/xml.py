r"""XML: elements that are records, with types by declaration.

Fields of a record are the attributes of its element (``@id``), its children, and its own text where it has any besides
(``#text``). A child is text, or a table where it has attributes or children itself; children of the same name are a list.
All text is text unless ``types`` declares what it is. A record that cannot be told in this way, one with text between
elements, say, costs itself, and so does one that is not well-formed, up to its end tag. Where there is none, or what is not
well-formed is outside of records, the document is read up to there: nobody can tell where the next record begins.

No entity is ever made, no file or address is ever opened: what defusedxml refuses is refused here
(https://github.com/tiran/defusedxml#defusedxml-packages-and-modules).

https://www.w3.org/TR/xml/ is what the words here are taken from.
"""

import re
from base64 import b64decode, b64encode
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from math import isfinite, isnan
from typing import Any, BinaryIO, ClassVar, Literal, cast
from xml.parsers import expat

from plugline.formats._rows import Refused, refused, shown
from plugline.records import Broken, Position, Reader, Record, Writer
from plugline.records.moments import CONVERTERS, EXPECTED, time_of

SUFFIXES = (".xml",)

_CHUNK_BYTES = 64 * 1024
_MOST_LOST_BYTES = 16 * 1024 * 1024  # in which the end of a record that is not well-formed is looked for
_TAG_END = re.compile(rb"/?>")
_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?<(?:\?xml|[^\s<>/!?])")  # a document
_TAG_NAME = re.compile(rb"<([^\s<>/!?]+)")
_DEEPEST = 200  # what JSON is written of may be nested 254 deep
_MOST_NAMES = 20  # that a message tells
_NILS = ("http://www.w3.org/2001/XMLSchema-instance\nnil", "xsi:nil")  # with a namespace, or as it stands
_OF_UTF_16 = (b"\xff", b"\xfe")
_WHOLE_TAG = re.compile(rb"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_WHITE = " \t\r\n"
_BETWEEN = "\n"  # a namespace and the name in it, as expat is asked to tell them


@dataclass(kw_only=True, eq=False, repr=False)
class Xml:
    """XML.

    Attributes:
        record: Which elements are records: those of a name, wherever they stand, or of a path from the root (``shop/orders/order``,
            where ``*`` is any name). Reading, each child of the root where it is left out; writing, the name or the last of the
            path, else ``record``.
        root: Writing, the name of the root.
        attribute_prefix: What the names of fields begin with that are attributes.
        text_key: The field for the text of an element that has attributes, and of a record that is nothing but text.
        types: What the text of fields is, by name, or by path in a record (``items/item/@count``).
        lists: Which fields are lists however often their element stands there, by name or path as for ``types``.
        none: How no value is written: as an element that says so (``xsi:nil``), or not at all.
        mixed: What becomes of an element with text between others: an error of its record, or its content as it stands.
        names: How names with a namespace are told: with a prefix, alone, or in full (``{http://...}name``).
        namespaces: Prefixes of namespaces; reading, in the place of those of the document; writing, declared in the root.
        escape_names: Whether names that XML cannot have are escaped (``net_x0020_price``); otherwise they are an error.
    """

    record: str | None = None
    root: str = "records"
    attribute_prefix: str = "@"
    text_key: str = "#text"
    types: dict[str, Literal["str", "int", "float", "bool", "decimal", "date", "datetime", "time", "bytes"]] = field(
        default_factory=dict
    )
    lists: list[str] = field(default_factory=list)
    none: Literal["nil", "absent"] = "nil"
    mixed: Literal["error", "markup"] = "error"
    names: Literal["prefixed", "local", "full"] = "prefixed"
    namespaces: dict[str, str] = field(default_factory=dict)
    escape_names: bool = False

    decodes_singly: ClassVar[bool] = True

    def __post_init__(self) -> None:
        steps = [] if self.record is None else _steps_of(self.record)
        if self.record is not None and not (
            steps and all(step == "*" or _is_name(step.rpartition("}")[2]) for step in steps)
        ):
            raise ValueError(f"record {self.record!r}: expected {_A_NAME}; or a path of such names")
        if not _is_name(self.root.rpartition("}")[2]):
            raise ValueError(f"root {self.root!r}: expected {_A_NAME}")
        if not self.text_key:
            raise ValueError("text_key '': expected a name")
        for prefix in self.namespaces:
            if prefix and (not _is_name(prefix) or ":" in prefix or prefix.lower().startswith("xml")):
                raise ValueError(f"namespaces: {prefix!r} is no prefix, expected {_A_NAME}")

    def reader(self) -> Reader:
        """Return a reader of the whole document."""
        return _Reader(self)

    def writer(self) -> Writer:
        """Return a writer of one line a record."""
        return _Writer(self)


# ----------------------------------------------------------------------------- names and types

_FIRST_OF_NAME = (
    "A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_IN_NAME = f"{_FIRST_OF_NAME}\\-.0-9\xb7\u0300-\u036f\u203f-\u2040"
_NAME = re.compile(f"[{_FIRST_OF_NAME}][{_IN_NAME}]*(?::[{_FIRST_OF_NAME}][{_IN_NAME}]*)?")
_A_NAME = "a name that XML can have: letters, digits, '_', '-' and '.', and no digit, '-' or '.' first"
_TO_ESCAPE = re.compile(f"[^{_IN_NAME}]|\\A[^{_FIRST_OF_NAME}]|_(?=x[0-9A-Fa-f]{{4,8}}_)")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4,8})_")


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and (text.isascii() or _is_read(text))


def _is_read(name: str) -> bool:
    """Whether expat takes a name: it keeps to the fourth edition of XML, which has fewer letters than the fifth."""
    try:
        expat.ParserCreate("utf-8").Parse(f"<{name}/>".encode(), True)
    except (expat.ExpatError, UnicodeEncodeError):
        return False
    return True


def _escaped_name(name: str) -> str:
    """Return a name that XML can have, in the way of .NET's ``XmlConvert``."""
    escaped = _TO_ESCAPE.sub(_code_of, name)
    return escaped if escaped.isascii() or _is_read(escaped) else _NOT_ASCII.sub(_code_of, escaped)


def _code_of(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"


def _unescaped_name(name: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if int(found[1], 16) < 0x110000 else found[0], name)


def _tree_of(paths: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of paths by their steps; what is said of a field itself stands under ``""``."""
    tree: dict[str, Any] = {}
    for path, said in paths.items():
        inner = tree
        for step in path.split("/"):
            inner = inner.setdefault(step, {})
        inner[""] = said
    return tree


def _truth(text: str) -> bool:
    truth = {"true": True, "1": True, "false": False, "0": False}.get(text)
    if truth is None:
        raise ValueError(text)
    return truth


_CONVERTERS: Mapping[str, Callable[[str], object]] = {
    **CONVERTERS,
    "str": str,
    "bool": _truth,
    "time": time_of,
    "bytes": lambda text: b64decode("".join(text.split()), validate=True),
}
_EXPECTED = {**EXPECTED, "time": "a time such as 12:30:00", "bytes": "bytes in base64"}


# ----------------------------------------------------------------------------- reading


class _Batch:
    """Some records, with where each stands."""

    __slots__ = ("_places", "_row", "raws")

    def __init__(self, raws: list[object], places: list[tuple[int, int | None]], row: int) -> None:
        self.raws = raws
        self._places = places
        self._row = row

    def position(self, index: int, /) -> Position:
        """Tell what the parser said."""
        line, offset = self._places[index]
        return Position(line=line, offset=offset, row=self._row + index)


class _Reader:
    """Reads a document from its beginning to its end; one input, one use."""

    def __init__(self, settings: Xml) -> None:
        self._settings = settings
        self._types = _tree_of(settings.types)
        self._text_key = settings.text_key

    def batches(self, stream: BinaryIO, /) -> Iterator[_Batch]:
        """Yield the records that end in about 64 KiB, or in what has arrived, where that is less.

        Raises:
            ValueError: It is no XML from some place on, or declares entities; the message says where. Or it has elements,
                and none that ``record`` names or that could hold one.
        """
        # read1 hands on what a pipe has; read would wait until a whole chunk is there.
        read = cast("Callable[[int], bytes]", getattr(stream, "read1", stream.read))
        begin = read(_CHUNK_BYTES)
        while begin[:1] in _OF_UTF_16 and len(begin) < 2 and (more := read(1)):
            begin += more
        decoder = getincrementaldecoder("utf-16")() if begin[:2] in {BOM_UTF16_LE, BOM_UTF16_BE} else None
        parsing = _Parsing(self._settings, transcoded=decoder is not None)
        row = 1
        ended = False
        while not ended:
            chunk, begin = begin or read(_CHUNK_BYTES), b""
            ended = not chunk
            chunk = chunk if decoder is None else decoder.decode(chunk, ended).encode()
            fault: ValueError | None = None
            try:
                parsing.parse(chunk, ended)
            except ValueError as error:
                fault = error
            raws, places = parsing.take()
            if raws:
                yield _Batch(raws, places, row)
            row += len(raws)
            if fault is not None:
                raise fault
        if row == 1:
            parsing.refuse_misnamed()

    def decode(self, raw: object, /) -> Record:
        """Return a record with the types that are declared.

        Raises:
            ValueError: It is one that cannot be told as fields, or the text of a field is not what was declared.
        """
        if isinstance(raw, bytes):  # what was broken, and is tried again
            raw = _element_of(raw, self._settings)
        if isinstance(raw, Broken):
            raise ValueError(raw.reason)  # noqa: TRY004 - a fault of the record
        return cast("Record", self._typed(raw, self._types, ""))

    def _typed(self, value: object, types: dict[str, Any], where: str) -> object:
        """Return a value of its own, so that a step which changes it does not change what came in."""
        if isinstance(value, dict):
            named = types if types.get("") is None else {self._text_key: {"": types[""]}, **types}
            return {
                key: self._typed(inner, named.get(key, _NO_TYPES), f"{where}/{key}") for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self._typed(inner, types, where) for inner in value]
        kind = types.get("")
        if value is None or kind is None or kind == "str":
            return value
        text = cast("str", value).strip()
        if not text:
            return None
        try:
            # Python takes "1_000" for a thousand, and nobody else does.
            return _CONVERTERS[kind](text if "_" not in text else "no value")
        except (ValueError, ArithmeticError):
            raise ValueError(f"field {where[1:]!r} holds {shown(text)}: expected {_EXPECTED[kind]}") from None


_NO_TYPES: dict[str, Any] = {}


class _Element:
    """An element of a record while it is read.

    Attributes:
        key: The field that it is.
        raw: Its name as the parser tells it.
        lists: Which of its fields are lists.
        fields: What it has of fields so far.
        names: How the parser told the name of each that is an element.
        text: What it has of text.
        nil: Whether it says that it has no value.
        inner: Whether it has elements in it.
        markup: Its content as it stands, where that may be asked for.
        tag: How it begins, likewise.
    """

    __slots__ = ("fields", "inner", "key", "lists", "markup", "names", "nil", "raw", "tag", "text")

    def __init__(self, key: str, raw: str, lists: dict[str, Any]) -> None:
        self.key = key
        self.raw = raw
        self.lists = lists
        self.fields: dict[str, object] = {}
        self.names: dict[str, str] = {}
        self.text: list[str] = []
        self.nil = False
        self.inner = False
        self.markup: list[str] = []
        self.tag = ""


class _Parsing:
    """A parser of expat, and the records that it came to the end of.

    Args:
        transcoded: Whether the document is given in UTF-8 and not as it is.
        alone: Whether it is given the element of one record, without what declares the prefixes in it.
    """

    def __init__(self, settings: Xml, *, transcoded: bool = False, alone: bool = False) -> None:
        self._settings = settings
        self._transcoded = transcoded
        self._alone = alone
        self._prefixes = {address: prefix for prefix, address in settings.namespaces.items()}
        self._lists = _tree_of(dict.fromkeys(settings.lists, True))
        self._markup = settings.mixed == "markup"
        record = settings.record
        self._name = record if record is not None and not _is_path(record) else None
        self._wanted = ["*", "*"] if record is None else _steps_of(record)
        self._path: list[str] = []  # outside of records
        self._names: dict[str, None] = {}  # of elements outside of records, as many as are told
        self._may_be_none = False  # what holds records was there
        self._stack: list[_Element] = []  # inside of one
        self._deeper = 0  # elements in it that are nested too deeply to be told
        self._fault: str | None = None  # of the record
        self._line = self._begin = 0
        self._raws: list[object] = []
        self._places: list[tuple[int, int | None]] = []
        self._chunks: list[bytes] = []  # from the one on in which the record begins
        self._before = 0  # bytes before these
        self._told: dict[str, str] = {}
        self._encoding = "utf-8"  # that the document declares
        self._outer: list[tuple[str, dict[str, str]]] = []  # names along the path, and the prefixes declared there
        self._declared: dict[str, str] = {}  # prefixes, by the element that begins
        self._typed = False  # by a document type, which may say what attributes are that are not there
        # Of a record that is not well-formed: what is wrong, what ends it, its end tag, and where to look for that.
        self._lost: tuple[str, re.Pattern[bytes], re.Pattern[bytes], int] | None = None
        self._bytes_before = self._lines_before = 0  # what the parser, begun anew, does not count
        self._parser = self._new_parser(b"")

    @property
    def _at(self) -> int:
        return self._bytes_before + self._parser.CurrentByteIndex

    @property
    def _line_number(self) -> int:
        return self._lines_before + self._parser.CurrentLineNumber

    def _new_parser(self, begin: bytes) -> expat.XMLParserType:
        """Return a parser that has read ``begin`` and made nothing of it."""
        encoding = "utf-8" if self._transcoded else None
        parser = expat.ParserCreate(encoding, namespace_separator=None if self._alone else _BETWEEN)
        parser.namespace_prefixes = True
        if begin:
            parser.Parse(begin, False)
        parser.buffer_text = True
        parser.buffer_size = _CHUNK_BYTES
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        # What defusedxml refuses: entities, from which a few lines become gigabytes, and all that leads elsewhere.
        parser.EntityDeclHandler = self._refuse_entity
        parser.UnparsedEntityDeclHandler = self._refuse_entity
        parser.ExternalEntityRefHandler = self._refuse_external
        parser.SkippedEntityHandler = self._skip_entity
        parser.StartNamespaceDeclHandler = self._declare
        parser.XmlDeclHandler = self._take_encoding
        parser.StartDoctypeDeclHandler = self._take_type
        return parser

    def _declare(self, prefix: str | None, address: str | None) -> None:
        if not self._stack:
            self._declared[prefix or ""] = address or ""

    def _take_encoding(self, _: object, encoding: str | None, *__: object) -> None:
        if encoding and not self._transcoded:
            self._encoding = encoding

    def _take_type(self, *_: object) -> None:
        self._typed = True

    def parse(self, chunk: bytes, ended: bool) -> None:  # noqa: FBT001 - as the parser has it
        """Take more of the document.

        Raises:
            ValueError: It cannot be read from some place on.
        """
        self._chunks.append(chunk)
        rest: bytes | None = chunk
        while self._lost is None or (rest := self._rest_behind_lost(ended=ended)) is not None:
            try:
                self._parser.Parse(cast("bytes", rest), ended)
            except expat.ExpatError as error:
                said = expat.ErrorString(error.code) or str(error)
                where = f"column {error.offset + 1}"
                if self._bytes_before and error.lineno == 1:
                    where = f"byte {self._at}"
                said = f"no XML from line {self._line_number}, {where} on: {said}"
                if not self._lose(said):
                    rest = self._another_document(said)
                    if rest is None:
                        raise ValueError(said) from None
            except LookupError as error:
                raise ValueError(f"no XML that can be read: {error}") from None
            else:
                return

    def _held(self) -> bytes:
        self._chunks = [b"".join(self._chunks)]
        return self._chunks[0]

    def _lose(self, said: str) -> bool:
        """Look for the end of the record that is not well-formed from here on; whether this is within one."""
        if self._alone or self._typed or self._deeper:
            return False
        held, at = self._held(), self._at
        if not self._stack:  # perhaps the tag that begins one
            # The first "<" behind a tag, or the last: either may stand in an attribute, as ">" may. What is wrong at a "<" itself
            # is wrong before it. Before the tag there is white space, and the record before is whole.
            end = at - self._before
            first, last = held.find(b"<", held.rfind(b">", 0, end) + 1, end), held.rfind(b"<", 0, end)
            begin = first if first >= 0 else last
            if self._before + begin <= self._begin or held[held.rfind(b">", 0, begin) + 1 : begin].strip():
                return False
            self._begin = self._before + begin
            self._line = self._line_number - held.count(b"\n", self._begin - self._before, at - self._before)
        name = _TAG_NAME.match(held, self._begin - self._before)
        if name is None or not (self._stack or self._would_be_record(name[1].decode(errors="replace"))):
            return False
        end_tag = re.compile(rb"</%b\s*>" % re.escape(name[1]))
        # Where another element should end, the parser stands behind "</".
        self._lost = said, end_tag if self._stack else _TAG_END, end_tag, at - len(b"</") if self._stack else at
        return True

    def _another_document(self, said: str) -> bytes | None:
        """Set the beginning of one behind the root aside, and return all of it; ``None`` where there is none."""
        held, at, line = self._held(), self._at, self._line_number
        begins = _BEGINS.match(held, at - self._before)
        if self._alone or self._stack or self._path or begins is None:
            return None
        self._raws.append(Broken(begins[0], f"{said}; what follows is read as a document of its own"))
        self._places.append((line, None if self._transcoded else at))
        self._bytes_before, self._lines_before = at, line - 1
        self._typed, self._encoding, self._declared = False, "utf-8", {}
        self._parser = self._new_parser(b"")
        return held[at - self._before :]

    def _would_be_record(self, key: str) -> bool:
        self._path.append(key)
        try:
            return len(self._path) > 1 and self._is_record(key)
        finally:
            self._path.pop()

    def _rest_behind_lost(self, *, ended: bool) -> bytes | None:
        """Set the record aside, and return what stands behind it; ``None`` where its end has not come yet.

        Raises:
            ValueError: It has no end, as far as is looked.
        """
        said, ends, end_tag, since = cast("tuple[str, re.Pattern[bytes], re.Pattern[bytes], int]", self._lost)
        held = self._held()
        found = ends.search(held, since - self._before)
        if found is not None and found[0] == b">":  # of the tag that begins it
            ends, since = end_tag, self._before + found.end()
            found = ends.search(held, found.end())
        if found is None:
            if ended or len(held) > _MOST_LOST_BYTES:
                raise ValueError(said)
            self._lost = said, ends, end_tag, max(since, self._before + len(held) - _CHUNK_BYTES)
            return None
        if self._stack:
            self._path.pop()
            self._outer.pop()
        self._lost, self._stack, self._declared = None, [], {}
        raw = held[self._begin - self._before : found.end()]
        self._raws.append(Broken(raw, said))
        self._places.append((self._line, None if self._transcoded else self._begin))
        begin = self._outer_tags().encode(self._encoding)
        self._parser = self._new_parser(begin)
        self._bytes_before = self._before + found.end() - len(begin)
        self._lines_before = self._line + raw.count(b"\n") - 1
        return held[found.end() :]

    def _outer_tags(self) -> str:
        """Return what begins a document that goes on where this one does, on one line."""
        text = f'<?xml version="1.0" encoding="{self._encoding}"?>'
        for name, declared in self._outer:
            spaces = ((f"xmlns:{prefix}" if prefix else "xmlns", address) for prefix, address in declared.items())
            text += f"<{_tag_as_it_stands(name, dict(spaces))}>"
        return text

    def refuse_misnamed(self) -> None:
        """Refuse a document without records that has other elements, and nothing that would hold records.

        Raises:
            ValueError: It is one.
        """
        names = list(self._names)
        if self._may_be_none or len(names) < 2:  # nothing but a root
            return
        wanted = self._settings.record
        more = ", and more" if len(names) == _MOST_NAMES else ""
        raise ValueError(
            f"no element is a record: 'record' says {wanted!r}, and the elements are {', '.join(names)}{more}\n"
            "  hint: let 'record' name one of them; where there may be no records, let it be their whole path from the root"
        )

    def take(self) -> tuple[list[object], list[tuple[int, int | None]]]:
        """Return the records that have ended since, and where each began: its line and byte."""
        # Behind what the parser saw last there may be half of what begins the next record.
        needed = self._begin if self._stack or self._lost else self._at
        while self._chunks and self._before + len(self._chunks[0]) <= needed:
            self._before += len(self._chunks.pop(0))
        taken = self._raws, self._places
        self._raws, self._places = [], []
        return taken

    def _as_it_came(self) -> bytes:
        """Return the text of the record that ends here."""
        text = b"".join(self._chunks)[self._begin - self._before :]
        end = _WHOLE_TAG.match(text, self._at - self._begin)
        return text[: end.end()] if end is not None else text

    def _refuse_entity(self, name: str, *_: object) -> None:
        line = self._line_number
        raise ValueError(f"line {line} declares the entity {name!r}: expected none, since they can stand for anything")

    def _refuse_external(self, *_: object) -> int:
        raise ValueError(f"line {self._line_number} refers to another file: expected a document that is whole")

    def _skip_entity(self, name: str, parameter: bool) -> None:  # noqa: FBT001 - as the parser has it
        if self._stack and not parameter:
            self._set_fault(f"&{name}; stands for something that is declared elsewhere")

    def _set_fault(self, what: str) -> None:
        if self._fault is None:
            self._fault = f"line {self._line_number}: {what}"

    def _start(self, raw: str, attributes: dict[str, str]) -> None:
        stack = self._stack
        key = self._told.get(raw) or self._tell(raw)
        if stack:
            parent = stack[-1]
            parent.inner = True
            lists = parent.lists.get(key, _NO_TYPES)
            if len(stack) > _DEEPEST:
                self._set_fault(f"expected nothing that is nested more than {_DEEPEST} deep")
                self._deeper += 1
                return
        else:
            self._path.append(key)
            self._outer.append((raw, self._declared))
            self._declared = {}
            if not self._is_record(key):
                if len(self._names) < _MOST_NAMES:
                    self._names[key] = None
                return
            lists = self._lists
            self._line, self._begin = self._line_number, self._at
            self._fault = None
        element = _Element(key, raw, lists)
        if attributes:
            self._take_attributes(element, attributes)
        stack.append(element)
        if self._markup:
            element.tag = _tag_as_it_stands(raw, attributes)
        self._parser.CharacterDataHandler = self._text_of(element)

    def _text_of(self, element: _Element) -> Callable[[str], object]:
        if not self._markup:
            return element.text.append

        def both(text: str) -> None:
            element.text.append(text)
            element.markup.append(_escaped(text))

        return both

    def _take_attributes(self, element: _Element, attributes: dict[str, str]) -> None:
        for raw, value in attributes.items():
            if self._alone and raw.startswith("xmlns"):
                continue
            if raw.startswith(_NILS) and value in {"true", "1"}:
                element.nil = True
                continue
            key = self._settings.attribute_prefix + (self._told.get(raw) or self._tell(raw))
            if key in element.fields:
                self._set_fault(f"two attributes are the field {key!r}")
            element.fields[key] = value

    def _end(self, raw: str) -> None:
        stack = self._stack
        if not stack:
            self._path.pop()
            self._outer.pop()
            return
        if self._deeper:
            self._deeper -= 1
            return
        element = stack.pop()
        value = self._value(element)
        if stack:
            parent = stack[-1]
            if self._markup:
                inside = "".join(element.markup)
                name = _as_it_stands(raw)
                parent.markup.append(f"<{element.tag}>{inside}</{name}>" if inside else f"<{element.tag}/>")
            self._parser.CharacterDataHandler = self._text_of(parent)
            self._give(parent, element, value)
            return
        self._path.pop()
        self._outer.pop()
        self._parser.CharacterDataHandler = None
        if not isinstance(value, dict):
            value = {} if value == "" else {self._settings.text_key: value}
        self._raws.append(value if self._fault is None else Broken(self._as_it_came(), self._fault))
        self._places.append((self._line, None if self._transcoded else self._begin))

    def _value(self, element: _Element) -> object:
        fields = element.fields
        text = "".join(element.text)
        if element.inner and text.strip(_WHITE):
            if not self._markup:
                self._set_fault(f"text between the elements of {element.key!r}: mixed = 'markup' keeps it as it stands")
            fields = {key: value for key, value in fields.items() if key not in element.names}
            text = "".join(element.markup)
        elif element.inner or (element.lists and not text.strip(_WHITE)):
            for key, inner in element.lists.items():
                if key and inner.get("") and key not in fields:
                    fields[key] = []
            if element.inner or fields:
                return fields
        if not fields:
            return None if element.nil else text
        if text or element.nil:
            if self._settings.text_key in fields:
                self._set_fault(f"an attribute is the field {self._settings.text_key!r}, and so is the text beside it")
            fields[self._settings.text_key] = None if element.nil else text
        return fields

    def _give(self, parent: _Element, element: _Element, value: object) -> None:
        key, fields = element.key, parent.fields
        if key not in fields:
            parent.names[key] = element.raw
            fields[key] = [value] if element.lists.get("") else value
            return
        if parent.names.get(key) != element.raw:
            self._set_fault(
                f"two things with different names are the field {key!r}: see 'names' and 'attribute_prefix'"
            )
        there = fields[key]
        if isinstance(there, list):
            there.append(value)
        else:
            fields[key] = [there, value]

    def _is_record(self, key: str) -> bool:
        if self._alone:
            return True
        if self._name is not None:
            return key == self._name
        path, wanted = self._path, self._wanted
        if not self._may_be_none and len(path) == len(wanted) - 1:
            self._may_be_none = _is_along(path, wanted[:-1])
        if len(path) == 1 and wanted[0] not in {"*", key}:
            raise ValueError(f"the root is {key!r}: expected {wanted[0]!r}, the first of 'record'")
        return len(path) == len(wanted) and _is_along(path, wanted)

    def _tell(self, raw: str) -> str:
        """Return what a name is called in fields, and remember it."""
        address, local, prefix = _parts(raw)
        if self._alone and self._settings.names != "prefixed":
            before, _, local = raw.rpartition(":")
            if before and self._settings.names == "full":
                raise ValueError(
                    f"nothing says what the prefix of {raw!r} stands for: expected a 'record' in its place"
                )
        local = _unescaped_name(local) if self._settings.escape_names else local
        if not address or self._settings.names == "local":
            told = local
        elif self._settings.names == "full":
            told = f"{{{address}}}{local}"
        else:
            prefix = self._prefixes.get(address, prefix)
            told = f"{prefix}:{local}" if prefix else local
        self._told[raw] = told
        return told


def _element_of(text: bytes, settings: Xml) -> object:
    parsing = _Parsing(settings, alone=True)
    parsing.parse(text, ended=True)
    raws, _ = parsing.take()
    return raws[0]


def _parts(raw: str) -> tuple[str, str, str]:
    """Return the namespace, the name in it and the prefix that a name of expat consists of."""
    address, between, rest = raw.partition(_BETWEEN)
    if not between:
        return "", raw, ""
    local, _, prefix = rest.partition(_BETWEEN)
    return address, local, prefix


def _as_it_stands(raw: str) -> str:
    _, local, prefix = _parts(raw)
    return f"{prefix}:{local}" if prefix else local


def _tag_as_it_stands(raw: str, attributes: Mapping[str, str]) -> str:
    told = (f' {_as_it_stands(name)}="{_escaped_attribute(value)}"' for name, value in attributes.items())
    return _as_it_stands(raw) + "".join(told)


def _steps_of(path: str) -> list[str]:
    """Return the names of a path, of which each may have a namespace in braces that has slashes of its own."""
    return re.findall(r"(?:\{[^}]*\})?[^/]+", path.strip("/"))


def _is_along(path: list[str], wanted: list[str]) -> bool:
    return all(one in {"*", name} for one, name in zip(wanted, path, strict=True))


def _is_path(record: str) -> bool:
    return record.startswith("/") or "*" in record or len(_steps_of(record)) > 1


# ----------------------------------------------------------------------------- writing

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def _escaped(text: str) -> str:
    # A carriage return that is not escaped is a line feed to who reads it.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _escaped_attribute(text: str) -> str:
    return _escaped(text).replace('"', "&quot;").replace("\t", "&#9;").replace("\n", "&#10;")


class _Writer:
    """A document, one line a record."""

    separator = b""
    columns: tuple[str, ...] | None = None
    fixes_columns = False

    def __init__(self, settings: Xml) -> None:
        """Take the settings.

        Raises:
            ValueError: The name of the record or of the root has a prefix that ``namespaces`` does not declare.
        """
        self._settings = settings
        self._types = _tree_of(settings.types)
        self._lists = _tree_of(dict.fromkeys(settings.lists, True))
        self._prefixes = {address: prefix for prefix, address in settings.namespaces.items()}
        self._tag = lru_cache(maxsize=1024)(self._new_tag)
        last = "*" if settings.record is None else _steps_of(settings.record)[-1]
        try:
            self._record = self._tag("record" if last == "*" else last)
            self._root = self._tag(settings.root)
        except Refused as error:
            raise ValueError(f"the name of the root or of the records is none: {error}") from None

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        """Begin a part; the first with the root."""
        del columns
        self._stream = stream
        if first:
            spaces = dict(self._settings.namespaces)
            if self._settings.none == "nil" and spaces.get("xsi") != _XSI:
                spaces["xsi"] = _XSI
            declared = "".join(
                f' xmlns{":" * bool(prefix)}{prefix}="{_escaped_attribute(address)}"'
                for prefix, address in spaces.items()
            )
            stream.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<{self._root}{declared}>\n'.encode())

    def encode(self, record: Record, /) -> bytes:
        """Return the element of a record.

        Raises:
            ValueError: It has a value or a name that XML cannot hold; the message says in which field.
        """
        try:
            return f"{self._element(self._record, record, self._types, self._lists, of_record=True)}\n".encode()
        except Refused as error:
            raise ValueError(str(error)) from None
        except RecursionError:
            raise ValueError("the record is nested too deeply to be written") from None

    def write(self, encoded: list[object], /) -> None:
        if encoded:
            self._stream.write(b"".join(cast("list[bytes]", encoded)))

    def close(self, *, last: bool) -> None:
        """End the part; the last with the root."""
        if last:
            self._stream.write(f"</{self._root}>\n".encode())

    def _element(
        self, tag: str, value: object, types: dict[str, Any], lists: dict[str, Any], *, of_record: bool = False
    ) -> str:
        if value is None:
            return f'<{tag} xsi:nil="true"/>'
        if isinstance(value, dict):
            return self._table(tag, value, types, lists, of_record=of_record)
        return f"<{tag}>{_escaped(_text_of(value, types))}</{tag}>"

    def _table(
        self, tag: str, value: dict[object, object], types: dict[str, Any], lists: dict[str, Any], *, of_record: bool
    ) -> str:
        settings = self._settings
        prefix, text_key = settings.attribute_prefix, settings.text_key
        attributes, inside = "", ""
        has_fields = False
        key: object = None
        try:
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise refused(key, "text for a name")
                if key == text_key:
                    continue
                if prefix and key.startswith(prefix):
                    attributes += self._attribute(key, inner, types.get(key, _NO_TYPES))
                    continue
                has_fields = True
                inside += self._field(key, inner, types.get(key, _NO_TYPES), lists.get(key, _NO_TYPES))
            if text_key in value:
                key, text = text_key, value[text_key]
                attributes, inside = self._text_beside(
                    text, attributes, types, alone=has_fields or not (attributes or of_record)
                )
        except Refused as error:
            error.where.append(key)
            raise
        if not value and not of_record:
            raise Refused("an empty table, which XML cannot tell from an empty text")
        return f"<{tag}{attributes}>{inside}</{tag}>"

    def _text_beside(self, text: object, attributes: str, types: dict[str, Any], *, alone: bool) -> tuple[str, str]:
        if alone:
            raise refused(text, "it beside attributes, and without other fields")
        if text is None:
            return (f'{attributes} xsi:nil="true"' if self._settings.none == "nil" else attributes), ""
        made = _text_of(text, types.get(self._settings.text_key) or types)
        if not made:
            raise refused(text, "some text, since none is read as no field")
        return attributes, _escaped(made)

    def _attribute(self, key: str, value: object, types: dict[str, Any]) -> str:
        name = key.removeprefix(self._settings.attribute_prefix)
        if name == "xmlns" or name.startswith("xmlns:"):
            raise refused(value, "namespaces in the setting 'namespaces'")
        if value is None:
            if self._settings.none == "nil":
                raise refused(value, "a value: an attribute cannot say that it has none, unless none = 'absent'")
            return ""
        return f' {self._tag(name, of_attribute=True)}="{_escaped_attribute(_text_of(value, types))}"'

    def _field(self, key: str, value: object, types: dict[str, Any], lists: dict[str, Any]) -> str:
        tag = self._tag(key)
        if isinstance(value, (list, tuple)):
            if not value and not lists.get(""):
                raise refused(value, "a list that has items, or lists = [...] with this field in it")
            return "".join([self._item(tag, at, inner, types, lists) for at, inner in enumerate(value)])
        if value is None and self._settings.none == "absent":
            return ""
        return self._element(tag, value, types, lists)

    def _item(self, tag: str, at: int, value: object, types: dict[str, Any], lists: dict[str, Any]) -> str:
        try:
            if isinstance(value, (list, tuple)):
                raise refused(value, "no list in a list")
            if value is None and self._settings.none == "absent":
                raise refused(value, "no item without a value, unless none = 'nil'")
            return self._element(tag, value, types, lists)
        except Refused as error:
            error.where.append(at)
            raise

    def _new_tag(self, key: str, *, of_attribute: bool = False) -> str:
        """Return the name of an element or attribute for that of a field."""
        prefix, local = "", key
        if self._settings.names == "full" and key.startswith("{"):
            address, _, local = key[1:].rpartition("}")
            if address not in self._prefixes:
                raise Refused(f"a name of a namespace that 'namespaces' has no prefix for: {key!r}")
            prefix = self._prefixes[address]
        elif ":" in key:
            before, _, rest = key.partition(":")
            if before in self._settings.namespaces or (before == "xml" and of_attribute):
                prefix, local = before, rest
            elif not self._settings.escape_names:
                raise Refused(f"a name whose prefix 'namespaces' does not declare: {key!r}")
        if self._settings.escape_names:
            local = _escaped_name(local)
        if not _is_name(local) or ":" in local:
            raise Refused(f"a name that XML cannot have, {key!r}: rename it before, or set escape_names = true")
        return f"{prefix}:{local}" if prefix else local


def _text_of(value: object, types: dict[str, Any]) -> str:
    """Return the text of a value that is neither a list nor a table."""
    match value:
        case str():
            if strange := _NOT_IN_XML.search(value):
                raise refused(value, f"no U+{ord(strange[0]):04X}, which XML has no character for")
            return str.__str__(value)
        case bool():
            return "true" if value else "false"
        case int():
            return int.__repr__(value)
        case float():
            if isfinite(value):
                return float.__repr__(value)
            return "NaN" if isnan(value) else "INF" if value > 0 else "-INF"
        case Decimal():
            return str(value)
        case date() | time():
            return value.isoformat()
        case bytes() if types.get("") == "bytes":
            return b64encode(value).decode()
    more = "; bytes where 'types' says so" if isinstance(value, bytes) else ""
    raise refused(value, f"text, a number, a truth value, a date, a time, None, a list or a table{more}")
