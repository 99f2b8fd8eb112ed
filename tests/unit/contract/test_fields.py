import ast
import dataclasses
import keyword
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Optional, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugline.contract.fields import ANY_KEY, Field, fields_of, fields_of_source

Run = Callable[[str], type]


def run_source(source: str) -> type:
    """Run a module and return its class ``It``."""
    module = types.ModuleType("plugline_test_fields")
    sys.modules[module.__name__] = module
    exec(source, vars(module))  # noqa: S102 - the tests' own text
    kind = vars(module)["It"]
    assert isinstance(kind, type)
    return kind


@pytest.fixture
def run() -> Iterator[Run]:
    """Run a module's source for as long as the test takes: annotations are resolved by way of ``sys.modules``."""
    yield run_source
    sys.modules.pop("plugline_test_fields", None)


def read(source: str) -> tuple[Field, ...] | None:
    module = ast.parse(source)
    [found] = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "It"]
    return fields_of_source(found, module)


HEADER = """\
import datetime
import typing
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, InitVar, KW_ONLY
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, Optional, Protocol, TypeVar, Union
T = TypeVar("T")
"""

VISIBLE = {
    "attributes": "class It:\n a: int\n b: str = 'x'\n c: list[str] = []\n d: float = -1.5\n",
    "dataclass": "@dataclass\nclass It:\n a: int\n b: list[int] = field(default_factory=list)\n c: str = field(default='x')\n",
    "called dataclass": "@dataclass(frozen=True, slots=True)\nclass It:\n a: int = 3\n",
    "keyword-only dataclass": "@dataclass\nclass It:\n a: int\n _: KW_ONLY\n b: str\n",
    "field that is not given": "@dataclass\nclass It:\n a: int\n b: int = field(init=False, default=3)\n",
    "default that must be run for": "import os\n@dataclass\nclass It:\n a: int = field(default_factory=os.getpid)\n",
    "InitVar": "@dataclass\nclass It:\n a: InitVar[int]\n b: str = ''\n",
    "no settings": "class It:\n x = 3\n def transform(self, record): return record\n",
    "class variables": "class It:\n a: ClassVar[int] = 3\n b: Final = 4\n c: 'ClassVar[str]'\n d: int\n",
    "private names": "class It:\n _a: int = 3\n b: int = 3\n",
    "keywords": "class It:\n from_: str\n class_: str = 'x'\n with_it_: int = 3\n",
    "all kinds": (
        "class It:\n a: Optional[int]\n b: int | None\n c: Union[int, str]\n d: Literal['x', 3, None, -1]\n"
        " e: dict[str, list[int]]\n f: tuple[int, ...]\n g: tuple[int, str]\n h: Path\n i: datetime.date\n"
        " j: Decimal\n k: Any\n l: object\n m: Sequence[str]\n n: Mapping[str, int]\n o: t.Optional[str]\n p: bytes\n"
        " q: set[str]\n r: Annotated[int, 'words']\n s: datetime.datetime | datetime.time\n"
    ),
    "strings": "class It:\n a: 'int'\n b: 'list[str] | None' = None\n c: list['int']\n",
    "future annotations": "class It:\n a: int | None\n b: Unknown = 3\n",
    "unknown names": "class It:\n a: 'Unknown'\n b: 'Unknown | None'\n c: int\n",
    "constructor": "class It:\n def __init__(self, a: int, b: str = 'x', *, c: 'list[str]', d=None): pass\n",
    "constructor with attributes": "class It:\n a: list[str]\n internal: int\n def __init__(self, a): self.internal = 3\n",
    "constructor that takes anything": "class It:\n def __init__(self, a: int = 1, **more): pass\n",
    "constructor that takes nothing": "class It:\n a: int = 1\n def __init__(self): pass\n",
    "constructor that sets attributes": "class It:\n a: int\n b: int\n c: int = 3\n def __init__(self): self.b = self.c = 4\n",
    "field that the dataclass makes": "@dataclass\nclass It:\n a: list[int] = field(init=False, default_factory=list)\n",
    "interface": "class It(Protocol):\n def transform(self, record): ...\n",
    "generic": "class It(Generic[T]):\n a: T\n b: int\n",
    "base in the file": "class Base:\n a: int\n b: int = 1\nclass It(Base):\n c: str\n a: str\n",
    "dataclass base in the file": "@dataclass\nclass Base:\n a: int\n@dataclass\nclass It(Base):\n b: str = 'x'\n",
}


@pytest.mark.parametrize("name", VISIBLE)
def test_the_source_of_a_class_tells_what_the_class_tells(name: str, run: Run) -> None:
    source = HEADER + VISIBLE[name]
    if name == "future annotations":
        source = "from __future__ import annotations\n" + source
    read_fields = read(source)
    assert read_fields is not None
    assert [_told(field) for field in read_fields] == [_told(field) for field in fields_of(run(source))]


def _told(field: Field) -> tuple[object, ...]:
    # A form that is partly unknown is all unknown in the source; a type variable can be anything.
    hint = object if "TypeVar" in type(field.type).__name__ else field.type
    return field.name, hint, field.required, field.default


def test_what_a_constructor_without_parameters_sets_is_no_setting(run: Run) -> None:
    source = "class Base:\n a: list[int]\n def __init__(self): self.a = []\nclass It(Base):\n b: int = 1\n c: str\n"
    assert [field.name for field in fields_of(run(source))] == ["b", "c"]
    own = read("class It:\n a: list[int]\n b: int\n def __init__(self):\n  self.a: list[int] = []\n")
    assert own is not None
    assert [field.name for field in own] == ["b"]


def attribute_names() -> st.SearchStrategy[str]:
    reserved = {*keyword.kwlist, "bool", "dict", "int", "list", "str"}  # the last ones would change what follows
    return st.from_regex(r"[a-z]{1,3}_?", fullmatch=True).filter(lambda name: name not in reserved)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        attribute_names(),
        st.sampled_from(["int", "str = 'a'", "list[str] = ['a', 'b']", "dict[str, int] = {'a': 1}", "bool = True"]),
        min_size=1,
        max_size=6,
    )
)
def test_attributes_with_plain_defaults_are_told_alike_by_source_and_class(attributes: dict[str, str]) -> None:
    source = "class It:\n" + "".join(f" {name}: {rest}\n" for name, rest in attributes.items())
    assert read(source) == fields_of(run_source(source))
    del sys.modules["plugline_test_fields"]


HIDDEN = {
    "base from elsewhere": "import abc\nfrom x import Base\nclass It(Base):\n a: int\n",
    "metaclass": "class It(metaclass=type):\n a: int\n",
    "unknown decorator": "from attrs import define\n@define\nclass It:\n a: int\n",
    "dataclass without constructor": "from dataclasses import dataclass\n@dataclass(init=False)\nclass It:\n a: int\n",
    "own __new__": "class It:\n a: int\n def __new__(cls): return object()\n",
    "base with a constructor": "class Base:\n def __init__(self, a): pass\nclass It(Base):\n b: int\n",
    "bases in a circle": "class It(It):\n a: int\n",
    "name of the module's own": "def dataclass(cls): return cls\n@dataclass\nclass It:\n a: int\n",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_class_of_which_the_source_does_not_show_all_tells_nothing(name: str) -> None:
    assert read(HIDDEN[name]) is None


def test_a_name_that_the_module_makes_itself_is_not_taken_for_the_usual_one() -> None:
    fields = read("class Path: ...\nclass It:\n a: Path\n b: int\n")
    assert fields is not None
    assert [field.type for field in fields] == [object, int]


def test_without_the_module_the_usual_names_are_known() -> None:
    [node] = ast.parse("class It:\n a: Optional[Path]\n b: Literal['x']\n c: str\n").body
    assert isinstance(node, ast.ClassDef)
    fields = fields_of_source(node)
    assert fields is not None
    assert [field.type for field in fields] == [Optional[Path], Literal["x"], str]  # noqa: UP045 - what it evaluates to


def test_the_string_after_an_attribute_is_its_summary() -> None:
    fields = read('class It:\n a: int = 3\n """How many.\n\n More words."""\n b: str\n')
    assert fields is not None
    assert [field.summary for field in fields] == ["How many.", ""]


def test_an_annotation_that_could_do_anything_is_not_run() -> None:
    fields = read("class It:\n a: print('run') = 1\n b: list[print('run')] = exit()\n c: int[str]\n d: 'a b'\n")
    assert fields == (
        Field(name="a", required=False, default=1),
        Field(name="b", type=list[object], required=False),
        Field(name="c"),
        Field(name="d"),
    )


def test_an_annotation_that_is_nested_too_deeply_is_anything() -> None:
    fields = read("class It:\n a: '" + " | ".join(["int"] * 3000) + "'\n")
    assert fields == (Field(name="a"),)


def test_an_annotation_in_an_imported_branch_is_known() -> None:
    source = "try:\n from typing import Optional\nexcept ImportError:\n pass\nclass It:\n a: Optional[int]\n"
    fields = read(source)
    assert fields is not None
    assert fields[0].type == Union[int, None]  # noqa: UP007 - what it evaluates to


def test_one_annotation_that_cannot_be_resolved_does_not_spoil_the_others(run: Run) -> None:
    assert [field.type for field in fields_of(run("class It:\n a: 'No'\n b: 'int'\n"))] == [object, int]


def test_what_a_protocol_annotates_is_the_interface_and_no_setting(run: Run) -> None:
    source = "from typing import Protocol\nclass P(Protocol):\n name: str\nclass It(P):\n a: int\n"
    assert [field.name for field in fields_of(run(source))] == ["a"]


def test_a_named_tuple_has_its_parameters(run: Run) -> None:
    fields = fields_of(run("from typing import NamedTuple\nclass It(NamedTuple):\n a: int\n b: str = 'x'\n"))
    assert fields == (Field(name="a", type=int), Field(name="b", type=str, required=False, default="x"))


def test_slots_are_no_defaults(run: Run) -> None:
    assert fields_of(run("class It:\n __slots__ = ('a',)\n a: int\n")) == (Field(name="a", type=int),)


def test_a_property_is_no_setting(run: Run) -> None:
    assert fields_of(run("class It:\n a: int\n @property\n def a(self): return 1\n")) == ()


def test_a_dataclass_field_may_carry_its_summary(run: Run) -> None:
    source = "from dataclasses import dataclass, field\n@dataclass\nclass It:\n a: int = field(metadata={'summary': 'How many.'})\n"
    assert [field.summary for field in fields_of(run(source))] == ["How many."]
    shown = read(source)
    assert shown is not None
    assert [field.summary for field in shown] == ["How many."]


def test_a_base_from_another_module_is_resolved_there(run: Run) -> None:
    base = run(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom decimal import Decimal\n@dataclass\nclass It:\n a: Decimal\n"
    )
    sub: type = dataclasses.dataclass(type("Sub", (base,), {"__annotations__": {"b": int}, "__module__": __name__}))
    assert [field.type.__name__ for field in fields_of(sub) if isinstance(field.type, type)] == ["Decimal", "int"]


def test_any_other_keys_are_one_field(run: Run) -> None:
    assert fields_of(run("class It:\n def __init__(self, **more): pass\n")) == (Field(name=ANY_KEY, required=False),)


def test_a_pydantic_model_tells_its_fields() -> None:
    pydantic = pytest.importorskip("pydantic")
    kind = pydantic.create_model("It", a=(int, ...), b=(str, pydantic.Field("x", description="A word.")))
    assert fields_of(kind) == (
        Field(name="a", type=int, self_checked=True),
        Field(name="b", type=str, required=False, default="x", summary="A word.", self_checked=True),
    )


def test_a_msgspec_struct_tells_its_fields() -> None:
    msgspec = pytest.importorskip("msgspec")
    kind = msgspec.defstruct("It", [("a", int), ("b_c", str, "x"), ("d", list[int], [])], rename="camel")
    assert [(field.name, field.type, field.required, field.default) for field in fields_of(kind)] == [
        ("a", int, True, ...),
        ("bC", str, False, "x"),
        ("d", list[int], False, ...),
    ]


def test_a_msgspec_struct_with_keyword_only_fields_tells_which_are_required() -> None:
    msgspec = pytest.importorskip("msgspec")
    kind = msgspec.defstruct("It", [("a", int, 1), ("b", int)], kw_only=True)
    assert {field.name: field.required for field in fields_of(kind)} == {"a": False, "b": True}
