from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from plugline.cli.page import Samples
from plugline.pipeline.split import Progress


def progress(seconds: float, records: int) -> Progress:
    return Progress(records_in=records, records_out=0, failed=0, bytes_read=0, bytes_total=None, seconds=seconds)


@given(st.lists(st.tuples(st.floats(0.001, 10), st.integers(0, 100_000)), max_size=300))
def test_the_speeds_add_up_to_all_records_and_to_the_whole_time(steps: list[tuple[float, int]]) -> None:
    samples, seconds, records = Samples(), 0.0, 0
    for took, read in steps:
        seconds, records = seconds + took, records + read
        samples.update(progress(seconds, records))
    speeds = samples.speeds(seconds + 0.5, records)
    assert len(speeds) <= 60
    assert speeds[0].begin == 0
    assert abs(speeds[-1].end - seconds - 0.5) < 1e-6
    counted = sum(one.records_per_second * (one.end - one.begin) for one in speeds)
    assert abs(counted - records) <= 1e-6 * records + 1e-6


def test_records_of_a_run_before_took_none_of_the_time() -> None:
    samples = Samples()
    for number in range(1, 101):
        samples.update(replace(progress(number / 10, 1000 + number * 50), records_before=1000))
    assert {round(one.records_per_second) for one in samples.speeds(10.0, 6000)} == {500}


def test_an_even_run_has_one_speed() -> None:
    samples = Samples()
    for number in range(1, 101):
        samples.update(progress(number / 10, number * 50))
    assert {round(one.records_per_second) for one in samples.speeds(10.0, 5000)} == {500}


def test_a_long_run_keeps_a_bounded_number_of_samples() -> None:
    samples = Samples()
    for number in range(100_000):
        samples.update(progress(number / 10, number))
    assert len(samples._taken) <= 2_001


def test_a_run_of_no_time_has_no_speed() -> None:
    assert Samples().speeds(0.0, 0) == []
