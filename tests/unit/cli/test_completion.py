import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plugline.cli import main
from plugline.cli.app import COMMANDS
from plugline.cli.completion import all_words
from plugline.codes import CODES
from tests.builders import processor

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    plugins = tmp_path / "plugins"
    (plugins / "packed").mkdir(parents=True)
    (plugins / "upper.py").write_text(processor(top="raise SystemExit('imported')"), "utf-8")
    (plugins / "unaccent_plugin.py").write_text(processor(), "utf-8")
    (plugins / "named.py").write_text('PLUGIN_NAME = "umlauts"\n' + processor(), "utf-8")
    (plugins / "packed/__init__.py").write_text(processor(), "utf-8")
    (plugins / "ulog_format.py").write_text(
        "class Ulog:\n    def reader(self): ...\n    def writer(self): ...\n", "utf-8"
    )
    (plugins / "_hidden.py").write_text("", "utf-8")
    (tmp_path / "a file.ndjson").write_text("", "utf-8")
    # As it is on a PATH: the script calls the word that was typed.
    program = tmp_path / "bin/plugline"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m plugline "$@"\n', "utf-8")
    program.chmod(0o755)
    return tmp_path


def names(capsys: pytest.CaptureFixture[str], kind: str, *words: str) -> set[str]:
    assert main(["--complete", kind, *words]) == 0
    return set(capsys.readouterr().out.split("\n")) - {""}


def test_names_are_those_that_commands_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert names(capsys, "plugins") == {"upper", "unaccent_plugin", "umlauts", "packed", "ulog_format"}
    assert names(capsys, "processors") >= {"upper", "unaccent", "umlauts", "packed"}
    assert names(capsys, "known") >= {"upper", "unaccent_plugin", "ulog_format", "csv", "cast", "local"}
    assert names(capsys, "formats") >= {"csv", "ndjson", "json", "ulog"}
    assert not names(capsys, "formats") & {"upper", "packed"}
    assert names(capsys, "engines") >= {"local"}
    assert names(capsys, "unheard of") >= {"upper"}
    assert names(capsys, "disabled") == set()
    assert main(["disable", "upper", "csv"]) == 0
    capsys.readouterr()
    assert names(capsys, "disabled") == {"upper", "csv"}
    Path("plugline.toml").write_text("disabled = [", "utf-8")
    assert names(capsys, "disabled") == set()


def test_folders_of_the_line_and_of_the_settings_are_looked_into(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine").mkdir()
    (folder / "mine/own.py").write_text(processor(), "utf-8")
    assert names(capsys, "plugins", "run", "--plugins", "mine", "--use") == {"own"}
    assert names(capsys, "plugins", "run", "--plugins=mine", "--use") == {"own"}
    assert names(capsys, "plugins", "run", "--plugins", "absent") == set()
    (folder / "plugline.toml").write_text('plugins = ["mine"]\n', "utf-8")
    assert names(capsys, "plugins") == {"own"}
    (folder / "plugline.toml").write_text("plugins = \n", "utf-8")
    assert "upper" in names(capsys, "plugins")


def test_nothing_costly_is_imported_to_complete_a_name() -> None:
    code = "import sys; from plugline.cli import main; main(['--complete', 'formats']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert "csv" in done.stdout.split()
    assert not {"click", "dataclasses", "ast", "json", "re", "importlib.metadata"} & set(done.stderr.split())


def test_every_command_and_option_is_in_every_script(capsys: pytest.CaptureFixture[str]) -> None:
    for shell in SHELLS:
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        for one in all_words():
            assert one.command in COMMANDS
            assert one.command in script
            for option in one.options:
                assert (option if shell != "fish" else option.lstrip("-")) in script


def test_an_unknown_shell_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bsh"]) == 2
    assert "did you mean 'bash'?" in capsys.readouterr().err


def test_the_words_are_to_be_had_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    run = next(one for one in told["commands"] if one["command"] == "run")
    assert run["values"]["--to"] == "formats"


BASH = """
source <("$1" completion bash)
shift
COMP_WORDS=(plugline "$@")
COMP_CWORD=$#
COMP_LINE=${line:-}
COMP_POINT=${#COMP_LINE}
_plugline
printf '%s\\n' "${COMPREPLY[@]}"
"""
# zsh shows what it completes only to a terminal; what is handed to compadd is what it would show.
ZSH = """
compdef() { }
compset() { }
compadd() { shift; print -l -- "$@"; }
_files() { print -l -- *; }
_describe() { print -l -- "${commands[@]%%:*}"; }
source <("$1" completion zsh)
shift
words=(plugline "$@")
CURRENT=${#words}
_plugline
"""
FISH = """
$argv[1] completion fish | source
complete -C (string join ' ' -- plugline $argv[2..]) | string split -f1 \\t
"""


def completed(shell: str, folder: Path, *words: str, begin: str | None = None, line: str = "") -> set[str]:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"there is no {shell} here")
    script, flags = {"bash": (BASH, ["--norc"]), "zsh": (ZSH, ["-f"]), "fish": (FISH, ["--no-config"])}[shell]
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "line": line,
    }
    name = [] if shell == "fish" else ["-"]
    command = [found, *flags, "-c", script, *name, "plugline", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    # zsh and fish leave it to the shell to keep what begins as the word does.
    return {line for line in done.stdout.split("\n") if line.startswith(words[-1] if begin is None else begin) and line}


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_commands_options_and_names(shell: str, folder: Path) -> None:
    assert completed(shell, folder, "pre") == {"preview"}
    assert completed(shell, folder, "--v") == {"--version"}
    assert completed(shell, folder, "run", "--max") == {"--max-errors"}
    assert completed(shell, folder, "run", "--use", "u") >= {"upper", "unaccent", "umlauts"}
    assert completed(shell, folder, "run", "--use", "trim", "--to", "nd") == {"ndjson"}
    assert completed(shell, folder, "run", "--on-error", "d") == {"dead-letter", "drop"}
    if shell != "fish":  # which completes the whole word
        behind = ["--to", "=", "nd"] if shell == "bash" else ["--to=nd"]
        assert "ndjson" in completed(shell, folder, "run", *behind, begin="nd")
    assert completed(shell, folder, "info", "um") == {"umlauts"}
    assert completed(shell, folder, "info", "cs") == {"csv"}
    assert completed(shell, folder, "explain", "C10") == {code for code in CODES if code.startswith("C10")}
    assert any("file" in line for line in completed(shell, folder, "run", "a"))


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_where_a_name_is_asked_for_files_are_not_offered(shell: str, folder: Path) -> None:
    for name in ("upwards.txt", "nd.txt", "dropped.txt", "3.txt", "upper.txt", "x.txt"):
        (folder / name).write_text("", "utf-8")
    assert "upwards.txt" not in completed(shell, folder, "run", "--use", "up")
    assert completed(shell, folder, "run", "--to", "nd") == {"ndjson"}
    assert completed(shell, folder, "run", "--on-error", "d") == {"dead-letter", "drop"}
    assert not completed(shell, folder, "dev", "--limit", "3")
    assert not completed(shell, folder, "test", "-k", "up")
    assert not completed(shell, folder, "run", "--use", "upper", "--with", "x")
    assert completed(shell, folder, "run", "--max-errors", "n") == {"none"}
    assert not completed(shell, folder, "run", "--processes", "3")
    assert not completed(shell, folder, "enable", "up")
    (folder / "plugline.toml").write_text('disabled = ["upper"]', "utf-8")
    assert completed(shell, folder, "enable", "u") == {"upper"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("two", r"two\ words"),
        ('"two', "two words"),
        (r"two\ w", r"two\ words"),
        ("$", r"\$\(touch\ run\)"),
        ("it", r"it\'s"),
    ],
)
def test_bash_completes_names_with_spaces_and_runs_none_of_them(folder: Path, typed: str, expected: str) -> None:
    for name in ("two words", "$(touch run)", "it's"):
        (folder / "plugins" / f"{name}.py").write_text(processor(), "utf-8")
    replies = completed("bash", folder, "info", typed, begin="")
    assert expected in replies
    assert not (folder / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_folder_that_was_quoted_is_looked_into(shell: str, folder: Path) -> None:
    (folder / "my own").mkdir()
    (folder / "my own/zebra.py").write_text(processor(), "utf-8")
    assert completed(shell, folder, "run", "--plugins", '"my own"', "--use", "z") == {"zebra"}


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_folder_behind_an_equals_sign_is_looked_into(shell: str, folder: Path) -> None:
    (folder / "own").mkdir()
    (folder / "own/zebra.py").write_text(processor(), "utf-8")
    words = ["--plugins", "=", "own"] if shell == "bash" else ["--plugins=own"]
    assert completed(shell, folder, "run", *words, "--use", "z") == {"zebra"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["info", "shop", ":"], {"lower", r"two\ words"}),
        (["info", "shop", ":", "lo"], {"lower"}),
        (["info", "a", ":", "b", ":"], {"c"}),
        (["run", "--use", "=", "shop", ":", "lo"], {"lower"}),
        (["run", "in", ":", "x"], {"x.ndjson"}),
        (["info", '"shop:two'], {"shop:two words"}),
    ],
)
def test_bash_completes_what_is_behind_a_colon(folder: Path, words: list[str], expected: set[str]) -> None:
    for name in ("shop:lower", "shop:two words", "a:b:c"):
        (folder / "plugins" / f"{name}.py").write_text(processor(), "utf-8")
    (folder / "in:x.ndjson").write_text("", "utf-8")
    line = " ".join(["plugline", words[0], "".join(words[1:])])
    assert completed("bash", folder, *words, begin="", line=line) == expected


def test_bash_is_asked_for_nothing_that_is_not_in_that_of_macos(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert not [word for word in ("mapfile", "readarray", "declare -A", "local -n", ",,}", "^^}") if word in script]
