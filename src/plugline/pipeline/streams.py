"""Paths to streams of bytes: sources decompressed by suffix, sinks that appear only when they are whole."""

import errno
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib.machinery import PathFinder
from typing import BinaryIO, Protocol, Self, cast

from plugline.descriptors import WRITING, read_into, set_mode, sync_folder
from plugline.files import short_digest_of
from plugline.pipeline.remote import (
    expand_address,
    has_scheme,
    open_address,
    put_at_address,
    seeks,
    size_of_address,
    without_query,
    without_secret,
)

STANDARD = "-"

PACKAGE = "package:"
_COMPRESSIONS = (".gz", ".bz2", ".xz", ".zip", ".zst")
# No less than a format reads at a time.
_BUFFER_BYTES = 256 * 1024
_MAGIC = frozenset("*?[")


def inner_suffix(path: str) -> str:
    """Return the suffix that names the format: ``.ndjson`` of ``orders.ndjson.gz``, nothing where there is none."""
    stem, suffix = os.path.splitext(without_query(path))
    if suffix.lower() in _COMPRESSIONS:
        _, suffix = os.path.splitext(stem)
    return suffix.lower()


def compression_of(path: str) -> str:
    """Return the suffix by which a path says how it is compressed, nothing where it does not."""
    suffix = os.path.splitext(without_query(path))[1].lower()
    return suffix if suffix in _COMPRESSIONS else ""


def expand_source(path: str, base: str) -> list[str]:
    """Return the files that a source names, sorted: one file, those of a folder, or those that match a pattern.

    A folder gives the files directly in it whose names do not begin with a dot; one that was written in parts gives
    those that its manifest names, in its order. ``-`` and ``package:`` paths come back
    as they are.

    Args:
        base: The folder that relative paths are relative to.

    Raises:
        OSError: There is no such file, no file matches, or an address cannot be asked.
        ValueError: The scheme of an address is not known.
    """
    if path == STANDARD or path.startswith(PACKAGE):
        return [path]
    if has_scheme(path):
        return expand_address(path)
    full = os.path.join(base, path)
    if os.path.isfile(full):
        return [full]
    if os.path.isdir(full):
        parts = files_of(full)
        if parts is not None:
            return parts
        names = sorted(name for name in os.listdir(full) if not name.startswith("."))
        files = [file for file in (os.path.join(full, name) for name in names) if not os.path.isdir(file)]
        nothing = "the folder holds no files"
    elif os.path.lexists(full) or not _MAGIC.intersection(path):
        os.stat(full)  # for what it raises
        return [full]
    else:
        import glob  # for a pattern only

        # The folder is taken as it is, whatever brackets its name has.
        pattern = os.path.join(glob.escape(base), path)
        files = sorted(file for file in glob.glob(pattern, recursive=True) if not os.path.isdir(file))
        nothing = "no file matches"
    if not files:
        raise FileNotFoundError(errno.ENOENT, nothing, full)
    return files


@contextmanager
def open_source(path: str) -> Iterator[BinaryIO]:
    """Open a source for reading, decompressed after its suffix.

    Args:
        path: A file, ``-`` for standard input (which stays open), an address with a scheme, or
            ``package:NAME/inner/path`` for a file that an installed package ships; the package is found and not imported.

    Raises:
        OSError: The file cannot be read, or its compressed data is broken (also while reading; the file is named).
        ValueError: The path cannot be taken as a source, and the message says why.
    """
    if path == STANDARD:
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        if has_scheme(path):
            remote = stack.enter_context(open_address(path))
            yield _decompressed(remote, path, stack) if compression_of(path) else _checked(remote, path, "", remote)
            return
        file = shipped_file(path) if path.startswith(PACKAGE) else path
        plain = stack.enter_context(open(file, "rb", buffering=_BUFFER_BYTES))
        yield _decompressed(plain, path, stack)


def plain_file(path: str) -> str | None:
    """Return the file whose bytes a source is, so that it can be read from anywhere; ``None`` where there is none.

    Compressed files, pipes, special files and those that claim to be empty (as in ``/proc``) are none.
    """
    if path == STANDARD or compression_of(path) or has_scheme(path):
        return None
    try:
        file = shipped_file(path) if path.startswith(PACKAGE) else path
        status = os.stat(file)
    except (OSError, ValueError, ImportError):
        return None  # told by whoever opens it
    return file if stat.S_ISREG(status.st_mode) and status.st_size else None


class Window(io.RawIOBase):
    """A piece of a file as a stream, with other bytes before it. Does not own the descriptor.

    Args:
        start: The first byte.
        end: The byte after the last one.
        head: What is read before.
    """

    def __init__(self, descriptor: int, start: int, end: int, head: bytes = b"") -> None:
        self._descriptor = descriptor
        self._at = start
        self._end = end
        self._head = head
        self._before = start - len(head)

    def tell(self) -> int:
        """How many bytes it has given."""
        return self._at - len(self._head) - self._before

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object, /) -> int:
        """Read on.

        Raises:
            OSError: The file ends before the piece does.
        """
        view = memoryview(cast("bytearray", buffer))
        if self._head:
            taken = self._head[: len(view)]
            self._head = self._head[len(taken) :]
            view[: len(taken)] = taken
            return len(taken)
        view = view[: self._end - self._at]
        if not view:
            return 0
        count = read_into(self._descriptor, view, self._at)
        if not count:
            raise OSError(errno.EIO, f"it ends after {self._at:,} bytes; it was longer when the run began")
        self._at += count
        return count


def window(descriptor: int, start: int, end: int, head: bytes = b"") -> BinaryIO:
    """Return a piece of a file as a stream that reads at least as much at a time as formats do."""
    raw = Window(descriptor, start, end, head)
    return cast("BinaryIO", io.BufferedReader(raw, min(_BUFFER_BYTES, max(end - start + len(head), 1))))


def bytes_read(stream: BinaryIO) -> int:
    """Return how many bytes of its file a stream of :func:`open_source` has taken, 0 where that is not known."""
    raw = getattr(stream, "raw", None)
    try:
        return raw.position() if isinstance(raw, _Checked) else stream.tell()
    except (OSError, ValueError):
        return 0


def size_of(path: str) -> int | None:
    """Return how many bytes there are to read of a source, ``None`` where that is not known."""
    if has_scheme(path):
        return size_of_address(path)
    try:
        status = os.stat(shipped_file(path) if path.startswith(PACKAGE) else path)
    except (OSError, ValueError, ImportError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def shipped_file(path: str) -> str:
    """Return the file that a path ``package:NAME/inner/path`` means here.

    Raises:
        FileNotFoundError: The package ships none of that name.
        ModuleNotFoundError: There is no such package.
        ValueError: The path says something else.
    """
    name, _, inner = path.removeprefix(PACKAGE).partition("/")
    if not name.isidentifier() or not inner or ".." in inner.split("/") or inner.startswith("/"):
        raise ValueError(f"{path!r}: expected package:NAME/path/inside, NAME being that of an importable package")
    # PathFinder looks at the folders of sys.path only and runs nothing of the package.
    spec = PathFinder.find_spec(name)
    folders = () if spec is None else tuple(spec.submodule_search_locations or ())
    if not folders:
        what = "is not installed" if spec is None else "is a single module and ships no files"
        from plugline.imports import distribution_of  # few packages are missing

        raise ModuleNotFoundError(
            f"{path!r}: the package {name!r} {what}\n  hint: pip install {distribution_of(name)}", name=name
        )
    for folder in folders:
        file = os.path.join(folder, *inner.split("/"))
        if os.path.isfile(file):
            return file
    raise FileNotFoundError(errno.ENOENT, f"the package {name!r} ships no such file", path)


def _decompressed(plain: BinaryIO, path: str, stack: ExitStack) -> BinaryIO:
    suffix = compression_of(path)
    if not suffix:
        return plain
    # The codecs are imported only where a path names them: they cost more than a short run.
    if suffix == ".gz":
        source: object = _Gzip(plain)
    elif suffix == ".bz2":
        from bz2 import BZ2Decompressor

        source = _Streams(plain, BZ2Decompressor)
    elif suffix == ".xz":
        from lzma import LZMADecompressor

        source = _Streams(plain, LZMADecompressor)
    elif suffix == ".zip":
        source = _only_member(plain, path, stack)
    else:
        _require_zstandard(path)
        source = _Zstandard(plain)
    return _checked(source, path, suffix, plain)


def _checked(source: object, path: str, suffix: str, plain: BinaryIO) -> BinaryIO:
    checked = _Checked(cast("io.BufferedIOBase", source), without_secret(path), suffix, plain)
    return cast("BinaryIO", io.BufferedReader(checked, _BUFFER_BYTES))


def _require_zstandard(path: str) -> None:
    from importlib.util import find_spec  # for .zst only

    if find_spec("zstandard") is None:
        raise ValueError(f"{path!r} needs the package 'zstandard'\n  hint: pip install 'plugline[tool]'")


class _Decompressing(Protocol):
    """What zlib and isal call a decompression object."""

    eof: bool
    unused_data: bytes
    unconsumed_tail: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _new_gunzip() -> Callable[[], _Decompressing]:
    try:
        # Intel's library takes half as long as zlib, and on ARM too.
        from isal import isal_zlib as library
    except ImportError:
        import zlib as library  # type: ignore[no-redef]
    return cast("Callable[[], _Decompressing]", partial(library.decompressobj, _WITH_GZIP_HEADER))


_WITH_GZIP_HEADER = 16 + 15  # zlib's manual, inflateInit2: a header and a checksum of gzip, the largest window


class _Gzip:
    """The members of a gzip file, one after the other, which must be whole; zeros may follow, as ``tape`` and others pad.

    Not by ``GzipFile``, which takes the checksum in a second pass, and whose layers copy everything twice more.
    """

    _FED_BYTES = 64 * 1024

    def __init__(self, plain: BinaryIO) -> None:
        self._plain = plain
        self._new = _new_gunzip()
        self._member: _Decompressing | None = None
        self._fed = b""
        self._members = 0

    def read1(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        while True:
            if not self._fed:
                self._fed = self._plain.read(self._FED_BYTES)
            if self._member is None and not self._begin():
                return b""
            member = cast("_Decompressing", self._member)
            fed = self._fed
            data = member.decompress(fed, size)  # of nothing, what it holds back
            self._fed = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                self._member = None
            elif not fed and not data:
                raise EOFError("it ends within a member")
            if data:
                return data

    def _begin(self) -> bool:
        while self._members:
            self._fed = self._fed.lstrip(b"\0")
            if self._fed:
                break
            self._fed = self._plain.read(self._FED_BYTES)
            if not self._fed:
                return False
        if not self._fed:
            raise EOFError("it ends before the first member")
        self._member = self._new()
        self._members += 1
        return True


class _Decompressor(Protocol):
    """What bz2 and lzma call a decompressor."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Streams:
    """The streams of a bzip2 or xz file, one after the other, which must be whole; zeros may follow, as xz pads.

    Not by ``BZ2File`` and ``LZMAFile``: behind a stream that is whole they take padding and anything broken for the end.
    """

    _FED_BYTES = 64 * 1024

    def __init__(self, plain: BinaryIO, new: Callable[[], _Decompressor]) -> None:
        self._plain = plain
        self._new = new
        self._stream = new()
        self._fed = b""

    def read1(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        while True:
            if self._stream.eof and not self._begin():
                return b""
            if not self._fed and self._stream.needs_input:
                self._fed = self._plain.read(self._FED_BYTES)
                if not self._fed:
                    raise EOFError("it ends within a stream")
            data = self._stream.decompress(self._fed, size)  # of nothing, what it holds back
            self._fed = b""
            if data:
                return data

    def _begin(self) -> bool:
        fed = self._stream.unused_data.lstrip(b"\0")
        while not fed:
            piece = self._plain.read(self._FED_BYTES)
            if not piece:
                return False
            fed = piece.lstrip(b"\0")
        self._fed = fed
        self._stream = self._new()
        return True


class _Zstandard:
    """The frames of a Zstandard file, one after the other, which must be whole.

    Not by the package's own stream reader: at the end of the file that takes half a frame for the whole.
    """

    # Four bytes may stand for 128 KiB, so that what is decompressed at a time is bounded by what is fed.
    _FED_BYTES = 512

    def __init__(self, plain: BinaryIO) -> None:
        from zstandard import ZstdDecompressor  # for .zst only

        self._plain = plain
        self._new = ZstdDecompressor().decompressobj
        self._frame = self._new()
        self._begun = True  # of nothing, no program makes a file without a frame
        self._fed = memoryview(b"")
        self._left = memoryview(b"")

    def read1(self, size: int) -> memoryview:
        """Return up to ``size`` bytes; none at the end."""
        while not self._left and self._feed():
            pass
        data, self._left = self._left[:size], self._left[size:]
        return data

    def _feed(self) -> bool:
        if not self._fed:
            self._fed = memoryview(self._plain.read(_BUFFER_BYTES))
            if not self._fed:
                if self._begun:
                    raise EOFError("it ends within a frame")
                return False
        pieces: list[bytes] = []
        wanted = _BUFFER_BYTES // 4
        while self._fed and wanted > 0:
            fed, self._fed = self._fed[: self._FED_BYTES], self._fed[self._FED_BYTES :]
            self._begun = True
            pieces.append(self._frame.decompress(bytes(fed)))
            wanted -= len(pieces[-1])
            if self._frame.eof:
                rest = self._frame.unused_data
                self._fed = memoryview(rest + bytes(self._fed)) if rest else self._fed
                self._frame, self._begun = self._new(), False
        self._left = memoryview(b"".join(pieces))
        return True


def _only_member(plain: BinaryIO, path: str, stack: ExitStack) -> object:
    from zipfile import BadZipFile, ZipFile

    try:
        archive = stack.enter_context(ZipFile(_whole(plain, stack)))
    except BadZipFile as error:
        raise OSError(errno.EIO, f"the zip data is broken or cut off: {error}", path) from error
    members = [member for member in archive.namelist() if not member.endswith("/")]
    if len(members) != 1:
        raise ValueError(
            f"{path!r} holds {len(members)} files {members!r}: expected exactly one\n  hint: unpack it into a folder, and name that"
        )
    try:
        return stack.enter_context(archive.open(members[0]))
    except (RuntimeError, NotImplementedError, BadZipFile) as error:
        # Encrypted, or compressed in a way that zipfile does not know.
        raise OSError(errno.EIO, f"the zip data cannot be read: {error}", path) from error


def _whole(plain: BinaryIO, stack: ExitStack) -> BinaryIO:
    """Return a stream that can be read from any place: itself, or a temporary file with all that it holds."""
    if seeks(plain):
        return plain
    from shutil import copyfileobj  # for what cannot be read in parts
    from tempfile import TemporaryFile

    copy = cast("BinaryIO", stack.enter_context(TemporaryFile()))  # noqa: SIM115 - the stack closes it
    copyfileobj(plain, copy)
    copy.seek(0)
    return copy


class _Checked(io.RawIOBase):
    """Decompressed bytes, with one kind of error that names the file in the place of each codec's own."""

    def __init__(self, source: io.BufferedIOBase, path: str, suffix: str, plain: BinaryIO) -> None:
        self._source = source
        # Not every file of fsspec has read1.
        self._read = cast("Callable[[int], bytes]", getattr(source, "read1", None) or source.read)
        self._plain = plain
        self._path = path
        self._suffix = suffix
        self._seeks: bool | None = None

    def position(self) -> int:
        return self._plain.tell()

    def seekable(self) -> bool:
        # Behind an address, parts of a file can be fetched; in compressed data a seek means to begin anew.
        if self._suffix:
            return False
        if self._seeks is None:
            self._seeks = seeks(cast("BinaryIO", self._source))
        return self._seeks

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if not self.seekable():
            raise io.UnsupportedOperation("compressed data is read from its beginning to its end")
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(cast("bytearray", buffer))
        try:
            # read1: what a slow source has so far is handed on.
            data = self._read(len(view))
        except Exception as error:
            # zlib.error, LZMAError, EOFError, BadGzipFile and BadZipFile have no base of their own; an OSError of
            # the disk itself carries a number. What stands behind an address has errors of its own kinds too.
            if isinstance(error, OSError) and error.errno and self._suffix:
                raise
            message = f"the {self._suffix[1:]} data is broken or cut off: {error}"
            if not self._suffix:
                message = (isinstance(error, OSError) and error.strerror) or f"{type(error).__name__}: {error}"
            raise OSError(errno.EIO, message, self._path) from error
        view[: len(data)] = data
        return len(data)


class SinkFile:
    """A file that appears under its name only when it is whole.

    Written aside in the same folder, then put in place by :meth:`commit` in one move; leaving the ``with`` block
    without it leaves everything as it was. The suffixes ``.gz``, ``.bz2``, ``.xz``, ``.zst`` and ``.zip`` compress, always
    to the same bytes; a zip file is made when it is put in place. What is for an address with a
    scheme is written in the folder for temporary files, and copied there when it is put in place.

    The file gets the mode that a newly made file would have, or that of the file that it replaces; where the path is a
    link, what it leads to is replaced. A process that is killed leaves ``.NAME.<digits>.tmp`` behind, which the next one for the
    same path takes over; no two write it at a time, since a run holds the path's journal. Not for standard output and special
    files, in the place of which nothing can be put.

    Attributes:
        stream: Where to write, once entered. Errors while writing, such as a full disk, name the path.
    """

    stream: BinaryIO
    _raw: "_Sink"

    def __init__(self, path: str) -> None:
        """Remember what to write; nothing is opened yet."""
        self.path = path
        self._stack = ExitStack()
        self._aside: str | None = None

    def __enter__(self) -> Self:
        """Open the sink.

        Raises:
            IsADirectoryError: The path is a folder.
            OSError: The folder is not there or cannot be written to.
            ValueError: The package for its compression is missing.
        """
        suffix = compression_of(self.path)
        if suffix == ".zst":
            _require_zstandard(self.path)
        self._raw = _Sink(self._open(), self.path)
        compressed = _compressed(self._raw, suffix)
        # Closed in reverse: the codec's end goes into the raw file before that is closed.
        self.stream = cast("BinaryIO", io.BufferedWriter(cast("io.RawIOBase", compressed), _BUFFER_BYTES))
        return self

    def _open(self) -> Callable[[object], int]:
        if has_scheme(self.path):
            return self._open_aside(_temporary_folder(), inner_suffix(self.path), os.urandom(8).hex())
        target = os.path.realpath(self.path)
        existing = os.stat(target) if os.path.exists(target) else None
        if existing is not None and stat.S_ISDIR(existing.st_mode):
            raise IsADirectoryError(errno.EISDIR, "the sink is a folder, expected a file", self.path)
        folder, name = os.path.split(target)
        write = self._open_aside(folder, name, short_digest_of(os.fsencode(name)))
        if existing is not None:
            set_mode(self._descriptor, stat.S_IMODE(existing.st_mode))
        return write

    def _open_aside(self, folder: str, name: str, told: str) -> Callable[[object], int]:
        # A part of the name, since with what is added it could be longer than file names may be.
        aside = os.path.join(folder, f".{name[:48]}.{told}.tmp")
        try:
            with suppress(FileNotFoundError):
                os.unlink(aside)  # of one that was killed
            # 0o666 less the umask, which the kernel sees to: what open() would give.
            descriptor = os.open(aside, WRITING | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            raise cannot_write(folder, error, self.path) from error
        self._aside = aside
        self._descriptor = descriptor
        self._stack.callback(os.close, descriptor)
        return lambda data: os.write(descriptor, cast("bytes", data))

    def commit(self) -> None:
        """Write what is left and put the file in place, for good; call once, after the last write.

        Raises:
            OSError: It could not be written whole; what was in place before is still there.
        """
        try:
            self.stream.close()
            os.fsync(self._descriptor)
            aside, self._aside = cast("str", self._aside), None
        except OSError as error:
            if error.filename is None or self._aside in {error.filename, error.filename2}:
                raise OSError(error.errno, error.strerror, self.path) from error
            raise
        finally:
            self._raw.discard()
            self._end()
        try:
            put_in_place(aside, self.path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(aside)

    def _end(self) -> None:
        self._stack.close()
        aside, self._aside = self._aside, None
        if aside is not None:
            os.unlink(aside)

    def __exit__(self, *_: object) -> None:
        """Leave everything as it was before, unless it was committed."""
        # What is buffered must not be tried again, on a disk that is full as likely as not.
        self._raw.discard()
        self.stream.close()
        self._end()


def put_in_place(aside: str, path: str) -> None:
    """Give a file that was written aside its final name, in one move, and for good.

    For a path that ends in ``.zip`` it is put into a zip file first; to an address with a scheme it is copied. It goes only
    when it has its place, so that whoever is killed at any moment can do this again.

    Raises:
        OSError: It could not be moved; what was in place before is still there, and so is the file aside.
    """
    zipped = compression_of(path) == ".zip"
    moved = _zipped(aside, path) if zipped else aside
    if has_scheme(path):
        try:
            put_at_address(moved, path)
        finally:
            if zipped:
                os.unlink(moved)
        os.unlink(aside)
        return
    target = os.path.realpath(path)
    try:
        os.replace(moved, target)
    except OSError as error:
        if zipped:
            os.unlink(moved)
        raise OSError(error.errno, error.strerror, path) from error
    sync_folder(os.path.dirname(target))
    if zipped:
        os.unlink(aside)


def _zipped(aside: str, path: str) -> str:
    """Return a zip file that holds a file alone, by the name that is left without ``.zip``."""
    from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

    # The earliest time that a zip file can hold, and not now: the same records give the same bytes.
    member = ZipInfo(os.path.splitext(os.path.basename(without_query(path)))[0] or "data", (1980, 1, 1, 0, 0, 0))
    member.compress_type = ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    member.file_size = os.path.getsize(aside)  # tells whether it needs the form for more than 4 GB
    wrapped = f"{aside}.zip"
    try:
        # One that is there was begun by a process that was killed.
        with open(aside, "rb") as plain, open(wrapped, "wb") as target:
            set_mode(target.fileno(), stat.S_IMODE(os.fstat(plain.fileno()).st_mode))
            with ZipFile(target, "w") as archive, archive.open(member, "w") as compressed:
                while piece := plain.read(_BUFFER_BYTES):
                    compressed.write(piece)
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        if os.path.exists(wrapped):
            os.unlink(wrapped)
        raise OSError(error.errno, error.strerror, path) from error
    return wrapped


class _Sink(io.RawIOBase):
    """Bytes to a function that may take a part of them only; errors name the path."""

    def __init__(self, write: Callable[[object], int], path: str) -> None:
        self._write = write
        self._path = path

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        view = memoryview(cast("bytes", data)).cast("B")
        done = 0
        try:
            while done < len(view):
                done += self._write(view[done:])
        except OSError as error:
            # The class follows from the number: a BrokenPipeError stays one.
            raise OSError(error.errno, error.strerror, self._path) from error
        return done

    def discard(self) -> None:
        """Take everything from now on and write nothing."""
        self._write = lambda data: len(cast("bytes", data))


def compressed_bytes(data: bytes, path: str) -> bytes:
    """Return bytes as they can be appended to a finished file of this name: a piece of its compression of its own."""
    suffix = compression_of(path)
    if suffix in {"", ".zip"}:  # a zip file is made of the whole
        return data
    piece = io.BytesIO()
    sink = _Sink(cast("Callable[[object], int]", piece.write), path)
    with cast("BinaryIO", _compressed(sink, suffix)) as stream:
        stream.write(data)
    return piece.getvalue()


def compressing(write: Callable[[object], int], path: str) -> BinaryIO:
    """Return a stream that compresses after the suffix of a path what it hands on; closing it writes the end."""
    compressed = _compressed(_Sink(write, path), compression_of(path))
    return cast("BinaryIO", io.BufferedWriter(cast("io.RawIOBase", compressed), _BUFFER_BYTES))


def compresses_parts(path: str) -> bool:
    """Whether what is written under a path is compressed piece by piece; a zip file is made of the whole."""
    return compression_of(path) not in {"", ".zip"}


def cannot_write(folder: str, error: OSError, path: str) -> OSError:
    """Return the error of ``path`` where no file could be opened beside it."""
    return OSError(error.errno, f"cannot write in the folder {folder!r}: {os.strerror(error.errno or 0)}", path)


def folder_aside(path: str) -> str:
    """Return where files are written that are to be put in place as ``path``: beside it, so that a move is enough."""
    return _temporary_folder() if has_scheme(path) else os.path.dirname(os.path.realpath(path))


def _compressed(raw: io.RawIOBase, suffix: str) -> object:
    file = cast("BinaryIO", raw)
    if suffix == ".gz":
        from gzip import GzipFile

        # No name, no time: the same records give the same bytes. Level 6, which the gzip command has as well: 9 takes
        # twice the time for 1 %.
        return GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0)
    if suffix == ".bz2":
        from bz2 import BZ2File

        return BZ2File(file, "wb")
    if suffix == ".xz":
        from lzma import LZMAFile

        return LZMAFile(file, "wb")
    if suffix == ".zst":
        from zstandard import ZstdCompressor

        # Level 3, which the zstd command has as well; a checksum, so that a torn file is seen to be one.
        return ZstdCompressor(level=3, write_checksum=True).stream_writer(file, closefd=False)
    return raw


def standard_writer() -> Callable[[object], int]:
    """Return what writes to standard output, and says how much of it was taken."""
    sys.stdout.flush()  # its text, too
    buffer = sys.stdout.buffer
    try:
        descriptor = buffer.fileno()
    except (OSError, ValueError):
        # Standard output may be replaced by something in memory.
        return lambda data: cast("int", buffer.write(cast("bytes", data)))
    # Past Python's own buffer: what a broken pipe did not take must not be tried again at the end of the process.
    return lambda data: os.write(descriptor, cast("bytes", data))


def _temporary_folder() -> str:
    from tempfile import gettempdir  # it brings random, shutil and all codecs

    return gettempdir()


# Readers of other makers (Arrow, Dask, Spark) leave out files whose names begin with an underscore or a dot.
MANIFEST = "_manifest.json"
MANIFEST_VERSION = 1
MANIFEST_KIND = "plugline_manifest"
_MANIFEST_BEGINS = (
    b'{"plugline_manifest":'  # of each manifest, so that others of this name are not read whole to be told apart
)


def is_manifest(path: str) -> bool:
    """Whether a file is a manifest of ours."""
    try:
        with open(path, "rb") as file:
            return file.read(len(_MANIFEST_BEGINS)) == _MANIFEST_BEGINS
    except OSError:
        return False


def files_of(folder: str) -> list[str] | None:
    """Return the parts that a folder's manifest names, in its order; ``None`` where there is none.

    Raises:
        OSError: A part is missing, or has another size.
        ValueError: It is a manifest, but cannot be read.
    """
    path = os.path.join(folder, MANIFEST)
    if not is_manifest(path):
        return None
    import orjson  # where there is a manifest

    with open(path, "rb") as file:
        try:
            manifest = orjson.loads(file.read())
        except ValueError as error:
            raise ValueError(f"the manifest {path!r} is broken: {error}") from None
    if manifest[MANIFEST_KIND] != MANIFEST_VERSION:
        raise ValueError(
            f"the manifest {path!r} has the form {manifest[MANIFEST_KIND]!r}, which this plugline does not know"
        )
    files = []
    for part in manifest["parts"]:
        file_path = os.path.join(folder, cast("str", part["path"]))
        size = os.stat(file_path).st_size if os.path.exists(file_path) else None
        if size != part["bytes"]:
            what = "is missing" if size is None else f"has {size:,} bytes"
            message = f"the part {part['path']!r} {what}, and has {part['bytes']:,} bytes by the manifest beside it"
            raise OSError(errno.EIO, message, file_path)
        files.append(file_path)
    return files


def strangers_in(folder: str) -> list[str]:
    """Return the names in a folder that are no output of ours in parts; what is hidden does not count."""
    names = [name for name in os.listdir(folder) if not name.startswith(".")]
    if not names or is_manifest(os.path.join(folder, MANIFEST)):
        return [name for name in names if not name.startswith("part-") and name != MANIFEST]
    return names
