"""Files that are replaced whole."""

import os
import sys
from pathlib import Path
from types import FrameType

import pytest

from plugline.replacing import replace_file


def test_a_file_is_replaced_with_its_mode_and_a_new_one_has_what_the_umask_leaves(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"before")
    old.chmod(0o640)
    before = os.umask(0o027)
    try:
        replace_file(str(old), b"after")
        replace_file(str(new), b"new")
        replace_file(str(tmp_path / "asked"), b"asked", 0o600)
    finally:
        os.umask(before)
    found = {path.name: (path.read_bytes(), path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert found == {"old": (b"after", 0o640), "new": (b"new", 0o640), "asked": (b"asked", 0o600)}


def test_what_cannot_be_replaced_is_as_it_was_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        replace_file(str(tmp_path / "folder"), b"x")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_an_interrupt_after_the_file_is_in_its_place_is_told_as_that(tmp_path: Path) -> None:
    def interrupt(_frame: FrameType, event: str, function: object) -> None:
        if event == "c_return" and function is os.replace:
            sys.setprofile(None)
            raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            replace_file(str(tmp_path / "file"), b"new")
    finally:
        sys.setprofile(before)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]
