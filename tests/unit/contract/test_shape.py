import functools
from collections.abc import Callable

import pytest

from plugline.contract.shape import Shape, shape_of, shape_problems


class Plugin:
    def plain(self, record: object) -> object:
        return record

    @staticmethod
    def static(record: object) -> object:
        return record

    @classmethod
    def of_class(cls, record: object) -> object:
        return record

    def __call__(self, record: object) -> object:
        return record


def many(a: int, b: int, c: int = 1, *rest: int, d: int, e: int = 2, **others: int) -> None: ...
def positional_only(record: object, /) -> None: ...
@functools.wraps(positional_only)
def wrapped(*arguments: object) -> None: ...


ONE = Shape(("record",), 1)


@pytest.mark.parametrize(
    "call",
    [
        Plugin().plain,
        Plugin().static,
        Plugin().of_class,
        Plugin(),
        positional_only,
        wrapped,
        functools.partial(Plugin.plain, Plugin()),
        lambda record: record,
    ],
    ids=repr,
)
def test_the_shape_is_as_the_caller_sees_it(call: Callable[..., object]) -> None:
    assert shape_of(call) == ONE


def test_every_kind_of_parameter_is_seen() -> None:
    shape = shape_of(many)
    assert shape == Shape(("a", "b", "c"), 2, ("d", "e"), ("d",), open_positional=True, open_keywords=True)
    assert str(shape) == "(a, b, c=..., *args, d, e=..., **kwargs)"


@pytest.mark.parametrize("value", [3, "text", None, type])
def test_what_cannot_be_known_has_no_shape(value: object) -> None:
    assert shape_of(value) is None or callable(value)


def f_none() -> None: ...
def f_two(record: object, table: object) -> None: ...
def f_default(record: object, table: object = None) -> None: ...
def f_open(*args: object, **kwargs: object) -> None: ...
def f_keyword(record: object, *, fields: object) -> None: ...
def f_keyword_default(record: object, *, fields: object = ()) -> None: ...


@pytest.mark.parametrize(
    ("function", "problems"),
    [
        (f_none, ["takes 0 arguments, the host gives 1"]),
        (f_two, ["needs 2 arguments, the host gives 1 (nothing for table)"]),
        (f_default, []),
        (f_open, []),
        (f_keyword, ["needs the keyword 'fields', which the host does not give"]),
        (f_keyword_default, []),
    ],
)
def test_what_keeps_a_function_from_being_called_is_said(function: Callable[..., object], problems: list[str]) -> None:
    given = shape_of(function)
    assert given is not None
    assert shape_problems(ONE, given) == problems


def test_an_optional_parameter_of_the_interface_need_not_be_taken() -> None:
    wanted = Shape(("record", "context"), 1, ("strict",), ())
    assert shape_problems(wanted, ONE) == []


def test_a_keyword_that_the_host_gives_must_be_taken() -> None:
    wanted = Shape(("record",), 1, ("strict",), ("strict",))
    assert shape_problems(wanted, ONE) == ["does not take the keyword 'strict', which the host gives"]
    for required in (1, 2):
        assert shape_problems(wanted, Shape(("record", "strict"), required)) == []
    assert "nothing for more" in shape_problems(wanted, Shape(("record", "strict", "more"), 3))[0]
    assert shape_problems(wanted, Shape(("record",), 1, open_keywords=True)) == []


def f_mixed(record: object, table: object, *, fields: object) -> None: ...


@pytest.mark.parametrize(
    ("wanted", "problems"),
    [
        (Shape((), open_positional=True, open_keywords=True), []),
        (Shape((), open_keywords=True), []),
        (Shape((), open_positional=True), ["needs the keyword 'fields', which the host does not give"]),
        (Shape(("record", "table"), 1, ("fields",), (), gives_all=True), []),
        (
            Shape(("record",), 0, gives_all=True),
            [
                "needs 2 arguments, the host gives 1 (nothing for table)",
                "needs the keyword 'fields', which the host does not give",
            ],
        ),
    ],
)
def test_what_the_interface_leaves_open_may_be_needed(wanted: Shape, problems: list[str]) -> None:
    given = shape_of(f_mixed)
    assert given is not None
    assert shape_problems(wanted, given) == problems


def test_a_method_without_self_takes_it_from_what_is_open_and_may_be_the_interfaces_own_habit() -> None:
    without = Shape().without_first()
    assert shape_problems(Shape(("self",), 1).without_first(), without) == ["lacks self, which each call gives"]
    assert shape_problems(without, without) == []
    assert shape_problems(Shape(), Shape(open_positional=True).without_first()) == []
    assert shape_problems(without, Shape(("self",), 1).without_first()) == []
    assert shape_problems(without, Shape(("self", "more"), 2).without_first()) == [
        "needs 1 argument, the host gives 0 (nothing for more)"
    ]
