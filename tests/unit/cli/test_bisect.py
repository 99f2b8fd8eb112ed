import json
import math
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.cli import main
from plugline.cli.bisect import find_to_blame
from tests.builders import processor

HOST = """
import sys
import plugline

with plugline.Host("plugins", interface=["transform"]) as host:
    host.chain("transform")({"n": 1})
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    for number in range(8):
        (tmp_path / f"plugins/p{number}.py").write_text(processor(), "utf-8")
    return tmp_path


def only(test: str) -> list[str]:
    """Return a command that fails when ``test`` holds of the set ``names`` of plugins."""
    code = f"import os, sys; names = set(os.environ['PLUGLINE_ONLY'].split()); sys.exit({test})"
    return ["bisect", "--", sys.executable, "-S", "-c", code]


@given(st.integers(1, 2000), st.data())
def test_a_single_plugin_to_blame_is_found_in_a_logarithm_of_runs(count: int, data: st.DataObject) -> None:
    names = [f"p{number}" for number in range(count)]
    culprit = data.draw(st.sampled_from(names))
    runs = 0

    def fails(some: Sequence[str]) -> bool:
        nonlocal runs
        runs += 1
        return culprit in some

    blame = find_to_blame(names, fails)
    assert (blame.plugin, blame.alone) == (culprit, True)
    assert runs <= math.ceil(math.log2(count)) + 1


@given(st.lists(st.integers(0, 50), min_size=1, max_size=4, unique=True))
def test_of_several_to_blame_it_is_the_one_that_makes_the_difference(culprits: list[int]) -> None:
    names = [str(number) for number in range(51)]
    wanted = {str(number) for number in culprits}
    blame = find_to_blame(names, lambda some: wanted <= set(some))
    assert blame.plugin == str(max(culprits))
    assert blame.alone == (len(culprits) == 1)


@pytest.mark.slow
def test_the_plugin_to_blame_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(only("'p5' in names")) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "error[R162] plugins/p5.py: the plugin 'p5' makes the command fail",
        "  hint: plugline disable p5",
    ]
    assert shown.err.splitlines()[:2] == ["run 1: 8 of 8 plugins: exit code 1", "run 2: 0 of 8 plugins: exit code 0"]
    assert len(shown.err.splitlines()) == 6


@pytest.mark.slow
def test_the_hint_disables_the_plugin_whatever_it_and_its_folder_are_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "their plugins"
    folder.mkdir()
    (folder / "one.py").write_text(processor(top='PLUGIN_NAME = "the first"'), "utf-8")
    (folder / "two.py").write_text(processor(), "utf-8")
    test = "import os; raise SystemExit('one' in os.environ['PLUGLINE_ONLY'])"
    assert main(["bisect", "--plugins", str(folder), "--", sys.executable, "-c", test]) == 0
    hint = capsys.readouterr().out.partition("hint: ")[2]
    assert main(shlex.split(hint)[1:]) == 0
    assert capsys.readouterr() == ("the first: disabled\n", "")


@pytest.mark.slow
def test_a_plugin_that_fails_only_with_others_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(only("names >= {'p2', 'p6'}")) == 0
    assert "the plugin 'p6' makes the command fail, but only together with plugins before it" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "reason", "hint"),
    [
        (
            "False",
            "does not fail",
            "one that fails only now and then has to be repeated: plugline bisect -- sh -c 'for i",
        ),
        ("True", "fails without any plugin too: none is to blame", "see what it says: PLUGLINE_ONLY= "),
    ],
)
def test_where_no_plugin_is_to_blame_it_says_so(
    test: str, reason: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(only(test)) == 1
    *_, said, does = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: the command {reason}")
    assert does.startswith(f"  hint: {hint}")
    line = does.rpartition(": ")[2].replace("plugline bisect -- ", "PLUGLINE_ONLY= ")
    pasted = subprocess.run(["sh", "-c", line], check=False)
    assert pasted.returncode == (1 if test == "True" else 0)


def test_a_program_that_is_not_there_and_one_that_cannot_tell_are_wrong_use(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bisect", "--", "plugline_tests_absent_program"]) == 2
    assert "cannot be run: No such file or directory" in capsys.readouterr().err
    assert main(["bisect", "--", "python host.py -x"]) == 2
    assert "hint: name a program: plugline bisect -- python host.py -x\n" in capsys.readouterr().err
    Path("my host.py").touch()
    assert main(["bisect", "--", "./my host.py", "-x"]) == 2
    assert "hint: name a program: plugline bisect -- python './my host.py' -x\n" in capsys.readouterr().err
    assert main(["bisect", "--", "sh", "-c", "exit 125"]) == 2
    assert "could not tell" in capsys.readouterr().err
    assert main(["bisect"]) == 2
    assert main(["bisect", "--plugins", "absent", "--", "true"]) == 2


@pytest.mark.slow
def test_a_run_that_takes_too_long_has_failed_and_leaves_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    script = 'case "$PLUGLINE_ONLY" in *p3*) sleep 60;; esac'
    assert main(["bisect", "--timeout", "0.2", "--json", "--", "sh", "-c", script]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["plugin"], told["path"], told["alone"]) == (1, "p3", "plugins/p3.py", True)
    assert told["runs"][0]["exit_code"] is None


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_what_is_ended_by_a_signal_leaves_no_command_behind(folder: Path, number: int, code: int) -> None:
    os.mkfifo(folder / "alive")
    # These tests may run under nohup themselves, and what it ignores is inherited.
    ignored = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    process = subprocess.Popen(
        [sys.executable, "-m", "plugline", "bisect", "--", "sh", "-c", "exec > alive; echo; sleep 60"]
    )
    signal.signal(signal.SIGHUP, ignored)
    with process, (folder / "alive").open() as alive:
        assert alive.readline()
        process.send_signal(number)
        assert alive.read() == ""  # when nobody has it open any more
    assert process.returncode == code


@pytest.mark.slow
def test_a_host_of_another_program_uses_only_the_plugins_that_it_may(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "host.py").write_text(HOST, "utf-8")
    (folder / "plugins/p2.py").write_text(processor("raise SystemExit(3)"), "utf-8")
    assert main(["bisect", "--json", "--", sys.executable, "host.py"]) == 0
    assert json.loads(capsys.readouterr().out)["plugin"] == "p2"


def test_a_plugin_folder_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bisect", "--plugins", "absent", "--", "true"]) == 2
    assert capsys.readouterr().err.startswith("error: absent: this plugin folder does not exist\n")


def test_what_fails_only_now_and_then_is_told_and_nobody_is_blamed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("count").write_text("", "utf-8")
    # It fails with all, then with the first four, which only chance would lead to p3, and not again.
    code = "import sys; f = open('count', 'a+'); f.write('x'); f.seek(0); sys.exit(len(f.read()) in (1, 3))"
    assert main(["bisect", "--json", "--", sys.executable, "-S", "-c", code]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["plugin"] is None
    assert told["reason"] == "fails only now and then: with the same plugins it did, and did not"
    Path("count").write_text("", "utf-8")
    assert main(["bisect", "--", sys.executable, "-S", "-c", code]) == 1
    assert (
        "hint: one that fails only now and then has to be repeated: plugline bisect -- sh -c" in capsys.readouterr().err
    )
