"""What a worker hands over arrives whole, and whatever cannot be handed over is left to the engine."""

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugline.engines import _desk
from plugline.engines._desk import Desk, Handed, hand_over
from plugline.records import Part, Split, StepCounts

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux only")
COUNTS = (StepCounts(name="source", entered=1, created=0, out=1, dropped=0, failed=0),)
PIECES = (b"a" * 100_000, b"b" * 7, b"", b"c" * 50_000)


def part(*pieces: bytes, index: int = 0) -> Part:
    return Part(split=Split(index=index, path="in.ndjson"), content=pieces, counts=COUNTS)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()
    for one in _desk._desks.values():
        if one is not None:
            one.close()
    _desk._desks.clear()


def test_a_part_arrives_as_it_was_and_travels_without_its_content(desk: Desk) -> None:
    handed = hand_over(desk.address, part(*PIECES))
    assert handed is not None
    travelled = pickle.dumps(handed)
    assert len(travelled) < 1000
    back = pickle.loads(travelled)  # noqa: S301 - made in the line above
    with desk.taken(back) as whole:
        assert b"".join(whole.content) == b"".join(PIECES)
        assert whole.counts == COUNTS


def test_parts_can_be_asked_for_in_another_order(desk: Desk) -> None:
    handed = [hand_over(desk.address, part(bytes([number]) * 70_000, index=number)) for number in range(5)]
    for number in (3, 0, 4, 1, 2):
        one = handed[number]
        assert one is not None
        with desk.taken(one) as whole:
            assert bytes(whole.content[0][:1]) == bytes([number])


def test_a_part_of_a_worker_that_has_died_since_is_there(desk: Desk) -> None:
    script = (
        "import pickle, sys; from plugline.engines._desk import hand_over\n"
        "sys.stdout.buffer.write(pickle.dumps(hand_over(sys.argv[1], pickle.loads(sys.stdin.buffer.read()))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, desk.address],
        input=pickle.dumps(part(*PIECES)),
        stdout=subprocess.PIPE,
        check=True,
    )
    handed = pickle.loads(done.stdout)  # noqa: S301 - made by the script above
    with desk.taken(handed) as whole:
        assert b"".join(whole.content) == b"".join(PIECES)


def test_what_is_small_or_in_a_file_is_left_to_the_engine(desk: Desk, tmp_path: Path) -> None:
    assert hand_over(desk.address, part(b"small")) is None
    in_file = Part(split=Split(index=0, path="in"), path=str(tmp_path / "part"), counts=COUNTS)
    assert hand_over(desk.address, in_file) is None


def test_where_nobody_is_the_engine_carries_it() -> None:
    assert hand_over("", part(*PIECES)) is None
    assert hand_over("plugline-of-another-machine", part(*PIECES)) is None
    _desk._desks.clear()


def test_what_nobody_looks_at_is_left_to_the_engine_sooner_or_later(desk: Desk) -> None:
    handed = [hand_over(desk.address, part(b"x" * 70_000)) for _ in range(2_000)]
    assert handed[0] is not None
    assert handed[-1] is None
    arrived = [one for one in handed if one is not None]
    for one in arrived:
        with desk.taken(one) as whole:
            assert len(whole.content[0]) == 70_000


def test_what_never_arrived_is_an_error_and_not_waited_for(desk: Desk) -> None:
    with pytest.raises(ConnectionError, match="a part did not arrive"), desk.taken(Handed(part(), b"0" * 16, 70_000)):
        pass


def test_a_worker_that_says_what_it_should_not_harms_nobody(desk: Desk) -> None:
    handed = hand_over(desk.address, part(*PIECES))
    assert handed is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect(f"\0{desk.address}")
        stranger.send(b"no token, and no descriptor")
        stranger.send(handed.token)
        with desk.taken(handed) as whole:
            assert b"".join(whole.content) == b"".join(PIECES)


def test_a_closed_desk_leaves_no_descriptor(desk: Desk) -> None:
    before = len(os.listdir("/proc/self/fd"))
    other = Desk()
    kept = [hand_over(other.address, part(*PIECES)) for _ in range(3)]
    assert kept[0] is not None
    with other.taken(kept[0]):
        pass
    other.close()
    for one in _desk._desks.values():
        assert one is not None
        one.close()
    _desk._desks.clear()
    assert len(os.listdir("/proc/self/fd")) == before
