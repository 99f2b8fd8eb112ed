"""What source imports, held against what is installed."""

import os

from plugline.discovery.facts import ImportFacts, SourceFacts
from plugline.findings import Finding, Place
from plugline.imports import distribution_of, is_installed
from plugline.names import shell_word


def missing_modules(facts: SourceFacts, path: str) -> tuple[Finding, ...]:
    """Return a finding for each module that loading the plugin would import in vain; imports nothing.

    Only absolute imports that are always run count, and of a dotted name the first part. Each module is told once,
    where it stands first.

    Args:
        path: The plugin's file, for places, and for finding its neighbours.
    """
    first: dict[str, ImportFacts] = {}
    for one in facts.imports:
        if one.certain and one.level == 0:
            first.setdefault(one.module.partition(".")[0], one)
    return tuple(_finding(name, one, facts, path) for name, one in first.items() if not is_installed(name))


def missing_neighbours(facts: SourceFacts, path: str) -> tuple[Finding, ...]:
    """Return a finding for each file beside the plugin that loading it would import in vain; of an archive none."""
    folder = os.path.dirname(path)
    first = {one.module.partition(".")[0]: one for one in facts.imports[::-1] if one.certain and one.level == 1}
    return tuple(
        Finding(
            "P103",
            f"needs the module {name!r}, which is not beside it",
            Place(path, one.line, one.column),
            f"is the file of {name!r} missing there?",
        )
        for name, one in first.items()
        if name and not is_beside(name, path) and not _is_compiled_in(folder, name)
    )


def _is_compiled_in(folder: str, name: str) -> bool:
    """Whether there is a module of that name that is not Python source, or nobody can see that there is none."""
    try:
        return any(one.startswith(f"{name}.") for one in os.listdir(folder or os.curdir))
    except OSError:
        return True


def _finding(name: str, one: ImportFacts, facts: SourceFacts, path: str) -> Finding:
    place = Place(path, one.line, one.column)
    if is_beside(one.module, path):
        return neighbour_finding(name, place)
    message = f"needs the module {name!r}, which is not installed"
    return Finding("P103", message, place, hint=_way_out(".".join((one.module, *one.names[:1])), facts, path))


def is_beside(module: str, path: str) -> bool:
    """Whether a module that cannot be imported by its dotted name is a file or in a folder beside a plugin's file."""
    folder, own = os.path.split(path)
    name, _, inside = module.partition(".")
    if own == f"{name}.py":
        return False  # a plugin that is called like the library that it is about
    # Nothing is inside a file: who imports google.auth does not mean the google.py beside it.
    at = os.path.join(folder, name)
    return os.path.isdir(at) or (not inside and os.path.exists(f"{at}.py"))


def whole_name(name: str, line: str | None) -> tuple[str, str]:
    """Return a module's name as far as the line shows it that imports it, without and with what is taken from it."""
    # What is pasted from a hint is a name and nothing else.
    split = (line or "").replace(",", " ").replace(";", " ").split()
    words = [word if word.replace(".", "_").isidentifier() else "" for word in split]
    whole = next((word for word in words if word.startswith(f"{name}.")), name)
    return whole, f"{whole}.{words[3]}" if words[:2] == ["from", whole] and any(words[3:4]) else whole


def neighbour_finding(name: str, place: Place, source_line: str | None = None) -> Finding:
    """Return the finding for an import of a file beside the plugin as if it were installed."""
    message = f"imports {name!r}, which is a file beside it and not an installed module"
    return Finding("P103", message, place, f"import it relatively: from . import {name}", source_line)


def _way_out(module: str, facts: SourceFacts, path: str) -> str:
    declared = facts.block.get("dependencies", [])
    # What begins otherwise is no requirement, and could be an option of pip's: hints get pasted.
    stated = (
        [one for one in declared if isinstance(one, str) and one[:1].isalnum()] if isinstance(declared, list) else []
    )
    install = f"pip install {_requirement(module, stated)}"
    # Only what a plugin declares can be put into an environment of its own.
    return f"plugline sync {shell_word(path)}, or {install}" if stated else install


def _requirement(module: str, stated: list[str]) -> str:
    """Return what to install for a module: the declared dependency that it belongs to, else a guess."""
    guess = distribution_of(module)
    wanted = {_folded(module.partition(".")[0]), _folded(guess)}
    for requirement in stated:
        if _folded(_name_of(requirement)) in wanted:
            return shell_word(requirement)
    # One of them brings it, under a name that cannot be guessed.
    return " ".join(shell_word(requirement) for requirement in stated) if stated else guess


def _name_of(requirement: str) -> str:
    end = next((at for at, character in enumerate(requirement) if character not in _NAME_CHARACTERS), None)
    return requirement[:end]


_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def _folded(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").casefold()
