"""A process that forks workers with the imports done, and what is left when its host ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from plugline import Host
from plugline.errors import WorkerFailed
from plugline.isolation.levels import Level
from plugline.isolation.process import this_python
from plugline.isolation.zygote import Nursery, Zygote
from plugline.worker.limits import Sandbox
from tests.sandboxed import needs_sandbox
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


def has_ended(pid: int) -> bool:
    return not is_running(pid)


def has_forked_two(children: Path) -> bool:
    return len(children.read_text(encoding="ascii").split()) == 2


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


@pytest.mark.parametrize("level", LEVELS)
def test_a_worker_that_waits_at_a_zygote_that_died_is_not_given_the_pipes_of_another(
    tmp_path: Path, level: Level
) -> None:
    """It would read what the other one waits for, and end."""
    write_plugin(tmp_path, WHERE, "second")
    folder = write_plugin(tmp_path, WHERE)
    with Host(str(folder), interface=["transform"], isolation=level, preload=["colorsys"]) as host:
        zygote = cast("int", asked(host["subject"].load())["parent"])
        children = Path(f"/proc/{zygote}/task/{zygote}/children")

        def are_on_their_own() -> bool:
            workers = [int(number) for number in children.read_text(encoding="ascii").split()]
            # Until then, the one that waits has its zygote's end of the line to the host as well.
            return len(workers) == 2 and all(os.getsid(worker) == worker for worker in workers)

        wait_until(are_on_their_own)  # one works, one waits
        os.kill(zygote, signal.SIGKILL)
        wait_until(lambda: not is_running(zygote))
        began = time.perf_counter()
        assert asked(host["second"].load())["parent"] != zygote
        assert time.perf_counter() - began < 10


def test_a_zygote_that_is_killed_while_it_forks_costs_no_plugin(tmp_path: Path) -> None:
    write_plugin(tmp_path, WHERE, "second")
    folder = write_plugin(tmp_path, WHERE)
    for _ in range(8):
        with Host(str(folder), interface=["transform"], isolation="process", preload=["colorsys"]) as host:
            zygote = cast("int", asked(host["subject"].load())["parent"])
            wait_until(partial(has_forked_two, Path(f"/proc/{zygote}/task/{zygote}/children")))
            os.kill(zygote, signal.SIGKILL)
            second = host["second"].load()
            asked(second)
            wait_until(partial(has_ended, zygote))  # until then, it is the parent of who works
            assert asked(second)["parent"] != zygote


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


def test_a_worker_that_died_before_anybody_needed_it_is_nobodys_fault(tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, WHERE)
    with Host(str(folder), interface=["transform"], isolation="process", preload=["colorsys"]) as host:
        plugin = host["subject"].load()
        first = asked(plugin)
        waiting = others_than(first)
        for process in waiting:
            os.kill(process, signal.SIGKILL)
            wait_until(lambda process=process: not is_running(process))  # type: ignore[misc]
        with pytest.raises(WorkerFailed, match="exit code 1"):
            asked(plugin, end=1)
        second = asked(plugin)
        assert second["parent"] == first["parent"]
        assert second["pid"] not in waiting
        assert not any(is_there(process) for process in waiting)  # no zombie is left of it


def others_than(worker: dict[str, object]) -> set[int]:
    """Wait until a worker's zygote has forked another one, and return the numbers of all others."""
    children = Path(f"/proc/{worker['parent']}/task/{worker['parent']}/children")

    def found() -> set[int]:
        return {int(number) for number in children.read_text(encoding="ascii").split()} - {cast("int", worker["pid"])}

    wait_until(lambda: bool(found()))
    return found()


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


LOOK = """
def tried(what):
    try:
        return what()
    except OSError as error:
        return type(error).__name__
import _socket, pathlib
return {
    'parent': os.getppid(),
    'own': tried(lambda: os.listdir(record['own'])),
    'others': tried(lambda: os.listdir(record['others'])),
    'written': tried(lambda: pathlib.Path(record['own'], 'new').write_text('x')),
    'socket': tried(lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).close()),
    'started': tried(lambda: os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)[1]),
    'variables': dict(os.environ),
}
"""
NOTHING = {
    "own": "PermissionError",
    "written": "PermissionError",
    "socket": "PermissionError",
    "started": "PermissionError",
}


@needs_sandbox
@pytest.mark.parametrize(
    ("limits", "has"),
    [
        ({}, {}),
        ({"read": True}, {"own": []}),
        ({"write": True}, {"own": [], "written": 1}),
        ({"net": True}, {"socket": None}),
        ({"run": True}, {"started": 0}),
        ({"env": ["A_NAME"]}, {"variables": {"A_NAME": "a value"}}),
    ],
)
def test_a_forked_worker_is_held_to_its_own_grants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, object], has: dict[str, object]
) -> None:
    monkeypatch.setenv("A_NAME", "a value")
    monkeypatch.setenv("ANOTHER", "another value")
    own, others = tmp_path / "own", tmp_path / "others"
    own.mkdir()
    others.mkdir()
    limits = {name: [own] if name in ("read", "write") else value for name, value in limits.items()}
    folder = write_plugin(tmp_path, LOOK)
    sandbox = Sandbox(timeout_seconds=10, **limits)  # type: ignore[arg-type]
    with Host(str(folder), interface=["transform"], isolation=sandbox, preload=["colorsys"]) as host:
        found = asked(host["subject"].load(), own=str(own), others=str(others))
    assert found.pop("parent") != os.getpid()
    assert found == {**NOTHING, "others": "PermissionError", "variables": {}, **has}


def test_a_forked_worker_has_no_more_descriptors_than_one_that_was_started_directly(tmp_path: Path) -> None:
    body = "return {'parent': os.getppid(), 'open': [os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in os.listdir('/proc/self/fd') if os.path.islink(f'/proc/self/fd/{n}')]}"
    folder = write_plugin(tmp_path, body)
    found = []
    for preload in ([], ["colorsys"]):
        with Host(str(folder), interface=["transform"], isolation="process", preload=preload) as host:
            answer = asked(host["subject"].load())
        assert (answer["parent"] == os.getpid()) is (not preload)
        found.append(sorted(cast("list[str]", answer["open"])))
    assert found[0] == found[1]


@needs_sandbox
def test_a_folder_of_libraries_that_was_made_anew_is_read_by_the_next_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = tmp_path / "site-packages"
    for version in ("old", "new"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "plugline_tests_library.py").write_text(f"VERSION = {version!r}\n", encoding="utf-8")
    (tmp_path / "old").rename(libraries)
    monkeypatch.setattr(sys, "path", [*sys.path, str(libraries)])
    body = "if 'end' in record:\n    os._exit(1)\nimport plugline_tests_library\n"
    body += "return {'version': plugline_tests_library.VERSION, 'pid': os.getpid(), 'parent': os.getppid()}"
    folder = write_plugin(tmp_path, body)
    limits = Sandbox(timeout_seconds=10)
    with Host(str(folder), interface=["transform"], isolation=limits, preload=["colorsys"]) as host:
        plugin = host["subject"].load()
        first = asked(plugin)
        assert first["version"] == "old"
        others_than(first)  # whose rules name the folder that goes
        libraries.rename(tmp_path / "old")
        (tmp_path / "new").rename(libraries)
        with pytest.raises(WorkerFailed):
            asked(plugin, end=1)
        assert asked(plugin)["version"] == "new"


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
