"""The files below one root, on disk or carried in memory, under relative paths with ``/``."""

import os
import sys

from plugline.typed import TYPE_CHECKING, CodeType, Mapping, Protocol

if TYPE_CHECKING:
    # Files and findings are imported where one is read or made: a listing that is remembered does neither.
    from plugline.files import SourceFile
    from plugline.findings import Finding


_FOLDS_CASE = sys.platform in ("win32", "darwin", "cygwin")  # by default


class Tree(Protocol):
    """A folder of source files.

    Attributes:
        shown: The root as messages show it.
        real: The absolute root, from which ``__file__`` is made.
    """

    shown: str
    real: str

    def names(self, folder: str = "") -> "list[tuple[str, bool]] | Finding":
        """Return the entries of a folder, sorted, each with whether it is a folder itself."""

    def read(self, relative: str) -> "SourceFile | Finding":
        """Read one file whole, or say why it cannot be."""

    def is_file(self, relative: str) -> bool:
        """Whether there is anything but a folder under this path."""


def shown_path(tree: Tree, relative: str) -> str:
    """Return the path of a file of the tree as messages show it."""
    return _joined(tree.shown, relative)


def real_path(tree: Tree, relative: str) -> str:
    """Return the absolute path of a file of the tree."""
    return _joined(tree.real, relative)


def _joined(root: str, relative: str) -> str:
    if not relative:
        return root
    if os.sep != "/":
        return os.path.join(root, *relative.split("/"))
    # As os.path.join does, in a quarter of the time: paths are made several times for each plugin.
    return f"{root}/{relative}" if root and root[-1] != "/" else root + relative


class DiskTree:
    """A folder on disk.

    Args:
        folder: Its path, as messages show it.
        real: Its absolute path, by default what it is now: a later ``chdir`` changes nothing.
    """

    __slots__ = ("looked", "real", "shown")

    def __init__(self, folder: str, real: str | None = None) -> None:
        self.shown = folder
        self.real = real if real is not None else os.path.abspath(folder)
        self.looked: Looked | None = None
        """Where what a finder looks at is noted, while somebody wants to know."""

    def names(self, folder: str = "") -> "list[tuple[str, bool]] | Finding":
        """See :class:`Tree`. A link is taken for what it leads to."""
        from plugline.findings import Finding, Place
        from plugline.names import nearest_file, shell_word

        place = Place(shown_path(self, folder))
        try:
            if self.looked is not None:
                self.looked.folders[folder] = os.stat(real_path(self, folder))
            with os.scandir(real_path(self, folder)) as entries:
                # Sorted, because the order of a directory listing differs between machines, and with it
                # which of two clashing plugins is refused.
                return sorted((entry.name, self._is_folder(entry)) for entry in entries)
        except FileNotFoundError:
            near = nearest_file(place.path)
            meant = f"did you mean {near!r}? else " if near is not None and os.path.isdir(near) else ""
            hint = f"{meant}create it: mkdir -p {shell_word(place.path)}"
            if place.path.startswith("~"):
                hint = f"'~' is not expanded: os.path.expanduser({place.path!r})"
            return Finding("P110", "this plugin folder does not exist", place, hint=hint)
        except NotADirectoryError:
            hint = "name the folder that it is in; a program may give the file itself, with plugline.File"
            return Finding("P110", "a folder was expected, this is a file", place, hint=hint)
        except OSError as error:
            way = f"allow it: chmod u+rx {shell_word(place.path)}" if isinstance(error, PermissionError) else None
            return Finding("P110", f"the folder cannot be read: {error.strerror or error}", place, hint=way)

    def read(self, relative: str) -> "SourceFile | Finding":
        """See :class:`Tree`."""
        from plugline.files import SourceFile, read_source
        from plugline.findings import Finding, Place

        found = read_source(real_path(self, relative), within=self.real)
        shown = shown_path(self, relative)
        if isinstance(found, Finding):
            return Finding(found.code, found.message, Place(shown), hint=found.hint)
        return SourceFile(shown, found.content)

    def is_file(self, relative: str) -> bool:
        """See :class:`Tree`."""
        path = real_path(self, relative)
        found = os.path.lexists(path) and not os.path.isdir(path) and (not _FOLDS_CASE or self._is_spelled_so(relative))
        if self.looked is not None:
            self.looked.files[relative] = found
        return found

    def _is_spelled_so(self, relative: str) -> bool:
        """Whether the names on the way to a file are in this case: what is imported here is imported everywhere."""
        from plugline.names import composed  # where case counts by itself, nobody asks

        folder = self.real
        for name in relative.split("/"):
            try:
                there = os.listdir(folder)
            except OSError:
                return False
            if name not in there and composed(name) not in map(composed, there):
                return False
            folder = os.path.join(folder, name)
        return True

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            if self.looked is not None and entry.is_symlink():
                self.looked.links = True
            return entry.is_dir()
        except OSError:
            return False  # a link that leads to itself, or to where nobody may look; reading it says so


class Looked:
    """What a finder looked at: while none of it changes, it would find the same again.

    Attributes:
        folders: Those whose entries it took, each with its status from before.
        files: Paths of which it asked whether a file is there, each with the answer.
        links: Whether there were links, behind which things change that no folder's status shows.
    """

    __slots__ = ("files", "folders", "links")

    def __init__(self) -> None:
        self.folders: dict[str, os.stat_result] = {}
        self.files: dict[str, bool] = {}
        self.links = False


class MemoryTree:
    """Files that travel as data: what a plan carries to where it runs.

    Args:
        shown: The root that the files came from, for messages and tracebacks.
        files: Contents by relative path.

    Attributes:
        codes: What was compiled to be looked at, by relative path; whoever runs it takes it away. It needs no index: who has
            such a tree runs nearly all that is in it.
    """

    __slots__ = ("_files", "codes", "real", "shown")

    def __init__(self, shown: str, files: Mapping[str, bytes]) -> None:
        self.shown = shown
        self.real = os.path.abspath(shown)
        self._files = dict(files)
        self.codes: dict[str, CodeType] = {}

    def names(self, folder: str = "") -> "list[tuple[str, bool]] | Finding":
        """See :class:`Tree`."""
        prefix = f"{folder}/" if folder else ""
        inside = [path[len(prefix) :] for path in self._files if path.startswith(prefix)]
        return sorted({(path.partition("/")[0], "/" in path) for path in inside})

    def read(self, relative: str) -> "SourceFile | Finding":
        """See :class:`Tree`."""
        from plugline.files import SourceFile
        from plugline.findings import Finding, Place

        shown = shown_path(self, relative)
        content = self._files.get(relative)
        if content is None:
            return Finding("P101", "was not carried along with its plugin", Place(shown))
        return SourceFile(shown, content)

    def is_file(self, relative: str) -> bool:
        """See :class:`Tree`."""
        return relative in self._files
