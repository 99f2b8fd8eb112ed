"""The user's cache folder to files that only the user could have written, or to none.

Code is kept there that is run later, so what others could have written is never read: neither a folder nor a file that
belongs to somebody else or that somebody else may write. Any doubt means: work without.
"""

import _imp
import os
import stat

_VARIABLE = "PLUGLINE_CACHE"
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MAX_FILE_BYTES = 2**30  # a thousand times the index of a thousand plugins; what is larger is not ours


def cache_folder() -> str | None:
    """Return the absolute path of plugline's cache folder, made if it was missing, or ``None`` to work without.

    ``PLUGLINE_CACHE``, else ``plugline`` in ``XDG_CACHE_HOME``, else ``~/.cache/plugline``. ``PLUGLINE_CACHE=off`` means
    to work without.
    """
    path = _configured_folder()
    if path is None or not os.path.isabs(path):
        return None
    try:
        return path if is_ours(os.lstat(path), stat.S_IFDIR) else None
    except FileNotFoundError:
        return _make(path)
    except (OSError, ValueError):
        return None


def _configured_folder() -> str | None:
    own = os.environ.get(_VARIABLE)
    if own:
        return os.path.abspath(os.path.expanduser(own)) if own != "off" else None
    shared = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(shared):  # the specification says that a relative one is to be ignored
        return os.path.join(shared, "plugline")
    home = os.path.expanduser("~")
    return os.path.join(home, ".cache", "plugline") if os.path.isabs(home) else None


def _make(path: str) -> str | None:
    try:
        # os.makedirs gives its mode to the last folder only, which is the one that is ours.
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path if is_ours(os.lstat(path), stat.S_IFDIR) else None
    except OSError:
        return None


def is_ours(status: os.stat_result, kind: int) -> bool:
    """Whether a file of this kind belongs to us and can be written by nobody else."""
    if stat.S_IFMT(status.st_mode) != kind:
        return False
    if not hasattr(os, "geteuid"):
        return True  # Windows: the folder lies in the user's profile, which its own rights protect
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_MAY_WRITE


def open_ours(path: str, flags: int = os.O_RDONLY) -> int | None:
    """Open a file of the cache, or return ``None`` where there is none that only we could have written."""
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
    except OSError:
        os.close(descriptor)
        return None
    if is_ours(status, stat.S_IFREG) and status.st_size <= _MAX_FILE_BYTES:
        return descriptor
    os.close(descriptor)
    return None


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """Return ``length`` bytes from ``offset``; fewer where the file ends before or cannot be read."""
    # A length that damage has made huge would be allocated before it is read.
    length = min(length, os.fstat(descriptor).st_size - offset)
    if length <= 0:
        return b""
    try:
        if hasattr(os, "pread"):
            found: bytes = os.pread(descriptor, length, offset)
            return found
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, length)
    except OSError:
        return b""


def check_of(content: bytes) -> bytes:
    """Return 64 bits that show accidents; others cannot write here. SipHash, in the interpreter itself."""
    return _imp.source_hash(0x706C7567, content)


def write_at(descriptor: int, offset: int, content: bytes) -> None:
    """Put some bytes in the place of others; on a full or failing disk they may stay what they were, or be torn."""
    try:
        if hasattr(os, "pwrite"):
            os.pwrite(descriptor, content, offset)
        else:
            os.lseek(descriptor, offset, os.SEEK_SET)
            os.write(descriptor, content)
    except OSError:
        pass


def write_whole(path: str, content: bytes) -> bool:
    """Put a file in place in one move, so that nobody ever sees a part of it. Returns whether it is there.

    Of several that write at once the last one wins.
    """
    temporary = f"{path}.{os.getpid():x}.{_token()}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    except OSError:
        return False
    try:
        try:
            whole = _write_all(descriptor, content)
        finally:
            os.close(descriptor)
        if whole:
            # Not synced: an index that a power cut tears is seen by its digest, and made again.
            os.replace(temporary, path)
            return True
    except OSError:
        pass
    remove(temporary)
    return False


def _write_all(descriptor: int, content: bytes) -> bool:
    view = memoryview(content)
    while view:
        written = os.write(descriptor, view)
        if written <= 0:
            return False
        view = view[written:]
    return True


def remove(path: str) -> None:
    """Delete a file if that can be done."""
    try:  # noqa: SIM105 - contextlib costs more to import than a listing takes
        os.unlink(path)
    except OSError:
        pass


def _token() -> str:
    return os.urandom(4).hex()
