"""``sys.path`` to the names of a group of entry points, read from their files.

``importlib.metadata`` says the same and more, and costs three interpreter starts to import; most programs have no entry
point of the group that is asked for.
"""

import os
import sys

_MOST_BYTES = 2**20
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # neither of which every system has


Point = tuple[str, str, str | None, str | None]
"""Name and value of an entry point; the name of the distribution that has it, and its version."""


def entry_point_names(group: str) -> set[str] | None:
    """Return the names of a group's entry points; ``None`` where only ``importlib.metadata`` can tell.

    That is where something on ``sys.path`` is no folder, or something on ``sys.meta_path`` finds distributions elsewhere.
    """
    texts = _texts()
    if texts is None:
        return None
    heading = f"[{group}]"
    return {name for _, text in texts if heading in text for group, name, _ in _lines_of(text) if group == heading}


def declared_groups(prefix: str) -> set[str] | None:
    """Return the groups that begin with ``prefix`` and have entry points; ``None`` as :func:`entry_point_names`."""
    texts = _texts()
    if texts is None:
        return None
    begin = f"[{prefix}"
    lines = (line.strip() for _, text in texts if begin in text for line in text.splitlines())
    return {line[1:-1] for line in lines if line.startswith(begin) and line.endswith("]")}


def entry_points_of(group: str) -> list[Point] | None:
    """Return the entry points of a group; ``None`` as :func:`entry_point_names`, and where a file of theirs is not plain."""
    texts = _texts()
    if texts is None:
        return None
    heading = f"[{group}]"
    seen: set[str] = set()
    points: list[Point] = []
    for path, text in texts:
        # Of two of one name the first on sys.path is the one that is installed.
        stem = os.path.basename(path).rpartition(".")[0].partition("-")[0]
        known = "_".join(part for part in stem.lower().replace("-", "_").replace(".", "_").split("_") if part)
        if known in seen:
            continue
        seen.add(known)
        if "\ufffd" in text or (not text and os.path.lexists(os.path.join(path, "entry_points.txt"))):
            return None
        if heading not in text:
            continue
        name, version = _name_and_version(path)
        lines = _lines_of(text)
        if not name or any(not key or not value for _, key, value in lines):
            return None
        points += [(key, value, name, version) for above, key, value in lines if above == heading]
    return points


def _name_and_version(path: str) -> tuple[str | None, str | None]:
    """Return what a distribution says that it is, as far as its file shows it plainly."""
    content = read_at_once(os.path.join(path, "METADATA")) or read_at_once(os.path.join(path, "PKG-INFO"))
    said: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        if not line.strip():
            break
        key, colon, value = line.partition(":")
        if line[0] in " \t":
            continue  # the line before goes on
        if not colon or not key.isascii() or len(key.split()) != 1 or key[-1].isspace():
            return None, None
        said.setdefault(key.lower(), value.strip())
    return said.get("name"), said.get("version") or None


def _texts() -> list[tuple[str, str]] | None:
    """Return the folder of each installed distribution, with what it says of its entry points."""
    if any(hasattr(finder, "find_distributions") and not _is_usual(finder) for finder in sys.meta_path):
        return None
    texts: list[tuple[str, str]] = []
    for folder in sys.path:
        try:
            found = os.listdir(folder or ".")
        except FileNotFoundError:
            continue
        except OSError:
            return None
        for name in found:
            if name.endswith((".dist-info", ".egg-info")):
                path = os.path.join(folder, name)
                content = read_at_once(os.path.join(path, "entry_points.txt"))
                texts.append((path, content.decode("utf-8", "replace")))
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


def _lines_of(text: str) -> list[tuple[str, str, str]]:
    """Return heading, name and value of each line; without a value where it says none."""
    lines = []
    heading = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            heading = line
        elif line and not line.startswith("#") and heading:
            name, _, value = line.partition("=")
            lines.append((heading, name.strip(), value.strip()))
    return lines
