"""A plan to its output and a report."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plugline.errors import ConfigurationError, RunStopped
from plugline.pipeline.report import RunReport
from plugline.pipeline.run import run_plan
from plugline.pipeline.split import Progress
from tests.builders import Pipeline, ndjson, pipeline, processor

UPPER = processor("return {key: str(value).upper() for key, value in record.items()}")
FAIL = processor("if record['a'] % 2: raise ValueError(record['a'])\nreturn record")
RUN = """
import sys
from plugline.pipeline.config import read_config
from plugline.pipeline.plan import make_plan
from plugline.pipeline.run import run_plan
with open("pipeline.toml", "rb") as stream:
    config = read_config(stream.read(), "pipeline.toml")
"""


def stopped(job: Pipeline) -> tuple[RunStopped, RunReport]:
    with pytest.raises(RunStopped) as caught:
        job.run()
    assert isinstance(caught.value.report, RunReport)
    assert not [name for name in job.files if name.endswith(".tmp")]
    return caught.value, caught.value.report


def test_source_steps_and_sink_go_together_by_name(tmp_path: Path) -> None:
    plugins = {"trim_plugin.py": processor("return {k: v.strip() for k, v in record.items()}"), "upper.py": UPPER}
    job = pipeline(
        tmp_path, plugins=plugins, source=b"name,city\n alice , Oslo\n", source_path="in.csv", steps=["trim", "upper"]
    )
    report = job.run()
    assert job.records == [{"name": "ALICE", "city": "OSLO"}]
    assert report.complete
    assert report.output == str(tmp_path / "out.ndjson")
    assert report.dead_letters is None


def test_a_strangers_format_reads_and_writes(tmp_path: Path) -> None:
    form = (
        '''
"""Key and value with '=' between, an empty line after each record."""
from plugline.records import Position

SUFFIXES = (".kv",)

class KeyValue:
    mark: str = "="

    def __init__(self, mark="="):
        self.mark = mark
    def reader(self):
        return Reader(self.mark)
    def writer(self):
        return Writer(self.mark)

class Reader:
    def __init__(self, mark):
        self.mark = mark
    def batches(self, stream):
        self.raws = stream.read().decode().strip().split("\\n\\n")
        yield self
    def position(self, index):
        return Position(row=index + 1)
    def decode(self, raw):
        return dict(line.split(self.mark, 1) for line in raw.splitlines())

class Writer:
    separator = b""
    columns = None
    def __init__(self, mark):
        self.mark = mark
    def open(self, stream, *, first, columns=None):
        self.stream = stream
    def encode(self, record):
        return "".join(f"{key}{self.mark}{value}\\n" for key, value in record.items()) + "\\n"
    def write(self, encoded):
        self.stream.write("".join(encoded).encode())
    def close(self, *, last):
        pass
'''.replace("class Reader", "class _Reader")
        .replace("class Writer", "class _Writer")
        .replace("return Reader", "return _Reader")
        .replace("return Writer", "return _Writer")
    )
    job = pipeline(
        tmp_path,
        plugins={"kv.py": form, "upper.py": UPPER},
        source=b"a=x\nb=y\n\nbroken\n\na=z\n",
        source_path="in.kv",
        steps=["upper"],
        sink="out.kv",
        sink_more='options = { mark = ": " }',
    )
    report = job.run()
    assert job.output == b"a: X\nb: Y\n\na: Z\n\n"
    assert report.failed == 1
    assert [letter["raw"] for letter in job.dead_letters] == ["broken"]


def test_a_file_that_a_package_ships_is_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shipped" / "data").mkdir(parents=True)
    (tmp_path / "shipped" / "__init__.py").write_text("raise ImportError")
    (tmp_path / "shipped" / "data" / "in.ndjson").write_bytes(ndjson({"a": 1}, b"{"))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "sub").mkdir()
    job = pipeline(tmp_path / "sub", source_path="package:shipped/data/in.ndjson")
    job.run()
    assert job.records == [{"a": 1}]
    (letter,) = job.dead_letters
    assert isinstance(letter["position"], dict)
    assert letter["position"]["path"] == "package:shipped/data/in.ndjson"


def test_a_plan_can_be_run_again(tmp_path: Path) -> None:
    job = pipeline(tmp_path, plugins={"upper.py": UPPER}, source=ndjson({"a": "x"}), steps=["upper"])
    plan = job.plan()
    first, second = run_plan(plan), run_plan(plan)
    assert first.records_in == second.records_in == 1
    assert job.records == [{"a": "X"}]


# ----------------------------------------------------------------------------- several files

PARTS = {"1.ndjson": b"", "2.ndjson": ndjson({"a": 1}, {"a": 2}), "3.ndjson": b"\n", "4.ndjson": ndjson({"a": 3})}


@pytest.mark.parametrize(
    ("sink", "whole"),
    [
        ("out.ndjson", b'{"a":1}\n{"a":2}\n{"a":3}\n'),
        ("out.csv", b"a\n1\n2\n3\n"),
    ],
)
def test_several_files_are_one_output_in_order(sink: str, whole: bytes, tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=PARTS, source_path="?.ndjson", sink=sink)
    report = job.run()
    assert job.output == whole
    assert (report.records_in, report.records_out) == (3, 3)


@pytest.mark.parametrize("sink", ["out.json", "out.json.gz"])
def test_several_files_are_one_array(sink: str, tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=PARTS, source_path="?.ndjson", sink=sink)
    job.run()
    output = gzip.decompress(job.output) if sink.endswith(".gz") else job.output
    assert json.loads(output) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_the_first_file_fixes_the_columns_of_all(tmp_path: Path) -> None:
    source = {"1.ndjson": ndjson({"b": 1, "a": 2}), "2.ndjson": ndjson({"a": 3, "b": 4}, {"c": 5})}
    job = pipeline(tmp_path, source=source, source_path="?.ndjson", sink="out.csv")
    job.run()
    assert job.output == b"b,a\n1,2\n4,3\n"
    (letter,) = job.dead_letters
    assert isinstance(letter["position"], dict)
    assert (letter["position"]["split"], letter["record"]) == (1, {"c": 5})


def test_dead_letters_of_all_files_are_in_one(tmp_path: Path) -> None:
    source = {"1.ndjson": ndjson({"a": 1}, {"a": 2}), "2.ndjson": ndjson(b"{", {"a": 3})}
    job = pipeline(tmp_path, plugins={"fail.py": FAIL}, source=source, source_path="?.ndjson", steps=["fail"])
    report = job.run()
    assert [letter["raw"] for letter in job.dead_letters] == ['{"a": 1}\n', "{\n", '{"a": 3}\n']
    assert report.failed == 3
    assert report.balanced


def test_failures_of_all_files_count_towards_the_limit(tmp_path: Path) -> None:
    source = {"1.ndjson": ndjson({"a": 1}, {"a": 2}), "2.ndjson": ndjson({"a": 3}, {"a": 5})}
    run = "max_errors = 2"
    job = pipeline(tmp_path, plugins={"fail.py": FAIL}, source=source, source_path="?.ndjson", steps=["fail"], run=run)
    stop, report = stopped(job)
    assert "3 of 4 records failed" in stop.finding.message
    assert (report.records_in, report.failed, len(job.dead_letters)) == (4, 3, 3)
    assert "out.ndjson" not in job.files


@pytest.mark.slow
@pytest.mark.parametrize("sink", ["-", "/dev/stdout"])
@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_several_files_make_one_whole_on_standard_output(form: str, sink: str, tmp_path: Path) -> None:
    more = f'format = "{form}"'
    pipeline(tmp_path, source=PARTS, source_path="?.ndjson", sink=sink, sink_more=more)
    done = subprocess.run(
        [sys.executable, "-c", f"{RUN}run_plan(make_plan(config))"], cwd=tmp_path, capture_output=True, check=True
    )
    file = pipeline(tmp_path, source_path="?.ndjson", sink=f"out.{form}")
    file.run()
    read = json.loads if form == "json" else bytes
    assert read(done.stdout) == read(file.output)


def test_a_special_file_is_written_and_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    job = pipeline(tmp_path, source=ndjson({"a": 1}), sink="pipe", sink_more='format = "ndjson"')
    try:
        job.run()
        assert os.read(reader, 10_000) == b'{"a":1}\n'
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


# ----------------------------------------------------------------------------- whole or not at all


def test_dead_letters_of_an_earlier_run_go_when_there_are_none_any_more(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=ndjson(b"{"))
    assert job.run().removed is None
    assert len(job.dead_letters) == 1
    job = pipeline(tmp_path, source=ndjson({}))
    assert job.run().removed == str(tmp_path / "out.errors.ndjson")
    assert job.files == ["in.ndjson", "out.ndjson", "pipeline.toml"]


ASSEMBLING = """
from plugline.formats.ndjson import Ndjson

SUFFIXES = (".odd",)


class Odd:
    def reader(self):
        return Ndjson().reader()

    def writer(self):
        return Ndjson().writer()

    def assemble(self, parts, stream, *, columns):
        raise KeyError("nothing")
"""


def test_a_format_that_cannot_put_its_parts_together_is_named_with_what_it_raised(tmp_path: Path) -> None:
    stop, report = stopped(pipeline(tmp_path, plugins={"odd.py": ASSEMBLING}, source=ndjson({}), sink="out.odd"))
    assert stop.finding.code == "R102"
    assert stop.finding.message == "cannot be written: KeyError: 'nothing'"
    assert report.records_out == 1


def test_an_output_that_cannot_be_put_in_place_stops_the_run_with_a_report(tmp_path: Path) -> None:
    top = f"import os\nos.mkdir({str(tmp_path / 'out.ndjson')!r})"
    job = pipeline(tmp_path, plugins={"sly.py": processor(f"{top}\nreturn record")}, source=ndjson({}), steps=["sly"])
    stop, report = stopped(job)
    assert stop.finding.code == "R102"
    assert report.records_out == 1
    assert not report.complete


@pytest.mark.slow
def test_a_file_that_may_not_grow_any_more_is_not_put_in_place(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=ndjson(*({"a": "x" * 100} for _ in range(5000))))
    (tmp_path / "out.ndjson").write_bytes(b"earlier")
    program = f"""{RUN}
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
run_plan(make_plan(config))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "error[R102] out.ndjson: cannot be written: File too large" in done.stderr
    assert job.files == ["in.ndjson", "out.ndjson", "pipeline.toml"]
    assert job.output == b"earlier"


@pytest.mark.slow
@pytest.mark.parametrize("parts", ["", "parts = true"])
@pytest.mark.parametrize("more", [1, 4_000])
def test_a_part_that_may_not_grow_any_more_stops_the_run(parts: str, more: int, tmp_path: Path) -> None:
    step = processor("return [record] * 51_000")
    made = ndjson({"a": "x" * 90})
    job = pipeline(
        tmp_path, plugins={"many.py": step}, source=made, steps=["many"], sink_more=parts, run="processes = 1"
    )
    size = 51_000 * 99  # of which the last bytes wait in a buffer
    program = f"""{RUN}
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({size - more}, {size - more}))
run_plan(make_plan(config))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "error[R102] out.ndjson: cannot be written: File too large" in done.stderr
    assert job.files == ["in.ndjson", "pipeline.toml"]


@pytest.mark.slow
def test_ctrl_c_ends_the_command_and_leaves_nothing(tmp_path: Path) -> None:
    body = f"open({str(tmp_path / 'begun')!r}, 'w').close()\ntime.sleep(30)\nreturn record"
    job = pipeline(
        tmp_path, plugins={"slow.py": processor(body, top="import time")}, source=ndjson({}, {}), steps=["slow"]
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "plugline", "run", "pipeline.toml"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "begun").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "the output is not in place" in said
    assert job.files == ["begun", "in.ndjson", "pipeline.toml"]


@pytest.mark.slow
def test_what_plugins_print_does_not_get_into_the_output(tmp_path: Path) -> None:
    plugins = {"loud.py": processor("print('hello')\nreturn record", top="print('loaded')")}
    pipeline(
        tmp_path,
        plugins=plugins,
        source=ndjson({"a": 1}, {"a": 2}),
        steps=["loud"],
        sink="-",
        sink_more='format = "ndjson"',
    )
    done = subprocess.run(
        [sys.executable, "-m", "plugline", "run", "pipeline.toml"], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout == b'{"a":1}\n{"a":2}\n'
    assert done.stderr.count(b"hello") == 2
    assert b"loaded" in done.stderr


# ----------------------------------------------------------------------------- what is left


def test_nothing_of_a_run_stays_loaded(tmp_path: Path) -> None:
    engine = "def run(runner, splits, /):\n    return map(runner, splits)\n"
    plugins = {"upper.py": UPPER, "mine.py": engine, "fail.py": FAIL}
    finders = [*sys.meta_path]
    for steps in (["upper"], ["fail"]):
        pipeline(tmp_path, plugins=plugins, source=ndjson({"a": 2}), steps=steps, run='engine = "mine"').run()
        assert not [name for name in sys.modules if name.startswith("plugins")]
        assert sys.meta_path == finders


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('no cluster')", "failed: ValueError: no cluster"),
        ("return None", "failed: TypeError"),
        ("return map(runner, splits[:1])", "ended after 1 of 2 parts"),
        ("return map(runner, splits[::-1])", "gave part 1, expected part 0"),
        ("return [runner(splits[0])] * 2", "gave part 0, expected part 1"),
    ],
)
def test_an_engine_that_does_not_do_its_work_stops_the_run(body: str, said: str, tmp_path: Path) -> None:
    engine = f"def run(runner, splits, /):\n    {body}\n"
    source = {"1.ndjson": ndjson({}), "2.ndjson": ndjson({})}
    job = pipeline(tmp_path, plugins={"mine.py": engine}, source=source, source_path="?.ndjson", run='engine = "mine"')
    with pytest.raises(RunStopped) as caught:
        job.run()
    assert caught.value.finding.code == "R106"
    assert said in caught.value.finding.message
    assert os.path.basename(caught.value.finding.place.path) == "mine.py"
    assert "out.ndjson" not in job.files


def test_a_run_whose_engine_failed_is_gone_on_with_on_another(tmp_path: Path) -> None:
    engine = (
        "def run(runner, splits, /):\n    yield runner(splits[0])\n    raise ConnectionError('the cluster went away')\n"
    )
    source = {"1.ndjson": ndjson({"a": 1}), "2.ndjson": ndjson({"a": 2})}
    job = pipeline(tmp_path, plugins={"mine.py": engine}, source=source, source_path="?.ndjson", run='engine = "mine"')
    with pytest.raises(RunStopped) as caught:
        job.run()
    assert isinstance(caught.value.report, RunReport)
    assert caught.value.report.resumable
    other = pipeline(tmp_path, source_path="?.ndjson", run='engine = "local"')
    report = run_plan(other.plan(), resume=True)
    assert report.resumed_parts == 1
    assert other.records == [{"a": 1}, {"a": 2}]


def test_a_run_is_not_gone_on_with_when_a_file_that_a_step_reads_has_changed(tmp_path: Path) -> None:
    step = 'use = "join"\nwith = { path = "names.csv", on = "a", types = { a = "int" } }'
    source = {"1.ndjson": ndjson({"a": 1}), "2.ndjson": ndjson({"a": 1})}
    job = pipeline(tmp_path, source=source, source_path="?.ndjson", steps=[step], run="processes = 1")
    names = tmp_path / "names.csv"
    names.write_text("a,name\n1,old\n", encoding="utf-8")

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(RunStopped):
        job.run(interrupt)
    names.write_text("a,name\n1,new\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"names\.csv', which step 1 \('join'\) reads, changed"):
        run_plan(job.plan(), resume=True)


@pytest.mark.parametrize("name", [".out.ndjson.*.part", ".out.errors.ndjson.*.letters"])
def test_a_run_whose_output_somebody_removes_meanwhile_does_not_end_as_if_it_were_there(
    name: str, tmp_path: Path
) -> None:
    source = {"1.ndjson": ndjson({"a": 1}, {"a": 2}), "2.ndjson": ndjson({"a": 2})}
    job = pipeline(
        tmp_path, plugins={"fail.py": FAIL}, source=source, source_path="?.ndjson", steps=["fail"], run="processes = 1"
    )

    def remove(progress: Progress) -> None:
        for path in tmp_path.glob(name):
            path.unlink()

    with pytest.raises(RunStopped, match="was removed while it was written") as caught:
        job.run(remove)
    assert "leave it alone until the run has ended" in (caught.value.finding.hint or "")


def test_an_interrupt_at_the_moment_when_all_is_in_place_comes_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = pipeline(tmp_path, plugins={"same.py": processor()}, source=ndjson({"a": 1}), steps=["same"])
    output = Path(job.plan().sink)
    output = output if output.is_absolute() else tmp_path / output
    interrupted: list[int] = []
    set_handler = signal.signal

    def put_back(number: int, action: object) -> object:
        before = set_handler(number, action)  # type: ignore[arg-type]
        if number == signal.SIGINT and action is signal.default_int_handler and output.exists() and not interrupted:
            interrupted.append(number)
            signal.raise_signal(number)
        return before

    monkeypatch.setattr(signal, "signal", put_back)
    report = run_plan(job.plan())
    assert interrupted == [signal.SIGINT]
    assert report.complete
    assert report.records_out == 1
