"""Random edits of random plugins: the small form of the fuzzer."""

from pathlib import Path

import pytest

from tests.soaks.reload_fuzz import fuzz


@pytest.mark.slow
def test_what_was_reloaded_does_what_the_source_says(tmp_path: Path) -> None:
    result = fuzz(tmp_path, 300, seed=1, each=100)
    assert result.fresh == []
    assert result.checks > 1000
    assert len(result.held) <= 0.001 * result.checks + 2  # what closes over something new cannot follow
    assert result.unnamed == []
