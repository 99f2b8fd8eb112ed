"""Refuse flights whose fields contradict each other, naming all the fields that are wrong."""

import re
from functools import cache
from typing import Any

VERSION = "1.0.0"

# "N" for the United States, as the ICAO hands out nationality marks. What follows is kept loose on
# purpose: airlines report fleet numbers (N3ALAA) where the register would have digits first.
_REGISTRATION = re.compile(r"N[0-9A-Z]{1,5}")
_DAY_MINUTES = 24 * 60


def transform(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record as it is.

    Raises:
        ValueError: A departed flight without an arrival, an aircraft that cannot be registered in
            the United States, or a delay that is not the difference between the two clock times.
    """
    scheduled, departed = record["sched_dep_time"], record["dep_time"]
    late_minutes = departed // 100 * 60 + departed % 100 - scheduled // 100 * 60 - scheduled % 100
    if (
        record["arr_time"] is None
        or not _is_registration(record["tailnum"])
        or (late_minutes - record["dep_delay"]) % _DAY_MINUTES
    ):
        raise ValueError("; ".join(_problems(record, late_minutes)))
    return record


def describe() -> str:
    """Say what is checked."""
    return "check_fields: refuses flights without arrival, with a foreign tail number or a wrong delay"


@cache  # About four thousand aircraft make all the flights of a year.
def _is_registration(tailnum: str | None) -> bool:
    return tailnum is not None and _REGISTRATION.fullmatch(tailnum) is not None


def _problems(record: dict[str, Any], late_minutes: int) -> list[str]:
    problems = []
    if record["arr_time"] is None:
        problems.append(f"arr_time is None, expected an arrival, for the flight departed at {record['dep_time']}")
    if not _is_registration(record["tailnum"]):
        problems.append(f"tailnum is {record['tailnum']!r}, expected N and one to five digits or letters")
    if (late_minutes - record["dep_delay"]) % _DAY_MINUTES:
        problems.append(f"dep_delay is {record['dep_delay']!r}, expected {late_minutes} minutes (or days more)")
    return problems
