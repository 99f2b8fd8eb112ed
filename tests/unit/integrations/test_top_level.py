"""Packages at the top level of imports: what is remembered of them never shows, but in how soon they are there."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugin_folders import write

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")]

START = """
import json, os, sys, time
real = time.time_ns
time.time_ns = lambda: real() + 3_000_000_000  # what was written a moment ago counts as old
from plugline.integrations.top_level import TopLevel
seen = {}
top = TopLevel(sys.argv[1])
ran = [name for _, name, _ in top.run()]
exec(sys.argv[2])
found = [[finding.code, str(finding.place), finding.message] for finding in top.findings]
print(json.dumps({"ran": ran, "findings": found, "seen": seen, "recalled": top.host is None}))
"""
FILES: dict[str, str | bytes] = {
    "plugins/pl_shop/__init__.py": '"""A shop."""\n\nVERSION = "1.0"\n',
    "plugins/pl_shop/models.py": "from pl_shop import VERSION\n\n\nclass Thing:\n    def price(self):\n        return VERSION\n",
    "plugins/pl_shop/inner/__init__.py": "",
    "plugins/pl_shop/inner/deep.py": "from ..models import Thing\n",
    "plugins/pl_shop/data.txt": "the data",
    "plugins/pl_shop/bare/leaf.py": "LEAF = __name__\n",
    "plugins/pl_blog/__init__.py": "SIZE = len('blog')\n",
    "plugins/pl_one.py": "ONE = 1\n",
}
LOOK = """
import importlib
for name in ("pl_shop.models", "pl_shop.inner.deep", "pl_shop.bare.leaf", "pl_shop.urls", "pl_blog.more"):
    try:
        module = importlib.import_module(name)
        seen[name] = sorted(key for key in vars(module) if key[:2] != "__")
    except BaseException as error:
        seen[name] = f"{type(error).__name__}: {error}"
seen["price"] = getattr(sys.modules.get("pl_shop.models"), "PRICE", None)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    return write(tmp_path / "site", FILES)


def start(site: Path, code: str = LOOK, *, cache: str | None = None) -> dict[str, Any]:
    """Run a program that has the packages; returns what it saw, and whether it did without a host."""
    environment = {**os.environ, "PLUGLINE_CACHE": cache or str(site.parent / "cache")}
    command = [sys.executable, "-c", START, str(site / "plugins"), code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    result: dict[str, Any] = json.loads(next(line for line in lines if line.startswith("{")))
    result["printed"] = [line for line in lines if not line.startswith("{")]
    return result


def without(result: dict[str, Any], key: str = "recalled") -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != key}


def test_the_second_program_sees_the_same_without_a_host(site: Path) -> None:
    first, second = start(site), start(site)
    assert (first["recalled"], second["recalled"]) == (False, True)
    assert without(first) == without(second)
    assert first["ran"] == ["pl_blog", "pl_one", "pl_shop"]
    assert first["seen"]["pl_shop.bare.leaf"] == ["LEAF"]
    assert "ModuleNotFoundError" in first["seen"]["pl_shop.urls"]
    assert not list(site.rglob("__pycache__"))


def edit(path: str, content: str) -> Callable[[Path], object]:
    """Return what writes into a file as it is, with the times that it had."""

    def do(site: Path) -> None:
        file = site / "plugins" / path
        status = file.stat()
        file.write_text(content)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    return do


def add(path: str, content: str = "") -> Callable[[Path], object]:
    return lambda site: write(site, {path: content})


def leave_out(path: str) -> Callable[[Path], object]:
    return lambda site: (site / "plugins" / path).unlink()


def mode(path: str, bits: int) -> Callable[[Path], object]:
    return lambda site: (site / "plugins" / path).chmod(bits)


def become_package(site: Path) -> None:
    write(site, {"plugins/pl_shop/models/__init__.py": "PRICE = 'of the package'\n"})


CHANGES = {
    "an edited package": edit("pl_shop/__init__.py", "VERSION = '2.0'\n"),
    "an edited module": edit("pl_shop/models.py", "PRICE = 2\n"),
    "a broken module": edit("pl_shop/models.py", "PRICE = \n"),
    "a broken package": edit("pl_blog/__init__.py", "1 / 0\n"),
    "a package that ends the program": edit("pl_one.py", "raise SystemExit(3)\n"),
    "a new module": add("plugins/pl_shop/urls.py", "URLS = 1\n"),
    "a module that is a package now": become_package,
    "a new package": add("plugins/pl_new/__init__.py"),
    "a package whose name is taken": add("plugins/decimal.py"),
    "a deleted module": leave_out("pl_shop/models.py"),
    "a deleted package": leave_out("pl_one.py"),
    "a package that all may write to": mode("pl_shop/__init__.py", 0o666),
    "a module that all may write to": mode("pl_shop/models.py", 0o666),
    "a folder that all may write to": mode("pl_shop/inner", 0o777),
    "the plugin folder, which all may write to": mode("", 0o777),
    "a lock file": add("plugline.lock", "nothing that can be understood"),
    "a disabled package": add("plugline.toml", 'disabled = ["pl_blog"]\n'),
    "a package that does not apply": edit("pl_one.py", "def available():\n    return 'not today'\n"),
    "compiled code alone": add("plugins/pl_shop/urls.pyc", "no code"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_since_is_seen_as_if_nothing_were_remembered(
    site: Path, change: Callable[[Path], object]
) -> None:
    start(site)
    assert start(site)["recalled"]
    change(site)
    found = start(site)
    assert not found["recalled"]
    assert without(found) == without(start(site, cache="off"))
    assert without(start(site)) == without(found)


def test_what_is_imported_for_the_first_time_is_remembered_as_well(site: Path) -> None:
    start(site, "")
    assert start(site, "")["recalled"]
    assert not start(site)["recalled"]
    assert start(site)["recalled"]


@pytest.mark.parametrize("damage", [b"", b"no record", None])
def test_a_record_that_is_damaged_is_made_again(site: Path, damage: bytes | None) -> None:
    start(site)
    (record,) = (site.parent / "cache").glob("*.top")
    content = record.read_bytes()
    record.write_bytes(damage if damage is not None else content[:-1] + bytes([content[-1] ^ 1]))
    assert not start(site)["recalled"]
    assert start(site)["recalled"]


def test_a_record_that_others_may_write_is_not_read(site: Path) -> None:
    start(site)
    (record,) = (site.parent / "cache").glob("*.top")
    record.chmod(0o666)
    assert not start(site)["recalled"]


def test_a_name_that_somebody_else_has_since_is_theirs(site: Path) -> None:
    start(site)
    elsewhere = write(site.parent / "elsewhere", {"pl_one.py": "ONE = 'of somebody else'\n"})
    code = "import pl_one; seen['one'] = pl_one.ONE"
    paths = os.environ.get("PYTHONPATH")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{elsewhere}{os.pathsep}{paths}" if paths else str(elsewhere))
        found = start(site, code)
    assert [code for code, *_ in found["findings"]] == ["P400"]
    assert found["seen"]["one"] == "of somebody else"


def test_a_package_that_fails_only_sometimes_is_told_then(site: Path) -> None:
    write(site, {"plugins/pl_one.py": "import os\nif 'FAIL' in os.environ:\n    raise OSError('not now')\n"})
    start(site)
    assert start(site)["recalled"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIL", "1")
        failed = start(site)
    assert [code for code, *_ in failed["findings"]] == ["P301"]
    assert "not now" in failed["findings"][0][2]
    assert failed["ran"] == ["pl_blog", "pl_shop"]
    assert start(site)["findings"] == []


LEAVES = """
import atexit, builtins, os, sys
if 'LEAVE' in os.environ:
    builtins.len = lambda value: 0
    sys.path.insert(0, '/of/the/plugin')
"""


def test_what_a_package_changes_of_the_process_is_put_back_and_told(site: Path) -> None:
    write(site, {"plugins/pl_one.py": LEAVES})
    start(site)
    code = "seen['len'] = len('abc'); seen['path'] = '/of/the/plugin' in sys.path"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAVE", "1")
        found, expected = start(site, code), start(site, code, cache="off")
    assert found["seen"] == {"len": 3, "path": False}
    assert [code for code, *_ in found["findings"]] == ["P306", "P306"]
    assert without(found) == without(expected)


def test_a_module_that_fails_has_left_nothing(site: Path) -> None:
    text = "import atexit, os\natexit.register(print, 'left')\nif 'FAIL' in os.environ:\n    1 / 0\nThing = None\n"
    write(site, {"plugins/pl_shop/models.py": text})
    start(site)
    code = LOOK + "seen['there'] = 'pl_shop.models' in sys.modules"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIL", "1")
        found = start(site, code)
    assert found["recalled"]
    assert "ZeroDivisionError" in found["seen"]["pl_shop.models"]
    assert found["seen"]["there"] is False
    assert found["printed"] == []


def test_a_package_with_moments_has_them_every_time(site: Path) -> None:
    write(site, {"plugins/pl_one.py": "def on_load():\n    print('loaded')\n"})
    for _ in range(3):
        assert start(site)["printed"] == ["loaded"]


def test_what_a_package_puts_in_its_own_place_is_asked_nothing_it_could_answer(site: Path) -> None:
    text = "import sys\n\nclass Odd:\n    def __getattr__(self, name):\n        raise SystemExit(name)\n\nsys.modules[__name__] = Odd()\n"
    write(site, {"plugins/pl_shop/models.py": text})
    write(site, {"plugins/pl_one.py": "import sys\nsys.modules['pl_one.more'] = object()\n"})
    first, second = start(site, "import pl_shop.models"), start(site, "import pl_shop.models")
    assert without(first) == without(second)


ASK = """
import importlib.resources, inspect, linecache, pickle, pkgutil
import pl_shop.models, pl_shop.inner.deep
seen['source'] = inspect.getsource(pl_shop.models.Thing)
seen['file'] = pl_shop.models.__file__
seen['resource'] = importlib.resources.files('pl_shop').joinpath('data.txt').read_text()
seen['data'] = pkgutil.get_data('pl_shop', 'data.txt').decode()
seen['same'] = pickle.loads(pickle.dumps(pl_shop.models.Thing)) is pl_shop.inner.deep.Thing
import pl_shop.bare
seen['leaves'] = [found.name for found in pkgutil.iter_modules(pl_shop.bare.__path__)]
seen['names'] = [found.name for found in pkgutil.iter_modules(pl_shop.__path__)]
os.unlink(pl_shop.models.__file__)
linecache.clearcache()
seen['gone'] = inspect.getsource(pl_shop.models.Thing)
importlib.invalidate_caches()
"""


def test_modules_answer_for_themselves_as_imported_ones_do(site: Path) -> None:
    start(site)
    assert start(site)["recalled"]
    content = (site / "plugins" / "pl_shop" / "models.py").read_text()
    found = start(site, ASK)
    assert found["recalled"]
    (site / "plugins" / "pl_shop" / "models.py").write_text(content)
    assert found["seen"] == start(site, ASK, cache="off")["seen"]
    assert found["seen"]["data"] == found["seen"]["resource"] == "the data"
    assert found["seen"]["source"] == found["seen"]["gone"]
    assert found["seen"]["same"] is True
    assert found["seen"]["leaves"] == ["leaf"]


THREADS = """
import threading
from concurrent.futures import ThreadPoolExecutor
names = [f"pl_shop.t{number}" for number in range(16)]
for name in names[:8]:
    with open(f"{sys.argv[1]}/{name.replace('.', '/')}.py", "w") as file:
        file.write("from . import models\\nHERE = __name__\\n")
barrier = threading.Barrier(16)
def get(name):
    barrier.wait()
    try:
        return __import__(name, fromlist=["HERE"]).HERE
    except ModuleNotFoundError:
        return None
with ThreadPoolExecutor(16) as pool:
    seen["names"] = list(pool.map(get, names))
"""


def test_a_host_takes_over_while_many_threads_import(site: Path) -> None:
    start(site)
    found = start(site, THREADS)
    assert not found["recalled"]
    assert found["seen"]["names"] == [*(f"pl_shop.t{number}" for number in range(8)), *[None] * 8]


def test_a_forked_child_writes_nothing_down(site: Path) -> None:
    start(site, "pid = os.fork()\nif not pid:\n    raise SystemExit\nos.waitpid(pid, 0)\ntop.alone = False")
    assert not list((site.parent / "cache").glob("*.top"))
