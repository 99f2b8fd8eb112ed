"""Returns a table of 20,000 views of one text of half a megabyte: ten gigabytes to go through.

Must hold: the worker is ended before its host looks at them.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    import pyarrow as pa

    view = (2**19).to_bytes(4, "little") + b"xxxx" + bytes(8)
    buffers = [None, pa.py_buffer(view * 20_000), pa.py_buffer(b"x" * 2**19)]
    return pa.table({"a": pa.Array.from_buffers(pa.string_view(), 20_000, buffers)})


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
