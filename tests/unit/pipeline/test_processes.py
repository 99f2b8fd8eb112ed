"""Runs in several processes: the same bytes, records that kill, and inputs of every kind."""

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from select import select

import pytest

from plugline.errors import RunStopped
from plugline.pipeline.report import RunReport
from tests.builders import Pipeline, ndjson, pipeline, processor

UPPER = processor("return {**record, 'name': record['name'].upper()}")
KILL = processor(
    "if record['id'] in (7, 12_345): os._exit(3)\nif record['id'] == 20_001: os.kill(os.getpid(), signal.SIGKILL)\nreturn record",
    top="import os, signal",
)
FAIL = processor("if record['id'] % 1000 == 17: raise ValueError(record['id'])\nreturn record")
RECORDS = [{"id": number, "name": f"name {number} {'x' * 100}"} for number in range(30_000)]
SOURCE = ndjson(*RECORDS)  # some 4 MiB: several splits
LINES = [line + b"\n" for line in SOURCE.splitlines()]

slow = pytest.mark.slow
any_number = pytest.mark.parametrize("run", ["processes = 1", "processes = 2", "processes = 3\nordered = false"])


def job(folder: Path, *, steps: tuple[str, ...] = ("upper",), **more: object) -> Pipeline:
    folder.mkdir(exist_ok=True)
    plugins = {"upper.py": UPPER, "kill.py": KILL, "fail.py": FAIL}
    options = {"plugins": plugins, "source": SOURCE, **more}
    return pipeline(folder, steps=steps, **options)  # type: ignore[arg-type]


def ids(made: Pipeline) -> list[int]:
    return [record["id"] for record in made.records if isinstance(record, dict)]


@slow
def test_any_number_of_processes_gives_the_same_bytes(tmp_path: Path) -> None:
    outputs = set()
    for number in (1, 2, 5):
        made = job(tmp_path / str(number), steps=("upper", "fail"), run=f"processes = {number}")
        report = made.run()
        assert report.balanced
        letters = made.folder / "out.errors.ndjson"
        said = letters.read_bytes().replace(str(made.folder).encode(), b"")
        outputs.add((made.output, said, tuple((one.name, one.entered, one.failed) for one in report.counts)))
    assert len(outputs) == 1


@slow
def test_without_order_nothing_is_lost_and_dead_letters_are_as_they_are_in_order(tmp_path: Path) -> None:
    made = job(tmp_path, steps=("upper", "fail"), run="processes = 3\nordered = false")
    report = made.run()
    assert sorted(ids(made)) == [number for number in range(30_000) if number % 1000 != 17]
    lines = [one["position"]["line"] for one in made.dead_letters if isinstance(one["position"], dict)]
    assert lines == [number + 1 for number in range(17, 30_000, 1000)]
    assert report.balanced


def positions(made: Pipeline) -> list[tuple[object, object, object]]:
    found = [one["position"] for one in made.dead_letters]
    return [(one["line"], one["offset"], one["row"]) for one in found if isinstance(one, dict)]


@slow
@any_number
@pytest.mark.parametrize("path", ["in.ndjson", "in.ndjson.gz"])
def test_dead_letters_tell_line_offset_and_row_of_the_whole_input(path: str, run: str, tmp_path: Path) -> None:
    source = SOURCE if path.endswith("n") else gzip.compress(SOURCE, 1)
    made = job(tmp_path, steps=("fail",), source=source, source_path=path, run=run)
    made.run()
    expected = [(n + 1, sum(map(len, LINES[:n])), n + 1) for n in range(17, 30_000, 1000)]
    assert positions(made) == expected


@slow
@any_number
def test_the_first_record_with_an_error_in_the_run_has_the_traceback(run: str, tmp_path: Path) -> None:
    made = job(tmp_path, steps=("fail",), run=run)
    report = made.run()
    tracebacks = [one["error"]["traceback"] for one in made.dead_letters if isinstance(one["error"], dict)]
    assert "ValueError: 17" in tracebacks[0]
    assert set(tracebacks[1:]) == {None}
    assert [*report.tracebacks.values()] == tracebacks[:1]


# ----------------------------------------------------------------------------- records that kill


@slow
@pytest.mark.parametrize("run", ["", "processes = 2", "processes = 2\nordered = false"])
@pytest.mark.parametrize("path", ["in.ndjson", "in.ndjson.gz"])
def test_a_record_that_kills_its_process_is_found_and_set_aside(path: str, run: str, tmp_path: Path) -> None:
    source = SOURCE if path.endswith("n") else gzip.compress(SOURCE, 1)
    made = job(tmp_path, steps=("upper", "kill"), source=source, source_path=path, run=run)
    report = made.run()
    assert sorted(ids(made)) == [number for number in range(30_000) if number not in (7, 12_345, 20_001)]
    assert (report.records_in, report.failed) == (30_000, 3)
    assert report.balanced
    found = [(one["record"], one["step"], one["error"]) for one in made.dead_letters]
    assert [record for record, _, _ in found] == [RECORDS[7], RECORDS[12_345], RECORDS[20_001]]
    assert [step["name"] for _, step, _ in found if isinstance(step, dict)] == ["kill"] * 3
    said = [error["message"] for _, _, error in found if isinstance(error, dict)]
    assert said[0] == "the split process ended with exit code 3"
    assert said[2] == "the split process was ended by signal 9 (SIGKILL)"


@slow
def test_a_small_input_is_as_safe(tmp_path: Path) -> None:
    made = job(tmp_path, steps=("kill",), source=ndjson(*RECORDS[:10]))
    assert made.run().failed == 1
    assert ids(made) == [0, 1, 2, 3, 4, 5, 6, 8, 9]


@slow
def test_too_many_that_kill_are_too_many_that_fail(tmp_path: Path) -> None:
    plugins = {"kill.py": processor("os._exit(1)", top="import os")}
    made = pipeline(tmp_path, plugins=plugins, source=ndjson(*RECORDS[:20]), steps=["kill"], run="max_errors = 3")
    with pytest.raises(RunStopped, match="20 of 20 records failed"):
        made.run()
    assert len(made.dead_letters) == 20


@slow
def test_a_process_that_dies_outside_of_records_ends_the_run_and_says_so(tmp_path: Path) -> None:
    form = """
import os
class Form:
    def reader(self): return self
    def writer(self): return self
    columns, separator = None, b""
    def batches(self, stream): os._exit(5)
    def decode(self, raw): return {}
    def open(self, stream, *, first, columns=None): ...
    encode = write = None
    def close(self, *, last): ...
"""
    made = pipeline(tmp_path, plugins={"form.py": form}, source=b"x", source_more='format = "form"')
    with pytest.raises(RunStopped, match="exit code 5, again and again") as caught:
        made.run()
    assert caught.value.finding.code == "R106"


@slow
@pytest.mark.timeout(400)  # some 200 processes, one after the other
def test_a_step_that_ends_its_process_at_every_record_is_named_and_not_the_engine(tmp_path: Path) -> None:
    plugins = {"kill.py": processor("os._exit(1)", top="import os")}
    made = pipeline(tmp_path, plugins=plugins, source=ndjson(*RECORDS[:200]), steps=["kill"], run="processes = 2")
    with pytest.raises(
        RunStopped, match="the step 'kill' ends its processes: a split process ended with exit code 1"
    ) as caught:
        made.run()
    assert os.path.basename(caught.value.finding.place.path) == "kill.py"
    assert "engine" not in f"{caught.value.finding}"


@slow
def test_a_process_that_somebody_else_kills_costs_nothing(tmp_path: Path) -> None:
    body = "if record['id'] in (5, 14_000) and not os.path.exists(mark := f'{FOLDER}/{record[\"id\"]}'):\n"
    body += "    open(mark, 'w').close()\n    os.kill(os.getpid(), 9)\nreturn record"
    plugins = {"once.py": processor(body, top=f"import os\nFOLDER = {str(tmp_path)!r}")}
    made = pipeline(tmp_path, plugins=plugins, source=SOURCE, steps=["once"], run="processes = 2")
    assert made.run().failed == 0
    assert len(made.records) == 30_000


# ----------------------------------------------------------------------------- how it is run


@slow
def test_beside_other_threads_each_process_is_an_interpreter_of_its_own(tmp_path: Path) -> None:
    made = job(tmp_path, steps=("upper", "fail", "kill"), run="processes = 2")
    until = threading.Event()
    thread = threading.Thread(target=until.wait)
    thread.start()
    try:
        report = made.run()
    finally:
        until.set()
        thread.join()
    assert (report.records_in, report.failed) == (30_000, 33)


@slow
@pytest.mark.parametrize("thread", ["", "threading.Thread(target=threading.Event().wait, daemon=True).start()"])
def test_what_plugins_print_in_split_processes_arrives(tmp_path: Path, thread: str) -> None:
    talk = processor("print('said', record['id'])\nreturn record")
    job(tmp_path, steps=("talk",), plugins={"talk.py": talk}, run="processes = 2")
    program = f"import sys, threading; from plugline.cli import main; {thread or 'pass'}; sys.exit(main(['run', '-q']))"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=buffered,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=50,
        check=True,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("said")]
    assert sorted(said) == sorted(f"said {record['id']}" for record in RECORDS)


@slow
@pytest.mark.parametrize("run", ["processes = 1", "processes = 2"])
@pytest.mark.parametrize("waits", ["pass", "time.sleep(100)"])
def test_an_interrupt_names_the_line_of_the_plugin_that_was_run(waits: str, run: str, tmp_path: Path) -> None:
    # All on one line: it is interrupted as soon as the file is there.
    more = f"while record['id'] == 5_000: open({str(tmp_path / 'begun')!r}, 'w').close(); {waits}\nreturn record"
    records = ndjson(*RECORDS[4_990:5_010])
    job(tmp_path, steps=("hang",), plugins={"hang.py": processor(more, top="import time")}, source=records, run=run)
    command = [sys.executable, "-m", "plugline", "run"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "begun").exists() and process.poll() is None:
            select([], [], [], 0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "error[R110] in.ndjson: interrupted at plugins/hang.py:4\n" in said
    assert "stopped before the end: 10 records in, 10 out" in said


@slow
def test_a_stateful_step_sees_all_records_in_order_in_one_process(tmp_path: Path) -> None:
    top = "STATEFUL = True\ntotal = 0"
    plugins = {"total.py": processor("global total\ntotal += record['id']\nreturn {'total': total}", top=top)}
    made = pipeline(tmp_path, plugins=plugins, source=SOURCE, steps=["total"], run="processes = 4\nordered = false")
    made.run()
    assert made.records[-1] == {"total": sum(range(30_000))}


@slow
def test_a_class_may_say_that_it_is_stateful(tmp_path: Path) -> None:
    counting = """
class Count:
    STATEFUL = True
    def __init__(self): self.count = 0
    def transform(self, record):
        self.count += 1
        return {"count": self.count}
    def describe(self): return "counts"
"""
    made = pipeline(tmp_path, plugins={"count.py": counting}, source=SOURCE, steps=["count"], run="processes = 3")
    made.run()
    assert made.records == [{"count": number + 1} for number in range(30_000)]


@slow
def test_a_stop_in_a_later_split_waits_for_those_before_it(tmp_path: Path) -> None:
    plugins = {
        "slow.py": processor(
            "if record['id'] == 0: time.sleep(0.3)\nif record['id'] == 29_999: raise ValueError\nreturn record",
            top="import time",
        )
    }
    step = 'use = "slow"\non_error = "stop"'
    made = pipeline(tmp_path, plugins=plugins, source=SOURCE, steps=[step], run="processes = 4")
    with pytest.raises(RunStopped) as caught:
        made.run()
    report = caught.value.report
    assert isinstance(report, RunReport)
    assert (report.records_in, report.failed) == (30_000, 1)


@slow
@pytest.mark.parametrize("run", ["processes = 1", "processes = 2"])
def test_standard_input_is_cut_as_it_is_read(run: str, tmp_path: Path) -> None:
    made = job(tmp_path, steps=("upper", "fail"), source_path="-", source_more='format = "ndjson"', source=b"", run=run)
    command = [sys.executable, "-m", "plugline", "run", "-q", "pipeline.toml"]
    done = subprocess.run(command, cwd=tmp_path, input=SOURCE, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    assert len(made.records) == 29_970
    assert positions(made)[0] == (18, sum(map(len, LINES[:17])), 18)


@slow
def test_a_pipe_hands_on_what_it_has(tmp_path: Path) -> None:
    job(tmp_path, source=b"", source_path="-", source_more='format = "ndjson"', sink="-", sink_more='format = "ndjson"')
    command = [sys.executable, "-m", "plugline", "run", "-q", "pipeline.toml"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line, record in zip(LINES[:3], RECORDS[:3], strict=True):  # each only when the one before has come through
            process.stdin.write(line)
            process.stdin.flush()
            assert select([process.stdout], [], [], 20)[0]
            assert json.loads(process.stdout.readline()) == {**record, "name": record["name"].upper()}  # type: ignore[attr-defined]
        process.stdin.close()
    assert process.returncode == 0


@slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_pipe_that_never_pauses_hands_on_what_it_has(processes: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "plugline", "run", "-q", "-", "--from", "ndjson", "-o", "-", "--to", "ndjson"]
    command += ["--processes", str(processes)]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        sent = 0
        while not select([process.stdout], [], [], 0.01)[0]:
            assert sent < 2_000
            process.stdin.write(b'{"id": 1}\n')
            process.stdin.flush()
            sent += 1
        process.stdin.close()
        assert len(process.stdout.readlines()) == sent
    assert process.returncode == 0


def test_a_record_that_is_too_long_is_a_dead_letter_and_the_others_go_on(tmp_path: Path) -> None:
    long = b'{"id": 1, "name": "' + b"x" * 3_000_000 + b'"}'
    source = ndjson({"id": 0, "name": "a"}, long, {"id": 2, "name": "b"})
    for path, content in (("in.ndjson", source), ("in.ndjson.gz", gzip.compress(source, 1))):
        folder = tmp_path / path
        made = job(folder, source=content, source_path=path, run="max_record_bytes = 1048576\nprocesses = 1")
        report = made.run()
        assert ids(made) == [0, 2]
        (letter,) = made.dead_letters
        assert letter["error"]["type"] == "RecordTooLong"  # type: ignore[index]
        # From which a summary has what was said.
        assert report.tracebacks == {"source: RecordTooLong": f"RecordTooLong: {letter['error']['message']}\n"}  # type: ignore[index]
        assert letter["raw"] == long[:1000].decode()
        assert letter["position"]["offset"] == 23  # type: ignore[index]
        assert report.balanced


@pytest.mark.parametrize("path", ["in.json", "in.json.gz"])
@pytest.mark.parametrize("processes", [1, 2])
def test_an_element_that_is_too_long_is_a_dead_letter_and_the_others_go_on(
    path: str, processes: int, tmp_path: Path
) -> None:
    long = b'{"id": 1, "name": "' + b"\xc3\xa9" * 600_000 + b'"}'
    source = b'[{"id": 0, "name": "a"},\n' + long + b',\n{"id": 2, "name": "b"}]'
    content = gzip.compress(source, 1) if path.endswith(".gz") else source
    run = f"max_record_bytes = 1048576\nprocesses = {processes}"
    made = job(tmp_path, source=content, source_path=path, run=run)
    report = made.run()
    assert ids(made) == [0, 2]
    (letter,) = made.dead_letters
    said = letter["error"]["message"]  # type: ignore[index]
    assert said == f"the record has {len(long):,} bytes, at most 1,048,576 may be (max_record_bytes in [run])"
    assert letter["raw"] == long[:1000].decode(errors="ignore")
    assert letter["position"]["line"] == 2  # type: ignore[index]
    assert report.balanced


def test_lines_are_counted_on_after_a_record_that_is_too_long(tmp_path: Path) -> None:
    source = ndjson({"id": 0, "name": "a"}, b"x" * 3_000_000, b"broken")
    made = job(tmp_path, source=source, run="max_record_bytes = 1048576\nprocesses = 1")
    made.run()
    assert [letter["position"]["line"] for letter in made.dead_letters[1:]] == [3]  # type: ignore[index]


@slow
@pytest.mark.parametrize("long", [b"x" * 3_000_000, b'"' + b"xxxxxxxxx\n" * 300_000 + b'"'], ids=["plain", "quoted"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_of_a_table_too_only_the_row_is_set_aside_that_is_too_long(long: bytes, suffix: str, tmp_path: Path) -> None:
    before, after = b"id,name\n0,a\n", b"2,b\n3,c\n"
    source = before + b"1," + long + b"\n" + after
    path = f"in.csv{suffix}"
    content = gzip.compress(source, 1) if suffix else source
    made = job(tmp_path, source=content, source_path=path, run="max_record_bytes = 1048576\nprocesses = 1")
    report = made.run()
    assert [record["id"] for record in made.records] == ["0", "2", "3"]  # type: ignore[index]
    (letter,) = made.dead_letters
    assert letter["error"]["type"] == "RecordTooLong"  # type: ignore[index]
    assert letter["raw"] == (b"1," + long)[:1000].decode()
    assert letter["position"]["offset"] == len(before)  # type: ignore[index]
    assert report.balanced


@slow
def test_an_input_that_is_replaced_while_it_is_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "in.ndjson"
    body = f"if record['id'] == 9:\n    os.replace({str(path)!r}, {str(path)!r} + '.old')\n    os.close(os.open({str(path)!r}, os.O_CREAT))\nreturn record"
    plugins = {"replace.py": processor(body, top="import os")}
    made = pipeline(tmp_path, plugins=plugins, source=SOURCE, steps=["replace"], run="processes = 1")
    with pytest.raises(RunStopped) as caught:
        made.run()
    assert caught.value.finding.code in {"R111", "R101"}
    assert "out.ndjson" not in made.files


@slow
def test_a_file_that_only_grows_is_read_as_far_as_it_was(tmp_path: Path) -> None:
    path = str(tmp_path / "in.ndjson")
    body = f"if record['id'] == 9:\n    with open({path!r}, 'ab') as file: file.write(b'{{}}')\nreturn record"
    made = pipeline(tmp_path, plugins={"grow.py": processor(body)}, source=SOURCE, steps=["grow"])
    made.run()
    assert len(made.records) == 30_000


# ----------------------------------------------------------------------------- killed and gone on with


def start(made: Pipeline, *more: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "plugline", "run", "-q", "pipeline.toml", *more]
    return subprocess.Popen(command, cwd=made.folder, stderr=subprocess.PIPE, start_new_session=True)


def wait_until(condition: Callable[[], object], process: "subprocess.Popen[bytes]") -> None:
    while not condition():
        assert process.poll() is None, process.stderr.read() if process.stderr is not None else b""
        try:
            process.wait(0.002)
        except subprocess.TimeoutExpired:
            continue


def journal_entries(folder: Path) -> int:
    return sum(path.read_bytes().count(b'"mark"') for path in folder.glob(".*.journal"))


@slow
@pytest.mark.parametrize("run", ["processes = 1", "processes = 2"])
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(run: str, tmp_path: Path) -> None:
    held = tmp_path / "held"  # while it is there, no run comes to its end before it is killed
    body = (
        f"while record['id'] == 29_990 and os.path.exists({str(held)!r}): time.sleep(0.01)\n"
        "if record['id'] % 3000 == 0: time.sleep(0.05)\nif record['id'] % 1000 == 17: raise ValueError(record['id'])\nreturn record"
    )
    plugins = {"slow.py": processor(body, top="import os, time")}
    made = pipeline(tmp_path, plugins=plugins, source=SOURCE, steps=["slow"], run=run)
    with start(made) as process:
        assert process.wait() == 1
    whole, letters = made.output, (tmp_path / "out.errors.ndjson").read_bytes()
    (tmp_path / "out.ndjson").unlink()
    held.touch()
    for after in (1, 4, 9):
        with start(made, "--resume") as process:
            wait_until(lambda after=after: journal_entries(tmp_path) >= after, process)  # type: ignore[misc]
            os.killpg(process.pid, 9)
        assert "out.ndjson" not in made.files
    held.unlink()
    with start(made, "--resume", "--json") as process:
        assert process.wait() == 1
    assert made.output == whole
    assert (tmp_path / "out.errors.ndjson").read_bytes() == letters
    assert made.files == ["in.ndjson", "out.errors.ndjson", "out.ndjson", "pipeline.toml"]


@slow
@pytest.mark.parametrize("source", ["-", "pipe.ndjson"])
def test_what_came_by_a_pipe_is_not_taken_for_what_comes_by_another(source: str, tmp_path: Path) -> None:
    plugins = {"stop.py": processor("if record['id'] == -1: raise ValueError\nreturn record")}
    run = "processes = 1\nmax_errors = 0"
    made = pipeline(
        tmp_path, plugins=plugins, source_path=source, source_more='format = "ndjson"', steps=["stop"], run=run
    )
    if source != "-":
        os.mkfifo(tmp_path / source)
    for records, code in ((ndjson(*RECORDS[:5_000], {"id": -1}), 4), (ndjson(*RECORDS[7_000:9_000]), 0)):
        command = f"{sys.executable} -m plugline run --resume" + (
            f" & cat > {source}; wait $!" if source != "-" else ""
        )
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, input=records, capture_output=True, check=False)
        assert done.returncode == code
        assert b"--resume the same command" not in done.stderr
    assert ids(made) == [record["id"] for record in RECORDS[7_000:9_000]]


@slow
def test_no_split_process_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    plugins = {
        "hang.py": processor(
            "open(f'{FOLDER}/{os.getpid()}.pid', 'w').close()\nwhile True: pass",
            top=f"import os\nFOLDER = {str(tmp_path)!r}",
        )
    }
    made = pipeline(tmp_path, plugins=plugins, source=SOURCE, steps=["hang"], run="processes = 2")
    with start(made) as process:
        wait_until(lambda: len([*tmp_path.glob("*.pid")]) == 2, process)
        os.kill(process.pid, 9)
        process.wait()
        children = [int(path.stem) for path in tmp_path.glob("*.pid")]
        deadline = threading.Event()
        for _ in range(1000):
            if not any(_runs(child) for child in children):
                break
            deadline.wait(0.01)
        assert not any(_runs(child) for child in children)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("split_bytes", [1024, 16_384, 20_000, 2_000_000])
def test_the_size_of_splits_changes_nothing_of_the_output(split_bytes: int, tmp_path: Path) -> None:
    records = [{"id": number, "text": "x" * (number % 700)} for number in range(500)]
    made = pipeline(tmp_path, source=ndjson(*records), run=f"processes = 1\nsplit_bytes = {split_bytes}")
    made.run()
    assert made.records == records


@pytest.mark.parametrize("ends", ["sys.exit()", "raise ValueError(0)", "return record"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_child_that_a_step_forks_and_that_comes_back_is_no_second_run(tmp_path: Path, number: int, ends: str) -> None:
    forks = f"if record['id'] == 20:\n    child = os.fork()\n    if child == 0: {ends}\n    os.waitpid(child, 0)\nreturn record"
    plugins = {"forks.py": processor(forks, top="import os, sys")}
    made = job(tmp_path, steps=("forks",), plugins=plugins, run=f"processes = {number}", source=b"".join(LINES[:100]))
    told = subprocess.run(
        [sys.executable, "-m", "plugline", "run", str(made.folder / "pipeline.toml"), "-q"],
        capture_output=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, b"")
    assert ids(made) == [*range(100)]
