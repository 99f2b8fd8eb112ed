"""Claim: a start of pytest with ten plugins from a folder takes at most 1.10 of one with the same ten installed.

Whole processes that run one test, started in the same way; installed means a distribution each, with an entry point and bytecode, as an
installer leaves them. Both sides have run before, so that what is kept from run to run is kept, which for a folder begins two seconds after
it was last changed. Each plugin has an option, a fixture, a report section and assertions.
Printed beside it, without a claim: pytest without any of them. Needs ``pip install pytest``. Run: ``python benchmarks/pytest_folder.py``.
"""

import compileall
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from harness import Claim, measure_commands, report

import plugline

_PLUGIN = '''\
"""Counts and limits {name}s of a test run."""

import time
from collections import Counter

import pytest

VERSION = "1.0"
_counted = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser):
    group = parser.getgroup("{name}")
    group.addoption("--{name}-limit", type=int, default=None, metavar="N", help="fail a test that has more {name}s")
    parser.addini("{name}_limit", "the same, for the configuration", default="")


def pytest_configure(config):
    config.addinivalue_line("markers", "{name}(limit): how many {name}s a test may have")
    config.stash[_counted] = Counter()


def limit_of(item):
    marker = item.get_closest_marker("{name}")
    if marker is not None:
        assert marker.args, "the marker {name} needs a limit"
        return marker.args[0]
    limit = item.config.getoption("--{name}-limit")
    return limit if limit is not None else int(item.config.getini("{name}_limit") or 0)


@pytest.fixture
def {name}(request):
    """Count a {name} for each call."""
    counted = request.config.stash[_counted]

    def count(times=1):
        assert times > 0
        counted[request.node.nodeid] += times
        return counted[request.node.nodeid]

    yield count
    limit = limit_of(request.node)
    if limit:
        assert counted[request.node.nodeid] <= limit, f"more than {{limit}} {name}s"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    began = time.perf_counter()
    try:
        return (yield)
    finally:
        item.user_properties.append(("{name}", time.perf_counter() - began))


def pytest_terminal_summary(terminalreporter, config):
    counted = config.stash[_counted]
    if counted:
        terminalreporter.section("{name}s")
        for name, times in counted.most_common(10):
            terminalreporter.write_line(f"{{times:6d}} {{name}}")
'''
_NAMES = ("query", "question", "message", "opening", "retry", "warning", "thread", "connection", "commit", "line")
_TEST = f"def test_it({', '.join(_NAMES)}):\n    assert all(count() == 1 for count in ({', '.join(_NAMES)}))\n"
_ROUNDS = 31


def _prepare(folder: Path) -> dict[str, list[str]]:
    dropped, installed, empty, tests = (folder / name for name in ("dropped", "installed", "empty", "tests"))
    for made in (dropped, installed, empty, tests):
        made.mkdir()
    (tests / "test_it.py").write_text(_TEST, encoding="utf-8")
    (tests / "test_bare.py").write_text("def test_it():\n    assert 1\n", encoding="utf-8")
    (tests / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for name in _NAMES:
        module = f"pytest_{name}_count"
        text = _PLUGIN.format(name=name)
        (dropped / f"{module}.py").write_text(text, encoding="utf-8")
        (installed / f"{module}.py").write_text(text, encoding="utf-8")
        about = installed / f"{module}-1.0.dist-info"
        about.mkdir()
        files = {
            "METADATA": f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n",
            "entry_points.txt": f"[pytest11]\n{name}_count = {module}\n",
            "RECORD": f"{module}.py,,\n{about.name}/METADATA,,\n{about.name}/entry_points.txt,,\n",
        }
        for file, content in files.items():
            (about / file).write_text(content, encoding="utf-8")
    # As an installer does; where PYTHONDONTWRITEBYTECODE is set, the first start would not.
    for source in (installed, Path(plugline.__file__).parent, Path(pytest.__file__).parent):
        compileall.compile_dir(source, quiet=2)
    ours = ["-p", "plugline.integrations.pytest", "--plugins-dir", str(dropped)]
    return {
        "dropped": [*_start(empty), *ours, str(tests / "test_it.py")],
        "installed": [*_start(installed), str(tests / "test_it.py")],
        "none of them": [*_start(empty), str(tests / "test_bare.py")],
    }


def _start(installed: Path) -> list[str]:
    code = f"import sys; sys.path.append({str(installed)!r}); import pytest; sys.exit(pytest.main())"
    return [sys.executable, "-c", code, "-q"]


def main() -> int:
    """Measure, print and record."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"PLUGLINE_CACHE": f"{folder}/cache"}
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # pytest keeps what it rewrote, as it does for people
        sides = _prepare(Path(folder))
        time.sleep(2)
        for command in sides.values():
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            assert "1 passed" in done.stdout, done
        cpu, wall = measure_commands(sides, rounds=_ROUNDS)
    return report(
        "pytest_folder",
        [
            Claim(
                name="pytest with ten plugins",
                side="dropped",
                base="installed",
                limit=1.10,
                seconds=cpu,
                wall_seconds=wall,
            )
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
