"""A module that was run to what of it is a plugin, be it itself or classes in it that each provide the interface; or to everything that it lacks."""

import sys

from plugline.contract.interface import Interface, Member, own_annotations
from plugline.contract.shape import shape_of, shape_problems
from plugline.discovery.unfit import (
    missing_message,
    missing_part,
    nearest_attempt,
    no_class,
    not_callable,
    several_fit,
    shape_findings,
)
from plugline.findings import Finding, Place
from plugline.loading.target import Declined, Target, Vanished
from plugline.names import is_public
from plugline.typed import Callable, CodeType, Collection, Container, FunctionType, ModuleType, Sequence, TypeGuard


def find_target(
    value: object, interfaces: Sequence[Interface], place: Place, *, defined: Container[str] | None
) -> Target | tuple[Finding, ...]:
    """Return what of ``value`` (a module, or an object in one) provides one of ``interfaces``, the first that fits.

    Args:
        defined: The names that the module's own source binds: of others only what was made in it counts. ``None``
            where anything counts.
    """
    attempts = []
    for interface in interfaces:
        found = _find_for(value, interface, place, defined)
        if isinstance(found, Target):
            return found
        attempts.append((missing_part(interface, _missing(value, interface, defined)), found))
    return nearest_attempt(attempts)


def _find_for(
    value: object, interface: Interface, place: Place, defined: Container[str] | None
) -> Target | tuple[Finding, ...]:
    if is_class(value):
        if interface.base is None and not interface.members:
            return Target(value, interface)
        return class_target([value], interface, place) or _lacks(value, interface, place)
    findings = _member_findings(value, interface, place, defined)
    if interface.base is None and not findings:
        return Target(value, interface)
    if interface.base is not None and isinstance(value, interface.base):
        return Target(value, interface)
    if isinstance(value, ModuleType):
        classes = own_classes(value)
        target = class_target(classes, interface, place)
        if target is not None:
            return target
        base = interface.base
        unfinished = [one for one in classes if base is not None and issubclass(one, base) and one is not base]
        if unfinished:
            return _lacks(unfinished[0], interface, place)
        namesake = _of_namesake(classes, interface, place) if base is not None else None
        if namesake is not None:
            return (namesake,)
    return findings


def is_class(value: object) -> TypeGuard[type]:
    """Whether a value is a class; asks its type only, since proxies raise when they are asked for ``__class__``."""
    return issubclass(type(value), type)


def _of_namesake(classes: Sequence[type], interface: Interface, place: Place) -> Finding | None:
    """Return the finding for a class whose base is called like the host's, and is another object: a second import of it."""
    base = interface.base
    assert base is not None  # noqa: S101 - the caller asked
    for one in classes:
        for ancestor in type.mro(one):
            if ancestor.__name__ == base.__name__ and ancestor.__module__ not in (one.__module__, base.__module__):
                theirs, ours = f"{ancestor.__module__}.{ancestor.__name__}", f"{base.__module__}.{base.__name__}"
                message = f"class {one.__name__} derives from {theirs}, another class than the program's {ours}"
                hint = f"import it as the program does: from {base.__module__} import {base.__name__}"
                if base.__module__ == "__main__":
                    hint = f"the file that was started is run a second time by importing it; move {base.__name__} into a module"
                return Finding("P201", message, place, hint=hint)
    return None


def _lacks(value: type, interface: Interface, place: Place) -> tuple[Finding, ...]:
    missing = sorted({m.name for m in interface.members if not _has_attribute(value, m.name)} | _abstract(value))
    if interface.base is not None and not issubclass(value, interface.base):
        hint = f"class {value.__name__}({interface.name}): ..."
        return (Finding("P201", f"class {value.__name__} does not derive from {interface.name}", place, hint=hint),)
    message = missing_message(interface, missing, "methods") if not _abstract(value) else f"missing methods {missing}"
    return (Finding("P201", f"class {value.__name__} is {message}", place),)


_ABSTRACT = 1 << 20  # Py_TPFLAGS_IS_ABSTRACT, as inspect.isabstract has it


def _abstract(value: type) -> set[str]:
    # By the flag, which no metaclass can answer for: one that looks its attributes up elsewhere may not come back.
    return set(_abstract_methods_of(value)) if _flags_of(value) & _ABSTRACT else set()


_flags_of = type.__dict__["__flags__"].__get__
_abstract_methods_of = type.__dict__["__abstractmethods__"].__get__


def _is_no_question(function: Callable[..., object]) -> bool:
    """Whether a function wants arguments, or would answer with something to await or to iterate over."""
    code = getattr(function, "__code__", None)
    if type(function) is not FunctionType or not isinstance(code, CodeType):
        return False  # it shows when it is called
    if code.co_flags & _ANSWERS_LATER:
        return True
    given = function.__kwdefaults__ or {}
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return code.co_argcount > len(function.__defaults__ or ()) or any(name not in given for name in names)


# Generators, coroutines and both, as inspect.CO_GENERATOR and its neighbours have it.
_ANSWERS_LATER = 0x20 | 0x80 | 0x200


def _has_attribute(owner: type, name: str) -> bool:
    # Not hasattr: every class has a __call__, that of its metaclass.
    return any(name in vars(ancestor) for ancestor in owner.__mro__)


def own_classes(module: ModuleType) -> list[type]:
    """Return the public classes that are defined in a module, or below a package."""
    exported = getattr(module, "__all__", None)
    return [
        value
        for name, value in vars(module).items()
        if is_class(value)
        and (name in exported if exported is not None else is_public(name))
        and f"{value.__module__}.".startswith(f"{module.__name__}.")
        and name == value.__name__
    ]


def class_target(classes: Sequence[type], interface: Interface, place: Place) -> Target | tuple[Finding, ...] | None:
    """Return the one class that fits, findings where several do or one nearly does, ``None`` where none does."""
    fitting = [candidate for candidate in classes if _fits(candidate, interface)]
    if len(fitting) > 1 and interface.base is None:
        fitting = [one for one in fitting if _fits(one, interface, _mentioned)] or fitting
    if len(fitting) > 1:
        return (several_fit([candidate.__name__ for candidate in fitting], place),)
    if not fitting:
        return None
    findings = tuple(
        finding
        for member in interface.members
        for finding in _call_findings(vars_of(fitting[0], member.name), member, fitting[0].__name__, place)
    )
    return findings or Target(fitting[0], interface)


def vars_of(owner: type, name: str) -> object:
    """Return a method as it will be on an instance, as far as its parameters go."""
    for ancestor in owner.__mro__:
        if name in vars(ancestor):
            value = vars(ancestor)[name]
            if isinstance(value, (staticmethod, classmethod)):
                return getattr(owner, name)
            # Only what is a descriptor gets the instance; a callable object or a class in the body does not. What a
            # partialmethod or a property gives is seen on the instance.
            return _Unbound(value) if hasattr(type(value), "__get__") else value
    return getattr(owner, name, None)


class _Unbound:
    """A plain method seen through its class: its first parameter is the instance."""

    def __init__(self, function: object) -> None:
        self.function = function

    def __call__(self) -> None:
        """Only its shape is of interest."""


def _fits(candidate: type, interface: Interface, sets: "Callable[[type, str], bool] | None" = None) -> bool:
    if vars(candidate).get("_is_protocol", False) or _abstract(candidate):
        return False
    if interface.base is not None:
        return issubclass(candidate, interface.base) and candidate is not interface.base
    annotated = {name for ancestor in candidate.__mro__ for name in own_annotations(ancestor)}
    # What is no function may be set on the instance, which shows when there is one.
    sets = sets or _sets_more
    return bool(interface.members) and all(
        _has_attribute(candidate, member.name)
        or (not member.is_function and (member.name in annotated or sets(candidate, member.name)))
        for member in interface.members
    )


def _sets_more(owner: type, _: str) -> bool:
    # One that is written in C, as a dict's or an exception's, sets nothing.
    sets = any(type(vars(above).get("__init__")) is FunctionType for above in owner.__mro__)
    return sets and "_member_map_" not in vars(owner)


def _mentioned(owner: type, name: str) -> bool:
    """Whether a method names an attribute, and so may be what sets it."""
    functions = [one for above in owner.__mro__ for one in vars(above).values() if type(one) is FunctionType]
    return any(name in one.__code__.co_names for one in functions)


def _missing(value: object, interface: Interface, defined: Container[str] | None) -> list[Member]:
    return [member for member in interface.members if not _has_own(value, member, defined)]


def has_several(
    module: object, interfaces: Sequence[Interface], found: Target | tuple[Finding, ...]
) -> TypeGuard[ModuleType]:
    """Whether it is for one of several classes of a module to be the plugin, since it is not itself what was found."""
    if not isinstance(module, ModuleType) or (isinstance(found, Target) and found.value is module):
        return False
    return sum(any(_fits(one, interface) for interface in interfaces) for one in own_classes(module)) > 1


def shows_some(candidate: type, interface: Interface) -> bool:
    """Whether a class that fits has something that its interface asks for, other than by what its instances may be given."""
    init = getattr(vars_of(candidate, "__init__"), "function", None)
    names = {name for ancestor in candidate.__mro__ for name in (*vars(ancestor), *own_annotations(ancestor))}
    names.update(init.__code__.co_names if isinstance(init, FunctionType) else ())
    return any(member.name in names for member in interface.members)


_NO_FUNCTION = "lead to its module; functions themselves fit a Protocol with __call__"


def _member_findings(
    value: object, interface: Interface, place: Place, defined: Container[str] | None
) -> tuple[Finding, ...]:
    if interface.base is not None:
        return (no_class(interface, place),)
    missing = [member.name for member in _missing(value, interface, defined)]
    message, hint = missing_message(interface, missing), None
    if type(value) is FunctionType:
        message, hint = f"function {value.__name__!r} is {message}", _NO_FUNCTION
    findings = [Finding("P201", message, place, hint)] if missing else []
    for member in interface.members:
        if member.name not in missing:
            findings += _call_findings(getattr(value, member.name), member, "", place)
    return tuple(findings)


def _has_own(value: object, member: Member, defined: Container[str] | None) -> bool:
    if not hasattr(value, member.name) or (member.is_for_classes and isinstance(value, ModuleType)):
        return False
    if defined is None or not isinstance(value, ModuleType):
        return True
    found = getattr(value, member.name)
    home = getattr(found, "__module__", None)
    # A decorator of the host's may have put a function of its own module in the place of the plugin's. What the source
    # binds is asked for last: most often it need not be known.
    if home == value.__name__ or member.name in defined:
        return True
    # Neighbours in the private package count as the plugin's own; what has no home (a partial, a constant) does too.
    package = value.__name__.rpartition(".")[0]
    plain = isinstance(home, str) and hasattr(found, "__qualname__") and not is_class(found)
    return not plain or str(home).startswith((f"{value.__name__}.", f"{package}."))


def _call_findings(value: object, member: Member, owner: str, place: Place) -> list[Finding]:
    shown = f"{owner}.{member.name}" if owner else member.name
    if not member.is_function:
        return _instance_findings(shown, value, member.kind, place)
    if not callable(value):
        return [not_callable(shown, value, place)]
    function = value.function if isinstance(value, _Unbound) else value
    shape = shape_of(function) if member.shape is not None else None
    if shape is None or member.shape is None:
        return []
    if isinstance(value, _Unbound):
        shape = shape.without_first()
    return shape_findings(shown, member, shape_problems(member.shape, shape), _def_place(function, place))


def _instance_findings(name: str, value: object, kind: type | None, place: Place) -> list[Finding]:
    # Anything else may do as well as an instance: a number for another, what stands for a value that comes later.
    if kind is None or not (is_class(value) or isinstance(value, FunctionType)) or isinstance(value, kind):
        return []
    what, hint = (
        ("class", f"{name} = {value.__name__}()") if is_class(value) else ("function", "is its decorator missing?")
    )
    message = f"{name!r} is the {what} {value.__name__}, an instance of {kind.__name__} was expected"
    return [Finding("P202", message, _def_place(value, place), hint=hint)]


def _def_place(function: object, place: Place) -> Place:
    code = getattr(function, "__code__", None)
    return Place(place.path, code.co_firstlineno) if code is not None else place


def ask_available(module: object, path: str, place: Place) -> Declined | Finding | None:
    """Ask a plugin's ``available()``, where it has one, whether it applies here.

    ``True`` (or ``None``) says yes; ``False``, what else counts as that, and any text say no, the text being the reason. A function of this name that
    cannot be called without arguments, or has to be awaited, is another one.
    """
    available = getattr(module, "available", None)
    if not callable(available) or is_class(available) or _is_no_question(available):
        return None
    try:
        answer = available()
        reason = str(answer) if isinstance(answer, str) else None
        declines = answer is not None and not answer  # 0, or a library's own False, is no
    except BaseException as error:
        from plugline.blame import describe_error, users_own_interrupt  # few plugins fail

        if users_own_interrupt(error):
            raise
        text = describe_error(error, path)
        message = f"available() raised {text.said}"
        return Finding("P305", message, Place(place.path, text.line if text.path == path else None))
    if reason is not None:
        return Declined(reason or "its available() returned an empty text")
    return Declined("its available() returned False") if declines else None


Family = dict[str, Target | tuple[Finding, ...]]
"""By the name of a class: that it provides the interface, or what is wrong with how it does."""


def find_plugin(
    module: object,
    interfaces: Sequence[Interface],
    place: Place,
    *,
    named: Callable[[], str],
    class_name: str,
    defined: Container[str] | None,
    imported: Callable[[], Collection[str]],
    alone: Callable[[], str],
) -> tuple[Target | Vanished | tuple[Finding, ...], Family]:
    """Return what of a module is the plugin that is meant, and all classes of it that are plugins where there are several.

    Where nothing but a base class will do, or a class was seen to be the plugin, only classes count. Else the module comes first.

    Args:
        named: Returns what the plugin is called: with a class in it, nothing but that class will do. It is asked where that
            class is none, or the only one.
        class_name: The class that the source made out to be it, empty where it showed none.
        defined: See :func:`~plugline.loading.binding.find_target`.
        imported: Returns the names that its source imports, which are never its own unless their module is. It is
            asked where that is in doubt.
        alone: Returns the class that has the file's name where several fit, empty where none has.
    """
    family: Family = {}
    if class_name or all(interface.base is not None for interface in interfaces):
        family = _find_family(module, interfaces, place, imported)
    if not family:
        found = find_target(module, interfaces, place, defined=defined)
        if class_name and isinstance(found, Target) and named().endswith(f":{class_name}"):
            return _choose({}, class_name, named, place, interfaces), {}  # the module is another plugin
        if class_name or not has_several(module, interfaces, found):
            return found, {}
        family = _find_family(module, interfaces, place, imported)
        class_name = alone()
    return _choose(family, class_name, named, place, interfaces), family


def _find_family(
    module: object,
    interfaces: Sequence[Interface],
    place: Place,
    imported: Callable[[], Collection[str]],
) -> Family:
    """Return the concrete classes defined in a module that are plugins, in the order of their definition."""
    if not isinstance(module, ModuleType):
        return {}
    by_base = [interface for interface in interfaces if interface.base is not None]
    homeless = _homeless_classes(module, imported) if by_base else []
    found = []
    for asked, classes in ((interfaces, own_classes(module)), (by_base, homeless)):
        for one in classes:
            each = [(one, way, made) for way in asked if (made := class_target([one], way, place)) is not None]
            found += ([other for other in each if isinstance(other[2], Target)] or each)[:1]
    # Of a class whose instances may be given anything nothing may be meant, and nothing of one in which a method is called
    # as an interface says that others provide.
    shown = [one for one in found if one[1].base is not None or shows_some(one[0], one[1])] or found
    provided = [way for _, way, made in shown if isinstance(made, Target)]
    return {
        one.__name__: made
        for one, way, made in shown
        if isinstance(made, Target) or not provided or way in provided or way.base is not None
    }


def _homeless_classes(module: ModuleType, imported: Callable[[], Collection[str]]) -> list[type]:
    """Return the classes that a function made, and that say they are from where that function is.

    ``type("Made", (Base,), {})`` with an abstract base makes a class of the module ``abc``.
    """
    return [
        value
        for name, value in vars(module).items()
        if is_class(value)
        and name == value.__name__
        and is_public(name)
        and f"{value.__module__}.".partition(f"{module.__name__}.")[0]
        and getattr(sys.modules.get(value.__module__), name, None) is not value
        and name not in imported()
    ]


def _choose(
    family: Family, class_name: str, named: Callable[[], str], place: Place, interfaces: Sequence[Interface]
) -> Target | Vanished | tuple[Finding, ...]:
    """Return what one plugin of a file leads to, once the file's classes are known, at least one."""
    found = family.get(class_name)
    if found is not None:
        return found
    name = named()
    has_own_name = class_name != "" and name.endswith(f":{class_name}")
    if len(family) == 1 and not has_own_name:
        return next(iter(family.values()))
    file = name.removesuffix(f":{class_name}") if class_name else name
    hint = f"name the one that is meant: {', '.join(f'{file}:{one}' for one in family)}"
    if has_own_name:
        ways = ((one.name, "derive from" if one.base is not None else "provide") for one in interfaces)
        lacks = " or ".join(f"{what} {one}" for one, what in ways)
        message = f"{class_name} is no concrete class of this file, or does not {lacks}"
        return Vanished((Finding("P201", message, place, hint=hint if family else None),))
    return Vanished((Finding("P205", f"{len(family)} classes fit: {', '.join(family)}", place, hint=hint),))
