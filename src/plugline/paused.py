"""The garbage collector to one that waits until a batch is done.

Specs, handles and modules made in their thousands all stay, and none of them is garbage; the collector looks through all
of them again and again, which takes a third of the time of loading a thousand plugins.
"""

import gc

from plugline.typed import TracebackType


class PausedCollector:
    """Pauses the collector from ``__enter__`` to ``__exit__``, unless somebody has paused it already.

    Threads: it is paused for all of them; of several batches at once the first one to end lets it go on.
    """

    __slots__ = ("_paused",)

    def __enter__(self) -> None:
        self._paused = gc.isenabled()
        if self._paused:
            gc.disable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._paused:
            gc.enable()
