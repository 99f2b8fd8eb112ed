"""What ran of a folder of packages to a file in the cache, and back where nothing has changed since.

It is read by every process that has such a folder, so little is imported here; what writes it is
:mod:`plugline.integrations.remembering`.
"""

import marshal
import os
import stat
import sys
from _frozen_importlib_external import MAGIC_NUMBER

from plugline.discovery.cache import cache_folder, check_of, open_ours, read_at
from plugline.files import digest_of, read_plain
from plugline.lookup import find_module
from plugline.typed import Final, ModuleType

MAGIC: Final = b"plugtop\x03"
PREFIX_BYTES: Final = 16
_BESIDE = ("plugline.lock", "plugline.toml")
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

_ASKED_NAMES = frozenset(("available", "on_load", "on_unload", "on_reload", "__getattr__"))

Row = tuple[str, bool, bytes, bytes, bool]
"""A module's file below the folder, whether it is a package, the digest of its source, its marshalled code, and whether this
could put names into modules of others.

Of a folder without ``__init__.py``: its path, ``True``, and nothing. Of what was left out: no code.
"""

Status = tuple[int, int, int, int]
"""mtime_ns, ctime_ns, size and inode."""

Record = tuple[dict[str, Status], dict[str, str], dict[str, Row]]
"""The folders that modules are in, with their status; the packages, in the order in which they are run, each with what it is
called as a plugin; the modules by name."""


def path_of_record(folder: str, making: str) -> str | None:
    """Return the file that is kept of a folder, by its absolute path; ``None`` to work without.

    Args:
        folder: The path.
        making: What code is made by, beside Python and plugline.
    """
    cache = cache_folder()
    if cache is None:
        return None
    # Not imported: the façade stands above us.
    version: str = sys.modules["plugline"].__version__
    scope = "\n".join((folder, "top level", version, sys.version, MAGIC_NUMBER.hex(), str(sys.flags.optimize), making))
    return f"{cache}/{check_of(scope.encode('utf-8', 'surrogateescape')).hex()}.top"


def read_record(folder: str, making: str) -> Record | None:
    """Return what is remembered of a folder; ``None`` where nothing is, or on any doubt."""
    path = path_of_record(folder, making)
    descriptor = open_ours(path) if path is not None else None
    if descriptor is None:
        return None
    try:
        content = read_at(descriptor, 0, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    body = content[PREFIX_BYTES:]
    if content[:8] != MAGIC or check_of(body) != content[8:PREFIX_BYTES]:
        return None
    known, record = marshal.loads(body)  # noqa: S302 - from a file that only we can write, with its digest checked
    return record if known == folder else None


def is_alone(folder: str) -> bool:
    """Whether nothing is beside a folder that says what of it may be run: no lock file, no list of disabled plugins."""
    above = os.path.dirname(folder)
    return not any(os.path.lexists(os.path.join(above, name)) for name in _BESIDE)


def contents_as_they_were(folder: str, record: Record) -> dict[str, bytes] | None:
    """Return the sources of the packages, by name, where a folder holds what it held, with nothing to tell of it.

    ``None`` where anything is otherwise, or a name is not free any more.
    """
    folders, packages, rows = record
    for relative, was in folders.items():
        if not _is_same_folder(f"{folder}/{relative}" if relative else folder, was):
            return None
    if not _is_way_sound(folder):
        return None
    contents = {}
    for name in packages:
        content = source_as_it_was(f"{folder}/{rows[name][0]}", rows[name][2])
        if content is None or name in sys.modules or find_module(name) is not None:
            return None
        contents[name] = content
    return contents


def source_as_it_was(path: str, digest: bytes) -> bytes | None:
    """Return the bytes of a file that has this digest and of which there is nothing to tell; ``None`` for any other."""
    found = read_plain(path)
    if found is None or digest_of(found[0]) != digest or not is_sound(path, found[1]):
        return None
    return found[0]


def _is_same_folder(path: str, was: Status) -> bool:
    found = folder_at(path)
    return found is not None and found[0] == was and is_sound(path, found[1])


def folder_at(path: str) -> tuple[Status, os.stat_result] | None:
    """Return the status of a folder that is no link; ``None`` for anything else."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISDIR(found.st_mode):
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino), found


def is_plain_module(module: object) -> bool:
    """Whether a host would do nothing with a package but run it; one that it asks or calls is always loaded by a host."""
    # By its type: what a package has put in its own place may answer anything.
    return type(module) is ModuleType and _ASKED_NAMES.isdisjoint(module.__dict__)


def is_sound(path: str, status: os.stat_result) -> bool:
    """Whether there is nothing to tell of who may write to a file or folder."""
    if _is_ours(status) and not status.st_mode & _OTHERS_MAY_WRITE:
        return True
    return _is_judged_sound(path)


def _is_ours(status: os.stat_result) -> bool:
    return hasattr(os, "geteuid") and status.st_uid in (0, os.geteuid())


def _is_judged_sound(path: str) -> bool:
    # Groups that nobody else is in, and where owners say nothing: looked at in full.
    from plugline.admission.ownership import Owners, ownership_findings

    return not ownership_findings(Owners().look(path), path)


def _is_way_sound(folder: str) -> bool:
    """Whether nobody else could put another folder in the place of this one."""
    at = os.path.dirname(folder)
    try:
        while True:
            found = os.lstat(at)
            # In a sticky folder nobody else can replace what is ours, and the one below is.
            is_closed = not found.st_mode & _OTHERS_MAY_WRITE or found.st_mode & stat.S_ISVTX
            if not stat.S_ISDIR(found.st_mode) or not _is_ours(found) or not is_closed:
                return _is_judged_sound(folder)
            if at == os.path.dirname(at):
                return True
            at = os.path.dirname(at)
    except OSError:
        return False
