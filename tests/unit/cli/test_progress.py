import io
import os
import sys
from contextlib import suppress

import pytest
from rich.live import Live

from plugline.cli import progress
from plugline.cli.progress import ProgressLine
from plugline.pipeline.split import Progress

STATE = Progress(bytes_read=1, bytes_total=2, records_in=1, records_out=1, failed=0, seconds=1.0)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_BETWEEN_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")


def test_an_interrupt_while_the_line_is_first_drawn_leaves_the_cursor_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    refresh, asked = Live.refresh, []

    def interrupted(live: Live) -> None:
        asked.append(live)
        if len(asked) == 1:
            raise KeyboardInterrupt
        refresh(live)

    monkeypatch.setattr(Live, "refresh", interrupted)
    with pytest.raises(KeyboardInterrupt), ProgressLine(wanted=True) as line:
        line.update(STATE)
    assert "\x1b[?25l" in terminal.getvalue()
    assert terminal.getvalue().rfind("\x1b[?25h") > terminal.getvalue().rfind("\x1b[?25l")


@pytest.mark.parametrize("lines", [0, 1, 5])
def test_a_terminal_that_is_gone_stops_no_run(lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    controller, terminal = os.openpty()
    stream = open(terminal, "w", encoding="utf-8")  # noqa: SIM115 - it cannot be closed as others
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        with ProgressLine(wanted=True) as line:
            for _ in range(lines):
                line.update(STATE)
            os.close(controller)
            line.update(STATE)
            line.update(STATE)
        assert sys.stderr is stream
    finally:
        with suppress(OSError):  # what could not be written is tried once more
            stream.close()
