"""What code could change outside of itself while it runs, remembered so that it can be put back; and what it registered.

A trial runs the new version's code, and that may fill somebody's registry, or empty it, before it fails. Which containers
it can get at, its names tell: those of modules that it imports, of functions that it calls, of classes that it derives
from. Each of them is copied, one level deep, and followed.

Not followed: the standard library, whose state has its own journal, and anything behind code written in C.
"""

import sys
from _abc import _get_dump, _reset_caches, _reset_registry  # type: ignore[import-not-found]  # what abc is made of
from abc import ABCMeta
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from operator import is_
from types import FunctionType, MemberDescriptorType, MethodType, ModuleType, SimpleNamespace
from typing import Any

from plugline.kinds import attributes_of, built_of, honest, is_a
from plugline.reloading.codes import words_in
from plugline.reloading.registered import Registry

_MOST = 20_000  # objects; beyond it is data, not registries
_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
_Cached = type(lru_cache(len))
_PLAIN = frozenset({str, bytes, int, float, bool, type(None), complex, range, slice, type(Ellipsis)})


_NO_CONTAINERS = _PLAIN | {FunctionType, ModuleType, property, staticmethod, classmethod}


class _Slots:
    __slots__ = ("_names", "_value")

    def __init__(self, value: object, names: list[str]) -> None:
        self._value = value
        self._names = names

    def held(self) -> dict[str, object]:
        """Return it, by the names of the slots."""
        found = {}
        for name in self._names:
            try:
                found[name] = object.__getattribute__(self._value, name)
            except AttributeError:  # empty
                continue
        return found

    def put_back(self, before: dict[str, object]) -> None:
        for name in self.held().keys() - before.keys():
            object.__delattr__(self._value, name)
        for name, value in before.items():
            object.__setattr__(self._value, name, value)


class _Subclasses(_Slots):
    __slots__ = ()

    def __init__(self, owner: ABCMeta) -> None:
        super().__init__(owner, [])

    def held(self) -> dict[str, object]:
        living = (held() for held in _get_dump(self._value)[0])
        return {str(id(one)): one for one in living if one is not None}

    def put_back(self, before: dict[str, object]) -> None:
        _reset_registry(self._value)
        _reset_caches(self._value)
        for one in before.values():
            ABCMeta.register(self._value, one)  # type: ignore[arg-type]


class Reach:
    """The containers that some code can get at, as they were.

    Args:
        belongs: Whether a module's names are part of what is replaced as a whole, and so need no copy.
        own: The names of the modules that are replaced.
    """

    def __init__(self, belongs: Callable[[dict[str, object]], bool], own: frozenset[str]) -> None:
        self._belongs = belongs
        self._own = own
        self._seen: set[int] = set()
        self._pending: deque[object] = deque()  # the nearest first: of much, what is far is data
        self._copies: list[tuple[object, object]] = []
        self._modules: list[tuple[object, object]] = []  # and other attributes, which are no registries
        self._slots: dict[type, list[str]] = {}
        self.attributes: dict[int, type] = {}  # of which class an instance has them, by the ``id`` of the dict
        self._marked: dict[int, object] | None = None

    def look(self, words: frozenset[str], names: dict[str, object]) -> None:
        """Follow what some code of a module with these names mentions: see :func:`plugline.reloading.codes.words_in`."""
        # A new version has functions of its own by these names; an old one that it can get at is met where that is.
        self._follow_words(
            words.difference([word for word in words if word in names and _is_of(names, names[word])]), names
        )
        modules = sys.modules
        for word in [word for word in words if word in modules]:
            self._follow_module(modules.get(word), words)
        self._walk()

    def look_at(self, value: object) -> None:
        """Follow one object."""
        self._pending.append(value)
        self._walk()

    def keep(self, container: object) -> None:
        """Remember one container, and nothing that it holds; it is none that a plugin registers with by itself."""
        self._modules.append((container, _copied(container)))

    def _follow_words(self, words: frozenset[str], names: dict[str, object]) -> None:
        for value in [names[word] for word in words if word in names]:
            if is_a(value, ModuleType):
                self._follow_module(value, words)
            elif value is not None:
                self._pending.append(value)

    def _follow_module(self, module: object, words: Iterable[str]) -> None:
        if not is_a(module, ModuleType) or _is_closed(module.__name__):
            return
        names = module.__dict__
        if self._belongs(names):
            return
        if id(names) not in self._seen:
            self._seen.add(id(names))
            self._modules.append((names, dict(names)))
        self._pending += [names[word] for word in words if word in names and not is_a(names[word], ModuleType)]

    def _walk(self) -> None:
        while self._pending and len(self._seen) < _MOST:
            value = honest(self._pending.popleft())
            kind = type(value)
            if kind in _PLAIN or id(value) in self._seen or (kind is type and value.__module__ in self._own):
                continue
            self._seen.add(id(value))
            match value:
                case dict() | list() | set() | deque() | bytearray():
                    before: Any = _copied(value)  # which no other thread changes
                    self._copies.append((value, before))
                    inside = before.values() if is_a(before, dict) else before
                    self._pending += [one for one in inside if type(one) not in _PLAIN]
                    attributes = attributes_of(value) if kind.__flags__ & (1 << 9) else None
                    if attributes is not None:
                        self._pending.append(attributes)
                case tuple() | frozenset():
                    self._pending += value
                case FunctionType():
                    self._follow_function(value)
                case MethodType():
                    self._pending += (value.__self__, value.__func__)
                case ModuleType():
                    continue
                case type():
                    self._follow_class(value)
                case _:
                    self._follow_instance(value)

    def _follow_function(self, function: FunctionType) -> None:
        attributes = function.__dict__
        self._modules.append((attributes, attributes.copy()))
        if self._belongs(function.__globals__):
            return
        for cell in function.__closure__ or ():
            try:
                self._pending.append(cell.cell_contents)
            except ValueError:  # empty yet
                continue
        self._pending += function.__defaults__ or ()
        self._pending += attributes.values()
        names = function.__globals__
        if _is_closed(names.get("__name__")):
            return
        words = words_in(function.__code__)
        if not self._belongs(names) and id(names) not in self._seen:
            self._seen.add(id(names))
            self._modules.append((names, dict(names)))
        self._follow_words(words, names)

    def _follow_class(self, owner: type) -> None:
        if "_abc_impl" in vars(owner) and owner.__module__ not in self._own:
            self.keep(_Subclasses(owner))  # type: ignore[arg-type]
        if not owner.__flags__ & (1 << 9) or _is_closed(owner.__module__) or owner.__module__ in self._own:
            return
        names = dict(vars(owner))
        self._copies.append((owner, names))
        self._pending += (value for value in names.values() if type(value) not in _PLAIN)
        self._pending += owner.__mro__[1:-1]
        self._pending.append(type(owner))
        for value in names.values():
            if is_a(value, (staticmethod, classmethod, MethodType)):
                self._pending.append(value.__func__)

    def _follow_instance(self, value: object) -> None:
        kind = type(value)
        if kind is SimpleNamespace:
            self._pending.append(vars(value))
            return
        if not kind.__flags__ & (1 << 9) or kind is _Cached:
            wrapped = getattr(value, "__wrapped__", None) if kind.__module__ == "functools" else None
            if wrapped is not None:
                self._pending.append(wrapped)
            return
        self._pending.append(kind)
        attributes = attributes_of(value)
        if attributes is not None:
            self._pending.append(attributes)
            self.attributes[id(attributes)] = kind
        slots = self._slots_of(kind)
        if slots:
            view = _Slots(value, slots)
            held = view.held()
            self._modules.append((view, held))
            self._pending += held.values()

    def _slots_of(self, kind: type) -> list[str]:
        names = self._slots.get(kind)
        if names is None:
            names = self._slots[kind] = [
                name
                for one in kind.__mro__
                if "__slots__" in vars(one)
                for name, value in vars(one).copy().items()
                if is_a(value, MemberDescriptorType)
            ]
        return names

    def containers(self) -> list[tuple[Registry, Registry]]:
        """Return the containers that could be registries, each with its copy from before."""
        return [(one, before) for one, before in self._copies if is_a(one, (dict, list, set, deque))]  # type: ignore[misc]

    def of_others(self) -> set[int]:
        """Return the ``id`` of each variable of the modules that are not replaced: who has one too has imported it from there."""
        return {
            id(value)
            for names, _ in self._modules
            if is_a(names, dict) and "__spec__" in names
            for value in tuple(names.values())
        }

    @staticmethod
    def containers_in(values: Iterable[object]) -> set[int]:
        """Return the ``id`` of each container among values, in those, and in what instances hold."""
        found: set[int] = set()
        pending = [value for value in values if type(value) not in _NO_CONTAINERS]
        while pending and len(found) < _MOST:
            value = pending.pop()
            if id(value) in found:
                continue
            if is_a(value, (dict, list, set, deque, tuple)):
                found.add(id(value))
                inside = value.values() if is_a(value, dict) else value
                pending += [one for one in tuple(inside) if type(one) not in _NO_CONTAINERS]
            elif type(value).__flags__ & _HEAP and not is_a(value, (type, ModuleType)):
                found.add(id(value))
                attributes = attributes_of(value)
                if attributes is not None:
                    pending.append(attributes)
        return found

    def copies(self) -> list[object]:
        """Return the copies."""
        return [before for _, before in (*self._copies, *self._modules)]

    def forget(self) -> None:
        """Let go of the copies, which hold what is gone."""
        self._copies.clear()
        self._modules.clear()
        self._marked = None

    def mark(self) -> None:
        """Remember how things are now: what changes from here on is not undone by :meth:`restore`."""
        self._marked = {id(one): _copied_any(one) for one, before in self._all() if not _same(one, before)}

    def restore(self) -> None:
        """Put all of them back; where they were changed since :meth:`mark` too, only what had changed before that."""
        for container, before in self._all():
            if self._marked is None:
                if not _same(container, before):
                    _put_back(container, before)
            elif id(container) in self._marked:
                _withdraw(container, before, self._marked[id(container)])
        self._marked = None  # it holds what is withdrawn

    def _all(self) -> Iterable[tuple[object, object]]:
        return (*self._copies, *self._modules)


def _withdraw(container: object, before: object, marked: object) -> None:
    """Undo what lies between two states of a container, of which the second may have changed since."""
    if _same(container, marked):
        _put_back(container, before)
        return
    kind = built_of(container)
    match container, before, marked:
        case dict(), dict(), dict():
            for key in [key for key in marked if key not in before]:
                kind.pop(container, key, None)
            for key, value in before.items():
                if marked.get(key) is not value:
                    kind.__setitem__(container, key, value)
        case set(), set(), set():
            kind.difference_update(container, marked - before)
            kind.update(container, before - marked)
        case (list() | deque(), list() | deque(), list() | deque()):
            known = {id(one) for one in before}
            added = {id(one) for one in marked} - known
            for one in [one for one in container if id(one) in added]:
                kind.remove(container, one)


def _copied_any(value: object) -> object:
    return dict(vars(value)) if is_a(value, type) else _copied(value)


def _copied(value: object) -> object:
    match value:
        case dict():
            return dict(value)
        case list():
            return list(value)
        case set():
            return set(value)
        case deque():
            return deque(value)
        case _Slots():
            return value.held()
        case _:
            return bytes(value)  # type: ignore[call-overload]


def _is_closed(name: object) -> bool:
    """Whether a module is none that a plugin would register with: the standard library's, or ours."""
    top = name.partition(".")[0] if is_a(name, str) else ""
    return top in sys.stdlib_module_names or (top == "plugline" and top != name)


def _is_of(names: dict[str, object], value: object) -> bool:
    return type(value) is FunctionType and value.__globals__ is names


def _same(one: object, before: object) -> bool:
    # With functions of C alone, between which no other thread comes to change it.
    match one:
        case dict():
            return _same_dict(one, before)  # type: ignore[arg-type]
        case type():
            return _same_dict(dict(vars(one)), before)  # type: ignore[arg-type]
        case _Slots():
            return _same_dict(one.held(), before)  # type: ignore[arg-type]
        case list() | deque():
            return len(one) == len(before) and all(map(is_, one, before))  # type: ignore[arg-type, call-overload]
        case set():
            return len(one) == len(before) and {*map(id, one)} == {*map(id, before)}  # type: ignore[arg-type, call-overload]
        case _:
            return bool(one == before)


def _same_dict(one: dict[object, object], before: dict[object, object]) -> bool:
    return (
        len(one) == len(before)
        and all(map(is_, one, before))
        and all(map(is_, built_of(one).values(one), before.values()))
    )


def _put_back(container: object, before: object) -> None:
    kind = built_of(container)
    match container:
        case dict() | set():
            kind.clear(container)
            kind.update(container, before)
        case _Slots():
            container.put_back(before)  # type: ignore[arg-type]
        case list() | bytearray():
            kind.__setitem__(container, slice(None), before)
        case deque():
            kind.clear(container)
            kind.extend(container, before)
        case type():
            names = dict(vars(container))
            for name, value in before.items():  # type: ignore[attr-defined]
                if names.get(name, container) is not value:
                    type.__setattr__(container, name, value)
            for name in names.keys() - before.keys():  # type: ignore[attr-defined]
                with suppress(AttributeError):  # another thread was quicker
                    type.__delattr__(container, name)
