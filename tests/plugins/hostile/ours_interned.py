"""Changes small numbers.

Must hold: the host lives; which record the damage is seen at nobody knows.
"""

import ctypes

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}
OTHERS = "any"


def attack(record):
    ctypes.memmove(id(7) + 24, (8).to_bytes(4, "little"), 4)
    return {"n": 7}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
