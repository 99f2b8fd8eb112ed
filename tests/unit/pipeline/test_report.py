"""What a run did, as data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.pipeline.report import RunReport, added, tallied
from plugline.records import StepCounts


def counts(entered: int = 0, created: int = 0, out: int = 0, dropped: int = 0, failed: int = 0) -> StepCounts:
    return StepCounts(name="it", entered=entered, created=created, out=out, dropped=dropped, failed=failed, seconds=1.0)


def report(*each: StepCounts) -> RunReport:
    return RunReport(counts=each, seconds=1.0, output="-", dead_letters=None)


def test_totals_are_those_of_all_steps() -> None:
    made = report(counts(10, 0, 9, 0, 1), counts(9, 3, 10, 1, 1), counts(10, 0, 10))
    assert (made.records_in, made.created, made.records_out, made.dropped, made.failed) == (10, 3, 10, 1, 2)
    assert made.balanced


@pytest.mark.parametrize(
    "each",
    [
        (counts(2, 0, 1),),
        (counts(2, 0, 2), counts(1, 0, 1)),
    ],
)
def test_a_record_that_vanished_upsets_the_balance(each: tuple[StepCounts, ...]) -> None:
    assert not report(*each).balanced


def test_a_run_that_did_nothing_is_balanced() -> None:
    made = report()
    assert made.balanced
    assert (made.records_in, made.records_out) == (0, 0)


def test_counts_of_two_splits_add_up() -> None:
    one, two = (counts(1, 2, 3, 4, 5),), (counts(10, 20, 30, 40, 50),)
    assert added(one, two) == (
        StepCounts(name="it", entered=11, created=22, out=33, dropped=44, failed=55, seconds=2.0),
    )
    assert added((), two) == two
    assert added(one, ()) == one


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(1, 9))))
def test_no_error_is_lost_in_the_tally_and_the_most_frequent_comes_first(errors: list[dict[str, int]]) -> None:
    total = tallied(errors)
    assert sum(total.values()) == sum(sum(each.values()) for each in errors)
    assert list(total.values()) == sorted(total.values(), reverse=True)
