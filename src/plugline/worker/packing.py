"""Values to MessagePack and back, in Python alone: what a worker speaks before it has a reason to import msgspec.

Importing msgspec costs four bare interpreter starts, this module a tenth of one. It is also where it is written down
what a value on the wire may be, and what becomes of it (docs/reference/wire.md): of both codecs, this one is strict.
What MessagePack has no type for travels as an extension, so that it arrives as the type that it was.
"""

from struct import Struct, unpack_from
from struct import error as _StructError  # noqa: N812 - its own name says nothing

from plugline.typed import Callable, Iterable

MAX_DEPTH = 100  # of values within values; json's own limit is 1,000, and nobody's records come near either
MAX_ODD_ITEMS = 10_000  # of sets, and of dicts whose keys are not strings: their hashes can be made to collide
MAX_OF_ONE_HASH = 64  # -1 and -2 have one hash: of tuples of n of them there are two to the n

(
    BIG_INTEGER,
    ODD_TEXT,
    TUPLE,
    SET,
    FROZENSET,
    BYTEARRAY,
    COMPLEX,
    DATETIME,
    DATE,
    TIME,
    TIMEDELTA,
    DECIMAL,
    UUID,
    PAIRS,
) = range(1, 15)
ARROW_TABLE, ARROW_BATCH = 20, 21

_MAX_BIG_INTEGER_BYTES = 4096  # as text that is 9,864 digits, more than Python itself is willing to print
_TIMESTAMP = 0xFF

_head_8, _head_16, _head_32, _head_64 = Struct(">BB").pack, Struct(">BH").pack, Struct(">BI").pack, Struct(">BQ").pack
_int_8, _int_16, _int_32, _int_64 = Struct(">Bb").pack, Struct(">Bh").pack, Struct(">Bi").pack, Struct(">Bq").pack
_double = Struct(">Bd").pack
_two_doubles = Struct(">dd")
_timedelta = Struct(">iii")


class Unsendable(TypeError):
    """A value cannot cross the boundary of a process.

    Attributes:
        where: The way to it: ``['when'][0]``.
        said: What it is, and what to do.
    """

    def __init__(self, where: str, said: str) -> None:
        super().__init__(where, said)
        self.where = where
        self.said = said

    def __str__(self) -> str:
        return f"{f'the value at {self.where}' if self.where else 'the value'} {self.said}"


class Malformed(ValueError):
    """Bytes that are no frame, or no value that may be in one."""


class TooLarge(Malformed):
    """Bytes that an honest sender may have sent, and that stand for more than may be made of them."""


def pack(value: object) -> bytes:
    """Return a value as MessagePack.

    Raises:
        Unsendable: It is, or holds, something of a type that cannot cross, or is nested too deep.
    """
    pieces: list[bytes | memoryview] = []
    _pack(value, pieces.append, MAX_DEPTH)
    return b"".join(pieces)


Write = Callable[[bytes | memoryview], object]


def _pack(value: object, write: Write, depth: int) -> None:
    kind = type(value)
    if value is None:
        write(b"\xc0")
    elif kind is bool:
        write(b"\xc3" if value else b"\xc2")
    elif kind is str:
        _pack_text(value, write)  # type: ignore[arg-type]
    elif kind is int:
        _pack_integer(value, write)  # type: ignore[arg-type]
    elif kind is float:
        write(_double(0xCB, value))
    elif kind is bytes:
        write(_sized_head(0xC4, len(value)))  # type: ignore[arg-type]
        write(value)  # type: ignore[arg-type]
    elif depth == 0:
        raise Unsendable("", f"is nested more than {MAX_DEPTH} deep, or holds itself")
    elif kind is list:
        _pack_items(value, write, depth)  # type: ignore[arg-type]
    elif kind is dict:
        _pack_dict(value, write, depth)  # type: ignore[arg-type]
    else:
        _pack_extension(*extension_of(value, depth), write)


def _pack_extension(code: int, content: bytes | memoryview, write: Write) -> None:
    length = len(content)
    write(_FIXED_EXTENSIONS.get(length) or _sized_head(0xC7, length))
    write(bytes((code,)))
    write(content)


def _pack_integer(value: int, write: Write) -> None:  # noqa: C901, PLR0912 - one branch a width, alike
    if value >= 0:
        if value < 0x80:
            write(bytes((value,)))
        elif value < 0x100:
            write(_head_8(0xCC, value))
        elif value < 0x10000:
            write(_head_16(0xCD, value))
        elif value < 0x100000000:
            write(_head_32(0xCE, value))
        elif value < 0x10000000000000000:
            write(_head_64(0xCF, value))
        else:
            _pack_big(value, write)
    elif value >= -0x20:
        write(bytes((value & 0xFF,)))
    elif value >= -0x80:
        write(_int_8(0xD0, value))
    elif value >= -0x8000:
        write(_int_16(0xD1, value))
    elif value >= -0x80000000:
        write(_int_32(0xD2, value))
    elif value >= -0x8000000000000000:
        write(_int_64(0xD3, value))
    else:
        _pack_big(value, write)


def _pack_big(value: int, write: Write) -> None:
    length = value.bit_length() // 8 + 1
    if length > _MAX_BIG_INTEGER_BYTES:
        raise Unsendable("", f"is an integer of {value.bit_length():,} bits, too long to cross")
    _pack_extension(BIG_INTEGER, value.to_bytes(length, "big", signed=True), write)


def _pack_text(value: str, write: Write) -> None:
    try:
        content = value.encode()
    except UnicodeEncodeError:  # halves of surrogate pairs, as in names of files
        _pack_extension(ODD_TEXT, value.encode("utf-8", "surrogatepass"), write)
        return
    length = len(content)
    write(bytes((0xA0 | length,)) if length < 32 else _sized_head(0xD9, length))
    write(content)


def _sized_head(code: int, length: int) -> bytes:
    """Return the head with a length of one byte, whose code this is, of two or of four, whose codes are the next."""
    return _head_8(code, length) if length < 0x100 else _wide_head(code + 1, length)


def _wide_head(code: int, length: int) -> bytes:
    """Return the head with a length of two bytes, whose code this is, or of four, whose code is the next."""
    if length >= 0x100000000:
        raise Unsendable("", f"is {length:,} bytes long, too long to cross")
    return _head_16(code, length) if length < 0x10000 else _head_32(code + 1, length)


_FIXED_EXTENSIONS = {1: b"\xd4", 2: b"\xd5", 4: b"\xd6", 8: b"\xd7", 16: b"\xd8"}


def array_head(length: int) -> bytes:
    """Return the head of an array, for whoever packs its items one by one."""
    return bytes((0x90 | length,)) if length < 16 else _wide_head(0xDC, length)


def _map_head(length: int) -> bytes:
    return bytes((0x80 | length,)) if length < 16 else _wide_head(0xDE, length)


def _pack_items(values: "list[object] | tuple[object, ...]", write: Write, depth: int) -> None:
    write(array_head(len(values)))
    index = 0
    try:
        for index, value in enumerate(values):  # noqa: B007 - told when one of them cannot be packed
            _pack(value, write, depth - 1)
    except Unsendable as error:
        raise Unsendable(f"[{index}]{error.where}", error.said) from None


def _pack_dict(value: "dict[object, object]", write: Write, depth: int) -> None:
    if any(type(key) is not str for key in value):
        _pack_extension(PAIRS, _pairs(value, depth), write)
        return
    write(_map_head(len(value)))
    key: object = None
    try:
        for key, item in value.items():
            _pack_text(key, write)  # type: ignore[arg-type]
            _pack(item, write, depth - 1)
    except Unsendable as error:
        raise Unsendable(f"[{_short(key)}]{error.where}", error.said) from None


def _short(key: object) -> str:
    text = repr(key)
    return text if len(text) <= 60 else f"{text[:57]}..."


_ODD_DICT = "a dict whose keys are not all strings"


def _pairs(value: "dict[object, object]", depth: int) -> bytes:
    _check_size(value, _ODD_DICT)
    pieces: list[bytes | memoryview] = [array_head(2 * len(value))]
    for key, item in value.items():
        if isinstance(key, (str, int, float)) and type(key) not in (str, int, float, bool):
            raise Unsendable("", f"has a key of type {_shown(type(key))}, which cannot cross; plain types can")
        try:
            _pack(key, pieces.append, depth - 1)
            _pack(item, pieces.append, depth - 1)
        except Unsendable as error:
            raise Unsendable(f"[{_short(key)}]{error.where}", error.said) from None
    _check_hashes(value, _ODD_DICT)
    return b"".join(pieces)


def _check_size(value: "dict[object, object] | set[object] | frozenset[object]", what: str) -> None:
    if len(value) > MAX_ODD_ITEMS:
        raise Unsendable("", f"is {what} with {len(value):,} items, at most {MAX_ODD_ITEMS:,} cross")


def _check_hashes(keys: Iterable[object], what: str) -> None:
    """Refuse what would be refused where it arrives. All keys are known to be of types that cross."""
    if _collide(keys):
        raise Unsendable("", f"is {what} with more than {MAX_OF_ONE_HASH} items of one hash, which cannot cross")


def _collide(keys: Iterable[object]) -> bool:
    """Say whether keys take long to tell apart: of n that have one hash, each is compared with all before it."""
    found: dict[int, int] = {}
    for key in keys:
        number = hash(key)
        found[number] = among = found.get(number, 0) + 1
        if among > MAX_OF_ONE_HASH:
            return True
    return False


def _items(values: "tuple[object, ...]", depth: int) -> bytes:
    pieces: list[bytes | memoryview] = []
    _pack_items(values, pieces.append, depth)
    return b"".join(pieces)


def extension_of(value: object, depth: int = MAX_DEPTH) -> tuple[int, bytes | memoryview]:
    """Return code and content of the extension as which a value goes that MessagePack has no type for.

    Raises:
        Unsendable: It is, or holds, something of a type that cannot cross.
    """
    kind = type(value)
    if kind is dict:
        return PAIRS, _pairs(value, depth)  # type: ignore[arg-type]
    if kind is tuple:
        return TUPLE, _items(value, depth)  # type: ignore[arg-type]
    if kind is set or kind is frozenset:
        _check_size(value, f"a {kind.__name__}")  # type: ignore[arg-type]
        content = _items(tuple(value), depth)  # type: ignore[arg-type]
        _check_hashes(value, f"a {kind.__name__}")  # type: ignore[arg-type]
        return SET if kind is set else FROZENSET, content
    if kind is bytearray:
        return BYTEARRAY, bytes(value)  # type: ignore[call-overload]
    if kind is complex:
        return COMPLEX, _two_doubles.pack(value.real, value.imag)  # type: ignore[attr-defined]
    special = _SPECIAL.get((kind.__module__, kind.__qualname__))
    if special is not None and _is_standard(kind):
        return special(value)
    raise Unsendable("", f"is of type {_shown(kind)}, which cannot cross{_advice(kind)}")


def _shown(kind: type) -> str:
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return repr(name)


def _advice(kind: type) -> str:
    for base in (dict, list, tuple, str, int, float, bytes):
        if issubclass(kind, base):
            return f"; {base.__name__}(value) can"
    if hasattr(kind, "__fspath__"):
        return "; str(value) can"
    return ""


# By their names, so that what makes none of them imports none of them: a value of such a type has imported it.


def _is_standard(kind: type) -> bool:
    import sys

    return getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind


def _datetime(value: object) -> tuple[int, bytes]:
    zone = value.tzinfo  # type: ignore[attr-defined]
    key: object = ""
    if zone is not None and (type(zone).__module__, type(zone).__qualname__) != ("datetime", "timezone"):
        key = getattr(zone, "key", None)
        if type(zone).__module__ != "zoneinfo" or type(key) is not str:
            message = f"has a time zone of type {_shown(type(zone))}, which cannot cross; zoneinfo.ZoneInfo can"
            raise Unsendable("", message)
    fold = value.fold  # type: ignore[attr-defined]
    return DATETIME, f"{fold}{value.isoformat()} {key}".encode()  # type: ignore[attr-defined]


def _time(value: object) -> tuple[int, bytes]:
    if value.tzinfo is not None and type(value.tzinfo).__module__ != "datetime":  # type: ignore[attr-defined]
        raise Unsendable("", "is a time of day with a time zone that is no fixed offset, which cannot cross")
    return TIME, f"{value.fold}{value.isoformat()}".encode()  # type: ignore[attr-defined]


_SPECIAL: dict[tuple[str, str], Callable[[object], tuple[int, bytes | memoryview]]] = {
    ("datetime", "datetime"): _datetime,
    ("datetime", "date"): lambda value: (DATE, value.isoformat().encode()),  # type: ignore[attr-defined]
    ("datetime", "time"): _time,
    ("datetime", "timedelta"): lambda value: (
        TIMEDELTA,
        _timedelta.pack(value.days, value.seconds, value.microseconds),  # type: ignore[attr-defined]
    ),
    ("decimal", "Decimal"): lambda value: (DECIMAL, str(value).encode()),
    ("uuid", "UUID"): lambda value: (UUID, value.bytes),  # type: ignore[attr-defined]
    ("pyarrow.lib", "Table"): lambda value: (ARROW_TABLE, _arrow_bytes(value)),
    ("pyarrow.lib", "RecordBatch"): lambda value: (ARROW_BATCH, _arrow_bytes(value)),
}


def _arrow_bytes(value: object) -> memoryview:
    from plugline.worker.arrow import arrow_to_bytes  # pyarrow costs seven interpreter starts

    return arrow_to_bytes(value)


# ----------------------------------------------------------------------------- reading


def unpack(content: bytes) -> object:
    """Return the value of a message.

    Raises:
        Malformed: It is none, or something comes after it.
    """
    try:
        value, at = _unpack(content, 0, MAX_DEPTH)
    except (IndexError, _StructError, UnicodeDecodeError, TypeError, OverflowError) as error:
        raise Malformed(f"is no MessagePack: {error}") from None
    if at != len(content):
        raise Malformed(f"has {len(content) - at} bytes after its end")
    return value


def _unpack(data: bytes, at: int, depth: int) -> tuple[object, int]:  # noqa: C901 - one branch a type, alike
    if depth < 0:
        raise Malformed("is nested too deep")
    code = data[at]
    at += 1
    if code < 0x80:
        return code, at
    if code < 0x90:
        return _unpack_map(data, at, code & 0x0F, depth)
    if code < 0xA0:
        return _unpack_array(data, at, code & 0x0F, depth)
    if code < 0xC0:
        return _text(data, at, code & 0x1F)
    if code >= 0xE0:
        return code - 0x100, at
    if code in _CONSTANTS:
        return _CONSTANTS[code], at
    if code in _NUMBERS:
        layout = _NUMBERS[code]
        return layout.unpack_from(data, at)[0], at + layout.size
    if code in _LENGTHS:
        layout, read = _LENGTHS[code]
        (length,) = layout.unpack_from(data, at)
        return read(data, at + layout.size, length, depth)
    if code in _FIXED_LENGTHS:
        return _unpack_extension(data, at, _FIXED_LENGTHS[code], depth)
    raise Malformed(f"has the byte {code:#x}, which begins nothing")


def _slice(data: bytes, at: int, length: int) -> bytes:
    content = data[at : at + length]
    if len(content) != length:
        raise Malformed("ends in the middle of a value")
    return content


def _text(data: bytes, at: int, length: int, _depth: int = 0) -> tuple[object, int]:
    return _slice(data, at, length).decode(), at + length


def _binary(data: bytes, at: int, length: int, _depth: int) -> tuple[object, int]:
    return bytes(_slice(data, at, length)), at + length


def _unpack_array(data: bytes, at: int, length: int, depth: int) -> tuple[object, int]:
    if length > len(data) - at:
        raise Malformed("ends in the middle of an array")
    values = []
    for _ in range(length):
        value, at = _unpack(data, at, depth - 1)
        values.append(value)
    return values, at


def _unpack_map(data: bytes, at: int, length: int, depth: int) -> tuple[object, int]:
    if 2 * length > len(data) - at:
        raise Malformed("ends in the middle of a map")
    values = {}
    for _ in range(length):
        key, at = _unpack(data, at, 0)
        if type(key) is not str:
            raise Malformed("has a map whose keys are no strings")
        values[key], at = _unpack(data, at, depth - 1)
    return values, at


def _unpack_extension(data: bytes, at: int, length: int, depth: int) -> tuple[object, int]:
    code = data[at]
    content = _slice(data, at + 1, length)
    return unpack_extension(code, content, depth), at + 1 + length


_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: Struct(">f"),
    0xCB: Struct(">d"),
    0xCC: Struct(">B"),
    0xCD: Struct(">H"),
    0xCE: Struct(">I"),
    0xCF: Struct(">Q"),
    0xD0: Struct(">b"),
    0xD1: Struct(">h"),
    0xD2: Struct(">i"),
    0xD3: Struct(">q"),
}
_FIXED_LENGTHS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_8, _16, _32 = Struct(">B"), Struct(">H"), Struct(">I")
_LENGTHS: dict[int, tuple[Struct, Callable[[bytes, int, int, int], tuple[object, int]]]] = {
    0xC4: (_8, _binary),
    0xC5: (_16, _binary),
    0xC6: (_32, _binary),
    0xC7: (_8, _unpack_extension),
    0xC8: (_16, _unpack_extension),
    0xC9: (_32, _unpack_extension),
    0xD9: (_8, _text),
    0xDA: (_16, _text),
    0xDB: (_32, _text),
    0xDC: (_16, _unpack_array),
    0xDD: (_32, _unpack_array),
    0xDE: (_16, _unpack_map),
    0xDF: (_32, _unpack_map),
}


def unpack_extension(code: int, content: "bytes | memoryview", depth: int = MAX_DEPTH) -> object:
    """Return the value of an extension.

    Raises:
        Malformed: There is no such extension, or its content is not what it says.
    """
    read = _EXTENSIONS.get(code)
    if read is None:
        raise Malformed(f"has an extension {code}, which is none of ours")
    try:
        return read(bytes(content), depth - 1)
    except Malformed:
        raise
    except RecursionError:
        raise Malformed("is nested too deep") from None
    except Exception as error:  # noqa: BLE001 - whatever a constructor says of such bytes, they are wrong
        raise Malformed(f"has an extension {code} that cannot be read: {type(error).__name__}") from None


def _read_items(content: bytes, depth: int) -> "list[object]":
    value, at = _unpack(content, 0, depth)
    if type(value) is not list or at != len(content):
        raise Malformed("has an extension that holds no array")
    return value


def _read_set(content: bytes, depth: int) -> "list[object]":
    values = _read_items(content, depth)
    _check_keys(values)
    return values


def _read_pairs(content: bytes, depth: int) -> "dict[object, object]":
    values = _read_items(content, depth)
    _check_keys(values[::2])
    return dict(zip(values[::2], values[1::2], strict=True))


def _check_keys(keys: "list[object]") -> None:
    if len(keys) > MAX_ODD_ITEMS:
        raise Malformed(f"has a set or an odd dict of {len(keys):,} items")
    if _collide(keys):
        raise Malformed(f"has a set or an odd dict with more than {MAX_OF_ONE_HASH} items of one hash")


def _read_big(content: bytes, _depth: int) -> int:
    if len(content) > _MAX_BIG_INTEGER_BYTES:
        raise Malformed("has an integer that is too long")
    return int.from_bytes(content, "big", signed=True)


def _read_datetime(content: bytes, _depth: int) -> object:
    from datetime import datetime  # only where one comes

    text, _, key = content.decode().partition(" ")
    value = datetime.fromisoformat(text[1:]).replace(fold=int(text[0]))
    if key:
        from zoneinfo import ZoneInfo

        if len(key) > 100:
            raise Malformed("has a time zone that is none")
        value = value.replace(tzinfo=ZoneInfo(key))
    return value


def _read_date(content: bytes, _depth: int) -> object:
    from datetime import date

    return date.fromisoformat(content.decode())


def _read_time(content: bytes, _depth: int) -> object:
    from datetime import time

    text = content.decode()
    return time.fromisoformat(text[1:]).replace(fold=int(text[0]))


def _read_timedelta(content: bytes, _depth: int) -> object:
    from datetime import timedelta

    days, seconds, microseconds = _timedelta.unpack(content)
    return timedelta(days, seconds, microseconds)


def _read_decimal(content: bytes, _depth: int) -> object:
    from decimal import Decimal

    if len(content) > _MAX_BIG_INTEGER_BYTES:
        raise Malformed("has a decimal number that is too long")
    return Decimal(content.decode("ascii"))


def _read_uuid(content: bytes, _depth: int) -> object:
    from uuid import UUID as Uuid  # noqa: N811 - likewise; the name is the extension's

    return Uuid(bytes=content)


def _read_table(content: bytes, _depth: int) -> object:
    from plugline.worker.arrow import table_from_bytes

    return table_from_bytes(content)


def _read_batch(content: bytes, _depth: int) -> object:
    from plugline.worker.arrow import batch_from_bytes

    return batch_from_bytes(content)


def _read_complex(content: bytes, _depth: int) -> complex:
    return complex(*_two_doubles.unpack(content))


def _read_timestamp(content: bytes, _depth: int) -> object:
    """Read MessagePack's own type for a moment; we send none, but msgspec reads it as well."""
    from datetime import UTC, datetime, timedelta

    if len(content) == 4:
        seconds, nanoseconds = unpack_from(">I", content)[0], 0
    elif len(content) == 8:
        (both,) = unpack_from(">Q", content)
        nanoseconds, seconds = both >> 34, both & 0x3FFFFFFFF
    else:
        nanoseconds, seconds = Struct(">Iq").unpack(content)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)


_EXTENSIONS: dict[int, Callable[[bytes, int], object]] = {
    BIG_INTEGER: _read_big,
    ODD_TEXT: lambda content, _: content.decode("utf-8", "surrogatepass"),
    TUPLE: lambda content, depth: tuple(_read_items(content, depth)),
    SET: lambda content, depth: set(_read_set(content, depth)),
    FROZENSET: lambda content, depth: frozenset(_read_set(content, depth)),
    BYTEARRAY: lambda content, _: bytearray(content),
    COMPLEX: _read_complex,
    DATETIME: _read_datetime,
    DATE: _read_date,
    TIME: _read_time,
    TIMEDELTA: _read_timedelta,
    DECIMAL: _read_decimal,
    UUID: _read_uuid,
    PAIRS: _read_pairs,
    ARROW_TABLE: _read_table,
    ARROW_BATCH: _read_batch,
    _TIMESTAMP: _read_timestamp,
}
