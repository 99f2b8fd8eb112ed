"""Parquet and Arrow: what has no type, and what steps do to values in values."""

import io
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from plugline.formats.arrow import Arrow
from plugline.formats.arrows import Arrows
from plugline.formats.avro import Avro
from plugline.formats.parquet import Parquet
from plugline.records import Format, Record


def written(form: Format, records: list[Record]) -> bytes:
    stream = io.BytesIO()
    writer = form.writer()
    writer.open(stream, first=True)
    writer.write([writer.encode(record) for record in records])
    writer.close(last=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("value", "column"), [({}, "'v'"), ([{}], "'v'"), ([[{}], []], "'v'"), ({"x": 1, "y": {}}, "'v.y'")]
)
def test_tables_that_have_no_field_in_any_record_are_refused_before_the_output_is_made(
    value: object, column: str
) -> None:
    with pytest.raises(
        ValueError, match=f"column {column} holds tables without any field, which Parquet has no type for"
    ):
        written(Parquet(), [{"n": 1, "v": value}])
    assert written(Arrow(), [{"n": 1, "v": value}])


def test_a_table_without_fields_is_one_without_values_where_others_have_fields() -> None:
    assert written(Parquet(), [{"v": {}}, {"v": {"x": 1}}])


@pytest.mark.parametrize("form", [Parquet(), Arrow()])
def test_a_step_that_changes_a_record_does_not_change_what_came_in(form: Parquet | Arrow) -> None:
    record: Record = {"n": 1, "tags": ["a"], "inner": {"list": [{"x": 1}]}}
    out, writer = io.BytesIO(), form.writer()
    part = io.BytesIO()
    writer.open(part, first=True)
    writer.write([writer.encode(record)])
    writer.close(last=True)
    form.assemble(io.BytesIO(part.getvalue()), out, columns=writer.columns)
    reader = form.reader()
    (batch,) = reader.batches(io.BytesIO(out.getvalue()))
    found: Any = reader.decode(batch.raws[0])
    found["tags"].append("b")
    found["inner"]["list"][0]["x"] = 2
    assert reader.decode(batch.raws[0]) == record


def of_other_tools(form: Parquet | Arrow | Arrows, table: Any) -> io.BytesIO:
    stream = io.BytesIO()
    if isinstance(form, Parquet):
        pyarrow.parquet.write_table(table, stream)
    else:
        new = pyarrow.ipc.new_file if isinstance(form, Arrow) else pyarrow.ipc.new_stream
        with new(stream, table.schema) as writer:
            writer.write_table(table)
    return io.BytesIO(stream.getvalue())


@pytest.mark.parametrize("form", [Parquet, Arrow, Arrows])
@pytest.mark.parametrize("way", ["batches", "tables"])
def test_columns_of_one_name_are_refused_and_none_of_them_is_lost(
    form: type[Parquet] | type[Arrow] | type[Arrows], way: str
) -> None:
    table = pyarrow.table([pyarrow.array([1]), pyarrow.array([2]), pyarrow.array([3])], names=["a", "b", "a"])
    stream = of_other_tools(form(), table)
    with pytest.raises(
        ValueError, match="several columns of the name 'a': expected each name once\n  hint: leave them"
    ):
        list(getattr(form().reader(), way)(stream))
    stream.seek(0)
    reader = form(fields=["b"]).reader()
    (batch,) = reader.batches(stream)
    assert reader.decode(batch.raws[0]) == {"b": 2}


@pytest.mark.parametrize("form", [Arrow(), Arrows()])
def test_categories_whose_texts_are_views_are_text(form: Arrow | Arrows) -> None:
    # As Polars writes its categories and enumerations.
    views = pyarrow.array(["red", "green"], pyarrow.string_view())
    indices = pyarrow.array([1, None, 0], pyarrow.uint32())
    table = pyarrow.table({"c": pyarrow.DictionaryArray.from_arrays(indices, views)})
    reader = form.reader()
    (batch,) = reader.batches(of_other_tools(form, table))
    assert [reader.decode(raw) for raw in batch.raws] == [{"c": "green"}, {"c": None}, {"c": "red"}]


@pytest.mark.parametrize("form", [Parquet(), Arrow(), Arrows(), Avro()])
@pytest.mark.parametrize("before", [0, 1])
def test_a_moment_that_is_in_no_year_of_utc_is_refused(form: Parquet | Arrow | Arrows | Avro, before: int) -> None:
    writer = form.writer()
    writer.open(io.BytesIO(), first=True)
    east, west = timezone(timedelta(hours=5)), timezone(timedelta(hours=-5))
    for _ in range(before):
        assert writer.encode({"at": datetime(2024, 5, 31, tzinfo=east)})
    for beyond in (datetime(1, 1, 1, tzinfo=east), datetime(9999, 12, 31, 23, tzinfo=west)):
        with pytest.raises(ValueError, match="column 'at' holds datetime"):
            writer.encode({"at": beyond})
    assert writer.encode({"at": datetime(1, 1, 1, 5, tzinfo=east)})
