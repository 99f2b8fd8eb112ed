"""Plugins that were written for an older plugin API work as they did."""

import json
import shutil
from pathlib import Path
from typing import Protocol

import pytest

import plugline
from plugline.cli import main

OLDER = Path(__file__).parent / "plugins" / "older"
VERSIONS = sorted(path.name for path in OLDER.iterdir() if path.is_dir() and not path.name.startswith("_"))

PIPELINE = """
plugins = ["plugins"]

[source]
path = "in.semi"
options = { strict = false }

[[steps]]
use = "shout"

[[steps]]
use = "twice"
with = { times = 3 }

[sink]
path = "out.semi"

[run]
engine = "one_by_one"
"""


@pytest.fixture(params=VERSIONS)
def plugins(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(OLDER / request.param, tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "plugins"


def test_all_are_accepted(plugins: Path) -> None:
    assert main(["check", "plugins"]) in (0, 1)
    with plugline.Host("plugins", api_version=plugline.API_VERSION) as host:
        assert host.rejected == ()
        assert set(host.names) == {"shout", "twice", "semicolon", "one_by_one", "host_plugin"}


def test_processors_a_format_and_an_engine_make_a_pipeline(plugins: Path) -> None:
    Path("pipeline.toml").write_text(PIPELINE, "utf-8")
    Path("in.semi").write_text("name;city\nalice;hamburg\nbroken\nbob;porto\n", "utf-8")
    assert main(["run", "-q"]) == 1
    lines = Path("out.semi").read_text("utf-8").splitlines()
    assert lines == ["name;city;copy", *(f"{who};{n}" for who in ("ALICE;HAMBURG", "BOB;PORTO") for n in range(3))]
    (letter,) = map(json.loads, Path("out.errors.ndjson").read_text("utf-8").splitlines())
    assert (letter["raw"], letter["position"]["line"], letter["error"]["message"]) == (
        "broken",
        3,
        "fields are missing",
    )


class Greeter(Protocol):
    """What the host of then asked for, grown by a parameter that plugins of then do not take."""

    def greet(self, name: str, loudly: bool = False) -> str: ...  # noqa: FBT001, FBT002 - the law is about such a one


def test_a_host_whose_interface_has_grown_takes_them(plugins: Path) -> None:
    with plugline.Host("plugins/host_plugin.py", interface=Greeter, api_version="1.3") as host:
        assert host.names == ("host_plugin",)
        assert host["host_plugin"].load().greet("Ada") == "hello Ada"
