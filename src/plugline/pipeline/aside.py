"""A file that is written beside its place, and is found again there by a later run; and outputs without such a place."""

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import RawIOBase
from typing import Any, BinaryIO, cast

from plugline.descriptors import WRITING, set_mode, sync_data, write_pieces
from plugline.files import short_digest_of
from plugline.pipeline.remote import has_scheme
from plugline.pipeline.streams import SinkFile, cannot_write, folder_aside, put_in_place, standard_writer

_COPIED_BYTES = 2**20  # at a time; shutil has the same loop, and half a bare interpreter's start of imports
_MOST_PIECES = 1024  # in one call: what Linux and others allow
_FLUSHED_BYTES = 32 * 2**20  # so many are brought to disk while more is written


def path_aside(path: str, suffix: str) -> str:
    """Return where something is kept that belongs to a path: beside it, under the same name each time.

    Args:
        path: A file or folder, or an address.
        suffix: Tells it from others of the same path.
    """
    target = path if has_scheme(path) else os.path.realpath(path)
    name = os.path.basename(target)
    # A part of the name, since with what is added it could be longer than file names may be.
    told = short_digest_of(os.fsencode(path if has_scheme(path) else name))
    return os.path.join(folder_aside(path), f".{name[:48]}.{told}.{suffix}")


class Aside:
    """A file that is written beside its place, under a name that a later run finds again.

    Args:
        suffix: Tells it from others of the same run.
        in_place: Whether it is written in its place after all.
    """

    def __init__(self, path: str, suffix: str, *, in_place: bool = False) -> None:
        self.path = path
        self._target = path if has_scheme(path) else os.path.realpath(path)
        self.aside = self._target if in_place else path_aside(path, suffix)
        self.bytes = 0
        self._descriptor: int | None = None
        self._flush: _Flush | None = None
        self._flushed_bytes = 0

    def open(self, keep_bytes: int = 0) -> bool:
        """Open it, cut off after ``keep_bytes``. Returns whether there were as many.

        Raises:
            OSError: It cannot be written here; the file's own path is named.
        """
        self.refuse_what_is_no_file()
        try:
            flags = WRITING | os.O_CREAT
            # 0o666 less the umask, which the kernel sees to: what open() would give.
            self._descriptor = os.open(self.aside, flags | (0 if keep_bytes else os.O_TRUNC), 0o666)
        except OSError as error:
            raise cannot_write(os.path.dirname(self.aside), error, self.path) from error
        with suppress(FileNotFoundError):
            set_mode(self._descriptor, stat.S_IMODE(os.stat(self._target).st_mode))
        there = os.fstat(self._descriptor).st_size
        self.bytes = min(keep_bytes, there)
        os.ftruncate(self._descriptor, self.bytes)
        os.lseek(self._descriptor, self.bytes, os.SEEK_SET)
        self._flushed_bytes = self.bytes
        return there >= keep_bytes

    def refuse_what_is_no_file(self) -> None:
        """Raise ``IsADirectoryError`` where the place is taken by a folder."""
        if os.path.isdir(self._target):
            raise IsADirectoryError(21, "it is a folder, expected a file", self.path)

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Append.

        Raises:
            OSError: It could not be written, or what was written before could not be brought to disk.
        """
        assert self._descriptor is not None  # noqa: S101 - opened first
        # All of them at once: a file system takes a megabyte for two thirds of what sixteen times a sixteenth costs.
        waiting = [memoryview(piece) for piece in pieces]
        while waiting:
            count = write_pieces(self._descriptor, waiting[:_MOST_PIECES])
            self.bytes += count
            while waiting and count >= len(waiting[0]):
                count -= len(waiting.pop(0))
            if count:
                waiting[0] = waiting[0][count:]
        if self.bytes - self._flushed_bytes >= _FLUSHED_BYTES and (self._flush is None or self._flush.done):
            self._end_flush()
            self._flushed_bytes = self.bytes
            with suppress(RuntimeError):  # the user may have no more threads: it can wait for the next sync()
                self._flush = _Flush(self._descriptor)

    def _end_flush(self) -> None:
        flush, self._flush = self._flush, None
        if flush is not None:
            flush.end()

    def sync(self) -> None:
        """Bring it to disk.

        Raises:
            OSError: It, or something that was written before, could not be brought there; or somebody has removed it.
        """
        if self._descriptor is not None:
            self._end_flush()
            sync_data(self._descriptor)
            if not os.fstat(self._descriptor).st_nlink and not os.path.exists(self.aside):
                # It could be written to its end all the same, and would never be seen.
                raise FileNotFoundError(2, f"{self.aside!r} was removed while it was written", self.path)

    def put_in_place(self) -> None:
        """Give it its final name, for good; nothing where it has that already."""
        self.close()
        if os.path.exists(self.aside):
            put_in_place(self.aside, self.path)

    def copy(self, count: int, more: bytes) -> None:
        """Put a copy of its first ``count`` bytes in place, with more behind them."""
        with SinkFile(self.path) as file:
            if count:
                with open(self.aside, "rb") as source:
                    while count and (piece := source.read(min(count, _COPIED_BYTES))):
                        file.stream.write(piece)
                        count -= len(piece)
            file.stream.write(more)
            file.commit()

    def close(self) -> None:
        """Close it; it stays."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):  # whoever relies on it being on disk has called sync()
                self._end_flush()
            os.close(descriptor)

    def remove(self) -> None:
        """Remove it."""
        self.close()
        with suppress(FileNotFoundError):
            os.unlink(self.aside)


class _Flush:
    """Brings what has been written to disk while more is written, so that whoever syncs has little left to wait for.

    A thread, since the disk takes time and no processor; one for each flush, so that a process has one thread when nothing is
    to be done. An error belongs to whoever ends it: the kernel tells each only once.
    """

    def __init__(self, descriptor: int) -> None:
        from threading import Thread  # most runs write less

        self._descriptor = descriptor
        self._error: OSError | None = None
        self._thread = Thread(target=self._run, name="plugline flush", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            sync_data(self._descriptor)
        except OSError as error:
            self._error = error

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def end(self) -> None:
        """Wait for its end.

        Raises:
            OSError: Something could not be brought to disk.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error


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
        from tempfile import TemporaryFile  # few outputs are such

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
