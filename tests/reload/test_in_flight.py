"""A call that is running while plugins are reloaded sees one version, whatever it calls."""

import threading
from pathlib import Path

import pytest

from plugline import Host
from tests.soaks.reload_threads import write


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
