"""What code is seen to touch, and what is said where that was not declared."""

import textwrap

import pytest

from plugline.admission.audit import Use, audit_findings, find_uses, needed_permissions
from plugline.contract.permissions import NOTHING, Permissions
from plugline.discovery.source import parse_source
from plugline.files import SourceFile
from plugline.findings import Finding


def uses(code: str) -> tuple[Use, ...]:
    tree = parse_source(SourceFile("x.py", textwrap.dedent(code).encode()))
    assert not isinstance(tree, Finding), tree
    return find_uses(tree)


def touched(code: str) -> list[tuple[str, str, int]]:
    return [(use.kind, use.name, use.line) for use in uses(code)]


@pytest.mark.parametrize(
    ("code", "kind", "name"),
    [
        ("open(p)", "read", "builtins.open"),
        ("open(p, 'rb')", "read", "builtins.open"),
        ("open(p, 'w')", "write", "builtins.open"),
        ("open(p, mode='ab')", "write", "builtins.open"),
        ("import io\nio.open(p)", "read", "builtins.open"),
        ("import gzip as g\ng.open(p, 'wb')", "write", "gzip.open"),
        ("from pathlib import Path\nPath(p).read_text()", "read", "pathlib.Path.read_text"),
        ("from pathlib import Path\nf = Path(p) / 'x'\nf.open('w')", "write", "pathlib.Path.open"),
        ("from pathlib import Path\ndef f(p: Path): p.parent.joinpath('x').unlink()", "write", "pathlib.Path.unlink"),
        ("def f(p): p.write_text('')", "write", "….write_text"),
        ("import os\nos.remove(p)", "write", "os.remove"),
        ("import tempfile\ntempfile.mkdtemp()", "write", "tempfile.mkdtemp"),
        ("import socket as s\ns.socket()", "net", "socket.socket"),
        ("from urllib.request import urlopen as get\nget(u)", "net", "urllib.request.urlopen"),
        ("import requests\nrequests.get(u)", "net", "requests.get"),
        ("import requests\nclass S(requests.Session): pass", "net", "requests.Session"),
        ("from os import system\nsystem('x')", "run", "os.system"),
        ("import subprocess\nrun = subprocess.run\ndef f(): run([])", "run", "subprocess.run"),
        ("import os\nos.fork()", "run", "os.fork"),
        ("from os import *\nremove(p)", "write", "os.remove"),
        ("from os import *\nenviron['X']", "env", "os.environ"),
        ("from ctypes import *\nCDLL(p)", "native", "ctypes.CDLL"),
        ("from posix import *\nremove(p)", "write", "os.remove"),
        ("from _socket import *\nsocket()", "net", "socket.socket"),
        ("import posix\nposix.unlink(p)", "write", "os.unlink"),
        ("import posix as low\nlow.environ", "env", "os.environ"),
        ("__import__('os').system('x')", "run", "os.system"),
        ("import os\ngetattr(os, 'system')('x')", "run", "os.system"),
        ("from importlib import import_module\nimport_module('os').system('x')", "run", "os.system"),
        ("import sys\nsys.modules['os'].system('x')", "run", "os.system"),
        ("import os\nf = {'a': os.system}", "run", "os.system"),
        ("import os\nos.environ['HOME']", "env", "os.environ"),
        ("import os\nos.environ.get('HOME')", "env", "os.environ"),
        ("from os import environ\nenviron['X'] = '1'", "env", "os.environ"),
        ("import os\ndict(os.environ)", "env", "os.environ"),
        ("import ctypes\nctypes.CDLL(None)", "native", "ctypes.CDLL"),
        ("from cffi import FFI\nFFI()", "native", "cffi.FFI"),
        ("exec(code)", "dynamic", "builtins.exec"),
        ("import builtins\nbuiltins.eval(code)", "dynamic", "builtins.eval"),
        ("__builtins__.eval(code)", "dynamic", "builtins.eval"),
        ("__import__(name)", "dynamic", "builtins.__import__"),
        ("import pickle\npickle.loads(b)", "dynamic", "pickle.loads"),
        ("import os\nos._exit(0)", "process", "os._exit"),
        ("import signal\nsignal.signal(2, f)", "process", "signal.signal"),
        ("import builtins\nbuiltins.open = f", "patch", "builtins.open"),
        ("import sys\nsys.modules['json'] = f", "patch", "sys.modules"),
        ("import sys\nsys.path.insert(0, p)", "patch", "sys.path.insert"),
        ("import sys\ndel sys.modules['json']", "patch", "sys.modules"),
        ("import json\njson.dumps = f", "patch", "json.dumps"),
        ("import json\nsetattr(json, 'dumps', f)", "patch", "builtins.setattr"),
    ],
)
def test_what_code_touches_is_seen(code: str, kind: str, name: str) -> None:
    assert (kind, name) in [(use.kind, use.name) for use in uses(code)]
    assert {use.kind for use in uses(code)} == {kind}


@pytest.mark.parametrize(
    "code",
    [
        "def f(open): return open(1)",
        "from mine import open\nopen(1)",
        "class A:\n    def open(self): return self.open()",
        "import re\nre.compile('x')",
        "compile = 1",
        "import os\nos.path.join('a', 'b')\nos.path.exists('a')\nos.sep",
        "import requests\ntry: f()\nexcept requests.RequestException: pass",
        "import socket\ntry: f()\nexcept socket.timeout: pass",
        "import socket\ndef f(s: socket.socket) -> socket.socket: return s",
        "import subprocess\nisinstance(x, subprocess.Popen)",
        "import io, zipfile\nzipfile.ZipFile(io.BytesIO(b))",
        "import ctypes\nclass P(ctypes.Structure): _fields_ = [('x', ctypes.c_int)]",
        "import importlib\nimportlib.import_module('json')",
        "__import__('json')",
        "import sys\nsys.path\nsys.modules.get('x')\n'x' in sys.modules",
        "from .os import system\nsystem(1)",
        "from flask import g\ng.lib = 1",
        "self = 1\nself.x = 2",
        "import ast\ncompile(s, 'x', 'exec', ast.PyCF_ONLY_AST)",
        "x = x(x)\nx = x.y(x)\ny = x[y]",
        "def f(record): record.get('x'); record['y'] = 1; record.update(a=1)",
    ],
)
def test_what_touches_nothing_is_passed_over(code: str) -> None:
    assert touched(code) == []


def test_every_place_is_told_with_its_line_and_column() -> None:
    found = uses("import os\n\n\ndef f():\n    return [os.system('x') for _ in 'ab']\n")
    assert [(use.line, use.column) for use in found] == [(5, 13)]


def test_a_name_of_a_class_body_is_not_seen_by_its_methods() -> None:
    assert touched("class A:\n    open = None\n    def f(self): return open('x')") == [("read", "builtins.open", 3)]


def test_code_that_is_nested_as_deeply_as_python_parses_is_looked_through() -> None:
    deep = "x" + ".a(x)" * 400 + "\n" + "x = " + "+".join(["1"] * 900) + "\nopen('f')\n"
    assert [use.kind for use in uses(deep)] == ["read"]


def test_names_that_lead_round_in_a_circle_end() -> None:
    chain = "\n".join(f"a{n} = a{n + 1} or a{n + 2} or b(a{n})" for n in range(200))
    assert touched(chain + "\na200 = a0\na0()") == []


def test_what_is_not_declared_is_told_with_the_line_to_add() -> None:
    findings = audit_findings(uses("import os\nos.system('x')\nopen('data/x.csv')\n"), Permissions(net=True), "x.py")
    assert [(one.code, str(one.place), one.severity) for one in findings] == [
        ("T204", "x.py:2:1", "error"),
        ("T201", "x.py:3:1", "error"),
    ]
    wanted = 'permissions = { read = ["data/x.csv"], net = true, run = true }'
    assert all(wanted in str(one.hint) and "not a boundary" in str(one.hint) for one in findings)


def test_what_is_declared_is_passed_over() -> None:
    code = "import os\nos.system('x')\nopen('data/x.csv')\nopen(p, 'w')\nos.environ['HOME']\nexec(c)\n"
    declared = Permissions(read=["data"], write=["."], run=True, env=["HOME"], dynamic=True)
    assert audit_findings(uses(code), declared, "x.py") == ()


def test_another_path_or_variable_than_the_declared_one_is_told() -> None:
    code = "import os\nopen('/etc/passwd')\nos.environ['TOKEN']\n"
    findings = audit_findings(uses(code), Permissions(read=["data"], env=["HOME"]), "x.py")
    assert [one.code for one in findings] == ["T201", "T205"]
    assert "'/etc/passwd'" in findings[0].message


def test_the_same_thing_in_several_places_is_one_finding() -> None:
    (finding,) = audit_findings(uses("eval(a)\neval(b)\neval(c)\n"), NOTHING, "x.py", severity="warning")
    assert finding.message.endswith("and 2 more of it")
    assert finding.severity == "warning"


def test_what_is_needed_covers_what_is_seen() -> None:
    code = "import os, socket\nopen('a\\0b')\nopen(p, 'w')\nsocket.socket()\ndict(os.environ)\neval(x)\n"
    needed = needed_permissions(uses(code))
    assert audit_findings(uses(code), needed.union(Permissions(read=["/"])), "x.py") == ()
    assert needed.net
    assert needed.env == ("*",)
