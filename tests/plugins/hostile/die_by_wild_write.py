"""Writes over the interpreter.

Must hold: whatever becomes of the record, the other records are answered.
"""

import ctypes

TRIES = "dying"
MUST = "any"
LEVELS = ("process", "sandbox")
OTHERS = "any"


def attack(record):
    ctypes.memset(id(None), 0xFF, 64)
    for _ in range(1000):
        print(None)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
