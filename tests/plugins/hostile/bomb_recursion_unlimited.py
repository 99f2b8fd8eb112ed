"""Calls itself without end, and without Python's limit.

Must hold: whatever becomes of the record, the other records are answered.
"""

import sys

TRIES = "using up"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"memory_bytes": 536870912, "timeout_seconds": 10}


def attack(record):
    sys.setrecursionlimit(1 << 30)


    def deeper(value):
        return [deeper(value)]


    return deeper(record)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
