"""The yardstick: what somebody who knows orjson writes by hand to trim and upper-case an NDJSON file.

One process, no plugin, no check of a record, nothing set aside: the first bad line ends it with a
traceback. ``--one-pass`` folds both steps into one expression, which a pipeline of independent
steps cannot do; it shows the distance to a program for this one job, and is not the yardstick.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

import orjson

Record: TypeAlias = dict[str, object]

_CHUNK_BYTES = 256 * 1024  # As one would choose it; 64 KiB, which plugline reads at a time, takes 4 % less here too.


def trim(record: Record) -> Record:
    """Strip whitespace from string values."""
    return {key: value.strip() if isinstance(value, str) else value for key, value in record.items()}


def upper(record: Record) -> Record:
    """Make string values upper case."""
    return {key: value.upper() if isinstance(value, str) else value for key, value in record.items()}


def trim_upper(record: Record) -> Record:
    """Do both at once."""
    return {key: value.strip().upper() if isinstance(value, str) else value for key, value in record.items()}


def line_batches(stream: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the lines of ``stream``, those of one chunk at a time."""
    rest = b""
    while chunk := stream.read(_CHUNK_BYTES):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        yield lines
    if rest:
        yield [rest]


def run(source: Path, target: Path) -> None:
    """Trim, then upper-case, every record."""
    loads: Callable[[bytes], Record] = orjson.loads
    dumps = orjson.dumps
    with source.open("rb", buffering=0) as reader, target.open("wb") as writer:
        for lines in line_batches(reader):
            encoded = [dumps(upper(trim(loads(line)))) for line in lines if line]
            encoded.append(b"")
            writer.write(b"\n".join(encoded))


def run_one_pass(source: Path, target: Path) -> None:
    """The same with one function for both steps."""
    loads: Callable[[bytes], Record] = orjson.loads
    dumps = orjson.dumps
    with source.open("rb", buffering=0) as reader, target.open("wb") as writer:
        for lines in line_batches(reader):
            encoded = [dumps(trim_upper(loads(line))) for line in lines if line]
            encoded.append(b"")
            writer.write(b"\n".join(encoded))


def main(arguments: list[str]) -> int:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--one-pass", action="store_true", help="both steps in one expression")
    options = parser.parse_args(arguments)
    (run_one_pass if options.one_pass else run)(options.source, options.target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
