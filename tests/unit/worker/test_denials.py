"""What a plugin is told to declare, by what it tried in a real sandbox."""

import json
from pathlib import Path

import pytest

from plugline.worker.limits import Sandbox
from tests.sandboxed import needs_sandbox, said_sandboxed

pytestmark = [needs_sandbox, pytest.mark.slow]

TRIALS = """
import linecache, json, sys
from plugline.worker.denials import wanted_permission
def told(source):
    name = f"<{source}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    try:
        exec(compile(source, name, "exec"), {})
    except BaseException as error:
        found = wanted_permission(error, limits)
        return found if found is None else str(found)
    return "passed"
print(json.dumps({source: told(source) for source in sources}))
"""


def told(sources: list[str], limits: Sandbox | None = None, *, before: str = "") -> dict[str, str | None]:
    code = f"sources = {sources!r}\nlimits = {limits or Sandbox()!r}\n{TRIALS}"
    found = json.loads(said_sandboxed(code, limits, before=before))
    assert isinstance(found, dict)
    return found


def test_a_denial_names_the_permission_that_it_takes(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a", encoding="utf-8")
    (tmp_path / "skills").mkdir()
    (tmp_path / "skills" / "kill").touch()
    cases = {
        f"open('{tmp_path}/in.csv')": f'{{ read = ["{tmp_path}/in.csv"] }}',
        f"import os; os.listdir('{tmp_path}')": f'{{ read = ["{tmp_path}"] }}',
        f"import pathlib; pathlib.Path('{tmp_path}/in.csv').read_text()": f'{{ read = ["{tmp_path}/in.csv"] }}',
        f"open('{tmp_path}/in.csv', 'a')": f'{{ write = ["{tmp_path}/in.csv"] }}',
        f"open('{tmp_path}/new')": "{}",
        f"open('{tmp_path}/new', 'w')": f'{{ write = ["{tmp_path}/new"] }}',
        f"import os; os.remove('{tmp_path}/in.csv')": f'{{ write = ["{tmp_path}/in.csv"] }}',
        f"import os; os.mkdir('{tmp_path}/folder')": f'{{ write = ["{tmp_path}/folder"] }}',
        "import socket; socket.socket()": "{ net = true }",
        "import socket; socket.create_connection(('127.0.0.1', 1))": "{ net = true }",
        "import socket; socket.getaddrinfo('localhost', 80)": "{ net = true }",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1/')": "{ net = true }",
        "import subprocess; subprocess.run(['true'])": "{ run = true }",
        "import os; os.fork()": "{ run = true }",
        "import os; os.environ['HOME']": '{ env = ["HOME"] }',
        f"{{'x': open('{tmp_path}/in.csv')}}": f'{{ read = ["{tmp_path}/in.csv"] }}',
        f"m = 'w'; open('{tmp_path}/in.csv', m)": f'{{ write = ["{tmp_path}/in.csv"] }}',
        f"import gzip; gzip.open('{tmp_path}/in.csv', 'wt')": f'{{ write = ["{tmp_path}/in.csv"] }}',
        f"import pathlib; pathlib.Path('{tmp_path}/in.csv').write_text('')": f'{{ write = ["{tmp_path}/in.csv"] }}',
        f"import pathlib; pathlib.Path('{tmp_path}/in.csv').open()": f'{{ read = ["{tmp_path}/in.csv"] }}',
        f"import os; {{'w': os.scandir('{tmp_path}')}}": f'{{ read = ["{tmp_path}"] }}',
        f"open('{tmp_path}/skills/kill')": f'{{ read = ["{tmp_path}/skills/kill"] }}',
        "import pathlib; pathlib.Path.home()": '{ env = ["HOME"] }',
        "import multiprocessing; multiprocessing.Lock()": '{ write = ["/dev/shm"], run = true }',
        "import pwd; pwd.getpwuid(0)": '{ read = ["/etc/passwd"] }',
    }
    del cases[f"open('{tmp_path}/new')"]  # what is not there is not there, whatever is granted
    assert told([*cases]) == cases


def test_what_no_permission_grants_names_none(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    sources = [
        "import os; os.kill(os.getppid(), 9)",
        f"import os; os.chmod('{file}', 0o777)",
        f"import os; os.symlink('{file}', '{file}2')",
        "import socket; socket.socket(socket.AF_UNIX)",
        "raise PermissionError('of its own')",
        "raise ValueError('another')",
        "{}['HOME']",
        f"open('{file}2')",
    ]
    assert set(told(sources, Sandbox(write=[tmp_path])).values()) == {None}


def test_a_module_of_the_programs_own_folder_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "of_the_program.py").touch()
    found = told(["import of_the_program", "import nowhere_at_all"], before=f"sys.path.append({str(tmp_path)!r})")
    assert found == {"import of_the_program": f'{{ read = ["{tmp_path}"] }}', "import nowhere_at_all": None}


def test_an_exception_that_does_harm_when_looked_at_names_nothing() -> None:
    source = """
class Hostile(PermissionError):
    @property
    def filename(self): raise SystemError
    @property
    def errno(self): return 13
    @property
    def filename2(self): raise SystemError
raise Hostile
"""
    assert told([source]) == {source: None}


def test_what_no_permission_grants_is_told_as_that(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    expected = {
        "import os; os.kill(os.getppid(), 9)": "signals",
        f"import shutil; shutil.copy('{file}', '{file}2')": "shutil.copyfile",
        f"import os; os.symlink('{file}', '{file}2')": "links",
        "import socket; socket.socket(socket.AF_UNIX)": "TCP and UDP",
        f"import sqlite3; sqlite3.connect('{tmp_path.parent}/x.db').execute('create table t(a)')": "a database",
        "raise PermissionError('of its own')": "None",
    }
    trials = TRIALS.replace("wanted_permission", "denial_hint").replace("(error, limits)", "(error)")
    code = f"sources = {[*expected]!r}\n{trials.replace('else str(found)', 'else found')}"
    found = json.loads(said_sandboxed(code, Sandbox(write=[tmp_path])))
    assert {source: word in str(found[source]) for source, word in expected.items()} == dict.fromkeys(expected, True)


def test_an_exception_that_does_harm_when_looked_at_is_told_without_a_hint() -> None:
    source = """
class Kind(type):
    @property
    def __module__(cls): raise SystemExit
class Hostile(ValueError, metaclass=Kind):
    args = errno = filename = __cause__ = __context__ = __traceback__ = property(lambda self: 1 / 0)
raise Hostile
"""
    trials = TRIALS.replace("wanted_permission", "denial_hint").replace("(error, limits)", "(error)")
    assert json.loads(said_sandboxed(f"sources = {[source]!r}\n{trials}")) == {source: None}
