"""Values of a module that go along when it is run again."""

import sys
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_predecessors: dict[int, tuple[dict[str, object], list[str]]] = {}  # by the id of the new module's dict


def keep(name: str, factory: Callable[[], T], *, migrate: Callable[[T], T] | None = None) -> T:
    """Return the value that a variable of the calling module has had so far; at the first load, a new one.

    Written at the top of a plugin, so that a reload leaves what is in it alone::

        CACHE = plugline.keep("CACHE", dict)

    An edit of nothing but the bodies of functions keeps all variables; this is for all other edits, which
    run the module again.

    Args:
        name: The variable's name.
        factory: Makes the first value. It is called again only when the plugin is loaded afresh.
        migrate: Makes of the old value what the new version needs; called at each reload that runs the module again.
            When it fails, or anything after it does, the old value is as it was.
    """
    names = sys._getframe(1).f_globals  # noqa: SLF001 - the module that calls is what it is about
    old, kept = _predecessors.get(id(names), ({}, []))
    if name not in old:
        return factory()
    value: T = old[name]  # type: ignore[assignment]
    kept.append(name)
    return migrate(value) if migrate is not None else value


def expect(names: dict[str, object], old: dict[str, object]) -> list[str]:
    """Let a module that is about to run have the values of another one. Returns the list that takes the names of those it took."""
    kept: list[str] = []
    _predecessors[id(names)] = (old, kept)
    return kept


def expect_no_more(names: dict[str, object]) -> None:
    """End :func:`expect`."""
    _predecessors.pop(id(names), None)
