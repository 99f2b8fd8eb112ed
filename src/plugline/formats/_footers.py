"""Parquet files to one file of all their row groups, which are copied and not encoded again.

What tells a reader where everything is stands at the end of a file, in Thrift's compact protocol: a row group that was moved
is found once the offsets in there are moved as far. pyarrow reads and writes whole footers, and moves nothing.

Of the format no more is known here than where offsets stand (``parquet.thrift`` of apache/parquet-format, 2.10); the rest
is copied as it is, with what a later version adds to it, as long as that is no other offset. Indexes of pages, which
hold offsets too, are refused.
"""

from collections.abc import Callable, Mapping
from typing import BinaryIO, TypeAlias

_MAGIC = b"PAR1"
_TAIL_BYTES = 8  # the length of the footer, and the magic again

# Copies a value, as it is to be, from a place to the end of what was copied before, and returns the place where it ends.
_Copy: TypeAlias = Callable[[bytes, int, bytearray], int]

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = 1, 2, 3, 7, 8, 9, 10, 11, 12, 13
_FIXED_BYTES = {_TRUE: 0, _FALSE: 0, _BYTE: 1, _DOUBLE: 8, _UUID: 16}
_LONG = 15  # a list that tells its length in the next bytes

# Fields of parquet.thrift: of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
_FILE_ROWS, _FILE_GROUPS = 3, 4
_GROUP_CHUNKS, _GROUP_OFFSET, _GROUP_ORDINAL = 1, 5, 7
_CHUNK_OFFSET, _CHUNK_METADATA, _CHUNK_OFFSET_INDEX = 2, 3, 4
_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE, _BLOOM_FILTER = 9, 10, 11, 14


class Joined:
    """Writes one file of the row groups of several, all of one schema and by one writer."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._stream.write(_MAGIC)
        self._written = len(_MAGIC)
        self._footer = b""
        self._groups = bytearray()
        self._count = self._rows = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added yet."""
        return not self._footer

    def add(self, file: memoryview) -> None:
        """Write the row groups of a whole file after those before.

        Raises:
            ValueError: It is no Parquet file, or one with an index of its pages.
        """
        footer_at = len(file) - _TAIL_BYTES - int.from_bytes(file[-_TAIL_BYTES : -len(_MAGIC)], "little")
        if footer_at < len(_MAGIC) or file[: len(_MAGIC)] != _MAGIC or file[-len(_MAGIC) :] != _MAGIC:
            raise ValueError("it is no Parquet file, or broken")
        footer = bytes(file[footer_at:-_TAIL_BYTES])
        _copy_struct(footer, 0, bytearray(), {_FILE_ROWS: self._take_rows, _FILE_GROUPS: self._take_groups})
        self._footer = self._footer or footer
        self._stream.write(file[len(_MAGIC) : footer_at])
        self._written += footer_at - len(_MAGIC)

    def close(self) -> None:
        """Write the footer, as that of the first file is, for the row groups of all."""
        footer = bytearray()
        _copy_struct(self._footer, 0, footer, {_FILE_ROWS: self._put_rows, _FILE_GROUPS: self._put_groups})
        self._stream.write(footer + len(footer).to_bytes(4, "little") + _MAGIC)

    def _take_rows(self, data: bytes, at: int, out: bytearray) -> int:
        del out
        rows, end = _integer(data, at)
        self._rows += rows
        return end

    def _take_groups(self, data: bytes, at: int, out: bytearray) -> int:
        del out
        moved = self._moved()
        _, count, at = _list(data, at)
        for _ in range(count):
            at = _copy_struct(data, at, self._groups, moved)
            self._count += 1
        return at

    def _moved(self) -> Mapping[int, _Copy]:
        """Return how what is told of a row group of the next file changes."""
        by = self._written - len(_MAGIC)

        def further(data: bytes, at: int, out: bytearray) -> int:
            offset, end = _integer(data, at)
            out += _integer_bytes(offset + by if offset else 0)  # nothing begins at 0: there is none
            return end

        def numbered(data: bytes, at: int, out: bytearray) -> int:
            out += _integer_bytes(self._count)
            return _integer(data, at)[1]

        pages = dict.fromkeys((_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE, _BLOOM_FILTER), further)
        chunk: dict[int, _Copy] = {_CHUNK_OFFSET: further, _CHUNK_OFFSET_INDEX: _refuse_index}
        chunk[_CHUNK_METADATA] = lambda data, at, out: _copy_struct(data, at, out, pages)

        def chunks(data: bytes, at: int, out: bytearray) -> int:
            begin = at
            _, count, at = _list(data, at)
            out += data[begin:at]
            for _ in range(count):
                at = _copy_struct(data, at, out, chunk)
            return at

        return {_GROUP_CHUNKS: chunks, _GROUP_OFFSET: further, _GROUP_ORDINAL: numbered}

    def _put_rows(self, data: bytes, at: int, out: bytearray) -> int:
        out += _integer_bytes(self._rows)
        return _integer(data, at)[1]

    def _put_groups(self, data: bytes, at: int, out: bytearray) -> int:
        out += bytes((_LONG << 4 | _STRUCT,)) + _whole_bytes(self._count) + self._groups
        return _end(data, at, _LIST)


def _refuse_index(data: bytes, at: int, out: bytearray) -> int:
    raise ValueError("it has an index of its pages, in which offsets stand that are not moved")


def _copy_struct(data: bytes, at: int, out: bytearray, changes: Mapping[int, _Copy]) -> int:
    begin, number = at, 0
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _integer(data, at)
        change = changes.get(number)
        if change is None:
            at = _end(data, at, head & 15)
        else:
            out += data[begin:at]
            begin = at = change(data, at, out)
    out += data[begin : at + 1]
    return at + 1


def _end(data: bytes, at: int, kind: int) -> int:
    """Return where a value ends."""
    if kind in _FIXED_BYTES:
        return at + _FIXED_BYTES[kind]
    if kind == _STRUCT:
        return _copy_struct(data, at, bytearray(), {})
    if kind in {_LIST, _SET}:
        inner, count, at = _list(data, at)
        return _end_of_items(data, at, count, (inner,))
    first, at = _whole(data, at)
    if kind == _BINARY:
        return at + first
    if kind == _MAP and first:
        return _end_of_items(data, at + 1, first, (data[at] >> 4, data[at] & 15))
    return at


def _end_of_items(data: bytes, at: int, count: int, kinds: tuple[int, ...]) -> int:
    for _ in range(count):
        for kind in kinds:
            # A truth value is in the kind of a field, and a byte of its own in a list.
            at = at + 1 if kind in {_TRUE, _FALSE} else _end(data, at, kind)
    return at


def _list(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the kind of a list's items, how many there are, and where they begin."""
    kind, count = data[at] & 15, data[at] >> 4
    if count == _LONG:
        count, at = _whole(data, at + 1)
        return kind, count, at
    return kind, count, at + 1


def _whole(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and where it ends."""
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        if data[at] < 128:
            return number, at + 1
        at, shift = at + 1, shift + 7


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """Return a number with its sign in the lowest bit, and where it ends."""
    number, end = _whole(data, at)
    return number >> 1 ^ -(number & 1), end


def _whole_bytes(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))


def _integer_bytes(number: int) -> bytes:
    return _whole_bytes(number << 1)  # none of those that are written here is less than 0
