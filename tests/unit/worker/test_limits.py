import os
import pickle
from pathlib import Path

import pytest

from plugline.worker.limits import Sandbox


def test_a_sandbox_that_says_nothing_grants_nothing_of_its_own() -> None:
    said = Sandbox()
    assert (said.read, said.write, said.net, said.run, said.env) == (None,) * 5
    assert repr(said) == "Sandbox()"


def test_paths_are_absolute_from_the_current_folder_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Sandbox(read=["b", tmp_path / "a", "b/"]).read == (f"{tmp_path}/a", f"{tmp_path}/b")


def test_a_sandbox_is_a_value() -> None:
    one = Sandbox(read=["/b", "/a"], env=["HOME"], net=True, memory_bytes=2**30, timeout_seconds=1.5)
    same = Sandbox(read=["/a", "/b"], env=["HOME"], net=True, memory_bytes=2**30, timeout_seconds=1.5)
    assert one == same
    assert hash(one) == hash(same)
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - its own
    with pytest.raises(AttributeError, match="immutable"):
        one.net = False


def test_its_data_and_its_repr_make_it_again() -> None:
    one = Sandbox(read=["/a"], write=[], env=["*", "HOME"], run=False, cpu_seconds=3)
    assert Sandbox(**one.to_data()) == one  # type: ignore[arg-type]  # data is as JSON has it
    assert eval(repr(one), {"Sandbox": Sandbox}) == one  # noqa: S307 - its own
    assert repr(one) == "Sandbox(read=['/a'], write=[], run=False, env=['*'], cpu_seconds=3)"


def test_what_one_leaves_unsaid_is_taken_from_the_other() -> None:
    step = Sandbox(read=[], timeout_seconds=1)
    host = Sandbox(read=["/data"], net=True, timeout_seconds=30)
    assert step.with_defaults(host) == Sandbox(read=[], net=True, timeout_seconds=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"read": "/etc"}, "read is '/etc', a list of paths was expected"),
        ({"write": True}, "write is True, a list of paths was expected"),
        ({"read": [3]}, "read holds 3, a path was expected"),
        ({"read": [b"/etc"]}, "read holds b'/etc', a path was expected"),
        ({"net": "yes"}, "net is 'yes', True or False was expected"),
        ({"run": 1}, "run is 1, True or False was expected"),
        ({"env": "HOME"}, "env is 'HOME', a list of names was expected"),
        ({"env": [None]}, "env holds None, a name was expected"),
        ({"memory_bytes": 1e9}, "memory_bytes is 1000000000.0, a whole number was expected"),
        ({"cpu_seconds": "3"}, "cpu_seconds is '3', a number was expected"),
        ({"timeout_seconds": True}, "timeout_seconds is True, a number was expected"),
    ],
)
def test_a_value_of_another_type_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(TypeError, match=message.replace("[", "\\[")):
        Sandbox(**given)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"read": [""]}, "read holds '', which is no path"),
        ({"write": ["a\0b"]}, "write holds 'a.x00b', which is no path"),
        ({"env": ["A=B"]}, "env holds 'A=B', which is no name"),
        ({"memory_bytes": 4096}, "memory_bytes is 4096, at least 33554432 was expected"),
        ({"memory_bytes": -1}, "memory_bytes is -1, at least"),
        ({"cpu_seconds": 0}, "cpu_seconds is 0, a number above 0 was expected"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds is nan, a number above 0 was expected"),
        ({"timeout_seconds": float("inf")}, "timeout_seconds is inf, a number above 0 was expected"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sandbox(**given)  # type: ignore[arg-type]  # wrong on purpose


def test_making_one_touches_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "stat", lambda *given: pytest.fail("looked at a file"))
    Sandbox(read=["/nowhere"], write=["/nowhere/else"])
