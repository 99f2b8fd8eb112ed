"""The processors that we ship, one after the other: what they make of a record, and what they refuse."""

import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.processors.cast import Cast
from plugline.processors.dedupe import Dedupe
from plugline.processors.explode import Explode
from plugline.processors.filter import Filter
from plugline.processors.join import Join
from plugline.processors.rename import Rename
from plugline.processors.sample import Sample
from plugline.processors.select import Select
from plugline.processors.validate import Validate
from plugline.records import Record
from tests.builders import ndjson, pipeline


class Transforms(Protocol):
    def transform(self, record: Record, /) -> object: ...


def through(step: Transforms, records: Sequence[Record]) -> list[Record]:
    """Pass records through, as a pipeline does."""
    passed: list[Record] = []
    for record in records:
        made = step.transform(dict(record))
        if isinstance(made, dict):
            passed.append(made)
        elif made is not None:
            assert isinstance(made, list)
            passed += made
    return passed


# ----------------------------------------------------------------------------- select


def test_select_keeps_fields_in_the_order_that_is_asked_for() -> None:
    assert list(Select(fields=["c", "a"]).transform({"a": 1, "b": 2, "c": 3}).items()) == [("c", 3), ("a", 1)]


def test_select_leaves_fields_out() -> None:
    assert Select(without=["b"]).transform({"a": 1, "b": 2}) == {"a": 1}


def test_select_says_which_fields_a_record_lacks() -> None:
    with pytest.raises(ValueError, match=r"lacks \['x', 'y'\]: it has \['a'\]"):
        Select(fields=["x", "a", "y"]).transform({"a": 1})
    with pytest.raises(ValueError, match=r"lacks \['x'\]"):
        Select(without=["x"]).transform({"a": 1})


def test_select_can_put_none_or_skip() -> None:
    assert Select(fields=["x", "a"], missing="null").transform({"a": 1}) == {"x": None, "a": 1}
    assert Select(fields=["x", "a"], missing="skip").transform({"a": 1}) == {"a": 1}
    assert Select(without=["x"], missing="skip").transform({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("fields", "without", "said"),
    [(None, None, "either 'fields' or 'without'"), (["a"], ["b"], "either"), (["a", "a"], None, "more than once")],
)
def test_select_refuses_settings_that_contradict(
    fields: list[str] | None, without: list[str] | None, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Select(fields=fields, without=without)


# ----------------------------------------------------------------------------- rename


def test_rename_keeps_the_order_and_can_swap() -> None:
    renamed = Rename(names={"a": "b", "b": "a"}).transform({"a": 1, "x": 0, "b": 2})
    assert list(renamed.items()) == [("b", 1), ("x", 0), ("a", 2)]


def test_rename_loses_no_field_to_another() -> None:
    with pytest.raises(ValueError, match=r"has \['b'\] already"):
        Rename(names={"a": "b"}).transform({"a": 1, "b": 2})
    with pytest.raises(ValueError, match=r"two fields would be named \['c'\]"):
        Rename(names={"a": "c", "b": "c"})


def test_rename_says_what_is_missing_or_skips_it() -> None:
    with pytest.raises(ValueError, match=r"lacks \['x'\]"):
        Rename(names={"x": "y"}).transform({"a": 1})
    assert Rename(names={"x": "y"}, missing="skip").transform({"a": 1}) == {"a": 1}


@given(record=st.dictionaries(st.sampled_from("abcdef"), st.integers()), pairs=st.permutations("abcdef"))
def test_rename_there_and_back_changes_nothing(record: Record, pairs: list[str]) -> None:
    there = dict(zip("abcdef", pairs, strict=True))
    back = {new: old for old, new in there.items()}
    renamed = Rename(names=there, missing="skip").transform(record)
    assert Rename(names=back, missing="skip").transform(renamed) == record


# ----------------------------------------------------------------------------- cast


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("int", "42", 42),
        ("int", " -7 ", -7),
        ("int", 3.0, 3),
        ("int", Decimal(5), 5),
        ("int", True, 1),
        ("float", "1e3", 1000.0),
        ("float", 2, 2.0),
        ("float", Decimal("0.5"), 0.5),
        ("decimal", "12.30", Decimal("12.30")),
        ("decimal", 0.1, Decimal("0.1")),
        ("bool", "Yes", True),
        ("bool", 0, False),
        ("str", 1.5, "1.5"),
        ("str", True, "true"),
        ("str", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("str", datetime(2024, 5, 31, 12, tzinfo=UTC), "2024-05-31T12:00:00+00:00"),
        ("date", "2024-05-31", date(2024, 5, 31)),
        ("date", datetime(2024, 5, 31), date(2024, 5, 31)),  # noqa: DTZ001
        ("date", " 2024-05-31 00:00:00 ", date(2024, 5, 31)),
        ("date", "2024-05-31T00:00Z", date(2024, 5, 31)),
        ("datetime", "2024-05-31T12:00:00+02:00", datetime(2024, 5, 31, 12, tzinfo=timezone(timedelta(hours=2)))),
        ("time", "12:30", time(12, 30)),
        ("bytes", "aGk=", b"hi"),
        ("json", '{"a": [1]}', {"a": [1]}),
        ("int", "", None),
        ("int", None, None),
    ],
)
def test_cast_changes_the_type(kind: str, value: object, expected: object) -> None:
    cast = Cast(types={"x": kind})  # type: ignore[dict-item]
    made = cast.transform({"x": value, "y": "as it is"})
    assert made == {"x": expected, "y": "as it is"}
    assert type(made["x"]) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "1.25"),
        ("int", 1.5),
        ("int", "1_000"),
        ("int", float("nan")),
        ("int", float("inf")),
        ("float", "a"),
        ("float", 2**53 + 1),
        ("float", 10**400),
        ("bool", "maybe"),
        ("bool", 2),
        ("decimal", "1,5"),
        ("date", "31.5.2024"),
        ("date", datetime(2024, 5, 31, 12)),  # noqa: DTZ001
        ("date", "2024-05-31 12:00:00"),
        ("date", 20240531),
        ("bytes", "?"),
        ("json", "{"),
        ("str", [1]),
    ],
)
def test_cast_refuses_what_would_lose_something(kind: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"'x' holds .*: expected "):
        Cast(types={"x": kind}).transform({"x": value})  # type: ignore[dict-item]


@pytest.mark.parametrize("text", ["2024-05-31T12:00:00.1234567", "20240531T120000,123456789Z"])
def test_cast_cuts_no_nanoseconds_off(text: str) -> None:
    with pytest.raises(ValueError, match="expected at most six digits of a second"):
        Cast(types={"at": "datetime"}).transform({"at": text})
    with pytest.raises(ValueError, match="expected at most six digits of a second"):
        Cast(types={"at": "time"}).transform({"at": text.partition("T")[2]})
    made = Cast(types={"at": "datetime"}).transform({"at": "2024-05-31T12:00:00.123456000+02:00"})
    assert made == {"at": datetime(2024, 5, 31, 12, 0, 0, 123456, timezone(timedelta(hours=2)))}


def test_cast_reads_dates_in_other_forms_and_gives_them_a_zone() -> None:
    cast = Cast(types={"at": "datetime"}, formats={"at": "%d.%m.%Y %H:%M"}, zone="Europe/Lisbon")
    assert cast.transform({"at": "31.05.2024 12:00"}) == {
        "at": datetime(2024, 5, 31, 12, tzinfo=ZoneInfo("Europe/Lisbon"))
    }


def test_cast_refuses_a_zone_that_is_none() -> None:
    with pytest.raises(ValueError, match="expected the name of a time zone"):
        Cast(types={"at": "datetime"}, zone="Nowhere/Else")


def test_cast_takes_other_texts_for_no_value() -> None:
    assert Cast(types={"x": "int"}, null=["NA", "-"]).transform({"x": "NA"}) == {"x": None}


def test_what_a_format_expects_is_told() -> None:
    with pytest.raises(ValueError, match=r"'at' holds '2024-05-31': expected a date as '%d\.%m\.%Y' writes it"):
        Cast(types={"at": "date"}, formats={"at": "%d.%m.%Y"}).transform({"at": "2024-05-31"})


@pytest.mark.parametrize("form", ["%Q", "%Y %Y", "100%"])
def test_a_format_that_nobody_knows_is_refused_before_the_first_record(form: str) -> None:
    with pytest.raises(ValueError, match="of 'at' is no format of dates"):
        Cast(types={"at": "date"}, formats={"at": form})


def test_a_time_that_the_clocks_leave_out_is_no_time() -> None:
    cast = Cast(types={"at": "datetime"}, zone="Europe/Berlin")
    with pytest.raises(ValueError, match="'at' holds '2024-03-31T02:30': the clocks of Europe/Berlin leave it out"):
        cast.transform({"at": "2024-03-31T02:30"})
    twice = cast.transform({"at": "2024-10-27T02:30"})["at"]
    assert isinstance(twice, datetime)
    assert twice.isoformat() == "2024-10-27T02:30:00+02:00"


def test_a_number_beyond_all_floats_is_not_made_infinite() -> None:
    cast = Cast(types={"x": "float"})
    with pytest.raises(ValueError, match="expected a number that a float can hold"):
        cast.transform({"x": "1e999"})
    assert cast.transform({"x": "-inf"}) == {"x": float("-inf")}


# ----------------------------------------------------------------------------- filter

_PEOPLE: list[Record] = [
    {"name": "Ann", "age": 31},
    {"name": "bob", "age": 8},
    {"name": "Cid", "age": None},
]


@pytest.mark.parametrize(
    ("field", "operator", "value", "kept"),
    [
        ("age", "==", 8, ["bob"]),
        ("age", "==", 8.0, ["bob"]),
        ("age", "!=", 8, ["Ann", "Cid"]),
        ("age", "<", 31, ["bob"]),
        ("age", ">=", 8, ["Ann", "bob"]),
        ("age", "is null", None, ["Cid"]),
        ("age", "is not null", None, ["Ann", "bob"]),
        ("age", "in", [31, 8], ["Ann", "bob"]),
        ("age", "not in", [31], ["bob", "Cid"]),
        ("name", "contains", "b", ["bob"]),
        ("name", "starts with", "A", ["Ann"]),
        ("name", "ends with", "d", ["Cid"]),
        ("name", "matches", "^[A-Z]", ["Ann", "Cid"]),
        ("name", ">", "B", ["bob", "Cid"]),
    ],
)
def test_filter_keeps_what_the_condition_holds_for(field: str, operator: str, value: object, kept: list[str]) -> None:
    step = Filter(field=field, operator=operator, value=value)  # type: ignore[arg-type]
    assert [record["name"] for record in through(step, _PEOPLE)] == kept


def test_filter_can_take_upper_and_lower_case_for_the_same() -> None:
    step = Filter(field="name", operator="in", value=["BOB", "STRASSE"], ignore_case=True)
    assert [record["name"] for record in through(step, [*_PEOPLE, {"name": "Straße"}])] == ["bob", "Straße"]


def test_filter_looks_into_lists() -> None:
    step = Filter(field="tags", operator="contains", value="x")
    assert through(step, [{"tags": ["x", "y"]}, {"tags": ["xy"]}]) == [{"tags": ["x", "y"]}]


def test_filter_refuses_to_compare_text_with_a_number() -> None:
    # The commonest mistake after reading CSV: without it, everything would be dropped, silently.
    with pytest.raises(ValueError, match="holds text '8', which cannot be compared with a number 8: cast the field"):
        Filter(field="age", operator="==", value=8).transform({"age": "8"})
    with pytest.raises(ValueError, match="a date and time with a zone"):
        Filter(field="at", operator="<", value=datetime(2024, 1, 1)).transform({"at": datetime(2024, 1, 1, tzinfo=UTC)})  # noqa: DTZ001


@pytest.mark.parametrize(
    ("operator", "value", "said"),
    [
        ("==", None, "to ask for none use 'is null'"),
        ("in", "a", "expected a list"),
        ("in", [], "at least one"),
        ("is null", 1, "expected none"),
        ("matches", "(", "regular expression"),
        ("starts with", 1, "expected text"),
        ("<", [1], "a single value"),
    ],
)
def test_filter_refuses_values_that_the_operator_cannot_take(operator: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Filter(field="x", operator=operator, value=value)  # type: ignore[arg-type]


@pytest.mark.parametrize(("missing", "kept"), [("drop", []), ("keep", [{"a": 1}])])
def test_filter_minds_records_without_the_field(missing: str, kept: list[Record]) -> None:
    assert through(Filter(field="x", operator="==", value=1, missing=missing), [{"a": 1}]) == kept  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lacks 'x'"):
        Filter(field="x", operator="==", value=1).transform({"a": 1})


# ----------------------------------------------------------------------------- dedupe

_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "a", "1", "x" * 40]), st.just(1.0)
)


@given(
    records=st.lists(st.fixed_dictionaries({"a": _scalars, "b": _scalars}), max_size=60), memory_keys=st.integers(1, 9)
)
def test_dedupe_keeps_the_first_of_each_kind_in_memory_and_on_disk(records: list[Record], memory_keys: int) -> None:
    expected: dict[str, Record] = {}
    for record in records:
        expected.setdefault(repr((record["a"], record["b"])), record)
    assert through(Dedupe(memory_keys=memory_keys), records) == list(expected.values())


@pytest.mark.slow
def test_dedupe_without_room_for_what_it_has_seen_says_so_at_once_for_each_record_and_still_knows_what_it_saw() -> None:
    # A limit on the size of files is what a full disk is to who writes; SQLite writes when its 16 MiB in memory are full.
    code = """
import resource
from plugline.processors.dedupe import Dedupe
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
step = Dedupe(memory_keys=100_000)
errors, passed, told = 0, 0, set()
for number in range(1_000_000):
    try:
        passed += step.transform({"id": f"{number:032}"}) is not None
    except OSError as error:
        told.add(str(error))
        errors += 1
assert passed + errors == 1_000_000
print(errors > 100_000, step.transform({"id": f"{5:032}"}), passed % 100_000)
print(*told)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [
        "True None 99999",
        "what has been seen cannot be put aside in the folder for temporary files: disk I/O error",
        "  hint: make room there, or name another folder in the variable TMPDIR",
    ], done.stderr


def test_dedupe_goes_by_some_fields() -> None:
    records: list[Record] = [{"id": 1, "n": 1}, {"id": 1, "n": 2}, {"id": 2, "n": 3}]
    assert [record["n"] for record in through(Dedupe(fields=["id"]), records)] == [1, 3]


def test_dedupe_does_not_mind_the_order_of_keys() -> None:
    records: list[Record] = [{"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2, "c": 1}, "a": 1}]
    assert len(through(Dedupe(), records)) == 1


def test_dedupe_does_not_take_neighbouring_values_for_each_other() -> None:
    records: list[Record] = [{"a": "x", "b": "y', 'z"}, {"a": "x', 'y", "b": "z"}]
    assert len(through(Dedupe(), records)) == 2


@pytest.mark.parametrize(("missing", "kept"), [("drop", 0), ("keep", 2)])
def test_dedupe_minds_records_without_the_field(missing: str, kept: int) -> None:
    assert len(through(Dedupe(fields=["x"], missing=missing), [{"a": 1}, {"a": 1}])) == kept  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lacks 'x'"):
        Dedupe(fields=["x"]).transform({"a": 1})


# ----------------------------------------------------------------------------- join


@pytest.fixture
def airports(tmp_path: Path) -> Path:
    path = tmp_path / "airports.csv"
    path.write_text("code,city,runways\nLIS,Lisboa,2\nOPO,Porto,1\n", encoding="utf-8")
    return path


def test_join_adds_the_fields_of_the_line(airports: Path) -> None:
    step = Join(path=airports, on={"airport": "code"}, types={"runways": "int"}, prefix="airport_")
    assert step.transform({"airport": "OPO"}) == {"airport": "OPO", "airport_city": "Porto", "airport_runways": 1}


def test_join_takes_only_some_fields(airports: Path) -> None:
    assert Join(path=airports, on="code", fields=["city"]).transform({"code": "LIS"}) == {
        "code": "LIS",
        "city": "Lisboa",
    }


@pytest.mark.parametrize(
    ("missing", "made"),
    [("null", {"code": "X", "city": None, "runways": None}), ("keep", {"code": "X"}), ("drop", None)],
)
def test_join_minds_records_without_a_line(airports: Path, missing: str, made: Record | None) -> None:
    assert Join(path=airports, on="code", missing=missing).transform({"code": "X"}) == made  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"airports.csv' has no record for 'X'"):
        Join(path=airports, on="code").transform({"code": "X"})


@pytest.mark.parametrize("name", ["lines.ndjson", "lines.json", "lines.jsonl"])
def test_join_can_make_a_record_of_each_line(tmp_path: Path, name: str) -> None:
    lines = [{"id": 1, "part": "a"}, {"id": 1, "part": "b"}]
    text = json.dumps(lines) if name.endswith(".json") else "".join(f"{json.dumps(line)}\n" for line in lines)
    (tmp_path / name).write_text(text, encoding="utf-8")
    step = Join(path=tmp_path / name, on="id", several="all")
    assert step.transform({"id": 1}) == [{"id": 1, "part": "a"}, {"id": 1, "part": "b"}]
    assert Join(path=tmp_path / name, on="id", several="first").transform({"id": 1}) == {"id": 1, "part": "a"}
    with pytest.raises(ValueError, match="has the key 1, as one before it: set 'several'"):
        Join(path=tmp_path / name, on="id")


def test_join_says_that_keys_of_other_types_never_match(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x\n1,a\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"'id' holds 1 \(int\), and the keys of .* are str: set 'types'"):
        Join(path=tmp_path / "a.csv", on="id", missing="null").transform({"id": 1})


def test_join_does_not_take_a_truth_value_for_a_number(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson({"n": 1, "name": "one"}, {"n": 0, "name": "none"}))
    (tmp_path / "b.ndjson").write_bytes(ndjson({"n": True, "name": "yes"}))
    numbers = Join(path=tmp_path / "a.ndjson", on="n", missing="keep")
    assert numbers.transform({"n": 1.0}) == {"n": 1.0, "name": "one"}
    for truth in (True, False):
        with pytest.raises(ValueError, match=r"holds (True|False) \(bool\), and the keys of '.*' are int"):
            numbers.transform({"n": truth})
    with pytest.raises(ValueError, match=r"holds 1 \(int\), and the keys of '.*' are bool"):
        Join(path=tmp_path / "b.ndjson", on="n").transform({"n": 1})


class Level(IntEnum):
    LOW = 1


class Kind(StrEnum):
    X = "x"


def test_join_takes_members_of_enumerations_for_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text(
        '{"n": 1, "kind": "x", "to": 5}\n{"n": true, "kind": "y", "to": 6}\n', encoding="utf-8"
    )
    step = Join(path=tmp_path / "a.ndjson", on=["n", "kind"])
    assert step.transform({"n": Level.LOW, "kind": Kind.X}) == {"n": 1, "kind": "x", "to": 5}


def test_join_says_that_a_key_is_a_list(airports: Path) -> None:
    with pytest.raises(ValueError, match="expected text, numbers or dates, and no list"):
        Join(path=airports, on={"airport": "code"}).transform({"airport": ["LIS"]})


def test_join_knows_the_fields_of_a_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("code,city\n")
    assert Join(path=tmp_path / "a.csv", on="code", missing="null").transform({"code": "LIS"}) == {
        "code": "LIS",
        "city": None,
    }
    with pytest.raises(ValueError, match=r"the header of '.*' lacks \['cod'\]"):
        Join(path=tmp_path / "a.csv", on="cod")


def test_join_does_not_write_over_a_field(airports: Path) -> None:
    with pytest.raises(ValueError, match="has 'city' already"):
        Join(path=airports, on="code").transform({"code": "LIS", "city": "?"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("code,city\nLIS\n", "line 2 .* has 1 fields: expected 2"),
        ("city\nLisboa\n", r"record 1 .* lacks \['code'\]"),
        ('code,city\nLIS,"a\n', "line 2 .* is no row of CSV"),
        ("code,city,city\nLIS,a,b\n", r"the header of '.*' names \['city'\] more than once"),
    ],
)
def test_join_refuses_a_file_that_is_broken(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        Join(path=tmp_path / "a.csv", on="code")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8"])
def test_join_reads_what_a_spreadsheet_writes(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(f"article;name\r\n1;Bürste\r\n2;{'ü' * 200_000}\r\n".encode(encoding))
    step = Join(path=path, on="article", delimiter=";", encoding=encoding)
    assert step.transform({"article": "1"}) == {"article": "1", "name": "Bürste"}
    with pytest.raises(ValueError, match="set 'delimiter' to ';'"):
        Join(path=path, on="article", encoding=encoding)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "code,city\n1,Köln\n".encode("cp1252"), r"a\.csv': is no utf-8 text, it holds the byte 0xf6: set"),
        ("a.ndjson", b'{"code": "\xff"}\n', r"a\.ndjson': is no utf-8 text, it holds the byte 0xff: set 'encoding'"),
        ("a.csv", b"", r"a\.csv': expected a header, its first line is empty"),
        ("a.csv.gz", gzip.compress(b"code,city\n1,2\n")[:-9], r"a\.csv\.gz': cannot be read: Compressed file ended"),
        ("a.csv.gz", gzip.compress(bytes(10))[:10] + b"\xff" * 20, r"a\.csv\.gz': cannot be read: Error -3"),
    ],
)
def test_join_names_the_file_that_it_cannot_read(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        Join(path=tmp_path / name, on="code")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"delimiter": "::"}, "delimiter '::': expected one character"),
        ({"encoding": "latin-15"}, "encoding 'latin-15': expected the name of one"),
    ],
)
def test_join_says_which_of_its_settings_are_wrong(airports: Path, settings: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Join(path=airports, on="code", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "said"), [("a.ndjson", "line 2 of '.*a.ndjson'"), ("a.json", "'.*a.json'")])
def test_join_says_where_a_file_is_no_json(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_text('{"code": "LIS"}\n{"code":\n', encoding="utf-8")
    with pytest.raises(ValueError, match=f"{said} is no JSON: "):
        Join(path=tmp_path / name, on="code")


# ----------------------------------------------------------------------------- explode


def test_explode_makes_a_record_of_each_item() -> None:
    step = Explode(field="tags", as_="tag", index="number")
    assert step.transform({"id": 1, "tags": ["a", "b"]}) == [
        {"id": 1, "tag": "a", "number": 0},
        {"id": 1, "tag": "b", "number": 1},
    ]


def test_explode_merges_tables() -> None:
    step = Explode(field="lines", merge=True)
    assert step.transform({"id": 1, "lines": [{"part": "a"}, {"part": "b"}]}) == [
        {"id": 1, "part": "a"},
        {"id": 1, "part": "b"},
    ]
    with pytest.raises(ValueError, match=r"item 0 of 'lines' has \['id'\], as the record has"):
        step.transform({"id": 1, "lines": [{"id": 2}]})
    with pytest.raises(ValueError, match="expected a table to merge"):
        step.transform({"id": 1, "lines": [2]})


@pytest.mark.parametrize("items", [None, [], ()])
def test_explode_minds_lists_without_items(items: object) -> None:
    assert Explode(field="x").transform({"x": items}) is None
    assert Explode(field="x", empty="null").transform({"x": items}) == {"x": None}
    with pytest.raises(ValueError, match="is empty"):
        Explode(field="x", empty="error").transform({"x": items})


@pytest.mark.parametrize("items", ["text", 1, {"a": 1}])
def test_explode_refuses_what_is_no_list(items: object) -> None:
    with pytest.raises(ValueError, match="expected a list"):
        Explode(field="x").transform({"x": items})


def test_explode_does_not_write_the_number_of_an_item_over_a_field() -> None:
    with pytest.raises(ValueError, match="the record has 'n' already: expected a name for 'index' that is free"):
        Explode(field="l", index="n").transform({"l": [1], "n": 5})
    with pytest.raises(ValueError, match="the record has 'n' already"):
        Explode(field="l", index="n", merge=True).transform({"l": [{"n": 1}]})


def test_explode_loses_no_field_to_another() -> None:
    with pytest.raises(ValueError, match="has 'id' already"):
        Explode(field="x", as_="id").transform({"id": 1, "x": [2]})


# ----------------------------------------------------------------------------- sample


def test_sample_chooses_the_same_whatever_comes_before() -> None:
    records: list[Record] = [{"n": n} for n in range(2000)]
    whole = through(Sample(share=0.1), records)
    parts = through(Sample(share=0.1), records[:700]) + through(Sample(share=0.1), records[700:])
    assert whole == parts
    assert 150 < len(whole) < 250


def test_sample_chooses_others_for_another_seed() -> None:
    records: list[Record] = [{"n": n} for n in range(2000)]
    one, other = through(Sample(one_in=10), records), through(Sample(one_in=10, seed=1), records)
    assert one != other
    assert 150 < len(other) < 250


def test_sample_keeps_all_or_nothing_of_one_customer() -> None:
    records: list[Record] = [{"customer": n % 50, "n": n} for n in range(1000)]
    kept = through(Sample(share=0.5, fields=["customer"]), records)
    counts = [sum(record["customer"] == customer for record in kept) for customer in range(50)]
    assert set(counts) == {0, 20}


@pytest.mark.parametrize(("share", "kept"), [(0.0, 0), (1.0, 100)])
def test_sample_can_keep_none_and_all(share: float, kept: int) -> None:
    assert len(through(Sample(share=share), [{"n": n} for n in range(100)])) == kept


@pytest.mark.parametrize(
    ("share", "one_in", "said"), [(None, None, "either"), (0.5, 2, "either"), (1.5, None, "0 to 1"), (None, 0, "1 or")]
)
def test_sample_refuses_settings_that_say_nothing(share: float | None, one_in: int | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Sample(share=share, one_in=one_in)


# ----------------------------------------------------------------------------- validate

_SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "integer"}, "day": {"type": "string", "format": "date"}, "at": {"type": "string"}},
}


def test_validate_passes_what_fits_and_tells_all_that_does_not() -> None:
    step = Validate(schema=_SCHEMA)
    fits: Record = {"id": 1, "day": "2024-05-31"}
    assert step.transform(fits) is fits
    with pytest.raises(ValueError, match=r'id: "1" is not of type "integer"; day: "x" is not a "date"'):
        step.transform({"id": "1", "day": "x"})


def test_validate_takes_values_that_json_has_no_word_for() -> None:
    record: Record = {"id": Decimal(3), "day": date(2024, 5, 31), "at": datetime(2024, 5, 31, tzinfo=UTC)}
    assert Validate(schema=_SCHEMA).transform(record) is record
    with pytest.raises(ValueError, match="id: "):
        Validate(schema=_SCHEMA).transform({"id": date(2024, 5, 31)})


def test_validate_follows_references_to_files_and_not_into_the_network(tmp_path: Path) -> None:
    (tmp_path / "part.json").write_text('{"type": "integer"}', encoding="utf-8")
    (tmp_path / "whole.json").write_text('{"properties": {"a": {"$ref": "part.json"}}}', encoding="utf-8")
    with pytest.raises(ValueError, match='a: "x" is not of type "integer"'):
        Validate(path=tmp_path / "whole.json").transform({"a": "x"})
    with pytest.raises(ValueError, match="is not fetched"):
        Validate(schema={"$ref": "http://127.0.0.1:9/a.json"})


@pytest.mark.parametrize("schema", [{"type": "nope"}, {"properties": 1}])
def test_validate_refuses_what_is_no_schema(schema: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="the schema cannot be used"):
        Validate(schema=schema)


def test_validate_without_formats_takes_any_text_for_a_date() -> None:
    Validate(schema=_SCHEMA, formats=False).transform({"id": 1, "day": "x"})


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_dedupe_is_exact_over_all_of_a_large_input(tmp_path: Path, processes: int) -> None:
    records = [{"id": n * 7919 % 5000, "n": n, "pad": "x" * 200} for n in range(15_000)]
    job = pipeline(
        tmp_path,
        source=ndjson(*records),
        steps=['use = "dedupe"\nwith = { fields = ["id"], memory_keys = 1000 }'],
        run=f"processes = {processes}",
    )
    job.run()
    first: dict[int, dict[str, object]] = {}
    for record in records:
        first.setdefault(record["id"], record)  # type: ignore[arg-type]
    assert job.records == list(first.values())
