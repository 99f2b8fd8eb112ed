import contextlib
import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, Literal, Protocol

import pytest

import plugline
from plugline import (
    EntryPoints,
    File,
    Host,
    LoadError,
    Modules,
    Package,
    PluginRejected,
    Policy,
    StepFailed,
    UnknownPlugin,
)
from tests.plugin_folders import GOOD, WANTED, write


class Processor(Protocol):
    def transform(self, record: object) -> object: ...
    def describe(self) -> str: ...


def codes(host: Host[object]) -> dict[str, list[str]]:
    return {rejected.name: [finding.code for finding in rejected.findings] for rejected in host.rejected}


@contextlib.contextmanager
def opened(folder: Path, files: dict[str, str | bytes]) -> Iterator[Host[object]]:
    with Host(write(folder / "plugins", files), interface=WANTED, api_version="1.2") as host:
        yield host


# ---- listing


def test_the_tutorials_plugin_system_takes_ten_lines() -> None:
    root = Path(__file__).parents[3] / "examples/quickstart"
    done = subprocess.run([sys.executable, "host.py"], cwd=root, capture_output=True, text=True, check=True, timeout=30)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "[SKIP] bad_plugin.py: missing functions ['transform', 'describe']",
        "[OK] Loaded: trim_plugin: strips whitespace from string values",
        "[OK] Loaded: upper_plugin: converts string values to uppercase",
    ]
    assert "{'name': 'Alice', 'role': 'admin', 'score': 95}" in lines[4]
    assert "{'name': 'ALICE', 'role': 'ADMIN', 'score': 95}" in lines[5]


LISTING = """
    import os, sys
    events = []
    def hook(event, arguments):
        if event == "exec" and "/plugins/" in arguments[0].co_filename:
            events.append(("exec", arguments[0].co_filename))
        elif event in ("import", "os.system", "subprocess.Popen", "socket.connect"):
            events.append((event, str(arguments[0])))
        elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            events.append((event, str(arguments[0])))
    from plugline import Host, Package
    sys.addaudithook(hook)
    host = Host("plugins", interface=["transform", "describe"], api_version="1.2")
    print([(plugin.name, plugin.version, plugin.summary) for plugin in host])
    print([str(rejected.name) for rejected in host.rejected], len(host), "a" in host, host["a"].spec.constants)
    print([name for name in sys.modules if name.startswith("plugins")])
    print([event for event in events if event[0] != "import"])
    print([name for event, name in events if event == "import" and not name.startswith(("plugline", "_", "packaging"))
           and name.partition(".")[0] not in sys.stdlib_module_names])
    """


def test_listing_runs_no_plugin_code_and_writes_nothing(tmp_path: Path) -> None:
    evil = "import plugline_absent_module, os\nos.system('touch ran')\n" + GOOD
    write(
        tmp_path / "plugins",
        {
            "a.py": f"'''Shouts.'''\nVERSION = '1.0'\n{evil}",
            "bad.py": evil.replace("transform", "other"),
            "pack/__init__.py": evil,
            "pack/inner.py": evil,
            "range.py": "REQUIRED_API_VERSION = '>=3'\n" + evil,
        },
    )
    done = subprocess.run(
        [sys.executable, "-c", dedent(LISTING)], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines() == [
        "[('a', '1.0', 'Shouts.'), ('pack', None, 'good: hands records on')]",
        "['bad', 'range'] 2 True {'VERSION': '1.0'}",
        "[]",
        "[]",
        "[]",
    ]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "__init__.py",
        "a.py",
        "bad.py",
        "inner.py",
        "range.py",
    ]


def test_nothing_is_looked_at_before_the_first_use(tmp_path: Path) -> None:
    with Host(tmp_path / "later", interface=WANTED) as host:
        write(tmp_path / "later", {"a.py": GOOD})
        assert host.names == ("a",)


def test_an_empty_folder_is_a_host_without_plugins(tmp_path: Path) -> None:
    with Host(tmp_path, interface=WANTED) as host:
        assert (list(host), host.rejected, host.findings) == ([], (), ())
        assert host.chain("transform")({"a": 1}) == {"a": 1}


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_a_folder_that_is_none_is_a_finding_and_no_exception(kind: str, tmp_path: Path) -> None:
    if kind == "file":
        (tmp_path / "plugins").write_text("")
    with Host(tmp_path / "plugins", interface=WANTED) as host:
        assert list(host) == []
        assert [finding.code for finding in host.findings] == ["P110"]


@pytest.mark.timeout(30)
def test_what_cannot_be_a_plugin_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "good.py": GOOD,
        "latin.py": "x = 'ü'\n".encode("latin-1"),
        "nul.py": b"x = 1\0",
        "syntax.py": "def f(:\n",
        "deep.py": "x = " + "-" * 100_000 + "1",
        "a\nb.py": GOOD,
        "directory.py/x.txt": "",
        "incompatible.py": "REQUIRED_API_VERSION = '2.0'\n" + GOOD,
        "unreadable.py": "REQUIRED_API_VERSION = 'latest'\n" + GOOD,
        "python.py": "# /// script\n# requires-python = '>=4'\n# ///\n" + GOOD,
    }
    with opened(tmp_path, files) as host:
        plugins = tmp_path / "plugins"
        os.mkfifo(plugins / "fifo.py")
        with (plugins / "huge.py").open("wb") as file:
            file.truncate(50 * 2**20)
        (tmp_path / "outside.py").write_text(GOOD)
        (plugins / "link.py").symlink_to(tmp_path / "outside.py")
        (plugins / "loop.py").symlink_to("loop.py")
        (plugins / "ring").symlink_to("ring")
        assert host.names == ("good",)
        assert codes(host) == {
            "latin": ["P105"],
            "nul": ["P105"],
            "syntax": ["P106"],
            "deep": ["P106"],
            "a\nb": ["P109"],
            "directory": ["P102"],
            "incompatible": ["P210"],
            "unreadable": ["P211"],
            "python": ["P111"],
            "fifo": ["P102"],
            "huge": ["P104"],
            "link": ["P108"],
            "loop": ["P101"],
        }
        assert len(host.load_all()) == 1
        for rejected in host.rejected:
            str(rejected).encode()


def test_an_incompatible_plugin_has_both_versions_named(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": "\nREQUIRED_API_VERSION = '1.7'\n" + GOOD}) as host:
        (rejected,) = host.rejected
        assert "requires the plugin API '1.7' (>=1.7,<2), this host has '1.2'" in str(rejected)
        assert rejected.findings[0].place.line == 2


def test_of_two_plugins_of_one_name_the_first_is_taken_and_both_places_are_named(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.py": "PLUGIN_NAME = 'x'\n" + GOOD, "b.py": "PLUGIN_NAME = 'x'\n" + GOOD}
    with opened(tmp_path, files) as host:
        assert host["x"].place.path.endswith("a.py")
        (finding,) = host.rejected[0].findings
        assert finding.code == "P107"
        assert "a.py" in finding.message
        assert finding.place.path.endswith("b.py")


def test_a_file_and_a_package_of_one_name_clash(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD + "X = 1", "a/__init__.py": GOOD + "X = 2"}) as host:
        assert codes(host) == {"a": ["P107"]}
        assert host["a"].load().X == 2  # type: ignore[attr-defined]


def test_an_unknown_name_lists_the_known_and_the_nearest(tmp_path: Path) -> None:
    with opened(tmp_path, {"upper.py": GOOD, "trim.py": GOOD}) as host:
        with pytest.raises(UnknownPlugin) as caught:
            host["uper"]
        assert str(caught.value) == (
            "no plugin is named 'uper'\n  hint: did you mean 'upper'? known plugins are trim, upper"
        )
        assert "uper" not in host
        with pytest.raises(TypeError, match="3 is no plugin's name"):
            host[3]  # type: ignore[index]


def test_a_rejected_plugin_is_asked_for_with_its_findings(tmp_path: Path) -> None:
    with opened(tmp_path, {"bad.py": ""}) as host, pytest.raises(PluginRejected, match="missing functions"):
        host["bad"]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"api_version": "latest"}, ValueError),
        ({"api_version": 1.2}, TypeError),
        ({"interface": "transform"}, TypeError),
        ({"namespace": "a b"}, ValueError),
        ({"namespace": "json"}, ValueError),
        ({"namespace": "plugline_absent.plugins"}, ValueError),
    ],
)
def test_the_hosts_own_mistakes_are_told_when_it_is_made(options: dict[str, object], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Host("plugins", **options)  # type: ignore[call-overload]


# ---- places


def test_plugins_are_found_by_a_package_with_a_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"formatters/__init__.py": "", "formatters/json_formatter.py": GOOD, "formatters/other.py": ""})
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    with Host(Package("formatters", pattern="{}_formatter"), interface=WANTED) as host:
        assert host.names == ("json",)
        assert "formatters" not in sys.modules
        assert host["json"].load().__name__ == "formatters.json_formatter"  # type: ignore[attr-defined]
        with pytest.raises(UnknownPlugin, match="did you mean 'json'"):
            host["jsn"]
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_plugins_are_found_by_a_mapping_and_a_module_without_version_is_built_in() -> None:
    with Host(
        Modules({"json": "json", "pickle": "pickle", "keyword": "keyword"}), interface=["dumps", "loads"]
    ) as host:
        import json
        import pickle

        assert {plugin.name: plugin.version for plugin in host} == {"json": "2.0.9", "pickle": "built in"}
        assert codes(host) == {"keyword": ["P201"]}
        assert host["json"].load() is json
        assert host["pickle"].load() is pickle


def test_plugins_are_found_by_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        {
            "shouting-2.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: shouting\nVersion: 2.1\n",
            "shouting-2.1.dist-info/entry_points.txt": (
                "[plugline.test]\nloud = shouting:Loud\nbad = shouting:Absent\nworse = a b\n"
            ),
            "shouting.py": "class Loud:\n    def transform(self, r): return r\n    def describe(self): return 'loud'\n",
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    with Host(EntryPoints("plugline.test"), interface=Processor) as host:
        assert (host["loud"].version, host["loud"].spec.distribution) == ("2.1", "shouting")
        assert host["loud"].load().describe() == "loud"
        host.load_all()
        assert codes(host) == {"worse": ["P109"], "bad": ["P201"]}
    del sys.modules["shouting"]


def test_the_first_of_several_places_wins(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", {"x.py": GOOD}), write(tmp_path / "b", {"x.py": GOOD, "y.py": GOOD})
    with Host(first, second, interface=WANTED) as host:
        assert host["x"].place.path == str(first / "x.py")
        assert host.names == ("x", "y")
        assert codes(host) == {"x": ["P107"]}


# ---- namespaces


def test_two_hosts_on_one_folder_have_modules_of_their_own(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD}) as one, Host(tmp_path / "plugins", interface=WANTED) as two:
        first, second = one["a"].load(), two["a"].load()
        assert first is not second
        assert {first.__name__, second.__name__} == {"plugins.a", "plugins_2.a"}  # type: ignore[attr-defined]


def test_an_explicit_namespace_is_used_or_refused_where_it_is_taken(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.py": GOOD})
    with Host(folder, interface=WANTED, namespace="json.plugins") as host:
        assert host["a"].load().__name__ == "json.plugins.a"  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match=r"'json\.plugins' is taken"):
            Host(folder, namespace="json.plugins")
    with Host(folder, namespace="json.plugins"):
        pass


@pytest.mark.parametrize("name", ["my plugins", "2024", "json", "class"])
def test_the_folders_name_may_be_anything(name: str, tmp_path: Path) -> None:
    import json

    with Host(write(tmp_path / name, {"a.py": GOOD}), interface=WANTED) as host:
        module = host["a"].load()
        assert sys.modules[module.__name__] is module  # type: ignore[attr-defined]
        assert sys.modules["json"] is json


def test_a_host_that_was_dropped_frees_its_name(tmp_path: Path) -> None:
    write(tmp_path / "plugins", {"a.py": GOOD})
    # In a process of its own: what else is alive in this one, a traceback that pytest keeps say, is not the subject.
    script = """
        import gc
        from plugline import Host
        Host("plugins", interface=["transform"]).refresh()
        gc.collect()
        with Host("plugins", interface=["transform"], namespace="plugins") as host:
            print(host["a"].load().__name__)
        """
    done = subprocess.run([sys.executable, "-c", dedent(script)], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "plugins.a"


def test_a_closed_host_leaves_nothing_and_what_it_gave_stays_usable(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD, "b.py": GOOD}) as host:
        loaded = host["a"].load()
        chain = host.chain("transform", only=["a"])
    assert not [name for name in sys.modules if name.startswith("plugins")]
    assert loaded.transform(3) == 3  # type: ignore[attr-defined]
    assert chain(3) == 3
    assert host["a"].load() is loaded
    with pytest.raises(LoadError, match="was not loaded before its host was closed"):
        host["b"].load()
    host.close()


# ---- refresh


def test_a_refresh_sees_new_deleted_and_mended_plugins(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD, "b.py": GOOD, "c.py": ""}) as host:
        a, loaded = host["a"], host["b"].load()
        write(tmp_path / "plugins", {"c.py": GOOD, "d.py": GOOD, "a.py": "VERSION = '2'\n" + GOOD})
        assert host.names == ("a", "b")
        host.refresh()
        assert list(host.names) == ["a", "b", "c", "d"]
        assert host["a"] is a
        assert a.version == "2"
        assert host["b"].load() is loaded
        (tmp_path / "plugins/d.py").unlink()
        host.refresh()
        assert "d" not in host


def test_a_refresh_gives_what_failed_another_try(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": "1 / 0\n" + GOOD}) as host:
        plugin = host["a"]
        assert host.load_all() == []
        write(tmp_path / "plugins", {"a.py": GOOD})
        host.refresh()
        assert host["a"] is plugin
        assert host.load_all() == [plugin]


def test_a_file_that_was_deleted_and_came_back_is_run_anew(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD + "X = 1"}) as host:
        old = host["a"].load()
        (tmp_path / "plugins/a.py").unlink()
        host.refresh()
        write(tmp_path / "plugins", {"a.py": GOOD + "X = 2"})
        host.refresh()
        assert (old.X, host["a"].load().X) == (1, 2)  # type: ignore[attr-defined]


def test_a_refresh_keeps_loaded_code_that_changed_on_disk(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": GOOD + "X = 1"}) as host:
        old = host["a"].load()
        write(tmp_path / "plugins", {"a.py": GOOD + "X = 2"})
        host.refresh()
        assert host["a"].load() is old


# ---- using all


def test_a_chain_passes_a_value_through_all_plugins_by_name(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "b.py": GOOD.replace("return record", "return record + 'b'"),
        "a.py": GOOD.replace("return record", "return record + 'a'"),
    }
    with opened(tmp_path, files) as host:
        assert host.chain("transform")("-") == "-ab"
        assert host.chain("transform", only=["b", "a", "b"])("-") == "-bab"
        assert host.call_all("transform", "-").results == {"a": "-a", "b": "-b"}
        assert host.first("describe") == "good: hands records on"
        with pytest.raises(ValueError, match="'a' has no function 'transfrom'; did you mean 'transform'"):
            host.chain("transfrom")
        with pytest.raises(ValueError, match="'a' has no function 'absent'; name it"):
            host.chain("absent")
        with pytest.raises(UnknownPlugin):
            host.chain("transform", only=["c"])


class _OnPage(Protocol):
    """As an event of MkDocs: what comes with the text goes to each plugin as it is."""

    def on_page(self, text: str, *, page: str) -> str: ...


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_chain_takes_what_else_the_interface_says(tmp_path: Path, isolation: Literal["none", "process"]) -> None:
    if isolation != "none":
        pytest.importorskip("msgspec")
    text = "def on_page(text, *, page): return f'{text} {page}'\n"
    with Host(write(tmp_path, {"a.py": text, "b.py": text}), interface=_OnPage, isolation=isolation) as host:
        chain = host.chain("on_page")
        assert chain("x", page="1") == "x 1 1"
        write(tmp_path, {"b.py": text.replace("{page}", "{page}!")})
        assert host.reload("b").ok
        assert chain("x", page="1") == "x 1 1!"
        with pytest.raises(StepFailed, match="page"):
            chain("x")


class _Grown(Protocol):
    """An interface to which a parameter came later, and another."""

    def say(self, text: str, loud: int = 0, *, tone: str = "") -> str: ...


def test_what_an_interface_makes_optional_is_not_passed_to_a_plugin_that_does_not_take_it(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.py": "def say(text): return text\n",
        "b.py": "class B:\n    def say(self, text, loud=0): return f'{text}{loud}'\n",
        "c.py": "def say(text, loud=0, *, tone='-'): return f'{text}{loud}{tone}'\n",
        "d.py": "def say(text, **named): return f'{text}{named}'\n",
        "e.py": "def say(*given): return f'{given}'\n",
    }
    with Host(write(tmp_path, files), interface=_Grown) as host:
        assert not host.rejected
        called = host.call_all("say", "x", 1, tone="!")
        assert called.results == {"a": "x", "b": "x1", "c": "x1!", "d": "x{'tone': '!'}", "e": "('x', 1)"}
        called = host.call_all("say", "x", loud=1)
        assert called.results == {"a": "x", "b": "x1", "c": "x1-", "d": "x{'loud': 1}", "e": "('x',)"}
        assert host["a"].function("say")("x", tone="!") == "x"
        assert host.chain("say", only=["a", "c"])("x", tone="!") == "x0!"
        assert set(host.call_all("say", "x", volume=3).errors) == {"a", "b", "c", "e"}, "nobody asks for that"


def test_a_plugin_that_needs_settings_is_left_out_of_a_chain_and_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "class A:\n    limit: int\n    def transform(self, r): return r\n    def describe(self): return ''\n"
    with opened(tmp_path, {"a.py": text, "b.py": GOOD}) as host:
        assert host.chain("transform")(1) == 1
        assert list(codes(host)) == ["a"]
        assert "left out: plugin 'a'" in caplog.text
        assert host["a"].load({"limit": 3}).limit == 3  # type: ignore[attr-defined]
        with pytest.raises(LoadError):
            host["a"].load()


def test_a_plugin_that_fails_is_told_to_the_log_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tmp_path, {"a.py": "1 / 0\n" + GOOD}) as host:
        host.chain("transform")
        host.chain("transform")
        assert caplog.text.count("left out: ") == 1


def test_a_host_of_a_file_reaches_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "from ._shared import X\n" + GOOD, "_shared.py": "X = 3", "b.py": GOOD})
    with Host(File(tmp_path / "a.py"), interface=WANTED) as host:
        assert host.names == ("a",)
        assert host["a"].load().X == 3  # type: ignore[attr-defined]


def test_the_public_names_are_all_there() -> None:
    assert all(getattr(plugline, name) is not None for name in plugline.__all__)
    assert set(plugline.__all__) <= set(dir(plugline))
    with pytest.raises(AttributeError, match="no attribute 'Hots'"):
        _ = plugline.Hots


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"namespace": 3}, "namespace is 3, a dotted name"),
        ({"policy": Policy}, r"policy is <class .*>, plugline.Policy\(...\) was expected"),
        ({"policy": 3}, "policy is 3, plugline.Policy"),
        (
            {"policy": SimpleNamespace(admit=any, strict=False)},
            "which has no 'admit_file' and no 'lock', plugline.Policy",
        ),
        ({"store": 3}, "store is 3, the path of a file"),
        ({"store": SimpleNamespace(disabled=())}, "which has no 'set_disabled', the path of a file"),
        ({"compiler": "exec"}, "compiler is 'exec', a function"),
        ({"quarantine_after": "3"}, "quarantine_after is '3', a whole number"),
        ({"quarantine_after": 1.5}, "quarantine_after is 1.5, a whole number"),
        ({"interface": ["not a name"]}, r"\['not a name'\] is not an interface"),
        ({"isolation": "process", "preload": "numpy"}, r"is a string, .*: preload=\['numpy'\]"),
        ({"slow_load_seconds": "3"}, "slow_load_seconds is '3', a number"),
        ({"plugins": ["a"]}, r"plugins is \['a'\], True or False was expected; only="),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused_where_it_is_given(
    wrong: dict[str, object], told: str, tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match=told):
        Host(tmp_path, **wrong)  # type: ignore[call-overload]


def test_of_several_interfaces_a_call_is_for_those_that_have_the_method(tmp_path: Path) -> None:
    class Filter(Protocol):
        def apply(self, text: str) -> str: ...

    class Notifier:
        def notify(self) -> str:
            return "rang"

    given = {"Notifier": Notifier}
    files: dict[str, str | bytes] = {
        "bell.py": "class Bell(Notifier): ...\n",
        "shout.py": "def apply(text): return text.upper()\n",
    }
    with Host(write(tmp_path, files), interface=(Filter, Notifier), inject=given) as host:
        assert host.chain("apply")("a") == "A"
        assert host.call_all("apply", "a").results == {"shout": "A"}
        assert host.first("notify") == "rang"
        with pytest.raises(ValueError, match="'bell' has no function 'apply'"):
            host.chain("apply", only=["bell"])
        with pytest.raises(ValueError, match="has no function 'absent'"):
            host.call_all("absent")


def test_a_list_of_places_is_told_how_several_are_given() -> None:
    with pytest.raises(TypeError, match=r"one after the other, Host\(first, second\)"):
        Host(["plugins", "more"])  # type: ignore[call-overload]


def test_an_empty_path_is_not_the_current_folder() -> None:
    with pytest.raises(ValueError, match=r"the current folder is '\.'"):
        Host("")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_neither_a_host_nor_a_handle_is_copied(copied: Callable[[object], object], tmp_path: Path) -> None:
    with Host(write(tmp_path / "plugins", {"a.py": GOOD}), interface=WANTED) as host:
        for one in (host, host["a"]):
            with pytest.raises(TypeError, match="cannot be copied or pickled"):
                copied(one)
        assert host["a"].load()


@pytest.mark.parametrize("settings", [[1], "count=5", 3])
def test_settings_that_are_no_mapping_are_not_told_as_the_plugins_fault(settings: Any, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.py": "class A:\n    count: int = 3\n    def f(self): ...\n"}
    with Host(write(tmp_path / "plugins", files), interface=["f"]) as host:
        with pytest.raises(TypeError, match="a mapping was expected"):
            host["a"].load(settings)
        assert host["a"].load({"count": 5})
