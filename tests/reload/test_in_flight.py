"""A call that is running while plugins are reloaded sees one version, whatever it calls."""

import gc
import threading
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from plugline import Host
from tests.soaks.reload_threads import soak, write


class Pausing:
    """A count that is asked for in the middle of a call."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Event(), threading.Event()

    def __index__(self) -> int:
        self.asked.set()
        assert self.go.wait(10)
        return 3


@pytest.mark.slow
def test_a_call_that_is_running_sees_one_version(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    write(folder, 2)
    with Host(folder, interface=["transform"]) as host:
        module = host["x"].load()
        for version in range(3, 13):
            pausing, found = Pausing(), []
            call = threading.Thread(target=lambda: found.extend(module.transform({"count": pausing})))  # type: ignore[attr-defined] # noqa: B023
            call.start()
            assert pausing.asked.wait(10)
            write(folder, version)
            assert host["x"].reload().how in ("grafted", "adopted")
            pausing.go.set()
            call.join()
            assert set(found) == {version - 1}
            assert set(module.transform({"count": 1})) == {version}  # type: ignore[attr-defined]


def test_reloads_in_the_middle_of_calls_leave_no_functions_behind(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    write(folder, 0)
    counts = []
    with Host(folder, interface=["transform"]) as host:
        module = host["x"].load()
        gc.collect()
        gc.disable()  # what only the collector would find is found by the next reload too, and doubled each time
        try:
            for version in range(1, 7):
                pausing = Pausing()
                call = threading.Thread(target=module.transform, args=({"count": pausing},))  # type: ignore[attr-defined]
                call.start()
                assert pausing.asked.wait(10)
                write(folder, version)
                host["x"].reload()
                pausing.go.set()
                call.join()
                host["x"].reload()  # with nothing to do but to end what is over
                counts.append(len(_functions_on(module.first.__code__)))  # type: ignore[attr-defined]
        finally:
            gc.enable()
    assert counts == [1] * 6


def _functions_on(code: CodeType) -> list[FunctionType]:
    return [one for one in gc.get_objects() if type(one) is FunctionType and one.__code__ is code]


@pytest.mark.slow
def test_threads_that_are_busy_see_no_error_and_no_mixture(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    calls, faults = soak(folder, 12)
    assert calls > 1000
    assert not faults
