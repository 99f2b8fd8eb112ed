"""Kill a run again and again, at random moments, and hold what it ends with against a run that nothing disturbed.

``python tests/soaks/kills.py --kills 200``. In each round, some process of the run is killed with SIGKILL after a random
time: the one that was started, or one of its split processes; then the run is started again with ``--resume``, until one comes to
its end. Output and dead letters have to be byte for byte those of the undisturbed run, and nothing may be left beside them.
``--databases`` does the same to runs that write into tables of SQLite and, where its programs are installed, of PostgreSQL:
their rows have to be those of the undisturbed run, none of them twice.
"""

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.postgres import find_programs, postgres_server

_RECORDS = 60_000
_PLUGIN = """
import time

def transform(record):
    if record["id"] % 100 == 17:
        raise ValueError(f"no {record['id']}")
    if record["id"] % 500 == 0:
        time.sleep(0.005)
    return {**record, "name": record["name"].upper()}

def describe():
    return "fails on one record in a hundred, and is slow now and then"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A kind of run: how many processes, in what order, from which input, to which sink.

    Attributes:
        table: The table, where the sink is a database.
    """

    run: str
    source: str = "in.ndjson"
    sink: str = "out.ndjson"
    table: str = ""

    @property
    def letters(self) -> str:
        """The name of the dead letters: a server has nothing beside it."""
        stem = self.source if "://" in self.sink else self.sink
        return f"{stem.partition('.')[0]}.errors.ndjson"


VARIANTS = (
    Variant(run="processes = 2"),
    Variant(run="processes = 1"),
    Variant(run="processes = 2", source="in.ndjson.gz", sink="out.ndjson.gz"),
    Variant(run="processes = 2", sink="out.csv"),
)


TABLES = (
    Variant(run="processes = 2", sink="out.db", table="orders"),
    Variant(run="processes = 1", sink="out.db", table="orders"),
)


def on_server(address: str) -> tuple[Variant, ...]:
    """Return the kinds of run that write to a server of PostgreSQL."""
    return tuple(replace(variant, sink=address) for variant in TABLES)


@dataclass(slots=True)
class Outcome:
    """What a soak found.

    Attributes:
        kills: How often a process was killed, by what it was.
        runs: How many runs came to their end.
        differing: What was not as it should be.
    """

    kills: dict[str, int] = field(default_factory=lambda: {"the run": 0, "a split process": 0})
    runs: int = 0
    differing: list[str] = field(default_factory=list)


def write_job(folder: Path, variant: Variant, records: int) -> None:
    """Write a pipeline with its plugin and its input."""
    import gzip

    (folder / "plugins").mkdir(parents=True)
    (folder / "plugins" / "slow.py").write_text(_PLUGIN, encoding="utf-8")
    lines = (json.dumps({"id": number, "name": f"name {number} " + "x" * 60}) for number in range(records))
    content = "".join(f"{line}\n" for line in lines).encode()
    (folder / variant.source).write_bytes(gzip.compress(content, 1) if variant.source.endswith(".gz") else content)
    options = f'options = {{ table = "{variant.table}" }}\n' if variant.table else ""
    pipeline = f'[source]\npath = "{variant.source}"\n[[steps]]\nuse = "slow"\n[sink]\npath = "{variant.sink}"\n{options}[run]\n{variant.run}\n'
    (folder / "pipeline.toml").write_text(pipeline, encoding="utf-8")


def result(folder: Path, variant: Variant) -> tuple[object, bytes]:
    """Return output and dead letters; of a database all rows, in the order of what they were made of."""
    letters = (folder / variant.letters).read_bytes()
    if not variant.table:
        return (folder / variant.sink).read_bytes(), letters
    with _connected(folder, variant) as connection:
        return connection.execute(f"SELECT * FROM {variant.table} ORDER BY id").fetchall(), letters  # noqa: S608 - our own


def clear(folder: Path, variant: Variant) -> None:
    """Leave nothing of the output of a run."""
    if "://" not in variant.sink:
        (folder / variant.sink).unlink()
        return
    with _connected(folder, variant) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {variant.table}")
        connection.commit()


def tables_left(folder: Path, variant: Variant) -> list[str]:
    """Return what is in the database of a variant beside its table; on a server the table of marks stays, without any."""
    if not variant.table:
        return []
    on_server = "://" in variant.sink
    of_server = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    with _connected(folder, variant) as connection:
        listed = connection.execute(of_server if on_server else "SELECT name FROM sqlite_schema WHERE type = 'table'")
        found = [name for (name,) in listed.fetchall() if name != variant.table]
        if (
            on_server
            and "plugline_parts" in found
            and not connection.execute("SELECT * FROM plugline_parts").fetchall()
        ):
            found.remove("plugline_parts")
        return found


def _connected(folder: Path, variant: Variant) -> AbstractContextManager[Any]:
    if "://" not in variant.sink:
        return closing(sqlite3.connect(folder / variant.sink))
    import psycopg

    return closing(psycopg.connect(variant.sink))


@contextmanager
def running(folder: Path, *more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a run; whatever happens, it has ended afterwards."""
    command = [sys.executable, "-m", "plugline", "run", "-q", "pipeline.toml", *more]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except FileNotFoundError:
        return []


def soak(folder: Path, variant: Variant, kills: int, chance: random.Random, outcome: Outcome, records: int) -> None:
    """Kill until there have been ``kills``, then let the last run come to its end."""
    write_job(folder, variant, records)
    if "://" in variant.sink:
        clear(folder, variant)  # the server is that of the others too
    began = time.perf_counter()
    with running(folder) as process:
        _, said = process.communicate()
        assert process.returncode == 1, said.decode()
    whole_seconds = time.perf_counter() - began
    expected = result(folder, variant)
    done = 0
    while done < kills:
        clear(folder, variant)
        while True:
            with running(folder, "--resume") as process:
                try:
                    process.wait(chance.uniform(0, whole_seconds) if done < kills else None)
                except subprocess.TimeoutExpired:
                    done += 1
                    victims = children_of(process.pid)
                    if victims and chance.random() < 0.5:
                        outcome.kills["a split process"] += _kill(chance.choice(victims))
                        process.wait()  # which goes on
                    else:
                        outcome.kills["the run"] += _kill(process.pid)
                        process.wait()
                        continue
                error = process.stderr.read().decode() if process.stderr is not None else ""
            if process.returncode != 1:
                outcome.differing.append(f"{variant}: ended with {process.returncode}: {error}")
                return
            break
        outcome.runs += 1
        if result(folder, variant) != expected:
            outcome.differing.append(f"{variant}: other output than that of the undisturbed run")
            return
        if hidden := [path.name for path in folder.iterdir() if path.name.startswith(".")]:
            outcome.differing.append(f"{variant}: left {hidden}")
        if left := tables_left(folder, variant):
            outcome.differing.append(f"{variant}: left {left}")


def _kill(pid: int) -> int:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return 0
    return 1


def main(argv: list[str]) -> int:
    """Run the soak and say what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--records", type=int, default=_RECORDS)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--databases", action="store_true", help="write into tables")
    options = parser.parse_args(argv)
    chance = random.Random(options.seed)  # noqa: S311 - moments, not secrets
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        variants: Sequence[Variant] = VARIANTS
        if options.databases:
            variants = TABLES
            if find_programs() is not None:
                variants = [*TABLES, *on_server(stack.enter_context(postgres_server()))]
            else:
                print("PostgreSQL is not installed")
        share = -(-options.kills // len(variants))
        for number, variant in enumerate(variants):
            soak(Path(name) / str(number), variant, share, chance, outcome, options.records)
    print(f"seed {options.seed}: {outcome.kills}, {outcome.runs} runs came to their end")
    for one in outcome.differing:
        print(one)
    return 1 if outcome.differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
