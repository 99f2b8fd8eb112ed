"""Each finding has a file that leads to it, and takes no more of a screen than it may."""

from pathlib import Path

import pytest

from tests.gallery import SCENES, play

MOST_LINES = 6


@pytest.mark.slow
@pytest.mark.parametrize("code", SCENES)
def test_a_scene_leads_to_its_finding_in_six_lines(code: str, tmp_path: Path) -> None:
    said = play(code, tmp_path.resolve())
    assert said.startswith((f"error[{code}] ", f"warning[{code}] "))
    assert len(said.split("\n")) <= MOST_LINES
