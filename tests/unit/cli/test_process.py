import os
import subprocess
import sys
from pathlib import Path

PIPELINE = """
[source]
path = "in.ndjson"
[[steps]]
use = "noting"
[sink]
path = "{sink}"
format = "ndjson"
[run]
processes = 1
"""
NOTING = '''
"""Note the end of the process."""

import sys
import threading
import time


def late():
    while threading.main_thread().is_alive():
        time.sleep(0.001)
    print("the thread has ended", file=sys.stderr)


threading.Thread(target=late).start()


def transform(record):
    if record["n"] == 2:
        raise ValueError("two")
    return record


def describe():
    return "noting: notes"
'''


def run(folder: Path, sink: str, *, before: str = "") -> "subprocess.CompletedProcess[str]":
    (folder / "plugins").mkdir()
    (folder / "plugins" / "noting.py").write_text(NOTING, encoding="utf-8")
    (folder / "in.ndjson").write_text('{"n":1}\n{"n":2}\n{"n":3}\n', encoding="utf-8")
    (folder / "pipeline.toml").write_text(PIPELINE.format(sink=sink), encoding="utf-8")
    program = f"{before}\nimport runpy, sys\nsys.argv = ['plugline', 'run', 'pipeline.toml']\nrunpy.run_module('plugline', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=50, check=False
    )


def test_the_program_ends_with_its_code_when_its_threads_have_ended(tmp_path: Path) -> None:
    done = run(tmp_path, "-")
    assert done.returncode == 1
    assert done.stdout == '{"n":1}\n{"n":3}\n'
    assert done.stderr.splitlines()[-1] == "the thread has ended"


def test_who_has_registered_for_the_end_is_called(tmp_path: Path) -> None:
    before = "import atexit, os\natexit.register(lambda: os.write(2, b'measured\\n'))"
    done = run(tmp_path, "out.ndjson", before=before)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == ["the thread has ended", "measured"]


def test_a_closed_output_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [sys.executable, "-m", "plugline", "--help"], stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        os.close(writer)
        _, said = process.communicate(timeout=50)
    assert (process.returncode, said) == (0, b"")
