import codecs
import warnings

import pytest

from plugline.contract.shape import Shape
from plugline.discovery.facts import SourceFacts
from plugline.discovery.source import parse_source, read_facts
from plugline.files import SourceFile
from plugline.findings import Finding


def source(text: str | bytes) -> SourceFile:
    return SourceFile("plugins/a.py", text if isinstance(text, bytes) else text.encode())


def facts(text: str | bytes) -> SourceFacts:
    given = source(text)
    tree = parse_source(given)
    assert not isinstance(tree, Finding), tree
    found, findings = read_facts(given, tree)
    assert not findings
    return found


def refused(text: str | bytes) -> Finding:
    tree = parse_source(source(text))
    assert isinstance(tree, Finding)
    return tree


# ---- what cannot be read


def test_a_syntax_error_has_its_line_its_column_and_the_text_of_the_line() -> None:
    found = refused("x = 1\ndef f(:\n    pass\n")
    assert (found.code, str(found.place)) == ("P106", "plugins/a.py:2:7")
    assert str(found).splitlines()[1:3] == ["  | 2 | def f(:", "  |   |       ^"]


def test_a_syntax_error_over_several_lines_shows_one() -> None:
    assert "\n" not in (refused("x = '''abc\ndef\n").source_line or "")


def test_an_indentation_error_is_called_one() -> None:
    assert refused("def f():\nreturn 1\n").message.startswith("IndentationError: ")


def test_a_nul_byte_is_placed() -> None:
    found = refused(b"x = 1\ny = \0\n")
    assert (found.code, str(found.place)) == ("P105", "plugins/a.py:2:5")


def test_bytes_that_are_not_utf_8_are_placed() -> None:
    found = refused("x = 1\ny = 'grüß'\n".encode("latin-1"))
    assert (found.code, str(found.place)) == ("P105", "plugins/a.py:2:8")
    assert "0xfc" in found.message


@pytest.mark.parametrize("cookie", ["klingon", "rot13", "base64", "idna"])
def test_an_encoding_that_is_none_for_text_is_a_finding(cookie: str) -> None:
    assert refused(f"# -*- coding: {cookie} -*-\nx = 'ü'\n").code == "P105"


def test_utf_16_is_a_finding() -> None:
    found = refused(codecs.BOM_UTF16_LE + "x = 1\n".encode("utf-16-le"))
    assert (found.code, found.message) == ("P105", "is in UTF-16, UTF-8 was expected")


def test_a_declared_encoding_is_followed() -> None:
    assert facts("# -*- coding: latin-1 -*-\nVERSION = 'ü'\n".encode("latin-1")).constants["VERSION"] == "ü"


def test_a_byte_order_mark_is_no_fault() -> None:
    assert facts(codecs.BOM_UTF8 + b"'''Says it.'''\nX = 1\n").summary == "Says it."


@pytest.mark.parametrize(
    "text",
    ["x = " + "-" * 100_000 + "1", "x = " + "(" * 300 + ")" * 300, "x = " + "[" * 5000],
    ids=["minus", "parentheses", "lists"],
)
def test_what_is_nested_too_deeply_for_the_parser_is_a_finding(text: str) -> None:
    assert refused(text).code == "P106"


def test_what_is_nested_too_deeply_for_us_is_a_finding() -> None:
    given = source("class A(" + ".".join("a" * 1500) + "): pass")
    tree = parse_source(given)
    if isinstance(tree, Finding):
        assert tree.code == "P106"
    else:
        assert [finding.code for finding in read_facts(given, tree)[1]] == ["P106"]


def test_a_warning_about_the_text_is_nothing_that_a_listing_minds() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert facts(r"X = '\d'" + "\nY = 1 is 1\n").constants["X"] == r"\d"


def test_an_empty_file_is_a_module_that_shows_nothing() -> None:
    assert facts("").bound == frozenset()


# ---- what is shown


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ('"""One.\n\nMore."""', "One."),
        ("'''\n  One.\n'''", "One."),
        ("def describe():\n    return 'shout: shouts'", "shout: shouts"),
        ("'''Doc.'''\ndef describe():\n    return 'x'", "Doc."),
        ("def describe():\n    return f'{3}'", ""),
        ("class Shout:\n    def describe(self):\n        return 'shouts'", "shouts"),
        ("class _Shout:\n    def describe(self):\n        return 'shouts'", ""),
        ("x = 1", ""),
        ("'''   '''", ""),
        ("'One\\x1b[2J\\ttwo'", "One\\x1b[2J two"),
    ],
)
def test_the_summary_is_the_docstrings_first_line_else_the_literal_that_describe_returns(
    text: str, summary: str
) -> None:
    assert facts(text).summary == summary


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'1.0'", "1.0"),
        ("-3", -3),
        ("(1, [2, {'a': None}])", (1, [2, {"a": None}])),
        ("{}", {}),
        ("b'x'", b"x"),
    ],
)
def test_literals_are_constants(literal: str, value: object) -> None:
    found = facts(f"\nX = {literal}\n")
    assert found.constants == {"X": value}
    assert found.constant_lines == {"X": 2}


@pytest.mark.parametrize("expression", ["f()", "[f()]", "{'a': f()}", "{**a}", "{[]: 1}", "1 + 1", "f'{x}'", "a.b"])
def test_what_would_have_to_be_run_is_no_constant_but_is_bound(expression: str) -> None:
    found = facts(f"X = {expression}")
    assert found.constants == {}
    assert "X" in found.bound


@pytest.mark.parametrize(
    "later", ["X = compute()", "def X(): ...", "class X: ...", "X += 'a'", "for X in y: ...", "del X", "(X := 3)"]
)
def test_a_name_that_is_bound_again_is_no_constant_any_more(later: str) -> None:
    assert "X" not in facts(f"X = '1.0'\n{later}\n").constants


def test_a_function_that_is_put_in_anothers_place_has_its_shape() -> None:
    found = facts("def f(a, b): ...\ndef f(a): ...\n")
    function = found.find_function("f")
    assert function is not None
    assert function.shape == Shape(("a",), 1)


def test_a_function_that_is_assigned_again_has_no_shape_that_could_be_seen() -> None:
    found = facts("def f(a, b): ...\nf = partial(f, b=1)\n")
    assert found.find_function("f") is None
    assert "f" in found.bound


@pytest.mark.parametrize(
    "text",
    [
        "if x:\n    def f(a): ...\nelse:\n    def f(a, b): ...\n",
        "def f(a): ...\ntry:\n    def f(a, b): ...\nexcept E: ...\n",
        "@wraps(g)\ndef f(a, b): ...\n",
    ],
)
def test_a_function_that_may_be_another_one_has_no_shape(text: str) -> None:
    function = facts(text).find_function("f")
    assert function is not None
    assert function.shape is None


@pytest.mark.parametrize(
    "text",
    [
        "a = b = f = 1",
        "(a, [f, *b]) = x",
        "f: int = 3",
        "for f in x: ...",
        "with x as f: ...",
        "if x:\n    f = 1",
        "try:\n    f = 1\nfinally: ...",
        "match x:\n    case 1:\n        f = 1",
        "while x:\n    f = 1",
        "print(f := 3)",
        "if (f := 3) > 2: ...",
        "while f := x(): ...",
        "for a in (f := x()): ...",
        "with (f := x()): ...",
        "a += (f := 3)",
        "assert (f := 3)",
        "match (f := x()):\n    case 1: ...",
        "match x:\n    case a if (f := a): ...",
        "match x:\n    case f: ...",
        "match x:\n    case [a, *f]: ...",
        "match x:\n    case {'a': [b, c], **f}: ...",
        "match x:\n    case A(b=1 | 2 as f): ...",
        "try: ...\nexcept (f := E): ...",
        "@(f := x)\ndef a(): ...",
        "def a(b=(f := 3)): ...",
        "class A(f := B): ...",
        "from . import f",
        "from .a import b as f",
        "def setup():\n    global f\n    f = 1",
    ],
)
def test_every_way_to_bind_a_name_is_seen(text: str) -> None:
    assert "f" in facts(text).bound


def test_what_is_imported_from_elsewhere_is_told_apart() -> None:
    found = facts("import a.b, c as d\nfrom e import f as g\nfrom h import i\ni = 1\n")
    assert found.imported == {"a", "d", "g"}


def test_an_annotation_alone_binds_nothing() -> None:
    assert facts("f: int\n").bound == frozenset()


def test_a_deleted_name_is_not_there() -> None:
    assert "f" not in facts("def f(): ...\ndel f\n").bound


@pytest.mark.parametrize(
    "text",
    [
        "from x import *",
        "globals()['f'] = g",
        "globals().update(f=g)",
        "exec('f = 1')",
        "for n in 'ab':\n    globals()[n] = g",
        "def __getattr__(name): ...",
        "import sys\nsys.modules[__name__] = g",
        "x = vars()",
        "setattr(m, 'f', g)",
    ],
)
def test_names_that_cannot_be_seen_make_a_module_dynamic(text: str) -> None:
    assert facts(text).dynamic


def test_an_ordinary_module_is_not_dynamic() -> None:
    assert not facts("import sys\nX = sys.argv\ndef f():\n    return vars(X)\n").dynamic


def test_imports_are_seen_wherever_they_stand() -> None:
    found = facts("import a\ntry:\n    import b\nexcept ImportError: ...\ndef f():\n    from .c import d\n")
    assert [(one.module, one.level, one.names, one.line, one.certain) for one in found.imports] == [
        ("a", 0, (), 1, True),
        ("b", 0, (), 3, False),
        ("c", 1, ("d",), 6, False),
    ]


def test_a_class_is_shown_with_its_bases_methods_and_attributes() -> None:
    (found,) = facts(
        "class A(b.C[int]):\n    '''Does it.\n    '''\n    x: int\n    y = 1\n    def f(self, a): ...\n"
        "    @staticmethod\n    def g(a): ...\n    @property\n    def h(self): ...\n"
    ).classes
    assert (found.name, found.bases, found.attributes, found.summary) == ("A", ("b.C",), ("x", "y"), "Does it.")
    assert {method.name: method.shape for method in found.methods} == {
        "f": Shape(("a",), 1),
        "g": Shape(("a",), 1),
        "h": None,
    }


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("@register\nclass A: ...", "?"),
        ("class A(metaclass=M): ...", "?"),
        ("@functools.total_ordering\nclass A: ...", "*"),
        ("class A(metaclass=abc.ABCMeta): ...", "*"),
        ("class A(total=False): ...", "*"),
        ("class A:\n    if x:\n        def f(self): ...", "*"),
        ("class A:\n    from x import f", "*"),
        ("class A:\n    for n in x: ...", "*"),
    ],
)
def test_a_class_that_may_have_more_than_its_body_shows_says_so(text: str, base: str) -> None:
    assert facts(text).classes[0].bases == (base,)


@pytest.mark.parametrize("decorator", ["dataclass", "dataclass(frozen=True)", "dataclasses.dataclass(slots=True)"])
def test_a_dataclass_has_no_more_methods_than_its_body_shows(decorator: str) -> None:
    assert facts(f"@{decorator}\nclass A:\n    x: int\n").classes[0].bases == ()
