"""PostgreSQL, against a server of the tests' own."""

import io
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from importlib.util import find_spec
from typing import Any, BinaryIO, Literal, cast
from uuid import UUID

import pytest

from plugline.formats.postgresql import Postgresql
from plugline.records import Broken, Record, RowsRefused
from tests.postgres import find_programs, postgres_server

if find_programs() is None or find_spec("psycopg") is None:
    pytest.skip("needs the programs of PostgreSQL, and psycopg", allow_module_level=True)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as address:
        yield address


@pytest.fixture
def database(server: str) -> Iterator[Any]:
    """Give a connection to a schema of the test's own, which is the one that names are looked up in."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        yield connection


def read(form: Postgresql, address: str) -> list[Record]:
    with form.open_source(address) as connection:
        reader = form.reader()
        return [reader.decode(raw) for batch in reader.batches(cast("BinaryIO", connection)) for raw in batch.raws]


def part(
    form: Postgresql, records: Sequence[Record], columns: Sequence[str] | None = None
) -> tuple[bytes, Sequence[str] | None]:
    stream, writer = io.BytesIO(), form.writer()
    writer.open(stream, first=columns is None, columns=columns)
    writer.write([writer.encode(record) for record in records])
    writer.close(last=False)
    return stream.getvalue(), writer.columns


def written(form: Postgresql, address: str, records: Sequence[Record], *, finish: bool = True) -> None:
    content, columns = part(form, records)
    sink, _ = form.open_sink(address, run="run", resume=False)
    sink.add(0, content, columns=columns)
    if finish:
        sink.finish()
    sink.close()


def numbers(database: Any, table: str = "t") -> list[int]:
    return [number for (number,) in database.execute(f"SELECT n FROM {table} ORDER BY n").fetchall()]  # noqa: S608


def test_values_come_as_what_their_columns_are(server: str, database: Any) -> None:
    database.execute(
        "CREATE TABLE t (n bigint, f float8, d numeric(12,2), s text, b bytea, ok boolean, day date, at timestamp,"
        " seen timestamptz, span interval, doc jsonb, tags text[])"
    )
    database.execute(
        "INSERT INTO t VALUES (1, 1.5, 12.30, 'é', '\\x00ff', true, '2024-05-31', '2024-05-31 12:00',"
        " '2024-05-31 12:00+02', '1 day 2 hours', '{\"a\": [1, null]}', '{x,y}')"
    )
    database.execute("INSERT INTO t (n) VALUES (NULL)")
    first, second = read(Postgresql(table="t"), server)
    assert first == {
        "n": 1,
        "f": 1.5,
        "d": Decimal("12.30"),
        "s": "é",
        "b": b"\x00\xff",
        "ok": True,
        "day": date(2024, 5, 31),
        "at": datetime(2024, 5, 31, 12),  # noqa: DTZ001
        "seen": datetime(2024, 5, 31, 10, tzinfo=UTC),
        "span": timedelta(days=1, hours=2),
        "doc": {"a": [1, None]},
        "tags": ["x", "y"],
    }
    assert set(second.values()) == {None}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("inet", "10.0.0.1/8"),
        ("cidr", "10.0.0.0/8"),
        ("daterange", "[2024-01-01,2024-02-01)"),
        ("int4multirange", "{[1,3),[5,9)}"),
    ],
)
def test_what_no_other_format_has_is_text(server: str, database: Any, kind: str, text: str) -> None:
    database.execute(f"CREATE TABLE t (one {kind}, several {kind}[])")
    database.execute("INSERT INTO t VALUES (%s, %s)", (text, [text]))
    form = Postgresql(table="t")
    with form.open_source(server) as connection:
        reader = form.reader()
        found = [reader.decode(raw) for batch in reader.batches(connection) for raw in batch.raws]
    assert found == [{"one": text, "several": [text]}]


def test_a_query_may_stand_in_the_place_of_a_table(server: str, database: Any) -> None:
    assert read(Postgresql(query="SELECT g AS n FROM generate_series(1, 5000) g"), server) == [
        {"n": n} for n in range(1, 5001)
    ]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (Postgresql(table="none"), 'relation "none" does not exist'),
        (Postgresql(query="SELECT 1 AS a, 2 AS a"), "expected each name once"),
        (Postgresql(query="DELETE FROM pg_class RETURNING 1"), "PostgreSQL: "),
    ],
)
def test_what_cannot_be_read_is_told(server: str, database: Any, form: Postgresql, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(form, server)


def test_reading_sees_one_state_of_the_database(server: str, database: Any) -> None:
    database.execute("CREATE TABLE t AS SELECT g AS n FROM generate_series(1, 5000) g")
    form = Postgresql(table="t")
    with form.open_source(server) as connection:
        batches = form.reader().batches(connection)
        count = len(next(batches).raws)
        database.execute("INSERT INTO t SELECT g FROM generate_series(1, 5000) g")
        count += sum(len(batch.raws) for batch in batches)
    assert count == 5000


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("timestamp", "infinity"),
        ("timestamptz", "-infinity"),
        ("date", "infinity"),
        ("timestamp", "0044-03-15 00:00:00 BC"),
        ("date", "12026-01-01"),
        ("time", "24:00:00"),
        ("interval", "3000000 years"),
    ],
)
def test_a_value_that_python_has_not_fails_alone(server: str, database: Any, kind: str, value: str) -> None:
    database.execute(f"CREATE TABLE t (n integer, v {kind})")
    database.execute("INSERT INTO t SELECT g FROM generate_series(1, 4500) g")
    database.execute(f"UPDATE t SET v = '{value}' WHERE n = 3000")  # noqa: S608 - a test's
    form = Postgresql(query="SELECT * FROM t ORDER BY n")
    came, failed = [], []
    with form.open_source(server) as connection:
        reader = form.reader()
        for batch in reader.batches(cast("BinaryIO", connection)):
            for index, raw in enumerate(batch.raws):
                try:
                    came.append(reader.decode(raw)["n"])
                except ValueError as error:
                    failed.append((batch.position(index).row, cast("Broken", raw).raw, str(error)))
    assert came == [n for n in range(1, 4501) if n != 3000]
    ((row, raw, said),) = failed
    assert (row, raw) == (3000, ["3000", value])
    assert said.startswith(f"column 'v' holds {value!r}, which Python has no value for")


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    form = Postgresql(table="t")
    with pytest.raises(OSError, match=r"^\[Errno 5\] PostgreSQL: ") as caught:  # noqa: SIM117
        with form.open_source("postgresql://me:s3cret@127.0.0.1:1/db?connect_timeout=2"):
            pass
    assert "s3cret" not in str(caught.value)
    assert caught.value.filename == "postgresql://me@127.0.0.1:1/db"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("length", [52, 53, 55, 62, 63])
@pytest.mark.parametrize("mode", ["create", "append", "replace"])
def test_a_table_may_have_a_name_of_any_length_that_the_server_takes(
    server: str, database: Any, mode: Literal["create", "append", "replace"], length: int
) -> None:
    name = "ü" + "t" * (length - 2)
    # One that a name cut short would be taken for.
    database.execute(f'CREATE TABLE "{name[:50]}_" (n integer)')
    written(Postgresql(table=name, mode=mode), server, [{"n": 1}, {"n": 2}])
    assert read(Postgresql(table=name), server) == [{"n": 1}, {"n": 2}]
    tables = {table for (table,) in database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert tables == {name, f"{name[:50]}_", "plugline_parts"}


def test_a_name_that_the_server_would_cut_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has 64 bytes: expected a name of at most 63, others would be cut"):
        Postgresql(table="t" * 64).writer()
    with pytest.raises(ValueError, match=r"has 70 bytes: expected a name of at most 63, others would be cut"):
        part(Postgresql(table="t"), [{"c" * 70: 1}])


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\\b", "\\N", "\\.", "a\r\nb", "", "N", "\x01"])
def test_text_comes_back_as_it_was(server: str, database: Any, text: str) -> None:
    written(Postgresql(table="t"), server, [{"s": text, "l": [text], "o": {text: None}}])
    assert read(Postgresql(table="t"), server) == [{"s": text, "l": [text], "o": {text: None}}]


def test_a_table_that_is_there_is_not_made_again_unless_asked_for(server: str, database: Any) -> None:
    database.execute("CREATE TABLE t (n integer PRIMARY KEY, extra text DEFAULT 'x')")
    database.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(ValueError, match="has a table 't' already: name another, or set 'mode'"):
        Postgresql(table="t").open_sink(server, run="run", resume=False)
    written(Postgresql(table="t", mode="append"), server, [{"n": 2}])
    assert numbers(database) == [1, 2]
    written(Postgresql(table="t", mode="replace"), server, [{"n": 3}])
    assert database.execute("SELECT * FROM t").fetchall() == [(3, "x")], "the table itself stays as it is"


def test_a_table_may_be_in_a_schema(server: str, database: Any) -> None:
    database.execute("CREATE SCHEMA IF NOT EXISTS sales")
    database.execute("DROP TABLE IF EXISTS sales.t")
    written(Postgresql(table="sales.t"), server, [{"n": 1}])
    assert numbers(database, "sales.t") == [1]


def test_nothing_is_in_place_before_the_run_has_ended(server: str, database: Any) -> None:
    written(Postgresql(table="t"), server, [{"n": 2}], finish=False)
    assert database.execute("SELECT to_regclass('t')").fetchone() == (None,)


@pytest.mark.parametrize("mode", ["create", "append", "replace"])
def test_a_run_that_is_gone_on_with_writes_each_part_once(server: str, database: Any, mode: str) -> None:
    form = Postgresql(table="t", mode=mode)  # type: ignore[arg-type]
    one, columns = part(form, [{"n": 1}])
    two, _ = part(form, [{"n": 2}], columns)
    sink, there = form.open_sink(server, run="run", resume=True)
    assert there == 0
    sink.add(0, one, columns=columns)
    sink.close()
    sink, there = form.open_sink(server, run="run", resume=True)
    assert there == 1
    sink.add(1, two, columns=columns)
    sink.finish()
    sink.close()
    assert numbers(database) == [1, 2]
    assert database.execute("SELECT count(*) FROM plugline_parts").fetchone() == (0,)


@pytest.mark.parametrize("mode", ["create", "append", "replace"])
def test_a_run_that_was_killed_when_all_was_done_loses_and_doubles_nothing(
    server: str, database: Any, mode: str
) -> None:
    form = Postgresql(table="t", mode=mode)  # type: ignore[arg-type]
    content, columns = part(form, [{"n": 1}])
    sink, _ = form.open_sink(server, run="run", resume=True)
    sink.add(0, content, columns=columns)
    sink.finish()
    sink._connection.close()  # as the kernel does: the process is gone, and its journal is there
    sink, there = form.open_sink(server, run="run", resume=True)
    assert there > 1
    sink.finish()
    sink.close()
    assert numbers(database) == [1]
    assert database.execute("SELECT count(*) FROM plugline_parts").fetchone() == (0,)


def test_a_part_that_cannot_be_written_leaves_nothing(server: str, database: Any) -> None:
    database.execute("CREATE TABLE t (n integer CHECK (n < 10))")
    form = Postgresql(table="t", mode="append")
    content, columns = part(form, [{"n": 1}, {"n": 11}])
    sink, _ = form.open_sink(server, run="run", resume=False)
    with pytest.raises(RowsRefused, match="violates check constraint") as caught:
        sink.add(0, content, columns=columns)
    assert (caught.value.rows, [*caught.value.reasons]) == ([b"1", b"11"], [1])
    sink.close()
    assert numbers(database) == []


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"x": "\0"}, "NUL"),
        ({"x": ["\0"]}, "column 'x' .*NUL"),
        ({"x": 2**63}, "at most 64 bits"),
        ({"x": Decimal("Infinity")}, "finite"),
        ({"x": "\ud800"}, "column 'x' holds half of a surrogate pair"),
        ({"x": [b"a"]}, "column 'x' holds what JSON cannot: .* not JSON serializable"),
        ({"x": {1, 2}}, "which no column can hold"),
    ],
    ids=repr,
)
def test_what_a_database_cannot_hold_is_refused(record: Record, said: str) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        part(Postgresql(table="t"), [record])


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="either 'table' or 'query'"):
        Postgresql()
    with pytest.raises(ValueError, match="cannot be written to"):
        Postgresql(query="SELECT 1").writer()


def test_lists_go_into_columns_of_arrays(server: str, database: Any) -> None:
    columns = "a text[], b integer[], c numeric[], d timestamptz[], e jsonb[], f bytea[], g jsonb, h float[]"
    database.execute(f"CREATE TABLE t ({columns})")
    texts = ["x", 'a "b", {c}\\', "", None, "NULL", "\t\n"]
    moments = [datetime(2024, 5, 31, 12, tzinfo=UTC), None]
    record: Record = {
        "a": texts,
        "b": [[1, 2], [3, None]],
        "c": [Decimal("1.50")],
        "d": moments,
        "e": [{"x": ["\\", '"']}],
        "f": [b"\xde\x00"],
        "g": ["x", 1],
        "h": [1.5, math.inf],
    }
    empty: Record = {name: [] for name in record}
    form = Postgresql(table="t", mode="append")
    written(form, server, [record, empty, dict.fromkeys(record)])
    assert read(Postgresql(table="t"), server) == [record, empty, dict.fromkeys(record)]


def test_what_replaces_a_table_has_its_types_and_constraints(server: str, database: Any) -> None:
    database.execute("CREATE TYPE mood AS ENUM ('ok', 'sad')")
    columns = "n integer GENERATED ALWAYS AS IDENTITY, u uuid UNIQUE, m mood, g text GENERATED ALWAYS AS ('g') STORED"
    database.execute(f"CREATE TABLE t ({columns}, x text NOT NULL DEFAULT 'x')")
    form = Postgresql(table="t", mode="replace")
    uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    for _ in range(2):
        written(form, server, [{"n": 7, "u": uuid, "m": "sad"}, {"n": 8, "u": None, "m": None}])
        assert database.execute("SELECT * FROM t").fetchall() == [
            (7, UUID(uuid), "sad", "g", "x"),
            (8, None, None, "g", "x"),
        ]
    content, fixed = part(form, [{"u": uuid, "m": "ok"}, {"u": uuid, "m": "ok"}, {"u": None, "m": "glad"}])
    sink, _ = form.open_sink(server, run="run", resume=False)
    with pytest.raises(RowsRefused) as caught:
        sink.add(0, content, columns=fixed)
    sink.close()
    assert [*caught.value.reasons] == [1, 2]


def test_an_interval_of_months_is_no_number_of_days(server: str, database: Any) -> None:
    query = "SELECT i::interval AS i, ARRAY[i::interval] AS l FROM (VALUES ('1 day -2:00'), ('1 mon'), ('-1 year 3 days')) AS v (i)"
    with Postgresql(query=query).open_source(server) as connection:
        reader = Postgresql(query=query).reader()
        day, month, year = [raw for batch in reader.batches(cast("BinaryIO", connection)) for raw in batch.raws]
    hours = timedelta(hours=22)
    assert reader.decode(day) == {"i": hours, "l": [hours]}
    for raw, said in ((month, "'1 mon'"), (year, "'-1 years \\+3 days'")):
        with pytest.raises(ValueError, match=rf"column 'i' holds {said}, which Python has no value for: make another"):
            reader.decode(raw)


def test_a_moment_with_a_zone_is_that_of_utc_in_a_column_without_one(server: str, database: Any) -> None:
    database.execute("CREATE TABLE t (a timestamp, b timestamptz)")
    moment = datetime(2024, 5, 31, 12, tzinfo=timezone(timedelta(hours=5)))
    written(Postgresql(table="t", mode="append"), server, [{"a": moment, "b": moment}])
    (record,) = read(Postgresql(table="t"), server)
    assert record == {"a": datetime(2024, 5, 31, 7), "b": moment}  # noqa: DTZ001 - the column has none
