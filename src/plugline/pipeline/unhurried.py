"""The end of a run to one that an interrupt does not cut short: what it would interrupt is done, and is to be told."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType, TracebackType


@contextmanager
def unhurried() -> Iterator[None]:
    """Pass over the first interrupt while the block runs. A second one is raised, for who does not want to wait.

    SIGTERM and SIGHUP count as interrupts where somebody made them such. Does nothing in a thread to which signals do not come.
    """
    before: dict[int, Callable[[int, FrameType | None], object]] = {}

    def put_back() -> None:
        while before:
            number, action = before.popitem()
            signal.signal(number, action)

    def pass_over(number: int, frame: FrameType | None) -> None:
        put_back()

    try:
        for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            action = signal.getsignal(number)
            if callable(action) and number not in before:
                signal.signal(number, pass_over)
                before[number] = action
    except ValueError:  # not the main thread
        before.clear()
    try:
        yield
    finally:
        put_back()


class UnhurriedStack(ExitStack):
    """An :class:`~contextlib.ExitStack` that closes what it holds as :func:`unhurried` says."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        with unhurried():
            return super().__exit__(kind, error, traceback)
