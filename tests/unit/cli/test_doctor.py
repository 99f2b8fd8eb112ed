import json
import os
from pathlib import Path

import pytest

from plugline.cli import main
from plugline.cli.health import CHECKS, look
from tests.sandboxed import needs_sandbox

pytestmark = pytest.mark.slow


def test_every_check_has_a_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    checks = [line.split()[1] for line in lines if not line.startswith(" ")]
    assert checks == [
        "python", "kernel", "landlock", "seccomp", "user", "sandbox", "msgspec", "uv", "watchfiles", "cache"
    ]  # fmt: skip
    assert len(checks) == len(CHECKS)


@needs_sandbox
def test_a_probe_in_a_sandbox_is_denied_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    checks = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    probe = checks["sandbox"]["probe"]
    assert set(probe.values()) == {"denied"}
    assert "open a connection" in probe
    assert checks["landlock"]["version"] >= 1
    assert checks["user"]["number"] == os.geteuid()


def test_what_is_missing_has_a_hint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLUGLINE_CACHE", "off")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    found = {check.name: check for check in look()}
    assert (found["uv"].state, found["uv"].hint) == ("missing", "pip install uv")
    assert found["cache"].state == "missing"
    assert found["sandbox"].state == "wrong"
    assert all(check.hint or check.name == "sandbox" for check in found.values() if check.state != "ok")
