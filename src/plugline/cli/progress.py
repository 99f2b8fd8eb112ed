"""How far a run is, on a terminal."""

import os
import sys
from contextlib import suppress
from math import inf
from typing import Protocol, Self, TextIO

from plugline.cli.render import coloured, counted, rate_text
from plugline.clock import monotonic_seconds
from plugline.pipeline.split import Progress

_PATIENCE_SECONDS = 0.5  # a shorter run has ended before anybody could read
_BETWEEN_SECONDS = 0.1
_DUMB = ("dumb", "unknown")  # terminals on which rich draws nothing but empty lines


class _Bar(Protocol):
    def show(self, progress: Progress) -> None: ...

    def end(self) -> None: ...


class ProgressLine:
    """One line that is drawn again and again while a run takes long, and is gone when it ends.

    Args:
        wanted: Whether anything is to be drawn at all.
    """

    def __init__(self, *, wanted: bool) -> None:
        self.wanted = wanted
        self._due = monotonic_seconds() + _PATIENCE_SECONDS
        self._bar: _Bar | None = None

    @classmethod
    def for_terminal(cls, *, quiet: bool, to_stdout: bool) -> Self:
        """Return one that draws if standard error is a terminal that can be drawn on, and records do not go to one too."""
        wanted = not quiet and _is_terminal(sys.stderr) and os.environ.get("TERM") not in _DUMB
        return cls(wanted=wanted and not (to_stdout and _is_terminal(sys.stdout)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.end()

    def update(self, progress: Progress) -> None:
        """Take note of how far the run is."""
        now = monotonic_seconds()
        if now < self._due:
            return
        self._due = now + _BETWEEN_SECONDS
        if self._bar is None:
            self._bar = _rich_bar()
        if self._bar is not None:
            try:
                self._bar.show(progress)
            except (OSError, ValueError):
                self._due = inf  # the terminal is gone, and the run goes on


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _rich_bar() -> _Bar | None:
    # rich costs more to import than most runs take, and only a terminal has a use for it.
    try:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
        from rich.progress import Progress as RichProgress  # noqa: PLC0415
    except ImportError:
        return None

    class Bar:
        def __init__(self) -> None:
            console = Console(file=sys.stderr, no_color=not coloured(sys.stderr))
            columns = (
                BarColumn(),
                TextColumn("{task.fields[said]}"),  # one, of which the end is cut off
                TimeRemainingColumn(),
            )
            # No thread of its own: it is drawn when there is something new.
            # What is printed goes above the line, unless it goes elsewhere.
            self._progress = RichProgress(
                *columns,
                console=console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=_is_terminal(sys.stdout),
            )
            self._task = self._progress.add_task("", total=None, said="")

        def show(self, progress: Progress) -> None:
            read = progress.records_in - progress.records_before
            rate = read / progress.seconds if progress.seconds else 0.0
            failed = f", {progress.failed:,} failed" if progress.failed else ""
            total = progress.bytes_total or None
            share = f"{min(1.0, progress.bytes_read / total):4.0%} " if total else ""  # it may have grown
            said = f"{share}{counted(progress.records_in, 'record')}, {rate_text(rate)}/s{failed}"
            self._progress.update(self._task, completed=progress.bytes_read, total=total, said=said)
            # Not where it is made: an interrupt while it starts would leave nobody to show the cursor again.
            self._progress.start()
            self._progress.refresh()

        def end(self) -> None:
            self._progress.stop()

    return Bar()
