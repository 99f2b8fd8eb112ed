"""A module that was run to the object that provides the interface, or to everything that it lacks."""

from collections.abc import Sequence
from types import ModuleType

from plugline.blame import describe_error, users_own_interrupt
from plugline.contract.interface import Interface, Member
from plugline.contract.shape import shape_of, shape_problems
from plugline.discovery.fit import not_callable, shape_findings
from plugline.findings import Finding, Place
from plugline.values import Value


class Target(Value):
    """What of a module provides the interface.

    Attributes:
        value: The module itself, or a class.
        interface: The interface that it provides.
    """

    __slots__ = ("interface", "value")
    value: object
    interface: Interface

    def __init__(self, value: object, interface: Interface) -> None:
        self._set(value=value, interface=interface)


class Declined(Value):
    """A plugin's own word that it does not apply here."""

    __slots__ = ("reason",)
    reason: str

    def __init__(self, reason: str) -> None:
        self._set(reason=reason)


def find_target(
    value: object, interfaces: Sequence[Interface], place: Place, *, own_only: bool
) -> Target | tuple[Finding, ...]:
    """Return what of ``value`` (a module, or an object in one) provides one of ``interfaces``, the first that fits.

    Args:
        value: What was loaded.
        interfaces: Ways to be a plugin.
        place: For the findings.
        own_only: Whether only what is defined in the module itself counts.
    """
    attempts: list[tuple[Finding, ...]] = []
    for interface in interfaces:
        found = _find_for(value, interface, place, own_only=own_only)
        if isinstance(found, Target):
            return found
        attempts.append(found)
    return min(attempts, key=lambda findings: (_missing_count(findings), len(findings)))


def _missing_count(findings: Sequence[Finding]) -> int:
    return sum(finding.message.count("'") for finding in findings if finding.code == "P201")


def _find_for(value: object, interface: Interface, place: Place, *, own_only: bool) -> Target | tuple[Finding, ...]:
    if isinstance(value, type):
        return _class_target([value], interface, place) or _lacks(value, interface, place)
    findings = _member_findings(value, interface, place, own_only=own_only)
    if interface.base is None and not findings:
        return Target(value, interface)
    if interface.base is not None and isinstance(value, interface.base):
        return Target(value, interface)
    if isinstance(value, ModuleType):
        target = _class_target(_own_classes(value), interface, place)
        if target is not None:
            return target
    return findings


def _lacks(value: type, interface: Interface, place: Place) -> tuple[Finding, ...]:
    missing = [member.name for member in interface.members if not hasattr(value, member.name)]
    if interface.base is not None and not issubclass(value, interface.base):
        return (Finding("P201", f"class {value.__name__} does not derive from {interface.name}", place),)
    return (Finding("P201", f"class {value.__name__} is missing methods {missing}", place),)


def _own_classes(module: ModuleType) -> list[type]:
    exported = getattr(module, "__all__", None)
    inside = (module.__name__, f"{module.__name__}.")
    return [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and (name in exported if exported is not None else not name.startswith("_"))
        and (value.__module__ == inside[0] or value.__module__.startswith(inside[1]))
        and name == value.__name__
    ]


def _class_target(classes: Sequence[type], interface: Interface, place: Place) -> Target | tuple[Finding, ...] | None:
    """Return the one class that fits, findings where several do or one nearly does, ``None`` where none does."""
    fitting = [candidate for candidate in classes if _fits(candidate, interface)]
    if len(fitting) > 1:
        names = ", ".join(sorted(candidate.__name__ for candidate in fitting))
        hint = "say which in __all__, or begin the names of the others with '_'"
        return (Finding("P205", f"{len(fitting)} classes fit: {names}; one was expected", place, hint=hint),)
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
            return _Unbound(value) if callable(value) else value
    return getattr(owner, name, None)


class _Unbound:
    """A plain method seen through its class: its first parameter is the instance."""

    def __init__(self, function: object) -> None:
        self.function = function

    def __call__(self) -> None:
        """Only its shape is of interest."""


def _fits(candidate: type, interface: Interface) -> bool:
    if getattr(candidate, "_is_protocol", False) or getattr(candidate, "__abstractmethods__", None):
        return False
    if interface.base is not None:
        return issubclass(candidate, interface.base) and candidate is not interface.base
    annotated = {name for ancestor in candidate.__mro__ for name in vars(ancestor).get("__annotations__", {})}
    return bool(interface.members) and all(
        hasattr(candidate, member.name) or (not member.is_function and member.name in annotated)
        for member in interface.members
    )


def _member_findings(value: object, interface: Interface, place: Place, *, own_only: bool) -> tuple[Finding, ...]:
    if interface.base is not None:
        return (Finding("P201", f"defines no class that derives from {interface.name}", place),)
    missing = [m.name for m in interface.members if not _has_own(value, m, own_only=own_only)]
    findings = [Finding("P201", f"missing functions {missing}", place)] if missing else []
    for member in interface.members:
        if member.name not in missing:
            findings += _call_findings(getattr(value, member.name), member, "", place)
    return tuple(findings)


def _has_own(value: object, member: Member, *, own_only: bool) -> bool:
    if not hasattr(value, member.name):
        return False
    if not own_only or not isinstance(value, ModuleType):
        return True
    found = getattr(value, member.name)
    home = getattr(found, "__module__", None)
    # Neighbours in the private package count as the plugin's own; what has no home (a partial, a constant) does too.
    package = value.__name__.rpartition(".")[0]
    plain = isinstance(home, str) and hasattr(found, "__qualname__") and not isinstance(found, type)
    return not plain or home == value.__name__ or str(home).startswith((f"{value.__name__}.", f"{package}."))


def _call_findings(value: object, member: Member, owner: str, place: Place) -> list[Finding]:
    shown = f"{owner}.{member.name}" if owner else member.name
    if not member.is_function:
        return []
    if not callable(value):
        return [not_callable(shown, value, place)]
    function = value.function if isinstance(value, _Unbound) else value
    shape = shape_of(function)
    if shape is None or member.shape is None:
        return []
    if isinstance(value, _Unbound):
        shape = shape.without_first()
    return shape_findings(shown, member, shape_problems(member.shape, shape), _def_place(function, place))


def _def_place(function: object, place: Place) -> Place:
    code = getattr(function, "__code__", None)
    return Place(place.path, code.co_firstlineno) if code is not None else place


def ask_available(module: object, path: str, place: Place) -> Declined | Finding | None:
    """Ask a plugin's ``available()``, where it has one, whether it applies here.

    ``True`` (or ``None``) says yes; ``False`` and any text say no, the text being the reason.
    """
    available = getattr(module, "available", None)
    if not callable(available) or isinstance(available, type):
        return None
    try:
        answer = available()
    except BaseException as error:
        if users_own_interrupt(error):
            raise
        text = describe_error(error, path)
        message = f"available() raised {text.kind}: {text.message}"
        return Finding("P305", message, Place(place.path, text.line if text.path == path else None))
    if isinstance(answer, str):
        return Declined(answer)
    return Declined("its available() returned False") if answer is False else None
