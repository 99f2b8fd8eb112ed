"""Imports the host's main module, to run it once more.

Must hold: whatever becomes of the record, the other records are answered.
"""

import sys

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    import __main__

    return {"n": record["n"], "main": str(getattr(__main__, "__file__", ""))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
