"""Text of ISO 8601 to dates and times."""

from datetime import UTC, datetime, time

import pytest

from plugline.records.moments import TooFineError, datetime_of, time_of


@pytest.mark.parametrize("between", ["T", " ", ",", "."])
@pytest.mark.parametrize("day", ["2024-05-31", "20240531", "2024-W22-5"])
def test_what_stands_behind_the_date_is_no_point_of_a_second(day: str, between: str) -> None:
    clock = "125959.000000" if "-" not in day else "12:59:59.000000"
    assert datetime_of(f"{day}{between}{clock}+00:00") == datetime(2024, 5, 31, 12, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2024W22T120000.1234567", "2024-05-31T12:00:00,1234567", "2024-05-31,12:00:00.000000001Z"]
)
def test_nothing_of_a_second_is_cut_off(text: str) -> None:
    with pytest.raises(TooFineError):
        datetime_of(text)


def test_a_time_may_have_zeros_behind_its_sixth_digit_only() -> None:
    assert time_of("12:00:00.123456000") == time(12, 0, 0, 123456)
    with pytest.raises(TooFineError):
        time_of("120000.1234567")
