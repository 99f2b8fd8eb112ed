"""What measures which lines were run goes on doing so over a reload."""

from pathlib import Path

import pytest

from plugline import Host

coverage = pytest.importorskip("coverage")


@pytest.mark.parametrize("top", ["", "ADDED = 1\n"], ids=["a body edit", "an edit at the top"])
def test_coverage_counts_the_lines_of_the_new_version(tmp_path: Path, top: str) -> None:
    path = tmp_path / "x.py"
    path.write_text("def f(a):\n    return 1\n")
    # Without a file of data, and beside one that measures the tests themselves.
    measured = coverage.Coverage(data_file=None, include=[str(path)], config_file=False)
    with Host(tmp_path) as host:
        measured.start()
        try:
            module = host["x"].load()
            module.f(0)  # type: ignore[attr-defined]
            path.write_text(f"{top}def f(a):\n    if a:\n        return 2\n    return 3\n")
            assert host.reload("x").how in ("grafted", "adopted")
            module.f(1)  # type: ignore[attr-defined]
        finally:
            measured.stop()
    _, lines, missing, _ = measured.analysis(str(path))
    shift = len(top.splitlines())
    assert shift + 3 in lines
    assert shift + 3 not in missing
    assert shift + 4 in missing
