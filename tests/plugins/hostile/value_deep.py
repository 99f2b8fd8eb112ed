"""Returns what is nested too deeply.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    value = []
    for _ in range(100000):
        value = [value]
    return {"n": value}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
