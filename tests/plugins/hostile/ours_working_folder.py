"""Changes into another folder.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    os.chdir("/")
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
