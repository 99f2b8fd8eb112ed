"""Arrow data over the wire: as it was, or malformed, and never a crash."""

import random
from pathlib import Path

import pytest

from plugline.errors import PluginError
from plugline.isolation.answers import decode_answer
from plugline.isolation.levels import Level
from plugline.worker.arrow import arrow_to_bytes, batch_from_bytes, table_from_bytes
from plugline.worker.codec import decode, decode_request, encode
from plugline.worker.packing import Malformed
from tests.workers import LEVELS, host_of, write_plugin

pa = pytest.importorskip("pyarrow")
table_from_bytes(arrow_to_bytes(pa.table({"n": [1]})))  # what pyarrow imports at first use (six, a finder) is no test's


def table_of(rows: int) -> object:
    return pa.table(
        {
            "n": list(range(rows)),
            "name": [f"name {n}" if n % 3 else None for n in range(rows)],
            "list": [[n, n + 1] for n in range(rows)],
            "kind": pa.array([f"k{n % 3}" for n in range(rows)]).dictionary_encode(),
            "nested": [{"a": n, "b": [{"c": "x"}]} for n in range(rows)],
        }
    )


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_tables_and_batches_arrive_as_they_were(rows: int) -> None:
    table = table_of(rows)
    for read in (decode, decode_request):
        (found,) = read(encode([table]))  # type: ignore[misc]
        assert found.equals(table)  # type: ignore[has-type]
    assert table_from_bytes(arrow_to_bytes(table)).equals(table)  # type: ignore[attr-defined]
    columns = [column.combine_chunks() for column in table.columns]  # type: ignore[attr-defined]
    batch = pa.RecordBatch.from_arrays(columns, schema=table.schema)  # type: ignore[attr-defined]
    assert batch_from_bytes(arrow_to_bytes(batch)).equals(batch)  # type: ignore[attr-defined]
    (found,) = decode_request(encode([batch]))  # type: ignore[misc]
    assert found.equals(batch)  # type: ignore[has-type]


def test_a_compressed_stream_is_refused_before_it_is_read() -> None:
    sink = pa.BufferOutputStream()
    table = pa.table({"zeros": [0] * 1_000_000})
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write(table)
    with pytest.raises(Malformed, match="compressed"):
        table_from_bytes(sink.getvalue().to_pybytes())


def test_rows_that_no_bytes_hold_are_refused() -> None:
    table = pa.table({"nothing": pa.nulls(10_000_000)})
    with pytest.raises(Malformed, match="10,000,000 rows in"):
        table_from_bytes(arrow_to_bytes(table))


def _views(length: int, count: int) -> object:
    """Return so many views of one text."""
    view = length.to_bytes(4, "little") + b"xxxx" + bytes(8)
    return pa.Array.from_buffers(
        pa.string_view(), count, [None, pa.py_buffer(view * count), pa.py_buffer(b"x" * length)]
    )


@pytest.mark.skipif(not hasattr(pa, "string_view"), reason="this pyarrow knows no views")
def test_views_of_one_text_again_and_again_are_refused_before_they_are_gone_through() -> None:
    evil = _views(2**17, 5_000)
    nested = pa.StructArray.from_arrays([pa.array(range(5_000)), evil], ["n", "views"])
    lists = pa.ListArray.from_arrays(pa.array([0, 5_000]), evil)
    for column in (evil, nested, lists):
        with pytest.raises(Malformed, match="values repeat each other"):
            table_from_bytes(arrow_to_bytes(pa.table({"a": column})))
    honest = pa.table({"a": pa.array([f"name {n} of some length" for n in range(1_000)], pa.string_view())})
    assert table_from_bytes(arrow_to_bytes(honest)).equals(honest)  # type: ignore[attr-defined]


@pytest.mark.skipif(not hasattr(pa, "ListViewArray"), reason="this pyarrow knows no views")
def test_views_of_one_list_again_and_again_are_refused() -> None:
    count = 5_000
    offsets, sizes = pa.array([0] * count, pa.int32()), pa.array([10_000] * count, pa.int32())
    evil = pa.ListViewArray.from_arrays(offsets, sizes, pa.array(range(10_000)))
    with pytest.raises(Malformed, match="values repeat each other"):
        table_from_bytes(arrow_to_bytes(pa.table({"a": evil})))
    honest = pa.table({"a": pa.array([[n, n] for n in range(1_000)], pa.list_view(pa.int64()))})
    assert table_from_bytes(arrow_to_bytes(honest)).equals(honest)  # type: ignore[attr-defined]


def test_one_text_that_stands_for_gigabytes_is_refused() -> None:
    text = pa.array(["x" * 2**17, "y"])
    often = pa.DictionaryArray.from_arrays(pa.array([0] * 5_000, pa.int8()), text)
    seldom = pa.DictionaryArray.from_arrays(pa.array([0, *[1] * 9_999], pa.int8()), text)
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([5_000, 5_001], pa.int32()), text)
    for column in (often, runs, pa.StructArray.from_arrays([often], ["a"])):
        with pytest.raises(Malformed, match="values repeat each other up to more than"):
            table_from_bytes(arrow_to_bytes(pa.table({"a": column})))
    table = pa.table({"a": seldom})
    assert table_from_bytes(arrow_to_bytes(table)).equals(table)  # type: ignore[attr-defined]


def test_a_table_of_nothing_but_nulls_arrives() -> None:
    table = pa.table({"nothing": pa.nulls(60_000)})
    assert table_from_bytes(arrow_to_bytes(table)).equals(table)  # type: ignore[attr-defined]


def test_poisoned_offsets_are_refused() -> None:
    content = bytearray(arrow_to_bytes(pa.table({"s": ["abc", "def", "ghi"]})))
    at = content.index((3).to_bytes(4, "little") + (6).to_bytes(4, "little") + (9).to_bytes(4, "little"))
    content[at : at + 4] = (2**31 - 1).to_bytes(4, "little")
    with pytest.raises(Malformed):
        table_from_bytes(bytes(content))


def test_mutated_streams_are_tables_or_malformed() -> None:
    source = random.Random(3)  # noqa: S311 - nothing is kept secret by it
    whole = arrow_to_bytes(table_of(20))
    found = {"table": 0, "malformed": 0}
    for _ in range(1500):
        content = bytearray(whole)
        for _ in range(source.choice((1, 1, 2, 8))):
            content[source.randrange(len(content))] = source.randrange(256)
        try:
            table = table_from_bytes(bytes(content[: source.choice((len(content), source.randrange(len(content))))]))
        except Malformed:
            found["malformed"] += 1
        else:
            table.to_pylist()  # type: ignore[attr-defined]
            found["table"] += 1
    assert found["malformed"] > 500
    assert found["table"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_a_table_passes_through_a_worker(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return record.append_column('m', record['n'])")
    table = table_of(500)
    with host_of(folder, level) as host:
        found = host["subject"].load().transform(table)  # type: ignore[attr-defined]
    assert found.equals(table.append_column("m", table["n"]))  # type: ignore[attr-defined, index]


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_poisoned_tables_of_a_worker_are_its_end(tmp_path: Path, level: Level) -> None:
    body = (
        "import plugline.worker.packing as packing\n"
        "if record:\n    packing._SPECIAL[('pyarrow.lib', 'Table')] = lambda value: (20, b'\\xff\\xff\\xff\\xff' + bytes(60))\n"
        "import pyarrow\nreturn pyarrow.table({'n': [1]})"
    )
    folder = write_plugin(tmp_path, body)
    with host_of(folder, level) as host:
        plugin = host["subject"].load()
        with pytest.raises(PluginError, match="Arrow"):
            plugin.transform({"poison": 1})  # type: ignore[attr-defined]
        assert plugin.transform({}).num_rows == 1  # type: ignore[attr-defined]


def test_an_answer_with_a_table_is_decoded_only_when_it_is_valid() -> None:
    content = encode(["done", 1, pa.table({"n": [1, 2]})])
    answer = decode_answer(content)
    assert answer.value.num_rows == 2  # type: ignore[union-attr]
    with pytest.raises(Malformed):
        decode_answer(content.replace(b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", 1))
