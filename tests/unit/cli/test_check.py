import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import plugline
from plugline.cli import main
from tests.scenes import start, until

TESTS = Path(__file__).parents[2]
BAD = TESTS / "plugins" / "bad"
QUICKSTART = TESTS.parent / "examples" / "quickstart"

GOOD = 'def transform(record):\n    return record\n\n\ndef describe():\n    return "good"\n'
Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write files into a folder that is the current one."""
    monkeypatch.chdir(tmp_path)

    def write_them(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write_them


def test_a_helper_that_is_not_what_was_trusted_is_told_without_loading_what_imports_it(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    here = write({"plugins/fine.py": "from ._shared import LIMIT\n\n\n" + GOOD, "plugins/_shared.py": "LIMIT = 1\n"})
    assert main(["trust"]) == 0
    assert main(["check"]) == 0
    write({"plugins/_shared.py": "LIMIT = 2\n", "plugins/_new.py": "NOBODY = 'imports this'\n"})
    capsys.readouterr()
    assert main(["check"]) == 1
    assert capsys.readouterr().out == (
        f"error[T303] plugins/_shared.py: this file, which a plugin imports, is not what was trusted in {here}/plugline.lock\n"
        "  hint: read it, then: plugline trust plugins\n"
        "1 plugin, findings on 1 other file\n"
    )


def test_a_package_is_one_plugin_and_a_folder_of_plugins_may_have_an_init(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        {
            "plugins/pack/__init__.py": f'"""Pack.\n\n>>> 1 + 1\n2\n"""\nfrom .part import PART\n{GOOD}',
            "plugins/pack/part.py": '"""Not to be tested.\n\n>>> 1 / 0\n"""\n\nPART = 1\n',
            "app/more/__init__.py": "class Base: ...\n",
            "app/more/one.py": GOOD,
            "app/more/two.py": GOOD,
        }
    )
    for path in ("plugins/pack", "plugins/pack/", "plugins/pack/__init__.py"):
        assert main(["check", path]) == 0
        assert capsys.readouterr().err == ""
        assert main(["info", path]) == 0
        assert "pack (processor)" in capsys.readouterr().out
        assert main(["test", path]) == 0
        assert "1 passed" in capsys.readouterr().out
        assert main(["doctor", path]) == 0
        assert ": 1 plugin\n" in capsys.readouterr().out
    assert main(["check", "app/more"]) == 0
    assert "2 plugins" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "info"])
def test_a_single_file_says_nothing_of_the_names_that_its_folder_disables(
    command: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        {
            "plugins/fine.py": GOOD,
            "plugins/off.py": GOOD,
            "plugins/torn.py": "def (",
            "plugline.toml": "disabled = ['off']",
        }
    )
    assert main([command, "plugins/fine.py"]) == 0
    assert main([command, "plugins/torn.py"]) == 1
    printed = capsys.readouterr()
    assert "P106" in printed.out + printed.err
    assert "P117" not in printed.out + printed.err


def test_ten_broken_plugins_are_told_at_once_in_at_most_six_lines_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BAD)
    assert main(["check", "ten", "--load"]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == "10 plugins, 10 with findings"
    blocks: dict[str, int] = {}
    path = ""
    for line in lines:
        path = line.split(" ")[1].split(":")[0] if line.startswith("error[") else path
        blocks[path] = blocks.get(path, 0) + 1
    assert sorted(blocks) == sorted(f"ten/{name}" for name in os.listdir("ten") if name.endswith(".py"))
    assert max(blocks.values()) <= 6


def test_nothing_is_run_unless_it_is_asked_for(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write({"plugins/a.py": f"open('ran', 'w').close()\n{GOOD}raise ValueError('no')\n"})
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "1 plugin, no findings\n"
    assert not (folder / "ran").exists()
    assert main(["check", "--load"]) == 1
    assert (folder / "ran").exists()
    assert capsys.readouterr().out == (
        "error[P301] plugins/a.py:8:1: raised ValueError: no while it was loaded\n"
        "  | 8 | raise ValueError('no')\n  |   | ^\n  hint: mend that line\n1 plugin, 1 with findings\n"
    )


def test_what_a_plugin_prints_while_it_is_loaded_is_not_data(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"plugins/a.py": f"print('hello')\n{GOOD}"})
    assert main(["check", "--load", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["findings"] == []
    assert shown.err == "hello\n"


def test_a_missing_module_is_found_where_it_is_imported(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"plugins/clean.py": f"import os\nimport plugline_absent.parts\n{GOOD}"})
    assert main(["check"]) == 1
    assert capsys.readouterr().out == (
        "error[P103] plugins/clean.py:2:1: needs the module 'plugline_absent', which is not installed\n"
        "  | 2 | import plugline_absent.parts\n"
        "  |   | ^\n"
        "  hint: pip install plugline_absent\n"
        "1 plugin, 1 with findings\n"
    )


def test_everything_wrong_with_a_pipeline_and_its_plugins_is_told_once(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        {
            "plugins/half.py": "def transform(record):\n    return record\n",
            "plugins/good.py": GOOD,
            "orders.ndjson": "{}\n",
            "pipeline.toml": '[source]\npath = "orders.ndjson"\n[[steps]]\nuse = "half"\n[[steps]]\nuse = "god"\n'
            '[sink]\npath = "out.csv"\n',
        }
    )
    shipped = (Path(plugline.__file__).parent / "processors").glob("[!_]*.py")
    known = sorted({"good", *(file.stem for file in shipped)})
    assert main(["check"]) == 1
    assert capsys.readouterr().out == (
        "error[C106] pipeline.toml:4:7: the processor 'half' cannot be used, see the next finding\n"
        '  | 4 | use = "half"\n'
        "  |   |       ^\n"
        "  hint: mend what the next finding says\n"
        "error[C106] pipeline.toml:6:7: no processor is named 'god'\n"
        '  | 6 | use = "god"\n'
        "  |   |       ^\n"
        f"  hint: did you mean 'good'? known processors are {', '.join(known)}\n"
        "error[P201] plugins/half.py: missing functions ['describe']\n"
        "  hint: define describe()\n"
        "1 pipeline and 2 plugins, 1 with findings, findings on 1 other file; 1 other plugin is in use\n"
    )


def test_misspelt_keys_do_not_keep_the_plugins_from_being_checked(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        {
            "plugins/empty.py": "",
            "pipeline.toml": '[source]\npaht = "a"\nformt = "csv"\n[sink]\npath = "out.csv"\n',
        }
    )
    assert main(["check", "pipeline.toml", "--json"]) == 1
    codes = [(one["code"], one["line"]) for one in json.loads(capsys.readouterr().out)["findings"]]
    assert codes == [("C102", 1), ("C101", 2), ("C101", 3), ("P201", None)]


def test_a_file_that_is_asked_for_by_name_is_told_whole(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    imports = "".join(f"import absent_{number}\n" for number in range(9))
    write({"plugins/a.py": imports + GOOD})
    assert main(["check", "plugins"]) == 1
    limited = capsys.readouterr().out.splitlines()
    assert limited[5:] == ["  and 4 more: plugline check plugins/a.py", "1 plugin, 1 with findings"]
    assert main(["check", "plugins/a.py"]) == 1
    assert capsys.readouterr().out.count("error[P103]") == 9


def test_what_is_not_there_is_a_finding(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"notes.txt": "x"})
    assert main(["check", "absent", "absent.toml", "absent.py", "notes.txt"]) == 1
    shown = capsys.readouterr().out
    assert [line.split(": ")[0] for line in shown.splitlines() if line.startswith("error")] == [
        "error[C109] absent",
        "error[C109] absent.toml",
        "error[P101] absent.py",
        "error[C109] notes.txt",
    ]


def test_a_folder_of_the_settings_that_is_not_there_is_told_once(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '[source]\npath = "in.ndjson"\n[sink]\npath = "out.ndjson"\n'
    write({"plugline.toml": 'plugins = ["absent"]\n', "pipeline.toml": text})
    assert main(["check"]) == 1
    told = capsys.readouterr().out
    assert told.startswith("error[P110] absent: this plugin folder does not exist\n")
    assert told.count("absent:") == 1


def test_nothing_to_check_is_wrong_use(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({})
    assert main(["check"]) == 2
    assert capsys.readouterr().err == (
        "error: there is neither pipeline.toml nor plugins/ in the current folder\n"
        "  hint: name what to check: plugline check PATH...\n"
    )


def test_the_quickstart_has_one_bad_plugin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(QUICKSTART)
    assert main(["check"]) == 1
    assert capsys.readouterr().out == (
        "error[P201] plugins/bad_plugin.py: missing functions ['transform', 'describe']\n"
        "  hint: define transform(record) and describe()\n"
        "1 pipeline and 3 plugins, 1 with findings; 2 other plugins are in use\n"
    )


def test_github_gets_annotations(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(QUICKSTART)
    assert main(["check", "--format", "github"]) == 1
    assert capsys.readouterr().out == (
        "::error file=plugins/bad_plugin.py,title=P201::missing functions ['transform', 'describe']"
        "%0Ahint: define transform(record) and describe()\n"
    )


@pytest.mark.parametrize("folder", sorted(path.name for path in BAD.iterdir() if path.is_dir()))
def test_every_folder_of_bad_plugins_is_checked_without_a_crash(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(BAD / folder), "--json"]) in (0, 1)
    data = json.loads(capsys.readouterr().out)
    assert data["version"] == 1
    assert not [
        one for one in data["findings"] if one["path"].endswith("/neighbour.py") and folder != "two_of_one_name"
    ]


def test_the_traceback_of_a_plugin_is_shown_on_request_without_frames_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plugins").mkdir()
    Path("plugins/raises.py").write_text(
        "def price(name):\n    return {}[name]\n\ntry:\n    price('one')\nexcept KeyError as error:\n"
        "    raise ValueError('no\x1bprice') from error\n\ndef transform(record): ...\ndef describe(): ...\n",
        "utf-8",
    )
    assert main(["check", "--load"]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert main(["check", "--load", "-v"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("plugins/raises.py: Traceback (most recent call last):\n")
    assert [line.split(", ", 1)[1] for line in shown.splitlines() if line.startswith("  File ")] == [
        "line 5, in <module>",
        "line 2, in price",
        "line 7, in <module>",
    ]
    assert "ValueError: no\\x1bprice" in shown


@pytest.mark.parametrize(
    ("table", "said", "line"),
    [
        ('[sink]\npath = "out.csv"\noptions = { delimiter = ";;" }', "delimiter ';;'", 5),
        ('[sink]\npath = "out.csv"\noptions = { encoding = "utf-9" }', "encoding 'utf-9'", 5),
        ('[sink]\npath = "out.csv"\n[[steps]]\nuse = "select"', "either 'fields' or 'without'", 5),
    ],
)
def test_what_a_shipped_plugin_thinks_of_its_settings_is_told(
    table: str,
    said: str,
    line: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.ndjson").write_bytes(b"{}\n")
    Path("pipeline.toml").write_text(f'[source]\npath = "in.ndjson"\n{table}\n', encoding="utf-8")
    assert main(["check"]) == 1
    told = capsys.readouterr().out
    assert f"error[C104] pipeline.toml:{line}:" in told
    assert said in told


def test_a_package_that_is_not_installed_is_told_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    source = 'path = "package:no_such_package_here/in.ndjson"'
    Path("pipeline.toml").write_text(f'[source]\n{source}\n[sink]\npath = "out.csv"\n', encoding="utf-8")
    assert main(["check"]) == 1
    assert "error[C109] pipeline.toml:2:8" in capsys.readouterr().out
    assert main(["run"]) == 2
    assert "pip install no_such_package_here" in capsys.readouterr().err


def test_settings_of_a_plugin_without_any_are_told_with_what_to_do(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({"plugins/plain.py": GOOD})
    Path("in.ndjson").write_bytes(b"{}\n")
    assert main(["run", "in.ndjson", "--use", "plain", "--with", "a=1"]) == 2
    assert "annotated attributes" in capsys.readouterr().err


def test_a_file_whose_name_is_no_plugins_is_to_be_renamed(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({"plugins/a\tb.py": GOOD})
    assert main(["check", "plugins"]) == 1
    assert "hint: rename the file" in capsys.readouterr().out


def test_a_plugin_that_needs_settings_is_fine_when_it_is_loaded_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plugins").mkdir()
    source = "class Title:\n    fields: list[str]\n    def transform(self, record): return record\n    def describe(self): return ''\n"
    Path("plugins/title.py").write_text(source, "utf-8")
    assert main(["check", "--load"]) == 0
    assert capsys.readouterr().out == "1 plugin, no findings\n"
    assert main(["list", "--timings"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.split("\n") if line.startswith("title ")]
    assert [row[4] for row in rows] == ["loaded"]


def test_a_plugin_that_needs_one_of_two_settings_is_only_warned_of(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "class Cut:\n    def __init__(self, first=0, last=0):\n        if not first and not last:\n            raise ValueError('first or last')\n"
    write(
        {
            "plugins/cut.py": f"{source}    def transform(self, record): return record\n    def describe(self): return ''\n"
        }
    )
    assert main(["check", "--load", "plugins"]) == 0
    assert capsys.readouterr().out == (
        "warning[C104] plugins/cut.py: Cut raised ValueError: first or last\n"
        "  hint: it was made without settings; where a pipeline is to give some of them, nothing is wrong\n"
        "1 plugin, 1 with findings\n"
    )


def test_a_file_that_is_missing_beside_a_plugin_is_told(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    good = "from .helper import x\nfrom .package.inner import y\nfrom . import anything\n"
    lacks = "import json\nfrom .helpr import x\nfrom .helpr import y\ntry:\n    from .maybe import z\nexcept ImportError:\n    z = None\n"
    write(
        {
            "plugins/good.py": good + GOOD,
            "plugins/lacks.py": lacks + GOOD,
            "plugins/_helper.py": "",
            "plugins/package/__init__.py": "from .inner import y\n" + GOOD,
            "plugins/package/inner.py": "y = 1\n",
            "plugins/helper.py": "x = 1\n" + GOOD,
        }
    )
    assert main(["check", "plugins"]) == 1
    assert capsys.readouterr().out == (
        "error[P103] plugins/lacks.py:2:1: needs the module 'helpr', which is not beside it\n"
        "  | 2 | from .helpr import x\n"
        "  |   | ^\n"
        "  hint: is the file of 'helpr' missing there?\n"
        "4 plugins, 1 with findings; 3 other plugins are in use\n"
    )


BESIDE = "def describe():\n    return ''\n"
METHODS = "class Mark:\n    def describe(self): return ''\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"def transform(record):\n    record['a'] = 1\n\n{BESIDE}", 1),
        (f"def transform(\n    record,\n):\n    print(record)\n{BESIDE}", 1),
        (f"def transform_batch(table):\n    table.slice(1)\n{BESIDE}", 1),
        (f"{METHODS}    def transform(self, record):\n        print(record)\n", 3),
        (f"def transform(record):\n    print(record)\n    return None\n{BESIDE}", None),
        (f"def transform(record):\n    for one in record:\n        yield {{one: 1}}\n{BESIDE}", None),
        (f"def transform(record):\n    raise ValueError(record)\n{BESIDE}", None),
        (f"def transform(record): return record\n{BESIDE}", None),
        (f"def transform(record):\n    '''Mark\nit (so).'''\n    return record\n{BESIDE}", None),
        (f"def transform(record):\n    ...\n{BESIDE}", None),
    ],
)
def test_a_transform_that_forgets_to_return_is_warned_of(
    text: str, line: int | None, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({"plugins/mark.py": text})
    assert main(["check", "plugins"]) == 0
    said = capsys.readouterr().out
    assert ("warning[P206] plugins/mark.py:" in said) == (line is not None)
    assert line is None or f"mark.py:{line}:" in said


def test_the_place_in_a_block_is_that_of_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    functions = "def transform(record): return record\ndef describe(): return ''\n"
    Path("slip.py").write_text('# /// script\n# [tool.plugline]\n# nmae = "x"\n# ///\n' + functions, "utf-8")
    Path("open.py").write_text("# /// script\n# [tool.plugline\n# ///\n" + functions, "utf-8")
    assert main(["check", "slip.py", "open.py"]) == 1
    text = capsys.readouterr().out
    assert "slip.py:3:3: unknown key 'nmae'" in text
    assert "open.py:2: " in text


def test_the_caret_stands_in_a_line_of_a_thousand_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    values = ", ".join(f'"k{at}": {at}' for at in range(100))
    Path("long.py").write_text(f"def transform(record): return {{{values} oops}}\n", "utf-8")
    assert main(["check", "long.py"]) == 1
    shown = capsys.readouterr().out.split("\n")
    assert shown[1].endswith("99 oops}")
    assert shown[1][shown[2].index("^") :] == "99 oops}"


FINE = "def transform(record): return record\ndef describe(): return ''\n"


def test_plugins_of_a_folder_that_anybody_may_write_to_are_not_said_to_be_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plugins").mkdir()
    Path("plugins/work.py").write_text(FINE, "utf-8")
    Path("plugins/other.py").write_text("import a_module_that_nobody_made\n" + FINE, "utf-8")
    Path("plugins").chmod(0o777)
    assert main(["check"]) == 1
    text = capsys.readouterr().out
    assert "T101" in text
    assert "in use" not in text


@pytest.mark.parametrize("command", ["check", "trust", "doctor", "sync"])
def test_the_name_of_a_plugin_is_answered_with_its_file(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plugins").mkdir()
    Path("plugins/work.py").write_text(FINE, "utf-8")
    assert main([command, "work"]) in (1, 2)
    shown = capsys.readouterr()
    assert "hint: here a plugin is named by its file: plugins/work.py" in shown.out + shown.err


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("work,cast", "name each by itself: --use work --use cast, or a [[steps]] for each"),
        ("plugins/work.py", "did you mean 'work'? "),
    ],
)
def test_what_is_nearly_the_name_of_a_processor_is_told_with_what_was_meant(
    word: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plugins").mkdir()
    Path("plugins/work.py").write_text(FINE, "utf-8")
    Path("in.ndjson").write_text("", "utf-8")
    assert main(["run", "--use", word, "in.ndjson"]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begin", "words"),
    [
        ("", ["check", "--load"]),
        ("def transform(record):\n    ", ["preview", "in.ndjson", "--use", "endless"]),
        ("def transform(record):\n    yield {}\n    ", ["preview", "in.ndjson", "--use", "endless"]),
    ],
)
def test_an_interrupt_names_the_plugin_that_never_comes_to_its_end(
    begin: str, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/fine.py").write_text(GOOD, "utf-8")
    endless = GOOD + begin + 'open("begun", "w").close(); [None for _ in iter(int, 1)]\n'
    (tmp_path / "plugins/endless.py").write_text(endless, "utf-8")
    (tmp_path / "in.ndjson").write_text("{}", "utf-8")
    process = start(*words, folder=tmp_path)
    until((tmp_path / "begun").exists, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.fullmatch(
        r"error: interrupted in a plugin, at plugins/endless\.py:[0-9]\n"
        r"  hint: if it does not come to its end there: mend that line, or disable the plugin\n",
        said,
    )


@pytest.mark.parametrize("words", [["check"], ["check", "--load"], ["info"]])
def test_a_plugin_that_is_named_by_its_file_has_beside_it_what_it_requires(
    words: list[str], write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        {
            "plugins/upper.py": GOOD,
            "plugins/late.py": 'REQUIRES = ["upper"]\n' + GOOD,
            "plugins/lost.py": 'REQUIRES = ["nobody"]\n' + GOOD,
            "plugins/endless.py": "raise RuntimeError\n" + GOOD,  # which nobody asked about
        }
    )
    assert main([*words, "plugins/late.py"]) == 0
    assert "1 plugin, no findings" in capsys.readouterr().out or words == ["info"]
    monkeypatch.chdir("plugins")
    assert main([*words, "late.py"]) == 0
    capsys.readouterr()
    assert main([*words, "lost.py"]) == 1
    shown = capsys.readouterr()
    assert "requires the plugin 'nobody', which is not there" in shown.out + shown.err
    assert main(["disable", "--plugins", ".", "upper"]) == 0
    capsys.readouterr()
    assert main([*words, "late.py"]) == 1
    shown = capsys.readouterr()
    assert "requires the plugin 'upper', which is disabled" in shown.out + shown.err


@pytest.mark.parametrize("words", [["plugins", "more"], []])
def test_folders_are_checked_together_as_a_run_takes_them(
    words: list[str], write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        {
            "plugline.toml": "plugins = ['plugins', 'more']",
            "plugins/base.py": GOOD,
            "more/needy.py": f"REQUIRES = ['base']\n{GOOD}",
        }
    )
    assert main(["check", *words]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out == "2 plugins, no findings\n"
    write({"more/base.py": GOOD})
    assert main(["check", *words]) == 1
    assert "error[P107] more/base.py: is named 'base', as is plugins/base.py" in capsys.readouterr().out


@pytest.mark.parametrize("statement", ["from .tools import x", "from . import tools", "from .tools.more import x"])
def test_a_file_that_a_plugin_imports_is_told_how_to_be_no_plugin(
    statement: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({"plugins/tools.py": "x = 1\n", "plugins/upper.py": f"{statement}\n{GOOD}"})
    assert main(["check", "plugins"]) == 1
    assert (
        "error[P201] plugins/tools.py: missing functions ['transform', 'describe']\n"
        "  hint: if it is only there for upper to import: call it _tools.py; else define transform(record) and describe()\n"
    ) in capsys.readouterr().out
