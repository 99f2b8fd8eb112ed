"""The manifest of an output in parts: which files of a folder are the output, in order."""

import errno
import os
from collections.abc import Mapping
from typing import cast

# Readers of other makers (Arrow, Dask, Spark) leave out files whose names begin with an underscore or a dot.
MANIFEST = "_manifest.json"
VERSION = 1
_KIND = "plugline_manifest"
_BEGIN = b'{"plugline_manifest":'  # of each manifest, so that others of this name are not read whole to be told apart


def part_name(index: int, suffix: str) -> str:
    """Return the name of the part of a split: the names of a million parts are in order."""
    return f"part-{index:06}{suffix}"


def manifest_head(head: Mapping[str, object]) -> bytes:
    """Return what a manifest begins with; its parts follow, one a line with commas between, then :data:`END`."""
    import orjson  # noqa: PLC0415 - where there is a manifest

    text = orjson.dumps({_KIND: VERSION, **head})
    return text[:-1] + b',"parts":[\n'


END = b"\n]}\n"


def is_manifest(path: str) -> bool:
    """Whether a file is a manifest of ours."""
    try:
        with open(path, "rb") as file:
            return file.read(len(_BEGIN)) == _BEGIN
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
    import orjson  # noqa: PLC0415 - as above

    with open(path, "rb") as file:
        try:
            manifest = orjson.loads(file.read())
        except ValueError as error:
            raise ValueError(f"the manifest {path!r} is broken: {error}") from None
    if manifest[_KIND] != VERSION:
        raise ValueError(f"the manifest {path!r} has the form {manifest[_KIND]!r}, which this plugline does not know")
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
