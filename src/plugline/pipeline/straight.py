"""Outputs that are written as it goes, since no file can be put in their place."""

import os
from collections.abc import Callable, Sequence
from io import RawIOBase
from typing import Any, BinaryIO, cast

from plugline.descriptors import WRITING
from plugline.pipeline.streams import standard_writer


class Straight:
    """Standard output or a special file, which is written as it goes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.aside = path
        self.bytes = 0
        self._descriptor: int | None = None
        if path == "-":
            self._write = standard_writer()
        else:
            descriptor = self._descriptor = os.open(path, WRITING)
            self._write = lambda data: os.write(descriptor, cast("bytes", data))

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Write all of it.

        Raises:
            OSError: It could not be written; a ``BrokenPipeError`` where whoever read it has gone.
        """
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[self._write(view) :]
            self.bytes += len(piece)

    def sync(self) -> None:
        """It is gone as soon as it is written."""

    def put_in_place(self) -> None:
        """It is there already."""
        self.close()

    def copy(self, count: int, more: bytes) -> None:
        """Write ``more`` behind the first ``count`` bytes, which are gone there already."""
        self.write([more])

    def close(self) -> None:
        """Let go of it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    remove = close


class Gathered(Straight):
    """The same for a format whose output is made of all parts at the end: until then they are in a file without a name."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        from tempfile import TemporaryFile  # noqa: PLC0415 - few outputs are such

        self._parts = TemporaryFile()  # noqa: SIM115 - closed by close()

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Keep it for the end."""
        for piece in pieces:
            self._parts.write(piece)
            self.bytes += len(piece)

    def assemble(self, put_together: Callable[[BinaryIO, BinaryIO], None]) -> None:
        """Write the output, which ``put_together`` makes of the parts in its first stream."""
        self._parts.seek(0)
        put_together(cast("BinaryIO", self._parts), cast("BinaryIO", _Stream(super().write)))

    def close(self) -> None:
        """Let go of it, and of the parts."""
        self._parts.close()
        super().close()

    remove = close


class _Stream(RawIOBase):
    """What can be written to, and cannot be gone back in, as a stream that knows where it is."""

    def __init__(self, write: Callable[[Sequence[bytes | memoryview]], None]) -> None:
        self._write = write
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._write([data])
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at
