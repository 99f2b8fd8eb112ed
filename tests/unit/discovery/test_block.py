import codecs

import pytest

from plugline.discovery.block import read_block
from plugline.files import SourceFile
from plugline.findings import Finding

BLOCK = '# /// script\n# dependencies = ["a>=3"]\n#\n# [tool.plugline]\n# name = "fuzzy"\n# ///\n'
CONTENT = {"dependencies": ["a>=3"], "tool": {"plugline": {"name": "fuzzy"}}}


def read(text: str | bytes) -> tuple[dict[str, object], int | None, tuple[Finding, ...]]:
    return read_block(SourceFile("a.py", text if isinstance(text, bytes) else text.encode()))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BLOCK, 1),
        ("#!/usr/bin/env python\n" + BLOCK + "x = 1\n", 2),
        (BLOCK.replace("\n", "\r\n"), 1),
        (codecs.BOM_UTF8 + BLOCK.encode(), 1),
        (BLOCK + "\nx = '\f'\n", 1),
    ],
)
def test_a_block_is_read_wherever_it_stands(text: str | bytes, line: int) -> None:
    assert read(text) == (CONTENT, line, ())


def test_a_module_without_a_block_has_an_empty_one() -> None:
    assert read("x = 1\n") == ({}, None, ())
    assert read("x = '# /// script'\n") == ({}, None, ())


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (BLOCK + "\n" + BLOCK, "a.py:8", "has two 'script' blocks"),
        ("# /// script\n# a = 1\n", "a.py:1", "is not closed"),
        ("# /// script\n#a = 1\n# ///\n", "a.py:2", "does not begin with '# '"),
        ("x = 1\n# /// script\n# a = [b\n# ///\n", "a.py:3", "is not valid TOML"),
        ("# /// script\n# a = " + "[" * 5000 + "\n# ///\n", "a.py:1", "is nested too deeply"),
        ('"""d"""\n# /// script\n# a = 1\n# x = [\n#   1,\n# ///\n', "a.py:5", "Invalid value"),
    ],
)
def test_a_block_that_cannot_be_read_is_a_finding(text: str, place: str, message: str) -> None:
    content, _, (found,) = read(text)
    assert content == {}
    assert (found.code, str(found.place)) == ("P109", place)
    assert message in found.message


def test_lines_are_counted_as_python_counts_them() -> None:
    _, line, _ = read("x = '\\\f\x1c'\n" + BLOCK)
    assert line == 2
