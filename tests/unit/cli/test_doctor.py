import json
import os
import sys
from pathlib import Path

import pytest

from plugline.cli import main
from plugline.cli.health import CHECKS, look
from tests.plugin_folders import GOOD, write
from tests.sandboxed import needs_sandbox

pytestmark = pytest.mark.slow


def test_every_check_has_a_line_of_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    checks = [line.split()[1] for line in lines if not line.startswith(" ")]
    assert checks == [
        "python", "kernel", "landlock", "seccomp", "user", "sandbox", "orjson", "pyarrow", "msgspec", "uv", "watchfiles",
        "cache", "folders"
    ]  # fmt: skip
    assert len(checks) == len(CHECKS) + 1


def test_what_is_wrong_with_a_folder_is_told_with_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path / "plugins",
        {
            "broken.py": "def f(:\n",
            "json.py": GOOD,
            "needs.py": '# /// script\n# dependencies = ["packaging<1"]\n# ///\n' + GOOD,
            "imports.py": "import nobody_installed_this\n" + GOOD,
            "select.py": GOOD,
            "twice.py": "PLUGIN_NAME = 'json'\n" + GOOD,
        },
    )
    assert main(["doctor", "--json"]) == 1
    checks = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    said = {name: (checks[name]["state"], checks[name]["hint"]) for name in ("folders", "duplicates", "libraries")}
    assert said == {
        "folders": ("wrong", "plugline check plugins"),
        "duplicates": ("wrong", "rename one of them, or give it another PLUGIN_NAME"),
        "libraries": ("wrong", "pip install nobody_installed_this"),
    }
    assert checks["folders"]["said"] == "plugins: 6 plugins, of which 2 cannot be used"
    assert [one.partition(":")[0] for one in checks["duplicates"]["found"]] == ["plugins/twice.py"]
    assert [one.partition(":")[0] for one in checks["libraries"]["found"]] == ["plugins/imports.py", "plugins/needs.py"]
    assert checks["shadowed"]["state"] == "ok"
    # This json is a processor: files in JSON are read by the shipped format as before.
    assert [one.partition(":")[0] for one in checks["shadowed"]["found"]] == ["json", "select", "select"]


def test_a_library_of_ours_that_cannot_be_imported_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["doctor", "--json"]) == 1
    found = next(one for one in json.loads(capsys.readouterr().out)["checks"] if one["name"] == "pyarrow")
    assert (found["state"], found["hint"]) == ("wrong", "pip install --force-reinstall pyarrow")


def test_a_folder_that_is_not_there_is_misuse(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["doctor", str(tmp_path / "absent")]) == 2
    assert "absent' is not there" in capsys.readouterr().err


@needs_sandbox
def test_a_probe_in_a_sandbox_is_denied_everything(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--json"]) == 0
    checks = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    probe = checks["sandbox"]["probe"]
    assert set(probe.values()) == {"denied"}
    assert "open a connection" in probe
    assert checks["landlock"]["version"] >= 1
    assert checks["user"]["number"] == os.geteuid()


def test_what_is_missing_has_a_hint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "file").touch()
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    found = {check.name: check for check in look()}
    assert (found["uv"].state, found["uv"].hint) == ("missing", "pip install uv")
    assert found["cache"].state == "missing"
    assert found["sandbox"].state == "wrong"
    assert all(check.hint or check.name == "sandbox" for check in found.values() if check.state != "ok")


def test_a_cache_that_was_turned_off_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGLINE_CACHE", "off")
    (cache,) = (check for check in look() if check.name == "cache")
    assert (cache.state, cache.hint) == ("ok", None)
    assert cache.said.startswith("off, as PLUGLINE_CACHE says")


def test_a_program_without_an_interpreter_of_its_own_is_told_of_like_any_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", "")
    found = {check.name: check.state for check in look()}
    assert (found["python"], found["sandbox"], found["uv"]) == ("wrong", "wrong", "missing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path))
    tmp_path.chmod(0o500)
    (cache,) = (check for check in look() if check.name == "cache")
    assert cache.state == "missing"
    assert "cannot be written" in cache.said
