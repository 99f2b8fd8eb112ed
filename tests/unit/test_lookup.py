"""Where modules are, without importing any."""

import os
import sys
import zipfile
from pathlib import Path
from pkgutil import iter_modules

import pytest

from plugline.lookup import modules_in

FILES = ["a.py", "b.pyc", "c.so", "d.cpython-311-x86_64-linux-gnu.so", f"e.{sys.implementation.cache_tag}.py", "f.txt"]
FILES += ["__init__.py", ".py", "g.h.py", "two words.py", "__pycache__/a.cpython-311.pyc", "i/__init__.py", "j/k.py"]
FILES += ["l/__init__.pyc", "m.n/__init__.py", "o.py", "o/__init__.py", "p.py/__init__.py", "q/__init__.txt", "_r.py"]


def expected(*folders: str) -> list[str]:
    return sorted({module.name for module in iter_modules(folders)})


@pytest.mark.parametrize("folder", sorted({*filter(os.path.isdir, sys.path), *__import__("email").__path__}))
def test_modules_are_those_that_pkgutil_finds(folder: str) -> None:
    assert modules_in([folder]) == expected(folder)


def test_odd_names_are_told_apart_as_pkgutil_does(tmp_path: Path) -> None:
    for name in FILES:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert modules_in([str(tmp_path)]) == expected(str(tmp_path))
    assert {"a", "i", "o"} < {*modules_in([str(tmp_path)])}


def test_modules_in_archives_and_in_several_places_are_found(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("inside.py", "")
    (tmp_path / "beside.py").touch()
    places = [str(tmp_path / "packed.zip"), str(tmp_path), str(tmp_path / "missing")]
    assert modules_in(places) == expected(*places) == ["beside", "inside"]


def test_what_another_finder_looks_into_is_left_to_pkgutil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program that PyInstaller has packed: a folder is there, and its modules are not."""

    class Packed:
        def __init__(self, path: str) -> None:
            if path != str(tmp_path):
                raise ImportError

        def iter_modules(self, _prefix: str = "") -> list[tuple[str, bool]]:
            return [("packed", False)]

    (tmp_path / "data.py").touch()
    monkeypatch.setattr(sys, "path_hooks", [Packed, *sys.path_hooks])
    monkeypatch.delitem(sys.path_importer_cache, str(tmp_path), raising=False)
    assert modules_in([str(tmp_path)]) == expected(str(tmp_path)) == ["packed"]
    sys.path_importer_cache.pop(str(tmp_path), None)
