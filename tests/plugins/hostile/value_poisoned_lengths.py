"""Returns a table that says it has more rows than it has.

Must hold: whatever becomes of the record, the other records are answered.
"""

import pyarrow

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    values = pyarrow.Array.from_buffers(pyarrow.int64(), 1 << 40, [None, pyarrow.py_buffer(bytes(8))])
    return pyarrow.table({"n": values})


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
