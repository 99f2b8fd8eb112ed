import errno
import os
import socket
from pathlib import Path

import pytest

from plugline.files import MAX_SOURCE_BYTES, SourceFile, read_source, way_to_write
from plugline.findings import Finding


def refused(path: Path, **options: str) -> Finding:
    found = read_source(str(path), **options)  # type: ignore[arg-type]
    assert isinstance(found, Finding)
    return found


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\r\n\xff")
    assert read_source(str(path)) == SourceFile(str(path), b"x = 1\r\n\xff")


def test_files_of_the_same_bytes_have_the_same_digest() -> None:
    assert SourceFile("a", b"x").digest == SourceFile("b", b"x").digest != SourceFile("a", b"y").digest
    assert len(SourceFile("a", b"").digest) == 64


def test_a_file_of_fifty_megabytes_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    with path.open("wb") as file:
        file.truncate(50 * 2**20)
    found = refused(path)
    assert found.code == "P104"
    assert "52,428,800 bytes" in found.message


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"#" * MAX_SOURCE_BYTES)
    assert isinstance(read_source(str(path)), SourceFile)


@pytest.mark.timeout(30)
def test_a_fifo_is_refused_and_nobody_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.py")
    found = refused(tmp_path / "x.py")
    assert (found.code, found.message) == ("P102", "is a FIFO, a regular file was expected")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "P102"


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("x.py")
        found = refused(Path("x.py"))
    assert (found.code, found.message) == ("P102", "is a socket, a regular file was expected")


def test_a_device_is_refused() -> None:
    assert refused(Path(os.devnull)).code == "P102"


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    assert refused(tmp_path / "a.py").code == "P101"


def test_a_file_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "dots.py").touch()
    for name in ("dots", "dtos.py"):
        assert refused(tmp_path / name).hint == "did you mean 'dots.py'? else put it there, or mend its name"
    (tmp_path / "link.py").symlink_to("nowhere.py")
    assert refused(tmp_path / "link.py").hint == "it is a link to nothing"


def test_a_path_that_no_file_can_have_is_a_finding() -> None:
    assert refused(Path("a\0b.py")).code == "P101"


@pytest.mark.skipif(os.getuid() == 0, reason="root may read anything")
def test_an_unreadable_file_is_a_finding_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("")
    path.chmod(0)
    found = refused(path)
    assert found.code == "P101"
    assert found.hint is not None


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "b.py").symlink_to("a.py")
    assert isinstance(read_source(str(tmp_path / "b.py"), within=str(tmp_path)), SourceFile)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("x = 1")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.py").symlink_to(tmp_path / "outside.py")
    assert refused(tmp_path / "in/a.py", within=str(tmp_path / "in")).code == "P108"


def test_a_linked_folder_on_the_way_does_not_lead_out_either(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/__init__.py").write_text("x = 1")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/pack").symlink_to(tmp_path / "out")
    assert refused(tmp_path / "in/pack/__init__.py", within=str(tmp_path / "in")).code == "P108"


def test_a_folder_that_is_itself_a_link_is_no_way_out(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.py").write_text("x = 1")
    (tmp_path / "link").symlink_to("real")
    assert isinstance(read_source(str(tmp_path / "link/a.py"), within=str(tmp_path / "link")), SourceFile)


@pytest.mark.parametrize("target", ["a.py", "nothing.py"])
def test_a_link_to_itself_or_to_nothing_is_a_finding(target: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to(target)
    assert refused(tmp_path / "a.py", within=str(tmp_path)).code == "P101"


def test_of_a_file_that_is_written_to_in_its_place_while_it_is_read_one_version_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.py"
    old, new = b"def f(): return 1\n", b"def f(): return 'much longer'\n" * 3
    path.write_bytes(old)
    read = os.read

    def read_then_write(descriptor: int, length: int) -> bytes:
        found = read(descriptor, length)
        if found == old:
            path.write_bytes(new)
        return found

    monkeypatch.setattr(os, "read", read_then_write)
    source = read_source(str(path))
    assert isinstance(source, SourceFile)
    assert source.content == new


def test_a_full_disk_is_not_told_as_a_folder_that_may_not_be_written_to() -> None:
    assert way_to_write(OSError(errno.ENOSPC, "No space left on device")) == "make room on the disk"
    assert way_to_write(OSError(errno.EACCES, "Permission denied")) == "make its folder writable for you"
