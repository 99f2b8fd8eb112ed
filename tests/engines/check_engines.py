"""What an engine of somebody else's keeps on a real cluster: the bytes of ``local``, whatever dies meanwhile.

Not part of the tests' usual run, since the engines are installed for it: ``tests/engines/run``.
"""

import contextlib
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
MODULES = {"dask": "distributed", "ray": "ray", "spark": "pyspark"}
pytestmark = [pytest.mark.timeout(400)]
dask_only = pytest.mark.skipif(not find_spec("distributed"), reason="not installed")
PAGES = {"dask": "bokeh", "ray": "aiohttp_cors", "spark": "pyspark"}  # what their dashboards need
# What gives out tasks: of Ray the one of the machine, and the one of the whole cluster.
SCHEDULERS = [
    ("dask", "scheduler"),
    ("ray", "raylet"),
    ("ray", "gcs_server"),
    ("spark", "org.apache.spark.deploy.SparkSubmit"),
]
every_engine = pytest.mark.parametrize("engine", [name for name, module in MODULES.items() if find_spec(module)])

IN_PARTS = 'path = "{engine}/out.parquet"\nparts = true'
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
            if record["n"] % 200 == 0:
                time.sleep(0.05)
            return record

        def describe():
            return "takes its time"
        """,
    "gate.py": """
        import os, time

        def transform(record):
            end = time.monotonic() + 150
            while record["n"] == 15_000 and not os.path.exists(__file__ + ".open") and time.monotonic() < end:
                time.sleep(0.05)
            return record

        def describe():
            return "waits to be opened"
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
    folder: Path,
    engine: str,
    *,
    steps: str,
    source: str = 'path = "in.ndjson"',
    sink: str = 'path = "{engine}/out.ndjson"',
    plugins: str = '"plugins"',
    run: str = "",
) -> list[str]:
    """Write a pipeline and return the command that runs it."""
    (folder / engine).mkdir(exist_ok=True)
    text = f"plugins = [{plugins}]\n[source]\n{source}\n[sink]\n{sink.format(engine=engine)}\n"
    text += f'[run]\nengine = "{engine}"\nprocesses = 2\n{run}\n'
    text += "".join(f'[[steps]]\nuse = "{step}"\n' for step in steps.split())
    (folder / f"{engine}.toml").write_text(text)
    return [sys.executable, "-m", "plugline", "run", "-q", f"{engine}.toml"]


def ended(command: list[str], folder: Path, expected: int) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == expected, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def same_files(folder: Path, engine: str) -> None:
    ours, theirs = files_below(folder / "local"), files_below(folder / engine)
    assert list(ours) == list(theirs)
    for name, content in ours.items():
        assert theirs[name] == content, name


@every_engine
@pytest.mark.parametrize(
    ("steps", "source", "sink"),
    [
        ("tidy", "in.ndjson", 'path = "{engine}/out.ndjson"'),
        ("tidy only_n", "in.ndjson.gz", 'path = "{engine}/out.csv"'),
        ("only_n", "in.ndjson", 'path = "{engine}/out.json"'),
        ("tidy only_n", "in.ndjson", IN_PARTS),
    ],
    ids=["rows", "from gzip to a table", "to an array", "in parts"],
)
def test_output_and_dead_letters_are_those_of_local(
    folder: Path, engine: str, steps: str, source: str, sink: str
) -> None:
    for name in ("local", engine):
        ended(job(folder, name, steps=steps, source=f'path = "{source}"', sink=sink), folder, 1)
    same_files(folder, engine)


@every_engine
def test_records_in_any_order_are_those_of_local(folder: Path, engine: str) -> None:
    for name in ("local", engine):
        ended(job(folder, name, steps="tidy", run="ordered = false\nsplit_bytes = 20000"), folder, 1)
    ours, theirs = files_below(folder / "local"), files_below(folder / engine)
    assert list(ours) == list(theirs)
    assert sorted(ours["out.ndjson"].splitlines()) == sorted(theirs["out.ndjson"].splitlines())
    assert ours["out.errors.ndjson"] == theirs["out.errors.ndjson"]


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
    with contextlib.suppress(FileNotFoundError):
        for path in folder.rglob("*"):
            total += path.stat().st_size if path.is_file() else 0
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
            time.sleep(0.02)
        _, said = process.communicate(timeout=240)
    assert process.returncode == 1, said
    assert killed
    same_files(folder, engine)


@every_engine
def test_a_run_whose_driver_is_killed_is_gone_on_with(folder: Path, engine: str) -> None:
    parts = 'path = "{engine}/out.ndjson"\nparts = true'
    ended(job(folder, "local", steps="tidy slow", sink=parts), folder, 1)
    command = job(folder, engine, steps="tidy slow", sink=parts)
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


@contextlib.contextmanager
def begun(command: list[str], folder: Path, engine: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a run in a session of its own, and wait until parts have come."""
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and written(folder / engine) <= 50_000 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.poll() is None
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def session(pid: int) -> list[int]:
    """Return the processes of a session that are left."""
    left = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if entry.name.isdecimal():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == pid and fields[0] != "Z":
                    left.append(int(entry.name))
    return left


@every_engine
def test_ctrl_c_ends_the_run_with_its_cluster_and_another_engine_goes_on(folder: Path, engine: str) -> None:
    more = "split_bytes = 16384"  # so that there is something left to do
    ended(job(folder, "local", steps="tidy slow", run=more), folder, 1)
    command = job(folder, engine, steps="tidy slow", run=more)
    with begun(command, folder, engine) as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, said = process.communicate(timeout=60)
        deadline = time.monotonic() + 20
        while (left := session(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert not left
    ended([*command, "--resume", "--engine", "local"], folder, 1)
    same_files(folder, engine)


@every_engine
def test_ctrl_c_while_the_cluster_is_shut_down_comes_too_late(folder: Path, engine: str) -> None:
    ended(job(folder, "local", steps="tidy"), folder, 1)
    command = [word for word in job(folder, engine, steps="tidy") if word != "-q"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        while not (folder / engine / "out.ndjson").exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, said = process.communicate(timeout=60)
        deadline = time.monotonic() + 20
        while (left := session(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
    assert process.returncode == 1, said
    assert "20,0" in said
    assert "interrupted" not in said
    assert "Traceback" not in said
    assert not left
    same_files(folder, engine)


@pytest.mark.parametrize(
    ("engine", "scheduler"),
    [pair for pair in SCHEDULERS if find_spec(MODULES[pair[0]])],
    ids=lambda value: value.rpartition(".")[2],
)
def test_a_scheduler_that_goes_away_ends_the_run_and_it_is_gone_on_with(
    folder: Path, engine: str, scheduler: str
) -> None:
    more = "split_bytes = 16384"  # so that there is something left to do
    opened = folder / "plugins" / "gate.py.open"
    opened.touch()
    ended(job(folder, "local", steps="tidy gate", run=more), folder, 1)
    opened.unlink()
    with contextlib.ExitStack() as stack:
        run, started = more, None
        if engine == "dask":
            address, started = stack.enter_context(dask_scheduler(folder))
            stack.enter_context(dask_worker(address, folder))
            run = f'{more}\noptions = {{ address = "{address}", patience_seconds = 5 }}'
        command = job(folder, engine, steps="tidy gate", run=run)
        with begun(command, folder, engine) as process:
            os.kill(started.pid if started else process_below(process.pid, scheduler), signal.SIGKILL)
            _, said = process.communicate(timeout=150)
    assert process.returncode == 4, said
    assert "error[R106]" in said
    assert engine == "spark" or "went away" in said
    assert "--resume" in said
    assert not (folder / engine / "out.ndjson").exists()
    assert engine == "spark" or "Traceback" not in said  # whose client tells of each thread that found Java gone
    opened.touch()
    command = job(folder, engine, steps="tidy gate", run=more)
    ended([*command, "--resume", "--engine", "local"], folder, 1)
    same_files(folder, engine)


def process_below(pid: int, name: str) -> int:
    """Return the process of a session whose program, or Java class, has a name."""
    for one in session(pid):
        words = (Path("/proc") / str(one) / "cmdline").read_bytes().split(b"\0")
        if words[0].endswith(name.encode()) or name.encode() in words:
            return one
    raise AssertionError(f"there is no {name}")


# A plugin of the folder that takes the folder away once it is loaded where the run is driven: nothing of it is left for workers.
TAKES_AWAY = """
    import os

    if os.environ.get("DRIVER") == str(os.getpid()):
        os.rename(os.environ["PLUGINS"], os.environ["PLUGINS"] + ".away")

    def transform(record):
        return record

    def describe():
        return "takes the folder away"
    """


@every_engine
def test_zip_files_packages_and_helpers_travel_and_a_slow_pipe_is_read_to_its_end(folder: Path, engine: str) -> None:
    plugins = folder / "plugins"
    (plugins / "whole").mkdir()
    (plugins / "whole" / "__init__.py").write_text("from .inner import transform, describe\n")
    (plugins / "whole" / "inner.py").write_text(
        "from .._words import shout\n\ndef transform(record):\n    return {**record, 'p': shout('p')}\n\ndef describe():\n    return 'a package'\n"
    )
    (plugins / "takes_away.py").write_text(dedent(TAKES_AWAY))
    with ZipFile(folder / "packed.zip", "w") as archive:
        archive.writestr("_more.py", "WORD = 'zipped'\n")
        archive.writestr(
            "zipped.py",
            "from ._more import WORD\n\ndef transform(record):\n    return {**record, 'z': WORD}\n\ndef describe():\n    return 'zipped'\n",
        )
    drive = "import os, sys; os.environ['DRIVER'] = str(os.getpid()); from plugline.cli import main; sys.exit(main())"
    source = 'path = "-"\nformat = "ndjson"'
    steps = "tidy whole zipped takes_away"
    command = job(folder, engine, steps=steps, source=source, plugins='"plugins", "packed.zip"')
    command = [sys.executable, "-c", drive, *(word for word in command[3:] if word != "-q")]
    environment = {**os.environ, "PLUGINS": str(plugins)}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        lines = (folder / "in.ndjson").read_bytes().splitlines(keepends=True)
        process.stdin.writelines(lines[:3000])
        process.stdin.flush()
        if find_spec(PAGES[engine]):
            said = next(line for line in process.stderr if line.startswith(b"dashboard: "))
            with urlopen(said.split()[1].decode(), timeout=20) as page:  # noqa: S310 - of this machine
                assert page.status == 200
        deadline = time.monotonic() + 60
        while written(folder / engine) == 0 and time.monotonic() < deadline:
            time.sleep(0.02)  # the first records are written before the others come
        process.stdin.writelines(lines[3000:])
        process.stdin.close()
        said = process.stderr.read()
        assert process.wait(timeout=120) == 1, said
    assert (folder / "plugins.away").exists()
    (folder / "plugins.away").rename(plugins)
    command = job(folder, "local", steps=steps, source=source, plugins='"plugins", "packed.zip"')
    with (folder / "in.ndjson").open("rb") as stream:
        done = subprocess.run(command, cwd=folder, stdin=stream, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    ours, theirs = files_below(folder / "local"), files_below(folder / engine)
    assert ours["out.ndjson"] == theirs["out.ndjson"]
    assert len(ours["out.errors.ndjson"].splitlines()) == len(theirs["out.errors.ndjson"].splitlines())


# ----------------------------------------------------------------------------- clusters that are there before the run


@contextlib.contextmanager
def ending(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """End a process and those of its session."""
    with process:
        try:
            yield process
        finally:
            for pid in {*session(process.pid), process.pid}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def started(command: list[str], folder: Path) -> "contextlib.AbstractContextManager[subprocess.Popen[bytes]]":
    quiet = subprocess.DEVNULL
    return ending(subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet, start_new_session=True))


@contextlib.contextmanager
def dask_scheduler(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    file = folder / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    with started([*command, "--host", "127.0.0.1", "--scheduler-file", str(file)], folder) as process:
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"], process


def dask_worker(
    address: str, folder: Path, *before: str
) -> "contextlib.AbstractContextManager[subprocess.Popen[bytes]]":
    command = [*before, sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    return started([*command, "--no-dashboard", "--local-directory", str(folder / "scratch")], folder)


@dask_only
def test_the_pipelines_of_the_test_suite_are_on_a_cluster_what_they_are_here(folder: Path) -> None:
    names = ("run", "tables", "compressed_parts", "faults", "retry", "split")
    files = [str(ROOT / "tests" / "unit" / "pipeline" / f"test_{name}.py") for name in names]
    # Of this machine alone: a package that is not installed elsewhere, and a step that sends its process a Ctrl-C.
    left_out = "not package_ships and not users_interrupt"
    with contextlib.ExitStack() as stack:
        address, _ = stack.enter_context(dask_scheduler(folder))
        for _ in range(2):
            stack.enter_context(dask_worker(address, folder))
        engine = f'engine = "dask"\noptions = {{ address = "{address}" }}'
        # distributed is loaded before: what it leaves in the process is no leak of the first test.
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "distributed", *files]
        done = subprocess.run(
            [*command, "-m", "not slow", "-k", left_out],
            cwd=ROOT,
            env={**os.environ, "PLUGLINE_TESTED_ENGINE": engine},
            capture_output=True,
            text=True,
            timeout=350,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:]


@dask_only
def test_what_a_worker_cannot_see_is_named_before_the_first_record(folder: Path) -> None:
    apart = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"']
    if subprocess.run([*apart, str(folder), "true"], capture_output=True, check=False).returncode:
        pytest.skip("a worker can be given another view of the files by root only")
    data = folder / "data"
    data.mkdir()
    (folder / "in.ndjson").rename(data / "in.ndjson")
    (folder / "dask").mkdir()
    with contextlib.ExitStack() as stack:
        address, _ = stack.enter_context(dask_scheduler(folder))
        hidden = [*apart, str(data), *apart, str(folder / "dask")]
        stack.enter_context(dask_worker(address, folder, *hidden))
        run = f'options = {{ address = "{address}", patience_seconds = 20 }}'
        sink = 'path = "dask/out.ndjson"\nparts = true'
        command = job(folder, "dask", steps="tidy", source='path = "data/in.ndjson"', sink=sink, run=run)
        said = ended(command, folder, 2)
    assert "error[C150]" in said
    assert "data/in.ndjson" in said
    assert "error[C151]" in said
    assert "dask/out.ndjson" in said
    assert not files_below(folder / "dask")


@dask_only
def test_a_run_whose_workers_are_all_gone_does_not_wait_without_end(folder: Path) -> None:
    with contextlib.ExitStack() as stack:
        address, _ = stack.enter_context(dask_scheduler(folder))
        worker = stack.enter_context(dask_worker(address, folder))
        run = f'options = {{ address = "{address}", patience_seconds = 4 }}'
        with begun(job(folder, "dask", steps="tidy slow", run=run), folder, "dask") as process:
            os.kill(worker.pid, signal.SIGKILL)
            _, said = process.communicate(timeout=60)
    assert process.returncode == 4, said
    assert f"all workers of {address} are gone, and none came within 4 seconds" in said


@pytest.mark.parametrize(
    ("engine", "address"),
    [
        pytest.param("dask", "tcp://127.0.0.1:9", marks=dask_only),
        pytest.param("ray", "127.0.0.1:9", marks=pytest.mark.skipif(not find_spec("ray"), reason="not installed")),
    ],
)
def test_a_scheduler_that_is_not_there_is_named(folder: Path, engine: str, address: str) -> None:
    options = f'options = {{ address = "{address}", patience_seconds = 2 }}'
    said = ended(job(folder, engine, steps="tidy", run=options), folder, 4)
    assert f"no scheduler answers at {address}" in said


@dask_only
def test_a_cluster_to_which_no_worker_comes_is_not_waited_for_without_end(folder: Path) -> None:
    with dask_scheduler(folder) as (address, _):
        options = f'options = {{ address = "{address}", patience_seconds = 2 }}'
        said = ended(job(folder, "dask", steps="tidy", run=options), folder, 4)
    assert "no worker came" in said


@pytest.mark.skipif(not find_spec("ray"), reason="not installed")
def test_a_ray_cluster_without_a_processor_is_not_waited_for_without_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else who connects needs the token of who started it
    port = free_port()
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--num-cpus=0"]
    with started([*ray, f"--port={port}", "--include-dashboard=false", "--disable-usage-stats"], folder):
        options = f'options = {{ address = "127.0.0.1:{port}", patience_seconds = 3 }}'
        wait_for_port(port)
        said = ended(job(folder, "ray", steps="tidy", run=options), folder, 4)
    assert f"no worker came to 127.0.0.1:{port} within 3 seconds" in said


@pytest.mark.skipif(not find_spec("pyspark"), reason="not installed")
def test_a_spark_master_to_which_no_worker_comes_is_not_waited_for_without_end(folder: Path) -> None:
    port = free_port()
    spark = [str(Path(sys.executable).with_name("spark-class")), "org.apache.spark.deploy.master.Master"]
    with started([*spark, "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"], folder):
        wait_for_port(port)
        options = f'options = {{ address = "spark://127.0.0.1:{port}", patience_seconds = 3 }}'
        said = ended(job(folder, "spark", steps="tidy", run=options), folder, 4)
    assert f"no worker came to spark://127.0.0.1:{port} within 3 seconds" in said


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
