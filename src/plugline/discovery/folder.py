"""A folder, or whatever else a host was given, to the finder of the plugins in it.

A listing of which all is remembered asks a folder only where it is: what looks into one is imported where that is done.
"""

import os

from plugline.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from plugline.discovery.candidates import Found
    from plugline.discovery.finders import Finder
    from plugline.discovery.trees import DiskTree

ARCHIVES = (".zip", ".pyz")
"""What names of archives end in; plugins in one are found as in a folder."""


class Folder:
    """The ``.py`` files and the packages of a folder, sorted by name.

    Names that begin with ``_`` or ``.`` are no plugins, but plugins may import them relatively. A folder without
    ``__init__.py`` is no plugin. File names need not be identifiers.

    Args:
        path: The folder; it need not exist yet.
        nested: Whether folders in it that are no plugins are looked into as well: ``sub/upper.py`` is ``sub.upper``.
        packages: Whether a folder with an ``__init__.py`` is a plugin. ``False`` takes it for a folder.

    Raises:
        ValueError: The path is empty.
    """

    def __init__(self, path: str | os.PathLike[str], *, nested: bool = False, packages: bool = True) -> None:
        self.path = os.fspath(path)
        if not self.path:
            # What a variable that is not set gives; the current folder is not what was meant by it.
            raise ValueError("the path of a plugin folder is empty; the current folder is '.'")
        self.real = os.path.abspath(self.path)  # as it is now: a later chdir changes nothing
        self.nested, self.packages = nested, packages
        self._tree: DiskTree | None = None

    @property
    def tree(self) -> "DiskTree":
        """The files in it."""
        if self._tree is None:
            from plugline.discovery.trees import DiskTree as Disk

            self._tree = Disk(self.path, self.real)
        return self._tree

    @property
    def namespace(self) -> str | None:
        """The folder's name."""
        from plugline.names import module_part  # asked for where a plugin is loaded

        return module_part(os.path.basename(self.real)) or "plugins"

    def __repr__(self) -> str:
        options = f"{', nested=True' if self.nested else ''}{'' if self.packages else ', packages=False'}"
        return f"Folder({self.path!r}{options})"

    def find(self) -> "Found":
        """See :class:`Finder`. Where ``PLUGLINE_ONLY`` is set, all but the candidates that it names are as if not there."""
        from plugline.discovery.finders import find_in_tree

        found = find_in_tree(self.tree, nested=self.nested, packages=self.packages)
        only = os.environ.get("PLUGLINE_ONLY")
        return found if only is None else _reduced(found, only.split("\n"))


def _reduced(found: "Found", names: list[str]) -> "Found":
    """Return what is left for a program that somebody else looks for a fault in, as ``plugline bisect`` does."""
    from plugline.discovery.candidates import Found

    candidates = [candidate for candidate in found.candidates if candidate.name in names]
    return Found(tuple(candidates), found.findings, found.refused)


def finder_for(place: object) -> "Finder":
    """Return the finder for what a host was given: a finder itself, or the path of a folder or a file.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(place, (str, os.PathLike)):
        path = os.fspath(place)
        if not isinstance(path, str):
            raise TypeError(f"{place!r} is a path of bytes, one of text was expected")
        if not path.endswith((".py", *ARCHIVES)) or os.path.isdir(path):
            return Folder(path)
        if path.endswith(".py"):
            # A path that ends in .py and is no folder is meant as a file, also when it is not there yet.
            from plugline.discovery.finders import File

            return File(path)
        # zipfile is imported for who has such a file.
        from plugline.discovery.archives import Zip

        return Zip(path)
    if hasattr(place, "find") and hasattr(place, "namespace"):
        return place  # type: ignore[return-value]  # what others implement is checked by having it
    several = "; several stand one after the other, Host(first, second)" if isinstance(place, (list, tuple)) else ""
    message = f"{place!r} is no place for plugins: a path or a finder such as plugline.Folder was expected{several}"
    raise TypeError(message)
