"""What a plugin for the tool imports: records, batches, and the protocols of processors, formats and engines."""

from plugline.records.protocols import (
    Assembles,
    CarefulRunner,
    CutsAfterHeader,
    CutsBytes,
    CutsPieces,
    Engine,
    Format,
    OpensSink,
    OpensSource,
    Processor,
    RawBatch,
    Reader,
    Sink,
    SplitRunner,
    Writer,
)
from plugline.records.values import Broken, Part, Position, Record, Split, StepCounts

__all__ = [
    "Assembles",
    "Broken",
    "CarefulRunner",
    "CutsAfterHeader",
    "CutsBytes",
    "CutsPieces",
    "Engine",
    "Format",
    "OpensSink",
    "OpensSource",
    "Part",
    "Position",
    "Processor",
    "RawBatch",
    "Reader",
    "Record",
    "Sink",
    "Split",
    "SplitRunner",
    "StepCounts",
    "Writer",
]
