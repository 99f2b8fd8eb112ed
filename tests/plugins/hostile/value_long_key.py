"""Returns a key of ten megabytes.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"k" * (10 << 20): 1}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
