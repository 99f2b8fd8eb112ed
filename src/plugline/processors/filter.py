"""Keep the records of which something is true."""

import operator as operators
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal, cast

from plugline.records import Record

VERSION = "1.0"


@dataclass(kw_only=True)
class Filter:
    """Keep the records whose field stands in a relation to a value; the others are dropped.

    There is no language of expressions: several conditions are several steps, and what is more than that is a
    plugin of three lines.

    Attributes:
        field: The field that is looked at.
        operator: The relation; ``matches`` looks for a regular expression anywhere in the text.
        value: What the field is compared with; a list for ``in`` and ``not in``; nothing for ``is null`` and
            ``is not null``.
        ignore_case: Whether upper and lower case are the same.
        missing: What to do with a record that lacks the field: fail, drop it, or keep it.
    """

    field: str
    operator: Literal[
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "not in",
        "contains",
        "starts with",
        "ends with",
        "matches",
        "is null",
        "is not null",
    ]
    value: object = None
    ignore_case: bool = False
    missing: Literal["error", "drop", "keep"] = "error"

    def __post_init__(self) -> None:
        self._holds = self._condition()

    def _condition(self) -> Callable[[object], bool]:
        value = self.value
        kind = self.operator
        if kind in {"is null", "is not null"}:
            if value is not None:
                raise ValueError(f"value {value!r}: expected none for {kind!r}")
            wanted = kind == "is null"
            return lambda found: (found is None) is wanted
        if value is None:
            raise ValueError(f"operator {kind!r}: expected a value; to ask for none use 'is null' or 'is not null'")
        if kind in {"in", "not in"}:
            return self._membership(kind == "in")
        if kind in {"contains", "starts with", "ends with", "matches"}:
            return self._textual()
        if isinstance(value, list | dict):
            raise ValueError(f"value {value!r}: expected a single value for {kind!r}")  # noqa: TRY004 - a setting, told as such
        family = _family(value)
        compare = _COMPARE[kind]
        wanted_value = self._folded(value)

        def holds(found: object) -> bool:
            if found is None:
                return kind == "!="
            if _family(found) != family:
                raise self._unlike(found, value)
            return bool(compare(self._folded(found), wanted_value))

        return holds

    def _membership(self, wanted: bool) -> Callable[[object], bool]:  # noqa: FBT001
        values = self.value
        if not isinstance(values, list) or not values:
            raise ValueError(f"value {values!r}: expected a list of at least one value")
        families = {_family(one) for one in values}
        folded = [self._folded(one) for one in values]
        try:
            known: frozenset[object] | list[object] = frozenset(folded)
        except TypeError:
            known = folded

        def holds(found: object) -> bool:
            if found is None:
                return not wanted
            if _family(found) not in families:
                raise self._unlike(found, values[0])
            return (self._folded(found) in known) is wanted

        return holds

    def _textual(self) -> Callable[[object], bool]:
        text = self.value
        if not isinstance(text, str) and self.operator != "contains":
            raise ValueError(f"value {text!r}: expected text for {self.operator!r}")
        if self.operator == "matches":
            try:
                pattern = re.compile(cast("str", text), re.IGNORECASE if self.ignore_case else 0)
            except re.error as error:
                raise ValueError(f"value {text!r}: expected a regular expression ({error})") from error
            return lambda found: found is not None and pattern.search(self._text(found)) is not None
        wanted = self._folded(text)
        if self.operator == "contains":
            return lambda found: found is not None and self._contains(found, wanted)
        end = self.operator == "ends with"

        def holds(found: object) -> bool:
            if found is None:
                return False
            folded = cast("str", self._folded(self._text(found)))
            return folded.endswith(cast("str", wanted)) if end else folded.startswith(cast("str", wanted))

        return holds

    def _contains(self, found: object, wanted: object) -> bool:
        if isinstance(found, list | tuple | dict):
            return wanted in [self._folded(item) for item in found]
        if not isinstance(wanted, str):
            raise self._unlike(found, wanted)
        return wanted in cast("str", self._folded(self._text(found)))

    def _text(self, found: object) -> str:
        if not isinstance(found, str):
            raise ValueError(f"{self.field!r} holds {found!r}, which is no text: expected text for {self.operator!r}")  # noqa: TRY004
        return found

    def _folded(self, value: object) -> object:
        return value.casefold() if self.ignore_case and isinstance(value, str) else value

    def _unlike(self, found: object, value: object) -> ValueError:
        message = f"{self.field!r} holds {_shown(found)}, which cannot be compared with {_shown(value)}"
        return ValueError(f"{message}: cast the field before, or give a value of its type")

    def transform(self, record: Record) -> Record | None:
        """Return the record, or ``None`` to drop it."""
        try:
            found = record[self.field]
        except KeyError:
            if self.missing == "error":
                raise ValueError(f"the record lacks {self.field!r}: it has {list(record)!r}") from None
            return record if self.missing == "keep" else None
        return record if self._holds(found) else None

    def describe(self) -> str:
        """Return the condition."""
        value = "" if self.value is None else f" {self.value!r}"
        return f"filter: keeps records whose {self.field} {self.operator}{value}"


_COMPARE: Mapping[str, Callable[[object, object], object]] = {
    "==": operators.eq,
    "!=": operators.ne,
    "<": cast("Callable[[object, object], object]", operators.lt),
    "<=": cast("Callable[[object, object], object]", operators.le),
    ">": cast("Callable[[object, object], object]", operators.gt),
    ">=": cast("Callable[[object, object], object]", operators.ge),
}


def _family(value: object) -> str:
    """Return what a value can be compared with: a number with numbers, whatever their types."""
    kind = value.__class__
    if kind is str:
        return "text"
    if kind is bool:
        return "a truth value"
    if isinstance(value, int | float | Decimal):
        return "a number"
    if isinstance(value, datetime):
        return "a date and time" if value.tzinfo is None else "a date and time with a zone"
    if isinstance(value, date):
        return "a date"
    if isinstance(value, time):
        return "a time"
    return kind.__name__


def _shown(value: object) -> str:
    text = repr(value)
    return f"{_family(value)} {text if len(text) <= 60 else text[:57] + '...'}"
