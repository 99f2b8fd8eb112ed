"""Failing records to lines of a dead letter file."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from plugline.blame import ErrorText
from plugline.pipeline.faults import DeadLetters, placed, position_of, with_traceback
from plugline.records import Broken, Position, Reader, Split
from plugline.records.loop import Failure
from tests.builders import ndjson, pipeline, processor


@dataclass
class Batch:
    raws: list[object] = field(default_factory=list)

    def position(self, index: int) -> Position:
        return Position(line=index + 1)


class Plain:
    """A reader whose raws are records."""

    def decode(self, raw: object) -> object:
        if isinstance(raw, ValueError):
            raise raw
        return raw


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


def letter(tmp_path: Path, raw: object, stage: int = 1) -> dict[str, object]:
    job = pipeline(tmp_path, plugins={"upper.py": processor()}, source=b"", steps=["upper"])
    plan = job.plan()
    letters = DeadLetters(plan, plan.splits[0])
    failure = Failure(index=0, stage=stage, name="it", error=ErrorText("ValueError", "no", "x.py", 3))
    line = letters.lines(Batch([raw]), [failure], cast("Reader", Plain()))
    found: dict[str, object] = json.loads(line)
    return found


def test_a_dead_letter_says_what_where_and_why(tmp_path: Path) -> None:
    record = {"a": 1}
    found = letter(tmp_path, record)
    step = found.pop("step")
    assert found == {
        "record": record,
        "raw": record,
        "position": {"path": str(tmp_path / "in.ndjson"), "split": 0, "line": 1},
        "error": {"type": "ValueError", "message": "no", "file": "x.py", "line": 3, "traceback": None},
    }
    assert isinstance(step, dict)
    assert {name: step[name] for name in ("index", "name", "plugin", "generation")} == {
        "index": 1,
        "name": "upper",
        "plugin": "upper",
        "generation": 1,
    }
    assert len(step["digest"]) >= 32


@pytest.mark.parametrize(("stage", "name"), [(0, "source"), (2, "sink")])
def test_source_and_sink_are_steps_as_well(stage: int, name: str, tmp_path: Path) -> None:
    assert letter(tmp_path, {}, stage)["step"] == {"index": stage, "name": name, "plugin": "ndjson"}


def test_bytes_that_are_no_text_can_be_had_back(tmp_path: Path) -> None:
    found = letter(tmp_path, Broken(b"\xff\x00", "not UTF-8"), 0)
    assert found["record"] is None
    assert found["raw_base64"] == "/wA="


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        ({"a": 2**70}, {"a": str(2**70)}),
        ({"a": "\ud800"}, {"a": "\\ud800"}),
        ({1: [("x", {"y": -(2**64)})]}, {"1": [["x", {"y": str(-(2**64))}]]}),
        ({"a": 1j}, {"a": "1j"}),
        ({"a": Unprintable()}, {"a": "an object of type Unprintable"}),
    ],
)
def test_what_json_cannot_hold_is_kept_as_text(record: object, kept: object, tmp_path: Path) -> None:
    assert letter(tmp_path, record)["record"] == kept


def test_a_record_that_cannot_be_decoded_again_is_kept_raw(tmp_path: Path) -> None:
    found = letter(tmp_path, ValueError("no"))
    assert found["record"] is None
    assert "ValueError" in str(found["raw"])


def test_a_position_says_what_its_format_knows() -> None:
    split = Split(index=2, count=3, path="a.csv")
    assert position_of(split, Position(row=7, offset=0)) == {"path": "a.csv", "split": 2, "offset": 0, "row": 7}


def test_a_record_that_came_as_json_is_told_as_it_stood_there(tmp_path: Path) -> None:
    line = b' {"big": 123456789012345678901234567890, "a": 1.50, "a": "\\u00e9\xc3\xa9"}\r\n'
    plugins = {"fail.py": processor("record.clear()\nraise ValueError")}
    job = pipeline(tmp_path, plugins=plugins, source=line, steps=["fail"])
    job.run()
    letters = (tmp_path / "out.errors.ndjson").read_bytes()
    assert letters.startswith(b'{"record":' + line.strip() + b',"raw":')
    (found,) = job.dead_letters
    assert found["raw"] == line.decode()


def test_json_that_stands_in_more_than_one_line_is_told_in_one(tmp_path: Path) -> None:
    plugins = {"fail.py": processor("raise ValueError")}
    job = pipeline(tmp_path, plugins=plugins, source=b'{"a":\r1}\n', steps=["fail"])
    job.run()
    (line,) = (tmp_path / "out.errors.ndjson").read_bytes().splitlines()
    assert json.loads(line)["record"] == {"a": 1}


def test_two_steps_that_fail_in_the_same_words_each_have_their_traceback(tmp_path: Path) -> None:
    plugins = {"fail.py": processor("record['n'] += 1\nif record['n'] == 2: raise ValueError\nreturn record")}
    source = ndjson({"n": 0}, {"n": 1}, {"n": 0})
    steps = ['use = "fail"\nname = "one"', 'use = "fail"\nname = "two"']
    job = pipeline(tmp_path, plugins=plugins, source=source, steps=steps)
    job.run()
    errors = [cast("dict[str, object]", one["error"])["traceback"] for one in job.dead_letters]
    assert errors[0] == errors[1] is not None
    assert errors[2] is None


def two_letters(tmp_path: Path) -> bytes:
    plan = pipeline(tmp_path, source=b"").plan()
    split = Split(index=3, path='odd "position": {"line":9}}.ndjson', start=100)
    failures = [Failure(index=index, stage=0, name="source", error=ErrorText("E", "no")) for index in (0, 1)]
    raws: list[object] = [b'"position":{"line":1}}', b"}}"]
    return DeadLetters(plan, split).lines(Batch(raws), failures, cast("Reader", Plain()))


def test_positions_in_a_split_become_those_in_the_input(tmp_path: Path) -> None:
    letters = two_letters(tmp_path)
    after = placed(letters, lambda there: Position(line=(there.line or 0) + 10, row=7))
    found = [json.loads(line) for line in after.splitlines()]
    assert [(one["position"]["line"], one["position"]["row"], one["position"]["split"]) for one in found] == [
        (11, 7, 3),
        (12, 7, 3),
    ]
    before = [json.loads(line) for line in letters.splitlines()]
    for one in (*before, *found):
        del one["position"]
    assert found == before


def test_one_of_several_dead_letters_can_be_given_a_traceback(tmp_path: Path) -> None:
    lines = with_traceback(two_letters(tmp_path), 1, "Traceback").splitlines()
    assert [json.loads(line)["error"]["traceback"] for line in lines] == [None, "Traceback"]


def test_special_files_are_written_to_and_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "errors")
    reader = os.open(tmp_path / "errors", os.O_RDONLY | os.O_NONBLOCK)
    source = ndjson({"a": 1})
    plugins = {"fail.py": processor("raise ValueError")}
    job = pipeline(tmp_path, plugins=plugins, source=source, steps=["fail"], run='dead_letters = "errors"')
    try:
        report = job.run()
        assert b'"ValueError"' in os.read(reader, 10_000)
    finally:
        os.close(reader)
    assert (tmp_path / "errors").is_fifo()
    assert report.failed == 1
    assert report.dead_letters == str(tmp_path / "errors")
