"""What a path on the command line means."""

from pathlib import Path

import pytest

from plugline.cli.named import folder_of, place_of
from tests.builders import processor
from tests.plugin_folders import write


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        {
            "empty/__init__.py": "",
            "own/__init__.py": "class Base: ...\n",
            "own/pack/__init__.py": processor(),
            "own/torn/__init__.py": "x = (",
            "own/one.py": processor(),
        },
    )
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("path", "place", "folder"),
    [
        ("own/one.py", "own/one.py", "own"),
        ("own/pack", "own/pack/__init__.py", "own"),
        ("own/pack/__init__.py", "own/pack/__init__.py", "own"),
        ("own/torn/", "own/torn/__init__.py", "own"),
        ("empty", "empty", "empty"),
        ("own", "own", "own"),
        (".", ".", "."),
        ("absent", "absent", "."),
    ],
)
def test_a_package_is_meant_as_a_plugin_if_it_is_one_and_else_as_a_folder_of_plugins(
    path: str, place: str, folder: str
) -> None:
    assert place_of(path) == place
    assert folder_of(place_of(path)) == folder


def test_from_within_a_package_its_folder_is_above(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("own/pack")
    assert folder_of("__init__.py") == ".."
