"""Records to JSON with the types that it has no word for beside them, and back.

JSON holds text, truth values, numbers of 64 bits, ``null``, lists and tables. What else a record holds becomes text
there, and a table of types says of each such value what it was: by its JSON Pointer (RFC 6901) in the record.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any, cast
from uuid import UUID

# The tool's own format for faults is NDJSON; orjson comes with plugline[tool].
import orjson

_DEEPEST = 200  # orjson itself goes no deeper than 254


def json_of(value: object) -> bytes:
    """Return a value as JSON, as near as that can hold it: what a record is shown as must not end the run."""
    try:
        # orjson 3.11.9 to 3.13 lose a zero of a time's microseconds, and all versions the seconds of an offset.
        return orjson.dumps(value, default=_text_of, option=orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:  # which orjson's own error is
        return orjson.dumps(_plain(value))


def types_of(record: Mapping[str, object]) -> dict[str, str]:
    """Return the types of what JSON has no word for, by where they stand in the record; none as a rule."""
    if _IN_JSON.issuperset(map(type, record.values())):
        return {}
    return dict(_types(record, "", 0))


def restored(record: Mapping[str, object], types: Mapping[str, object]) -> dict[str, object]:
    """Return a record with the types that it had.

    A value that somebody has changed into something that is not of its type stays what it is.
    """
    return cast("dict[str, object]", _restored(record, "", types))


_IN_JSON = frozenset({str, int, bool, type(None)})  # an int as a rule: _plain and _types look closer
_LEAST, _MOST = -(2**63), 2**64 - 1


def _types(value: object, where: str, depth: int) -> Iterator[tuple[str, str]]:
    match value:
        case dict() if depth < _DEEPEST:
            for key, item in value.items():
                if type(key) is str:
                    yield from _types(item, f"{where}/{_escaped(key)}", depth + 1)
        case list() | tuple() if depth < _DEEPEST:
            for index, item in enumerate(value):
                yield from _types(item, f"{where}/{index}", depth + 1)
        case _:
            name = _type_name(value)
            if name is not None:
                yield where, name


def _type_name(value: object) -> str | None:
    if isinstance(value, int):
        return None if _LEAST <= value <= _MOST else "int"
    if isinstance(value, float):
        return None if isfinite(value) else str(value)
    name = next((name for kind, name in _NAMES if isinstance(value, kind)), None)
    zone = getattr(value.tzinfo, "key", None) if isinstance(value, datetime) else None
    return f"datetime({zone})" if isinstance(zone, str) else name


_NAMES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Decimal, "decimal"),
    ((bytes, bytearray, memoryview), "bytes"),
    (datetime, "datetime"),
    (date, "date"),
    (time, "time"),
    (timedelta, "duration"),
    (UUID, "uuid"),
)


def _restored(value: object, where: str, types: Mapping[str, object]) -> object:
    match value:
        case dict():
            return {key: _restored(item, f"{where}/{_escaped(key)}", types) for key, item in value.items()}
        case list():
            return [_restored(item, f"{where}/{index}", types) for index, item in enumerate(value)]
    name = types.get(where)
    if not isinstance(name, str):
        return value
    if name in _NO_NUMBERS:
        return float(name) if value is None else value
    if not isinstance(value, str):
        return value
    kind, _, zone = name.removesuffix(")").partition("(")
    read = _FROM_TEXT.get(kind)
    try:
        made = read(value) if read is not None else value
        return _in_zone(made, zone) if zone and isinstance(made, datetime) else made
    except (ValueError, ArithmeticError):
        return value


def _in_zone(moment: datetime, zone: str) -> datetime:
    from zoneinfo import ZoneInfo  # seldom

    return moment.astimezone(ZoneInfo(zone))


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _duration(text: str) -> timedelta:
    return timedelta(microseconds=int(Decimal(text).scaleb(6)))


def _bytes(text: str) -> bytes:
    return b64decode(text, validate=True)


_NO_NUMBERS = ("nan", "inf", "-inf")
_FROM_TEXT: Mapping[str, Any] = {
    "int": int,
    "decimal": Decimal,
    "bytes": _bytes,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "duration": _duration,
    "uuid": UUID,
}


def _text_of(value: object) -> object:
    """Return what stands in JSON for a value that orjson does not know."""
    match value:
        case bytes() | bytearray() | memoryview():
            return b64encode(value).decode()
        case timedelta():
            return str(Decimal(value // timedelta(microseconds=1)).scaleb(-6))
        case date() | time():
            return value.isoformat()
    return str(value)


def _plain(value: object) -> object:
    """Return a value as near as JSON can hold it."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if _LEAST <= value <= _MOST else str(value)
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case date() | time():
            return value.isoformat()
        case dict():
            return {str(_plain(str(key))): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    try:
        return _plain(str(_text_of(value)))
    except Exception:  # noqa: BLE001 - a stranger's object, which need not even be shown
        return f"an object of type {type(value).__name__}"
