"""Claim: in split processes a run costs at most 1.15 times the CPU of the loop written by hand, and two are 1.6 times as fast.

The same loop, functions and bytes as in ``run_ndjson.py``: one process with all guarantees (claimed at most 1.10, aimed at 1.05),
two split processes in order (1.15 of the CPU, 1 / 1.6 of the time on the wall), standard input and a gzip file
(1.25 of the same loop on the same bytes), and records of which one in a hundred and one in ten fail (1.05 and 1.25 of the same run
without failures). Wall times say something only where two processors are free: see the load in what is printed.
Run: ``python benchmarks/splits.py``; ``ORDERS=1000000`` in the environment for the size of the issue.
"""

import gzip
import os
import sys
import tempfile
from pathlib import Path

from data import orders_file
from harness import Claim, measure_commands, report
from run_ndjson import write_pipeline

_ORDERS = int(os.environ.get("ORDERS", "400000"))
_ROUNDS = int(os.environ.get("ROUNDS", "7"))
_HERE = Path(__file__).parent
_PLUGLINE = [sys.executable, "-m", "plugline", "run", "--quiet"]
_FAILING = '''"""Fail on some."""

VERSION = "1.0"
EVERY = {every}  # all sides count: what failing costs is what is measured
count = 0


def transform(record):
    global count
    count += 1
    if count % EVERY == 0:
        raise ValueError(record["id"])
    return record


def describe():
    return "fails on some"
'''


def _variant(folder: Path, source: Path, name: str, more: str = "", first: str = "") -> Path:
    """Write a pipeline of a name of its own, with its own sink."""
    if not (folder / "plugins").exists():
        write_pipeline(folder, source)
    text = (folder / "pipeline.toml").read_text(encoding="utf-8").replace("ours.ndjson", f"{name}.ndjson")
    text = text.replace(f'path = "{orders_path(folder)}"', f'path = "{source}"').replace(
        "[[steps]]", f"{first}[[steps]]", 1
    )
    path = folder / f"{name}.toml"
    path.write_text(f"{text}\n[run]\nmax_errors = 'none'\n{more}\n", encoding="utf-8")
    return path


def orders_path(folder: Path) -> str:
    """Return the source that the pipeline file of a folder names."""
    text = (folder / "pipeline.toml").read_text(encoding="utf-8")
    return text.partition('path = "')[2].partition('"')[0]


def _shell(command: str) -> list[str]:
    return ["sh", "-c", command]


def _claims() -> list[Claim]:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    source = orders_file(Path(tempfile.gettempdir()) / "plugline-benchmarks", _ORDERS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        by_hand = folder / "by-hand.ndjson"
        hand = [sys.executable, str(_HERE / "hand_loop.py"), str(source), str(by_hand)]
        one = _variant(folder, source, "one", "processes = 1")
        two = _variant(folder, source, "two", "processes = 2")
        stdin = _variant(folder, source, "stdin", "processes = 2")
        stdin.write_text(
            stdin.read_text(encoding="utf-8").replace(f'"{source}"', '"-"\nformat = "ndjson"'), encoding="utf-8"
        )
        cpu, wall = measure_commands(
            {
                "by hand": hand,
                "one process": [*_PLUGLINE, str(one)],
                "two split processes": [*_PLUGLINE, str(two)],
                "from standard input": _shell(f"cat {source} | {' '.join(_PLUGLINE)} {stdin}"),
            },
            rounds=_ROUNDS,
        )
        for each in ("one", "two", "stdin"):
            assert (folder / f"{each}.ndjson").read_bytes() == by_hand.read_bytes(), f"the outputs differ: {each}"
        return [
            *_against_hand(cpu, wall),
            *_gzip_claims(folder, source, by_hand),
            *_failing_claims(folder, source),
        ]


def _against_hand(cpu: dict[str, list[float]], wall: dict[str, list[float]]) -> list[Claim]:
    what = f"{_ORDERS:,} orders, trim and upper"
    load = f"(load {os.getloadavg()[0]:.1f})"
    return [
        Claim(name=f"{what}, CPU", side="one process", base="by hand", limit=1.10, seconds=cpu, wall_seconds=wall),
        Claim(name=f"{what}, CPU", side="two split processes", base="by hand", limit=1.15, seconds=cpu),
        Claim(name=f"{what}, wall {load}", side="two split processes", base="by hand", limit=1 / 1.6, seconds=wall),
        Claim(name=f"{what}, CPU", side="from standard input", base="by hand", limit=1.25, seconds=cpu),
    ]


def _gzip_claims(folder: Path, source: Path, by_hand: Path) -> list[Claim]:
    """Compare with the same loop that reads the same file through ``gzip``, which is what takes most of the time."""
    packed = folder / "orders.ndjson.gz"
    with source.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as stream:
        while piece := plain.read(2**20):
            stream.write(piece)
    path = _variant(folder, packed, "unpacked", "processes = 2")
    program = f"""
import gzip, sys
sys.path.insert(0, {str(_HERE)!r})
from hand_loop import line_batches, trim, upper
import orjson
with gzip.open({str(packed)!r}, "rb") as reader, open({str(by_hand)!r}, "wb") as writer:
    for lines in line_batches(reader):
        encoded = [orjson.dumps(upper(trim(orjson.loads(line)))) for line in lines if line]
        writer.write(b"\\n".join([*encoded, b""]))
"""
    sides = {"gzip by hand": [sys.executable, "-c", program], "from gzip": [*_PLUGLINE, str(path)]}
    cpu, wall = measure_commands(sides, rounds=max(3, _ROUNDS // 2))
    assert (folder / "unpacked.ndjson").read_bytes() == by_hand.read_bytes(), "the outputs differ: gzip"
    return [
        Claim(name="from gzip, CPU", side="from gzip", base="gzip by hand", limit=1.25, seconds=cpu, wall_seconds=wall)
    ]


def _failing_claims(folder: Path, source: Path) -> list[Claim]:
    sides: dict[str, list[str]] = {}
    for name, every in (("none_fail", 1_000_000_000), ("one_in_100", 100), ("one_in_10", 10)):
        (folder / "plugins" / f"{name}.py").write_text(_FAILING.format(every=every), encoding="utf-8")
        path = _variant(folder, source, name, "processes = 1", f'[[steps]]\nuse = "{name}"\n\n')
        sides[name] = _shell(f"{' '.join(_PLUGLINE)} {path} 2>/dev/null; test $? -le 1")
    cpu, _ = measure_commands(sides, rounds=max(3, _ROUNDS // 2))
    return [
        Claim(name="one record in 100 fails", side="one_in_100", base="none_fail", limit=1.05, seconds=cpu),
        Claim(name="one record in 10 fails", side="one_in_10", base="none_fail", limit=1.25, seconds=cpu),
    ]


if __name__ == "__main__":
    sys.exit(report("splits", _claims()))
