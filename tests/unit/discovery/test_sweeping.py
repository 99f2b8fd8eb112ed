"""What nobody uses any more leaves the cache folder."""

import os
import time
from pathlib import Path

import pytest

from plugline import Host

DAYS = 24 * 3600


def listed(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.py").write_text("def f(): ...\n")
    with Host(folder) as host:
        assert list(host.names) == ["a"]


def aged(path: Path, *, read: float, written: float) -> Path:
    if not path.exists():
        path.write_bytes(b"x")
    now = time.time()
    os.utime(path, (now - read * DAYS, now - written * DAYS))
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir(mode=0o700)
    return tmp_path / "cache"


def test_what_was_not_used_for_a_season_goes_when_a_folder_is_new(cache: Path, tmp_path: Path) -> None:
    names = ("1.index", "1.bundle", "2.index.4f.00c0ffee", "5.top", "pytest-0f3a")
    gone = [aged(cache / name, read=91, written=200) for name in names]
    kept = [
        aged(cache / "3.index", read=2, written=200),
        aged(cache / "4.bundle", read=200, written=2),
        aged(cache / "notes.txt", read=200, written=200),
    ]
    (cache / "environments").mkdir()
    listed(tmp_path / "plugins")
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    assert (cache / "environments").is_dir()
    assert len(list(cache.glob("*.index"))) == 2  # that of the new folder is there


def test_it_is_looked_for_once_a_week(cache: Path, tmp_path: Path) -> None:
    listed(tmp_path / "one")
    old = aged(cache / "1.index", read=91, written=91)
    listed(tmp_path / "two")
    assert old.exists()
    aged(cache / "swept", read=0, written=8)
    listed(tmp_path / "three")
    assert not old.exists()


def test_a_link_and_a_folder_are_left_alone(cache: Path, tmp_path: Path) -> None:
    outside = aged(tmp_path / "outside", read=200, written=200)
    (cache / "1.index").symlink_to(outside)
    os.utime(cache / "1.index", (0, 0), follow_symlinks=False)
    (cache / "2.bundle").mkdir()
    os.utime(cache / "2.bundle", (0, 0))
    listed(tmp_path / "plugins")
    assert outside.exists()
    assert (cache / "1.index").is_symlink()
    assert (cache / "2.bundle").is_dir()
