"""The journal of a run: what is in it, and who holds it."""

import subprocess
import sys
from pathlib import Path

import pytest

from plugline.pipeline.journal import Journal

OPEN = """
import sys
from plugline.pipeline.journal import Journal, JournalTaken
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
