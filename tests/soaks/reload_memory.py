"""Thousands of reloads of a plugin of 500 lines: what is there after them is what was there before.

Usage: python -m tests.soaks.reload_memory [RELOADS] [bodies]

With ``bodies`` only bodies of functions are edited, otherwise each reload runs the whole module again.
"""

import gc
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from weakref import ref

from plugline import Host

FUNCTION = """
def function_{number}(record, factor={number}):
    '''Do the same.'''
    value = record.get("value", {version})
    return {{**record, "value": value * factor}}
"""
CLASS = """
@dataclasses.dataclass
class Class{number}:
    one: int = {number}
    names: list = dataclasses.field(default_factory=list)

    def method(self, record):
        self.names.append(record)
        return self.one + {version}
"""
MOST_BYTES_EACH = 512
MOST_OBJECTS = 50  # in all: modules of the standard library that are imported late
_BEFORE = 300  # reloads, after which all that is made once is made, and the collector has let go of old versions once


@dataclass(frozen=True, slots=True)
class Grown:
    """What came of a run.

    Attributes:
        objects: How many objects there are more.
        bytes_each: How much more memory the process has, for each reload.
        versions: How many versions were alive at most, nothing being held; the collector is not let in.
        seconds: How long a reload took.
    """

    objects: int
    bytes_each: float
    versions: int
    seconds: float


def source(version: int, *, bodies: bool) -> str:
    """Return a version of 500 lines."""
    head = "import dataclasses\n" + ("" if bodies else f"VERSION = {version}\n")
    functions = "".join(FUNCTION.format(number=number, version=version) for number in range(66))
    classes = "".join(CLASS.format(number=number, version=version) for number in range(16))
    return f"{head}{functions}{classes}\ndef transform(record):\n    return function_1(record), Class1()\n"


def soak(folder: Path, reloads: int, *, bodies: bool = False, before_counting: int = _BEFORE) -> Grown:
    """Make so many reloads, and some before that are not counted."""
    path = folder / "x.py"
    path.write_text(source(0, bodies=bodies), encoding="utf-8")
    versions: list[ref[CodeType]] = []
    most = 0
    with Host(folder) as host:
        module = host["x"].load()
        before, memory, start = 0, 0, 0.0
        for number in range(1, before_counting + reloads + 1):
            path.write_text(source(number, bodies=bodies), encoding="utf-8")
            report = host.reload("x")
            assert report.how == ("grafted" if bodies else "adopted"), report
            code = module.function_1.__code__  # type: ignore[attr-defined]
            versions = [one for one in versions if one() is not None] + [ref(code)]
            del code
            if number > before_counting:
                most = max(most, len(versions))
            if number == before_counting:
                gc.collect()
                before, memory, start = len(gc.get_objects()), _memory(), time.perf_counter()
                gc.disable()
        gc.enable()
        gc.collect()
        gc.collect()
        return Grown(
            objects=len(gc.get_objects()) - before,
            bytes_each=(_memory() - memory) / reloads,
            versions=most,
            seconds=(time.perf_counter() - start) / reloads,
        )


def _memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run it, and say what came of it."""
    reloads = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    bodies = "bodies" in sys.argv[2:]
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["PLUGLINE_CACHE"] = str(Path(temporary) / "cache")
        folder = Path(temporary) / "plugins"
        folder.mkdir()
        lines = len(source(0, bodies=bodies).splitlines())
        grown = soak(folder, reloads, bodies=bodies)
    kind = "of bodies" if bodies else "of everything"
    print(f"{reloads:,} reloads {kind} of {lines} lines, {grown.seconds * 1000:.1f} ms each")
    print(f"{grown.objects:+,} objects, {grown.bytes_each:+,.1f} bytes each, at most {grown.versions} versions alive")
    sys.exit(grown.objects > MOST_OBJECTS or grown.bytes_each > MOST_BYTES_EACH or grown.versions > 2)


if __name__ == "__main__":
    main()
