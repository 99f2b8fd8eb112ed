"""``plugline trust`` from the outside."""

import json
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from plugline import Folder, Host, Policy, Zip
from plugline.cli import main
from plugline.discovery.finders import Finder

GOOD = "def transform(record):\n    return record\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "x.py").write_text(GOOD)
    return tmp_path


def test_a_difference_is_shown_and_written_only_when_asked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = project / "plugline.lock"
    assert main(["trust", "--diff"]) == 1
    assert capsys.readouterr().out == f"+ x (new) plugins/x.py\n{lock}: nothing was written\n"
    assert not lock.exists()
    assert main(["trust"]) == 0
    assert capsys.readouterr().out == f"+ x (new) plugins/x.py\n{lock}: trusted: 1\n"
    assert main(["trust", "--diff"]) == 0
    assert capsys.readouterr().out == f"{lock}: nothing has changed\n"


def test_programs_get_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "plugins", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["written"] is True
    assert [one["name"] for one in data["locks"][0]["plugins"]] == ["x"]


def test_without_a_folder_of_plugins_something_has_to_be_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "plugins").rename(project / "others")
    assert main(["trust"]) == 2
    assert "name what to trust" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_refused_and_nothing_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trust", "plugins/z.py"]) == 2
    assert (
        capsys.readouterr().err
        == "error: 'plugins/z.py' is not there\n  hint: name a plugin folder or the file of a plugin\n"
    )
    assert not (project / "plugline.lock").exists()


def test_of_several_who_trust_at_the_same_time_each_is_heard(project: Path) -> None:
    names = [f"plugins/y{number}.py" for number in range(6)]
    for name in names:
        Path(name).write_text(GOOD)
    command = [sys.executable, "-m", "plugline", "trust"]
    started = [subprocess.Popen([*command, name], stdout=subprocess.DEVNULL) for name in names]
    assert [one.wait() for one in started] == [0] * len(names)
    text = (project / "plugline.lock").read_text(encoding="utf-8")
    assert [name for name in names if name not in text] == []


def test_a_plugin_that_is_gone_is_trusted_no_more_by_its_own_path(project: Path) -> None:
    assert main(["trust"]) == 0
    (project / "plugins" / "x.py").unlink()
    assert main(["trust", "plugins/x.py"]) == 0
    assert "x.py" not in (project / "plugline.lock").read_text(encoding="utf-8")


def test_folders_side_by_side_may_have_a_plugin_of_one_name_each(project: Path) -> None:
    other = project / "more" / "x.py"
    other.parent.mkdir()
    other.write_text("# another\n" + GOOD)
    assert main(["trust", "plugins", "more"]) == 0
    assert main(["trust", "--diff", "more", "plugins"]) == 0
    for folder in ("plugins", "more"):
        with Host(folder, interface=["transform"]) as host:
            assert host.names == ("x",)
    other.write_text("# another again\n" + GOOD)
    for folder, names in (("plugins", ("x",)), ("more", ())):
        with Host(folder, interface=["transform"]) as host:
            assert host.names == names
    assert main(["trust", "more/x.py"]) == 0
    for folder in ("plugins", "more"):
        with Host(folder, interface=["transform"]) as host:
            assert host.names == ("x",)


def test_what_is_granted_to_a_plugin_is_not_granted_to_another_of_its_name(project: Path) -> None:
    asks = "# /// script\n# [tool.plugline]\n# permissions = { net = true }\n# ///\n" + GOOD
    (project / "more").mkdir()
    (project / "more" / "x.py").write_text(asks)
    assert main(["trust", "plugins", "more"]) == 0
    (project / "plugins" / "x.py").write_text(asks)
    with Host("plugins", interface=["transform"]) as host:
        (rejection,) = host.rejected
        assert "asks for more: net" in rejection.findings[0].message


ASKING = "# /// script\n# [tool.plugline]\n# permissions = { net = true }\n# ///\n"


@pytest.mark.parametrize("text", [GOOD, ASKING + GOOD])
@pytest.mark.parametrize("where", ["in a folder", "in a zip application", "elsewhere"])
def test_the_command_in_the_hint_trusts_a_plugin_wherever_it_is(project: Path, where: str, text: str) -> None:
    deep = project / "plugins" / "deep"
    deep.mkdir()
    lock = str(project / "locks" / "own.lock") if where == "elsewhere" else "plugline.lock"
    (project / "locks").mkdir()
    place: Finder = Folder("plugins", nested=True)
    if where == "in a zip application":
        place = Zip("app.pyz", inside="plugins")
        with zipfile.ZipFile("app.pyz", "w") as archive:
            archive.writestr("plugins/y.py", text)
    else:
        (deep / "y.py").write_text(text)
    assert main(["trust", "--lock", lock, "plugins/x.py"]) == 0
    for _ in range(2):
        with Host(place, interface=["transform"], policy=Policy(lock=lock)) as host:
            for rejected in host.rejected:
                command = str(rejected.findings[0].hint).rpartition(": plugline ")[2]
                assert main(shlex.split(command)) == 0
    with Host(place, interface=["transform"], policy=Policy(lock=lock)) as host:
        assert not host.rejected
        assert {plugin.name for plugin in host.load_all()} >= {"y" if where == "in a zip application" else "deep.y"}
    assert main(["trust", "--lock", lock, "plugins"]) == 0
    with Host(place, interface=["transform"], policy=Policy(lock=lock)) as host:
        assert not host.rejected


@pytest.mark.parametrize("only_diff", [["--diff"], []])
def test_a_lock_of_a_later_version_is_not_replaced(
    project: Path, only_diff: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lock = project / "plugline.lock"
    lock.write_text("format = 2\n[shiny]\nnew = 1\n")
    assert main(["trust", *only_diff]) == 2
    assert "a later plugline wrote it\n  hint: upgrade plugline" in capsys.readouterr().err
    assert lock.read_text() == "format = 2\n[shiny]\nnew = 1\n"


def test_what_is_no_lock_is_not_written_over(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("pipeline.toml", '[source]\npath = "a"\n'), ("in.ndjson", '{"a": 1}\n')):
        (project / name).write_text(text)
        assert main(["trust", "--lock", str(project / name)]) == 2
        assert f"{name}' is there and is no lock file" in capsys.readouterr().err
        assert (project / name).read_text() == text


def test_a_merge_that_is_not_settled_is_told_as_that_and_the_command_in_the_hint_ends_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "plugins").rename(project / "my plugins")
    (project / "my plugins" / "x.py").write_text(GOOD + '\n\ndef describe():\n    return "x"\n')
    assert main(["trust", "my plugins"]) == 0
    lock = project / "plugline.lock"
    *lines, digest, permissions = lock.read_text().splitlines()
    lock.write_text("\n".join([*lines, "<<<<<<< HEAD", digest, "=======", digest, ">>>>>>> theirs", permissions]))
    capsys.readouterr()
    assert main(["check", "my plugins"]) == 1
    told = capsys.readouterr().out
    assert f"error[T305] {lock}:6:1: the lock file cannot be used: two versions of it were merged" in told
    *_, command = told.split("  hint: ")[1].splitlines()[0].split(": ")
    assert command == "plugline trust 'my plugins'"
    assert main(shlex.split(command)[1:]) == 0
    assert main(["check", "my plugins"]) == 0


def test_a_folder_in_the_place_of_the_lock_is_to_be_moved_away(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "plugline.lock").mkdir()
    assert main(["check"]) == 1
    assert "hint: move it away, then: plugline trust plugins\n" in capsys.readouterr().out
    assert main(["trust"]) == 2
    assert "hint: move that folder away, or name another file" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "# only a comment\n", '"""Plugins of ours."""\n'])
def test_a_folder_of_plugins_in_which_an_editor_put_an_empty_init_is_trusted_as_that(text: str, project: Path) -> None:
    (project / "plugins" / "__init__.py").write_text(text)
    assert main(["trust"]) == 0
    assert (project / "plugline.lock").is_file()
    (project / "plugins" / "y.py").write_text(GOOD)
    with Host("plugins", interface=["transform"]) as host:
        assert host.names == ("x",)
        assert [finding.code for rejected in host.rejected for finding in rejected.findings] == ["T301"]


def test_a_package_is_trusted_as_one_plugin_by_the_name_of_its_folder(project: Path) -> None:
    pack = project / "plugins" / "pack"
    pack.mkdir()
    (pack / "__init__.py").write_text("from .part import PART\n" + GOOD)
    (pack / "part.py").write_text("PART = 1\n")
    assert main(["trust", "plugins/pack"]) == 0
    with Host("plugins", interface=["transform"]) as host:
        assert host.names == ("pack",)
        host["pack"].load()


def test_what_cannot_be_a_plugin_by_its_name_is_told_and_the_lock_stays_one_that_can_be_read(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (b"caf\xe9.py", b"two\nlines.py", b"_caf\xe9.py"):
        (project / "plugins" / os.fsdecode(name)).write_text(GOOD)
    assert main(["trust"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[1:] == [
        "+ plugins/_caf\\udce9.py (new, imported by plugins)",
        f"{project}/plugline.lock: trusted: 1",
    ]
    assert err.count("error[P109]") == 2
    with Host("plugins", interface=["transform"]) as host:
        assert host.names == ("x",)
        assert {finding.code for rejected in host.rejected for finding in rejected.findings} == {"P109", "T301"}
    assert main(["trust", "--diff"]) == 1


def test_of_what_is_disabled_nothing_is_told_unless_it_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "plugins" / "broken.py").write_text("def transform(record)\n")
    assert main(["trust"]) == 1
    assert main(["disable", "broken"]) == 0
    capsys.readouterr()
    assert main(["trust", "--diff"]) == main(["trust"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["trust", "plugins/broken.py"]) == 1
    assert "P106" in capsys.readouterr().err
