"""An edit that gives a class other bases: whoever has the class, or an instance, has the new definition, or nothing has changed."""

import abc
import collections.abc
import operator
from pathlib import Path
from typing import Any

import pytest

from plugline import Host
from plugline.reloading.classes import adopt
from plugline.reloading.plan import Plan

PLAIN = "class D:\n    a = 1\n"
HEAD = "import abc, dataclasses, typing\nT = typing.TypeVar('T')\nclass Bare:\n    __slots__ = ()\nclass Full: ...\n"
BODIES = {
    "plain": PLAIN,
    "abstract": "class D(abc.ABC):\n    a = 1\n",
    "generic": "class D(typing.Generic[T]):\n    a = 1\n",
    "protocol": "class D(typing.Protocol):\n    a = 1\n",
    "of one without a dict": "class D(Bare):\n    a = 1\n",
    "of one with a dict": "class D(Full):\n    a = 1\n",
    "of both": "class D(Bare, Full):\n    a = 1\n",
    "of both, otherwise": "class D(Full, Bare):\n    a = 1\n",
    "abstract and generic": "class D(abc.ABC, typing.Generic[T]):\n    a = 1\n",
}


def shape(kind: type) -> list[object]:
    """Return what shows of a class, by the names of what it is made of."""
    return [type(kind), *(one.__name__ for one in (*kind.__mro__, kind.__base__, *kind.__bases__) if one is not None)]


def written(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "x.py").write_text(HEAD + text)
    return folder


@pytest.mark.parametrize("after", BODIES)
@pytest.mark.parametrize("before", BODIES)
def test_a_class_gets_other_bases_and_stays_the_class(before: str, after: str, tmp_path: Path) -> None:
    with Host(written(tmp_path / "cold", BODIES[after])) as host:
        module: Any = host["x"].load()
        expected = shape(module.D)
    with Host(written(tmp_path / "plugins", BODIES[before])) as host:
        module = host["x"].load()
        held = module.D
        first = shape(held)
        instance = held() if before != "protocol" else None
        for text, wanted in ((after, expected), (before, first), (after, expected)):
            written(tmp_path / "plugins", BODIES[text] + f"    b = {text!r}\n")
            report = host.reload("x")
            assert report.how in {"adopted", "unchanged"}, str(report)
            assert report.lost == ()
            assert module.D is held
            assert shape(held) == wanted
            assert held.b == text
            assert issubclass(held, abc.ABC) == ("abc.ABC" in BODIES[text])
            if instance is not None:
                assert (type(instance), instance.b) == (held, text)
                assert isinstance(instance, abc.ABC) == ("abc.ABC" in BODIES[text])


def test_a_commit_that_fails_later_leaves_bases_and_metaclasses_as_they_were() -> None:
    class Bare:
        __slots__ = ()

    class Full: ...

    def version() -> dict[str, type]:
        kinds: dict[str, tuple[type, ...]] = {"a": (), "b": (abc.ABC,), "c": (Full,), "d": (Bare, Full), "e": (Bare,)}
        return {
            name: abc.ABCMeta(name, bases, {}) if name == "b" else type(name, bases, {})
            for name, bases in kinds.items()
        }

    olds, news = version(), version()
    shapes = {name: shape(one) for name, one in olds.items()}
    after = {"a": "b", "b": "a", "c": "d", "d": "e", "e": "c"}
    plan = Plan()
    for name, old in olds.items():
        adopt(old, news[after[name]], lambda one: one, lambda *_: False, lambda *_: False, plan, None)
    plan.add((operator.truediv, 1, 0))
    with pytest.raises(ZeroDivisionError):
        plan.run()
    assert {name: shape(one) for name, one in olds.items()} == shapes
    assert [issubclass(one, abc.ABC) for one in olds.values()] == [False, True, False, False, False]


def test_abstract_classes_see_methods_that_came_and_went(tmp_path: Path) -> None:
    with Host(written(tmp_path / "plugins", PLAIN)) as host:
        module: Any = host["x"].load()
        one = module.D()
        for text in (PLAIN, PLAIN + "    def __len__(self): return 3\n", PLAIN):
            written(tmp_path / "plugins", text)
            assert host.reload("x").ok
            assert isinstance(one, collections.abc.Sized) == ("__len__" in text)


def test_the_report_tells_of_bases_and_attributes(tmp_path: Path) -> None:
    before = PLAIN + "    old = 1\n    @classmethod\n    def make(cls): return 1\nclass E: ...\none = D()\n"
    after = before.replace("D:", "D(Full):").replace("a = 1", "a = 2\n    new = 1").replace("    old = 1\n", "")
    with Host(written(tmp_path / "plugins", before)) as host:
        host["x"].load()
        written(tmp_path / "plugins", after.replace("return 1", "return 2"))
        report = host.reload("x")
        assert (report.added, set(report.changed), report.removed) == (("D.new",), {"D", "D.a", "D.make"}, ("D.old",))


def test_a_base_stops_being_abstract_while_what_derives_from_it_gets_another_base(tmp_path: Path) -> None:
    before = "class B(abc.ABC): ...\nclass D(B):\n    a = 1\n"
    after = "class B: ...\nclass D(B, Full):\n    a = 2\n"
    with Host(written(tmp_path / "plugins", before)) as host:
        module: Any = host["x"].load()
        one = module.D()
        for text, is_abstract in ((after, False), (before, True), (after, False)):
            assert isinstance(one, abc.ABC) != is_abstract
            written(tmp_path / "plugins", text)
            report = host.reload("x")
            assert report.how == "adopted", str(report)
            assert (isinstance(one, abc.ABC), issubclass(module.B, abc.ABC)) == (is_abstract, is_abstract)


def test_odd_names_and_members_in_a_class_are_no_matter_to_the_report(tmp_path: Path) -> None:
    text = "D = type('D', (), {'': 1, '_member_map_': 7, 'a': VALUE, '__module__': __name__})\n"
    with Host(written(tmp_path / "plugins", text.replace("VALUE", "1"))) as host:
        module: Any = host["x"].load()
        written(tmp_path / "plugins", text.replace("VALUE", "2"))
        report = host.reload("x")
        assert (report.how, report.changed, module.D.a) == ("adopted", ("D.a",), 2), str(report)


def test_the_report_asks_no_value_for_its_dict(tmp_path: Path) -> None:
    text = "class D:\n    a = VALUE\n    @property\n    def __dict__(self): raise ZeroDivisionError\none = D()\n"
    with Host(written(tmp_path / "plugins", text.replace("VALUE", "1"))) as host:
        host["x"].load()
        written(tmp_path / "plugins", text.replace("VALUE", "2"))
        report = host.reload("x")
        assert (report.how, report.changed) == ("adopted", ("D.a",)), str(report)
