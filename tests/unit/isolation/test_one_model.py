"""What is declared, seen by the audit, trusted, granted and enforced is one thing, in one vocabulary."""

import re
from pathlib import Path
from typing import Protocol

import pytest

from plugline import Host, LoadError, PluginRejected, Policy, Sandbox
from plugline.cli import main
from plugline.contract.permissions import Permissions
from tests.sandboxed import needs_sandbox

pytestmark = [needs_sandbox, pytest.mark.slow]


class Processor(Protocol):
    def transform(self, record: dict[str, object], /) -> object: ...

    def describe(self) -> str: ...


def write(folder: Path, permissions: str | None, body: str, version: str = "1.0") -> Path:
    plugins = folder / "plugins"
    plugins.mkdir(mode=0o755, exist_ok=True)
    declared = f"# permissions = {permissions}\n" if permissions is not None else ""
    block = f'# /// script\n# [tool.plugline]\n# version = "{version}"\n{declared}# ///\n'
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    source = f"{block}import os, socket\n\ndef transform(record):\n{lines}\ndef describe():\n    return 'subject'\n"
    (plugins / "subject.py").write_text(source, encoding="utf-8")
    return plugins


def outcome(plugins: Path, limits: Sandbox | None = None, policy: Policy | None = None) -> object:
    with Host(str(plugins), interface=Processor, isolation="sandbox", limits=limits, policy=policy) as host:
        try:
            return host["subject"].load().transform({"n": 1})
        except PermissionError:
            return "denied"


CONNECTS = "socket.socket().close()\nreturn 'connected'"


def test_what_a_plugin_declares_of_its_own_folder_it_reads(tmp_path: Path) -> None:
    plugins = write(tmp_path, '{ read = ["reference"] }', "return open(__file__[:-10] + 'reference/names').read()")
    (plugins / "reference").mkdir()
    (plugins / "reference" / "names").write_text("Ada", encoding="utf-8")
    assert outcome(plugins) == "Ada"
    write(tmp_path, "{}", "return open(__file__[:-10] + 'reference/names').read()")
    assert outcome(plugins) == "denied"


def test_what_it_declares_beyond_that_takes_somebody_elses_word(tmp_path: Path) -> None:
    plugins = write(tmp_path, "{ net = true }", CONNECTS)
    assert outcome(plugins) == "denied"
    assert outcome(plugins, Sandbox(net=True)) == "connected"
    assert outcome(plugins, policy=Policy(grant=Permissions(net=True))) == "connected"


def test_what_is_trusted_is_allowed_unless_the_host_says_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugins = write(tmp_path, "{ net = true }", CONNECTS)
    assert main(["trust", str(plugins)]) == 0
    assert "asks for net" in capsys.readouterr().out
    assert outcome(plugins) == "connected"
    assert outcome(plugins, Sandbox(net=False)) == "denied"


def test_what_is_granted_and_not_declared_is_denied(tmp_path: Path) -> None:
    plugins = write(tmp_path, "{ net = false }", CONNECTS)
    assert outcome(plugins, Sandbox(net=True)) == "denied"


def test_an_update_that_asks_for_more_is_refused_until_it_is_trusted_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugins = write(tmp_path, "{}", "return 'works'")
    assert main(["trust", str(plugins)]) == 0
    assert outcome(plugins) == "works"
    write(tmp_path, '{ read = ["/etc"], net = true }', CONNECTS, "1.1")
    capsys.readouterr()
    with Host(str(plugins), interface=Processor, isolation="sandbox") as host:
        with pytest.raises((PluginRejected, LoadError)) as caught:
            host["subject"].load()
        (finding,) = caught.value.findings
    assert finding.code == "T302"
    assert "asks for more: net, read of '/etc'" in finding.message
    assert main(["trust", "--diff", str(plugins)]) == 1
    shown = capsys.readouterr().out
    assert "~ subject (changed, version 1.0 to 1.1)" in shown
    assert "asks for more: net, read of '/etc'" in shown
    assert main(["trust", str(plugins)]) == 0
    assert outcome(plugins) == "connected"


def test_who_asks_for_more_than_the_policy_grants_any_plugin_is_rejected(tmp_path: Path) -> None:
    plugins = write(tmp_path, '{ read = ["/data"], net = true }', CONNECTS)
    with Host(str(plugins), interface=Processor, policy=Policy(grant=Permissions(net=True))) as host:
        codes = {finding.code for rejected in host.rejected for finding in rejected.findings}
    assert codes == {"T402"}


@pytest.mark.parametrize(
    ("body", "permission"),
    [
        ("return open('{file}').read()", '{ read = ["{file}"] }'),
        ("return open('{file}', 'a').write('x')", '{ write = ["{file}"] }'),
        ("return os.listdir('{folder}')", '{ read = ["{folder}"] }'),
        ("return os.environ['HOME']", '{ env = ["HOME"] }'),
        (CONNECTS, "{ net = true }"),
        ("return os.fork()", "{ run = true }"),
    ],
)
def test_the_audit_and_the_sandbox_ask_for_the_same_permission_and_it_is_enough(
    tmp_path: Path, body: str, permission: str
) -> None:
    file = tmp_path / "given" / "file.txt"
    file.parent.mkdir()
    file.write_text("text", encoding="utf-8")
    body, permission = (
        text.replace("{file}", str(file)).replace("{folder}", str(file.parent)) for text in (body, permission)
    )
    plugins = write(tmp_path, "{}", f"try:\n    {body.replace(chr(10), chr(10) + '    ')}\nfinally:\n    pass")
    with Host(str(plugins), interface=Processor, policy=Policy(audit="refuse")) as host:
        audited = " ".join(str(finding.hint) for rejected in host.rejected for finding in rejected.findings)
    with Host(str(plugins), interface=Processor, isolation="sandbox") as host:
        plugin = host["subject"].load()
        with pytest.raises((PermissionError, KeyError)) as caught:
            plugin.transform({})
    said = re.search(r"it takes permissions = (\{.*?\}) under", str(caught.value))
    assert said is not None
    assert said[1] == permission
    assert f"permissions = {permission}" in audited
    if "fork" not in body:
        plugins = write(tmp_path, permission, body)
        granted = Sandbox(read=[tmp_path], write=[file], net=True, run=True, env=["*"])
        with Host(str(plugins), interface=Processor, isolation="sandbox", limits=granted) as host:
            assert host["subject"].load().transform({}) is not None
