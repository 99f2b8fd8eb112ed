import datetime
import pickle
import random
import re
import tomllib
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugline.contract.settings import KeyPath, Problem
from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place
from plugline.pipeline.toml import Document, parse


def refusal(source: str | bytes) -> Finding:
    with pytest.raises(ConfigurationError) as caught:
        parse(source, "p.toml")
    (finding,) = caught.value.findings
    return finding


def key_at(text: str, *path: str | int) -> str:
    return str(parse(text, "p").place(path, on_key=True))


def value_at(text: str, *path: str | int) -> str:
    return str(parse(text, "p").place(path))


# ----------------------------------------------------------------------------- the law


def keys() -> st.SearchStrategy[str]:
    return st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,5}", fullmatch=True), texts(), st.sampled_from(["a", "b", "c.d"]))


def texts() -> st.SearchStrategy[str]:
    awkward = st.text(alphabet="\"'\\#=[]{},. \t\n\r\x00aé😀", max_size=8)
    return st.one_of(awkward, st.text(max_size=5))


def scalars() -> st.SearchStrategy[object]:
    moments = st.datetimes(min_value=datetime.datetime(1000, 1, 1))  # noqa: DTZ001 - TOML has local times too
    return st.one_of(
        texts(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        moments,
        moments.map(datetime.datetime.date),
        moments.map(datetime.datetime.time),
    )


def tables() -> st.SearchStrategy[dict[str, object]]:
    values = st.recursive(
        scalars(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(keys(), inner, max_size=3),
            st.lists(st.dictionaries(keys(), inner, max_size=2), min_size=1, max_size=3),
        ),
        max_leaves=12,
    )
    return st.dictionaries(keys(), values, max_size=4)


class Author:
    """Writes data as TOML, each time in another of the styles that TOML allows."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.spelled: dict[KeyPath, str] = {}

    def document(self, data: Mapping[str, object]) -> str:
        text = self.noise() + "".join(self.table((), (), data)) + self.chance.choice(["", "# end", "\t"])
        text = text.replace("\n", "\r\n") if self.chance.random() < 0.3 else text
        return ("\ufeff" if self.chance.random() < 0.2 else "") + text

    def table(self, path: KeyPath, name: tuple[str, ...], data: Mapping[str, object]) -> Iterator[str]:
        later: list[tuple[str, object]] = []
        for key, value in data.items():
            header = isinstance(value, dict) or (
                isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
            )
            if header and self.chance.random() < 0.6:
                later.append((key, value))
            else:
                yield from self.pair(path, (), key, value)
        for key, value in later:
            yield from self.headed((*path, key), (*name, key), value)

    def headed(self, path: KeyPath, name: tuple[str, ...], value: object) -> Iterator[str]:
        if isinstance(value, dict):
            yield f"{self.gap()}[{self.dotted(name)}]{self.end()}"
            yield from self.table(path, name, value)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                yield f"{self.gap()}[[{self.dotted(name)}]]{self.end()}"
                yield from self.table((*path, number), name, item)

    def pair(self, path: KeyPath, before: tuple[str, ...], key: str, value: object) -> Iterator[str]:
        if isinstance(value, dict) and value and self.chance.random() < 0.5:
            for inner_key, inner in value.items():
                yield from self.pair((*path, key), (*before, key), inner_key, inner)
        else:
            key_text = self.dotted((*before, key))
            yield f"{self.gap()}{key_text}={self.gap()}{self.value((*path, key), value)}{self.end()}"

    def value(self, path: KeyPath, value: object) -> str:
        if isinstance(value, dict):
            pairs = [f"{self.dotted((key,))}={self.gap()}{self.value((*path, key), v)}" for key, v in value.items()]
            text = "{" + self.gap() + f"{self.gap()},{self.gap()}".join(pairs) + self.gap() + "}"
        elif isinstance(value, list):
            items = [self.noise() + self.value((*path, number), item) for number, item in enumerate(value)]
            comma = "," if items and self.chance.random() < 0.5 else ""
            text = "[" + f"{self.noise()},".join(items) + self.noise() + comma + self.noise() + "]"
        else:
            text = self.scalar(value)
        self.spelled[path] = text
        return text

    def scalar(self, value: object) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str):
            return self.chance.choice([*self.one_line(value), *self.many_lines(value)])
        if isinstance(value, int):
            return self.chance.choice([str(value), f"{value:_}", *([f"0x{value:x}"] if value >= 0 else [])])
        if isinstance(value, datetime.datetime):
            return value.isoformat(sep=self.chance.choice(" T")) + self.chance.choice(["", "Z", "+01:30"])
        if isinstance(value, datetime.date | datetime.time):
            return value.isoformat()
        return repr(value)

    def one_line(self, value: str) -> list[str]:
        literal = [f"'{value}'"] if not re.search(r"['\x00-\x08\x0a-\x1f\x7f]", value) else []
        return ['"' + escaped(value).replace('"', '\\"') + '"', *literal]

    def many_lines(self, value: str) -> list[str]:
        first = "\n" if value.startswith("\n") or self.chance.random() < 0.5 else ""
        # At most two quotes in a row may stand bare.
        basic = escaped(value, keep="\n").replace('"""', '""\\"')
        if self.chance.random() < 0.3 and not first:
            basic = "\\\n \t" + basic if not basic[:1].isspace() else basic
        literal = [f"'''{first}{value}'''"] if not re.search(r"'''|[\x00-\x08\x0b-\x1f\x7f]", value) else []
        return [f'"""{first}{basic}"""', *literal]

    def dotted(self, parts: tuple[str, ...]) -> str:
        return ".".join(self.gap() + self.key(part) + self.gap() for part in parts)

    def key(self, key: str) -> str:
        bare = [key, key] if re.fullmatch(r"[A-Za-z0-9_-]+", key) else []
        return self.chance.choice([*self.one_line(key), *bare])

    def gap(self) -> str:
        return self.chance.choice(["", "", " ", "\t", "  "])

    def end(self) -> str:
        return self.gap() + self.chance.choice(["\n", "\n", "# = [x] {'\n", self.noise() + "\n"])

    def noise(self) -> str:
        return self.chance.choice(["", "", "\n", ' # it\'s """ a ] } comment é\n\t', "\n\n  "])


def escaped(value: str, keep: str = "") -> str:
    def one(match: re.Match[str]) -> str:
        return match[0] if match[0] in keep else f"\\u{ord(match[0]):04X}"

    return re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", one, value.replace("\\", "\\\\"))


def paths_in(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths_in(inner, (*path, key))


def text_at(document: Document, place: Place) -> str:
    assert place.line is not None
    assert place.column is not None
    return "\n".join([document.lines[place.line - 1][place.column - 1 :], *document.lines[place.line :]])


def key_text(text: str) -> str:
    raw = re.match(r"[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*'", text)
    assert raw is not None
    [key] = tomllib.loads(f"{raw[0]} = 1")
    return key


@settings(max_examples=300, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_every_key_and_item_that_tomllib_finds_has_a_place_where_it_begins(
    data: dict[str, object], chance: random.Random
) -> None:
    author = Author(chance)
    text = author.document(data)
    expected = tomllib.loads(text.removeprefix("\ufeff"))

    document = parse(text, "p.toml")

    assert document.data == expected
    assert document.paths() == set(paths_in(expected))
    for path in document.paths():
        if isinstance(path[-1], str):
            assert key_text(text_at(document, document.place(path, on_key=True))) == path[-1]
        if path in author.spelled:
            assert text_at(document, document.place(path)).startswith(author.spelled[path])


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab=.[]{},\"'\\#\n 1é", max_size=25))
def test_any_text_is_either_read_with_all_places_or_refused_with_one(text: str) -> None:
    try:
        document = parse(text, "p.toml")
    except ConfigurationError as error:
        (finding,) = error.findings
        assert finding.code == "C105"
    else:
        assert document.paths() == set(paths_in(document.data))


# ----------------------------------------------------------------------------- places


def test_a_key_and_its_value_have_places_of_their_own() -> None:
    assert key_at("\n  a =  1", "a") == "p:2:3"
    assert value_at("\n  a =  1", "a") == "p:2:8"


def test_a_table_stands_where_its_header_names_it() -> None:
    assert value_at("x = 1\n[a.b]\n", "a", "b") == "p:2:4"
    assert key_at("[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]\n[[a.b]]", "a", 1, "b", 1) == "p:5:5"


def test_a_table_with_a_header_stands_there_though_a_table_in_it_came_first() -> None:
    assert value_at("[a.b]\n[a]\nx = 1", "a") == "p:2:2"


def test_columns_count_characters_and_no_byte_order_mark() -> None:
    assert key_at('\ufeff"é😀" = { é = 1, b = 2 }'.replace("é =", '"é" ='), "é😀", "b") == "p:1:19"
    assert key_at("\ufeffa = 1", "a") == "p:1:1"


def test_quotes_at_the_end_of_a_long_string_do_not_hide_what_follows() -> None:
    assert key_at('a = """x"""""\nb = \'\'\'\n\'\'\'\'\'\nc = """\\""""\nd = 1', "d") == "p:5:1"


def test_a_windows_file_has_the_same_places() -> None:
    assert value_at('a = """\r\n"""\r\nb = [\r\n 1,\r\n 2]\r\n', "b", 1) == "p:5:2"


def test_what_is_not_there_stands_where_it_would_be() -> None:
    text = "[run]\nx = { y = 1 }\n"
    assert value_at(text, "run", "x", "z", 3) == "p:2:1"
    assert value_at(text, "run", "missing") == "p:1:2"
    assert value_at(text, "missing") == "p"


def test_a_problem_is_shown_with_its_line() -> None:
    document = parse("a = 1\nbb = 2\n", "p.toml")
    finding = document.finding(Problem(path=("bb",), code="C103", message="2 is wrong", hint="use 3"))
    assert str(finding) == "error[C103] p.toml:2:6: 2 is wrong\n  | 2 | bb = 2\n  |   |      ^\n  hint: use 3"


def test_a_very_long_line_is_not_shown() -> None:
    document = parse(f"a = '{'x' * 1000}'", "p.toml")
    assert document.finding(Problem(path=("a",), code="C103", message="m")).source_line is None


def test_a_document_pickles() -> None:
    document = parse("[a]\nb = [1]", "p.toml")
    again = pickle.loads(pickle.dumps(document))  # noqa: S301 - our own bytes
    assert again == document
    assert again.place(("a", "b", 0)) == document.place(("a", "b", 0))


# ----------------------------------------------------------------------------- refusals


def test_what_is_not_toml_is_told_with_line_and_column() -> None:
    finding = refusal("a = 1\nb = \n")
    assert (finding.code, finding.place) == ("C105", Place("p.toml", 2, 5))
    assert finding.message == "not valid TOML: invalid value"


def test_a_file_that_ends_too_early_is_told_at_its_end() -> None:
    assert refusal("a = [1,\n  2").place == Place("p.toml", 2, 4)


def test_a_key_that_is_there_twice_is_refused() -> None:
    finding = refusal("a = 1\na = 2")
    assert finding.place.line == 2
    assert "overwrite" in finding.message


def test_a_file_that_is_not_utf8_is_refused_at_the_byte() -> None:
    finding = refusal("é = 1\né = '\xff'".encode("latin-1"))
    assert (finding.code, finding.place) == ("C105", Place("p.toml", 1, 1))
    assert "0xe9" in finding.message
    assert refusal(b"a = 1\nb = '\xc3\xa9\xff'").place == Place("p.toml", 2, 7)


def test_a_file_that_is_nested_too_deeply_is_refused() -> None:
    finding = refusal("a = " + "[" * 5000 + "]" * 5000)
    assert finding.code == "C105"
    assert "nested" in finding.message


@pytest.mark.parametrize("depth", [50, 100, 200, 300])
def test_deep_nesting_that_tomllib_accepts_never_raises(depth: int) -> None:
    document = parse("a = " + "[" * depth + "]" * depth, "p.toml")
    assert str(document.place(("a",))) == "p.toml:1:5"
