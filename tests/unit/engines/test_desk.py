"""What a worker hands over arrives whole, and whatever cannot be handed over is left to the engine."""

import inspect
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from plugline.engines import _desk
from plugline.engines._desk import Content, Desk, Handed, Load

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux only")
PIECES = (b"a" * 100_000, b"b" * 7, b"", b"c" * 50_000)
MANY = [PIECES, (), (b"d" * 9,)]


def hand_over(address: str, contents: Sequence[Content]) -> Handed | None:
    with closing(Load(address)) as load:
        for content in contents:
            load.add(content)
        return load.hand_over()


SCRIPT = (
    "import os, pickle, resource, sys; from contextlib import closing; from plugline.engines._desk import Load\n"
    + (inspect.getsource(hand_over).replace(": Sequence[Content]", "").replace(" -> Handed | None", ""))
)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()
    for one in _desk._ways.values():
        if one is not None:
            one.close()
    _desk._ways.clear()


def test_parts_arrive_as_they_were_and_what_stands_for_them_is_small(desk: Desk) -> None:
    handed = hand_over(desk.address, MANY)
    assert handed is not None
    assert len(pickle.dumps(handed)) < 1000
    with desk.taken(handed) as contents:
        assert [bytes(content) for content in contents] == [b"".join(pieces) for pieces in MANY]


def test_they_can_be_asked_for_in_another_order(desk: Desk) -> None:
    handed = [hand_over(desk.address, [(bytes([number]) * 70_000,)]) for number in range(5)]
    for number in (3, 0, 4, 1, 2):
        one = handed[number]
        assert one is not None
        with desk.taken(one) as contents:
            assert bytes(contents[0][:1]) == bytes([number])


def test_parts_of_a_worker_that_has_died_since_are_there(desk: Desk) -> None:
    script = (
        f"{SCRIPT}"
        "sys.stdout.buffer.write(pickle.dumps(hand_over(sys.argv[1], pickle.loads(sys.stdin.buffer.read()))))\n"
    )
    command = [sys.executable, "-c", script, desk.address]
    done = subprocess.run(command, input=pickle.dumps(MANY), stdout=subprocess.PIPE, check=True)
    handed = pickle.loads(done.stdout)  # noqa: S301 - made by the script above
    with desk.taken(handed) as contents:
        assert bytes(contents[0]) == b"".join(PIECES)


def test_what_is_small_is_left_to_the_engine(desk: Desk) -> None:
    assert hand_over(desk.address, [(b"small",), ()]) is None


def test_where_nobody_is_the_engine_carries_it() -> None:
    assert hand_over("", MANY) is None
    assert hand_over("plugline-of-another-machine", MANY) is None
    _desk._ways.clear()


def test_what_nobody_looks_at_is_left_to_the_engine_sooner_or_later(desk: Desk) -> None:
    handed = [hand_over(desk.address, [(b"x" * 70_000,)]) for _ in range(2_000)]
    assert handed[0] is not None
    assert handed[-1] is None
    arrived = [one for one in handed if one is not None]
    for one in arrived:
        with desk.taken(one) as whole:
            assert len(whole[0]) == 70_000


def test_what_never_arrived_is_an_error_and_not_waited_for(desk: Desk) -> None:
    with pytest.raises(ConnectionError, match="parts did not arrive"), desk.taken(Handed(b"0" * 16, (70_000,))):
        pass


def test_a_worker_that_says_what_it_should_not_harms_nobody(desk: Desk) -> None:
    handed = hand_over(desk.address, MANY)
    assert handed is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect(f"\0{desk.address}")
        stranger.send(b"no token, and no descriptor")
        stranger.send(handed.token)
        with desk.taken(handed) as whole:
            assert bytes(whole[0]) == b"".join(PIECES)


def test_a_closed_desk_leaves_no_descriptor(desk: Desk) -> None:
    before = len(os.listdir("/proc/self/fd"))
    other = Desk()
    kept = [hand_over(other.address, MANY) for _ in range(3)]
    assert kept[0] is not None
    with other.taken(kept[0]):
        pass
    other.close()
    for one in _desk._ways.values():
        assert one is not None
        one.close()
    _desk._ways.clear()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_worker_of_another_user_lets_the_engine_carry_it(desk: Desk) -> None:
    script = (
        f"{SCRIPT}part = pickle.loads(sys.stdin.buffer.read()); os.setuid(65534)\nprint(hand_over(sys.argv[1], part))\n"
    )
    command = [sys.executable, "-c", script, desk.address]
    done = subprocess.run(command, input=pickle.dumps(MANY), stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"None\n"


def test_where_no_descriptor_is_left_the_engine_carries_it(desk: Desk) -> None:
    script = (
        f"{SCRIPT}"
        "part = pickle.loads(sys.stdin.buffer.read()); resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "print(hand_over(sys.argv[1], part))\n"
    )
    command = [sys.executable, "-c", script, desk.address]
    done = subprocess.run(command, input=pickle.dumps(MANY), stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"None\n"
    script = (
        "import resource; from plugline.engines._desk import Desk\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)); desk = Desk(); print(repr(desk.address)); desk.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"''\n"


def _anonymous() -> list[tuple[int, int]]:
    """Return each memory without a name that this process holds, and how many bytes it has."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            if "memfd:plugline" in os.readlink(f"/proc/self/fd/{name}"):
                told = os.stat(f"/proc/self/fd/{name}")
                found[told.st_ino] = told.st_size
        except FileNotFoundError:  # what the listing itself had open
            continue
    return sorted(found.items())


def test_memory_that_was_emptied_is_used_again(desk: Desk) -> None:
    for number in range(20):
        handed = hand_over(desk.address, [(bytes([number]) * 70_000,), (b"y" * (20 - number),)])
        assert handed is not None
        with desk.taken(handed) as contents:
            assert bytes(contents[0]) == bytes([number]) * 70_000
            assert bytes(contents[1]) == b"y" * (20 - number)
        assert len(_anonymous()) == 1


def test_memory_that_was_not_emptied_is_not_written_again(desk: Desk) -> None:
    first = hand_over(desk.address, [(b"1" * 70_000,)])
    for number in range(5):
        later = hand_over(desk.address, [(bytes([number]) * 90_000,)])
        assert later is not None
        with desk.taken(later) as contents:
            assert bytes(contents[0]) == bytes([number]) * 90_000
    assert first is not None
    with desk.taken(first) as contents:
        assert bytes(contents[0]) == b"1" * 70_000


def test_memory_that_somebody_looks_at_still_is_not_written_again(desk: Desk) -> None:
    first = hand_over(desk.address, [(b"1" * 70_000,)])
    assert first is not None
    with desk.taken(first) as contents:
        kept = contents[0][:10]
    later = hand_over(desk.address, [(b"2" * 70_000,)])
    assert later is not None
    with desk.taken(later):
        pass
    desk.close()
    assert bytes(kept) == b"1" * 10


def test_what_is_large_is_given_back_to_the_system(desk: Desk) -> None:
    handed = hand_over(desk.address, [(b"x" * (_desk._MOST_KEPT_BYTES + 1),)])
    assert handed is not None
    with desk.taken(handed):
        pass
    assert _anonymous() == []


def test_workers_hold_nothing_for_a_run_that_is_over(desk: Desk) -> None:
    handed = [hand_over(desk.address, [(b"x" * 70_000,)]) for _ in range(3)]
    assert handed[0] is not None
    with desk.taken(handed[0]):
        pass
    desk.close()
    assert sum(size for _, size in _anonymous()) == 0


def test_memory_that_ends_in_the_middle_leaves_all_to_the_engine(desk: Desk) -> None:
    script = (
        f"{SCRIPT}"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); load = Load(sys.argv[1])\n"
        "contents = [(bytes([n]) * 70_000, b'end') for n in range(5)]\n"
        "for one in contents: load.add(one)\n"
        "print(load.hand_over(), load.contents() == [b''.join(one) for one in contents]); load.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, desk.address], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"None True\n"


def test_a_desk_that_is_gone_leaves_all_to_the_engine(desk: Desk) -> None:
    with closing(Load(desk.address)) as load:
        load.add((b"x" * 70_000, b"y"))
        desk.close()
        load.add((b"z",))
        assert load.hand_over() is None
        assert load.contents() == [b"x" * 70_000 + b"y", b"z"]
