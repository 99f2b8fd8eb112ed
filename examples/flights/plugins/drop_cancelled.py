"""Drop the flights that never left."""

from typing import Any

VERSION = "1.0.0"


def transform(record: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record, or None where no time of departure is known."""
    return None if record["dep_time"] is None else record


def describe() -> str:
    """Say what is dropped."""
    return "drop_cancelled: drops flights without a time of departure"
