"""An exception raised in foreign code to what it says, in strings."""

from __future__ import annotations

import sys
from _signal import SIGINT, getsignal  # type: ignore[import-not-found]  # signal itself imports enum
from types import FrameType

from plugline.errors import PluginRaised
from plugline.metapath import numbered
from plugline.typed import TracebackType, TypeGuard
from plugline.values import Value

_MAX_MESSAGE_CHARACTERS = 10_000  # a message that holds a whole record is read; one that holds the file is not
_MAX_TRACEBACK_CHARACTERS = 20_000
_MAX_TRACEBACK_FRAMES = 50

# What calls foreign code, and so stands above it in every traceback.
_OUR_MODULES = (
    "plugline.dispatch.",
    "plugline.loading.",
    "plugline.records.",
    "plugline.pipeline.",
    "plugline.worker.",
)

# Through the descriptor, because a class of exceptions may define a ``__traceback__`` of its own.
_get_traceback = vars(BaseException)["__traceback__"].__get__


class ErrorText(Value):
    """What is kept of an exception. Only strings: the exception itself pins every frame that it passed.

    Attributes:
        kind: The name of its class, with the module unless that is ``builtins``.
        message: What it said, at most 10,000 characters, always valid Unicode.
        path: The file in which it was raised; the file that was asked about where its code left no frame.
        line: The deepest line reached in ``path``; ``None`` where there is none.
    """

    __slots__ = ("kind", "line", "message", "path")
    kind: str
    message: str
    path: str | None
    line: int | None

    def __init__(self, kind: str, message: str, path: str | None = None, line: int | None = None) -> None:
        # Without _set, which costs twice as much: one in ten records may fail.
        put = object.__setattr__
        put(self, "kind", kind)
        put(self, "message", message)
        put(self, "path", path)
        put(self, "line", line)

    def __str__(self) -> str:
        said = self.said
        if self.path is None:
            return said
        return f"{said} ({self.path}:{self.line})" if self.line is not None else f"{said} ({self.path})"

    @property
    def said(self) -> str:
        """What it was and what it said, without the place."""
        return f"{self.kind}: {self.message}" if self.message else self.kind


def traceback_of(error: BaseException) -> TracebackType | None:
    """Return the outermost entry of the traceback of ``error``."""
    entry: TracebackType | None = _get_traceback(error)
    return entry


def users_own_interrupt(error: BaseException) -> bool:
    """Say whether ``error`` is the user's Ctrl-C, which has to pass, and not a plugin's failure.

    A ``KeyboardInterrupt`` that comes from a signal appears between two instructions of whatever is running,
    one that a plugin raises comes from its ``raise`` statement: the last instruction of the innermost frame
    tells them apart. Those that the standard library raises (``asyncio.run`` does, after a signal) and those
    that the program's own handler of the signal raises are the user's too. Everything else, ``SystemExit`` and
    ``GeneratorExit`` included, is the failure of who raised it.

    Not seen: a plugin that catches the interrupt and raises something else instead.
    """
    if not isinstance(error, KeyboardInterrupt):
        return False
    entry = traceback_of(error)
    if entry is None:
        return True
    while entry.tb_next is not None:
        entry = entry.tb_next
    if not _raises_at(entry):
        return True
    frame = entry.tb_frame
    return _is_standard_library(frame) or _is_interrupt_handler(frame)


def _raises_at(entry: TracebackType) -> bool:
    # Imported here, because an interrupt is rare. The numbers differ between versions of Python.
    from opcode import opmap

    code = entry.tb_frame.f_code.co_code
    if not 0 <= entry.tb_lasti < len(code):
        return False  # compiled by something that only pretends to have a frame
    return code[entry.tb_lasti] in (opmap["RAISE_VARARGS"], opmap["RERAISE"])


def _is_standard_library(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__")
    return isinstance(module, str) and module.partition(".")[0] in sys.stdlib_module_names


def _is_interrupt_handler(frame: FrameType | None) -> bool:
    handler: object = getsignal(SIGINT)
    handler = getattr(handler, "func", handler)  # functools.partial
    handler = getattr(handler, "__func__", handler)  # a bound method
    if not hasattr(handler, "__code__"):
        handler = getattr(type(handler), "__call__", None)  # noqa: B004 (it is the function that is wanted)
    code = getattr(handler, "__code__", None)
    while code is not None and frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False


def describe_error(error: BaseException, file: str | None = None, shown: str | None = None) -> ErrorText:
    """Put into strings what ``error`` says and where it was raised.

    Never raises because of what ``error`` does when it is asked (its ``__str__`` is foreign code), and keeps no
    reference to it.

    Args:
        error: An exception that was caught where foreign code was called.
        file: Whose failure it is. The deepest line reached in this file is the one to look at, even where
            the file called somebody else's code with a wrong argument.
        shown: What to call that file, where that is not its path.
    """
    if _was_raised_elsewhere(error):
        path, line = error.path, error.line
        return ErrorText(error.kind, error.message, shown if shown is not None and path == file else path, line)
    path, line = _place(error, file)
    if shown is not None and path == file:
        path = shown
    return ErrorText(_kind(error), _message(error), path, line)


def _was_raised_elsewhere(error: BaseException) -> TypeGuard[PluginRaised]:
    return issubclass(type(error), PluginRaised)  # isinstance() asks for __class__, which is a plugin's own code


def _kind(error: BaseException) -> str:
    kind = type(error)
    try:
        module, name = kind.__module__, kind.__qualname__
        return str.__str__(name) if module == "builtins" else f"{_as_asked(module)}.{name}"
    except BaseException as broken:
        if users_own_interrupt(broken):
            raise
        return str.__str__(type.__dict__["__name__"].__get__(kind))


def _as_asked(module: str) -> str:
    """Return a module's name below the private package that was asked for: what is said is the same in every process."""
    for name, wanted in numbered.items():
        if f"{module}.".startswith(f"{name}."):
            return wanted + module[len(name) :]
    return module


def _message(error: BaseException) -> str:
    try:
        message = str.__str__(str(error))
    except BaseException as broken:
        if users_own_interrupt(broken):
            raise
        return f"(its __str__ raised {type(broken).__name__})"
    if len(message) > _MAX_MESSAGE_CHARACTERS:
        ending = f"… ({len(message):,} characters in all)"
        message = message[: _MAX_MESSAGE_CHARACTERS - len(ending)] + ending
    if not message.isascii():
        # A half of a surrogate pair can stand in a str, but in no file.
        message = message.encode("utf-8", "backslashreplace").decode("utf-8")
    return message


def _place(error: BaseException, file: str | None) -> tuple[str | None, int | None]:
    first = entry = traceback_of(error)
    found: TracebackType | None = None
    while entry is not None:
        if entry.tb_frame.f_code.co_filename == file:
            found = entry
        entry = entry.tb_next
    if found is not None:
        return file, found.tb_lineno
    while first is not None:
        if not _is_ours(first.tb_frame):
            found = first
        first = first.tb_next
    if found is None:
        return file, None
    return found.tb_frame.f_code.co_filename, found.tb_lineno


def column_of(error: BaseException, file: str, source_line: str | None) -> int | None:
    """Return the column, from 1, of the expression of ``source_line`` that raised ``error``, where it is known.

    Args:
        error: An exception that was caught where foreign code was called.
        file: As for :func:`describe_error`, which names the line.
    """
    entry, found = traceback_of(error), None
    while entry is not None:
        if entry.tb_frame.f_code.co_filename == file:
            found = entry
        entry = entry.tb_next
    if found is None or source_line is None:
        return None
    # A position for each unit of two bytes; in bytes of UTF-8.
    for at, (line, _, begin, _) in enumerate(found.tb_frame.f_code.co_positions()):
        if at == found.tb_lasti // 2:
            known = line == found.tb_lineno and begin is not None
            return len(source_line.encode("utf-8", "replace")[:begin].decode("utf-8", "replace")) + 1 if known else None
    return None


def _is_ours(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__")
    return isinstance(module, str) and module.startswith(_OUR_MODULES)


def traceback_text(error: BaseException) -> str:
    """Return the traceback of ``error`` as Python prints it, from the first foreign frame on.

    At most the 50 innermost frames and 20,000 characters. Slow (about 100 µs): for the first few errors of a
    kind, not for each. Never raises because of what ``error`` does.
    """
    # Imported here: it imports half of what a bare start does not.
    import traceback

    if _was_raised_elsewhere(error) and error.traceback:
        return error.traceback
    entry = traceback_of(error)
    while entry is not None and _is_ours(entry.tb_frame):
        entry = entry.tb_next
    try:
        lines = traceback.format_exception(type(error), error, entry, limit=-_MAX_TRACEBACK_FRAMES)
        text = str.__str__("".join(lines))
        for name, wanted in numbered.items():
            text = text.replace(f"{name}.", f"{wanted}.")
    except BaseException as broken:
        if users_own_interrupt(broken):
            raise
        text = f"{describe_error(error)}\n(its traceback cannot be shown: that raised {type(broken).__name__})\n"
    if len(text) > _MAX_TRACEBACK_CHARACTERS:
        half = _MAX_TRACEBACK_CHARACTERS // 2 - 50
        text = f"{text[:half]}\n… ({len(text):,} characters in all)\n{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class Tracebacks:
    """The tracebacks of plugins that failed to load, kept for as long as somebody wants to see them.

    A finding has one line of what was raised. Whoever asks for more (``-v``) opens this before plugins are loaded;
    otherwise nothing is kept and nothing is done.
    """

    wanted: Tracebacks | None = None

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def __enter__(self) -> Tracebacks:  # noqa: PYI034 - typing costs more than a listing, and nobody derives from it
        Tracebacks.wanted = self
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        Tracebacks.wanted = None

    def keep(self, error: BaseException, shown: str) -> None:
        """Keep the traceback of ``error``, which the plugin with the file ``shown`` raised."""
        self.kept.setdefault(shown, plugin_traceback(error))


def plugin_traceback(error: BaseException) -> str:
    """Return the traceback of ``error`` without the frames of plugline and of the import system."""
    import traceback  # as in traceback_text

    try:
        told = traceback.TracebackException.from_exception(error, limit=-_MAX_TRACEBACK_FRAMES)
        _cut(told, traceback.StackSummary, set())
        text = str.__str__("".join(told.format()))
    except BaseException as broken:
        if users_own_interrupt(broken):
            raise
        return traceback_text(error)
    return text[:_MAX_TRACEBACK_CHARACTERS].encode("utf-8", "backslashreplace").decode("utf-8")


def _cut(told: object, summary: object, seen: set[int]) -> None:
    """Take our frames out of an exception and of all that led to it."""
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    stack = getattr(told, "stack", ())
    ours = __file__.rpartition("blame")[0]
    frames = [frame for frame in stack if not frame.filename.startswith(("<frozen importlib", "<plugline", ours))]
    told.stack = summary.from_list(frames)  # type: ignore[attr-defined]  # traceback's own, not imported for its types
    for name in ("__cause__", "__context__"):
        _cut(getattr(told, name, None), summary, seen)
