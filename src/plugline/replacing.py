"""Bytes to a file of a name that may be taken: all of them, or the file as it was."""

import os
from contextlib import suppress

from plugline.descriptors import WRITING, sync_folder


def replace_file(path: str, content: bytes, mode: int | None = None) -> None:
    """Put a file in its place at once: who reads it meanwhile, or after a crash, sees the old one or the new one.

    A path that is a link is replaced itself: whoever means what it leads to resolves it first.

    Args:
        mode: Its mode, whatever the umask; ``None``: that of the old file, or what the umask leaves of a new one.

    Raises:
        OSError: It cannot be written; the old file is as it was.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.urandom(6).hex()}.new")
    if mode is None:
        with suppress(FileNotFoundError):
            mode = os.stat(path).st_mode & 0o7777
    flags = WRITING | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(temporary, flags, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):  # an interrupt may come when it is in its place already
            os.unlink(temporary)
        raise
    sync_folder(folder)
