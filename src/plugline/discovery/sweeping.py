"""The cache folder without what nobody has used for a season: folders of plugins come and go, and nobody tells of it."""

import os
import stat

from plugline.clock import unix_seconds
from plugline.discovery.cache import remove, write_whole

_DAY_SECONDS = 24 * 3600
_EVERY_SECONDS = 7 * _DAY_SECONDS
_UNUSED_SECONDS = 90 * _DAY_SECONDS
_ENDS = (".index", ".bundle", ".top")
_BEGINNING = "pytest-"


def sweep(folder: str) -> None:
    """Delete what is remembered of folders that nobody has looked into for 90 days, once a week.

    What is deleted though it is of use is made again. When a file was read last is known where the file system keeps that
    (Linux does, to the day); elsewhere it counts when it was written.
    """
    now = unix_seconds()
    mark = os.path.join(folder, "swept")
    try:
        if 0 <= now - os.stat(mark).st_mtime < _EVERY_SECONDS:
            return
    except FileNotFoundError:
        pass
    except OSError:
        return
    # Marked first: of several processes one is enough, and it does no harm if two do it.
    if not write_whole(mark, b""):
        return
    try:
        with os.scandir(folder) as entries:
            old = [entry.path for entry in entries if _is_unused(entry, now - _UNUSED_SECONDS)]
    except OSError:
        return
    for path in old:
        remove(path)


def _is_unused(entry: "os.DirEntry[str]", since: float) -> bool:
    # A file that is being written has more behind its end; what a killed process left of one is as old as the rest one day.
    if not entry.name.startswith(_BEGINNING) and not any(f"{end}." in f"{entry.name}." for end in _ENDS):
        return False
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and max(status.st_atime, status.st_mtime) < since
