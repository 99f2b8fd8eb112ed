"""Keep some fields of each record, or leave some out."""

from dataclasses import dataclass
from typing import Literal

from plugline.records import Record

VERSION = "1.0"


@dataclass(kw_only=True)
class Select:
    """Keep some fields of each record, or leave some out.

    Attributes:
        fields: The fields to keep, in the order that they are to have.
        without: The fields to leave out; the others stay as they are. Either this or ``fields``.
        missing: What to do where a record lacks one of them: fail, put ``None`` there, or skip the field.
    """

    fields: list[str] | None = None
    without: list[str] | None = None
    missing: Literal["error", "null", "skip"] = "error"

    def __post_init__(self) -> None:
        if (self.fields is None) == (self.without is None):
            raise ValueError("expected either 'fields' or 'without'")
        if self.without is not None and self.missing == "null":
            raise ValueError("missing = 'null': expected 'error' or 'skip', since what is left out cannot be null")
        names = self.fields or self.without or ()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice!r} are named more than once: expected each field once")
        self._names = tuple(names)
        self._left_out = frozenset(self.without or ())

    def transform(self, record: Record) -> Record:
        """Return the record with fewer fields."""
        if self.fields is not None:
            if self.missing == "error":
                try:
                    return {name: record[name] for name in self._names}
                except KeyError:
                    raise self._lacking(record) from None
            if self.missing == "null":
                return {name: record.get(name) for name in self._names}
            return {name: record[name] for name in self._names if name in record}
        if self.missing == "error" and not self._left_out <= record.keys():
            raise self._lacking(record)
        return {name: value for name, value in record.items() if name not in self._left_out}

    def _lacking(self, record: Record) -> ValueError:
        lacking = [name for name in self._names if name not in record]
        return ValueError(f"the record lacks {lacking!r}: it has {list(record)!r}")

    def describe(self) -> str:
        """Return what is kept or left out."""
        if self.fields is not None:
            return f"select: keeps {', '.join(self._names)}"
        return f"select: leaves out {', '.join(self._names)}"
