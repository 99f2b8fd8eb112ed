"""A zip file to a tree of source files; nothing is extracted."""

import os
import zlib
from errno import EIO, ENOENT
from typing import Protocol, cast
from zipfile import BadZipFile, ZipFile, ZipInfo
from zipfile import Path as ZipPath

from plugline.discovery.candidates import FileCandidate, Found
from plugline.discovery.finders import find_in_tree
from plugline.discovery.trees import Tree, shown_path
from plugline.files import MAX_SOURCE_BYTES, SourceFile
from plugline.findings import Finding, Place
from plugline.names import module_part

_DAMAGES = (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error)
"""What reading an archive raises besides errors of the system; a password that is missing is a ``RuntimeError``."""


class Resources(Protocol):
    """What ``importlib.resources`` asks a package's loader for."""

    def files(self) -> ZipPath:
        """Return the package's folder."""


class ZipTree:
    """A folder of a zip file, or of a zip application.

    The list of its files is kept as long as the archive is the same by time, size and inode. What is read of a file
    is checked against its checksum.

    Args:
        inside: The folder in it, with ``/``; empty for all of it.
    """

    __slots__ = ("_folders", "_inside", "_path", "_seen", "_status", "real", "shown")

    def __init__(self, path: str, inside: str = "") -> None:
        self._path = os.path.abspath(path)
        self._inside = inside.strip("/")
        self.shown = os.path.join(path, *self._inside.split("/")) if self._inside else path
        self.real = os.path.join(self._path, *self._inside.split("/")) if self._inside else self._path
        self._seen: dict[str, ZipInfo] = {}
        self._folders: dict[str, dict[str, bool]] = {}
        self._status: tuple[int, int, int] | None = None

    @property
    def archive(self) -> str:
        """The absolute path of the archive."""
        return self._path

    def names(self, folder: str = "") -> list[tuple[str, bool]] | Finding:
        """See :class:`~plugline.discovery.trees.Tree`."""
        problem = self._look()
        if problem is not None:
            return problem
        names = self._folders.get(self._key(folder))
        if names is None and self._inside and not folder:
            hint = "name one that it holds with inside="
            return Finding("P110", f"holds no folder {self._inside!r}", Place(self._path), hint=hint)
        return sorted((names or {}).items())

    def read(self, relative: str) -> SourceFile | Finding:
        """See :class:`~plugline.discovery.trees.Tree`."""
        place = Place(shown_path(self, relative))
        problem = self._look()
        if problem is not None:
            return Finding("P101", f"cannot be read: {problem.message}", place)
        found = self._seen.get(self._key(relative))
        if found is None:
            return Finding("P101", "cannot be read: the archive holds no such file", place)
        if found.file_size > MAX_SOURCE_BYTES:
            message = f"is {found.file_size:,} bytes long, at most {MAX_SOURCE_BYTES:,} are read"
            return Finding("P104", message, place, hint="move data out of the code, into a file that the plugin opens")
        try:
            return SourceFile(place.path, _content(self._path, found))
        except (OSError, *_DAMAGES) as error:
            return Finding("P101", f"cannot be read: {error}", place, hint="make the archive again")

    def is_file(self, relative: str) -> bool:
        """See :class:`~plugline.discovery.trees.Tree`."""
        return self._look() is None and self._key(relative) in self._seen

    def resources(self, folder: str) -> Resources:
        """Return what reads the data files beside a package's modules."""
        path, at = self._path, self._key(folder)

        class Reader:
            def files(self) -> ZipPath:
                return ZipPath(path, f"{at}/" if at else "")

        return Reader()

    def data(self, path: str) -> bytes:
        """Return the content of a file of any size, by the absolute path that it would have if the archive were a folder.

        Raises:
            OSError: The archive holds no such file, or cannot be read.
        """
        inside = os.path.relpath(path, self._path).replace(os.sep, "/")
        try:
            with ZipFile(self._path) as archive:
                return archive.read(inside)
        except KeyError:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), path) from None
        except _DAMAGES as error:
            raise OSError(EIO, str(error), path) from error

    def _key(self, relative: str) -> str:
        return "/".join(part for part in (self._inside, relative) if part)

    def _look(self) -> Finding | None:
        """Make sure that what is known of the archive is how it is now."""
        place = Place(self._path)
        try:
            status = os.stat(self._path)
            now = (status.st_mtime_ns, status.st_size, status.st_ino)
            if now != self._status:
                with ZipFile(self._path) as archive:
                    self._take(archive.infolist())
                self._status = now
        except FileNotFoundError:
            hint = "put it there, or mend its name where the program names it"
            return Finding("P110", "this zip file does not exist", place, hint=hint)
        except (OSError, *_DAMAGES) as error:
            return Finding("P110", f"is no zip file that can be read: {error}", place, hint="make the archive again")
        return None

    def _take(self, infos: list[ZipInfo]) -> None:
        self._seen, self._folders = {}, {"": {}}
        for info in infos:
            parts = info.filename.rstrip("/").split("/")
            if any(part in ("", ".", "..") for part in parts):
                continue  # a name that leads elsewhere, or nowhere
            for depth in range(len(parts)):
                is_folder = depth < len(parts) - 1 or info.is_dir()
                self._folders.setdefault("/".join(parts[:depth]), {})[parts[depth]] = is_folder
            if info.is_dir():
                self._folders.setdefault("/".join(parts), {})
            else:
                self._seen["/".join(parts)] = info


_LOCAL_HEADER_BYTES = 30


def _content(path: str, info: ZipInfo) -> bytes:
    """Read one file of at most ``MAX_SOURCE_BYTES`` without reading the archive's directory again.

    Raises:
        BadZipFile: What is there is not what the directory says.
    """
    if info.compress_type not in (0, 8) or info.flag_bits & 1:
        with ZipFile(path) as archive, archive.open(info.filename) as stream:
            return stream.read(MAX_SOURCE_BYTES)
    with open(path, "rb") as stream:
        stream.seek(info.header_offset)
        header = stream.read(_LOCAL_HEADER_BYTES)
        if header[:4] != b"PK\x03\x04" or len(header) < _LOCAL_HEADER_BYTES:
            raise BadZipFile("the archive changed, or is damaged")
        stream.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR)
        content = stream.read(min(info.compress_size, 2 * MAX_SOURCE_BYTES))
    if info.compress_type:
        content = zlib.decompressobj(-15).decompress(content, MAX_SOURCE_BYTES)
    if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
        raise BadZipFile("its checksum is wrong")
    return content


class Zip:
    """The plugins in a zip file or a zip application, which is not extracted.

    What is a plugin in it is as in a :class:`~plugline.Folder`.

    Args:
        path: The archive; it need not exist yet.
        inside: The folder in it that holds the plugins; by default the root of the archive.
        nested, packages: As for a :class:`~plugline.Folder`.
    """

    def __init__(
        self, path: str | os.PathLike[str], inside: str = "", *, nested: bool = False, packages: bool = True
    ) -> None:
        self.path = os.fspath(path)
        self.inside = inside.strip("/")
        self.nested, self.packages = nested, packages
        self.tree: Tree | None = ZipTree(self.path, self.inside)

    @property
    def namespace(self) -> str | None:
        """The last part of the folder's name, or that of the archive."""
        stem = os.path.splitext(os.path.basename(self.path))[0]
        return module_part(self.inside.rpartition("/")[2] or stem) or "plugins"

    def __repr__(self) -> str:
        return f"Zip({self.path!r}, inside={self.inside!r})"

    def find(self) -> Found:
        """See :class:`~plugline.discovery.finders.Finder`."""
        tree = cast(Tree, self.tree)
        found = find_in_tree(tree, nested=self.nested, packages=self.packages)
        deeper = find_in_tree(tree, nested=True, packages=self.packages).candidates if found == Found() else ()
        if not deeper:
            return found
        folder = cast(FileCandidate, deeper[0]).entry.removesuffix("/__init__.py").rpartition("/")[0]
        inside = f"{self.inside}/{folder}".strip("/")
        hint = f"name that folder: Zip(..., inside={inside!r})"
        return Found(
            findings=(Finding("P110", f"holds no plugin, its folder {folder!r} does", Place(self.path), hint),)
        )
