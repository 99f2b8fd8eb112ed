"""SQLite: other people's databases, and what a run leaves in one's own."""

import io
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from plugline.formats.sqlite import Sqlite
from plugline.records import Record, RowsRefused


def made(path: Path, *statements: str) -> str:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return str(path)


def rows(path: Path | str, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def read(form: Sqlite, path: str) -> list[Record]:
    with form.open_source(path) as connection:
        reader = form.reader()
        return [reader.decode(raw) for batch in reader.batches(cast("BinaryIO", connection)) for raw in batch.raws]


def part(
    form: Sqlite, records: Sequence[Record], columns: Sequence[str] | None = None
) -> tuple[bytes, Sequence[str] | None]:
    stream, writer = io.BytesIO(), form.writer()
    writer.open(stream, first=columns is None, columns=columns)
    writer.write([writer.encode(record) for record in records])
    writer.close(last=False)
    return stream.getvalue(), writer.columns


def written(form: Sqlite, path: str, records: Sequence[Record], *, run: str = "run", finish: bool = True) -> None:
    content, columns = part(form, records)
    sink, _ = form.open_sink(path, run=run, resume=False)
    sink.add(0, content, columns=columns)
    if finish:
        sink.finish()
    sink.close()


def test_values_are_what_their_columns_are_declared_as(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE t (n INTEGER, ok BOOLEAN, day DATE, at TIMESTAMP, price DECIMAL(10,2), name VARCHAR(10), x)",
        "INSERT INTO t VALUES (1, 1, '2024-05-31', '2024-05-31 12:00:00', 1.5, 'é', x'00ff')",
        "INSERT INTO t VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    first, second = read(Sqlite(), path)
    assert first == {
        "n": 1,
        "ok": True,
        "day": date(2024, 5, 31),
        "at": datetime(2024, 5, 31, 12),  # noqa: DTZ001
        "price": 1.5,
        "name": "é",
        "x": b"\x00\xff",
    }
    assert set(second.values()) == {None}


def test_a_value_that_is_not_what_its_column_is_declared_as_fails_alone(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (day DATE)", "INSERT INTO t VALUES ('x'), ('2024-05-31')")
    form = Sqlite()
    with form.open_source(path) as connection:
        reader = form.reader()
        (batch,) = reader.batches(cast("BinaryIO", connection))
        with pytest.raises(ValueError, match="column 'day' holds 'x': expected date, as it is declared"):
            reader.decode(batch.raws[0])
        assert reader.decode(batch.raws[1]) == {"day": date(2024, 5, 31)}
    assert read(Sqlite(types={"day": "str"}), path) == [{"day": "x"}, {"day": "2024-05-31"}]


@pytest.mark.parametrize("kind", ["DATE", "DATETIME", "TIMESTAMP", "TIME"])
@pytest.mark.parametrize("value", ["20240531", "1717113600.5", "'2024-05-31 12:00:00.1234567'"])
def test_a_number_or_a_finer_time_is_no_date_or_time(tmp_path: Path, kind: str, value: str) -> None:
    path = made(tmp_path / "a.db", f"CREATE TABLE t (at {kind})", f"INSERT INTO t VALUES ({value})")  # noqa: S608
    with pytest.raises(ValueError, match=r"expected (date|datetime|time), as it is declared"):
        read(Sqlite(), path)


def test_text_that_is_not_utf_8_fails_alone(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.db",
        "CREATE TABLE t (n INTEGER, s TEXT)",
        "INSERT INTO t VALUES (1, 'a'), (2, CAST(x'ff' AS TEXT)), (3, 'é')",
    )
    form = Sqlite()
    with form.open_source(path) as connection:
        reader = form.reader()
        raws = [raw for batch in reader.batches(cast("BinaryIO", connection)) for raw in batch.raws]
        with pytest.raises(ValueError, match="not UTF-8"):
            reader.decode(raws[1])
        assert [reader.decode(raws[at]) for at in (0, 2)] == [{"n": 1, "s": "a"}, {"n": 3, "s": "é"}]


def test_a_query_may_stand_in_the_place_of_a_table(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (n INTEGER)", "INSERT INTO t VALUES (1), (2), (3)")
    assert read(Sqlite(query="SELECT n * 2 AS twice FROM t WHERE n > 1;"), path) == [{"twice": 4}, {"twice": 6}]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (Sqlite(), r"has the tables \['one', 'two'\]: expected 'table' to name one of them"),
        (Sqlite(table="three"), r"no table 'three': expected one of \['one', 'two'\]\n  hint: name it: "),
        (Sqlite(query=""), "the query gives no rows: expected a SELECT\n  hint: "),
        (Sqlite(query="ATTACH DATABASE 'other.db' AS other"), "SQLite: too many attached databases"),
        (Sqlite(query="SELECT"), "SQLite: "),
        (Sqlite(query="SELECT 1 AS a, 2 AS a"), r"columns \['a', 'a'\]: expected each name once"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, form: Sqlite, said: str) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE one (n)", "CREATE TABLE two (n)")
    with pytest.raises(ValueError, match=said):
        read(form, path)


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE t (rowid INT, v)",),
        ("CREATE TABLE t (rowid INT, _rowid_ INT, v)",),
        ("CREATE TABLE t (rowid INT, _rowid_ INT, OID INT, v)",),
        ("CREATE TABLE s (rowid INT, v)", "CREATE VIEW t AS SELECT * FROM s"),
    ],
)
def test_a_column_that_is_called_as_the_number_of_a_row_costs_no_row(tmp_path: Path, statements: Sequence[str]) -> None:
    target = "s" if len(statements) > 1 else "t"
    values = [(3, "a"), (None, "b"), (1, "c"), (3, "d")]
    path = made(tmp_path / "a.db", *statements, f"INSERT INTO {target} (rowid, v) VALUES (3, 'a'), (NULL, 'b'), (1, 'c'), (3, 'd')")  # noqa: S608 - a test's  # fmt: skip
    form = Sqlite(table="t")
    found = []
    with form.open_source(path) as connection:
        for start, end in form.pieces(connection, 1):
            reader = form.piece_reader(start, end)
            for batch in reader.batches(cast("BinaryIO", connection)):
                found += [reader.decode(raw) for raw in batch.raws]
    assert [(record["rowid"], record["v"]) for record in found] == values


def test_names_of_tables_are_the_same_in_upper_and_lower_case(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE Orders (a)", "CREATE TABLE other (a)", "INSERT INTO Orders VALUES (1)")
    assert read(Sqlite(table="orders"), path) == [{"a": 1}]


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no such thing" * 100)
    with pytest.raises(OSError, match="SQLite: file is not a database"):
        read(Sqlite(), str(tmp_path / "a.db"))
    with pytest.raises(FileNotFoundError):
        read(Sqlite(), str(tmp_path / "none.db"))


def test_reading_changes_nothing_and_makes_no_file(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (n)")
    before = Path(path).read_bytes()
    read(Sqlite(), path)
    assert Path(path).read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]


def test_decimals_keep_all_their_digits(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    exact = Decimal("12345678901234567890.1234567890")
    written(Sqlite(table="t"), path, [{"d": exact}])
    assert rows(path, "SELECT d, typeof(d) FROM t") == [(str(exact), "text")]
    assert read(Sqlite(), path) == [{"d": exact}]


def test_other_tables_of_the_file_stay(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE other (n)", "INSERT INTO other VALUES (7)")
    written(Sqlite(table="t"), path, [{"n": 1}])
    assert rows(path, "SELECT * FROM other") == [(7,)]
    assert rows(path, "SELECT name FROM sqlite_schema ORDER BY name") == [("other",), ("t",)]


def test_a_table_that_is_there_is_not_made_again_unless_asked_for(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (n INTEGER NOT NULL CHECK (n < 10))", "INSERT INTO t VALUES (1)")
    with pytest.raises(ValueError, match="has a table 't' already: name another, or set 'mode'"):
        Sqlite(table="t").open_sink(path, run="run", resume=False)
    written(Sqlite(table="t", mode="append"), path, [{"n": 2}])
    assert rows(path, "SELECT n FROM t") == [(1,), (2,)]
    written(Sqlite(table="t", mode="replace"), path, [{"n": 3}])
    assert rows(path, "SELECT n FROM t") == [(3,)]
    assert "CHECK" in str(rows(path, "SELECT sql FROM sqlite_schema")), "the table itself stays as it is"


def test_nothing_is_in_place_before_the_run_has_ended(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (n)", "INSERT INTO t VALUES (1)")
    written(Sqlite(table="t", mode="replace"), path, [{"n": 2}], finish=False)
    assert rows(path, "SELECT n FROM t") == [(1,)]


@pytest.mark.parametrize("mode", ["create", "append", "replace"])
def test_a_run_that_is_gone_on_with_writes_each_part_once(tmp_path: Path, mode: str) -> None:
    form = Sqlite(table="t", mode=mode)  # type: ignore[arg-type]
    path = str(tmp_path / "a.db")
    one, columns = part(form, [{"n": 1}])
    two, _ = part(form, [{"n": 2}], columns)
    sink, there = form.open_sink(path, run="run", resume=True)
    assert there == 0
    sink.add(0, one, columns=columns)
    sink.close()
    sink, there = form.open_sink(path, run="run", resume=True)
    assert there == 1
    sink.add(1, two, columns=columns)
    sink.finish()
    sink.close()
    assert rows(path, "SELECT n FROM t") == [(1,), (2,)]
    assert rows(path, "SELECT name FROM sqlite_schema") == [("t",)], "no mark is left"


@pytest.mark.parametrize("mode", ["create", "append", "replace"])
def test_a_run_that_was_killed_when_all_was_done_loses_and_doubles_nothing(tmp_path: Path, mode: str) -> None:
    form = Sqlite(table="t", mode=mode)  # type: ignore[arg-type]
    path = str(tmp_path / "a.db")
    content, columns = part(form, [{"n": 1}])
    sink, _ = form.open_sink(path, run="run", resume=True)
    sink.add(0, content, columns=columns)
    sink.finish()
    sink._connection.close()  # as the kernel does: the process is gone, and its journal is there
    sink, there = form.open_sink(path, run="run", resume=True)
    assert there > 1
    sink.finish()
    sink.close()
    assert rows(path, "SELECT n FROM t") == [(1,)]
    assert rows(path, "SELECT name FROM sqlite_schema") == [("t",)], "no mark is left"


def test_a_part_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (n INTEGER CHECK (n < 10))")
    form = Sqlite(table="t", mode="append")
    content, columns = part(form, [{"n": 1}, {"n": 11}])
    sink, _ = form.open_sink(path, run="run", resume=False)
    with pytest.raises(RowsRefused, match="SQLite: CHECK constraint failed") as caught:
        sink.add(0, content, columns=columns)
    assert (caught.value.rows, [*caught.value.reasons]) == ([(1,), (11,)], [1])
    sink.close()
    assert rows(path, "SELECT n FROM t") == []


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"x": float("nan")}, "NaN, which SQLite would take for no value"),
        ({"x": 2**63}, "at most 64 bits"),
        ({"x": "\ud800"}, "column 'x' holds half of a surrogate pair"),
        ({"x": ["\ud800"]}, "column 'x' holds half of a surrogate pair"),
        ({"x": [datetime(2024, 5, 31, tzinfo=UTC)]}, "column 'x' holds .* not JSON serializable"),
        ({"x": [float("nan")]}, "column 'x' holds what JSON cannot: "),
        ({"x": {"y": [{1: 2}]}}, "key 1 is a int: expected text"),
    ],
)
def test_what_a_database_cannot_hold_is_refused(record: Mapping[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        part(Sqlite(), [dict(record)])
    with pytest.raises(ValueError, match=said):
        part(Sqlite(), [{"x": None}, dict(record)])


def test_a_value_without_a_type_is_refused_in_the_first_record() -> None:
    with pytest.raises(ValueError, match="column 'x' holds a set, which no column can hold"):
        part(Sqlite(), [{"x": {1, 2}}])


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"table": "a", "query": "b"}, "either"), ({"table": ""}, "cannot be the name"), ({"table": "a\0"}, "cannot be")],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Sqlite(**settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be written to"):
        Sqlite(query="SELECT 1").writer()


def test_a_table_whose_name_has_a_dot_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    written(Sqlite(table="of.2024"), str(path), [{"n": 1}])
    written(Sqlite(table="of.2024", mode="replace"), str(path), [{"n": 2}])
    assert rows(path, 'SELECT n FROM "of.2024"') == [(2,)]
    assert rows(path, "SELECT name FROM sqlite_schema") == [("of.2024",)]


def test_a_database_that_another_program_works_in_is_not_to_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugline.formats.sqlite._BUSY_SECONDS", 0)
    path = made(tmp_path / "a.sqlite", "CREATE TABLE t (n)")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises((OSError, ValueError), match="hint: another program is at work in it"):
            read(Sqlite(), path)
        with pytest.raises(OSError, match="hint: another program is at work in it"):
            Sqlite().open_sink(path, run="a", resume=False)


def test_what_replaces_a_table_has_its_constraints(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (n INTEGER PRIMARY KEY, s TEXT NOT NULL, x ANY DEFAULT 1) STRICT")
    form = Sqlite(table="t", mode="replace")
    content, columns = part(form, [{"n": 1, "s": "a"}, {"n": 1, "s": "b"}, {"n": 2, "s": None}])
    sink, _ = form.open_sink(path, run="run", resume=False)
    with pytest.raises(RowsRefused) as caught:
        sink.add(0, content, columns=columns)
    assert [*caught.value.reasons] == [1, 2]
    content, columns = part(form, [{"n": 1, "s": "a"}])
    sink.add(0, content, columns=columns)
    sink.finish()
    sink.close()
    assert rows(path, "SELECT * FROM t") == [(1, "a", 1)]
    assert rows(path, "SELECT count(*) FROM sqlite_schema") == [(1,)]


@pytest.mark.parametrize(
    "columns",
    [
        "n INTEGER PRIMARY KEY, up INTEGER REFERENCES t",
        "n INTEGER PRIMARY KEY, up INTEGER CHECK (t.up < 9)",
        "n INTEGER PRIMARY KEY AUTOINCREMENT, up INTEGER",
        "n INTEGER PRIMARY KEY, up INTEGER, g AS (n + 1)",
        "n INTEGER PRIMARY KEY, up INTEGER) WITHOUT ROWID --",
    ],
)
def test_rows_of_any_table_are_replaced(tmp_path: Path, columns: str) -> None:
    path = made(tmp_path / "a.db", f"CREATE TABLE t ({columns}\n)".replace("--\n)", ""))
    written(Sqlite(table="t", mode="replace"), path, [{"n": 5, "up": None}])
    written(Sqlite(table="t", mode="replace"), path, [{"n": 1, "up": None}, {"n": 2, "up": 1}])
    assert rows(path, "SELECT n, up FROM t") == [(1, None), (2, 1)]


def test_a_query_that_is_wrong_is_to_be_mended_and_not_the_file(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", "CREATE TABLE t (n)")
    with pytest.raises(ValueError, match="no such column: m\n  hint: mend 'query' in the options of"):
        read(Sqlite(query="SELECT m FROM t"), path)
