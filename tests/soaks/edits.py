"""Random edits of a folder of plugins, with a look at it after each: nothing that is shown or run may be of an earlier edit.

Every edit leaves the file as long as it was, and most fall within one tick of the clock that file systems stamp with. Some replace the
file, some write over it, some swap two files, some put a stamp back to what it was.

Run: ``python -m tests.soaks.edits 10000``; the argument is the number of edits, 1,000 by default.
"""

import os
import random
import sys
import tempfile
from pathlib import Path

from plugline import Host

_PLUGIN = '"""Doc {n}."""\nVERSION = "{n}"\ndef transform(record):\n    return {n}\n'
_NAMES = [f"p{number}" for number in range(5)]


def soak(folder: Path, edits: int, seed: int = 20) -> int:
    """Make so many edits below a folder; returns how many looks were taken.

    Raises:
        AssertionError: Something was stale.
    """
    chance = random.Random(seed)  # noqa: S311 - not a secret
    for name in _NAMES:
        (folder / f"{name}.py").write_text(_PLUGIN.format(n=10_000), encoding="utf-8")
    with Host(folder, interface=["transform"]) as living:
        for number in range(edits):
            _edit(folder, chance, _PLUGIN.format(n=10_000 + number % 80_000))
            truth = {name: (folder / f"{name}.py").read_text(encoding="utf-8").split('"')[7] for name in _NAMES}
            living.refresh()
            assert {plugin.name: plugin.version for plugin in living} == truth, f"refreshed after edit {number}"
            with Host(folder, interface=["transform"]) as host:
                assert {name: host[name].version for name in _NAMES} == truth, f"asked by name after edit {number}"
                loaded = {plugin.name: plugin.load().transform(None) for plugin in host.load_all()}  # type: ignore[attr-defined]
            assert loaded == {name: int(version) for name, version in truth.items()}, f"run after edit {number}"
    return 3 * edits


def _edit(folder: Path, chance: random.Random, text: str) -> None:
    path = folder / f"{chance.choice(_NAMES)}.py"
    kind = chance.choice(["write", "write", "replace", "replace", "swap", "stamp"])
    before = path.stat()
    if kind == "replace":
        (folder / "_new").write_text(text, encoding="utf-8")
        (folder / "_new").replace(path)
    elif kind == "swap":
        one, two = (folder / f"{name}.py" for name in chance.sample(_NAMES, 2))
        one.rename(folder / "_swap")
        two.rename(one)
        (folder / "_swap").rename(two)
    else:
        path.write_text(text, encoding="utf-8")
        if kind == "stamp":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["PLUGLINE_CACHE"] = str(Path(temporary) / "cache")
        plugins = Path(temporary) / "plugins"
        plugins.mkdir()
        sys.stdout.write(f"{soak(plugins, count):,} looks after {count:,} edits, none of them stale\n")
