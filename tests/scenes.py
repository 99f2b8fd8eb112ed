"""What leads to each finding and each error: files, and what is done with them. :mod:`tests.gallery` plays it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

GOOD = 'def transform(record):\n    return record\n\n\ndef describe():\n    return "good"\n'
RECORDS = '{"id": 1, "name": "Ada"}\n{"id": 2, "name": null}\n'
SOURCE_SINK = '[source]\npath = "in.ndjson"\n\n[sink]\npath = "out.ndjson"\n'


def steps(*names: str) -> str:
    """Return a pipeline with these steps."""
    return SOURCE_SINK.replace("[sink]", "".join(f'[[steps]]\nuse = "{name}"\n\n' for name in names) + "[sink]")


def block(*lines: str) -> str:
    """Return a plugin with lines of ``[tool.plugline]``."""
    return "".join(f"# {line}\n" for line in ("/// script", "[tool.plugline]", *lines, "///")) + GOOD


@dataclass(frozen=True, kw_only=True)
class Scene:
    """How to come by a finding.

    Attributes:
        files: Texts by path.
        words: What is typed after ``plugline``.
        host: Python in place of a command: what a program does that has ``plugline``; it prints the finding.
        program: The same, as a program of its own.
        prepare: What else is done with the folder before.
        meanwhile: What is done while the command runs, which is a process of its own then. What it returns was said too.
        about: What a reader of the page could not know: what was done with the files, and when.
        shown: The files that the page shows; ``None``: all that are short.
    """

    files: Mapping[str, str | bytes] = field(default_factory=dict)
    words: tuple[str, ...] = ("check", "--load")
    host: str | None = None
    program: str | None = None
    prepare: Callable[[Path], None] | None = None
    meanwhile: Callable[["subprocess.Popen[str]", Path], str] | None = None
    about: str | None = None
    shown: tuple[str, ...] | None = None


def plugin(text: str | bytes, *words: str, name: str = "plugins/clean.py", **more: object) -> Scene:
    """Return a scene with one plugin."""
    return Scene(files={name: text}, words=words or ("check", "--load"), **more)  # type: ignore[arg-type]


def piped(text: str, *words: str, about: str | None = None, **files: str) -> Scene:
    """Return a scene with a pipeline, an input and a good plugin."""
    named = {f"plugins/{name}.py": content for name, content in files.items()}
    given = {"pipeline.toml": text, "in.ndjson": RECORDS, "plugins/trim.py": GOOD, **named}
    return Scene(files=given, words=words or ("check",), shown=("pipeline.toml", *named), about=about)


def audited(line: str, top: str = "") -> Scene:
    """Return a scene in which a host refuses what the audit sees."""
    text = f"{top}\n\n\ndef transform(record):\n    {line}\n    return record\n".lstrip("\n")
    code = "host = plugline.Host('plugins', policy=plugline.Policy(audit='refuse'))\nprint(host.rejected[0])\n"
    return Scene(files={"plugins/clean.py": text}, host=code)


HOST = "host = plugline.Host('plugins')\nplugin, = host\nplugin.load()\nprint(*plugin.warnings)\n"
TRANSFORM = "host = plugline.Host('plugins', interface=['transform'])\n"
REJECTED = "host = plugline.Host('plugins')\nprint(host.rejected[0])\n"
TRUSTED = "import pathlib\nfrom plugline.cli import main\nmain(['trust'])\n"
PARTS = SOURCE_SINK.replace('"out.ndjson"', '"out"\nformat = "ndjson"\nparts = true') + '\n[run]\nengine = "far"\n'
ENV = 'env = ["FOLDER"]\n\n' + SOURCE_SINK
FAILS = 'def transform(record):\n    return {**record, "name": record["name"].strip()}\n\n\ndef describe():\n    return "trim"\n'


def _chmod(path: str, mode: int) -> Callable[[Path], None]:
    return lambda folder: (folder / path).chmod(mode)


def _link_to(target: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        (folder / "plugins").mkdir()
        (folder / "plugins/clean.py").symlink_to(target)

    return prepare


def _fifo(folder: Path) -> None:
    (folder / "plugins").mkdir()
    os.mkfifo(folder / "plugins/clean.py")


def _given_to(user: int, group: int, mode: int) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        os.chown(folder / "plugins/clean.py", user, group)
        (folder / "plugins/clean.py").chmod(mode)

    return prepare


def _as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def until(condition: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    """Wait for what a process does."""
    end = time.monotonic() + 30
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def start(*words: str, folder: Path) -> "subprocess.Popen[str]":
    """Type a command, and do not wait for its end."""
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # the page is also made where no tests are run: see tests/conftest.py
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, "-m", "plugline", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _begun(process: "subprocess.Popen[str]", folder: Path) -> None:
    until((folder / "begun").exists, process)


def _interrupt(process: "subprocess.Popen[str]", folder: Path) -> str:
    _begun(process, folder)
    process.send_signal(signal.SIGINT)
    return ""


def _second(process: "subprocess.Popen[str]", folder: Path) -> str:
    _begun(process, folder)
    with start("run", folder=folder) as second:
        said = second.communicate(timeout=30)[1]
    (folder / "go").touch()
    return said


def _kill_and_edit(folder: Path) -> None:
    with start("run", folder=folder) as process:
        _begun(process, folder)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    path = folder / "plugins/slow.py"
    path.write_text(path.read_text("utf-8").replace('"slow"', '"quick"'), "utf-8")


def _rotate(process: "subprocess.Popen[str]", folder: Path) -> str:
    until(lambda: _size(folder / "out.ndjson"), process)
    (folder / "in.ndjson").rename(folder / "in.ndjson.1")
    (folder / "in.ndjson").write_text('{"id": 3}\n', "utf-8")
    until(lambda: "3" in (folder / "out.ndjson").read_text("utf-8"), process)
    process.send_signal(signal.SIGINT)
    return ""


def _cut_off(process: "subprocess.Popen[str]", folder: Path) -> str:
    until(lambda: _size(folder / "out.ndjson") == len('{"id":1,"name":"Ada"}\n{"id":2,"name":null}\n'), process)
    (folder / "in.ndjson").write_text('{"id": 3}\n', "utf-8")
    until(lambda: "3" in (folder / "out.ndjson").read_text("utf-8"), process)
    process.send_signal(signal.SIGINT)
    return ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _circle(folder: Path) -> None:
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")


def isolated(text: str, then: str, isolation: str = "'process'", more: str = "") -> Scene:
    """Return a scene with a plugin in a worker."""
    code = f"host = plugline.Host('plugins', interface=['transform'], isolation={isolation}{more})\n{then}"
    return Scene(files={"plugins/clean.py": text}, host=code)


def dropped(name: str, text: str, program: str, **more: str) -> Scene:
    """Return a scene with a file that a program of a framework takes."""
    return Scene(files={name: text, **more}, program=program)


SLOW = """import pathlib
import time


def transform(record):
    pathlib.Path("begun").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return record


def describe():
    return "slow"
"""
DIES = "import os\n\n\ndef transform(record):\n    os._exit(7)\n"
LOAD = "try:\n    host['clean'].load()\nexcept plugline.PluglineError as error:\n    print(error)\n"
OLD_CONTAINER = """import ctypes
import struct

import plugline

# As old container runtimes do: every call but one is allowed, and that one is answered with ENOSYS.
RULES = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050026), (0x06, 0, 0, 0x7FFF0000)]
filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in RULES))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(RULES), ctypes.addressof(filters)))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
libc.prctl(22, 2, program)

with plugline.Host("plugins", interface=["transform"], isolation="sandbox") as host:
    try:
        host["clean"].load()
    except plugline.LoadError as error:
        print(error)
"""
DJANGO = """import django
from django.conf import settings
from django.core.management import call_command

import plugline.integrations.django

settings.configure(INSTALLED_APPS=plugline.integrations.django.apps("plugins"))
django.setup()
call_command("check")
"""
ASGI = """import plugline.integrations.starlette


async def app(scope, receive, send):
    ...


plugins = plugline.integrations.starlette.Plugins(app, folder="plugins")
print(*plugins.findings)
plugins.close()
"""
PLUGGY = """import pluggy

import plugline
import plugline.integrations.pluggy


class Specifications:
    @pluggy.HookspecMarker("shop")
    def price(self, article): ...


manager = pluggy.PluginManager("shop")
manager.add_hookspecs(Specifications)
with plugline.Host("plugins") as host:
    print(*plugline.integrations.pluggy.attach(host, manager).findings)
"""
PYTEST = """import pytest

pytest.main(["-p", "plugline.integrations.pytest", "--plugins-dir", "plugins", "-p", "no:cacheprovider"])
"""


SCENES: dict[str, Scene] = {
    "P101": Scene(prepare=_link_to("clean.py")),
    "P102": Scene(prepare=_fifo),
    "P103": plugin("import rapidfuzz_that_nobody_installed\n\n\n" + GOOD, "check"),
    "P104": Scene(files={"plugins/clean.py": GOOD + "#" * 2**20}, shown=()),
    "P105": plugin('GREETING = "grüß dich"\n'.encode("latin-1") + GOOD.encode()),
    "P106": plugin("def transform(record):\n    return {key: value.strip( for key, value in record.items()}\n"),
    "P107": Scene(files={f"plugins/{name}.py": 'PLUGIN_NAME = "clean"\n' + GOOD for name in ("one", "two")}),
    "P108": Scene(files={"elsewhere.py": GOOD}, prepare=_link_to("../elsewhere.py")),
    "P109": plugin(block("version = 3")),
    "P110": Scene(host="host = plugline.Host('plugins')\nprint(host.findings[0])\n"),
    "P111": plugin('# /// script\n# requires-python = ">=4.0"\n# ///\n' + GOOD),
    "P112": plugin(block('requires = ["dictionary"]')),
    "P113": Scene(
        files={"plugins/clean.py": block('requires = ["words"]'), "plugins/words.py": "def transform(: ...\n"}
    ),
    "P114": Scene(
        files={"plugins/one.py": block('requires = ["two"]'), "plugins/two.py": block('requires = ["one"]')},
    ),
    "P115": Scene(files={"plugins/clean.py": GOOD, "plugline.toml": "disabled = 3\n"}),
    "P116": Scene(
        files={"plugins/clean.py": GOOD, "plugline.toml": 'disabled = ["clean"]\n', "in.ndjson": RECORDS},
        words=("run", "--use", "clean", "in.ndjson"),
        shown=("plugline.toml",),
    ),
    "P117": Scene(files={"plugins/clean.py": GOOD, "plugline.toml": 'disabled = ["cleen"]\n'}),
    "P201": plugin("def transform(record):\n    return record\n"),
    "P202": plugin('transform = "a text"\n\n\ndef describe():\n    return "clean"\n'),
    "P203": plugin('def transform(record, table):\n    return record\n\n\ndef describe():\n    return "clean"\n'),
    "P205": Scene(
        files={
            "plugins/clean.py": "class _Clean:\n    def transform(self, record): ...\n\n\n"
            'for name in ("One", "Two"):\n    globals()[name] = type(name, (_Clean,), {})\n'
        },
        host=TRANSFORM
        + "try:\n    host['clean'].load()\nexcept plugline.LoadError as error:\n    print(error.findings[0])\n",
    ),
    "P206": plugin(
        'def transform(record):\n    record["seen"] = True\n\n\ndef describe():\n    return "clean"\n',
        "check",
    ),
    "P210": plugin('REQUIRED_API_VERSION = "2.0"\n\n\n' + GOOD),
    "P211": plugin('REQUIRED_API_VERSION = "new"\n\n\n' + GOOD),
    "P301": plugin('PRICES = {}\nDEFAULT = PRICES["default"]\n\n\n' + GOOD),
    "P302": plugin('import sys\n\nsys.exit("usage: clean.py FILE")\n\n\n' + GOOD),
    "P305": plugin('def available():\n    return {}["dictionary"]\n\n\n' + GOOD),
    "P306": Scene(files={"plugins/clean.py": "import builtins\n\nbuiltins.open = None\n\n\n" + GOOD}, host=HOST),
    "P330": Scene(
        files={"plugins/clean.py": GOOD},
        host="import pathlib\nhost = plugline.Host('plugins')\nhost['clean'].load()\n"
        "path = pathlib.Path('plugins/clean.py')\npath.write_text(path.read_text() + \"def available(): return 'not today'\\n\")\n"
        "print(host.reload('clean'))\n",
    ),
    "P332": Scene(
        host="host = plugline.Host(plugline.Modules({'json': 'json'}))\nhost['json'].load()\nprint(host.reload('json'))\n"
    ),
    "C101": piped(steps("trim").replace("use =", "uses =").replace("[sink]", "[sink]\nformt = 'csv'")),
    "C102": piped('[source]\npath = "in.ndjson"\n'),
    "C103": piped(SOURCE_SINK.replace('"out.ndjson"', "3")),
    "C104": piped(SOURCE_SINK + '\n[run]\nmax_errors = "many"\n'),
    "C105": piped(SOURCE_SINK.replace('"out.ndjson"', "out.ndjson")),
    "C106": piped(steps("tirm")),
    "C107": piped(SOURCE_SINK.replace("[sink]", '[sink]\nformat = "cvs"')),
    "C108": piped(
        steps("spell"), "run", spell='def available():\n    return "the dictionary is not there"\n\n\n' + GOOD
    ),
    "C109": piped(SOURCE_SINK.replace("in.ndjson", "orders.ndjson")),
    "C111": piped(SOURCE_SINK.replace("out.ndjson", "in.ndjson")),
    "C130": piped(ENV.replace("in.ndjson", "${FODLER}/in.ndjson")),
    "C131": piped(ENV.replace("in.ndjson", "${FOLDER}/in.ndjson")),
    "C132": piped(SOURCE_SINK + '\n[run]\nmax_errors = "${HOME}"\n\n[env]\nHOME = 5\n'),
    "R101": Scene(
        files={
            "pipeline.toml": SOURCE_SINK.replace("in.ndjson", "in.ndjson.gz"),
            "in.ndjson.gz": b"\x1f\x8b\x08 not really",
        },
        words=("run",),
        shown=("pipeline.toml",),
    ),
    "R102": Scene(
        files={"in.ndjson": RECORDS}, words=("run", "in.ndjson", "-o", "/dev/full", "--to", "ndjson"), shown=()
    ),
    "R103": Scene(
        files={"in.ndjson": "{broken\n"},
        words=("run", "in.ndjson", "-o", "out.ndjson", "--dead-letters", "/dev/full"),
        shown=(),
    ),
    "R104": piped(steps("strict") + "\n[run]\nmax_errors = 0\n", "run", strict=FAILS),
    "R105": piped(steps("strict").replace('"strict"', '"strict"\non_error = "stop"'), "run", strict=FAILS),
    "R106": piped(
        SOURCE_SINK + '\n[run]\nengine = "lazy"\n', "run", lazy="def run(runner, splits, /):\n    return iter([])\n"
    ),
    "R160": piped(steps("trim") + "\n[[tests]]\ninput = { n = 1 }\noutput = { n = 2 }\n", "test"),
    "R161": plugin('"""Add.\n\n>>> 1 + 1\n3\n"""\n\n\n' + GOOD, "test", "plugins"),
    "R162": Scene(
        files={"plugins/clean.py": GOOD, "plugins/upper.py": GOOD},
        words=("bisect", "--", "sh", "-c", 'case "$PLUGLINE_ONLY" in *upper*) exit 1;; esac'),
        shown=(),
    ),
    "T101": plugin(GOOD, prepare=_chmod("plugins/clean.py", 0o666)),
    "T201": audited('names = open("/etc/passwd").read()'),
    "T202": audited('os.remove("orders.csv")', "import os"),
    "T203": audited('urllib.request.urlopen("https://example.org")', "import urllib.request"),
    "T204": audited('subprocess.run(["ls"])', "import subprocess"),
    "T205": audited('token = os.environ["TOKEN"]', "import os"),
    "T206": audited('library = ctypes.CDLL("libc.so.6")', "import ctypes"),
    "T207": audited('exec(record["code"])'),
    "T208": audited("os._exit(0)", "import os"),
    "T209": audited("sys.stdout = None", "import sys"),
    "T301": Scene(
        files={"plugins/clean.py": GOOD},
        host=TRUSTED
        + "pathlib.Path('plugins/new.py').write_bytes(pathlib.Path('plugins/clean.py').read_bytes())\n"
        + REJECTED,
    ),
    "T302": Scene(
        files={"plugins/clean.py": GOOD},
        host=TRUSTED + "with open('plugins/clean.py', 'a') as file:\n    file.write('CHANGED = True\\n')\n" + REJECTED,
    ),
    "T303": Scene(
        files={"plugins/clean.py": "from . import _words\n\n\n" + GOOD, "plugins/_words.py": "WORDS = []\n"},
        host=TRUSTED
        + "pathlib.Path('plugins/_words.py').write_text('WORDS = 1\\n')\nhost = plugline.Host('plugins')\nhost.load_all()\nprint(host.rejected[0])\n",
    ),
    "T304": Scene(
        files={"plugins/clean.py": block("permissions = { net = true }")},
        host=TRUSTED
        + "lock = pathlib.Path('plugline.lock')\nlock.write_text(lock.read_text().replace('net = true', 'net = false'))\n"
        + REJECTED,
    ),
    "T305": Scene(files={"plugins/clean.py": GOOD, "plugline.lock": "version = 99\n"}),
    "T306": Scene(
        files={"plugins/clean.py": GOOD},
        host="class Weekdays(plugline.Policy):\n"
        "    def admit(self, spec, source, facts):\n"
        "        return super().admit(spec, source, facts) if spec.author else ()\n\n\n"
        "host = plugline.Host('plugins', policy=Weekdays())\nprint(host.rejected[0])\n",
    ),
    "T401": plugin(block('permissions = { net = "yes" }')),
    "T402": Scene(
        files={"plugins/clean.py": block("permissions = { net = true }")},
        host="from plugline.contract.permissions import Permissions\n"
        "host = plugline.Host('plugins', policy=plugline.Policy(grant=Permissions()))\nprint(host.rejected[0])\n",
    ),
    "P307": Scene(
        files={"plugins/clean.py": "import time\n\ntime.sleep(1)\n\n\n" + GOOD},
        host=HOST.replace("'plugins'", "'plugins', slow_load_seconds=0.05"),
    ),
    "P309": Scene(
        files={"plugins/clean.py": GOOD + "\n\ndef on_unload():\n    CONNECTION.close()\n"},
        host="host = plugline.Host('plugins')\nplugin, = host\nplugin.load()\nhost.unload('clean')\nprint(*plugin.warnings)\n",
    ),
    "P310": Scene(
        files={"plugins/clean.py": FAILS},
        host="host = plugline.Host('plugins', interface=['transform'], quarantine_after=3)\n"
        "for number in range(3):\n    host.call_all('transform', {'name': None})\nprint(*host.quarantined['clean'])\n",
    ),
    "P311": Scene(
        files={"plugins/clean.py": "ITSELF = app.host['clean'].load()\n\n\n" + GOOD},
        host="import types\n\napp = types.SimpleNamespace()\nhost = app.host = plugline.Host('plugins', inject={'app': app})\n"
        + LOAD,
    ),
    "P360": isolated(GOOD, "print(*host.findings)\n", "{'cleen': 'process'}"),
    "P361": isolated(GOOD, LOAD, more=", inject={'database': object()}"),
    "P362": Scene(files={"plugins/clean.py": GOOD}, program=OLD_CONTAINER),
    "P363": isolated("import os\n\nos._exit(7)\n\n\n" + GOOD, LOAD),
    "P364": isolated(
        DIES,
        "plugin = host['clean'].load()\nfor number in range(4):\n    try:\n        plugin.transform({})\n"
        "    except plugline.PluglineError as error:\n        print(error)\n",
    ),
    "P365": isolated(
        '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["packaging<1"]\n# ///\n' + GOOD, LOAD
    ),
    "P366": Scene(
        files={"plugins/clean.py": '# /// script\n# dependencies = ["a-library-that-nobody-made"]\n# ///\n' + GOOD},
        words=("sync", "--offline"),
    ),
    "P400": Scene(
        files={"plugins/decimal.py": GOOD},
        host="host = plugline.Host('plugins', namespace='')\nprint(*host.rejected)\n",
    ),
    "P401": dropped("plugins/timing.py", "def pytest_runtest_setup(item, clock):\n    ...\n", PYTEST),
    "P402": dropped(
        "plugins/notes/apps.py",
        "from django.apps import AppConfig\n\n\nclass Notes(AppConfig):\n    name = 'notes'\n\n"
        "    def ready(self):\n        self.connection.open()\n",
        DJANGO,
        **{"plugins/notes/__init__.py": ""},
    ),
    "P403": dropped(
        "plugins/timing.py",
        "class Timing:\n    def __init__(self, app):\n        self.limit = LIMIT\n\n"
        "    async def __call__(self, scope, receive, send): ...\n",
        ASGI,
    ),
    "P404": dropped(
        "plugins/vat.py",
        'import pluggy\n\n\n@pluggy.HookimplMarker("shop")\ndef prise(article):\n    return 1.19\n',
        PLUGGY,
    ),
    "C112": Scene(
        files={"pipeline.toml": steps("slow"), "in.ndjson": RECORDS, "plugins/slow.py": SLOW},
        words=("run",),
        meanwhile=_second,
        about="In a second terminal, while the first runs:",
        shown=("pipeline.toml", "plugins/slow.py"),
    ),
    "C113": Scene(
        files={"pipeline.toml": steps("slow"), "in.ndjson": RECORDS, "plugins/slow.py": SLOW},
        words=("run", "--resume"),
        prepare=_kill_and_edit,
        about="The run was killed in the middle, and the plugin was edited:",
        shown=("pipeline.toml", "plugins/slow.py"),
    ),
    "C114": piped(SOURCE_SINK.replace("out.ndjson", "out.json"), "run", "--follow"),
    "C150": piped(
        SOURCE_SINK + '\n[run]\nengine = "far"\n',
        "run",
        about="What an engine's worker on another machine says, here by an engine that moves the input away:",
        far='import os\n\n\ndef run(runner, splits, /):\n    os.rename("in.ndjson", "elsewhere.ndjson")\n    runner.prepare()\n',
    ),
    "C151": piped(
        PARTS,
        "run",
        about="Likewise, by an engine that moves the folder away which the parts are collected in:",
        far='import glob\nimport os\n\n\ndef run(runner, splits, /):\n    for folder in glob.glob(".out.*.parts"):\n'
        '        os.rename(folder, "elsewhere")\n    runner.prepare()\n',
    ),
    "R180": piped(
        PARTS,
        "run",
        about="By an engine whose workers write to a folder of their own, here one that removes the part:",
        far="import os\n\n\ndef run(runner, splits, /):\n    for split in splits:\n        part = runner(split)\n"
        "        os.unlink(part.path)\n        yield part\n",
    ),
    "R110": Scene(
        files={"pipeline.toml": steps("slow"), "in.ndjson": RECORDS, "plugins/slow.py": SLOW},
        words=("run",),
        meanwhile=_interrupt,
        about="With Ctrl-C pressed in the middle:",
        shown=("pipeline.toml", "plugins/slow.py"),
    ),
    "R111": piped(
        steps("edits"),
        "run",
        edits='def transform(record):\n    with open("in.ndjson", "w") as file:\n        file.write("{}\\n")\n    return record\n\n\n'
        'def describe():\n    return "edits"\n',
    ),
    "R113": Scene(
        files={"in.ndjson": RECORDS, "pipeline.toml": SOURCE_SINK},
        words=("run", "--follow"),
        meanwhile=_rotate,
        about="While it runs, in.ndjson is renamed to in.ndjson.1, and a new one is begun:",
        shown=("pipeline.toml",),
    ),
    "R114": Scene(
        files={"in.ndjson": RECORDS, "pipeline.toml": SOURCE_SINK},
        words=("run", "--follow"),
        meanwhile=_cut_off,
        about="While it runs, in.ndjson is written anew, and is shorter:",
        shown=("pipeline.toml",),
    ),
    "T104": Scene(
        prepare=_circle,
        host="import os\nfrom plugline.admission.ownership import Owners, ownership_findings\n\n"
        "path = os.path.abspath('one/clean.py')\nprint(*ownership_findings(Owners().look(path), path))\n",
        about="A link that leads back to itself:",
    ),
}
if _as_root():
    SCENES["T102"] = Scene(files={"plugins/clean.py": GOOD}, host=HOST, prepare=_given_to(-1, 12345, 0o664))
    SCENES["T103"] = Scene(files={"plugins/clean.py": GOOD}, host=HOST, prepare=_given_to(12345, -1, 0o644))

# Why a code has no scene: what it takes is not to be had where the tests run.
WITHOUT = {"P331": "needs another interpreter than CPython"}
if find_spec("django") is None:
    WITHOUT["P402"] = "needs Django, which the dev extra brings"
    del SCENES["P402"]
if not _as_root():
    WITHOUT |= {"T102": "needs a file of another group", "T103": "needs a file of another user"}


def caught(call: str, *, before: str = "host = plugline.Host('plugins', interface=['transform'])\n") -> str:
    """Return a program that tells which error a call raises, and with which words."""
    return f"{before}try:\n    {call}\nexcept plugline.PluglineError as error:\n    print(f'{{type(error).__name__}}: {{error}}')\n"


def raised(call: str, text: str = GOOD, **more: str) -> Scene:
    """Return a scene in which a call raises an error, with one plugin."""
    return Scene(files={"plugins/clean.py": text}, host=caught(call, **more))


WORKER = (
    "host = plugline.Host('plugins', interface=['transform'], isolation='process'{0})\nplugin = host['clean'].load()\n"
)
READ = "from pathlib import Path\n\nfrom plugline.pipeline.config import read_config\n\n"

# By the class of plugline.errors.
ERRORS: dict[str, Scene] = {
    "ConfigurationError": Scene(
        files={"pipeline.toml": SOURCE_SINK.replace("sink", "snik")},
        host=caught("read_config(Path('pipeline.toml').read_text(), 'pipeline.toml')", before=READ),
    ),
    "ModuleMissing": Scene(host=caught("plugline.require('numpyy')", before="")),
    "NameMissing": Scene(host=caught("plugline.import_object('json:lods')", before="")),
    "UnknownPlugin": raised("host['claen']"),
    "PluginRejected": raised("host['clean']", "def describe():\n    return 'nothing more'\n"),
    "PluginDisabled": raised("host['clean'].load()", before="host = plugline.Host('plugins')\nhost.disable('clean')\n"),
    "PluginQuarantined": raised(
        "host['clean'].load()",
        FAILS,
        before="host = plugline.Host('plugins', interface=['transform'], quarantine_after=1)\nhost.call_all('transform', {'name': None})\n",
    ),
    "PluginDeclined": raised("host['clean'].load()", GOOD + '\n\ndef available():\n    return "there is no display"\n'),
    "LoadError": raised("host['clean'].load()", 'PRICES = {}\nDEFAULT = PRICES["default"]\n\n\n' + GOOD),
    "SettingsRefused": raised(
        "host['clean'].load({'limit': 'ten'})",
        "class Clean:\n    limit: int = 10\n\n    def transform(self, record):\n        return record\n",
    ),
    "StepFailed": raised("host.chain('transform')({'name': None})", FAILS),
    "PluginRaised": raised("plugin.transform({'name': None})", FAILS, before=WORKER.format("")),
    "WorkerFailed": raised("plugin.transform({})", DIES, before=WORKER.format("")),
    "WorkerTimedOut": raised(
        "plugin.transform({})",
        "import time\n\n\ndef transform(record):\n    time.sleep(60)\n",
        before=WORKER.format(", limits=plugline.Sandbox(timeout_seconds=2)"),
    ),
    "RunStopped": Scene(
        files={
            "pipeline.toml": steps("strict") + "\n[run]\nmax_errors = 0\n",
            "in.ndjson": RECORDS,
            "plugins/strict.py": FAILS,
        },
        host=caught(
            "run_plan(make_plan(config))",
            before=READ[:-1]
            + "from plugline.pipeline.plan import make_plan\nfrom plugline.pipeline.run import run_plan\n\n"
            "config = read_config(Path('pipeline.toml').read_text(), 'pipeline.toml')\n",
        ),
        shown=("pipeline.toml", "plugins/strict.py"),
    ),
    "SandboxUnavailable": Scene(
        program=OLD_CONTAINER.partition("with plugline.Host")[0].replace(
            "import plugline\n",
            "from plugline import PluglineError, Sandbox\nfrom plugline.worker.sandbox import apply\n",
        )
        + "try:\n    apply(Sandbox(), keep_fds=())\nexcept PluglineError as error:\n    print(f'{type(error).__name__}: {error}')\n"
    ),
}
# Why a class has no scene: nothing is of that class alone, or what it takes is not to be had in a test.
ERRORS_WITHOUT = {
    "PluglineError": "the root of the tree",
    "PluginError": "what is about one plugin",
    "StillLoading": "needs a load of two minutes",
}
