"""Climbs to the frames that called it, and changes what they know.

Must hold: whatever becomes of the record, the other records are answered.
"""

import sys

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        for name in list(frame.f_globals):
            if not name.startswith("__"):
                frame.f_globals[name] = None
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
