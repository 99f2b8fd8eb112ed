"""Returns a million keys.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 20}


def attack(record):
    return {str(at): at for at in range(1000000)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
