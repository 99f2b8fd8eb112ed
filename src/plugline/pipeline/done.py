"""The entries of a run's journal to what has been committed."""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import cast

from plugline.frozen import frozen
from plugline.pipeline.cutting import Mark
from plugline.pipeline.report import Swap, added
from plugline.records import StepCounts


@frozen(kw_only=True)
class Done:
    """What has been committed.

    Attributes:
        mark: Where the next split begins.
        parts: How many there were.
        written: How many records they hold.
        output_bytes: How long the output is.
        letters_bytes: How long the dead letters are.
        counts: Those of all parts together.
        errors: How often each distinct error came.
        tracebacks: Those of the first 20 distinct errors.
        columns: The fields of a table-shaped sink, once they are fixed.
        file: The file that the last split was of.
        lines: How many lines of that file come before the next split; ``None`` where its reader does not tell.
        rows: How many records of it do.
        swaps: The generations of plugins that were taken while the run went on.
    """

    mark: Mark = field(default_factory=Mark)
    parts: int = 0
    written: int = 0
    output_bytes: int = 0
    letters_bytes: int = 0
    counts: tuple[StepCounts, ...] = ()
    errors: Mapping[str, int] = field(default_factory=dict)
    tracebacks: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    file: int = -1
    lines: int | None = 0
    rows: int = 0
    swaps: tuple[Swap, ...] = ()

    @property
    def records(self) -> int:
        """How many records have been read."""
        return self.counts[0].entered if self.counts else 0

    @property
    def failed(self) -> int:
        """How many became dead letters."""
        return sum(count.failed for count in self.counts)

    def after(self, entry: Mapping[str, object], *, ordered: bool) -> "Done":
        """Return what has been committed with what an entry of the journal adds to it.

        Args:
            entry: See ``docs/reference/journal.md``.
            ordered: Whether parts come in the order of the splits.
        """
        if "swaps" in entry:
            told = cast("list[tuple[str, int, int]]", entry["swaps"])
            new = tuple(Swap(step=step, generation=generation, record=record) for step, generation, record in told)
            return replace(self, swaps=(*self.swaps, *new))
        if "content" in entry:
            return replace(self, output_bytes=cast("int", entry["output_bytes"]))
        if "mark" not in entry:
            return self
        index, file, start = cast("list[int]", entry["mark"])
        counts = tuple(
            StepCounts(
                name=name,
                entered=entered,
                created=created,
                out=out,
                dropped=dropped,
                failed=failed,
                seconds=seconds,
            )
            for name, entered, created, out, dropped, failed, seconds in cast(
                "list[tuple[str, int, int, int, int, int, float]]", entry["counts"]
            )
        )
        columns = cast("list[str] | None", entry["columns"])
        return replace(
            self,
            mark=Mark(index=index, file=file, start=start),
            parts=self.parts + 1,
            written=self.written + counts[-1].out,
            output_bytes=max(cast("int", entry["output_bytes"]), self.output_bytes if not ordered else 0),
            letters_bytes=cast("int", entry["letters_bytes"]),
            counts=added(self.counts, counts),
            errors=_sums(self.errors, cast("dict[str, int]", entry["errors"])),
            tracebacks={**self.tracebacks, **cast("dict[str, str]", entry["tracebacks"])},
            columns=None if columns is None else tuple(columns),
            file=cast("int", entry["file"]),
            lines=cast("int | None", entry["lines"]),
            rows=cast("int", entry["rows"]),
        )


def _sums(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}
