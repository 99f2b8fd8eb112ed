"""Plugins in a plugin manager of pluggy's, whose hook specifications have a say in every reload."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pluggy
import pytest

from plugline import Host
from plugline.integrations.pluggy import Attachment, attach

SPEC = pluggy.HookspecMarker("program")
PLUGIN = """
import pluggy

hook = pluggy.HookimplMarker("program")

@hook
def called(word):
    return "{said} " + word
"""
REFUSED = {
    "an argument that there is not": "\n@hook\ndef asked(word, nonsense):\n    pass\n",
    "a hook that there is not": "\n@hook\ndef aksed(word):\n    pass\n",
}


class Specifications:
    @SPEC
    def called(self, word: str) -> None: ...

    @SPEC(firstresult=True)
    def asked(self, word: str) -> None: ...


@pytest.fixture
def manager() -> pluggy.PluginManager:
    made = pluggy.PluginManager("program")
    made.add_hookspecs(Specifications)
    return made


@pytest.fixture
def attached(tmp_path: Path, manager: pluggy.PluginManager) -> Iterator[tuple[Host[Any], Attachment]]:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.py").write_text(PLUGIN.format(said=name))
    with Host(tmp_path) as host:
        attachment = attach(host, manager)
        yield host, attachment
        attachment.detach()


@pytest.mark.parametrize("more", REFUSED.values(), ids=REFUSED)
def test_a_version_that_the_specifications_refuse_leaves_the_old_one_in_force(
    tmp_path: Path, manager: pluggy.PluginManager, attached: tuple[Host[Any], Attachment], more: str
) -> None:
    host, attachment = attached
    (tmp_path / "b.py").write_text(PLUGIN.format(said="new") + more)
    report = host.reload("b")
    assert (report.how, report.generation) == ("refused", 1)
    assert [finding.code for finding in report.refused] == ["P404"]
    assert list(attachment.findings) == list(report.refused)
    assert manager.hook.called(word="x") == ["c x", "b x", "a x"]
    assert host["b"].load().called("x") == "b x"
    # Others go on, and do not let it be forgotten.
    (tmp_path / "a.py").write_text(PLUGIN.format(said="A"))
    assert host.reload("a").how == "grafted"
    assert list(attachment.findings) == list(report.refused)
    assert manager.hook.called(word="x") == ["c x", "b x", "A x"]
    # Mended, it is the new one, where the old one was.
    (tmp_path / "b.py").write_text(PLUGIN.format(said="new") + "\nX = 1\n")
    assert host.reload("b").how == "adopted"
    assert not attachment.findings
    assert manager.hook.called(word="x") == ["c x", "new x", "A x"]


@pytest.mark.parametrize("kind", ["(trylast=True)", "(tryfirst=True)", "(wrapper=True)"])
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_hook_that_was_another_kind_for_a_while_has_its_place_again(
    tmp_path: Path, manager: pluggy.PluginManager, attached: tuple[Host[Any], Attachment], name: str, kind: str
) -> None:
    host, attachment = attached
    text = PLUGIN.format(said=name)
    other = text.replace("@hook", f"@hook{kind}")
    if "wrapper" in kind:
        other = other.replace("return", "yield; return")
    else:
        (tmp_path / "d.py").write_text(other.replace(f'"{name} "', '"d "'))  # another of this kind, which comes later
        host.refresh()
    before = manager.hook.called(word="x")
    for version in (other, "X = 1\n" + text):
        (tmp_path / f"{name}.py").write_text(version)
        assert host.reload(name).how == "adopted"
        if version is other and "wrapper" not in kind:
            fresh = pluggy.PluginManager("program")
            fresh.add_hookspecs(Specifications)
            for plugin in ("a", "b", "c", "d"):
                fresh.register(host[plugin].load())
            assert manager.hook.called(word="x") == fresh.hook.called(word="x")
    assert manager.hook.called(word="x") == before
    assert not attachment.findings


def test_a_hook_that_is_new_comes_where_its_plugin_is(
    tmp_path: Path, manager: pluggy.PluginManager, attached: tuple[Host[Any], Attachment]
) -> None:
    host, _ = attached
    (tmp_path / "b.py").write_text("X = 1\n")
    host.reload("b")
    assert manager.hook.called(word="x") == ["c x", "a x"]
    (tmp_path / "b.py").write_text(PLUGIN.format(said="b"))
    host.reload("b")
    assert manager.hook.called(word="x") == ["c x", "b x", "a x"]


def test_a_refused_edit_that_is_taken_back_is_told_no_more(
    tmp_path: Path, manager: pluggy.PluginManager, attached: tuple[Host[Any], Attachment]
) -> None:
    host, attachment = attached
    (tmp_path / "b.py").write_text(PLUGIN.format(said="new") + REFUSED["a hook that there is not"])
    host.reload("b")
    assert [finding.code for finding in attachment.findings] == ["P404"]
    (tmp_path / "b.py").write_text(PLUGIN.format(said="b"))
    assert host.reload("b").how == "unchanged"
    assert not attachment.findings
    assert manager.hook.called(word="x") == ["c x", "b x", "a x"]


def test_a_module_of_a_package_is_held_against_the_specifications_with_it(
    tmp_path: Path, manager: pluggy.PluginManager
) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text("from .hooks import *\n")
    (tmp_path / "p" / "hooks.py").write_text(PLUGIN.format(said="p"))
    with Host(tmp_path) as host:
        attachment = attach(host, manager)
        (tmp_path / "p" / "hooks.py").write_text(PLUGIN.format(said="new") + REFUSED["an argument that there is not"])
        assert host.reload("p").how == "refused"
        assert [finding.code for finding in attachment.findings] == ["P404"]
        assert manager.hook.called(word="x") == ["p x"]
        assert manager.hook.asked(word="x") is None
        (tmp_path / "p" / "hooks.py").write_text(PLUGIN.format(said="new") + "X = 1\n")
        assert host.reload("p").how == "adopted"
        assert not attachment.findings
        assert manager.hook.called(word="x") == ["new x"]
        attachment.detach()


def test_what_is_not_registered_may_be_reloaded_into_whatever_it_likes(
    tmp_path: Path, manager: pluggy.PluginManager
) -> None:
    (tmp_path / "a.py").write_text(PLUGIN.format(said="a") + REFUSED["a hook that there is not"])
    with Host(tmp_path) as host:
        attachment = attach(host, manager)
        assert not attachment.names
        (tmp_path / "a.py").write_text(PLUGIN.format(said="b") + REFUSED["an argument that there is not"])
        assert host.reload("a").generation == 2
        assert [finding.code for finding in attachment.findings] == ["P404"]
        (tmp_path / "a.py").write_text(PLUGIN.format(said="c"))
        assert host.reload("a").generation == 3
        assert manager.hook.called(word="x") == ["c x"]
        attachment.detach()


def test_who_has_detached_has_no_say_in_reloads_any_more(
    tmp_path: Path, attached: tuple[Host[Any], Attachment]
) -> None:
    host, attachment = attached
    attachment.detach()
    (tmp_path / "b.py").write_text(PLUGIN.format(said="new") + REFUSED["a hook that there is not"])
    assert host.reload("b").how == "adopted"


class Begun:
    @SPEC(historic=True)
    def began(self, word: str) -> None: ...


BEGAN = "\n@hook\ndef began(word):\n    return said(word)\n\ndef said(word):\n    return f'began with {word}'\n"


def test_a_hook_that_a_reload_adds_is_told_what_was_called_before(
    tmp_path: Path, manager: pluggy.PluginManager, attached: tuple[Host[Any], Attachment]
) -> None:
    host, _ = attached
    manager.add_hookspecs(Begun)
    told: list[str] = []
    manager.hook.began.call_historic(told.append, {"word": "x"})
    (tmp_path / "b.py").write_text(PLUGIN.format(said="b") + BEGAN)
    host.reload("b")
    assert told == ["began with x"]
    (tmp_path / "b.py").write_text(PLUGIN.format(said="b") + BEGAN.replace("began with", "again with"))
    host.reload("b")
    assert told == ["began with x"]


def test_a_plugin_that_raises_as_it_is_registered_is_refused_and_its_neighbours_are_not(
    tmp_path: Path, manager: pluggy.PluginManager
) -> None:
    manager.add_hookspecs(Begun)
    manager.hook.began.call_historic(None, {"word": "x"})
    for name in ("a", "c"):
        (tmp_path / f"{name}.py").write_text(PLUGIN.format(said=name))
    (tmp_path / "b.py").write_text(PLUGIN.format(said="b") + BEGAN.replace("said(word)", "1 / 0", 1))
    with Host(tmp_path) as host:
        attachment = attach(host, manager)
        assert list(attachment.names) == ["a", "c"]
        (finding,) = attachment.findings
        assert (finding.code, finding.message) == (
            "P404",
            "raised ZeroDivisionError: division by zero as it was registered",
        )
        assert manager.hook.called(word="x") == ["c x", "a x"]
        (tmp_path / "c.py").write_text(PLUGIN.format(said="c") + BEGAN.replace("said(word)", "1 / 0", 1))
        host.reload("c")
        assert list(attachment.names) == ["a"]
        assert manager.hook.called(word="x") == ["a x"]
        for name in ("b", "c"):
            (tmp_path / f"{name}.py").write_text(PLUGIN.format(said=name))
            host.reload(name)
        assert attachment.findings == ()
        assert sorted(manager.hook.called(word="x")) == ["a x", "b x", "c x"]
        attachment.detach()
