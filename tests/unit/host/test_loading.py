"""What holds while a plugin is loaded, through the public door."""

import contextlib
import importlib.resources
import inspect
import json
import logging
import os
import pickle
import runpy
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Protocol

import pytest

from plugline import Finding, Folder, Host, LoadError, Modules, PluginDeclined, load_path
from plugline.errors import PluginRejected, SettingsRefused
from tests.plugin_folders import GOOD, WANTED, write

REAL_JSON = json


class Named(Protocol):
    name: str

    def transform(self, record: object) -> object: ...


@contextlib.contextmanager
def opened(folder: Path, files: dict[str, str | bytes], interface: object = WANTED) -> Iterator[Host[object]]:
    with Host(write(folder / "plugins", files), interface=interface, api_version="1.2") as host:  # type: ignore[call-overload]
        yield host


def loaded(host: Host[object], name: str = "a") -> dict[str, object]:
    return vars(host[name].load())


def failed(host: Host[object], name: str = "a") -> Finding:
    plugin = host[name]
    with pytest.raises(LoadError) as caught:
        plugin.load()
    with pytest.raises(LoadError) as again:
        plugin.load()
    assert again.value.findings == caught.value.findings == plugin.findings
    assert (caught.value.plugin, plugin.state) == (name, "failed")
    return caught.value.findings[0]


def private() -> list[str]:
    return sorted(name for name in sys.modules if name.startswith("plugins"))


# ---- what works in a plugin


def test_a_plugin_named_like_the_standard_library_shadows_nobody(tmp_path: Path) -> None:
    with opened(tmp_path, {"json.py": "import json\nREAL = json\n" + GOOD, "types.py": GOOD}) as host:
        assert loaded(host, "json")["REAL"] is REAL_JSON
        host["types"].load()
        assert sys.modules["json"] is REAL_JSON
        assert "plugins.json" in sys.modules


def test_nothing_of_the_folder_is_on_the_path_and_no_bytecode_is_written(tmp_path: Path) -> None:
    before = list(sys.path)
    with opened(tmp_path, {"a.py": "from . import _b\n" + GOOD, "_b.py": ""}) as host:
        host["a"].load()
    assert sys.path == before
    assert not list(tmp_path.rglob("__pycache__"))


DATACLASS = """
from __future__ import annotations
from dataclasses import KW_ONLY, dataclass, fields
from typing import ClassVar

@dataclass(slots=True)
class Point:
    x: int
    _: KW_ONLY
    y: int = 0
    made: ClassVar[int] = 0

NAMES = [field.name for field in fields(Point)]
"""


def test_a_dataclass_works_with_annotations_that_are_strings(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": DATACLASS + GOOD}) as host:
        assert loaded(host)["NAMES"] == ["x", "y"]


def test_relative_imports_reach_neighbours_packages_and_back(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.py": "from . import _shared\nfrom ._shared import X\nfrom .pack.deep.mod import Y\n" + GOOD,
        "_shared.py": "X = []",
        "pack/__init__.py": "from .._shared import X\n" + GOOD,
        "pack/deep/mod.py": "from ..._shared import X as Y",
        "late.py": GOOD.replace("return record", "from ._shared import X; return X"),
    }
    with opened(tmp_path, files) as host:
        a, pack = loaded(host), loaded(host, "pack")
        assert a["X"] is a["Y"] is pack["X"]
        assert host["late"].load().transform(1) is a["X"]  # type: ignore[attr-defined]


def test_plugins_may_import_each_other_in_a_circle(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.py": "from . import b\nX = 1\n" + GOOD,
        "b.py": "from . import a\nX = 2\n" + GOOD,
    }
    with opened(tmp_path, files) as host:
        assert len(host.load_all()) == 2
        assert loaded(host, "b")["a"] is host["a"].load()


def test_a_neighbour_that_is_no_plugin_may_be_what_others_share(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": "from .common import X\n" + GOOD, "common.py": "X = 3"}) as host:
        assert [rejected.name for rejected in host.rejected] == ["common"]
        assert loaded(host)["X"] == 3


def test_a_neighbour_that_leads_out_of_the_folder_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "out.py").write_text("X = 3")
    with opened(tmp_path, {"a.py": "from ._link import X\n" + GOOD}) as host:
        (tmp_path / "plugins/_link.py").symlink_to(tmp_path / "out.py")
        assert failed(host).code == "P108"


def test_the_source_of_a_plugin_can_be_asked_for(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD}) as host:
        transform = loaded(host)["transform"]
        assert callable(transform)
        assert inspect.getsource(transform) == "def transform(record):\n    return record\n"
        assert inspect.getfile(transform) == str(tmp_path / "plugins/a.py")


def test_a_traceback_shows_the_plugins_line(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD.replace("return record", "return record['x'] / 0")}) as host:
        transform = loaded(host)["transform"]
        assert callable(transform)
        try:
            transform({"x": 1})
        except ZeroDivisionError:
            assert "return record['x'] / 0" in traceback.format_exc()


def test_a_package_plugin_reads_its_data_files(tmp_path: Path) -> None:
    with opened(tmp_path, {"pack/__init__.py": GOOD, "pack/table.txt": "abc"}) as host:
        module = host["pack"].load()
        assert importlib.resources.files(module.__name__).joinpath("table.txt").read_text() == "abc"  # type: ignore[attr-defined]


def test_a_part_of_a_plugin_can_be_run_as_a_program(tmp_path: Path) -> None:
    files = {"pack/__init__.py": GOOD + "x = 3\n", "pack/__main__.py": "from . import x\ny = x + 1\n"}
    with opened(tmp_path, dict(files)) as host:
        host["pack"].load()
        assert runpy.run_module("plugins.pack", run_name="__main__")["y"] == 4


def test_a_file_finds_what_lies_beside_it_by_its_package(tmp_path: Path) -> None:
    text = "from importlib.resources import files\nBESIDE = files(__package__).joinpath('x.txt').read_text()\n" + GOOD
    files = {"a.py": text, "x.txt": "top", "sub/b.py": text, "sub/x.txt": "below"}
    place = Folder(write(tmp_path / "plugins", dict(files)), nested=True)
    with Host(place, interface=WANTED) as host:
        assert [loaded(host, name)["BESIDE"] for name in ("a", "sub.b")] == ["top", "below"]


def test_files_whose_names_become_one_module_name_keep_apart(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.b.py": "X = 1\n" + GOOD, "a_b.py": "X = 2\n" + GOOD}) as host:
        assert (loaded(host, "a.b")["X"], loaded(host, "a_b")["X"]) == (1, 2)


def test_an_odd_name_is_its_modules_name(tmp_path: Path) -> None:
    with opened(tmp_path, dict.fromkeys(["with space.py", "class.py", "1st.py", "größe.py", "a-b.py"], GOOD)) as host:
        assert sorted(plugin.load().__name__ for plugin in host) == [  # type: ignore[attr-defined]
            "plugins.1st",
            "plugins.a-b",
            "plugins.class",
            "plugins.größe",
            "plugins.with space",
        ]


PARCELS = """
import enum
from typing import NamedTuple
class Size(enum.Enum):
    SMALL = 1
class Parcel(NamedTuple):
    size: Size
def weigh(parcel): return 10
"""


def test_what_a_plugin_defines_survives_pickling(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": PARCELS + GOOD}) as host:
        module = host["a"].load()
        value = (module.Parcel(module.Size.SMALL), module.weigh)  # type: ignore[attr-defined]
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - its own


@pytest.mark.parametrize("name", ["a", "dotted.name", "with space"])
def test_a_pickle_can_be_read_in_another_process_where_the_same_host_is_open(name: str, tmp_path: Path) -> None:
    with opened(tmp_path, {f"{name}.py": PARCELS + GOOD}) as host:
        module = host[name].load()
        data = pickle.dumps(module.Parcel(module.Size.SMALL))  # type: ignore[attr-defined]
    script = """
        import pickle, sys
        from plugline import Host
        host = Host("plugins", interface=["transform", "describe"])
        print(pickle.loads(sys.stdin.buffer.read()))
        """
    done = subprocess.run(
        [sys.executable, "-c", dedent(script)], cwd=tmp_path, input=data, capture_output=True, check=True, timeout=30
    )
    assert done.stdout.decode().strip() == "Parcel(size=<Size.SMALL: 1>)"


# ---- once, lazily, what was checked


def test_only_what_is_used_is_run_and_only_once(tmp_path: Path) -> None:
    count = "import sys\nsys.plugline_test_count = getattr(sys, 'plugline_test_count', 0) + 1\n"
    with opened(tmp_path, {"a.py": count + GOOD, "b.py": "raise AssertionError\n" + GOOD}) as host:
        try:
            threads = [threading.Thread(target=host["a"].load) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

            assert vars(sys).pop("plugline_test_count") == 1
            assert host["a"].load() is host["a"].load()
            assert (host["a"].state, host["a"].generation, host["b"].state) == ("loaded", 1, "found")
        finally:
            vars(sys).pop("plugline_test_count", None)


def test_a_file_that_is_gone_since_it_was_listed_is_a_failure(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD}) as host:
        plugin = host["a"]
        (tmp_path / "plugins/a.py").unlink()
        with pytest.raises(LoadError, match="cannot be read"):
            plugin.load()


def test_a_file_that_changed_since_it_was_listed_is_checked_again(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD, "b.py": GOOD}) as host:
        assert len(host) == 2
        write(tmp_path / "plugins", {"a.py": "VERSION = '2'\n" + GOOD, "b.py": "raise AssertionError('was run')"})
        host["a"].load()
        assert host["a"].version == "2"
        assert failed(host, "b").code == "P201"


SWAPPER = """
import pathlib
path = pathlib.Path(__file__)
def transform(record): return "what was checked"
def describe(): return ""
"""


def test_what_was_checked_is_what_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    path = tmp_path / "plugins/a.py"
    with opened(tmp_path, {"a.py": SWAPPER}) as host:
        plugin = host["a"]
        read = os.read
        reads = []

        def read_then_swap(descriptor: int, length: int) -> bytes:
            found = read(descriptor, length)
            if found.startswith(SWAPPER.encode()[:20]):
                reads.append("a.py")
                path.write_text(SWAPPER.replace("what was checked", "what was swapped in"))
            return found

        monkeypatch.setattr(os, "read", read_then_swap)
        assert plugin.load().transform(1) == "what was checked"  # type: ignore[attr-defined]
        assert reads == ["a.py"]


def test_a_plugin_may_put_an_object_in_its_own_place(tmp_path: Path) -> None:
    text = """
        import sys
        class Shout:
            def transform(self, record): return "shouted"
            def describe(self): return ""
        sys.modules[__name__] = Shout()
        """
    with opened(tmp_path, {"a.py": text, "b.py": "from . import a\n" + GOOD}) as host:
        host["b"].load()
        assert host["a"].load().transform(1) == "shouted"  # type: ignore[attr-defined]


# ---- failures


@pytest.mark.parametrize(
    ("text", "code", "message", "line"),
    [
        ("{'a': 1}['b']", "P301", "raised KeyError: 'b' while it was loaded", 1),
        ("raise BaseException('x')", "P301", "raised BaseException: x while it was loaded", 1),
        ("\nraise GeneratorExit", "P301", "raised GeneratorExit while it was loaded", 2),
        ("raise KeyboardInterrupt", "P301", "raised KeyboardInterrupt while it was loaded", 1),
        ("import sys\nsys.exit(3)", "P302", "called sys.exit(3) while it was loaded", 2),
        ("import sys\nsys.exit()", "P302", "called sys.exit() while it was loaded", 2),
        ("import absent_x", "P103", "needs the module 'absent_x', which is not installed", 1),
        ("from . import _absent", "P301", "raised ImportError: cannot import name '_absent'", 1),
        ("from ._absent import x", "P103", "needs the module 'plugins._absent', which 'plugins' does not have", 1),
        ("from json import absent", "P301", "raised ImportError: cannot import name 'absent'", 1),
        ("exec('x = (')", "P301", "raised SyntaxError: '(' was never closed", 1),
        ("raise ModuleNotFoundError(name=3)", "P301", "raised ModuleNotFoundError", 1),
        ("class E:\n def __repr__(s): 1/0\nraise SystemExit(E())", "P302", "whose repr raises ZeroDivisionError", 3),
        ("class E(SystemExit): code = property(lambda s: 1/0)\nraise E", "P301", "raised plugins.a.E", 2),
        ("class E(Exception):\n def __str__(s): 1/0\nraise E", "P301", "its __str__ raised ZeroDivisionError", 3),
        ("raise ValueError('one\\ntwo\\x1b[2J')", "P301", "raised ValueError: one\ntwo", 1),
        ("import sys\nsys.modules.clear()\n1 / 0", "P301", "raised ZeroDivisionError", 3),
        ("def f(): f()\nf()", "P301", "raised RecursionError", 1),
    ],
)
def test_whatever_a_plugin_raises_is_its_own_failure(
    text: str, code: str, message: str, line: int, tmp_path: Path
) -> None:
    with opened(tmp_path, {"a.py": f"{text}\n{GOOD}", "good.py": GOOD}) as host:
        found = failed(host)
        assert message in found.message
        assert (found.code, found.place.line) == (code, line)
        assert [name for name in private() if name != "plugins"] == []
        assert host.names == ("good",)
        assert [rejected.name for rejected in host.rejected] == ["a"]
        assert str(host.rejected[0]).count("\n") <= 3
        host["good"].load()


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        ("import beside", "P103", "imports 'beside', which is a file beside it", "from . import beside"),
        ("from pack import x", "P103", "imports 'pack', which is a file beside it", "from . import pack"),
        (
            "from ..common import x",
            "P301",
            "attempted relative import beyond top-level package",
            "Host(..., package=...)",
        ),
    ],
)
def test_an_import_that_was_meant_for_another_place_is_told_what_to_do(
    text: str, code: str, message: str, hint: str, tmp_path: Path
) -> None:
    with opened(tmp_path, {"a.py": f"{text}\n{GOOD}", "beside.py": GOOD, "pack/__init__.py": GOOD}) as host:
        found = failed(host)
        assert (found.code, found.place.line) == (code, 1)
        assert message in found.message
        assert hint in found.advice


@pytest.mark.parametrize(
    "files",
    [
        {"a.py": f"from google.absent_part import x\n{GOOD}", "google.py": GOOD},
        {"a.py": f"from ._b import x\n{GOOD}", "_b.py": "from google import absent_part\n"},
    ],
)
def test_of_a_package_that_many_share_the_missing_part_is_to_be_installed(
    files: dict[str, str | bytes], tmp_path: Path
) -> None:
    with opened(tmp_path, files) as host:
        assert failed(host).hint == "pip install google-absent-part"


def test_what_the_folders_own_init_defines_is_had_by_naming_the_package(tmp_path: Path) -> None:
    with opened(tmp_path, {"__init__.py": "class Base: pass\n", "a.py": f"from . import Base\n{GOOD}"}) as host:
        found = failed(host)
        assert (found.code, found.place.line) == ("P301", 1)
        assert (
            found.hint
            == "the folder's own __init__.py is not run; if it is a package of the program: Host(..., package=...)"
        )


def test_at_the_top_level_nothing_is_relative(tmp_path: Path) -> None:
    folder = write(tmp_path / "plugins", {"a_at_top.py": f"from . import beside\n{GOOD}"})
    with Host(folder, interface=WANTED, namespace="") as host:
        host.load_all()
        assert "Host(..., package=...)" in host.rejected[0].findings[0].advice


def test_a_plugin_that_is_called_like_a_library_that_is_missing_needs_the_library(tmp_path: Path) -> None:
    with opened(tmp_path, {"absent_x.py": f"import absent_x\n{GOOD}"}) as host:
        assert failed(host, "absent_x").message == "needs the module 'absent_x', which is not installed"


def test_a_part_of_a_package_that_is_missing_is_not_to_be_installed(tmp_path: Path) -> None:
    with opened(tmp_path, {"a/__init__.py": f"from .absent import x\n{GOOD}"}) as host:
        found = failed(host)
        assert found.message == "needs the module 'plugins.a.absent', which 'plugins.a' does not have"
        assert found.hint == "is the file of 'absent' missing beside it?"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("import os.absent", "mend the name, or take a version of 'os' that has it"),
        ("import xml.absent.more", "mend the name, or take a version of 'xml' that has it"),
        (
            "from pytest.absent import x",
            "mend the name, or take a version of 'pytest' that has it: pip install --upgrade pytest",
        ),
        (
            "from pytest import absent",
            "mend the name, or take a version of 'pytest' that has it: pip install --upgrade pytest",
        ),
    ],
)
def test_a_part_that_a_library_lacks_is_not_looked_for_beside_the_plugin(text: str, hint: str, tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": f"{text}\n{GOOD}"}) as host:
        assert failed(host).hint == hint


@pytest.mark.parametrize("text", ["from .b import y", "from . import b\nb.y"])
def test_two_that_import_each_other_are_told_so(text: str, tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": f"{text}\nx = 1\n{GOOD}", "b.py": f"from .a import x\ny = 1\n{GOOD}"}) as host:
        assert str(failed(host).hint).startswith("they import each other: ")


@pytest.mark.parametrize("name", ["", ".", "a/b", "a\n"])
def test_what_is_missing_without_a_name_is_told_in_its_own_words(name: str, tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": f"raise ModuleNotFoundError('no driver', name={name!r})\n{GOOD}"}) as host:
        assert failed(host).message == "raised ModuleNotFoundError: no driver while it was loaded"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x = (", "error[P106] plugins/_b.py:1:5"),
        ("1 / 0", "plugins/a.py:1:1: raised ZeroDivisionError: division by zero at plugins/_b.py:1 while"),
        ("import absent_x", "plugins/a.py:1:1: needs the module 'absent_x' at plugins/_b.py:1, which is not"),
        ("import sys; sys.exit(3)", "plugins/a.py:1:1: called sys.exit(3) at plugins/_b.py:1 while"),
        ("import json; json.loads('')", "char 0) at plugins/_b.py:1 while"),
    ],
)
def test_a_neighbour_is_shown_as_the_plugin_is(
    text: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with opened(Path(), {"a.py": f"from . import _b\n{GOOD}", "_b.py": f"{text}\n"}) as host:
        host.load_all()
        assert shown in str(host.rejected[0])


def test_a_plugin_that_says_itself_that_something_is_missing_is_told_to_install_it(tmp_path: Path) -> None:
    text = "try:\n    import none_such\nexcept ImportError:\n    raise ImportError('give it None Such 2')\n" + GOOD
    with opened(tmp_path, {"a.py": text}) as host:
        found = failed(host)
        assert (found.code, found.message) == ("P301", "raised ImportError: give it None Such 2 while it was loaded")
        assert found.hint == "install what it asks for"


def test_a_constructor_that_raises_without_settings_is_not_told_to_mend_a_value(tmp_path: Path) -> None:
    text = "class Mine:\n    def __init__(self): 1 / 0\n    def transform(self, record): ...\n    def describe(self): ...\n"
    told = pytest.raises(SettingsRefused, match=r"hint: mend its constructor; .* available\(\)")
    with opened(tmp_path, {"a.py": text}) as host, told:
        host["a"].load()


def test_a_neighbour_with_a_syntax_error_is_placed_in_its_own_file(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": "from . import _b\n" + GOOD, "_b.py": "\nx = (\n"}) as host:
        found = failed(host)
        assert (found.code, found.place.line) == ("P106", 2)
        assert found.place.path.endswith("_b.py")


def test_a_neighbour_that_raises_is_named_with_its_line(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": "from . import _b\n" + GOOD, "_b.py": "\n1 / 0\n"}) as host:
        assert failed(host).place.line == 1


FAKES = """
import sys, types
sys.modules["json"] = types.ModuleType("json")
del sys.modules["string"]
import xml.sax.saxutils
from . import _half
from .pack import inner
raise RuntimeError("after all that")
"""


def test_a_failed_load_leaves_sys_modules_as_it_was_but_for_modules_from_elsewhere(tmp_path: Path) -> None:
    import string

    sys.modules.pop("xml.sax.saxutils", None)
    files: dict[str, str | bytes] = {
        "a.py": FAKES + GOOD,
        "_half.py": "",
        "pack/__init__.py": GOOD,
        "pack/inner.py": "",
        "kept.py": GOOD,
    }
    with opened(tmp_path, files) as host:
        kept = host["kept"].load()
        failed(host)
        assert sys.modules["json"] is REAL_JSON
        assert sys.modules["string"] is string
        assert "xml.sax.saxutils" in sys.modules
        assert private() == ["plugins", "plugins.kept"]
        assert sys.modules["plugins.kept"] is kept
        assert not hasattr(sys.modules["plugins"], "_half")
        host["pack"].load()


def test_a_plugin_that_takes_itself_out_of_sys_modules_fails(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": "import sys\ndel sys.modules[__name__]\n" + GOOD}) as host:
        assert failed(host).message == "raised KeyError: 'plugins.a' while it was loaded"


def test_a_plugin_that_takes_our_finder_out_does_not_keep_others_from_loading(tmp_path: Path) -> None:
    text = "import sys\nsys.meta_path[:] = [one for one in sys.meta_path if 'plugline' not in type(one).__module__]\n"
    with opened(tmp_path, {"a.py": text + GOOD, "b.py": "from . import _c\n" + GOOD, "_c.py": ""}) as host:
        assert len(host.load_all()) == 2


def test_a_failed_package_takes_its_submodules_along(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"pack/__init__.py": "from . import inner\n1 / 0\n" + GOOD, "pack/inner.py": ""}
    with opened(tmp_path, files) as host:
        failed(host, "pack")
        assert private() == ["plugins"]


def test_a_plugin_that_lacks_something_after_all_leaves_as_little(tmp_path: Path) -> None:
    text = "import sys, types\nfrom . import _half\nsys.modules['json'] = types\ntransform = int('3')\n"
    with opened(tmp_path, {"a.py": text + "def describe(x): ...\n", "_half.py": ""}) as host:
        found = failed(host)
        assert (found.code, found.message) == ("P202", "'transform' is int 3, a function was expected")
        assert sys.modules["json"] is REAL_JSON
        assert private() == ["plugins"]


class Names(Protocol):
    path: Path


def test_a_function_in_the_place_of_an_instance_costs_that_plugin(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.py": "def path(): ...\n", "b.py": "import pathlib\npath = pathlib.Path()\n"}
    with opened(tmp_path, files, interface=Names) as host:
        assert [plugin.name for plugin in host.load_all()] == ["b"]
        assert [one.findings[0].code for one in host.rejected] == ["P202"]


@pytest.mark.parametrize(
    "text",
    [
        "def __getattr__(name): raise RuntimeError('no')",
        "class M(type):\n    __module__ = property(lambda s: 1 / 0)\nclass A(metaclass=M): ...",
    ],
)
def test_a_plugin_that_raises_when_it_is_looked_at_is_its_own_failure(text: str, tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": text, "good.py": GOOD}) as host:
        host.load_all()
        assert host.names == ("good",)
        assert "while it was checked" in str(host.rejected[0])


@pytest.mark.parametrize("again", [False, True])
def test_the_users_own_interrupt_passes_and_the_plugin_can_be_loaded_after_it(again: bool, tmp_path: Path) -> None:  # noqa: FBT001
    text = f"import os, signal\nif os.environ.get('PLUGLINE_TEST_KILL'):\n    os.kill(os.getpid(), {int(signal.SIGINT)})\n    while True: pass\n"
    with opened(tmp_path, {"a.py": "from . import _b\n" + text + GOOD, "_b.py": ""}) as host:
        os.environ["PLUGLINE_TEST_KILL"] = "1"
        try:
            with pytest.raises(KeyboardInterrupt):
                host["a"].load()
        finally:
            del os.environ["PLUGLINE_TEST_KILL"]
        assert private() == ["plugins"]
        assert host["a"].state == "found"
        if again:
            host["a"].load()


def test_a_plugin_that_loads_itself_fails_and_ends(tmp_path: Path) -> None:
    text = (
        "import gc, plugline\n[h] = [o for o in gc.get_objects() if type(o) is plugline.Host and o.names == ('a',)]\n"
    )
    with opened(tmp_path, {"a.py": text + "h['a'].load()\n" + GOOD}) as host:
        assert failed(host).code in {"P201", "P301", "P311"}


def test_a_plugin_that_declines_is_no_failure(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": "def available(): return 'no display'\n" + GOOD, "b.py": GOOD}) as host:
        with pytest.raises(PluginDeclined, match="plugin 'a' declined: no display"):
            host["a"].load()
        assert host.declined == {"a": "no display"}
        assert host["a"].state == "declined"
        assert host.rejected == ()
        assert [plugin.name for plugin in host.load_all()] == ["b"]
        assert "plugins.a" not in sys.modules


@pytest.mark.parametrize("parameters", ["name", "*, name", "first, second=2", "*names"])
def test_a_function_that_is_called_available_and_needs_arguments_is_not_asked(tmp_path: Path, parameters: str) -> None:
    # Salt's modules of services have such ones.
    text = f"def available({parameters}): return False\n"
    with opened(tmp_path, {"a.py": text + GOOD}) as host:
        assert [plugin.name for plugin in host.load_all()] == ([] if parameters == "*names" else ["a"])
        assert host.declined == ({"a": "its available() returned False"} if parameters == "*names" else {})


def test_a_class_gets_its_settings_and_its_instance_is_checked(tmp_path: Path) -> None:
    text = """
        class A:
            def __init__(self, name: str = "", limit: int = 3) -> None:
                if name:
                    self.name = name
            def transform(self, record): return record
        """
    with (
        opened(tmp_path, {"a.py": text}, Named) as host,
        pytest.raises(LoadError, match=r"missing attributes \['name'\]"),
    ):
        host["a"].load()


def test_a_module_has_no_settings(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD}) as host, pytest.raises(SettingsRefused, match="limit was given"):
        host["a"].load({"limit": 3})


def test_a_decorator_of_the_hosts_does_not_make_a_function_somebody_elses(tmp_path: Path) -> None:
    text = "from tests.unit.host.test_loading import hook\n" + GOOD.replace("def transform", "@hook\ndef transform")
    with opened(tmp_path, {"a.py": text}) as host:
        host["a"].load()


def hook(function: object) -> object:
    def inner(*arguments: object) -> object:
        return function(*arguments)  # type: ignore[operator]

    return inner


# ---- load_path


@pytest.fixture
def kept_hosts() -> Iterator[None]:
    from plugline.host import single

    before = len(single._kept)
    yield
    while len(single._kept) > before:
        single._kept.pop().close()


DEMO = """
PLUGIN_NAME = "demo_plugin"
VERSION = "1.0.0"
def process(data):
    return {key: value.upper() if isinstance(value, str) else value for key, value in data.items()}
def describe():
    return f"{PLUGIN_NAME} v{VERSION}: uppercases string values"
"""


@pytest.mark.usefixtures("kept_hosts")
def test_a_file_is_loaded_by_its_path_and_can_be_used_after_it_is_deleted(tmp_path: Path) -> None:
    path = write(tmp_path, {"my_plugin.py": DEMO + "from dataclasses import dataclass\n@dataclass\nclass P: x: int\n"})
    module = load_path(path / "my_plugin.py", interface=["process", "describe"])
    (tmp_path / "my_plugin.py").unlink()
    assert module.process({"a": "b", "c": 1}) == {"a": "B", "c": 1}  # type: ignore[attr-defined]
    assert module.describe() == "demo_plugin v1.0.0: uppercases string values"  # type: ignore[attr-defined]
    assert sys.modules["plugins.my_plugin"] is module
    value = vars(module)["P"](3)
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - its own


def test_of_several_classes_in_a_file_none_is_taken_for_the_one(tmp_path: Path) -> None:
    write(tmp_path, {"x.py": "class One(ValueError): ...\nclass Two(ValueError): ...\n"})
    with pytest.raises(PluginRejected) as caught:
        load_path(tmp_path / "x.py", interface=ValueError)
    assert [finding.message for finding in caught.value.findings] == ["2 classes fit: One, Two; one was expected"]


@pytest.mark.usefixtures("kept_hosts")
def test_one_path_loaded_twice_gives_two_modules(tmp_path: Path) -> None:
    write(tmp_path, {"json.py": GOOD})
    assert load_path(tmp_path / "json.py") is not load_path(tmp_path / "json.py")
    assert sys.modules["json"] is REAL_JSON


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, PluginRejected),
        ("x = (", PluginRejected),
        ("", PluginRejected),
        ("1 / 0\n" + GOOD, LoadError),
        ("def available(): return False\n" + GOOD, PluginDeclined),
    ],
)
def test_a_path_that_is_no_plugin_raises_and_leaves_nothing(
    text: str | None, kind: type[Exception], tmp_path: Path
) -> None:
    if text is not None:
        write(tmp_path, {"a.py": text})
    with pytest.raises(kind):
        load_path(tmp_path / "a.py", interface=WANTED)
    assert private() == []


def test_a_logging_that_raises_takes_no_plugin_down(tmp_path: Path) -> None:
    # Limnoria's class of loggers fails at any message with arguments.
    class Failing(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise TypeError(record)

    failing = Failing()
    logger = logging.getLogger("plugline.host.host")
    logger.addFilter(failing)
    try:
        with Host(write(tmp_path / "plugins", {"bad.py": "1 / 0\n", "good.py": "def f(): ...\n"})) as host:
            assert [plugin.name for plugin in host.load_all()] == ["good"]
            assert [one.name for one in host.rejected] == ["bad"]
    finally:
        logger.removeFilter(failing)


def test_a_library_of_machine_code_that_is_broken_is_not_placed_in_our_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"broken_of_tests.so": ""})
    monkeypatch.syspath_prepend(tmp_path)
    with Host(Modules(["broken_of_tests"]), interface=WANTED) as host:
        found = failed(host, "broken_of_tests")
        assert "ImportError" in found.message
        assert "running.py" not in found.message
