"""The loader of a host, made where the first plugin is loaded.

Most of what a host does is loading, and most hosts that are opened to list plugins load none: what loads, binds and keeps
private packages is not even imported before. Who opened a host may import from its private package at once, as
unpickling does: until the loader is made, a finder that stands first in ``sys.meta_path`` waits for that.

Invariant: private packages are reserved in the order in which hosts were opened, whichever loads first. So which of two
hosts for folders of one name gets the number follows from the program, and not from what it happens to use.

Threads: may be used from several at once.
"""

import os
from _thread import RLock, get_ident  # threading costs as much to import as all of host does
from _weakref import ref

from plugline.host.holding import LoadLock, PausedCollector
from plugline.metapath import FINDER
from plugline.typed import TYPE_CHECKING, Mapping, Sequence, cast

if TYPE_CHECKING:
    from plugline.discovery.finders import Finder
    from plugline.host.circumstances import Circumstances
    from plugline.host.entries import Entry, Inspection, Memory
    from plugline.host.loader import Loader

_lock = RLock()  # for making loaders; never held while a plugin runs


def waiting_loader(
    finders: "Sequence[Finder]",
    around: "Circumstances",
    namespace: str | None,
    *,
    memories: "Mapping[int, Memory]",
    package: str | None = None,
    **options: object,
) -> "Loader":
    """Return what can be used as a loader, and becomes one where it has to.

    Raises:
        ValueError: ``namespace`` is taken, or ``package`` is none.
    """
    made: object = LazyLoader(finders, around, namespace, memories=memories, package=package, **options)
    return cast("Loader", made)


def made(loader: "Loader") -> "Loader":
    """Return the loader that one stands for: many calls of it are quicker then."""
    stands: object = loader
    return stands.make() if isinstance(stands, LazyLoader) else loader


class LazyLoader:
    """Stands for a :class:`~plugline.host.loader.Loader`, and makes it where it is asked for more than is here."""

    __slots__ = ("__weakref__", "_closed", "_expected", "_made", "_options", "_places", "appeared", "lock", "wanted")

    def __init__(
        self,
        finders: "Sequence[Finder]",
        around: "Circumstances",
        namespace: str | None,
        *,
        memories: "Mapping[int, Memory]",
        package: str | None = None,
        **options: object,
    ) -> None:
        """Reserve private packages that were asked for by name now, and others when they are needed.

        Raises:
            ValueError: ``namespace`` is taken, or ``package`` is none.
        """
        self.lock = LoadLock()
        self.appeared: list[tuple[Entry, str]] = []  # see Loader
        self._places = (finders, around, namespace)
        self._options: dict[str, object] = {"memories": memories, "package": package, **options}
        self._made: Loader | None = None
        self._expected: Inspection | None = None
        self._closed = False
        self.wanted = frozenset(_wanted(number, finder, memories) for number, finder in enumerate(finders))
        if namespace is not None or package is not None:
            self.make()
        else:
            with _lock:
                FINDER.waiting = (*FINDER.waiting, ref(self))
                FINDER.stand_first()

    def expect(self, inspection: "Inspection") -> "Inspection":
        """Take note of what was found; see :meth:`plugline.host.loader.Loader.expect`."""
        if self._made is not None:
            return self._made.expect(inspection)
        self._expected = inspection
        return inspection

    def read_seconds(self, entry: "Entry") -> float | None:
        """See :meth:`plugline.host.loader.Loader.read_seconds`."""
        times = self._places[1].read_seconds
        return times.get((entry.finder, entry.place.path)) if times else None

    @property
    def is_dispatching(self) -> bool:
        """See :class:`~plugline.host.loader.Loader`."""
        return self._made is not None and self._made.is_dispatching

    def close(self) -> None:
        """Give the private packages back, if they were ever needed."""
        with _lock:
            self._closed = True
            if self._made is not None:
                self._made.close()
            _forget_gone(self)

    def __getattr__(self, name: str) -> object:
        return getattr(self.make(), name)

    def __enter__(self) -> None:
        self.make().__enter__()

    def __exit__(self, *about: object) -> None:
        self.make().__exit__(*about)

    def make(self) -> "Loader":
        """Return the loader."""
        if self._made is None:
            with _lock:
                waiting = [one for one in (found() for found in FINDER.waiting) if isinstance(one, LazyLoader)]
                before = waiting[: waiting.index(self)] if self in waiting else []
                for one in (*before, self):
                    one._make()
                _forget_gone(None)
        assert self._made is not None  # noqa: S101 - it was made just now
        return self._made

    def _make(self) -> None:
        if self._made is not None:
            return
        with PausedCollector():
            # That it is not imported before is what this is for.
            from plugline.host.loader import Loader

            FINDER.maker = get_ident()
            try:
                loader = Loader(*self._places, **self._options)  # type: ignore[arg-type]  # as they were given
            finally:
                FINDER.maker = None
        loader.lock, loader.appeared = self.lock, self.appeared
        if self._expected is not None:
            loader.expect(self._expected)
        if self._closed:
            loader.close()
        self._made, self._expected = loader, None


def _wanted(number: int, finder: "Finder", memories: "Mapping[int, Memory]") -> str:
    """Return the name that a private package would like to have; empty for a finder that needs none."""
    memory = memories.get(number)
    if memory is not None:
        return os.path.basename(memory.recall.real).replace(".", "_") or "plugins"
    return finder.namespace or ""


def _forget_gone(closed: LazyLoader | None) -> None:
    found = [(waiting, waiting()) for waiting in FINDER.waiting]
    FINDER.waiting = tuple(
        waiting
        for waiting, one in found
        if one is not None and one is not closed and getattr(one, "_made", None) is None
    )
    FINDER.leave()
