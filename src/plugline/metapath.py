"""The one finder that plugline puts into ``sys.meta_path``, for all hosts of a process.

It stands there from when the first host is opened, and answers for private packages once there are any. Hosts whose packages
were not needed yet wait in it: whoever imports a name that one of them would like to have, as unpickling does, has it made first.

Threads: what finds and what waits is replaced as a whole, and never edited.
"""

import _imp
import sys
from _thread import get_ident
from _weakref import ref

from plugline.typed import TYPE_CHECKING, Callable, Protocol, Sequence

if TYPE_CHECKING:
    from _frozen_importlib import ModuleSpec

    from plugline.typed import ModuleType

    Find = Callable[[str, Sequence[str] | None, ModuleType | None], ModuleSpec | None]

# Private packages whose name was taken, with the name that was asked for.
numbered: dict[str, str] = {}


class Waiting(Protocol):
    """Who reserves private packages when they are needed."""

    wanted: frozenset[str]

    def make(self) -> object:
        """Reserve them now."""


class MetaFinder:
    """Finds private modules.

    Attributes:
        find: What finds those of packages that are reserved; ``None`` as long as there are none.
        waiting: Who waits, in the order in which they came.
        maker: The thread that reserves packages now, and asks all finders whether names are taken: for it nobody waits.
    """

    def __init__(self) -> None:
        self.find: Find | None = None
        self.waiting: tuple[ref[Waiting], ...] = ()
        self.maker: int | None = None

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """See :class:`importlib.abc.MetaPathFinder`."""
        if self.waiting and self.maker != get_ident():
            self._make_for(fullname.partition(".")[0])
        find = self.find
        return find(fullname, path, target) if find is not None else None

    def _make_for(self, top: str) -> None:
        for waiting in self.waiting:
            one = waiting()
            # Where several want one name, the later ones have a number after it.
            if one is not None and any(top == name or (name and top.startswith(f"{name}_")) for name in one.wanted):
                without_import_lock(one.make)

    def stand_first(self) -> None:
        """Make sure that imports ask here, which a plugin or a test may have undone."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def leave(self) -> None:
        """Go, if nobody needs it any more."""
        if not self.waiting and self.find is None and self in sys.meta_path:
            sys.meta_path.remove(self)


def without_import_lock(make: Callable[[], object]) -> None:
    """Call what imports something, without the lock that Python asks its finders under.

    That lock guards the list of finders and is everybody's: who waits under it for a module that another thread is importing
    keeps that thread from ever getting to its end.
    """
    depth = 0
    try:
        while True:
            _imp.release_lock()
            depth += 1
    except RuntimeError:  # it is not held by this thread any more
        pass
    try:
        make()
    finally:
        for _ in range(depth):
            _imp.acquire_lock()


FINDER = MetaFinder()
