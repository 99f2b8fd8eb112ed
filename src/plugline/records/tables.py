"""Records to Arrow tables, and tables to records, with nothing changed on the way.

Arrow itself is generous where it makes arrays of Python values: 1.5 becomes 1 in a column of integers, a date with a
time becomes a date, a time without a zone is taken for one in UTC, bytes for text. So every value's type is held
against that of its column before; what does not fit is an error of its record.

pyarrow is imported by what is called here, and not before: it costs more than a short run.
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from functools import cache, lru_cache
from types import FunctionType
from typing import Any, TypeAlias, cast
from zoneinfo import ZoneInfo

from plugline.findings import short_repr
from plugline.records.protocols import Record
from plugline.records.values import columns_of, other_fields

Row: TypeAlias = tuple[object, ...]
"""The values of a row, in the order of the columns."""

_Check: TypeAlias = Callable[[Any], bool]

_DECIMAL_DIGITS = 38  # what 128 bits hold
_DECIMAL_SCALE = 9  # digits after the point where no type is declared and no value shows more
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# ----------------------------------------------------------------------------- types by name

TYPE_NAMES = (
    "'str', 'int', 'float', 'bool', 'decimal', 'decimal(12, 2)', 'date', 'datetime', 'datetime(UTC)', 'time', 'bytes', "
    "'list(int)' and the like, or a name that Arrow has"
)


def arrow_type(name: str) -> Any:
    """Return the Arrow type that a setting names.

    Raises:
        ValueError: There is none of this name.
    """
    import pyarrow

    simple: dict[str, Any] = {
        "str": pyarrow.string(),
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "date": pyarrow.date32(),
        "time": pyarrow.time64("us"),
        "bytes": pyarrow.binary(),
    }
    word, _, inner = name.strip().partition("(")
    inner = inner.rstrip().removesuffix(")").strip()
    try:
        if word == "decimal":
            digits, _, scale = inner.partition(",")
            return pyarrow.decimal128(int(digits or _DECIMAL_DIGITS), int(scale or (0 if digits else _DECIMAL_SCALE)))
        if word == "datetime":
            if inner:
                zone_of(inner)  # Arrow itself takes any name
            return pyarrow.timestamp("us", inner or None)
        if word == "list":
            return pyarrow.list_(arrow_type(inner))
        return simple.get(name) or pyarrow.type_for_alias(name)
    except (ValueError, LookupError, OSError) as error:
        raise ValueError(f"type {name!r}: expected one of {TYPE_NAMES}") from error


def zone_of(name: str) -> tzinfo:
    """Return the time zone that Arrow calls by this name: that of a place, or an offset such as ``+02:00``."""
    if name[:1] in {"+", "-"}:
        return cast("tzinfo", datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo)
    return UTC if name == "UTC" else ZoneInfo(name)


# ----------------------------------------------------------------------------- types by values


def type_of(value: object) -> Any:
    """Return the Arrow type that holds a value.

    Raises:
        ValueError: None does.
    """
    import pyarrow

    kind = type(value)
    simple = {
        type(None): pyarrow.null,
        bool: pyarrow.bool_,
        int: pyarrow.int64,
        float: pyarrow.float64,
        str: pyarrow.string,
        bytes: pyarrow.binary,
        date: pyarrow.date32,
    }.get(kind)
    if simple is not None:
        return simple()
    match value:
        case Decimal():
            exponent = value.as_tuple().exponent
            scale = -exponent if isinstance(exponent, int) else 0
            return pyarrow.decimal128(_DECIMAL_DIGITS, min(max(scale, _DECIMAL_SCALE), _DECIMAL_DIGITS))
        case datetime():
            return pyarrow.timestamp("us", _zone_name(value))
        case time():
            return pyarrow.time64("us")
        case timedelta():
            return pyarrow.duration("us")
        case list() | tuple():
            return pyarrow.list_(_merged_all(map(type_of, value)))
        case dict():
            if not all(isinstance(name, str) for name in value):
                raise ValueError("holds a table with keys that are no text")
            return pyarrow.struct([pyarrow.field(name, type_of(item)) for name, item in value.items()])
    raise ValueError(f"holds a {kind.__name__}, which no column can hold")


def _zone_name(value: datetime) -> str | None:
    if value.tzinfo is None:
        return None
    key = getattr(value.tzinfo, "key", None)
    if isinstance(key, str):
        return key
    offset = value.strftime("%z")
    return "UTC" if value.tzinfo is UTC or offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"


def _merged_all(types: Iterable[Any]) -> Any:
    import pyarrow

    merged = pyarrow.null()
    for one in types:
        merged = merged_type(merged, one)
    return merged


def merged_type(one: Any, other: Any) -> Any:
    """Return the type that holds the values of two: integers go into floats, and a table has the fields of both.

    Raises:
        ValueError: There is none.
    """
    import pyarrow
    from pyarrow import types as kinds

    if one == other or kinds.is_null(other):
        return one
    if kinds.is_null(one):
        return other
    if {one, other} == {pyarrow.int64(), pyarrow.float64()}:
        return pyarrow.float64()
    if kinds.is_decimal(one) and kinds.is_decimal(other):
        return pyarrow.decimal128(_DECIMAL_DIGITS, max(one.scale, other.scale))
    if kinds.is_timestamp(one) and kinds.is_timestamp(other) and one.tz and other.tz:
        return pyarrow.timestamp("us", "UTC")
    if kinds.is_list(one) and kinds.is_list(other):
        return pyarrow.list_(merged_type(one.value_type, other.value_type))
    if kinds.is_struct(one) and kinds.is_struct(other):
        fields = {field.name: field.type for field in one}
        for field in other:
            known = fields.get(field.name)
            fields[field.name] = field.type if known is None else merged_type(known, field.type)
        return pyarrow.struct([pyarrow.field(name, kind) for name, kind in fields.items()])
    raise ValueError(f"holds {name_of(other)}, where {name_of(one)} came before")


def name_of(kind: Any) -> str:
    """Return what people call the values of a type."""
    from pyarrow import types as kinds

    for holds, name in (
        (kinds.is_string, "text"),
        (kinds.is_large_string, "text"),
        (kinds.is_integer, "an integer"),
        (kinds.is_floating, "a float"),
        (kinds.is_boolean, "a truth value"),
        (kinds.is_date, "a date"),
        (kinds.is_decimal, f"a decimal number ({kind})"),
        (kinds.is_binary, "bytes"),
        (kinds.is_struct, f"a table ({kind})"),
        (kinds.is_list, f"a list ({kind})"),
        (kinds.is_null, "no value"),
    ):
        if holds(kind):
            return name
    if kinds.is_timestamp(kind):
        return f"a date and time in the zone {kind.tz}" if kind.tz else "a date and time without a zone"
    return str(kind)


def with_inner(kind: Any, change: Callable[[Any], Any]) -> Any:
    """Return a type with what stands in it changed: the fields of tables, the items of lists and mappings, categories."""
    import pyarrow

    types = pyarrow.types
    if types.is_struct(kind):
        return pyarrow.struct([field.with_type(change(field.type)) for field in kind])
    if types.is_map(kind):
        inner = change(kind.key_type), change(kind.item_type)
        return kind if inner == (kind.key_type, kind.item_type) else pyarrow.map_(*inner, kind.keys_sorted)
    if types.is_large_list(kind) or types.is_list(kind) or types.is_fixed_size_list(kind):
        inner = kind.value_field.with_type(change(kind.value_type))
        if types.is_fixed_size_list(kind):
            return pyarrow.list_(inner, kind.list_size)
        return pyarrow.large_list(inner) if types.is_large_list(kind) else pyarrow.list_(inner)
    if types.is_dictionary(kind):
        return pyarrow.dictionary(kind.index_type, change(kind.value_type), kind.ordered)
    return kind


# ----------------------------------------------------------------------------- does a value fit


def _always(value: object) -> bool:
    del value
    return True


def check_for(column: Any, kind: type) -> _Check | None:
    """Return what tells whether a value of the Python type ``kind`` fits into a column; ``None`` where none does."""
    import pyarrow
    from pyarrow import types as kinds

    if kind is type(None):
        return _always
    if kinds.is_dictionary(column):
        return check_for(column.value_type, kind)
    if isinstance(column, pyarrow.BaseExtensionType):
        return check_for(column.storage_type, kind)
    for holds, checks in _rules():
        if holds(column):
            make = checks.get(kind)
            return None if make is None else make(column)
    return None


@cache
def _rules() -> tuple[tuple[Callable[[Any], bool], dict[type, Callable[[Any], _Check]]], ...]:
    """Return, by kind of column, what its values may be, and how they are checked."""
    from pyarrow import types as kinds

    def any_value(column: Any) -> _Check:
        return _always

    def text(column: Any) -> _Check:
        return _is_text

    def one_zone(column: Any) -> _Check:
        return whole(column, _has_zone if column.tz else _has_no_zone)

    def whole(column: Any, check: _Check = _always) -> _Check:
        # Of what is finer than its unit, Arrow cuts the rest off.
        step = {"s": 1_000_000, "ms": 1_000}.get(column.unit)
        if step is None:
            return check
        return lambda value: check(value) and _microseconds(value) % step == 0

    def items(column: Any) -> _Check:
        return _list_check(column.value_type)

    return (
        (kinds.is_integer, {int: _integer_check}),
        (kinds.is_floating, {float: any_value, int: lambda column: _is_exact_float}),
        (kinds.is_decimal, {Decimal: _decimal_check, int: _decimal_check}),
        (kinds.is_timestamp, {datetime: one_zone}),
        (kinds.is_time, {time: lambda column: whole(column, _has_no_zone)}),
        (kinds.is_struct, {dict: _struct_check}),
        (kinds.is_list, {list: items, tuple: items}),
        (kinds.is_large_list, {list: items, tuple: items}),
        (kinds.is_boolean, {bool: any_value}),
        (kinds.is_string, {str: text}),
        (kinds.is_large_string, {str: text}),
        (kinds.is_binary, {bytes: any_value}),
        (kinds.is_large_binary, {bytes: any_value}),
        (kinds.is_date32, {date: any_value}),
        (kinds.is_duration, {timedelta: whole}),
    )


def _microseconds(value: datetime | time | timedelta) -> int:
    return value.microseconds if isinstance(value, timedelta) else value.microsecond


def _is_text(value: str) -> bool:
    """Whether UTF-8 has bytes for a string: it has none for half of a surrogate pair."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer_check(column: Any) -> _Check:
    from pyarrow import types as kinds

    signed = kinds.is_signed_integer(column)
    low = -(2 ** (column.bit_width - 1)) if signed else 0
    high = 2 ** (column.bit_width - signed)
    return lambda value: low <= value < high


def _is_exact_float(value: int) -> bool:
    return -(2**53) <= value <= 2**53


def _decimal_check(column: Any) -> _Check:
    scale, whole = column.scale, column.precision - column.scale

    def fits(value: Decimal | int) -> bool:
        sign, digits, exponent = Decimal(value).as_tuple()
        del sign
        if not isinstance(exponent, int):
            return False  # NaN and the infinities
        used = len(digits) + exponent
        return used <= whole and (exponent >= -scale or not any(digits[exponent + scale :]))

    return fits


def _has_zone(value: datetime) -> bool:
    if value.tzinfo is None or 1 < value.year < 9999:
        return value.tzinfo is not None
    try:
        value.astimezone(UTC)
    except OverflowError:  # a column holds the moment in UTC, which is in another year then
        return False
    return True


def _has_no_zone(value: datetime | time) -> bool:
    return value.tzinfo is None


def fits(column: Any, value: object) -> bool:
    """Whether a column holds a value as it is."""
    check = check_for(column, type(value))
    return check is not None and check(value)


def _keeps(kind: Any, column: Any) -> bool:
    """Whether what stands in a column of one type may stand in one of another, as far as it fits there.

    Arrow makes text of anything, numbers of text, and a moment of one without a zone.
    """
    from pyarrow import types as kinds

    if kind == column or kinds.is_null(kind):
        return True
    if kinds.is_dictionary(kind) or kinds.is_dictionary(column):
        return _keeps(*(one.value_type if kinds.is_dictionary(one) else one for one in (kind, column)))
    if kinds.is_struct(kind) and kinds.is_struct(column):
        inner = {field.name: field.type for field in kind}
        same = len(kind) == len(column) and inner.keys() == {field.name for field in column}
        return same and all(_keeps(inner[field.name], field.type) for field in column)
    if kinds.is_timestamp(kind) and kinds.is_timestamp(column):
        return (kind.tz is None) == (column.tz is None)
    if "list" in str(kind).partition("<")[0] and "list" in str(column).partition("<")[0]:
        return _keeps(kind.value_type, column.value_type)
    return any(
        any(holds(kind) for holds in first) and any(holds(column) for holds in second) for first, second in _kept()
    )


@cache
def _kept() -> tuple[tuple[tuple[Callable[[Any], bool], ...], ...], ...]:
    """Return, by kinds of values, in columns of which kinds they are the same."""
    from pyarrow import types as kinds

    alike = (
        (kinds.is_string, kinds.is_large_string, kinds.is_string_view),
        (kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary, kinds.is_binary_view),
        (kinds.is_floating,),
        (kinds.is_decimal,),
        (kinds.is_date,),
        (kinds.is_time,),
        (kinds.is_duration,),
    )
    numbers = (kinds.is_integer, kinds.is_floating, kinds.is_decimal)
    return (*((one, one) for one in alike), ((kinds.is_integer,), numbers))


def _list_check(item: Any) -> _Check:
    known: dict[type, _Check | None] = {}

    def fits_list(values: Sequence[object]) -> bool:
        for value in values:
            kind = type(value)
            if kind not in known:
                known[kind] = check_for(item, kind)
            check = known[kind]
            if check is None or not check(value):
                return False
        return True

    return fits_list


def _struct_check(column: Any) -> _Check:
    types = {field.name: field.type for field in column}
    known: dict[tuple[object, type], _Check | None] = {}

    def fits_struct(table: Mapping[str, object]) -> bool:
        for name, value in table.items():
            key = (name, type(value))
            if key not in known:
                known[key] = check_for(types[name], key[1]) if name in types else None
            check = known[key]
            if check is None or not check(value):
                return False
        return True

    return fits_struct


# ----------------------------------------------------------------------------- records to tables


class TableMaker:
    """Records to tables of one schema, which is declared or fixed by the first records.

    Names and order of the columns come from the first record. Their types widen (an integer column becomes one of floats,
    a column without values gets a type) until :meth:`fix`; from then on a record with other types is refused.

    One thread at a time.

    Attributes:
        names: The columns; ``None`` as long as nothing has said them.
    """

    def __init__(
        self,
        *,
        fields: Sequence[str] | None = None,
        types: Mapping[str, str] | None = None,
        holds: Callable[[str, Any], object] | None = None,
    ) -> None:
        """Begin with what is declared.

        Args:
            fields: The columns in order.
            types: The types of some of them, see :func:`arrow_type`.
            holds: Called with name and type of a column, raises ``ValueError`` where the output has none like it.

        Raises:
            ValueError: A type is not known, or of a column that is not there.
        """
        self._declared = {name: arrow_type(kind) for name, kind in (types or {}).items()}
        self._holds = holds
        self._types: dict[str, Any] = {}
        self._fixed = False
        self._accept = _new_accept(self._accept_any)
        self.accept = cast("Callable[[Record], Record]", self._accept)
        self.names: tuple[str, ...] | None = None
        if fields is not None:
            self._begin(tuple(fields))

    def restore(self, token: str) -> None:
        """Take over a schema that another one fixed, as its :attr:`token` has it."""
        import pyarrow

        schema = pyarrow.ipc.read_schema(pyarrow.py_buffer(base64.b64decode(token)))
        self.use(schema)

    def use(self, schema: Any) -> None:
        """Take a schema, and fix it."""
        if self._holds is not None:
            for column in schema:
                self._holds(column.name, column.type)
        self._begin(tuple(schema.names))
        self._types = {field.name: field.type for field in schema}
        self._fixed = True
        self._write_accept()

    @property
    def token(self) -> str:
        """The schema as text, for :meth:`restore`."""
        return base64.b64encode(self.schema.serialize()).decode("ascii")

    @property
    def schema(self) -> Any:
        """The schema as it is now."""
        import pyarrow

        return pyarrow.schema([pyarrow.field(name, kind) for name, kind in self._types.items()])

    @property
    def fixed(self) -> bool:
        """Whether types widen no more."""
        return self._fixed

    def fix(self) -> None:
        """From now on, types widen no more."""
        self._fixed = True

    def _accept_any(self, record: Record) -> Record:
        """Return a copy of a record that fits; ``accept`` is this, and has a quicker way for most records.

        Raises:
            ValueError: The record has other fields than the columns, or a value that its column cannot hold.
        """
        if self.names is None:
            return self._accept_first(record)
        if record.keys() != self._types.keys():
            raise other_fields(record, self._types)
        widened = dict(self._types)
        for name, kind in self._types.items():
            value = record[name]
            if not fits(kind, value):
                widened[name] = self._widened(name, value)
        if widened != self._types:
            self._types = widened
            self._write_accept()
        return record.copy()

    def batch(self, records: Sequence[Record]) -> Any:
        """Return a record batch of records that were accepted.

        Raises:
            ValueError: Arrow cannot hold them after all: somebody changed them since.
        """
        import pyarrow

        schema = self.schema
        try:
            # One pass in C; columns one by one take twice as long.
            array = pyarrow.array(records, type=pyarrow.struct(list(schema)))
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"cannot be written: {error}") from error
        return pyarrow.RecordBatch.from_struct_array(array)

    def conform(self, batch: Any) -> Any:
        """Return a batch or table with the columns and types of the schema, which it fixes where nothing has before.

        Raises:
            ValueError: It has other columns, or types that cannot be changed without losing something.
        """
        if self.names is None or not self._types:
            self.use(batch.schema)
        schema = self.schema
        if batch.schema.equals(schema):
            return batch
        if set(batch.schema.names) != set(schema.names) or len(batch.schema.names) != len(schema.names):
            raise ValueError(f"the table has the columns {batch.schema.names!r}: expected {list(schema.names)!r}")
        for field in schema:
            kind = batch.schema.field(field.name).type
            if not _keeps(kind, field.type):
                raise ValueError(f"column {field.name!r} is of the type {kind}: expected {field.type}")
        return batch.select(schema.names).cast(schema)

    def _begin(self, names: tuple[str, ...]) -> None:
        import pyarrow

        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"columns {twice!r} are named more than once: expected each once")
        strange = sorted(set(self._declared) - set(names))
        if strange:
            raise ValueError(f"types names {strange!r}: expected only columns that are there, {list(names)!r}")
        types = {name: self._declared.get(name, pyarrow.null()) for name in names}
        if self._holds is not None:
            for name, kind in types.items():
                self._holds(name, kind)
        self.names, self._types = names, types
        self._write_accept()

    def _write_accept(self) -> None:
        """Write the quicker way anew, for the types that columns have now."""
        made = _accept_code(tuple(self._types), tuple(map(_form_of, self._types.values())))
        self._accept.__code__ = made.__code__
        self._accept.__defaults__ = (self._accept_any, *map(_check_of, self._types.values()))

    def _accept_first(self, record: Record) -> Record:
        self._begin(columns_of(record))
        try:
            return self._accept_any(record)
        except ValueError:
            # Whole or nothing: a first record that cannot be written fixes nothing.
            self.names = None
            self._types = {}
            self._accept.__code__ = _new_accept(self._accept_any).__code__
            self._accept.__defaults__ = (self._accept_any,)
            raise

    def _widened(self, name: str, value: object) -> Any:
        known = self._types[name]
        if self._fixed or name in self._declared:
            raise self._misfit(name, value, known)
        try:
            wider = merged_type(known, type_of(value))
        except ValueError as error:
            raise ValueError(f"column {name!r} {error}: cast it before, or declare its type") from None
        if not fits(wider, value):
            raise self._misfit(name, value, wider)
        if self._holds is not None:
            self._holds(name, wider)
        return wider

    def _misfit(self, name: str, value: object, kind: Any) -> ValueError:
        import pyarrow
        from pyarrow import types as kinds

        message = f"column {name!r} holds {short_repr(value)} ({type(value).__name__}): expected {name_of(kind)}"
        if isinstance(value, int) and kinds.is_integer(kind):
            message += f" of at most {kind.bit_width} bits"
            if kind == pyarrow.int64() and 0 < value < 2**64 and self._holds is None:
                message += f' with its sign, or types = {{ "{name}" = "uint64" }}'
        if isinstance(value, str) and not _is_text(value):
            message += ", and this is half of a surrogate pair, which UTF-8 has no bytes for"
        if kinds.is_null(kind):
            message += ", since it had none when the columns were fixed; declare its type"
        return ValueError(message)


def _new_accept(accept_any: Callable[[Record], Record]) -> FunctionType:
    """Return a function that becomes quicker when types are known: the record loop holds it from before."""

    def accept(record: Record, accept_any: Callable[[Record], Record] = accept_any) -> Record:
        return accept_any(record)

    return cast("FunctionType", accept)


# How the written code tells that a value does not fit, by what its column holds; {0} is the value, {1} the column's check.
_MISFITS: Mapping[str, str] = {
    "str": "{0}.__class__ is not str or not ({0}.isascii() or {1}({0}))",
    "bytes": "{0}.__class__ is not bytes",
    "bool": "{0}.__class__ is not bool",
    "int": f"{{0}}.__class__ is not int or not {-(2**63)} <= {{0}} <= {2**63 - 1}",
    "float": f"{{0}}.__class__ is not float and ({{0}}.__class__ is not int or not {-(2**53)} <= {{0}} <= {2**53})",
    "date": "{0}.__class__ is not date",
    "moment": "{0}.__class__ is not datetime or {0}.tzinfo is None or not 1 < {0}.year < 9999",
    "datetime": "{0}.__class__ is not datetime or {0}.tzinfo is not None",
    "list": "{0}.__class__ is not list or not {1}({0})",
    "table": "{0}.__class__ is not dict or not {1}({0})",
    "nothing": "True",
    "": "not {1}({0})",
}


def _form_of(column: Any) -> str:
    """Return which of the ways of ``_MISFITS`` is that of a column."""
    import pyarrow
    from pyarrow import types as kinds

    if column == pyarrow.int64():
        return "int"
    for holds, form in (
        (kinds.is_string, "str"),
        (kinds.is_large_string, "str"),
        (kinds.is_binary, "bytes"),
        (kinds.is_boolean, "bool"),
        (kinds.is_floating, "float"),
        (kinds.is_date32, "date"),
        (kinds.is_list, "list"),
        (kinds.is_struct, "table"),
        (kinds.is_null, "nothing"),
    ):
        if holds(column):
            return form
    if kinds.is_timestamp(column) and column.unit in {"us", "ns"}:
        return "moment" if column.tz else "datetime"
    return ""


def _check_of(column: Any) -> _Check:
    """Return the check that the code for a column calls."""
    form = _form_of(column)
    if form == "str":
        return _is_text
    found = check_for(column, {"list": list, "table": dict}.get(form, type(None)))
    return found if form in {"list", "table"} and found is not None else lambda value: fits(column, value)


@lru_cache(maxsize=64)
def _accept_code(columns: tuple[str, ...], forms: tuple[str, ...]) -> FunctionType:
    """Write the function that accepts records that fit; whatever does not is the general one's.

    A look-up and a comparison a value cost half of a loop over tuples of types.
    """
    checks = [f"check{at}" for at in range(len(columns))]
    lines = [
        f"def accept(record, {', '.join(f'{name}=None' for name in ['accept_any', *checks])}):",
        f"    if len(record) != {len(columns)}:",
        "        return accept_any(record)",
        "    try:",
    ]
    for name, form, check in zip(columns, forms, checks, strict=True):
        lines.append(f"        c = record[{name!r}]")
        lines.append(f"        if c is not None and ({_MISFITS[form].format('c', check)}):")
        lines.append("            return accept_any(record)")
    lines += ["    except KeyError:", "        return accept_any(record)", "    return record.copy()"]
    made: dict[str, FunctionType] = {}
    # Every name in it is the repr of a string or made here.
    exec(compile("\n".join(lines), "plugline: written for the columns", "exec"), {}, made)  # noqa: S102
    return made["accept"]


# ----------------------------------------------------------------------------- tables to records


def rows_of(batch: Any) -> tuple[list[Row], dict[int, str]]:
    """Return the values of a batch or table row by row, and what is wrong with rows that Python cannot hold.

    A row of the second has values that are not to be used, some of them told as text: of a time with nanoseconds, of a
    year after 9999.
    """
    wrong: dict[int, str] = {}
    columns = [_values(batch.column(at), name, wrong) for at, name in enumerate(batch.schema.names)]
    if not columns:
        return [()] * batch.num_rows, wrong
    return list(zip(*columns, strict=True)), wrong


def _values(column: Any, name: str, wrong: dict[int, str]) -> list[object]:
    import pyarrow
    from pyarrow import types as kinds

    kind = column.type
    plain = _without_nanoseconds(kind)
    if kinds.is_dictionary(plain):
        return [value for chunk in getattr(column, "chunks", [column]) for value in _of_dictionary(chunk)]
    try:
        if plain != kind:
            column = column.cast(plain)
        if kinds.is_timestamp(plain):
            return _datetimes(column, plain)
        if str(plain) == "extension<arrow.uuid>":
            # The text that they are everywhere else: Python has a type of its own for them, and no other format.
            return [None if value is None else str(value) for value in column.to_pylist()]
        # As dicts only where there are maps: asking for it costs four times as much for any column.
        how = {"maps_as_pydicts": "strict"} if "map<" in str(plain) else {}
        return cast("list[object]", column.to_pylist(**how))
    except (pyarrow.ArrowInvalid, ValueError, OverflowError, KeyError):
        return [_value(column, at, name, plain, wrong) for at in range(len(column))]


def _of_dictionary(chunk: Any) -> list[object]:
    """Return the values that indices stand for; a fraction of the time that Arrow takes to make each of them anew."""
    values = chunk.dictionary.to_pylist()
    return [None if index is None else values[index] for index in chunk.indices.to_pylist()]


def _value(column: Any, at: int, name: str, plain: Any, wrong: dict[int, str]) -> object:
    import pyarrow

    one = column.slice(at, 1)
    try:
        return one.cast(plain).to_pylist(maps_as_pydicts="strict")[0]
    except (pyarrow.ArrowInvalid, ValueError, OverflowError, KeyError) as error:
        wrong[at] = f"column {name!r} holds a value that Python cannot hold: {str(error).splitlines()[0]}"
        return _told(one)


def _told(one: Any) -> object:
    """Return a value that Python cannot hold as text, for the dead letter of its row."""
    import pyarrow

    try:
        return one.cast(pyarrow.string()).to_pylist()[0]
    except (pyarrow.ArrowInvalid, NotImplementedError, UnicodeError):
        return None


def _without_nanoseconds(kind: Any) -> Any:
    """Return a type whose times are in microseconds, which is what Python's hold."""
    import pyarrow
    from pyarrow import types as kinds

    if kinds.is_timestamp(kind):
        return pyarrow.timestamp("us", kind.tz)
    if kinds.is_time64(kind):
        return pyarrow.time64("us")
    if kinds.is_duration(kind):
        return pyarrow.duration("us")
    if kinds.is_dictionary(kind):
        # Arrow cannot cast categories whose texts are views, as those of Polars are; of themselves they come slowly.
        return kind if str(kind.value_type).endswith("_view") else _without_nanoseconds(kind.value_type)
    if kinds.is_list(kind):
        return pyarrow.list_(kind.value_field.with_type(_without_nanoseconds(kind.value_type)))
    if kinds.is_struct(kind):
        return pyarrow.struct([field.with_type(_without_nanoseconds(field.type)) for field in kind])
    return kind


def _datetimes(column: Any, kind: Any) -> list[object]:
    """Return date-times; five times as fast as Arrow's own way, which looks the zone up for each of them."""
    import pyarrow

    counts = column.cast(pyarrow.int64()).to_pylist()
    if not kind.tz:
        epoch = _EPOCH.replace(tzinfo=None)
        return [None if count is None else epoch + timedelta(microseconds=count) for count in counts]
    zone = zone_of(kind.tz)
    moments = [None if count is None else _EPOCH + timedelta(microseconds=count) for count in counts]
    if zone is UTC:
        return cast("list[object]", moments)
    return [None if moment is None else moment.astimezone(zone) for moment in moments]
