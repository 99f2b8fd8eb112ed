"""A process that forks workers with the imports done, and what is left when its host ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from plugline import Host
from plugline.errors import WorkerFailed
from plugline.isolation.levels import Level
from plugline.isolation.process import this_python
from plugline.isolation.zygote import Nursery, Zygote
from plugline.worker.limits import Sandbox
from tests.workers import LEVELS, write_plugin

pytestmark = pytest.mark.slow

WHERE = (
    "if 'end' in record:\n    os._exit(1)\n"
    "return {'pid': os.getpid(), 'parent': os.getppid(), 'loaded': 'colorsys' in sys.modules, 'r': os.urandom(4).hex()}"
)


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie, which somebody else is to wait for."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def asked(plugin: object, **record: object) -> dict[str, object]:
    return cast("dict[str, object]", plugin.transform(record))  # type: ignore[attr-defined]


@pytest.mark.parametrize("level", LEVELS)
def test_a_worker_with_preloaded_modules_is_forked(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, WHERE)
    limits = Sandbox(timeout_seconds=10)
    with Host(str(folder), interface=["transform"], isolation=level, limits=limits, preload=["colorsys"]) as host:
        plugin = host["subject"].load()
        first = asked(plugin)
        assert first["parent"] != os.getpid()
        assert first["loaded"] is True
        with pytest.raises(WorkerFailed, match="ended with exit code 1"):
            asked(plugin, end=1)
        second = asked(plugin)
        assert second["parent"] == first["parent"]
        assert second["pid"] != first["pid"]
    assert not is_running(cast("int", first["parent"]))
    assert not is_running(cast("int", second["pid"]))


def test_the_first_worker_of_a_host_waits_for_no_zygote_and_later_ones_come_from_it(tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, WHERE)
    with Host(str(folder), interface=["transform"], isolation="process") as host:
        plugin = host["subject"].load()
        assert asked(plugin)["parent"] == os.getpid()

        def is_forked() -> bool:
            with pytest.raises(WorkerFailed):
                asked(plugin, end=1)
            return asked(plugin)["parent"] != os.getpid()

        wait_until(is_forked)


def test_a_zygote_that_died_is_replaced(tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, WHERE)
    with Host(str(folder), interface=["transform"], isolation="process", preload=["colorsys"]) as host:
        plugin = host["subject"].load()
        zygote = cast("int", asked(plugin)["parent"])
        os.kill(zygote, signal.SIGKILL)
        wait_until(lambda: not is_running(zygote))
        assert asked(plugin)["loaded"] is True  # its workers do not need it
        with pytest.raises(WorkerFailed):
            asked(plugin, end=1)

        def is_replaced() -> bool:
            found = asked(plugin)
            with pytest.raises(WorkerFailed):
                asked(plugin, end=1)
            return found["parent"] not in (zygote, os.getpid())

        wait_until(is_replaced)


def test_a_module_that_cannot_be_preloaded_is_told_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_plugin(tmp_path, WHERE)
    with Host(str(folder), interface=["transform"], isolation="process", preload=["no_such_module"]) as host:
        assert asked(host["subject"].load())["loaded"] is False
    assert "could not import no_such_module: ModuleNotFoundError" in caplog.text


def test_workers_of_one_zygote_draw_different_random_numbers(tmp_path: Path) -> None:
    write_plugin(tmp_path, "import random; return {'r': random.random()}", "one")
    folder = write_plugin(tmp_path, "import random; return {'r': random.random()}", "two")
    with Host(str(folder), interface=["transform"], isolation="process", preload=["random"]) as host:
        assert asked(host["one"].load()) != asked(host["two"].load())


def test_a_zygote_has_one_thread_and_nothing_of_the_hosts_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "of the host")
    zygote = Zygote(this_python(), sys.path, ["json"])
    try:
        wait_until(zygote.is_ready)
        folder = Path(f"/proc/{zygote._process.pid}")
        assert len(list((folder / "task").iterdir())) == 1
        assert b"A_SECRET" not in (folder / "environ").read_bytes()
    finally:
        zygote.close()


def test_a_nursery_in_a_fork_of_the_host_leaves_the_parents_zygote_alone() -> None:
    nursery = Nursery(this_python(), sys.path, ["json"])
    try:
        assert nursery.find() is not None
        child = os.fork()
        if child == 0:
            os._exit(0 if nursery.find() is None else 1)
        assert os.waitpid(child, 0)[1] == 0
        zygote = nursery.find()
        assert zygote is not None
        wait_until(zygote.is_ready)
    finally:
        nursery.close()


PROGRAM = """
import os, sys, time
from plugline import Host
host = Host(sys.argv[1], interface=["transform"], isolation=sys.argv[2], preload=sys.argv[4:])
plugin = host["subject"].load()
print(plugin.transform({"busy": False})["pids"], flush=True)
if sys.argv[3] == "busy":
    plugin.transform({"busy": True})
time.sleep(100)
"""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("doing", ["idle", "busy"])
@pytest.mark.parametrize("preload", [[], ["json"]])
def test_nothing_is_left_of_a_host_that_was_killed(
    tmp_path: Path, level: Level, doing: str, preload: list[str]
) -> None:
    children = "[]"
    if level == "process":
        children = "[__import__('subprocess').Popen(['sleep', '1000']).pid]"
    body = f"if record['busy']:\n    while True: pass\nreturn {{'pids': [os.getpid(), os.getppid(), *{children}]}}"
    folder = write_plugin(tmp_path, body)
    command = [sys.executable, "-c", PROGRAM, str(folder), level, doing, *preload]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        pids = [int(part) for part in host.stdout.readline().strip("[]\n").split(",")]
        assert all(is_running(pid) for pid in pids)
        host.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(is_running(pid) for pid in pids))
