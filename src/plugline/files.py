"""A path to bytes, opened once: what was checked is what is read.

Nothing here follows a link at the end of a path, blocks on a FIFO, or reads more than it was asked to.
"""

import os
import stat

from plugline.findings import Finding, Place
from plugline.typed import TYPE_CHECKING, Callable
from plugline.values import Value

if TYPE_CHECKING:
    from hashlib import blake2b as HASH  # noqa: N812 - a class

DIGEST_BYTES = 32
MAX_SOURCE_BYTES = 2**20  # a hundred times the size of a long plugin; a larger file is data, or an attack


_hashes: "list[Callable[..., HASH]]" = []


def _blake2b() -> "Callable[..., HASH]":
    # Who loads plugins that are remembered hashes none, and a shared library is a tenth of what that costs.
    if not _hashes:
        try:
            # hashlib loads OpenSSL, which costs half an interpreter's start.
            from _blake2 import blake2b
        except ImportError:  # a Python that was built without it
            from hashlib import blake2b
        _hashes.append(blake2b)
    return _hashes[0]


def short_digest_of(content: bytes) -> str:
    """Return eight digits that differ where ``content`` does, for names of files."""
    return _blake2b()(content, digest_size=4).hexdigest()


def digest_of(content: bytes | memoryview, key: bytes = b"") -> bytes:
    """Return the BLAKE2b-256 digest of ``content``, keyed with up to 64 bytes: what sources are known by."""
    return _blake2b()(content, digest_size=DIGEST_BYTES, key=key).digest()


class SourceFile(Value):
    """The bytes of one file, as they were at one moment.

    Attributes:
        path: As messages show it.
    """

    __slots__ = ("content", "path")
    path: str
    content: bytes

    def __init__(self, path: str, content: bytes) -> None:
        put = object.__setattr__  # as _set does, in half the time: one is made for each file that is read
        put(self, "path", path)
        put(self, "content", content)

    @property
    def digest(self) -> str:
        """The BLAKE2b digest of the content, 32 bytes in hexadecimal."""
        return digest_of(self.content).hex()


def read_source(path: str, *, within: str | None = None, max_bytes: int = MAX_SOURCE_BYTES) -> SourceFile | Finding:
    """Read a plugin's source, or say why it cannot be.

    The file is opened once, without blocking and without following a link at its end, and checked by its
    descriptor: a regular file of at most ``max_bytes``. A path that is a link, or below ``within`` leads through
    one, is resolved first, and refused when that leads out of ``within``.
    """
    place = Place(path)
    try:
        descriptor = _open(path, within)
        if isinstance(descriptor, Finding):
            return descriptor
        try:
            return _read_descriptor(descriptor, place, max_bytes)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and _is_socket(path):
            return _not_regular("a socket", place)  # the one kind of file that cannot even be opened
        return Finding("P101", f"cannot be read: {reason_of(error)}", place, hint=_unreadable_hint(error, place.path))


def read_installed(path: str, *, max_bytes: int) -> SourceFile | Finding:
    """Read the source of an installed module: a file, or a member of an archive that a program is packed in."""
    found = read_source(path, max_bytes=max_bytes)
    if isinstance(found, SourceFile):
        return found
    content = _in_archive(path)
    return found if content is None else SourceFile(path, content)


def _in_archive(path: str) -> bytes | None:
    archive = path
    while not os.path.lexists(archive) and os.path.dirname(archive) != archive:
        archive = os.path.dirname(archive)
    if archive == path or not os.path.isfile(archive):
        return None
    import zipimport  # few programs are archives

    try:
        return zipimport.zipimporter(archive).get_data(path)
    except (OSError, zipimport.ZipImportError):
        return None


def read_plain(path: str) -> tuple[bytes, os.stat_result] | None:
    """Return the bytes of a regular file that is no link, with its status; ``None`` where :func:`read_source` has more to say."""
    try:
        descriptor = os.open(path, _PLAIN_FLAGS)
        try:
            status = os.fstat(descriptor)
            size = status.st_size
            if not stat.S_ISREG(status.st_mode) or size > MAX_SOURCE_BYTES:
                return None
            content = os.read(descriptor, size + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None
    return (content, status) if len(content) == size else None


_PLAIN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FLAGS = _PLAIN_FLAGS | getattr(os, "O_CLOEXEC", 0)


def _open(path: str, within: str | None) -> int | Finding:
    if _REFUSES_LINKS and (within is None or path.rfind("/") <= len(within)):
        # Only the file itself could be a link, and then opening it fails: nearly all are read with one look less.
        try:
            return os.open(path, _FLAGS)
        except OSError:
            if not os.path.islink(path):
                raise
    real = _resolve(path, within)
    return real if isinstance(real, Finding) else os.open(real, _FLAGS)


_REFUSES_LINKS = os.sep == "/" and hasattr(os, "O_NOFOLLOW")


def _resolve(path: str, within: str | None) -> str | Finding:
    if not any(os.path.islink(part) for part in _parts_below(path, within)):
        return path
    real = os.path.realpath(path)
    if within is not None:
        folder = os.path.realpath(within)
        if os.path.commonpath([real, folder]) != folder:
            return leads_out(real, Place(path))
    return real


def leads_out(real: str, place: Place, kind: str = "file") -> Finding:
    """Return the finding for a link that leads out of the folder that it is in."""
    message = f"is a symbolic link to {real!r}, which lies outside its folder"
    return Finding("P108", message, place, hint=f"copy the {kind} into the folder instead of linking it")


def _parts_below(path: str, within: str | None) -> list[str]:
    """Return the path, and the folders on the way to it that are below ``within``."""
    parts = [path]
    if within is not None:
        while len(folder := os.path.dirname(parts[-1])) > len(within) and folder != parts[-1]:
            parts.append(folder)
    return parts


def _read_descriptor(descriptor: int, place: Place, max_bytes: int) -> SourceFile | Finding:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return _not_regular(kind_of_file(status.st_mode), place)
    if status.st_size > max_bytes:
        return _too_large(place, status.st_size, max_bytes)
    content = _read_whole(descriptor, status.st_size, max_bytes)
    if len(content) != status.st_size:
        content = _read_again(descriptor, content, max_bytes)
    if len(content) > max_bytes:
        return _too_large(place, len(content), max_bytes)
    return SourceFile(place.path, content)


def _read_whole(descriptor: int, size: int, max_bytes: int) -> bytes:
    # One byte more than allowed shows a file that grew after its size was taken.
    pieces = []
    left = max_bytes + 1
    # As much at a time as is there: a large buffer that is hardly filled costs ten times what reading does.
    while left > 0 and (piece := os.read(descriptor, min(left, size + 1))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _read_again(descriptor: int, content: bytes, max_bytes: int) -> bytes:
    """Return what two reads of a file agree on that somebody writes to while it is read, else what was seen last.

    One read may be the beginning of one version with the end of another.
    """
    for _ in range(_MAX_READS):
        os.lseek(descriptor, 0, os.SEEK_SET)
        before, content = content, _read_whole(descriptor, os.fstat(descriptor).st_size, max_bytes)
        if content == before:
            break
    return content


_MAX_READS = 5  # a file is written in a fraction of a read; one that grows all the time is nobody's source


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _not_regular(kind: str, place: Place) -> Finding:
    hint = "move it out of the plugin folder, or begin its name with '_'"
    return Finding("P102", f"is {kind}, a regular file was expected", place, hint=hint)


def _too_large(place: Place, size: int, max_bytes: int) -> Finding:
    message = f"is {size:,} bytes long, at most {max_bytes:,} are read"
    return Finding("P104", message, place, hint="move data out of the code, into a file that the plugin opens")


def relative_path(path: str, folder: str = os.curdir) -> str:
    """Return a path as it is from a folder; the absolute one where no way leads there: to another drive of Windows."""
    try:
        return os.path.relpath(path, folder)
    except ValueError:
        return os.path.abspath(path)


def kind_of_file(mode: int) -> str:
    """Return what a file of this ``st_mode`` is, with its article."""
    kinds = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISBLK, "a block device"),
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISREG, "a regular file"),
    )
    return next((kind for test, kind in kinds if test(mode)), "a special file")


def reason_of(error: BaseException) -> str:
    """Return what an error says, of the system's own only why."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def way_to_write(error: OSError, otherwise: str = "make its folder writable for you") -> str:
    """Return what to do where a file cannot be written."""
    from errno import EDQUOT, ENOSPC  # as below

    if isinstance(error, TimeoutError):
        return "let that program come to its end, or end it"
    return "make room on the disk" if error.errno in (ENOSPC, EDQUOT) else otherwise


def _unreadable_hint(error: OSError | ValueError, path: str) -> str | None:
    if isinstance(error, PermissionError):
        return "make the file readable for the user who runs this program"
    if isinstance(error, FileNotFoundError):
        from plugline.names import nearest_file  # a listing that is remembered reads nothing

        near = nearest_file(path, ".py")
        meant = f"did you mean {os.path.basename(near)!r}? else " if near is not None and near != path else ""
        return f"{meant}put it there, or mend its name" if not os.path.islink(path) else "it is a link to nothing"
    from errno import ELOOP

    return "it is a link that leads back to itself; remove it" if getattr(error, "errno", None) == ELOOP else None
