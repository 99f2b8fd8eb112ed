"""Which modules can do nothing while they run but import, define and assign."""

import pytest

from plugline.discovery.inert import inert_needs

DEFINES = '''"""What many plugins are like."""
import math
from os import path, sep as separator
from typing import Any


class Plain:
    kind: str = "plain"
    fields = ("name", "city")
    numbers = [1, 2, 3, 4]

    @property
    def one(self) -> int:
        return 1

    @staticmethod
    def two(given: dict[str, int] | None = None) -> list[int]:
        return []

    def three(self):
        return super().__repr__()


class Derived(Plain):
    pass


class Wrong(ValueError):
    """Says so."""


plain = Plain()
NOTE: str = "x"
TABLE = {"a": 1, "b": Plain}
FEW = {1, 2, 3, 4}


def transform(record: dict[str, Any], *, table=TABLE) -> object:
    return eval(record["name"])
'''


def needs(text: str) -> object:
    return inert_needs(compile(text, "plugin.py", "exec", dont_inherit=True))


def test_a_module_that_imports_defines_and_assigns_is_inert() -> None:
    assert needs(DEFINES) == (("math", ()), ("os", ("path", "sep")), ("typing", ("Any",)))


def test_an_empty_module_is_inert() -> None:
    assert needs("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos.environ['A'] = 'b'",
        "import os\nos.sep",
        "import a.b as c",
        "from q import *",
        "from . import neighbour",
        "from q import z\nz[1]",
        "from q import z\n-z",
        "from q import z\ndel z.a",
        "from q import z\n{z: 1}",
        "from q import z\n{z}",
        "from q import z\nf'{z}'",
        "from q import z\ndef f(a=z()): pass",
        "from q import z\n@z\ndef f(): pass",
        "print(1)",
        "int('3')",
        "(lambda: 1)()",
        "[one for one in range(3)]",
        "import x\nif x: y = 1",
        "try:\n    import x\nexcept ImportError:\n    x = 1",
        "with open('f'): pass",
        "assert x",
        "x = 'a' * 10 ** 9",
        "__spec__ = 1",
        "__path__ = []",
        "__builtins__ = {}",
        "__annotations__ = 1",
        "__class__ = 1\nproperty = print\n@property\ndef f(): pass",
        "from q import int\nx: int[3] = 1",
        "from q import C\nclass A(C): pass",
        "from q import z\nclass A:\n    b = z",
        "class M(type): pass\nclass A(metaclass=M): pass",
        "class A:\n    def __init__(self): pass\na = A()",
        "class A:\n    def __new__(cls): pass\na = A()",
        "class A:\n    def __del__(self): pass\na = A()",
        "class A:\n    def __init_subclass__(cls): pass\nclass B(A): pass",
        "class A:\n    def __set_name__(self, owner, name): pass\na = A()\nclass B:\n    c = a",
        "class A:\n    print(1)",
        "class A:\n    class B:\n        print(1)",
        "class A:\n    from q import z\n    class B:\n        y = z",
    ],
)
def test_a_module_that_may_run_somebodys_code_is_not_inert(text: str) -> None:
    assert needs(text) is None
