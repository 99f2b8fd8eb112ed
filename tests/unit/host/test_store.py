"""What is kept of disabled plugins, and how plugline.toml is changed."""

import fcntl
import os
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from plugline.errors import ConfigurationError
from plugline.host import edits
from plugline.host.edits import _edited
from plugline.host.store import FileStore


def store(folder: Path, text: str | bytes | None = None) -> FileStore:
    path = folder / "plugline.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return FileStore([str(path)])


def test_a_name_is_kept_until_it_is_taken_out(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.set_disabled("b", disabled=True)
    kept.set_disabled("a", disabled=True)
    kept.set_disabled("b", disabled=True)
    assert list(store(tmp_path).disabled()) == ["b", "a"]
    kept.set_disabled("b", disabled=False)
    kept.set_disabled("absent", disabled=False)
    assert list(store(tmp_path).disabled()) == ["a"]


def test_enabling_where_nothing_is_kept_makes_no_file(tmp_path: Path) -> None:
    store(tmp_path).set_disabled("a", disabled=False)
    assert list(tmp_path.iterdir()) == []


SETTINGS = """\
# What our program is to do.
title = "x" # a title

disabled = [  # not these
    "old", # it crashes
    'b',
]
[window]
disabled = true
size = [1, 2]
"""


def test_all_other_lines_stay_as_they_are(tmp_path: Path) -> None:
    kept = store(tmp_path, SETTINGS)
    kept.set_disabled("new", disabled=True)
    text = (tmp_path / "plugline.toml").read_text()
    assert text == SETTINGS.replace("    'b',\n", "    'b',\n    \"new\",\n")


@pytest.mark.parametrize(
    ("text", "disabled", "enabled"),
    [
        ("disabled = [ 'b', # why\n  'old' ]\n", "disabled = [ 'b', # why\n  'old', \"new\" ]\n", "disabled = [ # why\n  'old', \"new\" ]\n"),
        ("disabled = [\n  'a', # why a\n  'b' # why b\n]\n", "disabled = [\n  'a', # why a\n  'b', # why b\n  \"new\",\n]\n", "disabled = [\n  'a', # why a\n  \"new\",\n]\n"),
        ("disabled = ['a','b']  # two\nx = 1", "disabled = ['a','b', \"new\"]  # two\nx = 1", "disabled = ['a',\"new\"]  # two\nx = 1"),
        ("disabled = [\r\n\t'b', # b\r\n]\r\n", "disabled = [\r\n\t'b', # b\r\n\t\"new\",\r\n]\r\n", 'disabled = [\r\n\t"new",\r\n]\r\n'),
        ("disabled = [  # none yet\n]\n", 'disabled = [\n    "new",  # none yet\n]\n', None),
        ("disabled = ['#b', \"b\"] # b\n", "disabled = ['#b', \"b\", \"new\"] # b\n", "disabled = ['#b', \"new\"] # b\n"),
    ],
)  # fmt: skip
def test_comments_between_the_names_stay_where_they_are(
    text: str, disabled: str, enabled: str | None, tmp_path: Path
) -> None:
    kept = store(tmp_path, text)
    kept.set_disabled("new", disabled=True)
    assert (tmp_path / "plugline.toml").read_bytes() == disabled.encode()
    kept.set_disabled("b", disabled=False)
    assert (tmp_path / "plugline.toml").read_bytes() == (enabled or disabled).encode()


def test_the_key_goes_before_the_first_table(tmp_path: Path) -> None:
    kept = store(tmp_path, "title = 1\n\n[window]\nsize = 1\n")
    kept.set_disabled("a", disabled=True)
    assert (tmp_path / "plugline.toml").read_text() == 'title = 1\n\ndisabled = ["a"]\n[window]\nsize = 1\n'


@pytest.mark.parametrize(
    ("text", "disabled"),
    [
        ("[window]\ndisabled = true\n", 'disabled = ["a"]\n[window]\ndisabled = true\n'),
        ('x = """\ndisabled\n"""\n', 'x = """\ndisabled\n"""\ndisabled = ["a"]\n'),
    ],
)
def test_a_line_that_looks_like_the_key_and_is_another_stays_as_it_is(text: str, disabled: str, tmp_path: Path) -> None:
    store(tmp_path, text).set_disabled("a", disabled=True)
    assert (tmp_path / "plugline.toml").read_text() == disabled


@pytest.mark.parametrize(
    "text", ["x = 1\r\n", "disabled = []\r\n", "x = 1\r\n[t]\r\n", 'disabled = ["b"]  # b\r\n[t]\r\n']
)
def test_lines_end_as_the_others_of_the_file_do(text: str, tmp_path: Path) -> None:
    store(tmp_path, text).set_disabled("a", disabled=True)
    content = (tmp_path / "plugline.toml").read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n")
    assert b'"a"' in content


NAMES = some.lists(some.text(some.characters(exclude_categories=["Cs"]), max_size=8), max_size=4, unique=True)
TEXTS = [
    "",
    "\n",
    "x = 1",
    "x = 1\r\n[t]\r\ny = 2\r\n",
    SETTINGS,
    "disabled=['''a''']\n",
    '"disabled" = []\n[a]\n',
    "[a]\ndisabled = 1\n",
]


@given(NAMES, some.sampled_from(TEXTS))
@example(['"', "\\", "\x7f", "\U0001f600", "a" * 200, "\n"], SETTINGS)
def test_whatever_the_names_are_they_are_read_again_with_all_else_unchanged(names: list[str], text: str) -> None:
    edited = tomllib.loads(_edited(text, names, "plugline.toml"))
    assert edited == {**tomllib.loads(text), "disabled": names}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = 1\ndisabled = [", 2, "is not valid TOML"),
        ("disabled = 'a'", 1, "'disabled' is 'a', a list of names of plugins was expected"),
        ("\ndisabled = [1]", 2, "'disabled' is [1], a list of names"),
        (b"disabled = ['\xff']", None, "is not UTF-8: byte 0xff"),
    ],
)
def test_a_file_that_is_no_store_is_a_finding_and_is_not_changed(
    text: str | bytes, line: int | None, message: str, tmp_path: Path
) -> None:
    kept = store(tmp_path, text)
    before = (tmp_path / "plugline.toml").read_bytes()
    looked = kept.look()
    (finding,) = looked.findings
    assert not looked.known
    assert (finding.code, finding.place.line, finding.is_error) == ("P115", line, True)
    assert finding.message.startswith(message)
    with pytest.raises(ConfigurationError, match="P115"):
        kept.set_disabled("a", disabled=True)
    assert (tmp_path / "plugline.toml").read_bytes() == before


@pytest.mark.timeout(30)
def test_a_fifo_in_its_place_is_a_finding(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "plugline.toml")
    assert [finding.code for finding in store(tmp_path).look().findings] == ["P115"]


def test_other_keys_and_tables_are_others_affair(tmp_path: Path) -> None:
    looked = store(tmp_path, "plugins = ['a']\n[window]\n[[list]]\n").look()
    assert (looked.findings, looked.names, looked.known) == ((), {}, True)


def test_a_folder_that_cannot_be_written_to_is_a_finding(tmp_path: Path) -> None:
    kept = FileStore([str(tmp_path / "absent" / "plugline.toml")])
    with pytest.raises(ConfigurationError, match="cannot be written"):
        kept.set_disabled("a", disabled=True)


def test_a_link_is_written_through_and_the_mode_is_kept(tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text("disabled = []\n")
    real.chmod(0o640)
    (tmp_path / "plugline.toml").symlink_to(real)
    store(tmp_path).set_disabled("a", disabled=True)
    assert (tmp_path / "plugline.toml").is_symlink()
    assert real.read_text() == 'disabled = ["a"]\n'
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plugline.toml", "real.toml"]


WRITER = "import sys; from plugline.host.store import FileStore\nfor n in range(20): FileStore(['plugline.toml']).set_disabled(sys.argv[1] + str(n), disabled=True)"


@pytest.mark.slow
def test_no_change_is_lost_between_threads_and_processes(tmp_path: Path) -> None:
    kept = store(tmp_path)
    started = [subprocess.Popen([sys.executable, "-c", WRITER, name], cwd=tmp_path) for name in "xyz"]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: kept.set_disabled(f"t{number}", disabled=True), range(20)))
    assert [process.wait(120) for process in started] == [0, 0, 0]
    assert sorted(kept.disabled()) == sorted(f"{name}{number}" for name in "txyz" for number in range(20))


@pytest.mark.parametrize(
    ("changed", "turns", "seconds"), [(".", 10, 12), ("plugline.toml", 10, 0), ("plugline.toml", 10**6, 300)]
)
def test_who_waits_is_only_refused_where_nobody_writes_meanwhile_or_that_has_no_end(
    changed: str, turns: int, seconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = store(tmp_path)
    kept.set_disabled("b", disabled=True)
    times = [0.0]
    holding = os.open(tmp_path, os.O_RDONLY)

    def pause(told: float) -> None:
        times.append(times[-1] + 4)
        os.utime(tmp_path / changed, ns=(0, len(times)))  # as another one does whose turn came first
        if len(times) == turns:
            fcntl.flock(holding, fcntl.LOCK_UN)

    monkeypatch.setattr(edits, "monotonic_seconds", lambda: times[-1])
    monkeypatch.setattr(edits, "sleep", pause)
    try:
        fcntl.flock(holding, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError) if seconds else nullcontext() as refused:
            kept.set_disabled("a", disabled=True)
    finally:
        os.close(holding)
    assert kept.disabled() == (("b",) if seconds else ("b", "a"))
    if refused is not None:
        (finding,) = refused.value.findings
        who = f"process {os.getpid()}" if sys.platform == "linux" else "another program"
        assert finding.message.endswith(f"cannot be written: {who} has kept its folder locked for {seconds} seconds")
        assert finding.hint == "let that program come to its end, or end it"


def test_the_file_beside_a_plugins_folder_takes_its_name(tmp_path: Path) -> None:
    paths = [str(tmp_path / name / "plugline.toml") for name in "ab"]
    for name in "ab":
        (tmp_path / name / "plugins").mkdir(parents=True)
    kept = FileStore(paths)
    kept.set_disabled("x", disabled=True, beside=str(tmp_path / "b/plugins"))
    kept.set_disabled("y", disabled=True)
    assert [(tmp_path / name / "plugline.toml").read_text().splitlines()[-1] for name in "ab"] == [
        'disabled = ["y"]',
        'disabled = ["x"]',
    ]
    kept.set_disabled("x", disabled=False)
    assert list(kept.disabled()) == ["y"]
