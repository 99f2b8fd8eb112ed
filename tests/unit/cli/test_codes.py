import json
import re
from pathlib import Path

import pytest

import plugline
from plugline.cli import main
from plugline.codes import CODES

SOURCE = Path(plugline.__file__).parent


def test_every_code_in_the_source_is_explained_and_every_explained_code_is_used() -> None:
    files = [path for path in SOURCE.rglob("*.py") if path.name != "codes.py"]
    used = {code for path in files for code in re.findall(r'"([PCRT]\d{3})"', path.read_text(encoding="utf-8"))}
    assert used == set(CODES)


def test_explain_tells_what_a_code_means_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "p103"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("P103: a module that a plugin imports is not installed\n\n")
    assert "\n\nWhat to do: Install " in shown


def test_explain_lists_all_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    assert [line[:4] for line in capsys.readouterr().out.splitlines()] == sorted(CODES)


def test_explain_gives_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "C101", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["version"], data["code"], data["title"]) == (1, "C101", "a key is not known")


def test_an_unknown_code_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "P1031"]) == 2
    assert capsys.readouterr().err == (
        "error: no finding has the code 'P1031'\n  hint: did you mean 'P103'? plugline explain lists all codes\n"
    )


@pytest.mark.parametrize("word", ["error[P103]", "P103:", "p103", "warning[P103]"])
def test_a_code_is_explained_as_it_stands_in_a_finding(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", word]) == 0
    assert capsys.readouterr().out.startswith("P103: ")


def test_a_number_without_its_letter_is_told_with_all_codes_that_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "203"]) == 2
    assert "did you mean 'P203' or 'T203'? " in capsys.readouterr().err
