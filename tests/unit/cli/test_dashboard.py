"""An engine's own page on what it does is named in whatever is said of a run."""

import json
from pathlib import Path

import pytest

from plugline.cli import main
from tests.builders import ndjson, pipeline

ENGINE = '''
"""Has a dashboard as soon as its cluster is there."""

VERSION = "0.1"
ADDRESS = "http://127.0.0.1:8787/status"


class Showing:
    address: str = ADDRESS

    def run(self, runner, splits, /):
        self.dashboard_url = self.address
        for split in splits:
            yield runner(split)

    def close(self):
        print("closed")
'''
ADDRESS = "http://127.0.0.1:8787/status"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pipeline(tmp_path, plugins={"showing.py": ENGINE}, source=ndjson({"a": 1}), run='engine = "showing"')
    return tmp_path / "pipeline.toml"


def test_the_dashboard_is_said_before_the_summary(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(file)]) == 0
    assert capsys.readouterr().err.partition("\n")[0] == f"dashboard: {ADDRESS}"


def test_a_quiet_run_says_nothing_of_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--quiet", str(file)]) == 0
    assert "dashboard" not in capsys.readouterr().err


def test_it_is_in_the_json_and_linked_in_the_page(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--json", "--report", str(tmp_path / "page.html"), str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["dashboard"] == ADDRESS
    assert f'<a href="{ADDRESS}">' in (tmp_path / "page.html").read_text()


def test_what_is_no_address_of_a_page_is_not_linked(file: Path, tmp_path: Path) -> None:
    text = file.read_text().replace('engine = "showing"', 'engine = "showing"\noptions = { address = "javascript:1" }')
    file.write_text(text)
    assert main(["run", "-q", "--report", str(tmp_path / "page.html"), str(file)]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "javascript:1" in page
    assert 'href="javascript' not in page


def test_an_engine_is_closed_at_the_end_of_the_run(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--quiet", str(file)]) == 0
    assert capsys.readouterr() == ("", "closed\n")
