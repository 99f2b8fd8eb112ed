"""Each processor of examples/flights by plain import, on flights of 2013 whose course is known from elsewhere."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

PLUGINS = Path(__file__).parents[2] / "examples" / "flights" / "plugins"


def plugin(name: str) -> Any:
    found = importlib.util.spec_from_file_location(f"flights_{name}", PLUGINS / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def flight(**fields: object) -> dict[str, Any]:
    """The first flight of the year: United 1545 from Newark to Houston, as clear_missing leaves it."""
    return {
        "year": 2013,
        "month": 1,
        "day": 1,
        "dep_time": 517,
        "sched_dep_time": 515,
        "dep_delay": 2,
        "arr_time": 830,
        "sched_arr_time": 819,
        "arr_delay": 11,
        "tailnum": "N14228",
        "origin": "EWR",
        "dest": "IAH",
        "air_time": 227,
        "origin_timezone": "America/New_York",
        "destination_timezone": "America/Chicago",
        **fields,
    }


def times(**fields: object) -> tuple[str, str, int]:
    record = plugin("add_local_times").transform(flight(**fields))
    return record["departure"], record["arrival"], record["elapsed_minutes"]


# ------------------------------------------------------------------ clear_missing


def test_the_marker_becomes_none_and_the_rest_numbers() -> None:
    step = plugin("clear_missing").ClearMissing(integers=["dep_time", "dep_delay"], strings=["tailnum"])
    assert step.transform({"dep_time": "NA", "dep_delay": "-5", "tailnum": "NA", "carrier": "NA"}) == {
        "dep_time": None,
        "dep_delay": -5,
        "tailnum": None,
        "carrier": "NA",
    }


def test_another_marker_can_be_declared() -> None:
    step = plugin("clear_missing").ClearMissing(integers=["dep_time"], strings=[], marker="")
    assert step.transform({"dep_time": ""}) == {"dep_time": None}
    assert "''" in step.describe()


def test_a_field_that_is_neither_marker_nor_number_is_refused() -> None:
    step = plugin("clear_missing").ClearMissing(integers=["dep_time"], strings=[])
    with pytest.raises(ValueError, match="'5h17'"):
        step.transform({"dep_time": "5h17"})


def test_a_field_cannot_be_declared_as_integer_and_string() -> None:
    with pytest.raises(ValueError, match=r"\['tailnum'\] in both"):
        plugin("clear_missing").ClearMissing(integers=["tailnum"], strings=["tailnum"])


# ------------------------------------------------------------------ drop_cancelled


def test_a_flight_without_a_departure_is_dropped() -> None:
    assert plugin("drop_cancelled").transform(flight(dep_time=None)) is None


def test_a_flight_that_left_is_kept_as_it_is() -> None:
    assert plugin("drop_cancelled").transform(flight()) == flight()


# ------------------------------------------------------------------ check_fields


def test_a_sound_flight_passes() -> None:
    assert plugin("check_fields").transform(flight()) == flight()


def test_a_delay_beyond_midnight_is_sound() -> None:
    sound = flight(sched_dep_time=2135, dep_time=2400, dep_delay=145)
    assert plugin("check_fields").transform(sound) == sound


def test_a_departure_of_the_next_day_but_one_is_sound() -> None:
    sound = flight(sched_dep_time=900, dep_time=641, dep_delay=1301)
    assert plugin("check_fields").transform(sound) == sound


def test_a_departed_flight_without_an_arrival_is_refused() -> None:
    with pytest.raises(ValueError, match="arr_time is None"):
        plugin("check_fields").transform(flight(arr_time=None))


@pytest.mark.parametrize("tailnum", ["D942DN", "N", "N1234567", "n14228", None])
def test_an_aircraft_that_cannot_be_american_is_refused(tailnum: str | None) -> None:
    with pytest.raises(ValueError, match=f"tailnum is {tailnum!r}"):
        plugin("check_fields").transform(flight(tailnum=tailnum))


def test_a_delay_that_contradicts_the_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="dep_delay is 20, expected 2 minutes"):
        plugin("check_fields").transform(flight(dep_delay=20))


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"arr_time is None.*tailnum is 'D942DN'.*dep_delay is 20"):
        plugin("check_fields").transform(flight(arr_time=None, tailnum="D942DN", dep_delay=20))


# ------------------------------------------------------------------ join_airports


def test_both_airports_are_joined() -> None:
    record = plugin("join_airports").transform({"origin": "JFK", "dest": "HNL"})
    assert record["origin_city"] == "New York"
    assert record["origin_timezone"] == "America/New_York"
    assert record["destination_city"] == "Honolulu"
    assert record["destination_timezone"] == "Pacific/Honolulu"
    assert record["origin_name"].startswith("John F")


@pytest.mark.parametrize("code", ["BQN", "SJU", "PSE"])
def test_airports_of_puerto_rico_keep_its_time(code: str) -> None:
    record = plugin("join_airports").transform({"origin": "EWR", "dest": code})
    assert record["destination_timezone"] == "America/Puerto_Rico"


def test_an_unknown_airport_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="dest is 'QQ9'"):
        plugin("join_airports").transform({"origin": "EWR", "dest": "QQ9"})


# ------------------------------------------------------------------ add_local_times


def test_the_first_flight_of_the_year_left_in_eastern_and_arrived_in_central_time() -> None:
    assert times() == ("2013-01-01T05:17:00-05:00", "2013-01-01T08:30:00-06:00", 253)


def test_summer_time_is_daylight_saving_time() -> None:
    assert times(month=7)[:2] == ("2013-07-01T05:17:00-04:00", "2013-07-01T08:30:00-05:00")


def test_hawaiian_51_to_honolulu_crosses_five_zones() -> None:
    # 8:57 in New York is 3:57 in Honolulu, so 15:16 there is 11 hours and 19 minutes later.
    hawaiian = {"sched_dep_time": 900, "dep_time": 857, "dep_delay": -3, "arr_time": 1516}
    assert times(**hawaiian, destination_timezone="Pacific/Honolulu") == (
        "2013-01-01T08:57:00-05:00",
        "2013-01-01T15:16:00-10:00",
        679,
    )


def test_an_arrival_after_midnight_is_of_the_next_day() -> None:
    # JetBlue 523 from New York to Los Angeles, 2 November.
    late = {"month": 11, "day": 2, "sched_dep_time": 2040, "dep_time": 2038, "dep_delay": -2, "arr_time": 10}
    assert times(**late, destination_timezone="America/Los_Angeles") == (
        "2013-11-02T20:38:00-04:00",
        "2013-11-03T00:10:00-07:00",
        392,
    )


def test_a_departure_at_2400_is_the_midnight_that_ends_the_day() -> None:
    # JetBlue 727 to Aguadilla in Puerto Rico, scheduled 23:59 on 7 February, a minute late.
    late = {"month": 2, "day": 7, "sched_dep_time": 2359, "dep_time": 2400, "dep_delay": 1, "arr_time": 432}
    assert times(**late, destination_timezone="America/Puerto_Rico") == (
        "2013-02-08T00:00:00-05:00",
        "2013-02-08T04:32:00-04:00",
        212,
    )


def test_an_arrival_at_2400_is_the_midnight_that_ends_the_day() -> None:
    evening = {"sched_dep_time": 2100, "dep_time": 2100, "dep_delay": 0, "arr_time": 2400}
    assert times(**evening, destination_timezone="America/New_York") == (
        "2013-01-01T21:00:00-05:00",
        "2013-01-02T00:00:00-05:00",
        180,
    )


def test_a_delay_of_a_day_moves_the_departure_by_a_day() -> None:
    # Hawaiian 51 on 9 January: the longest delay of the year, 1,301 minutes.
    stuck = {"day": 9, "sched_dep_time": 900, "dep_time": 641, "dep_delay": 1301, "arr_time": 1242}
    assert times(**stuck, destination_timezone="Pacific/Honolulu") == (
        "2013-01-10T06:41:00-05:00",
        "2013-01-10T12:42:00-10:00",
        661,
    )


def test_an_hour_that_comes_twice_is_taken_the_first_time() -> None:
    # Virgin America 413 to Los Angeles in the night in which daylight saving time ended: 339 minutes in
    # the air fit 01:14 at -07:00, 357 minutes after it left, and not the 01:14 an hour later.
    night = {"month": 11, "day": 2, "sched_dep_time": 1655, "dep_time": 2217, "dep_delay": 322, "arr_time": 114}
    assert times(**night, destination_timezone="America/Los_Angeles") == (
        "2013-11-02T22:17:00-04:00",
        "2013-11-03T01:14:00-07:00",
        357,
    )


def test_an_hour_that_comes_twice_is_taken_the_second_time_by_a_departure_after_the_first() -> None:
    # Made up: off at 01:50 daylight saving time, and 01:20 shows again half an hour later.
    hop = {"month": 11, "day": 3, "sched_dep_time": 150, "dep_time": 150, "dep_delay": 0, "arr_time": 120}
    assert times(**hop, destination_timezone="America/New_York") == (
        "2013-11-03T01:50:00-04:00",
        "2013-11-03T01:20:00-05:00",
        30,
    )


def test_an_arrival_in_the_hour_that_clocks_skipped_is_written_as_they_showed_it() -> None:
    # JetBlue 35 to West Palm Beach was due at 00:34 and 89 minutes late: 02:03 in winter time, when the
    # clocks there already showed 03:03.
    night = {"month": 3, "day": 9, "sched_dep_time": 2145, "dep_time": 2306, "dep_delay": 81, "arr_time": 203}
    assert times(**night, destination_timezone="America/New_York") == (
        "2013-03-09T23:06:00-05:00",
        "2013-03-10T03:03:00-04:00",
        177,
    )


def test_a_departure_on_the_day_of_the_change_has_the_offset_of_its_hour() -> None:
    day = {"month": 3, "day": 10, "arr_time": 1200, "destination_timezone": "America/Puerto_Rico"}
    before = times(**day, sched_dep_time=53, dep_time=53, dep_delay=0)
    after = times(**day, sched_dep_time=800, dep_time=800, dep_delay=0)
    assert before[0] == "2013-03-10T00:53:00-05:00"
    assert after[0] == "2013-03-10T08:00:00-04:00"
    # From 05:53 and from 12:00 to 16:00, all in UTC.
    assert (before[2], after[2]) == (607, 240)


# ------------------------------------------------------------------ classify_delay


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (-1, "early"),
        (0, "on time"),
        (14, "on time"),
        (15, "late"),
        (59, "late"),
        (60, "very late"),
        (None, "diverted"),
    ],
)
def test_a_class_begins_at_its_bound(minutes: int | None, expected: str) -> None:
    record = plugin("classify_delay").ClassifyDelay().transform(flight(arr_delay=minutes))
    assert record["delay_class"] == expected


def test_the_departure_can_decide_instead() -> None:
    step = plugin("classify_delay").ClassifyDelay(by="departure", very_late_minutes=90)
    assert step.transform(flight(dep_delay=80, arr_delay=-3))["delay_class"] == "late"
    assert step.describe() == "classify_delay: late from 15, very late from 90 minutes at departure"


@pytest.mark.parametrize(("late", "very_late"), [(60, 60), (90, 60), (0, 60), (-5, 60)])
def test_bounds_that_leave_a_class_empty_are_refused(late: int, very_late: int) -> None:
    with pytest.raises(ValueError, match="expected 0 < late_minutes < very_late_minutes"):
        plugin("classify_delay").ClassifyDelay(late_minutes=late, very_late_minutes=very_late)
