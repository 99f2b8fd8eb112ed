import fcntl
import io
import json
import os
import struct
import sys
import termios

import pytest

from plugline.cli import render
from plugline.findings import Finding, Place


def finding(
    message: str = "is wrong", *, line: int | None = 3, hint: str | None = "mend it", source: str | None = "x = 1"
) -> Finding:
    return Finding("P109", message, Place("plugins/a.py", line, 1 if line is not None else None), hint, source)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_finding_has_its_line_a_caret_and_a_hint() -> None:
    assert render.finding_text(finding()) == (
        "error[P109] plugins/a.py:3:1: is wrong\n  | 3 | x = 1\n  |   | ^\n  hint: mend it"
    )


@pytest.mark.parametrize(
    "text", ["\x1b[31mred", "\r\x1b[2Kforged", "two\nlines", "\x9b31m", "turn\u202eed", "\u2028", "\x00", "\x07"]
)
def test_no_text_of_a_plugin_moves_the_cursor_or_begins_a_line(text: str) -> None:
    shown = render.finding_text(Finding("P109", text, Place(text, 1, 1), text, f"a{text}"))
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert shown.count("\n") == 3
    assert render.table(("name",), [(text,)]).count("\n") == 1
    assert render.annotation(Finding("P109", text, Place(text), text)).isprintable()


def test_tabs_become_spaces_under_which_the_caret_stands() -> None:
    shown = render.finding_text(Finding("P106", "no", Place("a.py", 1, 2), None, "\tx y"))
    assert shown.splitlines()[1:3] == ["  | 1 |     x y", "  |   |     ^"]


def test_the_caret_stands_below_its_character_after_wide_ones() -> None:
    shown = render.finding_text(Finding("P106", "no", Place("a.py", 1, 3), None, "日本x"))
    assert shown.splitlines()[2] == "  |   |     ^"


def test_a_long_line_is_cut_around_its_caret() -> None:
    shown = render.finding_text(Finding("P106", "no", Place("a.py", 1, 501), None, "a" * 500 + "!" + "b" * 500))
    line, caret = shown.splitlines()[1:3]
    assert len(line) < 130
    assert line[caret.index("^")] == "!"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 50])
def test_a_broken_plugin_costs_at_most_six_lines(count: int) -> None:
    findings = [finding(f"fault {number}", hint=f"hint {number}") for number in range(count)]
    lines = render.findings_text(findings, most_lines=6).splitlines()
    assert len(lines) <= 6
    shown = [line for line in lines if line.startswith("error[")]
    assert len(shown) == count or lines[-1] == f"  and {count - 5} more: plugline check plugins/a.py"
    # The last line says what to do about all of it.
    told = {line for line in lines if line.startswith("  hint: hint ")}
    everything = "  hint: plugline check plugins/a.py tells what to do about each"
    assert len(told) == count or len(shown) < count or lines[-1] == everything
    assert lines[-1].startswith(("  hint: ", "  and "))


def test_a_hint_that_several_findings_share_is_told_once_and_last() -> None:
    lines = render.findings_text([finding("one"), finding("two")]).splitlines()
    assert lines.count("  hint: mend it") == 1
    assert lines[-1] == "  hint: mend it"


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert render.coloured(Terminal())
    assert not render.coloured(io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")  # as services set it that show the log of a pipe in colours
    assert render.coloured(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not render.coloured(io.StringIO())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    render.error("no", "do this")
    assert terminal.getvalue() == "error: no\n  hint: do this\n"


def test_an_annotation_escapes_what_github_would_read() -> None:
    shown = render.annotation(Finding("P106", "50% of\nit", Place("a,b:c.py", 2, 5), "yes"))
    assert shown == "::error file=a%2Cb%3Ac.py,line=2,col=5,title=P106::50%25 of%0Ait%0Ahint: yes"


def test_text_that_a_stream_cannot_hold_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    render.tell("größe \udcff")
    render.flush()
    assert raw.getvalue() == b"gr\\xf6\\xdfe \\udcff\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_json_whatever_the_stream_can_hold(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    render.tell_json({"names": ["größe", "\N{SLIGHTLY SMILING FACE}", "\udcff"], "limit": float("inf")})
    render.flush()
    said = json.loads(raw.getvalue().decode("utf-8"), parse_constant=pytest.fail)
    assert said == {
        "version": 1,
        "names": ["größe", "\N{SLIGHTLY SMILING FACE}", "\udcff"],
        "limit": "Infinity",
    }
    assert ("größe" in raw.getvalue().decode("utf-8")) == (encoding == "utf-8")


def test_a_table_that_fits_and_a_shown_line_end_where_the_terminal_does(monkeypatch: pytest.MonkeyPatch) -> None:
    controller, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    with open(terminal, "w", encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setattr("sys.stderr", stream)
        text = render.table(("name", "summary"), [("a", "word " * 30), ("b", "short")], fits=True)
        shown = render.finding_text(Finding("P106", "no", Place("a.py", 1, 150), None, "x" * 200))
    os.close(controller)
    assert max(map(len, text.split("\n"))) == 60
    assert text.split("\n")[1].endswith("...")
    assert max(map(len, shown.split("\n")[1:3])) <= 60
    assert shown.split("\n")[2].endswith("^")
