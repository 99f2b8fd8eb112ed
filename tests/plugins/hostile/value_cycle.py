"""Returns what holds itself.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 5}


def attack(record):
    record["self"] = record
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
