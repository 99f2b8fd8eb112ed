import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.formats import json
from plugline.formats.json import Json
from plugline.records import Position


def records(content: bytes, form: Json | None = None) -> list[object]:
    reader = (form or Json()).reader()
    return [reader.decode(raw) for batch in reader.batches(io.BytesIO(content)) for raw in batch.raws]


def records_before_error(content: bytes) -> tuple[list[object], str]:
    reader = Json().reader()
    found: list[object] = []
    with pytest.raises(ValueError, match="no JSON at") as caught:  # noqa: PT012 - what comes before the error counts too
        for batch in reader.batches(io.BytesIO(content)):
            found += [reader.decode(raw) for raw in batch.raws]
    return found, str(caught.value)


def test_a_single_object_is_one_record() -> None:
    assert records(b' {"a": [1, 2]} \n') == [{"a": [1, 2]}]


def test_an_empty_array_holds_no_record() -> None:
    assert records(b" [ ] ") == []


def test_a_byte_order_mark_is_skipped() -> None:
    assert records(b'\xef\xbb\xbf[{"a":1}]') == [{"a": 1}]


@pytest.mark.parametrize("chunk", [1, 2, 5, 64])
def test_chunks_may_end_anywhere(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(json, "_CHUNK_BYTES", chunk)
    content = (
        '[ {"a": -1.5e3, "b": "\\u00e9é\\"]"},\r\n 12345678901234567890, [true, null],\n{}, {"c": false} ]'.encode()
    )
    assert records(content) == [{"a": -1500.0, "b": 'éé"]'}, 12345678901234567890, [True, None], {}, {"c": False}]


def test_positions_name_line_and_byte_and_row() -> None:
    content = '[\n{"é": 1},\n  {"b": 2}\n]'.encode()
    (batch,) = Json().reader().batches(io.BytesIO(content))
    assert batch.position(0) == Position(line=2, offset=2, row=1)
    assert batch.position(1) == Position(line=3, offset=content.index(b'{"b"'), row=2)


@pytest.mark.parametrize("element", [b"NaN", b'{"a": Infinity}', b'{"a": "\xff"}', b'{"a": "\\ud800"}', b'{"a": "\n"}'])
def test_an_element_that_is_wrong_in_itself_fails_alone(element: bytes) -> None:
    reader = Json().reader()
    stream = io.BytesIO(b'[{"a": 1}, ' + element + b', {"a": 3}]')
    first, wrong, last = [raw for batch in reader.batches(stream) for raw in batch.raws]
    assert reader.decode(first) == {"a": 1}
    with pytest.raises(ValueError, match=r"."):
        reader.decode(wrong)
    assert reader.decode(last) == {"a": 3}


def test_bytes_that_are_no_text_are_kept_as_they_came() -> None:
    (batch,) = Json().reader().batches(io.BytesIO(b'[{"a": "\xff"}]'))
    assert batch.raws == [b'{"a": "\xff"}']


def test_an_integer_of_ten_thousand_digits_does_not_end_the_reading() -> None:
    (batch,) = Json().reader().batches(io.BytesIO(b"[" + b"1" * 10_000 + b', {"a": 1}]'))
    assert len(batch.raws) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        '{"a" 3}',
        "{'a': 3}",
        '{"a": 3,}',
        "{a: 3}",
        '{"a": tru}',
        '{"a": [1, 2,]}',
        '{"a": "he said "so"."}',
        '{"a": "]}" "}{"}',
        '{"a": "\\"" "x"}',
        '{"a": 1, {"b": 2}}',
        '{"a": [1 {"b" "]"}] }',
        "[1 2]",
        '{"a": ' + "[" * 3_000 + "]" * 3_000 + "}",
        '{"a": ' + '{"b": [' * 50_000 + "]}" * 50_000 + "}",
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 64 * 1024])
def test_an_element_that_is_no_json_fails_alone_where_its_brackets_and_quotes_are_in_pairs(
    monkeypatch: pytest.MonkeyPatch, wrong: str, chunk: int
) -> None:
    monkeypatch.setattr(json, "_CHUNK_BYTES", max(chunk, len(wrong) // 100))
    content = f'[{{"a": 1}},\n{wrong} , {{"a": 4}}\n]'.encode()
    reader = Json().reader()
    found: list[object] = []
    positions: list[Position] = []
    for batch in reader.batches(io.BytesIO(content)):
        found += batch.raws
        positions += map(batch.position, range(len(batch.raws)))
    first, no_json, last = found
    assert reader.decode(first) == {"a": 1}
    assert no_json == wrong
    with pytest.raises(ValueError, match=r"line 1|nested|recursion"):
        reader.decode(no_json)
    assert reader.decode(last) == {"a": 4}
    assert positions[1] == Position(line=2, offset=11, row=2)
    assert positions[2] == Position(line=2, offset=14 + len(wrong), row=3)


_PIECES = ['{"a": 1}', '{"a" 2}', "{", "}", "[", "]", ",", ":", '"', '"a"', "\\", "1", "nul", " ", "\n", "\xe9"]


@given(st.lists(st.sampled_from(_PIECES), max_size=14), st.integers(1, 9))
def test_what_is_told_of_an_array_does_not_depend_on_the_chunks_that_it_is_read_in(
    pieces: list[str], chunk: int
) -> None:
    content = ('[{"a": 0}, ' + "".join(pieces) + ', {"a": 9}]').encode()

    def told() -> tuple[list[tuple[object, Position]], str]:
        found: list[tuple[object, Position]] = []
        try:
            for batch in Json().reader().batches(io.BytesIO(content)):
                found += [(raw, batch.position(index)) for index, raw in enumerate(batch.raws)]
        except ValueError as error:
            return found, str(error)
        return found, ""

    whole = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json, "_CHUNK_BYTES", chunk)
        assert told() == whole


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ('{"a": 3, {"a": 4}', "expecting property name enclosed in double quotes, found '{'"),
        ('{"a" 3]', "expecting ':' delimiter, found '3'"),
        ('{"a": [3}', "expecting ',' delimiter, found '}'"),
        ('{"a": "3}', "expecting ',' delimiter, found 'a'"),
        ('{"a" 3} {"a": 4}', "expecting ':' delimiter, found '3'"),
        ("", "expecting value, found ','"),
        ("tru", "expecting value, found 't'"),
    ],
)
def test_where_nobody_can_say_where_the_next_element_begins_reading_ends_after_what_came_before(
    wrong: str, what: str
) -> None:
    found, message = records_before_error(f'[{{"a": 1}},\n {{"a": 2}},\n {wrong}, {{"a": 4}}]'.encode())
    assert found == [{"a": 1}, {"a": 2}]
    assert "line 3, column" in message
    assert what in message


@pytest.mark.parametrize(
    "content", [b'[{"a": 1}', b'[{"a": 1},', b'[{"a": 1}, {"b', b'[{"a": 1}, {"b": 2 ', b'[{"a": 1}, ]']
)
def test_an_array_that_is_cut_off_is_an_error(content: bytes) -> None:
    found, _ = records_before_error(content)
    assert found == [{"a": 1}]


def test_what_follows_the_end_is_an_error() -> None:
    found, message = records_before_error(b'[{"a": 1}]\nx')
    assert found == [{"a": 1}]
    assert "line 2, column 1, offset 11: expected the end, after the array, found 'x'" in message


@pytest.mark.parametrize("chunk", [1, 2, 7, 2**16])
def test_objects_one_after_the_other_are_records_on_however_many_lines(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(json, "_CHUNK_BYTES", chunk)
    content = b'{"a": 1}\n{\n "a": 2\n}{"a":{"b":"}{"}}\n\n'
    assert records(content) == [{"a": 1}, {"a": 2}, {"a": {"b": "}{"}}]
    found = [
        batch.position(at) for batch in Json().reader().batches(io.BytesIO(content)) for at in range(len(batch.raws))
    ]
    assert found == [
        Position(line=1, offset=0, row=1),
        Position(line=2, offset=9, row=2),
        Position(line=4, offset=20, row=3),
    ]


def test_what_is_no_object_behind_objects_is_an_error() -> None:
    found, message = records_before_error(b'{"a": 1}\n{"a": 2}\n[]')
    assert found == [{"a": 1}, {"a": 2}]
    assert "line 3, column 1, offset 18: expected the end, or another object, found '['" in message


ENVELOPE = b"""{"next": null, "items": "no", "data" : {"count": 12,
 "it\\u0065ms":[{"a": 1}, {"b": NaN},
 {"a": 3}], "x": [{}]}, "total": 1.5e2}
"""


@pytest.mark.parametrize("chunk", [1, 2, 7, 2**16])
def test_the_array_may_be_where_keys_lead_to_it(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(json, "_CHUNK_BYTES", chunk)
    reader = Json(records="data/items").reader()
    found = [
        (raw, batch.position(at)) for batch in reader.batches(io.BytesIO(ENVELOPE)) for at, raw in enumerate(batch.raws)
    ]
    assert [raw for raw, _ in found] == ['{"a": 1}', '{"b": NaN}', '{"a": 3}']
    assert [position.line for _, position in found] == [2, 2, 3]
    assert [ENVELOPE[position.offset :][:3] for _, position in found] == [b'{"a', b'{"b', b'{"a']
    assert [position.row for _, position in found] == [1, 2, 3]
    assert records(b'{"data": []}', Json(records="data")) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"dat": [], "x": 1}', "no key is 'data', as 'records' says: there are 'dat', 'x'"),
        ("{ }", "no key is 'data', as 'records' says: there are none"),
        ('[{"a": 1}]', "expected an object with the key 'data', found '\\['"),
        ('{"data": {}}', "expected the array of records, found '{'"),
        ('{"data": null}', "expected the array of records, found 'n'"),
        ('{"data": [], "data": []}', "expected the key 'data' once"),
        ('{"data": [{}]', "expected ',' or '}' after a member"),
        ('{"data": [{}],}', "expected a key, found '}'"),
        ('{"data" [{}]}', "expected ':' after a key"),
        ('{"data": [{}]} {}', "expected the end, after the object"),
        ('{"data": [{}', "expected ',' or ']' after an element"),
        ('{"x": {', "no JSON at line 1"),
        ("", "expected an object with the key 'data'"),
    ],
)
def test_keys_that_lead_to_no_array_are_an_error(content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        records(content.encode(), Json(records="data"))


@pytest.mark.parametrize("content", [b"", b" \n", b"12", b'"text"'])
def test_neither_array_nor_object_is_an_error(content: bytes) -> None:
    _, message = records_before_error(content)
    assert "expected an array or an object" in message


def test_nesting_without_end_is_an_error_and_no_crash() -> None:
    _, message = records_before_error(b"[" * 100_000)
    assert "nested too deeply" in message


def test_a_large_element_costs_in_proportion_to_its_length() -> None:
    def seconds(length: int) -> float:
        content = b'[{"a": "' + b"x" * length + b'"}]'
        start = time.process_time()
        records(content)
        return time.process_time() - start

    # The least of several, since others use the machine. 16 times the length; the square would cost 256 times as much.
    small, large = min(seconds(1_000_000) for _ in range(5)), min(seconds(16_000_000) for _ in range(3))
    assert large < 128 * small


def test_an_empty_output_is_an_empty_array() -> None:
    stream = io.BytesIO()
    writer = Json().writer()
    writer.open(stream, first=True)
    writer.close(last=True)
    assert stream.getvalue() == b"[]\n"


def test_elements_stand_one_a_line() -> None:
    stream = io.BytesIO()
    writer = Json().writer()
    writer.open(stream, first=True)
    writer.write([writer.encode({"a": 1}), writer.encode({"a": 2})])
    writer.write([])
    writer.write([writer.encode({"a": 3})])
    writer.close(last=True)
    assert stream.getvalue() == b'[\n{"a":1},\n{"a":2},\n{"a":3}\n]\n'


def test_a_byte_that_is_not_utf_8_where_the_array_should_begin_is_told_as_one() -> None:
    with pytest.raises(ValueError, match="expected an array or an object, found byte 0xff, which is not UTF-8"):
        [*Json().reader().batches(io.BytesIO(b'\xff[{"a":1}]'))]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ['[{"a":1}]', '{"a":1}'])
def test_text_of_wide_characters_is_said_to_be_that(encoding: str, text: str) -> None:
    told = encoding.upper().replace("-LE", "LE").replace("-BE", "BE")
    with pytest.raises(ValueError, match=f"it is text in {told}: expected UTF-8\n  hint: .* iconv -f {told}"):
        records(text.encode(encoding))
