"""A module that is being run to what running it did: which functions it called, and what it left in the process.

A reload needs both. A function that ran during the load may have made what the module holds now, so an edit of it is
more than an edit of its body. What was left in the process (signal handlers, functions to call at exit, handlers of
loggers) has an owner, and goes when that owner does.

Of a module that only imports, and defines functions and constants, there is nothing to record, and its instructions show
that it is one. For the others it costs little: on CPython 3.11 the profiler that is written in C looks on, which slows
the import of large libraries by a fifth; from 3.12 on each function of the plugin itself tells once.
"""

import marshal
import sys
from _thread import get_ident
from _weakref import getweakrefcount, ref
from sys import getrefcount as _counted
from time import time

from plugline.loading.collisions import COLLISIONS
from plugline.typed import (
    TYPE_CHECKING,
    Callable,
    CodeType,
    FunctionType,
    Iterable,
    Iterator,
    Mapping,
    ModuleType,
    cast,
)

if TYPE_CHECKING:
    from plugline.loading.effects import Effects, Mentions

# Whoever counts references knows how many are his own, those of his variables and of the call among them. From Python 3.14
# on some of these are borrowed and not counted, which differs from place to place. So some are added there: that nobody else
# holds an object is concluded less often, which costs time, and never where somebody does.
_MOST_BORROWED = 4  # by the call, a parameter, that of whoever calls, and this function's

if sys.version_info >= (3, 14):

    def getrefcount(value: object, /) -> int:
        """Return at least as many as :func:`sys.getrefcount` of Python 3.13 would where it is called."""
        return _counted(value) + _MOST_BORROWED

else:
    getrefcount = _counted


_OPTIMIZED = 0x01 | 0x02  # inspect.CO_OPTIMIZED | inspect.CO_NEWLOCALS: a function, and no module or class body


def _plain_instructions() -> bytes:
    """Return the instructions of a module that calls nothing, imports apart: those of a sample of one.

    The module ``opcode`` names them too, and costs as much to import as loading ten plugins.
    """
    sample = "import a.b as c, d\nfrom . import e\nX = 1\nT = (X, 2)\nM = {}\nL = [X]\nD = {'a': X, 'b': 2}\n"
    sample += "def f(a=X, *, b=X) -> X:\n    'Return.'\n"
    return compile(sample, "", "exec", dont_inherit=True).co_code[::2]


_plain: list[bytes] = []


_NOTHING_HELD: frozenset[int] = frozenset()
_NOBODY: "Mapping[str, ref[object]]" = {}  # one for all: it is replaced, and never added to
_NO_CACHED: "Mapping[str, tuple[ref[object], ...]]" = {}  # likewise


class Trace:
    """What running one module did.

    Attributes:
        name: The module's full name.
        path: Its file as tracebacks name it.
        began: When it began to run, in seconds since 1970.
        effects: What it left in the process; ``None`` where nothing.
        held: The ``id`` of each function, class and object of a class of its own that somebody else held when the load ended: it was
            registered.
        defined: The names that it had when the load ended.
        state: Of each of its variables, and those of its classes as ``Class.name``, what tells later whether it was changed.
        departed: Functions and classes that older versions had and this one has not, by name, for as long as somebody
            holds them: a later version may have them again.
        elsewhere: Functions with code of its own that its names do not lead to, as far as a reload has met them.
        dismissed: Classes that gave their definitions to older ones and that nobody but the collector has to do with.
        cached: Cached functions of older versions that somebody may hold, by name: who has them calls what has that name.
        words: The names in its code, once a reload has asked for them.
        mentions: What its source speaks of, once somebody has asked for that.
    """

    __slots__ = (
        "__weakref__",
        "began",
        "cached",
        "code",
        "content",
        "defined",
        "departed",
        "dismissed",
        "effects",
        "elsewhere",
        "held",
        "mentions",
        "name",
        "path",
        "state",
        "words",
    )

    def __init__(self, name: str, path: str, content: bytes, code: CodeType) -> None:
        self.name = name
        self.path = path
        self.content = content
        self.code = code
        self.began = time()
        self.effects: Effects | None = None
        self.held = _NOTHING_HELD
        self.defined: tuple[str, ...] = ()  # and no set, which takes ten times as much memory
        self.state: dict[str, tuple[int, int]] = {}
        self.departed = _NOBODY
        self.elsewhere: tuple[ref[FunctionType], ...] = ()
        self.dismissed: tuple[ref[type], ...] = ()
        self.cached = _NO_CACHED
        self.words: frozenset[str] | None = None
        self.mentions: Mentions | None = None

    def __del__(self) -> None:
        forget_functions(functions_in(self.code))

    def left_names(self) -> tuple[str, ...]:
        """Return the names that it had when the load ended."""
        return self.defined

    def variables(self) -> list[str]:
        """Return the names of its variables, sorted."""
        return sorted([name for name in self.state if "." not in name])

    def untouched(self) -> Callable[[str, object], bool | None]:
        """Return what tells of a variable whether it is as the load left it; ``None`` for a name that it did not leave."""

        def is_untouched(name: str, value: object) -> bool | None:
            was = self.state.get(name)
            return None if was is None else fingerprint(value, self.name) == was

        return is_untouched

    def undo_effects(self) -> None:
        """Undo what it left in the process."""
        if self.effects is not None:
            self.effects.undo()


class InertTrace(Trace):
    """That of a module that is inert (:mod:`plugline.discovery.inert`): nothing need be kept, since running it again shows it."""

    __slots__ = ("_variables",)
    _variables: list[str]

    def _left(self) -> dict[str, object]:
        names: dict[str, object] = {"__name__": self.name, "__file__": self.path}
        # A copy of the code: until the collector comes, functions and classes that nobody has would be taken for others'.
        code = marshal.loads(marshal.dumps(self.code))  # noqa: S302 - our own
        try:
            exec(code, names)  # noqa: S102 - it does nothing but define
        except Exception:  # noqa: BLE001 - a module that it imports is there no more; then nothing is known
            return {}
        return names

    def variables(self) -> list[str]:
        """See :class:`Trace`. Versions with other bodies of functions have the same."""
        if not hasattr(self, "_variables"):
            self._variables = sorted(name for name, value in self._left().items() if _is_variable(name, value))
        return self._variables

    def untouched(self) -> Callable[[str, object], bool | None]:
        """See :class:`Trace`."""
        left = self._left()
        members = class_values(left, self.name)

        def is_untouched(name: str, value: object) -> bool | None:
            if "." in name:
                return _is_alike(members[name], value) if name in members else None
            return _is_alike(left[name], value) if name in left and _is_variable(name, left[name]) else None

        return is_untouched

    def left_names(self) -> tuple[str, ...]:
        """See :class:`Trace`."""
        return tuple(self._left())


def _is_variable(name: str, value: object) -> bool:
    return type(value) not in _NO_STATE and name[:2] != "__" and not issubclass(type(value), type)


def _is_alike(left: object, value: object, depth: int = 4) -> bool:
    """Whether a value is what an inert module's own one was, which has data, functions and classes of its own in it."""
    kind = type(value)
    if kind.__name__ != type(left).__name__ or kind.__module__ != type(left).__module__ or depth == 0:
        return False
    if kind in _NO_STATE or kind is type:
        return value is left or getattr(value, "__qualname__", None) == getattr(left, "__qualname__", "")
    if kind is list or kind is tuple:
        pairs = zip(cast("list[object]", left), cast("list[object]", value), strict=False)
        return len(left) == len(value) and all(_is_alike(one, other, depth - 1) for one, other in pairs)  # type: ignore[arg-type]
    if kind is dict:
        return left.keys() == value.keys() and all(  # type: ignore[attr-defined]
            _is_alike(one, value[key], depth - 1)  # type: ignore[index]
            for key, one in left.items()  # type: ignore[attr-defined]
        )
    if kind.__module__ == "builtins":
        return bool(left == value)
    return _is_alike(getattr(left, "__dict__", {}), getattr(value, "__dict__", {}), depth - 1)


_ran: set[int] = set()  # ids of code objects, which the traces keep alive
_paths: set[str] = set()  # of all private modules
_blind = False  # somebody else's profiler was looking on, so nothing is known


def trace_of(module: ModuleType) -> Trace | None:
    """Return what running a module did, ``None`` for one that was not made here."""
    # Of what is in force: to ask for the names of a module that is on trial would run it.
    names = ModuleType.__getattribute__(module, "__dict__")
    trace = getattr(names.get("__loader__"), "trace", None)
    return trace if isinstance(trace, Trace) else None


def ran(code: CodeType) -> bool:
    """Whether a function with this code was called while some module was being loaded. Never wrongly no."""
    return _blind or id(code) in _ran


def succeed_code(pairs: Iterable[tuple[CodeType, CodeType]]) -> None:
    """Take note that what was known of the first code object of each pair is now to be known of the second."""
    if _ran:
        _ran.update([id(new) for old, new in pairs if id(old) in _ran])


def forget_code(code: CodeType) -> None:
    """Let go of what is known of a module's code that is in use no more."""
    forget_functions(functions_in(code))


def forget_functions(functions: Iterable[CodeType]) -> None:
    """Let go of what is known of functions that are in use no more."""
    if _ran:
        _ran.difference_update(map(id, functions))


def functions_in(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of each function in a module's code, at every depth, lambdas and generator expressions too."""
    for constant in code.co_consts:
        if constant.__class__ is CodeType:
            if constant.co_flags & _OPTIMIZED == _OPTIMIZED:
                yield constant
            yield from functions_in(constant)


def with_functions(code: CodeType, functions: Iterator[CodeType]) -> CodeType:
    """Return a module's code that has these functions, as :func:`plugline.discovery.bundle.outer_functions` returned them for an equal one."""
    constants = []
    for constant in code.co_consts:
        if constant.__class__ is not CodeType:
            constants.append(constant)
        elif constant.co_flags & _OPTIMIZED == _OPTIMIZED:
            constants.append(next(functions))
        else:
            constants.append(with_functions(constant, functions))
    return code.replace(co_consts=tuple(constants))


def succeed_effects(new: Trace, old: Trace) -> None:
    """Undo what an older run left and a newer one did not leave again."""
    if old.effects is None:
        return
    from plugline.loading.effects import Effects  # see _run_watched

    effects = new.effects if new.effects is not None else Effects()
    effects.succeed(old.effects, new.name, new.code)
    new.effects = effects if effects.all else None


def run_inert(path: str, code: CodeType, names: dict[str, object]) -> None:
    """Run the code of an inert module, of which there is nothing to keep; what it raises passes."""
    _paths.add(path)
    if get_ident() in _depth:
        _expect_calls(code)  # as for any other
    exec(code, names)  # noqa: S102 - this is where a plugin is run


def run_traced(trace: Trace, names: dict[str, object]) -> None:
    """Run a module's code and keep what that did; what it raises passes, and then it has left nothing.

    Builtins that it replaces are put back, since what is called here uses them.
    """
    _paths.add(trace.path)
    code = trace.code
    if not _plain:
        _plain.append(_plain_instructions())
    collisions = COLLISIONS.count
    try:
        if not code.co_code[::2].translate(None, _plain[0]):
            if get_ident() in _depth:
                _expect_calls(code)  # whoever imports it may call its functions next
            exec(code, names)  # noqa: S102 - this is where a plugin is run
        else:
            _run_watched(trace, names)
    except BaseException as error:
        COLLISIONS.note(error, collisions)
        raise
    trace.defined = tuple(names)
    module = trace.name
    trace.state = {name: fingerprint(value, module) for name, value in names.items() if _is_variable(name, value)}
    trace.state |= {name: fingerprint(value, module) for name, value in class_values(names, module).items()}


_NO_STATE = frozenset({FunctionType, ModuleType})


def _run_watched(trace: Trace, names: dict[str, object]) -> None:
    from plugline.loading.effects import Effects, Mentions, Watch  # many plugins only define
    from plugline.loading.patches import run_keeping_builtins

    def execute(code: CodeType) -> None:
        exec(code, names)  # noqa: S102 - this is where a plugin is run

    effects = trace.effects = Effects()
    if trace.mentions is None:
        trace.mentions = Mentions(trace.content)
    watch = Watch(trace.code, trace.mentions)
    try:
        try:
            _record(trace, lambda: run_keeping_builtins(execute, trace.code))
        finally:
            watch.end(effects, trace.name)
    except BaseException:
        effects.undo()
        raise
    if not effects.all:
        trace.effects = None
    trace.held = frozenset(_held(names))


def _held(namespace: dict[str, object]) -> Iterator[int]:
    for value in namespace.values():
        # Held by the namespace, the loop's variable and the call; and by something else.
        # By its type: to ask the value itself for its class runs code of a proxy's, or of a metaclass's.
        if type(value) is FunctionType:
            if getrefcount(value) > 3 or getweakrefcount(value):
                yield id(value)
        elif issubclass(type(value), type):
            if (
                _flags_of(value) & _HEAP
                and getrefcount(value) > 3 + least_references(cast(type, value))
                and getrefcount(value) > 3 + own_references(cast(type, value))
            ):
                yield id(value)
        elif _dict_of(type(value)).get("__module__") == namespace["__name__"] and getrefcount(value) > 3:
            yield id(value)  # an object of a class of its own


_flags_of = type.__dict__["__flags__"].__get__
_dict_of = type.__dict__["__dict__"].__get__
_bases_of = type.__dict__["__bases__"].__get__
_base_of = type.__dict__["__base__"].__get__
_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement


def least_references(owner: type) -> int:
    """Return how many references to a class it holds itself at least: quicker than :func:`own_references`, and for most all there are."""
    names = _dict_of(owner)
    made = (type(names.get("__dict__")) in _DESCRIPTORS) + (type(names.get("__weakref__")) in _DESCRIPTORS)
    return 1 + made


def own_references(owner: type, *, cell: bool = True) -> int:
    """Return how many references to a class its own parts, and the classes that derive from it, hold.

    Args:
        cell: Whether that by which its methods know it counts.
    """
    values = list(_dict_of(owner).values())
    descriptors = len([value for value in values if type(value) in _DESCRIPTORS and value.__objclass__ is owner])
    closures = [value for value in values if type(value) is FunctionType and value.__closure__] if cell else ()
    cells = any("__class__" in value.__code__.co_freevars for value in closures)
    # Its place in its own order of resolution; of a class below it, there and among its bases, and its first base.
    below = sum(
        1 + any(base is owner for base in _bases_of(one)) + (_base_of(one) is owner) for one in _all_below(owner)
    )
    return 1 + descriptors + cells + below


class _Slotted:
    __slots__ = ("slot",)


_DESCRIPTORS = frozenset({type(_dict_of(_Slotted)["slot"]), type(type.__dict__["__dict__"])})


def _all_below(owner: type) -> list[type]:
    found: dict[int, type] = {}  # by id: what a class is equal to, and whether it has a hash, is its metaclass's affair
    pending: list[type] = [owner]
    one: type
    while pending:
        for one in type.__subclasses__(pending.pop()):
            if id(one) not in found:
                found[id(one)] = one
                pending.append(one)
    return list(found.values())


_MANY = 1_000  # of a longer container only the length tells: it is data, and looking at it would be felt


def fingerprint(value: object, module: object = None) -> tuple[int, int]:
    """Return what is another when a variable was assigned to since, or what is in it was changed.

    Looked through are containers, and those in them, and the attributes of objects; into these only as far as the module with
    this name has made their classes.
    """
    return id(value), 0 if type(value) in _ATOMS else _content(value, module, _DEPTH)


def _content(value: object, module: object, depth: int) -> int:
    kind = type(value)
    if kind in _ATOMS:
        return 0
    inside: Iterable[object]
    if kind is list or kind is set or kind is tuple:
        inside = cast("list[object]", value)
        if len(inside) > _MANY:
            return len(inside)
        found = hash(tuple(map(id, inside)))
    elif issubclass(kind, dict):
        table = cast("dict[object, object]", value)
        if dict.__len__(table) > _MANY:
            return dict.__len__(table)
        inside = dict.values(table)
        found = hash((*map(id, dict.keys(table)), *map(id, inside)))
    elif issubclass(kind, type):
        return 0
    elif kind is bytearray:
        return hash(bytes(cast(bytearray, value)))
    elif kind.__name__ == "deque" and kind.__module__ == "collections":
        inside = tuple(cast("Iterable[object]", value))
        found = hash(tuple(map(id, inside)))
    else:
        return _attributes(value, module, depth)
    if depth and not _ATOMS.issuperset(map(type, inside)):
        return hash((found, *[_content(one, module, depth - 1) for one in inside]))
    return found


def _attributes(value: object, module: object, depth: int) -> int:
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except Exception:  # noqa: BLE001 - it may be a property of the plugin's own; then only another value is another
        return 0
    if type(attributes) is not dict:
        return 0
    deep = depth and module is not None and type(value).__module__ == module
    return _content(attributes, module, depth - 1 if deep else 0)


_DEPTH = 3  # a table of tables of lists
_ATOMS = frozenset({str, int, float, bool, bytes, type(None), FunctionType, ModuleType, type})


def class_values(names: "Mapping[str, object]", module: str) -> dict[str, object]:
    """Return the variables of the classes that a module defines at its top, by ``Class.name``."""
    found: dict[str, object] = {}
    for owner in names.values():
        if type(owner) in _NO_STATE or not issubclass(type(owner), type):
            continue
        own = _dict_of(owner)
        if own.get("__module__") != module:
            continue
        inside = [
            (name, value)
            for name, value in own.copy().items()
            if type(value) in _VALUES and type(name) is str and name[:2] != "__"
        ]
        for name, value in inside:
            if not name[:1] == name[-1:] == "_":
                found[f"{cast(type, owner).__qualname__}.{name}"] = value
    return found


_VALUES = frozenset({str, int, float, bool, type(None), list, dict, set})


# ------------------------------------------------------------------ what ran

_depth: dict[int, int] = {}  # by thread: one load may bring another with it

if sys.version_info >= (3, 12):

    def _expect_calls(code: CodeType) -> None:
        """Let the functions of a module tell when they are called."""
        tool = _tool()
        if tool is not None:
            for inner in functions_in(code):
                sys.monitoring.set_local_events(tool, inner, sys.monitoring.events.PY_START)

    def _record(trace: Trace, run: Callable[[], object]) -> None:
        global _blind  # noqa: PLW0603 - one state of the whole process
        tool = _tool()
        if tool is None:
            _blind = True
            run()
            return
        _expect_calls(trace.code)
        for code in _functions_of_neighbours(trace):
            # Whoever told once is silent until it is asked again.
            sys.monitoring.set_local_events(tool, code, 0)
            sys.monitoring.set_local_events(tool, code, sys.monitoring.events.PY_START)
        thread = get_ident()
        _depth[thread] = _depth.get(thread, 0) + 1
        try:
            run()
        finally:
            _depth[thread] -= 1
            if not _depth[thread]:
                del _depth[thread]

    def _note(code: CodeType, _offset: int) -> object:
        if get_ident() in _depth:
            _ran.add(id(code))
            return sys.monitoring.DISABLE
        # Another thread calls it while this one loads: it is to tell again, but not for ever.
        return None if _depth else sys.monitoring.DISABLE

    _tools: list[int] = []

    def _tool() -> int | None:
        """Return our number among the tools that watch the interpreter, ``None`` when all are taken."""
        if not _tools:
            for number in (4, 3):
                if sys.monitoring.get_tool(number) is None:
                    sys.monitoring.use_tool_id(number, "plugline")
                    sys.monitoring.register_callback(number, sys.monitoring.events.PY_START, _note)
                    _tools.append(number)
                    break
        return _tools[0] if _tools else None

    def _functions_of_neighbours(trace: Trace) -> Iterator[CodeType]:
        """Yield the functions of those private modules that are loaded and that a module could import and call."""
        seen = {trace.name}
        pending = [trace]
        while pending:
            current = pending.pop()
            for name in imported_names(current.name, current.code):
                if name in seen:
                    continue
                seen.add(name)
                module = sys.modules.get(name)
                known = trace_of(module) if isinstance(module, ModuleType) else None
                if known is not None:
                    yield from functions_in(known.code)
                    pending.append(known)

else:

    def _expect_calls(code: CodeType) -> None:
        """See above: here the profiler sees all calls of this thread."""

    def _record(trace: Trace, run: Callable[[], object]) -> None:
        global _blind  # noqa: PLW0603 - one state of the whole process
        thread = get_ident()
        if thread in _depth:
            run()
            return
        if sys.getprofile() is not None:
            _blind = True
            run()
            return
        from _lsprof import Profiler  # many plugins only define

        profiler = Profiler(subcalls=False, builtins=False)
        _depth[thread] = 1
        profiler.enable()
        try:
            run()
        finally:
            profiler.disable()
            del _depth[thread]
            _ran.update(
                id(entry.code)
                for entry in profiler.getstats()
                if entry.code.__class__ is CodeType
                and entry.code.co_flags & _OPTIMIZED == _OPTIMIZED
                and entry.code.co_filename in _paths
            )


def imported_names(name: str, code: CodeType) -> Iterator[str]:
    """Yield the full names of modules near the module ``name`` that its code could import: more than it does, not fewer."""
    parents = []
    parent = name
    while parent:
        parents.append(parent)
        parent = parent.rpartition(".")[0]
    words = set(code.co_names)
    for inner in _all_code(code):
        words.update(inner.co_names)
    for word in words:
        if word in sys.modules:
            yield word
        for parent in parents:
            full = f"{parent}.{word}"
            if full in sys.modules:
                yield full


def _all_code(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if constant.__class__ is CodeType:
            yield constant
            yield from _all_code(constant)
