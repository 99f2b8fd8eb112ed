"""Plugins that derive from the host's base class, several of them in one file."""

import abc
import builtins
import contextlib
import importlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugline import Host, LoadError, Modules, PluginRejected, UnknownPlugin
from tests.plugin_folders import write


class Command(abc.ABC):
    """What the plugins of these tests derive from."""

    @abc.abstractmethod
    def run(self, text: str) -> str: ...


class Loud(Command):
    def run(self, text: str) -> str:
        return text.upper()


IMPORT = f"from {__name__} import Command\n"
ONE = IMPORT + "class Shout(Command):\n    'Make it loud.'\n    def run(self, text): return text.upper()\n"
TWO = ONE + "class Whisper(Shout):\n    def run(self, text): return text.lower()\n"


@contextlib.contextmanager
def opened(folder: Path, files: dict[str, str]) -> Iterator[Host[Command]]:
    # Callable[..., T] and an abstract class: see Host.
    with Host(write(folder / "plugins", files), interface=Command) as host:
        yield host


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plugins import the base class from this file, whatever name pytest gave it."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


def names(host: Host[Command]) -> list[str]:
    return list(host.names)


def test_one_class_is_a_plugin_of_the_files_name(tmp_path: Path) -> None:
    with opened(tmp_path, {"shout.py": ONE}) as host:
        assert names(host) == ["shout"]
        assert host["shout"].load().run("a") == "A"


def test_several_classes_are_several_plugins_and_the_file_is_run_once(tmp_path: Path) -> None:
    count = "import sys\nsys.runs = getattr(sys, 'runs', 0) + 1\n"
    with opened(tmp_path, {"say.py": count + TWO, "_no.py": TWO}) as host:
        assert names(host) == ["say:Shout", "say:Whisper"]
        assert host["say:Shout"].summary == "Make it loud."
        assert [plugin.load().run("Ab") for plugin in host] == ["AB", "ab"]
        assert host["say:Whisper"].generation == 1

    assert vars(sys).pop("runs") == 1


def test_a_name_with_its_class_leads_to_the_only_class_too(tmp_path: Path) -> None:
    with opened(tmp_path, {"shout.py": ONE}) as host:
        assert host["shout:Shout"] is host["shout"]
        with pytest.raises(UnknownPlugin):
            host["shout:Other"]


@pytest.mark.parametrize(
    "text",
    [
        "class Fault(Exception): ...\nclass Plain: ...\nclass Worse(Fault): ...\n",
        "class Plain:\n    class Inner: ...\n    if True: x = 1\n",
        "import enum\nfrom typing import NamedTuple\nclass A(enum.Enum): ...\nclass B(NamedTuple): ...\n",
        IMPORT + "class _Hidden(Command):\n    def run(self, text): ...\n",
        "x = 1\n",
        "",
    ],
)
def test_a_file_without_a_class_that_can_derive_is_no_plugin(text: str, tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": text}) as host:
        assert names(host) == []
        assert [one.findings[0].code for one in host.rejected] == ["P201"]
        assert "plugins.a" not in sys.modules


@pytest.mark.parametrize(
    "more",
    [
        "class Fault(Exception): ...\n",
        "import enum, threading\nclass Kind(enum.Enum): ...\nclass Task(threading.Thread): ...\n",
        "from collections.abc import Mapping\nclass Table(Mapping): ...\n",
        "class _Hidden(Shout): ...\n",
    ],
)
def test_what_cannot_derive_does_not_change_the_name(more: str, tmp_path: Path) -> None:
    with opened(tmp_path, {"shout.py": ONE + more}) as host:
        assert names(host) == ["shout"]
        assert type(host["shout"].load()).__name__ == "Shout"
        assert names(host) == ["shout"]


def test_what_turns_out_not_to_derive_vanishes_quietly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    more = "from tests.plugin_folders import Path\nclass Perhaps(Path): ...\nclass Too(Perhaps): ...\n"
    with opened(tmp_path, {"shout.py": ONE + more}) as host, caplog.at_level(logging.DEBUG):
        assert names(host) == ["shout", "shout:Perhaps", "shout:Too"]
        perhaps = host["shout:Perhaps"]
        assert [plugin.name for plugin in host.load_all()] == ["shout"]
        assert names(host) == ["shout"]
        assert not host.rejected
        assert not caplog.records
        with pytest.raises(LoadError, match="does not derive from Command"):
            perhaps.load()
        with pytest.raises(UnknownPlugin) as caught:
            host["shout:Perhaps"]
        assert list(caught.value.known) == ["shout"]


def test_a_files_name_leads_to_the_one_class_that_is_left_once_it_was_run(tmp_path: Path) -> None:
    aliased = ONE.replace("import Command", "import Command as Odd").replace("(Command)", "(Odd)")
    more = "from tests.plugin_folders import Path\nclass Perhaps(Path): ...\n"
    with opened(tmp_path, {"a.py": aliased + more, "b.py": TWO}) as host:
        assert names(host) == ["a:Perhaps", "a:Shout", "b:Shout", "b:Whisper"]
        assert host["a"] is host["a:Shout"]
        with pytest.raises(UnknownPlugin):
            host["b"]


def test_an_abstract_class_leaves_no_second_handle_for_the_class_beside_it(tmp_path: Path) -> None:
    text = (
        f"import abc\nfrom {__name__} import Command, Loud\n"
        "class Half(Command):\n    @property\n    @abc.abstractmethod\n    def more(self): ...\n"
        "class Whole(Loud): ...\n"
    )
    with opened(tmp_path, {"a.py": text, "b.py": text, "c.py": text}) as host:
        assert names(host)[:3] == ["a", "a:Whole", "b"]
        assert host["b:Whole"].load().run("a") == "A"
        with pytest.raises(LoadError, match="meant: c:Whole"):
            host["c"].load()
        assert [plugin.name for plugin in host.load_all()] == ["a:Whole", "b:Whole", "c:Whole"]
        assert names(host) == ["a:Whole", "b:Whole", "c:Whole"]
        assert host["a"] is host["a:Whole"]
        assert not host.rejected


def test_an_abstract_class_between_is_no_plugin(tmp_path: Path) -> None:
    text = IMPORT + (
        "import abc\nclass Half(Command, abc.ABC): ...\nclass Whole(Half):\n    def run(self, text): return text\n"
    )
    with opened(tmp_path, {"a.py": text}) as host:
        assert [plugin.name for plugin in host.load_all()] == ["a"]
        assert type(host["a"].load()).__name__ == "Whole"
        assert not host.rejected


def test_classes_that_could_not_be_seen_appear_once_the_file_is_loaded(tmp_path: Path) -> None:
    made = "for name in ('Quick', 'Slow'):\n    globals()[name] = type(name, (Shout,), {})\n"
    with opened(tmp_path, {"shout.py": ONE + made}) as host:
        assert names(host) == ["shout"]
        assert [plugin.name for plugin in host.load_all()] == ["shout", "shout:Quick", "shout:Slow"]
        assert host["shout:Slow"].load().run("a") == "A"
        host.refresh()
        assert names(host) == ["shout", "shout:Quick", "shout:Slow"]
        assert host["shout:Quick"].state == "loaded"
        assert "plugins.shout" in sys.modules


def test_a_class_that_cannot_be_seen_can_be_asked_for(tmp_path: Path) -> None:
    made = IMPORT + "for name in ('Quick', 'Slow'):\n    globals()[name] = type(name, (Command,), {'run': len})\n"
    with opened(tmp_path, {"a.py": made, "b.py": made.replace("'Slow'", "")}) as host:
        assert names(host) == ["a", "b"]
        assert type(host["a:Slow"].load()).__name__ == "Slow"
        assert names(host) == ["a:Quick", "a:Slow", "b"]
        assert type(host["b"].load()).__name__ == "Quick"


def test_a_package_takes_classes_from_its_own_modules_and_not_from_elsewhere(tmp_path: Path) -> None:
    files = {
        "pack/__init__.py": "from ._inner import Shout, Whisper\nfrom ..other import Shout as Other\n",
        "pack/_inner.py": TWO,
        "other.py": ONE,
    }
    with opened(tmp_path, files) as host:
        assert [plugin.name for plugin in host.load_all()] == ["other", "pack:Shout", "pack:Whisper"]
        assert not host.rejected


def test_a_file_of_which_no_class_derives_after_all_fails_and_is_run_once(tmp_path: Path) -> None:
    text = (
        "import sys\nsys.runs = getattr(sys, 'runs', 0) + 1\nfrom tests.plugin_folders import Path\n"
        "class A(Path): ...\nclass B(Path): ...\n"
    )
    with opened(tmp_path, {"a.py": text}) as host:
        assert names(host) == ["a:A", "a:B"]
        assert host.load_all() == []
        assert [(one.name, one.findings[0].code) for one in host.rejected] == [("a:A", "P201")]
        assert "plugins.a" not in sys.modules

    assert vars(sys).pop("runs") == 1


def test_what_keeps_a_file_from_being_run_is_told_once(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO + "1 / 0\n"}) as host:
        assert host.load_all() == []
        assert [(one.name, one.findings[0].code) for one in host.rejected] == [("a:Shout", "P301")]
        with pytest.raises(PluginRejected, match="ZeroDivisionError"):
            host["a:Whisper"]


def test_a_metaclass_that_answers_for_everything_is_not_asked(tmp_path: Path) -> None:
    text = (
        "class Meta(type):\n    def __getattr__(cls, name): return getattr(cls, name)\n"
        "class Lazy(metaclass=Meta): ...\nclass A(Lazy): ...\n"
    )
    with opened(tmp_path, {"a.py": text, "b.py": ONE + text}) as host:
        assert [plugin.name for plugin in host.load_all()] == ["b"]
        assert [one.findings[0].code for one in host.rejected] == ["P201"]


def test_one_class_with_a_fault_leaves_its_neighbour_alone(tmp_path: Path) -> None:
    text = TWO + "class Wrong(Command):\n    def run(self): ...\n"
    with opened(tmp_path, {"a.py": text}) as host:
        assert [plugin.name for plugin in host.load_all()] == ["a:Shout", "a:Whisper"]
        assert [(one.name, one.findings[0].code) for one in host.rejected] == [("a:Wrong", "P203")]


@pytest.mark.parametrize("new", [("Whisper",), ("Whisper", "Whistle")])
def test_a_class_that_is_gone_leaves_those_that_nobody_has_loaded(new: tuple[str, ...], tmp_path: Path) -> None:
    def text(*classes: str) -> str:
        body = "(Command):\n    def run(self, text): return type(self).__name__\n"
        return IMPORT + "".join(f"class {name}{body}" for name in classes)

    with opened(tmp_path, {"say.py": text("Shout", "Whisper")}) as host:
        shout = host["say:Shout"].load()
        write(tmp_path / "plugins", {"say.py": text(*new)})
        assert host.reload("say:Shout").how == "removed"
        assert shout.run("") == "Shout"
        assert names(host) == sorted(f"say:{name}" for name in new)
        assert sorted(map(str, host.call_all("run", "").results.values())) == sorted(new)
        host.refresh()
        assert names(host) == (sorted(f"say:{name}" for name in new) if len(new) > 1 else ["say"])
        for name in names(host):
            host[name].load()
            host.unload(name)
        assert "plugins.say" not in sys.modules


def test_a_class_that_is_gone_from_its_file_leaves_the_others_loaded(tmp_path: Path) -> None:
    with opened(tmp_path, {"a.py": TWO}) as host:
        assert len(host.load_all()) == 2
        write(tmp_path / "plugins", {"a.py": ONE})
        host.refresh()
        assert names(host) == ["a"]
        (tmp_path / "plugins/a.py").unlink()
        host.refresh()
        assert names(host) == []
        assert "plugins.a" not in sys.modules


def test_a_class_is_loaded_without_an_instance(tmp_path: Path) -> None:
    text = IMPORT + "class A(Command):\n    def __init__(self, bot): ...\n    def run(self, text): return text\n"
    with opened(tmp_path, {"a.py": text, "b.py": ONE}) as host:
        assert [plugin.name for plugin in host.load_all(instances=False)] == ["a", "b"]
        assert host["a"].load_type()(object()).run("x") == "x"  # type: ignore[call-arg]
        assert not host.rejected
        with pytest.raises(LoadError):
            host["a"].load()
        assert host["a"].state == "loaded"


def test_the_classes_of_an_installed_module_are_several_plugins_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"plugline_says.py": TWO})
    monkeypatch.syspath_prepend(tmp_path)
    with Host(Modules({"say": "plugline_says", "one": "plugline_says:Shout"}), interface=Command) as host:
        assert names(host) == ["one", "say:Shout", "say:Whisper"]
        assert [plugin.load().run("Ab") for plugin in host] == ["AB", "AB", "ab"]
    monkeypatch.delitem(sys.modules, "plugline_says")


def test_a_class_that_is_called_like_the_hosts_base_is_a_plugin(tmp_path: Path) -> None:
    """As those of docutils are: each of its writers is called Writer."""
    text = f"import {__name__} as host\n\nclass Command(host.Command):\n    def run(self, text): return 'a'\n"
    other = f"from {__name__} import Command as Base\n\nclass Command(Base):\n    def run(self, text): return 'b'\n"
    with opened(tmp_path, {"a.py": text, "b.py": other}) as host:
        assert host.names == ("a", "b")
        assert [plugin.load().run("") for plugin in host] == ["a", "b"]


def test_a_package_may_take_its_classes_by_its_own_full_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pylint's do: from pylint.checkers.classes.class_checker import ClassChecker."""
    files = {
        "tool/__init__.py": "",
        "tool/parts/__init__.py": "",
        "tool/parts/one/__init__.py": "from tool.parts.one.inner import Shout\n",
        "tool/parts/one/inner.py": ONE,
    }
    write(tmp_path, files)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    with Host(tmp_path / "tool/parts", interface=Command, package="tool.parts") as host:
        assert host.names == ("one",)
        assert [type(plugin.load()).__name__ for plugin in host] == ["Shout"]
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_plugin_may_have_a_metaclass_of_its_own(tmp_path: Path) -> None:
    text = "class Meta(type):\n    x: int = 3\n\nclass A(metaclass=Meta):\n    def run(self): return type(self).x\n"
    with Host(write(tmp_path / "plugins", {"a.py": text}), interface=["run"]) as host:
        assert host["a"].call("run") == 3


def test_a_class_whose_name_begins_with_a_digit_as_well_as_it_can_is_a_plugin(tmp_path: Path) -> None:
    text = IMPORT + "class _4chan(Command):\n    def run(self, text): return '4'\n"
    text += "class _Base(Command):\n    def run(self, text): return '_'\n"
    with opened(tmp_path, {"4chan.py": text, "more.py": text + text.replace("4chan", "8chan")}) as host:
        assert names(host) == ["4chan", "more:_4chan", "more:_8chan"]
        assert [plugin.load().run("") for plugin in host] == ["4", "4", "4"]


def test_a_base_that_was_imported_a_second_time_is_told_as_that(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "program.py": (
                "import sys\n"
                "from plugline import Host\n"
                "class Base: pass\n"
                "if __name__ == '__main__':\n"
                "    host = Host('plugins', interface=Base)\n"
                "    host.load_all()\n"
                "    print(*host.rejected, sep='\\n')\n"
            ),
            "plugins/a.py": "from program import Base\nclass Mine(Base): pass\n",
        },
    )
    ran = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "class Mine derives from program.Base, another class than the program's __main__.Base" in ran.stdout
    assert "move Base into a module" in ran.stdout


class Made(abc.ABC):  # noqa: B024 - what counts is its constructor
    """What the host of one test makes itself."""

    def __init__(self, app: object) -> None:
        self.app = app


def test_what_the_hosts_own_class_asks_for_is_no_setting_of_a_user(tmp_path: Path) -> None:
    text = f"from {__name__} import Made\nclass Mine(Made): pass\n"
    with Host(write(tmp_path / "plugins", {"a.py": text}), interface=Made) as host:
        with pytest.raises(LoadError, match=r"missing key 'app'\n  hint: .*Plugin\.load_type\(\)"):
            host["a"].load()
        assert host["a"].load_type()(3).app == 3


class Provider(abc.ABC):
    """Whose methods leave open what they are called with."""

    @abc.abstractmethod
    def update(self, name: str | None = None, *, value: str = "") -> bool: ...

    @abc.abstractmethod
    def run(self, *args: object, **kwargs: object) -> None: ...


def test_a_method_may_need_what_its_base_has_as_an_option(tmp_path: Path) -> None:
    text = f"from {__name__} import Provider\nclass Dns(Provider):\n    def update(self, name, *, value): return True\n"
    more = "    def update(self, name, value, zone): ...\n    def run(self): ...\n"
    files: dict[str, str | bytes] = {"a.py": f"{text}    def run(self, zone, key): ...\n", "b.py": text + more}
    with Host(write(tmp_path / "plugins", files), interface=Provider) as host:
        assert [plugin.name for plugin in host.load_all()] == ["a"]
        assert [(one.name, len(one.findings)) for one in host.rejected] == [("b", 1)]


class Bot(abc.ABC):
    """Whose constructor is its own affair."""

    @abc.abstractmethod
    def __init__(self, bot: object) -> None: ...

    @abc.abstractmethod
    def run(self, *, text: str) -> str: ...


@pytest.mark.parametrize(
    "run",
    [
        "def run(self, text): return text",
        "def _run(self, how, *, text): return text\n    run = functools.partialmethod(_run, 1)",
        "@property\n    def run(self): return lambda *, text: text",
    ],
)
def test_a_method_may_be_whatever_can_be_called_as_the_host_does(tmp_path: Path, run: str) -> None:
    text = f"import functools\nfrom {__name__} import Bot\nclass A(Bot):\n    def __init__(self, a, b, c): pass\n    {run}\n"
    with Host(write(tmp_path / "plugins", {"a.py": text}), interface=Bot) as host:
        assert [plugin.name for plugin in host.load_all(instances=False)] == ["a"]
        assert host["a"].load_type()(1, 2, 3).run(text="x") == "x"  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("__all__ = []\n", "__all__.append('Shout')\n"),
        ("__all__ = ['Command']\n", "__all__.extend(['Shout'])\n"),
        ("__all__ = []\ndef public(one):\n    __all__.append(one.__name__)\n    return one\n", "public(Shout)\n"),
    ],
)
def test_what_is_public_may_be_said_while_the_module_runs(tmp_path: Path, first: str, last: str) -> None:
    with opened(tmp_path, {"a.py": first + ONE + last, "b.py": "__all__ = []\n" + ONE}) as host:
        assert [plugin.name for plugin in host.load_all()] == ["a"]
        assert [(one.name, one.findings[0].code) for one in host.rejected] == [("b", "P201")]


class _Counting(type):
    """Counts how often somebody asks whether a class derives from one."""

    asked = 0

    def __subclasscheck__(cls, subclass: type) -> bool:
        _Counting.asked += 1
        return super().__subclasscheck__(subclass)


class Counted(metaclass=_Counting):
    """What a plugin with many classes derives from."""


def test_the_classes_of_a_file_are_looked_through_once_and_not_once_for_each_of_them(tmp_path: Path) -> None:
    many = range(50)
    text = f"from {__name__} import Counted\n" + "".join(f"class Many{one}(Counted): pass\n" for one in many)
    folder = write(tmp_path / "plugins", {"many.py": text})
    with Host(folder, interface=Counted) as host:
        _Counting.asked = 0
        assert len(host.load_all(instances=False)) == len(many)
        assert _Counting.asked < 5 * len(many)
        _Counting.asked = 0
        (folder / "many.py").write_text(text + "more = 1\n")
        assert host.reload("many:Many0").ok
        assert _Counting.asked < 10 * len(many)


def test_a_file_with_many_classes_is_read_once_for_a_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    genuine = builtins.compile

    def counted(*arguments: Any, **keywords: Any) -> Any:
        compiled.append(arguments[1])
        return genuine(*arguments, **keywords)

    text = IMPORT + "".join(f"class Many{one}(Command):\n    def run(self, text): return text\n" for one in range(20))
    with opened(tmp_path, {"many.py": text}) as host:
        host.load_all(instances=False)
        (tmp_path / "plugins/many.py").write_text(text + "more = 1\n")
        monkeypatch.setattr(builtins, "compile", counted)
        assert host.reload("many:Many0").ok
        assert len(compiled) < 6
        assert host["many:Many7"].spec.digest == host["many:Many0"].spec.digest


def test_a_class_that_nobody_may_ask_for_its_instances_is_reloaded(tmp_path: Path) -> None:
    text = "class Kind(type):\n    def __instancecheck__(cls, one): raise TypeError('not me')\n    __subclasscheck__ = __instancecheck__\n"
    text += "class Mine(metaclass=Kind):\n    def run(self, text): return text\n"
    folder = write(tmp_path / "plugins", {"one.py": text})
    with Host(folder, interface=["run"]) as host:
        host["one"].load_type()
        (folder / "one.py").write_text(text + "more = 1\n")
        assert host.reload("one").ok


def test_the_file_of_the_base_itself_has_none_that_derives_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As nbconvert's exporter.py, in which another class has a base of which nothing is known.
    text = "from packaging.version import Version\nclass Other(Version): ...\nclass Base: ...\n"
    write(tmp_path, {"plugline_tool/__init__.py": "", "plugline_tool/base.py": text})
    monkeypatch.syspath_prepend(tmp_path)
    base = importlib.import_module("plugline_tool.base").Base
    with Host(tmp_path / "plugline_tool", interface=base, package="plugline_tool") as host:
        assert host.load_all() == []
        assert [finding.message for finding in host.rejected[0].findings] == ["defines no class that derives from Base"]
    for name in [name for name in sys.modules if name.startswith("plugline_tool")]:
        del sys.modules[name]


def test_what_running_a_file_showed_to_be_none_stays_away_while_its_file_is_loaded(tmp_path: Path) -> None:
    # As 1,432 of the 1,837 classes that a listing of Cloud Custodian's resources shows.
    more = "from packaging.version import Version\nclass Other(Version): ...\n"
    with opened(tmp_path, {"shout.py": ONE + more, "none.py": more}) as host:
        assert names(host) == ["none", "shout", "shout:Other"]
        host.load_all()
        assert names(host) == ["shout"]
        host.refresh()
        assert names(host) == ["none", "shout"], "a file of which nothing stays gets another try"
        host.load_all()
        write(tmp_path / "plugins", {"shout.py": ONE + more.replace("(Version)", "(Shout)")})
        assert host.reload("shout").ok
        host.refresh()
        for _ in range(2):
            loaded = host.load_all(instances=False)
            assert sorted(plugin.load_type().__name__ for plugin in loaded) == ["Other", "Shout"]
            for name in host.names:
                host.unload(name)
            host.refresh()
