"""Permissions: their order, their text, and what is wrong with the way they are declared."""

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.contract.permissions import NOTHING, Permissions, parse_permissions
from plugline.findings import Place

_PARTS = st.sampled_from(["a", "b", "..", ".", "c d", 'quote"', "ü", "new\nline", "back\\slash"])
_PATHS = st.lists(_PARTS, min_size=1, max_size=4).map("/".join) | st.lists(_PARTS, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
_NAMES = st.lists(st.sampled_from(["HOME", "PATH", "X", "*"]), max_size=3)
_PERMISSIONS = st.builds(
    Permissions,
    read=st.lists(_PATHS, max_size=4),
    write=st.lists(_PATHS, max_size=4),
    net=st.booleans(),
    run=st.booleans(),
    env=_NAMES,
    native=st.booleans(),
    dynamic=st.booleans(),
)
HERE = Place("plugins/x.py", 4)


@given(_PERMISSIONS)
def test_permissions_read_from_their_text_are_the_same(permissions: Permissions) -> None:
    declared = tomllib.loads(f"permissions = {permissions}")["permissions"]
    assert parse_permissions(declared, HERE) == (permissions, ())


@given(_PERMISSIONS, _PERMISSIONS)
def test_a_union_covers_both_and_an_intersection_is_covered_by_both(one: Permissions, other: Permissions) -> None:
    union, shared = one.union(other), one.intersection(other)
    assert not one.beyond(union)
    assert not other.beyond(union)
    assert not shared.beyond(one)
    assert not shared.beyond(other)
    assert union == other.union(one)
    assert shared == other.intersection(one)


@given(_PERMISSIONS, _PERMISSIONS)
def test_what_is_beyond_is_what_is_lacking_and_no_more(asked: Permissions, granted: Permissions) -> None:
    more = asked.beyond(granted)
    assert not asked.beyond(granted.union(more))
    assert not more.beyond(asked)
    assert not asked.beyond(asked)


@given(_PERMISSIONS, _PERMISSIONS)
def test_permissions_that_cover_each_other_allow_the_same(one: Permissions, other: Permissions) -> None:
    assert (not one.beyond(other) and not other.beyond(one)) == (plainest(one) == plainest(other))


def plainest(permissions: Permissions) -> dict[str, object]:
    """Return what is granted without the paths that may be read because they may be written."""
    writing = Permissions(write=permissions.write)
    data = permissions.to_data()
    data["read"] = [path for path in permissions.read if not writing.allows_path("read", path)]
    return data


def test_what_may_be_written_may_be_read() -> None:
    granted = Permissions(write=["out"])
    assert granted.allows_path("read", "out/a")
    assert not Permissions(read=["out/a"]).beyond(granted)
    assert Permissions(read=["other"]).beyond(granted)
    assert granted.beyond(Permissions(read=["out"]))
    assert granted.intersection(Permissions(read=["out/a"])) == Permissions(read=["out/a"])


def test_relative_paths_are_resolved_from_the_folder_of_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "plugins" / "way_out").symlink_to(tmp_path / "elsewhere")
    declared = Permissions(read=["reference", "way_out"], write=["../out", "/var/x"], net=True, env=["HOME"])
    assert declared.resolved(str(tmp_path / "plugins")) == Permissions(
        read=[f"{tmp_path}/plugins/reference", f"{tmp_path}/elsewhere"],
        write=[f"{tmp_path}/out", os.path.realpath("/var/x")],
        net=True,
        env=["HOME"],
    )


@given(_PERMISSIONS)
def test_everything_covers_all_and_all_cover_nothing(permissions: Permissions) -> None:
    everything = Permissions(read=["/"], write=["/"], net=True, run=True, env=["*"], native=True, dynamic=True)
    assert not permissions.beyond(everything)
    assert not NOTHING.beyond(permissions)
    assert plainest(permissions.intersection(everything)) == plainest(permissions)
    assert permissions.union(permissions) == permissions


@pytest.mark.parametrize(
    ("granted", "path", "allowed"),
    [
        ("reference/", "reference", True),
        ("reference", "reference/names.csv", True),
        ("reference", "reference_2", False),
        ("reference", "reference/../secret", False),
        (".", "anything/below", True),
        (".", "../beside", False),
        ("..", "here", True),
        ("..", "../beside", True),
        ("..", "../../above", False),
        ("/data", "/data/x", True),
        ("/data", "/database", False),
        ("/data", "data", False),
        ("/", "/etc/passwd", True),
        ("/", "relative", True),
        ("a", "nul\0", False),
    ],
)
def test_a_path_stands_for_itself_and_what_is_below(granted: str, path: str, allowed: bool) -> None:  # noqa: FBT001 - a table
    assert Permissions(read=[granted]).allows_path("read", path) is allowed


def test_paths_are_kept_as_the_fewest_that_say_the_same() -> None:
    assert Permissions(read=["b/", "a/x", "./a", "a"]).read == ("a", "b")


def test_a_single_string_is_no_list_of_paths() -> None:
    with pytest.raises(TypeError, match="a list of strings was expected"):
        Permissions(read="/etc")


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800"])
def test_a_path_that_no_system_has_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        Permissions(write=[path])


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ([], "permissions is [], a table was expected"),
        ({"nett": True}, "unknown permission 'nett'"),
        ({"net": "yes"}, "net of permissions is 'yes', true or false was expected"),
        ({"net": ["example.com"]}, "net of permissions is ['example.com'], true or false was expected"),
        ({"read": "reference"}, "read of permissions is 'reference', a list of paths was expected"),
        ({"read": True}, "read of permissions is True, a list of paths was expected"),
        ({"env": ["A=B"]}, "env of permissions: 'A=B' is no name of an environment variable"),
        ({"write": [1]}, "write of permissions holds 1, a string was expected"),
    ],
)
def test_a_wrong_declaration_is_a_finding_and_grants_nothing(declared: object, message: str) -> None:
    permissions, findings = parse_permissions(declared, HERE)
    assert permissions == NOTHING
    assert [(finding.code, finding.message, finding.place) for finding in findings] == [("T401", message, HERE)]


def test_all_that_is_wrong_is_told_and_the_rest_is_granted() -> None:
    permissions, findings = parse_permissions({"net": True, "run": 1, "reed": []}, HERE)
    assert permissions == Permissions(net=True)
    assert len(findings) == 2
    assert "did you mean 'read'?" in str(findings[1].hint)


def test_false_is_as_good_as_an_empty_list() -> None:
    assert parse_permissions({"read": False, "net": False}, HERE) == (NOTHING, ())
