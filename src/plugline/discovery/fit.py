"""What source shows, held against the interface: all that is missing or wrong, as far as it can be seen."""

from plugline.contract.interface import Interface, Member
from plugline.contract.shape import shape_problems
from plugline.discovery.classes import may_have_a_plugin, public_classes
from plugline.discovery.facts import ClassFacts, FunctionFacts, SourceFacts
from plugline.findings import Finding, Place, short_repr
from plugline.names import nearest
from plugline.typed import Sequence


def source_findings(
    interfaces: Sequence[Interface], facts: SourceFacts, path: str, *, own_only: bool
) -> tuple[Finding, ...]:
    """Return what keeps a module from providing any of ``interfaces``; empty also when the source does not show it.

    Args:
        interfaces: Ways to be a plugin, of which one is enough.
        facts: What the source shows.
        path: The file, for the findings.
        own_only: Whether a name that is imported from elsewhere does not count, as in a dropped file.
    """
    attempts = []
    for interface in interfaces:
        findings = _findings_for(interface, facts, path, own_only=own_only)
        has = _names_in(facts, own_only=own_only)
        attempts.append((missing_part(interface, [m for m in interface.members if m.name not in has]), findings))
    return nearest_attempt(attempts)


def nearest_attempt(attempts: Sequence[tuple[float, tuple[Finding, ...]]]) -> tuple[Finding, ...]:
    """Return the findings of the interface that the author meant: nothing is wrong, or the smallest part is missing.

    Where nothing is there of any of them it is the first, and not the one that asks for the fewest functions.
    """
    return min(attempts, key=lambda attempt: (bool(attempt[1]), attempt[0], len(attempt[1])), default=(0, ()))[1]


def missing_part(interface: Interface, missing: Sequence[Member]) -> float:
    """Return which part of an interface is missing: all of it where it is a base class."""
    return len(missing) / len(interface.members) if interface.members and interface.base is None else 1.0


def _names_in(facts: SourceFacts, *, own_only: bool) -> set[str]:
    of_classes = {method.name for class_facts in public_classes(facts) for method in class_facts.methods}
    return {*facts.bound, *of_classes, *(() if own_only else facts.imported)}


def _findings_for(interface: Interface, facts: SourceFacts, path: str, *, own_only: bool) -> tuple[Finding, ...]:
    if interface.base is not None:
        return _base_findings(interface, facts, path)
    if not interface.members:
        return ()
    as_module = _module_findings(interface, facts, path, own_only=own_only)
    if not as_module or facts.dynamic:
        return as_module if not _missing(as_module) else ()
    fitting = [one.name for one in public_classes(facts) if not one.bases and _has_all(interface, one)]
    if len(fitting) > 1 and ("__all__" not in facts.bound or facts.constants.get("__all__")):
        return (several_fit(fitting, Place(path)),)
    classes = [_class_findings(interface, class_facts, path) for class_facts in public_classes(facts)]
    if any(not findings for findings in classes) or _may_have_more(facts, path):
        return ()
    # A class that has some of the methods is a better guess at what was meant than a module that has none.
    some = [f for f, c in zip(classes, public_classes(facts), strict=True) if _has_some(interface, c)]
    return some[0] if some and not _has_any_function(interface, facts) else as_module


def _may_have_more(facts: SourceFacts, path: str) -> bool:
    """Whether a package takes names from its own modules, among which may be a class that fits."""
    folder, _, name = path.replace("\\", "/").rpartition("/")
    if name != "__init__.py":
        return False
    # By its own name as well, which has that of its folder in it: from host.plugins.this.part import X
    own = folder.rpartition("/")[2]
    return any(one.names and (one.level or own in one.module.split(".")) for one in facts.imports)


def _missing(findings: Sequence[Finding]) -> bool:
    return any(finding.code == "P201" for finding in findings)


def _has_all(interface: Interface, class_facts: ClassFacts) -> bool:
    names = {*(method.name for method in class_facts.methods), *class_facts.attributes}
    return names.issuperset(member.name for member in interface.members)


def several_fit(names: Sequence[str], place: Place) -> Finding:
    """Return the finding for a file in which several classes provide what is asked for."""
    message = f"{len(names)} classes fit: {', '.join(sorted(names))}; one was expected"
    hint = "say which in __all__, or begin the names of the others with '_'"
    return Finding("P205", message, place, hint=hint)


def _has_some(interface: Interface, class_facts: ClassFacts) -> bool:
    methods = {method.name for method in class_facts.methods}
    return any(member.name in methods for member in interface.members)


def _has_any_function(interface: Interface, facts: SourceFacts) -> bool:
    return any(facts.find_function(member.name) is not None for member in interface.members)


def _module_findings(interface: Interface, facts: SourceFacts, path: str, *, own_only: bool) -> tuple[Finding, ...]:
    names = facts.bound if own_only else facts.bound | facts.imported
    for_classes = any(member.is_for_classes for member in interface.members)
    missing = [member.name for member in interface.members if member.is_for_classes or member.name not in names]
    findings = []
    if missing:
        hint = f"define {'a class with ' if for_classes else ''}{_defs(interface, missing)}"
        elsewhere = [name for name in missing if name in facts.imported]
        if elsewhere:
            hint = f"{', '.join(elsewhere)} is imported from elsewhere; define it in this file"
        methods = (method for one in public_classes(facts) for method in one.methods)
        hint = _meant(missing, (*facts.functions, *methods)) + hint
        findings.append(Finding("P201", missing_message(interface, missing), Place(path), hint=hint))
    for member in interface.members:
        function = facts.find_function(member.name)
        if function is not None:
            findings += _shape_findings(member, function, path, member.name)
        elif member.is_function and member.name in facts.bound and member.name in facts.constants:
            line = facts.constant_lines[member.name]
            findings.append(not_callable(member.name, facts.constants[member.name], Place(path, line)))
    return tuple(findings)


def _meant(missing: Sequence[str], functions: Sequence[FunctionFacts]) -> str:
    """Return the question whether a function is one that is missing, where it is spelt nearly so; else nothing."""
    for function in functions:
        for name in missing:
            # Of letters that differ much no two are near, and all of a folder may be files that are no plugins.
            if (
                name != function.name
                and len(name) > 3
                and len(set(name) ^ set(function.name)) <= 2
                and nearest(function.name, [name]) == name
            ):
                return f"did you mean {name} by {function.name!r} in line {function.line}? else "
    return ""


def missing_message(interface: Interface, names: Sequence[str], kind: str = "functions") -> str:
    """Say which members are missing, functions apart from other attributes."""
    functions = [member.name for member in interface.members if member.name in names and member.is_function]
    attributes = [name for name in names if name not in functions]
    told = [f"{what} {which}" for what, which in ((kind, functions), ("attributes", attributes)) if which]
    return f"missing {' and '.join(told)}"


def not_callable(name: str, value: object, place: Place) -> Finding:
    """Return the finding for a function that is none."""
    return Finding("P202", f"{name!r} is {type(value).__name__} {short_repr(value)}, a function was expected", place)


def _defs(interface: Interface, names: Sequence[str]) -> str:
    shapes = {member.name: member.shape for member in interface.members}
    functions = {member.name for member in interface.members if member.is_function}
    return " and ".join(f"{name}{shapes[name] or '()'}" if name in functions else name for name in names)


def _shape_findings(member: Member, function: FunctionFacts, path: str, shown: str) -> list[Finding]:
    if member.shape is None or function.shape is None:
        return []
    place = Place(path, function.line, function.column)
    return shape_findings(shown, member, shape_problems(member.shape, function.shape), place)


def shape_findings(shown: str, member: Member, problems: Sequence[str], place: Place) -> list[Finding]:
    """Return the findings for a function that cannot be called as the interface says."""
    shape = str(member.shape)
    if "." in shown:  # of a class
        shape = "(self)" if shape == "()" else f"(self, {shape[1:]}"
    hint = f"define it as {member.name}{shape}"
    return [
        Finding("P203", f"{shown} {one}", place, hint=f"{hint}, without async" if one.startswith("is async") else hint)
        for one in problems
    ]


def _class_findings(interface: Interface, class_facts: ClassFacts, path: str) -> tuple[Finding, ...]:
    methods = {method.name: method for method in class_facts.methods}
    names = {*methods, *class_facts.attributes}
    inherits = any(
        base not in ("object", "Protocol", "ABC", "abc.ABC", "typing.Protocol") for base in class_facts.bases
    )
    # An attribute may be set on the instance, which shows when there is one.
    sets_more = "__init__" in methods
    missing = [m.name for m in interface.members if m.name not in names and (m.is_function or not sets_more)]
    place = Place(path, class_facts.line, class_facts.column)
    findings = []
    if missing and not inherits and "__getattr__" not in methods:
        message = missing_message(interface, missing, "methods")
        meant = _meant(missing, class_facts.methods)
        hint = f"{meant}define {' and '.join(missing)}" if meant else None
        findings.append(Finding("P201", f"class {class_facts.name} is {message}", place, hint=hint))
    for member in interface.members:
        if member.name in methods:
            findings += _shape_findings(member, methods[member.name], path, f"{class_facts.name}.{member.name}")
    return tuple(findings)


def _base_findings(interface: Interface, facts: SourceFacts, path: str) -> tuple[Finding, ...]:
    assert interface.base is not None  # noqa: S101 - the caller asked
    if may_have_a_plugin([interface.base], facts, path) or _may_have_more(facts, path):
        return ()  # whether a base leads to the one that is asked for shows when the module is loaded
    return (no_class(interface, Place(path)),)


def no_class(interface: Interface, place: Place) -> Finding:
    """Return the finding for a file without a class of the host's."""
    hint = f"class Mine({interface.name}): ..."
    return Finding("P201", f"defines no class that derives from {interface.name}", place, hint=hint)
