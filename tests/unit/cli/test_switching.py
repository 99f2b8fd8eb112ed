"""disable, enable, safe mode, timings and warnings, as people see them."""

import json
import os
from pathlib import Path

import pytest

from plugline.cli import main
from tests.plugin_folders import GOOD, write


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"plugins/lower.py": GOOD, "plugins/upper.py": GOOD, "plugins/bad.py": "x = (\n"})
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    assert main(list(words)) == code
    return capsys.readouterr()


def listed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, str]:
    plugins = json.loads(told(capsys, "list", "--json", *words, code=code)[0])["plugins"]
    return {one["name"]: one["state"] for one in plugins if "plugins" in one["origin"]}


def test_what_is_disabled_is_listed_so_and_checked_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "disable", "bad", "lower") == ("bad: disabled\nlower: disabled\n", "")
    assert told(capsys, "disable", "lower") == ("lower: was disabled before\n", "")
    assert Path("plugline.toml").read_text().endswith('disabled = ["bad", "lower"]\n')
    assert listed(capsys) == {"upper": "found", "lower": "disabled", "bad": "disabled"}
    assert told(capsys, "check")[0] == "1 plugin, no findings, 2 disabled\n"
    assert "state: disabled" in told(capsys, "info", "lower")[0]
    assert "error[P116]" in told(capsys, "info", "bad", code=1)[1]
    assert told(capsys, "config", "show", code=0)[1] == ""
    assert told(capsys, "enable", "lower", "bad") == ("lower: enabled\nbad: enabled\n", "")
    assert listed(capsys, code=1) == {"lower": "found", "upper": "found", "bad": "rejected"}


def test_a_class_of_a_file_that_is_disabled_is_enabled_alone(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    body = "    def transform(self, record): return record\n    def describe(self): return ''\n"
    write(folder, {"plugins/both.py": f"class One:\n{body}class Two:\n{body}"})
    assert told(capsys, "disable", "both")[0] == "both: disabled\n"
    assert told(capsys, "disable", "both:One")[0] == "both:One: was disabled before\n"
    assert told(capsys, "enable", "both:One")[0] == "both:One: enabled\n"
    assert Path("plugline.toml").read_text().endswith('disabled = ["both:Two"]\n')
    assert told(capsys, "enable", "both")[0] == "both: enabled\n"
    assert listed(capsys, code=1)["both:Two"] == "found"


def test_a_named_folder_that_is_not_there_is_told_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    gone = (
        "",
        "error[P110] plugns: this plugin folder does not exist\n  hint: did you mean 'plugins'? else create it: mkdir -p plugns\n",
    )
    assert told(capsys, "disable", "lower", "--plugins", "plugns", code=2) == gone
    assert told(capsys, "enable", "lower", "--plugins", "plugns", code=2) == gone
    assert told(capsys, "info", "lower", "--plugins", "plugns", code=1) == gone
    assert not Path("plugline.toml").exists()


def test_a_name_that_no_plugin_has_is_kept_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told(capsys, "disable", "uper", code=1)
    assert out == "uper: disabled\n"
    assert err.startswith("warning[P117] plugline.toml: no plugin is named 'uper'; its name is kept")
    assert "did you mean 'upper'?" in err
    assert told(capsys, "enable", "uper") == ("uper: enabled\n", "")
    assert "nothing was to be changed" in told(capsys, "enable", "uper", code=1)[1]


def test_a_disabled_plugin_whose_file_is_gone_stops_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path(), {"in.ndjson": '{"a":1}\n'})
    told(capsys, "disable", "lower")
    Path("plugins/lower.py").unlink()
    assert told(capsys, "run", "-q", "--use", "upper", "in.ndjson") == ('{"a":1}\n', "")
    assert told(capsys, "preview", "--use", "upper", "in.ndjson")[0].startswith("record 1")


def test_what_is_shipped_can_be_disabled_too(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path(), {"in.csv": "a\n1\n"})
    assert told(capsys, "disable", "csv")[1] == ""
    out, _ = told(capsys, "run", "in.csv", "--from", "csv", "--to", "ndjson", code=2)
    assert out == ""
    assert main(["run", "in.csv", "--from", "csv", "--to", "ndjson"]) == 2
    err = capsys.readouterr().err
    assert "the format 'csv' cannot be used, see the next finding" in err
    assert "error[P116] plugline.toml:2: 'csv' is disabled" in err
    assert "P117" not in told(capsys, "list", code=1)[1]
    assert "P117" not in "".join(told(capsys, "check", code=1))
    assert "'csv'" not in told(capsys, "doctor", code=1)[0]


def test_a_run_tells_that_its_step_is_disabled(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path(), {"in.ndjson": "{}\n"})
    told(capsys, "disable", "upper")
    err = told(capsys, "run", "--use", "upper", "in.ndjson", code=2)[1]
    assert "'upper' is disabled" in err
    assert "hint: plugline enable upper" in err


def test_safe_mode_leaves_plugins_out(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path(), {"in.ndjson": '{"a":1}\n'})
    assert set(listed(capsys, "--no-plugins").values()) == {"disabled"}
    assert listed(capsys, "--only", "upper") == {"upper": "found", "lower": "disabled", "bad": "disabled"}
    assert told(capsys, "check", "--only", "upper")[0] == "1 plugin, no findings, 2 disabled\n"
    assert told(capsys, "run", "--no-plugins", "in.ndjson", "-q")[0] == '{"a":1}\n'
    assert "left out" in told(capsys, "run", "--no-plugins", "--use", "upper", "in.ndjson", code=2)[1]
    assert told(capsys, "run", "--only", "upper", "--use", "upper", "in.ndjson", "-q")[0] == '{"a":1}\n'
    assert "did you mean 'upper'" in told(capsys, "list", "--only", "uper", code=1)[1]


def test_a_file_that_is_no_toml_is_told_and_nothing_of_the_folder_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path(), {"sub/plugins/upper.py": GOOD, "sub/plugline.toml": "disabled = ["})
    err = told(capsys, "list", "sub/plugins", code=1)[1]
    assert "error[P115] sub/plugline.toml:1: is not valid TOML" in err
    assert "P115" in told(capsys, "enable", "upper", "--plugins", "sub/plugins", code=2)[1]
    assert Path("sub/plugline.toml").read_text() == "disabled = ["


def test_timings_load_the_plugins_and_show_what_that_took(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path(), {"plugins/upper.py": "print('talk')\n" + GOOD, "plugins/no.py": "1 / 0\n" + GOOD})
    out, err = told(capsys, "list", "--timings", code=1)
    assert out.splitlines()[0].split() == ["name", "kind", "version", "origin", "state", "read", "load", "summary"]
    assert "talk" in err
    plugins = json.loads(told(capsys, "list", "--timings", "--json", code=1)[0])["plugins"]
    upper, no = (next(one for one in plugins if one["name"] == name) for name in ("upper", "no"))
    assert (upper["state"], upper["generation"], upper["load_seconds"] > 0) == ("loaded", 1, True)
    assert (no["state"], no["load_seconds"]) == ("rejected", None)


def test_timings_have_nothing_against_what_a_pipeline_is_to_give_settings(capsys: pytest.CaptureFixture[str]) -> None:
    plugins = json.loads(told(capsys, "list", "--timings", "--json", code=1)[0])["plugins"]
    assert [
        one["findings"] for one in plugins if one["name"] in ("sample", "select", "validate", "postgresql")
    ] == 4 * [[]]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_warnings_are_shown_and_change_no_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins/bad.py").unlink()
    os.chown("plugins/upper.py", 12345, 0)
    for command in ("check", "list"):
        out, err = told(capsys, command)
        assert "warning[T103] " in out + err
    assert "::warning file=" in told(capsys, "check", "--format", "github")[0]
    assert [one["severity"] for one in json.loads(told(capsys, "check", "--json")[0])["findings"]] == ["warning"]
    assert "warning[T103]: this file belongs to" in told(capsys, "info", "upper")[0]


def test_what_comes_first_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path(), {"plugins/upper.py": f"REQUIRES = ['lower']\nAFTER = ['x', 'y']\nPRIORITY = 3\n{GOOD}"})
    out, _ = told(capsys, "info", "upper")
    assert "  requires: lower\n  comes after: x, y\n  priority: 3\n" in out
