"""Run splits on this machine: in this process, or in several that read their own bytes."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from plugline.records import Part, Split, SplitRunner

VERSION = "1.0"


@dataclass(kw_only=True, eq=False, repr=False)
class Local:
    """Runs splits on this machine.

    Attributes:
        processes: How many split processes there are at most; 0 stands for the number of processors, 1 for none: all
            is done in this process, and a record that ends its process ends the run.
        ordered: Whether parts come in the order of the splits.
    """

    processes: int = 0
    ordered: bool = True

    streaming: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse what would be waited for without end.

        Raises:
            ValueError: There can be no such number of processes.
        """
        if self.processes < 0:
            raise ValueError(f"{self.processes} is not a number of processes, expected 0, for one a processor, or more")

    def run(self, runner: SplitRunner, splits: Iterable[Split | None], /) -> Iterator[Part]:
        """Yield the part of each split."""
        if self.processes == 1 or not hasattr(os, "fork"):
            for split in splits:
                if split is not None:  # which is a moment without input
                    yield runner(split)
            return
        # Not at the top: a plan reads this file to see which settings there are, and one process needs nothing of it.
        from plugline.engines._crew import Crew

        crew = Crew(runner, self.processes or _processors())
        try:
            yield from crew.parts(iter(splits), ordered=self.ordered)
        finally:
            crew.close()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
