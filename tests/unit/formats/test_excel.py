"""Excel: what openpyxl and others wrote, what they read of ours, and what Excel would change."""

import io
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from zipfile import ZipFile

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugline.formats.excel import Excel
from plugline.records import Broken, Position, Reader, Record
from plugline.testing import check_format


def workbook(*sheets: Sequence[Sequence[object]]) -> Any:
    """Return a workbook as openpyxl makes it, with sheets a, b, ..."""
    book: Any = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in zip("abc", sheets, strict=False):
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return book


def saved(book: Any) -> io.BytesIO:
    stream = io.BytesIO()
    book.save(stream)
    stream.seek(0)
    return stream


def rows_of(stream: io.BytesIO, reader: Reader | None = None) -> list[object]:
    reader = reader or Excel().reader()
    raws = [raw for batch in reader.batches(stream) for raw in batch.raws]
    return [raw if isinstance(raw, Broken) else reader.decode(raw) for raw in raws]


def written(records: Sequence[Record], form: Excel | None = None) -> io.BytesIO:
    form = form or Excel()
    part, writer = io.BytesIO(), form.writer()
    writer.open(part, first=True)
    writer.write([writer.encode(record) for record in records])
    writer.close(last=True)
    out = io.BytesIO()
    form.assemble(io.BytesIO(part.getvalue()), out, columns=writer.columns)
    out.seek(0)
    return out


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["=1+1", "_x0041_", "_x005F_x0041_", "<r>a</r>", " a ", "\r\n", "\0", "'", "a\tb", "#REF!", "TRUE", "1", "&lt;"]
)
MILLISECONDS = st.integers(0, 86_399_999).map(lambda count: timedelta(milliseconds=count))
DAYS = st.dates(date(1900, 3, 1), date(9999, 12, 31))
MOMENTS = st.tuples(DAYS, MILLISECONDS).map(lambda both: datetime.combine(both[0], time()) + both[1])
VALUES = {
    "text": TEXTS,
    "integer": st.integers(-(2**53), 2**53),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "truth": st.booleans(),
    "day": DAYS,
    "moment": MOMENTS,
    "time": MILLISECONDS.map(lambda since: (datetime(2000, 1, 1) + since).time()),  # noqa: DTZ001
    "duration": st.integers(0, 10**12).map(lambda count: timedelta(milliseconds=count)),
}
RECORDS = st.lists(st.fixed_dictionaries({name: st.none() | value for name, value in VALUES.items()}), max_size=5)


def same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return type(one) is type(other) and one == other


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RECORDS)
def test_what_was_written_is_read_as_the_same_values_of_the_same_types(records: list[Record]) -> None:
    full = [{"number": number, **record} for number, record in enumerate(records)]  # no row without any value
    found = rows_of(written(full))
    assert len(found) == len(full)
    for one, other in zip(found, full, strict=True):
        assert isinstance(one, dict)
        assert one.keys() == other.keys()
        assert all(same(one[name], other[name]) for name in one), (one, other)


@pytest.mark.slow
def test_it_keeps_the_contract_of_formats() -> None:
    some = st.fixed_dictionaries({"n": st.integers(-99, 99), "text": TEXTS, "day": DAYS})
    check_format(Excel(), some, examples=8)


def test_what_is_written_is_read_by_openpyxl_and_no_text_is_a_formula() -> None:
    sheet = openpyxl.load_workbook(written([{"a": "=1+1", "b": 1, "c": date(2024, 2, 29)}], Excel(sheet="orders")))[
        "orders"
    ]
    assert [cell.value for cell in sheet[1]] == ["a", "b", "c"]
    first = sheet["A2"]
    assert (first.value, first.data_type) == ("=1+1", "s")
    assert sheet["C2"].value == datetime(2024, 2, 29)  # noqa: DTZ001
    assert sheet["C2"].number_format == "yyyy\\-mm\\-dd"


def test_the_same_records_give_the_same_bytes() -> None:
    record = {"a": "x", "b": 1.5}
    assert written([record]).getvalue() == written([record]).getvalue()


def test_a_workbook_of_somebody_else_is_read_with_its_types() -> None:
    moment = datetime(2024, 2, 29, 12, 30, 15)  # noqa: DTZ001
    rows: list[list[object]] = [
        ["s", "n", "f", "b", "d", "t", "w", "e"],
        ["x", 7, 1.5, True, date(2024, 2, 29), moment, time(23, 59), None],
    ]
    (found,) = rows_of(saved(workbook(rows)))
    assert found == {
        "s": "x",
        "n": 7,
        "f": 1.5,
        "b": True,
        "d": date(2024, 2, 29),
        "t": moment,
        "w": time(23, 59),
        "e": None,
    }


def test_a_sheet_is_taken_by_its_name_and_the_first_without_one() -> None:
    book = workbook([["x"], [1]], [["x"], [2]])
    assert rows_of(saved(book)) == [{"x": 1}]
    assert rows_of(saved(book), Excel(sheet="b").reader()) == [{"x": 2}]
    with pytest.raises(ValueError, match=r"it has no sheet 'orders': expected one of \['a', 'b'\]\n  hint: "):
        rows_of(saved(book), Excel(sheet="orders").reader())


def test_rows_without_a_value_are_no_records_and_positions_are_those_of_the_sheet() -> None:
    stream = saved(workbook([["report of May"], [], ["x", "y"], [1, None], [], [None, None], [None, 2]]))
    reader = Excel(skip_rows=2).reader()
    batches = [*reader.batches(stream)]
    assert [reader.decode(raw) for batch in batches for raw in batch.raws] == [{"x": 1, "y": None}, {"x": None, "y": 2}]
    found = [batch.position(at) for batch in batches for at in range(len(batch.raws))]
    assert found == [Position(line=4, row=1), Position(line=7, row=2)]


def test_without_a_header_the_columns_are_those_that_fields_names() -> None:
    stream = saved(workbook([["a title"], [1, 2], [3]]))
    form = Excel(header=False, fields=["x", "y"], skip_rows=1)
    assert rows_of(stream, form.reader()) == [{"x": 1, "y": 2}, {"x": 3, "y": None}]
    sheet = openpyxl.load_workbook(written([{"x": 1, "y": 2}], form)).active
    assert [*sheet.iter_rows(values_only=True)] == [(1, 2)]
    with pytest.raises(ValueError, match="fields: expected the columns"):
        Excel(header=False).reader()


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([["x", None, "z"], [1]], {}, "the header in row 1 names no column in B"),
        ([["x", "x"], [1]], {}, r"the header in row 1 names \['x'\] more than once"),
        ([["x", "y"]], {"fields": ["x", "z"]}, r"names \['x', 'y'\]: expected \['x', 'z'\]"),
    ],
)
def test_a_header_that_is_none_is_refused(
    rows: Sequence[Sequence[object]], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        rows_of(saved(workbook(rows)), Excel(**settings).reader())


def test_a_cell_with_an_error_and_a_value_beyond_the_columns_break_their_row_alone() -> None:
    book = workbook([["x", "y"], [1, 2], [3, 4], [5, 6, None, 7], [8, 9]])
    book["a"]["B3"] = "#DIV/0!"
    good, division, beyond, last = rows_of(saved(book))
    assert (good, last) == ({"x": 1, "y": 2}, {"x": 8, "y": 9})
    assert isinstance(division, Broken)
    assert division.reason == "B3 holds the error '#DIV/0!'"
    assert division.raw == {"x": 3, "y": "#DIV/0!"}
    assert isinstance(beyond, Broken)
    assert beyond.reason == "row 4 has values in D, and the columns end with B"
    assert beyond.raw == {"x": 5, "y": 6, "beyond, C": None, "beyond, D": 7}
    for broken in (division, beyond):
        with pytest.raises(ValueError, match="mend the row in 'raw'"):
            Excel().reader().decode(broken.raw)


def test_a_row_whose_last_column_is_named_as_sheets_name_it_is_tried_again() -> None:
    book = workbook([["id", "B"], [1, "#N/A"], [3, 4, 5]])
    book["a"]["B2"].data_type = "e"
    for broken in rows_of(saved(book)):
        assert isinstance(broken, Broken)
        mended = {
            name: 0 if name == "B" else value
            for name, value in cast("Record", broken.raw).items()
            if "beyond" not in name
        }
        assert list(Excel().reader().decode(mended)) == ["id", "B"]


def test_rows_under_a_title_ask_whether_that_is_the_header() -> None:
    rows: list[list[object]] = [["Report of May"], [], ["x", "y"], [1, 2]]
    first, _ = rows_of(saved(workbook(rows)))
    assert isinstance(first, Broken)
    assert first.reason.endswith("the columns end with A; if 'Report of May' is no header, set skip_rows")
    assert rows_of(saved(workbook(rows)), Excel(skip_rows=2).reader()) == [{"x": 1, "y": 2}]


def test_a_formula_that_nothing_has_calculated_breaks_its_row() -> None:
    book = workbook([["x", "y"], [1, "=A2*2"], [2, 4], [None, "=A4"]])
    first, good, last = rows_of(saved(book))
    assert good == {"x": 2, "y": 4}
    assert isinstance(first, Broken)
    assert isinstance(last, Broken)
    assert (
        first.reason
        == "B2 holds a formula that nothing has calculated: open the workbook in a program that does, and save it"
    )
    assert first.raw == {"x": 1, "y": "#NOT CALCULATED"}
    assert last.reason.startswith("B4 holds a formula")
    with pytest.raises(ValueError, match="'y' still holds the error"):
        Excel().reader().decode(first.raw)


def test_a_formula_whose_result_is_no_text_at_all_is_none_that_is_missing() -> None:
    before, after = saved(workbook([["x", "y"], [1, "=A2*2"]])), io.BytesIO()
    with ZipFile(before) as archive, ZipFile(after, "w") as other:
        for name in archive.namelist():
            text = archive.read(name).replace(b'<c r="B2"', b'<c r="B2" t="str"')
            other.writestr(name, text)
    assert rows_of(after) == [{"x": 1, "y": None}]


def test_the_first_sheet_that_is_not_hidden_is_read() -> None:
    book = workbook([["x"], [1]])
    book.create_sheet("lists", 0).append(["hidden"])
    book["lists"].append([0])
    book["lists"].sheet_state = "hidden"
    assert rows_of(saved(book)) == [{"x": 1}]
    assert rows_of(saved(book), Excel(sheet="lists").reader()) == [{"hidden": 0}]


def test_escaped_characters_of_others_are_read_as_what_they_stand_for() -> None:
    assert rows_of(saved(workbook([["x"], ["a_x000D_b_x005F_x0041_"]]))) == [{"x": "a\rb_x0041_"}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**53 + 1, "at most 53 bits"),
        (math.nan, "a finite number"),
        (-math.inf, "a finite number"),
        (Decimal("1.5"), "expected text, a number"),
        (b"x", "expected text, a number"),
        ([1], "expected text, a number"),
        ({"a": 1}, "expected text, a number"),
        ("\ud800", "without half of a surrogate pair"),
        ("x" * 32_768, "at most 32,767 characters"),
        ("\U0001f600" * 16_384, "at most 32,767 characters"),
        (date(1900, 2, 28), "no day before March 1900"),
        (datetime(2024, 1, 1, tzinfo=UTC), "no zone"),
        (datetime(2024, 1, 1, microsecond=1), "whole milliseconds"),  # noqa: DTZ001
        (time(1, microsecond=1), "whole milliseconds"),
        (timedelta(seconds=-1), "nothing negative"),
        (timedelta.max, "at most 2,958,465 days"),
    ],
    ids=lambda value: str(value)[:20].encode("ascii", "replace").decode(),
)
def test_what_excel_would_change_is_an_error_of_its_record(value: object, expected: str) -> None:
    writer = Excel().writer()
    writer.open(io.BytesIO(), first=True)
    with pytest.raises(ValueError, match=f"column 'x' holds .*{expected}"):
        writer.encode({"x": value})
    writer.encode({"another": 1})  # it has fixed nothing
    with pytest.raises(ValueError, match=r"the record has the fields \['x'\]: expected \['another'\]"):
        writer.encode({"x": 1})


def test_a_record_without_any_value_is_refused_since_nobody_would_read_it_again() -> None:
    with pytest.raises(ValueError, match="the record has no value"):
        Excel(fields=["a", "b"]).writer().encode({"a": None, "b": None})
    assert rows_of(written([{"a": "", "b": None}])) == [{"a": "", "b": None}]


def test_more_rows_than_a_sheet_has_are_refused() -> None:
    parts = io.BytesIO(b'["><v>1</v>"]\n' * 2**20)
    with pytest.raises(ValueError, match="a sheet of Excel has 1,048,576 rows, and there are more"):
        Excel().assemble(parts, io.BytesIO(), columns=("n",))


@pytest.mark.parametrize("data", [b"", b"PK\3\4 no zip", b"a,b\n1,2\n"], ids=["empty", "cut off", "csv"])
def test_what_is_no_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="it is no Excel workbook"):
        rows_of(io.BytesIO(data))


def test_a_workbook_without_its_sheet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(written([{"x": 1}]).getvalue())
    with ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(path, "w") as archive:
        for name, content in kept.items():
            archive.writestr(name, content[:80] if "sheet1" in name else content)
    with pytest.raises(ValueError, match="broken"):
        rows_of(io.BytesIO(path.read_bytes()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sheet": "a/b"}, "sheet 'a/b': expected 1 to 31 characters"),
        ({"sheet": "x" * 32}, "expected 1 to 31 characters"),
        ({"skip_rows": -1}, "skip_rows -1: expected 0 or more"),
        ({"fields": []}, "fields has 0 columns"),
        ({"fields": ["x", "x"]}, "fields names .* more than once"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Excel(**settings)
