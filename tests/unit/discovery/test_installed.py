import sys
from importlib import invalidate_caches
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from plugline.discovery.installed import declared_groups, entry_point_names, entry_points_of
from plugline.discovery.metadata import read_entry_points


def test_it_names_what_importlib_names_for_every_group_that_is_installed_here() -> None:
    for group in entry_points().groups:
        assert entry_point_names(group) == {point.name for point in entry_points(group=group)}, group


def test_it_knows_what_importlib_knows_of_every_group_that_is_installed_here() -> None:
    for group in {*entry_points().groups, "nobody.has.this"}:
        points, findings = read_entry_points(group)
        assert findings == ()
        assert sorted(entry_points_of(group) or ()) == sorted(points)


PLAIN = "[group]\none = some.module:One\n"
METADATA = "Metadata-Version: 2.1\nName: Some.Thing\nVersion: 1.0\nSummary: x\n\nVersion: 9\n"


@pytest.mark.parametrize(
    ("folder", "text", "metadata"),
    [
        ("some_thing-1.0.dist-info", PLAIN, METADATA),
        ("some_thing-1.0.dist-info", "[group]\r\none=some.module:One  \r\n# no\r\n\ttwo = a.b\r\n", METADATA),
        (
            "some_thing-1.0.dist-info",
            "[group]\none = a:b [extra]\none = a:c\n[other]\ntwo = b\n[group]\nthree=c=d\n",
            METADATA,
        ),
        ("some_thing-1.0.dist-info", "before = no\n" + PLAIN, METADATA),
        ("some_thing-1.0.dist-info", "[group]\n; two = b\n[ group ]\nno = x\n", METADATA),
        ("some_thing-1.0.dist-info", "[group\nx = y\n" + PLAIN, METADATA),
        ("some_thing-1.0.dist-info", "[other]\nwhat is this\n" + PLAIN, METADATA),
        ("some_thing-1.0.dist-info", PLAIN, "Name: Some.Thing\n"),
        ("some_thing-1.0.dist-info", PLAIN, "name:Some.Thing\nVERSION :1\nVersion: 2\nVersion: 3\n"),
        ("some_thing-1.0.dist-info", PLAIN, "Version: 1.0\n"),
        ("some_thing-1.0.dist-info", PLAIN, ""),
        ("some_thing-1.0.dist-info", "[group]\none = \n", METADATA),
        ("some_thing-1.0.dist-info", "[group]\n\N{SNOWMAN} = a.b\n", METADATA),
        ("some_thing-1.0-py3.11.egg-info", PLAIN, METADATA),
        ("Some.Thing-2.dist-info", PLAIN, METADATA),
    ],
)
def test_it_knows_what_importlib_knows_or_leaves_it_to_that(
    folder: str, text: str, metadata: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, name in (("first", folder), ("first", "other-1.dist-info"), ("second", "some_thing-0.1.dist-info")):
        made = tmp_path / place / name
        made.mkdir(parents=True)
        (made / "entry_points.txt").write_bytes(text.encode() if name == folder else b"[group]\nlater = x:y\n")
        own = metadata if name == folder else f"Name: {name.partition('-')[0]}\nVersion: 0.1\n"
        (made / ("PKG-INFO" if name.endswith("egg-info") else "METADATA")).write_text(own)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second"), *sys.path])
    invalidate_caches()
    points, _ = read_entry_points("group")
    assert {name for name, *_ in points} >= {"later"}
    found = entry_points_of("group")
    assert found is None or sorted(found) == sorted(points)
    plain = text == PLAIN and "Name" in metadata
    assert found is not None or not plain


def test_what_cannot_be_decoded_or_read_is_left_to_importlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "some-1.dist-info"
    made.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    (made / "entry_points.txt").write_bytes(b"[group]\n\xff = a\n")
    assert entry_points_of("group") is None
    (made / "entry_points.txt").unlink()
    (made / "entry_points.txt").mkdir()
    assert entry_points_of("group") is None
    (made / "entry_points.txt").rmdir()
    assert entry_points_of("group") == []


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
