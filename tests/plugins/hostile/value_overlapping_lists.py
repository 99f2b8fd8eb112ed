"""Returns a table of lists that are all the same hundred thousand numbers.

Must hold: the worker is ended before its host looks at them.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    import pyarrow as pa

    offsets, sizes = pa.array([0] * 20_000, pa.int32()), pa.array([100_000] * 20_000, pa.int32())
    return pa.table({"a": pa.ListViewArray.from_arrays(offsets, sizes, pa.array(range(100_000)))})


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
