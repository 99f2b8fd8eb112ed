"""One suite for all formats: a new one is done when it is added to the list here."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.formats.csv import Csv
from plugline.formats.json import Json
from plugline.formats.lines import Lines
from plugline.formats.ndjson import Ndjson
from plugline.formats.tsv import Tsv
from plugline.formats.xml import Xml
from plugline.formats.yaml import Yaml
from plugline.records import Format, Position, Record
from tests.trickling import Trickle


@dataclass(frozen=True, kw_only=True)
class Case:
    """A format with the records that it can hold."""

    format: Format
    records: st.SearchStrategy[list[Record]]
    wrong: Record = field(default_factory=lambda: {"a": object()})
    slow: Record = field(default_factory=lambda: {"x": "é\n", "y": ""})


_texts = st.text(st.characters(exclude_categories=["Cs"]))
_scalars: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    _texts,
)
_values: st.SearchStrategy[object] = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3)
)
_objects: st.SearchStrategy[list[Record]] = st.lists(st.dictionaries(_texts, _values, max_size=4), max_size=8)
_rows: st.SearchStrategy[list[Record]] = st.lists(_texts, min_size=1, max_size=4, unique=True).flatmap(
    lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, _texts)), max_size=8)
)
_elements: st.SearchStrategy[list[Record]] = st.lists(
    st.dictionaries(
        st.text("abXY_", min_size=1),
        st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")),
    ),
    max_size=8,
)
_typed_rows: st.SearchStrategy[list[Record]] = st.lists(
    st.fixed_dictionaries(
        {
            "s": _texts,
            "i": st.none() | st.integers(),
            "f": st.none() | st.floats(allow_nan=False),
            "b": st.none() | st.booleans(),
            "d": st.none() | st.decimals(allow_nan=False),
            "day": st.none() | st.dates(),
            "at": st.none() | st.datetimes(timezones=st.just(UTC)) | st.datetimes(),
        }
    ),
    max_size=8,
)
_typed = Csv(
    delimiter="\t",
    types={
        "s": "str",
        "i": "int",
        "f": "float",
        "b": "bool",
        "d": "decimal",
        "day": "date",
        "at": "datetime",
    },
)
CASES = {
    "ndjson": Case(format=Ndjson(), records=_objects),
    "json": Case(format=Json(), records=_objects),
    "csv": Case(format=Csv(), records=_rows),
    "csv without header": Case(
        format=Csv(header=False, fields=["x", "y"]),
        records=st.lists(st.fixed_dictionaries({"x": _texts, "y": _texts}), max_size=8),
    ),
    "typed csv": Case(format=_typed, records=_typed_rows),
    "tsv": Case(format=Tsv(), records=_rows),
    "yaml": Case(format=Yaml(), records=_objects),
    "yaml in documents": Case(format=Yaml(documents=True), records=_objects),
    "xml": Case(format=Xml(), records=_elements),
    "lines": Case(
        format=Lines(),
        records=st.lists(
            st.fixed_dictionaries(
                {"line": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"))}
            ),
            max_size=8,
        ),
        slow={"line": "é"},
    ),
}
every_format = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def part(form: Format, records: Sequence[Record], *, first: bool, last: bool, columns: Sequence[str] | None) -> bytes:
    stream = io.BytesIO()
    writer = form.writer()
    writer.open(stream, first=first, columns=columns)
    # In two batches, of which one may be empty.
    half = len(records) // 2
    for batch in (records[:half], records[half:]):
        encoded = [writer.encode(record) for record in batch]
        kept = list(encoded)
        writer.write(encoded)
        assert encoded == kept, "the list is the caller's again"
    writer.close(last=last)
    assert not stream.closed
    return stream.getvalue()


def whole(form: Format, records: Sequence[Record]) -> bytes:
    return part(form, records, first=True, last=True, columns=None)


def read(form: Format, content: bytes) -> list[Record]:
    reader = form.reader()
    return [reader.decode(raw) for batch in reader.batches(io.BytesIO(content)) for raw in batch.raws]


def same(one: object, other: object) -> bool:
    """Equality that tells 1 from True and 0.0 from -0.0."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, dict) and isinstance(other, dict):
        # A table has one order of keys, that of its first record.
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@every_format
@given(data=st.data())
def test_reading_what_was_written_gives_the_same(case: Case, data: st.DataObject) -> None:
    records = data.draw(case.records)
    assert same(read(case.format, whole(case.format, records)), records)


@every_format
@given(data=st.data())
def test_parts_put_together_are_the_same_as_one_part(case: Case, data: st.DataObject) -> None:
    records = data.draw(case.records)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=3)))
    edges = [0, *cuts, len(records)]
    pieces = [records[start:end] for start, end in pairwise(edges)]
    # A table's columns are known before its later parts begin, so its first part holds a record if any does.
    if isinstance(case.format, Csv | Tsv) and case.format.fields is None:
        pieces = [piece for piece in pieces if piece] or [[]]
    output, some = b"", False
    for index, piece in enumerate(pieces):
        columns = None
        if index and isinstance(case.format, Csv | Tsv):
            columns = case.format.fields or list(records[0])
        separator = case.format.writer().separator if some and piece else b""
        output += separator + part(case.format, piece, first=index == 0, last=index == len(pieces) - 1, columns=columns)
        some = some or bool(piece)
    if records:
        assert output == whole(case.format, records)
    assert same(read(case.format, output), records)


@every_format
def test_an_output_without_records_is_read_as_no_records(case: Case) -> None:
    assert read(case.format, whole(case.format, [])) == []


@every_format
@given(data=st.data())
def test_positions_count_the_records(case: Case, data: st.DataObject) -> None:
    records = data.draw(case.records)
    reader = case.format.reader()
    positions: list[Position] = [
        batch.position(index)
        for batch in reader.batches(io.BytesIO(whole(case.format, records)))
        for index in range(len(batch.raws))
    ]
    assert [position.row for position in positions] == list(range(1, len(records) + 1))
    lines = [position.line or 0 for position in positions]
    assert lines == sorted(set(lines))


@every_format
def test_what_it_cannot_hold_fails_at_the_record(case: Case) -> None:
    writer = case.format.writer()
    writer.open(io.BytesIO(), first=True)
    with pytest.raises((ValueError, TypeError)):
        writer.encode(case.wrong)


@every_format
def test_a_pipe_that_is_slow_is_read_as_it_comes(case: Case) -> None:
    when = {"day": date(2024, 5, 31), "at": datetime(2024, 5, 31, 12, tzinfo=UTC)}
    record: Record = {"s": "x\ny", "i": 1, "f": 1.5, "b": True, "d": None, **when}
    if case.format is not _typed:
        record = case.slow
    content = whole(case.format, [record, record])
    reader = case.format.reader()
    found = [reader.decode(raw) for batch in reader.batches(Trickle(content, 1)) for raw in batch.raws]
    assert found == [record, record]
