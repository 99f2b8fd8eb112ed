"""The syntax of an annotation to the type that it names, without running anything.

The evaluator is closed: it knows the types that a setting can sensibly have, and takes everything else
for ``object``. So a check of the source alone may miss something, but never reports what is right.
"""

import ast
import collections.abc
import datetime
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final, cast

_TYPES: dict[str, object] = {
    **{f"builtins.{kind.__name__}": kind for kind in (bool, bytes, float, int, object, str)},
    **{f"builtins.{kind.__name__}": kind for kind in (dict, frozenset, list, set, tuple)},
    **{f"collections.abc.{name}": getattr(collections.abc, name) for name in ("Collection", "Iterable", "Mapping")},
    **{f"collections.abc.{name}": getattr(collections.abc, name) for name in ("MutableMapping", "Sequence", "Set")},
    **{f"typing.{name}": getattr(collections.abc, name) for name in ("Collection", "Iterable", "Mapping")},
    **{f"typing.{name}": getattr(collections.abc, name) for name in ("MutableMapping", "Sequence")},
    **{f"typing.{kind.__name__.capitalize()}": kind for kind in (dict, list, tuple)},
    "typing.Any": object,
    "typing.Set": set,
    "typing.FrozenSet": frozenset,
    "typing.AbstractSet": collections.abc.Set,
    "typing.ClassVar": ClassVar,
    "typing.Final": Final,
    "datetime.date": datetime.date,
    "datetime.datetime": datetime.datetime,
    "datetime.time": datetime.time,
}
# Imported where a setting is of them.
_LATE_TYPES = ("decimal.Decimal", "pathlib.Path", "pathlib.PurePath")

# The arguments of the forms are only known when they run.
_FORMS: typing.Any = typing

# What takes its meaning from its first argument; ClassVar and Final say only that there is no setting.
_WRAPPERS = {
    f"{module}.{name}"
    for module in ("typing", "typing_extensions")
    for name in ("Annotated", "Required", "NotRequired")
} | {"dataclasses.InitVar"}


def names_in(module: ast.Module) -> dict[str, str]:
    """Say what each name at the top of a module is: ``{"Path": "pathlib.Path", "dt": "datetime"}``.

    A name that the module itself makes is ``".name"``, which no table of known names holds.
    """
    names: dict[str, str] = {}
    for statement in _top_level(module.body):
        match statement:
            case ast.Import():
                for alias in statement.names:
                    first = alias.name.partition(".")[0]
                    names[alias.asname or first] = alias.name if alias.asname else first
            case ast.ImportFrom():
                origin = "." if statement.level else f"{statement.module}."
                names.update({alias.asname or alias.name: f"{origin}{alias.name}" for alias in statement.names})
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                names[statement.name] = f".{statement.name}"
            case _:
                bound = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
                names.update({node.id: f".{node.id}" for node in bound if isinstance(node.ctx, ast.Store)})
    return names


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If | ast.Try | ast.With):
            blocks = [statement.body, getattr(statement, "orelse", []), getattr(statement, "finalbody", [])]
            blocks += [handler.body for handler in getattr(statement, "handlers", [])]
            for block in blocks:
                yield from _top_level(block)
        else:
            yield statement


def dotted_name(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """Return where the object that ``node`` names is from, as ``"typing.Optional"``; ``None`` if it is no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, f"builtins.{node.id}")
    if isinstance(node, ast.Attribute):
        before = dotted_name(node.value, names)
        return None if before is None else f"{before}.{node.attr}"
    return None


def type_in(node: ast.expr, names: Mapping[str, str]) -> object:
    """Return the type that an annotation names, ``object`` if that is not for certain.

    ``ClassVar`` and ``Final`` are given back as they are, without what stands in their brackets.
    """
    try:
        return _evaluate(node, names)
    except (TypeError, MemoryError, RecursionError, SyntaxError, ValueError):
        # TypeError: something like ``str[int]``; the interpreter will say so better than we can. MemoryError: text in
        # quotes that is nested too deeply for the parser.
        return object


def _evaluate(node: ast.expr, names: Mapping[str, str]) -> object:
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str() as text):
            return _evaluate(ast.parse(text.strip(), mode="eval").body, names)
        case ast.BinOp(op=ast.BitOr()):
            return _union([_evaluate(node.left, names), _evaluate(node.right, names)])
        case ast.Subscript():
            return _subscript(_canonical(dotted_name(node.value, names)), _arguments(node.slice), names)
        case _:
            return _type_of_name(_canonical(dotted_name(node, names)))


def _type_of_name(name: str) -> object:
    if name in _LATE_TYPES:
        module, _, attribute = name.partition(".")
        return cast("object", getattr(__import__(module), attribute))
    return _TYPES.get(name, object)


def _canonical(name: str | None) -> str:
    return (name or "").replace("typing_extensions.", "typing.")


def _arguments(node: ast.expr) -> Sequence[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _subscript(name: str, arguments: Sequence[ast.expr], names: Mapping[str, str]) -> object:
    if name == "typing.Literal":
        return _FORMS.Literal[tuple(ast.literal_eval(argument) for argument in arguments)]
    if name in _WRAPPERS:
        return _evaluate(arguments[0], names)
    if name == "typing.Optional":
        return _union([_evaluate(arguments[0], names), None])
    evaluated = [_argument(argument, names) for argument in arguments]
    if name == "typing.Union":
        return _union(evaluated)
    generic: typing.Any = _type_of_name(name)
    return generic if generic in (object, ClassVar, Final) else generic[tuple(evaluated)]


def _argument(node: ast.expr, names: Mapping[str, str]) -> object:
    return ... if isinstance(node, ast.Constant) and node.value is ... else _evaluate(node, names)


def _union(members: Sequence[object]) -> object:
    # ``object | None`` would be a type, but says no more than object does.
    return object if object in members else _FORMS.Union[tuple(members)]


# What names mean where a module's own imports are not known.
USUAL_NAMES: Mapping[str, str] = {
    name.rpartition(".")[2]: name
    for name in [*_TYPES, *_LATE_TYPES, *_WRAPPERS, "typing.Optional", "typing.Union", "typing.Literal"]
    if not name.startswith(("builtins.", "typing_extensions."))
} | {
    "typing": "typing",
    "dataclass": "dataclasses.dataclass",
    "dataclasses": "dataclasses",
    "field": "dataclasses.field",
    "Protocol": "typing.Protocol",
    "Generic": "typing.Generic",
    "ABC": "abc.ABC",
    "abc": "abc",
}
