"""What every format and every processor keeps, for authors to hold theirs against."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from plugline.blame import describe_error
from plugline.records import Broken, Format, Processor, Record, TableProcessor
from plugline.records.columns import table_of
from plugline.records.outcomes import records_of
from plugline.testing.strategies import records as any_records

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def check_format(
    form: "Format | Callable[[], Format]",
    records: "SearchStrategy[Record] | None" = None,
    *,
    wrong: Record | None = None,
    examples: int = 50,
) -> None:
    """Hold a format against the contract that all formats keep.

    1. What was written is read as the same, types included, in however small pieces the bytes come.
    2. An output is the same whether it was made in one part or in several, put together; where the format assembles its
       parts or is in columns, the records are, and the bytes may differ.
    3. An output without records is read as no records.
    4. Positions count the records: rows from 1, lines and offsets that never go back.
    5. What it cannot hold fails at the record, and nothing else is harmed.
    6. A writer keeps nothing of the list that it was given, and leaves the stream open.

    Args:
        form: The format, or what makes one: its class where it needs no settings.
        records: What makes records that it can hold; by default any that NDJSON can. All records of an output have the
            same fields if the writer fixes columns.
        wrong: A record that it cannot hold; by default one with a value of a type that no format knows.
        examples: How many outputs are tried for each law.

    Raises:
        AssertionError: Says which law is broken, by which records.
    """
    from hypothesis import HealthCheck, given, settings, strategies  # see plugline.testing.strategies

    made: Any = form() if isinstance(form, type) or (callable(form) and not hasattr(form, "reader")) else form
    _check_there(made, "reader", "writer")
    in_batches = hasattr(made, "assemble") or hasattr(made.reader(), "tables")
    one = any_records() if records is None else records
    many = strategies.lists(one, max_size=6)
    quietly = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    @quietly
    @given(many)
    def round_trip(some: list[Record]) -> None:
        content = _whole(made, some)
        for piece in (None, 1, 7):
            _assert_same(_read(made, content, piece), some, "what was written is not read as the same")

    @quietly
    @given(many, strategies.lists(strategies.integers(0, 6), max_size=2))
    def in_parts(some: list[Record], cuts: list[int]) -> None:
        edges = [0, *sorted(min(cut, len(some)) for cut in cuts), len(some)]
        pieces = [some[start:end] for start, end in pairwise(edges)]
        pieces = [piece for piece in pieces if piece] or [[]]  # who fixes columns does so with the first record
        output = _of_parts(made, pieces)
        _assert_same(_read(made, output, None), some, "parts put together are not read as the same")
        if some and not in_batches:
            assert output == _whole(made, some), f"parts put together differ from one part, for {some!r}"

    @quietly
    @given(many)
    def positions(some: list[Record]) -> None:
        stream = io.BytesIO(_whole(made, some))
        found = [batch.position(index) for batch in made.reader().batches(stream) for index in range(len(batch.raws))]
        rows = [position.row for position in found]
        assert rows == list(range(1, len(some) + 1)), f"rows are {rows}, for {some!r}"
        for what in ("line", "offset"):
            told = [number for position in found if (number := getattr(position, what)) is not None]
            assert told == sorted(told), f"the {what}s of records go back: {told}, for {some!r}"

    for law in (round_trip, in_parts, positions):
        law()
    assert _read(made, _whole(made, []), None) == [], "an output without records is not read as no records"
    _check_refusal(made, {"a": object()} if wrong is None else wrong)


def _check_refusal(form: Format, wrong: Record) -> None:
    stream = io.BytesIO()
    writer = form.writer()
    writer.open(stream, first=True)
    try:
        writer.encode(wrong)
    except (ValueError, TypeError):
        pass
    else:
        raise AssertionError(f"{wrong!r} cannot be held, and was encoded; a ValueError or TypeError was expected")
    writer.close(last=True)
    left = "a record that was refused left something in the output"
    if hasattr(form, "assemble"):
        assert not stream.getvalue(), left
    else:
        assert _read(form, stream.getvalue(), None) == [], left


def check_processor(
    processor: Processor | TableProcessor, records: "SearchStrategy[Record] | None" = None, *, examples: int = 100
) -> None:
    """Hold a processor against the contract that all processors keep.

    1. ``describe()`` returns a line of text.
    2. ``transform`` returns a record, ``None``, or an iterable of records, for whatever record; or it raises an ``Exception``,
       which costs that record and nothing else. ``transform_batch``, of a processor that has only that, returns a table.
    3. It leaves no trace of a record in the next one: the same record gives the same again.

    The third law is not for processors that say ``STATEFUL = True``, or whose result depends on chance.

    Args:
        processor: A module, or an instance of a class.
        records: What makes records; by default any that NDJSON can hold.
        examples: How many are tried.

    Raises:
        AssertionError: Says which law is broken, by which record.
    """
    from hypothesis import HealthCheck, given, settings  # see plugline.testing.strategies

    _check_there(processor, "transform", "describe", instead={"transform": "transform_batch"})
    said = processor.describe()
    assert isinstance(said, str), f"describe() returned {said!r}, a line of text was expected"
    assert said.strip(), "describe() returned nothing, a line of text was expected"
    assert "\n" not in said, f"describe() returned {said!r}, one line was expected"

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(any_records() if records is None else records)
    def law(record: Record) -> None:
        first = _outcome(processor, record)
        if not getattr(processor, "STATEFUL", False):
            again = _outcome(processor, record)
            assert _same(first, again), f"{record!r} gave {first!r}, and then {again!r}"

    law()


def _outcome(processor: Processor | TableProcessor, record: Record) -> object:
    from copy import deepcopy  # for tests only

    try:
        if not hasattr(processor, "transform"):
            return _table_outcome(processor, record)
        made = cast(Processor, processor).transform(deepcopy(record))
        return made if made is None or isinstance(made, dict) else records_of(made)
    except Exception as error:  # noqa: BLE001 - whatever it raises is this record's failure, as in a run
        said = describe_error(error)
        assert not (said.kind == "TypeError" and said.message.startswith("returned ")), f"{record!r}: {said.message}"
        return said.kind


def _table_outcome(processor: TableProcessor, record: Record) -> object:
    """Return what a processor of tables made of a table of one record; nothing of a record that no table can hold."""
    import pyarrow  # for processors of tables

    try:
        table = pyarrow.Table.from_pylist([record])
    except (pyarrow.ArrowException, OverflowError):
        return None
    made = table_of(processor.transform_batch(table))
    return made.to_pylist() if made is not None else None


def _check_there(value: object, *names: str, instead: Mapping[str, str] = MappingProxyType({})) -> None:
    """Say all that is missing at once."""
    missing = [
        f"no {name}()" + (f" (nor {instead[name]}())" if name in instead else "")
        for name in names
        if not callable(getattr(value, name, None)) and not callable(getattr(value, instead.get(name, name), None))
    ]
    owner = value.__name__ if isinstance(value, ModuleType) else type(value).__name__
    assert not missing, f"{owner} has {' and '.join(missing)}"


class _InPieces(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self._size if size else 0)


def _part(
    form: Format, records: Sequence[Record], *, first: bool, last: bool, columns: Sequence[str] | None
) -> tuple[bytes, Sequence[str] | None]:
    stream = io.BytesIO()
    writer = form.writer()
    writer.open(stream, first=first, columns=columns)
    half = len(records) // 2
    for batch in (records[:half], records[half:]):
        encoded = [writer.encode(record) for record in batch]
        kept = list(encoded)
        writer.write(encoded)
        assert encoded == kept, "write() changed the list that it was given"
    writer.close(last=last)
    assert not stream.closed, "close() closed the stream, which is the caller's"
    return stream.getvalue(), writer.columns


def _whole(form: Format, records: Sequence[Record]) -> bytes:
    return _of_parts(form, [records])


def _of_parts(form: Format, pieces: Sequence[Sequence[Record]]) -> bytes:
    """Return an output of one part for each piece, put together as a run does."""
    assemble: Any = getattr(form, "assemble", None)
    joined, columns = b"", None
    for index, piece in enumerate(pieces):
        text, fixed = _part(
            form,
            piece,
            first=index == 0 or assemble is not None,
            last=index == len(pieces) - 1 or assemble is not None,
            columns=columns,
        )
        columns = columns if columns is not None else fixed
        if assemble is None:
            joined += (form.writer().separator if joined and piece else b"") + text
        elif piece:
            joined += text
    if assemble is None:
        return joined
    output = io.BytesIO()
    assemble(io.BytesIO(joined), output, columns=columns)
    return output.getvalue()


def _read(form: Format, content: bytes, piece: int | None) -> list[Record]:
    stream = io.BytesIO(content) if piece is None else _InPieces(content, piece)
    reader = form.reader()
    found = []
    for batch in reader.batches(stream):
        for raw in batch.raws:
            assert not isinstance(raw, Broken), f"a record that was written is read as broken: {raw.reason}"
            found.append(reader.decode(raw))
    return found


def _assert_same(found: Sequence[Record], wanted: Sequence[Record], what: str) -> None:
    assert len(found) == len(wanted), f"{what}: {len(wanted)} records became {len(found)}, for {wanted!r}"
    for one, other in zip(found, wanted, strict=True):
        assert _same(one, other), f"{what}: {other!r} became {one!r}"


def _same(one: object, other: object) -> bool:
    """Equality that tells 1 from True and 0.0 from -0.0, and takes NaN for itself."""
    match one, other:
        case float(), float():
            if math.isnan(one) or math.isnan(other):
                return math.isnan(one) and math.isnan(other)
            return one == other and math.copysign(1, one) == math.copysign(1, other)
        case dict(), dict():
            return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
        case list(), list():
            return len(one) == len(other) and all(map(_same, one, other))
        case _:
            return type(one) is type(other) and one == other
