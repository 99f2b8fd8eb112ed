"""Make local timestamps of the split date and clock fields, each in its airport's own time zone.

The data gives the date of the *scheduled* departure, and clock times as numbers (517 is 05:17, 2400 is
the midnight that ends a day). So the departure is the schedule plus the delay, whatever day that is, and
the arrival is the first moment after the departure at which the destination's clocks show the
arrival time. Needs the time zones that join_airports adds.
"""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

VERSION = "1.0.0"

_DAY_MINUTES = 24 * 60
_CLOCK = tuple(f"{minute // 60:02}:{minute % 60:02}:00" for minute in range(_DAY_MINUTES))


def transform(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with ``departure``, ``arrival`` (ISO 8601) and ``elapsed_minutes`` between them."""
    scheduled, clock = record["sched_dep_time"], record["arr_time"]
    late = scheduled // 100 * 60 + scheduled % 100 + record["dep_delay"]
    midnight = _ordinal(record["year"], record["month"], record["day"]) * _DAY_MINUTES
    departed, record["departure"] = _moment(record["origin_timezone"], midnight + late)
    arrived, record["arrival"] = _next(
        record["destination_timezone"], departed, (clock // 100 * 60 + clock % 100) % _DAY_MINUTES
    )
    record["elapsed_minutes"] = arrived - departed
    return record


def describe() -> str:
    """Say which fields come in."""
    return "add_local_times: adds departure and arrival as local timestamps, and the minutes between them"


# Below, a moment is a number of minutes since the year 1, in UTC; a wall time is the same count as the
# clocks of a place show it. A ZoneInfo costs microseconds a record. But a day has one offset, except
# for two days a year; so days are remembered, and ZoneInfo is asked for those two.


@cache
def _ordinal(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal()


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@cache
def _day(zone: str, ordinal: int) -> tuple[int, str, str] | None:
    """Return the offset in minutes, what stands before and what after the clock; None if clocks change that day."""
    midnight = datetime.combine(date.fromordinal(ordinal), datetime.min.time(), _zone(zone))
    if midnight.utcoffset() != (midnight + timedelta(days=1)).utcoffset():
        return None
    text = midnight.isoformat()
    return _offset(midnight), text[:11], text[19:]


def _moment(zone: str, wall: int) -> tuple[int, str]:
    """Return the moment of a wall time; of two, the earlier."""
    ordinal, minute = divmod(wall, _DAY_MINUTES)
    day = _day(zone, ordinal)
    if day is None:
        local = datetime.fromordinal(ordinal).replace(tzinfo=_zone(zone)) + timedelta(minutes=minute)
        return wall - _offset(local), _as_shown(local)
    offset, before, after = day
    return wall - offset, before + _CLOCK[minute] + after


@cache
def _steady_offset(zone: str, ordinal: int) -> int | None:
    """Return the offset in minutes; None where clocks change on that day, the day before or the day after."""
    day = _day(zone, ordinal)
    if day is None or _day(zone, ordinal - 1) is None or _day(zone, ordinal + 1) is None:
        return None
    return day[0]


def _next(zone: str, moment: int, minute: int) -> tuple[int, str]:
    """Return the first moment after ``moment`` at which the clocks of ``zone`` show ``minute``."""
    offset = _steady_offset(zone, moment // _DAY_MINUTES)
    if offset is None:
        return _next_near_a_change(zone, moment, minute)
    today = moment + offset
    wall = today - today % _DAY_MINUTES + minute
    return _moment(zone, wall if wall > today else wall + _DAY_MINUTES)


def _next_near_a_change(zone: str, moment: int, minute: int) -> tuple[int, str]:
    start = datetime.fromordinal(1).replace(tzinfo=UTC)
    today = (start + timedelta(minutes=moment - _DAY_MINUTES)).astimezone(_zone(zone)).date()
    for days in range(3):
        midnight = datetime.combine(today + timedelta(days=days), datetime.min.time(), _zone(zone))
        for fold in (0, 1):
            local = (midnight + timedelta(minutes=minute)).replace(fold=fold)
            arrived = local.toordinal() * _DAY_MINUTES + minute - _offset(local)
            if arrived > moment:
                return arrived, _as_shown(local)
    raise AssertionError("three days hold every clock time")


def _as_shown(local: datetime) -> str:
    # Through UTC and back: an airline's clock may run on in winter time when the others jump. One flight
    # of 2013 arrives at 02:03 on 10 March, a time that its airport's clocks skipped; they showed 03:03.
    return local.astimezone(UTC).astimezone(local.tzinfo).isoformat()


def _offset(local: datetime) -> int:
    offset = local.utcoffset()
    if offset is None:
        raise ValueError(f"{local!r} has no offset, expected a local time with a zone")
    return int(offset.total_seconds()) // 60
