"""Reloads leave no memory behind: the small form of the soak."""

from pathlib import Path

import pytest

from tests.soaks.reload_memory import MOST_OBJECTS, soak


@pytest.mark.slow
@pytest.mark.parametrize("bodies", [True, False])
def test_reloads_leave_no_objects_behind(tmp_path: Path, *, bodies: bool) -> None:
    grown = soak(tmp_path, 100, bodies=bodies, before_counting=20)
    assert grown.objects <= MOST_OBJECTS
    assert grown.versions <= 2
