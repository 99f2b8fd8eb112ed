"""A file that becomes a package, and a package that becomes a file, while the plugin in it is in use."""

import shutil
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from plugline import Host
from plugline.reloading.report import ReloadReport

_FILE = "from . import helper\ndef transform(record):\n    return record, {version}, helper.tidy()\n"
_HELPER = "def tidy():\n    return {version}\n"


def _become_package(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.py").unlink()
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text)


def _become_file(folder: Path, name: str, text: str) -> None:
    shutil.rmtree(folder / name)
    (folder / f"{name}.py").write_text(text)


def _reload(host: Host[object], name: str) -> ReloadReport:
    report = host.reload(name)
    assert report.how == "adopted", report
    assert report.ok
    return report


@pytest.mark.parametrize("name", ["x", "my-plugin", "1st"])
def test_whoever_holds_something_of_it_has_the_package(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("def transform(record):\n    return 1\n")
    with Host(tmp_path, interface=["transform"]) as host:
        plugin = host[name]
        module = plugin.load()
        held = module.transform  # type: ignore[attr-defined]
        _become_package(tmp_path, name, "from .part import VALUE\ndef transform(record):\n    return VALUE\n")
        (tmp_path / name / "part.py").write_text("VALUE = 2\n")
        _reload(host, name)
        assert (held(0), plugin.generation) == (2, 2)
        assert plugin.path == str(tmp_path / name / "__init__.py")
        assert isinstance(module, ModuleType)
        assert (module.__file__, [*module.__path__]) == (plugin.path, [str(tmp_path / name)])
        assert held.__code__.co_filename == plugin.path
        host.refresh()
        assert host[name] is plugin
        assert host.reload(name).how == "unchanged"
        (tmp_path / name / "part.py").write_text("VALUE = 3\n")
        _reload(host, name)
        assert held(0) == 3
        _become_file(tmp_path, name, "def transform(record):\n    return 4\n")
        _reload(host, name)
        assert (held(0), plugin.generation, plugin.path) == (4, 4, str(tmp_path / f"{name}.py"))
        assert not hasattr(module, "__path__")
        assert [one for one in sys.modules if one.startswith(f"{module.__name__}.")] == []
        (tmp_path / f"{name}.py").write_text("def transform(record):\n    return 5\n")
        assert host.reload(name).how == "grafted"
        assert held(0) == 5


def test_with_the_same_bytes_it_is_another_module_too(tmp_path: Path) -> None:
    text = "def transform(record):\n    return __file__\n"
    (tmp_path / "x.py").write_text(text)
    with Host(tmp_path) as host:
        held = host["x"].load().transform  # type: ignore[attr-defined]
        _become_package(tmp_path, "x", text)
        _reload(host, "x")
        assert held(0) == str(tmp_path / "x" / "__init__.py")


@pytest.mark.parametrize("name", ["x", "my-plugin"])
def test_a_package_that_fails_leaves_the_file_in_force(tmp_path: Path, name: str) -> None:
    text = "def transform(record):\n    return 1\n"
    (tmp_path / f"{name}.py").write_text(text)
    with Host(tmp_path) as host:
        plugin = host[name]
        held = plugin.load().transform  # type: ignore[attr-defined]
        for wrong, line in (("def transform(:\n", 1), ("def transform(record):\n    return 2\n\n1 / 0\n", 4)):
            _become_package(tmp_path, name, wrong)
            report = host.reload(name)
            assert report.how == "refused"
            assert (report.refused[0].place.path, report.refused[0].place.line) == (
                str(tmp_path / name / "__init__.py"),
                line,
            )
            assert (held(0), plugin.generation, plugin.path) == (1, 1, str(tmp_path / f"{name}.py"))
            _become_file(tmp_path, name, text)
            assert host.reload(name).how == "unchanged"
        (tmp_path / f"{name}.py").write_text(text.replace("1", "7"))
        assert host.reload(name).how == "grafted"
        assert held(0) == 7


def test_what_imports_a_file_that_became_a_package_runs_again(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text(_HELPER.format(version=1))
    (tmp_path / "x.py").write_text(_FILE.format(version=1))
    with Host(tmp_path, interface=["transform"]) as host:
        held = host["x"].load().transform  # type: ignore[attr-defined]
        _become_package(tmp_path, "helper", "from .inner import tidy\n")
        (tmp_path / "helper" / "inner.py").write_text(_HELPER.format(version=2))
        _reload(host, "x")
        assert held(0) == (0, 1, 2)
        _become_file(tmp_path, "helper", _HELPER.format(version=3))
        _reload(host, "x")
        assert held(0) == (0, 1, 3)


def test_a_class_of_a_file_that_became_a_package_stays_that_class(tmp_path: Path) -> None:
    class Base:
        def transform(self, record: object) -> object:
            return record

    text = "from app_of_moved import Base\nclass Upper(Base):\n    def transform(self, record):\n        return {version}\n"
    app = ModuleType("app_of_moved")
    app.Base = Base  # type: ignore[attr-defined]
    sys.modules["app_of_moved"] = app
    try:
        (tmp_path / "upper.py").write_text(text.format(version=1))
        with Host(tmp_path, interface=Base) as host:
            plugin = host["upper"]
            one = plugin.load()
            _become_package(tmp_path, "upper", text.format(version=2))
            _reload(host, "upper")
            assert one.transform(0) == 2
            assert plugin.loaded_type is type(one)
    finally:
        del sys.modules["app_of_moved"]


def test_who_watches_follows_it(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("def transform(record):\n    return 1\n")
    followed = threading.Event()
    reports: list[ReloadReport] = []

    def tell(report: ReloadReport) -> None:
        reports.append(report)
        if report.how == "adopted":
            followed.set()

    with Host(tmp_path) as host:
        held = host["x"].load().transform  # type: ignore[attr-defined]
        with host.watch(tell, method="polling", poll_seconds=0.02):
            _become_package(tmp_path, "x", "def transform(record):\n    return 2\n")
            assert followed.wait(20), reports
            assert held(0) == 2
            assert (host["x"].path, host["x"].generation) == (str(tmp_path / "x" / "__init__.py"), 2)


def test_a_package_that_became_a_file_and_was_listed_by_somebody_else_first_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time_ns
    monkeypatch.setattr(
        "plugline.discovery.update.unix_nanoseconds", lambda: real() + 3_000_000_000
    )  # all files are old
    text = "def transform(record):\n    return VALUE\n"
    (tmp_path / "user.py").write_text(f"{text}from .x import VALUE\n")
    (tmp_path / "x").mkdir()
    (tmp_path / "x/__init__.py").write_text(f"{text}VALUE = 1\n")
    with Host(tmp_path, interface=["transform"]) as host:
        assert host.names == ("user", "x")
        _become_file(tmp_path, "x", f"{text}VALUE = 2\n")
        for _ in range(2):
            with Host(tmp_path, interface=["transform"]) as other:
                assert len(other.load_all()) == 2
        host.refresh()
        assert host["user"].load().transform(1) == 2  # type: ignore[attr-defined]
