from pathlib import Path

import pytest

from plugline.discovery.candidates import FileCandidate, ModuleCandidate
from plugline.discovery.spec import PluginSpec, Read, read_file, read_module
from plugline.discovery.trees import MemoryTree
from plugline.files import SourceFile


def read(text: str, name: str = "a") -> Read:
    tree = MemoryTree("plugins", {f"{name}.py": text.encode()})
    source = tree.read(f"{name}.py")
    assert isinstance(source, SourceFile)
    return read_file(FileCandidate(name, tree, f"{name}.py", name), source)


def spec(text: str, name: str = "a") -> PluginSpec:
    found = read(text, name)
    assert not found.findings
    assert found.spec is not None
    return found.spec


def block(*lines: str) -> str:
    return "".join(f"# {line}\n" for line in ("/// script", *lines, "///"))


def test_a_plugin_is_described_by_its_constants() -> None:
    found = spec("PLUGIN_NAME = 'b'\nVERSION = '1.0'\nREQUIRED_API_VERSION = '1.2'\n")
    assert (found.name, found.version, found.api, str(found.place)) == ("b", "1.0", "1.2", "plugins/a.py")


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("0.3", "0.3"),
        ("3", "3"),
        ("(6, 1, 0, 'final')", "6.1.0"),
        ("('6',)", None),
        ("b'1.0'", None),
        ("None", None),
        ("True", None),
        ("['1']", None),
        ("0x" + "f" * 5000, None),
        ("''", None),
    ],
)
def test_a_version_may_be_a_number_and_is_none_where_it_is_anything_else(said: str, version: str | None) -> None:
    for text in (f"VERSION = {said}\n", f"__version__ = {said}\n"):
        assert read(text).findings == ()
        assert spec(text).version == version
    assert spec(f"VERSION = {said}\n__version__ = '9'\n").version == (version or "9")


def test_its_block_goes_before_its_constants() -> None:
    text = block("requires-python = '>=3.11'", "dependencies = ['x>=3']", "[tool.plugline]", "name = 'c'", "api = '2'")
    found = spec(text + "PLUGIN_NAME = 'b'\nREQUIRED_API_VERSION = '1.2'\nVERSION = '1.0'\n")
    assert (found.name, found.api, found.version) == ("c", "2", "1.0")
    assert (found.requires_python, found.dependencies) == (">=3.11", ("x>=3",))


def test_a_plugin_that_says_nothing_has_its_files_name() -> None:
    found = spec("", "with space")
    assert (found.name, found.version, found.summary, found.api) == ("with space", None, "", None)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("\nREQUIRED_API_VERSION = 1.10", 2, "REQUIRED_API_VERSION is 1.1, a string such as '1.1' was expected"),
        ("PLUGIN_NAME = ['1']", 1, "PLUGIN_NAME is ['1'], a string was expected"),
        ("REQUIRED_API_VERSION = 0x" + "f" * 5000, 1, "REQUIRED_API_VERSION is a int whose repr raises ValueError"),
        ("VERSION = '\\x1b[2J'", 1, "VERSION is '\\x1b[2J', printable text was expected"),
        ("PLUGIN_NAME = 'a/b'", 1, "'a/b' is not a plugin name"),
        ("PLUGIN_NAME = ''", 1, "'' is not a plugin name"),
        (block("dependencies = 'x'"), 1, "'dependencies' of the 'script' block is 'x', a list of strings was expected"),
        (block("[tool]", "plugline = 3"), 1, "[tool.plugline] of the 'script' block is 3, a table was expected"),
        (block("[tool.plugline]", "nmae = 'x'"), 1, "unknown key 'nmae' in [tool.plugline]"),
    ],
)
def test_what_a_plugin_says_wrongly_of_itself_is_a_finding(text: str, line: int, message: str) -> None:
    (found,) = read(text).findings
    assert found.code == "P109"
    assert found.place.line == line
    assert message in found.message


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = block("dependencies = 3", "requires-python = 3", "[tool.plugline]", "version = 1.4", "nmae = 'x'")
    assert len(read(text).findings) == 4


@pytest.mark.parametrize("name", ["a\nb", " a", "a\udcff"])
def test_a_file_whose_name_cannot_be_told_is_refused(name: str) -> None:
    tree = MemoryTree("plugins", {f"{name}.py": b""})
    found = read_file(FileCandidate(name, tree, f"{name}.py", name), SourceFile(f"plugins/{name}.py", b""))
    assert [finding.code for finding in found.findings] == ["P109"]
    str(found.findings[0]).encode()


def module(name: str) -> PluginSpec:
    found = read_module(ModuleCandidate("x", name))
    assert found.spec is not None
    return found.spec


def test_a_module_of_the_standard_library_that_says_no_version_is_built_in() -> None:
    assert module("pickle").version == "built in"
    assert module("sys").version == "built in"


def test_a_module_says_its_version_by_dunder_version_too() -> None:
    assert module("json").version == "2.0.9"  # as it has been since 2008


@pytest.mark.parametrize(("name", "code"), [("plugline_absent", "P103"), ("json.absent", "P103"), ("a..b", "P109")])
def test_a_module_that_is_not_there_is_a_finding(name: str, code: str) -> None:
    assert [finding.code for finding in read_module(ModuleCandidate("x", name)).findings] == [code]


def test_an_object_that_is_named_as_if_it_were_a_module_is_to_be_named_with_a_colon() -> None:
    (finding,) = read_module(ModuleCandidate("x", "json.decoder.JSONDecoder")).findings
    assert finding.message == "needs the module 'json.decoder.JSONDecoder', which 'json.decoder' does not have"
    assert finding.hint == "mend the name; an object is named with a colon: 'json.decoder:JSONDecoder'"


def test_two_files_of_the_same_bytes_have_one_digest(tmp_path: Path) -> None:
    assert spec("x = 1", "a").digest == spec("x = 1", "b").digest != spec("x = 2").digest


def test_specs_that_are_equal_hash_alike() -> None:
    text = block("[tool.plugline.settings]", "size = 3")
    assert spec(text) == spec(text)
    assert len({spec(text), spec(text), spec("")}) == 2
