import inspect
import os
import signal
from collections.abc import Callable, Sequence

import pytest

from plugline.dispatch.calls import Link, Results, build_call, build_call_all, build_first, call_all
from plugline.errors import StepFailed


def fail(*_arguments: object, **_keywords: object) -> object:
    raise SystemExit("no")


def press_control_c(*_arguments: object) -> object:
    os.kill(os.getpid(), signal.SIGINT)
    while True:
        pass


def built_call_all(links: Sequence[Link], /, *arguments: object, **keywords: object) -> Results:
    return build_call_all(links)(*arguments, **keywords)


def first(links: Sequence[Link], /, *arguments: object, **keywords: object) -> object:
    return build_first(links)(*arguments, **keywords)


both_call_all = pytest.mark.parametrize("calls", [call_all, built_call_all])


@both_call_all
def test_results_and_errors_come_by_name_in_order(calls: Callable[..., Results]) -> None:
    links = [Link("z", lambda value: value), Link("b", fail, "b.py"), Link("a", lambda value: -value), Link("c", fail)]
    results = calls(links, 5)
    assert list(results.results.items()) == [("z", 5), ("a", -5)]
    assert list(results.errors) == ["b", "c"]
    error = results.errors["b"]
    assert (error.plugin, error.index, error.kind, error.message) == ("b", 1, "SystemExit", "no")
    assert error.__traceback__ is None


@both_call_all
@pytest.mark.parametrize(
    ("arguments", "keywords"), [((), {}), ((1,), {}), ((1, 2), {}), ((), {"key": 1}), ((1,), {"key": None})]
)
def test_every_link_gets_the_arguments(
    calls: Callable[..., Results], arguments: tuple[int, ...], keywords: dict[str, int | None]
) -> None:
    links = [Link(name, lambda *given, **named: (given, named)) for name in "ab"]
    assert calls(links, *arguments, **keywords).results == dict.fromkeys("ab", (arguments, keywords))


@both_call_all
def test_no_links_give_no_results(calls: Callable[..., Results]) -> None:
    results = calls([], 1)
    assert (results.results, results.errors) == ({}, {})


@both_call_all
def test_the_users_own_interrupt_passes_through_a_call_of_all(calls: Callable[..., Results]) -> None:
    with pytest.raises(KeyboardInterrupt):
        calls([Link("slow", press_control_c)], 1)


def test_the_first_answer_counts_and_no_link_after_it_is_called() -> None:
    links = [Link("none", lambda value: None), Link("zero", lambda value: 0), Link("fail", fail)]
    assert first(links, 1) == 0


def test_no_answer_is_none() -> None:
    assert first([Link("none", lambda *, key: None)], key=1) is None


def test_an_error_before_the_first_answer_is_raised() -> None:
    with pytest.raises(StepFailed) as failure:
        first([Link("none", lambda value: None), Link("fail", fail), Link("zero", lambda value: 0)], 1)
    assert (failure.value.plugin, failure.value.index) == ("fail", 1)
    assert isinstance(failure.value.__cause__, SystemExit)


def test_the_users_own_interrupt_passes_through_first() -> None:
    with pytest.raises(KeyboardInterrupt):
        first([Link("slow", press_control_c)], 1)


class Plugin:
    def method(self, value: int, other: int) -> tuple[int, int]:
        return value, other


def with_default(value: int, other: int = 2) -> tuple[int, int]:
    return value, other


def with_names_of_ours(call_1: int, error: int) -> tuple[int, int]:
    return call_1, error


def positional_only(value: int, other: int, /) -> tuple[int, int]:
    return value, other


@pytest.mark.parametrize(
    "call", [Plugin().method, with_default, with_names_of_ours, lambda *given: given, positional_only, divmod]
)
def test_a_guarded_call_returns_what_the_link_returns(call: Callable[..., object]) -> None:
    guarded = build_call(Link("plugin", call))
    assert guarded(7, 2) == call(7, 2)


def test_what_is_built_are_plain_functions() -> None:
    built: list[object] = [build_call(Link("a", len)), build_call_all([]), build_first([])]
    assert all(map(inspect.isfunction, built))


def test_a_guarded_call_takes_keywords() -> None:
    assert build_call(Link("plugin", Plugin().method))(other=1, value=2) == (2, 1)


def test_a_guarded_call_names_who_failed() -> None:
    with pytest.raises(StepFailed) as failure:
        build_call(Link("plugin", fail))(1)
    assert (failure.value.plugin, failure.value.kind) == ("plugin", "SystemExit")


def test_the_users_own_interrupt_passes_through_a_guarded_call() -> None:
    with pytest.raises(KeyboardInterrupt):
        build_call(Link("slow", press_control_c))()


def test_what_is_called_can_be_replaced_by_a_link_of_another_shape() -> None:
    guarded = build_call(Link("plugin", Plugin().method))
    guarded.replace(Link("plugin", lambda value: value))
    assert guarded(5) == 5
    everyone = build_call_all([Link("a", len)])
    everyone.replace([Link("b", abs)])
    assert everyone(-5).results == {"b": 5}
    leader = build_first([Link("a", len)])
    leader.replace([Link("b", abs)])
    assert leader(-5) == 5
