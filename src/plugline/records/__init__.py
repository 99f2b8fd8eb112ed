"""What a plugin for the tool imports: records, batches, and the protocols of processors, formats and engines."""

from plugline.records.protocols import (
    Assembles,
    CarefulRunner,
    CutsAfterHeader,
    CutsBytes,
    CutsPieces,
    Engine,
    Format,
    GivesTables,
    OpensSink,
    OpensSource,
    PreparedRunner,
    Processor,
    RawBatch,
    Reader,
    Record,
    Sink,
    SplitRunner,
    TableProcessor,
    TakesTables,
    Writer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plugline.records.values import Broken, Part, Position, RowsRefused, Split, StepCounts

__all__ = [
    "Assembles",
    "Broken",
    "CarefulRunner",
    "CutsAfterHeader",
    "CutsBytes",
    "CutsPieces",
    "Engine",
    "Format",
    "GivesTables",
    "OpensSink",
    "OpensSource",
    "Part",
    "Position",
    "PreparedRunner",
    "Processor",
    "RawBatch",
    "Reader",
    "Record",
    "RowsRefused",
    "Sink",
    "Split",
    "SplitRunner",
    "StepCounts",
    "TableProcessor",
    "TakesTables",
    "Writer",
]

_VALUES = frozenset({"Broken", "Part", "Position", "RowsRefused", "Split", "StepCounts"})


def __getattr__(name: str) -> object:
    # As in the façade: who lists plugins asks their contracts, and makes no record.
    if name not in _VALUES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(f"{__name__}.values", fromlist=[name]), name)
    globals()[name] = value
    return value
