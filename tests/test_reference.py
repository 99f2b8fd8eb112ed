"""The reference is complete: every public name, command, option, key, code and field has its line."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import click
import pytest

import plugline
from plugline.cli import main
from plugline.cli.app import COMMANDS, app
from plugline.cli.settings import OTHER_VARIABLES, SETTINGS
from plugline.codes import CODES
from plugline.contract.fields import setting_name
from plugline.formats.csv import Csv
from plugline.formats.json import Json
from plugline.formats.ndjson import Ndjson
from plugline.pipeline.config import (
    CaseConfig,
    FailureConfig,
    PipelineConfig,
    RunConfig,
    SandboxConfig,
    SinkConfig,
    SourceConfig,
    StepConfig,
)
from plugline.pipeline.variables import Variable
from tests.scenes import start, until

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
TABLES = {
    "": PipelineConfig,
    "source": SourceConfig,
    "steps": StepConfig,
    "sandbox": SandboxConfig,
    "sink": SinkConfig,
    "run": RunConfig,
    "env": Variable,
    "tests": CaseConfig,
    "failure": FailureConfig,
}
CODE = re.compile(r"""["']([PCRT]\d{3})["']""")


def section(page: str, heading: str) -> str:
    """Return what a page says under a heading of the second level; without one, what it says before the first."""
    before, *parts = (REFERENCE / page).read_text(encoding="utf-8").split("\n## ")
    return next(part.partition("\n")[2] for part in parts if part.startswith(f"{heading}\n")) if heading else before


def first_cells(text: str) -> list[str]:
    """Return the codes in the first cells of a table's rows, without brackets."""
    return [cell.strip("[]") for cell in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)]


@pytest.mark.parametrize("table", TABLES)
def test_every_key_of_a_pipeline_file_has_its_line_and_no_other(table: str) -> None:
    # The keys end where the values of one of them are told.
    documented = first_cells(section("pipeline-file.md", table).partition("`on_error` says")[0])
    assert sorted(documented) == sorted(
        setting_name(field.name) for field in fields(TABLES[table]) if not field.name.startswith("_")
    )


def test_every_setting_of_the_tool_has_its_line() -> None:
    documented = first_cells((REFERENCE / "configuration.md").read_text(encoding="utf-8"))
    assert documented == list(SETTINGS)


def test_every_variable_that_the_source_reads_is_known_to_config_show_and_has_its_line() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src" / "plugline").rglob("*.py"))
    read = set(re.findall(r'"(PLUGLINE_[A-Z_]+)"', source))
    assert read <= {*OTHER_VARIABLES, *(setting.variable for setting in SETTINGS.values())}, "see cli/settings.py"
    documented = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    assert [name for name in OTHER_VARIABLES if f"`{name}`" not in documented] == []


@pytest.mark.parametrize("format_class", [Csv, Json, Ndjson])
def test_every_setting_of_a_format_has_its_line(format_class: type) -> None:
    documented = first_cells(section("formats.md", format_class.__name__.lower()))
    assert documented == [field.name for field in fields(format_class)]


def command_of(name: str) -> click.Command:
    found = app.get_command(click.Context(app), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_has_its_line_and_no_other(name: str) -> None:
    text = section("commands.md", name)
    common = section("commands.md", "")
    options = [one for one in command_of(name).params if isinstance(one, click.Option)]
    known = {word for option in options for word in (*option.opts, *option.secondary_opts)}
    documented = set(re.findall(r"`(--?[\w-]+)", "".join(re.findall(r"^`-.*\n: ", text, re.MULTILINE))))
    assert documented <= known
    for word in known - documented:
        assert f"`{word}`" in common, f"{word} of {name} is not in docs/reference/commands.md"


def test_every_command_has_its_section_and_no_other() -> None:
    headings = re.findall(r"^## (.+)$", (REFERENCE / "commands.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_key_of_the_json_of_a_command_has_its_word(name: str) -> None:
    schema = json.loads((ROOT / "docs" / "_static" / "output.schema.json").read_text(encoding="utf-8"))
    text = section("commands.md", name)
    if name == "enable":  # as disable
        text += section("commands.md", "disable")
    printed = schema["$defs"]["commands"][name]
    keys = {key for one in printed.get("anyOf", [printed]) for key in one["properties"]} - {"version"}
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_every_extra_has_its_line() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    rows = re.findall(r"^\| (`.*?) \|", (REFERENCE / "installing.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(extras)


def test_every_code_that_is_used_is_explained() -> None:
    used = {
        code
        for file in (ROOT / "src" / "plugline").rglob("*.py")
        if file.name != "codes.py"
        for code in CODE.findall(file.read_text(encoding="utf-8"))
    }
    assert used <= CODES.keys()


def test_every_field_of_a_dead_letter_has_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plugins").mkdir()
    Path("plugins/number.py").write_text(
        "def transform(record):\n    return {'n': float(record['n'])}\n\ndef describe():\n    return 'number'\n",
        encoding="utf-8",
    )
    Path("in.ndjson").write_bytes(b'{"n": "one"}\n\xff\n')
    assert main(["run", "--use", "number", "in.ndjson", "-o", "out.ndjson", "-q"]) == 1
    text, _, _ = (REFERENCE / "dead-letters.md").read_text(encoding="utf-8").partition("## Types")
    # Which records that JSON has words for do not have; and only rows of a table.
    documented = {*first_cells(text)} - {"types", "columns"}
    met: set[str] = set()
    for line in Path("out.errors.ndjson").read_text(encoding="utf-8").splitlines():
        for key, value in json.loads(line).items():
            nested = isinstance(value, dict) and key != "record"
            met |= {f"{key}.{inner}" for inner in value} if nested else {key}
    assert met == documented


@pytest.mark.slow
def test_every_key_of_a_journal_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    waits = "import pathlib, time\n\ndef transform(record):\n    if record['n'] == 299_999:\n        pathlib.Path('begun').touch()\n"
    waits += "        time.sleep(60)\n    return record\n\ndef describe():\n    return 'waits'\n"
    (tmp_path / "plugins/waits.py").write_text(waits, encoding="utf-8")
    (tmp_path / "in.ndjson").write_bytes(b"".join(b'{"n":%d}\n' % number for number in range(300_000)))
    with start("run", "--use", "waits", "in.ndjson", "-o", "out.ndjson", folder=tmp_path) as process:
        try:
            until((tmp_path / "begun").exists, process)
            (journal,) = tmp_path.glob(".out.ndjson.*.journal")
            until(lambda: journal.read_bytes().count(b"\n") > 1, process)
            entries = [json.loads(line.partition(b" ")[2]) for line in journal.read_bytes().splitlines()]
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    documented = first_cells((REFERENCE / "journal.md").read_text(encoding="utf-8"))
    met = {key for entry in entries for key in entry}
    assert {"journal", "identity", "mark"} <= met <= set(documented)
    package = Path(plugline.__file__).parent / "pipeline"
    source = "".join((package / name).read_text(encoding="utf-8") for name in ("parts.py", "history.py"))
    assert [key for key in documented if f'"{key}"' not in source] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_documentation_builds_without_a_warning_and_has_every_public_name(tmp_path: Path) -> None:
    built = tmp_path / "built"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", str(ROOT / "docs"), str(built)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "sphinx.ext.intersphinx", str(built / "objects.inv")]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    documented = set(re.findall(r"^    (plugline\.\S+)", listed, re.MULTILINE))
    assert {f"plugline.{name}" for name in plugline.__all__} <= documented
    findings = (built / "reference" / "findings.html").read_text(encoding="utf-8")
    assert [code for code in CODES if f"<dt>{code}</dt>" not in findings] == []
