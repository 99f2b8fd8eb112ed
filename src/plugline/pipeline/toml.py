"""TOML text to its data, with the place of every key and value for those who ask."""

import tomllib
from collections.abc import Mapping
from dataclasses import field

from plugline.contract.settings import KeyPath, Problem
from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place
from plugline.frozen import frozen

_MAX_SHOWN_COLUMNS = 160  # what a wide terminal shows in one row


@frozen(kw_only=True)
class Document:
    """TOML as it was read. It pickles.

    Attributes:
        path: The file's name, for places.
        lines: The text, for showing a line of it.
    """

    path: str
    data: Mapping[str, object]
    lines: tuple[str, ...] = field(default=(), repr=False)

    def _places(self) -> tuple[Mapping[KeyPath, tuple[int, int]], Mapping[KeyPath, tuple[int, int]]]:
        # Most pipelines are right, and nobody asks where anything stands in them.
        from plugline.pipeline.places import places_in

        return places_in("\n".join(self.lines))

    def place(self, path: KeyPath, *, on_key: bool = False) -> Place:
        """Return where the value at ``path`` begins, or its key.

        An item of a list has no key: its place is the value's, or the header ``[[…]]`` that begins it. So is the
        header that of a table that has one. What is not there has the place of what it would be in.
        """
        keys, values = self._places()
        found = (keys if on_key else values).get(path)
        while found is None and path:
            path = path[:-1]
            found = keys.get(path)
        return Place(self.path) if found is None else Place(self.path, *found)

    def finding(self, problem: Problem) -> Finding:
        """Put a problem in its place, with the line that it is on."""
        place = self.place(problem.path, on_key=problem.on_key)
        return Finding(problem.code, problem.message, place, problem.hint, _shown_line(self.lines, place.line))

    def paths(self) -> frozenset[KeyPath]:
        """Return the paths of all keys and items that have a place."""
        return frozenset(self._places()[0])


def parse(source: str | bytes, path: str) -> Document:
    """Read TOML.

    Args:
        source: The text, or the bytes of a file in UTF-8. A byte order mark is passed over and counts for no column.
        path: What to call it in places.

    Raises:
        ConfigurationError: It is not UTF-8 or not TOML (``C105``), with the line and column of the first thing wrong.
    """
    text = (_decoded(source, path) if isinstance(source, bytes) else source).removeprefix("\ufeff")
    text = text.replace("\r\n", "\n")
    lines = tuple(text.split("\n"))
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise ConfigurationError([_invalid(str(error), path, lines)]) from error
    except RecursionError as error:
        finding = Finding("C105", "not valid TOML: lists or tables are nested too deeply", Place(path))
        raise ConfigurationError([finding]) from error
    return Document(path=path, data=data, lines=lines)


def _decoded(source: bytes, path: str) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        before = source[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"byte 0x{source[error.start]:02x} is not UTF-8, which TOML is written in"
        finding = Finding("C105", message, Place(path, line, column), "save the file as UTF-8")
        raise ConfigurationError([finding]) from error


def _invalid(said: str, path: str, lines: tuple[str, ...]) -> Finding:
    import re  # for what is wrong only

    at = re.fullmatch(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", said)
    reason = said if at is None else at[1]
    message = f"not valid TOML: {reason[:1].lower()}{reason[1:]}"
    if at is None:
        return Finding("C105", message, Place(path))
    line, column = (int(at[2]), int(at[3])) if at[2] else (len(lines), len(lines[-1]) + 1)
    return Finding("C105", message, Place(path, line, column), source_line=_shown_line(lines, line))


def _shown_line(lines: tuple[str, ...], line: int | None) -> str | None:
    # A line that wraps has its caret anywhere, and may be the whole of a generated file.
    text = "" if line is None else lines[line - 1]
    return text if text.strip() and len(text) <= _MAX_SHOWN_COLUMNS else None
