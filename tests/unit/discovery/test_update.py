"""What of a folder is written down when a few of its files were edited."""

import time
from pathlib import Path
from typing import Any

import pytest

from plugline import Host

PLUGIN = '"""Plugin {said}."""\ndef transform(record):\n    return record\n'


def listed(folder: Path) -> dict[str, str]:
    with Host(folder, interface=["transform"]) as host:
        return {plugin.name: plugin.summary for plugin in host}


def index(cache: Path) -> bytes:
    (found,) = cache.glob("*.index")
    return found.read_bytes()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path / "cache"))
    made = tmp_path / "plugins"
    made.mkdir()
    for number in range(20):
        (made / f"p{number:02}.py").write_text(PLUGIN.format(said=number))
    return made


def test_a_file_that_was_edited_a_moment_ago_is_written_down_when_it_has_settled(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns
    with monkeypatch.context() as later:
        later.setattr("plugline.discovery.update.unix_nanoseconds", lambda: now() + 3_000_000_000)
        listed(folder)
    before = index(tmp_path / "cache")
    (folder / "p07.py").write_text(PLUGIN.format(said="edited"))
    for _ in range(2):
        assert listed(folder)["p07"] == "Plugin edited."
    assert index(tmp_path / "cache") == before
    for module in ("update", "edited"):
        monkeypatch.setattr(f"plugline.discovery.{module}.unix_nanoseconds", lambda: now() + 3_000_000_000)
    assert listed(folder)["p07"] == "Plugin edited."
    settled = index(tmp_path / "cache")
    assert settled != before
    assert listed(folder)["p07"] == "Plugin edited."
    assert index(tmp_path / "cache") == settled


def test_many_files_that_are_new_are_written_down_at_once(folder: Path, tmp_path: Path) -> None:
    listed(folder)
    before = index(tmp_path / "cache")
    for number in range(20):
        (folder / f"p{number:02}.py").write_text(PLUGIN.format(said="edited"))
    listed(folder)
    assert index(tmp_path / "cache") != before


def test_a_file_that_was_edited_a_moment_ago_is_loaded_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns
    with monkeypatch.context() as later:
        later.setattr("plugline.discovery.update.unix_nanoseconds", lambda: now() + 3_000_000_000)
        listed(folder)
    text = PLUGIN.format(said="edited").replace("return record", "return 'edited'")
    (folder / "p07.py").write_text(text)
    for _ in range(2):
        with Host(folder, interface=["transform"]) as host:
            assert len(host.plugins) == 20
            loaded: Any = host["p07"].load()
            assert loaded.transform({}) == "edited"
        listed(folder)
