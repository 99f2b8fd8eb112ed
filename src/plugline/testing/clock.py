"""A clock that tests move."""

from collections.abc import Iterator
from contextlib import contextmanager

from plugline import clock


class JumpingClock:
    """All of plugline's time, standing still until it is moved: no test need sleep.

    Not promised: anything about code that asks :mod:`time` itself.
    """

    def __init__(self, unix_seconds: float) -> None:
        self._monotonic_seconds = 0.0
        self._unix_seconds = unix_seconds

    def jump(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: ``seconds`` is negative; the time of day is moved back by :meth:`set_back`.
        """
        if seconds < 0:
            message = f"{seconds!r} seconds cannot pass, a number from 0 was expected"
            raise ValueError(message)
        self._monotonic_seconds += seconds
        self._unix_seconds += seconds

    def set_back(self, seconds: float) -> None:
        """Set the time of day back, as a correction does; what is measured goes on."""
        self._unix_seconds -= seconds

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Be the clock while the block runs."""
        names = vars(clock)
        real = {name: names[name] for name in ("perf_counter", "time", "time_ns")}
        names["perf_counter"] = lambda: self._monotonic_seconds
        names["time"] = lambda: self._unix_seconds
        names["time_ns"] = lambda: round(self._unix_seconds * 1e9)
        try:
            yield
        finally:
            names.update(real)
