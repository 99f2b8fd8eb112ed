"""What a reasonable person expects of a reload: one row a scenario.

A row has the files before and after the edit, what somebody takes hold of before it (``hold``), and what has to be true after
it (``then``). The two pieces of code share their names, beside those of the modules: ``x`` is the plugin that is edited,
other files have their own names, and ``app`` is the program that they are plugins of.

The same rows are run with plugline by ``test_scenarios.py`` and with other tools by ``benchmarks/reload_scenarios.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent

Files = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One scenario.

    Attributes:
        group: What it is about: the headings of the promise.
        name: What has to hold, as a sentence.
        before: The files, by name without ``.py``.
        after: Those that the edit leaves; of the others nothing changes. ``None`` deletes.
        hold: Run before the edit.
        then: Run after it.
        refused: Whether the edit is one that must not be taken.
        edits: Further edits, each followed by a reload of its own.
        only: Which tool it can be asked of; empty for any.
    """

    group: str
    name: str
    before: Files
    after: Mapping[str, str | None]
    hold: str
    then: str
    refused: bool = False
    edits: tuple[Mapping[str, str | None], ...] = ()
    only: str = ""

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"


ROWS: list[Row] = []


def _files(given: str | Mapping[str, str | None]) -> dict[str, str | None]:
    files = {"x": given} if isinstance(given, str) else dict(given)
    return {name: dedent(text).lstrip("\n") if text is not None else None for name, text in files.items()}


def row(
    group: str,
    name: str,
    before: str | Mapping[str, str],
    after: str | Mapping[str, str | None],
    hold: str,
    then: str,
    *,
    refused: bool = False,
    edits: tuple[str | Mapping[str, str | None], ...] = (),
    only: str = "",
) -> None:
    """Add a row."""
    ROWS.append(
        Row(
            group=group,
            name=name,
            before={key: text for key, text in _files(before).items() if text is not None},
            after=_files(after),
            hold=dedent(hold),
            then=dedent(then),
            refused=refused,
            edits=tuple(_files(edit) for edit in edits),
            only=only,
        )
    )


def swap(text: str, *pairs: tuple[str, str]) -> str:
    """Return a text with some parts replaced, each of which is in it."""
    for old, new in pairs:
        if old not in text:
            message = f"{old!r} is not in the text"
            raise ValueError(message)
        text = text.replace(old, new)
    return text
