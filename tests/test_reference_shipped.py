"""The reference has a line for every format and processor that is shipped, and for each of their settings."""

import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from plugline.contract.fields import setting_name

ROOT = Path(__file__).parents[1]


def shipped(kind: str) -> list[str]:
    return sorted(file.stem for file in (ROOT / "src" / "plugline" / kind).glob("[!_]*.py"))


SHIPPED = [(kind, name) for kind in ("formats", "processors") for name in shipped(kind)]


def sections(kind: str) -> dict[str, str]:
    _, *parts = (ROOT / "docs" / "reference" / f"{kind}.md").read_text(encoding="utf-8").split("\n## ")
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_every_setting_of_a_shipped_plugin_has_its_line_in_order(kind: str, name: str) -> None:
    module = import_module(f"plugline.{kind}.{name}")
    (settings_class,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and value.__name__.lower() == name
    )
    documented = re.findall(r"^\| `([^`]+)`", sections(kind)[name], re.MULTILINE)
    assert documented == [setting_name(field.name) for field in fields(settings_class)]


@pytest.mark.parametrize("kind", ["formats", "processors"])
def test_every_shipped_plugin_has_its_section_and_its_line_in_the_table(kind: str) -> None:
    assert sorted(sections(kind)) == shipped(kind)
    before = (ROOT / "docs" / "reference" / f"{kind}.md").read_text(encoding="utf-8").split("\n## ")[0]
    table = next(block for block in before.split("\n\n") if block.startswith("| "))
    named = re.findall(r"^\| \[?`?(\w+)`?(?:\]\([^)]*\))? \|", table, re.MULTILINE)
    assert sorted(named) == sorted([*shipped(kind), kind.removesuffix("s")])
