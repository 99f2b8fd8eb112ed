"""Returns a number whose digits take minutes.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 5}


def attack(record):
    return {"n": 1 << 100000000}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
