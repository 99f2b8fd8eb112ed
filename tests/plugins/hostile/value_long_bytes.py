"""Returns bytes beyond what a frame may have.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 20}


def attack(record):
    return {"n": bytes(300 << 20)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
