"""Takes memory by many small objects.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "using up"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"memory_bytes": 134217728, "timeout_seconds": 10}


def attack(record):
    kept = {}
    at = 0
    while True:
        kept[at] = [at]
        at += 1


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
