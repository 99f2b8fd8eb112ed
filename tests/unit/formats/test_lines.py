"""Plain lines: what is a line, and what is none."""

import io

import pytest

from plugline.formats.lines import Lines
from plugline.records import Position, Record


def read(content: bytes, form: Lines | None = None) -> list[Record]:
    reader = (form or Lines()).reader()
    return [reader.decode(raw) for batch in reader.batches(io.BytesIO(content)) for raw in batch.raws]


def encoded(record: Record, form: Lines | None = None) -> object:
    writer = (form or Lines()).writer()
    writer.open(io.BytesIO(), first=True)
    return writer.encode(record)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n\nb\r\n", ["a", "", "b"]),
        (b"\n", [""]),
        (b"\xef\xbb\xbfa\n", ["a"]),
        (b"\xef\xbb\xbf", []),
        (b"a\rb\n", ["a\rb"]),
        (b"a\r\r\n", ["a\r"]),
        ("a\u2028b\x0bc\n".encode(), ["a\u2028b\x0bc"]),
    ],
)
def test_a_line_ends_at_a_newline_and_nowhere_else(content: bytes, lines: list[str]) -> None:
    assert read(content) == [{"line": line} for line in lines]


def test_a_mark_at_the_beginning_of_a_later_split_is_text() -> None:
    reader = Lines().reader()
    reader.begins = False  # type: ignore[attr-defined]
    (batch,) = reader.batches(io.BytesIO(b"\xef\xbb\xbfa\n"))
    assert reader.decode(batch.raws[0]) == {"line": "\ufeffa"}


def test_text_in_utf_16_is_said_to_be_that() -> None:
    with pytest.raises(ValueError, match="it is text in UTF-16: expected UTF-8"):
        read("a\r\n".encode("utf-16"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_text_in_utf_16_without_a_mark_is_said_to_be_that(encoding: str) -> None:
    with pytest.raises(ValueError, match=f"it is text in UTF-16{encoding[-2:].upper()}"):
        read("one\ntwo\n".encode(encoding))


def test_a_line_that_looks_like_utf_16_is_read_back() -> None:
    stream, writer = io.BytesIO(), Lines().writer()
    writer.open(stream, first=True)
    writer.write([writer.encode({"line": "a\0b\0"})])
    assert read(stream.getvalue()) == [{"line": "a\0b\0"}]


def test_a_line_longer_than_a_chunk_is_one_line() -> None:
    assert read(b"x" * 1_000_000 + b"\ny") == [{"line": "x" * 1_000_000}, {"line": "y"}]


def test_positions_count_lines_and_bytes() -> None:
    (batch,) = Lines().reader().batches(io.BytesIO(b"\xef\xbb\xbfab\r\nc\n"))
    assert batch.position(1) == Position(line=2, offset=7, row=2)


@pytest.mark.parametrize(
    ("content", "lines"), [(b"", 0), (b"\xef\xbb\xbf", 0), (b"a\n\nb", 3), (b"a\n" * 100_000, 100_000)]
)
def test_a_reader_counts_its_lines_for_the_next_split(content: bytes, lines: int) -> None:
    reader = Lines().reader()
    assert sum(len(batch.raws) for batch in reader.batches(io.BytesIO(content))) == lines
    assert getattr(reader, "lines", None) == lines


def test_bytes_that_the_encoding_does_not_know_fail_alone() -> None:
    reader = Lines().reader()
    (batch,) = reader.batches(io.BytesIO(b"a\n\xff\nb\n"))
    with pytest.raises(ValueError, match="utf-8"):
        reader.decode(batch.raws[1])
    assert [reader.decode(batch.raws[index]) for index in (0, 2)] == [{"line": "a"}, {"line": "b"}]


def test_the_field_and_the_encoding_are_settings() -> None:
    form = Lines(field="text", encoding="latin-1")
    assert read(b"\xfc\n", form) == [{"text": "ü"}]
    assert encoded({"text": "ü"}, form) == b"\xfc\n"


@pytest.mark.parametrize("encoding", ["utf-16", "base64", "nothing"])
def test_an_encoding_whose_line_end_is_not_a_byte_is_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match="whose line end is one byte"):
        Lines(encoding=encoding)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"line": "a", "b": 1}, r"has the fields \['line', 'b'\]: expected 'line' alone"),
        ({}, r"has the fields \[\]"),
        ({"line": 1}, "holds a int: expected text"),
        ({"line": "a\nb"}, "holds a line break"),
        ({"line": "a\r"}, "holds a line break"),
    ],
)
def test_what_is_no_line_is_refused(record: Record, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        encoded(record)
