"""Finds the objects of plugline, and empties them.

Must hold: whatever becomes of the record, the other records are answered.
"""

import gc

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    for one in gc.get_objects():
        if type(one).__module__.startswith("plugline") or (isinstance(one, dict) and "__name__" in one and "plugline" in str(one["__name__"])):
            try:
                (one if isinstance(one, dict) else vars(one)).clear()
            except Exception:
                continue
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
