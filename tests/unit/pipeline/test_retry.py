"""Dead letters that are fed through again."""

import json
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.parquet
import pytest

from plugline.errors import ConfigurationError
from plugline.pipeline.plan import make_plan
from plugline.pipeline.report import RunReport
from plugline.pipeline.retry import retried
from plugline.pipeline.run import run_plan
from tests.builders import Pipeline, ndjson, pipeline, processor

FAIL = "if str(record['a']).startswith('3'): raise ValueError(record['a'])\nreturn {**record, 'kind': type(record['a']).__name__}"
MENDED = "return {**record, 'kind': type(record['a']).__name__}"


def retry(made: Pipeline, letters: str = "out.errors.ndjson") -> RunReport:
    (made.folder / "plugins" / "step.py").write_text(processor(MENDED), encoding="utf-8")
    return run_plan(retried(made.plan(), str(made.folder / letters)))


def records(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_what_failed_goes_through_again_into_files_of_its_own(tmp_path: Path) -> None:
    source = ndjson({"a": 1}, {"a": 3}, b"{", {"a": 31})
    made = pipeline(tmp_path, plugins={"step.py": processor(FAIL)}, source=source, steps=["step"])
    assert made.run().failed == 3
    before = made.output
    report = retry(made)
    assert (report.records_in, report.records_out, report.failed) == (3, 2, 1)
    assert records(tmp_path / "out.retried.ndjson") == [{"a": 3, "kind": "int"}, {"a": 31, "kind": "int"}]
    (letter,) = records(tmp_path / "out.retried.errors.ndjson")
    assert isinstance(letter, dict)
    assert made.output == before
    assert letter["position"]["line"] == 2


@pytest.mark.parametrize("path", ["in.csv", "gone/*.csv", "in"])
def test_the_source_may_be_gone_by_then(path: str, tmp_path: Path) -> None:
    (tmp_path / "letters.ndjson").write_bytes(ndjson({"raw": ["3"], "record": {"a": "3"}}))
    made = pipeline(tmp_path, source_path=path, source_more='format = "csv"' if path == "in" else "", sink="out.ndjson")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        make_plan(made.config, str(tmp_path))
    run_plan(retried(make_plan(made.config, str(tmp_path), retries=True), str(tmp_path / "letters.ndjson")))
    assert records(tmp_path / "out.retried.ndjson") == [{"a": "3"}]


@pytest.mark.parametrize("types", ["", 'options = { types = { a = "decimal" } }'])
def test_rows_of_a_table_keep_their_types(types: str, tmp_path: Path) -> None:
    made = pipeline(
        tmp_path,
        plugins={"step.py": processor(FAIL)},
        source=b"a,b\n1,x\n3.10,y\n",
        source_path="in.csv",
        source_more=types,
        steps=["step"],
        sink="out.csv",
    )
    made.run()
    retry(made)
    kind = "Decimal" if types else "str"
    assert (tmp_path / "out.retried.csv").read_text(encoding="utf-8") == f"a,b,kind\n3.10,y,{kind}\n"


def test_a_record_that_was_mended_by_hand_counts(tmp_path: Path) -> None:
    source = ndjson({"a": 3}, b"{broken", b"\xff")
    made = pipeline(tmp_path, plugins={"step.py": processor(FAIL)}, source=source, steps=["step"])
    made.run()
    letters = made.dead_letters
    letters[0]["record"] = {"a": "mended"}
    letters[1]["raw"] = '{"a": "mended too"}'
    (tmp_path / "mended.ndjson").write_bytes(ndjson(*letters))
    assert retry(made, "mended.ndjson").failed == 1
    assert [one["a"] for one in records(tmp_path / "out.retried.ndjson") if isinstance(one, dict)] == [
        "mended",
        "mended too",
    ]


def test_what_fails_again_and_again_is_told_as_it_came_in_and_nothing_that_went_through_is_written_over(
    tmp_path: Path,
) -> None:
    source = ndjson({"a": 1}, {"a": 30}, b"{broken", b"\xff", {"a": 31}, {"a": 32})
    made = pipeline(tmp_path, plugins={"step.py": processor(FAIL)}, source=source, steps=["step"])
    made.run()
    raws = [letter["raw"] for letter in made.dead_letters]
    for number, left in enumerate((32, 33), 1):
        mended = f"if record['a'] >= {left - 1}: raise ValueError\nreturn record"
        (tmp_path / "plugins" / "step.py").write_text(processor(mended), encoding="utf-8")
        before = "out.errors.ndjson" if number == 1 else "out.retried.errors.ndjson"
        report = run_plan(retried(made.plan(), str(tmp_path / before)))
        assert report.failed == 5 - number
    assert records(tmp_path / "out.retried.ndjson") == [{"a": 30}]
    assert records(tmp_path / "out.retried-2.ndjson") == [{"a": 31}]
    letters = records(tmp_path / "out.retried-2.errors.ndjson")
    assert [(one["raw"], one["record"]) for one in letters if isinstance(one, dict)] == [
        (raws[1], None),
        (raws[2], None),
        (raws[4], {"a": 32}),
    ]
    assert [one.get("raw_base64") for one in letters if isinstance(one, dict)] == [None, "/wo=", None]
    assert retried(made.plan(), str(tmp_path / "out.retried-2.errors.ndjson")).sink.endswith("out.retried-3.ndjson")


def test_rows_that_were_none_are_mended_in_raw_as_the_list_or_the_text_that_stands_there(tmp_path: Path) -> None:
    source = b'a,b\n1,x,y\n2\n3,"x"y\n4,\xff\n5,\xff\n'
    made = pipeline(tmp_path, source=source, source_path="in.csv", sink="out.csv", run='max_errors = "none"')
    made.run()
    letters = made.dead_letters
    assert [letter["columns"] for letter in letters] == [["a", "b"]] * 5
    letters[0]["raw"] = ["1", "x"]
    letters[2]["raw"] = '3,"x,y"\n'
    letters[3]["raw"] = "4,\u00ff\n"
    (tmp_path / "mended.ndjson").write_bytes(ndjson(*letters))
    report = run_plan(retried(made.plan(), str(tmp_path / "mended.ndjson")))
    assert (tmp_path / "out.retried.csv").read_text("utf-8") == 'a,b\n1,x\n3,"x,y"\n4,\u00ff\n'
    again = records(tmp_path / "out.retried.errors.ndjson")
    assert [one["error"]["message"] for one in again if isinstance(one, dict)] == [
        "the row has 1 field: expected 2, as there are columns",
        "byte 0xff: expected utf-8 text",
    ]
    assert report.failed == 2


def test_a_row_whose_columns_nothing_tells_is_not_guessed_at(tmp_path: Path) -> None:
    made = pipeline(tmp_path, source=b"a,b\n1,x\n2\n", source_path="in.csv", sink="out.csv", run="max_errors = 1")
    made.run()
    (letter,) = made.dead_letters
    letter["raw"] = ["2", "y"]
    columns = letter.pop("columns")
    (tmp_path / "mended.ndjson").write_bytes(ndjson({**letter, "columns": columns}, letter))
    run_plan(retried(made.plan(), str(tmp_path / "mended.ndjson")))
    (again,) = records(tmp_path / "out.retried.errors.ndjson")
    assert isinstance(again, dict)
    assert "nothing tells the columns" in again["error"]["message"]


def test_a_retry_does_not_write_over_an_output_at_an_address(tmp_path: Path) -> None:
    made = pipeline(tmp_path, plugins={"step.py": processor(FAIL)}, source=ndjson({"a": 1}, {"a": 3}), steps=["step"])
    plan = replace(
        made.plan(), sink=f"file://{tmp_path}/out.ndjson", dead_letters=f"file://{tmp_path}/out.errors.ndjson"
    )
    run_plan(plan)
    again = retried(plan, str(tmp_path / "out.errors.ndjson"))
    run_plan(again)
    assert records(tmp_path / "out.ndjson") == [{"a": 1, "kind": "int"}]
    left = tmp_path / "out.retried.errors.ndjson"
    assert len(records(left)) == 1
    assert retried(plan, str(left)).sink == f"file://{tmp_path}/out.retried-2.ndjson"


def test_an_output_that_is_called_as_one_of_a_retry_is_not_taken_for_one(tmp_path: Path) -> None:
    plan = replace(pipeline(tmp_path, source=b"").plan(), sink="a.retried.csv", dead_letters="a.retried.errors.ndjson")
    fed = ["a.retried", "a.retried.retried", "a.retried.retried-2"]
    sinks = ["a.retried.retried.csv", "a.retried.retried-2.csv", "a.retried.retried-3.csv"]
    for stem, sink in zip(fed, sinks, strict=True):
        letters = tmp_path / f"{stem}.errors.ndjson"
        letters.write_bytes(b"")
        assert retried(plan, str(letters)).sink == sink


def test_what_is_no_dead_letter_is_one(tmp_path: Path) -> None:
    made = pipeline(tmp_path, plugins={"step.py": processor(FAIL)}, source=b"", steps=["step"])
    (tmp_path / "letters.ndjson").write_bytes(b"[1]\nno\n")
    assert retry(made, "letters.ndjson").failed == 2


def test_what_a_retry_made_is_not_written_over_by_that_of_a_file_of_another_name(tmp_path: Path) -> None:
    made = pipeline(tmp_path, plugins={"step.py": processor(FAIL)}, source=ndjson({"a": 3}), steps=["step"])
    made.run()
    retry(made)
    for name in ("mended.ndjson", "other.retried.errors.ndjson"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(ConfigurationError, match="may hold what an earlier retry made of other records"):
            retry(made, name)
    assert records(tmp_path / "out.retried.ndjson") == [{"a": 3, "kind": "int"}]
    retry(made)  # of the same records


def test_letters_that_are_not_there_are_named(tmp_path: Path) -> None:
    made = pipeline(tmp_path, source=b"")
    with pytest.raises(ConfigurationError, match=r"'nowhere\.ndjson' is not there"):
        retried(made.plan(), "nowhere.ndjson")


@pytest.mark.parametrize(
    ("sink", "expected"),
    [
        ("a/out.csv.gz", "a/out.retried.csv.gz"),
        ("a/out.csv.GZ", "a/out.retried.csv.GZ"),
        ("-", "-"),
        ("/dev/null", "/dev/null"),
        ("out", "out.retried"),
        ("memory://a/out.csv.zst", "memory://a/out.retried.csv.zst"),
        ("postgresql://host/records", "postgresql://host/records"),
    ],
)
def test_only_files_get_another_name(sink: str, expected: str, tmp_path: Path) -> None:
    made = pipeline(tmp_path, source=b"")
    (tmp_path / "letters").write_bytes(b"")
    plan = replace(made.plan(), sink=sink)
    assert retried(plan, str(tmp_path / "letters")).sink == expected


@pytest.mark.slow
@pytest.mark.parametrize("source", ["in.parquet", "in.arrows", "in.sqlite"])
def test_what_failed_keeps_types_that_json_has_no_word_for(source: str, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    moment = datetime(2024, 7, 2, 3, 4, 5, tzinfo=ZoneInfo("Europe/Lisbon"))
    record = {
        "a": 3,
        "d": Decimal("1.10"),
        "b": b"\x00\xff",
        "m": moment,
        "t": time(1, 2, 3),
        "n": {"x": [date(2024, 1, 2)]},
    }
    if source == "in.sqlite":
        del record["n"]  # which SQLite keeps as JSON
    parquet.write_table(pa.Table.from_pylist([record]), tmp_path / "whole.parquet")
    pipeline(tmp_path, source=None, source_path="whole.parquet", sink=source).run()
    made = pipeline(
        tmp_path,
        plugins={"step.py": processor(FAIL)},
        source=None,
        source_path=source,
        steps=["step"],
        sink="out.parquet",
    )
    assert made.run().failed == 1
    assert retry(made).records_out == 1
    (kept,) = parquet.read_table(tmp_path / "out.retried.parquet").to_pylist()
    assert {key: value for key, value in kept.items() if key != "kind"} == record


def test_a_row_of_a_sheet_that_nobody_has_mended_fails_again(tmp_path: Path) -> None:
    book = pytest.importorskip("openpyxl").Workbook()
    for row in (["a", "b"], [1, "#DIV/0!"], [2, "x", "beyond"], [3, "y"]):
        book.active.append(row)
    content = BytesIO()
    book.save(content)
    made = pipeline(tmp_path, source=content.getvalue(), source_path="in.xlsx")
    assert made.run().failed == 2
    letters = tmp_path / "out.errors.ndjson"
    report = run_plan(retried(made.plan(), str(letters)))
    assert (report.records_out, report.failed) == (0, 2)
    first, second = [json.loads(line) for line in letters.read_bytes().splitlines()]
    again = [
        json.loads(line)["error"]["message"]
        for line in (tmp_path / "out.retried.errors.ndjson").read_bytes().splitlines()
    ]
    assert again == [
        "'b' still holds the error of a cell: mend the row in 'raw'",
        "the row still has a value in column C, beyond the columns: mend the row in 'raw'",
    ]
    first["raw"]["b"] = 5
    del second["raw"]["beyond, C"]
    letters.write_bytes(ndjson(first, second))
    assert run_plan(retried(made.plan(), str(letters))).failed == 0
    assert records(tmp_path / "out.retried.ndjson") == [{"a": 1, "b": 5}, {"a": 2, "b": "x"}]


def test_a_row_of_columns_that_could_not_be_read_is_told_whole_and_mended_in_its_record(tmp_path: Path) -> None:
    content = BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"at": pyarrow.array([1], pyarrow.timestamp("ns"))}), content)
    made = pipeline(tmp_path, source=content.getvalue(), source_path="in.parquet")
    assert made.run().failed == 1
    letters = tmp_path / "out.errors.ndjson"
    (letter,) = [json.loads(line) for line in letters.read_bytes().splitlines()]
    assert letter["raw"] == ["1970-01-01 00:00:00.000000001"]
    assert run_plan(retried(made.plan(), str(letters))).failed == 1
    (again,) = [json.loads(line) for line in (tmp_path / "out.retried.errors.ndjson").read_bytes().splitlines()]
    assert again["error"]["message"] == "a row that is no text is mended in 'record': put the whole record there"
    letter["record"] = {"at": "1970-01-01"}
    letters.write_bytes(ndjson(letter))
    assert run_plan(retried(made.plan(), str(letters))).failed == 0
    assert records(tmp_path / "out.retried.ndjson") == [{"at": "1970-01-01"}]


_DOUBLE = """
import pyarrow.compute

def transform_batch(table):
    numbers = table.column("n")
    if {armed} and pyarrow.compute.any(pyarrow.compute.equal(pyarrow.compute.bit_wise_and(numbers, 7), 5)).as_py():
        raise ValueError("five")
    return table.set_column(0, "n", pyarrow.compute.multiply(numbers, 2))

def describe():
    return "doubles n"
"""


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_record_that_failed_behind_a_step_that_takes_tables_does_not_pass_it_again(
    isolation: str, tmp_path: Path
) -> None:
    late = "if {armed} and record['n'] % 12 == 0: raise ValueError(record['n'])\nreturn [record, {{**record, 'copy': True}}]"

    def plugins(*, armed: bool) -> dict[str, str]:
        return {"double.py": _DOUBLE.format(armed=armed), "late.py": processor(late.format(armed=armed))}

    source = ndjson(*({"n": n, "copy": False} for n in range(2_000)))
    steps = [f'use = "double"\nisolation = "{isolation}"', "late", 'use = "double"\nname = "again"', "late"]
    run = 'max_errors = "none"'
    whole = pipeline(tmp_path / "whole", plugins=plugins(armed=False), source=source, steps=steps, run=run)
    assert whole.run().failed == 0
    made = pipeline(tmp_path / "made", plugins=plugins(armed=True), source=source, steps=steps, run=run)
    report = made.run()
    assert [one.failed > 0 for one in report.counts] == [False, True, True, False, True, False]
    for name, text in plugins(armed=False).items():
        (made.folder / "plugins" / name).write_text(text, encoding="utf-8")
    again = run_plan(retried(made.plan(), str(made.folder / "out.errors.ndjson")))
    assert (again.records_in, again.failed) == (report.failed, 0)
    assert again.balanced
    came = [*made.records, *records(made.folder / "out.retried.ndjson")]
    assert sorted(map(json.dumps, came)) == sorted(map(json.dumps, whole.records))
