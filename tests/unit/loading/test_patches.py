"""What a plugin changes in the process while it is loaded is reported and undone."""

import builtins
import sys
from pathlib import Path

import pytest

from plugline import Host, LoadError

GOOD = "def transform(record):\n    return record\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import builtins\nbuiltins.sum = None\n", "changed builtins: 'sum'"),
        ("import builtins\ndel builtins.print\n", "changed builtins: 'print'"),
        (
            "import builtins\nbuiltins.all = builtins.map = builtins.dict = None\n",
            "changed builtins: 'all', 'dict', 'map'",
        ),
        ("import builtins\nbuiltins.a_plugin_was_here = 1\n", "added to builtins: 'a_plugin_was_here'"),
        ("import sys\nsys.path.insert(0, '/of/a/plugin')\n", "put on sys.path: '/of/a/plugin'"),
        ("import sys\nsys.path = []\n", "took off sys.path: "),
        ("import sys\nsys.path.reverse()\n", "changed the order of sys.path"),
        ("import sys\nclass F:\n    pass\nsys.meta_path.insert(0, F())\n", "put a finder on sys.meta_path: 'F'"),
        ("import sys\nsys.meta_path.pop()\n", "took off sys.meta_path: "),
        ("import sys\nsys.modules['os'] = None\n", "replaced in sys.modules: 'os'"),
        ("import sys\nsys.modules['this'] = 3\n", "put in the place of a module: 'this'"),
        ("import os\nos.chdir('/')\n", "changed the current folder to '/'"),
    ],
)
def test_a_change_is_reported_and_undone(tmp_path: Path, code: str, said: str) -> None:
    def state() -> list[object]:
        process = [dict(vars(builtins)), list(sys.path), list(sys.meta_path), Path.cwd()]
        return [*process, sys.modules["os"], "this" in sys.modules]

    (tmp_path / "x.py").write_text(code + GOOD)
    with Host(tmp_path) as host:
        plugin = host["x"]
        before = state()
        path = sys.path
        plugin.load()
        assert state() == before
        assert sys.path is path
        found = [(one.code, one.severity) for one in plugin.warnings]
        assert found == [("P306", "warning")], plugin.warnings
        assert said in plugin.warnings[0].message


def test_what_a_plugin_that_fails_had_changed_is_undone_as_well(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "import builtins, os, sys\nbuiltins.len = None\nsys.path.append('/x')\nos.chdir('/')\nraise ValueError\n"
    )
    folder = Path.cwd()
    with Host(tmp_path) as host:
        with pytest.raises(LoadError) as caught:
            host["x"].load()
        assert [one.code for one in caught.value.findings] == ["P301", "P306", "P306", "P306"]
        assert len("abc") == 3
        assert Path.cwd() == folder
        assert "/x" not in sys.path


def test_a_plugin_that_changes_nothing_has_no_warnings(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import json, colorsys\n" + GOOD)
    with Host(tmp_path) as host:
        host["x"].load()
        assert host["x"].warnings == ()


def test_what_an_installed_library_adds_to_builtins_for_itself_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Salt does, with a value that does not show whose it is.
    library = tmp_path / "site-packages" / "salty_of_tests"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text("import builtins\nsetattr(builtins, '__salty_encoding__', 'utf-8')\n")
    (library / "later.py").write_text("def encode(text):\n    return text.encode(__salty_encoding__)\n")
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "x.py").write_text("import builtins\nimport salty_of_tests\nbuiltins.mine_of_tests = 1\n" + GOOD)
    (folder / "y.py").write_text("from salty_of_tests.later import encode\ntransform = encode\n")
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    with Host(folder) as host:
        try:
            host["x"].load()
            assert [one.message for one in host["x"].warnings] == [
                "added to builtins: 'mine_of_tests' while it was loaded; taken out again"
            ]
            assert vars(host["y"].load())["transform"]("a") == b"a"
        finally:
            vars(builtins).pop("__salty_encoding__", None)
            for name in [name for name in sys.modules if name.startswith("salty_of_tests")]:
                del sys.modules[name]
