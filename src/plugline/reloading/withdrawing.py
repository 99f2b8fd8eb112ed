"""What a version registered with others, taken out for the time of a trial: for those that look before they take something.

Some refuse what is registered twice, some leave what is there. Both are right about a program that starts, and keep a new
version from registering beside the old one. So where one of the two is seen, the trial is made again without what the old
version had registered; for as long as that takes, nobody finds it there.
"""

from collections import deque
from collections.abc import Sequence
from types import FunctionType

from plugline.kinds import is_a
from plugline.reloading.adoption import owners_of
from plugline.reloading.imported import names_made
from plugline.reloading.parts import Part
from plugline.reloading.reach import Reach
from plugline.reloading.registered import Registry
from plugline.reloading.shadow import Shadow


class Registrations:
    """What some modules have registered with others, as far as that can be told."""

    def __init__(self, parts: Sequence[Part], reach: Reach) -> None:
        """Look for it; nothing is changed. What they made of others' classes and gave a name counts as registered wherever it is."""
        owners = owners_of(parts)
        made = {
            id(part.names[name])
            for part in parts
            for name in names_made(part.trace.code)
            if name in part.names and _is_object(part.names[name])
        }
        own = _own_containers(parts, reach)

        def is_theirs(value: object) -> bool:
            return id(value) in made or (owners.owns(value) and owners.registered(value))

        self._found: list[tuple[Registry, list[object]]] = []
        for registry, _ in reach.containers():
            if id(registry) in own or id(registry) in reach.attributes:
                continue
            if is_a(registry, dict):
                theirs = [key for key, value in registry.items() if is_theirs(key) or is_theirs(value)]
            else:
                theirs = [one for one in registry if is_theirs(one)]
            if theirs:
                self._found.append((registry, theirs))

    def __bool__(self) -> bool:
        return bool(self._found)

    def withdraw(self) -> None:
        """Take it out. Whoever has copies of the registries puts it back."""
        for registry, theirs in self._found:
            gone = {*map(id, theirs)}
            if is_a(registry, dict):
                for key in theirs:
                    del registry[key]
            elif is_a(registry, set):
                registry.difference_update(theirs)
            else:
                left = [one for one in registry if id(one) not in gone]
                registry.clear()
                registry.extend(left)


def _is_object(value: object) -> bool:
    """Whether it is an object of somebody's class, and no function, class, module or container."""
    return bool(type(value).__flags__ & _HEAP) and not is_a(value, (type, dict, list, set, tuple, deque))


_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement


def are_left(parts: Sequence[Part], shadows: Sequence[Shadow], reach: Reach) -> bool:
    """Whether something stands where it was registered, though the new version that has run has one of that name too."""
    if _are_objects_left(parts, shadows, reach):
        return True
    standing = [
        (registry, value)
        for registry, before in reach.containers()
        if is_a(registry, dict) and is_a(before, dict) and before and id(registry) not in reach.attributes
        for key, value in before.items()
        if type(value) not in _PLAIN and is_a(value, (FunctionType, type)) and registry.get(key) is value
    ]
    if not standing:
        return False
    successors = {
        id(value)
        for part, shadow in zip(parts, shadows, strict=True)
        for name, value in list(part.names.items())  # which other threads may change
        if is_a(value, (FunctionType, type)) and shadow.new.get(name, value) is not value
    }
    standing = [(registry, value) for registry, value in standing if id(value) in successors]
    if not standing:
        return False
    own, owners = _own_containers(parts, reach), owners_of(parts)
    return any(id(registry) not in own and owners.registered(value) for registry, value in standing)


def _are_objects_left(parts: Sequence[Part], shadows: Sequence[Shadow], reach: Reach) -> bool:
    """Whether an object stands where it was registered, in whose place its successor should be."""
    successors = {
        id(value): id(new)
        for part, shadow in zip(parts, shadows, strict=True)
        for name, value in list(part.names.items())  # which other threads may change
        if id(value) in part.trace.held and _is_object(value) and (new := shadow.new.get(name, value)) is not value
    }
    if not successors:
        return False
    own = _own_containers(parts, reach)
    for registry, before in reach.containers():
        if id(registry) not in own and id(registry) not in reach.attributes:
            was, now = ({*map(id, one.values() if is_a(one, dict) else one)} for one in (before, registry))
            if any(one in was and one in now and successors[one] not in now for one in successors):
                return True
    return False


def _own_containers(parts: Sequence[Part], reach: Reach) -> set[int]:
    """Return the ``id`` of each container that the modules have made for themselves."""
    others = reach.of_others()
    values = [value for part in parts for value in part.names.values() if id(value) not in others]
    return reach.containers_in(values) - others


_PLAIN = frozenset({str, int, float, bool, bytes, type(None), list, dict, tuple, set})
