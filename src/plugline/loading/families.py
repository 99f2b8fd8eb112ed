"""A module that was run to what of it is a plugin: itself, or classes in it that each provide the interface."""

import sys

from plugline.contract.interface import Interface
from plugline.findings import Finding, Place
from plugline.loading.binding import class_target, find_target, has_several, is_class, own_classes, shows_some
from plugline.loading.target import Target, Vanished
from plugline.names import is_public
from plugline.typed import Callable, Collection, Container, ModuleType, Sequence

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
