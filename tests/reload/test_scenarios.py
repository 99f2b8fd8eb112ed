"""What a reasonable person expects of a reload, row by row, with plugline."""

import gc
import logging
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Protocol

import pytest

import tests.reload.rows_identity
import tests.reload.rows_odd
import tests.reload.rows_registered
import tests.reload.rows_rest  # noqa: F401 - the four fill the table
from plugline import Host
from tests.reload.program import SOURCE
from tests.reload.scenarios import ROWS, Row

pytestmark = pytest.mark.usefixtures("long_calls")


def write(folder: Path, files: Mapping[str, str | None]) -> None:
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_bytes(text.encode("utf-8", "surrogateescape"))


@pytest.fixture
def app() -> Iterator[ModuleType]:
    """Return the program, and put the process back afterwards."""
    program = ModuleType("app")
    sys.modules["app"] = program
    exec(SOURCE, program.__dict__)  # noqa: S102 - the rows are text, for the sake of other tools
    handler = signal.getsignal(signal.SIGUSR1)
    yield program
    signal.signal(signal.SIGUSR1, handler)
    logging.getLogger("app.x").handlers.clear()
    del sys.modules["app"]
    for name in list(vars(program)):
        delattr(program, name)
    gc.collect()


def _host(folder: Path, row: Row) -> Host[object]:
    if row.only == "plugline:interface":

        class OneArgument(Protocol):
            def transform(self, record: object) -> object: ...

        return Host(folder, interface=OneArgument)
    if row.only == "plugline:class":
        return Host(folder, interface=["transform", "describe"])
    return Host(folder)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_scenario(row: Row, tmp_path: Path, app: ModuleType) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    write(folder, row.before)
    _check(row, folder, app)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_scenario_of_plugins_that_were_listed_before(
    row: Row, tmp_path: Path, app: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are loaded from what is remembered, which is another and a quicker way."""
    now = time.time_ns
    monkeypatch.setattr("plugline.discovery.update.unix_nanoseconds", lambda: now() + 3_000_000_000)
    folder = tmp_path / "plugins"
    folder.mkdir()
    write(folder, row.before)
    with _host(folder, row) as host:
        list(host)
    _check(row, folder, app)


def _check(row: Row, folder: Path, app: ModuleType) -> None:
    names: dict[str, object] = {"app": app}
    with _host(folder, row) as host:
        for name in dict.fromkeys(name.partition("/")[0] for name in row.before):
            if name != "x" or row.only != "plugline:imported":
                host[name].load()
            names[name] = sys.modules[f"plugins.{name}"]
        exec(row.hold, names)  # noqa: S102 - as above
        report = None
        for edit in (row.after, *row.edits):
            write(folder, edit)
            report = host.reload("x")
        assert report is not None
        names["report"] = report
        assert (report.how == "refused") is row.refused, report
        exec(row.then, names)  # noqa: S102 - as above
        names.clear()
