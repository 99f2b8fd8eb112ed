import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from plugline import Host
from plugline.cli import main
from plugline.records import Processor


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [["upper"], ["clean-up", "--class"], ["1st", "--class", "--folder", "deep/my plugins"], ["class"]]
)
def test_what_is_written_passes_its_own_test_and_the_check(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", *words]) == 0
    plugin, test = capsys.readouterr().out.splitlines()
    assert main(["check", plugin]) == 0
    assert capsys.readouterr().out == "1 plugin, no findings\n"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten_and_nothing_half_written(capsys: pytest.CaptureFixture[str]) -> None:
    test = Path("tests/test_upper.py")
    test.parent.mkdir()
    test.write_text("mine", encoding="utf-8")
    assert main(["new", "upper"]) == 2
    assert capsys.readouterr().err.startswith("error: 'tests/test_upper.py' is there already")
    assert test.read_text(encoding="utf-8") == "mine"
    assert not Path("plugins").exists()


@pytest.mark.parametrize("name", ["", " a", "a/b", "../a", "_a", ".a", "a.py", 'a"b', "a\nb", "x" * 101])
def test_a_name_that_cannot_be_one_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "--", name]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not Path("plugins").exists()


def test_a_folder_that_is_a_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins").write_text("", encoding="utf-8")
    assert main(["new", "upper"]) == 2
    said = capsys.readouterr().err
    assert "'plugins' cannot be written" in said
    assert "hint: move that file away: a folder is to be there" in said
    assert not Path("tests/test_upper.py").exists()


def test_what_the_test_needs_is_told_where_it_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["new", "upper"]) == 0
    assert "pip install" not in capsys.readouterr().err
    monkeypatch.delitem(sys.modules, "pytest")
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setattr("sys.meta_path", [one for one in sys.meta_path if "rewrite" not in type(one).__module__])
    assert main(["new", "lower"]) == 0
    assert capsys.readouterr().err.splitlines()[1:] == [
        "        pip install pytest",
        "        python -m pytest tests/test_lower.py",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["clean-up"], ["upper", "--class"]])
def test_a_distribution_passes_its_own_test_and_its_file_works_dropped(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "--package", *words]) == 0
    files = capsys.readouterr().out.splitlines()
    folder = Path(files[0]).parent
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    (entry,) = project["project"]["entry-points"]["plugline.processors"].items()
    plugin = folder / project["tool"]["hatch"]["version"]["path"]
    assert entry[0] == words[0]
    assert entry[1].partition(":")[0] == plugin.stem
    assert re.search(project["tool"]["hatch"]["version"]["pattern"], plugin.read_text(encoding="utf-8"))
    assert main(["check", str(plugin)]) == 0
    # Dropped it has the name that it has installed: a pipeline is the same for both.
    with Host(plugin, interface=Processor) as host:
        assert host.names == (words[0],)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_name_of_a_distribution_is_that_of_its_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "--package", "plugline-upper"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["plugline-upper"]


def test_a_distribution_needs_a_name_that_it_can_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "--package", "größe"]) == 2
    assert "ASCII" in capsys.readouterr().err
    assert not list(Path().iterdir())


@pytest.mark.parametrize("name", ["upper.py", "more plugins/upper.py", "deep/er/upper", "plugins/upper"])
def test_the_hint_on_a_path_writes_that_plugin(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", name]) == 2
    hint = capsys.readouterr().err.splitlines()[1].removeprefix("  hint: plugline ")
    assert main(shlex.split(hint)) == 0
    path = Path(name).with_suffix(".py")
    assert (path if path.parent.name else Path("plugins") / path).exists()


def test_a_file_that_cannot_be_written_to_its_end_is_named_and_not_left() -> None:
    command = [sys.executable, "-m", "plugline", "new", "upper"]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: 'plugins/upper.py' cannot be written: File too large\n")
    assert not Path("plugins/upper.py").exists()
