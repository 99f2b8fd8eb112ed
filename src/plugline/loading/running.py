"""A module's name to the module, run once; or to what it did instead."""

import os
import sys

from plugline.errors import LoadError, PluginRejected
from plugline.findings import Finding, Place, apart, short_repr
from plugline.loading.collisions import COLLISIONS
from plugline.loading.modules import Undo, is_initializing
from plugline.loading.patches import run_keeping_builtins
from plugline.typed import Callable, ModuleType, Sequence, TypeGuard


def run_module(name: str, path: str, shown: str, undo: Undo) -> ModuleType | tuple[Finding, ...]:
    """Import a module, so that whatever it raises is its own failure and leaves nothing behind.

    ``SystemExit`` and any other ``BaseException`` is its failure too; only the user's own Ctrl-C passes.

    Args:
        name: Its full name; a module that is loaded already is returned as it is.
        path: Its file, as in tracebacks.
        shown: Its file, as in messages.
        undo: Made before.
    """
    loaded = sys.modules.get(name)
    # What stands there need not be a module: some put an object of theirs in their own place.
    if loaded is not None and not is_initializing(loaded):
        return loaded
    collisions = COLLISIONS.count
    try:
        return run_keeping_builtins(_imported, name)
    except BaseException as error:  # noqa: BLE001 - whatever a plugin raises is its own; Ctrl-C passes there
        return failure_of(error, path, shown, undo, collisions)


def failure_of(error: BaseException, path: str, shown: str, undo: Undo, collisions: int) -> tuple[Finding, ...]:
    """Return the findings for what a plugin's module raised, with everything put back; only the user's own Ctrl-C passes.

    Args:
        undo: Made before it ran.
        collisions: How many there had been before.
    """
    # Before and after: what goes is missed by other threads, whose failures are then of the same kind.
    COLLISIONS.note(error, collisions)
    if COLLISIONS.count != collisions:
        undo.left = None  # who knows what they have of each other
    undo()  # first of all: a plugin may have emptied sys.modules, and telling of it imports something
    COLLISIONS.note(error, collisions)
    if isinstance(error, PluginRejected):
        return error.findings
    from plugline.blame import users_own_interrupt  # few plugins fail

    if users_own_interrupt(error):
        raise error
    return (failure(error, path, shown, "while it was loaded"),)


def _imported(name: str) -> ModuleType:
    # Who waited for another thread's import gets what that thread made, be it half run; and that is gone from here.
    for _ in range(_MAX_IMPORTS):
        __import__(name)
        module = sys.modules.get(name)
        if module is not None and not is_initializing(module):
            return module
    return sys.modules[name]


_MAX_IMPORTS = 3  # where it is still half run then, it is this thread that runs it


_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")

# Where code runs in a sandbox: says of an exception how it would have been allowed. Set once, by the worker.
explain: Callable[[BaseException], str | None] | None = None


def end_of(end: Callable[[], object], path: str, shown: str) -> Finding | None:
    """Call what lets a plugin close what it owns, and return a warning where that raises.

    Args:
        end: What to call.
    """
    try:
        end()
    except BaseException as error:
        from plugline.blame import users_own_interrupt  # few plugins fail

        if users_own_interrupt(error):
            raise
        found = failure(error, path, shown, "while it was unloaded")
        return Finding("P309", found.message, found.place, found.hint, found.source_line, severity="warning")
    return None


def failure(error: BaseException, path: str, shown: str, when: str) -> Finding:
    """Return the finding for what a plugin raised; never raises because of what ``error`` does.

    Args:
        when: What was being done: ``"while it was loaded"``.
    """
    from plugline.blame import Tracebacks, column_of, describe_error  # few plugins fail

    if Tracebacks.wanted is not None:
        Tracebacks.wanted.keep(error, shown)
    text = describe_error(error, path)
    here = text.path == path
    line = text.line if here else None
    source_line = _line_of(path, line)
    place = Place(shown, line, column_of(error, path, source_line) if here else None)
    # Where a neighbour raised, its file and line are half of the message.
    foreign = not here and os.path.isabs(text.path or "") and not (text.path or "").startswith(_OURS)
    at = (text.path or "", text.line) if foreign else _neighbours_line(error, path)
    where = _where(at, path, shown)
    try:
        special = _special(error, path, at, place, source_line, when)
    except Exception:  # noqa: BLE001 - its attributes may be properties of the plugin's own; what it said is kept below
        special = None
    hint = explain(error) if explain is not None else None
    if special is not None:
        return special if hint is None else _with_hint(special, hint)
    said, told = apart(text.said)
    if told is None and type(error) in (ImportError, AttributeError) and "partially initialized module" in said:
        told = "they import each other: import inside the function that uses it, or move what both need to _shared.py"
    elif told is None and type(error) is ImportError:
        told = _import_hint(error, path)
    return Finding("P301", f"raised {said}{where} {when}", place, hint or told, source_line)


def _neighbours_line(error: BaseException, path: str) -> tuple[str, int | None] | None:
    """Return the deepest line reached in the plugin's folder, where that is in another file than its own."""
    from plugline.blame import traceback_of  # few plugins fail

    if not os.path.isabs(path):
        return None  # an installed module without a file of its own has no neighbours
    folder = os.path.dirname(path)
    if os.path.basename(path) == "__init__.py":
        folder = os.path.dirname(folder)
    deepest = None
    entry = traceback_of(error)
    while entry is not None:
        file = entry.tb_frame.f_code.co_filename
        if file == path or (file.startswith(os.path.join(folder, "")) and not file.startswith(_OURS)):
            deepest = file, entry.tb_lineno
        entry = entry.tb_next
    return deepest if deepest is not None and deepest[0] != path else None


def _with_hint(finding: Finding, hint: str) -> Finding:
    return Finding(finding.code, finding.message, finding.place, hint, finding.source_line, finding.severity)


def _where(at: tuple[str, int | None] | None, path: str, shown: str) -> str:
    return f" at {_as_shown(at[0], path, shown)}:{at[1]}" if at is not None else ""


def _special(
    error: BaseException,
    path: str,
    at: tuple[str, int | None] | None,
    place: Place,
    source_line: str | None,
    when: str,
) -> Finding | None:
    """Return the finding for what has one of its own.

    Args:
        at: The file and the line in which it was raised, where that is another one.
    """
    where = _where(at, path, place.path)
    if isinstance(error, ModuleNotFoundError) and _is_module_name(error.name):
        line = source_line if at is None else _line_of(*at)
        return _not_found(error.name, path, where, place, source_line, line)
    if isinstance(error, SystemExit):
        message = f"called sys.exit({'' if error.code is None else short_repr(error.code)}){where} {when}"
        hint = "put what is to run as a program under: if __name__ == '__main__':"
        return Finding("P302", message, place, hint=hint, source_line=source_line)
    if isinstance(error, LoadError) and error.findings:
        # Of another plugin, or of itself, which it asked the host for: its findings are told in one line.
        found = error.findings[0]
        if found.code == "P311":
            return Finding("P311", found.message, place, found.hint, source_line)
        told = f"plugin {error.plugin!r} could not be loaded: {found.code} {found.place}: {found.message}"
        return Finding("P301", f"raised LoadError: {told} {when}", place, found.hint, source_line)
    if isinstance(error, SyntaxError) and isinstance(error.filename, str) and os.path.isabs(error.filename):
        from plugline.discovery.source import syntax_finding  # see there

        return syntax_finding(error, _as_shown(error.filename, path, place.path))
    return None


# As Python says it, without anything else to know it by.
_RELATIVE = (
    ("attempted relative import beyond top-level package",),
    ("attempted relative import with no known parent package",),
)


def _import_hint(error: ImportError, path: str) -> str | None:
    if error.args in _RELATIVE:
        return "its folder stands below no package; the program that is to be reached so says which: Host(..., package=...)"
    if error.name is None:
        return "install what it asks for" if error.args else None  # raised by hand: Python's own have a name
    from plugline.loading.namespace import namespaces  # few plugins fail

    if any(one.name == error.name and one.tree.is_file("__init__.py") for one in namespaces()):
        return "the folder's own __init__.py is not run; if it is a package of the program: Host(..., package=...)"
    return _library_hint(error.name) if _is_elsewhere(error.name, path) else None


def _library_hint(name: str) -> str:
    from plugline.imports import distribution_of  # few plugins fail

    library = name.partition(".")[0]
    way = "" if library in sys.stdlib_module_names else f": pip install --upgrade {distribution_of(library)}"
    return f"mend the name, or take a version of {library!r} that has it{way}"


def _is_module_name(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


def _not_found(name: str, path: str, where: str, place: Place, source_line: str | None, line: str | None) -> Finding:
    from plugline.discovery.needs import is_beside, neighbour_finding, whole_name  # few plugins fail
    from plugline.imports import distribution_of, is_shared

    module, taken = whole_name(name, line)
    if place.line is not None and not where and "." not in name and is_beside(module, path):
        return neighbour_finding(name, place, source_line)
    parent, _, last = name.rpartition(".")
    if parent:
        # Its parent was there, though it may be gone by now: a neighbour is missing, or a library is of the wrong version.
        message = f"needs the module {name!r}{where}, which {parent!r} does not have"
        hint = f"is the file of {last!r} missing beside it?"
        if _is_elsewhere(parent, path):
            hint = f"pip install {distribution_of(taken)}" if is_shared(name) else _library_hint(parent)
    else:
        message = f"needs the module {name!r}{where}, which is not installed"
        hint = f"pip install {distribution_of(taken)}"
    return Finding("P103", message, place, hint=hint, source_line=source_line)


def _is_elsewhere(package: str, path: str) -> bool:
    """Whether a package is neither private nor one that a plugin's file is in."""
    first = sys.modules.get(package.partition(".")[0])
    spec = getattr(first, "__spec__", None)
    if first is None or type(getattr(spec, "loader", None)).__module__ == "plugline.loading.namespace":
        return False
    folders: Sequence[str] = getattr(sys.modules.get(package), "__path__", ())
    return not any(path.startswith(os.path.join(folder, "")) for folder in folders)


def _as_shown(other: str, path: str, shown: str) -> str:
    """Return a path as messages show it, where the one of the plugin's file is shown relatively."""
    root = path.removesuffix(shown)
    return other.removeprefix(root) if root != path else other


def _line_of(path: str, line: int | None) -> str | None:
    # linecache is imported by the traceback machinery anyway once something failed.
    from linecache import checkcache, getline

    if line is None:
        return None
    checkcache(path)
    return getline(path, line).rstrip("\n") or None
