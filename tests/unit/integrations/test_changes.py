"""Whether anything changed in a folder, whatever becomes of the way to it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plugline.integrations.changes import Changes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the folder is looked at five times a second")


def replace_link(base: Path) -> None:
    (base / "new").symlink_to("second")
    (base / "new").rename(base / "current")


def make_link_anew(base: Path) -> None:
    (base / "current").unlink()
    (base / "current").symlink_to("second")


def move_what_is_linked_to(base: Path) -> None:
    (base / "first").rename(base / "third")
    (base / "second").rename(base / "first")


def replace_folder(base: Path) -> None:
    (base / "first" / "plugins").rename(base / "first" / "old")
    (base / "second" / "plugins").rename(base / "first" / "plugins")


@pytest.mark.parametrize("deploy", [replace_link, make_link_anew, move_what_is_linked_to, replace_folder])
def test_another_folder_in_the_same_place_is_a_change_and_listened_to(
    tmp_path: Path, deploy: Callable[[Path], None]
) -> None:
    for name in ("first", "second"):
        (tmp_path / name / "plugins").mkdir(parents=True)
    (tmp_path / "current").symlink_to("first")
    folder = tmp_path / "current" / "plugins"
    changes = Changes(str(folder))
    deploy(tmp_path)
    assert changes.told[0]
    while changes.take():
        pass
    (folder / "one.py").write_text("")
    assert changes.told[0]
    assert changes.take()
    changes.close()


def test_a_folder_that_is_no_longer_meant_is_not_listened_to(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "current").symlink_to("first")
    changes = Changes(str(tmp_path / "current"))
    replace_link(tmp_path)
    while changes.take():
        pass
    (tmp_path / "first" / "one.py").write_text("")
    assert not changes.told[0]
    changes.close()


def test_neighbours_of_the_folder_are_no_change(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    changes = Changes(str(tmp_path / "plugins"))
    (tmp_path / "neighbour.py").write_text("")
    (tmp_path / "other").mkdir()
    assert not changes.told[0]
    changes.close()


def test_a_link_to_itself_is_a_folder_that_is_not_there(tmp_path: Path) -> None:
    os.symlink("loop", tmp_path / "loop")
    changes = Changes(str(tmp_path / "loop"))
    assert not changes.take()
    changes.close()


def test_a_folder_that_comes_later_is_told_of_from_then_on(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    changes = Changes(str(folder))
    folder.mkdir()
    assert changes.take()
    (folder / "one.py").write_text("")
    assert changes.told[0]
    assert changes.take()
    changes.close()
