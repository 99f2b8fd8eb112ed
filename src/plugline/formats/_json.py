"""A record to JSON text, or to the field that JSON cannot hold."""

from datetime import date, time
from functools import partial
from typing import Literal

import orjson

from plugline.records import Record

# orjson writes dates and times by itself, and from 3.11.9 to 3.13 loses a zero of a time's microseconds; all its versions lose
# the seconds of an offset, which zones had until about 1900.
_OPTION = orjson.OPT_PASSTHROUGH_DATETIME
_SHOWN = 60  # characters of a value


def _text(value: object) -> str:
    if isinstance(value, (date, time)):
        return value.isoformat()
    raise TypeError


class Encode:
    """Makes one line of a record; what a writer's ``encode`` is.

    Attributes:
        quick: Makes the same of what JSON can hold, and is called without a function between; ``None`` where each line is
            looked at.

    Args:
        no_number: What becomes of NaN and the infinities.
    """

    __slots__ = ("quick",)

    def __init__(self, no_number: Literal["null", "error"]) -> None:
        quick = partial(orjson.dumps, default=_text, option=_OPTION)
        self.quick = quick if no_number == "null" else None

    def __call__(self, record: Record, /) -> bytes:
        """Return the text.

        Raises:
            TypeError: It has a value that JSON cannot hold; the message says in which field.
            ValueError: It has a number that is none, and that is refused.
        """
        try:
            line = orjson.dumps(record, _text, _OPTION)
        except TypeError as error:
            raise TypeError(_refused(record, "", str(error))) from None
        if self.quick is None and b"null" in line:
            where = _no_number_in(record, "")
            if where is not None:
                raise ValueError(
                    f"{where[0]} holds {where[1]}, which is no number in JSON: nan = 'null' writes null for it"
                )
        return line


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
