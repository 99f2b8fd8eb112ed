"""Files that grow, and folders where files arrive."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from time import time_ns

import pytest

from tests.builders import Pipeline, ndjson, pipeline, processor

pytestmark = pytest.mark.slow

FAIL = processor("if record['a'] < 0: raise ValueError(record['a'])\nreturn record")


@contextmanager
def following(made: Pipeline, code: int = 130) -> Iterator["subprocess.Popen[bytes]"]:
    """Follow while the block runs, then press Ctrl-C."""
    command = [sys.executable, "-m", "plugline", "run", "-q", "pipeline.toml", "--follow"]
    process = subprocess.Popen(command, cwd=made.folder, stderr=subprocess.PIPE)
    try:
        yield process
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == code
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def until(process: "subprocess.Popen[bytes]", condition: Callable[[], object]) -> None:
    for _ in range(2000):
        if condition():
            return
        assert process.poll() is None, process.stderr.read() if process.stderr else b""
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("it did not happen")


def job(folder: Path, path: str = "in.ndjson", **more: str) -> Pipeline:
    more = {"source_more": 'format = "ndjson"', **more}
    return pipeline(folder, plugins={"fail.py": FAIL}, source_path=path, steps=["fail"], **more)  # type: ignore[arg-type]


def append(path: Path, *records: object) -> None:
    with path.open("ab") as file:
        file.write(ndjson(*records))


def read(made: Pipeline) -> list[int]:
    path = made.folder / made.sink
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [json.loads(line)["a"] for line in lines]


_INTERRUPTED = """
import os
import signal
import sys

sent = []


def listen(event, arguments):
    if event == "open" and not sent and str(arguments[0]).endswith("errors.ndjson"):
        sent.append(os.kill(os.getpid(), signal.SIGINT))


sys.addaudithook(listen)
from plugline.cli import main

sys.exit(main(["run", "-q", "pipeline.toml", "--follow"]))
"""


def test_an_interrupt_leaves_no_output_without_its_dead_letters(tmp_path: Path) -> None:
    made = job(tmp_path)
    append(tmp_path / "in.ndjson", {"a": 1}, {"a": -1})
    command = [sys.executable, "-c", _INTERRUPTED]
    assert subprocess.run(command, cwd=made.folder, timeout=60, check=False).returncode == 130
    assert read(made) == [1]
    assert [one["record"] for one in made.dead_letters] == [{"a": -1}]


def test_what_is_appended_is_read_once_also_over_restarts(tmp_path: Path) -> None:
    made = job(tmp_path)
    source = tmp_path / "in.ndjson"
    append(source, {"a": 0})
    with following(made) as process:
        until(process, lambda: read(made) == [0])
        append(source, {"a": 1}, {"a": -1})
        until(process, lambda: read(made) == [0, 1])
    append(source, {"a": 2}, {"a": -2})
    with following(made) as process:
        until(process, lambda: read(made) == [0, 1, 2])
        process.kill()
        process.wait()
        append(source, {"a": 3})
        with following(made) as again:
            until(again, lambda: read(made) == [0, 1, 2, 3])
        process.returncode = 130
    letters = [(one["record"], one["position"]["line"]) for one in made.dead_letters]  # type: ignore[index]
    assert letters == [({"a": -1}, 3), ({"a": -2}, 5)]


@pytest.mark.skipif(sys.platform != "linux", reason="sets the limit of another process")
def test_a_folder_may_hold_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    import resource

    made = job(tmp_path, "in")
    folder = tmp_path / "in"
    folder.mkdir()
    append(folder / "first", {"a": 0})
    with following(made) as process:
        until(process, lambda: read(made) == [0])
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (400, 400))
        for number in range(1, 600):
            append(folder / f"{number:03}", {"a": number})
        until(process, lambda: len(read(made)) == 600)
        for number in (1, 300, 599):
            append(folder / f"{number:03}", {"a": 1000 + number})
        until(process, lambda: len(read(made)) == 603)
        (folder / "300").rename(folder / "moved")
        append(folder / "moved", {"a": 2000})
        until(process, lambda: len(read(made)) == 604)
    assert sorted(read(made)) == [*range(600), 1001, 1300, 1599, 2000]


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    made = job(tmp_path)
    source = tmp_path / "in.ndjson"
    source.write_bytes(b'{"a": 0}\n{"a"')
    with following(made) as process:
        until(process, lambda: read(made) == [0])
        with source.open("ab") as file:
            file.write(b": 1}\n")
        until(process, lambda: read(made) == [0, 1])


def test_files_that_arrive_in_a_folder_are_read_once_whatever_they_are_called_later(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    made = job(tmp_path, "inbox")
    with following(made) as process:
        append(inbox / "1", {"a": 1})
        until(process, lambda: read(made) == [1])
        (inbox / "1").rename(inbox / "0")
        (inbox / "2").write_bytes(b'{"a": 2}')
        (inbox / "3.gz").write_bytes(gzip.compress(ndjson({"a": 3})))
        until(process, lambda: sorted(read(made)) == [1, 2, 3])
    with following(made) as process:
        append(inbox / "4", {"a": 4})
        until(process, lambda: sorted(read(made)) == [1, 2, 3, 4])


def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one(tmp_path: Path) -> None:
    made = job(tmp_path)
    source = tmp_path / "in.ndjson"
    append(source, {"a": 0})
    with following(made) as process:
        until(process, lambda: read(made) == [0])
        append(source, {"a": 1})
        os.rename(source, tmp_path / "in.ndjson.1")
        append(source, {"a": 2})
        until(process, lambda: read(made) == [0, 1, 2])
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"R113" in process.stderr.read()


def test_what_is_written_to_a_rotated_file_is_read_also_after_the_new_one_was_begun(tmp_path: Path) -> None:
    made = job(tmp_path)
    source = tmp_path / "in.ndjson"
    append(source, {"a": 0})
    with following(made) as process, source.open("ab", buffering=0) as writer:
        until(process, lambda: read(made) == [0])
        os.rename(source, tmp_path / "in.ndjson.1")
        append(source, {"a": 1})
        until(process, lambda: read(made) == [0, 1])
        writer.write(b'{"a": 2}\n{"a"')
        until(process, lambda: read(made) == [0, 1, 2])
        writer.write(b": 3}")  # its last line has no end, and counts when nobody writes it any more
        append(source, {"a": 4})
        until(process, lambda: read(made) == [0, 1, 2, 4, 3])


def test_what_was_left_of_a_file_that_was_rotated_while_nothing_followed_it_is_read(tmp_path: Path) -> None:
    made = job(tmp_path)
    source = tmp_path / "in.ndjson"
    append(source, {"a": 0})
    with following(made) as process:
        until(process, lambda: read(made) == [0])
    append(source, {"a": 1})
    os.rename(source, tmp_path / "in.ndjson.1")
    append(source, {"a": 2})
    with following(made) as process:
        until(process, lambda: read(made) == [0, 1, 2])
        process.kill()
        process.wait()
        process.returncode = 130
    append(tmp_path / "in.ndjson.1", {"a": 3})
    with following(made) as process:
        # The kill may have come before it was written down that the record of the new file was read: then it is read after this.
        until(process, lambda: sorted(read(made)) == [0, 1, 2, 3])


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(("sink", "name"), [("out.ndjson", "in.ndjson.1"), ("out.csv", "in.ndjson-20240102")])
def test_a_file_that_was_empty_and_is_written_to_and_rotated_while_nothing_followed_it_is_read(
    sink: str, name: str, tmp_path: Path
) -> None:
    made = job(tmp_path, sink=sink)
    source = tmp_path / "in.ndjson"
    source.touch()
    with following(made) as process:
        until(process, lambda: any(b'"place"' in one.read_bytes() for one in tmp_path.glob(".*.journal")))
    append(source, {"a": 1}, {"a": 2})
    source.rename(tmp_path / name)
    append(source, {"a": 3})
    lines = [b"a\n", b"1\n", b"2\n", b"3\n", b"4\n"] if sink == "out.csv" else [ndjson({"a": n}) for n in (1, 2, 3, 4)]
    lines = [line.replace(b" ", b"") for line in lines]
    with following(made) as process:
        until(process, lambda: (tmp_path / sink).read_bytes() == b"".join(lines[:-1]))
    append(source, {"a": 4})
    with following(made) as process:
        until(process, lambda: (tmp_path / sink).read_bytes() == b"".join(lines))


def test_a_rotated_file_of_several_names_is_opened_once(tmp_path: Path) -> None:
    made = job(tmp_path)
    source, rotated = tmp_path / "in.ndjson", tmp_path / "in.ndjson.1"
    append(source, {"a": 0})
    with following(made) as process:
        until(process, lambda: read(made) == [0])
    append(source, {"a": 1})
    source.rename(rotated)
    (tmp_path / "in.ndjson.last").symlink_to(rotated)
    append(source, {"a": 2})
    with following(made) as process:
        until(process, lambda: read(made) == [0, 1, 2])
        opened = [os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
        assert opened.count(str(rotated)) == 1


def test_an_output_that_is_gone_is_told_with_the_journal_to_remove(tmp_path: Path) -> None:
    made = job(tmp_path)
    append(tmp_path / "in.ndjson", {"a": 0})
    with following(made) as process:
        until(process, lambda: read(made) == [0])
    (tmp_path / made.sink).unlink()
    with following(made, code=2) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
    (journal,) = tmp_path.glob(".*.journal")
    assert f"remove '{journal}' to begin anew" in said
    journal.unlink()
    with following(made) as process:
        until(process, lambda: read(made) == [0])


@pytest.mark.parametrize("broken", ["source", "step"])
def test_what_was_written_stays_where_a_file_that_arrives_stops_the_run(broken: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    more = 'use = "fail"\non_error = "stop"'
    made = pipeline(
        tmp_path, plugins={"fail.py": FAIL}, source_path="in", source_more='format = "ndjson"', steps=[more]
    )
    append(tmp_path / "in" / "1.ndjson", {"a": 1})
    with following(made) as process:
        until(process, lambda: read(made) == [1])
    bad = tmp_path / "in" / "2.ndjson"
    if broken == "source":
        bad.write_text('[{"a": 2}]')
    else:
        append(bad, {"a": -2})
    for _ in range(2):
        with following(made, code=4) as process:
            assert process.stderr is not None
            assert b"what is done is in out.ndjson: the same command goes on from there" in process.stderr.read()
        assert read(made) == [1]
    bad.unlink()
    append(tmp_path / "in" / "3.ndjson", {"a": 3})
    with following(made) as process:
        until(process, lambda: read(made) == [1, 3])


def test_what_cannot_be_read_after_a_rotation_is_told(tmp_path: Path) -> None:
    made = job(tmp_path)
    source = tmp_path / "in.ndjson"
    append(source, {"a": 0})
    with following(made) as process:
        until(process, lambda: read(made) == [0])
    append(tmp_path / "new", {"a": 1})
    os.replace(tmp_path / "new", source)
    with following(made) as process:
        until(process, lambda: read(made) == [0, 1])
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"what it had after 9 bytes is not read" in process.stderr.read()


def test_a_file_that_is_cut_off_begins_anew(tmp_path: Path) -> None:
    made = job(tmp_path)
    source = tmp_path / "in.ndjson"
    append(source, {"a": 10}, {"a": 11})
    with following(made) as process:
        until(process, lambda: read(made) == [10, 11])
        source.write_bytes(ndjson({"a": 2}))
        until(process, lambda: read(made) == [10, 11, 2])
        # As long as before, and something else.
        source.write_bytes(ndjson({"a": 3}))
        append(source, {"a": 4})
        until(process, lambda: read(made) == [10, 11, 2, 3, 4])


def test_an_edited_plugin_takes_the_place_of_the_old_one_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    made = job(tmp_path)
    source, plugin = tmp_path / "in.ndjson", tmp_path / "plugins" / "fail.py"
    append(source, {"a": 0})
    with following(made) as process:
        until(process, lambda: read(made) == [0])
        plugin.write_text("def broken(", encoding="utf-8")
        append(source, {"a": 1})
        until(process, lambda: read(made) == [0, 1])
        plugin.write_text(
            processor("if record['a'] < 0: raise ValueError\nreturn {'a': record['a'] * 10}"), encoding="utf-8"
        )
        sent = 2
        while read(made)[-1] < 20:
            append(source, {"a": sent})
            sent += 1
            until(process, lambda sent=sent: len(read(made)) == sent)  # type: ignore[misc]
        append(source, {"a": -5})
        until(process, lambda: made.dead_letters)
    assert [one if one < 20 else one // 10 for one in read(made)] == list(range(sent))
    assert made.dead_letters[0]["step"]["generation"] == 2  # type: ignore[index]


def test_a_table_is_followed_with_its_header(tmp_path: Path) -> None:
    made = job(tmp_path, "in.csv", source_more='options = { types = { a = "int" } }', sink="out.csv")
    source = tmp_path / "in.csv"
    source.write_text("a,b\n1,x\n", encoding="utf-8")
    output = tmp_path / "out.csv"
    with following(made) as process:
        until(process, lambda: output.exists() and output.read_text("utf-8") == "a,b\n1,x\n")
        with source.open("a", encoding="utf-8") as file:
            file.write("2,y\n-3,z\n")
        until(process, lambda: output.read_text("utf-8") == "a,b\n1,x\n2,y\n")
    with following(made) as process, source.open("a", encoding="utf-8") as file:
        file.write("4,w\n")
        file.flush()
        until(process, lambda: output.read_text("utf-8") == "a,b\n1,x\n2,y\n4,w\n")
    assert [one["position"]["line"] for one in made.dead_letters] == [4]  # type: ignore[index]


def test_an_edit_that_only_fails_when_it_is_loaded_changes_nothing(tmp_path: Path) -> None:
    made = job(tmp_path)
    source, plugin = tmp_path / "in.ndjson", tmp_path / "plugins" / "fail.py"
    append(source, {"a": 0})
    with following(made) as process:
        until(process, lambda: read(made) == [0])
        looked = plugin.stat().st_mtime_ns
        plugin.write_text("import a_module_that_nobody_has\n" + FAIL, encoding="utf-8")
        sent = 1
        # Several looks at the plugins, which come between records.
        while sent < 10 or time_ns() - looked < 1_500_000_000:
            append(source, {"a": sent})
            sent += 1
            until(process, lambda sent=sent: len(read(made)) == sent)  # type: ignore[misc]
        plugin.write_text(processor("return {'a': record['a'] * 100}"), encoding="utf-8")
        while read(made)[-1] < 100:
            append(source, {"a": sent})
            sent += 1
            until(process, lambda sent=sent: len(read(made)) == sent)  # type: ignore[misc]
    assert [one if one < 100 else one // 100 for one in read(made)] == list(range(sent))


OWN_FORMAT = """
import json


class Batch:
    def __init__(self, raws):
        self.raws = raws


class Reader:
    decode = staticmethod(json.loads)

    def batches(self, stream):
        yield Batch(stream.readlines())


class Own:
    record_delimiter = b"\\n"

    def reader(self):
        return Reader()

    def writer(self):
        raise NotImplementedError
"""


def test_what_a_step_imports_may_be_edited_beside_a_format_and_an_edit_of_the_format_changes_nothing(
    tmp_path: Path,
) -> None:
    made = job(tmp_path, source_more='format = "own"')
    source, plugins = tmp_path / "in.ndjson", tmp_path / "plugins"
    (plugins / "own.py").write_text(OWN_FORMAT, encoding="utf-8")
    (plugins / "_by.py").write_text("BY = 1\n", encoding="utf-8")
    step = processor("return {'a': record['a'] * BY}", top="from ._by import BY")
    (plugins / "fail.py").write_text(step, encoding="utf-8")
    append(source, {"a": 1})
    with following(made) as process:
        until(process, lambda: read(made) == [1])
        assert process.stderr is not None
        told = b""
        for by, own in ((10, OWN_FORMAT), (10, f"{OWN_FORMAT}\n# edited\n"), (100, OWN_FORMAT)):
            (plugins / "own.py").write_text(own, encoding="utf-8")
            (plugins / "_by.py").write_text(f"BY = {by}\n", encoding="utf-8")
            while read(made)[-1] != by or (own != OWN_FORMAT and b"the source's format changed" not in told):
                sent = len(read(made)) + 1
                append(source, {"a": 1})
                until(process, lambda sent=sent: len(read(made)) == sent)  # type: ignore[misc]
                told += os.read(process.stderr.fileno(), 10_000) if select([process.stderr], [], [], 0)[0] else b""


@pytest.mark.parametrize(
    ("path", "sink"), [("-", "out.ndjson"), ("in.ndjson", "out.json"), ("in.ndjson", "out.sqlite")]
)
def test_what_cannot_be_followed_is_refused(path: str, sink: str, tmp_path: Path) -> None:
    made = job(tmp_path, path, sink=sink)
    append(tmp_path / "in.ndjson", {"a": 0})
    command = [sys.executable, "-m", "plugline", "run", "-q", "pipeline.toml", "--follow"]
    done = subprocess.run(
        command, cwd=made.folder, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=50
    )
    assert done.returncode == 2
    assert b"C114" in done.stderr
    assert sink not in made.files


@pytest.mark.slow
@pytest.mark.parametrize(("path", "form"), [("in.json", "json"), ("in.ndjson.gz", "ndjson")])
def test_a_file_that_is_only_read_when_it_is_whole_is_not_followed(path: str, form: str, tmp_path: Path) -> None:
    made = job(tmp_path, path, source_more=f'format = "{form}"')
    (tmp_path / path).write_bytes(b'[{"a":1}]')
    command = [sys.executable, "-m", "plugline", "run", "-q", "pipeline.toml", "--follow"]
    done = subprocess.run(command, cwd=made.folder, capture_output=True, check=False, timeout=50)
    assert done.returncode == 2
    assert b"cannot be followed" in done.stderr
    assert "out.ndjson" not in made.files
