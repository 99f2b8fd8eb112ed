"""Returns a table whose offsets lead outside of it.

Must hold: whatever becomes of the record, the other records are answered.
"""

import struct
import pyarrow

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")

import pyarrow


def attack(record):
    values = pyarrow.Array.from_buffers(
        pyarrow.string(), 2, [None, pyarrow.py_buffer(struct.pack("<iii", 0, 1 << 30, 5)), pyarrow.py_buffer(b"abcde")]
    )
    return pyarrow.table({"n": values})


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
