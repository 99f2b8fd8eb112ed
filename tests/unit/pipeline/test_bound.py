"""A plan to plugins that are loaded and ready."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from plugline.errors import ConfigurationError
from plugline.findings import Finding
from plugline.pipeline.bound import BoundPlan, bound_engine, findings_of_shipped
from plugline.pipeline.run import run_plan
from tests.builders import Pipeline, ndjson, pipeline, processor

COUNTER = """
class Counter:
    start: int = 0

    def __init__(self, start=0):
        self.count = start

    def transform(self, record):
        self.count += 1
        return {**record, str(len(record)): self.count}

    def describe(self):
        return "counts"
"""

PICKY = """
from dataclasses import dataclass

@dataclass
class Picky:
    low: int
    high: int

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, expected at most high, {self.high}")

    def transform(self, record):
        return record

    def describe(self):
        return "picky"
"""


def findings(job: Pipeline) -> Sequence[Finding]:
    plan = job.plan()
    with pytest.raises(ConfigurationError) as caught:
        run_plan(plan)
    assert job.sink not in job.files, "nothing was written"
    return caught.value.findings


def test_two_steps_of_one_class_have_an_instance_each(tmp_path: Path) -> None:
    steps = ['use = "counter"\nwith = { start = 10 }', 'use = "counter"\nwith = { start = 20 }', "counter", "counter"]
    job = pipeline(tmp_path, plugins={"counter.py": COUNTER}, source=ndjson({}, {}), steps=steps)
    job.run()
    assert job.records == [{"0": 11, "1": 21, "2": 1, "3": 1}, {"0": 12, "1": 22, "2": 2, "3": 2}]


_BOUND = """
import sys
compiled = []
sys.addaudithook(lambda event, arguments: compiled.append(str(arguments[1])) if event == "compile" else None)
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.config import read_config
from plugline.pipeline.plan import make_plan
plan = make_plan(read_config(open("pipeline.toml", "rb").read(), "pipeline.toml"), ".")
compiled.clear()
with BoundPlan(plan):
    print(*(path.rpartition("/")[2] for path in compiled if "plugins" in path))
"""


def test_what_is_compiled_to_be_looked_at_is_what_is_run(tmp_path: Path) -> None:
    plugins = {"upper.py": processor(), "trim.py": processor()}
    job = pipeline(tmp_path, plugins=plugins, source=b"", steps=["upper", "trim", "upper"])
    ran = subprocess.run([sys.executable, "-c", _BOUND], cwd=job.folder, capture_output=True, text=True, check=False)
    assert sorted(ran.stdout.split()) == ["trim.py", "upper.py"], ran.stderr


def test_a_class_that_refuses_its_settings_is_told_at_their_place_before_the_first_record(tmp_path: Path) -> None:
    step = 'use = "picky"\nwith = { low = 3, high = 2 }'
    (finding,) = findings(pipeline(tmp_path, plugins={"picky.py": PICKY}, source=b"", steps=[step]))
    assert finding.code == "C104"
    assert str(finding.place).endswith("pipeline.toml:5:8")
    assert "low is 3, expected at most high, 2" in finding.message


def test_inherited_settings_are_checked_before_the_first_record(tmp_path: Path) -> None:
    plugins = {
        "_base.py": "class Base:\n    fields: list[str]\n    def describe(self): return ''\n",
        "upper.py": "from ._base import Base\n\nclass Upper(Base):\n    def transform(self, record): return record\n",
    }
    step = 'use = "upper"\nwith = { feilds = ["a"] }'
    found = findings(pipeline(tmp_path, plugins=plugins, source=b"", steps=[step]))
    assert [(one.code, one.place.line) for one in found] == [("C101", 5), ("C102", 5)]


def test_everything_that_cannot_be_loaded_is_told_at_once(tmp_path: Path) -> None:
    plugins = {
        "one.py": processor(top="raise ValueError('no table')"),
        "two.py": processor(top="import sys; sys.exit(3)"),
        "three.py": processor(top="def available(): return 'no display'"),
    }
    found = findings(pipeline(tmp_path, plugins=plugins, source=b"", steps=["one", "two", "three"]))
    assert [(one.code[0], Path(one.place.path).name, one.place.line) for one in found] == [
        ("P", "one.py", 1),
        ("P", "two.py", 1),
        ("C", "pipeline.toml", 8),
    ]
    assert "no display" in found[2].message


def test_options_that_a_shipped_format_refuses_are_told_at_their_place_and_not_at_a_line_of_ours(
    tmp_path: Path,
) -> None:
    job = pipeline(tmp_path, source=b"", sink="out.parquet", sink_more='options = { types = { a = "itn" } }')
    (finding,) = findings(job)
    assert (finding.code, Path(finding.place.path).name, finding.place.line) == ("C104", "pipeline.toml", 5)
    assert "cannot be used like this: type 'itn': expected one of 'str'" in finding.message
    assert finding.hint == "plugline info parquet tells its settings"
    assert [*findings_of_shipped(job.plan())] == [finding]


def test_a_format_that_cannot_make_a_writer_is_told_before_the_first_record(tmp_path: Path) -> None:
    form = "class Lines:\n    def reader(self): ...\n    def writer(self): raise ValueError('no such dialect')\n"
    (finding,) = findings(
        pipeline(tmp_path, plugins={"lines.py": form}, source=b"", sink="out.x", sink_more='format = "lines"')
    )
    assert finding.code == "C108"
    assert "no such dialect" in finding.message
    assert Path(finding.place.path).name == "lines.py"
    assert finding.place.line == 3


@pytest.mark.parametrize(
    "form",
    [
        "class Form:\n    def reader(self): return 3\n    def writer(self): ...\n",
        "class Form:\n    def reader(self): ...\n    def writer(self): return 3\n",
    ],
)
def test_a_format_without_what_a_format_has_is_told_before_the_first_record(form: str, tmp_path: Path) -> None:
    more = 'format = "form"'
    job = pipeline(tmp_path, plugins={"form.py": form}, source=b"", source_more=more, sink_more=more)
    assert {finding.code for finding in findings(job)} == {"C108"}


def test_a_file_may_hold_a_processor_and_a_format(tmp_path: Path) -> None:
    form = """
import json

class Form:
    def reader(self):
        return self
    def batches(self, stream):
        self.raws = stream.read().splitlines()
        yield self
    def decode(self, raw):
        return json.loads(raw)
    def position(self, index): ...
    def writer(self): ...
"""
    plugins = {"both.py": processor("return {**record, 'a': 2}") + form}
    job = pipeline(tmp_path, plugins=plugins, source=b'{"b":1}', source_more='format = "both"', steps=["both"])
    job.run()
    assert job.records == [{"b": 1, "a": 2}]


def test_a_plan_is_whole_without_its_folder(tmp_path: Path) -> None:
    plugins = {
        "_shared.py": "def loud(text): return text.upper()",
        "upper.py": processor("return {'a': loud(record['a'])}", top="from ._shared import loud"),
        "score/__init__.py": processor("return {**record, 'score': rules.score(record)}", top="from . import rules"),
        "score/rules.py": "def score(record): return len(record['a'])",
    }
    job = pipeline(tmp_path, plugins=plugins, source=ndjson({"a": "x"}), steps=["upper", "score"])
    plan = job.plan()
    shutil.rmtree(tmp_path / "plugins")
    run_plan(plan)
    assert job.records == [{"a": "X", "score": 1}]


@pytest.mark.slow
def test_a_plan_runs_in_another_process_and_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plugins = {
        "_shared.py": "def loud(text): return text.upper()",
        "upper.py": processor("return {'a': loud(record['a']), 'at': __file__}", top="from ._shared import loud"),
    }
    job = pipeline(Path(), plugins=plugins, source=ndjson({"a": "x"}), steps=["upper"])
    plan = job.plan()
    (tmp_path / "plan").write_bytes(pickle.dumps(plan))
    shutil.rmtree(tmp_path / "plugins")
    program = """
import pickle, sys
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.split import SplitWork
with open(sys.argv[1], "rb") as stream:
    plan = pickle.load(stream)
with BoundPlan(plan) as bound, SplitWork(plan, bound, most_bytes=0) as work:
    print(work.run(plan.splits[0]).path)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "plan")], cwd="/", capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).parent == tmp_path
    assert Path(done.stdout.strip()).read_bytes() == ndjson(
        {"a": "X", "at": str(tmp_path / "plugins" / "upper.py")}
    ).replace(b" ", b"")


def test_a_closed_plan_leaves_no_module_and_no_import_finder(tmp_path: Path) -> None:
    plugins = {"upper.py": processor(), "broken.py": processor(top="import plugins.nowhere")}
    job = pipeline(tmp_path, plugins=plugins, source=b"", steps=["upper"])
    with BoundPlan(job.plan()):
        assert "plugins.upper" in sys.modules
    assert not [name for name in sys.modules if name.startswith("plugins")]
    job = pipeline(tmp_path, source=b"", steps=["upper", "broken"])
    with pytest.raises(ConfigurationError):
        BoundPlan(job.plan())
    assert not [name for name in sys.modules if name.startswith("plugins")]
    assert not [finder for finder in sys.meta_path if type(finder).__module__.startswith("plugline")]


def test_an_engine_is_let_go_of_when_it_is_not_needed_any_more(tmp_path: Path) -> None:
    engine = "def run(runner, splits, /):\n    return map(runner, splits)\n"
    job = pipeline(tmp_path, plugins={"mine.py": engine}, source=b"", run='engine = "mine"')
    with bound_engine(job.plan()):
        assert "plugins.mine" in sys.modules
    assert "plugins.mine" not in sys.modules


def test_an_engine_that_cannot_be_loaded_is_a_finding(tmp_path: Path) -> None:
    engine = "raise ValueError('no cluster')\ndef run(runner, splits, /): ...\n"
    job = pipeline(tmp_path, plugins={"mine.py": engine}, source=b"", run='engine = "mine"')
    (finding,) = findings(job)
    assert "no cluster" in finding.message


def test_an_engine_that_declines_is_a_finding_at_its_name(tmp_path: Path) -> None:
    engine = "def available(): return 'no cluster'\ndef run(runner, splits, /): ...\n"
    job = pipeline(tmp_path, plugins={"mine.py": engine}, source=b"", run='engine = "mine"')
    (finding,) = findings(job)
    assert (finding.code, finding.place.line) == ("C108", 6)


def test_a_setting_that_is_a_path_is_found_from_another_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "word.txt").write_text("said")
    plugins = {
        "says.py": """
            from pathlib import Path

            class Says:
                path: Path

                def transform(self, record):
                    return {**record, "word": self.path.read_text()}

                def describe(self):
                    return "says"
            """
    }
    plugins = {name: dedent(text) for name, text in plugins.items()}
    step = 'use = "says"\nwith = { path = "word.txt" }'
    job = pipeline(Path(), plugins=plugins, source=ndjson({"a": 1}), steps=[step])
    plan = job.plan()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run_plan(plan)
    monkeypatch.chdir(tmp_path)
    assert job.records == [{"a": 1, "word": "said"}]


def test_dead_letters_name_errors_as_ever_where_other_plans_are_loaded_too(tmp_path: Path) -> None:
    plugins = {"odd.py": processor("raise Odd('no')", top="class Odd(Exception): pass")}
    job = pipeline(tmp_path, plugins=plugins, source=ndjson({"a": 1}), steps=["odd"], run='max_errors = "none"')
    with BoundPlan(job.plan()):
        report = job.run()
    assert "plugins.odd.Odd" in str(report.errors)
    assert "'plugins.odd.Odd'" in str(job.dead_letters)
    assert "plugins_" not in str(job.dead_letters) + str(report.tracebacks)


_METHODS = "    def transform(self, record):\n        return {{**record, {0!r}: self.text}}\n    def describe(self):\n        return ''\n"
SEVERAL = "".join(
    f"class {name}:\n    text: str = {name.lower()!r}\n{_METHODS.format(name)}" for name in ("One", "Two")
)


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_each_class_of_a_file_is_a_step_with_its_own_settings(isolation: str, tmp_path: Path) -> None:
    first = f'use = "both:Two"\nwith = {{ text = "second" }}\nisolation = "{isolation}"'
    steps = [first, f'use = "both:One"\nisolation = "{isolation}"']
    job = pipeline(tmp_path, plugins={"both.py": SEVERAL}, source=ndjson({}), steps=steps)
    job.run()
    assert job.records == [{"Two": "second", "One": "one"}]


def test_the_name_of_a_file_with_several_processors_is_answered_with_theirs(tmp_path: Path) -> None:
    job = pipeline(tmp_path, plugins={"both.py": SEVERAL}, source=ndjson({}), steps=["both"])
    with pytest.raises(ConfigurationError, match=r"no processor is named 'both'\n  hint: .* both:One, both:Two"):
        job.plan()


def test_a_class_of_another_kind_leaves_the_only_processor_the_name_of_the_file(tmp_path: Path) -> None:
    engine = "class Pool:\n    def run(self, runner, splits): ...\n"
    text = engine + SEVERAL.replace("class Two", "class _Two")
    job = pipeline(tmp_path, plugins={"both.py": text}, source=ndjson({}), steps=["both"])
    job.run()
    assert job.records == [{"One": "one"}]
