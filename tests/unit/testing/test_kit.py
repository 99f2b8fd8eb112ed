"""The kit for plugin authors, used as they use it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any, BinaryIO

import pytest
from hypothesis import strategies

from plugline import testing
from plugline.clock import monotonic_seconds, unix_seconds
from plugline.formats.arrow import Arrow
from plugline.formats.arrows import Arrows
from plugline.formats.avro import Avro
from plugline.formats.csv import Csv
from plugline.formats.lines import Lines
from plugline.formats.ndjson import Ndjson
from plugline.formats.parquet import Parquet
from plugline.records import Record
from plugline.testing import JumpingClock, StepRefused, check_format, check_processor, records
from plugline.testing.fixtures import run_plugin

PLUGIN = '''
"""Put texts in upper case."""

VERSION = "1.0"


class Upper:
    fields: list[str]

    def transform(self, record):
        if record.get("drop"):
            return None
        if record.get("twice"):
            return [record, record]
        return {**record, **{field: record[field].upper() for field in self.fields}}

    def describe(self):
        return "upper"
'''
TESTS = '''
from pathlib import Path

import pytest

from plugline import LoadError, UnknownPlugin
from plugline.clock import monotonic_seconds
from plugline.testing import StepRefused, check_processor, records

PLUGIN = Path(__file__).parent / "plugins" / "upper.py"


def test_a_plugin_is_loaded_with_settings(plugin):
    upper = plugin(PLUGIN, {"fields": ["name"]})
    assert upper.transform({"name": "ada"}) == {"name": "ADA"}
    check_processor(upper)


def test_wrong_settings_are_refused(plugin, run_step):
    with pytest.raises(LoadError, match="field"):
        plugin(PLUGIN, {"fields": 3})
    with pytest.raises(StepRefused, match="fileds"):
        run_step(PLUGIN, [], {"fileds": ["name"]})


def test_a_step_runs_as_in_a_pipeline(run_step):
    given = [{"name": "ada"}, {"name": 1}, {"drop": True}, {"twice": True}]
    outcome = run_step(PLUGIN, given, {"fields": ["name"]})
    assert outcome.records == [{"name": "ADA"}, {"twice": True}, {"twice": True}]
    assert [failure.index for failure in outcome.failures] == [1]
    assert outcome.failures[0].error.kind == "AttributeError"
    assert (outcome.dropped, outcome.created) == (1, 1)
    assert given[0] == {"name": "ada"}


def test_a_host_of_files_that_the_test_writes(host):
    opened = host({"one.py": """
        def answer():
            return 42
    """}, interface=["answer"])
    assert opened["one"].load().answer() == 42


def test_of_several_classes_in_a_file_one_is_named(plugin, tmp_path):
    path = tmp_path / "two.py"
    path.write_text(PLUGIN.read_text() + PLUGIN.read_text().replace("class Upper", "class Other"))
    assert type(plugin(f"{path}:Other", {"fields": []})).__name__ == "Other"
    with pytest.raises(UnknownPlugin, match="two:Other, two:Upper"):
        plugin(path)
    with pytest.raises(UnknownPlugin):
        plugin(f"{path}:Third")


def test_time_passes_when_it_is_told_to(jumping_clock):
    began = monotonic_seconds()
    jumping_clock.jump(60)
    assert monotonic_seconds() - began == 60
'''


def test_the_fixtures_do_what_the_docs_say_in_a_project_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["plugline.testing"]\n')
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "upper.py").write_text(PLUGIN)
    (tmp_path / "test_upper.py").write_text(dedent(TESTS))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("form", [Ndjson, Ndjson()], ids=["a class", "an instance"])
def test_a_format_of_ours_keeps_the_contract(form: Any) -> None:
    check_format(form, examples=8)


@pytest.mark.slow
def test_a_format_of_tables_and_one_of_lines_keep_it_for_records_that_they_hold() -> None:
    texts = strategies.text(strategies.characters(exclude_categories=["Cs"]))
    check_format(Csv(), strategies.fixed_dictionaries({"a": texts, "b": texts}), examples=8)
    printable = strategies.text(strategies.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf"]))
    typed = strategies.fixed_dictionaries({"a": texts, "n": strategies.integers(-9, 9), "day": strategies.dates()})
    for form in (Parquet(), Arrow(), Arrows(), Avro(block_bytes=20)):
        check_format(form, typed, examples=8)
    check_format(Lines(), strategies.fixed_dictionaries({"line": printable}), examples=8)


class _Losing(Ndjson):
    """Leaves out every record that is empty."""

    def writer(self) -> Any:
        real = super().writer()

        class Writer:
            separator = b""
            columns = None

            def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
                real.open(stream, first=first, columns=columns)

            def encode(self, record: Record, /) -> object:
                return real.encode(record)

            def write(self, encoded: list[object], /) -> None:
                real.write([one for one in encoded if one != real.encode({})])

            def close(self, *, last: bool) -> None:
                real.close(last=last)

        return Writer()


class _Holding(Ndjson):
    """Holds whatever it is given."""

    def writer(self) -> Any:
        made = super().writer()
        encode = made.encode
        made.encode = lambda record: encode({key: str(value) for key, value in record.items()})  # type: ignore[method-assign]
        return made


@pytest.mark.parametrize(
    ("form", "law"),
    [(_Losing(), "read as the same"), (_Holding(), "read as the same|cannot be held")],
    ids=["loses records", "makes text of everything"],
)
def test_a_format_that_breaks_a_law_is_told_which(form: Any, law: str) -> None:
    with pytest.raises(AssertionError, match=law):
        check_format(form, examples=20)


class _Counting:
    def __init__(self) -> None:
        self.seen = 0

    def transform(self, record: Record) -> Record:
        self.seen += 1
        return {**record, "seen": self.seen}

    def describe(self) -> str:
        return "counts"


class _Texting:
    def transform(self, record: Record) -> Any:
        return str(record)

    def describe(self) -> str:
        return "text"


class _Silent(_Texting):
    def describe(self) -> str:
        return " "


@pytest.mark.parametrize(
    ("processor", "law"),
    [(_Counting(), "and then"), (_Texting(), "returned"), (_Silent(), "describe")],
    ids=["remembers", "returns text", "says nothing"],
)
def test_a_processor_that_breaks_a_law_is_told_which(processor: Any, law: str) -> None:
    with pytest.raises(AssertionError, match=law):
        check_processor(processor)


def test_a_stateful_processor_may_remember() -> None:
    counting = _Counting()
    counting.STATEFUL = True  # type: ignore[attr-defined]
    check_processor(counting, records())


def test_a_shipped_processor_is_run_by_its_name() -> None:
    outcome = run_plugin("rename", [{"a": 1}], {"names": {"a": "b"}})
    assert outcome.records == [{"b": 1}]


def test_an_unknown_plugin_is_refused_with_what_is_near() -> None:
    with pytest.raises(StepRefused, match="rename"):
        run_plugin("renam", [])


def test_the_clock_is_the_real_one_again_afterwards() -> None:
    real = unix_seconds()
    clock = JumpingClock(unix_seconds=5.0)
    with clock.in_force():
        clock.jump(1)
        clock.set_back(3)
        assert unix_seconds() == 3.0
        assert monotonic_seconds() == 1.0
    assert unix_seconds() >= real
    with pytest.raises(ValueError, match="-1"):
        clock.jump(-1)


def test_all_that_the_kit_promises_is_there() -> None:
    assert all(hasattr(testing, name) for name in testing.__all__)


class Empty:
    """Neither a format nor a processor."""


def test_what_is_no_format_and_no_processor_is_told_what_it_lacks() -> None:
    with pytest.raises(AssertionError, match=r"Empty has no reader\(\) and no writer\(\)"):
        check_format(Empty)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=r"Empty has no transform\(\) .* and no describe\(\)"):
        check_processor(Empty())  # type: ignore[arg-type]


class Tables:
    """Adds a column to tables."""

    def describe(self) -> str:
        return "adds a column"

    def transform_batch(self, table: Any) -> Any:
        return table.append_column("more", [[1] * table.num_rows])


class NoTables(Tables):
    """Returns what is no table."""

    def transform_batch(self, table: Any) -> Any:
        return "no table"


def test_a_processor_of_tables_is_held_against_the_contract_too() -> None:
    columns = records({"a": strategies.integers(0, 9)}, nested=False).map(lambda record: {"a": record["a"]})
    check_processor(Tables(), columns)
    with pytest.raises(AssertionError, match="returned an object of type 'str', expected a table"):
        check_processor(NoTables(), columns)


def test_a_package_may_be_named_by_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text(
        "from .inner import transform\n\ndef describe():\n    return 'twice'\n"
    )
    (tmp_path / "pack" / "inner.py").write_text("def transform(record):\n    return [record, record]\n")
    for path in (tmp_path / "pack", tmp_path / "pack" / "__init__.py"):
        assert run_plugin(path, [{"a": 1}]).created == 1


def test_of_several_classes_in_a_file_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "two.py"
    path.write_text(PLUGIN + PLUGIN.replace("class Upper", "class Twice").replace('"twice"', '"never"'))
    given: list[Record] = [{"twice": True}]
    assert len(run_plugin(f"{path}:Upper", given, {"fields": []}).records) == 2
    assert run_plugin(f"{path}:Twice", given, {"fields": []}).records == given
    with pytest.raises(StepRefused, match="two:Twice, two:Upper"):
        run_plugin(path, given)


def test_a_file_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.py", "nowhere/at_all.py", "nowhere.py"):
        with pytest.raises(StepRefused, match=r"P101.*nowhere.*there is no such file"):
            run_plugin(path, [{"a": 1}])
