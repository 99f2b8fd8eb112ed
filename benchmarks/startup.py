"""Claim: in bare interpreter starts, ``import plugline`` takes at most 1.2, ``from plugline import Host`` 3, a host that lists ten plugins 3 and ``plugline --help`` 6.

Whole processes, with their bytecode written before. Run: ``python benchmarks/startup.py``.
"""

import compileall
import sys
import tempfile
from pathlib import Path

from harness import Claim, measure_commands, report

import plugline

_PLUGIN = '''\
"""Upper-case some fields."""

VERSION = "1.0"
REQUIRED_API_VERSION = "1.2"
FIELDS = ("name", "city")


def transform(record):
    return {key: value.upper() if key in FIELDS and isinstance(value, str) else value for key, value in record.items()}


def describe():
    return "upper: upper-cases name and city"
'''
_LIST = """
from plugline import Host
host = Host({folder!r}, interface=["transform", "describe"], api_version="1.2")
assert [(plugin.version, plugin.summary) for plugin in host] == [("1.0", "Upper-case some fields.")] * 10
"""
_ROUNDS = 31


def _claims(folder: Path) -> list[Claim]:
    for number in range(10):
        (folder / f"plugin_{number}.py").write_text(_PLUGIN, encoding="utf-8")
    # As an installer does; where PYTHONDONTWRITEBYTECODE is set, the first start would not.
    compileall.compile_dir(Path(plugline.__file__).parent, quiet=2)
    bare = "python -c pass"
    sides = {
        bare: "pass",
        "import plugline": "import plugline",
        "from plugline import Host": "from plugline import Host",
        "list ten plugins": _LIST.format(folder=str(folder)),
    }
    commands = {name: [sys.executable, "-c", code] for name, code in sides.items()}
    commands["plugline --help"] = [sys.executable, "-m", "plugline", "--help"]
    cpu, wall = measure_commands(commands, rounds=_ROUNDS)
    limits = {"import plugline": 1.2, "from plugline import Host": 3, "list ten plugins": 3, "plugline --help": 6}
    return [
        Claim(name=side, side=side, base=bare, limit=limit, seconds=cpu, wall_seconds=wall)
        for side, limit in limits.items()
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.exit(report("startup", _claims(Path(made))))
