import json
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from plugline.cli import main
from plugline.errors import ConfigurationError
from plugline.pipeline.config import read_config
from plugline.pipeline.schema import pipeline_schema

ROOT = Path(__file__).parents[3]
SMALL = '[source]\npath = "a.ndjson"\n[sink]\npath = "b.csv"\n'
GOOD = {
    "small": SMALL,
    "a count": SMALL + "[run]\nmax_errors = 3\n",
    "a variable": SMALL + '[run]\nmax_errors = "${LIMIT}"\n[env]\nLIMIT = 3\n',
    "a number of processes": SMALL + "[run]\nprocesses = 2\n",
    "a number of processes in digits": SMALL + '[run]\nprocesses = "2"\n',
    "processes as there are processors": SMALL + '[run]\nprocesses = "auto"\n',
    "a variable for processes": SMALL + '[run]\nprocesses = "${N}"\n[env]\nN = 3\n',
    "a variable for a choice": SMALL + '[[steps]]\nuse = "x"\non_error = "${E}"\n[env]\nE = "drop"\n',
    "names of variables": 'env = ["A"]\n' + SMALL,
    "a declared variable": SMALL + '[env]\nA = { default = true, type = "boolean" }\n',
    "tests": SMALL
    + '[[tests]]\ninput = {}\noutput = []\n[[tests]]\ninput = "{}"\nfailure = { step = "x", record = 1 }\n',
    "steps": SMALL + '[[steps]]\nuse = "x"\non_error = "pass"\nwith = { anything = [1] }\n',
}
BAD = {
    "no sink": '[source]\npath = "a"\n',
    "an unknown key": SMALL + "[rnu]\n",
    "an unknown key of a step": SMALL + '[[steps]]\nuse = "x"\nwiht = {}\n',
    "a wrong type": "[source]\npath = 3\n[sink]\npath = 'b'\n",
    "a wrong choice": SMALL + '[[steps]]\nuse = "x"\non_error = "pas"\n',
    "no process": SMALL + "[run]\nprocesses = 0\n",
    "processes by a word": SMALL + '[run]\nprocesses = "all"\n',
    "a wrong limit": SMALL + '[run]\nmax_errors = "lots"\n',
    "a step that is no table": 'steps = ["x"]\n' + SMALL,
    "more than all": SMALL + '[run]\nmax_errors = "101%"\n',
    "records of a few bytes": SMALL + "[run]\nmax_record_bytes = 1048575\n",
    "splits of a few bytes": SMALL + "[run]\nsplit_bytes = 1023\n",
    "no name of a processor": SMALL + '[[steps]]\nuse = ""\n',
    "no name of a file": '[source]\npath = ""\n[sink]\npath = "b.csv"\n',
    "a test that expects nothing": SMALL + "[[tests]]\ninput = { a = 1 }\n",
}


def is_valid(text: str) -> bool:
    return jsonschema_rs.is_valid(pipeline_schema(), json.loads(json.dumps(tomllib.loads(text), default=str)))


@pytest.mark.parametrize("reason", GOOD)
def test_what_is_right_is_valid(reason: str) -> None:
    read_config(GOOD[reason], "p.toml", environment={})
    assert is_valid(GOOD[reason])


@pytest.mark.parametrize("reason", BAD)
def test_what_is_wrong_is_not_valid(reason: str) -> None:
    with pytest.raises(ConfigurationError):
        read_config(BAD[reason], "p.toml")
    assert not is_valid(BAD[reason])


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").rglob("pipeline.toml")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_examples_are_valid(path: Path) -> None:
    assert is_valid(path.read_text(encoding="utf-8"))


def test_the_schema_itself_is_one() -> None:
    jsonschema_rs.meta.validate(pipeline_schema())


def test_every_key_is_described() -> None:
    def without(schema: object, path: str) -> list[str]:
        found: list[str] = []
        if isinstance(schema, dict):
            for key, value in schema.get("properties", {}).items():
                if "description" not in value:
                    found.append(f"{path}.{key}")
                found += without(value, f"{path}.{key}")
            for one in (schema.get("items"), schema.get("additionalProperties"), *schema.get("anyOf", [])):
                found += without(one, path)
        return found

    assert without(pipeline_schema(), "") == []


def test_the_published_schema_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    published = ROOT / "docs" / "_static" / "pipeline.schema.json"
    assert published.read_text(encoding="utf-8") == capsys.readouterr().out, (
        "plugline config schema > docs/_static/pipeline.schema.json"
    )
