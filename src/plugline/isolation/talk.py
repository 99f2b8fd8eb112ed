"""What a worker prints and logs to log records of the host, under the plugin's name, however much it is.

What a worker says can be anything: lines are made printable and cut, all lines of a log record but its first are
indented, and of a flood the first part is kept and the rest counted. Its prints arrive on the logger of its module, ``plugins.upper``: at INFO what was on standard output,
at WARNING what was on standard error, and records of ``logging`` at their own level.
"""

import logging
import os
from collections.abc import Sequence

from plugline.findings import printable, printable_lines
from plugline.worker.talk import FIELD_MARK, MAX_LINE_CHARACTERS, RECORD_MARK

_READ_BYTES = 2**16
_KEPT_BYTES = 2**18  # between two answers: two thousand lines
# A logger is kept as long as the program runs, with one for each dot in its name. What a plugin logs to more of them
# than a package has modules arrives on its first.
_MOST_LOGGERS, _MOST_LEVELS = 100, 5
_known_below: dict[str, set[str]] = {}  # the names of those that there are, by the plugin's own


_listeners: list[logging.Handler] = []
_heard: set[logging.Logger] = set()


def listen(handler: logging.Handler) -> None:
    """Hand to a handler, at its level, what all workers say that are started from now on."""
    _listeners.append(handler)


def listeners() -> tuple[logging.Handler, ...]:
    """Return who listens, for a process that does a part of the work; only those that pickle get there."""
    return tuple(_listeners)


def listen_as_there(handlers: Sequence[logging.Handler]) -> None:
    """Let those listen who do in the process that has sent them, unless this process has its own, or is that one."""
    if not _listeners:
        _listeners.extend(handlers)


def forget(handler: logging.Handler) -> None:
    """Hand nothing to it any more."""
    _listeners.remove(handler)
    for logger in _heard:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    _heard.clear()


class Talk:
    """Takes the output of one worker."""

    def __init__(self, logger: str) -> None:
        self._name = logger
        self._logger = logging.getLogger(logger)
        for handler in _listeners:
            if handler in logging.getLogger().handlers:
                continue  # whatever is logged reaches it
            self._logger.addHandler(handler)
            self._logger.setLevel(handler.level)
            _heard.add(self._logger)
        self._partial: dict[int, bytes] = {}
        self._levels: dict[int, int] = {}
        self._taken = 0
        self._left_out = 0

    def assign(self, output: int, errors: int) -> None:
        """Say which descriptor is which."""
        self._levels = {output: logging.INFO, errors: logging.WARNING}

    def read(self, descriptor: int) -> bool:
        """Take what there is, at most 64 KiB. Returns whether there may be more, now or later."""
        try:
            piece = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._take(descriptor, piece)
        return bool(piece)

    def _take(self, descriptor: int, piece: bytes) -> None:
        self._taken += len(piece)
        if self._taken > _KEPT_BYTES:
            self._left_out += len(piece)
            return
        *lines, rest = (self._partial.pop(descriptor, b"") + piece).split(b"\n")
        for line in lines:
            self._log(descriptor, line)
        if len(rest) > _READ_BYTES:
            self._log(descriptor, rest)
        elif rest:
            self._partial[descriptor] = rest

    def drain(self, descriptors: tuple[int, ...]) -> None:
        """Take what there is now, and unfinished lines too: nothing will follow."""
        for descriptor in descriptors:
            for _ in range(_KEPT_BYTES // _READ_BYTES + 1):
                try:
                    piece = os.read(descriptor, _READ_BYTES)
                except OSError:
                    break
                if not piece:
                    break
                self._take(descriptor, piece)
        for descriptor in descriptors:
            rest = self._partial.pop(descriptor, b"")
            if rest:
                self._log(descriptor, rest)
        self.between()

    def between(self) -> None:
        """Take note that a request was answered: what may be printed is counted anew."""
        self._taken = 0
        if self._left_out:
            self._logger.warning("%d bytes more were printed, and are left out", self._left_out)
            self._left_out = 0

    def _log(self, descriptor: int, line: bytes) -> None:
        text = line.decode("utf-8", "backslashreplace")
        if text.startswith(RECORD_MARK):
            level, _, rest = text[1:].partition(FIELD_MARK)
            name, _, message = rest.partition(FIELD_MARK)
            number = int(level) if level.isascii() and level.isdigit() and len(level) <= 3 else logging.WARNING
            self._logger_of(name).log(number, "%s", _unescaped(message))
            return
        if len(text) > MAX_LINE_CHARACTERS:
            text = f"{text[:MAX_LINE_CHARACTERS]}… ({len(text):,} characters in all)"
        self._logger.log(self._levels.get(descriptor, logging.INFO), "%s", printable_lines(text.rstrip("\r")))

    def _logger_of(self, name: str) -> logging.Logger:
        """Return the logger for what the plugin logged: its own, or one of a few below it, and nobody else's."""
        below = f"{self._name}."
        if not name.startswith(below) or name.count(".", len(below)) > _MOST_LEVELS:
            return self._logger
        known = _known_below.setdefault(self._name, set())
        if name not in known:
            if len(known) >= _MOST_LOGGERS:
                return self._logger
            known.add(name)
        return logging.getLogger(printable(name[:200]))


def _unescaped(text: str) -> str:
    # Written by "unicode_escape", so that a message with line ends is one line.
    try:
        whole = text.encode("ascii", "replace").decode("unicode_escape")
    except UnicodeDecodeError:
        whole = text
    # Indented, since a line that began where the host's own do could be made to look like one of them.
    return printable_lines(whole.encode("utf-8", "replace").decode()).replace("\n", "\n    ")
