"""The lock file: its text, what is held against it, and what differs between two."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.admission.lock import Lock, LockDiff, Locked, diff_locks, lock_text, parse_lock, read_lock, write_lock
from plugline.contract.permissions import Permissions
from plugline.names import composed

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).map(composed)
_DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
_PERMISSIONS = st.builds(
    Permissions, read=st.lists(st.sampled_from(["a", "b/c", "/d"]), max_size=2), net=st.booleans(), run=st.booleans()
)
_LOCKED = st.builds(Locked, _TEXT, st.none() | _TEXT, _DIGESTS, _PERMISSIONS)
_LOCKS = st.builds(
    Lock,
    st.just("plugline.lock"),
    st.dictionaries(_TEXT, _LOCKED, max_size=4),
    st.dictionaries(_TEXT, _DIGESTS, max_size=4),
)


def locked(*, digest: str = "0" * 64, version: str | None = None, **permissions: bool) -> Locked:
    return Locked("plugins/x.py", version, digest, Permissions(net=permissions.get("net", False)))


@given(_LOCKS)
def test_a_lock_read_from_its_text_is_the_same(lock: Lock) -> None:
    assert parse_lock(lock_text(lock).encode(), lock.path) == lock


@given(_LOCKS)
def test_equal_locks_have_equal_text_in_whatever_order_they_were_made(lock: Lock) -> None:
    backwards = Lock(lock.path, dict(reversed(list(lock.plugins.items()))), dict(reversed(list(lock.files.items()))))
    assert lock_text(backwards) == lock_text(lock)


@given(_LOCKS, _LOCKS)
def test_a_difference_put_upon_the_old_lock_gives_the_new_one(old: Lock, new: Lock) -> None:
    assert _applied(old, diff_locks(old, new)) == new
    assert _applied(new, diff_locks(new, old)) == old
    assert not diff_locks(old, old)


def _applied(lock: Lock, diff: LockDiff) -> Lock:
    plugins, files = dict(lock.plugins), dict(lock.files)
    for change in diff.plugins:
        plugins.pop(change.name, None)
        if change.new is not None:
            plugins[change.name] = change.new
    for path, _, digest in diff.files:
        files.pop(path, None)
        if digest is not None:
            files[path] = digest
    return Lock(lock.path, plugins, files)


def test_a_lock_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    lock = Lock(str(tmp_path / "plugline.lock"), {"x": locked(version="1.0")})
    write_lock(lock)
    write_lock(lock)
    assert read_lock(lock.path) == lock
    assert [one.name for one in tmp_path.iterdir()] == ["plugline.lock"]
    assert (tmp_path / "plugline.lock").stat().st_mode & 0o777 == 0o644


def test_a_lock_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "plugline.lock"
    target.mkdir()
    with pytest.raises(OSError, match=r"plugline\.lock"):
        write_lock(Lock(str(target)))
    assert [one.name for one in tmp_path.iterdir()] == ["plugline.lock"]


def test_a_link_to_a_lock_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.lock").write_text("format = 1\n")
    link = tmp_path / "plugline.lock"
    link.symlink_to("real.lock")
    write_lock(Lock(str(link), {"x": locked()}))
    assert link.is_symlink()
    assert "[plugins" in (tmp_path / "real.lock").read_text()


def test_no_file_is_no_lock(tmp_path: Path) -> None:
    assert read_lock(str(tmp_path / "plugline.lock")) is None


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("format = 1\n[plugins", 2, 9, "not valid TOML"),
        ("format = 1\nplugins = 3\n", 2, 1, "plugins is 3, a table was expected"),
        ("format = 2\n", 1, 1, "format is 2, 1 was expected"),
        ("", 1, 1, "format is None, 1 was expected"),
        ("format = 1\nfile = 2\n", 2, 1, "unknown key 'file'"),
        ('format = 1\n[plugins."x"]\nfile = "x.py"\n  digest = "12"\n', 4, 3, "64 hexadecimal digits were expected"),
        ('format = 1\n[plugins.x]\nfile = "x.py"\n', 2, 1, "digest in [plugins.x] is None"),
        (
            f'format = 1\n[plugins.x]\ndigest = "{"0" * 64}"\npermissions = {{ nett = true }}\n',
            4,
            1,
            "unknown permission 'nett'",
        ),
        (f'format = 1\n[plugins.x]\ndigest = "{"0" * 64}"\nversion = 1\n', 4, 1, "version of plugin 'x' is 1"),
        ('format = 1\n[files]\n"a.py" = 3\n', 3, 1, "a.py in [files] is 3"),
    ],
)
def test_an_edit_that_breaks_the_lock_is_told_with_its_place(text: str, line: int, column: int, said: str) -> None:
    found = parse_lock(text.encode(), "plugline.lock")
    assert isinstance(found, tuple)
    assert [(one.code, one.place.line, one.place.column) for one in found] == [("T305", line, column)]
    assert said in found[0].message
    assert "plugline trust" in str(found[0].hint)


def test_a_lock_that_is_no_text_is_told_with_its_place() -> None:
    found = parse_lock(b"format = 1\n# \xff", "plugline.lock")
    assert isinstance(found, tuple)
    (finding,) = found
    assert (finding.code, str(finding.place)) == ("T305", "plugline.lock:2:3")


def test_a_difference_names_the_permissions_that_are_new() -> None:
    old = Lock("plugline.lock", {"x": locked(version="1.0")})
    new = Lock("plugline.lock", {"x": locked(version="1.1", digest="1" * 64, net=True)})
    assert str(diff_locks(old, new)) == ("~ x (changed, version 1.0 to 1.1) plugins/x.py\n    asks for more: net")
