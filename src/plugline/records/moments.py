"""Text of ISO 8601 to dates and times, of which nothing is cut off.

``fromisoformat`` leaves out what comes after the sixth digit of a second without a word; clocks that count nanoseconds
write nine.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal

# As long as the shortest text with seven digits of a second, 2024W22T120000.1234567 and 120000.1234567.
_DATETIME_CHARACTERS = 22
_TIME_CHARACTERS = 14
_DATE_CHARACTERS = 11  # the longest date, and what stands behind it, which may be any character


class TooFineError(ValueError):
    """A text tells a time that is finer than microseconds."""


def datetime_of(text: str) -> datetime:
    """Return the date and time that a text of ISO 8601 says.

    Raises:
        ValueError: It is none, or finer than microseconds: :class:`TooFineError`.
    """
    value = datetime.fromisoformat(text)
    if len(text) >= _DATETIME_CHARACTERS:
        _refuse_finer(text, _DATE_CHARACTERS)
    return value


def time_of(text: str) -> time:
    """Return the time that a text of ISO 8601 says.

    Raises:
        ValueError: It is none, or finer than microseconds: :class:`TooFineError`.
    """
    value = time.fromisoformat(text)
    if len(text) >= _TIME_CHARACTERS:
        _refuse_finer(text, 0)
    return value


def _refuse_finer(text: str, begin: int) -> None:
    at = text.find(".", begin)
    if at < 0:
        at = text.find(",", begin)
    if at < 0:
        return
    for digit in text[at + 7 :]:
        if not digit.isdigit():
            return
        if digit != "0":
            raise TooFineError("expected at most six digits of a second")


def truth_of(text: str) -> bool:
    """Return the truth value that a text says. Raises :class:`ValueError` where it says none."""
    truth = {"true": True, "false": False, "1": True, "0": False}.get(text.lower())
    if truth is None:
        raise ValueError(text)
    return truth


CONVERTERS: Mapping[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "bool": truth_of,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": datetime_of,
}
"""What makes values of text, by the name of their type."""

EXPECTED: Mapping[str, str] = {
    "int": "an integer",
    "float": "a number",
    "bool": "true, false, 1 or 0",
    "decimal": "a decimal number",
    "date": "a date such as 2024-05-31",
    "datetime": "a date and time such as 2024-05-31T12:00:00+02:00",
}
"""What such a text is expected to be."""
