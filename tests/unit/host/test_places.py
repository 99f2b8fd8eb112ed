"""Places that hold plugins: nested folders, zip files, and what is given to a plugin's module before it runs."""

import contextlib
import importlib.resources
import importlib.util
import inspect
import os
import pickle
import pkgutil
import sys
import traceback
import zipapp
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from plugline import EntryPoints, File, Folder, Host, LoadError, Modules, UnknownPlugin, Zip
from plugline.discovery.folder import finder_for
from tests.plugin_folders import GOOD, WANTED, write


@contextlib.contextmanager
def opened(place: object, **options: object) -> Iterator[Host[object]]:
    with Host(place, interface=WANTED, **options) as host:  # type: ignore[call-overload]
        yield host


# ---- nested folders


NESTED = {
    "a.py": GOOD,
    "sub/b.py": GOOD + "from . import c\nfrom .deep.d import x\nfrom ..a import describe as other\n",
    "sub/c.py": GOOD,
    "sub/deep/d.py": GOOD + "x = 4\n",
    "sub/pack/__init__.py": GOOD + "from .inner import y\n",
    "sub/pack/inner.py": "y = 5\n",
    "my.dir/e.f.py": GOOD,
    "_no/g.py": GOOD,
    "__pycache__/h.py": GOOD,
    ".git/i.py": GOOD,
    "empty/notes.txt": "",
}


def test_nested_folders_are_looked_into_on_request(tmp_path: Path) -> None:
    place = write(tmp_path / "plugins", NESTED)
    with opened(place) as host:
        assert host.names == ("a",)
    with opened(Folder(place, nested=True)) as host:
        assert host.names == ("a", "my.dir.e.f", "sub.b", "sub.c", "sub.deep.d", "sub.pack")
        assert not host.rejected
        assert [plugin.name for plugin in host.load_all()] == list(host.names)
        assert vars(host["sub.b"].load())["__name__"] == "plugins.sub.b"
        assert vars(host["sub.b"].load())["x"] == 4
        assert vars(host["my.dir.e.f"].load())["__name__"] == "plugins.my_dir.e_f"
    assert not [name for name in sys.modules if name.startswith("plugins")]


def test_the_modules_of_packages_are_plugins_on_request(tmp_path: Path) -> None:
    """As EasyBuild's and Volatility's are, whose folders are packages."""
    place = write(tmp_path / "plugins", {**NESTED, "sub/pack/inner.py": GOOD + "y = 5\n"})
    names = ("a", "my.dir.e.f", "sub.b", "sub.c", "sub.deep.d")
    for _ in range(2):  # the second time from what is remembered
        for packages, pack in ((True, "sub.pack"), (False, "sub.pack.inner")):
            with opened(Folder(place, nested=True, packages=packages)) as host:
                assert host.names == (*names, pack)
                assert len(host.load_all()) == 6
    with opened(Folder(place, packages=False)) as host:
        assert host.names == ("a",)
    with opened(Folder(place, nested=True, packages=False)) as host:
        assert vars(host["sub.pack.inner"].load())["__name__"] == "plugins.sub.pack.inner"
        assert vars(sys.modules["plugins.sub.pack"])["y"] == 5
        write(place, {"sub/pack/inner.py": GOOD + "y = 6\n"})
        assert host.reload("sub.pack.inner").ok
        assert vars(sys.modules["plugins.sub.pack"])["y"] == 6
    assert not [name for name in sys.modules if name.startswith("plugins")]


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    place = write(tmp_path / "plugins", {"sub/a.py": GOOD})
    (place / "sub/loop").symlink_to("..")
    (place / "self").symlink_to("self")
    with opened(Folder(place, nested=True)) as host:
        assert host.names == ("sub.a",)


def test_a_nested_folder_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    place = write(tmp_path / "plugins", {"a.py": GOOD, "sub/b.py": GOOD})
    if os.getuid() == 0:
        pytest.skip("root may read everything")
    (place / "sub").chmod(0)
    with opened(Folder(place, nested=True)) as host:
        assert host.names == ("a",)
        assert [finding.code for finding in host.findings] == ["P110"]
    (place / "sub").chmod(0o700)


# ---- zip files


def zipped(path: Path, files: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


FILES = {
    "plugins/a.py": GOOD + "from . import _near\nfrom .pack import y\n",
    "plugins/_near.py": "x = 3\n",
    "plugins/pack/__init__.py": GOOD + "from .inner import y\n",
    "plugins/pack/inner.py": "y = 5\n",
    "plugins/pack/data.txt": "some data",
    "plugins/types.py": GOOD + "class Thing: ...\n",
    "other/b.py": GOOD,
}


def test_a_zip_file_holds_plugins(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "all.zip", FILES)
    before = set(tmp_path.iterdir())
    with opened(Zip(archive, inside="plugins")) as host:
        assert host.names == ("a", "pack", "types")
        assert len(host.load_all()) == 3
        assert vars(host["a"].load())["y"] == 5
        assert vars(host["a"].load())["__name__"] == "plugins.a"
        thing = vars(host["types"].load())["Thing"]()
        assert type(pickle.loads(pickle.dumps(thing))) is type(thing)  # noqa: S301 - our own
    assert set(tmp_path.iterdir()) == before


def test_the_source_and_the_data_of_a_plugin_in_a_zip_file_can_be_asked_for(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "all.zip", FILES | {"plugins/b.py": GOOD + "def fail():\n    1 / 0  # here\n"})
    with opened(Zip(archive, inside="plugins")) as host:
        module = host["b"].load()
        assert "return record" in inspect.getsource(vars(module)["transform"])
        assert host["b"].place.path == f"{archive}/plugins/b.py"
        try:
            vars(module)["fail"]()
        except ZeroDivisionError:
            assert "1 / 0  # here" in traceback.format_exc()
        host["pack"].load()
        assert importlib.resources.files("plugins.pack").joinpath("data.txt").read_text() == "some data"
        assert pkgutil.get_data("plugins.pack", "data.txt") == b"some data"
        with pytest.raises(FileNotFoundError, match=r"absent\.txt"):
            pkgutil.get_data("plugins.pack", "absent.txt")
        archive.write_bytes(b"damaged")
        with pytest.raises(OSError, match="not a zip file"):
            pkgutil.get_data("plugins.pack", "data.txt")


def test_a_zip_application_holds_plugins(tmp_path: Path) -> None:
    write(tmp_path / "app", FILES | {"__main__.py": "print('runs')\n"})
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz", interpreter="/usr/bin/env python3")
    with opened(Zip(tmp_path / "app.pyz", inside="plugins/")) as host:
        assert [plugin.name for plugin in host.load_all()] == ["a", "pack", "types"]


def test_a_zip_file_may_be_given_by_its_path(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "more.plugins.zip", {"a.py": GOOD, "sub/b.py": GOOD, "pack/__init__.py": GOOD})
    assert isinstance(finder_for(archive), Zip)
    with opened(str(archive)) as host:
        assert host.names == ("a", "pack")
        assert vars(host["a"].load())["__name__"] == "more_plugins.a"
    with opened(Zip(archive, nested=True, packages=False)) as host:
        assert host.names == ("a", "sub.b")
        assert len(host.load_all()) == 2


def test_a_zip_file_with_its_plugins_a_folder_deeper_says_so(tmp_path: Path) -> None:
    """As those that a forge makes of a repository."""
    for files in ({"more-main/a.py": GOOD, "more-main/README.md": ""}, {"more-main/pack/__init__.py": GOOD}):
        archive = zipped(tmp_path / "more.zip", files)
        with opened(archive) as host:
            assert host.names == ()
            [finding] = host.findings
            assert (finding.code, finding.message) == ("P110", "holds no plugin, its folder 'more-main' does")
            assert finding.hint == "name that folder: Zip(..., inside='more-main')"
        with opened(Zip(archive, inside="more-main")) as host:
            assert len(host.load_all()) == 1
    with opened(zipped(tmp_path / "none.zip", {"notes.txt": ""})) as host:
        assert host.findings == ()


def test_where_a_plugin_was_looked_for_is_told_where_there_is_none_at_all(tmp_path: Path) -> None:
    with Host(EntryPoints("plugline.misspelt"), interface=WANTED) as host, pytest.raises(UnknownPlugin) as raised:
        host["a"]
    assert str(raised.value).endswith("hint: there are none in EntryPoints('plugline.misspelt')")
    with (
        opened(write(tmp_path / "p", {"b.py": ""})) as host,
        pytest.raises(UnknownPlugin, match=r"; host\.rejected has 1"),
    ):
        host["a"]


def test_a_zip_file_that_changes_is_read_again(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "all.zip", {"a.py": GOOD})
    with opened(Zip(archive)) as host:
        assert list(host.names) == ["a"]
        zipped(tmp_path / "new.zip", {"b.py": GOOD, "c.py": GOOD}).replace(archive)
        host.refresh()
        assert list(host.names) == ["b", "c"]
        archive.unlink()
        with pytest.raises(LoadError, match="cannot be read"):
            host["b"].load()
        host.refresh()
        assert [finding.code for finding in host.findings] == ["P110"]


def test_what_is_no_zip_file_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 nothing of the kind")
    for path in (tmp_path / "no.zip", tmp_path / "absent.zip", tmp_path):
        with opened(Zip(path)) as host:
            assert host.names == ()
            assert [finding.code for finding in host.findings] == ["P110"]
    with opened(Zip(zipped(tmp_path / "a.zip", FILES), inside="absent")) as host:
        assert [finding.message for finding in host.findings] == ["holds no folder 'absent'"]


def test_a_zip_file_with_bad_entries_harms_nobody(tmp_path: Path) -> None:
    archive = zipped(
        tmp_path / "all.zip",
        {
            "a.py": GOOD,
            "bomb.py": b"#" * (50 * 2**20),
            "../b.py": GOOD,
            "/c.py": GOOD,
            "broken.py": GOOD + "# some text that is found again\n" * 2,
        },
    )
    with opened(Zip(archive)) as host:
        assert list(host.names) == ["a", "broken"]
        assert [(one.name, one.findings[0].code) for one in host.rejected] == [("bomb", "P104")]
        with zipfile.ZipFile(archive) as read:
            info = read.getinfo("broken.py")
        content = bytearray(archive.read_bytes())
        at = info.header_offset + 30 + len("broken.py") + 5
        content[at : at + 20] = bytes(20)
        archive.write_bytes(content)
        host.refresh()
        assert list(host.names) == ["a"]
        assert {one.name: one.findings[0].code for one in host.rejected} == {"bomb": "P104", "broken": "P101"}


# ---- names given to a plugin


def test_names_are_there_before_a_plugin_runs(tmp_path: Path) -> None:
    found: list[str] = []
    place = write(
        tmp_path / "plugins",
        {"a.py": GOOD + "app.append(__name__)\nfrom ._near import x\n", "_near.py": "x = app[0]\n"},
    )
    with opened(place, inject={"app": found}) as host:
        assert host["a"].state == "found"
        host["a"].load()
        assert found == ["plugins.a"]


def test_a_given_name_may_have_underscores_around_it(tmp_path: Path) -> None:
    """As Salt's ``__salt__`` and ``__opts__``."""
    text = GOOD + "class A:\n    opts = __opts__\n    def ask(self): return __opts__['a']\n"
    with opened(write(tmp_path / "plugins", {"a.py": text}), inject={"__opts__": {"a": 1}}) as host:
        assert vars(host["a"].load())["A"]().ask() == 1
        write(tmp_path / "plugins", {"a.py": text + "now = __opts__['a'] + 1\n"})
        assert host.reload("a").ok
        assert vars(host["a"].load())["now"] == 2


def test_a_name_that_is_given_is_not_the_plugins_own(tmp_path: Path) -> None:
    place = write(tmp_path / "plugins", {"a.py": "def describe(): return ''\n"})
    with opened(place, inject={"transform": len}) as host:
        assert host.names == ()


@pytest.mark.parametrize("name", ["", "a b", "__name__", "__path__", "class", "__debug__"])
def test_a_name_that_cannot_be_given_is_the_hosts_mistake(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name"), opened(tmp_path, inject={name: 1}):
        pass


# ---- other ways to be a plugin, and other places


def test_a_plugin_may_register_what_it_brings(tmp_path: Path) -> None:
    place = write(tmp_path / "plugins", {"a.py": "def register(app): app.append('a')\n", "b.py": "x = 3\n"})
    found: list[str] = []
    with Host(place, interface=["register"]) as host:
        host.call_all("register", found)
        assert [one.name for one in host.rejected] == ["b"]
    assert found == ["a"]


def test_who_asks_where_the_modules_of_a_private_package_are_is_led_to_its_folder(tmp_path: Path) -> None:
    """As Flask asks, for the templates of an app."""
    folder = write(tmp_path / "views", {"a.py": GOOD, "text/b.py": GOOD})
    with opened(Folder(folder, nested=True)) as host:
        for name, of in (("a", "."), ("text.b", "text")):
            above = vars(host[name].load())["__package__"]
            spec = importlib.util.find_spec(above)
            assert spec is not None
            assert spec.submodule_search_locations == [str((folder / of).resolve())]
            found = {module.name for module in pkgutil.iter_modules(sys.modules[above].__path__)}
            assert found == {name.rpartition(".")[2]}


def test_one_file_and_installed_modules_by_name(tmp_path: Path) -> None:
    write(tmp_path, {"json.py": GOOD})
    with Host(File(tmp_path / "json.py"), Modules(["csv", "os.path"])) as host:
        assert host.names == ("csv", "json", "os.path")
        assert vars(host["json"].load())["__name__"] == "plugins.json"
        assert host["csv"].load() is sys.modules["csv"]


def test_the_source_of_a_plugin_is_read_in_its_own_encoding(tmp_path: Path) -> None:
    text = "# -*- coding: latin-1 -*-\n" + GOOD.replace("good", "grüße")
    place = write(tmp_path / "plugins", {"a.py": text.encode("latin-1")})
    with opened(place) as host:
        loader = vars(host["a"].load())["__loader__"]
        assert "grüße" in loader.get_source("plugins.a")


def test_a_plugin_can_ask_its_loader_for_its_own_name(tmp_path: Path) -> None:
    text = GOOD + "NAME = __loader__.name\n"
    folder = write(tmp_path / "plugins", {"a.py": text, "b/__init__.py": text, "c.py": GOOD})
    for _ in range(2):
        with opened(folder) as host:
            names = [vars(host[name].load()).get("NAME") for name in "ab"]
            assert names == ["plugins.a", "plugins.b"]
            assert vars(host["c"].load())["__loader__"].name == "plugins.c"
            write(folder, {"a.py": f"{text}\n{text}"})
            assert host.reload("a").how == "adopted"
            assert vars(host["a"].load())["NAME"] == "plugins.a"
        write(folder, {"a.py": text})


def test_a_name_that_is_looked_for_in_a_folder_that_is_not_there_tells_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "plugins", {"upper.py": GOOD})
    monkeypatch.chdir(tmp_path)
    with opened("plugins") as host, pytest.raises(UnknownPlugin) as unknown:
        host["uper"]
    assert "did you mean 'upper'?" in str(unknown.value)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with opened("plugins") as host, pytest.raises(UnknownPlugin) as unknown:
        host["upper"]
    assert str(unknown.value) == (
        "no plugin is named 'upper'\n  hint: there are none in Folder('plugins'); plugins: this plugin folder does not exist"
    )


def test_a_function_where_a_module_or_class_is_asked_for_is_told_as_that() -> None:
    """As what bandit's entry points lead to."""
    with Host(Modules({"x": "json:dumps"}), interface=["report"]) as host:
        assert host.load_all() == []
        [finding] = host.rejected[0].findings
        assert finding.message == "function 'dumps' is missing functions ['report']"
        assert finding.hint == "lead to its module; functions themselves fit a Protocol with __call__"
