"""What a plugin for the tool imports: records, batches, and the protocols of processors, formats and engines."""

from plugline.records.protocols import (
    Engine,
    Format,
    Processor,
    RawBatch,
    Reader,
    SplitRunner,
    Writer,
)
from plugline.records.values import Broken, Part, Position, Record, Split, StepCounts

__all__ = [
    "Broken",
    "Engine",
    "Format",
    "Part",
    "Position",
    "Processor",
    "RawBatch",
    "Reader",
    "Record",
    "Split",
    "SplitRunner",
    "StepCounts",
    "Writer",
]
