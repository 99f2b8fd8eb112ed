import datetime
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, NewType, Optional, Protocol, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.contract.settings import ANY_KEY, Field, Problem, check, construct


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Limits(TypedDict, total=False):
    low: int
    high: int


class Even:
    def __init__(self, number: int) -> None:
        self.number = number

    @classmethod
    def from_setting(cls, value: object) -> "Even":
        if not isinstance(value, int):
            raise TypeError(f"{value!r} is not a number")
        if value % 2:
            raise ValueError(f"{value} is odd")
        return cls(value)


Word = NewType("Word", str)


def checked(form: object, value: object) -> object:
    values, problems = check([Field(name="it", type=form)], {"it": value})
    assert problems == ()
    return values["it"]


def problems_of(form: object, value: object) -> list[tuple[str, str]]:
    """Return code and message of each problem, and the path where that is not the value itself."""
    _, problems = check([Field(name="it", type=form)], {"it": value})
    return [(problem.code, problem.message) for problem in problems]


# ----------------------------------------------------------------------------- values

MOMENT = datetime.datetime(2026, 1, 2, 3, 4)  # noqa: DTZ001 - TOML has local times too


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (str, "x"),
        (int, 3),
        (bool, True),
        (float, 1.5),
        (bytes, b"x"),
        (object, [1, {"a": "b"}]),
        (Any, 3),
        ("Unknown", 3),
        (None, None),
        (int | None, None),
        (Optional[int], 3),  # noqa: UP045 - the older spelling is another form
        (int | str, "x"),
        (float | int, 1),
        (Literal["a", 3], 3),
        (list[int], [1, 2]),
        (list, [1, "a"]),
        (Sequence[str], ["a"]),
        (dict[str, int], {"a": 1}),
        (Mapping[str, list[int]], {"a": [1]}),
        (dict, {"a": "b"}),
        (datetime.datetime, MOMENT),
        (datetime.date, MOMENT.date()),
        (datetime.time, MOMENT.time()),
        (Annotated[int, "words"], 3),
        (Word, "x"),
        (Limits, {"low": 1}),
        (Colour, "red"),
        (Point, {"x": 1}),
        (list[Point], [{"x": 1}, {"x": 2, "y": 3}]),
    ],
    ids=str,
)
def test_a_value_of_the_right_type_stays_as_it_is(form: object, value: object) -> None:
    found = checked(form, value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        (float, 1, 1.0),
        (Path, "a/b", Path("a/b")),
        (Decimal, "1.10", Decimal("1.10")),
        (Decimal, 3, Decimal(3)),
        (tuple[str, ...], ["a", "b"], ("a", "b")),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 1], {1}),
        (frozenset[str], ["a"], frozenset("a")),
        (list[float], [1, 2.5], [1.0, 2.5]),
        (Path | None, "a", Path("a")),
    ],
    ids=str,
)
def test_a_value_becomes_what_a_configuration_cannot_write(form: object, value: object, expected: object) -> None:
    found = checked(form, value)
    assert found == expected
    assert type(found) is type(expected)
    assert checked(form, found) == expected


@pytest.mark.parametrize(
    ("form", "value", "message"),
    [
        (int, True, "true is a boolean, expected an integer for 'it'"),
        (int, 1.5, "1.5 is a float, expected an integer for 'it'"),
        (int, "3", "'3' is a string, expected an integer for 'it'"),
        (float, False, "false is a boolean, expected a number for 'it'"),
        (float, "1", "'1' is a string, expected a number for 'it'"),
        (bool, 1, "1 is an integer, expected true or false for 'it'"),
        (str, ["x"], "['x'] is a list, expected a string for 'it'"),
        (str, {"a": 1}, "{'a': 1} is a table, expected a string for 'it'"),
        (list[str], "x", "'x' is a string, expected a list of strings for 'it'"),
        (Sequence[str], "x", "'x' is a string, expected a list of strings for 'it'"),
        (dict[str, int], [1], "[1] is a list, expected a table of integers for 'it'"),
        (int | list[str], 1.5, "1.5 is a float, expected an integer or a list of strings for 'it'"),
        (int | None, "x", "'x' is a string, expected an integer for 'it'"),
        (Literal["a", "b"], 3, "3 is an integer, expected one of 'a', 'b' for 'it'"),
        (datetime.datetime, "now", "'now' is a string, expected a date with a time for 'it'"),
        (Decimal, 1.5, "1.5 is a float, expected a decimal number for 'it'"),
        (Path, 3, "3 is an integer, expected a path for 'it'"),
        (Point, "x", "'x' is a string, expected a table for 'it'"),
        (Colour, 3, "3 is an integer, expected one of 'red', 'blue' for 'it'"),
        (Even, "x", "'x' is not a number"),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_told_with_what_was_expected(form: object, value: object, message: str) -> None:
    assert problems_of(form, value) == [("C103", message)]


def test_a_datetime_is_no_date() -> None:
    [(code, message)] = problems_of(datetime.date, MOMENT)
    assert code == "C103"
    assert message.endswith("is a date with a time, expected a date for 'it'")


@pytest.mark.parametrize(
    ("form", "value", "message"),
    [
        (Literal["a", "b"], "c", "'c' is not one of 'a', 'b' for 'it'"),
        (Literal["a", 3], "c", "'c' is not one of 'a', 3 for 'it'"),
        (Literal["a"], "c", "'c' is not 'a' for 'it'"),
        (Literal["a", "b"] | None, "c", "'c' is not one of 'a', 'b' for 'it'"),
        (Colour, "green", "'green' is not one of 'red', 'blue' for 'it'"),
        (Decimal, "ten", "'ten' is not a decimal number for 'it'"),
        (tuple[int, str], [1], "[1] is not a list of 2 for 'it'"),
        (Even, 3, "3 is odd"),
    ],
    ids=str,
)
def test_a_wrong_value_of_the_right_type_is_another_finding(form: object, value: object, message: str) -> None:
    assert problems_of(form, value) == [("C104", message)]


def test_true_is_not_the_literal_1() -> None:
    assert [code for code, _ in problems_of(Literal[1], True)] == ["C103"]


def test_an_integer_too_large_for_a_float_is_a_wrong_value() -> None:
    assert [code for code, _ in problems_of(float, 10**400)] == ["C104"]


def test_every_wrong_item_is_told_with_its_place() -> None:
    _, problems = check([Field(name="it", type=dict[str, list[int]])], {"it": {"a": [1, "x", "y"], "b": 3}})
    assert [problem.path for problem in problems] == [("it", "a", 1), ("it", "a", 2), ("it", "b")]
    assert problems[0].message == "'x' is a string, expected an integer for 'it.a[1]'"


def test_what_is_wrong_inside_a_member_of_a_union_is_told_there() -> None:
    _, problems = check([Field(name="it", type=int | list[str])], {"it": ["a", 3]})
    assert [problem.path for problem in problems] == [("it", 1)]


def test_a_key_of_the_wrong_kind_is_told_at_the_key() -> None:
    _, [problem] = check([Field(name="it", type=dict[Literal["a"], int])], {"it": {"b": 1}})
    assert (problem.code, problem.path, problem.on_key) == ("C104", ("it", "b"), True)


def test_a_single_value_for_a_list_is_told_how_to_write_it() -> None:
    _, [problem] = check([Field(name="it", type=tuple[str, ...])], {"it": "name"})
    assert problem.hint == "write ['name']"


def test_a_word_that_is_nearly_right_names_the_right_one() -> None:
    _, [problem] = check([Field(name="it", type=Literal["dead-letter", "drop"])], {"it": "dead_letter"})
    assert problem.hint == "did you mean 'dead-letter'? known values are dead-letter, drop"


def test_a_long_value_is_cut_in_the_message() -> None:
    [(_, message)] = problems_of(int, "x" * 10_000)
    assert len(message) < 200


# ----------------------------------------------------------------------------- tables

FIELDS = (Field(name="format", type=str), Field(name="count", type=int, required=False, summary="How many."))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    values, problems = check(FIELDS, {"formt": "csv", "count": "x", "other": 1}, path=("steps", 1, "with"))
    assert [(problem.code, problem.path, problem.on_key) for problem in problems] == [
        ("C101", ("steps", 1, "with", "formt"), True),
        ("C103", ("steps", 1, "with", "count"), False),
        ("C101", ("steps", 1, "with", "other"), True),
        ("C102", ("steps", 1, "with", "format"), True),
    ]
    assert "format" not in values


def test_an_unknown_key_names_the_nearest_and_the_known_ones() -> None:
    _, [problem] = check(FIELDS, {"format": "csv", "cuont": 1})
    assert problem.message == "unknown key 'cuont'"
    assert problem.hint == "did you mean 'count'? known keys are count, format"


def test_a_missing_key_tells_what_it_takes() -> None:
    _, [problem] = check([Field(name="n", type=list[int], summary="Line numbers.")], {}, path=("with",))
    assert problem == Problem(
        path=("with", "n"),
        code="C102",
        message="missing key 'n'",
        hint="'n' takes a list of integers: Line numbers.",
        on_key=True,
    )


def test_only_given_values_come_back() -> None:
    assert check(FIELDS, {"format": "csv"}) == ({"format": "csv"}, ())


def test_a_field_for_all_other_keys_takes_and_checks_them() -> None:
    fields = [Field(name=ANY_KEY, type=int, required=True)]
    assert check(fields, {"a": 1}) == ({"a": 1}, ())
    _, [problem] = check(fields, {"a": "x"})
    assert problem.code == "C103"


def test_a_nested_table_is_checked_as_a_whole() -> None:
    _, problems = check([Field(name="at", type=list[Point])], {"at": [{"x": 1}, {"y": "a", "z": 1}]})
    assert [(problem.code, problem.path) for problem in problems] == [
        ("C103", ("at", 1, "y")),
        ("C101", ("at", 1, "z")),
        ("C102", ("at", 1, "x")),
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
    )
)
def test_a_check_answers_for_any_value_and_type(value: object) -> None:
    forms: list[object] = [int, float, Path, Decimal, Colour, Point, Limits, list[Point], dict[str, float], set[str]]
    forms += [
        tuple[int, ...],
        tuple[int, str],
        Literal["a", 1],
        int | list[str] | None,
        Even,
        Sequence[Path],
        Colour | None,
    ]
    values, problems = check([Field(name=str(form), type=form) for form in forms], {str(form): value for form in forms})
    again, more = check([Field(name=str(form), type=form) for form in forms], values)
    wrong = {problem.path[0] for problem in problems}
    assert {problem.path[0] for problem in more} <= wrong
    # NaN is not equal to itself, and equal sets need not be in the same order.
    kept = [(again[name], values[name]) for name in values if name not in wrong]
    assert all(one == other or repr(one) == repr(other) for one, other in kept)


# ----------------------------------------------------------------------------- instances


def made(kind: type[Any], **values: object) -> Any:
    instance, problems = construct(kind, values)
    assert problems == ()
    assert isinstance(instance, kind)
    return instance


def refused(kind: type[Any], **values: object) -> list[tuple[str, tuple[str | int, ...], str]]:
    instance, problems = construct(kind, values, path=("with",))
    assert instance is None
    return [(problem.code, problem.path, problem.message) for problem in problems]


def test_a_dataclass_is_made_with_its_nested_ones() -> None:
    @dataclass
    class It:
        at: list[Point]
        colour: Colour = Colour.BLUE
        limits: Limits = field(default_factory=Limits)

    instance = made(It, at=[{"x": 1}], colour="red", limits={"low": 1})
    assert instance == It(at=[Point(1)], colour=Colour.RED, limits={"low": 1})


def test_a_checked_value_can_be_constructed() -> None:
    fields = [Field(name="path", type=Path), Field(name="at", type=tuple[Point, ...])]
    values, _ = check(fields, {"path": "a", "at": [{"x": 1}]})

    @dataclass
    class It:
        path: Path
        at: tuple[Point, ...]

    assert made(It, **values) == It(Path("a"), (Point(1),))


def test_a_plain_class_has_its_attributes_set() -> None:
    class It:
        fields: list[str]
        count: int = 3
        shared: ClassVar[int] = 1

    instance = made(It, fields=["a"])
    assert (instance.fields, instance.count) == (["a"], 3)


def test_two_instances_of_a_plain_class_share_no_default() -> None:
    class It:
        fields: list[str] = []  # noqa: RUF012 - what the test is about
        table: dict[str, list[str]] = {"a": []}  # noqa: RUF012 - what the test is about

    one, other = made(It), made(It)
    one.fields.append("x")
    one.table["a"].append("x")
    assert (other.fields, It.fields, It.table) == ([], [], {"a": []})


def test_a_class_without_parameters_keeps_what_its_constructor_sets() -> None:
    class It:
        fields: list[str] = []  # noqa: RUF012 - what the test is about

        def __init__(self) -> None:
            self.fields = ["from the constructor"]
            self.seen = 0

    assert made(It).fields == ["from the constructor"]
    assert made(It, fields=["given"]).fields == ["given"]


def test_a_class_with_a_constructor_is_called_with_keywords() -> None:
    class It:
        def __init__(self, fields: Sequence[str], *, deep: bool = False) -> None:
            self.told = (fields, deep)

    assert made(It, fields=["a"], deep=True).told == (["a"], True)
    assert refused(It, deep=1)[1:] == [("C102", ("with", "fields"), "missing key 'fields'")]


def test_a_class_that_takes_any_keyword_gets_it() -> None:
    class It:
        def __init__(self, first: int, **more: object) -> None:
            self.told = (first, more)

    assert made(It, first=1, other="x").told == (1, {"other": "x"})


def test_a_class_that_names_its_interface_is_made() -> None:
    class Interface(Protocol):
        def transform(self) -> int: ...

    class It(Interface):
        count: int = 1

        def transform(self) -> int:
            return self.count

    assert made(It, count=2).transform() == 2
    assert made(It, count=3).transform() == 3


def test_a_named_tuple_is_made() -> None:
    class It(NamedTuple):
        a: int
        b: str = "x"

    assert made(It, a=1) == It(1, "x")


def test_a_keyword_of_python_sets_the_attribute_with_an_underscore() -> None:
    @dataclass
    class It:
        from_: str

    assert made(It, **{"from": "a"}) == It("a")
    assert refused(It, from_="a")[0][2] == "unknown key 'from_'"


@pytest.mark.parametrize("error", [ValueError("fields are missing"), SystemExit(3), GeneratorExit(), KeyError("a")])
def test_whatever_a_class_raises_is_one_problem(error: BaseException) -> None:
    @dataclass
    class It:
        count: int = 0

        def __post_init__(self) -> None:
            raise error

    [(code, path, message)] = refused(It, count=1)
    assert (code, path) == ("C104", ("with",))
    assert message == f"It raised {type(error).__name__}" + (f": {error}" if str(error) else "")


def test_an_interrupt_by_the_user_passes() -> None:
    class It:
        def __init__(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        construct(It, {})


def test_an_error_that_cannot_say_what_it_is_is_a_problem_too() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    class It:
        def __init__(self) -> None:
            raise Mute

    assert refused(It) == [("C104", ("with",), "It raised Mute")]


def test_a_message_of_many_lines_is_told_in_one() -> None:
    class It:
        def __init__(self) -> None:
            raise ValueError("one\n  two")

    assert refused(It) == [("C104", ("with",), "It raised ValueError: one two")]


def test_a_class_that_fails_to_read_its_own_setting_is_a_problem() -> None:
    class Odd:
        @classmethod
        def from_setting(cls, value: object) -> "Odd":
            raise KeyError(value)

    assert problems_of(Odd, 3) == [("C104", "Odd raised KeyError: 3")]


def test_a_nested_class_that_raises_is_told_at_its_own_place() -> None:
    @dataclass
    class Inner:
        a: int

        def __post_init__(self) -> None:
            raise ValueError("no")

    @dataclass
    class It:
        inner: Inner

    assert refused(It, inner={"a": 1}) == [("C104", ("with", "inner"), "Inner raised ValueError: no")]


def test_wrong_values_keep_a_class_from_being_made() -> None:
    class It:
        count: int

        def __init__(self) -> None:
            raise AssertionError

    assert [code for code, _, _ in refused(It, count="x")] == ["C103"]


# ----------------------------------------------------------------------------- classes that check themselves


def test_a_pydantic_model_checks_itself_and_tells_all() -> None:
    pydantic = pytest.importorskip("pydantic")
    kind = pydantic.create_model("It", a=(int, ...), b=(list[int], []), c=(str, pydantic.Field("x", max_length=2)))
    assert made(kind, a="3").a == 3
    assert [(code, path) for code, path, _ in refused(kind, a="x", b=[1, "y"], c="long")] == [
        ("C103", ("with", "a")),
        ("C103", ("with", "b", 1)),
        ("C104", ("with", "c")),
    ]
    assert refused(kind) == [("C102", ("with", "a"), "missing key 'a'")]
    assert [code for code, _, _ in refused(kind, a=1, bb=[])] == ["C101"]


def test_a_pydantic_model_that_misses_something_as_a_whole_says_it_in_its_own_words() -> None:
    pydantic = pytest.importorskip("pydantic")
    from pydantic_core import PydanticCustomError

    def check(_value: object) -> object:
        raise PydanticCustomError("missing", "give a or b")

    kind = pydantic.create_model("It", __validators__={"check": pydantic.model_validator(mode="after")(check)})
    _, (problem,) = construct(kind, {})
    assert (problem.code, problem.path) == ("C104", ())
    assert "give a or b" in problem.message


def test_a_pydantic_model_may_take_any_key() -> None:
    pydantic = pytest.importorskip("pydantic")
    kind = pydantic.create_model("It", __config__=pydantic.ConfigDict(extra="allow"), a=(int, 1))
    assert made(kind, other=3).other == 3


def test_a_msgspec_struct_checks_itself() -> None:
    msgspec = pytest.importorskip("msgspec")
    kind = msgspec.defstruct("It", [("a", int), ("b", list[int], [])])
    assert made(kind, a=1, b=[2]).b == [2]
    assert refused(kind, a=1, b=[1, "x"]) == [("C103", ("with", "b", 1), "expected `int`, got `str` for 'b[1]'")]
    assert refused(kind) == [("C102", ("with", "a"), "missing key 'a'")]
