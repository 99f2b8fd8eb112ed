"""PostgreSQL: a table, or the result of a query, of a server.

The path is an address, ``postgresql://user@host/database``; what it does not say is taken from where PostgreSQL's own
programs look (``PGPASSWORD``, ``~/.pgpass``, ``PGHOST``). Dates with a time and a zone come in UTC.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib.util import find_spec
from typing import Any, BinaryIO, Literal, cast

from plugline.formats._rows import Rows
from plugline.formats._sql import ROWS_A_BATCH, Columns, TableSink, TableWriter, check_names, json_text, quoted
from plugline.records import Broken, Reader, Record, Writer

SCHEMES = ("postgresql", "postgres")

_CONNECT_SECONDS = 15
# What Python has types of its own for, and no other format.
_TEXT_OF = (
    "uuid",
    "inet",
    "cidr",
    *(f"{kind}{what}" for kind in ("int4", "int8", "num", "date", "ts", "tstz") for what in ("range", "multirange")),
)

_Kind = Literal[
    "str",
    "int",
    "float",
    "bool",
    "decimal",
    "date",
    "datetime",
    "datetime with zone",
    "time",
    "duration",
    "bytes",
    "json",
]


def available() -> bool | str:
    """Say what is missing where the driver is not installed."""
    if find_spec("psycopg") is None:
        return "it needs the package 'psycopg': pip install 'plugline[postgres]'"
    return True


@dataclass(kw_only=True, eq=False, repr=False)
class Postgresql:
    """A table of a PostgreSQL database.

    Attributes:
        table: The table, ``orders`` or ``schema.orders``; writing, it has to be set.
        query: Reading, a query in the place of a table.
        fields: Writing, the columns in order, which the first record fixes otherwise.
        types: Writing, what the values of columns are, in the place of what the first records show.
        mode: Writing: make the table, which must not be there; add rows to it; or put rows in the place of its own.
    """

    table: str | None = None
    query: str | None = None
    fields: list[str] | None = None
    types: dict[str, _Kind] = field(default_factory=dict)
    mode: Literal["create", "append", "replace"] = "create"

    def __post_init__(self) -> None:
        if (self.table is None) == (self.query is None):
            raise ValueError("expected either 'table' or 'query'")
        if self.table is not None:
            _name(self.table)

    def reader(self) -> Reader:
        """Return a reader of all rows."""
        return _Reader(self)

    def writer(self) -> Writer:
        """Return a writer of parts.

        Raises:
            ValueError: A query is set, or a type is declared of a column that ``fields`` does not name.
        """
        if self.table is None:
            raise ValueError("query: expected 'table', since a query cannot be written to")
        for part in self.table.split("."):
            _known_as(part)
        return _Writer(self)

    @contextmanager
    def open_source(self, path: str, /) -> Iterator[Any]:
        """Connect for reading only, to one state of the database."""
        connection = _connect(path)
        try:
            with _told(path):
                connection.isolation_level = _psycopg().IsolationLevel.REPEATABLE_READ
                connection.read_only = True
            yield connection
        finally:
            connection.close()

    def open_sink(self, path: str, /, *, run: str, resume: bool) -> "tuple[_Sink, int]":
        """Connect for writing.

        Raises:
            ValueError: The table is there and must not be.
        """
        connection = _connect(path)
        try:
            with _told(path):
                connection.autocommit = True
                sink = _Sink(connection, self, path, run)
                return sink, sink.begin(resume=resume)
        except BaseException:
            connection.close()
            raise


_LONGEST_NAME = 63  # NAMEDATALEN of a server as it is shipped, less the NUL


def _psycopg() -> Any:
    # When the format is named: it is an extra, and costs more than a short run.
    import psycopg

    return psycopg


def _connect(path: str) -> Any:
    psycopg = _psycopg()
    with _told(path):
        connection = psycopg.connect(path, connect_timeout=_CONNECT_SECONDS, application_name="plugline")
        with connection.transaction():
            # The same everywhere, whatever the server and the user have set.
            connection.execute("SET TIME ZONE 'UTC'")
            connection.execute("SET datestyle = 'ISO, YMD'")
            connection.execute("SET intervalstyle = 'postgres'")
        for name in _TEXT_OF:
            connection.adapters.register_loader(name, psycopg.types.string.TextLoader)

        class Interval(psycopg.types.datetime.IntervalLoader):  # type: ignore[misc, name-defined]
            def load(self, data: Any) -> timedelta:
                # psycopg would make 30 days of a month.
                if re.search(b"mon|year", data):
                    raise psycopg.DataError
                return cast("timedelta", super().load(data))

        connection.adapters.register_loader("interval", Interval)
        return connection


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Let the server's errors out as errors of the address, without its password."""
    psycopg = _psycopg()
    try:
        yield
    except psycopg.Error as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise OSError(5, f"PostgreSQL: {said}", _shown(path)) from None  # the cause may hold the address


def _shown(path: str) -> str:
    scheme, _, rest = path.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}{at}{host.partition('?')[0]}"


def _name(table: str) -> str:
    """Return the name of a table, with or without a schema, as SQL has it."""
    return ".".join(quoted(part) for part in table.split("."))


# ----------------------------------------------------------------------------- reading


class _Reader:
    """Asks for rows by a cursor on the server, so that it never sends more than a batch."""

    def __init__(self, settings: Postgresql) -> None:
        self._settings = settings
        names: list[str] = []
        self._names = names

        def decode(raw: tuple[object, ...] | Broken) -> Record:
            if type(raw) is not tuple:
                raise ValueError(cast("Broken", raw).reason)
            return dict(zip(names, raw))  # noqa: B905 - as many as the query has

        self.decode = cast("Callable[[object], Record]", decode)

    def batches(self, stream: BinaryIO, /) -> Iterator[Rows]:
        """Yield about 2,000 rows at a time; ``stream`` is what :meth:`Postgresql.open_source` gave.

        Raises:
            ValueError: There is no such table, or the query is wrong.
        """
        connection = cast("Any", stream)
        psycopg = _psycopg()
        settings = self._settings
        query = settings.query if settings.table is None else f"SELECT * FROM {_name(settings.table)}"  # noqa: S608 - quoted
        row = 1
        try:
            with connection.cursor(name="plugline") as cursor:
                cursor.itersize = ROWS_A_BATCH
                cursor.execute(query)
                names = [column.name for column in cursor.description or ()]
                if not names:
                    raise ValueError("the rows have no columns: expected at least one")
                check_names(names)
                self._names[:] = names
                while rows := _fetched(cursor, names):
                    yield Rows(rows, row)
                    row += len(rows)
        except (psycopg.Error, NotImplementedError) as error:  # the latter: no Python type can hold it
            said = " ".join(str(error).split())
            code = getattr(error, "sqlstate", None) or ""
            wrong = (
                code[:2] in {"22", "42"} and code != "42501"
            )  # data, names and syntax of a query, and no want of rights
            hint = "\n  hint: mend 'table' or 'query' in the options of [source]" if wrong else ""
            raise ValueError(f"PostgreSQL: {said}{hint}") from None


def _fetched(cursor: Any, names: Sequence[str]) -> list[object]:
    """Return the next rows; one that holds what Python has no value for is broken, and the others are not."""
    try:
        return cast("list[object]", cursor.fetchmany(ROWS_A_BATCH))
    except _psycopg().DataError as error:
        if error.sqlstate is not None:  # it is the server's, which sent no rows
            raise
    import psycopg.adapt  # seldom

    result = cursor.pgresult
    transformer = psycopg.adapt.Transformer(cursor)
    transformer.set_pgresult(result)
    return [_loaded(transformer, result, row, names) for row in range(result.ntuples)]


def _loaded(transformer: Any, result: Any, row: int, names: Sequence[str]) -> object:
    raws = [result.get_value(row, column) for column in range(len(names))]
    values: list[object] = []
    for column, (name, raw) in enumerate(zip(names, raws, strict=True)):
        loader = transformer.get_loader(result.ftype(column), result.fformat(column))
        try:
            values.append(None if raw is None else loader.load(raw))
        except _psycopg().DataError:
            shown = [None if one is None else one.decode(errors="replace") for one in raws]
            held = f"column {name!r} holds {shown[column]!r}"
            return Broken(shown, f"{held}, which Python has no value for: make another of it by 'query'")
    return tuple(values)


# ----------------------------------------------------------------------------- writing


def _refuses(kind: str, value: object) -> str | None:
    if kind == "int" and not -(2**63) <= cast("int", value) < 2**63:
        return f"{value!r}: expected an integer of at most 64 bits, or the type 'decimal'"
    if kind == "str" and "\0" in cast("str", value):
        return "text with a NUL character, which PostgreSQL cannot hold"
    if kind == "time" and cast("time", value).tzinfo is not None:
        return "a time with a zone: expected one without"
    if kind == "decimal" and isinstance(value, Decimal) and not value.is_finite() and not value.is_nan():
        return f"{value!r}: expected a finite number"
    return None


def _escaped(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\t" in text or "\n" in text or "\r" in text:
        text = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text


def _json(value: object) -> str:
    text = json_text(value)
    if "\\u0000" in text:
        raise ValueError("a list or table holds a NUL character, which PostgreSQL cannot hold")
    return _escaped(text)


def _float(value: object) -> str:
    text = float.__repr__(float(cast("float", value)))
    return {"inf": "Infinity", "-inf": "-Infinity"}.get(text, text)


def _moment(value: datetime) -> str:
    # A column without a zone would forget it, and keep the hour.
    return (value.astimezone(UTC) if value.utcoffset() else value).isoformat()


def _duration(value: object) -> str:
    spent = cast("timedelta", value)
    return f"{spent.days} days {spent.seconds}.{spent.microseconds:06} seconds"


def _json_or_array(value: object) -> str:
    try:
        return _json(value)
    except (ValueError, TypeError):
        if isinstance(value, dict):
            raise
        return _escaped(_array(value))


def _array(value: object) -> str:
    """Return a list as PostgreSQL has arrays; one that holds neither lists nor tables may be of anything."""
    match value:
        case list() | tuple():
            return f"{{{','.join(map(_array, value))}}}"
        case None:
            return "NULL"
        case str():
            text = value
        case bytes():
            text = f"\\x{value.hex()}"
        case dict():
            text = json_text(value)
        case _:
            write = _TEXTS.get(value.__class__)
            if write is None:
                raise TypeError(f"a list holds a {type(value).__name__}, which no column can hold")
            text = write(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _with_arrays(line: bytes, columns: Sequence[int]) -> bytes:
    """Return a row of COPY whose lists in some columns are arrays, and JSON no more."""
    fields = line.split(b"\t")
    for column in columns:
        if fields[column].startswith(b"["):
            with suppress(ValueError):  # a text that begins so
                fields[column] = _escaped(_array(json.loads(fields[column].replace(b"\\\\", b"\\")))).encode()
    return b"\t".join(fields)


# Values as the COPY command reads them.
_TEXTS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda value: "\\N",
    bool: lambda value: "t" if value else "f",
    int: int.__repr__,
    float: _float,
    str: _escaped,
    bytes: lambda value: f"\\\\x{value.hex()}",
    Decimal: str,
    date: date.isoformat,
    datetime: _moment,
    time: time.isoformat,
    timedelta: _duration,
    list: _json,
    tuple: _json,
    dict: _json,
}

# The type that a column is made with, by kind.
_SQL = {
    "bool": "boolean",
    "int": "bigint",
    "float": "double precision",
    "str": "text",
    "bytes": "bytea",
    "decimal": "numeric",
    "date": "date",
    "datetime": "timestamp",
    "datetime with zone": "timestamptz",
    "time": "time",
    "duration": "interval",
    "json": "jsonb",
    "": "text",
}


class _Writer(TableWriter):
    """Rows as the COPY command reads them."""

    def __init__(self, settings: Postgresql) -> None:
        # A table that is there may have columns of arrays.
        write = _json if settings.mode == "create" else _json_or_array
        self._texts = {**_TEXTS, list: write, tuple: write}
        super().__init__(Columns(settings.fields, settings.types, _refuses, _known_as, write))
        self._columns.adds = settings.mode == "append"

    def encode(self, record: Record, /) -> bytes:
        """Return the row of a record.

        Raises:
            ValueError, TypeError: It has other fields than the columns, or a value that its column cannot hold.
        """
        row, texts = self._columns.row(record), self._texts
        try:
            return "\t".join([texts[value.__class__](value) for value in row]).encode()
        except (ValueError, TypeError) as error:
            raise self._columns.named(row, lambda value: texts[value.__class__](value)) or error from None

    def write(self, encoded: list[object], /) -> None:
        if encoded:
            self._some = True
            self._stream.write(b"\n".join([*cast("list[bytes]", encoded), b""]))


# The classes of SQLSTATE that are about values: data, constraints, views' conditions, what an index has no room for, triggers.
_OF_ROWS = ("22", "23", "44", "54000", "P0")


def _known_as(name: str) -> str:
    count = len(name.encode())
    if count > _LONGEST_NAME:
        raise ValueError(f"{name!r} has {count} bytes: expected a name of at most {_LONGEST_NAME}, others would be cut")
    return quoted(name)


class _Sink(TableSink):
    parameter = "%s"
    longest_name = _LONGEST_NAME
    overriding = "OVERRIDING SYSTEM VALUE "
    tried_at_once = 256
    checks_at_once = "SET CONSTRAINTS ALL IMMEDIATE"

    def __init__(self, connection: Any, settings: Postgresql, path: str, run: str) -> None:
        super().__init__(connection, settings, cast("str", settings.table), run)
        self._path = path
        self._arrays: frozenset[str] | None = None  # the columns of the table that are of arrays

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with _told(self._path), self._connection.transaction():
            yield

    def refusal(self, error: BaseException | None) -> tuple[str, int] | None:
        code = getattr(error, "sqlstate", None) or ""
        if not code.startswith(_OF_ROWS):
            return None
        told = cast("Any", error).diag
        found = re.search(r"^COPY .*?, line (\d+)(?:, column (.*?): )?", told.context or "", re.MULTILINE)
        column = f"column {found[2]!r}: " if found and found[2] else ""
        detail = f": {told.message_detail}" if (told.message_detail or "").startswith("Key ") else ""
        return f"PostgreSQL: {column}{told.message_primary}{detail}", int(found[1]) - 1 if found else -1

    def named(self, table: str) -> str:
        return _name(table)

    def last_name(self, table: str) -> str:
        return quoted(table.rpartition(".")[2])

    def has(self, table: str) -> bool:
        found = self._connection.execute("SELECT to_regclass(%s)", (_name(table),)).fetchone()
        return found[0] is not None

    def columns_of(self, table: str) -> list[str]:
        cursor = self._connection.execute(f"SELECT * FROM {_name(table)} LIMIT 0")  # noqa: S608 - quoted
        return [column.name for column in cursor.description]

    def column(self, name: str, kind: str) -> str:
        return f"{quoted(name)} {_SQL[kind]}"

    def make_alike(self, kinds: Mapping[str, str]) -> bool:
        beside = _name(self._beside)
        self._connection.execute(f"CREATE TABLE {beside} (LIKE {_name(self._table)} INCLUDING ALL)")
        for name in {*self.columns_of(self._beside)} - {*kinds}:
            self._connection.execute(f"ALTER TABLE {beside} DROP COLUMN IF EXISTS {quoted(name)} CASCADE")
        return True

    def insert(self, table: str, columns: Sequence[str], content: bytes) -> None:
        if self._arrays is None:
            query = "SELECT attname FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE attrelid = to_regclass(%s) AND typcategory = 'A'"
            self._arrays = frozenset(name for (name,) in self._connection.execute(query, (_name(table),)))
        arrays = [number for number, name in enumerate(columns) if name in self._arrays]
        if arrays:
            content = self.content([_with_arrays(row, arrays) for row in cast("list[bytes]", self.rows(content))])
        names = ", ".join(map(quoted, columns))
        with self._connection.cursor().copy(f"COPY {_name(table)} ({names}) FROM STDIN") as copy:
            copy.write(content)

    def rows(self, content: bytes) -> list[object]:
        return [*content.split(b"\n")[:-1]]

    def content(self, rows: Sequence[object]) -> bytes:
        return b"\n".join([*cast("Sequence[bytes]", rows), b""])
