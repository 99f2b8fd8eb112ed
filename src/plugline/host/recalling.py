"""Finders to what they hold, where all of that is remembered and nothing has changed."""

import os

from plugline.discovery.finders import Finder, Folder
from plugline.discovery.recall import FITS, NAME, ORDERED
from plugline.host.circumstances import Circumstances
from plugline.host.entries import Entry, Inspection, Listed, Memory, RememberedEntry
from plugline.typed import Mapping, Sequence


def memories_of(finders: Sequence[Finder]) -> dict[int, Memory]:
    """Return what is remembered of each finder whose plugins are worth it: those of a folder on disk."""
    if "PLUGLINE_ONLY" in os.environ:
        return {}  # somebody looks for a fault, and lets folders seem to hold less than they do
    return {
        number: Memory(finder, finder.tree.real)
        for number, finder in enumerate(finders)
        if type(finder) is Folder and finder.tree is not None
    }


def recall_one(name: str, around: Circumstances, memory: Memory) -> RememberedEntry | None:
    """Return the one plugin of this name that the first finder of a host holds; ``None`` where only a listing can tell."""
    text = around.text(memory.recall.real)
    found = memory.recall.find_one(name, text) if text is not None else None
    if found is None or text is None:
        return None
    row, number = found
    return RememberedEntry(row, Listed(memory, number, text, 0))


def recall_places(
    finders: Sequence[Finder], around: Circumstances, memories: Mapping[int, Memory]
) -> Inspection | None:
    """Return what all finders hold, as :func:`~plugline.host.registry.inspect_places` would; ``None`` where that is to be asked."""
    if len(memories) != len(finders):
        return None
    accepted: dict[str, Entry] = {}
    count = 0
    ordered = 0
    for number, memory in memories.items():
        text = around.text(memory.recall.real)
        found = memory.recall.look(text) if text is not None else None
        if found is None or text is None:
            return None
        rows, known = found
        listed = Listed(memory, known, text, number)
        for row in rows:
            accepted[row[NAME] or ""] = RememberedEntry(row, listed)
            ordered |= row[FITS]
        count += len(rows)
    if len(accepted) != count:
        return None  # two are of one name
    return Inspection({name: accepted[name] for name in sorted(accepted)}, (), (), is_ordered=bool(ordered & ORDERED))
