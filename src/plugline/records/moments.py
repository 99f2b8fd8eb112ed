"""Text of ISO 8601 to dates and times, of which nothing is cut off.

``fromisoformat`` leaves out what comes after the sixth digit of a second without a word; clocks that count nanoseconds
write nine.
"""

from datetime import datetime, time

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
