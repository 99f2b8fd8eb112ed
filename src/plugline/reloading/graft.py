"""New bodies on living functions."""

import sys
from collections.abc import Iterable
from functools import lru_cache
from sys import getrefcount
from types import CodeType, FrameType, FunctionType

from plugline.loading.traces import Trace, forget_code, ran, succeed_code
from plugline.reloading import lines
from plugline.reloading.codes import exchangeable
from plugline.reloading.differences import edited_names
from plugline.reloading.living import Running, find_functions, suspended_on, threads_in
from plugline.reloading.memory import clone_function, exchange_functions
from plugline.reloading.parts import Done, Part
from plugline.reloading.slice import Slice
from plugline.reloading.transition import Transition

_HAS_DOCSTRING = 0x4000000  # inspect.CO_HAS_DOCSTRING, from 3.14 on


def can_graft(part: Part) -> bool:
    """Whether the new version is the old one with other bodies of functions, none of which ran during a load."""
    return part.comparison.bodies_only and not any(ran(old) for old, _ in part.comparison.edited)


def graft(parts: list[Part], done: Done) -> None:
    """Put the new code on all functions that live on the old one, those that were not edited too: their lines moved."""
    with Slice():
        frames = threads_in([part.names for part in parts])
        transition = Transition(frames) if frames else None
        done.in_flight += map(told_frame, frames)
        for part in parts:
            done.in_flight += _graft(part, transition)
            done.changed += edited_names(part.comparison)
            done.kept += sorted(part.trace.state)
        if transition is not None:
            transition.begin()


def _graft(part: Part, transition: Transition | None) -> list[str]:
    pairs = part.comparison.pairs
    edited = {id(old) for old, _ in part.comparison.edited}
    found = find_functions(pairs, part.names, part.name)
    left_over = transition is not None
    for old, new in pairs:
        for function in found[id(old)]:
            if transition is not None and id(old) in edited:
                before = clone_function(function)
                left_over |= not _take(function, old, new)
                transition.route(function, before, clone_function(function), [])
            else:
                left_over |= not _take(function, old, new)
        succeed_code(old, new)
    trace: Trace = part.trace
    old_code, old_content = trace.code, trace.content
    trace.code, trace.content = part.code, part.content
    forget_code(old_code)
    running = suspended_on(old for old, _ in pairs) if _more_held(pairs) else []
    if running or left_over:
        lines.retire(old_code, old_content, part.generation)
    lines.follow(trace.path)
    forget_answers(part.names.values())
    return [*map(told_running, running)]


def forget_answers(values: Iterable[object]) -> None:
    """Let cached functions forget what the old version has answered."""
    for value in list(values):
        if isinstance(value, type):
            for inner in list(vars(value).values()):
                _forget_answers(inner)
        else:
            _forget_answers(value)


def _forget_answers(value: object) -> None:
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if isinstance(value, _Cached):
        value.cache_clear()


_Cached = type(lru_cache(len))


def _more_held(pairs: list[tuple[CodeType, CodeType]]) -> bool:
    # By what it stands in, the pair, the loop, and the call.
    return any(getrefcount(old) > 4 for old, _ in pairs)


def told_frame(frame: FrameType) -> str:
    """Return a call in flight as the report names it."""
    return frame.f_code.co_qualname


def told_running(running: Running) -> str:
    """Return a generator or task in flight as the report names it."""
    return running.__qualname__


def _take(function: FunctionType, old: CodeType, new: CodeType) -> bool:
    if _docstring(old) != _docstring(new) and function.__doc__ == _docstring(old):
        function.__doc__ = _docstring(new)
    if exchangeable(old, new):
        function.__code__ = new
        return True
    return take_closure(function, new, function.__globals__)


def take_closure(function: FunctionType, new: CodeType, names: dict[str, object]) -> bool:
    """Give new code, and globals, to a function that closes over other variables than the new code does."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    if any(name not in cells for name in new.co_freevars):
        return False
    closure = tuple(cells[name] for name in new.co_freevars)
    donor = FunctionType(new, names, function.__name__, function.__defaults__, closure)
    donor.__kwdefaults__ = function.__kwdefaults__
    donor.__dict__.update(function.__dict__)
    donor.__annotations__ = function.__annotations__
    donor.__qualname__, donor.__module__, donor.__doc__ = function.__qualname__, function.__module__, function.__doc__
    exchange_functions(function, donor)
    return True


def _docstring(code: CodeType) -> str | None:
    first = code.co_consts[0] if code.co_consts else None
    if not isinstance(first, str):
        return None
    # Before 3.14 a function without one has None as its first constant.
    return first if sys.version_info < (3, 14) or code.co_flags & _HAS_DOCSTRING else None
