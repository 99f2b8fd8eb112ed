"""Returns a number of ten thousand digits.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": 10 ** 10000}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
