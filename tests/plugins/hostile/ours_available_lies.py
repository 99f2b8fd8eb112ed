"""Gives a reason that is no reason.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")

def available():
    return {"reason": object()}


def attack(record):
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
