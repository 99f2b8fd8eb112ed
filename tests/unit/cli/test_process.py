import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("name", ["typing", "json", "logging", "click"])
def test_a_file_of_the_current_folder_hides_no_module(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemExit(7)\n", "utf-8")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "own.py").write_text("x = 1\n", "utf-8")
    plugin = "import own\n\n\ndef transform(record):\n    return record\n\n\ndef describe():\n    return ''\n"
    (tmp_path / "plugins/uses_own.py").write_text(plugin, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "plugline", "preview", "--use", "uses_own", "--from", "ndjson", "--json", "-"],
        cwd=tmp_path,
        env={**os.environ, "PLUGLINE_LOG_LEVEL": "info"},
        input='{"n": 1}\n',
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout)["findings"]) == (0, []), done.stderr


def test_a_closed_output_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [sys.executable, "-m", "plugline", "--help"], stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        os.close(writer)
        _, said = process.communicate(timeout=50)
    assert (process.returncode, said) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "tsv", "parquet", "arrow", "arrows", "avro", "yaml", "xml"])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_every_format_goes_down_a_pipe_whole(form: str, processes: str, tmp_path: Path) -> None:
    if form == "avro":
        pytest.importorskip("fastavro")
    records = [{"n": str(number), "text": "x" * 50} for number in range(30_000)]
    (tmp_path / "in.ndjson").write_bytes(
        b"".join(b'{"n":"%s","text":"%s"}\n' % (r["n"].encode(), r["text"].encode()) for r in records)
    )
    command = [sys.executable, "-m", "plugline", "run", "-q"]
    words = ["in.ndjson", "--to", form, "--processes", processes]
    piped = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, timeout=60, check=True).stdout
    assert not (tmp_path / "-").exists()
    with (tmp_path / "straight").open("wb") as file:
        subprocess.run([*command, *words], cwd=tmp_path, stdout=file, timeout=60, check=True)
    assert (tmp_path / "straight").read_bytes() == piped
    subprocess.run([*command, *words, "-o", f"file.{form}"], cwd=tmp_path, timeout=60, check=True)
    assert (tmp_path / f"file.{form}").read_bytes() == piped
    back = subprocess.run([*command, f"file.{form}"], cwd=tmp_path, capture_output=True, timeout=60, check=True).stdout
    assert [json.loads(line) for line in back.splitlines()] == records


@pytest.mark.slow
def test_a_database_is_no_stream(tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(b'{"n":1}\n')
    command = [sys.executable, "-m", "plugline", "run", "-q"]
    for words in (["in.ndjson", "--to", "sqlite"], ["-", "--from", "sqlite"]):
        done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, input="", check=False)
        assert done.returncode in (2, 4)
        assert "is a stream, and" in done.stderr
        assert done.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} == {"in.ndjson"}


@pytest.mark.slow
def test_what_is_written_at_the_end_is_no_output_of_what_has_none(tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(b'{"n":1}\n')
    command = [sys.executable, "-m", "plugline", "run", "-q", "in.ndjson", "--to", "parquet", "--follow"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "error[C114]" in done.stderr


@pytest.mark.parametrize(("words", "code"), [(["list", "absent"], 1), (["lst"], 2), (["explain"], 0)])
def test_that_nobody_reads_what_is_said_leaves_the_exit_code(tmp_path: Path, words: list[str], code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "plugline", *words]
        done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=writer, timeout=50, check=False)
    finally:
        os.close(writer)
    assert done.returncode == code
