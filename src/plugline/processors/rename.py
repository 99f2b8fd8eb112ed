"""Give fields other names."""

from dataclasses import dataclass
from typing import Literal

from plugline.records import Record

VERSION = "1.0"


@dataclass(kw_only=True)
class Rename:
    """Give fields other names; their order stays.

    Attributes:
        names: The new name of each field, by the name that it has. All at once, so that two may change places.
        missing: What to do where a record lacks one of them: fail, or skip the field.
    """

    names: dict[str, str]
    missing: Literal["error", "skip"] = "error"

    def __post_init__(self) -> None:
        news = list(self.names.values())
        twice = sorted({name for name in news if news.count(name) > 1})
        if twice:
            raise ValueError(f"two fields would be named {twice!r}: expected different names")

    def transform(self, record: Record) -> Record:
        """Return the record with its new names."""
        names = self.names
        if self.missing == "error" and not names.keys() <= record.keys():
            lacking = [name for name in names if name not in record]
            raise ValueError(f"the record lacks {lacking!r}: it has {list(record)!r}")
        renamed = {names.get(name, name): value for name, value in record.items()}
        if len(renamed) < len(record):
            taken = sorted(new for old, new in names.items() if old in record and new in record and new not in names)
            raise ValueError(f"the record has {taken!r} already: expected names that are free")
        return renamed

    def describe(self) -> str:
        """Return the pairs of names."""
        return "rename: " + ", ".join(f"{old} to {new}" for old, new in self.names.items())
