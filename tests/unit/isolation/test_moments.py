"""What a plugin in a worker opens and closes."""

import time
from pathlib import Path
from typing import Protocol

import pytest

from plugline import Host, LoadError
from plugline.errors import WorkerFailed
from plugline.isolation.levels import Level
from plugline.worker.limits import Sandbox
from tests.workers import LEVELS

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("level", LEVELS)]

SOURCE = """
import os

def note(text):
    with open({log!r}, "a") as file:
        file.write(text + "\\n")

def on_load(context):
    {loading}
    note(f"on_load {{context.name}} {{context.generation}} {{context.reason}}")

def on_unload():
    note("on_unload")
    {unloading}

def transform(record):
    if record.get("die"):
        os._exit(1)
    return {{"version": {version!r}}}
"""


class Processor(Protocol):
    def transform(self, record: dict[str, object], /) -> object: ...


class Scene:
    """A plugin that notes its moments, and the host that has it."""

    def __init__(self, folder: Path, level: Level) -> None:
        self.folder = folder / "plugins"
        self.folder.mkdir(mode=0o755)
        self.notes = folder / "notes"
        self.notes.mkdir()
        self.write(1)
        limits = Sandbox(timeout_seconds=10, write=[self.notes])
        self.host = Host(str(self.folder), interface=Processor, isolation=level, limits=limits)

    def write(self, version: int, loading: str = "pass", unloading: str = "pass") -> None:
        source = SOURCE.format(log=str(self.notes / "log"), loading=loading, unloading=unloading, version=version)
        (self.folder / "subject.py").write_text(f"VERSION = '{version}'\n{source}", encoding="utf-8")

    def told(self) -> list[str]:
        return (self.notes / "log").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def scene(tmp_path: Path, level: Level) -> Scene:
    return Scene(tmp_path, level)


def test_a_plugin_opens_when_it_is_loaded_and_closes_with_its_host(scene: Scene) -> None:
    with scene.host as host:
        assert host["subject"].load().transform({}) == {"version": 1}
        assert scene.told() == ["on_load subject 1 load"]
    assert scene.told() == ["on_load subject 1 load", "on_unload"]


def test_the_old_version_closes_before_the_new_one_opens(scene: Scene) -> None:
    with scene.host as host:
        plugin = host["subject"].load()
        scene.write(2)
        assert host.reload("subject").ok
        assert scene.told() == ["on_load subject 1 load", "on_unload", "on_load subject 2 reload"]
        assert host["subject"].load().transform({}) == {"version": 2}
        assert plugin.transform({})


def test_a_version_that_cannot_open_is_refused_and_the_old_one_opens_again(scene: Scene) -> None:
    with scene.host as host:
        host["subject"].load()
        scene.write(2, loading="raise ValueError('the port is taken')")
        report = host.reload("subject")
        assert not report.ok
        assert "the port is taken" in str(report)
        assert "in on_load()" in str(report)
        assert host["subject"].load().transform({}) == {"version": 1}
        assert scene.told() == ["on_load subject 1 load", "on_unload", "on_load subject 1 restore"]


def test_what_cannot_open_is_not_loaded(scene: Scene) -> None:
    scene.write(1, loading="raise SystemExit(3)")
    with scene.host as host, pytest.raises(LoadError, match=r"in on_load\(\)|sys\.exit\(3\)"):
        host["subject"].load()


def test_what_on_unload_raises_holds_nobody_up(scene: Scene) -> None:
    scene.write(1, unloading="raise ValueError('broken')")
    with scene.host as host:
        host["subject"].load()
    assert scene.told() == ["on_load subject 1 load", "on_unload"]


def test_each_worker_opens_anew(scene: Scene) -> None:
    with scene.host as host:
        plugin = host["subject"].load()
        with pytest.raises(WorkerFailed):
            plugin.transform({"die": True})
        assert plugin.transform({}) == {"version": 1}
    assert scene.told() == ["on_load subject 1 load", "on_load subject 1 load", "on_unload"]


def test_who_hangs_while_closing_is_not_waited_for(scene: Scene) -> None:
    scene.write(1, unloading="import time; time.sleep(600)")
    host = scene.host
    host["subject"].load()
    began = time.perf_counter()
    host.close()
    assert time.perf_counter() - began < 8


def test_an_instance_without_settings_closes_too(tmp_path: Path, level: Level) -> None:
    folder, notes = tmp_path / "plugins", tmp_path / "notes"
    folder.mkdir(mode=0o755)
    notes.mkdir()
    source = f"""
class Subject:
    size: int = 1

    def transform(self, record):
        return {{"size": self.size}}

    def on_unload(self):
        with open({str(notes / "log")!r}, "a") as file:
            file.write(f"closed {{self.size}}")
"""
    (folder / "subject.py").write_text(source, encoding="utf-8")
    limits = Sandbox(timeout_seconds=10, write=[notes])
    with Host(str(folder), interface=Processor, isolation=level, limits=limits) as host:
        plain = host["subject"].load()
        other = host["subject"].load({"size": 5})
        assert [plain.transform({}), other.transform({})] == [{"size": 1}, {"size": 5}]
    assert (notes / "log").read_text(encoding="utf-8") == "closed 1"
