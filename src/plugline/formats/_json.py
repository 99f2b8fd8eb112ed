"""JSON text to a record and back, or to the field that JSON cannot hold."""

from collections.abc import Callable
from datetime import date, time
from functools import partial
from typing import Literal, TypeAlias, cast

import orjson

from plugline.records import Record

# orjson writes dates and times by itself, and from 3.11.9 to 3.13 loses a zero of a time's microseconds; all its versions lose
# the seconds of an offset, which zones had until about 1900.
_OPTION = orjson.OPT_PASSTHROUGH_DATETIME
_SHOWN = 60  # characters of a value
_TOO_DEEP, _MOST_LEVELS = "Recursion limit reached", 254  # what orjson says, and when
_LEAST, _MOST = -(2**63), 2**64 - 1  # of the integers that orjson knows

Integers: TypeAlias = Literal["64-bit", "exact"]
"""Which integers are read and written as what they are: those of 64 bits, beyond which others are read as floats and refused, or all."""


def decoder(integers: Integers) -> Callable[[object], Record]:
    """Return what makes a record of JSON text."""
    if integers == "64-bit":
        return cast("Callable[[object], Record]", orjson.loads)
    import msgspec  # where it is asked for; it takes as long to import as orjson

    decode: Callable[[object], Record] = msgspec.json.Decoder().decode  # type: ignore[assignment]

    def exact(raw: object) -> Record:
        try:
            return decode(raw)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None

    return exact


def _text(value: object) -> str:
    if isinstance(value, (date, time)):
        return value.isoformat()
    raise TypeError


class Encode:
    """Makes one line of a record; what a writer's ``encode`` is.

    Attributes:
        quick: Makes the same of what JSON can hold, and is called without a function between; ``None`` where each line is
            looked at, or where what orjson refuses may be written after all.

    Args:
        no_number: What becomes of NaN and the infinities.
    """

    __slots__ = ("_exact", "_refuses_no_number", "quick")

    def __init__(self, no_number: Literal["null", "error"], integers: Integers = "64-bit") -> None:
        self._refuses_no_number = no_number == "error"
        self._exact = integers == "exact"
        quick = partial(orjson.dumps, default=_text, option=_OPTION)
        self.quick = None if self._refuses_no_number or self._exact else quick

    def __call__(self, record: Record, /) -> bytes:
        """Return the text.

        Raises:
            TypeError: It has a value that JSON cannot hold; the message says in which field.
            ValueError: It has a number that is none, and that is refused.
        """
        try:
            line = orjson.dumps(record, _text, _OPTION)
        except TypeError as error:
            line = self._with_digits(record, str(error))
        if self._refuses_no_number and b"null" in line:
            where = _no_number_in(record, "")
            if where is not None:
                raise ValueError(
                    f"{where[0]} holds {where[1]}, which is no number in JSON: nan = 'null' writes null for it"
                )
        return line

    def _with_digits(self, record: object, said: str) -> bytes:
        """Return the text of a record that orjson refused, if only its integers are what it does not know."""
        try:
            if self._exact:
                record = _digits_in(record)
                try:
                    return orjson.dumps(record, _text, _OPTION)
                except TypeError as error:
                    said = str(error)
            refused = _refused(record, "", said)
        except RecursionError:
            refused = ""
        if not refused or refused.endswith(_TOO_DEEP):
            deep = [name for name, inner in cast("Record", record).items() if _is_too_deep({name: inner})]
            where = f"field {deep[0]!r}" if deep else "the record"
            refused = f"{where} is nested too deeply to be written as JSON, which takes {_MOST_LEVELS} levels"
        raise TypeError(refused) from None


def _is_too_deep(value: object) -> bool:
    try:
        orjson.dumps(value, _text, _OPTION)
    except TypeError as error:
        return str(error).endswith(_TOO_DEEP)
    return False


def _digits_in(value: object) -> object:
    """Return a value that holds the digits of integers which orjson does not know."""
    if isinstance(value, dict):
        return {key: _digits_in(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_digits_in(inner) for inner in value]
    if isinstance(value, int) and not _LEAST <= value <= _MOST:
        return orjson.Fragment(int.__repr__(value))
    return value


def _refused(value: object, where: str, said: str) -> str:
    """Return what is wrong with a value that JSON cannot hold."""
    for inner, at in _inner(value, where):
        try:
            orjson.dumps(inner, _text, _OPTION)
        except TypeError as error:
            return _refused(inner, at, str(error))
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    if said.startswith("Type is not JSON serializable"):
        return f"{_named(where)} holds {shown}, and JSON has no {type(value).__name__}: cast it to another type before"
    if isinstance(value, int) and not _LEAST <= value <= _MOST:
        return f"{_named(where)} holds {shown}, which has more than 64 bits: integers = 'exact' writes it"
    return f"{_named(where)} holds {shown}, which JSON cannot: {said}"


def _no_number_in(value: object, where: str) -> tuple[str, float] | None:
    if isinstance(value, float):
        return (_named(where), value) if value - value != 0 else None
    found = (_no_number_in(inner, at) for inner, at in _inner(value, where))
    return next((one for one in found if one is not None), None)


def _inner(value: object, where: str) -> list[tuple[object, str]]:
    if isinstance(value, dict):
        return [(inner, f"{where}.{key}" if where else str(key)) for key, inner in value.items()]
    if isinstance(value, (list, tuple)):
        return [(inner, f"{where}[{at}]") for at, inner in enumerate(value)]
    return []


def _named(where: str) -> str:
    return f"field {where!r}" if where else "the record"
