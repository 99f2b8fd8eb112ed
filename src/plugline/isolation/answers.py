"""What a worker may say: typed messages, of which whatever else it sends is the opposite (docs/reference/wire.md).

Every byte is taken for hostile. A length is bounded before it is read, what a message will take in memory before it is
decoded, and its types while it is.
"""

from functools import cache
from typing import Annotated, Union

import msgspec
from msgspec import Meta

from plugline.worker.codec import ext_hook
from plugline.worker.packing import FROZENSET, PAIRS, SET, TUPLE, Malformed, TooLarge

_Short = Annotated[str, Meta(max_length=1_000)]
_Text = Annotated[str, Meta(max_length=30_000)]
_Count = Annotated[int, Meta(ge=0, le=2**53)]
_Line = Annotated[int, Meta(ge=0, le=2**31)] | None


class Ready(msgspec.Struct, tag="ready", array_like=True, frozen=True, forbid_unknown_fields=True):
    """It has taken on its limits, and found that they hold."""

    sequence: _Count
    wire: _Count
    plugline: _Short
    python: tuple[_Count, _Count, _Count]
    pid: _Count


class Refused(msgspec.Struct, tag="refused", array_like=True, frozen=True, forbid_unknown_fields=True):
    """It could not take on its limits."""

    sequence: _Count
    what: _Text
    hint: _Text


class Loaded(msgspec.Struct, tag="loaded", array_like=True, frozen=True, forbid_unknown_fields=True):
    """The plugin was run and provides an interface."""

    sequence: _Count
    interface: _Count
    is_class: bool
    functions: Annotated[list[_Short], Meta(max_length=1_000)]
    opens: bool = False
    closes: bool = False


class Declined(msgspec.Struct, tag="declined", array_like=True, frozen=True, forbid_unknown_fields=True):
    """The plugin said that it does not apply here."""

    sequence: _Count
    reason: _Text


class Failed(msgspec.Struct, tag="failed", array_like=True, frozen=True, forbid_unknown_fields=True):
    """The plugin could not be run, or lacks something: findings."""

    sequence: _Count
    findings: Annotated[
        list[tuple[_Short, _Text, _Text, _Line, _Line, _Text | None, _Text | None]],
        Meta(min_length=1, max_length=1_000),
    ]


class Made(msgspec.Struct, tag="made", array_like=True, frozen=True, forbid_unknown_fields=True):
    """An instance was made, unless there are problems with its settings."""

    sequence: _Count
    problems: Annotated[list[tuple[list[str | int], _Short, _Text, _Text | None]], Meta(max_length=1_000)]
    stateful: bool = False


class Done(msgspec.Struct, tag="done", array_like=True, frozen=True, forbid_unknown_fields=True):
    """What a call returned."""

    sequence: _Count
    value: object


class Raised(msgspec.Struct, tag="raised", array_like=True, frozen=True, forbid_unknown_fields=True):
    """What a call raised."""

    sequence: _Count
    kind: _Short
    message: _Text
    path: _Text | None
    line: _Line
    traceback: _Text
    bases: Annotated[list[_Short], Meta(max_length=20)] = []


class Batched(msgspec.Struct, tag="batched", array_like=True, frozen=True, forbid_unknown_fields=True):
    """What became of the records ``start`` and following of a batch."""

    sequence: _Count
    start: _Count
    results: list[object]
    failures: list[tuple[_Count, _Short, _Text, _Text | None, _Line, _Text]]
    last: bool


Answer = Ready | Refused | Loaded | Declined | Failed | Made | Done | Raised | Batched

_decoder = msgspec.msgpack.Decoder(Answer, ext_hook=ext_hook)

_SURELY_HARMLESS_BYTES = 2**12  # of these no dict can be made whose keys take noticeable time to tell apart
_FREELY_DECODED_BYTES = 2**20  # of these, at most 80 times as much can become
_MAX_CONTAINERS = 1_000_000
_MAX_WALKED = 4_000_000  # values of one answer that are looked at one by one: half a second
_CONTAINERS = bytes(range(0x80, 0xA0)) + bytes(range(0xDC, 0xE0))
_REFUSALS = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)
_PLAIN_DEPTH = 5  # each level doubles the time to make the decoder, 1.3 ms here; GeoJSON's polygons take all of them


def decode_answer(content: "bytes | bytearray | memoryview") -> Answer:
    """Return the message; nothing of it is part of ``content``.

    Raises:
        Malformed: It is none of ours, or would take far more memory or time than it is long.
    """
    length = len(content)
    if length <= _SURELY_HARMLESS_BYTES:
        return _decode(_decoder, content)
    if length > _FREELY_DECODED_BYTES:
        _check_amplification(bytes(content))
    try:
        return _plain_decoder().decode(content)
    except _REFUSALS:
        # It has what the wire knows and JSON does not, or it is wrong: then the other decoder says how.
        _check_keys(bytes(content))
        return _decode(_decoder, content)


def _decode(decoder: "msgspec.msgpack.Decoder[Answer]", content: "bytes | bytearray | memoryview") -> Answer:
    try:
        return decoder.decode(content)
    except RecursionError:
        raise Malformed("is nested too deep") from None
    except TooLarge as error:
        raise TooLarge(f"sent an answer that {error}") from None
    except _REFUSALS as error:
        raise Malformed(f"sent what is no answer: {str(error)[:200]}") from None


@cache
def _plain_decoder() -> "msgspec.msgpack.Decoder[Answer]":
    """Return what decodes answers whose values JSON could hold, and no others: at msgspec's speed, and all keys are text.

    msgspec by itself takes any value for a key. Lists of -1 and -2, say, which become tuples there, have the same hash by
    the thousand, and a dict of 50,000 such keys, a message of a megabyte, takes two minutes of which nobody can stop one.
    """
    value: object = bool | int | float | str | None
    for _ in range(_PLAIN_DEPTH):
        value = Union[bool, int, float, str, None, list[value], dict[str, value]]  # type: ignore[valid-type]  # noqa: UP007 - made step by step

    plain_done = msgspec.defstruct(
        "Done", [("value", value)], bases=(Done,), tag="done", array_like=True, frozen=True, forbid_unknown_fields=True
    )
    plain_batched = msgspec.defstruct(
        "Batched",
        [("results", list[value])],  # type: ignore[valid-type]  # as above
        bases=(Batched,),
        tag="batched",
        array_like=True,
        frozen=True,
        forbid_unknown_fields=True,
    )
    kinds = Union[Ready, Refused, Loaded, Declined, Failed, Made, plain_done, Raised, plain_batched]  # type: ignore[valid-type]  # noqa: UP007 - likewise
    return msgspec.msgpack.Decoder(kinds)


def _check_amplification(content: bytes) -> None:
    """Refuse bytes that decode to very many objects: an empty dict is one byte here, and 64 in memory."""
    # One pass in C counts too many (text in other scripts has such bytes), and so often is enough.
    most = len(content) - len(content.translate(None, _CONTAINERS))
    if most > _MAX_CONTAINERS and count_containers(content, _MAX_CONTAINERS) >= _MAX_CONTAINERS:
        raise TooLarge(f"sent {len(content):,} bytes that hold more than {_MAX_CONTAINERS:,} lists and dicts")


def count_containers(content: bytes, enough: int) -> int:
    """Return how many arrays and maps a message has; stops at ``enough``, and at what is no MessagePack."""
    at, found, end = 0, 0, len(content)
    while at < end and found < enough:
        code = content[at]
        at += 1
        if code < 0x80 or code >= 0xE0 or code in (0xC0, 0xC2, 0xC3):
            continue
        if code < 0xA0:
            found += 1
        elif code < 0xC0:
            at += code & 0x1F
        elif code in _SKIPS:
            at += _SKIPS[code]
        elif code in (0xDC, 0xDE):
            found, at = found + 1, at + 2
        elif code in (0xDD, 0xDF):
            found, at = found + 1, at + 4
        elif code in _LENGTHS:
            width, more = _LENGTHS[code]
            length = int.from_bytes(content[at : at + width], "big")
            if more and code != 0xC7:  # an extension, which may hold values itself
                at += width + 1
                found += 1
            else:
                at += width + more + length
        else:
            break
    return found


_SKIPS = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_SKIPS |= {0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}
_LENGTHS = {
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
    0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),
}  # fmt: skip


def _check_keys(content: bytes) -> None:
    """Refuse a message that has a map with a key that is no text, or more values than can be looked at."""
    at, end, inside = 0, len(content), 0
    left, is_map = 1, False  # values that are to come where it is, and whether every second of them is a key
    outer: list[tuple[int, bool]] = []
    for _ in range(_MAX_WALKED):
        while not left:
            if not outer:
                return
            left, is_map = outer.pop()
        if at >= end:
            return  # it is cut off, and so no message either
        code = content[at]
        if is_map and not left & 1 and not (0xA0 <= code < 0xC0 or 0xD9 <= code <= 0xDB):
            raise Malformed("sent a map whose keys are no text")
        left -= 1
        width = _WIDTHS[code]
        if width:
            at += width
            continue
        before = at
        items, at = _enter(content, at)
        if (
            code in _EXTENSIONS
            and content[before + _EXTENSIONS[code] : before + _EXTENSIONS[code] + 1] in _HOLDING_OTHERS
        ):
            inside += at - before
            if inside > _MAX_WALKED:
                break
        if items:
            outer.append((left, is_map))
            is_map = code < 0x90 or code >= 0xDE
            left = 2 * items if is_map else items
    raise TooLarge(f"sent more than {_MAX_WALKED:,} values with others among them than JSON knows")


# Where the kind of an extension stands behind its first byte; and the kinds that hold values, of a byte or more.
_EXTENSIONS = {0xC7: 2, 0xC8: 3, 0xC9: 5}
_HOLDING_OTHERS = {bytes((kind,)) for kind in (TUPLE, SET, FROZENSET, PAIRS)}


def _enter(content: bytes, at: int) -> tuple[int, int]:
    """Return how many items, or pairs, begin where something of no fixed length stands, and where that goes on."""
    code = content[at]
    if code < 0xA0:
        return code & 0x0F, at + 1
    if code >= 0xDC:
        width = 2 if code in (0xDC, 0xDE) else 4
        return int.from_bytes(content[at + 1 : at + 1 + width], "big"), at + 1 + width
    width, more = _LENGTHS[code]
    return 0, at + 1 + width + more + int.from_bytes(content[at + 1 : at + 1 + width], "big")


# How many bytes a value takes that begins with a byte; 0 where other bytes say it, or others follow.
_WIDTHS = bytes(
    0 if 0x80 <= code < 0xA0 or code in _LENGTHS or 0xDC <= code < 0xE0
    else 1 + (code & 0x1F) if 0xA0 <= code < 0xC0
    else 1 + _SKIPS.get(code, 0)
    for code in range(256)
)  # fmt: skip
