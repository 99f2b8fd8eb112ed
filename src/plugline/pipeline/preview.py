"""A plan to a few of its records, as they are before and after every step; nothing is written."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from io import BytesIO
from itertools import islice
from typing import BinaryIO, cast

from plugline.blame import describe_error, users_own_interrupt
from plugline.dispatch.copies import structural_copy
from plugline.errors import ConfigurationError, RunStopped
from plugline.frozen import frozen
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.config import PipelineConfig, SinkConfig
from plugline.pipeline.faults import position_of
from plugline.pipeline.plan import Plan, make_plan
from plugline.pipeline.split import unreadable
from plugline.pipeline.steps import StepView, Walker
from plugline.pipeline.streams import open_source
from plugline.records import OpensSource, RawBatch, Reader, Record, Split, Writer


@frozen(kw_only=True)
class PreviewedRecord:
    """What becomes of one record.

    Attributes:
        number: Which record of the source it is, from 1.
        position: Where it stands, as dead letters say it.
        record: As it was read; ``None`` where it could not be.
        steps: What became of it at each step, as far as it went.
        out: What would be written.
        error: Why it would be a dead letter, ``None`` where it would not.
        failed_at: The name of the step that it failed at, ``"source"`` or ``"sink"``.
    """

    number: int
    position: object
    record: Record | None
    steps: tuple[StepView, ...] = ()
    out: tuple[Record, ...] = ()
    error: str | None = None
    failed_at: str | None = None


def plan_preview(config: PipelineConfig, base: str) -> Plan:
    """Make the plan of a pipeline whose output need not be possible: nothing is going to be written.

    Raises:
        ConfigurationError: Something else is wrong; carries all findings.
    """
    try:
        return make_plan(config, base)
    except ConfigurationError as error:
        if any(finding.code != "C111" for finding in error.findings):
            raise
        nowhere = SinkConfig(path="-", format="ndjson")
        return make_plan(replace(config, sink=nowhere, run=replace(config.run, dead_letters=os.devnull)), base)


def preview(plan: Plan, limit: int) -> Iterator[PreviewedRecord]:
    """Lead the first records of the source through the steps, one step at a time.

    Stateful steps see these records only.

    Args:
        limit: How many records to read.

    Raises:
        ConfigurationError: A plugin cannot be loaded or refuses its settings.
        RunStopped: The source cannot be read.
    """
    with BoundPlan(plan) as bound:
        walker = Walker(plan, bound.steps)
        writer = _opened(bound.writer.writer())
        for number, raw in enumerate(islice(_raws(plan, bound), limit), 1):
            yield _previewed(number, raw, walker, writer)


@frozen(kw_only=True)
class _Raw:
    split: Split
    reader: Reader
    batch: RawBatch
    index: int


def _raws(plan: Plan, bound: BoundPlan) -> Iterator[_Raw]:
    for split in plan.splits:
        reader = bound.reader.reader()
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(_opened_source(bound, plan.located(split.path)))
                for batch in reader.batches(stream):
                    for index in range(len(batch.raws)):
                        yield _Raw(split=split, reader=reader, batch=batch, index=index)
            except (OSError, ValueError) as error:
                (finding,) = plan.config.veiled([unreadable(error, split.path)])
                raise RunStopped(finding) from error


def _opened_source(bound: BoundPlan, path: str) -> AbstractContextManager[BinaryIO]:
    if hasattr(bound.reader, "open_source"):  # a database, which is no file
        return cast("AbstractContextManager[BinaryIO]", cast("OpensSource", bound.reader).open_source(path))
    return open_source(path)


def _previewed(number: int, raw: _Raw, walker: Walker, writer: Writer | None) -> PreviewedRecord:
    position = position_of(raw.split, raw.batch.position(raw.index))
    try:
        record: object = raw.reader.decode(raw.batch.raws[raw.index])
        if not isinstance(record, dict):
            message = f"expected an object, got {type(record).__name__}"
            raise ValueError(message)  # noqa: TRY004, TRY301 - as the record loop has it
    except BaseException as error:
        if users_own_interrupt(error):
            raise
        return PreviewedRecord(number=number, position=position, record=None, error=_said(error), failed_at="source")
    shown = structural_copy(record)
    assert isinstance(shown, dict)  # noqa: S101 - the copy of a dict is one
    walk = walker.walk(record)
    error_text, failed_at = None, None
    if walk.failure is not None:
        error_text, failed_at = str(walk.failure.error), walk.steps[-1].name
    elif (refused := _refused(writer, walk.out)) is not None:
        error_text, failed_at = refused, "sink"
    return PreviewedRecord(
        number=number,
        position=position,
        record=shown,
        steps=walk.steps,
        out=walk.out if failed_at is None else (),
        error=error_text,
        failed_at=failed_at,
    )


def _opened(writer: Writer) -> Writer | None:
    """Open a writer that writes nowhere, so that what the sink's format cannot hold is seen."""
    try:
        writer.open(BytesIO(), first=True)
    except Exception:  # noqa: BLE001 - a stranger's format; what it does at the end of a run is seen in a run
        return None
    return writer


def _refused(writer: Writer | None, records: tuple[Record, ...]) -> str | None:
    if writer is None:
        return None
    try:
        for record in records:
            writer.encode(record)
    except BaseException as error:
        if users_own_interrupt(error):
            raise
        return _said(error)
    return None


def _said(error: BaseException) -> str:
    text = describe_error(error)
    return text.said
