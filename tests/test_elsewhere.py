"""What plugline does where a system lacks what Linux has; tests/elsewhere.py says how far that goes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from unicodedata import normalize

import pytest

from tests.elsewhere import SYSTEMS, run_elsewhere

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# They run in workers only, and enter sandboxes.
_NOT_ON_WINDOWS = "denials guard landlock main native privileges probe sandbox seccomp zygote"

_PLUGIN = '''"""Write names in capitals."""
VERSION = "1.0"

def describe():
    return "capitals"

def transform(record):
    if record["name"] == "bob":
        raise ValueError("no bobs \N{EN DASH} please")
    record["name"] = record["name"].upper()
    return record
'''
_PIPELINE = """plugins = ["plugins"]
[source]
path = "{source}"
[[steps]]
use = "capitals"
isolation = "{isolation}"
[sink]
path = "{sink}"
{more}
[run]
processes = {processes}
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir(mode=0o755)
    (tmp_path / "plugins/capitals.py").write_text(_PLUGIN, encoding="utf-8")
    (tmp_path / "in.csv").write_bytes("name,city\r\nann,Zürich\r\nbob,Bern\r\ncleo,北京\r\n".encode())
    return tmp_path


def write_pipeline(
    job: Path,
    source: str = "in.csv",
    sink: str = "out.ndjson",
    processes: int = 1,
    isolation: str = "none",
    more: str = "",
) -> None:
    text = _PIPELINE.format(source=source, sink=sink, processes=processes, isolation=isolation, more=more)
    (job / "pipeline.toml").write_text(text, encoding="utf-8")


def plugline(system: str, job: Path, *words: str, code: int = 0) -> str:
    """Run the tool there, and return what it printed."""
    done = run_elsewhere(system, "-m", "plugline", *words, cwd=job)
    assert done.returncode == code, done.stdout + done.stderr
    assert "bug in plugline" not in done.stderr
    return done.stdout


def python(system: str, job: Path, program: str) -> list[str]:
    done = run_elsewhere(system, "-c", program, cwd=job)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_module_can_be_imported(system: str, tmp_path: Path) -> None:
    program = """
import importlib, pkgutil, plugline
for module in pkgutil.walk_packages(plugline.__path__, "plugline."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            # What is not installed here is not the question.
            if str(getattr(error, "name", "")).partition(".")[0] in {"_ctypes", "select", "fcntl", "plugline"}:
                print(module.name)
"""
    expected = [f"plugline.worker.{name}" for name in _NOT_ON_WINDOWS.split()] if system == "win32" else []
    assert python(system, tmp_path, program) == expected


@pytest.mark.parametrize("system", SYSTEMS)
def test_plugins_are_told_of(system: str, job: Path) -> None:
    for _ in "cold", "warm":
        found = json.loads(plugline(system, job, "list", "plugins", "--json"))["plugins"]
        assert "capitals" in [one["name"] for one in found]
    assert "Write names in capitals." in plugline(system, job, "info", "capitals")
    assert "no findings" in plugline(system, job, "check", "plugins")
    assert plugline(system, job, "--complete", "plugins").split() == ["capitals"]
    assert "complete -F" in plugline(system, job, "completion", "bash")


@pytest.mark.parametrize("system", SYSTEMS)
def test_plugins_are_switched_and_trusted(system: str, job: Path) -> None:
    plugline(system, job, "disable", "capitals")
    assert b'"capitals"' in (job / "plugline.toml").read_bytes()
    plugline(system, job, "enable", "capitals")
    plugline(system, job, "trust", "plugins")
    assert b"\r" not in (job / "plugline.lock").read_bytes()
    plugin = job / "plugins/capitals.py"
    plugin.write_text(plugin.read_text(encoding="utf-8") + "\nMORE = 1\n", encoding="utf-8")
    plugline(system, job, "check", "plugins", code=1)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_new_plugin_passes_its_test(system: str, tmp_path: Path) -> None:
    plugline(system, tmp_path, "new", "shout")
    plugline(system, tmp_path, "check", "plugins")
    done = run_elsewhere(system, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_shout.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_machine_is_told_of(system: str, job: Path) -> None:
    checks = {one["name"]: one for one in json.loads(plugline(system, job, "doctor", "--json"))["checks"]}
    assert checks["kernel"]["state"] == "missing"
    assert checks["folders"]["state"] == "ok"
    if system == "win32":
        assert "neither sandboxes nor workers" in checks["sandbox"]["said"]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("sink", ["out.ndjson", "out.csv.gz", "out.ndjson.zip", "out.sqlite", "parts"])
def test_a_run_writes_what_it_writes_on_linux(system: str, job: Path, processes: int, sink: str) -> None:
    lines = [f"n{number},place {number % 7}" for number in range(60_000)]
    (job / "many.csv").write_text("\n".join(["name,city", *lines, "bob,Bern"]) + "\n", encoding="utf-8")
    more = 'format = "ndjson"\nparts = true' if sink == "parts" else ""
    written = []
    for where in ("linux", system):
        write_pipeline(job, "many.csv", f"{where}/{sink}", processes=processes, more=more)
        (job / where).mkdir()
        if where == "linux":
            command = [sys.executable, "-m", "plugline", "run", "pipeline.toml"]
            done = subprocess.run(command, cwd=job, check=False, capture_output=True)
            assert done.returncode == 1, done.stderr
        else:
            plugline(system, job, "run", "pipeline.toml", code=1)
        files = [path for path in sorted((job / where).rglob("*")) if path.is_file()]
        letters = [
            json.loads(line) for path in files if "errors" in path.name for line in path.read_bytes().splitlines()
        ]
        assert [letter["record"]["name"] for letter in letters] == ["bob"]
        outputs = [path for path in files if "errors" not in path.name and path.name != "_manifest.json"]
        written.append(
            [path.read_bytes() for path in outputs] if sink != "out.sqlite" else [path.name for path in outputs]
        )
    assert written[0] == written[1]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_goes_on_where_another_was_ended(system: str, job: Path) -> None:
    lines = [f"n{number},place" for number in range(200_000)]
    (job / "many.csv").write_text("\n".join(["name,city", *lines]) + "\n", encoding="utf-8")
    write_pipeline(job, "many.csv")
    end = 'if record["name"] == "n199990" and not os.environ.get("GOOD"):\n        os._exit(9)\n    if '
    (job / "plugins/capitals.py").write_text(
        _PLUGIN.replace("if ", end, 1).replace("\n\n", "\nimport os\n", 1), encoding="utf-8"
    )
    plugline(system, job, "run", "pipeline.toml", code=9)
    assert not (job / "out.ndjson").exists()
    done = run_elsewhere(system, "-m", "plugline", "run", "pipeline.toml", "--resume", "--json", cwd=job, GOOD="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["resumed_splits"] > 0
    assert (job / "out.ndjson").read_bytes().count(b"\n") == 200_000
    assert sorted(path.name for path in job.iterdir()) == [
        "in.csv",
        "many.csv",
        "out.ndjson",
        "pipeline.toml",
        "plugins",
    ]


@pytest.mark.parametrize("system", SYSTEMS)
def test_records_go_from_standard_input_to_standard_output(system: str, job: Path) -> None:
    write_pipeline(job, "-", "-", more='format = "ndjson"')
    text = (job / "pipeline.toml").read_text(encoding="utf-8").replace('path = "-"', 'path = "-"\nformat = "csv"', 1)
    (job / "pipeline.toml").write_text(text + 'dead_letters = "letters.ndjson"\n', encoding="utf-8")
    command = [sys.executable, str(ROOT / "tests/elsewhere.py"), system, "-m", "plugline", "run", "pipeline.toml"]
    done = subprocess.run(command, cwd=job, check=False, capture_output=True, input=(job / "in.csv").read_bytes())
    assert done.returncode == 1, done.stderr
    assert done.stdout == '{"name":"ANN","city":"Zürich"}\n{"name":"CLEO","city":"北京"}\n'.encode()
    assert len((job / "letters.ndjson").read_bytes().splitlines()) == 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_dead_letters_are_fed_through_again(system: str, job: Path) -> None:
    write_pipeline(job)
    plugline(system, job, "run", "pipeline.toml", code=1)
    (job / "plugins/capitals.py").write_text(_PLUGIN.replace("bob", "nobody"), encoding="utf-8")
    plugline(system, job, "run", "pipeline.toml", "--retry", "out.errors.ndjson")
    assert json.loads((job / "out.retried.ndjson").read_bytes()) == {"name": "BOB", "city": "Bern"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_log_that_grows_and_is_rotated_is_followed(system: str, job: Path) -> None:
    write_pipeline(job, "grows.csv")
    log = job / "grows.csv"
    log.write_bytes(b"name,city\nann,Bern\n")
    program = str(ROOT / "tests/elsewhere.py")
    command = [sys.executable, program, system, "-m", "plugline", "run", "pipeline.toml", "--follow"]
    with subprocess.Popen(command, cwd=job, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        wait_for(lambda: b"ANN" in written(job))
        with log.open("ab") as more:
            more.write(b"ben,Bern\n")
        wait_for(lambda: b"BEN" in written(job))
        log.rename(job / "grows.csv.1")
        log.write_bytes(b"name,city\ncleo,Bern\n")
        wait_for(lambda: b"CLEO" in written(job))
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=30)
    assert b"bug in plugline" not in said
    assert (job / "out.ndjson").read_bytes().count(b"\n") == 3


def written(job: Path) -> bytes:
    """Return what a run has written so far, wherever it keeps that."""
    return b"".join(path.read_bytes() for path in job.iterdir() if "ndjson" in path.name)


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("system", SYSTEMS)
def test_files_with_line_ends_of_windows_are_read(system: str, job: Path) -> None:
    write_pipeline(job)
    (job / "plugline.toml").write_bytes(b'plugins = ["plugins"]\r\ndisabled = []\r\n')
    for path in (job / "pipeline.toml", job / "plugins/capitals.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    plugline(system, job, "trust", "plugins")
    lock = job / "plugline.lock"
    lock.write_bytes(lock.read_bytes().replace(b"\n", b"\r\n"))
    plugline(system, job, "run", "pipeline.toml", code=1)
    plugline(system, job, "disable", "capitals")
    assert (job / "plugline.toml").read_bytes() == b'plugins = ["plugins"]\r\ndisabled = ["capitals"]\r\n'


@pytest.mark.parametrize("system", SYSTEMS)
def test_two_runs_do_not_write_one_output(system: str, job: Path) -> None:
    os.mkfifo(job / "pipe.csv")
    write_pipeline(job, "pipe.csv")
    command = [sys.executable, str(ROOT / "tests/elsewhere.py"), system, "-m", "plugline", "run", "pipeline.toml"]
    with subprocess.Popen(command, cwd=job, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        with open(job / "pipe.csv", "wb") as pipe:  # which waits until the run reads: it holds its journal by then
            pipe.write(b"name,city\nann,Bern\n")
            pipe.flush()
            write_pipeline(job)
            done = run_elsewhere(system, "-m", "plugline", "run", "pipeline.toml", cwd=job)
        first.communicate(timeout=30)
    assert done.returncode == 2, done.stderr
    assert "another run" in done.stderr
    assert first.returncode == 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_plugin_is_loaded_changed_and_unloaded(system: str, job: Path) -> None:
    program = """
import threading
from pathlib import Path
from textwrap import indent
from plugline import Host
path = Path("plugins/capitals.py")
source = path.read_text(encoding="utf-8")
with Host("plugins", interface=["transform"]) as host:
    plugin = host["capitals"]
    transform = plugin.load().transform
    print(transform({"name": "Ann"})["name"])
    path.write_text(source.replace(".upper()", ".lower()"), encoding="utf-8")
    print(plugin.reload().how, transform({"name": "Ann"})["name"])
    for method in ("polling", None):
        told = threading.Event()
        with host.watch(lambda report: told.set(), method=method):
            path.write_text(source.replace(".upper()", f".title() + {method!r}[:1]" if method else ".title()"), encoding="utf-8")
            assert told.wait(20)
        print(transform({"name": "ann"})["name"])
    chain = host.chain("transform")
    print(chain({"name": "ben"})["name"])
    host.unload("capitals")
    print(plugin.state)
"""
    assert python(system, job, program) == ["ANN", "grafted ann", "Annp", "Ann", "Ben", "found"]


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and "\tZ " not in Path(f"/proc/{pid}/status").read_text(encoding="ascii"):
        assert time.monotonic() < end, f"process {pid} is still there"
        time.sleep(0.02)


_HOST = """
import os, sys, time
from plugline import Host
from plugline.worker.limits import Sandbox

def told(record):
    try:
        return transform(record)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

with Host("plugins", interface=["transform"], isolation="process", limits=Sandbox(timeout_seconds=LIMIT)) as host:
    transform = host["capitals"].load().transform
"""


def isolated(job: Path, plugin: str, body: str, limit: float = 20) -> "subprocess.CompletedProcess[str]":
    """Run a program whose plugin runs in a worker of its own, on macOS."""
    source = f"import os, sys, time\n\ndef transform(record):\n{indent(plugin, '    ')}\n"
    (job / "plugins/capitals.py").write_text(source, encoding="utf-8")
    program = _HOST.replace("LIMIT", str(limit)) + indent(body, "    ")
    return run_elsewhere("darwin", "-c", program, cwd=job)


def test_a_worker_sees_the_other_system_too(job: Path) -> None:
    """Or the tests below would show nothing."""
    plugin = 'return [sys.modules["plugline.worker.guard"].sys.platform, os.getpid()]'
    said, pid = isolated(job, plugin, "print(*transform({}))").stdout.split()
    assert said == "darwin"
    wait_until_gone(int(pid))


@pytest.mark.parametrize("first", ["", "if not os.fork():\n        time.sleep(60)\n    "], ids=["alone", "forked"])
def test_a_worker_that_ends_itself_costs_one_call(job: Path, first: str) -> None:
    # What it has started holds the worker's ends of all pipes.
    plugin = f"if record:\n    {first}os._exit(3)\nreturn 'fine'"
    body = "began = time.monotonic()\nprint(told({'a': 1}))\nprint(time.monotonic() - began < 10, told({}))"
    failed, *rest = isolated(job, plugin, body).stdout.splitlines()
    assert "WorkerFailed" in failed
    assert "exit code 3" in failed
    assert rest[-1] == "True fine"


def test_a_worker_that_hangs_is_killed(job: Path) -> None:
    plugin = "if record:\n    time.sleep(60)\nreturn 'fine'"
    done = isolated(job, plugin, "print(told({'a': 1}))\nprint(told({}))", limit=0.5)
    assert done.stdout.startswith("WorkerTimedOut"), done.stderr
    assert done.stdout.endswith("fine\n")


def test_a_worker_ends_with_its_host(job: Path) -> None:
    done = isolated(job, "return os.getpid()", "print(transform({}), flush=True)\nos.kill(os.getpid(), 9)")
    assert done.returncode == -9, done.stderr
    wait_until_gone(int(done.stdout))


def test_a_split_process_ends_with_its_run(job: Path) -> None:
    lines = [f"n{number},{'x' * 40}" for number in range(200_000)]
    (job / "many.csv").write_text("\n".join(["name,city", *lines]) + "\n", encoding="utf-8")
    plugin = _PLUGIN.replace("\n\n", "\nimport os, time\n", 1)
    plugin = plugin.replace(
        "    if ",
        "    if record['name'] == 'n199990':\n        print(os.getpid(), os.getppid(), file=open('pids', 'w'), flush=True)\n        time.sleep(60)\n    if ",
        1,
    )
    (job / "plugins/capitals.py").write_text(plugin, encoding="utf-8")
    write_pipeline(job, "many.csv", processes=2)
    command = [sys.executable, str(ROOT / "tests/elsewhere.py"), "darwin", "-m", "plugline", "run", "pipeline.toml"]
    with subprocess.Popen(command, cwd=job, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        end = time.monotonic() + 30
        while not (job / "pids").exists() or not (job / "pids").read_bytes().endswith(b"\n"):
            assert time.monotonic() < end
            time.sleep(0.02)
        pid, parent = map(int, (job / "pids").read_text(encoding="ascii").split())
        assert parent == run.pid
        run.kill()
    wait_until_gone(pid)


def test_a_name_is_found_however_the_system_spells_it(job: Path) -> None:
    """HFS+ has accents apart from their letters in names of files, and nobody types them so."""
    plugin = job / f"plugins/{normalize('NFC', 'café')}.py"
    plugin.write_text(_PLUGIN, encoding="utf-8")
    plugline("darwin", job, "info", plugin.stem)
    write_pipeline(job)
    text = (job / "pipeline.toml").read_text(encoding="utf-8").replace('"capitals"', f'"{plugin.stem}"')
    (job / "pipeline.toml").write_text(text, encoding="utf-8")
    plugline("darwin", job, "trust", "plugins")
    plugline("darwin", job, "run", "pipeline.toml", code=1)
    # The lock holds on Linux, and for a file that came from there as it is.
    for name in plugin.name, normalize("NFD", plugin.name):
        plugin = plugin.rename(plugin.with_name(name))
        done = subprocess.run(
            [sys.executable, "-m", "plugline", "check", "plugins", "pipeline.toml"],
            cwd=job, check=False, capture_output=True, env={**os.environ, "PLUGLINE_CACHE": "off"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_a_module_of_another_case_is_not_imported(job: Path) -> None:
    """Or it would work on the author's machine only."""
    (job / "plugins/_words.py").write_text("HELLO = 1\n", encoding="utf-8")
    for name, code in (("_words", 1), ("_Words", 2)):
        source = _PLUGIN.replace("\n\n", f"\nfrom . import {name}\n", 1)
        (job / "plugins/capitals.py").write_text(source, encoding="utf-8")
        write_pipeline(job)
        plugline("darwin", job, "run", "pipeline.toml", code=code)


def test_files_may_be_on_another_drive(job: Path) -> None:
    drive = job / "drive"
    drive.mkdir()
    (job / "plugins").rename(drive / "plugins")
    (job / "plugline.toml").write_text(f'plugins = ["{drive}/plugins"]\n', encoding="utf-8")
    text = _PIPELINE.replace("[run]", f'[run]\ndead_letters = "{drive}/letters.ndjson"')
    more = 'format = "ndjson"\nparts = true'
    text = text.format(source=f"{job}/in.csv", sink=f"{job}/out", processes=1, isolation="none", more=more)
    (job / "pipeline.toml").write_text(text.replace('["plugins"]', f'["{drive}/plugins"]'), encoding="utf-8")
    words = [["list"], ["trust", f"{drive}/plugins", "--lock", f"{job}/plugline.lock"], ["run", "pipeline.toml"]]
    for one in words:
        done = run_elsewhere("win32", "-m", "plugline", *one, cwd=job, PLUGLINE_TEST_DRIVE=str(drive))
        assert done.returncode == (1 if one[0] == "run" else 0), done.stderr
        assert "bug in plugline" not in done.stderr
    assert (drive / "letters.ndjson").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_steps_run_apart_on_macos(job: Path, processes: int) -> None:
    write_pipeline(job, isolation="process", processes=processes)
    plugline("darwin", job, "run", "pipeline.toml", code=1)
    assert (job / "out.ndjson").read_bytes().count(b"\n") == 2


def test_another_interpreter_is_refused_in_words(tmp_path: Path) -> None:
    program = (
        "import sys, types; known = vars(sys.implementation) | {'name': 'pypy'}; "
        "sys.implementation = types.SimpleNamespace(**known); import plugline"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith("ImportError: plugline runs on CPython alone, this is pypy; ")


def test_nothing_inside_the_interpreter_is_moved_without_its_global_lock(job: Path) -> None:
    program = """
import sys
sys._is_gil_enabled = lambda: False
from plugline.cli import main
from plugline.reloading import memory
print(memory.POSSIBLE)
main(["doctor", "--json"])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=job, check=False, capture_output=True, text=True)
    possible, _, told = done.stdout.partition("\n")
    assert possible == "False"
    assert "without its global lock" in json.loads(told)["checks"][0]["said"]


def test_there_is_no_sandbox_on_macos_and_it_says_so(job: Path) -> None:
    write_pipeline(job, isolation="sandbox")
    done = run_elsewhere("darwin", "-m", "plugline", "run", "pipeline.toml", cwd=job)
    assert done.returncode == 2
    assert "a sandbox takes Linux on x86-64 or aarch64, this is darwin on arm64" in done.stderr
    assert not (job / "out.ndjson").exists()


@pytest.mark.parametrize("level", ["process", "sandbox"])
def test_there_are_no_workers_on_windows_and_it_says_so(level: str, job: Path) -> None:
    write_pipeline(job, isolation=level)
    done = run_elsewhere("win32", "-m", "plugline", "run", "pipeline.toml", cwd=job)
    assert done.returncode == 2
    assert "P362" in done.stderr
    assert "there are none on Windows" in done.stderr
    assert "isolation = 'none'" in done.stderr
    assert not (job / "out.ndjson").exists()
