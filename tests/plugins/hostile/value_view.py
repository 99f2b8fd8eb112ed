"""Returns memory that it goes on changing.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": memoryview(bytearray(100))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
