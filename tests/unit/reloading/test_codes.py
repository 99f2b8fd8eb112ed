"""Two compiled versions of a module to what became of it."""

import sys
from types import CodeType

import pytest

from plugline.reloading.codes import Comparison, compare, words_in

_TEXT = """
import os
import shared
from shared import first

LIMIT = {limit}


class Base:
    size = 3


class Tool(Base{more}):
    limit = {inside}

    def run(self, record, again={default}):
        return record, {body}


def step(record, limit=7):
    return first(record, limit)

{end}
"""
_PLAIN = {"limit": "1", "more": "", "inside": "2", "default": "3", "body": "4", "end": ""}


def _code(**edited: str) -> CodeType:
    return compile(_TEXT.format(**{**_PLAIN, **edited}), "x.py", "exec", dont_inherit=True)


def _compared(**edited: str) -> Comparison:
    return compare(_code(), _code(**edited))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a: int", "a: str"),
        ("a: int", "a: int\n    b: int"),
        ("a: int", "pass"),
        ("x: int", "x: str"),
        ("-> int", "-> str"),
    ],
)
def test_an_annotation_is_part_of_what_defines_a_class(old: str, new: str) -> None:
    text = "class Point:\n    a: int\n    def move(self, x: int) -> int:\n        return x\n"
    one, other = (compile(one, "x.py", "exec", dont_inherit=True) for one in (text, text.replace(old, new, 1)))
    found = compare(one, other)
    assert not found.bodies_only
    assert not found.same_classes


def test_an_annotation_of_a_function_is_no_part_of_its_body() -> None:
    one, other = (compile(f"def f(x: {kind}): pass\n", "x.py", "exec", dont_inherit=True) for kind in ("int", "str"))
    found = compare(one, other)
    assert not found.bodies_only
    assert "f" not in [before.co_name for before, _ in found.edited]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="a small number is no constant there, but another instruction")
@pytest.mark.parametrize("limit", ["2", "3", "7", "8", "'a'", "(1, 'first')", "1.5", "None"])
def test_a_constant_that_becomes_another_defines_no_class_anew(limit: str) -> None:
    found = _compared(limit=limit)  # those behind it may have other numbers now, and one more or one less may be left
    assert found.same_classes
    assert not found.bodies_only
    assert not found.edited
    assert len(found.pairs) == 2


@pytest.mark.parametrize(
    "edited", [{"more": ", metaclass=type"}, {"inside": "limit"}, {"end": "class Last: pass"}, {"end": "del Tool"}]
)
def test_a_class_that_is_defined_in_another_way_shows(edited: dict[str, str]) -> None:
    assert not _compared(**edited).same_classes


def test_constants_that_change_places_are_more_than_edited_bodies() -> None:
    before = compile("A = 1\nB = 2\ndef f(): pass\n", "x.py", "exec")
    after = compile("A = 2\nB = 1\ndef f(): pass\n", "x.py", "exec")
    assert not compare(before, after).bodies_only


@pytest.mark.parametrize(
    "edited",
    [
        {"limit": "2"},
        {"limit": "os"},
        {"limit": "os.sep"},
        {"limit": "(1, 'word')"},
        {"inside": "os.name"},
        {"default": "os.name"},
        {"body": "os.name"},
        {"body": "4, record.more"},
        {"body": "(lambda one: lambda: one)(2)"},
        {"more": ", shared.More"},
        {"end": "from shared import second"},
        {"end": "def last(): return shared.last"},
        {"end": "f = lambda: shared.last"},
    ],
)
def test_words_are_held_to_be_the_same_only_where_they_are(edited: dict[str, str]) -> None:
    before, after = _code(), _code(**edited)
    for one, other in ((before, after), (after, before)):
        assert not compare(one, other).same_words or words_in(one) == words_in(other)


def test_words_of_a_version_with_another_constant_need_not_be_looked_for() -> None:
    assert _compared(limit="5").same_words
