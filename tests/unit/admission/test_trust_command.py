"""``plugline trust`` from the outside."""

import json
from pathlib import Path

import pytest

from plugline.cli import main

GOOD = "def transform(record):\n    return record\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "x.py").write_text(GOOD)
    return tmp_path


def test_a_difference_is_shown_and_written_only_when_asked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = project / "plugline.lock"
    assert main(["trust", "--diff"]) == 1
    assert capsys.readouterr().out == f"+ x (new) plugins/x.py\n{lock}: nothing was written\n"
    assert not lock.exists()
    assert main(["trust"]) == 0
    assert capsys.readouterr().out == f"+ x (new) plugins/x.py\n{lock}: trusted: 1\n"
    assert main(["trust", "--diff"]) == 0
    assert capsys.readouterr().out == f"{lock}: nothing has changed\n"


def test_programs_get_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "plugins", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["written"] is True
    assert [one["name"] for one in data["locks"][0]["plugins"]] == ["x"]


def test_without_a_folder_of_plugins_something_has_to_be_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "plugins").rename(project / "others")
    assert main(["trust"]) == 2
    assert "name what to trust" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_refused_and_nothing_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trust", "plugins/z.py"]) == 2
    assert capsys.readouterr().err == "error: 'plugins/z.py' is not there\n  hint: name a plugin folder or a plugin\n"
    assert not (project / "plugline.lock").exists()


def test_a_plugin_that_is_gone_is_trusted_no_more_by_its_own_path(project: Path) -> None:
    assert main(["trust"]) == 0
    (project / "plugins" / "x.py").unlink()
    assert main(["trust", "plugins/x.py"]) == 0
    assert "x.py" not in (project / "plugline.lock").read_text(encoding="utf-8")
