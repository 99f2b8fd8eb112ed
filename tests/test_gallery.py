"""Each finding has a file that leads to it, and takes no more of a screen than it may."""

from pathlib import Path

import pytest

from plugline.codes import CODES
from tests.gallery import SCENES, has_a_reason, play

MOST_LINES = 6


@pytest.mark.slow
@pytest.mark.parametrize("code", SCENES)
def test_a_scene_leads_to_its_finding_in_six_lines(code: str, tmp_path: Path) -> None:
    said = play(code, tmp_path.resolve())
    assert said.startswith((f"error[{code}] ", f"warning[{code}] "))
    assert len(said.split("\n")) <= MOST_LINES


def test_every_code_has_its_scene_or_a_reason_why_not() -> None:
    assert [code for code in CODES if code not in SCENES and not has_a_reason(code)] == []
    assert [code for code in SCENES if code not in CODES] == []
