"""Returns a module.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": os}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
