"""The compiled code of a module to what it imports, where running it does nothing but import, define and assign.

What a load looks out for (builtins that are replaced, handlers that are registered, functions of the module that run) cannot come
of such a module, so nothing needs to be watched while it runs. That is decided once, when it is first to be run, by going through
its instructions with a stack that holds what sort of value each one leaves. A module is inert when they are a straight line, and
nothing in it runs code of anybody: of calls only class statements, ``property`` and its kind, and making an instance of a class of
its own that has no say in that. Anything else, and any instruction that is not known here, makes it a module like any other.
"""

from opcode import opmap

from plugline.names import OF_EACH_MODULE
from plugline.typed import Callable, CodeType, Sequence, cast

Needs = tuple[tuple[str, tuple[str, ...]], ...]
"""The modules that are imported, by absolute names, each with the names that are taken from it."""

_CONSTANT, _FUNCTION, _CLASS, _BARE, _INSTANCE = "constant", "function", "class", "bare class", "instance"
_MODULE, _FOREIGN, _FRESH, _TYPE, _WRAPPER = "module", "foreign", "fresh container", "builtin type", "wrapper"
_NULL, _BUILDER, _CELL, _NOTES = "null", "class builder", "cell", "annotations"

_Item = tuple[str, object]
_Names = dict[str, str]

_TYPES = frozenset(
    [
        "bool",
        "bytearray",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "object",
        "set",
        "str",
        "tuple",
        "type",
        "ArithmeticError",
        "AttributeError",
        "Exception",
        "ImportError",
        "IndexError",
        "KeyError",
        "LookupError",
        "NotImplementedError",
        "OSError",
        "RuntimeError",
        "TypeError",
        "ValueError",
    ]
)
_BUILTINS = {
    **dict.fromkeys(_TYPES, _TYPE),
    **dict.fromkeys(("classmethod", "property", "staticmethod"), _WRAPPER),
    **dict.fromkeys(("__name__", "__doc__", "__file__", "__package__"), _CONSTANT),
    "__annotations__": _NOTES,
}
_OF_CLASSES = frozenset(
    [
        "__module__",
        "__qualname__",
        "__doc__",
        "__classcell__",
        "__static_attributes__",
        "__firstlineno__",
        "__annotations__",
    ]
)
_RESERVED = OF_EACH_MODULE | {"__annotations__"}
_HASHABLE = frozenset((_CONSTANT, _FUNCTION, _BARE, _CLASS, _INSTANCE, _TYPE))
_KEPT = frozenset((_CONSTANT, _FUNCTION, _CLASS, _BARE, _FRESH, _MODULE, _TYPE, _CELL))  # without a __set_name__
_SILENT = ("RESUME", "CACHE", "NOP", "MAKE_CELL", "COPY_FREE_VARS", "PRECALL", "SETUP_ANNOTATIONS")


class _Unknown(Exception):
    """It may do anything."""


def inert_needs(code: CodeType) -> Needs | None:
    """Return what an inert module imports; ``None`` for any other module."""
    needs: list[tuple[str, tuple[str, ...]]] = []
    try:
        _Walk(code, {}, needs, None).run()
    except (_Unknown, IndexError):
        return None
    return tuple(needs)


class _Walk:
    """One body, of the module or of a class in it."""

    def __init__(
        self, code: CodeType, names: _Names, needs: list[tuple[str, tuple[str, ...]]], outer: _Names | None
    ) -> None:
        self._code = code
        self._names = names
        self._needs = needs
        self._outer = outer
        self._stack: list[_Item] = []

    def run(self) -> None:
        high = 0
        instructions, constants, stack = self._code.co_code, self._code.co_consts, self._stack
        for number, argument in zip(instructions[::2], instructions[1::2], strict=True):
            if number == _LOAD_CONST:  # every third is one
                stack.append((_CONSTANT, constants[high | argument]))
                high = 0
                continue
            step = _TABLE[number]
            if step is not None:
                step(self, high | argument)
                high = 0
            elif number == _EXTENDED:
                high = (high | argument) << 8
            elif number not in _PASSED:
                raise _Unknown

    def pop(self, count: int) -> list[_Item]:
        first = len(self._stack) - count
        if first < 0:
            raise _Unknown
        taken = self._stack[first:]
        del self._stack[first:]
        return taken

    def push(self, kind: str, value: object = None) -> None:
        self._stack.append((kind, value))

    # ------------------------------------------------------------------ instructions

    def load_name(self, argument: int) -> None:
        name = self._code.co_names[argument]
        known = self._names.get(name)
        if known is None and self._outer is not None:
            known = self._outer.get(name)
        self._stack.append((known or _BUILTINS.get(name, _FOREIGN), None))

    def store_name(self, argument: int) -> None:
        kind = self._stack.pop()[0]
        name = self._code.co_names[argument]
        if self._outer is not None and kind not in _KEPT:
            raise _Unknown
        # Of names with two underscores before them a module may have those of modules, a class those of classes.
        if name[:2] == "__" and (
            name in _RESERVED or (self._outer is None and name in _OF_CLASSES and name != "__doc__")
        ):
            raise _Unknown
        self._names[name] = kind

    def import_name(self, argument: int) -> None:
        (_, level), (_, taken) = self.pop(2)
        if level != 0 or (taken is not None and "*" in cast("tuple[str, ...]", taken)):
            raise _Unknown
        self._needs.append((self._code.co_names[argument], cast("tuple[str, ...]", taken or ())))
        self.push(_MODULE, taken)

    def import_from(self, argument: int) -> None:
        if not self._stack[-1][1]:
            raise _Unknown  # import a.b as c
        self.push(_FOREIGN)

    def make_function(self, argument: int) -> None:
        ((_, code),) = self.pop(1)
        if not isinstance(code, CodeType):
            raise _Unknown
        self.pop(argument.bit_count())
        self.push(_FUNCTION, code)

    def set_attribute(self, argument: int) -> None:
        _, function = self.pop(2)
        self._stack.append(function)

    def collect(self, argument: int) -> None:
        self.pop(argument)
        self.push(_FRESH)

    def collect_tuple(self, argument: int) -> None:
        kinds = {kind for kind, _ in self.pop(argument)}
        self.push(_CONSTANT if kinds <= {_CONSTANT, _TYPE} else _FRESH)

    def collect_set(self, argument: int) -> None:
        self._hashable(self.pop(argument))
        self.push(_FRESH)

    def collect_map(self, argument: int) -> None:
        self._hashable(self.pop(2 * argument)[::2])
        self.push(_FRESH)

    def collect_keyed(self, argument: int) -> None:
        self.pop(argument + 1)
        self.push(_FRESH)

    @staticmethod
    def _hashable(items: Sequence[_Item]) -> None:
        if any(kind not in _HASHABLE for kind, _ in items):
            raise _Unknown

    def extend(self, argument: int) -> None:
        ((kind, _),) = self.pop(1)
        if kind != _CONSTANT or argument != 1:
            raise _Unknown

    def subscript(self, argument: int) -> None:
        (kind, _), _ = self.pop(2)
        if kind != _TYPE:
            raise _Unknown  # a builtin type takes what is given, and asks it nothing
        self.push(_TYPE)

    def operate(self, argument: int) -> None:
        kinds = {kind for kind, _ in self.pop(2)}
        if kinds == {_CONSTANT} or not kinds <= {_TYPE, _CONSTANT}:
            raise _Unknown  # of constants of unknown size: it might raise, or take long
        self.push(_TYPE)

    def annotate(self, argument: int) -> None:
        (_, _), (notes, _), (key, _) = self.pop(3)
        if notes != _NOTES or key != _CONSTANT:
            raise _Unknown

    def call(self, argument: int) -> None:
        arguments = self.pop(argument)
        first, second = self.pop(2)
        # The empty slot is before what is called up to 3.12, and behind it since; a decorator's has its argument in it.
        called = second if first[0] == _NULL else first
        if _NULL not in (first[0], second[0]):
            arguments.insert(0, second)
        match called[0]:
            case "class builder":
                self._build(arguments)
            case "wrapper" if [kind for kind, _ in arguments] == [_FUNCTION]:
                self.push(_FUNCTION)
            case "bare class" if not arguments:
                self.push(_INSTANCE)
            case _:
                raise _Unknown

    def _build(self, arguments: Sequence[_Item]) -> None:
        (_, code), _, *bases = arguments
        kinds = {kind for kind, _ in bases}
        if not isinstance(code, CodeType) or not kinds <= {_TYPE, _BARE}:
            raise _Unknown
        names: _Names = {}
        # A class in a class sees what is in the module, and not what is around it.
        outer = self._outer if self._outer is not None else self._names
        _Walk(code, names, self._needs, outer).run()
        special = any(name.startswith("__") and name not in _OF_CLASSES for name in names)
        self.push(_CLASS if special or _TYPE in kinds else _BARE)

    def pop_top(self, argument: int) -> None:
        self.pop(1)

    def nothing(self, argument: int) -> None:
        self.push(_NULL)

    def builder(self, argument: int) -> None:
        self.push(_BUILDER)

    def cell(self, argument: int) -> None:
        self.push(_CELL)

    def copy(self, argument: int) -> None:
        self._stack.append(self._stack[-argument])

    def done(self, argument: int) -> None:
        """Let the straight line end."""


_STEPS = {
    "LOAD_NAME": _Walk.load_name,
    "STORE_NAME": _Walk.store_name,
    "IMPORT_NAME": _Walk.import_name,
    "IMPORT_FROM": _Walk.import_from,
    "MAKE_FUNCTION": _Walk.make_function,
    "SET_FUNCTION_ATTRIBUTE": _Walk.set_attribute,
    "BUILD_TUPLE": _Walk.collect_tuple,
    "BUILD_LIST": _Walk.collect,
    "BUILD_SET": _Walk.collect_set,
    "BUILD_MAP": _Walk.collect_map,
    "BUILD_CONST_KEY_MAP": _Walk.collect_keyed,
    "LIST_EXTEND": _Walk.extend,
    "SET_UPDATE": _Walk.extend,
    "BINARY_SUBSCR": _Walk.subscript,
    "BINARY_OP": _Walk.operate,
    "STORE_SUBSCR": _Walk.annotate,
    "CALL": _Walk.call,
    "POP_TOP": _Walk.pop_top,
    "PUSH_NULL": _Walk.nothing,
    "LOAD_BUILD_CLASS": _Walk.builder,
    "LOAD_CLOSURE": _Walk.cell,
    "LOAD_FAST": _Walk.cell,  # since 3.13 what LOAD_CLOSURE was, in bodies of classes
    "COPY": _Walk.copy,
    "RETURN_VALUE": _Walk.done,
    "RETURN_CONST": _Walk.done,
}

_TABLE: list[Callable[[_Walk, int], None] | None] = [None] * 256
for _name, _step in _STEPS.items():
    if opmap.get(_name, 256) < 256:  # those beyond are the compiler's own
        _TABLE[opmap[_name]] = _step
_PASSED = frozenset(opmap[name] for name in _SILENT if name in opmap)
_EXTENDED, _LOAD_CONST = opmap["EXTENDED_ARG"], opmap["LOAD_CONST"]
