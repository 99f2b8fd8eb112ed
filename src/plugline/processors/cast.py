"""Change the types of fields."""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from json import loads
from math import isinf
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from plugline.records import Record
from plugline.records.moments import TooFineError, datetime_of, time_of

VERSION = "1.0"

_TRUTH = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


@dataclass(kw_only=True)
class Cast:
    """Change the types of fields. A value that cannot be one of the type fails, and is never cut or rounded.

    Attributes:
        types: The type of each field: ``decimal`` and the others of Python's names, ``json`` for text that holds JSON,
            ``bytes`` for text that holds base64.
        formats: How dates and times are written, by field, as ``strptime`` has it; ISO 8601, unless set.
        zone: The time zone of dates with a time that say none, such as ``"Europe/Lisbon"``; they have none, unless set.
        null: Texts that mean no value.
        missing: What to do where a record lacks a field: fail, or skip it.
    """

    types: dict[str, Literal["str", "int", "float", "bool", "decimal", "date", "datetime", "time", "bytes", "json"]]
    formats: dict[str, str] = field(default_factory=dict)
    zone: str | None = None
    null: list[str] = field(default_factory=lambda: [""])
    missing: Literal["error", "skip"] = "error"

    def __post_init__(self) -> None:
        dated = {name for name, kind in self.types.items() if kind in {"date", "datetime", "time"}}
        strange = sorted(set(self.formats) - dated)
        if strange:
            raise ValueError(f"formats names {strange!r}: expected only fields whose type is a date or a time")
        zone = None
        if self.zone is not None:
            try:
                zone = ZoneInfo(self.zone)
            except (ValueError, OSError, LookupError) as error:
                raise ValueError(f"zone {self.zone!r}: expected the name of a time zone, such as 'UTC'") from error
        self._null = frozenset(self.null)
        for name, form in self.formats.items():
            _check_format(name, form)
        self._converters = [
            (name, self._expected(name, kind), _converter(kind, self.formats.get(name), zone))
            for name, kind in self.types.items()
        ]

    def _expected(self, name: str, kind: str) -> str:
        form = self.formats.get(name)
        return (
            _EXPECTED[kind] if form is None else f"a {_EXPECTED[kind].split(' such as ')[0][2:]} as {form!r} writes it"
        )

    def transform(self, record: Record) -> Record:
        """Return the record with its new types."""
        null = self._null
        for name, expected, convert in self._converters:
            try:
                value = record[name]
            except KeyError:
                if self.missing == "error":
                    raise ValueError(f"the record lacks {name!r}: it has {list(record)!r}") from None
                continue
            if value is None:
                continue
            if value.__class__ is str and value in null:
                record[name] = None
                continue
            try:
                record[name] = convert(value)
            except (ValueError, TypeError, ArithmeticError) as error:
                shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
                wanted = str(error) if isinstance(error, _NoSuchTimeError | TooFineError) else f"expected {expected}"
                raise ValueError(f"{name!r} holds {shown}: {wanted}") from None
        return record

    def describe(self) -> str:
        """Return the type of each field."""
        return "cast: " + ", ".join(f"{name} to {kind}" for name, kind in self.types.items())


class _NoSuchTimeError(ValueError):
    """The clocks of a zone were put forward over a time."""


def _check_format(name: str, form: str) -> None:
    """Refuse what ``strptime`` does not know."""
    try:
        datetime.strptime("", form)  # noqa: DTZ007 - nothing is read
    except (ValueError, re.error) as error:
        # Any other message says that nothing is not a date. A directive that comes twice is told by the expression made of it.
        if isinstance(error, re.error) or "directive" in str(error) or "stray" in str(error):
            raise ValueError(f"formats: {form!r} of {name!r} is no format of dates: {error}") from None


def _converter(kind: str, form: str | None, zone: tzinfo | None) -> Callable[[object], object]:
    match kind:
        case "date":
            return _date if form is None else lambda value: _date(_parsed(value, form))
        case "time":
            return _time if form is None else lambda value: _time(_parsed(value, form))
        case "datetime":
            return lambda value: _zoned(_datetime(value if form is None else _parsed(value, form)), zone)
    return _CONVERTERS[kind]


def _parsed(value: object, form: str) -> object:
    # Naive or not is what the format says; `zone` comes after.
    return datetime.strptime(value, form) if isinstance(value, str) else value  # noqa: DTZ007


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
    raise TypeError


def _integer(value: object) -> int:
    if isinstance(value, str):
        # int and float take "1_000" for a thousand, which is Python's spelling and nobody else's.
        if "_" in value:
            raise ValueError
        return int(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | Decimal) and value == int(value):
        return int(value)
    raise ValueError


def _float(value: object) -> float:
    if isinstance(value, str):
        number = float(value)
        if "_" in value or (isinf(number) and "inf" not in value.lower()):
            raise ValueError
        return number
    if isinstance(value, int) and int(float(value)) != value:
        raise ValueError
    if isinstance(value, int | float | Decimal):
        return float(value)
    raise TypeError


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        truth = _TRUTH.get(value.strip().lower())
    else:
        truth = {0: False, 1: True}.get(value) if isinstance(value, int) else None
    if truth is None:
        raise ValueError
    return truth


def _decimal(value: object) -> Decimal:
    if isinstance(value, str):
        if "_" in value:
            raise ValueError
        return Decimal(value.strip())
    if isinstance(value, float):
        return Decimal(repr(value))  # the shortest digits that mean this float, and not the 50 that it is
    if isinstance(value, int | Decimal):
        return Decimal(value)
    raise TypeError


def _date(value: object) -> date:
    if isinstance(value, datetime):
        if value.time() != time.min:
            raise ValueError
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        text = value.strip()
        return date.fromisoformat(text) if len(text) <= len("2024-05-31") else _date(datetime_of(text))
    raise TypeError


def _time(value: object) -> time:
    if isinstance(value, datetime):
        return value.timetz()
    if isinstance(value, time):
        return value
    if isinstance(value, str):
        return time_of(value.strip())
    raise TypeError


def _datetime(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a date has no zone; `zone` comes after
    if isinstance(value, str):
        return datetime_of(value.strip())
    raise TypeError


def _zoned(value: datetime, zone: tzinfo | None) -> datetime:
    """Give a date with a time its zone; of two equal hours it is the first."""
    if zone is None or value.tzinfo is not None:
        return value
    made = value.replace(tzinfo=zone, fold=0)
    before, after = made.utcoffset(), made.replace(fold=1).utcoffset()
    # Where the two differ the clocks are changed (PEP 495), and are put forward if the later is the greater.
    if before is not None and after is not None and before < after:
        raise _NoSuchTimeError(f"the clocks of {zone} leave it out")
    return made


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return b64decode(value, validate=True)
    raise TypeError


def _json(value: object) -> object:
    return loads(value) if isinstance(value, str | bytes) else value


_CONVERTERS: Mapping[str, Callable[[object], object]] = {
    "str": _text,
    "int": _integer,
    "float": _float,
    "bool": _bool,
    "decimal": _decimal,
    "bytes": _bytes,
    "json": _json,
}

_EXPECTED = {
    "str": "text, a number, a truth value, a date or a time",
    "int": "a whole number",
    "float": "a number that a float can hold",
    "bool": "true, false, yes, no, 1 or 0",
    "decimal": "a decimal number",
    "date": "a date such as 2024-05-31",
    "datetime": "a date and time such as 2024-05-31T12:00:00+02:00",
    "time": "a time such as 12:00:00",
    "bytes": "base64",
    "json": "JSON",
}
