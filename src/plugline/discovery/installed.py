"""``sys.path`` to the names of a group of entry points, read from their files.

``importlib.metadata`` says the same and more, and costs three interpreter starts to import; most programs have no entry
point of the group that is asked for.
"""

import os
import sys

_MOST_BYTES = 2**20
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # neither of which every system has


def entry_point_names(group: str) -> set[str] | None:
    """Return the names of a group's entry points; ``None`` where only ``importlib.metadata`` can tell.

    That is where something on ``sys.path`` is no folder, or something on ``sys.meta_path`` finds distributions elsewhere.
    """
    texts = _texts()
    if texts is None:
        return None
    heading = f"[{group}]"
    return {name for text in texts if heading in text for name in _names_below(heading, text)}


def declared_groups(prefix: str) -> set[str] | None:
    """Return the groups that begin with ``prefix`` and have entry points; ``None`` as :func:`entry_point_names`."""
    texts = _texts()
    if texts is None:
        return None
    begin = f"[{prefix}"
    lines = (line.strip() for text in texts if begin in text for line in text.splitlines())
    return {line[1:-1] for line in lines if line.startswith(begin) and line.endswith("]")}


def _texts() -> list[str] | None:
    """Return what all installed distributions say of their entry points."""
    if any(hasattr(finder, "find_distributions") and not _is_usual(finder) for finder in sys.meta_path):
        return None
    texts: list[str] = []
    for folder in sys.path:
        try:
            found = os.listdir(folder or ".")
        except FileNotFoundError:
            continue
        except OSError:
            return None
        for name in found:
            if name.endswith((".dist-info", ".egg-info")):
                texts.append(read_at_once(os.path.join(folder, name, "entry_points.txt")).decode("utf-8", "replace"))
            elif name.endswith(".egg"):
                return None
    return texts


def _is_usual(finder: object) -> bool:
    return getattr(finder, "__module__", "") == "_frozen_importlib_external"


def read_at_once(path: str) -> bytes:
    """Return what a small file holds, and nothing where it cannot be read; for a FIFO's writer nobody waits."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _MOST_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _names_below(heading: str, text: str) -> set[str]:
    names: set[str] = set()
    inside = False
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped == heading
        elif inside and "=" in stripped and not stripped.startswith(("#", ";")):
            names.add(stripped.partition("=")[0].strip())
    return names
