"""Settings as the fields of a dataclass that checks them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Bounds:
    low: float = 0.0
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamp:
    """Keep a number within bounds."""

    column: str
    bounds: Bounds
    names: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.bounds.low > self.bounds.high:
            raise ValueError(f"bounds.low {self.bounds.low!r}, expected at most bounds.high {self.bounds.high!r}")

    def transform(self, record):
        return {**record, self.column: min(max(record[self.column], self.bounds.low), self.bounds.high)}

    def describe(self) -> str:
        return f"dataclassed: keeps {self.column} between {self.bounds.low} and {self.bounds.high}"
