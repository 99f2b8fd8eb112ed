"""Paths and bytes to calls on descriptors that every system has, or that do the same on it.

Windows has no ``pread`` and no locks of POSIX, and changes line ends in what is not opened as bytes. Where the system has
the call itself, these names are the call.
"""

import os
import sys

AS_BYTES = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
"""Flags with which any file is opened: its bytes are what they are, and programs that are started do not inherit it."""

READING = os.O_RDONLY | AS_BYTES
AT_ONCE = READING | getattr(os, "O_NONBLOCK", 0)
"""Flags to read what should be a file, without waiting for a writer where it is a FIFO."""
WRITING = os.O_WRONLY | AS_BYTES

if sys.platform == "win32":
    import msvcrt

    _LOCKED_AT = 2**31 - 2  # far behind what is written: others may not read what is locked, either

    def read_at(descriptor: int, length: int, offset: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``. Not for two threads at once; where it reads on is undefined."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, length)

    def read_into(descriptor: int, memory: memoryview, offset: int) -> int:
        """Fill memory from ``offset`` as far as it goes, and return how far. As :func:`read_at`."""
        found = read_at(descriptor, len(memory), offset)
        memory[: len(found)] = found
        return len(found)

    def write_pieces(descriptor: int, pieces: list[memoryview]) -> int:
        """Write the first piece or more, and return how many bytes that were."""
        return os.write(descriptor, pieces[0])

    def lock_at_once(descriptor: int) -> None:
        """Lock a file against other processes until it is closed.

        Raises:
            OSError: Another process holds it.
        """
        at = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            os.lseek(descriptor, _LOCKED_AT, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, at, os.SEEK_SET)

    def set_mode(descriptor: int, mode: int) -> None:
        """Do nothing: a file has the rights of its folder."""

else:
    read_at = os.pread

    def read_into(descriptor: int, memory: memoryview, offset: int) -> int:
        """Fill memory from ``offset`` as far as it goes, and return how far."""
        if hasattr(os, "preadv"):  # macOS has it since its version 11
            return os.preadv(descriptor, [memory], offset)
        found = os.pread(descriptor, len(memory), offset)
        memory[: len(found)] = found
        return len(found)

    write_pieces = os.writev

    def lock_at_once(descriptor: int) -> None:
        """Lock a file against other processes until it, or any other descriptor of this process on it, is closed.

        Raises:
            OSError: Another process holds it.
        """
        import fcntl  # only who locks needs it

        # Not flock, which forks of a process that was killed hold for a moment longer.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    set_mode = os.fchmod


def sync_data(descriptor: int) -> None:
    """Bring what was written to a file to disk, and of what is known about it what it takes to read that."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def sync_file(path: str) -> None:
    """Bring what others have written to a file to disk.

    Raises:
        OSError: It is not there, or could not be brought there.
    """
    # Windows takes that only from who may write.
    descriptor = os.open(path, READING if sys.platform != "win32" else os.O_RDWR | AS_BYTES)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: str) -> None:
    """Make new names in a folder last through a power cut, where the system and the file system can do that."""
    try:
        descriptor = os.open(folder or ".", READING | getattr(os, "O_DIRECTORY", 0))
    except OSError:
        return  # Windows opens no folders, and needs none
    try:
        os.fsync(descriptor)
    except OSError:
        # Some file systems refuse to synchronise a folder; the file itself is safe.
        pass
    finally:
        os.close(descriptor)
