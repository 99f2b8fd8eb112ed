"""Two versions of a module to the names that were added, changed and removed, and to the state that is lost."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from enum import EnumMeta
from types import CodeType, FunctionType, ModuleType

from plugline.kinds import is_a
from plugline.loading.traces import Trace, class_values
from plugline.reloading.codes import Comparison
from plugline.reloading.parts import Part

_DATA = (str, bytes, int, float, complex, bool, type(None), list, dict, set, frozenset, tuple, bytearray)
_ATTRIBUTES = frozenset(
    {*_DATA, property, staticmethod, classmethod}
)  # besides functions, what a class is written with
_VALUES = frozenset(_DATA)
_NO_STATE = frozenset({FunctionType, ModuleType, type})
_ABSENT = object()


def edited_names(comparison: Comparison) -> tuple[str, ...]:
    """Return the functions and methods whose bodies were edited, in the order of the source."""
    return tuple(
        dict.fromkeys(_shown(old) for old, _ in sorted(comparison.edited, key=lambda pair: pair[1].co_firstlineno))
    )


def _shown(code: CodeType) -> str:
    return code.co_qualname.partition(".<locals>")[0]


def _own_names(names: dict[str, object], module: str, alike: Container[str]) -> dict[str, object]:
    """Return what a module defines itself, by name; what its classes have too, as ``Class.method``, but for those that are alike."""
    found: dict[str, object] = {}
    for name, value in names.items():
        kind = type(value)
        if name[:2] == "__":
            continue
        if kind is FunctionType:
            if value.__module__ in (None, module):
                found[name] = value
        elif issubclass(kind, type):
            if getattr(value, "__module__", None) in (None, module):
                found[name] = value
                if name in alike:
                    continue
                made = _members_of(value)
                inside = [(part, inner) for part, inner in vars(value).copy().items() if type(part) is str and part]
                found.update(
                    [
                        (f"{name}.{part}", inner)
                        for part, inner in inside
                        if type(inner) is FunctionType
                        or part in made
                        or (type(inner) in _ATTRIBUTES and part[:2] != "__" and not (part[0] == part[-1] == "_"))
                    ]
                )
        elif not issubclass(kind, ModuleType):
            found[name] = value
    return found


def _alike_classes(old: dict[str, object], new: dict[str, object], edited: Iterable[str]) -> set[str]:
    """Return the names of the classes of which there is nothing to tell but what they derive from: nearly all, after most edits."""
    told = {name.partition(".")[0] for name in edited}
    return {
        name
        for name, after in new.items()
        if type(after) is type
        and type(before := old.get(name)) is type
        and name not in told
        and _has_alike(vars(before).copy(), vars(after))
    }


def _has_alike(before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    """Whether two versions of a class have the same names, and under none of them anything of another kind or with another value."""
    if before.keys() != after.keys():
        return False
    for name, value in after.items():
        was, kind = before[name], type(value)
        if was is value:
            continue
        if kind is not type(was):
            return False
        if (kind is FunctionType or kind in _VALUES) and _changed(was, value):
            return False
    return True


class Differences:
    """What became of the names of one module.

    Made before the commit, when both versions are still apart.
    """

    def __init__(self, old: dict[str, object], new: dict[str, object], part: Part, kept: Sequence[str]) -> None:
        old, new = old.copy(), new.copy()  # threads may set names in them meanwhile
        trace = part.trace
        edited = {_shown(code) for code, _ in part.comparison.edited}
        alike = _alike_classes(old, new, edited)
        befores, afters = _own_names(old, trace.name, alike), _own_names(new, trace.name, alike)
        come, gone = afters.keys() - befores.keys(), befores.keys() - afters.keys()
        self.added = tuple([name for name in afters if name in come and not _is_made(name, afters, part.path)])
        self.removed = self._removed([name for name in befores if name in gone], befores, trace) if gone else ()
        lost = tuple(_lost(old, new, trace, kept))
        aside = {*lost, *kept}
        self.changed = tuple(
            [
                name
                for name, value in afters.items()
                if name in befores and (name in edited or _changed(befores[name], value)) and name not in aside
            ]
        )
        self.lost = lost

    @staticmethod
    def _removed(gone: list[str], befores: dict[str, object], trace: Trace) -> tuple[str, ...]:
        gone = [name for name in gone if not _is_made(name, befores, trace.path)]
        known = trace.left_names()
        written = {*known, *_names_in_classes(trace.code)} if any("." in name for name in gone) else known
        return tuple(name for name in gone if name in written)


def _members_of(kind: object) -> dict[object, object]:
    """Return the members of an enumeration, of any other class none."""
    members = type.__dict__["__dict__"].__get__(kind).get("_member_map_") if is_a(kind, EnumMeta) else None
    return members if type(members) is dict else {}


def _is_made(name: str, names: dict[str, object], path: str) -> bool:
    """Whether it is a method that no one wrote in this file, such as those of a dataclass."""
    value = names[name]
    return (
        "." in name
        and type(value) is FunctionType
        and value.__name__.startswith("__")
        and value.__code__.co_filename != path
    )


def _names_in_classes(code: CodeType) -> set[str]:
    """Return what the classes at the top of a module mention in their bodies, as ``Class.name``."""
    bodies = [one for one in code.co_consts if type(one) is CodeType and "__module__" in one.co_names]
    return {f"{body.co_name}.{name}" for body in bodies for name in body.co_names}


def _changed(before: object, after: object) -> bool:
    if type(before) is FunctionType and type(after) is FunctionType:
        positional, keywords = before.__defaults__, before.__kwdefaults__
        return not (
            (positional is after.__defaults__ or _same_data(positional, after.__defaults__))
            and (keywords is after.__kwdefaults__ or _same_data(keywords, after.__kwdefaults__))
        )
    if is_a(before, type) and is_a(after, type):
        return _bases_of(before) != _bases_of(after)
    if type(before) is not type(after):
        # Both versions of a class are there yet. Of its instances only members of an enumeration can be compared.
        if _name_of(type(before)) != _name_of(type(after)):
            return True
        return bool(_members_of(type(before)) and _members_of(type(after))) and not _same_data(
            vars(before)["_value_"], vars(after)["_value_"]
        )
    return is_a(before, _DATA) and _is_plain(before) and _is_plain(after) and repr(before) != repr(after)


def _bases_of(value: object) -> list[tuple[object, object]]:
    bases: tuple[type, ...] = type.__dict__["__bases__"].__get__(value)
    return [_name_of(base) for base in bases]


def _name_of(kind: type) -> tuple[object, object]:
    return type.__dict__["__dict__"].__get__(kind).get("__module__"), type.__dict__["__qualname__"].__get__(kind)


def _same_data(before: object, after: object) -> bool:
    if before is after:
        return True
    if type(before) is tuple and type(after) is tuple:
        if len(before) == len(after) and all(map(_same_atom, before, after)):
            return True
    elif (
        type(before) is dict
        and type(after) is dict
        and before.keys() == after.keys()
        and all(_same_atom(value, after[name]) for name, value in before.items())
    ):
        return True
    return _data_of(before) == _data_of(after)


def _same_atom(before: object, after: object) -> bool:
    return before is after or (type(before) is type(after) and type(before) in _ATOMS and before == after)


_ATOMS = frozenset({str, bytes, int, bool})  # what is equal to one of these is the same


def _data_of(value: object) -> str | None:
    return repr(value) if _is_plain(value) else None


def _is_plain(value: object, depth: int = 4) -> bool:
    """Whether a value is data all through, so that comparing it runs no code of anybody's."""
    if type(value) not in _DATA or depth == 0:
        return False
    match value:
        case dict():
            return len(value) < 1000 and all(
                _is_plain(k, depth - 1) and _is_plain(v, depth - 1) for k, v in value.copy().items()
            )
        case list() | set() | frozenset() | tuple():
            return len(value) < 1000 and all(_is_plain(one, depth - 1) for one in tuple(value))
        case _:
            return True


def _lost(old: dict[str, object], new: dict[str, object], trace: Trace, kept: Sequence[str]) -> Iterator[str]:
    """Yield the variables whose values had changed since the load and do not go along."""
    is_untouched = trace.untouched()
    for name, value in old.items():
        if type(value) in _NO_STATE or name in kept or name.startswith("__") or is_a(value, (ModuleType, type)):
            continue
        untouched = is_untouched(name, value)
        if untouched is None:
            if name not in new:
                yield name
            continue
        if untouched:
            continue
        after = new.get(name, _ABSENT)
        if after is value or (_is_plain(value) and _is_plain(after) and value == after):
            continue
        yield name
    touched = [item for item in class_values(old, trace.name).items() if is_untouched(*item) is False]
    afters = class_values(new, trace.name) if touched else {}
    for name, value in touched:
        after = afters.get(name, _ABSENT)
        if after is _ABSENT or after is value:
            continue
        if not (_is_plain(value) and _is_plain(after) and value == after):
            yield name
