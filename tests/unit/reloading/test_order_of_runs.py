"""In which order a reload runs the modules of a plugin again."""

from pathlib import Path

import pytest

from plugline import Host


class Base:
    """What plugins derive from."""


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """A package whose class is in a module that imports another by way of the package."""
    folder = tmp_path / "line"
    folder.mkdir()
    (folder / "__init__.py").write_text("from .own import Mine\n")
    (folder / "own.py").write_text(f"from {__name__} import Base\nfrom . import texts\nclass Mine(Base): pass\n")
    (folder / "texts.py").write_text("hello = 'hello'\n")
    return folder


def test_a_package_runs_before_a_module_in_it_as_an_import_would_have_it(line: Path) -> None:
    with Host(line.parent, interface=Base) as host:
        mine = host["line"].load_type()
        own = line / "own.py"
        own.write_text(own.read_text() + "volume = 1\n")
        report = host.reload("line")
        assert report.ok, report
        assert len(report.added) == 1
        assert host["line"].load_type() is mine


def test_what_a_module_raises_is_told_also_where_looking_at_it_raised(line: Path) -> None:
    with Host(line.parent) as host:
        module = host["line"].load()
        (line / "__init__.py").write_text("from .own import Mine\nloud = 1\nraise OSError('no disk')\n")
        (line / "own.py").write_text("from . import texts\nclass Mine: pass\n")
        report = host.reload("line")
        assert report.how == "refused"
        assert "no disk" in str(report)
        assert not hasattr(module, "loud")


def test_modules_that_import_each_other_run_in_the_order_in_which_they_were_imported(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text("class Mine: pass\nfrom ._second import number\n")
    second = tmp_path / "_second.py"
    second.write_text("from .first import Mine\nnumber = 1\n")
    with Host(tmp_path) as host:
        module = host["first"].load()
        second.write_text("from .first import Mine\nnumber = 2\nmore = Mine\n")
        report = host.reload("first")
        assert report.ok, report
        assert module.number == 2  # type: ignore[attr-defined]
