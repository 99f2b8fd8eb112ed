"""Add fields from the line of a lookup file that has the same key."""

import csv
import gzip
import json
import zlib
from codecs import lookup
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from io import TextIOWrapper
from pathlib import Path
from typing import Literal, TextIO

from plugline.records import Record
from plugline.records.moments import CONVERTERS

VERSION = "1.0"

_Key = tuple[object, ...]

_MAX_FIELD_CHARACTERS = 8 * 2**20  # as of CSV that is read as a source


@dataclass(kw_only=True)
class Join:
    """Add fields from the line of a lookup file that has the same key.

    The file is read once, before the first record, and held in memory: one copy a process.

    Attributes:
        path: The lookup file: ``.csv``, ``.tsv``, ``.ndjson``, ``.jsonl`` or ``.json``, also with ``.gz``; relative to
            the folder of the pipeline file.
        on: The field that has to be the same; a list of several; or a table of the record's names to those of the file.
        fields: The fields to take; all but the key, unless set.
        prefix: What their names begin with in the record.
        types: The types of columns of a ``.csv`` or ``.tsv`` file, whose fields are text otherwise.
        delimiter: What stands between two fields of a ``.csv`` file, one character.
        encoding: The encoding of the file's text, by Python's name.
        missing: What to do with a record for which there is no line: fail, put ``None`` in the new fields, keep it
            without them, or drop it.
        several: What to do where several lines of the file have one key: refuse the file, take the first, or make a
            record of each.
    """

    path: Path
    on: str | list[str] | dict[str, str]
    fields: list[str] | None = None
    prefix: str = ""
    types: dict[str, Literal["str", "int", "float", "bool", "decimal", "date", "datetime"]] = field(
        default_factory=dict
    )
    delimiter: str = ","
    encoding: str = "utf-8"
    missing: Literal["error", "null", "keep", "drop"] = "error"
    several: Literal["error", "first", "all"] = "error"

    def __post_init__(self) -> None:
        """Read the file.

        Raises:
            ValueError: It cannot be read, or is not what the other settings say.
        """
        pairs = (
            self.on
            if isinstance(self.on, dict)
            else {one: one for one in ([self.on] if isinstance(self.on, str) else self.on)}
        )
        if not pairs:
            raise ValueError("on: expected at least one field")
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise ValueError(f"delimiter {self.delimiter!r}: expected one character that is no quote and no line break")
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ValueError(f"encoding {self.encoding!r}: expected the name of one, such as 'cp1252'") from None
        self._names = tuple(pairs)
        self._columns = tuple(pairs.values())
        self._lines: dict[_Key, list[Record]] = {}
        self._taken: tuple[str, ...] = tuple(self.prefix + name for name in self.fields or ())
        try:
            header: list[str] = []
            for number, line in enumerate(self._read(header), 1):
                self._add(number, line)
            if header and not self._lines:
                self._learn(f"the header of {str(self.path)!r}", header)
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            message = f"path {str(self.path)!r}: is no {self.encoding} text, it holds the byte 0x{byte:02x}"
            raise ValueError(f"{message}: set 'encoding', to 'cp1252' or 'utf-16', say") from None
        except (OSError, EOFError, zlib.error) as error:
            said = (isinstance(error, OSError) and error.strerror) or error
            raise ValueError(f"path {str(self.path)!r}: cannot be read: {said}") from None
        self._kinds = [{type(key[at]) for key in self._lines} for at in range(len(self._columns))]
        # For Python 1 and True are the same key.
        self._may_be_truths = any(value in (0, 1) for key in self._lines for value in key)

    def _read(self, header: list[str]) -> Iterator[Record]:
        """Yield the records of the file; those of a table have its header, too."""
        path = self.path
        suffixes = [suffix.lower() for suffix in path.suffixes]
        packed = suffixes[-1:] == [".gz"]
        suffix = (suffixes[:-1] if packed else suffixes)[-1:]
        if suffix not in ([".csv"], [".tsv"], [".ndjson"], [".jsonl"], [".json"]):
            raise ValueError(
                f"path {str(path)!r}: expected a file that ends in .csv, .tsv, .ndjson, .jsonl or .json (.gz)"
            )
        if self.types and suffix not in ([".csv"], [".tsv"]):
            raise ValueError(f"types: expected none, since {path.name!r} has types of its own")
        if self.delimiter != "," and suffix != [".csv"]:
            raise ValueError(f"delimiter: expected none, since {path.name!r} is no .csv file")
        encoding = "utf-8-sig" if lookup(self.encoding).name == "utf-8" else self.encoding
        with (
            gzip.open(path) if packed else path.open("rb") as data,
            TextIOWrapper(data, encoding, newline="") as stream,
        ):
            if suffix in ([".csv"], [".tsv"]):
                delimiter = self.delimiter if suffix == [".csv"] else "\t"
                yield from _rows(stream, delimiter, path, self.types, header)
            elif suffix == [".json"]:
                records = _json(stream.read(), repr(str(path)))
                for number, record in enumerate(records if isinstance(records, list) else [records], 1):
                    yield _object(record, number, path)
            else:
                for number, line in enumerate(stream, 1):
                    if not line.isspace():
                        yield _object(_json(line, f"line {number} of {str(path)!r}"), number, path)

    def _learn(self, where: str, line: Iterable[str]) -> list[str]:
        lacking = [name for name in (*self._columns, *(self.fields or ())) if name not in line]
        if lacking:
            has = list(line)
            more = ""
            if len(has) == 1 and (other := next((one for one in ";\t|," if one in has[0]), None)):
                more = f"; set 'delimiter' to {other!r}, if that is what stands between its fields"
            raise ValueError(f"{where} lacks {lacking!r}: it has {has!r}{more}")
        if self.fields is not None:
            return self.fields
        wanted = [name for name in line if name not in self._columns]
        self._taken = tuple(dict.fromkeys((*self._taken, *(self.prefix + name for name in wanted))))
        return wanted

    def _add(self, number: int, line: Record) -> None:
        where = f"record {number} of {str(self.path)!r}"
        taken = {self.prefix + name: line[name] for name in self._learn(where, line)}
        key = tuple(line[name] for name in self._columns)
        try:
            same = self._lines.setdefault(key, [])
        except TypeError:
            raise ValueError(f"{where} has the key {key!r}: expected text, numbers or dates") from None
        if same and self.several == "error":
            shown = key[0] if len(key) == 1 else key
            raise ValueError(f"{where} has the key {shown!r}, as one before it: set 'several' to say which to take")
        if not same or self.several == "all":
            same.append(taken)

    def transform(self, record: Record) -> Record | None | list[Record]:
        """Return the record with the fields of its line."""
        try:
            key = tuple([record[name] for name in self._names])
        except KeyError as error:
            raise ValueError(f"the record lacks {error.args[0]!r}: it has {list(record)!r}") from None
        try:
            found = self._lines.get(key)
        except TypeError:
            raise ValueError(f"the key {key!r}: expected text, numbers or dates, and no list or table") from None
        if found is None or (self._may_be_truths and self._is_strange(key)):
            return self._without(record, key)
        if len(found) == 1:
            return self._with(record, found[0])
        return [self._with({**record}, line) for line in found]

    def _is_strange(self, key: _Key) -> bool:
        """Whether a truth value was taken for a number, or the other way round."""
        for value, kinds in zip(key, self._kinds, strict=True):
            if value.__class__ is bool:
                if bool not in kinds:
                    return True
            elif bool in kinds and value in (0, 1) and kinds.isdisjoint(_NUMBERS):
                return True
        return False

    def _with(self, record: Record, line: Record) -> Record:
        for name, value in line.items():
            if name in record:
                raise ValueError(f"the record has {name!r} already: take fewer 'fields', or set 'prefix'")
            record[name] = value
        return record

    def _without(self, record: Record, key: _Key) -> Record | None:
        for name, value, kinds in zip(self._names, key, self._kinds, strict=True):
            # Keys that can never be the same are a mistake, and not a record without a line.
            if kinds and value is not None and not _comparable(type(value), kinds):
                has = " or ".join(sorted(kind.__name__ for kind in kinds))
                message = (
                    f"{name!r} holds {value!r} ({type(value).__name__}), and the keys of {str(self.path)!r} are {has}"
                )
                raise ValueError(f"{message}: set 'types', or cast the field before")
        match self.missing:
            case "error":
                shown = key[0] if len(key) == 1 else key
                raise ValueError(f"{str(self.path)!r} has no record for {shown!r}")
            case "drop":
                return None
            case "null":
                return self._with(record, dict.fromkeys(self._taken))
        return record

    def describe(self) -> str:
        """Return by what is joined with what."""
        return f"join: adds fields of {self.path.name} by {', '.join(self._names)}"


_NUMBERS = frozenset({int, float, Decimal})


def _comparable(kind: type, kinds: set[type]) -> bool:
    return kind in kinds or (kind in _NUMBERS and not _NUMBERS.isdisjoint(kinds)) or type(None) in kinds


def _json(text: str, where: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is no JSON: {error}") from None


def _object(record: object, number: int, path: Path) -> Record:
    if not isinstance(record, dict):
        raise ValueError(f"record {number} of {str(path)!r} is {record!r}: expected an object")  # noqa: TRY004 - a faulty file
    return record


def _rows(stream: TextIO, delimiter: str, path: Path, types: Mapping[str, str], header: list[str]) -> Iterator[Record]:
    # Python's own limit of 131,072 is for the whole process, and may have been raised further.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD_CHARACTERS))
    rows = csv.reader(stream, delimiter=delimiter, strict=True)
    try:
        names = next(rows, [])
        if not names:
            raise ValueError(f"path {str(path)!r}: expected a header, its first line is empty")
        header += names
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise ValueError(f"the header of {str(path)!r} names {twice!r} more than once: expected each column once")
        strange = sorted(set(types) - set(names))
        if strange:
            raise ValueError(f"types names {strange!r}: expected only columns that are there, {names!r}")
        for row in rows:
            if not row:
                continue
            if len(row) != len(names):
                raise ValueError(f"line {rows.line_num} of {str(path)!r} has {len(row)} fields: expected {len(names)}")
            record: Record = dict(zip(names, row, strict=True))
            for name, kind in types.items():
                record[name] = _typed(row[names.index(name)], kind, f"line {rows.line_num} of {str(path)!r}", name)
            yield record
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num} of {str(path)!r} is no row of CSV: {error}") from error


def _typed(text: str, kind: str, where: str, name: str) -> object:
    if kind == "str":
        return text
    if not text:
        return None
    try:
        if "_" in text:
            raise ValueError  # noqa: TRY301 - told as the others
        return CONVERTERS[kind](text)
    except (ValueError, ArithmeticError, KeyError):
        raise ValueError(f"{where} holds {text!r} in {name!r}: expected {kind}") from None
