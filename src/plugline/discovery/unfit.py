"""What is told of something that does not provide an interface, whether its source shows that or it was run."""

from plugline.contract.interface import Interface, Member
from plugline.findings import Finding, Place, short_repr
from plugline.typed import Sequence


def nearest_attempt(attempts: Sequence[tuple[float, tuple[Finding, ...]]]) -> tuple[Finding, ...]:
    """Return the findings of the interface that the author meant: nothing is wrong, or the smallest part is missing.

    Where nothing is there of any of them it is the first, and not the one that asks for the fewest functions.
    """
    return min(attempts, key=lambda attempt: (bool(attempt[1]), attempt[0], len(attempt[1])), default=(0, ()))[1]


def missing_part(interface: Interface, missing: Sequence[Member]) -> float:
    """Return which part of an interface is missing: all of it where it is a base class."""
    return len(missing) / len(interface.members) if interface.members and interface.base is None else 1.0


def several_fit(names: Sequence[str], place: Place) -> Finding:
    """Return the finding for a file in which several classes provide what is asked for."""
    message = f"{len(names)} classes fit: {', '.join(sorted(names))}; one was expected"
    hint = "say which in __all__, or begin the names of the others with '_'"
    return Finding("P205", message, place, hint=hint)


def missing_message(interface: Interface, names: Sequence[str], kind: str = "functions") -> str:
    """Say which members are missing, functions apart from other attributes."""
    functions = [member.name for member in interface.members if member.name in names and member.is_function]
    attributes = [name for name in names if name not in functions]
    told = [f"{what} {which}" for what, which in ((kind, functions), ("attributes", attributes)) if which]
    return f"missing {' and '.join(told)}"


def not_callable(name: str, value: object, place: Place) -> Finding:
    """Return the finding for a function that is none."""
    return Finding("P202", f"{name!r} is {type(value).__name__} {short_repr(value)}, a function was expected", place)


def shape_findings(shown: str, member: Member, problems: Sequence[str], place: Place) -> list[Finding]:
    """Return the findings for a function that cannot be called as the interface says."""
    shape = str(member.shape)
    if "." in shown:  # of a class
        shape = "(self)" if shape == "()" else f"(self, {shape[1:]}"
    hint = f"define it as {member.name}{shape}"
    if member.instance:
        hint = f"{member.name} of the program's interface lacks self, for which {member.instance!r} is taken"
    return [
        Finding("P203", f"{shown} {one}", place, hint=f"{hint}, without async" if one.startswith("is async") else hint)
        for one in problems
    ]


def no_class(interface: Interface, place: Place) -> Finding:
    """Return the finding for a file without a class of the host's."""
    hint = f"class Mine({interface.name}): ..."
    return Finding("P201", f"defines no class that derives from {interface.name}", place, hint=hint)
