"""The small form of the soak."""

import random
from pathlib import Path

import pytest

from tests.soaks.kills import VARIANTS, Outcome, Variant, soak


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_run_that_is_killed_at_random_moments_ends_with_the_same_bytes(variant: Variant, tmp_path: Path) -> None:
    outcome = Outcome()
    soak(tmp_path / "job", variant, 4, random.Random(7), outcome, 20_000)  # noqa: S311 - moments, not secrets
    assert outcome.differing == []
    assert outcome.runs > 0
