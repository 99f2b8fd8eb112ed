"""Plugins that fail again and again, and functions that follow what becomes of a plugin."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from plugline import Host, LoadError, StepFailed, UnknownPlugin
from plugline.errors import PluginQuarantined
from tests.plugin_folders import write

GOOD = "def run(value):\n    return value + 1\n"
# Fails for negative numbers, and counts its calls.
SHAKY = """\
CALLS = []

def run(value):
    CALLS.append(value)
    if value < 0:
        raise ValueError(f"{value} is negative")
    return value + 10
"""


def opened(folder: Path, after: int | None = 3, **sources: str) -> Host[object]:
    files = {f"{name}.py": text for name, text in ({"good": GOOD, "shaky": SHAKY} | sources).items()}
    return Host(write(folder / "plugins", files), interface=["run"], quarantine_after=after)


def calls() -> int:
    return len(vars(sys.modules["plugins.shaky"])["CALLS"])


def test_so_many_failures_in_a_row_set_a_plugin_aside_with_what_it_failed_with(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as host:
        for expected in ("loaded", "loaded", "quarantined"):
            assert list(host.call_all("run", -1).errors) == ["shaky"]
            assert host["shaky"].state == expected
        (finding,) = host.quarantined["shaky"]
        assert finding.code == "P310"
        assert finding.message == "is in quarantine: 3 calls in a row failed, the last with ValueError: -1 is negative"
        assert (finding.place.path, finding.place.line) == (str(tmp_path / "plugins/shaky.py"), 6)
        assert finding.hint == "mend it and reload it, or let it go on: host.release('shaky')"
        assert host["shaky"].findings == (finding,)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "'shaky' is set aside" in caplog.text


def test_what_is_in_quarantine_is_called_by_nobody(tmp_path: Path) -> None:
    with opened(tmp_path) as host:
        skipping, raising = host.chain("run", on_error="skip"), host.chain("run")
        one = host["shaky"].function("run")
        for _ in range(3):
            skipping(-5)
        before = calls()
        assert host.names == ("good",)
        assert "shaky" not in host
        results = host.call_all("run", 1)
        assert (list(results.results), list(results.errors)) == (["good"], [])
        assert host.first("run", 1) == 2
        assert skipping(1) == 2
        assert skipping.errors[-1].kind == "plugline.errors.PluginQuarantined"
        for call in (raising, one, host.chain("run")):
            with pytest.raises(StepFailed, match="PluginQuarantined") as failure:
                call(1)
            assert failure.value.plugin == "shaky"
            (finding,) = host.quarantined["shaky"]
            assert failure.value.message == f"{finding.message}; {finding.hint}"
            assert (failure.value.path, failure.value.line) == (finding.place.path, 6)
        for ask in (host["shaky"].load, lambda: host.chain("run", only=["shaky"])):
            with pytest.raises(PluginQuarantined, match="3 calls in a row failed"):
                ask()
        assert calls() == before
        assert host.rejected == ()


def test_one_success_begins_the_count_anew_through_whatever_function_it_comes(tmp_path: Path) -> None:
    with opened(tmp_path) as host:
        chain, one = host.chain("run", on_error="skip"), host["shaky"].function("run")
        for _ in range(5):
            chain(-5)
            host.call_all("run", -1)
            assert one(1) == 11
        assert not host.quarantined
        host.call_all("run", -1)
        chain(-5)
        with pytest.raises(StepFailed, match="-1 is negative"):
            one(-1)
        assert host["shaky"].state == "quarantined"


def test_released_it_is_called_again_where_it_was(tmp_path: Path) -> None:
    with opened(tmp_path, zeta=GOOD) as host:
        chain = host.chain("run", on_error="skip")
        for _ in range(3):
            chain(-50)
        late = host.chain("run")
        host.release("shaky")
        assert (chain(1), late(1), host["shaky"].state) == (13, 13, "loaded")
        assert list(host.call_all("run", 1).results) == ["good", "shaky", "zeta"]
        for _ in range(2):
            chain(-50)
        assert host["shaky"].state == "loaded"
        chain(-50)
        assert list(host.quarantined) == ["shaky"]
        with pytest.raises(UnknownPlugin):
            host.release("absent")


def test_none_is_for_never_and_less_than_one_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path, after=None) as host:
        chain = host.chain("run", on_error="skip")
        for _ in range(1_500):
            chain(-5)
        assert host["shaky"].state == "loaded"
        assert len(chain.errors) == 1_000
    with pytest.raises(ValueError, match="quarantine_after is 0"):
        opened(tmp_path, after=0)


def test_the_default_is_ten(tmp_path: Path) -> None:
    with Host(write(tmp_path / "plugins", {"shaky.py": SHAKY}), interface=["run"]) as host:
        for _ in range(9):
            host.call_all("run", -1)
        assert host.names == ("shaky",)
        host.call_all("run", -1)
        assert list(host.quarantined) == ["shaky"]


def test_a_plugin_that_is_disabled_in_quarantine_is_in_quarantine_after_that(tmp_path: Path) -> None:
    with opened(tmp_path, after=1) as host:
        chain = host.chain("run")
        with pytest.raises(StepFailed):
            chain(-5)
        host.disable("shaky")
        assert (host["shaky"].state, chain(1)) == ("disabled", 2)
        host.enable("shaky")
        assert list(host.quarantined) == ["shaky"]


def test_what_requires_a_plugin_in_quarantine_cannot_be_loaded(tmp_path: Path) -> None:
    with opened(tmp_path, after=1, other="REQUIRES = ['shaky']\n" + GOOD) as host:
        with pytest.raises(StepFailed):
            host["shaky"].call("run", -1)
        with pytest.raises(LoadError, match="requires the plugin 'shaky', which is in quarantine"):
            host["other"].load()


def test_a_refresh_leaves_it_in_quarantine(tmp_path: Path) -> None:
    with opened(tmp_path, after=1) as host:
        host.call_all("run", -1)
        host.refresh()
        assert list(host.quarantined) == ["shaky"]


@pytest.mark.parametrize(
    "text", [SHAKY.replace("value < 0", "False"), "WEIGHT = 1\n" + SHAKY.replace("value < 0", "False")]
)
def test_a_reload_ends_the_quarantine_and_whatever_calls_the_plugin_calls_its_new_code(
    text: str, tmp_path: Path
) -> None:
    with opened(tmp_path, after=2) as host:
        chain, one = host.chain("run"), host["shaky"].function("run")
        for _ in range(2):
            host.call_all("run", -5)
        assert list(host.quarantined) == ["shaky"]
        write(tmp_path / "plugins", {"shaky.py": text.replace("+ 10", "+ 1000")})
        report = host.reload("shaky")
        assert not report.refused
        assert (host["shaky"].state, host["shaky"].generation, dict(host.quarantined)) == ("loaded", 2, {})
        assert (chain(-5), one(-5), host.call_all("run", -5).results) == (996, 995, {"good": -4, "shaky": 995})


def test_a_reload_of_a_disabled_plugin_that_was_not_loaded_is_refused_with_the_reason(tmp_path: Path) -> None:
    with opened(tmp_path) as host:
        host.disable("shaky")
        report = host.reload("shaky")
        assert [finding.code for finding in report.refused] == ["P116"]
        assert host["shaky"].generation == 0


# ---- a function of one plugin


def test_a_guarded_function_names_the_plugin_and_takes_any_arguments(tmp_path: Path) -> None:
    text = "def run(a, b=2, *, c=3):\n    return a, b, c\n"
    with opened(tmp_path, other=text) as host:
        function = host["other"].function("run")
        assert (function(1), function(1, 5), function(a=1, c=7)) == ((1, 2, 3), (1, 5, 3), (1, 2, 7))
        assert host["other"].function("run") is function
        assert host["other"].call("run", 0, c=1) == (0, 2, 1)
        with pytest.raises(StepFailed, match="'other'"):
            function()
        with pytest.raises(ValueError, match="'other' has no function 'absent'"):
            host["other"].function("absent")


# ---- unload


UNLOADED = "LOG = []\ndef on_unload():\n    import sys\n    sys.modules['json'].unloaded = [*getattr(sys.modules['json'], 'unloaded', []), __name__]\n"


@pytest.fixture
def unloaded() -> Iterator[None]:
    import json

    vars(json)["unloaded"] = []
    yield
    del vars(json)["unloaded"]


def seen() -> list[str]:
    import json

    return list(vars(json)["unloaded"])


@pytest.mark.usefixtures("unloaded")
def test_an_unloaded_plugin_ends_what_it_began_and_is_loaded_again_on_use(tmp_path: Path) -> None:
    with opened(tmp_path, other=UNLOADED + GOOD) as host:
        handle = host["other"]
        old, chain, one = handle.load(), host.chain("run"), handle.function("run")
        host.unload("other")
        assert seen() == ["plugins.other"]
        assert (handle.state, handle.generation) == ("found", 1)
        assert "plugins.other" not in sys.modules
        assert old.run(1) == 2  # type: ignore[attr-defined]
        write(tmp_path / "plugins", {"other.py": GOOD.replace("+ 1", "+ 100")})
        assert (one(1), chain(1), handle.generation) == (101, 112, 2)
        assert host["other"].load() is not old
        host.unload("good")
        host.unload("good")
        assert chain(1) == 112


@pytest.mark.usefixtures("unloaded")
def test_what_requires_it_goes_before_it_and_what_it_requires_stays(tmp_path: Path) -> None:
    sources = {
        "a": UNLOADED + GOOD,
        "b": "REQUIRES = ['a']\n" + UNLOADED + GOOD,
        "c": "REQUIRES = ['b']\n" + UNLOADED + GOOD,
        "d": UNLOADED + GOOD,
    }
    with opened(tmp_path, 3, **sources) as host:
        host.load_all()
        host.unload("b")
        assert seen() == ["plugins.c", "plugins.b"]
        assert [plugin.name for plugin in host.plugins if plugin.state == "loaded"] == ["a", "d", "good", "shaky"]


def test_the_instance_of_a_class_is_told(tmp_path: Path) -> None:
    text = """
        class A:
            def run(self, value): return value
            def on_unload(self): self.gone = True
        """
    with opened(tmp_path, a=text) as host:
        made = host["a"].load()
        host.unload("a")
        assert made.gone  # type: ignore[attr-defined]
        assert host["a"].load() is not made


def test_a_plugin_that_raises_when_it_is_unloaded_is_gone_all_the_same(tmp_path: Path) -> None:
    with opened(tmp_path, a="def on_unload():\n    1 / 0\n" + GOOD) as host:
        host["a"].load()
        host.unload("a")
        (finding,) = host["a"].warnings
        assert (finding.code, finding.severity, finding.place.line) == ("P309", "warning", 2)
        assert "plugins.a" not in sys.modules


def test_a_plugin_in_quarantine_begins_anew_when_it_is_unloaded(tmp_path: Path) -> None:
    with opened(tmp_path, after=1) as host:
        host.call_all("run", -1)
        host.unload("shaky")
        assert (host["shaky"].state, host.quarantined) == ("found", {})


HEAVY = """
from dataclasses import dataclass, field
from enum import Enum
from . import _shared
from ._shared import Shared

DATA = bytearray(100_000)

class Colour(Enum):
    RED = 1

@dataclass
class Point(Shared):
    x: int = 0
    others: list["Point"] = field(default_factory=list)

def run(value):
    point = Point(value)
    point.others.append(point)  # a cycle
    return value
"""


# In a process of its own, which nothing of the tests holds objects in.
CYCLES = """
    import gc, json, logging, sys, tracemalloc
    from plugline import Host

    logging.disable()

    def live():
        gc.collect()
        return len(gc.get_objects()), tracemalloc.get_traced_memory()[0]

    with Host("plugins", interface=["run"]) as host:
        chain = host.chain("run", only=["heavy", "pack"])

        def cycle():
            chain(1)
            host.call_all("run", 1)
            host["good"].call("run", 1)
            for name in ("heavy", "pack", "good"):
                host.unload(name)
            host.refresh()

        tracemalloc.start()
        for _ in range(20):
            cycle()
        modules, importers = set(sys.modules), set(sys.path_importer_cache)
        objects, memory = live()
        for _ in range(60):
            cycle()
        more_objects, more_memory = live()
        print(json.dumps({
            "private": [name for name in sys.modules if name.startswith("plugins")],
            "modules": sorted(set(sys.modules) ^ modules),
            "importers": sorted(set(sys.path_importer_cache) ^ importers),
            "objects": more_objects - objects,
            "bytes": more_memory - memory,
        }))
    """


@pytest.mark.slow
def test_many_loads_and_unloads_leave_nothing_behind(tmp_path: Path) -> None:
    files = {
        "pack/__init__.py": "from .inner import helper\n" + GOOD,
        "pack/inner.py": "def helper(): ...\n",
        "heavy.py": HEAVY,
        "fails.py": "from . import _shared\n1 / 0\n" + GOOD,
        "_shared.py": "class Shared: ...\n",
        "good.py": GOOD,
    }
    write(tmp_path / "plugins", files)
    done = subprocess.run([sys.executable, "-c", dedent(CYCLES)], cwd=tmp_path, capture_output=True, check=True)
    left = json.loads(done.stdout)
    assert (left["private"], left["modules"], left["importers"]) == ([], [], [])
    assert left["objects"] < 300  # a plugin is at least ten, and there were 180
    assert left["bytes"] < 1_000_000  # what ten of the sixty would keep


def test_functions_of_a_plugin_that_fails_in_many_threads_are_counted_right(tmp_path: Path) -> None:
    with opened(tmp_path, after=8 * 200 + 1) as host:
        chain = host.chain("run", on_error="skip")

        def work() -> None:
            for _ in range(200):
                chain(-5)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert host["shaky"].state == "loaded"
        chain(-5)
        assert list(host.quarantined) == ["shaky"]
