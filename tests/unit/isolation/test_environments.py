"""What plugins depend on, where it is, and what is done where it is not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import packaging
import pytest
from packaging.specifiers import SpecifierSet

from plugline import Host, LoadError
from plugline.cli import main
from plugline.contract.version import running_python, runs_here
from plugline.errors import PluginError
from plugline.findings import Finding, Place
from plugline.isolation.environments import EnvironmentFailed, Needs, find_environment, find_uv, needs_of, unsatisfied
from plugline.isolation.levels import Level

PLACE = Place("plugins/a.py")
VERSIONS = {"old": "0.8.10", "new": "0.9.0"}


def write_needy(folder: Path, name: str, requirement: str, module: str = "tabulate", *, imports: bool = True) -> None:
    folder.mkdir(mode=0o755, exist_ok=True)
    (folder / f"{name}.py").write_text(
        f'# /// script\n# dependencies = ["{requirement}"]\n# ///\n'
        + (f"import {module}\n" if imports else "")
        + f"\n\ndef transform(record):\n    return {{**record, '{name}': {module}.__version__}}\n\n\n"
        f"def describe():\n    return '{name}'\n",
        encoding="utf-8",
    )


def test_equal_needs_have_one_key_however_they_are_written() -> None:
    one = needs_of(["b >= 1", "a==2", "a==2"], None, PLACE)
    two = needs_of(["a == 2", "b>=1"], "", PLACE)
    other = needs_of(["a==2"], None, PLACE)
    assert isinstance(one, Needs)
    assert isinstance(two, Needs)
    assert isinstance(other, Needs)
    assert one.key == two.key != other.key


@pytest.mark.parametrize("text", ["--index-url http://example.com", "-r other.txt", "-e .", "a==1\n-e .", "../a"])
def test_what_is_no_requirement_never_reaches_uv(text: str) -> None:
    found = needs_of([text], None, PLACE)
    assert isinstance(found, tuple)
    assert [(finding.code, finding.place) for finding in found] == [("P109", PLACE)]


def test_what_is_installed_in_another_version_is_told_with_that_version() -> None:
    assert (
        unsatisfied(["packaging>=1", "packaging; python_version < '3'", "nothing-of-this-name; python_version < '3'"])
        == ()
    )
    assert unsatisfied(["packaging<1", "plugline-tests-absent-module"]) == (
        f"packaging<1 ({packaging.__version__} is installed)",
        "plugline-tests-absent-module (not installed)",
    )


@pytest.mark.slow
def test_where_a_plugin_is_loaded_nothing_is_resolved_and_uv_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    (tmp_path / "uv").write_text(f"#!/bin/sh\ntouch {asked}\n", encoding="utf-8")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "plugins"
    write_needy(folder, "absent", "plugline-tests-absent-module>=3", "plugline_tests_absent_module")
    write_needy(folder, "other", "packaging<1", "packaging")
    for isolation in ("none", "sandbox"):
        with Host(str(folder), interface=["transform"], isolation=isolation) as host:
            for name, code, said in (("absent", "P103", "not installed"), ("other", "P365", "packaging<1")):
                with pytest.raises(LoadError) as caught:
                    host[name].load()
                (finding,) = caught.value.findings
                assert finding.code == code
                assert said in finding.message
                assert finding.hint == f"plugline sync {folder}/{name}.py"
    assert not asked.exists()


def test_without_uv_there_is_a_clear_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(EnvironmentFailed) as caught:
        find_uv()
    assert "uv, which is not installed" in caught.value.what
    assert caught.value.hint.startswith("install it: pip install uv")


def test_sync_without_a_need_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_needy(tmp_path / "plugins", "happy", "packaging>=1", "packaging")
    assert main(["sync", str(tmp_path / "plugins")]) == 0
    assert capsys.readouterr().out == "no plugin needs an environment of its own\n"
    assert not (tmp_path / "plugline.environments").exists()


def test_sync_that_could_not_does_not_say_that_there_was_no_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    write_needy(tmp_path / "plugins", "needy", "plugline-absent-library>=1", "plugline_absent_library")
    assert main(["sync", str(tmp_path / "plugins")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error[P366] ")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip where real packages are not to be had."""
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path / "cache"))
    try:
        uv = find_uv()
    except EnvironmentFailed as error:
        pytest.skip(error.what)
    command = [uv, "pip", "compile", "-", "--quiet", "--no-build"]
    done = subprocess.run(command, input="tabulate==0.9.0\n", capture_output=True, text=True, check=False, timeout=50)
    if done.returncode:
        pytest.skip(f"the package registry cannot be reached: {done.stderr.strip()[:200]}")


@pytest.mark.slow
@pytest.mark.usefixtures("registry")
def test_two_plugins_with_two_versions_of_one_library_run_in_one_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, version in VERSIONS.items():
        write_needy(tmp_path / "plugins", name, f"tabulate=={version}")
    write_needy(tmp_path / "plugins", "newer", f"tabulate=={VERSIONS['new']}")
    assert main(["sync"]) == 0
    locks = sorted(Path("plugline.environments").iterdir())
    assert len(locks) == 2  # equal needs share one
    assert all("--hash=sha256:" in lock.read_text(encoding="utf-8") for lock in locks)
    capsys.readouterr()
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert main(["sync", "--offline"]) == 0
    assert "is there" in capsys.readouterr().out

    Path("in.ndjson").write_text('{"n": 1}\n{"n": 2}\n', encoding="utf-8")
    steps = '[[steps]]\nuse = "old"\n[[steps]]\nuse = "new"\nisolation = "sandbox"\n[[steps]]\nuse = "newer"\n'
    text = f'[source]\npath = "in.ndjson"\n{steps}[sink]\npath = "out.ndjson"\n'
    Path("pipeline.toml").write_text(text, encoding="utf-8")
    assert main(["run", "pipeline.toml", "-q"]) == 0
    assert Path("out.ndjson").read_text(encoding="utf-8").splitlines() == [
        f'{{"n":{n},"old":"0.8.10","new":"0.9.0","newer":"0.9.0"}}' for n in (1, 2)
    ]


@pytest.fixture
def other_python() -> str:
    """The version of another Python that is installed, and is new enough for a worker."""
    try:
        uv = find_uv()
    except EnvironmentFailed as error:
        pytest.skip(error.what)
    for version in {(3, 11), (3, 12), (3, 13), (3, 14)} - {sys.version_info[:2]}:
        wanted = ".".join(map(str, version))
        command = [uv, "python", "find", "--no-python-downloads", wanted]
        if subprocess.run(command, capture_output=True, check=False, timeout=50).returncode == 0:
            return wanted
    pytest.skip("uv finds no Python but this one")


def write_for_python(folder: Path, version: str, dependencies: str = "") -> None:
    folder.mkdir(mode=0o755, exist_ok=True)
    (folder / "modern.py").write_text(
        f'# /// script\n# requires-python = "=={version}.*"\n# dependencies = [{dependencies}]\n# ///\n'
        "import os\nimport sys\n\n\ndef transform(record):\n    if 'end' in record:\n        os._exit(1)\n"
        "    return {**record, 'python': '.'.join(map(str, sys.version_info[:2]))}\n\n\n"
        "def describe():\n    return 'modern'\n",
        encoding="utf-8",
    )


@pytest.mark.slow
@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("isolation", ["none", "process", "sandbox"])
def test_a_plugin_for_another_python_runs_in_a_worker_of_that_python_once_its_environment_is_there(
    tmp_path: Path, isolation: Level, other_python: str
) -> None:
    folder = tmp_path / "plugins"
    write_for_python(folder, other_python)
    for _ in range(2):  # the second time from what is remembered
        with Host(str(folder), interface=["transform"], isolation=isolation) as host:
            (rejected,) = host.rejected
            (finding,) = rejected.findings
            assert finding.code == "P111"
            assert f"requires Python =={other_python}.*, this is" in finding.message
            assert finding.hint is not None
            assert finding.hint.startswith(f"plugline sync {folder}/modern.py")
    assert main(["sync", str(folder)]) == 0
    for _ in range(2):
        with Host(str(folder), interface=["transform"], isolation=isolation) as host:
            assert not host.rejected
            plugin = host["modern"].load()
            assert plugin.transform({"n": 1}) == {"n": 1, "python": other_python}  # type: ignore[attr-defined]
            with pytest.raises(PluginError):
                plugin.transform({"end": 1})  # type: ignore[attr-defined]
            assert plugin.transform({"n": 2}) == {"n": 2, "python": other_python}  # type: ignore[attr-defined]
    shutil.rmtree(tmp_path / "cache" / "environments")
    # What is remembered of its file holds, and what it runs in is gone.
    with Host(str(folder), interface=["transform"], isolation=isolation) as host, pytest.raises(PluginError) as caught:
        host["modern"].load()
    assert "P111" in str(caught.value)
    assert "plugline sync" in str(caught.value)


@pytest.mark.slow
@pytest.mark.usefixtures("registry")
def test_sync_and_a_pipeline_with_a_plugin_for_another_python(
    tmp_path: Path, other_python: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_for_python(tmp_path / "plugins", other_python, '"tabulate==0.9.0"')
    Path("in.ndjson").write_text('{"n": 1}\n', encoding="utf-8")
    text = '[source]\npath = "in.ndjson"\n[[steps]]\nuse = "modern"\n[sink]\npath = "out.ndjson"\n'
    Path("pipeline.toml").write_text(text, encoding="utf-8")
    assert main(["check", "pipeline.toml"]) == 1
    assert "P111" in capsys.readouterr().out
    assert main(["sync"]) == 0
    assert f"modern: made, Python {other_python}." in capsys.readouterr().out
    assert main(["sync"]) == 0
    assert "modern: is there" in capsys.readouterr().out
    assert main(["check", "pipeline.toml"]) == 0
    assert main(["run", "pipeline.toml", "-q"]) == 0
    assert Path("out.ndjson").read_text(encoding="utf-8") == f'{{"n":1,"python":"{other_python}"}}\n'


@pytest.mark.slow
@pytest.mark.usefixtures("registry")
def test_a_python_that_there_is_not_is_told_by_sync(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_for_python(tmp_path / "plugins", "4.0")
    assert main(["sync", "--offline", str(tmp_path / "plugins")]) == 1
    said = capsys.readouterr().err
    assert "P366" in said
    assert "4.0" in said


@pytest.mark.parametrize(
    ("requires", "runs"),
    [
        (">=3.8", True),
        (" >= 3.8 ", True),
        (">=3", True),
        (">=4", False),
        (">=3.999", False),
        ("<3.8", False),
        (">=3.8,<4", True),
        ("~=3.8", True),
        (">=3.8.1", True),
        (f"=={sys.version_info[0]}.{sys.version_info[1]}.*", True),
    ],
)
def test_whether_this_python_will_do_is_what_packaging_says(requires: str, runs: bool) -> None:  # noqa: FBT001
    assert runs_here(requires) is runs
    assert SpecifierSet(requires).contains(running_python()) is runs


@pytest.mark.slow
@pytest.mark.usefixtures("registry")
def test_an_environment_is_only_taken_for_the_needs_that_it_was_made_for(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    write_needy(folder, "old", f"tabulate=={VERSIONS['old']}")
    assert main(["sync", str(folder)]) == 0
    needs = needs_of([f"tabulate=={VERSIONS['old']}"], None, PLACE)
    assert isinstance(needs, Needs)
    environment = find_environment(needs)
    assert environment is not None
    with Host(str(folder), interface=["transform"]) as host:
        assert host["old"].load().transform({}) == {"old": "0.8.10"}  # type: ignore[attr-defined]
    write_needy(folder, "old", f"tabulate=={VERSIONS['new']}")
    with Host(str(folder), interface=["transform"]) as host, pytest.raises(LoadError) as caught:
        host["old"].load()
    assert isinstance(caught.value.findings[0], Finding)
    Path(environment.root, "plugline").unlink()  # as where this plugline was moved
    assert find_environment(needs) is None


@pytest.mark.slow
@pytest.mark.usefixtures("registry")
def test_what_cannot_be_found_is_a_finding_with_what_uv_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_needy(tmp_path / "plugins", "greedy", "tabulate==99999")
    assert main(["sync", str(tmp_path / "plugins")]) == 1
    said = capsys.readouterr().err
    assert "P366" in said
    assert "\\n" not in said  # a finding is a line, and what uv says is several
    assert "tabulate" in said
    assert not list((tmp_path / "cache" / "environments").glob("*"))


def test_a_name_that_is_disabled_elsewhere_is_no_fault_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugline.toml").write_text('disabled = ["csv"]\n', "utf-8")  # a format that is shipped
    assert main(["sync"]) == 0
    assert capsys.readouterr() == ("no plugin needs an environment of its own\n", "")
