"""A group of entry points to what installed distributions say of it, however broken one of them is."""

from collections.abc import Iterable
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points

from plugline.discovery.installed import Point
from plugline.findings import Finding, Place
from plugline.names import shell_word


def read_entry_points(group: str) -> tuple[list[Point], tuple[Finding, ...]]:
    """Return the entry points of a group, and a warning for each distribution of which none could be read."""
    points: Iterable[EntryPoint]
    findings: tuple[Finding, ...] = ()
    try:
        points = entry_points(group=group)
    except Exception:  # noqa: BLE001 - one broken distribution fails for all: which of them it is shows below
        points, findings = _read_each(group)
    return [
        (point.name, point.value, *(_name_and_version(point.dist) if point.dist is not None else (None, None)))
        for point in points
    ], findings


def _read_each(group: str) -> tuple[list[EntryPoint], tuple[Finding, ...]]:
    found: list[EntryPoint] = []
    findings = []
    seen = set()
    try:
        installed = list(distributions())
    except Exception as error:  # noqa: BLE001 - a finder on sys.meta_path that somebody else put there
        message = f"what is installed cannot be listed: {type(error).__name__}: {error}"
        hint = "mend the finder on sys.meta_path that raises this in find_distributions()"
        return [], (Finding("P110", message, Place(f"entry points of {group}"), hint=hint),)
    for distribution in installed:
        name, _ = _name_and_version(distribution)
        # Of two of one name the first on sys.path is the one that is installed, as entry_points() has it; of one folder,
        # which may be on it twice, too.
        key = name.replace("-", "_").replace(".", "_").casefold() if name is not None else _path_of(distribution)
        if key in seen:
            continue
        if key is not None:
            seen.add(key)
        try:
            found += [point for point in distribution.entry_points if point.group == group]
        except Exception as error:  # noqa: BLE001 - what is wrong with a file that somebody else installed
            findings.append(_unreadable(distribution, name, error))
    return found, tuple(findings)


def _name_and_version(distribution: Distribution) -> tuple[str | None, str | None]:
    """Return what a distribution says that it is; ``None`` for what it does not say, or not in a way that can be read."""
    try:
        metadata = distribution.metadata
        # Asked for first: from 3.12 on what is missing is warned of, which fails where warnings are errors.
        name, version = (metadata[key] if key in metadata else None for key in ("Name", "Version"))  # noqa: SIM401 - there is no get() before 3.12
    except Exception:  # noqa: BLE001 - a file that is missing, or is none, raises whatever parsing it does
        return None, None
    return name or None, version or None


def _path_of(distribution: Distribution) -> str | None:
    path = getattr(distribution, "_path", None)
    return str(path) if path is not None else None


def _unreadable(distribution: Distribution, name: str | None, error: Exception) -> Finding:
    message = f"the entry points of {name or 'a distribution'} cannot be read: {error}"
    hint = (
        f"install it again: pip install --force-reinstall {shell_word(name)}"
        if name
        else "install it again, or remove it"
    )
    place = Place(_path_of(distribution) or name or "entry points")
    return Finding("P110", message, place, hint=hint, severity="warning")
