"""What a plugin prints and logs to lines on the pipes that lead to its host.

Descriptors 1 and 2 are these pipes, so what native code writes there arrives as well. A record of ``logging`` goes as
one line on descriptor 2 that begins with a control character. A plugin could write such lines itself: it would
be logging under its own name.
"""

import os
import sys
from types import ModuleType

from plugline.typed import TYPE_CHECKING, Callable, Sequence

if TYPE_CHECKING:
    from typing import TextIO

RECORD_MARK = "\x1e"
FIELD_MARK = "\x1f"
MAX_LINE_CHARACTERS = 4_000


def open_streams() -> None:
    """Let what is printed leave with each line: what a process that dies has in its buffers is lost."""
    # New ones: those of a zygote were made around other files than the pipes that are there now.
    sys.stdout = sys.__stdout__ = _stream(1)  # type: ignore[misc, assignment]
    sys.stderr = sys.__stderr__ = _stream(2)  # type: ignore[misc, assignment]


def _stream(descriptor: int) -> "TextIO":
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def flush_streams() -> None:
    """Send what stands in an unfinished line; a plugin may have put streams of its own there."""
    for name in ("stdout", "stderr"):
        # A plugin's own stream, or None; nothing may keep an answer from leaving.
        try:  # noqa: SIM105 - contextlib costs half a bare start
            getattr(sys, name).flush()
        except BaseException:  # noqa: BLE001, S110 - see above
            pass


class _Hook:
    """Finds nothing itself, but has something done with one module once that was run."""

    def __init__(self, name: str, then: Callable[[ModuleType], None]) -> None:
        self._name = name
        self._then = then

    def find_spec(self, fullname: str, path: "Sequence[str] | None" = None, target: ModuleType | None = None) -> object:
        if fullname != self._name:
            return None
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]  # type: ignore[comparison-overlap, redundant-expr]
        from importlib.machinery import PathFinder  # loaded with any import

        spec = PathFinder.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute, then = spec.loader.exec_module, self._then

            def exec_module(module: ModuleType) -> None:
                execute(module)
                then(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def after_import(name: str, then: Callable[[ModuleType], None]) -> None:
    """Do something with a module of the standard library: now, if it was imported, or else when it is.

    So what it costs to import is paid by who needs it. Here, since a module more costs a fortieth of a bare start.
    """
    if name in sys.modules:
        then(sys.modules[name])
    else:
        sys.meta_path.insert(0, _Hook(name, then))  # type: ignore[arg-type]


def catch_logging(level: int) -> None:
    """Send what is logged to the host from now on, at ``level`` and above, whenever ``logging`` comes.

    Importing it costs 1.7 bare starts.
    """
    after_import("logging", lambda logging: _install(logging, level))


def _install(logging: ModuleType, level: int) -> None:
    class ToHost(logging.Handler):  # type: ignore[misc, name-defined]
        """Writes each record as a line."""

        def emit(self, record: object) -> None:
            try:
                text = self.format(record).encode("unicode_escape", "replace").decode("ascii")
                name = record.name.encode("unicode_escape").decode("ascii")  # type: ignore[attr-defined]
                level = record.levelno  # type: ignore[attr-defined]
                line = f"{RECORD_MARK}{level}{FIELD_MARK}{name[:200]}{FIELD_MARK}{text[:MAX_LINE_CHARACTERS]}\n"
                os.write(2, line.encode("ascii"))
            except Exception:  # noqa: BLE001 - as logging's own handlers do
                self.handleError(record)

    logging.root.addHandler(ToHost())
    logging.root.setLevel(level)
