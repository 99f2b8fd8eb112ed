"""Returns what no format has.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": 1j, "m": ..., "o": NotImplemented, "p": range(3)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
