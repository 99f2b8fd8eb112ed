"""A file beside its place: what was written is brought to disk while more is written."""

import os
import threading
import zipfile
from pathlib import Path

import pytest

from plugline.cli import main
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


def written(path: Path, content: bytes) -> Aside:
    file = Aside(str(path), "part")
    file.open()
    file.write([content])
    file.sync()
    return file


@pytest.mark.parametrize("name", ["out.ndjson", "out.ndjson.zip"])
def test_what_could_not_be_put_in_place_is_still_there_for_the_next_try(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    file = written(target, b"{}\n")
    (target / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=r"directory|exists"):
        file.put_in_place()
    assert [path.name for path in tmp_path.iterdir() if path != target] == [Path(file.aside).name]
    (target / "in the way").rmdir()
    target.rmdir()
    file.put_in_place()
    assert target.stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_a_killed_process_left_of_a_zip_file_is_in_nobodys_way(tmp_path: Path) -> None:
    file = written(tmp_path / "out.ndjson.zip", b"{}\n")
    Path(f"{file.aside}.zip").write_bytes(b"half a zip file, and longer than the whole one will be" * 100)
    file.put_in_place()
    with zipfile.ZipFile(tmp_path / "out.ndjson.zip") as archive:
        assert archive.read("out.ndjson") == b"{}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.ndjson.zip"]


def test_an_output_that_could_not_be_put_in_place_is_put_there_by_the_run_that_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, sink = tmp_path / "in.ndjson", tmp_path / "out.ndjson.zip"
    source.write_bytes(b"{}\n")
    obstacle = Path(f"{Aside(str(sink), 'part').aside}.zip")
    obstacle.mkdir()
    command = ["run", str(source), "-o", str(sink), "--resume"]
    assert main(command) == 4
    assert "--resume" in capsys.readouterr().err
    obstacle.rmdir()
    assert main(command) == 0
    said = capsys.readouterr().err
    assert "gone on with after 1 split that was done" in said
    assert "records/s" not in said, "they were read by the run before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.ndjson", "out.ndjson.zip"]
