"""What plugins say of one another: requires, after, priority."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as some

from plugline import Host, LoadError, PluginRejected
from plugline.discovery.spec import PluginSpec
from plugline.findings import Place
from plugline.host.order import put_in_order
from tests.plugin_folders import write

PLUGIN = "def name():\n    return __name__.rpartition('.')[2]\n"


def plugin(*, top: str = "", **said: object) -> str:
    """Return the source of a plugin that says these things in constants."""
    lines = "".join(f"{constant} = {value!r}\n" for constant, value in said.items())
    return f"{lines}{top}\n{PLUGIN}"


def made(folder: Path, **sources: str) -> Host[object]:
    write(folder / "plugins", {f"{name}.py": text for name, text in sources.items()})
    return Host(folder / "plugins", interface=["name"])


def findings(host: Host[object]) -> dict[str, list[str]]:
    return {one.name: [f"{found.code} {found.message}" for found in one.findings] for one in host.rejected}


def test_a_plugin_comes_after_what_it_requires_and_is_called_after_it(tmp_path: Path) -> None:
    with made(tmp_path, a=plugin(REQUIRES=["c"]), b=plugin(), c=plugin(REQUIRES=["d"]), d=plugin()) as host:
        assert host.names == ("b", "d", "c", "a")
        assert [one.name for one in host] == ["b", "d", "c", "a"]
        assert list(host.call_all("name").results) == ["b", "d", "c", "a"]
        assert [one.name for one in host.load_all()] == ["b", "d", "c", "a"]


def test_a_block_says_it_as_well_and_goes_before_constants(tmp_path: Path) -> None:
    block = "# /// script\n# [tool.plugline]\n# requires = ['b']\n# priority = 3\n# ///\n"
    with made(tmp_path, a=block + plugin(REQUIRES=["absent"], PRIORITY=1), b=plugin()) as host:
        spec = host["a"].spec
        assert (spec.requires, spec.after, spec.priority) == (("b",), (), 3)
        assert host.names == ("b", "a")


def test_the_higher_priority_comes_first_then_the_name(tmp_path: Path) -> None:
    with made(
        tmp_path, a=plugin(PRIORITY=-1), b=plugin(), c=plugin(PRIORITY=10), d=plugin(PRIORITY=10), e=plugin()
    ) as host:
        assert host.names == ("c", "d", "b", "e", "a")


def test_a_priority_does_not_go_before_a_requirement(tmp_path: Path) -> None:
    with made(tmp_path, a=plugin(PRIORITY=9, AFTER=["z"]), b=plugin(PRIORITY=5), z=plugin()) as host:
        assert host.names == ("b", "z", "a")


def test_after_needs_nobody(tmp_path: Path) -> None:
    with made(tmp_path, a=plugin(AFTER=["absent", "b"]), b=plugin()) as host:
        assert host.names == ("b", "a")
        assert host.rejected == ()
        host["a"].load()
        assert host["b"].state == "found"


def test_loading_a_plugin_loads_what_it_requires_first(tmp_path: Path) -> None:
    note = f"with open({str(tmp_path / 'loaded')!r}, 'a') as file:\n    file.write(__name__ + ' ')"
    sources = {
        "a": plugin(REQUIRES=["b", "c"], top=note),
        "b": plugin(REQUIRES=["c"], top=note),
        "c": plugin(top=note),
        "d": plugin(top=note),
    }
    with made(tmp_path, **sources) as host:
        host["a"].load()
        assert (tmp_path / "loaded").read_text() == "plugins.c plugins.b plugins.a "
        assert [one.name for one in host["a"].needs] == ["b", "c"]


def test_a_requirement_that_is_not_there_is_a_finding_with_the_nearest_name(tmp_path: Path) -> None:
    with made(tmp_path, lower=plugin(REQUIRES=["uper"], VERSION="1"), upper=plugin()) as host:
        assert host.names == ("upper",)
        (rejected,) = host.rejected
        (found,) = rejected.findings
        assert (found.code, found.message) == ("P112", "requires the plugin 'uper', which is not there")
        assert found.hint == "did you mean 'upper'? known plugins are upper"
        assert found.place == Place(str(tmp_path / "plugins/lower.py"), 1)
        with pytest.raises(PluginRejected, match="P112"):
            host["lower"]


def test_a_requirement_that_was_rejected_is_a_finding_on_each_that_leads_to_it(tmp_path: Path) -> None:
    with made(
        tmp_path, a=plugin(REQUIRES=["b"]), b=plugin(REQUIRES=["c"]), c="", d=plugin(REQUIRES=["a", "x"])
    ) as host:
        assert host.names == ()
        assert findings(host) == {
            "a": ["P113 requires the plugin 'b', which was rejected"],
            "b": ["P113 requires the plugin 'c', which was rejected"],
            "c": ["P201 missing functions ['name']"],
            "d": [
                "P112 requires the plugin 'x', which is not there",
                "P113 requires the plugin 'a', which was rejected",
            ],
        }


@pytest.mark.parametrize(("first", "second"), [("REQUIRES", "REQUIRES"), ("AFTER", "REQUIRES"), ("AFTER", "AFTER")])
def test_a_cycle_is_printed_at_each_of_its_plugins_and_others_go_on(first: str, second: str, tmp_path: Path) -> None:
    with made(
        tmp_path,
        a=f"VERSION = '1'\n{first} = ['b']\n{PLUGIN}",
        b=f"{second} = ['a']\n{PLUGIN}",
        c=plugin(),
        d=plugin(REQUIRES=["a"]),
    ) as host:
        assert host.names == ("c",)
        found = {one.name: one.findings[0] for one in host.rejected}
        assert [found[name].code for name in "abd"] == ["P114", "P114", "P113"]
        assert all("a -> b -> a" in found[name].message for name in "ab")
        assert [found[name].place.line for name in "ab"] == [2, 1]


def test_a_plugin_that_requires_itself_is_a_cycle_of_one(tmp_path: Path) -> None:
    with made(tmp_path, a=plugin(REQUIRES=["a"])) as host:
        assert findings(host) == {"a": ["P114 requires 'a', which leads back to it: a -> a"]}


def test_each_of_several_cycles_is_found(tmp_path: Path) -> None:
    ring = {"a": "b", "b": "c", "c": "a", "x": "y", "y": "x"}
    with made(tmp_path, **{name: plugin(REQUIRES=[needed]) for name, needed in ring.items()}) as host:
        told = findings(host)
        assert sorted(told) == ["a", "b", "c", "x", "y"]
        assert all("a -> b -> c -> a" in told[name][0] for name in "abc")
        assert all("x -> y -> x" in told[name][0] for name in "xy")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("REQUIRES = 'b'", "REQUIRES is 'b', a list such as ['b'] was expected"),
        ("AFTER = [1]", "AFTER is [1], a list of names of plugins was expected"),
        ("PRIORITY = 'high'", "PRIORITY is 'high', a whole number was expected"),
        ("PRIORITY = True", "PRIORITY is True, a whole number was expected"),
        ("# /// script\n# [tool.plugline]\n# after = 3\n# ///", "'after' in [tool.plugline] is 3, a list of names of"),
    ],
)
def test_what_is_said_wrongly_is_a_finding_at_its_line(said: str, message: str, tmp_path: Path) -> None:
    with made(tmp_path, a=f"{said}\n{PLUGIN}", b=plugin()) as host:
        (rejected,) = host.rejected
        assert rejected.findings[0].message.startswith(message)
        assert (rejected.findings[0].code, rejected.findings[0].place.line) == ("P109", 1)


def test_a_requirement_that_fails_to_load_keeps_its_dependents_from_loading(tmp_path: Path) -> None:
    with made(tmp_path, a=plugin(REQUIRES=["b"], top="print(1 / 0)"), b=plugin(top="1 / 0"), c=plugin()) as host:
        with pytest.raises(LoadError, match="requires the plugin 'b', which could not be loaded"):
            host["a"].load()
        assert host["c"].load() is not None
        assert host.names == ("c",)
        assert sorted(findings(host)) == ["a", "b"]


def test_a_requirement_that_declines_is_named_with_its_reason(tmp_path: Path) -> None:
    top = "def available():\n    return 'no display'\n"
    with made(tmp_path, a=plugin(REQUIRES=["b"]), b=plugin(top=top)) as host:
        host.load_all()
        assert findings(host) == {"a": ["P113 requires the plugin 'b', which declined: no display"]}


def test_a_requirement_that_was_mended_lets_its_dependents_load_after_a_refresh(tmp_path: Path) -> None:
    with made(tmp_path, a=plugin(REQUIRES=["b"]), b=plugin(top="1 / 0"), c=plugin(REQUIRES=["d"])) as host:
        host.load_all()
        assert sorted(findings(host)) == ["a", "b", "c"]
        write(tmp_path / "plugins", {"b.py": plugin(), "d.py": plugin()})
        host.refresh()
        assert [one.name for one in host.load_all()] == ["b", "a", "d", "c"]


class Base:
    """What the plugins below derive from."""


CLASSES = "from tests.unit.host.test_order import Base\n{top}\nclass One(Base): ...\nclass Two(Base): ...\n"


@pytest.mark.parametrize("way", ["reloaded", "unloaded", "listed"])
def test_what_an_edited_plugin_requires_now_is_loaded_before_it(tmp_path: Path, way: str) -> None:
    needing = "import sys\nassert __name__.rpartition('.')[0] + '.b' in sys.modules\n"
    with made(tmp_path, a=plugin(), b=plugin(), c=plugin(top="raise ValueError")) as host:
        assert host.names == ("a", "b", "c")
        if way != "listed":
            host["a"].load()
        if way == "unloaded":
            host.unload("a")
        write(tmp_path / "plugins", {"a.py": plugin(REQUIRES=["b"], top=needing)})
        if way == "reloaded":
            assert host.reload("a").ok
        host["a"].load()
        assert host["b"].state == "loaded"
        write(tmp_path / "plugins", {"a.py": plugin(REQUIRES=["c"], top=needing)})
        report = host.reload("a")
        assert [finding.message for finding in report.refused] == ["requires the plugin 'c', which could not be loaded"]


@pytest.mark.parametrize("is_loaded", [True, False])
def test_a_plugin_whose_requirements_are_mended_is_used_after_a_reload(tmp_path: Path, is_loaded: bool) -> None:  # noqa: FBT001 - a parameter
    first = plugin() if is_loaded else plugin(REQUIRES=["absent"])
    with made(tmp_path, a=first, b=plugin()) as host:
        host.load_all()
        if is_loaded:
            write(tmp_path / "plugins", {"a.py": plugin(REQUIRES=["absent"])})
            assert host.reload("a").ok
        assert findings(host) == {"a": ["P112 requires the plugin 'absent', which is not there"]}
        write(tmp_path / "plugins", {"a.py": plugin(REQUIRES=["b"])})
        assert host.reload("a").ok
        assert host.names == ("b", "a")
        assert [one.name for one in host["a"].needs] == ["b"]
        assert not host.rejected


def test_what_could_not_be_loaded_for_want_of_another_stays_so_when_classes_are_found(tmp_path: Path) -> None:
    write(
        tmp_path / "plugins",
        {
            "a.py": CLASSES.format(top="raise ValueError"),
            "b.py": CLASSES.format(top="REQUIRES = ['a']"),
            "c.py": CLASSES.format(top=""),
        },
    )
    with Host(tmp_path / "plugins", interface=Base) as host:
        assert [one.name for one in host.load_all()] == ["c:One", "c:Two"]
        assert {one.name for one in host.rejected} == {"a:One", "b:One", "b:Two"}


def test_what_an_edited_plugin_requires_now_is_loaded_before_its_new_worker(tmp_path: Path) -> None:
    files = {"a.py": plugin(), "b.py": plugin(), "c.py": plugin(top="raise ValueError")}
    with Host(write(tmp_path / "plugins", files), isolation="process") as host:
        host["a"].load()
        write(tmp_path / "plugins", {"a.py": plugin(REQUIRES=["b"])})
        assert host.reload("a").ok
        assert host["b"].state == "loaded"
        write(tmp_path / "plugins", {"a.py": plugin(REQUIRES=["c"])})
        report = host.reload("a")
        assert [finding.message for finding in report.refused] == ["requires the plugin 'c', which could not be loaded"]
        assert host["a"].generation == 2


def test_a_files_name_means_all_of_its_classes_and_they_do_not_wait_for_each_other(tmp_path: Path) -> None:
    write(
        tmp_path / "plugins",
        {
            "a.py": CLASSES.format(top="REQUIRES = ['z']"),
            "z.py": CLASSES.format(top="AFTER = ['z:One']"),
            "b.py": CLASSES.format(top="REQUIRES = ['z:Two']"),
        },
    )
    with Host(tmp_path / "plugins", interface=Base) as host:
        assert host.names == ("z:One", "z:Two", "a:One", "a:Two", "b:One", "b:Two")
        assert [one.name for one in host["a:One"].needs] == ["z:One", "z:Two"]


def test_a_carried_processor_finds_what_it_requires_of_its_folder(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "plugins/a.py": "REQUIRES = ['z']\nfrom . import z\ndef transform(r): return {**r, 'z': z.LOADED}\ndef describe(): return 'a'\n",
            "plugins/z.py": "LOADED = True\ndef transform(r): return r\ndef describe(): return 'z'\n",
            "in.ndjson": '{"n": 1}\n',
        },
    )
    done = subprocess.run(
        [sys.executable, "-m", "plugline", "run", "--use", "a", "in.ndjson"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b'{"n":1,"z":true}\n'), done.stderr


def test_graphlib_is_imported_only_where_a_plugin_says_something_of_another(tmp_path: Path) -> None:
    script = """
        import sys
        from plugline import Host
        host = Host("plugins", interface=["name"])
        print(host.names, "graphlib" in sys.modules)
        """
    for said, loaded in (("", False), ("PRIORITY = 2\n", False), ("AFTER = ['b']\n", True)):
        write(tmp_path / "plugins", {"a.py": said + PLUGIN, "b.py": PLUGIN})
        done = subprocess.run([sys.executable, "-c", dedent(script)], cwd=tmp_path, capture_output=True, check=True)
        assert done.stdout.decode().split()[-1] == str(loaded)


def a_spec(name: str, requires: tuple[str, ...], after: tuple[str, ...], priority: int) -> PluginSpec:
    place = Place(f"{name}.py")
    return PluginSpec(name, None, "", None, None, (), place, "", name, None, {}, None, requires, after, priority)


NAMES = some.sampled_from("abcdef")
SPECS = some.dictionaries(
    NAMES,
    some.tuples(
        some.lists(NAMES, max_size=2).map(tuple), some.lists(NAMES, max_size=2).map(tuple), some.integers(-1, 1)
    ),
)


@given(SPECS, some.randoms(use_true_random=False))
def test_the_order_keeps_what_is_said_and_does_not_depend_on_the_order_of_finding(
    said: dict[str, tuple[tuple[str, ...], tuple[str, ...], int]], random: some.DataObject
) -> None:
    specs = {name: a_spec(name, *rest) for name, rest in said.items()}
    order = put_in_order(specs, {})
    assert sorted([*order.names, *order.findings]) == sorted(specs)
    for at, name in enumerate(order.names):
        assert set(specs[name].requires) <= set(order.names[:at])
        assert not set(specs[name].after) & set(order.names[at:])
    shuffled = list(specs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert put_in_order({name: specs[name] for name in shuffled}, {}) == order
