"""New versions that ran beside the old ones, put in their place: everybody who holds the old holds the new from then on.

The moves, in the order in which they are made, each of which can be undone until the last was made:

1. Whatever the trial made holds, instead of each new class and function, the old object of that name.
2. Old functions that somebody holds take the content of the new ones; the old names keep the old content, for calls that
   are still running.
3. Old classes take the new definitions.
4. What was registered again stands where it stood, what was not is gone.
5. Each module has the new names: one pointer.
"""

import gc
import sys
from abc import ABCMeta
from collections import Counter
from collections.abc import Sequence
from functools import partial
from types import FunctionType, ModuleType
from typing import Any, cast
from weakref import getweakrefcount, ref

from plugline.kinds import is_a
from plugline.loading.traces import getrefcount
from plugline.reloading import lines
from plugline.reloading.classes import (
    adopt,
    adopt_member,
    ask_anew,
    compiled_anew,
    keep_combined,
    pair_classes,
    pair_members,
    registered_by_others,
    resolved,
    same_shape,
    stranded,
    tell_abstract,
)
from plugline.reloading.codes import left_behind, made_before
from plugline.reloading.graft import (
    cached_in,
    follow_cached,
    forget_answers,
    is_cached,
    lead_cached,
    remember_alike,
    told_frame,
    told_running,
    with_code,
)
from plugline.reloading.living import (
    calls_of,
    classes_in,
    count_functions,
    functions_elsewhere,
    is_each_in_place,
    remember_elsewhere,
    suspended_on,
    threads_in,
)
from plugline.reloading.memory import assign_bases, clone_function, hide_stand_in, replace_called
from plugline.reloading.parts import Done, Part
from plugline.reloading.plan import Plan
from plugline.reloading.reach import Reach
from plugline.reloading.references import Young, replace_everywhere, replace_in_own, weak_successors
from plugline.reloading.registered import Owners, Settling
from plugline.reloading.shadow import Shadow
from plugline.reloading.succession import succeed_class
from plugline.reloading.transition import Transition


class Adoption:
    """One commit of several shadows."""

    def __init__(self, pairs: list[tuple[Part, Shadow]], reach: Reach, young: Young) -> None:
        self._pairs = pairs
        self._reach = reach
        self._young = young
        self._plan = Plan()
        self._contents: dict[int, FunctionType] = {}
        self._canonical: dict[int, object] = {}
        self._news: list[object] = []
        self._classes: list[tuple[type, type]] = []
        self._alike: set[tuple[int, int]] = set()
        self._members: list[tuple[object, object]] = []
        self._successors: list[tuple[type, type]] = []
        self._transition: Transition | None = None
        # What such a class still has is held by it as well.
        dismissed = [one for part, _ in pairs for held in part.trace.dismissed if (one := held()) is not None]
        self._twice = {id(value) for one in dismissed for value in tuple(vars(one).values())}
        self._registered: list[tuple[type, type]] = []
        self._abstract: list[type] = []  # those that ask for other methods now
        self._above: set[type] = set()  # old classes, and those that they derived from
        self._gone: set[str] = set()  # names that a class has no more
        self._lost: list[str] = []
        self._cached: list[tuple[object, object]] = []
        self._partials: list[tuple[Any, Any]] = []
        self._forwards: dict[str, dict[str, Any]] = {}  # functions that lead to what is none now, by module and name

    def canonical(self, value: object) -> object:
        """Return what stands in the place of an object."""
        return self._canonical.get(id(value), value)

    def commit(self, done: Done) -> None:
        """Make all moves; what one raises passes, and then none was made."""
        names = [part.names for part, _ in self._pairs]
        # Alone, nobody can be in the middle of a call but whoever asked for the reload, who is.
        others = len(sys._current_frames()) > 1 or threads_in(names)  # noqa: SLF001 - documented, for looking at threads
        self._transition = Transition(self._plan, names) if others else None
        for part, shadow in self._pairs:
            self._pair_classes(part, shadow)
            self._pair_cached(part, shadow)
            self._pair_marks(part, shadow)
        functions = [self._pair_functions(part, shadow) for part, shadow in self._pairs]
        settlings = self._plan_registries()
        inherited = resolved([*self._classes, *self._successors])
        self._replace_references([one for named in functions for one in named])
        self._take(functions)
        for settling in settlings:
            settling.settle(self._plan)
        for part, shadow in self._pairs:
            forget_answers(tuple(part.names.values()))
            forget_answers(tuple(shadow.new.values()))
            self._plan.exchange_namespaces(shadow.module, shadow.beside)
        self._plan.run()
        self._end(done)
        done.lost += stranded(inherited)

    def _take(self, functions: list[list[tuple[str, FunctionType, object]]]) -> None:
        """Give the old objects the new content."""
        for (part, shadow), named in zip(self._pairs, functions, strict=True):
            # First of all, while nothing else holds the old code.
            self._take_closures(part, shadow, {id(before) for _, before, _ in named})
            self._take_functions(part, shadow, named)
            if self._transition is not None:
                self._route_names(part, shadow, self._transition)
        for old, new in self._classes:
            self._above.update(old.__mro__)
            self._gone |= vars(old).keys() - vars(new).keys()
            adopt(old, new, self.canonical, self._take_held, self._take_wrapped, self._plan, self._transition)
        for old, new in self._successors:
            # Bound methods that somebody holds have the functions themselves.
            for name, value in vars(old).copy().items():
                after = vars(new).get(name)
                if type(value) is FunctionType and type(after) is FunctionType:
                    self._take_held(value, after)
        for before, after in self._members:
            adopt_member(before, after, self._plan)
        for before, after in self._partials:
            was, now = (one.__reduce__()[2] for one in (before, after))
            self._plan.add((_set_state, before, now), (_set_state, before, was))

    def _end(self, done: Done) -> None:
        """Do what is left when the new version is in force; none of it fails."""
        done.lost += dict.fromkeys(
            (*self._lost, *(one for part, _ in self._pairs for one in left_behind(part.comparison)))
        )
        retired = {id(shadow.new) for _, shadow in self._pairs}  # each module has the names of the other by now
        displaced = {key: one for key, one in self._plan.displaced.items() if id(one.__globals__) in retired}
        frames = self._transition.begin() if self._transition is not None else []
        self._plan.drop()
        if displaced:
            self._young.end()
            # Calls that go on with the old version hold it: it is in other functions than those that they have called.
            for frame in calls_of(displaced.values()):
                replace_called(frame, displaced)
        done.in_flight += map(told_frame, frames)
        ask_anew(self._above, self._gone)
        tell_abstract(self._abstract)
        done.lost += compiled_anew([old for old, _ in self._classes])
        for owner, one in self._registered:
            ABCMeta.register(owner, one)  # type: ignore[arg-type]
        for before, after in self._cached:
            lead_cached(before, getattr(after, "__wrapped__", None))
        for part, shadow in self._pairs:
            # Each module has the names of the other by now.
            done.lost += follow_cached(shadow.new, part.names, part.trace, shadow.trace)
            _remember_departed(part, shadow, self._forwards.get(part.name, {}))
            done.in_flight += self._retire(part, shadow)
            shadow.trace.held = frozenset(
                id(self._canonical[key]) if key in self._canonical else key for key in shadow.trace.held
            )
        gone = {id(new) for _, new in self._classes} | {id(object)}
        for old, new in self._classes:
            if any(id(base) not in gone for base in new.__bases__):
                _dismiss(new)
            hide_stand_in(old)
        for part, shadow in self._pairs:
            shadow.trace.dismissed = tuple(ref(new) for _, new in self._classes if new.__module__ == part.name)
        for old, new in self._successors:
            self._young.end()
            done.lost += succeed_class(old, new)

    def _route_names(self, part: Part, shadow: Shadow, transition: Transition) -> None:
        """Let running calls, which see the old names, go over to the new functions if they last."""
        for name, before in part.names.copy().items():
            after = shadow.new.get(name)
            if type(before) is FunctionType and type(after) is FunctionType and before.__globals__ is part.names:
                # What somebody holds is the new one by then, and so it is the content that is led to.
                transition.route_name(part.names, name, before, clone_function(self._content(after)))

    def _content(self, function: FunctionType) -> FunctionType:
        """Return the new function whose content an old one, that stands in its place, is about to take."""
        return self._contents.get(id(function), function)

    # ------------------------------------------------------------------ pairs

    def _pair_classes(self, part: Part, shadow: Shadow) -> None:
        back = {name: one for name, one in departed(part).items() if is_a(one, type) and name in shadow.new}
        for old, new in pair_classes({**part.names, **back}, shadow.new, part.name):
            if not same_shape(old, new, self._alike):
                self._successors.append((old, new))
                continue
            self._alike.add((id(old), id(new)))
            self._classes.append((old, new))
            self._put(old, new)
            if type(old) is type and type(new) is type:
                continue  # neither abstract nor an enumeration
            if getattr(old, "__abstractmethods__", None) != getattr(new, "__abstractmethods__", None):
                self._abstract.append(old)
            for before, after in pair_members(old, new):
                self._members.append((before, after))
                self._put(before, after)
            keep_combined(old, new)
            self._registered += [(old, one) for one in registered_by_others(old, part.name)]

    def _put(self, old: object, new: object) -> None:
        self._canonical[id(new)] = old
        self._news.append(new)

    def _pair_functions(self, part: Part, shadow: Shadow) -> list[tuple[str, FunctionType, object]]:
        """Return what follows each old function that somebody holds, by its name."""
        old, new = part.names, shadow.new
        held = [
            name
            for name in new
            # Held by the namespace and the call; and by somebody else, be it weakly. Who came to know it weakly by its load
            # knows the new one by the new load.
            if name in old
            and type(old[name]) is FunctionType
            and (getrefcount(old[name]) > 2 or (getweakrefcount(old[name]) and id(old[name]) not in part.trace.held))
        ]
        named: list[tuple[str, FunctionType, object]] = []
        for name in held:
            before, after = cast(FunctionType, old[name]), new[name]
            if after is before or id(after) in self._canonical or not _is_own(before, part) or not callable(after):
                continue
            if _is_function(after):
                # Where nobody but the namespace has it, there is nothing to look for.
                if getrefcount(after) > 3 or getweakrefcount(after):
                    self._news.append(after)
                self._canonical[id(after)] = before
            named.append((name, before, after))
        return named + self._pair_departed(part, shadow)

    def _pair_cached(self, part: Part, shadow: Shadow) -> None:
        """Let cached functions that somebody holds stand for the new ones, where they remember alike."""
        for name in cached_in(part.names):
            before, after = part.names[name], shadow.new.get(name)
            # Held by the old names, the variable and the call; and by somebody else.
            if (
                is_cached(after)
                and getrefcount(before) > 3
                and after is not before
                and id(after) not in self._canonical
                and remember_alike(before, after)
            ):
                self._cached.append((before, after))
                shadow.new[name] = before
                self._canonical[id(after)] = before
                # Held by the pair, the variable and the call.
                if getrefcount(after) > 3:
                    self._news.append(after)

    def _pair_marks(self, part: Part, shadow: Shadow) -> None:
        """Let objects that are nothing but themselves be the old ones, and partials that somebody holds stand for the new ones."""
        for name, after in shadow.new.copy().items():
            kind = type(after)
            if kind is not object and kind is not partial:
                continue
            before = part.names.get(name)
            if type(before) is not kind or before is after or id(after) in self._canonical:
                continue
            # A partial is held by the old names, the variable and the call; and by somebody else.
            if kind is partial:
                if getrefcount(before) <= 3:
                    continue
                self._partials.append((before, after))
            self._put(before, after)

    def _pair_departed(self, part: Part, shadow: Shadow) -> list[tuple[str, FunctionType, object]]:
        """Return what follows functions that are back after versions without them."""
        named: list[tuple[str, FunctionType, object]] = []
        for name, before in departed(part).items():
            after = shadow.new.get(name)
            if type(before) is FunctionType and _is_function(after) and id(after) not in self._canonical:
                self._news.append(after)
                self._canonical[id(after)] = before
                named.append((name, before, after))
        return named

    # ------------------------------------------------------------------ moves

    def _plan_registries(self) -> list[Settling]:
        containers = self._reach.containers()
        if not containers:
            return []
        owners = owners_of([part for part, _ in self._pairs])
        names = [part.names for part, _ in self._pairs]
        # What a module has made for itself it has made anew; what it shares with others it has still.
        others = self._reach.of_others()
        own = {id(one) for one in names} | Reach.containers_in(
            value
            for part, shadow in self._pairs
            for name, value in part.names.copy().items()
            if type(value) not in _PLAIN and shadow.new.get(name) is not value and id(value) not in others
        )
        own -= Reach.containers_in(value for _, shadow in self._pairs for value in tuple(shadow.new.values()))
        own -= others
        plans = [
            Settling(registry, before, owners, self.canonical, kind=self._reach.attributes.get(id(registry)))
            for registry, before in containers
            if id(registry) not in own
        ]
        return [plan for plan in plans if plan]

    def _replace_references(self, named: list[tuple[str, FunctionType, object]]) -> None:
        classes = [new for _, new in self._classes]
        below = [one for new in classes for one in _unpaired(type.__subclasses__(new), self._canonical)]
        weak = weak_successors([(self._canonical[id(new)], new) for new in self._news])
        for one, again in weak:
            self._put(again, one)
        wanted = self._canonical_of_news()
        knowing = {part.name for part, shadow in self._pairs if "__class__" in (shadow.trace.words or ("__class__",))}
        aware = [one for one in classes if one.__module__ in knowing]
        replace_in_own(wanted, aware, [shadow.new for _, shadow in self._pairs])  # type: ignore[misc]
        spared = [
            *named,
            *self._classes,
            *self._members,
            *self._cached,
            *self._partials,
            *self._reach.copies(),
            *weak,
            weak,
            self._news,
            self._canonical,
            classes,
        ]
        spared += (held for one in (*classes, *below) for held in (one.__mro__, one.__bases__))
        for _, shadow in self._pairs:
            if shadow.trace.effects is not None:
                spared += shadow.trace.effects.all
        # By the pair, and by two lists.
        replace_everywhere(wanted, self._news, self._young, spared, held=3)
        for one in below:
            assign_bases(one, tuple(self.canonical(base) for base in one.__bases__))  # type: ignore[misc]

    def _canonical_of_news(self) -> dict[int, object]:
        return {id(new): self._canonical[id(new)] for new in self._news}

    def _take_functions(self, part: Part, shadow: Shadow, named: list[tuple[str, FunctionType, object]]) -> None:
        old, new = part.names, shadow.new
        for name, before, after in named:
            content = clone_function(after) if type(after) is FunctionType else forwarder(after, before)
            if type(after) is not FunctionType:
                self._forwards.setdefault(part.name, {})[name] = before
            if type(after) is FunctionType:
                new[name] = before
                self._contents[id(before)] = after
            self._plan.exchange_functions(before, content)
            if old.get(name) is before:
                self._plan.set_item(old, name, content)

    def _take_held(self, old: FunctionType, new: FunctionType) -> bool:
        if self._transition is not None:
            self._transition.route(old, clone_function(old), clone_function(new))
            return True
        # Held by the class, the caller's variable, this parameter and the call.
        if getrefcount(old) <= 4 + (id(old) in self._twice) and not getweakrefcount(old):
            return False
        self._plan.exchange_functions(old, clone_function(new))
        return True

    def _take_wrapped(self, old: FunctionType, new: FunctionType) -> bool:
        # Held by what it is in, two variables of the callers', this parameter and the call; and as one of a class.
        if getrefcount(old) <= 5 + (id(old) in self._twice):
            return False
        self._plan.exchange_functions(old, clone_function(new))
        return True

    def _take_closures(self, part: Part, shadow: Shadow, taken_by_name: set[int]) -> None:
        """Give the new code to what is left: functions that calling the old ones made, or that are wrapped, and are held."""
        pairs, old = part.comparison.pairs, part.names
        values = list(old.values())
        for owner in classes_in(values, part.name):
            values += vars(owner).values()
        if not part.trace.elsewhere and is_each_in_place(values, pairs):
            return
        follows = {id(before): after for before, after in pairs}
        living = count_functions(values)
        direct = {id(value) for value in values}
        counts = Counter([id(function.__code__) for function, _ in living.values()])
        # A wrapped one that somebody has besides what wraps it. Held by ``living``, the loop and the call, too.
        taken = [
            function
            for key, (function, times) in living.items()
            if key not in direct and id(function.__code__) in follows and getrefcount(function) > times + 3
        ]
        elsewhere = functions_elsewhere(part.trace, follows, living)
        counts.update([id(function.__code__) for function in elsewhere])
        # Held by what it stands in, the pair, the loop and the call.
        left = [before for before, _ in pairs if getrefcount(before) > 4 + counts[id(before)]]
        if left:
            self._young.end()
            known = {*living, *map(id, elsewhere)}
            taken += [one for one in gc.get_referrers(*left) if type(one) is FunctionType and id(one) not in known]
        taken += elsewhere
        remember_elsewhere(shadow.trace, taken)
        for function in taken:
            if function.__globals__ is old and id(function) not in taken_by_name:
                after = with_code(function, follows[id(function.__code__)], shadow.new)
                if after is None:
                    self._lost.append(made_before(function.__code__))
                    continue
                if self._transition is not None:
                    # Running calls reach it through what wraps it.
                    self._transition.route(function, clone_function(function), after)
                else:
                    self._plan.exchange_functions(function, after)

    def _retire(self, part: Part, shadow: Shadow) -> list[str]:
        self._young.end()
        running = suspended_on(part.comparison.pairs, tuple(shadow.new.values()))
        lines.follow(part.trace.path)
        lines.follow(part.path)
        return [*map(told_running, running)]


_PLAIN = frozenset({str, int, float, bool, bytes, type(None), FunctionType, ModuleType})
_set_state: Any = vars(partial)["__setstate__"]


def owners_of(parts: Sequence[Part]) -> Owners:
    """Return what tells what belongs to the versions in force of some modules."""
    classes = {id(one) for part in parts for one in classes_in(list(part.names.values()), part.name)}
    held = {key for part in parts for key in part.trace.held}
    return Owners([part.names for part in parts], classes, held)


def departed(part: Part) -> dict[str, Any]:
    """Return what older versions of a module had and the one in force has not, as far as somebody holds it."""
    living = ((name, held()) for name, held in part.trace.departed.items())
    return {name: value for name, value in living if value is not None}


def _remember_departed(part: Part, shadow: Shadow, forwards: dict[str, Any]) -> None:
    new, old = part.names, {**shadow.new, **forwards}
    gone = {
        name: value
        for name, value in {
            **departed(part),
            **{name: value for name, value in old.items() if _is_gone(name, value, new)},
        }.items()
        if value.__module__ == part.name and _is_gone(name, value, new)
    }
    shadow.trace.departed = {name: ref(value) for name, value in gone.items()}


def _is_gone(name: str, value: Any, new: dict[str, object]) -> bool:
    """Whether a version has no function of the name of one, or no class of that of one."""
    if type(value) is type(new.get(name)):
        return False
    kind = FunctionType if type(value) is FunctionType else type
    return is_a(value, (FunctionType, type)) and not is_a(new.get(name), kind)


def _unpaired(classes: list[type], canonical: dict[int, object]) -> list[type]:
    return [one for one in classes if id(one) not in canonical]


def _is_function(value: object) -> bool:
    return type(value) is FunctionType


def _is_own(function: FunctionType, part: Part) -> bool:
    """Whether a function is the module's own, and not imported from where it is at home."""
    if function.__globals__ is part.names or function.__module__ == part.name:
        return True
    home = sys.modules.get(function.__module__)
    return getattr(home, "__dict__", {}).get(function.__name__) is not function


def forwarder(target: object, like: FunctionType) -> FunctionType:
    """Return a function that calls something that is none."""

    def forward(*arguments: object, **keywords: object) -> object:
        return target(*arguments, **keywords)  # type: ignore[operator]

    forward.__name__, forward.__qualname__, forward.__module__ = like.__name__, like.__qualname__, like.__module__
    forward.__doc__ = getattr(target, "__doc__", None)
    forward.__wrapped__ = target  # type: ignore[attr-defined]
    return forward  # type: ignore[return-value]


def _dismiss(new: type) -> None:
    """Let a class object whose definition was taken be forgotten by the classes that it derives from."""
    try:
        assign_bases(new, (object,))
    except TypeError:  # its shape in memory is that of its base; the collector takes it
        return
