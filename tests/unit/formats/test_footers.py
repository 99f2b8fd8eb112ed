"""Parquet files put together hold what each of them held, whoever wrote and whoever reads them."""

import io
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.formats._footers import Joined, _copy_struct


def joined(*files: bytes) -> bytes:
    stream = io.BytesIO()
    whole = Joined(stream)
    for file in files:
        whole.add(memoryview(file))
    whole.close()
    return stream.getvalue()


def file_of(table: Any, rows: int, **options: Any) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream, row_group_size=rows, **options)
    return stream.getvalue()


def read(file: bytes) -> Any:
    return pyarrow.parquet.read_table(pyarrow.BufferReader(file))


def chunks(file: bytes) -> list[tuple[object, ...]]:
    """Return what the footer tells of each piece of a column, and the bytes that it leads to."""
    metadata = pyarrow.parquet.ParquetFile(io.BytesIO(file)).metadata
    found: list[tuple[object, ...]] = []
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            one = metadata.row_group(group).column(column)
            begin = one.dictionary_page_offset or one.data_page_offset
            content = file[begin : begin + one.total_compressed_size]
            at = (
                one.data_page_offset and one.data_page_offset - begin
            )  # where there are no values, there may be no page
            told = (
                one.path_in_schema,
                one.num_values,
                one.encodings,
                one.compression,
                one.statistics and repr(one.statistics.to_dict()),
            )
            found.append((*told, at, content))
    return found


KINDS = {
    pyarrow.int64(): st.none() | st.integers(-(2**63), 2**63 - 1),
    pyarrow.string(): st.none() | st.text(max_size=5),
    pyarrow.bool_(): st.booleans(),
    pyarrow.float64(): st.floats(allow_nan=False),
    pyarrow.list_(pyarrow.string()): st.none() | st.lists(st.text(max_size=2), max_size=3),
    pyarrow.struct([("x", pyarrow.int32()), ("y", pyarrow.binary())]): st.fixed_dictionaries(
        {"x": st.integers(0, 9), "y": st.binary(max_size=3)}
    ),
}


@st.composite
def tables(draw: st.DrawFn) -> list[Any]:
    kinds = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=20))
    schema = pyarrow.schema([(f"column {number}", kind) for number, kind in enumerate(kinds)])
    counts = draw(st.lists(st.integers(0, 7), min_size=1, max_size=20))
    return [
        pyarrow.table(
            [pyarrow.array(draw(st.lists(KINDS[kind], min_size=count, max_size=count)), kind) for kind in schema.types],
            schema=schema,
        )
        for count in counts
    ]


@given(tables(), st.integers(1, 4), st.sampled_from(["none", "zstd", "snappy"]), st.sampled_from([["column 0"], []]))
def test_files_put_together_hold_the_rows_and_the_pieces_of_all(
    some: list[Any], rows: int, compression: str, dictionary: list[str]
) -> None:
    files = [file_of(table, rows, compression=compression, use_dictionary=dictionary) for table in some]
    whole = joined(*files)
    assert read(whole).equals(pyarrow.concat_tables([read(file) for file in files]))
    assert chunks(whole) == [chunk for file in files for chunk in chunks(file)]
    metadata = pyarrow.parquet.ParquetFile(io.BytesIO(whole)).metadata
    assert metadata.num_rows == sum(table.num_rows for table in some)
    assert metadata.schema.equals(pyarrow.parquet.ParquetFile(io.BytesIO(files[0])).metadata.schema)


def test_one_file_is_the_same_file() -> None:
    file = file_of(pyarrow.table({"n": [1, 2, 3], "t": ["a", None, "b"]}), 2)
    whole = joined(file)
    assert (read(whole), chunks(whole)) == (read(file), chunks(file))


def test_a_file_put_together_can_be_put_together_again() -> None:
    file = file_of(pyarrow.table({"n": list(range(40))}), 2)
    once = joined(file, file)
    assert read(joined(once, file, once))["n"].to_pylist() == [*range(40)] * 5


def test_wide_files_of_many_row_groups_need_longer_counts() -> None:
    file = file_of(pyarrow.table({f"c{number}": [number] * 20 for number in range(200)}), 1)
    whole = joined(*[file] * 10)
    metadata = pyarrow.parquet.ParquetFile(io.BytesIO(whole)).metadata
    assert (metadata.num_row_groups, metadata.num_columns, metadata.num_rows) == (200, 200, 200)
    assert read(whole)["c150"].to_pylist() == [150] * 200


@pytest.mark.foreign  # Polars keeps what it waits with
def test_what_duckdb_wrote_with_its_filters_is_found_by_duckdb_and_polars(tmp_path: Path) -> None:
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    files = []
    for number in range(3):
        path = tmp_path / f"{number}.parquet"
        # Few texts many times: DuckDB writes a dictionary of them, and a Bloom filter.
        rows = duckdb.sql("SELECT 'text ' || (i % 50 + ?) AS t, i FROM range(10000) r(i)", params=[number * 100])
        rows.write_parquet(str(path), row_group_size=2048)
        files.append(path.read_bytes())
    path = tmp_path / "whole.parquet"
    path.write_bytes(joined(*files))
    metadata = duckdb.sql("SELECT DISTINCT bloom_filter_offset FROM parquet_metadata(?)", params=[str(path)])
    assert len([offset for (offset,) in metadata.fetchall() if offset]) == 15
    for wanted, count in (("text 7", 200), ("text 107", 200), ("text 249", 200), ("text 77", 0)):
        found = duckdb.sql("SELECT count(*) FROM read_parquet(?) WHERE t = ?", params=[str(path), wanted])
        assert found.fetchall() == [(count,)]
        assert polars.read_parquet(path).filter(polars.col("t") == wanted).height == count


def thrift(data: bytes, at: int = 0) -> tuple[dict[int, Any], int]:
    """Read a struct of the compact protocol, as its specification has it, and where it ends."""
    fields: dict[int, Any] = {}
    number = 0

    def whole() -> int:
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 128:
                return value

    def value_of(kind: int, *, in_list: bool) -> Any:
        nonlocal at
        if kind in {1, 2}:
            at += in_list
            return kind == 1
        if kind in {4, 5, 6}:
            value = whole()
            return (value >> 1) ^ -(value & 1)
        if kind == 8:
            length = whole()
            at += length
            return data[at - length : at]
        if kind == 9:
            head = data[at]
            at += 1
            count = whole() if head >> 4 == 15 else head >> 4
            return [value_of(head & 15, in_list=True) for _ in range(count)]
        assert kind == 12
        struct, at = thrift(data, at)
        return struct

    while data[at]:
        head = data[at]
        at += 1
        number += head >> 4
        fields[number] = value_of(head & 15, in_list=False)
    return fields, at + 1


def footer_at(file: bytes) -> int:
    return len(file) - 8 - int.from_bytes(file[-8:-4], "little")


def numbered(file: bytes) -> bytes:
    """Return a file whose row groups have their number, as some writers' have, and pyarrow's do not."""
    at = footer_at(file)
    groups, footer = thrift(file, at)[0][4], file[at:-8]
    assert all(max(group) == 6 for group in groups)
    for number, group in enumerate(groups):
        end = thrift_end(group)
        assert footer.count(end) == 1
        footer = footer.replace(end, end[:-1] + bytes((0x14, 2 * number, 0)))
    return file[:at] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def thrift_end(group: dict[int, Any]) -> bytes:
    """Return the last fields of a row group as they are written: where it begins, its size, and the end."""
    return b"\x26" + zigzag(group[5]) + b"\x16" + zigzag(group[6]) + b"\x00"


def zigzag(number: int) -> bytes:
    number, out = number * 2, bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))


def test_row_groups_are_numbered_and_each_is_said_to_begin_where_it_does() -> None:
    files = [
        numbered(file_of(pyarrow.table({"n": range(start, start + 40), "t": ["x"] * 40}), 10)) for start in (0, 40, 80)
    ]
    whole = joined(*files)
    found, end = thrift(whole, footer_at(whole))
    assert end == len(whole) - 8
    groups = found[4]
    assert [group[7] for group in groups] == [*range(12)]
    # Each piece begins with the head of its first page, which the row group is said to begin with.
    begins = [group[1][0][3].get(11) or group[1][0][3][9] for group in groups]
    assert [group[5] for group in groups] == begins
    assert begins == sorted(set(begins))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"\x19\x21\x01\x02\x00", 12),  # a struct with a list of two truth values, which are bytes there
        (b"\x11\x12\x00", 12),  # truth values as fields, which are not
        (b"\x03abc", 8),
        (b"\x02\x31\x07\x01\x08\x02", 11),  # numbers of one byte to truth values
        (b"\x00", 11),
        (b"\xf3\x10" + b"x" * 16, 9),
        (b"x" * 16, 13),
        (b"x" * 8, 7),
        (b"\x06\x02\x15\x00", 12),  # a field whose number is written out
    ],
    ids=["truths listed", "truths", "bytes", "a map", "an empty map", "a long list", "uuid", "double", "numbered"],
)
def test_what_a_later_version_may_add_is_passed_over(value: bytes, kind: int) -> None:
    footer = bytes((0xF0 | kind,)) + value + b"\x00"
    assert _copied(footer) == footer


def _copied(footer: bytes) -> bytes:
    out = bytearray()
    assert _copy_struct(footer + b"rest", 0, out, {}) == len(footer)
    return bytes(out)


def test_an_index_of_pages_which_would_lead_astray_is_refused() -> None:
    table = pyarrow.table({"n": range(10)})
    with pytest.raises(ValueError, match="it has an index of its pages"):
        joined(file_of(table, 5, write_page_index=True))


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1\0\0\0\0PAR", b"PAR1\xff\0\0\0PAR1", b"ARROW1\0\0" * 4], ids=repr
)
def test_what_is_no_parquet_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="it is no Parquet file, or broken"):
        Joined(io.BytesIO()).add(memoryview(content))
