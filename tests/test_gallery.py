"""Each finding and each error has a file that leads to it, and takes no more of a screen than it may."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from plugline import errors
from plugline.codes import CODES
from tests.gallery import finding_in, play
from tests.scenes import ERRORS, ERRORS_WITHOUT, SCENES, WITHOUT

MOST_LINES = 6
PLACE_OF_A_LINE = re.compile(r"[^ ]+?:\d+[: ]")
# What came and what was expected says what to do.
DIFFERENCES = {"R160", "R161"}


@pytest.mark.slow
@pytest.mark.parametrize("code", SCENES)
def test_a_scene_leads_to_its_finding_with_a_hint_in_six_lines(code: str, tmp_path: Path) -> None:
    said = play(SCENES[code], tmp_path.resolve())
    shown = finding_in(said, code)
    assert shown, said
    first, *more = shown.split("\n")
    assert 1 <= len(more) < MOST_LINES, shown
    assert "\\n" not in shown
    if code in DIFFERENCES:
        return
    assert re.match(r"\s+hint: .", more[-1], re.IGNORECASE), shown
    # Hosts read no file again to show a line of it.
    if PLACE_OF_A_LINE.search(first) and SCENES[code].host is None and SCENES[code].program is None:
        assert re.fullmatch(r"  \| +\d+ \| .*", more[0]), "the line is shown"
        assert re.fullmatch(r"  \| +\| +\^", more[1]), "a caret points at it"


@pytest.mark.slow
@pytest.mark.parametrize("name", ERRORS)
def test_a_scene_leads_to_its_error_in_six_lines(name: str, tmp_path: Path) -> None:
    said = play(ERRORS[name], tmp_path.resolve()).strip()
    assert said.startswith(f"{name}: ")
    assert len(said.split("\n")) <= MOST_LINES, said


COMMAND = re.compile(r"((?:plugline (?:enable|disable|trust)|chmod|chown|mkdir)[^;]*)")
PASTED = ["P110", "P116", "R162", "T101", "T301", "T302", "T303", "T304", "T305"]


@pytest.mark.slow
@pytest.mark.parametrize("code", [*PASTED, *(code for code in ("T102", "T103") if code in SCENES)])
def test_the_command_of_a_hint_mends_it_when_it_is_pasted(code: str, tmp_path: Path) -> None:
    shown = finding_in(play(SCENES[code], tmp_path.resolve()), code)
    command = COMMAND.findall(shown)[-1].rpartition("then: ")[2]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", f"{command} && plugline check --load"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "not found" not in done.stderr, command
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert code not in done.stdout


def test_every_code_has_its_scene_or_a_reason_why_not() -> None:
    assert [code for code in CODES if (code in SCENES) == (code in WITHOUT)] == []
    assert [code for code in (*SCENES, *WITHOUT) if code not in CODES] == []


def test_every_error_has_its_scene_or_a_reason_why_not() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.PluglineError)
    }
    assert {name for name in classes if not name.startswith("_")} == {*ERRORS, *ERRORS_WITHOUT}
    assert not ERRORS.keys() & ERRORS_WITHOUT.keys()
