"""Sources that CPython's own compiler does not survive."""

import subprocess
import sys
from pathlib import Path

import pytest

from plugline.discovery.compiling import compile_source, crashes_compiler

MANY = "def run(): return [1 {}]\n".format("for a in b " * 50_000)
HAS_WEAK_COMPILER = sys.version_info < (3, 12)

_PROGRAM = """
import pathlib, sys
from plugline import Host
folder = pathlib.Path(sys.argv[1])
with Host(folder, interface=["run"]) as host:
    host["fine"].load()
    host["edited"].load()
    (folder / "edited.py").write_text((folder / "many.py").read_text())
    report = host.reload("edited")
    print([plugin.name for plugin in host], [finding.code for one in host.rejected for finding in one.findings])
    print(report.how, [finding.code for finding in report.refused])
with Host(folder, interface=["run"]) as host:
    print([plugin.name for plugin in host.load_all()])
"""


@pytest.mark.slow
@pytest.mark.skipif(not HAS_WEAK_COMPILER, reason="its compiler counts how deep it is, or needs no depth")
def test_a_comprehension_that_crashes_the_compiler_is_a_finding(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "many.py").write_text(MANY)
    for name in ("fine", "edited"):
        (folder / f"{name}.py").write_text("def run(): return 1\n")
    command = [sys.executable, "-c", _PROGRAM, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['edited', 'fine'] ['P106']", "refused ['P106']", "['fine']"]


@pytest.mark.slow
def test_only_comprehensions_are_counted() -> None:
    assert crashes_compiler(MANY.encode()) is HAS_WEAK_COMPILER
    text = "x = '" + "for " * 50_000 + "'\n"
    assert not crashes_compiler(text.encode())
    assert not crashes_compiler(f"{text}def (:\n".encode())
    assert compile_source(text.encode(), "x.py").co_filename == "x.py"


@pytest.mark.slow
@pytest.mark.skipif(not HAS_WEAK_COMPILER, reason="as above")
def test_it_is_refused_as_what_is_nested_too_deeply() -> None:
    with pytest.raises(RecursionError, match="too many clauses"):
        compile_source(MANY.encode(), "x.py")
