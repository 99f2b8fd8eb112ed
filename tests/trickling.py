"""A stream that gives little at a time, as pipes do."""

import io


class Trickle(io.BytesIO):
    """Gives at most so many bytes for each ``read1``."""

    def __init__(self, data: bytes, count: int) -> None:
        super().__init__(data)
        self._count = count

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self._count if size else 0)
