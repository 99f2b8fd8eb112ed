import sys
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import pytest

from plugline.contract.interface import Interface, Member, interfaces_of
from plugline.contract.shape import Shape

T = TypeVar("T")


class Named(Protocol):
    name: str
    kind: ClassVar[str] = "x"

    @property
    def version(self) -> str: ...


@runtime_checkable
class Processor(Named, Protocol):
    def transform(self, record: object) -> object: ...
    @staticmethod
    def describe() -> str: ...
    @classmethod
    def make(cls, text: str) -> object: ...
    def _private(self) -> None: ...


class Typed(Protocol[T]):
    def convert(self, value: T, *, strict: bool = False) -> T: ...


class Base(ABC, Generic[T]):
    @abstractmethod
    def run(self, job: object) -> object: ...
    @property
    @abstractmethod
    def name(self) -> str: ...
    def helper(self) -> None: ...


def only(declared: object) -> Interface:
    (interface,) = interfaces_of(declared)
    return interface


def member_of(declared: object, name: str) -> Member:
    (member,) = (member for member in only(declared).members if member.name == name)
    return member


def test_a_protocol_asks_for_its_own_and_its_inherited_members() -> None:
    assert {member.name for member in only(Processor).members} == {
        "name",
        "kind",
        "version",
        "transform",
        "describe",
        "make",
    }


def test_functions_have_the_shape_in_which_the_host_calls_them() -> None:
    one = Shape(("record",), 1, is_async=True)  # an object may be one to await
    assert member_of(Processor, "transform") == Member("transform", one)
    assert member_of(Processor, "describe") == Member("describe", Shape())
    assert member_of(Processor, "make") == Member("make", Shape(("text",), 1, is_async=True))


@pytest.mark.parametrize("name", ["name", "kind", "version"])
def test_attributes_and_properties_are_no_functions(name: str) -> None:
    assert not member_of(Processor, name).is_function


@pytest.mark.parametrize("declared", [Typed, Typed[int]], ids=repr)
def test_a_generic_protocol_is_one_too(declared: object) -> None:
    assert only(declared).members == (Member("convert", Shape(("value",), 1, ("strict",), (), is_async=True)),)


def test_methods_that_python_calls_are_members_where_the_protocol_defines_them() -> None:
    class Callback(Protocol):
        def __call__(self, record: object) -> object: ...
        def __len__(self) -> int: ...

    assert [member.name for member in only(Callback).members] == ["__call__", "__len__"]


def test_protocol_asks_for_annotated_names_with_underscores_on_both_sides_that_python_does_not_give() -> None:
    class Versioned(Protocol):
        __version__: str
        __name__: str
        __file__: str
        __dict__: dict[str, object]
        __dataclass_fields__: dict[str, object]
        _private: int

    assert [(member.name, member.is_function) for member in only(Versioned).members] == [("__version__", False)]


def test_a_protocol_without_members_asks_for_nothing() -> None:
    class Anything(Protocol): ...

    assert only(Anything).members == ()


def test_a_base_class_asks_for_what_is_abstract() -> None:
    interface = only(Base)
    assert interface.base is Base
    assert [(member.name, member.is_function) for member in interface.members] == [("name", False), ("run", True)]
    assert only(Base[int]).base is Base


def test_a_list_of_names_asks_for_functions_of_any_shape() -> None:
    assert only(["transform", "describe"]).members == (Member("transform"), Member("describe"))
    assert only(("transform", "describe")) == only(["transform", "describe"])


def test_a_tuple_gives_several_ways_in_its_order() -> None:
    names = [interface.name for interface in interfaces_of((Processor, Base, ["run"]))]
    assert names == ["Processor", "Base", "run"]


def test_nothing_declared_takes_any_module() -> None:
    assert only(None).members == ()


@pytest.mark.parametrize("declared", ["transform", 3, [1], {"transform"}])
def test_what_is_no_interface_is_refused(declared: object) -> None:
    with pytest.raises(TypeError, match="is not an interface"):
        interfaces_of(declared)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are evaluated where they stand before 3.14")
def test_an_interface_may_annotate_with_names_that_are_not_there_at_run_time() -> None:
    names: dict[str, object] = {"Protocol": Protocol}
    exec("class Named(Protocol):\n    name: Absent\n    def transform(self, record: Absent) -> Absent: ...\n", names)  # noqa: S102 - written so, older Pythons would refuse it
    (found,) = interfaces_of(names["Named"])
    assert [(member.name, member.is_function) for member in found.members] == [("transform", True), ("name", False)]
