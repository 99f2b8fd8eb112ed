"""Both codecs of the wire: the strict one in Python, and msgspec's."""

import collections
import datetime
import decimal
import enum
import gc
import itertools
import uuid
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugline.worker import codec
from plugline.worker.packing import MAX_DEPTH, MAX_ODD_ITEMS, Malformed, Unsendable, pack, unpack

Encode = Callable[[object], bytes]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**64), 2**65)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.binary().map(bytearray)
    | st.complex_numbers(allow_nan=False)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.datetimes()
    | st.datetimes(timezones=st.just(datetime.UTC) | st.just(ZoneInfo("Europe/Berlin")))
    | st.decimals(allow_nan=False)
    | st.uuids()
)
hashable = st.integers() | st.text() | st.tuples(st.integers(), st.text())
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(), inner, max_size=5)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.tuples(inner, inner)
        | st.sets(hashable, max_size=4)
        | st.frozensets(hashable, max_size=4)
    ),
    max_leaves=15,
)


def encode(value: object) -> bytes:
    return codec.encode([value])


@settings(suppress_health_check=[HealthCheck.too_slow])  # zoneinfo reads its files at the first draw
@given(values)
def test_a_value_arrives_as_it_is_through_either_codec(value: object) -> None:
    expected = repr(_sorted(value))
    assert repr(_sorted(unpack(pack(value)))) == expected
    assert repr(_sorted(codec.decode(pack(value)))) == expected
    for read in (unpack, codec.decode):
        (found,) = read(encode(value))  # type: ignore[misc]
        assert repr(_sorted(found)) == expected  # type: ignore[has-type]


def _sorted(value: object) -> object:
    """Sets have no order, and equal ones are shown in different ones."""
    if isinstance(value, (set, frozenset)):
        return (type(value).__name__, sorted(map(repr, value)))
    if isinstance(value, dict):
        return {repr(key): _sorted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_sorted(item) for item in value)
    return value


@given(st.binary(max_size=60))
def test_bytes_are_a_value_or_malformed_and_both_codecs_agree_on_the_value(content: bytes) -> None:
    found = []
    for read in (unpack, codec.decode):
        try:
            found.append(repr(_sorted(read(content))))
        except Malformed:
            found.append("malformed")
    # msgspec also takes maps with other keys, and what it takes for a time; who reads answers states their types.
    assert "malformed" in found or found[0] == found[1]


class Kind(enum.IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


# hash(-1) == hash(-2), and so it is with tuples of them.
OF_ONE_HASH = list(itertools.islice(itertools.product((-1, -2), repeat=7), 65))


@pytest.mark.parametrize("to_bytes", [pack, encode])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Text("x"), "which cannot cross; str(value) can"),
        (Kind.ONE, "int(value) can"),
        (collections.OrderedDict(a=1), "'collections.OrderedDict', which cannot cross; dict(value) can"),
        (Path("x"), "str(value) can"),
        (object(), "is of type 'object', which cannot cross"),
        (2**40_000, "an integer of 40,001 bits, too long to cross"),
        ({1: object()}, "which cannot cross"),
        (set(range(MAX_ODD_ITEMS + 1)), "is a set with 10,001 items, at most 10,000 cross"),
        (set(OF_ONE_HASH), "is a set with more than 64 items of one hash, which cannot cross"),
        (dict.fromkeys(OF_ONE_HASH), "whose keys are not all strings with more than 64 items of one hash"),
        (datetime.datetime(2020, 1, 1, tzinfo=type("Zone", (datetime.tzinfo,), {"utcoffset": lambda *_: datetime.timedelta(0)})()), "time zone of type"),
    ],
    ids=["text", "enum", "ordered", "path", "object", "long", "key", "set", "collide", "odd", "zone"],
)  # fmt: skip
def test_what_would_not_arrive_as_it_is_does_not_cross(to_bytes: Encode, value: object, said: str) -> None:
    with pytest.raises(Unsendable) as caught:
        to_bytes(value)
    assert said in str(caught.value)
    with pytest.raises(Unsendable) as caught:
        to_bytes({"a": [0, value]})
    assert "['a'][1]" in caught.value.where


@pytest.mark.parametrize("to_bytes", [pack, encode])
def test_what_holds_itself_does_not_cross_and_ends(to_bytes: Encode) -> None:
    holder: list[object] = []
    holder.append(holder)
    with pytest.raises(Unsendable, match=f"nested more than {MAX_DEPTH} deep, or holds itself"):
        to_bytes(holder)


COLLIDING = b"\xc8\x00\x00" + pack(OF_ONE_HASH)  # to be the content of a set


@pytest.mark.parametrize("read", [unpack, codec.decode])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x91" * 100_000 + b"\xc0",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\xa1a",
        b"\xc6\xff\xff\xff\xffabc",
        b"\xc1",
        b"\xc0\xc0",
        b"\xc7\x02\x63ab",
        b"\xd4\x01",
        b"\xc7\x03\x0cone",
        b"\xc7\x09\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        pack({1: 2})[:-1],
        b"\xa2\xff\xfe",
        b"\xc8" + (len(COLLIDING) - 3).to_bytes(2, "big") + b"\x04" + COLLIDING[3:],
    ],
    ids=lambda content: content[:12].hex(),
)
def test_malformed_bytes_are_told_to_be(read: Callable[[bytes], object], content: bytes) -> None:
    with pytest.raises(Malformed):
        read(content)


def test_equal_bytes_come_of_both_codecs_where_values_are_plain() -> None:
    value = {"n": 1, "s": "ä" * 300, "f": 1.5, "l": [None, True, -1, 2**33], "b": b"x" * 70_000}
    assert pack([value]) == encode(value)


def test_an_identifier_of_a_class_that_only_bears_a_known_name_does_not_cross() -> None:
    impostor = type("UUID", (), {"__module__": "uuid", "bytes": b""})
    with pytest.raises(Unsendable):
        pack(impostor())
    assert unpack(pack(uuid.UUID(int=1))) == uuid.UUID(int=1)
    assert unpack(pack(decimal.Decimal("NaN"))) != 0


def test_tuples_that_share_a_hash_with_some_others_cross() -> None:
    few = set(OF_ONE_HASH[:64])
    assert unpack(pack(few)) == few
    assert codec.decode(encode(few)) == [few]


class _Instance:
    def __init__(self) -> None:
        self.a = 1
        self.b = "x"


ROW = {"a": 1, "b": "x", "c": None}


def _once_odd() -> dict[object, object]:
    row: dict[object, object] = {1: 2}
    row.update(ROW)
    del row[1]
    return row


@pytest.mark.parametrize(
    ("rows", "plain"),
    [
        ([], True),
        ([ROW] * 3, True),
        ([{}, ROW, {}], True),
        ([ROW, {"a": 1.5, "b": b"x"}, {"d": True}], True),
        ([vars(_Instance()), vars(_Instance())], True),
        ([ROW, _once_odd()], True),
        ([ROW, {1: 2}], False),
        ([{1: 2, 3: 4}, {}], False),
        ([ROW, {Text("z"): 1}], False),
        ([ROW, {**ROW, "c": datetime.date(2020, 1, 1)}], False),
        ([{**ROW, "c": Kind.ONE}] * 2, False),
        ([{**ROW, "c": Text("x")}] * 2, False),
        ([{**ROW, "c": decimal.Decimal(1)}] * 2, False),
        ([ROW, {**ROW, "c": []}], False),
        ([ROW, collections.OrderedDict(ROW)], False),
        ([ROW, None], False),
    ],
)
def test_records_are_plain_if_all_their_keys_are_text_and_their_values_leaves(
    rows: list[dict[str, object]], plain: object
) -> None:
    assert codec.are_plain_records(rows) is plain


def test_the_collector_of_garbage_sees_the_values_of_dicts_with_text_as_keys_and_the_keys_too_of_others() -> None:
    """What makes :func:`plugline.worker.codec.are_plain_records` quick; where it did not hold it would be right, and slow."""
    value = object()
    assert gc.get_referents({"a": value}) == [value]
    assert len(gc.get_referents({1: value})) == 2
