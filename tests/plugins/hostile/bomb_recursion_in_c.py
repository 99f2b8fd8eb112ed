"""Lets C code call itself without end.

Must hold: whatever becomes of the record, the other records are answered.
"""

import sys

TRIES = "using up"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 10}


def attack(record):
    sys.setrecursionlimit(1 << 30)
    value = []
    for _ in range(1000000):
        value = [value]
    return {"n": len(repr(value))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
