import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from plugline.discovery.installed import declared_groups, entry_point_names


def test_it_names_what_importlib_names_for_every_group_that_is_installed_here() -> None:
    for group in entry_points().groups:
        assert entry_point_names(group) == {point.name for point in entry_points(group=group)}, group


def test_a_group_that_nobody_declares_has_no_names() -> None:
    assert entry_point_names("plugline.tests.absent") == set()


def test_names_are_those_below_the_heading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "some-1.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(
        "[other]\nno = x:y\n\n[plugline.formats]\n# a comment = no\nfine = some.module:Fine\n two=some:Two\n[more]\nno = z\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert entry_point_names("plugline.formats") == {"fine", "two"}
    declared = declared_groups("plugline.")
    assert declared is not None
    assert "plugline.formats" in declared
    assert "other" not in declared


def test_where_distributions_may_be_elsewhere_it_cannot_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "some.zip"
    archive.write_bytes(b"")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(archive))
        assert entry_point_names("x") is None

    class Finder:
        def find_distributions(self, context: object = None) -> list[object]:
            return []

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert entry_point_names("x") is None
