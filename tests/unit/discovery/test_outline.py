"""What an outline says, the syntax tree says too."""

import sys
import warnings
from pathlib import Path

import pytest

from plugline.contract.interface import interfaces_of
from plugline.contract.shape import Shape
from plugline.discovery.facts import SourceFacts
from plugline.discovery.known import Outline
from plugline.discovery.outline import NOTHING, outline_fits, outline_of
from plugline.discovery.source import parse_source, read_facts
from plugline.files import SourceFile
from plugline.findings import Finding

pytestmark = pytest.mark.skipif(
    outline_of(compile("def f(): pass", "f", "exec")) == NOTHING, reason="this Python's code objects are not read"
)
SAID = ("PLUGIN_NAME", "VERSION", "__version__", "REQUIRED_API_VERSION")


def both(source: str) -> tuple[Outline, SourceFacts]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outline = outline_of(compile(source, "plugin.py", "exec", dont_inherit=True))
    tree = parse_source(SourceFile("plugin.py", source.encode()))
    assert not isinstance(tree, Finding)
    return outline, read_facts(SourceFile("plugin.py", source.encode()), tree)[0]


def contradictions(outline: Outline, facts: SourceFacts) -> list[object]:
    """Return what the outline says and the syntax tree does not."""
    said, functions, classes = outline
    wrong: list[object] = []
    if said is not None:
        wrong += [("summary", said[0], facts.summary)] if said[0] != facts.summary else []
        wrong += [
            (name, value, facts.constants.get(name))
            for name, value in zip(SAID, said[1:], strict=True)
            if value != facts.constants.get(name)
        ]
    for name, parameters, literal in functions:
        function = facts.find_function(name)
        if name not in facts.bound and name != "__doc__":
            wrong.append(("not bound", name))
        if function is not None and function.shape is not None:
            wrong += _shape_contradictions(name, parameters, function.shape)
        if not literal and name in facts.constants:
            wrong.append(("a literal", name))
    known = {one.name: one for one in facts.classes}
    for name, members, bases in classes:
        if name not in known:
            wrong.append(("no class", name))
        elif "*" not in known[name].bases and "?" not in known[name].bases:
            methods = {one.name for one in known[name].methods}
            wrong += [
                ("no method", name, one)
                for one, _, literal in members
                if not literal and one[0] != "_" and one not in methods
            ]
            wrong += [("unseen", name, one) for one in methods - {one[0] for one in members} if one[0] != "_"]
            wrong += [("no base", name, one) for one in known[name].bases if one.partition(".")[0] not in bases]
    return wrong


def _shape_contradictions(name: str, parameters: object, shape: Shape) -> list[object]:
    if parameters is None:
        return [("its parameters can be seen", name)]
    given = Shape(*parameters)  # type: ignore[misc]
    at_worst = given.required >= shape.required and set(given.required_keywords) >= set(shape.required_keywords)
    same = (given.positional, given.open_positional, given.open_keywords, given.keywords) == (
        shape.positional,
        shape.open_positional,
        shape.open_keywords,
        shape.keywords,
    )
    return [] if at_worst and same else [(name, given, shape)]


# Without hashlib, which assigns to __doc__ where others have a docstring: that is one to Python, and so to the outline.
STANDARD_LIBRARY = [path for path in sorted(Path(warnings.__file__).parent.glob("*.py"))[::4] if path.stem != "hashlib"]


@pytest.mark.parametrize("path", STANDARD_LIBRARY, ids=lambda path: path.stem)
def test_the_outline_of_a_standard_module_says_what_its_syntax_tree_says(path: Path) -> None:
    assert contradictions(*both(path.read_text(encoding="utf-8"))) == []


PLAIN = '"""Doc."""\nVERSION = "1.0"\ndef transform(record): return record\n'


@pytest.mark.parametrize(
    "source",
    [
        PLAIN,
        PLAIN + "VERSION = VERSION or '2'\n",
        PLAIN + "from x import __doc__\n",
        "import x\nVERSION = '1' if x else '2'\n",
        "import x\nVERSION = x and '2'\n",
        "import x\nVERSION = x() and '2'\n",
        "import x\nVERSION = x() or '2'\n",
        "import x\nVERSION = x() if x else '2'\n",
        "import x\nVERSION = x() < x() < '2'\n",
        "import x\nVERSION = (x(), '2')[1]\n",
        "import x\nVERSION = (y := x()) and '2'\n",
        "from x import y\nVERSION = '1'\n",
        "import x\nx()\nVERSION = '1'\n",
        "import x\nwith x(): pass\nVERSION = '1'\n",
        "import x\nwith x(): VERSION = '1'\n",
        "import x\nx() and 1\nVERSION = '1'\n",
        "A = VERSION = '1'\n",
        "VERSION = A = '1'\n",
        "if 0:\n    VERSION = '1'\n",
        "try:\n    VERSION = '1'\nexcept Exception:\n    pass\n",
        "PLUGIN_NAME, VERSION = 'a', 'b'\n",
        "VERSION: str = '1'\n",
        "VERSION = 1\n",
        "del VERSION\nVERSION = '1'\n",
        "for VERSION in 'ab': pass\n",
        "with open('x') as VERSION: pass\n",
        "from y import VERSION\n",
        "import y as VERSION\n",
        "(VERSION := '1')\n",
        "def f():\n    global VERSION\n    VERSION = '1'\n",
        "def describe():\n    return 'text'\n",
        "def describe():\n    'doc'\n    return 'text'\n",
        "def describe():\n    return 'a' if describe else 'b'\n",
        "def describe():\n    if describe: return 'a'\n    else: return 'b'\n",
        "class A:\n    def describe(self): return 'text'\n",
        "@staticmethod\ndef transform(a, b): pass\n",
        "def transform(a): pass\ndel transform\n",
        "if x:\n    def transform(a): pass\nelse:\n    def transform(a, b): pass\n",
        "transform = lambda a: a\n",
        "def transform(a, /, b=[], *c, d, e={}, **f) -> dict[str, int]: pass\n",
        "def transform(a: int = 1, *, b: str = 'x'): pass\n",
        "class A(B): pass\nclass C(metaclass=D): pass\nclass _E(F): pass\n",
        "class A(B, C, metaclass=D): pass\n",
        "@d\nclass A(B): pass\n",
        "",
        "'''\n\n  First line  \nsecond'''\n",
        "\n".join(f"name_{number} = {number}" for number in range(300)) + "\nVERSION = '1'\ndef transform(a): pass\n",
    ],
)
def test_the_outline_says_nothing_that_the_syntax_tree_does_not(source: str) -> None:
    assert contradictions(*both(source)) == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
def test_a_function_with_type_parameters_is_left_to_the_syntax_tree() -> None:
    outline, facts = both("def transform[T](a: T, b: T) -> T: return a\nclass A[T](list[T]): pass\n")
    assert contradictions(outline, facts) == []
    assert not outline_fits(outline, interfaces_of(["transform"]))


def test_a_plain_plugin_is_proved_to_fit() -> None:
    outline, _ = both(PLAIN)
    assert outline[0] == ("Doc.", None, "1.0", None, None)
    assert outline_fits(outline, interfaces_of(["transform"]))
    assert not outline_fits(outline, interfaces_of(["transform", "describe"]))


def test_a_class_is_proved_to_fit_by_its_methods_and_never_by_its_bases() -> None:
    outline, _ = both("class Upper(Step):\n    def transform(self, record): return record\n")
    assert outline_fits(outline, interfaces_of(["transform"]))

    class Step:
        pass

    assert not outline_fits(outline, interfaces_of(Step))


@pytest.mark.parametrize("before", ["import a", "from a import b", "import a\na()", "import a.b as c", "A = 1"])
def test_a_version_is_read_from_the_code_whatever_statement_is_before_it(before: str) -> None:
    outline, _ = both(f"{before}\nVERSION = '1.0'\n")
    assert outline[0] is not None
    assert outline[0][2] == "1.0"
