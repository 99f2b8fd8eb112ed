"""The contracts of processors, formats and engines, as plugins implement them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Protocol, TypeAlias

TYPE_CHECKING = False
if TYPE_CHECKING:
    # A listing asks the contracts, and makes no value; their dataclasses cost a third of it.
    from plugline.records.values import Part, Position, Split

Record: TypeAlias = dict[str, object]
"""One item of data: a ``dict`` with string keys."""


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


class TableProcessor(Protocol):
    """Changes many records at once, as an Arrow table: a module with these functions, or a class with these methods."""

    def transform_batch(self, table: Any, /) -> object:
        """Return the table that becomes of ``table``, a :class:`pyarrow.Table` of one row or more.

        Anything that hands its columns on to Arrow will do: a table, a record batch, a ``polars.DataFrame``, a relation of
        DuckDB. Fewer rows count as dropped, more as created; ``None`` drops all.

        Not promised: how many rows a table has, or that rows stay together: where the function raises, it is called
        again with halves of the table, down to the rows that it raises for, which alone become dead letters.
        """

    def describe(self) -> str:
        """Return one line for people that says what the processor does."""


class RawBatch(Protocol):
    """Some records in a row, not decoded yet."""

    @property
    def raws(self) -> list[object]:
        """The undecoded records in order: a line of bytes, a list of fields, whatever ``decode`` takes."""

    def position(self, index: int, /) -> "Position":
        """Say where ``raws[index]`` stands in the stream. Called for failing records only, so it may be slow.

        Counted from where the stream begins, which may be a piece of a file: what stood before is added later.
        """


class Reader(Protocol):
    """Cuts a stream of bytes into records. One reader reads one split.

    A reader that tells lines of records has an attribute ``lines`` besides, how many lines it has read, so that those of
    the next split are counted on from there; without it, only the first split of a file tells lines.

    A reader to which the beginning of an input is something else than what follows, as it may have a byte order mark, has
    an attribute ``begins``, ``True``, which is set to ``False`` for splits that begin later.

    A reader that may meet records of any length, and is not of a format that is cut by bytes, has an attribute
    ``max_record_bytes``, which is set to how long a record may be: of a longer one it gives a :class:`Broken` with its first
    1,000 bytes.
    """

    def batches(self, stream: BinaryIO, /) -> Iterator[RawBatch]:
        """Yield batches until the stream ends, reading about 64 KiB at a time.

        What can be seen to be broken while cutting is a :class:`~plugline.records.Broken` among the raws;
        what makes all the rest unreadable raises ``ValueError`` after what was read has been yielded.
        """

    def decode(self, raw: object, /) -> Record:
        """Make a record of one raw. The hot path: for NDJSON this attribute *is* ``orjson.loads``.

        Raises:
            ValueError: The raw is not a record; the message says why and where in it. The caller
                checks that a ``dict`` came out.
        """


class GivesTables(Protocol):
    """A reader of a format in columns: where a step or the sink takes tables, no record is made of them."""

    def tables(self, stream: BinaryIO, /) -> Iterator[RawBatch]:
        """Yield batches, as :meth:`Reader.batches` does, that have an attribute ``table`` besides, an Arrow table.

        Their ``raws`` are its rows, and asked for where one of them fails.
        """


class TakesTables(Protocol):
    """A writer of a format in columns."""

    def encode_table(self, table: Any, /) -> object:
        """Make of a :class:`pyarrow.Table` what :meth:`Writer.write` takes, among what ``encode`` made.

        Raises:
            ValueError, TypeError: It has other columns than the output; its rows are encoded singly then.
        """


class Writer(Protocol):
    r"""Makes bytes of records. One writer writes one part.

    Attributes:
        separator: What stands between two parts that both hold records (``b",\n"`` for a JSON array).
        columns: The fields of a table-shaped sink once they are fixed; ``None`` for others.

    An attribute ``fixes_columns = False`` besides says that no record of this writer binds those of later parts: then
    many parts can be made at the same time from the beginning. Without it, the first part that holds records
    is made before all others, and its ``columns`` are given to theirs.
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
        """Make of ``record`` what :meth:`write` takes. The hot path.

        It may be an object with an attribute ``quick``, a :class:`functools.partial` with named arguments, which is called in
        its place and without a call between; a record that this refuses is given to ``encode`` itself, whose error is told.

        Raises:
            ValueError, TypeError: The format cannot hold the record; it becomes a dead letter of the sink.
        """

    def write(self, encoded: list[object], /) -> None:
        """Write what :meth:`encode` made, in order; the list is the caller's again afterwards."""

    def close(self, *, last: bool) -> None:
        """End the part; the last part of an output ends with the footer. Does not close the stream."""


class Format(Protocol):
    """How records are written in bytes: a class whose annotated attributes are its settings.

    The module constant ``SUFFIXES = (".ndjson", ".jsonl")`` says which file names are its own, ``SCHEMES = ("postgresql",)``
    which addresses.

    This is all that a format needs. What it can do besides, it shows by having the methods of one of the following:

    * :class:`CutsBytes`: its inputs can be cut at the ends of records without decoding them, so that several
      processes share the work. ``record_delimiter`` alone is the simplest way.
    * :class:`CutsPieces`: its files consist of pieces that are read singly (row groups).
    * :class:`OpensSource`: it does not read bytes, but a database, say.
    * :class:`Assembles`: its parts cannot simply stand one after the other in the output.
    * :class:`OpensSink`: it does not write a file at all.
    * :class:`GivesTables`, of its reader, and :class:`TakesTables`, of its writer: it is in columns.

    An attribute ``decodes_singly = True`` says that what one of its readers cut can be decoded by any other: then the input
    of a format that cannot be cut in one of these ways is cut by its reader, in one process, and decoded in several.
    Otherwise each file is read from its beginning to its end, in one process.
    """

    def reader(self) -> Reader:
        """Return a reader for one split."""

    def writer(self) -> Writer:
        """Return a writer for one part."""


class CutsBytes(Protocol):
    r"""A format that finds the ends of records in bytes.

    Where a record always ends with the same bytes, which stand nowhere else, an attribute is enough::

        record_delimiter = b"\n"

    Then a file is cut from anywhere, without reading what stands before. Otherwise :meth:`record_end` is asked
    while the input is read from its beginning. Both have to agree with the reader: the pieces, read one after
    the other, give the records that the whole gives, broken ones included.
    """

    def record_end(self, data: bytes, /) -> int:
        """Return how long the longest beginning of ``data`` is that consists of whole records; 0 where none ends.

        ``data`` begins where a record begins. Where none ends in it, the caller comes again with twice as much.
        """


class CutsAfterHeader(CutsBytes, Protocol):
    """A format whose files begin with something that every reader needs: the header of a table."""

    def header_end(self, data: bytes, /) -> int:
        """Return how many bytes of ``data``, the beginning of a file, are that; -1 where it does not end in it.

        The reader of each piece gets these bytes before those of the piece, as if the file went on there.
        """


class CutsPieces(Protocol):
    """A format whose files consist of pieces that are read singly, in units of its own: the row groups of Parquet."""

    def pieces(self, stream: BinaryIO, wanted_bytes: int, /) -> Iterable[tuple[int, int]]:
        """Yield where each piece begins and ends, in order and without gaps; about ``wanted_bytes`` of input each.

        Args:
            stream: The whole file, seekable; or what :meth:`OpensSource.open_source` gave.
            wanted_bytes: A hint.
        """

    def piece_reader(self, start: int, end: int, /) -> Reader:
        """Return a reader of one piece; its ``batches`` gets the whole file, seekable, or what was opened."""


class OpensSource(Protocol):
    """A format that opens its source itself, since that is no file of bytes: a table in a database."""

    def open_source(self, path: str, /) -> AbstractContextManager[object]:
        """Open what ``path`` names. What is entered is the ``stream`` of ``batches`` and of :meth:`CutsPieces.pieces`.

        Called in every process that reads, and for every split.

        Raises:
            OSError, ValueError: It is not there, or cannot be read; the message says what to do.
        """


class Assembles(Protocol):
    """A format whose parts cannot stand one after the other in a file: Parquet has one footer over all row groups.

    Its writer writes parts in whatever form suits (an Arrow stream each), each of them with ``first`` and ``last``. They are kept one after the other aside, and
    made the output when all of them are there; a run that goes on after a crash keeps those that it has.
    """

    def assemble(self, parts: BinaryIO, stream: BinaryIO, /, *, columns: Sequence[str] | None) -> None:
        """Write the whole output to ``stream``.

        Args:
            parts: All parts that hold records, one after the other as their writers wrote them; seekable.
            stream: Where the output goes. Not seekable where it is compressed or standard output.
            columns: The fields that the first part fixed.
        """


class Sink(Protocol):
    """Where parts go that is no file: each of them in a transaction of its own, together with the mark that it is there."""

    def add(self, number: int, content: bytes, /, *, columns: Sequence[str] | None) -> None:
        """Write one part and its mark, or nothing.

        Args:
            number: How many parts there were before it.
            content: What the format's writer wrote to its stream.
            columns: The fields that the first part fixed.

        Raises:
            RowsRefused: Some of its rows cannot be written, and nothing of it was: it comes again without them.
            OSError, ValueError: It could not be written, and nothing of it was.
        """

    def finish(self) -> None:
        """The run came to its end: put in place what is not yet, and mark that, in one transaction.

        Called again where the run was killed behind it; then it does nothing.
        """

    def close(self) -> None:
        """Let go of it, and after :meth:`finish` of the marks.

        Without that, what was added stays marked, so that the run can be gone on with.
        """


class OpensSink(Protocol):
    """A format that does not write a file."""

    def open_sink(self, path: str, /, *, run: str, resume: bool) -> tuple[Sink, int]:
        """Connect, and return the sink with the number of parts of this run that it has already.

        Args:
            path: As in the pipeline.
            run: A name for the run, the same when it is gone on with. Marks are kept under it.
            resume: Whether to go on; otherwise what marks there are under this name are removed.
        """


class SplitRunner(Protocol):
    """The one function that does the work; picklable, so that an engine may carry it anywhere."""

    def __call__(self, split: "Split", /) -> "Part":
        """Read, run the steps and write one split. Its one effect is its own part file, if its part has one."""


class CarefulRunner(SplitRunner, Protocol):
    """A runner that helps an engine which watches its processes to find the record that kills them."""

    def carefully(
        self, split: "Split", note: Callable[[int, int], None], killers: Mapping[int, tuple[int, str]], /
    ) -> "Part":
        """Run a split in which a process died before.

        Args:
            split: Which one.
            note: Called with the number of a record in the split, from 0, and that of the stage, before the stage sees the
                record: who watches the process knows what it died of. 0 is the source, the last is the sink.
            killers: The records that are known to kill, each with the stage and with what was seen of the process ("ended by
                signal 11"). They become dead letters of that stage, and are not touched.
        """


class PreparedRunner(SplitRunner, Protocol):
    """A runner that can find out on a worker, before the first record, whether it will be able to work there."""

    def prepare(self, splits: "Sequence[Split]" = ()) -> None:
        """Load what there is to load, and look for inputs and for the folder of the output.

        Args:
            splits: Not needed: a runner knows its inputs. Engines may give what they have.

        Raises:
            ConfigurationError: Something is missing on this worker; carries all findings.
        """


class Engine(Protocol):
    """Executes the splits of a plan. Knows a runner and splits, and nothing else of plugline.

    An engine may have settings ``processes`` (how many there shall be, 0 where that is left to the engine) and ``ordered``
    (whether parts are to come in the order of their splits), which get the values of ``[run]``. With an attribute
    ``streaming = True`` it gets splits of inputs that cannot be read from the middle (compressed ones, pipes) as
    they are read, and ``splits`` is an iterator then, which yields ``None`` where a pipe has nothing for the moment;
    otherwise each of these files is one split. An attribute ``dashboard_url`` is the address of the engine's own page on what
    it does, ``None`` as long as there is none; it is shown to the user once the engine has taken its first split. ``run`` may be
    called twice in a run; with a method ``close()``, which is called at its end, what an engine starts can be kept until then.
    """

    def run(self, runner: SplitRunner, splits: "Sequence[Split]", /) -> "Iterator[Part]":
        """Yield the part of each split, in the order of the splits.

        Whatever a runner raises is to pass through; closing the iterator stops the work. Take no more splits than there
        is work for: what is being made of them is in memory until it is taken.
        """
