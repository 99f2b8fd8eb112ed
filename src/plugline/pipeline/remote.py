"""Addresses with a scheme (``s3://bucket/orders.csv``) to files that can be read and written, by way of fsspec."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol, cast
from zlib import crc32

from plugline.findings import apart

_SCHEME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789+.-")
_BLOCK_BYTES = 4 * 2**20  # what is fetched at a time: fsspec's 5 MB would do as well, 64 KiB is ten times slower
_SILENT_SECONDS = 300.0  # what aiohttp gives a server for all of an answer
_WEB = ("http://", "https://")
_MAGIC = frozenset("*?[")
_STORES = frozenset({"abfs", "abfss", "az", "gcs", "gs", "s3", "s3a"})  # an address there begins with a bucket
# What the file systems of fsspec tell of a version of a file: those of the web and S3, of Google and Azure, of SFTP.
_TELLING = ("ETag", "Content-MD5", "Digest", "Last-Modified", "LastModified", "md5Hash", "etag", "mtime")


class _FileSystem(Protocol):
    """What is used of ``fsspec.AbstractFileSystem``."""

    def open(self, path: str, mode: str, *, block_size: int) -> BinaryIO: ...
    def glob(self, path: str) -> list[str]: ...
    def ls(self, path: str, *, detail: bool) -> list[dict[str, object]]: ...
    def isdir(self, path: str) -> bool: ...
    def info(self, path: str) -> dict[str, object]: ...
    def put_file(self, lpath: str, rpath: str) -> None: ...
    def unstrip_protocol(self, name: str) -> str: ...


def has_scheme(path: str) -> bool:
    """Whether a path is an address such as ``s3://bucket/key``, and no file of this machine by its bare path."""
    scheme, colon, _ = path.partition("://")
    return bool(colon) and scheme[:1].isalpha() and _SCHEME_CHARACTERS.issuperset(scheme.lower())


def is_file_address(path: str) -> bool:
    """Whether a path is the address of a file: some lead to databases, which formats open themselves."""
    from importlib.util import find_spec  # as below

    if not has_scheme(path) or find_spec("fsspec") is None:
        return False
    from fsspec import available_protocols  # as below

    return path.partition("://")[0].lower() in available_protocols()


def without_query(path: str) -> str:
    """Return an address as far as its suffix tells the format: what follows ``?`` or ``#`` is the server's affair."""
    return path.partition("?")[0].partition("#")[0] if path.startswith(_WEB) else path


def without_secret(path: str) -> str:
    """Return an address as messages, reports and dead letters may show it: the password is left out."""
    if not has_scheme(path):
        return path
    from urllib.parse import urlsplit, urlunsplit  # for an address only: it brings ipaddress

    try:
        parts = urlsplit(path)
        if parts.password is None:
            return path
    except ValueError:
        return path
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))


def expand_address(path: str) -> list[str]:
    """Return the files that an address names, sorted: one file, those of a folder, or those that match a pattern.

    Raises:
        OSError: There is nothing, or it cannot be asked for.
        ValueError: No file system is known for the scheme, or a package for it is missing.
    """
    system, inner = _file_system(path)
    # An address of the web is taken as it is: a '?' begins its query, and most servers list nothing.
    if path.startswith(_WEB):
        return [path]
    with _told_as_os_error(path):
        if _MAGIC.intersection(inner):
            found = sorted(system.glob(inner))
            nothing = "no file matches"
        elif system.isdir(inner):
            entries = system.ls(inner, detail=True)
            names = sorted(str(entry["name"]) for entry in entries if entry.get("type") == "file")
            found = [name for name in names if not name.rpartition("/")[2].startswith(".")]
            nothing = "the folder holds no files"
        else:
            system.info(inner)
            return [path]
        if not found:
            raise FileNotFoundError(errno.ENOENT, nothing, path)
        return [system.unstrip_protocol(name) for name in found]


@contextmanager
def open_address(path: str) -> Iterator[BinaryIO]:
    """Open a file at an address for reading, as it is there.

    Raises:
        OSError: It cannot be read, also later while reading; the address is named.
        ValueError: No file system is known for the scheme, or a package for it is missing.
    """
    system, inner = _file_system(path)
    with _told_as_os_error(path):
        stream = system.open(inner, "rb", block_size=_BLOCK_BYTES)
        if path.startswith(_WEB) and not seeks(stream):
            stream = system.open(inner, "rb", block_size=0)  # whole, as this server gives files
    with stream:
        yield stream


def seeks(stream: BinaryIO) -> bool:
    """Whether a stream can be read from any place; a file of the web says so before its server was asked for a part."""
    if not stream.seekable():
        return False
    at = stream.tell()
    try:
        stream.seek(max(stream.seek(0, os.SEEK_END) - 1, 0))
        stream.read(1)
    except Exception:  # noqa: BLE001 - each file system has errors of its own, and what is wrong is told by a read
        return False
    finally:
        stream.seek(at)
    return True


def size_of_address(path: str) -> int | None:
    """Return how many bytes a file at an address has, ``None`` where that is not told."""
    try:
        system, inner = _file_system(path)
        size = system.info(inner).get("size")
    except Exception:  # noqa: BLE001 - each file system has errors of its own, and a size is a courtesy
        return None
    return size if isinstance(size, int) else None


def identity_of_address(path: str) -> tuple[int, int, int] | None:
    """Return what tells whether a file at an address is still the same, ``None`` where nothing does."""
    try:
        system, inner = _file_system(path)
        info = system.info(inner)
    except Exception:  # noqa: BLE001 - as above
        return None
    size = info.get("size")
    told = repr([str(info[key]) for key in _TELLING if info.get(key)])
    return crc32(told.encode()), size if isinstance(size, int) else -1, 0


def put_at_address(file: str, path: str) -> None:
    """Copy a finished local file to an address.

    An object store shows it when it is whole; what other servers show meanwhile is theirs to say.

    Raises:
        OSError: It could not be written.
        ValueError: No file system is known for the scheme, or a package for it is missing.
    """
    system, inner = _file_system(path)
    with _told_as_os_error(path):
        system.put_file(file, inner)


def problems_at_address(path: str) -> Iterator[tuple[str, str]]:
    """Yield what is sure to keep a file from being put at an address, as far as nobody is asked: message and hint."""
    try:
        _file_system(path)
    except ValueError as error:
        said, hint = apart(str(error))
        yield said, hint or "name a file, or an address that can be written to"


def bucket_of(path: str) -> str | None:
    """Return what holds all files of a store, which must be there before one is put into it: ``s3://bucket``."""
    scheme, _, inner = path.partition("://")
    return f"{scheme}://{inner.partition('/')[0]}" if has_scheme(path) and scheme.lower() in _STORES else None


def is_missing(bucket: str) -> bool:
    """Whether a store says that it has no such bucket; where it does not answer, that takes all the time that it is given."""
    try:
        system, inner = _file_system(bucket)
        system.info(inner)
    except FileNotFoundError:
        return True
    except Exception:  # noqa: BLE001 - who may write there need not be allowed to ask
        return False
    return False


# What fsspec needs for an address, by its scheme: its own messages do not say it in a way that can be pasted.
_PACKAGES = {
    "abfs": "adlfs",
    "az": "adlfs",
    "gcs": "gcsfs",
    "gs": "gcsfs",
    "http": "aiohttp requests",
    "https": "aiohttp requests",
    "s3": "s3fs",
    "sftp": "paramiko",
    "ssh": "paramiko",
}


def _file_system(path: str) -> tuple[_FileSystem, str]:
    from importlib.util import find_spec  # as below

    if find_spec("fsspec") is None:
        raise ValueError(f"{without_secret(path)!r} needs the package 'fsspec'\n  hint: pip install 'plugline[tool]'")
    # Imported for an address only: it costs more than a short run.
    from fsspec.core import url_to_fs

    try:
        more: dict[str, object] = {}
        if path.startswith(_WEB):
            from aiohttp import ClientTimeout

            # A file that is given whole is read as long as the run lasts.
            more["client_kwargs"] = {"timeout": ClientTimeout(total=None, sock_read=_SILENT_SECONDS)}
        system, inner = url_to_fs(path, **more)
    except ImportError as error:
        scheme = path.partition("://")[0].lower()
        way = _PACKAGES.get(scheme) or error.name
        hint = f"pip install {way}" if way else "install what fsspec asks for"
        raise ValueError(f"{without_secret(path)!r} cannot be opened: {error}\n  hint: {hint}") from error
    except ValueError as error:
        raise ValueError(f"{without_secret(path)!r} cannot be opened: {error}") from error
    return cast("_FileSystem", system), cast("str", inner)


@contextmanager
def _told_as_os_error(path: str) -> Iterator[None]:
    """Let one kind of error out, which names the address: each file system has kinds of its own."""
    shown = without_secret(path)
    try:
        yield
    except FileNotFoundError as error:
        said = error.strerror or f"{_why_not_there(error.__cause__)}\n  hint: mend the address, or put the file there"
        raise FileNotFoundError(errno.ENOENT, said, shown) from error
    except OSError as error:
        said = error.strerror or _first_line(error)
        raise OSError(error.errno or errno.EIO, said, shown) from error
    except Exception as error:
        raise OSError(errno.EIO, f"{type(error).__name__}: {_first_line(error)}", shown) from error


def _why_not_there(cause: BaseException | None) -> str:
    """Return what is wrong with an address that its file system calls missing, which may be the way to it."""
    status = getattr(cause, "status", None)
    if isinstance(status, int):
        # Not str(cause), which tells the whole address, a password included.
        return f"the server answered {status} ({getattr(cause, 'message', '')})"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return "there is no such file"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
