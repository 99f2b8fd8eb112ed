"""Put each flight into a class of delay."""

from dataclasses import dataclass
from typing import Any, Literal

VERSION = "1.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyDelay:
    """One step's settings.

    Attributes:
        late_minutes: From here on a flight is late. The United States count 15 minutes as late.
        very_late_minutes: From here on it is very late.
        by: Which end of the flight is looked at.
    """

    late_minutes: int = 15
    very_late_minutes: int = 60
    by: Literal["arrival", "departure"] = "arrival"

    def __post_init__(self) -> None:
        """Refuse bounds that leave a class empty."""
        if not 0 < self.late_minutes < self.very_late_minutes:
            raise ValueError(
                f"late_minutes {self.late_minutes!r} and very_late_minutes {self.very_late_minutes!r}, "
                "expected 0 < late_minutes < very_late_minutes"
            )

    def transform(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the record with ``delay_class``.

        A flight that arrived without a delay being known went elsewhere first: it was diverted.
        """
        minutes = record["arr_delay" if self.by == "arrival" else "dep_delay"]
        if minutes is None:
            record["delay_class"] = "diverted"
        elif minutes < 0:
            record["delay_class"] = "early"
        elif minutes < self.late_minutes:
            record["delay_class"] = "on time"
        elif minutes < self.very_late_minutes:
            record["delay_class"] = "late"
        else:
            record["delay_class"] = "very late"
        return record

    def describe(self) -> str:
        """Say which bounds are in force."""
        return f"classify_delay: late from {self.late_minutes}, very late from {self.very_late_minutes} minutes at {self.by}"
