"""Returns a list that holds itself.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 5}


def attack(record):
    value = []
    value.append(value)
    return {"n": value}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
