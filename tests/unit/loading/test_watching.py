"""Loads that take long."""

import logging
import threading
import time
from pathlib import Path

import pytest

from plugline import Host
from tests.plugin_folders import write

GOOD = "def run():\n    return 1\n"
SECONDS = 20.0


def test_a_load_that_hangs_is_a_warning_that_names_the_plugin_and_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()
    folder = write(tmp_path / "plugins", {"a.py": "\nX = 1\ngo_on.wait(20)\n" + GOOD, "b.py": GOOD})
    with Host(folder, interface=["run"], inject={"go_on": go_on}, slow_load_seconds=0.02) as host:
        slow = threading.Thread(target=host["a"].load)
        slow.start()
        end = time.monotonic() + SECONDS
        while not host["a"].warnings and time.monotonic() < end:
            time.sleep(0.001)
        assert host["a"].state == "loading"
        (finding,) = host["a"].warnings
        assert (finding.code, finding.severity) == ("P307", "warning")
        assert finding.message == "has been loading for more than 0.02 seconds, and may hang"
        assert (finding.place.path, finding.place.line) == (str(folder / "a.py"), 3)
        go_on.set()
        slow.join(SECONDS)
        assert [plugin.state for plugin in host] == ["loaded", "found"]
        assert host["a"].warnings == (finding,)
        assert host["b"].warnings == ()
        end = time.monotonic() + SECONDS
        while not caplog.records and time.monotonic() < end:
            time.sleep(0.001)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_the_plugin_that_another_waits_for_is_to_blame(tmp_path: Path) -> None:
    go_on = threading.Event()
    sources = {"a.py": "REQUIRES = ['b']\n" + GOOD, "b.py": "go_on.wait(20)\n" + GOOD}
    with Host(
        write(tmp_path / "plugins", sources), interface=["run"], inject={"go_on": go_on}, slow_load_seconds=0.02
    ) as host:
        slow = threading.Thread(target=host.load_all)
        host.refresh()
        slow.start()
        end = time.monotonic() + SECONDS
        while not host["b"].warnings and time.monotonic() < end:
            time.sleep(0.001)
        assert [finding.code for finding in host["b"].warnings] == ["P307"]
        go_on.set()
        slow.join(SECONDS)
        assert host["a"].state == "loaded"


@pytest.mark.parametrize("seconds", [20.0, None])
def test_a_quick_load_leaves_no_thread_and_no_warning(seconds: float | None, tmp_path: Path) -> None:
    import os

    before = len(os.listdir("/proc/self/task"))
    with Host(write(tmp_path / "plugins", {"a.py": GOOD}), interface=["run"], slow_load_seconds=seconds) as host:
        assert [plugin.warnings for plugin in host.load_all()] == [()]
    end = time.monotonic() + SECONDS
    while len(os.listdir("/proc/self/task")) > before and time.monotonic() < end:
        time.sleep(0.001)
    assert len(os.listdir("/proc/self/task")) <= before
