"""Code objects to the functions, generators and calls that live on them."""

import gc
import sys
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache, partial, partialmethod
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import TypeAlias, cast
from weakref import ref

from plugline.kinds import honest, is_a
from plugline.loading.traces import Trace, getrefcount

Running: TypeAlias = (
    "GeneratorType[object, object, object] | CoroutineType[object, object, object] | AsyncGeneratorType[object, object]"
)


def reachable_functions(values: Iterable[object]) -> Iterator[FunctionType]:
    """Yield the functions in values as a module or a class has them, those that decorators have wrapped included."""
    seen: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        # By its type: a value may answer anything when it is asked for its class.
        kind = type(value)
        if kind in _PLAIN or id(value) in seen:
            continue
        seen.add(id(value))
        if kind is FunctionType:
            function = cast(FunctionType, value)
            yield function
            if function.__closure__ or function.__dict__:
                pending += _inside_function(function)
        else:
            pending += _inside_other(value)


_PLAIN = frozenset({str, bytes, int, float, bool, type(None), type, dict, list, tuple, set, frozenset})
_NO_FUNCTIONS = _PLAIN | {FunctionType, ModuleType, GetSetDescriptorType, MemberDescriptorType}


def _inside_other(value: object) -> Iterable[object]:
    value = honest(value)
    match value:
        case staticmethod() | classmethod() | MethodType():
            return (value.__func__, *getattr(value, "__dict__", {}).values())
        case property():
            return (value.fget, value.fset, value.fdel)
        case partial() | partialmethod() | cached_property():
            return (value.func,)
        case type():
            return ()
        case _ if type(value).__flags__ & _HEAP and type(value).__module__ in _WRAPPERS:
            return (getattr(value, "__wrapped__", None),)
        case _:
            return ()


_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE; what is left are wrappers of the standard library, such as lru_cache's
_WRAPPERS = frozenset({"functools"})


def count_functions(values: Iterable[object]) -> dict[int, tuple[FunctionType, int]]:
    """Return the functions as :func:`reachable_functions`, each with how often it was met: by so many it is held there."""
    found: dict[int, tuple[FunctionType, int]] = {}
    pending = [value for value in values if type(value) not in _PLAIN]
    for value in pending:  # it grows
        for function in (value,) if type(value) is FunctionType else _functions_at(value):
            key = id(function)
            if key in found:
                found[key] = (function, found[key][1] + 1)
                continue
            found[key] = (function, 1)
            if function.__closure__ or function.__dict__:
                pending += _inside_function(function)
    return found


def is_each_in_place(values: Iterable[object], pairs: list[tuple[CodeType, CodeType]]) -> bool:
    """Whether every function on the first code objects of some pairs is one of a module's or a class's own values.

    Args:
        values: Those; what a property is made of counts where nobody else has it. Where anything is wrapped it is no.
        pairs: Each first one is held by these, and by the code that it stands in.
    """
    functions = [value for value in values if type(value) is FunctionType]
    others = [value for value in values if type(value) not in _NO_FUNCTIONS]
    getters: list[FunctionType] = []
    for one in others:
        if type(one) is property and type(one.fget) is FunctionType and not (one.fset or one.fdel):
            getters.append(one.fget)
        elif type(one) is property or next(_functions_at(one), None) is not None:
            return False
    # Held by the property, the list, the loop and the call.
    if [1 for one in functions if one.__closure__ or one.__dict__]:
        return False
    if [1 for one in getters if getrefcount(one) > 4 or one.__closure__]:
        return False
    known = {id(function.__code__) for function in (*functions, *getters)}
    # By the loop and the call as well, and by the one function.
    return not [1 for before, _ in pairs if getrefcount(before) > 4 + (id(before) in known)]


def _functions_at(value: object) -> Iterator[FunctionType]:
    """Yield the function that a value is, or that it wraps."""
    value = honest(value)
    match value:
        case FunctionType():
            yield value
        case staticmethod() | classmethod() | MethodType():
            yield from _functions_at(value.__func__)
        case property():
            for one in (value.fget, value.fset, value.fdel):
                yield from _functions_at(one)
        case partial() | partialmethod() | cached_property():
            yield from _functions_at(value.func)
        case None | type():
            return
        case _ if type(value).__module__ in _WRAPPERS:
            yield from _functions_at(getattr(value, "__wrapped__", None))


def contents_of(function: FunctionType) -> Iterator[object]:
    """Yield what a function holds: its attributes, and the variables that it closes over."""
    if function.__dict__:
        yield from function.__dict__.values()
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # empty yet
            continue


def _inside_function(function: FunctionType) -> list[object]:
    return [one for one in contents_of(function) if is_a(one, _HOLDS_FUNCTIONS)]


_HOLDS_FUNCTIONS = (FunctionType, MethodType, partial, staticmethod, classmethod, type(lru_cache(len)))


# What most of a module's and a class's values are.
NO_CLASSES = frozenset(
    {str, int, bool, float, tuple, list, dict, type(None), FunctionType, property, staticmethod, classmethod}
    | {GetSetDescriptorType, MemberDescriptorType, ModuleType}
)


def classes_in(names: Iterable[object], module: str) -> Iterator[type]:
    """Yield the classes among values that are defined in a module, and those defined in them."""
    for value in names:
        if type(value) not in NO_CLASSES and is_a(value, type) and value.__module__ == module:
            yield value
            others = [one for one in tuple(vars(value).values()) if type(one) not in NO_CLASSES]
            inner = [one for one in others if is_a(one, type) and one is not value and _is_inner(one, value)]
            if inner:
                yield from classes_in(inner, module)


def _is_inner(value: type, owner: type) -> bool:
    return value.__qualname__ == f"{owner.__qualname__}.{value.__name__}"


def find_functions(
    pairs: list[tuple[CodeType, CodeType]], namespace: dict[str, object], trace: Trace
) -> dict[int, list[FunctionType]]:
    """Return all living functions with the first code objects of some pairs, by the ``id`` of the code.

    Most are found where the module has them. Only where the count of references tells that there are more, which
    somebody else holds, is the whole heap looked through; what that finds is remembered.

    Args:
        pairs: Each first one is held by these, and by the code that it stands in.
    """
    found: dict[int, list[FunctionType]] = {id(code): [] for code, _ in pairs}
    values = list(namespace.values())
    for owner in list(classes_in(values, trace.name)):
        values += vars(owner).values()
    functions = {id(one): one for one in values if type(one) is FunctionType}
    # Most of them hold nothing, so that they lead to no others.
    leading: list[object] = [one for one in functions.values() if one.__closure__ or one.__dict__]
    leading += [one for one in values if type(one) not in _NO_FUNCTIONS]
    functions.update([(id(one), one) for one in reachable_functions(leading)])
    known = set()
    for key, function in functions.items():
        at = found.get(id(function.__code__))
        if at is not None and function.__globals__ is namespace:
            at.append(function)
            known.add(key)
    elsewhere = functions_elsewhere(trace, found, known)
    counts = Counter([id(function.__code__) for function in elsewhere])
    # Held by what it stands in, the pair, the loop and the call.
    left = [code for code, _ in pairs if getrefcount(code) > 4 + len(found[id(code)]) + counts.get(id(code), 0)]
    if left:
        counts.update(_calls_by_code())
        # By the list as well.
        left = [code for code in left if getrefcount(code) > 5 + len(found[id(code)]) + counts[id(code)]]
    if left:
        known.update(map(id, elsewhere))
        elsewhere += [one for one in gc.get_referrers(*left) if type(one) is FunctionType and id(one) not in known]
    for function in elsewhere:
        found[id(function.__code__)].append(function)
    remember_elsewhere(trace, elsewhere)
    return found


def functions_elsewhere(trace: Trace, codes: Container[int], known: Container[int]) -> list[FunctionType]:
    """Return the functions that an earlier reload met where a module's names do not lead.

    Args:
        codes: The ``id`` of each code object that counts.
        known: The ``id`` of each function that is found anyway.
    """
    living = [function for held in trace.elsewhere if (function := held()) is not None]
    return [one for one in living if id(one.__code__) in codes and id(one) not in known]


def remember_elsewhere(trace: Trace, functions: Sequence[FunctionType]) -> None:
    """Take note of functions for the next reload."""
    trace.elsewhere = tuple(map(ref, functions)) if len(functions) <= _MOST_REMEMBERED else ()


_MOST_REMEMBERED = 10_000  # half a megabyte; to look for more of them anew costs no more than what is done with them


def _calls_by_code() -> dict[int, int]:
    """Return how many calls are running in all threads, by the ``id`` of the code: each holds it once."""
    found: dict[int, int] = {}
    for top in sys._current_frames().values():  # noqa: SLF001 - documented, for looking at other threads
        frame: FrameType | None = top
        while frame is not None:
            key = id(frame.f_code)
            found[key] = found.get(key, 0) + 1
            frame = frame.f_back
    del top  # one of them is this call's own frame, which is not to hold itself
    return found


def threads_in(namespaces: Iterable[dict[str, object]]) -> list[FrameType]:
    """Return the outermost frame of each thread that runs code whose globals these are, ours included.

    Nothing else runs between this look and the next release of the interpreter lock.
    """
    wanted = {id(namespace) for namespace in namespaces}
    found = []
    for top in sys._current_frames().values():  # noqa: SLF001 - documented, for looking at other threads
        frame: FrameType | None = top
        outermost = None
        while frame is not None:
            if id(frame.f_globals) in wanted:
                outermost = frame
            frame = frame.f_back
        if outermost is not None:
            found.append(outermost)
    del top  # one of them is this call's own frame, which is not to hold itself, and all that its callers have
    return found


def suspended_on(pairs: Iterable[tuple[CodeType, CodeType]], values: Iterable[object] = ()) -> list[Running]:
    """Return the generators and coroutines that have begun on the first code objects of some pairs, and are not done.

    Only where the counts of references tell that somebody has one of these are all objects looked through.

    Args:
        pairs: Each first one is held by these, and by the code that it stands in.
        values: Where functions are that hold some of them still.
    """
    # By the loop and the call, too.
    wanted = [old for old, _ in pairs if old.co_flags & _SUSPENDS and getrefcount(old) > 4]
    if not wanted:
        return []
    held: dict[int, int] = {}
    for function in reachable_functions(values):
        key = id(function.__code__)
        held[key] = held.get(key, 0) + 1
    # By the list as well.
    wanted = [old for old in wanted if getrefcount(old) > 5 + held.get(id(old), 0)]
    keys = {id(code) for code in wanted}
    return [
        referrer
        for referrer in (gc.get_referrers(*wanted) if wanted else ())
        if is_a(referrer, (GeneratorType, CoroutineType, AsyncGeneratorType)) and id(_code_of(referrer)) in keys
    ]


def calls_of(functions: Iterable[FunctionType]) -> list[FrameType]:
    """Return the calls, running, suspended or over, of the code of some functions that is in use no more.

    Args:
        functions: Each one's code is held by it, by the code that it stands in, and by one more.
    """
    found = [function.__code__ for function in functions]
    counts = Counter(map(id, found))
    codes = {id(code): code for code in found}
    found.clear()
    running = []
    for top in sys._current_frames().values():  # noqa: SLF001 - documented, for looking at other threads
        frame: FrameType | None = top
        while frame is not None:
            if id(frame.f_code) in codes:
                running.append(frame)
            frame = frame.f_back
    del top  # one of them is this call's own frame, which is not to hold itself, and all that its callers have
    # By the dict, the loop and the call as well.
    left = [code for code in codes.values() if getrefcount(code) > 5 + counts[id(code)]]
    for referrer in gc.get_referrers(*left) if left else ():
        if type(referrer) is FrameType:
            running.append(referrer)
        elif is_a(referrer, (GeneratorType, CoroutineType, AsyncGeneratorType)):
            running += [one for one in (_frame_of(referrer),) if one is not None]
    return running


def _frame_of(running: Running) -> FrameType | None:
    match running:
        case GeneratorType():
            return running.gi_frame
        case CoroutineType():
            return running.cr_frame
        case _:
            return running.ag_frame


_SUSPENDS = 0x20 | 0x80 | 0x100 | 0x200  # generator, coroutine, iterable coroutine, asynchronous generator


def _code_of(running: Running) -> CodeType:
    match running:
        case GeneratorType():
            return running.gi_code
        case CoroutineType():
            return running.cr_code
        case _:
            return running.ag_code
