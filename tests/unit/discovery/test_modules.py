"""What is remembered of installed modules is never other than what reading them again would give."""

import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from plugline import EntryPoints, Host, Modules, Package
from plugline.discovery.finders import Finder

INTERFACE = ["render"]
MODULE = '"""Doc {n}."""\nVERSION = "{n}"\nSUFFIXES = (".a", {n})\ndef render(value):\n    return {n}\n'
CLASSES = "class A:\n    def render(self, value): ...\nclass B:\n    def render(self, value): ...\n"
BIG = "TABLE = " + repr(list(range(2000))) + "\ndef render(value): ...\n"

_listeners: list[list[str]] = []


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str):
        for opened in _listeners:
            opened.append(arguments[0])


sys.addaudithook(_listen)


class Renders(Protocol):
    def render(self, value: object) -> object: ...


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that can be imported, with modules that have not been changed for a while."""
    folder = tmp_path / "site" / "rendered"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(folder.parent))
    write(folder / "__init__.py", "")
    for number in range(3):
        write(folder / f"m{number}.py", MODULE.format(n=number))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "rendered"]:
        del sys.modules[name]


def write(path: Path, text: str, *, seconds_ago: float = 60) -> None:
    path.write_text(text, encoding="utf-8")
    settle(path, seconds_ago)


def settle(path: Path, seconds_ago: float = 60) -> None:
    stamp = time.time() - seconds_ago
    os.utime(path, (stamp, stamp))


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files that are there count as old: nobody can set back when the status of one was changed."""
    real = time.time_ns
    monkeypatch.setattr("plugline.discovery.modules.unix_nanoseconds", lambda: real() + 3_000_000_000)


def listing(finder: Finder, interface: object = INTERFACE) -> list[object]:
    with Host(finder, interface=interface, api_version="1.2") as host:  # type: ignore[call-overload]
        accepted = [(p.name, p.version, p.summary, str(p.place), p.candidate, p.spec.constants, p.spec) for p in host]
        return [accepted, host.rejected, host.findings]


def anew(finder: Finder, interface: object = INTERFACE) -> list[object]:
    """List without anything that is remembered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLUGLINE_CACHE", "off")
        return listing(finder, interface)


def opened_by(finder: Finder, interface: object = INTERFACE) -> list[str]:
    """Return which sources a listing opens that looks at nothing but what all listings show."""
    opened: list[str] = []
    _listeners.append(opened)
    try:
        with Host(finder, interface=interface, api_version="1.2") as host:  # type: ignore[call-overload]
            shown = [(plugin.name, plugin.version, plugin.summary) for plugin in host]
            assert shown or host.rejected
    finally:
        _listeners.clear()
    return [name for name in opened if name.endswith(".py")]


FINDERS = {
    "package": Package("rendered"),
    "names": Modules({"one": "rendered.m1", "object": "rendered.m2:render"}),
}


@pytest.mark.parametrize("finder", FINDERS.values(), ids=FINDERS)
@pytest.mark.parametrize("interface", [INTERFACE, Renders, None], ids=["names", "protocol", "any"])
@pytest.mark.usefixtures("package")
def test_a_second_listing_opens_no_module_and_shows_the_same(finder: Finder, interface: object) -> None:
    assert len(opened_by(finder, interface)) >= 2
    assert opened_by(finder, interface) == []
    assert listing(finder, interface) == anew(finder, interface)


@pytest.mark.parametrize(
    "text",
    [
        "import os\n",
        "def render(value:\n",
        "PLUGIN_NAME = 'elsewhere'\ndef render(value): ...\n",
        "VERSION = 3\nAFTER = ['m0']\nPRIORITY = 'high'\ndef render(value): ...\n",
        "REQUIRED_API_VERSION = '7.0'\ndef render(value): ...\n",
        "# /// script\n# dependencies = ['x']\n# [tool.plugline]\n# since = 2020-01-01\n# ///\ndef render(value): ...\n",
        CLASSES,
        "from rendered.m0 import *\n",
        BIG,
        "'\\ud800'\ndef render(value): ...\n",
        "\N{LATIN SMALL LETTER E WITH ACUTE} = '\N{SNOWMAN}'\ndef render(value): ...\n",
    ],
)
@pytest.mark.parametrize("interface", [INTERFACE, Renders, None], ids=["names", "protocol", "any"])
def test_whatever_a_module_holds_is_shown_as_when_it_was_read(package: Path, text: str, interface: object) -> None:
    write(package / "odd.py", text)
    finder = Package("rendered")
    assert [listing(finder, interface) for _ in range(3)] == [anew(finder, interface)] * 3


def test_an_edit_is_seen_though_size_and_time_are_as_they_were(package: Path) -> None:
    before = listing(Package("rendered"))
    kept = (package / "m1.py").stat()
    write(package / "m1.py", MODULE.format(n=7))
    os.utime(package / "m1.py", ns=(kept.st_atime_ns, kept.st_mtime_ns))
    after = listing(Package("rendered"))
    assert after != before
    assert after == anew(Package("rendered"))


def test_a_file_of_this_moment_is_read_again(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next edit may leave size and stamps as they are, where a file system counts in seconds."""
    monkeypatch.setattr("plugline.discovery.modules.unix_nanoseconds", time.time_ns)
    for file in package.iterdir():
        settle(file, 0)
    assert sorted(map(os.path.basename, opened_by(Package("rendered")))) == ["m0.py", "m1.py", "m2.py"]
    assert sorted(map(os.path.basename, opened_by(Package("rendered")))) == ["m0.py", "m1.py", "m2.py"]


def test_a_module_that_stands_before_it_on_the_path_is_seen(package: Path, tmp_path: Path) -> None:
    assert [name for name, *_ in listing(Package("rendered"))[0]] == ["m0", "m1", "m2"]  # type: ignore[attr-defined]
    other = tmp_path / "before" / "rendered"
    shutil.copytree(package, other)
    write(other / "m1.py", MODULE.format(n=9))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(other.parent))
        assert listing(Package("rendered")) == anew(Package("rendered"))
        assert str(other / "m1.py") in str(listing(Package("rendered"))[0])
    assert listing(Package("rendered")) == anew(Package("rendered"))


@pytest.mark.usefixtures("package")
def test_a_host_that_asks_for_something_else_judges_for_itself(cache: Path) -> None:
    finder = Package("rendered")
    listing(finder)
    assert anew(finder, ["paint"])[0] == []
    assert listing(finder, ["paint"]) == anew(finder, ["paint"])
    assert listing(finder) == anew(finder)
    assert opened_by(finder, ["paint"]) == opened_by(finder) == []
    assert len(list(cache.glob("*.modules"))) == 1


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("damage", [b"", b"plugmod\x01", b"plugmod\x01" + bytes(40), os.urandom(300)])
def test_what_is_damaged_is_made_again(cache: Path, damage: bytes) -> None:
    expected = listing(Package("rendered"))
    file = next(cache.glob("*.modules"))
    file.write_bytes(damage)
    assert listing(Package("rendered")) == expected
    assert opened_by(Package("rendered")) == []


@pytest.mark.usefixtures("package")
def test_what_others_could_have_written_is_not_believed(cache: Path) -> None:
    listing(Package("rendered"))
    next(cache.glob("*.modules")).chmod(0o666)
    assert len(opened_by(Package("rendered"))) == 3


def test_random_edits_are_all_seen(package: Path) -> None:
    chosen = random.Random(7)  # noqa: S311 - the same edits each time
    names = [f"m{number}" for number in range(6)]
    for step in range(60):
        file = package / f"{chosen.choice(names)}.py"
        match chosen.randrange(4):
            case 0:
                file.unlink(missing_ok=True)
            case 1 if file.exists():
                file.rename(package / f"{chosen.choice(names)}.py")
            case 2:
                write(file, CLASSES if step % 3 else "import os\n")
            case _:
                write(file, MODULE.format(n=step % 10))
        assert listing(Package("rendered")) == anew(Package("rendered"))


def test_entry_points_are_remembered_with_their_distribution(package: Path) -> None:
    made = package.parent / "shiny-2.0.dist-info"
    made.mkdir()
    write(package / "m1.py", "def render(value): ...\n")  # its version is its distribution's
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: shiny\nVersion: 2.0\n")
    (made / "entry_points.txt").write_text("[renderers]\nfirst = rendered.m0\nsecond = rendered.m1:render\n")
    finder = EntryPoints("renderers")
    assert len(opened_by(finder)) == 2
    assert opened_by(finder) == []
    assert listing(finder) == anew(finder)
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: shiny\nVersion: 2.1\n")
    assert listing(finder) == anew(finder)
