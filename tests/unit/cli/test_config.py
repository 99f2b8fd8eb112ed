import json
import logging
import re
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from plugline.cli import main
from plugline.cli.settings import SETTINGS, run_fields
from tests.builders import ndjson, pipeline, processor


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert main(["config", "show", *words, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def origins(
    capsys: pytest.CaptureFixture[str], *words: str, code: int = 0
) -> dict[str, tuple[object, str, str | None]]:
    found = shown(capsys, *words, code=code)
    return {one["name"]: (one["value"], one["from"], one["origin"]) for one in (*found["settings"], *found["values"])}


def test_without_anything_all_are_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    found = origins(capsys)
    assert list(found) == [*SETTINGS, *(field.name for field in run_fields())]
    assert found["plugins"] == (["plugins"], "default", None)
    # As the reference tells them.
    assert {name: found[name][0] for name in ("engine", "max_errors", "processes", "ordered", "split_bytes")} == {
        "engine": "local",
        "max_errors": "5%",
        "processes": "auto",
        "ordered": True,
        "split_bytes": None,
    }
    assert {kind for _, kind, _ in found.values()} == {"default"}


def test_a_file_that_only_disables_plugins_leaves_the_settings_where_they_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pyproject.toml").write_text('[tool.plugline]\nmax_errors = "1%"\n', "utf-8")
    Path("plugins").mkdir()
    assert main(["disable", "upper"]) == 1  # there is none of that name, which is kept
    assert Path("plugline.toml").exists()
    capsys.readouterr()
    assert origins(capsys)["max_errors"] == ("1%", "file", "pyproject.toml:2:14")
    Path("plugline.toml").write_text('disabled = []\ncolor = "never"\n', "utf-8")
    assert origins(capsys)["max_errors"][1] == "default"


def test_a_plugin_cannot_be_disabled_in_pyproject_toml(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text('[tool.plugline]\ndisabled = ["upper"]\n', "utf-8")
    assert main(["config"]) == 2
    assert capsys.readouterr().err == (
        "error[C101] pyproject.toml:2:1: unknown key 'disabled'\n"
        '  | 2 | disabled = ["upper"]\n'
        "  |   | ^\n"
        "  hint: it stands in plugline.toml beside the plugin folder: plugline disable NAME\n"
    )


@pytest.mark.parametrize(
    ("name", "table"), [("plugline.toml", ""), ("pyproject.toml", "[project]\nname = 'x'\n[tool.plugline]\n")]
)
def test_a_file_counts_more_than_defaults_and_is_named(
    name: str, table: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_text(f'{table}color = "never"\nengine = "dask"\n', "utf-8")
    line = table.count("\n") + 1
    found = origins(capsys)
    assert found["color"] == ("never", "file", f"{name}:{line}:9")
    assert found["engine"] == ("dask", "file", f"{name}:{line + 1}:10")


def test_the_nearest_file_above_counts_and_its_paths_are_its_folders(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("plugline.toml").write_text('plugins = ["mine"]\n', "utf-8")
    Path("pyproject.toml").write_text('[tool.plugline]\nplugins = ["not these"]\n', "utf-8")
    Path("deep/inner").mkdir(parents=True)
    Path("deep/pyproject.toml").write_text("[tool.other]\n", "utf-8")
    monkeypatch.chdir(folder / "deep/inner")
    assert origins(capsys)["plugins"] == (["../../mine"], "file", "../../plugline.toml:1:11")


def test_the_environment_counts_more_than_files(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("plugline.toml").write_text('plugins = ["mine"]\nmax_errors = 3\n', "utf-8")
    monkeypatch.setenv("PLUGLINE_PLUGINS", "one:two")
    monkeypatch.setenv("PLUGLINE_MAX_ERRORS", "7%")
    found = origins(capsys)
    assert found["plugins"] == (["one", "two"], "environment", "PLUGLINE_PLUGINS")
    assert found["max_errors"] == ("7%", "environment", "PLUGLINE_MAX_ERRORS")


def test_a_pipeline_counts_more_than_a_file_and_less_than_the_environment(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("plugline.toml").write_text('max_errors = 3\nengine = "of the file"\ndead_letters = "bad.ndjson"\n', "utf-8")
    pipeline(folder, run='max_errors = 4\nengine = "of the pipeline"')
    monkeypatch.setenv("PLUGLINE_ENGINE", "of the environment")
    found = origins(capsys)
    assert found["run.max_errors"] == (4, "file", "pipeline.toml:6:14")
    assert found["run.engine"] == ("of the environment", "environment", "PLUGLINE_ENGINE")
    assert found["run.dead_letters"] == ("bad.ndjson", "file", "plugline.toml:3:16")
    assert found["sink.format"] == (None, "default", None)


def test_a_run_obeys_the_settings_and_flags_count_most(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline(
        folder,
        plugins={"up.py": processor("return {**record, 'n': 2}")},
        source=ndjson({"n": 1}, b"broken"),
        steps=["up"],
    )
    (folder / "plugins").rename(folder / "mine")
    Path("plugline.toml").write_text('plugins = ["mine"]\ndead_letters = "file.ndjson"\n', "utf-8")
    assert main(["run", "-q"]) == 1
    assert Path("file.ndjson").exists()
    monkeypatch.setenv("PLUGLINE_DEAD_LETTERS", "variable.ndjson")
    assert main(["run", "-q"]) == 1
    assert Path("variable.ndjson").exists()
    assert main(["run", "-q", "--dead-letters", "flag.ndjson"]) == 1
    assert Path("flag.ndjson").exists()
    assert main(["run", "--use", "up", "in.ndjson", "-o", "other.ndjson", "-q"]) == 1
    assert Path("other.ndjson").read_bytes() == b'{"n":2}\n'
    assert main(["check"]) == 0
    assert main(["list"]) == 0


def test_a_pipeline_in_another_folder_takes_the_settings_of_the_current_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline(folder / "there", plugins={"up.py": processor()}, source=ndjson({}), steps=["up"])
    (folder / "there/plugins").rename(folder / "mine")
    Path("plugline.toml").write_text('plugins = ["mine"]\n', "utf-8")
    assert main(["run", "there/pipeline.toml", "-q"]) == 0


def test_what_is_wrong_is_told_with_its_place_and_the_nearest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("plugline.toml").write_text('engin = "x"\nplugins = 3\ncolor = "alwys"\n', "utf-8")
    monkeypatch.setenv("PLUGLINE_PLUGIN", "x")
    found = shown(capsys, code=2)
    assert [(one["code"], one["path"], one["line"]) for one in found["findings"]] == [
        ("C101", "plugline.toml", 1),
        ("C103", "plugline.toml", 2),
        ("C101", "PLUGLINE_PLUGIN", None),
        ("C104", "plugline.toml", 3),
    ]
    hints = [one["hint"] for one in found["findings"]]
    assert hints[0].startswith("did you mean 'engine'?")
    assert hints[2] == "did you mean 'PLUGLINE_PLUGINS'?"
    assert hints[3].startswith("did you mean 'always'?")


def test_a_file_that_is_not_toml_is_told_by_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugline.toml").write_text("color =\n", "utf-8")
    for words in (["list"], ["check", "."], ["config", "show"]):
        assert main(words) == 2
        assert capsys.readouterr().err.startswith("error[C105] plugline.toml:1:8: not valid TOML")


def test_the_environment_is_where_messages_lead(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(folder, source=ndjson({}))
    monkeypatch.setenv("PLUGLINE_MAX_ERRORS", "lots")
    assert main(["run"]) == 2
    assert capsys.readouterr().err.startswith("error[C104] PLUGLINE_MAX_ERRORS: 'lots' is not a limit")


def test_no_value_of_a_variable_is_shown(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pipeline.toml").write_text(
        'env = ["TOKEN"]\n[source]\npath = "${TOKEN}.ndjson"\n[sink]\npath = "b.csv"\n', "utf-8"
    )
    monkeypatch.setenv("TOKEN", "hunter2")
    assert origins(capsys)["source.path"] == ("${TOKEN}.ndjson", "file", "pipeline.toml:3:8")


def test_for_people_it_is_two_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline(folder)
    assert main(["config", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["setting", "value", "from"]
    assert any(line.split() == ["sink.path", '"out.ndjson"', "pipeline.toml:4:8"] for line in lines)


def test_colours_can_be_asked_for_and_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGLINE_COLOR", "always")
    main(["check", "absent.py"])
    assert "\x1b[1;31m" in capsys.readouterr().out
    monkeypatch.delenv("PLUGLINE_COLOR")
    main(["check", "absent.py"])
    assert "\x1b" not in capsys.readouterr().out


def test_what_is_logged_is_shown_on_request(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(folder, plugins={"up.py": processor()}, source=ndjson({}), steps=["up"])
    assert main(["run", "-q"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("PLUGLINE_LOG_LEVEL", "info")
    assert main(["run", "-q"]) == 0
    assert "INFO plugline.cli.run: run ended: 1 in, 1 out, 0 failed" in capsys.readouterr().err
    monkeypatch.setenv("PLUGLINE_LOG_FORMAT", "json")
    assert main(["run", "-q"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"], told["records_in"]) == ("info", "plugline.cli.run", 1)
    assert logging.getLogger("plugline").handlers == []


@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize("name", ["__name__", "'their.library'"])
def test_what_a_plugin_logs_is_shown_in_the_same_lines_wherever_it_runs(
    isolation: str, name: str, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = (
        f"import logging\nlogging.getLogger({name}).info('at %d', record['n'],"
        " extra={'level': 'high', 'row': 1, 'rate': float('nan')}, stack_info=True)\n"
    )
    pipeline(
        folder,
        plugins={"talkative.py": processor(f"{said}return record")},
        source=ndjson({"n": 7}),
        steps=[f'use = "talkative"\nisolation = "{isolation}"'],
    )
    monkeypatch.setenv("PLUGLINE_LOG_LEVEL", "info")
    monkeypatch.setenv("PLUGLINE_LOG_FORMAT", "json")
    before = logging.getLogger().level, logging.getLogger().handlers[:]
    assert main(["run", "-q", "--processes", "1"]) == 0
    first, last = map(json.loads, capfd.readouterr().err.splitlines())
    assert (first["level"], first["message"].split("\n")[0], last["records_in"]) == ("info", "at 7", 1)
    assert datetime.fromisoformat(first["time"]).tzinfo is not None
    assert re.fullmatch(r"\S+T\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", first["time"])
    if isolation == "none":
        assert (first["level_"], first["row"], first["rate"]) == ("high", 1, "NaN")
        assert "in transform" in first["stack"]
    assert (logging.getLogger().level, logging.getLogger().handlers) == before


@pytest.fixture(params=[False, True], ids=["alone", "beside a thread"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Beside another thread, split processes are new interpreters, to which nothing comes that is not sent."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    if request.param:
        other.start()
    yield
    over.set()


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
def test_what_a_plugin_prints_in_its_worker_is_shown_on_request(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = {"talkative.py": processor("print('seen', record['n'])\nreturn record")}
    pipeline(folder, plugins=plugins, source=ndjson({"n": 7}), steps=['use = "talkative"\nisolation = "process"'])
    monkeypatch.setenv("PLUGLINE_LOG_LEVEL", "info")
    assert main(["run", "-q"]) == 0
    told = capfd.readouterr().err
    said = re.search(r"INFO (\S+\.talkative): seen 7\n", told)
    assert said is not None, told
    monkeypatch.setenv("PLUGLINE_LOG_LEVEL", "warning")
    assert main(["run", "-q"]) == 0
    assert "seen" not in capfd.readouterr().err
    logger = logging.getLogger(said[1])
    assert (logger.handlers, logger.level) == ([], logging.NOTSET)


def test_an_unknown_word_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "shcema"]) == 2
    assert "did you mean 'schema'?" in capsys.readouterr().err


def test_a_key_that_is_not_known_is_told_by_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plugins").mkdir()
    Path("in.ndjson").write_text("{}\n", encoding="utf-8")
    Path("pipeline.toml").write_text('[source]\npath = "in.ndjson"\n[sink]\npath = "out.ndjson"\n', encoding="utf-8")
    Path("plugline.toml").write_text('colour = "never"\n', encoding="utf-8")
    assert main(["check"]) == 1
    assert "error[C101] plugline.toml:1:1: unknown key 'colour'" in capsys.readouterr().out
    for words in (["run", "-q", "in.ndjson"], ["run", "-q", "pipeline.toml"], ["list"], ["preview", "in.ndjson"]):
        assert main(words) == 0, words
        assert capsys.readouterr().err.startswith("warning[C101] plugline.toml:1:1: unknown key 'colour'"), words
    assert main(["list", "--json"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('processes = "two"', "C104"),
        ("processes = true", "C103"),
        ("max_errors = 1.5", "C103"),
        ('max_errors = "200%"', "C104"),
        ("max_record_bytes = 10", "C104"),
        ('split_bytes = "1MB"', "C103"),
        ("engine = 3", "C103"),
        ('ordered = "yes"', "C103"),
    ],
)
def test_a_wrong_value_for_runs_is_a_finding_before_anything_is_run(
    line: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plugline.toml").write_text(f"{line}\n", "utf-8")
    (finding,) = shown(capsys, code=2)["findings"]
    assert (finding["code"], finding["path"], finding["line"]) == (code, "plugline.toml", 1)
    Path("plugins").mkdir()
    assert main(["check"]) == 1
    assert code in capsys.readouterr().out


def test_a_wrong_value_is_told_once_where_there_is_a_pipeline(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(folder)
    Path("plugline.toml").write_text('processes = "two"\n', "utf-8")
    assert [one["code"] for one in shown(capsys, code=2)["findings"]] == ["C104"]
    monkeypatch.setenv("PLUGLINE_PROCESSES", "three")
    told = {(one["code"], one["path"]) for one in shown(capsys, code=2)["findings"]}
    assert told == {("C104", "plugline.toml"), ("C104", "PLUGLINE_PROCESSES")}


@pytest.mark.parametrize(
    "line", ["log_level = 3", 'log_level = "loud"', "color = true", "pipeline = 3", "plugins = [1]"]
)
def test_a_wrong_value_counts_for_nothing(line: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline(folder, source=ndjson({"n": 1}))
    Path("plugins").mkdir(exist_ok=True)
    Path("plugline.toml").write_text(f"{line}\n", "utf-8")
    assert main(["run", "-q"]) == 0
    name = line.split(" ", 1)[0]
    assert f"for '{name}'" in capsys.readouterr().err
    assert origins(capsys, code=2)[name][1] == "default"


def test_a_wrong_variable_leaves_what_the_file_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("plugline.toml").write_text('log_level = "error"\n', "utf-8")
    monkeypatch.setenv("PLUGLINE_LOG_LEVEL", "loud")
    assert origins(capsys, code=2)["log_level"] == ("error", "file", "plugline.toml:1:13")
    assert main(["list"]) == 0
    assert "'loud'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "check", "test"])
def test_a_pipeline_of_the_settings_that_is_not_there_is_told(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plugline.toml").write_text('pipeline = "pipes/main.toml"\n', "utf-8")
    (folder / "plugins").mkdir()
    assert main([command]) != 0
    assert "pipes/main.toml" in "".join(capsys.readouterr())


def test_a_format_that_is_disabled_is_told_where_a_suffix_means_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugline.toml").write_text('disabled = ["csv"]\n', "utf-8")
    Path("in.ndjson").write_bytes(ndjson({"n": 1}))
    assert main(["run", "in.ndjson", "-o", "out.csv"]) == 2
    said = capsys.readouterr().err
    assert "error[P116] plugline.toml:1: 'csv' is disabled" in said
    assert "hint: plugline enable csv\n" in said
    assert "no format is known" not in said


def test_disabled_names_that_cannot_be_understood_are_told_without_a_plugin_folder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("plugline.toml").write_text('disabled = "csv"\n', "utf-8")
    Path("in.ndjson").write_bytes(ndjson({"n": 1}))
    assert main(["run", "in.ndjson", "-o", "out.csv"]) == 2
    said = capsys.readouterr().err
    assert "error[P115] plugline.toml:1" in said
    assert said.count("error[") == 1


def test_folders_of_the_settings_are_counted_once_and_named_as_they_stand_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pipeline(
        tmp_path, plugins={"work.py": processor(), "broken.py": "def transform(: pass"}, source=b"", steps=["work"]
    )
    Path("plugline.toml").write_text('plugins = ["plugins"]\n', "utf-8")
    assert main(["check"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("error[P106] plugins/broken.py:1:")
    assert text.endswith("1 pipeline and 2 plugins, 1 with findings; 1 other plugin is in use\n")


def test_a_pipeline_of_the_settings_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUGLINE_PIPELINE", "absent.toml")
    assert main(["run"]) == 2
    assert "nothing to read: 'absent.toml' of PLUGLINE_PIPELINE is not there" in capsys.readouterr().err


def test_every_default_is_shown_as_a_file_would_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pipeline(tmp_path, plugins={"work.py": processor()}, source=b"", steps=["work"])
    values = {one["name"]: one["value"] for one in shown(capsys)["values"]}
    assert values["run.processes"] == "auto"
    assert not [value for value in values.values() if "(" in str(value)]


@pytest.mark.parametrize("said", ["file", "environment"])
@pytest.mark.parametrize("command", ["trust", "sync"])
def test_a_command_without_paths_takes_the_folders_of_the_settings(
    command: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("mine", "plugins"):
        Path(folder).mkdir()
        Path(folder, f"of_{folder}.py").write_text(
            '# /// script\n# dependencies = ["a-library-that-nobody-made"]\n# ///\n' + processor(), "utf-8"
        )
    if said == "file":
        Path("plugline.toml").write_text('plugins = ["mine"]\n', "utf-8")
    else:
        monkeypatch.setenv("PLUGLINE_PLUGINS", "mine")
    assert main([command, *(["--diff"] if command == "trust" else ["--offline"]), "--json"]) == 1
    told = capsys.readouterr().out
    assert ("of_mine" if command == "trust" else '"path": "mine"') in told
    assert "plugins/" not in told
    assert "of_plugins" not in told


def test_a_new_plugin_goes_where_the_settings_look_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugline.toml").write_text('plugins = ["there.zip", "mine"]\n', "utf-8")
    assert main(["new", "fresh"]) == 0
    assert capsys.readouterr().out == "mine/fresh.py\ntests/test_fresh.py\n"
