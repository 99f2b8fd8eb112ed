"""What plugline promises to others, as text: ``python -m tests.public_api`` writes it anew to ``public_api.txt``."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import plugline
import plugline.records

LIST = Path(__file__).with_suffix(".txt")
MODULES = (plugline, plugline.records)


def public_api() -> Iterator[str]:
    """Yield a line for each public name, parameter and member, sorted."""
    for module in MODULES:
        for name in sorted(module.__all__):
            yield from _lines(f"{module.__name__}.{name}", getattr(module, name))
    yield f"plugline.API_VERSION = {plugline.API_VERSION}"


def _lines(name: str, value: object) -> Iterator[str]:
    if isinstance(value, type):
        yield f"class {name}"
        for member in sorted(_members(value)):
            # How it is made may be written when it is first looked at.
            found = getattr(value, member) if member == "__init__" else inspect.getattr_static(value, member, None)
            yield f"  {name}.{member}{_parameters(found)}"
    elif isinstance(value, ModuleType) or not callable(value):
        yield name
    else:
        yield f"{name}{_parameters(value)}"


def _members(kind: type) -> set[str]:
    """Return the public names that a class or one of our classes above it defines, how it is made included."""
    found: set[str] = set()
    for base in kind.__mro__:
        if not base.__module__.startswith("plugline"):
            continue
        found |= {name for name in (*vars(base), *getattr(base, "__annotations__", {})) if not name.startswith("_")}
        found |= {"__init__"} & set(vars(base))
    return found


def _parameters(value: object) -> str:
    """Return the names of a function's parameters, without the types of which an interpreter's version shows others."""
    function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
    if not inspect.isfunction(function):
        return ""
    signs: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    shown: list[str] = []
    keyword_only = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            if not any(one.startswith("*") for one in shown):
                shown.append("*")
        default = "" if parameter.default is parameter.empty else "="
        shown.append(f"{signs.get(parameter.kind, '')}{parameter.name}{default}")
    return f"({', '.join(shown)})"


if __name__ == "__main__":
    LIST.write_text("".join(f"{line}\n" for line in public_api()), encoding="utf-8")
