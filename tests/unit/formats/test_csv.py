import csv as standard
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from traceback import format_exception

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.formats import csv
from plugline.formats.csv import Csv
from plugline.records import Broken, Position, Record
from tests.trickling import Trickle


def records(content: bytes, settings: Csv | None = None) -> list[Record]:
    reader = (settings or Csv()).reader()
    return [reader.decode(raw) for batch in reader.batches(io.BytesIO(content)) for raw in batch.raws]


def outcomes(content: bytes, settings: Csv | None = None) -> list[tuple[Record | str, Position]]:
    """Return a record or the error's message for each raw, with its position."""
    reader = (settings or Csv()).reader()
    found: list[tuple[Record | str, Position]] = []
    for batch in reader.batches(io.BytesIO(content)):
        for index, raw in enumerate(batch.raws):
            try:
                outcome: Record | str = reader.decode(raw)
            except ValueError as error:
                outcome = str(error)
            found.append((outcome, batch.position(index)))
    return found


def written(*values: Record, settings: Csv | None = None) -> str:
    stream = io.BytesIO()
    writer = (settings or Csv()).writer()
    writer.open(stream, first=True)
    writer.write([writer.encode(record) for record in values])
    writer.close(last=True)
    return stream.getvalue().decode()


# ----------------------------------------------------------------------------- reading


def test_rows_are_text_by_the_header() -> None:
    assert records(b"a,b\n1,x y\n,2\n") == [{"a": "1", "b": "x y"}, {"a": "", "b": "2"}]


def test_an_empty_file_and_a_header_alone_hold_no_records() -> None:
    assert records(b"") == []
    assert records(b"\n\n") == []
    assert records(b"a,b\n") == []


def test_a_byte_order_mark_is_not_part_of_the_first_name() -> None:
    assert records(b"\xef\xbb\xbfa,b\n1,2\n") == [{"a": "1", "b": "2"}]


def test_without_a_header_the_declared_fields_name_the_columns() -> None:
    assert records(b"1,2\n3,4\n", Csv(header=False, fields=["a", "b"])) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_without_header_and_fields_there_is_no_reader() -> None:
    with pytest.raises(ValueError, match="expected 'fields' to name the columns"):
        Csv(header=False).reader()


def test_a_name_that_stands_twice_in_the_header_is_an_error_before_the_first_record() -> None:
    with pytest.raises(ValueError, match=r"the header names \['a'\] more than once"):
        records(b"a,b,a\n1,2,3\n")


def test_a_header_with_other_names_than_the_declared_fields_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\['a', 'c'\].*expected the declared fields \['a', 'b'\]"):
        records(b"a,c\n1,2\n", Csv(fields=["a", "b"]))


def test_a_type_for_a_column_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\['amuont'\]"):
        records(b"amount\n1\n", Csv(types={"amuont": "int"}))


def test_types_are_by_declaration() -> None:
    settings = Csv(
        types={"i": "int", "f": "float", "b": "bool", "d": "decimal", "day": "date", "at": "datetime", "s": "str"}
    )
    content = b"i,f,b,d,day,at,s,u\n1,1.5,TRUE,1.10,2024-05-31,2024-05-31T12:00:00+00:00,1,1\n,,,,,,,\n"
    assert records(content, settings) == [
        {
            "i": 1,
            "f": 1.5,
            "b": True,
            "d": Decimal("1.10"),
            "day": date(2024, 5, 31),
            "at": datetime(2024, 5, 31, 12, tzinfo=UTC),
            "s": "1",
            "u": "1",
        },
        {"i": None, "f": None, "b": None, "d": None, "day": None, "at": None, "s": "", "u": ""},
    ]


def test_null_is_what_stands_for_no_value_in_typed_columns() -> None:
    settings = Csv(types={"n": "int"}, null="NA")
    assert records(b"n,s\nNA,NA\n", settings) == [{"n": None, "s": "NA"}]
    assert written({"n": None, "s": "x"}, settings=settings) == "n,s\nNA,x\n"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("int", "1_000", "an integer"),
        ("int", "1.0", "an integer"),
        ("float", "1_0.5", "a number"),
        ("float", "x", "a number"),
        ("bool", "yes", "true, false, 1 or 0"),
        ("decimal", "1,5", "a decimal number"),
        ("date", "31.5.2024", "a date such as 2024-05-31"),
        ("datetime", "noon", "a date and time such as"),
    ],
)
def test_a_value_of_another_type_names_column_and_value(kind: str, text: str, expected: str) -> None:
    settings = Csv(types={"a": "str", "n": kind})  # type: ignore[dict-item] # the parameter is any of the kinds
    ((outcome, position),) = outcomes(f'a,n\nx,"{text}"\n'.encode(), settings)
    assert f"column 'n' holds {text!r}: expected {expected}" in str(outcome)
    assert position == Position(line=2, row=1)


def test_a_ragged_row_fails_alone_with_both_counts() -> None:
    assert outcomes(b"a,b\n1\n1,2\n1,2,3\n") == [
        ("the row has 1 field: expected 2, as there are columns", Position(line=2, row=1)),
        ({"a": "1", "b": "2"}, Position(line=3, row=2)),
        ("the row has 3 fields: expected 2, as there are columns", Position(line=4, row=3)),
    ]


def test_positions_count_blank_lines_and_lines_in_quoted_fields() -> None:
    content = b'\n"a",b\r\n1,"x\r\ny\n\nz"\r\n\r\n2,"\r"\n3,4\n'
    assert outcomes(content) == [
        ({"a": "1", "b": "x\r\ny\n\nz"}, Position(line=3, row=1)),
        ({"a": "2", "b": "\r"}, Position(line=8, row=2)),
        ({"a": "3", "b": "4"}, Position(line=10, row=3)),
    ]


def test_lines_may_end_with_a_carriage_return_alone() -> None:
    assert records(b"a,b\r1,2\r3,4\r") == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_other_line_separators_are_text() -> None:
    text = "a\n1\x0b2\x1c3\u20284\x85\n"
    assert records(text.encode()) == [{"a": "1\x0b2\x1c3\u20284\x85"}]


def test_a_quote_that_is_never_closed_costs_its_line_only() -> None:
    content = b'a,b\n1,"x\n2,y\n3,z\n'
    found = outcomes(content)
    assert found[0][0] == 'no row of CSV: a field that begins with " does not end with " and a delimiter'
    assert [outcome for outcome, _ in found[1:]] == [{"a": "2", "b": "y"}, {"a": "3", "b": "z"}]
    assert [position.line for _, position in found] == [2, 3, 4]


def test_what_follows_a_quote_wrongly_fails_alone_and_is_kept_as_it_came() -> None:
    reader = Csv().reader()
    (batch,) = reader.batches(io.BytesIO(b'a,b\n0,0\n1,"x"y\n2,"z"\n'))
    assert isinstance(batch.raws[1], Broken)
    assert batch.raws[1].raw == b'1,"x"y\n'
    assert [reader.decode(raw) for raw in (batch.raws[0], batch.raws[2])] == [
        {"a": "0", "b": "0"},
        {"a": "2", "b": "z"},
    ]


def test_a_byte_that_is_no_text_costs_its_row_only() -> None:
    reader = Csv().reader()
    raws = [raw for batch in reader.batches(io.BytesIO(b'a,b\n1,\xc3\xa9\n2,"\n\xe9"\n3,4\n')) for raw in batch.raws]
    assert reader.decode(raws[0]) == {"a": "1", "b": "é"}
    assert isinstance(raws[1], Broken)
    assert (raws[1].raw, raws[1].reason) == (b'2,"\n\xe9"\n', "byte 0xe9: expected utf-8 text")
    with pytest.raises(UnicodeError):  # counted apart from rows that are broken otherwise
        reader.decode(raws[1])
    assert reader.decode(raws[2]) == {"a": "3", "b": "4"}


def test_a_field_may_be_longer_than_the_standard_limit() -> None:
    assert records(b'a\n"' + b"x\n" * 200_000 + b'"\n') == [{"a": "x\n" * 200_000}]


def test_a_field_beyond_our_limit_fails_and_reading_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "_MAX_FIELD_CHARACTERS", 1000)
    before = standard.field_size_limit(1000)
    try:
        found = outcomes(b"a,b\n1," + b"x" * 2000 + b"\n2,y\n")
    finally:
        standard.field_size_limit(before)
    assert "field larger than field limit" in str(found[0][0])
    assert found[1][0] == {"a": "2", "b": "y"}


@given(
    st.lists(st.lists(st.text(st.sampled_from('a",\r\n é\x0b'), max_size=4), min_size=2, max_size=2), max_size=12),
    st.integers(1, 12),
    st.booleans(),
)
def test_chunks_may_end_anywhere(rows: list[list[str]], chunk: int, quoted: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    stream = io.StringIO()
    dialect = standard.unix_dialect if quoted else standard.excel
    standard.writer(stream, dialect).writerows([["p", "q"], *rows])
    content = stream.getvalue().encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv, "_CHUNK_CHARACTERS", chunk)
        found = outcomes(content)
    assert [outcome for outcome, _ in found] == [{"p": row[0], "q": row[1]} for row in rows]
    lines = list(io.StringIO(content.decode(), newline=""))
    for row, (_, position) in zip(rows, found, strict=True):
        assert position.line is not None
        first_line = next(standard.reader([*lines[position.line - 1 :]]))
        assert first_line == row


@given(st.binary(max_size=60).map(lambda tail: b"p,q\n" + tail), st.integers(1, 9))
def test_no_bytes_are_lost_or_crash(content: bytes, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv, "_CHUNK_CHARACTERS", chunk)
        pieces = outcomes(content)
    assert pieces == outcomes(content)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig", "cp1252"])
def test_other_encodings_are_read_as_they_are_written(encoding: str) -> None:
    settings = Csv(encoding=encoding)
    stream = io.BytesIO()
    writer = settings.writer()
    writer.open(stream, first=True)
    writer.write([writer.encode({"a": "é", "b": "1"}), writer.encode({"a": "x", "b": "ü,"})])
    writer.close(last=True)
    assert stream.getvalue().decode(encoding) == 'a,b\né,1\nx,"ü,"\n'
    assert records(stream.getvalue(), settings) == [{"a": "é", "b": "1"}, {"a": "x", "b": "ü,"}]


# ----------------------------------------------------------------------------- writing


def test_the_first_record_fixes_the_columns_and_their_order() -> None:
    assert written({"a": 1, "b": 2}, {"b": 4, "a": 3}) == "a,b\n1,2\n3,4\n"


def test_declared_fields_fix_the_columns() -> None:
    assert written({"a": 1, "b": 2}, settings=Csv(fields=["b", "a"])) == "b,a\n2,1\n"
    assert written(settings=Csv(fields=["b", "a"])) == "b,a\n"


def test_without_records_and_fields_the_output_is_empty() -> None:
    assert written() == ""


def test_a_header_can_be_left_out() -> None:
    assert written({"a": 1, "b": 2}, settings=Csv(header=False)) == "1,2\n"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"a": 1}, r"the record lacks \['b'\]: expected the columns \['a', 'b'\]"),
        ({"a": 1, "b": 2, "c": 3}, r"the record has \['c'\] besides"),
        ({"a": 1, "c": 3}, r"the record lacks \['b'\] and has \['c'\] besides"),
        ({}, r"the record lacks \['a', 'b'\]"),
    ],
)
def test_a_record_with_other_keys_is_never_cut(record: Record, message: str) -> None:
    writer = Csv().writer()
    writer.open(io.BytesIO(), first=True)
    writer.encode({"a": 1, "b": 2})
    with pytest.raises(ValueError, match=message):
        writer.encode(record)


@pytest.mark.parametrize("value", [{"x": 1}, [1], (1,), {1}, b"x", object()])
def test_what_a_field_cannot_hold_is_an_error_that_says_so(value: object) -> None:
    writer = Csv().writer()
    writer.open(io.BytesIO(), first=True)
    with pytest.raises(ValueError, match=f"column 'b' holds a {type(value).__name__}: expected text"):
        writer.encode({"a": 1, "b": value})
    # and it fixes nothing
    assert writer.columns is None
    assert writer.encode({"c": 1}) == b"1"


def test_text_that_the_encoding_lacks_is_an_error_of_its_record() -> None:
    writer = Csv().writer()
    writer.open(io.BytesIO(), first=True)
    with pytest.raises(ValueError, match="column 'a' holds the character"):
        writer.encode({"a": "\udce9"})
    with pytest.raises(ValueError, match="column 'a' holds the character"):
        writer.encode({"a": "\udce9", "b": 1})


class _Colour(StrEnum):
    RED = "red"


def test_values_are_written_as_they_are_read() -> None:
    record: Record = {
        "t": True,
        "n": None,
        "f": 0.1,
        "d": Decimal("1.10"),
        "day": date(2024, 5, 31),
        "at": datetime(2024, 5, 31, 12, tzinfo=UTC),
        "e": _Colour.RED,
    }
    assert written(record) == "t,n,f,d,day,at,e\ntrue,,0.1,1.10,2024-05-31,2024-05-31T12:00:00+00:00,red\n"


@given(
    st.lists(
        st.lists(
            st.one_of(st.text(st.sampled_from('a",\r\n ;é'), max_size=4), st.integers(), st.floats(), st.none()),
            min_size=2,
            max_size=2,
        ),
        min_size=1,
    ),
    st.sampled_from([",", ";", "a"]),
)
def test_rows_are_those_of_the_standard_writer(rows: list[list[object]], delimiter: str) -> None:
    stream = io.StringIO()
    # With \r\n as its line end the standard writer quotes both line breaks; ours then ends lines with \n.
    writer = standard.writer(stream, delimiter=delimiter, lineterminator="\r\n")
    expected = []
    header: list[object] = ["p", "q"]
    for row in [header, *rows]:
        writer.writerow(row)
        expected.append(stream.getvalue().removesuffix("\r\n") + "\n")
        stream.seek(stream.truncate(0))
    given_records: list[Record] = [{"p": row[0], "q": row[1]} for row in rows]
    assert written(*given_records, settings=Csv(delimiter=delimiter)) == "".join(expected)


# ----------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"delimiter": ""}, "delimiter ''"),
        ({"delimiter": "::"}, "delimiter '::'"),
        ({"delimiter": "\n"}, "delimiter"),
        ({"quotechar": ","}, "quotechar ','"),
        ({"fields": []}, "fields"),
        ({"fields": ["a", "a"]}, r"fields names \['a'\] more than once"),
        ({"encoding": "base64"}, "encoding 'base64'"),
        ({"encoding": "klingon"}, "encoding 'klingon'"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Csv(**settings)  # type: ignore[arg-type] # wrong on purpose


@given(
    records=st.lists(
        st.fixed_dictionaries(
            {
                "a": st.none()
                | st.integers()
                | st.floats(allow_nan=False)
                | st.sampled_from(["", "x", "a,b", 'q"', "l\nm"]),
                "b{": st.none() | st.booleans() | st.just("true"),
                "c'\"": st.none() | st.dates() | st.datetimes() | st.decimals(allow_nan=False),
            }
        ),
        max_size=12,
    ),
    delimiter=st.sampled_from([",", "\t", "{", "'", "\\"]),
    null=st.sampled_from(["", "NULL", "{", 'n"']),
)
def test_what_is_learned_of_the_first_records_changes_nothing_of_the_next(
    records: list[Record], delimiter: str, null: str
) -> None:
    form = Csv(delimiter=delimiter, null=null, fields=["a", "b{", "c'\""])
    one = form.writer()
    one.open(io.BytesIO(), first=False, columns=form.fields)
    singly = []
    for record in records:
        fresh = form.writer()
        fresh.open(io.BytesIO(), first=False, columns=form.fields)
        singly.append(fresh.encode(record))
    assert [one.encode(record) for record in records] == singly


@pytest.mark.parametrize("settings", [Csv(), Csv(encoding="utf-8-sig"), Csv(encoding="utf-16"), Csv(header=False, fields=["\ufeffa", "b"]), Csv(header=False, fields=["b", "\ufeffa"])])  # fmt: skip
def test_an_output_that_would_begin_with_a_byte_order_mark_is_quoted(settings: Csv) -> None:
    record: Record = {"\ufeffa": "\ufeffx", "b": "\ufeff"}
    stream = io.BytesIO()
    writer = settings.writer()
    writer.open(stream, first=True)
    writer.write([writer.encode(record), writer.encode(record)])
    assert records(stream.getvalue(), settings) == [record, record]


@pytest.mark.parametrize("encoding", ["utf-16le", "utf-16be"])
def test_utf_16_without_a_mark_is_said_to_be_that(encoding: str) -> None:
    content = "id,name\r\n1,Ann\r\n".encode(encoding)
    with pytest.raises(ValueError, match=f'hint: say so: options = {{ encoding = "{encoding}" }}'):
        records(content)
    assert records(content, Csv(encoding=encoding)) == [{"id": "1", "name": "Ann"}]


@pytest.mark.parametrize("record", [{"a\0b\0": "1"}, {"a\0": "1", "\0": "2"}])
def test_names_that_look_like_utf_16_are_read_back(record: Record) -> None:
    assert records(written(record).encode()) == [record]


@pytest.mark.parametrize(("delimiter", "said"), [(";", '";"'), ("\t", r'"\t"'), ("|", '"|"')])
def test_a_quoted_header_with_another_delimiter_says_what_to_set(delimiter: str, said: str) -> None:
    content = f'\ufeff"Name"{delimiter}"Preis"\r\n"A"{delimiter}"1,5"\r\n'.encode()
    with pytest.raises(ValueError, match="the header is broken") as caught:
        records(content, Csv())
    assert str(caught.value).endswith(
        f"hint: say what stands between its fields: options = {{ delimiter = {said} }}, or --from-with 'delimiter={said}'"
    )
    assert records(content, Csv(delimiter=delimiter)) == [{"Name": "A", "Preis": "1,5"}]


@pytest.mark.parametrize(("delimiter", "said"), [(";", '";"'), ("\t", r'"\t"'), ("|", '"|"')])
def test_a_header_of_one_column_with_another_delimiter_is_refused(delimiter: str, said: str) -> None:
    name = f"id{delimiter}name"
    content = f"\r\n{name}\r\n1{delimiter}Ann\r\n".encode()
    with pytest.raises(ValueError, match="the header is one column") as caught:
        records(content)
    assert f" options = {{ delimiter = {said} }}, or --from-with 'delimiter={said}'; " in str(caught.value)
    assert records(content, Csv(delimiter=delimiter)) == [{"id": "1", "name": "Ann"}]
    # Where it is one column: it is declared, or it is in quotes, as ours are when written.
    assert records(content, Csv(fields=[name])) == [{name: f"1{delimiter}Ann"}]
    assert records(written({name: "1"}).encode()) == [{name: "1"}]


def test_a_header_of_commas_in_a_tsv_names_the_other_format() -> None:
    with pytest.raises(ValueError, match=r'hint: say what stands .*: format = "csv", options = { delimiter = "," }'):
        records(b"id,name\n", Csv(delimiter="\t"))


def test_a_header_in_another_encoding_says_what_to_set() -> None:
    with pytest.raises(
        ValueError, match="the header is broken: byte 0xff: expected utf-8 text\n  hint: say which encoding"
    ):
        records("a,b\n1,2\n".encode("utf-16"))
    assert records("a,b\n1,2\n".encode("utf-16"), Csv(encoding="utf-16")) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("first", [{"n": "a", "t": "b"}, {"n": 1, "t": "b"}, None])
@pytest.mark.parametrize(("encoding", "text"), [("utf-8", "\ud800"), ("latin-1", "€"), ("cp1252", "→")])
def test_a_character_that_the_encoding_does_not_have_is_told_with_its_column(
    first: Record | None, encoding: str, text: str
) -> None:
    writer = Csv(encoding=encoding).writer()
    writer.open(io.BytesIO(), first=True)
    for record in [first, first, first] if first is not None else []:
        writer.encode(record)
    record = {"n": "x" if first is None else first["n"], "t": f"a{text}"}
    with pytest.raises(ValueError, match=r"column 't' holds the character '\\(u|x).*': expected those that .* has"):
        writer.encode(record)


def test_the_traceback_of_a_row_that_is_none_shows_no_line_that_has_nothing_to_do_with_it() -> None:
    reader = Csv().reader()
    (batch,) = reader.batches(io.BytesIO(b"a,b\n1,2,3\n"))
    with pytest.raises(ValueError, match="3 fields") as caught:
        reader.decode(batch.raws[0])
    lines = "".join(format_exception(caught.value)).splitlines()
    shown = [after for line, after in pairwise(lines) if "written for the columns" in line]
    assert all(after.lstrip().startswith("File ") for after in shown)
    assert shown


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("count", [1, 3, 2**20])
def test_lines_before_the_header_are_skipped_whatever_stands_in_them(end: str, count: int) -> None:
    content = f'\ufeffReport, "May{end}{end}a,b{end}1,2{end}'.encode()
    reader = Csv(skip_lines=2).reader()
    found = [
        (reader.decode(raw), batch.position(index))
        for batch in reader.batches(Trickle(content, count))
        for index, raw in enumerate(batch.raws)
    ]
    assert found == [({"a": "1", "b": "2"}, Position(line=4, row=1))]
    headless = Csv(skip_lines=3, header=False, fields=["a", "b"])
    assert outcomes(content, headless) == found
    assert records(content, Csv(skip_lines=9)) == []


def test_text_below_lines_that_are_skipped_is_not_cut() -> None:
    # What opens in them is closed by nothing, and would be by the first quote of a row.
    form = Csv(skip_lines=1)
    assert not hasattr(form, "record_end")
    assert not hasattr(form, "header_end")
    assert records(b'"Report\na,b\n"x\ny",2\n', form) == [{"a": "x\ny", "b": "2"}]
    with pytest.raises(ValueError, match="skip_lines -1: expected 0 or more"):
        Csv(skip_lines=-1)


@pytest.mark.parametrize("header", ["a,b,a", "a,,b,"])
def test_a_header_that_names_a_column_twice_or_not_says_how_to_name_them(header: str) -> None:
    content = f"\n{header}\n1,2,3,4\n"[: None if "," in header[-1] else -3].encode()
    with pytest.raises(ValueError, match="more than once") as caught:
        records(content)
    assert str(caught.value).endswith("options = { header = false, skip_lines = 2, fields = [...] }")
    fields = [f"c{at}" for at in range(header.count(",") + 1)]
    (record,) = records(content, Csv(header=False, skip_lines=2, fields=fields))
    assert list(record) == fields


@pytest.mark.parametrize("settings", [Csv(), Csv(delimiter=";")])
def test_a_line_for_a_spreadsheet_says_what_to_set(settings: Csv) -> None:
    content = b"sep=;\na;b\n1;2\n"
    with pytest.raises(ValueError, match="line 1 is no header") as caught:
        records(content, settings)
    assert str(caught.value).endswith('options = { delimiter = ";", skip_lines = 1 }')
    assert records(content, Csv(delimiter=";", skip_lines=1)) == [{"a": "1", "b": "2"}]


def test_rows_under_a_title_ask_whether_that_is_the_header() -> None:
    ((message, _), *_) = outcomes(b"Report\na,b\n")
    assert str(message).endswith("expected 1, as there are columns; if 'Report' is no header, set skip_lines")


def test_code_is_not_written_anew_for_each_of_many_columns_that_gets_its_first_value() -> None:
    names = [f"c{at}" for at in range(200)]
    rows = [dict.fromkeys(names) | {names[at]: at, names[at - 1]: "a"} for at in range(0, 200, 2)] * 2
    before = csv._encoder_code.cache_info().misses
    stream, writer = io.BytesIO(), Csv().writer()
    writer.open(stream, first=True)
    writer.write([writer.encode(row) for row in rows])
    assert csv._encoder_code.cache_info().misses - before < 8
    written = [["" if value is None else str(value) for value in row.values()] for row in rows]
    assert [*standard.reader(stream.getvalue().decode().splitlines())] == [names, *written]


class Counted(str):
    """A name that counts with how many others it is compared."""

    __slots__ = ()
    asked = 0

    def __eq__(self, other: object) -> bool:
        Counted.asked += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_thousands_of_columns_are_not_all_compared_with_each_other() -> None:
    names = [Counted(f"c{at}") for at in range(2_000)]
    settings = Csv(fields=[*names])
    writer = settings.writer()
    writer.open(io.BytesIO(), first=True)
    with pytest.raises(ValueError, match=r"lacks \['c0'\] and has \['other'\] besides"):
        writer.encode(dict.fromkeys([*names[1:], "other"], 1))
    assert Counted.asked < 50_000
