"""Claims: what listing and loading a folder of plugins costs, above an empty process, as ratios to what is needed at least.

*List*: a saved list read with marshal, the folder scanned and each of its 1,000 files asked for its status. *One*: one module made
ready from its validated ``.pyc``. *All*: all of them, from their validated ``.pyc`` files into bare modules. *First*: ``compile()`` of
the same files. Each side is a process of its own, and the CPU seconds of an empty process are taken off. ``import plugline`` is a side
too: what of our ratios is the import, and what the work, can be told apart.

Beside us, in the same rounds, runs what others offer for the same: the tutorial's loop (``spec_from_file_location`` over a sorted
folder), pluggy, stevedore, pluginlib, yapsy and pluginbase. They are installed into a folder that goes when all is done, and one that
cannot be is left out with a word. It is not all the same thing: none of them can list without importing, and none checks anything.

Run: ``python benchmarks/kernel.py``; ``ROUNDS`` says how many rounds, ``PEERS=`` leaves the others out.
"""

import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import Claim, measure_commands, report

_COUNT = 1_000
_MANY = 10_000
_ROUNDS = int(os.environ.get("ROUNDS", "15"))

_PLUGIN = '''"""Plugin number {n}: scores and tidies records of kind {n}."""

import math
import os

PLUGIN_NAME = "plugin_{n:05d}"
VERSION = "1.{n}.0"
REQUIRED_API_VERSION = "1.0"

_LIMIT = {n}
_FIELDS = ("name", "city", "country")


class Scorer:
    """Scores one record."""

    weight = 2.5

    def score(self, record):
        """Return a number."""
        total = 0
        for field in _FIELDS:
            value = record.get(field)
            if isinstance(value, str):
                total += len(value.strip()) * self.weight
        return math.floor(total) + _LIMIT


_scorer = Scorer()


def transform(record):
    """Return the record with a score."""
    record["score"] = _scorer.score(record)
    return record


def describe():
    """Say what it does."""
    return "scores records of kind {n}" + os.sep
'''

_HOST = """
import sys
from plugline import Host
host = Host(sys.argv[1], interface=["transform", "describe"], api_version="1.0")
"""
_SIDES = {
    "empty": "",
    "import plugline": "from plugline import Host",
    "saved list, scandir, stat": """
import marshal, os, sys
with open(sys.argv[1] + ".list", "rb") as file:
    plugins = marshal.load(file)
with os.scandir(sys.argv[1]) as entries:
    for entry in entries:
        entry.stat()
""",
    "list": _HOST + "for plugin in host: (plugin.name, plugin.version, plugin.summary)",
    "validated .pyc": """
import sys
from importlib.machinery import SourceFileLoader
module = type(sys)("plugin_00500")
exec(SourceFileLoader("plugin_00500", sys.argv[1] + "/plugin_00500.py").get_code("plugin_00500"), module.__dict__)
module.transform({"name": "a"})
""",
    "one": _HOST + "host['plugin_00500'].load().transform({'name': 'a'})",
    "package": """
import os, sys
from plugline import Host, Package
above, name = os.path.split(sys.argv[1])
sys.path.append(above)
host = Host(Package(name), interface=["transform", "describe"], api_version="1.0")
assert len([(plugin.name, plugin.version, plugin.summary) for plugin in host]) == int(sys.argv[2])
""",
    "entry points": """
import sys
from plugline import EntryPoints, Host
sys.path.append(sys.argv[1])
host = Host(EntryPoints("bench.plugins"), interface=["transform", "describe"], api_version="1.0")
assert len([(plugin.name, plugin.version, plugin.summary) for plugin in host]) == int(sys.argv[2])
""",
    "all validated .pyc": """
import os, sys
from importlib.machinery import SourceFileLoader
for file in sorted(os.listdir(sys.argv[1])):
    if file.endswith(".py"):
        module = sys.modules["bare." + file[:-3]] = type(sys)("bare." + file[:-3])
        exec(SourceFileLoader(file[:-3], sys.argv[1] + "/" + file).get_code(file[:-3]), module.__dict__)
""",
    "all": _HOST + "assert len(host.load_all()) == int(sys.argv[2])",
    "compile()": """
import os, sys
for file in sorted(os.listdir(sys.argv[1])):
    if file.endswith(".py"):
        path = sys.argv[1] + "/" + file
        with open(path, "rb") as opened:
            compile(opened.read(), path, "exec")
""",
}
_RESIDENT = """
import gc, resource
gc.collect()
print(int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize())
"""
_SIDES["memory"] = f"{_HOST}host.load_all()\n{_RESIDENT}"
_SIDES["memory of bare modules"] = _SIDES["all validated .pyc"] + _RESIDENT


_PEERS = os.environ.get("PEERS", "pluggy stevedore pluginlib yapsy pluginbase").split()

_FROM_FILES = """
import importlib.util, os, sys
modules = {}
for file in sorted(os.listdir(sys.argv[1])):
    if file.endswith(".py"):
        spec = importlib.util.spec_from_file_location(file[:-3], sys.argv[1] + "/" + file)
        module = modules[file[:-3]] = importlib.util.module_from_spec(spec)
        sys.modules[file[:-3]] = module
        spec.loader.exec_module(module)
"""

# What each has to do to list plugins with their versions and summaries, which for all of them is to load every one.
_LISTED_BY = {
    "tutorial loop": _FROM_FILES + "[(name, module.VERSION, module.__doc__) for name, module in modules.items()]",
    "pluggy": _FROM_FILES
    + """
import pluggy
spec = pluggy.HookspecMarker("bench"); implementation = pluggy.HookimplMarker("bench")
class Specs:
    @spec
    def transform(self, record): ...
    @spec
    def describe(self): ...
manager = pluggy.PluginManager("bench"); manager.add_hookspecs(Specs)
for name, module in modules.items():
    implementation(module.transform); implementation(module.describe)
    manager.register(module, name)
[(name, module.VERSION, module.__doc__) for name, module in manager.list_name_plugin()]
""",
    "stevedore": """
import sys
sys.path.insert(0, sys.argv[1])
from stevedore import ExtensionManager
manager = ExtensionManager("bench.plugins")
assert len(manager.names()) == int(sys.argv[2])
[(one.name, one.plugin.VERSION, one.plugin.__doc__) for one in manager]
""",
    "pluginbase": """
import os, sys
from pluginbase import PluginBase
source = PluginBase(package="bench.plugins").make_plugin_source(searchpath=[sys.argv[1]])
modules = {name: source.load_plugin(name) for name in source.list_plugins()}
assert len(modules) == int(sys.argv[2])
[(name, module.VERSION, module.__doc__) for name, module in modules.items()]
""",
    "pluginlib": """
import sys
import pluginlib
@pluginlib.Parent("scorer")
class Base:
    @pluginlib.abstractmethod
    def score(self, record): ...
sys.modules["bench_base"] = sys.modules["__main__"]
loader = pluginlib.PluginLoader(paths=[sys.argv[1] + ".pluginlib"])
found = loader.plugins["scorer"]
assert len(found) == int(sys.argv[2])
[(name, one.version, one.__doc__) for name, one in found.items()]
""",
    "yapsy": """
import logging, sys
from yapsy.PluginManager import PluginManager
manager = PluginManager(); manager.setPluginPlaces([sys.argv[1] + ".yapsy"]); manager.collectPlugins()
found = manager.getAllPlugins()
assert len(found) == int(sys.argv[2])
[(one.name, str(one.version), one.description) for one in found]
""",
}


def _install(target: Path) -> list[str]:
    """Install what others offer; returns what could be."""
    uv = shutil.which("uv")
    command = [uv, "pip", "install", "-q"] if uv else [sys.executable, "-m", "pip", "install", "-q"]
    installed = ["tutorial loop"]
    for name in _PEERS:
        # pluginlib imports pkg_resources, which setuptools has dropped.
        needs = ["setuptools<81"] if name in ("pluginlib", "yapsy") else []
        python = ["--python", sys.executable] if uv else []
        done = subprocess.run(
            [*command, *python, "--target", str(target), name, *needs], capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"{name} is left out: it cannot be installed: {last}", file=sys.stderr)
        else:
            installed.append(name)
    return installed


def _dress(folder: Path, count: int) -> None:
    """Give the same plugins the clothes that others ask for: a base class, a file of information each."""
    for name in ("pluginlib", "yapsy"):
        dressed = folder.with_name(f"{folder.name}.{name}")
        dressed.mkdir()
        (dressed / "__init__.py").write_text("", encoding="utf-8")
        for number in range(count):
            text = _PLUGIN.format(n=number)
            if name == "pluginlib":
                mine = f'from bench_base import Base\n\n\nclass Plugin{number}(Base):\n    """Scores."""\n\n    _version_ = VERSION\n\n    def score(self, record):\n        return _scorer.score(record)\n'
            else:
                mine = f'from yapsy.IPlugin import IPlugin\n\n\nclass Plugin{number}(IPlugin):\n    """Scores."""\n'
                (dressed / f"plugin_{number:05d}.yapsy-plugin").write_text(
                    f"[Core]\nName = plugin_{number:05d}\nModule = plugin_{number:05d}\n"
                    f"[Documentation]\nVersion = 1.{number}.0\nDescription = Plugin number {number}.\n",
                    encoding="utf-8",
                )
            (dressed / f"plugin_{number:05d}.py").write_text(f"{text}\n\n{mine}", encoding="utf-8")


def _declare(folder: Path, count: int) -> None:
    """Make entry points of the same plugins."""
    info = folder / "bench-1.0.dist-info"
    info.mkdir()
    points = "".join(f"plugin_{number:05d} = plugin_{number:05d}\n" for number in range(count))
    (info / "entry_points.txt").write_text(f"[bench.plugins]\n{points}", encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench\nVersion: 1.0\n", encoding="utf-8")


def _make(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        (folder / f"plugin_{number:05d}.py").write_text(_PLUGIN.format(n=number), encoding="utf-8")


def _command(side: str, folder: Path, count: int = _COUNT) -> list[str]:
    return [sys.executable, "-c", _SIDES[side], str(folder), str(count)]


def _saved_list(folder: Path) -> None:
    program = """
import marshal, sys
rows = [(f"plugin_{n:05d}", f"1.{n}.0", f"Plugin number {n}: scores and tidies records of kind {n}.") for n in range(1000)]
marshal.dump(rows, open(sys.argv[1] + ".list", "wb"))
"""
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True)


def _above(empty: list[float], seconds: list[float]) -> list[float]:
    base = statistics.median(empty)
    return [max(one - base, 1e-6) for one in seconds]


def _claims(cpu: dict[str, list[float]], *wanted: tuple[str, str, str, float]) -> list[Claim]:
    above = {side: _above(cpu["empty"], seconds) for side, seconds in cpu.items()}
    return [Claim(name=name, side=side, base=base, limit=limit, seconds=above) for name, side, base, limit in wanted]


def _warm(folder: Path, many: Path) -> list[Claim]:
    names = ["empty", "import plugline", "saved list, scandir, stat", "list", "validated .pyc", "one"]
    sides = {name: _command(name, folder) for name in names}
    sides["one of 10,000"] = _command("one", many)
    cpu, _ = measure_commands(sides, rounds=_ROUNDS)
    work = dict(cpu)
    work["list, import apart"] = [
        one - statistics.median(cpu["import plugline"]) + statistics.median(cpu["empty"]) for one in cpu["list"]
    ]
    work["one, import apart"] = [
        one - statistics.median(cpu["import plugline"]) + statistics.median(cpu["empty"]) for one in cpu["one"]
    ]
    return _claims(
        work,
        ("1,000 plugins listed, warm", "list", "saved list, scandir, stat", 1.5),
        ("the same without our import", "list, import apart", "saved list, scandir, stat", 1.5),
        ("one plugin ready to call", "one", "validated .pyc", 2.0),
        ("the same without our import", "one, import apart", "validated .pyc", 2.0),
        ("one of 10,000 against one of 1,000", "one of 10,000", "one", 1.1),
    )


def _all(folder: Path) -> list[Claim]:
    names = ["empty", "all validated .pyc", "all"]
    cpu, _ = measure_commands({name: _command(name, folder) for name in names}, rounds=max(_ROUNDS // 2, 3))
    return _claims(cpu, ("all 1,000 loaded, warm", "all", "all validated .pyc", 0.8))


def _beside(folder: Path, target: Path) -> list[Claim]:
    """Measure what others need for the same list, each plugin imported from its ``.pyc``."""
    seconds: dict[str, list[float]] = {}
    names = ["empty", "list", "all"]
    sides = {name: _command(name, folder) for name in names}
    path = os.pathsep.join(part for part in (str(target), os.environ.get("PYTHONPATH", "")) if part)
    for name in _install(target):
        command = [sys.executable, "-c", _LISTED_BY[name], str(folder), str(_COUNT)]
        tried = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
        )
        if tried.returncode:
            last = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"{name} is left out: it does not run: {last}", file=sys.stderr)
        else:
            sides[name] = ["env", f"PYTHONPATH={path}", *command]
    seconds, _ = measure_commands(sides, rounds=max(_ROUNDS // 3, 3))
    wanted = []
    for name in sides:
        if name not in names:
            limit = 0.25 if name == "pluggy" else 1.0
            wanted.append((f"listed, beside {name}", "list", name, limit))
            wanted.append((f"all loaded, beside {name}", "all", name, 1.0))
    return _claims(seconds, *wanted)


def _first(folder: Path, cache: Path, rounds: int) -> list[Claim]:
    seconds: dict[str, list[float]] = {"empty": [], "compile()": [], "list": []}
    for _ in range(rounds):
        for side, collected in seconds.items():
            for file in cache.glob("*"):
                file.unlink()
            once, _ = measure_commands_once(_command(side, folder))
            collected.append(once)
    return _claims(seconds, ("1,000 plugins listed for the first time", "list", "compile()", 1.6))


def measure_commands_once(command: list[str]) -> tuple[float, float]:
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def _installed(folder: Path) -> list[Claim]:
    """Measure the same plugins where they are installed, so that each has to be found by import's own finders."""
    names = ["empty", "compile()", "package", "entry points"]
    for name in names[2:]:
        subprocess.run(_command(name, folder), check=True)
    cpu, _ = measure_commands({name: _command(name, folder) for name in names}, rounds=max(_ROUNDS // 3, 3))
    return _claims(
        cpu,
        ("1,000 modules of a package listed, warm", "package", "compile()", 0.5),
        ("1,000 entry points listed, warm", "entry points", "compile()", 0.8),
    )


def _after_edit(folder: Path, rounds: int) -> list[Claim]:
    path = folder / "plugin_00007.py"
    seconds: dict[str, list[float]] = {"empty": [], "list": [], "list after an edit": []}
    for number in range(rounds):
        _settle([path, folder], lambda: subprocess.run(_command("list", folder), check=True))
        seconds["empty"].append(measure_commands_once(_command("empty", folder))[0])
        seconds["list"].append(measure_commands_once(_command("list", folder))[0])
        path.write_text(_PLUGIN.format(n=7).replace("2.5", f"{number}.5"), encoding="utf-8")
        seconds["list after an edit"].append(measure_commands_once(_command("list", folder))[0])
    return _claims(seconds, ("listed again after one edit", "list after an edit", "list", 2.0))


def _settle(paths: list[Path], then: Callable[[], object]) -> None:
    """Wait until the files count as old, and have that written down."""
    youngest = max(path.stat().st_ctime for path in paths)
    time.sleep(max(0.0, youngest + 2.1 - time.time()))
    then()


def _ten(folder: Path) -> list[Claim]:
    cpu, _ = measure_commands({name: _command(name, folder) for name in ("empty", "list")}, rounds=_ROUNDS)
    return [Claim(name="ten plugins listed, the process as a whole", side="list", base="empty", limit=3.0, seconds=cpu)]


def _memory(folder: Path, few: Path) -> Claim:
    def resident(side: str, place: Path) -> float:
        done = subprocess.run(_command(side, place), capture_output=True, text=True, check=True)
        return float(done.stdout)

    def each(side: str) -> list[float]:
        return [(resident(side, folder) - resident(side, few)) / (_COUNT - 10) / 1024 / 1e3 for _ in range(5)]

    return Claim(
        name="memory of a loaded plugin, in KiB (shown as ms)",
        side="memory",
        base="memory of bare modules",
        limit=5.5 / 4.3,
        seconds={side: each(side) for side in ("memory", "memory of bare modules")},
    )


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        os.environ["PLUGLINE_CACHE"] = str(root / "cache")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ.pop("PYTHONPYCACHEPREFIX", None)
        sys.pycache_prefix = None
        folder, few, many = root / "plugins", root / "ten", root / "many"
        _make(folder, _COUNT)
        _make(few, 10)
        _make(many, _MANY)
        _saved_list(folder)
        compileall.compile_dir(folder, quiet=1)
        for place in (folder, few, many):
            _settle([place, *place.iterdir()], lambda place=place: subprocess.run(_command("list", place), check=True))
        claims = [*_warm(folder, many), *_all(folder), *_ten(few), _memory(folder, few)]
        claims += _after_edit(folder, 5)
        claims += _first(folder, root / "cache", max(_ROUNDS // 3, 3))
        _declare(folder, _COUNT)
        claims += _installed(folder)
        if _PEERS:
            _dress(folder, _COUNT)
            for name in ("pluginlib", "yapsy"):
                compileall.compile_dir(f"{folder}.{name}", quiet=1)
            subprocess.run(_command("list", folder), check=True)
            claims += _beside(folder, root / "peers")
        return report("kernel", claims)


if __name__ == "__main__":
    sys.exit(main())
