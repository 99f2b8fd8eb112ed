"""Check records against a JSON Schema."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID

from plugline.records import Record

VERSION = "1.0"

_TOLD_AT_MOST = 5  # a record that is of another kind altogether breaks every rule there is


class _Error(Protocol):
    message: str
    instance_path: list[str | int]


class _Validator(Protocol):
    def is_valid(self, instance: object) -> bool: ...
    def iter_errors(self, instance: object) -> "list[_Error]": ...


def available() -> bool | str:
    """Say what is missing where the package that checks is not installed."""
    if find_spec("jsonschema_rs") is None:
        return "it needs the package 'jsonschema-rs': pip install 'plugline[tool]'"
    return True


@dataclass(kw_only=True)
class Validate:
    """Check records against a JSON Schema; one that does not fit fails, with all that is wrong with it.

    What JSON has no word for is checked as it would be written: dates and times as ISO 8601, UUIDs and bytes as text.
    Nothing is fetched from the network: a ``$ref`` leads into the schema itself, or to a file beside it.

    Attributes:
        path: The file that holds the schema, relative to the folder of the pipeline file.
        schema: The schema itself. Either this or ``path``.
        formats: Whether ``format`` ("date", "email") is checked too.
    """

    path: Path | None = None
    schema: dict[str, object] | None = None
    formats: bool = True

    def __post_init__(self) -> None:
        """Read the schema.

        Raises:
            ValueError: It cannot be read, or is no JSON Schema.
        """
        if (self.path is None) == (self.schema is None):
            raise ValueError("expected either 'path' or 'schema'")
        # Imported where the processor is used: the package is native code, and costs more than a short run.
        import jsonschema_rs

        schema = self.schema if self.path is None else _read(self.path)
        base = None if self.path is None else self.path.absolute().as_uri()
        make = cast("Callable[..., _Validator]", jsonschema_rs.validator_for)
        try:
            self._validator = make(schema, validate_formats=self.formats, retriever=_retrieve, base_uri=base)
        except ValueError as error:
            said = " ".join(str(error).split())
            raise ValueError(f"the schema cannot be used: {said}") from None
        self._is_valid = self._validator.is_valid

    def transform(self, record: Record) -> Record:
        """Return the record as it is, or fail."""
        try:
            valid = self._is_valid(record)
            shown: object = record
        except ValueError:
            # A value that JSON has no word for, or a key that is no text.
            shown = _as_json(record)
            valid = self._is_valid(shown)
        if not valid:
            raise ValueError("; ".join(self._faults(shown)))
        return record

    def _faults(self, record: object) -> list[str]:
        errors = list(islice(self._validator.iter_errors(record), _TOLD_AT_MOST + 1))
        told = [f"{_place(error.instance_path)}{error.message}" for error in errors[:_TOLD_AT_MOST]]
        return told + ["and more"] * (len(errors) > _TOLD_AT_MOST)

    def describe(self) -> str:
        """Return what is checked."""
        return f"validate: checks records against {self.path.name if self.path is not None else 'a JSON Schema'}"


def _place(path: list[str | int]) -> str:
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return f"{name}: " if name else ""


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"path {str(path)!r}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not JSON: {error}") from error


def _retrieve(address: str) -> object:
    """Read what a ``$ref`` leads to: a file of this machine."""
    parts = urlsplit(address)
    if parts.scheme != "file" or parts.netloc:
        raise ValueError(f"{address!r} is not fetched: expected a reference to a file beside the schema")
    return _read(Path(unquote(parts.path)))


def _as_json(value: object) -> object:
    match value:
        case Mapping():
            return {str(key): _as_json(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_as_json(item) for item in value]
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case UUID():
            return str(value)
        case bytes():
            return value.decode("latin-1")
    return value
