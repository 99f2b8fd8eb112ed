"""Becomes sixteen processes, each in a session of its own, which all answer.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os

TRIES = "using up"
MUST = "any"
LEVELS = ("process",)
LIMITS = {"timeout_seconds": 3}
OTHERS = "any"


def attack(record):
    for _ in range(4):
        os.fork()
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
