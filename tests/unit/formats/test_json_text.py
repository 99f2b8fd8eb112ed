"""What the formats of JSON make of values that JSON has no word for, alike in both."""

import io
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.formats.json import Json
from plugline.formats.ndjson import Ndjson
from plugline.records import Format, Record
from tests.builders import pipeline, processor

FORMS: list[Format] = [Ndjson(), Json()]


def text(form: Format, record: Record) -> object:
    line = form.writer().encode(record)
    assert isinstance(line, bytes)
    return json.loads(line)


@pytest.mark.parametrize("form", FORMS)
@given(moment=st.datetimes(timezones=st.none() | st.just(UTC)), clock=st.times(), day=st.dates())
def test_times_are_iso_8601_to_the_microsecond(form: Format, moment: datetime, clock: time, day: date) -> None:
    told = text(form, {"m": moment, "t": clock, "d": day})
    assert told == {"m": moment.isoformat(), "t": clock.isoformat(), "d": day.isoformat()}


@pytest.mark.parametrize("form", FORMS)
def test_an_offset_keeps_its_seconds(form: Format) -> None:
    moment = datetime(1890, 1, 1, tzinfo=timezone(timedelta(minutes=-36, seconds=-45)))
    assert text(form, {"m": moment}) == {"m": "1890-01-01T00:00:00-00:36:45"}


REFUSED = [
    ({"a": 1, "total": Decimal("1.10")}, "field 'total' holds Decimal('1.10'), and JSON has no Decimal"),
    ({"a": {"b": [0, b"\xff"]}}, r"field 'a.b[1]' holds b'\xff', and JSON has no bytes"),
    ({"a": 2**64}, "field 'a' holds 18446744073709551616, which has more than 64 bits: integers = 'exact' writes it"),
    ({"a": "\ud800"}, "field 'a' holds '\\ud800', which JSON cannot: str is not valid UTF-8"),
]


@pytest.mark.parametrize(("record", "said"), REFUSED)
@pytest.mark.parametrize("form", FORMS)
def test_a_value_that_json_cannot_hold_is_refused_by_its_field(form: Format, record: Record, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        form.writer().encode(record)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("isolation", ["", 'isolation = "process"'])
@pytest.mark.slow
def test_a_dead_letter_of_the_sink_names_the_field(isolation: str, tmp_path: Path) -> None:
    step = processor(
        "return {**record, 'n': [Decimal(2)] if record['n'] == 2 else 1}", top="from decimal import Decimal"
    )
    lines = b"".join(b'{"n":%d}\n' % number for number in range(4))
    made = pipeline(tmp_path, plugins={"step.py": step}, source=lines, steps=[f'use = "step"\n{isolation}'])
    assert made.run().failed == 1
    (letter,) = [json.loads(line) for line in (tmp_path / "out.errors.ndjson").read_bytes().splitlines()]
    assert letter["error"]["message"].startswith("field 'n[0]' holds Decimal('2'), and JSON has no Decimal")
    assert letter["record"] == {"n": 2}


@pytest.mark.slow
def test_of_a_fan_out_the_record_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    step = processor("return [{'n': 1}, {'n': 1, 'bad': {1}}]")
    made = pipeline(tmp_path, plugins={"step.py": step}, source=b'{"n":0}\n', steps=["step"])
    assert made.run().failed == 1
    (letter,) = [json.loads(line) for line in (tmp_path / "out.errors.ndjson").read_bytes().splitlines()]
    assert letter["error"]["message"].startswith("field 'bad' holds {1}, and JSON has no set")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", [Ndjson, Json])
def test_what_is_no_number_is_null_or_refused(kind: type[Ndjson] | type[Json], value: float) -> None:
    assert text(kind(), {"a": value}) == {"a": None}
    strict = kind(nan="error")
    assert text(strict, {"a": None, "b": "null", "c": 1.5}) == {"a": None, "b": "null", "c": 1.5}
    with pytest.raises(ValueError, match=r"field 'a\.b\[1\]' holds -?(nan|inf), which is no number in JSON"):
        strict.writer().encode({"a": {"b": [None, value]}})


def read(form: Format, content: bytes) -> list[object]:
    reader = form.reader()
    return [reader.decode(raw) for batch in reader.batches(io.BytesIO(content)) for raw in batch.raws]


NUMBERS = st.integers() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.parametrize("kind", [Ndjson, Json])
@given(value=VALUES)
def test_integers_of_any_size_are_kept_where_that_is_asked_for(kind: type[Ndjson] | type[Json], value: object) -> None:
    form = kind(integers="exact")
    line = form.writer().encode({"a": value})
    assert isinstance(line, bytes)
    (found,) = read(form, line)
    # As the standard library reads it, to the type.
    assert repr(found) == repr(json.loads(line)) == repr({"a": value})


@pytest.mark.parametrize("kind", [Ndjson, Json])
def test_integers_beyond_64_bits_are_floats_where_nothing_is_asked_for(kind: type[Ndjson] | type[Json]) -> None:
    (found,) = read(kind(), b'{"a":18446744073709551615,"b":-9223372036854775808,"c":18446744073709551616}')
    assert repr(found) == "{'a': 18446744073709551615, 'b': -9223372036854775808, 'c': 1.8446744073709552e+19}"


@pytest.mark.parametrize("kind", [Ndjson, Json])
def test_exact_integers_change_nothing_else(kind: type[Ndjson] | type[Json]) -> None:
    form = kind(integers="exact", nan="error")
    assert text(form, {"d": date(2024, 2, 29), "n": [2**70, {"m": -(2**70)}], "é": None}) == {
        "d": "2024-02-29",
        "n": [2**70, {"m": -(2**70)}],
        "é": None,
    }
    with pytest.raises(TypeError, match=r"field 'b' holds Decimal\('1'\), and JSON has no Decimal"):
        form.writer().encode({"a": 2**70, "b": Decimal(1)})
    with pytest.raises(ValueError, match="field 'a' holds nan"):
        form.writer().encode({"a": float("nan"), "b": 2**70})
    reader = form.reader()
    for broken in (b'{"a":', b'{"a":1} x', b'{"a":1e999}', b'{"a":NaN}', b'{"a":"\\ud800"}', b'{"a":"\xff"}'):
        with pytest.raises(ValueError, match=r"\S"):
            reader.decode(broken)


@pytest.mark.parametrize("integers", ["64-bit", "exact"])
@pytest.mark.parametrize("levels", [254, 900, 100_000, None])
def test_a_record_that_is_nested_too_deeply_says_so_and_names_the_field(
    levels: int | None, integers: Literal["64-bit", "exact"]
) -> None:
    deep: dict[str, object] = {}
    if levels is None:
        deep["deep"] = deep  # without end
    for _ in range(levels or 0):
        deep = {"a": deep}
    with pytest.raises(TypeError) as caught:
        Ndjson(integers=integers).writer().encode({"id": 1, "deep": deep})
    assert str(caught.value) == "field 'deep' is nested too deeply to be written as JSON, which takes 254 levels"
