"""One module that takes part in a reload: what it is now, and what it is to become."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import CodeType, ModuleType

from plugline.loading.namespace import PrivateLoader
from plugline.loading.traces import Trace
from plugline.reloading.codes import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One module that takes part in a reload.

    Attributes:
        module: The module that everybody has.
        path: The file of the new version, as tracebacks name it: another one where a file has become a package.
        trace: What running the version in force did.
        comparison: What became of its code.
        changed: Whether its source did; else it runs again because it imports one whose source did.
        generation: The number of the version in force.
    """

    module: ModuleType
    loader: PrivateLoader
    path: str
    trace: Trace
    content: bytes
    code: CodeType
    comparison: Comparison
    changed: bool
    generation: int

    @property
    def name(self) -> str:
        """The module's full name."""
        return self.trace.name

    @property
    def names(self) -> dict[str, object]:
        """The names that are in force."""
        return ModuleType.__getattribute__(self.module, "__dict__")  # type: ignore[no-any-return]

    def new_trace(self) -> Trace:
        """Return an empty trace of the new version."""
        return Trace(self.name, self.path, self.content, self.code)


@dataclass(slots=True)
class Done:
    """What was done with the parts, for the report."""

    added: list[str]
    changed: list[str]
    removed: list[str]
    kept: list[str]
    lost: list[str]
    in_flight: list[str]


def nothing_done() -> Done:
    """Return one to fill."""
    return Done([], [], [], [], [], [])


def name_of(part: Part, name: str) -> str:
    """Return a name of a module for :class:`Done`: with the module, since what a report calls it depends on whose report it is."""
    return f"{part.name}:{name}"


def names_for(module: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return names as the report of the plugin in a module tells them: its own bare, those of others with their module before them."""
    split = [name.rpartition(":") for name in names]
    return tuple(name if not of or of == module else f"{of.rpartition('.')[2]}.{name}" for of, _, name in split)
