"""What source shows, held against the interface: all that is missing or wrong, as far as it can be seen."""

from plugline.contract.interface import Interface, Member
from plugline.contract.shape import shape_problems
from plugline.discovery.candidates import Candidate, FileCandidate, ModuleCandidate, of_class
from plugline.discovery.classes import (
    BARELY,
    MAYBE,
    NO,
    YES,
    derivation,
    inherited,
    may_have_a_plugin,
    public_classes,
    spec_of_class,
)
from plugline.discovery.facts import ClassFacts, FunctionFacts, SourceFacts
from plugline.discovery.known import PluginSpec
from plugline.discovery.unfit import (
    missing_message,
    missing_part,
    nearest_attempt,
    no_class,
    not_callable,
    shape_findings,
)
from plugline.findings import Finding, Place
from plugline.names import is_public, nearest
from plugline.typed import Iterable, Sequence


def split_by_class(
    candidate: Candidate, spec: PluginSpec, interfaces: Sequence[Interface]
) -> list[tuple[Candidate, PluginSpec]]:
    """Return the plugins that one file holds, as far as its source shows them: itself, or one a class.

    Names follow from the file's own text alone, so that nothing that is installed or loaded changes them
    (docs/decisions/0008 and 0066).
    """
    facts = spec.facts
    if facts is None or (isinstance(candidate, ModuleCandidate) and candidate.attribute):
        return [(candidate, spec)]
    path, own_only = spec.place.path, isinstance(candidate, FileCandidate)
    bases = [interface.base for interface in interfaces if interface.base is not None]
    verdicts = derivation(bases, facts, path) if bases else []
    certain = [one.name for one, verdict in verdicts if verdict == YES]
    names = [one.name for one, verdict in verdicts if verdict != NO]
    if len(bases) < len(interfaces):
        # Where something else would do as well, a class of which nothing is known is no plugin of its own.
        by_module = may_be_module(interfaces, facts, path, own_only=own_only)
        fitting = classes_that_fit(interfaces, facts) if not by_module else ()
        names = [one.name for one in public_classes(facts) if one.name in certain or one.name in fitting]
        if len(names) < 2 and not certain:
            return [(candidate, spec)]
        certain = names
    if not names:
        return [(candidate, spec)]
    first = certain[0] if len(certain) == 1 else names[0] if len(names) == 1 else ""
    return [(of_class(candidate, name), spec if name == first else spec_of_class(spec, name)) for name in names]


def may_be_module(interfaces: Sequence[Interface], facts: SourceFacts, path: str, *, own_only: bool) -> bool:
    """Whether a module itself provides one of the interfaces that ask for no base class, or may do so unseen.

    The arguments are those of :func:`source_findings`.
    """
    asked = [interface for interface in interfaces if interface.base is None]
    return facts.dynamic or any(not _module_findings(one, facts, path, own_only=own_only) for one in asked)


def classes_that_fit(interfaces: Sequence[Interface], facts: SourceFacts) -> tuple[str, ...]:
    """Return the names of the classes that each provide what asks for no base class: those that do for sure, else those that may.

    Of the latter those that have some of it go before those that have all of it from elsewhere, if at all.

    One that cannot be called as an interface says counts where another class provides that interface: with a fault it is a
    plugin all the same. Else it is something else, in which a method is called alike.
    """
    public = public_classes(facts)
    asked = [interface for interface in interfaces if interface.base is None]
    found = [(one, interface, _fit(interface, one, facts)) for one in public for interface in asked]
    best = max((surely for _, _, surely in found), default=NO)
    found = [each for each in found if each[2] == best != NO]
    sound = [each for each in found if not _class_findings(each[1], each[0], facts, "")]
    provided = [interface for _, interface, _ in sound or found]
    return tuple(dict.fromkeys(one.name for one, interface, _ in found if interface in provided))


def _fit(interface: Interface, class_facts: ClassFacts, facts: SourceFacts) -> int:
    """Say how surely a class provides an interface, as far as its file shows it."""
    methods, names, bases, abstract = inherited(class_facts, facts)
    missing = [member for member in interface.members if member.name not in names]
    if abstract or _is_protocol(class_facts):
        return NO
    if len(missing) == len(interface.members):
        # All of it may be in a base, unless that is Python's own.
        return BARELY if derivation((), facts, "", [class_facts])[0][1] else NO
    if not any(member.is_function or "__init__" not in methods for member in missing):
        return YES
    return MAYBE if _may_inherit(bases) else NO


def source_findings(
    interfaces: Sequence[Interface], facts: SourceFacts, path: str, *, own_only: bool, class_name: str = ""
) -> tuple[Finding, ...]:
    """Return what keeps a module from providing any of ``interfaces``; empty also when the source does not show it.

    Args:
        interfaces: Ways to be a plugin, of which one is enough.
        own_only: Whether a name that is imported from elsewhere does not count, as in a dropped file.
        class_name: The class in it that is meant, empty for the module or any of its classes.
    """
    attempts = []
    meant = next((one for one in public_classes(facts) if one.name == class_name), None)
    for interface in interfaces:
        if meant is not None and interface.base is None:
            findings = _class_findings(interface, meant, facts, path)
        else:
            findings = _findings_for(interface, facts, path, own_only=own_only)
        has = _names_in(facts, own_only=own_only)
        attempts.append((missing_part(interface, [m for m in interface.members if m.name not in has]), findings))
    return nearest_attempt(attempts)


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
    public = [one for one in public_classes(facts) if not _is_protocol(one)]
    classes = [_class_findings(interface, class_facts, facts, path) for class_facts in public]
    if any(not findings for findings in classes) or _may_have_more(facts, path):
        return ()
    # A class that has some of the methods is a better guess at what was meant than a module that has none.
    some = [f for f, c in zip(classes, public, strict=True) if _has_some(interface, c)]
    if _has_any_function(interface, facts):
        return as_module
    return some[0] if some else _hidden(interface, facts, path) or as_module


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
        hint = "make it a class with that method" if for_classes else f"define {_defs(interface, missing)}"
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


def _defs(interface: Interface, names: Sequence[str]) -> str:
    shapes = {member.name: member.shape for member in interface.members}
    functions = {member.name for member in interface.members if member.is_function}
    return " and ".join(f"{name}{shapes[name] or '()'}" if name in functions else name for name in names)


def _shape_findings(member: Member, function: FunctionFacts, path: str, shown: str) -> list[Finding]:
    if member.shape is None or function.shape is None:
        return []
    place = Place(path, function.line, function.column)
    return shape_findings(shown, member, shape_problems(member.shape, function.shape), place)


def _is_protocol(class_facts: ClassFacts) -> bool:
    return any(base.rpartition(".")[2] == "Protocol" for base in class_facts.bases)


def _may_inherit(bases: Iterable[str]) -> bool:
    """Whether a class may have members from bases that nothing is known of."""
    return any(base not in ("object", "Protocol", "ABC", "abc.ABC", "typing.Protocol") for base in bases)


def _class_findings(
    interface: Interface, class_facts: ClassFacts, facts: SourceFacts, path: str
) -> tuple[Finding, ...]:
    methods, names, bases, abstract = inherited(class_facts, facts)
    names -= abstract
    # An attribute may be set on the instance, which shows when there is one.
    sets_more = "__init__" in methods
    missing = [m.name for m in interface.members if m.name not in names and (m.is_function or not sets_more)]
    place = Place(path, class_facts.line, class_facts.column)
    findings = []
    if missing and not _may_inherit(bases) and "__getattr__" not in methods:
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
    return _hidden(interface, facts, path) or (no_class(interface, Place(path)),)


def _hidden(interface: Interface, facts: SourceFacts, path: str) -> tuple[Finding, ...]:
    """Return the finding for a class that would do, if its module offered it."""
    public = {one.name for one in public_classes(facts)}
    for one in facts.classes:
        base = interface.base
        surely = derivation([base], facts, path, [one]) if base is not None else [(one, _fit(interface, one, facts))]
        if one.name in public or not surely or surely[0][1] != YES:
            continue
        message, hint = f"class {one.name} fits, and is not in __all__", f"add {one.name!r} to it"
        if not is_public(one.name):
            message, hint = f"class {one.name} fits, and begins with '_'", f"call it {one.name.lstrip('_')!r}"
        return (Finding("P201", message, Place(path, one.line, one.column), hint),)
    return ()
