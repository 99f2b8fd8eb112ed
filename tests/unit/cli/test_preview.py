import json
from pathlib import Path

import pytest

from plugline.cli import main
from tests.builders import ndjson, pipeline, processor

TRIM = processor("return {key: value.strip() if isinstance(value, str) else value for key, value in record.items()}")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["preview", *words]) == code
    return capsys.readouterr().out


def data(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[dict[str, object]]:
    found = json.loads(shown(capsys, *words, "--json", code=code))
    assert (found["version"], found["findings"]) == (1, [])
    records: list[dict[str, object]] = found["records"]
    return records


def test_differences_of_each_step_are_marked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = processor("record['new'] = 1\nrecord['name'] += '!'\ndel record['old']\nreturn record")
    pipeline(
        folder,
        plugins={"trim.py": TRIM, "change.py": change},
        source=ndjson({"name": " a ", "old": None, "same": 2.5}),
        steps=["trim", "change"],
    )
    text = shown(capsys)
    assert text.splitlines() == [
        "record 1, in.ndjson line 1",
        '    name  " a "',
        "    old   null",
        "    same  2.5",
        "1. trim: 1 changed",
        '  ~ name  " a " -> "a"',
        "2. change: 1 changed, 1 added, 1 removed",
        '  ~ name  "a" -> "a!"',
        "  - old   null",
        "  + new   1",
        "output",
        '    {"name": "a!", "same": 2.5, "new": 1}',
        "",
    ]


def test_the_hint_of_an_error_has_a_line_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fails = processor("raise ValueError('it is wrong\\n  hint: mend it')")
    pipeline(folder, plugins={"fails.py": fails}, source=ndjson({"a": 1}), steps=["fails"])
    text = shown(capsys, code=1)
    assert "  ! ValueError: it is wrong\n  ! hint: mend it" in text
    assert "\\n" not in text


def test_with_full_every_field_is_shown_at_every_step(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline(folder, plugins={"trim.py": TRIM}, source=ndjson({"name": " a ", "same": 1}), steps=["trim"])
    assert '  ~ name  " a " -> "a"\n    same  1\noutput' in shown(capsys, "--full")


def test_a_step_that_changes_the_record_in_place_is_seen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append = processor("record['list'].append(2)\nreturn record")
    pipeline(
        folder,
        plugins={"append.py": append, "again.py": append},
        source=ndjson({"list": [1]}),
        steps=["append", "again"],
    )
    assert "  ~ list  [1] -> [1, 2]\n2. again: 1 changed\n  ~ list  [1, 2] -> [1, 2, 2]\n" in shown(capsys)


def test_no_more_records_are_read_than_asked_for_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = pipeline(folder, plugins={"trim.py": TRIM}, source=ndjson(*({"n": n} for n in range(50))), steps=["trim"])
    assert [one["number"] for one in data(capsys)] == list(range(1, 11))
    assert [one["number"] for one in data(capsys, "--limit", "2")] == [1, 2]
    assert made.files == ["in.ndjson", "pipeline.toml"]


def test_a_failure_a_drop_and_a_fan_out_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = (
        "if record['n'] == 1:\n    raise ValueError('one')\nif record['n'] == 2:\n    return None\n"
        "if record['n'] == 3:\n    return [record, {'n': 30}]\nreturn record"
    )
    pipeline(
        folder,
        plugins={"choose.py": processor(body), "trim.py": TRIM},
        source=ndjson({"n": 1}, {"n": 2}, {"n": 3}, b"{broken", {"n": 4}),
        steps=["choose", "trim"],
    )
    records = data(capsys, code=1)
    assert [one["failed_at"] for one in records] == ["choose", None, None, "source", None]
    assert [one["out"] for one in records] == [[], [], [{"n": 3}, {"n": 30}], [], [{"n": 4}]]
    text = shown(capsys, code=1)
    assert "1. choose: failed\n  ! ValueError: one (plugins/choose.py:5)\n  ! would be a dead letter\n" in text
    assert "1. choose: dropped\noutput: nothing\n" in text
    assert '1. choose: became 2 records\n  + {"n": 3}\n  + {"n": 30}\n2. trim, record 1 of 2: unchanged\n' in text
    assert "source\n  ! json.decoder.JSONDecodeError" in text or "source\n  ! orjson.JSONDecodeError" in text


@pytest.mark.parametrize(("on_error", "out"), [("pass", [{"n": "x"}]), ("drop", []), ("dead-letter", []), ("stop", [])])
def test_what_a_run_does_with_a_failing_record_is_told(
    on_error: str, out: list[object], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = f'use = "fails"\non_error = "{on_error}"'
    fails = processor("record['n'] = 0\nraise KeyError('n')")
    pipeline(folder, plugins={"fails.py": fails}, source=ndjson({"n": "x"}), steps=[step])
    (one,) = data(capsys, code=0 if on_error in ("pass", "drop") else 1)
    assert one["out"] == out


def test_a_sink_that_cannot_hold_a_record_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline(
        folder,
        plugins={"odd.py": processor("record['n'] = object()\nreturn record")},
        source=ndjson({"n": 1}),
        steps=["odd"],
    )
    (one,) = data(capsys, code=1)
    assert one["failed_at"] == "sink"


def test_flags_stand_in_for_a_pipeline_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline(folder, plugins={"trim.py": TRIM}, source=ndjson({"n": " a "}))
    (one,) = data(capsys, "--use", "trim", "in.ndjson")
    assert one["out"] == [{"n": "a"}]


def test_what_is_wrong_with_the_pipeline_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline(folder, source=ndjson({}), steps=["tirm"], plugins={"trim.py": TRIM})
    assert main(["preview"]) == 2
    assert "did you mean 'trim'?" in capsys.readouterr().err


def test_what_plugins_print_is_not_among_the_records(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loud = processor("print('loud')\nreturn record", top="print('loaded')")
    pipeline(folder, plugins={"loud.py": loud}, source=ndjson({}), steps=["loud"])
    assert "lo" not in str(data(capsys)[0]["record"])


def test_differences_are_coloured_on_a_terminal_only(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(folder, plugins={"trim.py": TRIM}, source=ndjson({"n": " a "}), steps=["trim"])
    assert "\x1b" not in shown(capsys)
    monkeypatch.setattr("plugline.cli.render.coloured", lambda _: True)
    assert '\x1b[33m  ~ n  " a " -> "a"\x1b[0m' in shown(capsys)


def test_a_sink_that_cannot_be_written_keeps_nobody_from_looking(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline(folder, plugins={"trim.py": TRIM}, source=ndjson({"n": " a "}), steps=["trim"], sink="absent/out.csv")
    (one,) = data(capsys)
    assert one["out"] == [{"n": "a"}]
    pipeline(folder, source=ndjson({"n": " a "}), steps=["tirm"], sink="absent/out.csv")
    assert main(["preview"]) == 2


def test_what_cannot_be_written_can_be_looked_at(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in.ndjson").write_bytes(ndjson({"n": 1}))
    (folder / "in.errors.ndjson").mkdir()
    assert main(["run", "in.ndjson"]) == 2
    assert "n  1" in shown(capsys, "in.ndjson")


STRANGE = """
deep = {}
for _ in range(20_000):
    deep = {"a": deep}
endless = {}
endless["a"] = endless
return {**record, "deep": deep, "endless": endless, 5: "five", (1, 2): "pair", "nan": float("nan"), "half": "\\ud800", "at": b"\\xff"}
"""


def test_whatever_a_step_makes_can_be_looked_at(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = pipeline(folder, plugins={"strange.py": processor(STRANGE)}, source=ndjson({"n": 1}), steps=["strange"])
    text = shown(capsys, code=1)
    assert "+ deep            a value of type 'dict' that is nested too deeply to be shown" in text
    assert '+ 5 (int)         "five"' in text
    assert '+ (1, 2) (tuple)  "pair"' in text
    (one,) = json.loads(shown(capsys, "--json", code=1))["records"]
    (passage,) = one["steps"][0]["passages"]
    assert passage["after"][0]["5"] == "five"
    assert passage["after"][0]["nan"] == "NaN"
    assert "nested too deeply" in passage["after"][0]["deep"]
    (made.folder / "pipeline.toml").write_text(
        (made.folder / "pipeline.toml").read_text() + "[[tests]]\ninput = { n = 1 }\noutput = { n = 2 }\n"
    )
    for more in ([], ["--json"]):
        assert main(["test", str(made.folder / "pipeline.toml"), *more]) == 1
        assert "nested too deeply" in capsys.readouterr().out.replace("\n", " ")


def test_what_is_no_record_is_told_as_a_run_tells_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline(folder, plugins={"trim.py": TRIM}, source=b"[1]\n", steps=["trim"])
    [one] = data(capsys, code=1)
    assert "expected an object, got a list" in str(one["error"])
