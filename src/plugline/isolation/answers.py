"""What a worker may say: typed messages, of which whatever else it sends is the opposite (docs/reference/wire.md).

Every byte is taken for hostile. A length is bounded before it is read, what a message will take in memory before it is
decoded, and its types while it is.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from plugline.worker.codec import ext_hook
from plugline.worker.packing import Malformed

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

_FREELY_DECODED_BYTES = 2**20  # of these, at most 80 times as much can become
_MAX_ITEMS = 4_000_000
_CONTAINERS = bytes(range(0x80, 0xA0)) + bytes(range(0xDC, 0xE0))


def decode_answer(content: "bytes | bytearray | memoryview") -> Answer:
    """Return the message.

    Raises:
        Malformed: It is none of ours, or would take far more memory than it is long.
    """
    if len(content) > _FREELY_DECODED_BYTES:
        _check_amplification(bytes(content))
    try:
        return _decoder.decode(content)  # type: ignore[no-any-return]  # msgspec has no types for unions
    except RecursionError:
        raise Malformed("is nested too deep") from None
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
        raise Malformed(f"sent what is no answer: {str(error)[:200]}") from None


def _check_amplification(content: bytes) -> None:
    """Refuse bytes that decode to very many objects: an empty dict is one byte here, and 64 in memory."""
    # One pass in C counts too many (text in other scripts has such bytes), and so often is enough.
    most = len(content) - len(content.translate(None, _CONTAINERS))
    if most > _MAX_ITEMS // 4 and count_containers(content, _MAX_ITEMS // 4) >= _MAX_ITEMS // 4:
        raise Malformed(f"sent {len(content):,} bytes that hold more than {_MAX_ITEMS // 4:,} lists and dicts")


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
