"""All plugins of five programs that were written for other loaders: each that the program loads, and nothing else.

Not part of the tests' usual run, since the programs are installed for it: ``tests/hosts/run``.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(200)


def loaded(whose: str, program: str, home: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", Path(__file__).with_name("loaders.py"), whose, program],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=home,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_yt_dlp(tmp_path: Path) -> None:
    ours, theirs = (loaded(whose, "yt-dlp", tmp_path) for whose in ("ours", "theirs"))
    assert ours["classes"] == theirs["classes"]
    names = sorted(name for classes in ours["classes"].values() for name in classes)
    assert len(names) == len(set(names)) == len(ours["names"])
    # It lists what answers to an address, and not the classes that these share.
    listed = set(theirs["listed"])
    assert len(listed) > 1000
    assert listed <= set(names)
    assert [name for name in names if name in listed] == theirs["listed"]
    # Each file without a class of its own is told once.
    assert sorted(name.partition(":")[0] for name, _, _ in ours["rejected"]) == theirs["without"]
    assert {code for _, code, _ in ours["rejected"]} == {"P201"}
    assert ours["replaced"] == []


def test_beets(tmp_path: Path) -> None:
    ours, theirs = (loaded(whose, "beets", tmp_path) for whose in ("ours", "theirs"))
    assert ours["classes"] == theirs["classes"]
    assert len(ours["classes"]) > 50
    assert {"types", "random", "replace"} <= ours["names"].keys()
    taken = {(name.partition(":")[0], class_name) for name, class_name in ours["names"].items()}
    assert taken >= set(theirs["taken"].items())
    # What cannot be loaded here cannot be loaded there, for the same reason.
    failed = {name.partition(":")[0]: (code, message) for name, code, message in ours["rejected"]}
    assert failed.keys() == theirs["failed"].keys()
    assert len(failed) == len(ours["rejected"])
    for name, (kind, what) in theirs["failed"].items():
        code, message = failed[name]
        assert (code, what in message) == ("P103" if kind == "ModuleNotFoundError" else "P301", True)
    assert ours["replaced"] == []


def test_sopel(tmp_path: Path) -> None:
    ours, theirs = (loaded(whose, "sopel", tmp_path) for whose in ("ours", "theirs"))
    assert ours["in its package"] == ours["by itself"] == theirs["loaded"]
    assert len(theirs["loaded"]) > 20
    assert sum(map(len, theirs["loaded"].values())) > 50
    assert ours["rejected"] == []
    assert ours["replaced"] == []


def test_gallery_dl(tmp_path: Path) -> None:
    ours, theirs = (loaded(whose, "gallery-dl", tmp_path) for whose in ("ours", "theirs"))
    assert ours["classes"] == theirs["classes"]
    assert len(ours["names"]) > 1000
    taken = {f"{module} {name}" for module, classes in ours["classes"].items() for name in classes}
    assert taken >= set(theirs["listed"])
    assert {code for _, code, _ in ours["rejected"]} == {"P201"}
    assert ours["replaced"] == []


def test_limnoria(tmp_path: Path) -> None:
    ours, theirs = (loaded(whose, "limnoria", tmp_path) for whose in ("ours", "theirs"))
    assert ours["loaded"] == theirs["loaded"]
    assert len(ours["loaded"]) > 60
    assert sorted(ours["failed"]) == theirs["failed"]
    assert ours["warned"] == []
    assert ours["replaced"] == []
