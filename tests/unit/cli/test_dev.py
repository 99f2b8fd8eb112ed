import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugline.cli import main
from tests.builders import ndjson, processor

UPPER = processor("return {**record, 'name': record['name'].upper()}")
PIPELINE = '[source]\npath = "other.ndjson"\n[[steps]]\nuse = "upper"\n[sink]\npath = "out.csv"\n'
PROGRAM = [sys.executable, "-m", "plugline", "dev"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/upper.py").write_text(UPPER, "utf-8")
    (tmp_path / "sample.ndjson").write_bytes(ndjson({"name": "ada"}, {"name": None}))
    return tmp_path


class Watcher:
    """A running ``plugline dev``, of which each answer is read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._decoder = json.JSONDecoder()
        self._text = ""

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                found, end = self._decoder.raw_decode(self._text)
            except ValueError:
                line = self.process.stdout.readline()
                assert line, "it ended"
                self._text += line
                continue
            self._text = self._text[end:].lstrip()
            assert isinstance(found, dict)
            return found
        raise AssertionError("it said nothing")


@pytest.fixture
def paths() -> list[str]:
    return ["plugins", "sample.ndjson"]


@pytest.fixture
def watcher(folder: Path, paths: list[str]) -> Iterator[Watcher]:
    command = [*PROGRAM, "--json", *paths]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield Watcher(process)
    finally:
        process.kill()
        process.communicate()


def save(path: str, text: str) -> None:
    """Save as editors do that write another file and move it into place."""
    Path(f"{path}~").write_text(text, "utf-8")
    Path(f"{path}~").replace(path)


@pytest.mark.slow
def test_each_save_is_checked_and_shown_and_the_last_good_version_stays(watcher: Watcher) -> None:
    first = watcher.answer()
    assert (first["saved"], first["findings"], first["last_good"]) == ([], [], False)
    assert [one["out"] for one in first["records"]] == [[{"name": "ADA"}], []]
    assert "AttributeError" in first["records"][1]["error"] or first["records"][1]["failed_at"] == "upper"

    save("plugins/upper.py", UPPER.replace("upper()", "title()"))
    second = watcher.answer()
    assert second["saved"] == ["plugins/upper.py"]
    assert second["records"][0]["out"] == [{"name": "Ada"}]

    save("plugins/upper.py", UPPER.replace("(record):", "(record)"))
    broken = watcher.answer()
    assert [one["code"] for one in broken["findings"]] == ["P106"]
    assert broken["last_good"] is True
    assert broken["records"][0]["out"] == [{"name": "Ada"}]

    save("plugins/upper.py", UPPER + "raise ValueError('while it is loaded')\n")
    raising = watcher.answer()
    assert [one["code"] for one in raising["findings"]] == ["P301"]
    assert raising["records"][0]["out"] == [{"name": "Ada"}]

    save("plugins/upper.py", UPPER)
    mended = watcher.answer()
    assert (mended["findings"], mended["last_good"]) == ([], False)
    assert mended["records"][0]["out"] == [{"name": "ADA"}]

    save("plugins/again.py", processor("return {**record, 'more': 1}"))
    assert watcher.answer()["records"][0]["out"] == [{"name": "ADA", "more": 1}]
    Path("plugins/again.py").unlink()
    assert watcher.answer()["records"][0]["out"] == [{"name": "ADA"}]
    save("sample.ndjson", ndjson({"name": "grace"}).decode())
    assert watcher.answer()["records"][0]["out"] == [{"name": "GRACE"}]


@pytest.mark.slow
@pytest.mark.parametrize("paths", [["pipeline.toml"]])
def test_the_input_of_a_pipeline_is_watched(watcher: Watcher) -> None:
    assert [one["code"] for one in watcher.answer()["findings"]] == ["C109"]
    save("pipeline.toml", PIPELINE)
    assert [one["code"] for one in watcher.answer()["findings"]] == ["C109"]
    save("other.ndjson", ndjson({"name": "grace"}).decode())
    assert watcher.answer()["records"][0]["out"] == [{"name": "GRACE"}]
    save("other.ndjson", ndjson({"name": "edsger"}).decode())
    assert watcher.answer()["records"][0]["out"] == [{"name": "EDSGER"}]
    Path("other.ndjson").unlink()
    gone = watcher.answer()
    assert ([one["code"] for one in gone["findings"]], gone["records"]) == (["C109"], [])


@pytest.mark.slow
def test_nothing_is_announced_where_the_sample_is_gone(folder: Path) -> None:
    (folder / "sample.ndjson").write_bytes(ndjson({"name": "ada"}))
    process = subprocess.Popen(
        [*PROGRAM, "plugins", "sample.ndjson", "--times", "2"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while not process.stdout.readline().startswith("1 record read"):
        assert process.poll() is None
    (folder / "sample.ndjson").unlink()
    said, _ = process.communicate(timeout=30)
    assert "C109" in said
    assert "stays in use" not in said


@pytest.mark.slow
def test_the_interrupt_of_its_user_ends_it_well(watcher: Watcher) -> None:
    watcher.answer()
    watcher.process.send_signal(signal.SIGINT)
    assert watcher.process.wait(30) == 0


@pytest.mark.slow
def test_a_plugin_that_does_not_come_to_its_end_is_named_and_ended_by_a_save(folder: Path) -> None:
    endless = "def transform(record):\n    for _ in iter(int, 1):\n        pass\ndef describe(): return ''\n"
    file = folder / "plugins/endless.py"
    file.write_text(endless, "utf-8")
    words = [*PROGRAM, "plugins", "sample.ndjson"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        said = process.stderr.readline()
        assert re.fullmatch(
            r"waiting for a plugin, at plugins/endless\.py:[23]; a save of it is tried at once, Ctrl-C ends this\n",
            said,
        )
        file.write_text(processor("return {'mended': 1}"), "utf-8")
        while not process.stdout.readline().startswith("  + mended"):
            assert process.poll() is None
        file.write_text(endless, "utf-8")
        assert "plugins/endless.py" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["dev", "--times", "1", *words]) == 0
    return capsys.readouterr().out


def test_for_people_it_shows_records_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "plugins", "sample.ndjson").splitlines()
    assert lines[0][8:] == " watching"
    assert lines[1:6] == [
        "record 1, sample.ndjson line 1",
        '    name  "ada"',
        "1. upper: 1 changed",
        '  ~ name  "ada" -> "ADA"',
        "output",
    ]
    assert lines[-1] == "2 records read, 1 would be written, 1 would be a dead letter"


def test_what_is_wrong_is_told_last_where_a_small_screen_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins/broken.py").write_text("def transform(record)\n", "utf-8")
    lines = shown(capsys, "plugins", "sample.ndjson").splitlines()
    assert lines[1] == "record 1, sample.ndjson line 1"
    assert lines[-4].startswith("error[P106] plugins/broken.py:1:22: ")
    assert lines[-1].startswith("  hint: ")


def test_without_a_sample_plugins_are_checked_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "plugins").splitlines()[1:] == ["no findings"]
    Path("plugins/upper.py").write_text("X = 1\n", "utf-8")
    assert "error[P201] plugins/upper.py" in shown(capsys, "plugins")


def test_a_pipeline_brings_its_sample_and_its_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pipeline.toml").write_text(
        '[source]\npath = "sample.ndjson"\n[[steps]]\nuse = "upper"\n[sink]\npath = "out.csv"\n', "utf-8"
    )
    assert '"ada" -> "ADA"' in shown(capsys)
    assert not Path("out.csv").exists()
    Path("pipeline.toml").write_text("[source]\n", "utf-8")
    assert "C102" in shown(capsys, "pipeline.toml")


@pytest.mark.parametrize(
    "words", [["absent.ndjson"], ["plugins", "sample.ndjson", "other.ndjson"], ["pipeline.toml", "--use", "upper"]]
)
def test_wrong_use_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dev", "--times", "1", *words]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.slow
def test_on_a_terminal_each_save_takes_the_place_of_what_was_shown(folder: Path) -> None:
    (folder / "plugins/upper.py").write_text(
        UPPER.replace("    return", "    print('seen by it')\n    return", 1), "utf-8"
    )
    controller, terminal = os.openpty()
    try:
        environment = {**os.environ, "TERM": "xterm", "NO_COLOR": ""}
        command = [*PROGRAM, "--times", "1", "plugins", "sample.ndjson"]
        subprocess.run(command, stdout=terminal, stderr=terminal, check=True, timeout=30, env=environment)
        text = os.read(controller, 65536).decode()
    finally:
        os.close(terminal)
        os.close(controller)
    assert text.startswith("\x1b[2J")
    assert "\x1b[33m  ~ name" in text
    assert "seen by it" in text.rpartition("\x1b[2J")[2]


TITLE = """
class Title:
    fields: list[str]

    def transform(self, record):
        return {**record, **{field: str(record[field]).title() for field in self.fields}}

    def describe(self):
        return "title: capitals"
"""


def test_a_processor_that_needs_settings_keeps_no_other_from_being_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins/title.py").write_text(TITLE, "utf-8")
    text = shown(capsys, "plugins", "sample.ndjson")
    assert '"ada" -> "ADA"' in text
    assert "title is left out, since it needs settings: --use title --with fields=..." in text
    words = ["plugins", "sample.ndjson", "--use", "title", "--with", 'fields=["name"]']
    assert '"ada" -> "Ada"' in shown(capsys, *words)


def test_of_a_plugin_file_only_that_plugin_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins/other.py").write_text(processor("return None"), "utf-8")
    text = shown(capsys, "plugins/upper.py", "sample.ndjson")
    assert '"ada" -> "ADA"' in text
    assert "other" not in text


def test_of_a_folder_beside_a_plugin_file_all_plugins_are_used(capsys: pytest.CaptureFixture[str]) -> None:
    Path("more").mkdir()
    Path("more/first.py").write_text(processor("return {**record, 'first': 1}"), "utf-8")
    Path("more/other.py").write_text(processor("return None"), "utf-8")
    Path("plugins/broken.py").write_text("(\n", "utf-8")
    text = shown(capsys, "more/first.py", "plugins", "sample.ndjson")
    assert '"ada" -> "ADA"' in text
    assert "+ first  1" in text
    assert "other" not in text
    assert "P106" in text


@pytest.mark.parametrize("inside", [False, True])
def test_a_package_is_shown_by_its_init(
    inside: bool,  # noqa: FBT001 - from where it is named
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = str(Path("sample.ndjson").absolute())
    Path("plugins/pack").mkdir()
    Path("plugins/pack/part.py").write_text("PART = 1\n", "utf-8")
    text = "from .part import PART\n" + processor("return {**record, 'part': PART}")
    Path("plugins/pack/__init__.py").write_text(text, "utf-8")
    if inside:
        monkeypatch.chdir("plugins/pack")
    told = shown(capsys, "__init__.py" if inside else "plugins/pack/__init__.py", sample)
    assert "+ part  1" in told
    assert "ADA" not in told


def test_what_is_not_there_is_told_before_what_is_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dev", "--times", "1", "plugins/absent.py", "sample.ndjson"]) == 2
    assert "'plugins/absent.py' is not there" in capsys.readouterr().err


def test_a_processor_that_nobody_knows_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'upper'?" in shown(capsys, "plugins", "sample.ndjson", "--use", "uper")


@pytest.mark.slow
def test_what_is_disabled_meanwhile_is_seen(watcher: Watcher) -> None:
    watcher.answer()
    assert main(["disable", "upper"]) == 0
    told = watcher.answer()
    assert (told["saved"], [one["code"] for one in told["findings"]]) == (["plugline.toml"], ["P116"])


def test_where_there_is_nothing_to_show_it_says_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "sample.ndjson").write_text("", "utf-8")
    assert shown(capsys, "plugins", "sample.ndjson").splitlines()[1:] == ["no findings; the sample has no records"]
    assert main(["disable", "upper"]) == 0
    capsys.readouterr()
    for path in ("plugins", "plugins/upper.py"):
        lines = shown(capsys, path, "sample.ndjson").splitlines()
        assert (lines[1], lines[-1]) == (
            "error[P116] plugline.toml:2: 'upper' is disabled",
            "  hint: plugline enable upper",
        )
    (folder / "plugins/lower.py").write_text(UPPER, "utf-8")
    assert "P116" not in shown(capsys, "plugins", "sample.ndjson")
