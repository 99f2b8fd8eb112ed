"""Threads that are busy let a reload have its turn."""

import sys
from collections.abc import Iterator

import pytest

from plugline.host.brisk import brisk


@pytest.fixture(autouse=True)
def interval() -> Iterator[float]:
    before = sys.getswitchinterval()
    yield before
    sys.setswitchinterval(before)


def test_the_interval_is_short_inside_and_as_it_was_outside(interval: float) -> None:
    with brisk:
        assert sys.getswitchinterval() < interval
    assert sys.getswitchinterval() == interval


def test_two_that_overlap_leave_it_as_it_was(interval: float) -> None:
    brisk.__enter__()
    brisk.__enter__()
    brisk.__exit__(None, None, None)
    assert sys.getswitchinterval() < interval
    brisk.__exit__(None, None, None)
    assert sys.getswitchinterval() == interval


def test_what_the_program_sets_meanwhile_stays() -> None:
    with brisk:
        sys.setswitchinterval(0.01)
    assert sys.getswitchinterval() == pytest.approx(0.01)


def test_a_shorter_one_of_the_program_stays() -> None:
    sys.setswitchinterval(0.0001)
    with brisk:
        assert sys.getswitchinterval() == pytest.approx(0.0001, rel=0.05)
    assert sys.getswitchinterval() == pytest.approx(0.0001, rel=0.05)
