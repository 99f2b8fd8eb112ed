"""Make one record of each item of a list."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from plugline.records import Record

VERSION = "1.0"


@dataclass(kw_only=True)
class Explode:
    """Make one record of each item of a list; the other fields are in each of them.

    Attributes:
        field: The field that holds the list.
        as_: The field that is to hold the item; the same field, unless set.
        index: The field that is to hold the item's number, counted from 0; none, unless set.
        merge: Whether items are tables whose fields are to stand in the record itself, in the place of ``field``.
        empty: What to do where the list is empty, or the field is ``None``: drop the record, keep it with ``None``
            in the place of the item, or fail.
    """

    field: str
    as_: str | None = None
    index: str | None = None
    merge: bool = False
    empty: Literal["drop", "null", "error"] = "drop"

    def __post_init__(self) -> None:
        if self.merge and self.as_ is not None:
            raise ValueError("merge = true: expected no 'as', since the item's own fields take its place")
        if self.index is not None and self.index == (self.as_ or self.field):
            raise ValueError(f"index {self.index!r}: expected another field than that of the item")

    def transform(self, record: Record) -> Record | None | Iterable[Record]:
        """Return a record an item."""
        if self.field not in record:
            raise ValueError(f"the record lacks {self.field!r}: it has {list(record)!r}")
        items = record[self.field]
        if items is not None and not isinstance(items, list | tuple):
            raise ValueError(f"{self.field!r} holds a {type(items).__name__}: expected a list")
        if items:
            return [self._with_item(record, number, item) for number, item in enumerate(items)]
        if self.empty == "drop":
            return None
        if self.empty == "error":
            raise ValueError(f"{self.field!r} is empty: expected at least one item")
        return self._with_item(record, None, {} if self.merge else None)

    def _with_item(self, record: Record, number: int | None, item: object) -> Record:
        made: Record = {}
        for name, value in record.items():
            if name != self.field:
                made[name] = value
            elif not self.merge:
                made[self.as_ or name] = item
        if self.merge:
            if not isinstance(item, dict):
                raise ValueError(
                    f"item {number} of {self.field!r} is a {type(item).__name__}: expected a table to merge"
                )
            taken = sorted(name for name in item if name in made)
            if taken:
                raise ValueError(
                    f"item {number} of {self.field!r} has {taken!r}, as the record has: rename them before"
                )
            made.update(item)
        if len(made) < len(record) - self.merge:
            raise ValueError(f"the record has {self.as_!r} already: expected a name that is free")
        if self.index is not None:
            if self.index in made:
                raise ValueError(f"the record has {self.index!r} already: expected a name for 'index' that is free")
            made[self.index] = number
        return made

    def describe(self) -> str:
        """Return what becomes of what."""
        return f"explode: one record for each item of {self.field}"
