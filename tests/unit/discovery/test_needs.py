from pathlib import Path

import pytest

from plugline.discovery.facts import SourceFacts
from plugline.discovery.needs import missing_modules
from plugline.discovery.source import parse_source, read_facts
from plugline.files import SourceFile
from plugline.findings import Finding


def facts(text: str) -> SourceFacts:
    source = SourceFile("p.py", text.encode())
    tree = parse_source(source)
    assert not isinstance(tree, Finding)
    return read_facts(source, tree)[0]


def block(*dependencies: str) -> str:
    return f"# /// script\n# dependencies = {list(dependencies)!r}\n# ///\n"


@pytest.mark.parametrize(
    "text",
    [
        "import os.path, json\nfrom collections import abc\n",
        "try:\n    import absent_module\nexcept ImportError:\n    absent_module = None\n",
        "if False:\n    import absent_module\n",
        "def f():\n    import absent_module\n",
        "from . import absent_module\nfrom .absent_module import x\n",
    ],
)
def test_what_need_not_be_installed_is_no_finding(text: str) -> None:
    assert missing_modules(facts(text), "p.py") == ()


def test_each_module_is_told_once_where_it_stands_first() -> None:
    text = "import os\nimport absent_one.a, absent_two\nfrom absent_one import b\n"
    found = missing_modules(facts(text), "p.py")
    assert [(str(one.place), one.hint) for one in found] == [
        ("p.py:2:1", "pip install absent_one"),
        ("p.py:2:1", "pip install absent_two"),
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (block("absent-one>=3", "rich") + "import absent_one\n", "plugline sync p.py, or pip install 'absent-one>=3'"),
        (block("other[x]>=3") + "import absent_one\n", "plugline sync p.py, or pip install 'other[x]>=3'"),
        (block("--index-url=http://elsewhere", "; rm -rf x") + "import absent_one\n", "pip install absent_one"),
        (block("a; rm") + "import absent_one\n", "plugline sync p.py, or pip install 'a; rm'"),
    ],
)
def test_the_hint_installs_what_the_plugin_declares_and_nothing_else(text: str, hint: str) -> None:
    assert [one.hint for one in missing_modules(facts(text), "p.py")] == [hint]


def test_a_file_beside_the_plugin_is_to_be_imported_relatively(tmp_path: Path) -> None:
    (tmp_path / "absent_helper.py").touch()
    (found,) = missing_modules(facts("import absent_helper\n"), str(tmp_path / "p.py"))
    assert found.hint == "import it relatively: from . import absent_helper"


def test_a_plugin_that_is_called_like_a_library_needs_the_library(tmp_path: Path) -> None:
    (tmp_path / "absent_library.py").write_text("")
    (found,) = missing_modules(facts("import absent_library\n"), str(tmp_path / "absent_library.py"))
    assert found.hint == "pip install absent_library"


@pytest.mark.parametrize("text", ["from google.auth.transport import requests\n", "from google import auth\n"])
def test_of_a_package_that_many_share_the_part_is_to_be_installed(text: str) -> None:
    assert [one.hint for one in missing_modules(facts(text), "p.py")] == ["pip install google-auth"]


def test_a_file_has_no_modules_inside_and_is_not_what_such_a_one_is_imported_from(tmp_path: Path) -> None:
    (tmp_path / "google.py").touch()
    (tmp_path / "absent_folder").mkdir()
    path = str(tmp_path / "p.py")
    (found,) = missing_modules(facts("import google.auth\n"), path)
    assert found.hint == "pip install google-auth"
    (found,) = missing_modules(facts("import absent_folder.part\n"), path)
    assert found.hint == "import it relatively: from . import absent_folder"
