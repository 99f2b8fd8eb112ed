"""What is asked to be seen of a run: its progress while it goes on, a page and a profile when it has ended."""

import os
import sys
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import Self, TextIO

from plugline.cli import render
from plugline.cli.render import coloured, counted, rate_text
from plugline.clock import monotonic_seconds
from plugline.errors import RunStopped
from plugline.names import shell_word
from plugline.pipeline.plan import Plan, same_file
from plugline.pipeline.report import RunReport
from plugline.pipeline.split import Progress, ProgressCall

TYPE_CHECKING = False
if TYPE_CHECKING:  # imported where a page is asked for, and when something is drawn
    from rich.progress import Progress as RichProgress

    from plugline.cli.page import Samples

_MOST_SLOW = 10
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
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

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


class Seeing:
    """Costs nothing where nothing is asked for."""

    def __init__(self, plan: Plan, bar: ProgressLine, *, page_path: str | None, profiled: bool, title: str) -> None:
        self._plan = plan
        self._bar = bar
        self._page_path = page_path
        self._page_file = page_path and os.path.abspath(page_path)  # a plugin may go to another folder meanwhile
        self._profiled = profiled
        self._title = title
        self._samples = None if page_path is None else _samples_for(page_path, plan)

    @property
    def plan(self) -> Plan:
        """What to run: where a page is asked for, the plan with the records that take longest to be noted."""
        return self._plan if self._page_path is None else replace(self._plan, slowest=_MOST_SLOW)

    @property
    def progress(self) -> ProgressCall | None:
        """What a run tells after each split how far it is; ``None`` where no page wants to know."""
        return None if self._samples is None else self._samples.update

    @property
    def beat(self) -> ProgressCall | None:
        """What a run tells all the time how far it is; ``None`` where no terminal wants to know."""
        return self._bar.update if self._bar.wanted else None

    def data(self, report: RunReport) -> dict[str, object]:
        """Return what was asked for beside the report, for JSON."""
        if not self._profiled:
            return {}
        from plugline.cli.page import profile, profile_data  # where it is asked for

        return {"profile": profile_data(profile(self._plan, report))}

    def say(self, report: RunReport) -> None:
        """Say what was asked for beside the report."""
        if not self._profiled:
            return
        from plugline.cli.page import profile, profile_text  # where it is asked for

        render.say(profile_text(profile(self._plan, report)))

    def write_page(self, report: RunReport, stop: RunStopped | None) -> bool:
        """Write the page, if one is wanted; say so, and return ``False``, where that cannot be done."""
        if not self._page_file or self._samples is None:
            return True
        from plugline.cli.page import page  # where it is asked for

        speeds = self._samples.speeds(report.seconds, report.records_in)
        text = page(self._plan, report, speeds, title=self._title, stop=stop)
        try:
            _write(self._page_file, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            render.error(f"the report {self._page_path!r} cannot be written: {error.strerror or error}")
            return False
        return True


def _samples_for(path: str, plan: Plan) -> "Samples":
    from plugline.cli.page import Samples  # where a page is asked for

    _check_page(path, plan)
    return Samples()


def _check_page(path: str, plan: Plan) -> None:
    """Refuse what could not be written after a long run, and what would be lost by it.

    Raises:
        Misuse: It is a folder, or in none; a file of the run, or one that is there and no page.
    """
    from plugline.cli.app import Misuse  # brings the parser, which has been there since an option was given

    folder = os.path.dirname(path) or "."
    if os.path.isdir(path) or not os.path.basename(path):
        raise Misuse(f"--report {path!r} is a folder, expected a file", "name a file in it: --report report.html")
    if not os.path.isdir(folder):
        raise Misuse(f"the folder of --report {path!r} does not exist", f"create it: mkdir -p {shell_word(folder)}")
    taken = (
        *((source, "the source itself") for source in {one.path for one in plan.splits}),
        (plan.sink, "the sink itself"),
        (plan.dead_letters, "for the dead letters"),
    )
    for one, what in taken:
        if same_file(path, plan.located(one)):
            raise Misuse(f"--report {path!r} is {what}", "name another file: --report report.html")
    if os.path.isfile(path) and not _is_page(path):
        raise Misuse(
            f"--report {path!r} is there and is no page", "remove it, or name another file: --report report.html"
        )


def _is_page(path: str) -> bool:
    """Whether a file begins as a page does, or is empty."""
    try:
        with open(path, "rb") as stream:
            begin = stream.read(100).lstrip().lower()
    except OSError:
        return True  # whether it can be replaced is another question
    return not begin or begin.startswith((b"<!doctype html", b"<html"))


def _write(path: str, content: bytes) -> None:
    """Write whole or not at all."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as stream:  # a special file, which nothing can be put in the place of
            stream.write(content)
        return
    from plugline.replacing import replace_file  # where a page is asked for

    replace_file(path, content)
