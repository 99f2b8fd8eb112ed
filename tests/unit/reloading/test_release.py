"""Old versions go at once where nobody holds anything of them, and stay where somebody does."""

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugline import Host

_TEXT = """
import contextlib, dataclasses, enum, functools, sys

def decorate(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)
    return wrapper

@decorate
def decorated(value):
    return value

@functools.lru_cache
def cached(value):
    return decorated(value)

@contextlib.contextmanager
def opened():
    yield 1

def items():
    yield SEEN

def frame():
    return sys._getframe()

SEEN = []
TABLE = {"a": decorated, "b": lambda: SEEN}

class Above:
    @property
    def shown(self):
        return SEEN

class Below(Above):
    def __init__(self):
        super().__init__()
        self.call = decorated

class Color(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Point:
    x: int = 1

below = Below()
"""
_GONE = """
class Gone:
    def method(self):
        return SEEN
"""


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _edited(folder: Path, host: Host[object], number: int, text: str = _TEXT) -> None:
    (folder / "x.py").write_text(f"NUMBER_OF_THIS = {number}\n{text}")
    assert host.reload("x").how == "adopted"


def _versions() -> set[object]:
    """Return the numbers of the versions whose names are alive."""
    named = [one for one in gc.get_objects() if type(one) is dict and type(one.get("NUMBER_OF_THIS")) is int]
    return {one["NUMBER_OF_THIS"] for one in named}


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("text", [_TEXT, "def transform(record):\n    return record\n"], ids=["odd", "plain"])
def test_what_nobody_holds_goes_without_the_collector(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.py").write_text(text)
    with Host(tmp_path) as host:
        host["x"].load()
        for number in range(1, 5):
            _edited(tmp_path, host, number, text)
            assert _versions() == {number}


HOLDS: dict[str, Callable[[Any], object]] = {
    "the names": vars,
    "the globals of a function that is gone": lambda module: module.Gone.method.__globals__,
    "a generator": lambda module: _begun(module.items()),
    "a call": lambda module: module.frame(),
    "an instance of a class that is gone": lambda module: module.Gone(),
    "a class that is gone": lambda module: module.Gone,
    "a method that is gone": lambda module: module.Gone.method,
}


def _begun(generator: Iterator[object]) -> Iterator[object]:
    next(generator)
    return generator


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("name", HOLDS)
def test_what_somebody_holds_something_of_stays_until_they_let_go(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.py").write_text(f"NUMBER_OF_THIS = 1\n{_TEXT}{_GONE}")
    with Host(tmp_path) as host:
        module = host["x"].load()
        held = HOLDS[name](module)
        assert sys.getrefcount(held) > 0
        _edited(tmp_path, host, 2)
        assert _versions() == {1, 2}
        del held
        gc.collect()
        assert _versions() == {2}
