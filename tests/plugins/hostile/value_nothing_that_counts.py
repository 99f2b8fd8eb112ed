"""Returns what is neither a record nor none.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return 7


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
