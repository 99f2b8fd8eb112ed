"""A file beside its place: what was written is brought to disk while more is written."""

import os
import threading
from pathlib import Path

import pytest

from plugline.pipeline.aside import Aside

MEBIBYTE = bytes(2**20)
FLUSHED_MEBIBYTES = 32


class Disk:
    """Stands for the disk: notes who waits for it, and can be made to take its time, or to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[str] = []
        self.ready = threading.Event()
        self.fails_for: tuple[str, ...] = ()
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def _sync(self, descriptor: int) -> None:
        os.fstat(descriptor)  # which is open
        name = threading.current_thread().name
        self.waiting.append(name)
        self.ready.wait(60)
        if name in self.fails_for:
            raise OSError(5, os.strerror(5))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_a_slow_disk_is_waited_for_by_sync_only(tmp_path: Path, disk: Disk) -> None:
    file = Aside(str(tmp_path / "out"), "part")
    file.open()
    for _ in range(3 * FLUSHED_MEBIBYTES):
        file.write([MEBIBYTE])
    assert file.bytes == 3 * FLUSHED_MEBIBYTES * 2**20
    disk.ready.set()
    file.sync()
    assert disk.waiting == ["plugline flush", "MainThread"]
    assert threading.active_count() == 1
    file.put_in_place()
    assert (tmp_path / "out").stat().st_size == file.bytes


def test_little_is_brought_to_disk_by_sync_alone(tmp_path: Path, disk: Disk) -> None:
    disk.ready.set()
    file = Aside(str(tmp_path / "out"), "part")
    file.open()
    file.write([MEBIBYTE] * (FLUSHED_MEBIBYTES - 1))
    file.sync()
    file.remove()
    assert disk.waiting == ["MainThread"]


def test_an_error_of_the_disk_that_came_meanwhile_is_told_by_sync(tmp_path: Path, disk: Disk) -> None:
    disk.fails_for = ("plugline flush",)  # the kernel tells of an error once, and who syncs afterwards hears nothing
    file = Aside(str(tmp_path / "out"), "part")
    file.open()
    file.write([MEBIBYTE] * FLUSHED_MEBIBYTES)
    disk.ready.set()
    try:
        with pytest.raises(OSError, match=os.strerror(5)):
            file.sync()
    finally:
        file.remove()


def test_a_file_that_is_removed_meanwhile_leaves_no_thread_and_no_error(tmp_path: Path, disk: Disk) -> None:
    disk.fails_for = ("plugline flush",)
    disk.ready.set()
    file = Aside(str(tmp_path / "out"), "part")
    file.open()
    file.write([MEBIBYTE] * FLUSHED_MEBIBYTES)
    file.remove()
    assert threading.active_count() == 1
    assert [*tmp_path.iterdir()] == []


def test_all_pieces_are_written_in_order_however_many_there_are(tmp_path: Path) -> None:
    pieces = [b"" if number % 7 == 0 else b"%d;" % number for number in range(5_000)]
    aside = Aside(str(tmp_path / "out"), "part")
    aside.open()
    aside.write(pieces)
    aside.write([])
    aside.write([b"", memoryview(b"end")])
    aside.put_in_place()
    whole = b"".join(pieces) + b"end"
    assert (tmp_path / "out").read_bytes() == whole
    assert aside.bytes == len(whole)
