"""Several classes of one file that provide a Protocol, or have the functions that a host asks for (decision 66)."""

import abc
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugline import Host, LoadError, Modules, UnknownPlugin
from plugline.errors import PluginDisabled
from tests.plugin_folders import write


class Job(Protocol):
    """What the plugins of these tests provide."""

    def run(self) -> str: ...

    def stop(self) -> None: ...


class Named(Protocol):
    """With an attribute, which an instance may have."""

    name: str

    def run(self) -> str: ...


class Other(Protocol):
    """Another way to be a plugin."""

    def fly(self) -> str: ...


BODY = "    def run(self): return type(self).__name__\n    def stop(self): ...\n"
ONE = f"class One:\n    'The first.'\n{BODY}"
TWO = f"{ONE}class Two:\n{BODY}"


@contextlib.contextmanager
def opened(folder: Path, files: dict[str, str], interface: Any = Job, **more: Any) -> Iterator[Host[Any]]:
    with Host(write(folder / "plugins", files), interface=interface, **more) as host:
        yield host


def loaded(host: Host[Any]) -> list[str]:
    return [plugin.name for plugin in host.load_all()]


@pytest.mark.parametrize("interface", [Job, ("run", "stop"), ["run"], (Job, Other), (Other, Job)])
def test_several_classes_are_several_plugins_and_the_file_is_run_once(interface: object, tmp_path: Path) -> None:
    count = "import sys\nsys.runs = getattr(sys, 'runs', 0) + 1\n"
    with opened(tmp_path, {"a.py": count + TWO, "b.py": ONE}, interface) as host:
        assert host.names == ("a:One", "a:Two", "b")
        assert host["a:One"].summary == "The first."
        assert [plugin.load().run() for plugin in host] == ["One", "Two", "One"]
        assert host["a:Two"].generation == 1
        assert host["b:One"] is host["b"]
        assert not host.rejected

    assert vars(sys).pop("runs") == 1


def test_the_name_of_a_file_with_several_is_answered_with_theirs(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO}) as host:
        with pytest.raises(UnknownPlugin, match="name the one that is meant: a:One, a:Two"):
            host["a"]
        with pytest.raises(UnknownPlugin):
            host["a:Three"]


@pytest.mark.parametrize(
    "more",
    [
        "class Table:\n    def run(self): ...\n",
        "class Fault(Exception): ...\n",
        "from pydantic import BaseModel\nclass Settings(BaseModel):\n    run: int = 3\n",
        f"class _Base:\n{BODY}",
        f"from typing import Protocol\nclass Shape(Protocol):\n{BODY}",
        "import abc\nclass Half(abc.ABC):\n    @abc.abstractmethod\n    def run(self): ...\n    def stop(self): ...\n",
        "__all__ = ['One']\n" + TWO,
    ],
)
def test_what_does_not_fit_leaves_the_only_one_the_name_of_the_file(more: str, tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": ONE + more}) as host:
        assert host.names == ("a",)
        assert loaded(host) == ["a"]
        assert host["a"].load().run() == "One"
        assert host.names == ("a",)
        assert not host.rejected


@pytest.mark.parametrize("before", [True, False])
def test_a_module_that_provides_it_by_itself_is_one_plugin_whatever_classes_it_has(
    before: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    functions = "def run(): return 'module'\ndef stop(): ...\n"
    with opened(tmp_path, {"a.py": functions + TWO if before else TWO + functions}) as host:
        assert host.names == ("a",)
        assert host["a"].load().run() == "module"
        assert host.names == ("a",)


def test_a_module_that_may_provide_it_by_names_that_nobody_sees_is_one_until_it_was_run(tmp_path: Path) -> None:
    files = {"a.py": TWO + "globals()['run'] = globals()['stop'] = lambda: 'module'\n", "b.py": TWO + "globals()\n"}
    with opened(tmp_path, files) as host:
        assert host.names == ("a", "b")
        assert loaded(host) == ["a", "b:One", "b:Two"]
        assert host["a"].load().run() == "module"
        assert not host.rejected


def test_a_class_that_others_derive_from_is_a_plugin_if_it_can_be(tmp_path: Path) -> None:
    files = {"a.py": ONE + "class More(One): ...\n", "b.py": ONE.replace("One", "_One") + "class More(_One): ...\n"}
    with opened(tmp_path, files) as host:
        assert host.names == ("a:More", "a:One", "b")
        assert loaded(host) == ["a:More", "a:One", "b"]


def test_of_classes_with_an_unknown_base_those_that_have_some_of_it_may_fit(tmp_path: Path) -> None:
    base = "from tests.unit.host.test_classes_of_protocols import Base\n"
    some = "".join(f"class {name}(Base):\n    def run(self): return {name!r}\n" for name in ("One", "Two"))
    none = "from tests.plugin_folders import Path\nclass Settings(Path): ...\n"
    files = {"a.py": base + some + none, "b.py": base + "class A(Base):\n    def run(self): return 'A'\n" + none}
    with opened(tmp_path, files) as host:
        assert host.names == ("a:One", "a:Two", "b")
        assert [plugin.load().run() for plugin in host] == ["One", "Two", "A"]


class Base:
    """From elsewhere."""

    def stop(self) -> None: ...


def test_classes_that_have_all_of_it_from_elsewhere_are_listed_as_they_are_loaded(tmp_path: Path) -> None:
    imports = "from enum import Enum\nfrom tests.plugin_folders import Path\nfrom ._base import One\n"
    others = "class Kind(Enum):\n    A = 1\nclass Odd(Exception): ...\n"
    files = {
        "a.py": imports + others + "class A(One): ...\nclass B(A):\n    name = 'b'\n",
        "b.py": imports + others + "class A(One): ...\n",
        "c.py": imports + others,
        "d.py": imports + "class A(One): ...\nclass Place(Path): ...\n",
    }
    with opened(tmp_path, {"_base.py": ONE} | files) as host:
        assert host.names == ("a:A", "a:B", "b", "c", "d:A", "d:Place")
        assert [host[name].load().run() for name in host.names[:3]] == ["A", "B", "A"]
        assert host["d"] is host["d:A"]
        assert loaded(host) == ["a:A", "a:B", "b", "d:A"]
        assert [one.name for one in host.rejected] == ["c"]


def test_what_turns_out_not_to_fit_vanishes_and_leaves_the_name_of_the_file_to_the_one_that_does(
    tmp_path: Path,
) -> None:
    text = "from tests.plugin_folders import Path\n" + ONE.replace("    def stop(self): ...\n", "")
    text = text.replace("class One:", "from tests.unit.host.test_classes_of_protocols import Base\nclass One(Base):")
    with opened(tmp_path, {"a.py": text + "class Two(Path):\n    def run(self): ...\n"}) as host:
        assert list(host.names) == ["a:One", "a:Two"]
        assert host["a"] is host["a:One"]
        assert list(host.names) == ["a:One"]
        assert not host.rejected


MADE = (
    "def made(name): return type(name, (), {'__module__': __name__, 'run': lambda self: name, 'stop': lambda self: None})\n"
    "globals()['New'] = made('New')\n"
)


def test_classes_that_could_not_be_seen_appear_and_leave_names_as_they_were(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": ONE + MADE, "b.py": MADE + "globals()['Newer'] = made('Newer')\n"}) as host:
        assert host.names == ("a", "b")
        assert loaded(host) == ["a", "a:New", "b:New", "b:Newer"]
        assert type(host["a"].load()).__name__ == "One"
        host.refresh()
        assert host.names[:2] == ("a", "a:New")
        assert not host.rejected


@pytest.mark.parametrize("interface", [Job, Base])
def test_a_class_that_appeared_has_one_name_once_the_text_shows_it(interface: type, tmp_path: Path) -> None:
    start = "from tests.unit.host.test_classes_of_protocols import Base\n"
    new = start + ONE.replace("One", "New(Base)")
    with opened(
        tmp_path, {"a.py": start + TWO.replace("One", "One(Base)").replace("Two", "Two(Base)")}, interface
    ) as host:
        assert host.names == ("a:One", "a:Two")
        write(tmp_path / "plugins", {"a.py": new})
        assert loaded(host) == ["a:New"]
        host.refresh()
        assert loaded(host) == ["a"]
        assert type(host["a"].load()).__name__ == "New"


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_class_stays_what_it_is_where_its_file_gets_functions(isolation: str, tmp_path: Path) -> None:
    functions = "def run(): return 'module'\ndef stop(): ...\n"
    with opened(tmp_path, {"a.py": TWO}, isolation=isolation) as host:
        assert host["a:Two"].load().run() == "Two"
        write(tmp_path / "plugins", {"a.py": TWO + functions})
        host.reload("a:Two")
        assert host["a:Two"].load().run() == "Two"
        write(tmp_path / "plugins", {"a.py": functions})
        assert host.reload("a:Two").how == "refused"
        assert host["a:Two"].load().run() == "Two"
        host.refresh()
        assert loaded(host) == ["a"]
        assert host["a"].load().run() == "module"


def test_a_class_that_appeared_goes_where_its_file_is_a_plugin_itself(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO}) as host:
        assert host.names == ("a:One", "a:Two")
        write(tmp_path / "plugins", {"a.py": TWO + f"class New:\n{BODY}"})
        assert loaded(host) == ["a:New", "a:One", "a:Two"]
        write(tmp_path / "plugins", {"a.py": TWO + "def run(): return 'module'\ndef stop(): ...\n"})
        host.refresh()
        assert list(host.names) == ["a"]


def test_what_is_asked_for_by_the_name_of_a_file_that_does_not_say_which_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path, {"b.py": MADE + "globals()['Newer'] = made('Newer')\n"}) as host:
        with pytest.raises(LoadError, match=r"P205.*2 classes fit: New, Newer\n  hint: .*: b:New, b:Newer"):
            host["b"].load()
        assert host["b:Newer"].load_type().__name__ == "Newer"


def test_a_package_takes_classes_from_its_own_modules(tmp_path: Path) -> None:
    files = {"pack/__init__.py": "from ._inner import One, Two\n", "pack/_inner.py": TWO, "one/__init__.py": ONE}
    with opened(tmp_path, files) as host:
        assert loaded(host) == ["one", "pack:One", "pack:Two"]
        assert not host.rejected


def test_the_classes_of_an_installed_module_are_several_plugins_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"plugline_jobs.py": TWO})
    monkeypatch.syspath_prepend(tmp_path)
    with Host(Modules({"job": "plugline_jobs", "one": "plugline_jobs:One"}), interface=Job) as host:
        assert host.names == ("job:One", "job:Two", "one")
        assert [plugin.load().run() for plugin in host] == ["One", "Two", "One"]
    monkeypatch.delitem(sys.modules, "plugline_jobs")


def test_a_class_that_fits_either_way_is_a_plugin(tmp_path: Path) -> None:
    text = ONE + "class Bird:\n    def fly(self): return 'high'\n"
    with opened(tmp_path, {"a.py": text}, (Other, Job)) as host:
        assert host.names == ("a:Bird", "a:One")
        assert host["a:Bird"].load().fly() == "high"
        assert host["a:One"].load().run() == "One"


class Command(abc.ABC):
    """A base class beside a Protocol."""

    @abc.abstractmethod
    def act(self) -> str: ...


def test_a_base_class_and_a_protocol_name_their_classes_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    derived = f"from {__name__} import Command\nclass Act(Command):\n    def act(self): return 'act'\n"
    module = derived + "def run(): return 'module'\ndef stop(): ...\n"
    with opened(tmp_path, {"a.py": derived + ONE, "b.py": module + ONE, "c.py": ONE}, (Command, Job)) as host:
        assert host.names == ("a:Act", "a:One", "b", "c")
        assert loaded(host) == ["a:Act", "a:One", "b", "b:One", "c"]
        assert host["b"].load().act() == "act"


def test_an_attribute_may_be_set_by_the_instance(tmp_path: Path) -> None:
    text = (
        "class One:\n    name = 'one'\n    def run(self): ...\n"
        "class Two:\n    def __init__(self): self.name = 'two'\n    def run(self): ...\n"
        "class Table:\n    def __init__(self, rows=()): self.rows = rows\n"
    )
    with opened(tmp_path, {"a.py": text}, Named) as host:
        assert host.names == ("a:One", "a:Two")
        assert [plugin.load().name for plugin in host] == ["one", "two"]
        assert not host.rejected


class Labelled(Protocol):
    """Nothing but attributes."""

    label: str
    colour: str


def test_where_attributes_are_all_that_is_asked_a_class_has_to_show_one(tmp_path: Path) -> None:
    table = "class Table:\n    def __init__(self, rows=()): self.rows = rows\n"
    both = "".join(f"class {name}:\n    label = colour = {name!r}\n" for name in ("One", "Two"))
    text = both + table + "class Set:\n    def __init__(self): self.label = self.colour = 's'\n"
    with opened(tmp_path, {"a.py": text}, Labelled) as host:
        assert host.names == ("a:One", "a:Two")
        assert loaded(host) == ["a:One", "a:Set", "a:Two"]
        assert not host.rejected


def test_one_class_with_a_fault_leaves_its_neighbour_alone(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": ONE + "class Wrong:\n    def run(self, x): ...\n    def stop(self): ...\n"}) as host:
        assert loaded(host) == ["a:One"]
        assert [(one.name, one.findings[0].code) for one in host.rejected] == [("a:Wrong", "P203")]


@pytest.mark.parametrize("interface", [(Job, Other), (Other, Job)])
def test_a_class_in_which_a_method_is_called_as_another_interface_says_is_no_plugin(
    interface: object, tmp_path: Path
) -> None:
    bird = "class Bird:\n    def fly(self, x): ...\n"
    real = bird + "class Swift:\n    def fly(self): ...\n"
    with opened(tmp_path, {"a.py": bird + ONE, "b.py": ONE + real, "c.py": bird}, interface) as host:
        assert host.names == ("a", "b:Bird", "b:One", "b:Swift")
        assert loaded(host) == ["a", "b:One", "b:Swift"]
        assert [(one.name, one.findings[0].code) for one in host.rejected] == [("c", "P203"), ("b:Bird", "P203")]


def test_a_worker_holds_the_class_that_is_meant(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO, "b.py": ONE}, isolation="process") as host:
        assert [(plugin.name, plugin.load().run()) for plugin in host] == [
            ("a:One", "One"),
            ("a:Two", "Two"),
            ("b", "One"),
        ]
        assert host["b:One"] is host["b"]


def test_classes_that_could_not_be_seen_leave_a_worker_the_one_that_was(tmp_path: Path) -> None:
    files = {"a.py": ONE + MADE, "b.py": MADE + "globals()['Newer'] = made('Newer')\n"}
    with opened(tmp_path, files, isolation="process") as host:
        assert host["a"].load().run() == "One"
        assert host["b:New"].load().run() == "New"
        assert host["b:Newer"].load().run() == "Newer"
        with pytest.raises(UnknownPlugin):
            host["b:Other"]
        assert host.names == ("a", "b:New", "b:Newer")


def test_a_second_class_keeps_the_plugin_in_a_worker_the_class_that_it_was(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": ONE}, isolation="process") as host:
        made = host["a"].load()
        write(tmp_path / "plugins", {"a.py": f"class Early:\n{BODY}{ONE.replace('self).', 'self).__mro__[0].')}"})
        assert host.reload("a").how == "adopted"
        assert made.run() == "One"
        assert loaded(host) == ["a", "a:Early"]
        assert host["a:Early"].load().run() == "Early"
        write(tmp_path / "plugins", {"a.py": f"class Early:\n{BODY}class Late:\n{BODY}{ONE}"})
        assert host.reload("a").ok
        assert host.names == ("a", "a:Early", "a:Late")


def test_a_summary_is_that_of_its_class(tmp_path: Path) -> None:
    said = "class {0}:\n    def run(self): ...\n    def stop(self): ...\n    def describe(self): return {1!r}\n"
    files = {"a.py": said.format("One", "first") + TWO.replace("One", "Three"), "b.py": '"""All."""\n' + TWO}
    with opened(tmp_path, files) as host:
        summaries = {plugin.name: plugin.summary for plugin in host}
    assert summaries == {"a:One": "first", "a:Three": "The first.", "a:Two": "", "b:One": "The first.", "b:Two": "All."}


def test_a_file_that_is_disabled_stays_so_with_all_its_classes(tmp_path: Path) -> None:
    (tmp_path / "plugline.toml").write_text('disabled = ["a", "b:Two"]\n')
    with opened(tmp_path, {"a.py": TWO, "b.py": TWO}) as host:
        assert host.names == ("b:One",)
        assert not host.findings
        with pytest.raises(PluginDisabled, match="plugline enable a "):
            host["a:One"].load()


def test_a_second_class_keeps_the_plugin_of_a_reload_the_class_that_it_was(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": ONE}) as host:
        plugin = host["a"]
        made = plugin.load()
        write(tmp_path / "plugins", {"a.py": f"X = 1\nclass Early:\n{BODY}{ONE}"})
        assert host.reload("a").how == "adopted"
        assert plugin.load_type().__name__ == "One"
        assert plugin.load() is made
        assert loaded(host) == ["a", "a:Early"]


def test_a_reload_follows_each_class_of_a_file(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO}) as host:
        one, two = (plugin.load() for plugin in host)
        write(
            tmp_path / "plugins", {"a.py": "X = 1\n" + TWO.replace("type(self).__name__", "type(self).__name__ + '!'")}
        )
        assert host.reload("a:One").how == "adopted"
        assert (one.run(), two.run()) == ("One!", "Two!")
        assert (host["a:One"].generation, host["a:Two"].generation) == (2, 2)


def test_unloading_one_lets_the_others_of_its_file_go_too(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO}) as host:
        host.load_all()
        host.unload("a:One")
        assert "plugins.a" not in sys.modules
        assert host["a:Two"].load().run() == "Two"


def test_a_file_that_gets_a_second_class_is_two_plugins_of_its_new_code_after_a_refresh(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": ONE}) as host:
        assert loaded(host) == ["a"]
        write(tmp_path / "plugins", {"a.py": TWO})
        host.refresh()
        assert host.names == ("a:One", "a:Two")
        assert loaded(host) == ["a:One", "a:Two"]


def test_a_class_that_came_to_a_file_after_that_was_loaded_says_that_it_takes_a_reload(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO}) as host:
        host.load_all()
        write(tmp_path / "plugins", {"a.py": TWO + f"class More:\n{BODY}"})
        host.refresh()
        with pytest.raises(LoadError, match=r"More is not in the version .*\n  hint: host.reload\('a:More'\)"):
            host["a:More"].load()
        assert [one.name for one in host.rejected] == ["a:More"]
        assert host.reload("a:More").ok
        assert loaded(host) == ["a:More", "a:One", "a:Two"]


@pytest.mark.parametrize(("new", "left"), [(ONE, ["a:One"]), (TWO.replace("Two", "New"), ["a:New", "a:One"])])
def test_a_reload_lets_go_of_a_class_that_is_gone_from_its_file(new: str, left: list[str], tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO}) as host:
        one, two = host.load_all()
        assert list(host.call_all("run").results) == ["a:One", "a:Two"]
        write(tmp_path / "plugins", {"a.py": new + "X = 1\n"})
        assert [report.how for report in (host.reload("a:One"), one.reload())] == ["adopted", "unchanged"]
        assert list(host.call_all("run").results) == left
        assert loaded(host) == left
        assert (one.generation, one.load_type().__name__) == (2, "One")
        with pytest.raises(LoadError, match=r"P201.*Two is no concrete class of this file"):
            two.load()
        write(tmp_path / "plugins", {"a.py": TWO})
        assert (host.reload("a:One").how, two.reload().how) == ("adopted", "loaded")
        assert host.call_all("run").results["a:Two"] == two.load().run() == "Two"


def test_a_reload_of_a_class_that_is_gone_says_so(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO, "b.py": TWO}) as host:
        host.load_all()
        write(tmp_path / "plugins", {"a.py": ONE, "b.py": TWO.replace("Two", "New").replace("One", "Other")})
        assert host.reload("a:Two").how == "removed"
        refused = host.reload("b:Two")
        assert refused.how == "refused", "no class of the file is there any more"
        assert [one.message.split(" of ")[0] for one in refused.refused] == [
            "One is no concrete class",
            "Two is no concrete class",
        ]
        assert host["b:Two"].load().run() == "Two"


def test_a_class_that_does_not_fit_any_more_keeps_the_version_before(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO}) as host:
        host.load_all()
        write(tmp_path / "plugins", {"a.py": ONE + "class Two: ...\n"})
        assert host.reload("a:One").how == "refused"
        assert host["a:Two"].load().run() == "Two"


def test_names_that_follow_a_reload_lead_to_the_module_that_it_left(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": ONE}) as host:
        made = host["a"].load()
        write(tmp_path / "plugins", {"a.py": TWO})
        host.reload("a")
        host.refresh()
        assert host.names == ("a:One", "a:Two")
        assert host["a:One"].load_type() is type(made)


def test_each_is_called_by_a_function_of_the_host(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO, "b.py": ONE}) as host:
        assert host.call_all("run").results == {"a:One": "One", "a:Two": "Two", "b": "One"}


# ---------------------------------------------------------------------- the law

_HALF, _REST = BODY.splitlines(keepends=True)
_ABSTRACT = "    @abc.abstractmethod\n" + _HALF + _REST


@st.composite
def sources(draw: st.DrawFn) -> str:
    """Return a file of classes whose text shows all that they have."""
    lines = ["import abc\nfrom typing import Protocol\n"]
    names: list[str] = []
    for number in range(draw(st.integers(1, 5))):
        name = draw(st.sampled_from(["A", "B", "C", "_D"])) + str(number)
        bases = draw(st.lists(st.sampled_from([*names, "abc.ABC"]), max_size=1)) if names else []
        protocol = not bases and draw(st.integers(0, 7)) == 0
        body = draw(
            st.sampled_from([BODY, _HALF, _REST, "    x = 1\n", _ABSTRACT, "    run = stop = lambda self: None\n"])
        )
        heads = bases or (["Protocol"] if protocol else [])
        lines.append(f"class {name}({', '.join(heads)}):\n{body}")
        names.append(name)
    if draw(st.booleans()):
        lines.append("try:\n    X = 1\nexcept Exception:\n    X = 2\n")
    if draw(st.integers(0, 4)) == 0:
        lines.insert(0, f"__all__ = {draw(st.lists(st.sampled_from(names), unique=True, min_size=1))!r}\n")
    return "".join(lines)


def truth(text: str) -> list[str]:
    """Return the classes that Python itself finds to fit."""
    names: dict[str, Any] = {"__name__": "truth"}
    exec(text, names)  # noqa: S102 - what is tested
    exported = names.get("__all__", [name for name in names if not name.startswith("_")])
    found = [(name, value) for name, value in names.items() if isinstance(value, type) and value.__module__ == "truth"]
    return [
        name
        for name, value in found
        if name in exported
        and hasattr(value, "run")
        and hasattr(value, "stop")
        and not getattr(value, "__abstractmethods__", None)
        and not vars(value).get("_is_protocol")
    ]


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=sources())
def test_what_is_listed_is_what_is_loaded_where_the_text_shows_all(text: str, tmp_path: Path) -> None:
    fitting = truth(text)
    expected = ["a"] if len(fitting) == 1 else sorted(f"a:{name}" for name in fitting)
    for interface in (Job, ["run", "stop"]):
        with opened(tmp_path, {"a.py": text}, interface) as host:
            assert list(host.names) == expected
            assert loaded(host) == expected
            assert sorted(plugin.load_type().__name__ for plugin in host) == sorted(fitting)
        with opened(tmp_path, {}, interface) as again:  # as it is remembered
            assert list(again.names) == expected
