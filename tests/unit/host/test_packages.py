"""Plugins of a folder that stand in the host's own package."""

import _queue
import builtins
import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugline import File, Folder, Host, LoadError
from tests.plugin_folders import write

APPLICATION = {
    "plugline_app/__init__.py": "",
    "plugline_app/utils.py": "def shout(text): return text.upper()\n",
    "plugline_app/plugins/__init__.py": "def load(): return 'own'\n",
    "plugline_app/plugins/common.py": "class Base: ...\n",
}
PLUGIN = "from .common import Base\nfrom ..utils import shout\nclass Mine(Base):\n    text = shout('a')\n"


@pytest.fixture(autouse=True)
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    write(tmp_path, APPLICATION)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "plugline_app"]:
        del sys.modules[name]


@contextlib.contextmanager
def opened(folder: Path, files: dict[str, str]) -> Iterator[Host[object]]:
    base = importlib.import_module("plugline_app.plugins.common").Base
    with Host(write(folder / "more", files), interface=base, package="plugline_app.plugins") as host:
        yield host


def loaded(host: Host[object], name: str = "a") -> type:
    return host[name].load_type()


def test_relative_imports_reach_the_hosts_own_package_and_its_classes_are_the_same(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": PLUGIN + "from . import _near\n", "_near.py": "from .common import Base\n"}) as host:
        mine = loaded(host)
        assert mine.__module__ == "plugline_app.plugins.a"
        assert vars(mine)["text"] == "A"
        assert issubclass(mine, sys.modules["plugline_app.plugins.common"].Base)
        assert sys.modules["plugline_app.plugins._near"].Base is sys.modules["plugline_app.plugins.common"].Base
        assert importlib.import_module("plugline_app.plugins.a").Mine is mine


def test_closing_leaves_the_hosts_package_alone(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": PLUGIN + "from . import later\n"}) as host:
        write(tmp_path, {"plugline_app/plugins/later.py": ""})
        importlib.invalidate_caches()
        loaded(host)
        before = {name: module for name, module in sys.modules.items() if name.startswith("plugline_app")}
        package = sys.modules["plugline_app.plugins"]
        assert "plugline_app.plugins.later" in before
    del before["plugline_app.plugins.a"]
    assert {name: module for name, module in sys.modules.items() if name.startswith("plugline_app")} == before
    assert not hasattr(package, "a")
    assert hasattr(package, "common")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("plugline_app.plugins.a")


def test_a_failed_load_leaves_the_hosts_package_alone(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": PLUGIN + "from . import later, _near\n1 / 0\n", "_near.py": ""}) as host:
        write(tmp_path, {"plugline_app/plugins/later.py": ""})
        importlib.invalidate_caches()
        with pytest.raises(LoadError):
            host["a"].load()
        names = {name for name in sys.modules if name.startswith("plugline_app.plugins.")}
        assert names == {"plugline_app.plugins.common", "plugline_app.plugins.later"}


@pytest.mark.parametrize("name", ["common", "later", "load", "loaded_before"])
def test_a_plugin_takes_no_name_that_the_hosts_package_has(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"plugline_app/plugins/later.py": "", "plugline_app/plugins/loaded_before.py": "x = 3\n"})
    importlib.invalidate_caches()
    before = importlib.import_module("plugline_app.plugins.loaded_before")
    with opened(tmp_path, {f"{name}.py": PLUGIN, "b.py": PLUGIN}) as host:
        assert [plugin.name for plugin in host.load_all()] == sorted([name, "b"])
        assert loaded(host, name).__module__ == f"plugline_app.plugins.{name}_2"
        package = importlib.import_module("plugline_app.plugins")
        assert package.load() == "own"
        assert package.common.Base.__module__ == "plugline_app.plugins.common"
        assert importlib.import_module("plugline_app.plugins.loaded_before") is before
        later = importlib.import_module("plugline_app.plugins.later").__file__
        assert later is not None
        assert "plugline_app/plugins" in later


def test_the_folder_may_be_the_packages_own(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "plugline_app/plugins/__init__.py": "from . import early\n",
            "plugline_app/plugins/early.py": PLUGIN,
            "plugline_app/plugins/a.py": PLUGIN + "from . import b\n",
            "plugline_app/plugins/b.py": PLUGIN,
        },
    )
    base = importlib.import_module("plugline_app.plugins.common").Base
    early = sys.modules["plugline_app.plugins.early"]
    with Host(tmp_path / "plugline_app/plugins", interface=base, package="plugline_app.plugins") as host:
        assert [plugin.name for plugin in host.load_all(instances=False)] == ["a", "b", "early"]
        assert loaded(host, "early") is early.Mine
        assert all(issubclass(plugin.load_type(), base) for plugin in host)
        assert not (tmp_path / "plugline_app/plugins/__pycache__/a.cpython-311.pyc").exists()
    names = {name for name in sys.modules if name.startswith("plugline_app.plugins.")}
    assert names == {"plugline_app.plugins.common", "plugline_app.plugins.early"}
    assert sys.modules["plugline_app.plugins.early"] is early


def test_what_the_package_imports_itself_is_imported_as_always(tmp_path: Path) -> None:
    write(
        tmp_path, {"plugline_app/plugins/__init__.py": "from . import a, common\n", "plugline_app/plugins/a.py": PLUGIN}
    )
    with Host(tmp_path / "plugline_app/plugins", package="plugline_app.plugins") as host:
        assert "plugline_app.plugins" not in sys.modules
        assert [plugin.name for plugin in host.load_all()] == ["a", "common"]
    assert "plugline_app.plugins.a" in sys.modules


def test_several_places_share_the_package(tmp_path: Path) -> None:
    places = [
        Folder(write(tmp_path / f"p{i}", {f"x{i}.py": f"number = {i}\n", "y.py": f"number = {i}\n"})) for i in (1, 2)
    ]
    alone = File(write(tmp_path, {"z.py": "from .x1 import number\n"}) / "z.py")
    with (
        Host(*places, alone, package="plugline_app.plugins") as host,
        Host(places[1], package="plugline_app.plugins") as other,
    ):
        numbers = {plugin.name: vars(plugin.load())["number"] for plugin in host}
        assert numbers == {"x1": 1, "x2": 2, "y": 1, "z": 1}
        assert vars(other["y"].load())["number"] == 2
        assert vars(other["y"].load())["__name__"] == "plugline_app.plugins.y_2"


@pytest.mark.parametrize("package", ["plugline_absent", "plugline_app.utils", "plugline_app.absent", "", ".a", sys])
def test_a_package_that_is_none_is_the_hosts_mistake(package: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="package"):
        Host(tmp_path, package=package)


def test_a_package_and_a_namespace_are_not_given_together(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="namespace"):
        Host(tmp_path, package="plugline_app.plugins", namespace="x")


def test_a_host_that_is_dropped_without_being_closed_leaves_nothing(tmp_path: Path) -> None:
    host: Host[object] | None = Host(write(tmp_path / "more", {"a.py": PLUGIN}), package="plugline_app.plugins")
    assert host is not None
    assert "a" in host
    host = None
    with Host(tmp_path / "more", package="plugline_app.plugins") as again:
        assert vars(again["a"].load())["__name__"] == "plugline_app.plugins.a"


def test_what_the_hosts_own_package_does_when_it_is_imported_is_not_the_plugins(tmp_path: Path) -> None:
    # Limnoria's replaces format(), and its plugins count on it.
    write(tmp_path, {"plugline_app/__init__.py": "import builtins\nbuiltins.format = lambda *given: 'ours'\n"})
    before = format
    folder = write(tmp_path / "more", {"a.py": "text = format(1, [])\ndef f(): return format(1, [])\n"})
    try:
        with Host(folder, package="plugline_app.plugins") as host:
            plugin = vars(host["a"].load())
            assert (plugin["text"], plugin["f"](), host["a"].warnings) == ("ours", "ours", ())
    finally:
        builtins.format = before


@pytest.mark.parametrize(
    ("text", "code"), [("raise OSError('no display')\n", "P301"), ("import sys; sys.exit(3)\n", "P302")]
)
def test_a_package_that_cannot_be_imported_is_told_as_the_failure_of_each_plugin(
    tmp_path: Path, text: str, code: str
) -> None:
    write(tmp_path, {"plugline_app/__init__.py": text})
    folder = write(tmp_path / "more", {"a.py": PLUGIN, "b.py": PLUGIN})
    with Host(folder, package="plugline_app.plugins") as host:
        assert host.load_all() == []
        assert [[finding.code for finding in one.findings] for one in host.rejected] == [[code], [code]]


@pytest.mark.parametrize("package", [None, "plugline_app.plugins"])
def test_native_code_comes_before_a_folder_of_stubs_of_its_name(tmp_path: Path, package: str | None) -> None:
    built = Path(getattr(_queue, "__file__", ""))
    if built.suffix != ".so":
        pytest.skip("this Python has no modules written in C in files of their own")
    folder = tmp_path / "plugline_app/plugins"
    write(
        folder,
        {"a/__init__.py": "from ._queue import SimpleQueue\n", "a/_queue/__init__.pyi": "class SimpleQueue: ...\n"},
    )
    (folder / "a" / built.name).write_bytes(built.read_bytes())
    with Host(folder, package=package) as host:
        assert host["a"].load().SimpleQueue.__name__ == "SimpleQueue"  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["X = 1\n", "raise OSError('no display')\n"])
def test_a_folder_without_an_init_that_plugins_import_from_leaves_nothing(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "more", {"a.py": "from .parts.one import X\n", "parts/one.py": text})
    with Host(folder, package="plugline_app.plugins") as host:
        host.load_all()
    assert [name for name in sys.modules if name.startswith("plugline_app.plugins.")] == []
    assert not hasattr(sys.modules["plugline_app.plugins"], "parts")
