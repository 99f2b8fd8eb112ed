"""What a version registered with others, held against what the next version registered in its turn."""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from operator import setitem
from types import FunctionType, MethodType, ModuleType
from weakref import ref

from plugline.kinds import attributes_of, honest, is_a
from plugline.reloading.plan import Plan

Registry = dict[object, object] | list[object] | deque[object] | set[object]

_LONG = 20  # entries that are longer are data
_PLAIN = frozenset({str, bytes, int, float, bool, type(None), ModuleType})  # nobody's, and most of what is in tables


class Owners:
    """Tells what belongs to a version of some modules: what they define, and what is made of that.

    Args:
        classes: The ``id`` of each class that they define.
        held: The ``id`` of each function and class of theirs that somebody else held when their load ended.
    """

    def __init__(self, names: Iterable[dict[str, object]], classes: set[int], held: set[int]) -> None:
        names = list(names)
        self._names = {id(one) for one in names}
        self._bound = {id(value) for one in names for value in tuple(one.values())}
        self._classes = classes
        self._held = held

    def owns(self, value: object, depth: int = 3) -> bool:
        """Whether it is theirs."""
        kind = type(value)
        if depth == 0 or kind in _PLAIN:
            return False
        value = honest(value)
        match value:
            case FunctionType():
                return id(value.__globals__) in self._names or any(
                    self.owns(content, depth - 1) for content in _contents(value)
                )
            case type():
                return id(value) in self._classes
            case MethodType():
                return self.owns(value.__self__, depth - 1) or self.owns(value.__func__, depth - 1)
            case partial():
                return self.owns(value.func, depth - 1)
            case ref():
                return self.owns(value(), depth - 1)
            case tuple() | list():
                return len(value) <= _LONG and any(self.owns(one, depth - 1) for one in value)
            case dict():
                return len(value) <= _LONG and any(self.owns(one, depth - 1) for one in dict.values(value))
            case _:
                return id(kind) in self._classes or any(self.owns(one, 1) for _, one in _provided(value))

    def registered(self, value: object) -> bool:
        """Whether it was their load that put it where it is, and not somebody later, as far as that can be told."""
        value = honest(value)
        match value:
            case FunctionType() | type():
                return id(value) in self._held or id(value) not in self._bound
            case tuple() | list():
                return any(self.registered(one) for one in value if self.owns(one))
            case dict():
                return any(self.registered(one) for one in dict.values(value) if self.owns(one))
            case MethodType():
                return self.registered(value.__func__) if type(value.__func__) is FunctionType else False
            case ref():
                return self.registered(value())
            case partial():
                return True
            case _:
                return any(self.registered(one) for _, one in _provided(value) if self.owns(one, 1))


def _provided(value: object) -> list[tuple[object, object]]:
    """Return the functions and classes that an object has as attributes, by name: what others make of what is given to them."""
    attributes = attributes_of(value)
    if not attributes or len(attributes) > _LONG:
        return []
    return [(name, one) for name, one in attributes.items() if is_a(one, _GIVEN)]


_GIVEN = (FunctionType, MethodType, partial, type)


def _contents(function: FunctionType) -> Iterable[object]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # empty yet
            continue


class Settling:
    """What is to be done about one registry once the new version is in force."""

    def __init__(
        self,
        registry: Registry,
        before: Registry,
        old: Owners,
        canonical: Callable[[object], object],
        *,
        kind: type | None = None,
    ) -> None:
        """Look at it; nothing is changed yet.

        Args:
            before: What was in it before the new version ran.
            old: Tells what belongs to the version in force.
            canonical: Tells what stands in the place of an object from now on.
            kind: The class of which it is an instance's attributes, where it is that.
        """
        self._registry = registry
        self._kind = kind
        self._gone: list[object] = []
        self._moves: list[tuple[int, int]] = []
        self._succeeded: list[tuple[object, tuple[object, ...], int]] = []
        match registry, before:
            case dict(), dict():
                self._plan_dict(registry, before, old, canonical)
            case set(), set():
                self._plan_set(registry, before, old)
            case list() | deque(), list() | deque():
                self._plan_list(registry, before, old)

    def __bool__(self) -> bool:
        return bool(self._gone or self._moves or self._succeeded)

    def _plan_dict(
        self,
        registry: dict[object, object],
        before: dict[object, object],
        old: Owners,
        canonical: Callable[[object], object],
    ) -> None:
        again = {id(canonical(key)) for key in registry if key not in before}
        # Where each registration makes a container of its own, such a one tells of one thing.
        renewed = {type(value) for key, value in before.items() if dict.get(registry, key, self) is not value}
        changed = any(dict.get(registry, key) is not value for key, value in before.items()) or len(again) > 0
        for key, value in before.items():
            if dict.get(registry, key, self) is not value or id(key) in again or not (old.owns(value) or old.owns(key)):
                continue
            if is_a(value, _STRUCTURES) and not (_is_row(value) or type(value) in renewed or old.owns(key)):
                continue  # it is put in order by itself
            if old.registered(value) or old.registered(key) or (changed and not is_a(value, (FunctionType, type))):
                self._gone.append(key)

    def _plan_set(self, registry: set[object], before: set[object], old: Owners) -> None:
        new = [describe(one) for one in registry if one not in before]
        for one in before:
            if one in registry and old.owns(one):
                described = describe(one)
                if described in new:
                    if not is_a(one, (FunctionType, type)):
                        self._succeeded.append((one, described, new.count(described)))
                elif old.registered(one):
                    self._gone.append(one)

    def _plan_list(
        self, registry: list[object] | deque[object], before: list[object] | deque[object], old: Owners
    ) -> None:
        known = {id(one) for one in before}
        new = [(index, describe(one)) for index, one in enumerate(registry) if id(one) not in known]
        for index, one in enumerate(registry):
            if id(one) not in known or not old.owns(one):
                continue
            described = describe(one)
            match_at = next((place for place, (_, other) in enumerate(new) if other == described), None)
            if match_at is not None:
                self._moves.append((new.pop(match_at)[0], index))
            elif old.registered(one) or (new and not is_a(one, (FunctionType, type))):
                self._gone.append(index)

    def settle(self, plan: Plan) -> None:
        """Plan to let what was registered again stand where it stood, and what was not be gone."""
        registry = self._registry
        if is_a(registry, dict):
            for key in self._gone:
                undo = (setitem, registry, key, registry[key])
                if self._kind is None or (is_a(key, str) and hasattr(self._kind, key)):
                    plan.add((registry.pop, key, None), undo)
                else:
                    # Whoever looks for an attribute expects it, be it empty.
                    plan.add((setitem, registry, key, None), undo)
        elif is_a(registry, set):
            # A row and its successor may have become one by now.
            now = [describe(one) for one in registry]
            gone = [*self._gone, *(one for one, described, count in self._succeeded if now.count(described) > count)]
            plan.add((registry.difference_update, gone), (registry.update, gone))
        else:
            self._settle_list(registry, plan)

    def _settle_list(self, registry: list[object] | deque[object], plan: Plan) -> None:
        before = list(registry)
        after = list(before)
        for at, to in self._moves:
            after[to] = before[at]
        dropped = {*(at for at, _ in self._moves), *self._gone}
        after = [one for index, one in enumerate(after) if index not in dropped]
        if is_a(registry, list):
            plan.add((setitem, registry, slice(None), after), (setitem, registry, slice(None), before))
        else:
            plan.add((registry.clear,), (registry.extend, before))
            plan.add((registry.extend, after), (registry.clear,))


_STRUCTURES = (list, dict, set, deque)


def _is_row(value: object) -> bool:
    """Whether a container tells of one thing, and is none that others are put into: it has texts or numbers in it too."""
    inside: Iterable[object] = dict.values(value) if is_a(value, dict) else value  # type: ignore[assignment]
    return any(is_a(one, (str, int, float)) for one in inside)


def describe(value: object) -> tuple[object, ...]:
    """Return what an entry and its successor have in common."""
    kind = type(value)
    value = honest(value)
    match value:
        case FunctionType():
            return ("function", value.__module__, value.__qualname__)
        case type():
            return ("class", value.__module__, value.__qualname__)
        case MethodType():
            return ("method", describe(value.__self__), value.__name__)
        case partial():
            return ("partial", describe(value.func))
        case ref():
            return ("reference", describe(value()))
        case tuple() | list():
            return ("row", *(describe(one) for one in value[:_LONG]))
        case dict():
            return ("table", *((describe(key), describe(one)) for key, one in [*dict.items(value)][:_LONG]))
        case str() | int() | float() | bytes() | None:
            return ("value", value)
        case _:
            given = ((name, describe(one)) for name, one in _provided(value))
            return ("instance", kind.__module__, kind.__qualname__, *given)
