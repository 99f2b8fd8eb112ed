"""A module that was run to all classes in it that derive from a host's base class."""

import sys

from plugline.contract.interface import Interface
from plugline.findings import Finding, Place
from plugline.loading.binding import class_target, is_class, own_classes
from plugline.loading.target import Target, Vanished
from plugline.names import is_public
from plugline.typed import Callable, Collection, ModuleType, Sequence

Family = dict[str, Target | tuple[Finding, ...]]
"""By the name of a class: that it provides the interface, or what is wrong with how it does."""


def find_family(
    module: object, interfaces: Sequence[Interface], place: Place, imported: Callable[[], Collection[str]]
) -> Family:
    """Return the concrete classes defined in a module that derive from a base class, in the order of their definition.

    Args:
        module: What was run.
        interfaces: Of these only base classes count.
        place: For the findings.
        imported: Returns the names that its source imports, which are never its own unless their module is. It is
            asked where that is in doubt.
    """
    family: Family = {}
    if not isinstance(module, ModuleType):
        return family
    for one in (*own_classes(module), *_homeless_classes(module, imported)):
        found = member(one, interfaces, place)
        if found is not None:
            family[one.__name__] = found
    return family


def member(one: object, interfaces: Sequence[Interface], place: Place) -> Target | tuple[Finding, ...] | None:
    """Return what of a module's family one of its values is, ``None`` where it is not of it."""
    if is_class(one):
        for interface in interfaces:
            found = class_target([one], interface, place) if interface.base is not None else None
            if found is not None:
                return found
    return None


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


def choose(
    family: Family, class_name: str, named: str, path: str, interfaces: Sequence[Interface]
) -> Target | Vanished | tuple[Finding, ...]:
    """Return what one plugin of a file leads to, once the file's classes are known.

    Args:
        family: These classes, at least one.
        class_name: The class that the source made out to be this plugin, empty where it showed none.
        named: What the plugin is called: with a class in it, nothing but that class will do.
        path: The file.
        interfaces: For the findings.
    """
    found = family.get(class_name)
    if found is not None:
        return found
    has_own_name = class_name != "" and named.endswith(f":{class_name}")
    if len(family) == 1 and not has_own_name:
        return next(iter(family.values()))
    place = Place(path)
    if has_own_name:
        bases = " or ".join(interface.name for interface in interfaces if interface.base is not None)
        message = f"{class_name} is no concrete class of this file, or does not derive from {bases}"
        return Vanished((Finding("P201", message, place),))
    hint = f"name the one that is meant: {', '.join(f'{named}:{name}' for name in family)}"
    return Vanished((Finding("P205", f"{len(family)} classes fit: {', '.join(family)}", place, hint=hint),))
