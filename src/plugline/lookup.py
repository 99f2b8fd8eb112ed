"""A dotted name to where its module would be imported from; nothing is imported."""

import os
import sys

# The frozen modules that importlib.machinery takes them from: a listing reserves names, and does without importlib.
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import FileFinder, PathFinder
from _imp import extension_suffixes


def find_module(name: str, parents: "dict[str, ModuleSpec | None] | None" = None) -> ModuleSpec | None:
    """Return the import specification of a module without importing anything, or ``None``.

    ``importlib.util.find_spec("a.b")`` imports ``a``; this looks into ``a``'s folder instead. Not
    promised: finding what only running ``a`` would make importable (a changed ``__path__``, an import hook
    that ``a`` installs).

    Args:
        parents: Takes what was found of the packages around it, for who asks for many modules at once.
    """
    parts = name.split(".")
    if not all(parts):
        raise ValueError(f"{name!r} is not an absolute dotted name")
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if isinstance(loaded, ModuleSpec):
        return loaded  # os.path is loaded, and is in no package
    above, _, _ = name.rpartition(".")
    if not above:
        return _find_in(name, None)
    if parents is None or above not in parents:
        around = find_module(above, parents)
        if parents is not None:
            parents[above] = around
    else:
        around = parents[above]
    folders = folders_of(around) if around is not None else None
    return _find_in(name, folders) if folders is not None else None


def folders_of(spec: ModuleSpec) -> list[str] | None:
    """Return where the modules of a package are looked for; ``None`` for a module that is none.

    One that is loaded may have said so anew since it was found, as ``pkgutil.extend_path`` does.
    """
    if spec.submodule_search_locations is None:
        return None
    loaded = sys.modules.get(spec.name)
    if loaded is not None and getattr(loaded, "__spec__", None) is spec:
        return list(getattr(loaded, "__dict__", {}).get("__path__", spec.submodule_search_locations))
    return list(spec.submodule_search_locations)


def modules_in(folders: list[str]) -> list[str]:
    """Return the names of the modules and packages that can be imported from some folders, sorted.

    As ``pkgutil.iter_modules``, which brings ``inspect`` along: that takes longer to import than a thousand modules to find.
    """
    found: set[str] = set()
    for folder in folders:
        plain = type(PathFinder._path_importer_cache(folder)) is FileFinder  # type: ignore[attr-defined]  # noqa: SLF001 - as it asks itself
        if not plain or not os.path.isdir(folder) or hasattr(sys, "frozen"):
            from pkgutil import iter_modules  # archives, and what finders of others look into

            found.update(module.name for module in iter_modules([folder]))
            continue
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            end = next((end for end in _ENDS if name.endswith(end)), "")
            stem = name[: -len(end)] if end else name
            if stem and "." not in stem and stem != "__init__" and (end or _is_package(os.path.join(folder, name))):
                found.add(stem)
    return sorted(found)


_ENDS = (".py", ".pyc", *sorted(extension_suffixes(), key=len, reverse=True))


def _is_package(path: str) -> bool:
    try:
        return any(name.startswith("__init__.") and name[len("__init__") :] in _ENDS for name in os.listdir(path))
    except OSError:
        return False


def _find_in(name: str, path: list[str] | None) -> ModuleSpec | None:
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__spec__", None) is not None:
        return loaded.__spec__
    if name in sys.modules and loaded is None:
        return None  # import is blocked by a None in sys.modules
    asked = False
    for finder in sys.meta_path:
        asked = asked or finder is PathFinder
        find = getattr(finder, "find_spec", None)
        if find is None:
            continue
        try:
            spec = find(name, path)
        except KeyError:
            # Of a folder without __init__.py the path finder wants to know the parent, which is not imported.
            return _find_folder(name, path or [])
        except Exception:  # noqa: BLE001, S112 - a finder of somebody else's that is broken, or refuses; the others go on
            continue
        if spec is not None:
            return spec if isinstance(spec, ModuleSpec) else None
    return None if asked else PathFinder.find_spec(name, path)


def _find_folder(name: str, path: list[str]) -> ModuleSpec | None:
    """Return the specification of a namespace package below a package that is not imported."""
    from pkgutil import get_importer  # rare

    portions: list[str] = []
    for entry in path:
        spec = getattr(get_importer(entry), "find_spec", lambda _: None)(name)
        portions += (spec.submodule_search_locations or []) if spec is not None else []
    found = ModuleSpec(name, None, is_package=True)
    found.submodule_search_locations = portions
    return found if portions else None
