"""Turn the data's word for a missing value into None, and the numbers beside it into numbers."""

from dataclasses import dataclass
from typing import Any

VERSION = "1.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearMissing:
    """One step's settings.

    Attributes:
        integers: The fields that hold a whole number or the marker.
        strings: The fields that hold a string or the marker.
        marker: What stands where a value is missing.
    """

    integers: list[str]
    strings: list[str]
    marker: str = "NA"

    def __post_init__(self) -> None:
        """Refuse a field that is said to be both."""
        both = sorted(set(self.integers) & set(self.strings))
        if both:
            raise ValueError(f"{both!r} in both integers and strings, expected each field in one of them")

    def transform(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the record with None in place of the marker."""
        marker = self.marker
        for field in self.integers:
            text = record[field]
            record[field] = None if text == marker else int(text)
        for field in self.strings:
            if record[field] == marker:
                record[field] = None
        return record

    def describe(self) -> str:
        """Say which marker is meant."""
        return f"clear_missing: makes None of {self.marker!r} and numbers of the rest"
