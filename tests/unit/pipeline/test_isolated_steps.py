"""A pipeline with a step in a worker: what it writes is what it writes without."""

import gzip
import json
from pathlib import Path

import pytest

from plugline.cli import main
from plugline.isolation.levels import Level
from tests.workers import LEVELS

pytestmark = pytest.mark.slow

RECORDS = 4_000  # several batches
PLUGINS = {
    "early": "if record['n'] % 97 == 5:\n        raise ValueError('early')\n    return {**record, 'early': 1}",
    "far": (
        "n = record['n']\n    if n in record['deaths']:\n        import os; os._exit(1)\n"
        "    if n % 101 == 7:\n        raise KeyError('far')\n    if n % 103 == 9:\n        return None\n"
        "    return [record, {**record, 'copy': 1}] if n % 107 == 11 else {**record, 'far': 1}"
    ),
    "late": "if record['n'] % 109 == 13:\n        raise TypeError('late')\n    return {**record, 'late': 1}",
}


def write_pipeline(
    folder: Path, name: str, level: str, *, late: str = "dead-letter", source: str = "in.ndjson"
) -> Path:
    plugins = folder / "plugins"
    plugins.mkdir(mode=0o755, exist_ok=True)
    for plugin, body in PLUGINS.items():
        text = f"def transform(record):\n    {body}\n\ndef describe():\n    return {plugin!r}\n"
        (plugins / f"{plugin}.py").write_text(text, encoding="utf-8")
    path = folder / f"{name}.toml"
    path.write_text(
        f'plugins = ["plugins"]\n[source]\npath = "{source}"\n[[steps]]\nuse = "early"\n'
        f'[[steps]]\nuse = "far"\nisolation = "{level}"\n[[steps]]\nuse = "late"\non_error = "{late}"\n'
        f'[sink]\npath = "{name}.ndjson"\n[run]\nmax_errors = "none"\nprocesses = 1\n',
        encoding="utf-8",
    )
    return path


def lines(deaths: tuple[int, ...] = ()) -> bytes:
    return b"".join(
        json.dumps({"n": n, "deaths": deaths, "text": "x" * 100}).encode() + b"\n" if n % 113 else b"no record\n"
        for n in range(RECORDS)
    )


def letters(path: Path) -> list[tuple[str, str, str, int]]:
    found = [json.loads(line) for line in path.with_suffix(".errors.ndjson").read_bytes().splitlines()]
    return [(one["raw"], one["step"]["name"], one["error"]["type"], one["position"]["line"]) for one in found]


@pytest.mark.parametrize("level", LEVELS)
def test_a_step_in_a_worker_changes_nothing_of_what_is_written(tmp_path: Path, level: Level) -> None:
    (tmp_path / "in.ndjson").write_bytes(lines())
    for name in ("none", level):
        assert main(["run", str(write_pipeline(tmp_path, name, name)), "-q"]) == 1
    here, there = tmp_path / "none.ndjson", tmp_path / f"{level}.ndjson"
    assert there.read_bytes() == here.read_bytes()
    assert letters(there) == letters(here)
    assert {name for _, name, *_ in letters(there)} == {"source", "early", "far", "late"}


def test_records_on_which_a_worker_dies_are_dead_letters_and_no_others(tmp_path: Path) -> None:
    deaths = (200, 1800, 1801, 3999)
    (tmp_path / "in.ndjson").write_bytes(lines(deaths))
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "in.ndjson").write_bytes(lines())
    assert main(["run", str(write_pipeline(tmp_path, "process", "process")), "-q"]) == 1
    assert main(["run", str(write_pipeline(tmp_path / "without", "none", "none")), "-q"]) == 1
    numbers = [json.loads(line)["n"] for line in (tmp_path / "process.ndjson").read_bytes().splitlines()]
    expected = [json.loads(line)["n"] for line in (tmp_path / "without" / "none.ndjson").read_bytes().splitlines()]
    assert numbers == [n for n in expected if n not in deaths]
    died = [
        json.loads(raw)["n"]
        for raw, _, kind, _ in letters(tmp_path / "process.ndjson")
        if kind.endswith("WorkerFailed")
    ]
    assert tuple(died) == deaths


@pytest.mark.parametrize("kind", ["a step that stops", "a source that ends in the middle"])
def test_a_run_that_stops_has_the_same_dead_letters(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stops = kind == "a step that stops"
    source = "in.ndjson" if stops else "in.ndjson.gz"
    (tmp_path / source).write_bytes(lines() if stops else gzip.compress(lines(), mtime=0)[:-9_000])
    said = []
    for name in ("none", "process"):
        path = write_pipeline(tmp_path, name, name, late="stop" if stops else "dead-letter", source=source)
        assert main(["run", str(path), "-q"]) == 4
        said.append(capsys.readouterr().err.replace(f"{name}.", "NAME.").partition("\n")[0])
        assert not (tmp_path / f"{name}.ndjson").exists()
    assert said[0] == said[1]
    assert letters(tmp_path / "process.ndjson") == letters(tmp_path / "none.ndjson")


COUNTING = {
    "at the top of a module": (
        "STATEFUL = True\nseen = []\n{transform}\ndef describe():\n    return 'counts'\n",
        "def transform(record):\n    {body}\n",
    ),
    "at the top, of a class": (
        "STATEFUL = True\nseen = []\nclass Far:\n{transform}\n    def describe(self):\n        return 'counts'\n",
        "    def transform(self, record):\n        {body}\n",
    ),
    "in a class": (
        "seen = []\nclass Far:\n    STATEFUL = True\n{transform}\n    def describe(self):\n        return 'counts'\n",
        "    def transform(self, record):\n        {body}\n",
    ),
}


def counting(folder: Path, said: str, body: str) -> Path:
    """Write a pipeline whose plugin numbers the records that it has seen."""
    text, transform = COUNTING[said]
    body = f"seen.append(0); {body}; return {{'number': len(seen)}}"
    (folder / "plugins").mkdir(mode=0o755)
    (folder / "plugins" / "far.py").write_text(text.format(transform=transform.format(body=body)), encoding="utf-8")
    (folder / "in.ndjson").write_bytes(b"".join(b'{"n": %d}\n' % n for n in range(RECORDS)))
    path = folder / "count.toml"
    path.write_text(
        '[source]\npath = "in.ndjson"\n[[steps]]\nuse = "far"\nisolation = "process"\n[sink]\npath = "out.ndjson"\n'
        '[run]\nmax_errors = "none"\nprocesses = 2\nsplit_bytes = 4096\n',
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("said", COUNTING)
def test_a_stateful_step_in_a_worker_sees_all_records_in_order(tmp_path: Path, said: str) -> None:
    assert main(["run", str(counting(tmp_path, said, "pass")), "-q"]) == 0
    lines = (tmp_path / "out.ndjson").read_bytes().splitlines()
    assert [json.loads(line)["number"] for line in lines] == list(range(1, RECORDS + 1))


def test_a_stateful_step_whose_worker_died_does_not_begin_anew_unseen(tmp_path: Path) -> None:
    death = "import os; record['n'] == 3_000 and os._exit(1)"
    assert main(["run", str(counting(tmp_path, "in a class", death)), "-q"]) == 1
    numbers = [json.loads(line)["number"] for line in (tmp_path / "out.ndjson").read_bytes().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    failed = [json.loads(line) for line in (tmp_path / "out.errors.ndjson").read_bytes().splitlines()]
    assert len(numbers) + len(failed) == RECORDS
    assert failed[-1]["record"] == {"n": RECORDS - 1}
    assert "what it had seen of the records went with it" in failed[-1]["error"]["message"]


def test_a_file_of_its_settings_that_a_sandboxed_step_may_not_read_says_what_grants_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.ndjson").write_bytes(b'{"id": "1"}\n')
    (tmp_path / "names.csv").write_bytes(b"id,name\n1,one\n")
    text = (
        '[source]\npath = "in.ndjson"\n[[steps]]\nuse = "join"\nwith = { path = "names.csv", on = "id" }\n'
        'isolation = "sandbox"\n# sandbox = { read = ["names.csv"] }\n[sink]\npath = "out.ndjson"\n'
    )
    path = tmp_path / "pipeline.toml"
    path.write_text(text, encoding="utf-8")
    assert main(["run", str(path), "-q"]) == 2
    assert 'sandbox = { read = ["FILE"] }' in capsys.readouterr().err
    path.write_text(text.replace("# ", ""), encoding="utf-8")
    assert main(["run", str(path), "-q"]) == 0
    assert (tmp_path / "out.ndjson").read_bytes() == b'{"id":"1","name":"one"}\n'


FRAMES = '''class Frame:
    """Hands over a table as the frames of Polars do."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def transform_batch(table):
    if 7 in table.column("n").to_pylist():
        raise ValueError("seven")
    return Frame(table)


def describe():
    return "frames"
'''


@pytest.mark.parametrize("level", LEVELS)
def test_a_step_in_a_worker_may_return_a_table_of_another_library(tmp_path: Path, level: Level) -> None:
    (tmp_path / "plugins").mkdir(mode=0o755)
    (tmp_path / "plugins" / "frames.py").write_text(FRAMES, encoding="utf-8")
    (tmp_path / "in.ndjson").write_bytes(b"".join(b'{"n": %d}\n' % n for n in range(20)))
    path = tmp_path / "pipeline.toml"
    path.write_text(
        '[source]\npath = "in.ndjson"\n[[steps]]\nuse = "frames"\n'
        f'isolation = "{level}"\n[sink]\npath = "out.ndjson"\n',
        encoding="utf-8",
    )
    assert main(["run", str(path), "-q"]) == 1
    assert (tmp_path / "out.ndjson").read_bytes() == b"".join(b'{"n":%d}\n' % n for n in range(20) if n != 7)
    assert [raw for raw, *_ in letters(tmp_path / "out.ndjson")] == ['{"n": 7}\n']
