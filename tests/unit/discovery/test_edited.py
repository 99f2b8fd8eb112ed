"""A file that was edited a moment ago is listed as a host lists it that remembers nothing, whatever became of it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from plugline import Host, Policy
from plugline.cli import main

PLUGIN = '"""Plugin {said}."""\nVERSION = "{said}"\nREQUIRED_API_VERSION = "1.0"\ndef transform(record):\n    return record\n'

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere what a host makes of a folder is not remembered")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of which all is remembered, as if its files were old."""
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path / "cache"))
    tmp_path.chmod(0o755)
    made = tmp_path / "plugins"
    made.mkdir()
    for number in range(6):
        (made / f"p{number}.py").write_text(PLUGIN.format(said=number))
    now = time.time_ns
    with monkeypatch.context() as later:
        later.setattr("plugline.discovery.update.unix_nanoseconds", lambda: now() + 3_000_000_000)
        seen(made)
    return made


Seen = tuple[object, ...]


def seen(folder: Path, policy: Policy | None = None) -> Seen:
    """Return all that a host says of a folder, in the order in which it says it."""
    with Host(folder, interface=["transform"], api_version="1.0", policy=policy) as host:
        plugins = [
            (one.name, one.version, one.summary, one.state, one.warnings, one.spec, one.spec.facts) for one in host
        ]
        return plugins, host.rejected, host.findings, [plugin.load().__doc__ for plugin in host]


def first_seen(folder: Path, monkeypatch: pytest.MonkeyPatch, policy: Policy | None = None) -> Seen:
    with monkeypatch.context() as without:
        without.setenv("PLUGLINE_CACHE", "off")
        return seen(folder, policy)


def test_what_an_interrupted_listing_saw_is_not_taken_for_what_is_there_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name == "inspect_places":
            sys.setprofile(None)
            raise KeyboardInterrupt

    first = folder.with_name("first")
    first.mkdir()
    (first / "old.py").write_text(PLUGIN.format(said="old"))
    now = time.time_ns
    with monkeypatch.context() as later:
        later.setattr("plugline.discovery.update.unix_nanoseconds", lambda: now() + 3_000_000_000)
        seen(first)
    with Host(first, folder, interface=["transform"], api_version="1.0") as host:
        host.refresh()
        for number in range(5):  # more than are read one by one
            (folder / f"p{number}.py").write_text(PLUGIN.format(said="edited"))
        before = sys.getprofile()
        sys.setprofile(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                host.refresh()
        finally:
            sys.setprofile(before)
        (folder / "p5.py").write_text(PLUGIN.format(said="later"))
        (first / "new.py").write_text(PLUGIN.format(said="new"))
        host.refresh()
        assert host["p5"].version == "later"


BODY = "def transform(record):\n    return record\n"
EDITS = {
    "body": PLUGIN.format(said=3) + "    # more\n",
    "version": PLUGIN.format(said=33),
    "other name": PLUGIN.format(said=3) + 'PLUGIN_NAME = "a"\n',
    "taken name": PLUGIN.format(said=3) + 'PLUGIN_NAME = "p1"\n',
    "no name": PLUGIN.format(said=3) + 'PLUGIN_NAME = "/"\n',
    "computed name": PLUGIN.format(said=3) + 'PLUGIN_NAME = "a" + str(1)\n',
    "no docstring": BODY,
    "described": BODY + "def describe():\n    return 'Said.'\n",
    "newer host": PLUGIN.format(said=3).replace("1.0", "2.0"),
    "odd api": PLUGIN.format(said=3).replace("1.0", "??"),
    "no function": '"""Doc."""\n',
    "no function but a value": '"""Doc."""\ntransform = 3\n',
    "function in a class": '"""Doc."""\nclass A:\n    def transform(self, record):\n        return record\n',
    "function below if": '"""Doc."""\nif 1 < 2:\n    ' + BODY.replace("\n    ", "\n        "),
    "imported function": '"""Doc."""\nfrom os.path import join as transform\n',
    "syntax error": "def transform(:\n",
    "return outside": BODY + "return\n",
    "warning": BODY + "1 is 1\n'\\d'\n",
    "block": '# /// script\n# [tool.plugline]\n# version = "7"\n# permissions = { net = true }\n# ///\n' + BODY,
    "broken block": "# /// script\n# a = \n# ///\n" + BODY,
    "order": PLUGIN.format(said=3) + 'AFTER = ["p5"]\n',
    "requires": PLUGIN.format(said=3) + 'REQUIRES = ["missing"]\n',
    "umlauts": '"""Größer."""\n' + BODY,
    "control character": '"""A\\x1b[31m."""\n' + BODY,
    "empty": "",
    "NUL": BODY + "\0",
    "as it was": PLUGIN.format(said=3),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", EDITS.values(), ids=EDITS)
def test_an_edited_plugin_is_listed_as_if_nothing_were_remembered(
    text: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "p3.py").write_bytes(text.encode())
    expected = first_seen(folder, monkeypatch)
    assert [seen(folder), seen(folder)] == [expected, expected]
    # And so it is where it is a plugin again.
    (folder / "p3.py").write_text(PLUGIN.format(said=4))
    assert seen(folder) == first_seen(folder, monkeypatch)


def test_several_edited_plugins_are_listed_as_if_nothing_were_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        (folder / f"p{number}.py").write_text(PLUGIN.format(said=number + 10))
        assert seen(folder) == first_seen(folder, monkeypatch)


def _in_latin_1(folder: Path) -> None:
    (folder / "p3.py").write_bytes("# coding: latin-1\n'''Größer.'''\n".encode("latin-1") + BODY.encode())


def _no_text(folder: Path) -> None:
    (folder / "p3.py").write_bytes(b"'''Gr\xf6\xdfer.'''\n" + BODY.encode())


def _writable_by_all(folder: Path) -> None:
    (folder / "p3.py").write_text(PLUGIN.format(said=33))
    (folder / "p3.py").chmod(0o666)


def _a_link(folder: Path) -> None:
    (folder.parent / "other.py").write_text(PLUGIN.format(said=33))
    (folder / "p3.py").unlink()
    (folder / "p3.py").symlink_to(folder.parent / "other.py")


def _replaced(folder: Path) -> None:
    (folder / "_new").write_text(PLUGIN.format(said=33))
    (folder / "_new").replace(folder / "p3.py")


def _locked(folder: Path) -> None:
    assert main(["trust", str(folder)]) == 0
    seen(folder)
    (folder / "p3.py").write_text(PLUGIN.format(said=33))


def _locked_after_the_edit(folder: Path) -> None:
    (folder / "p3.py").write_text(PLUGIN.format(said=33))
    seen(folder)
    assert main(["trust", str(folder)]) == 0
    (folder / "p3.py").write_text(PLUGIN.format(said=34))


@pytest.mark.parametrize(
    "change", [_in_latin_1, _no_text, _writable_by_all, _a_link, _replaced, _locked, _locked_after_the_edit]
)
def test_a_file_that_became_something_else_is_judged_as_if_nothing_were_remembered(
    change: Callable[[Path], None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(folder)
    expected = first_seen(folder, monkeypatch)
    assert [seen(folder), seen(folder)] == [expected, expected]


def test_an_audit_sees_what_an_edit_brought(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Policy(audit="refuse")
    seen(folder, policy)
    (folder / "p3.py").write_text("import subprocess\nsubprocess.run\n" + PLUGIN.format(said=33))
    expected = first_seen(folder, monkeypatch, policy)
    assert seen(folder, policy) == expected
    assert expected[1]


def test_how_long_an_edited_file_took_to_read_is_told(folder: Path) -> None:
    (folder / "p3.py").write_text(PLUGIN.format(said=33))
    with Host(folder, interface=["transform"], api_version="1.0") as host:
        taken = {plugin.name: plugin.read_seconds for plugin in host}
    assert taken.pop("p3") is not None
    assert set(taken.values()) == {None}


def test_a_listing_after_an_edit_imports_nothing_that_judges_or_writes(folder: Path) -> None:
    (folder / "p3.py").write_text(PLUGIN.format(said=33))
    program = """
import sys
from plugline import Host
with Host(sys.argv[1], interface=["transform"], api_version="1.0") as host:
    assert host["p3"].version == "33"
    assert [plugin.version for plugin in host][3] == "33"
print(*(name for name in sys.modules if name.startswith("plugline.")))
"""
    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=True)
    imported = done.stdout.split()
    for name in ("admission", "contract", "host.registry", "discovery.index", "discovery.update", "discovery.known"):
        assert not [one for one in imported if one.startswith(f"plugline.{name}")]
