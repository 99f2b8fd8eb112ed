"""pytest plugins that were made to be installed, dropped as files: what they do is what they do installed.

Not part of the tests' usual run, since pytest's plugins are installed for it: ``tests/integrations/run``.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(120)

BARE = os.environ["BARE"]  # a Python that has plugline, and none of pytest's plugins
INSTALLED = os.environ["INSTALLED"]  # a Python that has the plugins installed, and not plugline
DROPPED = ["pytest_mock", "pytest_rerunfailures.py", "pytest_timeout.py"]

TESTS = """
import os, time
import pytest

tries = []

@pytest.mark.timeout(0.3)
@pytest.mark.flaky(reruns=0)
def test_that_is_too_slow():
    time.sleep(30)

def test_with_a_mock(mocker):
    mocker.patch("os.getcwd", return_value="/nowhere")
    assert os.getcwd() == "/nowhere"

def test_that_works_at_the_third_try():
    tries.append(1)
    assert len(tries) == 3

def test_of_a_call(mocker):
    stub = mocker.stub()
    stub(1, x=[2])
    stub.assert_called_once_with(1, x=[3])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with tests, and with the three plugins dropped into ``plugins``."""
    found = subprocess.run(
        [INSTALLED, "-c", "import pytest_mock, os; print(os.path.dirname(os.path.dirname(pytest_mock.__file__)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    folder = tmp_path / "plugins"
    folder.mkdir()
    for name in DROPPED:
        source = Path(found.stdout.strip()) / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    (tmp_path / "test_all.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return tmp_path


def run(project: Path, *arguments: str, python: str = BARE) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(project)}
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=90, check=False, cwd=project, env=environment
    )


def outcomes(done: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"^(test_all.py::\S+ [A-Z]+)", done.stdout, re.MULTILINE)


OURS = ["-p", "plugline.integrations.pytest", "--plugins-dir", "plugins"]


def test_dropped_plugins_do_what_installed_ones_do(project: Path) -> None:
    theirs = run(project, "-v", "--reruns", "3", python=INSTALLED)
    ours = run(project, *OURS, "-v", "--reruns", "3")
    assert outcomes(theirs) == outcomes(ours)
    assert len(outcomes(ours)) > 6
    assert ours.returncode == theirs.returncode == 1
    # The same lines of explanation below each failure, the file's name and the times apart.
    explained = [re.findall(r"^E .*", done.stdout, re.MULTILINE) for done in (ours, theirs)]
    assert explained[0] == explained[1]
    assert explained[0]
    assert not list((project / "plugins").rglob("__pycache__"))


def test_their_options_are_known(project: Path) -> None:
    shown = run(project, *OURS, "--help").stdout
    for option in ("--reruns", "--reruns-delay", "mock_traceback_monkeypatch"):
        assert option in shown
    assert run(project, "--reruns", "1").returncode == 4  # a wrong use: without us nobody knows it


@pytest.mark.parametrize("name", ["rerunfailures", "pytest_rerunfailures"])
def test_one_is_kept_out_by_its_name_and_by_its_files_name(project: Path, name: str) -> None:
    done = run(project, *OURS, "-p", f"no:{name}", "--reruns", "1")
    assert done.returncode == 4
    assert "--reruns" in done.stderr
    # Its own mark is unknown without it, which is a warning.
    assert run(project, *OURS, "-p", f"no:{name}", "-k", "mock", "-o", "filterwarnings=").returncode == 0


def test_broken_files_are_told_at_the_top_and_the_tests_run(project: Path) -> None:
    plugins = project / "plugins"
    (plugins / "broken.py").write_text("def f(:\n")
    (plugins / "raising.py").write_text("import sys\nsys.exit(7)\n")
    (plugins / "decimal.py").write_text("")
    (plugins / "hooking.py").write_text("def pytest_runtest_setup(item, nonsense): pass\n")
    (plugins / "twice.py").write_text("def pytest_addoption(parser): parser.addoption('--reruns')\n")
    done = run(project, *OURS, "-k", "mock")
    assert done.returncode == 0
    top = done.stdout.partition("collected ")[0]
    for name, code in {
        "broken": "P106",
        "raising": "P302",
        "decimal": "P400",
        "hooking": "P401",
        "twice": "P401",
    }.items():
        assert re.search(rf"left out: error\[{code}\] \S*plugins/{name}\.py", top), name
    assert "4 passed" not in done.stdout
    assert "1 passed" in done.stdout


def test_what_is_wrong_is_told_where_the_top_is_left_out_too(project: Path) -> None:
    (project / "plugins" / "broken.py").write_text("def f(:\n")
    done = run(project, *OURS, "-q", "-k", "mock")
    assert done.returncode == 0
    assert len(re.findall(r"left out: error\[P106\] \S*plugins/broken\.py:1:7", done.stdout)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_what_is_only_warned_of_is_told(project: Path) -> None:
    (project / "plugins" / "mine.py").write_text("")
    os.chown(project / "plugins" / "mine.py", 65534, 65534)
    assert re.search(r"warning\[T103\] \S*plugins/mine\.py: this file belongs to", run(project, *OURS).stdout)


def test_an_assertion_in_a_dropped_plugin_shows_its_values(project: Path) -> None:
    (project / "plugins" / "checking.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef check():\n    def check(a, b):\n        assert a == b\n    return check\n"
    )
    (project / "test_it.py").write_text("def test_it(check):\n    check([1, 2], [1, 3])\n")
    assert "E       assert [1, 2] == [1, 3]" in run(project, *OURS, "test_it.py").stdout
    plain = run(project, *OURS, "--assert=plain", "test_it.py")
    assert plain.returncode == 1
    assert "assert [1, 2] == [1, 3]" not in plain.stdout


def test_rewritten_code_is_kept_for_one_source_and_one_way_of_rewriting_and_damage_is_made_good(project: Path) -> None:
    plugin = project / "plugins" / "checking.py"
    text = "import pytest\n\n@pytest.fixture\ndef check():\n    def check(a, b):\n        assert {what}\n    return check\n"
    plugin.write_text(text.format(what="a == b"))
    (project / "test_it.py").write_text("def test_it(check):\n    check([1, 2], [1, 3])\n")

    def kept() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (project / ".cache" / "plugline").glob("pytest-*")}

    for _ in range(2):
        assert "E       assert [1, 2] == [1, 3]" in run(project, *OURS, "test_it.py").stdout
    first = kept()
    assert any(b"checking.py" in content for content in first.values())
    # The same size and, since within a second, perhaps the same time.
    status = plugin.stat()
    plugin.write_text(text.format(what="a is b"))
    os.utime(plugin, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "E       assert [1, 2] is [1, 3]" in run(project, *OURS, "test_it.py").stdout
    assert kept().keys() == first.keys()
    # Another way of rewriting is kept beside it.
    run(project, *OURS, "-o", "enable_assertion_pass_hook=true", "test_it.py")
    assert len(kept()) == 2 * len(first)
    for path, content in kept().items():
        path.write_bytes(content[:-9] + b"\0" + content[-8:])
    assert "E       assert [1, 2] is [1, 3]" in run(project, *OURS, "test_it.py").stdout


@pytest.mark.parametrize("with_p", [False, True], ids=["alone", "beside -p"])
def test_a_conftest_names_the_folder(project: Path, with_p: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    (project / "conftest.py").write_text(
        "from plugline.integrations.pytest import plugins\n\npytest_plugins = plugins('plugins')\n"
    )
    more = ["-p", "plugline.integrations.pytest"] if with_p else []
    done = run(project, *more, "--reruns", "3", "-k", "third_try")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rerun" in done.stdout


def test_the_configuration_names_the_folder_relative_to_itself(project: Path) -> None:
    (project / "pytest.ini").write_text(
        "[pytest]\naddopts = -p plugline.integrations.pytest --reruns 3\nplugins_dir = plugins\n"
    )
    (project / "below").mkdir()
    shutil.move(project / "test_all.py", project / "below" / "test_all.py")
    done = run(project / "below", "-k", "third_try", "--rootdir", str(project), "-c", str(project / "pytest.ini"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_plugins_hook_for_the_first_conftests_is_called(project: Path) -> None:
    (project / "plugins" / "early.py").write_text(
        "def pytest_load_initial_conftests(early_config, args):\n    early_config.was_called = len(args)\n"
        "def pytest_report_header(config):\n    return f'called with {config.was_called > 0}'\n"
    )
    assert "called with True" in run(project, *OURS, "-k", "mock").stdout
