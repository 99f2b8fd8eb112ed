"""What a reload says of itself, as data and as a line for people, and what it leaves to a restart."""

import _bisect
import os
import re
import shutil
from pathlib import Path

import pytest

from plugline import Host
from plugline.admission.policy import Policy

_OLD = "LIMIT = 1\ndef helper():\n    return 1\ndef transform(record):\n    return helper()\n"


def test_a_reload_is_told_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "upper.py"
    path.write_text(_OLD)
    with Host(tmp_path) as host:
        host["upper"].load()
        path.write_text("LIMIT = 1\ndef transform(record, more=2):\n    return 2\n")
        report = host.reload("upper")
        assert (report.changed, report.removed, report.added) == (("transform",), ("helper",), ())
        line = r"upper reloaded \(generation 2\): transform changed, helper removed, [\d.]+ ms"
        assert re.fullmatch(line, str(report)), str(report)
        path.write_text("LIMIT = 1\ndef transform(record, more=2):\n    return 3\n")
        assert re.fullmatch(r"upper reloaded \(generation 3\): transform changed, [\d.]+ ms", str(host.reload("upper")))
        assert re.fullmatch(r"upper is unchanged \(generation 3\), [\d.]+ ms", str(host.reload("upper")))


def test_what_was_run_again_because_of_a_helper_is_named(tmp_path: Path) -> None:
    (tmp_path / "_shared.py").write_text("K = 1\n")
    (tmp_path / "x.py").write_text("from ._shared import K\n")
    (tmp_path / "y.py").write_text("from .x import K\n")
    with Host(tmp_path, namespace="named") as host:
        host["x"].load()
        host["y"].load()
        (tmp_path / "_shared.py").write_text("K = 2\n")
        report = host.reload("x")
        assert report.dependents == ("named.y",)
        assert host["y"].load().K == 2  # type: ignore[attr-defined]


def test_a_version_that_the_policy_denies_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(_OLD)
    with Host(tmp_path, policy=Policy(audit="refuse")) as host:
        module = host["x"].load()
        path.write_text("import subprocess\n" + _OLD + "def run():\n    subprocess.run(['true'])\n")
        report = host.reload("x")
        assert report.how == "refused"
        assert report.refused[0].place.line == 8
        assert not hasattr(module, "run")
        assert host["x"].generation == 1


def test_a_module_written_in_c_needs_a_restart(tmp_path: Path) -> None:
    built = Path(getattr(_bisect, "__file__", ""))
    if built.suffix != ".so":
        pytest.skip("this Python has no modules written in C in files of their own")
    package = tmp_path / "x"
    package.mkdir()
    (package / "__init__.py").write_text("from . import _bisect\nK = 1\n")
    extension = package / built.name
    shutil.copyfile(built, extension)
    with Host(tmp_path) as host:
        module = host["x"].load()
        (package / "__init__.py").write_text("from . import _bisect\nK = 2\n")
        os.utime(extension, (2_000_000_000, 2_000_000_000))
        report = host.reload("x")
        assert report.restart_needed == (f"{module.__name__}._bisect",)  # type: ignore[attr-defined]
        assert not report.ok
        assert "restart needed for" in str(report)


def test_names_are_those_of_the_plugin_that_is_asked_for_and_those_of_others_have_their_module_before_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "_helper.py").write_text("LIMIT = 1\ndef clean(text):\n    return text\n")
    (tmp_path / "upper.py").write_text("from ._helper import clean, LIMIT\nTWICE = 2 * LIMIT\n")
    with Host(tmp_path) as host:
        host["upper"].load()
        (tmp_path / "_helper.py").write_text("LIMIT = 2\ndef clean(text):\n    return text\n")
        assert host.reload("upper").changed == ("_helper.LIMIT", "LIMIT", "TWICE")
        (tmp_path / "_helper.py").write_text("LIMIT = 2\ndef clean(text):\n    return text.strip()\n")
        assert host.reload("upper").changed == ("_helper.clean",)
