"""Values to MessagePack and back at msgspec's speed, and as strictly as :mod:`plugline.worker.packing`.

msgspec writes a Decimal or a datetime as text, which would come out as text. So the types of all values are looked at
first, in loops that run in C: 0.02 microseconds a value. What is not plain goes as an extension.
"""

from gc import get_referents
from itertools import chain

import msgspec

from plugline.typed import Iterable
from plugline.worker.packing import (
    ARROW_BATCH,
    ARROW_TABLE,
    MAX_DEPTH,
    Malformed,
    Unsendable,
    extension_of,
    pack,
    unpack_extension,
)

_LEAVES = frozenset({str, int, float, bool, type(None), bytes})
_PLAIN = _LEAVES | {dict, list}
_TEXT = frozenset({str})
_DICT = frozenset({dict})

_encode = msgspec.msgpack.Encoder().encode


def ext_hook(code: int, content: memoryview) -> object:
    """Make the value of an extension, for decoders."""
    return unpack_extension(code, content)


def _request_hook(code: int, content: memoryview) -> object:
    if code in (ARROW_TABLE, ARROW_BATCH):
        from plugline.worker.arrow import read_trusted  # pyarrow costs seven interpreter starts

        return read_trusted(bytes(content), single=code == ARROW_BATCH)
    return unpack_extension(code, content)


_decoder = msgspec.msgpack.Decoder(ext_hook=ext_hook)
_request_decoder = msgspec.msgpack.Decoder(ext_hook=_request_hook)


def is_plain(values: Iterable[object]) -> bool:
    """Whether values, and all in them, arrive as they are when msgspec writes them."""
    level = list(values)
    for _ in range(MAX_DEPTH):
        kinds = set(map(type, level))
        if kinds <= _LEAVES:
            return True
        if not kinds <= _PLAIN:
            return False
        dicts = [value for value in level if type(value) is dict] if dict in kinds else []
        lists = [value for value in level if type(value) is list] if list in kinds else []
        if not set(map(type, set().union(*dicts))) <= _TEXT:
            return False
        level = list(chain(chain.from_iterable(map(dict.values, dicts)), chain.from_iterable(lists)))
    return False


def are_plain_records(records: "list[dict[str, object]]") -> bool:
    """Say the same of dicts in a row: the common case, in a third of the time."""
    if not set(map(type, records)) <= _DICT:
        return False
    # Of a dict whose keys are all text, the collector of garbage sees the values; of another one, the keys as well.
    values = get_referents(*records)
    if len(values) != sum(map(len, records)):
        return _are_plain_slowly(records)
    kinds = list(map(type, values))
    # Records in a row are alike as a rule, and comparing is cheaper than a set of all kinds.
    first = kinds[: len(records[0])] if records else []
    return _LEAVES.issuperset(first if first * len(records) == kinds else kinds)


def _are_plain_slowly(records: "list[dict[str, object]]") -> bool:
    return (
        # Of keys that are equal one is looked at: a class derived from str that is equal to a key seen before is text, too.
        set(map(type, set().union(*records))) <= _TEXT
        and set(map(type, chain.from_iterable(map(dict.values, records)))) <= _LEAVES
    )


def encode(message: "list[object]") -> bytes:
    """Return a message as MessagePack.

    Raises:
        Unsendable: It holds something of a type that cannot cross.
    """
    try:
        return _encode(message if is_plain(message) else _swapped(message, MAX_DEPTH))
    except (OverflowError, UnicodeEncodeError, RecursionError):
        return pack(message)  # integers of more than 64 bits, halves of surrogate pairs


def encode_plain(message: "list[object]") -> bytes:
    """Return a message as MessagePack whose values are known to be plain.

    Raises:
        Unsendable: It holds something of a type that cannot cross.
    """
    try:
        return _encode(message)
    except (OverflowError, UnicodeEncodeError):
        return pack(message)


def _swapped(value: object, depth: int) -> object:
    """Return a value with what is not plain as extensions."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if depth == 0:
        raise Unsendable("", f"is nested more than {MAX_DEPTH} deep, or holds itself")
    key: object = None
    try:
        if kind is dict and set(map(type, value)) <= _TEXT:  # type: ignore[call-overload]
            swapped = {}
            for key, item in value.items():  # type: ignore[attr-defined]
                swapped[key] = item if type(item) in _LEAVES else _swapped(item, depth - 1)
            return swapped
        if kind is list:
            items = []
            for key, item in enumerate(value):  # type: ignore[arg-type]  # noqa: B007 - told when it cannot cross
                items.append(item if type(item) in _LEAVES else _swapped(item, depth - 1))
            return items
    except Unsendable as error:
        raise Unsendable(f"[{key!r:.60}]{error.where}", error.said) from None
    return msgspec.msgpack.Ext(*extension_of(value, depth))


def decode(content: "bytes | bytearray | memoryview") -> object:
    """Return the value of a message.

    Raises:
        Malformed: It is none.
    """
    return _decode(_decoder, content)


def decode_request(content: "bytes | bytearray | memoryview") -> object:
    """Return the value of a message from one's own host: its Arrow tables are not validated. Raises as :func:`decode`."""
    return _decode(_request_decoder, content)


def _decode(decoder: "msgspec.msgpack.Decoder[object]", content: "bytes | bytearray | memoryview") -> object:
    try:
        return decoder.decode(content)
    except (msgspec.MsgspecError, Malformed, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise Malformed(f"is no message: {str(error)[:200]}") from None


def are_plain_results(results: "list[object]") -> bool:
    """Say whether what a step returned for records in a row arrives as it is when msgspec writes it."""
    kinds = set(map(type, results))
    records = [result for result in results if result is not None] if type(None) in kinds else results
    return (dict in kinds and are_plain_records(records)) or is_plain(results)  # type: ignore[arg-type]
