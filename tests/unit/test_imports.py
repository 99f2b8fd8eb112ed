import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from plugline import first_installed, import_object, is_installed, reload_module, require
from plugline.errors import ModuleMissing, NameMissing, PluglineError
from plugline.imports import distribution_of
from tests.plugin_folders import write


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path``; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


# ---- by name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("json", json),
        ("os.path", os.path),
        ("json.decoder:JSONDecoder", json.JSONDecoder),
        ("json.decoder.JSONDecoder", json.JSONDecoder),
        ("json:JSONDecoder.decode", json.JSONDecoder.decode),
        ("json:decoder.JSONDecoder", json.JSONDecoder),
    ],
)
def test_a_dotted_name_leads_to_its_module_or_object(name: str, expected: object) -> None:
    assert import_object(name) is expected


def test_a_relative_name_starts_from_its_package() -> None:
    assert import_object(".decoder:JSONDecoder", package="json") is json.JSONDecoder
    assert import_object("..path", package="os.sub") is os.path


@pytest.mark.parametrize("name", ["", ".", "a..b", "a.b.", "a:", "a:b:c", ":b", "a b", "1a", "a/b", "a:b..c"])
def test_a_name_that_is_not_dotted_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(ValueError, match="is not a dotted name like"):
        import_object(name, package="json")


def test_a_relative_name_needs_a_package_that_is_deep_enough() -> None:
    with pytest.raises(ValueError, match="'package' says what it is relative to"):
        import_object(".decoder")
    with pytest.raises(ValueError, match="leads out of the package 'json'"):
        import_object("..decoder", package="json")


def test_a_module_that_is_missing_is_named_with_the_nearest() -> None:
    with pytest.raises(ModuleMissing) as caught:
        import_object("jsn")
    assert str(caught.value) == "no module named 'jsn' is installed\n  hint: did you mean json?"
    assert caught.value.module == "jsn"


def test_a_submodule_that_is_missing_is_named_with_what_was_looked_for() -> None:
    with pytest.raises(ModuleMissing, match=r"^no module named 'json.decodr' is installed\n  hint: .*json.decoder\?$"):
        import_object("json.decodr:JSONDecoder")
    with pytest.raises(ModuleMissing, match=r"'plugline_absent'.* \(looked for 'plugline_absent.a.b'\)"):
        import_object("plugline_absent.a.b:c")


def test_an_object_that_is_missing_is_named_with_the_nearest() -> None:
    with pytest.raises(NameMissing) as caught:
        import_object("json:JSONDecodr")
    assert str(caught.value) == "'json' has no 'JSONDecodr'\n  hint: did you mean 'JSONDecoder'?"


def test_what_a_module_needs_and_lacks_is_not_taken_for_the_module(on_path: Path) -> None:
    write(on_path, {"needy.py": "import plugline_absent_need"})
    with pytest.raises(ModuleNotFoundError) as caught:
        import_object("needy")
    assert not isinstance(caught.value, PluglineError)
    assert caught.value.name == "plugline_absent_need"


# ---- first_installed


def test_the_first_that_is_installed_is_taken_and_told() -> None:
    choice = first_installed("plugline_absent_fast", "json")
    assert choice.module is json
    assert choice.name == "json"
    assert choice.missing == ("plugline_absent_fast",)
    assert str(choice) == "using json: plugline_absent_fast is not installed"
    assert str(first_installed("json", "pickle")) == "using json"


@pytest.mark.parametrize(
    "inside",
    ["import plugline_absent_need", "raise ImportError('broken build')", "from os import absent_name", "1 / 0"],
)
def test_a_preferred_module_that_is_broken_inside_is_no_reason_to_fall_back(inside: str, on_path: Path) -> None:
    write(on_path, {"fastjson.py": inside})
    with pytest.raises((ImportError, ZeroDivisionError)) as caught:
        first_installed("fastjson", "json")
    assert not isinstance(caught.value, PluglineError)


def test_none_installed_names_all() -> None:
    with pytest.raises(ModuleMissing, match="none of plugline_absent_a, plugline_absent_b is installed"):
        first_installed("plugline_absent_a", "plugline_absent_b")
    with pytest.raises(ValueError, match="at least one"):
        first_installed()


# ---- is_installed, require


def test_looking_for_a_submodule_imports_nothing(on_path: Path) -> None:
    write(on_path, {"pack/__init__.py": "raise AssertionError('was run')", "pack/sub.py": "", "pack/deep/mod.py": ""})
    script = """
        import sys
        from plugline import is_installed
        imported = []
        def hook(event, arguments):
            if event == "exec" and "pack" in arguments[0].co_filename.split("/"):
                imported.append(arguments[0])
        sys.addaudithook(hook)
        print(is_installed("pack.sub"), is_installed("pack.absent"), is_installed("pack.deep.mod"), is_installed("pack"))
        print(imported, "pack" in sys.modules)
        """
    done = subprocess.run(
        [sys.executable, "-c", dedent(script)], cwd=on_path, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines() == ["True False True True", "[] False"]


@pytest.mark.parametrize(("name", "expected"), [("json", True), ("sys", True), ("os.path", True), ("json.x", False)])
def test_modules_of_the_standard_library_are_installed(name: str, expected: bool) -> None:  # noqa: FBT001
    assert is_installed(name) is expected


def test_a_module_whose_import_is_blocked_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "csv", None)
    assert not is_installed("csv")


@pytest.mark.parametrize("name", ["", ".a", "a..b"])
def test_only_an_absolute_name_can_be_looked_for(name: str) -> None:
    with pytest.raises(ValueError, match="not an absolute dotted name"):
        is_installed(name)


def test_require_names_all_that_is_missing_with_the_command_that_installs_it() -> None:
    require("json", "os.path")
    with pytest.raises(ModuleMissing) as caught:
        require("plugline_absent_a", "json", "plugline_absent_b.c", reason="to read Parquet files")
    assert str(caught.value) == (
        "'plugline_absent_a', 'plugline_absent_b.c' are needed to read Parquet files, and are not installed\n"
        "  hint: pip install plugline_absent_a plugline_absent_b"
    )


def test_require_says_what_to_install_where_that_is_called_otherwise() -> None:
    with pytest.raises(ModuleMissing, match=r"'plugline_absent_a' is not installed\n  hint: pip install absent"):
        require("plugline_absent_a", install="pip install absent")


# ---- reload_module


def test_a_reload_says_what_it_left_behind(on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write(
        on_path,
        {
            "changing.py": "class C: pass\ndef gone(): pass\nSTATE = 1\n",
            "holder.py": "from changing import C\n",
        },
    )
    module = import_object("changing")
    import_object("holder")
    write(on_path, {"changing.py": "class C: version = 'the second one'\nSTATE = 2\n"})
    report = reload_module("changing")
    assert report.module is module
    assert report.stale == ("holder.C",)
    assert report.leftover == ("gone",)
    assert "development only" in report.cannot


def test_what_cannot_be_reloaded_is_refused() -> None:
    with pytest.raises(ValueError, match="not made of Python source"):
        reload_module(sys)
    with pytest.raises(ModuleMissing, match="no module named 'plugline_absent' is loaded"):
        reload_module("plugline_absent")


def test_a_hint_names_what_is_to_be_installed_and_not_the_module() -> None:
    with pytest.raises(ModuleMissing, match=r"pip install python-magic$"):
        require("magic")


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("can", "python-can"),
        ("nio.crypto", "matrix-nio"),
        ("numpy", "numpy"),
        ("google.auth.transport", "google-auth"),
        ("google.oauth2.credentials", "google-auth"),
        ("google.cloud.storage", "google-cloud-storage"),
        ("azure.mgmt.compute.models", "azure-mgmt-compute"),
    ],
)
def test_what_is_to_be_installed_is_not_somebody_elses_package(module: str, distribution: str) -> None:
    assert distribution_of(module) == distribution
