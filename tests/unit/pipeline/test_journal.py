"""The journal of a run: what is in it, and who holds it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plugline.cli import main
from plugline.pipeline.history import Journal
from tests.builders import ndjson, pipeline, processor

OPEN = """
import sys
from plugline.pipeline.history import Journal, JournalTaken
try:
    Journal.open(sys.argv[1]).close(remove=False)
except JournalTaken:
    print("taken")
"""


def opened_elsewhere(path: Path) -> str:
    command = [sys.executable, "-c", OPEN, str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.mark.slow
def test_a_journal_that_was_read_is_still_held_against_other_processes(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal.open(str(path))
    assert opened_elsewhere(path) == "taken"
    journal.append({"journal": 1})
    assert [entry for entry, _ in journal.entries()] == [{"journal": 1}]
    assert opened_elsewhere(path) == "taken"
    journal.close(remove=False)
    assert opened_elsewhere(path) == ""


def test_a_name_that_is_no_text_is_kept_as_it_is(tmp_path: Path) -> None:
    journal = Journal.open(str(tmp_path / "journal"))
    entry: dict[str, object] = {"path": os.fsdecode(b"gr\xfc.ndjson"), "letters": ["grüße"]}
    journal.append(entry)
    assert [one for one, _ in journal.entries()] == [entry]
    journal.close(remove=True)


@pytest.mark.slow
def test_files_whose_names_are_no_text_are_read_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source, sink = os.fsdecode(b"gr\xfc.ndjson"), os.fsdecode(b"\xfc.ndjson")
    fails = "if record['n'] == 1:\n    raise ValueError(1)\nreturn record"
    pipeline(tmp_path, plugins={"fails.py": processor(fails)}, source=b"")
    Path(source).write_bytes(ndjson({"n": 0}, {"n": 1}, b"broken"))
    words = ["run", "--use", "fails", source, "-o", sink, "--max-errors", "none", "--report", "report.html"]
    assert main(words) == 1
    assert Path(sink).read_bytes() == ndjson({"n": 0}).replace(b" ", b"")
    letters = [json.loads(line) for line in Path(os.fsdecode(b"\xfc.errors.ndjson")).read_bytes().splitlines()]
    assert [letter["position"]["line"] for letter in letters] == [2, 3]
    assert main(["run", "--retry", os.fsdecode(b"\xfc.errors.ndjson"), *words[1:6]]) == 1
    assert len(Path(os.fsdecode(b"\xfc.retried.errors.ndjson")).read_bytes().splitlines()) == 2
