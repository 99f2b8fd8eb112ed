"""Returns records without end.

Must hold: whatever becomes of the record, the other records are answered.
"""

import itertools

TRIES = "using up"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3, "memory_bytes": 268435456}


def attack(record):
    return ({"n": at} for at in itertools.count())


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
