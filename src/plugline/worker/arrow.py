"""Arrow tables to the bytes of an IPC stream and back, every buffer checked before anybody looks into it.

A table that was read from a stream and not validated can crash whoever uses it: offsets lead anywhere. So what is
read is copied out of the pipe first (nobody else can change it any more) and validated in full.
"""

from plugline.typed import TYPE_CHECKING, Callable, Iterator
from plugline.worker.packing import Malformed, TooLarge

if TYPE_CHECKING:
    from pyarrow import Array, Buffer, DataType, Field, RecordBatch

_MAX_ROWS_A_BYTE = 8  # of booleans; null columns and run ends take less, and may have some rows all the same
_FREE_ROWS = 2**16
# What values that stand in a stream once, and in a column often, may add up to: so many bytes, and times the stream's.
_FREE_BYTES = 2**28
_MAX_EXPANSION = 64


def arrow_to_bytes(value: object) -> memoryview:
    """Return a table or a record batch as an uncompressed IPC stream."""
    import pyarrow as pa  # seven interpreter starts

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, value.schema) as writer:  # type: ignore[attr-defined]
        writer.write(value)
    return memoryview(sink.getvalue())


def read_trusted(content: bytes, *, single: bool) -> object:
    """Return the table, or the ``single`` record batch, of a stream that one's own host wrote; nothing of it is checked."""
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
        return reader.read_next_batch() if single else reader.read_all()


def table_from_bytes(content: bytes | memoryview) -> object:
    """Return the table of a stream.

    Raises:
        Malformed: It is none, is compressed, says to have more rows than its bytes can hold, or is not valid.
    """
    import pyarrow as pa

    schema, batches = _read(content)
    return pa.Table.from_batches(batches, schema)


def batch_from_bytes(content: bytes | memoryview) -> object:
    """Return the one record batch of a stream. Raises as :func:`table_from_bytes`."""
    _, batches = _read(content)
    if len(batches) != 1:
        raise Malformed(f"has {len(batches)} Arrow batches, one was expected")
    return batches[0]


def _read(content: bytes | memoryview) -> "tuple[object, list[object]]":
    import pyarrow as pa

    try:
        if any(_compressed(content)):
            raise Malformed("has a compressed Arrow stream, which could be of any size once it is read")
        with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
            schema, batches = reader.schema, list(reader)
        rows = sum(batch.num_rows for batch in batches)
        if rows > _FREE_ROWS + _MAX_ROWS_A_BYTE * len(content):
            raise TooLarge(f"has an Arrow table of {rows:,} rows in {len(content):,} bytes")
        doubtful = [number for number, kind in enumerate(schema.types) if not _stands_for_itself(kind)]
        most = _FREE_BYTES + _MAX_EXPANSION * len(content)
        for batch in batches:
            batch.validate()  # its buffers are as long as it says
            _check(batch, doubtful, _viewed, most)
            batch.validate(full=True)
            _check(batch, doubtful, _repeated, most)
        for field in schema:
            _see_names(field)
    except (pa.ArrowException, OSError, ValueError, OverflowError, IndexError) as error:
        if isinstance(error, Malformed):
            raise
        raise Malformed(f"has an Arrow stream that is not valid: {str(error)[:200]}") from None
    return schema, batches


def _stands_for_itself(kind: "DataType") -> bool:
    """Say of the types of most columns that no value of theirs is another's as well."""
    import pyarrow as pa

    return bool(pa.types.is_primitive(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check(batch: "RecordBatch", columns: "list[int]", expanded: "Callable[[Array], int]", most: int) -> None:
    """Refuse columns that are far longer than the bytes they are made of, since these stand for many values."""
    for number in columns:
        if sum(map(expanded, _parts(batch.column(number)))) > most:
            raise TooLarge(f"has an Arrow column whose values repeat each other up to more than {most:,} bytes")


def _parts(array: "Array") -> "Iterator[Array]":
    """Yield an array, and all arrays that it is made of."""
    import pyarrow as pa

    kinds, kind = pa.types, array.type
    yield array
    if kinds.is_dictionary(kind):
        yield from _parts(array.dictionary)
    elif isinstance(array, pa.ExtensionArray):
        yield from _parts(array.storage)
    elif kinds.is_struct(kind) or kinds.is_union(kind):
        for number in range(kind.num_fields):
            yield from _parts(array.field(number))
    elif hasattr(array, "values"):  # lists, maps, run ends
        yield from _parts(array.values)


def _viewed(array: "Array") -> int:
    """Return what the views of an array add up to.

    Validating goes through the whole of each: for 50,000 views of one text of a megabyte it takes four seconds.
    """
    import pyarrow as pa

    kinds, kind = pa.types, array.type
    if getattr(kinds, "is_string_view", _never)(kind) or getattr(kinds, "is_binary_view", _never)(kind):
        return _sum(array.buffers()[1], every=4)  # of the sixteen bytes of a view the first four are its length
    if getattr(kinds, "is_list_view", _never)(kind) or getattr(kinds, "is_large_list_view", _never)(kind):
        return 8 * _sum(array.buffers()[2], wide=not kinds.is_list_view(kind))
    return 0


def _repeated(array: "Array") -> int:
    """Return what a valid array would take without its dictionary, or without its runs; too much where that is not told."""
    import pyarrow as pa

    kinds, kind = pa.types, array.type
    if kinds.is_dictionary(kind):
        values = array.dictionary
    elif getattr(kinds, "is_run_end_encoded", _never)(kind):
        values = array.values
    else:
        return 0
    if kinds.is_primitive(values.type) or not len(values):
        return 0
    if not (kinds.is_string(values.type) or kinds.is_large_string(values.type) or kinds.is_binary(values.type)):
        return len(array) * int(values.nbytes)
    import pyarrow.compute as pc

    lengths = pc.binary_length(values)
    at_most = len(array) * (pc.max(lengths).as_py() or 0)
    if at_most <= _FREE_BYTES or not kinds.is_dictionary(kind):
        return at_most
    return int(pc.sum(pc.take(lengths, array.indices)).as_py() or 0)


def _never(_: object) -> bool:
    return False


def _sum(buffer: "Buffer | None", *, wide: bool = False, every: int = 1) -> int:
    """Add up numbers of four bytes, or eight, the first of ``every`` so many, that must not be negative."""
    if buffer is None:
        return 0
    width = 8 if wide else 4
    content = memoryview(buffer).cast("B")
    numbers = content[: len(content) // width * width].cast("q" if wide else "i")
    return sum(map(abs, numbers[::every]))


def _see_names(field: "Field") -> None:
    """Read the names of a field and all in it: validating leaves open whether they are text, and who reads one finds out."""
    _ = field.name
    kind = field.type
    if hasattr(kind, "value_type") and hasattr(kind, "index_type"):
        kind = kind.value_type  # of a dictionary
    for number in range(kind.num_fields):
        _see_names(kind.field(number))


def _compressed(content: bytes | memoryview) -> "list[bool]":
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


def _int(data: bytes | memoryview, at: int) -> int:
    piece = data[at : at + 4]
    if at < 0 or len(piece) != 4:
        raise Malformed("has an Arrow stream that is cut off")
    return int.from_bytes(piece, "little")


def _field(data: bytes | memoryview, table: int, number: int) -> int | None:
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
