"""Folders and files that change under a host's hands, or are made to trip it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

from plugline import Folder, Host
from tests.plugin_folders import GOOD, WANTED, write


def opened(folder: Path) -> Host[object]:
    return Host(folder, interface=WANTED)


def codes(host: Host[object]) -> dict[str, list[str]]:
    return {rejected.name: [finding.code for finding in rejected.findings] for rejected in host.rejected}


def listed(host: Host[object]) -> list[str]:
    return list(host.names)


# ---- what changes meanwhile


@pytest.mark.parametrize("times", [1, 2])
def test_a_plugin_that_deletes_its_own_file_while_loading_is_loaded(times: int, tmp_path: Path) -> None:
    for _ in range(times):  # the second host takes its code from what is remembered
        write(tmp_path / "plugins", {"a.py": "import os\nos.unlink(__file__)\n" + GOOD, "b.py": GOOD})
        with opened(tmp_path / "plugins") as host:
            module: Any = host["a"].load()
            assert module.transform(3) == 3
            assert not (tmp_path / "plugins/a.py").exists()
            assert host["a"].load() is module
            host.refresh()
            assert listed(host) == ["b"]


def test_a_plugin_that_deletes_its_file_and_fails_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path / "plugins", {"a.py": "import os\nos.unlink(__file__)\n1 / 0\n" + GOOD})
    with opened(tmp_path / "plugins") as host:
        host.load_all()
        ((finding,),) = (rejected.findings for rejected in host.rejected)
        assert (finding.code, finding.place.line) == ("P301", 3)


def test_a_plugin_that_deletes_the_whole_folder_takes_nobody_along_that_is_loaded(tmp_path: Path) -> None:
    text = "import os, shutil\nshutil.rmtree(os.path.dirname(__file__))\n" + GOOD
    write(tmp_path / "plugins", {"a.py": GOOD, "b.py": text, "c.py": GOOD})
    with opened(tmp_path / "plugins") as host:
        assert [plugin.name for plugin in host.load_all()] == ["a", "b"]
        assert codes(host) == {"c": ["P101"]}
        host.refresh()
        assert listed(host) == []
        assert [finding.code for finding in host.findings] == ["P110"]


def test_a_folder_that_comes_and_goes_between_listings_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    with opened(folder) as host:
        for turn in range(3):
            host.refresh()
            assert (listed(host), [finding.code for finding in host.findings]) == ([], ["P110"])
            write(folder, {f"a{turn}.py": GOOD})
            host.refresh()
            assert (listed(host), host.findings) == ([f"a{turn}"], ())
            assert host[f"a{turn}"].load() is not None
            shutil.rmtree(folder)
        folder.write_text("no folder")
        host.refresh()
        assert [finding.code for finding in host.findings] == ["P110"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["a.py", "."])
def test_what_changes_its_owner_or_mode_between_listing_and_load_is_seen(what: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "plugins", {"a.py": GOOD, "b.py": GOOD})
    with opened(folder) as host:
        assert listed(host) == ["a", "b"]
        os.chown(folder / what, 12345, -1)
        host.refresh()
        assert "T103" in [finding.code for finding in host["a"].warnings]
        assert listed(host) == ["a", "b"]
        (folder / what).chmod((folder / what).stat().st_mode | 0o002)
        host.load_all()
        assert "T101" in codes(host)["a"]
        (folder / what).chmod(0o755)
        os.chown(folder / what, 0, -1)
        host.refresh()
        assert [plugin.name for plugin in host.load_all()] == ["a", "b"]
        assert host["a"].warnings == ()


def test_a_file_that_becomes_something_else_between_listing_and_load_is_a_finding(tmp_path: Path) -> None:
    folder = write(tmp_path / "plugins", {f"{name}.py": GOOD for name in "abcd"})
    with opened(folder) as host:
        assert len(host) == 4
        for name in "abc":
            (folder / f"{name}.py").unlink()
        os.mkfifo(folder / "a.py")
        (folder / "b.py").mkdir()
        (folder / "c.py").symlink_to("/etc/passwd")
        assert [plugin.name for plugin in host.load_all()] == ["d"]
        assert codes(host) == {"a": ["P102"], "b": ["P102"], "c": ["P108"]}


# ---- links


@pytest.mark.timeout(30)
@pytest.mark.parametrize("nested", [False, True])
def test_links_that_lead_round_in_a_circle_are_followed_once(nested: bool, tmp_path: Path) -> None:  # noqa: FBT001
    folder = write(tmp_path / "plugins", {"a.py": GOOD, "sub/b.py": GOOD, "pack/__init__.py": GOOD})
    (folder / "self").symlink_to(".")
    (folder / "sub" / "up").symlink_to("..")
    (folder / "pack" / "inside").symlink_to(folder)
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    (folder / "loop.py").symlink_to("loop.py")
    with Host(Folder(folder, nested=nested), interface=WANTED) as host:
        names = listed(host)
        assert {"a", "pack"} <= set(names)
        assert ("sub.b" in names) is nested
        assert len(names) < 20
        assert codes(host)["loop"] == ["P101"]
        host.load_all()


# ---- what is nested too deeply


DEEP = {
    "parentheses": "x = " + "(" * 5_000 + "1" + ")" * 5_000,
    "lists": "x = " + "[" * 150 + "]" * 150,
    "minus": "x = " + "-" * 20_000 + "1",
    "plus": "x = " + "1+" * 20_000 + "1",
    "attributes": "y = 1\nx = lambda: y" + ".a" * 20_000,
    "calls": "y = 1\nx = lambda: y" + "()" * 20_000,
    "lambdas": "x = " + "lambda: " * 1_000 + "1",
    "conditions": "x = " + "1 if 1 else " * 5_000 + "1",
    "elif": "if 0: pass\n" + "elif 0: pass\n" * 5_000,
    "blocks": "".join(" " * depth + "if 1:\n" for depth in range(99)) + " " * 99 + "pass",
    "classes": "".join(" " * depth + "class A:\n" for depth in range(50)) + " " * 50 + "pass",
    "strings": "x = " + "'a' " * 20_000,
    "patterns": "match 1:\n case " + "[" * 500 + "]" * 500 + ": pass",
}


@pytest.mark.slow
def test_nesting_of_any_depth_is_loaded_or_told_and_takes_nobody_along(tmp_path: Path) -> None:
    files = {f"{name}.py": f"{GOOD}\n{text}\n" for name, text in DEEP.items()}
    write(tmp_path / "plugins", {**files, "zgood.py": GOOD})
    script = "from plugline import Host\nh = Host('plugins', interface=['transform', 'describe'])\n" * 2
    script += "print(sorted({p.name for p in h.load_all()} | {r.name for r in h.rejected}) == sorted(names))\n"
    script += "print(h['zgood'].state, {f.code for r in h.rejected for f in r.findings} <= {'P106', 'P301'})"
    script = f"names = {[*DEEP, 'zgood']!r}\n{script}"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.split()) == (0, ["True", "loaded", "True"]), done.stderr[-2_000:]


# ---- what answers for itself


HOSTILE = {
    "metaclass": "class M(type):\n    def __getattribute__(c, n): raise RuntimeError(n)\nclass A(metaclass=M): ...\n",
    "no_hash": "class M(type):\n    def __eq__(c, o): raise RuntimeError\nclass A(metaclass=M): ...\nclass B(A): ...\n",
    "proxy": "class P:\n    def __getattribute__(s, n): raise RuntimeError(n)\np = P()\nKEPT = [p]\n",
    "class_of": "class P:\n    __class__ = property(lambda s: 1 / 0)\np = P()\n",
    "dict_of": "class P:\n    __dict__ = property(lambda s: 1 / 0)\np = P()\n",
    "members": "class P:\n    def __getattr__(s, n): raise RuntimeError(n)\nclass A:\n    p = P()\nKEPT = [A]\n",
    "equal": "class P:\n    __eq__ = __hash__ = __bool__ = __len__ = lambda *a: 1 / 0\np = P()\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_values_that_raise_when_they_are_looked_at_do_not_keep_a_plugin_from_loading(name: str, tmp_path: Path) -> None:
    """As a proxy does of which nothing is behind yet, such as flask.request."""
    for _ in range(2):
        with opened(write(tmp_path / "plugins", {"a.py": HOSTILE[name] + GOOD})) as host:
            module: Any = host["a"].load()
            assert module.transform(1) == 1
            assert not host.reload("a").refused


# ---- many


@pytest.mark.slow
def test_ten_thousand_files_are_listed_and_one_of_them_loaded(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    for number in range(10_000):
        (tmp_path / f"plugins/p{number:05}.py").write_text(GOOD)
    for _ in range(2):
        with opened(tmp_path / "plugins") as host:
            assert len(host) == 10_000
            assert host.names[-1] == "p09999"
            assert host["p05000"].load() is not None


# ---- async


class Plain(Protocol):
    def transform(self, record: dict[str, object]) -> dict[str, object]: ...


class Awaited(Protocol):
    async def transform(self, record: dict[str, object]) -> dict[str, object]: ...


class Open(Protocol):
    def transform(self, record: dict[str, object]) -> Any: ...


ASYNC = "async def transform(record):\n    return record\n"
ASYNC_CLASS = "class A:\n    async def transform(self, record):\n        yield record\n"


@pytest.mark.parametrize("text", [ASYNC, ASYNC_CLASS])
def test_an_async_function_where_a_plain_one_is_called_is_a_finding(text: str, tmp_path: Path) -> None:
    for _ in range(2):
        with Host(write(tmp_path / "plugins", {"a.py": text}), interface=Plain) as host:
            assert listed(host) == []
            (finding,) = host.rejected[0].findings
            assert finding.code == "P203"
            assert "transform is async, the host calls it as a plain function" in finding.message
            given = "(self, record)" if text == ASYNC_CLASS else "(record)"
            assert finding.hint == f"define it as transform{given}, without async"


@pytest.mark.parametrize("text", [ASYNC, ASYNC_CLASS])
@pytest.mark.parametrize("interface", [Awaited, Open, ["transform"]])
def test_an_async_function_where_the_host_may_await_is_accepted(interface: Any, text: str, tmp_path: Path) -> None:
    with Host(write(tmp_path / "plugins", {"a.py": text}), interface=interface) as host:
        assert [plugin.name for plugin in host.load_all()] == ["a"]


def test_an_async_function_that_only_running_shows_is_a_finding(tmp_path: Path) -> None:
    text = "def make():\n    async def transform(record):\n        return record\n    return transform\n\n\ntransform = make()\n"
    with Host(write(tmp_path / "plugins", {"a.py": text}), interface=Plain) as host:
        host.load_all()
        assert [finding.code for finding in host.rejected[0].findings] == ["P203"]
