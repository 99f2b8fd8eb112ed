"""Modules that run again beside the ones in force, seen by the thread that runs them and by nobody else.

While a trial goes on, a module that takes part in it is of a class that asks who looks: the thread of the trial sees the
shadow, all others see what is in force. So whatever the code under trial does to reach a neighbour (an import statement,
``import_module``, ``sys.modules``, a dataclass that looks up its own module) leads it to the neighbour's new
version, which is run when it is first looked at: in the order that an import would give, circles included.
``sys.modules`` is not touched, no module of a shadow ever gets out, and dropping the shadows is the roll back.
"""

import sys
from _thread import get_ident
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import module_from_spec
from types import ModuleType
from typing import Self, cast

from plugline.loading.keeping import expect, expect_no_more
from plugline.loading.namespace import PrivateLoader, spec_below, spec_of
from plugline.loading.traces import Trace

_trials: dict[int, "dict[int, Shadow]"] = {}  # by thread, then by the id of the module


class Shadow:
    """One module that is run again.

    Attributes:
        begun: Whether the new version was run, or is.
        module: The module that everybody has.
        beside: The one that the new version runs in.
        trace: What running the new version did.
        kept: The names of the variables that the new version took along.
    """

    __slots__ = ("_error", "begun", "beside", "kept", "loader", "module", "trace")

    def __init__(self, module: ModuleType, loader: PrivateLoader, trace: Trace) -> None:
        self.module = module
        spec = spec_below(loader.namespace, module.__name__)
        if spec is None or not isinstance(spec.loader, PrivateLoader):
            # Its file is gone, and who goes on with it has what runs.
            spec = spec_of(loader.namespace, module.__name__, (loader.relative, "__path__" in self.old))
        if spec.origin == self.old.get("__file__"):
            spec.cached = cast(
                "str | None", self.old.get("__cached__")
            )  # it is made of the other, and would be made again
        self.beside = module_from_spec(spec)
        self.loader = cast(PrivateLoader, spec.loader)
        self.trace = trace
        self.kept: list[str] = []
        self.begun = False
        self._error: BaseException | None = None

    @property
    def old(self) -> dict[str, object]:
        """The names that are in force."""
        return ModuleType.__getattribute__(self.module, "__dict__")  # type: ignore[no-any-return]

    @property
    def new(self) -> dict[str, object]:
        """The names of the new version."""
        return self.beside.__dict__

    def _take_submodules(self) -> None:
        """Give a package its submodules, as importing them has given them to the version before."""
        if "__path__" not in self.old:
            return
        prefix = f"{self.module.__name__}."
        for name in [name for name in list(sys.modules) if name.startswith(prefix)]:
            child, module = name[len(prefix) :], sys.modules.get(name)
            if "." not in child and module is not None and self.old.get(child) is module:
                self.new.setdefault(child, module)

    def run(self, done: Callable[["Shadow"], None]) -> None:
        """Run the new version, once; what it raises passes, each time: an import statement clears what looking at a module raises."""
        if self._error is not None:
            raise self._error
        if self.begun:
            return
        self.begun = True
        spec = self.beside.__spec__
        assert spec is not None  # noqa: S101 - it was made from one
        vars(spec)["_initializing"] = True  # so that errors speak of a circular import
        self.kept = expect(self.new, self.old)
        try:
            self.loader.run(self.beside, self.trace)
            self._take_submodules()
        except BaseException as error:
            self._error = error
            raise
        finally:
            expect_no_more(self.new)
            vars(spec)["_initializing"] = False
        done(self)


class _Seen(ModuleType):
    """The class of a module while there is a shadow of it.

    Without ``super()``: the module may be of its own class again before a thread that looks at it has come to that.
    """

    def __getattribute__(self, name: str) -> object:
        trial = _trials.get(get_ident())
        if trial is not None:
            shadow = trial.get(id(self))
            if shadow is not None:
                shadow_run(shadow)
                return getattr(shadow.beside, name)
        return ModuleType.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        shadow = _trials.get(get_ident(), {}).get(id(self))
        if shadow is not None:
            setattr(shadow.beside, name, value)
        else:
            ModuleType.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        shadow = _trials.get(get_ident(), {}).get(id(self))
        if shadow is not None:
            delattr(shadow.beside, name)
        else:
            ModuleType.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted(self.__dict__)


class Trial:
    """All shadows of one reload, from before the first is run to after they are adopted or dropped.

    Threads: belongs to the one that enters it.
    """

    def __init__(self, shadows: Sequence[Shadow]) -> None:
        self.shadows = tuple(shadows)
        self.done: list[Shadow] = []
        self._classes: list[tuple[ModuleType, type]] = []

    def __enter__(self) -> Self:
        self._classes = [(shadow.module, type(shadow.module)) for shadow in self.shadows]
        for shadow in self.shadows:
            shadow.module.__class__ = _Seen
        self.look_beside()
        return self

    def __exit__(self, *_: object) -> None:
        self.look_at_what_is_in_force()
        for module, before in self._classes:
            object.__setattr__(module, "__class__", before)

    def look_beside(self) -> None:
        """Let this thread see the new versions."""
        _trials[get_ident()] = {id(shadow.module): shadow for shadow in self.shadows}
        _on_done[get_ident()] = self.done.append

    def look_at_what_is_in_force(self) -> None:
        """Let this thread see what all others see."""
        _trials.pop(get_ident(), None)
        _on_done.pop(get_ident(), None)

    def run(self) -> None:
        """Run all of them; what one raises passes."""
        for shadow in self.shadows:
            shadow_run(shadow)


_on_done: dict[int, Callable[[Shadow], None]] = {}


def shadow_run(shadow: Shadow) -> None:
    """Run a shadow of this thread's trial unless that has begun, and before it the packages that it is in, as an import does."""
    name = shadow.trace.name
    while not shadow.begun and (name := name.rpartition(".")[0]):
        package = _trials[get_ident()].get(id(sys.modules.get(name)))
        if package is not None:
            shadow_run(package)
    shadow.run(_on_done[get_ident()])


def trial_of_this_thread() -> "dict[int, Shadow]":
    """Return the shadows that this thread sees, by the ``id`` of their modules."""
    return _trials.get(get_ident(), {})


@contextmanager
def looking_at_what_is_in_force() -> Iterator[None]:
    """Let this thread see, for a while, what all others see."""
    thread = get_ident()
    trial, done = _trials.pop(thread, None), _on_done.pop(thread, None)
    try:
        yield
    finally:
        if trial is not None and done is not None:
            _trials[thread], _on_done[thread] = trial, done
