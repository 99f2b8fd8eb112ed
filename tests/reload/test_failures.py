"""Edits that fail leave everything as it was: the small form of the soak, and what a plugin owns."""

import socket
import sys
from pathlib import Path

import pytest

from plugline import Host
from tests.soaks.reload_failures import FAULTS, soak

# A version that fails in the middle of ``on_load`` has not closed what it had opened.
unclosed = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@unclosed
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="what is open is read from /proc")
def test_everything_is_as_it_was_after_random_edits_that_fail(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    kinds, wrong = soak(folder, 80, seed=3)
    assert wrong == []
    assert kinds.keys() == set(FAULTS)


PORT = """
import socket
OWNED = {{}}
VERSION = {version}

def on_load(context):
    OWNED["port"] = socket.create_server(("127.0.0.1", {port}))
    {then}

def on_unload():
    OWNED.pop("port").close()
"""


@unclosed
def test_a_port_that_a_failed_version_had_opened_is_the_old_ones_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "x.py").write_text(PORT.format(version=1, port=port, then="pass"))
    with Host(tmp_path) as host:
        module = host["x"].load()
        (tmp_path / "x.py").write_text(PORT.format(version=2, port=port, then="raise OSError('no more')"))
        report = host.reload("x")
        assert report.how == "refused"
        assert report.refused[0].place.line == 8
        assert module.VERSION == 1  # type: ignore[attr-defined]
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
