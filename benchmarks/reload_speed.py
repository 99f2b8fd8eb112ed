"""Claim: a reload costs little more than compiling and running the file, which is the least that any reload has to do.

Of files of 50, 500 and 5,000 lines (functions, and classes with methods), in CPU time of the thread that reloads:

- an edit of one function's body: at most 1.5 times ``compile`` and ``exec`` of the same bytes, at 50 lines at most a millisecond over it;
- an edit of a constant, so that the module runs again, at 500 and 5,000 lines: at most 2 times where nobody holds anything
  of it, and 4 times where somebody does (``held``: functions, a bound method, an instance, a subclass).

Run: ``python benchmarks/reload_speed.py [--lines 50,500,5000] [--rounds 31] [--heap OBJECTS]``, where the last are objects
that the program has besides.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from harness import Claim, report

from plugline import Host

_FUNCTION = '''
def step_{n}(record, limit={n}):
    """Return the record with its fields tidied."""
    found = {{}}
    for key, value in record.items():
        if isinstance(value, str):
            value = value.strip().lower()
        elif value is None and len(found) > limit:
            continue
        found[key] = value
    return found

'''
_CLASS = '''
class Step{n}(Base):
    """One step of many."""

    limit = {n}

    def __init__(self, name):
        self.name = name
        self.seen = 0

    def apply(self, record, *, again=False):
        self.seen += 1
        if again and self.seen > self.limit:
            return [step_0(record) for _ in range(2)]
        return step_0(record)

    @property
    def shown(self):
        return f"{{self.name}} ({{self.seen}})"

'''
_HEAD = '''"""A plugin of many parts."""
import os
from functools import partial

VERSION = "1.2"
EDITION = {edition}


class Base:
    def shown(self):
        return "base"


def transform(record):
    total = {body}
    return {{**record, "total": total}}

'''
_LIMITS = {"graft": 1.5, "run again": 2.0, "run again, held": 4.0}
_SMALL_LINES, _SMALL_OVER_SECONDS = 50, 0.001


def plugin_source(lines: int, *, edition: int = 0, body: int = 0) -> str:
    """Return a plugin of about so many lines."""
    text = _HEAD.format(edition=edition, body=body)
    count, number = text.count("\n"), 0
    while count < lines:
        part = (_CLASS if number % 3 == 2 else _FUNCTION).format(n=number)
        text += part
        count += part.count("\n")
        number += 1
    return text


class _Side:
    """One plugin that is edited again and again, with what its edits cost and what compiling them costs."""

    def __init__(self, folder: Path, lines: int, name: str) -> None:
        self._path = folder / name / "x.py"
        self._path.parent.mkdir()
        self._lines = lines
        self._number = 0
        self._name = name
        self._write()
        self._host: Host[object] = Host(self._path.parent, interface=["transform"])
        self._module: Any = self._host["x"].load()
        self._held = self._hold() if name.endswith("held") else ()

    def _hold(self) -> tuple[object, ...]:
        names = vars(self._module)
        classes = [value for value in names.values() if isinstance(value, type)]
        instance = classes[-1]("one") if len(classes) > 1 else classes[-1]()
        below = type("Below", (classes[-1],), {})
        return names["transform"], names.get("step_0"), instance, instance.shown, below, classes[0]

    def _write(self) -> str:
        self._number += 1
        edited = {"body" if self._name == "graft" else "edition": self._number}
        text = plugin_source(self._lines, **edited)
        self._path.write_text(text, encoding="utf-8")
        return text

    def measure(self) -> tuple[float, float]:
        """Return the CPU seconds of one reload, and of compiling and running the same bytes."""
        content = self._write().encode()
        began = time.thread_time_ns()
        report = self._host.reload("x")
        ended = time.thread_time_ns()
        wanted = "grafted" if self._name == "graft" else "adopted"
        assert not isinstance(report, (list, tuple))
        assert report.how == wanted, str(report)
        seen = self._module.transform({})["total"] if wanted == "grafted" else self._module.EDITION
        assert seen == self._number
        return (ended - began) / 1e9, _by_hand(content, str(self._path))

    def close(self) -> None:
        self._held = ()
        self._host.close()


def _by_hand(content: bytes, path: str) -> float:
    began = time.thread_time_ns()
    module = ModuleType("by_hand")
    exec(compile(content, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - what it is compared with
    ended = time.thread_time_ns()
    return (ended - began) / 1e9


def _claims(lines: int, rounds: int) -> list[Claim]:
    with tempfile.TemporaryDirectory() as folder:
        names = ["graft"] if lines <= _SMALL_LINES else list(_LIMITS)
        sides = {name: _Side(Path(folder), lines, name) for name in names}
        seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in sides}
        for number in range(-2, rounds):
            for name, side in sides.items():
                ours, theirs = side.measure()
                if number >= 0:
                    seconds[name][0].append(ours)
                    seconds[name][1].append(theirs)
        for side in sides.values():
            side.close()
    return [_claim(lines, name, *found) for name, found in seconds.items()]


def _claim(lines: int, name: str, ours: list[float], theirs: list[float]) -> Claim:
    over = _SMALL_OVER_SECONDS if lines <= _SMALL_LINES and name == "graft" else 0.0
    base = "compile and exec, + 1 ms" if over else "compile and exec"
    return Claim(
        name=f"{lines:,} lines, {name}",
        side=name,
        base=base,
        limit=1.0 if over else _LIMITS[name],
        seconds={name: ours, base: [one + over for one in theirs]},
    )


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--lines", default="50,500,5000")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--heap", type=int, default=0)
    options, rest = parser.parse_known_args(argv)
    heap = [{"number": number} for number in range(options.heap)]
    claims = [
        claim
        for lines in map(int, options.lines.split(","))
        for claim in _claims(lines, options.rounds if lines <= 500 else max(options.rounds // 4, 5))
    ]
    del heap
    return report("reload_speed", claims, rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
