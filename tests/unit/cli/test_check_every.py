"""One run of check over one folder tells every finding that a folder can have, in each of its forms."""

import json
import re
from pathlib import Path

import pytest

from plugline.cli import main
from plugline.codes import CODES
from tests.every_code import NOT_IN_A_FOLDER, build

COMMAND = ["check", "--load", "--audit", "plugins"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return build(tmp_path)


@pytest.mark.usefixtures("folder")
def test_each_code_that_a_folder_can_show_is_shown_by_one_check_of_one_folder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*COMMAND, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    wanted = {code for code in CODES if code[0] in "PT"} - NOT_IN_A_FOLDER.keys()
    assert {one["code"] for one in found} == wanted, "a new code has its plugin, or its reason, in tests/every_code.py"
    for code in wanted - {"P107", "P117"}:
        told = {one["code"] for one in found if Path(one["path"]).name.partition(".")[0] in (code.lower(), "native")}
        of_package = {one["code"] for one in found if Path(one["path"]).parent.name == code.lower()}
        assert code in told | of_package, f"{code} is told, but not of its plugin"
    assert not [one for one in found if Path(one["path"]).name == "good.py"]


@pytest.mark.usefixtures("folder")
def test_the_text_names_each_with_its_place_and_a_plugin_costs_six_lines_at_most(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(COMMAND) == 1
    out = capsys.readouterr().out
    codes = set(re.findall(r"^(?:error|warning)\[([PT]\d{3})\] \S+", out, re.MULTILINE))
    assert codes == {code for code in CODES if code[0] in "PT"} - NOT_IN_A_FOLDER.keys()
    lines: dict[str, int] = {}
    name = ""
    for line in out.splitlines()[:-1]:
        first = re.match(r"(?:error|warning)\[....\] ([^:]+)", line)
        name = first[1] if first is not None else name
        lines[name] = lines.get(name, 0) + 1
    assert max(lines.values()) <= 6
    assert re.fullmatch(r"\d+ plugins, \d+ with findings(?: and findings on \d+ other files?)?.*", out.splitlines()[-1])


@pytest.mark.usefixtures("folder")
def test_the_annotations_of_github_name_each_with_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--format", "github"]) == 1
    found = re.findall(
        r"^::(error|warning) file=([^,]+),(?:line=\d+,)?(?:col=\d+,)?title=([PT]\d{3})::.",
        capsys.readouterr().out,
        re.MULTILINE,
    )
    assert {code for _, _, code in found} == {code for code in CODES if code[0] in "PT"} - NOT_IN_A_FOLDER.keys()


def test_each_reason_is_about_a_code_that_there_is() -> None:
    assert NOT_IN_A_FOLDER.keys() <= CODES.keys()
