"""An output in parts: a folder of files with a manifest."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow.ipc
import pytest

from plugline.errors import ConfigurationError, RunStopped
from plugline.pipeline.config import PipelineConfig, read_config
from plugline.pipeline.plan import make_plan
from plugline.pipeline.run import run_plan
from tests.builders import Pipeline, ndjson, pipeline, processor

RECORDS = [{"n": number, "word": f"word {number} é"} for number in range(4_000)]
TIDY = processor(
    "n = record['n']\nif n % 100 == 1: return None\nif n % 100 == 3: raise ValueError(n)\nreturn {'n': n, 'word': record['word'].upper()}"
)
EXPECTED = [
    {"n": one["n"], "word": str(one["word"]).upper()} for one in RECORDS if int(str(one["n"])) % 100 not in (1, 3)
]
PARTS = "parts = true"

# A split in which a record kills its process, once: what the other tried is left over.
KILLS_ONCE = processor(
    "if record['n'] == 3_000 and not os.path.exists(MARK):\n    open(MARK, 'w').close()\n    os.kill(os.getpid(), 9)\nreturn record",
    top="import os\nMARK = os.path.join(os.path.dirname(__file__), 'killed')",
)

# What some engines do when a worker is slow: each split is run twice, and one of the two parts is taken.
TWICE = '''
"""Runs each split twice, and takes what comes second."""

VERSION = "0.1"


def run(runner, splits, /):
    for split in splits:
        first, second = runner(split), runner(split)
        assert first.path is None or first.path != second.path
        yield second
'''


def job(folder: Path, *, sink: str = "out.ndjson", run: str = "", more: str = PARTS, **plugins: str) -> Pipeline:
    names = [name for name in plugins if name != "twice"] or ["tidy"]
    files = {f"{name}.py": text for name, text in {"tidy": TIDY, **plugins}.items()}
    return pipeline(
        folder,
        plugins=files,
        source=ndjson(*RECORDS),
        steps=names,
        sink=sink,
        sink_more=more,
        run=f"processes = 2\nsplit_bytes = 32768\n{run}",
    )


def manifest(folder: Path) -> Mapping[str, object]:
    read: Mapping[str, object] = json.loads((folder / "_manifest.json").read_bytes())
    return read


def parts_of(folder: Path) -> list[dict[str, object]]:
    parts = manifest(folder)["parts"]
    assert isinstance(parts, list)
    return parts


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_parts_in_the_order_of_the_manifest_are_the_output(tmp_path: Path) -> None:
    report = job(tmp_path).run()
    parts = parts_of(tmp_path / "out.ndjson")
    assert len(parts) > 3
    lines = [line for part in parts for line in (tmp_path / "out.ndjson" / str(part["path"])).read_bytes().splitlines()]
    assert [json.loads(line) for line in lines] == EXPECTED
    assert report.parts == len(parts)


def test_a_manifest_tells_records_bytes_and_digests_of_each_part_and_of_all(tmp_path: Path) -> None:
    job(tmp_path).run()
    folder = tmp_path / "out.ndjson"
    for part in parts_of(folder):
        content = (folder / str(part["path"])).read_bytes()
        assert part["records"] == content.count(b"\n")
        assert part["bytes"] == len(content)
        assert part["sha256"] == hashlib.sha256(content).hexdigest()
    told = manifest(folder)
    assert told["records"] == len(EXPECTED)
    assert told["bytes"] == sum(len(content) for name, content in tree(folder).items() if name != "_manifest.json")
    assert told["format"] == "ndjson"
    assert told["dead_letters"] == {"path": "../out.errors.ndjson", "records": 40}


@pytest.mark.slow
def test_a_manifest_names_another_plan_where_a_plugin_is_another_one(tmp_path: Path) -> None:
    plans = []
    for number, name in enumerate(("a", "b", "c")):
        (tmp_path / name).mkdir()
        made = job(tmp_path / name, tidy=TIDY if number < 2 else f"{TIDY}\n# edited\n")
        made.run()
        plans.append(manifest(tmp_path / name / "out.ndjson")["plan"])
    assert plans[0] == plans[1] != plans[2]


@pytest.mark.slow
@pytest.mark.parametrize("sink", ["a.ndjson", "a.csv", "a.json", "a.parquet", "a.ndjson.gz", "a.csv.zst", "a.arrow"])
def test_what_was_written_in_parts_is_read_again_in_order(sink: str, tmp_path: Path) -> None:
    types = "options = { types = { n = 'int' } }" if ".csv" in sink else ""
    job(tmp_path, sink=sink).run()
    again = tmp_path / "again"
    again.mkdir()
    pipeline(again, source_path=f"../{sink}", source_more=types).run()
    assert [json.loads(line) for line in (again / "out.ndjson").read_bytes().splitlines()] == EXPECTED


def test_each_part_of_a_table_has_its_header(tmp_path: Path) -> None:
    job(tmp_path, sink="out.csv").run()
    for name, content in tree(tmp_path / "out.csv").items():
        assert name == "_manifest.json" or content.startswith(b"n,word")


def test_each_part_of_an_arrow_stream_is_a_whole_one(tmp_path: Path) -> None:
    job(tmp_path, sink="out.arrows").run()
    rows = []
    for part in parts_of(tmp_path / "out.arrows"):
        with pyarrow.ipc.open_stream(tmp_path / "out.arrows" / str(part["path"])) as stream:
            rows.append(stream.read_all().num_rows)
    assert rows == [part["records"] for part in parts_of(tmp_path / "out.arrows")]
    assert len(rows) > 1


def test_a_folder_without_a_suffix_has_parts_with_that_of_the_format(tmp_path: Path) -> None:
    job(tmp_path, sink="out/", more=f'{PARTS}\nformat = "csv"').run()
    assert sorted(tree(tmp_path / "out"))[:2] == ["_manifest.json", "part-000000.csv"]


@pytest.mark.slow
def test_one_process_many_and_any_order_make_the_same_folder(tmp_path: Path) -> None:
    trees = []
    for number, run in enumerate(("processes = 1", "", "ordered = false")):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = job(folder)
        text = (
            (folder / "pipeline.toml")
            .read_text()
            .replace("processes = 2\n", "processes = 2\n" if run != "processes = 1" else f"{run}\n")
        )
        (folder / "pipeline.toml").write_text(text + (run if "ordered" in run else ""))
        done = subprocess.run(
            [sys.executable, "-m", "plugline", "run", "-q", "pipeline.toml"],
            cwd=folder,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        assert made.files == ["in.ndjson", "out.errors.ndjson", "pipeline.toml"]
        trees.append(tree(folder / "out.ndjson"))
    assert trees[0] == trees[1] == trees[2]


def test_no_record_is_one_part_without_any(tmp_path: Path) -> None:
    pipeline(tmp_path, source=b"", sink="out.json", sink_more=PARTS).run()
    assert tree(tmp_path / "out.json")["part-000000.json"] == b"[]\n"
    assert [part["records"] for part in parts_of(tmp_path / "out.json")] == [0]


@pytest.mark.slow
def test_a_folder_of_parts_takes_the_place_of_an_earlier_one_whole(tmp_path: Path) -> None:
    made = job(tmp_path)
    made.run()
    (tmp_path / "in.ndjson").write_bytes(ndjson(RECORDS[0]))
    made.run()
    assert sorted(tree(tmp_path / "out.ndjson")) == ["_manifest.json", "part-000000.ndjson"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.ndjson", "out.ndjson", "pipeline.toml", "plugins"]


def test_a_run_that_stops_leaves_the_earlier_folder_as_it_was(tmp_path: Path) -> None:
    made = job(tmp_path)
    made.run()
    before = tree(tmp_path / "out.ndjson")
    text = (tmp_path / "pipeline.toml").read_text()
    (tmp_path / "pipeline.toml").write_text(text.replace('use = "tidy"', 'use = "tidy"\non_error = "stop"'))
    with pytest.raises(RunStopped):
        run_plan(make_plan(config_of(tmp_path), str(tmp_path)))
    assert tree(tmp_path / "out.ndjson") == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def config_of(folder: Path) -> PipelineConfig:
    return read_config((folder / "pipeline.toml").read_text(), str(folder / "pipeline.toml"))


@pytest.mark.slow
def test_what_a_killed_split_process_left_is_swept(tmp_path: Path) -> None:
    made = job(tmp_path, kills_once=KILLS_ONCE)
    made.run()
    assert (tmp_path / "plugins" / "killed").exists()
    assert not [name for name in tree(tmp_path / "out.ndjson") if name.startswith(".")]
    assert manifest(tmp_path / "out.ndjson")["records"] == len(RECORDS)


def test_a_split_that_is_run_twice_is_one_part(tmp_path: Path) -> None:
    expected = job(tmp_path)
    expected.run()
    other = tmp_path / "other"
    other.mkdir()
    made = job(other, twice=TWICE, run='engine = "twice"')
    text = (other / "pipeline.toml").read_text().replace("processes = 2\n", "")
    (other / "pipeline.toml").write_text(text)
    run_plan(make_plan(config_of(other), str(other)))
    assert tree(other / "out.ndjson") == tree(tmp_path / "out.ndjson")
    assert [one["record"] for one in made.dead_letters] == [one["record"] for one in expected.dead_letters]


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_to_the_same_folder(tmp_path: Path) -> None:
    held = tmp_path / "held"  # while it is there, no run comes to its end before it is killed
    body = f"while record['n'] == 3_950 and os.path.exists({str(held)!r}): time.sleep(0.01)\nreturn record"
    slow = processor(body, top="import os, time")
    job(tmp_path, tidy=TIDY, slow=slow).run()
    expected = tree(tmp_path / "out.ndjson")
    other = tmp_path / "other"
    other.mkdir()
    job(other, tidy=TIDY, slow=slow)
    held.touch()
    command = [sys.executable, "-m", "plugline", "run", "-q", "pipeline.toml"]
    with subprocess.Popen(command, cwd=other, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while not list(other.glob(".*.parts/part-000001.ndjson")) and time.monotonic() < deadline:
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (other / "out.ndjson").exists()
    held.unlink()
    done = subprocess.run([*command, "--resume", "--json"], cwd=other, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["resumed_splits"] >= 1
    assert tree(other / "out.ndjson") == expected
    assert not [path for path in other.iterdir() if path.name.startswith(".")]


def test_a_part_that_vanished_is_not_gone_on_without(tmp_path: Path) -> None:
    made = job(tmp_path)
    shown: list[int] = []

    def interrupt(progress: object) -> None:
        shown.append(1)
        if len(shown) == 2:
            raise KeyboardInterrupt

    with pytest.raises(RunStopped):
        made.run(interrupt)
    next(tmp_path.glob(".*.parts/part-000000.ndjson")).unlink()
    with pytest.raises(ConfigurationError) as caught:
        run_plan(made.plan(), resume=True)
    assert [finding.code for finding in caught.value.findings] == ["C113"]


def test_a_part_that_is_missing_or_cut_off_is_told_when_the_folder_is_read(tmp_path: Path) -> None:
    job(tmp_path).run()
    reading = tmp_path / "reading"
    reading.mkdir()
    again = pipeline(reading, source_path="../out.ndjson")
    second = tmp_path / "out.ndjson" / "part-000001.ndjson"
    second.write_bytes(second.read_bytes()[:-10])
    with pytest.raises(ConfigurationError, match=r"part-000001\.ndjson' has .* by the manifest"):
        again.plan()
    second.unlink()
    with pytest.raises(ConfigurationError, match=r"part-000001\.ndjson' is missing"):
        again.plan()


@pytest.mark.parametrize(
    ("sink", "said"),
    [
        ("-", "'-' cannot hold parts"),
        ("s3://bucket/out.ndjson", "cannot hold parts"),
        ("out.ndjson.zip", "parts cannot be zip files"),
        ("pipeline.toml", "is a file, expected a folder for parts"),
        ("plugins", "holds 'tidy.py', which is no part of an output"),
        ("nowhere/out.ndjson", "does not exist"),
    ],
)
def test_a_place_that_cannot_hold_parts_is_refused(sink: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        job(tmp_path, sink=sink, more=f'{PARTS}\nformat = "ndjson"', run='dead_letters = "e.ndjson"').plan()
    assert [finding.code for finding in caught.value.findings] == ["C111"]
    assert said in caught.value.findings[0].message


def test_the_folder_that_is_read_is_not_written_in_parts(tmp_path: Path) -> None:
    job(tmp_path).run()
    made = pipeline(tmp_path, source_path="out.ndjson", sink="out.ndjson", sink_more=PARTS)
    with pytest.raises(ConfigurationError, match="is the source itself"):
        made.plan()


def test_a_database_has_no_parts(tmp_path: Path) -> None:
    made = pipeline(tmp_path, source=ndjson({"a": 1}), sink="out.db", sink_more=f'{PARTS}\nformat = "sqlite"')
    with pytest.raises(ConfigurationError) as caught:
        made.run()
    assert [finding.code for finding in caught.value.findings] == ["C111"]
    assert "writes no files" in caught.value.findings[0].message
