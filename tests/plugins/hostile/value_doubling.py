"""Returns what doubles with each step, and is small only here.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 5, "memory_bytes": 536870912}


def attack(record):
    value = ["x"]
    for _ in range(40):
        value = [value, value]
    return {"n": value}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
