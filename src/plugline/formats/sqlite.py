"""SQLite: a table, or the result of a query, of a database file.

SQLite itself has five types. What else a record may hold is written in a form that is told by the declared type of its
column, and reads back as what it was: ``BOOLEAN``, ``DECIMAL_TEXT``, ``DATE``, ``DATETIME``, ``TIME``, ``JSON_TEXT``.
"""

import errno
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import BinaryIO, Literal, cast
from urllib.parse import quote

from plugline.formats._rows import Rows
from plugline.formats._sql import (
    MARKS,
    ROWS_A_BATCH,
    Columns,
    Row,
    TableSink,
    TableWriter,
    check_names,
    json_text,
    quoted,
)
from plugline.records import Broken, Reader, Record, Writer
from plugline.records.moments import datetime_of, time_of

SUFFIXES = (".sqlite", ".sqlite3", ".db")

_BUSY_SECONDS = 30.0

_Kind = Literal["str", "int", "float", "bool", "decimal", "date", "datetime", "time", "bytes", "json"]


@dataclass(kw_only=True, eq=False, repr=False)
class Sqlite:
    """A table of a SQLite database.

    Attributes:
        table: The table; reading, the only one of the file, unless set; writing, ``records``, unless set.
        query: Reading, a query in the place of a table.
        fields: Writing, the columns in order, which the first record fixes otherwise.
        types: What the values of columns are; reading, in the place of what the table declares, writing, in the place of
            what the first records show.
        mode: Writing: make the table, which must not be there; add rows to it; or put rows in the place of its own.
    """

    table: str | None = None
    query: str | None = None
    fields: list[str] | None = None
    types: dict[str, _Kind] = field(default_factory=dict)
    mode: Literal["create", "append", "replace"] = "create"

    def __post_init__(self) -> None:
        if self.table is not None and self.query is not None:
            raise ValueError("expected either 'table' or 'query'")
        if self.table is not None:
            quoted(self.table)

    def reader(self) -> Reader:
        """Return a reader of all rows."""
        return _Reader(self, None)

    def writer(self) -> Writer:
        """Return a writer of parts.

        Raises:
            ValueError: A query is set, or a type is declared of a column that ``fields`` does not name.
        """
        if self.query is not None:
            raise ValueError("query: expected 'table', since a query cannot be written to")
        return _Writer(self)

    @contextmanager
    def open_source(self, path: str, /) -> Iterator[sqlite3.Connection]:
        """Open a database file, for reading only."""
        if path == "-":
            raise ValueError("standard input is a stream, and a database has to be a file")
        if not os.path.isfile(path):
            raise FileNotFoundError(2, "No such file", path)
        connection = sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        try:
            # For a query: attaching a database that is not there makes it.
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            with _told(path):
                connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
            yield connection
        finally:
            connection.close()

    def pieces(self, stream: sqlite3.Connection, wanted_bytes: int, /) -> Iterable[tuple[int, int]]:
        """Yield ranges of row numbers; one piece for what has none."""
        table = None if self.query is not None else _table(stream, self.table)
        bounds = None if table is None else _row_bounds(stream, table)
        if bounds is None:
            yield 0, 0
            return
        _, low, high, rows = bounds
        pages = stream.execute("PRAGMA page_count").fetchone()[0] * stream.execute("PRAGMA page_size").fetchone()[0]
        step = max(1, (high - low + 1) * wanted_bytes // max(pages, rows, 1))
        for start in range(low, high + 1, step):
            yield start, min(start + step, high + 1)

    def piece_reader(self, start: int, end: int, /) -> Reader:
        """Return a reader of the rows whose numbers are from ``start`` to before ``end``; of all, where both are 0."""
        return _Reader(self, None if start == end else (start, end))

    def open_sink(self, path: str, /, *, run: str, resume: bool) -> "tuple[_Sink, int]":
        """Open or make a database file for writing.

        Raises:
            ValueError: The table is there and must not be.
        """
        return _Sink.open(self, path, run, resume=resume)


# ----------------------------------------------------------------------------- reading


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Let the database's errors out as errors of the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(errno.ENOSPC if _is(error, "SQLITE_FULL") else errno.EIO, _said(error), path) from error


def _said(error: sqlite3.Error) -> str:
    hint = "\n  hint: another program is at work in it: run it again when that has ended"
    return f"SQLite: {error}{hint if _is(error, 'SQLITE_BUSY') else ''}"


def _is(error: sqlite3.Error, name: str) -> bool:
    return getattr(error, "sqlite_errorname", None) == name  # errors of Python's own module have none


def _table(connection: sqlite3.Connection, named: str | None) -> str:
    """Return the table that is read: the named one, or the only one.

    Raises:
        ValueError: It is not there, or there are several.
    """
    listed = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name"
    ).fetchall()
    tables = [name for (name,) in listed if not name.startswith("sqlite_") and name != MARKS]
    if named is None and len(tables) == 1:
        return cast("str", tables[0])
    if not tables:
        raise ValueError("the database has no tables: expected one\n  hint: name the file that holds the table")
    hint = "\n  hint: name it: options = { table = ... }"
    if named is None:
        raise ValueError(f"the database has the tables {tables!r}: expected 'table' to name one of them{hint}")
    # Names that differ in upper and lower case alone are the same for SQLite.
    for table in tables:
        if table.lower() == named.lower():
            return cast("str", table)
    raise ValueError(f"the database has no table {named!r}: expected one of {tables!r}{hint}")


def _row_number(connection: sqlite3.Connection, table: str) -> str | None:
    """Return the name by which a table's rows tell their numbers; ``None`` where they have none."""
    kinds = connection.execute("SELECT type FROM sqlite_schema WHERE name = ?", (table,)).fetchall()
    columns = {name.lower() for _, name, *_ in connection.execute(f"PRAGMA table_xinfo({quoted(table)})")}
    # A column of such a name is not the number of a row, and a view has none, whatever it takes from its tables.
    return (
        next((name for name in ("rowid", "_rowid_", "oid") if name not in columns), None)
        if kinds != [("view",)]
        else None
    )


def _row_bounds(connection: sqlite3.Connection, table: str) -> tuple[str, int, int, int] | None:
    number = _row_number(connection, table)
    if number is None:
        return None
    try:
        found = connection.execute(f"SELECT min({number}), max({number}), count(*) FROM {quoted(table)}").fetchone()  # noqa: S608 - quoted
    except sqlite3.OperationalError:
        return None  # a table without row numbers
    low, high, rows = found
    return (number, low, high, rows) if isinstance(low, int) and isinstance(high, int) else None


class _Reader:
    """Asks for the rows of a table in the order of their numbers, or for those of a query as they come."""

    def __init__(self, settings: Sqlite, rows: tuple[int, int] | None) -> None:
        self._settings = settings
        self._rows = rows
        self._names: list[str] = []
        self._converters: list[tuple[str, str, Callable[[object], object]]] = []

    def decode(self, raw: object, /) -> Record:
        """Return the record of a row, its values as their columns declare them."""
        if type(raw) is not tuple:
            raise ValueError(cast("Broken", raw).reason)
        record: Record = dict(zip(self._names, raw))  # noqa: B905 - as many as the query has
        for name, kind, convert in self._converters:
            value = record[name]
            if value is not None:
                try:
                    record[name] = convert(value)
                except (ValueError, TypeError, ArithmeticError):
                    raise ValueError(f"column {name!r} holds {value!r}: expected {kind}, as it is declared") from None
        return record

    def batches(self, stream: BinaryIO, /) -> Iterator[Rows]:
        """Yield about 2,000 rows at a time; ``stream`` is what :meth:`Sqlite.open_source` gave.

        Raises:
            ValueError: There is no such table, or the query is wrong.
        """
        connection = cast("sqlite3.Connection", stream)
        try:
            cursor = self._select(connection, 0)
            if cursor.description is None:
                raise ValueError(
                    'the query gives no rows: expected a SELECT\n  hint: options = { query = "SELECT ..." }'
                )
            self._learn(connection, [column[0] for column in cursor.description])
            yield from self._fetch(connection, cursor)
        except sqlite3.Error as error:
            wrong = self._settings.query is not None and _is(error, "SQLITE_ERROR")
            hint = "\n  hint: mend 'query' in the options of [source]" if wrong else ""
            raise ValueError(f"{_said(error)}{hint}") from error

    def _fetch(self, connection: sqlite3.Connection, cursor: sqlite3.Cursor) -> Iterator[Rows]:
        done = 0
        while True:
            try:
                rows = cursor.fetchmany(ROWS_A_BATCH)
            except sqlite3.OperationalError as error:
                if "UTF-8" not in str(error) or connection.text_factory is not str:
                    raise
                # One wrong byte must not cost the table: it is carried as a lone surrogate, by which its row is found.
                connection.text_factory = _text
                cursor = self._select(connection, done)
                continue
            if not rows:
                return
            raws: list[object] = rows
            if connection.text_factory is not str:
                raws = [_checked(row) for row in rows]
            yield Rows(raws, done + 1)
            done += len(rows)

    def _select(self, connection: sqlite3.Connection, skipped: int) -> sqlite3.Cursor:
        settings = self._settings
        if settings.query is not None:
            cursor = connection.execute(settings.query)
            while skipped > 0:
                skipped -= len(cursor.fetchmany(min(skipped, ROWS_A_BATCH)))
            return cursor
        table = _table(connection, settings.table)
        where, order = "", ""
        bounds = _row_bounds(connection, table)
        if bounds is not None:
            number = bounds[0]
            order = f" ORDER BY {number}"
            if self._rows is not None:
                where = f" WHERE {number} >= {self._rows[0]} AND {number} < {self._rows[1]}"
        return connection.execute(f"SELECT * FROM {quoted(table)}{where}{order} LIMIT -1 OFFSET {skipped}")  # noqa: S608 - quoted

    def _learn(self, connection: sqlite3.Connection, names: list[str]) -> None:
        settings = self._settings
        check_names(names)
        strange = sorted(set(settings.types) - set(names))
        if strange:
            raise ValueError(f"types names {strange!r}: expected only columns that are there, {names!r}")
        self._names = names
        declared: dict[str, str] = {}
        if settings.query is None:
            info = connection.execute(f"PRAGMA table_info({quoted(_table(connection, settings.table))})")
            declared = {name: _kind_declared(text) for _, name, text, *_ in info}
        kinds = {**declared, **settings.types}
        self._converters = [
            (name, kind, _CONVERTERS[kind]) for name, kind in kinds.items() if kind in _CONVERTERS and name in names
        ]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _checked(row: Row) -> object:
    for value in row:
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError as error:
                return Broken(row, f"a text is not UTF-8: {error.object[max(0, error.start - 10) : error.end]!r}")
    return row


def _kind_declared(text: str) -> str:
    return _DECLARED.get(text.upper().partition("(")[0].strip(), "")


# Each raises TypeError for a number, which could be counted from any day.


def _date(value: object) -> object:
    return date.fromisoformat(cast("str", value))


def _datetime(value: object) -> object:
    return datetime_of(cast("str", value))


def _time(value: object) -> object:
    return time_of(cast("str", value))


def _bool(value: object) -> object:
    if value in {0, 1}:
        return bool(value)
    raise ValueError


def _decimal(value: object) -> object:
    return Decimal(repr(value) if isinstance(value, float) else cast("str | int", value))


def _json(value: object) -> object:
    return json.loads(value) if isinstance(value, str | bytes) else value


_CONVERTERS: Mapping[str, Callable[[object], object]] = {
    "bool": _bool,
    "decimal": _decimal,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "json": _json,
    "int": lambda value: int(cast("str", value)),
    "float": lambda value: float(cast("str", value)),
    "str": lambda value: value if isinstance(value, str) else str(value),
}

# The type that a column is declared with when it is made, by kind. SQLite makes a number of text that looks like one
# unless the name has TEXT in it: the digits of a decimal number would be lost.
_SQL = {
    "bool": "BOOLEAN",
    "int": "INTEGER",
    "float": "REAL",
    "str": "TEXT",
    "bytes": "BLOB",
    "decimal": "DECIMAL_TEXT",
    "date": "DATE",
    "datetime": "DATETIME",
    "datetime with zone": "DATETIME",
    "time": "TIME",
    "json": "JSON_TEXT",
    "": "",
}

_DECLARED = {
    "BOOLEAN": "bool",
    "BOOL": "bool",
    "DECIMAL_TEXT": "decimal",
    "DATE": "date",
    "DATETIME": "datetime",
    "TIMESTAMP": "datetime",
    "TIME": "time",
    "JSON_TEXT": "json",
}

# ----------------------------------------------------------------------------- writing


def _refuses(kind: str, value: object) -> str | None:
    if kind == "int" and not -(2**63) <= cast("int", value) < 2**63:
        return f"{value!r}: expected an integer of at most 64 bits"
    if kind == "float" and value != value:  # noqa: PLR0124 - NaN alone is not itself
        return "NaN, which SQLite would take for no value"
    if kind == "duration":
        return "a duration, which SQLite has no type for: make it a number of seconds"
    return None


def _known_as(name: str) -> str:
    # Names that differ in the case of letters of ASCII are the same.
    return "".join(one.lower() if one.isascii() else one for one in quoted(name))


def _stored(value: object) -> object:
    """Return a value as one of SQLite's own types."""
    match value:
        case bool():
            return int(value)
        case int() | float() | str() | bytes() | None:
            return value
        case Decimal():
            return str(value)
        case datetime():
            return value.isoformat(" ")
        case date() | time():
            return value.isoformat()
    return json_text(value)


class _Writer(TableWriter):
    """Rows as MessagePack, a batch after the other."""

    def __init__(self, settings: Sqlite) -> None:
        # Comes with plugline[tool]; it is imported where a table is written and not where one is read.
        from msgspec import msgpack

        self._pack = msgpack.Encoder().encode
        super().__init__(Columns(settings.fields, settings.types, _refuses, _known_as))
        self._columns.adds = settings.mode == "append"

    def encode(self, record: Record, /) -> Row:
        """Return the row of a record.

        Raises:
            ValueError, TypeError: It has other fields than the columns, or a value that its column cannot hold.
        """
        values = self._columns.row(record)
        try:
            row = tuple(map(_stored, values))
            for value in row:
                if value.__class__ is str:
                    value.encode()  # a lone surrogate
        except (ValueError, TypeError) as error:
            raise self._columns.named(values, _stored) or error from None
        return row

    def write(self, encoded: list[object], /) -> None:
        if encoded:
            self._some = True
            self._stream.write(_packed(encoded, self._pack))


def _packed(rows: Sequence[object], pack: Callable[[object], bytes]) -> bytes:
    packed = pack(rows)
    return len(packed).to_bytes(8, "big") + packed


def _rows_in(content: bytes) -> Iterator[list[Row]]:
    from msgspec import msgpack

    unpack = msgpack.Decoder(list[tuple[object, ...]]).decode
    view, at = memoryview(content), 0
    while at < len(view):
        size = int.from_bytes(view[at : at + 8], "big")
        yield unpack(view[at + 8 : at + 8 + size])
        at += 8 + size


class _Sink(TableSink):
    in_order = " ORDER BY rowid"
    keeps_marks = False

    @classmethod
    def open(cls, settings: Sqlite, path: str, run: str, *, resume: bool) -> "tuple[_Sink, int]":
        """Connect, and find out how far the run is."""
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            with _told(path):
                connection.execute("PRAGMA foreign_keys = ON")
                sink = cls(connection, settings, path, run)
                return sink, sink.begin(resume=resume)
        except BaseException:
            connection.close()
            raise

    def __init__(self, connection: sqlite3.Connection, settings: Sqlite, path: str, run: str) -> None:
        super().__init__(connection, settings, settings.table or "records", run)
        self._path = path

    @contextmanager
    def transaction(self) -> Iterator[None]:
        execute, within = self._connection.execute, self._connection.in_transaction
        with _told(self._path):
            execute("SAVEPOINT part" if within else "BEGIN IMMEDIATE")
            try:
                yield
                execute("RELEASE part" if within else "COMMIT")
            except BaseException:
                if within:
                    execute("ROLLBACK TO part")
                    execute("RELEASE part")
                elif self._connection.in_transaction:
                    execute("ROLLBACK")
                raise

    def refusal(self, error: BaseException | None) -> tuple[str, int] | None:
        return (f"SQLite: {error}", -1) if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError) else None

    def named(self, table: str) -> str:
        return quoted(table)

    def has(self, table: str) -> bool:
        query = "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = lower(?)"
        return self._connection.execute(query, (table,)).fetchone() is not None

    def columns_of(self, table: str) -> list[str]:
        return [name for _, name, *_ in self._connection.execute(f"PRAGMA table_info({quoted(table)})")]

    def column(self, name: str, kind: str) -> str:
        return f"{quoted(name)} {_SQL[kind]}".rstrip()

    def make_alike(self, kinds: Mapping[str, str]) -> bool:
        query = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)"
        (text,) = self._connection.execute(query, (self._table,)).fetchone() or ("",)
        begin, columns, rest = text.partition("(")
        # Of a virtual table, what stands there are no columns; without numbers, rows have no order; a reference may be to itself.
        strange = re.search("REFERENCES|WITHOUT", rest, re.IGNORECASE) or "(" in self._table
        if strange or not begin.upper().startswith("CREATE TABLE"):
            return False
        try:
            self._connection.execute(f"CREATE TABLE {quoted(self._beside)} {columns}{rest}")
        except sqlite3.OperationalError:  # it may name itself
            return False
        return True

    def insert(self, table: str, columns: Sequence[str], content: bytes) -> None:
        names = ", ".join(map(quoted, columns))
        insert = f"INSERT INTO {quoted(table)} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - quoted
        for rows in _rows_in(content):
            self._connection.executemany(insert, rows)

    def rows(self, content: bytes) -> list[object]:
        return [row for rows in _rows_in(content) for row in rows]

    def content(self, rows: Sequence[object]) -> bytes:
        from msgspec import msgpack

        return _packed(rows, msgpack.encode)
