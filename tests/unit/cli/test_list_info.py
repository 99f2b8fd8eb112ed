import json
from pathlib import Path

import pytest

import plugline
from plugline.cli import main

TESTS = Path(__file__).parents[2]
QUICKSTART = TESTS.parent / "examples" / "quickstart"
GOOD = TESTS / "plugins" / "good"


def test_list_shows_own_and_shipped_and_rejected_plugins(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(QUICKSTART)
    assert main(["list"]) == 1
    rows = {line.split()[0]: line.split(None, 5) for line in capsys.readouterr().out.splitlines()}
    assert rows["name"] == ["name", "kind", "version", "origin", "state", "summary"]
    assert rows["trim_plugin"] == [
        "trim_plugin",
        "processor",
        "1.0",
        "plugins",
        "found",
        "trim_plugin: strips whitespace from string values",
    ]
    assert rows["csv"][1:5] == ["format", "-", "shipped", "found"]
    assert rows["local"][1] == "engine"
    assert rows["bad_plugin"][3:] == ["plugins", "rejected", "missing functions ['transform', 'describe']"]


def test_list_gives_json_with_findings(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(QUICKSTART)
    assert main(["list", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    bad = next(one for one in data["plugins"] if one["name"] == "bad_plugin")
    assert data["version"] == 1
    assert [one["code"] for one in bad["findings"]] == ["P201"]


def test_a_folder_that_is_missing_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["list", str(tmp_path / "absent")]) == 1
    shown = capsys.readouterr()
    assert "ndjson" in shown.out
    assert shown.err.startswith(f"error[P110] {tmp_path / 'absent'}: this plugin folder does not exist\n")


def test_without_plugins_of_ones_own_the_shipped_ones_are_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["list"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    shipped = Path(plugline.__file__).parent
    assert names == [
        file.stem
        for kind in ("processors", "formats", "engines")
        for file in sorted((shipped / kind).glob("*.py"))
        if not file.stem.startswith("_")
    ]


def test_info_tells_settings_and_functions(capsys: pytest.CaptureFixture[str]) -> None:
    path = GOOD / "class_with_settings" / "annotated.py"
    assert main(["info", str(path), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["plugins"]
    assert told["kinds"] == ["processor"]
    assert told["settings"] == [
        {"name": "limit", "type": "int", "required": False, "summary": "", "default": 10},
        {
            "name": "side",
            "type": "Literal['left', 'right']",
            "required": False,
            "summary": "",
            "default": "right",
        },
        {"name": "fields", "type": "list[str]", "required": True, "summary": ""},
    ]
    assert told["functions"] == ["Shorten.transform(record)", "Shorten.describe()"]
    assert len(told["digest"]) == 64


def test_info_knows_a_name_as_pipelines_know_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(QUICKSTART)
    assert main(["info", "trim"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "trim_plugin (processor): trim_plugin: strips whitespace from string values",
        "  version: 1.0",
        "  file: plugins/trim_plugin.py",
    ]


def test_info_on_a_format_tells_its_suffixes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "ndjson"]) == 0
    assert "  files: .ndjson, .jsonl\n" in capsys.readouterr().out


def test_info_on_a_rejected_plugin_tells_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(QUICKSTART)
    for name in ("bad", "bad_plugin", "plugins/bad_plugin.py"):
        assert main(["info", name]) == 1
        assert capsys.readouterr().err.startswith("error[P201] plugins/bad_plugin.py: missing functions")


def test_an_unknown_name_has_a_nearest(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(QUICKSTART)
    assert main(["info", "upper_plugni"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: no plugin is named 'upper_plugni'\n  hint: did you mean 'upper_plugin'? known plugins are "
    )


def test_permissions_and_dependencies_are_told_and_cannot_forge_lines(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plugin = tmp_path / "p.py"
    plugin.write_text(
        '# /// script\n# dependencies = ["rich>=3"]\n# [tool.plugline]\n# version = "1.5"\n'
        '# permissions = { read = ["data/"], net = false }\n# ///\n"""Reads\\x1b[2J."""\n'
        "def transform(record): return record\ndef describe(): return ''\n",
        encoding="utf-8",
    )
    assert main(["info", str(plugin)]) == 0
    assert capsys.readouterr().out.splitlines()[:5] == [
        "p (processor): Reads\\x1b[2J.",
        "  version: 1.5",
        f"  file: {plugin}",
        "  needs: rich>=3",
        "  permissions: read = ['data/'], net = False",
    ]


def test_info_takes_a_folder_by_its_name_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(QUICKSTART)
    assert main(["info", "plugins/"]) == 1
    told = capsys.readouterr()
    assert main(["info", "plugins"]) == 1
    assert capsys.readouterr() == told


def test_a_file_that_is_not_there_is_wrong_use_of_info(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in ([], ["--json"]):
        assert main(["info", "plugins/absent.py", *words]) == 2
        out, err = capsys.readouterr()
        assert (out, err.splitlines()[0]) == ("", "error: 'plugins/absent.py' is not there")


def test_an_installed_plugin_that_is_rejected_is_listed_as_installed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_points = tmp_path / "site/lacking-1.0.dist-info/entry_points.txt"
    entry_points.parent.mkdir(parents=True)
    entry_points.write_text("[plugline.processors]\nlacking = lacking_of_nobody\n", "utf-8")
    (entry_points.parent / "METADATA").write_text("Metadata-Version: 2.1\nName: lacking\nVersion: 1.0\n", "utf-8")
    (tmp_path / "site/lacking_of_nobody.py").write_text("x = 1\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.chdir(QUICKSTART)
    assert main(["list", "--json"]) == 1
    rejected = {one["name"]: one["origin"] for one in json.loads(capsys.readouterr().out)["plugins"] if one["findings"]}
    assert rejected == {"bad_plugin": "plugins", "lacking": "installed"}
