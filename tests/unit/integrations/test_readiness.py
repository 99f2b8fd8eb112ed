"""Whether a descriptor can be read, by a look into memory that the kernel writes to."""

import os
import select
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from plugline.integrations.changes import Changes
from plugline.integrations.readiness import Asked, Readiness

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells in this way")
if_kernel_tells = pytest.mark.skipif(
    not Path("/proc/sys/fs/aio-max-nr").exists(), reason="this kernel has no asynchronous input and output"
)


def shared_pages() -> int:
    """Count the pages that the kernel writes what is done to."""
    return sum("[aio]" in line for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines())


def test_what_is_written_is_told_before_the_writer_goes_on(tmp_path: Path) -> None:
    changes = Changes(str(tmp_path))
    for number in range(300):  # more than the shared memory has room for at a time
        assert not changes.told[0]
        (tmp_path / f"{number % 3}.py").write_text(str(number))
        assert changes.told[0]
        assert changes.take()
        assert not changes.take()
    changes.close()


def test_what_another_thread_writes_is_told_before_it_says_so(tmp_path: Path) -> None:
    changes = Changes(str(tmp_path))
    for number in range(50):
        writer = threading.Thread(target=(tmp_path / "one.py").write_text, args=(str(number),))
        writer.start()
        writer.join()
        assert changes.told[0]
        assert changes.take()
    changes.close()


@pytest.mark.skipif(
    not Path("/proc/sys/fs/aio-max-nr").exists(), reason="this kernel has no asynchronous input and output"
)
def test_looking_is_no_call(tmp_path: Path) -> None:
    changes = Changes(str(tmp_path))
    assert type(changes.told) is memoryview
    changes.close()


def test_what_was_there_before_one_listens_is_told() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"!")
    readiness = Readiness(reader)
    assert readiness.told[0]
    assert readiness.wait(0)
    os.read(reader, 1)
    readiness.listen()
    assert not readiness.told[0]
    assert not readiness.wait(0)
    os.close(reader)
    os.close(writer)


def test_where_the_kernel_has_no_room_it_is_asked() -> None:
    reader, writer = os.pipe()
    with select.epoll() as epoll:
        epoll.register(reader, select.EPOLLIN)
        told: Any = Asked(epoll)
        assert not told[0]
        os.write(writer, b"!")
        assert told[0]
    os.close(reader)
    os.close(writer)


@if_kernel_tells
def test_shared_memory_stays_for_as_long_as_somebody_may_look(tmp_path: Path) -> None:
    before = shared_pages()
    changes = Changes(str(tmp_path))
    told: Any = changes.told
    assert shared_pages() == before + 1
    changes.close()
    del changes
    assert list(told) == [0]
    assert shared_pages() == before + 1
    del told
    assert shared_pages() == before
