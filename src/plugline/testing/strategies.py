"""Records that people do not think of, made by Hypothesis."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from plugline.records import Record

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def values(*, nested: bool = True) -> "SearchStrategy[object]":
    """Return what makes values that NDJSON can hold: text, numbers, truth values, ``None``, and lists and dicts of these.

    Args:
        nested: Whether there are lists and dicts.
    """
    from hypothesis import strategies  # half a second, and the fixtures do without

    scalars: SearchStrategy[object] = strategies.one_of(
        strategies.none(),
        strategies.booleans(),
        strategies.integers(-(2**63), 2**64 - 1),
        strategies.floats(allow_nan=False, allow_infinity=False),
        strategies.text(strategies.characters(exclude_categories=["Cs"])),
    )
    if not nested:
        return scalars
    names = strategies.text(strategies.characters(exclude_categories=["Cs"]))
    return strategies.recursive(
        scalars,
        lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(names, inner, max_size=3),
    )


def records(
    fields: "Mapping[str, SearchStrategy[object]] | None" = None, *, optional: bool = False, nested: bool = True
) -> "SearchStrategy[Record]":
    """Return what makes records.

    Args:
        fields: The fields that each record has, with what makes their values; there may be others besides.
        optional: Whether a field of ``fields`` may be missing.
        nested: Whether values may be lists and dicts.
    """
    from hypothesis import strategies  # see values

    names = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=8)
    others = strategies.dictionaries(names, values(nested=nested), max_size=4)
    if not fields:
        return others
    fixed = strategies.fixed_dictionaries({} if optional else dict(fields), optional=dict(fields) if optional else {})
    return strategies.builds(lambda more, own: {**more, **own}, others, fixed)
