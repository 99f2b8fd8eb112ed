"""What is remembered of a folder is never other than what reading it again would give."""

import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import plugline
from plugline import Host
from plugline.discovery import index as index_module
from plugline.discovery import recall as recall_module
from plugline.discovery.recall import Recall, Row
from tests.soaks.edits import soak

INTERFACE = ["transform"]
PLUGIN = '"""Doc {n}."""\nVERSION = "{n}"\ndef transform(record):\n    return {n}\n'
PLUGINS = Path(__file__).parents[2] / "plugins"
FOLDERS = sorted(folder for kind in ("good", "bad") for folder in (PLUGINS / kind).iterdir())


def listing(folder: Path, interface: object = INTERFACE, api_version: str | None = "1.2") -> list[object]:
    """Return all that a new host shows of a folder."""
    with Host(folder, interface=interface, api_version=api_version) as host:  # type: ignore[call-overload]
        accepted = [(p.name, p.version, p.summary, str(p.place), p.spec, p.candidate.entry) for p in host]
        return [accepted, host.rejected, host.findings]


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[object]]:
    """List a folder without anything that is remembered, and without remembering it."""

    def list_cold(folder: Path, interface: object = INTERFACE, api_version: str | None = "1.2") -> list[object]:
        with monkeypatch.context() as patch:
            patch.setenv("PLUGLINE_CACHE", os.devnull)
            return listing(folder, interface, api_version)

    return list_cold


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PLUGLINE_CACHE", str(folder))
    return folder


def write(path: Path, text: str, *, seconds_ago: float = 0) -> None:
    path.write_text(text, encoding="utf-8")
    if seconds_ago:
        stamp = time.time() - seconds_ago
        os.utime(path, (stamp, stamp))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "plugins"
    made.mkdir()
    for number in range(5):
        write(made / f"p{number}.py", PLUGIN.format(n=number))
    return made


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files that are there now count as old."""
    real = time.time_ns
    monkeypatch.setattr("plugline.discovery.update.unix_nanoseconds", lambda: real() + 3_000_000_000)


# ----------------------------------------------------------------------------- the same as a cold reading


@pytest.mark.parametrize("folder_of", FOLDERS, ids=lambda path: path.name)
@pytest.mark.parametrize("interface", [INTERFACE, ["transform", "describe"], None], ids=["one", "two", "any"])
@pytest.mark.usefixtures("cache")
def test_a_remembered_listing_shows_what_a_first_one_does(
    folder_of: Path, interface: object, cold: Callable[..., list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    expected = cold(folder_of, interface)
    assert [listing(folder_of, interface) for _ in range(3)] == [expected] * 3


def edits() -> st.SearchStrategy[list[tuple[object, ...]]]:
    names = st.sampled_from(["a", "b", "c", "d/__init__", "_e"])
    texts = st.sampled_from(
        [
            PLUGIN.format(n=1),
            PLUGIN.format(n=2),  # as long as the one before
            "PLUGIN_NAME = 'a'\ndef transform(record): return 1\n",
            "def transform(): return 1\n",
            "def transform(record) return 1\n",
            "X = 1\n",
            "# /// script\n# [tool.plugline]\n# version = '3'\n# ///\ndef transform(record): return 3\n",
            "# /// script\n# [tool.plugline]\n# settings = { since = 2020-01-01 }\n# ///\ndef transform(r): pass\n",
        ]
    )
    one = st.one_of(
        st.tuples(st.just("write"), names, texts),
        st.tuples(st.just("replace"), names, texts),
        st.tuples(st.just("write, stamps as before"), names, texts),
        st.tuples(st.just("delete"), names),
        st.tuples(st.just("rename"), names, names),
        st.tuples(st.just("swap"), names, names),
        st.tuples(st.just("link"), names, names),
        st.tuples(st.just("age"), names),
    )
    return st.lists(one, min_size=1, max_size=12)


def apply(folder: Path, edit: tuple[object, ...]) -> None:
    kind, name, *rest = edit
    path = folder / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    other = folder / f"{rest[0]}.py" if rest else path
    if kind == "write":
        path.write_text(str(rest[0]))
    elif kind == "replace":
        (folder / "_new").write_text(str(rest[0]))
        (folder / "_new").replace(path)
    elif kind == "delete":
        path.unlink(missing_ok=True)
    elif path.exists() and not path.is_symlink():
        status = path.stat()
        if kind == "write, stamps as before":
            path.write_text(str(rest[0]))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        elif kind == "age":
            os.utime(path, (0, 0))
        elif kind == "rename" and other.parent.is_dir():
            path.replace(other)
        elif kind == "link" and not other.exists() and other.parent.is_dir():
            other.symlink_to(path)
        elif kind == "swap" and other.is_file() and other != path:
            path.rename(folder / "_swap")
            other.rename(path)
            (folder / "_swap").rename(other)


@given(steps=edits(), aged=st.booleans())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("cache")
def test_no_edit_is_missed(
    steps: list[tuple[object, ...]],
    aged: bool,  # noqa: FBT001 - hypothesis gives it by keyword
    tmp_path: Path,
    cold: Callable[..., list[object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "plugins"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with monkeypatch.context() as patch, Host(folder, interface=INTERFACE, api_version="1.2") as living:
        if aged:
            # Every stamp counts as old: then only what differs in it is seen, and each step gets a stamp of its own.
            settle(patch)
        for step in steps:
            apply(folder, step)
            if aged:
                time.sleep(0.011)  # a tick of the clock that file systems stamp with
            expected = cold(folder)
            assert listing(folder) == expected
            living.refresh()
            assert [p.name for p in living] == [shown[0] for shown in expected[0]]  # type: ignore[attr-defined]
            assert living.rejected == expected[1]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("cache")
def test_random_edits_give_no_stale_result(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    assert soak(tmp_path / "plugins", 150) == 450


# ----------------------------------------------------------------------------- what it costs

WATCH = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
ran = []
sys.addaudithook(lambda event, arguments: ran.append(arguments[0].co_filename) if event == "exec" else None)
"""


def run(program: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WATCH + program, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


LIST = """
from plugline import Host
host = Host(sys.argv[1], interface=["transform"])
print(len([(plugin.name, plugin.version, plugin.summary) for plugin in host]),
      [path for path in opened if sys.argv[1] in path],
      [path for path in ran if sys.argv[1] in path])
"""


def age(folder: Path) -> None:
    """Wait until the stamps of all files are two seconds old."""
    youngest = max(max(path.stat().st_ctime, path.stat().st_mtime) for path in [folder, *folder.rglob("*")])
    time.sleep(max(0.0, youngest + 2.1 - time.time()))


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_a_remembered_listing_opens_and_runs_no_plugin(folder: Path) -> None:
    age(folder)
    run(LIST, folder)
    assert run(LIST, folder) == "5 [] []"


ONE = """
from plugline import Host
host = Host(sys.argv[1], interface=["transform"])
print(host["p3"].load().transform(None), [path for path in opened if sys.argv[1] in path],
      [path for path in ran if sys.argv[1] in path])
"""


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_one_plugin_is_loaded_without_looking_at_the_others(folder: Path) -> None:
    age(folder)
    run(LIST, folder)
    path = str(folder / "p3.py")
    assert run(ONE, folder) == f"3 {[path]} {[path]}"


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("what", ["list", "load"])
def test_what_is_remembered_is_listed_and_loaded_without_costly_imports(what: str, folder: Path) -> None:
    age(folder)
    run(LIST, folder)
    names = [
        "dataclasses",
        "ast",
        "re",
        "pathlib",
        "inspect",
        "importlib.metadata",
        "json",
        "pickle",
        "hashlib",
        "typing",
        "enum",
        "logging",
        "threading",
    ]
    bare = run("print(*sys.modules)").split()
    program = LIST if what == "list" else ONE
    loaded = run(program + "print(*sys.modules)", folder).splitlines()[1].split()
    assert [name for name in names if name in loaded and name not in bare] == []


# ----------------------------------------------------------------------------- what is run


@pytest.mark.usefixtures("cache")
def test_what_is_loaded_is_what_is_in_the_file_whatever_was_listed(folder: Path) -> None:
    with Host(folder, interface=INTERFACE) as host:
        list(host)
        write(folder / "p1.py", PLUGIN.format(n=9))
        plugin = host["p1"]
        assert plugin.load().transform(None) == 9  # type: ignore[attr-defined]


@pytest.mark.usefixtures("cache")
def test_an_index_that_lies_of_stamps_runs_no_old_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch)
    listing(folder)
    write(folder / "p1.py", PLUGIN.format(n=9))

    def believe(self: Recall, text: str) -> tuple[list[Row], int, bool, list[Row]]:
        self.locate()
        self.read()
        assert self.head is not None
        return list(self.rows.values()), self.head.circumstances.index(text), False, []

    monkeypatch.setattr(Recall, "look", believe)
    with Host(folder, interface=INTERFACE, api_version="1.2") as host:
        assert len(host) == 5
        assert host["p1"].load().transform(None) == 9  # type: ignore[attr-defined]


def test_code_that_was_changed_in_the_bundle_is_not_run(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    listing(folder)
    [bundle] = cache.glob("*.bundle")
    content = bundle.read_bytes()
    bundle.write_bytes(content.replace(b"Doc 1.", b"Bad 1."))
    with Host(folder, interface=INTERFACE) as host:
        module = host["p1"].load()
        assert module.__doc__ == "Doc 1."
    with Host(folder, interface=INTERFACE) as host:
        assert host["p1"].load().__doc__ == "Doc 1.", "and is written again"


def test_the_plugin_folder_is_left_as_it_is(folder: Path, cache: Path) -> None:
    before = sorted(folder.rglob("*"))
    with Host(folder, interface=INTERFACE) as host:
        host.load_all()
    assert sorted(folder.rglob("*")) == before
    assert {path.suffix for path in cache.iterdir() if path.name != "swept"} == {".bundle", ".index"}
    if os.name == "posix":
        assert {path.stat().st_mode & 0o777 for path in cache.iterdir()} == {0o600}
        assert cache.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("cache")
def test_code_is_taken_from_the_bundle_also_for_files_that_are_no_plugins(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    write(folder / "_shared.py", "def transform(record):\n    return 'shared'\n")
    write(folder / "user.py", "from ._shared import transform as shared\ndef transform(r):\n    return shared(r)\n")
    for _ in range(2):
        with Host(folder, interface=INTERFACE) as host:
            assert host["user"].load().transform(None) == "shared"  # type: ignore[attr-defined]
    compiled: list[str] = []
    monkeypatch.setattr("plugline.host.loader.compile", lambda *given, **_: compiled.append(given[1]), raising=False)
    with Host(folder, interface=INTERFACE) as host:
        assert host["user"].load().transform(None) == "shared"  # type: ignore[attr-defined]
    assert compiled == []


@pytest.mark.usefixtures("cache")
def test_tracebacks_name_the_path_that_this_host_was_given(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    for place in (folder, tmp_path / "link"):
        with Host(place, interface=INTERFACE) as host:
            code = host["p1"].load().transform.__code__  # type: ignore[attr-defined]
            assert code.co_filename == str(place / "p1.py")


@pytest.mark.usefixtures("cache")
def test_a_warning_of_the_compiler_is_given_when_the_plugin_is_loaded(folder: Path) -> None:
    write(folder / "warns.py", "def transform(record):\n    return record is 1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        listing(folder)
    with pytest.warns(SyntaxWarning, match="is"), Host(folder, interface=INTERFACE) as host:
        host["warns"].load()


@pytest.mark.usefixtures("cache")
def test_what_only_the_compiler_sees_is_found_before_anything_is_run(folder: Path) -> None:
    write(folder / "p9.py", "def transform(record): pass\nreturn 1\n")
    with Host(folder, interface=INTERFACE) as host:
        [rejected] = host.rejected
    assert (rejected.name, rejected.findings[0].code, rejected.findings[0].place.line) == ("p9", "P106", 2)


def test_the_bundle_does_not_grow_with_every_edit(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, cold: Callable[..., list[object]]
) -> None:
    monkeypatch.setattr(index_module, "_SPARE_BUNDLE_BYTES", 0)
    listing(folder)
    [bundle] = cache.glob("*.bundle")
    once = bundle.stat().st_size
    for number in range(20):
        write(folder / "p1.py", PLUGIN.format(n=100 + number))
        assert listing(folder) == cold(folder)
        assert bundle.stat().st_size <= 2.5 * once
    with Host(folder, interface=INTERFACE) as host:
        assert len(host.load_all()) == 5
        assert host["p1"].load().transform(None) == 119  # type: ignore[attr-defined]


# ----------------------------------------------------------------------------- one plugin


@pytest.mark.usefixtures("cache")
def test_a_plugin_asked_for_first_is_the_one_that_is_listed_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    listing(folder)
    with Host(folder, interface=INTERFACE, api_version="1.2") as host:
        early = host["p2"]
        assert host._registry is None, "nothing was listed"
        loaded = early.load()
        assert {plugin.name: plugin for plugin in host}["p2"] is early
        assert host["p2"] is early
        assert early.load() is loaded


@pytest.mark.parametrize("change", ["new file", "edit", "clash", "gone", "other interface"])
@pytest.mark.usefixtures("cache")
def test_a_name_is_found_as_in_a_listing(
    change: str, folder: Path, monkeypatch: pytest.MonkeyPatch, cold: Callable[..., list[object]]
) -> None:
    settle(monkeypatch)
    write(folder / "a.py", "PLUGIN_NAME = 'p2'\n" + PLUGIN.format(n=7))
    if change != "clash":
        (folder / "a.py").unlink()
    listing(folder)
    if change == "new file":
        write(folder / "a.py", "PLUGIN_NAME = 'p2'\n" + PLUGIN.format(n=7))
    elif change == "edit":
        write(folder / "p2.py", "PLUGIN_NAME = 'p2b'\n" + PLUGIN.format(n=7))
        write(folder / "p3.py", "PLUGIN_NAME = 'p2'\n" + PLUGIN.format(n=7))
    elif change == "gone":
        (folder / "p2.py").unlink()
    interface = ["absent"] if change == "other interface" else INTERFACE
    expected = {shown[0]: shown[3] for shown in cold(folder, interface)[0]}  # type: ignore[attr-defined]
    with Host(folder, interface=interface, api_version="1.2") as host:
        try:
            found = str(host["p2"].place)
        except plugline.PluginRejected:
            found = None
        except plugline.UnknownPlugin:
            found = None
    assert found == expected.get("p2")


# ----------------------------------------------------------------------------- the cache folder


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_cache_folder_that_others_may_write_is_not_used(
    folder: Path, cache: Path, mode: int, cold: Callable[..., list[object]]
) -> None:
    cache.mkdir()
    cache.chmod(mode)
    assert listing(folder) == cold(folder)
    assert list(cache.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives folders away")
def test_a_cache_folder_of_somebody_else_is_not_used(folder: Path, cache: Path) -> None:
    cache.mkdir(mode=0o700)
    os.chown(cache, 12345, 12345)
    listing(folder)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("kind", ["a file", "below a file", "a link"])
def test_a_cache_folder_that_cannot_be_is_done_without(
    kind: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cold: Callable[..., list[object]]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(folder)
    paths = {"a file": "file", "below a file": "file/cache", "a link": "link"}
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path / paths[kind]))
    before = sorted(folder.iterdir())
    assert [listing(folder), listing(folder)] == [cold(folder)] * 2
    with Host(folder, interface=INTERFACE) as host:
        assert len(host.load_all()) == 5
    assert sorted(folder.iterdir()) == before


def test_a_cache_that_cannot_be_written_is_done_without(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, cold: Callable[..., list[object]]
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    expected = cold(folder)
    with monkeypatch.context() as patch:
        patch.setattr("plugline.discovery.bundle.os.write", refuse)
        assert [listing(folder), listing(folder)] == [expected] * 2
    assert [path for path in cache.iterdir() if path.stat().st_size] == []
    assert listing(folder) == expected


def test_without_a_home_the_user_data_base_says_where_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, cold: Callable[..., list[object]]
) -> None:
    expected = cold(folder)
    for name in ("HOME", "XDG_CACHE_HOME", "PLUGLINE_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("plugline.discovery.cache.os.path.expanduser", lambda path: path)  # none there either
    assert listing(folder) == expected


def test_the_cache_folder_is_where_the_specification_says(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLUGLINE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    listing(folder)
    assert (tmp_path / "xdg" / "plugline").is_dir()
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    listing(folder)
    assert (tmp_path / "home" / ".cache" / "plugline").is_dir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUGLINE_CACHE", "~/own")  # as no shell has read it
    listing(folder)
    assert (tmp_path / "home" / "own").is_dir()


# ----------------------------------------------------------------------------- damage


def test_a_damaged_index_is_made_again(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, cold: Callable[..., list[object]]
) -> None:
    settle(monkeypatch)
    expected = cold(folder)
    listing(folder)
    [path] = cache.glob("*.index")
    content = path.read_bytes()

    @given(st.data())
    @settings(max_examples=150, deadline=None)
    def check(data: st.DataObject) -> None:
        damaged = bytearray(content)
        if data.draw(st.booleans()):
            damaged[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        else:
            damaged = damaged[: data.draw(st.integers(0, len(content) - 1))]
        path.write_bytes(damaged)
        with Host(folder, interface=INTERFACE, api_version="1.2") as host:
            assert [host[f"p{number}"].version for number in range(5)] == ["0", "1", "2", "3", "4"]
        path.write_bytes(damaged)
        assert listing(folder) == expected
        assert listing(folder) == expected

    check()


@pytest.mark.parametrize("what", ["bundle", "index"])
def test_half_of_the_cache_is_as_good_as_none(
    what: str, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, cold: Callable[..., list[object]]
) -> None:
    settle(monkeypatch)
    listing(folder)
    for path in cache.glob(f"*.{what}"):
        path.unlink()
    for interface in (INTERFACE, ["transform", "describe"]):
        assert listing(folder, interface) == cold(folder, interface)
    with Host(folder, interface=INTERFACE) as host:
        assert len(host.load_all()) == 5


@pytest.mark.parametrize("what", ["__version__", "MAGIC_NUMBER"])
def test_another_plugline_or_python_starts_anew(
    what: str, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing(folder)
    assert len(list(cache.glob("*.index"))) == 1
    monkeypatch.setattr(recall_module, what, b"other" if what == "MAGIC_NUMBER" else "9.9")
    listing(folder)
    assert len(list(cache.glob("*.index"))) == 2


def test_an_index_of_another_folder_is_not_used(
    folder: Path, cache: Path, tmp_path: Path, cold: Callable[..., list[object]]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    write(other / "p1.py", PLUGIN.format(n=9))
    listing(folder)
    [theirs] = cache.glob("*.index")
    content = theirs.read_bytes()
    listing(other)
    for path in cache.glob("*.index"):
        path.write_bytes(content)
    assert listing(other) == cold(other)


WRITER = """
import os, random, sys
from plugline import Host
chance = random.Random(int(sys.argv[2]))
for number in range(30):
    kind = chance.choice(["list", "load", "edit"])
    path = f"{sys.argv[1]}/p{chance.randrange(5)}.py"
    if kind == "edit":
        with open(path + "." + sys.argv[2], "w") as file:
            file.write(sys.argv[3].format(n=chance.randrange(100)))
        os.replace(path + "." + sys.argv[2], path)
        continue
    with Host(sys.argv[1], interface=["transform"]) as host:
        assert [plugin.name for plugin in host] == ["p0", "p1", "p2", "p3", "p4"], host.rejected
        if kind == "load":
            assert len(host.load_all()) == 5, host.rejected
"""


@pytest.mark.slow
def test_several_processes_remember_at_once(folder: Path, cache: Path, cold: Callable[..., list[object]]) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(number), PLUGIN]) for number in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert listing(folder) == cold(folder)
    assert {path.suffix for path in cache.iterdir() if path.name != "swept"} == {".bundle", ".index"}, (
        "no temporary file is left"
    )
