"""Returns an array that says it has more than it has.

Must hold: whatever becomes of the record, the other records are answered.
"""

import ctypes

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": (ctypes.c_char * 10).from_address(id(None))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
