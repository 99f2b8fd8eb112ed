import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import ModuleType
from typing import Protocol

import pytest

from plugline.contract.interface import interfaces_of
from plugline.findings import Finding, Place
from plugline.loading.binding import ask_available, find_target
from plugline.loading.target import Declined, Target


class Processor(Protocol):
    def transform(self, record: object) -> object: ...
    def describe(self) -> str: ...


class Callback(Protocol):
    def __call__(self, record: object) -> object: ...


class Base(ABC):
    @abstractmethod
    def run(self, job: object) -> object: ...


class Other(ABC):
    @abstractmethod
    def walk(self) -> object: ...
    @abstractmethod
    def stop(self) -> object: ...


METHODS = "    def transform(self, record): ...\n    def describe(self): return ''\n"


def module(text: str, **names: object) -> ModuleType:
    made = ModuleType("plugins.a")
    vars(made).update(names)
    exec(text, made.__dict__)  # noqa: S102 - a plugin's source
    return made


def bind(value: object, declared: object = Processor, defined: frozenset[str] | None = frozenset()) -> object:
    found = find_target(value, interfaces_of(declared), Place("a.py"), defined=defined)
    return found.value if isinstance(found, Target) else [f"{one.code} {one.message}" for one in found]


def test_a_module_with_the_functions_is_the_plugin_itself() -> None:
    made = module("def transform(record): ...\ndef describe(): ...\n")
    assert bind(made) is made


@pytest.mark.parametrize(
    "text",
    [
        f"class Shout:\n{METHODS}",
        f"class Mixin:\n{METHODS}class Shout(Mixin): ...\nMixin.__name__ = 'hidden'\n",
        f"import dataclasses\n@dataclasses.dataclass(slots=True)\nclass Shout:\n    x: int = 3\n{METHODS}",
        "class Shout:\n    @staticmethod\n    def transform(record): ...\n    @classmethod\n    def describe(cls): ...\n",
        f"class Shout:\n{METHODS}class _Helper(Shout): ...\n",
        f"class Whisper:\n{METHODS}class Shout(Whisper): ...\n__all__ = ['Shout']\n",
        "class Call:\n    def __call__(self, record): ...\nclass Shout:\n    transform = Call()\n    def describe(self): ...\n",
    ],
)
def test_the_one_class_that_fits_is_the_plugin(text: str) -> None:
    made = module(text)
    assert bind(made) is made.Shout


def test_a_method_inherited_from_an_imported_base_counts() -> None:
    imported = type("Imported", (), {"describe": lambda self: "", "__module__": "elsewhere"})
    made = module("class Shout(Imported):\n    def transform(self, record): ...\n", Imported=imported)
    assert bind(made) is made.Shout


def test_a_class_that_is_only_imported_does_not_count() -> None:
    made = module("", Imported=type("Imported", (), {"transform": print, "describe": print, "__module__": "elsewhere"}))
    assert bind(made) == ["P201 missing functions ['transform', 'describe']"]


def test_two_classes_that_fit_are_a_finding_that_says_how_to_choose() -> None:
    made = module(f"class A:\n{METHODS}class B:\n{METHODS}")
    assert bind(made) == ["P205 2 classes fit: A, B; one was expected"]


class Picture(Protocol):
    format: str
    summary: str


SETS = "class Mine:\n    def __init__(self):\n        self.format = ''\n        self.more()\n    def more(self): self.summary = ''\n"


@pytest.mark.parametrize(
    "text", ["class Mine:\n    format = summary = ''\n", "class Mine:\n    format: str\n    summary: str\n", SETS]
)
def test_a_class_that_has_or_sets_the_attributes_goes_before_those_that_might_set_anything(text: str) -> None:
    beside = "import enum\nclass Kind(enum.Enum):\n    A = 1\nclass Helper:\n    def __init__(self): self.x = 1\n"
    made = module(beside + text)
    assert bind(made, Picture) is made.Mine


def test_a_class_may_have_its_attributes_set_in_ways_that_cannot_be_seen() -> None:
    made = module("class Mine:\n    def __init__(self, **given): vars(self).update(given)\n")
    assert bind(made, Picture) is made.Mine


@pytest.mark.parametrize("base", ["enum.Enum", "Exception", "dict", "typing.TypedDict"])
def test_enumerations_exceptions_and_dicts_set_no_attributes(base: str) -> None:
    made = module(f"import enum, typing\nclass Kind({base}): ...\n")
    assert bind(made, Picture) == ["P201 missing attributes ['format', 'summary']"]


@pytest.mark.parametrize(
    ("methods", "messages"),
    [
        (
            "def transform(): ...\n    def describe(self): ...",
            ["P203 Shout.transform takes 0 arguments, the host gives 1"],
        ),
        (
            "def transform(self, record): ...\n    def describe(): ...",
            ["P203 Shout.describe lacks self, which each call gives"],
        ),
        (
            "def transform(self, a, b): ...\n    def describe(self, x): ...",
            [
                "P203 Shout.transform needs 2 arguments, the host gives 1 (nothing for b)",
                "P203 Shout.describe needs 1 argument, the host gives 0 (nothing for x)",
            ],
        ),
        ("transform = 3\n    def describe(self): ...", ["P202 'Shout.transform' is int 3, a function was expected"]),
        (
            "@staticmethod\n    def transform(a, b): ...\n    def describe(self): ...",
            ["P203 Shout.transform needs 2 arguments, the host gives 1 (nothing for b)"],
        ),
    ],
)
def test_the_methods_of_a_class_are_held_against_the_interface(methods: str, messages: list[str]) -> None:
    assert bind(module(f"class Shout:\n    {methods}\n")) == messages


def test_a_method_of_the_wrong_shape_is_placed_at_its_line() -> None:
    found = find_target(
        module("\nclass Shout:\n    def transform(self): ...\n    def describe(self): ...\n"),
        interfaces_of(Processor),
        Place("a.py"),
        defined=frozenset(),
    )
    assert isinstance(found, tuple)
    assert str(found[0].place) == "a.py:3"


def test_what_only_the_loaded_module_shows_is_found() -> None:
    made = module("def make(): return 3\ntransform = make()\ndef describe(x): ...\n")
    assert bind(made) == [
        "P202 'transform' is int 3, a function was expected",
        "P203 describe needs 1 argument, the host gives 0 (nothing for x)",
    ]


class Command:
    pass


class Named(Protocol):
    command: Command
    later: "Command"
    named: "NotThere"  # type: ignore[name-defined]  # noqa: F821
    kind: type
    made: Callable[[], Command]
    tags: list[str]


NAMED = "command = later = Command()\nkind = Command\nmade = lambda: 3\nnamed = Command\ntags = ()\n"


def test_a_class_or_a_function_in_the_place_of_an_instance_is_told() -> None:
    made = module(NAMED, Command=Command)
    assert bind(made, Named) is made
    given = module(NAMED + "command = Command\ndef later():\n    pass\n", Command=Command)
    assert bind(given, Named) == [
        "P202 'command' is the class Command, an instance of Command was expected",
        "P202 'later' is the function later, an instance of Command was expected",
    ]
    stands_in = module(NAMED + "command = 'to be made later'\nlater = None\n", Command=Command)
    assert bind(stands_in, Named) is stands_in


def test_a_function_from_elsewhere_is_not_the_plugins_own_unless_its_source_binds_it() -> None:
    text = "from posixpath import normpath as transform\ndef describe(): ...\n"
    assert bind(module(text)) == ["P201 missing functions ['transform']"]
    made = module(text)
    assert bind(made, defined=frozenset({"transform"})) is made
    assert bind(made, defined=None) is made


def test_a_function_from_a_neighbour_is_the_plugins_own() -> None:
    def transform(record: object) -> object:
        return record

    transform.__module__ = "plugins._shared"
    made = module("def describe(): ...\n", transform=transform)
    assert bind(made) is made


def test_what_has_no_home_is_the_plugins_own() -> None:
    made = module("def describe(): ...\n", transform=functools.partial(print, "x"))
    assert bind(made) is made


def test_a_base_class_is_provided_by_a_concrete_class_of_the_file() -> None:
    made = module("class Mine(Base):\n    def run(self, job): ...\n", Base=Base)
    assert bind(made, Base) is made.Mine
    assert bind(module("", Base=Base), Base) == ["P201 defines no class that derives from Base"]


def test_a_class_that_left_something_abstract_is_told_what() -> None:
    assert bind(module("class Mine(Base): ...\n", Base=Base), Base) == ["P201 class Mine is missing methods ['run']"]


def test_a_registered_class_derives_too() -> None:
    class Open(ABC): ...  # noqa: B024

    made = module("@Open.register\nclass Mine: ...\n", Open=Open)
    assert bind(made, Open) is made.Mine


def test_a_base_class_signature_is_checked_where_it_is_abstract() -> None:
    made = module("class Mine(Base):\n    def run(self): ...\n", Base=Base)
    assert bind(made, Base) == ["P203 Mine.run takes 0 arguments, the host gives 1"]


def test_the_first_of_several_ways_that_fits_is_taken() -> None:
    made = module(f"class Mine(Base):\n    def run(self, job): ...\n{METHODS}", Base=Base)
    found = find_target(made, interfaces_of((Base, Processor)), Place("a.py"), defined=frozenset())
    assert isinstance(found, Target)
    assert found.interface.base is Base


def test_of_several_ways_that_do_not_fit_the_nearest_is_told() -> None:
    assert bind(module("def transform(record): ...\n"), (Other, Processor)) == ["P201 missing functions ['describe']"]


def test_an_object_in_a_module_may_be_the_plugin() -> None:
    class Shout:
        def transform(self, record: object) -> object: ...
        def describe(self) -> object: ...

    assert bind(Shout) is Shout
    shout = Shout()
    assert bind(shout) is shout


def test_a_class_that_is_named_itself_is_the_plugin_where_nothing_is_asked_for() -> None:
    class Anything:
        pass

    assert bind(Anything, None) is Anything
    made = module("class A: ...\n")
    assert bind(made, None) is made


def test_a_class_is_called_only_where_it_says_how() -> None:
    assert bind(module("class A: ...\n"), Callback) == ["P201 missing functions ['__call__']"]
    made = module("class A:\n    def __call__(self, record): ...\n")
    assert bind(made, Callback) is made.A


def test_a_module_is_never_called_whatever_it_defines() -> None:
    made = module("def __call__(record): ...\n")
    assert bind(made, Callback) == ["P201 missing functions ['__call__']"]
    assert bind(made, Callback, frozenset({"__call__"})) == ["P201 missing functions ['__call__']"]
    assert bind(made, ["__call__"]) is made


def test_a_proxy_that_raises_when_it_is_looked_at_is_no_class() -> None:
    class Proxy:
        @property  # type: ignore[misc]
        def __class__(self) -> type:
            message = "working outside of request context"
            raise RuntimeError(message)

    made = module("def transform(record): ...\ndef describe(): ...\n", request=Proxy())
    assert bind(made) is made
    assert bind(module("", request=Proxy())) == ["P201 missing functions ['transform', 'describe']"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("True", None),
        ("None", None),
        ("False", Declined("its available() returned False")),
        ("0", Declined("its available() returned False")),
        ("[]", Declined("its available() returned False")),
        ("1", None),
        ("'no display'", Declined("no display")),
        ("''", Declined("its available() returned an empty text")),
    ],
)
def test_a_plugin_says_itself_whether_it_applies(answer: str, expected: object) -> None:
    assert ask_available(module(f"def available(): return {answer}\n"), "a.py", Place("a.py")) == expected


@pytest.mark.parametrize("body", ["1 / 0", "raise SystemExit(3)", "return E()"])
def test_an_answer_that_raises_is_a_finding(body: str) -> None:
    evil = "class E(str):\n    def __str__(self): raise ValueError('x')\n"
    found = ask_available(module(f"{evil}def available(): {body}\n"), "a.py", Place("a.py"))
    assert isinstance(found, Finding)
    assert found.code == "P305"


def test_an_error_that_says_nothing_is_told_by_its_name() -> None:
    found = ask_available(module("def available(): raise NotImplementedError\n"), "a.py", Place("a.py"))
    assert isinstance(found, Finding)
    assert found.message == "available() raised NotImplementedError"


@pytest.mark.parametrize("body", ["async def available(): return 'no'", "def available(): yield 'no'"])
def test_what_would_answer_later_is_another_function(body: str) -> None:
    assert ask_available(module(f"{body}\n"), "a.py", Place("a.py")) is None


def test_a_module_without_a_say_applies() -> None:
    assert ask_available(module("available = 3\n"), "a.py", Place("a.py")) is None
    assert ask_available(module("class available: ...\n"), "a.py", Place("a.py")) is None
