"""Claim: with two split processes plugline is ahead of other tools on the same job, in a fraction of their memory.

The job of ``run_ndjson.py``: trim and upper-case every text of an NDJSON file. ``petl``, Bonobo, ``Pool(2)``, Dask's bag, Bytewax, pypeln and
Beam's DirectRunner call the same Python functions. Miller and jq do the same in languages of their own; DuckDB and Polars cannot call people's functions at
that price and do it in their own expressions on columns that are named here, which is less than the job: unfair to plugline.
None of them keeps what fails, counts, or can be gone on with.

``python benchmarks/peers.py --python OTHER/bin/python``: an environment with those peers that are to be measured
(``pip install orjson petl bonobo 'dask[bag]' bytewax pypeln apache-beam duckdb polars 'setuptools<81'``); what is not there, or does not run there
(Bonobo imports what Python 3.10 took away), is left out, and said so. Memory is the largest sum of the PSS of all processes of a side,
looked at ten times a second.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data import orders_file
from run_ndjson import write_pipeline

_HERE = Path(__file__).parent
_SETUP = f"""
import json, sys
sys.path.insert(0, {str(_HERE)!r})
import orjson
from hand_loop import trim, upper
source, target = sys.argv[1:]
def work(line): return orjson.dumps(upper(trim(orjson.loads(line))))
"""
_PROGRAMS = {
    "Pool(2)": """
from multiprocessing import Pool
if __name__ == "__main__":
    with open(source, "rb") as lines, open(target, "wb") as out, Pool(2) as pool:
        for made in pool.imap(work, lines, chunksize=1000):
            out.write(made + b"\\n")
""",
    "petl": """
import petl
table = petl.fromjson(source, lines=True)
names = petl.header(table)
for function in ("strip", "upper"):
    for name in names:
        table = petl.convert(table, name, lambda value, function=function: getattr(value, function)() if isinstance(value, str) else value)
petl.tojson(table, target, lines=True)
""",
    "Dask bag": """
import dask.bag
if __name__ == "__main__":
    made = dask.bag.read_text(source, blocksize="8MiB").map(lambda line: work(line).decode())
    with open(target, "w") as out:
        for part in made.to_delayed():
            pass
        import dask
        for lines in dask.compute(*made.to_delayed(), scheduler="processes", num_workers=2):
            out.writelines(line + "\\n" for line in lines)
""",
    "pypeln": """
import pypeln
if __name__ == "__main__":
    from itertools import islice
    def many(lines): return [work(line) for line in lines]
    with open(source, "rb") as lines, open(target, "wb") as out:
        batches = iter(lambda: list(islice(lines, 1000)), [])
        for made in pypeln.process.map(many, batches, workers=2, maxsize=8) | pypeln.process.ordered:
            out.write(b"\\n".join([*made, b""]))
""",
    "Bytewax": """
import bytewax.operators as op
from bytewax.connectors.files import FileSource, FileSink
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main
from pathlib import Path
flow = Dataflow("orders")
lines = op.input("in", flow, FileSource(source, batch_size=1000))
made = op.map("work", lines, lambda line: ("", work(line).decode()))
op.output("out", made, FileSink(Path(target)))
run_main(flow)
""",
    "Bonobo": """
import bonobo
def extract():
    with open(source, "rb") as lines:
        yield from lines
def transform(line):
    yield work(line)
if __name__ == "__main__":
    with open(target, "wb") as out:
        bonobo.run(bonobo.Graph(extract, transform, lambda line: out.write(line + b"\\n")))
""",
    "Beam's DirectRunner": """
import apache_beam
from apache_beam.options.pipeline_options import PipelineOptions
with apache_beam.Pipeline(options=PipelineOptions(["--runner=DirectRunner"])) as flow:
    made = flow | apache_beam.io.ReadFromText(source) | apache_beam.Map(lambda line: work(line).decode())
    made | apache_beam.io.WriteToText(target, num_shards=1, shard_name_template="")
""",
    "DuckDB": """
import duckdb
columns = duckdb.sql(f"describe select * from read_ndjson('{source}') limit 1").fetchall()
made = ", ".join(f"upper(trim({name})) as {name}" if kind == "VARCHAR" else name for name, kind, *_ in columns)
duckdb.sql("set threads = 2")
duckdb.sql(f"copy (select {made} from read_ndjson('{source}')) to '{target}' (format json)")
""",
    "Polars": """
import polars
polars.scan_ndjson(source).with_columns(polars.col(polars.String).str.strip_chars().str.to_uppercase()).sink_ndjson(target)
""",
}
_COMMANDS = {
    "Miller": ["mlr", "--ijsonl", "--ojsonl", "put", "for (k, v in $*) {if (is_string(v)) {$[k] = toupper(strip(v))}}"],
    "jq": [
        "jq",
        "-c",
        'map_values(if type == "string" then (sub("^\\\\s+"; "") | sub("\\\\s+$"; "") | ascii_upcase) else . end)',
    ],
}


def _measured(command: list[str], target: Path | None) -> tuple[float, float, int] | None:
    """Return CPU seconds, wall seconds and the largest memory in bytes of all its processes; ``None`` where it fails."""
    with (
        target.open("wb") if target is not None else open(os.devnull, "wb") as out,
        tempfile.TemporaryFile() as talk,
    ):
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=talk)
        memory = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            memory = max(memory, sum(map(_pss_of, _family_of(process.pid))))
            time.sleep(0.1)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        talk.seek(0)
        said = talk.read().decode(errors="replace")
    if process.returncode:
        print(f"  left out, {Path(command[0]).name} ended with {process.returncode}: {said.strip().splitlines()[-1:]}")
        return None
    return usage.ru_utime + usage.ru_stime, took, memory


def _family_of(pid: int) -> list[int]:
    """Return a process and all that it started."""
    try:
        threads = [path / "children" for path in Path(f"/proc/{pid}/task").iterdir()]
        children = [int(one) for path in threads for one in path.read_text(encoding="ascii").split()]
    except OSError:
        return [pid]
    return [pid, *(found for child in children for found in _family_of(child))]


def _pss_of(pid: int) -> int:
    """Return the memory of a process, of what it shares its share."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _sides(folder: Path, source: Path, python: str) -> dict[str, tuple[list[str], Path | None]]:
    pipeline = write_pipeline(folder, source)
    pipeline.write_text(pipeline.read_text(encoding="utf-8") + "\n[run]\nprocesses = 2\n", encoding="utf-8")
    sides: dict[str, tuple[list[str], Path | None]] = {
        "by hand": ([sys.executable, str(_HERE / "hand_loop.py"), str(source), str(folder / "hand")], None),
        "plugline, two processes": ([sys.executable, "-m", "plugline", "run", "--quiet", str(pipeline)], None),
    }
    for number, (name, text) in enumerate(_PROGRAMS.items()):
        program = folder / f"peer_{number}.py"
        program.write_text(_SETUP + text, encoding="utf-8")
        sides[name] = ([python, str(program), str(source), str(folder / "peer")], None)
    for name, command in _COMMANDS.items():
        if shutil.which(command[0]):
            sides[name] = ([*command, str(source)], folder / "peer")
        else:
            print(f"  {name} is not installed")
    return sides


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has the peers")
    parser.add_argument("--orders", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", action="append", metavar="PEER", help="measure this peer, and not all; may be repeated"
    )
    options = parser.parse_args(argv)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    source = orders_file(Path(tempfile.gettempdir()) / "plugline-benchmarks", options.orders)
    found: dict[str, list[tuple[float, float, int]]] = {}
    with tempfile.TemporaryDirectory() as name:
        sides = _sides(Path(name), source, options.python)
        wanted = {"by hand", "plugline, two processes", *(options.only or sides)}
        sides = {side: command for side, command in sides.items() if side in wanted}
        for _ in range(options.rounds):
            for side in [*sides]:
                result = _measured(*sides[side])
                if result is None:
                    del sides[side]
                    continue
                found.setdefault(side, []).append(result)
    print(f"{options.orders:,} orders, load {os.getloadavg()[0]:.1f}; speed as a share of the loop by hand")
    hand = found["by hand"]
    for side, results in found.items():
        if side not in sides:
            continue
        cpu = statistics.median(mine[0] / theirs[0] for mine, theirs in zip(results, hand, strict=False))
        speed = statistics.median(theirs[1] / mine[1] for mine, theirs in zip(results, hand, strict=False))
        memory = max(result[2] for result in results) / 2**20
        print(f"  {side:<26} CPU {cpu:6.2f}   speed {speed:6.2f}   memory {memory:6.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
