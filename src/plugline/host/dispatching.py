"""Plugins to generated functions that call them, which follow what becomes of the plugins.

Invariants:
    1. Success costs nothing: as long as a plugin has not failed, its function is called directly, and nothing is counted.
       From its first failure on it is called through :meth:`Streak.watched`, so that a success ends a streak.
    2. What a function calls changes by one assignment (:class:`plugline.dispatch.generated.ReplaceableFunction`): a call
       in flight finishes on what it began with.

Threads: functions may be called from any; changing what they call takes a lock, which no plugin's code is run under.
"""

from _thread import RLock  # threading costs as much to import as all of host does
from _weakref import ref
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Literal, Protocol, TypeVar, cast

from plugline.dispatch.calls import (
    CallAllFunction,
    ChainFunction,
    FirstFunction,
    GuardedFunction,
    Link,
    build_call,
    build_call_all,
    build_chain,
    build_first,
)
from plugline.errors import PluginRejected, StepFailed

Kind = Literal["chain", "all", "first", "one"]

F = TypeVar("F")


class Streak:
    """The failures of one plugin in a row.

    Args:
        limit: After how many of them ``reached`` is called; ``None`` for never.
        began: Called at the first failure ever.
        reached: Called with the last error.
    """

    __slots__ = ("_began", "_limit", "_lock", "_reached", "length", "watching")

    def __init__(self, limit: int | None, began: Callable[[], None], reached: Callable[[StepFailed], None]) -> None:
        self.length = 0
        self.watching = False
        self._limit = limit
        self._began = began
        self._reached = reached
        self._lock = RLock()

    def failed(self, error: StepFailed) -> None:
        """Count a failure."""
        with self._lock:
            self.length += 1
            first, self.watching = not self.watching, True
            reached = self.length == self._limit
        if first:
            self._began()
        if reached:
            self._reached(error)

    def watched(self, call: Callable[..., object]) -> Callable[..., object]:
        """Return a function that does what ``call`` does, and ends the streak when that returns."""

        def watched(*arguments: object, **keywords: object) -> object:
            result = call(*arguments, **keywords)
            self.length = 0
            return result

        return watched


class Callee(Protocol):
    """A plugin, as far as functions that call it care."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def refusal(self) -> PluginRejected | None:
        """What to raise instead of calling it; ``None`` as long as it may be called."""

    @property
    def streak(self) -> Streak:
        """Its failures."""

    def link(self, method: str) -> Link:
        """Load it and return what is to be called of it."""

    @property
    def passed_over(self) -> bool:
        """Whether a chain goes on without it, and does not fail there."""


Called = tuple[Callee, Link]
"""A plugin and what is called of it."""


class _Built:
    """One generated function and the plugins that it calls, in order."""

    __slots__ = ("called", "function", "kind", "method", "of_all")

    def __init__(self, kind: Kind, method: str, called: Sequence[Called], *, of_all: bool) -> None:
        self.kind = kind
        self.method = method
        self.called = list(called)
        self.of_all = of_all
        self.function: ref[FunctionType]

    def links(self) -> list[Link]:
        found = (_link(self.kind, callee, link) for callee, link in self.called)
        return [link for link in found if link is not None]

    def knows(self, name: str) -> bool:
        return any(callee.name == name for callee, _ in self.called)

    def put(self, callee: Callee, link: Link) -> None:
        """Call this of a plugin from now on, wherever it stands."""
        self.called = [(callee, link) if one[0].name == callee.name else one for one in self.called]

    def renew(self) -> None:
        function = self.function()
        if function is not None:
            links = self.links()
            function.replace(links[0] if self.kind == "one" else links)  # type: ignore[attr-defined]


def _link(kind: Kind, callee: Callee, link: Link) -> Link | None:
    refusal = callee.refusal
    if refusal is not None:
        if kind in ("all", "first") or (kind == "chain" and callee.passed_over):
            return None

        def refuse(*_arguments: object, **_keywords: object) -> object:
            raise type(refusal)(*refusal.args)

        return Link(link.name, refuse, link.file)
    streak = callee.streak
    return Link(link.name, streak.watched(link.call) if streak.watching else link.call, link.file, streak.failed)


class Dispatching:
    """The generated functions of one host.

    Attributes:
        limit: How many calls in a row a plugin may fail before it is set aside; ``None`` for any number.
    """

    __slots__ = ("_built", "_lock", "limit")

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._built: list[_Built] = []
        self._lock = RLock()

    def chain(
        self, method: str, called: Sequence[Called], on_error: Literal["raise", "skip"], *, of_all: bool, more: bool
    ) -> ChainFunction:
        """Return a function that passes a value through plugins, with further arguments where ``more`` are taken."""
        built = _Built("chain", method, called, of_all=of_all)
        return self._kept(built, build_chain(built.links(), on_error, label=f"chain of {method!r}", more=more))

    def call_all(self, method: str, called: Sequence[Called]) -> CallAllFunction:
        """Return a function that calls plugins with the same arguments."""
        built = _Built("all", method, called, of_all=True)
        return self._kept(built, build_call_all(built.links(), label=f"call_all of {method!r}"))

    def first(self, method: str, called: Sequence[Called]) -> FirstFunction:
        """Return a function that asks plugins until one has an answer."""
        built = _Built("first", method, called, of_all=True)
        return self._kept(built, build_first(built.links(), label=f"first of {method!r}"))

    def one(self, method: str, callee: Callee, link: Link) -> GuardedFunction:
        """Return a function that calls one plugin."""
        built = _Built("one", method, [(callee, link)], of_all=False)
        return self._kept(built, build_call(built.links()[0], label=f"{method!r} of {callee.name!r}"))

    def _kept(self, built: _Built, function: F) -> F:
        built.function = ref(cast(FunctionType, function))
        with self._lock:
            self._built = [one for one in self._built if one.function() is not None] + [built]
            built.renew()  # a plugin may have failed meanwhile, in another thread
        return function

    def renew(self, name: str) -> None:
        """Take note that a plugin may be called now, or may not, or is to be watched."""
        with self._lock:
            for built in self._that_know(name):
                built.renew()

    def let_go(self, callee: Callee) -> None:
        """Forget what is called of a plugin: the next call loads it again."""
        with self._lock:
            for built in self._that_know(callee.name):
                built.put(callee, loading_link(callee, built.method))
                built.renew()

    def take_in(
        self, callee: Callee, link_for: Callable[[str], Link | None], order: Sequence[str] | None = None
    ) -> None:
        """Call what a plugin has now, which was loaded again, or was let in.

        Args:
            link_for: Returns what is to be called for the name of a method, ``None`` where it has none.
            order: The names of the host's plugins in order, where chains of all plugins are to take it in that have not
                known it; ``None`` where only those are meant that have.
        """
        with self._lock:
            wanting = [one for one in self._built if one.knows(callee.name) or (order is not None and _is_open(one))]
        links = {method: link_for(method) for method in {built.method for built in wanting}}
        with self._lock:
            for built in wanting:
                link = links[built.method]
                if link is not None and not built.knows(callee.name):
                    places = {name: at for at, name in enumerate(order or ())}
                    built.called.append((callee, link))
                    built.called.sort(key=lambda one: places.get(one[0].name, len(places)))
                elif link is not None:
                    built.put(callee, link)
                built.renew()

    def _that_know(self, name: str) -> list[_Built]:
        return [built for built in self._built if built.knows(name)]


def loading_link(callee: Callee, method: str) -> Link:
    """Return what loads a plugin and then calls it."""

    def load_and_call(*arguments: object, **keywords: object) -> object:
        return callee.link(method).call(*arguments, **keywords)

    return Link(callee.name, load_and_call)


def _is_open(built: _Built) -> bool:
    return built.of_all and built.kind == "chain"
