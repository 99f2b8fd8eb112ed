"""Uses dataclasses in ways that look their module up in sys.modules."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, asdict, dataclass, field
from typing import ClassVar, get_type_hints

VERSION = "1.0.0"


@dataclass(slots=True)
class Point:
    x: int
    y: int = 0
    _: KW_ONLY
    label: str = field(default="")
    scale: InitVar[int] = 1
    made: ClassVar[int] = 0

    def __post_init__(self, scale: int) -> None:
        self.x *= scale


def transform(record):
    return asdict(Point(record["x"], scale=2, label="doubled"))


def describe():
    return "points: hints " + ", ".join(sorted(get_type_hints(Point)))
