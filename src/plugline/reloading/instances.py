"""Instances that were made before their class was edited, given what the new constructor would have given them.

Only what can be had without calling foreign code for its effects: constants, empty containers, and the defaults that a
dataclass states. What cannot is named, so that nobody is surprised.
"""

import ast
import gc
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType

from plugline.reloading.living import classes_in
from plugline.reloading.parts import Done, Part

_CONSTRUCTORS = frozenset(
    {"list", "dict", "set", "tuple", "frozenset", "bytearray", "deque", "defaultdict", "OrderedDict"}
)


def complete_instances(part: Part, names: dict[str, object], done: Done, *, grafted: bool) -> None:
    """Give the instances of edited classes what their constructors set now and did not set before.

    Args:
        part: What was edited.
        names: The names in force.
        done: Takes what they cannot be given.
        grafted: Whether only bodies of functions were edited, so that no class has other fields.
    """
    wanted: list[tuple[type, str, Callable[[], object]]] = []
    for owner, old, new in _edited_constructors(part, names):
        fresh = set(new.co_names) - set(old.co_names)
        if fresh:
            wanted += _assigned(part, owner, new, fresh, names, done)
    for owner in () if grafted else classes_in(list(names.values()), part.name):
        wanted += _new_fields(owner, part, done)
    if wanted:
        _give(wanted)


def _edited_constructors(part: Part, names: dict[str, object]) -> Iterator[tuple[type, CodeType, CodeType]]:
    constructors = {id(new): (old, new) for old, new in part.comparison.edited if new.co_name == "__init__"}
    if not constructors:
        return
    for owner in classes_in(list(names.values()), part.name):
        function = vars(owner).get("__init__")
        if isinstance(function, FunctionType):
            found = next((pair for pair in constructors.values() if pair[1].co_qualname == function.__qualname__), None)
            if found is not None:
                yield owner, *found


def _assigned(
    part: Part, owner: type, new: CodeType, fresh: set[str], names: dict[str, object], done: Done
) -> Iterator[tuple[type, str, Callable[[], object]]]:
    for node in ast.walk(ast.parse(part.content)):
        if not isinstance(node, ast.FunctionDef) or node.name != "__init__" or not node.args.args:
            continue
        if min([node.lineno, *(one.lineno for one in node.decorator_list)]) != new.co_firstlineno:
            continue
        itself = node.args.args[0].arg
        for statement in node.body:
            for name, value in _targets(statement, itself):
                if name not in fresh:
                    continue
                if _is_safe(value):
                    code = compile(ast.Expression(value), part.trace.path, "eval", dont_inherit=True)
                    yield owner, name, lambda code=code: eval(code, names)  # type: ignore[misc]  # noqa: S307 - see _is_safe
                else:
                    done.lost.append(f"{owner.__qualname__}.{name} on instances made before")


def _targets(statement: ast.stmt, itself: str) -> Iterator[tuple[str, ast.expr]]:
    targets: list[ast.expr]
    match statement:
        case ast.Assign(targets=targets, value=value):
            pass
        case ast.AnnAssign(target=only, value=ast.expr() as value):
            targets = [only]
        case _:
            return
    for target in targets:
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == itself:
            yield target.attr, value


def _is_safe(value: ast.expr) -> bool:
    match value:
        case ast.Constant():
            return True
        case ast.List(elts=parts) | ast.Set(elts=parts) | ast.Tuple(elts=parts):
            return all(map(_is_safe, parts))
        case ast.Dict(keys=keys, values=values):
            return all(_is_safe(one) for one in (*keys, *values) if one is not None)
        case ast.UnaryOp(operand=operand):
            return _is_safe(operand)
        case ast.Call(func=ast.Name(id=name), args=[], keywords=[]):
            return name in _CONSTRUCTORS
        case _:
            return False


def _new_fields(owner: type, part: Part, done: Done) -> Iterator[tuple[type, str, Callable[[], object]]]:
    fields = vars(owner).get("__dataclass_fields__")
    if not isinstance(fields, dict):
        return
    import dataclasses  # noqa: PLC0415 - whoever has fields has imported it

    for name, field in fields.items():
        if field.default_factory is not dataclasses.MISSING:
            yield owner, name, field.default_factory


def _give(wanted: list[tuple[type, str, Callable[[], object]]]) -> None:
    owners = {below for owner, _, _ in wanted for below in (owner, *_all_below(owner))}
    for instance in gc.get_referrers(*owners):
        if type(instance) not in owners:
            continue
        for owner, name, make in wanted:
            if isinstance(instance, owner) and not _has(instance, name):
                object.__setattr__(instance, name, make())


def _has(instance: object, name: str) -> bool:
    attributes = getattr(instance, "__dict__", None)
    if isinstance(attributes, dict) and name in attributes:
        return True
    try:
        object.__getattribute__(instance, name)
    except AttributeError:
        return False
    return True


def _all_below(owner: type) -> set[type]:
    found: set[type] = set()
    one: type
    for one in type.__subclasses__(owner):
        found |= {one, *_all_below(one)}
    return found
