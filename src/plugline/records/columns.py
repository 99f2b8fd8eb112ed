"""Batches through steps of which some take tables: rows become a table where a step wants one, and rows again where none does.

Invariants that the tests name by their numbers, besides those of :mod:`plugline.records.loop`:

1. Between two steps that take tables, a source that gives tables and a sink that takes them, no record is made.
2. Where a step raises for a table, it is called with halves of it, down to the rows that it raises for; these alone fail, and
   it is called again with all that are left. Where it raises for a whole and for neither half, what it made of the halves
   counts.
3. Which row came from which is not known behind a step that takes tables: a dead letter from there on holds the record as it
   was after the last of them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from plugline.blame import ErrorText, users_own_interrupt
from plugline.clock import monotonic_seconds
from plugline.frozen import frozen
from plugline.records.loop import Drain, RecordLoop, StepCall, StopRun
from plugline.records.outcomes import ORPHANS, Failure, StagedBatch
from plugline.records.protocols import Record
from plugline.records.tables import TableMaker, rows_of, with_inner


class TableBatch(Protocol):
    """A batch that a reader gives in column form.

    Attributes:
        raws: Its rows, made when they are asked for.
    """

    table: Any

    @property
    def raws(self) -> list[object]:
        """The rows."""


@frozen()
class _Frame:
    """Records in column form, and the places in the batch of what they were made of."""

    table: Any
    origins: Sequence[int]


@frozen()
class _Bad:
    """A row that a step raised for."""

    row: int
    error: ErrorText
    traceback: str | None


class TableLoop(RecordLoop):
    """Passes batches through steps, some of which have a :attr:`StepCall.table`.

    Args:
        decode: As for :class:`~plugline.records.loop.RecordLoop`.
        steps: As there.
        encode: As there.
        encode_table: What the sink makes of a whole table; ``None`` where it takes records only.

    Attributes:
        passed: Which steps the records of the batches to come have behind them: they go from the source past the first so many.
    """

    in_tables = True
    passed = 0

    def __init__(
        self,
        decode: Callable[..., object],
        steps: Sequence[StepCall],
        encode: Callable[[Record], object],
        encode_table: Callable[[Any], object] | None,
    ) -> None:
        super().__init__(decode, steps, encode)
        self._encode_table = encode_table
        self._makers: dict[int, TableMaker] = {}

    @property
    def takes_tables(self) -> bool:
        """Whether what comes first, a step or the sink, takes tables: then the reader should give them."""
        return (self._steps[0].table if self._steps else self._encode_table) is not None

    def begin_tables(
        self,
        decode: Callable[..., object],
        encode: Callable[[Record], object],
        encode_table: Callable[[Any], object] | None,
    ) -> None:
        """Begin another split; see :meth:`begin`."""
        self.begin(decode, encode)
        self._encode_table = encode_table
        self._makers.clear()  # what a split becomes depends on nothing that ran before

    def run(self, raws: list[object], out: list[object], failures: list[Failure], drain: Drain | None = None) -> None:
        """Pass one batch through; see :meth:`RecordLoop.run`. ``out`` may take tables."""
        del drain  # all of a batch passes one stage before the next
        self._run_staged(None, raws, len(raws), out, failures)

    def run_table(self, batch: TableBatch, out: list[object], failures: list[Failure]) -> None:
        """Pass one batch through that came in column form; see :meth:`run`."""
        count = batch.table.num_rows
        self._run_staged(_Frame(_as_table(batch.table), range(count)), [], count, out, failures)

    def _run_staged(
        self, frame: _Frame | None, raws: list[object], count: int, out: list[object], failures: list[Failure]
    ) -> None:
        passing = StagedBatch(raws, self._sink + 1)
        self._clock.begin_staged_batch()
        for stage in range(self._sink + 1):
            if 0 < stage <= self.passed:
                continue
            began = monotonic_seconds()
            frame = self._pass(stage, frame, passing)
            self._add_staged(stage, monotonic_seconds() - began, passing)
            self._stop_if_asked(stage, passing)
        passing.settle(self._created, self._dropped, self._failed)
        out += passing.values
        self._written += len(passing.values)
        if frame is not None:
            out.append(frame.table)
            self._written += len(frame.origins)
        self._entered += count
        failures += sorted(passing.failures, key=lambda one: one.index)

    def _pass(self, stage: int, frame: _Frame | None, passing: StagedBatch) -> _Frame | None:
        """Pass a batch through one stage. Returns what is in column form behind it; all else is alive as rows."""
        step = self._steps[stage - 1] if 0 < stage < self._sink else None
        if stage == 0 and frame is not None:
            return frame
        if step is not None and step.table is not None:
            frame = frame or self._tabled(stage, passing)
            return None if frame is None else self._pass_table_step(stage, step, frame, passing)
        if stage == self._sink and frame is not None and self._encode_table is not None:
            try:
                return _Frame(self._encode_table(frame.table), frame.origins)
            except Exception:  # noqa: BLE001, S110 - which rows it is about, and why, is told one by one below
                pass
        if frame is not None:
            self._make_rows(stage, frame, passing)
        if step is None or step.batch is None:
            self._pass_stage(stage, passing)
        else:
            self._pass_batch_step(stage, step, passing)
        return None

    def _stop_if_asked(self, stage: int, passing: StagedBatch) -> None:
        """End the run where a step failed that says so. Nothing of the batch counts but that record."""
        if not 0 < stage < self._sink or self._steps[stage - 1].on_error != "stop":
            return
        found = [one for one in passing.failures if one.stage == stage]
        if found:
            self._entered += 1
            self._failed[stage] += 1
            raise StopRun(min(found, key=lambda one: one.index))

    # ------------------------------------------------------------------------- rows to tables and back

    def _tabled(self, stage: int, passing: StagedBatch) -> _Frame | None:
        """Make a table of what is alive; records that do not fit into one fail at the step that wants it."""
        maker = self._makers.setdefault(stage, TableMaker())
        kept: list[tuple[int, Record]] = []
        for origin, record in zip(*passing.take_out(), strict=True):
            if origin in passing.lost:
                continue
            try:
                kept.append((origin, maker.accept(cast("Record", record))))
            except (ValueError, TypeError) as error:
                self._fail_staged(stage, origin, record, self._note(stage, error), passing)
        kept = [one for one in kept if one[0] not in passing.lost]
        try:
            batch = maker.batch([record for _, record in kept])
        except ValueError:
            kept = [one for one in kept if self._fits(stage, maker, one, passing)]
            kept = [one for one in kept if one[0] not in passing.lost]
            batch = maker.batch([record for _, record in kept])
        return _Frame(_as_table(batch), [origin for origin, _ in kept]) if kept else None

    def _fits(self, stage: int, maker: TableMaker, one: tuple[int, Record], passing: StagedBatch) -> bool:
        try:
            maker.batch([one[1]])
        except ValueError as error:
            self._fail_staged(stage, one[0], one[1], self._note(stage, error), passing)
            return False
        return True

    def _make_rows(self, stage: int, frame: _Frame, passing: StagedBatch) -> None:
        """Make records of a table; a row that Python cannot hold fails at the stage that wants it as a record."""
        rows, wrong = rows_of(frame.table)
        names = frame.table.schema.names
        for at, (origin, row) in enumerate(zip(frame.origins, rows, strict=True)):
            record = dict(zip(names, row, strict=True))
            if at in wrong:
                self._fail_staged(stage, origin, record, self._note(stage, ValueError(wrong[at])), passing)
            else:
                passing.go_on(origin, record)

    # ------------------------------------------------------------------------- a step that takes tables

    def _pass_table_step(self, stage: int, step: StepCall, frame: _Frame, passing: StagedBatch) -> _Frame | None:
        table, origins = frame.table, frame.origins
        while origins:
            found = self._by_halves(stage, step, table, 0)
            bad = [one for one in found if isinstance(one, _Bad)]
            if step.on_error == "pass":
                made = [table.slice(one.row, 1) if isinstance(one, _Bad) else one for one in found]
                return self._regrouped(stage, len(origins), made, passing)
            if not bad:
                return self._regrouped(stage, len(origins), found, passing)
            gone = self._set_aside(stage, step, bad, table, origins, passing)
            left = [at for at, origin in enumerate(origins) if at not in gone and origin not in passing.lost]
            if not left:
                break
            table, origins = table.take(left), [origins[at] for at in left]
        return None

    def _set_aside(
        self,
        stage: int,
        step: StepCall,
        bad: Sequence[_Bad],
        table: Any,
        origins: Sequence[int],
        passing: StagedBatch,
    ) -> set[int]:
        """Take that some rows failed. Returns which."""
        record: Record | None = None
        for one in bad:
            origin = origins[one.row]
            if step.on_error == "drop":
                passing.drop(stage, origin)
            elif origin not in passing.lost:
                if origin >= ORPHANS:  # of all others there is what they came in as
                    rows, _ = rows_of(table.slice(one.row, 1))
                    record = dict(zip(table.schema.names, rows[0], strict=True))
                self._fail_staged(stage, origin, record, (one.error, one.traceback), passing)
        return {one.row for one in bad}

    def _regrouped(self, stage: int, before: int, made: Sequence[Any], passing: StagedBatch) -> _Frame | None:
        tables = [one for one in made if one is not None and one.num_rows]
        after = sum(one.num_rows for one in tables)
        passing.recount(stage, before, after)
        if not tables:
            return None
        return _Frame(_together(tables), range(ORPHANS * (stage + 1), ORPHANS * (stage + 1) + after))

    def _by_halves(self, stage: int, step: StepCall, table: Any, start: int) -> list[Any]:
        """Return what a step makes of a table, in pieces, with a :class:`_Bad` for each row that it raises for."""
        try:
            return [table_of(cast("Callable[[Any], object]", step.table)(table), table.schema.names)]
        except BaseException as error:
            if users_own_interrupt(error):
                raise
            if table.num_rows == 1:
                return [_Bad(start, *self._note(stage, error))]
        half = table.num_rows // 2
        return [
            *self._by_halves(stage, step, table.slice(0, half), start),
            *self._by_halves(stage, step, table.slice(half), start + half),
        ]


def _as_table(batch: Any) -> Any:
    import pyarrow  # only where tables are

    return pyarrow.Table.from_batches([batch]) if isinstance(batch, pyarrow.RecordBatch) else batch


def _together(tables: Sequence[Any]) -> Any:
    import pyarrow

    if len(tables) == 1:
        return tables[0]
    return pyarrow.concat_tables(tables, promote_options="permissive")


def table_of(value: object, given: Sequence[str] = ()) -> Any:
    """Return as an Arrow table what a step returned.

    Args:
        given: The columns of the table that it was given.

    Raises:
        TypeError: It is none, and cannot be made one.
    """
    import pyarrow

    if value is None:
        return None
    kind = type(value).__qualname__
    if kind == "LazyFrame":
        value = cast("Any", value).collect()
    if isinstance(value, pyarrow.Table | pyarrow.RecordBatch):
        table = _as_table(value)
    elif isinstance(value, pyarrow.RecordBatchReader):
        table = value.read_all()
    elif kind != "Series" and (hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__")):
        # A DataFrame of Polars, a relation of DuckDB, and whoever else speaks Arrow's C interface.
        table = pyarrow.table(value)
        if b"pandas" in (table.schema.metadata or ()):  # which hands over the numbers of rows, if some are left out
            numbers = [name for name in table.schema.names if name.startswith("__index_level_")]
            table = table.replace_schema_metadata().drop_columns([name for name in numbers if name not in given])
    else:
        raise TypeError(
            f"returned an object of type {kind!r}, expected a table of Arrow, Polars, DuckDB or pandas, or None"
        )
    names = table.schema.names
    if len(set(names)) < len(names):
        raise ValueError(f"returned a table with the columns {names!r}, expected each name once")
    return _without_views(table)


def _without_views(table: Any) -> Any:
    """Return a table without the newest kind of text, which not every reader of Arrow knows."""
    import pyarrow

    kinds = [_without_view(kind) for kind in table.schema.types]
    if kinds == table.schema.types:
        return table
    return table.cast(pyarrow.schema([field.with_type(kind) for field, kind in zip(table.schema, kinds, strict=True)]))


def _without_view(kind: Any) -> Any:
    """Return a type that holds the same, wherever in lists and tables the newest kind of text stands."""
    import pyarrow

    if kind == pyarrow.string_view():
        return pyarrow.large_string()
    if kind == pyarrow.binary_view():
        return pyarrow.large_binary()
    return with_inner(kind, _without_view)
