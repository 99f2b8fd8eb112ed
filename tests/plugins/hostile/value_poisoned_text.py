"""Returns a table of text that is none.

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
        pyarrow.string(), 1, [None, pyarrow.py_buffer(struct.pack("<ii", 0, 2)), pyarrow.py_buffer(b"\xff\xfe")]
    )
    return pyarrow.table({"n": values})


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
