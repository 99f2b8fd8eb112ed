"""New bodies on living functions."""

import sys
from collections.abc import Iterable
from functools import lru_cache
from types import CodeType, FrameType, FunctionType

from plugline.loading.traces import forget_code, ran, succeed_code
from plugline.reloading import lines
from plugline.reloading.differences import edited_names
from plugline.reloading.living import Running, find_functions, suspended_on, threads_in
from plugline.reloading.memory import clone_function
from plugline.reloading.parts import Done, Part
from plugline.reloading.plan import Plan
from plugline.reloading.transition import Transition

_HAS_DOCSTRING = 0x4000000  # inspect.CO_HAS_DOCSTRING, from 3.14 on


def can_graft(part: Part) -> bool:
    """Whether the new version is the old one with other bodies of functions, none of which ran during a load."""
    return part.comparison.bodies_only and not any(ran(old) for old, _ in part.comparison.edited)


def graft(parts: list[Part], done: Done) -> None:
    """Put the new code on all functions that live on the old one, those that were not edited too: their lines moved."""
    plan = Plan()
    names = [part.names for part in parts]
    # Alone, nobody can be in the middle of a call but whoever asked for the reload, who is.
    others = len(sys._current_frames()) > 1 or threads_in(names)  # noqa: SLF001 - documented, for looking at threads
    transition = Transition(plan, names) if others else None
    for part in parts:
        _plan(part, plan, transition)
    plan.run()
    frames = transition.begin() if transition is not None else []
    plan.drop()
    for part in parts:
        done.in_flight += (told_frame(frame) for frame in frames if frame.f_globals is part.names)
        done.in_flight += _retire(part, running=bool(frames))
        done.changed += edited_names(part.comparison)
        done.kept += part.trace.variables()


def _plan(part: Part, plan: Plan, transition: Transition | None) -> None:
    comparison = part.comparison
    edited = {id(old) for old, _ in comparison.edited}
    found = find_functions(comparison.pairs, part.names, part.trace)
    for old, new in comparison.pairs:
        key = id(old)
        for function in found[key]:
            if transition is not None and key in edited:
                after = with_code(function, new, function.__globals__)
                if after is not None:
                    transition.route(function, clone_function(function), after)
            elif key in comparison.unfit:
                after = with_code(function, new, function.__globals__)
                if after is not None:
                    plan.exchange_functions(function, after)
            else:
                plan.add((setattr, function, "__code__", new), (setattr, function, "__code__", old))
                if key in edited:
                    _take_docstring(function, old, new, plan)


def _retire(part: Part, *, running: bool) -> list[str]:
    """Let go of the old code, and give what still runs of it a name and lines of its own."""
    pairs, trace = part.comparison.pairs, part.trace
    old_code, old_content = trace.code, trace.content
    trace.code, trace.content = part.code, part.content
    succeed_code(pairs)
    forget_code(old_code)
    suspended = suspended_on(pairs)
    if running or suspended:
        lines.retire(old_code, old_content, part.generation)
    lines.follow(trace.path)
    forget_answers(part.names.values())
    return [*map(told_running, suspended)]


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


def told_frame(frame: FrameType) -> str:
    """Return a call in flight as the report names it."""
    return frame.f_code.co_qualname


def told_running(running: Running) -> str:
    """Return a generator or task in flight as the report names it."""
    return running.__qualname__


def _take_docstring(function: FunctionType, old: CodeType, new: CodeType, plan: Plan) -> None:
    before, after = _docstring(old), _docstring(new)
    if before != after and function.__doc__ == before:
        plan.add((setattr, function, "__doc__", after), (setattr, function, "__doc__", before))


def with_code(function: FunctionType, new: CodeType, names: dict[str, object]) -> FunctionType | None:
    """Return a function like another one with new code and globals; ``None`` where it lacks variables to close over."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    if any(name not in cells for name in new.co_freevars):
        return None
    closure = tuple(cells[name] for name in new.co_freevars)
    donor = FunctionType(new, names, function.__name__, function.__defaults__, closure)
    donor.__kwdefaults__ = function.__kwdefaults__
    donor.__dict__.update(function.__dict__)
    donor.__annotations__ = function.__annotations__
    donor.__qualname__, donor.__module__ = function.__qualname__, function.__module__
    old_text = _docstring(function.__code__)
    donor.__doc__ = _docstring(new) if function.__doc__ == old_text else function.__doc__
    return donor


def _docstring(code: CodeType) -> str | None:
    first = code.co_consts[0] if code.co_consts else None
    if not isinstance(first, str):
        return None
    # Before 3.14 a function without one has None as its first constant.
    return first if sys.version_info < (3, 14) or code.co_flags & _HAS_DOCSTRING else None
