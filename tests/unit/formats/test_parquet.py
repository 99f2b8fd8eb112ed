"""Parquet and Arrow: what has no type, and what steps do to values in values."""

import io
import sys
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow
import pyarrow.parquet
import pytest

from plugline.formats._tables import part_tables
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


# ----------------------------------------------------------------------------- parts put together


def _parts(count: int, rows: int) -> bytes:
    table = pyarrow.table({"text": [f"{row:01000}" for row in range(rows)]})
    sink = io.BytesIO()
    for _ in range(count):
        with pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("is_file", [True, False])
def test_parts_are_read_one_after_the_other_from_where_the_file_is(tmp_path: Path, *, is_file: bool) -> None:
    content = b"before" + _parts(5, 10)
    path = tmp_path / "parts"
    path.write_bytes(content)
    with path.open("rb") if is_file else io.BytesIO(content) as parts:
        parts.seek(6)
        tables = list(part_tables(parts, 20))
    assert [table.num_rows for table in tables] == [20, 20, 10]
    assert pyarrow.concat_tables(tables)["text"].to_pylist() == [f"{row:01000}" for row in range(10)] * 5


def test_a_file_without_parts_has_no_tables(tmp_path: Path) -> None:
    (tmp_path / "parts").touch()
    with (tmp_path / "parts").open("rb") as parts:
        assert not list(part_tables(parts, 20))


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel what is in memory")
def test_parts_that_were_put_together_are_not_in_memory_any_more(tmp_path: Path) -> None:
    path = tmp_path / "parts"
    path.write_bytes(_parts(60, 1_000))
    size = path.stat().st_size

    def resident() -> int:
        maps = Path("/proc/self/smaps").read_text(encoding="utf-8").split(str(path), 1)[1]
        return next(int(line.split()[1]) * 1024 for line in maps.splitlines() if line.startswith("Rss:"))

    with path.open("rb") as parts:
        held = [resident() for table in part_tables(parts, 1_000) if table["text"].to_pylist()]
    assert len(held) == 60
    assert max(held) < size / 4


def _rows(*counts: int) -> list[Any]:
    """Return tables of consecutive numbers."""
    ends = [sum(counts[: at + 1]) for at in range(len(counts))]
    numbers = [pyarrow.array(range(end - count, end), "int64") for count, end in zip(counts, ends, strict=True)]
    return [pyarrow.table({"n": column}) for column in numbers]


def _part(form: Parquet, tables: list[Any], token: str | None) -> tuple[bytes, str]:
    stream, writer = io.BytesIO(), form.writer()
    writer.open(stream, first=token is None, columns=None if token is None else (token,))
    for table in tables:
        writer.write([writer.encode_table(table)])  # type: ignore[attr-defined]
    writer.close(last=False)
    assert writer.columns is not None
    return stream.getvalue(), writer.columns[0]


@pytest.mark.parametrize(
    ("parts", "groups"),
    [
        pytest.param([[10], [10]], [10, 10], id="as they come"),
        pytest.param([[25]], [10, 10, 5], id="one large table"),
        pytest.param([[4, 4, 4, 4]], [10, 6], id="small tables in a part"),
        pytest.param([[3], [3], [3], [3], [3], [3]], [10, 8], id="small parts"),
        pytest.param([[4], [10], [4]], [4, 10, 4], id="small parts between large ones"),
        pytest.param([[4], [10, 20, 3], [3], [3]], [4, 10, 10, 13, 6], id="of all sizes"),
        pytest.param([[0], [7], [0, 0], [0]], [7], id="parts without rows"),
        pytest.param([[0]], [], id="no rows"),
    ],
)
def test_rows_stand_in_groups_of_about_so_many(parts: list[list[int]], groups: list[int]) -> None:
    form = Parquet(row_group_rows=10)
    tables = iter(_rows(*[count for part in parts for count in part]))
    content, token = b"", None
    for part in parts:
        more, token = _part(form, [next(tables) for _ in part], token)
        content += more
    stream = io.BytesIO()
    form.assemble(io.BytesIO(content), stream, columns=None if token is None else (token,))
    file = pyarrow.parquet.ParquetFile(io.BytesIO(stream.getvalue()))
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == groups
    assert file.read()["n"].to_pylist() == [*range(sum(map(sum, parts)))]


def test_a_part_of_wide_rows_is_not_held_until_there_are_enough_of_them() -> None:
    form = Parquet(compression="none")
    table = pyarrow.table({"text": ["x" * 2**20]})
    _, token = _part(form, [table], None)
    stream, writer = io.BytesIO(), form.writer()
    writer.open(stream, first=False, columns=(token,))
    for number in range(100):
        writer.write([writer.encode({"text": f"{number:0{2**20}}"})])
        assert len(stream.getvalue()) >= (number - 40) * 2**20
    writer.close(last=True)
    out = io.BytesIO()
    form.assemble(io.BytesIO(stream.getvalue()), out, columns=(token,))
    metadata = pyarrow.parquet.read_metadata(out)
    assert metadata.num_rows == 100
    # Nor are they when parts are put together.
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [64, 36]


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel what is in memory")
def test_row_groups_that_were_copied_are_not_in_memory_any_more(tmp_path: Path) -> None:
    form = Parquet(compression="none", row_group_rows=1_000)
    table = pyarrow.table({"text": [f"{row:01000}" for row in range(1_000)]})
    part, token = _part(form, [table], None)
    path = tmp_path / "parts"
    path.write_bytes(part * 60)
    held = []

    class Out(io.BytesIO):
        def write(self, data: Any) -> int:
            for mapped in Path("/proc/self/smaps").read_text(encoding="utf-8").split(str(path))[1:]:
                found = next(line for line in mapped.splitlines() if line.startswith("Rss:"))
                held.append(int(found.split()[1]) * 1024)
            return len(data)

    with path.open("rb") as parts:
        form.assemble(parts, Out(), columns=(token,))
    assert len(held) >= 60
    assert max(held) < path.stat().st_size / 4


def test_a_number_that_only_fits_without_a_sign_is_told_the_type_that_holds_it() -> None:
    number = 2**64 - 1
    writer = Parquet().writer()
    writer.open(io.BytesIO(), first=True)
    with pytest.raises(ValueError, match=r'of at most 64 bits with its sign, or types = { "n" = "uint64" }'):
        writer.encode({"n": number})
    declared = Parquet(types={"n": "uint64"}).writer()
    declared.open(io.BytesIO(), first=True)
    assert declared.encode({"n": number}) == {"n": number}
    with pytest.raises(ValueError, match=r"of at most 64 bits$"):
        declared.encode({"n": number + 1})


def test_parts_of_an_arrow_file_may_each_have_their_own_categories() -> None:
    form, content, token = Arrow(), b"", None
    for names in (["a", "b"], ["c", "a"], ["b", None]):
        writer, stream = form.writer(), io.BytesIO()
        writer.open(stream, first=token is None, columns=None if token is None else (token,))
        column = pyarrow.array(names).dictionary_encode()
        writer.write([writer.encode_table(pyarrow.table({"name": column}))])  # type: ignore[attr-defined]
        writer.close(last=False)
        assert writer.columns is not None
        content, token = content + stream.getvalue(), writer.columns[0]
    out = io.BytesIO()
    assert token is not None
    form.assemble(io.BytesIO(content), out, columns=(token,))
    with pyarrow.ipc.open_file(io.BytesIO(out.getvalue())) as file:
        assert file.read_all()["name"].to_pylist() == ["a", "b", "c", "a", "b", None]


def test_an_arrow_stream_has_categories_as_what_they_stand_for() -> None:
    writer, stream = Arrows().writer(), io.BytesIO()
    writer.open(stream, first=True)
    column = pyarrow.array(["a", "b", None, "a"]).dictionary_encode()
    table = pyarrow.table(
        {
            "name": column,
            "list": pyarrow.ListArray.from_arrays([0, 1, 1, 2, 4], column),
            "pair": pyarrow.FixedSizeListArray.from_arrays(column, 1),
            "table": pyarrow.StructArray.from_arrays([column], names=["x"]),
            "map": pyarrow.MapArray.from_arrays([0, 1, 2, 3, 4], pyarrow.array(["k"] * 4), column),
        }
    )
    writer.write([writer.encode_table(table)])  # type: ignore[attr-defined]
    writer.close(last=True)
    with pyarrow.ipc.open_stream(stream.getvalue()) as written_stream:
        assert written_stream.read_all().to_pylist() == table.to_pylist()


def test_a_uuid_is_the_text_that_it_is_in_other_formats(tmp_path: Path) -> None:
    identity = UUID("12345678-1234-5678-1234-567812345678")
    column = pyarrow.array([identity.bytes, None], pyarrow.uuid())
    pyarrow.parquet.write_table(pyarrow.table({"id": column}), tmp_path / "a.parquet")
    reader = Parquet().reader()
    with (tmp_path / "a.parquet").open("rb") as stream:
        found = [reader.decode(raw) for batch in reader.batches(stream) for raw in batch.raws]
    assert found == [{"id": str(identity)}, {"id": None}]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("text", 1),
        (1, "2"),
        (1.5, "2"),
        (1, True),
        ("text", datetime(2024, 1, 2)),  # noqa: DTZ001 - has no zone on purpose
        (datetime(2024, 1, 2, tzinfo=timezone.utc), datetime(2024, 1, 2)),  # noqa: DTZ001, UP017
        ([1], ["2"]),
        ({"x": 1}, {"x": "2"}),
        (b"1", "text"),
    ],
)
@pytest.mark.parametrize("form", [Parquet(), Arrow(), Avro()])
def test_a_later_table_is_not_made_one_of_other_types(form: Format, first: object, later: object) -> None:
    writer = form.writer()
    writer.open(io.BytesIO(), first=True)
    encode: Any = writer
    encode.encode_table(pyarrow.table({"v": [first]}))
    with pytest.raises(ValueError, match="column 'v' is of the type"):
        encode.encode_table(pyarrow.table({"v": [later]}))
    assert encode.encode_table(pyarrow.table({"v": [None]})).num_rows == 1


@pytest.mark.parametrize(
    ("kind", "fits", "finer"),
    [
        ("timestamp[ms]", datetime(2024, 1, 2, 0, 0, 0, 5000), datetime(2024, 1, 2, 0, 0, 0, 5001)),  # noqa: DTZ001
        ("timestamp[s]", datetime(2024, 1, 2, 0, 0, 1), datetime(2024, 1, 2, 0, 0, 1, 1000)),  # noqa: DTZ001
        ("time32[ms]", time(1, 2, 3, 4000), time(1, 2, 3, 4)),
        ("duration[s]", timedelta(1, 2), timedelta(1, 2, 3)),
    ],
)
def test_nothing_is_cut_off_a_time_that_is_finer_than_its_column(kind: str, fits: object, finer: object) -> None:
    writer = Parquet(types={"v": kind}).writer()
    writer.open(io.BytesIO(), first=True)
    assert writer.encode({"v": fits}) == {"v": fits}
    with pytest.raises(ValueError, match="column 'v' holds"):
        writer.encode({"v": finer})
