import io
import sys

import pytest
from rich.live import Live

from plugline.cli import progress
from plugline.cli.progress import ProgressLine
from plugline.pipeline.split import Progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_an_interrupt_while_the_line_is_first_drawn_leaves_the_cursor_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    refresh, asked = Live.refresh, []

    def interrupted(live: Live) -> None:
        asked.append(live)
        if len(asked) == 1:
            raise KeyboardInterrupt
        refresh(live)

    monkeypatch.setattr(Live, "refresh", interrupted)
    state = Progress(bytes_read=1, bytes_total=2, records_in=1, records_out=1, failed=0, seconds=1.0)
    with pytest.raises(KeyboardInterrupt), ProgressLine(wanted=True) as line:
        line.update(state)
    assert "\x1b[?25l" in terminal.getvalue()
    assert terminal.getvalue().rfind("\x1b[?25h") > terminal.getvalue().rfind("\x1b[?25l")
