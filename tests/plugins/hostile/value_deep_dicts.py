"""Returns dicts in dicts.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    value = {}
    for _ in range(50000):
        value = {"n": value}
    return value


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
