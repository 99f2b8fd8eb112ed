"""The small form of the soak."""

import random
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.postgres import find_programs, postgres_server
from tests.soaks.kills import TABLES, VARIANTS, Outcome, Variant, on_server, soak


@pytest.mark.slow
@pytest.mark.parametrize("variant", [*VARIANTS, *TABLES], ids=str)
def test_a_run_that_is_killed_at_random_moments_ends_with_the_same_output(variant: Variant, tmp_path: Path) -> None:
    outcome = Outcome()
    soak(tmp_path / "job", variant, 4, random.Random(7), outcome, 20_000)  # noqa: S311 - moments, not secrets
    assert outcome.differing == []
    assert outcome.runs > 0


@pytest.mark.slow
@pytest.mark.skipif(find_programs() is None or find_spec("psycopg") is None, reason="needs PostgreSQL, and psycopg")
def test_a_run_into_a_server_that_is_killed_at_random_moments_ends_with_the_same_rows(tmp_path: Path) -> None:
    outcome = Outcome()
    with postgres_server() as address:
        for number, variant in enumerate(on_server(address)):
            soak(tmp_path / str(number), variant, 3, random.Random(7), outcome, 20_000)  # noqa: S311 - moments, not secrets
    assert outcome.differing == []
    assert outcome.runs > 0
