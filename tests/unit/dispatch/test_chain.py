import contextlib
import gc
import inspect
import os
import pickle
import signal
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import Literal

import pytest

from plugline.dispatch.calls import Link, build_chain
from plugline.errors import StepFailed


def add(number: int) -> Callable[[int], int]:
    return lambda value: value + number


def divide(value: object) -> object:
    return 1 // value  # type: ignore[operator]


def test_a_chain_passes_the_value_through_all_links_in_order() -> None:
    chain = build_chain([Link("a", lambda text: text + "a"), Link("b", lambda text: text + "b")])
    assert chain("") == "ab"


def test_a_chain_is_a_plain_function() -> None:
    assert inspect.isfunction(build_chain([]))


def test_an_empty_chain_returns_its_argument() -> None:
    value = object()
    assert build_chain([])(value) is value
    assert build_chain([], "skip")(value) is value


def test_an_unknown_policy_is_refused_with_the_rule() -> None:
    with pytest.raises(ValueError, match="on_error is 'ignore'; expected 'raise' or 'skip'"):
        build_chain([], "ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("index", range(4))
def test_the_link_that_failed_is_named(index: int) -> None:
    links = [Link(f"link {number}", add(1)) for number in range(4)]
    links[index] = Link("divide", lambda _value: divide(0), __file__)
    with pytest.raises(StepFailed) as failure:
        build_chain(links)(1)
    error = failure.value
    assert (error.plugin, error.index, error.kind) == ("divide", index, "ZeroDivisionError")
    assert (error.path, error.line) == (__file__, divide.__code__.co_firstlineno + 1)
    assert isinstance(error.__cause__, ZeroDivisionError)
    pickle.dumps(error)


def test_a_link_that_takes_other_arguments_is_named_with_its_file() -> None:
    with pytest.raises(StepFailed) as failure:
        build_chain([Link("none", lambda: None, "none.py")])(1)
    assert (failure.value.kind, failure.value.path, failure.value.line) == ("TypeError", "none.py", None)


def test_a_cached_exception_with_an_old_traceback_is_blamed_on_who_raised_it() -> None:
    cached = ValueError("again")

    def raising(_value: int) -> int:
        raise cached

    first = build_chain([Link("a", raising)])
    second = build_chain([Link("a", add(1)), Link("b", add(1)), Link("c", raising)])
    with pytest.raises(StepFailed):
        first(1)
    with pytest.raises(StepFailed) as failure:
        second(1)
    assert failure.value.plugin == "c"


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, KeyboardInterrupt, RecursionError, StopIteration])
def test_whatever_a_link_raises_is_its_failure(kind: type[BaseException]) -> None:
    def raising(_value: int) -> int:
        raise kind

    with pytest.raises(StepFailed) as failure:
        build_chain([Link("bad", raising)])(1)
    assert failure.value.kind == kind.__name__
    skipping = build_chain([Link("bad", raising), Link("good", add(1))], "skip")
    assert skipping(1) == 2


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_the_users_own_interrupt_passes(on_error: str) -> None:
    def press_control_c(_value: int) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            pass

    chain = build_chain([Link("slow", press_control_c)], on_error)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        chain(1)


def test_skipping_hands_on_the_value_from_before_the_link() -> None:
    def spoil(record: dict[str, list[int]]) -> dict[str, list[int]]:
        record["numbers"].append(99)
        record.clear()
        raise ValueError("half done")

    def grow(record: dict[str, list[int]]) -> dict[str, list[int]]:
        record["numbers"].append(2)
        return record

    chain = build_chain([Link("grow", grow), Link("spoil", spoil, __file__), Link("again", grow)], "skip")
    assert chain({"numbers": [1]}) == {"numbers": [1, 2, 2]}
    (error,) = chain.errors
    assert (error.plugin, error.index, error.message) == ("spoil", 1, "half done")
    assert error.__traceback__ is None
    assert error.__cause__ is None


def test_skipping_keeps_the_last_thousand_errors() -> None:
    chain = build_chain([Link("bad", lambda value: [][value])], "skip")
    for _ in range(1_100):
        chain(0)
    assert len(chain.errors) == 1_000


def test_an_error_that_was_kept_or_raised_pins_nothing_once_it_is_let_go() -> None:
    class Pinned:
        pass

    pins: list[weakref.ref[Pinned]] = []

    def raising(_value: int) -> int:
        pinned = Pinned()
        pins.append(weakref.ref(pinned))
        raise ValueError

    skipping = build_chain([Link("bad", raising)], "skip")
    chain = build_chain([Link("bad", raising)])
    gc.disable()
    try:
        skipping(1)
        with contextlib.suppress(StepFailed):
            chain(1)
        assert [pin() for pin in pins] == [None, None]
    finally:
        gc.enable()


def test_a_chain_is_freed_with_a_plugin_that_holds_it() -> None:
    class Plugin:
        chain: object = None

        def transform(self, value: int) -> int:
            return value

    plugin = Plugin()
    chain = build_chain([Link("plugin", plugin.transform)])
    plugin.chain = chain
    chain.replace([Link("plugin", plugin.transform)])
    assert chain(1) == 1
    pin = weakref.ref(plugin)
    del plugin, chain
    gc.collect()
    assert pin() is None


def test_replaced_links_are_used_by_who_holds_the_function() -> None:
    chain = build_chain([Link("one", add(1))])
    held = chain
    assert held(0) == 1
    chain.replace([Link("ten", add(10)), Link("two", add(2))])
    assert held(0) == 12
    chain.replace([])
    assert held(0) == 0


def test_a_call_in_flight_finishes_on_the_links_that_it_began_with() -> None:
    def replacing(value: list[str]) -> list[str]:
        chain.replace([Link("new", lambda value: [*value, "new"])])
        return [*value, "first"]

    def failing(_value: list[str]) -> list[str]:
        chain.replace([Link("new", lambda value: [*value, "new"])])
        raise ValueError

    chain = build_chain([Link("first", replacing), Link("old", lambda value: [*value, "old"])])
    assert chain([]) == ["first", "old"]
    assert chain([]) == ["new"]
    chain.replace([Link("a", list), Link("b", list), Link("failing", failing)])
    with pytest.raises(StepFailed) as failure:
        chain([])
    assert (failure.value.plugin, failure.value.index) == ("failing", 2)
    assert chain([]) == ["new"]


def test_no_call_mixes_two_versions_while_another_thread_replaces() -> None:
    def links(number: int) -> list[Link]:
        # Another count of links each time, so that the versions differ in shape, too.
        return [Link("same", lambda seen: [*seen, number]) for _ in range(2 + number % 3)]

    chain = build_chain(links(0))
    mixed: list[list[int]] = []
    done = threading.Event()

    def call() -> None:
        while not done.is_set():
            seen: list[int] = chain([])
            if len(set(seen)) != 1 or len(seen) != 2 + seen[0] % 3:
                mixed.append(seen)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(200):
        chain.replace(links(number))
    done.set()
    for thread in threads:
        thread.join(timeout=10)
    assert not mixed


def test_a_name_of_any_kind_does_no_harm_to_the_generated_source() -> None:
    names = ["new\nline = 1", "quote'\"", "§ ünï \ud800", "# comment"]
    chain = build_chain([*(Link(name, add(1)) for name in names), Link("§", lambda _value: divide(0))])
    with pytest.raises(StepFailed) as failure:
        chain(1)
    assert (failure.value.plugin, failure.value.index) == ("§", 4)


def test_a_traceback_names_the_link_in_the_generated_line() -> None:
    chain = build_chain([Link("upper", lambda _value: divide(0))], label="chain of 'transform'")
    with pytest.raises(StepFailed) as failure:
        chain(1)
    shown = "".join(traceback.format_exception(failure.value))
    assert "plugline: generated chain of 'transform'" in shown
    assert "# 'upper'" in shown


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_further_arguments_go_to_each_link(on_error: Literal["raise", "skip"]) -> None:
    def put(text: str, more: str = "", *, value: str) -> str:
        return text + more + value

    chain = build_chain([Link("a", put), Link("b", put)], on_error, more=True)
    assert chain("", "1", value="2") == "1212"
    assert chain("", value="2") == "22"
    chain.replace([Link("b", put)])
    assert chain("", value="2") == "2"
    with pytest.raises(TypeError, match="unexpected keyword argument 'more'"):
        build_chain([Link("a", lambda text: text)], on_error)("", more="2")
