"""Runs from and into tables of databases."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.builders import ndjson, processor
from tests.postgres import find_programs, postgres_server


def plugline(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "plugline", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
    )


def pipeline(folder: Path, source: str, sink: str) -> None:
    (folder / "pipeline.toml").write_text(f"[source]\n{source}\n[sink]\n{sink}\n", encoding="utf-8")


@pytest.mark.slow
def test_records_go_into_a_table_of_sqlite_and_come_back(tmp_path: Path) -> None:
    records = [{"n": n, "tags": ["x"] * (n % 3), "price": n / 4} for n in range(5000)]
    (tmp_path / "in.ndjson").write_bytes(ndjson(*records, b"{oops"))
    pipeline(tmp_path, 'path = "in.ndjson"', 'path = "shop.db"\noptions = { table = "orders" }')
    done = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "shop.errors.ndjson (1)" in done.stderr
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        assert connection.execute("SELECT count(*), sum(n) FROM orders").fetchone() == (5000, sum(range(5000)))
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("orders",)]
    again = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert again.returncode == 2
    assert "has a table 'orders' already" in again.stderr
    assert "hint: plugline info sqlite tells its settings" in again.stderr
    back = plugline("run", "shop.db", "-o", "back.ndjson", "-q", cwd=tmp_path)
    assert (back.returncode, back.stderr) == (0, "")
    assert (tmp_path / "back.ndjson").read_bytes() == (tmp_path / "in.ndjson").read_bytes().removesuffix(
        b"{oops\n"
    ).replace(b": ", b":").replace(b", ", b",")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if find_programs() is None or find_spec("psycopg") is None:
        pytest.skip("needs the programs of PostgreSQL, and psycopg")
    with postgres_server() as address:
        yield address


@pytest.mark.slow
def test_records_go_into_a_table_of_postgresql_and_come_back_and_no_password_is_shown(
    tmp_path: Path, server: str
) -> None:
    import psycopg

    # Trusted without one; what is wrong with it would not be seen otherwise.
    address = server.replace("tests@", "tests:s3cret@")
    wrong, query = "SELECT n / (n - 8) AS n FROM orders", "SELECT n FROM orders ORDER BY n"
    records = [{"n": n, "tags": ["x"] * (n % 3), "price": n / 4} for n in range(5000)]
    (tmp_path / "in.ndjson").write_bytes(ndjson(*records[:10], {"n": "x"}, *records[10:]))
    pipeline(tmp_path, 'path = "in.ndjson"', f'path = "{address}"\noptions = {{ table = "orders" }}')
    done = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    with psycopg.connect(server) as connection:
        assert connection.execute("SELECT count(*), sum(n) FROM orders").fetchone() == (5000, sum(range(5000)))
        connection.execute("UPDATE orders SET price = 'NaN' WHERE n = 7")
    (letter,) = [json.loads(line) for line in (tmp_path / "in.errors.ndjson").read_bytes().splitlines()]
    assert letter["step"]["name"] == "sink"
    pipeline(tmp_path, f'path = "{address}"\noptions = {{ query = "{wrong}" }}', 'path = "b.csv"')
    stopped = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert stopped.returncode == 4, stopped.stderr
    assert "division by zero" in stopped.stderr
    pipeline(tmp_path, f'path = "{address}"\noptions = {{ query = "{query}" }}', 'path = "b.csv"')
    back = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert back.returncode == 0, back.stderr
    assert (tmp_path / "b.csv").read_text(encoding="utf-8").split() == ["n", *map(str, range(5000))]
    assert "s3cret" not in done.stderr + stopped.stderr + back.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "pipeline.toml"]
    assert [path.name for path in files if b"s3cret" in path.read_bytes()] == []


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["create", "append", "replace"])
def test_a_retry_adds_to_the_rows_of_a_server_and_takes_none_away(tmp_path: Path, server: str, mode: str) -> None:
    import psycopg

    table = f"orders_{mode}"
    with psycopg.connect(server) as connection:
        if mode != "create":
            connection.execute(f"CREATE TABLE {table} (n bigint)")
    (tmp_path / "plugins").mkdir(mode=0o755)
    plugin = tmp_path / "plugins" / "seven.py"
    plugin.write_text(processor("if record['n'] % 10 == 7: raise ValueError(7)\nreturn record"), encoding="utf-8")
    (tmp_path / "in.ndjson").write_bytes(ndjson(*({"n": n} for n in range(100))))
    sink = f'path = "{server}"\noptions = {{ table = "{table}", mode = "{mode}" }}\n[run]\nmax_errors = "none"'
    pipeline(tmp_path, 'path = "in.ndjson"\n[[steps]]\nuse = "seven"', sink)
    assert plugline("run", "-q", "pipeline.toml", cwd=tmp_path).returncode == 1
    plugin.write_text(processor(), encoding="utf-8")
    done = plugline("run", "-q", "pipeline.toml", "--retry", "in.errors.ndjson", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    with psycopg.connect(server) as connection:
        rows = connection.execute(f"SELECT n FROM {table} ORDER BY n").fetchall()  # noqa: S608 - a test's
    assert rows == [(n,) for n in range(100)]


KILLED = """
import os, sys
from plugline.pipeline.parts import Committer

whole = Committer.commit

def commit(self):
    finish = self._sink.finish
    self._sink.finish = lambda: (finish(), os.kill(os.getpid(), 9)) if sys.argv[1] == "behind" else os.kill(os.getpid(), 9)
    return whole(self)

Committer.commit = commit
from plugline.cli import main
main(["run", "-q", "pipeline.toml"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["create", "append", "replace"])
@pytest.mark.parametrize("moment", ["before", "behind"])
def test_a_run_that_is_killed_around_the_last_transaction_ends_with_all_rows_once(
    tmp_path: Path, mode: str, moment: str
) -> None:
    (tmp_path / "in.ndjson").write_bytes(ndjson(*({"n": n} for n in range(3000))))
    pipeline(tmp_path, 'path = "in.ndjson"', f'path = "shop.db"\noptions = {{ table = "orders", mode = "{mode}" }}')
    killed = subprocess.run([sys.executable, "-c", KILLED, moment], cwd=tmp_path, check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    done = plugline("run", "-q", "--resume", "pipeline.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT n) FROM orders").fetchone() == (3000, 3000)
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("orders",)]


@pytest.mark.slow
def test_a_database_that_was_removed_under_a_run_that_is_gone_on_with_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(ndjson(*({"n": n} for n in range(3000))))
    pipeline(tmp_path, 'path = "in.ndjson"', 'path = "shop.db"')
    subprocess.run([sys.executable, "-c", KILLED, "before"], cwd=tmp_path, check=False, capture_output=True)
    (tmp_path / "shop.db").unlink()
    done = plugline("run", "-q", "--resume", "pipeline.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be gone on with: a part of 'shop.db' is missing" in done.stderr


KILLS = """
import os, time
from pathlib import Path

def transform(record):
    if record["n"] == 1 and not Path("killed").exists():
        for _ in range(100):  # until another one came before it, which it never does
            if any(b'"content":2' in path.read_bytes() for path in Path().glob(".plugline.*.journal")):
                break
            time.sleep(0.01)
        Path("killed").touch()
        os.kill(os.getppid(), 9)
    return record

def describe():
    return "kills"
"""


@pytest.mark.slow
def test_parts_may_not_come_out_of_order_for_a_database_which_knows_how_many_there_are_and_not_which(
    tmp_path: Path,
) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "kills.py").write_text(KILLS, encoding="utf-8")
    for n in range(4):
        (tmp_path / f"{n}.ndjson").write_bytes(ndjson({"n": n}))
    pipeline(
        tmp_path,
        'path = "?.ndjson"',
        'path = "shop.db"\n[run]\nordered = false\nprocesses = 2\n[[steps]]\nuse = "kills"',
    )
    killed = plugline("run", "-q", "pipeline.toml", cwd=tmp_path)
    assert killed.returncode == -9, killed.stderr
    done = plugline("run", "-q", "--resume", "pipeline.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        assert connection.execute("SELECT n FROM records ORDER BY n").fetchall() == [(0,), (1,), (2,), (3,)]


@pytest.mark.slow
def test_what_a_table_refuses_is_no_want_of_room(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE orders (n)")
    (tmp_path / "in.ndjson").write_bytes(ndjson({"m": 1}))
    pipeline(tmp_path, 'path = "in.ndjson"', 'path = "shop.db"\noptions = { table = "orders", mode = "append" }')
    done = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert "has no column named m\n  hint: see to what the message says; 0 records" in done.stderr


REFUSING = """
CREATE TABLE customers (c integer PRIMARY KEY);
INSERT INTO customers VALUES (1);
CREATE TABLE orders (
    id integer PRIMARY KEY, name varchar(5) NOT NULL CHECK (length(name) < 6), price integer CHECK (price > 0),
    c integer REFERENCES customers
);
"""

ROWS: list[dict[str, object]] = [{"id": n, "name": f"n{n % 99}", "price": 1 + n, "c": 1} for n in range(30_000)]
# What each of the two says where it refuses the row of that number.
REFUSED: dict[int, tuple[dict[str, object], str, str]] = {
    0: ({"name": None}, 'null value in column "name"', "NOT NULL constraint failed: orders.name"),
    7: ({"name": "too long"}, "column 'name': value too long for type character varying(5)", "CHECK constraint failed"),
    8: ({"price": 0}, 'check constraint "orders_price_check"', "CHECK constraint failed: price > 0"),
    9: ({"id": 3}, "Key (id)=(3) already exists", "UNIQUE constraint failed: orders.id"),
    20_000: ({"c": 2}, "Key (c)=(2) is not present", "FOREIGN KEY constraint failed"),
    29_999: ({"id": 4}, "Key (id)=(4) already exists", "UNIQUE constraint failed: orders.id"),
}


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def started(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("server")) if request.param == "postgresql" else ""


@pytest.fixture
def address(started: str) -> Iterator[str]:
    """That of a schema of the test's own, or the name of a file."""
    if not started:
        yield "shop.db"
        return
    import psycopg

    with psycopg.connect(started, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA own")
    yield f"{started}?options=-csearch_path%3Down"
    with psycopg.connect(started, autocommit=True) as connection:
        connection.execute("DROP SCHEMA own CASCADE")


def orders_in(address: str, folder: Path) -> list[tuple[object, ...]]:
    query = "SELECT id, name, price, c FROM orders ORDER BY id"
    if address.endswith(".db"):
        with closing(sqlite3.connect(folder / address)) as connection:
            return connection.execute(query).fetchall()
    import psycopg

    with psycopg.connect(address) as connection:
        return connection.execute(query).fetchall()


def made_tables(address: str, folder: Path, text: str = REFUSING) -> None:
    if address.endswith(".db"):
        with closing(sqlite3.connect(folder / address)) as connection:
            connection.executescript(text)
        return
    import psycopg

    with psycopg.connect(address) as connection:
        connection.execute(text)


def refusing_pipeline(folder: Path, address: str, more: str = "") -> None:
    records = [{**row, **REFUSED[n][0]} if n in REFUSED else row for n, row in enumerate(ROWS)]
    (folder / "in.ndjson").write_bytes(ndjson(*records[:10], b"{oops", *records[10:]))
    sink = f'path = "{address}"\noptions = {{ table = "orders", mode = "append" }}\n[run]\nsplit_bytes = 300000\n{more}'
    pipeline(folder, 'path = "in.ndjson"', sink)


def letters_in(folder: Path) -> list[dict[str, "dict[str, object]"]]:
    (path,) = folder.glob("*.errors.ndjson")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_records_that_a_table_refuses_are_dead_letters_and_the_others_are_written(
    tmp_path: Path, address: str, processes: int
) -> None:
    made_tables(address, tmp_path)
    refusing_pipeline(tmp_path, address, f"processes = {processes}")
    done = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert " 29,994 " in done.stderr
    assert orders_in(address, tmp_path) == [tuple(row.values()) for n, row in enumerate(ROWS) if n not in REFUSED]
    oops, letters = [
        [one for one in letters_in(tmp_path) if (one["step"]["name"] == name)] for name in ("source", "sink")
    ]
    assert [one["position"]["row"] for one in oops] == [11]
    assert [one["position"]["row"] for one in letters] == [n + 1 + (n > 9) for n in REFUSED]
    assert [one["record"]["id"] for one in letters] == [{**ROWS[n], **REFUSED[n][0]}["id"] for n in REFUSED]
    for letter, (_, server, file) in zip(letters, REFUSED.values(), strict=True):
        assert (file if address.endswith(".db") else server) in str(letter["error"]["message"])


KILLED_BEHIND = """
import os, sys
from plugline.formats._sql import TableSink

add, before, count = TableSink.add, sys.argv[1] == "before", 0

def killing(self, number, content, /, *, columns):
    global count
    count += number == int(sys.argv[2])
    if before and count == 2:
        os.kill(os.getpid(), 9)
    add(self, number, content, columns=columns)
    if number == int(sys.argv[2]):
        os.kill(os.getpid(), 9)

TableSink.add = killing
from plugline.cli import main
main(["run", "-q", "pipeline.toml"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "behind"])
@pytest.mark.parametrize("number", [0, 3])
def test_dead_letters_of_refused_rows_are_the_same_where_the_run_was_killed_around_their_transaction(
    tmp_path: Path, address: str, moment: str, number: int
) -> None:
    made_tables(address, tmp_path)
    refusing_pipeline(tmp_path, address)
    arguments = [sys.executable, "-c", KILLED_BEHIND, moment, str(number)]
    killed = subprocess.run(arguments, cwd=tmp_path, check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    done = plugline("run", "--resume", "pipeline.toml", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert orders_in(address, tmp_path) == [tuple(row.values()) for n, row in enumerate(ROWS) if n not in REFUSED]
    assert [one["position"]["row"] for one in letters_in(tmp_path)] == [1, 8, 9, 10, 11, 20_002, 30_001]


@pytest.mark.slow
def test_of_a_fan_out_that_a_table_refuses_in_part_nothing_is_written_and_max_errors_ends_the_run(
    tmp_path: Path, address: str
) -> None:
    made_tables(address, tmp_path)
    (tmp_path / "plugins").mkdir(mode=0o755)
    body = "return [{**record, 'id': 2 * record['id'] + n, 'price': record['price'] - n} for n in (0, 1)]"
    (tmp_path / "plugins" / "twice.py").write_text(processor(body), encoding="utf-8")
    (tmp_path / "in.ndjson").write_bytes(ndjson(*ROWS[:100]))
    sink = f'path = "{address}"\noptions = {{ table = "orders", mode = "append" }}'
    pipeline(tmp_path, 'path = "in.ndjson"\n[[steps]]\nuse = "twice"', sink)
    done = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert len(orders_in(address, tmp_path)) == 198
    assert [one["record"]["id"] for one in letters_in(tmp_path)] == [0]
    again = plugline("run", "--max-errors", "10", "pipeline.toml", cwd=tmp_path)
    assert again.returncode == 4
    assert "100 of 100 records failed, at most 10 records may" in again.stderr
    assert len(orders_in(address, tmp_path)) == 198


@pytest.mark.slow
def test_names_that_are_no_columns_of_a_database_are_told_by_dead_letters(tmp_path: Path, address: str) -> None:
    names = ["Name", ""] if address.endswith(".db") else ["n" * 64, ""]
    (tmp_path / "in.ndjson").write_bytes(ndjson(*({"name": n, name: n} for n, name in enumerate(names)), {"name": 3}))
    pipeline(tmp_path, 'path = "in.ndjson"', f'path = "{address}"\noptions = {{ table = "orders" }}')
    done = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert [one["position"]["row"] for one in letters_in(tmp_path)] == [1, 2]
    messages = [str(one["error"]["message"]) for one in letters_in(tmp_path)]
    told = "columns ['Name', 'name'] are the same" if address.endswith(".db") else "expected a name of at most 63"
    assert told in messages[0]
    assert "'' cannot be the name of a table or a column" in messages[1]


@pytest.mark.slow
def test_what_a_run_that_stops_has_added_to_a_table_is_said_to_be_there(tmp_path: Path) -> None:
    made_tables("shop.db", tmp_path)
    (tmp_path / "in.ndjson").write_bytes(ndjson(*ROWS))
    (tmp_path / "plugins").mkdir(mode=0o755)
    body = "if record['id'] == 29_000: raise ValueError\nreturn record"
    (tmp_path / "plugins" / "ends.py").write_text(processor(body), encoding="utf-8")
    sink = 'path = "shop.db"\noptions = { table = "orders", mode = "append" }\n[run]\nsplit_bytes = 300000'
    pipeline(tmp_path, 'path = "in.ndjson"\n[[steps]]\nuse = "ends"\non_error = "stop"', sink)
    stopped = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert stopped.returncode == 4
    assert 0 < len(orders_in("shop.db", tmp_path)) < 29_000
    assert "what is done is in shop.db, and comes again when it is run again" in stopped.stderr
    assert "in place" not in stopped.stderr


NUMBERS = """
STATEFUL = True
count = 0

def transform(record):
    global count
    count += 1
    if record["id"] == 50:
        raise ValueError("fifty")
    return [{**record, "price": count}] if record["id"] % 2 else {**record, "price": count}

def describe():
    return "numbers"
"""


@pytest.mark.slow
def test_behind_steps_that_have_seen_a_split_its_refused_records_are_dead_letters_too(
    tmp_path: Path, address: str
) -> None:
    made_tables(address, tmp_path)
    (tmp_path / "plugins").mkdir(mode=0o755)
    (tmp_path / "plugins" / "numbers.py").write_text(NUMBERS, encoding="utf-8")
    (tmp_path / "plugins" / "later.py").write_text(processor("record['c'] = 1\nreturn record"), encoding="utf-8")
    records = [{**row, "c": 7, "name": None if row["id"] in {3, 20_000} else row["name"]} for row in ROWS]
    (tmp_path / "in.ndjson").write_bytes(ndjson(*records[:100], *records[:100], *records[100:]))
    steps = (
        '[[steps]]\nuse = "dedupe"\nwith = { fields = ["id"] }\n[[steps]]\nuse = "numbers"\n[[steps]]\nuse = "later"'
    )
    sink = f'path = "{address}"\noptions = {{ table = "orders", mode = "append" }}\n[run]\nsplit_bytes = 300000'
    pipeline(tmp_path, f'path = "in.ndjson"\n{steps}', sink)
    done = plugline("run", "pipeline.toml", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    failing = {3, 50, 20_000}
    expected = [(n, row["name"], n + 1, 1) for n, row in enumerate(ROWS) if n not in failing]
    assert orders_in(address, tmp_path) == expected
    letters = [(one["step"]["name"], one["record"]["id"], one["position"]["row"]) for one in letters_in(tmp_path)]
    assert letters == [("sink", 3, 4), ("numbers", 50, 51), ("sink", 20_000, 20_101)]


@pytest.mark.slow
def test_what_is_added_to_a_table_is_not_held_to_the_first_records(tmp_path: Path, address: str) -> None:
    made_tables(address, tmp_path, "CREATE TABLE orders (id integer, name text, price double precision, c numeric)")
    rows: list[dict[str, object]] = [{"id": n, "name": None, "price": n, "c": n} for n in range(20_000)]
    rows += [{"id": n, "name": "x", "price": n / 4, "c": n + 0.5} for n in range(20_000, 20_010)]
    (tmp_path / "in.ndjson").write_bytes(ndjson(*rows))
    sink = f'path = "{address}"\noptions = {{ table = "orders", mode = "append" }}\n[run]\nsplit_bytes = 300000'
    pipeline(tmp_path, 'path = "in.ndjson"', sink)
    done = plugline("run", "-q", "pipeline.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert orders_in(address, tmp_path) == [tuple(row.values()) for row in rows]
