import io
from functools import partial

import orjson
import pytest

from plugline.formats import ndjson
from plugline.formats.ndjson import Ndjson
from plugline.records import Position


def records(content: bytes) -> list[object]:
    reader = Ndjson().reader()
    return [reader.decode(raw) for batch in reader.batches(io.BytesIO(content)) for raw in batch.raws]


def positions(content: bytes) -> list[Position]:
    return [
        batch.position(index)
        for batch in Ndjson().reader().batches(io.BytesIO(content))
        for index in range(len(batch.raws))
    ]


def test_what_decodes_and_encodes_is_orjson_itself() -> None:
    assert Ndjson().reader().decode is orjson.loads
    quick = getattr(Ndjson().writer().encode, "quick", None)
    assert isinstance(quick, partial)
    assert quick.func is orjson.dumps


def test_the_last_line_needs_no_newline() -> None:
    assert records(b'{"a":1}\n{"a":2}') == [{"a": 1}, {"a": 2}]


def test_blank_lines_of_every_kind_are_not_records() -> None:
    assert records(b'\n\r\n{"a":1}\n  \t \n\n{"a":2}\r\n   ') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_text_of_wide_characters_is_said_to_be_that(encoding: str) -> None:
    told = encoding.upper().replace("-LE", "LE").replace("-BE", "BE")
    with pytest.raises(ValueError, match=f"it is text in {told}: expected UTF-8\n  hint: .* iconv -f {told}"):
        records('{"a":1}\n'.encode(encoding))


@pytest.mark.parametrize(
    "content",
    [
        b'[{"a":1},{"a":2}]\n',
        b'[{"a":1},\n{"a":2}]\n',
        b'[\n {"a":1},\n {"a":2}\n]\n',
        b'[\n  {\n    "a": 1\n  }\n]\n',
        b'\xef\xbb\xbf [ {"a":1} ]',
        b'{\r\n  "a": 1\r\n}\r\n',
    ],
)
def test_a_json_document_is_said_to_be_that(content: bytes) -> None:
    with pytest.raises(ValueError, match=r'begins as a JSON document: .*\n  hint: .* format = "json"'):
        records(content)


@pytest.mark.parametrize(
    "content",
    [
        b"[1]\n",
        b"[]\n",
        b'{"a":\n',
        b'{"a":1}\n[\n',
        b'\n[{"a":1}]\n',
        b"{",
        b"[\n",
        b"{\n{\n",
        b'{\n{"a":1}\n',
        b'[\n{"a":1}\n',
        b'[{"a":1}]\n{"a":2}\r\n',
    ],
)
def test_a_line_that_is_no_object_is_no_document(content: bytes) -> None:
    (batch,) = Ndjson().reader().batches(io.BytesIO(content))
    assert batch.raws


def test_only_the_beginning_of_an_input_has_a_mark() -> None:
    reader = Ndjson().reader()
    reader.begins = False  # type: ignore[attr-defined]
    (batch,) = reader.batches(io.BytesIO(b'\xef\xbb\xbf{"a":1}\n'))
    with pytest.raises(ValueError, match="byte order mark"):
        reader.decode(batch.raws[0])


def test_a_byte_order_mark_is_skipped() -> None:
    assert records(b'\xef\xbb\xbf{"a":1}\n') == [{"a": 1}]
    assert records(b"\xef\xbb\xbf") == []
    assert positions(b'\xef\xbb\xbf{"a":1}\n{"a":2}\n') == [
        Position(line=1, offset=3, row=1),
        Position(line=2, offset=11, row=2),
    ]


def test_blank_lines_do_not_disturb_positions() -> None:
    content = b'{"a":1}\n\n\r\n{"a":2}\r\n\n{"a":3}'
    assert positions(content) == [
        Position(line=1, offset=0, row=1),
        Position(line=4, offset=11, row=2),
        Position(line=6, offset=21, row=3),
    ]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_chunks_may_end_anywhere(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(ndjson, "_CHUNK_BYTES", chunk)
    content = b'{"a":1}\r\n\n{"a":"\xc3\xa9"}\n  \n{"b":null}'
    assert records(content) == [{"a": 1}, {"a": "é"}, {"b": None}]
    for position in positions(content):
        assert position.offset is not None
        assert content[position.offset : position.offset + 1] == b"{"
        assert content[: position.offset].count(b"\n") + 1 == position.line


def test_a_broken_line_fails_alone() -> None:
    reader = Ndjson().reader()
    (batch,) = reader.batches(io.BytesIO(b'{"a":1}\n{"a":\n{"a":3}\n'))
    with pytest.raises(ValueError, match="unexpected end of data"):
        reader.decode(batch.raws[1])
    assert reader.decode(batch.raws[2]) == {"a": 3}
    assert batch.position(1) == Position(line=2, offset=8, row=2)
