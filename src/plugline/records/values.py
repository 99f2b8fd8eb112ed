"""The values that pass between sources, steps, sinks and engines."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from plugline.findings import Finding
from plugline.frozen import frozen


@frozen(kw_only=True)
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


class RowsRefused(ValueError):
    """What a sink raises where it can write a part but for some of its rows, and has written nothing of it.

    The records of these rows become dead letters, and the part comes again without them.

    Attributes:
        rows: All rows of the part, in order, as ``encode`` returned them.
        reasons: Of those that are refused, by their numbers from 0, why.
    """

    def __init__(self, rows: Sequence[object], reasons: Mapping[int, str]) -> None:
        super().__init__(next(iter(reasons.values()), ""))
        self.rows, self.reasons = rows, reasons


@frozen(kw_only=True)
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
        first: Whether nothing has been written before, and the part begins with what begins the output.
        too_long: Whether it is one record that is longer than records may be, and so is not read.
        broken: Why there is nothing to read here, and the run has to stop when it has come so far.
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
    first: bool = False
    too_long: bool = False
    broken: Finding | None = None


@frozen(kw_only=True)
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


@frozen(kw_only=True)
class SlowRecord:
    """A record that took long, or several that pass a step at once and took long together.

    Attributes:
        seconds: How long, in all stages together.
        step: The stage that took most of it: the name of a step, ``"source"`` or ``"sink"``.
        step_seconds: How long that stage took.
        position: Where it stands in its split, of several the first; in a run's report, in its file.
        shown: The beginning of it, as it came in.
        path: Its file; empty in a part.
        count: How many records they are.
    """

    seconds: float
    step: str
    step_seconds: float
    position: Position
    shown: str
    path: str = ""
    count: int = 1


@frozen(kw_only=True)
class Part:
    """What one split became: what is to be written, and the counts.

    Attributes:
        split: Which split it came from, without its content.
        content: The written records, in pieces; empty where they are in a file. What an engine of this machine yields
            need not hold longer than until the next part is asked for.
        path: The part file of a part that is too large for memory, ``None`` for others. With a ``digest`` it is a part of an
            output in parts, and lies where that is written already.
        digest: The SHA-256 of that file in hexadecimal digits; empty for others.
        bytes_on_disk: How long that file is.
        dead_letters: Its dead letters, one a line. Their positions count from the beginning of the split.
        dead_letters_path: The file of these, where they are too large for memory.
        counts: One entry for the source, one a step, one for the sink, in that order.
        columns: The fields of a table-shaped sink, where the first record has fixed them.
        errors: How often each distinct error came, keyed by a line that names it.
        tracebacks: The traceback of the first record with an error, for the first 20 distinct errors of the split, with
            the number of its dead letter in the split, or -1 where it became none.
        lines: How many lines the split has, ``None`` where its reader does not tell.
        stop: Why the run has to end here, what was done of the split being in the part; ``None``: it goes on.
        slowest: The records that took longest, where the plan asks for them.
    """

    split: Split
    content: tuple[bytes | memoryview, ...] = ()
    path: str | None = None
    digest: str = ""
    bytes_on_disk: int = 0
    dead_letters: bytes = b""
    dead_letters_path: str | None = None
    counts: tuple[StepCounts, ...]
    columns: tuple[str, ...] | None = None
    errors: Mapping[str, int] = field(default_factory=dict)
    tracebacks: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    lines: int | None = None
    stop: Finding | None = None
    slowest: tuple[SlowRecord, ...] = ()


def columns_of(record: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns that a first record fixes.

    Raises:
        ValueError: It has no field, or a key that is no text.
    """
    if not record:
        raise ValueError("the first record is empty: expected at least one field, since it fixes the columns")
    for name in record:
        if not isinstance(name, str):
            raise ValueError(f"key {name!r} is a {type(name).__name__}: expected a string")  # noqa: TRY004 - a faulty record
    return tuple(record)


def other_fields(record: Mapping[str, object], columns: Collection[str]) -> ValueError:
    """Return the error of a record that has other fields than the columns."""
    known = {*columns}
    missing = [name for name in columns if name not in record]
    extra = [name for name in record if name not in known]
    parts = [f"lacks {missing!r}"] * bool(missing) + [f"has {extra!r} besides"] * bool(extra)
    return ValueError(f"the record {' and '.join(parts)}: expected the columns {list(columns)!r}")
