"""Which files of a plugin folder travel in a plan."""

from pathlib import Path

import pytest

from plugline.discovery.carried import carry
from plugline.discovery.trees import DiskTree


def carried(folder: Path, *entries: str) -> set[str]:
    return set(carry(DiskTree(str(folder)), entries, "plugins"))


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "statement",
    [
        "from ._shared import x",
        "from . import _shared",
        "from plugins._shared import x",
        "from plugins import _shared",
        "import plugins._shared",
        "def f():\n    from ._shared import x",
        "from\t._shared import x",
        "from._shared import x",
        "from \\\n\f\\\n ._shared import x",
        "x = 'from'; from ._shared import x",
        "from ._\uff53hared import x",
        "import \uff50lugins._shared",
        "# coding: utf-7\nfrom +AC4-_shared import x",
    ],
)
def test_a_neighbour_that_is_imported_travels(statement: str, tmp_path: Path) -> None:
    write(tmp_path, upper=statement, _shared="x = 1", other="x = 2")
    assert carried(tmp_path, "upper.py") == {"upper.py", "_shared.py"}


def test_a_folder_may_have_a_name_that_is_no_utf_8(tmp_path: Path) -> None:
    write(tmp_path, upper="from ._shared import x", _shared="x = 1", other="x = 2")
    assert set(carry(DiskTree(str(tmp_path)), ["upper.py"], "caf\udce9")) == {"upper.py", "_shared.py"}


def test_what_a_neighbour_imports_travels_as_well_and_circles_end(tmp_path: Path) -> None:
    write(tmp_path, upper="from ._one import x", _one="from ._two import x", _two="from . import _one")
    assert carried(tmp_path, "upper.py") == {"upper.py", "_one.py", "_two.py"}


def test_a_package_travels_whole(tmp_path: Path) -> None:
    for name in ("score/__init__.py", "score/rules.py", "score/text/__init__.py", "score/text/split.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "score" / "__pycache__").mkdir()
    (tmp_path / "score" / "__pycache__" / "old.py").write_text("")
    assert carried(tmp_path, "score/__init__.py") == {
        "score/__init__.py",
        "score/rules.py",
        "score/text/__init__.py",
        "score/text/split.py",
    }


def test_a_module_of_a_shared_package_travels_with_the_package(tmp_path: Path) -> None:
    (tmp_path / "_lib").mkdir()
    (tmp_path / "_lib" / "__init__.py").write_text("")
    (tmp_path / "_lib" / "text.py").write_text("x = 1")
    write(tmp_path, upper="from ._lib.text import x")
    assert carried(tmp_path, "upper.py") == {"upper.py", "_lib/__init__.py", "_lib/text.py"}


def test_a_package_may_import_beside_itself(tmp_path: Path) -> None:
    (tmp_path / "score").mkdir()
    (tmp_path / "score" / "__init__.py").write_text("from .._shared import x")
    write(tmp_path, _shared="x = 1")
    assert carried(tmp_path, "score/__init__.py") == {"score/__init__.py", "_shared.py"}


def test_an_import_that_leads_out_of_the_folder_carries_nothing(tmp_path: Path) -> None:
    write(tmp_path, upper="from ...elsewhere import x")
    assert carried(tmp_path, "upper.py") == {"upper.py"}
