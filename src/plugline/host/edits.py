"""A TOML file to the same file with other names of disabled plugins in it."""

import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from json import dumps
from tempfile import gettempdir
from time import sleep

from plugline.clock import monotonic_seconds
from plugline.descriptors import AS_BYTES, READING, lock_at_once
from plugline.errors import ConfigurationError
from plugline.files import short_digest_of, way_to_write
from plugline.findings import Finding
from plugline.host.store import KEY, line_of, names_in, text_of, unusable
from plugline.replacing import replace_file

_NEW = "# Plugins that are not used; `plugline enable NAME` takes one out.\n"


def change_names(path: str, change: Callable[[list[str]], list[str]]) -> None:
    """Read a file, change the names in it and put it in the old one's place, so that no two writers lose a change.

    Raises:
        ConfigurationError: It cannot be understood, or cannot be written.
    """
    real = os.path.realpath(path)
    try:
        with locked_folder(real):
            text = text_of(path)
            found = ([], None) if text is None else names_in(text, path) if isinstance(text, str) else text
            if isinstance(found, Finding):
                raise ConfigurationError([found])
            names = change(list(found[0]))
            if names != found[0]:
                replace_file(real, _edited(text if isinstance(text, str) else _NEW, names, path).encode())
    except UnicodeEncodeError as error:
        odd = next(name for name in names if not _is_text(name))
        message = f"cannot hold {odd!r}, which is not UTF-8"
        raise ConfigurationError([unusable(path, message, None, "no plugin is called so: rename its file")]) from error
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        raise ConfigurationError([unusable(path, message, None, way_to_write(error))]) from error


def _is_text(name: str) -> bool:
    return name == name.encode("utf-8", "replace").decode()


@contextmanager
def locked_folder(path: str) -> Iterator[None]:
    """Keep other writers of a file out: by a lock on the folder itself, so that no file is left beside what it guards."""
    folder = os.path.dirname(path)
    if sys.platform == "win32":
        # Folders are not opened there; a file elsewhere stands for it.
        name = f"plugline-{short_digest_of(os.fsencode(os.path.normcase(folder)))}.lock"
        descriptor = os.open(os.path.join(gettempdir(), name), os.O_RDWR | os.O_CREAT | AS_BYTES)

        def lock() -> None:
            lock_at_once(descriptor)
    else:
        from fcntl import LOCK_EX, LOCK_NB, flock  # is not there on Windows

        descriptor = os.open(folder, READING)

        def lock() -> None:
            flock(descriptor, LOCK_EX | LOCK_NB)

    try:
        _wait_locked(lock, path, descriptor)
        yield
    finally:
        os.close(descriptor)


def _wait_locked(lock: Callable[[], None], path: str, descriptor: int) -> None:
    """Take a lock that other writers of a file may hold for a moment each.

    Raises:
        TimeoutError: It was held for all of ``_LOCK_SECONDS``, and the file was not written meanwhile; or for all of
            ``_MOST_SECONDS``.
    """
    written: tuple[int, int] | None = None
    begin = since = monotonic_seconds()
    while True:
        try:
            lock()
        except (BlockingIOError, PermissionError):  # PermissionError is what Windows says
            before, written, now = written, _stamp(path), monotonic_seconds()
            if written != before:
                since = now
            if now - since >= _LOCK_SECONDS or now - begin >= _MOST_SECONDS:
                held = now - (since if now - begin < _MOST_SECONDS else begin)
                raise TimeoutError(f"{_holder(descriptor)} has kept its folder locked for {held:.0f} seconds") from None
            sleep(0.01)
        else:
            return


_LOCK_SECONDS = 10.0  # writing takes a millisecond; whoever holds it longer does not mean to let go
_MOST_SECONDS = 300.0  # thirty of them, one after the other


def _stamp(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _holder(descriptor: int) -> str:
    """Return who holds the lock on a file, where the system tells."""
    found = os.fstat(descriptor)
    with suppress(OSError), open("/proc/locks", encoding="ascii") as locks:
        for _, kind, _, _, process, file, *_ in map(str.split, locks):
            if kind == "FLOCK" and file.endswith(f":{found.st_ino}"):
                return f"process {process}"
    return "another program"


def _edited(text: str, names: Sequence[str], path: str) -> str:
    """Return the text with other names, and all else as it was.

    Raises:
        ConfigurationError: It is written in a way that this cannot do.
    """
    newlines = text.count("\n")
    if newlines and text.count("\r\n") == newlines:
        return _edited(text.replace("\r\n", "\n"), names, path).replace("\n", "\r\n")
    data = tomllib.loads(text)
    wanted = {**data, KEY: list(names)}
    line = line_of(text, KEY) if KEY in data else None  # another table may have a key of the name
    edited = next((one for one in _edits(text, data.get(KEY, []), names, line) if _says(one, wanted)), None)
    if edited is None:
        hint = f"write it there by hand: {_written(names)}"
        raise ConfigurationError([unusable(path, "is written in a way that cannot be changed here", line, hint)])
    return edited


def _edits(text: str, old: Sequence[str], names: Sequence[str], line: int | None) -> Iterator[str]:
    """Yield the text with other names, the way that keeps most of how it is written first; each may have gone wrong."""
    lines = text.split("\n")
    if line is None:
        # Before the first table: a key after it would belong to that.
        at = next((index for index, one in enumerate(lines) if one.lstrip().startswith("[")), len(lines))
        at = at - 1 if at == len(lines) and not lines[-1] else at
        yield "\n".join([*lines[:at], _written(names), *lines[at:]])
        return
    end = _end_of(lines, line)
    for value in (_in_place("\n".join(lines[line - 1 : end]), old, names), _written(names)):
        yield "\n".join([*lines[: line - 1], value, *lines[end:]])


def _says(text: str, wanted: Mapping[str, object]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except ValueError:
        return False


def _in_place(value: str, old: Sequence[str], new: Sequence[str]) -> str:
    """Return the line, or lines, of a list without the names that are gone and with those that came, and with its comments."""
    for name in old:
        if name not in new:
            value = _without(value, name)
    for name in new:
        if name not in old:
            value = _with(value, _quoted(name))
    return value


# A string of one line, or a comment: what stands between them in a list is space, commas and brackets.
_TOKEN = re.compile(r"""(?P<name>"(?:[^"\\\n]|\\.)*"|'[^'\n]*')|(?P<comment>\#[^\n]*)""")


def _names(value: str) -> list[tuple[str, int, int]]:
    """Return the names in a list, each with where it begins and ends."""
    begin = value.find("[") + 1
    found = [one for one in _TOKEN.finditer(value, begin) if one["name"]]
    return [(tomllib.loads(f"name = {one['name']}")["name"], *one.span()) for one in found]


def _without(value: str, name: str) -> str:
    begin, end = next(((begin, end) for one, begin, end in _names(value) if one == name), (0, 0))
    after = re.compile(r"[ \t]*,?[ \t]*").match(value, end)
    assert after is not None  # noqa: S101 - it matches anything
    line_begin = value.rfind("\n", 0, begin) + 1
    rest = re.compile(r"(?:\#[^\n]*)?\n").match(value, after.end())
    if line_begin and rest is not None and not value[line_begin:begin].strip():
        return value[:line_begin] + value[rest.end() :]  # a line of its own, whose comment is about it
    if "," in after[0]:
        return value[:begin] + value[after.end() :]
    return re.sub(r",[ \t\n]*$", "", value[:begin]) + value[end:]


def _with(value: str, quoted: str) -> str:
    names = _names(value)
    if not names:
        begin = value.find("[") + 1
        return value[:begin] + (f"\n    {quoted}," if "\n" in value else quoted) + value[begin:]
    _, begin, end = names[-1]
    line_begin = value.rfind("\n", 0, begin) + 1
    rest = re.compile(r"([ \t]*,)?([ \t]*(?:\#[^\n]*)?\n)").match(value, end)
    if rest is None:
        return f"{value[:end]}, {quoted}{value[end:]}"
    indent = re.match(r"[ \t]*", value[line_begin:])
    assert indent is not None  # noqa: S101 - it matches anything
    return f"{value[:end]},{rest[2]}{indent[0] if line_begin else '    '}{quoted},\n{value[rest.end() :]}"


def _end_of(lines: Sequence[str], line: int) -> int:
    """Return the line after the value that begins on a line, both counted from 0."""
    for end in range(line, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[line - 1 : end]))
        except ValueError:
            continue
        return end
    return line


def _written(names: Sequence[str]) -> str:
    quoted = [_quoted(name) for name in names]
    in_one = f"{KEY} = [{', '.join(quoted)}]"
    return in_one if len(in_one) <= 100 else "\n".join([f"{KEY} = [", *(f"    {one}," for one in quoted), "]"])


def _quoted(name: str) -> str:
    # JSON's strings are TOML's, but for characters beyond U+FFFF, which are left as they are.
    return dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
