"""Returns one list a million times, which is small only here.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 20}


def attack(record):
    value = ["x" * 1000] * 1000
    return {"n": [value] * 1000}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
