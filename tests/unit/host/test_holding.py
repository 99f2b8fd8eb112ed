"""Threads that load, import and unpickle at the same time."""

import gc
import importlib
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugline import Host, LoadError
from plugline.errors import StillLoading
from plugline.host import holding
from plugline.host.holding import LoadLock, PausedCollector
from tests.plugin_folders import write

GOOD = "def run():\n    return __name__\n"
SECONDS = 20.0  # far beyond what any of this takes


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.001)


def together(*works: Callable[[], object]) -> list[object]:
    """Run each in a thread of its own, and return what they returned or raised."""
    results: list[object] = [None] * len(works)

    def run(at: int) -> None:
        try:
            results[at] = works[at]()
        except Exception as error:  # noqa: BLE001 - a result as any other
            results[at] = error

    threads = [threading.Thread(target=run, args=(at,), daemon=True) for at in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive(), "a thread waits for ever"
    return results


def opened(folder: Path, injected: dict[str, object] | None = None, **sources: str) -> Host[object]:
    write(folder, {f"{name}.py": text for name, text in sources.items()})
    return Host(folder, interface=["run"], inject=injected or {})


def test_one_plugin_is_run_once_whoever_asks_for_it(tmp_path: Path) -> None:
    count: list[int] = []
    injected: dict[str, object] = {"count": count, "sleep": time.sleep}
    with opened(tmp_path / "plugins", injected, a="count.append(1)\nsleep(0.05)\n" + GOOD) as host:
        loaded = together(*[host["a"].load] * 8)
        assert count == [1]
        assert len({id(one) for one in loaded}) == 1


def test_a_load_and_an_import_of_its_module_that_loads_another_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """The thread that imports holds the module's lock and wants the host's; the one that loads has it the other way round."""
    started = threading.Event()
    injected: dict[str, object] = {"started": started, "until": until}
    text = "started.set()\nuntil(lambda: host()['a'].state == 'loading')\nother = host()['b'].load()\n" + GOOD
    hosts: list[Host[object]] = []
    injected["host"] = lambda: hosts[0]
    with opened(tmp_path / "plugins", injected, a=text, b=GOOD) as host:
        hosts.append(host)
        host.refresh()

        def load() -> object:
            assert started.wait(SECONDS)
            return host["a"].load()

        imported, loaded = together(lambda: importlib.import_module("plugins.a"), load)
        assert imported is loaded
        assert vars(sys.modules["plugins.a"])["other"] is host["b"].load()
        hosts.clear()


def test_unpickling_in_one_thread_while_another_loads_is_no_deadlock(tmp_path: Path) -> None:
    text = "class Point:\n    x = 1\n" + GOOD
    with opened(tmp_path / "plugins", a=text, b="from .a import Point\n" + GOOD) as host:
        host["a"].load()
        data = pickle.dumps(vars(sys.modules["plugins.a"])["Point"]())
        for _ in range(20):
            host.unload("a")
            results = together(
                lambda: pickle.loads(data),  # noqa: S301 - its own
                host["b"].load,
                host["a"].load,
            )
            assert not [one for one in results if isinstance(one, Exception)]
            host.unload("b")


ASKS = "both.wait(20)\nother = host('{}')['{}'].load()\n" + GOOD  # another host, once both are being loaded


@contextmanager
def two_hosts(
    folder: Path, one: Mapping[str, str], two: Mapping[str, str], **injected: object
) -> Iterator[tuple[Host[object], Host[object]]]:
    """Open two hosts whose plugins reach the other one by ``host``."""
    hosts: dict[str, Host[object]] = {}
    injected |= {"both": threading.Barrier(2), "host": hosts.__getitem__}
    with opened(folder / "one", injected, **one) as first, opened(folder / "two", injected, **two) as second:
        hosts.update(one=first, two=second)
        yield first, second
        hosts.clear()


def test_plugins_of_two_hosts_that_load_each_other_from_two_threads_do_not_wait_for_ever(tmp_path: Path) -> None:
    sources = [{"first": ASKS.format(other, "plain"), "plain": GOOD} for other in ("two", "one")]
    with two_hosts(tmp_path, *sources) as (one, two):
        results = together(one["first"].load, two["first"].load)
        assert not [one for one in results if isinstance(one, Exception)]
        assert [one["plain"].generation, two["plain"].generation] == [1, 1]


def test_who_goes_on_in_the_place_of_another_takes_nothing_for_a_circle_that_is_none(tmp_path: Path) -> None:
    """The first asks for the second, which another thread is loading, and which asks for the third, of the first one's host."""
    sources = {"first": ASKS.format("two", "second"), "third": GOOD}, {"second": ASKS.format("one", "third")}
    with two_hosts(tmp_path, *sources) as (one, two):
        for _ in range(20):
            first, second = together(one["first"].load, two["second"].load)
            assert not [one for one in (first, second) if isinstance(one, Exception)]
            assert vars(first)["other"] is second
            for host, name in ((one, "first"), (two, "second"), (one, "third")):
                host.unload(name)


def test_a_circle_through_two_hosts_and_two_threads_is_told_as_one(tmp_path: Path) -> None:
    with two_hosts(tmp_path, {"a": ASKS.format("two", "a")}, {"a": ASKS.format("one", "a")}) as (one, two):
        results = together(one["a"].load, two["a"].load)
        assert [type(one) for one in results] == [LoadError, LoadError]
        assert "leads back to it" in f"{results[0]} {results[1]}"


IMPORT_EACH_OTHER = {"a": "from . import b\n" + GOOD, "b": "from . import a\n" + GOOD}


def test_plugins_that_import_each_other_are_loaded_from_two_threads(tmp_path: Path) -> None:
    with opened(tmp_path / "plugins", None, **IMPORT_EACH_OTHER) as host:
        for _ in range(20):
            results = together(host["a"].load, host["b"].load)
            assert results == [sys.modules["plugins.a"], sys.modules["plugins.b"]]
            host.unload("a")
            host.unload("b")


def test_a_load_does_not_fail_because_other_threads_import_the_same_modules(tmp_path: Path) -> None:
    """Of two threads that import modules which import each other CPython lets one fail, whoever wrote the modules.

    It gets ``_DeadlockError``, or misses what the other one's failed import took out of ``sys.modules``. A plain import next
    to a load is Python's own affair: it may be the one that fails, in just these two ways, and not when it is tried again.
    """
    with opened(tmp_path / "plugins", None, **IMPORT_EACH_OTHER) as host:
        for _ in range(20):
            loaded_a, imported_b, loaded_b, imported_a = together(
                host["a"].load,
                lambda: importlib.import_module("plugins.b"),
                host["b"].load,
                lambda: importlib.import_module("plugins.a"),
            )
            assert [loaded_a, loaded_b] == [sys.modules["plugins.a"], sys.modules["plugins.b"]]
            assert vars(loaded_a)["b"] is loaded_b
            assert vars(loaded_b)["a"] is loaded_a
            for name, imported in (("a", imported_a), ("b", imported_b)):
                if isinstance(imported, Exception):
                    assert type(imported).__name__ in ("_DeadlockError", "ImportError")
                assert importlib.import_module(f"plugins.{name}") is sys.modules[f"plugins.{name}"]
            host.unload("a")
            host.unload("b")


def test_a_plugin_that_asks_for_itself_by_way_of_another_is_told_so(tmp_path: Path) -> None:
    hosts: list[Host[object]] = []
    injected: dict[str, object] = {"hosts": hosts}
    sources = {"a": "hosts[0]['b'].load()\n" + GOOD, "b": "hosts[0]['a'].load()\n" + GOOD}
    with opened(tmp_path / "plugins", injected, **sources) as host:
        hosts.append(host)
        with pytest.raises(LoadError, match="leads back to it"):
            host["a"].load()
        hosts.clear()


def test_what_a_plugin_loaded_stays_loaded_when_it_fails_itself(tmp_path: Path) -> None:
    hosts: list[Host[object]] = []
    sources = {"a": "hosts[0]['b'].load()\n1 / 0\n" + GOOD, "b": "from . import _c\n" + GOOD, "_c": "X = 1"}
    with opened(tmp_path / "plugins", {"hosts": hosts}, **sources) as host:
        hosts.append(host)
        with pytest.raises(LoadError, match="ZeroDivisionError"):
            host["a"].load()
        assert sys.modules["plugins.b"] is host["b"].load()
        hosts.clear()


def test_who_waits_too_long_is_told_and_may_try_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(holding, "MAX_WAIT_SECONDS", 0.05)
    go_on = threading.Event()
    with opened(tmp_path / "plugins", {"go_on": go_on}, a="go_on.wait(20)\n" + GOOD, b=GOOD) as host:
        handle = host["b"]
        slow = threading.Thread(target=host["a"].load)
        slow.start()
        until(lambda: host["a"].state == "loading")
        with pytest.raises(StillLoading, match="another thread has been loading a plugin"):
            handle.load()
        assert handle.state == "found"
        go_on.set()
        slow.join(SECONDS)
        assert handle.load() is not None


def test_who_stands_back_too_long_is_told_and_leaves_the_lock_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started, go_on = threading.Event(), threading.Event()

    def second_waits() -> None:
        started.set()
        until(lambda: bool(holding._waiting))
        monkeypatch.setattr(holding, "MAX_WAIT_SECONDS", 1.0)  # for the first, and not for the second
        # So that the first looks before the second does again.
        monkeypatch.setattr(holding, "_FIRST_LOOK_SECONDS", 0.001)

    first = "second_waits()\nother = host('two')['second'].load()\n" + GOOD
    second = "other = host('one')['third'].load()\ngo_on.wait(20)\n" + GOOD
    sources = {"first": first, "third": GOOD}, {"second": second, "fourth": GOOD}
    with two_hosts(tmp_path, *sources, second_waits=second_waits, go_on=go_on) as (one, two):
        fourth = two["fourth"]
        monkeypatch.setattr(holding, "_FIRST_LOOK_SECONDS", 0.2)
        handle = two["second"]
        other = threading.Thread(target=lambda: (started.wait(SECONDS), handle.load()))
        other.start()
        with pytest.raises(LoadError, match="has been loading a plugin"):
            one["first"].load()
        with pytest.raises(StillLoading):
            fourth.load()
        go_on.set()
        other.join(SECONDS)
        assert handle.state == "loaded"
        assert fourth.load() is sys.modules["two.fourth"]


def test_a_host_is_closed_while_another_thread_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Name(str):
        """Lets a module come while the names of all are gone through, as another thread does now and then."""

        __slots__ = ()

        def startswith(self, *_: object) -> bool:
            sys.modules["plugline_tests_comes"] = sys
            return False

    with opened(tmp_path / "plugins", a=GOOD) as host:
        host["a"].load()
        monkeypatch.setitem(sys.modules, "plugline_tests_comes", sys)
        del sys.modules["plugline_tests_comes"]
        monkeypatch.setitem(sys.modules, Name("plugline_tests_asks"), sys)
        host.close()
    assert "plugins.a" not in sys.modules


def test_a_lock_is_re_entrant_and_free_after_an_error() -> None:
    lock = LoadLock()
    with pytest.raises(KeyError), lock, lock:
        raise KeyError

    def take() -> str:
        with lock:
            return "taken"

    assert together(take) == ["taken"]


def test_many_threads_and_locks_in_any_order_come_to_an_end() -> None:
    ours = [LoadLock() for _ in range(3)]
    inside: list[int] = []

    def work(first: int) -> None:
        for turn in range(30):
            order = [ours[(first + turn + at) % 3] for at in range(3)]
            with order[0], order[1], order[2]:
                inside.append(first)

    together(*[lambda at=at: work(at) for at in range(4)])
    assert len(inside) == 120


@pytest.mark.skipif(gc.get_freeze_count() > 0, reason="this Python has frozen objects of its own, as 3.12 does")
def test_what_is_made_while_the_collector_pauses_is_not_looked_through_afterwards_and_garbage_is_found() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.own = self

    gc.collect()
    with PausedCollector():
        kept = [[number] for number in range(5_000)]
        lost = weakref.ref(Cycle())
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_count()[0] < len(kept) // 2
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert lost() is None


def test_what_a_program_has_frozen_stays_frozen() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with PausedCollector():
            kept = [[number] for number in range(5_000)]
        assert gc.get_freeze_count() >= frozen - 100, "some were freed"
        assert len(kept) == 5_000
    finally:
        gc.unfreeze()


def test_what_we_froze_ourselves_is_not_counted_at_each_pause() -> None:
    counted = """
import gc, sys
from plugline.host import holding
calls = []
sys.setprofile(lambda frame, event, what: calls.append(getattr(what, "__name__", None)) if event == "c_call" else None)
def pause():
    with holding.PausedCollector():
        return [[number] for number in range(5_000)]
if sys.argv[1] == "ours":
    holding.freeze()
else:
    gc.freeze()
kept = pause()
print("get_freeze_count" in calls, gc.get_freeze_count() > 0)
"""
    said = [
        subprocess.run([sys.executable, "-c", counted, who], capture_output=True, text=True, check=True).stdout.split()
        for who in ("ours", "somebody's")
    ]
    assert said == [["False", "True"], ["True", "True"]]


_FORKS = """
import os, signal, sys, threading

from plugline import Host

begun, go_on = threading.Event(), threading.Event()
with Host("plugins", interface=["run"], inject={"begun": begun, "go_on": go_on}) as host:
    loading = threading.Thread(target=host["slow"].load)
    loading.start()
    begun.wait()
    child = os.fork()
    go_on.set()
    if not child:
        signal.alarm(20)
        for name in ("quick", "slow", "needs_slow"):
            print(host[name].load().run(), host[name].state, flush=True)
        os._exit(0)
    loading.join()
    print(os.waitpid(child, 0)[1], host["slow"].generation)
"""


def said_apart(program: str, folder: Path) -> tuple[list[str], str]:
    """Return the lines that a process of its own prints, and what it says on standard error."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.stdout.splitlines(), ended.stderr


@pytest.mark.slow
def test_a_process_that_is_forked_while_another_thread_loads_waits_for_nobody(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "plugins/quick.py": GOOD,
            "plugins/slow.py": "begun.set()\ngo_on.wait()\n\n\n" + GOOD,
            "plugins/needs_slow.py": "from . import slow\n\n\n" + GOOD,
        },
    )
    assert said_apart(_FORKS, tmp_path) == (
        ["plugins.quick loaded", "plugins.slow loaded", "plugins.needs_slow loaded", "0 1"],
        "",
    )


def test_a_fork_by_the_thread_that_loads_leaves_it_what_it_holds(tmp_path: Path) -> None:
    script = """
import os
from plugline import Host
with Host("plugins", interface=["run"]) as host:
    print(host["forks"].load().run(), flush=True)
    host["forks"].load().end()
"""
    forks = "import os\n\nCHILD = os.fork()\n\n\ndef end():\n    os.waitpid(CHILD, 0) if CHILD else os._exit(0)\n\n\n"
    write(tmp_path, {"plugins/forks.py": forks + GOOD})
    assert said_apart(script, tmp_path) == (["plugins.forks"] * 2, "")


_THREADS = """
import os, sys, threading

from plugline import Host

sys.setswitchinterval(1e-5)
with Host("plugins", interface=["run"], inject={"ran": (ran := [])}) as host:
    host["first"].load()
    for _ in range(12):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        begin = threading.Barrier(8)

        def load():
            begin.wait()
            host["slow"].load().run()

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        if ran != [1]:
            print(f"ran {len(ran)} times", flush=True)
        os._exit(0)
"""


@pytest.mark.slow
def test_threads_of_a_forked_process_that_load_at_the_same_time_run_a_plugin_once(tmp_path: Path) -> None:
    slow = "from time import sleep\nran.append(1)\nsleep(0.02)\n\n\n"
    write(tmp_path, {"plugins/first.py": GOOD, "plugins/slow.py": slow + GOOD})
    assert said_apart(_THREADS, tmp_path) == ([], "")


def test_a_fork_while_another_thread_puts_off_the_collector_leaves_a_process_that_collects(tmp_path: Path) -> None:
    script = """
import gc, os, threading

import plugline.host.loader
from plugline.host.holding import PausedCollector

begun, go_on = threading.Event(), threading.Event()

def pause():
    with PausedCollector():
        begun.set()
        go_on.wait()

def fork():
    if not os.fork():
        print(gc.isenabled(), flush=True)
        os._exit(0)
    os.wait()

thread = threading.Thread(target=pause)
thread.start()
begun.wait()
fork()
go_on.set()
thread.join()
with PausedCollector():
    fork()
"""
    assert said_apart(script, tmp_path) == (["True", "False"], "")
