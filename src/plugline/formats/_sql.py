"""What tables of databases have in common: records to rows whose columns have a kind, which the first records fix."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, BinaryIO, Literal, NoReturn, Protocol, cast
from zlib import crc32

from plugline.formats._rows import shown
from plugline.records import Record, RowsRefused
from plugline.records.values import columns_of, other_fields

Row = tuple[object, ...]

# What a column holds, by the type of its values. "json" are lists and tables.
KINDS: Mapping[type, str] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    bytes: "bytes",
    Decimal: "decimal",
    date: "date",
    datetime: "datetime",
    time: "time",
    timedelta: "duration",
    list: "json",
    tuple: "json",
    dict: "json",
}

WORDS = {
    "bool": "a truth value",
    "int": "an integer of at most 64 bits",
    "float": "a float",
    "str": "text",
    "bytes": "bytes",
    "decimal": "a decimal number",
    "date": "a date",
    "datetime": "a date and time without a zone",
    "datetime with zone": "a date and time with a zone",
    "time": "a time",
    "duration": "a duration",
    "json": "a list or a table",
    "": "no value, since it had none when the columns were fixed; declare its type",
}

ROWS_A_BATCH = 2048
MARKS = "plugline_parts"
"""The table that says how many parts of which run are there; in a database that nobody writes to, it is not."""
_ALL_PARTS = 2**62  # of a run that is finished, and whose journal may be there still


class Columns:
    """Records to rows of one shape.

    Names and order come from the first record, or are declared; kinds widen (an integer column becomes one of floats, one
    without values gets a kind) until :meth:`fix`.

    Attributes:
        adds: Whether the table may be there, and itself says what numbers a column has, or what it holds at all.
    """

    adds = False

    def __init__(
        self,
        fields: Sequence[str] | None,
        types: Mapping[str, str],
        refuses: Callable[[str, object], str | None],
        known_as: Callable[[str], str],
        json: Callable[[object], object] | None = None,
    ) -> None:
        """Begin with what is declared.

        Args:
            fields: The columns in order.
            types: The kinds of some of them.
            refuses: Says of a kind and a value what the database has against it, if anything.
            json: Writes what is "json", in the place of :func:`json_text`.
            known_as: Makes what the database knows a column by of its name, or raises ``ValueError`` for one that it cannot have.

        Raises:
            ValueError: A kind is declared of a column that is not there, or a name is none for a column.
        """
        self._declared = dict(types)
        self._refuses = refuses
        self._known_as = known_as
        self._json = json or json_text
        self._fixed = False
        self._known: set[tuple[type, ...]] = set()
        self._values: Callable[[Record], Row] | None = None
        self.kinds: dict[str, str] = {}
        if fields is not None:
            self._begin(tuple(fields))

    @property
    def token(self) -> tuple[str, ...]:
        """The columns as texts, for :meth:`restore`: each with its kind before it."""
        return tuple(f"{kind}:{name}" for name, kind in self.kinds.items())

    def restore(self, token: Sequence[str]) -> None:
        """Take over the columns that another one fixed."""
        kinds = kinds_of(token)
        self._begin(tuple(kinds))
        self.kinds = kinds
        self._fixed = True

    def fix(self) -> None:
        """From now on, kinds widen no more."""
        self._fixed = True

    def row(self, record: Record) -> Row:
        """Return the values of a record in the order of the columns.

        Raises:
            ValueError: It has other fields than the columns, or a value that its column cannot hold.
        """
        if self._values is None:
            self._first(record)
        values = cast("Callable[[Record], Row]", self._values)
        try:
            row = values(record)
        except KeyError:
            raise other_fields(record, self.kinds) from None
        if len(record) != len(row):
            raise other_fields(record, self.kinds)
        widened = None
        for (name, kind), value in zip(self.kinds.items(), row, strict=True):
            if value is None:
                continue
            found = kind_of(value)
            if found != kind:
                widened = widened or dict(self.kinds)
                widened[name] = self._widened(name, kind, found, value)
                found = widened[name] if found == "int" else found
            wrong = self._refuses(found, value)
            if wrong is not None:
                raise ValueError(f"column {name!r} holds {wrong}")
        if widened is not None:
            self.kinds = widened
        return row

    def _widened(self, name: str, kind: str, found: str, value: object) -> str:
        if found == "int" and kind == "float" and -(2**53) <= cast("int", value) <= 2**53:
            return kind
        if found == "int" and kind == "decimal":
            return kind
        if not self._fixed and name not in self._declared:
            if not kind and found:
                return found
            if {kind, found} == {"int", "float"}:
                return "float"
        if self.adds and found and (not kind or {kind, found} <= {"int", "float", "decimal"}):
            return kind
        if not found:
            raise ValueError(f"column {name!r} holds a {type(value).__name__}, which no column can hold")
        raise ValueError(f"column {name!r} holds {shown(value)}, {WORDS[found]}: expected {WORDS[kind]}")

    def _begin(self, names: tuple[str, ...]) -> None:
        known = [*map(self._known_as, names)]
        twice = sorted({name for name, one in zip(names, known, strict=True) if known.count(one) > 1})
        if len(twice) > 1:
            raise ValueError(f"columns {twice!r} are the same for the database: expected each once")
        if twice:
            raise ValueError(f"columns {twice!r} are named more than once: expected each once")
        strange = sorted(set(self._declared) - set(names))
        if strange:
            raise ValueError(f"types names {strange!r}: expected only columns that are there, {list(names)!r}")
        self.kinds = {name: self._declared.get(name, "") for name in names}
        # With one name itemgetter gives the value itself.
        one = names[0] if names else ""
        self._values = (
            cast("Callable[[Record], Row]", itemgetter(*names)) if len(names) > 1 else lambda record: (record[one],)
        )

    def named(self, row: Row, write: Callable[[object], object]) -> ValueError | None:
        """Return the error that writing one of the values raises, with its column; ``None`` where none of them does."""
        told = (_unwritable(name, value, write) for name, value in zip(self.kinds, row, strict=True))
        return next(filter(None, told), None)

    def _first(self, record: Record) -> None:
        names = columns_of(record)
        kinds: dict[str, str] = {}
        for name, value in record.items():
            # Whole or nothing: a first record that cannot be written fixes nothing.
            kinds[name] = self._declared.get(name) or ("" if value is None else kind_of(value))
            if value is not None and not kinds[name]:
                raise ValueError(f"column {name!r} holds a {type(value).__name__}, which no column can hold")
            wrong = None if value is None else self._refuses(kinds[name], value)
            if wrong is not None:
                raise ValueError(f"column {name!r} holds {wrong}")
            if error := _unwritable(name, value, self._json if kinds[name] == "json" else lambda value: value):
                raise error
        self._begin(names)


def _unwritable(name: str, value: object, write: Callable[[object], object]) -> ValueError | None:
    try:
        text = write(value)
        if isinstance(text, str):
            text.encode()
    except UnicodeEncodeError:
        return ValueError(f"column {name!r} holds half of a surrogate pair, which UTF-8 has no bytes for")
    except (ValueError, TypeError) as error:
        return ValueError(f"column {name!r} holds what JSON cannot: {error}")
    return None


def kinds_of(token: Sequence[str]) -> dict[str, str]:
    """Return the kinds of columns by their names, of what :attr:`Columns.token` gives."""
    return {name: kind for kind, _, name in (one.partition(":") for one in token)}


def kind_of(value: object) -> str:
    """Return what kind of column holds a value, nothing where none does."""
    kind = KINDS.get(value.__class__, "")
    if kind == "datetime" and cast("datetime", value).tzinfo is not None:
        return "datetime with zone"
    return kind


def json_text(value: object) -> str:
    """Return a list or table as JSON, whole.

    Raises:
        ValueError, TypeError: It holds what JSON has no word for.
    """
    _check_keys(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _check_keys(value: object) -> None:
    # json makes text of numbers, truth values and None.
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"key {key!r} is a {type(key).__name__}: expected text")  # noqa: TRY004 - a faulty record
            _check_keys(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_keys(inner)


def quoted(name: str) -> str:
    """Return a name as both databases take it, whatever characters it has; ``schema.table`` is not taken apart."""
    if "\0" in name or not name:
        raise ValueError(f"{name!r} cannot be the name of a table or a column")
    return '"' + name.replace('"', '""') + '"'


def check_names(names: Sequence[str]) -> None:
    """Refuse what a query gives of which two columns have one name."""
    if len(set(names)) < len(names):
        hint = "\n  hint: give each a name of its own in the query: AS"
        raise ValueError(f"the query has the columns {names!r}: expected each name once{hint}")


class TableWriter:
    """A writer of rows whose columns the first part fixes; ``encode`` and ``write`` are the database's own.

    Attributes:
        columns: The columns as texts (:attr:`Columns.token`) once they are fixed.
    """

    separator = b""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._some = False  # set by ``write``
        self.columns: tuple[str, ...] | None = None

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        del first
        self._stream = stream
        if columns is not None:
            self._columns.restore(columns)
            self.columns = tuple(columns)

    def close(self, *, last: bool) -> None:
        """End the part, whose records fix the columns."""
        del last
        if self._some and self.columns is None:
            self._columns.fix()
            self.columns = self._columns.token


class SinkSettings(Protocol):
    """What a sink asks of a format's settings."""

    @property
    def mode(self) -> Literal["create", "append", "replace"]:
        """Make the table, which must not be there; add rows to it; or put rows in the place of its own."""

    @property
    def fields(self) -> list[str] | None:
        """The columns in order, which the first record fixes otherwise."""

    @property
    def types(self) -> Mapping[str, str]:
        """The kinds that are declared."""


_BESIDE = "__plugline"  # behind the name of the table that rows are in until the run has ended


class TableSink(ABC):
    """One table of a database, and the mark that says how many parts of the run it has.

    States: no table yet → rows come in → finished. Until then, the rows of ``create`` and ``replace`` are in a table beside.
    Each change is one transaction with its mark, so that a run that was killed goes on behind the last one.
    """

    parameter = "?"
    """How a query has what is given with it."""
    in_order = ""
    """What keeps rows in order where they are copied."""
    longest_name: int | None = None
    """How many bytes of a name the database takes; what is longer it would cut, without a word."""
    overriding = ""
    """What has columns take values that otherwise number themselves."""
    checks_at_once = ""
    """What has constraints checked by each statement that would be checked at the end of the transaction."""
    tried_at_once = 1
    """How many rows at most are tried together to find those that the database refuses."""
    keeps_marks = True
    """Whether the table of marks stays when no run has one: others may be about to write theirs."""

    def __init__(self, connection: Any, settings: SinkSettings, table: str, run: str) -> None:
        """Take what is open; :meth:`begin` comes next."""
        self._connection = connection
        self._settings = settings
        self._run = run
        self._table = table
        self._beside = table if settings.mode == "append" else self._name_beside(table)
        self.adds = settings.mode == "append"
        self._made = False
        self._finished = False

    def _name_beside(self, table: str) -> str:
        schema, dot, last = table.rpartition(".")
        if self.longest_name is not None and len(last.encode()) + len(_BESIDE) > self.longest_name:
            told = f"_{crc32(last.encode()):08x}"
            last = last.encode()[: self.longest_name - len(_BESIDE) - len(told)].decode(errors="ignore") + told
        return f"{schema}{dot}{last}{_BESIDE}"

    @abstractmethod
    def transaction(self) -> AbstractContextManager[object]:
        """Do all of it or nothing, within another one too, and let the database's errors out as errors of its address."""

    @abstractmethod
    def refusal(self, error: BaseException | None) -> tuple[str, int] | None:
        """Return what an error of the database has against a row, and the number of that; ``None`` where it is about something else.

        The number is -1 where the database does not tell it.
        """

    @abstractmethod
    def named(self, table: str) -> str:
        """Return a table's name as SQL has it."""

    def last_name(self, table: str) -> str:
        """Return it without that of a schema."""
        return self.named(table)

    @abstractmethod
    def has(self, table: str) -> bool:
        """Whether there is one."""

    @abstractmethod
    def columns_of(self, table: str) -> list[str]:
        """Return the names of its columns."""

    @abstractmethod
    def column(self, name: str, kind: str) -> str:
        """Return what declares a column of this kind."""

    @abstractmethod
    def make_alike(self, kinds: Mapping[str, str]) -> bool:
        """Make the table beside with the types and constraints of the one whose rows are replaced, if that can be done."""

    @abstractmethod
    def insert(self, table: str, columns: Sequence[str], content: bytes) -> None:
        """Put the rows of a part into a table."""

    @abstractmethod
    def rows(self, content: bytes) -> list[object]:
        """Return the rows of a part as its writer encoded them."""

    @abstractmethod
    def content(self, rows: Sequence[object]) -> bytes:
        """Return rows as a part has them."""

    def begin(self, *, resume: bool) -> int:
        """Return how many parts there are already."""
        execute = self._connection.execute
        marked = self.has(MARKS)
        if resume and marked:
            query = f"SELECT parts FROM {MARKS} WHERE run = {self.parameter}"  # noqa: S608 - constants
            found = execute(query, (self._run,)).fetchone()
            if found is not None:
                self._finished = found[0] == _ALL_PARTS
                return cast("int", found[0])
        if self._settings.mode == "create" and self.has(self._table):
            raise ValueError(
                f"the database has a table {self._table!r} already: name another, or set 'mode' to 'append' or 'replace'"
            )
        with self.transaction():
            if marked:
                self._unmark()
            if self._beside != self._table:
                execute(f"DROP TABLE IF EXISTS {self.named(self._beside)}")
        return 0

    def add(self, number: int, content: bytes, /, *, columns: Sequence[str] | None) -> None:
        """Write a part and its mark, in one transaction."""
        kinds = kinds_of(columns or ())
        try:
            with self.transaction():
                self._mark(number + 1)
                if kinds:
                    self._make(kinds)
                    self.insert(self._beside, list(kinds), content)
        except OSError as error:
            self._made = False  # a table that was made is gone again
            if self.refusal(error.__context__) is None:
                raise
            self._refuse(kinds, self.rows(content), error)

    def _refuse(self, kinds: Mapping[str, str], rows: Sequence[object], error: OSError) -> NoReturn:
        """Find the rows that the database refuses, and raise them; or the error, where there are none."""
        reasons: dict[int, str] = {}

        def tried(begin: int, end: int) -> tuple[str, int] | None:
            try:
                with self.transaction():
                    self.insert(self._beside, list(kinds), self.content(rows[begin:end]))
            except OSError as said:
                if (refusal := self.refusal(said.__context__)) is None:
                    raise
                return refusal
            return None

        try:
            with self.transaction():
                self._make(kinds)
                if self.checks_at_once:
                    self._connection.execute(self.checks_at_once)
                at, size = 0, self.tried_at_once
                while at < len(rows):
                    end = min(at + size, len(rows))
                    refusal = tried(at, end)
                    if refusal is None:
                        at, size = end, min(size * 2, self.tried_at_once)
                        continue
                    reason, row = refusal if end - at > 1 else (refusal[0], 0)
                    if row < 0 or (row and tried(at, at + row) is not None):
                        size = (end - at) // 2
                    else:
                        reasons[at + row] = reason
                        at, size = at + row + 1, max(size // 2, min(2 * row, self.tried_at_once), 1)
                # One that refers to a row behind it is refused alone, and not with that.
                while taken := [row for row in reasons if tried(row, row + 1) is None]:
                    for row in taken:
                        del reasons[row]
                raise RowsRefused(rows, reasons) if reasons else error
        finally:
            self._made = False

    def finish(self) -> None:
        """Give the table its name, or its rows to the one that is there, and mark that in the same transaction."""
        if self._finished:
            return
        with self.transaction():
            if not self._made and self._settings.fields is not None and not self.has(self._beside):
                types = self._settings.types
                self._make({name: types.get(name, "") for name in self._settings.fields})
            if self._beside != self._table:
                self._take_place()
            self._mark(_ALL_PARTS)
        self._finished = True

    def close(self) -> None:
        """Let go of the database; of a run that is finished, no mark is left."""
        try:
            if self._finished:
                with self.transaction():
                    self._unmark()
                    if not self.keeps_marks and not self._connection.execute(f"SELECT 1 FROM {MARKS}").fetchone():  # noqa: S608 - a constant
                        self._connection.execute(f"DROP TABLE {MARKS}")
        finally:
            self._connection.close()

    def _take_place(self) -> None:
        execute = self._connection.execute
        table, beside = self.named(self._table), self.named(self._beside)
        if not self.has(self._beside):
            if self.has(self._table):
                execute(f"DELETE FROM {table}")  # noqa: S608 - quoted; no record came: none is what replaces them
        elif self.has(self._table):
            names = ", ".join(map(quoted, self.columns_of(self._beside)))
            execute(f"DELETE FROM {table}")  # noqa: S608 - quoted
            execute(f"INSERT INTO {table} ({names}) {self.overriding}SELECT {names} FROM {beside}{self.in_order}")  # noqa: S608 - quoted
            execute(f"DROP TABLE {beside}")
        else:
            execute(f"ALTER TABLE {beside} RENAME TO {self.last_name(self._table)}")

    def _mark(self, parts: int) -> None:
        execute = self._connection.execute
        if not self.has(MARKS):
            execute(f"CREATE TABLE IF NOT EXISTS {MARKS} (run text PRIMARY KEY, parts bigint NOT NULL)")
        execute(
            f"INSERT INTO {MARKS} VALUES ({self.parameter}, {self.parameter}) "  # noqa: S608 - constants
            "ON CONFLICT (run) DO UPDATE SET parts = excluded.parts",
            (self._run, parts),
        )

    def _unmark(self) -> None:
        self._connection.execute(f"DELETE FROM {MARKS} WHERE run = {self.parameter}", (self._run,))  # noqa: S608 - constants

    def _make(self, kinds: Mapping[str, str]) -> None:
        if not self._made and not self.has(self._beside):
            replaces = self._settings.mode == "replace" and self.has(self._table)
            if not replaces or not self.make_alike(kinds):
                columns = ", ".join(self.column(name, kind) for name, kind in kinds.items())
                self._connection.execute(f"CREATE TABLE {self.named(self._beside)} ({columns})")
        self._made = True
