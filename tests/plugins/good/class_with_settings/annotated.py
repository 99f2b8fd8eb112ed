"""Settings as annotated attributes of a plain class."""

from typing import ClassVar, Literal


class Shorten:
    """Cut long strings."""

    limit: int = 10
    side: Literal["left", "right"] = "right"
    fields: list[str]
    calls: ClassVar[int] = 0
    _mark = "~"

    def transform(self, record):
        return {key: self._cut(value) if key in self.fields else value for key, value in record.items()}

    def describe(self) -> str:
        return f"annotated: cuts {', '.join(self.fields)} to {self.limit}"

    def _cut(self, text):
        if len(text) <= self.limit:
            return text
        return text[: self.limit] + self._mark if self.side == "right" else self._mark + text[-self.limit :]
