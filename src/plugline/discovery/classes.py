"""What source shows to the classes in it that may be plugins: which they are, and what they have."""

import builtins
import os
import sys

from plugline.discovery.facts import ClassFacts, FunctionFacts, SourceFacts
from plugline.discovery.known import PluginSpec
from plugline.findings import first_line
from plugline.names import is_public
from plugline.typed import Sequence

# How surely a class derives from the base, as far as its own file shows it.
NO, BARELY, MAYBE, YES = range(4)


def spec_of_class(spec: PluginSpec, class_name: str, beside: str = "") -> PluginSpec:
    """Return the spec of a class that has not the file's name for itself.

    Args:
        spec: The file's, or that of another class in it.
        beside: That other class.
    """
    classes = {one.name: one for one in spec.facts.classes} if spec.facts is not None else {}
    described = {
        one.name: first_line(method.returns)
        for one in classes.values()
        for method in one.methods
        if method.name == "describe" and method.returns
    }
    # What the file says of itself may be what another class in it says.
    said = described.get(class_name, "" if spec.summary in described.values() else spec.summary)
    own = classes[class_name].summary if class_name in classes else ""
    return spec.replaced(name=f"{_file_name_of(spec.name, beside)}:{class_name}", summary=own or said)


def spec_of_file(spec: PluginSpec, class_name: str) -> PluginSpec:
    """Return the spec of the file that a class is in; ``spec`` itself where it is the file's."""
    name = _file_name_of(spec.name, class_name)
    return spec if name == spec.name else spec.replaced(name=name)


def _file_name_of(name: str, class_name: str) -> str:
    return name.removesuffix(f":{class_name}") if class_name else name


def derivation(
    bases: Sequence[type], facts: SourceFacts, path: str, classes: Sequence[ClassFacts] | None = None
) -> list[tuple[ClassFacts, int]]:
    """Return some classes of a module, by default the public ones, each with how surely it derives from one of ``bases``."""
    source = _Source(bases, facts)
    own = {base.__name__ for base in bases if _is_home(base, path)}
    chosen = classes if classes is not None else public_classes(facts)
    return [(one, source.verdict(one.name)) for one in chosen if one.name not in own]


def _is_home(base: type, path: str) -> bool:
    """Whether a file is the one that defines a base class; others may call a class of theirs the same."""
    home = getattr(sys.modules.get(base.__module__), "__file__", None)
    if not isinstance(home, str):
        return True
    return os.path.basename(home) == os.path.basename(path) and os.path.realpath(home) == os.path.realpath(path)


def may_have_a_plugin(bases: Sequence[type], facts: SourceFacts, path: str) -> bool:
    """Whether a module may have a class that derives from one of ``bases``, be it one that its text does not show."""
    if facts.dynamic or any(verdict != NO for _, verdict in derivation(bases, facts, path)):
        return True
    # type("Made", (Base,), {}) has to get the base by its name.
    names = {base.__name__ for base in bases}
    seen = {one.name for one in facts.functions} | {one.name for one in facts.classes} | facts.constants.keys()
    return bool(facts.bound - seen) and any(names.intersection(one.names) for one in facts.imports)


def public_classes(facts: SourceFacts) -> list[ClassFacts]:
    """Return the classes that a module offers: those in ``__all__``, else those that do not begin with ``_``.

    An empty one says nothing: it is filled while the module runs, as by a decorator. Of a name that is bound in several branches
    it is the last.
    """
    exported = facts.constants.get("__all__")
    names = exported if exported and isinstance(exported, (list, tuple)) else None
    by_name = {one.name: one for one in facts.classes}
    return [c for c in by_name.values() if (c.name in names if names is not None else is_public(c.name))]


def inherited(
    one: ClassFacts, facts: SourceFacts, below: Sequence[str] = ()
) -> tuple[dict[str, FunctionFacts], set[str], set[str], set[str]]:
    """Return the methods of a class, all names in it, its bases and its abstract methods, with those of its bases in the file."""
    by_name = {other.name: other for other in facts.classes if other.name not in (*below, one.name)}
    methods = {method.name: method for method in one.methods}
    own = {*methods, *one.attributes}
    names, bases, abstract = own.copy(), set(one.bases).difference(by_name), set(one.abstract)
    for base in one.bases:
        if base in by_name:
            more, others, foreign, missing = inherited(by_name[base], facts, (*below, one.name))
            methods = more | methods
            names |= others
            bases |= foreign
            abstract |= missing - own
    # Only what derives from ABC, or has its metaclass, cannot be made an instance of.
    return methods, names, bases, abstract if bases - {"object"} else set()


class _Source:
    """One module's classes and where the names of their bases come from."""

    def __init__(self, bases: Sequence[type], facts: SourceFacts) -> None:
        self.names = {base.__name__ for base in bases}
        self._foreign = all(base.__module__.partition(".")[0] not in sys.stdlib_module_names for base in bases)
        self._facts = facts
        self._classes = {one.name: one for one in facts.classes}
        self._known: dict[str, int] = {}

    def verdict(self, name: str) -> int:
        """Say how surely a class of this file is a plugin; one that is abstract by its own word hardly is."""
        derives = self._derives(name)
        abstract = any(base.rpartition(".")[2] == "ABC" for base in self._classes[name].bases)
        return min(derives, MAYBE) if abstract else derives

    def _derives(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = NO  # while its bases are followed: one of them may have its own name
            self._known[name] = max((self._of_base(base, name) for base in self._classes[name].bases), default=NO)
        return self._known[name]

    def _of_base(self, base: str, owner: str) -> int:
        first, _, rest = base.partition(".")
        if base in self.names and base in self._classes:
            return MAYBE  # this may be the very file that defines the base
        if base in self._classes and base != owner:
            return self._derives(base)
        if (rest.rpartition(".")[2] or first) in self.names:
            return YES
        if base.startswith("*"):
            return NO  # members that its body does not show, but no base
        if first not in self._facts.imported and first not in self._facts.bound:
            return NO if hasattr(builtins, first) else MAYBE
        return NO if self._foreign and self._is_from_standard_library(first) else MAYBE

    def _is_from_standard_library(self, name: str) -> bool:
        # What is not found was renamed by the import, or comes from a neighbour.
        homes = {
            one.module.partition(".")[0]
            for one in self._facts.imports
            if one.level == 0 and (name in one.names or (not one.names and one.module.partition(".")[0] == name))
        }
        return bool(homes) and homes <= sys.stdlib_module_names and name not in self._facts.bound
