"""What commands print with ``--json`` is what docs/_static/output.schema.json says."""

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from plugline.cli import main
from plugline.cli.app import COMMANDS
from tests.builders import ndjson, pipeline, processor

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/_static/output.schema.json").read_text(encoding="utf-8"))
DOCTEST = processor(top='"""One.\n\n>>> 1\n2\n"""')
USES = {
    "run": [
        ["run"],
        ["run", "--profile"],
        ["run", "--resume"],
        ["run", "--max-errors", "0"],
        ["run", "--engine", "absent"],
    ],
    "preview": [["preview"], ["preview", "--limit", "1"], ["preview", "--from", "absent"]],
    "test": [["test"], ["test", "plugins"], ["test", "absent.toml"]],
    "dev": [["dev", "--times", "1", "plugins", "in.ndjson"]],
    "check": [["check"], ["check", "--load"], ["check", "absent.py"]],
    "list": [["list"], ["list", "--timings"], ["list", "absent"]],
    "info": [["info", "work"], ["info", "csv"], ["info", "plugins/broken.py"]],
    "new": [["new", "fresh"]],
    "explain": [["explain"], ["explain", "C101"]],
    "config": [["config", "show"], ["config", "show", "absent.toml"]],
    "disable": [["disable", "work"], ["disable", "absent"]],
    "enable": [["enable", "work"], ["enable", "absent"]],
    "trust": [["trust", "--diff"], ["trust"]],
    "bisect": [
        ["bisect", "--", sys.executable, "-c", "exit(1)"],
        ["bisect", "--", "sh", "-c", "exit ${#PLUGLINE_ONLY}"],
    ],
    "completion": [["completion", "zsh"]],
    "sync": [["sync", "plugins"], ["sync", "--offline", "plugins/needs.py"]],
    "doctor": [["doctor"], ["doctor", "plugins/work.py"]],
}


def schema_of(command: str) -> dict[str, object]:
    return {**SCHEMA, "$ref": f"#/$defs/commands/{command}"}


def without_other_keys(schema: Any) -> Any:
    """Return a schema that refuses keys which it does not describe: the published one lets later versions add some."""
    if isinstance(schema, list):
        return [without_other_keys(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: without_other_keys(part) for key, part in schema.items()}
    return {"additionalProperties": False, **closed} if isinstance(schema.get("properties"), dict) else closed


@pytest.mark.slow
@pytest.mark.parametrize("command", USES)
def test_what_a_command_prints_is_what_its_schema_says(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    body = "if record['n'] == 1:\n    raise ValueError(1)\nif record['n'] == 2:\n    return None\nreturn [record, {**record, 'm': 1}]"
    pipeline(
        tmp_path,
        plugins={
            "work.py": processor(body),
            "doctest.py": DOCTEST,
            "broken.py": "def transform(: pass",
            "needs.py": '# /// script\n# dependencies = ["a-library-that-nobody-made"]\n# ///\n' + processor(),
        },
        source=ndjson({"n": 1}, {"n": 2}, {"n": 3}, b"broken"),
        steps=["work"],
        run="[[tests]]\ninput = { n = 1 }\noutput = []\n[[tests]]\ninput = { n = 3 }\noutput = { n = 3, m = 2 }\n",
    )
    validator = jsonschema_rs.validator_for(without_other_keys(schema_of(command)))
    for words in USES[command]:
        at = words.index("--") if "--" in words else len(words)
        assert main([*words[:at], "--json", *words[at:]]) in (0, 1, 2, 4), words
        shown = capsys.readouterr()
        data = json.loads(shown.out or shown.err)
        assert data["version"] == 1
        assert [error.message for error in validator.iter_errors(data)] == [], words


def test_every_command_has_its_schema() -> None:
    assert set(SCHEMA["$defs"]["commands"]) - {"$comment"} == set(COMMANDS) == set(USES)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_json_and_an_example_in_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([command], [command, "show"]) if command == "config" else ([command],):
        assert main([*words, "--help"]) == 0
        said = capsys.readouterr().out
        assert words == ["config"] or "--json" in said, words
        assert f"  plugline {' '.join(words)}" in said.partition("Options:")[0], words


def test_the_schema_itself_is_one() -> None:
    for command in USES:
        jsonschema_rs.meta.validate(schema_of(command))
