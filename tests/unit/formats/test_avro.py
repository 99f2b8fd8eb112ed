"""Avro: files that others wrote, files that are broken, and what Avro cannot hold."""

import io
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pyarrow
import pytest

from plugline.formats.avro import Avro
from plugline.records import Broken, Reader, Record

ROWS: list[Record] = [{"n": number, "text": f"row {number}"} for number in range(1000)]
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "row",
    "fields": [{"name": "n", "type": "long"}, {"name": "text", "type": "string"}],
}
SYNC = b"0123456789abcdef"


def file_of(schema: object, rows: Sequence[object], **settings: Any) -> bytes:
    """Return a file as fastavro writes it."""
    stream = io.BytesIO()
    fastavro.writer(stream, fastavro.parse_schema(schema), rows, sync_marker=SYNC, **settings)  # type: ignore[arg-type]
    return stream.getvalue()


def rows_of(data: bytes, reader: Reader | None = None) -> list[object]:
    reader = reader or Avro().reader()
    return [raw if isinstance(raw, Broken) else reader.decode(raw) for raw in raws_of(data, reader)]


def raws_of(data: bytes, reader: Reader) -> list[object]:
    return [raw for batch in reader.batches(io.BytesIO(data)) for raw in batch.raws]


def blocks_of(data: bytes) -> list[int]:
    """Return where the blocks of a file begin."""
    return [block.offset for block in fastavro.block_reader(io.BytesIO(data))]


class Pipe(io.RawIOBase):
    """A stream that cannot be read from any place, and gives little at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._data.read(min(len(buffer), 7))
        buffer[: len(piece)] = piece
        return len(piece)


def snappy(data: bytes) -> bytes:
    return bytes(pyarrow.Codec("snappy").compress(data, asbytes=True)) + zlib.crc32(data).to_bytes(4, "big")


def by_hand(codec: str, pack: Any, blocks: Sequence[tuple[int, bytes]]) -> bytes:
    """Return a file of blocks that are packed here, since fastavro needs other libraries for some codecs."""
    head = file_of(SCHEMA, [], codec="null").replace(b"\x08null", bytes([len(codec) * 2]) + codec.encode())
    out = io.BytesIO()
    out.write(head)
    for count, data in blocks:
        packed = pack(data)
        fastavro.schemaless_writer(out, "long", count)
        fastavro.schemaless_writer(out, "bytes", packed)
        out.write(SYNC)
    return out.getvalue()


def plain(rows: Sequence[Mapping[str, object]]) -> bytes:
    out = io.BytesIO()
    for row in rows:
        fastavro.schemaless_writer(out, SCHEMA, row)
    return out.getvalue()


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_files_of_others_are_read_whatever_compresses_them(codec: str) -> None:
    assert rows_of(file_of(SCHEMA, ROWS, codec=codec, sync_interval=500)) == ROWS


def test_files_that_are_compressed_by_snappy_and_zstandard_are_read() -> None:
    import zstandard

    blocks = [(600, plain(ROWS[:600])), (400, plain(ROWS[600:]))]
    assert rows_of(by_hand("snappy", snappy, blocks)) == ROWS
    assert rows_of(by_hand("zstandard", zstandard.ZstdCompressor().compress, blocks)) == ROWS


def test_a_pipe_is_read_as_it_comes() -> None:
    data = file_of(SCHEMA, ROWS, codec="deflate", sync_interval=500)
    raws = [raw for batch in Avro().reader().batches(Pipe(data)) for raw in batch.raws]  # type: ignore[arg-type]
    assert raws == ROWS


def test_every_type_of_avro_becomes_one_that_python_has() -> None:
    fields = [
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "ids", "type": {"type": "array", "items": ["null", {"type": "string", "logicalType": "uuid"}]}},
        {"name": "suit", "type": {"type": "enum", "name": "suit", "symbols": ["HEARTS", "SPADES"]}},
        {"name": "hash", "type": {"type": "fixed", "name": "hash", "size": 2}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "here", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "clock", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "counts", "type": {"type": "map", "values": "int"}},
        {"name": "maybe", "type": ["null", "string", "double"]},
        {"name": "next", "type": ["null", {"type": "record", "name": "inner", "fields": [{"name": "x", "type": "float"}]}]},
        {"name": "again", "type": ["null", "inner"]},
    ]  # fmt: skip
    identity = UUID("12345678-1234-5678-1234-567812345678")
    row = {
        "id": identity,
        "ids": [identity, None],
        "suit": "SPADES",
        "hash": b"\x00\xff",
        "price": Decimal("-12.50"),
        "day": date(2024, 2, 29),
        "at": datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
        "here": datetime(2024, 2, 29, 12, 30),  # noqa: DTZ001
        "clock": time(23, 59, 59),
        "counts": {"a": 1},
        "maybe": 2.5,
        "next": {"x": 0.5},
        "again": None,
    }
    (found,) = rows_of(file_of({"type": "record", "name": "all", "fields": fields}, [row]))
    assert found == {**row, "id": str(identity), "ids": [str(identity), None]}


def test_a_step_that_changes_a_record_does_not_change_what_came_in() -> None:
    reader = Avro().reader()
    (raw,) = raws_of(file_of(SCHEMA, ROWS[:1]), reader)
    reader.decode(raw).clear()
    assert reader.decode(raw) == ROWS[0]
    inner = {"type": "record", "name": "inner", "fields": [{"name": "x", "type": ["null", "string"]}]}
    fields = [
        {"name": "a", "type": {"type": "array", "items": "int"}},
        {"name": "m", "type": ["null", {"type": "map", "values": "int"}]},
        {"name": "r", "type": inner},
        {"name": "again", "type": ["null", "inner"]},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    ]
    row: dict[str, Any] = {"a": [1], "m": {"k": 1}, "r": {"x": "y"}, "again": {"x": None}, "day": date(2024, 2, 29)}
    (raw,) = raws_of(file_of({"type": "record", "name": "row", "fields": fields}, [row]), reader)
    found: Any = reader.decode(raw)
    found["a"].append(2)
    for name in ("m", "r", "again"):
        found[name].clear()
    assert reader.decode(raw) == row


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_block_that_cannot_be_read_is_one_broken_row_and_the_others_are_there(codec: str) -> None:
    data = bytearray(file_of(SCHEMA, ROWS, codec=codec, sync_interval=500))
    second, third = blocks_of(bytes(data))[1:3]
    data[second + 6 : third - len(SYNC)] = b"\xff" * (third - len(SYNC) - second - 6)
    found = rows_of(bytes(data))
    broken = [row for row in found if isinstance(row, Broken)]
    assert len(broken) == 1
    assert f"of the block at byte {second:,} cannot be read" in broken[0].reason
    good = [row for row in found if not isinstance(row, Broken)]
    first = next(block.num_records for block in fastavro.block_reader(io.BytesIO(bytes(data))))
    assert good[:first] == ROWS[:first]
    assert good[-1] == ROWS[-1]


def test_a_block_whose_rows_are_not_as_many_as_it_says_tells_so() -> None:
    (*rows, broken) = rows_of(by_hand("null", bytes, [(2, plain(ROWS[:3]))]))
    assert rows == ROWS[:2]
    assert isinstance(broken, Broken)
    assert "holds more than its 2 rows: 7 bytes follow its last row" in broken.reason
    (*rows, broken) = rows_of(by_hand("null", bytes, [(4, plain(ROWS[:3]))]))
    assert rows == ROWS[:3]
    assert isinstance(broken, Broken)
    assert broken.reason.startswith("1 of the 4 rows of the block at byte")


def test_a_block_that_says_it_holds_more_rows_than_bytes_does_not_keep_anybody_busy() -> None:
    (broken,) = rows_of(by_hand("null", bytes, [(2**40, b"")]))
    assert isinstance(broken, Broken)
    assert "more than 0 bytes can hold" in broken.reason


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.99])
def test_a_file_that_is_cut_off_gives_its_whole_blocks_and_says_where_it_ends(kept: float) -> None:
    data = file_of(SCHEMA, ROWS, codec="null", sync_interval=500)
    cut = data[: int(len(data) * kept)]
    found: list[object] = []
    last = max(at for at in blocks_of(data) if at < len(cut))
    batches = Avro().reader().batches(io.BytesIO(cut))
    with pytest.raises(ValueError, match=f"the file ends in the block at byte {last:,}$"):
        found.extend(raw for batch in batches for raw in batch.raws)
    assert found == ROWS[: len(found)]
    assert found


def test_a_block_without_the_mark_of_the_file_ends_the_reading() -> None:
    data = bytearray(file_of(SCHEMA, ROWS, codec="null", sync_interval=500))
    second = blocks_of(bytes(data))[1]
    data[second - 1] ^= 1
    with pytest.raises(ValueError, match="does not end with the mark of the file"):
        rows_of(bytes(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is no Avro file, or its head is broken"),
        (b"PAR1 and more", "it is no Avro file, or its head is broken"),
        (file_of(SCHEMA, [])[:40], "it is no Avro file, or its head is broken"),
        (file_of(SCHEMA, []).replace(b'"long"', b'"lung"'), "it is no Avro file, or its head is broken: .*lung"),
        (file_of("string", ["a"]), "its schema is .*string.*: expected one of records"),
        (file_of(SCHEMA, [], codec="null").replace(b"\x08null", b"\x08lzma"), "its blocks are compressed by 'lzma'"),
    ],
)
def test_what_is_no_file_of_records_is_refused_with_its_reason(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rows_of(data)


@pytest.mark.parametrize("sync_interval", [1, 300, 10**6])
@pytest.mark.parametrize("wanted", [1, 1000, 10**9])
def test_pieces_of_a_file_are_the_whole_of_it(sync_interval: int, wanted: int) -> None:
    data = file_of(SCHEMA, ROWS, codec="deflate", sync_interval=sync_interval)
    pieces = [*Avro().pieces(io.BytesIO(data), wanted)]
    assert [row for piece in pieces for row in rows_of(data, Avro().piece_reader(*piece))] == ROWS
    assert pieces[-1][1] == len(data)


def test_a_file_without_blocks_is_one_piece_without_rows() -> None:
    data = file_of(SCHEMA, [])
    pieces = [*Avro().pieces(io.BytesIO(data), 1000)]
    assert [rows_of(data, Avro().piece_reader(*piece)) for piece in pieces] == [[]]


def test_what_is_wrong_with_the_end_of_a_file_is_told_by_who_reads_the_last_piece() -> None:
    data = file_of(SCHEMA, ROWS, codec="null", sync_interval=500)[:-5]
    *whole, last = Avro().pieces(io.BytesIO(data), 1000)
    rows = [row for piece in whole for row in rows_of(data, Avro().piece_reader(*piece))]
    assert rows == ROWS[: len(rows)]
    with pytest.raises(ValueError, match="the file ends in the block at byte"):
        rows_of(data, Avro().piece_reader(*last))


def test_what_is_written_is_read_by_others_and_the_same_each_time(tmp_path: Path) -> None:
    def written(form: Avro) -> bytes:
        writer = form.writer()
        part = io.BytesIO()
        writer.open(part, first=True)
        writer.write([writer.encode({"a": 1, "b": {"c": [Decimal("1.5")], "d": {"e": None}}})])
        writer.close(last=True)
        out = io.BytesIO()
        form.assemble(io.BytesIO(part.getvalue()), out, columns=writer.columns)
        return out.getvalue()

    form = Avro(name="order", types={"a": "int32"})
    data = written(form)
    assert data == written(form)
    reader = fastavro.reader(io.BytesIO(data))
    assert reader.codec == "deflate"
    assert [*reader] == [{"a": 1, "b": {"c": [Decimal("1.500000000")], "d": {"e": None}}}]
    schema: Any = reader.writer_schema
    assert schema["name"] == "order"
    assert schema["fields"][0]["type"] == ["null", "int"]


@pytest.mark.parametrize(
    ("settings", "record", "message"),
    [
        ({}, {"net price": 1}, "column 'net price' has a name that Avro does not take: .*; rename it before"),
        ({}, {"a": {"größe": 1}}, "column 'größe' has a name that Avro does not take"),
        ({"types": {"n": "uint64"}}, {"n": 1}, "column 'n' holds uint64, which Avro has no type for"),
        ({"types": {"n": "time64[ns]"}}, {"n": time(1)}, "which Avro has no type for"),
    ],
)
def test_what_avro_has_no_name_or_type_for_is_an_error_of_its_record(
    settings: dict[str, Any], record: Record, message: str
) -> None:
    writer = Avro(**settings).writer()
    writer.open(io.BytesIO(), first=True)
    with pytest.raises(ValueError, match=message):
        writer.encode(record)


def test_a_column_of_fields_that_avro_has_no_name_for_is_refused_before_the_first_record() -> None:
    with pytest.raises(ValueError, match="column 'net price' has a name that Avro does not take"):
        Avro(fields=["net price"]).writer()


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="block_bytes 0: expected 1 or more"):
        Avro(block_bytes=0)
    with pytest.raises(ValueError, match="name 'an order': expected letters"):
        Avro(name="an order")
