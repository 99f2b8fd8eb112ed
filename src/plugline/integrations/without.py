"""A folder of plugins to those of them that are no files of somebody else's."""

import os

from plugline.discovery.candidates import Found
from plugline.discovery.folder import Folder
from plugline.typed import Callable


class FolderWithout(Folder):
    """A folder some of whose files are no plugins.

    Args:
        path: The folder.
        is_other: Whether the plugin of this name would be such a file.
    """

    def __init__(self, path: str, is_other: Callable[[str], bool]) -> None:
        super().__init__(path)
        self._is_other = is_other

    def find(self) -> Found:
        """See :class:`plugline.discovery.finders.Finder`."""
        found = super().find()
        candidates = tuple(one for one in found.candidates if not self._is_other(one.name))
        return Found(candidates, found.findings, found.refused)


def has_others(path: str, is_other: Callable[[str], bool]) -> bool:
    """Whether there is such a file in a folder."""
    try:
        return any(is_other(name.removesuffix(".py")) for name in os.listdir(path))
    except OSError:
        return False  # the folder says so itself when it is looked into
