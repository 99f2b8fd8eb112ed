"""What tests/plugins/hostile tries does not succeed; a part of it in each run, all of it by tests/soaks/hostile.py."""

import json
import os
import subprocess
import sys

import pytest

from tests.hostile import CANNOT_BECOME, PLUGINS, ROOT, Audit, Claims, Level, names
from tests.sandboxed import needs_sandbox

_MUSTS = {"fail", "die", "time out", "answer", "any", "quarantine", "unloadable"}
# One in this many in each kind of run, another part of them for each; all of them in each kind take half an hour.
_SHARE = 12
_KINDS: list[tuple[Level, Audit, str]] = [
    ("sandbox", "off", "self"),
    ("sandbox", "off", "nobody"),
    ("sandbox", "refuse", "self"),
    ("sandbox", "warn", "nobody"),
    ("process", "off", "self"),
    ("process", "off", "nobody"),
]


def test_every_hostile_plugin_says_what_must_hold() -> None:
    assert len(names()) > 400
    for name in names():
        claims = Claims(name)
        assert claims.must in _MUSTS
        assert set(claims.levels) <= {"process", "sandbox"}
        assert "\nMust hold: " in (PLUGINS / f"{name}.py").read_text(encoding="utf-8")


@needs_sandbox
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", range(len(_KINDS)), ids=[" ".join(kind) for kind in _KINDS])
def test_hostile_plugins_take_nothing_and_take_nothing_down(kind: int) -> None:
    level, audit, user = _KINDS[kind]
    if user == "nobody" and os.geteuid() != 0:
        pytest.skip("only root can become nobody; the other kinds are run as this user")
    chosen = [name for at, name in enumerate(names()) if at % _SHARE == kind % _SHARE]
    command = [sys.executable, "-m", "tests.hostile", "--level", level, "--audit", audit, "--user", user, *chosen]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=280)
    if done.returncode == CANNOT_BECOME:
        pytest.skip(done.stderr)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    problems = {one["name"]: one["problems"] for one in told if one.get("problems")}
    assert problems == {}
    assert told, done.stderr[-1000:]
    # A host that is taken down says no more after the plugin that did it.
    assert "begin" not in told[-1], f"{told[-1]['begin']} took its host down: {done.stderr[-1000:]}"
    assert done.returncode == 0, done.stderr[-1000:]
