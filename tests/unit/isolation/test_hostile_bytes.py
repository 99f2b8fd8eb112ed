"""Whatever a worker sends, or does not, is an answer or the end of that worker, and never the host's trouble."""

import datetime
import itertools
import logging
import time
from pathlib import Path

import pytest

from plugline.errors import PluginError, WorkerFailed
from plugline.isolation.answers import Batched, count_containers, decode_answer
from plugline.isolation.levels import Level
from plugline.worker.packing import Malformed, pack
from tests.soaks.fuzz_wire import fuzz, seeds
from tests.soaks.restarts import soak
from tests.workers import LEVELS, batch_of, host_of, write_plugin

ANSWERS = (
    "def pipes():\n"
    "    found = []\n"
    "    for number in range(3, 64):\n"
    "        try:\n"
    "            mode = os.fstat(number).st_mode\n"
    "            if mode & 0o170000 == 0o010000:\n"
    "                found.append(number)\n"
    "        except OSError:\n"
    "            pass\n"
    "    return found\n"
    "def send(data):\n"
    "    for number in pipes():\n"
    "        try:\n"
    "            os.set_blocking(number, False)\n"
    "            os.write(number, data)\n"
    "        except OSError:\n"
    "            pass\n"
    "def frame(data):\n"
    "    return len(data).to_bytes(4, 'little') + data\n"
)
HOSTILE = {
    "garbage": "send(b'\\xff' * 1000)",
    "a pickle": "import pickle; send(pickle.dumps(print))",
    "a length without a body": "send((2**20).to_bytes(4, 'little')); time.sleep(1000)",
    "a huge length": "send((2**32 - 1).to_bytes(4, 'little'))",
    "a part of a frame": "send(frame(b'\\x93\\xa4done\\x03\\xc0')[:7]); os._exit(0)",
    "a wrong number": "send(frame(b'\\x93\\xa4done\\xcd\\xff\\xff\\xc0'))",
    "another kind of answer": "send(frame(b'\\x96\\xa5ready\\x02\\x01\\xa50.1.0\\x93\\x03\\x0b\\x07\\x01'))",
    "an unknown word": "send(frame(b'\\x93\\xa4eval\\x02\\xa1x'))",
    "a million empty dicts": "send(frame(b'\\x93\\xa4done\\x02\\xdd\\x00\\x0f\\x00\\x00' + b'\\x80' * 0xf0000))",
    "nested lists": "send(frame(b'\\x93\\xa4done\\x02' + b'\\x91' * 200_000))",
    "closed pipes": "os.closerange(3, 64)",
    "silence": "time.sleep(1000)",
    "a flood of prints": "while True: print('x' * 1000)",
    "a flood of raw bytes": "while True: os.write(2, b'x' * 65536)",
    "a flood of frames": "data = frame(b'\\x93\\xa4done\\xcd\\xff\\xff\\xc0') * 1000\nwhile True: send(data)",
}


def _fails(plugin: object, record: dict[str, object]) -> bool:
    try:
        plugin.transform(record)  # type: ignore[attr-defined]
    except PluginError:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_bytes_are_that_workers_end_and_the_next_call_goes_through(
    tmp_path: Path, level: Level, attack: str
) -> None:
    statement = HOSTILE[attack].replace("\n", "\n    ")
    folder = write_plugin(tmp_path, f"if 'attack' in record:\n    {statement}\nreturn record")
    with (folder / "subject.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{ANSWERS}")
    logging.getLogger("plugins").setLevel(logging.CRITICAL)
    try:
        with host_of(folder, level, timeout_seconds=3) as host:
            plugin = host["subject"].load()
            began = time.perf_counter()
            # Bytes that come beside a good answer are seen with the next one.
            assert any(_fails(plugin, {"attack": 1}) for _ in range(3))
            assert time.perf_counter() - began < 30
            assert plugin.transform({"n": 1}) == {"n": 1}  # type: ignore[attr-defined]
            outcomes = batch_of(host)([{"n": n, **({"attack": 1} if n == 30 else {})} for n in range(60)])
    finally:
        logging.getLogger("plugins").setLevel(logging.NOTSET)
    good = [outcome for n, outcome in enumerate(outcomes) if outcome == {"n": n}]
    assert len(good) >= 58


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_a_worker_that_is_stopped_is_ended_in_time(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "if 'stop' in record:\n    os.kill(os.getpid(), 19)\nreturn record")
    with host_of(folder, level, timeout_seconds=3) as host:
        plugin = host["subject"].load()
        began = time.perf_counter()
        with pytest.raises(WorkerFailed, match="took longer than 3 s"):
            plugin.transform({"stop": 1})  # type: ignore[attr-defined]
        assert time.perf_counter() - began < 15
        assert plugin.transform({}) == {}  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("statement", ["while True: pass", "time.sleep(1000)", "os.kill(os.getpid(), 19)"])
def test_a_plugin_that_hangs_while_it_is_loaded_is_ended_in_time(tmp_path: Path, level: Level, statement: str) -> None:
    folder = write_plugin(tmp_path, "return record")
    with (folder / "subject.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{statement}\n")
    with host_of(folder, level, timeout_seconds=0.5) as host:
        handle = host["subject"]
        began = time.perf_counter()
        with pytest.raises(PluginError, match=r"P363.*took longer than 0\.5 s to load the plugin"):
            handle.load()
        assert time.perf_counter() - began < 15


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_a_plugin_that_hangs_at_its_end_does_not_hold_up_the_host(tmp_path: Path, level: Level) -> None:
    body = (
        "import atexit, threading\natexit.register(time.sleep, 1000)\n"
        "threading.Thread(target=time.sleep, args=(1000,)).start()\nreturn record"
    )
    folder = write_plugin(tmp_path, body)
    with host_of(folder, level) as host:
        assert host["subject"].load().transform({}) == {}  # type: ignore[attr-defined]
        began = time.perf_counter()
    assert time.perf_counter() - began < 15


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_a_memory_bomb_is_an_error_or_that_workers_end(tmp_path: Path, level: Level) -> None:
    from plugline import Host
    from plugline.worker.limits import Sandbox

    folder = write_plugin(tmp_path, "if 'bomb' in record:\n    return {'n': len('x' * 4_000_000_000)}\nreturn record")
    limits = Sandbox(memory_bytes=300_000_000, timeout_seconds=10)
    with Host(str(folder), interface=["transform"], isolation=level, limits=limits) as host:
        plugin = host["subject"].load()
        with pytest.raises((MemoryError, WorkerFailed)):
            plugin.transform({"bomb": 1})  # type: ignore[attr-defined]
        assert plugin.transform({"n": 1}) == {"n": 1}  # type: ignore[attr-defined]


def test_a_frame_that_would_take_far_more_memory_than_it_is_long_is_refused_before_it_is_decoded() -> None:
    dicts = b"\x80" * 2_000_000
    head = b"\x93\xa4done\x02\xdd" + len(dicts).to_bytes(4, "big")
    with pytest.raises(Malformed, match="hold more than 1,000,000 lists and dicts"):
        decode_answer(head + dicts)
    ones = b"\x81\xa0\xc0" * 1_500_000
    with pytest.raises(Malformed, match="lists and dicts"):
        decode_answer(b"\x93\xa4done\x02\xdd" + (1_500_000).to_bytes(4, "big") + ones)


def _of_one_hash(count: int) -> bytes:
    """Return keys and values for a map: lists of -1 and -2, which become tuples that all have one hash."""
    keys = itertools.islice(itertools.product(b"\xff\xfe", repeat=16), count)
    return b"".join(b"\xdc\x00\x10" + bytes(key) + b"\x01" for key in keys)


@pytest.mark.slow
@pytest.mark.parametrize("before", [b"", b"\xc4\x01x", b"\x91\x81\xa1a\x81\xa1b\xc7\x01\x03\x90"])
def test_a_map_whose_keys_take_minutes_to_tell_apart_is_refused_before_it_is_decoded(before: bytes) -> None:
    evil = b"\xde" + (50_000).to_bytes(2, "big") + _of_one_hash(50_000)
    values = b"\x92" + before + evil if before else b"\x91" + evil
    began = time.process_time()
    with pytest.raises(Malformed, match="a map whose keys are no text"):
        decode_answer(b"\x93\xa4done\x02" + values)
    with pytest.raises(Malformed, match="a map whose keys are no text"):
        decode_answer(b"\x96\xa7batched\x02\x00" + values + b"\x90\xc3")
    assert time.process_time() - began < 5


@pytest.mark.parametrize("depth", [1, 4, 5, 40])
@pytest.mark.parametrize("leaf", [1, datetime.date(2020, 1, 1), b"x", {1: 2}, (1, 2)], ids=repr)
def test_an_answer_of_some_length_is_decoded_as_a_short_one_is(depth: int, leaf: object) -> None:
    value = leaf
    for _ in range(depth):
        value = {"a": [value]}
    for count in (1, 300):
        answer = decode_answer(pack(["done", 2, [value] * count]))
        assert answer.value == [value] * count  # type: ignore[union-attr]
        answer = decode_answer(pack(["batched", 2, 0, [value] * count, [], True]))
        assert answer.results == [value] * count  # type: ignore[union-attr]
        assert isinstance(answer, Batched)


@pytest.mark.slow
def test_more_values_than_can_be_looked_at_are_refused_where_they_would_have_to_be() -> None:
    many = b"\xc0" * 4_000_000
    with pytest.raises(Malformed, match="more than 4,000,000 values"):
        decode_answer(b"\x93\xa4done\x02\x92\xc4\x01x\xdd" + len(many).to_bytes(4, "big") + many)
    answer = decode_answer(b"\x93\xa4done\x02\x92\xc0\xdd" + len(many).to_bytes(4, "big") + many)
    assert len(answer.value[1]) == len(many)  # type: ignore[union-attr, index]


def test_text_in_other_scripts_is_not_taken_for_dicts() -> None:
    text = "日本語テキスト" * 200_000
    answer = decode_answer(pack(["done", 2, [text, text]]))
    assert answer.value == [text, text]  # type: ignore[union-attr]


def test_containers_are_counted_as_there_are() -> None:
    def count(value: object) -> int:
        match value:
            case dict():
                return 1 + sum(count(item) for item in value.values())
            case list():
                return 1 + sum(count(item) for item in value)
            case _:
                return 0

    import msgspec

    for seed in seeds():
        plain = msgspec.msgpack.decode(seed, ext_hook=lambda code, data: code)
        assert count_containers(seed, 10**9) >= count(plain)


def test_mutated_frames_are_answers_or_malformed() -> None:
    """The small form of tests/soaks/fuzz_wire.py."""
    found, wrong = fuzz(1500, seed=7)
    assert wrong == []
    assert found["malformed"] > 1000


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_left_of_workers_that_died(level: Level) -> None:
    """The small form of tests/soaks/restarts.py."""
    logging.disable(logging.CRITICAL)
    try:
        first, last, deaths = soak(20, level, tell=False)
    finally:
        logging.disable(logging.NOTSET)
    assert deaths == 20
    assert last[0] <= first[0]
    assert last[1] <= first[1]


# What becomes of the honest answer to a batch: [tag, number, first, results, failures, last].
FORGED = {
    "more results than records": "answer[3] = answer[3] * 3",
    "more results than records, and more to come": "answer[3] = answer[3] * 3; answer[5] = False",
    "fewer results than records": "answer[3] = answer[3][:-1]",
    "no result at all": "answer[3] = []",
    "no result, and more to come": "answer[3] = []; answer[5] = False",
    "a later beginning": "answer[2] = 1",
    "a beginning far away": "answer[2] = 2**53",
    "an end that is none": "answer[5] = False",
    "an end before its time": "answer[3] = answer[3][:7]",
    "a failure of another's": "answer[4] = [[10**6, 'E', 'm', None, None, '']]",
    "failures without end": "answer[4] = [[0, '', '', None, None, '']] * 100_000",
    "a failure in a place that is none": "answer[4] = [[2**53, 'E', 'm', None, None, '']]",
    "the number of the next": "answer[1] += 1",
    "the number of the one before": "answer[1] -= 1",
    "twice": "sent.append(answer)",
    "twenty times": "sent += [answer] * 19",
    "records for text": "answer[3] = 'x' * len(answer[3])",
    "another answer": "answer[:] = ['done', answer[1], None]",
    "a raised error": "answer[:] = ['raised', answer[1], 'E', 'm', None, None, '', []]",
    "a field too many": "answer.append(None)",
    "a field too few": "answer.pop()",
    "nothing": "sent.clear()",
}


@pytest.mark.slow
@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_answer_to_a_batch_costs_no_more_than_the_record_that_forged_it(tmp_path: Path, forged: str) -> None:
    body = (
        "if 'attack' in record:\n"
        "    import msgspec, plugline.worker.serving as serving\n"
        "    honest = serving.write_frame\n"
        "    def forge(descriptor, content):\n"
        "        serving.write_frame = honest\n"
        "        answer = msgspec.msgpack.decode(content)\n"
        "        sent = [answer]\n"
        f"        {FORGED[forged]}\n"
        "        for one in sent:\n"
        "            honest(descriptor, msgspec.msgpack.encode(one))\n"
        "    serving.write_frame = forge\n"
        "return record"
    )
    folder = write_plugin(tmp_path, body)
    with host_of(folder, "process", timeout_seconds=3) as host:
        step = batch_of(host)
        records: list[dict[str, object]] = [{"n": n, **({"attack": 1} if n == 700 else {})} for n in range(2_200)]
        outcomes = step(records)
        after = step([{"n": 1}])
    assert len(outcomes) == len(records)
    wrong = [n for n, outcome in enumerate(outcomes) if outcome != records[n]]
    assert wrong in ([], [700])
    assert after == [{"n": 1}]
