"""Given values, held against declared fields, to checked values or to all that is wrong with them.

The one checker for plugin settings and pipeline files (docs/decisions tell why). What it takes:

* ``str``, ``int``, ``float``, ``bool``, ``bytes``, ``date``, ``datetime``, ``time``; an integer is taken for a ``float``
  and becomes one, but ``true`` is never taken for a number, nor a ``datetime`` for a ``date``;
* ``Path`` from a string, ``Decimal`` from a string or an integer (a float has lost digits already), an ``Enum``
  from a value or a name of it;
* ``list``, ``set``, ``frozenset``, ``tuple``, ``dict`` and the abstract types of them, item by item;
* ``Literal``, unions, ``Optional``, ``Annotated``; a dataclass or a ``TypedDict`` from a table;
* a class with a class method ``from_setting(value)``, which raises ``TypeError`` or ``ValueError`` for what it
  does not take;
* anything for ``object``, ``Any`` and what can't be resolved.

Models of pydantic and msgspec check their values themselves, when :func:`construct` makes them.
"""

import contextlib
import copy
import datetime
import enum
import reprlib
import sys
import types
import typing
from collections import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar, Union

from plugline.contract.fields import (
    ANY_KEY,
    Field,
    constructor_parameters,
    fields_of,
    fields_of_source,
    is_msgspec,
    is_pydantic,
    is_table,
)
from plugline.frozen import frozen
from plugline.names import did_you_mean

__all__ = ["ANY_KEY", "Field", "KeyPath", "Problem", "check", "construct", "fields_of", "fields_of_source", "is_path"]

T = TypeVar("T")

KeyPath = tuple[str | int, ...]
"""Keys and indexes that lead to a value: ``("steps", 1, "with", "fields")``."""


@frozen(kw_only=True)
class Problem:
    """One thing that is wrong with given values.

    Attributes:
        path: What it is about; for a missing key, the path that it would have.
        code: ``C101`` unknown key, ``C102`` missing key, ``C103`` wrong type, ``C104`` wrong value.
        on_key: Whether it is the key that is wrong; else its value.
    """

    path: KeyPath
    code: str
    message: str
    hint: str | None = None
    on_key: bool = False


_Problems = tuple[Problem, ...]
_Outcome = tuple[object, _Problems]  # the checked value, which counts for nothing when there are problems


def check(
    fields: Iterable[Field], values: Mapping[str, object], *, path: KeyPath = ()
) -> tuple[dict[str, object], tuple[Problem, ...]]:
    """Hold values against fields.

    Returns the values that were given, as their fields' types have them, and everything that is wrong. Tables
    stay plain dicts and enums as written, so that the values can go where the author's classes are not
    imported yet; :func:`construct` makes the rest of them. Checking what was checked changes nothing.

    Args:
        path: Where ``values`` stand; all problems' paths begin with it.
    """
    return _table(tuple(fields), values, _Where(path, len(path)))


def construct(
    kind: type[T], values: Mapping[str, object], *, path: KeyPath = ()
) -> tuple[T | None, tuple[Problem, ...]]:
    """Check values against a class's fields and make an instance: ``(instance, ())``, or ``None`` and why not.

    A class whose constructor takes parameters is called with keywords. Of any other an instance is made without
    arguments and the given attributes are set; lists, dicts and sets that stand as defaults in the class are
    copied for it, so that no two steps share one. Whatever the class raises, ``SystemExit`` included
    (``KeyboardInterrupt`` alone passes), becomes a problem of ``values`` as a whole.
    """
    return _construct(kind, values, _Where(path, len(path), build=True))


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: ``steps[0].with.fields``."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


@frozen()
class _Where:
    path: KeyPath
    depth: int  # how much of the path is before the values: messages do not repeat it
    build: bool = False

    def __truediv__(self, key: str | int) -> "_Where":
        return replace(self, path=(*self.path, key))

    def __str__(self) -> str:
        return dotted(self.path[self.depth :])

    def problem(self, code: str, message: str, hint: str | None = None, *, on_key: bool = False) -> Problem:
        return Problem(path=self.path, code=code, message=message, hint=hint, on_key=on_key)

    def wrong_type(self, value: object, wanted: str, hint: str | None = None) -> _Outcome:
        return value, (self.problem("C103", f"{_shown(value)} is {_met(value)}, expected {wanted}{self._to()}", hint),)

    def wrong_value(self, value: object, wanted: str, hint: str | None = None) -> _Outcome:
        return value, (self.problem("C104", f"{_shown(value)} is not {wanted}{self._to()}", hint),)

    def _to(self) -> str:
        return f" for {str(self)!r}" if len(self.path) > self.depth else ""


# ----------------------------------------------------------------------------- tables


def _table(fields: Sequence[Field], values: Mapping[str, object], where: _Where) -> tuple[dict[str, object], _Problems]:
    known = {field.name: field for field in fields if field.name != ANY_KEY}
    rest = next((field for field in fields if field.name == ANY_KEY), None)
    checked: dict[str, object] = {}
    problems: list[Problem] = []
    for key, value in values.items():
        field = known.get(key, rest)
        if field is None:
            problems.append(_unknown(key, known, where / key))
        elif field.self_checked:
            checked[key] = value
        else:
            checked[key], found = _value(field.type, value, where / key)
            problems += found
    missing = [field for field in known.values() if field.required and field.name not in values]
    problems += [_missing(field, where / field.name) for field in missing]
    return checked, tuple(problems)


def _unknown(key: str, known: Iterable[str], where: _Where) -> Problem:
    return where.problem("C101", f"unknown key {key!r}", did_you_mean(key, known, kind="keys"), on_key=True)


def _missing(field: Field, where: _Where) -> Problem:
    summary = f": {field.summary}" if field.summary else ""
    hint = f"{field.name!r} takes {_wanted(field.type)}{summary}"
    return where.problem("C102", f"missing key {str(where)!r}", hint, on_key=True)


# ----------------------------------------------------------------------------- values, by the form of their type

_LISTS: dict[object, type[list[object]] | type[set[object]] | type[frozenset[object]]] = {
    **dict.fromkeys((list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable), list),
    **dict.fromkeys((set, abc.MutableSet), set),
    **dict.fromkeys((frozenset, abc.Set), frozenset),
}
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)


def _value(form: object, value: object, where: _Where) -> _Outcome:
    form = _bare(form)
    origin = typing.get_origin(form) or form
    arguments = typing.get_args(form)
    if form is object:
        return value, ()
    if origin in (Union, types.UnionType):
        return _union(form, arguments, value, where)
    if origin is Literal:
        return _literal(form, arguments, value, where)
    if origin in _LISTS:
        return _list(form, _LISTS[origin], arguments[0] if arguments else object, value, where)
    if origin is tuple:
        return _tuple(form, arguments or (object, ...), value, where)
    if origin in _MAPPINGS:
        return _dict(form, arguments or (object, object), value, where)
    if isinstance(form, type):
        return _of_class(form, value, where)
    return value, ()


def _bare(form: object) -> object:
    """Return what a form means for its values: without what only type checkers read."""
    if form is None:
        return types.NoneType
    if form is Any or isinstance(form, str | TypeVar | typing.ForwardRef):
        return object
    if isinstance(form, typing.NewType):
        return _bare(form.__supertype__)
    if typing.get_origin(form) in (typing.Annotated, typing.Required, typing.NotRequired, typing.Final):
        return _bare(typing.get_args(form)[0])
    if type(form).__name__ == "TypeAliasType":  # ``type Fields = list[str]``, from Python 3.12 on
        return _bare(getattr(form, "__value__", object))
    return form


def _union(form: object, members: Sequence[object], value: object, where: _Where) -> _Outcome:
    outcomes = [_value(member, value, where) for member in members]
    taken = [taken for taken, problems in outcomes if not problems]
    if taken:
        # As it is, if one member takes it so: 1 stays an integer for ``float | int``.
        return next((candidate for candidate in taken if type(candidate) is type(value)), taken[0]), ()
    # Of an optional value, what is wrong with the value says more than that it might have been left out. So does a
    # member whose only problems are inside the value: it has the right shape.
    outcomes = [outcome for outcome, member in zip(outcomes, members, strict=True) if member is not types.NoneType]
    if len(outcomes) == 1:
        return value, outcomes[0][1]
    inside = [problems for _, problems in outcomes if all(len(problem.path) > len(where.path) for problem in problems)]
    if len(inside) == 1:
        return value, inside[0]
    same_type = [problems for _, problems in outcomes if all(problem.code == "C104" for problem in problems)]
    return (value, same_type[0]) if len(same_type) == 1 else where.wrong_type(value, _wanted(form))


def _literal(form: object, choices: Sequence[object], value: object, where: _Where) -> _Outcome:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice, ()
    if type(value) not in {type(choice) for choice in choices}:
        return where.wrong_type(value, _wanted(form))
    return where.wrong_value(value, _wanted(form), _nearest_choice(value, choices))


def _nearest_choice(value: object, choices: Sequence[object]) -> str | None:
    words = [choice for choice in choices if isinstance(choice, str)]
    return did_you_mean(value, words, kind="values") if isinstance(value, str) else None


def _list(
    form: object,
    kind: type[list[object]] | type[set[object]] | type[frozenset[object]],
    item: object,
    value: object,
    where: _Where,
) -> _Outcome:
    if not isinstance(value, list | tuple | set | frozenset):
        return where.wrong_type(value, _wanted(form), _as_a_list(item, value, where))
    items, problems = _items([item] * len(value), list(value), where)
    if problems:
        return value, problems
    try:
        return kind(items), ()
    except TypeError:
        return where.wrong_type(value, "items that can stand in a set")


def _as_a_list(item: object, value: object, where: _Where) -> str | None:
    if isinstance(value, Mapping) and isinstance(_bare(item), type) and "table" in _wanted(item):
        return f"write [[{where}]], which begins one of several tables"
    _, problems = _value(item, value, where)
    return None if problems else f"write [{_shown(value)}]"


def _items(forms: Sequence[object], values: Sequence[object], where: _Where) -> tuple[list[object], _Problems]:
    outcomes = [_value(form, value, where / at) for at, (form, value) in enumerate(zip(forms, values, strict=True))]
    return [item for item, _ in outcomes], tuple(problem for _, problems in outcomes for problem in problems)


def _tuple(form: object, forms: Sequence[object], value: object, where: _Where) -> _Outcome:
    if not isinstance(value, list | tuple):
        hint = _as_a_list(forms[0], value, where) if forms[1:] == (...,) else None
        return where.wrong_type(value, _wanted(form), hint)
    # A form with an ellipsis takes any number.
    if len(forms) == 2 and forms[1] is ...:
        forms = [forms[0]] * len(value)
    if len(forms) != len(value):
        return where.wrong_value(value, f"a list of {len(forms)}", f"it has {len(value)} items")
    items, problems = _items(forms, value, where)
    return tuple(items), problems


def _dict(form: object, arguments: Sequence[object], value: object, where: _Where) -> _Outcome:
    if not isinstance(value, Mapping):
        return where.wrong_type(value, _wanted(form))
    checked: dict[object, object] = {}
    problems: list[Problem] = []
    for key, item in value.items():
        checked_key, wrong_key = _value(arguments[0], key, where / key)
        checked[checked_key], wrong_item = _value(arguments[1], item, where / key)
        problems += [replace(problem, on_key=True) for problem in wrong_key]
        problems += wrong_item
    return checked, tuple(problems)


# ----------------------------------------------------------------------------- values, by class


def _of_class(kind: Any, value: object, where: _Where) -> _Outcome:
    if _is_instance(kind, value) and not _is_confused(kind, value):
        return value, ()
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return _made(float, value, where)
    if hasattr(kind, "from_setting"):
        return _from_setting(kind, value, where)
    if issubclass(kind, enum.Enum):
        return _enum(kind, value, where)
    if is_path(kind) and isinstance(value, str):
        return _made(kind, value, where)
    if _is_decimal(kind) and isinstance(value, str | int) and not isinstance(value, bool):
        return _made(kind, value, where)
    if is_table(kind) and isinstance(value, Mapping):
        return _nested(kind, value, where)
    hint = "write it as a string: a float has lost digits" if _is_decimal(kind) and isinstance(value, float) else None
    return where.wrong_type(value, _wanted(kind), hint)


def is_path(kind: object) -> bool:
    """Whether a type is that of a path. Who has it has imported pathlib, which costs as much as reading a pipeline."""
    module = sys.modules.get("pathlib")
    return module is not None and isinstance(kind, type) and issubclass(kind, module.PurePath)


def _is_decimal(kind: object) -> bool:
    module = sys.modules.get("decimal")
    return module is not None and kind is module.Decimal


def _is_instance(kind: type, value: object) -> bool:
    if typing.is_typeddict(kind):
        return False
    try:
        return isinstance(value, kind)
    except TypeError:  # a Protocol that can't be asked: nothing can be said against the value
        return True


def _is_confused(kind: type, value: object) -> bool:
    """Whether Python takes one for the other by inheritance, which nobody means in a configuration."""
    return (kind is int and isinstance(value, bool)) or (kind is datetime.date and isinstance(value, datetime.datetime))


def _made(kind: type, value: object, where: _Where) -> _Outcome:
    try:
        return kind(value), ()
    except (ValueError, ArithmeticError):  # that of a decimal number, and of an integer too large for a float
        return where.wrong_value(value, _wanted(kind))


def _from_setting(kind: Any, value: object, where: _Where) -> _Outcome:
    try:
        return kind.from_setting(value), ()
    except TypeError as error:
        return value, (where.problem("C103", _said(error)),)
    except ValueError as error:
        return value, (where.problem("C104", _said(error)),)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the author's code runs here; what it raises is reported as its own
        return value, _raised(kind, error, where)


def _enum(kind: type[enum.Enum], value: object, where: _Where) -> _Outcome:
    choices = [member.value for member in kind]
    for member in kind:
        if (type(member.value) is type(value) and member.value == value) or member.name == value:
            return member if where.build else value, ()
    if type(value) not in {type(choice) for choice in choices}:
        return where.wrong_type(value, _wanted(kind))
    return where.wrong_value(value, _wanted(kind), _nearest_choice(value, choices))


def _nested(kind: type, value: Mapping[str, object], where: _Where) -> _Outcome:
    if where.build and not typing.is_typeddict(kind):
        return _construct(kind, value, where)
    return _table(fields_of(kind), value, where)


# ----------------------------------------------------------------------------- instances


def _construct(kind: type[T], values: Mapping[str, object], where: _Where) -> tuple[T | None, _Problems]:
    try:
        fields = fields_of(kind)
        given, problems = _table(fields, values, where)
        return (None, problems) if problems else (_instance(kind, fields, given), ())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the author's code runs here; what it raises is reported as its own
        return None, _raised(kind, error, where)


def _instance(kind: Any, fields: Sequence[Field], given: Mapping[str, object]) -> Any:
    if is_pydantic(kind):
        return kind.model_validate(given)
    if is_msgspec(kind):
        # The class is a Struct, so msgspec is imported already. Its constructor checks nothing, convert() does.
        msgspec: Any = sys.modules["msgspec"]
        return msgspec.convert(given, kind)
    attributes = {field.name: field.attribute for field in fields}
    by_attribute = {attributes.get(name, name): value for name, value in given.items()}
    if constructor_parameters(kind):
        return kind(**by_attribute)
    instance = kind()
    for field in fields:
        if isinstance(field.default, dict | list | set) and getattr(instance, field.attribute, None) is field.default:
            setattr(instance, field.attribute, copy.deepcopy(field.default))
    for name, value in by_attribute.items():
        setattr(instance, name, value)
    return instance


def _raised(kind: type, error: BaseException, where: _Where) -> _Problems:
    if is_pydantic(kind) and hasattr(error, "errors"):
        with contextlib.suppress(Exception):  # not pydantic's after all: told as any other error
            return tuple(_pydantic_problem(one, where) for one in error.errors())
    if is_msgspec(kind) and type(error).__name__ == "ValidationError":
        return (_msgspec_problem(str(error), where),)
    said = _said(error)
    return (where.problem("C104", f"{kind.__name__} raised {type(error).__name__}{said and ': '}{said}"),)


def _said(error: BaseException) -> str:
    """Return an error's message in one line."""
    try:
        return " ".join(line.strip() for line in str(error).splitlines())
    except Exception:  # noqa: BLE001 - the author's __str__ failed; the name of the error has to do
        return ""


def _pydantic_problem(error: Mapping[str, Any], where: _Where) -> Problem:
    codes = {"missing": "C102", "extra_forbidden": "C101"}
    kind: str = error["type"]
    # A model as a whole may be "missing" something, too, if its author says so.
    code = (codes.get(kind) if error["loc"] else None) or ("C103" if kind.endswith(("_type", "_parsing")) else "C104")
    inner = replace(where, path=(*where.path, *error["loc"]))
    said = error["msg"][:1].lower() + error["msg"][1:]
    if code == "C102":
        return inner.problem(code, f"missing key {str(inner)!r}", on_key=True)
    message = f"{_shown(error['input'])} is wrong{inner._to()}: {said}"  # noqa: SLF001 - the class is this module's
    return inner.problem(code, message, on_key=code == "C101")


def _msgspec_problem(said: str, where: _Where) -> Problem:
    reason, _, at = said.partition(" - at `$")
    parts = at.rstrip("`").replace("[", ".").replace("]", "").split(".")[1:]
    inner = replace(where, path=(*where.path, *(int(part) if part.isdigit() else part for part in parts)))
    missing = reason.startswith("Object missing required field `")
    if missing:
        inner = inner / reason.split("`")[1]
        return inner.problem("C102", f"missing key {str(inner)!r}", on_key=True)
    code = "C103" if reason.startswith("Expected `") and ", got `" in reason else "C104"
    return inner.problem(code, f"{reason[:1].lower()}{reason[1:]}{inner._to()}")  # noqa: SLF001 - the class is this module's


# ----------------------------------------------------------------------------- words

_WORDS: dict[object, tuple[str, str]] = {
    str: ("a string", "strings"),
    int: ("an integer", "integers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "booleans"),
    bytes: ("bytes", "bytes"),
    dict: ("a table", "tables"),
    list: ("a list", "lists"),
    tuple: ("a list", "lists"),
    object: ("anything", "anything"),
    types.NoneType: ("nothing", "nothing"),
    datetime.date: ("a date", "dates"),
    datetime.datetime: ("a date with a time", "dates with a time"),
    datetime.time: ("a time", "times"),
    **dict.fromkeys(_LISTS, ("a list", "lists")),
    **dict.fromkeys(_MAPPINGS, ("a table", "tables")),
}
_MET: dict[type, str] = {bool: "a boolean", float: "a float"}

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 60
_repr.maxlevel = 2


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else _repr.repr(value)


def _met(value: object) -> str:
    return _MET.get(type(value)) or _words(type(value))[0]


def _wanted(form: object) -> str:
    return _words(form)[0]


def _words(form: object) -> tuple[str, str]:
    """Return what people call a value of this form, and several of them."""
    form = _bare(form)
    origin = typing.get_origin(form) or form
    arguments = typing.get_args(form)
    if origin in (Union, types.UnionType):
        members = [member for member in arguments if member is not types.NoneType]
        return " or ".join(_words(member)[0] for member in members), " or ".join(_words(m)[1] for m in members)
    if origin is Literal:
        return _one_of(arguments)
    if isinstance(form, type) and issubclass(form, enum.Enum):
        return _one_of([member.value for member in form])
    if (origin in _LISTS or (origin is tuple and arguments[1:] == (...,))) and arguments:
        items = _words(arguments[0])[1]
        return (f"a list of {items}", f"lists of {items}") if items != "anything" else ("a list", "lists")
    if origin in _MAPPINGS and arguments:
        items = _words(arguments[1])[1]
        return (f"a table of {items}", f"tables of {items}") if items != "anything" else ("a table", "tables")
    return _WORDS.get(origin) or _class_words(origin)


def _class_words(kind: object) -> tuple[str, str]:
    if isinstance(kind, type) and is_table(kind):
        return _WORDS[dict]
    if is_path(kind):
        return "a path", "paths"
    if _is_decimal(kind):
        return "a decimal number", "decimal numbers"
    name = getattr(kind, "__name__", str(kind))
    return f"a value of {name}", f"values of {name}"


def _one_of(choices: Sequence[object]) -> tuple[str, str]:
    shown = ", ".join(repr(choice) for choice in choices)
    return (f"one of {shown}", f"any of {shown}") if len(choices) != 1 else (shown, shown)
