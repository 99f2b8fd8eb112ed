"""Arrow tables to the bytes of an IPC stream and back, every buffer checked before anybody looks into it.

A table that was read from a stream and not validated can crash whoever uses it: offsets lead anywhere. So what is
read is copied out of the pipe first (nobody else can change it any more) and validated in full.
"""

from plugline.typed import TYPE_CHECKING
from plugline.worker.packing import Malformed

if TYPE_CHECKING:
    from pyarrow import Field

_MAX_ROWS_A_BYTE = 64  # eight bits are eight rows of booleans; null columns and run ends take none at all


def arrow_to_bytes(value: object) -> bytes:
    """Return a table or a record batch as an uncompressed IPC stream."""
    import pyarrow as pa  # noqa: PLC0415 - seven interpreter starts

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, value.schema) as writer:  # type: ignore[attr-defined]
        writer.write(value)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def read_trusted(content: bytes, *, single: bool) -> object:
    """Return the table, or the ``single`` record batch, of a stream that one's own host wrote; nothing of it is checked."""
    import pyarrow as pa  # noqa: PLC0415 - likewise

    with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
        return reader.read_next_batch() if single else reader.read_all()


def table_from_bytes(content: bytes) -> object:
    """Return the table of a stream.

    Raises:
        Malformed: It is none, is compressed, says to have more rows than its bytes can hold, or is not valid.
    """
    import pyarrow as pa  # noqa: PLC0415 - likewise

    schema, batches = _read(content)
    return pa.Table.from_batches(batches, schema)


def batch_from_bytes(content: bytes) -> object:
    """Return the one record batch of a stream. Raises as :func:`table_from_bytes`."""
    _, batches = _read(content)
    if len(batches) != 1:
        raise Malformed(f"has {len(batches)} Arrow batches, one was expected")
    return batches[0]


def _read(content: bytes) -> "tuple[object, list[object]]":
    import pyarrow as pa  # noqa: PLC0415 - likewise

    try:
        if any(_compressed(content)):
            raise Malformed("has a compressed Arrow stream, which could be of any size once it is read")
        with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
            schema, batches = reader.schema, list(reader)
        rows = sum(batch.num_rows for batch in batches)
        if rows > 1024 + _MAX_ROWS_A_BYTE * len(content):
            raise Malformed(f"has an Arrow table of {rows:,} rows in {len(content):,} bytes")
        for batch in batches:
            batch.validate(full=True)
        for field in schema:
            _see_names(field)
    except (pa.ArrowException, OSError, ValueError, OverflowError, IndexError) as error:
        if isinstance(error, Malformed):
            raise
        raise Malformed(f"has an Arrow stream that is not valid: {str(error)[:200]}") from None
    return schema, batches


def _see_names(field: "Field") -> None:
    """Read the names of a field and all in it: validating leaves open whether they are text, and who reads one finds out."""
    _ = field.name
    kind = field.type
    if hasattr(kind, "value_type") and hasattr(kind, "index_type"):
        kind = kind.value_type  # of a dictionary
    for number in range(kind.num_fields):
        _see_names(kind.field(number))


def _compressed(content: bytes) -> "list[bool]":
    """Say of each message of a stream whether its body is compressed.

    pyarrow does not tell, so the flatbuffer is asked: Message.header (field 2) is a RecordBatch, or a DictionaryBatch
    whose ``data`` (field 1) is one; RecordBatch.compression is field 3 (format/Message.fbs).
    """
    found = []
    at = 0
    while at + 8 <= len(content):
        marker, size = _int(content, at), _int(content, at + 4)
        if marker != 0xFFFFFFFF:  # as streams were before Arrow 0.15, whose messages are found in another way
            raise Malformed("has an Arrow stream that begins with no message")
        if size == 0:
            break
        message = content[at + 8 : at + 8 + size]
        root = _int(message, 0)
        kind = _field(message, root, 1)
        header = _field(message, root, 2)
        body_length = _field(message, root, 3)
        if header is not None and kind is not None:
            table = header + _int(message, header)
            if message[kind] == 2:  # DictionaryBatch
                data = _field(message, table, 1)
                table = data + _int(message, data) if data is not None else table
            found.append(message[kind] in (2, 3) and _field(message, table, 3) is not None)
        length = int.from_bytes(message[body_length : body_length + 8], "little") if body_length is not None else 0
        at += 8 + size + length
    return found


def _int(data: bytes, at: int) -> int:
    piece = data[at : at + 4]
    if at < 0 or len(piece) != 4:
        raise Malformed("has an Arrow stream that is cut off")
    return int.from_bytes(piece, "little")


def _field(data: bytes, table: int, number: int) -> int | None:
    """Return where a field of a flatbuffer's table is, ``None`` where it has its default."""
    offset = int.from_bytes(data[table : table + 4], "little", signed=True)
    entries = table - offset
    if entries < 0 or entries + 4 > len(data):
        raise Malformed("has an Arrow stream whose metadata is broken")
    size = int.from_bytes(data[entries : entries + 2], "little")
    place = 4 + 2 * number
    if place + 2 > size:
        return None
    found = int.from_bytes(data[entries + place : entries + place + 2], "little")
    return table + found if found else None
