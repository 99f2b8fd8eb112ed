"""The parts of a run to a folder of files with a manifest, put in place when all of them are there.

A part is written where its split runs, under a name that nobody else has (``.part-INDEX.RANDOM.tmp``), and gets its own
name when it is taken: a split that an engine runs twice, or whose process is killed, leaves such a file, which is swept.
All of it happens in a folder beside the output's place; that gets the output's name in one move.
"""

import os
from collections.abc import Iterator, Mapping
from shutil import copyfileobj, rmtree

import orjson

from plugline.descriptors import sync_file, sync_folder
from plugline.pipeline.aside import Aside, path_aside
from plugline.pipeline.streams import MANIFEST, MANIFEST_KIND, MANIFEST_VERSION
from plugline.records import Part

_LINES = ".parts"  # in the folder: what the manifest is made of
_TAKEN_MOST = 64  # files are synchronised singly; of more, the whole system is, by one call


class PartFolder(Aside):
    """An output in parts, with a line for each of them: those are its ``bytes``, after which it can be cut off.

    Attributes:
        part_bytes: How long they are together.

    Args:
        suffix: What the names of its files end with.
    """

    def __init__(self, path: str, suffix: str) -> None:
        super().__init__(path, "parts")
        self._folder = self.aside
        self._before = path_aside(path, "before")
        self._suffix = suffix
        self._unsynced: list[str] = []
        self.aside = os.path.join(self._folder, _LINES)
        self.count = 0
        self.part_bytes = 0

    def open(self, keep_bytes: int = 0) -> bool:
        """Open it with the parts of the first ``keep_bytes`` of its lines. Returns whether all of them were there.

        Raises:
            OSError: It cannot be written here.
        """
        self._put_back()
        if not keep_bytes:
            _remove(self._folder)
        try:
            os.makedirs(self._folder, exist_ok=True)
        except OSError as error:
            message = f"cannot write in the folder {os.path.dirname(self._folder)!r}: {os.strerror(error.errno or 0)}"
            raise OSError(error.errno, message, self.path) from error
        if not super().open(keep_bytes):
            return False
        kept = dict(self._lines())
        self.count, self.part_bytes = len(kept), sum(kept.values())
        for entry in [*os.scandir(self._folder)]:
            if entry.name != _LINES and kept.pop(entry.name, None) != entry.stat().st_size:
                os.unlink(entry.path)  # of the split that the run ended in
        return not kept

    def refuse_what_is_no_file(self) -> None:
        """Nothing: what is in its place was looked at when the run was planned."""

    def _lines(self) -> Iterator[tuple[str, int]]:
        with open(self.aside, "rb") as file:
            for line in file:
                part = orjson.loads(line.rstrip(b",\n"))
                yield part["path"], part["bytes"]

    def take(self, part: Part) -> None:
        """Give a part its own name, once however often its split was run.

        Raises:
            OSError: Its file is not there.
        """
        if part.path is not None:
            name = part_name(part.split.index, self._suffix)
            os.replace(part.path, os.path.join(self._folder, name))
            self._unsynced.append(name)

    def note(self, part: Part) -> None:
        """Note a part that was taken; in the order of the output."""
        line = orjson.dumps(
            {
                "path": part_name(part.split.index, self._suffix),
                "records": part.counts[-1].out if part.counts else 0,
                "bytes": part.bytes_on_disk,
                "sha256": part.digest,
            }
        )
        self.write([b",\n" + line if self.bytes else line])
        self.count += 1
        self.part_bytes += part.bytes_on_disk

    def finish(self, head: Mapping[str, object]) -> None:
        """Write the manifest, and sweep what nobody took; it is all on disk then."""
        for entry in [*os.scandir(self._folder)]:
            if entry.name.startswith(".part-"):
                os.unlink(entry.path)
        path = os.path.join(self._folder, MANIFEST)
        with open(f"{path}.tmp", "wb") as file:
            file.write(manifest_head(head))
            with open(self.aside, "rb") as lines:
                copyfileobj(lines, file)
            file.write(END)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.tmp", path)
        self.sync()
        sync_folder(self._folder)

    def sync(self) -> None:
        """Bring what was taken to disk."""
        names, self._unsynced = self._unsynced, []
        if len(names) > _TAKEN_MOST and hasattr(os, "sync"):
            os.sync()
            return
        for name in names:
            sync_file(os.path.join(self._folder, name))
        super().sync()

    def put_in_place(self) -> None:
        """Give the folder its name; what had that name is gone then. Nothing where it has it already."""
        self.close()
        if os.path.exists(self._folder):
            if os.path.exists(self.aside):
                os.unlink(self.aside)
            if os.path.exists(self._target):
                os.rename(self._target, self._before)
            os.rename(self._folder, self._target)
            sync_folder(os.path.dirname(self._target))
        _remove(self._before)

    def _put_back(self) -> None:
        """Undo half a move, or finish with a whole one."""
        if os.path.exists(self._before) and not os.path.exists(self._target):
            os.rename(self._before, self._target)
        _remove(self._before)

    def remove(self) -> None:
        """Remove it."""
        self.close()
        _remove(self._folder)


def _remove(folder: str) -> None:
    if os.path.isdir(folder):
        rmtree(folder)


def part_name(index: int, suffix: str) -> str:
    """Return the name of the part of a split: the names of a million parts are in order."""
    return f"part-{index:06}{suffix}"


def manifest_head(head: Mapping[str, object]) -> bytes:
    """Return what a manifest begins with; its parts follow, one a line with commas between, then :data:`END`."""
    text = orjson.dumps({MANIFEST_KIND: MANIFEST_VERSION, **head})
    return text[:-1] + b',"parts":[\n'


END = b"\n]}\n"
