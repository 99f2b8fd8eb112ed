import subprocess
import sys
from pathlib import Path

import pytest

from plugline.cli import main
from plugline.cli.app import COMMANDS

PROGRAM = [sys.executable, "-m", "plugline"]


def test_no_words_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr()
    for command in COMMANDS:
        assert f"\n  {command} " in shown.out
    assert shown.err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"  plugline {command}" in capsys.readouterr().out


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chek"]) == 2
    known = ", ".join(COMMANDS)
    assert capsys.readouterr().err == (
        f"error: no command is named 'chek'\n  hint: did you mean 'check'? known commands are {known}\n"
    )


def test_an_unknown_option_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--ouput", "x"]) == 2
    assert capsys.readouterr() == (
        "",
        "error: 'plugline run' has no option '--ouput'\n  hint: did you mean '--output'? see plugline run --help\n",
    )


@pytest.mark.parametrize("command", ["check", "list", "trust"])
def test_the_option_of_other_commands_for_folders_is_told_to_be_left_out(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--plugins", "x"]) == 2
    assert capsys.readouterr().err == (
        f"error: 'plugline {command}' has no option '--plugins'\n"
        f"  hint: folders stand for themselves: plugline {command} FOLDER; see plugline {command} --help\n"
    )


def test_a_missing_word_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 2
    assert capsys.readouterr().err == "error: missing argument 'NAME|FILE'\n  hint: see plugline info --help\n"


def test_a_word_too_many_for_run_is_told_what_options_it_may_have_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "in.ndjson", "out.ndjson"]) == 2
    assert capsys.readouterr().err == (
        "error: got unexpected extra argument (out.ndjson)\n"
        "  hint: one input, or one pipeline (several files: 'logs/*.csv', in quotes);"
        " processors follow --use, the output -o; see plugline run --help\n"
    )


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("plugline ")


def test_our_own_bug_is_told_shortly_and_with_v_at_length(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("plugline.cli.check.check_paths", broken)
    assert main(["check", "."]) == 3
    short = capsys.readouterr().err
    assert short.startswith("error: a bug in plugline: ZeroDivisionError: by nought\n  hint: run it again with -v")
    assert "Traceback" not in short
    assert main(["check", "-v", "."]) == 3
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):\n")


@pytest.mark.slow
def test_without_click_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['click'] = None; from plugline.cli import main; sys.exit(main(['--help']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: the command line needs 'click', which is not installed\n  hint: pip install 'plugline[tool]'\n"
    )


@pytest.mark.slow
def test_help_imports_no_command_and_nothing_costly() -> None:
    code = (
        "import sys; from plugline.cli import main; main(['--help']);"
        "print(*(name for name in sys.modules if name.partition('.')[0] in"
        " {'plugline', 'orjson', 'rich', 'dataclasses', 'json', 'ast', 'difflib', 'tomllib'}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert {name for name in done.stderr.split() if name.startswith("plugline")} == {
        "plugline",
        "plugline.cli",
        "plugline.cli.app",
        "plugline.cli.guard",
        "plugline.cli.process",
        "plugline.cli.render",
        "plugline.findings",
        "plugline.names",
        "plugline.typed",
        "plugline.values",
    }
    assert not {"orjson", "rich", "difflib", "tomllib"} & set(done.stderr.split())


@pytest.mark.slow
def test_a_closed_pipe_is_not_an_error(tmp_path: Path) -> None:
    for words in (["--help"], ["explain"], ["list"]):
        process = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(30) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirection", "reason"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")]
)
@pytest.mark.parametrize("words", ["explain", "--help", "run --help", "--version"])
def test_output_that_is_lost_is_told(redirection: str, reason: str, words: str) -> None:
    if reason == "it is closed" and words != "explain":
        pytest.skip("click says nothing where there is no standard output")
    script = f'"$0" -m plugline {words} {redirection}'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], stderr=subprocess.PIPE, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (4, f"error: standard output cannot be written: {reason}\n")


def test_what_an_option_lacks_is_told_with_the_help_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "in.ndjson", "--to"]) == 2
    assert capsys.readouterr().err.endswith("hint: see plugline run --help\n")


def test_a_command_for_help_is_answered_with_the_way_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 2
    assert "plugline --help" in capsys.readouterr().err


@pytest.mark.slow
def test_a_current_folder_that_is_gone_is_no_bug_of_ours(tmp_path: Path) -> None:
    command = f"import os; os.rmdir({str(tmp_path)!r}); from plugline.cli import main; raise SystemExit(main(['list']))"
    done = subprocess.run([sys.executable, "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the current folder is not there any more\n")


@pytest.mark.parametrize(
    ("words", "parameter"),
    [
        (["run", "orders.ndjson", "--plugins", ""], "--plugins"),
        (["run", "orders.ndjson", "-o", ""], "-o' / '--output"),
        (["run", "orders.ndjson", "--dead-letters", ""], "--dead-letters"),
        (["list", ""], "[FOLDERS]..."),
        (["check", "plugins", ""], "[PATHS]..."),
        (["disable", ""], "NAME..."),
        (["trust", "--lock", ""], "--lock"),
    ],
)
def test_an_empty_word_is_wrong_use(
    words: list[str],
    parameter: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr() == (
        "",
        f"error: '{parameter}' is empty\n  hint: is a variable of the shell not set? see plugline {words[0]} --help\n",
    )
