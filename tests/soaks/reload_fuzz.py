"""Random edits of random plugins: the program that was reloaded against one that was started afresh from the same source.

Usage: python -m tests.soaks.reload_fuzz [EDITS] [SEED]

After each edit two things are compared with what a cold import of the same files gives. *The fresh view*: every name of the
module, described by what it is, says and does. *Held references*: functions, classes, instances, bound methods and closures that
somebody took up to some hundred edits before; those that do something else than the new source says count as wrong, and have to be named
in the report of the reload that left them behind.
"""

import contextlib
import enum
import functools
import gc
import importlib
import inspect
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from plugline import Host
from plugline.reloading.report import ReloadReport

# ------------------------------------------------------------------ sources


@dataclass(frozen=True, slots=True)
class Item:
    """One definition of a source: what it is called and of which kind it is, and what decides the rest.

    Attributes:
        name: Its name.
        kind: One of :data:`KINDS`.
        shape: Decides how it is written.
        values: Decides the literals in it.
    """

    name: str
    kind: str
    shape: int
    values: int


class Writer:
    """Writes one item, which may use those that stand before it.

    Args:
        item: What to write.
        known: The names before it, by kind.
    """

    def __init__(self, item: Item, known: Mapping[str, list[str]]) -> None:
        self.name = item.name
        self.known = known
        self._shape = random.Random(item.shape)  # noqa: S311 - not a secret
        self._values = random.Random(item.values)  # noqa: S311 - not a secret

    def chance(self, probability: float = 0.5) -> bool:
        """Decide something about the shape."""
        return self._shape.random() < probability

    def pick(self, *options: str) -> str:
        """Choose among ways to write something."""
        return self._shape.choice(options)

    def some(self, kind: str) -> str | None:
        """Return the name of something that stands before."""
        names = self.known.get(kind, [])
        return self._shape.choice(names) if names else None

    def literal(self) -> str:
        """Return a value."""
        chance = self._values
        number = chance.randrange(30)
        return chance.choice(
            [
                str(number),
                f"{number}.5",
                f"'v{number}'",
                f"({number}, 'a')",
                f"[{number}]",
                f"{{'k': {number}}}",
                "None",
            ]
        )

    def number(self) -> str:
        """Return an integer."""
        return str(self._values.randrange(30))

    def value(self) -> str:
        """Return an expression: a literal, or something that uses what stands before."""
        known = [name for name in (self.some("constant"), self.some("imported")) if name is not None]
        functions = [name for name in (self.some("function"), self.some("decorated")) if name is not None]
        if known and self.chance(0.2):
            return f"({self._shape.choice(known)}, {self.literal()})"
        if functions and self.chance(0.15):
            return f"({self._shape.choice(functions)}(), {self.literal()})"
        return self.literal()


def _body(w: Writer, indent: str, result: str) -> str:
    """Return the body of a function, ending with the return of an expression."""
    lines = []
    if w.chance(0.2):
        lines.append(f"'Text {w.number()}.'")
    if w.chance(0.3):
        lines.append(f"local = {w.literal()}")
        result = f"(local, {result})"
    if w.chance(0.15):
        lines.append(f"listed = [one for one in range({w.number()} % 4)]")
        result = f"(listed, {result})"
    if w.chance(0.15):
        lines.append(f"inner = lambda: {w.literal()}")
        result = f"(inner(), {result})"
    if w.chance(0.1):
        lines += ["try:", f"    caught = {w.number()} // 0", "except ZeroDivisionError:", f"    caught = {w.literal()}"]
        result = f"(caught, {result})"
    lines.append(f"return {result}")
    return "".join(f"{indent}{line}\n" for line in lines)


def _parameters(w: Writer) -> tuple[str, str]:
    """Return parameters, all of which have defaults, and a tuple of their names."""
    given = [("a", w.value()), ("b", w.literal())][: w._shape.randrange(3)]
    text = ", ".join(f"{name}{': int' if w.chance(0.2) else ''}={value}" for name, value in given)
    if w.chance(0.2):
        text += f"{', ' if text else ''}*, c={w.literal()}"
        given.append(("c", ""))
    return text, "".join(f"{name}, " for name, _ in given)


def _constant(w: Writer) -> str:
    return f"{w.name} = {w.value()}\n"


def _function(w: Writer) -> str:
    text, names = _parameters(w)
    arrow = " -> object" if w.chance(0.2) else ""
    return f"def {w.name}({text}){arrow}:\n" + _body(w, "    ", f"({names}{w.value()})")


def _decorator(w: Writer) -> str:
    wraps = "    @functools.wraps(function)\n" if w.chance(0.7) else ""
    return (
        f"def {w.name}(function):\n{wraps}    def wrapper(*arguments, **keywords):\n"
        f"        return ({w.literal()}, function(*arguments, **keywords))\n    return wrapper\n"
    )


def _decorated(w: Writer) -> str:
    decorators = [name for name in (w.some("decorator"),) if name is not None]
    decorators += ["functools.lru_cache", "functools.cache"]
    lines = "".join(f"@{name}\n" for name in w._shape.sample(decorators, w._shape.randint(1, 2)))
    return f"{lines}def {w.name}():\n" + _body(w, "    ", w.value())


def _factory(w: Writer) -> str:
    second = f", {w.literal()}" if w.chance(0.3) else ""
    if w.chance(0.3):
        return f"def {w.name}(n=0):\n    return lambda: ('lambda', n, {w.literal()}{second})\n"
    more = f"    m = {w.literal()}\n" if w.chance(0.4) else ""
    used = ", m" if more and w.chance(0.7) else ""
    return f"def {w.name}(n=0):\n{more}    def inner():\n        return ({w.literal()}, n{used}{second})\n    return inner\n"


def _made(w: Writer) -> str:
    factory = w.some("factory")
    return (
        f"{w.name} = {factory}({w.literal()})\n"
        if factory
        else f"{w.name} = lambda a={w.literal()}: ({w.literal()}, a)\n"
    )


def _class(w: Writer) -> str:
    bases = [name for name in (w.some("class"),) if name is not None and w.chance(0.4)]
    base = f"({bases[0]})" if bases else ""
    lines = [f"class {w.name}{base}:"]
    if w.chance(0.2):
        lines.append(f"    '''Text {w.number()}.'''")
    lines += [f"    {name} = {w.value()}" for name in ("p", "q") if w.chance(0.3)]
    if w.chance(0.5):
        lines += ["    def __init__(self):", *(["        super().__init__()"] if bases else [])]
        lines += [f"        self.{name} = {w.literal()}" for name in ("x", "y", "z") if w.chance(0.5)]
        lines.append("        pass")
    for name in ("m", "n"):
        if w.chance(0.7):
            up = ", super().m()" if name == "m" and bases and w.chance(0.4) else ""
            up = up.replace("super().m()", "getattr(super(), 'm', int)()")
            text = _body(w, "        ", f"('{name}', getattr(self, 'x', 'no'), {w.literal()}{up})")
            lines += [f"    def {name}(self, a={w.literal()}):", text.rstrip("\n")]
    if w.chance(0.3):
        lines += ["    @property", "    def prop(self):", f"        return {w.literal()}"]
    if w.chance(0.2):
        lines += ["    @functools.cached_property", "    def slow(self):", f"        return {w.literal()}"]
    if w.chance(0.3):
        lines += ["    @classmethod", "    def made(cls):", f"        return (cls.__name__, {w.literal()})"]
    if w.chance(0.3):
        lines += ["    @staticmethod", "    def free():", f"        return {w.value()}"]
    if w.chance(0.2):
        lines += ["    class Inner:", "        def m(self):", f"            return {w.literal()}"]
    return "\n".join([*lines, "    pass", ""])


def _dataclass(w: Writer) -> str:
    options = w.pick("", "", "(frozen=True)", "(order=True)", "(slots=True)", "(kw_only=True)")
    lines = [f"@dataclasses.dataclass{options}", f"class {w.name}:", f"    a: int = {w.number()}"]
    if w.chance():
        lines.append(f"    b: str = 'b{w.number()}'")
    if w.chance(0.3):
        lines.append("    c: list = dataclasses.field(default_factory=list)")
    if w.chance():
        lines += ["    def m(self):", f"        return (self.a, {w.literal()})"]
    return "\n".join([*lines, ""])


def _enumeration(w: Writer) -> str:
    base = w.pick("enum.Enum", "enum.Enum", "enum.IntEnum", "enum.Flag")
    lines = [f"class {w.name}({base}):", f"    A = {2 ** (int(w.number()) % 5)}"]
    lines += [
        f"    {name} = {64 + index}" if base != "enum.Flag" else f"    {name} = {64 << index}"
        for index, name in enumerate("BC")
        if w.chance()
    ]
    if w.chance():
        lines += ["    def m(self):", f"        return (self.name, {w.literal()})"]
    return "\n".join([*lines, ""])


def _slotted(w: Writer) -> str:
    slots = ["x"] + ["y"] * w.chance(0.3)
    lines = [f"class {w.name}:", f"    __slots__ = {tuple(slots)!r}", "    def __init__(self):"]
    lines += [f"        self.{slot} = {w.literal()}" for slot in slots]
    return "\n".join([*lines, "    def m(self):", f"        return (self.x, {w.literal()})", ""])


def _named_tuple(w: Writer) -> str:
    more = f"    b: int = {w.number()}\n" if w.chance(0.4) else ""
    return f"class {w.name}(typing.NamedTuple):\n    a: int = {w.number()}\n{more}    def m(self):\n        return (self.a, {w.literal()})\n"


def _exception(w: Writer) -> str:
    return f"class {w.name}({w.pick('Exception', 'ValueError')}):\n    def m(self):\n        return {w.literal()}\n"


def _table(w: Writer) -> str:
    entries = [f"'{kind}': {name}" for kind in ("function", "class", "made", "decorated") if (name := w.some(kind))]
    return f"{w.name} = {{{', '.join([*entries, f'0: lambda: {w.literal()}'])}}}\n"


def _instance(w: Writer) -> str:
    kind = w.some(w.pick("class", "dataclass", "slotted"))
    return f"{w.name} = {kind}()\n" if kind else f"{w.name} = object\n"


def _partial(w: Writer) -> str:
    function = w.some("function")
    return (
        f"{w.name} = functools.partial({function})\n"
        if function
        else f"{w.name} = functools.partial(dict, a={w.literal()})\n"
    )


def _generator(w: Writer) -> str:
    return f"def {w.name}():\n    yield {w.literal()}\n    yield from range({w.number()} % 3)\n"


def _coroutine(w: Writer) -> str:
    return f"async def {w.name}():\n    return {w.literal()}\n"


def _context(w: Writer) -> str:
    return f"@contextlib.contextmanager\ndef {w.name}():\n    yield {w.literal()}\n"


def _conditional(w: Writer) -> str:
    return f"if {w.number()} % 2:\n    def {w.name}():\n        return ('yes', {w.literal()})\nelse:\n    def {w.name}():\n        return ('no', {w.literal()})\n"


def _imported(w: Writer) -> str:
    return w.pick(
        f"from .helper import {w.pick('one', 'Two', 'THREE')} as {w.name}\n", f"from . import helper as {w.name}\n"
    )


def _comprehension(w: Writer) -> str:
    function = w.some("function")
    call = f"{function}()" if function else w.literal()
    return f"{w.name} = [({call}, number) for number in range({w.number()} % 3)]\n"


def _generic(w: Writer) -> str:
    return f"@functools.singledispatch\ndef {w.name}(value=0):\n    return ('other', {w.literal()})\n@{w.name}.register\ndef _(value: int):\n    return ('int', {w.literal()})\n"


KINDS: dict[str, Callable[[Writer], str]] = {
    "constant": _constant,
    "function": _function,
    "decorator": _decorator,
    "decorated": _decorated,
    "factory": _factory,
    "made": _made,
    "class": _class,
    "dataclass": _dataclass,
    "enumeration": _enumeration,
    "slotted": _slotted,
    "named_tuple": _named_tuple,
    "exception": _exception,
    "table": _table,
    "instance": _instance,
    "partial": _partial,
    "generator": _generator,
    "coroutine": _coroutine,
    "context": _context,
    "conditional": _conditional,
    "imported": _imported,
    "comprehension": _comprehension,
    "generic": _generic,
}

HEAD = "import contextlib, dataclasses, enum, functools, typing\n"
HELPER = "def one():\n    return {a}\nclass Two:\n    k = {b}\n    def m(self):\n        return {c}\nTHREE = {d}\n"


@dataclass(frozen=True, slots=True)
class Source:
    """A plugin and its helper.

    Attributes:
        items: The definitions, in order.
        helper: The numbers in the helper.
        padding: How many empty lines stand at the top.
    """

    items: tuple[Item, ...]
    helper: tuple[int, int, int, int]
    padding: int = 0

    def text(self) -> str:
        """Return the plugin's source."""
        known: dict[str, list[str]] = {}
        written = [HEAD, "\n" * self.padding]
        for item in self.items:
            written.append(KINDS[item.kind](Writer(item, known)))
            known.setdefault(item.kind, []).append(item.name)
        return "".join(written)

    def helper_text(self) -> str:
        """Return the helper's source."""
        return HELPER.format(**dict(zip("abcd", self.helper, strict=True)))


def first_source(chance: random.Random) -> Source:
    """Return a source to begin with."""
    items = [_item(f"n{number}", chance) for number in range(chance.randint(4, 14))]
    return Source(tuple(items), (1, 2, 3, 4))


def _item(name: str, chance: random.Random) -> Item:
    return Item(
        name, chance.choice([*KINDS, "function", "class", "class"]), chance.randrange(2**32), chance.randrange(2**32)
    )


def edited(source: Source, chance: random.Random) -> Source:
    """Return a source with one to three edits."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        source = _edited(source, chance)
    return source


def _edited(source: Source, chance: random.Random) -> Source:
    items = list(source.items)
    at = chance.randrange(len(items))
    item = items[at]
    helper, padding = source.helper, source.padding
    match chance.choice(["values"] * 8 + ["shape"] * 4 + ["delete", "add", "add", "move", "kind", "helper", "padding"]):
        case "values":
            items[at] = Item(item.name, item.kind, item.shape, chance.randrange(2**32))
        case "shape":
            items[at] = Item(item.name, item.kind, chance.randrange(2**32), item.values)
        case "delete" if len(items) > 3:
            del items[at]
        case "add" if len(items) < 18:
            names = {f"n{number}" for number in range(20)} - {one.name for one in items}
            items.insert(at, _item(chance.choice(sorted(names)), chance))
        case "move":
            items.insert(chance.randrange(len(items)), items.pop(at))
        case "kind":
            items[at] = _item(item.name, chance)
        case "helper":
            a, b, c, d = (chance.randrange(50) if chance.random() < 0.5 else one for one in helper)
            helper = (a, b, c, d)
        case "padding":
            padding = chance.randrange(4)
        case _:
            pass
    return Source(tuple(items), helper, padding)


# ------------------------------------------------------------------ what a program does


def view(module: ModuleType) -> dict[str, object]:
    """Describe every name of a module by what it is, says and does."""
    names = {name: value for name, value in vars(module).items() if name[0] == "n" and name[1:].isdigit()}
    return {"in order": list(names), **{name: described(value) for name, value in names.items()}}


def described(value: object, depth: int = 5) -> object:  # noqa: C901, PLR0912 - a table
    """Describe one value, without what differs from process to process."""
    if depth == 0:
        return "..."
    match value:
        case None | bool() | int() | float() | str() if not isinstance(value, enum.Enum):
            return value
        case enum.Enum():
            return "member", type(value).__name__, value.name, value.value
        case tuple() | list() if type(value) in (tuple, list):
            return [type(value).__name__, *(described(one, depth - 1) for one in value)]
        case dict():
            return {str(key): described(one, depth - 1) for key, one in value.items()}
        case FunctionType():
            return _function_described(value, depth)
        case MethodType():
            return "method", described(value.__func__, depth - 1)
        case staticmethod() | classmethod():
            return type(value).__name__, described(value.__func__, depth - 1)
        case property():
            return "property", described(value.fget, depth - 1)
        case functools.partial():
            return "partial", described(value.func, depth - 1), described(value.args, depth), described(value.keywords)
        case functools.cached_property():
            return "cached", described(value.func, depth - 1)
        case type():
            return _class_described(value, depth)
        case ModuleType():
            return (
                "module",
                value.__name__.rpartition(".")[2],
                described(vars(value).get("THREE")),
                described(vars(value).get("one")),
            )
        case _ if hasattr(value, "__wrapped__"):
            return "wraps", type(value).__name__, described(value.__wrapped__, depth - 1), _called(value)
        case _:
            return _instance_described(value, depth)


def _function_described(value: FunctionType, depth: int) -> object:
    parts: list[object] = ["function", value.__qualname__, value.__doc__, _signature(value)]
    parts += [
        _code_described(value.__code__),
        described(value.__defaults__, depth - 1),
        described(value.__kwdefaults__, depth - 1),
    ]
    parts.append([described(cell.cell_contents, depth - 1) for cell in value.__closure__ or ()])
    parts.append({name: described(one, depth - 1) for name, one in vars(value).items() if name != "__module__"})
    if depth >= 4 and value.__name__ not in ("wrapper", "helper"):
        parts.append(_called(value))
    return parts


def _signature(function: FunctionType) -> str:
    return re.sub(r" at 0x\w+", "", str(inspect.signature(function)).replace("cold.", "").replace("plugins.", ""))


def _code_described(code: CodeType) -> object:
    constants = [_code_described(one) if isinstance(one, CodeType) else one for one in code.co_consts]
    return code.co_name, code.co_firstlineno, code.co_code.hex()[:400], code.co_names, code.co_varnames, constants


def _class_described(owner: type, depth: int) -> object:
    if not owner.__module__.startswith(("plugins", "cold")):
        return "class", owner.__module__, owner.__qualname__
    skipped = {
        "__dict__",
        "__weakref__",
        "__module__",
        "__abstractmethods__",
        "_abc_impl",
        "__annotations__",
        "_member_map_",
        "_value2member_map_",
    }
    names = {
        name: described(value, depth - 1)
        for name, value in vars(owner).items()
        if name not in skipped
        and not (name[:1] == "_" and isinstance(value, FunctionType) and value.__code__.co_filename.startswith("<"))
    }
    parts: list[object] = [
        "class",
        owner.__qualname__,
        [one.__qualname__ for one in owner.__mro__],
        dict(sorted(names.items())),
    ]
    if issubclass(owner, enum.Enum):
        parts.append([(one.name, one.value) for one in owner])
    if is_dataclass(owner):
        parts.append(
            [
                (one.name, one.type if isinstance(one.type, str) else one.type.__name__, repr(one.default)[:20])
                for one in fields(owner)
            ]
        )
    if depth >= 4 and not issubclass(owner, enum.Enum):
        parts.append(done_by(owner()))
    return parts


def _instance_described(value: object, depth: int) -> object:
    kind = type(value)
    if not kind.__module__.startswith(("plugins", "cold")):
        return "instance", kind.__name__
    state = {name: one for name, one in vars(value).items() if name != "slow"} if hasattr(value, "__dict__") else {}
    return (
        "instance",
        kind.__qualname__,
        {name: described(one, depth - 1) for name, one in state.items()},
        done_by(value),
    )


def done_by(value: object) -> dict[str, object]:
    """Describe what calling the methods of an object gives."""
    found: dict[str, object] = {}
    for name in ("m", "n", "made", "free"):
        method = getattr(value, name, None)
        if callable(method):
            found[name] = _called(method)
    for name in ("p", "q", "x", "y", "z", "a", "b", "c", "prop", "slow"):
        found[name] = described(getattr(value, name, "none"), 2)
    getattr(value, "__dict__", {}).pop("slow", None) if not isinstance(
        value, type
    ) else None  # what was computed once is its state
    inner = getattr(value, "Inner", None)
    if isinstance(inner, type):
        found["Inner"] = _called(inner().m)
    return found


def _called(function: Any) -> object:
    try:
        result = function()
    except Exception as error:  # noqa: BLE001 - what it raises is what it does
        return "raises", type(error).__name__, str(error).replace("cold.", "").replace("plugins.", "")
    if inspect.isgenerator(result):
        return "yields", [described(one, 2) for one in result]
    if inspect.iscoroutine(result):
        try:
            result.send(None)
        except StopIteration as stop:
            return "awaited", described(stop.value, 2)
    if isinstance(result, contextlib.AbstractContextManager) and not isinstance(result, enum.Enum):
        with result as inside:
            return "in context", described(inside, 2)
    return described(result, 3)


# ------------------------------------------------------------------ what somebody holds


@dataclass(slots=True)
class Held:
    """Something that was taken from the module.

    Attributes:
        path: What it is, for people.
        name: Under which name of the module it was.
        kind: Of which kind that was then.
        value: What is held.
        how: What it was taken as.
        state: For what was made of an instance: the instance.
        since: The number of the edit before which it was taken.
    """

    path: str
    name: str
    kind: str
    value: object
    how: str
    state: object
    since: int


def take(module: ModuleType, items: Mapping[str, Item], chance: random.Random, since: int) -> Held | None:
    """Take hold of something of the module's."""
    name = chance.choice(sorted(items))
    value: Any = vars(module).get(name)
    kind = items[name].kind
    if isinstance(value, type) and kind in ("class", "dataclass", "slotted", "exception"):
        how = chance.choice(["class", "instance", "method", "function of class"])
        if how == "class":
            return Held(name, name, kind, value, how, None, since)
        instance = value()
        if how == "instance":
            return Held(f"{name}()", name, kind, instance, how, instance, since)
        if hasattr(instance, "m"):
            if how == "method":
                return Held(f"{name}().m", name, kind, instance.m, how, instance, since)
            return Held(f"{name}.m", name, kind, vars(value).get("m", getattr(value, "m", None)), how, instance, since)
        return None
    if kind == "enumeration":
        return Held(f"{name}.A", name, kind, value.A, "member", None, since)
    if kind == "factory" and callable(value):
        return Held(f"{name}(7)", name, kind, value(7), "made", None, since)
    if kind in (
        "function",
        "decorated",
        "conditional",
        "generator",
        "coroutine",
        "context",
        "generic",
        "decorator",
        "made",
    ):
        return Held(name, name, kind, value, "function", None, since)
    return None


def wrong(held: Held, cold: ModuleType, module: ModuleType) -> str | None:
    """Return in which way something held does other than the source says; ``None`` where it does as it should."""
    fresh: Any = vars(cold).get(held.name)
    match held.how:
        case "member":
            return _compared(_called_of(held.value, "m"), _called_of(getattr(fresh, "A", None), "m"))
        case "class":
            if held.value is not vars(module).get(held.name):
                return "is another class"
            return _compared(described(held.value), described(fresh))
        case "function" if type(held.value) is type(fresh):
            return _compared(described(held.value), described(fresh))
        case "function":
            return _compared(_called(held.value), _called(fresh)) if callable(fresh) else None
        case "made":
            return _compared(_called(held.value), _called(_with_variables(fresh(7), held.value)))
        case _:
            return _instance_wrong(held, fresh, module)


def _instance_wrong(held: Held, fresh: Any, module: ModuleType) -> str | None:
    if not isinstance(held.state, vars(module)[held.name]):
        return "is no instance any more"
    like: Any = fresh()
    _give(like, held.state)
    if held.how == "instance":
        return _compared(done_by(held.value), done_by(like))
    if held.how == "method":
        return _compared(_called(held.value), _called(like.m))
    function: Any = held.value
    return _compared(_called(functools.partial(function, held.state)), _called(like.m))


def _is_deleted(held: Held, fresh: object) -> bool:
    """Whether the source has no such method any more."""
    return held.how in ("method", "function of class") and not hasattr(fresh, "m")


def _give(like: object, state: object) -> None:
    """Let an instance have the attributes that another one has, where it may have them."""
    given = dict(vars(state)) if hasattr(state, "__dict__") else {}
    given |= {name: getattr(state, name) for name in getattr(type(state), "__slots__", ()) if hasattr(state, name)}
    for name, value in given.items():
        with contextlib.suppress(AttributeError):
            object.__setattr__(like, name, value)


def _with_variables(made: object, held: object) -> object:
    """Return a closure with the variables that another one has: they are its own."""
    if isinstance(made, FunctionType) and isinstance(held, FunctionType):
        known = dict(zip(held.__code__.co_freevars, held.__closure__ or (), strict=True))
        for name, cell in zip(made.__code__.co_freevars, made.__closure__ or (), strict=True):
            if name in known:
                cell.cell_contents = known[name].cell_contents
    return made


def _called_of(value: object, name: str) -> object:
    method = getattr(value, name, None)
    return _called(method) if callable(method) else "none"


def _compared(one: object, other: object) -> str | None:
    return None if one == other else f"{_difference(one, other)}"


def _difference(one: object, other: object, path: str = "") -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            if one.get(key, "(absent)") != other.get(key, "(absent)"):
                return _difference(one.get(key, "(absent)"), other.get(key, "(absent)"), f"{path}[{key}]")
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            if first != second:
                return _difference(first, second, f"{path}[{index}]")
    return f"{path} is {one!r:.150}, expected {other!r:.150}"


# ------------------------------------------------------------------ the fuzzer


@dataclass(slots=True)
class Result:
    """What came of a run.

    Attributes:
        how: How often each kind of reload was made.
        fresh: Differences of the fresh view.
        checks: How many held references were looked at.
        held: Those that did something else than the source says.
        unnamed: Those of them that the report did not name.
    """

    how: Counter[str]
    fresh: list[str]
    checks: int
    held: list[str]
    unnamed: list[str]


class Fuzz:
    """One plugin, edited again and again.

    Args:
        folder: Where the plugin is; empty.
        seed: Decides everything.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._chance = random.Random(seed)  # noqa: S311 - not a secret
        self._seed = seed
        self._held: list[Held] = []
        self._lost: list[tuple[int, str]] = []  # with the number of the edit
        self.result = Result(Counter(), [], 0, [], [])

    def _write(self, source: Source) -> None:
        (self._folder / "x.py").write_text(source.text(), encoding="utf-8")
        (self._folder / "helper.py").write_text(source.helper_text(), encoding="utf-8")

    def run(self, edits: int) -> None:
        """Make so many edits."""
        source = first_source(self._chance)
        while True:
            self._write(source)
            with cold_import(self._folder) as cold:
                if cold is not None:
                    break
            source = first_source(self._chance)
        with Host(self._folder) as host:
            host["helper"].load()
            host["x"].load()
            module = sys.modules["plugins.x"]
            for number in range(edits):
                source = self._edit(host, module, source, number)

    def _edit(self, host: Host[object], module: ModuleType, source: Source, number: int) -> Source:
        chance, result = self._chance, self.result
        kinds = {item.name: item for item in source.items}
        for _ in range(chance.randrange(3)):
            taken = take(module, kinds, chance, number)
            if taken is not None and len(self._held) < 12:
                self._held.append(taken)
        after = edited(source, chance)
        self._write(after)
        report = host.reload("x")
        result.how[report.how] += 1
        with cold_import(self._folder) as cold:
            if cold is None:
                if report.how != "refused":
                    result.fresh.append(f"{self._seed}/{number}: {report}, but a cold import fails")
                self._write(source)
                with cold_import(self._folder) as before:
                    self._compare_view(module, before, number, report)
                return source
            if report.how == "refused":
                result.fresh.append(f"{self._seed}/{number}: {report}, but a cold import works")
                return source
            self._compare_view(module, cold, number, report)
            self._compare_held(module, cold, {item.name: item for item in after.items}, number, report)
        while self._held and chance.random() < 0.3:
            self._held.pop(chance.randrange(len(self._held)))
        return after

    def _compare_view(self, module: ModuleType, cold: ModuleType | None, number: int, report: ReloadReport) -> None:
        if cold is None:
            return
        found, expected = view(module), view(cold)
        if (
            report.how == "grafted"
        ):  # names stay where they were; that a cold import has another order is not to be seen
            found["in order"] = expected["in order"] = ""
        different = _compared(found, expected)
        if different is not None:
            self.result.fresh.append(f"{self._seed}/{number} ({report.how}): {different}")

    def _compare_held(
        self, module: ModuleType, cold: ModuleType, kinds: Mapping[str, Item], number: int, report: ReloadReport
    ) -> None:
        result = self.result
        self._lost += ((number, one) for one in report.lost)
        for held in [*self._held]:
            item = kinds.get(held.name)
            if item is None or item.kind != held.kind or _is_deleted(held, vars(cold)[held.name]):
                self._held.remove(held)
                continue
            result.checks += 1
            found = wrong(held, cold, module)
            if found is not None:
                self._held.remove(held)
                told = f"{self._seed}/{number} ({report.how}, held since {held.since}): {held.path} as a {held.how}: {found}; lost: {report.lost}"
                result.held.append(told)
                # What is left behind may go on doing as the source says, until an edit of it.
                if not any(held.name in one for since, one in self._lost if since >= held.since):
                    result.unnamed.append(told)


@contextlib.contextmanager
def cold_import(folder: Path) -> Iterator[ModuleType | None]:
    """Import the files afresh, as a program that is started now would; ``None`` where that fails."""
    package = ModuleType("cold")
    package.__path__ = [str(folder)]
    sys.modules["cold"] = package
    importlib.invalidate_caches()
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        try:
            yield importlib.import_module("cold.x")
        except (TypeError, AttributeError, ValueError, NameError, ImportError, RecursionError):
            yield None
    finally:
        sys.dont_write_bytecode = before
        for name in ("cold", "cold.x", "cold.helper"):
            sys.modules.pop(name, None)


def fuzz(folder: Path, edits: int, seed: int, *, each: int = 100) -> Result:
    """Make so many edits, of a new plugin after every ``each``."""
    total = Result(Counter(), [], 0, [], [])
    for begin in range(0, edits, each):
        place = folder / str(begin) / "plugins"
        place.mkdir(parents=True)
        one = Fuzz(place, seed * 100_000 + begin // each)
        one.run(min(each, edits - begin))
        total.how += one.result.how
        total.fresh += one.result.fresh
        total.checks += one.result.checks
        total.held += one.result.held
        total.unnamed += one.result.unnamed
        gc.collect()
    return total


def main() -> None:
    """Run it, and say what came of it."""
    edits = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["PLUGLINE_CACHE"] = str(Path(temporary) / "cache")
        result = fuzz(Path(temporary), edits, seed)
    print(f"{edits:,} edits, seed {seed}, {time.perf_counter() - start:.0f} s; {dict(result.how)}")
    print(f"fresh view: {len(result.fresh)} differences")
    share = len(result.held) / max(1, result.checks)
    print(
        f"held references: {len(result.held)} of {result.checks:,} wrong ({share:.2%}), {len(result.unnamed)} of them not named"
    )
    for one in [*result.fresh[:20], *result.held[:20]]:
        print(one)
    sys.exit(bool(result.fresh or result.unnamed or share > 0.001))


if __name__ == "__main__":
    main()
