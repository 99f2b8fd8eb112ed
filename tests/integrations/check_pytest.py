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


# As the command pytest starts, without the folder that it is called in; and what was written a moment ago counts as old, so
# that it is remembered at once.
LATER = "import sys, time; del sys.path[0]; now = time.time_ns; time.time_ns = lambda: now() + 3_000_000_000; import pytest; "


def run(
    project: Path, *arguments: str, python: str = BARE, code: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(project), **more}
    start = ["-c", LATER + (code or "sys.exit(pytest.main())")] if python == BARE else ["-m", "pytest"]
    command = [python, *start, "-p", "no:cacheprovider", *arguments]
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
    (plugins / "unknown.py").write_text("def pytest_runtest_set_up(item): pass\n")
    (plugins / "twice.py").write_text("def pytest_addoption(parser): parser.addoption('--reruns')\n")
    done = run(project, *OURS, "-k", "mock")
    assert done.returncode == 0
    top = done.stdout.partition("collected ")[0]
    for name, code in {
        "broken": "P106",
        "raising": "P302",
        "decimal": "P400",
        "hooking": "P401",
        "unknown": "P401",
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


def alike(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """Return what is to be the same in two runs."""
    return done.returncode, re.sub(r"0x[0-9a-f]+|\b\d{15}\b|\d+\.\d+s", "", done.stdout + done.stderr)


HOST = "def pytest_report_header():\n    import sys\n    print('by a host:', 'plugline.host.host' in sys.modules)\n"
WAYS = {
    "a run": ["-v", "--reruns", "3"],
    "help": ["--help"],
    "marks": ["--markers"],
    "fixtures": ["--fixtures"],
    "a listing": ["--collect-only"],
    "one kept out": ["-p", "no:rerunfailures", "-o", "filterwarnings=", "-v"],
    "an option of one that is kept out": ["-p", "no:rerunfailures", "--reruns", "3"],
    "an option that nobody knows": ["--nobodys"],
    "plain assertions": ["--assert=plain", "-v"],
}


@pytest.mark.parametrize("arguments", WAYS.values(), ids=WAYS)
def test_plugins_that_have_not_changed_are_run_without_a_host_and_do_the_same(
    project: Path, arguments: list[str]
) -> None:
    (project / "plugins" / "telling.py").write_text(HOST)
    without, first, second, third = (
        run(project, *OURS, *arguments, PLUGLINE_CACHE=cache) for cache in ("off", *[str(project / "cache")] * 3)
    )
    for later in (second, third):
        assert alike(first) == alike(without)
        assert alike(later)[1].replace("by a host: False", "by a host: True") == alike(first)[1]
        assert later.returncode == first.returncode
        assert ("by a host: False" in later.stdout) == ("by a host: True" in first.stdout)


def test_one_that_was_kept_out_is_there_when_it_is_not(project: Path) -> None:
    (project / "plugins" / "telling.py").write_text(HOST)
    seen = []
    for arguments in (["-p", "no:mock"], ["-p", "no:mock"], [], [], ["-p", "no:mock"]):
        done = run(project, *OURS, *arguments, "-k", "mock")
        seen.append((done.returncode, "by a host: True" in done.stdout))
    assert seen == [(1, True), (1, False), (0, True), (0, False), (1, False)]


def test_one_that_changes_is_taken_as_it_is(project: Path) -> None:
    plugin = project / "plugins" / "telling.py"
    (project / "plugins" / "lazily.py").write_text(
        "def pytest_report_header():\n    import telling\n    print(telling.SAID)\n"
    )
    for said in ("one", "two"):
        plugin.write_text(HOST + f"SAID = {said!r}\n")
        for how in ("True", "False"):
            done = run(project, *OURS, "-k", "mock")
            assert f"by a host: {how}" in done.stdout
            assert said in done.stdout.splitlines()


def test_what_a_plugin_registers_for_the_exit_is_called_then(project: Path) -> None:
    (project / "plugins" / "leaving.py").write_text("import atexit\natexit.register(print, 'the last word')\n")
    for _ in range(2):
        assert run(project, *OURS, "-k", "mock").stdout.splitlines()[-1] == "the last word"


def test_several_runs_in_one_process_have_the_plugins_as_they_are(project: Path) -> None:
    (project / "plugins" / "word.py").write_text("import pytest\n\n@pytest.fixture\ndef word():\n    return 'one'\n")
    (project / "test_it.py").write_text(
        "def test_it(word, pytestconfig):\n    assert word == pytestconfig.getini('said')\n"
    )
    code = f"""
import pathlib
said = pathlib.Path("plugins/word.py")
ours = [*{OURS!r}, "-p", "no:cacheprovider", "-q", "test_it.py"]
(pathlib.Path("plugins/ini.py")).write_text("def pytest_addoption(parser): parser.addini('said', '')\\n")
found = [pytest.main([*ours, "-o", "said=one"]), pytest.main([*ours, "-o", "said=one"])]
said.write_text(said.read_text().replace("one", "other"))
found += [pytest.main([*ours, "-o", "said=other"]), pytest.main([*ours, "--nobodys"]), pytest.main([*ours, "-p", "no:word"])]
print([int(one) for one in found], sorted({{"word", "ini", "pytest_mock"}} & set(sys.modules)))
"""
    for _ in range(2):
        (project / "plugins" / "word.py").write_text(
            "import pytest\n\n@pytest.fixture\ndef word():\n    return 'one'\n"
        )
        assert run(project, code=code).stdout.splitlines()[-1] == "[0, 0, 0, 4, 1] []"


def test_tests_beside_the_plugins_and_their_conftest_are_left_to_pytest(project: Path) -> None:
    plugins = project / "plugins"
    (plugins / "conftest.py").write_text("import pytest\n\n@pytest.fixture\ndef beside():\n    return 1\n")
    (plugins / "test_all.py").write_text("def test_beside(beside, mocker):\n    assert beside\n")
    (project / "conftest.py").write_text("import pytest\n\n@pytest.fixture\ndef above():\n    return 2\n")
    (project / "test_above.py").write_text("def test_above(above, mocker):\n    assert above\n")
    for _ in range(2):
        for tests in ("test_above.py", "plugins"):
            done = run(project, *OURS, tests)
            assert (done.returncode, done.stderr) == (0, "")
        assert "plugline: pytest_mock, pytest_rerunfailures, pytest_timeout from plugins" in run(project, *OURS).stdout


def test_a_folder_that_is_not_there_is_told_as_one_and_no_folder_is_a_wrong_use(project: Path) -> None:
    done = run(project, "-p", "plugline.integrations.pytest", "--plugins-dir", "nowhere", "--collect-only")
    assert re.search(
        r"^warning: error\[P110\] \S*nowhere: this plugin folder does not exist", done.stdout, re.MULTILINE
    )
    done = run(project, "-p", "plugline.integrations.pytest", "--plugins-dir", "")
    assert done.returncode == 4
    assert "--plugins-dir: the name of a folder is empty" in done.stderr


def test_a_conftest_that_imports_plugline_alone_names_the_folder(project: Path) -> None:
    (project / "conftest.py").write_text(
        "import plugline\n\npytest_plugins = plugline.integrations.pytest.plugins('plugins')\n"
    )
    assert run(project, "--reruns", "3", "-k", "third_try").returncode == 0


def test_what_is_wrong_is_told_where_there_is_no_run(project: Path) -> None:
    (project / "plugins" / "broken.py").write_text("def f(:\n")
    for arguments in (["--of-the-broken-one"], ["--help"], ["--no-header", "-k", "mock"], ["--markers"]):
        done = run(project, *OURS, *arguments)
        assert len(re.findall(r"left out: error\[P106\] \S*plugins/broken\.py:1:7", done.stderr)) == 1, arguments
        assert "broken.py" not in done.stdout
    assert "broken.py" not in run(project, *OURS, "-k", "mock").stderr


OF_PLUGIN = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--early", default="")

def pytest_load_initial_conftests(early_config):
    early_config.early = early_config.known_args_namespace.early

def pytest_report_header(config):
    return f"early is {config.early}"
"""


def test_a_package_is_the_plugin_that_its_module_of_that_name_is(project: Path) -> None:
    package = project / "plugins" / "pytest_early"
    package.mkdir()
    (package / "__init__.py").write_text('"""As most packages have it: the hooks are in a module."""\n')
    (package / "plugin.py").write_text(OF_PLUGIN)
    for _ in range(2):
        assert "early is dawn" in run(project, *OURS, "--early", "dawn", "-k", "mock").stdout
        assert run(project, *OURS, "--early", "dawn", "-p", "no:early").returncode == 4
    for broken, code in (
        ("import nobodys\n", "P103"),
        ("def pytest_nobodys(): pass\ndef pytest_runtest_call(itm): pass\n", "P401"),
    ):
        (package / "plugin.py").write_text(broken)
        top = run(project, *OURS, "-k", "mock").stdout.partition("collected ")[0]
        assert re.search(rf"left out: error\[{code}\] \S*pytest_early/plugin\.py", top)
        assert "plugline: pytest_mock, pytest_rerunfailures, pytest_timeout from" in top
