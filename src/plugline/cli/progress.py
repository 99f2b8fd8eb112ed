"""How far a run is, on a terminal."""

import os
import sys
from contextlib import suppress
from math import inf
from typing import Self, TextIO

from plugline.cli.render import coloured, counted, rate_text
from plugline.clock import monotonic_seconds
from plugline.pipeline.split import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:  # imported when something is drawn
    from rich.progress import Progress as RichProgress

_PATIENCE_SECONDS = 0.5  # a shorter run has ended before anybody could read
_BETWEEN_SECONDS = 0.1
_DUMB = ("dumb", "unknown")  # terminals on which rich draws nothing but empty lines


class ProgressLine:
    """One line that is drawn again and again while a run takes long, and is gone when it ends.

    Args:
        wanted: Whether anything is to be drawn at all.
    """

    def __init__(self, *, wanted: bool) -> None:
        self.wanted = wanted
        self._due = monotonic_seconds() + _PATIENCE_SECONDS
        self._line: RichProgress | None = None

    @classmethod
    def for_terminal(cls, *, quiet: bool, to_stdout: bool) -> Self:
        """Return one that draws if standard error is a terminal that can be drawn on, and records do not go to one too."""
        wanted = not quiet and _is_terminal(sys.stderr) and os.environ.get("TERM") not in _DUMB
        return cls(wanted=wanted and not (to_stdout and _is_terminal(sys.stdout)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            with suppress(OSError, ValueError):
                self._line.stop()

    def update(self, progress: Progress) -> None:
        """Take note of how far the run is."""
        now = monotonic_seconds()
        if now < self._due:
            return
        self._due = now + _BETWEEN_SECONDS
        try:
            self._line = self._line or _rich_line()
            _draw(self._line, progress)
        except (ImportError, OSError, ValueError):
            self._due = inf  # there is no rich, or no terminal any more, and the run goes on


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _rich_line() -> "RichProgress":
    # rich costs more to import than most runs take, and only a terminal has a use for it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    # No thread of its own: it is drawn when there is something new. What is printed is talk, which goes above it.
    line = Progress(
        BarColumn(),
        TextColumn("{task.fields[said]}"),  # one, of which the end is cut off
        TimeRemainingColumn(),
        console=Console(file=sys.stderr, no_color=not coloured(sys.stderr)),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
    )
    line.add_task("", total=None, said="")
    return line


def _draw(line: "RichProgress", progress: Progress) -> None:
    rate = (progress.records_in - progress.records_before) / (progress.seconds or inf)
    failed = f", {progress.failed:,} failed" if progress.failed else ""
    total = progress.bytes_total or None
    share = f"{min(1.0, progress.bytes_read / total):4.0%} " if total else ""  # it may have grown
    said = f"{share}{counted(progress.records_in, 'record')}, {rate_text(rate)}/s{failed}"
    line.update(line.task_ids[0], completed=progress.bytes_read, total=total, said=said)
    # Not where it is made: an interrupt while it starts would leave nobody to show the cursor again.
    line.start()
    line.refresh()
