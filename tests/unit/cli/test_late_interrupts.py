"""A run that has ended is told, whatever interrupts what is still to be cleaned up after it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.builders import ndjson, pipeline

pytestmark = pytest.mark.slow

# Notes that it is being closed, and goes on with that when it is told to, or not at all.
ENGINE = '''
"""Takes its time to close."""

import os
import time
from pathlib import Path

VERSION = "0.1"


class Slow:
    waits: str = "close"

    def run(self, runner, splits, /):
        yield from map(runner, splits)
        if self.waits == "run":
            self.wait("running", "never")

    def close(self):
        if self.waits == "error":
            raise OSError("the cluster is not there any more")
        self.wait("closing", "go")
        Path("closed").touch()

    def wait(self, name, until):
        Path(name).touch()
        end = time.monotonic() + 30
        while not os.path.exists(until) and time.monotonic() < end:
            time.sleep(0.005)
'''
# Its output is put in place by the format, which takes its time.
FORMAT = '''
"""Lines, assembled in the end."""

import os
import time
from pathlib import Path

from plugline.formats.ndjson import Ndjson

VERSION = "0.1"


class Assembled(Ndjson):
    def assemble(self, written, stream, *, columns):
        Path("assembling").touch()
        end = time.monotonic() + 30
        while not os.path.exists("go") and time.monotonic() < end:
            time.sleep(0.005)
        stream.write(written.read())
'''


@contextmanager
def running(folder: Path, waits: str = "close", *, run: str = "", sink: str = "") -> Iterator["subprocess.Popen[str]"]:
    run = run or f'engine = "slow"\noptions = {{ waits = "{waits}" }}'
    plugins = {"slow.py": ENGINE, "assembled.py": FORMAT}
    pipeline(folder, plugins=plugins, source=ndjson({"a": 1}), run=run, sink_more=sink)
    command = [sys.executable, "-m", "plugline", "run", "pipeline.toml"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()  # nothing where it has been waited for


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def took(process: "subprocess.Popen[str]", number: int) -> None:
    """Send a signal, and wait until the process has seen it and gone to sleep again: two at once are one."""
    process.send_signal(number)
    pending = 1 << (number - 1)

    def seen() -> bool:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        sets = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
        state = next(line.split()[1] for line in lines if line.startswith("State:"))
        return state == "S" and not any(one & pending for one in sets)

    wait_until(seen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_while_the_engine_is_closed_changes_nothing(number: int, tmp_path: Path) -> None:
    with running(tmp_path) as process:
        wait_until((tmp_path / "closing").exists)
        assert (tmp_path / "out.ndjson").exists()
        took(process, number)
        (tmp_path / "go").touch()
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert (tmp_path / "closed").exists()
    assert "1 record" in said
    assert "interrupted" not in said


def test_a_second_one_ends_the_closing_and_the_report_is_told_all_the_same(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        wait_until((tmp_path / "closing").exists)
        took(process, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert not (tmp_path / "closed").exists()
    assert "1 record" in said


def test_interrupts_after_that_which_ended_the_run_let_it_be_told_what_became_of_it(tmp_path: Path) -> None:
    with running(tmp_path, "run") as process:
        wait_until((tmp_path / "running").exists)
        process.send_signal(signal.SIGINT)
        wait_until((tmp_path / "closing").exists)
        took(process, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert said.startswith("error[R110]")
    assert "the output is not in place: out.ndjson" in said


def test_an_engine_that_cannot_be_closed_is_named_and_the_report_is_told(tmp_path: Path) -> None:
    with running(tmp_path, "error") as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "the engine 'slow' could not be closed: OSError: the cluster is not there any more" in said
    assert "1 record" in said
    assert "Traceback" not in said


def test_an_interrupt_while_the_output_is_put_in_place_comes_too_late(tmp_path: Path) -> None:
    with running(tmp_path, run="processes = 1", sink='format = "assembled"') as process:
        wait_until((tmp_path / "assembling").exists)
        took(process, signal.SIGINT)
        (tmp_path / "go").touch()
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert json.loads((tmp_path / "out.ndjson").read_bytes()) == {"a": 1}
    assert "interrupted" not in said
    left = [name for name in os.listdir(tmp_path) if name.startswith(".")]
    assert not left


def test_a_second_one_then_leaves_a_run_that_is_gone_on_with(tmp_path: Path) -> None:
    with running(tmp_path, run="processes = 1", sink='format = "assembled"') as process:
        wait_until((tmp_path / "assembling").exists)
        took(process, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert not (tmp_path / "out.ndjson").exists()
    (tmp_path / "go").touch()
    command = [sys.executable, "-m", "plugline", "run", "--resume", "pipeline.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.ndjson").read_bytes()) == {"a": 1}


EARLY = """
import os, signal, sys


class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "uuid":
            os.kill(os.getpid(), signal.SIGINT)


sys.meta_path.insert(0, Interrupting())
from plugline.cli import main

sys.exit(main(["run", "in.ndjson", "-o", "out.ndjson"]))
"""


def test_an_interrupt_while_orjson_is_imported_ends_the_run_and_not_the_interpreter(tmp_path: Path) -> None:
    # orjson imports uuid when it begins, and takes for granted that this succeeds.
    (tmp_path / "in.ndjson").write_bytes(ndjson({"a": 1}))
    done = subprocess.run([sys.executable, "-c", EARLY], cwd=tmp_path, capture_output=True, check=False, timeout=50)
    assert done.returncode == 130, done.stderr
    assert not (tmp_path / "out.ndjson").exists()
