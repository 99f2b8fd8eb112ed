"""Plugins at the top level of imports, and hosts that compile for themselves."""

import sys
from pathlib import Path
from types import CodeType

import pytest

from plugline import Host, PluginRejected
from tests.plugin_folders import write


def test_a_package_that_imports_itself_by_its_own_name_works_at_the_top_level(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "pl_top/__init__.py": "from pl_top.inner import answer\n",
        "pl_top/inner.py": "def answer():\n    return __name__\n",
    }
    with Host(write(tmp_path, files), namespace="") as host:
        plugin = host["pl_top"].load()
        assert plugin.answer() == "pl_top.inner"  # type: ignore[attr-defined]
        assert sys.modules["pl_top"] is plugin
        assert not list(tmp_path.rglob("__pycache__"))
    assert "pl_top" not in sys.modules
    assert "pl_top.inner" not in sys.modules


def test_a_top_level_name_of_the_standard_library_is_refused_and_stays_what_it_is(tmp_path: Path) -> None:
    with Host(write(tmp_path, {"decimal.py": "", "pl_free.py": ""}), namespace="") as host:
        assert host.names == ("pl_free",)
        with pytest.raises(PluginRejected, match="standard library") as caught:
            host["decimal"]
        assert [finding.code for finding in caught.value.findings] == ["P400"]
        import decimal

        assert decimal.Decimal(1) == 1


def test_a_top_level_name_of_an_installed_module_is_refused_and_the_message_names_it(tmp_path: Path) -> None:
    with Host(write(tmp_path, {"packaging/__init__.py": ""}), namespace="") as host:
        (rejected,) = host.rejected
        assert rejected.findings[0].code == "P400"
        import packaging

        assert str(packaging.__file__) in rejected.findings[0].message


def test_of_two_folders_at_the_top_level_the_first_has_the_name(tmp_path: Path) -> None:
    first = write(tmp_path / "first", {"pl_twice.py": "WHERE = 'first'\n"})
    second = write(tmp_path / "second", {"pl_twice.py": "WHERE = 'second'\n"})
    with Host(first, namespace="") as one, Host(second, namespace="") as other:
        assert one["pl_twice"].load().WHERE == "first"  # type: ignore[attr-defined]
        assert [finding.code for rejected in other.rejected for finding in rejected.findings] == ["P400"]


def test_a_host_may_compile_what_its_plugins_are_made_of(tmp_path: Path) -> None:
    def compiler(content: bytes, path: str) -> CodeType:
        return compile(content.replace(b"41", b"42"), path, "exec")

    files: dict[str, str | bytes] = {"one.py": "from .two import X\n", "two.py": "X = 41\n"}
    with Host(write(tmp_path, files), compiler=compiler) as host:
        assert host["one"].load().X == 42  # type: ignore[attr-defined]
    with Host(tmp_path) as host:
        assert host["one"].load().X == 41  # type: ignore[attr-defined]


def test_a_reload_is_compiled_as_the_host_compiles(tmp_path: Path) -> None:
    def compiler(content: bytes, path: str) -> CodeType:
        if b"refused" in content:
            raise LookupError("no such word")
        return compile(content.replace(b"4", b"5"), path, "exec")

    body, names = "def f():\n    return 41\n", "def f():\n    return X\nX = 42\n"
    write(tmp_path, {"one.py": "from .two import T\ndef f():\n    return 40\n", "two.py": "T = 0\n"})
    with Host(tmp_path, interface=["f"], compiler=compiler) as host:
        one = host["one"].load()
        for text, expected in ((body, 51), (names, 52), (body, 51)):
            write(tmp_path, {"one.py": text})
            assert host.reload("one").ok
            assert one.f() == expected  # type: ignore[attr-defined]
        write(tmp_path, {"one.py": f"{body}# refused"})
        report = host.reload("one")
        assert [finding.message for finding in report.refused] == ["cannot be compiled: no such word"]
    write(tmp_path, {"one.py": body})
    with Host(tmp_path, interface=["f"]) as host:
        assert host["one"].load().f() == 41  # type: ignore[attr-defined]


def test_a_compiler_that_returns_no_code_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"one.py": "X = 41\n"})
    with Host(tmp_path, compiler=lambda content, path: None) as host:  # type: ignore[arg-type, return-value]
        host.load_all()
        (rejected,) = host.rejected
        assert "the compiler of the host returned None, code was expected" in rejected.findings[0].message


def test_a_compiler_for_plugins_that_workers_compile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="compiler and isolation were given"):
        Host(tmp_path, compiler=lambda content, path: compile(content, path, "exec"), isolation="process")


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("VERSION = (6, 1, 0)", "6.1.0"),
        ("VERSION = (4, 2, 0, 'final', 0)", "4.2.0"),
        ("__version__ = (1,)", "1"),
        ("VERSION = 3", "3"),
        ("VERSION = '2.0'\n__version__ = (1,)", "2.0"),
    ],
)
def test_a_version_may_be_a_number_or_a_tuple_of_numbers(tmp_path: Path, line: str, version: str) -> None:
    with Host(write(tmp_path, {"one.py": line + "\n"})) as host:
        assert host["one"].version == version
