"""Returns a key that is an object.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return {object(): 1}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
