"""Makes a number that is too big.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "using up"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"memory_bytes": 268435456}


def attack(record):
    return {"n": 1 << (1 << 40)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
