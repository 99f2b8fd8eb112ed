"""XML: what others write, what others read of ours, what is broken, and what would do harm."""

import io
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugline.formats.xml import Xml
from plugline.records import Broken, Position, Record
from tests.trickling import Trickle


def read(text: str | bytes, form: Xml | None = None, count: int = 2**20) -> list[object]:
    """Return records, the messages of what is none, and the message that ends the reading."""
    return [found for found, _ in read_with_positions(text, form, count)]


def read_with_positions(
    text: str | bytes, form: Xml | None = None, count: int = 2**20
) -> list[tuple[object, Position]]:
    reader = (form or Xml()).reader()
    found: list[tuple[object, Position]] = []
    try:
        for batch in reader.batches(Trickle(text if isinstance(text, bytes) else text.encode(), count)):
            for index, raw in enumerate(batch.raws):
                made: object
                try:
                    made = reader.decode(raw)
                except ValueError as error:
                    made = str(error)
                found.append((made, batch.position(index)))
    except ValueError as error:
        found.append((f"END: {error}", Position()))
    return found


def written(records: Sequence[Record], form: Xml | None = None) -> str:
    stream = io.BytesIO()
    writer = (form or Xml()).writer()
    writer.open(stream, first=True)
    writer.write([writer.encode(record) for record in records])
    writer.close(last=True)
    return stream.getvalue().decode()


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")) | st.sampled_from(
    [
        "",
        " ",
        "\n",
        "\r\n",
        "\t",
        "<b>&amp;</b>",
        "]]>",
        "<![CDATA[x]]>",
        "\"'",
        "_x0041_",
        "😀",
        "\x85",
        "\u2028",
        "\ufeff",
    ]
)
NAMES = st.text("abXY_", min_size=1) | st.sampled_from(["a-b", "a.1", "Größe", "日本", "a\xb7b"])


def tables(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    children = st.dictionaries(NAMES, values | st.tuples(values, values).map(list), max_size=3)
    attributes = st.dictionaries(NAMES.map("@{}".format), TEXTS, max_size=2)
    some = st.dictionaries(NAMES.map("@{}".format), TEXTS, min_size=1, max_size=2)
    full = st.tuples(attributes, children).map(lambda both: {**both[0], **both[1]}).filter(bool)
    beside = st.tuples(some, TEXTS.filter(bool)).map(lambda both: {**both[0], "#text": both[1]})
    return full | beside


VALUES = st.recursive(st.none() | TEXTS, tables, max_leaves=8)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES | st.tuples(VALUES, VALUES, VALUES).map(list), max_size=4), max_size=4)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(RECORDS)
def test_text_in_whatever_structure_is_read_as_it_was_written(records: list[Record]) -> None:
    text = written(records)
    assert read(text) == records, text
    assert read(text, count=5) == records, text
    root = ElementTree.fromstring(text)  # noqa: S314 - our own
    assert [one.tag for one in root] == ["record"] * len(records)


TYPES: dict[str, Any] = {"i": "int", "f": "float", "b": "bool", "d": "decimal", "day": "date", "at": "datetime", "t": "time", "raw": "bytes", "s": "str",
    "in/n": "int", "in/@n": "int", "in/list": "int", "attributed": "decimal"}  # fmt: skip
TYPED = st.fixed_dictionaries(
    {
        "i": st.none() | st.integers(),
        "f": st.none() | st.floats(allow_nan=False),
        "b": st.none() | st.booleans(),
        "d": st.none() | st.decimals(allow_nan=False),
        "day": st.none() | st.dates(),
        "at": st.none() | st.datetimes() | st.datetimes(timezones=st.just(UTC)),
        "t": st.none() | st.times(),
        "raw": st.none() | st.binary(min_size=1),
        "s": st.none() | TEXTS,
        "in": st.fixed_dictionaries(
            {
                "n": st.integers() | st.none(),
                "@n": st.integers(),
                "list": st.lists(st.integers() | st.none(), max_size=3),
            }
        ),
        "attributed": st.decimals(allow_nan=False)
        | st.fixed_dictionaries({"@currency": TEXTS, "#text": st.decimals(allow_nan=False)}),
    }
)


def same(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return type(one) is type(other) and one == other


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(TYPED, max_size=3))
def test_declared_types_and_lists_are_read_as_they_were_written(records: list[Record]) -> None:
    form = Xml(types=TYPES, lists=["in/list"])
    assert same(read(written(records, form), form), records)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3))
def test_any_name_is_kept_where_names_are_escaped(record: Record) -> None:
    form = Xml(escape_names=True, attribute_prefix="", text_key="\0")
    text = written([record], form)
    assert read(text, form) == [record], text
    ElementTree.fromstring(text)  # noqa: S314 - our own


SHOP = """<?xml version="1.0"?>
<shop xmlns:dc="urn:dc" xmlns="urn:shop">
  <!-- orders -->
  <order id="1"><name>Anna &amp; Bo</name><tag>a</tag><dc:title><![CDATA[<x>]]></dc:title><tag>b</tag></order>
  <order id="2" xmlns:x="http://www.w3.org/2001/XMLSchema-instance">
    <name/> <tag>c</tag> <price cur="EUR"> 5.50 </price> <none x:nil="true"/> <gone x:nil="1" why="x"/>
  </order>
  <order>text</order>
  <order/>
</shop>
"""


def test_attributes_children_and_text_are_fields() -> None:
    expected = [
        {"@id": "1", "name": "Anna & Bo", "tag": ["a", "b"], "dc:title": "<x>"},
        {
            "@id": "2",
            "name": "",
            "tag": "c",
            "price": {"@cur": "EUR", "#text": " 5.50 "},
            "none": None,
            "gone": {"@why": "x", "#text": None},
        },
        {"#text": "text"},
        {},
    ]
    assert read(SHOP) == expected
    assert read(SHOP, count=1) == expected
    named = read(SHOP, Xml(attribute_prefix="", text_key="text"))
    assert named[:1] == [{"id": "1", "name": "Anna & Bo", "tag": ["a", "b"], "dc:title": "<x>"}]
    assert named[2:] == [{"text": "text"}, {}]


def test_types_and_lists_are_declared_by_path() -> None:
    form = Xml(types={"@id": "int", "price": "decimal", "name": "int"}, lists=["tag"])
    first, second, *_, last = read(SHOP, form)
    assert first == "field 'name' holds 'Anna & Bo': expected an integer"
    assert isinstance(second, dict)
    assert second["@id"] == 2
    assert second["name"] is None
    assert second["tag"] == ["c"]
    assert second["price"] == {"@cur": "EUR", "#text": Decimal("5.50")}
    assert last == {"tag": []}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, [{"a": "1"}, {"r": {"a": "2"}}, {"a": "3"}]),
        ("r", [{"a": "1"}, {"a": "2"}, {"a": "3"}]),
        ("top/r", [{"a": "1"}, {"a": "3"}]),
        ("/top/r/", [{"a": "1"}, {"a": "3"}]),
        ("top/*/r", [{"a": "2"}]),
        ("*/*", [{"a": "1"}, {"r": {"a": "2"}}, {"a": "3"}]),
        ("top", [{"r": [{"a": "1"}, {"a": "3"}], "in": {"r": {"a": "2"}}}]),
        ("/top", [{"r": [{"a": "1"}, {"a": "3"}], "in": {"r": {"a": "2"}}}]),
        ("tip/r", ["END: the root is 'top': expected 'tip', the first of 'record'"]),
    ],
)
def test_records_are_elements_of_a_name_or_a_path(record: str | None, expected: list[object]) -> None:
    text = "<top><r><a>1</a></r><in><r><a>2</a></r></in><r><a>3</a></r></top>"
    assert read(text, Xml(record=record)) == expected


@pytest.mark.parametrize("record", ["ordr", "shop/order/item", "shop/ordrs/order"])
def test_a_record_that_no_element_is_called_is_told_with_the_elements_there_are(record: str) -> None:
    found = read("<shop><made/><orders><order><id>1</id></order></orders></shop>", Xml(record=record))
    (said,) = found
    assert str(said).startswith(
        f"END: no element is a record: 'record' says {record!r}, and the elements are shop, made, orders, order, id\n"
        "  hint: let 'record' name one of them; where there may be no records, "
    )


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("<orders/>", "order"),
        ("<orders/>", None),
        ("<shop><made/><orders/></shop>", "shop/orders/order"),
        ("<shop><made/><orders><note/></orders></shop>", "shop/orders/order"),
    ],
)
def test_a_document_may_hold_no_record(text: str, record: str | None) -> None:
    assert read(text, Xml(record=record)) == []


def test_names_with_a_namespace_are_told_as_is_asked_for() -> None:
    text = '<t xmlns:a="urn:1" xmlns="urn:2"><r a:x="1"><a:y>2</a:y><z>3</z></r></t>'
    assert read(text) == [{"@a:x": "1", "a:y": "2", "z": "3"}]
    assert read(text, Xml(names="local")) == [{"@x": "1", "y": "2", "z": "3"}]
    assert read(text, Xml(names="full")) == [{"@{urn:1}x": "1", "{urn:1}y": "2", "{urn:2}z": "3"}]
    assert read(text, Xml(namespaces={"b": "urn:1", "c": "urn:2"})) == [{"@b:x": "1", "b:y": "2", "c:z": "3"}]
    assert read(text, Xml(names="full", record="{urn:2}t/{urn:2}r")) == [
        {"@{urn:1}x": "1", "{urn:1}y": "2", "{urn:2}z": "3"}
    ]
    clash = '<t xmlns:a="urn:1"><r><a:y>2</a:y><y>3</y></r><r><y>4</y></r></t>'
    broken, good = read(clash, Xml(names="local"))
    assert "two things with different names are the field 'y'" in str(broken)
    assert good == {"y": "4"}


def test_namespaces_are_written_where_they_are_declared() -> None:
    form = Xml(namespaces={"a": "urn:1", "": "urn:2"}, none="absent", root="t", record="r")
    text = written([{"@a:x": "1", "a:y": "2", "z": "3"}], form)
    assert (
        text
        == '<?xml version="1.0" encoding="UTF-8"?>\n<t xmlns:a="urn:1" xmlns="urn:2">\n<r a:x="1"><a:y>2</a:y><z>3</z></r>\n</t>\n'
    )
    full = Xml(namespaces={"b": "urn:1"}, names="full")
    assert read(written([{"{urn:1}y": "2"}], full), full) == [{"{urn:1}y": "2"}]


def test_text_between_elements_is_an_error_of_its_record_or_kept_as_it_stands() -> None:
    text = '<t><r><n>1</n></r><r><n i="2">a <b x="&quot;">c</b>&amp;<i/>\n</n></r><r><n>3</n></r></t>'
    first, broken, last = read(text)
    assert (first, last) == ({"n": "1"}, {"n": "3"})
    assert (
        broken == "line 1: text between the elements of 'n': mixed = 'markup' keeps it as it stands"
        or "line 2" in str(broken)
    )
    kept = {"n": {"@i": "2", "#text": 'a <b x="&quot;">c</b>&amp;<i/>\n'}}
    assert read(text, Xml(mixed="markup")) == [{"n": "1"}, kept, {"n": "3"}]
    assert read("<t><r>a<b>c</b></r></t>", Xml(mixed="markup")) == [{"#text": "a<b>c</b>"}]


def broken_in(text: str | bytes, form: Xml | None = None, count: int = 2**20) -> list[Broken]:
    batches = (form or Xml()).reader().batches(Trickle(text if isinstance(text, bytes) else text.encode(), count))
    return [raw for batch in batches for raw in batch.raws if isinstance(raw, Broken)]


@pytest.mark.parametrize("count", [1, 7, 2**20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_what_is_broken_is_kept_as_it_came(count: int, encoding: str) -> None:
    good = "<r><n>1</n></r>"
    broken = ['<r a=">"><n/>é</r>', "<r>x<n b='/>'/></r  >", "<r><n>\n</n> x <!-- > --></r>"]
    text = f'<?xml version="1.0" encoding="{encoding}"?><t>\n{good}{broken[0]}{good}\n{broken[1]}{broken[2]}</t>'
    kept = encoding if encoding == "iso-8859-1" else "utf-8"
    assert [one.raw for one in broken_in(text.encode(encoding), count=count)] == [one.encode(kept) for one in broken]


def test_what_is_broken_is_read_once_it_is_mended() -> None:
    text = '<t xmlns:a="urn:1" xmlns="urn:2"><r xmlns:b="urn:3" a:x="1"><a:y>2</a:y>text</r></t>'
    for form, mended in (
        (Xml(), {"@a:x": "1", "a:y": "2"}),
        (Xml(names="local"), {"@x": "1", "y": "2"}),
    ):
        (broken,) = broken_in(text, form)
        assert isinstance(broken.raw, bytes)
        with pytest.raises(ValueError, match="text between the elements of 'r'"):
            form.reader().decode(broken.raw)
        assert form.reader().decode(broken.raw.replace(b"text", b"")) == mended
        with pytest.raises(ValueError, match="mismatched tag"):
            form.reader().decode(broken.raw.replace(b"</r>", b"</s>"))
    full = Xml(names="full")
    (broken,) = broken_in(text, full)
    with pytest.raises(ValueError, match="nothing says what the prefix of 'a:"):
        full.reader().decode(broken.raw)


def test_positions_are_those_of_the_file() -> None:
    found = read_with_positions(SHOP)
    assert [position.line for _, position in found] == [4, 5, 8, 9]
    assert [position.row for _, position in found] == [1, 2, 3, 4]
    assert all(SHOP.encode()[position.offset :].startswith(b"<order") for _, position in found)


def test_what_is_not_well_formed_is_read_up_to_there_and_said_where() -> None:
    for count in (1, 2**20):
        *found, end = read("<t>\n<r><n>1</n></r>\n<r><n>2\n<r><n>3</n></r></t>", count=count)
        assert found == [{"n": "1"}]
        assert end == "END: no XML from line 4, column 18 on: mismatched tag"
    (*found, end) = read("<t><r><n>1</n></r><r><n>2</n></r>")
    assert found == [{"n": "1"}, {"n": "2"}]
    assert end == "END: no XML from line 1, column 34 on: no element found"
    assert read("") == ["END: no XML from line 1, column 1 on: no element found"]
    assert read("<t/>more") == ["END: no XML from line 1, column 5 on: junk after document element"]
    assert read("<t><r>1</r>&nbsp;</t>")[1:] == ["END: no XML from line 1, column 12 on: undefined entity"]
    assert read("<t><r>1 & 2</r>3 & 4</t>")[1:] == [
        "END: no XML from line 1, byte 18 on: not well-formed (invalid token)"
    ]
    assert "unknown encoding" in str(read('<?xml version="1.0" encoding="x"?><t/>'))


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY % a SYSTEM "http://127.0.0.1:9/x.dtd"> %a;',
        '<!ENTITY a SYSTEM "x.gif" NDATA gif>',
        '<!ENTITY a PUBLIC "p" "http://127.0.0.1:9/">',
    ],
)
def test_a_document_that_declares_entities_is_not_read(declared: str) -> None:
    (end,) = read(f"<!DOCTYPE t [\n{declared}]><t><r>&a;</r></t>")
    assert str(end).startswith("END: line 2 declares the entity '")


def test_what_is_declared_elsewhere_is_not_fetched_and_costs_the_record_that_has_it() -> None:
    text = '<!DOCTYPE t SYSTEM "http://127.0.0.1:9/t.dtd"><t><r>a&b;c</r><r>d</r></t>'
    assert read(text) == ["line 1: &b; stands for something that is declared elsewhere", {"#text": "d"}]


def test_a_record_that_is_nested_too_deeply_costs_itself() -> None:
    deep = "<a>" * 5000 + "</a>" * 5000
    broken, good = read(f"<t><r>{deep}</r><r>1</r></t>", count=1000)
    assert "nested more than 200 deep" in str(broken)
    assert good == {"#text": "1"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252", "us-ascii"])
def test_encodings_are_those_that_the_document_declares(encoding: str) -> None:
    name = "Gr&#246;&#223;e" if encoding == "us-ascii" else "Größe"
    text = f'<?xml version="1.0" encoding="{encoding}"?><t><r><n>{name}</n></r></t>'
    assert read(text.encode(encoding), count=3) == [{"n": "Größe"}]


BROKEN = [
    "<r><n>1 & 2</n></r>",
    "<r><n>1 < 2</n></r>",
    "<r><n>\x0b</n></r>",
    "<r><n>&nbsp;</n></r>",
    "<r><n>1</r>",
    "<r><n><m></n></m></r >",
    '<r n="1 & 2"/>',
    '<r n="1 < 2"/>',
    '<r n="1<2 & 3<4"/>',
    '<r n="1 & 2"><m/></r>',
    "<r n=1/>",
    '<r n="1" n="2">3</r>',
    "<r><p:n/></r>",
    "<r>\n<n>1\n&\n</n></r>",
]


@pytest.mark.parametrize("count", [1, 7, 2**20])
@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
def test_a_record_that_is_not_well_formed_costs_itself(broken: str, count: int, encoding: str) -> None:
    outer = f'<?xml version="1.0" encoding="{encoding}"?>\n<t xmlns:q="urn:q"><g xmlns="urn:g">'
    good = "<r>\n<q:n>ü</q:n></r>"
    text = f"{outer}{good}\n{broken}{broken}{good}{broken}</g><g>{good}{broken}</g></t>"
    found = read_with_positions(text.encode(encoding), Xml(record="t/g/r"), count)
    said = ["no XML" if isinstance(outcome, str) else outcome for outcome, _ in found]
    one: Record = {"q:n": "ü"}
    assert [outcome[:6] if isinstance(outcome, str) else outcome for outcome in said] == [
        one,
        "no XML",
        "no XML",
        one,
        "no XML",
        one,
        "no XML",
    ]
    for outcome, position in found:
        assert position.line is not None
        rest = text.split("\n", position.line - 1)[-1]
        assert ("<r>\n" if outcome == one else broken.splitlines()[0]) in rest
        if position.offset is not None:
            assert text.encode(encoding)[position.offset :].startswith(
                (good if outcome == one else broken).encode(encoding)
            )
            assert text.encode(encoding)[: position.offset].count(b"\n") == position.line - 1


@pytest.mark.parametrize("between", [" & ", "&nbsp;", "\x0b", "<", "< ", '<r b="1"'])
def test_what_is_not_well_formed_between_records_is_no_part_of_the_one_before(between: str) -> None:
    first: list[object] = []
    try:
        for batch in Xml().reader().batches(io.BytesIO(f'<t><r a="1"/>{between}<r a="2"/></t>'.encode())):
            first += batch.raws
    except ValueError as error:
        assert "no XML from line 1" in str(error)  # noqa: PT017 - whether it ends depends on what is between
    assert first[0] == {"@a": "1"}
    assert not any(b'a="1"' in cast("bytes", one.raw) for one in first if isinstance(one, Broken))


def test_a_record_that_is_not_well_formed_is_kept_as_it_came_and_mended() -> None:
    form = Xml(record="r", types={"n": "int"})
    (batch,) = form.reader().batches(io.BytesIO(b"<t><g><r><n>1 & 2</n></r></g></t>"))
    (broken,) = batch.raws
    assert isinstance(broken, Broken)
    assert broken.raw == b"<r><n>1 & 2</n></r>"
    with pytest.raises(ValueError, match="no XML from line 1, column 10 on: not well-formed"):
        form.reader().decode(broken.raw)
    assert form.reader().decode(b"<r><n>12</n></r>") == {"n": 12}


def test_what_a_document_type_says_of_attributes_is_not_left_out_behind_a_broken_record() -> None:
    text = '<!DOCTYPE t [<!ATTLIST r a CDATA "x">]><t><r>1</r><r>&</r><r>2</r></t>'
    assert read(text) == [
        {"@a": "x", "#text": "1"},
        "END: no XML from line 1, column 55 on: not well-formed (invalid token)",
    ]


def test_bytes_that_are_no_text_cost_their_record() -> None:
    assert read(b"<t><r>1</r><r>\xff</r><r>2</r></t>") == [
        {"#text": "1"},
        "no XML from line 1, column 15 on: not well-formed (invalid token)",
        {"#text": "2"},
    ]
    assert read(b"\xef\xbb\xbf<t><r>1</r></t>") == [{"#text": "1"}]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"net price": 1}, "a name that XML cannot have, 'net price': rename it before, or set escape_names = true"),
        ({"1st": 1}, "a name that XML cannot have, '1st'"),
        ({"": 1}, "a name that XML cannot have, ''"),
        ({"@a b": 1}, "a name that XML cannot have, 'a b'"),
        ({"x:y": 1}, "a name whose prefix 'namespaces' does not declare: 'x:y'"),
        ({"@xmlns": "urn:x"}, "expected namespaces in the setting 'namespaces'"),
        ({1: 2}, r"holds 1 \(int\): expected text for a name"),
        ({"a": {"b": ["x", "\0"]}}, r"field 'a.b\[1\]' holds '\\x00' \(str\): expected no U\+0000"),
        ({"a": "\ud800"}, r"expected no U\+D800"),
        ({"@a": "\x1f"}, r"expected no U\+001F"),
        ({"a": b"x"}, "bytes where 'types' says so"),
        ({"a": object()}, "expected text, a number"),
        ({"a": []}, "a list that has items, or lists"),
        ({"a": [["x"]]}, r"field 'a\[0\]' holds \['x'\] \(list\): expected no list in a list"),
        ({"a": {}}, "an empty table"),
        ({"@a": None}, "an attribute cannot say that it has none"),
        ({"@a": ["x"]}, "expected text, a number"),
        ({"a": {"#text": "x"}}, "expected it beside attributes"),
        ({"#text": "x", "b": "y"}, "expected it beside attributes, and without other fields"),
        ({"@a": "x", "#text": ""}, "expected some text"),
    ],
)
def test_what_xml_cannot_hold_is_an_error_that_names_the_field(record: Record, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Xml().writer().encode(record)


def test_no_value_is_an_element_that_says_so_or_nothing() -> None:
    record: Record = {"a": None, "b": {"@c": "1", "#text": None}, "d": ["x", None]}
    assert read(written([record])) == [record]
    absent = Xml(none="absent")
    assert read(written([{"a": None, "@b": None, "c": "1"}], absent)) == [{"c": "1"}]
    with pytest.raises(ValueError, match=r"field 'd\[1\]' holds None \(NoneType\): expected no item without a value"):
        absent.writer().encode(record)


def test_the_look_of_what_is_written() -> None:
    record: Record = {"@id": 7, "ok": True, "n": None, "price": {"@cur": "EUR", "#text": Decimal("5.50")}, "tag": ["a<", "b"], "in": {"f": -math.inf},
        "day": date(2024, 2, 29), "at": datetime(2024, 2, 29, 12, tzinfo=UTC), "t": time(12, 30)}  # fmt: skip
    assert written([record, {}], Xml(root="orders", record="order")) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<orders xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        '<order id="7"><ok>true</ok><n xsi:nil="true"/><price cur="EUR">5.50</price><tag>a&lt;</tag><tag>b</tag><in><f>-INF</f></in>'
        "<day>2024-02-29</day><at>2024-02-29T12:00:00+00:00</at><t>12:30:00</t></order>\n"
        "<order></order>\n"
        "</orders>\n"
    )
    assert written([], Xml(none="absent")) == '<?xml version="1.0" encoding="UTF-8"?>\n<records>\n</records>\n'


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"record": "net price"}, "record 'net price': expected a name that XML can have"),
        ({"record": ""}, "record ''"),
        ({"root": "1"}, "root '1': expected a name that XML can have"),
        ({"text_key": ""}, "text_key ''"),
        ({"namespaces": {"a b": "urn:x"}}, "'a b' is no prefix"),
        ({"namespaces": {"xmlns": "urn:x"}}, "'xmlns' is no prefix"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Xml(**settings)


@pytest.mark.parametrize(
    ("declaration", "count"),
    [
        ("", 1),
        ("", 2**20),
        ('<?xml version="1.0"?>', 1),
        ('<?xml version="1.0"?>', 7),
        ('\ufeff<?xml version="1.0" encoding="utf-8"?>', 2**20),
    ],
)
def test_documents_one_after_the_other_are_read_and_told(declaration: str, count: int) -> None:
    one = f'{declaration}<r xmlns:p="u"><x><p:a>1</p:a></x>\n</r>\n'
    first, other, again, last = read_with_positions(one + one + "<r><x>", None, count)[:4]
    assert first[0] == again[0] == {"p:a": "1"}
    assert str(other[0]).endswith("; what follows is read as a document of its own")
    assert other[1] == Position(line=3, offset=len(one.encode()), row=2)
    assert again[1].line == 3
    assert str(last[0]).endswith("; what follows is read as a document of its own")
    assert last[1].line == 5


def test_a_root_whose_prefix_is_not_declared_is_refused_before_the_first_record() -> None:
    with pytest.raises(ValueError, match="prefix 'namespaces' does not declare: 'a:b'"):
        Xml(root="a:b").writer()


def test_a_step_that_changes_a_record_does_not_change_what_came_in() -> None:
    reader = Xml().reader()
    (batch,) = reader.batches(io.BytesIO(b"<t><r><a>1</a><a>2</a></r></t>"))
    found: Any = reader.decode(batch.raws[0])
    found["a"].clear()
    assert reader.decode(batch.raws[0]) == {"a": ["1", "2"]}


def test_memory_does_not_grow_with_what_stands_before_a_record(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "a.xml"
    path.write_bytes(b"<t>" + b"<r><a>text</a></r>\n" * 50_000 + b"</t>")
    reader = Xml().reader()
    tracemalloc.start()
    with path.open("rb") as stream:
        assert sum(len(batch.raws) for batch in reader.batches(stream)) == 50_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * 2**20
