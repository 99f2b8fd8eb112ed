"""One folder with a plugin for every finding code that a folder can show."""

import os
import stat
from pathlib import Path

from plugline.admission.trust import accept, propose
from plugline.codes import CODES
from tests.plugin_folders import GOOD, write

NOBODY = 65534

# What a folder that lies there cannot show, each with the reason; everything else has its plugin below.
NOT_IN_A_FOLDER = {
    "P110": "is about a folder that is not there",
    "P115": "a plugline.toml that cannot be understood disables all of the folder's plugins, so none shows anything",
    "P116": "is told of a plugin that somebody asks for; check tells how many are disabled",
    "P205": "needs a host that asks for a file by a name that it loses when it is run",
    "P307": "needs a load of ten seconds",
    "P309": "needs a host that unloads",
    "P310": "needs a host that calls",
    "P311": "needs a plugin that has its host at hand",
    "P400": "needs a host that puts plugins at the top level",
    "P401": "needs pytest as the host",
    "P402": "needs Django as the host",
    "P403": "needs an ASGI application as the host",
    "P404": "needs a program that dispatches by pluggy as the host",
    "T104": "needs a path that changes between being read and being looked at",
    "T305": "a lock that cannot be used refuses all of the folder's plugins, so none shows anything else",
    "T306": "needs a host with a policy of its own",
    "T402": "needs a host whose policy grants less than everything",
}

for _code in CODES:
    if _code.startswith(("P33", "P34", "P35")):
        NOT_IN_A_FOLDER[_code] = "needs a host that reloads"
    elif _code.startswith(("P36", "P37", "P38", "P39")):
        NOT_IN_A_FOLDER[_code] = "needs a plugin that runs in a worker"
if not hasattr(os, "geteuid") or os.geteuid() != 0:
    NOT_IN_A_FOLDER |= {"T102": "only root can give files to another group", "T103": "only root can give files away"}

_BLOCK = "# /// script\n{0}\n# ///\n"
_TOOL = _BLOCK.format("# [tool.plugline]\n# {0}")

_GOOD_BY_NAME = "PLUGIN_NAME = 'good'\n" + GOOD

# By the code that it is there for. Its name is that of its file.
SOURCES: dict[str, str | bytes] = {
    "P103": "import plugline_absent_module\n" + GOOD,
    "P104": "# " + "x" * 2**20 + "\n",
    "P105": b"x = '\xff'\n",
    "P106": "def f(:\n",
    "P109": "PRIORITY = 'high'\n" + GOOD,
    "P111": _BLOCK.format('# requires-python = ">=4"') + GOOD,
    "P112": "REQUIRES = ['absent']\n" + GOOD,
    "P113": "REQUIRES = ['p106']\n" + GOOD,
    "P114": "AFTER = ['p114']\n" + GOOD,
    "P201": "X = 1\n",
    "P202": "transform = 1\n\ndef describe():\n    return ''\n",
    "P203": "def transform():\n    return {}\n\ndef describe():\n    return ''\n",
    "P206": "def transform(record):\n    record['seen'] = 1\n\n\ndef describe():\n    return ''\n",
    "P210": "REQUIRED_API_VERSION = '99.0'\n" + GOOD,
    "P211": "REQUIRED_API_VERSION = 'latest'\n" + GOOD,
    "P301": "1 / 0\n" + GOOD,
    "P302": "import sys\nsys.exit(3)\n" + GOOD,
    "P305": "def available():\n    return 1 / 0\n" + GOOD,
    "P306": "import sys\nsys.path.insert(0, '/plugline_absent')\n" + GOOD,
    "T101": GOOD,
    "T102": GOOD,
    "T103": GOOD,
    "T201": "def more():\n    return open('x')\n" + GOOD,
    "T202": "def more():\n    return open('x', 'w')\n" + GOOD,
    "T203": "import socket\ndef more():\n    return socket.socket()\n" + GOOD,
    "T204": "import os\ndef more():\n    return os.system('true')\n" + GOOD,
    "T205": "import os\ndef more():\n    return os.environ['HOME']\n" + GOOD,
    "T206": "import ctypes\ndef more():\n    return ctypes.CDLL(None)\n" + GOOD,
    "T207": "def more(text):\n    return eval(text)\n" + GOOD,
    "T208": "import os\ndef more():\n    os._exit(3)\n" + GOOD,
    "T209": "import json\ndef more():\n    json.dumps = None\n" + GOOD,
    "T302": GOOD,
    "T304": _TOOL.format("permissions = { net = true }") + GOOD,
    "T401": _TOOL.format("permissions = { internet = true }") + GOOD,
}


def build(root: Path) -> Path:
    """Write the folder ``plugins``, and the files beside it, below ``root``."""
    plugins = write(root / "plugins", {f"{code.lower()}.py": text for code, text in SOURCES.items()})
    write(plugins, {"good.py": _GOOD_BY_NAME, "t303/__init__.py": GOOD})
    (root / "outside.py").write_text(GOOD)
    for proposal in propose([str(plugins)]):
        accept(proposal)
    lock = root / "plugline.lock"
    lock.write_text(lock.read_text().replace("permissions = { net = true }", "permissions = {}"))
    # What is done from here on is not trusted.
    (plugins / "p101.py").symlink_to("nowhere.py")
    os.mkfifo(plugins / "p102.py")
    write(plugins, {"p107.py": _GOOD_BY_NAME, "t301.py": GOOD})
    (plugins / "p108.py").symlink_to(root / "outside.py")
    write(plugins, {"t302.py": "X = 1\n" + GOOD, "t303/native.so": "not what was trusted"})
    (root / "plugline.toml").write_text('disabled = ["p117"]\n')
    for path in (root, plugins, *plugins.glob("t*.py")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IWGRP | stat.S_IWOTH))
    (plugins / "t101.py").chmod(0o666)
    if os.geteuid() == 0:
        os.chown(plugins / "t102.py", 0, 12345)
        (plugins / "t102.py").chmod(0o664)
        os.chown(plugins / "t103.py", NOBODY, -1)
    return plugins
