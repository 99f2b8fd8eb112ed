"""What a plugin that could not be loaded leaves to those beside it: what it had imported, as Python does."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugline import Host, LoadError, PluginDeclined
from tests.plugin_folders import write

ONCE = """
import sys
sys.ran_once.append(__name__)
if sys.ran_once.count(__name__) > 1:
    raise ValueError("registered already")
class Shared: pass
"""
GOOD = "from ._shared import Shared\ndef transform(record):\n    return Shared\n"
BAD = "from ._shared import Shared\nimport nowhere_to_be_found\n" + GOOD


@pytest.fixture(autouse=True)
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the modules that ran, in order."""
    names: list[str] = []
    monkeypatch.setattr(sys, "ran_once", names, raising=False)
    return names


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL):
        yield


def opened(folder: Path, files: dict[str, str | bytes], interface: object = None) -> Host[object]:
    return Host(write(folder / "plugins", files), interface=interface or ["transform"], store=None)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("again", [False, True])
def test_what_a_failed_plugin_had_imported_does_not_run_twice(tmp_path: Path, ran: list[str], *, again: bool) -> None:
    files: dict[str, str | bytes] = {"_shared.py": ONCE, "a.py": BAD, "b.py": GOOD, "c.py": BAD, "d.py": GOOD}
    if again:  # by what is remembered
        with opened(tmp_path, files) as before:
            before.load_all()
        ran.clear()
    with opened(tmp_path, files) as host:
        assert [plugin.name for plugin in host.load_all()] == ["b", "d"]
        assert {one.name: one.findings[0].code for one in host.rejected if one.name in "abcd"} == {
            "a": "P103",
            "c": "P103",
        }
        shared = {host[name].load().transform(1) for name in ("b", "d")}  # type: ignore[attr-defined]
        assert len(shared) == 1
    assert len(ran) == 1
    assert not [name for name in sys.modules if name.startswith("plugins")]


def test_a_file_that_ran_and_is_no_plugin_is_not_run_again_for_who_imports_it(tmp_path: Path, ran: list[str]) -> None:
    class Base:
        pass

    files: dict[str, str | bytes] = {
        "a.py": ONCE.replace("class Shared", "from host_of_bases import Other\nclass Shared(Other)"),
        "b.py": "from host_of_bases import Base\nfrom .a import Shared\nclass B(Base):\n    shared = Shared\n",
    }
    module = type(sys)("host_of_bases")
    module.Base, module.Other = Base, dict  # type: ignore[attr-defined]
    sys.modules["host_of_bases"] = module
    try:
        with opened(tmp_path, files, Base) as host:
            assert [plugin.name.partition(":")[0] for plugin in host.load_all()] == ["b"]
    finally:
        del sys.modules["host_of_bases"]
    assert len(ran) == 1


@pytest.mark.parametrize("way", ["refresh", "reload"])
def test_a_neighbour_that_was_mended_is_run_anew_when_its_plugin_is_tried_again(tmp_path: Path, way: str) -> None:
    files: dict[str, str | bytes] = {
        "a.py": "from ._x import X\ndef transform(record):\n    return X\n",
        "_x.py": "Y = 1\n",
    }
    with opened(tmp_path, files) as host:
        with pytest.raises(LoadError):
            host["a"].load()
        (tmp_path / "plugins/_x.py").write_text("X = 5\n")
        if way == "refresh":
            host.refresh()
        else:
            assert host.reload("a").ok
        assert host["a"].load().transform(1) == 5  # type: ignore[attr-defined]


def test_a_neighbour_that_is_as_it_was_is_not_run_again_by_a_refresh(tmp_path: Path, ran: list[str]) -> None:
    with opened(tmp_path, {"_shared.py": ONCE, "a.py": BAD}) as host:
        for _ in range(3):
            assert host.load_all() == []
            host.refresh()
    assert len(ran) == 1


def test_a_plugin_that_declined_runs_again_when_it_is_tried_again(tmp_path: Path, ran: list[str]) -> None:
    source = "import sys\nsys.ran_once.append(__name__)\nREADY = len(sys.ran_once) > 1\n"
    source += "def available():\n    return READY\ndef transform(record):\n    return record\n"
    with opened(tmp_path, {"a.py": source}) as host:
        with pytest.raises(PluginDeclined):
            host["a"].load()
        host.refresh()
        assert host["a"].load()


def test_a_neighbour_that_holds_a_half_of_what_failed_goes_with_it(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.py": "from . import _x\nimport nowhere_to_be_found\n" + GOOD,
        "_x.py": "from . import a\n",
    }
    with opened(tmp_path, files) as host:
        with pytest.raises(LoadError):
            host["a"].load()
        assert [name for name in sys.modules if name.startswith("plugins.")] == []


def test_what_is_given_back_has_the_modules_that_it_is_made_of(tmp_path: Path, ran: list[str]) -> None:
    files: dict[str, str | bytes] = {
        "_deep.py": ONCE,
        "_shared.py": "from ._deep import Shared\n",
        "_other.py": "import sys\nsys.ran_once.append(__name__)\n",
        "a.py": "from . import _other\n" + BAD,
        "b.py": GOOD,
        "c.py": "from . import _deep\ndef transform(record):\n    return _deep.Shared\n",
    }
    with opened(tmp_path, files) as host:
        shared = [plugin.load().transform(1) for plugin in host.load_all()]  # type: ignore[attr-defined]
        assert len(shared) == 2
        assert shared[0] is shared[1] is vars(sys.modules["plugins._deep"])["Shared"]
        assert "plugins._other" not in sys.modules
    assert ran == ["plugins._other", "plugins._deep"]


def test_a_reload_of_what_failed_takes_a_neighbour_in_use_as_it_is_now(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "_x.py": "Y = 1\n",
        "a.py": "from ._x import X\ndef transform(record):\n    return X\n",
        "b.py": "from . import _x\ndef transform(record):\n    return _x.Y\n",
    }
    with opened(tmp_path, files) as host:
        b = host["b"].load()
        with pytest.raises(LoadError):
            host["a"].load()
        (tmp_path / "plugins/_x.py").write_text("X = 5\nY = 2\n")
        assert host.reload("a").ok
        assert [one.transform(1) for one in (host["a"].load(), b)] == [5, 2]  # type: ignore[attr-defined]


def test_a_reload_of_what_was_unloaded_loads_it(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    with opened(tmp_path, {"a.py": "V = 1\ndef transform(record): return V\n"}) as host:
        host["a"].load()
        host.unload("a")
        write(folder, {"a.py": "import nowhere_to_be_found\nV = 22\ndef transform(record): return V\n"})
        report = host.reload("a")
        assert (report.how, [one.code for one in report.refused]) == ("refused", ["P103"])
        write(folder, {"a.py": "V = 333\ndef transform(record): return V\n"})
        report = host.reload("a")
        assert (report.how, report.generation) == ("loaded", 2)
        assert host["a"].load().V == 333  # type: ignore[attr-defined]


def test_what_was_unloaded_is_not_loaded_again_by_the_reload_of_what_imports_it(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    opens = "opened = []\ndef on_load(context): opened.append(1)\n"
    with opened(tmp_path, {"a.py": opens + "V = 1\ndef transform(record): return V\n"}) as host:
        a = host["a"]
        a.load()
        host.unload("a")
        write(folder, {"b.py": "from . import a\ndef transform(record): return a.V, a.opened\n"})
        host.refresh()
        host["b"].load()
        write(folder, {"a.py": opens + "V = 22\ndef transform(record): return V\n"})
        assert host.reload("b").ok
        assert host["b"].load().transform(1) == (22, [])  # type: ignore[attr-defined]
        assert (a.state, a.generation) == ("found", 1)


@pytest.mark.parametrize("left", [None, "b/data.txt"])
def test_a_helper_is_reloaded_although_a_plugin_that_imports_it_is_gone(tmp_path: Path, left: str | None) -> None:
    files: dict[str, str | bytes] = {
        "_x.py": "V = 1\n",
        "a.py": "from . import _x\ndef transform(record): return _x.V\n",
        "b.py": "from ._x import V\ndef transform(record): return V\n",
    }
    with opened(tmp_path, files) as host:
        a, b = (host[name].load() for name in "ab")
        (tmp_path / "plugins/b.py").unlink()
        write(tmp_path / "plugins", {"_x.py": "V = 22\n", **({left: ""} if left else {})})
        assert host.reload("a").ok
        assert [one.transform(1) for one in (a, b)] == [22, 22]  # type: ignore[attr-defined]


def test_the_last_plugin_whose_file_goes_takes_along_what_it_had_imported(tmp_path: Path) -> None:
    text = "from ._x import V\ndef transform(record): return V\n"
    with opened(tmp_path, {"_x.py": "V = 1\n", "a.py": text}) as host:
        assert host["a"].load().transform(1) == 1  # type: ignore[attr-defined]
        (tmp_path / "plugins/a.py").unlink()
        host.refresh()
        assert [name for name in sys.modules if name.startswith("plugins.")] == []
        write(tmp_path / "plugins", {"_x.py": "V = 22\n", "b.py": text})
        host.refresh()
        assert host["b"].load().transform(1) == 22  # type: ignore[attr-defined]


def test_what_plugins_shared_goes_also_where_the_last_is_unloaded_during_a_load(tmp_path: Path) -> None:
    hosts: list[Host[object]] = []
    files = {
        "_x.py": "X = []\n",
        "a.py": "from ._x import X\ndef transform(record): return X\n",
        "b.py": "hosts[0].unload('a')\n1 / 0\ndef transform(record): return record\n",
    }
    folder = write(tmp_path / "plugins", files)
    with Host(folder, interface=["transform"], inject={"hosts": hosts}, store=None) as host:
        hosts.append(host)
        host.load_all()
        assert [(plugin.name, plugin.state) for plugin in host.plugins] == [("a", "found"), ("b", "failed")]
        assert [name for name in sys.modules if name.startswith("plugins.")] == []
        assert len(host["a"].load().transform(1)) == 0  # type: ignore[attr-defined]
