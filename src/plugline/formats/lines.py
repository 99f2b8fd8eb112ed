r"""Plain lines of text: one record a line, with the text of the line in one field.

``\n`` and ``\r\n`` end lines, a blank line is a line, a byte order mark at the beginning is skipped, and the last line
needs no line end. A line that the encoding does not know fails alone.
"""

from codecs import lookup
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from plugline.formats._wide import refuse_wide, unmarked
from plugline.formats.ndjson import whole_lines
from plugline.records import Position, Reader, Record, Writer

SUFFIXES = (".txt",)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(kw_only=True, eq=False, repr=False)
class Lines:
    """Plain lines of text.

    Attributes:
        field: The field that holds the text of a line, without its line end.
        encoding: The encoding of the text, by Python's name; one whose line end is the byte 10.
    """

    field: str = "line"
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        try:
            plain = "\n".encode(self.encoding) == b"\n"
        except LookupError:
            plain = False
        if not plain:
            expected = "expected the name of an encoding whose line end is one byte, such as 'utf-8' or 'latin-1'"
            raise ValueError(f"encoding {self.encoding!r}: {expected}")

    @property
    def record_delimiter(self) -> bytes:
        """What ends a line, and stands nowhere else in an encoding that can be read here."""
        return b"\n"

    def reader(self) -> Reader:
        """Return a reader that cuts at newlines."""
        return _Reader(self)

    def writer(self) -> Writer:
        """Return a writer of one line a record."""
        return _Writer(self)


def _is_marked(encoding: str) -> bool:
    """Whether text in an encoding may begin with a byte order mark that is none of its own."""
    return lookup(encoding).name == "utf-8"


class _Batch:
    __slots__ = ("_line", "_offset", "raws")

    def __init__(self, raws: list[object], line: int, offset: int) -> None:
        self.raws = raws
        self._line = line
        self._offset = offset

    def position(self, index: int, /) -> Position:
        """Count the bytes before the line."""
        before = cast("list[bytes]", self.raws[:index])
        line = self._line + index
        return Position(line=line, offset=self._offset + sum(map(len, before)), row=line)


class _Reader:
    def __init__(self, settings: Lines) -> None:
        self._marked = _is_marked(settings.encoding)
        self.lines = 0
        self.begins = True
        field, encoding = settings.field, settings.encoding

        def decode(raw: bytes) -> Record:
            return {field: raw.removesuffix(b"\n").removesuffix(b"\r").decode(encoding)}

        self.decode = cast("Callable[[object], Record]", decode)

    def batches(self, stream: BinaryIO, /) -> Iterator[_Batch]:
        """Yield the lines of about 64 KiB at a time, or of what has arrived, where that is less."""
        # read1 hands on what a pipe has; read would wait until 64 KiB are there.
        read = cast("Callable[[int], bytes]", getattr(stream, "read1", stream.read))
        self.lines = offset = 0
        for lines, count in whole_lines(read):
            mark = 0
            if not self.lines and self._marked and self.begins:
                refuse_wide(lines[0])
                if lines[0].startswith(_BYTE_ORDER_MARK):
                    mark = len(_BYTE_ORDER_MARK)
                    lines[0] = lines[0][mark:]
                    if not lines[0]:  # a mark and nothing else is no line
                        lines.pop(0)
            if lines:
                yield _Batch(cast("list[object]", lines), self.lines + 1, offset + mark)
            self.lines += len(lines)
            offset += count


class _Writer:
    separator = b""
    columns: tuple[str, ...] | None = None

    def __init__(self, settings: Lines) -> None:
        self._field = settings.field
        self._encoding = settings.encoding
        self._marked = _is_marked(settings.encoding)
        self._begins = False

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        del columns
        self._stream = stream
        self._begins = first and self._marked

    def encode(self, record: Record, /) -> bytes:
        """Return the line of a record, with its line end.

        Raises:
            ValueError: It has other fields than the one that is written, or that is no text, or more than one line.
        """
        text = record.get(self._field)
        if type(text) is not str or len(record) != 1 or "\n" in text or text.endswith("\r"):
            raise self._fault(record)
        return text.encode(self._encoding) + b"\n"

    def _fault(self, record: Record) -> ValueError:
        if list(record) != [self._field]:
            hint = "select it before, or set 'field'"
            return ValueError(f"the record has the fields {list(record)!r}: expected {self._field!r} alone; {hint}")
        value = record[self._field]
        if not isinstance(value, str):
            return ValueError(f"{self._field!r} holds a {type(value).__name__}: expected text")
        return ValueError(f"{self._field!r} holds a line break: expected a single line")

    def write(self, encoded: list[object], /) -> None:
        lines = cast("list[bytes]", encoded)
        if lines and self._begins:
            self._begins = False
            # A mark of the output's own, so that none is taken from the text of its first line, and that for what it is.
            if lines[0].startswith(_BYTE_ORDER_MARK) or unmarked(lines[0]):
                self._stream.write(_BYTE_ORDER_MARK)
        self._stream.write(b"".join(lines))

    def close(self, *, last: bool) -> None:
        del last
