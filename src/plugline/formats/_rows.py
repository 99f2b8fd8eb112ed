"""Rows that are whole when they are cut, of databases, of blocks, of sheets; and values in values."""

from typing import cast

from plugline.records import Broken, Position, Record


class Rows:
    """Some rows that were read."""

    __slots__ = ("_row", "raws")

    def __init__(self, raws: list[object], row: int) -> None:
        self.raws = raws
        self._row = row

    def position(self, index: int, /) -> Position:
        return Position(row=self._row + index)


def decode_whole(raw: object) -> Record:
    """Return a raw that is a record already.

    Raises:
        ValueError: It is one that was seen to be broken.
    """
    if isinstance(raw, Broken):
        raise ValueError(raw.reason)  # noqa: TRY004 - a fault of the record
    # A copy: a step may change the record, and a dead letter shows it as it came.
    return cast("Record", raw).copy()


class Refused(Exception):
    """A value that a format cannot hold.

    Attributes:
        where: The keys and numbers that lead to it, the outermost last.

    Args:
        said: What is held, and what was expected.
    """

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self._said = said
        self.where: list[object] = []

    def __str__(self) -> str:
        path = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in reversed(self.where))
        where = f"field {path.removeprefix('.')!r}" if path else "the record"
        return f"{where} holds {self._said}"


def refused(value: object, expected: str) -> Refused:
    """Return what is said of a value in the place of which something else was expected."""
    return Refused(f"{shown(value)} ({type(value).__name__}): expected {expected}")


def shown(value: object) -> str:
    """Return a value as messages show it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def copied(value: object) -> object:
    """Return a value of its own, so that a step which changes it changes nothing else."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value
