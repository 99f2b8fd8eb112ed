"""The table for people."""

import io
from collections.abc import Sequence

import pytest

from plugline.formats.table import Table
from plugline.records import Record


def drawn(records: Sequence[Record], form: Table | None = None) -> str:
    stream, writer = io.BytesIO(), (form or Table(width=200)).writer()
    writer.open(stream, first=True)
    writer.write([writer.encode(record) for record in records])
    writer.close(last=True)
    return stream.getvalue().decode()


def test_columns_are_as_wide_as_they_need_and_numbers_stand_right() -> None:
    assert drawn([{"name": "Ann", "n": 5, "ok": True}, {"name": "Dagný", "n": None, "ok": False}]) == (
        "name   n  ok\n-----  -  -----\nAnn    5  true\nDagný  -  false\n"
    )


def test_what_is_too_wide_is_cut_and_shows_it() -> None:
    text = drawn([{"a": "x" * 30, "b": "y" * 10}], Table(width=24))
    assert text.splitlines()[2] == f"{'x' * 11}…  {'y' * 10}"
    assert drawn([{"a": "x" * 30}], Table(width=100, cell_width=5)).splitlines()[2] == "xxxx…"


def test_wide_characters_take_two_places() -> None:
    assert drawn([{"a": "日本", "b": "x"}, {"a": "abcd", "b": "y"}]).splitlines()[2:] == ["日本  x", "abcd  y"]


def test_nothing_reaches_the_terminal_that_it_would_obey() -> None:
    text = drawn([{"a\x1b[2J": "\x1b]0;title\x07\nnew line\u202e"}])
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert len(text.splitlines()) == 3


def test_later_rows_keep_the_widths_and_other_fields_are_refused() -> None:
    records: list[Record] = [{"a": "x"} for _ in range(200)]
    writer = Table(width=80).writer()
    stream = io.BytesIO()
    writer.open(stream, first=True)
    writer.write([writer.encode(record) for record in records])
    with pytest.raises(ValueError, match=r"expected the columns \['a'\]"):
        writer.encode({"b": 1})
    writer.write([writer.encode({"a": "too long"})])
    writer.close(last=False)
    later = Table(width=80).writer()
    more = io.BytesIO()
    later.open(more, first=False, columns=writer.columns)
    later.write([later.encode({"a": "y"})])
    later.close(last=True)
    assert stream.getvalue().decode().splitlines()[-1] == "…"
    assert more.getvalue() == b"y\n"


def test_without_records_there_is_a_heading_if_the_fields_are_declared() -> None:
    assert drawn([]) == ""
    assert drawn([], Table(fields=["a", "b"])) == "a  b\n-  -\n"


def test_it_is_only_written() -> None:
    with pytest.raises(ValueError, match="for people and only written"):
        Table().reader()
    with pytest.raises(ValueError, match="4 or more"):
        Table(cell_width=1)
