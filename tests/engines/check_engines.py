"""What an engine of somebody else's keeps on a real cluster: the bytes of ``local``, whatever dies meanwhile.

Not part of the tests' usual run, since the engines are installed for it: ``tests/engines/run``.
"""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest

MODULES = {"dask": "distributed", "ray": "ray", "spark": "pyspark"}
pytestmark = [pytest.mark.timeout(400)]
every_engine = pytest.mark.parametrize("engine", [name for name, module in MODULES.items() if find_spec(module)])

PLUGINS = {
    "tidy.py": """
        '''Upper case; drops, doubles and fails on some.'''
        from ._words import shout

        def transform(record):
            number = record["n"]
            if number % 1000 == 1:
                return None
            if number % 1000 == 2:
                return [record, {**record, "copy": True}] if number > 1000 else [record]
            if number % 1000 == 3:
                raise ValueError(f"number {number}")
            return {**record, "word": shout(record["word"])}

        def describe():
            return "tidies"
        """,
    "_words.py": """
        def shout(word):
            return word.upper()
        """,
    "only_n.py": """
        def transform(record):
            return {"n": record["n"], "word": record["word"]}

        def describe():
            return "two fields"
        """,
    "deadly.py": """
        import os, signal

        def transform(record):
            if record["n"] == 4321:
                os.kill(os.getpid(), signal.SIGKILL)
            return record

        def describe():
            return "kills"
        """,
    "slow.py": """
        import time

        def transform(record):
            if record["n"] % 500 == 0:
                time.sleep(0.02)
            return record

        def describe():
            return "takes its time"
        """,
    "driver_only.py": """
        import os

        if os.environ.get("DRIVER") != str(os.getpid()):
            import a_library_that_no_worker_has

        def transform(record):
            return record

        def describe():
            return "loads where the run is driven"
        """,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with plugins and 20,000 records, twice: plain and compressed."""
    (tmp_path / "plugins").mkdir()
    for name, text in PLUGINS.items():
        (tmp_path / "plugins" / name).write_text(dedent(text))
    lines = [json.dumps({"n": number, "word": f"word {number} é"}) for number in range(20_000)]
    lines[777] = '{"n": 777, broken'
    content = ("\n".join(lines) + "\n").encode()
    (tmp_path / "in.ndjson").write_bytes(content)
    (tmp_path / "in.ndjson.gz").write_bytes(gzip.compress(content, mtime=0))
    return tmp_path


def job(
    folder: Path, engine: str, *, steps: str, source: str = "in.ndjson", sink: str = "out.ndjson", run: str = ""
) -> list[str]:
    """Write a pipeline and return the command that runs it."""
    (folder / engine).mkdir(exist_ok=True)
    text = f'plugins = ["plugins"]\n[source]\npath = "{source}"\n[sink]\npath = "{engine}/{sink}"\n[run]\nengine = "{engine}"\nprocesses = 2\n{run}\n'
    text += "".join(f'[[steps]]\nuse = "{step}"\n' for step in steps.split())
    (folder / f"{engine}.toml").write_text(text)
    return [sys.executable, "-m", "plugline", "run", "-q", f"{engine}.toml"]


def ended(command: list[str], folder: Path, expected: int) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == expected, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def same_files(folder: Path, engine: str) -> None:
    ours = {path.name: path.read_bytes() for path in sorted((folder / "local").iterdir())}
    theirs = {path.name: path.read_bytes() for path in sorted((folder / engine).iterdir())}
    assert list(ours) == list(theirs)
    for name, content in ours.items():
        assert theirs[name] == content, name


@every_engine
@pytest.mark.parametrize(
    ("steps", "source", "sink"),
    [
        ("tidy", "in.ndjson", "out.ndjson"),
        ("tidy only_n", "in.ndjson.gz", "out.csv"),
        ("only_n", "in.ndjson", "out.json"),
    ],
    ids=["rows", "from gzip to a table", "to an array"],
)
def test_output_and_dead_letters_are_those_of_local(
    folder: Path, engine: str, steps: str, source: str, sink: str
) -> None:
    for name in ("local", engine):
        ended(job(folder, name, steps=steps, source=source, sink=sink), folder, 1)
    same_files(folder, engine)


@every_engine
def test_a_record_that_kills_its_process_is_set_aside_and_the_others_go_on(folder: Path, engine: str) -> None:
    for name in ("local", engine):
        ended(job(folder, name, steps="deadly"), folder, 1)
    same_files(folder, engine)
    letters = (folder / engine / "out.errors.ndjson").read_text()
    assert [json.loads(line)["error"]["type"] for line in letters.splitlines()].count("ProcessDied") == 1


def workers(pid: int) -> Iterator[int]:
    """Yield the processes below one in which a plugin of the run is loaded, or may be."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                parents = [int(entry.name)]
                while parents[-1] > 1 and parents[-1] != pid:
                    parents.append(
                        int((Path("/proc") / str(parents[-1]) / "stat").read_text().rpartition(")")[2].split()[1])
                    )
            except (FileNotFoundError, ProcessLookupError):
                continue
            kinds = (b"spawn_main", b"ray::run", b"pyspark.daemon")
            if parents[-1] == pid and len(parents) > 1 and any(kind in command for kind in kinds):
                yield int(entry.name)


def written(folder: Path) -> int:
    """Return how many bytes of output there are, in place or aside."""
    total = 0
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


@every_engine
def test_a_worker_that_is_killed_in_the_middle_costs_nothing(folder: Path, engine: str) -> None:
    ended(job(folder, "local", steps="tidy slow"), folder, 1)
    command = job(folder, engine, steps="tidy slow")
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        killed: set[int] = set()
        while process.poll() is None and time.monotonic() < deadline and len(killed) < 2:
            if written(folder / engine) > 100_000:  # parts have come: the cluster works
                for pid in [*workers(process.pid)][-1:]:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
            time.sleep(0.1)
        _, said = process.communicate(timeout=240)
    assert process.returncode == 1, said
    assert killed
    same_files(folder, engine)


@every_engine
def test_a_run_whose_driver_is_killed_is_gone_on_with(folder: Path, engine: str) -> None:
    ended(job(folder, "local", steps="tidy slow"), folder, 1)
    command = job(folder, engine, steps="tidy slow")
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if written(folder / engine) > 100_000:
                os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.02)
        process.wait(timeout=60)
    assert process.returncode == -signal.SIGKILL
    ended([*command, "--resume"], folder, 1)
    same_files(folder, engine)


@every_engine
def test_a_plugin_that_a_worker_cannot_load_is_told_before_the_first_record(folder: Path, engine: str) -> None:
    drive = "import os, sys; os.environ['DRIVER'] = str(os.getpid()); from plugline.cli import main; sys.exit(main())"
    command = job(folder, engine, steps="driver_only")
    said = ended([sys.executable, "-c", drive, *command[3:]], folder, 2)
    assert "P103" in said
    assert "a_library_that_no_worker_has" in said
    assert not list((folder / engine).iterdir())


@pytest.mark.skipif(not find_spec("distributed"), reason="not installed")
def test_a_scheduler_that_is_not_there_is_named(folder: Path) -> None:
    options = 'options = { address = "tcp://127.0.0.1:9", patience_seconds = 2 }'
    said = ended(job(folder, "dask", steps="tidy", run=options), folder, 4)
    assert "no scheduler answers at tcp://127.0.0.1:9" in said


@pytest.mark.skipif(not find_spec("distributed"), reason="not installed")
def test_a_cluster_to_which_no_worker_comes_is_not_waited_for_without_end(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--port",
        "0",
        "--no-dashboard",
        "--scheduler-file",
        "scheduler.json",
    ]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as scheduler:
        try:
            deadline = time.monotonic() + 60
            while not (folder / "scheduler.json").exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            address = json.loads((folder / "scheduler.json").read_text())["address"]
            options = f'options = {{ address = "{address}", patience_seconds = 2 }}'
            said = ended(job(folder, "dask", steps="tidy", run=options), folder, 4)
        finally:
            scheduler.terminate()
    assert "no worker came" in said
