import io
import os
import re
import sys
from contextlib import suppress
from dataclasses import replace

import pytest
from rich.live import Live

from plugline.cli import seeing
from plugline.cli.seeing import ProgressLine
from plugline.pipeline.split import Progress

STATE = Progress(bytes_read=1, bytes_total=2, records_in=1, records_out=1, failed=0, seconds=1.0)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(seeing, "_BETWEEN_SECONDS", 0.0)
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


@pytest.mark.parametrize(("term", "expected"), [("xterm", (True, False)), ("dumb", (False, False))])
def test_a_terminal_that_takes_the_records_or_cannot_draw_shows_no_line(
    term: str, expected: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setattr(sys, "stdout", _Terminal())
    monkeypatch.setenv("TERM", term)
    wanted = [ProgressLine.for_terminal(quiet=False, to_stdout=to_stdout).wanted for to_stdout in (False, True)]
    assert tuple(wanted) == expected
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert ProgressLine.for_terminal(quiet=False, to_stdout=True).wanted is expected[0]
    assert not ProgressLine.for_terminal(quiet=True, to_stdout=True).wanted


def test_what_is_printed_to_a_file_stays_there_while_the_line_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, file = _Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", file)
    with ProgressLine(wanted=True) as line:
        line.update(STATE)
        sys.stdout.write("talk\n")
        sys.stderr.write("more\n")
    assert file.getvalue() == "talk\n"
    assert "more\n" in terminal.getvalue()
    assert "talk" not in terminal.getvalue()


@pytest.mark.parametrize("total", [None, 0])
def test_where_nobody_knows_how_much_there_is_no_share_is_told(
    total: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressLine(wanted=True) as line:
        line.update(replace(STATE, bytes_total=total))
    assert "1 record, 1/s" in terminal.getvalue()
    assert "%" not in terminal.getvalue()


def test_few_records_a_second_are_not_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressLine(wanted=True) as line:
        line.update(replace(STATE, seconds=5.0))
    assert "1 record, 0.2/s" in terminal.getvalue()


def test_a_narrow_terminal_shows_the_share_of_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "20")
    with ProgressLine(wanted=True) as line:
        line.update(STATE)
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", terminal.getvalue())
    assert {text.split("%")[0].strip() for text in shown.split("\r") if text.strip()} == {"50"}


def test_records_of_a_run_before_took_none_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressLine(wanted=True) as line:
        line.update(replace(STATE, records_in=1_050, records_before=1_000))
    assert "1,050 records, 50/s" in terminal.getvalue()


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
