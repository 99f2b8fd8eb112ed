"""The values that pass between sources, steps, sinks and engines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Record: TypeAlias = dict[str, object]
"""One item of data: a ``dict`` with string keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where in its input a record stands; what a format cannot say is ``None``.

    Attributes:
        line: The line on which it begins, counted from 1.
        offset: The byte at which it begins, counted from 0, in the decompressed input.
        row: Which record of the input it is, counted from 1, headers and blank lines apart.
    """

    line: int | None = None
    offset: int | None = None
    row: int | None = None


class Broken:
    """A piece of input that its reader already knows to be no record.

    A reader puts it among the raws of a batch, and its ``decode`` raises ``ValueError(reason)`` for it,
    so that it becomes a dead letter of its own and the records around it go on.
    """

    __slots__ = ("raw", "reason")

    def __init__(self, raw: object, reason: str) -> None:
        self.raw = raw
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """An independent piece of the input: the unit of parallel work, retry and resume.

    Attributes:
        index: Its number in the order of the input, from 0.
        count: How many splits the input has, ``None`` where that is not known yet.
        path: The file to read, ``"-"`` for standard input.
        start: Where it begins: a byte of the decompressed input, or in the units of a format that cuts pieces.
        end: Where the next one begins; ``None`` means at the end.
        head: Bytes that a reader gets before those of the split: the header of a table.
        content: The bytes themselves, for an input that only one process can read.
        raws: The undecoded records themselves, for a format whose reader alone can cut them.
        columns: The fields that an earlier part has fixed for a table-shaped sink.
    """

    index: int
    path: str
    count: int | None = None
    start: int = 0
    end: int | None = None
    head: bytes = b""
    content: bytes | None = None
    raws: tuple[object, ...] | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCounts:
    """What became of the records that reached one step.

    The law that is asserted at the end of every run: ``entered + created = out + dropped + failed``.
    ``failed`` counts records that became dead letters here; a record that failed under
    ``on_error = "drop"`` is ``dropped``, under ``"pass"`` it is ``out``.

    Attributes:
        seconds: Time spent in the step, an estimate from a sample of batches.
    """

    name: str
    entered: int
    created: int
    out: int
    dropped: int
    failed: int
    seconds: float = 0.0

    @property
    def balanced(self) -> bool:
        """Whether the counting law holds."""
        return self.entered + self.created == self.out + self.dropped + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one split became: a file that is written, and the counts.

    Attributes:
        split: Which split it came from.
        path: The written part file, ``None`` where the split wrote straight to standard output.
        dead_letters_path: The file of its dead letters; ``None`` when there are none.
        counts: One entry for the source, one a step, one for the sink, in that order.
        columns: The fields of a table-shaped sink, where the first record has fixed them.
        errors: How often each distinct error came, keyed by a line that names it.
    """

    split: Split
    path: str | None
    dead_letters_path: str | None
    counts: tuple[StepCounts, ...]
    columns: tuple[str, ...] | None = None
    errors: Mapping[str, int] = field(default_factory=dict)
