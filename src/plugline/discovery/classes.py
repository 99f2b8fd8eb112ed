"""What source shows to the classes in it that may derive from a host's base class, each with a plugin's name."""

import builtins
import os
import sys

from plugline.contract.interface import Interface
from plugline.discovery.candidates import Candidate, FileCandidate, ModuleCandidate
from plugline.discovery.facts import ClassFacts, SourceFacts
from plugline.discovery.known import PluginSpec
from plugline.names import is_public
from plugline.typed import Sequence

# How surely a class derives from the base, as far as its own file shows it.
_NO, _MAYBE, _YES = 0, 1, 2


def split_by_class(
    candidate: Candidate, spec: PluginSpec, interfaces: Sequence[Interface]
) -> list[tuple[Candidate, PluginSpec]]:
    """Return the plugins that one file holds, as far as its source shows them: itself, or one a class.

    The only class that derives from a base class for sure, or the only one that may, has the name of the file. Others
    are called ``file:Class``. Names follow from the file's own text alone, so that nothing that is installed or loaded
    changes them (docs/decisions/0008).
    """
    bases = [interface.base for interface in interfaces if interface.base is not None]
    if not bases or spec.facts is None or (isinstance(candidate, ModuleCandidate) and candidate.attribute):
        return [(candidate, spec)]
    verdicts = derivation(bases, spec.facts, spec.place.path)
    certain = [one for one, verdict in verdicts if verdict == _YES]
    # Where functions would do as well, a class of which nothing is known is no plugin of its own.
    alone = len(bases) == len(interfaces)
    classes = certain if not alone else [one for one, verdict in verdicts if verdict != _NO]
    if not classes:
        return [(candidate, spec)]
    first = certain[0] if len(certain) == 1 else classes[0] if len(classes) == 1 else None
    return [(of_class(candidate, one.name), spec if one is first else spec_of_class(spec, one.name)) for one in classes]


def of_class(candidate: Candidate, name: str) -> Candidate:
    """Return a candidate that means one class of the file."""
    match candidate:
        case FileCandidate():
            return FileCandidate(candidate.name, candidate.tree, candidate.entry, candidate.module, name)
        case ModuleCandidate():
            return ModuleCandidate(
                candidate.name, candidate.module, "", candidate.distribution, candidate.version, name
            )


def spec_of_class(spec: PluginSpec, class_name: str, beside: str = "") -> PluginSpec:
    """Return the spec of a class that has not the file's name for itself.

    Args:
        spec: The file's, or that of another class in it.
        class_name: The class.
        beside: That other class.
    """
    classes = spec.facts.classes if spec.facts is not None else ()
    said = next((one.summary for one in classes if one.name == class_name), "")
    return spec.replaced(name=f"{_file_name_of(spec.name, beside)}:{class_name}", summary=said or spec.summary)


def spec_of_file(spec: PluginSpec, class_name: str) -> PluginSpec:
    """Return the spec of the file that a class is in; ``spec`` itself where it is the file's."""
    name = _file_name_of(spec.name, class_name)
    return spec if name == spec.name else spec.replaced(name=name)


def _file_name_of(name: str, class_name: str) -> str:
    return name.removesuffix(f":{class_name}") if class_name else name


def derivation(bases: Sequence[type], facts: SourceFacts, path: str) -> list[tuple[ClassFacts, int]]:
    """Return the public classes of a module, each with how surely it derives from one of ``bases``."""
    source = _Source(bases, facts)
    own = {base.__name__ for base in bases if _is_home(base, path)}
    return [(one, source.verdict(one.name)) for one in public_classes(facts) if one.name not in own]


def _is_home(base: type, path: str) -> bool:
    """Whether a file is the one that defines a base class; others may call a class of theirs the same."""
    home = getattr(sys.modules.get(base.__module__), "__file__", None)
    if not isinstance(home, str):
        return True
    return os.path.basename(home) == os.path.basename(path) and os.path.realpath(home) == os.path.realpath(path)


def may_have_a_plugin(bases: Sequence[type], facts: SourceFacts, path: str) -> bool:
    """Whether a module may have a class that derives from one of ``bases``, be it one that its text does not show."""
    if facts.dynamic or any(verdict != _NO for _, verdict in derivation(bases, facts, path)):
        return True
    # type("Made", (Base,), {}) has to get the base by its name.
    names = {base.__name__ for base in bases}
    seen = {one.name for one in facts.functions} | {one.name for one in facts.classes} | facts.constants.keys()
    return bool(facts.bound - seen) and any(names.intersection(one.names) for one in facts.imports)


def public_classes(facts: SourceFacts) -> list[ClassFacts]:
    """Return the classes that a module offers: those in ``__all__``, else those that do not begin with ``_``.

    An empty one says nothing: it is filled while the module runs, as by a decorator.
    """
    exported = facts.constants.get("__all__")
    names = exported if exported and isinstance(exported, (list, tuple)) else None
    return [c for c in facts.classes if (c.name in names if names is not None else is_public(c.name))]


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
        return min(derives, _MAYBE) if abstract else derives

    def _derives(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = _NO  # while its bases are followed: one of them may have its own name
            self._known[name] = max((self._of_base(base, name) for base in self._classes[name].bases), default=_NO)
        return self._known[name]

    def _of_base(self, base: str, owner: str) -> int:
        first, _, rest = base.partition(".")
        if base in self.names and base in self._classes:
            return _MAYBE  # this may be the very file that defines the base
        if base in self._classes and base != owner:
            return self._derives(base)
        if (rest.rpartition(".")[2] or first) in self.names:
            return _YES
        if base.startswith("*"):
            return _NO  # members that its body does not show, but no base
        if first not in self._facts.imported and first not in self._facts.bound:
            return _NO if hasattr(builtins, first) else _MAYBE
        return _NO if self._foreign and self._is_from_standard_library(first) else _MAYBE

    def _is_from_standard_library(self, name: str) -> bool:
        # What is not found was renamed by the import, or comes from a neighbour.
        homes = {
            one.module.partition(".")[0]
            for one in self._facts.imports
            if one.level == 0 and (name in one.names or (not one.names and one.module.partition(".")[0] == name))
        }
        return bool(homes) and homes <= sys.stdlib_module_names and name not in self._facts.bound
