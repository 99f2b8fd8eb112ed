"""Plugins that are not wanted: disabled, left out, safe mode."""

import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent

import pytest

from plugline import Host, PluginRejected, load_path
from plugline.cli import main
from plugline.errors import ConfigurationError, PluginDisabled
from tests.plugin_folders import write

PLUGIN = "def add(text):\n    return text + __name__.rpartition('.')[2]\n"


def made(folder: Path, *names: str, **sources: str) -> Path:
    files = {f"{name}.py": PLUGIN for name in names} | {f"{name}.py": text for name, text in sources.items()}
    return write(folder / "plugins", files)


def opened(folder: Path, **options: object) -> Host[object]:
    return Host(folder, interface=["add"], **options)  # type: ignore[call-overload, no-any-return]


def state_of(host: Host[object], name: str) -> str:
    return host[name].state


def names(host: Host[object]) -> list[str]:
    return list(host.names)


def states(host: Host[object]) -> dict[str, str]:
    return {plugin.name: plugin.state for plugin in host.plugins}


def test_a_disabled_plugin_stays_out_of_everything_and_stays_listed(tmp_path: Path) -> None:
    with opened(made(tmp_path, "a", "b", "c")) as host:
        host.disable("b")
        assert names(host) == ["a", "c"]
        assert states(host) == {"a": "found", "c": "found", "b": "disabled"}
        assert host.chain("add")("-") == "-ac"
        assert list(host.call_all("add", "-").results) == ["a", "c"]
        assert host.first("add", "-") == "-a"
        assert [plugin.name for plugin in host.load_all()] == ["a", "c"]
        assert "b" not in host
        assert host["b"].state == "disabled"
        assert host.rejected == ()
        (finding,) = host.disabled["b"].findings
        assert (finding.code, finding.place.path) == ("P116", str(tmp_path / "plugline.toml"))
        assert finding.hint == f"plugline enable b --plugins {tmp_path / 'plugins'}"
        for ask in (host["b"].load, lambda: host["b"].function("add"), lambda: host.chain("add", only=["b"])):
            with pytest.raises(PluginDisabled, match="is disabled"):
                ask()


def test_it_is_kept_for_the_next_host_and_the_next_program(tmp_path: Path) -> None:
    folder = made(tmp_path, "a", "b")
    with opened(folder) as host:
        host.disable("b")
    with opened(folder) as host:
        assert names(host) == ["a"]
        script = "from plugline import Host; print(Host('plugins', interface=['add']).names)"
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=True)
        assert done.stdout == b"('a',)\n"
        host.enable("b")
        assert names(host) == ["a", "b"]
        assert host["b"].load().add("") == "b"  # type: ignore[attr-defined]
    with opened(folder) as host:
        assert names(host) == ["a", "b"]


def test_a_warm_listing_that_asks_for_one_plugin_minds_what_is_disabled(tmp_path: Path) -> None:
    folder = made(tmp_path, "a", "b")
    with opened(folder) as host:
        assert len(host) == 2
        host.disable("b")
    with opened(folder) as host:
        assert host["b"].state == "disabled"
    with opened(folder) as host, pytest.raises(PluginDisabled):
        host["b"].load()


def test_what_a_disabled_plugin_gave_out_stays_usable(tmp_path: Path) -> None:
    with opened(made(tmp_path, "a")) as host:
        handle, module = host["a"], host["a"].load()
        host.disable("a")
        assert module.add("-") == "-a"  # type: ignore[attr-defined]
        assert (handle.state, handle.generation) == ("disabled", 1)
        host.enable("a")
        assert host["a"] is handle
        assert handle.load() is module


def test_functions_that_were_built_before_follow_from_the_next_call_on(tmp_path: Path) -> None:
    with opened(made(tmp_path, "a", "b", "c")) as host:
        every, some, one = host.chain("add"), host.chain("add", only=["c", "b", "c"]), host["b"].function("add")
        assert (every("-"), some("-"), one("-")) == ("-abc", "-cbc", "-b")
        host.disable("b")
        assert (every("-"), some("-"), list(host.call_all("add", "-").results)) == ("-ac", "-cc", ["a", "c"])
        with pytest.raises(Exception, match="'b' is disabled"):
            one("-")
        host.enable("b")
        assert (every("-"), some("-"), one("-")) == ("-abc", "-cbc", "-b")
        assert list(host.call_all("add", "-").results) == ["a", "b", "c"]


def test_functions_that_were_built_before_follow_a_refresh_that_finds_plugins_disabled_elsewhere(
    tmp_path: Path,
) -> None:
    with (
        opened(made(tmp_path, "a", "b", c=f"REQUIRES = ['a']\n{PLUGIN}")) as host,
        opened(tmp_path / "plugins") as other,
    ):
        every, one = host.chain("add"), host["a"].function("add")
        assert every("-") == "-abc"
        other.disable("a")
        host.refresh()
        assert every("-") == "-b"
        with pytest.raises(Exception, match="'a' is disabled"):
            one("-")
        other.enable("a")
        host.refresh()
        assert (every("-"), one("-")) == ("-abc", "-a")


def test_functions_that_were_built_before_call_a_plugin_whose_file_came_back(tmp_path: Path) -> None:
    with opened(made(tmp_path, "a", "b")) as host:
        every, some, one = host.chain("add"), host.chain("add", only=["b"]), host["b"].function("add")
        (tmp_path / "plugins" / "b.py").unlink()
        host.refresh()
        assert (every("-"), names(host)) == ("-ab", ["a"])
        (tmp_path / "plugins" / "b.py").write_text("def add(text):\n    return text + 'new'\n")
        host.refresh()
        assert (every("-"), some("-"), one("-")) == ("-anew", "-new", "-new")


def test_functions_that_were_built_before_call_the_plugins_of_a_folder_that_came_back(tmp_path: Path) -> None:
    with opened(made(tmp_path, "a")) as host:
        chain = host.chain("add")
        (tmp_path / "plugins").rename(tmp_path / "away")
        host.refresh()
        assert (chain("-"), names(host)) == ("-a", [])
        (tmp_path / "away").rename(tmp_path / "plugins")
        (tmp_path / "plugins" / "a.py").write_text("def add(text):\n    return text + 'new'\n")
        host.refresh()
        assert chain("-") == "-new"


def test_a_plugin_that_was_disabled_when_a_chain_was_built_comes_in_at_its_place(tmp_path: Path) -> None:
    folder = made(tmp_path, "a", "c", b=f"PRIORITY = 5\n{PLUGIN}")
    with opened(folder) as host:
        host.disable("b")
        chain, only = host.chain("add"), host.chain("add", only=["c"])
        assert chain("-") == "-ac"
        host.enable("b")
        assert (chain("-"), only("-")) == ("-bac", "-c")


def test_a_rejected_plugin_can_be_disabled_and_is_told_of_no_more(tmp_path: Path) -> None:
    with opened(made(tmp_path, "a", bad="x = (")) as host:
        assert [rejected.name for rejected in host.rejected] == ["bad"]
        host.disable("bad")
        assert host.rejected == ()
        assert host.disabled["bad"].place.path.endswith("bad.py")
        with pytest.raises(PluginDisabled):
            host["bad"]
        host.enable("bad")
        with pytest.raises(PluginRejected, match="P106"):
            host["bad"]


def test_a_name_that_no_plugin_has_is_kept_and_told(tmp_path: Path) -> None:
    folder = made(tmp_path, "upper")
    with opened(folder) as host:
        host.disable("uper")
        (finding,) = host.findings
        assert (finding.code, finding.severity) == ("P117", "warning")
        assert "did you mean 'upper'" in (finding.hint or "")
        assert list(host.unknown) == ["uper"]
        write(folder, {"uper.py": PLUGIN})
        host.refresh()
        assert (names(host), host.findings) == (["upper"], ())


def test_a_name_that_a_plugin_of_a_folder_beside_has_is_not_told(tmp_path: Path) -> None:
    folder = made(tmp_path, "upper")
    write(tmp_path / "more", {"lower.py": PLUGIN, "score/__init__.py": PLUGIN})
    (tmp_path / "plugline.toml").write_text('disabled = ["lower", "score:Best", "", "a/b"]\n', encoding="utf-8")
    with opened(folder) as host:
        assert list(host.unknown) == ["", "a/b"]


def test_what_requires_a_disabled_plugin_cannot_be_used_until_it_is_enabled(tmp_path: Path) -> None:
    with opened(made(tmp_path, "b", a=f"REQUIRES = ['b']\n{PLUGIN}")) as host:
        handle, chain = host["a"], host.chain("add")
        host.disable("b")
        assert handle.state == "rejected"
        assert [finding.message for finding in handle.findings] == ["requires the plugin 'b', which is disabled"]
        assert chain("-") == "-"
        with pytest.raises(PluginRejected, match="P113"):
            handle.load()
        host.enable("b")
        assert chain("-") == "-ba"
        assert state_of(host, "a") == "loaded"


def test_the_requirements_of_a_disabled_plugin_are_of_no_interest(tmp_path: Path) -> None:
    with opened(made(tmp_path, a=f"REQUIRES = ['absent']\n{PLUGIN}")) as host:
        host.disable("a")
        assert (host.rejected, states(host)) == ((), {"a": "disabled"})


class Base:
    """What the classes below derive from."""


def test_the_name_of_a_file_disables_all_of_its_classes(tmp_path: Path) -> None:
    text = "from tests.unit.host.test_disabling import Base\nclass One(Base): ...\nclass Two(Base): ...\n"
    with Host(write(tmp_path / "plugins", {"a.py": text}), interface=Base) as host:
        host.disable("a:One")
        assert names(host) == ["a:Two"]
        host.disable("a")
        assert (names(host), sorted(host.disabled), host.findings) == ([], ["a:One", "a:Two"], ())
        assert [plugin.name for plugin in host.load_all()] == []
        host.enable("a:Two")
        assert (names(host), list(host.disabled)) == (["a:Two"], ["a:One"])
        host.enable("a")
        assert names(host) == ["a:One", "a:Two"]


class Settings:
    """A host's own settings."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def disabled(self) -> Iterable[str]:
        return sorted(self.names)

    def set_disabled(self, name: str, *, disabled: bool) -> None:
        (self.names.add if disabled else self.names.discard)(name)


def test_a_host_may_keep_it_itself(tmp_path: Path) -> None:
    settings = Settings("a")
    with opened(made(tmp_path, "a", "b"), store=settings) as host:
        assert names(host) == ["b"]
        host.disable("b")
        host.enable("a")
        assert (settings.names, names(host)) == ({"b"}, ["a"])
        assert host["b"].findings[0].hint == "host.enable('b')"
    assert not (tmp_path / "plugline.toml").exists()


def test_without_a_store_it_holds_for_the_host_alone(tmp_path: Path) -> None:
    folder = made(tmp_path, "a")
    with opened(folder, store=None) as host:
        host.disable("a")
        assert names(host) == []
    with opened(folder, store=None) as host:
        assert names(host) == ["a"]
    assert not (tmp_path / "plugline.toml").exists()


def test_a_file_of_its_own_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "state" / "off.toml"
    path.parent.mkdir()
    with opened(made(tmp_path, "a", "b"), store=path) as host:
        host.disable("a")
        assert path.read_text().endswith('disabled = ["a"]\n')
    with opened(tmp_path / "plugins", store=str(path)) as host:
        assert names(host) == ["b"]


def test_a_file_that_cannot_be_understood_disables_all_and_says_so(tmp_path: Path) -> None:
    folder = made(tmp_path, "a")
    (tmp_path / "plugline.toml").write_text("disabled = [")
    with opened(folder) as host:
        assert names(host) == []
        assert [finding.code for finding in host.findings] == ["P115"]
        assert "may be disabled" in host.disabled["a"].findings[0].message
        with pytest.raises(ConfigurationError):
            host.enable("a")
        (tmp_path / "plugline.toml").write_text("")
        host.refresh()
        assert names(host) == ["a"]


# ---- safe mode


def test_a_host_without_plugins_lists_them_and_uses_none(tmp_path: Path) -> None:
    with opened(made(tmp_path, "a", bad="x = ("), plugins=False) as host:
        assert (names(host), host.rejected, len(host), host.load_all()) == ([], (), 0, [])
        assert states(host) == {"a": "disabled"}
        assert sorted(host.disabled) == ["a", "bad"]
        assert host.chain("add")("-") == "-"
        host.disable("a")
    with opened(tmp_path / "plugins") as host:
        assert states(host) == {"a": "disabled"}


def test_only_the_named_plugins_are_used_with_what_they_require(tmp_path: Path) -> None:
    folder = made(tmp_path, "b", "c", a=f"REQUIRES = ['b']\n{PLUGIN}", bad="x = (")
    with opened(folder, only=["a"]) as host:
        assert names(host) == ["b", "a"]
        assert (host.rejected, host.findings) == ((), ())
        assert host["c"].state == "disabled"
        host.enable("c")
        assert host["c"].state == "disabled"
    with opened(folder, only=["a", "bda"]) as host:
        (finding,) = host.findings
        assert (finding.code, finding.is_error) == ("P117", True)
        assert "did you mean 'bad'" in (finding.hint or "")
    with opened(folder, only=[]) as host:
        assert names(host) == []
    with pytest.raises(TypeError, match=r"only=\['a'\]"):
        opened(folder, only="a")
    with opened(folder) as host, pytest.raises(TypeError, match=r"only=\['a'\]"):
        host.chain("add", only="a")


def test_the_named_plugins_may_be_given_by_what_yields_their_names_once(tmp_path: Path) -> None:
    folder = made(tmp_path, "a", "b")
    with opened(folder, only=iter(["a"])) as host:
        assert names(host) == ["a"]
    with opened(folder) as host:
        assert host.chain("add", only=iter(["b", "a"]))("-") == "-ba"  # type: ignore[arg-type]  # as a program may do


def test_what_is_disabled_stays_disabled_where_it_is_asked_for_alone(tmp_path: Path) -> None:
    folder = made(tmp_path, "a", "b")
    with opened(folder) as host:
        host.disable("a")
    with opened(folder, only=["a"]) as host:
        assert names(host) == []
        assert host["a"].findings[0].message == "'a' is disabled"


def test_an_empty_name_is_that_of_no_plugin(tmp_path: Path) -> None:
    folder = made(tmp_path, "a")
    with opened(folder, only=[""]) as host:
        assert states(host) == {"a": "disabled"}
    (tmp_path / "plugline.toml").write_text('disabled = [""]\n', encoding="utf-8")
    with opened(folder) as host:
        assert states(host) == {"a": "found"}
        assert [one.code for one in host.findings] == ["P117"]


def test_a_host_with_nothing_disabled_imports_nothing_for_it(tmp_path: Path) -> None:
    made(tmp_path, "a", "b")
    script = """
        import sys
        from plugline import Host
        host = Host("plugins", interface=["add"])
        print(host.names, host["a"].state)
        print([name for name in sys.modules if name.startswith("plugline.host.") or name == "tomllib"])
        """
    done = subprocess.run([sys.executable, "-c", dedent(script)], cwd=tmp_path, capture_output=True, check=True)
    loaded = done.stdout.decode().splitlines()[1]
    assert not {"aside", "store", "edits", "dispatching", "order"} & set(loaded.replace("'", ".").split("."))
    assert "tomllib" not in loaded


def test_what_to_do_about_a_plugin_that_is_left_out_is_not_to_enable_it(tmp_path: Path) -> None:
    folder = made(tmp_path, "a b", "c")
    with opened(folder, only=["c"]) as host:
        (finding,) = host.disabled["a b"].findings
        assert finding.hint == "name it too: --only 'a b', or only=[...]"
    with opened(folder, plugins=False) as host:
        assert {one.hint for why in host.disabled.values() for one in why.findings} == {
            "leave out --no-plugins, or plugins=False"
        }
    with opened(folder) as host:
        host.disable("a b")
        assert host.disabled["a b"].findings[0].hint == f"plugline enable 'a b' --plugins {folder}"


@pytest.mark.parametrize(
    ("current", "opened_as", "hint"),
    [
        (".", "plugins", "plugline enable b"),
        (".", "my plugins", "plugline enable b --plugins 'my plugins'"),
        ("..", "here/plugins", "plugline enable b --plugins here/plugins"),
    ],
)
def test_what_enables_a_plugin_again_does_where_it_is_typed(
    current: str, opened_as: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    made(here, "a", "b").rename(here / Path(opened_as).name)
    monkeypatch.chdir(here / current)
    with opened(Path(opened_as)) as host:
        host.disable("b")
        assert host.disabled["b"].findings[0].hint == hint
    assert main(shlex.split(hint)[1:]) == 0
    with opened(Path(opened_as)) as host:
        assert names(host) == ["a", "b"]


def test_a_file_of_the_hosts_own_is_named_by_what_enables_a_plugin(tmp_path: Path) -> None:
    folder = made(tmp_path, "a")
    with opened(folder, store="ours.toml") as host:
        host.disable("a")
        assert host.disabled["a"].findings[0].hint == (
            f"take its name out of {tmp_path / 'ours.toml'}, or host.enable('a')"
        )


def test_a_name_that_no_file_can_hold_is_told_and_the_file_stays_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path, "a")
    with opened(folder) as host:
        host.disable("a")
        before = (tmp_path / "plugline.toml").read_text()
        with pytest.raises(ConfigurationError, match=r"cannot hold 'caf\\udce9', which is not UTF-8"):
            host.disable("caf\udce9")
        host.enable("caf\udce9")
    assert (tmp_path / "plugline.toml").read_text() == before
    assert main(["disable", "caf\udce9", "--plugins", str(folder)]) == 2
    assert "bug" not in capsys.readouterr().err


def test_a_single_file_that_is_disabled_is_told_as_that(tmp_path: Path) -> None:
    folder = made(tmp_path, "upper")
    (tmp_path / "plugline.toml").write_text('disabled = ["upper"]\n', encoding="utf-8")
    with pytest.raises(PluginDisabled, match=r"P116.*'upper' is disabled"):
        load_path(folder / "upper.py")
