"""What is logged in this process, and what plugins say in their workers, to lines on standard error."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from plugline.cli.render import json_text
from plugline.isolation.talk import forget, listen

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


@contextmanager
def logged(level: str, layout: str) -> Iterator[None]:
    """Write what is logged from a level on to standard error, as text or as a JSON object a line.

    What plugins log, and the libraries that they use, too: else lines of another layout would stand between ours.
    """
    handler = _Lines(level, layout)
    loggers = logging.getLogger(), logging.getLogger("plugline")
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level.upper())
    listen(handler)
    # Ours keep their own way: a plugin may set up the root logger as if it were the program.
    propagated, loggers[1].propagate = loggers[1].propagate, False
    try:
        yield
    finally:
        loggers[1].propagate = propagated
        forget(handler)
        for logger, level_before in zip(loggers, before, strict=True):
            logger.setLevel(level_before)
            logger.removeHandler(handler)


class _Lines(logging.StreamHandler[TextIO]):
    """Writes them. It pickles, for processes that run a part of the work: there it writes to their standard error."""

    def __init__(self, level: str, layout: str) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(_Json() if layout == "json" else logging.Formatter(_TEXT))
        self.setLevel(level.upper())
        self._made_of = level, layout

    def __reduce__(self) -> tuple[type["_Lines"], tuple[str, str]]:
        return _Lines, self._made_of


class _Json(logging.Formatter):
    """One JSON object a line, with what the record was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        data: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        data.update({f"{key}_" if key in data else key: value for key, value in extra.items()})
        if record.exc_info:
            data["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            data["stack"] = record.stack_info
        return json_text(data, sys.stderr)
