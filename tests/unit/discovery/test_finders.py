import importlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from plugline import EntryPoints, File, Folder, Host, Modules, Package
from plugline.discovery.candidates import FileCandidate, Found, ModuleCandidate
from plugline.discovery.folder import finder_for
from tests.plugin_folders import write


def names(found: Found) -> list[str]:
    return [candidate.name for candidate in found.candidates]


def modules(found: Found) -> dict[str, str]:
    return {candidate.name: candidate.module for candidate in found.candidates}


def test_a_folder_holds_its_files_and_packages_by_name(tmp_path: Path) -> None:
    files = [
        "b.py",
        "a.py",
        "pack/__init__.py",
        "pack/inner.py",
        "_c.py",
        ".d.py",
        "__init__.py",
        "notes.txt",
        "e/f.py",
    ]
    write(tmp_path, dict.fromkeys(files, ""))
    found = Folder(tmp_path).find()
    assert names(found) == ["a", "b", "pack"]
    assert not found.findings
    assert not found.refused


def test_file_names_need_be_no_identifiers(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(["with space.py", "with-hyphen.py", "class.py", "1st.py", "größe.py"], ""))
    assert len(names(Folder(tmp_path).find())) == 5


def test_no_two_files_get_one_module_name(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(["a.b.py", "a_b.py", "a-b.py"], ""))
    assert modules(Folder(tmp_path).find()) == {"a-b": "a-b", "a.b": "a_b_", "a_b": "a_b"}


def test_a_directory_that_is_named_like_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.py").mkdir()
    found = Folder(tmp_path).find()
    assert [(name, finding.code) for name, finding in found.refused] == [("x", "P102")]


@pytest.mark.parametrize(
    ("make", "message"),
    [(lambda path: None, "does not exist"), (lambda path: path.write_text(""), "this is a file")],
    ids=["absent", "file"],
)
def test_a_folder_that_is_none_is_a_finding(make: object, message: str, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / "plugins")
    found = Folder(tmp_path / "plugins").find()
    assert [finding.code for finding in found.findings] == ["P110"]
    assert message in found.findings[0].message
    assert found.findings[0].hint is not None


def test_an_empty_folder_holds_nothing_and_nothing_is_wrong(tmp_path: Path) -> None:
    assert Folder(tmp_path).find() == Found()


def test_a_link_to_itself_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": ""})
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "ring").symlink_to("ring")
    assert names(Folder(tmp_path).find()) == ["a", "loop"]


def test_a_relative_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"plugins/a.py": ""})
    monkeypatch.chdir(tmp_path)
    folder = Folder("plugins")
    monkeypatch.chdir("/")
    assert names(folder.find()) == ["a"]


@pytest.mark.parametrize(
    ("path", "namespace"), [("my plugins", "my plugins"), ("2024", "2024"), ("a.b", "a_b"), ("/", "plugins")]
)
def test_a_folders_namespace_is_its_name(path: str, namespace: str) -> None:
    assert Folder(path).namespace == namespace


@pytest.mark.parametrize("path", ["pack", "pack/", "one.py"])
def test_a_single_plugin_is_found_by_its_path(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"pack/__init__.py": "", "one.py": ""})
    monkeypatch.chdir(tmp_path)
    assert names(File(path).find()) == [path.strip("/").removesuffix(".py")]


def test_a_single_folder_without_init_is_refused(tmp_path: Path) -> None:
    assert [finding.code for _, finding in File(tmp_path).find().refused] == ["P102"]


# ---- installed ones


def test_a_package_is_listed_by_a_pattern_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        {
            "formatters/__init__.py": "raise AssertionError('was run')",
            "formatters/json_formatter.py": "raise AssertionError('was run')",
            "formatters/csv_formatter/__init__.py": "",
            "formatters/_private_formatter.py": "",
            "formatters/helper.py": "",
            "formatters/_formatter.py": "",
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = Package("formatters", pattern="{}_formatter").find()
    assert modules(found) == {"csv": "formatters.csv_formatter", "json": "formatters.json_formatter"}
    assert "formatters" not in sys.modules


def test_a_module_has_the_name_that_the_program_gives_it_whatever_it_calls_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "calls_itself.py").write_text("PLUGIN_NAME = 'mine'\nclass A: ...\nclass B: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    with Host(Modules({"one": "calls_itself:A", "two": "calls_itself:B"})) as host:
        assert (host.names, host.rejected) == (("one", "two"), ())


@pytest.mark.parametrize(("name", "what"), [("plugline_absent", "is not installed"), ("csv", "a package was expected")])
def test_a_package_that_is_none_is_a_finding(name: str, what: str) -> None:
    (found,) = Package(name).find().findings
    assert found.code == "P110"
    assert what in found.message
    assert "--plugins" not in found.advice  # which is about folders


@pytest.mark.parametrize("pattern", ["", "x", "{}{}"])
def test_a_pattern_has_one_place_for_the_name(pattern: str) -> None:
    with pytest.raises(ValueError, match="once, for the plugin's name"):
        Package("formatters", pattern=pattern)


@pytest.mark.parametrize("pattern", ["{}_formatter.py", "json.{}"])
def test_a_pattern_that_no_module_can_have_is_the_hosts_mistake(pattern: str) -> None:
    with pytest.raises(ValueError, match="has a dot"):
        Package("formatters", pattern=pattern)


@pytest.mark.parametrize("name", ["", ".", ".relative", "a..b"])
def test_a_package_without_a_name_is_the_hosts_mistake(name: str) -> None:
    with pytest.raises(ValueError, match="not the dotted name of a package"):
        Package(name)


def test_a_mapping_keeps_its_order() -> None:
    found = Modules({"json": "json", "decoder": "json.decoder:JSONDecoder"}).find()
    assert found.candidates == (
        ModuleCandidate("json", "json"),
        ModuleCandidate("decoder", "json.decoder", "JSONDecoder"),
    )


@pytest.mark.parametrize("target", ["", ".a", "a..b", "a:b:c", "a b"])
def test_a_mapping_to_what_is_no_dotted_name_is_the_hosts_mistake(target: str) -> None:
    with pytest.raises(ValueError, match=r"'package\.module' or 'package\.module:object' was expected"):
        Modules({"x": target})


def distribution(folder: Path, entry_points: Mapping[str, str]) -> None:
    lines = "".join(f"{name} = {value}\n" for name, value in entry_points.items())
    write(
        folder,
        {
            "shouting-2.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: shouting\nVersion: 2.1\n",
            "shouting-2.1.dist-info/entry_points.txt": f"[plugline.test]\n{lines}",
            "shouting.py": "def transform(record): return record\nclass Loud: pass\n",
        },
    )


def test_entry_points_are_found_with_their_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path, {"shout": "shouting", "loud": "shouting:Loud [extra]"})
    monkeypatch.syspath_prepend(tmp_path)
    found = EntryPoints("plugline.test").find()
    assert found.candidates == (
        ModuleCandidate("loud", "shouting", "Loud", "shouting", "2.1"),
        ModuleCandidate("shout", "shouting", "", "shouting", "2.1"),
    )
    assert "shouting" not in sys.modules


def test_an_entry_point_that_makes_no_sense_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, {"bad": "not a module", "worse": "a..b", "good": "shouting"})
    monkeypatch.syspath_prepend(tmp_path)
    found = EntryPoints("plugline.test").find()
    assert names(found) == ["good"]
    assert [(name, finding.code) for name, finding in found.refused] == [("bad", "P109"), ("worse", "P109")]


# ---- finder_for


def test_a_path_is_a_folder_unless_it_is_named_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "dir.py").mkdir()
    assert isinstance(finder_for("plugins"), Folder)
    assert isinstance(finder_for(tmp_path / "absent.py"), File)
    assert isinstance(finder_for(tmp_path / "dir.py"), Folder)
    modules_finder = Modules({})
    assert finder_for(modules_finder) is modules_finder


@pytest.mark.parametrize("place", [3, b"plugins", None, ["plugins"]])
def test_what_is_no_place_is_refused(place: object) -> None:
    with pytest.raises(TypeError, match=r"was expected"):
        finder_for(place)


def test_a_candidate_says_where_it_is(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": ""})
    (candidate,) = Folder(tmp_path).find().candidates
    assert isinstance(candidate, FileCandidate)
    assert str(candidate.place) == str(tmp_path / "a.py")


def test_only_the_candidates_that_the_environment_names_are_there_also_in_a_remembered_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.py").write_text("X = 1\n", "utf-8")
    monkeypatch.setenv("PLUGLINE_CACHE", str(tmp_path / "cache"))
    real = time.time_ns  # so late that no second edit can be meant
    monkeypatch.setattr("plugline.discovery.update.unix_nanoseconds", lambda: real() + 3_000_000_000)
    for _ in range(2):  # remembered from the second time on
        with Host(folder) as host:
            assert host.names == ("a", "b", "c")
    monkeypatch.setenv("PLUGLINE_ONLY", "c\na")
    with Host(folder) as host:
        assert host.names == ("a", "c")
    monkeypatch.setenv("PLUGLINE_ONLY", "")
    with Host(folder) as host:
        assert host.names == ()
    monkeypatch.delenv("PLUGLINE_ONLY")
    with Host(folder) as host:
        assert host.names == ("a", "b", "c")


def test_what_a_link_leads_to_is_found_under_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, {"sub/a.py": ""})
    (tmp_path / "a_link").symlink_to("sub")
    (tmp_path / "z_link").symlink_to("sub")
    assert names(Folder(tmp_path, nested=True).find()) == ["sub.a"]


def test_a_link_that_leads_out_of_a_nested_folder_is_told_once_and_not_followed(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"plugins/sub/a.py": "def run(): ...\n", "outside/b.py": "", "outside/more/c.py": "", "data/x.csv": ""},
    )
    (tmp_path / "plugins" / "sub" / "out").symlink_to(tmp_path / "outside")
    (tmp_path / "plugins" / "data").symlink_to(tmp_path / "data")
    for _ in range(2):  # the second time it is remembered
        with Host(Folder(tmp_path / "plugins", nested=True), interface=["run"]) as host:
            assert host.names == ("sub.a",)
            (rejection,) = host.rejected
            (finding,) = rejection.findings
            assert (rejection.name, finding.code) == ("sub.out", "P108")
            assert finding.place.path == str(tmp_path / "plugins" / "sub" / "out")
            assert finding.hint == "copy the folder into the folder instead of linking it"


def test_the_init_of_a_package_is_the_package(tmp_path: Path) -> None:
    write(tmp_path, {"pack/__init__.py": ""})
    assert names(File(tmp_path / "pack" / "__init__.py").find()) == names(File(tmp_path / "pack").find()) == ["pack"]


@pytest.mark.parametrize("path", ["pack//__init__.py", "./pack/__init__.py/", "__init__.py", "./__init__.py"])
def test_the_init_of_a_package_is_the_package_however_it_is_written(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"pack/__init__.py": ""})
    monkeypatch.chdir(tmp_path if "pack" in path else tmp_path / "pack")
    with Host(File(path)) as host:
        assert host.names == ("pack",)
        assert host["pack"].place.path.endswith("pack/__init__.py")


@pytest.mark.parametrize("wrong", ["json", {"a": 3}, {3: "json"}, [3]])
def test_a_mapping_of_other_than_strings_is_the_hosts_mistake(wrong: object) -> None:
    with pytest.raises(TypeError, match="expected"):
        Modules(wrong)  # type: ignore[arg-type]


def test_a_name_that_no_plugin_can_have_is_the_hosts_mistake() -> None:
    with pytest.raises(ValueError, match="'a/b' is not a plugin name"):
        Modules({"a/b": "json"})


def test_a_folder_of_which_the_home_was_not_expanded_is_told_as_that() -> None:
    (finding,) = Folder("~/plugins").find().findings
    assert finding.hint is not None
    assert "os.path.expanduser('~/plugins')" in finding.hint


def test_a_distribution_that_cannot_be_read_costs_its_own_entry_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {
        "good-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: good\nVersion: 1.0\n",
        "good-1.0.dist-info/entry_points.txt": "[plugline.test]\ngood = json\n",
        "no_name-1.0.dist-info/METADATA": "",
        "no_name-1.0.dist-info/entry_points.txt": "[plugline.test]\nno_name = json\n",
        "bad-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n",
    }
    write(tmp_path, good)
    (tmp_path / "bad-1.0.dist-info" / "entry_points.txt").write_bytes(b"[plugline.test]\n\xff = json\n")
    for _ in range(2):  # as of a script that adds its own folder
        monkeypatch.syspath_prepend(tmp_path)
    found = EntryPoints("plugline.test").find()
    assert names(found) == ["good", "no_name"]
    (finding,) = found.findings
    assert (finding.code, finding.severity) == ("P110", "warning")
    assert "bad-1.0.dist-info" in finding.place.path
    assert finding.hint == "install it again: pip install --force-reinstall bad"


def test_what_distributions_name_wrongly_is_told_with_the_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"both_of_tests.py": "class Table: ...\n"}
    for one in ("first", "second"):
        files[f"{one}-1.0.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {one}\nVersion: 1.0\n"
    files["first-1.0.dist-info/entry_points.txt"] = (
        "[plugline.test]\nsame = both_of_tests\ngone = gone_of_tests\nnear = both_of_tests:Tabel\n"
    )
    files["second-1.0.dist-info/entry_points.txt"] = "[plugline.test]\nsame = both_of_tests:Table\n"
    write(tmp_path, files)
    monkeypatch.syspath_prepend(tmp_path)
    with Host(EntryPoints("plugline.test")) as host:
        host.load_all()
        told = {rejection.name: str(rejection) for rejection in host.rejected}
    assert "is named 'same' by second, as is" in told["same"]
    assert "both_of_tests.py by first, which comes first" in told["same"]
    assert "first has an entry point to it\n  hint: pip install --force-reinstall first" in told["gone"]
    assert "'both_of_tests' has no 'Tabel'\n  hint: did you mean 'Table'?" in told["near"]


def test_a_finder_of_distributions_that_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, *_: object) -> None:
            """Find no module."""

        def find_distributions(self, *_: object) -> object:
            raise RuntimeError("broken")

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Broken()])
    with Host(EntryPoints("plugline.test")) as host:
        assert not host.names
        (finding,) = host.findings
    assert finding.message == "what is installed cannot be listed: RuntimeError: broken"


def test_a_finder_of_somebody_elses_that_raises_costs_no_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of volatility3 does, which wants its plugins to be imported by another name."""

    class Refusing:
        def find_spec(self, name: str, *_: object) -> None:
            if name.startswith("pl_refused."):
                message = f"do not use {name} directly"
                raise UserWarning(message)

    write(tmp_path, {"pl_refused/__init__.py": "", "pl_refused/one.py": "def run(): ...\n"})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [Refusing(), *sys.meta_path])
    with Host(Package("pl_refused"), Modules(["pl_refused.one"]), interface=["run"]) as host:
        assert host.names == ("one", "pl_refused.one")
        host.load_all()
        assert ["do not use pl_refused.one directly" in str(rejected) for rejected in host.rejected] == [True, True]


def test_a_package_that_is_loaded_says_itself_where_its_modules_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "pl_spread/__init__.py": "import os\n__path__ = [os.path.join(os.path.dirname(__file__), one) for one in ('a', 'b')]\n",
        "pl_spread/a/one.py": "",
        "pl_spread/b/two/__init__.py": "",
        "pl_spread/b/two/three.py": "",
        "pl_spread/left.py": "",
    }
    write(tmp_path, files)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("pl_spread")
    with Host(Package("pl_spread"), Package("pl_spread.two")) as host:
        assert host.names == ("one", "three", "two")
        assert len(host.load_all()) == 3
    for name in [name for name in sys.modules if name.startswith("pl_spread")]:
        del sys.modules[name]
