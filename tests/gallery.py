"""A real file for each finding: scenes that are played in a folder of their own, and the page that shows them.

``python -m tests.gallery`` plays all of them and writes ``docs/reference/gallery.md`` anew.
"""

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import plugline
from plugline.cli import main
from plugline.codes import CODES

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "gallery.md"

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
        words: What is typed.
        host: Python in place of a command: what a program does that has ``plugline``; it prints the finding.
        prepare: What else is done with the folder before.
        shown: The files that the page shows; ``None``: all that are short.
    """

    files: Mapping[str, str | bytes] = field(default_factory=dict)
    words: tuple[str, ...] = ("check", "--load")
    host: str | None = None
    prepare: Callable[[Path], None] | None = None
    shown: tuple[str, ...] | None = None


def plugin(text: str | bytes, *words: str, name: str = "plugins/clean.py", **more: object) -> Scene:
    """Return a scene with one plugin."""
    return Scene(files={name: text}, words=words or ("check", "--load"), **more)  # type: ignore[arg-type]


def piped(text: str, *words: str, **files: str) -> Scene:
    """Return a scene with a pipeline, an input and a good plugin."""
    named = {f"plugins/{name}.py": content for name, content in files.items()}
    given = {"pipeline.toml": text, "in.ndjson": RECORDS, "plugins/trim.py": GOOD, **named}
    return Scene(files=given, words=words or ("check",), shown=("pipeline.toml", *named))


def audited(line: str, top: str = "") -> Scene:
    """Return a scene in which a host refuses what the audit sees."""
    text = f"{top}\n\n\ndef transform(record):\n    {line}\n    return record\n".lstrip("\n")
    code = "host = plugline.Host('plugins', policy=plugline.Policy(audit='refuse'))\nprint(host.rejected[0])\n"
    return Scene(files={"plugins/clean.py": text}, host=code)


HOST = "host = plugline.Host('plugins')\nplugin, = host\nplugin.load()\nprint(*plugin.warnings)\n"
TRANSFORM = "host = plugline.Host('plugins', interface=['transform'])\n"
REJECTED = "host = plugline.Host('plugins')\nprint(host.rejected[0])\n"
TRUSTED = "import pathlib\nfrom plugline.cli import main\nmain(['trust'])\n"
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
    "P205": plugin(
        "".join(
            f"class {name}:\n    def transform(self, record): ...\n    def describe(self): ...\n\n"
            for name in ("One", "Two")
        )
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
        host=TRUSTED + "pathlib.Path('plugins/new.py').write_text('X = 1\\n')\n" + REJECTED,
    ),
    "T302": Scene(
        files={"plugins/clean.py": GOOD},
        host=TRUSTED + "pathlib.Path('plugins/clean.py').write_text('X = 1\\n')\n" + REJECTED,
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
    "T401": plugin(block('permissions = { net = "yes" }')),
    "T402": Scene(
        files={"plugins/clean.py": block("permissions = { net = true }")},
        host="from plugline.contract.permissions import Permissions\n"
        "host = plugline.Host('plugins', policy=plugline.Policy(grant=Permissions()))\nprint(host.rejected[0])\n",
    ),
}
if _as_root():
    SCENES["T102"] = Scene(files={"plugins/clean.py": GOOD}, host=HOST, prepare=_given_to(-1, 12345, 0o664))
    SCENES["T103"] = Scene(files={"plugins/clean.py": GOOD}, host=HOST, prepare=_given_to(12345, -1, 0o644))

# Why a code has no scene: what it takes is not to be had in a folder.
WITHOUT = {
    "P307": "needs a load of ten seconds",
    "P309": "needs a host that unloads",
    "P310": "needs a host that calls",
    "P311": "needs a plugin that has its host at hand",
    "P331": "needs another interpreter than CPython",
    "C112": "needs two runs at once",
    "C113": "needs a run that was killed; see how to go on with one",
    "R111": "needs a file that changes while it is read",
    "P400": "see the how-to pages of the frameworks",
    "P401": "see the how-to pages of the frameworks",
    "P402": "see the how-to pages of the frameworks",
    "P403": "see the how-to pages of the frameworks",
    "P404": "see the how-to pages of the frameworks",
    "R110": "press Ctrl-C",
    "T102": "needs a file of another group",
    "T103": "needs a file of another user",
    "T104": "needs a folder that changes while it is looked at",
}

# Of whole families: what they are about is played on pages of their own.
FAMILIES = {
    r"P3[3-5]\d": "needs a host that reloads; see how to reload plugins",
    r"P3[6-9]\d|T4\d\d": "needs a plugin in a worker; see how to isolate plugins",
    r"P4[01]\d": "needs a framework; see the how-to pages of these",
    r"C11[2-9]|R1[1-3]\d": "needs a run that was disturbed; see how to go on with one",
    r"C12\d|R1[45]\d": "needs a server, or a format that is an extra",
    r"C15\d|R1[89]\d": "needs a cluster",
}


def has_a_reason(code: str) -> bool:
    """Whether it is said why a code has no scene."""
    return code in WITHOUT or any(re.fullmatch(family, code) for family in FAMILIES)


def play(code: str, folder: Path) -> str:
    """Play a scene in an empty folder, and return what is said of the code."""
    scene = SCENES[code]
    # As a careful user has them, whatever the umask is.
    folder.chmod(0o755)
    for name, content in scene.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.parent.chmod(0o755)
        path.chmod(0o644)
    if scene.prepare is not None:
        scene.prepare(folder)
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        if scene.host is not None:
            names: dict[str, object] = {"plugline": plugline}
            exec(scene.host, names)  # noqa: S102 - written above
            host = names["host"]
            assert isinstance(host, plugline.Host)
            host.close()
        else:
            main(scene.words)
    # The page is the same wherever it is built.
    text = said.getvalue().replace(str(folder), ".").replace(str(Path(os.__file__).parent), "/usr/lib/python3")
    return _finding(text, code)


def _finding(text: str, code: str) -> str:
    """Return the finding with a code from what was said, with the lines that belong to it."""
    lines = text.split("\n")
    begin = next((at for at, line in enumerate(lines) if re.match(rf"(error|warning)\[{code}\]", line)), None)
    if begin is None:
        return ""
    end = next((at for at in range(begin + 1, len(lines)) if not lines[at].startswith("  ")), len(lines))
    return "\n".join(line.rstrip() for line in lines[begin:end])


HEADER = """# Gallery of findings

Each finding as it is shown, with the files that lead to it.
This page is written by the tests, which play every scene; [finding codes](findings.md) has what each code means.
"""


def page() -> str:
    """Return the page, for which all scenes are played."""
    parts = [HEADER]
    for code, about in CODES.items():
        if code not in SCENES:
            continue
        with tempfile.TemporaryDirectory() as folder:
            said = play(code, Path(folder).resolve())
        parts.append(f"## {code}: {about.title}\n")
        scene = SCENES[code]
        for name, content in scene.files.items():
            if scene.shown is not None and name not in scene.shown:
                continue
            text = content if isinstance(content, str) else content.decode("utf-8", "replace")
            # Without a language: most of it is wrong on purpose.
            parts.append(f"`{name}`\n\n```text\n{text.rstrip()}\n```\n")
        if scene.host is None:
            parts.append(f"`plugline {' '.join(scene.words)}` says\n")
        parts.append(f"```text\n{said}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
