# /// script
# requires-python = ">=3.11"
# dependencies = ["airportsdata>=20240415"]
# [tool.plugline]
# version = "1.0.0"
# ///
"""Join names, cities and time zones of both airports from the airportsdata package."""

from functools import cache
from typing import Any

import airportsdata


def transform(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with three fields more for each of its two airports.

    Raises:
        ValueError: A code is unknown. A guess would give wrong local times further on.
    """
    record.update(_fields("origin", "origin", record["origin"]))
    record.update(_fields("dest", "destination", record["dest"]))
    return record


def describe() -> str:
    """Say what is joined."""
    return "join_airports: adds the name, the city and the time zone of both airports"


@cache  # Not at import: reading the table takes 60 ms, which listing and checking plugins should not cost.
def _airports() -> dict[str, Any]:
    return airportsdata.load("IATA")


@cache  # One small dict an airport, so that a record costs two look-ups and two updates.
def _fields(column: str, prefix: str, code: str) -> dict[str, str]:
    airport = _airports().get(code)
    if airport is None:
        raise ValueError(f"{column} is {code!r}, expected an IATA airport code that airportsdata knows")
    return {
        f"{prefix}_name": airport["name"],
        f"{prefix}_city": airport["city"],
        f"{prefix}_timezone": airport["tz"],
    }
