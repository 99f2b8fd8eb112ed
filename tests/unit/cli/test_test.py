import json
from pathlib import Path
from typing import Any

import pytest

from plugline.cli import main
from tests.builders import pipeline, processor

UPPER = '''"""Make names capital.

>>> transform({"name": "a"})
{'name': 'A'}
"""


def transform(record):
    record["name"] = record["name"].upper()
    return record


def describe():
    """
    >>> describe()
    'upper'
    """
    return "upper"
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, tests: str, **plugins: str) -> None:
    """Write a pipeline without any input, and its tests."""
    given = {f"{name}.py": text for name, text in (plugins or {"upper": UPPER}).items()}
    steps = list(plugins or {"upper": ""})
    pipeline(folder, plugins=given, steps=steps, run=f"\n{tests}")


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> str:
    assert main(["test", *words]) == code
    return capsys.readouterr().out


def data(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(capsys, *words, "--json", code=code))
    return found


def test_tests_pass_without_input_and_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, '[[tests]]\ninput = { name = "a" }\noutput = { name = "A" }\n')
    assert run(capsys, code=0) == "1 test and 2 examples of 1 plugin: 2 passed\n"
    assert {path.name for path in folder.iterdir()} == {"pipeline.toml", "plugins"}


def test_a_place_for_dead_letters_is_not_needed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, '[[tests]]\ninput = { name = "a" }\noutput = { name = "A" }\n')
    # Where they would be, as nobody would have it; a folder that cannot be written is nothing to root.
    (folder / "null.errors.ndjson").mkdir()
    assert run(capsys, code=0) == "1 test and 2 examples of 1 plugin: 2 passed\n"


def test_a_difference_is_told_field_by_field(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        folder,
        '[[tests]]\nname = "capital"\ninput = [{ name = "a", n = 1 }, { name = "b" }]\n'
        'output = [{ name = "a", n = 1.0, more = true }]\n',
    )
    assert run(capsys, "pipeline.toml", code=1).splitlines() == [
        "error[R160] pipeline.toml:9:3: the test 'capital' failed",
        "  record 1 of the output differs (- expected, + came):",
        '    - name  "a"',
        '    + name  "A"',
        "    - n     1.0",
        "    + n     1",
        "    - more  true",
        "  record 2 of the output was not expected (- expected, + came):",
        '    + name  "B"',
        "1 test and 2 examples of 1 plugin: 1 passed, 1 failed",
    ]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        ('{ step = "upper" }', 0),
        ('{ step = "upper", error = "KeyError", record = 2 }', 0),
        ('{ error = "name" }', 0),
        ('"KeyError"', 0),
        ("{}", 0),
        ('{ step = "upper", record = 1 }', 1),
        ('{ step = "lower" }', 1),
        ('{ error = "ValueError" }', 1),
        ('[{ step = "upper" }, { step = "upper" }]', 1),
        ("[]", 1),
    ],
)
def test_an_expected_failure_is_held_against_what_failed(
    failure: str, code: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, f'[[tests]]\ninput = [{{ name = "a" }}, {{ n = 1 }}]\nfailure = {failure}\n')
    assert main(["test", "pipeline.toml"]) == code


def test_a_failure_that_nobody_expects_fails_the_test(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, "[[tests]]\ninput = { n = 1 }\noutput = []\n")
    assert "record 1 of the input failed at step 'upper': KeyError: 'name' (plugins/upper.py:9)" in run(capsys, code=1)


def test_null_and_dates_can_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        folder,
        "[[tests]]\ninput = '''\n{\"name\": null}\n'''\noutput = '{\"name\": null}'\n"
        "[[tests]]\ninput = { day = 2026-01-31 }\noutput = { day = 2026-01-31 }\n",
        same=processor(),
    )
    assert main(["test"]) == 0


def test_tests_do_not_see_what_others_left(folder: Path) -> None:
    counts = "class Count:\n    n: int = 0\n    def transform(self, record):\n        self.n += 1\n        return {'n': self.n}\n"
    counts += "    def describe(self):\n        return 'count'\n"
    write(folder, 2 * "[[tests]]\ninput = [{}, {}]\noutput = [{ n = 1 }, { n = 2 }]\n", count=counts)
    assert main(["test"]) == 0


def test_a_failing_example_is_told_with_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "upper.py").write_text(UPPER.replace("{'name': 'A'}", "{'name': 'B'}"), "utf-8")
    assert run(capsys, "plugins", code=1).splitlines() == [
        "error[R161] plugins/upper.py:3: an example of 'upper' failed",
        '  >>> transform({"name": "a"})',
        "  - {'name': 'B'}",
        "  + {'name': 'A'}",
        "0 tests and 2 examples of 1 plugin: 0 passed, 1 failed",
    ]


def test_plugins_without_examples_are_not_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, "[[tests]]\ninput = { name = 'a' }\noutput = { name = 'A' }\n")
    (folder / "plugins" / "ends.py").write_text(processor(top="raise SystemExit"), "utf-8")
    assert main(["test"]) == 0


def test_examples_of_a_plugin_that_cannot_be_loaded_fail(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "ends.py").write_text(UPPER + "\nraise SystemExit\n", "utf-8")
    (folder / "plugins" / "lacks.py").write_text('"""\n>>> 1\n1\n"""\n', "utf-8")
    found = data(capsys, "plugins", code=1)
    assert sorted(str(one["code"]) for one in found["findings"]) == ["P201", "P302"]


def test_an_example_in_a_class_with_settings_runs(folder: Path) -> None:
    (folder / "plugins").mkdir()
    text = "class Cut:\n    fields: list[str]\n\n    def transform(self, record):\n        '''\n        >>> 1 + 1\n        3\n        '''\n"
    (folder / "plugins" / "cut.py").write_text(text + "    def describe(self):\n        return 'cut'\n", "utf-8")
    assert main(["test", "plugins/cut.py"]) == 1


def test_json_tells_every_test(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        folder,
        "[[tests]]\ninput = { name = 'a' }\noutput = { name = 'b' }\n[[tests]]\nname = 'x'\ninput = []\noutput = []\n",
    )
    found = data(capsys, code=1)
    assert (found["version"], found["passed"], found["failed"]) == (1, 2, 1)
    assert [(one["name"], one["passed"]) for one in found["tests"]] == [("test 1", False), ("x", True)]
    (difference,) = found["tests"][0]["differences"]
    assert difference["fields"] == [{"field": "name", "expected": "b", "got": "A"}]


def test_names_choose_what_is_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        folder, "[[tests]]\nname = 'One'\ninput = {}\noutput = []\n[[tests]]\nname = 'two'\ninput = []\noutput = []\n"
    )
    assert main(["test", "-k", "TWO"]) == 0


def test_failures_that_can_be_told_apart_in_one_way_only_are(folder: Path) -> None:
    write(
        folder,
        "[[tests]]\ninput = [{ kind = 'ValueError' }, { kind = 'KeyError' }]\noutput = []\n"
        "failure = [{ step = 'fails' }, { error = 'ValueError' }]\n",
        fails=processor("raise {'ValueError': ValueError, 'KeyError': KeyError}[record['kind']]('no')"),
    )
    assert main(["test"]) == 0


def test_a_test_that_is_not_chosen_is_not_run(folder: Path) -> None:
    body = "open(record['name'], 'w').close(); return record"
    write(
        folder,
        "[[tests]]\nname = 'one'\ninput = { name = '1' }\noutput = { name = '1' }\n"
        "[[tests]]\nname = 'two'\ninput = { name = '2' }\noutput = { name = '2' }\n",
        note=processor(body),
    )
    assert main(["test", "-k", "two"]) == 0
    assert not (folder / "1").exists()
    assert (folder / "2").exists()


def test_a_wrong_pipeline_is_told_and_its_plugins_are_tested_all_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "")
    with (folder / "pipeline.toml").open("a") as stream:
        stream.write("[[tests]]\ninput = { name = 'a' }\n")
    assert main(["test"]) == 2
    shown = capsys.readouterr()
    assert "C102" in shown.err
    assert main(["test", "absent.toml"]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_the_name_of_a_plugin_where_a_path_is_meant_is_told_with_its_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "", upper=UPPER)
    for said in ("upper", "plugins/upper"):
        for words in (["test", said], ["check", said], ["dev", said]):
            assert main(words) != 0
            assert "hint: here a plugin is named by its file: plugins/upper.py\n" in "".join(capsys.readouterr())
    assert main(["test", "absent"]) == 2
    assert "mkdir" not in "".join(capsys.readouterr())


def test_a_name_that_no_test_has_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, "[[tests]]\ninput = []\noutput = []\n", same=processor())
    assert run(capsys, "-k", "absent", code=0) == "no test has 'absent' in its name\n"


def test_without_tests_it_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, "", same=processor())
    assert run(capsys, code=0).startswith("there are no tests: ")


def test_the_examples_of_this_repository_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[3] / "examples"
    assert main(["test", str(root / "quickstart/pipeline.toml"), str(root / "flights/pipeline.toml")]) == 0


def test_a_warning_keeps_no_test_from_being_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "plugins").mkdir()
    (folder / "plugins/upper.py").write_text(UPPER, encoding="utf-8")
    (folder / "plugline.toml").write_text('disabled = ["gone"]\n', encoding="utf-8")
    assert run(capsys, code=0) == "0 tests and 2 examples of 1 plugin: 1 passed\n"


def test_no_two_lines_of_a_difference_look_alike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 70 + "{}" + "y" * 70
    body = f"return {{1: 'one', 'kind': Kind('a'), 'long': {long.format('came')!r}}}"
    top = "class Kind(str):\n    pass\n"
    case = f'[[tests]]\ninput = [{{}}]\noutput = [{{1 = "one", kind = "a", long = "{long.format("meant")}"}}]\n'
    write(folder, case, odd=processor(body, top=top))
    lines = [line.split(maxsplit=1) for line in run(capsys, code=1).split("\n") if line.startswith("    ")]
    sides = {sign: [text for one, text in lines if one == sign] for sign in "-+"}
    assert [text.split()[0] for text in sides["-"]] == ["1", "kind", "long"]
    assert not {*sides["-"]} & {*sides["+"]}
    assert "meant" in sides["-"][2]
    assert "came" in sides["+"][1]
    assert sides["+"][2].startswith("1 (int)")
