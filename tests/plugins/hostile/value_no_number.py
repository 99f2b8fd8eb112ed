"""Returns what is not equal to itself, as a key.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return {float("nan"): 1, float("nan"): 2}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
