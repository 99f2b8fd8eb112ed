"""What a host makes of a folder is remembered with all that it depends on, and with nothing less."""

import importlib
import inspect
import itertools
import json
import linecache
import os
import pickle
import py_compile
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import pytest

from plugline import Finding, Folder, Host, LoadError, PluginDeclined, PluginRejected, PluginSpec, Policy
from plugline.admission.policy import Facts
from plugline.cli import main
from plugline.contract.interface import interfaces_of
from plugline.contract.permissions import Permissions
from plugline.files import SourceFile

PLUGIN = '"""Doc."""\ndef transform(record):\n    return {n}\n'
INTERFACE = ["transform"]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")


class Named(Protocol):
    """A way to be a plugin by a function."""

    def transform(self, record: object) -> object:
        """Return it."""


class Told(Protocol):
    """Another one."""

    def describe(self) -> str:
        """Return it."""


class Step:
    """The base class of a host."""

    def transform(self, record: object) -> object:
        """Return it."""
        return record


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files count as old, so that what is remembered of them is used."""
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path / "cache"))
    now = time.time_ns
    monkeypatch.setattr("plugline.discovery.update.unix_nanoseconds", lambda: now() + 3_000_000_000)
    tmp_path.chmod(0o755)
    made = tmp_path / "host" / "plugins"
    made.mkdir(parents=True)
    for number in range(3):
        (made / f"p{number}.py").write_text(PLUGIN.format(n=number))
    return made


class Reading(Protocol):
    """A way to be a plugin by a class."""

    def read(self, path: str) -> object:
        """Read it."""


def test_a_plugin_of_two_kinds_is_shown_as_both_from_the_first_listing_on(folder: Path) -> None:
    (folder / "p0.py").write_text(PLUGIN.format(n=0) + "def describe():\n    return ''\n")
    (folder / "p1.py").write_text(PLUGIN.format(n=1) + "class Reader:\n    def read(self, path): ...\n")
    kinds = {"step": Named, "told": Told, "reader": Reading}
    for _ in range(2):
        with Host(folder, interface=(Named, Told, Reading)) as host:
            found = {
                plugin.name: [kind for kind, one in kinds.items() if plugin.spec.fits_plainly(interfaces_of(one))]
                for plugin in host
            }
        assert found == {"p0": ["step", "told"], "p1": ["step", "reader"], "p2": ["step"]}


def test_a_host_that_asks_for_something_else_finds_what_another_did_not_look_at(folder: Path) -> None:
    (folder / "p1.py").write_text(PLUGIN.format(n=1) + "class Reader:\n    def read(self, path): ...\n")
    for interface, expected in ((INTERFACE, ("p0", "p1", "p2")), (Reading, ("p1",)), (["describe"], ())):
        for _ in range(2):
            with Host(folder, interface=interface) as host:
                assert host.names == expected


def codes(folder: Path, policy: Policy | None = None) -> dict[str, list[str]]:
    """Return the codes of what is wrong, and of what is warned of, by the names of plugins."""
    with Host(folder, interface=INTERFACE, policy=policy) as host:
        rejected = {one.name: [finding.code for finding in one.findings] for one in host.rejected}
        return {**rejected, **{plugin.name: [finding.code for finding in plugin.warnings] for plugin in host}}


def always_the_same(list_it: Callable[[], object]) -> object:
    """Return what three listings show, of which the first may read and the others remember."""
    first, *others = [list_it() for _ in range(3)]
    assert others == [first, first]
    return first


FINE: dict[str, list[str]] = {"p0": [], "p1": [], "p2": []}


# ----------------------------------------------------------------------------- owners and modes


@pytest.mark.parametrize(
    ("path", "mode", "found"),
    [
        ("p1.py", 0o666, {**FINE, "p1": ["T101"]}),
        (".", 0o777, {"p0": ["T101"], "p1": ["T101"], "p2": ["T101"]}),
        ("..", 0o757, {"p0": ["T101"], "p1": ["T101"], "p2": ["T101"]}),
    ],
)
def test_a_mode_that_was_changed_is_seen_by_the_next_listing(
    path: str, mode: int, found: dict[str, list[str]], folder: Path
) -> None:
    assert always_the_same(lambda: codes(folder)) == FINE
    before = (folder / path).stat().st_mode
    (folder / path).chmod(mode)
    assert always_the_same(lambda: codes(folder)) == found
    (folder / path).chmod(before)
    assert always_the_same(lambda: codes(folder)) == FINE


def test_each_of_the_files_that_all_may_write_to_is_refused_whatever_else_is_wrong_with_some(folder: Path) -> None:
    (folder / "p0.py").write_text("def transform(:\n")
    (folder / "p1.py").write_text("# /// script\n# [tool.plugline]\n# permissions = 3\n# ///\n" + PLUGIN.format(n=1))
    for name in ("p0.py", "p1.py", "p2.py"):
        (folder / name).chmod(0o666)
    assert always_the_same(lambda: codes(folder)) == {"p0": ["P106"], "p1": ["T401", "T101"], "p2": ["T101"]}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("path", ["p1.py", ".", "pack", "pack/__init__.py"])
def test_a_new_owner_is_warned_of_in_every_listing(path: str, folder: Path) -> None:
    (folder / "pack").mkdir()
    (folder / "pack/__init__.py").write_text(PLUGIN.format(n=4))
    assert always_the_same(lambda: codes(folder)) == {**FINE, "pack": []}
    os.chown(folder / path, 12345, -1)
    found = always_the_same(lambda: codes(folder))
    named = {"p1.py": ["p1"], ".": ["p0", "p1", "p2", "pack"]}.get(path, ["pack"])
    assert found == {name: ["T103"] if name in named else [] for name in ["p0", "p1", "p2", "pack"]}


def test_a_folder_that_is_reached_by_a_link_is_held_against_the_link_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "way").mkdir()
    (tmp_path / "way" / "link").symlink_to(folder)
    way = tmp_path / "way" / "link"
    assert always_the_same(lambda: codes(way)) == FINE
    (tmp_path / "way").chmod(0o777)
    assert always_the_same(lambda: codes(way)) == {"p0": ["T101"], "p1": ["T101"], "p2": ["T101"]}
    assert always_the_same(lambda: codes(folder)) == FINE


# ----------------------------------------------------------------------------- lock file and policy


def test_a_lock_file_that_comes_changes_or_goes_is_seen_by_the_next_listing(folder: Path) -> None:
    assert always_the_same(lambda: codes(folder)) == FINE
    assert main(["trust", str(folder)]) == 0
    assert always_the_same(lambda: codes(folder)) == FINE
    lock = folder.parent / "plugline.lock"
    text = lock.read_text()
    digest = next(line for line in text.splitlines() if line.startswith("digest"))
    # As long as before, and within the same second.
    lock.write_text(text.replace(digest, f'digest = "{"0" * 64}"', 1))
    assert always_the_same(lambda: codes(folder)) == {**FINE, "p0": ["T302"]}
    lock.write_text("format = 9")
    assert always_the_same(lambda: codes(folder)) == {"p0": ["T305"], "p1": ["T305"], "p2": ["T305"]}
    lock.unlink()
    assert always_the_same(lambda: codes(folder)) == FINE


def test_a_file_that_differs_from_the_lock_is_refused_also_where_it_is_listed_again(folder: Path) -> None:
    assert main(["trust", str(folder)]) == 0
    assert always_the_same(lambda: codes(folder)) == FINE
    (folder / "p1.py").write_text(PLUGIN.format(n=7))
    assert always_the_same(lambda: codes(folder)) == {**FINE, "p1": ["T302"]}


def test_native_code_of_a_package_is_held_against_the_lock_in_every_listing(folder: Path) -> None:
    (folder / "pack").mkdir()
    (folder / "pack/__init__.py").write_text(PLUGIN.format(n=4))
    (folder / "pack/fast.so").write_bytes(b"native")
    assert main(["trust", str(folder)]) == 0
    assert always_the_same(lambda: codes(folder)) == {**FINE, "pack": []}
    (folder / "pack/fast.so").write_bytes(b"NATIVE")
    assert always_the_same(lambda: codes(folder)) != {**FINE, "pack": []}


def test_hosts_of_different_policies_remember_apart(folder: Path) -> None:
    (folder / "p1.py").write_text("import subprocess\n" + PLUGIN.format(n=1) + "subprocess.run\n")
    (folder / "p2.py").write_text(
        '# /// script\n# [tool.plugline]\n# permissions = { net = true }\n# ///\n"""Doc."""\n' + PLUGIN.format(n=2)
    )
    expected = {
        "off": FINE,
        "warn": codes(folder, Policy(audit="warn")),
        "refuse": codes(folder, Policy(audit="refuse")),
        "grant": {**FINE, "p2": ["T402"]},
    }
    assert expected["warn"] == expected["refuse"] != FINE
    policies = {
        "off": Policy(),
        "warn": Policy(audit="warn"),
        "refuse": Policy(audit="refuse"),
        "grant": Policy(grant=Permissions()),
    }
    for _ in range(2):
        for name, policy in policies.items():
            assert always_the_same(lambda policy=policy: codes(folder, policy)) == expected[name]  # type: ignore[misc]


def test_a_policy_of_the_program_is_asked_in_every_listing(folder: Path) -> None:
    asked: list[str] = []

    class Moody(Policy):
        def admit(self, spec: PluginSpec, source: SourceFile, facts: Facts) -> tuple[Finding, ...]:
            asked.append(spec.name)
            assert source.content == (folder / f"{spec.name}.py").read_bytes()
            return (Finding("T402", "not today", spec.place),) if len(asked) > 3 else ()

    assert codes(folder) == FINE
    assert codes(folder, Moody()) == FINE
    assert asked == ["p0", "p1", "p2"]
    assert codes(folder, Moody()) == {"p0": ["T402"], "p1": ["T402"], "p2": ["T402"]}
    assert codes(folder) == FINE


def test_one_plugin_asked_for_by_name_is_held_against_what_is_there_now(folder: Path) -> None:
    codes(folder)
    with Host(folder, interface=INTERFACE) as host:
        assert host["p1"].state == "found"
    (folder / "..").chmod(0o777)
    with Host(folder, interface=INTERFACE) as host, pytest.raises(PluginRejected, match="T101"):
        host["p1"].load()
    (folder / "..").chmod(0o755)
    assert main(["trust", str(folder)]) == 0
    (folder / "p1.py").write_text(PLUGIN.format(n=5))
    with Host(folder, interface=INTERFACE) as host, pytest.raises(PluginRejected, match="T302"):
        host["p1"].load()


# ----------------------------------------------------------------------------- classes, nested folders


CLASSES = """
from tests.unit.host.test_remembered import Step

class {first}(Step):
    '''The first.'''

class {second}(Step):
    '''The second.'''
"""


def shown(folder: Path) -> list[object]:
    with Host(folder, interface=Step) as host:
        return [(one.name, one.summary, one.spec.name, one.candidate.class_name, str(one.place)) for one in host]


def test_several_classes_of_a_file_are_remembered_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in folder.iterdir():
        file.unlink()
    (folder / "one.py").write_text("from tests.unit.host.test_remembered import Step\nclass Only(Step): 'Alone.'\n")
    (folder / "two.py").write_text(CLASSES.format(first="Up", second="Down"))
    with monkeypatch.context() as patch:
        patch.setenv("PLUGLINE_CACHE", "off")
        expected = shown(folder)
    assert [one[0] for one in expected] == ["one", "two:Down", "two:Up"]  # type: ignore[index]
    assert always_the_same(lambda: shown(folder)) == expected
    with Host(folder, interface=Step) as host:
        assert type(host["two:Up"].load()).__name__ == "Up"
        assert type(host["one"].load()).__name__ == "Only"
    with Host(folder, interface=Step) as host:
        assert type(host["one:Only"].load()).__name__ == "Only"


COMPILED = """
import sys
compiled = []
sys.addaudithook(lambda event, arguments: compiled.append(arguments[1]) if event == "compile" else None)
import plugline
from plugline import Host
from tests.unit.host.test_remembered import Step
del compiled[:]
with Host(sys.argv[1], interface=Step) as host:
    print(sorted(plugin.load_type().__name__ for plugin in host.load_all(instances=False)),
          [path for path in compiled if path and not str(path).startswith(plugline.__path__[0])])
"""


def test_loading_the_remembered_classes_of_a_file_reads_no_syntax_tree(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    (folder / "two.py").write_text(CLASSES.format(first="Up", second="Down"))
    shown(folder)
    done = subprocess.run([sys.executable, "-c", COMPILED, folder], capture_output=True, text=True, check=True)
    assert done.stdout == "['Down', 'Up'] []\n"


def test_a_host_that_lives_to_the_very_end_of_its_program_says_nothing_there(folder: Path) -> None:
    # As one does that a module is held by which goes late; those of Salt are.
    text = "import os, sys\nfrom plugline import Host\nos.host = Host(sys.argv[1])\nos.host.load_all()\n"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", text, folder], capture_output=True, text=True, check=True)
        assert done.stderr == ""


def test_a_folder_is_remembered_apart_with_and_without_what_is_nested_in_it(folder: Path) -> None:
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/p9.py").write_text(PLUGIN.format(n=9))

    def names(*, nested: bool) -> tuple[str, ...]:
        with Host(Folder(folder, nested=nested), interface=INTERFACE) as host:
            return host.names

    for _ in range(2):
        assert always_the_same(lambda: names(nested=False)) == ("p0", "p1", "p2")
        assert always_the_same(lambda: names(nested=True)) == ("deep.er.p9", "p0", "p1", "p2")
    (folder / "deep/p8.py").write_text(PLUGIN.format(n=8))
    assert always_the_same(lambda: names(nested=True)) == ("deep.er.p9", "deep.p8", "p0", "p1", "p2")
    (folder / "deep").chmod(0o777)
    assert always_the_same(lambda: names(nested=True)) == ("p0", "p1", "p2")


def test_what_somebody_hides_for_a_while_is_not_remembered_as_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert always_the_same(lambda: codes(folder)) == FINE
    with monkeypatch.context() as patch:
        patch.setenv("PLUGLINE_ONLY", "p1")
        assert always_the_same(lambda: codes(folder)) == {"p1": []}
    assert always_the_same(lambda: codes(folder)) == FINE


def test_names_and_classes_that_only_running_a_file_shows_are_there_in_the_next_process(folder: Path) -> None:
    (folder / "p3.py").write_text(
        "from tests.unit.host.test_remembered import Step\nMade = type('Made', (Step,), {'__module__': __name__})\n"
    )
    for _ in range(2):
        with Host(folder, interface=Step) as host:
            assert type(host["p3"].load()).__name__ == "Made"


# ----------------------------------------------------------------------------- loading what is as it was


def loaded(folder: Path, **options: object) -> dict[str, object]:
    """Return what the functions of all plugins return, each loaded by its own host and all by one."""
    with Host(folder, interface=INTERFACE, **options) as host:  # type: ignore[call-overload]
        alone = {name: host[name].load().transform(None) for name in ("p0", "p1", "p2")}
    with Host(folder, interface=INTERFACE, **options) as host:  # type: ignore[call-overload]
        together = {plugin.name: plugin.load().transform(None) for plugin in host.load_all()}
    assert alone == together
    return together


def test_a_module_that_is_run_from_the_bundle_is_like_one_that_the_import_system_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attributes() -> dict[str, object]:
        with Host(folder, interface=INTERFACE) as host:
            module = host["p1"].load()
            parent = sys.modules["plugins"]
            assert sys.modules["plugins.p1"] is module is parent.p1
            assert importlib.import_module("plugins.p1") is module
            assert pickle.loads(pickle.dumps(module.transform)) is module.transform  # noqa: S301 - pickled here
            spec: Any = module.__spec__
            found = {name: value for name, value in vars(module).items() if isinstance(value, str)}
            return {**found, "spec": (spec.name, spec.origin, spec.has_location, spec.parent, spec.loader.path)}

    with monkeypatch.context() as patch:
        patch.setenv("PLUGLINE_CACHE", "off")
        expected = attributes()
    expected.pop("__cached__", None)  # there is none
    always_the_same(lambda: codes(folder))
    assert attributes() == expected


def test_the_source_of_what_is_running_is_shown_after_its_file_is_gone(folder: Path) -> None:
    for number in range(3):  # read and compiled, remembered, and remembered by a host that looks at nothing else
        with Host(folder, interface=INTERFACE) as host:
            if number < 2:
                assert len(host) == 3
            module = host["p1"].load()
            text = (folder / "p1.py").read_text()
            (folder / "p1.py").unlink()
            linecache.clearcache()
            assert inspect.getsource(module.transform) == "def transform(record):\n    return 1\n"  # type: ignore[attr-defined]
            assert inspect.getsource(module) == text  # type: ignore[arg-type]
        (folder / "p1.py").write_text(text)


def test_the_source_of_what_is_running_is_never_that_of_a_later_file(folder: Path) -> None:
    codes(folder)
    with Host(folder, interface=INTERFACE) as host:
        module = host["p1"].load()
        text = (folder / "p1.py").read_text()
        (folder / "p1.py").write_text(PLUGIN.format(n="'another'"))
        assert module.__loader__.get_source("plugins.p1") == text  # type: ignore[attr-defined]


def test_what_a_remembered_plugin_changes_in_the_process_is_undone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)  # another test may have brought it
    (folder / "p1.py").write_text(
        "import builtins, sys\nbuiltins.len = 3\nbuiltins.mine = 1\nsys.path.append('/nowhere')\n"
        "sys.modules['json'] = sys\nsys.modules['colorsys'] = 1\n" + PLUGIN.format(n=1)
    )
    sys.modules.pop("colorsys", None)  # a test before may have imported it
    before = (len, list(sys.path), sys.modules.get("json"), "colorsys" in sys.modules)
    for _ in range(3):
        with Host(folder, interface=INTERFACE) as host:
            assert len(host) == 3
            host.load_all()
            found = {finding.code for finding in host["p1"].warnings}
            assert found == {"P306"}
            assert len(host["p1"].warnings) == 5
            assert host["p0"].warnings == host["p2"].warnings == ()
        assert (len, list(sys.path), sys.modules.get("json"), "colorsys" in sys.modules) == before


def test_what_a_remembered_plugin_raises_is_its_own_failure_and_leaves_nothing(folder: Path) -> None:
    (folder / "p1.py").write_text("import sys\nsys.modules['json'] = None\n" + PLUGIN.format(n=1) + "sys.exit(3)\n")

    def failure() -> list[object]:
        with Host(folder, interface=INTERFACE) as host:
            assert len(host) == 3
            assert [plugin.name for plugin in host.load_all()] == ["p0", "p2"]
            [rejected] = host.rejected
            assert "plugins.p1" not in sys.modules
            return [(finding.code, finding.message, str(finding.place)) for finding in rejected.findings]

    always_the_same(failure)
    assert sys.modules["json"] is json


def test_a_remembered_plugin_may_decline_and_have_names_injected(folder: Path) -> None:
    codes(folder)
    (folder / "p1.py").write_text("def available(): return 'not here'\n" + PLUGIN.format(n=1))
    (folder / "p2.py").write_text('"""Doc."""\ndef transform(record):\n    return gift\n')

    def shown() -> object:
        with Host(folder, interface=INTERFACE, inject={"gift": 5}) as host:
            host.load_all()
            return host.declined, host["p2"].load().transform(None)  # type: ignore[attr-defined]

    assert always_the_same(shown) == ({"p1": "not here"}, 5)


def test_a_plugin_that_was_made_open_to_all_between_listing_and_load_is_refused(folder: Path) -> None:
    codes(folder)
    for path in (folder / "p1.py", folder, folder / ".."):
        before = path.stat().st_mode
        with Host(folder, interface=INTERFACE) as host:
            plugin = host["p1"]
            path.chmod(0o777)
            with pytest.raises(LoadError, match="T101"):
                plugin.load()
        path.chmod(before & 0o777)
    assert loaded(folder) == {"p0": 0, "p1": 1, "p2": 2}


def test_several_threads_that_load_a_remembered_plugin_run_it_once(folder: Path) -> None:
    (folder / "p1.py").write_text("import time\ntime.sleep(0.01)\n" + PLUGIN.format(n=1))
    codes(folder)
    for _ in range(2):
        with Host(folder, interface=INTERFACE) as host, ThreadPoolExecutor(4) as pool:
            host["p1"].load()
            found = [pool.submit(importlib.import_module, "plugins.p0") for _ in range(4)]
            found += [pool.submit(lambda host=host: host["p0"].load()) for _ in range(4)]  # type: ignore[misc]
            assert len({id(one.result(10)) for one in found}) == 1


# ----------------------------------------------------------------------------- what is never run


def compiled(path: Path, text: str) -> None:
    source = path.with_suffix(".py")
    source.write_text(text)
    py_compile.compile(str(source), cfile=str(path), doraise=True)
    source.unlink()


def test_compiled_code_without_its_source_is_not_run(folder: Path) -> None:
    (folder / "pack").mkdir()
    (folder / "pack/__init__.py").write_text(f"from .sub import VALUE\n{PLUGIN.format(n='VALUE')}")
    compiled(folder / "pack/sub.pyc", "VALUE = 7\n")
    compiled(folder / "alone.pyc", PLUGIN.format(n=1))

    def shown() -> object:
        with Host(folder, interface=INTERFACE) as host:
            assert [plugin.name for plugin in host.load_all()] == ["p0", "p1", "p2"]
            return [
                (one.name, one.findings[0].code, "put the .py file" in one.findings[0].message) for one in host.rejected
            ]

    assert always_the_same(shown) == [("pack", "P301", True)]
    (folder / "pack/__init__.py").write_text(
        f"try:\n    from .sub import VALUE\nexcept ImportError:\n    VALUE = 8\n{PLUGIN.format(n='VALUE')}"
    )
    with Host(folder, interface=INTERFACE) as host:
        assert host["pack"].load().transform(None) == 8  # type: ignore[attr-defined]


def test_the_init_of_the_folder_itself_is_not_run_and_no_plugin(folder: Path) -> None:
    (folder / "__init__.py").write_text("raise SystemExit('was run')\n")

    def shown() -> object:
        with Host(folder, interface=INTERFACE) as host:
            assert not hasattr(sys.modules.get("plugins"), "__file__")
            return [plugin.name for plugin in host.load_all()]

    assert always_the_same(shown) == ["p0", "p1", "p2"]


def test_a_file_that_is_replaced_while_it_is_read_is_listed_and_run_as_one_of_the_two(folder: Path) -> None:
    texts = {
        number: f'VERSION = "{number:05d}"\n{PLUGIN.format(n=f"{number:05d}".lstrip("0") or "0")}'
        for number in range(300)
    }
    end = time.monotonic() + 0.2
    stop = False

    def replace() -> None:
        for number in itertools.cycle(texts):
            if stop:
                return
            (folder / "_new").write_text(texts[number])
            (folder / "_new").replace(folder / "p1.py")

    (folder / "p1.py").write_text(texts[0])
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(replace)
        try:
            while time.monotonic() < end:
                with Host(folder, interface=INTERFACE) as host:
                    plugin = host["p1"]
                    returned = plugin.load().transform(None)  # type: ignore[attr-defined]
                    assert plugin.version == f"{returned:05d}", "what is shown of a loaded plugin is of what was run"
        finally:
            stop = True
        writing.result(10)


INERT = "import math\nclass Kept:\n    size = 1\nLEVEL = 1\nTABLE = {'a': [1]}\nkept = Kept()\n" + PLUGIN.format(n=1)


def remembered(folder: Path, text: str) -> None:
    """Let a plugin be one that was listed before."""
    (folder / "p1.py").write_text(text)
    shown(folder)


def test_a_plugin_that_only_defines_is_reloaded_as_any_other(folder: Path) -> None:
    remembered(folder, INERT + "def gone(): pass\n")
    with Host(folder, interface=INTERFACE) as host:
        module: Any = host["p1"].load()
        function = module.transform
        (folder / "p1.py").write_text(INERT.replace("return 1", "return 2") + "def gone(): pass\n")
        report = host.reload("p1")
        assert (report.how, report.kept) == ("grafted", ("LEVEL", "TABLE", "kept"))
        assert function(None) == 2
        (folder / "p1.py").write_text(INERT.replace("return 1", "return 3") + "NEW = 1\n")
        report = host.reload("p1")
        assert (report.how, report.removed, report.lost) == ("adopted", ("gone",), ())
        assert function(None) == 3


def lose_by_deleting(bundle: Path) -> None:
    bundle.unlink()


def lose_by_writing_anew(bundle: Path) -> None:
    other = bundle.with_name("other")
    other.write_bytes(b"what somebody else remembers")
    other.replace(bundle)


def lose_by_damage(bundle: Path) -> None:
    os.truncate(bundle, 0)


HELD = "def transform(record):\n    return 1\nHELD = [transform]\nclass Odd:\n    def of(self):\n        return 1\ndef transform(record):\n    return 1\n"


def test_a_plugin_that_only_defines_is_one_module_for_who_loads_it_and_who_imports_it_meanwhile(folder: Path) -> None:
    names = [f"q{number:02d}" for number in range(60)]
    for name in names:
        (folder / f"{name}.py").write_text("class A:\n    x = 1\n" * 20 + PLUGIN.format(n=1))
    list(Host(folder, interface=INTERFACE))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with Host(folder, interface=INTERFACE) as host, ThreadPoolExecutor(2) as threads:
            imported = threads.submit(lambda: [importlib.import_module(f"plugins.{name}") for name in names])
            loaded = threads.submit(lambda: [host[name].load() for name in names])
            assert imported.result() == loaded.result() == [sys.modules[f"plugins.{name}"] for name in names]
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("lose", [lose_by_deleting, lose_by_writing_anew, lose_by_damage])
def test_whatever_becomes_of_the_cache_a_plugin_that_only_defines_is_reloaded_where_it_is_held(
    folder: Path, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    (folder / "p0.py").write_text(HELD)
    list(Host(folder, interface=INTERFACE))
    with Host(folder, interface=INTERFACE) as host:
        plugin: Any = host["p0"].load()
        assert type(plugin.__loader__).__name__ == "InertLoader"
        named, unnamed, method = plugin.transform, plugin.HELD[0], plugin.Odd().of
        for bundle in (tmp_path / "cache").glob("*.bundle"):
            lose(bundle)
        (folder / "p0.py").write_text(HELD.replace("return 1", "return 2"))
        report = host.reload("p0")
        assert report.ok
        assert (named({}), plugin.transform({}), method(), plugin.Odd().of()) == (2, 2, 2, 2)
        if lose is not lose_by_damage:
            assert (report.how, unnamed({})) == ("grafted", 2)


def test_a_plugin_that_only_defines_is_unloaded_as_any_other_and_loaded_again(folder: Path) -> None:
    for _ in range(2):  # the first host remembers what the second one finds
        with Host(folder, interface=INTERFACE) as host:
            host.load_all()
            held = host["p1"].load()
            host.unload("p1")
            assert host["p1"].state == "found"
            assert host["p1"].warnings == ()
            assert "plugins.p1" not in sys.modules
            assert "plugins.p2" in sys.modules
            assert host["p1"].load() is not held
            assert host["p1"].load().transform({}) == 1  # type: ignore[attr-defined]
            assert host["p1"].generation == 2


@pytest.mark.parametrize("where", ["", "below/"])
def test_a_file_and_a_package_that_need_one_module_are_not_run_for_each_other(where: str, folder: Path) -> None:
    source = "import sys\ndef transform(record):\n    return {!r}\n"
    package = folder / where / "q"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("PLUGIN_NAME = 'other'\n" + source.format("package"))
    (folder / where / "q.py").write_text("PLUGIN_NAME = 'single'\n" + source.format("file"))
    for _ in range(2):  # the first host remembers what the second one finds
        for ask in (lambda host: None, lambda host: host.load_all()):
            with Host(Folder(folder, nested=True), interface=INTERFACE) as host:
                ask(host)
                assert host["other"].load().transform({}) == "package"  # type: ignore[attr-defined]
                assert [(one.name, one.findings[0].code) for one in host.rejected] == [("single", "P107")]
                with pytest.raises(PluginRejected, match="is the module"):
                    host["single"]


def test_a_file_beside_a_package_that_is_no_plugin_is_what_runs_for_its_name(folder: Path) -> None:
    (folder / "q").mkdir()
    (folder / "q" / "__init__.py").write_text("PLUGIN_NAME = 'other'\n")
    block = "# /// script\n# requires-python = '>=3.11'\n# ///\n"
    (folder / "q.py").write_text(block + "def transform(record):\n    return 'file'\n")
    for _ in range(2):
        for ask in (lambda host: None, lambda host: host.load_all()):
            with Host(folder, interface=INTERFACE) as host:
                ask(host)
                assert host["q"].load().transform({}) == "file"  # type: ignore[attr-defined]


def test_a_plugin_that_only_defines_and_has_no_function_is_reloaded_too(folder: Path) -> None:
    (folder / "p0.py").write_text("NUMBER = 1\n")
    list(Host(folder))
    with Host(folder) as host:
        plugin: Any = host["p0"].load()
        (folder / "p0.py").write_text("NUMBER = 2\n")
        assert host.reload("p0").ok
        assert plugin.NUMBER == 2


def test_what_a_plugin_that_only_defines_has_changed_since_is_told_as_lost(folder: Path) -> None:
    remembered(folder, INERT)
    with Host(folder, interface=INTERFACE) as host:
        module: Any = host["p1"].load()
        module.LEVEL = 2
        module.TABLE["a"].append(2)
        module.kept.name = "x"
        module.late = []
        (folder / "p1.py").write_text(INERT + "NEW = 1\n")
        assert sorted(host.reload("p1").lost) == ["LEVEL", "TABLE", "kept", "late"]


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("x = nowhere\n", "NameError: name 'nowhere' is not defined"),
        ("import not_there_at_all\n", "needs the module 'not_there_at_all'"),
        ("from math import nothing\n", "cannot import name 'nothing' from 'math'"),
        ("class A(int, dict): pass\n", "TypeError: multiple bases have instance lay-out conflict"),
    ],
)
def test_a_plugin_that_only_defines_and_fails_is_told_of_as_any_other(folder: Path, before: str, said: str) -> None:
    remembered(folder, before + PLUGIN.format(n=1))
    with Host(folder, interface=INTERFACE) as host:
        with pytest.raises(LoadError, match=said.replace("(", r"\(")):
            host["p1"].load()
        assert "plugins.p1" not in sys.modules
        assert [plugin.name for plugin in host.load_all()] == ["p0", "p2"]


def test_of_plugins_that_only_define_each_moment_is_kept(folder: Path) -> None:
    said = "def on_load(): LOG.append('on')\ndef on_unload(): LOG.append('off')\nLOG = []\n" + PLUGIN.format(n=1)
    remembered(folder, said)
    (folder / "p2.py").write_text("def available(): return 'not here'\n" + PLUGIN.format(n=2))
    shown(folder)
    with Host(folder, interface=INTERFACE) as host:
        assert [plugin.name for plugin in host.load_all()] == ["p0", "p1"]
        assert host.declined == {"p2": "not here"}
        log = vars(sys.modules["plugins.p1"])["LOG"]
        assert log == ["on"]
        host.unload("p1")
        assert log == ["on", "off"]


def test_a_plugin_asked_for_by_name_stays_as_it_is_when_its_edit_is_refused(folder: Path) -> None:
    remembered(folder, PLUGIN.format(n=1))
    with Host(folder, interface=INTERFACE) as host:
        module: Any = host["p1"].load()
        (folder / "p1.py").write_text("def transform(:\n    return 'new'\n")
        assert host.reload("p1").how == "refused"
        assert sys.modules["plugins.p1"] is module
        assert inspect.getsource(module.transform) == "def transform(record):\n    return 1\n"


def test_what_a_plugin_imports_after_its_load_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "lazy").mkdir()
    (folder / "lazy" / "__init__.py").write_text("def later():\n    from .inner import ANSWER\n    return ANSWER\n")
    (folder / "lazy" / "inner.py").write_text("ANSWER = 42\n")
    compiled: list[str] = []
    real = compile

    def noted(source: Any, path: str, *rest: Any, **more: Any) -> Any:
        compiled.append(os.path.basename(path))
        return real(source, path, *rest, **more)

    monkeypatch.setattr("builtins.compile", noted)
    seen = []
    for _ in range(3):
        compiled.clear()
        with Host(folder) as host:
            assert host["lazy"].load().later() == 42  # type: ignore[attr-defined]
        seen.append("inner.py" in compiled)
    assert seen == [True, False, False]


class Refusing:
    """Refuses plugins of one name, and counts how often it is asked."""

    strict = False
    lock = None

    def __init__(self, refused: str, *, tells: bool) -> None:
        self.refused = refused
        self.asked: list[str] = []
        if tells:
            self.remembered_as = f"not {refused}"

    def admit(self, spec: PluginSpec, source: SourceFile, facts: Facts) -> tuple[Finding, ...]:
        """Refuse the one."""
        self.asked.append(spec.name)
        return (Finding("T900", "is not wanted", spec.place),) if spec.name == self.refused else ()

    def admit_file(self, source: SourceFile, path: str, facts: Facts) -> tuple[Finding, ...]:
        """Refuse nothing."""
        return ()


def names_under(folder: Path, policy: Refusing) -> tuple[str, ...]:
    with Host(folder, interface=INTERFACE, policy=policy) as host:
        return host.names


def test_what_a_policy_of_the_hosts_own_says_is_remembered_where_it_says_what_as(folder: Path) -> None:
    first, again, other = (Refusing(name, tells=True) for name in ("p1", "p1", "p2"))
    assert names_under(folder, first) == names_under(folder, again) == ("p0", "p2")
    assert (len(first.asked), again.asked) == (3, [])
    assert names_under(folder, other) == ("p0", "p1")
    assert len(other.asked) == 3


def test_what_is_remembered_of_a_policy_is_asked_again_before_a_plugin_is_run(folder: Path) -> None:
    names_under(folder, Refusing("p1", tells=True))
    policy = Refusing("p1", tells=True)
    with Host(folder, interface=INTERFACE, policy=policy) as host:
        host["p0"].load()
    assert policy.asked == ["p0"]


def test_a_policy_that_says_nothing_of_that_is_asked_at_every_listing(folder: Path) -> None:
    first, again = (Refusing("p1", tells=False) for _ in range(2))
    assert names_under(folder, first) == names_under(folder, again) == ("p0", "p2")
    assert len(again.asked) == 3


def test_that_a_policy_raised_is_not_remembered(folder: Path) -> None:
    class Failing(Refusing):
        fails = True

        def admit(self, spec: PluginSpec, source: SourceFile, facts: Facts) -> tuple[Finding, ...]:
            if self.fails:
                raise ConnectionError("nobody answers")
            return super().admit(spec, source, facts)

    policy = Failing("p1", tells=True)
    assert names_under(folder, policy) == ()
    policy.fails = False
    assert names_under(folder, policy) == ("p0", "p2")


def test_two_policies_of_the_same_text_are_not_taken_for_each_other(folder: Path) -> None:
    class Another(Refusing):
        pass

    names_under(folder, Refusing("p1", tells=True))
    other = Another("p1", tells=True)
    assert names_under(folder, other) == ("p0", "p2")
    assert len(other.asked) == 3


def test_at_the_top_level_a_plugin_that_is_remembered_takes_its_name_before_it_is_loaded(folder: Path) -> None:
    (folder / "decimal.py").write_text(PLUGIN.format(n=1))
    (folder / "pl_top").mkdir()
    (folder / "pl_top" / "__init__.py").write_text("from pl_top.inner import answer\n" + PLUGIN.format(n=1))
    (folder / "pl_top" / "inner.py").write_text("def answer():\n    return __name__\n")
    with Host(folder, interface=INTERFACE, namespace="") as first:
        assert first.names == ("p0", "p1", "p2", "pl_top")
    with Host(folder, interface=INTERFACE, namespace="") as host:
        module: Any = host["p0"].load()
        assert importlib.reload(module) is module
        package: Any = host["pl_top"].load()
        assert package.answer() == "pl_top.inner"
    with (
        Host(folder, interface=INTERFACE, namespace="") as host,
        pytest.raises(PluginRejected, match="standard library"),
    ):
        host["decimal"]
    assert {"p0", "pl_top", "pl_top.inner"}.isdisjoint(sys.modules)


def is_remembered(folder: Path, text: str) -> None:
    """Let a plugin be one that a host asks for by its name without looking at the others."""
    (folder / "p1.py").write_text(text)
    list(Host(folder, interface=INTERFACE))


@pytest.mark.parametrize(
    ("text", "state"), [("1 / 0\n", "failed"), ("def available():\n    return 'no display'\n", "declined")]
)
def test_what_became_of_a_plugin_that_was_loaded_by_its_name_is_told_after_the_first_look_too(
    folder: Path, text: str, state: str
) -> None:
    is_remembered(folder, text + PLUGIN.format(n=1))
    with Host(folder, interface=INTERFACE) as host:
        plugin = host["p1"]
        with pytest.raises((LoadError, PluginDeclined)):
            plugin.load()
        assert "p0" in host
        assert (plugin.state, [*(one.name for one in host.rejected), *host.declined]) == (state, ["p1"])
        (folder / "p1.py").write_text(PLUGIN.format(n=1))
        host.refresh()
        assert host["p1"] is plugin
        assert plugin.state == "found"


def test_a_plugin_that_became_a_package_after_it_was_loaded_by_its_name_is_reloaded_where_it_is_held(
    folder: Path,
) -> None:
    is_remembered(folder, PLUGIN.format(n=1))
    with Host(folder, interface=INTERFACE) as host:
        module: Any = host["p1"].load()
        held = module.transform
        (folder / "p1.py").unlink()
        (folder / "p1").mkdir()
        (folder / "p1" / "__init__.py").write_text(PLUGIN.format(n=2))
        assert host.reload("p1").how == "adopted"
        assert (held(None), host["p1"].generation) == (2, 2)


def test_a_plugin_that_another_thread_is_loading_can_be_looked_at_meanwhile(folder: Path) -> None:
    go_on = threading.Event()
    is_remembered(folder, "wait(20)\n" + PLUGIN.format(n=1))
    with Host(folder, interface=INTERFACE, inject={"wait": go_on.wait}) as host:
        loading = threading.Thread(target=host["p1"].load)
        loading.start()
        end = time.monotonic() + 20
        while host["p1"].state != "loading" and time.monotonic() < end:
            time.sleep(0.001)
        assert host["p1"].state == "loading"
        go_on.set()
        loading.join(20)
        assert host["p1"].generation == 1


def test_what_to_do_is_a_command_for_the_current_folder_and_not_for_that_of_another_host(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trust", str(folder)]) == 0
    package = folder / "pack"
    package.mkdir()
    (package / "__init__.py").write_text(PLUGIN.format(n=1), "utf-8")
    (folder / "late.py").write_text(PLUGIN.format(n=1), "utf-8")
    for changed in (folder / "late.py", package / "__init__.py", package, folder):
        os.utime(changed, (0, 0))
    (folder.parent / "other").mkdir()
    for current, shown in ((folder.parent, folder.name), (folder, "."), (folder.parent / "other", f"../{folder.name}")):
        monkeypatch.chdir(current)
        for _ in range(2):
            with Host(shown, interface=INTERFACE) as host:
                hints = {one.name: one.findings[0].hint or "" for one in host.rejected}
            for name, path in (("late", folder / "late.py"), ("pack", package)):
                command, _, named = hints[name].partition("plugline trust ")
                assert command, hints
                assert os.path.samefile(named, path), (current, hints)
