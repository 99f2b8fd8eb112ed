"""Returns keys that are no text.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return {1: 1, None: 2, (3,): 3, b"4": 4, True: 5, 1.5: 6}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
