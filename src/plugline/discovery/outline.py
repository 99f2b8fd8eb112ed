"""Compiled code to an outline of its source: as much as a listing needs, without a syntax tree.

A syntax tree of Python objects costs more than twice what compiling costs, and code has to be compiled anyway to be run.
So a file is compiled once, and what a listing asks (name, version, summary, does it fit the interface) is read from
the code object where that is plain. Whatever is not plain is left out of the outline, and the one who asks reads the
syntax tree instead (:mod:`plugline.discovery.source`), from which alone findings are made.

Invariants:
    1. What an outline says, the syntax tree says too; an outline may only say less.
    2. An outline proves that a plugin fits, never that it does not.

An outline is made of tuples, strings and numbers only, so that it can be marshalled.
"""

import sys
from itertools import compress

from plugline.findings import first_line
from plugline.names import is_public
from plugline.typed import TYPE_CHECKING, CodeType, Sequence

if TYPE_CHECKING:
    # A file that was edited is looked into for names of functions, and needs nothing of these.
    from plugline.contract.interface import Interface, Member
    from plugline.contract.shape import Shape
    from plugline.discovery.known import ClassOutline, FunctionOutline, Outline, Parameters, Said

# What is known of the instructions of later versions is nothing: there, syntax trees are read, which is slower.
_UNDERSTOOD = sys.implementation.name == "cpython" and (3, 11) <= sys.version_info[:2] <= (3, 13)

# Under -OO there are no docstrings, which are a part of what a listing says.
_HAS_DOCSTRINGS = sys.flags.optimize < 2

_VARARGS, _VARKEYWORDS = 0x04, 0x08  # inspect.CO_VARARGS and CO_VARKEYWORDS
_ASYNC = 0x080 | 0x200  # inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_DEFAULTS, _KEYWORD_DEFAULTS = 0x01, 0x02  # flags of MAKE_FUNCTION, and of SET_FUNCTION_ATTRIBUTE since 3.13

# The instructions that outlines are read from, in CPython 3.11, 3.12 and 3.13; None where there is none of that name. A test holds
# them against those of the module opcode, which takes half a millisecond to import: a tenth of what listing a thousand plugins
# takes after one of them was edited.
_NUMBERS: dict[str, tuple[int | None, ...]] = {
    "BUILD_TUPLE": (102, 102, 52),
    "CACHE": (0, 0, 0),
    "CALL": (171, 171, 53),
    "CALL_FUNCTION_EX": (142, 142, 54),
    "CALL_KW": (None, None, 57),
    "DELETE_NAME": (91, 91, 67),
    "EXTENDED_ARG": (144, 144, 71),
    "LOAD_ATTR": (106, 106, 82),
    "LOAD_BUILD_CLASS": (71, 71, 24),
    "LOAD_CONST": (100, 100, 83),
    "LOAD_NAME": (101, 101, 92),
    "MAKE_FUNCTION": (132, 132, 26),
    "NOP": (9, 9, 30),
    "POP_TOP": (1, 1, 32),
    "PUSH_NULL": (2, 2, 34),
    "RESUME": (151, 151, 149),
    "RETURN_CONST": (None, 121, 103),
    "SETUP_ANNOTATIONS": (85, 85, 37),
    "SET_FUNCTION_ATTRIBUTE": (None, None, 106),
    "STORE_ATTR": (95, 95, 108),
    "STORE_NAME": (90, 90, 114),
    "STORE_SUBSCR": (60, 60, 39),
}


def _operations() -> dict[str, int]:
    if sys.implementation.name != "cpython" or not (3, 11) <= sys.version_info[:2] <= (3, 13):
        from opcode import opmap  # for a Python that is none of these

        return {name: opmap[name] for name in _NUMBERS if name in opmap}
    at = sys.version_info[1] - 11
    return {name: number for name, numbers in _NUMBERS.items() if (number := numbers[at]) is not None}


OPERATIONS = _operations()

_CACHE = OPERATIONS.get("CACHE", 0)
_EXTENDED_ARG = OPERATIONS["EXTENDED_ARG"]
_STORE_NAME = OPERATIONS["STORE_NAME"]
_DELETE_NAME = OPERATIONS["DELETE_NAME"]
_LOAD_CONST = OPERATIONS["LOAD_CONST"]
_LOAD_NAME = OPERATIONS["LOAD_NAME"]
_MAKE_FUNCTION = OPERATIONS["MAKE_FUNCTION"]
_SET_FUNCTION_ATTRIBUTE = OPERATIONS.get("SET_FUNCTION_ATTRIBUTE", -1)
_BUILD_TUPLE = OPERATIONS["BUILD_TUPLE"]
_LOAD_BUILD_CLASS = OPERATIONS["LOAD_BUILD_CLASS"]
_PUSH_NULL = OPERATIONS.get("PUSH_NULL", -1)
_RETURN_CONST = OPERATIONS.get("RETURN_CONST", -1)
_RESUME = OPERATIONS.get("RESUME", -1)


def _codes(*names: str) -> frozenset[int]:
    return frozenset(OPERATIONS[name] for name in names if name in OPERATIONS)


_NOT_PLAIN_BEFORE = frozenset((_CACHE, _EXTENDED_ARG))
_IS_STORE = bytes(operation == _STORE_NAME for operation in range(256))
_CALLS = _codes("CALL", "CALL_KW", "CALL_FUNCTION_EX")
_FUNCTION_ENDS = _codes("MAKE_FUNCTION", "SET_FUNCTION_ATTRIBUTE")
_PLAIN_VALUES = _CALLS | _codes("LOAD_NAME", "LOAD_ATTR")
# What may stand before a statement. A constant after anything else may be one side of "a if b else c".
_STATEMENT_ENDS = _codes(
    "RESUME", "STORE_NAME", "STORE_SUBSCR", "STORE_ATTR", "SETUP_ANNOTATIONS", "NOP", "DELETE_NAME"
)
_POP_TOP = OPERATIONS["POP_TOP"]
# From 3.12 on "a and b" has a POP_TOP in its middle, after a jump. Those that end a statement end an import, or a call.
_BEFORE_AN_END = _codes("STORE_NAME") | _CALLS

_SAID = ("PLUGIN_NAME", "VERSION", "__version__", "REQUIRED_API_VERSION")
_LEFT_TO_THE_TREE = frozenset(("REQUIRES", "AFTER", "PRIORITY"))  # few say anything of other plugins

NOTHING: "Outline" = (None, (), ())


def outline_of(code: CodeType, interfaces: "Sequence[Interface]" = ()) -> "Outline":
    """Return what the code of a module shows plainly.

    Args:
        interfaces: Where its functions provide one of these, nothing is said of anything else.
    """
    if not _UNDERSTOOD:
        return NOTHING
    body = _Body(code)
    stores = body.stores()
    said = _said(body, stores)
    for interface in interfaces:
        asked = {one.name: stores[one.name] for one in interface.members if one.name in stores}
        functions = tuple(_functions(body, asked, method=False))
        if interface.base is None and interface.members and _has_all(functions, interface.members):
            return said, functions, ()
    return said, tuple(_functions(body, stores, method=False)), tuple(_classes(body))


_Stores = dict[str, int | None]
"""The index of the instruction that binds a name; ``None`` for a name that is bound more than once."""


class _Body:
    """The instructions of one code object: operations and their arguments, one byte each."""

    __slots__ = ("arguments", "code", "constants", "operations")

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.constants = code.co_consts
        content = code.co_code
        self.operations = content[::2]
        self.arguments = content[1::2]

    def stores(self) -> _Stores:
        """Return where each name is bound by a plain store."""
        operations, names = self.operations, self.code.co_names
        chosen = operations.translate(_IS_STORE)
        places = list(compress(range(len(chosen)), chosen))
        if _EXTENDED_ARG in operations:
            bound = [names[self.argument(at)[0]] for at in places]
        else:
            bound = [names[argument] for argument in compress(self.arguments, chosen)]
        found: _Stores = dict(zip(bound, places, strict=True))
        if len(found) < len(bound):
            found.update((name, None) for name in found if bound.count(name) > 1)
        at = operations.find(_DELETE_NAME)
        while at >= 0:
            found[names[self.argument(at)[0]]] = None
            at = operations.find(_DELETE_NAME, at + 1)
        return found

    def argument(self, at: int) -> tuple[int, int]:
        """Return the argument of an instruction, and the index of the instruction before it."""
        argument = self.arguments[at]
        before = at - 1
        shift = 8
        while before >= 0 and self.operations[before] == _EXTENDED_ARG:
            argument |= self.arguments[before] << shift
            shift += 8
            before -= 1
        while before > 0 and self.operations[before] == _CACHE:
            before -= 1
        return argument, before

    def operation(self, at: int) -> int:
        return self.operations[at] if at >= 0 else -1

    def constant(self, at: int) -> object:
        """Return what is loaded there, ``...`` where no constant is."""
        if at < 0 or self.operations[at] != _LOAD_CONST:
            return ...
        is_short = self.operations[at - 1] != _EXTENDED_ARG
        return self.constants[self.arguments[at] if is_short else self.argument(at)[0]]

    def literal(self, store: int) -> object:
        """Return the constant that a statement binds, ``...`` where it may be anything else."""
        if self.operations[store - 1] == _LOAD_CONST and self.operations[store - 2] in _STATEMENT_ENDS:
            return self.constants[self.arguments[store - 1]]  # most of them
        at = self.argument(store)[1]
        if self.operation(at) != _LOAD_CONST:
            return ...
        argument, before = self.argument(at)
        ends = self.operation(before) in _STATEMENT_ENDS or (
            self.operation(before) == _POP_TOP and self.operation(self.argument(before)[1]) in _BEFORE_AN_END
        )
        return self.constants[argument] if ends else ...

    def function(self, at: int) -> tuple[CodeType, int, int] | None:
        """Return the code of the function that is made there, its flags, and the index before its code is loaded."""
        if self.operations[at] == _MAKE_FUNCTION and not self.arguments[at] and self.operations[at - 1] == _LOAD_CONST:
            code = self.constant(at - 1)  # most of them: without defaults and annotations
            return (code, 0, -1) if isinstance(code, CodeType) else None
        flags = 0
        while self.operation(at) == _SET_FUNCTION_ATTRIBUTE:
            argument, at = self.argument(at)
            flags |= argument
        if self.operation(at) != _MAKE_FUNCTION:
            return None
        argument, at = self.argument(at)
        code = self.constant(at)
        if not isinstance(code, CodeType):
            return None
        return code, flags if _SET_FUNCTION_ATTRIBUTE >= 0 else argument, self.argument(at)[1]

    def after(self, at: int) -> int:
        """Return the index of the next instruction that is not an ``EXTENDED_ARG`` or a cache."""
        at += 1
        while self.operations[at] in (_EXTENDED_ARG, _CACHE):
            at += 1
        return at


def _said(body: _Body, stores: _Stores) -> "Said | None":
    values: list[str | None] = []
    names = body.code.co_names
    if not _LEFT_TO_THE_TREE.isdisjoint(names):
        return None
    for name in _SAID:
        store = stores.get(name)
        if store is None and name not in names:
            values.append(None)
            continue
        value = body.literal(store) if store is not None else ...
        if not isinstance(value, str) or not value.isprintable():
            return None  # also where it is bound in a branch that was compiled away
        values.append(value)
    summary = _summary(body, stores)
    return (summary, *values) if summary is not None else None  # type: ignore[return-value]


def _summary(body: _Body, stores: _Stores) -> str | None:
    if not _HAS_DOCSTRINGS:
        return None
    text = ""
    document = stores.get("__doc__")
    if document is None and "__doc__" in stores:
        return None  # set once more
    if document is not None and document <= 4:  # it stands first
        value = body.constant(document - 1)
        text = value if isinstance(value, str) else ""
    if text:
        return first_line(text)
    if any("describe" in one.co_names for one in body.constants if isinstance(one, CodeType)):
        return None  # a class may have one
    if "describe" in body.code.co_names:
        store = stores.get("describe")
        function = body.function(body.argument(store)[1]) if store is not None else None
        if function is None:
            return None
        returned = _returned(function[0])
        if returned is None:
            return None
        text = returned
    return first_line(text)


def _returned(code: CodeType) -> str | None:
    """Return the text that a function returns that does nothing else; ``None`` for any other function."""
    body = _Body(code)
    if len(body.operations) == 3 and body.operations[0] == _RESUME:
        value = body.constant(1)
    elif len(body.operations) == 2 and body.operations[1] == _RETURN_CONST:
        value = code.co_consts[body.arguments[1]]
    else:
        return None
    return value if isinstance(value, str) else "" if value is None else None


def _functions(body: _Body, stores: _Stores, *, method: bool) -> "Sequence[FunctionOutline]":
    found: list[FunctionOutline] = []
    unclear = _generic(body)
    # A static function at the top is called like any other, but the syntax tree sees its parameters.
    names = body.code.co_names
    calls_say_nothing = "staticmethod" in names or "classmethod" in names
    operations = body.operations
    for name, store in stores.items():
        if store is None or name in unclear:
            if method:
                found.append((name, None, True))  # whatever it is, it is there
            continue
        is_plain = operations[store - 1] not in _NOT_PLAIN_BEFORE
        before = store - 1 if is_plain else body.argument(store)[1]
        operation = operations[before]
        if operation == _LOAD_CONST:
            found.append((name, None, True))
        elif operation in _FUNCTION_ENDS:
            made = body.function(before)
            if made is not None:
                found.append((name, _parameters(body, *made, method=method), False))
            elif method:
                found.append((name, None, True))
        elif method:
            found.append((name, None, True))
        elif operation in _PLAIN_VALUES and not calls_say_nothing:
            found.append((name, None, False))
    return found


def _generic(body: _Body) -> Sequence[str]:
    """Return the names of functions with type parameters (PEP 695), which look like the result of a call."""
    return [
        one.co_name.removeprefix("<generic parameters of ").removesuffix(">")
        for one in body.constants
        if one.__class__ is CodeType and one.co_name[:8] == "<generic"
    ]


def _parameters(body: _Body, code: CodeType, flags: int, before: int, *, method: bool) -> "Parameters":
    names = code.co_varnames
    positional = names[: code.co_argcount]
    keywords = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    required = len(positional)
    if flags & _DEFAULTS:
        # How many there are is plain where nothing stands between them and the function; else there is at least one.
        required -= _count_of(body, before) if flags == _DEFAULTS else 1
    if method:
        positional, required = positional[1:], max(required - 1, 0)
    # Which of the keywords have a default is not looked at: at worst none has.
    return (
        positional,
        required,
        keywords,
        keywords,
        bool(code.co_flags & _VARARGS),
        bool(code.co_flags & _VARKEYWORDS),
        bool(code.co_flags & _ASYNC),
    )


def _count_of(body: _Body, at: int) -> int:
    constant = body.constant(at)
    if isinstance(constant, tuple):
        return len(constant)
    return body.argument(at)[0] if body.operation(at) == _BUILD_TUPLE else 1


def _classes(body: _Body) -> "Sequence[ClassOutline]":
    found: list[ClassOutline] = []
    if "__all__" in body.code.co_names or _generic(body):
        return ()  # which of them are public, or classes at all, is the syntax tree's to say
    at = body.operations.find(_LOAD_BUILD_CLASS)
    while at >= 0:
        read = _class(body, at)
        if read is None:
            return ()
        found.append(read)
        at = body.operations.find(_LOAD_BUILD_CLASS, at + 1)
    return found


def _class(body: _Body, at: int) -> "ClassOutline | None":
    at = body.after(at)
    if body.operation(at) == _PUSH_NULL:
        at = body.after(at)
    code = body.constant(at)
    at = body.after(at)
    if not isinstance(code, CodeType) or body.operation(at) != _MAKE_FUNCTION:
        return None
    at = body.after(at)
    name = body.constant(at)
    at = body.after(at)
    end = body.operations.find(_STORE_NAME, at)
    if not isinstance(name, str) or end < 0:
        return None
    inner = _Body(code)
    members = _functions(inner, inner.stores(), method=True)
    names = body.code.co_names
    bases = tuple(names[body.argument(one)[0]] for one in range(at, end) if body.operation(one) == _LOAD_NAME)
    return name, tuple(one for one in members if one[0] not in ("__module__", "__qualname__")), bases


def outline_fits(outline: "Outline", interfaces: "Sequence[Interface]") -> bool:
    """Whether an outline proves that a dropped file is one plugin for ``interfaces``, as far as source can show it."""
    # Of a thousand plugins most define the same functions with the same parameters.
    key = (outline[1:], id(interfaces))
    known = _answers.get(key)
    if known is None or known[0] is not interfaces:
        if len(_answers) >= _MOST_ANSWERS:
            _answers.clear()
        # Which classes derive from which is the syntax tree's to say.
        by_base = any(interface.base is not None for interface in interfaces)
        known = _answers[key] = (interfaces, not by_base and _is_one(outline, interfaces))
    return known[1]


_answers: "dict[object, tuple[Sequence[Interface], bool]]" = {}
_MOST_ANSWERS = 512


def _is_one(outline: "Outline", interfaces: "Sequence[Interface]") -> bool:
    _, functions, classes = outline
    asked = [interface.members for interface in interfaces]
    if any(_has_all(functions, members) for members in asked if not any(one.is_for_classes for one in members)):
        return True
    fitting = any(_has_all(one[1], members) for one in classes if _counts(one) for members in asked)
    if not fitting:
        return False
    needed: list[set[str]] = []
    for members in asked:
        functions_only = {one.name for one in members if one.is_function}
        # Attributes may be set by __init__.
        needed += [functions_only] if functions_only else [{one.name} for one in members]
    return not _may_be_several(classes, needed)


def _may_be_several(classes: "Sequence[ClassOutline]", asked: Sequence[set[str]]) -> bool:
    """Whether more than one class may have all names of one of these, from its own body or from others of the file."""
    names: dict[str, set[str]] = {}
    for name, members, bases in classes:  # each derives from such as stand before it
        have = names.setdefault(name, set())
        have.update(one[0] for one in members)
        have.update(*(names.get(base, ()) for base in bases))
    fitting = (name for name, have in names.items() if is_public(name) and any(map(have.issuperset, asked)))
    return len(tuple(fitting)) > 1


def _has_all(functions: "Sequence[FunctionOutline]", members: "Sequence[Member]") -> bool:
    by_name = {name: (parameters, literal) for name, parameters, literal in functions}
    for member in members:
        found = by_name.get(member.name)
        if found is None:
            return False
        parameters, literal = found
        if literal and member.is_function:
            return False
        if parameters is not None and member.shape is not None and not _takes(parameters, member.shape):
            return False
    return True


def _takes(parameters: "Parameters", asked: "Shape") -> bool:
    # For interfaces that say how they call; a list of names does not.
    from plugline.contract.shape import Shape as Given
    from plugline.contract.shape import shape_problems

    return not shape_problems(asked, Given(*parameters))


def has_functions(outline: "Outline", names: Sequence[str]) -> bool:
    """Whether an outline proves that a dropped file has functions of these names, be it in the only one of its classes."""
    _, functions, classes = outline
    if _plain(functions).issuperset(names):
        return True
    fitting = any(_plain(one[1]).issuperset(names) for one in classes if _counts(one))
    return fitting and not _may_be_several(classes, [set(names)])


def _counts(one: "ClassOutline") -> bool:
    return is_public(one[0]) and "Protocol" not in one[2]


def _plain(functions: "Sequence[FunctionOutline]") -> set[str]:
    return {name for name, _, literal in functions if not literal}


BLOCK = b"# /// script"


def may_have_block(content: bytes) -> bool:
    """Whether a source may have a PEP 723 block, a comment, of which its code shows nothing."""
    # For one character a source is looked through in a fortieth of the time.
    return b"/" in content and BLOCK in content
