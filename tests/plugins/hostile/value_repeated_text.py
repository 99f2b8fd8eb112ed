"""Returns a table in which one text of half a megabyte stands for fifty gigabytes of them.

Must hold: the worker is ended before its host has them.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    import pyarrow as pa

    text = pa.array(["x" * 2**19])
    return pa.table({"a": pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int8()), text)})


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
