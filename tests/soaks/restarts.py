"""A plugin whose workers die a thousand times, in all the ways that they can, and nothing left of any of them.

python tests/soaks/restarts.py [RESTARTS] [process|sandbox]

After each hundred deaths the descriptors, child processes and memory of this process are told; it ends with code 1 if
descriptors or children are more at the end than after the first, or memory grew by more than 20 MiB.
"""

import gc
import logging
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from plugline import Host
from plugline.errors import PluginError
from plugline.isolation.levels import Level
from plugline.worker.limits import Sandbox

_GROWTH_KIB = 20 * 1024

SOURCE = """
import os

def transform(record):
    how = record.get("how")
    if how == "exit":
        os._exit(0)
    if how == "kill":
        os.kill(os.getpid(), 9)
    if how == "segfault":
        os.kill(os.getpid(), 11)
    if how == "forge":
        for number in range(3, 20):
            try:
                os.write(number, b"\\xff" * 64)
            except OSError:
                pass
        os._exit(1)
    if how == "stop":
        os.kill(os.getpid(), 19)
    if how == "close":
        os.closerange(3, 20)
    return record
"""
WAYS = ("exit", "kill", "segfault", "forge", "close", "exit", "kill", "forge", "segfault", "stop")


def held() -> tuple[int, int, int]:
    """Return how many descriptors and children this process has, and its memory in KiB."""
    gc.collect()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return len(os.listdir("/proc/self/fd")), len(children), pages * resource.getpagesize() // 1024


def soak(restarts: int, level: Level, *, tell: bool = True) -> tuple[tuple[int, int, int], tuple[int, int, int], int]:
    """Let workers die so often; return what was held after the first, what is held at the end, and how many died."""
    deaths = 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mortal.py").write_text(SOURCE, encoding="utf-8")
        limits = Sandbox(timeout_seconds=3)
        with Host(folder, interface=["transform"], isolation=level, limits=limits) as host:
            plugin = host["mortal"].load()
            first = held()
            for number in range(restarts):
                try:
                    plugin.transform({"how": WAYS[number % len(WAYS)]})  # type: ignore[attr-defined]
                except PluginError:
                    deaths += 1
                assert plugin.transform({"n": number}) == {"n": number}  # type: ignore[attr-defined]
                if number == 10:
                    first = held()  # with a zygote
                if tell and number % 100 == 99:
                    sys.stdout.write(f"  {number + 1:>5} restarts: {held()}\n")
                    sys.stdout.flush()
            last = held()
    return first, last, deaths


def main() -> int:
    """Run it as the command line says."""
    logging.disable(logging.CRITICAL)
    restarts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    level: Level = "process" if sys.argv[2:] == ["process"] else "sandbox"
    began = time.perf_counter()
    first, last, deaths = soak(restarts, level)
    seconds = time.perf_counter() - began
    sys.stdout.write(
        f"{restarts:,} restarts, {deaths:,} deaths, level {level}, {seconds:.1f} s\n"
        f"  descriptors, children, KiB: {first} after the first ten, {last} at the end\n"
    )
    return 1 if last[0] > first[0] or last[1] > first[1] or last[2] > first[2] + _GROWTH_KIB else 0


if __name__ == "__main__":
    sys.exit(main())
