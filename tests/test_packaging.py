"""What is built can be built again, is small, and works where nothing else is."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipapp
import zipfile
from pathlib import Path

import pytest

from tests.sandboxed import needs_sandbox

ROOT = Path(__file__).parents[1]
# Of what is downloaded. 400,000 was aimed at; with workers, reloading, engines and a dozen formats the sources alone are
# above that. What is left of a bound notices what was packed by mistake.
MOST_BYTES = {"wheel": 1_024_000, "sdist": 1_920_000}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOST = """
import sys
from pathlib import Path

import plugline

beside = Path(sys.argv[0]).parent / "plugins"
with plugline.Host(beside, interface=["transform", "describe"]) as host:
    print(*host.names)
    print(host.chain("transform")({"name": " a "}))
    for rejected in host.rejected:
        print(rejected.name, rejected.findings[0].code)
"""


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    # Nothing of this environment: what is to be seen is that nothing else is needed.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_plugins(folder: Path) -> None:
    for name in ("trim_plugin", "upper_plugin", "bad_plugin"):
        target = folder / "plugins" / f"{name}.py"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "examples/quickstart/plugins" / target.name, target)


EXPECTED = "trim_plugin upper_plugin\n{'name': 'A'}\nbad_plugin P201\n"


def packaging() -> Path:
    """Return the folder that holds the one package that the base install needs."""
    return Path(sysconfig.get_path("purelib")) / "packaging"


def zipped(folder: Path, main: str) -> Path:
    """Pack plugline and a program that uses it into an archive that can be run."""
    app = folder / "app"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "src/plugline", app / "plugline", ignore=ignored)
    (app / "__main__.py").write_text(main, encoding="utf-8")
    zipapp.create_archive(app, folder / "app.pyz")
    shutil.rmtree(app)
    return folder / "app.pyz"


def test_a_host_in_a_zipapp_takes_the_plugins_beside_it(tmp_path: Path) -> None:
    app = zipped(tmp_path, HOST)
    write_plugins(tmp_path)
    assert run(sys.executable, "-I", "-S", app, folder=tmp_path) == EXPECTED


@needs_sandbox
@pytest.mark.slow
def test_a_host_in_a_zipapp_has_a_sandbox(tmp_path: Path) -> None:
    host = "import plugline\nwith plugline.Host('plugins', interface=['transform'], isolation='sandbox') as host:\n"
    host += "    print(host['upper_plugin'].load().transform({'name': 'a'}))\n"
    write_plugins(tmp_path)
    app = zipped(tmp_path, host)
    assert run(sys.executable, "-I", app, folder=tmp_path) == "{'name': 'A'}\n"


@pytest.mark.slow
def test_the_tool_in_a_zipapp_has_what_is_shipped(tmp_path: Path) -> None:
    app = zipped(tmp_path, "import sys\nfrom plugline.cli import main\nsys.exit(main(sys.argv[1:]))\n")
    (tmp_path / "in.ndjson").write_bytes(b'{"a":1}\n')
    assert "ndjson" in run(sys.executable, "-I", app, "list", folder=tmp_path)
    run(sys.executable, "-I", app, "run", "-q", "in.ndjson", "-o", "out.csv", "--processes", "2", folder=tmp_path)
    assert (tmp_path / "out.csv").read_bytes() == b"a\n1\n"


def test_the_module_is_the_command() -> None:
    shown = run(sys.executable, "-m", "plugline", "--version", folder=ROOT / "src")
    assert shown.startswith("plugline ")


def build(target: str, folder: Path, into: Path) -> Path:
    pytest.importorskip("hatchling", reason="hatchling is not installed: .ci/run builds with it")
    code = f"import hatchling.build; print(hatchling.build.build_{target}({str(into)!r}))"
    name = run(sys.executable, "-c", code, folder=folder, SOURCE_DATE_EPOCH="1767225600").splitlines()[-1]
    return into / name


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, so that nothing that lies about in it is packed and nothing is left in it."""
    folder = tmp_path_factory.mktemp("copy") / "plugline"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_what_is_built_twice_is_the_same_and_small(target: str, copy: Path, tmp_path: Path) -> None:
    made = []
    for number in ("one", "two"):
        # Other times of the files: they must not show.
        for path in copy.rglob("*.py"):
            os.utime(path)
        (tmp_path / number).mkdir()
        made.append(build(target, copy, tmp_path / number))
    assert made[0].read_bytes() == made[1].read_bytes()
    assert made[0].stat().st_size < MOST_BYTES[target]


def test_a_wheel_alone_runs_a_host(copy: Path, tmp_path: Path) -> None:
    wheel = build("wheel", copy, tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert "plugline/py.typed" in names
    assert [name for name in names if "__pycache__" in name or name.startswith("tests")] == []
    write_plugins(tmp_path)
    (tmp_path / "host.py").write_text(HOST, encoding="utf-8")
    # -S: no site-packages, so nothing is installed but the wheel.
    shown = run(sys.executable, "-S", "host.py", folder=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert shown == EXPECTED
