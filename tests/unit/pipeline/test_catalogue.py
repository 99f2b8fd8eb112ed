"""Names in a configuration to plugins."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugline.host.plugin import Plugin
from plugline.pipeline.catalogue import Catalogue, Kind
from tests.builders import processor

LINES = """
SUFFIXES = (".lines",)

class Lines:
    def reader(self): ...
    def writer(self): ...
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "plugins"
    made.mkdir()
    return made


@pytest.fixture
def catalogue(folder: Path) -> Iterator[Catalogue]:
    with Catalogue([str(folder)]) as made:
        yield made


def found(catalogue: Catalogue, kind: Kind, name: str) -> str:
    plugin = catalogue.find(kind, name)
    assert isinstance(plugin, Plugin), plugin
    return plugin.place.path


@pytest.mark.parametrize("file", ["upper.py", "upper_plugin.py", "upper_processor.py"])
def test_a_name_leads_to_its_file_or_to_one_with_an_ending(file: str, folder: Path, catalogue: Catalogue) -> None:
    (folder / file).write_text(processor())
    assert found(catalogue, "processor", "upper") == str(folder / file)


def test_the_file_of_the_very_name_comes_first(folder: Path, catalogue: Catalogue) -> None:
    (folder / "upper.py").write_text(processor())
    (folder / "upper_plugin.py").write_text(processor())
    assert found(catalogue, "processor", "upper") == str(folder / "upper.py")


@pytest.mark.parametrize("name", ["ndjson", "json", "csv"])
def test_a_shipped_format_is_found_by_name(name: str, catalogue: Catalogue) -> None:
    assert found(catalogue, "format", name).endswith(f"{name}.py")


@pytest.mark.parametrize(("suffix", "name"), [(".ndjson", "ndjson"), (".jsonl", "ndjson"), (".csv", "csv")])
def test_a_shipped_format_is_found_by_suffix(suffix: str, name: str, catalogue: Catalogue) -> None:
    plugin = catalogue.format_for(suffix)
    assert plugin is not None
    assert plugin.name == name


def test_a_format_in_the_folder_is_found_by_name_and_by_suffix(folder: Path, catalogue: Catalogue) -> None:
    (folder / "lines.py").write_text(LINES)
    assert found(catalogue, "format", "lines") == str(folder / "lines.py")
    plugin = catalogue.format_for(".lines")
    assert plugin is not None
    assert plugin.name == "lines"


def test_a_format_in_the_folder_comes_before_a_shipped_one(folder: Path, catalogue: Catalogue) -> None:
    (folder / "csv.py").write_text(LINES.replace(".lines", ".csv"))
    assert found(catalogue, "format", "csv") == str(folder / "csv.py")
    plugin = catalogue.format_for(".csv")
    assert plugin is not None
    assert plugin.place.path == str(folder / "csv.py")


@pytest.mark.parametrize(("kind", "name"), [("engine", "local"), ("format", "csv")])
def test_a_processor_does_not_stand_in_the_way_of_a_format_or_an_engine(
    kind: Kind, name: str, folder: Path, catalogue: Catalogue
) -> None:
    (folder / f"{name}.py").write_text(processor())
    assert "plugline" in found(catalogue, kind, name)
    assert found(catalogue, "processor", name) == str(folder / f"{name}.py")


def test_a_file_that_is_no_plugin_does_not_stand_in_the_way_of_a_shipped_one(
    folder: Path, catalogue: Catalogue
) -> None:
    (folder / "csv.py").write_text("TABLE = {}\n")
    assert "plugline" in found(catalogue, "format", "csv")


def test_a_broken_file_of_the_name_is_what_is_wrong(folder: Path, catalogue: Catalogue) -> None:
    (folder / "csv.py").write_text("class Csv(:\n")
    wrong = catalogue.find("format", "csv")
    assert not isinstance(wrong, Plugin)
    assert [(finding.code, finding.place.path, finding.place.line) for finding in wrong] == [
        ("P106", str(folder / "csv.py"), 1)
    ]


def test_a_plugin_of_another_kind_says_what_it_lacks(folder: Path, catalogue: Catalogue) -> None:
    (folder / "lines.py").write_text(LINES)
    wrong = catalogue.find("processor", "lines")
    assert not isinstance(wrong, Plugin)
    assert "transform" in wrong[0].message


def test_an_unknown_name_is_told_the_nearest_as_one_would_write_it(folder: Path, catalogue: Catalogue) -> None:
    (folder / "upper_plugin.py").write_text(processor())
    (folder / "lines.py").write_text(LINES)
    assert catalogue.find("processor", "uper") == ()
    message, hint = catalogue.unknown("processor", "uper")
    assert message == "no processor is named 'uper'"
    assert hint.startswith("did you mean 'upper'? known processors are ")
    assert "lines" not in hint


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("processor", "csv", 'it is a format: format = "csv" in [source] or [sink]'),
        ("processor", "own", 'it is a format: format = "own" in [source] or [sink]'),
        ("format", "filter", 'it is a processor: use = "filter" in [[steps]]'),
        ("format", "dask", 'it is an engine: engine = "dask" in [run]'),
    ],
)
def test_a_name_of_another_kind_is_told_where_it_is_written(
    folder: Path, catalogue: Catalogue, kind: Kind, name: str, hint: str
) -> None:
    (folder / "own_format.py").write_text(LINES)
    assert catalogue.unknown(kind, name) == (f"no {kind} is named {name!r}", hint)


def test_every_plugin_is_listed_with_its_origin_and_kind(folder: Path, catalogue: Catalogue) -> None:
    (folder / "upper.py").write_text(processor())
    listed = {(origin, plugin.name, catalogue.kinds_of(plugin)) for origin, plugin in catalogue.listing()}
    assert {
        ("folder", "upper", ("processor",)),
        ("shipped", "csv", ("format",)),
        ("shipped", "local", ("engine",)),
    } <= listed


def test_a_missing_folder_is_a_finding(tmp_path: Path) -> None:
    with Catalogue([str(tmp_path / "nowhere")]) as catalogue:
        assert [finding.code for finding in catalogue.findings] == ["P110"]
