"""The contracts of processors, formats and engines, as plugins implement them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, Protocol

from plugline.records.values import Part, Position, Record, Split


class Processor(Protocol):
    """Changes records: a module with these functions, or a class with these methods.

    A class's annotated attributes are its settings (``with = {...}`` in a pipeline).
    """

    def transform(self, record: Record, /) -> Record | None | Iterable[Record]:
        """Return what becomes of ``record``: a record, ``None`` to drop it, or an iterable of records.

        The record may be changed in place and returned. An iterable counts only as a whole: when
        making it, or a later step on one of its records, fails, none of them is written and the
        record that came in becomes one dead letter. What is raised here never ends the run by
        itself. Called from one thread at a time; not promised: that records come in any order,
        that all of them pass through one process, or that one record is seen only once when a
        run is resumed.
        """

    def describe(self) -> str:
        """Return one line for people that says what the processor does."""


class RawBatch(Protocol):
    """Some records in a row, not decoded yet."""

    @property
    def raws(self) -> list[object]:
        """The undecoded records in order: a line of bytes, a list of fields, whatever ``decode`` takes."""

    def position(self, index: int, /) -> Position:
        """Say where ``raws[index]`` stands. Called for failing records only, so it may be slow."""


class Reader(Protocol):
    """Cuts a stream of bytes into records. One reader reads one split."""

    def batches(self, stream: BinaryIO, /) -> Iterator[RawBatch]:
        """Yield batches until the stream ends, reading about 256 KiB at a time.

        What can be seen to be broken while cutting is a :class:`~plugline.records.Broken` among the raws;
        what makes all the rest unreadable raises ``ValueError`` after what was read has been yielded.
        """

    def decode(self, raw: object, /) -> Record:
        """Make a record of one raw. The hot path: for NDJSON this attribute *is* ``orjson.loads``.

        Raises:
            ValueError: The raw is not a record; the message says why and where in it. The caller
                checks that a ``dict`` came out.
        """


class Writer(Protocol):
    r"""Makes bytes of records. One writer writes one part.

    Attributes:
        separator: What stands between two parts that both hold records (``b",\n"`` for a JSON array).
        columns: The fields of a table-shaped sink once they are fixed; ``None`` for others.
    """

    separator: bytes
    columns: tuple[str, ...] | None

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        """Begin a part on ``stream``; the first part of an output begins with the header.

        Args:
            stream: Where the bytes go. Stays open after :meth:`close`.
            first: Whether nothing of this output has been written yet.
            columns: The fields that an earlier part has fixed.
        """

    def encode(self, record: Record, /) -> object:
        """Make of ``record`` what :meth:`write` takes. The hot path: for NDJSON this attribute *is* ``orjson.dumps``.

        Raises:
            ValueError, TypeError: The format cannot hold the record; it becomes a dead letter of the sink.
        """

    def write(self, encoded: list[object], /) -> None:
        """Write what :meth:`encode` made, in order; the list is the caller's again afterwards."""

    def close(self, *, last: bool) -> None:
        """End the part; the last part of an output ends with the footer. Does not close the stream."""


class Format(Protocol):
    """How records are written in bytes: a class whose annotated attributes are its settings.

    The module constant ``SUFFIXES = (".ndjson", ".jsonl")`` says which file names are its own.
    """

    def reader(self) -> Reader:
        """Return a reader for one split."""

    def writer(self) -> Writer:
        """Return a writer for one part."""


class SplitRunner(Protocol):
    """The one function that does the work; picklable, so that an engine may carry it anywhere."""

    def __call__(self, split: Split, /) -> Part:
        """Read, run the steps and write one split. Its one effect is its own part file."""


class Engine(Protocol):
    """Executes the splits of a plan. Knows a runner and splits, and nothing else of plugline."""

    def run(self, runner: SplitRunner, splits: Sequence[Split], /) -> Iterator[Part]:
        """Yield the part of each split, in the order of the splits.

        Whatever a runner raises is to pass through; closing the iterator stops the work.
        """
