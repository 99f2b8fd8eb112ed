"""Plugins from a folder in programs that dispatch by pluggy: datasette and llm, edited while they live.

Not part of the tests' usual run, since the programs are installed for it: ``tests/integrations/run``.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pluggy
import pytest
from datasette.app import Datasette
from datasette.plugins import pm

from plugline import Host
from plugline.integrations.pluggy import Attachment, attach

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("default")]

SPEC = pluggy.HookspecMarker("program")
PLUGIN = """
import pluggy

hook = pluggy.HookimplMarker("program")

@hook
def called(word):
    return "{said} " + word
"""


@pytest.fixture(autouse=True)
def nothing_leaks() -> None:
    """Datasette leaves threads, and tests of ours are held to leave nothing elsewhere."""


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
    assert not manager.get_plugins()


def test_plugins_are_called_and_after_a_reload_in_the_same_order(
    tmp_path: Path, manager: pluggy.PluginManager, attached: tuple[Host[Any], Attachment]
) -> None:
    host, attachment = attached
    assert manager.hook.called(word="x") == ["c x", "b x", "a x"]
    for text in (PLUGIN.format(said="B"), "# a line more\n" + PLUGIN.format(said="BB") + "\nX = 1\n"):
        (tmp_path / "b.py").write_text(text)
        host.reload("b")
        said = text.partition('return "')[2].split()[0]
        assert manager.hook.called(word="x") == ["c x", f"{said} x", "a x"]
    assert attachment.findings == ()
    # A new hook comes with the new version, and goes with it.
    (tmp_path / "b.py").write_text(PLUGIN.format(said="B") + "\n@hook\ndef asked(word):\n    return word * 2\n")
    host.reload("b")
    assert manager.hook.asked(word="x") == "xx"
    assert manager.hook.called(word="x") == ["c x", "B x", "a x"]
    (tmp_path / "b.py").write_text(PLUGIN.format(said="B"))
    host.reload("b")
    assert manager.hook.asked(word="x") is None


def test_what_is_removed_or_disabled_is_unregistered(
    tmp_path: Path, manager: pluggy.PluginManager, attached: tuple[Host[Any], Attachment]
) -> None:
    host, attachment = attached
    (tmp_path / "b.py").unlink()
    host.refresh()
    assert manager.hook.called(word="x") == ["c x", "a x"]
    assert attachment.names == ("a", "c")
    (tmp_path / "d.py").write_text(PLUGIN.format(said="d"))
    host.refresh()
    assert manager.hook.called(word="x") == ["d x", "c x", "a x"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("\n@hook\ndef asked(word, nonsense):\n    pass\n", "nonsense"),
        ("\n@hook\ndef aksed(word):\n    pass\n", "asked"),
    ],
    ids=["an argument that there is not", "a hook that there is not"],
)
def test_a_plugin_is_registered_with_all_its_hooks_or_not_at_all(
    tmp_path: Path, manager: pluggy.PluginManager, attached: tuple[Host[Any], Attachment], more: str, said: str
) -> None:
    host, attachment = attached
    (tmp_path / "d.py").write_text(PLUGIN.format(said="d") + more)
    host.refresh()
    assert manager.hook.called(word="x") == ["c x", "b x", "a x"]
    assert [finding.code for finding in attachment.findings] == ["P404"]
    assert said in attachment.findings[0].message
    (tmp_path / "d.py").write_text(PLUGIN.format(said="d"))
    host.reload("d")
    assert manager.hook.called(word="x") == ["d x", "c x", "b x", "a x"]
    assert attachment.findings == ()


def test_what_the_manager_blocks_or_has_already_stays_out(tmp_path: Path, manager: pluggy.PluginManager) -> None:
    (tmp_path / "a.py").write_text(PLUGIN.format(said="a"))
    (tmp_path / "b.py").write_text(PLUGIN.format(said="b"))
    manager.set_blocked("a")
    manager.register(Specifications(), "b")
    with Host(tmp_path) as host:
        attachment = attach(host, manager)
        assert attachment.names == ()
        assert [finding.code for finding in attachment.findings] == ["P404"]
        attachment.detach()


DATASETTE = """
from datasette import hookimpl

@hookimpl
def extra_template_vars():
    return {{"motto": "{motto}"}}

@hookimpl
def prepare_connection(conn):
    conn.create_function("shout", 1, lambda text: text.upper() + "{mark}")
"""


def test_datasette_takes_plugins_from_a_folder_and_they_are_edited_live(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    plugin = tmp_path / "plugins" / "shout.py"
    plugin.write_text(DATASETTE.format(motto="one", mark="!"))
    (tmp_path / "plugins" / "broken.py").write_text("def f(:\n")

    def shouted() -> Any:
        async def ask() -> Any:
            site = Datasette(memory=True)
            answer = await site.client.get("/_memory.json?sql=select+shout('ada')&_shape=arrays")
            if answer.status_code != 200:
                answer = await site.client.get("/_memory/-/query.json?sql=select+shout('ada')&_shape=arrays")
            return answer.json()["rows"][0][0]

        return asyncio.run(ask())

    with Host(tmp_path / "plugins") as host:
        attachment = attach(host, pm)
        try:
            assert shouted() == "ADA!"
            plugin.write_text(DATASETTE.format(motto="two", mark="?!"))
            host.reload("shout")
            assert shouted() == "ADA?!"
            plugin.write_text("1 / 0\n")
            assert host.reload("shout").how == "refused"
            assert shouted() == "ADA?!"
        finally:
            attachment.detach()
    with pytest.raises((KeyError, sqlite3.OperationalError)):
        shouted()


LLM = """
import llm

@llm.hookimpl
def register_models(register):
    register(Echo())

class Echo(llm.Model):
    model_id = "{name}"

    def execute(self, prompt, stream, response, conversation=None):
        return ["{name}: " + prompt.prompt]
"""


def test_llm_takes_models_from_a_folder_and_they_are_edited_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "user"))
    import llm
    from llm.plugins import load_plugins
    from llm.plugins import pm as llm_manager

    load_plugins()
    (tmp_path / "plugins").mkdir()
    plugin = tmp_path / "plugins" / "echo.py"
    plugin.write_text(LLM.format(name="echo-one"))
    with Host(tmp_path / "plugins") as host:
        attachment = attach(host, llm_manager)
        try:
            assert llm.get_model("echo-one").prompt("hello").text() == "echo-one: hello"
            plugin.write_text(LLM.format(name="echo-two"))
            assert host.reload("echo").ok
            assert llm.get_model("echo-two").prompt("hello").text() == "echo-two: hello"
            with pytest.raises(llm.UnknownModelError):
                llm.get_model("echo-one")
        finally:
            attachment.detach()
    with pytest.raises(llm.UnknownModelError):
        llm.get_model("echo-two")
