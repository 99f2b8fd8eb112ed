from abc import ABC, abstractmethod
from typing import Protocol

import pytest

from plugline.contract.interface import interfaces_of
from plugline.discovery.fit import source_findings
from plugline.discovery.source import parse_source, read_facts
from plugline.files import SourceFile
from plugline.findings import Finding


class Processor(Protocol):
    def transform(self, record: object) -> object: ...
    def describe(self) -> str: ...


class Named(Protocol):
    name: str

    def transform(self, record: object) -> object: ...


class Callback(Protocol):
    def __call__(self, record: object) -> object: ...


class Base(ABC):
    @abstractmethod
    def run(self, job: object) -> object: ...


class Format(Protocol):
    def reader(self) -> object: ...
    def writer(self) -> object: ...
    def suffix(self) -> str: ...


TRANSFORM = "def transform(record): ...\n"
DESCRIBE = "def describe(): ...\n"


def findings(text: str, declared: object = Processor, path: str = "a.py", *, own_only: bool = True) -> list[Finding]:
    source = SourceFile(path, text.encode())
    tree = parse_source(source)
    assert not isinstance(tree, Finding)
    return list(source_findings(interfaces_of(declared), read_facts(source, tree)[0], path, own_only=own_only))


A, B = (f"class {name}:\n    def transform(self, record): ...\n    def describe(self): ...\n" for name in "AB")


@pytest.mark.parametrize(
    "text",
    [
        A + B,
        f"__all__ = ['B']\n{A}{B}",
        f"__all__ = []\n{A}{B}",  # a decorator may fill it
        f"__all__ = names()\n{A}{B}",
        A + B.replace("class B", "class _B"),
        A.replace("A:", "A(ABC):") + B,  # it may be abstract
        f"@shown\n{A}{B}",
        A + B + TRANSFORM + DESCRIBE,
        f"{A}if Unknown:\n    from other import *\n{B}",
    ],
)
def test_of_two_classes_that_fit_or_may_nothing_is_wrong(text: str) -> None:
    assert findings(text) == []


def test_a_module_cannot_be_called_so_a_class_is_asked_for() -> None:
    [finding] = findings("def __call__(record): ...\n", Callback)
    assert (finding.message, finding.hint) == ("missing functions ['__call__']", "make it a class with that method")
    assert not findings("class A:\n    def __call__(self, record): ...\n", Callback)


def messages(text: str, declared: object = Processor) -> list[str]:
    return [f"{finding.code} {finding.message}" for finding in findings(text, declared)]


@pytest.mark.parametrize(
    "text",
    [
        TRANSFORM + DESCRIBE,
        "class A:\n    def transform(self, record): ...\n    def describe(self): ...\n",
        "class A:\n    @staticmethod\n    def transform(record): ...\n    @classmethod\n    def describe(cls): ...\n",
        "class A(Unknown):\n    def transform(self, record): ...\n",
        "class A(Unknown): ...\n",
        "@plugin\nclass A: ...\n",
        "class A(metaclass=M): ...\n",
        "class A:\n    def transform(self, record): ...\n    describe = other\n",
        "class A:\n    def __getattr__(self, name): ...\n",
        "from x import *\n",
        "import sys\nsys.modules[__name__] = object()\n",
        "globals().update(a)\n",
        "from ._shared import transform, describe\n",
        "transform = describe = make()\n",
        "try:\n    from fast import transform\nexcept ImportError:\n    def transform(record): ...\n" + DESCRIBE,
        "def transform(record, table): ...\ntransform = partial(transform, table=1)\n" + DESCRIBE,
        "@hook\ndef transform(a, b, c): ...\n" + DESCRIBE,
        TRANSFORM + "def describe(language='en'): ...\n",
        "def transform(*args): ...\ndef describe(**kwargs): ...\n",
    ],
)
def test_nothing_is_held_against_what_may_fit(text: str) -> None:
    assert messages(text) == []


def test_a_package_may_take_its_class_from_its_own_modules() -> None:
    assert findings("from .impl import Shout\n", path="score/__init__.py") == []
    assert findings("from .impl import Shout\n", path="score.py") != []


def test_the_tutorials_bad_plugin_lacks_both_functions_in_one_finding() -> None:
    (found,) = findings("VERSION = '1.0'\n# no transform(), no describe()\n", ["transform", "describe"])
    assert (found.code, found.message) == ("P201", "missing functions ['transform', 'describe']")
    assert found.hint == "define transform() and describe()"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TRANSFORM, ["P201 missing functions ['describe']"]),
        (
            "def transform(): ...\n",
            [
                "P201 missing functions ['describe']",
                "P203 transform takes 0 arguments, the host gives 1",
            ],
        ),
        ("transform = 3\n" + DESCRIBE, ["P202 'transform' is int 3, a function was expected"]),
        (
            "class A:\n    def transform(self): ...\n    def describe(self, x): ...\n",
            [
                "P203 A.transform takes 0 arguments, the host gives 1",
                "P203 A.describe needs 1 argument, the host gives 0 (nothing for x)",
            ],
        ),
        (
            "class A:\n    def transform(self, record): ...\n    def describe(): ...\n",
            ["P203 A.describe lacks self, which each call gives"],
        ),
        ("class A:\n    def transform(self, record): ...\n", ["P201 class A is missing methods ['describe']"]),
        (
            "from posixpath import normpath as transform\n" + DESCRIBE,
            ["P201 missing functions ['transform']"],
        ),
        ("class _A:\n    def transform(self, record): ...\n", ["P201 missing functions ['transform', 'describe']"]),
        (
            "__all__ = ['B']\nclass A:\n    def transform(self, r): ...\n    def describe(self): ...\nclass B: ...\n",
            ["P201 class A fits, and is not in __all__"],
        ),
    ],
)
def test_all_that_is_missing_or_wrong_is_told_at_once(text: str, expected: list[str]) -> None:
    assert messages(text) == expected


def test_a_function_of_the_wrong_shape_is_placed_at_its_def() -> None:
    (found,) = findings("\n\ndef transform(a, b): ...\n" + DESCRIBE)
    assert (found.code, str(found.place)) == ("P203", "a.py:3:1")
    assert found.hint == "define it as transform(record)"


def test_an_attribute_of_the_interface_is_called_one() -> None:
    assert messages("", Named) == ["P201 missing functions ['transform'] and attributes ['name']"]
    assert messages("name = 'x'\n" + TRANSFORM, Named) == []


def test_an_attribute_may_be_set_on_the_instance() -> None:
    text = "class A:\n    def __init__(self): self.name = 'a'\n    def transform(self, record): ...\n"
    assert messages(text, Named) == []
    assert messages("class A:\n    def transform(self, record): ...\n", Named) == [
        "P201 class A is missing attributes ['name']"
    ]


def test_a_base_class_needs_a_class_that_could_derive_from_it() -> None:
    assert messages("def run(job): ...\n", Base) == ["P201 defines no class that derives from Base"]
    assert messages("class A: ...\n", Base) == ["P201 defines no class that derives from Base"]
    assert messages("class A(Whatever): ...\n", Base) == []
    assert messages("@Base.register\nclass A: ...\n", Base) == []


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("", "missing functions ['transform', 'describe']"),
        (TRANSFORM, "missing functions ['describe']"),
        ("def reader(): ...\ndef writer(): ...\n", "missing functions ['suffix']"),
        ("class A:\n    def reader(self): ...\n    def writer(self): ...\n", "class A is missing methods ['suffix']"),
    ],
)
def test_of_several_ways_the_nearest_is_told_and_the_first_where_nothing_is_there(text: str, nearest: str) -> None:
    assert [finding.message for finding in findings(text, (Processor, Format, Base))] == [nearest]


def test_of_several_ways_one_that_fits_is_enough() -> None:
    assert messages("class A(Something): ...\n", (Format, Base)) == []


def test_in_an_installed_module_imported_names_count() -> None:
    assert findings("from os.path import normpath as transform\n" + DESCRIBE, own_only=False) == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("def transform(): ...\n" + DESCRIBE, "define it as transform(record)"),
        (
            "class A:\n    def transform(record): ...\n    def describe(self): ...\n",
            "define it as transform(self, record)",
        ),
        (
            "class A:\n    def transform(self, record): ...\n    def describe(self, x): ...\n",
            "define it as describe(self)",
        ),
        (TRANSFORM + "async " + DESCRIBE, "define it as describe(), without async"),
        (
            "def tranform(record): ...\n" + DESCRIBE,
            "did you mean transform by 'tranform' in line 1? else define transform(record)",
        ),
        (
            "class A:\n    def transform(self, record): ...\n    def descripe(self): ...\n",
            "did you mean describe by 'descripe' in line 3? else define describe",
        ),
        (
            "class A:\n    def trasnform(self, record): ...\n",
            "did you mean transform by 'trasnform' in line 2? else define transform(record) and describe()",
        ),
        ("def process(record): ...\n" + DESCRIBE, "define transform(record)"),
    ],
)
def test_the_hint_is_what_the_author_has_to_write(text: str, hint: str) -> None:
    (found,) = findings(text)
    assert found.hint == hint


WHOLE = "    def transform(self, record): ...\n    def describe(self): ...\n"


@pytest.mark.parametrize(
    ("text", "declared", "message", "hint"),
    [
        (f"__all__ = ['x']\nclass A:\n{WHOLE}", Processor, "class A fits, and is not in __all__", "add 'A' to it"),
        ("__all__ = ['x']\nclass A(Base): ...\n", Base, "class A fits, and is not in __all__", "add 'A' to it"),
        (
            f"class _A:\n{WHOLE}",
            Processor,
            "class _A fits, and begins with '_'",
            "call it 'A'",
        ),
    ],
)
def test_a_class_that_its_file_does_not_offer_is_named(text: str, declared: object, message: str, hint: str) -> None:
    found = findings(text, declared)
    assert [(one.code, one.message, one.hint) for one in found] == [("P201", message, hint)]
    assert found[0].place.line == text[: text.index("class")].count("\n") + 1


def test_a_function_that_is_there_is_told_before_a_class_that_is_not_offered() -> None:
    assert messages(f"{TRANSFORM}class _A:\n{WHOLE}") == ["P201 missing functions ['describe']"]


class Selfless(Protocol):
    def analyse(text): ...  # type: ignore[no-untyped-def]  # noqa: N805 - what it lacks is the point


@pytest.mark.parametrize("text", ["def analyse(text): ...\n", "class A:\n    def analyse(self, text): ...\n"])
def test_an_interface_that_lacks_self_is_told_to_be_at_fault(text: str) -> None:
    [found] = findings(text, Selfless)
    assert found.hint == ("analyse of the program's interface lacks self, for which 'text' is taken")
