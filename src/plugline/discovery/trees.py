"""The files below one root, on disk or carried in memory, under relative paths with ``/``."""

import os
from collections.abc import Mapping
from typing import Protocol

from plugline.files import SourceFile, read_source
from plugline.findings import Finding, Place


class Tree(Protocol):
    """A folder of source files.

    Attributes:
        shown: The root as messages show it.
        real: The absolute root, from which ``__file__`` is made.
    """

    shown: str
    real: str

    def names(self, folder: str = "") -> list[tuple[str, bool]] | Finding:
        """Return the entries of a folder, sorted, each with whether it is a folder itself."""

    def read(self, relative: str) -> SourceFile | Finding:
        """Read one file whole, or say why it cannot be."""

    def is_file(self, relative: str) -> bool:
        """Whether there is anything but a folder under this path."""


def shown_path(tree: Tree, relative: str) -> str:
    """Return the path of a file of the tree as messages show it."""
    return os.path.join(tree.shown, *relative.split("/")) if relative else tree.shown


def real_path(tree: Tree, relative: str) -> str:
    """Return the absolute path of a file of the tree."""
    return os.path.join(tree.real, *relative.split("/")) if relative else tree.real


class DiskTree:
    """A folder on disk. Its absolute path is fixed when it is made, so a later ``chdir`` changes nothing."""

    __slots__ = ("real", "shown")

    def __init__(self, folder: str) -> None:
        self.shown = folder
        self.real = os.path.abspath(folder)

    def names(self, folder: str = "") -> list[tuple[str, bool]] | Finding:
        """See :class:`Tree`. A link is taken for what it leads to."""
        place = Place(shown_path(self, folder))
        try:
            with os.scandir(real_path(self, folder)) as entries:
                # Sorted, because the order of a directory listing differs between machines, and with it
                # which of two clashing plugins is refused.
                return sorted((entry.name, _is_folder(entry)) for entry in entries)
        except FileNotFoundError:
            message = "this plugin folder does not exist"
            return Finding("P110", message, place, hint=f"create it: mkdir {place.path}")
        except NotADirectoryError:
            hint = "name the folder that it is in, or give the file itself with plugline.File"
            return Finding("P110", "a folder was expected, this is a file", place, hint=hint)
        except OSError as error:
            return Finding("P110", f"the folder cannot be read: {error.strerror or error}", place)

    def read(self, relative: str) -> SourceFile | Finding:
        """See :class:`Tree`."""
        found = read_source(real_path(self, relative), within=self.real)
        shown = shown_path(self, relative)
        if isinstance(found, Finding):
            return Finding(found.code, found.message, Place(shown), hint=found.hint)
        return SourceFile(shown, found.content)

    def is_file(self, relative: str) -> bool:
        """See :class:`Tree`."""
        path = real_path(self, relative)
        return os.path.lexists(path) and not os.path.isdir(path)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads to itself, or to where nobody may look; reading it says so


class MemoryTree:
    """Files that travel as data: what a plan carries to where it runs.

    Args:
        shown: The root that the files came from, for messages and tracebacks.
        files: Contents by relative path.
    """

    __slots__ = ("_files", "real", "shown")

    def __init__(self, shown: str, files: Mapping[str, bytes]) -> None:
        self.shown = shown
        self.real = os.path.abspath(shown)
        self._files = dict(files)

    def names(self, folder: str = "") -> list[tuple[str, bool]] | Finding:
        """See :class:`Tree`."""
        prefix = f"{folder}/" if folder else ""
        inside = [path[len(prefix) :] for path in self._files if path.startswith(prefix)]
        return sorted({(path.partition("/")[0], "/" in path) for path in inside})

    def read(self, relative: str) -> SourceFile | Finding:
        """See :class:`Tree`."""
        shown = shown_path(self, relative)
        content = self._files.get(relative)
        if content is None:
            return Finding("P101", "was not carried along with its plugin", Place(shown))
        return SourceFile(shown, content)

    def is_file(self, relative: str) -> bool:
        """See :class:`Tree`."""
        return relative in self._files
