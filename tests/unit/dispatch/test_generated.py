import gc
import linecache
import sys
import traceback
import weakref
from types import ModuleType

import pytest

from plugline.dispatch.generated import ReplaceableFunction, compile_functions


def test_a_traceback_shows_the_line_of_generated_source() -> None:
    functions = compile_functions("thing", "def divide(value):\n    return one / value", {"one": 1})
    with pytest.raises(ZeroDivisionError) as failure:
        functions["divide"](0)
    shown = "".join(traceback.format_exception(failure.value))
    assert "in divide\n    return one / value" in shown
    assert 'File "plugline: generated thing ' in shown


def test_what_a_traceback_left_behind_goes_with_the_function() -> None:
    functions = compile_functions("gone", "def divide(value):\n    return 1 / value", {})
    path = functions["divide"].__code__.co_filename
    try:
        functions["divide"](0)
    except ZeroDivisionError:
        traceback.format_exc()
    assert path in linecache.cache
    functions.clear()
    gc.collect()
    assert path not in linecache.cache


def test_a_replaced_function_is_the_same_object_and_shows_its_new_lines() -> None:
    replaceable = ReplaceableFunction("two", "def call():\n    return call_§()", {"call_§": lambda: 1})
    function = replaceable.function
    assert function() == 1
    replaceable.replace("def call():\n    # other\n    return 1 / call_§()", {"call_§": lambda: 0})
    assert function is replaceable.function
    with pytest.raises(ZeroDivisionError) as failure:
        function()
    shown = "".join(traceback.format_exception(failure.value))
    assert "return 1 / call_2()" in shown


def test_a_thousand_replacements_leave_nothing_behind() -> None:
    class Callable:
        def __call__(self) -> int:
            return 1

    calls = [Callable() for _ in range(3)]
    alive = weakref.WeakSet(calls)
    replaceable = ReplaceableFunction("often", "def call():\n    return call_§()", {"call_§": calls.pop()})
    names = len(replaceable.function.__globals__)
    for _ in range(1_000):
        replaceable.replace("def call():\n    return call_§()", {"call_§": len})
        assert len(replaceable.function.__globals__) == names
    del calls
    assert not alive


def test_a_replaced_version_is_kept_while_a_call_runs_on_it() -> None:
    def replace_midway() -> None:
        replaceable.replace("def call():\n    return value_§", {"value_§": "new"})

    replaceable = ReplaceableFunction(
        "flight", "def call():\n    midway_§()\n    return value_§", {"midway_§": replace_midway, "value_§": "old"}
    )
    assert replaceable.function() == "old"
    assert replaceable.function() == "new"
    assert not [name for name in replaceable.function.__globals__ if name.endswith("_1")]


def test_functions_may_go_while_somebody_imports_linecache(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = compile_functions("one", "def one(): ...", {})
    monkeypatch.setitem(sys.modules, "linecache", ModuleType("linecache"))  # as it is in the middle of its import
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    del functions
    gc.collect()
    assert told == []
