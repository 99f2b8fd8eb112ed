"""One suite for the formats that keep types, by way of everything that a format may have besides reader and writer."""

import io
import math
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugline.formats.arrow import Arrow
from plugline.formats.arrows import Arrows
from plugline.formats.avro import Avro
from plugline.formats.parquet import Parquet
from plugline.formats.postgresql import Postgresql
from plugline.formats.sqlite import Sqlite
from plugline.records import Format, Record
from tests.postgres import find_programs, postgres_server

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_ints = st.integers(-(2**63), 2**63 - 1)
_floats = st.floats(allow_nan=False)
_decimals = st.decimals(-(10**15), 10**15, allow_nan=False, places=6)
_days = st.dates(date(1, 1, 1), date(9999, 12, 31))
_naive = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001
_zoned = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
_nested = st.lists(
    st.fixed_dictionaries(
        {"sku": _texts, "n": st.integers(-100, 100) | st.none(), "tags": st.lists(_texts, max_size=2)}
    ),
    max_size=3,
)

COLUMNS: dict[str, st.SearchStrategy[object]] = {
    "s": _texts,
    "i": _ints,
    "f": _floats,
    "b": st.booleans(),
    "raw": st.binary(max_size=10),
    "d": _decimals,
    "day": _days,
    "at": _naive,
    "seen": _zoned,
    "clock": st.times(),
    "items": _nested,
    "odd; name\"'": _texts,
}
RECORDS: st.SearchStrategy[list[Record]] = st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, unique=True).flatmap(
    lambda names: st.lists(st.fixed_dictionaries({name: st.none() | COLUMNS[name] for name in names}), max_size=12)
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a format writes to and reads from, which may be no file."""

    path: str
    make: Callable[[str], Format]


@pytest.fixture(scope="module")
def server() -> Iterator[str | None]:
    """Run one server for all; asked for by name, so that it is there before the first test looks what it left behind."""
    if find_programs() is None or find_spec("psycopg") is None:
        yield None
        return
    with postgres_server() as address:
        yield address


@pytest.fixture(params=["parquet", "arrow", "arrows", "avro", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, server: str | None) -> Place:
    match request.param:
        case "parquet":
            return Place(path=str(tmp_path / "a.parquet"), make=lambda name: Parquet(row_group_rows=3))
        case "arrow":
            return Place(path=str(tmp_path / "a.arrow"), make=lambda name: Arrow())
        case "arrows":
            return Place(path=str(tmp_path / "a.arrows"), make=lambda name: Arrows())
        case "avro":
            return Place(path=str(tmp_path / "a.avro"), make=lambda name: Avro(block_bytes=300))
        case "sqlite":
            return Place(path=str(tmp_path / "a.db"), make=lambda name: Sqlite(table=name))
    if server is None:
        pytest.skip("needs the programs of PostgreSQL, and psycopg")
    return Place(path=server, make=lambda name: Postgresql(table=name))


def write(form: Format, path: str, pieces: Sequence[Sequence[Record]]) -> None:
    """Write pieces as a run does, one part each."""
    columns: tuple[str, ...] | None = None
    parts: list[tuple[bytes, int]] = []
    for index, piece in enumerate(pieces):
        stream = io.BytesIO()
        writer = form.writer()
        writer.open(stream, first=index == 0, columns=columns)
        half = len(piece) // 2
        for batch in (piece[:half], piece[half:]):
            writer.write([writer.encode(record) for record in batch])
        writer.close(last=index == len(pieces) - 1)
        columns = writer.columns if columns is None else columns
        parts.append((stream.getvalue(), len(piece)))
    if hasattr(form, "open_sink"):
        sink, there = form.open_sink(path, run="a run", resume=False)
        assert there == 0
        for number, (content, count) in enumerate(parts):
            sink.add(number, content, columns=columns if count else None)
        sink.finish()
        sink.close()
        return
    output = io.BytesIO()
    if hasattr(form, "assemble"):
        form.assemble(io.BytesIO(b"".join(content for content, count in parts if count)), output, columns=columns)
    else:
        output.write(b"".join(content for content, _ in parts))
    Path(path).write_bytes(output.getvalue())


def opened(form: Format, path: str) -> AbstractContextManager[object]:
    if hasattr(form, "open_source"):
        return cast("AbstractContextManager[object]", form.open_source(path))
    return Path(path).open("rb")


def read(form: Format, path: str, pieces: Sequence[tuple[int, int]] | None = None) -> list[Record]:
    with opened(form, path) as stream:
        readers = [form.reader()] if pieces is None else [form.piece_reader(*piece) for piece in pieces]  # type: ignore[attr-defined]
        return [
            reader.decode(raw)
            for reader in readers
            for batch in reader.batches(cast("BinaryIO", stream))
            for raw in batch.raws
        ]


def drop(place: Place, name: str) -> None:
    if place.path.startswith("postgresql"):
        import psycopg

        with psycopg.connect(place.path) as connection:
            connection.execute(f'DROP TABLE IF EXISTS "{name}"')
    elif os.path.exists(place.path):
        os.unlink(place.path)


def same(one: object, other: object) -> bool:
    """Equality that tells 1 from True and 0.0 from -0.0."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


several = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)


@pytest.mark.slow
@several
@given(data=st.data())
def test_reading_what_was_written_gives_the_same_values_of_the_same_types(place: Place, data: st.DataObject) -> None:
    records = data.draw(RECORDS)
    if place.path.endswith(".avro"):  # whose names are letters and digits
        records = [{"".join(filter(str.isalpha, name)): value for name, value in row.items()} for row in records]
    if place.path.endswith(".db"):  # SQLite keeps no sign of a zero
        records = [
            {name: value + 0.0 if value == 0.0 and isinstance(value, float) else value for name, value in row.items()}
            for row in records
        ]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=3)))
    pieces = [piece for start, end in pairwise([0, *cuts, len(records)]) if (piece := records[start:end])] or [[]]
    # A column that had no value when the first part ended has no type, and later parts cannot give it one.
    first = {name for name, value in _column_values(pieces[0])}
    pieces = [[{name: row[name] if name in first else None for name in row} for row in piece] for piece in pieces]
    name = f"t{uuid.uuid4().hex}"
    form = place.make(name)
    write(form, place.path, pieces)
    try:
        if records:
            found = read(form, place.path)
            assert same(found, [row for piece in pieces for row in piece])
    finally:
        drop(place, name)


def _column_values(rows: Sequence[Record]) -> Iterator[tuple[str, object]]:
    for row in rows:
        for name, value in row.items():
            # An empty list, or a table whose fields have no value, shows no type of its own either.
            if value is not None and value != [] and not _holds_nothing(value):
                yield name, value


def _holds_nothing(value: object) -> bool:
    if isinstance(value, list):
        return not all(item["tags"] and item["n"] is not None for item in value)
    return False


def test_an_integer_among_floats_is_read_as_a_float(place: Place) -> None:
    form = place.make("mixed")
    write(form, place.path, [[{"x": 1}, {"x": 2.5}], [{"x": 3}]])
    try:
        assert same(read(form, place.path), [{"x": 1.0}, {"x": 2.5}, {"x": 3.0}])
    finally:
        drop(place, "mixed")


@pytest.mark.parametrize(
    ("before", "wrong"),
    [
        ({"x": 1}, {"x": "1"}),
        ({"x": 1}, {"x": True}),
        ({"x": 1}, {"x": 2**63}),
        ({"x": 1}, {"x": 1.5}),
        ({"x": "a"}, {"x": b"a"}),
        ({"x": b"a"}, {"x": "a"}),
        ({"x": date(2024, 5, 31)}, {"x": datetime(2024, 5, 31, 12)}),  # noqa: DTZ001
        ({"x": datetime(2024, 5, 31)}, {"x": datetime(2024, 5, 31, tzinfo=UTC)}),  # noqa: DTZ001
        ({"x": datetime(2024, 5, 31, tzinfo=UTC)}, {"x": datetime(2024, 5, 31)}),  # noqa: DTZ001
        ({"x": Decimal("1.5")}, {"x": 1.5}),
        ({"x": "a"}, {"x": object()}),
        ({"x": "a"}, {"x": "half of a pair: \ud800"}),
        ({"x": "a"}, {"x": "a", "y": 1}),
        ({"x": "a", "y": 1}, {"x": "a"}),
        ({"x": "a"}, {"y": "a"}),
        ({"x": "a"}, {"x": ["a"]}),
        ({"x": None}, {"x": 1}),
    ],
    ids=str,
)
def test_what_a_column_cannot_hold_fails_at_the_record_and_is_never_changed(
    place: Place, before: Record, wrong: Record
) -> None:
    writer = place.make("refused").writer()
    writer.open(io.BytesIO(), first=True)
    writer.write([writer.encode(before)])
    columns = writer.columns
    writer.close(last=False)
    later = place.make("refused").writer()
    later.open(io.BytesIO(), first=False, columns=columns or writer.columns)
    with pytest.raises((ValueError, TypeError)):
        later.encode(wrong)
    later.encode(before)


@pytest.mark.parametrize(
    "record", [{}, {"x": object()}, {"x": {1, 2}}, {1: "x"}, {"x": "\ud800"}, {"x": ["\ud800"]}], ids=str
)
def test_a_first_record_that_cannot_be_written_fixes_nothing(place: Place, record: Record) -> None:
    writer = place.make("first").writer()
    writer.open(io.BytesIO(), first=True)
    with pytest.raises((ValueError, TypeError)):
        writer.encode(record)
    writer.encode({"another": 1})


def test_moments_in_other_zones_stay_the_same_moments(place: Place) -> None:
    noon = datetime(2024, 5, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    form = place.make("zones")
    write(form, place.path, [[{"at": noon}, {"at": noon.astimezone(UTC)}]])
    try:
        found = [cast("datetime", record["at"]) for record in read(form, place.path)]
        assert found == [noon, noon]
        assert all(at.tzinfo is not None for at in found)
    finally:
        drop(place, "zones")


def test_positions_count_the_rows(place: Place) -> None:
    form = place.make("positions")
    write(form, place.path, [[{"n": n} for n in range(5000)]])
    try:
        with opened(form, place.path) as stream:
            reader = form.reader()
            rows = [
                batch.position(index).row
                for batch in reader.batches(cast("BinaryIO", stream))
                for index in range(len(batch.raws))
            ]
        assert rows == list(range(1, 5001))
    finally:
        drop(place, "positions")


def test_the_pieces_of_a_file_are_the_whole(place: Place) -> None:
    form = place.make("pieces")
    if not hasattr(form, "pieces"):
        pytest.skip("it is read from its beginning to its end")
    records: list[Record] = [{"n": n, "text": "x" * (n % 7)} for n in range(5000)]
    write(form, place.path, [records[:1000], records[1000:]])
    with opened(form, place.path) as stream:
        pieces = list(form.pieces(stream, 2000))
    assert len(pieces) > 1
    assert read(form, place.path, pieces) == records


def test_an_output_without_records_has_the_declared_columns(place: Place) -> None:
    form = type(place.make("empty"))(
        fields=["a", "b"], **({"table": "empty"} if "sql" in place.path or place.path.endswith(".db") else {})
    )  # type: ignore[call-arg]
    write(form, place.path, [[]])
    try:
        assert read(form, place.path) == []
    finally:
        drop(place, "empty")
