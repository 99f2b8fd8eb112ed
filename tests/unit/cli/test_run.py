import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from plugline.cli import main
from tests.builders import ndjson, processor

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart"
PROGRAM = [sys.executable, "-m", "plugline", "run"]
SETTINGS = """
class Change:
    fields: list[str] = []
    suffix: str = ""

    def transform(self, record):
        return {key: value + self.suffix if key in self.fields else value for key, value in record.items()}

    def describe(self):
        return "change"
"""


@pytest.fixture(autouse=True)
def quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "quickstart"
    shutil.copytree(QUICKSTART, folder, ignore=shutil.ignore_patterns("__pycache__", "clean*"))
    monkeypatch.chdir(folder)
    return folder


def files() -> set[str]:
    return {path.name for path in Path().iterdir()}


def test_a_pipeline_runs_and_its_steps_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "pipeline.toml"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line.split()[:6] for line in shown.err.splitlines()[:5]] == [
        ["step", "in", "created", "out", "dropped", "failed"],
        ["source", "6", "0", "6", "0", "0"],
        ["trim", "6", "0", "6", "0", "0"],
        ["upper", "6", "0", "6", "0", "0"],
        ["sink", "6", "0", "6", "0", "0"],
    ]
    assert shown.err.splitlines()[5].startswith("6 records in, 6 out, 0 failed in ")
    assert shown.err.splitlines()[6:] == ["output: clean.csv"]
    assert Path("clean.csv").read_text(encoding="utf-8").count("\n") == 7


def test_without_words_the_pipeline_of_the_folder_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert Path("clean.csv").exists()


def test_a_broken_record_is_told_with_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--plugins", "plugins", "--use", "trim", "--use", "upper", "orders_with_a_broken_line.ndjson"]
    assert main(["run", *words, "-o", "clean.ndjson", "--quiet"]) == 1
    assert "dead letters: clean.errors.ndjson (1)\n  1 x source: " in capsys.readouterr().err
    assert len(Path("clean.ndjson").read_text(encoding="utf-8").splitlines()) == 5
    assert len(Path("clean.errors.ndjson").read_text(encoding="utf-8").splitlines()) == 1


def test_the_report_is_json_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["version"], data["complete"], data["output"]) == (1, True, "clean.csv")
    assert data["records"] == {"in": 6, "created": 0, "out": 6, "dropped": 0, "failed": 0}
    assert [step["name"] for step in data["steps"]] == ["source", "trim", "upper", "sink"]


def test_the_report_gives_way_to_records(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--use", "trim", "orders.ndjson", "--json"]) == 0
    shown = capfd.readouterr()
    assert len([json.loads(line) for line in shown.out.splitlines()]) == 6
    assert json.loads(shown.err)["output"] == "-"


def test_settings_belong_to_the_step_before_them(capfd: pytest.CaptureFixture[str]) -> None:
    Path("plugins/change.py").write_text(SETTINGS, encoding="utf-8")
    Path("one.ndjson").write_text('{"a":"x","b":"y"}\n', encoding="utf-8")
    words = ["--use", "change", "--with", 'fields=["a"], suffix="1"', "--use=upper", "--use", "change"]
    words += ["--with", 'fields=["b"]', '--with=suffix="2"']
    assert main(["run", "-q", *words, "one.ndjson"]) == 0
    assert capfd.readouterr() == ('{"a":"X1","b":"Y2"}\n', "")


@pytest.mark.parametrize("source", [["k.csv", "--to", "csv"], ["k.toml"]], ids=["an input", "a pipeline file"])
def test_formats_take_settings_from_options(source: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    Path("k.csv").write_text("id;name\n1;A|B\n", encoding="utf-8")
    Path("k.toml").write_text(
        '[source]\npath = "k.csv"\noptions = { null = "-" }\n[sink]\npath = "-"\nformat = "csv"\n', "utf-8"
    )
    words = [
        *source,
        "--from-with",
        'delimiter=";"',
        '--from-with=types={id="int"}',
        "--to-with",
        'delimiter="|",quotechar="!"',
    ]
    assert main(["run", "-q", *words]) == 0
    assert capfd.readouterr() == ("id|name\n1|!A|B!\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--use", "upper", "--with", "fields=3", "orders.ndjson"], "error[C101] --with: "),
        (["--use", "upper", "--with", "fields=name", "orders.ndjson"], "error[C105] --with: 'fields=name' is not KEY"),
        (["--use", "upper", "--with", "a=1}\nb={", "orders.ndjson"], "error[C105] --with: 'a=1}\\nb={' is not KEY"),
        (["--with", "a=1", "--use", "upper", "orders.ndjson"], "error: --with 'a=1' has no --use before it"),
        (["orders.ndjson", "--from-with", "nul='error'"], "error[C101] --from-with: unknown key 'nul'"),
        (["orders.ndjson", "--to-with", "nan=3"], "error[C103] --to-with: 3 is an integer"),
        (["orders.ndjson", "--to-with", "nan=null"], "error[C105] --to-with: 'nan=null' is not KEY=VALUE"),
        (["--use", "uper", "orders.ndjson"], "error[C106] --use: no processor is named 'uper'\n  hint: did you mean"),
        (["--use", "upper"], "error: there is nothing to read"),
        (["--use", "upper", "absent.ndjson"], "error[C109] SOURCE: "),
        (["--use", "upper", "orders.ndjson", "-o", "x.unknown"], "error[C107] --output: "),
        (["pipeline.toml", "--use", "upper"], "error: 'pipeline.toml' is a pipeline file, beside which --use cannot"),
        (["absent.toml"], "error[C109] absent.toml: there is no such file"),
        (["orders.ndjson", "-o", "orders.ndjson"], "error[C111] --output: "),
        (["orders.ndjson", "--max-errors", "lots"], "error[C104] --max-errors: "),
        (["orders.ndjson", "--on-error", "lots", "--use", "trim"], "error[C104] --on-error: "),
    ],
)
def test_wrong_use_is_told_before_anything_is_run(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files()
    assert main(["run", *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(message)
    assert files() == before


def test_flags_count_instead_of_the_pipeline_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "quickstart/pipeline.toml", "-q", "-o", "here.ndjson", "--max-errors", "3"]) == 0
    assert Path("here.ndjson").read_bytes().count(b"\n") == 6
    assert not Path("quickstart/clean.csv").exists()
    assert main(["run", "quickstart/pipeline.toml", "--engine", "lokal"]) == 2
    assert "error[C106] --engine: no engine is named 'lokal'\n  hint: did you mean 'local'?" in capsys.readouterr().err


@pytest.mark.parametrize(("engine", "module"), [("dask", "distributed"), ("ray", "ray"), ("spark", "pyspark")])
def test_an_engine_that_is_not_installed_is_told_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], engine: str, module: str
) -> None:
    if find_spec(module):
        pytest.skip("it is installed")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "quickstart/pipeline.toml", "--engine", engine]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error[C108] --engine: ")
    assert f"it needs the package '{module}': pip install 'plugline[{engine}]'" in said


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "arrows"])
def test_without_pyarrow_a_format_of_tables_is_refused_before_anything_is_run(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed
    assert main(["run", "quickstart/orders.ndjson", "-o", f"out.{suffix}"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        f"error[C108] --output: the format '{suffix}' does not apply here: it needs the package 'pyarrow'"
    )
    assert said.endswith("  hint: pip install 'plugline[tool]'\n")


def test_declared_variables_are_not_in_the_environment_of_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("plugins/look.py").write_text(
        "import os\n\ndef transform(record):\n    return {'seen': os.environ.get('TOKEN'), 'other': os.environ['OTHER']}\n\n"
        "def describe():\n    return 'look'\n",
        "utf-8",
    )
    Path("p.toml").write_text(
        'env = ["TOKEN"]\n[source]\npath = "${TOKEN}.ndjson"\n[[steps]]\nuse = "look"\n[sink]\npath = "seen.ndjson"\n',
        "utf-8",
    )
    monkeypatch.setenv("TOKEN", "orders")
    monkeypatch.setenv("OTHER", "here")
    assert main(["run", "p.toml", "-q"]) == 0
    assert json.loads(Path("seen.ndjson").read_bytes().splitlines()[0]) == {"seen": None, "other": "here"}
    assert os.environ["TOKEN"] == "orders"


def test_two_wrong_keys_are_both_told_with_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.toml").write_text('[source]\npath = "orders.ndjson"\nformt = 1\n[sink]\npath = "x.csv"\nmod = 1\n', "utf-8")
    assert main(["run", "p.toml"]) == 2
    heads = [line.split(": ")[0] for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert heads == ["error[C101] p.toml:3:1", "error[C101] p.toml:6:1"]


def test_a_run_that_stops_says_that_its_output_is_not_in_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "orders_with_a_broken_line.ndjson", "-o", "x.ndjson", "--max-errors", "0"]) == 4
    shown = capsys.readouterr().err
    assert shown.startswith("error[R104] ")
    assert "\nstopped before the end: " in shown
    assert "\nthe output is not in place: x.ndjson\n" in shown
    assert not Path("x.ndjson").exists()


def test_what_a_plugin_prints_does_not_get_between_the_records(capfd: pytest.CaptureFixture[str]) -> None:
    text = "def transform(record):\n    print('seen')\n    return record\ndef describe(): return ''\n"
    Path("plugins/noisy.py").write_text(text, encoding="utf-8")
    Path("one.ndjson").write_text('{"a":1}\n', encoding="utf-8")
    assert main(["run", "-q", "--use", "noisy", "one.ndjson"]) == 0
    assert capfd.readouterr() == ('{"a":1}\n', "seen\n")


def test_what_a_plugin_prints_does_not_get_before_the_json(capfd: pytest.CaptureFixture[str]) -> None:
    text = "def transform(record):\n    print('seen')\n    return record\ndef describe(): return ''\n"
    Path("plugins/noisy.py").write_text(text, encoding="utf-8")
    Path("one.ndjson").write_text('{"a":1}\n', encoding="utf-8")
    assert main(["run", "--json", "--use", "noisy", "one.ndjson", "-o", "two.ndjson"]) == 0
    out, err = capfd.readouterr()
    assert (json.loads(out)["complete"], err) == (True, "seen\n")


# ----------------------------------------------------------------------------- processes


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_run_leaves_nothing_and_says_what_was_done(number: int, code: int) -> None:
    before = files()
    # These tests may run under nohup themselves, and what it ignores is inherited.
    ignored = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    process = subprocess.Popen(
        [*PROGRAM, "--use", "upper", "-", "-o", "out.ndjson"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    signal.signal(signal.SIGHUP, ignored)
    assert process.stdin is not None
    assert process.stderr is not None
    with process:
        # Many times what a pipe holds: when all is taken, the run is on its way, and waits for more.
        process.stdin.write(b'{"a":1}\n' * 100_000)
        process.stdin.flush()
        assert [name for name in files() if name.startswith(".out.ndjson")]
        process.send_signal(number)
        said = process.stderr.read().decode()
    assert process.returncode == code
    assert said.startswith("error[R110] -: interrupted\n")
    assert said.endswith("the output is not in place: out.ndjson\n")
    assert "Traceback" not in said
    assert files() == before


@pytest.mark.slow
def test_a_run_under_nohup_goes_on_when_its_terminal_is_closed() -> None:
    process = subprocess.Popen(
        ["nohup", *PROGRAM, "-", "-o", "out.ndjson"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    with process:
        process.stdin.write(b'{"a":1}\n' * 100_000)
        process.stdin.flush()
        process.send_signal(signal.SIGHUP)
        process.stdin.close()
    assert process.returncode == 0
    assert Path("out.ndjson").read_bytes() == b'{"a":1}\n' * 100_000


@pytest.mark.slow
def test_a_reader_that_has_enough_ends_a_run_quietly() -> None:
    Path("many.ndjson").write_bytes(b'{"a":"x"}\n' * 200_000)
    before = files()
    process = subprocess.Popen(
        [*PROGRAM, "--use", "upper", "many.ndjson", "-o", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        assert process.stdout.readline() == b'{"a":"X"}\n'
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert files() == before


@pytest.mark.slow
def test_pipes_are_read_and_written() -> None:
    done = subprocess.run(
        [*PROGRAM, "-q", "--use", "trim", "-"], input=b'{"a":" x "}\n', capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b'{"a":"x"}\n', b"")


@pytest.mark.slow
@pytest.mark.parametrize(("redirection", "place"), [("<&-", "SOURCE"), (">&-", "--output")])
def test_a_closed_stream_is_told(redirection: str, place: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m plugline run --use trim - {redirection}', sys.executable],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error[C109] {place}: standard ")


@pytest.mark.slow
def test_no_output_file_takes_the_place_of_a_closed_standard_output() -> None:
    text = "import os\ndef transform(record):\n    os.system('echo intruder')\n    return record\ndef describe(): return ''\n"
    Path("plugins/shell.py").write_text(text, encoding="utf-8")
    Path("one.ndjson").write_text('{"a":1}\n', encoding="utf-8")
    script = '"$0" -m plugline run --use shell one.ndjson -o out.ndjson >&-'
    done = subprocess.run(["sh", "-c", script, sys.executable], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0
    assert Path("out.ndjson").read_bytes() == b'{"a":1}\n'


@pytest.mark.slow
def test_a_full_disk_stops_the_run() -> None:
    done = subprocess.run(
        [*PROGRAM, "--use", "trim", "orders.ndjson", "--to", "ndjson", "-o", "/dev/full"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.startswith("error[R102] /dev/full: cannot be written: No space left on device\n")


@pytest.mark.slow
def test_progress_is_drawn_on_a_terminal_only_and_after_a_while() -> None:
    code = (
        "import sys, io; from plugline.cli.seeing import ProgressLine;"
        "from plugline.pipeline.split import Progress;"
        "sys.stderr = type('T', (io.StringIO,), {'isatty': lambda self: True})();"
        "line = ProgressLine.for_terminal(quiet=False, to_stdout=False);"
        "one = Progress(records_in=5, records_out=5, failed=1, bytes_read=1, bytes_total=2, seconds=1.0);"
        "line.update(one); early = 'rich' in sys.modules;"
        "line._due = 0.0; line.__enter__(); line.update(one); line.__exit__(None, None, None);"
        "print(early, '50%' in sys.stderr.getvalue(), '5 records, 5/s, 1 failed' in sys.stderr.getvalue())"
    )
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True, env=environment
    )
    assert done.stdout == "False True True\n"


def test_the_traceback_of_each_error_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins/fails.py").write_text(
        "def price(record):\n    return record['absent']\n\ndef transform(record):\n    return price(record)\n\n"
        "def describe():\n    return 'fails'\n",
        "utf-8",
    )
    words = ["run", "--use", "fails", "orders.ndjson", "-o", "x.ndjson", "-q"]
    assert main(words) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert main([*words, "-v"]) == 1
    shown = capsys.readouterr().err
    assert shown.count("Traceback") == 1
    assert [line.strip() for line in shown.splitlines() if "File " in line] == [
        f'File "{Path("plugins/fails.py").absolute()}", line 5, in transform',
        f'File "{Path("plugins/fails.py").absolute()}", line 2, in price',
    ]


def test_the_traceback_of_the_error_that_stops_a_run_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins/reads.py").write_text(
        "import json\n\ndef transform(record):\n    return json.loads('{')\n\ndef describe():\n    return 'reads'\n",
        "utf-8",
    )
    words = ["run", "--use", "reads", "--on-error", "stop", "orders.ndjson", "-o", "x.ndjson", "-v"]
    assert main(words) == 4
    shown = capsys.readouterr().err
    assert shown.count("Traceback") == 1
    assert [line.strip() for line in shown.splitlines() if line.startswith("  File ")] == [
        f'File "{Path("plugins/reads.py").absolute()}", line 4, in transform'
    ]


@pytest.mark.slow
def test_a_run_that_takes_long_tells_on_a_terminal_how_far_it_is(quickstart: Path) -> None:
    Path("plugins/slow.py").write_text(
        "import time\n\ndef transform(record):\n    end = time.monotonic() + 0.02\n    while time.monotonic() < end: pass\n"
        "    return record\n\ndef describe():\n    return 'slow'\n",
        "utf-8",
    )
    line = Path("orders.ndjson").read_bytes().splitlines(keepends=True)[0]
    Path("many").mkdir()
    for number in range(12):
        Path(f"many/{number:02}.ndjson").write_bytes(line * 10)
    controller, terminal = os.openpty()
    words = [*PROGRAM, "--use", "slow", "many", "-o", "out.ndjson"]
    try:
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, env=environment)
        os.close(terminal)
        shown = b""
        while True:
            try:
                piece = os.read(controller, 65536)
            except OSError:  # Linux's word for the end of a terminal that nobody holds any more
                break
            if not piece:
                break
            shown += piece
        assert process.wait(30) == 0
    finally:
        os.close(controller)
    text = shown.decode()
    assert re.search(r"\d+%.*\d+ records, [\d,]+/s", text)
    assert "120 records in, 120 out, 0 failed" in text
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert "records, " not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_terminal_shows_how_far_a_run_is_within_its_only_split(processes: str, tmp_path: Path) -> None:
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    gate = os.open(pipe, os.O_RDWR)
    Path("plugins/wait.py").write_text(
        f"import os\n\npipe = os.open({pipe!r}, os.O_RDONLY)\n\ndef transform(record):\n    os.read(pipe, 1)\n"
        "    return record\n\ndef describe():\n    return 'waits'\n",
        "utf-8",
    )
    Path("few.ndjson").write_bytes(Path("orders.ndjson").read_bytes().splitlines(keepends=True)[0] * 1000)
    controller, terminal = os.openpty()
    words = [*PROGRAM, "--use", "wait", "few.ndjson", "-o", "out.ndjson"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "PLUGLINE_PROCESSES": processes}
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    try:
        shown, left = b"", 1000
        # One record after the other is let through until the line appears.
        while not re.search(rb"\d+%.*[1-9]\d* records, [\d,]+/s", shown):
            assert left > 1, shown
            left -= os.write(gate, b"1")
            if select.select([controller], [], [], 0.05)[0]:
                shown += os.read(controller, 65536)
        assert process.poll() is None
        os.write(gate, b"1" * left)
        try:
            while piece := os.read(controller, 65536):
                shown += piece
        except OSError:  # Linux's word for the end of a terminal that nobody holds any more
            pass
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(controller)
        os.close(gate)
    assert b"1,000 records in, 1,000 out, 0 failed" in shown


def test_a_pipeline_file_runs_without_what_few_runs_need() -> None:
    costly = {"click", "fractions", "hashlib", "pathlib", "tempfile", "urllib.parse", "zoneinfo"}
    costly |= {"rich", "plugline.pipeline.live"}
    code = "import sys; from plugline.cli import main; print(main(['run', '-q', 'pipeline.toml']), *sys.modules)"
    environment = {**os.environ, "PLUGLINE_PROCESSES": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True, env=environment
    )
    exit_code, *modules = done.stdout.split()
    assert (exit_code, costly.intersection(modules)) == ("0", set())


@pytest.mark.parametrize("words", [["missing.toml"], ["-q", "pipeline.toml"], ["--resume", "pipeline.toml"]])
def test_words_mean_the_same_with_and_without_the_parser_of_command_lines(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    def said(words: list[str]) -> tuple[int, str]:
        code = main(["run", *words])
        # How wide a column is depends on how long a step took.
        said = re.sub(r"[\d.,]+ (ms|s|records/s)", "", capsys.readouterr().err)
        return code, re.sub(" +", " ", said)

    assert said(words) == said(["--max-errors", "5%", *words])


@pytest.mark.parametrize(("named", "expected"), [("", '{"a":1}\n'), ('format = "csv"\n', "a\n1\n")])
def test_standard_output_beside_a_pipeline_file_is_ndjson_unless_a_format_is_named(
    named: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.ndjson").write_bytes(b'{"a": 1}\n')
    text = f'[source]\npath = "in.ndjson"\n[sink]\npath = "out.csv"\n{named}'
    Path("pipeline.toml").write_text(text, encoding="utf-8")
    assert main(["run", "-q", "pipeline.toml", "-o", "-"]) == 0
    assert capfd.readouterr().out == expected
    assert not Path("out.csv").exists()


def test_a_link_into_a_folder_that_is_not_there_names_that_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.ndjson").write_bytes(b"")
    Path("out.ndjson").symlink_to("nowhere/out.ndjson")
    assert main(["run", "in.ndjson", "-o", "out.ndjson"]) == 2
    said = capfd.readouterr().err
    assert "the folder 'nowhere' does not exist" in said.replace(f"{tmp_path.resolve()}/", "")


def test_a_misspelled_file_is_told_with_the_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.ndjson").write_text("", "utf-8")
    (tmp_path / "pipeline.toml").write_text("", "utf-8")
    for word, hint in (
        ("oders.ndjson", "did you mean 'orders.ndjson'?"),
        ("pipline.toml", "did you mean 'pipeline.toml'? "),
    ):
        assert main(["run", word]) == 2
        assert hint in capsys.readouterr().err
    assert main(["run", "*.csv"]) == 2
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_source_that_may_not_be_read_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.ndjson").touch(mode=0)
    assert main(["run", "orders.ndjson"]) == 2
    assert "'orders.ndjson' cannot be read: Permission denied\n  hint: allow it: chmod u+r orders.ndjson" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('no\\nlines')", "3 x work: ValueError (plugins/work.py:4), the first: no"),
        ("raise ValueError", "3 x work: ValueError (plugins/work.py:4)"),
        ("if record['n'] == 2:\n    raise ValueError(record)\nreturn record", "1 x work: ValueError (plugins/work.py:5): {'n': 2}"),
        ("try:\n    int('x')\nexcept ValueError as error:\n    raise ValueError('own: b') from error", "ValueError (plugins/work.py:7), the first: own: b"),
        ("try:\n    int('x')\nexcept ValueError:\n    raise ValueError('own: b')", "ValueError (plugins/work.py:7), the first: own: b"),
        ("error = ValueError('x')\nerror.add_note('ValueError: y')\nraise error", "ValueError (plugins/work.py:6), the first: x"),
        ("raise KeyError('k\\n\\x1b[31m' * 99)", "3 x work: KeyError (plugins/work.py:4), the first: 'k\\n\\x1b"),
    ],
)  # fmt: skip
def test_the_summary_tells_what_the_first_record_with_an_error_said(
    body: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plugins/work.py").write_text(processor(body), "utf-8")
    Path("n.ndjson").write_bytes(ndjson({"n": 1}, {"n": 2}, {"n": 3}))
    assert main(["run", "--use", "work", "n.ndjson", "-o", "out.ndjson"]) == 1
    last = capsys.readouterr().err.splitlines()[-1].strip()
    assert last.startswith(said) if said.endswith("b") and "KeyError" in said else last.endswith(said)
    assert len(last) < 200


@pytest.mark.parametrize(
    ("body", "told"), [("record['n'] = 1", True), ("return record if record['n'] > 1 else None", False)]
)
def test_the_summary_tells_of_a_step_that_drops_all_records(
    body: str, *, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plugins/work.py").write_text(processor(body), "utf-8")
    Path("n.ndjson").write_bytes(ndjson({"n": 1}, {"n": 2}))
    assert main(["run", "--use", "work", "n.ndjson", "-o", "out.ndjson"]) == 0
    said = "work dropped all: plugline preview shows them, plugline check tells of a missing return"
    assert (said in capsys.readouterr().err.splitlines()) == told


def test_the_summary_names_no_line_of_ours_where_the_data_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.csv").write_text("a,b\n1,2,3\n", "utf-8")
    assert main(["run", "rows.csv", "-o", "out.ndjson"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "  1 x source: ValueError: the row has 3 fields: expected 2, as there are columns"


def test_the_summary_tells_what_is_wrong_with_a_line_that_is_no_record(capsys: pytest.CaptureFixture[str]) -> None:
    Path("n.ndjson").write_bytes(ndjson({"n": 1}, b'{"n": 2', b"[3]"))
    assert main(["run", "n.ndjson", "-o", "out.ndjson"]) == 1
    first, second = sorted(line.strip() for line in capsys.readouterr().err.splitlines()[-2:])
    assert first == "1 x source: ValueError: expected an object, got a list"
    assert second.startswith("1 x source: orjson.JSONDecodeError: unexpected end of data")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--use", "sample"], "plugline info sample tells its settings"),
        (["--use", "sample", "--with", "share=3"], "plugline info sample tells its settings"),
        (["-o", "postgresql://localhost/x"], "plugline info postgresql tells its settings"),
        (["--to", "sqlite"], "name a file: path in [sink] (--output)"),
    ],
)
def test_what_to_do_about_settings_is_for_those_who_give_them(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "postgresql" in hint and find_spec("psycopg") is None:
        pytest.skip("without psycopg the format does not apply at all")
    assert main(["run", "orders.ndjson", *words]) == 2
    assert capsys.readouterr().err.endswith(f"\n  hint: {hint}\n")
