"""One split of a plan to its part."""

import gzip
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugline.errors import RunStopped
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.plan import Plan
from plugline.pipeline.report import RunReport
from plugline.pipeline.run import run_plan
from plugline.pipeline.split import Progress, SplitWork, unreadable
from plugline.records import Part, StepCounts
from tests.builders import Pipeline, ndjson, pipeline, processor

FAIL = processor("record['touched'] = True\nif record['a'] % 2: raise ValueError(record['a'])\nreturn record")


def run(job: Pipeline) -> Part:
    plan = job.plan()
    return run_first(plan)


def run_first(plan: Plan) -> Part:
    with BoundPlan(plan) as bound, SplitWork(plan, bound, most_bytes=0) as work:
        return work.run(plan.splits[0])


def stopped(job: Pipeline) -> tuple[RunStopped, RunReport]:
    with pytest.raises(RunStopped) as caught:
        job.run()
    report = caught.value.report
    assert isinstance(report, RunReport)
    assert not report.complete
    assert job.sink not in job.files
    assert not [name for name in job.files if name.endswith(".tmp")]
    return caught.value, report


def test_its_one_effect_is_its_own_part(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=ndjson({"a": 1}))
    before = job.files
    part = run(job)
    assert part.path is not None
    assert set(job.files) - set(before) == {os.path.basename(part.path)}
    assert Path(part.path).read_bytes() == b'{"a":1}\n'
    assert part.dead_letters_path is None


def test_a_record_that_fails_is_kept_as_it_came_in(tmp_path: Path) -> None:
    source = ndjson({"a": 0}, {"a": 1})
    job = pipeline(tmp_path, plugins={"fail.py": FAIL}, source=source, steps=["fail"])
    job.run()
    (letter,) = job.dead_letters
    assert letter["record"] == {"a": 1}
    assert letter["raw"] == '{"a": 1}\n'
    assert letter["position"] == {
        "path": str(tmp_path / "in.ndjson"),
        "split": 0,
        "line": 2,
        "offset": source.index(b"\n") + 1,
        "row": 2,
    }
    error = letter["error"]
    assert isinstance(error, dict)
    traceback = error.pop("traceback")
    assert traceback.splitlines()[-1] == "ValueError: 1"
    assert f'"{tmp_path / "plugins" / "fail.py"}", line 5' in traceback
    assert error == {
        "type": "ValueError",
        "message": "1",
        "file": str(tmp_path / "plugins" / "fail.py"),
        "line": 5,
    }


def test_a_broken_line_of_six_costs_one_record(tmp_path: Path) -> None:
    records = [{"a": number} for number in range(5)]
    source = ndjson(*records[:3], b'{"a": broken}', *records[3:])
    job = pipeline(tmp_path, source=source)
    report = job.run()
    assert job.records == records
    assert (report.records_in, report.records_out, report.failed) == (6, 5, 1)
    (letter,) = job.dead_letters
    assert letter["raw"] == '{"a": broken}\n'
    position, error = letter["position"], letter["error"]
    assert isinstance(position, dict)
    assert isinstance(error, dict)
    assert (position["line"], position["offset"]) == (4, source.index(b'{"a": broken'))
    assert "unexpected character" in error["message"]


def test_ragged_rows_of_a_table_cost_one_record_each(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=b"a,b\n1,2\n3\n4,5,6\n7,8\n", source_path="in.csv")
    job.run()
    assert job.records == [{"a": "1", "b": "2"}, {"a": "7", "b": "8"}]
    lines = [letter["position"]["line"] for letter in job.dead_letters if isinstance(letter["position"], dict)]
    assert lines == [3, 4]


@pytest.mark.parametrize("sink", ["out.ndjson", "out.json", "out.csv"])
def test_an_empty_input_gives_an_empty_output(sink: str, tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=b"", sink=sink)
    report = job.run()
    assert job.output == (b"[]\n" if sink == "out.json" else b"")
    assert report.records_in == 0
    assert report.balanced


def test_nothing_left_over_is_an_empty_output(tmp_path: Path) -> None:
    job = pipeline(tmp_path, plugins={"none.py": processor("return None")}, source=ndjson({}, {}), steps=["none"])
    report = job.run()
    assert job.output == b""
    assert (report.records_in, report.dropped) == (2, 2)


def test_a_fan_out_counts_as_a_whole(tmp_path: Path) -> None:
    plugins = {
        "many.py": processor("return [{'a': number} for number in range(record['n'])]"),
        "fail.py": processor("if record['a'] == 2: raise ValueError\nreturn record"),
    }
    job = pipeline(tmp_path, plugins=plugins, source=ndjson({"n": 2}, {"n": 3}, {"n": 0}), steps=["many", "fail"])
    report = job.run()
    assert job.records == [{"a": 0}, {"a": 1}]
    (letter,) = job.dead_letters
    assert letter["record"] == {"n": 3}
    assert (report.records_in, report.created, report.records_out, report.dropped, report.failed) == (3, 1, 2, 1, 1)
    assert report.balanced


ACT = """
import sys

def transform(record):
    action = record["act"].pop(0)
    if action == "drop":
        return None
    if action == "fail":
        raise ValueError("no")
    if action == "exit":
        sys.exit("no")
    if action == "nonsense":
        return 7
    if isinstance(action, int):
        return (dict(record, act=list(record["act"])) for _ in range(action))
    return record

def describe():
    return "does what the record says"
"""
actions = st.sampled_from(["keep", "keep", "drop", "fail", "exit", "nonsense", 0, 1, 3])
lines = st.lists(st.one_of(st.fixed_dictionaries({"act": st.lists(actions, min_size=3, max_size=3)}), st.just(b"{")))


@pytest.mark.slow
@pytest.mark.timeout(300)  # each example starts processes of its own
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(lines=lines, on_error=st.lists(st.sampled_from(["dead-letter", "drop", "pass"]), min_size=3, max_size=3))
def test_what_came_in_came_out_was_dropped_or_is_a_dead_letter(
    lines: list[object], on_error: list[str], tmp_path: Path
) -> None:
    steps = [f'use = "act"\non_error = "{each}"' for each in on_error]
    job = pipeline(tmp_path, plugins={"act.py": ACT}, source=ndjson(*lines), steps=steps, run='max_errors = "none"')
    report = job.run()
    assert report.balanced
    assert report.records_in == len(lines)
    assert report.records_out == len(job.records)
    assert report.failed == len(job.dead_letters)
    assert report.records_in + report.created == report.records_out + report.dropped + report.failed
    assert [letter["record"] for letter in job.dead_letters if letter["record"] is not None] == [
        line
        for number, line in enumerate(lines, 1)
        if isinstance(line, dict)
        and any(isinstance(at["position"], dict) and at["position"]["line"] == number for at in job.dead_letters)
    ]


@pytest.mark.parametrize(
    ("on_error", "out", "dropped", "failed"),
    [("dead-letter", [0, 2], 0, 1), ("drop", [0, 2], 1, 0), ("pass", [0, 1, 2], 0, 0)],
)
def test_a_step_says_what_becomes_of_a_record_on_which_it_fails(
    on_error: str, out: list[int], dropped: int, failed: int, tmp_path: Path
) -> None:
    step = f'use = "fail"\non_error = "{on_error}"'
    job = pipeline(
        tmp_path, plugins={"fail.py": FAIL}, source=ndjson(*({"a": number} for number in range(3))), steps=[step]
    )
    report = job.run()
    assert [record["a"] for record in job.records if isinstance(record, dict)] == out
    assert [record for record in job.records if record == {"a": 1}] == ([{"a": 1}] if on_error == "pass" else [])
    assert (report.dropped, report.failed, len(job.dead_letters)) == (dropped, failed, failed)
    assert sum(report.errors.values()) == 1


def test_a_step_may_ask_for_a_stop_and_its_record_is_kept(tmp_path: Path) -> None:
    records = [b"{", *({"a": number} for number in (0, 2, 3, 4))]
    step = 'use = "fail"\non_error = "stop"'
    job = pipeline(tmp_path, plugins={"fail.py": FAIL}, source=ndjson(*records), steps=[step])
    stop, report = stopped(job)
    assert stop.finding.code == "R105"
    assert stop.finding.place.line == 5
    assert [letter["record"] for letter in job.dead_letters] == [None, {"a": 3}]
    assert report.dead_letters == str(tmp_path / "out.errors.ndjson")
    assert (report.records_in, report.failed) == (4, 2)
    assert report.balanced


def test_sys_exit_in_a_step_is_a_dead_letter(tmp_path: Path) -> None:
    plugins = {"quit.py": processor("import sys; sys.exit(3)")}
    job = pipeline(tmp_path, plugins=plugins, source=ndjson({"a": 1}), steps=["quit"])
    job.run()
    assert [letter["error"]["type"] for letter in job.dead_letters if isinstance(letter["error"], dict)] == [
        "SystemExit"
    ]


@pytest.mark.parametrize(
    ("limit", "failing", "records", "stops"),
    [
        ('"5%"', 5, 100, False),
        ('"5%"', 50, 1000, False),
        ('"5%"', 51, 1000, True),
        ("3", 3, 10, False),
        ("3", 4, 10, True),
        ("0", 1, 10, True),
        ('"none"', 2000, 2000, False),
    ],
)
def test_too_many_failures_stop_the_run(limit: str, failing: int, records: int, stops: bool, tmp_path: Path) -> None:  # noqa: FBT001
    source = ndjson(*({"a": int(number < failing)} for number in range(records)))
    job = pipeline(tmp_path, plugins={"fail.py": FAIL}, source=source, steps=["fail"], run=f"max_errors = {limit}")
    if not stops:
        assert job.run().failed == failing
        return
    stop, report = stopped(job)
    assert stop.finding.code == "R104"
    assert f"{failing:,} of {records:,} records failed" in stop.finding.message
    assert len(job.dead_letters) == report.failed == failing


def test_an_input_that_breaks_off_leaves_what_was_in_place_before(tmp_path: Path) -> None:
    source = gzip.compress(ndjson(*({"a": number} for number in range(50_000))))
    job = pipeline(tmp_path, source=source[: len(source) // 2], source_path="in.ndjson.gz")
    stop, report = stopped(job)
    assert stop.finding.code == "R101"
    assert "broken or cut off" in stop.finding.message
    assert 0 < report.records_in < 50_000
    (tmp_path / "out.ndjson").write_bytes(b"earlier")
    with pytest.raises(RunStopped):
        job.run()
    assert job.output == b"earlier"
    assert job.files == ["in.ndjson.gz", "out.ndjson", "pipeline.toml"]


def test_an_input_that_vanished_since_planning_stops_the_run(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=b"")
    plan = job.plan()
    (tmp_path / "in.ndjson").unlink()
    part = run_first(plan)
    assert part.stop is not None
    assert part.stop.code == "R101"
    assert "No such file" in part.stop.message
    with pytest.raises(RunStopped, match="No such file"):
        run_plan(plan)


def test_an_array_that_goes_wrong_in_the_middle_says_where(tmp_path: Path) -> None:
    stop, report = stopped(pipeline(tmp_path, source=b'[{"a": 1}, {"a": 2} oh', source_path="in.json"))
    assert stop.finding.code == "R101"
    assert "line 1, column 21" in stop.finding.message
    assert report.records_in == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_stops_the_run_and_keeps_the_dead_letters(tmp_path: Path) -> None:
    source = ndjson(b"{", *({"a": number} for number in range(50_000)))
    job = pipeline(
        tmp_path,
        source=source,
        sink="/dev/full",
        sink_more='format = "ndjson"',
        run='dead_letters = "bad.errors.ndjson"',
    )
    with pytest.raises(RunStopped, match="No space left") as caught:
        job.run()
    assert caught.value.finding.code == "R102"
    assert len(job.dead_letters) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_dead_letters_that_cannot_be_written_stop_the_run(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=ndjson(b"{"), run='dead_letters = "/dev/full"')
    stop, _ = stopped(job)
    assert stop.finding.code == "R103"
    assert "No space left" in stop.finding.message


def test_a_record_that_the_sink_cannot_hold_is_a_dead_letter(tmp_path: Path) -> None:
    plugins = {"odd.py": processor("return {'a': object()} if record['a'] else record")}
    job = pipeline(tmp_path, plugins=plugins, source=ndjson({"a": 0}, {"a": 1}), steps=["odd"])
    job.run()
    assert job.records == [{"a": 0}]
    (letter,) = job.dead_letters
    assert letter["record"] == {"a": 1}
    assert letter["step"] == {"index": 2, "name": "sink", "plugin": "ndjson"}


def test_other_keys_than_those_of_the_table_are_a_dead_letter(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=ndjson({"a": 1}, {"b": 2}, {"a": 3}), sink="out.csv")
    job.run()
    assert job.output.split() == [b"a", b"1", b"3"]
    assert len(job.dead_letters) == 1


def test_the_users_interrupt_ends_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    plugins = {
        "stop.py": processor(
            "if record['a'] == 7:\n    os.kill(os.getpid(), signal.SIGINT)\n    [None for _ in range(10_000)]\nreturn record",
            top="import os, signal",
        )
    }
    source = ndjson(b"{", *({"a": number} for number in range(10)))
    job = pipeline(tmp_path, plugins=plugins, source=source, steps=["stop"], run="processes = 1")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        stop, report = stopped(job)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stop.interrupted
    assert stop.finding.code == "R110"
    assert report.balanced
    assert (report.records_out, report.dead_letters) == (7, None)
    assert job.files == ["in.ndjson", "pipeline.toml"]


def test_a_step_that_raises_an_interrupt_itself_has_failed(tmp_path: Path) -> None:
    plugins = {"stop.py": processor("raise KeyboardInterrupt")}
    job = pipeline(tmp_path, plugins=plugins, source=ndjson({}), steps=["stop"])
    assert job.run().failed == 1


def test_a_step_that_changes_the_working_folder_changes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    body = "if record['a'] == 1: raise ValueError\nreturn record"
    plugins = {"move.py": processor(f"os.chdir('/')\n{body}", top="import os; os.chdir('/')")}
    source = {"1.ndjson": ndjson({"a": 0}, {"a": 1}), "2.ndjson": ndjson({"a": 2})}
    job = pipeline(Path(), plugins=plugins, source=source, source_path="?.ndjson", steps=["move"])
    job.run()
    monkeypatch.chdir(tmp_path)
    assert job.records == [{"a": 0}, {"a": 2}]
    assert len(job.dead_letters) == 1


def test_a_step_that_takes_standard_input_away_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", sys.stdin)
    plugins = {"shut.py": processor("sys.stdin = None\nreturn record", top="import sys")}
    job = pipeline(tmp_path, plugins=plugins, source=ndjson({"a": 0}), steps=["shut"])
    job.run()
    assert job.records == [{"a": 0}]


def test_progress_counts_bytes_and_records_of_all_splits(tmp_path: Path) -> None:
    source = {"1.ndjson": ndjson({"a": 0}, {"a": 1}), "2.ndjson": ndjson({"a": 2}, b"{")}
    job = pipeline(tmp_path, plugins={"fail.py": FAIL}, source=source, source_path="?.ndjson", steps=["fail"])
    told: list[Progress] = []
    job.run(told.append)
    total = sum(len(each) for each in source.values())
    assert [replace(each, seconds=0) for each in told] == [
        Progress(records_in=2, records_out=1, failed=1, bytes_read=18, bytes_total=total, seconds=0),
        Progress(records_in=4, records_out=2, failed=2, bytes_read=total, bytes_total=total, seconds=0),
    ]


def test_thousands_of_distinct_errors_are_counted_under_a_bounded_number_of_names(tmp_path: Path) -> None:
    plugins = {"fail.py": processor("raise type(f'E{record[\"a\"]}', (Exception,), {})")}
    source = ndjson(*({"a": number} for number in range(1500)))
    job = pipeline(tmp_path, plugins=plugins, source=source, steps=["fail"], run='max_errors = "none"')
    report = job.run()
    assert sum(report.errors.values()) == 1500
    assert len(report.errors) <= 1001


def test_the_counts_name_source_steps_and_sink(tmp_path: Path) -> None:
    step = 'use = "keep"\nname = "first"'
    job = pipeline(tmp_path, plugins={"keep.py": processor()}, source=ndjson({}), steps=[step, "keep"])
    part = run(job)
    assert [one.name for one in part.counts] == ["source", "first", "keep", "sink"]
    assert part.counts[0] == StepCounts(
        name="source", entered=1, created=0, out=1, dropped=0, failed=0, seconds=part.counts[0].seconds
    )


SLOPPY = """
class Form:
    def reader(self): return self
    def writer(self): ...
    def decode(self, raw): raise ValueError("no")
    def batches(self, stream): yield {batch}
    def position(self, index): raise RuntimeError
    raws = ["raw"]
"""


def test_a_format_that_cannot_say_where_a_record_stands_costs_only_the_position(tmp_path: Path) -> None:
    job = pipeline(
        tmp_path, plugins={"form.py": SLOPPY.format(batch="self")}, source=b"", source_more='format = "form"'
    )
    job.run()
    (letter,) = job.dead_letters
    assert letter["raw"] == "raw"
    assert letter["position"] == {"path": str(tmp_path / "in.ndjson"), "split": 0}


def test_a_format_that_gives_something_else_than_batches_stops_the_run(tmp_path: Path) -> None:
    job = pipeline(tmp_path, plugins={"form.py": SLOPPY.format(batch="3")}, source=b"", source_more='format = "form"')
    stop, _ = stopped(job)
    assert stop.finding.code == "R101"


def test_a_split_that_is_run_carefully_gives_the_part_that_it_gives_otherwise(tmp_path: Path) -> None:
    plugins = {
        "fail.py": FAIL,
        "many.py": processor("return [dict(record, copy=number) for number in range(record['a'] % 3)]"),
    }
    source = ndjson(*({"a": number} for number in range(40)), b"{")
    job = pipeline(tmp_path, plugins=plugins, source=source, steps=["fail", "many"])
    plan = job.plan()
    noted: list[tuple[int, int]] = []
    with BoundPlan(plan) as bound, SplitWork(plan, bound) as work:
        quick = work.run(plan.splits[0])
        careful = work.run_carefully(plan.splits[0], lambda record, stage: noted.append((record, stage)), {})
    same = [replace(one, counts=tuple(replace(each, seconds=0) for each in one.counts)) for one in (quick, careful)]
    assert [b"".join(one.content) for one in same] == [b"".join(quick.content)] * 2
    assert replace(same[0], content=()) == replace(same[1], content=())
    assert noted[:5] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


@pytest.mark.parametrize("sink", ["out.ndjson", "out.csv", "out.ndjson.gz", "out.parquet"])
def test_a_part_that_is_written_to_given_memory_is_the_same_whether_it_fits_or_not(sink: str, tmp_path: Path) -> None:
    records = [{"a": number * number, "b": "b" * 80} for number in range(2_000)]
    plan = pipeline(tmp_path, source=ndjson(*records), sink=sink).plan()
    with BoundPlan(plan) as bound, SplitWork(plan, bound) as work:
        expected = b"".join(work.run(plan.splits[0]).content)
        for room in (0, 1, len(expected) // 2, len(expected) - 1, len(expected), 1_000_000):
            memory = memoryview(bytearray(room))
            part = work.run(plan.splits[0], memory=memory)
            assert (b"".join(part.content), part.path) == (expected, None)
            assert any(isinstance(piece, memoryview) for piece in part.content) == (room >= len(expected))


def test_a_part_that_is_to_go_to_a_file_is_all_there_if_it_outgrows_given_memory(tmp_path: Path) -> None:
    plan = pipeline(tmp_path, source=ndjson(*({"a": "a" * 80} for _ in range(2_000)))).plan()
    with BoundPlan(plan) as bound, SplitWork(plan, bound) as work:
        expected = b"".join(work.run(plan.splits[0]).content)
    with BoundPlan(plan) as bound, SplitWork(plan, bound, most_bytes=150_000) as work:
        part = work.run(plan.splits[0], memory=memoryview(bytearray(100_000)))
    assert (part.content, part.path is None) == ((), False)
    assert Path(str(part.path)).read_bytes() == expected


def test_the_hint_of_an_error_is_the_hint_of_its_finding() -> None:
    finding = unreadable(ValueError("'a.zst' needs the package 'zstandard'\n  hint: pip install zstandard"), "a.zst")
    assert finding.message == "cannot be read any further: 'a.zst' needs the package 'zstandard'"
    assert finding.hint == "pip install zstandard"


def test_an_input_that_vanishes_or_may_not_be_read_is_not_told_to_be_mended() -> None:
    gone = unreadable(FileNotFoundError(2, "No such file or directory"), "in/5.ndjson")
    assert gone.hint == "put the file there again, and run it again"
    shut = unreadable(PermissionError(13, "Permission denied"), "in/5.ndjson")
    assert shut.hint == "allow it: chmod u+r in/5.ndjson"
    assert unreadable(OSError(5, "Input/output error"), "in/5.ndjson").hint == "mend the file, or cut it there"
