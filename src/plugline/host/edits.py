"""A TOML file to the same file with other names of disabled plugins in it."""

import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from json import dumps
from time import sleep

from plugline.clock import monotonic_seconds
from plugline.errors import ConfigurationError
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
        with _locked(os.path.dirname(real)):
            text = text_of(path)
            found = ([], None) if text is None else names_in(text, path) if isinstance(text, str) else text
            if isinstance(found, Finding):
                raise ConfigurationError([found])
            names = change(list(found[0]))
            if names != found[0]:
                replace_file(real, _edited(text if isinstance(text, str) else _NEW, names, path).encode())
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        raise ConfigurationError([unusable(path, message, None, "make its folder writable for you")]) from error


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Keep other writers out: by a lock on the folder itself, so that no file is left beside what it guards."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock  # noqa: PLC0415 - is not there on Windows
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _wait_locked(lambda: flock(descriptor, LOCK_EX | LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _wait_locked(lock: Callable[[], None]) -> None:
    """Take a lock that another writer may hold for a moment.

    Raises:
        TimeoutError: It was held for all of ``_LOCK_SECONDS``.
    """
    end = monotonic_seconds() + _LOCK_SECONDS
    while True:
        try:
            lock()
        except BlockingIOError:
            if monotonic_seconds() > end:
                message = f"another program has held its folder locked for {_LOCK_SECONDS:.0f} seconds"
                raise TimeoutError(message) from None
            sleep(0.01)
        else:
            return


_LOCK_SECONDS = 10.0  # writing takes a millisecond; whoever holds it longer does not mean to let go


def _edited(text: str, names: Sequence[str], path: str) -> str:
    """Return the text with other names, and all else as it was.

    Raises:
        ConfigurationError: It is written in a way that this cannot do.
    """
    wanted = {**tomllib.loads(text), KEY: list(names)}
    lines = text.split("\n")
    line = line_of(text, KEY)
    if line is None:
        # Before the first table: a key after it would belong to that.
        at = next((index for index, one in enumerate(lines) if one.lstrip().startswith("[")), len(lines))
        at = at - 1 if at == len(lines) and not lines[-1] else at
        before, after = lines[:at], lines[at:]
    else:
        before, after = lines[: line - 1], lines[_end_of(lines, line) :]
    edited = "\n".join([*before, _written(names), *after])
    try:
        whole = tomllib.loads(edited) == wanted
    except ValueError:
        whole = False
    if not whole:
        hint = f"write it there by hand: {_written(names)}"
        raise ConfigurationError([unusable(path, "is written in a way that cannot be changed here", line, hint)])
    return edited


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
    # JSON's strings are TOML's, but for characters beyond U+FFFF, which are left as they are.
    quoted = [dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f") for name in names]
    in_one = f"{KEY} = [{', '.join(quoted)}]"
    return in_one if len(in_one) <= 100 else "\n".join([f"{KEY} = [", *(f"    {one}," for one in quoted), "]"])
