"""Rows that are whole when they are cut: of databases, of blocks, of sheets."""

from typing import cast

from plugline.records import Broken, Position, Record


class Rows:
    """Some rows that were read."""

    __slots__ = ("_row", "raws")

    def __init__(self, raws: list[object], row: int) -> None:
        """Take them, and the number of the first."""
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
