"""What a host admits: owners, lock, permissions, audit; and that what was asked about is what is run."""

import _queue
import shlex
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import pytest

from plugline import Finding, Folder, Host, LoadError, PluginRejected, PluginSpec, Policy
from plugline.admission.policy import Facts
from plugline.admission.trust import accept, propose
from plugline.contract.permissions import Permissions
from plugline.files import SourceFile
from plugline.findings import Place

GOOD = "def transform(record):\n    return record\n"
NET = "# /// script\n# [tool.plugline]\n# permissions = { net = true }\n# ///\n" + GOOD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    return plugins


def write(folder: Path, name: str, text: str = GOOD) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)
    return path


def trust(*paths: Path) -> None:
    for proposal in propose([str(path) for path in paths]):
        accept(proposal)


def rejected(host: Host[object]) -> dict[str, list[str]]:
    return {one.name: [finding.code for finding in one.findings] for one in host.rejected}


def test_without_a_lock_whatever_is_sound_is_admitted(folder: Path) -> None:
    write(folder, "x.py")
    with Host(folder) as host:
        assert host.names == ("x",)


def test_a_file_that_all_can_write_to_is_refused_and_its_neighbour_is_not(folder: Path) -> None:
    write(folder, "x.py").chmod(0o646)
    write(folder, "y.py")
    with Host(folder) as host:
        assert host.names == ("y",)
        assert rejected(host) == {"x": ["T101"]}


def test_a_file_that_becomes_writable_for_all_after_the_listing_is_not_run(folder: Path) -> None:
    path = write(folder, "x.py", "raise SystemExit('it ran')\n" + GOOD)
    with Host(folder) as host:
        plugin = host["x"]
        path.chmod(0o646)
        with pytest.raises(LoadError, match="T101"):
            plugin.load()


def test_what_is_trusted_is_admitted_and_what_changed_or_is_new_is_not(folder: Path) -> None:
    write(folder, "same.py")
    changed = write(folder, "changed.py")
    trust(folder)
    changed.write_text(GOOD + "# more\n")
    write(folder, "new.py")
    with Host(folder) as host:
        assert host.names == ("same",)
        assert rejected(host) == {"changed": ["T302"], "new": ["T301"]}
    trust(changed)
    with Host(folder) as host:
        assert host.names == ("changed", "same")
    trust(folder)
    with Host(folder) as host:
        assert host.names == ("changed", "new", "same")


def test_an_update_that_asks_for_more_says_what_is_new(folder: Path) -> None:
    path = write(folder, "x.py")
    trust(folder)
    path.write_text(NET)
    with Host(folder) as host:
        (one,) = host.rejected
        assert one.findings[0].code == "T302"
        assert "asks for more: net" in one.findings[0].message
        assert f"plugline trust {path} --diff" in str(one.findings[0].hint)
    (proposal,) = propose([str(path)])
    assert str(proposal.diff) == "~ x (changed) plugins/x.py\n    asks for more: net"


def test_permissions_taken_out_of_the_lock_by_hand_are_not_granted(folder: Path) -> None:
    write(folder, "x.py", NET)
    trust(folder)
    lock = folder.parent / "plugline.lock"
    lock.write_text(lock.read_text().replace("{ net = true }", "{}"))
    with Host(folder) as host:
        assert rejected(host) == {"x": ["T304"]}


def test_a_broken_lock_admits_nothing(folder: Path) -> None:
    write(folder, "x.py")
    (folder.parent / "plugline.lock").write_text("format = 1\n[[[")
    with Host(folder) as host:
        assert rejected(host) == {"x": ["T305"]}


def test_a_lock_that_all_can_write_to_admits_nothing(folder: Path) -> None:
    write(folder, "x.py")
    trust(folder)
    (folder.parent / "plugline.lock").chmod(0o666)
    with Host(folder) as host:
        assert rejected(host) == {"x": ["T101"]}


def test_a_host_may_say_where_the_lock_is_or_that_there_is_none(folder: Path, tmp_path: Path) -> None:
    write(folder, "x.py")
    trust(folder)
    write(folder, "y.py")
    with Host(folder, policy=Policy(lock=None)) as host:
        assert host.names == ("x", "y")
    with Host(folder, policy=Policy(lock=tmp_path / "elsewhere" / "plugline.lock")) as host:
        assert host.names == ("x", "y")


def test_a_helper_that_is_not_what_was_trusted_is_not_run(folder: Path) -> None:
    write(folder, "x.py", "from ._helper import VALUE\n" + GOOD)
    helper = write(folder, "_helper.py", "VALUE = 1\n")
    trust(folder)
    with Host(folder) as host:
        host["x"].load()
    helper.write_text("raise SystemExit('it ran')\n")
    with Host(folder) as host, pytest.raises(LoadError, match="T303"):
        host["x"].load()


def test_a_helper_that_is_trusted_anew_is_taken_by_the_next_reload(folder: Path) -> None:
    write(folder, "x.py", "from ._helper import VALUE\n" + GOOD)
    helper = write(folder, "_helper.py", "VALUE = 1\n")
    trust(folder)
    with Host(folder) as host:
        module: Any = host["x"].load()
        helper.write_text("VALUE = 2\n")
        assert [one.code for one in host.reload("x").refused] == ["T303"]
        trust(folder)
        assert host.reload("x").ok
        assert module.VALUE == 2


def test_a_module_of_a_package_that_is_new_is_not_run(folder: Path) -> None:
    write(folder, "pack/__init__.py", GOOD + "def more():\n    from . import new\n")
    trust(folder)
    write(folder, "pack/new.py", "raise SystemExit('it ran')\n")
    with Host(folder) as host:
        module = host["pack"].load()
        with pytest.raises(PluginRejected, match="T303"):
            module.more()  # type: ignore[attr-defined]


def test_a_module_of_a_package_that_differs_from_the_lock_is_told_by_a_listing(folder: Path) -> None:
    write(folder, "x/__init__.py", "from .inner import transform\n")
    write(folder, "x/inner.py")
    trust(folder)
    with Host(folder) as host:
        assert host.names == ("x",)
        write(folder, "x/inner.py", GOOD + "# changed\n")
        host.refresh()
        assert rejected(host) == {"x": ["T303"]}


@pytest.mark.parametrize("audit", ["warn", "refuse"])
def test_modules_of_a_package_that_declares_nothing_are_audited_as_its_plugin_is(
    folder: Path, audit: Literal["warn", "refuse"]
) -> None:
    write(folder, "x/__init__.py", "from .inner import transform\n")
    write(folder, "x/inner.py", "import subprocess\n\n\n" + GOOD + "\n\nsubprocess.run(['true'])\n")
    with Host(folder, policy=Policy(audit=audit)) as host:
        told = host.rejected[0].findings if audit == "refuse" else host["x"].warnings
        assert [(one.code, Path(one.place.path).name, one.place.line) for one in told] == [("T204", "inner.py", 8)]


def test_what_a_package_declares_holds_for_its_modules_in_nested_folders_too(folder: Path) -> None:
    for name, inner in (("sound", NET), ("greedy", GOOD)):
        package = folder / "text" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(inner + "from .inner import VALUE\n")
        (package / "inner.py").write_text("import socket\n\nVALUE = socket.socket\n")
    with Host(Folder(str(folder), nested=True), policy=Policy(audit="refuse")) as host:
        assert host.names == ("text.sound",)
        host["text.sound"].load()


def test_a_folder_that_is_wrong_is_told_once_of_a_package_with_many_modules(folder: Path) -> None:
    write(folder, "x/__init__.py")
    for number in range(3):
        write(folder, f"x/m{number}.py")
    trust(folder)
    (folder / "x").chmod(0o757)
    with Host(folder) as host:
        assert rejected(host) == {"x": ["T101"]}


def test_native_code_in_a_package_is_part_of_what_is_trusted(folder: Path) -> None:
    write(folder, "pack/__init__.py")
    trust(folder)
    write(folder, "pack/fast.so", "not what was trusted")
    with Host(folder) as host:
        assert rejected(host) == {"pack": ["T303"]}


@pytest.mark.parametrize("below", ["", "parts/"])
def test_native_code_beside_a_plugin_is_imported_only_as_it_was_trusted(folder: Path, below: str) -> None:
    built = Path(getattr(_queue, "__file__", ""))
    if built.suffix != ".so":
        pytest.skip("this Python has no modules written in C in files of their own")
    write(folder, "x.py", f"from .{below.rstrip('/')} import _queue\n{GOOD}")
    native = folder / below / built.name
    native.parent.mkdir(exist_ok=True)

    def put(content: bytes) -> None:
        native.unlink(missing_ok=True)  # what is written over has been mapped into this process
        native.write_bytes(content)

    put(built.read_bytes())
    with Host(folder) as host:
        loaded: Any = host["x"].load()
        assert Path(loaded._queue.__file__) == native.resolve()
    trust(folder)
    with Host(folder) as host:
        host["x"].load()
    put(built.read_bytes() + b"more")
    with Host(folder) as host, pytest.raises(LoadError, match="T303"):
        host["x"].load()
    native.unlink()
    trust(folder)
    put(built.read_bytes())
    with Host(folder) as host, pytest.raises(LoadError, match="T303"):
        host["x"].load()


def test_more_than_the_host_grants_is_refused(folder: Path) -> None:
    write(folder, "x.py", NET)
    write(folder, "y.py")
    with Host(folder, policy=Policy(grant=Permissions(read=["."]))) as host:
        assert host.names == ("y",)
        assert rejected(host) == {"x": ["T402"]}


def test_permissions_that_mean_nothing_are_refused(folder: Path) -> None:
    write(folder, "x.py", NET.replace("net = true", "nett = true"))
    with Host(folder) as host:
        assert rejected(host) == {"x": ["T401"]}


def test_the_audit_warns_or_refuses_as_the_policy_says(folder: Path) -> None:
    write(folder, "x.py", "import os\ndef transform(record):\n    os.system('x')\n")
    with Host(folder) as host:
        assert host["x"].warnings == ()
    with Host(folder, policy=Policy(audit="warn")) as host:
        (warning,) = host["x"].warnings
        assert (warning.code, warning.place.line, warning.severity) == ("T204", 3, "warning")
        assert str(warning).startswith("warning[T204] ")
        host["x"].load()
        assert [one.code for one in host["x"].warnings] == ["T204"]
    with Host(folder, policy=Policy(audit="refuse")) as host:
        assert rejected(host) == {"x": ["T204"]}


def test_an_empty_path_of_a_lock_is_a_mistake_of_the_host() -> None:
    with pytest.raises(ValueError, match="path of the lock is empty"):
        Policy(lock="")


def test_an_unknown_way_to_audit_is_a_mistake_of_the_host() -> None:
    with pytest.raises(ValueError, match="audit is 'on'"):
        Policy(audit="on")  # type: ignore[arg-type]


class Swapping(Policy):
    """Puts another file in place of the one that it has just admitted."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.admitted: list[bytes] = []

    def admit(self, spec: PluginSpec, source: SourceFile, facts: Facts) -> tuple[Finding, ...]:
        """Admit, then swap."""
        found = super().admit(spec, source, facts)
        self.admitted.append(source.content)
        swapped = self.path.with_name("swap.tmp")
        swapped.write_text(f"ROUND = {len(self.admitted)}\n{GOOD}")
        swapped.chmod(0o644)
        swapped.replace(self.path)
        return found


def test_what_was_admitted_is_what_is_run_even_if_the_file_is_swapped_in_between(folder: Path) -> None:
    path = write(folder, "x.py", f"ROUND = 0\n{GOOD}")
    policy = Swapping(path)
    with Host(folder, policy=policy) as host:
        module = host["x"].load()
        last = policy.admitted[-1].decode()
        assert last.startswith(f"ROUND = {module.ROUND}\n")  # type: ignore[attr-defined]
        assert path.read_text() != last


def test_a_policy_of_the_hosts_own_decides(folder: Path) -> None:
    class OnlyWithSummary:
        strict = False
        lock = None

        def admit(self, spec: PluginSpec, source: SourceFile, facts: Facts) -> tuple[Finding, ...]:
            return () if spec.summary else (Finding("T900", "has no summary", Place(source.path)),)

        def admit_file(self, source: SourceFile, path: str, facts: Facts) -> tuple[Finding, ...]:
            return ()

    write(folder, "x.py")
    write(folder, "y.py", f'"""Says what it is."""\n{GOOD}')
    with Host(folder, policy=OnlyWithSummary()) as host:
        assert host.names == ("y",)
        assert rejected(host) == {"x": ["T900"]}


def test_trusting_a_folder_forgets_what_is_gone_and_keeps_other_folders(folder: Path, tmp_path: Path) -> None:
    gone = write(folder, "gone.py")
    write(folder, "x.py")
    other = tmp_path / "other"
    write(other, "z.py")
    trust(folder, other)
    gone.unlink()
    (proposal,) = propose([str(folder)])
    assert str(proposal.diff) == "- gone (gone) plugins/gone.py"
    assert sorted(proposal.new.plugins) == ["x", "z"]
    assert proposal.to_data()["plugins"] == [
        {
            "name": "gone",
            "change": "removed",
            "file": "plugins/gone.py",
            "version": None,
            "trusted_version": None,
            "asks_more": {},
            "asks_fewer": {},
        }
    ]


def test_what_cannot_be_read_is_told_and_not_trusted(folder: Path) -> None:
    write(folder, "x.py", "def (:\n")
    write(folder, "y.py")
    (proposal,) = propose([str(folder)])
    assert [one.code for one in proposal.findings] == ["P106"]
    assert list(proposal.new.plugins) == ["y"]


class Speaker(ABC):
    @abstractmethod
    def say(self) -> str: ...


SPEAKERS = f"""
from {__name__} import Speaker

class Loud(Speaker):
    def say(self): return "LOUD"

class Quiet(Speaker):
    def say(self): return "quiet"
"""


def test_a_file_of_several_classes_is_trusted_as_a_whole(folder: Path) -> None:
    path = write(folder, "two.py", SPEAKERS)
    trust(folder)
    with Host(folder, interface=Speaker) as host:
        assert [plugin.load().say() for plugin in host] == ["LOUD", "quiet"]
        assert host.rejected == ()
    path.write_text(SPEAKERS + "# more\n")
    with Host(folder, interface=Speaker) as host:
        assert rejected(host) == {"two": ["T302"]}


def test_plugins_in_an_archive_that_all_may_write_to_are_refused(folder: Path) -> None:
    archive = folder / "more.zip"
    with ZipFile(archive, "w") as writing:
        writing.writestr("x.py", GOOD)
    archive.chmod(0o644)
    with Host(archive) as host:
        assert host["x"].load() is not None
    archive.chmod(0o646)
    with Host(archive) as host:
        assert rejected(host) == {"x": ["T101"]}
        assert str(archive) in str(host.rejected[0])


def test_a_lock_beside_an_archive_refuses_what_is_not_in_it(folder: Path) -> None:
    write(folder, "known.py")
    archive = folder.parent / "more.zip"
    with ZipFile(archive, "w") as writing:
        writing.writestr("x.py", GOOD)
    archive.chmod(0o644)
    trust(folder)
    with Host(archive) as host:
        assert rejected(host) == {"x": ["T301"]}


def test_an_archive_and_a_folder_beside_it_may_each_have_a_trusted_plugin_of_one_name(folder: Path) -> None:
    write(folder, "x.py")
    archive = folder.parent / "more.zip"
    with ZipFile(archive, "w") as writing:
        writing.writestr("x.py", GOOD + "# the archive's\n")
    archive.chmod(0o644)
    for first, second in ((folder, archive), (archive, folder)):
        trust(first)
        trust(second)
        for place in (first, second):
            with Host(place) as host:
                assert rejected(host) == {}
        (folder.parent / "plugline.lock").unlink()


def test_a_trusted_plugin_may_be_imported_by_another_and_a_changed_one_may_not(folder: Path) -> None:
    write(folder, "x.py", "from .pack import one\nfrom . import y\n" + GOOD)
    write(folder, "y.py")
    write(folder, "pack/__init__.py")
    write(folder, "pack/one.py", "ONE = 1\n")
    trust(folder)
    with Host(folder) as host:
        host["x"].load()
    for changed in ("y.py", "pack/__init__.py"):
        write(folder, changed, GOOD + "CHANGED = 1\n")
        with Host(folder) as host, pytest.raises(LoadError) as caught:
            host["x"].load()
        assert [finding.code for finding in caught.value.findings] == ["T303"]
        assert caught.value.findings[0].place.path.endswith(changed)
        trust(folder)


def test_the_command_that_a_refusal_names_trusts_what_an_archive_holds(folder: Path) -> None:
    write(folder, "known.py")
    archive = folder.parent / "more plugins.zip"
    with ZipFile(archive, "w") as writing:
        writing.writestr("x.py", "from .pack import one\n" + GOOD)
        writing.writestr("pack/__init__.py", GOOD)
        writing.writestr("pack/one.py", "ONE = 1\n")
    archive.chmod(0o644)
    trust(folder)
    with Host(archive) as host:
        hints = {one.name: one.findings[0].hint for one in host.rejected}
    assert hints.keys() == {"x", "pack"}
    said = (hints["x"] or "").partition("plugline trust ")[2]
    trust(Path(shlex.split(said)[0]))
    with Host(archive) as host:
        assert host.names == ("pack", "x")
        host["x"].load()
    with Host(folder) as host:
        assert host.names == ("known",)
    archive.unlink()
    with ZipFile(archive, "w") as writing:
        writing.writestr("x.py", GOOD + "CHANGED = 1\n")
    archive.chmod(0o644)
    with Host(archive) as host:
        assert rejected(host) == {"x": ["T302"]}
    trust(archive)
    with Host(archive) as host:
        assert host.names == ("x",)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ZeroDivisionError("no"), "the host's policy raised ZeroDivisionError: no at "),
        (SystemExit(3), "the host's policy raised SystemExit: 3 at "),
        (None, "the host's policy returned None, a tuple of findings was expected"),
        ("no", "the host's policy returned 'no', a tuple of findings was expected"),
        (["no"], "the host's policy returned ['no'], a tuple of findings was expected"),
        (True, "the host's policy returned True, a tuple of findings was expected"),
    ],
)
def test_a_policy_that_fails_refuses_what_it_was_asked_about_and_no_neighbour(
    folder: Path, answer: object, said: str
) -> None:
    class Odd(Policy):
        def admit(self, spec: PluginSpec, source: SourceFile, facts: Facts) -> tuple[Finding, ...]:
            return answered() if spec.name == "x" else super().admit(spec, source, facts)

        def admit_file(self, source: SourceFile, path: str, facts: Facts) -> tuple[Finding, ...]:
            return answered()

    def answered() -> tuple[Finding, ...]:
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[return-value]  # which is what is tried

    write(folder, "x.py")
    write(folder, "y.py")
    write(folder, "z.py", "from ._shared import VALUE\n" + GOOD)
    write(folder, "_shared.py", "VALUE = 1\n")
    with Host(folder, policy=Odd()) as host:
        assert host.names == ("y", "z")
        (rejection,) = host.rejected
        assert [finding.code for finding in rejection.findings] == ["T306"]
        assert rejection.findings[0].message.startswith(said)
        assert [plugin.name for plugin in host.load_all()] == ["y"]
        assert rejected(host) == {"x": ["T306"], "z": ["T306"]}


def test_a_policy_may_return_any_iterable_of_findings(folder: Path) -> None:
    class Listed(Policy):
        def admit(self, spec: PluginSpec, source: SourceFile, facts: Facts) -> tuple[Finding, ...]:
            return [Finding("T301", "not today", spec.place)]  # type: ignore[return-value]  # which is what is tried

    write(folder, "x.py")
    with Host(folder, policy=Listed()) as host:
        assert rejected(host) == {"x": ["T301"]}


@pytest.mark.parametrize("first", [b"\n", b"\r\n"], ids=["unix", "windows"])
def test_line_ends_that_something_changed_are_told_as_such(folder: Path, first: bytes) -> None:
    """As git does on Windows, to all files of a lock at once."""
    path = folder / "x.py"
    path.write_bytes(GOOD.encode().replace(b"\n", first))
    trust(folder)
    path.write_bytes(GOOD.encode().replace(b"\n", b"\r\n" if first == b"\n" else b"\n"))
    with Host(folder) as host:
        ((found,),) = [one.findings for one in host.rejected]
    assert (found.code, "the ends of its lines have changed" in found.message) == ("T302", True)
    assert "*.py -text in .gitattributes" in str(found.hint)
    path.write_text(GOOD + "# more\n")
    with Host(folder) as host:
        ((found,),) = [one.findings for one in host.rejected]
    assert (found.code, "its file has changed" in found.message) == ("T302", True)


def test_line_ends_of_what_a_plugin_imports_are_told_as_well(folder: Path) -> None:
    helper = folder / "_words.py"
    helper.write_bytes(b"HELLO = 1\n")
    (folder / "x.py").write_text(f"from . import _words\n{GOOD}")
    trust(folder)
    helper.write_bytes(b"HELLO = 1\r\n")
    with Host(folder) as host, pytest.raises(LoadError, match="only the ends of its lines") as refused:
        host["x"].load()
    assert [one.code for one in refused.value.findings] == ["T303"]
