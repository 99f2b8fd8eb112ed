"""Run splits on this machine, one after the other in this process."""

from collections.abc import Iterator, Sequence

from plugline.records import Part, Split, SplitRunner

VERSION = "1.0"


def run(runner: SplitRunner, splits: Sequence[Split], /) -> Iterator[Part]:
    """Yield each split's part as it is done."""
    for split in splits:
        yield runner(split)
