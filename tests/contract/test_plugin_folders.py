"""Every folder of tests/plugins does what its name says: the bad ones are found out, the good ones load."""

from pathlib import Path
from typing import Protocol

import pytest

from plugline import Host

ROOT = Path(__file__).parents[1] / "plugins"

EXPECTED = {
    "bad_pep723_block": {
        "misspelt_key": ["P109"],
        "not_toml": ["P109"],
        "two_blocks": ["P109"],
        "wrong_types": ["P109", "P109", "P109"],
    },
    "declines": {"fails_to_say": ["P305"]},
    "directory_named_x_py": {"x": ["P102"]},
    "exits_on_load": {"needs_arguments": ["P302"], "quits": ["P302"]},
    "imports_missing_module": {
        "needs_absent": ["P103"],
        "needs_absent_declared": ["P103"],
        "needs_absent_neighbour": ["P301"],  # from . import: Python raises a plain ImportError
    },
    "missing_functions": {"empty": ["P201"], "half": ["P201"], "imported_only": ["P201"], "nothing": ["P201"]},
    "not_callable": {"computed": ["P202"], "number": ["P202"]},
    "not_utf8": {"latin": ["P105"], "wrong_cookie": ["P105"]},
    "nul_bytes": {"torn": ["P105"]},
    "raises_base_exception": {"cancels": ["P301"], "generator_exit": ["P301"]},
    "raises_on_load": {"no_table": ["P301"]},
    "syntax_error": {"indented": ["P106"], "unclosed": ["P106"]},
    "two_of_one_name": {"clean": ["P107"]},
    "wrong_api_version": {
        "later_minor": ["P210"],
        "next_major": ["P210"],
        "range": ["P210"],
        "unreadable": ["P211"],
    },
    "wrong_signature": {
        "describe_takes_one": ["P203"],
        "method_without_self": ["P203"],
        "needs_a_keyword": ["P203"],
        "takes_none": ["P203"],
        "takes_two": ["P203"],
    },
    "ten": {
        "api_of_tomorrow": ["P210"],
        "block_unreadable": ["P109"],
        "clean": ["P103"],
        "exits": ["P302"],
        "latin": ["P105"],
        "nothing": ["P201"],
        "number": ["P202"],
        "raises": ["P301"],
        "takes_two": ["P203"],
        "unclosed": ["P106"],
    },
}


class Processor(Protocol):
    def transform(self, record: object) -> object: ...
    def describe(self) -> str: ...


def host(folder: Path) -> Host[Processor]:
    return Host(folder, interface=Processor, api_version="1.2")


def test_every_bad_folder_is_expected_to_be_so() -> None:
    assert {folder.name for folder in (ROOT / "bad").iterdir() if folder.is_dir()} == set(EXPECTED)


@pytest.mark.parametrize("folder", EXPECTED)
def test_a_bad_plugin_is_found_out_and_its_neighbour_goes_on(folder: str) -> None:
    with host(ROOT / "bad" / folder) as plugins:
        loaded = [plugin.name for plugin in plugins.load_all()]
        found = {rejected.name: [finding.code for finding in rejected.findings] for rejected in plugins.rejected}
        assert found == EXPECTED[folder]
        assert ("neighbour" in loaded) is (folder != "ten")
        for rejected in plugins.rejected:
            assert all(finding.place.path.startswith(str(ROOT)) for finding in rejected.findings)
            assert 1 <= len(str(rejected).splitlines()) <= 6


def test_a_plugin_that_declines_is_not_rejected() -> None:
    with host(ROOT / "bad/declines") as plugins:
        plugins.load_all()
        assert plugins.declined == {
            "no_display": "there is no display here",
            "says_only_no": "its available() returned False",
        }


SETTINGS: dict[str, dict[str, object]] = {
    "annotated": {"fields": ["name"]},
    "dataclassed": {"column": "score", "bounds": {"low": 0.0, "high": 9.0}},
}


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "good").iterdir()))
def test_every_good_plugin_loads_and_describes_itself(folder: str) -> None:
    with host(ROOT / "good" / folder) as plugins:
        assert plugins.rejected == ()
        assert len(plugins) > 0
        for plugin in plugins:
            assert plugin.load(SETTINGS.get(plugin.name)).describe().startswith(f"{plugin.name}: ")
