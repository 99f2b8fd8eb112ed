"""What a sandboxed worker may touch and use up, as its host says it."""

import os

from plugline.typed import Iterable
from plugline.values import Value

_LEAST_MEMORY_BYTES = 32 * 2**20  # less than that, and Python cannot import what every second plugin imports
ALL_NAMES = "*"  # of env: every variable

Path = str | os.PathLike[str]


class Sandbox(Value):
    """What one plugin may touch and use up while it runs in a sandbox.

    The first five are grants, and ``None`` says nothing of its own: what the plugin declares, and the lock file or
    the policy grants, holds. A value given here is the most that the plugin gets; of a plugin that declares
    permissions, what it declares and what is given here have in common. :mod:`plugline.isolation.grants` tells the rule.

    Memory, processor time and time are for one plugin's worker, and bound it whatever is granted.

    Args:
        read: Paths that may be read, with all that is below them; relative ones are meant from the current folder, and
            are made absolute here. Python itself and what is installed for it can always be read.
        write: Paths that may be written: files below them made, changed, renamed and removed. They may be read, too,
            since hardly anything can be written without. No symbolic links, modes, owners and times, whatever is granted.
        net: Whether TCP and UDP sockets may be opened. There are no single hosts to grant.
        run: Whether programs may be started. They are in the same sandbox.
        env: Names of environment variables that are handed on from the host; ``"*"`` is all of them.
        memory_bytes: The memory that the plugin may use beyond what the worker itself does; ``None`` is half of the
            machine's. More is refused with :class:`MemoryError`.
        cpu_seconds: Processor time that a worker may use in its life, rounded up to whole seconds; then it ends, and
            another takes its place. ``None`` for no limit.
        timeout_seconds: The longest that loading the plugin, or one record, may take by the clock; ``None`` is the
            host's own.

    Raises:
        TypeError: Of a list there is a single string, or a value is of another type.
        ValueError: A path, a name or a number is none that could be meant.
    """

    __slots__ = ("cpu_seconds", "env", "memory_bytes", "net", "read", "run", "timeout_seconds", "write")
    read: tuple[str, ...] | None
    write: tuple[str, ...] | None
    net: bool | None
    run: bool | None
    env: tuple[str, ...] | None
    memory_bytes: int | None
    cpu_seconds: float | None
    timeout_seconds: float | None

    def __init__(
        self,
        *,
        read: Iterable[Path] | None = None,
        write: Iterable[Path] | None = None,
        net: bool | None = None,
        run: bool | None = None,
        env: Iterable[str] | None = None,
        memory_bytes: int | None = None,
        cpu_seconds: float | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        self._set(
            read=_paths("read", read),
            write=_paths("write", write),
            net=_flag("net", net),
            run=_flag("run", run),
            env=_names(env),
            memory_bytes=_bytes(memory_bytes),
            cpu_seconds=_seconds("cpu_seconds", cpu_seconds),
            timeout_seconds=_seconds("timeout_seconds", timeout_seconds),
        )

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={_shown(value)}" for name, value in self._said().items())
        return f"Sandbox({said})"

    def to_data(self) -> dict[str, object]:
        """Return what is said, for JSON, TOML and the wire: ``Sandbox(**data)`` is equal to it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self._said().items()}

    def _said(self) -> dict[str, object]:
        return {name: value for name in _ORDER if (value := getattr(self, name)) is not None}

    def with_defaults(self, other: "Sandbox") -> "Sandbox":
        """Return it with what it leaves unsaid taken from ``other``: a step's before its plugin's before the host's."""
        return Sandbox(**{**other.to_data(), **self.to_data()})  # type: ignore[arg-type]  # both are made of checked values


_ORDER = ("read", "write", "net", "run", "env", "memory_bytes", "cpu_seconds", "timeout_seconds")


def _shown(value: object) -> str:
    return repr(list(value)) if isinstance(value, tuple) else repr(value)


def _paths(key: str, paths: Iterable[Path] | None) -> tuple[str, ...] | None:
    if paths is None:
        return None
    return tuple(sorted({_path(key, one) for one in _several(key, paths, "paths")}))


def _path(key: str, path: object) -> str:
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if not isinstance(text, str):
        raise TypeError(f"{key} holds {path!r}, a path was expected")
    if not text or "\0" in text:
        raise ValueError(f"{key} holds {text!r}, which is no path")
    return os.path.abspath(text)


def _names(names: Iterable[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    found = sorted({_name(one) for one in _several("env", names, "names")})
    return (ALL_NAMES,) if ALL_NAMES in found else tuple(found)


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"env holds {name!r}, a name was expected")
    if not name or "=" in name or "\0" in name:
        raise ValueError(f"env holds {name!r}, which is no name of an environment variable")
    return name


def _several(key: str, values: Iterable[object], what: str) -> Iterable[object]:
    if isinstance(values, (str, bytes, bool)) or not isinstance(values, Iterable):
        raise TypeError(f"{key} is {values!r}, a list of {what} was expected")
    return values


def _flag(key: str, value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise TypeError(f"{key} is {value!r}, True or False was expected")


def _bytes(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"memory_bytes is {value!r}, a whole number was expected")
    if not _LEAST_MEMORY_BYTES <= value < 2**63:
        raise ValueError(f"memory_bytes is {value!r}, at least {_LEAST_MEMORY_BYTES} was expected")
    return value


def _seconds(key: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{key} is {value!r}, a number was expected")
    if not 0 < value < 2**31:  # neither NaN nor infinity
        raise ValueError(f"{key} is {value!r}, a number above 0 was expected")
    return value
