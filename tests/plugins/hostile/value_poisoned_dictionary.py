"""Returns a table whose indices lead outside of their dictionary.

Must hold: whatever becomes of the record, the other records are answered.
"""

import pyarrow

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    values = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0, 99999999]), pyarrow.array(["a"]), safe=False)
    return pyarrow.table({"n": values})


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
