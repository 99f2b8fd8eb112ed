"""Instances that were made before their class was edited, given what the new constructor would have given them.

Only what can be had without calling foreign code for its effects: constants, empty containers, and the defaults that a
dataclass states. What cannot is named, so that nobody is surprised.
"""

import ast
import gc
from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial
from types import CodeType, FunctionType, MemberDescriptorType
from typing import Any

from plugline.kinds import is_a
from plugline.reloading.living import classes_in
from plugline.reloading.parts import Done, Part

_CONSTRUCTORS = frozenset(
    {"list", "dict", "set", "tuple", "frozenset", "bytearray", "deque", "defaultdict", "OrderedDict"}
)


Chains = dict[str, list[tuple[int, tuple[str, ...]]]]
"""The constructors of each class by its qualified name, its own and those that it inherits: the ``id`` of the code, and the
names in it. The code itself is not held, since by the counts of references it is seen who else has it.
"""


def constructors_of(names: dict[str, object], module: str) -> Chains:
    """Return the constructors of a module's classes."""
    return {owner.__qualname__: _told_with_fields(owner) for owner in classes_in(list(names.values()), module)}


def _told_with_fields(owner: type) -> list[tuple[int, tuple[str, ...]]]:
    told = _told(_chain(owner))
    fields = _fields_of(owner)
    if told and fields:
        # A frozen dataclass names them as texts in its constructor.
        told[0] = (told[0][0], (*told[0][1], *fields))
    return told


def _fields_of(owner: type) -> dict[str, Any]:
    fields = vars(owner).get("__dataclass_fields__")
    return fields if is_a(fields, dict) else {}


def _told(chain: Iterable[CodeType]) -> list[tuple[int, tuple[str, ...]]]:
    return [(id(code), code.co_names) for code in chain]


def _chain(owner: type) -> tuple[CodeType, ...]:
    functions = (vars(one).get("__init__") for one in owner.__mro__)
    return tuple(one.__code__ for one in functions if type(one) is FunctionType)


def complete_instances(part: Part, names: dict[str, object], done: Done, before: Chains | None) -> None:
    """Give the instances of edited classes what their constructors set now and did not set before.

    Args:
        done: Takes what they cannot be given.
        before: The constructors of the old version; ``None`` where only bodies of functions were edited, so that no class
            has other bases, or other fields.
    """
    wanted: list[tuple[type, str, Callable[[], object]]] = []
    for owner, known, new in _edited_constructors(part, names, before):
        fresh = set(new.co_names) - known
        if fresh:
            wanted += _assigned(part, owner, new, fresh, names, done)
    if before is not None:
        for owner in classes_in(list(names.values()), part.name):
            # What an old constructor has set is there.
            known = {name for _, told in before.get(owner.__qualname__, ()) for name in told}
            wanted += ((owner, name, make) for name, make in values_of_fields(owner) if name not in known)
            if known:
                told = (
                    f"{owner.__qualname__}.{name} on instances made before" for name in _without_default(owner, known)
                )
                done.lost += [one for one in told if one not in done.lost]
    if wanted:
        _give(wanted)


def _edited_constructors(
    part: Part, names: dict[str, object], before: Chains | None
) -> Iterator[tuple[type, set[str], CodeType]]:
    """Yield each class that is constructed in another way, with what its constructors knew before, and the code of each now."""
    edited = {id(new) for _, new in part.comparison.edited if new.co_name == "__init__"}
    if before is None and not edited:
        return
    follows = {id(old): id(new) for old, new in part.comparison.pairs}
    for owner in classes_in(list(names.values()), part.name):
        chain = _chain(owner)
        was = before.get(owner.__qualname__) if before is not None else _told(_chain_before(chain, part))
        if was is None:
            continue
        if [follows.get(one, one) for one, _ in was] != [*map(id, chain)] or any(id(one) in edited for one in chain):
            known = {name for _, names_before in was for name in names_before}
            for code in chain:
                yield owner, known, code


def _chain_before(chain: tuple[CodeType, ...], part: Part) -> tuple[CodeType, ...]:
    preceded = {id(new): old for old, new in part.comparison.pairs}
    return tuple(preceded.get(id(one), one) for one in chain)


def _assigned(
    part: Part, owner: type, new: CodeType, fresh: set[str], names: dict[str, object], done: Done
) -> Iterator[tuple[type, str, Callable[[], object]]]:
    for node in ast.walk(ast.parse(part.content)):
        if not isinstance(node, ast.FunctionDef) or node.name != "__init__" or not node.args.args:
            continue
        if min([node.lineno, *(one.lineno for one in node.decorator_list)]) != new.co_firstlineno:
            continue
        itself = node.args.args[0].arg
        for name, value in _all_targets(node, itself):
            if name not in fresh:
                continue
            if value is not None and _is_safe(value):
                code = compile(ast.Expression(value), part.path, "eval", dont_inherit=True)
                yield owner, name, lambda code=code: eval(code, names)  # type: ignore[misc]  # noqa: S307 - see _is_safe
            else:
                told = f"{owner.__qualname__}.{name} on instances made before"
                done.lost += [told] if told not in done.lost else []


def _all_targets(function: ast.FunctionDef, itself: str) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the attributes that a constructor sets, each with its value, where it sets it in any case and to that alone."""
    always = {id(statement) for statement in function.body}
    for statement in ast.walk(function):
        targets: list[ast.expr]
        value: ast.expr | None = None
        match statement:
            case ast.Assign(targets=targets, value=value):
                pass
            case ast.AnnAssign(target=only, value=ast.expr() as value):
                targets = [only]
            case ast.For(target=only) | ast.withitem(optional_vars=ast.expr() as only):
                targets = [only]
            case _:
                continue
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == itself:
                    yield part.attr, value if part is target and id(statement) in always else None


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


def values_of_fields(owner: type) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the fields of a dataclass that each instance has a value of its own for, with what makes it."""
    fields = _fields_of(owner)
    if not fields:
        return
    import dataclasses  # whoever has fields has imported it

    for name, field in fields.items():
        if field.default_factory is not dataclasses.MISSING:
            yield name, field.default_factory
        # Else the default is an attribute of the class, unless that has a slot of this name.
        elif field.default is not dataclasses.MISSING and type(vars(owner).get(name)) is MemberDescriptorType:
            yield name, partial(_itself, field.default)


def _without_default(owner: type, known: Container[str]) -> Iterator[str]:
    """Yield the new fields of a dataclass that nothing says the value of."""
    import dataclasses  # whoever has fields has imported it

    missing = dataclasses.MISSING
    for name, field in _fields_of(owner).items():
        is_bare = field.default is missing and field.default_factory is missing
        if is_bare and name not in known and field._field_type is dataclasses._FIELD:  # type: ignore[attr-defined]  # noqa: SLF001 - and no ClassVar
            yield name


def _itself(value: object) -> object:
    return value


def _give(wanted: list[tuple[type, str, Callable[[], object]]]) -> None:
    owners = {below for owner, _, _ in wanted for below in (owner, *_all_below(owner))}
    for instance in gc.get_referrers(*owners):
        if type(instance) not in owners:
            continue
        for owner, name, make in wanted:
            if is_a(instance, owner) and not has_value(instance, name):
                object.__setattr__(instance, name, make())


def has_value(instance: object, name: str) -> bool:
    """Whether an instance has an attribute."""
    attributes = getattr(instance, "__dict__", None)
    if is_a(attributes, dict) and name in attributes:
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
