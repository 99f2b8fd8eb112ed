"""Avro: rows with types, behind the schema that they were written with; an object container file.

Reading keeps the types that Avro has: whole numbers, floats, ``Decimal``, dates, moments (in UTC), times without a zone,
bytes, text, truth values, no value, lists and tables in tables. Enumerations and UUIDs are text, and fixed bytes are bytes.
Writing, the columns and their types are those of the first records or declared, as with Parquet; what Avro has no type or
no name for is an error of its record.

https://avro.apache.org/docs/1.12.0/specification/ is what the words here are taken from.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from io import BytesIO
from typing import Any, BinaryIO, Literal, cast

import orjson

from plugline.formats._rows import Rows, copied, decode_whole
from plugline.formats._tables import ROWS_A_BATCH, PartWriter, part_tables, schema_of, unowned
from plugline.records import Broken, Reader, Record, Writer
from plugline.records.tables import rows_of

SUFFIXES = (".avro",)

_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16
_HEAD = {
    "type": "record",
    "name": "head",
    "fields": [
        {"name": "magic", "type": {"type": "fixed", "name": "magic", "size": len(_MAGIC)}},
        {"name": "meta", "type": {"type": "map", "values": "bytes"}},
        {"name": "sync", "type": {"type": "fixed", "name": "sync", "size": _SYNC_BYTES}},
    ],
}
_FLAT = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string", "fixed", "enum"})
_VARINT_BITS = 64
_READ_BYTES = 2**20
_MOST_BYTES = 2**28  # of a block, compressed or not; others write 16 to 64 KiB
_MOST_EMPTY_ROWS = 2**20  # of a block whose rows take no byte
_EVERYTHING = 2**63
_CODECS: Mapping[str, str] = {"deflate": "deflate", "bzip2": "bzip2", "xz": "xz", "none": "null"}
# What fastavro and zlib raise for bytes that are not what they should be; fastavro promises none of them.
_FAULTS = (
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
    zlib.error,
    OSError,
    RecursionError,
    MemoryError,
)


def available() -> bool | str:
    """Say what is missing where fastavro is not installed."""
    if find_spec("fastavro") is None:
        return "it needs the package 'fastavro': pip install 'plugline[avro]'"
    return True


@dataclass(kw_only=True, eq=False, repr=False)
class Avro:
    """Avro.

    Attributes:
        fields: Writing, the columns in order, which the first record fixes otherwise.
        types: Writing, the types of columns, which the first records fix otherwise; as for Parquet.
        compression: How blocks are compressed.
        block_bytes: How long a block is before it is compressed, about; the unit that readers share work in.
        name: What the schema calls a record.
    """

    fields: list[str] | None = None
    types: dict[str, str] = field(default_factory=dict)
    compression: Literal["deflate", "bzip2", "xz", "none"] = "deflate"
    block_bytes: int = 65_536
    name: str = "record"

    def __post_init__(self) -> None:
        if self.block_bytes < 1:
            raise ValueError(f"block_bytes {self.block_bytes!r}: expected 1 or more")
        if not _is_name(self.name):
            raise ValueError(f"name {self.name!r}: expected letters, digits and '_', and no digit first")

    def reader(self) -> Reader:
        """Return a reader of the whole file."""
        return _Reader(None)

    def writer(self) -> Writer:
        """Return a writer of parts, which :meth:`assemble` puts together.

        Raises:
            ValueError: A declared type is not known, Avro has none like it, or it is of a column that ``fields`` does not name.
        """
        return PartWriter(self.fields, self.types, holds=_field_of)

    def pieces(self, stream: BinaryIO, wanted_bytes: int, /) -> Iterable[tuple[int, int]]:
        """Yield runs of blocks of about ``wanted_bytes`` each; their rows are not read for it."""
        source = _Source(stream)
        _Head(source)
        start = at = source.at
        while (count := source.varint()) is not None:
            length = source.varint()
            end = source.at + (length or 0) + _SYNC_BYTES
            if count < 0 or length is None or length < 0 or source.skip_to(end) < end:
                break  # whoever reads the piece says what is wrong with it
            at = end
            if at - start >= wanted_bytes:
                yield start, at
                start = at
        # All that is left, a block that is cut off as well; of a file without blocks, nothing at all.
        end = source.skip_to(_EVERYTHING)
        if end > start or start == at:
            yield start, end

    def piece_reader(self, start: int, end: int, /) -> Reader:
        """Return a reader of the blocks that begin from ``start`` to before ``end``."""
        return _Reader((start, end))

    def assemble(self, parts: BinaryIO, stream: BinaryIO, /, *, columns: Sequence[str] | None) -> None:
        """Write one file of all parts: blocks end with a mark that the head of the file names."""
        import fastavro  # when the format is named, as all imports of it

        schema = _schema_of(schema_of(columns, self.fields, self.types), self.name)
        fastavro.writer(
            unowned(stream),
            schema,
            _rows(parts),
            codec=_CODECS[self.compression],
            sync_interval=self.block_bytes,
            # Avro wants 16 bytes that are unlikely to come by chance; these are the same for the same output.
            sync_marker=sha256(repr(schema).encode()).digest()[:_SYNC_BYTES],
        )


# ----------------------------------------------------------------------------- reading


class _Reader:
    """Reads blocks, of a piece of the file or of all of it."""

    def __init__(self, piece: tuple[int, int] | None) -> None:
        self._piece = piece
        self._nested: list[str] = []  # columns of lists and tables, once the head is read

    def decode(self, raw: object, /) -> Record:
        """Return a row, whose values are its own.

        Raises:
            ValueError: It is one that was seen to be broken.
        """
        record = decode_whole(raw)
        for name in self._nested:
            record[name] = copied(record[name])
        return record

    def batches(self, stream: BinaryIO, /) -> Iterator[Rows]:
        """Yield at most 4,096 rows of a block at a time. What cannot be read of a block is one broken row.

        Raises:
            ValueError: It is no Avro file, or broken so that nobody can tell where the next block begins.
        """
        source = _Source(stream)
        head = _Head(source)
        self._nested = [one["name"] for one in head.schema["fields"] if not _is_flat(one["type"])]
        start, end = self._piece or (source.at, _EVERYTHING)
        source.skip_to(start)
        row = 1
        while source.at < end and (block := _next_block(source, head)) is not None:
            for raws in _rows_of(block, head):
                yield Rows(raws, row)
                row += len(raws)


def _is_flat(kind: Any) -> bool:
    """Whether values of an Avro type, or of several, have no values in them; of one that is named elsewhere nobody asks."""
    if isinstance(kind, list):
        return all(map(_is_flat, kind))
    return (kind["type"] if isinstance(kind, dict) else kind) in _FLAT


@dataclass(frozen=True, slots=True)
class _Block:
    """A block as it is stored.

    Attributes:
        at: Where in the file it begins.
        count: How many rows it says that it holds.
        data: Their bytes, compressed.
    """

    at: int
    count: int
    data: bytes


class _Head:
    """What stands before the blocks of a file.

    Attributes:
        schema: That its rows were written with.
        codec: How blocks are compressed, by Avro's name.
        sync: What stands behind each block.

    Raises:
        ValueError: It is no Avro file, or one that cannot be read here.
    """

    def __init__(self, source: "_Source") -> None:
        import fastavro

        try:
            head = cast("dict[str, Any]", fastavro.schemaless_reader(cast("BinaryIO", source), _HEAD, None))
            if head["magic"] != _MAGIC:
                raise ValueError(f"it begins with {head['magic']!r}: expected {_MAGIC!r}")
            meta = head["meta"]
            self.schema: Any = fastavro.parse_schema(_without_uuids(orjson.loads(meta["avro.schema"])))
        except _FAULTS as error:
            raise ValueError(f"it is no Avro file, or its head is broken: {_told(error)}") from error
        if not isinstance(self.schema, dict) or self.schema.get("type") not in {"record", "error"}:
            kind = self.schema.get("type") if isinstance(self.schema, dict) else self.schema
            raise ValueError(f"its schema is {kind!r}: expected one of records")
        self.codec = meta.get("avro.codec", b"null").decode("utf-8", "replace")
        if self.codec not in _UNPACKING:
            raise ValueError(f"its blocks are compressed by {self.codec!r}: expected one of {sorted(_UNPACKING)!r}")
        self.sync: bytes = head["sync"]


def _next_block(source: "_Source", head: _Head) -> _Block | None:
    """Return the block that follows, ``None`` at the end of the file.

    Raises:
        ValueError: Nobody can tell where it ends.
    """
    at = source.at
    count = source.varint()
    if count is None and source.at == at:
        return None
    length = source.varint()
    if count is None or length is None:
        raise ValueError(f"the file ends in the block at byte {at:,}")
    if count < 0 or not 0 <= length <= _MOST_BYTES:
        raise ValueError(f"the block at byte {at:,} says that it holds {count:,} rows in {length:,} bytes")
    data, sync = source.read(length), source.read(_SYNC_BYTES)
    if len(sync) < _SYNC_BYTES:
        raise ValueError(f"the file ends in the block at byte {at:,}")
    if sync != head.sync:
        raise ValueError(
            f"the block at byte {at:,} does not end with the mark of the file, and nobody can tell where the next one begins"
        )
    return _Block(at, count, data)


def _rows_of(block: _Block, head: _Head) -> Iterator[list[object]]:
    """Yield the rows of a block in lists; what cannot be read of it is one row that is broken."""
    import fastavro

    read_row, schema = fastavro.schemaless_reader, head.schema
    rows: list[object] = []
    read = 0
    try:
        data = _UNPACKING[head.codec](block.data)
        if block.count > max(len(data), _MOST_EMPTY_ROWS):
            raise ValueError(f"{block.count:,} rows are more than {len(data):,} bytes can hold")
        stream = BytesIO(data)
        while read < block.count:
            rows.append(read_row(stream, schema, None))
            read += 1
            if len(rows) == ROWS_A_BATCH:
                yield rows
                rows = []
        if stream.tell() < len(data):
            rows.append(_broken(block, read, f"{len(data) - stream.tell():,} bytes follow its last row"))
    except _FAULTS as error:
        rows.append(_broken(block, read, _told(error)))
    if rows:
        yield rows


def _broken(block: _Block, read: int, reason: str) -> Broken:
    if read == block.count:
        what = f"the block at byte {block.at:,} holds more than its {read:,} rows"
    else:
        what = f"{block.count - read:,} of the {block.count:,} rows of the block at byte {block.at:,} cannot be read"
    return Broken(f"block at byte {block.at}, from its row {read + 1}", f"{what}: {reason}")


def _told(error: BaseException) -> str:
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"{name}: {error}" if str(error) else name


def _without_uuids(schema: Any) -> Any:
    """Return a schema that leaves UUIDs the text that they are: Python has a type of its own for them, and no other format."""
    if isinstance(schema, list):
        return [_without_uuids(one) for one in schema]
    if isinstance(schema, dict):
        if schema.get("logicalType") == "uuid" and schema.get("type") == "string":
            return "string"
        return {key: value if key == "default" else _without_uuids(value) for key, value in schema.items()}
    return schema


class _Source:
    """A stream that knows how far it is, and can be skipped over without being seekable.

    Attributes:
        at: How many bytes stand before what is read next.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._seeks = stream.seekable()
        if self._seeks:
            stream.seek(0)
        self._stream = stream
        self.at = 0

    def read(self, count: int) -> bytes:
        """Return as many bytes, or less at the end."""
        pieces = []
        while count and (piece := self._stream.read(min(count, _READ_BYTES))):
            pieces.append(piece)
            count -= len(piece)
            self.at += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def varint(self) -> int | None:
        """Read a whole number as Avro writes it; ``None`` where the stream ends."""
        value = _unsigned(self.read)
        return None if value is None else (value >> 1) ^ -(value & 1)

    def skip_to(self, place: int) -> int:
        """Go to a place that comes later, or to the end where that comes before. Returns where that is."""
        if self._seeks:
            self.at = self._stream.seek(min(place, self._stream.seek(0, 2)))
        while not self._seeks and self.at < place and self.read(min(place - self.at, _READ_BYTES)):
            pass
        return self.at


def _unsigned(read: Callable[[int], bytes]) -> int | None:
    """Read a number of which each byte holds seven bits, the lowest first; ``None`` where it does not end."""
    value = shift = 0
    while shift < _VARINT_BITS and (byte := read(1)):
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    return None


# ----------------------------------------------------------------------------- blocks


def _inflated(data: bytes) -> bytes:
    return _whole(zlib.decompressobj(-15), data)


def _of_bzip2(data: bytes) -> bytes:
    import bz2  # as all of these: for its codec only

    return _whole(bz2.BZ2Decompressor(), data)


def _of_xz(data: bytes) -> bytes:
    import lzma

    try:
        return _whole(lzma.LZMADecompressor(), data)
    except lzma.LZMAError as error:  # of no family
        raise ValueError(str(error)) from error


def _of_zstandard(data: bytes) -> bytes:
    import zstandard

    try:
        return zstandard.ZstdDecompressor(max_window_size=_MOST_BYTES).decompress(data, max_output_size=_MOST_BYTES)
    except zstandard.ZstdError as error:  # of no family
        raise ValueError(str(error)) from error


def _of_snappy(data: bytes) -> bytes:
    import pyarrow

    packed, check = data[:-4], data[-4:]
    size = _unsigned(BytesIO(packed).read) or 0
    if size > _MOST_BYTES:
        raise ValueError(f"it holds {size:,} bytes, at most {_MOST_BYTES:,} are read")
    unpacked = cast("bytes", pyarrow.Codec("snappy").decompress(packed, size, asbytes=True))
    if zlib.crc32(unpacked).to_bytes(4, "big") != check:
        raise ValueError("its check sum is another")
    return unpacked


def _whole(decompressor: Any, data: bytes) -> bytes:
    unpacked = cast("bytes", decompressor.decompress(data, _MOST_BYTES))
    if not decompressor.eof:
        raise ValueError(
            "it is cut off" if len(unpacked) < _MOST_BYTES else f"it holds more than {_MOST_BYTES:,} bytes"
        )
    return unpacked


_UNPACKING: Mapping[str, Callable[[bytes], bytes]] = {
    "null": lambda data: data,
    "deflate": _inflated,
    "bzip2": _of_bzip2,
    "xz": _of_xz,
    "zstandard": _of_zstandard,
    "snappy": _of_snappy,
}


# ----------------------------------------------------------------------------- writing


def _rows(parts: BinaryIO) -> Iterator[Record]:
    for table in part_tables(parts, ROWS_A_BATCH):
        names = table.schema.names
        rows, wrong = rows_of(table)
        if wrong:
            raise ValueError(next(iter(wrong.values())))
        for row in rows:
            yield dict(zip(names, row, strict=True))


def _schema_of(schema: Any, name: str) -> dict[str, Any]:
    import fastavro

    fields = [_field_of(column.name, column.type, name) for column in schema]
    return cast("dict[str, Any]", fastavro.parse_schema({"type": "record", "name": name, "fields": fields}))


def _field_of(name: str, kind: Any, table: str = "record") -> dict[str, Any]:
    """Return the field of a schema for a column, which may have no value.

    Raises:
        ValueError: Avro has no such name, or nothing like it.
    """
    if not _is_name(name):
        raise ValueError(
            f"column {name!r} has a name that Avro does not take: expected letters, digits and '_', and no digit first; rename it before"
        )
    inner = _type_of(kind, f"{table}.{name}")
    if inner is None:
        raise ValueError(
            f"column {name!r} holds {kind}, which Avro has no type for: cast it before, or declare its type"
        )
    return {"name": name, "type": "null" if inner == "null" else ["null", inner], "default": None}


def _type_of(kind: Any, path: str) -> Any:
    """Return the Avro type of an Arrow one, ``None`` where there is none; ``path`` names the tables in it."""
    from pyarrow import types as kinds

    if kinds.is_dictionary(kind):
        return _type_of(kind.value_type, path)
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        item = _type_of(kind.value_type, path)
        return item and {"type": "array", "items": _or_null(item)}
    if kinds.is_map(kind):
        item = _type_of(kind.item_type, path) if kinds.is_string(kind.key_type) else None
        return item and {"type": "map", "values": _or_null(item)}
    if kinds.is_struct(kind):
        # Full names are unique in a schema, as paths are.
        namespace, _, name = path.rpartition(".")
        fields = [_field_of(one.name, one.type, path) for one in kind]
        return {"type": "record", "name": name, "namespace": namespace, "fields": fields}
    return _single_type_of(kind)


def _single_type_of(kind: Any) -> Any:
    """Return the Avro type of an Arrow one that holds nothing else."""
    from pyarrow import types as kinds

    if kinds.is_decimal128(kind):
        return {"type": "bytes", "logicalType": "decimal", "precision": kind.precision, "scale": kind.scale}
    if kinds.is_timestamp(kind) and kind.unit != "ns":
        return {"type": "long", "logicalType": "timestamp-micros" if kind.tz else "local-timestamp-micros"}
    if kinds.is_time(kind) and kind.unit != "ns":
        return {"type": "long", "logicalType": "time-micros"}
    if kinds.is_date32(kind):
        return {"type": "int", "logicalType": "date"}
    for holds, name in (
        (kinds.is_null, "null"),
        (kinds.is_boolean, "boolean"),
        (kinds.is_float16, "float"),
        (kinds.is_float32, "float"),
        (kinds.is_float64, "double"),
        (kinds.is_string, "string"),
        (kinds.is_large_string, "string"),
        (kinds.is_binary, "bytes"),
        (kinds.is_large_binary, "bytes"),
        (kinds.is_fixed_size_binary, "bytes"),
        (kinds.is_int64, "long"),
        (kinds.is_uint32, "long"),
        (kinds.is_uint64, None),
        (kinds.is_integer, "int"),
    ):
        if holds(kind):
            return name
    return None


def _or_null(kind: Any) -> Any:
    return kind if kind == "null" else ["null", kind]


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier()
