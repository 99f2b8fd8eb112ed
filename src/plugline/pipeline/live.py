"""What a split is doing to how far it is and in which line, for a run that somebody watches or ends."""

from collections import deque
from collections.abc import Callable, Iterable
from types import FrameType
from typing import BinaryIO, TypeAlias

from plugline.findings import printable
from plugline.host.store import shown
from plugline.pipeline.streams import bytes_read
from plugline.records.loop import RecordLoop

TellCall: TypeAlias = Callable[[int, int, int, float], object]
"""Takes the index of a split, how many of its records are done, how many failed, and which share of its input that is."""


class Live:
    """How far one split is, told whenever its loop gives a beat.

    Args:
        size: How many bytes the stream of the split gives, 0 where that is not known: then its share is told at its end only.

    Attributes:
        stream: What the split is read from, where somebody reads it here.
        count: How many records the batch has that is being run.
    """

    def __init__(self, tell: TellCall, index: int, loop: RecordLoop, size: int) -> None:
        self._tell = tell
        self._index = index
        self._loop = loop
        self._size = size
        self.stream: BinaryIO | None = None
        self._shares: deque[float] = deque()  # behind each batch that was read and is not done
        self._read = self._before = 0.0
        self._records = self.count = 0

    def has_read(self) -> None:
        """Take note of one more batch."""
        if self.stream is None:
            self._read = 1.0  # somebody else has read all of it
        elif self._size:
            self._read = min(1.0, max(self._read, bytes_read(self.stream) / self._size))
        self._shares.append(self._read)

    def beat(self, done: int) -> None:
        """Tell.

        Args:
            done: How many records of the batch are done.
        """
        share = self._before + (self._shares[0] - self._before) * done / (self.count or 1)
        self._tell(self._index, self._records + done, self._loop.failed, share)

    def end(self) -> None:
        """Tell that the batch is done."""
        self.beat(self.count)
        self._records += self.count
        self._before = self._shares.popleft()


def plugin_in_hand(frames: Iterable[tuple[FrameType, int]]) -> str | None:
    """Return the line of the plugin that is loaded or run in ``frames``, the outermost first; ``None`` where none is."""
    found, line, runs, loads = "", 0, False, False
    for frame, at in frames:
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
        if (
            (runs and not module.startswith("plugline."))
            or (loads and frame.f_code.co_name == "<module>")
            or file == found
        ):
            found, line = file, at
        # What passes records to steps, and what takes those that a generator makes.
        runs = file.startswith("plugline: generated") or module.startswith("plugline.records.")
        loads = module.startswith("plugline.loading.")
    return f"{printable(shown(found))}:{line}" if found else None
