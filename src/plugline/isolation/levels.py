"""What a host says of isolation to the level and the limits of each plugin."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias, cast

from plugline.frozen import frozen
from plugline.names import did_you_mean
from plugline.worker.limits import Sandbox

Level: TypeAlias = Literal["none", "process", "sandbox"]
LEVELS: tuple[Level, ...] = ("none", "process", "sandbox")
EVERY_OTHER = "*"

Isolation: TypeAlias = "Level | Sandbox | Mapping[str, Level | Sandbox]"
"""A level for all plugins, or the limits of a sandbox for all, or either by the plugin's name (``"*"``: every other)."""

DEFAULT_TIMEOUT_SECONDS = 60.0  # for loading a plugin, or one record: nothing may wait for ever


@frozen()
class Confinement:
    """Where one plugin runs that does not run in the host's process.

    Attributes:
        limits: What it may touch (at the level ``"sandbox"``) and use up (at both).
    """

    level: Level
    limits: Sandbox

    @property
    def timeout_seconds(self) -> float:
        """The longest that loading it, or one record, may take."""
        return self.limits.timeout_seconds or DEFAULT_TIMEOUT_SECONDS


class Levels:
    """What a host says of isolation, checked.

    Args:
        limits: For those of whom ``isolation`` says a level only.

    Raises:
        ValueError: There is no such level.
        TypeError: It is something else.
    """

    def __init__(self, isolation: object, limits: Sandbox | None = None) -> None:
        self._limits = limits if limits is not None else Sandbox()
        if not isinstance(self._limits, Sandbox):
            message = f"limits is {limits!r}, a plugline.worker.limits.Sandbox was expected"  # type: ignore[unreachable]
            raise TypeError(message)
        self._by_name: dict[str, Confinement | None] = {}
        self._every_other: Confinement | None = None
        if isinstance(isolation, Mapping):
            for name, value in cast("Mapping[object, object]", isolation).items():
                if not isinstance(name, str) or not name:
                    raise TypeError(f"isolation has the key {name!r}, a plugin's name was expected")
                self._by_name[name] = self._confinement(value)
            self._every_other = self._by_name.pop(EVERY_OTHER, None)
        else:
            self._every_other = self._confinement(isolation)

    def _confinement(self, value: object) -> Confinement | None:
        if isinstance(value, Sandbox):
            return Confinement("sandbox", value.with_defaults(self._limits))
        if value in LEVELS:
            return Confinement(value, self._limits) if value != "none" else None
        said = f"isolation is {value!r}, one of 'none', 'process', 'sandbox' or a Sandbox was expected"
        if not isinstance(value, str):
            raise TypeError(said)
        raise ValueError(f"{said}; {did_you_mean(value, LEVELS, kind='levels')}")

    def of(self, name: str) -> Confinement | None:
        """Return where the plugin of this name runs; ``None``: in the host's process. A file's name means all its classes."""
        return self._by_name.get(name, self._by_name.get(name.rpartition(":")[0], self._every_other))

    def unknown(self, known: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield the names that no plugin has, each with a hint: such a plugin would run without what was asked for."""
        names = sorted(known)
        files = {name.rpartition(":")[0] for name in names if ":" in name}
        for name in self._by_name:
            if name not in names and name not in files:
                yield name, did_you_mean(name, names, kind="plugins")
