"""What Python does to threads that import each other's modules, to what loads of plugins do then: they are tried again.

Python resolves what threads wait for each other by letting one of them fail: of two that import modules which import each other,
one gets ``_DeadlockError`` out of its import, its module goes, and the other may miss that one ("cannot import name"), or be left
with what was half run. That is so for any two modules (CPython 3.11 to 3.13). Who loads through a host is spared it: such failures
are counted here, and a load that failed while one came to be is tried again.
"""

from plugline.typed import Callable, TypeVar

T = TypeVar("T")


class Collisions:
    """The failures of private modules that came of two threads importing at the same time.

    Attributes:
        count: How many there have been, of all threads.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def note(self, error: BaseException, before: int) -> None:
        """Take note of why running a module failed.

        Args:
            before: The count when it began: where there has been one since, this may be what came of it.
        """
        if self.count != before or _is_deadlock(error):
            self.count += 1


COLLISIONS = Collisions()
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.002, 0.5  # eight of them; in each other threads get on


def without_collisions(load: Callable[[], T], is_done: Callable[[T], bool]) -> T:
    """Return what came of a load, which is tried again where it was not done because of another thread's imports.

    Args:
        load: What to call; it leaves nothing behind of a load that was not done.
        is_done: Whether there is nothing to try again.
    """
    before = COLLISIONS.count
    outcome = load()
    pause = _FIRST_PAUSE_SECONDS
    while not is_done(outcome) and COLLISIONS.count != before and pause < _LONGEST_PAUSE_SECONDS:
        # The other thread waits for what this one has let go of just now: it is to have it first.
        from time import sleep  # few ever wait

        sleep(pause)
        pause *= 2
        before = COLLISIONS.count
        outcome = load()
    return outcome


def _is_deadlock(error: BaseException) -> bool:
    current: BaseException | None = error
    for _ in range(_MAX_CHAIN):
        if current is None:
            break
        if type(current).__name__ == "_DeadlockError":
            return True
        current = current.__cause__ or current.__context__
    return False


_MAX_CHAIN = 20  # of errors raised while others were handled; a plugin may have tied them to a ring
