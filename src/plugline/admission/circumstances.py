"""A policy and a plugin folder to a text that stands for all that a verdict depends on, besides the plugin's own file.

While the text and the file are the same, so is the verdict, and a listing need not ask the policy again. It is made by every
listing from what is on disk then: who owns the folders on the way, and what the lock file says. Light to import: what
judges (:mod:`plugline.admission.policy`) is imported where something is to be judged.
"""

import os
import stat
import sys

LOCK_NAME = "plugline.lock"

_DEFAULTS = (False, LOCK_NAME, "off", "None")


def circumstances(policy: object, folder: str) -> str | None:
    """Return the text, or ``None`` where there is none: a policy of a program's own may decide by anything.

    Args:
        policy: The host's; ``None`` for the one that hosts have by default.
        folder: The absolute path of the plugin folder.
    """
    settings = _settings(policy)
    geteuid = getattr(os, "geteuid", None)
    if settings is None or geteuid is None:
        return None  # Windows keeps who may write to a folder in lists that are not looked at
    user: int = geteuid()
    owners = _plain_owners(folder)
    path = lock_path(settings[1], folder)
    lock = _lock(path) if path is not None else ""
    return repr((settings, user, owners if owners is not None else _owners(folder), lock))


def _settings(policy: object) -> tuple[bool, str | None, str, str] | None:
    if policy is None:
        return _DEFAULTS
    # Who has made one has imported it.
    module = sys.modules.get("plugline.admission.policy")
    if type(policy) is not getattr(module, "Policy", None):
        return None
    found = [getattr(policy, name) for name in ("strict", "lock", "audit", "grant")]
    return found[0], found[1], found[2], str(found[3])


def lock_path(lock: str | None, folder: str) -> str | None:
    """Return the absolute path of the lock file for a plugin folder: a bare name is beside the folder."""
    if lock is None:
        return None
    if os.path.basename(lock) != lock:
        return os.path.abspath(lock)
    return os.path.join(os.path.dirname(os.path.abspath(folder)), lock)


def _plain_owners(folder: str) -> tuple[tuple[int, int, int], ...] | None:
    """Return user, group and mode of each component; ``None`` where that is not all: for links, and for shared groups."""
    owners = []
    end = 0
    while end >= 0:
        end = folder.find("/", end + 1)
        try:
            status = os.lstat(folder[:end] if end >= 0 else folder)
        except (OSError, ValueError):
            return None
        mode = status.st_mode
        if stat.S_ISLNK(mode) or mode & (stat.S_IWGRP | stat.S_IWOTH) == stat.S_IWGRP:
            return None
        owners.append((status.st_uid, status.st_gid, mode))
    return tuple(owners)


def _owners(path: str) -> str:
    # Links, and who else is in a group: looked at in full, where that has to be.
    from plugline.admission.ownership import Owners  # noqa: PLC0415

    return repr(Owners().look(path))


def _lock(path: str) -> str:
    """Return what the lock file holds and who owns it; empty where there is none."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return repr(error)
    from plugline.admission.ownership import Owners  # noqa: PLC0415 - few folders have a lock
    from plugline.files import read_source  # noqa: PLC0415 - likewise

    source = read_source(path, max_bytes=_MAX_BYTES)
    return repr((Owners().look(path), getattr(source, "digest", None) or source))


_MAX_BYTES = 64 * 2**20  # as for reading it
