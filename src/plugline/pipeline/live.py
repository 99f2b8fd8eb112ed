"""What a split is doing to how far it is, for a run that somebody watches."""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import BinaryIO, TypeAlias

from plugline.pipeline.streams import bytes_read
from plugline.records import Split
from plugline.records.loop import RecordLoop

OpenCall: TypeAlias = Callable[[Split, ExitStack], BinaryIO]
TellCall: TypeAlias = Callable[[int, int, int, float], object]
"""Takes the index of a split, how many of its records are done, how many failed, and which share of its input that is."""


class Live:
    """How far one split is, told whenever its loop gives a beat.

    Args:
        tell: Is told.
        index: Of the split.
        loop: What runs it.
        size: How many bytes its stream gives, 0 where that is not known: then its share is told at its end only.
    """

    def __init__(self, tell: TellCall, index: int, loop: RecordLoop, size: int) -> None:
        self._tell = tell
        self._index = index
        self._loop = loop
        self._size = size
        self._stream: BinaryIO | None = None
        self._shares: deque[float] = deque()  # behind each batch that was read and is not done
        self._read = self._before = 0.0
        self._records = self._count = 0

    def opening(self, open_split: OpenCall) -> OpenCall:
        """Return what opens a split, so that it is known what the split is read from."""

        def opened(split: Split, stack: ExitStack) -> BinaryIO:
            self._stream = open_split(split, stack)
            return self._stream

        return opened

    def has_read(self) -> None:
        """Take note of a batch that was read."""
        if self._stream is None:
            self._read = 1.0  # somebody else has read all of it
        elif self._size:
            self._read = min(1.0, max(self._read, bytes_read(self._stream) / self._size))
        self._shares.append(self._read)

    def begin(self, count: int) -> None:
        """Take note that the first batch that was read is begun.

        Args:
            count: How many records it has.
        """
        self._count = count

    def beat(self, done: int) -> None:
        """Tell.

        Args:
            done: How many records of the batch are done.
        """
        share = self._before + (self._shares[0] - self._before) * done / (self._count or 1)
        self._tell(self._index, self._records + done, self._loop.failed, share)

    def end(self) -> None:
        """Tell that the batch is done."""
        self.beat(self._count)
        self._records += self._count
        self._before = self._shares.popleft()
