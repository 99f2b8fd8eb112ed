"""What is logged under the name ``plugline``, and what plugins say in their workers, to lines on standard error."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from plugline.isolation.talk import forget, listen

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


@contextmanager
def logged(level: str, layout: str) -> Iterator[None]:
    """Write what is logged from a level on to standard error, as text or as a JSON object a line.

    The root logger is left alone: what plugins and libraries log in this process is for them to show.
    """
    logger = logging.getLogger("plugline")
    handler = _Lines(level, layout)
    before, propagated = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    listen(handler)
    logger.propagate = False
    try:
        yield
    finally:
        forget(handler)
        logger.propagate = propagated
        logger.setLevel(before)
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
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        data.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            data["traceback"] = self.formatException(record.exc_info)
        return json.dumps(data, ensure_ascii=False, default=str)
