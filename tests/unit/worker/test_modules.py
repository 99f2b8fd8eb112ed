"""What a worker process imports."""

from pathlib import Path

import pytest

from plugline.isolation.levels import Level
from tests.workers import LEVELS, host_of, write_plugin

pytestmark = pytest.mark.slow

# DESIGN.md, section 3: the line of the worker and those below it.
LAYERS = {"worker", "records", "dispatch", "loading", "admission", "discovery", "contract"}
GROUND = {
    "errors",
    "findings",
    "names",
    "imports",
    "lookup",
    "metapath",
    "blame",
    "clock",
    "files",
    "values",
    "codes",
    "typed",
}


@pytest.mark.parametrize("level", LEVELS)
def test_a_worker_imports_its_own_line_and_those_below_it(tmp_path: Path, level: Level) -> None:
    body = "return {'modules': sorted(sys.modules), 'n': [r for r in [record]]}"
    folder = write_plugin(tmp_path, body)
    with host_of(folder, level) as host:
        first = host["subject"].load().transform({})  # type: ignore[attr-defined]
    ours = {name.split(".")[1] for name in first["modules"] if name.startswith("plugline.")}
    assert ours <= LAYERS | GROUND
    assert "worker" in ours


@pytest.mark.parametrize("level", LEVELS)
def test_a_first_answer_takes_nothing_that_is_heavy(tmp_path: Path, level: Level) -> None:
    folder = write_plugin(tmp_path, "return {'modules': sorted(sys.modules)}")
    with host_of(folder, level) as host:
        modules = set(host["subject"].load().transform({})["modules"])  # type: ignore[attr-defined]
    heavy = {
        "msgspec",
        "typing",
        "re",
        "enum",
        "ctypes",
        "dataclasses",
        "inspect",
        "logging",
        "collections",
        "functools",
    }
    # The plugin imports time itself, which is built in.
    assert modules & heavy == set()
