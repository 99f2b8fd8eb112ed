"""New bodies on living functions."""

import gc
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache, update_wrapper
from types import CodeType, FrameType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any
from weakref import ref

from plugline.kinds import is_a
from plugline.loading.traces import Trace, forget_code, getrefcount, ran, succeed_code
from plugline.reloading import lines
from plugline.reloading.codes import left_behind, made_before
from plugline.reloading.differences import edited_names
from plugline.reloading.living import Running, contents_of, find_functions, suspended_on, threads_in
from plugline.reloading.memory import clone_function, copy_annotations, replace_words
from plugline.reloading.parts import Done, Part, name_of
from plugline.reloading.plan import Plan
from plugline.reloading.transition import Transition

_HAS_DOCSTRING = 0x4000000  # inspect.CO_HAS_DOCSTRING, from 3.14 on


def can_graft(part: Part) -> bool:
    """Whether the new version is the old one with other bodies of functions, none of which ran during a load."""
    return part.comparison.bodies_only and not any(
        ran(old) or (_docstring(old) != _docstring(new) and not _stands_alone(old, part.names))
        for old, new in part.comparison.edited
    )


def _stands_alone(code: CodeType, names: dict[str, object]) -> bool:
    """Whether a function is in its place as it was defined; a decorator may have taken its docstring along."""
    value: object = None
    for name in code.co_qualname.split("."):
        value = names.get(name)
        names = vars(value) if is_a(value, type) else {}  # type: ignore[assignment]
    return type(value) is FunctionType and value.__code__ is code


def graft(parts: list[Part], done: Done) -> None:
    """Put the new code on all functions that live on the old one, those that were not edited too: their lines moved."""
    plan = Plan()
    names = [part.names for part in parts]
    # Alone, nobody can be in the middle of a call but whoever asked for the reload, who is.
    others = len(sys._current_frames()) > 1 or threads_in(names)  # noqa: SLF001 - documented, for looking at threads
    transition = Transition(plan, names) if others else None
    lost: list[str] = []
    for part in parts:
        _plan(part, plan, transition, lost)
    plan.run()
    frames = transition.begin() if transition is not None else []
    plan.drop()
    for part in parts:
        done.in_flight += (told_frame(frame) for frame in frames if frame.f_globals is part.names)
        done.in_flight += _retire(part, running=bool(frames))
        done.changed += (name_of(part, name) for name in edited_names(part.comparison))
        done.kept += (name_of(part, name) for name in part.trace.variables())
        lost += left_behind(part.comparison)
    done.lost += dict.fromkeys(lost)


def _plan(part: Part, plan: Plan, transition: Transition | None, lost: list[str]) -> None:
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
                else:
                    lost.append(made_before(new))
            elif key in comparison.unfit:
                after = with_code(function, new, function.__globals__)
                if after is not None:
                    plan.exchange_functions(function, after)
                else:
                    lost.append(made_before(new))
            else:
                plan.set_code(function, new)
                if key in edited:
                    _take_docstring(function, old, new, plan)


def _retire(part: Part, *, running: bool) -> list[str]:
    """Let go of the old code, and give what still runs of it a name and lines of its own."""
    pairs, trace = part.comparison.pairs, part.trace
    old_code, old_content = trace.code, trace.content
    trace.code, trace.content, trace.mentions = part.code, part.content, None
    if not part.comparison.same_words:
        trace.words = None
    succeed_code(pairs)
    forget_code(old_code)
    suspended = suspended_on(pairs)
    if running or suspended:
        lines.retire(old_code, old_content, part.generation)
    lines.follow(trace.path)
    forget_answers(tuple(part.names.values()))
    for refs in trace.cached.values():
        forget_answers(living_of(refs))
    return [*map(told_running, suspended)]


def forget_answers(values: Iterable[object]) -> None:
    """Let cached functions forget what the old version has answered, those inside of decorators and classes too."""
    seen: set[int] = set()
    pending = _with_answers(values)
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if is_a(value, type):
            inside = _with_answers(tuple(vars(value).values()))
            pending += [one for one in inside if is_a(one, _MAY_CACHE)]
        elif is_a(value, (staticmethod, classmethod)):
            pending.append(value.__func__)
        elif is_a(value, _Cached):
            value.cache_clear()
            pending.append(getattr(value, "__wrapped__", None))
        elif type(value) is FunctionType:
            pending += (one for one in contents_of(value) if is_a(one, _MAY_CACHE))


def _with_answers(values: Iterable[object]) -> list[object]:
    """Return those of some values in which there may be answers: of functions what holds something, of others what is no data."""
    return [
        value
        for value in values
        if (value.__closure__ or value.__dict__ if type(value) is FunctionType else type(value) not in _NO_ANSWERS)
    ]


def has_answers(values: Iterable[object]) -> bool:
    """Whether one of some values remembers what it has answered."""
    return any(type(value) is _Cached for value in values)


def follow_cached(old: dict[str, object], new: dict[str, object], was: Trace, now: Trace) -> Iterator[str]:
    """Let cached functions that somebody holds call what has their names now. Yields those that cannot."""
    held = {name: living_of(refs) for name, refs in was.cached.items()}
    left: dict[str, tuple[ref[object], ...]] = {}
    for name in cached_in(old):
        before = old[name]
        # Held by the old names, the variable and the call.
        if getrefcount(before) > 3 and new.get(name) is not before:
            held.setdefault(name, []).append(before)
    for name, cached in held.items():
        after = new.get(name)
        target = getattr(after, "__wrapped__", after) if is_cached(after) else after
        for one in cached:
            lead_cached(one, target)
        if cached:
            left[name] = tuple(map(ref, cached))
            if name in new and not callable(target):
                yield f"{name} as others hold it"
    now.cached = left


def living_of(refs: Iterable[ref[object]]) -> list[object]:
    """Return what is still there."""
    return [one for held in refs if (one := held()) is not None]


def lead_cached(cached: object, target: object) -> None:
    """Let a cached function call another one, and remember nothing of the one before."""
    cached.cache_clear()  # type: ignore[attr-defined]
    # What it calls is not to be seen from Python; ``__wrapped__`` is only what it says that it calls.
    inside = [one for one in gc.get_referents(cached) if callable(one) and not is_a(one, type)]
    if callable(target) and inside and replace_words(cached, {id(inside[0]): target}):
        update_wrapper(cached, target)  # type: ignore[arg-type]


def remember_alike(one: Any, other: Any) -> bool:
    """Whether two cached functions remember as much, and tell arguments apart alike."""
    # ``cache_parameters`` is what update_wrapper has copied from within where a cached function is cached again.
    mine, its = ((each.cache_info().maxsize, each.cache_parameters()["typed"]) for each in (one, other))
    return bool(mine == its)


def cached_in(names: dict[str, object]) -> list[str]:
    """Return the names of the cached functions among the names of a module."""
    return [name for name, value in names.copy().items() if type(value) is _Cached]


def is_cached(value: object) -> bool:
    """Whether it is a function that :func:`functools.lru_cache` or its like has made."""
    return type(value) is _Cached


_Cached = type(lru_cache(len))
_MAY_CACHE = (_Cached, FunctionType, staticmethod, classmethod)
# What most of a module's and a class's values are.
_NO_ANSWERS = frozenset(
    {str, bytes, int, float, bool, type(None), dict, list, tuple, property, ModuleType}
    | {GetSetDescriptorType, MemberDescriptorType}
)


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
    copy_annotations(function, donor)
    donor.__qualname__, donor.__module__ = function.__qualname__, function.__module__
    if function.__qualname__ == function.__code__.co_qualname:
        donor.__name__, donor.__qualname__ = new.co_name, new.co_qualname
    old_text = _docstring(function.__code__)
    donor.__doc__ = _docstring(new) if function.__doc__ == old_text else function.__doc__
    return donor


def _docstring(code: CodeType) -> str | None:
    if code.co_name[:1] == "<":
        return None  # a comprehension or lambda has none, and may begin with any constant
    first = code.co_consts[0] if code.co_consts else None
    if not is_a(first, str):
        return None
    # Before 3.14 a function without one has None as its first constant.
    return first if sys.version_info < (3, 14) or code.co_flags & _HAS_DOCSTRING else None
