"""What runs in a worker is used as if it ran here."""

import datetime
import decimal
import logging
import os
import pickle
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Protocol, cast

import pytest

from plugline import Host, LoadError, PluginDeclined
from plugline.errors import ModuleMissing, PluginQuarantined, PluginRaised, SettingsRefused, WorkerFailed
from plugline.isolation.levels import Level
from plugline.worker.limits import Sandbox
from plugline.worker.packing import Unsendable
from tests.workers import LEVELS, host_of, write_plugin

SOURCE = Path(__file__).parents[3] / "src"

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("level", LEVELS)]


class Processor(Protocol):
    def transform(self, record: dict[str, object], /) -> object: ...

    def describe(self) -> str: ...


class Greeter:
    def greet(self, name: str) -> str:
        raise NotImplementedError

    def twice(self, name: str) -> str:
        return self.greet(name) + self.greet(name)


class Plain(Protocol):
    def name(self) -> str: ...

    def add(self, first: int, second: int) -> int: ...


@pytest.mark.parametrize("shape", ["first, second", "second, first, third=0", "*numbers"])
def test_functions_without_parameters_provide_a_protocol(tmp_path: Path, level: Level, shape: str) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/a.py").write_text(f"def name(): return 'a'\ndef add({shape}): return 3\n")
    with Host(tmp_path / "plugins", interface=Plain, isolation=level, limits=Sandbox(timeout_seconds=10)) as host:
        plugin = host["a"].load()
        assert (plugin.name(), plugin.add(1, 2)) == ("a", 3)


def processors(folder: Path, level: Level) -> Host[Processor]:
    return Host(str(folder), interface=Processor, isolation=level, limits=Sandbox(timeout_seconds=10))


def test_a_plugin_in_a_worker_answers_as_it_would_here(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return {**record, 'pid': os.getpid()}")
    with processors(folder, level) as host:
        plugin = host["subject"].load()
        made = cast("dict[str, object]", plugin.transform({"name": "Ada"}))
        assert made.pop("pid") != os.getpid()
        assert made == {"name": "Ada"}
        assert plugin.describe() == "subject"
        assert host["subject"].load() is plugin
        assert host["subject"].state == "loaded"


def test_a_chain_passes_through_workers(tmp_path: Path, level: Level) -> None:
    write_plugin(tmp_path, "return {**record, 'a': 1}", "one")
    folder = write_plugin(tmp_path, "return {**record, 'b': record['a'] + 1}", "two")
    with processors(folder, level) as host:
        assert host.chain("transform")({}) == {"a": 1, "b": 2}


def test_values_arrive_as_what_they_were(tmp_path: Path, level: Level) -> None:
    values: list[object] = [
        None, True, 2**80, -1, 1.5, "ä\ud800", b"\x00", [1, [2]], (1, (2,)), {"a": {"b": None}}, {1: 2}, {3}, frozenset({4}),
        bytearray(b"x"), 1j, decimal.Decimal("1.10"), datetime.date(2020, 2, 29), datetime.time(1, 2),
        datetime.timedelta(days=-1), datetime.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
    ]  # fmt: skip
    folder = write_plugin(tmp_path, "return record['value']")
    with processors(folder, level) as host:
        plugin = host["subject"].load()
        for value in values:
            found = plugin.transform({"value": value})
            assert (type(found), found) == (type(value), value)


def test_what_cannot_cross_is_an_error_that_says_where_it_is(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return {'a': [object()]} if 'own' in record else record")
    with processors(folder, level) as host:
        plugin = host["subject"].load()
        with pytest.raises(Unsendable, match=r"the value at \['b'\] is of type '.*Path', which cannot cross; str"):
            plugin.transform({"b": tmp_path})
        with pytest.raises(
            TypeError, match=r"returned what cannot cross: the value at \['a'\]\[0\] is of type 'object'"
        ):
            plugin.transform({"own": 1})
        assert plugin.transform({"c": 1}) == {"c": 1}


def test_a_generator_arrives_as_a_list(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return ({'n': n} for n in range(3))")
    with processors(folder, level) as host:
        assert host["subject"].load().transform({}) == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_what_a_plugin_raises_is_caught_by_its_own_class_and_has_its_traceback(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return record['missing']")
    with processors(folder, level) as host, pytest.raises(KeyError) as caught:
        host["subject"].load().transform({})
    error = caught.value
    assert isinstance(error, PluginRaised)
    assert (error.plugin, error.kind, error.message, error.line) == ("subject", "KeyError", "'missing'", 4)
    assert error.path == str(folder / "subject.py")
    assert "return record['missing']" in error.traceback
    assert "plugline" not in error.traceback.replace("plugline-", "")
    assert any("return record['missing']" in note for note in error.__notes__)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - its own


@pytest.mark.parametrize("raised", ["SystemExit(3)", "KeyboardInterrupt()", "GeneratorExit()", "StopIteration(1)"])
def test_nothing_that_a_plugin_raises_ends_the_host(tmp_path: Path, level: Level, raised: str) -> None:
    folder = write_plugin(tmp_path, f"raise {raised}")
    with processors(folder, level) as host, pytest.raises(PluginRaised) as caught:
        host["subject"].load().transform({})
    assert caught.value.kind == raised.partition("(")[0]
    assert not isinstance(caught.value, (SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration))


def test_settings_go_along_and_are_checked_all_at_once(tmp_path: Path, level: Level) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir(mode=0o755)
    source = """
class Cut:
    field: str
    length: int = 3

    def transform(self, record):
        return {**record, self.field: record[self.field][: self.length]}

    def describe(self):
        return f"cut to {self.length}"
"""
    (folder / "cut.py").write_text(source, encoding="utf-8")
    with processors(folder, level) as host:
        handle = host["cut"]
        assert handle.load({"field": "name"}).transform({"name": "Augusta"}) == {"name": "Aug"}
        two = handle.load({"field": "city", "length": 1})
        assert two.transform({"city": "Oslo"}) == {"city": "O"}
        assert two.describe() == "cut to 1"
        assert getattr(two, "length") == 1  # noqa: B009 - the interface has it not
        with pytest.raises(SettingsRefused) as caught:
            handle.load({"feld": "name", "length": "long"})
        assert [finding.code for finding in caught.value.findings] == ["C101", "C103", "C102"]
        with pytest.raises(SettingsRefused):
            handle.load()


def test_a_class_of_the_hosts_base_is_an_instance_of_it(tmp_path: Path, level: Level) -> None:
    (tmp_path / "greeting_base.py").write_text(
        "import abc\n\nclass Base(abc.ABC):\n    @abc.abstractmethod\n    def greet(self, name): ...\n\n"
        "    def twice(self, name):\n        return self.greet(name) * 2\n",
        encoding="utf-8",
    )
    folder = tmp_path / "plugins"
    folder.mkdir(mode=0o755)
    (folder / "polite.py").write_text(
        "from greeting_base import Base\n\nclass Polite(Base):\n    def greet(self, name):\n        return f'Dear {name}! '\n",
        encoding="utf-8",
    )
    import sys

    sys.path.insert(0, str(tmp_path))
    try:
        from greeting_base import Base  # type: ignore[import-not-found]

        limits = Sandbox(read=[tmp_path], timeout_seconds=10)
        with Host(str(folder), interface=Base, isolation=level, limits=limits) as host:
            polite = host["polite"].load()
            assert isinstance(polite, Base)
            assert polite.twice("Ada") == "Dear Ada! Dear Ada! "
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("greeting_base", None)


def test_a_base_class_that_a_worker_cannot_import_is_told(tmp_path: Path, level: Level) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir(mode=0o755)
    source = "class Rude(Greeter):\n    def greet(self, name):\n        return name\n"
    (folder / "rude.py").write_text(source, encoding="utf-8")
    local = type("Greeter", (Greeter,), {"__module__": "nowhere_to_be_found"})
    with Host(str(folder), interface=local, isolation=level) as host:
        plugin = next(iter(host))
        with pytest.raises(LoadError) as caught:
            plugin.load()
    assert [finding.code for finding in caught.value.findings] in (["P361"], ["P301"])


def test_a_plugin_that_declines_declines_here(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return record")
    with (folder / "subject.py").open("a", encoding="utf-8") as file:
        file.write("\ndef available():\n    return 'no display'\n")
    with processors(folder, level) as host:
        with pytest.raises(PluginDeclined, match="no display"):
            host["subject"].load()
        assert host["subject"].state == "declined"


def test_what_is_wrong_while_loading_is_a_finding_with_its_line(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return record")
    with (folder / "subject.py").open("a", encoding="utf-8") as file:
        file.write("\nTABLE = {}['x']\n")
    with processors(folder, level) as host:
        handle = host["subject"]
        with pytest.raises(LoadError) as caught:
            handle.load()
        assert handle.state == "failed"
    (finding,) = caught.value.findings
    assert (finding.code, finding.place.line) == ("P301", 9)
    assert "KeyError: 'x'" in finding.message


def test_helpers_beside_a_plugin_come_along_and_are_checked_as_here(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "from ._shared import mark\nreturn mark(record)")
    (folder / "_shared.py").write_text("def mark(record):\n    return {**record, 'm': 1}\n", encoding="utf-8")
    with processors(folder, level) as host:
        assert host["subject"].load().transform({}) == {"m": 1}
    (folder / "_shared.py").chmod(0o666)
    with processors(folder, level) as host, pytest.raises(PluginRaised, match="T101"):
        host["subject"].load().transform({})


def test_prints_and_log_records_arrive_under_the_plugins_name(
    tmp_path: Path, level: Level, caplog: pytest.LogCaptureFixture
) -> None:
    body = (
        "import logging\nprint('on\\tout')\nprint('on err', file=sys.stderr)\n"
        "logging.getLogger(__name__).error('two\\nlines')\nlogging.getLogger('django').info('elsewhere')\n"
        "os.write(1, b'raw \\x1b[31m\\n')\nreturn None"
    )
    folder = write_plugin(tmp_path, body)
    caplog.set_level(logging.INFO)
    with processors(folder, level) as host:
        host["subject"].load().transform({})
    found = {(one.levelname, one.getMessage()) for one in caplog.records if one.name.startswith("plugins")}
    assert {
        ("INFO", "on\tout"),
        ("WARNING", "on err"),
        ("ERROR", "two\n    lines"),
        ("INFO", "elsewhere"),
        ("INFO", "raw \\x1b[31m"),
    } <= found
    assert {one.name for one in caplog.records if one.name.startswith(("plugins", "django"))} == {"plugins.subject"}


def test_what_a_plugin_prints_is_told_when_its_answer_is(
    tmp_path: Path, level: Level, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    over = threading.Event()

    def keep_busy() -> None:
        while not over.is_set():
            pass

    with processors(write_plugin(tmp_path, "print('seen', record['n'])\nreturn None"), level) as host:
        plugin = host["subject"].load()
        # The interpreter comes back from what it sent when the answer has been there for a while.
        busy = threading.Thread(target=keep_busy)
        busy.start()
        try:
            for number in range(20):
                plugin.transform({"n": number})
                assert caplog.records[-1].getMessage() == f"seen {number}"
        finally:
            over.set()
            busy.join()


def test_a_level_by_plugin_leaves_the_others_here(tmp_path: Path, level: Level) -> None:
    write_plugin(tmp_path, "return {'pid': os.getpid()}", "apart")
    folder = write_plugin(tmp_path, "return {'pid': os.getpid()}", "here")
    with host_of(folder, {"apart": level}) as host:
        pids = [cast("Processor", host[name].load()).transform({}) for name in ("here", "apart")]
    assert pids[0] == {"pid": os.getpid()}
    assert pids[1] != pids[0]


def test_the_name_of_a_file_means_all_of_its_classes(tmp_path: Path, level: Level) -> None:
    text = "import os\n\n\nclass {}:\n    def transform(self, record):\n        return {{'pid': os.getpid()}}\n\n\n"
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "two.py").write_text(text.format("One") + text.format("Other").partition("\n\n\n")[2])
    with Host(tmp_path / "plugins", interface=["transform"], isolation={"two": level}) as host:
        assert (host.names, host.findings) == (("two:One", "two:Other"), ())
        assert {plugin.function("transform")({}) == {"pid": os.getpid()} for plugin in host} == {False}


def test_a_name_that_no_plugin_has_is_told_since_that_plugin_would_run_here(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return record")
    with host_of(folder, {"subjekt": level}) as host:
        (finding,) = host.findings
    assert finding.code == "P360"
    assert finding.hint is not None
    assert "subject" in finding.hint


@pytest.mark.parametrize("wrong", ["sandboxed", 3, {"subject": "proces"}])
def test_an_unknown_level_is_refused_at_once(tmp_path: Path, level: Level, wrong: object) -> None:
    with pytest.raises((ValueError, TypeError), match="'none', 'process', 'sandbox'"):
        Host(str(tmp_path), isolation=cast("Level", wrong))


def test_a_worker_outlives_the_thread_that_started_it(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return {'pid': os.getpid()}")
    with processors(folder, level) as host:
        found: list[object] = []
        thread = threading.Thread(target=lambda: found.append(host["subject"].load().transform({})))
        thread.start()
        thread.join()
        found += [host["subject"].load().transform({}) for _ in range(3)]
    assert found[1:] == found[:1] * 3


def test_threads_wait_for_each_other(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return record")
    with processors(folder, level) as host:
        plugin = host["subject"].load()
        wrong: list[object] = []

        def work(number: int) -> None:
            wrong.extend(n for n in range(50) if plugin.transform({"n": [number, n]}) != {"n": [number, n]})

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_injected_names_cross_where_they_are_plain(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return {'n': NUMBER}")
    with Host(str(folder), interface=["transform"], isolation=level, inject={"NUMBER": 7}) as host:
        assert cast("Processor", host["subject"].load()).transform({}) == {"n": 7}
    with Host(str(folder), interface=["transform"], isolation=level, inject={"NUMBER": object()}) as host:
        with pytest.raises(LoadError) as caught:
            host["subject"].load()
        assert caught.value.findings[0].code == "P361"


def test_a_handle_cannot_be_set_or_pickled(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return record")
    with processors(folder, level) as host:
        plugin = host["subject"].load()
        with pytest.raises(AttributeError, match="cannot be set from the host"):
            plugin.limit = 3  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            getattr(plugin, "no_such_thing")  # noqa: B009 - it is not there
        with pytest.raises(TypeError, match="one end of a pipe"):
            pickle.dumps(plugin)


def test_a_worker_that_ended_is_told_and_followed_by_another(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "if 'end' in record:\n    os._exit(3)\nreturn record")
    with processors(folder, level) as host:
        plugin = host["subject"].load()
        with pytest.raises(WorkerFailed, match="worker of plugin 'subject' ended with exit code 3"):
            plugin.transform({"end": 1})
        assert plugin.transform({"a": 1}) == {"a": 1}


def test_without_msgspec_there_is_a_clear_word(tmp_path: Path, level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    folder = write_plugin(tmp_path, "return record")
    monkeypatch.setitem(sys.modules, "msgspec", None)
    for name in [name for name in sys.modules if name.startswith("plugline.host.isolating")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModuleMissing) as missing:
        processors(folder, level)
    assert str(missing.value) == (
        "'msgspec' is needed to talk to plugins that run in workers, and is not installed\n"
        "  hint: pip install 'plugline[isolation]'"
    )


def test_a_reload_is_a_new_worker_for_whoever_holds_the_old_one(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return {'version': 1, 'pid': os.getpid()}")
    with processors(folder, level) as host:
        plugin = host["subject"].load()
        before = cast("dict[str, object]", plugin.transform({}))
        assert host.reload("subject").how == "unchanged"
        write_plugin(tmp_path, "return {'version': 2, 'pid': os.getpid()}")
        report = host.reload("subject")
        assert (report.how, report.generation, report.ok) == ("adopted", 2, True)
        after = cast("dict[str, object]", plugin.transform({}))
        assert (before["version"], after["version"]) == (1, 2)
        assert after["pid"] not in (before["pid"], os.getpid())
        assert host["subject"].load() is plugin


def test_a_reload_that_is_refused_leaves_the_old_worker(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return {'pid': os.getpid()}")
    with processors(folder, level) as host:
        plugin = host["subject"].load()
        before = plugin.transform({})
        for broken, code in (("return {", "P106"), ("return record\nmore", "")):
            write_plugin(tmp_path, broken)
            if not code:
                with (folder / "subject.py").open("a", encoding="utf-8") as file:
                    file.write("\nraise ValueError('not today')\n")
            report = host.reload("subject")
            assert report.how == "refused"
            assert [finding.code for finding in report.refused] == [code or "P301"]
            assert plugin.transform({}) == before


def test_a_reload_releases_a_plugin_from_quarantine(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "os._exit(1)")
    with processors(folder, level) as host:
        plugin = host["subject"].load()
        for _ in range(3):
            with pytest.raises(WorkerFailed):
                plugin.transform({})
        with pytest.raises(PluginQuarantined, match="P364"):
            plugin.transform({})
        write_plugin(tmp_path, "return record")
        assert host.reload("subject").ok
        assert plugin.transform({"n": 1}) == {"n": 1}


def test_a_plugin_whose_workers_die_is_set_aside_visibly_until_it_is_released(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "if 'end' in record:\n    os._exit(1)\nreturn record")
    with processors(folder, level) as host:
        handle = host["subject"]
        plugin = handle.load()
        for _ in range(3):
            with pytest.raises(WorkerFailed):
                plugin.transform({"end": 1})
        assert str(handle.state) == "quarantined"
        with pytest.raises(PluginQuarantined):
            handle.load()
        host.release("subject")
        assert str(handle.state) == "loaded"
        assert plugin.transform({"n": 1}) == {"n": 1}


def test_a_worker_cannot_name_functions_by_which_python_or_its_host_would_call_it(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return record")
    forged = "sys.modules['plugline.worker.main']._functions_of = lambda value: ['transform', '_plugin', '__del__', '__eq__', '__class__', '__getattribute__']\n"
    (folder / "subject.py").write_text(
        f"{(folder / 'subject.py').read_text(encoding='utf-8')}\n{forged}", encoding="utf-8"
    )
    with host_of(folder, level) as host:
        plugin = host["subject"].load()
        assert plugin.transform({"n": 1}) == {"n": 1}  # type: ignore[attr-defined]
        assert plugin == plugin  # noqa: PLR0124 - which is not asked of the worker
        assert plugin._plugin.functions == ("transform",)  # type: ignore[attr-defined]


def test_a_worker_that_goes_on_answering_when_it_is_to_end_is_not_waited_for(tmp_path: Path, level: Level) -> None:
    body = """
import atexit, stat
def answer():
    content = b'\\x93\\xa4done\\x01\\xc0'
    while True:
        for number in range(3, 60):
            try:
                if stat.S_ISFIFO(os.fstat(number).st_mode):
                    os.write(number, len(content).to_bytes(4, 'little') + content)
            except OSError:
                continue
        time.sleep(0.01)
atexit.register(answer)
return record
"""
    with host_of(write_plugin(tmp_path, body), level) as host:
        assert cast("Processor", host["subject"].load()).transform({"n": 1}) == {"n": 1}
        began = time.perf_counter()
    assert time.perf_counter() - began < 15


def test_ever_new_names_of_loggers_stay_nowhere(tmp_path: Path, level: Level, caplog: pytest.LogCaptureFixture) -> None:
    """A logger is kept for as long as the program runs, with one for each dot in its name."""
    body = """
import logging
for number in range(300):
    logging.getLogger(f'{__name__}.at{record["n"]}.n{number}').warning('told %d', number)
logging.getLogger(__name__ + '.deep' * 40).warning('told from below')
return record
"""
    caplog.set_level(logging.INFO)
    with host_of(write_plugin(tmp_path, body), level) as host:
        plugin = cast("Processor", host["subject"].load())
        before = len(logging.root.manager.loggerDict)
        for number in range(5):
            plugin.transform({"n": number})
    assert len(logging.root.manager.loggerDict) - before < 150
    assert [record.getMessage() for record in caplog.records if record.name.endswith(".at0.n3")] == ["told 3"]
    assert sum("told" in record.getMessage() for record in caplog.records) == 5 * 301
    assert all(record.name.startswith("plugins.subject") for record in caplog.records if "told" in record.getMessage())


def test_a_plugin_finds_its_own_source_where_it_may_not_read_its_file(tmp_path: Path, level: Level) -> None:
    body = "import inspect\nreturn inspect.getsource(describe)"
    with host_of(write_plugin(tmp_path, body), level) as host:
        source = cast("Processor", host["subject"].load()).transform({})
    assert source == "def describe():\n    return 'subject'\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("globals()['f' * 2000] = globals()['\\ud800'] = len", "{}"),
        ("def __dir__(): raise SystemExit(3)", "{}"),
        ("def __dir__(): return [1, None, '\\ud800', 'x' * 10**6]", "{}"),
        ("def available(): return '\\ud800\\x1b' * 20_000", "\\ud800\\x1b"),
        ("exec(compile('raise ValueError(5)', '\\ud800', 'exec'))", "ValueError: 5"),
    ],
)
def test_texts_that_cannot_be_written_down_are_told_as_what_they_are(
    tmp_path: Path, level: Level, line: str, told: str
) -> None:
    folder = write_plugin(tmp_path, "return record")
    with (folder / "subject.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    with host_of(folder, level) as host:
        try:
            found = str(cast("Processor", host["subject"].load()).transform({}))
        except (LoadError, PluginDeclined) as error:
            found = str(error)
    assert told in found


@pytest.mark.parametrize("result", ["pyarrow.table({'a': pyarrow.nulls(10**9)})", "[[] for _ in range(1_100_000)]"])
def test_what_stands_for_too_much_is_told_as_that_and_not_as_forged(tmp_path: Path, level: Level, result: str) -> None:
    folder = write_plugin(tmp_path, f"import pyarrow\nreturn {result}")
    with host_of(folder, level) as host, pytest.raises(WorkerFailed, match="hint: return fewer at a time"):
        cast("Processor", host["subject"].load()).transform({"long": "x" * 200_000})


STREAMLESS = """
import os, resource, sys
sys.path.insert(0, {source!r})
from plugline import Host
for number in {closed!r}:
    os.close(number)
with Host({folder!r}, interface=["transform"], isolation={level!r}, preload={preload!r}) as host:
    plugin = host["subject"].load()
    assert plugin.transform({{"n": 1}}) == {{"n": 1}}
    assert plugin.transform({{"n": 2}}) == {{"n": 2}}
os._exit(5)
"""


@pytest.mark.parametrize("closed", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("preload", [[], ["json"]])
def test_a_host_without_streams_has_workers(
    tmp_path: Path, level: Level, closed: tuple[int, ...], preload: list[str]
) -> None:
    """As daemons are: the descriptors 0 to 2 are the first that it is given then."""
    folder = str(write_plugin(tmp_path, "print('said'); return record"))
    program = STREAMLESS.format(source=str(SOURCE), folder=folder, level=level, preload=preload, closed=closed)
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 5


@pytest.mark.parametrize("more", range(1, 24))
def test_a_worker_for_which_there_are_no_descriptors_is_told_and_leaves_nothing(
    tmp_path: Path, level: Level, more: int
) -> None:
    folder = write_plugin(tmp_path, "return record")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with host_of(folder, level) as host:
        listed = host["subject"]  # what reads the folder is not what this is about
        used = len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + more, limits[1]))
        try:
            listed.load()
        except LoadError as error:
            found = str(error)
        else:
            found = ""
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert not found or "Too many open files" in found
