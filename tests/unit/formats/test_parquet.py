"""Parquet and Arrow: what has no type, and what steps do to values in values."""

import io
from typing import Any

import pytest

from plugline.formats.arrow import Arrow
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
