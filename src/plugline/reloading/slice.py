"""One slice of the global interpreter lock in which nothing else runs."""

import gc
import sys
from time import sleep
from types import TracebackType
from typing import Self

_LONG_SECONDS = 10.0  # longer than any commit; ours is given back long before


class Slice:
    """From entering to leaving, no other thread runs Python code, provided that nothing inside waits.

    The interpreter takes the lock away from a thread when others have waited for the switch interval. So the interval is
    raised, and the lock yielded once: those who had begun to wait under the old interval run, and wait again
    under the new one. No finalizer is run by the collector meanwhile.
    """

    def __enter__(self) -> Self:
        self._interval = sys.getswitchinterval()
        self._collects = gc.isenabled()
        sys.setswitchinterval(_LONG_SECONDS)
        gc.disable()
        sleep(0)
        return self

    def yield_once(self) -> None:
        """Let the others run a little, and begin another slice."""
        sys.setswitchinterval(self._interval)
        sleep(self._interval / 10)
        sys.setswitchinterval(_LONG_SECONDS)
        sleep(0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sys.setswitchinterval(self._interval)
        if self._collects:
            gc.enable()
