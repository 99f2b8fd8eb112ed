import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from plugline import Host
from plugline.cli import main
from plugline.reloading.notify import Method
from plugline.reloading.report import ReloadReport

METHODS: list[Method] = ["inotify", "watchfiles", "polling"]

pytestmark = pytest.mark.slow


def eventually(condition: Callable[[], object], seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def returns(f: Callable[[], object], value: object) -> bool:
    return f() == value


def put(path: Path, text: str) -> None:
    """Write a file in one piece: of one that is cut off and written, a busy machine may have a watch see the half."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def body(value: object) -> str:
    return f"def f():\n    return {value!r}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "x.py").write_text(body("old"))
    return folder


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> Method:
    method: Method = request.param
    if method == "inotify" and not Path("/proc/sys/fs/inotify").exists():
        pytest.skip("this system has no inotify")
    if method == "watchfiles" and find_spec("watchfiles") is None:
        pytest.skip("watchfiles is not installed")
    return method


Reports = list[ReloadReport]
Watched = tuple[Host[object], Callable[[], object], Reports]


@pytest.fixture
def watched(folder: Path, method: Method) -> Iterator[Watched]:
    reports: Reports = []
    with Host(folder) as host:
        f = host["x"].load().f  # type: ignore[attr-defined]
        with host.watch(reports.append, method=method, poll_seconds=0.05):
            yield host, f, reports


def test_a_file_that_is_cut_off_and_written_is_taken(watched: Watched, folder: Path) -> None:
    _, f, reports = watched
    (folder / "x.py").write_text(body("new"))
    assert eventually(lambda: f() == "new")
    assert eventually(lambda: reports)
    assert reports[-1].changed == ("f",)


def test_a_file_that_is_renamed_into_place_is_taken(watched: Watched, folder: Path) -> None:
    _, f, _ = watched
    (folder / ".x.py.swp").write_text(body("new"))
    (folder / ".x.py.swp").replace(folder / "x.py")
    assert eventually(lambda: f() == "new")


def test_a_file_that_is_deleted_and_written_again_is_taken(watched: Watched, folder: Path) -> None:
    _, f, _ = watched
    for value in range(5):
        (folder / "x.py").unlink()
        (folder / "x.py").write_text(body(value))
        assert eventually(partial(returns, f, value))


def test_a_save_of_equal_size_and_time_is_taken(watched: Watched, folder: Path) -> None:
    _, f, _ = watched
    status = (folder / "x.py").stat()
    (folder / "x.py").write_text(body("new"))
    os.utime(folder / "x.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert eventually(lambda: f() == "new")


def test_a_save_whose_time_goes_back_is_taken(watched: Watched, folder: Path) -> None:
    _, f, _ = watched
    (folder / "x.py").write_text(body("new"))
    os.utime(folder / "x.py", (1, 1))
    assert eventually(lambda: f() == "new")


def test_a_file_that_is_written_in_pieces_is_taken_when_it_is_whole(watched: Watched, folder: Path) -> None:
    _, f, _ = watched
    with (folder / "x.py").open("w") as file:
        for letter in body("new"):
            file.write(letter)
            file.flush()
    assert eventually(lambda: f() == "new")


def test_a_link_that_is_turned_elsewhere_is_taken(watched: Watched, folder: Path) -> None:
    _, f, _ = watched
    for version in ("one", "two"):
        (folder / f"_{version}.py").write_text(body(version))
        (folder / ".link").symlink_to(f"_{version}.py")
        (folder / ".link").replace(folder / "x.py")
        assert eventually(partial(returns, f, version))


@pytest.mark.parametrize("text", ["\ufeff" + body("new"), body("new").replace("\n", "\r\n")])
def test_a_mark_at_the_beginning_and_other_ends_of_lines_are_no_matter(
    watched: Watched, folder: Path, text: str
) -> None:
    _, f, _ = watched
    (folder / "x.py").write_bytes(text.encode())
    assert eventually(lambda: f() == "new")


def test_what_editors_leave_beside_a_plugin_is_no_save(watched: Watched, folder: Path) -> None:
    _, f, reports = watched
    for name in (".x.py.swp", ".#x.py", "#x.py#", "x.py~", "4913", "x.py.tmp", ".x.py.kate-swp", "x.py.bak"):
        (folder / name).write_text(body("from an editor"))
    (folder / "x.py").write_text(body("new"))
    assert eventually(partial(returns, f, "new"))
    assert [report.plugin for report in reports] == ["x"] * len(reports)


def test_a_mistake_is_told_once_and_mended_by_the_next_save(watched: Watched, folder: Path) -> None:
    _, f, reports = watched
    put(folder / "x.py", "def f(:\n")
    assert eventually(lambda: any(report.how == "refused" for report in reports))
    assert f() == "old"
    put(folder / "x.py", body("new"))
    assert eventually(lambda: f() == "new")
    assert [report.how for report in reports].count("refused") == 1


@pytest.mark.parametrize("there", [False, True])
def test_a_save_that_needs_what_is_saved_after_it_is_taken_then(watched: Watched, folder: Path, *, there: bool) -> None:
    host, f, reports = watched
    if there:
        put(folder / "_later.py", "OLD = 1\n")
        put(folder / "y.py", "from ._later import OLD\n" + body("y"))
        host.refresh()
        host["y"].load()
    put(folder / "x.py", "from ._later import NEW\n" + body("new"))
    assert eventually(lambda: any(report.how == "refused" for report in reports))
    put(folder / "unrelated.py", body("unrelated"))
    assert eventually(lambda: "unrelated" in host)
    put(folder / "_later.py", "OLD = 1\nNEW = 2\n")
    assert eventually(lambda: f() == "new")
    assert [report.plugin for report in reports if report.how == "refused"] == ["x"]


def test_a_helper_is_followed_by_those_who_import_it(watched: Watched, folder: Path) -> None:
    host, _, _ = watched
    (folder / "_h.py").write_text("K = 1\n")
    (folder / "y.py").write_text("from ._h import K\n")
    host.refresh()
    y = host["y"].load()
    (folder / "_h.py").write_text("K = 2\n")
    assert eventually(lambda: y.K == 2)  # type: ignore[attr-defined]


def test_a_plugin_that_could_not_be_loaded_is_tried_again(watched: Watched, folder: Path) -> None:
    host, _, reports = watched
    put(folder / "z.py", "1 / 0\n")
    host.refresh()

    def is_left_out() -> bool:
        host.load_all()  # the watch may have looked at the folder meanwhile, and then it is one that was not tried yet
        return "z" not in host

    assert eventually(is_left_out)
    put(folder / "z.py", body("z"))
    assert eventually(lambda: any(report.plugin == "z" and report.how == "loaded" for report in reports))
    assert host["z"].load().f() == "z"  # type: ignore[attr-defined]


def test_a_plugin_that_failed_for_what_a_neighbour_lacks_is_tried_again_when_that_has_it(
    folder: Path, method: Method
) -> None:
    put(folder / "_shared.py", "OLD = 1\n")
    put(folder / "x.py", "from ._shared import OLD\n" + body("x"))
    put(folder / "y.py", "from ._shared import NEW\n" + body("y"))
    reports: Reports = []
    with Host(folder) as host:
        assert [plugin.name for plugin in host.load_all()] == ["x"]
        with host.watch(reports.append, method=method, poll_seconds=0.05):
            put(folder / "_shared.py", "OLD = 1\nNEW = 2\n")
            assert eventually(lambda: any(report.plugin == "y" and report.how == "loaded" for report in reports))
            assert host["y"].load().f() == "y"  # type: ignore[attr-defined]


def test_a_new_file_that_is_rejected_is_told_once_it_is_whole_and_not_again(folder: Path, method: Method) -> None:
    (folder / "known.py").write_text("def f(:\n")
    reports: Reports = []
    with Host(folder, interface=["f"]) as host:
        assert [one.name for one in host.rejected] == ["known"]
        with host.watch(reports.append, method=method, poll_seconds=0.05):
            (folder / "new.py").touch()  # as an editor that has not written it yet
            assert eventually(lambda: "new" in [one.name for one in host.rejected])
            (folder / "new.py").write_text("def g():\n    pass\n\ndef f(:\n")
            assert eventually(lambda: any("P106" in str(report) for report in reports))
            (folder / "other.py").write_text(body("other"))
            assert eventually(lambda: "other" in host)
            (folder / "x.py").unlink()
            assert eventually(lambda: "x" not in host)
            (folder / "x.py").write_text("def h(): pass\n")  # it was usable, and is not any more
            assert eventually(lambda: reports[-1].plugin == "x")
    told = [(one.plugin, one.how, one.generation, one.refused[0].code) for one in reports if one.refused]
    assert told[-2:] == [("new", "refused", 0, "P106"), ("x", "refused", 0, "P201")]
    assert {name for name, *_ in told} == {"new", "x"}


def test_what_is_disabled_or_trusted_meanwhile_is_seen(folder: Path, method: Method) -> None:
    reports: Reports = []
    assert main(["trust", str(folder)]) == 0
    with Host(folder, interface=["f"]) as host, host.watch(reports.append, method=method, poll_seconds=0.05):
        put(folder / "new.py", body("new"))
        assert eventually(lambda: any("T301" in str(report) for report in reports))
        assert main(["trust", str(folder)]) == 0
        assert eventually(lambda: host.names == ("new", "x"))
        put(folder.parent / "plugline.toml", 'disabled = ["x"]\n')
        assert eventually(lambda: host.names == ("new",))
        (folder.parent / "plugline.toml").unlink()
        assert eventually(lambda: host.names == ("new", "x"))


def test_a_plugin_whose_file_is_deleted_is_told_and_goes(watched: Watched, folder: Path) -> None:
    host, f, reports = watched
    (folder / "x.py").unlink()
    assert eventually(lambda: any(report.how == "removed" for report in reports))
    assert "x" not in host
    assert f() == "old"


def test_what_a_callback_raises_does_not_end_the_watch(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail(report: ReloadReport) -> None:
        raise ValueError(report.plugin)

    with Host(folder) as host:
        f = host["x"].load().f  # type: ignore[attr-defined]
        with host.watch(fail):
            for value in ("one", "two"):
                (folder / "x.py").write_text(body(value))
                assert eventually(partial(returns, f, value))
            assert eventually(lambda: "watching goes on" in caplog.text)


def test_a_method_that_there_is_not_is_named(folder: Path) -> None:
    with Host(folder) as host, pytest.raises(ValueError, match="'listening'"):
        host.watch(method="listening")  # type: ignore[arg-type]


def test_what_would_watch_without_a_pause_is_refused(folder: Path) -> None:
    with Host(folder) as host:
        for seconds in (0, -1, float("nan")):
            with pytest.raises(ValueError, match="above 0"):
                host.watch(poll_seconds=seconds)


def test_a_plugin_that_runs_in_a_worker_is_followed_as_any_other(folder: Path) -> None:
    reports: Reports = []
    with Host(folder, interface=["f"], isolation={"x": "process"}) as host:
        f = host["x"].load().f  # type: ignore[attr-defined]
        assert f() == "old"
        with host.watch(reports.append):
            put(folder / "x.py", body("new"))
            assert eventually(lambda: f() == "new")
            put(folder / "x.py", "def f(:\n")
            assert eventually(lambda: len(reports) == 2)
            assert f() == "new"
            put(folder / "x.py", body("newer"))
            assert eventually(lambda: f() == "newer")
    assert [report.how for report in reports] == ["adopted", "refused", "adopted"]


def test_a_worker_that_takes_a_save_beside_one_that_does_not_is_told(folder: Path) -> None:
    classes = "".join(f"class {name}:\n    def f(self): return {name!r}\n" for name in "AB")
    put(folder / "x.py", classes)
    reports: Reports = []
    with Host(folder, interface=["f"], isolation="process") as host:
        host.load_all()
        with host.watch(reports.append, poll_seconds=0.05):
            put(folder / "x.py", classes.replace("class B:", "class C:").replace("'A'", "'A!'"))
            assert eventually(lambda: len(reports) >= 2)
    assert [(report.plugin, report.how) for report in reports[:2]] == [("x:A", "adopted"), ("x:B", "refused")]


def test_what_was_edited_between_load_and_watch_is_taken_of_a_worker_too(folder: Path) -> None:
    with Host(folder, interface=["f"], isolation={"x": "process"}) as host:
        f = host["x"].load().f  # type: ignore[attr-defined]
        (folder / "x.py").write_text(body("new"))
        with host.watch():
            assert eventually(lambda: f() == "new")


def test_what_the_program_imported_itself_is_told_to_need_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = tmp_path / "plugline_own_app" / "plugins"
    plugins.mkdir(parents=True)
    (plugins.parent / "__init__.py").write_text("from plugline_own_app.plugins import a\n")
    put(plugins / "a.py", body("old"))
    put(plugins / "b.py", body("old"))
    monkeypatch.syspath_prepend(tmp_path)
    reports: Reports = []
    importlib.import_module("plugline_own_app")
    try:
        with Host(plugins, interface=["f"], package="plugline_own_app.plugins") as host:
            assert len(host.load_all()) == 2
            assert [host.reload(name).how for name in "ab"] == ["unchanged", "unchanged"]
            with host.watch(reports.append):
                put(plugins / "a.py", body("new"))
                assert eventually(lambda: reports)
            assert [(one.plugin, one.how, [why.code for why in one.refused]) for one in reports] == [
                ("a", "refused", ["P332"])
            ]
            assert host.reload("a").restart_needed == ("a",)
            put(plugins / "b.py", body("new"))
            assert host.reload("b").how == "grafted"
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "plugline_own_app"]:
            del sys.modules[name]
