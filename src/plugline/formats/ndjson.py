r"""Newline-delimited JSON: one object a line.

Blank lines are not records, ``\r\n`` is as good as ``\n``, a byte order mark at the beginning is
skipped, and the last line needs no newline. A line that is not JSON fails alone.

Writing, ``NaN`` and the infinities become ``null``, since JSON has no such numbers, or are refused.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, ClassVar, Literal, cast

from plugline.formats._json import Encode, decoder
from plugline.formats._wide import refuse_wide
from plugline.records import Position, Reader, Record, Writer

SUFFIXES = (".ndjson", ".jsonl")

# So little that a chunk, its lines and what becomes of them stay in a processor's own cache. Measured with lines of 280 bytes:
# 32 and 128 KiB cost the same, 256 KiB 3 to 8 % more, 16 MiB 70 % more.
_CHUNK_BYTES = 64 * 1024

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SEEN_BYTES = 64  # of a line that may be a hundred megabytes


@dataclass(kw_only=True, eq=False, repr=False)
class Ndjson:
    """Newline-delimited JSON.

    Attributes:
        nan: What becomes of NaN and the infinities, which JSON does not have: ``null``, or an error.
        integers: What becomes of whole numbers beyond 64 bits: they are read as floats and not written, or ``exact``.
    """

    nan: Literal["null", "error"] = "null"
    integers: Literal["64-bit", "exact"] = "64-bit"

    record_delimiter: ClassVar[bytes] = b"\n"

    def reader(self) -> Reader:
        """Return a reader that cuts at newlines."""
        return _Reader(decoder(self.integers))

    def writer(self) -> Writer:
        """Return a writer of one line a record."""
        return _Writer(Encode(self.nan, self.integers))


class _Batch:
    """The lines of one chunk; blank ones are among ``lines`` and not among ``raws``."""

    __slots__ = ("_counted", "_line", "_lines", "_offset", "_row", "raws")

    def __init__(self, raws: list[object], lines: list[bytes], line: int, offset: int, row: int) -> None:
        self.raws = raws
        self._lines = lines
        self._line = line
        self._offset = offset
        self._row = row
        self._counted = (0, offset)

    def position(self, index: int, /) -> Position:
        """Count again, up to the record; from the last one that was asked for, since they come in order."""
        before = index
        if len(self.raws) != len(self._lines):
            # The same objects, so that finding the index-th record means finding the index-th line that is not blank.
            before = [at for at, line in enumerate(self._lines) if line and not line.isspace()][index]
        line, offset = self._counted if self._counted[0] <= before else (0, self._offset)
        # Half of what it takes to add up how long each of them is.
        offset += len(b"".join(self._lines[line:before]))
        self._counted = (before, offset)
        return Position(line=self._line + before, offset=offset, row=self._row + index)


class _Reader:
    def __init__(self, decode: Callable[[object], Record]) -> None:
        self.decode = decode
        self.lines = 0
        self.begins = True

    def batches(self, stream: BinaryIO, /) -> Iterator[_Batch]:
        """Yield the lines of about 64 KiB at a time, or of what has arrived, where that is less."""
        # read1 hands on what a pipe has; read would wait until 64 KiB are there.
        read = cast("Callable[[int], bytes]", getattr(stream, "read1", stream.read))
        line, offset, row = 1, 0, 1
        for lines, count in whole_lines(read):
            mark = 0
            if not offset and self.begins:
                refuse_wide(lines[0])
                if lines[0].startswith(_BYTE_ORDER_MARK):
                    mark = len(_BYTE_ORDER_MARK)
                    lines[0] = lines[0][mark:]
                _refuse_document(lines)
            raws = cast("list[object]", lines)
            # The smallest line begins with white space if any does: one pass in C finds blank lines of every kind.
            if min(lines) < b"!":
                raws = [one for one in lines if one and not one.isspace()]
            if raws:
                yield _Batch(raws, lines, line, offset + mark, row)
            line += len(lines)
            self.lines = line - 1
            offset += count
            row += len(raws)


def _refuse_document(lines: list[bytes]) -> None:
    """Refuse an input that is one JSON document: a list of objects, or a bracket alone and what stands in it.

    One line that is wrong is none: where a record follows, or nothing, it goes on.
    """
    first, second = (b"".join(line[:_SEEN_BYTES].split()) for line in [*lines[:2], b""][:2])
    if second.startswith(b"{") and lines[1][-_SEEN_BYTES:].rstrip().endswith(b"}"):
        return
    if first.startswith(b"[{") or (first == b"[" and second) or (first == b"{" and second.startswith(b'"')):
        raise ValueError(
            "it begins as a JSON document: expected an object on each line\n"
            '  hint: say so: format = "json" in [source], or --from json'
        )


def whole_lines(read: Callable[[int], bytes]) -> Iterator[tuple[list[bytes], int]]:
    """Yield lists of whole lines with their newlines, never an empty list, and how many bytes they are."""
    # The pieces of a line that is longer than a chunk: joined once, so that its cost is not the square of its length.
    pieces: list[bytes] = []
    while chunk := read(_CHUNK_BYTES):
        # BytesIO finds line ends with memchr and shares the chunk's memory; split(b"\n") takes three times as long.
        lines = BytesIO(chunk).readlines()
        rest = b"" if chunk.endswith(b"\n") else lines.pop()
        count = len(chunk) - len(rest)
        if lines and pieces:
            count += sum(map(len, pieces))
            pieces.append(lines[0])
            lines[0] = b"".join(pieces)
            pieces.clear()
        if rest:
            pieces.append(rest)
        if lines:
            yield lines, count
    if pieces:
        last = b"".join(pieces)
        yield [last], len(last)


class _Writer:
    separator = b""
    columns: tuple[str, ...] | None = None
    fixes_columns = False

    def __init__(self, encode: Encode) -> None:
        self.encode = encode

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        del first, columns
        self._stream = stream

    def write(self, encoded: list[object], /) -> None:
        if encoded:
            self._stream.write(b"\n".join([*cast("list[bytes]", encoded), b""]))

    def close(self, *, last: bool) -> None:
        del last
