"""YAML: what others write, what they read of ours, what is broken, and what YAML 1.1 and 1.2 disagree on."""

import io
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from plugline.formats.yaml import Yaml
from plugline.records import Position, Record
from tests.trickling import Trickle


def read(text: str | bytes, form: Yaml | None = None, count: int = 2**20) -> list[object]:
    """Return records, and the messages of what is none."""
    return [found for found, _ in read_with_positions(text, form, count)]


def read_with_positions(
    text: str | bytes, form: Yaml | None = None, count: int = 2**20
) -> list[tuple[object, Position]]:
    reader = (form or Yaml()).reader()
    found: list[tuple[object, Position]] = []
    for batch in reader.batches(Trickle(text if isinstance(text, bytes) else text.encode(), count)):
        for index, raw in enumerate(batch.raws):
            made: object
            try:
                made = reader.decode(raw)
            except ValueError as error:
                made = str(error)
            found.append((made, batch.position(index)))
    return found


def written(records: Sequence[Record], form: Yaml | None = None) -> str:
    stream = io.BytesIO()
    writer = (form or Yaml()).writer()
    writer.open(stream, first=True)
    writer.write([writer.encode(record) for record in records])
    writer.close(last=True)
    return stream.getvalue().decode()


SURPRISES = ["", " ", "no", "on", "y", "Yes", "null", "~", "true", "1", "0x1f", "0o17", "017", "1_000", "1e3", ".5", ".inf", "1.", "+1",
    "12:30:00", "2024-02-29", "=", "<<", "-", "- a", "? a", "a: b", "a #b", "#", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a",
    "---", "...", "--- a", "a\n---\nb", "a\n", "a\nb", " a\nb", "a \nb", "a\n\tb", "a\n\n", "\n", "a\n\nb\n", "a\r\nb", "\x85", "\u2028",
    "\ufeff", "\0", "\x7f", "\ufffe", "'", '"', "\\", "a,b", "[a]", "{a}", "Größe", "😀", "x" * 2000, "a\nb: [", "a " * 100, "\ud7ff\ue000"]  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(SURPRISES)
# PyYAML writes some of what is a number in YAML 1.2 without quotes.
NO_NUMBERS = st.text(st.characters(exclude_categories=["Cs", "Nd"])) | st.sampled_from(SURPRISES)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
SCALARS: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    TEXTS,
    st.binary(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=OFFSETS),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=12
)
RECORDS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=4)


def same(one: object, other: object) -> bool:
    """Whether two values are the same, their types and the order of keys included."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, datetime) and isinstance(other, datetime):
        return one == other and one.utcoffset() == other.utcoffset()
    return type(one) is type(other) and one == other


@pytest.mark.slow
@pytest.mark.parametrize("documents", [False, True])
@pytest.mark.parametrize("timestamps", [False, True])
@settings(max_examples=150, deadline=None)
@given(RECORDS)
def test_what_was_written_is_read_as_the_same_values_of_the_same_types(
    documents: bool,  # noqa: FBT001
    timestamps: bool,  # noqa: FBT001
    records: list[Record],
) -> None:
    form = Yaml(documents=documents, timestamps=timestamps)
    text = written(records, form)
    assert same(read(text, form), records), text
    assert same(read(text, form, 7), records), text


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(RECORDS)
def test_what_is_written_is_the_same_to_readers_of_yaml_1_1(records: list[Record]) -> None:
    assert same(yaml.load(written(records), Loader=yaml.CSafeLoader), records)
    documents = yaml.load_all(written(records, Yaml(documents=True)), Loader=yaml.CSafeLoader)
    assert same([*documents], records)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(NO_NUMBERS, st.recursive(st.none() | st.booleans() | st.integers() | NO_NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NO_NUMBERS, inner, max_size=3), max_leaves=8), max_size=3), min_size=1, max_size=4),
    st.sampled_from([None, False, True]), st.sampled_from([None, '"', "'", "|", ">"]), st.sampled_from([2, 4]), st.booleans())  # fmt: skip
def test_what_pyyaml_writes_is_read_whatever_its_style(
    records: list[Record],
    flow: bool | None,  # noqa: FBT001
    quotes: str | None,
    indent: int,
    several: bool,  # noqa: FBT001
) -> None:
    looks: dict[str, Any] = {
        "default_flow_style": flow,
        "default_style": quotes,
        "indent": indent,
        "allow_unicode": True,
        "sort_keys": False,
    }
    if several:
        text = yaml.dump_all(records, Dumper=yaml.SafeDumper, explicit_start=True, **looks)
    else:
        text = yaml.dump(records, Dumper=yaml.SafeDumper, **looks)
    found = read(text)
    assert found == read(text, count=5)
    # What it writes means something else in YAML 1.2, or to itself.
    differs = any(piece in text for piece in ("1e3", "0o17", "\x85", "\u2028", "\u2029"))
    if not differs and [*yaml.load_all(text, Loader=yaml.CSafeLoader)] == (records if several else [records]):
        assert found == records


LINES = ["- a: 1", "-", "- - b", "  - c: 2", "  d: 3", "e: [1", "  2]", "---", "--- # x", "--- &q !!seq", "--- |", "...", "... x", "%YAML 1.1", "%TAG ! x",
    "# note", "", "   ", "[{f: 1},", " {g: 2}]", "- &h {i: 1}", "- *h", "'j", "k'", '"', "? l", ": m", "\t", "- a: 1\r", "\r- b", "{", "}", "!n o", "*h"]  # fmt: skip


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12), st.booleans())
def test_whatever_stands_there_it_is_read_to_its_end_in_however_small_pieces_it_comes(
    lines: list[str],
    ends: bool,  # noqa: FBT001
) -> None:
    text = "\n".join(lines) + "\n" * ends
    found = read_with_positions(text)
    for count in (1, 2, 5):
        assert read_with_positions(text, count=count) == found
    places = [position.offset for _, position in found]
    assert places == sorted(set(places), key=lambda place: place or 0)


def test_types_are_those_of_yaml_1_2_and_what_1_1_takes_for_something_else_is_text() -> None:
    text = """
null: [null, Null, NULL, ~, nil]
nothing:
true: [true, True, TRUE, false, tRUE]
text: [no, on, y, 12:30:00, 1_000, =, 2024-02-29, 0b1, 01234, +0012, 1.2.3, .e1, "1", '~', ! 1, 0o9, -0x1f]
int: [0, -1, +12, 0o17, 0x1F, 123456789012345678901234567890]
float: [1., .5, 1e3, -1.5E-3, 00.5, .inf, -.Inf, +.INF]
"""
    (found,) = read(text)
    assert found == {
        "null": [None, None, None, None, "nil"],
        "nothing": None,
        "true": [True, True, True, False, "tRUE"],
        "text": ["no", "on", "y", "12:30:00", "1_000", "=", "2024-02-29", "0b1", "01234", "+0012", "1.2.3", ".e1", "1", "~", "1", "0o9", "-0x1f"],
        "int": [0, -1, 12, 15, 31, 123456789012345678901234567890],
        "float": [1.0, 0.5, 1000.0, -0.0015, 0.5, math.inf, -math.inf, math.inf],
    }  # fmt: skip
    assert [type(value) for value in found["float"]] == [float] * 8


def test_tags_say_what_a_value_is() -> None:
    text = """
a: !!str 12
b: !!int "12"
c: !!float 1
d: !!bool "true"
e: !!null ''
f: !!binary aGk=
g: !!timestamp 2024-02-29
h: !!timestamp 2024-02-29 12:30:15.25 +5:30
i: !!timestamp 2001-12-14t21:59:43Z
j: !!map {x: !!seq [1]}
k: !<tag:yaml.org,2002:int> 7
"""
    (found,) = read(text)
    assert found == {
        "a": "12",
        "b": 12,
        "c": 1.0,
        "d": True,
        "e": None,
        "f": b"hi",
        "g": date(2024, 2, 29),
        "h": datetime(2024, 2, 29, 12, 30, 15, 250_000, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        "i": datetime(2001, 12, 14, 21, 59, 43, tzinfo=UTC),
        "j": {"x": [1]},
        "k": 7,
    }


def test_dates_without_a_tag_are_dates_where_that_is_declared() -> None:
    form = Yaml(timestamps=True)
    assert read('a: 2024-02-29\nb: 2024-02-29T12:30:00\nc: "2024-02-29"', form) == [
        {"a": date(2024, 2, 29), "b": datetime(2024, 2, 29, 12, 30), "c": "2024-02-29"}  # noqa: DTZ001
    ]
    assert read("a: 2024-02-30", form) == ["line 1 of the record: '2024-02-30': day is out of range for month"]
    assert written([{"a": date(2024, 2, 29), "b": "2024-02-29"}], form) == '- a: 2024-02-29\n  b: "2024-02-29"\n'
    assert written([{"a": date(2024, 2, 29)}]) == "- a: !!timestamp 2024-02-29\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system [id]", "tag '!!python/object/apply:os.system': expected none, or one of !!str"),
        ("a: !Ref b", "tag '!Ref': expected none"),
        ("a: !!set {x, y}", "tag '!!set': expected none"),
        ("a: !!map [x]", "tag '!!map': expected none"),
        ("a: !!int 1_000", "'1_000' with the tag !!int: expected a whole number"),
        ("a: !!bool no", "'no' with the tag !!bool: expected true or false"),
        ("a: !!null x", "'x' with the tag !!null: expected null"),
        ("a: !!timestamp soon", "'soon' with the tag !!timestamp: expected a date or a moment"),
        ("a: !!timestamp 2024-02-29 12:30:00.1234567", "expected at most six digits of a second"),
        ("a: !!binary x", "with the tag !!binary"),
        ("a: 1e999", "'1e999': expected what a float of 64 bits holds"),
        ("a: 1\nb: 2\na: 3", "line 3 of the record: key 'a' stands here twice"),
        ("a: {1: x, '1': y}", "key '1' stands here twice"),
        ("? [a]\n: b", "line 1 of the record: a key that is no text"),
        ("a: *b", "alias 'b': no anchor of this name stands before it"),
        ("a: &a [*a]", "alias 'a': no anchor of this name stands before it"),
        ("<<: 5", "'<<' holds something else: expected a mapping"),
        ("a: 'b\u2028c'", "U+2028 ends a line in YAML 1.1 and does not in 1.2"),
        ("a: " + "[" * 300 + "]" * 300, "nested more than 200 deep"),
        ("a: b\0c", "no YAML: unacceptable character #x0000"),
        ("a: " + "9" * 5000, "Exceeds the limit"),
        ("a: [", "no YAML at line "),
    ],
)  # fmt: skip
def test_what_is_not_taken_costs_its_record_and_says_why(text: str, message: str) -> None:
    first, found, last = read(f"n: 1\n---\n{text}\n---\nn: 2\n")
    assert (first, last) == ({"n": 1}, {"n": 2})
    assert isinstance(found, str)
    assert message in found
    indented = text.replace("\n", "\n  ")
    first, found, last = read(f"- n: 1\n- {indented}\n- n: 2\n")
    assert (first, last) == ({"n": 1}, {"n": 2})
    assert isinstance(found, str)
    assert message in found


def test_keys_are_text_as_they_stand() -> None:
    assert read("1: a\ntrue: b\n2024-02-29: c\n~: d\non: e") == [
        {"1": "a", "true": "b", "2024-02-29": "c", "~": "d", "on": "e"}
    ]


def test_aliases_stand_for_values_of_their_own_and_merging_takes_the_nearest() -> None:
    (found,) = read("a: &a {x: 1, y: [2]}\nb: *a\nc: {<<: *a, x: 3}\nd: {<<: [{x: 4}, *a]}\ne: {'<<': 5}")
    assert found == {
        "a": {"x": 1, "y": [2]},
        "b": {"x": 1, "y": [2]},
        "c": {"x": 3, "y": [2]},
        "d": {"x": 4, "y": [2]},
        "e": {"<<": 5},
    }
    assert isinstance(found, dict)
    assert found["a"]["y"] is not found["b"]["y"]


def test_an_anchor_is_known_to_later_items_of_its_list_and_not_to_other_documents() -> None:
    text = "- &base {x: 1}\n- <<: *base\n  y: 2\n- &base {x: 3}\n- {z: *base}\n---\n- {z: *base}\n"
    assert read(text) == read(text, count=9)
    *found, last = read(text)
    assert found == [{"x": 1}, {"x": 1, "y": 2}, {"x": 3}, {"z": {"x": 3}}]
    assert "no anchor of this name" in str(last)


@pytest.mark.timeout(30)
def test_aliases_that_multiply_are_refused_before_they_take_any_memory() -> None:
    bomb = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"b{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 30)
    )
    (found,) = read(bomb)
    assert "aliases stand for more than 100,000 values" in str(found)


def test_a_document_or_an_item_that_is_broken_costs_itself_and_positions_are_those_of_the_file() -> None:
    text = "# orders\n- a: 1\n\n- b: [2\n- c: 'x\n  y\n- d: 4\n--- # more\ne: 5\n---\nf: {\n---\n\n# here\n[{g: 7},\n {h: 8}]\n"
    found = read_with_positions(text)
    assert found == read_with_positions(text, count=3)
    good = [(record, position.line) for record, position in found if isinstance(record, dict)]
    assert good == [({"a": 1}, 2), ({"d": 4}, 7), ({"e": 5}, 9), ({"g": 7}, 15), ({"h": 8}, 16)]
    broken = [position.line for record, position in found if not isinstance(record, dict)]
    assert broken == [4, 5, 11]
    assert [position.row for _, position in found] == [*range(1, 9)]
    for record, position in found:
        assert position.offset is not None
        assert isinstance(record, str) or f"{next(iter(record))}: " in text[position.offset :].partition("\n")[0]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# nothing\n\n", []),
        ("---\n---\n...\n--- # none\n", []),
        ("a: 1", [{"a": 1}]),
        ("--- {a: 1}\n--- {a: 2}", [{"a": 1}, {"a": 2}]),
        ("%YAML 1.2\n---\na: 1\n", [{"a": 1}]),
        ("%TAG !y! tag:yaml.org,2002:\n---\na: !y!str 1\n...\nb: 2\n", [{"a": "1"}, {"b": 2}]),
        ("--- !!seq &all # list\n- a: 1\n", [{"a": 1}]),
        ("--- &all\na: 1\n", [{"a": 1}]),
        ("  - a: 1\n    b:\n    - 2\n  - - c\n", [{"a": 1, "b": [2]}, ["c"]]),
        ("--- |\n - a\n", ["- a\n"]),
        ("-\n  a: 1\n-\n", [{"a": 1}, None]),
        ("[]", []),
        ("[{a: 1}, b: 2]", [{"a": 1}, {"b": 2}]),
        ('{"a": 1}', [{"a": 1}]),
        ("a: |\n  x\n  ---\n  - y\n", [{"a": "x\n---\n- y\n"}]),
        ("a: 1\rb: 2\r---\rc: 3", [{"a": 1, "b": 2}, {"c": 3}]),
        ("- a: 1\r\n- b: |\r\n    x\r\n    y\r\n", [{"a": 1}, {"b": "x\ny\n"}]),
        ("\ufeffa: 1", [{"a": 1}]),
    ],
)
def test_documents_and_lists_are_found_however_they_stand(text: str, expected: list[object]) -> None:
    assert read(text) == expected
    assert read(text, count=1) == expected


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig"]
)
def test_every_encoding_of_yaml_is_found_out(encoding: str) -> None:
    assert read("- a: Größe 😀\n- b: 2\n".encode(encoding), count=3) == [{"a": "Größe 😀"}, {"b": 2}]


def test_bytes_that_are_no_text_cost_their_record() -> None:
    first, found, last = read(b"- a: 1\n- a: \xff\n- a: 3\n")
    assert (first, last) == ({"a": 1}, {"a": 3})
    assert "invalid start byte" in str(found)
    with pytest.raises(ValueError, match="codec can't decode"):
        read("- a: 1\n".encode("utf-16") + b"\xdb")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"x": [1, {"y": Decimal(1)}]}, r"field 'a.x\[1\].y' holds Decimal\('1'\) \(Decimal\): expected text"),
        (time(12, 30), "field 'a' holds .*cast it before"),
        ("\ud800", "half of a surrogate pair"),
        ({1: 2}, "expected text for a key"),
        (datetime(1850, 1, 1, tzinfo=timezone(timedelta(seconds=61))), "an offset of whole minutes"),
    ],
)
def test_what_yaml_cannot_hold_is_an_error_that_names_the_field(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Yaml().writer().encode({"a": value})


def test_what_goes_in_circles_is_refused() -> None:
    record: Record = {}
    record["a"] = record
    with pytest.raises(ValueError, match="nested more than 200 deep"):
        Yaml().writer().encode(record)


def test_the_look_of_what_is_written() -> None:
    record: Record = {
        "id": 7,
        "ok": True,
        "country": "no",
        "note": "two\nlines\n",
        "tags": ["a", ["b"], {"c": None, "d": 1e16}],
        "none": [],
        "empty": {},
    }
    assert written([record, {}]) == """\
- id: 7
  ok: true
  country: "no"
  note: |
    two
    lines
  tags:
    - a
    - - b
    - c: null
      d: 1.0e+16
  none: []
  empty: {}
- {}
"""  # fmt: skip
    assert written([{"a": 1}, {"a": 2}], Yaml(documents=True)) == "---\na: 1\n---\na: 2\n"
    assert written([]) == "[]\n"
    assert written([], Yaml(documents=True)) == ""


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text", ["---{}x", "--- {}[", "- {}x", "{}# x", "...{}x", "--- &{}x", "%{}x", "a: '{}'", "a: {}x"]
)
@pytest.mark.parametrize("filling", [" ", "\t", "*a ", "&a ", "- ", "#"])
def test_no_line_takes_time_out_of_proportion(text: str, filling: str) -> None:
    read(text.format(filling * 200_000), count=2**16)


def test_memory_and_time_are_in_proportion_to_a_record_that_is_long() -> None:
    long = "x" * 3_000_000
    assert read(f"- a: {long}\n- b: 1\n---\nc: {long}\n", count=65536) == [{"a": long}, {"b": 1}, {"c": long}]
