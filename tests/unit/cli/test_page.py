import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from plugline.cli import main
from tests.builders import ndjson, pipeline, processor

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
EMPTY = {"meta", "br", "link", "input", "img", "line", "polygon", "polyline"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, *words: str, code: int, body: str = "return record", **given: object) -> str:
    source = ndjson(*({"n": number, "name": f"name {number}"} for number in range(40)), b"{broken <b>line</b>")
    top = given.pop("top", 'VERSION = "1.2.3"')
    pipeline(folder, plugins={"work.py": processor(body, top=str(top))}, source=source, steps=["work"], **given)  # type: ignore[arg-type]
    assert main(["run", "-q", "--report", "report.html", *words]) == code
    return Path("report.html").read_text(encoding="utf-8")


class _Page(HTMLParser):
    """Notes what a page holds, and that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "data", "srcset")]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


FAILS = "if record['n'] % 4 == 0:\n    raise ValueError(f'four <script>alert({record[\"n\"]})</script>')\nreturn record"


def test_a_page_tells_all_of_a_run(folder: Path) -> None:
    page = parsed(run(folder, code=1, body=FAILS))
    text = " ".join(page.text.split())
    for heading in ("Throughput", "Time per step", "Records per step", "Failures", "Plugins"):
        assert heading in text
    assert "complete, 11 dead letters" in text
    assert "ValueError (plugins/work.py:5)" in text
    assert "in.ndjson, line 1: four <script>alert(0)</script>" in text
    assert "{broken <b>line</b>" in text
    assert "1.2.3" in text
    assert len(re.findall(r"[0-9a-f]{64}", text)) >= 2
    assert "Traceback" in text


def test_a_page_needs_nothing_from_anywhere_and_runs_nothing(folder: Path) -> None:
    text = run(folder, code=1, body=FAILS)
    page = parsed(text)
    assert page.links == []
    assert not page.tags & {"script", "iframe", "object", "embed", "img", "link", "form"}
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert len(text) < 100_000


def test_nothing_of_a_record_or_plugin_becomes_part_of_the_page(folder: Path) -> None:
    evil = "</code></pre><script>x</script><style>\"'&"
    body = f"raise KeyError({evil!r})"
    text = run(folder, "--max-errors", "none", code=1, body=body, top=f'VERSION = "<i>{1}</i>"')
    assert "<script" not in text
    assert "<i>" not in text


def test_what_cannot_be_seen_is_shown_as_an_escape(folder: Path) -> None:
    hidden = "gnp.\u202ecod\x1b[2J\x07"
    plugins = {"work.py": processor(f"raise ValueError({hidden!r})")}
    source = ndjson({"n": 1}) + f'{{"broken": "{hidden}"\n'.encode()
    pipeline(folder, plugins=plugins, source=source, steps=[f'use = "work"\nname = {json.dumps(hidden)}'])
    assert main(["run", "-q", "--report", "report.html", "--max-errors", "none"]) == 1
    text = Path("report.html").read_text(encoding="utf-8")
    assert "gnp.\\u202ecod\\x1b[2J\\x07" in text
    assert not [one for one in text if not one.isprintable() and one != "\n"]


def test_a_run_that_stopped_has_a_page_that_says_so(folder: Path) -> None:
    page = parsed(run(folder, "--max-errors", "3", code=4, body=FAILS))
    assert "stopped before the end" in page.text
    assert "(not in place)" in page.text


def test_a_run_without_failures_says_so(folder: Path) -> None:
    pipeline(folder, source=ndjson({"n": 1}))
    assert main(["run", "-q", "--report", "report.html"]) == 0
    page = parsed(Path("report.html").read_text(encoding="utf-8"))
    assert "complete" in page.text
    assert re.search(r"Failures\s+none", page.text)


@pytest.mark.parametrize(
    "path", ["in.ndjson", "./in.ndjson", "out.ndjson", "out.errors.ndjson", "pipeline.toml", "notes.txt"]
)
def test_a_page_is_not_written_over_what_is_no_page(
    folder: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    pipeline(folder, source=ndjson({"a": 1}))
    (folder / "notes.txt").write_text("my notes", encoding="utf-8")
    before = {one: one.read_bytes() for one in folder.iterdir() if one.is_file()}
    assert main(["run", "--report", path]) == 2
    assert f"--report {path!r} is " in capsys.readouterr().err
    assert {one: one.read_bytes() for one in folder.iterdir() if one.is_file()} == before


@pytest.mark.parametrize("path", ["absent/report.html", ".", "folder/"])
def test_a_place_where_no_page_can_be_is_told_before_the_run(
    path: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = pipeline(folder, source=ndjson({}))
    assert main(["run", "--report", path]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert made.files == ["in.ndjson", "pipeline.toml"]


def test_the_profile_says_which_plugin_the_time_goes_to(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = processor("for _ in range(20_000):\n    pass\nreturn record")
    pipeline(
        folder,
        plugins={"slow.py": slow, "quick.py": processor()},
        source=ndjson(*({"n": number} for number in range(100))),
        steps=["quick", "slow", 'use = "slow"\nname = "again"'],
    )
    assert main(["run", "-q", "--profile"]) == 0
    first = capsys.readouterr().err.splitlines()[1].split()
    assert first[0] == "slow"
    assert first[-3:] == ["slow,", "again", "plugins/slow.py"]
    assert main(["run", "-q", "--profile", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["profile"]
    assert told[0]["plugin"] == "slow"
    assert told[0]["records"] == 200
    assert told[0]["share"] > 0.5
    assert abs(sum(one["share"] for one in told) - 1) < 1e-6


def in_milliseconds(time: str) -> float:
    """Return what a page writes as "12.3 ms"."""
    number, unit = time.split()
    return float(number) * {"ns": 1e-6, "µs": 1e-3, "ms": 1, "s": 1e3}[unit]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here: apt-get install chromium")
def test_a_browser_shows_the_page(folder: Path) -> None:
    run(folder, code=1, body=FAILS)
    assert CHROMIUM is not None
    browser = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    browser += [f"--user-data-dir={folder / 'profile'}", "--window-size=1180,1600", "--virtual-time-budget=2000"]
    url = f"file://{folder / 'report.html'}"
    dumped = subprocess.run([*browser, "--dump-dom", url], capture_output=True, text=True, timeout=60, check=True)
    # The browser's own reading of it: every table and drawing is where it was put.
    page = parsed(dumped.stdout.partition("<!DOCTYPE html>")[2])
    assert page.tags >= {"header", "section", "svg", "table", "details"}
    assert "11 dead letters" in page.text
    shot = folder / "shot.png"
    subprocess.run([*browser, f"--screenshot={shot}", url], capture_output=True, timeout=60, check=True)
    assert shot.read_bytes().startswith(b"\x89PNG")
    assert shot.stat().st_size > 20_000  # a blank page of this size has three thousand bytes


def test_of_a_step_that_takes_tables_the_slowest_batches_are_told_with_their_rows(folder: Path) -> None:
    slow = """
import time

def transform_batch(table):
    if 1 in table.column("slow").to_pylist():
        time.sleep(0.8)
    return table

def describe():
    return "slow now and then"
"""
    records = ({"n": number, "slow": int(number == 40_000), "more": "x" * 40} for number in range(50_000))
    pipeline(folder, plugins={"slow.py": slow}, source=ndjson(*records), steps=["slow"], run="processes = 1")
    assert main(["run", "-q", "--report", "report.html"]) == 0
    text = Path("report.html").read_text(encoding="utf-8")
    section = text.partition('id="slowest-records"')[2].partition("</section>")[0]
    row = r"<td>in\.ndjson, row ([\d,]+) to ([\d,]+) \(([\d,]+) records\)</td><td>slow \(([\d.]+ \w+)\)</td>"
    # On a machine with much else to do, another batch may be slow as well.
    told = [
        (last - first + 1, count, in_milliseconds(time))
        for *numbers, time in re.findall(row, section)
        for first, last, count in [[int(one.replace(",", "")) for one in numbers]]
        if first <= 40_001 <= last
    ]
    assert [(said, time >= 800) for _, said, time in told] == [(rows, True) for rows, *_ in told], section
    assert len(told) == 1
    assert " a record</td>" in section


def test_the_page_is_where_it_was_asked_for_though_a_plugin_goes_elsewhere(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    body = f"os.chdir({str(folder / 'elsewhere')!r})\nreturn record"
    source = ndjson({"n": 1})
    pipeline(
        folder,
        plugins={"work.py": processor(body, top="import os")},
        source=source,
        steps=["work"],
        run="processes = 1",
    )
    assert main(["run", "-q", "--report", "report.html"]) == 0
    assert (folder / "report.html").exists()


def test_the_slowest_records_are_told_with_their_places_and_steps(folder: Path) -> None:
    slow = processor(
        "if record['n'] in (7, 21):\n    end = perf_counter() + 0.05\n    while perf_counter() < end: pass\nreturn record",
        top="from time import perf_counter",
    )
    pipeline(
        folder,
        plugins={"slow.py": slow, "quick.py": processor()},
        source=ndjson(*({"n": number} for number in range(40))),
        steps=["quick", "slow"],
    )
    assert main(["run", "-q", "--report", "report.html"]) == 0
    text = Path("report.html").read_text(encoding="utf-8")
    section = text.partition('id="slowest-records"')[2].partition("</section>")[0]
    rows = re.findall(r"<td>(in\.ndjson, line \d+)</td><td>(\w+) \(([\d.]+ \w+)\)</td><td><code>(.*?)</code>", section)
    # On a machine with much else to do, another record may be slow as well.
    found = {row[0]: row[1:] for row in rows}
    told = [found["in.ndjson, line 8"], found["in.ndjson, line 22"]]
    assert [one[0] for one in told] == ["slow", "slow"]
    assert all(in_milliseconds(one[1]) >= 50 for one in told)
    assert told[0][2] == "{&quot;n&quot;: 7}"
    assert len(rows) == 10


def test_a_page_tells_why_its_run_stopped(folder: Path) -> None:
    page = parsed(run(folder, "--max-errors", "3", code=4, body=FAILS))
    assert "R104 " in page.text
    assert "records failed, at most 3 records may" in page.text


def test_a_step_with_a_colon_in_its_name_keeps_it_beside_its_error(folder: Path) -> None:
    plugins = {"work.py": processor("raise ValueError('no')")}
    pipeline(folder, plugins=plugins, source=ndjson({"n": 1}), steps=['use = "work"\nname = "a: b"'])
    assert main(["run", "-q", "--report", "report.html"]) == 1
    assert "<tr><td>a: b</td><td><code>ValueError " in Path("report.html").read_text(encoding="utf-8")
